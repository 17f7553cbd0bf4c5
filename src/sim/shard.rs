//! A shard: one thread's share of the machines, run window by window.

use std::hint::black_box;
use std::ops::Range;

use super::calendar::Calendar;
use super::logs::Logs;
use crate::driver::Plan;
use crate::event::{Kind, Message, Outbox};
use crate::id::VmId;
use crate::log::{FileEntry, LogError};
use crate::scenario::Scenario;
use crate::tally::{Account, Tally};
use crate::time::{Nanos, Ticks};
use crate::vm::Vm;
use crate::workload::Workload;

/// Machines that are fetched from memory together: with many machines, most of a tick is waiting for
/// its machine to come into the cache, and several can come at a time.
const BATCH: usize = 16;

/// One thread's share of a run.
#[derive(Debug)]
pub(super) struct Shard<W> {
    index: usize,
    /// The number of machines in the run.
    vms: u32,
    /// The number of its first machine.
    first: u32,
    machines: Vec<Machine<W>>,
    calendar: Calendar,
    /// The length of a window: the lookahead.
    window: u64,
    /// When the run ends.
    end: Nanos,
    logs: Logs,
    outbox: Outbox,
    /// Messages of this window for machines of this shard.
    local: Vec<Message>,
    /// Messages for other shards, by shard.
    outgoing: Vec<Vec<Message>>,
    /// The first machine of every shard.
    bounds: Vec<VmId>,
    /// The machines of the window that is being run.
    due: Vec<u32>,
    current: VmId,
    events: u64,
    messages: u64,
    longest_queue: u64,
}

/// A machine with its ticks and what its events add up to.
#[derive(Debug)]
struct Machine<W> {
    vm: Vm<W>,
    ticks: Ticks,
    tally: Tally,
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
        let window = scenario.lookahead().get();
        let logs = Logs::create(scenario, parts, plan)?;
        let numbers = parts.iter().flat_map(Clone::clone).map(VmId);
        let machines: Vec<_> = numbers
            .map(|vm| Machine {
                vm: scenario.machine(vm, workload(vm)),
                ticks: scenario.schedule(vm).ticks(),
                tally: Tally::default(),
            })
            .collect();
        // A tick is at most a second after the one before it, and the first at most one after the start.
        let horizon = usize::try_from(1_000_000_000 / window).unwrap_or(0) + 2;
        let mut shard = Self {
            index,
            vms: scenario.vms(),
            first: parts.first().map_or(0, |part| part.start),
            machines,
            calendar: Calendar::new(horizon),
            window,
            end: scenario.duration(),
            logs,
            outbox: Outbox::default(),
            local: Vec::new(),
            outgoing: bounds.iter().map(|_| Vec::new()).collect(),
            bounds,
            due: Vec::new(),
            current: VmId(0),
            events: 0,
            messages: 0,
            longest_queue: 0,
        };
        for index in 0..shard.machines.len() {
            shard.schedule(index);
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

    /// When a window starts.
    pub(super) const fn start_of(&self, window: u64) -> Nanos {
        Nanos::new(window.saturating_mul(self.window))
    }

    /// The messages that it has for other shards, by shard.
    pub(super) fn outgoing(&mut self) -> &mut [Vec<Message>] {
        &mut self.outgoing
    }

    /// The machine that was run last.
    pub(super) const fn current(&self) -> VmId {
        self.current
    }

    /// Events and messages so far, and the longest queue.
    pub(super) const fn counters(&self) -> [u64; 3] {
        [self.events, self.messages, self.longest_queue]
    }

    /// Puts a message into its machine's inbox.
    pub(super) fn deliver(&mut self, message: Message) {
        let index = (message.to.0 - self.first) as usize;
        self.machines[index].vm.deliver(message);
    }

    /// Makes the ticks of a window, where it has any.
    pub(super) fn run_window(&mut self, window: u64) -> Result<(), LogError> {
        let mut due = std::mem::take(&mut self.due);
        self.calendar.take(window, &mut due);
        let end = self.start_of(window + 1).min(self.end.plus(Nanos::new(1)));
        for batch in due.chunks(BATCH) {
            batch.iter().for_each(|&index| self.machines[index as usize].fetch());
            for &index in batch {
                let index = index as usize;
                while self.machines[index].ticks.due() < end {
                    self.tick(index)?;
                }
                self.schedule(index);
            }
        }
        self.due = due;
        self.deliver_local();
        Ok(())
    }

    /// Takes the window's messages between machines of this shard to their inboxes.
    fn deliver_local(&mut self) {
        let mut local = std::mem::take(&mut self.local);
        for message in &local {
            self.machines[(message.to.0 - self.first) as usize].vm.fetch_inbox();
        }
        local.drain(..).for_each(|message| self.deliver(message));
        self.local = local;
    }

    /// Makes a machine's next tick: one event, its row, and its messages.
    fn tick(&mut self, index: usize) -> Result<(), LogError> {
        let machine = &mut self.machines[index];
        let now = machine.ticks.due();
        machine.ticks.advance();
        self.current = machine.vm.id();
        let record = machine.vm.tick(now, &mut self.outbox);
        machine.tally.add(&record);
        self.events += 1;
        self.longest_queue = self.longest_queue.max(record.queue as u64);
        self.logs.record(&record)?;
        if let Kind::Send(sent) = &record.kind {
            self.messages += sent.to.len() as u64;
            self.send();
        }
        Ok(())
    }

    /// Puts the messages aside, for this shard or another. None of them arrives within this window.
    fn send(&mut self) {
        for message in self.outbox.drain() {
            let local = message.to.0.wrapping_sub(self.first) as usize;
            if local < self.machines.len() {
                self.local.push(message);
            } else {
                let VmId(to) = message.to;
                assert!(to < self.vms, "the workload sends to machine {to}, which this run does not have");
                let shard = self.bounds.partition_point(|first| *first <= message.to) - 1;
                self.outgoing[shard].push(message);
            }
        }
    }

    fn schedule(&mut self, index: usize) {
        let due = self.machines[index].ticks.due();
        if due <= self.end {
            #[expect(clippy::cast_possible_truncation, reason = "machines are numbered by u32")]
            self.calendar.put(index as u32, due.get() / self.window);
        }
    }

    /// Hands in the accounts of its machines in a run that ended then, and closes its logs.
    pub(super) fn close(
        self,
        ended: Nanos,
        accounts: &mut Vec<Account>,
    ) -> impl Iterator<Item = Result<FileEntry, LogError>> {
        for Machine { mut vm, ticks, tally } in self.machines {
            accounts.push(vm.account(ended, ticks.rate(), tally, None));
        }
        self.logs.close()
    }
}

impl<W: Workload> Machine<W> {
    /// Reads a little of each part of the machine, so that it is in the cache soon.
    fn fetch(&self) {
        black_box((self.ticks, self.tally.internal, self.tally.queue_sum));
        self.vm.fetch();
    }
}
