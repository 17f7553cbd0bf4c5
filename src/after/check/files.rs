//! The files of a run against its manifest: rows, bytes and checksums.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fault::{Fault, FaultKind, Faults};
use crate::after::history::{LogSummary, Replay};
use crate::edge::input;
use crate::edge::log::{self, FileEntry, LogFolder, Status};

/// Holds the files of each folder that has a manifest against it. They come last: what is wrong in them is
/// told by the rows before.
pub(super) fn check<S>(
    folders: &[LogFolder],
    replay: &Replay<S>,
    rows: u64,
    faults: &mut Faults,
    unchecked: &mut Vec<String>,
) {
    for folder in folders {
        let Some(manifest) = &folder.manifest else { continue };
        let place = folder.path.display();
        // What goes on, was killed or has failed is told as a part.
        if manifest.status == Status::Interrupted {
            unchecked.push(format!("whether {place} is complete: its manifest says {}", manifest.status));
        }
        if manifest.files.is_empty() {
            unchecked.push(format!("rows and checksums in {place}: its manifest has none"));
            continue;
        }
        let missing = folder.missing_logs();
        // Logs that are not here are told as such; what is here may be right.
        let is_missing = |path: &Path| missing.iter().any(|log| log.path == path);
        let mut saved_again = Vec::new();
        for entry in &manifest.files {
            let path = folder.path.join(&entry.name);
            if is_missing(&path) {
                continue;
            }
            let wrong = match replay.summaries().find(|(log, _)| *log == path) {
                Some((_, summary)) if summary.rows == entry.rows && summary.is_saved_again => {
                    saved_again.extend(wrong_log(entry, summary).map(|_| path.clone()));
                    None
                }
                Some((_, summary)) => wrong_log(entry, summary),
                None => match wrong_file(entry, &path) {
                    Some(_) if is_saved_again(entry, &path) => {
                        saved_again.push(path.clone());
                        None
                    }
                    wrong => wrong,
                },
            };
            if let Some((found, expected)) = wrong {
                faults.add(rows, fault(&path, found, format!("{expected} as in the manifest")));
            }
        }
        if let Some(files) = in_words(saved_again.iter().map(PathBuf::as_path)) {
            unchecked.push(format!(
                "the bytes of {files}: saved again by another program; the cells were checked instead"
            ));
        }
        let is_listed =
            |path: &Path| manifest.files.iter().any(|entry| folder.path.join(&entry.name) == path);
        for log in
            folder.logs.iter().filter(|log| manifest.status == Status::Complete && !is_listed(&log.path))
        {
            let expected = "only files that the manifest names".to_owned();
            faults.add(rows, fault(&log.path, "a log".to_owned(), expected));
        }
    }
}

/// A few files by name, of many the first and how many more.
pub(super) fn in_words<'a>(files: impl Iterator<Item = &'a Path>) -> Option<String> {
    const MOST: usize = 8;
    let names: Vec<String> = files.map(|path| path.display().to_string()).collect();
    let (named, more) = names.split_at(names.len().min(MOST));
    let (last, first) = named.split_last()?;
    Some(match (first, more.len()) {
        (_, more @ 1..) => format!("{} and {more} more files", named.join(", ")),
        ([], _) => last.clone(),
        _ => format!("{} and {last}", first.join(", ")),
    })
}

/// Whether the cells of a file that is no log are still those that were written: put back as they were written, they
/// have its checksum.
fn is_saved_again(entry: &FileEntry, path: &Path) -> bool {
    input::open(path)
        .and_then(|file| log::as_written(file, entry.bytes))
        .is_ok_and(|(bytes, checksum)| bytes == entry.bytes && format!("{checksum:08x}") == entry.crc32c)
}

fn fault(path: &Path, found: String, expected: String) -> Fault {
    let path = path.to_owned();
    Fault {
        kind: FaultKind::File,
        path,
        line: None,
        column: None,
        found,
        expected,
        unknown: None,
        circle: vec![],
    }
}

/// The most telling difference: rows, else bytes, else the checksum.
fn wrong_log(entry: &FileEntry, log: &LogSummary) -> Option<(String, String)> {
    if log.rows != entry.rows {
        Some((format!("{} rows", log.rows), entry.rows.to_string()))
    } else {
        wrong_content(entry, log.bytes, &log.crc32c)
    }
}

fn wrong_content(entry: &FileEntry, bytes: u64, crc32c: &str) -> Option<(String, String)> {
    if bytes != entry.bytes {
        Some((format!("{bytes} bytes"), entry.bytes.to_string()))
    } else if crc32c != entry.crc32c {
        Some((format!("checksum {crc32c}"), entry.crc32c.clone()))
    } else {
        None
    }
}

/// The same for a file that is no log.
fn wrong_file(entry: &FileEntry, path: &Path) -> Option<(String, String)> {
    match content_of(path) {
        Ok((bytes, crc32c)) => wrong_content(entry, bytes, &crc32c),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some(("no such file".to_owned(), format!("one with {} rows", entry.rows)))
        }
        Err(error) => Some((error.to_string(), format!("a file with {} rows", entry.rows))),
    }
}

fn content_of(path: &Path) -> io::Result<(u64, String)> {
    let mut file = input::open(path)?;
    let (mut bytes, mut checksum, mut buffer) = (0, 0, vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, format!("{checksum:08x}"))),
            read => {
                bytes += read as u64;
                checksum = crc32c::crc32c_append(checksum, &buffer[..read]);
            }
        }
    }
}
