//! The hybrid logical clock: near physical time, and larger at an effect than at its cause.
//!
//! Kulkarni, Demirbas, Madappa, Avva and Leone, "Logical Physical Clocks", OPODIS 2014, figure 5.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Clock;
use crate::model::time::Nanos;

/// A hybrid logical clock. It starts at (0, 0), the run's start: a physical clock that is still before
/// that does not move it back, and its machine's events are counted by c.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hybrid {
    value: HybridStamp,
    skew: i64,
}

impl Hybrid {
    /// The clock of a machine whose physical clock is that many nanoseconds ahead of the run's time.
    pub const fn new(skew: i64) -> Self {
        Self { value: HybridStamp { l: Nanos::ZERO, c: 0 }, skew }
    }

    /// The same clock going on from that value.
    #[must_use]
    pub const fn at(self, value: HybridStamp) -> Self {
        Self { value, skew: self.skew }
    }
}

/// A hybrid clock's value, ordered by `l` and then `c`. It is written `(l, c)`, as in the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HybridStamp {
    /// The largest physical clock heard of, in nanoseconds since the run's start.
    pub l: Nanos,
    /// Events counted since `l` last grew.
    pub c: u64,
}

impl HybridStamp {
    /// The value at the next event, where the physical clock shows that: l' = max(l, pt); c counts on where
    /// l stands still, and starts again where it grows.
    #[must_use]
    pub fn after(self, physical: Nanos) -> Self {
        // So l is the largest physical clock in the causal past (theorems 2 and 3), and stays as near to the own one as
        // the clocks are to each other (corollary 1); c counts events of the past that share it (theorem 4).
        if physical > self.l {
            Self { l: physical, c: 0 }
        } else {
            Self { l: self.l, c: self.c.saturating_add(1) }
        }
    }
}

impl fmt::Display for HybridStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.l.get(), self.c)
    }
}

impl Clock for Hybrid {
    type Stamp = HybridStamp;

    fn advance(&mut self, elapsed: Nanos) {
        self.value = self.value.after(elapsed.shifted(self.skew));
    }

    /// l' = max(l, stamp's l, pt); c follows the largest c among those that l' equals.
    fn receive(&mut self, stamp: &HybridStamp, elapsed: Nanos) {
        // The larger pair has the larger l, and of equal ones the larger c, from which the paper's cases all count on:
        // a physical clock beyond it starts c again.
        let before = self.value;
        self.value = self.value.max(*stamp);
        self.advance(elapsed);
        debug_assert!(
            self.value > before && self.value > *stamp || self.value.c == u64::MAX,
            "theorem 1: an effect has the larger value"
        );
    }

    fn stamp(&self) -> HybridStamp {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(l: u64, c: u64) -> HybridStamp {
        HybridStamp { l: Nanos::new(l), c }
    }

    /// The receive rule as the paper writes it, case by case.
    fn receive_by_the_paper(own: HybridStamp, message: HybridStamp, pt: u64) -> HybridStamp {
        let l = own.l.get().max(message.l.get()).max(pt);
        let c = if l == own.l.get() && l == message.l.get() {
            own.c.max(message.c) + 1
        } else if l == own.l.get() {
            own.c + 1
        } else if l == message.l.get() {
            message.c + 1
        } else {
            0
        };
        stamp(l, c)
    }

    proptest! {
        #[test]
        fn a_receive_follows_the_paper(l in 0u64..5, c in 0u64..5, ml in 0u64..5, mc in 0u64..5, pt in 0u64..6) {
            let mut clock = Hybrid { value: stamp(l, c), skew: 0 };
            clock.receive(&stamp(ml, mc), Nanos::new(pt));
            prop_assert_eq!(clock.stamp(), receive_by_the_paper(stamp(l, c), stamp(ml, mc), pt));
        }

        #[test]
        fn a_receive_exceeds_both_the_clock_and_the_stamp(l in 0u64..9, c in 0u64..9, ml in 0u64..9, mc in 0u64..9, pt in 0u64..9) {
            let mut clock = Hybrid { value: stamp(l, c), skew: 0 };
            clock.receive(&stamp(ml, mc), Nanos::new(pt));
            prop_assert!(clock.stamp() > stamp(l, c) && clock.stamp() > stamp(ml, mc));
            prop_assert!(clock.stamp().l >= Nanos::new(pt));
        }
    }
}
