//! The rules for a row's queue.

use std::collections::HashMap;

use super::{Checker, Seconds, Stamp};
use crate::after::check::fault::FaultKind;
use crate::after::history::{Bound, Delivery, Replay, SeenArrivals, Step, WrongQueue};
use crate::edge::log::{Column, EventKind};
use crate::model::id::VmId;
use crate::model::time::Nanos;

impl Checker<'_> {
    /// What waits can be too much or too little; `is_clean` where nothing else is wrong with the row.
    pub(super) fn check_queue(&mut self, step: &Step<'_>, delivery: &Delivery<'_, Stamp>, is_clean: bool) {
        let row = step.row;
        let Some(queue) = row.queue else { return };
        let (rows, is_receive) = (self.counts.events, row.kind == EventKind::Receive);
        let mut seen = SeenArrivals { rows, line: row.line, elapsed: row.elapsed, queue: queue.into() };
        if !is_receive && queue > 0 && self.model.receives_first() {
            self.add(
                step,
                FaultKind::Queue,
                Column::Queue,
                queue,
                "0, as an arrived message is received before anything else happens",
            );
            seen.queue = 0;
        }
        let may_restart = self.model.may_restart();
        let machine = &mut self.machines[step.machine];
        let log = machine.log;
        if machine.came_up(row)
            && let Some(wrong) = machine.queue.lose()
        {
            self.wrong_queue(log, wrong);
        }
        let machine = &mut self.machines[step.machine];
        let wrong = machine.queue.row(seen, is_receive, may_restart);
        let arrival = if is_receive { machine.queue.arrival() } else { None };
        if let Some(wrong) = wrong {
            self.wrong_queue(log, wrong);
        }
        if let (Some(arrival), Delivery::Delivered { stamp, .. }) = (arrival, delivery)
            && (self.model.is_one_clock() && is_clean)
            && arrival.seen.elapsed < row.elapsed
            && arrival.seen.elapsed < stamp.elapsed.plus(self.model.least_latency())
        {
            let at = arrival.seen;
            let expected = format!(
                "less: the message that line {} receives next was sent only at {} ({})",
                row.line,
                Seconds(stamp.elapsed),
                self.place(stamp.place)
            );
            let fault = self.fault(log, at.line, FaultKind::Queue, Column::Queue, at.queue, expected);
            self.faults.add(rows, fault);
        }
    }

    /// What still waits at the end must have been sent before it had arrived.
    pub(super) fn check_waiting(&mut self, replay: &Replay<Stamp>) {
        let is_one_clock = self.model.is_one_clock();
        let least = self.model.least_latency();
        let mut wrong = Vec::new();
        let mut sent = HashMap::<VmId, Vec<Nanos>>::new();
        let came_up = |machine: &super::CheckedMachine| {
            Some((machine.vm, machine.uptime.as_ref()?.came_up(machine.elapsed)?))
        };
        let came_up: HashMap<VmId, Nanos> = self.machines.iter().filter_map(came_up).collect();
        // What had arrived by then for certain is not what waits.
        let is_lost = |vm: &VmId, stamp: &Stamp| match (came_up.get(vm), self.model.most_latency()) {
            (Some(up), Some(most)) => stamp.elapsed.plus(most) < *up,
            _ => false,
        };
        for (_, stamp, to) in replay.in_flight() {
            for (vm, copies) in to.iter().filter(|(vm, _)| !is_lost(vm, stamp)) {
                let times = sent.entry(*vm).or_default();
                times.extend(std::iter::repeat_n(stamp.elapsed.plus(least), usize::from(*copies)));
            }
        }
        for machine in &self.machines {
            let mut times = sent.remove(&machine.vm).unwrap_or_default();
            times.sort_unstable();
            for (index, arrival) in machine.queue.waiting().enumerate() {
                let possible = match times.get(index) {
                    Some(time) => !is_one_clock || *time <= arrival.seen.elapsed,
                    None => false,
                };
                if !possible {
                    let surplus = arrival.total - machine.queue.received() - index as u64;
                    let most = arrival.seen.queue.saturating_sub(surplus);
                    wrong.push((machine.log, arrival.seen, most));
                    break;
                }
            }
        }
        for (log, seen, most) in wrong {
            let expected = format!("at most {most}: no more messages were on their way to this machine");
            let fault = self.fault(log, seen.line, FaultKind::Queue, Column::Queue, seen.queue, expected);
            self.faults.add(seen.rows, fault);
        }
    }

    pub(super) fn wrong_queue(&mut self, log: usize, WrongQueue { seen, expected }: WrongQueue) {
        let expected = match expected {
            Bound::AtMost(most, line) => format!(
                "at most {most}, as line {line} has fewer and what waits only goes when it is received"
            ),
            Bound::AtLeast(least, line) => format!(
                "at least {least}, as line {line} has more and what waits only goes when it is received"
            ),
        };
        let fault = self.fault(log, seen.line, FaultKind::Queue, Column::Queue, seen.queue, expected);
        self.faults.add(seen.rows, fault);
    }
}
