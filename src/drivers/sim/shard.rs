//! A shard: one thread's share of the machines, run window by window.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Range;

use super::calendar::Calendar;
use super::logs::Logs;
use super::windows::Windows;
use crate::edge::driver::Plan;
use crate::edge::log::{FileEntry, LogError};
use crate::model::event::{Envelope, Kind, Outbox};
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::tally::Account;
use crate::model::time::{Nanos, Ticks};
use crate::model::vm::{Outages, Store, Vm};
use crate::workload::Workload;

/// Machines that are fetched from memory together: with many machines, most of a tick is waiting for
/// its machine to come into the cache, and several can come at a time.
const BATCH: usize = 16;

/// So many machines are in the cache anyway.
const NEAR: usize = 2048;

/// Where one machine of that many is due, they are run in order even without logs: they are neighbours in memory,
/// and their messages come to an inbox in its order.
const DENSE: usize = 16;

/// Messages that are delivered together, for the same reason: their inboxes are fetched together.
const DELIVERY: usize = 32;

/// One thread's share of a run.
#[derive(Debug)]
pub(super) struct Shard<W> {
    index: usize,
    /// The number of machines in the run.
    vms: u32,
    /// The number of its first machine.
    first: u32,
    machines: Vec<TickingMachine<W>>,
    /// The crashes of those that have any, by their place here.
    outages: BTreeMap<u32, Outages<W>>,
    desk: Workplace,
    calendar: Calendar,
    windows: Windows,
    /// When the run ends.
    end: Nanos,
    /// Messages for other shards, by shard.
    outgoing: Vec<Vec<Envelope>>,
    /// The first machine of every shard.
    bounds: Vec<VmId>,
    /// The machines of the window that is being run.
    due: Vec<u32>,
    /// The end of the latest window, or of the run.
    reached: Nanos,
}

/// What the machines of a shard have in common when they tick.
#[derive(Debug)]
struct Workplace {
    /// The memory of their inboxes.
    store: Store,
    /// Messages that are not delivered yet.
    outbox: Outbox,
    logs: Logs,
    /// The machine that was run last, or to which something was delivered.
    current: VmId,
    events: u64,
    messages: u64,
    longest_queue: u32,
}

/// A machine with its ticks.
#[derive(Debug)]

struct TickingMachine<W> {
    vm: Vm<W>,
    ticks: Ticks,
}

impl<W: Workload> Shard<W> {
    /// Makes the machines of these contiguous parts, and their logs.
    pub(super) fn new(
        index: usize,
        scenario: &Scenario,
        parts: &[Range<u32>],
        bounds: Vec<VmId>,
        plan: &Plan,
        workload: &impl Fn(VmId) -> W,
    ) -> Result<Self, LogError> {
        let logs = Logs::create(scenario, parts, plan)?;
        let windows = Windows::new(scenario.lookahead());
        let first = parts.first().map_or(0, |part| part.start);
        let machines: Vec<_> = (first..parts.last().map_or(0, |part| part.end))
            .map(VmId)
            .map(|vm| TickingMachine {
                vm: scenario.machine(vm, workload(vm)),
                ticks: scenario.schedule(vm).ticks(),
            })
            .collect();
        let outages = (first..).zip(0u32..).take(machines.len()).filter_map(|(vm, index)| {
            let vm = VmId(vm);
            Some((index, *scenario.outages(vm, || workload(vm))?))
        });
        let outages = outages.collect();
        // A tick is seldom more than a second after the one before it, and the first after the start.
        let horizon = usize::try_from(windows.of(Nanos::from_secs(1))).unwrap_or(usize::MAX);
        let mut shard = Self {
            index,
            vms: scenario.vms(),
            first,
            machines,
            outages,
            desk: Workplace::new(VmId(first), logs),
            calendar: Calendar::new(horizon),
            windows,
            end: scenario.duration(),
            outgoing: bounds.iter().map(|_| Vec::new()).collect(),
            bounds,
            due: Vec::new(),
            reached: Nanos::ZERO,
        };
        for (index, machine) in (0..).zip(&shard.machines) {
            if machine.ticks.due() <= shard.end {
                shard.calendar.put(index, windows.of(machine.ticks.due()));
            }
        }
        Ok(shard)
    }

    /// Its place among the shards.
    pub(super) const fn index(&self) -> usize {
        self.index
    }

    /// The next window in which one of its machines ticks.
    pub(super) fn next_window(&self) -> Option<u64> {
        self.calendar.next()
    }

