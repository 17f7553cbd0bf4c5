//! The time for which a machine was away, since its process had died and was resumed.
//!
//! A machine that is resumed goes on with its next event at the tick that is due then. The ticks between never
//! happen, so that from there on the number of an event is less than that of its tick.

use std::collections::VecDeque;

use crate::edge::log::Row;
use crate::model::pace::Pace;
use crate::model::time::Nanos;

/// The pauses of one machine up to a row.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// When it goes on, in pauses to come.
    resumes: VecDeque<Nanos>,
    pub(super) count: u64,
    /// From the last event before each to the first after it.
    pub(super) time: Nanos,
    /// Ticks that did not happen.
    pub(super) missed: u64,
}

impl Pauses {
    pub(super) fn new(resumes: &[Nanos]) -> Self {
        Self { resumes: resumes.iter().copied().collect(), ..Self::default() }
    }

    /// Goes on to a row; `last` is when the one before it happened.
    #[inline]
    pub(super) fn until(&mut self, row: &Row, last: Nanos, pace: Option<&mut Pace>) {
        if self.resumes.front().is_some_and(|resume| *resume <= row.elapsed) {
            self.resumed(row, last, pace);
        }
    }

    fn resumed(&mut self, row: &Row, last: Nanos, pace: Option<&mut Pace>) {
        while self.resumes.pop_front_if(|resume| *resume <= row.elapsed).is_some() {}
        if row.event > 1 {
            self.count += 1;
            self.time = self.time.plus(row.elapsed.minus(last));
        }
        let Some(pace) = pace else { return };
        let tick = pace.schedule().ticks_until(row.elapsed);
        self.missed = self.missed.max(tick.saturating_sub(row.event.saturating_add(pace.skipped())));
        pace.go_on(tick, row.elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pace::Late;
    use crate::model::time::{Rate, Schedule};

    fn row(event: u64, millis: u64) -> Row {
        Row { event, elapsed: Nanos::new(millis * 1_000_000), ..Row::default() }
    }

    #[test]
    fn events_after_a_pause_are_those_of_later_ticks() {
        let mut pace = Pace::new(Schedule::new(Rate::new(10).unwrap(), Nanos::new(50_000_000)), Late::Burst);
        let mut pauses = Pauses::new(&[1, 2].map(Nanos::from_secs));
        let mut last = Nanos::ZERO;
        // Two ticks before it is away, one between two pauses at once, and all from 2.05 s on.
        for (event, millis, missed) in [(1, 50, 0), (2, 151, 0), (3, 1151, 9), (4, 2052, 17), (5, 2150, 17)] {
            let row = row(event, millis);
            pauses.until(&row, last, Some(&mut pace));
            last = row.elapsed;
            assert_eq!(pauses.missed, missed, "event {event}");
        }
        assert_eq!((pauses.count, pauses.time), (2, Nanos::new(1_901_000_000)));
    }

    #[test]
    fn a_process_that_died_before_its_first_event_makes_no_pause() {
        let mut pauses = Pauses::new(&[Nanos::from_secs(1)]);
        pauses.until(&row(1, 1500), Nanos::ZERO, None);
        assert_eq!((pauses.count, pauses.time), (0, Nanos::ZERO));
    }
}
