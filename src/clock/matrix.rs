//! The matrix clock: what each machine knows that each machine knows.
//!
//! Wuu and Bernstein, "Efficient Solutions to the Replicated Log and Dictionary Problems", PODC 1984, section 3: the table T
//! of "how up to date each node is", with T_i(k, u) for what node i knows that node k knows of the events of node u.

use std::cmp::Ordering;

use super::{Claim, Clock, Description, Form, Length, Moment, Occurrence, Promise, Setup, Wire};
use crate::model::id::VmId;

/// A matrix clock. Row k is the vector of machine k, as far as the machine has heard of it; the own row is its own vector.
/// The smallest entry of column u is the last event of machine u that all machines are known to have heard of: what is
/// up to there nobody has to be told again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matrix {
    entries: Box<[u64]>,
    own: VmId,
    vms: u32,
}

impl Matrix {
    fn count(&mut self) {
        let (own, vms) = (self.own.index(), self.vms as usize);
        if let Some(own) = self.entries.get_mut(own * vms + own) {
            *own = own.saturating_add(1);
        }
    }

    /// The receive rule of the paper: the own row takes the maximum with the sender's, and each row with the same one there.
    fn hear_of(&mut self, sender: usize, stamp: &[u64]) {
        if stamp.len() != self.entries.len() {
            return;
        }
        take_maximum(&mut self.entries, stamp);
        let vms = self.vms as usize;
        let row = |machine: usize| machine * vms..(machine + 1) * vms;
        let own = row(self.own.index());
        if let (Some(own), Some(news)) = (self.entries.get_mut(own), stamp.get(row(sender))) {
            take_maximum(own, news);
        }
    }
}

fn take_maximum(entries: &mut [u64], others: &[u64]) {
    entries.iter_mut().zip(others).for_each(|(entry, other)| *entry = (*entry).max(*other));
}

impl Clock for Matrix {
    const DESCRIPTION: Description = Description {
        name: "matrix",
        title: "matrix clock",
        rule: "what each knows that each knows; the smallest of a column is what all know",
        source: "Wuu, Bernstein 1984",
        promise: Promise::Strong,
        length: Length::Pairs,
        form: Form::Square,
        wire: Wire::Changes,
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let vms = setup.vms as usize;
        let mut entries = vec![0; vms * vms].into_boxed_slice();
        take_maximum(&mut entries, last.unwrap_or_default());
        Self { entries, own: setup.own, vms: setup.vms }
    }

    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count();
    }

    fn receive(&mut self, sender: VmId, stamp: &[u64], _now: Moment) {
        self.hear_of(sender.index(), stamp);
        self.count();
    }

    fn value(&self) -> &[u64] {
        &self.entries
    }

    /// Entry by entry. No entry ever shrinks along a path of events, and the own one of an event grows with it: so an event
    /// that happened before has a smaller matrix. One that did not has an own entry that the other has not heard of.
    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        if first.len() != second.len() {
            return None;
        }
        first.iter().zip(second).try_fold(Ordering::Equal, |so_far, (first, second)| {
            match (so_far, first.cmp(second)) {
                (so_far, Ordering::Equal) => Some(so_far),
                (Ordering::Equal, here) => Some(here),
                (so_far, here) => (so_far == here).then_some(so_far),
            }
        })
    }

    /// The own entry of the own row is the number of the event.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        let (vms, own) = (stamp.len().isqrt(), claim.sender.index());
        own < vms && stamp.get(own * vms + own) == Some(&claim.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Nanos;

    const NOW: Moment = Moment { event: 1, elapsed: Nanos::ZERO };

    fn start(own: u32) -> Matrix {
        Matrix::start(&Setup { own: VmId(own), vms: 3, skew: 0, parameters: &[] }, None)
    }

    /// The last event of each machine that all are known to have heard of.
    fn known_by_all(matrix: &Matrix) -> Vec<u64> {
        let row = |machine: usize| &matrix.entries[machine * 3..][..3];
        (0..3).map(|column| (0..3).map(|machine| row(machine)[column]).min().unwrap()).collect()
    }

    #[test]
    fn a_matrix_knows_what_others_know() {
        let (mut a, mut b, mut c) = (start(0), start(1), start(2));
        a.advance(Occurrence::Send, NOW);
        assert_eq!(a.value(), [1, 0, 0, 0, 0, 0, 0, 0, 0]);
        b.receive(VmId(0), a.value(), NOW);
        assert_eq!(b.value(), [1, 0, 0, 1, 1, 0, 0, 0, 0], "b knows of a's event, and that a does");
        b.advance(Occurrence::Send, NOW);
        c.receive(VmId(1), b.value(), NOW);
        assert_eq!(c.value(), [1, 0, 0, 1, 2, 0, 1, 2, 1]);
        assert_eq!(known_by_all(&c), [1, 0, 0], "all know of a's first event, and c knows that");
        assert_eq!(known_by_all(&b), [0, 0, 0], "b does not know yet that c does");
        assert_eq!(Matrix::compare(a.value(), c.value()), Some(Ordering::Less));
        a.advance(Occurrence::Internal, NOW);
        assert_eq!(Matrix::compare(a.value(), c.value()), None, "c has not heard of a's second event");
    }

    #[test]
    fn the_own_row_is_the_vector() {
        let setup = Setup { own: VmId(1), vms: 3, skew: 0, parameters: &[] };
        let mut vector = super::super::vector::Vector::start(&setup, None);
        let (mut a, mut b) = (start(0), start(1));
        for _ in 0..4 {
            a.advance(Occurrence::Send, NOW);
            b.receive(VmId(0), a.value(), NOW);
            vector.receive(VmId(0), &a.value()[..3], NOW);
            a.receive(VmId(1), b.value(), NOW);
        }
        assert_eq!(&b.value()[3..6], vector.value());
        assert!(known_by_all(&b).iter().zip(vector.value()).all(|(all, own)| all <= own));
    }
}
