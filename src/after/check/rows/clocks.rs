//! The rules for a row's clocks: Lamport's, which every row has, and the others by their own descriptions.

use super::{Before, Checker, Stamp};
use crate::after::check::clocks::{Circumstances, Shown, ShownClock, WrongValue, next_lamport};
use crate::after::check::fault::FaultKind;
use crate::after::history::Step;
use crate::clock::{ClockSpec, Length};
use crate::edge::log::{ClockColumn, Column, EventKind};

impl Checker<'_> {
    pub(super) fn check_clocks(&mut self, step: &Step<'_>, before: Before, stamp: Option<&Stamp>) {
        if before == Before::Unknown {
            return self.adopt(step);
        }
        self.check_lamport(step, stamp);
        for index in 0..self.machines[step.machine].clocks.len() {
            self.check_clock(step, index, stamp);
        }
    }

    /// Takes the row's clocks for right: there is nothing to hold them against.
    fn adopt(&mut self, step: &Step<'_>) {
        let vms = self.model.vms();
        let (machine, row) = (&mut self.machines[step.machine], step.row);
        machine.lamport = Shown::right(row.lamport);
        let circumstances = Circumstances { row, vms, skew: machine.skew, cause: None };
        for (index, shown) in machine.clocks.iter_mut().enumerate() {
            shown.adopt(row.clocks.at(index), &circumstances);
        }
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

    fn check_clock(&mut self, step: &Step<'_>, index: usize, stamp: Option<&Stamp>) {
        let (row, found) = (step.row, step.row.clocks.at(index));
        let (vms, scenario) = (self.model.vms(), self.model.scenario());
        let machine = &mut self.machines[step.machine];
        let shown = &mut machine.clocks[index];
        let spec = shown.spec;
        // Without a manifest, a machine keeps the clocks that its first row shows.
        let is_kept = match scenario {
            Some(scenario) => scenario.clocks().contains(&spec),
            None if row.event == 1 => !found.is_empty(),
            None => shown.logged().is_some(),
        };
        let words = match vms {
            Some(vms) => spec.words(vms),
            None => shown.logged().map(<[u64]>::len).filter(|_| !spec.has_any_length()),
        };
        if let Some(expected) = wrong_length(spec, found, is_kept, words) {
            let text = if found.is_empty() || !is_kept {
                shown_or_nothing(spec, found)
            } else {
                format!("{} entries", found.len())
            };
            return self.add(step, FaultKind::clock(spec), first_column(spec), text, expected);
        }
        if !is_kept {
            return;
        }
        let cause = stamp.and_then(|stamp| stamp.value(spec, &self.lists));
        let circumstances = Circumstances { row, vms, skew: machine.skew, cause };
        if row.kind == EventKind::Receive && cause.is_none() {
            return shown.adopt(found, &circumstances);
        }
        if let Some(wrong) = shown.judge(found, &circumstances) {
            let line = machine.line;
            let column = Column::Clock(ClockColumn::of_difference(spec, found, &wrong.expected));
            let (found, expected) = in_words(spec, &wrong, &circumstances, found, line);
            self.add(step, FaultKind::clock(spec), column, found, expected);
        }
    }

    /// The clocks of a new machine: those of its log's columns, and those that it should have beside them.
    pub(super) fn clocks_of(&self, step: &Step<'_>) -> Vec<ShownClock> {
        let should = self.model.scenario().map(|scenario| scenario.clocks().to_vec()).unwrap_or_default();
        let columns = step.row.clocks.list();
        let lacking = should.into_iter().filter(|spec| !columns.contains(spec));
        columns.iter().copied().chain(lacking).map(ShownClock::new).collect()
    }
}

fn first_column(spec: ClockSpec) -> Column {
    ClockColumn::of(spec).next().map_or(Column::Lamport, Column::Clock)
}

fn shown_or_nothing(spec: ClockSpec, value: &[u64]) -> String {
    if value.is_empty() { String::new() } else { spec.shown(value) }
}

/// What is expected in place of a value that has too many numbers or too few.
fn wrong_length(spec: ClockSpec, found: &[u64], is_kept: bool, words: Option<usize>) -> Option<String> {
    match (found.is_empty(), is_kept) {
        (true, false) => None,
        (false, false) => Some(format!("nothing, as {}s are not kept", spec.title)),
        (true, true) => Some(format!("a {}", spec.title)),
        (false, true) => {
            let words = words.filter(|words| *words != found.len())?;
            let why = match spec.length {
                Length::Machines => format!(", one for each machine where {}s are kept", spec.title),
                Length::Pairs => format!(", one for each two machines where {}s are kept", spec.title),
                _ => format!(" in a {}", spec.title),
            };
            Some(format!("{words}{why}"))
        }
    }
}

/// What was found and what was expected.
fn in_words(
    spec: ClockSpec,
    wrong: &WrongValue,
    circumstances: &Circumstances<'_>,
    found: &[u64],
    line: u64,
) -> (String, String) {
    let row = circumstances.row;
    let entry = found.iter().zip(&wrong.expected).position(|(found, expected)| found != expected);
    if let Some(index) = entry.filter(|_| spec.tells_past) {
        let why = match row.message {
            _ if index == row.vm.index() => "the number of the event itself".to_owned(),
            Some(message) if row.kind == EventKind::Receive => {
                format!("the larger one of line {line} and message {message}")
            }
            _ => format!("as at line {line}"),
        };
        let found = format!("{} as entry of machine {index}", found[index]);
        return (found, format!("{}, {why}", wrong.expected[index]));
    }
    let own = match &wrong.before {
        Some(before) => format!("{} at line {line}", spec.shown(before)),
        None => "the clock's start".to_owned(),
    };
    let cause = circumstances.cause.zip(row.message);
    let message =
        cause.map(|((logged, _), message)| format!(", {} of message {message}", spec.shown(logged)));
    let physical = circumstances
        .skew
        .filter(|_| spec.reads_physical)
        .map(|skew| format!(" and a physical clock of {}", row.elapsed.shifted(skew).get()));
    let more = message.unwrap_or_default() + &physical.unwrap_or_default();
    (spec.shown(found), format!("{} after {own}{more}", spec.shown(&wrong.expected)))
}
