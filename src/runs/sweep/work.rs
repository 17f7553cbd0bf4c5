//! The work of a sweep: its runs on as many threads as there are, each told of when it is over.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::edge::control::{Observer, Progress, Stop};
use crate::edge::driver::{Ending, Failure, Plan};
use crate::edge::log::{ExperimentRows, ExperimentTable, Layout, condition_folder_name, run_folder_name};
use crate::model::experiment::{Condition, Experiment};
use crate::model::scenario::{Settings, Threads};
use crate::model::setting::{Holder, Scope};
use crate::runs::run::{Prepared, Request, choose_workload, cores};

/// Runs that are taken between two looks at how far all have come.
const RUNS_A_LOOK: u32 = 256;

/// How far a sweep has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SweepProgress {
    /// Runs that are in the table.
    pub done: u64,
    /// All runs, with those that are there from before.
    pub all: u64,
    /// Of those, the ones that are made now.
    pub now: u64,
    /// Of the runs under way, the one that has most before it.
    pub slowest: Option<Unfinished>,
    /// What the runs under way have done, each counted from 0 to 1.
    pub under_way: f64,
}

/// A run under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// Its condition, in words.
    pub condition: String,
    /// Which of the condition's runs, counted from 1.
    pub run: u32,
    /// How much of its duration it has made, from 0 to 1.
    pub share: f64,
}

/// Somebody who is told several times a second how far a sweep has come.
pub trait SweepObserver {
    /// Looks at the progress.
    fn progress(&mut self, progress: &SweepProgress);
}

/// What came of the runs.
pub(super) struct Made {
    pub(super) ending: Ending,
    /// How many are in the table now.
    pub(super) made: u64,
    pub(super) warnings: Vec<String>,
}

/// What is to be made, and how.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) experiment: Experiment,
    pub(super) request: Request,
    /// How the runs of each condition are logged.
    pub(super) layouts: Vec<Layout>,
    /// The most runs that may be under way together.
    pub(super) at_once: u32,
    /// The sweep's folder.
    pub(super) folder: PathBuf,
    /// The places of the runs that are to be made.
    pub(super) places: Vec<u64>,
    /// How many were made before.
    pub(super) known: u64,
}

/// A run that is over: its rows, where it came to its end.
struct Done {
    place: u64,
    result: Result<Option<ExperimentRows>, String>,
    warnings: Vec<String>,
}

