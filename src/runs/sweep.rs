//! A sweep: the runs of all conditions of an experiment, and one table of them.
//!
//! In virtual time they share the cores, live they go one after the other. A run has a folder of its own in that of its
//! condition, `condition_<c>/run_<k>`, where it is logged; where nothing is, the table is all that is left of it. A
//! sweep that was cut short goes on with the runs that are not in its table.

mod going_on;
mod merge;
mod work;

use std::path::{Path, PathBuf};

pub use self::merge::{MergeError, Merged, merge};
use self::work::{Jobs, Made};
pub use self::work::{SweepObserver, SweepProgress, Unfinished};
use crate::edge::control::Stop;
use crate::edge::driver::Ending;
use crate::edge::log::{
    Drawn, EXPERIMENT, ExperimentTable, Layout, LogError, MANIFEST, Manifest, Room, RunFolder, RunsByPlace,
    Status, SweepSection, TableError, read_runs,
};
use crate::model::experiment::{Experiment, ExperimentError, Shard};
use crate::model::registry::Registry;
use crate::model::scenario::{LogChoice, Scenario, SeedNumber, Settings};
use crate::model::seed::Seed;
use crate::model::setting::{Holder, Scope, Spelling};
use crate::model::time::Nanos;
use crate::runs::preflight;
use crate::runs::run::{
    FILES_A_RUN, Request, RunError, WriteError, check_distributed, cores, new_section, open_files, status,
};

/// Runs beyond which a sweep has no folder for each unless that is asked for: a folder has some ten files.
const MOST_FOLDERS: u64 = 10_000;

/// What a sweep is asked for beside its conditions.
#[derive(Clone, Debug)]
pub struct SweepRequest {
    /// What holds for all runs: their folder, and how this machine makes them.
    pub request: Request,
    /// The settings that all conditions share, as they were asked for.
    pub shared: Settings,
    /// Which share of the runs is made here, where not all of them are.
    pub shard: Option<Shard>,
    /// Whether it has to go on with what is in the folder.
    pub resumes: bool,
}

/// A sweep that is ready to start: its folder is claimed, its manifest says `running`.
#[derive(Debug)]
pub struct Sweep {
    jobs: Jobs,
    folder: RunFolder,
    manifest: Manifest,
    table: ExperimentTable,
    /// Of the disk, for its manifest.
    room: Room,
}

/// A sweep that is over.
#[derive(Debug)]
pub struct FinishedSweep {
    /// How it ended: as the first of its runs that did not end well.
    pub ending: Ending,
    /// How many runs were made now.
    pub made: u64,
    /// What a person should know, a line each.
    pub warnings: Vec<String>,
    /// Its conditions.
    pub experiment: Experiment,
    /// How many folders of runs there are.
    pub folders: u64,
    /// What it wrote beside the runs' folders, the manifest last.
    pub files: Vec<PathBuf>,
    /// What could not be written at the end.
    pub unwritten: Option<WriteError>,
    /// Its folder: as long as this is held, no other run moves there.
    pub claim: RunFolder,
}

/// Why a sweep could not start.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// There is no such experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A condition's runs cannot be had.
    #[error("condition {condition}: {source}")]
    Condition {
        /// The condition, in words.
        condition: String,
        /// What it needs.
        source: RunError,
    },
    /// Its runs cannot be had.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its table cannot be written.
    #[error(transparent)]
    Table(#[from] LogError),
    /// The table that is there cannot be read.
    #[error(transparent)]
    Known(#[from] TableError),
    /// There is nothing to go on with.
    #[error("{} holds no sweep to go on with: {why}; nothing was changed", folder.display())]
    NothingToResume {
        /// The folder of the sweep.
        folder: PathBuf,
        /// What is there instead.
        why: String,
    },
}

impl SweepError {
    /// Whether it is the arguments that are wrong, rather than the machine.
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::Experiment(_) => true,
            Self::Condition { source, .. } | Self::Run(source) => source.is_usage(),
            Self::Table(_) | Self::Known(_) | Self::NothingToResume { .. } => false,
        }
    }
}

