//! The coordinator: conducts a live run from the first actor to the last account.

use std::io;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, ArbiterHandle, Recipient, System};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::bridge::{
    self, Bridge, Finish, Inbound, JoinError, Membership, News, Open, Outbound, Prepared, REFUSED_TIME,
};
use super::counters::Counters;
use super::directory::{Deliver, Directory};
use super::shard::{Begin, Close, Halt, MakeWorkload, Orders, Shard};
use super::shared::{Closing, Report};
use super::stage::{Stage, Theatre};
use super::timebase::Timebase;
use crate::edge::control::{Observer, Progress, Stop};
use crate::edge::driver::{Ending, Failure, LatenessCounts, Outcome, Plan, parts, shares};
use crate::edge::log::Layout;
use crate::edge::panics;
use crate::edge::watch::{Scene, Watch};
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::tally::largest_lamport;
use crate::model::time::Nanos;
use crate::workload::Workload;

/// A process's bridge to the others of its run, and the arbiter that is its own.
pub type Abroad = (ArbiterHandle, Membership);

/// Why a live run could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A worker thread could not be started.
    #[error(
        "cannot start worker thread {thread} of {threads}: {source}; ask for fewer with setting `threads`"
    )]
    Thread {
        /// The thread that the system refused, counted from 1.
        thread: usize,
        /// How many were to be started.
        threads: usize,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Runs a scenario live, its machines spread over arbiters of their own, and waits until it has ended. With a
/// membership it runs the machines of one process of a distributed run.
///
/// # Errors
///
/// Where the threads cannot be had. What goes wrong later is in the [`Outcome`], with all that was kept.
pub fn run<W, F>(
    scenario: &Scenario,
    plan: &Plan,
    membership: Option<Membership>,
    workload: F,
    stop: Stop,
    observer: &mut dyn Observer,
) -> Result<Outcome, LiveError>
where
    W: Workload,
    F: Fn(VmId) -> W + Send + Sync + 'static,
{
    System::new().block_on(async {
        let machines = membership.as_ref().map_or_else(|| scenario.vms(), Membership::machines);
        let shards = plan.threads.clamp(1, machines.max(1) as usize);
        let mut arbiters = start_arbiters(shards + usize::from(membership.is_some()))?;
        let mut handles: Vec<ArbiterHandle> = arbiters.iter().map(Arbiter::handle).collect();
        let abroad = membership.and_then(|membership| Some((handles.pop()?, membership)));
        let outcome = conduct(handles, scenario, plan, abroad, workload, stop, observer).await;
        for arbiter in arbiters.drain(..) {
            arbiter.stop();
            // A thread that panicked has told so through its shard.
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
    abroad: Option<Abroad>,
    workload: F,
    stop: Stop,
    observer: &mut dyn Observer,
) -> Outcome
where
    W: Workload,
    F: Fn(VmId) -> W + Send + Sync + 'static,
{
    panics::remember();
    let mut coordinator =
        Coordinator::open(&arbiters, scenario, plan, abroad, Arc::new(workload), stop, observer.watch());
    if let Some((recipients, logged)) = coordinator.wait_until_ready().await
        && let Some(from) = coordinator.wait_until_all_start(logged, observer).await
    {
        coordinator.begin(recipients, from);
        coordinator.wait_until_quiet(observer).await;
    }
    let elapsed = coordinator.elapsed();
    coordinator.take_leave(observer).await;
    coordinator.close(elapsed).await
}

/// The way to the other processes of a run.
struct Border {
    bridge: Option<Addr<Bridge>>,
    outbound: Arc<Outbound>,
    inbound: Arc<Inbound>,
    news: UnboundedReceiver<News>,
    closing: Option<bridge::Closing>,
    /// That the run was over before this process could go on with it.
    warning: Option<String>,
}

/// A run under way.
struct Coordinator<W: Workload> {
    vms: u32,
    /// The machines of this process.
    machines: Range<u32>,
    border: Option<Border>,
    duration: Nanos,
    shards: Vec<Addr<Shard<W>>>,
    counters: Vec<Arc<Counters>>,
    reports: UnboundedReceiver<Report>,
    stop: Stop,
    theatre: Arc<Theatre>,
    /// Where the run is watched, if it is.
    scene: Option<Arc<Scene>>,
    timebase: Option<Timebase>,
    /// How far the logs went that the machines go on with, and whether these had made all their ticks.
    logged: Nanos,
    is_whole: bool,
    ending: Ending,
    /// Shards at which no machine will tick again.
    quiet: usize,
    closings: Vec<Closing>,
}

impl<W: Workload> Coordinator<W> {
    /// Starts the shards, on all arbiters, as far as there are machines for them.
    fn open(
        arbiters: &[ArbiterHandle],
        scenario: &Scenario,
        plan: &Plan,
        abroad: Option<Abroad>,
        workload: MakeWorkload<W>,
        stop: Stop,
        watch: Option<Watch>,
    ) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let node = abroad.as_ref().map_or(0, |(_, membership)| membership.identity.node);
        let resume = abroad.as_ref().is_some_and(|(_, membership)| membership.resume);
        let machines =
            abroad.as_ref().map_or_else(|| 0..scenario.vms(), |(_, membership)| membership.share());
        let count = machines.end - machines.start;
        // A combined log is one shard's, and which there are does not depend on the threads.
        let shares = match plan.layout {
            Layout::Combined => parts(count),
            Layout::PerVm | Layout::Nowhere => shares(count, arbiters.len()),
        };
        let shares: Vec<Range<u32>> = shares
            .into_iter()
            .map(|share| machines.start + share.start..machines.start + share.end)
            .collect();
        let scene = watch.map(|watch| watch.open(scenario, machines.clone(), shares.len()));
        let theatre = Arc::<Theatre>::default();
        let counters: Vec<Arc<Counters>> = shares.iter().map(|_| Arc::default()).collect();
        let all = shares.len();
        let shards = shares.into_iter().enumerate().filter_map(|(shard, machines)| {
            let arbiter = arbiters.get(shard * arbiters.len() / all)?;
            let orders = Orders {
                shard,
                node,
                machines,
                scenario: scenario.clone(),
                layout: plan.layout,
                folder: plan.folder.clone(),
                workload: Arc::clone(&workload),
                theatre: Arc::clone(&theatre),
                counters: Arc::clone(&counters[shard]),
                scene: scene.clone(),
                resume,
                reports: sender.clone(),
            };
            Some(Shard::start_in_arbiter(arbiter, |_| Shard::new(orders)))
        });
        let shards = shards.collect();
        let mut coordinator = Self {
            vms: scenario.vms(),
            machines,
            border: None,
            duration: scenario.duration(),
            shards,
            counters,
            reports,
            stop,
            theatre,
            scene,
            timebase: None,
            logged: Nanos::ZERO,
            is_whole: resume,
            ending: Ending::Complete,
            quiet: 0,
            closings: Vec::new(),
        };
        if let Some(abroad) = abroad {
            coordinator.border = Some(coordinator.open_border(abroad));
        }
        coordinator
    }

    fn open_border(&mut self, (arbiter, membership): Abroad) -> Border {
        let (sender, news) = mpsc::unbounded_channel();
        let outbound = Arc::<Outbound>::default();
        let inbound = Arc::new(Inbound::new(&membership));
        // Where the coordinator has gone, there is nobody to tell.
        let tell = Box::new(move |news| drop(sender.send(news)));
        let bridge =
            match Bridge::start_in(&arbiter, membership, (Arc::clone(&outbound), Arc::clone(&inbound)), tell)
            {
                Ok(bridge) => Some(bridge),
                Err(error) => {
                    self.ending.fail(error.into());
                    None
                }
            };
        Border { bridge, outbound, inbound, news, closing: None, warning: None }
    }

    /// Waits for every shard to make its machines, and tells what their logs say; none where one of them
    /// cannot, or the run was asked to stop before.
    async fn wait_until_ready(&mut self) -> Option<(Vec<Recipient<Deliver>>, Prepared)> {
        let mut recipients: Vec<Vec<Recipient<Deliver>>> = self.shards.iter().map(|_| Vec::new()).collect();
        let mut logged = Prepared::default();
        for _ in 0..self.shards.len() {
            tokio::select! {
                report = self.reports.recv() => match report? {
                    Report::Ready { shard, recipients: its, logged: its_logs } => {
                        recipients[shard] = its;
                        logged.elapsed = logged.elapsed.max(its_logs.elapsed);
                        self.logged = logged.elapsed;
                        self.is_whole &= its_logs.is_whole;
                        logged.passed.add(its_logs.passed);
                    }
                    other => self.take(other),
                },
                () = self.stop.wait() => self.ending.interrupt(),
            }
            if !matches!(self.ending, Ending::Complete) {
                self.theatre.halt();
                return None;
            }
        }
        Some((recipients.into_iter().flatten().collect(), logged))
    }

    /// Waits until all processes of the run are ready, and tells how far the run has come by then; none where
    /// it does not start. A run of one process starts at once.
    async fn wait_until_all_start(&mut self, logged: Prepared, observer: &mut dyn Observer) -> Option<Nanos> {
        let Some(border) = &mut self.border else { return Some(logged.elapsed) };
        if let Some(bridge) = &border.bridge {
            bridge.do_send(logged);
        }
        // Who misses a node at the end waits for it no longer than that.
        let mut nobody = pin!(tokio::time::sleep(REFUSED_TIME.into()));
        while matches!(self.ending, Ending::Complete) {
            tokio::select! {
                news = border.news.recv() => match news? {
                    News::Start { elapsed } => return Some(elapsed),
                    News::NotJoined(error @ JoinError::Over { .. }) => {
                        border.missed_the_end(&error.to_string(), observer);
                        if !self.is_whole {
                            self.ending.interrupt();
                        }
                        break;
                    }
                    other => border.take(other, &mut self.ending, observer),
                },
                () = &mut nobody, if self.is_whole => {
                    border.missed_the_end("no other node is there any more", observer);
                    break;
                }
                () = self.stop.wait() => self.ending.interrupt(),
            }
        }
        self.theatre.halt();
        None
    }

    /// Starts the run's clock. It starts a little later than now, so that every actor is awake by then.
    fn begin(&mut self, recipients: Vec<Recipient<Deliver>>, from: Nanos) {
        // Whole milliseconds, as the timers count them.
        let delay = Duration::from_millis(1 + recipients.len() as u64 / 1000);
        let timebase = Timebase::resuming(from, delay);
        let elsewhere =
            self.border.as_ref().map(|border| (Arc::clone(&border.outbound), Arc::clone(&border.inbound)));
        let directory = Directory::new(self.machines.start, recipients, self.vms, elsewhere);
        self.theatre.open(Stage { directory, timebase, from });
        self.timebase = Some(timebase);
        if let Some(scene) = &self.scene {
            scene.begin(move || timebase.elapsed());
        }
        self.shards.iter().for_each(|shard| shard.do_send(Begin));
        if let Some(bridge) = self.border.as_ref().and_then(|border| border.bridge.as_ref()) {
            let theatre = Arc::clone(&self.theatre);
            let deliver = move |message| {
                if let Some(stage) = theatre.stage() {
                    stage.directory.send(message);
                }
            };
            bridge.do_send(Open(Box::new(deliver)));
        }
    }

    /// Waits until no machine will tick again: all ticks are made, or the run was asked to stop, or
    /// something broke.
    async fn wait_until_quiet(&mut self, observer: &mut dyn Observer) {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut halted = false;
        while self.quiet < self.shards.len() {
            tokio::select! {
                Some(report) = self.reports.recv() => self.take(report),
                Some(news) = Border::next(self.border.as_mut()) => {
                    Border::take_into(self.border.as_mut(), news, &mut self.ending, observer);
                }
                () = self.stop.wait(), if !halted => self.ending.interrupt(),
                _ = looks.tick() => observer.progress(&self.progress()),
            }
            if !halted && !matches!(self.ending, Ending::Complete) {
                halted = true;
                self.theatre.halt();
                self.shards.iter().for_each(|shard| shard.do_send(Halt));
            }
        }
        observer.progress(&self.progress());
    }

    /// Tells the other processes that no machine of this one will tick again, and waits until they have said
    /// the same, unless this one leaves early. By then all messages from there are in mailboxes.
    async fn take_leave(&mut self, observer: &mut dyn Observer) {
        let lamport = self.counters.iter().map(|counters| counters.lamport()).max().unwrap_or(0);
        let Some(Border { bridge: Some(bridge), .. }) = &self.border else { return };
        let bridge = bridge.clone();
        let finish = |early| bridge.do_send(Finish { lamport, early });
        let mut is_early = !matches!(self.ending, Ending::Complete) || self.timebase.is_none();
        finish(is_early);
        while self.border.as_ref().is_some_and(|border| border.closing.is_none() && bridge.connected()) {
            tokio::select! {
                Some(news) = Border::next(self.border.as_mut()) => {
                    Border::take_into(self.border.as_mut(), news, &mut self.ending, observer);
                }
                () = self.stop.wait(), if !is_early => {
                    self.ending.interrupt();
                    is_early = true;
                    finish(true);
                }
            }
        }
        bridge.do_send(bridge::Stop);
    }

    /// Has every machine hand in its account. All messages are in their mailboxes by now, ahead of
    /// the request. The last tick of this process was made by then.
    async fn close(mut self, quiet: Nanos) -> Outcome {
        let elapsed = match self.ending {
            // Nothing can happen between the last tick and the end.
            Ending::Complete => quiet.max(self.duration),
            Ending::Interrupted | Ending::Failed(_) => quiet,
        };
        let ended = self.elapsed().max(elapsed);
        self.shards.iter().for_each(|shard| shard.do_send(Close { ended }));
        while self.closings.len() < self.shards.len() {
            match self.reports.recv().await {
                Some(report) => self.take(report),
                None => break,
            }
        }
        let (closing, warning) = self.border.map_or((None, None), |border| (border.closing, border.warning));
        let mut outcome = Outcome {
            ending: self.ending,
            began: self.timebase.map(|timebase| timebase.time_of_day()),
            elapsed,
            accounts: Vec::with_capacity(self.machines.len()),
            files: Vec::new(),
            lamport: closing.as_ref().map_or(0, |closing| closing.lamport),
            lateness: None,
            links: None,
        };
        let mut lateness = LatenessCounts::default();
        self.closings.sort_unstable_by_key(|closing| closing.shard);
        for closing in self.closings {
            outcome.accounts.extend(closing.accounts);
            outcome.files.extend(closing.files);
            lateness.merge(&closing.lateness);
        }
        if let Some(timebase) = self.timebase {
            let stepped = timebase.stepped();
            lateness.punctuality.values_mut().for_each(|process| process.step(stepped));
        }
        outcome.accounts.sort_unstable_by_key(|account| account.vm);
        outcome.lamport = outcome.lamport.max(largest_lamport(&outcome.accounts));
        if let Some(closing) = closing {
            // They wait for good, as in the inbox of a machine that had begun.
            for account in &mut outcome.accounts {
                account.waiting += closing.undelivered.get(&account.vm).copied().unwrap_or_default();
            }
            outcome.files.extend(closing.file);
            let mut report = closing.report;
            report.warnings.extend(warning);
            outcome.links = Some(report);
        }
        outcome.lateness = Some(lateness);
        outcome
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Ready { .. } => {}
            Report::Quiet => self.quiet += 1,
            Report::Closed(closing) => self.closings.push(closing),
            Report::Failed(failure) => self.ending.fail(failure),
            Report::Panicked { vm: Some(vm), message } => {
                self.ending.fail(Failure::MachinePanicked { vm, message });
            }
            Report::Panicked { vm: None, message } => self.ending.fail(Failure::ShardPanicked { message }),
        }
    }

    /// Time since the run's start; before, how far its logs go.
    fn elapsed(&self) -> Nanos {
        self.timebase.map_or(self.logged, |timebase| timebase.elapsed())
    }

    fn progress(&self) -> Progress {
        let counters = self.counters.iter();
        Progress {
            elapsed: self.elapsed(),
            events: counters.clone().map(|counters| counters.events()).sum(),
            messages: counters.clone().map(|counters| counters.messages()).sum(),
            longest_queue: counters.map(|counters| counters.longest_queue()).max().unwrap_or(0),
        }
    }
}

impl Border {
    /// The next news; never where there is no border.
    async fn next(border: Option<&mut Self>) -> Option<News> {
        match border {
            Some(border) => border.news.recv().await,
            None => std::future::pending().await,
        }
    }

    fn take_into(border: Option<&mut Self>, news: News, ending: &mut Ending, observer: &mut dyn Observer) {
        if let Some(border) = border {
            border.take(news, ending, observer);
        }
    }

    /// There is nobody left to go on with.
    fn missed_the_end(&mut self, why: &str, observer: &mut dyn Observer) {
        let text = format!("there is nothing to go on with: {why}");
        observer.notice(&text);
        self.warning = Some(text);
    }

    fn take(&mut self, news: News, ending: &mut Ending, observer: &mut dyn Observer) {
        match news {
            News::Notice(text) => observer.notice(&text),
            // It has started.
            News::Start { .. } => {}
            News::NotJoined(error) => ending.fail(not_joined(error)),
            News::Over(closing) => self.closing = Some(*closing),
            News::LogFailed(error) => ending.fail(error.into()),
            News::Panicked(message) => {
                ending.fail(Failure::BridgePanicked { message });
                self.closing.get_or_insert_default();
            }
        }
    }
}

fn not_joined(error: JoinError) -> Failure {
    Failure::NotJoined(error.into())
}
