//! `experiment.csv`: the table of a sweep, a row a run and machine, with the run's condition in front and the measures of
//! the summary behind.
//!
//! It grows in the order of the runs while they are made, so that what is there of an interrupted sweep is whole; a
//! sweep that goes on writes to it what is missing.

mod read;

pub use read::{ExperimentRow, RunsByPlace, SavedExperiment, read_experiment, read_runs};

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::cell::guarded;
use super::file::{entry, is_same_file};
use super::summary::{columns, row};
use super::{EXPERIMENT, FileEntry, LogError};
use crate::model::experiment::Experiment;
use crate::model::seed::Seed;
use crate::model::tally::{Account, largest_lamport};
use crate::model::text::words;
use crate::model::time::Rate;

/// The column of a condition's name, where conditions have names.
const CONDITION: &str = "condition";
/// The columns between those of the condition and the measures.
const PLACE: [&str; 5] = ["run", "seed", "vm", "rate", "rank"];

/// Bytes that are held before they are written.
const HOLD: usize = 64 * 1024;

words! {
    /// Where a machine's rate stands among those of its run.
    pub enum Rank {
        /// No machine is slower, and some are faster.
        Slowest = "slowest",
        /// Some are slower and some faster.
        Middle = "middle",
        /// No machine is faster, and some are slower.
        Fastest = "fastest",
        /// All have the same rate.
        Alike = "alike",
    }
}

impl Rank {
    fn of(rate: Rate, slowest: Rate, fastest: Rate) -> Self {
        match (rate == slowest, rate == fastest) {
            (true, true) => Self::Alike,
            (true, false) => Self::Slowest,
            (false, true) => Self::Fastest,
            (false, false) => Self::Middle,
        }
    }
}

/// Why the table of a sweep cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The system says so.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The table.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It is none, or one of another sweep.
    #[error("{} is no table of this sweep: {why}", path.display())]
    Content {
        /// The table.
        path: PathBuf,
        /// What is wrong, and in which line.
        why: String,
    },
}

/// The rows of one run as they stand in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExperimentRows {
    text: Vec<u8>,
    count: u64,
}

impl ExperimentRows {
    /// Of a condition's run the rows of its machines.
    ///
    /// # Errors
    ///
    /// Where they cannot be put into words, which does not happen.
    pub fn of(
        experiment: &Experiment,
        condition: usize,
        run: u32,
        Seed(seed): Seed,
        accounts: &[Account],
    ) -> io::Result<Self> {
        let largest = largest_lamport(accounts);
        let rates = || accounts.iter().map(|account| account.rate);
        let (Some(slowest), Some(fastest)) = (rates().min(), rates().max()) else {
            return Ok(Self::default());
        };
        let cells = cells(experiment, condition);
        // Spreadsheets keep fifteen digits of a number.
        let seed = guarded(&seed.to_string()).into_owned();
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        for account in accounts {
            let rank = Rank::of(account.rate, slowest, fastest);
            let front = [run.to_string(), seed.clone()];
            let [vm, rate, measures @ ..] = &*row(account, experiment.clocks(), largest) else { continue };
            let cells = cells.iter().chain(&front).chain([vm, rate]).map(String::as_str);
            let rank = rank.to_string();
            writer.write_record(cells.chain([rank.as_str()]).chain(measures.iter().map(String::as_str)))?;
        }
        let text = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { text, count: accounts.len() as u64 })
    }
}

/// What stands in front of the rows of a condition's runs.
fn cells(experiment: &Experiment, condition: usize) -> Vec<String> {
    let Some(condition) = experiment.conditions().get(condition) else { return Vec::new() };
    let name = experiment.has_names().then(|| condition.name().unwrap_or_default());
    let all = name.into_iter().chain(condition.cells().iter().map(String::as_str));
    all.map(|cell| guarded(cell).into_owned()).collect()
}

/// The names of the columns.
fn header(experiment: &Experiment) -> Vec<String> {
    let name = experiment.has_names().then_some(CONDITION);
    let factors = experiment.factors().iter().map(|facts| facts.name);
    let front = name.into_iter().chain(factors).chain(PLACE).map(str::to_owned);
    // A summary begins with the machine and its rate.
    front.chain(columns(experiment.clocks()).into_iter().skip(2)).collect()
}

fn header_line(experiment: &Experiment) -> Vec<u8> {
    // No name has a comma or a quote.
    (header(experiment).join(",") + "\n").into_bytes()
}