impl Sweep {
    /// Prepares a sweep: claims its folder, and goes on with the same sweep that was cut short there, or moves an earlier
    /// run aside.
    ///
    /// # Errors
    ///
    /// Where the runs do not fit, or the folder cannot be had.
    pub fn new(experiment: Experiment, asked: SweepRequest, registry: &Registry) -> Result<Self, SweepError> {
        let SweepRequest { mut request, mut shared, shard, resumes } = asked;
        let output = request.output.clone();
        let layouts = layouts(&experiment, &mut request)?;
        let at_once = at_once(&experiment, &layouts, &request);
        let section = SweepSection { shard, outline: experiment.outline() };
        let unfinished = going_on::find(&output, &shared, &section);
        let unfinished = match (unfinished, resumes) {
            (Err(why), true) => return Err(SweepError::NothingToResume { folder: output, why }),
            (unfinished, _) => unfinished.ok(),
        };
        let seed = unfinished.as_ref().and_then(|saved| saved.settings.seed).map(|seed| Seed(seed.0));
        let experiment = match seed {
            Some(seed) if seed != experiment.seed() => {
                let seeded = Settings { seed: Some(SeedNumber(seed.0)), ..shared.clone() };
                Experiment::of_outline(&section.outline, &seeded, seed, registry)?
            }
            _ => experiment,
        };
        shared.seed = Some(SeedNumber(experiment.seed().0));
        shared.runs = Some(experiment.runs());
        let folder = RunFolder::claim_unless(&output, || unfinished.is_some()).map_err(RunError::from)?;
        let path = folder.path().join(EXPERIMENT);
        let known = match &unfinished {
            Some(_) if path.exists() => read_runs(&path, &experiment)?,
            _ => RunsByPlace::new(),
        };
        let shard = shard.unwrap_or(Shard::WHOLE);
        let places = (0..experiment.len()).filter(|place| shard.has(*place) && !known.contains_key(place));
        let places: Vec<u64> = places.collect();
        let mut manifest = manifest(&experiment, shared.or(&request.settings), section);
        if let Some(id) = unfinished.and_then(|saved| saved.id) {
            manifest.run.id = id;
        }
        manifest.write(folder.path()).map_err(RunError::from)?;
        let room = manifest.keep_room(folder.path(), 0);
        let table = ExperimentTable::create(folder.path(), &experiment, places.clone(), &known)?;
        let (known, folder_path) = (known.len() as u64, folder.path().to_owned());
        let jobs = Jobs { experiment, request, layouts, at_once, folder: folder_path, places, known };
        Ok(Self { jobs, folder, manifest, table, room })
    }

    /// Where the run that was found in the folder went.
    pub fn moved(&self) -> Option<&Path> {
        self.folder.moved()
    }

    /// How many runs there are still to make, and how many are there.
    pub const fn runs(&self) -> (u64, u64) {
        (self.jobs.places.len() as u64, self.jobs.known)
    }

    /// How long the runs that are to be made take in real time, one after the other; nothing in virtual time.
    pub fn live_time(&self) -> Option<Nanos> {
        let Jobs { experiment, places, .. } = &self.jobs;
        let of = |place: &u64| {
            let condition = experiment.conditions().get(experiment.at(*place).0)?;
            (!condition.scenario().is_virtual()).then(|| condition.scenario().duration())
        };
        places.iter().map(of).try_fold(Nanos::ZERO, |sum, time| Some(sum.plus(time?)))
    }

    /// Makes the runs, and writes their table and the manifest.
    pub fn run(self, stop: &Stop, observer: &mut dyn SweepObserver) -> FinishedSweep {
        let Self { jobs, folder, manifest, mut table, mut room } = self;
        let Made { mut ending, made, warnings } = jobs.make(&mut table, stop, observer);
        room.release();
        if made < jobs.places.len() as u64 {
            ending.interrupt();
        }
        let is_logged = jobs.layouts.iter().any(|layout| *layout != Layout::Nowhere);
        let (files, unwritten) = match folder.check() {
            Ok(()) => {
                let spelled = jobs.request.spelled;
                write(manifest, table, &jobs.experiment, &folder, &ending, spelled)
            }
            Err(error) => (Vec::new(), Some(error.into())),
        };
        FinishedSweep {
            ending,
            made,
            warnings,
            folders: if is_logged { jobs.known + made } else { 0 },
            experiment: jobs.experiment,
            files,
            unwritten,
            claim: folder,
        }
    }
}

