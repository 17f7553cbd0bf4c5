//! Goes through the rows once and adds them up.

use hdrhistogram::Histogram;

use super::counts::{Counts, Line, Samples, Ties, as_f64};
use super::pauses::Pauses;
use crate::event::MessageId;
use crate::history::{Delivery, Model, Place, Queue, Seen, Step, Visitor};
use crate::id::VmId;
use crate::log::{EventKind, ReadError, Row};
use crate::tally::{Lateness, Tally};
use crate::time::{Nanos, Schedule};

/// The longest time that is told from longer ones, some eleven days.
const LONGEST_MICROS: u64 = 1_000_000_000_000;

/// Adds the rows of a run up.
#[derive(Debug)]
pub(super) struct Meter<'a> {
    model: &'a Model,
    pub(super) machines: Vec<Machine>,
    pub(super) whole: Whole,
}

/// What a machine's rows add up to.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) vm: VmId,
    schedule: Option<Schedule>,
    pub(super) pauses: Pauses,
    pub(super) tally: Tally,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    /// Messages that were received beside others.
    pub(super) further: u64,
    pub(super) lamport: u64,
    pub(super) first: Nanos,
    pub(super) last: Nanos,
    pub(super) jumps: Counts,
    /// The Lamport clock over time.
    pub(super) clocks: Samples,
    queue: Queue,
    /// The queue's length over time.
    pub(super) queue_line: Line,
    pub(super) latency: Mean,
    pub(super) arrival: Mean,
    pub(super) waiting: Mean,
    pub(super) lateness: Option<Lateness>,
}

/// A mean and the largest, of times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    sum: f64,
    count: u64,
    max: Nanos,
}

impl Mean {
    fn add(&mut self, time: Nanos) {
        self.sum += time.as_secs_f64();
        self.count += 1;
        self.max = self.max.max(time);
    }

    pub(super) fn ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / as_f64(self.count) * 1e3)
    }

    pub(super) fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.max.as_secs_f64() * 1e3)
    }
}

/// What is measured over all machines.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) events: u64,
    /// Pairs of events of which one happened before the other, by their vectors.
    pub(super) ordered_pairs: u128,
    /// Whether every row had a vector.
    pub(super) has_vectors: bool,
    pub(super) ties: Ties,
    /// Microseconds.
    pub(super) latency: Histogram<u64>,
    pub(super) waiting: Histogram<u64>,
    pub(super) lateness: Histogram<u64>,
    /// The bytes of stamps, with seven bits of a number in a byte, over all sends.
    pub(super) lamport_bytes: u64,
    pub(super) vector_bytes: u64,
    pub(super) vector_entries: u64,
    pub(super) sends: u64,
    pub(super) unreadable: u64,
    pub(super) unknown: u64,
    next_look: u64,
}

impl<'a> Meter<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("sound bounds");
        let whole = Whole {
            events: 0,
            ordered_pairs: 0,
            has_vectors: true,
            ties: Ties::default(),
            latency: histogram(),
            waiting: histogram(),
            lateness: histogram(),
            lamport_bytes: 0,
            vector_bytes: 0,
            vector_entries: 0,
            sends: 0,
            unreadable: 0,
            unknown: 0,
            next_look: 1024,
        };
        Self { model, machines: Vec::new(), whole }
    }

    fn machine(&mut self, step: &Step<'_>) -> &mut Machine {
        if step.machine == self.machines.len() {
            let vm = step.row.vm;
            let live = self.model.schedule(vm).filter(|_| self.model.exact_schedule(vm).is_none());
            let duration = self.model.scenario().map(|scenario| scenario.duration().get() / 10);
            self.machines.push(Machine {
                vm,
                schedule: live,
                pauses: Pauses::new(self.model.resumes(step.log, vm)),
                tally: Tally::default(),
                lost: 0,
                duplicated: 0,
                further: 0,
                lamport: 0,
                first: step.row.elapsed,
                last: Nanos::ZERO,
                jumps: Counts::default(),
                clocks: Samples::new(duration.map_or(Nanos::from_secs(1), |step| Nanos::new(step.max(1)))),
                queue: Queue::default(),
                queue_line: Line::default(),
                latency: Mean::default(),
                arrival: Mean::default(),
                waiting: Mean::default(),
                lateness: live.map(|_| Lateness::default()),
            });
        }
        &mut self.machines[step.machine]
    }

    /// What an event did that one row cannot show: messages that a receive sent as well, and the latencies of those
    /// that it received beside the first.
    pub(super) fn further(&mut self, machine: usize, sent: u64, latencies: impl Iterator<Item = Nanos>) {
        let machine = &mut self.machines[machine];
        machine.tally.sent += sent;
        for latency in latencies {
            machine.further += 1;
            machine.latency.add(latency);
            self.whole.latency.saturating_record(latency.get() / 1000);
        }
    }

    /// Clocks of all machines are beyond their own latest: what is below them all comes no more.
    fn look(&mut self) {
        let vms = self.model.vms().map_or(usize::MAX, |vms| vms as usize);
        if self.machines.len() >= vms
            && let Some(least) = self.machines.iter().map(|machine| machine.lamport).min()
        {
            self.whole.ties.forget_below(least);
        }
        self.whole.next_look = self.whole.events + 1024.max(self.machines.len() as u64);
    }
}

