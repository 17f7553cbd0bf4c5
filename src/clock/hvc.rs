//! The hybrid vector clock: of each machine the physical time heard of, as long as that is not long ago.
//!
//! Yingchareonthawornchai, Nguyen, Valapil, Kulkarni and Demirbas, "Precision, Recall, and Sensitivity of Monitoring Partially
//! Synchronous Distributed Systems", RV 2016 (first 2015), section 3: entry k is the largest physical time of machine k
//! heard of, and at least the own one less E, which is what all are taken for of which nothing later is known. So only
//! entries within E of the own time are kept and sent.
//!
//! The paper takes for granted that physical clocks are within E of each other and grow with every event. Here both may
//! fail, as `--skew` asks: so the own entry also grows beyond what others have taken it for, and by a nanosecond where
//! the physical clock stands still. Then no order is ever missed, and too small an E shows as false order alone.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Claim, Clock, Description, Length, Moment, Occurrence, Parameter, Promise, Setup};
use crate::model::id::VmId;
use crate::model::time::Nanos;

const MILLISECOND: u64 = 1_000_000;

/// A hybrid vector clock. As numbers it is the floor, which all machines have that are not named; the own machine and
/// its time; and the others with theirs, by number. Times are nanoseconds since the run's start.
#[derive(Clone, Debug)]
pub(crate) struct HybridVector {
    floor: u64,
    /// Times above the floor.
    entries: BTreeMap<u64, u64>,
    own: u64,
    within: u64,
    skew: i64,
    numbers: Vec<u64>,
}

fn floor(numbers: &[u64]) -> u64 {
    numbers.first().copied().unwrap_or(0)
}

fn pairs(numbers: &[u64]) -> impl Iterator<Item = (u64, u64)> + Clone {
    numbers.get(1..).unwrap_or_default().chunks_exact(2).map(|pair| (pair[0], pair[1]))
}

/// The time of a machine, or the floor where it is not named.
fn entry(numbers: &[u64], machine: u64) -> u64 {
    let named = pairs(numbers).find(|(named, _)| *named == machine);
    named.map_or(0, |(_, time)| time).max(floor(numbers))
}

impl HybridVector {
    fn take_maximum(&mut self, numbers: &[u64]) {
        self.floor = self.floor.max(floor(numbers));
        for (machine, time) in pairs(numbers) {
            let own = self.entries.entry(machine).or_default();
            *own = time.max(*own);
        }
    }

    /// The own entry becomes the physical time, or a nanosecond more than anybody takes it for, and all within E of that
    /// are kept.
    fn count(&mut self, now: Moment) {
        let physical = now.elapsed.shifted(self.skew).get();
        let known = self.entries.get(&self.own).copied().unwrap_or(0).max(self.floor);
        let time = physical.max(known.saturating_add(1));
        self.floor = self.floor.max(time.saturating_sub(self.within));
        self.entries.insert(self.own, time);
        let (floor, own) = (self.floor, self.own);
        self.entries.retain(|machine, time| *time > floor || *machine == own);
        self.write();
    }

    fn write(&mut self) {
        let time = self.entries.get(&self.own).copied().unwrap_or(0);
        self.numbers.clear();
        self.numbers.extend([self.floor, self.own, time]);
        let others = self.entries.iter().filter(|(machine, _)| **machine != self.own);
        self.numbers.extend(others.flat_map(|(machine, time)| [*machine, *time]));
    }
}

impl Clock for HybridVector {
    const DESCRIPTION: Description = Description {
        name: "hvc",
        title: "hybrid vector clock",
        rule: "the physical times heard of that are within E milliseconds of the own, and a floor for all others",
        source: "Yingchareonthawornchai et al. 2015",
        promise: Promise::Plausible,
        // Ten years, the longest run.
        parameters: &[Parameter { name: "milliseconds", least: 1, most: 315_360_000_000, default: 500 }],
        length: Length::Any,
        reads_physical: true,
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let within = setup.parameters.first().copied().unwrap_or(1).saturating_mul(MILLISECOND);
        let (own, skew) = (u64::from(setup.own.0), setup.skew);
        let (entries, numbers) = (BTreeMap::from([(own, 0)]), Vec::new());
        let mut clock = Self { floor: 0, entries, own, within, skew, numbers };
        clock.take_maximum(last.unwrap_or_default());
        clock.write();
        clock
    }

