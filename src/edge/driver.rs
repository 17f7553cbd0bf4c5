//! What every driver takes and gives: a plan for this machine, and what the run came to.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use hdrhistogram::Histogram;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::edge::log::{FileEntry, Layout, LogError, ResumeError, Traffic};
use crate::edge::nodes;
use crate::model::id::VmId;
use crate::model::pace::{Made, Punctuality};
use crate::model::tally::Account;
use crate::model::time::Nanos;

/// How a run is laid out on this machine.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Worker threads, at least one; each has its share of the machines.
    pub threads: usize,
    /// Which files the rows go to.
    pub layout: Layout,
    /// The folder that they go to.
    pub folder: PathBuf,
}

/// What a run has come to.
#[derive(Debug)]
pub struct Outcome {
    /// Whether all ticks were made, and what cut the run short if not.
    pub ending: Ending,
    /// The time of day at which it began, where that was in real time.
    pub began: Option<Timestamp>,
    /// When it ended: at its duration, later where ticks were late, earlier where it was cut short.
    pub elapsed: Nanos,
    /// The machines' accounts, by number.
    pub accounts: Vec<Account>,
    /// Its logs, closed, in the order of the machines.
    pub files: Vec<FileEntry>,
    /// The largest final Lamport clock of the run's machines, those of other processes as well.
    pub lamport: u64,
    /// How late its ticks were, where that was in real time.
    pub lateness: Option<LatenessCounts>,
    /// What its links to other processes have done, where there are any.
    pub links: Option<LinkReport>,
}

/// What the links of a process to the others of its run have done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkReport {
    /// What has passed over them.
    pub traffic: Traffic,
    /// What went wrong in other processes.
    pub warnings: Vec<String>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    /// All ticks were made.
    Complete,
    /// It was asked to stop.
    Interrupted,
    /// An actor, a process, or a log failed: what was logged up to there is kept.
    Failed(Failure),
}

/// A cause of a kind that a layer above this one knows.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What broke a run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A machine's actor panicked.
    #[error("machine {vm} panicked: {message}")]
    MachinePanicked {
        /// The machine whose actor is gone; its log ends with its last whole event.
        vm: VmId,
        /// What the panic said, and where.
        message: String,
    },
    /// The actor of a shard panicked.
    #[error("a worker thread's actor panicked: {message}")]
    ShardPanicked {
        /// What the panic said, and where.
        message: String,
    },
    /// The bridge to other processes panicked.
    #[error("the bridge panicked: {message}")]
    BridgePanicked {
        /// What the panic said, and where.
        message: String,
    },
    /// A process of the run failed.
    #[error("node {node}: {message}")]
    Process {
        /// The process that failed, by its number in the run.
        node: u32,
        /// The last error that the process told, or how it died.
        message: String,
    },
    /// The run could not be joined.
    ///
    /// The cause says who is missing, or refused, and why. It is of the live driver, which stands above this module.
    #[error(transparent)]
    NotJoined(Cause),
    /// One of several runs could not start.
    #[error("run {run} could not start: {source}")]
    NotStarted {
        /// Which of the series' runs, counted from 1.
        run: u32,
        /// Why, as whoever leads runs says it.
        source: Cause,
    },
    /// One of several runs failed.
    #[error("run {run}: {message}")]
    InSeries {
        /// Which of the series' runs, counted from 1.
        run: u32,
        /// What that run's own failure says, which stays with that run.
        message: String,
    },
    /// A run of a sweep failed, or could not start.
    #[error("condition {condition}, run {run}: {message}")]
    InSweep {
        /// Its condition, in words.
        condition: String,
        /// Which of the condition's runs, counted from 1.
        run: u32,
        /// What that run's own failure says, which stays with that run.
        message: String,
    },
    /// The driver of virtual time cannot run the scenario.
    #[error(
        "messages may arrive in no time at all, and in virtual time machines are run ahead of each other by as long as a \
         message takes: ask for virtual time in the settings, or for a latency such as 1ms"
    )]
    NoLookahead,
    /// A thread could not be started.
    #[error(
        "cannot start worker thread {thread} of {threads}: {source}; ask for fewer with setting `threads`"
    )]
    Thread {
        /// Which of the threads the system refused, counted from 1.
        thread: usize,
        /// How many were to be started.
        threads: usize,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A log could not be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A log could not be gone on with.
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

/// How late ticks ran, over all machines.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatenessSpread {
    /// The median, in milliseconds.
    pub p50_ms: f64,
    /// What 99 of 100 ticks did not exceed, in milliseconds.
    pub p99_ms: f64,
    /// The largest, in milliseconds.
    pub max_ms: f64,
}

