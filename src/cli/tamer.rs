//! Data on its way to a terminal: shown, not obeyed.

use std::io::{self, Write};

use crate::model::text::Tame;

/// Writes bytes as text that steers nothing but the ends of lines and tabs.
#[derive(Debug)]
pub(super) struct TamedWriter<W: Write> {
    out: W,
    /// The beginning of a character whose end has not come yet.
    rest: Vec<u8>,
}

impl<W: Write> TamedWriter<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out, rest: Vec::new() }
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        write!(self.out, "{}", Tame(&text))
    }
}

impl<W: Write> Write for TamedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.show(chunk.valid())?;
            let is_last = chunks.peek().is_none();
            let wrong = chunk.invalid();
            if is_last && is_beginning(wrong) {
                self.rest = wrong.to_vec();
            } else if !wrong.is_empty() {
                self.show(&wrong.escape_ascii().to_string())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether more bytes may make a character of these.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_come_whole_and_tame_however_they_are_cut() {
        let text = "é\u{1b}[1m\u{9b}x\n".as_bytes();
        for cut in 0..text.len() {
            let mut out = Vec::new();
            let mut tamer = TamedWriter::new(&mut out);
            tamer.write_all(&text[..cut]).unwrap();
            tamer.write_all(&text[cut..]).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), "é\\u{1b}[1m\\u{9b}x\n");
        }
        let mut out = Vec::new();
        TamedWriter::new(&mut out).write_all(b"a\x9bz").unwrap();
        assert_eq!(out, b"a\\x9bz");
    }
}
