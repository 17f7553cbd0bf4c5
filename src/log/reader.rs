//! Log rows as values again: a reader that goes through a log once and allocates nothing a row.
//!
//! It looks the columns up in the header, so that logs of other programs may have them in another order and
//! more of them. A last row without a newline is torn: it is counted and left out.

mod fast;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use memchr::{memchr, memchr_iter};

use super::file::{FileEntry, entry};
use super::row::{COLUMNS, Column};
use crate::clock::HybridStamp;
use crate::event::MessageId;
use crate::id::VmId;
use crate::time::Nanos;

/// One row of a log, column by column, as it stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The line at which it begins, the header being line 1.
    pub line: u64,
    /// The machine.
    pub vm: VmId,
    /// The number of the event.
    pub event: u64,
    /// The kind of event.
    pub kind: EventKind,
    /// Time since the run's start.
    pub elapsed: Nanos,
    /// The time of day.
    pub system_time: Option<Timestamp>,
    /// The Lamport clock.
    pub lamport: u64,
    /// The vector clock's entries; none where it is not kept.
    pub vector: Vec<u64>,
    /// The hybrid clock, where it is kept.
    pub hybrid: Option<HybridStamp>,
    /// A send's recipients; a receive's sender.
    pub peers: Vec<VmId>,
    /// The message.
    pub message: Option<MessageId>,
    /// The Lamport clock that came with the message.
    pub sender_lamport: Option<u64>,
    /// Arrived messages that still wait; none where the log has no such column.
    pub queue: Option<u32>,
    /// Recipients for which the message was lost.
    pub lost: Vec<VmId>,
    /// Recipients to which the message was delivered twice.
    pub duplicated: Vec<VmId>,
    /// What the message carried.
    pub payload: String,
}

/// The kind of an event, as a log names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventKind {
    /// Something inside the machine.
    #[default]
    Internal,
    /// A message left, for one machine or for several.
    Send,
    /// A message was received.
    Receive,
}

impl EventKind {
    /// The kinds and what a log calls them.
    pub(super) const NAMES: [(Self, &str); 3] =
        [(Self::Internal, "internal"), (Self::Send, "send"), (Self::Receive, "receive")];

    /// What a log calls it.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

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
    /// A text in quotes does not end.
    #[error("{}:{line}: found a quote that is opened and never closed", path.display())]
    Quote {
        /// The file.
        path: PathBuf,
        /// The line at which its row begins.
        line: u64,
    },
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

/// Which columns a log has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns(u16);

impl Columns {
    /// Whether it has this one.
    pub const fn has(self, column: Column) -> bool {
        self.0 & 1 << column as usize != 0
    }
}

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// Bytes of a row with newlines in quotes, beyond which a quote was forgotten. Other rows may be longer.
const LONGEST_QUOTE: usize = 64 * 1024 * 1024;

/// Reads the rows of one log, one after the other.
#[derive(Debug)]
pub struct RowReader<R> {
    path: PathBuf,
    source: Chunks<R>,
    /// Where each column stands in this log, if it does.
    places: [Option<usize>; COLUMNS.len()],
    columns: usize,
    /// Whether the columns are ours, in our order.
    has_our_order: bool,
    cells: Cells,
    row: Row,
    /// Where the text of the row is.
    latest: Range<usize>,
    /// The line at which the next row begins.
    line: u64,
    rows: u64,
    time: TimeOfDay,
}

impl RowReader<File> {
    /// Opens a log and reads its header.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or has another header.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        match File::open(path) {
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
            places: [None; COLUMNS.len()],
            columns: 0,
            has_our_order: false,
            cells: Cells::default(),
            row: Row::default(),
            latest: 0..0,
            line: 1,
            rows: 0,
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

    /// Goes on to the next row; false at the end. Otherwise like [`next_row`](Self::next_row).
    ///
    /// # Errors
    ///
    /// The same.
    #[inline]
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        if self.has_our_order
            && let Some(length) = fast::fill(self.source.rest(), &mut self.row, &mut self.time)
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

    /// The columns that the log has.
    pub fn columns(&self) -> Columns {
        let has = |bit: usize| self.places[bit].is_some();
        Columns((0..COLUMNS.len()).filter(|bit| has(*bit)).fold(0, |bits, bit| bits | 1 << bit))
    }