/// Closes the table, and writes the manifest.
fn write(
    mut manifest: Manifest,
    table: ExperimentTable,
    experiment: &Experiment,
    folder: &RunFolder,
    ending: &Ending,
    spelled: Spelling,
) -> (Vec<PathBuf>, Option<WriteError>) {
    let mut files = Vec::new();
    manifest.status = status(ending);
    if let Ending::Failed(failure) = ending {
        manifest.run.failure = Some(spelled(&failure.to_string()).into_owned());
    }
    let closed = table.finish(experiment);
    match &closed {
        Ok(entry) => {
            files.push(folder.path().join(EXPERIMENT));
            manifest.files.push(entry.clone());
        }
        // A sweep without its table is not complete, and its manifest says so all the same.
        Err(error) => {
            manifest.status = Status::Failed;
            manifest.run.failure.get_or_insert_with(|| error.to_string());
        }
    }
    let written = manifest.write(folder.path());
    if written.is_ok() {
        files.push(folder.path().join(MANIFEST));
    }
    let unwritten = closed.err().map(WriteError::from).or_else(|| written.err().map(WriteError::from));
    (files, unwritten)
}

fn manifest(experiment: &Experiment, settings: Settings, section: SweepSection) -> Manifest {
    let run = experiment.conditions().first().map(|first| new_section(first.scenario())).unwrap_or_default();
    let drawn = Drawn::default();
    Manifest { status: Status::Running, settings, run, drawn, sweep: Some(section), files: Vec::new() }
}

/// How the runs of each condition are logged, where all of them fit this machine. What suits one run suits all: it does
/// not depend on what the others have open.
fn layouts(experiment: &Experiment, request: &mut Request) -> Result<Vec<Layout>, SweepError> {
    if request.settings.log.is_none() && experiment.len() > MOST_FOLDERS {
        request.settings.log = Some(LogChoice::None);
    }
    let mut layouts = Vec::with_capacity(experiment.conditions().len());
    for condition in experiment.conditions() {
        let scenario = condition.scenario();
        let told =
            |source: RunError| SweepError::Condition { condition: experiment.label(condition), source };
        let own = condition.settings().passed_to(Scope::Run).or(&request.settings);
        if let Some(processes) = own.processes {
            let value = processes.to_string();
            check_distributed(scenario, processes.get(), "processes", &value)
                .map_err(|error| told(error.into()))?;
        }
        let machines = scenario.vms().div_ceil(own.processes.map_or(1, |processes| processes.get()));
        let layout = Layout::choose(own.log, machines, open_files(scenario, own.threads));
        layouts.push(layout.map_err(|error| told(error.into()))?);
    }
    let each = experiment.conditions().iter().map(|condition| condition.scenario());
    let each = each.zip(layouts.iter().copied());
    preflight::check_each(each, &request.output, experiment.runs().get()).map_err(RunError::from)?;
    Ok(layouts)
}

/// How many runs may be under way together: in virtual time as many as there are threads for, as far as open files and
/// memory allow; live one.
fn at_once(experiment: &Experiment, layouts: &[Layout], request: &Request) -> u32 {
    let threads = request.settings.threads;
    let scenarios = experiment.conditions().iter().map(|condition| condition.scenario());
    let of = |(scenario, layout): (&Scenario, &Layout)| {
        if !scenario.is_virtual() {
            return 1;
        }
        let files =
            open_files(scenario, threads).left() / (u64::from(layout.logs(scenario.vms())) + FILES_A_RUN);
        files.min(preflight::most_at_once(scenario))
    };
    let fit = scenarios.zip(layouts).map(of).min().unwrap_or(1);
    let most = threads.unwrap_or_else(cores).get();
    let most = most.min(u32::try_from(experiment.len()).unwrap_or(u32::MAX));
    u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, most.max(1))
}
