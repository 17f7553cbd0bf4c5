//! Several runs of one scenario, with seeds derived from its seed, and one table of them all.
//!
//! Each run has a folder of its own, `run_<k>`. Live they go one after the other; in virtual time they
//! share the cores.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::edge::control::{Observer, Progress, Stop};
use crate::edge::driver::{Ending, Failure};
use crate::edge::log::{
    Drawn, Layout, MANIFEST, Manifest, RUNS, Room, RunFolder, Status, run_folder_name, write_runs,
};
use crate::edge::watch::Watch;
use crate::model::scenario::{Runs, Scenario, Settings, Threads};
use crate::model::seed::Seed;
use crate::model::setting::{Holder, Scope};
use crate::model::time::Nanos;
use crate::runs::preflight;
use crate::runs::run::{
    FILES_A_RUN, Finished, Prepared, Request, RunError, WriteError, check, cores, new_section, open_files,
    status,
};

/// A series that is ready to start: its folder is claimed, its manifest says `running`.
#[derive(Debug)]
pub struct Series {
    scenario: Scenario,
    runs: Runs,
    request: Request,
    /// The most runs that may be under way together.
    at_once: u32,
    folder: RunFolder,
    manifest: Manifest,
    /// Of the disk, for its table and its manifest.
    room: Room,
}

/// A series that is over.
#[derive(Debug)]
pub struct FinishedSeries {
    /// How it ended: as the first of its runs that did not end well.
    pub ending: Ending,
    /// Its runs, as far as they were made, each with its number from 1 and its seed.
    pub runs: Vec<(u32, Seed, Finished)>,
    /// What it wrote beside the runs' folders, the manifest last.
    pub files: Vec<PathBuf>,
    /// What could not be written at the end.
    pub unwritten: Option<WriteError>,
    /// Its folder: as long as this is held, no other run moves there.
    pub claim: Option<RunFolder>,
}

impl Series {
    /// Prepares a series: claims its folder, and moves an earlier run or series aside.
    ///
    /// # Errors
    ///
    /// Where the runs do not fit, or the folder cannot be had.
    pub fn new(scenario: Scenario, runs: Runs, request: Request) -> Result<Self, RunError> {
        let layout = check(&scenario, scenario.vms(), &request, runs.get())?;
        let at_once = at_once(&scenario, runs, layout, request.settings.threads);
        let folder = RunFolder::claim(&request.output)?;
        let settings = Settings { runs: Some(runs), ..request.settings.clone() }.or(&scenario.settings());
        let run = new_section(&scenario);
        let manifest = Manifest {
            status: Status::Running,
            settings,
            run,
            drawn: Drawn::default(),
            sweep: None,
            files: Vec::new(),
        };
        manifest.write(folder.path())?;
        let rows = u64::from(scenario.vms()) * u64::from(runs.get());
        let room = manifest.keep_room(folder.path(), rows);
        // What suits one run suits all: it is not to depend on what the others have open.
        let settings = request.settings.passed_to(Scope::Run);
        let settings = Settings { log: Some(layout.choice()), ..settings };
        let request = Request { settings, ..request };
        Ok(Self { scenario, runs, request, at_once, folder, manifest, room })
    }

    /// Where the run that was found in the folder went.
    pub fn moved(&self) -> Option<&Path> {
        self.folder.moved()
    }

    /// Makes the runs, and writes their table and the manifest.
    pub fn run(mut self, stop: &Stop, observer: &mut dyn Observer) -> FinishedSeries {
        let mut runs = Vec::new();
        let mut ending = Ending::Complete;
        let results = self.make_runs(stop, observer);
        self.room.release();
        for (k, seed, result) in results {
            match result {
                Ok(finished) => {
                    ending = worse(ending, k, &finished.ending);
                    runs.push((k, seed, finished));
                }
                Err(error) => ending.fail(Failure::NotStarted { run: k, source: error.into() }),
            }
        }
        if runs.len() < self.runs.get() as usize {
            ending.interrupt();
        }
        let mut series = FinishedSeries { ending, runs, files: Vec::new(), unwritten: None, claim: None };
        if let Err(error) = self.write(&mut series) {
            series.unwritten = Some(error);
        }
        series.claim = Some(self.folder);
        series
    }