    fn read_header(&mut self) -> Result<(), ReadError> {
        let Some((range, _)) = self.next_line()? else { return Ok(()) };
        let line = &self.source.buffer[range];
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        self.cells.split(line);
        let text = self.cells.text(line);
        let names: Vec<&[u8]> = (0..self.cells.count()).map(|cell| self.cells.cell(cell, text)).collect();
        for (place, column) in self.places.iter_mut().zip(COLUMNS) {
            *place = names.iter().position(|name| *name == column.as_bytes());
        }
        self.columns = names.len();
        self.has_our_order = names.iter().eq(COLUMNS.map(str::as_bytes).iter());
        match NEEDED.into_iter().find(|column| !self.columns().has(*column)) {
            None => Ok(()),
            Some(column) => {
                let found: String = String::from_utf8_lossy(line).chars().take(200).collect();
                Err(ReadError::Header { path: self.path.clone(), found, missing: column.name() })
            }
        }
    }

    /// Where the next whole line is in the buffer, without its end, and its number.
    #[inline]
    fn next_line(&mut self) -> Result<Option<(Range<usize>, u64)>, ReadError> {
        match self.source.next_line() {
            Ok(Line::Whole(range)) => {
                let line = self.line;
                self.latest = range.clone();
                // Texts in quotes may hold newlines of their own.
                self.line += 1 + self.source.newlines_within;
                Ok(Some((range, line)))
            }
            Ok(Line::End) => Ok(None),
            Ok(Line::NeverClosed) => Err(ReadError::Quote { path: self.path.clone(), line: self.line }),
            Err(source) => Err(ReadError::Read { path: self.path.clone(), source }),
        }
    }

    #[inline]
    fn parse(&mut self, range: Range<usize>) -> Result<(), ReadError> {
        let line = &self.source.buffer[range];
        self.cells.split(line);
        let parser = Parser { cells: &self.cells, places: &self.places, text: self.cells.text(line) };
        if self.cells.count() != self.columns {
            let (found, expected) = (self.cells.count(), self.columns);
            return Err(ReadError::Columns { path: self.path.clone(), line: self.row.line, found, expected });
        }
        parser.fill(&mut self.row, &mut self.time).map_err(|Wrong { column, expected }| {
            let found = String::from_utf8_lossy(parser.cell(column)).into_owned();
            let (path, line) = (self.path.clone(), self.row.line);
            ReadError::Cell { path, line, column, found, expected: expected.to_owned() }
        })
    }
}

/// A line of a source.
enum Line {
    /// Where it is in the buffer.
    Whole(Range<usize>),
    /// There are no more whole ones.
    End,
    /// A quote is opened in it and never closed, and rows follow.
    NeverClosed,
}

/// A source cut into whole lines, with a checksum of what was taken from it.
#[derive(Debug)]
struct Chunks<R> {
    source: R,
    buffer: Vec<u8>,
    /// What is taken out next.
    start: usize,
    /// The end of what was read.
    end: usize,
    ended: bool,
    /// Bytes before those in the buffer.
    before: u64,
    checksum: u32,
    /// Up to where in the buffer the checksum goes.
    summed: usize,
    torn: u64,
    /// Newlines within quotes in the line that was taken last.
    newlines_within: u64,
}

impl<R: Read> Chunks<R> {
    fn new(source: R) -> Self {
        let buffer = vec![0; CHUNK];
        Self {
            source,
            buffer,
            start: 0,
            end: 0,
            ended: false,
            before: 0,
            checksum: 0,
            summed: 0,
            torn: 0,
            newlines_within: 0,
        }
    }

    /// How many bytes were taken out as whole lines, and their checksum.
    fn consumed(&mut self) -> (u64, u32) {
        self.checksum = crc32c::crc32c_append(self.checksum, &self.buffer[self.summed..self.start]);
        self.summed = self.start;
        (self.before + self.start as u64, self.checksum)
    }

    /// What was read and not taken out.
    #[inline]
    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes a line of that length out, and tells where it is.
    #[inline]
    fn take(&mut self, length: usize) -> Range<usize> {
        let start = self.start;
        self.start += length + 1;
        self.newlines_within = 0;
        start..start + length
    }

