//! What a folder holds of a run that is over: its logs, its manifest, or the runs of a series.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::frontier::frontier_of;
use super::manifest::{SavedManifest, read_manifest};
use super::{
    MANIFEST, ManifestError, PREVIOUS, ReadError, RowReader, bridge, is_condition_folder, is_log,
    is_node_folder, is_run_folder, node_of_bridge_log,
};
use crate::edge::input;
use crate::model::id::VmId;
use crate::model::scenario::LogChoice;
use crate::model::text::count;
use crate::model::time::Nanos;

/// The logs of one run in one folder.
#[derive(Clone, Debug)]
pub struct LogFolder {
    /// The folder, or the one log that was named instead of a folder.
    pub path: PathBuf,
    /// What its manifest says, where it has one.
    pub manifest: Option<SavedManifest>,
    /// Its logs, at least one, in the order of their machines.
    pub logs: Vec<LogPath>,
    /// The logs of bridges in it, by their nodes: where there are any, it is part of a run of several processes.
    pub bridges: Vec<Bridge>,
}

/// What the log of a bridge tells of the machines of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// The node whose process the bridge was in, from its file's name.
    pub node: u32,
    /// When its machines went on after its process had died.
    pub resumes: Vec<Nanos>,
}

/// Where a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPath {
    /// The log itself, in the folder or as the user named it.
    pub path: PathBuf,
    /// The machines that its name says it has; none where another program named it.
    pub machines: Option<RangeInclusive<VmId>>,
    /// Where the run was cut off, or still goes on: rows from then on are left out, since not all logs go further.
    pub until: Option<Nanos>,
}

impl LogPath {
    /// Opens the log, as far as all of its run go.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or has another header.
    pub fn open(&self) -> Result<RowReader<File>, ReadError> {
        Ok(RowReader::open(&self.path)?.until(self.until))
    }
}

impl LogFolder {
    /// Where rows of it are left out since not all of its logs go as far: that, in words.
    pub fn cut(&self) -> Option<String> {
        let (seconds, nanos) = self.logs.iter().find_map(|log| log.until)?.split();
        Some(format!(
            "{}: its run was cut off or still goes on, and not all of its logs go further than {seconds}.{nanos:09} s: \
             what happened from then on was left out",
            self.path.display()
        ))
    }
}

/// What is found at a path.
#[derive(Clone, Debug)]
pub enum Found {
    /// One run, or one node's part of it.
    Run(Box<LogFolder>),
    /// Several runs of one scenario, in their order.
    Series(Vec<LogFolder>),
    /// The nodes of one run, each in a folder of its own.
    Nodes(Vec<LogFolder>),
}

/// Why there is no run to read.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// What was named as a folder of logs.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Its manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It holds no run.
    #[error("{} holds no run: expected logs such as vm_0_6.csv in it, or a log itself{hint}", path.display())]
    Nothing {
        /// The folder in which no file's name is that of a log.
        path: PathBuf,
        /// Where there may be one.
        hint: String,
    },
    /// Its run's logs are not in it.
    #[error("{} has a run's manifest and none of its logs: {why}", path.display())]
    NoLogs {
        /// The folder with the manifest.
        path: PathBuf,
        /// What its manifest says of them.
        why: String,
    },
    /// Folders are of several runs.
    #[error(
        "{} is of run {first_run} and {} of run {second_run}, by their manifests: several folders are the nodes of one run",
        first.display(), second.display()
    )]
    DifferentRuns {
        /// The folder that was named first.
        first: PathBuf,
        /// The run to which the first folder belongs, by its manifest.
        first_run: String,
        /// A folder that was named after it.
        second: PathBuf,
        /// The run to which that one belongs.
        second_run: String,
    },
    /// Its run was not logged.
    #[error("the run in {} has no logs, since it was made with setting `log = none`: there are no events to read", path.display())]
    NotLogged {
        /// The folder with the manifest that says so.
        path: PathBuf,
    },
}

