//! One run in several processes of this machine: they are started, watched, and their results put together.
//!
//! Each process is a node of a distributed run, and writes the logs of its machines into the run's one folder.
//! It is told what to do and tells how far it has come in a [talk] over its standard input and output. One that
//! dies does not stop the others: what its machines did is read from their logs, or it is started again and
//! goes on from there.

mod process;
pub mod talk;

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use self::process::{ChildWord, Process};
use self::talk::{ChildCommand, ChildReport, Work};
use crate::edge::control::{Observer, Progress, Stop};
use crate::edge::driver::{Ending, Failure, LatenessCounts, LinkReport, Outcome, Plan};
use crate::edge::log::{BridgeLog, Layout, LogFile, Recovered, bridge_log_name, logs_of};
use crate::edge::nodes;
use crate::model::id::VmId;
use crate::model::scenario::{Scenario, Settings, Threads};
use crate::model::setting::Holder;
use crate::model::tally::{Account, largest_lamport};
use crate::model::time::Nanos;

/// How a run is shared among processes.
#[derive(Clone, Debug)]
pub struct Supervised {
    /// The id that all of its processes give the run.
    pub run: String,
    /// How each process uses this machine, as far as that was asked for.
    pub settings: Settings,
    /// The number of processes.
    pub processes: u32,
    /// Whether a process that dies is started again.
    pub restarts: bool,
    /// The argument with which this program is started as one of the processes.
    pub worker: &'static str,
}