    #[inline]
    fn next_line(&mut self) -> io::Result<Line> {
        // How much of the line is known to have no end.
        let mut searched = 0;
        loop {
            if let Some(length) = self.find_end(&mut searched) {
                let start = self.start;
                self.start += length + 1;
                let has_return = length > 0 && self.buffer[start + length - 1] == b'\r';
                return Ok(Line::Whole(start..start + length - usize::from(has_return)));
            }
            if self.ended {
                self.torn = (self.end - self.start) as u64;
                let rest = &self.buffer[self.start..self.end];
                return Ok(if self.newlines_within > 0 && looks_like_rows(rest) {
                    // Whoever goes on after the error finds the end.
                    self.start = self.end;
                    Line::NeverClosed
                } else {
                    Line::End
                });
            }
            self.ended = self.newlines_within > 0 && self.end - self.start > LONGEST_QUOTE;
            if !self.ended {
                self.fill()?;
            }
        }
    }

    /// The length of the next line without its newline. A newline within quotes ends no line.
    #[inline]
    fn find_end(&mut self, searched: &mut usize) -> Option<usize> {
        self.newlines_within = 0;
        let rest = &self.buffer[self.start..self.end];
        let Some(more) = memchr(b'\n', &rest[*searched..]) else {
            *searched = rest.len();
            return None;
        };
        let mut length = *searched + more;
        if memchr(b'"', &rest[..length]).is_none() {
            return Some(length);
        }
        *searched = length;
        while is_in_quotes(&rest[..length]) {
            self.newlines_within += 1;
            length += 1 + memchr(b'\n', &rest[length + 1..])?;
        }
        Some(length)
    }

    /// Reads more, after making room for it.
    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.consumed();
            self.buffer.copy_within(self.start..self.end, 0);
            self.before += self.start as u64;
            self.end -= self.start;
            (self.start, self.summed) = (0, 0);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.end, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(read) => {
                    self.end += read;
                    self.ended = read == 0;
                    return Ok(());
                }
            }
        }
    }
}

/// Whether the text ends within quotes.
fn is_in_quotes(line: &[u8]) -> bool {
    let mut quotes = Quotes::default();
    for &byte in line {
        quotes.next(byte);
    }
    quotes.is_in
}

/// Where in a line quotes are open. They are opened at the beginning of a cell, and doubled where they
/// are part of it (RFC 4180).
#[derive(Debug, Default)]
struct Quotes {
    is_in: bool,
    /// The previous byte began the cell's text: it was no separator, and there was one.
    is_within_cell: bool,
    /// The previous byte closed the quotes.
    has_closed: bool,
}

/// What a byte is in its line.
enum Role {
    Text,
    Quote,
    Separator,
}

impl Quotes {
    fn next(&mut self, byte: u8) -> Role {
        let has_closed = std::mem::take(&mut self.has_closed);
        let is_within_cell = std::mem::replace(&mut self.is_within_cell, true);
        match byte {
            b'"' if self.is_in => {
                (self.is_in, self.has_closed) = (false, true);
                Role::Quote
            }
            b'"' if has_closed => {
                self.is_in = true;
                Role::Text
            }
            b'"' if !is_within_cell => {
                self.is_in = true;
                Role::Quote
            }
            b',' if !self.is_in => {
                self.is_within_cell = false;
                Role::Separator
            }
            _ => Role::Text,
        }
    }
}

/// Whether lines after the first one begin as rows of a log do.
fn looks_like_rows(text: &[u8]) -> bool {
    let commas = |line: &[u8]| memchr_iter(b',', line).count();
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.next();
    lines.any(|line| line.first().is_some_and(u8::is_ascii_digit) && commas(line) + 1 >= NEEDED.len())
}

/// The cells of one line.
#[derive(Debug, Default)]
struct Cells {
    /// Where each ends.
    ends: Vec<usize>,
    /// The line without quotes, where it had any.
    unquoted: Vec<u8>,
    had_quotes: bool,
}

