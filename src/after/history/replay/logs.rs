//! One of the logs that are replayed.

use std::fs::File;

use crate::after::history::Step;
use crate::edge::log::{Column, Columns, LogPath, ReadError, Row, RowReader};
use crate::model::id::VmId;

/// A log that is being read, with the row that it has come to.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) reader: Option<RowReader<File>>,
    pub(super) name: LogPath,
    pub(super) columns: Columns,
    pub(super) summary: LogSummary,
    /// The machine of a row before, and its number: that of the next one in many logs.
    pub(super) latest: Option<(VmId, usize)>,
    /// The machine that holds it up.
    pub(super) stalled: Option<usize>,
    pub(super) has_ended: bool,
}

/// What is known of a log after its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogSummary {
    /// Its whole rows, readable or not.
    pub(crate) rows: u64,
    /// Its bytes up to a torn last row.
    pub(crate) bytes: u64,
    /// Their checksum, as a manifest writes it.
    pub(crate) crc32c: String,
    /// The bytes of a torn last row.
    pub(crate) torn: u64,
    /// Whether another program has saved it again.
    pub(crate) is_saved_again: bool,
    /// Whether that took clocks of several numbers for one.
    pub(crate) clock_is_number: bool,
    /// Rows that could not be read.
    pub(super) unreadable: u64,
}

impl Log {
    /// Whether it may have rows of that machine.
    pub(super) fn may_hold(&self, vm: VmId) -> bool {
        self.name.machines.as_ref().is_none_or(|range| range.contains(&vm))
    }

    pub(super) const fn step<'a>(&self, row: &'a Row, log: usize, machine: usize) -> Step<'a> {
        Step { row, log, machine, position: 0, unreadable: self.summary.unreadable, columns: self.columns }
    }
}

/// A row of a machine that its log, by its name, does not have.
pub(super) fn not_its_machine(name: &LogPath, row: &Row) -> ReadError {
    let expected = match &name.machines {
        Some(range) if range.start() == range.end() => format!("{}, as the file's name says", range.start()),
        Some(range) => {
            format!("a machine from {} to {}, as the file's name says", range.start(), range.end())
        }
        None => "a machine".to_owned(),
    };
    let (path, line, found) = (name.path.clone(), row.line, row.vm.to_string());
    ReadError::Cell { path, line, column: Column::Vm, found, expected }
}
