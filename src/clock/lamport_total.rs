//! Lamport's clock with the machine as the tie-break: all events in one order that agrees with happened-before.
//!
//! Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 21(7), 1978, the section "Ordering the
//! Events Totally": a ⇒ b where C(a) < C(b), or C(a) = C(b) and a's process comes before b's.

use std::cmp::Ordering;

use super::{Claim, Clock, Description, Lamport, Length, Moment, Occurrence, Promise, Setup};
use crate::model::id::VmId;

/// A counter by Lamport's rules, and the machine that it is of.
///
/// Both stand in the value, `[counter,machine]`: who compares two values needs to know nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LamportTotal {
    value: [u64; 2],
}

impl LamportTotal {
    fn count_from(&mut self, heard: u64) {
        let mut counter = Lamport::at(self.value[0]);
        counter.hear_of(heard);
        self.value[0] = counter.number();
    }
}

impl Clock for LamportTotal {
    const DESCRIPTION: Description = Description {
        name: "lamport-total",
        title: "total Lamport clock",
        rule: "a Lamport clock's counter, and of equal ones the machine with the smaller number first",
        source: "Lamport 1978",
        promise: Promise::Total,
        length: Length::Words(2),
        is_linear: true,
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let counter = last.and_then(<[u64]>::first).copied().unwrap_or(0);
        Self { value: [counter, setup.own.0.into()] }
    }

    /// IR1.
    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count_from(0);
    }

    /// IR2. The sender's number breaks ties and nothing else.
    fn receive(&mut self, _sender: VmId, stamp: &[u64], _now: Moment) {
        self.count_from(stamp.first().copied().unwrap_or(0));
    }

    fn value(&self) -> &[u64] {
        &self.value
    }

    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        Some(first.cmp(second))
    }

    /// The counter is the length of a path of events, and the machine the one that sent it.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        matches!(stamp, [counter, machine] if *counter <= claim.total && *machine == u64::from(claim.sender.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Nanos;

    #[test]
    fn of_equal_counters_the_smaller_machine_comes_first() {
        let now = Moment { event: 1, elapsed: Nanos::ZERO };
        let start =
            |own| LamportTotal::start(&Setup { own: VmId(own), vms: 3, skew: 0, parameters: &[] }, None);
        let (mut first, mut second) = (start(0), start(2));
        first.advance(Occurrence::Internal, now);
        second.advance(Occurrence::Send, now);
        assert_eq!((first.value(), second.value()), (&[1, 0][..], &[1, 2][..]));
        assert_eq!(LamportTotal::compare(first.value(), second.value()), Some(Ordering::Less));
        first.receive(VmId(2), second.value(), now);
        assert_eq!(first.value(), [2, 0]);
        assert_eq!(LamportTotal::compare(first.value(), second.value()), Some(Ordering::Greater));
    }
}
