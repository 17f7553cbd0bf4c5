//! What a run's logs say in numbers: jumps, drift, queues, latencies, order; beside them what theory expects, and
//! what a person should be warned of.

mod clocks;
mod counts;
mod measures;
mod meter;
mod pauses;
mod theory;
mod trace;
mod warnings;

pub use clocks::{CLOCK_MEASURES, ClockMeasure};
pub use measures::{MEASURES, Measure, TOTALS, Total};
pub use theory::Flow;
pub use trace::measure_trace;

use self::clocks::ClockMeter;
use self::meter::{MachineMeter, Meter, WholeRun};
use crate::after::history::{Delivery, HistoryError, Missing, Model, Place, Replay, Step, Visitor};
use crate::edge::log::{LogFolder, LogPath, ReadError, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::registry::Registry;
use crate::model::time::Nanos;

/// The measures of one run.
#[derive(Debug)]
pub struct Stats {
    /// Each machine with the values of [`MEASURES`], by number.
    pub machines: Vec<(VmId, Vec<Option<f64>>)>,
    /// The values of [`TOTALS`].
    pub totals: Vec<Option<f64>>,
    /// The values of [`CLOCK_MEASURES`] of each clock beside Lamport's that the logs have columns for, under their names.
    pub clocks: Vec<OfClock>,
    /// Drift at some times: each with the drift of every machine that there was, in the order of the machines.
    pub drift: Vec<(Nanos, Vec<Option<i64>>)>,
    /// What the scale model's theory says, where it holds for the run.
    pub flow: Option<Flow>,
    /// What is not here of the run, a line each: then these are the measures of the part that is here.
    pub missing: Vec<String>,
    /// Whether events are known to be missing: then what depends on them has no value.
    pub is_part: bool,
    /// Whether last events are, so that the largest clock is not known.
    pub lacks_last_events: bool,
    /// Whether there is nothing to measure: no event is here, and nothing tells that there was none.
    pub is_empty: bool,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// The machines' names by their numbers, where the log names them.
    pub hosts: Vec<String>,
}

/// A measure of a clock.
#[derive(Clone, Debug, PartialEq)]
pub struct OfClock {
    /// Its name: that of the clock, `_`, and that of the measure.
    pub name: String,
    /// What it means.
    pub meaning: &'static str,
    /// Its value.
    pub value: Option<f64>,
}

impl Stats {
    /// A measure of a machine, by its name.
    pub fn of(&self, vm: VmId, name: &str) -> Option<f64> {
        let column = MEASURES.iter().position(|measure| measure.name == name)?;
        let at = self.machines.binary_search_by_key(&vm, |(vm, _)| *vm).ok()?;
        self.machines[at].1[column]
    }

    /// A measure of the whole run, by its name.
    pub fn total(&self, name: &str) -> Option<f64> {
        match TOTALS.iter().position(|total| total.name == name) {
            Some(place) => self.totals[place],
            None => self.clocks.iter().find(|clock| clock.name == name)?.value,
        }
    }

    /// A machine's name, or its number where it has none.
    pub fn name(&self, vm: VmId) -> String {
        self.hosts.get(vm.index()).cloned().unwrap_or_else(|| vm.to_string())
    }
}

/// A meter, and somebody who looks over its shoulder.
struct Shown<'a, 'b> {
    meter: Meter<'a>,
    show: &'b mut dyn FnMut(&Row),
}

impl<'a> Visitor for Shown<'a, '_> {
    type Stamp = <Meter<'a> as Visitor>::Stamp;

    fn row(&mut self, step: &Step<'_>, delivery: Delivery<'_, Self::Stamp>) -> Option<Self::Stamp> {
        (self.show)(step.row);
        self.meter.row(step, delivery)
    }

    fn unreadable(&mut self, error: ReadError) {
        self.meter.unreadable(error);
    }

    fn cycle(&mut self, rows: &[(Place, MessageId)]) {
        self.meter.cycle(rows);
    }
}

/// All that the measures of one machine are made of.
#[derive(Debug)]
struct Context<'a> {
    model: &'a Model,
    flow: Option<&'a Flow>,
    whole: &'a WholeRun,
    missing: &'a Missing,
    /// The largest final Lamport clock.
    largest: u64,
    /// When the last event happened.
    end: Nanos,
    /// The machines' names, where they have any.
    hosts: &'a [String],
}

impl Context<'_> {
    /// The largest final Lamport clock of all machines, where all of them are here.
    fn largest(&self) -> Option<u64> {
        (!self.missing.lacks_last_events()).then_some(self.largest)
    }

    /// A machine in words.
    fn name(&self, vm: VmId) -> String {
        self.hosts.get(vm.index()).cloned().unwrap_or_else(|| format!("machine {vm}"))
    }
}

