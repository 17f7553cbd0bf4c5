//! The command line: flags to a scenario, what is printed, and the exit code.

mod after;
mod end_report;
mod export;
mod flags;
mod folders;
mod hints;
mod invocation;
mod keys;
mod order;
mod progress;
mod report;
mod screen;
mod shells;
mod signals;
mod source;
mod spelling;
mod stats;
mod sweep;
mod table;
mod tamer;
mod tui;

use std::fmt::Display;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::end_report::{EndReport, ReportChoice};
use self::flags::Flags;
use self::folders::OUTPUT;
use self::invocation::Invocation;
use self::progress::Bar;
use self::screen::Screen;
use self::signals::Signals;
use self::spelling::with_flags;
use self::tamer::TamedWriter;
use self::tui::Viewer;
use crate::drivers::live::bridge::Membership;
use crate::edge::control::{Observer, Progress, Stop};
use crate::edge::driver::Ending;
use crate::edge::log::{self, FolderError, node_folder_name};
use crate::edge::nodes::NodeChoice;
use crate::model::registry::Registry;
use crate::model::scenario::{Runs, Scenario, Settings};
use crate::model::seed::Seed;
use crate::model::setting::{Holder, PathValue, Scope};
use crate::model::text::Tame;
use crate::model::time::Nanos;
use crate::runs::child;
use crate::runs::join::{self, Invitation, NodeError};
use crate::runs::run::{Prepared, Request, RunError, WriteError};
use crate::runs::series::{self, Series};

/// Why a node's folder may be taken.
const SHARED_FOLDER: &str = "; if that is another node of this run, each needs a folder of its own: with --node auto and no \
                             --output it is output/node_K, and a launcher's number may stand in the name, as in --output o$PMI_RANK";
/// The run or the check has failed.
const FAILED: u8 = 1;
/// The arguments are wrong.
const USAGE: u8 = 2;

/// Does what the process's arguments ask for, with what comes with clocklab.
pub fn main() -> ExitCode {
    main_with(Registry::default())
}

/// The same for a program that has workloads of its own: with all of the command line, the processes that it starts
/// itself included.
pub fn main_with(registry: Registry) -> ExitCode {
    let mut flags = match Flags::parse(std::env::args_os(), &registry) {
        Ok(flags) => flags,
        Err(error) => return misunderstood(&error),
    };
    let done = match flags.command.take() {
        Some(command) => after::run(command, &registry),
        None => run(flags, registry),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&format_args!("error: {}", error.message));
            if error.is_usage {
                complain(&"\nFor more information, try '--help'.");
            }
            ExitCode::from(error.code)
        }
    }
}

/// Prints what clap says of the arguments, or something better; help and the version, too, come as errors.
fn misunderstood(error: &clap::Error) -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(message) = hints::instead_of(error, &arguments) {
        complain(&format_args!("error: {message}\n\nFor more information, try '--help'."));
        return ExitCode::from(USAGE);
    }
    // Where nobody reads it any more, that is no failure.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { USAGE } else { 0 })
}

/// An error that ends the program, with its exit code, and whether the arguments are at fault.
#[derive(Debug)]
struct Fatal {
    message: String,
    code: u8,
    is_usage: bool,
}

impl Fatal {
    /// A failure, or a wrong use.
    fn new(error: &dyn Display, is_usage: bool) -> Self {
        Self { message: error.to_string(), code: if is_usage { USAGE } else { FAILED }, is_usage }
    }
}

impl From<NodeError> for Fatal {
    fn from(error: NodeError) -> Self {
        Self::new(&error, error.is_usage())
    }
}

impl From<RunError> for Fatal {
    fn from(error: RunError) -> Self {
        Self::new(&error, error.is_usage())
    }
}

fn usage(error: impl Display) -> Fatal {
    Fatal { message: error.to_string(), code: USAGE, is_usage: true }
}

/// There is no run to read where the arguments say.
fn unreadable(error: impl Display) -> Fatal {
    Fatal { message: error.to_string(), code: USAGE, is_usage: false }
}

