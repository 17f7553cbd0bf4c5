//! Clocks as the log shows them, held against those that a replay gives.
//!
//! After a wrong value, both that value and the right one are kept, and what follows from either is accepted:
//! so a cell that is wrong alone is one fault, and so is a clock that runs wrong from there on.

use std::borrow::Cow;

use crate::clock::{AnyClock, ClockSpec, Moment, Occurrence, Setup};
use crate::edge::log::{EventKind, Row};
use crate::model::id::VmId;

/// A value in the log, and the right one where that is another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown<T> {
    pub(super) logged: T,
    right: Option<T>,
}

impl<T: Copy + PartialEq> Shown<T> {
    /// A value that is as it should be.
    pub(super) const fn right(logged: T) -> Self {
        Self { logged, right: None }
    }

    /// Whether it is the value in the log, or the right one.
    pub(super) fn is_either(self, value: T) -> bool {
        self.candidates().any(|candidate| candidate == value)
    }

    fn candidates(self) -> impl Iterator<Item = T> + Clone {
        self.right.into_iter().chain([self.logged])
    }

    /// Judges a value by the one before it in its machine and by the one that came with a message. `next` says
    /// what should follow. Where it is wrong, tells the right one.
    pub(super) fn judge(
        self,
        cause: Option<Self>,
        found: T,
        next: impl Fn(T, Option<T>) -> T,
    ) -> (Self, Option<T>) {
        let causes = || cause.map_or_else(|| vec![None], |cause| cause.candidates().map(Some).collect());
        let right =
            next(self.right.unwrap_or(self.logged), cause.map(|cause| cause.right.unwrap_or(cause.logged)));
        let has_alternatives = self.right.is_some() || cause.is_some_and(|cause| cause.right.is_some());
        let follows = found == right
            || has_alternatives
                && self
                    .candidates()
                    .any(|before| causes().into_iter().any(|cause| next(before, cause) == found));
        if follows {
            (Self::right(found), None)
        } else {
            (Self { logged: found, right: Some(right) }, Some(right))
        }
    }
}

/// One more than the larger one.
pub(super) fn next_lamport(before: u64, cause: Option<u64>) -> u64 {
    before.max(cause.unwrap_or(0)).saturating_add(1)
}

/// One of a machine's clocks as the log shows it.
#[derive(Debug)]
pub(super) struct ShownClock {
    pub(super) spec: ClockSpec,
    /// The clock of a replay, once the machine has shown a value.
    clock: Option<AnyClock>,
    /// What the log shows, where that is something else than what the replay gives.
    wrong: Option<Box<[u64]>>,
    /// The replay's value before the row that is judged.
    before: Vec<u64>,
}

/// What a machine's clock had to go by at a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) row: &'a Row,
    /// How many machines there are, where that is known.
    pub(super) vms: Option<u32>,
    /// How far the machine's physical clock is ahead, where that is known.
    pub(super) skew: Option<i64>,
    /// What came with the message: as the log shows it, and the right value where that is another.
    pub(super) cause: Option<(&'a [u64], Option<&'a [u64]>)>,
}

/// What should have followed.
#[derive(Debug)]
pub(super) struct WrongValue {
    /// The value before, as the log shows it; none at the start.
    pub(super) before: Option<Box<[u64]>>,
    pub(super) expected: Box<[u64]>,
}

impl ShownClock {
    pub(super) const fn new(spec: ClockSpec) -> Self {
        Self { spec, clock: None, wrong: None, before: Vec::new() }
    }

    /// The value in the log after the latest row; none where there was none yet.
    pub(super) fn logged(&self) -> Option<&[u64]> {
        self.wrong.as_deref().or_else(|| self.right())
    }

    /// The value of the replay before the latest row that was judged; empty where there was none.
    pub(super) fn before(&self) -> &[u64] {
        &self.before
    }

    /// The value of the replay.
    pub(super) fn right(&self) -> Option<&[u64]> {
        self.clock.as_ref().map(AnyClock::value)
    }

    /// Whether the log has another value than the replay.
    pub(super) const fn is_wrong(&self) -> bool {
        self.wrong.is_some()
    }

    /// Takes a value for right.
    pub(super) fn adopt(&mut self, value: &[u64], circumstances: &Circumstances<'_>) {
        let setup = self.setup(value, circumstances);
        // Of a value that cannot be there is nothing to go on from.
        let is_whole = self.spec.words(setup.vms).is_none_or(|words| words == value.len());
        self.clock = (is_whole && !value.is_empty()).then(|| self.spec.start(&setup, Some(value)));
        self.wrong = None;
        self.before.clear();
    }

