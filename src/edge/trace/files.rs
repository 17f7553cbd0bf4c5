//! Which files a log of another program has, and their text: regular files alone, and none without an end.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::TraceError;
use crate::edge::input;

/// The path that means standard input.
const STDIN: &str = "-";
/// The most files that are read at once.
pub(super) const MOST_FILES: usize = 10_000;
/// The longest line, in bytes.
pub(super) const LONGEST_LINE: usize = 16 << 20;
/// The most bytes of all files together: all events are in memory while they are judged.
pub(super) const MOST_BYTES: u64 = 1 << 30;

/// The files of a log.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Each with its text, in which lines end with `\n`.
    pub(super) texts: Vec<(PathBuf, String)>,
    /// What lies among them and was not opened, since it is no regular file.
    pub(super) skipped: Vec<PathBuf>,
}

/// Reads the files at these paths, a folder's being those in it whose names say that they are logs.
pub(super) fn read(paths: &[PathBuf]) -> Result<Files, TraceError> {
    let (named, skipped) = find(paths)?;
    let mut files = Files { texts: Vec::with_capacity(named.len()), skipped };
    let mut room = MOST_BYTES;
    for path in named {
        let bytes = if path.as_os_str() == STDIN {
            limited(&mut io::stdin().lock(), &path, &mut room)?
        } else {
            limited(&mut open(&path)?, &path, &mut room)?
        };
        files.texts.push((path, text(bytes)));
    }
    Ok(files)
}

fn find(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<PathBuf>), TraceError> {
    let (mut named, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        let cannot = |source| TraceError::Read { path: path.clone(), source };
        if path.as_os_str() == STDIN || !fs::metadata(path).map_err(cannot)?.is_dir() {
            named.push(path.clone());
            continue;
        }
        let mut logs = Vec::new();
        for entry in fs::read_dir(path).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            if !is_log(&path) || path.is_dir() {
                continue;
            }
            if path.is_file() { logs.push(path) } else { skipped.push(path) }
        }
        if logs.is_empty() {
            return Err(TraceError::Nothing { path: path.clone() });
        }
        logs.sort();
        named.extend(logs);
    }
    skipped.sort();
    if named.len() > MOST_FILES {
        return Err(TraceError::ManyFiles { found: named.len() });
    }
    Ok((named, skipped))
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|end| ["log", "txt", "shiviz"].iter().any(|known| end == *known))
}

/// Only a regular file is opened.
fn open(path: &Path) -> Result<File, TraceError> {
    input::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidInput => TraceError::NoFile { path: path.to_owned() },
        _ => TraceError::Read { path: path.to_owned(), source },
    })
}

/// All bytes, as long as there is room, and no line is without an end.
fn limited(source: &mut dyn Read, path: &Path, room: &mut u64) -> Result<Vec<u8>, TraceError> {
    let cannot = |source| TraceError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    let (mut line, mut begun) = (1, 0);
    loop {
        let count = match source.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(cannot(error)),
        };
        let chunk = &chunk[..count];
        match room.checked_sub(count as u64) {
            Some(rest) => *room = rest,
            None => return Err(TraceError::TooMuch { path: path.to_owned() }),
        }
        bytes.try_reserve(count).map_err(|_no_memory| cannot(io::ErrorKind::OutOfMemory.into()))?;
        let before = bytes.len();
        bytes.extend_from_slice(chunk);
        for end in memchr::memchr_iter(b'\n', chunk) {
            (line, begun) = (line + 1, before + end + 1);
        }
        debug_assert!(begun <= bytes.len(), "a line begins behind the bytes that came");
        // Judged at each piece: a device without newlines would otherwise fill the memory first.
        if bytes.len() - begun > LONGEST_LINE {
            return Err(TraceError::LongLine { path: path.to_owned(), line });
        }
    }
}

/// The text of a file, without a byte order mark, and with `\n` at the ends of its lines.
fn text(bytes: Vec<u8>) -> String {
    // Bytes that are no UTF-8 spoil a word in an event, and are no reason to read nothing.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    if text.contains("\r\n") { text.replace("\r\n", "\n") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_or_a_file_without_an_end_is_left() {
        let read = |source: &mut dyn Read, mut room| limited(source, Path::new("x.log"), &mut room);
        let error = |source: &mut dyn Read, room| read(source, room).unwrap_err().to_string();
        assert_eq!(
            error(&mut io::repeat(b'x'), MOST_BYTES),
            "x.log:1: the line is longer than 16 MiB; is this a log of text?"
        );
        let mut first = "one\ntwo\n".as_bytes().chain(io::repeat(0));
        assert!(error(&mut first, MOST_BYTES).starts_with("x.log:3: the line is longer"));
        assert!(error(&mut "one\ntwo\n".as_bytes(), 7).starts_with("x.log: the logs have more than 1 GiB"));
        assert_eq!(read(&mut "one\ntwo".as_bytes(), 7).unwrap(), b"one\ntwo");
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.log"), "a\r\nb").unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("b.log")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path("c.log")).status().unwrap().success());
        let files = read(&[folder.path().to_owned()]).unwrap();
        assert_eq!(files.texts, [(path("a.log"), "a\nb".to_owned())]);
        assert_eq!(files.skipped, [path("b.log"), path("c.log")]);
        for name in ["b.log", "c.log"] {
            let error = read(&[path(name)]).unwrap_err().to_string();
            assert!(error.contains("is no regular file"), "{error}");
        }
    }
}