impl Cells {
    #[inline]
    fn split(&mut self, line: &[u8]) {
        self.ends.clear();
        self.had_quotes = memchr(b'"', line).is_some();
        if self.had_quotes {
            self.split_quoted(line);
        } else {
            self.ends.extend(memchr_iter(b',', line));
            self.ends.push(line.len());
        }
    }

    #[cold]
    fn split_quoted(&mut self, line: &[u8]) {
        self.unquoted.clear();
        let mut quotes = Quotes::default();
        for &byte in line {
            match quotes.next(byte) {
                Role::Quote => {}
                Role::Text => self.unquoted.push(byte),
                Role::Separator => {
                    self.ends.push(self.unquoted.len());
                    self.unquoted.push(byte);
                }
            }
        }
        self.ends.push(self.unquoted.len());
    }

    fn text<'a>(&'a self, line: &'a [u8]) -> &'a [u8] {
        if self.had_quotes { &self.unquoted } else { line }
    }

    const fn count(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    fn cell<'a>(&self, index: usize, text: &'a [u8]) -> &'a [u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] + 1 };
        &text[start..self.ends[index]]
    }
}

/// A cell that holds what it cannot hold.
struct Wrong {
    column: Column,
    expected: &'static str,
}

const NUMBER: &str = "a whole number";
const MACHINE: &str = "the number of a machine, from 0 to 4294967295";
const MACHINES: &str = "numbers of machines with ; between them, or nothing";

/// One line's cells on their way into a row.
struct Parser<'a> {
    cells: &'a Cells,
    places: &'a [Option<usize>; COLUMNS.len()],
    text: &'a [u8],
}

impl Parser<'_> {
    #[inline]
    fn cell(&self, column: Column) -> &[u8] {
        self.places[column as usize].map_or(&[], |place| self.cells.cell(place, self.text))
    }

    fn fill(&self, row: &mut Row, time: &mut TimeOfDay) -> Result<(), Wrong> {
        row.vm = self.one(Column::Vm, MACHINE, machine)?;
        row.event = self.one(Column::Event, NUMBER, number)?;
        row.kind = self.one(Column::Kind, "internal, send or receive", kind)?;
        row.elapsed =
            self.one(Column::Elapsed, "seconds with up to 9 decimals, such as 1.500000000", seconds)?;
        row.system_time = self.maybe(
            Column::SystemTime,
            "a time of day in UTC, such as 2026-03-01T12:00:00.000000Z",
            |cell| time.parse(cell),
        )?;
        row.lamport = self.one(Column::Lamport, NUMBER, number)?;
        self.list(Column::Vector, "whole numbers with ; between them, or nothing", number, &mut row.vector)?;
        row.hybrid = self.maybe(Column::Hlc, "two whole numbers as l.c, or nothing", hybrid)?;
        self.list(Column::Peers, MACHINES, machine, &mut row.peers)?;
        row.message =
            self.maybe(Column::Message, "a message as <sender>-<event of the send>, or nothing", message)?;
        row.sender_lamport = self.maybe(Column::SenderLamport, "a whole number, or nothing", number)?;
        row.queue = match self.places[Column::Queue as usize] {
            Some(_) => Some(self.one(Column::Queue, "a whole number up to 4294967295", narrow)?),
            None => None,
        };
        self.list(Column::Lost, MACHINES, machine, &mut row.lost)?;
        self.list(Column::Duplicated, MACHINES, machine, &mut row.duplicated)?;
        row.payload.clear();
        let payload = self.cell(Column::Payload);
        if !payload.is_empty() {
            let wrong = |_utf8_error| Wrong { column: Column::Payload, expected: "a text in UTF-8" };
            row.payload.push_str(str::from_utf8(payload).map_err(wrong)?);
        }
        Ok(())
    }

    #[inline]
    fn one<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, Wrong> {
        parse(self.cell(column)).ok_or(Wrong { column, expected })
    }

    #[inline]
    fn maybe<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        let cell = self.cell(column);
        if cell.is_empty() { Ok(None) } else { parse(cell).map(Some).ok_or(Wrong { column, expected }) }
    }

    #[inline]
    fn list<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl Fn(&[u8]) -> Option<T>,
        into: &mut Vec<T>,
    ) -> Result<(), Wrong> {
        into.clear();
        let cell = self.cell(column);
        if cell.is_empty() {
            return Ok(());
        }
        for item in cell.split(|byte| *byte == b';') {
            into.push(parse(item).ok_or(Wrong { column, expected })?);
        }
        Ok(())
    }
}

