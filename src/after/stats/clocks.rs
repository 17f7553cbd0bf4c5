//! What the clocks of a run cost, and what they say of events that nothing orders.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Context;
use super::measures::{concurrent, mean, share};
use crate::after::history::Earlier;
use crate::clock::{ClockSpec, Promise, Values};

/// A measure of each clock beside Lamport's, whose own are among those of the whole run.
#[derive(Clone, Copy, Debug)]
pub struct ClockMeasure {
    /// Its name, behind that of the clock and `_`.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    pub(super) value: fn(&ClockMeter, &Context<'_>) -> Option<f64>,
}

/// The measures of each clock, in their order.
pub const CLOCK_MEASURES: &[ClockMeasure] = &[
    ClockMeasure {
        name: "stamp_bytes",
        meaning: "a stamp of it with seven bits a byte, mean over sends",
        value: |clock, context| clock.of_sends(clock.bytes, context),
    },
    ClockMeasure {
        name: "plain_bytes",
        meaning: "the same as plain numbers of 8 bytes",
        value: |clock, context| clock.of_sends(8 * clock.words, context),
    },
    ClockMeasure {
        name: "false_order_share",
        meaning: "of concurrent pairs of events those that it orders, though nothing does: counted where all its values can be \
                  compared, otherwise of pairs in a sample",
        value: ClockMeter::false_order,
    },
];

/// A clock's values, added up.
#[derive(Debug)]
pub(super) struct ClockMeter {
    pub(super) spec: ClockSpec,
    /// Rows that have a value of it.
    rows: u64,
    bytes: u64,
    words: u64,
    ties: Ties,
    /// Concurrent pairs of the sample, and those of them that it orders.
    pairs: f64,
    ordered: f64,
}

/// How many pairs of events have the same value, of a clock whose values can all be compared. Values that no machine can
/// show any more are forgotten.
#[derive(Debug, Default)]
struct Ties {
    counts: FxHashMap<SmallVec<[u64; 2]>, u32>,
    pairs: u128,
}

impl ClockMeter {
    pub(super) fn new(spec: ClockSpec) -> Self {
        Self { spec, rows: 0, bytes: 0, words: 0, ties: Ties::default(), pairs: 0.0, ordered: 0.0 }
    }

    pub(super) fn add(&mut self, value: &[u64], is_send: bool) {
        if value.is_empty() {
            return;
        }
        self.rows += 1;
        if self.spec.is_linear {
            let count = self.ties.counts.entry(value.into()).or_default();
            self.ties.pairs += u128::from(*count);
            *count += 1;
        }
        if is_send {
            self.bytes += value.iter().map(|word| bytes(*word)).sum::<u64>();
            self.words += value.len() as u64;
        }
    }

    /// No later event has a smaller value.
    pub(super) fn forget_below(&mut self, least: &[u64]) {
        self.ties
            .counts
            .retain(|value, _| (self.spec.compare)(value, least).is_none_or(std::cmp::Ordering::is_ge));
    }

    /// An event and an earlier one of the sample, which stand for so many pairs.
    pub(super) fn compare(&mut self, earlier: Earlier, sampled: &Values, value: &[u64], weight: f64) {
        if self.spec.is_linear || earlier != Earlier::Concurrent || value.is_empty() {
            return;
        }
        if let Some(other) = sampled.of(self.spec) {
            let order = (self.spec.compare)(other, value);
            self.pairs += weight;
            if order.is_some_and(std::cmp::Ordering::is_ne) {
                self.ordered += weight;
            }
        }
    }

    fn of_sends(&self, sum: u64, context: &Context<'_>) -> Option<f64> {
        if self.words == 0 { None } else { mean(sum, context.whole.sends) }
    }

    fn false_order(&self, context: &Context<'_>) -> Option<f64> {
        let is_everywhere = self.rows > 0 && self.rows == context.whole.events;
        if !is_everywhere {
            return None;
        }
        if self.spec.is_linear {
            let concurrent = concurrent(context)?;
            return share(concurrent.saturating_sub(self.ties.pairs), concurrent);
        }
        // What tells the past is what the pairs are told from: it orders no others.
        if self.spec.tells_past && self.spec.promise == Promise::Strong {
            return (concurrent(context)? > 0).then_some(0.0);
        }
        (self.pairs > 0.0).then(|| self.ordered / self.pairs)
    }
}

/// The bytes of a number with seven bits in each.
pub(super) fn bytes(number: u64) -> u64 {
    u64::from((64 - number.leading_zeros()).div_ceil(7).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(clock: &str) -> ClockMeter {
        ClockMeter::new(clock.parse().unwrap())
    }

    #[test]
    fn pairs_with_equal_values_are_counted_and_old_values_forgotten() {
        let mut hybrid = meter("hlc");
        [[5, 0], [5, 0], [5, 1], [5, 0], [9, 0]].iter().for_each(|value| hybrid.add(value, true));
        assert_eq!((hybrid.ties.pairs, hybrid.rows, hybrid.words), (3, 5, 10));
        hybrid.forget_below(&[5, 1]);
        assert_eq!(hybrid.ties.counts.len(), 2);
        hybrid.add(&[9, 0], false);
        assert_eq!((hybrid.ties.pairs, hybrid.bytes), (4, 10));
    }

    #[test]
    fn concurrent_pairs_that_a_clock_orders_are_counted() {
        let mut vector = meter("vector");
        let mut sampled = Values::default();
        *sampled.past_mut().unwrap() = vec![2, 0];
        vector.compare(Earlier::Concurrent, &sampled, &[0, 1], 4.0);
        vector.compare(Earlier::Concurrent, &sampled, &[2, 1], 1.0);
        vector.compare(Earlier::Before, &sampled, &[2, 1], 1.0);
        vector.compare(Earlier::Unknown, &sampled, &[2, 1], 1.0);
        assert!((vector.pairs, vector.ordered) == (5.0, 1.0), "{} of {}", vector.ordered, vector.pairs);
    }
}
