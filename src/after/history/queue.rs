//! Queues that can be: what waits has arrived, has been sent before, and is received next.
//!
//! How many messages a machine has received and how many wait make how many have arrived, which never falls.
//! Since the first that arrived is the first that is received, each receive tells by when its message had arrived
//! according to the queue, and so by when it must have been sent.

use std::collections::VecDeque;

use crate::model::time::Nanos;

/// A machine's queue, as its rows show it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    received: u64,
    arrived: u64,
    /// When how many had arrived, as far as they were not received.
    arrivals: VecDeque<Arrival>,
    /// The row before, where it may be at fault.
    latest: Option<(SeenArrivals, u64)>,
    /// Two rows of which one is wrong.
    doubt: Option<Doubt>,
}

/// From that row on, so many messages have arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) total: u64,
    pub(crate) seen: SeenArrivals,
}

/// A queue in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenArrivals {
    pub(crate) rows: u64,
    pub(crate) line: u64,
    pub(crate) elapsed: Nanos,
    pub(crate) queue: u64,
}

/// A row says that fewer messages have arrived than the one before it.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    high: SeenArrivals,
    high_total: u64,
    /// The most that the first of them can show, if the second is right.
    most: u64,
    low: SeenArrivals,
    /// The least that the second can show, if the first is right.
    least: u64,
    /// It shows fewer than the row before the first did.
    is_low: bool,
}

/// A queue that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongQueue {
    pub(crate) seen: SeenArrivals,
    pub(crate) expected: Bound,
}

/// What a queue can be at most or at least, and the line that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    AtMost(u64, u64),
    AtLeast(u64, u64),
}

impl Queue {
    /// Takes a row's queue in. Tells a row, this one or one before, whose queue cannot be. Where `may_restart`, a
    /// process may have died, and what waited with it.
    pub(crate) fn row(
        &mut self,
        seen: SeenArrivals,
        is_receive: bool,
        may_restart: bool,
    ) -> Option<WrongQueue> {
        self.received += u64::from(is_receive);
        let total = self.received + seen.queue;
        let decided = self.doubt.take().map(|doubt| doubt.decide(Some(total)));
        // Of two rows that contradict each other nobody can say by themselves which is wrong: the next row decides.
        if total < self.arrived {
            if let Some((high, before)) = self.latest.filter(|_| !may_restart) {
                let most = high.queue.saturating_sub(self.arrived - total);
                let least = self.arrived - self.received;
                let is_low = total < before;
                self.doubt = Some(Doubt { high, high_total: self.arrived, most, low: seen, least, is_low });
            }
            self.arrived = total;
            self.lower_to(total);
        }
        let before = self.arrived;
        if total > self.arrived {
            debug_assert!(self.arrivals.back().is_none_or(|last| last.total < total), "arrivals only grow");
            self.arrivals.push_back(Arrival { total, seen });
            self.arrived = total;
        }
        debug_assert!(self.received <= self.arrived, "a message was received that had not arrived");
        self.latest = Some((seen, before));
        decided
    }

    /// The machine was down before its next row: what waited is lost. Tells a row whose queue cannot be, as no other row
    /// will decide.
    pub(crate) fn lose(&mut self) -> Option<WrongQueue> {
        let decided = self.finish();
        self.arrivals.clear();
        (self.arrived, self.latest) = (self.received, None);
        decided
    }

    /// No more than so many messages have arrived.
    fn lower_to(&mut self, total: u64) {
        let mut first_above = None;
        while let Some(arrival) = self.arrivals.pop_back_if(|arrival| arrival.total > total) {
            first_above = Some(arrival.seen);
        }
        // What is left of an arrival that reached beyond has still arrived by the row that showed it.
        let kept = self.arrivals.back().map_or(0, |arrival| arrival.total);
        debug_assert!(kept <= total, "{kept} arrivals are kept of {total}");
        if let Some(seen) = first_above.filter(|_| kept < total) {
            self.arrivals.push_back(Arrival { total, seen });
        }
    }

    /// By which row the message that was received last had arrived.
    pub(crate) fn arrival(&mut self) -> Option<Arrival> {
        // First in, first out (the inbox's order): the n-th message that is received is the n-th that arrived.
        while let Some(arrival) = self.arrivals.front().copied() {
            if arrival.total > self.received {
                return Some(arrival);
            }
            self.arrivals.pop_front();
            if arrival.total == self.received {
                return Some(arrival);
            }
        }
        None
    }

