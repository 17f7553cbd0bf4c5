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
//! the same order for every number of shards, and rows go to files that do not depend on it: so the
//! logs are the same, byte for byte.

mod calendar;
mod exchange;
mod logs;
mod shard;
mod windows;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use self::exchange::Exchange;
use self::shard::Shard;
use crate::control::{Observer, Progress, Stop};
use crate::driver::{Ending, Failure, Outcome, Plan, shares};
use crate::id::VmId;
use crate::log::LogError;
use crate::panics;
use crate::scenario::Scenario;
use crate::tally::largest_lamport;
use crate::workload::Workload;

/// Into how many parts the machines are cut. Threads share out whole parts, and a part has a log of
/// its own where machines share logs: so it is a number of the scenario, not of the threads.
fn parts(scenario: &Scenario) -> usize {
    (scenario.vms() as usize / 4096).clamp(4, 16)
}

/// Events of the first shard between two looks at whoever watches or wants the run to stop.
const EVENTS_A_LOOK: u64 = 1024;

/// Windows that a shard runs in a round where there is no other one to wait for.
const WINDOWS_ALONE: u32 = 16;

/// Runs a scenario in virtual time to its end.
///
/// What goes wrong is in the [`Outcome`], with all that was kept.
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
    let made = make_shards(scenario, plan, workload);
    let (shards, failure) = match made {
        Ok(shards) => (shards, None),
        Err(error) => (Vec::new(), Some(Failure::Log(error))),
    };
    let exchange = Exchange::new(shards.len());
    if let Some(failure) = failure {
        exchange.fail(failure);
    }
    let shards = run_shards(shards, &exchange, stop, observer);
    conclude(scenario, shards, exchange)
}

fn make_shards<W, F>(scenario: &Scenario, plan: &Plan, workload: F) -> Result<Vec<Shard<W>>, LogError>
where
    W: Workload,
    F: Fn(VmId) -> W,
{
    let parts = shares(scenario.vms(), parts(scenario));
    let threads = u32::try_from(plan.threads).unwrap_or(u32::MAX);
    let parts_of_threads = shares(u32::try_from(parts.len()).unwrap_or(1), threads as usize);
    let bounds: Vec<VmId> =
        parts_of_threads.iter().map(|own| VmId(parts[own.start as usize].start)).collect();
    let mut shards = Vec::with_capacity(bounds.len());
    for (index, own) in parts_of_threads.into_iter().enumerate() {
        let own = &parts[own.start as usize..own.end as usize];
        shards.push(Shard::new(index, scenario, own, bounds.clone(), plan, &workload)?);
    }
    Ok(shards)
}

/// Runs every shard on a thread of its own, the first on this one.
fn run_shards<W: Workload + Send>(
    shards: Vec<Shard<W>>,
    exchange: &Exchange,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Vec<Shard<W>> {
    thread::scope(|scope| {
        let mut shards = shards.into_iter();
        let first = shards.next();
        let others: Vec<_> =
            shards.map(|shard| scope.spawn(move || run_shard(shard, exchange, |_| false))).collect();
        let mut look = |progress: &Progress| {
            observer.progress(progress);
            stop.asked()
        };
        let first = first.map(|shard| run_shard(shard, exchange, &mut look));
        // A shard's own panics are caught in it; what is left of one that broke otherwise is nothing.
        first.into_iter().chain(others.into_iter().filter_map(|other| other.join().ok())).collect()
    })
}

/// Runs one shard from window to window until no shard has another tick.
///
/// `look` is told how far the run is, and says whether it is to stop.
fn run_shard<W: Workload>(
    mut shard: Shard<W>,
    exchange: &Exchange,
    mut look: impl FnMut(&Progress) -> bool,
) -> Shard<W> {
    let windows = if exchange.shards() == 1 { WINDOWS_ALONE } else { 1 };
    let mut next_look = 0;
    for round in 0.. {
        let [events, ..] = shard.counters();
        let looks = events >= next_look;
        let wants_to_stop = looks && look(&exchange.progress(shard.reached()));
        if looks {
            next_look = events + EVENTS_A_LOOK;
        }
        exchange.publish(round, shard.index(), shard.next_window(), wants_to_stop, shard.outgoing());
        exchange.wait();
        let next = exchange.next_window(round);
        let work = || {
            exchange.take_mail(round, shard.index(), |messages| shard.deliver(messages));
            next.map_or(Ok(()), |window| shard.run_windows(window, windows))
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

fn conclude<W: Workload>(scenario: &Scenario, shards: Vec<Shard<W>>, exchange: Exchange) -> Outcome {
    let (mut ending, reached) = exchange.into_ending();
    let elapsed = if matches!(ending, Ending::Complete) { scenario.duration() } else { reached };
    let mut accounts = Vec::with_capacity(scenario.vms() as usize);
    let mut files = Vec::new();
    for shard in shards {
        for closed in shard.close(elapsed, &mut accounts) {
            match closed {
                Ok(entry) => files.push(entry),
                Err(error) => ending.fail(error.into()),
            }
        }
    }
    let lamport = largest_lamport(&accounts);
    Outcome { ending, began: None, elapsed, accounts, files, lamport, lateness: None, links: None }
}
