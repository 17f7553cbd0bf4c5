//! The rules for a machine that is down for a while: it makes no event then, and what had arrived is lost.

use super::{CheckedMachine, Checker, Seconds, Stamp};
use crate::after::check::fault::FaultKind;
use crate::after::history::{Delivery, Step};
use crate::edge::log::{Column, Row};
use crate::model::time::Nanos;

impl CheckedMachine {
    /// When the event of a row is due, if the machine is not down then.
    pub(super) fn due(&self, row: &Row) -> Option<Nanos> {
        let uptime = self.uptime.as_ref().filter(|uptime| uptime.down_at(row.elapsed).is_none())?;
        // Events that should not be are none of its ticks: those after them are judged as without them.
        Some(uptime.due(row.event.saturating_sub(self.while_down)))
    }

    /// Whether the machine was down before this row, and came up after the row before.
    pub(super) fn came_up(&self, row: &Row) -> bool {
        self.uptime.as_ref().is_some_and(|uptime| uptime.came_up_between(self.elapsed, row.elapsed))
    }
}

impl Checker<'_> {
    pub(super) fn check_outage(&mut self, step: &Step<'_>, delivery: &Delivery<'_, Stamp>) {
        let row = step.row;
        let Some(uptime) = self.machines[step.machine].uptime.as_ref() else { return };
        if let Some(window) = uptime.down_at(row.elapsed) {
            self.machines[step.machine].while_down += 1;
            let expected = format!(
                "no event from {} up to {window_end}, as machine {} is down then",
                Seconds(window.start()),
                row.vm,
                window_end = Seconds(window.end())
            );
            self.add(step, FaultKind::Crash, Column::Elapsed, Seconds(row.elapsed), expected);
            return;
        }
        // How late a message arrived at most is known where its latency is all that it takes.
        let (Some(up), Some(most)) = (uptime.came_up(row.elapsed), self.model.most_latency()) else { return };
        if let (Delivery::Delivered { stamp, .. }, Some(message)) = (delivery, row.message)
            && stamp.elapsed.plus(most) < up
        {
            let expected = format!(
                "a message that arrived at {} or later, when its machine came up: this one was sent at {} ({}) and lost with \
                 what had arrived",
                Seconds(up),
                Seconds(stamp.elapsed),
                self.place(stamp.place)
            );
            self.add(step, FaultKind::Crash, Column::Message, message, expected);
        }
    }
}
