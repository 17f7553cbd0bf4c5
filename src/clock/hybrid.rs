//! The hybrid logical clock: near physical time, and larger at an effect than at its cause.
//!
//! Kulkarni, Demirbas, Madappa, Avva and Leone, "Logical Physical Clocks", OPODIS 2014, figure 5.

use std::cmp::Ordering;

use super::{Claim, Clock, Description, Form, Length, Moment, Occurrence, Promise, Setup};
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// A hybrid logical clock, (l, c): l is the largest physical clock heard of, in nanoseconds since the run's start, and
/// c counts events since l last grew.
///
/// It starts at (0, 0), the run's start: a physical clock that is still before that does not move it back, and its
/// machine's events are counted by c.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hybrid {
    /// l and c.
    value: [u64; 2],
    skew: i64,
}

impl Hybrid {
    /// l' = max(l, pt); c counts on where l stands still, and starts again where it grows.
    fn count(&mut self, now: Moment) {
        // So l is the largest physical clock in the causal past (theorems 2 and 3), and stays as near to the own one as
        // the clocks are to each other (corollary 1); c counts events of the past that share it (theorem 4).
        let ([l, c], physical) = (self.value, now.elapsed.shifted(self.skew).get());
        self.value = if physical > l { [physical, 0] } else { [l, c.saturating_add(1)] };
    }
}

impl Clock for Hybrid {
    const DESCRIPTION: Description = Description {
        name: "hlc",
        title: "hybrid clock",
        rule: "the largest physical time heard of, and a counter of the events since it grew",
        source: "Kulkarni et al. 2014",
        promise: Promise::Weak,
        length: Length::Words(2),
        form: Form::Numbers,
        columns: &["", "_count"],
        is_standard: true,
        reads_physical: true,
        is_linear: true,
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let value = last.and_then(|last| last.first_chunk()).copied().unwrap_or_default();
        Self { value, skew: setup.skew }
    }

    fn advance(&mut self, _occurrence: Occurrence, now: Moment) {
        self.count(now);
    }

    /// l' = max(l, stamp's l, pt); c follows the largest c among those that l' equals.
    fn receive(&mut self, _sender: VmId, stamp: &[u64], now: Moment) {
        // The larger pair has the larger l, and of equal ones the larger c, from which the paper's cases all count on:
        // a physical clock beyond it starts c again.
        let before = self.value;
        let stamp = stamp.first_chunk().copied().unwrap_or_default();
        self.value = before.max(stamp);
        self.count(now);
        debug_assert!(
            self.value > before && self.value > stamp || self.value[1] == u64::MAX,
            "theorem 1: an effect has the larger value"
        );
    }

    fn value(&self) -> &[u64] {
        &self.value
    }

    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        Some(first.cmp(second))
    }

    /// Where c starts again, l is the physical clock; where it counts on, that was not beyond l.
    fn physical_by(value: &[u64]) -> Nanos {
        match value {
            [l, 0] => Nanos::new(*l),
            _ => Nanos::ZERO,
        }
    }

    /// c counts events of the causal past with the same l (corollary 2): it is no more than there are.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        stamp.get(1).is_some_and(|c| *c <= claim.total)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The receive rule as the paper writes it, case by case.
    fn receive_by_the_paper(own: [u64; 2], message: [u64; 2], pt: u64) -> [u64; 2] {
        let l = own[0].max(message[0]).max(pt);
        let c = if l == own[0] && l == message[0] {
            own[1].max(message[1]) + 1
        } else if l == own[0] {
            own[1] + 1
        } else if l == message[0] {
            message[1] + 1
        } else {
            0
        };
        [l, c]
    }

    fn received(own: [u64; 2], message: [u64; 2], pt: u64) -> [u64; 2] {
        let mut clock = Hybrid { value: own, skew: 0 };
        clock.receive(VmId(1), &message, Moment { event: 1, elapsed: Nanos::new(pt) });
        clock.value
    }

    proptest! {
        #[test]
        fn a_receive_follows_the_paper(l in 0u64..5, c in 0u64..5, ml in 0u64..5, mc in 0u64..5, pt in 0u64..6) {
            prop_assert_eq!(received([l, c], [ml, mc], pt), receive_by_the_paper([l, c], [ml, mc], pt));
        }

        #[test]
        fn a_receive_exceeds_both_the_clock_and_the_stamp(l in 0u64..9, c in 0u64..9, ml in 0u64..9, mc in 0u64..9, pt in 0u64..9) {
            let value = received([l, c], [ml, mc], pt);
            prop_assert!(value > [l, c] && value > [ml, mc] && value[0] >= pt);
        }
    }
}
