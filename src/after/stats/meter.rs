//! Goes through the rows once and adds them up.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::clocks::{ClockMeter, bytes};
use super::counts::{Counts, Samples, Ties, TrendLine, as_f64};
use super::pauses::Pauses;
use crate::after::history::{
    Delivery, Known, Model, Place, Queue, Sample, SeenArrivals, Step, Visitor, Witness,
};
use crate::clock::Values;
use crate::edge::log::{EventKind, ReadError, Row};
use crate::model::crash::Uptime;
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::pace::{Made, Pace, Punctuality};
use crate::model::scenario::Scenario;
use crate::model::tally::{Lateness, Tally};
use crate::model::time::Nanos;

/// The longest time that is told from longer ones, some eleven days.
const LONGEST_MICROS: u64 = 1_000_000_000_000;

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("sound bounds")
}

/// Adds the rows of a run up.
#[derive(Debug)]
pub(super) struct Meter<'a> {
    model: &'a Model,
    pub(super) machines: Vec<MachineMeter>,
    pub(super) whole: WholeRun,
    /// Some of the events, to see which concurrent ones clocks order.
    sample: Sample<Values>,
    pub(super) witness: Witness,
}

/// What a machine's rows add up to.
#[derive(Debug)]
pub(super) struct MachineMeter {
    pub(super) vm: VmId,
    node: u32,
    /// Its ticks, where they are in real time.
    pace: Option<Pace>,
    /// When it is down, where it crashes.
    pub(super) uptime: Option<Uptime>,
    pub(super) pauses: Pauses,
    pub(super) tally: Tally,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    /// Messages to it that were lost while it was down, or waited when it went down.
    pub(super) crashed: u64,
    /// Messages that were received beside others.
    pub(super) further: u64,
    pub(super) lamport: u64,
    /// The latest values of the clocks whose values can all be compared, one after the other.
    latest: Box<[u64]>,
    /// What it knows of the sample.
    known: Known,
    pub(super) first: Nanos,
    pub(super) last: Nanos,
    pub(super) jumps: Counts,
    /// The Lamport clock over time.
    pub(super) clocks: Samples,
    queue: Queue,
    /// The queue's length over time.
    pub(super) queue_line: TrendLine,
    pub(super) latency: Mean,
    pub(super) arrival: Mean,
    pub(super) waiting: Mean,
    pub(super) lateness: Option<Lateness>,
}

/// What is kept of a send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) elapsed: Nanos,
    pub(super) known: Known,
}

/// A mean and the largest, of times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    sum: f64,
    count: u64,
    max: Option<i64>,
}

impl Mean {
    fn add(&mut self, nanos: i64) {
        self.sum += seconds(nanos);
        self.count += 1;
        self.max = self.max.max(Some(nanos));
    }

    pub(super) fn ms(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / as_f64(self.count) * 1e3)
    }

    pub(super) fn max_ms(&self) -> Option<f64> {
        self.max.map(|max| seconds(max) * 1e3)
    }
}

/// What is measured over all machines.
#[derive(Debug)]
pub(super) struct WholeRun {
    pub(super) events: u64,
    /// Pairs of events of which one happened before the other, by their vectors.
    pub(super) ordered_pairs: u128,
    /// Whether every row had a vector.
    pub(super) has_vectors: bool,
    pub(super) ties: Ties,
    pub(super) latency: Spread,
    /// Microseconds, as the following.
    pub(super) waiting: Histogram<u64>,
    pub(super) lateness: Histogram<u64>,
    /// By the node of the process.
    pub(super) punctuality: BTreeMap<u32, Punctuality>,
    /// The bytes of stamps, with seven bits of a number in a byte, over all sends.
    pub(super) lamport_bytes: u64,
    /// The clocks beside Lamport's, by their columns.
    pub(super) clocks: Vec<ClockMeter>,
    pub(super) sends: u64,
    /// Events of the mark for which a textbook counts the workload's messages.
    pub(super) counted: u64,
    pub(super) unreadable: u64,
    pub(super) unknown: u64,
    next_look: u64,
}

