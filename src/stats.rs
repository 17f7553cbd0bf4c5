//! What a run's logs say in numbers: jumps, drift, queues, latencies, order; beside them what theory expects, and
//! what a person should be warned of.

mod counts;
mod measures;
mod meter;
mod pauses;
mod theory;
mod trace;
mod warnings;

pub use measures::{MEASURES, Measure, TOTALS, Total};
pub use theory::Flow;
pub use trace::measure_trace;

use self::meter::{Machine, Meter, Whole};
use crate::history::{HistoryError, Model, Replay};
use crate::id::VmId;
use crate::log::{LogFolder, LogPath};
use crate::time::Nanos;

/// The measures of one run.
#[derive(Debug)]
pub struct Stats {
    /// Each machine with the values of [`MEASURES`], by number.
    pub machines: Vec<(VmId, Vec<Option<f64>>)>,
    /// The values of [`TOTALS`].
    pub totals: Vec<Option<f64>>,
    /// Drift at some times: each with the drift of every machine that there was, in the order of the machines.
    pub drift: Vec<(Nanos, Vec<Option<i64>>)>,
    /// What the scale model's theory says, where it holds for the run.
    pub flow: Option<Flow>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// The machines' names by their numbers, where the log names them.
    pub hosts: Vec<String>,
}

/// All that the measures of one machine are made of.
#[derive(Debug)]
struct Context<'a> {
    model: &'a Model,
    flow: Option<&'a Flow>,
    whole: &'a Whole,
    /// The largest final Lamport clock.
    largest: u64,
    /// When the last event happened.
    end: Nanos,
    /// The machines' names, where they have any.
    hosts: &'a [String],
}

impl Stats {
    /// A machine's name, or its number where it has none.
    pub fn name(&self, vm: VmId) -> String {
        self.hosts.get(vm.index()).cloned().unwrap_or_else(|| vm.to_string())
    }
}

impl Context<'_> {
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
pub fn measure(folders: &[LogFolder]) -> Result<Stats, HistoryError> {
    let model = Model::of(folders);
    let names: Vec<LogPath> = folders.iter().flat_map(|folder| folder.logs.iter().cloned()).collect();
    let mut meter = Meter::new(&model);
    let mut replay = Replay::open(&names, false, &mut meter)?;
    replay.run(&mut meter)?;
    let mut stats = sum_up(meter, &model, &[]);
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
fn sum_up(meter: Meter<'_>, model: &Model, hosts: &[String]) -> Stats {
    let Meter { mut machines, whole, .. } = meter;
    machines.sort_by_key(|machine| machine.vm);
    let flow = Flow::of(model);
    let largest = machines.iter().map(|machine| machine.lamport).max().unwrap_or(0);
    let end = machines.iter().map(|machine| machine.last).max().unwrap_or_default();
    let context = Context { model, flow: flow.as_ref(), whole: &whole, largest, end, hosts };
    let values =
        |machine: &Machine| MEASURES.iter().map(|measure| (measure.value)(machine, &context)).collect();
    let warnings = warnings::of(&machines, &context);
    Stats {
        machines: machines.iter().map(|machine| (machine.vm, values(machine))).collect(),
        totals: TOTALS.iter().map(|total| (total.value)(&machines, &context)).collect(),
        drift: drift(&machines),
        flow,
        warnings,
        hosts: hosts.to_vec(),
    }
}

/// The drift at the times at which clocks were looked at: those of the coarsest machine.
fn drift(machines: &[Machine]) -> Vec<(Nanos, Vec<Option<i64>>)> {
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
