//! The rules for a row's times.

use jiff::Timestamp;

use super::{Before, Checker, Seconds, Times};
use crate::after::check::clocks::Shown;
use crate::after::check::fault::FaultKind;
use crate::after::history::Step;
use crate::edge::log::Column;

/// How much a time of day may gain or lose from one row to the next against the time since the start, where
/// nobody knows what clocks made them, in microseconds: clocks are set right, and by less.
const LARGEST_STEP: u64 = 60_000_000;

impl Checker<'_> {
    pub(super) fn check_times(&mut self, step: &Step<'_>, before: Before) {
        let machine = self.machine(step);
        let row = step.row;
        let last = machine.elapsed;
        let wrong_time = match (machine.times, machine.due(row)) {
            (Times::Exact, Some(due)) if before == Before::Known && row.elapsed != due => {
                Some(format!("{}, when the event is due in virtual time", Seconds(due)))
            }
            // Its tick has that number or a higher one, where some were left out, and is due then or later.
            (Times::Late, Some(due)) if row.elapsed < due => {
                Some(format!("{} or later, when the tick of that number is due", Seconds(due)))
            }
            _ => None,
        };
        if let Some(expected) = wrong_time {
            self.add(step, FaultKind::Time, Column::Elapsed, Seconds(row.elapsed), expected);
        } else if row.elapsed < last {
            let expected = format!("{} or later, as in its machine's row before", Seconds(last));
            self.add(step, FaultKind::Time, Column::Elapsed, Seconds(row.elapsed), expected);
        }
        match row.system_time {
            Some(time) => self.check_time_of_day(step, time),
            None if step.has(Column::SystemTime) && self.machines[step.machine].has_time_of_day => {
                let expected = "a time of day, as in its machine's row before";
                self.add(step, FaultKind::TimeOfDay, Column::SystemTime, "", expected);
            }
            None => {}
        }
    }

    /// A time of day is as long after the run's start as the row says. Where clocks are several, or unknown, it may
    /// be off by more and more, but it never runs back.
    fn check_time_of_day(&mut self, step: &Step<'_>, time: Timestamp) {
        let is_one_clock = self.model.is_one_clock();
        let largest = if self.model.is_unknown() { LARGEST_STEP } else { u64::MAX };
        let machine = &mut self.machines[step.machine];
        let micros = |nanos: u64| i64::try_from(nanos / 1000).unwrap_or(i64::MAX);
        let (since, last) = (micros(step.row.elapsed.get()), micros(machine.elapsed.get()));
        let is_first = !std::mem::replace(&mut machine.has_time_of_day, true);
        let began = time.as_microsecond().saturating_sub(since);
        let Some(start) = machine.start.filter(|_| is_one_clock || !is_first) else {
            machine.start = Some(Shown::right(began));
            return;
        };
        let is_back = |start: i64| began.saturating_add(since) < start.saturating_add(last);
        let follows = |start: i64| {
            // Both are cut to whole microseconds.
            if is_one_clock {
                began.abs_diff(start) <= 2
            } else {
                !is_back(start) && began.abs_diff(start) <= largest
            }
        };
        let (shown, wrong) = start.judge(None, began, |start, _| if follows(start) { began } else { start });
        // One clock's start is one.
        machine.start = Some(if is_one_clock { start } else { shown });
        let Some(right) = wrong else { return };
        let at =
            |since: i64| Timestamp::from_microsecond(right.saturating_add(since)).unwrap_or(Timestamp::MAX);
        let expected = if is_one_clock {
            format!("{:.6}, the run's start and the time since then", at(since))
        } else if is_back(right) {
            format!("{:.6} or later, as in its machine's row before", at(last))
        } else {
            format!("about {:.6}, by its machine's row before and the time since then", at(since))
        };
        self.add(step, FaultKind::TimeOfDay, Column::SystemTime, format_args!("{time:.6}"), expected);
    }
}