fn failed(what: &str, error: &io::Error) -> Fatal {
    Fatal { message: format!("{what}: {error}"), code: FAILED, is_usage: false }
}

fn run(flags: Flags, registry: Registry) -> Result<ExitCode, Fatal> {
    if flags.worker {
        let (stopper, stop) = Stop::new();
        let own = stopper.clone();
        Signals::listen(own, false).map_err(|error| failed("cannot listen to signals", &error))?;
        let told =
            child::work(BufReader::new(io::stdin()), &mut io::stdout(), &registry, stopper, stop, with_flags);
        return told.map(|()| ExitCode::SUCCESS).map_err(|error| failed("nobody hears of the work", &error));
    }
    let Flags { settings: asked, start, .. } = flags;
    let settings = match &start.scenario {
        Some(PathValue(path)) => asked.clone().or(&log::read_settings(path).map_err(usage)?),
        None => asked.clone(),
    };
    let is_quiet = start.quiet == Some(true);
    if !is_quiet {
        let notes = hints::without_effect(&asked, &settings, &registry);
        notes.for_each(|note| complain(&format_args!("note: {note}")));
    }
    #[expect(clippy::disallowed_methods, reason = "this is where a seed comes from that nobody chose")]
    let drawn = Seed::to_copy(rand::random());
    let invitation = invitation(&start)?;
    // A node is a process, whose run is shared out already.
    let reach = if start.nodes.is_some() { Scope::Process } else { Scope::Run };
    let request = Request {
        output: output(&start, invitation.as_ref()),
        settings: settings.only(|facts| facts.scope >= reach && facts.scope != Scope::Model),
        restarts: start.resume == Some(true),
        worker: flags::WORKER_FLAG,
        spelled: with_flags,
    };
    if request.restarts && start.nodes.is_none() && request.settings.processes.is_none() {
        return Err(usage("--resume goes with --nodes and --node, or with --processes"));
    }

    let has_screen = start.tui == Some(true);
    let screen = if has_screen { Some(screen(&settings)?) } else { None };
    let choice = start.report.unwrap_or(ReportChoice::Auto);
    let report = EndReport::new(choice, &request, start.nodes.is_some(), is_quiet)?;

    let (stopper, stop) = Stop::new();
    let signals =
        Signals::listen(stopper, has_screen).map_err(|error| failed("cannot listen to signals", &error))?;
    let has_processes = request.settings.processes.is_some();
    let shell = Shell { registry, quiet: is_quiet, screen, report, signals, stop, has_processes };
    if let Some(invitation) = invitation {
        return shell.make_part(&invitation, settings, drawn, request);
    }
    let scenario = Scenario::of(&shell.registry, &settings, drawn).map_err(usage)?;
    match settings.runs {
        Some(runs) => shell.make_series(scenario, runs, request),
        None => shell.make_run(&scenario, None, &request),
    }
}

/// The run's folder. A launcher starts all nodes with the same words, and often in the same place.
fn output(start: &Invocation, invitation: Option<&Invitation>) -> PathBuf {
    let default = || match invitation {
        Some(Invitation { node, .. }) if start.node == Some(NodeChoice::Auto) => {
            Path::new(OUTPUT).join(node_folder_name(*node))
        }
        _ => OUTPUT.into(),
    };
    start.output.clone().map_or_else(default, |PathValue(path)| path)
}

/// What the process is asked for as one of several.
fn invitation(start: &Invocation) -> Result<Option<Invitation>, Fatal> {
    let (Some(nodes), Some(choice)) = (&start.nodes, start.node) else { return Ok(None) };
    let hostname = sysinfo::System::host_name().ok();
    let node = choice
        .resolve(|name| std::env::var(name).ok(), hostname.as_deref(), nodes.len())
        .map_err(|error| usage(format_args!("invalid value '{choice}' for '--node': {error}")))?;
    let join_timeout = start.join_timeout.unwrap_or(Invitation::JOIN_TIMEOUT);
    Ok(Some(Invitation {
        nodes: nodes.clone(),
        node,
        listen: start.listen.clone(),
        key_file: start.cluster_key_file.clone().map(|PathValue(path)| path),
        goes_without_key: start.no_cluster_key == Some(true),
        join_timeout: join_timeout.into(),
        resume: start.resume == Some(true),
    }))
}