impl Ending {
    /// The first failure is the one that counts: later ones follow from it.
    pub(crate) fn fail(&mut self, failure: Failure) {
        if !matches!(self, Self::Failed(_)) {
            *self = Self::Failed(failure);
        }
    }

    pub(crate) fn interrupt(&mut self) {
        if matches!(self, Self::Complete) {
            *self = Self::Interrupted;
        }
    }
}

/// How often ticks were how late: counts in microseconds, up to an hour, with three digits. And when.
#[derive(Clone, Debug, PartialEq)]
pub struct LatenessCounts {
    counts: Histogram<u64>,
    /// When ticks were made, and when they were not though they were due, by the node of the process.
    pub punctuality: BTreeMap<u32, Punctuality>,
}

impl Default for LatenessCounts {
    fn default() -> Self {
        let counts = Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("sound bounds");
        Self { counts, punctuality: BTreeMap::new() }
    }
}

impl LatenessCounts {
    /// Those of a process of that node, of which no tick was added yet.
    pub(crate) fn of_node(node: u32) -> Self {
        Self { punctuality: BTreeMap::from([(node, Punctuality::default())]), ..Self::default() }
    }

    /// Adds a tick of the first of its nodes.
    pub(crate) fn add(&mut self, made: &Made) {
        self.counts.saturating_record(made.late().get() / 1000);
        if let Some(punctuality) = self.punctuality.values_mut().next() {
            punctuality.add(made);
        }
    }

    /// Adds the ticks of others.
    pub(crate) fn merge(&mut self, others: &Self) {
        self.counts.add(&others.counts).expect("the same bounds");
        for (node, punctuality) in &others.punctuality {
            self.punctuality.entry(*node).or_default().merge(punctuality);
        }
    }

    /// Whether no tick was made.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The measures that people look at.
    pub fn spread(&self) -> LatenessSpread {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of at most an hour")]
        let ms = |micros: u64| micros as f64 / 1000.0;
        LatenessSpread {
            p50_ms: ms(self.counts.value_at_quantile(0.5)),
            p99_ms: ms(self.counts.value_at_quantile(0.99)),
            max_ms: ms(self.counts.max()),
        }
    }
}

/// As pairs of a value and its count, and when.
impl Serialize for LatenessCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = self.counts.iter_recorded();
        let pairs: Vec<_> = counts.map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
        (pairs, &self.punctuality).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LatenessCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut counts = Self::default();
        let (pairs, punctuality) =
            <(Vec<(u64, u64)>, BTreeMap<u32, Punctuality>)>::deserialize(deserializer)?;
        for (micros, count) in pairs {
            counts.counts.saturating_record_n(micros, count);
        }
        counts.punctuality = punctuality;
        Ok(counts)
    }
}

/// The parts into which so many machines are cut for combined logs, each of which has a log. Threads share out whole
/// parts.
pub(crate) fn parts(vms: u32) -> Vec<Range<u32>> {
    shares(vms, Layout::Combined.logs(vms) as usize)
}

/// Divides the machines into that many contiguous ranges, fewer where some would be empty.
pub(crate) fn shares(vms: u32, parts: usize) -> Vec<Range<u32>> {
    let parts = u32::try_from(parts).unwrap_or(u32::MAX).clamp(1, vms);
    (0..parts).map(|part| nodes::share(parts, part, vms)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_contiguous_and_none_is_empty() {
        assert_eq!(shares(3, 2), [0..1, 1..3]);
        assert_eq!(shares(2, 8), [0..1, 1..2]);
        assert_eq!(shares(10, 3), [0..3, 3..6, 6..10]);
        assert_eq!(shares(10_000_000, 3)[2], 6_666_666..10_000_000);
    }
}
