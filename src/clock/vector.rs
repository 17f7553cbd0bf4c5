//! The vector clock: an entry for every machine, whose order is happened-before itself.
//!
//! Fidge, "Timestamps in Message-Passing Systems That Preserve the Partial Ordering", 1988; Mattern,
//! "Virtual Time and Global States of Distributed Systems", 1989.

use std::cmp::Ordering;

use triomphe::ThinArc;

use super::Clock;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// A vector clock. Every event adds one to the machine's own entry, which is therefore the number of
/// the event; every other entry is the number of that machine's last event in the causal past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    entries: Box<[u64]>,
    own: VmId,
}

impl Vector {
    /// The clock of one machine of `vms`, all zeros.
    pub fn new(own: VmId, vms: u32) -> Self {
        Self { entries: vec![0; vms as usize].into(), own }
    }

    /// The clock going on from those entries.
    pub fn at(own: VmId, vms: u32, entries: &[u64]) -> Self {
        let mut clock = Self::new(own, vms);
        take_maximum(&mut clock.entries, entries);
        clock
    }

    /// The entries, one a machine.
    pub fn entries(&self) -> &[u64] {
        &self.entries
    }
}

impl Clock for Vector {
    type Stamp = VectorStamp;

    fn advance(&mut self, _elapsed: Nanos) {
        if let Some(own) = self.entries.get_mut(self.own.index()) {
            *own = own.saturating_add(1);
        }
    }

    fn receive(&mut self, stamp: &VectorStamp, elapsed: Nanos) {
        // The receive counts as an event of its own (Fidge 1988, Mattern 1989), so that the own entry is its number.
        take_maximum(&mut self.entries, stamp.entries());
        self.advance(elapsed);
    }

    fn stamp(&self) -> VectorStamp {
        VectorStamp::new(&*self.entries)
    }
}

/// Takes the entry-wise maximum; entries that only one side has stay as they are.
fn take_maximum(entries: &mut [u64], others: &[u64]) {
    for (entry, other) in entries.iter_mut().zip(others) {
        *entry = (*entry).max(*other);
    }
}

/// A vector clock's value, shared by all recipients of a send.
///
/// It is one pointer wide, since every message has room for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorStamp(ThinArc<(), u64>);

impl VectorStamp {
    /// The stamp with those entries.
    pub fn new(entries: impl AsRef<[u64]>) -> Self {
        Self(ThinArc::from_header_and_slice((), entries.as_ref()))
    }

    /// The entries, one a machine.
    pub fn entries(&self) -> &[u64] {
        &self.0.slice
    }

    /// The entry-wise maximum: the least stamp that both happened before or equal.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let (own, others) = (self.entries(), other.entries());
        let (long, short) = if own.len() < others.len() { (others, own) } else { (own, others) };
        let mut entries = long.to_vec();
        take_maximum(&mut entries, short);
        Self::new(entries)
    }
}

/// The order of happened-before: smaller where no entry is larger and one is smaller, and none where
/// the two are concurrent.
impl PartialOrd for VectorStamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let length = self.entries().len().max(other.entries().len());
        let entry = |stamp: &Self, i: usize| stamp.entries().get(i).copied().unwrap_or(0);
        (0..length).try_fold(Ordering::Equal, |so_far, i| {
            match (so_far, entry(self, i).cmp(&entry(other, i))) {
                (so_far, Ordering::Equal) => Some(so_far),
                (Ordering::Equal, here) => Some(here),
                (so_far, here) => (so_far == here).then_some(so_far),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamps() -> impl Strategy<Value = VectorStamp> {
        proptest::collection::vec(0u64..6, 4).prop_map(VectorStamp::new)
    }

    #[test]
    fn a_receive_takes_the_maximum_and_counts_itself() {
        let mut clock = Vector::new(VmId(1), 3);
        clock.advance(Nanos::ZERO);
        clock.receive(&VectorStamp::new([4, 0, 2]), Nanos::ZERO);
        assert_eq!(clock.entries(), [4, 2, 2]);
    }

    #[test]
    fn stamps_of_other_lengths_do_no_harm() {
        let mut clock = Vector::new(VmId(0), 2);
        clock.receive(&VectorStamp::new([1, 2, 3]), Nanos::ZERO);
        clock.receive(&VectorStamp::new([]), Nanos::ZERO);
        assert_eq!(clock.entries(), [3, 2]);
        assert!(VectorStamp::new([1]) < VectorStamp::new([1, 1]));
        assert_eq!(VectorStamp::new([1]).merge(&VectorStamp::new([0, 5])), VectorStamp::new([1, 5]));
    }

    proptest! {
        #[test]
        fn merge_is_commutative_associative_and_idempotent(a in stamps(), b in stamps(), c in stamps()) {
            prop_assert_eq!(a.merge(&b), b.merge(&a));
            prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
            prop_assert_eq!(a.merge(&a), a);
        }

        #[test]
        fn merge_is_the_least_upper_bound(a in stamps(), b in stamps(), c in stamps()) {
            let merged = a.merge(&b);
            prop_assert!(a <= merged && b <= merged);
            prop_assert!(!(a <= c && b <= c) || merged <= c);
        }

        #[test]
        fn the_order_is_a_partial_order(a in stamps(), b in stamps(), c in stamps()) {
            prop_assert!(a <= a);
            prop_assert!(!(a <= b && b <= a) || a == b);
            prop_assert!(!(a <= b && b <= c) || a <= c);
            prop_assert_eq!(a.partial_cmp(&b), b.partial_cmp(&a).map(Ordering::reverse));
        }
    }
}
