//! The rules for a row's times.

use jiff::{SignedDuration, Timestamp};

use super::{Before, Checker, Seconds};
use crate::check::fault::FaultKind;
use crate::history::Step;
use crate::log::Column;
use crate::time::Nanos;

impl Checker<'_> {
    pub(super) fn check_times(&mut self, step: &Step<'_>, before: Before) {
        let is_one_clock = self.model.is_one_clock();
        let machine = self.machine(step);
        let row = step.row;
        let (last, schedule, start, last_time) =
            (machine.elapsed, machine.schedule, machine.start, machine.system_time);
        let is_exact = schedule
            .is_none_or(|schedule| before == Before::Unknown || schedule.due(row.event) == row.elapsed);
        if let Some(schedule) = schedule.filter(|_| !is_exact) {
            let expected =
                format!("{}, when the event is due in virtual time", Seconds(schedule.due(row.event)));
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
        let began = before_by(time, row.elapsed);
        let Some(start) = start else {
            self.machines[step.machine].start = began;
            return;
        };
        let off = began.map_or(i128::MAX, |began| began.as_nanosecond() - start.as_nanosecond());
        // Both are cut to whole microseconds.
        if off.abs() <= 2_000 {
            return;
        }
        if is_one_clock {
            let expected = format!(
                "{:.6}, the run's start and the time since then",
                start + SignedDuration::from_nanos(row.elapsed.get().cast_signed())
            );
            self.add(step, FaultKind::TimeOfDay, Column::SystemTime, format_args!("{time:.6}"), expected);
        } else if let Some(last) = last_time.filter(|last| time < *last) {
            let expected = format!("{last:.6} or later, as in its machine's row before");
            self.add(step, FaultKind::TimeOfDay, Column::SystemTime, format_args!("{time:.6}"), expected);
        }
    }
}

/// The time of day that long before.
fn before_by(time: Timestamp, elapsed: Nanos) -> Option<Timestamp> {
    time.checked_sub(SignedDuration::from_nanos(i64::try_from(elapsed.get()).ok()?)).ok()
}
