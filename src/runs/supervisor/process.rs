//! One process that was started for a run: which of its node it is, what it was told, and what it has told so far.

use std::io::{self, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use super::talk::{ChildCommand, ChildReport, Done, Work, hear, say};
use crate::edge::control::Progress;
use crate::model::tally::Account;

/// Something that a process has told; no report where it says no more.
pub(super) struct ChildWord {
    pub(super) node: u32,
    /// Which of the processes that this node has had.
    pub(super) generation: u32,
    pub(super) report: Option<ChildReport>,
}

/// A process of the run.
pub(super) struct Process {
    child: Option<Child>,
    commands: Option<ChildStdin>,
    /// The argument that makes this program one.
    worker: &'static str,
    /// How many processes this node has had before it.
    pub(super) generation: u32,
    pub(super) address: Option<String>,
    pub(super) has_started: bool,
    /// Whether it was told that the run was over before it could go on.
    pub(super) is_late: bool,
    pub(super) progress: Progress,
    pub(super) accounts: Vec<Account>,
    pub(super) done: Option<Done>,
    pub(super) failure: Option<String>,
}

impl Process {
    /// Starts a process for that work. It ends when its standard input does, so none outlives this one.
    pub(super) fn start(worker: &'static str, work: Work, tell: Sender<ChildWord>) -> io::Result<Self> {
        Self::start_generation(worker, work, 0, tell)
    }

    fn start_generation(
        worker: &'static str,
        work: Work,
        generation: u32,
        tell: Sender<ChildWord>,
    ) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        // Its own group, so that a signal from the terminal reaches this process alone, which tells the others.
        command.arg(worker).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let node = work.node;
        thread::Builder::new().name(format!("node {node}")).spawn(move || {
            let mut lines = BufReader::new(stdout.expect("it is piped"));
            while let Some(report) = hear(&mut lines) {
                let _ = tell.send(ChildWord { node, generation, report: Some(report) });
            }
            let _ = tell.send(ChildWord { node, generation, report: None });
        })?;
        let mut process = Self {
            child: Some(child),
            commands: stdin,
            worker,
            generation,
            address: None,
            has_started: false,
            is_late: false,
            progress: Progress::default(),
            accounts: Vec::new(),
            done: None,
            failure: None,
        };
        process.command(&ChildCommand::Work(Box::new(work)));
        Ok(process)
    }

    /// Starts another process in the place of this one, which has died.
    pub(super) fn start_again(&mut self, work: Work, tell: Sender<ChildWord>) -> io::Result<()> {
        let mut next = Self::start_generation(self.worker, work, self.generation + 1, tell)?;
        next.progress = self.progress;
        *self = next;
        Ok(())
    }

    /// Tells it something. One that is gone is not told.
    pub(super) fn command(&mut self, command: &ChildCommand) {
        if self.commands.as_mut().is_some_and(|stdin| say(stdin, command).is_err()) {
            self.commands = None;
        }
    }

    /// Whether its machines, or those of a process before it, have ticked.
    pub(super) const fn has_ever_started(&self) -> bool {
        self.has_started || self.generation > 0
    }

    pub(super) const fn is_alive(&self) -> bool {
        self.child.is_some()
    }

    /// Waits for its end, which is near, and tells how it ended.
    pub(super) fn wait(&mut self) -> String {
        match self.child.take().map(|mut child| child.wait()) {
            Some(Ok(status)) => how_it_ended(status),
            Some(Err(error)) => error.to_string(),
            None => "it has ended before".to_owned(),
        }
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal} ended it"),
        (None, Some(code)) => format!("it ended with exit code {code}"),
        (None, None) => "nobody knows how it ended".to_owned(),
    }
}

/// A process is not left behind.
impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
