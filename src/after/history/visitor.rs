//! What a replay shows of a log: its rows, one by one, with what is known of their messages.

use crate::edge::log::{Column, Columns, ReadError, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Somebody who is shown the rows in the order of causality.
pub trait Visitor {
    /// What they keep of a send while its message is in flight.
    type Stamp;

    /// A row; of a send they return what to keep.
    fn row(&mut self, step: &Step<'_>, delivery: Delivery<'_, Self::Stamp>) -> Option<Self::Stamp>;

    /// A row that cannot be read, and is left out.
    fn unreadable(&mut self, error: ReadError);

    /// Receives that wait for each other in a circle: of each the row, and the message that it waits for. The
    /// first is shown next, as if its message were unknown.
    fn cycle(&mut self, rows: &[(Place, MessageId)]);

    /// Whether they have seen enough: then not much more is read.
    fn is_done(&self) -> bool {
        false
    }
}

/// A row on its turn.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The row with all its cells, which lives until the next one is read.
    pub row: &'a Row,
    /// Which of the logs it stands in.
    pub log: usize,
    /// The machine's number in the order in which they were first shown, from 0.
    pub machine: usize,
    /// Which of its machine's rows it is, from 1.
    pub position: u64,
    /// How many rows of that log could not be read so far.
    pub unreadable: u64,
    /// The columns that the log has.
    pub(super) columns: Columns,
}

/// Where a row stands, and which event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the logs.
    pub log: usize,
    /// The line at which the row begins, the header being line 1.
    pub line: u64,
    /// The machine whose event it is.
    pub vm: VmId,
    /// The number of the event.
    pub event: u64,
}

impl<'a> Step<'a> {
    /// A row that stands in no log.
    pub(crate) fn of(row: &'a Row, machine: usize) -> Self {
        Self { row, log: 0, machine, position: row.event, unreadable: 0, columns: Columns::default() }
    }

    /// Where the row stands.
    pub const fn place(&self) -> Place {
        Place { log: self.log, line: self.row.line, vm: self.row.vm, event: self.row.event }
    }

    /// Whether the log has that column.
    pub const fn has(&self, column: Column) -> bool {
        self.columns.has(column)
    }
}

/// What is known of the message that a row receives.
#[derive(Debug)]
pub enum Delivery<'a, S> {
    /// The row receives none.
    None,
    /// It was on its way to this machine.
    Delivered {
        /// What was kept of its send.
        stamp: &'a S,
        /// The event of a later send from the same machine to this one that was received earlier.
        overtaken_by: Option<u64>,
    },
    /// It is on its way, but not to this machine.
    NotHere {
        /// What was kept of its send.
        stamp: &'a S,
    },
    /// It is not on its way to anybody.
    Unknown,
}