    fn advance(&mut self, _occurrence: Occurrence, now: Moment) {
        self.count(now);
    }

    fn receive(&mut self, _sender: VmId, stamp: &[u64], now: Moment) {
        self.take_maximum(stamp);
        self.count(now);
    }

    fn value(&self) -> &[u64] {
        &self.numbers
    }

    /// Entry by entry, as vectors. Machines that neither names are at the floors.
    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        let machines = pairs(first).chain(pairs(second)).map(|(machine, _)| machine);
        let entries = machines.map(|machine| (entry(first, machine), entry(second, machine)));
        let all = std::iter::once((floor(first), floor(second))).chain(entries);
        all.map(|(first, second)| first.cmp(&second)).try_fold(Ordering::Equal, |so_far, here| {
            match (so_far, here) {
                (so_far, Ordering::Equal) => Some(so_far),
                (Ordering::Equal, here) => Some(here),
                (so_far, here) => (so_far == here).then_some(so_far),
            }
        })
    }

    /// The own entry follows from it, and so does the floor: as much as if the physical clock had shown it.
    fn physical_by(value: &[u64]) -> Nanos {
        Nanos::new(value.get(2).copied().unwrap_or(0))
    }

    fn most_words(vms: u32, _events: u64) -> usize {
        (vms as usize).saturating_mul(2).saturating_add(1)
    }

    /// The sender stands first, and all that are named are above the floor.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        stamp.len() % 2 == 1
            && pairs(stamp).next().is_some_and(|(machine, _)| machine == u64::from(claim.sender.0))
            && pairs(stamp).all(|(_, time)| time > floor(stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment { event: 1, elapsed: Nanos::new(milliseconds * MILLISECOND) }
    }

    fn start(own: u32, within: u64, skew: i64) -> HybridVector {
        HybridVector::start(&Setup { own: VmId(own), vms: 3, skew, parameters: &[within] }, None)
    }

    fn shown(clock: &HybridVector) -> Vec<u64> {
        clock.value().iter().map(|number| if *number > 9 { number / MILLISECOND } else { *number }).collect()
    }

    #[test]
    fn what_is_longer_ago_than_that_is_forgotten() {
        let (mut a, mut b, mut c) = (start(0, 10, 0), start(1, 10, 0), start(2, 10, 0));
        a.advance(Occurrence::Send, at(20));
        assert_eq!(shown(&a), [10, 0, 20]);
        b.receive(VmId(0), a.value(), at(25));
        assert_eq!(shown(&b), [15, 1, 25, 0, 20]);
        b.advance(Occurrence::Send, at(31));
        assert_eq!(shown(&b), [21, 1, 31], "machine 0's time is below the floor");
        c.receive(VmId(1), b.value(), at(33));
        assert_eq!(shown(&c), [23, 2, 33, 1, 31]);
        assert_eq!(HybridVector::compare(a.value(), c.value()), Some(Ordering::Less));
        a.advance(Occurrence::Internal, at(34));
        assert_eq!(HybridVector::compare(a.value(), c.value()), None);
        a.advance(Occurrence::Internal, at(50));
        assert_eq!(
            HybridVector::compare(c.value(), a.value()),
            Some(Ordering::Less),
            "ordered, though nothing does"
        );
    }

    #[test]
    fn a_physical_clock_that_is_further_behind_than_that_misses_nothing() {
        let (mut a, mut b) = (start(0, 10, 0), start(1, 10, -30 * 1_000_000));
        a.advance(Occurrence::Send, at(40));
        b.receive(VmId(0), a.value(), at(41));
        assert_eq!(b.value(), [30_000_000, 1, 30_000_001, 0, 40_000_000]);
        assert_eq!(HybridVector::compare(a.value(), b.value()), Some(Ordering::Less));
    }
}
