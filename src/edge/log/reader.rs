//! Log rows as values again: a reader that goes through a log once and allocates nothing a row.
//!
//! It looks the columns up in the header, so that logs of other programs may have them in another order and
//! more of them. A last row without a newline is torn: it is counted and left out.

mod careful;
mod cells;
mod chunks;
mod fast;
mod row;
#[cfg(test)]
mod tests;
mod time_of_day;
mod values;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use self::careful::{Parser, Wrong};
pub(super) use self::cells::Cells;
pub(super) use self::cells::separator_of;
use self::chunks::LONGEST_ROW;
pub(super) use self::chunks::{Chunks, RawLine};
use self::fast::Forms;
pub use self::row::{EventKind, Row};
use self::time_of_day::TimeOfDay;
pub(super) use self::time_of_day::otherwise;
pub(super) use self::values::{items, number, pair, seconds, whole};
use super::Schema;
use super::clock_cells::clocks_of;
use super::file::{FileEntry, entry};
use super::row::{Column, FIXED, columns};
use crate::clock::{ClockList, Values};
use crate::edge::input;
use crate::model::time::Nanos;

/// Why a log cannot be read, or a row of it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A column is missing, so the file is no log.
    #[error("{}:1: found '{found}', expected a header with a column '{missing}'", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Its first line.
        found: String,
        /// The column.
        missing: &'static str,
    },
    /// A row has more or fewer columns than the header.
    #[error("{}:{line}: found {found} columns, expected {expected} as in the header", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The row's columns.
        found: usize,
        /// The header's.
        expected: usize,
    },
    /// A column holds what it cannot hold.
    #[error("{}:{line}: column {}: found '{found}', expected {expected}", path.display(), column.name())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column.
        column: Column,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// A line is longer than any of a log can be.
    #[error("{}:{line}: found a line of more than {longest} bytes, which {}", path.display(), too_long(*line))]
    Long {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// How many it could have.
        longest: usize,
    },
    /// A text in quotes does not end.
    #[error("{}:{line}: found a quote that is opened and never closed", path.display())]
    Quote {
        /// The file.
        path: PathBuf,
        /// The line at which its row begins.
        line: u64,
    },
}

fn too_long(line: u64) -> &'static str {
    if line == 1 { "no header of a log has" } else { "no row of a log has, of however many machines" }
}

/// Columns that a log must have. Where another one is missing, every row reads as if it were empty there.
const NEEDED: [Column; 7] = [
    Column::Vm,
    Column::Event,
    Column::Kind,
    Column::Elapsed,
    Column::Lamport,
    Column::Peers,
    Column::Message,
];

/// Which columns a log has, of those that are no clock's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns(u32);

impl Columns {
    /// Whether it has this one.
    pub const fn has(self, column: Column) -> bool {
        match column.place() {
            Some(place) => self.0 & 1 << place != 0,
            None => false,
        }
    }
}

/// Reads the rows of one log, one after the other.
#[derive(Debug)]
pub struct RowReader<R> {
    path: PathBuf,
    source: Chunks<R>,
    /// Where each column stands in this log, if it does.
    places: [Option<usize>; FIXED.len()],
    /// The clocks that it may have columns for, and where each of these stands.
    clocks: ClockList,
    clock_places: Vec<Vec<Option<usize>>>,
    columns: usize,
    /// Whether the columns are ours, in our order.
    has_our_order: bool,
    /// The forms of clocks' cells, where rows are read without care.
    forms: Option<Forms>,
    /// Whether another program has saved it again, as the form of what was read shows.
    is_saved_again: bool,
    /// Whether it has all columns that were written.
    can_be_saved_again: bool,
    /// Whether it took clocks of the first schema for numbers.
    clock_is_number: bool,
    /// The form of its cells, where the two schemas differ.
    schema: Schema,
    cells: Cells,
    row: Row,
    /// Where the text of the row is.
    latest: Range<usize>,
    /// The line at which the next row begins.
    line: u64,
    rows: u64,
    /// From when on rows are left out.
    until: Option<Nanos>,
    time: TimeOfDay,
}

/// A cell as it can be told: one may have millions of entries.
fn shortened(cell: &[u8]) -> String {
    const MOST: usize = 200;
    let text = String::from_utf8_lossy(&cell[..cell.len().min(4 * MOST)]);
    let mut told: String = text.chars().take(MOST).collect();
    if told.len() < cell.len() {
        told.push('…');
    }
    told
}

