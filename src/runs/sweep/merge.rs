//! Shards of a sweep put together: one table, and the folders of all runs.

use std::collections::btree_map::Entry;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::going_on::difference;
use super::manifest;
use crate::edge::log::FolderError;
use crate::edge::log::{
    EXPERIMENT, ExperimentTable, LogError, MANIFEST, ManifestError, RunFolder, RunsByPlace, SavedManifest,
    Status, SweepSection, TableError, condition_folder_name, read_manifest, read_runs, run_folder_name,
};
use crate::model::experiment::{Experiment, ExperimentError, Shard};
use crate::model::registry::Registry;
use crate::model::seed::Seed;
use crate::model::text::count;

/// The most runs that are named where they are missing.
const MOST_NAMED: usize = 5;

/// What came of a merge.
#[derive(Debug)]
pub struct Merged {
    /// The sweep.
    pub experiment: Experiment,
    /// Runs that were in several of the folders, the same in all of them.
    pub twice: u64,
    /// How many folders of runs there are.
    pub folders: u64,
    /// What it wrote beside the runs' folders, the manifest last.
    pub files: Vec<PathBuf>,
    /// Its folder: as long as this is held, no run moves there.
    pub claim: RunFolder,
}

/// Why folders cannot be merged. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A folder has no sweep.
    #[error("{} holds no sweep: {why}", folder.display())]
    NoSweep {
        /// The folder that was named.
        folder: PathBuf,
        /// What is there instead.
        why: String,
    },
    /// Two folders are of different sweeps.
    #[error("{} and {} are shares of different sweeps: {why}", first.display(), second.display())]
    Different {
        /// The folder that was named first.
        first: PathBuf,
        /// The one that is of another sweep.
        second: PathBuf,
        /// In what they differ.
        why: String,
    },
    /// A run is in two folders, and not the same in both.
    #[error("run {run} of {condition} is in {} and in {}, and not the same in both", first.display(), second.display())]
    Overlap {
        /// The condition, in words.
        condition: String,
        /// Which of its runs.
        run: u32,
        /// A folder that has it.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Runs are in none of the folders.
    #[error("{missing} of {all} are in none of the folders: {first}{hint}")]
    Gap {
        /// How many, with the noun.
        missing: String,
        /// Of how many.
        all: u64,
        /// The first of them in words.
        first: String,
        /// Where they may be.
        hint: String,
    },
    /// What is to be merged would be moved away.
    #[error("{} is one of the folders that are merged: choose another one for the whole", folder.display())]
    Itself {
        /// The folder that was named twice.
        folder: PathBuf,
    },
    /// A manifest cannot be read or written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A table cannot be read.
    #[error(transparent)]
    Read(#[from] TableError),
    /// The table cannot be written.
    #[error(transparent)]
    Write(#[from] LogError),
    /// The folder cannot be had.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The sweep's conditions are wrong.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A run's folder cannot be copied.
    #[error("cannot copy {}: {source}", path.display())]
    Copy {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// A folder with a share of a sweep.
struct Part {
    folder: PathBuf,
    saved: SavedManifest,
    section: SweepSection,
}

/// Puts the runs of several folders together. They are linked where that can be, and else copied.
///
/// # Errors
///
/// Where the folders are not shares of one sweep that together are all of it, or the whole cannot be written.
pub fn merge(folders: &[PathBuf], output: &Path, registry: &Registry) -> Result<Merged, MergeError> {
    let parts = folders.iter().map(|folder| part(folder)).collect::<Result<Vec<_>, _>>()?;
    let experiment = one_sweep(&parts, registry)?;
    if let Some(part) = parts.iter().find(|part| is_same(&part.folder, output)) {
        return Err(MergeError::Itself { folder: part.folder.clone() });
    }
    let (runs, homes, twice) = gather(&parts, &experiment)?;
    check_gaps(&parts, &experiment, &runs)?;
    let claim = RunFolder::claim(output)?;
    let section = SweepSection { shard: None, outline: experiment.outline() };
    let settings = parts.first().map(|part| part.saved.settings.clone()).unwrap_or_default();
    let mut manifest = manifest(&experiment, settings, section);
    manifest.write(claim.path())?;
    let table = ExperimentTable::create(claim.path(), &experiment, Vec::new(), &runs)?;
    manifest.files.push(table.finish(&experiment)?);
    let mut made = 0;
    for (place, part) in homes {
        let (condition, run) = experiment.at(place);
        let home = Path::new(&condition_folder_name(condition + 1)).join(run_folder_name(run));
        let from = part.folder.join(&home);
        if from.is_dir() {
            copy(&from, &claim.path().join(&home))?;
            made += 1;
        }
    }
    manifest.status = Status::Complete;
    manifest.write(claim.path())?;
    let files = vec![claim.path().join(EXPERIMENT), claim.path().join(MANIFEST)];
    Ok(Merged { experiment, twice, folders: made, files, claim })
}

fn part(folder: &Path) -> Result<Part, MergeError> {
    let path = folder.join(MANIFEST);
    let no_sweep = |why: String| MergeError::NoSweep { folder: folder.to_owned(), why };
    if !path.exists() {
        return Err(no_sweep(format!("there is no {MANIFEST}")));
    }
    let saved = read_manifest(&path)?;
    let section = saved.sweep.clone().ok_or_else(|| no_sweep("a run is there, and no sweep".into()))?;
    Ok(Part { folder: folder.to_owned(), saved, section })
}

/// The sweep of which all parts are.
fn one_sweep(parts: &[Part], registry: &Registry) -> Result<Experiment, MergeError> {
    let Some(first) = parts.first() else { return Err(ExperimentError::Nothing.into()) };
    for part in parts {
        let differs =
            |why| MergeError::Different { first: first.folder.clone(), second: part.folder.clone(), why };
        if part.section.outline != first.section.outline {
            return Err(differs("their conditions differ".to_owned()));
        }
        if let Some((name, theirs, others)) = difference(&first.saved.settings, &part.saved.settings) {
            return Err(differs(format!("the first has {theirs} for setting `{name}`, the second {others}")));
        }
    }
    let seed = first.saved.settings.seed.map_or(Seed(0), |seed| Seed(seed.0));
    Ok(Experiment::of_outline(&first.section.outline, &first.saved.settings, seed, registry)?)
}

/// All runs, where each is, and how many are in several parts.
type Gathered<'a> = (RunsByPlace, Vec<(u64, &'a Part)>, u64);

fn gather<'a>(parts: &'a [Part], experiment: &Experiment) -> Result<Gathered<'a>, MergeError> {
    let (mut all, mut twice) = (RunsByPlace::new(), 0);
    let mut homes: Vec<(u64, &Part)> = Vec::new();
    for part in parts {
        for (place, rows) in read_runs(&part.folder.join(EXPERIMENT), experiment)? {
            match all.entry(place) {
                Entry::Vacant(entry) => {
                    entry.insert(rows);
                    homes.push((place, part));
                }
                Entry::Occupied(entry) if *entry.get() == rows => twice += 1,
                Entry::Occupied(_) => {
                    let first = homes.iter().find(|(known, _)| *known == place).map(|(_, part)| *part);
                    let (condition, run) = name(experiment, place);
                    let first = first.map_or_else(PathBuf::new, |part| part.folder.clone());
                    return Err(MergeError::Overlap { condition, run, first, second: part.folder.clone() });
                }
            }
        }
    }
    Ok((all, homes, twice))
}

