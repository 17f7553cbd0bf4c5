//! Clocks as the log shows them, held against those that a replay gives.
//!
//! After a wrong value, both that value and the right one are kept, and what follows from either is accepted:
//! so a cell that is wrong alone is one fault, and so is a clock that runs wrong from there on.

use crate::clock::HybridStamp;
use crate::model::time::Nanos;

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

/// What follows where the physical clock is known.
pub(super) fn next_hybrid(before: HybridStamp, cause: Option<HybridStamp>, physical: Nanos) -> HybridStamp {
    before.max(cause.unwrap_or_default()).after(physical)
}

/// What follows where the physical clock is not known: it may show anything.
pub(super) fn next_hybrid_by_itself(
    before: HybridStamp,
    cause: Option<HybridStamp>,
    found: HybridStamp,
) -> HybridStamp {
    next_hybrid(before, cause, if found.c == 0 { found.l } else { Nanos::ZERO })
}

/// A vector as the log shows it, and the right one where that is another.
#[derive(Clone, Debug, Default)]
pub(super) struct ShownVector {
    pub(super) logged: Vec<u64>,
    right: Option<Box<[u64]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongEntry {
    pub(super) index: usize,
    pub(super) found: u64,
    pub(super) expected: u64,
}

impl ShownVector {
    /// Takes a value for right.
    pub(super) fn adopt(&mut self, found: &[u64]) {
        self.logged.clear();
        self.logged.extend_from_slice(found);
        self.right = None;
    }

    /// Judges a vector of the right length by the one before it and the one that came with a message. The own
    /// entry is the event's number. Tells the first wrong entry.
    pub(super) fn judge(
        &mut self,
        cause: Option<&Self>,
        found: &[u64],
        own: usize,
        event: u64,
    ) -> Option<WrongEntry> {
        if self.logged.is_empty() {
            self.logged.resize(found.len(), 0);
        }
        let before = self.right.as_deref().unwrap_or(&self.logged);
        let of_cause = cause.map_or(&[][..], |cause| cause.right.as_deref().unwrap_or(&cause.logged));
        let Some(wrong) = first_wrong(before, of_cause, found, own, event) else {
            self.adopt(found);
            return None;
        };
        let others = [Some(&self.logged[..]), self.right.as_deref()];
        let causes = [cause.map(|cause| &cause.logged[..]), cause.and_then(|cause| cause.right.as_deref())];
        let follows = others.into_iter().flatten().any(|before| {
            let of_causes = causes.into_iter().flatten().chain(cause.is_none().then_some(&[][..]));
            of_causes.into_iter().any(|cause| first_wrong(before, cause, found, own, event).is_none())
        });
        if follows {
            self.adopt(found);
            return None;
        }
        let right = (0..found.len()).map(|index| expected(before, of_cause, index, own, event)).collect();
        self.adopt(found);
        self.right = Some(right);
        Some(wrong)
    }
}

fn expected(before: &[u64], cause: &[u64], index: usize, own: usize, event: u64) -> u64 {
    if index == own {
        return event;
    }
    let entry = |vector: &[u64]| vector.get(index).copied().unwrap_or(0);
    entry(before).max(entry(cause))
}

fn first_wrong(before: &[u64], cause: &[u64], found: &[u64], own: usize, event: u64) -> Option<WrongEntry> {
    found.iter().enumerate().find_map(|(index, &found)| {
        let expected = expected(before, cause, index, own, event);
        (found != expected).then_some(WrongEntry { index, found, expected })
    })
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

    #[test]
    fn a_wrong_entry_is_named_and_what_follows_from_either_is_right() {
        let mut shown = ShownVector::default();
        assert_eq!(shown.judge(None, &[1, 0, 0], 0, 1), None);
        let cause = ShownVector { logged: vec![0, 4, 2], right: None };
        let wrong = shown.judge(Some(&cause), &[2, 4, 3], 0, 2);
        assert_eq!(wrong, Some(WrongEntry { index: 2, found: 3, expected: 2 }));
        let mut by_either = shown.clone();
        assert_eq!(by_either.judge(None, &[3, 4, 2], 0, 3), None);
        assert_eq!(shown.judge(None, &[3, 4, 3], 0, 3), None);
    }
}
