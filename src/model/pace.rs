//! The pace of a machine in real time: which tick it makes next, when that is due, and what becomes of ticks whose
//! time has passed. In virtual time no tick is ever late.
//!
//! The k-th tick is due at `phase + (k-1)/r` ([`Schedule`]). One that is made more than [`GRACE`] after it was due
//! is late, and the setting [`Late`] decides how it goes on from there, as timers elsewhere do (tokio calls it
//! `MissedTickBehavior`, and has the same grace). All of it follows from the times at which ticks were made, which
//! are in the log: whoever reads a log finds the due time of every event by the same rule.

mod lateness;
mod punctuality;

pub use lateness::Lateness;
pub use punctuality::{Punctuality, warnings};

use crate::model::text::words;
use crate::model::time::{Nanos, Schedule};

words! {
    /// What late ticks do.
    pub enum Late {
        /// Each is made as soon as it can be, one right after the other; none is left out, and those that are not
        /// late are due when they always were.
        Burst = "burst",
        /// The late tick is made, those whose time has passed by then are left out, and the next is the first that
        /// is due after it. A tick that is left out keeps its number: there is no event of it.
        Skip = "skip",
        /// The late tick is made, and all that follow are due later by as much as it was late.
        Delay = "delay",
    }
}

/// How much later than due a tick may be made and is not late: the timers of a live run count milliseconds.
pub const GRACE: Nanos = Nanos::new(5_000_000);

/// A tick that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// When it was due.
    pub due: Nanos,
    /// When it was made.
    pub at: Nanos,
    /// When its machine's tick before it was made, or the machine's beginning.
    pub before: Nanos,
}

impl Made {
    /// How much later than due.
    pub const fn late(&self) -> Nanos {
        self.at.minus(self.due)
    }
}

/// The ticks of one machine, from the one that it makes next.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    schedule: Schedule,
    late: Late,
    /// The number of the next tick, from 1.
    next: u64,
    /// How much later than on its schedule it is due.
    delay: Nanos,
    /// Ticks that were left out, since their time had passed.
    skipped: u64,
    /// When the latest tick was made.
    before: Nanos,
}

impl Pace {
    /// The pace of a machine before its first tick.
    pub const fn new(schedule: Schedule, late: Late) -> Self {
        Self { schedule, late, next: 1, delay: Nanos::ZERO, skipped: 0, before: Nanos::ZERO }
    }

    /// The schedule that it goes by.
    pub const fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// When the next tick is due.
    pub fn due(&self) -> Nanos {
        self.schedule.due(self.next).plus(self.delay)
    }

    /// The number of the next tick.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Ticks that were left out so far, since their time had passed.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How much later than on its schedule the next tick is due.
    pub const fn delay(&self) -> Nanos {
        self.delay
    }

    /// The machine begins then, or goes on: its next tick is the first that its schedule has after that.
    pub fn begin(&mut self, from: Nanos) {
        self.go_on(self.schedule.ticks_until(from) + 1, from);
    }

    /// The machine goes on with the tick of that number. Delays died with its process.
    pub const fn go_on(&mut self, number: u64, from: Nanos) {
        (self.next, self.delay, self.before) = (number, Nanos::ZERO, from);
    }

    /// The machine was down until then: ticks that were due before are not made.
    pub fn pass(&mut self, up: Nanos) {
        if self.due() < up {
            self.go_on(self.schedule.ticks_before(up).saturating_add(1), up);
        }
    }

    /// The next tick is that of this number: some have no row that can be read.
    pub const fn jump(&mut self, number: u64) {
        self.next = number;
    }