impl<'a> Meter<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        let whole = WholeRun {
            events: 0,
            ordered_pairs: 0,
            has_vectors: true,
            ties: Ties::default(),
            latency: Spread::new(),
            waiting: histogram(),
            lateness: histogram(),
            punctuality: BTreeMap::new(),
            lamport_bytes: 0,
            clocks: Vec::new(),
            sends: 0,
            counted: 0,
            unreadable: 0,
            unknown: 0,
            next_look: 1024,
        };
        let (machines, sample) = (Vec::new(), Sample::default());
        Self { model, machines, whole, sample, witness: Witness::default() }
    }

    fn machine(&mut self, step: &Step<'_>) -> &mut MachineMeter {
        if step.machine == self.machines.len() {
            let vm = step.row.vm;
            let live = self.model.live_pace(vm);
            let uptime = self.model.uptime(vm).filter(|uptime| !uptime.down().is_empty());
            let duration = self.model.scenario().map(|scenario| scenario.duration().get() / 10);
            self.machines.push(MachineMeter {
                vm,
                node: self.model.node(step.log, vm),
                pace: live,
                pauses: Pauses::new(
                    self.model.resumes(step.log, vm),
                    uptime.as_ref().map_or(&[], Uptime::down),
                ),
                uptime,
                tally: Tally::default(),
                lost: 0,
                duplicated: 0,
                crashed: 0,
                further: 0,
                lamport: 0,
                latest: Box::default(),
                known: Known::default(),
                first: step.row.elapsed,
                last: Nanos::ZERO,
                jumps: Counts::default(),
                clocks: Samples::new(duration.map_or(Nanos::from_secs(1), |step| Nanos::new(step.max(1)))),
                queue: Queue::default(),
                queue_line: TrendLine::default(),
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
    pub(super) fn further(&mut self, machine: usize, sent: u64, latencies: impl Iterator<Item = i64>) {
        let machine = &mut self.machines[machine];
        machine.tally.sent += sent;
        // Only the first of its messages is followed.
        machine.known.lacks_something();
        for latency in latencies {
            machine.further += 1;
            machine.latency.add(latency);
            self.whole.latency.add(latency);
        }
    }

    /// What was sent then and never received, by recipients with the number of copies. One that was down after it arrived
    /// has lost it.
    pub(super) fn never_received<'b>(&mut self, sent: impl Iterator<Item = (Nanos, &'b [(VmId, u8)])>) {
        let (least, ended) = (self.model.least_latency(), self.model.scenario().map(Scenario::duration));
        let crashing = self.machines.iter_mut().filter_map(|machine| {
            let down = machine.uptime.as_ref()?.down();
            let last = down.iter().rfind(|window| Some(window.start()) <= ended)?.end();
            Some((machine.vm, (last, &mut machine.crashed)))
        });
        let mut crashing: BTreeMap<VmId, (Nanos, &mut u64)> = crashing.collect();
        for (sent, to) in sent {
            let arrives = sent.plus(least);
            for (vm, copies) in to {
                if let Some((up, crashed)) = crashing.get_mut(vm)
                    && arrives < *up
                    && Some(arrives) <= ended
                {
                    **crashed += u64::from(*copies);
                }
            }
        }
    }

    /// An event knows so many events that are not in the logs: they make no pair with it.
    pub(super) fn unseen(&mut self, events: u128) {
        self.whole.ordered_pairs = self.whole.ordered_pairs.saturating_sub(events);
    }

    /// Clocks of all machines are beyond their own latest: what is below them all comes no more.
    fn look(&mut self) {
        let vms = self.model.vms().map_or(usize::MAX, |vms| vms as usize);
        if self.machines.len() >= vms
            && let Some(least) = self.machines.iter().map(|machine| machine.lamport).min()
        {
            self.whole.ties.forget_below(least);
            self.forget_values();
        }
        self.whole.next_look = self.whole.events + 1024.max(self.machines.len() as u64);
    }
}

impl Meter<'_> {
    /// No machine shows again what is below the latest values of all.
    fn forget_values(&mut self) {
        let mut start = 0;
        for clock in self.whole.clocks.iter_mut().filter(|clock| clock.spec.is_linear) {
            let words = clock.spec.words(0).unwrap_or(0);
            let latest = self.machines.iter().map(|machine| machine.latest.get(start..start + words));
            let least = latest.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min());
            if let Some(least) = least {
                clock.forget_below(least);
            }
            start += words;
        }
    }

    /// Follows what the machine knows of, and compares the row with some of the earlier ones.
    fn follow(&mut self, step: &Step<'_>, delivery: &Delivery<'_, Sent>) {
        let row = step.row;
        let machine = &mut self.machines[step.machine];
        match delivery {
            Delivery::Delivered { stamp, .. } => self.sample.hear(&mut machine.known, &stamp.known),
            Delivery::None if row.kind != EventKind::Receive => {}
            _ => machine.known.lacks_something(),
        }
        keep_latest(&mut machine.latest, &self.whole.clocks, row);
        if !self.sample.is_next() {
            return;
        }
        let weight = self.sample.weight();
        for (sampled, earlier) in self.sample.against(machine.known) {
            for clock in &mut self.whole.clocks {
                clock.compare(earlier, sampled, row.clocks.of(clock.spec).unwrap_or_default(), weight);
            }
        }
        self.sample.keep(&mut machine.known, row.clocks.clone());
    }
}

