//! `clocklab sweep`: from the command line to a sweep, and what is told of it.

mod flags;
mod merge;
mod presets;
mod progress;
mod shard;
mod table;

use std::fmt;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) use self::flags::SweepFlags;
pub(super) use self::merge::{MergeFlags, run as merge};
use self::presets::Preset;
use self::progress::SweepBar;
pub(super) use self::table::EffectsTable;
use super::end_report::ReportChoice;
use super::flags::WORKER_FLAG;
use super::folders::OUTPUT;
use super::report::write_sweep_page;
use super::signals::Signals;
use super::spelling::with_flags;
use super::{FAILED, Fatal, complain, failed, say, unreadable, usage};
use crate::after::effects::Effects;
use crate::edge::control::Stop;
use crate::edge::driver::Ending;
use crate::edge::log::{
    self, EXPERIMENT, REPORT, SavedManifest, condition_folder_name, read_experiment, run_folder_name,
};
use crate::model::experiment::{Experiment, ExperimentError, Named};
use crate::model::registry::Registry;
use crate::model::scenario::Settings;
use crate::model::seed::Seed;
use crate::model::setting::{Holder, PathValue, Scope};
use crate::model::text::{count, grouped};
use crate::runs::run::Request;
use crate::runs::sweep::{FinishedSweep, Sweep, SweepError, SweepObserver, SweepProgress, SweepRequest};
use crate::show::report::{MOST_EVENTS, MOST_RUNS};

/// The most warnings that are told one by one.
const MOST_WARNINGS: usize = 20;

/// The most conditions of which there is a page unasked.
const MOST_CONDITIONS: usize = 1000;

/// What is said where nothing varies.
const NOTHING_VARIES: &str = "no condition is named: say what varies, as in rates=1-6 rates=3-4, or name a --preset or a \
                              file with --conditions";

impl From<SweepError> for Fatal {
    fn from(error: SweepError) -> Self {
        Self::new(&error, error.is_usage())
    }
}

