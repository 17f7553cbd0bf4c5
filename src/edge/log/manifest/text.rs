//! The text of a scenario file or a manifest, without what was drawn for each machine, and of a length that such a
//! file can have.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

use memchr::memchr;

use crate::edge::input;
use crate::model::scenario::VmCount;

/// How much of it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ManifestPart {
    /// Its settings, the run, and its files.
    All,
    /// Its settings and the run.
    Head,
}

/// Bytes that it can have: for as many machines as there can be a rate, a number in a partition, and an entry of a
/// log's name, length and checksum; and what is beside them.
const LONGEST: u64 = VmCount::LARGEST as u64 * (12 + 9 + 160) + 1024 * 1024;

/// Reads a manifest. What was drawn follows from the settings, and its tables may be long: they are passed over.
pub(super) fn read(path: &Path, part: ManifestPart) -> io::Result<String> {
    text(&mut BufReader::new(input::open(path)?), part)
}

/// Reads a scenario file, which may come through a pipe, and may be a manifest.
pub(in crate::edge::log) fn read_scenario(path: &Path) -> io::Result<String> {
    text(&mut *input::source(path, LONGEST)?, ManifestPart::All)
}

fn text(source: &mut dyn BufRead, part: ManifestPart) -> io::Result<String> {
    let text = lines(source, part, LONGEST)?;
    String::from_utf8(text).map_err(|_utf8_error| no_text("it is no text in UTF-8"))
}

fn lines(source: &mut dyn BufRead, part: ManifestPart, longest: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut is_drawn = false;
    while let Some(first) = source.fill_buf()?.first() {
        if is_drawn && *first != b'[' {
            source.skip_until(b'\n')?;
            continue;
        }
        let start = text.len();
        read_line(source, &mut text, longest)?;
        is_drawn = text[start..].trim_ascii() == b"[drawn]";
        if is_drawn && part == ManifestPart::Head {
            break;
        }
    }
    Ok(text)
}

/// Appends the next line with its end.
fn read_line(source: &mut dyn BufRead, text: &mut Vec<u8>, longest: u64) -> io::Result<()> {
    loop {
        let piece = source.fill_buf()?;
        let end = memchr(b'\n', piece).map_or(piece.len(), |end| end + 1);
        if memchr(0, &piece[..end]).is_some() {
            return Err(no_text("it has a zero byte, so it is no text"));
        }
        if (text.len() + end) as u64 > longest {
            return Err(input::too_long(longest));
        }
        text.try_reserve(end).map_err(|_error| input::too_large(text.len() as u64))?;
        text.extend_from_slice(&piece[..end]);
        let is_whole = end == 0 || piece[end - 1] == b'\n';
        source.consume(end);
        if is_whole {
            return Ok(());
        }
    }
}

fn no_text(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "status = \"complete\"\nvms = 2\n\n[run]\nid = \"a\"\n\n[drawn]\nrates = [\n1,\n 2]\nphases_ns = [3, 4]\n\n[[files]]\nrows = 1\n";

    fn kept(part: ManifestPart) -> String {
        // A source that gives a few bytes at a time.
        let mut source = BufReader::with_capacity(5, MANIFEST.as_bytes());
        String::from_utf8(lines(&mut source, part, 1000).unwrap()).unwrap()
    }

    #[test]
    fn what_was_drawn_is_passed_over() {
        let head = "status = \"complete\"\nvms = 2\n\n[run]\nid = \"a\"\n\n[drawn]\n";
        assert_eq!(kept(ManifestPart::Head), head);
        assert_eq!(kept(ManifestPart::All), format!("{head}[[files]]\nrows = 1\n"));
    }

    #[test]
    fn what_is_no_text_or_too_long_is_refused() {
        let said =
            |mut text: &[u8], longest| lines(&mut text, ManifestPart::All, longest).unwrap_err().to_string();
        assert_eq!(said(b"vms = 3\n\0\0\0", 1000), "it has a zero byte, so it is no text");
        assert_eq!(said(b"vms = 3\n", 7), "it is longer than 7 bytes, the most that it can be");
        assert_eq!(said(&[b'x'; 4000], 2048), "it is longer than 2 KB, the most that it can be");
        assert!(lines(&mut &b"vms = 3"[..], ManifestPart::All, 7).is_ok());
    }
}
