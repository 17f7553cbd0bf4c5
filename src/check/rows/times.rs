//! The rules for a row's times.

use jiff::Timestamp;

use super::{Before, Checker, Seconds};
use crate::check::fault::FaultKind;
use crate::history::Step;
use crate::log::Column;

impl Checker<'_> {
    pub(super) fn check_times(&mut self, step: &Step<'_>, before: Before) {
        let is_one_clock = self.model.is_one_clock();
        let machine = self.machine(step);
        let row = step.row;
        let (last, schedule, start, last_time) =
            (machine.elapsed, machine.schedule, machine.start, machine.system_time);
        // Its tick has that number or a higher one, where some were left out, and is due then or later.
        let due = machine.live.map(|schedule| schedule.due(row.event)).filter(|due| row.elapsed < *due);
        let is_exact = schedule
            .is_none_or(|schedule| before == Before::Unknown || schedule.due(row.event) == row.elapsed);
        if let Some(schedule) = schedule.filter(|_| !is_exact) {
            let expected =
                format!("{}, when the event is due in virtual time", Seconds(schedule.due(row.event)));
            self.add(step, FaultKind::Time, Column::Elapsed, Seconds(row.elapsed), expected);
        } else if let Some(due) = due {
            let expected = format!("{} or later, when the tick of that number is due", Seconds(due));
            self.add(step, FaultKind::Time, Column::Elapsed, Seconds(row.elapsed), expected);
        } else if row.elapsed < last {
            let expected = format!("{} or later, as in its machine's row before", Seconds(last));
            self.add(step, FaultKind::Time, Column::Elapsed, Seconds(row.elapsed), expected);
        }
        let Some(time) = row.system_time else {
            if step.has(Column::SystemTime) && last_time.is_some() {
                self.add(
                    step,
                    FaultKind::TimeOfDay,
                    Column::SystemTime,
                    "",
                    "a time of day, as in its machine's row before",
                );
            }
            return;
        };
        self.machines[step.machine].system_time = Some(time);
        let since = i64::try_from(row.elapsed.get() / 1000).unwrap_or(i64::MAX);
        let began = time.as_microsecond().saturating_sub(since);
        let Some(start) = start else {
            self.machines[step.machine].start = Some(began);
            return;
        };
        // Both are cut to whole microseconds.
        if began.abs_diff(start) <= 2 {
            return;
        }
        if is_one_clock {
            let right = Timestamp::from_microsecond(start.saturating_add(since)).unwrap_or(Timestamp::MAX);
            let expected = format!("{right:.6}, the run's start and the time since then");
            self.add(step, FaultKind::TimeOfDay, Column::SystemTime, format_args!("{time:.6}"), expected);
        } else if let Some(last) = last_time.filter(|last| time < *last) {
            let expected = format!("{last:.6} or later, as in its machine's row before");
            self.add(step, FaultKind::TimeOfDay, Column::SystemTime, format_args!("{time:.6}"), expected);
        }
    }
}
