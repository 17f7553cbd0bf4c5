//! The vector clock: an entry for every machine, whose order is happened-before itself.
//!
//! Fidge, "Timestamps in Message-Passing Systems That Preserve the Partial Ordering", 1988; Mattern,
//! "Virtual Time and Global States of Distributed Systems", 1989.

use std::cmp::Ordering;

use super::{Claim, Clock, Description, Length, Moment, Occurrence, Promise, Setup, Wire};
use crate::model::id::VmId;

/// A vector clock. Every event adds one to the machine's own entry, which is therefore the number of
/// the event; every other entry is the number of that machine's last event in the causal past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vector {
    entries: Box<[u64]>,
    own: VmId,
}

impl Vector {
    fn count(&mut self) {
        if let Some(own) = self.entries.get_mut(self.own.index()) {
            *own = own.saturating_add(1);
        }
    }
}

impl Clock for Vector {
    const DESCRIPTION: Description = Description {
        name: "vector",
        title: "vector clock",
        rule: "the entry-wise maximum, and the own entry counts the own events",
        source: "Fidge 1988, Mattern 1989",
        promise: Promise::Strong,
        length: Length::Machines,
        wire: Wire::Changes,
        is_standard: true,
        tells_past: true,
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let mut entries = vec![0; setup.vms as usize].into_boxed_slice();
        take_maximum(&mut entries, last.unwrap_or_default());
        Self { entries, own: setup.own }
    }

    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count();
    }

    fn receive(&mut self, _sender: VmId, stamp: &[u64], _now: Moment) {
        // The receive counts as an event of its own (Fidge 1988, Mattern 1989), so that the own entry is its number.
        take_maximum(&mut self.entries, stamp);
        self.count();
    }

    fn value(&self) -> &[u64] {
        &self.entries
    }

    /// Smaller where no entry is larger and one is smaller, and none where the two are concurrent.
    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        compare_entries(first, second)
    }

    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        stamp.get(claim.sender.index()) == Some(&claim.event)
    }
}

/// Takes the entry-wise maximum; entries that only one side has stay as they are.
pub(super) fn take_maximum(entries: &mut [u64], others: &[u64]) {
    for (entry, other) in entries.iter_mut().zip(others) {
        *entry = (*entry).max(*other);
    }
}

/// The entry-wise order: smaller where no entry is larger and one is smaller. Entries that are not there are 0.
pub(super) fn compare_entries(first: &[u64], second: &[u64]) -> Option<Ordering> {
    let entry = |entries: &[u64], i: usize| entries.get(i).copied().unwrap_or(0);
    (0..first.len().max(second.len())).try_fold(Ordering::Equal, |so_far, i| {
        match (so_far, entry(first, i).cmp(&entry(second, i))) {
            (so_far, Ordering::Equal) => Some(so_far),
            (Ordering::Equal, here) => Some(here),
            (so_far, here) => (so_far == here).then_some(so_far),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::time::Nanos;

    const NOW: Moment = Moment { event: 1, elapsed: Nanos::ZERO };

    fn vector(own: u32, vms: u32) -> Vector {
        Vector::start(&Setup { own: VmId(own), vms, skew: 0, parameters: &[] }, None)
    }

    fn stamps() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(0u64..6, 4)
    }

    /// The value of a clock that was at the first and heard of the second, before it counts.
    fn merge(a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut merged = a.to_vec();
        take_maximum(&mut merged, b);
        merged
    }

    fn at_most(a: &[u64], b: &[u64]) -> bool {
        matches!(compare_entries(a, b), Some(Ordering::Less | Ordering::Equal))
    }

    #[test]
    fn a_receive_takes_the_maximum_and_counts_itself() {
        let mut clock = vector(1, 3);
        clock.advance(Occurrence::Internal, NOW);
        clock.receive(VmId(0), &[4, 0, 2], NOW);
        assert_eq!(clock.value(), [4, 2, 2]);
    }

    #[test]
    fn stamps_of_other_lengths_do_no_harm() {
        let mut clock = vector(0, 2);
        clock.receive(VmId(1), &[1, 2, 3], NOW);
        clock.receive(VmId(1), &[], NOW);
        assert_eq!(clock.value(), [3, 2]);
        assert_eq!(compare_entries(&[1], &[1, 1]), Some(Ordering::Less));
    }

    proptest! {
        #[test]
        fn merge_is_the_least_upper_bound(a in stamps(), b in stamps(), c in stamps()) {
            let merged = merge(&a, &b);
            prop_assert_eq!(&merged, &merge(&b, &a));
            prop_assert!(at_most(&a, &merged) && at_most(&b, &merged));
            prop_assert!(!(at_most(&a, &c) && at_most(&b, &c)) || at_most(&merged, &c));
            prop_assert_eq!(merge(&merged, &c), merge(&a, &merge(&b, &c)));
        }

        #[test]
        fn the_order_is_a_partial_order(a in stamps(), b in stamps(), c in stamps()) {
            prop_assert!(at_most(&a, &a));
            prop_assert!(!(at_most(&a, &b) && at_most(&b, &a)) || a == b);
            prop_assert!(!(at_most(&a, &b) && at_most(&b, &c)) || at_most(&a, &c));
            prop_assert_eq!(compare_entries(&a, &b), compare_entries(&b, &a).map(Ordering::reverse));
        }
    }
}
