//! The Lamport clock: one number, larger at an effect than at its cause.
//!
//! Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 21(7), 1978,
//! rules IR1 and IR2.

use std::cmp::Ordering;

use super::{Claim, Clock, Description, Form, Length, Moment, Occurrence, Promise, Setup};
use crate::model::id::VmId;

/// A Lamport clock. It starts at 0, so its value is the length of the longest causal path that ends
/// in the machine's latest event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lamport(u64);

impl Lamport {
    /// A clock that goes on from that value.
    pub(crate) const fn at(value: u64) -> Self {
        Self(value)
    }

    /// The clock's value.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// IR1: L = L + 1.
    #[inline]
    pub(crate) const fn count(&mut self) {
        // Held at the end of the numbers, which no run comes to: a log or a peer may tell any value, and one that began
        // again at 0 would break the clock condition without a word.
        self.0 = self.0.saturating_add(1);
    }

    /// IR2: L = max(L, stamp) + 1.
    #[inline]
    pub(crate) fn hear_of(&mut self, stamp: u64) {
        self.0 = self.0.max(stamp).saturating_add(1);
    }
}

impl Clock for Lamport {
    const DESCRIPTION: Description = Description {
        name: "lamport",
        title: "Lamport clock",
        rule: "a counter: the larger of the own and the received one, plus 1",
        source: "Lamport 1978",
        promise: Promise::Weak,
        length: Length::Words(1),
        form: Form::Numbers,
        is_linear: true,
        ..Description::PLAIN
    };

    fn start(_setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        Self(last.and_then(<[u64]>::first).copied().unwrap_or(0))
    }

    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count();
    }

    fn receive(&mut self, _sender: VmId, stamp: &[u64], _now: Moment) {
        self.hear_of(stamp.first().copied().unwrap_or(0));
    }

    fn value(&self) -> &[u64] {
        std::slice::from_ref(&self.0)
    }

    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        Some(first.cmp(second))
    }

    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        stamp.first().is_some_and(|counter| *counter <= claim.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receive_jumps_past_a_larger_stamp_and_ignores_a_smaller_one() {
        let mut clock = Lamport::default();
        clock.count();
        assert_eq!(clock.number(), 1);
        clock.hear_of(7);
        assert_eq!(clock.number(), 8);
        clock.hear_of(2);
        assert_eq!(clock.number(), 9);
    }

    #[test]
    fn the_largest_stamp_there_is_does_not_overflow() {
        let mut clock = Lamport::default();
        clock.hear_of(u64::MAX);
        clock.count();
        assert_eq!(clock.number(), u64::MAX);
    }
}
