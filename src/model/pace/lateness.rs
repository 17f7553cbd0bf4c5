//! How late the ticks of one machine were.

use serde::{Deserialize, Serialize};

use super::Pace;
use crate::model::time::Nanos;

/// How long after they were due a machine's ticks ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    ticks: u64,
    sum: Nanos,
    max: Nanos,
    skipped: u64,
    delay: Nanos,
}

impl Lateness {
    /// Adds a tick that ran so much later than it was due.
    pub fn add(&mut self, late: Nanos) {
        self.ticks += 1;
        self.sum = self.sum.plus(late);
        self.max = self.max.max(late);
    }

    /// Takes over what the machine's pace has counted of ticks that were late.
    pub const fn settle(&mut self, pace: &Pace) {
        (self.skipped, self.delay) = (pace.skipped(), pace.delay());
    }

    /// How many ticks were added.
    pub const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// How many were left out, since their time had passed.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How much later than on the machine's schedule they were due at the end.
    pub const fn delay(&self) -> Nanos {
        self.delay
    }

    /// The mean, in milliseconds.
    pub fn mean_ms(&self) -> f64 {
        if self.ticks == 0 { 0.0 } else { self.sum.as_secs_f64() * 1e3 / as_f64(self.ticks) }
    }

    /// The latest, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.max.as_secs_f64() * 1e3
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
const fn as_f64(count: u64) -> f64 {
    count as f64
}