impl Machine {
    fn add(&mut self, row: &Row) -> Option<Nanos> {
        self.pauses.until(row, self.last, self.schedule);
        self.clocks.until(row.elapsed, self.lamport);
        let jump = row.lamport.saturating_sub(self.lamport);
        let queue = row.queue.unwrap_or(0);
        self.tally.add(jump, queue);
        self.jumps.add(jump);
        (self.lamport, self.last) = (row.lamport, row.elapsed);
        self.queue_line.add(row.elapsed.as_secs_f64(), f64::from(queue));
        match row.kind {
            EventKind::Internal => {}
            EventKind::Send => {
                self.tally.sends += 1;
                self.tally.sent += row.peers.len() as u64;
                self.lost += row.lost.len() as u64;
                self.duplicated += row.duplicated.len() as u64;
            }
            EventKind::Receive => self.tally.receives += 1,
        }
        let schedule = self.schedule?;
        let late = row.elapsed.minus(schedule.due(row.event.saturating_add(self.pauses.missed)));
        self.lateness.as_mut()?.add(late);
        Some(late)
    }

    /// When the message arrived that this row receives, as far as the queue tells: by the row that shows it first.
    fn arrived(&mut self, row: &Row, rows: u64) -> Option<Nanos> {
        let seen = Seen { rows, line: row.line, elapsed: row.elapsed, queue: row.queue?.into() };
        let is_receive = row.kind == EventKind::Receive;
        self.queue.row(seen, is_receive, true);
        if is_receive { self.queue.arrival().map(|arrival| arrival.seen.elapsed) } else { None }
    }
}

impl Whole {
    fn add(&mut self, row: &Row) {
        self.events += 1;
        self.ties.add(row.lamport);
        if row.vector.is_empty() {
            self.has_vectors = false;
        } else {
            let known: u128 = row.vector.iter().map(|entry| u128::from(*entry)).sum();
            self.ordered_pairs += known.saturating_sub(1);
        }
        if row.kind == EventKind::Send {
            self.sends += 1;
            self.lamport_bytes += bytes(row.lamport);
            self.vector_bytes += row.vector.iter().map(|entry| bytes(*entry)).sum::<u64>();
            self.vector_entries += row.vector.len() as u64;
        }
    }
}

impl Visitor for Meter<'_> {
    /// When the message was sent.
    type Stamp = Nanos;

    fn row(&mut self, step: &Step<'_>, delivery: Delivery<'_, Nanos>) -> Option<Nanos> {
        let row = step.row;
        self.whole.add(row);
        let rows = self.whole.events;
        let machine = self.machine(step);
        let late = machine.add(row);
        let arrived = machine.arrived(row, rows);
        if let Delivery::Delivered { stamp: sent, .. } = delivery {
            let latency = row.elapsed.minus(*sent);
            machine.latency.add(latency);
            let waiting = arrived.map(|arrived| row.elapsed.minus(arrived.max(*sent)));
            if let Some(waiting) = waiting {
                machine.waiting.add(waiting);
                machine.arrival.add(latency.minus(waiting));
                self.whole.waiting.saturating_record(waiting.get() / 1000);
            }
            self.whole.latency.saturating_record(latency.get() / 1000);
        } else if row.kind == EventKind::Receive {
            self.whole.unknown += 1;
        }
        if let Some(late) = late {
            self.whole.lateness.saturating_record(late.get() / 1000);
        }
        if rows >= self.whole.next_look {
            self.look();
        }
        (row.kind == EventKind::Send).then_some(row.elapsed)
    }

    fn unreadable(&mut self, _: ReadError) {
        self.whole.unreadable += 1;
    }

    fn cycle(&mut self, _: &[(Place, MessageId)]) {}
}

/// The bytes of a number with seven bits in each.
fn bytes(number: u64) -> u64 {
    u64::from((64 - number.leading_zeros()).div_ceil(7).max(1))
}
