//! Which of its ticks a machine makes that is down for a while.

use crate::model::time::{Nanos, Schedule, TimeWindow};

/// A machine's ticks, those left out that are due while it is down. Its events are numbered by the ones that it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uptime {
    schedule: Schedule,
    /// When it is down, the earliest first.
    down: Vec<TimeWindow>,
}

impl Uptime {
    /// That of a machine with that schedule that is down in these windows, which come one after the other.
    pub fn new(schedule: Schedule, down: Vec<TimeWindow>) -> Self {
        debug_assert!(
            down.windows(2).all(|pair| pair[0].end() <= pair[1].start()),
            "a machine that is down crashes again"
        );
        Self { schedule, down }
    }

    /// When the tick is due with which it makes the event of that number, counted from 1, where no tick is left out
    /// for another reason.
    pub fn due(&self, event: u64) -> Nanos {
        let mut tick = event;
        for window in &self.down {
            let before = self.schedule.ticks_before(window.start());
            if tick <= before {
                break;
            }
            tick = tick.saturating_add(self.schedule.ticks_before(window.end()) - before);
        }
        self.schedule.due(tick)
    }

    /// How many ticks it makes that are due at or before `end`.
    pub fn ticks_until(&self, end: Nanos) -> u64 {
        let all = self.schedule.ticks_until(end);
        let left_out = |window: &TimeWindow| {
            let last = self.schedule.ticks_before(window.end()).min(all);
            last.saturating_sub(self.schedule.ticks_before(window.start()))
        };
        all - self.down.iter().map(left_out).sum::<u64>()
    }

    /// When it is down, the earliest first.
    pub fn down(&self) -> &[TimeWindow] {
        &self.down
    }

    /// The window in which it is down at that time.
    pub fn down_at(&self, time: Nanos) -> Option<TimeWindow> {
        self.down.iter().copied().find(|window| window.has(time))
    }

    /// When it came up last, at that time or before.
    pub fn came_up(&self, by: Nanos) -> Option<Nanos> {
        self.down.iter().map(|window| window.end()).take_while(|end| *end <= by).last()
    }

    /// Whether it came up later than at one time, and not later than at another.
    pub fn came_up_between(&self, since: Nanos, by: Nanos) -> bool {
        self.came_up(by).is_some_and(|up| since < up)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::time::Rate;

    fn uptime(rate: u32, phase: u64, down: &[&str]) -> Uptime {
        let schedule = Schedule::new(Rate::new(rate).unwrap(), Nanos::new(phase));
        Uptime::new(schedule, down.iter().map(|window| window.parse().unwrap()).collect())
    }

    #[test]
    fn a_tick_due_at_the_start_is_not_made_and_one_due_at_the_end_is() {
        let uptime = uptime(1, 1_000_000_000, &["3s-5s"]);
        assert_eq!([1, 2, 3, 4].map(|event| uptime.due(event)), [1, 2, 5, 6].map(Nanos::from_secs));
        assert_eq!(
            [0, 2, 3, 4, 5, 6].map(|end| uptime.ticks_until(Nanos::from_secs(end))),
            [0, 2, 2, 2, 3, 4]
        );
        assert_eq!(uptime.came_up(Nanos::from_secs(4)), None);
        assert_eq!(uptime.came_up(Nanos::from_secs(5)), Some(Nanos::from_secs(5)));
        let between = |since, by| uptime.came_up_between(Nanos::from_secs(since), Nanos::from_secs(by));
        assert!(between(2, 5) && between(4, 9) && !between(5, 9) && !between(2, 4));
    }

    proptest! {
        #[test]
        fn events_are_the_ticks_of_the_schedule_that_no_window_has(
            rate in 1u32..50, phase in 0u64..1_000_000_000, ends in prop::collection::btree_set(0u64..20_000, 0..8), end in 0u64..25_000,
        ) {
            let ends: Vec<u64> = ends.into_iter().collect();
            let texts: Vec<String> = ends.chunks_exact(2).map(|pair| format!("{}ms-{}ms", pair[0], pair[1])).collect();
            let uptime = uptime(rate, phase, &texts.iter().map(String::as_str).collect::<Vec<_>>());
            let end = Nanos::new(end * 1_000_000);
            let schedule = uptime.schedule;
            let made: Vec<Nanos> = (1..)
                .map(|tick| schedule.due(tick))
                .take_while(|due| *due <= end)
                .filter(|due| uptime.down_at(*due).is_none())
                .collect();
            prop_assert_eq!(uptime.ticks_until(end), made.len() as u64);
            for (event, due) in (1..).zip(made) {
                prop_assert_eq!(uptime.due(event), due);
            }
        }
    }
}
