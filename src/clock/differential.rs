//! The differential vector clock: a vector clock whose messages carry what has changed since the last one to that machine.
//!
//! Singhal and Kshemkalyani, "An Efficient Implementation of Vector Clocks", Information Processing Letters 43, 1992,
//! section 3: besides the vector each machine keeps LS, its own entry when it last sent to each of the others, and LU, its
//! own entry when each entry last changed. It is right where messages of one machine to another arrive in order and all
//! of them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::vector::{compare_entries, take_maximum};
use super::{Claim, Clock, Description, Length, Moment, Occurrence, Promise, Setup};
use crate::model::id::VmId;

/// A vector, and what the others have been told of it. A stamp is pairs of a machine and its entry.
#[derive(Clone, Debug)]
pub(crate) struct Differential {
    entries: Box<[u64]>,
    /// LU: the own entry when each of them changed.
    changed_at: Box<[u64]>,
    /// LS: the own entry at the latest message to each machine that there was one to.
    sent_at: BTreeMap<VmId, u64>,
    own: usize,
}

impl Differential {
    fn own_entry(&self) -> u64 {
        self.entries.get(self.own).copied().unwrap_or(0)
    }

    fn count(&mut self) {
        if let (Some(own), Some(changed)) =
            (self.entries.get_mut(self.own), self.changed_at.get_mut(self.own))
        {
            *own = own.saturating_add(1);
            *changed = *own;
        }
    }
}

fn pairs(stamp: &[u64]) -> impl Iterator<Item = (usize, u64)> {
    let pairs = stamp.chunks_exact(2);
    pairs.filter_map(|pair| Some((usize::try_from(pair[0]).ok()?, pair[1])))
}

impl Clock for Differential {
    const DESCRIPTION: Description = Description {
        name: "differential",
        title: "differential vector clock",
        rule: "a vector clock; a message carries the entries that have changed since the last one to that machine",
        source: "Singhal, Kshemkalyani 1992",
        promise: Promise::Strong,
        length: Length::Machines,
        needs_order: true,
        is_for_recipient: true,
        ..Description::PLAIN
    };

    /// A machine that goes on from its value does not know what it has told whom: it tells each all again.
    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let mut entries = vec![0; setup.vms as usize].into_boxed_slice();
        take_maximum(&mut entries, last.unwrap_or_default());
        let changed_at = entries.iter().map(|entry| u64::from(*entry > 0)).collect();
        Self { entries, changed_at, sent_at: BTreeMap::new(), own: setup.own.index() }
    }

    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count();
    }

    /// The receive is counted first: what it changes has not been told with anything that was sent before.
    fn receive(&mut self, _sender: VmId, stamp: &[u64], _now: Moment) {
        self.count();
        let now = self.own_entry();
        for (machine, entry) in pairs(stamp).filter(|(machine, _)| *machine != self.own) {
            if let (Some(own), Some(changed)) =
                (self.entries.get_mut(machine), self.changed_at.get_mut(machine))
                && *own < entry
            {
                (*own, *changed) = (entry, now);
            }
        }
    }

    fn value(&self) -> &[u64] {
        &self.entries
    }

    fn stamp_for(&mut self, to: VmId, out: &mut Vec<u64>) {
        let now = self.own_entry();
        let told = self.sent_at.insert(to, now).unwrap_or(0);
        let all = (0..).zip(self.entries.iter().zip(&self.changed_at));
        let changed = all.filter(|(_, (_, changed))| told < **changed);
        changed.for_each(|(machine, (entry, _))| out.extend([machine, *entry]));
    }

    fn stamp_of(value: &[u64]) -> Cow<'_, [u64]> {
        let known = (0..).zip(value).filter(|(_, entry)| **entry > 0);
        Cow::Owned(known.flat_map(|(machine, entry)| [machine, *entry]).collect())
    }

    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        compare_entries(first, second)
    }

    /// The sender's own entry is always in it, and is the number of the event.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        stamp.len().is_multiple_of(2)
            && pairs(stamp).any(|pair| pair == (claim.sender.index(), claim.event))
            && pairs(stamp).all(|(_, entry)| entry <= claim.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Nanos;

    const NOW: Moment = Moment { event: 1, elapsed: Nanos::ZERO };

    fn start(own: u32) -> Differential {
        Differential::start(&Setup { own: VmId(own), vms: 4, skew: 0, parameters: &[] }, None)
    }

    fn send(from: &mut Differential, to: u32) -> Vec<u64> {
        let mut stamp = Vec::new();
        from.advance(Occurrence::Send, NOW);
        from.stamp_for(VmId(to), &mut stamp);
        stamp
    }

    #[test]
    fn a_message_carries_what_has_changed_since_the_last_one_there() {
        let (mut a, mut b) = (start(0), start(1));
        b.receive(VmId(3), &[3, 1], NOW);
        assert_eq!(b.value(), [0, 1, 0, 1]);
        let first = send(&mut b, 0);
        assert_eq!(first, [1, 2, 3, 1]);
        a.receive(VmId(1), &first, NOW);
        b.receive(VmId(2), &[2, 1], NOW);
        let second = send(&mut b, 0);
        assert_eq!(second, [1, 4, 2, 1], "machine 3's entry is known there");
        a.receive(VmId(1), &second, NOW);
        assert_eq!(a.value(), [2, 4, 1, 1]);
        assert_eq!(send(&mut b, 2), [1, 5, 2, 1, 3, 1], "to another machine, all");
        assert_eq!(send(&mut b, 0), [1, 6]);
    }

    /// Without order the changes of the first message are missing where the second one arrives.
    #[test]
    fn a_message_that_overtakes_lacks_the_others_changes() {
        let (mut a, mut b) = (start(0), start(1));
        b.receive(VmId(3), &[3, 1], NOW);
        let (_late, second) = (send(&mut b, 0), send(&mut b, 0));
        a.receive(VmId(1), &second, NOW);
        assert_eq!(a.value(), [1, 3, 0, 0], "and b's past has machine 3's first event");
    }

    #[test]
    fn who_goes_on_from_the_value_tells_all_again() {
        let setup = Setup { own: VmId(1), vms: 4, skew: 0, parameters: &[] };
        let mut again = Differential::start(&setup, Some(&[0, 5, 2, 0]));
        assert_eq!(send(&mut again, 0), [1, 6, 2, 2]);
        assert_eq!(Differential::stamp_of(&[0, 6, 2, 0])[..], [1, 6, 2, 2]);
        let claim = Claim { sender: VmId(1), event: 6, total: 9 };
        assert!(Differential::allows(&[1, 6, 2, 2], &claim));
        assert!(
            [&[1, 5][..], &[1, 6, 2], &[2, 6], &[1, 6, 2, 10]]
                .iter()
                .all(|stamp| !Differential::allows(stamp, &claim))
        );
    }
}
