//! The commands: `check` and what else reads the logs of runs that are over, what makes many runs, and what tells of the
//! program itself.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::export::{self, ExportFlags};
use super::order::{self, OrderFlags};
use super::report::{self, ReportFlags};
use super::shells::{self, CompletionsFlags, ManFlags};
use super::source::{Logs, Source};
use super::stats::{Format, Printed, StatsFlags};
use super::sweep::{self, EffectsTable, MergeFlags, SweepFlags};
use super::{FAILED, Fatal, complain, failed, print_data, say, unreadable};
use crate::after::check;
use crate::after::stats;
use crate::model::registry::Registry;
use crate::model::text::Whole;

/// What to do instead of a run.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Is the log right? Exit code 1 and the first faults where it is not
    Check(CheckFlags),
    /// What it says: jumps, drift, queues, latencies, and what theory expects
    Stats(StatsFlags),
    /// What happened before what: two events, the past or future of one, or a cut
    Order(OrderFlags),
    /// A page with plots and the space-time diagram, pictures, or a notebook
    Report(ReportFlags),
    /// A run in another tool's format, such as ShiViz, Graphviz or Perfetto
    Export(ExportFlags),
    /// Runs of many conditions, every combination of them, in one table
    Sweep(Box<SweepFlags>),
    /// The shards of a sweep put together
    Merge(MergeFlags),
    /// A script that completes command lines, for bash, zsh, fish, powershell or elvish
    Completions(CompletionsFlags),
    /// The manual page, as roff, of a run or of a command
    Man(ManFlags),
}

const CHECKED: &str = "\
Replays the events in causal order and holds every column against the event before it in its machine and
the send of the message that it receives: event numbers, Lamport, vector and hybrid clocks; that every
received message was sent once, to this machine, and came as it was sent; the order between two machines
where the run kept it; queues; times; and the manifest's counts and checksums.

The first fault is the cause: faults come in the order of causality. A torn last row is told and left out.
Where logs of the run are not here, or it still goes on, that is told first, and the part that is here is judged:
a message from a log that is not here is no fault.
Exit code: 0 where nothing is wrong, 1 where something is or there is no event, 2 where there is no run to read.";

/// How many faults are told in words.
type Most = Whole<0, 1000>;

const MOST: Most = Most::new(10).expect("in range");

/// The flags of `check`.
#[derive(Debug, Args)]
#[command(after_long_help = CHECKED)]
pub(super) struct CheckFlags {
    #[command(flatten)]
    source: Source,
    /// How many faults are told in words, at most 1000
    #[arg(long, value_name = "N", default_value_t = MOST, allow_hyphen_values = true)]
    most: Most,
}

/// Does what is asked for.
pub(super) fn run(command: Command, registry: &Registry) -> Result<ExitCode, Fatal> {
    // Each machine's log is open until its end. Where the limit cannot be raised, opening them says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    match command {
        Command::Check(flags) => check(&flags, registry),
        Command::Stats(flags) => stats(&flags, registry),
        Command::Order(flags) => order::run(&flags),
        Command::Report(flags) => report::run(&flags, registry),
        Command::Export(flags) => export::run(&flags, registry),
        Command::Completions(flags) => shells::completions(&flags, registry),
        Command::Man(flags) => shells::man(&flags, registry),
        Command::Sweep(flags) => sweep::run(*flags, registry),
        Command::Merge(flags) => sweep::merge(&flags, registry),
    }
}

fn check(flags: &CheckFlags, registry: &Registry) -> Result<ExitCode, Fatal> {
    let mut is_sound = true;
    for (name, logs) in flags.source.runs()? {
        let report = match logs {
            Logs::NamedRun(folders) => check::check(&folders, registry).map_err(unreadable)?,
            Logs::Trace(trace) => check::check_trace(&trace),
        };
        is_sound &= report.is_sound();
        let words = report.with_most(flags.most.get() as usize);
        say(&format_args!("{name}: {words}")).map_err(|error| failed("cannot print the report", &error))?;
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn stats(flags: &StatsFlags, registry: &Registry) -> Result<ExitCode, Fatal> {
    // Machines of different conditions are no sample of anything.
    let sweep = flags.source.folders.sweep().filter(|_| flags.format == Format::Table);
    if let Some(folder) = sweep {
        let effects = sweep::effects(folder)?;
        say(&EffectsTable(&effects)).map_err(|error| failed("cannot print the measures", &error))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut runs = Vec::new();
    for (name, logs) in flags.source.runs()? {
        let stats = match logs {
            Logs::NamedRun(folders) => stats::measure(&folders, registry).map_err(unreadable)?,
            Logs::Trace(trace) if trace.events.is_empty() => {
                return Err(unreadable(format_args!(
                    "{name} has no event that can be read: there is nothing to measure"
                )));
            }
            Logs::Trace(trace) => stats::measure_trace(&trace),
        };
        if stats.is_empty {
            return Err(unreadable(format_args!(
                "{name}: the logs have no events: there is nothing to measure"
            )));
        }
        runs.push((name, stats));
    }
    let printed = Printed { format: flags.format, runs };
    // The other formats have room for it.
    if flags.format == Format::Csv {
        printed.missing().for_each(|line| complain(&line));
    }
    let printing = match flags.format {
        Format::Table => say(&printed),
        Format::Csv | Format::Json => print_data(&printed),
    };
    printing.map_err(|error| failed("cannot print the measures", &error))?;
    // The other formats have room for them.
    if flags.format == Format::Csv {
        printed.warnings().for_each(|warning| complain(&warning));
    }
    Ok(ExitCode::SUCCESS)
}
