//! One log file while it grows: rows reach the operating system whole, or not at all.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RowFormat;
use crate::clock::ClockList;
use crate::model::event::Record;

/// A log file being written.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// Rows formatted and not yet handed to the operating system.
    held: Vec<u8>,
    held_rows: u64,
    /// What the operating system has, all of it whole rows.
    bytes: u64,
    rows: u64,
    checksum: u32,
}

/// What the manifest says of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the run's folder.
    pub name: String,
    /// Its rows, the header not counted.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The CRC-32C of its bytes, in hexadecimal.
    pub crc32c: String,
}

/// Why a file of a run could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It could not be made.
    #[error("cannot create {}: {source}", path.display())]
    Create {
        /// Where the log was to be.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A row could not be written.
    #[error("cannot write {}: {source}; its first {rows} rows are whole", path.display())]
    Write {
        /// The log that ends there; what it has is whole.
        path: PathBuf,
        /// Rows that it holds, all whole.
        rows: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// How far the logs go could not be told beside them.
    #[error("cannot write {}: {source}", path.display())]
    Mark {
        /// The file that tells it.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// At the end another file, or none, stands in its place.
    #[error("{} was removed or replaced while the run wrote it", path.display())]
    Replaced {
        /// Where the log was, and something else is now or nothing.
        path: PathBuf,
    },
    /// At the end the file is not what was written to it.
    #[error("{} was changed while the run wrote it: it has {found} bytes, written were {written}", path.display())]
    Changed {
        /// The log that somebody else wrote to.
        path: PathBuf,
        /// How many bytes it has now.
        found: u64,
        /// What the run wrote.
        written: u64,
    },
}

impl LogFile {
    /// Makes a new log of the events of a run with those clocks, with its header.
    ///
    /// # Errors
    ///
    /// Where the file is there already or cannot be made.
    pub fn create(path: PathBuf, clocks: &ClockList) -> Result<Self, LogError> {
        Self::create_with(path, |out| RowFormat::header(clocks, out))
    }

    /// Makes a new log of anything, with that header.
    pub(super) fn create_with(path: PathBuf, header: impl FnOnce(&mut Vec<u8>)) -> Result<Self, LogError> {
        let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(source) => return Err(LogError::Create { path, source }),
        };
        Self::reopened(path, file, header, 0, (0, 0))
    }

    /// Goes on with a file that ends after that many rows and bytes with that checksum, and stands there. Where it
    /// has no bytes, it gets its header.
    pub(super) fn reopened(
        path: PathBuf,
        file: File,
        header: impl FnOnce(&mut Vec<u8>),
        rows: u64,
        (bytes, checksum): (u64, u32),
    ) -> Result<Self, LogError> {
        let mut log = Self { path, file, held: Vec::new(), held_rows: 0, bytes, rows, checksum };
        if bytes == 0 {
            header(&mut log.held);
            log.flush()?;
        }
        Ok(log)
    }

    /// Formats an event's row and holds it until the next [`flush`](Self::flush).
    pub fn append(&mut self, record: &Record<'_>, format: &mut RowFormat) {
        self.append_with(|out| format.row(record, out));
    }

    /// Holds a row that `write` appends.
    pub(super) fn append_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.held.len();
        write(&mut self.held);
        self.held_rows += 1;
        debug_assert!(
            self.held.len() > start && self.held.ends_with(b"\n"),
            "a row without its newline is a torn one to every reader"
        );
    }

    /// The bytes that it holds.
    pub const fn held(&self) -> usize {
        self.held.len()
    }

    /// Hands the rows that it holds to the operating system.
    ///
    /// # Errors
    ///
    /// Where they cannot be written whole; then the file ends with its last whole row of before.
    pub fn flush(&mut self) -> Result<(), LogError> {
        // One write for all rows that are held: a process that is killed leaves all of them or, at worst, a torn last one.
        let written = self.file.write_all(&self.held);
        if let Err(source) = written {
            // Part of a row may be there. Where even this fails, the torn row is left to the readers.
            let _ = self.file.set_len(self.bytes);
            self.held.clear();
            self.held_rows = 0;
            return Err(LogError::Write { path: self.path.clone(), rows: self.rows, source });
        }
        self.checksum = crc32c::crc32c_append(self.checksum, &self.held);
        self.bytes += self.held.len() as u64;
        self.rows += self.held_rows;
        self.held.clear();
        self.held_rows = 0;
        debug_assert!(self.bytes > self.rows, "every row has a byte, and so has the header");
        Ok(())
    }

    /// Flushes the file, checks that it holds what was written, and closes it.
    ///
    /// # Errors
    ///
    /// Where it cannot be flushed, or has another size than what was written.
    pub fn finish(mut self) -> Result<FileEntry, LogError> {
        self.flush()?;
        let ours = match self.file.metadata() {
            Ok(metadata) => metadata,
            Err(source) => return Err(LogError::Write { path: self.path, rows: self.rows, source }),
        };
        // The open file is written to under whatever name it has, or none: only the path tells whether it is still there.
        if !is_same_file(&self.path, &ours) {
            return Err(LogError::Replaced { path: self.path });
        }
        if ours.len() != self.bytes {
            return Err(LogError::Changed { path: self.path, found: ours.len(), written: self.bytes });
        }
        Ok(entry(&self.path, self.rows, self.bytes, self.checksum))
    }
}