    /// Runs on as many threads as the time allows, in the order of the runs.
    fn make_runs(
        &self,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Vec<(u32, Seed, Result<Finished, RunError>)> {
        let threads = self.request.settings.threads.unwrap_or_else(cores).get();
        let each = Threads::new((threads / self.at_once).max(1));
        let progress = Mutex::new(vec![Progress::default(); self.runs.get() as usize]);
        let board = Board { progress, watch: observer.watch() };
        let next = AtomicU32::new(0);
        let (sender, receiver) = mpsc::channel();
        let work = |sender: mpsc::Sender<_>| {
            while !stop.asked() {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= self.runs.get() {
                    break;
                }
                let (seed, result) = self.make_run(index + 1, each, stop, &board);
                let _ = sender.send((index + 1, seed, result));
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.at_once {
                let sender = sender.clone();
                // Where the system allows fewer threads, the runs take longer.
                if thread::Builder::new().spawn_scoped(scope, || work(sender)).is_err() {
                    break;
                }
            }
            drop(sender);
            let mut results = Vec::new();
            loop {
                match receiver.recv_timeout(Duration::from_millis(100)) {
                    Ok(result) => results.push(result),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                observer.progress(&board.total());
            }
            results.sort_unstable_by_key(|(k, ..)| *k);
            results
        })
    }

    fn make_run(
        &self,
        k: u32,
        threads: Option<Threads>,
        stop: &Stop,
        board: &Board,
    ) -> (Seed, Result<Finished, RunError>) {
        let seed = self.scenario.seed().of_run(k);
        let output = self.folder.path().join(run_folder_name(k));
        let settings = Settings { threads, ..self.request.settings.clone() };
        let request = Request { output, settings, ..self.request.clone() };
        let mut place = BoardPlace { board, index: k as usize - 1 };
        let prepared = Prepared::new(self.scenario.with_seed(seed), None, &request);
        let mut result = prepared.and_then(|prepared| prepared.run(stop.clone(), &mut place));
        if let Ok(finished) = &mut result {
            // The series' own folder keeps others away, and open files are few.
            finished.claim = None;
        }
        (seed, result)
    }

    fn write(&mut self, series: &mut FinishedSeries) -> Result<(), WriteError> {
        self.folder.check()?;
        let path = self.folder.path().join(RUNS);
        let rows = series.runs.iter().map(|(k, seed, finished)| (*k, *seed, finished.accounts.as_slice()));
        let table = write_runs(path.clone(), self.scenario.clocks(), rows);
        self.manifest.status = status(&series.ending);
        if let Ending::Failed(failure) = &series.ending {
            self.manifest.run.failure = Some(failure.to_string());
        }
        match &table {
            Ok(entry) => {
                series.files.push(path);
                self.manifest.files.push(entry.clone());
            }
            // A series without its table is not complete, and its manifest says so all the same.
            Err(error) => {
                self.manifest.status = Status::Failed;
                self.manifest.run.failure.get_or_insert_with(|| error.to_string());
            }
        }
        let written = self.manifest.write(self.folder.path());
        table?;
        written?;
        series.files.push(self.folder.path().join(MANIFEST));
        Ok(())
    }
}

/// How many runs may be under way together: in virtual time as many as there are threads for, as far as open files and
/// memory allow; live one.
fn at_once(scenario: &Scenario, runs: Runs, layout: Layout, threads: Option<Threads>) -> u32 {
    if !scenario.is_virtual() {
        return 1;
    }
    let files = open_files(scenario, threads).left() / (u64::from(layout.logs(scenario.vms())) + FILES_A_RUN);
    let most = threads.unwrap_or_else(cores).get().min(runs.get());
    let fit = u32::try_from(files.min(preflight::most_at_once(scenario))).unwrap_or(u32::MAX);
    fit.clamp(1, most)
}

/// The ending of a series so far, after one more run.
fn worse(mut so_far: Ending, run: u32, ending: &Ending) -> Ending {
    match ending {
        Ending::Complete => {}
        Ending::Interrupted => so_far.interrupt(),
        Ending::Failed(failure) => so_far.fail(Failure::InSeries { run, message: failure.to_string() }),
    }
    so_far
}

/// How far each run of a series has come, and where they are watched.
#[derive(Debug)]
struct Board {
    progress: Mutex<Vec<Progress>>,
    watch: Option<Watch>,
}

impl Board {
    fn total(&self) -> Progress {
        let runs = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        runs.iter().fold(Progress::default(), |total, run| Progress {
            elapsed: total.elapsed.plus(run.elapsed),
            events: total.events + run.events,
            messages: total.messages + run.messages,
            longest_queue: total.longest_queue.max(run.longest_queue),
        })
    }
}

/// One run's place on the board.
struct BoardPlace<'a> {
    board: &'a Board,
    index: usize,
}

impl Observer for BoardPlace<'_> {
    fn progress(&mut self, progress: &Progress) {
        self.board.progress.lock().unwrap_or_else(PoisonError::into_inner)[self.index] = *progress;
    }

    fn watch(&self) -> Option<Watch> {
        let run = u32::try_from(self.index + 1).ok()?;
        self.board.watch.as_ref().map(|watch| watch.of_run(run))
    }
}

/// The time that all runs of a series take together, for a progress bar.
pub fn total_duration(scenario: &Scenario, runs: Runs) -> Nanos {
    Nanos::new(scenario.duration().get().saturating_mul(runs.get().into()))
}
