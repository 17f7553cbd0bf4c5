//! The crashes of one machine: what a driver needs beside the machine to have it go down and come up again.
//!
//! They stand apart from the machine, since most machines never crash and all of them are to be small. Nothing has to
//! happen at the moment at which a machine goes down or comes up: at its next tick, or at the end of the run, it is
//! known what had arrived by then, and that is lost. A call is the exception. It goes to the workload as soon as it is
//! delivered, which may be before it arrives, so it is held back where the workload that it will meet is not there yet.

use std::collections::VecDeque;

use super::{Store, Vm};
use crate::model::event::Call;
use crate::model::tally::{Account, Lateness};
use crate::model::time::{Nanos, Rate, Schedule, Ticks, TimeWindow};
use crate::workload::Workload;

/// The crashes of a machine that are not over yet.
#[derive(Debug)]
pub struct Outages<W> {
    schedule: Schedule,
    /// The windows in their order, each with the workload, made anew, that goes on after it.
    coming: VecDeque<(TimeWindow, W)>,
    /// Calls that arrive after a crash that is not over.
    held_back: Vec<Call>,
    /// Messages that were lost so far.
    crashed: u64,
}

impl<W: Workload> Outages<W> {
    /// Those in the windows, one after the other, of a machine with that schedule; each has a workload that was made
    /// anew. None where there is no window.
    pub fn new(
        schedule: Schedule,
        windows: impl IntoIterator<Item = TimeWindow>,
        mut workload: impl FnMut() -> W,
    ) -> Option<Box<Self>> {
        let coming: VecDeque<_> = windows.into_iter().map(|window| (window, workload())).collect();
        let outages = Self { schedule, coming, held_back: Vec::new(), crashed: 0 };
        (!outages.coming.is_empty()).then(|| Box::new(outages))
    }

    /// The machine begins then, or goes on after its process had died: what was over by then is nothing to it.
    pub fn begin(&mut self, from: Nanos) {
        while self.coming.pop_front_if(|(window, _)| window.end() <= from).is_some() {}
    }

    /// Before a tick that is due then is made now. Where it is not to be made, since it is due while the machine is down
    /// or before, and the machine has gone down: tells from when on ticks are made again.
    ///
    /// # Panics
    ///
    /// Where a workload does that starts again.
    pub fn before_tick(
        &mut self,
        due: Nanos,
        now: Nanos,
        vm: &mut Vm<W>,
        store: &mut Store,
    ) -> Option<Nanos> {
        let mut up = None;
        while let Some((window, _)) = self.coming.front()
            && window.start() <= now
        {
            let end = window.end();
            if up.unwrap_or(due) < end {
                up = Some(end);
            }
            if now < end {
                break;
            }
            if let Some((_, workload)) = self.coming.pop_front() {
                self.crashed += vm.restart(workload, end, store);
                self.hand_over(vm);
            }
        }
        up
    }

    /// The ticks from the first that is made again once the machine is up.
    pub fn ticks_from(&self, up: Nanos) -> Ticks {
        self.schedule.ticks_from(up)
    }

    /// Takes a call, which meets nobody where the machine is down, and has to wait where it is still to go down before.
    ///
    /// # Panics
    ///
    /// Where the workload does.
    pub fn take_call(&mut self, call: Call, vm: &mut Vm<W>) {
        if self.is_later(&call) {
            self.held_back.push(call);
        } else if !self.is_down(&call) {
            vm.workload.called(&call);
        }
    }

    /// The machine's account in a run that ended then. What waits for a machine that is down will never be received.
    pub fn account(
        &mut self,
        vm: &mut Vm<W>,
        ended: Nanos,
        store: &mut Store,
        rate: Rate,
        lateness: Option<Lateness>,
    ) -> Account {
        for (window, _) in self.coming.iter().take_while(|(window, _)| window.start() <= ended) {
            let lost_by = window.end().min(ended.plus(Nanos::new(1)));
            self.crashed += vm.inbox.lose_before(lost_by, vm.id, store);
        }
        Account { crashed: self.crashed, ..vm.account(ended, store, rate, lateness) }
    }