/// Keeps the values of clocks that can all be compared.
fn keep_latest(latest: &mut Box<[u64]>, clocks: &[ClockMeter], row: &Row) {
    let linear = || clocks.iter().filter(|clock| clock.spec.is_linear);
    let values = || linear().flat_map(|clock| row.clocks.of(clock.spec).unwrap_or_default());
    if values().count() == latest.len() {
        latest.iter_mut().zip(values()).for_each(|(own, value)| *own = *value);
    } else {
        *latest = values().copied().collect();
    }
}

impl MachineMeter {
    fn add(&mut self, row: &Row) -> Option<Made> {
        if let Some(uptime) = &self.uptime
            && uptime.came_up_between(self.last, row.elapsed)
        {
            self.queue.lose();
        }
        self.pauses.until(row, self.last, self.pace.as_mut());
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
        let (pace, lateness) = (self.pace.as_mut()?, self.lateness.as_mut()?);
        pace.jump(row.event.saturating_add(self.pauses.missed).saturating_add(pace.skipped()));
        let made = pace.made(row.elapsed);
        lateness.add(made.late());
        lateness.settle(pace);
        Some(made)
    }

    /// When the message arrived that this row receives, as far as the queue tells: by the row that shows it first.
    fn arrived(&mut self, row: &Row, rows: u64) -> Option<Nanos> {
        let seen = SeenArrivals { rows, line: row.line, elapsed: row.elapsed, queue: row.queue?.into() };
        let is_receive = row.kind == EventKind::Receive;
        self.queue.row(seen, is_receive, true);
        if is_receive { self.queue.arrival().map(|arrival| arrival.seen.elapsed) } else { None }
    }
}

impl WholeRun {
    fn add_clocks(&mut self, row: &Row) {
        let list = row.clocks.list();
        let is_send = row.kind == EventKind::Send;
        if self.clocks.len() != list.len()
            || self.clocks.iter().zip(list.iter()).any(|(clock, spec)| clock.spec != *spec)
        {
            let new = list.iter().filter(|spec| self.clocks.iter().all(|clock| clock.spec != **spec));
            let new: Vec<ClockMeter> = new.map(|spec| ClockMeter::new(*spec)).collect();
            self.clocks.extend(new);
        }
        for clock in &mut self.clocks {
            clock.add(row.clocks.of(clock.spec).unwrap_or_default(), is_send);
        }
    }

    fn add(&mut self, row: &Row) {
        self.events += 1;
        self.ties.add(row.lamport);
        if row.past().is_empty() {
            self.has_vectors = false;
        } else {
            // The entries of a vector add up to the events of the causal past, the event itself among them (Mattern
            // 1989): each of the others makes an ordered pair with it, and no pair is counted at both of its events.
            let known: u128 = row.past().iter().map(|entry| u128::from(*entry)).sum();
            self.ordered_pairs += known.saturating_sub(1);
        }
        self.add_clocks(row);
        if row.kind == EventKind::Send {
            self.sends += 1;
            self.lamport_bytes += bytes(row.lamport);
        }
    }
}

