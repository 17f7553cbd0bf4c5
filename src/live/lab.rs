//! The lab: conducts a live run from the first actor to the last account.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, ArbiterHandle, Recipient, System};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::directory::{Deliver, Directory};
use super::pulse::Pulse;
use super::shared::{Closing, Report, lateness_histogram};
use super::site::{Begin, Close, Halt, MakeWorkload, Orders, Site};
use super::stage::{Stage, Theatre};
use super::timebase::Timebase;
use crate::control::{Observer, Progress, Stop};
use crate::driver::{Ending, Failure, LatenessSpread, Outcome, Plan, shares};
use crate::id::VmId;
use crate::panics;
use crate::scenario::Scenario;
use crate::time::Nanos;
use crate::workload::Workload;

/// Why a live run could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A worker thread could not be started.
    #[error("cannot start worker thread {thread} of {threads}: {source}; ask for fewer with --threads")]
    Thread {
        /// Which, from 1.
        thread: usize,
        /// How many were to be started.
        threads: usize,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Runs a scenario live, its machines spread over arbiters of their own, and waits until it has ended.
///
/// # Errors
///
/// Where the threads cannot be had. What goes wrong later is in the [`Outcome`], with all that was kept.
pub fn run<W, F>(
    scenario: &Scenario,
    plan: &Plan,
    workload: F,
    stop: Stop,
    observer: &mut dyn Observer,
) -> Result<Outcome, LiveError>
where
    W: Workload,
    F: Fn(VmId) -> W + Send + Sync + 'static,
{
    System::new().block_on(async {
        let arbiters = start_arbiters(plan.threads.min(scenario.vms() as usize))?;
        let handles = arbiters.iter().map(Arbiter::handle).collect();
        let outcome = conduct(handles, scenario, plan, workload, stop, observer).await;
        for arbiter in arbiters {
            arbiter.stop();
            // A thread that panicked has told so through its site.
            let _ = arbiter.join();
        }
        Ok(outcome)
    })
}

fn start_arbiters(threads: usize) -> Result<Vec<Arbiter>, LiveError> {
    let start =
        |index| Arbiter::try_new().map_err(|source| LiveError::Thread { thread: index + 1, threads, source });
    (0..threads).map(start).collect()
}

/// Conducts a run over these arbiters, from the first actor to the last account.
///
/// It may share its thread with an arbiter: under a paused clock, all of a run's actors do.
pub async fn conduct<W, F>(
    arbiters: Vec<ArbiterHandle>,
    scenario: &Scenario,
    plan: &Plan,
    workload: F,
    stop: Stop,
    observer: &mut dyn Observer,
) -> Outcome
where
    W: Workload,
    F: Fn(VmId) -> W + Send + Sync + 'static,
{
    panics::remember();
    let mut lab = Lab::open(&arbiters, scenario, plan, Arc::new(workload), stop);
    if let Some(directory) = lab.wait_until_ready().await {
        lab.begin(directory);
        lab.wait_until_quiet(observer).await;
    }
    lab.close().await
}

/// A run under way.
struct Lab<W: Workload> {
    vms: u32,
    duration: Nanos,
    sites: Vec<Addr<Site<W>>>,
    pulses: Vec<Arc<Pulse>>,
    reports: UnboundedReceiver<Report>,
    stop: Stop,
    theatre: Arc<Theatre>,
    timebase: Option<Timebase>,
    ending: Ending,
    /// Sites at which no machine will tick again.
    quiet: usize,
    closings: Vec<Closing>,
}

impl<W: Workload> Lab<W> {
    /// Starts a site on each arbiter, as far as there are machines for it.
    fn open(
        arbiters: &[ArbiterHandle],
        scenario: &Scenario,
        plan: &Plan,
        workload: MakeWorkload<W>,
        stop: Stop,
    ) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let shares = shares(scenario.vms(), arbiters.len());
        let theatre = Arc::<Theatre>::default();
        let pulses: Vec<Arc<Pulse>> = shares.iter().map(|_| Arc::default()).collect();
        let sites = shares.into_iter().zip(arbiters).enumerate().map(|(site, (machines, arbiter))| {
            let orders = Orders {
                site,
                machines,
                scenario: scenario.clone(),
                layout: plan.layout,
                folder: plan.folder.clone(),
                workload: Arc::clone(&workload),
                theatre: Arc::clone(&theatre),
                pulse: Arc::clone(&pulses[site]),
                reports: sender.clone(),
            };
            Site::start_in_arbiter(arbiter, |_| Site::new(orders))
        });
        Self {
            vms: scenario.vms(),
            duration: scenario.duration(),
            sites: sites.collect(),
            pulses,
            reports,
            stop,
            theatre,
            timebase: None,
            ending: Ending::Complete,
            quiet: 0,
            closings: Vec::new(),
        }
    }

    /// Waits for every site to make its machines; none where one of them cannot, or the run was asked
    /// to stop before.
    async fn wait_until_ready(&mut self) -> Option<Directory> {
        let mut recipients: Vec<Vec<Recipient<Deliver>>> = self.sites.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.sites.len() {
            tokio::select! {
                report = self.reports.recv() => match report? {
                    Report::Ready { site, recipients: its } => recipients[site] = its,
                    other => self.take(other),
                },
                () = self.stop.wait() => self.ending.interrupt(),
            }
            if !matches!(self.ending, Ending::Complete) {
                self.theatre.halt();
                return None;
            }
        }
        Some(Directory::new(recipients.into_iter().flatten().collect()))
    }

    /// Starts the run's clock. It starts a little later than now, so that every actor is awake by then.
    fn begin(&mut self, directory: Directory) {
        // Whole milliseconds, as the timers count them.
        let delay = Duration::from_millis(1 + u64::from(self.vms) / 1000);
        let timebase = Timebase::starting_in(delay);
        self.theatre.open(Stage { directory, timebase });
        self.timebase = Some(timebase);
        self.sites.iter().for_each(|site| site.do_send(Begin));
    }

    /// Waits until no machine will tick again: all ticks are made, or the run was asked to stop, or
    /// something broke.
    async fn wait_until_quiet(&mut self, observer: &mut dyn Observer) {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut halted = false;
        while self.quiet < self.sites.len() {
            tokio::select! {
                Some(report) = self.reports.recv() => self.take(report),
                () = self.stop.wait(), if !halted => self.ending.interrupt(),
                _ = looks.tick() => observer.progress(&self.progress()),
            }
            if !halted && !matches!(self.ending, Ending::Complete) {
                halted = true;
                self.theatre.halt();
                self.sites.iter().for_each(|site| site.do_send(Halt));
            }
        }
        observer.progress(&self.progress());
    }

    /// Has every machine hand in its account. All messages are in their mailboxes by now, ahead of
    /// the request.
    async fn close(mut self) -> Outcome {
        let elapsed = match self.ending {
            // Nothing can happen between the last tick and the end.
            Ending::Complete => self.elapsed().max(self.duration),
            Ending::Interrupted | Ending::Failed(_) => self.elapsed(),
        };
        self.sites.iter().for_each(|site| site.do_send(Close { ended: elapsed }));
        while self.closings.len() < self.sites.len() {
            match self.reports.recv().await {
                Some(report) => self.take(report),
                None => break,
            }
        }
        let mut outcome = Outcome {
            ending: self.ending,
            began: self.timebase.map(|timebase| timebase.time_of_day()),
            elapsed,
            accounts: Vec::with_capacity(self.vms as usize),
            files: Vec::new(),
            lateness: None,
        };
        let mut lateness = lateness_histogram();
        self.closings.sort_unstable_by_key(|closing| closing.site);
        for closing in self.closings {
            outcome.accounts.extend(closing.accounts);
            outcome.files.extend(closing.files);
            lateness.add(&closing.lateness).expect("the same bounds");
        }
        outcome.accounts.sort_unstable_by_key(|account| account.vm);
        outcome.lateness = Some(LatenessSpread::of(&lateness));
        outcome
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Ready { .. } => {}
            Report::Quiet => self.quiet += 1,
            Report::Closed(closing) => self.closings.push(closing),
            Report::LogFailed(error) => self.ending.fail(error.into()),
            Report::Panicked { vm: Some(vm), message } => {
                self.ending.fail(Failure::MachinePanicked { vm, message });
            }
            Report::Panicked { vm: None, message } => self.ending.fail(Failure::SitePanicked { message }),
        }
    }

    fn elapsed(&self) -> Nanos {
        self.timebase.map(|timebase| timebase.elapsed()).unwrap_or_default()
    }

    fn progress(&self) -> Progress {
        let pulses = self.pulses.iter();
        Progress {
            elapsed: self.elapsed(),
            events: pulses.clone().map(|pulse| pulse.events()).sum(),
            messages: pulses.clone().map(|pulse| pulse.messages()).sum(),
            longest_queue: pulses.map(|pulse| pulse.longest_queue()).max().unwrap_or(0),
        }
    }
}
