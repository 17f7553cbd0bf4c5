//! The way to the common start, without sockets: who is ready, who gives the signal, and how far the run has
//! come since.
//!
//! All links come first. Then every process tells node 0 that it is ready, and when all have, node 0 gives the
//! signal. A process that was started again finds the others under way: each of them tells it how far the run
//! has come.

use std::collections::BTreeMap;

use crate::model::time::Nanos;

/// What is known on the way to the start.
#[derive(Debug, Default)]
pub(super) struct StartBarrier {
    /// How far the own logs go, once the own machines are ready.
    prepared: Option<Nanos>,
    /// The same of the others, at node 0.
    ready: BTreeMap<u32, Nanos>,
    /// The incarnation of node 0 that was told that this process is ready.
    told: u64,
    /// How far the run had come when, as the start signal said.
    signal: Option<(Nanos, Nanos)>,
    has_started: bool,
}

/// How the other processes stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others {
    /// How many there are.
    pub(super) count: usize,
    /// Whether all of them take part.
    pub(super) are_here: bool,
    /// Whether each of them that can be reached has told what it has heard of the machines here.
    pub(super) have_told: bool,
    /// The incarnation of node 0; none where that is this process.
    pub(super) first: Option<u64>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell node 0 that this process is ready.
    SayReady(Nanos),
    /// Give the signal to all, and start.
    Signal(Nanos),
    /// Start: the signal has come.
    Start(Nanos),
}

impl StartBarrier {
    /// The own machines are ready to start, or to go on from there.
    pub(super) fn prepared(&mut self, elapsed: Nanos) {
        self.prepared = Some(elapsed);
    }

    /// A process says that it is ready to start, or to go on from there.
    pub(super) fn ready(&mut self, node: u32, elapsed: Nanos) {
        self.ready.insert(node, elapsed);
    }

    /// Another process took that one's place, or will, and has not said that it is ready.
    pub(super) fn succeeded(&mut self, node: u32) {
        self.ready.remove(&node);
    }

    /// The signal has come: the run starts, or has come so far. The first one counts.
    pub(super) fn signal(&mut self, elapsed: Nanos, now: Nanos) {
        self.signal.get_or_insert((elapsed, now));
    }

    pub(super) const fn has_started(&self) -> bool {
        self.has_started
    }

    /// Whether that process has said that it is ready.
    pub(super) fn is_ready(&self, node: u32) -> bool {
        self.ready.contains_key(&node)
    }

    /// How far the run has come; none before the signal.
    pub(super) fn elapsed(&self, now: Nanos) -> Option<Nanos> {
        self.signal.map(|(elapsed, at)| elapsed.plus(now.minus(at)))
    }

    /// What is to be done now, if anything.
    pub(super) fn advance(&mut self, others: Others, now: Nanos) -> Option<Step> {
        let own = self.prepared.filter(|_| !self.has_started)?;
        if let Some(elapsed) = self.elapsed(now) {
            if !others.have_told {
                return None;
            }
            self.has_started = true;
            return Some(Step::Start(own.max(elapsed)));
        }
        if !others.are_here {
            return None;
        }
        if let Some(incarnation) = others.first {
            let told = std::mem::replace(&mut self.told, incarnation);
            return (told != incarnation).then_some(Step::SayReady(own));
        }
        if self.ready.len() < others.count || !others.have_told {
            return None;
        }
        // The latest of all: no machine is to make a tick again that its log has already.
        let elapsed = self.ready.values().copied().fold(own, Nanos::max);
        debug_assert!(self.signal.is_none(), "the signal is given once");
        self.signal(elapsed, now);
        self.has_started = true;
        Some(Step::Signal(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Nanos = Nanos::from_secs(1);
    const LATER: Nanos = Nanos::from_secs(3);

    fn others(are_here: bool, first: Option<u64>) -> Others {
        Others { count: 2, are_here, have_told: true, first }
    }

    #[test]
    fn node_0_gives_the_signal_when_all_are_there_and_ready() {
        let mut start_barrier = StartBarrier::default();
        assert_eq!(start_barrier.advance(others(true, None), SOON), None, "its own machines are not ready");
        start_barrier.prepared(Nanos::ZERO);
        start_barrier.ready(1, Nanos::ZERO);
        start_barrier.ready(2, Nanos::ZERO);
        assert_eq!(start_barrier.advance(others(false, None), SOON), None);
        let untold = Others { have_told: false, ..others(true, None) };
        assert_eq!(start_barrier.advance(untold, SOON), None, "it may be behind what others have heard");
        start_barrier.succeeded(2);
        assert_eq!(
            start_barrier.advance(others(true, None), SOON),
            None,
            "another process took node 2's place"
        );
        start_barrier.ready(2, Nanos::from_secs(7));
        assert_eq!(start_barrier.elapsed(SOON), None);
        assert_eq!(start_barrier.advance(others(true, None), SOON), Some(Step::Signal(Nanos::from_secs(7))));
        assert_eq!(start_barrier.advance(others(true, None), SOON), None, "once");
        assert_eq!(start_barrier.elapsed(LATER), Some(Nanos::from_secs(9)));
    }

    #[test]
    fn the_others_say_that_they_are_ready_to_each_process_that_is_node_0_and_wait_for_the_signal() {
        let mut start_barrier = StartBarrier::default();
        start_barrier.prepared(Nanos::ZERO);
        assert_eq!(start_barrier.advance(others(true, Some(5)), SOON), Some(Step::SayReady(Nanos::ZERO)));
        assert_eq!(start_barrier.advance(others(true, Some(5)), SOON), None);
        assert_eq!(start_barrier.advance(others(true, Some(6)), SOON), Some(Step::SayReady(Nanos::ZERO)));
        start_barrier.signal(Nanos::ZERO, SOON);
        let untold = Others { have_told: false, ..others(true, Some(6)) };
        assert_eq!(start_barrier.advance(untold, SOON), None);
        assert_eq!(start_barrier.advance(others(true, Some(6)), SOON), Some(Step::Start(Nanos::ZERO)));
        assert!(start_barrier.has_started());
    }

    #[test]
    fn one_that_goes_on_starts_with_the_first_that_tells_how_far_the_run_has_come() {
        let mut start_barrier = StartBarrier::default();
        start_barrier.signal(Nanos::from_secs(30), SOON);
        start_barrier.signal(Nanos::from_secs(99), SOON);
        assert_eq!(start_barrier.advance(others(false, Some(5)), SOON), None, "its machines are not ready");
        start_barrier.prepared(Nanos::from_secs(20));
        assert_eq!(
            start_barrier.advance(others(false, Some(5)), LATER),
            Some(Step::Start(Nanos::from_secs(32)))
        );
        let mut start_barrier = StartBarrier::default();
        start_barrier.signal(Nanos::from_secs(30), SOON);
        start_barrier.prepared(Nanos::from_secs(31));
        let step = start_barrier.advance(others(false, Some(5)), SOON);
        assert_eq!(step, Some(Step::Start(Nanos::from_secs(31))), "not before its own logs end");
    }
}