/// Whether the path still leads to the file, or folder, of that metadata.
pub(super) fn is_same_file(path: &Path, ours: &Metadata) -> bool {
    fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (ours.dev(), ours.ino()))
}

/// A file that is written once, from its beginning to its end.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    checksum: u32,
}

impl NewFile {
    pub(super) fn create(path: PathBuf) -> Result<Self, LogError> {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file, bytes: 0, checksum: 0 }),
            Err(source) => Err(LogError::Create { path, source }),
        }
    }

    /// What the manifest says of it, now that it is whole and has so many rows.
    pub(super) fn entry(&self, rows: u64) -> FileEntry {
        entry(&self.path, rows, self.bytes, self.checksum)
    }
}

impl Write for NewFile {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        // A write may take a part: the checksum is of what the file has.
        let written = self.file.write(content)?;
        debug_assert!(written <= content.len(), "more was written than there was");
        self.checksum = crc32c::crc32c_append(self.checksum, &content[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What the manifest says of a file with so many rows and bytes.
pub(super) fn entry(path: &Path, rows: u64, bytes: u64, checksum: u32) -> FileEntry {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    FileEntry { name, rows, bytes, crc32c: format!("{checksum:08x}") }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_flushed_row_is_in_the_file_and_the_entry_tells_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm_0_1.csv");
        let mut log = LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap();
        let mut format = RowFormat::new(Timestamp::UNIX_EPOCH, &ClockList::LAMPORT);
        for event in 1..=3 {
            log.append(&Record::internal(event), &mut format);
            log.flush().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap().lines().count() as u64, 1 + event);
        }
        let content = fs::read(&path).unwrap();
        let crc32c = format!("{:08x}", crc32c::crc32c(&content));
        let expected = FileEntry { name: "vm_0_1.csv".into(), rows: 3, bytes: content.len() as u64, crc32c };
        assert_eq!(log.finish().unwrap(), expected);
    }

    #[test]
    fn a_file_that_is_there_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm_0_1.csv");
        fs::write(&path, "mine").unwrap();
        let error = LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot create {}: ", path.display())), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_file_changed_by_others_is_found_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm_0_1.csv");
        let mut log = LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap();
        log.append(&Record::internal(1), &mut RowFormat::new(Timestamp::UNIX_EPOCH, &ClockList::LAMPORT));
        log.flush().unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"x").unwrap();
        assert!(matches!(log.finish(), Err(LogError::Changed { .. })));
    }

    #[test]
    fn a_file_removed_or_replaced_by_others_is_found_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm_0_1.csv");
        let log = LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap();
        fs::copy(&path, folder.path().join("copy")).unwrap();
        fs::rename(folder.path().join("copy"), &path).unwrap();
        assert!(matches!(log.finish(), Err(LogError::Replaced { .. })));
        fs::remove_file(&path).unwrap();
        let log = LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(log.finish(), Err(LogError::Replaced { .. })));
    }
}
