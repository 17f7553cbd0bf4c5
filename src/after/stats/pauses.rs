//! The time for which a machine was away, since its process had died and was resumed, or since it was down.
//!
//! A machine that is resumed goes on with its next event at the tick that is due then, one that comes up at the first
//! that is due from there on. The ticks between never happen, so that the number of an event is less than that of its
//! tick.

use std::collections::VecDeque;

use crate::edge::log::Row;
use crate::model::pace::Pace;
use crate::model::time::{Nanos, TimeWindow};

/// The pauses of one machine up to a row.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// When it goes on, in pauses to come.
    resumes: VecDeque<Nanos>,
    /// When it comes up, after crashes that are not over.
    ups: VecDeque<Nanos>,
    pub(super) count: u64,
    /// From the last event before each to the first after it.
    pub(super) time: Nanos,
    /// Ticks that did not happen.
    pub(super) missed: u64,
}

impl Pauses {
    pub(super) fn new(resumes: &[Nanos], down: &[TimeWindow]) -> Self {
        let ups = down.iter().map(|window| window.end()).collect();
        Self { resumes: resumes.iter().copied().collect(), ups, ..Self::default() }
    }

    /// Goes on to a row; `last` is when the one before it happened.
    #[inline]
    pub(super) fn until(&mut self, row: &Row, last: Nanos, mut pace: Option<&mut Pace>) {
        let is_over = |end: &mut Nanos| *end <= row.elapsed;
        let resumes = std::iter::from_fn(|| self.resumes.pop_front_if(is_over)).count();
        let up = std::iter::from_fn(|| self.ups.pop_front_if(is_over)).last();
        if resumes == 0 && up.is_none() {
            return;
        }
        if row.event > 1 {
            self.count += 1;
            self.time = self.time.plus(row.elapsed.minus(last));
        }
        if resumes > 0
            && let Some(pace) = &mut pace
        {
            let tick = pace.schedule().ticks_until(row.elapsed);
            self.missed = self.missed.max(tick.saturating_sub(row.event.saturating_add(pace.skipped())));
            pace.go_on(tick, row.elapsed);
        }
        if let (Some(up), Some(pace)) = (up, pace)
            && pace.due() < up
        {
            pace.pass(up);
            self.missed =
                self.missed.max(pace.next().saturating_sub(row.event.saturating_add(pace.skipped())));
        }
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
        let mut pauses = Pauses::new(&[1, 2].map(Nanos::from_secs), &[]);
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
    fn a_machine_that_comes_up_goes_on_with_the_first_tick_that_is_due_then() {
        let mut pace = Pace::new(Schedule::new(Rate::new(10).unwrap(), Nanos::new(50_000_000)), Late::Burst);
        let mut pauses = Pauses::new(&[], &["150ms-1050ms".parse().unwrap(), "2s-3s".parse().unwrap()]);
        let mut last = Nanos::ZERO;
        // The second tick is due when it goes down, the eleventh when it comes up.
        for (event, millis, missed) in [(1, 50, 0), (2, 1052, 9), (3, 1150, 9), (4, 3051, 27)] {
            let row = row(event, millis);
            pauses.until(&row, last, Some(&mut pace));
            pace.jump(event + pauses.missed);
            let made = pace.made(row.elapsed);
            assert!(made.late() < Nanos::new(3_000_000), "event {event} was due at {}", made.due);
            last = row.elapsed;
            assert_eq!(pauses.missed, missed, "event {event}");
        }
        assert_eq!((pauses.count, pauses.time), (2, Nanos::new(2_903_000_000)));
    }

    #[test]
    fn a_process_that_died_before_its_first_event_makes_no_pause() {
        let mut pauses = Pauses::new(&[Nanos::from_secs(1)], &[]);
        pauses.until(&row(1, 1500), Nanos::ZERO, None);
        assert_eq!((pauses.count, pauses.time), (0, Nanos::ZERO));
    }
}