/// The terminal to watch a run on that these settings ask for.
fn screen(settings: &Settings) -> Result<Screen, Fatal> {
    let refused = |why: &str| usage(format_args!("--tui cannot be had: {why}"));
    if settings.virtual_time == Some(true) {
        return Err(refused(
            "with --virtual-time there is nothing to watch, since nobody waits for the machines; leave out one of \
             them, or look at the run afterwards with clocklab report",
        ));
    }
    if settings.processes.is_some() {
        return Err(refused(
            "with --processes the machines are in other processes; start each with --nodes and --node, and --tui in \
             its own terminal",
        ));
    }
    Screen::new().map_err(|missing| refused(&missing))
}

/// What a run and a series have in common here.
struct Shell {
    registry: Registry,
    quiet: bool,
    /// Where the run is watched, if it is.
    screen: Option<Screen>,
    report: EndReport,
    signals: Signals,
    stop: Stop,
    /// Whether the run's machines are in processes of their own.
    has_processes: bool,
}

impl Shell {
    /// Makes this process's part of a distributed run.
    fn make_part(
        self,
        invitation: &Invitation,
        settings: Settings,
        drawn: Seed,
        mut request: Request,
    ) -> Result<ExitCode, Fatal> {
        let mut observer = Speaker { is_quiet: self.quiet };
        let joined = join::join(
            invitation,
            &self.registry,
            settings,
            drawn,
            &mut request,
            self.stop.clone(),
            &mut observer,
        )?;
        match joined {
            Some((scenario, membership)) => self.make_run(&scenario, Some(membership), &request),
            None => {
                complain(&"Interrupted before the run began. Nothing was written.");
                Ok(self.signals.exit_code())
            }
        }
    }

    fn make_run(
        mut self,
        scenario: &Scenario,
        membership: Option<Membership>,
        request: &Request,
    ) -> Result<ExitCode, Fatal> {
        let is_node = membership.is_some();
        let prepared = Prepared::new(scenario.clone(), membership, request).map_err(|error| {
            let is_taken = matches!(error, RunError::Folder(FolderError::InUse { .. }));
            let mut fatal = Fatal::from(error);
            if is_node && is_taken {
                fatal.message += SHARED_FOLDER;
            }
            fatal
        })?;
        self.tell_moved(prepared.moved());
        let mut observer = self.observer(scenario, None, scenario.duration());
        let finished = prepared.run(self.stop.clone(), &mut *observer)?;
        drop(observer);
        self.say(&table::Summary { scenario, finished: &finished })?;
        for warning in table::warnings(&finished) {
            complain(&format_args!("warning: {warning}"));
        }
        let code = self.conclude(&finished.ending, finished.elapsed, finished.unwritten.as_ref());
        let unmade = match &finished.claim {
            Some(folder) if finished.unwritten.is_none() => {
                self.report.make(folder.path(), &self.registry, &finished.ending, &[&finished])
            }
            _ => None,
        };
        Ok(unmade.map_or(code, ExitCode::from))
    }

