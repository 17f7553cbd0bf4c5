//! The rules for a row's clocks.

use super::{Before, Checker, Stamp};
use crate::after::check::clocks::{Shown, next_hybrid, next_hybrid_by_itself, next_lamport};
use crate::after::check::fault::FaultKind;
use crate::after::history::Step;
use crate::clock::HybridStamp;
use crate::edge::log::{Column, EventKind};

impl Checker<'_> {
    pub(super) fn check_clocks(&mut self, step: &Step<'_>, before: Before, stamp: Option<&Stamp>) {
        if before == Before::Unknown {
            return self.adopt(step);
        }
        self.check_lamport(step, stamp);
        self.check_vector(step, stamp);
        self.check_hybrid(step, stamp);
    }

    /// Takes the row's clocks for right: there is nothing to hold them against.
    fn adopt(&mut self, step: &Step<'_>) {
        let (machine, row) = (&mut self.machines[step.machine], step.row);
        machine.lamport = Shown::right(row.lamport);
        machine.vector.adopt(&row.vector);
        machine.hybrid = row.hybrid.map(Shown::right);
    }

    fn check_lamport(&mut self, step: &Step<'_>, stamp: Option<&Stamp>) {
        let row = step.row;
        let machine = &mut self.machines[step.machine];
        // Of a message that nobody sent, the stamp that it came with has to do.
        let cause = stamp.map(|stamp| stamp.lamport).or_else(|| row.sender_lamport.map(Shown::right));
        let before = machine.lamport;
        let (shown, wrong) = before.judge(cause, row.lamport, next_lamport);
        machine.lamport = shown;
        if let Some(right) = wrong {
            let own = match row.event {
                1 => "the clock's start at 0".to_owned(),
                _ => format!("{} at line {}", before.logged, machine.line),
            };
            let expected = match (cause, row.message) {
                (Some(cause), Some(message)) => {
                    format!(
                        "{right}, 1 more than the larger of {own} and {} of message {message}",
                        cause.logged
                    )
                }
                _ => format!("{right}, 1 more than {own}"),
            };
            self.add(step, FaultKind::Lamport, Column::Lamport, row.lamport, expected);
        }
    }

    fn check_vector(&mut self, step: &Step<'_>, stamp: Option<&Stamp>) {
        let row = step.row;
        let kept = self.model.scenario().map(|scenario| scenario.clocks().vector);
        let vms = self.model.vms().map(|vms| vms as usize).filter(|_| kept == Some(true));
        let machine = &mut self.machines[step.machine];
        let last = if row.event == 1 { None } else { Some(machine.vector.logged.len()) };
        let length = vms.or(last).or_else(|| (kept == Some(false)).then_some(0)).unwrap_or(row.vector.len());
        if row.vector.len() != length {
            let found = format!("{} entries", row.vector.len());
            self.add(
                step,
                FaultKind::Vector,
                Column::Vector,
                found,
                format!("{length}, one for each machine where vectors are kept"),
            );
            return;
        }
        let is_unknown = row.kind == EventKind::Receive && stamp.is_none();
        if is_unknown || row.vector.is_empty() {
            machine.vector.adopt(&row.vector);
            return;
        }
        let wrong =
            machine.vector.judge(stamp.map(|stamp| &stamp.vector), &row.vector, row.vm.index(), row.event);
        if let Some(wrong) = wrong {
            let (index, line) = (wrong.index, machine.line);
            let why = match row.message {
                _ if index == row.vm.index() => "the number of the event itself".to_owned(),
                Some(message) if row.kind == EventKind::Receive => {
                    format!("the larger one of line {line} and message {message}")
                }
                _ => format!("as at line {line}"),
            };
            let found = format!("{} as entry of machine {index}", wrong.found);
            self.add(step, FaultKind::Vector, Column::Vector, found, format!("{}, {why}", wrong.expected));
        }
    }

    fn check_hybrid(&mut self, step: &Step<'_>, stamp: Option<&Stamp>) {
        let row = step.row;
        let kept = self.model.scenario().map(|scenario| scenario.clocks().hybrid);
        let machine = &mut self.machines[step.machine];
        let keeps = kept.unwrap_or_else(|| {
            if row.event == 1 { row.hybrid } else { machine.hybrid.map(|h| h.logged) }.is_some()
        });
        let Some(found) = row.hybrid.filter(|_| keeps) else {
            if keeps != row.hybrid.is_some() {
                let expected =
                    if keeps { "a hybrid clock" } else { "nothing, as hybrid clocks are not kept" };
                let found = row.hybrid.map(|hybrid| hybrid.to_string()).unwrap_or_default();
                self.add(step, FaultKind::Hybrid, Column::Hlc, found, expected);
            }
            return;
        };
        let is_unknown = row.kind == EventKind::Receive && stamp.and_then(|stamp| stamp.hybrid).is_none();
        if is_unknown {
            machine.hybrid = Some(Shown::right(found));
            return;
        }
        let before = machine.hybrid.unwrap_or_default();
        let cause = stamp.and_then(|stamp| stamp.hybrid);
        let physical = machine.skew.map(|skew| row.elapsed.shifted(skew));
        let found = if row.hlc_is_number {
            let cause = cause.map(|cause| cause.logged);
            with_its_zeros(
                found,
                match physical {
                    Some(physical) => next_hybrid(before.logged, cause, physical),
                    None => next_hybrid_by_itself(before.logged, cause, found),
                },
            )
        } else {
            found
        };
        let (shown, wrong) = before.judge(cause, found, |before, cause| match physical {
            Some(physical) => next_hybrid(before, cause, physical),
            None => next_hybrid_by_itself(before, cause, found),
        });
        let line = machine.line;
        machine.hybrid = Some(shown);
        if let Some(right) = wrong {
            let own = if row.event == 1 {
                "the clock's start".to_owned()
            } else {
                format!("{} at line {line}", before.logged)
            };
            let message = cause
                .zip(row.message)
                .map(|(cause, message)| format!(", {} of message {message}", cause.logged))
                .unwrap_or_default();
            let physical = physical
                .map(|physical| format!(" and a physical clock of {}", physical.get()))
                .unwrap_or_default();
            self.add(
                step,
                FaultKind::Hybrid,
                if found.l == right.l { Column::HlcCount } else { Column::Hlc },
                found,
                format!("{right} after {own}{message}{physical}"),
            );
        }
    }
}

/// A hybrid clock that was taken for a number, `l.c`: zeros at its end may be lost, and are again there where they are
/// expected.
fn with_its_zeros(found: HybridStamp, expected: HybridStamp) -> HybridStamp {
    let mut count = found.c;
    while 0 < count && count < expected.c {
        count = count.saturating_mul(10);
    }
    if found.l == expected.l && count == expected.c { expected } else { found }
}
