//! How often each value comes, and what follows from it.

use std::collections::{BTreeMap, VecDeque};

use crate::model::time::Nanos;

/// How often each of a few values comes: exact, and small where most are alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(Vec<(u64, u64)>);

impl Counts {
    pub(super) fn add(&mut self, value: u64) {
        self.add_many(value, 1);
    }

    fn add_many(&mut self, value: u64, times: u64) {
        match self.0.binary_search_by_key(&value, |(value, _)| *value) {
            Ok(at) => self.0[at].1 += times,
            Err(at) => self.0.insert(at, (value, times)),
        }
        debug_assert!(
            self.0.is_sorted_by(|one, other| one.0 < other.0),
            "each value is there once, in order"
        );
    }

    pub(super) fn merge(&mut self, others: &Self) {
        others.0.iter().for_each(|(value, times)| self.add_many(*value, *times));
    }

    /// The smallest value that so large a share does not exceed.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let all: u64 = self.0.iter().map(|(_, times)| times).sum();
        let mut so_far = 0;
        let reached = self.0.iter().find(|(_, times)| {
            so_far += times;
            as_f64(so_far) >= share * as_f64(all)
        });
        reached.map(|(value, _)| as_f64(*value))
    }

    pub(super) fn max(&self) -> Option<f64> {
        self.0.last().map(|(value, _)| as_f64(*value))
    }
}

/// The straight line through points that comes nearest to them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrendLine {
    count: f64,
    mean_x: f64,
    mean_y: f64,
    xx: f64,
    xy: f64,
}

impl TrendLine {
    pub(super) fn add(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        // Welford's update (1962): sums of squares of large times would leave nothing of their small differences.
        let before = x - self.mean_x;
        self.mean_x += before / self.count;
        self.mean_y += (y - self.mean_y) / self.count;
        self.xx += before * (x - self.mean_x);
        self.xy += before * (y - self.mean_y);
    }

    /// How much y grows where x grows by 1.
    pub(super) fn slope(&self) -> Option<f64> {
        (self.xx > 0.0).then(|| self.xy / self.xx)
    }
}

/// A clock at equal steps of time: fewer and longer ones where there are too many.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    step: Nanos,
    values: Vec<u64>,
}

impl Samples {
    const MOST: usize = 20;

    pub(super) const fn new(step: Nanos) -> Self {
        Self { step, values: Vec::new() }
    }

    /// The clock was that before an event at `now`.
    #[inline]
    pub(super) fn until(&mut self, now: Nanos, clock: u64) {
        while self.step.get().saturating_mul(self.values.len() as u64 + 1) < now.get() {
            self.values.push(clock);
            if self.values.len() > Self::MOST {
                self.thin();
            }
        }
    }

    fn thin(&mut self) {
        self.step = self.step.plus(self.step);
        self.values = self.values.iter().skip(1).step_by(2).copied().collect();
    }

    pub(super) const fn step(&self) -> Nanos {
        self.step
    }

    /// The clock at steps that are as long, or some doublings longer.
    pub(super) fn at_steps_of(&self, step: Nanos) -> Vec<u64> {
        let mut samples = self.clone();
        while samples.step < step {
            samples.thin();
        }
        samples.values
    }
}

/// How many pairs of events have the same Lamport clock.
///
/// Clocks that no machine can show any more are forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Ties {
    base: u64,
    counts: VecDeque<u32>,
    /// Clocks below the base: those of machines that came late.
    below: BTreeMap<u64, u32>,
    pub(super) pairs: u128,
}

impl Ties {
    pub(super) fn add(&mut self, clock: u64) {
        let count = match clock.checked_sub(self.base) {
            // A clock far beyond all others is a fault of the log; it ties with none.
            Some(index) if index > 1 << 28 => return,
            Some(index) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                if index >= self.counts.len() {
                    self.counts.resize(index + 1, 0);
                }
                &mut self.counts[index]
            }
            None => self.below.entry(clock).or_default(),
        };
        // The n-th event of a value makes a pair with each of the n - 1 before it.
        self.pairs += u128::from(*count);
        *count += 1;
    }

    /// No later event has a smaller clock.
    pub(super) fn forget_below(&mut self, clock: u64) {
        let count = clock.saturating_sub(self.base).min(self.counts.len() as u64);
        self.counts.drain(..usize::try_from(count).unwrap_or(0));
        self.base += count;
    }
}

#[expect(clippy::cast_precision_loss, reason = "measures for people to read")]
pub(super) const fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-9)
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let mut counts = Counts::default();
        [1, 1, 1, 1, 1, 1, 1, 1, 5, 9].into_iter().for_each(|value| counts.add(value));
        assert!(near(counts.quantile(0.5), 1.0) && near(counts.quantile(0.9), 5.0));
        assert!(near(counts.quantile(0.99), 9.0) && near(counts.max(), 9.0));
        assert_eq!(Counts::default().quantile(0.5), None);
    }

    #[test]
    fn a_line_has_its_slope() {
        let mut line = TrendLine::default();
        [(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)].into_iter().for_each(|(x, y)| line.add(x, y));
        assert!(near(line.slope(), 2.0));
    }

    #[test]
    fn samples_stay_few_and_in_step() {
        let mut samples = Samples::new(Nanos::from_secs(1));
        for second in 1..=100u64 {
            samples.until(Nanos::new(second * 1_000_000_000 + 1), second * 10);
        }
        let step = samples.step().split().0;
        assert!(step > 1 && step.is_power_of_two());
        assert_eq!(samples.at_steps_of(samples.step())[0], step * 10);
        assert_eq!(samples.at_steps_of(Nanos::from_secs(2 * step))[0], 2 * step * 10);
    }

    #[test]
    fn pairs_with_equal_clocks_are_counted_and_old_clocks_forgotten() {
        let mut ties = Ties::default();
        [1, 1, 2, 1, 5].into_iter().for_each(|clock| ties.add(clock));
        assert_eq!(ties.pairs, 3);
        ties.forget_below(4);
        ties.add(5);
        assert_eq!((ties.pairs, ties.counts.len()), (4, 2));
    }
}
