//! A source of bytes cut into whole lines.

use std::io::{self, Read};
use std::ops::Range;

use memchr::memchr;

use super::cells::{Quotes, looks_like_rows};
use crate::edge::input::too_large;
use crate::model::scenario::VmCount;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// Bytes that a log's header can have: names of columns, others than ours too.
pub(in crate::edge::log) const LONGEST_HEADER: usize = 1024 * 1024;

/// Bytes that a row can have: in a run of as many machines as there can be an entry each in a vector, and a machine
/// each in the three lists of machines, with a comma; and what is beside them.
pub(in crate::edge::log) const LONGEST_ROW: usize = VmCount::LARGEST as usize * (21 + 3 * 8) + 1024 * 1024;

/// Bytes of a row with newlines in quotes, beyond which a quote was forgotten. Other rows may be longer.
const LONGEST_QUOTE: usize = 64 * 1024 * 1024;

/// A line of a source.
pub(in crate::edge::log) enum RawLine {
    /// Where it is in the buffer.
    Whole(Range<usize>),
    /// There are no more whole ones.
    End,
    /// A quote is opened in it and never closed, and rows follow.
    NeverClosed,
    /// It is longer than a line can be; what follows it is not read.
    TooLong,
}

/// A source cut into whole lines, with a checksum of what was taken from it.
#[derive(Debug)]
pub(in crate::edge::log) struct Chunks<R> {
    source: R,
    pub(in crate::edge::log) buffer: Vec<u8>,
    /// What stands between cells.
    pub(in crate::edge::log) separator: u8,
    /// The most bytes of a line.
    pub(in crate::edge::log) longest: usize,
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
    pub(in crate::edge::log) torn: u64,
    /// Newlines within quotes in the line that was taken last.
    pub(in crate::edge::log) newlines_within: u64,
}

impl<R: Read> Chunks<R> {
    pub(in crate::edge::log) fn new(source: R) -> Self {
        let buffer = vec![0; CHUNK];
        Self {
            source,
            buffer,
            separator: b',',
            longest: LONGEST_HEADER,
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
    pub(in crate::edge::log) fn consumed(&mut self) -> (u64, u32) {
        debug_assert!(
            self.summed <= self.start && self.start <= self.end && self.end <= self.buffer.len(),
            "{} summed, {} taken, {} read of {}",
            self.summed,
            self.start,
            self.end,
            self.buffer.len()
        );
        self.checksum = crc32c::crc32c_append(self.checksum, &self.buffer[self.summed..self.start]);
        self.summed = self.start;
        (self.before + self.start as u64, self.checksum)
    }

    /// What was read and not taken out.
    #[inline]
    pub(in crate::edge::log) fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes a line of that length out, and tells where it is.
    #[inline]
    pub(in crate::edge::log) fn take(&mut self, length: usize) -> Range<usize> {
        debug_assert!(self.start + length < self.end, "a line and its newline were read");
        let start = self.start;
        self.start += length + 1;
        self.newlines_within = 0;
        start..start + length
    }

    #[inline]
    pub(in crate::edge::log) fn next_line(&mut self) -> io::Result<RawLine> {
        // How much of the line is known to have no end.
        let mut searched = 0;
        loop {
            if let Some(length) = self.find_end(&mut searched) {
                let start = self.start;
                self.start += length + 1;
                let has_return = length > 0 && self.buffer[start + length - 1] == b'\r';
                return Ok(RawLine::Whole(start..start + length - usize::from(has_return)));
            }
            if self.ended {
                self.torn = (self.end - self.start) as u64;
                let rest = &self.buffer[self.start..self.end];
                return Ok(if self.newlines_within > 0 && looks_like_rows(rest, self.separator) {
                    // Whoever goes on after the error finds the end.
                    self.start = self.end;
                    RawLine::NeverClosed
                } else {
                    RawLine::End
                });
            }
            let length = self.end - self.start;
            if length > self.longest {
                // It is none of the whole lines.
                (self.end, self.ended) = (self.start, true);
                return Ok(RawLine::TooLong);
            }
            self.ended = self.newlines_within > 0 && length > LONGEST_QUOTE;
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
        let mut quotes = Quotes::of(self.separator);
        quotes.pass(&rest[..length]);
        while quotes.is_open() {
            self.newlines_within += 1;
            let more = 1 + memchr(b'\n', &rest[length + 1..])?;
            quotes.pass(&rest[length..length + more]);
            length += more;
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
        // Doubled where one line fills it: a long line is copied a few times, not once for each piece of it.
        if self.end == self.buffer.len() {
            self.buffer.try_reserve_exact(self.end).map_err(|_error| too_large(self.end as u64))?;
            self.buffer.resize(2 * self.end, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(read) => {
                    self.end += read;
                    debug_assert!(
                        self.end <= self.buffer.len(),
                        "a source gives no more than there is room for"
                    );
                    self.ended = read == 0;
                    return Ok(());
                }
            }
        }
    }
}