/// Looks for a run: a folder's own logs; where another program named them, its CSV files; where it has none,
/// the runs `run_1`, `run_2`, … in it, or the nodes `node_0`, `node_1`, …. A path to a file is one log.
///
/// # Errors
///
/// Where there is none.
pub fn find(path: &Path) -> Result<Found, FindError> {
    let read = |source| FindError::Read { path: path.to_owned(), source };
    let what = fs::metadata(path).map_err(read)?;
    if !what.is_dir() {
        input::refuse_others(&what).map_err(read)?;
        let until = path.parent().map_or(Ok(None), frontier_of).map_err(read)?;
        let logs = vec![LogPath { path: path.to_owned(), machines: machines_of(path), until }];
        return Ok(Found::Run(Box::new(LogFolder {
            path: path.to_owned(),
            manifest: None,
            logs,
            bridges: Vec::new(),
        })));
    }
    let (mut own, mut others, mut bridges) = (Vec::new(), Vec::new(), Vec::new());
    let (mut runs, mut nodes, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    for entry in fs::read_dir(path).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.metadata().map_err(read)?.is_dir();
        let machines = machines_of(&entry.path());
        if let Some(node) = node_of_bridge_log(&name) {
            bridges.push(Bridge { node, resumes: bridge::resumes(&entry.path()) });
        } else if is_folder && is_run_folder(&name) {
            runs.push(entry.path());
        } else if is_folder && is_condition_folder(&name) {
            conditions.push(entry.path());
        } else if is_folder && is_node_folder(&name) {
            nodes.push(entry.path());
        } else if machines.is_some() {
            // Left out, it would be missing without a word.
            let what = fs::metadata(entry.path());
            let is_file = what.and_then(|what| input::refuse_others(&what));
            is_file.map_err(|source| FindError::Read { path: entry.path(), source })?;
            own.push(LogPath { path: entry.path(), machines, until: None });
        } else if !is_folder && name.ends_with(".csv") && !super::is_run_file(&name) {
            others.push(LogPath { path: entry.path(), machines, until: None });
        }
    }
    let manifest_path = path.join(MANIFEST);
    let manifest = if manifest_path.exists() { Some(read_manifest(&manifest_path)?) } else { None };
    let mut logs = if own.is_empty() && manifest.is_none() { others } else { own };
    if logs.is_empty() {
        if !conditions.is_empty() {
            return each_condition(conditions).map(Found::Series);
        }
        return match (runs.is_empty(), nodes.is_empty()) {
            (false, _) => each(runs).map(Found::Series),
            (true, false) => {
                let nodes = each(nodes)?;
                one_run(&nodes)?;
                Ok(Found::Nodes(nodes))
            }
            (true, true) => Err(nothing(path, manifest.as_ref())),
        };
    }
    // Read after the names of the logs: they may be whole by now.
    let until = frontier_of(path).map_err(read)?;
    logs.iter_mut().for_each(|log| log.until = until);
    logs.sort_by_cached_key(|log| (log.machines.as_ref().map(|range| *range.start()), log.path.clone()));
    bridges.sort_by_key(|bridge| bridge.node);
    Ok(Found::Run(Box::new(LogFolder { path: path.to_owned(), manifest, logs, bridges })))
}

/// Looks for the logs among files that stand beside each other, as a shell's `output/*.csv` names them: those of one
/// folder are one run, whose manifest is found there. A run's other files are stepped over, and so is nothing else.
///
/// # Errors
///
/// Where a folder cannot be read, or its manifest.
pub fn find_among(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FindError> {
    let is_other = |path: &&PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        !path.is_dir() && super::is_run_file(name) && machines_of(path).is_none()
    };
    let logs: Vec<PathBuf> = paths.iter().filter(|path| !is_other(path)).cloned().collect();
    match paths.first() {
        Some(first) if logs.is_empty() => Err(FindError::Nothing {
            path: first.clone(),
            hint: "; it is another of a run's files".to_owned(),
        }),
        _ => Ok(logs),
    }
}

