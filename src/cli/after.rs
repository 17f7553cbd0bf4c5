//! What is done with runs that are over: `check`, and what else reads logs.

use std::fmt::Display;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::export::{self, ExportFlags};
use super::folders::{Folders, OUTPUT};
use super::report::{self, ReportFlags};
use super::stats::{Printed, StatsFlags};
use super::{FAILED, Fatal, complain, failed, say, unreadable, usage};
use crate::check;
use crate::event::MessageId;
use crate::history::Received;
use crate::order::{Events, WriteRowsError};
use crate::stats;

/// What to do with runs that are over.
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
}

const CHECKED: &str = "\
Replays the events in causal order and holds every column against the event before it in its machine and
the send of the message that it receives: event numbers, Lamport, vector and hybrid clocks; that every
received message was sent once, to this machine, and came as it was sent; the order between two machines
where the run kept it; queues; times; and the manifest's counts and checksums.

The first fault is the cause: faults come in the order of causality. A torn last row is told and left out.
Exit code: 0 where nothing is wrong, 1 where something is, 2 where there is no run to read.";

/// The flags of `check`.
#[derive(Debug, Args)]
#[command(after_help = CHECKED)]
pub(super) struct CheckFlags {
    #[command(flatten)]
    folders: Folders,
    /// How many faults are told in words, at most 1000
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    most: u16,
}

const ORDERED: &str = "\
Events are named <machine>-<number of its event>, such as 0-17.

  clocklab order 0-17 2-9              the run in output/
  clocklab order node0 node1 0-17 2-9  the nodes of a distributed run
  clocklab order --past 2-9            all that 2-9 can depend on, as CSV; how many it is goes to stderr
  clocklab order --cut 0-17,1-20,2-9   is this a state that the run may have been in?

The first word of the answer is before, after or concurrent (or same); of a cut consistent or inconsistent.
Where vectors were logged, they decide; the chain of messages is the evidence.";

/// The flags of `order`.
#[derive(Debug, Args)]
#[command(after_help = ORDERED, override_usage = "clocklab order [DIR]... EVENT EVENT\n       clocklab order [DIR]... <--past EVENT|--future EVENT|--cut EVENT,EVENT,...>")]
pub(super) struct OrderFlags {
    /// Folders of a run as for check [default: output], and two events
    #[arg(value_name = "DIR|EVENT")]
    words: Vec<String>,
    /// The causal past of an event
    #[arg(long, value_name = "EVENT", group = "question")]
    past: Option<MessageId>,
    /// The causal future of an event
    #[arg(long, value_name = "EVENT", group = "question")]
    future: Option<MessageId>,
    /// Whether a cut, given by the last events in it, is consistent
    #[arg(long, value_name = "EVENTS", value_delimiter = ',', group = "question")]
    cut: Vec<MessageId>,
}

/// Does what is asked for.
pub(super) fn run(command: Command) -> Result<ExitCode, Fatal> {
    // Each machine's log is open until its end. Where the limit cannot be raised, opening them says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    match command {
        Command::Check(flags) => check(&flags),
        Command::Stats(flags) => stats(&flags),
        Command::Order(flags) => order(&flags),
        Command::Report(flags) => report::run(&flags),
        Command::Export(flags) => export::run(&flags),
    }
}

fn check(flags: &CheckFlags) -> Result<ExitCode, Fatal> {
    let mut is_sound = true;
    for run in flags.folders.runs()? {
        let report = check::check(&run.folders).map_err(unreadable)?;
        is_sound &= report.is_sound();
        let words = report.with_most(flags.most.into());
        say(&format_args!("{}: {words}", run.name))
            .map_err(|error| failed("cannot print the report", &error))?;
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn stats(flags: &StatsFlags) -> Result<ExitCode, Fatal> {
    let mut runs = Vec::new();
    for run in flags.folders.runs()? {
        runs.push((run.name, stats::measure(&run.folders).map_err(unreadable)?));
    }
    say(&Printed { format: flags.format, runs })
        .map_err(|error| failed("cannot print the measures", &error))?;
    Ok(ExitCode::SUCCESS)
}

fn order(flags: &OrderFlags) -> Result<ExitCode, Fatal> {
    let (folders, asked) = flags.folders_and_events()?;
    let run = folders.one_run()?;
    let events = Events::read(&run.folders, &asked).map_err(unreadable)?;
    let print = |text: &dyn Display| say(text).map_err(|error| failed("cannot print the answer", &error));
    match asked.as_slice() {
        [event] if flags.past.is_some() => {
            let front = events.past(*event);
            let count: u64 = front.values().sum();
            complain(&format_args!("{count} events in the past of {event}, itself among them"));
            let is_in = |event: MessageId| front.get(&event.sender).is_some_and(|last| event.event <= *last);
            write_rows(&events, is_in)?;
        }
        [event] if flags.future.is_some() => {
            let front = events.future(*event);
            let count = events.count_from(&front);
            complain(&format_args!("{count} events in the future of {event}, itself among them"));
            let is_in =
                |event: MessageId| front.get(&event.sender).is_some_and(|first| event.event >= *first);
            write_rows(&events, is_in)?;
        }
        [first, second] if flags.cut.is_empty() => {
            print(&events.order(*first, *second).map_err(unreadable)?)?;
        }
        cut => match events.crossing(cut) {
            None => print(&"consistent: no message is received in the cut and sent after it\n")?,
            Some(Received { send, receive }) => print(&format_args!(
                "inconsistent: message {send} is received in the cut, by {receive}, and sent after it\n"
            ))?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn write_rows(events: &Events, is_in: impl Fn(MessageId) -> bool) -> Result<(), Fatal> {
    match events.write_rows(is_in, &mut BufWriter::new(io::stdout().lock())) {
        Err(WriteRowsError::History(error)) => Err(unreadable(error)),
        Err(WriteRowsError::Write(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(failed("cannot print the rows", &error))
        }
        _ => Ok(()),
    }
}

impl OrderFlags {
    /// The folders, and the events that are asked about: the last words, or those of a flag.
    fn folders_and_events(&self) -> Result<(Folders, Vec<MessageId>), Fatal> {
        let of_flag: Vec<MessageId> =
            self.past.iter().chain(&self.future).chain(&self.cut).copied().collect();
        let count = if of_flag.is_empty() { 2 } else { 0 };
        let (folders, words) = self.words.split_at(self.words.len().saturating_sub(count));
        let mut events = of_flag;
        for word in words {
            let wrong = |error| usage(format_args!("invalid value '{word}' for an event: {error}"));
            events.push(word.parse().map_err(wrong)?);
        }
        if events.len() < 2 && count == 2 {
            return Err(usage("two events are asked for, such as: clocklab order 0-17 2-9"));
        }
        let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
        let folders = if folders.is_empty() { vec![PathBuf::from(OUTPUT)] } else { folders };
        Ok((Folders { folders }, events))
    }
}