    /// The end of the latest window that it has run, or of the run: all that it has made happened before.
    pub(super) const fn reached(&self) -> Nanos {
        self.reached
    }

    /// The messages that it has for other shards, by shard.
    pub(super) fn outgoing(&mut self) -> &mut [Vec<Envelope>] {
        &mut self.outgoing
    }

    /// The machine that was run last, or to which something was delivered.
    pub(super) const fn current(&self) -> VmId {
        self.desk.current
    }

    /// Events and messages so far, and the longest queue.
    pub(super) fn counters(&self) -> [u64; 3] {
        [self.desk.events, self.desk.messages, u64::from(self.desk.longest_queue)]
    }

    /// When the window starts of the earliest row that is not written yet; none where all are.
    pub(super) fn frontier(&mut self) -> Option<Nanos> {
        self.desk.logs.frontier()
    }

    /// Whether one of its logs was full and has been written since this was asked last.
    pub(super) const fn take_was_full(&mut self) -> bool {
        self.desk.logs.take_was_full()
    }

    /// Writes the log that holds its earliest row.
    pub(super) fn write_oldest(&mut self) -> Result<(), LogError> {
        self.desk.logs.write_oldest()
    }

    /// When a window starts.
    pub(super) const fn start_of(&self, window: u64) -> Nanos {
        self.windows.start(window)
    }

    /// Puts messages that other shards have for its machines into their inboxes.
    pub(super) fn deliver(&mut self, messages: &mut Vec<Envelope>) {
        for together in messages.chunks_mut(DELIVERY) {
            self.touch_inboxes(together);
            for message in together {
                debug_assert!(
                    message.arrives() >= self.reached,
                    "a message arrives in a window that was run"
                );
                let index = (message.to().0 - self.first) as usize;
                self.desk.current = message.to();
                let vm = &mut self.machines[index].vm;
                if !is_taken(&mut self.outages, index, message, vm) {
                    vm.deliver(message, &mut self.desk.store);
                }
            }
        }
        messages.clear();
    }

    /// Makes the ticks of that many windows in which it has any, from `window` on. Only a shard without
    /// others may run more than one: nobody has a message for it.
    pub(super) fn run_windows(&mut self, window: u64, count: u32) -> Result<(), LogError> {
        let mut window = window;
        for _ in 1..count {
            self.run_window(window)?;
            let Some(next) = self.calendar.next() else {
                return Ok(());
            };
            window = next;
        }
        self.run_window(window)
    }

    fn run_window(&mut self, window: u64) -> Result<(), LogError> {
        self.desk.logs.begin(self.windows.start(window));
        let end = self.windows.start(window + 1).min(self.end.plus(Nanos::new(1)));
        self.reached = end.min(self.end);
        let mut due = std::mem::take(&mut self.due);
        self.calendar.take(window, &mut due);
        // The order of rows comes from the scenario alone: by window, and in it by machine.
        if self.desk.logs.are_shared() || due.len() * DENSE > self.machines.len() {
            due.sort_unstable();
        }
        for batch in due.chunks(BATCH) {
            self.fetch(batch);
            for &index in batch {
                let machine = &mut self.machines[index as usize];
                if let Some(outages) = self.outages.get_mut(&index) {
                    machine.tick_until(end, &mut self.desk, outages)?;
                }
                while machine.ticks.due() < end {
                    machine.tick(&mut self.desk)?;
                }
                let next = machine.ticks.due();
                if next <= self.end {
                    self.calendar.put(index, self.windows.of(next));
                }
            }
            if self.desk.outbox.envelopes().len() >= DELIVERY {
                self.post();
            }
        }
        self.due = due;
        if !self.desk.outbox.envelopes().is_empty() {
            self.post();
        }
        Ok(())
    }

    /// Has machines fetched into the cache, all of them at once, and then the messages that wait for them.
    fn fetch(&self, batch: &[u32]) {
        if self.machines.len() <= NEAR {
            return;
        }
        let machines = || batch.iter().map(|&index| &self.machines[index as usize]);
        black_box(machines().fold(0, |sum, machine| sum ^ machine.touch()));
        black_box(machines().fold(0, |sum, machine| sum ^ machine.vm.touch_message(&self.desk.store)));
    }

