//! What the shards share: a barrier, the messages between them, the next window, how far their logs go, and the end.
//!
//! A round has one barrier. What a shard writes before it, the others read after it; two copies, for
//! odd and even rounds, keep one round's reading apart from the next one's writing.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::edge::control::Progress;
use crate::edge::driver::{Ending, Failure};
use crate::model::event::Envelope;
use crate::model::time::Nanos;

/// Stands for no window, or no time.
const NONE: u64 = u64::MAX;

/// What the shards of a run share.
#[derive(Debug)]
pub(super) struct Exchange {
    shards: usize,
    sides: [Side; 2],
    barrier: Barrier,
    counters: Vec<Counters>,
    /// The end of the latest window.
    reached: AtomicU64,
    ending: Mutex<Ending>,
    has_failed: AtomicBool,
}

/// What is exchanged in the odd rounds, or in the even ones.
#[derive(Debug)]
struct Side {
    next: Vec<AtomicU64>,
    /// The earliest window of which a shard holds rows.
    frontier: Vec<AtomicU64>,
    was_full: Vec<AtomicBool>,
    stop: AtomicBool,
    /// Messages by sending and receiving shard.
    mail: Vec<Mutex<Vec<Envelope>>>,
}

/// How far one shard has come; aligned, so that two shards share no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counters {
    events: AtomicU64,
    messages: AtomicU64,
    longest_queue: AtomicU64,
}

impl Exchange {
    pub(super) fn new(shards: usize) -> Self {
        let side = || Side {
            next: (0..shards).map(|_| AtomicU64::new(NONE)).collect(),
            frontier: (0..shards).map(|_| AtomicU64::new(NONE)).collect(),
            was_full: (0..shards).map(|_| AtomicBool::new(false)).collect(),
            stop: AtomicBool::new(false),
            mail: (0..shards * shards).map(|_| Mutex::default()).collect(),
        };
        Self {
            shards,
            sides: [side(), side()],
            barrier: Barrier::new(shards),
            counters: (0..shards).map(|_| Counters::default()).collect(),
            reached: AtomicU64::new(0),
            ending: Mutex::new(Ending::Complete),
            has_failed: AtomicBool::new(false),
        }
    }

    /// How many shards there are.
    pub(super) const fn shards(&self) -> usize {
        self.shards
    }

    /// Tells the others, before the round's barrier, of a shard's next window and gives them their
    /// messages, `outgoing` by receiving shard.
    pub(super) fn publish(
        &self,
        round: u64,
        shard: usize,
        next: Option<u64>,
        wants_to_stop: bool,
        outgoing: &mut [Vec<Envelope>],
    ) {
        // Relaxed, as all accesses here but the barrier's: what was written before it is seen behind it.
        let side = self.side(round);
        side.next[shard].store(next.unwrap_or(NONE), Ordering::Relaxed);
        if wants_to_stop {
            lock(&self.ending).interrupt();
        }
        if wants_to_stop || self.has_failed.load(Ordering::Relaxed) {
            side.stop.store(true, Ordering::Relaxed);
        }
        for (to, messages) in outgoing.iter_mut().enumerate().filter(|(_, messages)| !messages.is_empty()) {
            // Two memories for each pair of shards, one full and one being filled: nothing is copied or allocated.
            std::mem::swap(&mut *lock(&side.mail[shard * self.shards + to]), messages);
            debug_assert!(messages.is_empty(), "the messages of two rounds ago were not taken");
        }
    }

    /// Tells the others, before the round's barrier, of which window a shard holds its earliest row, and whether one of
    /// its logs was full since the round before.
    pub(super) fn publish_logs(&self, round: u64, shard: usize, frontier: Option<Nanos>, was_full: bool) {
        let side = self.side(round);
        side.frontier[shard].store(frontier.map_or(NONE, Nanos::get), Ordering::Relaxed);
        side.was_full[shard].store(was_full, Ordering::Relaxed);
    }

    /// Whether a log of any shard was full, after the round's barrier.
    pub(super) fn was_full(&self, round: u64) -> bool {
        self.side(round).was_full.iter().any(|was_full| was_full.load(Ordering::Relaxed))
    }

    /// The earliest window of which a shard holds a row, after the round's barrier, and whether it is this shard;
    /// none where all rows are written.
    pub(super) fn frontier(&self, round: u64, shard: usize) -> (Option<Nanos>, bool) {
        let own = |shard: &AtomicU64| shard.load(Ordering::Relaxed);
        let frontiers = &self.side(round).frontier;
        let least = frontiers.iter().map(own).min().filter(|least| *least != NONE);
        (least.map(Nanos::new), least == Some(own(&frontiers[shard])))
    }