impl RowReader<File> {
    /// Opens a log and reads its header.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or has another header.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        match input::open(path) {
            Ok(file) => Self::new(file, path),
            Err(source) => Err(ReadError::Read { path: path.to_owned(), source }),
        }
    }
}

impl<R: Read> RowReader<R> {
    /// Reads the header of a log; `path` is its name in messages. A log whose header is torn, or that
    /// is empty, has no rows.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or has another header.
    pub fn new(source: R, path: &Path) -> Result<Self, ReadError> {
        let mut reader = Self {
            path: path.to_owned(),
            source: Chunks::new(source),
            places: [None; FIXED.len()],
            clocks: ClockList::LAMPORT,
            clock_places: Vec::new(),
            columns: 0,
            has_our_order: false,
            forms: None,
            is_saved_again: false,
            can_be_saved_again: false,
            clock_is_number: false,
            schema: Schema::First,
            cells: Cells::default(),
            row: Row::default(),
            latest: 0..0,
            line: 1,
            rows: 0,
            until: None,
            time: TimeOfDay::default(),
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// The next row; none at the end. After an error in a row, it goes on with the one after that.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or the row is malformed.
    #[inline]
    pub fn next_row(&mut self) -> Result<Option<&Row>, ReadError> {
        Ok(if self.advance()? { Some(&self.row) } else { None })
    }

    /// Leaves rows out that happened then or later.
    #[must_use]
    pub(super) const fn until(mut self, until: Option<Nanos>) -> Self {
        self.until = until;
        self
    }

    /// Goes on to the next row; false at the end. Otherwise like [`next_row`](Self::next_row).
    ///
    /// # Errors
    ///
    /// The same.
    #[inline]
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        while self.advance_to_any()? {
            if self.until.is_none_or(|until| self.row.elapsed < until) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes on to the next row, whenever it happened; false at the end.
    #[inline]
    fn advance_to_any(&mut self) -> Result<bool, ReadError> {
        if let Some(forms) = &self.forms
            && let Some(length) = fast::fill(self.source.rest(), forms, &mut self.row, &mut self.time)
        {
            self.latest = self.source.take(length);
            self.row.line = self.line;
            self.line += 1;
            self.rows += 1;
            return Ok(true);
        }
        let Some((range, line)) = self.next_line()? else { return Ok(false) };
        self.rows += 1;
        self.row.line = line;
        self.parse(range)?;
        Ok(true)
    }

    /// The text of the row that was read last, or of the header, without the newline at its end.
    pub fn text(&self) -> &[u8] {
        &self.source.buffer[self.latest.clone()]
    }

    /// The row that was read last.
    pub const fn row(&self) -> &Row {
        &self.row
    }

    /// The file's name in messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a manifest would say of the header and the rows that were read.
    pub fn entry(&mut self) -> FileEntry {
        let (bytes, checksum) = self.consumed();
        entry(&self.path, self.rows, bytes, checksum)
    }

    /// The bytes of the header and the rows that were read, and their checksum.
    pub(super) fn consumed(&mut self) -> (u64, u32) {
        self.source.consumed()
    }

    /// The bytes of a torn last row. 0 before the end.
    pub const fn torn(&self) -> u64 {
        self.source.torn
    }

    /// The schema of the log, by its columns.
    pub const fn schema(&self) -> Schema {
        self.schema
    }

    /// Whether another program has saved it again, as the form of what was read shows: the cells mean the same, and the
    /// bytes are others.
    pub const fn is_saved_again(&self) -> bool {
        self.is_saved_again && self.can_be_saved_again
    }

    /// Whether another program took clocks of the first schema, `l.c`, for numbers: zeros at their end are lost.
    pub const fn clock_is_number(&self) -> bool {
        self.clock_is_number
    }

    /// Whether rows as they are written in a run with those clocks fit below its header, or it has none yet.
    pub(super) fn can_go_on(&self, clocks: &ClockList) -> bool {
        self.columns == 0 || self.has_our_order && self.clocks == clocks.in_a_log()
    }

    /// The clocks that the log may have columns for: the standard ones and those that its header names.
    pub const fn clocks(&self) -> &ClockList {
        &self.clocks
    }

    /// The columns that the log has, of those that are no clock's.
    pub fn columns(&self) -> Columns {
        let has = |bit: usize| self.places[bit].is_some();
        Columns((0..FIXED.len()).filter(|bit| has(*bit)).fold(0, |bits, bit| bits | 1 << bit))
    }

    fn read_header(&mut self) -> Result<(), ReadError> {
        let first = self.next_line();
        self.source.longest = LONGEST_ROW;
        let Some((range, _)) = first? else { return Ok(()) };
        let line = &self.source.buffer[range];
        let bare = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let separator = separator_of(bare);
        (self.source.separator, self.cells.separator) = (separator, separator);
        let is_returned = self.source.buffer.get(self.latest.end) == Some(&b'\r');
        let has_other_form = bare.len() < line.len() || separator != b',' || is_returned;
        let line = bare;
        let unreadable = |source| ReadError::Read { path: self.path.clone(), source };
        self.cells.split(line).map_err(unreadable)?;
        let text = self.cells.text(line);
        let names: Vec<&[u8]> = (0..self.cells.count()).map(|cell| self.cells.cell(cell, text)).collect();
        let place = |column: &str| names.iter().position(|name| *name == column.as_bytes());
        for (own, (_, column)) in self.places.iter_mut().zip(FIXED) {
            *own = place(column);
        }
        self.clocks = clocks_of(&names);
        self.clock_places =
            self.clocks.iter().map(|spec| spec.columns().map(|column| place(&column)).collect()).collect();
        self.row.clocks = Values::none(self.clocks.clone());
        self.columns = names.len();
        let written = columns(&self.clocks);
        let is_there = |column: &Column| place(&column.name()).is_some();
        if written.iter().any(|column| Schema::is_new(*column) && is_there(column)) {
            self.schema = Schema::Second;
        }
        let ours = self.schema.columns(&self.clocks);
        let is_ours = ours.len() == names.len()
            && ours.iter().zip(&names).all(|(column, name)| column.name().as_bytes() == *name);
        self.has_our_order = separator == b',' && is_ours && self.schema == Schema::Second;
        self.forms = Forms::of(&self.clocks).filter(|_| self.has_our_order);
        self.can_be_saved_again = ours.iter().all(is_there);
        self.is_saved_again = has_other_form || !is_ours;
        match NEEDED.into_iter().find(|column| !self.columns().has(*column)) {
            None => Ok(()),
            Some(column) => {
                let found: String = String::from_utf8_lossy(line).chars().take(200).collect();
                let missing = column.place().map_or("", |place| FIXED[place].1);
                Err(ReadError::Header { path: self.path.clone(), found, missing })
            }
        }
    }

    /// Where the next whole line is in the buffer, without its end, and its number.
    #[inline]
    fn next_line(&mut self) -> Result<Option<(Range<usize>, u64)>, ReadError> {
        match self.source.next_line() {
            Ok(RawLine::Whole(range)) => {
                let line = self.line;
                self.latest = range.clone();
                // Texts in quotes may hold newlines of their own.
                self.line += 1 + self.source.newlines_within;
                Ok(Some((range, line)))
            }
            Ok(RawLine::End) => Ok(None),
            Ok(RawLine::TooLong) => {
                let (path, line, longest) = (self.path.clone(), self.line, self.source.longest);
                Err(ReadError::Long { path, line, longest })
            }
            Ok(RawLine::NeverClosed) => Err(ReadError::Quote { path: self.path.clone(), line: self.line }),
            Err(source) => Err(ReadError::Read { path: self.path.clone(), source }),
        }
    }

    #[inline]
    fn parse(&mut self, range: Range<usize>) -> Result<(), ReadError> {
        let line = &self.source.buffer[range];
        let unreadable = |source| ReadError::Read { path: self.path.clone(), source };
        self.cells.split(line).map_err(unreadable)?;
        let (schema, text) = (self.schema, self.cells.text(line));
        let (clocks, clock_places) = (&self.clocks, &self.clock_places);
        let parser = Parser { cells: &self.cells, places: &self.places, clocks, clock_places, schema, text };
        if self.cells.count() != self.columns {
            let (found, expected) = (self.cells.count(), self.columns);
            return Err(ReadError::Columns { path: self.path.clone(), line: self.row.line, found, expected });
        }
        self.clock_is_number |= parser.has_clock_as_number();
        let is_saved_again = !self.is_saved_again && parser.is_saved_again();
        let filled = parser.fill(&mut self.row, &mut self.time);
        self.is_saved_again |= filled.is_ok() && is_saved_again;
        filled.map_err(|Wrong { column, expected }| {
            let found = shortened(parser.cell(column));
            let (path, line) = (self.path.clone(), self.row.line);
            ReadError::Cell { path, line, column, found, expected: expected.into_owned() }
        })
    }
}