    /// Delivers the messages in the outbox, or puts them aside for another shard. None of them arrives
    /// within this window.
    fn post(&mut self) {
        self.touch_inboxes(self.desk.outbox.envelopes());
        for message in self.desk.outbox.envelopes_mut() {
            // The bounded lag of Lubachevsky (1989): a window is no longer than the least latency, so that whatever is
            // sent in it arrives after its end, and the order in which its machines were run is not seen.
            debug_assert!(
                message.arrives() >= self.reached,
                "a message arrives within the window in which it is sent"
            );
            let index = message.to().0.wrapping_sub(self.first) as usize;
            if let Some(machine) = self.machines.get_mut(index) {
                self.desk.current = message.to();
                if !is_taken(&mut self.outages, index, message, &mut machine.vm) {
                    machine.vm.deliver(message, &mut self.desk.store);
                }
            } else {
                let VmId(to) = message.to();
                self.desk.current = message.from().sender;
                assert!(to < self.vms, "the workload sends to machine {to}, which this run does not have");
                let shard = self.bounds.partition_point(|first| first.0 <= to) - 1;
                self.outgoing[shard].push(message.take());
            }
        }
        self.desk.outbox.clear();
    }

    /// Has the inboxes to which messages go fetched into the cache, all of them at once.
    fn touch_inboxes(&self, messages: &[Envelope]) {
        let index = |message: &Envelope| message.to().0.wrapping_sub(self.first) as usize;
        let recipients = messages.iter().filter_map(|message| self.machines.get(index(message)));
        black_box(recipients.fold(0, |sum, machine| sum ^ machine.vm.touch_inbox()));
    }

    /// Hands in the accounts of its machines in a run that ended then, and closes its logs.
    pub(super) fn close(
        mut self,
        ended: Nanos,
        accounts: &mut Vec<Account>,
    ) -> impl Iterator<Item = Result<FileEntry, LogError>> {
        let start = accounts.len();
        let mut outages = self.outages;
        while let Some(TickingMachine { mut vm, ticks }) = self.machines.pop() {
            let (store, rate) = (&mut self.desk.store, ticks.rate());
            accounts.push(match outages.get_mut(&(vm.id().0 - self.first)) {
                Some(outages) => outages.account(&mut vm, ended, store, rate, None),
                None => vm.account(ended, store, rate, None),
            });
            // The memory of machines and that of their accounts need not be there at once.
            if self.machines.len().is_multiple_of(1 << 16) {
                self.machines.shrink_to_fit();
            }
        }
        accounts[start..].reverse();
        self.desk.logs.close()
    }
}

impl Workplace {
    fn new(first: VmId, logs: Logs) -> Self {
        Self {
            store: Store::default(),
            outbox: Outbox::default(),
            logs,
            current: first,
            events: 0,
            messages: 0,
            longest_queue: 0,
        }
    }
}

impl<W: Workload> TickingMachine<W> {
    /// Makes the next tick: one event and its row. Its messages stay in the outbox.
    #[inline(always)]
    fn tick(&mut self, desk: &mut Workplace) -> Result<(), LogError> {
        let now = self.ticks.due();
        self.ticks.advance();
        desk.current = self.vm.id();
        let event = self.vm.tick(now, &mut desk.store, &mut desk.outbox);
        desk.events += 1;
        desk.longest_queue = desk.longest_queue.max(event.queue);
        if let Kind::Send(sent) = event.kind {
            desk.messages += sent.to.len() as u64;
        }
        if desk.logs.is_nowhere() { Ok(()) } else { desk.logs.record(&self.vm.record(event)) }
    }

    /// Makes the ticks before a time of a machine that crashes: those that are due while it is down are left out.
    #[cold]
    fn tick_until(
        &mut self,
        end: Nanos,
        desk: &mut Workplace,
        outages: &mut Outages<W>,
    ) -> Result<(), LogError> {
        while self.ticks.due() < end {
            let due = self.ticks.due();
            // Its workload starts again here, and may panic.
            desk.current = self.vm.id();
            match outages.before_tick(due, due, &mut self.vm, &mut desk.store) {
                Some(up) => self.ticks = outages.ticks_from(up),
                None => self.tick(desk)?,
            }
        }
        Ok(())
    }

    /// Reads a little of each part of the machine.
    #[inline]
    fn touch(&self) -> u64 {
        self.ticks.due().get() ^ self.vm.touch()
    }
}

/// Whether a delivery to a machine that crashes was a call, which is not for every workload that it has.
#[inline(always)]
fn is_taken<W: Workload>(
    outages: &mut BTreeMap<u32, Outages<W>>,
    index: usize,
    envelope: &Envelope,
    vm: &mut Vm<W>,
) -> bool {
    let Envelope::Call { call, .. } = envelope else { return false };
    let own = u32::try_from(index).ok().and_then(|index| outages.get_mut(&index));
    let Some(own) = own else { return false };
    own.take_call(*call, vm);
    true
}