    /// How many messages it has received.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// At the end: what is still in doubt.
    pub(crate) fn finish(&mut self) -> Option<WrongQueue> {
        self.doubt.take().map(|doubt| doubt.decide(None))
    }

    /// At the end: by which rows the messages had arrived that still wait, one after the other.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Arrival> + '_ {
        let mut next = self.received;
        self.arrivals.iter().flat_map(move |arrival| {
            let from = next;
            next = arrival.total.max(next);
            (from..next).map(move |_| *arrival)
        })
    }
}

impl Doubt {
    /// Which of the two is wrong: the second, where the row after it shows as much as the first again.
    fn decide(self, next_total: Option<u64>) -> WrongQueue {
        if self.is_low || next_total.is_some_and(|total| total >= self.high_total) {
            WrongQueue { seen: self.low, expected: Bound::AtLeast(self.least, self.high.line) }
        } else {
            WrongQueue { seen: self.high, expected: Bound::AtMost(self.most, self.low.line) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines whose queues are wrong; rows are (queue, whether it receives).
    fn wrong(rows: &[(u64, bool)]) -> Vec<(u64, Bound)> {
        let mut queue = Queue::default();
        let mut wrong = Vec::new();
        for (line, &(length, is_receive)) in (2..).zip(rows) {
            let seen = SeenArrivals { rows: line, line, elapsed: Nanos::new(line), queue: length };
            wrong.extend(queue.row(seen, is_receive, false));
            if is_receive {
                assert!(queue.arrival().is_some());
            }
        }
        wrong.extend(queue.finish());
        wrong.into_iter().map(|wrong| (wrong.seen.line, wrong.expected)).collect()
    }

    #[test]
    fn what_waits_goes_only_when_it_is_received() {
        assert_eq!(wrong(&[(0, false), (3, false), (2, true), (4, true), (3, true)]), []);
        assert_eq!(wrong(&[(0, false), (2, false), (0, false), (0, false)]), [(3, Bound::AtMost(0, 4))]);
        assert_eq!(wrong(&[(2, false), (1, false), (2, false)]), [(3, Bound::AtLeast(2, 2))]);
        assert_eq!(wrong(&[(2, false), (0, true), (0, true)]), [(3, Bound::AtLeast(1, 2))]);
        assert_eq!(wrong(&[(2, false), (2, false), (0, false)]), [(4, Bound::AtLeast(2, 3))]);
    }

    #[test]
    fn what_waits_when_the_machine_goes_down_is_lost() {
        let mut queue = Queue::default();
        let seen = |line, length| SeenArrivals { rows: line, line, elapsed: Nanos::new(line), queue: length };
        assert_eq!(queue.row(seen(2, 5), false, false), None);
        assert_eq!(queue.row(seen(3, 4), true, false), None);
        assert_eq!(queue.lose(), None);
        assert_eq!(queue.row(seen(4, 0), false, false), None);
        assert_eq!(queue.row(seen(5, 1), true, false), None);
        assert_eq!(queue.arrival().map(|arrival| arrival.seen.line), Some(5));
        assert_eq!(queue.waiting().map(|arrival| arrival.seen.line).collect::<Vec<_>>(), [5]);
        // Fewer without a reason, and then down: no other row tells which of the two is wrong.
        assert_eq!(queue.row(seen(6, 0), false, false), None);
        assert_eq!(queue.lose().map(|wrong| wrong.seen.line), Some(5));
    }

    #[test]
    fn each_message_that_waits_has_the_row_by_which_it_had_arrived() {
        let mut queue = Queue::default();
        for (line, length) in [(2, 1), (3, 1), (4, 3)] {
            queue.row(
                SeenArrivals { rows: line, line, elapsed: Nanos::new(line), queue: length },
                false,
                false,
            );
        }
        queue.row(SeenArrivals { rows: 5, line: 5, elapsed: Nanos::new(5), queue: 2 }, true, false);
        assert_eq!(queue.arrival().map(|arrival| arrival.seen.line), Some(2));
        assert_eq!(queue.waiting().map(|arrival| arrival.seen.line).collect::<Vec<_>>(), [4, 4]);
    }
}