/// A table with holes would look like a result.
fn check_gaps(parts: &[Part], experiment: &Experiment, runs: &RunsByPlace) -> Result<(), MergeError> {
    let missing: Vec<u64> = (0..experiment.len()).filter(|place| !runs.contains_key(place)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let named = missing.iter().take(MOST_NAMED).map(|place| {
        let (condition, run) = name(experiment, *place);
        format!("run {run} of {condition}")
    });
    let more = if missing.len() > MOST_NAMED { ", …" } else { "" };
    let cut = parts.iter().filter(|part| part.saved.status != Status::Complete);
    let cut = cut.map(|part| {
        let status = part.saved.status;
        format!("; {} is {status}: give its command again, and it goes on", part.folder.display())
    });
    let shards = parts.iter().filter_map(|part| part.section.shard).map(Shard::count).max().unwrap_or(1);
    let is_here = |shard: &Shard| parts.iter().any(|part| part.section.shard == Some(*shard));
    let absent = (1..=shards).filter_map(|number| Shard::new(number, shards)).filter(|shard| !is_here(shard));
    let absent: Vec<String> = absent.take(MOST_NAMED).map(|shard| shard.to_string()).collect();
    let absent =
        (shards > 1 && !absent.is_empty()).then(|| format!("; not here: shard {}", absent.join(", ")));
    Err(MergeError::Gap {
        missing: count(missing.len() as u64, "runs"),
        all: experiment.len(),
        first: named.collect::<Vec<_>>().join(", ") + more,
        hint: cut.chain(absent).collect(),
    })
}

fn name(experiment: &Experiment, place: u64) -> (String, u32) {
    let (index, run) = experiment.at(place);
    let condition = experiment.conditions().get(index);
    (condition.map_or_else(String::new, |condition| experiment.label(condition)), run)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Copies a run's folder; its files are linked where they are on the same disk.
fn copy(from: &Path, to: &Path) -> Result<(), MergeError> {
    let failed = |source| MergeError::Copy { path: from.to_owned(), source };
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            copy(&entry.path(), &target)?;
            continue;
        }
        let copied =
            fs::hard_link(entry.path(), &target).or_else(|_| fs::copy(entry.path(), &target).map(drop));
        copied.map_err(|source| MergeError::Copy { path: entry.path(), source })?;
    }
    Ok(())
}