impl Visitor for Meter<'_> {
    /// When the message was sent, and what its sender knew of the sample.
    type Stamp = Sent;

    fn row(&mut self, step: &Step<'_>, delivery: Delivery<'_, Sent>) -> Option<Sent> {
        let row = step.row;
        self.witness.row(step.machine, step.log, MessageId { sender: row.vm, event: row.event });
        self.whole.add(row);
        if self.model.textbook().is_some_and(|textbook| textbook.mark == row.mark) {
            self.whole.counted += 1;
        }
        let rows = self.whole.events;
        let is_one_clock = self.model.is_one_clock();
        let machine = self.machine(step);
        let made = machine.add(row);
        let arrived = machine.arrived(row, rows);
        self.follow(step, &delivery);
        let machine = &mut self.machines[step.machine];
        if let Delivery::Delivered { stamp: &Sent { elapsed: sent, .. }, .. } = delivery {
            let latency = since(row.elapsed, sent);
            machine.latency.add(latency);
            // Times of two clocks do not tell which is later.
            let waits_from = |arrived: Nanos| if is_one_clock { arrived.max(sent) } else { arrived };
            let waiting = arrived.map(|arrived| row.elapsed.minus(waits_from(arrived)));
            if let Some(waiting) = waiting {
                let nanos = since(waiting, Nanos::ZERO);
                machine.waiting.add(nanos);
                machine.arrival.add(latency.saturating_sub(nanos));
                self.whole.waiting.saturating_record(waiting.get() / 1000);
            }
            self.whole.latency.add(latency);
        } else if row.kind == EventKind::Receive {
            self.whole.unknown += 1;
            if let (Delivery::Unknown, Some(message)) = (&delivery, row.message) {
                self.witness.unknown(message, row.past());
            }
        }
        if let Some(made) = made {
            self.whole.lateness.saturating_record(made.late().get() / 1000);
            let node = self.machines[step.machine].node;
            self.whole.punctuality.entry(node).or_default().add(&made);
        }
        if rows >= self.whole.next_look {
            self.look();
        }
        let known = self.machines[step.machine].known;
        (row.kind == EventKind::Send).then_some(Sent { elapsed: row.elapsed, known })
    }

    fn unreadable(&mut self, _: ReadError) {
        self.whole.unreadable += 1;
    }

    fn cycle(&mut self, _: &[(Place, MessageId)]) {}
}

/// How much later one time is than another, in nanoseconds. By clocks that disagree it may be earlier.
pub(super) fn since(time: Nanos, other: Nanos) -> i64 {
    let nanos = i128::from(time.get()) - i128::from(other.get());
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[expect(clippy::cast_precision_loss, reason = "measures for people to read")]
fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

/// Latencies of all messages: those of less than nothing apart, by their size. Microseconds.
#[derive(Debug)]
pub(super) struct Spread {
    below: Histogram<u64>,
    above: Histogram<u64>,
    least: i64,
}

impl Spread {
    fn new() -> Self {
        Self { below: histogram(), above: histogram(), least: 0 }
    }

    fn add(&mut self, nanos: i64) {
        self.least = self.least.min(nanos);
        let size = nanos.unsigned_abs();
        // What is less than nothing never becomes nothing.
        if nanos < 0 {
            self.below.saturating_record(size.div_ceil(1000));
        } else {
            self.above.saturating_record(size / 1000);
        }
    }

    /// How many are less than nothing, and the least of them in milliseconds.
    pub(super) fn negative(&self) -> (u64, f64) {
        (self.below.len(), seconds(self.least) * 1e3)
    }

    /// The smallest value that so large a share does not exceed, in milliseconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
    pub(super) fn ms(&self, share: f64) -> Option<f64> {
        let (below, above) = (self.below.len(), self.above.len());
        let rank = ((as_f64(below + above) * share).ceil() as u64).max(1);
        let micros = match (below, above) {
            (0, 0) => return None,
            (0, _) => as_f64(self.above.value_at_quantile(share)),
            _ if rank <= below => {
                let largest = self.below.value_at_quantile(as_f64(below + 1 - rank) / as_f64(below));
                -as_f64(largest)
            }
            _ => as_f64(self.above.value_at_quantile(as_f64(rank - below) / as_f64(above))),
        };
        Some(micros / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_below_nothing_stay_below() {
        let mut spread = Spread::new();
        let near = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 0.01);
        [-3_000_000, -1_000_000, -1, 2_000_000].into_iter().for_each(|nanos| spread.add(nanos));
        assert!(near(spread.ms(0.25), -3.0) && near(spread.ms(0.5), -1.0));
        assert!(spread.ms(0.75).is_some_and(|ms| ms < 0.0) && near(spread.ms(0.99), 2.0));
        assert_eq!(spread.negative().0, 3);
        assert!(near(Some(spread.negative().1), -3.0) && Spread::new().ms(0.5).is_none());
        assert_eq!(since(Nanos::new(1), Nanos::new(3)), -2);
        assert_eq!(since(Nanos::ZERO, Nanos::new(u64::MAX)), i64::MIN);
    }

    #[test]
    fn the_largest_of_what_is_below_nothing_is_below_nothing() {
        let mut mean = Mean::default();
        assert_eq!(mean.max_ms(), None);
        [-4_000_000, -2_000_000].into_iter().for_each(|nanos| mean.add(nanos));
        assert!(mean.max_ms().is_some_and(|ms| (ms + 2.0).abs() < 1e-9));
        assert!(mean.ms().is_some_and(|ms| (ms + 3.0).abs() < 1e-9));
    }
}