/// Measures the logs of one run, of which the folders are the nodes' where there are several.
///
/// # Errors
///
/// Where the logs cannot be read, or are not of one run. What is malformed in them is left out and warned of.
pub fn measure(folders: &[LogFolder], registry: &Registry) -> Result<Stats, HistoryError> {
    measure_and_show(folders, registry, &mut |_| {})
}

/// Measures the logs of one run, and shows every row that can be read to somebody else on the way: causes before
/// effects, and those of one machine in their order.
///
/// # Errors
///
/// Where the logs cannot be read, or are not of one run.
pub fn measure_and_show(
    folders: &[LogFolder],
    registry: &Registry,
    show: &mut dyn FnMut(&Row),
) -> Result<Stats, HistoryError> {
    let model = Model::of(folders, registry);
    let names: Vec<LogPath> = folders.iter().flat_map(|folder| folder.logs.iter().cloned()).collect();
    let mut shown = Shown { meter: Meter::new(&model), show };
    let mut replay = Replay::open(&names, false, &mut shown)?;
    replay.run(&mut shown)?;
    let missing = Missing::of(folders, &replay.read_logs(), &shown.meter.witness);
    if model.scenario().is_some_and(|scenario| !scenario.model().crash.is_empty()) {
        shown.meter.never_received(replay.in_flight().map(|(_, sent, to)| (sent.elapsed, to)));
    }
    let mut stats = sum_up(shown.meter, &model, &[], &missing);
    stats.warnings.extend(folders.iter().filter_map(LogFolder::cut));
    for (path, log) in replay.summaries().filter(|(_, log)| log.torn > 0) {
        stats.warnings.push(format!(
            "{}: its last row is torn and was left out ({} bytes)",
            path.display(),
            log.torn
        ));
    }
    Ok(stats)
}

/// The measures of what was added up.
fn sum_up(meter: Meter<'_>, model: &Model, hosts: &[String], missing: &Missing) -> Stats {
    let Meter { mut machines, whole, witness, .. } = meter;
    machines.sort_by_key(|machine| machine.vm);
    let flow = Flow::of(model);
    let largest = machines.iter().map(|machine| machine.lamport).max().unwrap_or(0);
    let end = machines.iter().map(|machine| machine.last).max().unwrap_or_default();
    let context = Context { model, flow: flow.as_ref(), whole: &whole, missing, largest, end, hosts };
    let values =
        |machine: &MachineMeter| MEASURES.iter().map(|measure| (measure.value)(machine, &context)).collect();
    let mut warnings = warnings::of(&machines, &context);
    warnings.extend(witness.twice());
    Stats {
        machines: machines.iter().map(|machine| (machine.vm, values(machine))).collect(),
        totals: TOTALS.iter().map(|total| (total.value)(&machines, &context)).collect(),
        clocks: of_clocks(&context),
        // The largest clock may be that of a machine that is not here.
        drift: if missing.lacks_last_events() { Vec::new() } else { drift(&machines) },
        flow,
        missing: missing.told(),
        is_part: missing.has_gaps(),
        lacks_last_events: missing.lacks_last_events(),
        is_empty: whole.events == 0 && !missing.is_closed(),
        warnings,
        hosts: hosts.to_vec(),
    }
}

/// The measures of each clock.
fn of_clocks(context: &Context<'_>) -> Vec<OfClock> {
    let of_clock = |clock: &'_ ClockMeter| {
        let measure = |measure: &ClockMeasure| OfClock {
            name: format!("{}_{}", clock.spec, measure.name),
            meaning: measure.meaning,
            value: (measure.value)(clock, context),
        };
        CLOCK_MEASURES.iter().map(measure).collect::<Vec<_>>()
    };
    context.whole.clocks.iter().flat_map(of_clock).collect()
}

/// The drift at the times at which clocks were looked at: those of the coarsest machine.
fn drift(machines: &[MachineMeter]) -> Vec<(Nanos, Vec<Option<i64>>)> {
    let step = machines.iter().map(|machine| machine.clocks.step()).max().unwrap_or_default();
    let columns: Vec<Vec<u64>> = machines.iter().map(|machine| machine.clocks.at_steps_of(step)).collect();
    let count = columns.iter().map(Vec::len).max().unwrap_or(0);
    let at = |index: usize| {
        let largest = columns.iter().filter_map(|column| column.get(index)).max().copied().unwrap_or(0);
        let drift =
            |column: &Vec<u64>| column.get(index).map(|clock| clock.cast_signed() - largest.cast_signed());
        (Nanos::new(step.get() * (index as u64 + 1)), columns.iter().map(drift).collect())
    };
    (0..count).map(at).collect()
}