    fn make_series(mut self, scenario: Scenario, runs: Runs, request: Request) -> Result<ExitCode, Fatal> {
        let series = Series::new(scenario.clone(), runs, request)?;
        self.tell_moved(series.moved());
        let total = series::total_duration(&scenario, runs);
        let mut observer = self.observer(&scenario, Some(runs), total);
        let finished = series.run(&self.stop, &mut *observer);
        drop(observer);
        self.say(&table::SeriesSummary { scenario: &scenario, series: &finished })?;
        for (k, _, run) in &finished.runs {
            for warning in table::warnings(run) {
                complain(&format_args!("warning: run {k}: {warning}"));
            }
        }
        let runs: Vec<_> = finished.runs.iter().map(|(.., run)| run).collect();
        let elapsed = runs.iter().fold(Nanos::ZERO, |sum, run| sum.plus(run.elapsed));
        let code = self.conclude(&finished.ending, elapsed, finished.unwritten.as_ref());
        let unmade = match &finished.claim {
            Some(folder) if finished.unwritten.is_none() => {
                self.report.make(folder.path(), &self.registry, &finished.ending, &runs)
            }
            _ => None,
        };
        Ok(unmade.map_or(code, ExitCode::from))
    }

    fn tell_moved(&self, moved: Option<&Path>) {
        if let Some(moved) = moved.filter(|_| !self.quiet) {
            complain(&format_args!("The earlier run is now in {}.", moved.display()));
        }
    }

    /// A view where somebody asks for it; else a progress bar where somebody can see it.
    fn observer(&mut self, scenario: &Scenario, runs: Option<Runs>, duration: Nanos) -> Box<dyn Observer> {
        if let Some(screen) = self.screen.take() {
            match Viewer::start(screen, runs.map(Runs::get), duration, self.stop.clone()) {
                Ok(viewer) => return Box::new(viewer),
                Err(error) => complain(&format_args!("warning: the run cannot be watched: {error}")),
            }
        }
        if !self.quiet && io::stderr().is_terminal() {
            Box::new(Bar::new(duration, scenario.is_virtual()))
        } else {
            Box::new(Speaker { is_quiet: self.quiet })
        }
    }

    fn say(&self, result: &dyn Display) -> Result<(), Fatal> {
        if self.quiet {
            Ok(())
        } else {
            say(result).map_err(|error| failed("cannot print the summary", &error))
        }
    }

    /// Tells how it ended, where that needs words, and makes the exit code of it.
    fn conclude(&self, ending: &Ending, elapsed: Nanos, unwritten: Option<&WriteError>) -> ExitCode {
        match ending {
            Ending::Complete => {}
            Ending::Interrupted => complain(&format_args!(
                "Interrupted after {:.1} s. All logs are whole up to there.",
                elapsed.as_secs_f64()
            )),
            Ending::Failed(failure) => complain(&format_args!("error: {failure}")),
        }
        if let Some(error) = unwritten {
            complain(&format_args!("error: {error}"));
        }
        match (ending, unwritten) {
            (Ending::Complete, None) => ExitCode::SUCCESS,
            (Ending::Interrupted, None) if self.has_processes => self.signals.exit_code_of_processes(),
            (Ending::Interrupted, None) => self.signals.exit_code(),
            _ => ExitCode::from(FAILED),
        }
    }
}

/// Watches a run where there is no bar: only notices are told.
struct Speaker {
    is_quiet: bool,
}

impl Observer for Speaker {
    fn progress(&mut self, _progress: &Progress) {}

    fn notice(&mut self, text: &str) {
        if !self.is_quiet {
            complain(&text);
        }
    }
}

/// Prints a result for people. Where nobody reads it any more, that is no failure.
///
/// Whatever a file or a peer has put into it, the terminal shows it and does not obey it.
fn say(result: &dyn Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match write!(stdout, "{}", Tame(result)).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Where data goes that is printed: to a program as it is, to a terminal so that it is not steered.
fn data() -> Box<dyn Write> {
    let stdout = io::stdout().lock();
    if stdout.is_terminal() { Box::new(TamedWriter::new(stdout)) } else { Box::new(stdout) }
}

/// Prints a result for programs. Where nobody reads it any more, that is no failure.
fn print_data(result: &dyn Display) -> io::Result<()> {
    let mut out = data();
    match write!(out, "{result}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Prints a message to the person at the terminal, as tame as what [`say`] prints, with flags for what it says of settings.
fn complain(message: &dyn Display) {
    let message = message.to_string();
    let _ = writeln!(io::stderr().lock(), "{}", Tame(&with_flags(&message)));
}
