//! The table of a sweep read back: run by run as it stands there, to be gone on with or merged; or row by row, with its
//! numbers.

use std::collections::BTreeMap;
use std::path::Path;

use csv::ByteRecord;

use super::{CONDITION, ExperimentRows, PLACE, Rank, TableError, cells, header};
use crate::edge::input;
use crate::edge::log::cell::unguarded;
use crate::model::experiment::Experiment;
use crate::model::id::VmId;

/// The runs of an experiment by their places among all.
pub type RunsByPlace = BTreeMap<u64, ExperimentRows>;

/// Reads the runs of which all rows are in a table, just as they stand there. A row that is torn, or a run of which
/// rows are missing, is left out.
///
/// # Errors
///
/// Where it cannot be read, or is not of this experiment.
pub fn read_runs(path: &Path, experiment: &Experiment) -> Result<RunsByPlace, TableError> {
    let text = read(path)?;
    let mut reader = reader(&text);
    let expected = header(experiment);
    let found = reader.byte_headers().map_err(|error| wrong(path, error.to_string()))?;
    if !found.iter().eq(expected.iter().map(|name| name.as_bytes())) {
        return Err(wrong(path, format!("its columns are not {}", expected.join(","))));
    }
    let places = Places::of(experiment);
    let mut runs = RunsByPlace::new();
    let mut record = ByteRecord::new();
    loop {
        let start = offset(&reader);
        let is_read = reader.read_byte_record(&mut record).map_err(|error| wrong(path, error.to_string()))?;
        if !is_read {
            break;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let place = places.place(&record).ok_or_else(|| {
            wrong(path, format!("line {line} is of no run of it, by its condition, run, seed and machine"))
        })?;
        let rows = runs.entry(place).or_default();
        rows.text.extend_from_slice(&text[start..offset(&reader)]);
        rows.count += 1;
    }
    let vms = |place: u64| {
        experiment.conditions().get(experiment.at(place).0).map(|condition| condition.scenario().vms())
    };
    let has_too_many =
        runs.iter().find(|(place, rows)| vms(**place).is_some_and(|vms| rows.count > u64::from(vms)));
    if let Some((place, _)) = has_too_many {
        let (condition, run) = experiment.at(*place);
        let label = experiment.conditions().get(condition).map(|condition| experiment.label(condition));
        let why = format!("it has more rows than machines of run {run} of {}", label.unwrap_or_default());
        return Err(wrong(path, why));
    }
    runs.retain(|place, rows| vms(*place).is_some_and(|vms| rows.count == u64::from(vms)));
    Ok(runs)
}

/// What a table says, in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedExperiment {
    /// What the columns of the condition are called.
    pub columns: Vec<String>,
    /// What those of the measures are called, as in the summary of a run.
    pub measures: Vec<String>,
    /// Its rows, in their order.
    pub rows: Vec<ExperimentRow>,
}

/// A machine in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ExperimentRow {
    /// What the columns of the condition say.
    pub cells: Vec<String>,
    /// The run's number in its condition.
    pub run: u32,
    /// The machine.
    pub vm: VmId,
    /// Where its rate stands among those of the run.
    pub rank: Rank,
    /// The values of the measures, in their order; none where one is no number.
    pub values: Vec<Option<f64>>,
}

/// Reads a table whose conditions are not known; a torn last row is left out.
///
/// # Errors
///
/// Where it cannot be read, or is no table of a sweep.
pub fn read_experiment(path: &Path) -> Result<SavedExperiment, TableError> {
    let text = read(path)?;
    let mut reader = reader(&text);
    let head = reader.headers().map_err(|error| wrong(path, error.to_string()))?.clone();
    let is_place = |front: &usize| head.iter().skip(*front).take(PLACE.len()).eq(PLACE);
    let Some(front) = (0..head.len()).find(is_place) else {
        return Err(wrong(path, format!("it has no columns {} beside each other", PLACE.join(","))));
    };
    let measures = head.iter().skip(front + PLACE.len()).map(str::to_owned).collect();
    let columns = head.iter().take(front).map(str::to_owned).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(path, error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = row(&record, front).ok_or_else(|| {
            wrong(path, format!("line {line} has no number or no rank where it should have one"))
        })?;
        rows.push(row);
    }
    Ok(SavedExperiment { columns, measures, rows })
}

impl SavedExperiment {
    /// Whether its conditions have names, which are in the first column then.
    pub fn has_names(&self) -> bool {
        self.columns.first().is_some_and(|name| name == CONDITION)
    }
}

fn row(record: &csv::StringRecord, front: usize) -> Option<ExperimentRow> {
    let cell = |at: usize| record.get(front + at);
    let text = |cell: &str| String::from_utf8_lossy(unguarded(cell.as_bytes())).into_owned();
    let values = record.iter().skip(front + PLACE.len()).map(|cell| cell.parse().ok()).collect();
    Some(ExperimentRow {
        cells: record.iter().take(front).map(text).collect(),
        run: cell(0)?.parse().ok()?,
        vm: VmId(cell(2)?.parse().ok()?),
        rank: cell(4)?.parse().ok()?,
        values,
    })
}

/// Finds the place of a row's run.
struct Places<'a> {
    experiment: &'a Experiment,
    /// The conditions by their cells.
    conditions: BTreeMap<Vec<String>, usize>,
    front: usize,
}

impl<'a> Places<'a> {
    fn of(experiment: &'a Experiment) -> Self {
        let conditions: BTreeMap<_, _> =
            (0..experiment.conditions().len()).map(|index| (cells(experiment, index), index)).collect();
        let front = usize::from(experiment.has_names()) + experiment.factors().len();
        Self { experiment, conditions, front }
    }

    /// Where its condition has such a run with that seed.
    fn place(&self, record: &ByteRecord) -> Option<u64> {
        let text = |at: usize| std::str::from_utf8(record.get(at)?).ok();
        let cells = (0..self.front).map(|at| text(at).map(str::to_owned)).collect::<Option<Vec<_>>>()?;
        let index = *self.conditions.get(&cells)?;
        let run: u32 = text(self.front)?.parse().ok()?;
        let seed: u64 = std::str::from_utf8(unguarded(record.get(self.front + 1)?)).ok()?.parse().ok()?;
        let vm: u32 = text(self.front + 2)?.parse().ok()?;
        let condition = self.experiment.conditions().get(index)?;
        let is_there = (1..=self.experiment.runs().get()).contains(&run) && vm < condition.scenario().vms();
        (is_there && condition.seed(run).0 == seed).then(|| self.experiment.place(index, run))
    }
}

/// The whole rows of a table.
fn read(path: &Path) -> Result<Vec<u8>, TableError> {
    let read = || {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut input::open(path)?, &mut text)?;
        Ok(text)
    };
    let mut text = read().map_err(|source| TableError::Read { path: path.to_owned(), source })?;
    text.truncate(memchr::memrchr(b'\n', &text).map_or(0, |last| last + 1));
    Ok(text)
}

fn reader(text: &[u8]) -> csv::Reader<&[u8]> {
    csv::Reader::from_reader(text)
}

/// How far a text has been read: up to the end of a row.
fn offset(reader: &csv::Reader<&[u8]>) -> usize {
    usize::try_from(reader.position().byte()).unwrap_or(usize::MAX)
}

fn wrong(path: &Path, why: String) -> TableError {
    TableError::Content { path: path.to_owned(), why }
}
