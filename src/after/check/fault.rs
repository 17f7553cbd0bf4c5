//! What is wrong with a log, in words, and how much of it there is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::clock::{ClockSpec, kinds};
use crate::edge::log::{Column, ReadError};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::text::printable;

/// What sort of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A row that cannot be read, or stands in another machine's file.
    Unreadable,
    /// Events that are not numbered one after the other.
    Number,
    /// Columns that do not belong to an event of its kind.
    Form,
    /// Time that runs back, or is not that of the schedule.
    Time,
    /// An event of a machine that is down, or a message that was lost with what waited for it.
    Crash,
    /// A time of day that does not fit the time since the start.
    TimeOfDay,
    /// Clocks of two hosts by which a message was received before it was sent.
    HostClocks,
    /// A host that begins again, in another run.
    SecondRun,
    /// A received message that nobody sent.
    NotSent,
    /// A received message that was sent to others.
    NotHere,
    /// A received message that the network lost.
    Lost,
    /// A message that was received more often than it was delivered.
    TooOften,
    /// A message that was received before it was sent.
    Early,
    /// Receives that wait for each other.
    Circle,
    /// A message that another one has overtaken.
    Overtaken,
    /// What came with a message is not what was sent.
    Stamp,
    /// The same for what it carried.
    Payload,
    /// A Lamport clock that is not one more than the largest before.
    Lamport,
    /// A clock beside Lamport's whose value does not follow from those before: its place in the registry.
    Clock(usize),
    /// A clock whose values are not ordered as it promises.
    ClockPromise,
    /// A queue that cannot be so long or so short.
    Queue,
    /// Something that the workload promises not to let happen.
    Promise,
    /// A file that is not what the manifest says.
    File,
}

impl FaultKind {
    /// A fault of that clock.
    pub(super) fn clock(spec: ClockSpec) -> Self {
        Self::Clock(spec.place())
    }

    /// A fault of the clock that tells what happened before.
    pub(super) fn past() -> Self {
        Self::Clock(kinds().iter().position(|kind| kind.tells_past).unwrap_or(0))
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Clock(place) => kinds().get(*place).map_or("clock", |kind| kind.title),
            Self::Unreadable => "unreadable row",
            Self::Number => "event number",
            Self::Form => "columns of another kind of event",
            Self::Time => "time",
            Self::Crash => "crash",
            Self::TimeOfDay => "time of day",
            Self::HostClocks => "clocks of hosts",
            Self::SecondRun => "second run",
            Self::NotSent => "message that was never sent",
            Self::NotHere => "message to another machine",
            Self::Lost => "message that was lost",
            Self::TooOften => "message received too often",
            Self::Early => "message received before it was sent",
            Self::Circle => "circle of messages",
            Self::Overtaken => "overtaken message",
            Self::Stamp => "stamp",
            Self::Payload => "what a message carried",
            Self::Lamport => "Lamport clock",
            Self::ClockPromise => "promise of a clock",
            Self::Queue => "queue",
            Self::Promise => "what the workload promises",
            Self::File => "file unlike its manifest",
        })
    }
}

/// One place in the logs that cannot be right: what stands there, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of fault it is.
    pub kind: FaultKind,
    /// The log, manifest or summary that it is in.
    pub path: PathBuf,
    /// The line, where it is in one.
    pub line: Option<u64>,
    /// The column, where it is in one.
    pub column: Option<Column>,
    /// What stands there, as it is to be shown.
    pub found: String,
    /// What would be right there, in words where it is no one value.
    pub expected: String,
    /// The message that is unknown, and who received it: a second look at the logs tells why.
    pub(super) unknown: Option<(MessageId, VmId)>,
    /// The messages of a circle, and who received each.
    pub(super) circle: Vec<(MessageId, VmId)>,
}