/// The table while it grows.
#[derive(Debug)]
pub struct ExperimentTable {
    path: PathBuf,
    file: File,
    /// Rows that the operating system does not have yet.
    held: Vec<u8>,
    held_rows: u64,
    bytes: u64,
    rows: u64,
    checksum: u32,
    /// The places of the runs that are to come, in their order; those before `next` are written.
    expected: Vec<u64>,
    next: usize,
    /// Runs that came before others whose turn it is.
    early: BTreeMap<u64, ExperimentRows>,
    /// Whether the rows are in the order of the runs.
    is_sorted: bool,
}

impl ExperimentTable {
    /// Makes the table in a folder, for the runs at the places `expected`, in this order, with those that are `known`
    /// already. One that is there is replaced once the new one holds what is known.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn create(
        folder: &Path,
        experiment: &Experiment,
        expected: Vec<u64>,
        known: &RunsByPlace,
    ) -> Result<Self, LogError> {
        let (path, draft) = (folder.join(EXPERIMENT), draft(folder));
        let unwritable = |source| LogError::Create { path: path.clone(), source };
        let mut text = header_line(experiment);
        known.values().for_each(|rows| text.extend_from_slice(&rows.text));
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&draft).map_err(unwritable)?;
        let written = file.write_all(&text).and_then(|()| fs::rename(&draft, &path));
        written.map_err(|source| {
            let _ = fs::remove_file(&draft);
            unwritable(source)
        })?;
        let last_known = known.keys().next_back();
        let is_sorted = last_known.is_none_or(|last| expected.first().is_none_or(|first| last < first));
        Ok(Self {
            path,
            file,
            held: Vec::new(),
            held_rows: 0,
            bytes: text.len() as u64,
            rows: known.values().map(|rows| rows.count).sum(),
            checksum: crc32c::crc32c(&text),
            expected,
            next: 0,
            early: BTreeMap::new(),
            is_sorted,
        })
    }

    /// Takes the rows of a run that is over.
    ///
    /// # Errors
    ///
    /// Where they cannot be written.
    pub fn put(&mut self, place: u64, rows: ExperimentRows) -> Result<(), LogError> {
        self.early.insert(place, rows);
        while let Some(expected) = self.expected.get(self.next)
            && let Some(rows) = self.early.remove(expected)
        {
            self.next += 1;
            self.hold(&rows);
        }
        if self.held.len() < HOLD { Ok(()) } else { self.flush() }
    }

    fn hold(&mut self, rows: &ExperimentRows) {
        self.held.extend_from_slice(&rows.text);
        self.held_rows += rows.count;
    }

    /// Hands the rows that it holds to the operating system.
    ///
    /// # Errors
    ///
    /// Where they cannot be written whole; then the table ends with its last whole row of before.
    pub fn flush(&mut self) -> Result<(), LogError> {
        if let Err(source) = self.file.write_all(&self.held) {
            // Part of a row may be there. Where even this fails, the torn row is left to the readers.
            let _ = self.file.set_len(self.bytes);
            return Err(LogError::Write { path: self.path.clone(), rows: self.rows, source });
        }
        self.checksum = crc32c::crc32c_append(self.checksum, &self.held);
        self.bytes += self.held.len() as u64;
        self.rows += self.held_rows;
        self.held.clear();
        self.held_rows = 0;
        Ok(())
    }

    /// Closes the table. All runs that came are in it, in their order where none is missing before them or `experiment`
    /// tells how to order them.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, or somebody else has changed it.
    pub fn finish(mut self, experiment: &Experiment) -> Result<FileEntry, LogError> {
        let early = std::mem::take(&mut self.early);
        early.values().for_each(|rows| self.hold(rows));
        self.flush()?;
        self.check()?;
        if self.is_sorted {
            return Ok(entry(&self.path, self.rows, self.bytes, self.checksum));
        }
        let failed = |source| LogError::Write { path: self.path.clone(), rows: self.rows, source };
        let all = read_runs(&self.path, experiment).map_err(|error| failed(io::Error::other(error)))?;
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        let sorted = Self::create(folder, experiment, Vec::new(), &all)?;
        sorted.finish(experiment)
    }

    /// Makes sure that nobody else has changed the table.
    fn check(&self) -> Result<(), LogError> {
        let ours = self.file.metadata();
        let ours =
            ours.map_err(|source| LogError::Write { path: self.path.clone(), rows: self.rows, source })?;
        if !is_same_file(&self.path, &ours) {
            return Err(LogError::Replaced { path: self.path.clone() });
        }
        if ours.len() != self.bytes {
            let (found, written) = (ours.len(), self.bytes);
            return Err(LogError::Changed { path: self.path.clone(), found, written });
        }
        Ok(())
    }
}

/// Where the table is while it is not whole.
fn draft(folder: &Path) -> PathBuf {
    folder.join(format!(".{EXPERIMENT}.new"))
}

#[cfg(test)]
mod tests;