impl Jobs {
    /// Makes the runs on as many threads as the time allows, and puts them into the table.
    pub(super) fn make(
        &self,
        table: &mut ExperimentTable,
        stop: &Stop,
        observer: &mut dyn SweepObserver,
    ) -> Made {
        let under_way = (0..self.at_once).map(|_| Mutex::new(None)).collect();
        let board = Board { under_way, is_halted: AtomicBool::new(false), next: AtomicUsize::new(0) };
        let (sender, receiver) = mpsc::channel();
        let mut made = Made { ending: Ending::Complete, made: 0, warnings: Vec::new() };
        thread::scope(|scope| {
            for worker in 0..self.at_once as usize {
                let (sender, board) = (sender.clone(), &board);
                let work = move || self.work(worker, board, stop, &sender);
                // Where the system allows fewer threads, the runs take longer.
                if let Err(source) = thread::Builder::new().spawn_scoped(scope, work) {
                    if worker == 0 {
                        made.ending.fail(Failure::Thread { thread: 1, threads: 1, source });
                    }
                    break;
                }
            }
            drop(sender);
            let mut since_look = 0;
            loop {
                match receiver.recv_timeout(Duration::from_millis(100)) {
                    Ok(done) => self.take(done, table, &board, &mut made),
                    Err(RecvTimeoutError::Timeout) => since_look = RUNS_A_LOOK,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                since_look += 1;
                if since_look >= RUNS_A_LOOK {
                    since_look = 0;
                    if let Err(error) = table.flush() {
                        board.halt(&mut made.ending, error.into());
                    }
                    observer.progress(&self.progress(&board, made.made));
                }
            }
        });
        made
    }

    /// One thread's work: run after run, until there is none or somebody wants it to stop.
    fn work(&self, worker: usize, board: &Board, stop: &Stop, sender: &mpsc::Sender<Done>) {
        let threads = self.request.settings.threads.unwrap_or_else(cores).get();
        let threads = Threads::new((threads / self.at_once).max(1));
        while !stop.asked() && !board.is_halted.load(Ordering::Relaxed) {
            let Some(&place) = self.places.get(board.next.fetch_add(1, Ordering::Relaxed)) else { break };
            let mut desk = Desk { place, under_way: &board.under_way[worker] };
            desk.progress(&Progress::default());
            let mut done = Done { place, result: Ok(None), warnings: Vec::new() };
            done.result = self.make_one(place, threads, stop, &mut desk, &mut done.warnings);
            if sender.send(done).is_err() {
                break;
            }
        }
        *lock(&board.under_way[worker]) = None;
    }

    /// Makes one run; of one that was interrupted there are no rows.
    fn make_one(
        &self,
        place: u64,
        threads: Option<Threads>,
        stop: &Stop,
        desk: &mut Desk<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<ExperimentRows>, String> {
        let (index, run) = self.experiment.at(place);
        let condition = &self.experiment.conditions()[index];
        let seed = condition.seed(run);
        let scenario = condition.scenario().with_seed(seed);
        let settings = Settings { threads, ..condition.settings().passed_to(Scope::Process) };
        let settings =
            settings.or(&Settings { log: Some(self.layouts[index].choice()), ..Settings::default() });
        let settings = settings.or(&condition.settings().only(|facts| facts.scope == Scope::Run));
        let settings = settings.or(&self.request.settings).only(|facts| facts.scope < Scope::Model);
        let is_alone = scenario.is_virtual() && self.layouts[index] == Layout::Nowhere;
        let (ending, accounts) = if is_alone {
            let threads = threads.map_or(1, |threads| threads.get() as usize);
            let plan = Plan { threads, layout: Layout::Nowhere, folder: self.folder.clone() };
            let outcome = choose_workload(&scenario, &plan, None, stop.clone(), desk);
            let outcome = outcome.map_err(|error| error.to_string())?;
            (outcome.ending, outcome.accounts)
        } else {
            let output = self.folder.join(condition_folder_name(index + 1)).join(run_folder_name(run));
            let request = Request { output, settings, ..self.request.clone() };
            let prepared = Prepared::new(scenario, None, &request).map_err(|error| error.to_string())?;
            let finished = prepared.run(stop.clone(), desk).map_err(|error| error.to_string())?;
            warnings.extend(finished.warnings);
            if let Some(error) = finished.unwritten {
                return Err(error.to_string());
            }
            (finished.ending, finished.accounts)
        };
        match ending {
            Ending::Failed(failure) => Err(failure.to_string()),
            Ending::Interrupted => Ok(None),
            Ending::Complete => {
                let rows = ExperimentRows::of(&self.experiment, index, run, seed, &accounts);
                rows.map(Some).map_err(|error: io::Error| error.to_string())
            }
        }
    }

    fn take(&self, done: Done, table: &mut ExperimentTable, board: &Board, made: &mut Made) {
        let (condition, run) = self.name(done.place);
        made.warnings.extend(done.warnings.into_iter().map(|text| format!("{condition}, run {run}: {text}")));
        match done.result {
            Ok(None) => {}
            Ok(Some(rows)) => match table.put(done.place, rows) {
                Ok(()) => made.made += 1,
                Err(error) => board.halt(&mut made.ending, error.into()),
            },
            Err(message) => board.halt(&mut made.ending, Failure::InSweep { condition, run, message }),
        }
    }

    /// The condition in words, and the number of the run at that place.
    fn name(&self, place: u64) -> (String, u32) {
        let (index, run) = self.experiment.at(place);
        (
            self.experiment
                .conditions()
                .get(index)
                .map_or_else(String::new, |one| self.experiment.label(one)),
            run,
        )
    }

    fn progress(&self, board: &Board, made: u64) -> SweepProgress {
        let now = self.places.len() as u64;
        let share = |(place, progress): (u64, Progress)| {
            let condition: Option<&Condition> = self.experiment.conditions().get(self.experiment.at(place).0);
            let duration = condition.map_or(0.0, |condition| condition.scenario().duration().as_secs_f64());
            (place, (progress.elapsed.as_secs_f64() / duration.max(1e-9)).min(1.0))
        };
        let under_way: Vec<(u64, f64)> =
            board.under_way.iter().filter_map(|run| *lock(run)).map(share).collect();
        let slowest = under_way.iter().min_by(|(_, one), (_, other)| one.total_cmp(other));
        let slowest = slowest.map(|(place, share)| {
            let (condition, run) = self.name(*place);
            Unfinished { condition, run, share: *share }
        });
        SweepProgress {
            done: self.known + made,
            all: self.known + now,
            now,
            slowest,
            under_way: under_way.iter().map(|(_, share)| share).sum(),
        }
    }
}

/// What the threads of a sweep share.
struct Board {
    /// By thread, the place of its run, and how far that has come.
    under_way: Vec<Mutex<Option<(u64, Progress)>>>,
    /// Whether a run has failed, so that no other is to begin.
    is_halted: AtomicBool,
    /// Which of the places is the next to be taken.
    next: AtomicUsize,
}

impl Board {
    fn halt(&self, ending: &mut Ending, failure: Failure) {
        self.is_halted.store(true, Ordering::Relaxed);
        ending.fail(failure);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a thread's run tells how far it has come.
struct Desk<'a> {
    place: u64,
    under_way: &'a Mutex<Option<(u64, Progress)>>,
}

impl Observer for Desk<'_> {
    fn progress(&mut self, progress: &Progress) {
        *lock(self.under_way) = Some((self.place, *progress));
    }
}