impl Fault {
    /// A row or a file that cannot be read.
    pub(super) fn unreadable(error: ReadError) -> Self {
        let fault = |path, line, found: String, expected: String| Self {
            kind: FaultKind::Unreadable,
            path,
            line,
            column: None,
            found,
            expected,
            unknown: None,
            circle: Vec::new(),
        };
        match error {
            ReadError::Cell { path, line, column, found, expected } => {
                let found = if found.is_empty() { "nothing".to_owned() } else { format!("'{found}'") };
                Self { column: Some(column), ..fault(path, Some(line), found, expected) }
            }
            ReadError::Columns { path, line, found, expected } => {
                fault(path, Some(line), format!("{found} columns"), format!("{expected} as in the header"))
            }
            ReadError::Header { path, found, missing } => {
                fault(path, Some(1), format!("'{found}'"), format!("a header with a column {missing}"))
            }
            ReadError::Long { path, line, longest } => fault(
                path,
                Some(line),
                "a line without an end".to_owned(),
                format!("one of at most {longest} bytes"),
            ),
            ReadError::Quote { path, line } => fault(
                path,
                Some(line),
                "a quote that is opened and never closed".to_owned(),
                "its end".to_owned(),
            ),
            ReadError::Read { path, source } => {
                fault(path, None, source.to_string(), "a file that can be read".to_owned())
            }
        }
    }
}

/// `file:line: column: found …, expected … [kind]`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ": column {}", column.name())?;
        }
        write!(
            f,
            ": found {}, expected {} [{}]",
            printable(&self.found),
            printable(&self.expected),
            self.kind
        )
    }
}

/// The first faults in the order of causality, and how many there are of each kind.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Each with the number of rows that were replayed before.
    first: Vec<(u64, Fault)>,
    totals: BTreeMap<FaultKind, u64>,
    count: u64,
}

impl Faults {
    /// The most that are kept in words.
    const MOST: usize = 1000;

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.totals.is_empty()
    }

    /// The first of them, causes before effects.
    pub fn first(&self) -> impl ExactSizeIterator<Item = &Fault> {
        self.first.iter().map(|(_, fault)| fault)
    }

    /// How many there are of each kind.
    pub const fn totals(&self) -> &BTreeMap<FaultKind, u64> {
        &self.totals
    }

    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds one that shows once so many rows were replayed.
    pub(super) fn add(&mut self, rows: u64, fault: Fault) {
        *self.totals.entry(fault.kind).or_default() += 1;
        self.count += 1;
        // Most are found in their order; those that are found later stand after their like.
        let place = self.first.partition_point(|(other, _)| *other <= rows);
        if place < Self::MOST {
            self.first.insert(place, (rows, fault));
            self.first.truncate(Self::MOST);
        }
    }

    /// Says more precisely what the faults are that a second look at the logs can diagnose.
    ///
    /// A circle in which one waits for what was never sent is none: the first of it is told for itself where it
    /// is the one, and otherwise it was only held up.
    pub(super) fn diagnose(&mut self, diagnose: impl Fn(MessageId, VmId) -> (FaultKind, String)) {
        let totals = &mut self.totals;
        self.first.retain_mut(|(_, fault)| {
            let in_circle =
                fault.circle.iter().position(|(message, vm)| diagnose(*message, *vm).0 == FaultKind::NotSent);
            let about = match (fault.unknown.take(), in_circle) {
                (Some(unknown), _) => unknown,
                (None, Some(0)) => fault.circle[0],
                (None, Some(_)) => {
                    totals.entry(fault.kind).and_modify(|count| *count -= 1);
                    return false;
                }
                (None, None) => return true,
            };
            let (kind, expected) = diagnose(about.0, about.1);
            totals.entry(fault.kind).and_modify(|count| *count -= 1);
            *totals.entry(kind).or_default() += 1;
            (fault.kind, fault.expected) = (kind, expected);
            true
        });
        self.totals.retain(|_, count| *count > 0);
        self.count = self.totals.values().sum();
    }

    /// The messages that a second look is to diagnose.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (MessageId, VmId)> {
        self.first.iter().flat_map(|(_, fault)| fault.unknown.iter().chain(&fault.circle).copied())
    }
}
