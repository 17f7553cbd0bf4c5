//! Time as the model counts it: whole nanoseconds, how people write them, rates and the schedule of ticks.
//!
//! Time here is an argument, never a question: nothing in this module reads a clock. The one that
//! does is the timebase of the live driver.

mod rate;
mod window;
mod written;

pub use rate::{ParseRateError, Rate, Schedule, Ticks};
pub use window::{ParseTimeWindowError, TimeWindow};
pub use written::{ParseTimeError, WithUnit};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// Whole nanoseconds: a point in a run, counted from its start, or a length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(u64);

impl Nanos {
    /// The run's start, or no time at all.
    pub const ZERO: Self = Self(0);
    /// The longest time that a setting may name, ten years: sums of a few of them cannot overflow.
    pub const LONGEST: Self = Self::from_secs(10 * 365 * 24 * 3600);

    /// A point or length of so many whole nanoseconds.
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// That many whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(SECOND))
    }

    /// The number of nanoseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The length in seconds, for display and averages only: a double cannot hold every nanosecond.
    pub fn as_secs_f64(self) -> f64 {
        std::time::Duration::from(self).as_secs_f64()
    }

    /// The whole seconds, and the nanoseconds beyond them.
    pub const fn split(self) -> (u64, u32) {
        (self.0 / SECOND, (self.0 % SECOND) as u32)
    }

    /// The sum, held at the largest value instead of overflowing.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at zero where `other` is the larger.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The point shifted by a signed number of nanoseconds, held at zero from below.
    pub const fn shifted(self, by: i64) -> Self {
        Self(self.0.saturating_add_signed(by))
    }
}

impl From<Nanos> for std::time::Duration {
    fn from(nanos: Nanos) -> Self {
        Self::from_nanos(nanos.0)
    }
}

impl From<std::time::Duration> for Nanos {
    fn from(duration: std::time::Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}
