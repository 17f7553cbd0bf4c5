//! The driver of virtual time: the same machines, as fast as the processor allows.
//!
//! Nothing that a machine does needs another one to have been run before, as long as no message
//! between them could have arrived: a message arrives at least the *lookahead* after it was sent. So
//! time is cut into windows as long as the lookahead, and within a window machines are run one after
//! the other, or at the same time on several threads, in any order. Between two windows the threads
//! exchange messages at a barrier (Lamport's and Chandy and Misra's conservative simulation, in the
//! synchronous form of Lubachevsky's bounded lag, 1989). Windows without a tick are skipped.
//!
//! A *shard* is one thread's share of the machines. A *calendar* finds the machines with a tick in
//! the next window. The *exchange* is what the shards share. Each machine makes the same events in
//! the same order for every number of shards, and their rows go by window and number to files that do
//! not depend on it: so the logs are the same, byte for byte.

mod calendar;
mod exchange;
mod logs;
mod shard;
mod windows;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use self::exchange::Exchange;
use self::shard::Shard;
use crate::edge::control::{Observer, Progress, Stop};
use crate::edge::driver::{Ending, Failure, Outcome, Plan, parts, shares};
use crate::edge::log::{Frontier, Layout, LogError};
use crate::edge::panics;
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::tally::largest_lamport;
use crate::model::time::Nanos;
use crate::workload::Workload;

/// Events of the first shard between two looks at whoever watches or wants the run to stop.
const EVENTS_A_LOOK: u64 = 1024;

/// The most shards: they wait for each other after every window, and more of them wait longer.
const MOST_THREADS: usize = Layout::MOST_COMBINED as usize;

/// Rounds between two looks where the first shard has few events, since the others may have many.
const ROUNDS_A_LOOK: u64 = 256;

/// Rounds in which a log was full between two marks of how far all logs go: each mark is a write, and a log that holds
/// the others back another one.
const FULL_A_MARK: u32 = 4;

/// Windows that a shard runs in a round where there is no other one to wait for.
const WINDOWS_ALONE: u32 = 16;

/// Runs a scenario in virtual time to its end.
///
/// What goes wrong is in the [`Outcome`], with all that was kept. A scenario whose messages may arrive in no time at
/// all, as one that is not made for virtual time, fails at once with [`Failure::NoLookahead`].
pub fn run<W, F>(
    scenario: &Scenario,
    plan: &Plan,
    workload: F,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Outcome
where
    W: Workload + Send,
    F: Fn(VmId) -> W,
{
    panics::remember();
    let (shards, mut frontier, failure) = match prepare(scenario, plan, workload) {
        Ok((shards, frontier)) => (shards, frontier, None),
        Err(failure) => (Vec::new(), None, Some(failure)),
    };
    let exchange = Exchange::new(shards.len());
    if let Some(failure) = failure {
        exchange.fail(failure);
    }
    let lead = Lead { stop, observer, frontier: frontier.as_mut() };
    let shards = run_shards(shards, &exchange, lead);
    conclude(scenario, shards, exchange, frontier)
}

/// Makes the shards with their logs, and where there are logs, the mark of how far they go.
fn prepare<W, F>(
    scenario: &Scenario,
    plan: &Plan,
    workload: F,
) -> Result<(Vec<Shard<W>>, Option<Frontier>), Failure>
where
    W: Workload,
    F: Fn(VmId) -> W,
{
    if scenario.lookahead() == Nanos::ZERO {
        return Err(Failure::NoLookahead);
    }
    let frontier = match plan.layout {
        Layout::Nowhere => None,
        Layout::PerVm | Layout::Combined => Some(Frontier::create(&plan.folder)?),
    };
    let parts = match plan.layout {
        Layout::Combined => parts(scenario.vms()),
        Layout::PerVm | Layout::Nowhere => shares(scenario.vms(), plan.threads.min(MOST_THREADS)),
    };
    let parts_of_threads = shares(u32::try_from(parts.len()).unwrap_or(1), plan.threads);
    let bounds: Vec<VmId> =
        parts_of_threads.iter().map(|own| VmId(parts[own.start as usize].start)).collect();
    let mut shards = Vec::with_capacity(bounds.len());
    for (index, own) in parts_of_threads.into_iter().enumerate() {
        let own = &parts[own.start as usize..own.end as usize];
        shards.push(Shard::new(index, scenario, own, bounds.clone(), plan, &workload)?);
    }
    Ok((shards, frontier))
}

/// What the first shard does for all: it looks who watches or wants the run to stop, and marks how far the logs go.
struct Lead<'a> {
    stop: &'a Stop,
    observer: &'a mut dyn Observer,
    frontier: Option<&'a mut Frontier>,
}

impl Lead<'_> {
    fn wants_to_stop(&mut self, progress: &Progress) -> bool {
        self.observer.progress(progress);
        self.stop.asked()
    }

    fn mark(&mut self, frontier: Nanos) -> Result<(), LogError> {
        self.frontier.as_mut().map_or(Ok(()), |file| file.advance(frontier))
    }
}