/// Makes the sweep that is asked for, and prints its table.
pub(super) fn run(flags: SweepFlags, registry: &Registry) -> Result<ExitCode, Fatal> {
    if flags.presets.iter().any(String::is_empty) {
        say(&presets::list()).map_err(|error| failed("cannot print the presets", &error))?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_quiet = flags.start.quiet == Some(true);
    let asked = Asked::of(&flags)?;
    let request = asked.request(&flags)?;
    let experiment = asked.experiment(&flags.varying, &flags.settings, registry)?;
    let sweep = Sweep::new(experiment, request, registry)?;
    if !is_quiet {
        tell_start(&sweep);
    }
    let (stopper, stop) = Stop::new();
    let signals =
        Signals::listen(stopper, false).map_err(|error| failed("cannot listen to signals", &error))?;
    let (_, known) = sweep.runs();
    let mut observer: Box<dyn SweepObserver> = if !is_quiet && io::stderr().is_terminal() {
        Box::new(SweepBar::new(sweep.live_time().is_some()))
    } else {
        Box::new(Unwatched)
    };
    let finished = sweep.run(&stop, &mut *observer);
    drop(observer);
    if !is_quiet {
        let effects = effects(finished.claim.path())?;
        let summary = SweepSummary { finished: &finished, known, effects: &effects };
        say(&summary).map_err(|error| failed("cannot print the summary", &error))?;
    }
    tell_warnings(&finished.warnings);
    let code = conclude(&finished, &signals);
    let choice = flags.start.report.unwrap_or(ReportChoice::Auto);
    let unmade =
        if finished.unwritten.is_none() { make_page(&finished, choice, is_quiet, registry) } else { None };
    Ok(unmade.map_or(code, ExitCode::from))
}

/// Writes the page of a sweep where that is wanted, and tells of it; an exit code is given where the sweep is complete and
/// the page that was asked for is not there.
fn make_page(
    finished: &FinishedSweep,
    choice: ReportChoice,
    is_quiet: bool,
    registry: &Registry,
) -> Option<u8> {
    let is_wanted = match choice {
        ReportChoice::On => true,
        ReportChoice::Off => false,
        ReportChoice::Auto => !matches!(finished.ending, Ending::Failed(_)) && is_small(finished),
    };
    if !is_wanted {
        return None;
    }
    let page = finished.claim.path().join(REPORT);
    match write_sweep_page(finished.claim.path(), &page, registry) {
        Ok(()) if is_quiet => None,
        Ok(()) => {
            complain(&format_args!("Open {} in a browser to look at it.", page.display()));
            None
        }
        Err(Fatal { message, .. }) if choice == ReportChoice::On => {
            complain(&format_args!("error: the sweep is kept, and its report was not made: {message}"));
            matches!(finished.ending, Ending::Complete).then_some(FAILED)
        }
        Err(Fatal { message, .. }) => {
            complain(&format_args!("warning: no report was made: {message}"));
            None
        }
    }
}

/// Whether the runs that a page shows are small enough to be read in well under a second.
fn is_small(finished: &FinishedSweep) -> bool {
    let conditions = finished.experiment.conditions();
    let shown =
        u64::from(finished.experiment.runs().get()).min((MOST_RUNS / conditions.len().max(1)).max(1) as u64);
    let of_conditions = conditions.iter().take(MOST_RUNS).map(|condition| condition.scenario().events());
    let events = of_conditions.fold(0, u64::saturating_add).saturating_mul(shown);
    conditions.len() <= MOST_CONDITIONS && (finished.folders == 0 || events <= MOST_EVENTS as u64)
}

/// What a sweep's table says of its conditions.
pub(super) fn effects(folder: &Path) -> Result<Effects, Fatal> {
    let saved = read_experiment(&folder.join(EXPERIMENT)).map_err(unreadable)?;
    Ok(Effects::of(&saved))
}

/// What the files and flags say together.
struct Asked {
    /// What all conditions share.
    shared: Settings,
    named: Vec<Named>,
    /// A sweep that is to be made again.
    again: Option<SavedManifest>,
}

impl Asked {
    fn of(flags: &SweepFlags) -> Result<Self, Fatal> {
        let mut named = Vec::new();
        for name in &flags.presets {
            let preset = Preset::named(name).map_err(usage)?;
            named.extend(preset.conditions().map_err(usage)?);
        }
        let mut shared = flags.settings.clone();
        if let Some(path) = &flags.conditions {
            let (of_all, conditions) = log::read_conditions(path).map_err(usage)?;
            shared = shared.or(&of_all);
            named.extend(conditions);
        }
        let mut again = None;
        if let Some(PathValue(path)) = &flags.start.scenario {
            shared = shared.or(&log::read_settings(path).map_err(usage)?);
            // Its own file tells the conditions of a sweep.
            let names_none = named.is_empty() && flags.varying.is_empty();
            again = log::read_manifest(path).ok().filter(|saved| names_none && saved.sweep.is_some());
        }
        shared.virtual_time = Some(!flags.live);
        Ok(Self { shared, named, again })
    }

    fn request(&self, flags: &SweepFlags) -> Result<SweepRequest, Fatal> {
        let shard = match flags.shard {
            None => None,
            Some(choice) => Some(
                choice
                    .resolve(|name| std::env::var(name).ok())
                    .map_err(|why| usage(format_args!("invalid value '{choice}' for '--shard': {why}")))?,
            ),
        };
        if shard.is_some() && self.shared.seed.is_none() {
            return Err(usage(
                "--shard needs --seed, the same for all shares: each would draw a seed of its own, and they would be of \
                 different sweeps",
            ));
        }
        let settings = self.shared.only(|facts| facts.scope >= Scope::Run && facts.scope != Scope::Model);
        let output = flags.start.output.clone().map_or_else(|| PathBuf::from(OUTPUT), |PathValue(path)| path);
        let request = Request { output, settings, restarts: false, worker: WORKER_FLAG, spelled: with_flags };
        let shared = self.shared.only(|facts| facts.scope == Scope::Model || facts.scope == Scope::Series);
        Ok(SweepRequest { request, shared, shard, resumes: flags.resume })
    }

    fn experiment(
        &self,
        varying: &[String],
        given: &Settings,
        registry: &Registry,
    ) -> Result<Experiment, Fatal> {
        #[expect(clippy::disallowed_methods, reason = "this is where a seed comes from that nobody chose")]
        let drawn = Seed::to_copy(rand::random());
        let experiment = match self.again.as_ref().and_then(|saved| saved.sweep.as_ref()) {
            Some(section) => Experiment::of_outline(&section.outline, &self.shared, drawn, registry),
            None => Experiment::new(varying, self.named.clone(), (given, &self.shared), drawn, registry),
        };
        experiment.map_err(|error| match error {
            ExperimentError::Nothing => usage(NOTHING_VARIES),
            error => usage(error),
        })
    }
}

/// Tells what is about to be done, where that is worth knowing.
fn tell_start(sweep: &Sweep) {
    if let Some(moved) = sweep.moved() {
        complain(&format_args!("The earlier run is now in {}.", moved.display()));
    }
    let (now, known) = sweep.runs();
    if known > 0 {
        complain(&format_args!(
            "Going on with the sweep that was cut short: {} of {} are there.",
            grouped(known),
            count(known + now, "runs")
        ));
    }
    if let Some(time) = sweep.live_time().filter(|_| now > 0) {
        complain(&format_args!(
            "{} in real time, one after the other: {}.",
            count(now, "runs"),
            progress::length(time.as_secs_f64())
        ));
    }
}

fn tell_warnings(warnings: &[String]) {
    for warning in warnings.iter().take(MOST_WARNINGS) {
        complain(&format_args!("warning: {warning}"));
    }
    if warnings.len() > MOST_WARNINGS {
        complain(&format_args!("warning: and {} more like them", warnings.len() - MOST_WARNINGS));
    }
}

/// Tells how it ended, where that needs words, and makes the exit code of it.
fn conclude(finished: &FinishedSweep, signals: &Signals) -> ExitCode {
    match &finished.ending {
        Ending::Complete => {}
        Ending::Interrupted => complain(&format_args!(
            "Interrupted. The runs that were over are in the table; the same command goes on with the others."
        )),
        Ending::Failed(failure) => complain(&format_args!("error: {failure}")),
    }
    if let Some(error) = &finished.unwritten {
        complain(&format_args!("error: {error}"));
    }
    match (&finished.ending, &finished.unwritten) {
        (Ending::Complete, None) => ExitCode::SUCCESS,
        (Ending::Interrupted, None) => signals.exit_code(),
        _ => ExitCode::from(FAILED),
    }
}

/// What is printed of a sweep that is over.
struct SweepSummary<'a> {
    finished: &'a FinishedSweep,
    /// Runs that were there before.
    known: u64,
    effects: &'a Effects,
}

