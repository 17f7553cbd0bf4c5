//! How far the logs of a run all go, while they are written many rows at a time.
//!
//! Such logs do not grow together, so one of them may hold a receive whose send is not yet in another. The file
//! `.frontier` beside them tells a time before which no row of any of them is missing: up to there they are a
//! consistent cut, since causes come before effects. Readers leave out what is later. A run takes the file away
//! once its logs are whole; where it is killed, or a disk is full, it stays.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::LogError;
use super::reader::seconds;
use crate::model::time::Nanos;

/// The name of the file.
pub(super) const FRONTIER: &str = ".frontier";

/// The mark beside logs that are being written.
#[derive(Debug)]
pub struct Frontier {
    path: PathBuf,
    file: File,
    /// What the file says now.
    at: Nanos,
}

impl Frontier {
    /// Makes the mark, before any of the logs is made: no row is known to be there.
    ///
    /// # Errors
    ///
    /// Where it is there already or cannot be made.
    pub fn create(folder: &Path) -> Result<Self, LogError> {
        let path = folder.join(FRONTIER);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                let mut frontier = Self { path, file, at: Nanos::ZERO };
                frontier.advance(Nanos::ZERO)?;
                Ok(frontier)
            }
            Err(source) => Err(LogError::Create { path, source }),
        }
    }

    /// Every row from before that time is with the operating system.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn advance(&mut self, to: Nanos) -> Result<(), LogError> {
        debug_assert!(
            to >= self.at,
            "rows that readers have seen would be taken back: {} after {}",
            to,
            self.at
        );
        self.at = to;
        // Always as long, so that a later time covers the one before it.
        let (seconds, nanos) = to.split();
        let text = format!("{seconds:011}.{nanos:09}\n");
        let written = self.file.write_all_at(text.as_bytes(), 0);
        written.map_err(|source| LogError::Mark { path: self.path.clone(), source })
    }

    /// All logs are whole.
    ///
    /// # Errors
    ///
    /// Where it cannot be taken away.
    pub fn remove(self) -> Result<(), LogError> {
        fs::remove_file(&self.path).map_err(|source| LogError::Mark { path: self.path, source })
    }
}

/// How far the logs in a folder all go, where they do not go as far as they can.
pub(super) fn frontier_of(folder: &Path) -> io::Result<Option<Nanos>> {
    match fs::read(folder.join(FRONTIER)) {
        // Where the mark itself is torn, nothing is known to be there.
        Ok(text) => Ok(Some(seconds(text.trim_ascii_end()).unwrap_or_default())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_tells_the_latest_time_and_goes_when_all_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let found = || frontier_of(folder.path()).unwrap();
        assert_eq!(found(), None);
        let mut frontier = Frontier::create(folder.path()).unwrap();
        assert_eq!(found(), Some(Nanos::ZERO));
        for nanos in [1, 999_999_999, 61_000_000_001, u64::MAX] {
            frontier.advance(Nanos::new(nanos)).unwrap();
            assert_eq!(found(), Some(Nanos::new(nanos)));
        }
        assert!(matches!(Frontier::create(folder.path()), Err(LogError::Create { .. })));
        frontier.remove().unwrap();
        assert_eq!(found(), None);
    }

    #[test]
    fn a_mark_that_cannot_be_read_promises_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "0000", "soon\n"] {
            fs::write(folder.path().join(FRONTIER), text).unwrap();
            assert_eq!(frontier_of(folder.path()).unwrap(), Some(Nanos::ZERO), "{text}");
        }
    }
}