/// Why a run in several processes could not start.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// A process could not be started.
    #[error("cannot start process {node} of {processes}: {source}")]
    Start {
        /// The process that did not start, counted from 0.
        node: u32,
        /// How many were to be started.
        processes: u32,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Runs a scenario in several processes, and waits until all of them have ended.
///
/// # Errors
///
/// Where a process cannot be started; then none is left. What goes wrong later is in the [`Outcome`].
pub fn run(
    fleet: &Supervised,
    scenario: &Scenario,
    plan: &Plan,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Outcome, SupervisorError> {
    let (sender, heard) = mpsc::channel();
    let mut supervisor = Supervisor {
        fleet,
        scenario,
        plan,
        sender,
        children: Vec::new(),
        ending: Ending::Complete,
        warnings: Vec::new(),
        told: Vec::new(),
        is_stopping: false,
        missing: None,
    };
    supervisor.start_all()?;
    supervisor.watch(&heard, stop, observer);
    Ok(supervisor.conclude())
}

struct Supervisor<'a> {
    fleet: &'a Supervised,
    scenario: &'a Scenario,
    plan: &'a Plan,
    sender: Sender<ChildWord>,
    /// In the order of their nodes: a process's place here is its number.
    children: Vec<Process>,
    ending: Ending,
    warnings: Vec<String>,
    /// Notices that people have seen: several processes tell of the same.
    told: Vec<String>,
    is_stopping: bool,
    /// A process that was asked to stop before the run began, and not from here.
    missing: Option<u32>,
}

impl Supervisor<'_> {
    fn start_all(&mut self) -> Result<(), SupervisorError> {
        let processes = self.fleet.processes;
        for node in 0..processes {
            let started = Process::start(
                self.fleet.worker,
                self.work(node, "127.0.0.1:0".into(), false),
                self.sender.clone(),
            );
            // Those that were started before end when their input does.
            self.children.push(started.map_err(|source| SupervisorError::Start {
                node,
                processes,
                source,
            })?);
        }
        Ok(())
    }

    fn work(&self, node: u32, listen: String, resume: bool) -> Work {
        let threads = u32::try_from(self.plan.threads).unwrap_or(u32::MAX) / self.fleet.processes;
        Work {
            settings: self.fleet.settings.clone().or(&self.scenario.settings()),
            run: self.fleet.run.clone(),
            node,
            nodes: self.fleet.processes,
            folder: self.plan.folder.clone(),
            log: self.plan.layout.choice(),
            threads: Threads::new(threads.max(1)).unwrap_or(Threads::new(1).expect("in range")),
            listen,
            resume,
        }
    }

    /// Hears what the processes tell until all of them are gone.
    fn watch(&mut self, heard: &Receiver<ChildWord>, stop: &Stop, observer: &mut dyn Observer) {
        while self.children.iter().any(Process::is_alive) {
            match heard.recv_timeout(Duration::from_millis(100)) {
                Ok(heard) => self.take(heard, observer),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if stop.asked() && !self.is_stopping {
                self.stop_all();
            }
            observer.progress(&self.progress());
        }
        // All may have been asked at once, and have ended before it was seen here.
        match self.missing {
            Some(node) if !stop.asked() => {
                let message = "it was asked to stop before the run began".to_owned();
                self.ending.fail(Failure::Process { node, message });
            }
            _ => self.is_stopping |= stop.asked(),
        }
    }

    fn take(&mut self, ChildWord { node, generation, report }: ChildWord, observer: &mut dyn Observer) {
        let process = &mut self.children[node as usize];
        if process.generation != generation {
            return;
        }
        match report {
            Some(ChildReport::Listening(address)) => {
                process.address = Some(address);
                self.introduce(node);
            }
            Some(ChildReport::Progress(elapsed, events, messages, longest_queue)) => {
                process.has_started = true;
                process.progress = Progress { elapsed: Nanos::new(elapsed), events, messages, longest_queue };
            }
            Some(ChildReport::Notice(text)) => self.tell(text, observer),
            Some(ChildReport::Account(account)) => process.accounts.push(*account),
            Some(ChildReport::Done(done)) => process.done = Some(*done),
            Some(ChildReport::Failed(message)) => process.failure = Some(message),
            None => self.gone(node, observer),
        }
    }

    /// Tells each process where the others listen, once all have told.
    fn introduce(&mut self, newcomer: u32) {
        let addresses: Option<Vec<String>> =
            self.children.iter().map(|process| process.address.clone()).collect();
        let Some(addresses) = addresses else { return };
        let command = ChildCommand::Meet(addresses);
        if self.children[newcomer as usize].generation > 0 {
            // The others know: it has its predecessor's address.
            self.children[newcomer as usize].command(&command);
        } else {
            self.tell_all(&command);
        }
    }

    fn tell_all(&mut self, command: &ChildCommand) {
        self.children.iter_mut().for_each(|process| process.command(command));
    }

    fn tell(&mut self, text: String, observer: &mut dyn Observer) {
        if !self.is_stopping && !self.told.contains(&text) {
            observer.notice(&text);
            self.told.push(text);
        }
    }

    /// A process has ended: as it should, or not.
    fn gone(&mut self, node: u32, observer: &mut dyn Observer) {
        let process = &mut self.children[node as usize];
        let status = process.wait();
        if let Some(done) = &process.done {
            if done.interrupted && !self.is_stopping {
                self.left(node, observer);
            }
            return self.end_latecomers();
        }
        if process.is_late {
            return;
        }
        let all_started = self.children.iter().all(Process::has_ever_started);
        let process = &mut self.children[node as usize];
        if !all_started || self.is_stopping {
            let message = process.failure.take().unwrap_or(status);
            self.ending.fail(Failure::Process { node, message });
            return self.stop_all();
        }
        let what = process
            .failure
            .take()
            .map_or_else(|| format!("has died: {status}"), |why| format!("has failed: {why}"));
        self.warn(format!("{} {what}", self.name(node)), observer);
        if !self.restart(node) {
            self.tell_all(&ChildCommand::Gone(node));
        }
        self.end_latecomers();
    }

    /// A process was asked to stop, and not from here. One that was started again may have come too late.
    fn left(&mut self, node: u32, observer: &mut dyn Observer) {
        let process = &self.children[node as usize];
        if process.has_started {
            self.warn(format!("{} was asked to stop and has left the run", self.name(node)), observer);
        } else if process.generation == 0 {
            self.missing = Some(node);
            self.stop_all();
        }
    }

    /// How people call a process.
    fn name(&self, node: u32) -> String {
        let machines = nodes::share(self.fleet.processes, node, self.scenario.vms());
        format!("the process of node {node} (machines {} to {})", machines.start, machines.end - 1)
    }

    /// Tells something now, and again at the end.
    fn warn(&mut self, text: String, observer: &mut dyn Observer) {
        self.warnings.push(text.clone());
        self.tell(text, observer);
    }

    /// Where some processes have come to the run's end, one that was started again and has not met them has nobody
    /// to go on with: what its predecessor did is all that it will have done.
    fn end_latecomers(&mut self) {
        let waits = |process: &Process| process.generation > 0 && !process.has_started;
        let are_others_done = self.children.iter().any(|process| process.done.is_some())
            && self.children.iter().all(|process| !process.is_alive() || waits(process));
        if are_others_done {
            for process in self.children.iter_mut().filter(|process| process.is_alive()) {
                process.is_late = true;
                process.command(&ChildCommand::Stop);
            }
        }
    }

    /// Starts a process again where that is wished, to go on from its predecessor's logs; tells whether it did.
    fn restart(&mut self, node: u32) -> bool {
        let process = &self.children[node as usize];
        let Some(address) = process.address.clone().filter(|_| self.fleet.restarts && process.has_started)
        else {
            return false;
        };
        let work = self.work(node, address, true);
        let started = self.children[node as usize].start_again(work, self.sender.clone());
        if let Err(error) = &started {
            self.warnings.push(format!("the process of node {node} could not be started again: {error}"));
        }
        started.is_ok()
    }

    fn stop_all(&mut self) {
        self.is_stopping = true;
        self.tell_all(&ChildCommand::Stop);
    }

    fn progress(&self) -> Progress {
        self.children.iter().map(|process| process.progress).fold(Progress::default(), |all, one| Progress {
            elapsed: all.elapsed.max(one.elapsed),
            events: all.events + one.events,
            messages: all.messages + one.messages,
            longest_queue: all.longest_queue.max(one.longest_queue),
        })
    }

    /// Puts the results together.
    fn conclude(mut self) -> Outcome {
        let mut outcome = Outcome {
            ending: Ending::Complete,
            began: None,
            elapsed: Nanos::ZERO,
            accounts: Vec::with_capacity(self.scenario.vms() as usize),
            files: Vec::new(),
            lamport: 0,
            lateness: None,
            links: None,
        };
        let (mut lateness, mut links) = (LatenessCounts::default(), LinkReport::default());
        // Where all were asked to leave before the end, by whomever, nobody has come to it.
        let mut told = self.children.iter().filter_map(|process| process.done.as_ref()).peekable();
        if told.peek().is_some() && told.all(|done| done.interrupted && done.failure.is_none()) {
            self.ending.interrupt();
        }
        for (node, mut process) in (0..).zip(std::mem::take(&mut self.children)) {
            let done = process.done.take();
            if done.as_ref().is_none_or(|_| process.accounts.is_empty()) {
                self.read_what_it_left(node, process.has_ever_started(), &mut outcome);
            }
            let Some(done) = done else {
                // Nobody knows what it would have done.
                if self.is_stopping {
                    self.ending.interrupt();
                }
                continue;
            };
            outcome.accounts.append(&mut process.accounts);
            if let Some(message) = done.failure {
                self.ending.fail(Failure::Process { node, message });
            } else if done.interrupted && self.is_stopping {
                self.ending.interrupt();
            }
            let began = done.began.and_then(|began| began.parse().ok());
            outcome.began = outcome.began.into_iter().chain(began).min();
            outcome.elapsed = outcome.elapsed.max(Nanos::new(done.elapsed));
            outcome.lamport = outcome.lamport.max(done.lamport);
            outcome.files.extend(done.files);
            done.lateness.iter().for_each(|counts| lateness.merge(counts));
            if let Some(report) = done.links {
                links.traffic = links.traffic.plus(report.traffic);
                // When all are asked to leave, each hears that of the others.
                let news = report
                    .warnings
                    .into_iter()
                    .filter(|text| !self.is_stopping && !self.warnings.contains(text));
                let news: Vec<String> = news.collect();
                self.warnings.extend(news);
            }
        }
        links.warnings = self.warnings;
        outcome.accounts.sort_unstable_by_key(|account| account.vm);
        outcome.files.sort_by_key(|entry| natural(&entry.name));
        outcome.lamport = outcome.lamport.max(largest_lamport(&outcome.accounts));
        (outcome.ending, outcome.lateness, outcome.links) = (self.ending, Some(lateness), Some(links));
        outcome
    }

    /// What the machines of a process that has died did up to then is in their logs.
    fn read_what_it_left(&mut self, node: u32, has_started: bool, outcome: &mut Outcome) {
        if let Err(failure) = read_logs(&self.plan.folder, node, self.fleet.processes, self.scenario, outcome)
        {
            self.ending.fail(failure);
        }
        if self.plan.layout == Layout::Nowhere && has_started {
            self.warnings.push(format!("nothing is known of the machines of node {node}: they kept no logs"));
        }
    }
}

/// Adds the accounts and logs of a process that has died to an outcome. A torn last row is set aside.
fn read_logs(
    folder: &Path,
    node: u32,
    processes: u32,
    scenario: &Scenario,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    for path in logs_of(folder, nodes::share(processes, node, scenario.vms())) {
        let (log, recovered) = LogFile::resume(path, scenario.clocks())?;
        outcome.files.push(log.finish()?);
        let account = |(vm, recovered): (&VmId, &Recovered)| {
            recovered.account(*vm, scenario.schedule(*vm).rate(), scenario.clocks())
        };
        outcome.accounts.extend(recovered.machines.iter().map(account));
    }
    let known: Vec<VmId> = outcome.accounts.iter().map(|account: &Account| account.vm).collect();
    let silent = nodes::share(processes, node, scenario.vms()).map(VmId).filter(|vm| !known.contains(vm));
    outcome.accounts.extend(silent.map(|vm| scenario.untouched(vm)));
    let bridge = folder.join(bridge_log_name(node));
    if bridge.exists() {
        outcome.files.push(BridgeLog::resume(bridge)?.finish()?);
    }
    Ok(())
}

/// Sorts names by the numbers in them.
fn natural(name: &str) -> (String, Vec<u64>) {
    let numbers = name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    let letters: String = name.chars().filter(|c| !c.is_ascii_digit()).collect();
    // Machines' logs come before those of bridges.
    (format!("{}{letters}", u8::from(!letters.starts_with('v'))), numbers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_in_the_order_of_the_machines() {
        let mut names = ["bridge_1.csv", "vm_10_1.csv", "bridge_0.csv", "vm_2_6.csv", "vm_0_5.csv"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["vm_0_5.csv", "vm_2_6.csv", "vm_10_1.csv", "bridge_0.csv", "bridge_1.csv"]);
    }
}
