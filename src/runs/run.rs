//! One run from an empty folder to its manifest, whichever driver makes its events.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, tz::TimeZone};

use crate::clock::ClockList;
use crate::drivers::live::bridge::Membership;
use crate::drivers::live::{self, LiveError};
use crate::drivers::sim;
use crate::edge::control::{Observer, Stop};
use crate::edge::driver::{Ending, Failure, LatenessCounts, LatenessSpread, LinkReport, Outcome, Plan};
use crate::edge::log::{
    Drawn, FileEntry, FolderError, Layout, LayoutError, LogError, MANIFEST, Manifest, ManifestError,
    OpenFiles, Room, RunFolder, RunSection, SUMMARY, Status, write_summary,
};
use crate::model::id::VmId;
use crate::model::pace;
use crate::model::scenario::{Processes, Scenario, ScenarioError, Settings, Threads};
use crate::model::setting::{Holder, Scope, Spelling};
use crate::model::tally::Account;
use crate::model::time::Nanos;
use crate::runs::preflight::{self, DoesNotFit};
use crate::runs::supervisor::{self, Supervised, SupervisorError};
use crate::workload::{Make, Workload};

/// The most numbers of all clocks beside Lamport's in a distributed run: a stamp has to fit a frame of the link.
const MOST_WORDS: usize = 65_538;

/// What a run is asked for beside its scenario.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder that the run goes to.
    pub output: PathBuf,
    /// How this machine runs it: settings that are not the model's. Where nothing is asked for, it has a worker thread
    /// a core, logs as suits the number of machines, and this process alone.
    pub settings: Settings,
    /// Whether a process that dies is started again.
    pub restarts: bool,
    /// The argument with which this program is started as one of the run's processes, and then does its
    /// [`work`](crate::runs::child::work).
    pub worker: &'static str,
    /// How settings are spelled in what the run tells and logs.
    pub spelled: Spelling,
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// Whether it came to its end, and what cut it short if not.
    pub ending: Ending,
    /// How long its machines ticked.
    pub elapsed: Nanos,
    /// The machines' accounts, by number.
    pub accounts: Vec<Account>,
    /// The largest final Lamport clock of the run's machines, those of other processes as well.
    pub lamport: u64,
    /// How late its ticks were, where that was in real time.
    pub lateness: Option<LatenessSpread>,
    /// What a person should know of it: of other processes, and of ticks that did not keep their times.
    pub warnings: Vec<String>,
    /// Which node of a distributed run this process was, and how many there are.
    pub node: Option<(u32, u32)>,
    /// Whether the accounts are those of all machines of the run.
    pub is_whole: bool,
    /// What its links to other processes have done, where there are any.
    pub links: Option<LinkReport>,
    /// What it wrote, the manifest last.
    pub files: Vec<PathBuf>,
    /// What could not be written after the run's own failure.
    pub unwritten: Option<WriteError>,
    /// Its folder: as long as this is held, no other run moves there.
    pub claim: Option<RunFolder>,
}

/// A run that is ready to start: it fits, its folder is claimed, its manifest says `running`.
#[derive(Debug)]
pub struct Prepared {
    scenario: Scenario,
    membership: Option<Membership>,
    fleet: Option<Supervised>,
    layout: Layout,
    threads: Threads,
    folder: RunFolder,
    manifest: Manifest,
    /// Of the disk, for what it leaves at its end.
    room: Room,
    spelled: Spelling,
}

