//! Windows of time, each as long as the lookahead, numbered from 0 at the run's start.

use crate::model::time::Nanos;

/// The division of time into windows.
///
/// It finds the window of a time at every tick, so it multiplies where it could divide (Granlund and
/// Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994).
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    length: u64,
    /// 2^64 / length, rounded up where it is no whole number; 0 stands for 2^64.
    reciprocal: u64,
}

impl Windows {
    /// Windows of that length, at least a nanosecond.
    pub(super) const fn new(length: Nanos) -> Self {
        let length = if length.get() == 0 { 1 } else { length.get() };
        let reciprocal = if length == 1 { 0 } else { u64::MAX / length + 1 };
        Self { length, reciprocal }
    }

    /// The window in which a time lies.
    pub(super) const fn of(self, time: Nanos) -> u64 {
        if self.reciprocal == 0 {
            return time.get();
        }
        // The reciprocal is too large by less than 1, and so is the quotient.
        let quotient = (time.get() as u128 * self.reciprocal as u128) >> 64;
        let quotient = quotient as u64;
        let window = if quotient.saturating_mul(self.length) > time.get() { quotient - 1 } else { quotient };
        debug_assert!(window == time.get() / self.length, "the window that a division finds");
        window
    }

    /// When a window starts.
    pub(super) const fn start(self, window: u64) -> Nanos {
        Nanos::new(window.saturating_mul(self.length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_lies_in_the_window_that_starts_last_before_it(
            length in prop_oneof![1u64..10, 1_000u64..10_000_000, any::<u64>()],
            times in proptest::collection::vec(prop_oneof![any::<u64>(), 0..1u64 << 40], 8), multiple: u32,
        ) {
            let length = length.max(1);
            let windows = Windows::new(Nanos::new(length));
            let edge = length.saturating_mul(u64::from(multiple));
            for time in times.into_iter().chain([edge, edge - 1.min(edge), edge.saturating_add(1), u64::MAX]) {
                prop_assert_eq!(windows.of(Nanos::new(time)), time / length, "{} / {}", time, length);
            }
        }
    }
}
