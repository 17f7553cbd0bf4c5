//! The R-entries vector clock: a vector of constant size, whose entries several machines share.
//!
//! Torres-Rojas and Ahamad, "Plausible Clocks: Constant Size Logical Clocks for Distributed Systems", Distributed Computing
//! 12, 1999, section 5.1: site i counts in entry i mod R.

use std::cmp::Ordering;

use super::vector::{compare_entries, take_maximum};
use super::{Claim, Clock, Description, Length, Moment, Occurrence, Parameter, Promise, Setup};
use crate::model::id::VmId;

/// R entries. With as many of them as machines it is a vector clock, and with one it is a Lamport clock.
///
/// Where machines share an entry, it is the length of a path of their events: it still grows from cause to effect, but
/// events that nothing orders may look ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rev {
    entries: Box<[u64]>,
    own: usize,
}

impl Rev {
    fn count(&mut self) {
        if let Some(own) = self.entries.get_mut(self.own) {
            *own = own.saturating_add(1);
        }
    }
}

impl Clock for Rev {
    const DESCRIPTION: Description = Description {
        name: "rev",
        title: "R-entries vector clock",
        rule: "R entries, of which machine i counts in entry i mod R, and the entry-wise maximum",
        source: "Torres-Rojas, Ahamad 1999",
        promise: Promise::Plausible,
        parameters: &[Parameter { name: "entries", least: 1, most: 65_536, default: 5 }],
        length: Length::Parameter(0),
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let count = setup.parameters.first().map_or(1, |count| usize::try_from(*count).unwrap_or(1).max(1));
        let mut entries = vec![0; count].into_boxed_slice();
        take_maximum(&mut entries, last.unwrap_or_default());
        Self { entries, own: setup.own.index() % count }
    }

    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count();
    }

    fn receive(&mut self, _sender: VmId, stamp: &[u64], _now: Moment) {
        take_maximum(&mut self.entries, stamp);
        self.count();
    }

    fn value(&self) -> &[u64] {
        &self.entries
    }

    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        compare_entries(first, second)
    }

    /// The sender's entry has counted its events at least, and no path of events is longer than all of them.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        !stamp.is_empty()
            && stamp.iter().all(|entry| *entry <= claim.total)
            && stamp[claim.sender.index() % stamp.len()] >= claim.event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Nanos;

    const NOW: Moment = Moment { event: 1, elapsed: Nanos::ZERO };

    fn start(own: u32, entries: u64) -> Rev {
        Rev::start(&Setup { own: VmId(own), vms: 4, skew: 0, parameters: &[entries] }, None)
    }

    #[test]
    fn machines_share_entries() {
        let (mut a, mut b, mut c) = (start(0, 2), start(1, 2), start(2, 2));
        a.advance(Occurrence::Send, NOW);
        b.advance(Occurrence::Internal, NOW);
        assert_eq!((a.value(), b.value()), (&[1, 0][..], &[0, 1][..]));
        assert_eq!(Rev::compare(a.value(), b.value()), None);
        c.receive(VmId(0), a.value(), NOW);
        assert_eq!(c.value(), [2, 0], "machine 2 counts where machine 0 does");
        let mut other = start(2, 2);
        [(); 2].iter().for_each(|()| other.advance(Occurrence::Internal, NOW));
        assert_eq!(
            Rev::compare(a.value(), other.value()),
            Some(Ordering::Less),
            "though nothing orders them"
        );
    }

    #[test]
    fn a_stamp_counts_the_senders_events_at_least() {
        let claim = Claim { sender: VmId(3), event: 4, total: 9 };
        assert!(Rev::allows(&[0, 4], &claim) && Rev::allows(&[9, 5], &claim));
        assert!(!Rev::allows(&[9, 3], &claim) && !Rev::allows(&[10, 4], &claim) && !Rev::allows(&[], &claim));
    }
}
