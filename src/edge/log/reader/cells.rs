//! The cells of a line, some of which may be in quotes (RFC 4180).

use std::io;

use memchr::{memchr, memchr_iter};

use super::NEEDED;
use super::chunks::LONGEST_HEADER;
use crate::edge::input::too_large;

/// Where in a line quotes are open. They are opened at the beginning of a cell, and doubled where they
/// are part of it (RFC 4180).
#[derive(Debug)]
pub(in crate::edge::log) struct Quotes {
    separator: u8,
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
    /// At the beginning of a line whose cells that parts.
    pub(in crate::edge::log) const fn of(separator: u8) -> Self {
        Self { separator, is_in: false, is_within_cell: false, has_closed: false }
    }

    /// Goes on over a text.
    pub(in crate::edge::log) fn pass(&mut self, text: &[u8]) {
        for &byte in text {
            self.next(byte);
        }
    }

    /// Whether the text so far ends within quotes.
    pub(in crate::edge::log) const fn is_open(&self) -> bool {
        self.is_in
    }

    fn next(&mut self, byte: u8) -> Role {
        let has_closed = std::mem::take(&mut self.has_closed);
        let is_within_cell = std::mem::replace(&mut self.is_within_cell, true);
        match byte {
            b'"' if self.is_in => {
                (self.is_in, self.has_closed) = (false, true);
                Role::Quote
            }
            // RFC 4180, section 2, rule 7: a quote behind one that closed is the second of a pair, and part of the cell.
            b'"' if has_closed => {
                self.is_in = true;
                Role::Text
            }
            b'"' if !is_within_cell => {
                self.is_in = true;
                Role::Quote
            }
            byte if byte == self.separator && !self.is_in => {
                self.is_within_cell = false;
                Role::Separator
            }
            _ => Role::Text,
        }
    }
}

/// Whether lines after the first one begin as rows of a log do.
pub(in crate::edge::log) fn looks_like_rows(text: &[u8], separator: u8) -> bool {
    let commas = |line: &[u8]| memchr_iter(separator, line).count();
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.next();
    lines.any(|line| line.first().is_some_and(u8::is_ascii_digit) && commas(line) + 1 >= NEEDED.len())
}

/// The cells of a line whose places are kept: more than a header can name.
const MOST_CELLS: usize = LONGEST_HEADER;

/// The cells of one line.
#[derive(Debug)]
pub(in crate::edge::log) struct Cells {
    /// What stands between them.
    pub(in crate::edge::log) separator: u8,
    /// Where each ends in the line, or in `unquoted`, without the separator behind it.
    ends: Vec<usize>,
    /// How many more there are.
    more: usize,
    /// The line without quotes, where it had any.
    unquoted: Vec<u8>,
    had_quotes: bool,
}

impl Default for Cells {
    fn default() -> Self {
        Self { separator: b',', ends: Vec::new(), more: 0, unquoted: Vec::new(), had_quotes: false }
    }
}

/// The separator of a log: the one that its header has most of, a comma where there is none.
pub(in crate::edge::log) fn separator_of(header: &[u8]) -> u8 {
    let count = |separator: &u8| memchr_iter(*separator, header).count();
    *[b'\t', b';', b','].iter().max_by_key(|separator| count(separator)).unwrap_or(&b',')
}

impl Cells {
    /// Finds the cells of a line.
    ///
    /// # Errors
    ///
    /// Where there is no memory for a line in quotes.
    #[inline]
    pub(in crate::edge::log) fn split(&mut self, line: &[u8]) -> io::Result<()> {
        self.ends.clear();
        self.more = 0;
        self.had_quotes = memchr(b'"', line).is_some();
        if self.had_quotes {
            self.unquoted.clear();
            self.unquoted.try_reserve(line.len()).map_err(|_error| too_large(line.len() as u64))?;
            self.split_quoted(line);
        } else {
            let mut commas = memchr_iter(self.separator, line);
            self.ends.extend(commas.by_ref().take(MOST_CELLS));
            self.more = commas.count();
            self.ends.push(line.len());
        }
        Ok(())
    }

    #[cold]
    fn split_quoted(&mut self, line: &[u8]) {
        let mut quotes = Quotes::of(self.separator);
        for &byte in line {
            match quotes.next(byte) {
                Role::Quote => {}
                Role::Text => self.unquoted.push(byte),
                Role::Separator => {
                    if self.ends.len() < MOST_CELLS {
                        self.ends.push(self.unquoted.len());
                    } else {
                        self.more += 1;
                    }
                    self.unquoted.push(byte);
                }
            }
        }
        self.ends.push(self.unquoted.len());
        debug_assert!(self.ends.is_sorted(), "cells follow each other");
        debug_assert!(self.unquoted.len() <= line.len(), "a line gets shorter without its quotes");
    }

    pub(in crate::edge::log) fn text<'a>(&'a self, line: &'a [u8]) -> &'a [u8] {
        if self.had_quotes { &self.unquoted } else { line }
    }

    pub(in crate::edge::log) const fn count(&self) -> usize {
        self.ends.len() + self.more
    }

    #[inline]
    pub(in crate::edge::log) fn cell<'a>(&self, index: usize, text: &'a [u8]) -> &'a [u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] + 1 };
        &text[start..self.ends[index]]
    }
}
