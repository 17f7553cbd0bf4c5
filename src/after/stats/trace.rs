//! The measures of a log of another program: of the events and messages that its vectors tell of.
//!
//! Lamport clocks are made from them, by their own rule. Of queues, losses and schedules such a log says nothing.

use super::meter::{Meter, Sent, since};
use super::{MEASURES, Stats, TOTALS};
use crate::after::history::{Delivery, Known, Missing, Model, Step, Visitor};
use crate::edge::log::{EventKind, Row};
use crate::edge::trace::{Causes, Trace};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::text::count;
use crate::model::time::Nanos;

/// Measures of which such a log knows nothing, by their beginnings.
const UNKNOWN: [&str; 7] =
    ["queue", "arrivals", "waiting", "latency_arrival", "latency_waiting", "messages_lost", "messages_twice"];
/// Those of which it knows only where its events have times.
const TIMES: [&str; 3] = ["latency", "seconds", "rate"];

/// Measures a run of another program.
pub fn measure_trace(trace: &Trace) -> Stats {
    let model = Model::default();
    let mut meter = Meter::new(&model);
    let has_times = Events::new(trace).show(&mut meter);
    let mut stats = super::sum_up(meter, &model, &trace.hosts, &Missing::default());
    let is_known = |name: &str| {
        let is_one_of = |names: &[&str]| names.iter().any(|start| name.starts_with(start));
        !is_one_of(&UNKNOWN) && (has_times || !is_one_of(&TIMES))
    };
    let blank = |values: &mut [Option<f64>], names: &mut dyn Iterator<Item = &'static str>| {
        values.iter_mut().zip(names).filter(|(_, name)| !is_known(name)).for_each(|(value, _)| *value = None);
    };
    for (_, values) in &mut stats.machines {
        blank(values, &mut MEASURES.iter().map(|measure| measure.name));
    }
    // What it sends to whom is not known of the sample of its events.
    stats.clocks.retain(|clock| clock.value.is_some());
    blank(&mut stats.totals, &mut TOTALS.iter().map(|total| total.name));
    if !has_times {
        stats.drift.clear();
        let why =
            "not all events have a time that can be read (a group date, time or timestamp of the expression)";
        stats.warnings.push(format!("{why}: there are no latencies, and no drift over time"));
    }
    stats.warnings.splice(0..0, parts(trace));
    if !trace.unreadable.is_empty() {
        let events = count(trace.unreadable.len() as u64, "events");
        stats.warnings.push(format!("{events} cannot be read and left out; clocklab check names them"));
    }
    stats
}

/// What is not measured, since it is not here or is of another run.
fn parts(trace: &Trace) -> Vec<String> {
    let mut told = Missing::of_trace(trace).told();
    if !trace.is_whole() {
        told.push("clocks, jumps and messages are those of the events that are here".to_owned());
    }
    let aside: u64 = trace.again.iter().map(|again| again.events).sum();
    if aside > 0 {
        let events = count(aside, "events");
        told.push(format!("{events} have numbers of others or are of a second run, and are left out; clocklab check names them"));
    }
    told.extend(trace.copies_told());
    told
}

/// The events of a trace on their way to the meter.
struct Events<'a> {
    trace: &'a Trace,
    effects: Vec<Causes>,
    before: Vec<Option<usize>>,
    /// When each happened, since the first of all.
    elapsed: Option<Vec<Nanos>>,
    lamport: Vec<u64>,
}

impl<'a> Events<'a> {
    fn new(trace: &'a Trace) -> Self {
        let times: Option<Vec<_>> = trace.events.iter().map(|event| event.time).collect();
        let first = times.iter().flatten().min().copied();
        let since = |time: &jiff::Timestamp| {
            let nanos = first.map_or(0, |first| time.duration_since(first).as_nanos());
            Nanos::new(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        let elapsed = times.as_ref().map(|times| times.iter().map(since).collect());
        let lamport = vec![0; trace.events.len()];
        Self { trace, effects: trace.effects(), before: trace.befores(), elapsed, lamport }
    }

    /// Shows them in the order of causality. True where they have times.
    fn show(mut self, meter: &mut Meter<'_>) -> bool {
        let mut machines = vec![None; self.trace.hosts.len()];
        let mut row = Row::default();
        let mut shown = 0;
        let is_whole = self.trace.is_whole();
        for index in self.trace.causal_order().events {
            self.fill(index, &mut row);
            let machine = *machines[row.vm.index()].get_or_insert_with(|| {
                shown += 1;
                shown - 1
            });
            let causes = self.trace.causes(index);
            let sent = |cause: &usize| Sent { elapsed: self.elapsed(*cause), known: Known::default() };
            let times: Vec<Sent> = causes.iter().map(sent).collect();
            let delivery = match times.first() {
                Some(stamp) => Delivery::Delivered { stamp, overtaken_by: None },
                None => Delivery::None,
            };
            meter.row(&Step::of(&row, machine), delivery);
            let further = times.iter().skip(1).map(|sent| since(row.elapsed, sent.elapsed));
            let sent = if causes.is_empty() { 0 } else { self.effects[index].len() };
            meter.further(machine, sent as u64, further);
            if !is_whole {
                meter.unseen(self.unseen(index));
            }
        }
        self.elapsed.is_some()
    }

    /// How many events an event knows that are not in the log.
    fn unseen(&self, index: usize) -> u128 {
        let clock = &self.trace.events[index].clock;
        let here = |(host, entry)| self.trace.count(host, entry) as u128;
        clock.sum().saturating_sub(clock.entries().map(here).sum())
    }

    fn elapsed(&self, index: usize) -> Nanos {
        self.elapsed.as_ref().map_or(Nanos::ZERO, |elapsed| elapsed[index])
    }

    /// An event as a row. One that receives and sends is a receive.
    fn fill(&mut self, index: usize, row: &mut Row) {
        let event = &self.trace.events[index];
        let (causes, effects) = (self.trace.causes(index), &self.effects[index]);
        let largest = causes.iter().copied().chain(self.before[index]).map(|cause| self.lamport[cause]).max();
        self.lamport[index] = largest.unwrap_or(0) + 1;
        let MessageId { sender, event: number } = event.id;
        (row.vm, row.event, row.line) = (sender, number, event.line);
        (row.lamport, row.elapsed) = (self.lamport[index], self.elapsed(index));
        row.kind = match (causes.is_empty(), effects.is_empty()) {
            (false, _) => EventKind::Receive,
            (true, false) => EventKind::Send,
            (true, true) => EventKind::Internal,
        };
        let past = row.clocks.past_mut().into_iter();
        past.for_each(|past| {
            past.clear();
            past.extend((0..).map(VmId).take(self.trace.hosts.len()).map(|host| event.clock.entry(host)));
        });
        row.peers.clear();
        if row.kind == EventKind::Send {
            row.peers.extend(effects.iter().map(|effect| self.trace.events[*effect].id.sender));
        }
    }
}
