//! The Bloom clock: the events of the past in a counting Bloom filter.
//!
//! Ramabaja, "The Bloom Clock", 2019, section 3: each event is hashed K times and counted in M cells, and a receive takes
//! the cell-wise maximum first.
//!
//! The paper leaves the hash open. Here hash i of an event is the finalizer of SplitMix64 over the machine with i, and again
//! with the number of the event: both steps are bijections that spread every bit, so no two of a run's events share all
//! of their hashes by construction, and it is specified to the bit in five lines, so that cells are the same for ever and
//! everybody can compute them again.

use std::cmp::Ordering;

use super::vector::{compare_entries, take_maximum};
use super::{Claim, Clock, Description, Length, Moment, Occurrence, Parameter, Promise, Setup};
use crate::model::id::VmId;
use crate::model::seed::scramble;

/// The most hashes of an event: there is room for their numbers beside the machine's.
const MOST_HASHES: u64 = 64;

/// M cells. An event that happened before has no larger cell anywhere; one that did not may look so by chance, the more
/// often the fuller the cells are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bloom {
    cells: Box<[u64]>,
    hashes: u64,
    own: VmId,
}

impl Bloom {
    fn count(&mut self, event: u64) {
        for hash in 0..self.hashes {
            let cell = cell(self.own, event, hash, self.cells.len());
            if let Some(cell) = self.cells.get_mut(cell) {
                *cell = cell.saturating_add(1);
            }
        }
    }
}

/// In which of the cells a hash of an event is counted.
fn cell(vm: VmId, event: u64, hash: u64, cells: usize) -> usize {
    let hash = scramble(scramble(u64::from(vm.0) << 8 | hash) ^ event);
    // The upper bits choose, all cells alike (Lemire, "Fast Random Integer Generation in an Interval", 2019).
    let cell = (u128::from(hash) * cells as u128) >> 64;
    usize::try_from(cell).unwrap_or(0)
}

impl Clock for Bloom {
    const DESCRIPTION: Description = Description {
        name: "bloom",
        title: "Bloom clock",
        rule: "K hashes of each event counted in M cells, and the cell-wise maximum",
        source: "Ramabaja 2019",
        promise: Promise::Plausible,
        parameters: &[
            Parameter { name: "cells", least: 1, most: 65_536, default: 20 },
            Parameter { name: "hashes", least: 1, most: MOST_HASHES, default: 3 },
        ],
        length: Length::Parameter(0),
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let parameter = |place: usize| setup.parameters.get(place).copied().unwrap_or(1).max(1);
        let mut cells = vec![0; usize::try_from(parameter(0)).unwrap_or(1)].into_boxed_slice();
        take_maximum(&mut cells, last.unwrap_or_default());
        Self { cells, hashes: parameter(1), own: setup.own }
    }

    fn advance(&mut self, _occurrence: Occurrence, now: Moment) {
        self.count(now.event);
    }

    fn receive(&mut self, _sender: VmId, stamp: &[u64], now: Moment) {
        take_maximum(&mut self.cells, stamp);
        self.count(now.event);
    }

    fn value(&self) -> &[u64] {
        &self.cells
    }

    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        compare_entries(first, second)
    }

    /// The sender's own events are counted in it, each at least once, and no cell counts a hash that no event has.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        let sum = stamp.iter().copied().fold(0, u64::saturating_add);
        let most = claim.total.saturating_mul(MOST_HASHES);
        sum >= claim.event && stamp.iter().all(|cell| *cell <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Nanos;

    fn moment(event: u64) -> Moment {
        Moment { event, elapsed: Nanos::ZERO }
    }

    fn start(own: u32) -> Bloom {
        Bloom::start(&Setup { own: VmId(own), vms: 4, skew: 0, parameters: &[5, 2] }, None)
    }

    /// Whoever computes a Bloom clock again from a log counts in these cells.
    #[test]
    fn events_are_counted_in_the_same_cells_forever() {
        let cells = |vm, event| [0, 1, 2].map(|hash| cell(VmId(vm), event, hash, 20));
        assert_eq!([cells(0, 1), cells(0, 2), cells(1, 1), cells(99, 5000)], GOLDEN_CELLS);
    }

    const GOLDEN_CELLS: [[usize; 3]; 4] = [[0, 18, 17], [16, 14, 11], [14, 10, 10], [19, 4, 8]];

    #[test]
    fn a_receive_takes_the_maximum_and_counts_itself() {
        let (mut a, mut b) = (start(0), start(1));
        a.advance(Occurrence::Send, moment(1));
        assert_eq!(a.value().iter().sum::<u64>(), 2, "an event is counted twice");
        b.receive(VmId(0), a.value(), moment(1));
        assert_eq!(b.value().iter().sum::<u64>(), 4);
        assert_eq!(Bloom::compare(a.value(), b.value()), Some(Ordering::Less));
    }

    /// All cells are hit alike: of 20,000 hashes each of 20 cells gets 1,000, within five standard deviations.
    #[test]
    fn hashes_spread_over_the_cells() {
        let mut counts = [0_u32; 20];
        for (vm, event) in (0..10).flat_map(|vm| (1..=1000).map(move |event| (vm, event))) {
            [0, 1].iter().for_each(|hash| counts[cell(VmId(vm), event, *hash, 20)] += 1);
        }
        assert!(counts.iter().all(|count| count.abs_diff(1000) < 155), "{counts:?}");
    }
}
