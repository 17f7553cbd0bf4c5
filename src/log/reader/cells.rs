//! The cells of a line, some of which may be in quotes (RFC 4180).

use memchr::{memchr, memchr_iter};

use super::NEEDED;

/// Whether the text ends within quotes.
pub(super) fn is_in_quotes(line: &[u8]) -> bool {
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
pub(super) fn looks_like_rows(text: &[u8]) -> bool {
    let commas = |line: &[u8]| memchr_iter(b',', line).count();
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.next();
    lines.any(|line| line.first().is_some_and(u8::is_ascii_digit) && commas(line) + 1 >= NEEDED.len())
}

/// The cells of one line.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// Where each ends.
    ends: Vec<usize>,
    /// The line without quotes, where it had any.
    unquoted: Vec<u8>,
    had_quotes: bool,
}

impl Cells {
    #[inline]
    pub(super) fn split(&mut self, line: &[u8]) {
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

    pub(super) fn text<'a>(&'a self, line: &'a [u8]) -> &'a [u8] {
        if self.had_quotes { &self.unquoted } else { line }
    }

    pub(super) const fn count(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    pub(super) fn cell<'a>(&self, index: usize, text: &'a [u8]) -> &'a [u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] + 1 };
        &text[start..self.ends[index]]
    }
}