/// Why a run could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It needs more than the machine has.
    #[error(transparent)]
    DoesNotFit(#[from] DoesNotFit),
    /// Its logs need more files than may be open.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Its folder cannot be had.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its manifest cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Its threads cannot be had.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// Its processes cannot be had.
    #[error(transparent)]
    Supervised(#[from] SupervisorError),
    /// It cannot be shared among processes.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

impl RunError {
    /// Whether it is the arguments that are wrong, rather than the machine.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::DoesNotFit(DoesNotFit::Memory { .. }) | Self::Layout(_) | Self::Scenario(_))
    }
}

/// Why what a run leaves could not be written at its end.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// `summary.csv` could not be written.
    #[error(transparent)]
    Summary(#[from] LogError),
    /// `run.toml` could not be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Neither, since the folder is not the run's any more.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl Prepared {
    /// Prepares a run, or this process's part of one: looks whether it fits, claims its folder, moves an earlier
    /// run aside unless it is this one that goes on.
    ///
    /// # Errors
    ///
    /// Where the run does not fit or its folder cannot be had; then nothing has been overwritten.
    pub fn new(
        scenario: Scenario,
        membership: Option<Membership>,
        request: &Request,
    ) -> Result<Self, RunError> {
        if let Some(processes) = request.settings.processes {
            check_distributed(&scenario, processes.get(), "processes", &processes.to_string())?;
        }
        let resumes = membership.as_ref().is_some_and(|membership| membership.resume);
        if resumes || request.restarts {
            check_restarts(&scenario)?;
        }
        let here = membership.as_ref().map_or_else(|| scenario.vms(), Membership::machines);
        let layout = check(&scenario, here, request, 1)?;
        let threads = request.settings.threads.unwrap_or_else(|| useful_threads(&scenario));
        let folder = if resumes { RunFolder::resume } else { RunFolder::claim }(&request.output)?;
        let own = request.settings.clone();
        let settings = Settings { threads: Some(threads), log: Some(layout.choice()), ..own };
        let settings = settings.or(&scenario.settings());
        let drawn = Drawn::of(&scenario);
        let mut run = new_section(&scenario);
        if let Some(Membership { identity, .. }) = &membership {
            run.id = identity.run.to_string();
            (run.node, run.nodes) = (Some(identity.node), Some(identity.nodes));
        }
        let manifest =
            Manifest { status: Status::Running, settings, run, drawn, sweep: None, files: Vec::new() };
        manifest.write(folder.path())?;
        let room = manifest.keep_room(folder.path(), here.into());
        let id = manifest.run.id.clone();
        let fleet = request.settings.processes.map(|processes| Supervised {
            run: id,
            settings: request.settings.passed_to(Scope::Process),
            processes: processes.get(),
            restarts: request.restarts,
            worker: request.worker,
        });
        Ok(Self {
            scenario,
            membership,
            fleet,
            layout,
            threads,
            folder,
            manifest,
            room,
            spelled: request.spelled,
        })
    }

    /// Where the run that was found in the folder went.
    pub fn moved(&self) -> Option<&Path> {
        self.folder.moved()
    }

    /// Runs it, and writes summary and manifest.
    ///
    /// # Errors
    ///
    /// Where it could not start. A failure later on is in [`Finished`], with all that was kept.
    pub fn run(mut self, stop: Stop, observer: &mut dyn Observer) -> Result<Finished, RunError> {
        let plan = Plan {
            threads: self.threads.get() as usize,
            layout: self.layout,
            folder: self.folder.path().to_owned(),
        };
        let outcome = match &self.fleet {
            Some(fleet) => {
                supervisor::run(fleet, &self.scenario, &plan, &stop, observer).map_err(RunError::from)
            }
            None => choose_workload(&self.scenario, &plan, self.membership.take(), stop, observer)
                .map_err(RunError::from),
        };
        self.room.release();
        match outcome {
            Ok(outcome) => Ok(self.finish(outcome)),
            Err(error) => {
                self.manifest.status = Status::Failed;
                self.manifest.run.failure = Some((self.spelled)(&error.to_string()).into_owned());
                // The first error is the one to tell.
                let _ = self.manifest.write(self.folder.path());
                Err(error)
            }
        }
    }

    /// Writes what the run leaves. A run whose own logs or summary cannot be written has failed.
    fn finish(mut self, outcome: Outcome) -> Finished {
        let Outcome { ending, began, elapsed, accounts, files, lamport, lateness, links } = outcome;
        let mut warnings = links.as_ref().map_or_else(Vec::new, |links| links.warnings.clone());
        if let Some(counts) = &lateness {
            warnings.extend(self.lateness_warnings(counts, &accounts));
        }
        let mut finished = Finished {
            ending,
            elapsed,
            node: self.manifest.run.node.zip(self.manifest.run.nodes),
            is_whole: accounts.len() == self.scenario.vms() as usize,
            accounts,
            lamport,
            lateness: lateness.filter(|counts| !counts.is_empty()).map(|counts| counts.spread()),
            warnings,
            links,
            files: self.paths(&files),
            unwritten: None,
            claim: None,
        };
        match self.folder.check() {
            Ok(()) => self.write(&mut finished, files, began),
            Err(error) => finished.unwritten = Some(error.into()),
        }
        finished.claim = Some(self.folder);
        finished
    }

    /// What the logs would say of it as well.
    fn lateness_warnings(&self, counts: &LatenessCounts, accounts: &[Account]) -> Vec<String> {
        let timed = accounts.iter().filter_map(|account| {
            let lateness = account.lateness.as_ref()?;
            Some((format!("machine {}", account.vm), account.rate, lateness))
        });
        pace::warnings(self.scenario.late(), &counts.punctuality, timed)
    }

    fn write(&mut self, finished: &mut Finished, mut files: Vec<FileEntry>, began: Option<Timestamp>) {
        let Finished { ending, accounts, lateness, warnings, links, unwritten, .. } = finished;
        match write_summary(
            self.folder.path().join(SUMMARY),
            accounts,
            self.scenario.clocks(),
            finished.lamport,
        ) {
            Ok(entry) => files.push(entry),
            Err(error) if matches!(ending, Ending::Failed(_)) => *unwritten = Some(error.into()),
            Err(error) => *ending = Ending::Failed(Failure::Log(error)),
        }
        self.manifest.status = status(ending);
        let run = &mut self.manifest.run;
        if let Some(began) = began {
            run.started = Some(rfc3339(began));
        }
        run.elapsed_s = Some(finished.elapsed.as_secs_f64());
        run.events = Some(accounts.iter().map(|account| account.tally.events).sum());
        run.lateness_p50_ms = lateness.map(|late| late.p50_ms);
        run.lateness_p99_ms = lateness.map(|late| late.p99_ms);
        run.lateness_max_ms = lateness.map(|late| late.max_ms);
        run.links = links.as_ref().map(|links| links.traffic);
        run.warnings.clone_from(warnings);
        if let Ending::Failed(failure) = ending {
            run.failure = Some((self.spelled)(&failure.to_string()).into_owned());
        }
        finished.files = self.paths(&files);
        self.manifest.files = files;
        match self.manifest.write(self.folder.path()) {
            Ok(()) => finished.files.push(self.folder.path().join(MANIFEST)),
            Err(error) => finished.unwritten = finished.unwritten.take().or_else(|| Some(error.into())),
        }
    }

    fn paths(&self, files: &[FileEntry]) -> Vec<PathBuf> {
        files.iter().map(|entry| self.folder.path().join(&entry.name)).collect()
    }
}

/// Hands the run to its driver with the workload that it asks for. It is asked for once a run, so that no tick
/// pays for the choice.
pub(crate) fn choose_workload(
    scenario: &Scenario,
    plan: &Plan,
    membership: Option<Membership>,
    stop: Stop,
    observer: &mut dyn Observer,
) -> Result<Outcome, LiveError> {
    let workload = scenario.workload();
    let setup = workload.setup().clone();
    match workload.algorithm().make {
        Make::Boxed(make) => drive(scenario, plan, membership, move |vm| make(vm, &setup), stop, observer),
        Make::Dice(make) => drive(scenario, plan, membership, move |vm| make(vm, &setup), stop, observer),
    }
}

/// Hands the run to the driver of its time.
fn drive<W, F>(
    scenario: &Scenario,
    plan: &Plan,
    membership: Option<Membership>,
    workload: F,
    stop: Stop,
    observer: &mut dyn Observer,
) -> Result<Outcome, LiveError>
where
    W: Workload + Send,
    F: Fn(VmId) -> W + Send + Sync + 'static,
{
    if scenario.is_virtual() {
        Ok(sim::run(scenario, plan, workload, &stop, observer))
    } else {
        live::run(scenario, plan, membership, workload, stop, observer)
    }
}

/// Makes sure that so many runs fit this machine, each with so many of its machines here, and tells how their logs are laid out.
pub(crate) fn check(
    scenario: &Scenario,
    here: u32,
    request: &Request,
    runs: u32,
) -> Result<Layout, RunError> {
    // The processes of a run open the logs of their own machines.
    let a_process = here.div_ceil(request.settings.processes.map_or(1, Processes::get));
    let layout =
        Layout::choose(request.settings.log, a_process, open_files(scenario, request.settings.threads))?;
    preflight::check(scenario, here, layout, &request.output, runs)?;
    Ok(layout)
}

/// Open files that a run has beside its logs: its folder, its manifest, what it is watched by.
pub(crate) const FILES_A_RUN: u64 = 8;

/// How many files this process may open, once it is allowed as many as can be, and how many it needs beside logs.
pub(crate) fn open_files(scenario: &Scenario, threads: Option<Threads>) -> OpenFiles {
    /// Where the system does not tell.
    const USUAL: u64 = 16;
    /// What a thread of a live run waits with.
    const A_LIVE_THREAD: u64 = 3;
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let open = std::fs::read_dir("/proc/self/fd").map_or(USUAL, |files| files.count() as u64);
    // Besides its workers the run has a thread that leads it, and one for other processes where there are any.
    let threads = u64::from(threads.unwrap_or_else(cores).get().min(scenario.vms())) + 2;
    let waiting = if scenario.is_virtual() { 0 } else { A_LIVE_THREAD * threads };
    OpenFiles { limit, others: open + waiting + FILES_A_RUN }
}

/// What a manifest says of a run that is about to start.
pub(crate) fn new_section(scenario: &Scenario) -> RunSection {
    let now = now();
    RunSection {
        id: run_id(now),
        version: env!("CARGO_PKG_VERSION"),
        time: if scenario.is_virtual() { "virtual" } else { "live" },
        prepared: rfc3339(now),
        // Virtual time starts when somebody makes it; real time when the last machine is ready.
        started: scenario.is_virtual().then(|| rfc3339(now)),
        ..RunSection::default()
    }
}

/// Makes sure that a process may die and another go on: messages that waited in it are lost.
fn check_restarts(scenario: &Scenario) -> Result<(), ScenarioError> {
    let clocks = scenario.clocks();
    let Some(clock) = clocks.iter().find(|clock| clock.needs_order) else { return Ok(()) };
    let allowed = format!(
        "cannot go with setting `resume`: {clock} goes wrong where messages are lost, as those are that wait in a process that dies"
    );
    Err(ScenarioError { setting: "clocks", value: clocks.to_string(), allowed })
}

/// Makes sure that so many processes can share the scenario; `setting` is the flag that asks for them.
pub(crate) fn check_distributed(
    scenario: &Scenario,
    processes: u32,
    setting: &'static str,
    value: &str,
) -> Result<(), ScenarioError> {
    let wrong = |setting, value: String, allowed: String| Err(ScenarioError { setting, value, allowed });
    let vms = scenario.vms();
    if scenario.is_virtual() {
        let allowed = "cannot go with setting `virtual-time`, which has its machines in one process; setting `threads` shares them there";
        return wrong(setting, value.to_owned(), allowed.into());
    }
    if processes > vms {
        let allowed = format!("must be at most the number of machines, {vms}: each process has one or more");
        return wrong(setting, value.to_owned(), allowed);
    }
    let clocks = scenario.clocks();
    let fits = |vms: u32| clocks.words(vms) <= MOST_WORDS;
    if let Some((largest, _)) = clocks.largest(vms).filter(|_| !fits(vms)) {
        let (title, small) = (largest.title, ClockList::small());
        let most = (1..vms.ilog2() + 1).rev().fold(0, |most, bit| {
            let more = most + (1 << bit);
            if fits(more) { more } else { most }
        });
        let allowed = format!(
            "must be at most {most} with {title}s in several processes; leave them out with setting `clocks = {small}`"
        );
        return wrong("vms", vms.to_string(), allowed);
    }
    Ok(())
}

pub(crate) const fn status(ending: &Ending) -> Status {
    match ending {
        Ending::Complete => Status::Complete,
        Ending::Interrupted => Status::Interrupted,
        Ending::Failed(_) => Status::Failed,
    }
}

pub(crate) fn cores() -> Threads {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    u32::try_from(cores).ok().and_then(Threads::new).unwrap_or(Threads::new(1).expect("in range"))
}

/// Ticks in a window that are worth a thread: with fewer, its threads mostly wait for each other.
const TICKS_A_THREAD: u64 = 32;

/// As many threads as there are cores; in virtual time fewer where a window has few ticks to share.
fn useful_threads(scenario: &Scenario) -> Threads {
    let cores = cores();
    if !scenario.is_virtual() {
        return cores;
    }
    let windows = scenario.duration().get() / scenario.lookahead().get().max(1);
    let useful = scenario.events() / windows.max(1) / TICKS_A_THREAD;
    Threads::new(u32::try_from(useful).unwrap_or(u32::MAX).clamp(1, cores.get())).unwrap_or(cores)
}

/// The name of a run that starts now.
pub(crate) fn new_run_id() -> String {
    run_id(now())
}

/// The name of a run among others: when it was started, and something that two runs of a second differ in.
fn run_id(now: Timestamp) -> String {
    #[expect(clippy::disallowed_methods, reason = "a name; nothing that happens in a run depends on it")]
    let random = rand::random::<u32>() >> 8;
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ");
    format!("{time}-{random:06x}")
}

fn rfc3339(time: Timestamp) -> String {
    format!("{time:.6}")
}

fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the name of the run; no event's time comes from it")]
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::seed::Seed;

    #[test]
    fn a_run_has_no_more_threads_than_it_has_work_for() {
        let threads = |vms: u32, is_virtual| {
            let text = format!("vms = {vms}\nvirtual-time = {is_virtual}\nduration = 1");
            let settings: Settings = toml::from_str(&text).unwrap();
            useful_threads(&Scenario::new(&settings, Seed(1)).unwrap())
        };
        assert_eq!(threads(1_000, true).get(), 1);
        assert_eq!(threads(1_000, false), cores());
        assert_eq!(threads(20_000, true).get(), cores().get().min(2));
    }
}
