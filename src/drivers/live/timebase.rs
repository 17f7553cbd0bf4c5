//! The one place where time is asked for: a run's start, and how long ago it was.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::model::time::Nanos;

/// A run's start, on the monotonic clock that its ticks go by and as a time of day.
#[derive(Clone, Copy, Debug)]
pub struct Timebase {
    start: Instant,
    time_of_day: Timestamp,
}

impl Timebase {
    /// A timebase whose run starts after that delay.
    pub fn starting_in(delay: Duration) -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the timebase")]
        let (now, time_of_day) = (Instant::now(), Timestamp::now());
        let delayed =
            SignedDuration::try_from(delay).ok().and_then(|delay| time_of_day.checked_add(delay).ok());
        Self { start: now + delay, time_of_day: delayed.unwrap_or(time_of_day) }
    }

    /// A timebase whose run has come so far after that delay.
    pub fn resuming(elapsed: Nanos, delay: Duration) -> Self {
        let later = Self::starting_in(delay);
        let ago = Duration::from(elapsed);
        let time_of_day =
            SignedDuration::try_from(ago).ok().and_then(|ago| later.time_of_day.checked_sub(ago).ok());
        Self {
            // A machine that was started less than that ago has no such instant.
            start: later.start.checked_sub(ago).unwrap_or(later.start),
            time_of_day: time_of_day.unwrap_or(later.time_of_day),
        }
    }

    /// The time of day now.
    pub fn time_of_day_now() -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the timebase")]
        Timestamp::now()
    }

    /// How long ago the run started; zero before.
    pub fn elapsed(&self) -> Nanos {
        #[expect(clippy::disallowed_methods, reason = "this is the timebase")]
        let now = Instant::now();
        now.saturating_duration_since(self.start).into()
    }

    /// The instant at which that much of the run has passed.
    pub fn instant(&self, elapsed: Nanos) -> Instant {
        self.start + Duration::from(elapsed)
    }

    /// How far the time of day has moved beyond the run's own time since the start, in nanoseconds: while the computer
    /// sleeps, none passes for the run.
    pub fn stepped(&self) -> i64 {
        let told = SignedDuration::try_from(Duration::from(self.elapsed())).unwrap_or_default();
        let step = Self::time_of_day_now().duration_since(self.time_of_day) - told;
        i64::try_from(step.as_nanos()).unwrap_or(i64::MAX)
    }

    /// The time of day at the run's start.
    pub const fn time_of_day(&self) -> Timestamp {
        self.time_of_day
    }
}
