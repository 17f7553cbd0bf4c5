//! The folder of the newest run: claimed for one run at a time, with earlier runs moved aside whole.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::file::is_same_file;
use super::{
    MANIFEST, PREVIOUS, REPORT, SUMMARY, is_condition_folder, is_report, is_run_file, is_run_folder, manifest,
};

/// A folder that this run alone writes to, empty of other runs.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Where the run that was found here went.
    moved: Option<PathBuf>,
    /// The folder itself, open and locked; the lock ends with the process, however that ends.
    lock: File,
}

/// Why a folder cannot be had for a run.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made or opened.
    #[error("cannot use {} as the output folder: {source}", path.display())]
    Unusable {
        /// The folder that was asked for.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another run writes to it.
    #[error("another run is writing to {}; choose another folder with setting `output`", path.display())]
    InUse {
        /// The folder that the other run has locked.
        path: PathBuf,
    },
    /// Another folder, or none, stands in its place.
    #[error(
        "{} was moved, removed or replaced while the run wrote to it; its summary and manifest were not written",
        path.display()
    )]
    Replaced {
        /// Where the folder was at the run's start.
        path: PathBuf,
    },
    /// The run that is there cannot be moved aside.
    #[error("cannot move the earlier run's {} to {}: {source}; nothing was overwritten", from.display(), to.display())]
    Move {
        /// The file that could not be moved.
        from: PathBuf,
        /// Where it was to go.
        to: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

impl RunFolder {
    /// Claims the folder, makes it where there is none, and moves the run that it holds to
    /// `previous/<its id>/`. Files of other people stay.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be used, another run writes to it, or the earlier run cannot be moved.
    pub fn claim(path: &Path) -> Result<Self, FolderError> {
        Self::lock(path)?.emptied()
    }

    fn emptied(mut self) -> Result<Self, FolderError> {
        let earlier = run_files(&self.path).map_err(unusable(&self.path))?;
        self.moved = if earlier.is_empty() { None } else { Some(move_aside(&self.path, &earlier)?) };
        Ok(self)
    }

    /// Claims the folder with what it holds where that is to be gone on with, as `goes_on` finds once nobody else writes
    /// there; else moves that aside like [`claim`](Self::claim).
    ///
    /// # Errors
    ///
    /// As those of [`claim`](Self::claim).
    pub fn claim_unless(path: &Path, goes_on: impl FnOnce() -> bool) -> Result<Self, FolderError> {
        let folder = Self::lock(path)?;
        if goes_on() { Ok(folder) } else { folder.emptied() }
    }

    /// Claims the folder with the run that it holds, to go on with that run. Its summary is taken away, since it
    /// will be made again from the logs.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be used, or another run writes to it.
    pub fn resume(path: &Path) -> Result<Self, FolderError> {
        let folder = Self::lock(path)?;
        let is_draft = |name: &String| name.starts_with('.');
        let stale = run_files(path).map_err(unusable(path))?;
        for name in stale.iter().filter(|name| *name == SUMMARY || is_draft(name)) {
            fs::remove_file(path.join(name)).map_err(unusable(path))?;
        }
        Ok(folder)
    }

    fn lock(path: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(unusable(path))?;
        // The folder itself is locked, not a file in it: no file has to be made for that, or is left where a process dies.
        let lock = File::open(path).map_err(unusable(path))?;
        match lock.try_lock() {
            // A file system without locks is no reason not to run.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { path: path.to_owned() }),
        }
        Ok(Self { path: path.to_owned(), moved: None, lock })
    }

    /// Where the run's files go, as the path was given: relative where that was.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the path still leads to the folder that was claimed.
    ///
    /// # Errors
    ///
    /// Where it does not: what is there now is somebody else's.
    pub fn check(&self) -> Result<(), FolderError> {
        match self.lock.metadata() {
            Ok(ours) if is_same_file(&self.path, &ours) => Ok(()),
            _ => Err(FolderError::Replaced { path: self.path.clone() }),
        }
    }

    /// Where the run that was found here went.
    pub fn moved(&self) -> Option<&Path> {
        self.moved.as_deref()
    }
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> FolderError {
    move |source| FolderError::Unusable { path: path.to_owned(), source }
}

/// The names of the files of a run in the folder, the manifest last.
fn run_files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && if entry.file_type()?.is_dir() {
                is_run_folder(&name) || is_condition_folder(&name)
            } else {
                is_run_file(&name)
            }
            && (name != REPORT || (entry.path().is_file() && is_report(&entry.path()).unwrap_or(true)))
        {
            names.push(name);
        }
    }
    names.sort_unstable_by_key(|name| (name == MANIFEST, name.clone()));
    Ok(names)
}

