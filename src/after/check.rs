//! Is a log right? Replays its events in causal order and demands that every column says what it must.
//!
//! Each row is held against the rows that are its direct causes, the event before it in its machine and the send
//! of the message that it receives, as the log shows them. So a fault is told where it begins, and once.

mod clocks;
mod diagnose;
mod fault;
mod files;
mod form;
mod judging;
mod rows;
mod trace;

use std::fmt;
use std::path::PathBuf;

pub use fault::{Fault, FaultKind, Faults};
pub use trace::check_trace;

use self::rows::{Checker, Stamp};
use crate::after::history::{HistoryError, Model, Replay};
use crate::edge::log::{LogFolder, LogPath, SavedManifest};
use crate::model::network::Probability;
use crate::model::registry::Registry;
use crate::model::scenario::{Scenario, Switch};
use crate::model::text::count;

/// What a check has come to.
#[derive(Debug)]
pub struct Report {
    /// How much of the run was replayed; little of it means little where there are no faults.
    pub counts: Counts,
    /// Whether the log names its messages. Otherwise they are those of which its vectors tell.
    pub has_messages: bool,
    /// The faults that were found, the first of each sort with its place.
    pub faults: Faults,
    /// What is not here of the run, a line each: then the part that is here was judged.
    pub missing: Vec<String>,
    /// Whether that is no more than rows within the logs: then the logs are not a part, but faulty.
    pub is_within_logs: bool,
    /// Whether it is known that there is no more than what is here.
    pub is_whole: bool,
    /// Torn last rows, which were left out: the file, and how many bytes.
    pub torn: Vec<(PathBuf, u64)>,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
    /// What else a person should know of how the logs were read.
    pub notes: Vec<String>,
}

/// How much was replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Machines that have rows.
    pub machines: u64,
    /// Rows that were read, each of one event.
    pub events: u64,
    /// Messages sent, one for each recipient of a send.
    pub sent: u64,
    /// Copies of messages that were received, one for each receive event.
    pub received: u64,
    /// Messages that the network lost.
    pub lost: u64,
    /// Messages that the network delivered twice.
    pub duplicated: u64,
}

/// Checks the logs of one run, of which the folders are the nodes' where there are several. The registry has the
/// workload that its manifest names.
///
/// # Errors
///
/// Where the logs cannot be read at all, or are not of one run.
pub fn check(folders: &[LogFolder], registry: &Registry) -> Result<Report, HistoryError> {
    let model = Model::of(folders, registry);
    let names: Vec<LogPath> = folders.iter().flat_map(|folder| folder.logs.iter().cloned()).collect();
    let mut checker = Checker::new(&model, folders, &names);
    let mut replay = Replay::open(&names, model.keeps_order(), &mut checker)?;
    replay.run(&mut checker)?;
    let (counts, mut faults, missing) = checker.finish(folders, &replay);
    diagnose::diagnose(&names, &mut faults)?;
    let torn = replay.summaries().filter(|(_, log)| log.torn > 0);
    let torn = torn.map(|(path, log)| (path.to_owned(), log.torn)).collect();
    let mut unchecked: Vec<String> = folders.iter().filter_map(LogFolder::cut).collect();
    let as_numbers = replay.summaries().filter(|(_, log)| log.clock_is_number).map(|(path, _)| path);
    if let Some(files) = files::in_words(as_numbers) {
        unchecked.push(format!(
            "zeros at the end of hlc in {files}: another program took l.c for a number, and hlc lost its '.0'"
        ));
    }
    files::check(folders, &replay, counts.events, &mut faults, &mut unchecked);
    if model.scenario().is_none() {
        unchecked.push(
            "there is no manifest run.toml: the order of messages, physical clocks and times due were not checked"
                .to_owned(),
        );
    }
    if let Some(workload) = model.scenario().map(Scenario::workload).filter(|workload| workload.is_foreign())
    {
        unchecked.push(format!("what the workload {workload} promises: this program does not have it"));
    }
    if model.is_one_clock() && folders.iter().any(start_is_unknown) {
        unchecked.push(
            "the run's start: its manifest does not tell yet, so times of day were held against each other"
                .into(),
        );
    }
    let (is_whole, is_within_logs, missing) = (missing.is_closed(), missing.is_within_logs(), missing.told());
    Ok(Report {
        counts,
        has_messages: true,
        faults,
        missing,
        is_within_logs,
        is_whole,
        torn,
        unchecked,
        notes: model.scenario().and_then(lacks).into_iter().collect(),
    })
}

