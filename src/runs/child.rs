//! A process that was started for a run in several processes: it does what it is told and tells how far it has
//! come (see [`fleet`](crate::runs::supervisor)).

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::drivers::live::LiveError;
use crate::drivers::live::bridge::{self, JoinError, Membership};
use crate::edge::control::{Observer, Progress, Stop, Stopper};
use crate::edge::driver::{Ending, Outcome, Plan};
use crate::edge::link::bounds::Bounds;
use crate::edge::link::greeting::Identity;
use crate::edge::log::{Layout, bridge_log_name};
use crate::model::registry::Registry;
use crate::model::scenario::{Scenario, ScenarioError};
use crate::model::seed::Seed;
use crate::model::setting::Spelling;
use crate::runs::join::{Invitation, draw_incarnation, lines};
use crate::runs::run::choose_workload;
use crate::runs::supervisor::talk::{ChildCommand, ChildReport, Done, Work, hear, say};

/// Why a child could not do its work; the process that started it is told in words.
#[derive(Debug, thiserror::Error)]
enum ChildError {
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error("the system does not tell at which address this process listens: {0}")]
    Address(#[source] io::Error),
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("the scenario cannot be written down to be compared: {0}")]
    Written(#[from] toml::ser::Error),
    #[error(transparent)]
    Live(#[from] LiveError),
}

/// Does the work that `commands` asks for, and tells of it in `reports`. Where no more commands can come, since the
/// process that gave them is gone, the work ends in order, as where somebody else asks it to stop.
///
/// # Errors
///
/// Where nobody hears the reports any more.
pub fn work(
    mut commands: impl BufRead + Send + 'static,
    reports: &mut dyn Write,
    registry: &Registry,
    stopper: Stopper,
    stop: Stop,
    spelled: Spelling,
) -> io::Result<()> {
    let Some(ChildCommand::Work(work)) = hear(&mut commands) else {
        return say(
            reports,
            &ChildReport::Failed("a worker is started by clocklab itself, for setting `processes`".into()),
        );
    };
    let (meet, meeting) = mpsc::channel();
    let (gone, deaths) = unbounded_channel();
    thread::Builder::new().name("commands".into()).spawn(move || obey(commands, &meet, &gone, &stopper))?;
    let mut teller = Teller { reports };
    let outcome = (|| -> Result<Option<Outcome>, ChildError> {
        let listener = bridge::listen(&work.listen)?;
        let address = listener.local_addr().map_err(ChildError::Address)?.to_string();
        teller.say(&ChildReport::Listening(address));
        let Some(addresses) = wait_for(&meeting, &stop) else { return Ok(None) };
        let scenario = Scenario::of(registry, &work.settings, Seed(0))?;
        let identity = identity(&work, &scenario)?;
        let membership = Membership {
            identity,
            addresses,
            listener,
            bounds: Arc::new(Bounds::of(&scenario)),
            key: None,
            join_timeout: Invitation::JOIN_TIMEOUT.into(),
            log: work.folder.join(bridge_log_name(work.node)),
            resume: work.resume,
            deaths: Some(deaths),
            spelled,
        };
        let plan = plan(&work, &work.folder);
        Ok(Some(choose_workload(&scenario, &plan, Some(membership), stop, &mut teller)?))
    })();
    match outcome {
        Ok(Some(outcome)) => tell(teller.reports, outcome),
        Ok(None) => {
            say(teller.reports, &ChildReport::Done(Box::new(Done { interrupted: true, ..Done::default() })))
        }
        Err(error) => say(teller.reports, &ChildReport::Failed(error.to_string())),
    }
}

fn identity(work: &Work, scenario: &Scenario) -> Result<Identity, ChildError> {
    let scenario = lines(scenario, true)?;
    let run = work.run.as_str().into();
    Ok(Identity { run, scenario, nodes: work.nodes, node: work.node, incarnation: draw_incarnation() })
}

fn plan(work: &Work, folder: &Path) -> Plan {
    let layout = Layout::of(work.log);
    Plan { threads: work.threads.get() as usize, layout, folder: folder.to_owned() }
}

/// Hears commands until there are no more.
fn obey(
    mut commands: impl BufRead,
    meet: &Sender<Vec<String>>,
    gone: &UnboundedSender<u32>,
    stopper: &Stopper,
) {
    while let Some(command) = hear(&mut commands) {
        // Whoever is past waiting for something does not hear of it.
        match command {
            ChildCommand::Work(_) => {}
            ChildCommand::Meet(addresses) => drop(meet.send(addresses)),
            ChildCommand::Gone(node) => drop(gone.send(node)),
            ChildCommand::Stop => stopper.stop(),
        }
    }
    stopper.stop();
}

/// Waits for the others' addresses; none where the run is stopped before.
fn wait_for(meeting: &Receiver<Vec<String>>, stop: &Stop) -> Option<Vec<String>> {
    loop {
        match meeting.recv_timeout(Duration::from_millis(50)) {
            Ok(addresses) => return Some(addresses),
            Err(mpsc::RecvTimeoutError::Timeout) if !stop.asked() => {}
            Err(_) => return None,
        }
    }
}

/// Tells what the work has come to.
fn tell(reports: &mut dyn Write, outcome: Outcome) -> io::Result<()> {
    for account in outcome.accounts {
        say(reports, &ChildReport::Account(Box::new(account)))?;
    }
    let failure = match &outcome.ending {
        Ending::Failed(failure) => Some(failure.to_string()),
        Ending::Complete | Ending::Interrupted => None,
    };
    let done = Done {
        failure,
        interrupted: matches!(outcome.ending, Ending::Interrupted),
        began: outcome.began.map(|began| began.to_string()),
        elapsed: outcome.elapsed.get(),
        files: outcome.files,
        lamport: outcome.lamport,
        lateness: outcome.lateness,
        links: outcome.links,
    };
    say(reports, &ChildReport::Done(Box::new(done)))
}

/// Passes on how far the work has come.
struct Teller<'a> {
    reports: &'a mut dyn Write,
}

impl Teller<'_> {
    /// Where nobody hears it any more, the end of the commands ends the work.
    fn say(&mut self, report: &ChildReport) {
        let _ = say(self.reports, report);
    }
}

impl Observer for Teller<'_> {
    fn progress(&mut self, progress: &Progress) {
        self.say(&ChildReport::from(*progress));
    }

    fn notice(&mut self, text: &str) {
        self.say(&ChildReport::Notice(text.to_owned()));
    }
}