    /// The workload has just started again: the calls that are for it and no later one are its own.
    fn hand_over(&mut self, vm: &mut Vm<W>) {
        for call in std::mem::take(&mut self.held_back) {
            if self.is_later(&call) {
                self.held_back.push(call);
            } else {
                vm.workload.called(&call);
            }
        }
    }

    fn is_down(&self, call: &Call) -> bool {
        self.coming.iter().any(|(window, _)| window.has(call.arrives))
    }

    /// Whether a crash that is not over is over when the call arrives, and the machine is up then.
    fn is_later(&self, call: &Call) -> bool {
        let is_after = self.coming.front().is_some_and(|(window, _)| window.end() <= call.arrives);
        is_after && !self.is_down(call)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Stamp;
    use crate::model::event::{Envelope, Message, MessageId, Outbox};
    use crate::model::id::VmId;
    use crate::model::scenario::{Scenario, Settings};
    use crate::model::seed::{Seed, Stream};
    use crate::workload::{Action, Tick};

    /// Receives what there is, and says what it knows: the ticks that it keeps on purpose, the events that it does not,
    /// and who has called.
    #[derive(Debug, Default)]
    struct Diary {
        kept: u64,
        forgotten: u64,
        callers: Vec<u32>,
        resumed: Option<String>,
        says: String,
    }

    impl Workload for Diary {
        fn choose(&mut self, _: &Tick<'_>, _: &mut Stream, _: &mut Vec<VmId>) -> Action {
            (self.kept, self.forgotten) = (self.kept + 1, self.forgotten + 1);
            let Self { kept, forgotten, callers, resumed, .. } = self;
            self.says = format!("{kept} {forgotten} {callers:?} {resumed:?}");
            Action::Receive
        }

        fn called(&mut self, call: &Call) {
            self.callers.push(call.caller.0);
        }

        fn mark(&self) -> &str {
            &self.says
        }

        fn keeps(&self) -> Option<String> {
            Some(self.kept.to_string())
        }

        fn resume(&mut self, kept: Option<&str>) {
            self.kept = kept.and_then(|kept| kept.parse().ok()).unwrap_or_default();
            self.resumed = kept.map(str::to_owned);
        }
    }

    /// Machine 1, which ticks at every full second, with what belongs to it.
    struct Bench {
        vm: Vm<Diary>,
        outages: Box<Outages<Diary>>,
        store: Store,
        outbox: Outbox,
    }

    impl Bench {
        fn new(crashes: &str) -> Self {
            let text = format!(
                "vms = 9\nrates = \"1\"\nphase = \"aligned\"\nduration = \"60s\"\ncrash = [{crashes}]"
            );
            let settings: Settings = toml::from_str(&text).unwrap();
            let scenario = Scenario::new(&settings, Seed(1)).unwrap();
            assert!(scenario.outages(VmId(2), Diary::default).is_none());
            let outages = scenario.outages(VmId(1), Diary::default).unwrap();
            let vm = scenario.machine(VmId(1), Diary::default());
            Self { vm, outages, store: Store::default(), outbox: Outbox::default() }
        }

        fn deliver(&mut self, from: u32, millis: u64) {
            let message = Message {
                id: MessageId { sender: VmId(from), event: millis },
                to: VmId(1),
                arrives: Nanos::new(millis * 1_000_000),
                stamp: Stamp::lamport_only(1),
                payload: Some(Arc::new("text".to_owned())),
            };
            self.vm.deliver(&mut Envelope::Message(message), &mut self.store);
        }

        fn call(&mut self, caller: u32, millis: u64) {
            let call = Call { arrives: Nanos::new(millis * 1_000_000), caller: VmId(caller), event: millis };
            self.outages.take_call(call, &mut self.vm);
        }

        /// A tick that is due then, made so late: its number, queue and mark; or the second from which on there are ticks.
        fn tick(&mut self, due: u64, now: u64) -> Result<(u64, u32, String), u64> {
            let (due, now) = (Nanos::from_secs(due), Nanos::from_secs(now));
            if let Some(up) = self.outages.before_tick(due, now, &mut self.vm, &mut self.store) {
                return Err(up.split().0);
            }
            let event = self.vm.tick(now, &mut self.store, &mut self.outbox);
            let record = self.vm.record(event);
            Ok((record.event, record.queue, record.mark.to_owned()))
        }

        fn account(&mut self, ended: u64) -> [u64; 3] {
            let rate = Rate::new(1).unwrap();
            let ended = Nanos::from_secs(ended);
            let account = self.outages.account(&mut self.vm, ended, &mut self.store, rate, None);
            [account.crashed, account.waiting, account.in_flight]
        }
    }

    fn said(event: u64, queue: u32, mark: &str) -> Result<(u64, u32, String), u64> {
        Ok((event, queue, mark.to_owned()))
    }

    #[test]
    fn what_waits_or_arrives_is_lost_and_the_workload_starts_from_what_it_keeps() {
        let mut bench = Bench::new("\"3s-5s:1\"");
        // Two wait when it goes down, three arrive until it is up, and two later.
        for millis in [1100, 1200, 1300, 3000, 4000, 4999, 5000, 6500] {
            bench.deliver(0, millis);
        }
        assert_eq!(bench.tick(2, 2), said(1, 2, "1 1 [] None"));
        assert_eq!(bench.tick(3, 3), Err(5), "a tick due at the start is not made");
        assert_eq!(bench.tick(5, 5), said(2, 0, "2 1 [] Some(\"1\")"), "one due at the end is");
        assert_eq!(bench.tick(6, 6), said(3, 0, "3 2 [] Some(\"1\")"));
        assert_eq!(bench.account(6), [5, 0, 1]);
    }

    #[test]
    fn a_call_meets_the_workload_that_is_there_when_it_arrives_or_nobody() {
        let mut bench = Bench::new("\"5s-7s:1\", \"3s-4s:1\"");
        for (caller, millis) in [(2, 2500), (3, 3000), (4, 4000), (5, 5000), (6, 6999), (7, 7000)] {
            bench.call(caller, millis);
        }
        assert_eq!(bench.tick(2, 2), said(1, 0, "1 1 [2] None"));
        assert_eq!(bench.tick(3, 3), Err(4));
        assert_eq!(bench.tick(4, 4), said(2, 0, "2 1 [4] Some(\"1\")"));
        assert_eq!(bench.tick(5, 5), Err(7));
        // In the meantime as well.
        bench.call(8, 6000);
        bench.call(0, 7500);
        assert_eq!(bench.tick(7, 7), said(3, 0, "3 1 [7, 0] Some(\"2\")"));
        assert_eq!(bench.account(7), [0, 0, 0], "calls are no messages");
    }

    #[test]
    fn a_late_tick_finds_the_machine_down_or_up_again() {
        let mut bench = Bench::new("\"3s-5s:1\", \"5s-6s:1\"");
        bench.deliver(0, 1500);
        bench.deliver(0, 5500);
        assert_eq!(bench.tick(2, 4), Err(5), "the machine is down though the tick was due before");
        assert_eq!(bench.tick(5, 9), Err(6), "what was due while it was down is not made afterwards");
        assert_eq!(bench.tick(6, 9), said(1, 0, "1 1 [] Some(\"0\")"));
        assert_eq!(bench.account(9), [2, 0, 0]);
    }

    #[test]
    fn a_run_that_ends_while_it_is_down_loses_what_has_arrived() {
        for (ended, account) in [(2, [0, 1, 3]), (3, [2, 0, 2]), (4, [3, 0, 1]), (7, [3, 1, 0])] {
            let mut bench = Bench::new("\"3s-5s:1\", \"9s-10s:1\"");
            for millis in [1000, 3000, 4000, 6000] {
                bench.deliver(0, millis);
            }
            assert_eq!(bench.account(ended), account, "ended at {ended} s");
        }
    }

    #[test]
    fn a_process_that_comes_back_knows_nothing_of_crashes_that_were_over() {
        let mut bench = Bench::new("\"3s-5s:1\", \"7s-9s:1\"");
        bench.outages.begin(Nanos::from_secs(6));
        assert_eq!(bench.tick(7, 7), Err(9));
        assert_eq!(bench.tick(9, 9), said(1, 0, "1 1 [] Some(\"0\")"));
    }
}