/// What the workload needs of the network to keep what it promises, where the run's did not have that.
fn lacks(scenario: &Scenario) -> Option<String> {
    let (algorithm, network) = (scenario.workload().algorithm(), scenario.model());
    let is_sure = [network.loss, network.duplicate].iter().all(|share| *share == Probability::default());
    let (is_one, is_up) = (network.partition.is_empty(), network.crash.is_empty());
    let needs = algorithm
        .judge
        .and_then(|_| algorithm.lacks(network.fifo == Switch::On, is_sure && is_one && is_up))?;
    let name = algorithm.name;
    Some(if is_up {
        format!("{name} promises nothing without {needs}, which the run's network did not have")
    } else {
        format!(
            "{name} promises nothing without {needs}, and what waits for a machine that goes down is lost"
        )
    })
}

/// Whether the start of a live run is not known.
fn start_is_unknown(folder: &LogFolder) -> bool {
    let is_live = |manifest: &&SavedManifest| manifest.settings.virtual_time != Some(true);
    folder.manifest.as_ref().filter(is_live).is_some_and(|manifest| manifest.started.is_none())
}

impl Report {
    /// Whether what is here is a part of the run.
    pub fn is_part(&self) -> bool {
        !self.missing.is_empty() && (!self.is_within_logs || self.is_sound())
    }

    /// Whether there is nothing to judge: no event is here, and nothing tells that there was none.
    pub fn is_empty(&self) -> bool {
        self.counts.events == 0 && self.faults.is_empty() && !self.is_whole
    }

    /// Whether there is something to judge and nothing is wrong with it.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && !self.is_empty()
    }

    /// The report in words, with so many faults.
    pub const fn with_most(&self, most: usize) -> impl fmt::Display + '_ {
        Words { report: self, most }
    }
}

struct Words<'a> {
    report: &'a Report,
    most: usize,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, most } = self;
        let Counts { machines, events, sent, received, lost, duplicated } = report.counts;
        let is_part = report.is_part();
        if is_part {
            report.missing.iter().try_for_each(|line| writeln!(f, "a part: {line}"))?;
        }
        let verdict = match (report.faults.count(), is_part) {
            (0, _) if report.is_empty() => "nothing to judge".to_owned(),
            (0, false) => "sound".to_owned(),
            (0, true) => "this part is sound".to_owned(),
            (faults, false) => count(faults, "faults"),
            (faults, true) => format!("this part has {}", count(faults, "faults")),
        };
        if report.has_messages {
            writeln!(
                f,
                "{verdict}: {}, {}, {} sent, {received} received, {lost} lost, {duplicated} duplicated",
                count(machines, "machines"),
                count(events, "events"),
                count(sent, "messages")
            )?;
        } else {
            writeln!(
                f,
                "{verdict}: {}, {}, {} as the vectors tell",
                count(machines, "hosts"),
                count(events, "events"),
                count(received, "messages")
            )?;
        }
        if !is_part {
            report.missing.iter().try_for_each(|line| writeln!(f, "not here: {line}"))?;
        }
        for (path, bytes) in &report.torn {
            writeln!(f, "{}: its last row is torn and was left out ({bytes} bytes)", path.display())?;
        }
        report.notes.iter().try_for_each(|note| writeln!(f, "{note}"))?;
        report.unchecked.iter().try_for_each(|note| writeln!(f, "not checked: {note}"))?;
        if report.faults.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nthe first faults, causes before effects:")?;
        report.faults.first().take(*most).try_for_each(|fault| writeln!(f, "  {fault}"))?;
        let shown = report.faults.first().len().min(*most) as u64;
        if shown < report.faults.count() {
            writeln!(f, "  … and {} more", report.faults.count() - shown)?;
        }
        writeln!(f, "\nin all:")?;
        report.faults.totals().iter().try_for_each(|(kind, count)| writeln!(f, "  {count:>7}  {kind}"))
    }
}