/// The logs beside each other in one folder, as one run.
///
/// # Errors
///
/// Where the folder cannot be read, or its manifest.
pub fn find_beside(folder: &Path, logs: &[PathBuf]) -> Result<LogFolder, FindError> {
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let whole = match find(place) {
        Ok(Found::Run(whole)) => Some(*whole),
        Ok(_) | Err(FindError::Nothing { .. } | FindError::NotLogged { .. }) => None,
        Err(error) => return Err(error),
    };
    let until = frontier_of(place).map_err(|source| FindError::Read { path: place.to_owned(), source })?;
    let here = |log: &PathBuf| log.file_name().map_or_else(|| log.clone(), |name| place.join(name));
    let mut logs: Vec<LogPath> =
        logs.iter().map(|log| LogPath { path: here(log), machines: machines_of(log), until }).collect();
    logs.sort_by_cached_key(|log| (log.machines.as_ref().map(|range| *range.start()), log.path.clone()));
    logs.dedup_by(|a, b| a.path == b.path);
    let (manifest, bridges) = whole.map(|whole| (whole.manifest, whole.bridges)).unwrap_or_default();
    Ok(LogFolder { path: place.to_owned(), manifest, logs, bridges })
}

/// What is in each of several folders, by their numbers.
fn each(mut runs: Vec<PathBuf>) -> Result<Vec<LogFolder>, FindError> {
    runs.sort_by_key(|path| number(path));
    let mut folders = Vec::with_capacity(runs.len());
    for path in runs {
        match find(&path)? {
            Found::Run(folder) => folders.push(*folder),
            Found::Series(_) | Found::Nodes(_) => return Err(nothing(&path, None)),
        }
    }
    Ok(folders)
}

/// The runs of a sweep, by condition and number.
fn each_condition(mut conditions: Vec<PathBuf>) -> Result<Vec<LogFolder>, FindError> {
    conditions.sort_by_key(|path| number(path));
    let mut folders = Vec::new();
    for path in conditions {
        match find(&path) {
            Ok(Found::Series(runs)) => folders.extend(runs),
            Ok(Found::Run(_) | Found::Nodes(_)) => return Err(nothing(&path, None)),
            Err(error) => return Err(error),
        }
    }
    Ok(folders)
}

/// The number at the end of a folder's name.
fn number(path: &Path) -> Option<u64> {
    path.to_string_lossy().rsplit('_').next().and_then(|number| number.parse().ok())
}

/// Makes sure that several folders are not of several runs, as far as their manifests tell.
///
/// # Errors
///
/// Where two of them are of different runs.
pub fn one_run(folders: &[LogFolder]) -> Result<(), FindError> {
    let run = |folder: &LogFolder| folder.manifest.as_ref().and_then(|manifest| manifest.id.clone());
    let mut runs = folders.iter().filter_map(|folder| Some((folder, run(folder)?)));
    let Some((first, first_run)) = runs.next() else { return Ok(()) };
    match runs.find(|(_, run)| *run != first_run) {
        Some((second, second_run)) => Err(FindError::DifferentRuns {
            first: first.path.clone(),
            first_run,
            second: second.path.clone(),
            second_run,
        }),
        None => Ok(()),
    }
}

impl LogFolder {
    /// The logs of which its manifest tells and that are not in it.
    pub fn missing_logs(&self) -> Vec<LogPath> {
        let here: HashSet<&Path> = self.logs.iter().map(|log| log.path.as_path()).collect();
        let entries = self.manifest.iter().flat_map(|manifest| &manifest.files);
        let named = entries.filter(|entry| is_log(&entry.name)).map(|entry| self.path.join(&entry.name));
        let missing = named.filter(|path| !here.contains(path.as_path()));
        missing.map(|path| LogPath { machines: machines_of(&path), path, until: None }).collect()
    }

    /// Of each of its logs the rows that it has by its manifest, where that tells.
    pub fn rows_by_manifest(&self) -> Vec<Option<u64>> {
        let entries = self.manifest.iter().flat_map(|manifest| &manifest.files);
        let rows: HashMap<PathBuf, u64> =
            entries.map(|entry| (self.path.join(&entry.name), entry.rows)).collect();
        self.logs.iter().map(|log| rows.get(&log.path).copied()).collect()
    }
}