impl fmt::Display for SweepSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { finished, known, effects } = self;
        let experiment = &finished.experiment;
        let ended = match finished.ending {
            Ending::Complete => "complete",
            Ending::Interrupted => "interrupted",
            Ending::Failed(_) => "failed",
        };
        let conditions = count(experiment.conditions().len() as u64, "conditions");
        let runs = count(u64::from(experiment.runs().get()), "runs");
        let seed = experiment.seed().0;
        writeln!(f, "{conditions} with {runs} each, seed {seed}: {ended}")?;
        let there = known + finished.made;
        if there < experiment.len() {
            writeln!(f, "{} of {} are in the table", grouped(there), count(experiment.len(), "runs"))?;
        }
        writeln!(f, "\n{}", EffectsTable(effects))?;
        write_paths(f, finished.claim.path(), finished.folders, &finished.files)
    }
}

/// What is there now: so many folders of runs, and files.
fn write_paths(f: &mut fmt::Formatter<'_>, output: &Path, folders: u64, files: &[PathBuf]) -> fmt::Result {
    writeln!(f, "written:")?;
    if folders > 0 {
        let first = output.join(condition_folder_name(1)).join(run_folder_name(1));
        writeln!(f, "  {} and so on, {}", first.display(), count(folders, "folders"))?;
    }
    files.iter().try_for_each(|path| writeln!(f, "  {}", path.display()))
}

/// Watches a sweep where there is no bar.
struct Unwatched;

impl SweepObserver for Unwatched {
    fn progress(&mut self, _progress: &SweepProgress) {}
}