/// Runs every shard on a thread of its own, the first on this one.
fn run_shards<W: Workload + Send>(
    mut shards: Vec<Shard<W>>,
    exchange: &Exchange,
    mut lead: Lead<'_>,
) -> Vec<Shard<W>> {
    let threads = shards.len();
    thread::scope(|scope| {
        // Each thread is there before any of them starts: they wait for each other.
        let mut others = Vec::with_capacity(threads);
        for thread in 2..=threads {
            let (give, take) = mpsc::channel();
            let work = move || take.recv().ok().map(|shard| run_shard(shard, exchange, None));
            match thread::Builder::new().spawn_scoped(scope, work) {
                Ok(handle) => others.push((give, handle)),
                Err(source) => {
                    exchange.fail(Failure::Thread { thread, threads, source });
                    return shards;
                }
            }
        }
        let handles: Vec<_> = (others.into_iter().zip(shards.drain(threads.min(1)..)))
            .filter_map(|((give, handle), shard)| give.send(shard).ok().map(|()| handle))
            .collect();
        let first = shards.pop().map(|shard| run_shard(shard, exchange, Some(&mut lead)));
        // A shard's own panics are caught in it; what is left of one that broke otherwise is nothing.
        let others = handles.into_iter().filter_map(|other| other.join().ok().flatten());
        first.into_iter().chain(others).collect()
    })
}

/// Runs one shard from window to window until no shard has another tick.
fn run_shard<W: Workload>(
    mut shard: Shard<W>,
    exchange: &Exchange,
    mut lead: Option<&mut Lead<'_>>,
) -> Shard<W> {
    let windows = if exchange.shards() == 1 { WINDOWS_ALONE } else { 1 };
    let (mut next_look, mut next_round, mut full) = (0, 0, 0u32);
    for round in 0.. {
        let [events, ..] = shard.counters();
        let mut wants_to_stop = false;
        if let Some(lead) = &mut lead
            && (events >= next_look || round >= next_round)
        {
            (next_look, next_round) = (events + EVENTS_A_LOOK, round + ROUNDS_A_LOOK);
            wants_to_stop = lead.wants_to_stop(&exchange.progress(shard.reached()));
        }
        let (frontier, was_full) = (shard.frontier(), shard.take_was_full());
        exchange.publish_logs(round, shard.index(), frontier, was_full);
        exchange.publish(round, shard.index(), shard.next_window(), wants_to_stop, shard.outgoing());
        exchange.wait();
        let next = exchange.next_window(round);
        let work = || {
            exchange.take_mail(round, shard.index(), |messages| shard.deliver(messages));
            let Some(window) = next else { return Ok(()) };
            full += u32::from(exchange.was_full(round));
            if full == FULL_A_MARK {
                full = 0;
                keep_together(&mut shard, exchange, round, window, &mut lead)?;
            }
            shard.run_windows(window, windows)
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => exchange.fail(error.into()),
            Err(_) => {
                exchange.fail(Failure::MachinePanicked { vm: shard.current(), message: panics::latest() });
            }
        }
        if next.is_none() {
            break;
        }
        exchange.reach(shard.reached());
        exchange.count(shard.index(), shard.counters());
    }
    shard
}

/// Where logs have been written since the round before: marks how far all of them go, and has the one written that
/// holds them back.
fn keep_together<W: Workload>(
    shard: &mut Shard<W>,
    exchange: &Exchange,
    round: u64,
    window: u64,
    lead: &mut Option<&mut Lead<'_>>,
) -> Result<(), LogError> {
    let (frontier, is_ours) = exchange.frontier(round, shard.index());
    if let Some(lead) = lead {
        lead.mark(frontier.unwrap_or_else(|| shard.start_of(window)))?;
    }
    if is_ours { shard.write_oldest() } else { Ok(()) }
}

/// Closes the logs, and takes the mark away where all of them are whole.
fn conclude<W: Workload>(
    scenario: &Scenario,
    shards: Vec<Shard<W>>,
    exchange: Exchange,
    frontier: Option<Frontier>,
) -> Outcome {
    let all = exchange.shards();
    let (mut ending, reached) = exchange.into_ending();
    let elapsed = if matches!(ending, Ending::Complete) { scenario.duration() } else { reached };
    let mut accounts = Vec::with_capacity(scenario.vms() as usize);
    let mut files = Vec::new();
    let mut are_whole = shards.len() == all && !matches!(ending, Ending::Failed(Failure::Log(_)));
    for shard in shards {
        for closed in shard.close(elapsed, &mut accounts) {
            match closed {
                Ok(entry) => files.push(entry),
                Err(error) => {
                    are_whole = false;
                    ending.fail(error.into());
                }
            }
        }
    }
    if let Some(frontier) = frontier.filter(|_| are_whole)
        && let Err(error) = frontier.remove()
    {
        ending.fail(error.into());
    }
    let lamport = largest_lamport(&accounts);
    Outcome { ending, began: None, elapsed, accounts, files, lamport, lateness: None, links: None }
}