/// Moves an earlier run's files. The manifest goes last, so that a move cut short goes on next time
/// under the same id.
fn move_aside(folder: &Path, names: &[String]) -> Result<PathBuf, FolderError> {
    let target = free_target(&folder.join(PREVIOUS), manifest::read_run_id(&folder.join(MANIFEST)), names);
    fs::create_dir_all(&target).map_err(|source| FolderError::Unusable { path: target.clone(), source })?;
    // By renaming: each file is in one place or the other, whole, at every moment, and a disk that is full is no obstacle.
    for name in names {
        let (from, to) = (folder.join(name), target.join(name));
        debug_assert!(fs::symlink_metadata(&to).is_err(), "{} would be overwritten", to.display());
        fs::rename(&from, &to).map_err(|source| FolderError::Move { from, to, source })?;
    }
    Ok(target)
}

/// The first of `<id>`, `<id>-2`, `<id>-3`, … in which none of the names is taken. A run without an
/// id gets a folder of its own: `unnamed`, `unnamed-2`, …
fn free_target(previous: &Path, id: Option<String>, names: &[String]) -> PathBuf {
    let name = id.as_deref().unwrap_or("unnamed");
    let candidates = std::iter::once(name.to_owned()).chain((2u64..).map(|n| format!("{name}-{n}")));
    let mut folders = candidates.map(|name| previous.join(name));
    let is_taken = |path: &Path| fs::symlink_metadata(path).is_ok();
    let is_free = |folder: &PathBuf| match id {
        Some(_) => !names.iter().any(|name| is_taken(&folder.join(name))),
        None => !is_taken(folder),
    };
    folders.find(is_free).expect("the candidates do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, files: &[(&str, &str)]) {
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn an_earlier_run_is_moved_whole_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let manifest = "[run]\nid = \"first\"\n";
        put(path, &[("vm_0_1.csv", "a"), ("summary.csv", "b"), (MANIFEST, manifest), ("notes.txt", "mine")]);
        let claimed = RunFolder::claim(path).unwrap();
        assert_eq!(claimed.moved(), Some(path.join("previous/first").as_path()));
        assert_eq!(read(&path.join("previous/first/vm_0_1.csv")), "a");
        assert_eq!(read(&path.join("previous/first/run.toml")), manifest);
        assert_eq!(read(&path.join("notes.txt")), "mine");
        assert_eq!(fs::read_dir(path).unwrap().count(), 2);
    }

    #[test]
    fn a_page_goes_with_its_run_and_one_of_that_name_that_is_another_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let manifest = "[run]\nid = \"first\"\n";
        put(path, &[(REPORT, &format!("<html>{}", super::super::REPORT_MARK)), (MANIFEST, manifest)]);
        drop(RunFolder::claim(path).unwrap());
        assert!(path.join("previous/first").join(REPORT).exists() && !path.join(REPORT).exists());
        put(path, &[(REPORT, "my own")]);
        assert_eq!(RunFolder::claim(path).unwrap().moved(), None);
        assert_eq!(read(&path.join(REPORT)), "my own");
    }

    #[test]
    fn a_run_without_a_manifest_is_moved_as_well_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        for content in ["one", "two", "three"] {
            put(folder.path(), &[("vms_0-9.csv", content)]);
            drop(RunFolder::claim(folder.path()).unwrap());
        }
        let previous = folder.path().join("previous");
        assert_eq!(read(&previous.join("unnamed/vms_0-9.csv")), "one");
        assert_eq!(read(&previous.join("unnamed-2/vms_0-9.csv")), "two");
        assert_eq!(read(&previous.join("unnamed-3/vms_0-9.csv")), "three");
    }

    #[test]
    fn a_move_that_was_cut_short_goes_on_and_a_name_that_is_taken_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let manifest = "[run]\nid = \"first\"\n";
        fs::create_dir_all(path.join("previous/first")).unwrap();
        put(&path.join("previous/first"), &[("vm_0_1.csv", "moved before")]);
        put(path, &[("vm_1_1.csv", "left behind"), (MANIFEST, manifest)]);
        drop(RunFolder::claim(path).unwrap());
        assert_eq!(read(&path.join("previous/first/vm_0_1.csv")), "moved before");
        assert_eq!(read(&path.join("previous/first/vm_1_1.csv")), "left behind");
        put(path, &[("vm_0_1.csv", "another"), (MANIFEST, manifest)]);
        drop(RunFolder::claim(path).unwrap());
        assert_eq!(read(&path.join("previous/first/vm_0_1.csv")), "moved before");
        assert_eq!(read(&path.join("previous/first-2/vm_0_1.csv")), "another");
    }

    #[test]
    fn a_folder_that_was_moved_away_is_no_longer_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let claimed = RunFolder::claim(&path).unwrap();
        claimed.check().unwrap();
        fs::rename(&path, folder.path().join("old")).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(claimed.check(), Err(FolderError::Replaced { .. })));
    }

    #[test]
    fn a_folder_serves_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunFolder::claim(folder.path()).unwrap();
        assert!(matches!(RunFolder::claim(folder.path()), Err(FolderError::InUse { .. })));
        drop(first);
        assert!(RunFolder::claim(folder.path()).unwrap().moved().is_none());
    }

    #[test]
    fn a_file_in_the_folders_place_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        fs::write(&path, "mine").unwrap();
        let error = RunFolder::claim(&path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert_eq!(read(&path), "mine");
    }
}