    /// The next tick is made then.
    pub fn made(&mut self, at: Nanos) -> Made {
        let made = Made { due: self.due(), at, before: self.before };
        self.next += 1;
        self.before = at;
        if made.late() > GRACE {
            match self.late {
                // The schedule goes on as it was: the next tick may be late already, and is made at once.
                Late::Burst => {}
                Late::Skip => {
                    let next = self.next.max(self.schedule.ticks_until(at) + 1);
                    debug_assert!(next >= self.next, "a tick is made twice");
                    self.skipped += next - self.next;
                    self.next = next;
                }
                Late::Delay => self.delay = self.delay.plus(made.late()),
            }
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::time::Rate;

    fn pace(late: Late) -> Pace {
        Pace::new(Schedule::new(Rate::new(10).unwrap(), Nanos::new(100_000_000)), late)
    }

    fn millis(millis: u64) -> Nanos {
        Nanos::new(millis * 1_000_000)
    }

    /// Makes ticks at those times, as far as one is due then, and tells when each was due.
    fn dues(late: Late, at: &[u64]) -> Vec<u64> {
        let mut pace = pace(late);
        at.iter().map(|at| pace.made(millis(*at)).due.get() / 1_000_000).collect()
    }

    #[test]
    fn a_late_tick_is_followed_by_a_burst_the_next_on_the_schedule_or_a_period() {
        // The third is 250 ms late.
        assert_eq!(dues(Late::Burst, &[100, 200, 550, 550, 550, 600]), [100, 200, 300, 400, 500, 600]);
        assert_eq!(dues(Late::Skip, &[100, 200, 550, 600, 700]), [100, 200, 300, 600, 700]);
        assert_eq!(dues(Late::Delay, &[100, 200, 550, 650, 750]), [100, 200, 300, 650, 750]);
    }

    #[test]
    fn within_the_grace_a_tick_is_not_late() {
        for late in [Late::Burst, Late::Skip, Late::Delay] {
            assert_eq!(dues(late, &[105, 204, 300]), [100, 200, 300]);
        }
        let mut fast = Pace::new(Schedule::new(Rate::new(1000).unwrap(), millis(1)), Late::Skip);
        assert_eq!([4, 4, 4].map(|at| fast.made(millis(at)).due), [1, 2, 3].map(millis), "timers are coarse");
        assert_eq!(fast.skipped(), 0);
    }

    #[test]
    fn what_is_left_out_and_delayed_is_counted() {
        let mut skipping = pace(Late::Skip);
        skipping.made(millis(100));
        assert_eq!(
            skipping.made(millis(600)),
            Made { due: millis(200), at: millis(600), before: millis(100) }
        );
        assert_eq!(
            (skipping.skipped(), skipping.due()),
            (4, millis(700)),
            "one that is due right then is past"
        );
        let mut delaying = pace(Late::Delay);
        delaying.made(millis(350));
        assert_eq!((delaying.delay(), delaying.due()), (millis(250), millis(450)));
        delaying.begin(millis(1000));
        assert_eq!((delaying.delay(), delaying.due()), (Nanos::ZERO, millis(1100)));
    }

    proptest! {
        #[test]
        fn no_tick_is_made_twice_or_before_its_time(
            rate in 1u32..5000,
            stalls in proptest::collection::vec(0u64..300_000_000, 1..60),
        ) {
            let schedule = Schedule::new(Rate::new(rate).unwrap(), Nanos::new(7));
            for late in [Late::Burst, Late::Skip, Late::Delay] {
                let mut pace = Pace::new(schedule, late);
                let (mut now, mut before, mut events) = (Nanos::ZERO, None, 0u64);
                for stall in &stalls {
                    now = now.max(pace.due()).plus(Nanos::new(*stall));
                    let made = pace.made(now);
                    events += 1;
                    prop_assert!(made.due <= now && before < Some(made.due));
                    prop_assert!(schedule.due(events) <= made.due, "no event comes before the tick of its number");
                    if late == Late::Skip && made.late() > GRACE {
                        prop_assert!(pace.due() > now && pace.due() <= now.plus(schedule.rate().period()).plus(Nanos::new(1)));
                    }
                    if late == Late::Delay && made.late() > GRACE {
                        let after = pace.due().minus(now).get();
                        prop_assert!(after.abs_diff(schedule.rate().period().get()) <= 1);
                    }
                    before = Some(made.due);
                }
                prop_assert_eq!(events + pace.skipped() + 1, pace.next);
            }
        }
    }
}