#[inline]
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    if text.len() > 19 {
        return str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?.parse().ok();
    }
    // Nineteen digits fit into 64 bits.
    text.iter().try_fold(0, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { Some(sum * 10 + u64::from(digit)) } else { None }
    })
}

#[inline]
fn narrow(text: &[u8]) -> Option<u32> {
    u32::try_from(number(text)?).ok()
}

#[inline]
fn machine(text: &[u8]) -> Option<VmId> {
    narrow(text).map(VmId)
}

fn kind(text: &[u8]) -> Option<EventKind> {
    EventKind::NAMES.into_iter().find(|(_, name)| name.as_bytes() == text).map(|(kind, _)| kind)
}

#[inline]
fn pair(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

fn hybrid(text: &[u8]) -> Option<HybridStamp> {
    let (l, c) = pair(text, b'.')?;
    Some(HybridStamp { l: Nanos::new(number(l)?), c: number(c)? })
}

fn message(text: &[u8]) -> Option<MessageId> {
    let (sender, event) = pair(text, b'-')?;
    Some(MessageId { sender: machine(sender)?, event: number(event)? })
}

pub(super) fn seconds(text: &[u8]) -> Option<Nanos> {
    let (whole, decimals) = pair(text, b'.').unwrap_or((text, b"0"));
    let missing = u32::try_from(9usize.checked_sub(decimals.len())?).ok()?;
    let nanos = number(whole)?.checked_mul(1_000_000_000)?;
    nanos.checked_add(number(decimals)? * 10u64.pow(missing)).map(Nanos::new)
}

/// Reads times of day. The part up to the minute is the same for many rows, and is kept.
#[derive(Debug, Default)]
struct TimeOfDay {
    minute: [u8; 16],
    /// The second at which it begins, where it is one.
    begins: Option<i64>,
}

impl TimeOfDay {
    /// RFC 3339 in UTC, as rows have it; any other form of a time is left to the calendar's library.
    #[inline]
    fn parse(&mut self, text: &[u8]) -> Option<Timestamp> {
        let (minute, rest) = text.split_first_chunk::<16>()?;
        let (second, micros) = match rest {
            [b':', tens @ b'0'..=b'5', ones @ b'0'..=b'9', b'.', digits @ .., b'Z'] if digits.len() == 6 => {
                (i64::from(tens - b'0') * 10 + i64::from(ones - b'0'), number(digits)?)
            }
            _ => return str::from_utf8(text).ok()?.parse().ok(),
        };
        if u128::from_ne_bytes(self.minute) != u128::from_ne_bytes(*minute) {
            let whole = format!("{}:00Z", str::from_utf8(minute).ok()?);
            self.begins = whole.parse::<Timestamp>().ok().map(Timestamp::as_second);
            self.minute = *minute;
        }
        Timestamp::new(self.begins? + second, i32::try_from(micros * 1000).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::Reading;
    use crate::event::{Kind, Received, Record, Sent};
    use crate::log::RowFormat;

    /// Gives a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(into.len()).min(self.0.len());
            into[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn reader(text: &[u8]) -> RowReader<Drops<'_>> {
        RowReader::new(Drops(text, 7), Path::new("vm_0_1.csv")).unwrap()
    }

    fn rows(text: &[u8]) -> (Vec<Row>, u64) {
        let mut reader = reader(text);
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            rows.push(row.clone());
        }
        (rows, reader.torn())
    }

    fn log(lines: &[&str]) -> Vec<u8> {
        let mut text = Vec::new();
        RowFormat::header(&mut text);
        for line in lines {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
        text
    }

    const SEND: &str = "2,17,send,0.5,2026-03-01T23:59:59.500000Z,21,9;4;17,5.3,0;1,2-17,,4,0,1,123456";

    fn records() -> impl Strategy<Value = (bool, u64, u64, Vec<u64>, u32, String)> {
        let numbers = prop_oneof![0..20u64, any::<u64>()];
        (
            any::<bool>(),
            numbers.clone(),
            0..9_000_000_000_000_000u64,
            prop::collection::vec(numbers, 0..4),
            any::<u32>(),
            any::<String>(),
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in prop::collection::vec(records(), 0..6)) {
            let start = "2026-03-01T23:59:59.5Z".parse::<Timestamp>().unwrap();
            let mut format = RowFormat::new(start);
            let mut text = log(&[]);
            let mut expected = Vec::new();
            for (is_send, number, nanos, entries, narrow, payload) in records {
                let elapsed = Nanos::new(nanos);
                let hybrid = (number > 3).then_some(HybridStamp { l: elapsed, c: number });
                let clocks = Reading { lamport: number, vector: &entries, hybrid };
                let to: Vec<VmId> = entries.iter().map(|_| VmId(narrow)).collect();
                let carried = Arc::new(payload);
                let payload = Some(Arc::clone(&carried));
                let message = MessageId { sender: VmId(narrow), event: number };
                let sent =
                    Sent { to: to.clone(), lost: to.clone(), duplicated: to.clone(), payload: payload.clone() };
                let received = Received { message, lamport: number, payload: payload.clone() };
                let kind = if is_send { Kind::Send(&sent) } else { Kind::Receive(&received) };
                let vm = VmId(narrow);
                format.row(&Record { vm, event: number, elapsed, clocks, queue: narrow, kind }, &mut text);
                let time = start + jiff::SignedDuration::from_micros((nanos / 1000).cast_signed());
                let newlines = |row: &Row| row.payload.matches('\n').count() as u64;
                let line = expected.last().map_or(2, |row: &Row| row.line + 1 + newlines(row));
                expected.push(Row {
                    line,
                    vm: VmId(narrow),
                    event: number,
                    kind: if is_send { EventKind::Send } else { EventKind::Receive },
                    elapsed,
                    system_time: Some(time),
                    lamport: number,
                    vector: entries,
                    hybrid,
                    peers: if is_send { to.clone() } else { vec![VmId(narrow)] },
                    message: Some(message),
                    sender_lamport: (!is_send).then_some(number),
                    queue: Some(narrow),
                    lost: if is_send { to.clone() } else { vec![] },
                    duplicated: if is_send { to } else { vec![] },
                    payload: carried.to_string(),
                });
            }
            let (read, torn) = rows(&text);
            prop_assert_eq!(torn, 0);
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(prop_oneof![
            Just(b','), Just(b'"'), Just(b'\n'), Just(b';'), Just(b'.'), Just(b'-'), b'0'..=b'9', any::<u8>()], 0..200)) {
            let mut text = log(&[SEND]);
            text.extend_from_slice(&bytes);
            let mut reader = reader(&text);
            let mut results = 0;
            while !matches!(reader.next_row(), Ok(None)) {
                results += 1;
                prop_assert!(results < 300);
            }
            let _ = RowReader::new(Drops(&bytes, 3), Path::new("x"));
        }

        #[test]
        fn a_row_cut_anywhere_is_torn_and_those_before_are_read(cut in 1..SEND.len()) {
            let text = log(&["0,1,internal,0.1,,1,,,,,,0,,,", SEND]);
            let (rows, torn) = rows(&text[..text.len() - cut]);
            prop_assert_eq!((rows.len(), torn), (1, (SEND.len() + 1 - cut) as u64));
        }
    }

    #[test]
    fn other_programs_may_order_columns_as_they_like_and_leave_some_out() {
        let text = b"\xef\xbb\xbfmessage,lamport,mood,peers,kind,event,vm,elapsed_s\r\n0-1,1,\"good, really\",1,send,1,0,2\r\n";
        let (rows, _) = rows(text);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].vm, rows[0].event, rows[0].kind), (VmId(0), 1, EventKind::Send));
        assert_eq!((rows[0].elapsed, &rows[0].peers[..]), (Nanos::from_secs(2), &[VmId(1)][..]));
        assert_eq!((rows[0].queue, rows[0].system_time), (None, None));
    }

    #[test]
    fn what_is_malformed_is_told_with_file_line_column_and_what_is_allowed() {
        let check = |row: &str, message: &str| {
            let text = log(&["0,1,internal,0.1,,1,,,,,,0,,,", row, "0,3,internal,0.3,,3,,,,,,0,,,"]);
            let mut reader = reader(&text);
            reader.next_row().unwrap();
            assert_eq!(reader.next_row().unwrap_err().to_string(), message);
            assert_eq!(
                reader.next_row().unwrap().map(|row| (row.line, row.event)),
                Some((4, 3)),
                "it goes on"
            );
        };
        check("0,2,internal", "vm_0_1.csv:3: found 3 columns, expected 15 as in the header");
        check("", "vm_0_1.csv:3: found 1 columns, expected 15 as in the header");
        let wrong = |column: &str, found: &str, expected: &str| {
            let at = COLUMNS.iter().position(|name| *name == column).unwrap();
            let mut cells: Vec<&str> = "0,2,send,0.2,,2,1;2,5.0,1,0-2,,0,,,".split(',').collect();
            cells[at] = found;
            check(
                &cells.join(","),
                &format!("vm_0_1.csv:3: column {column}: found '{found}', expected {expected}"),
            );
        };
        wrong("vm", "-1", MACHINE);
        wrong("vm", "4294967296", MACHINE);
        wrong("event", "", NUMBER);
        wrong("event", "+1", NUMBER);
        wrong("event", "99999999999999999999", NUMBER);
        wrong("kind", "Send", "internal, send or receive");
        wrong("elapsed_s", "0.1234567890", "seconds with up to 9 decimals, such as 1.500000000");
        wrong("elapsed_s", "20000000000", "seconds with up to 9 decimals, such as 1.500000000");
        wrong("system_time", "noon", "a time of day in UTC, such as 2026-03-01T12:00:00.000000Z");
        wrong(
            "system_time",
            "2026-02-30T12:00:00.000000Z",
            "a time of day in UTC, such as 2026-03-01T12:00:00.000000Z",
        );
        wrong("lamport", "1e3", NUMBER);
        wrong("vector", "1;;2", "whole numbers with ; between them, or nothing");
        wrong("hlc", "5", "two whole numbers as l.c, or nothing");
        wrong("peers", "1;x", MACHINES);
        wrong("message", "0_2", "a message as <sender>-<event of the send>, or nothing");
        wrong("sender_lamport", "?", "a whole number, or nothing");
        wrong("queue", "", "a whole number up to 4294967295");
        wrong("lost", ";", MACHINES);
        wrong("duplicated", " 1", MACHINES);
    }

    #[test]
    fn what_is_no_log_is_refused_by_its_header() {
        let refused = |text: &[u8]| RowReader::new(text, Path::new("x.csv")).unwrap_err().to_string();
        assert_eq!(
            refused(b"time,value\n1,2\n"),
            "x.csv:1: found 'time,value', expected a header with a column 'vm'"
        );
        assert!(
            RowReader::open(Path::new("none.csv"))
                .unwrap_err()
                .to_string()
                .starts_with("cannot read none.csv: ")
        );
    }

    #[test]
    fn a_forgotten_quote_does_not_swallow_the_rows_after_it() {
        let text = log(&[&format!("{SEND}\"").replace("123456", "\"123456").replace("6\"", "6"), SEND, SEND]);
        let mut reader = reader(&text);
        let error = reader.next_row().unwrap_err().to_string();
        assert_eq!(error, "vm_0_1.csv:2: found a quote that is opened and never closed");
        assert!(matches!(reader.next_row(), Ok(None)));
        let torn = log(&[&SEND.replace("123456", "\"12\n34")]);
        let (rows, torn) = rows(&torn);
        assert!(rows.is_empty() && torn > 0, "a text that was being written is torn");
    }

    #[test]
    fn the_entry_is_that_of_the_whole_rows() {
        let whole = log(&[SEND, SEND]);
        let text = [&whole[..], b"0,1,inter"].concat();
        let mut reader = reader(&text);
        while reader.next_row().unwrap().is_some() {}
        let entry = reader.entry();
        assert_eq!((entry.rows, entry.bytes, reader.torn()), (2, whole.len() as u64, 9));
        assert_eq!(entry.crc32c, format!("{:08x}", crc32c::crc32c(&whole)));
    }
}