    /// Waits for all shards to have published the round.
    pub(super) fn wait(&self) {
        self.barrier.wait();
    }

    /// Hands a shard, after the round's barrier, the messages that the others have for it.
    pub(super) fn take_mail(&self, round: u64, shard: usize, mut deliver: impl FnMut(&mut Vec<Envelope>)) {
        for from in (0..self.shards).filter(|from| *from != shard) {
            deliver(&mut lock(&self.side(round).mail[from * self.shards + shard]));
        }
    }

    /// The window that all shards run next; none where no machine ticks any more, or the run is to stop.
    pub(super) fn next_window(&self, round: u64) -> Option<u64> {
        let side = self.side(round);
        if side.stop.load(Ordering::Relaxed) {
            return None;
        }
        let next = side.next.iter().map(|next| next.load(Ordering::Relaxed)).min();
        next.filter(|window| *window != NONE)
    }

    /// The run fails; the first failure is the one that counts. All shards stop after this round.
    pub(super) fn fail(&self, failure: Failure) {
        lock(&self.ending).fail(failure);
        self.has_failed.store(true, Ordering::Relaxed);
    }

    /// The run has come to the end of a window.
    pub(super) fn reach(&self, end: Nanos) {
        self.reached.store(end.get(), Ordering::Relaxed);
    }

    /// A shard's counters after a window: events, messages, longest queue.
    pub(super) fn count(&self, shard: usize, [events, messages, longest_queue]: [u64; 3]) {
        self.counters[shard].events.store(events, Ordering::Relaxed);
        self.counters[shard].messages.store(messages, Ordering::Relaxed);
        self.counters[shard].longest_queue.store(longest_queue, Ordering::Relaxed);
    }

    /// How far the run has come, at that time.
    pub(super) fn progress(&self, elapsed: Nanos) -> Progress {
        let sum = |part: fn(&Counters) -> &AtomicU64| {
            self.counters.iter().map(move |counters| part(counters).load(Ordering::Relaxed))
        };
        Progress {
            elapsed,
            events: sum(|counters| &counters.events).sum(),
            messages: sum(|counters| &counters.messages).sum(),
            longest_queue: sum(|counters| &counters.longest_queue).max().unwrap_or(0),
        }
    }

    /// How the run ended, and where.
    pub(super) fn into_ending(self) -> (Ending, Nanos) {
        let ending = self.ending.into_inner().unwrap_or_else(PoisonError::into_inner);
        (ending, Nanos::new(self.reached.into_inner()))
    }

    fn side(&self, round: u64) -> &Side {
        &self.sides[usize::from(!round.is_multiple_of(2))]
    }
}

/// What a lock guards is whole even where a workload panics under it: mail is taken out piece by piece.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A barrier for threads that meet many thousand times a second: it spins for a while before it lets
/// another thread have the core. (The standard library's puts threads to sleep.)
#[derive(Debug)]
struct Barrier {
    parties: usize,
    arrived: AtomicUsize,
    generation: AtomicUsize,
}

impl Barrier {
    /// Looks at the barrier before the core is given away.
    const SPINS: u32 = 2_000;

    const fn new(parties: usize) -> Self {
        Self { parties, arrived: AtomicUsize::new(0), generation: AtomicUsize::new(0) }
    }

    fn wait(&self) {
        let generation = self.generation.load(Ordering::Acquire);
        // Each who arrives releases what it has written, the last one acquires all of it, and hands it on with the new
        // generation. The count is set back before: whoever has seen the generation may arrive at the next barrier.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.parties {
            self.arrived.store(0, Ordering::Relaxed);
            self.generation.store(generation.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.generation.load(Ordering::Acquire) == generation {
            spins += 1;
            if spins < Self::SPINS {
                std::hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_lets_nobody_ahead() {
        let barrier = Barrier::new(3);
        let counts: Vec<AtomicU64> = (0..3).map(|_| AtomicU64::new(0)).collect();
        thread::scope(|scope| {
            for me in 0..3 {
                let (barrier, counts) = (&barrier, &counts);
                scope.spawn(move || {
                    for round in 1..=500 {
                        counts[me].store(round, Ordering::Relaxed);
                        barrier.wait();
                        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) >= round));
                        barrier.wait();
                    }
                });
            }
        });
    }
}
