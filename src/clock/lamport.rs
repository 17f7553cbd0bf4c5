//! The Lamport clock: one number, larger at an effect than at its cause.
//!
//! Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 21(7), 1978,
//! rules IR1 and IR2.

use super::Clock;
use crate::model::time::Nanos;

/// A Lamport clock. It starts at 0, so its value is the length of the longest causal path that ends
/// in the machine's latest event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lamport(u64);

impl Lamport {
    /// A clock that goes on from that value.
    pub const fn at(value: u64) -> Self {
        Self(value)
    }

    /// The clock's value: 0 before the first event.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl Clock for Lamport {
    type Stamp = u64;

    /// IR1: L = L + 1.
    fn advance(&mut self, _elapsed: Nanos) {
        // Held at the end of the numbers, which no run comes to: a log or a peer may tell any value, and one that began
        // again at 0 would break the clock condition without a word.
        self.0 = self.0.saturating_add(1);
    }

    /// IR2: L = max(L, stamp) + 1.
    fn receive(&mut self, stamp: &u64, _elapsed: Nanos) {
        self.0 = self.0.max(*stamp).saturating_add(1);
    }

    fn stamp(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receive_jumps_past_a_larger_stamp_and_ignores_a_smaller_one() {
        let mut clock = Lamport::default();
        clock.advance(Nanos::ZERO);
        assert_eq!(clock.stamp(), 1);
        clock.receive(&7, Nanos::ZERO);
        assert_eq!(clock.value(), 8);
        clock.receive(&2, Nanos::ZERO);
        assert_eq!(clock.value(), 9);
    }

    #[test]
    fn the_largest_stamp_there_is_does_not_overflow() {
        let mut clock = Lamport::default();
        clock.receive(&u64::MAX, Nanos::ZERO);
        clock.advance(Nanos::ZERO);
        assert_eq!(clock.value(), u64::MAX);
    }
}