fn nothing(path: &Path, manifest: Option<&SavedManifest>) -> FindError {
    if let Some(manifest) = manifest {
        let path = path.to_owned();
        if manifest.settings.log == Some(LogChoice::None) {
            return FindError::NotLogged { path };
        }
        let named = manifest.files.iter().filter(|entry| is_log(&entry.name)).count() as u64;
        let why = match named {
            0 => format!("its status is {}, and it names none", manifest.status),
            named => format!("it names {}, which were moved or removed", count(named, "logs")),
        };
        return FindError::NoLogs { path, why };
    }
    let previous = path.join(PREVIOUS);
    let hint = if previous.is_dir() {
        format!("; earlier runs are in {}, each in a folder of its own", previous.display())
    } else {
        String::new()
    };
    FindError::Nothing { path: path.to_owned(), hint }
}

/// The machines that a log has by its name, where clocklab named it.
fn machines_of(path: &Path) -> Option<RangeInclusive<VmId>> {
    super::machines_of(path.file_name()?.to_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn logs(folder: &Path) -> Vec<String> {
        let Found::Run(found) = find(folder).unwrap() else { panic!("one run") };
        found.logs.iter().map(|log| log.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_runs_logs_come_in_the_order_of_its_machines_and_alone() {
        let run = folder(&[
            "vm_10_6.csv",
            "vm_2_1.csv",
            "summary.csv",
            "bridge_0.csv",
            "notes.csv",
            "vm_2_1.csv.torn",
        ]);
        assert_eq!(logs(run.path()), ["vm_2_1.csv", "vm_10_6.csv"]);
        let combined = folder(&["vms_500-999.csv", "vms_0-499.csv"]);
        assert_eq!(logs(combined.path()), ["vms_0-499.csv", "vms_500-999.csv"]);
        let one = combined.path().join("vms_500-999.csv");
        let Found::Run(found) = find(&one).unwrap() else { panic!("one run") };
        assert_eq!(found.logs, [LogPath { path: one, machines: Some(VmId(500)..=VmId(999)), until: None }]);
    }

    #[test]
    fn other_programs_name_their_logs_as_they_like() {
        assert_eq!(logs(folder(&["b.csv", "a.csv", "readme.txt"]).path()), ["a.csv", "b.csv"]);
    }

    #[test]
    fn runs_of_a_series_come_in_their_order() {
        let runs = folder(&["run_10/vm_0_1.csv", "run_2/vm_0_1.csv", "runs.csv", "previous/x/vm_0_1.csv"]);
        let Found::Series(found) = find(runs.path()).unwrap() else { panic!("several") };
        assert_eq!(found.len(), 2);
        assert!(found[0].path.ends_with("run_2") && found[1].path.ends_with("run_10"));
    }

    #[test]
    fn where_there_is_no_run_it_is_said_why() {
        let error = |folder: &Path| find(folder).unwrap_err().to_string();
        let empty = folder(&[]);
        assert!(
            error(empty.path())
                .ends_with("holds no run: expected logs such as vm_0_6.csv in it, or a log itself")
        );
        assert!(error(&empty.path().join("none")).starts_with("cannot read "));
        let earlier = folder(&["previous/first/vm_0_1.csv"]);
        assert!(error(earlier.path()).contains("; earlier runs are in "), "{}", error(earlier.path()));
        let unlogged = folder(&[]);
        fs::write(unlogged.path().join(MANIFEST), "status = \"complete\"\nlog = \"none\"\n").unwrap();
        assert!(error(unlogged.path()).contains("setting `log = none`"));
        fs::write(unlogged.path().join(MANIFEST), "status = \"running\"\nlog = \"per-vm\"\n").unwrap();
        assert!(
            error(unlogged.path()).ends_with("none of its logs: its status is running, and it names none")
        );
        fs::write(unlogged.path().join(MANIFEST), "status = \"lost\"\n").unwrap();
        assert!(error(unlogged.path()).contains("run.toml: "), "{}", error(unlogged.path()));
    }
}