    /// Judges the value of a row. Where it is wrong, tells what should stand there.
    pub(super) fn judge(&mut self, found: &[u64], circumstances: &Circumstances<'_>) -> Option<WrongValue> {
        let setup = self.setup(found, circumstances);
        // Where nothing tells how many machines there are, a clock may not know how it starts.
        if self.clock.is_none() && setup.vms == 0 {
            self.adopt(found, circumstances);
            return None;
        }
        let moment = self.moment(found, circumstances);
        let of_cause = circumstances.cause.map(|(logged, right)| right.unwrap_or(logged));
        let has_alternatives =
            self.wrong.is_some() || circumstances.cause.is_some_and(|(_, right)| right.is_some());
        let (spec, row) = (self.spec, circumstances.row);
        let is_first = self.clock.is_none();
        let clock = self.clock.get_or_insert_with(|| spec.start(&setup, None));
        self.before.clear();
        self.before.extend_from_slice(clock.value());
        step(spec, clock, row, of_cause, moment);
        let expected = clock.value();
        if is_either(found, expected, row) {
            self.wrong = None;
            return None;
        }
        let logged_before = self.wrong.as_deref().unwrap_or(&self.before);
        let follows = |before: &[u64], cause| {
            let mut clock = spec.start(&setup, Some(before).filter(|_| !is_first));
            step(spec, &mut clock, row, cause, moment);
            is_either(found, clock.value(), row)
        };
        let cause_logged = circumstances.cause.map(|(logged, _)| logged);
        let is_right_otherwise = has_alternatives
            && [&self.before[..], logged_before]
                .into_iter()
                .any(|before| [of_cause, cause_logged].into_iter().any(|cause| follows(before, cause)));
        if is_right_otherwise {
            self.adopt(found, circumstances);
            return None;
        }
        let before = (!is_first && row.event > 1).then(|| logged_before.into());
        let expected = expected.into();
        self.wrong = Some(found.into());
        Some(WrongValue { before, expected })
    }

    fn setup(&self, value: &[u64], circumstances: &Circumstances<'_>) -> Setup<'static> {
        let by_value = || self.spec.length.machines(value.len());
        let vms = circumstances.vms.or_else(by_value).unwrap_or(0);
        let skew = circumstances.skew.unwrap_or(0);
        Setup { own: circumstances.row.vm, vms, skew, parameters: &[] }
    }

    /// When the event happened by the machine's physical clock; where that is not known, it may have shown anything
    /// that the value allows.
    fn moment(&self, found: &[u64], circumstances: &Circumstances<'_>) -> Moment {
        let Row { event, elapsed, .. } = *circumstances.row;
        let elapsed = if circumstances.skew.is_some() { elapsed } else { (self.spec.physical_by)(found) };
        Moment { event, elapsed }
    }
}

/// What an event of that row does to a clock, where that came with its message.
fn step(spec: ClockSpec, clock: &mut AnyClock, row: &Row, cause: Option<&[u64]>, moment: Moment) {
    match (row.kind, cause) {
        (EventKind::Send, _) => clock.advance(Occurrence::Send, moment),
        (EventKind::Receive, Some(value)) => {
            let sender = row.message.map_or(VmId(0), |message| message.sender);
            let stamp: Cow<'_, [u64]> = (spec.stamp_of)(value);
            clock.receive(sender, &stamp, moment);
        }
        (EventKind::Receive | EventKind::Internal, _) => clock.advance(Occurrence::Internal, moment),
    }
}

/// Whether it is the value, or was before another program took its numbers for one: zeros at its end may be lost.
fn is_either(found: &[u64], expected: &[u64], row: &Row) -> bool {
    found == expected || row.may_lack_zeros && with_its_zeros(found, expected)
}

fn with_its_zeros(found: &[u64], expected: &[u64]) -> bool {
    let (Some((count, others)), Some((right, same))) = (found.split_last(), expected.split_last()) else {
        return false;
    };
    let mut count = *count;
    while 0 < count && count < *right {
        count = count.saturating_mul(10);
    }
    others == same && !others.is_empty() && count == *right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_cell_alone_is_one_fault_and_so_is_a_clock_that_goes_on_wrong() {
        let faults = |values: &[u64]| {
            let mut shown = Shown::right(0);
            let mut faults = 0;
            for value in values {
                let (next, wrong) = shown.judge(None, *value, next_lamport);
                shown = next;
                faults += usize::from(wrong.is_some());
            }
            faults
        };
        assert_eq!(faults(&[1, 2, 3, 4]), 0);
        assert_eq!(faults(&[1, 9, 3, 4]), 1);
        assert_eq!(faults(&[1, 9, 10, 11]), 1);
        assert_eq!(faults(&[1, 9, 10, 4]), 2);
    }

    /// Judges the values of a machine that receives a message with its second event.
    fn wrong(values: [&[u64]; 3]) -> Vec<Option<Box<[u64]>>> {
        let mut shown = ShownClock::new("vector".parse().unwrap());
        let cause = [0, 4, 2];
        let mut row = Row::default();
        let judge = |(index, value): (usize, &[u64])| {
            row.event = index as u64 + 1;
            row.kind = if index == 1 { EventKind::Receive } else { EventKind::Internal };
            let cause = (index == 1).then_some((&cause[..], None));
            let circumstances = Circumstances { row: &row, vms: Some(3), skew: None, cause };
            shown.judge(value, &circumstances).map(|wrong| wrong.expected)
        };
        values.into_iter().enumerate().map(judge).collect()
    }

    #[test]
    fn what_follows_from_a_wrong_value_or_from_the_right_one_is_right() {
        let expected: Box<[u64]> = [2, 4, 2].into();
        let values = |third: &'static [u64]| wrong([&[1, 0, 0], &[2, 4, 3], third]);
        assert_eq!(values(&[3, 4, 2]), [None, Some(expected.clone()), None]);
        assert_eq!(values(&[3, 4, 3]), [None, Some(expected.clone()), None]);
        assert_eq!(values(&[3, 5, 3])[2], Some([3, 4, 2].into()));
        assert_eq!(wrong([&[1, 0, 0], &[2, 4, 2], &[3, 4, 2]]), [None, None, None]);
    }
}
