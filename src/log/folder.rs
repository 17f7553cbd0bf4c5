//! The folder of the newest run: claimed for one run at a time, with earlier runs moved aside whole.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::{MANIFEST, PREVIOUS, is_run_file, manifest};

/// A folder that this run alone writes to, empty of other runs.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Where the run that was found here went.
    moved: Option<PathBuf>,
    /// The folder itself, open and locked; the lock ends with the process, however that ends.
    _lock: File,
}

/// Why a folder cannot be had for a run.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made or opened.
    #[error("cannot use {} as the output folder: {source}", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another run writes to it.
    #[error("another run is writing to {}; choose another folder with --output", path.display())]
    InUse {
        /// The folder.
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
        let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(unusable)?;
        let lock = File::open(path).map_err(unusable)?;
        match lock.try_lock() {
            // A file system without locks is no reason not to run.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { path: path.to_owned() }),
        }
        let earlier = run_files(path).map_err(unusable)?;
        let moved = if earlier.is_empty() { None } else { Some(move_aside(path, &earlier)?) };
        Ok(Self { path: path.to_owned(), moved, _lock: lock })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the run that was found here went.
    pub fn moved(&self) -> Option<&Path> {
        self.moved.as_deref()
    }
}

/// The names of the files of a run in the folder, the manifest last.
fn run_files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && is_run_file(&name)
            && !entry.file_type()?.is_dir()
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
    let id = manifest::read_run_id(&folder.join(MANIFEST)).unwrap_or_else(|| "unnamed".to_owned());
    let target = free_target(&folder.join(PREVIOUS), &id, names);
    fs::create_dir_all(&target).map_err(|source| FolderError::Unusable { path: target.clone(), source })?;
    for name in names {
        let (from, to) = (folder.join(name), target.join(name));
        fs::rename(&from, &to).map_err(|source| FolderError::Move { from, to, source })?;
    }
    Ok(target)
}

/// The first of `<id>`, `<id>-2`, `<id>-3`, … in which none of the names is taken.
fn free_target(previous: &Path, id: &str, names: &[String]) -> PathBuf {
    let candidates = std::iter::once(id.to_owned()).chain((2u64..).map(|n| format!("{id}-{n}")));
    let mut folders = candidates.map(|name| previous.join(name));
    let is_free =
        |folder: &PathBuf| names.iter().all(|name| fs::symlink_metadata(folder.join(name)).is_err());
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
