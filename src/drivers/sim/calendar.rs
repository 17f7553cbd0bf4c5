//! The calendar: which machines tick in which window.
//!
//! It is a timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987) with a list beside it for
//! what is further ahead: a tick is put in and taken out in constant time, where a heap would take a logarithm of the
//! number of machines.

use std::collections::BTreeMap;

/// The most slots of a wheel: a second of windows of a microsecond, the shortest that a run in virtual time asks for.
const MOST_SLOTS: usize = 1 << 20;

/// Machines by the window of their next tick, on a wheel of slots.
///
/// Ticks that are further ahead than the wheel is long, those of machines that tick less than once in its time,
/// wait beside it, so a slot never holds machines of two turns. Vectors are kept when they are emptied, so that in the long run nothing is allocated, and a
/// bit a slot finds the next one that is not empty.
#[derive(Debug)]
pub(super) struct Calendar {
    /// As many as a power of two: a window's slot is the low bits of its number.
    slots: Vec<Vec<u32>>,
    /// A bit for each slot that is not empty.
    filled: Vec<u64>,
    /// How many machines are on the wheel.
    machines: usize,
    /// The machines beyond it, by window.
    far: BTreeMap<u64, Vec<u32>>,
    /// No machine is in an earlier window.
    from: u64,
}

impl Calendar {
    /// A calendar for machines whose next tick is seldom more than so many windows ahead.
    pub(super) fn new(horizon: usize) -> Self {
        let slots = (horizon.min(MOST_SLOTS - 2) + 2).next_power_of_two();
        let filled = vec![0; slots.div_ceil(64)];
        Self { slots: vec![Vec::new(); slots], filled, machines: 0, far: BTreeMap::new(), from: 0 }
    }

    /// Notes a machine's next tick, in a window not earlier than any that was taken.
    #[inline]
    pub(super) fn put(&mut self, machine: u32, window: u64) {
        debug_assert!(window >= self.from, "a tick in window {window}, and {} is next", self.from);
        if window - self.from >= self.slots.len() as u64 {
            self.far.entry(window).or_default().push(machine);
            return;
        }
        let slot = self.slot(window);
        self.slots[slot].push(machine);
        self.filled[slot / 64] |= 1 << (slot % 64);
        self.machines += 1;
    }

    /// The next window in which a machine ticks.
    pub(super) fn next(&self) -> Option<u64> {
        let far = self.far.keys().next().copied();
        if self.machines == 0 {
            return far;
        }
        let start = self.slot(self.from);
        let slot = self.filled_from(start).or_else(|| self.filled_from(0))?;
        let ahead = if slot >= start { slot - start } else { slot + self.slots.len() - start };
        debug_assert!(!self.slots[slot].is_empty(), "a bit stands for a slot with machines");
        let near = self.from + ahead as u64;
        Some(far.map_or(near, |far| far.min(near)))
    }

    /// Takes the machines of a window, not later than the next one, out; `into` gives its memory in
    /// exchange.
    pub(super) fn take(&mut self, window: u64, into: &mut Vec<u32>) {
        debug_assert!(window >= self.from, "window {window} was taken, or one after it");
        debug_assert!(self.next().is_none_or(|next| next >= window), "a window with machines is passed over");
        into.clear();
        let slot = self.slot(window);
        std::mem::swap(&mut self.slots[slot], into);
        self.filled[slot / 64] &= !(1 << (slot % 64));
        self.machines -= into.len();
        if let Some(mut far) = self.far.remove(&window) {
            // Put earlier than those on the wheel, they come before them.
            far.append(into);
            *into = far;
        }
        self.from = window + 1;
    }

    fn filled_from(&self, slot: usize) -> Option<usize> {
        let (word, bit) = (slot / 64, slot % 64);
        let first = self.filled[word] & (u64::MAX << bit);
        if first != 0 {
            return Some(word * 64 + first.trailing_zeros() as usize);
        }
        let rest = self.filled[word + 1..].iter().position(|word| *word != 0)?;
        let word = word + 1 + rest;
        Some(word * 64 + self.filled[word].trailing_zeros() as usize)
    }

    fn slot(&self, window: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
        let low = window as usize;
        low & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windows_come_in_order_with_their_machines(
            horizon in 1usize..200, ahead in 1u64..600, steps in proptest::collection::vec(1u64..600, 1..100),
        ) {
            let mut calendar = Calendar::new(horizon);
            let mut expected = BTreeMap::<u64, Vec<u32>>::new();
            let mut into = Vec::new();
            for (machine, step) in (0u32..).zip(&steps).take(8) {
                let window = step % (ahead + 1);
                calendar.put(machine, window);
                expected.entry(window).or_default().push(machine);
            }
            for step in &steps {
                let Some((window, machines)) = expected.pop_first() else { break };
                prop_assert_eq!(calendar.next(), Some(window));
                calendar.take(window, &mut into);
                prop_assert_eq!(&into, &machines);
                for machine in machines {
                    let next = window + 1 + (step + u64::from(machine)) % ahead;
                    calendar.put(machine, next);
                    expected.entry(next).or_default().push(machine);
                }
            }
        }
    }

    #[test]
    fn a_far_horizon_costs_no_more_than_a_near_one() {
        for horizon in [1_000_000, 1_000_000_002, usize::MAX / 2] {
            let mut calendar = Calendar::new(horizon);
            assert_eq!(calendar.slots.len(), MOST_SLOTS);
            let (near, far) = (horizon as u64 / 2, horizon as u64);
            for (machine, window) in [(0, 0), (1, far), (2, near)] {
                calendar.put(machine, window);
            }
            let mut into = Vec::new();
            for (machine, window) in [(0, 0), (2, near), (1, far)] {
                assert_eq!(calendar.next(), Some(window));
                calendar.take(window, &mut into);
                assert_eq!(into, [machine]);
            }
            assert_eq!(calendar.next(), None);
        }
    }

    #[test]
    fn an_empty_calendar_has_no_next_window() {
        let mut calendar = Calendar::new(3);
        assert_eq!(calendar.next(), None);
        calendar.put(7, 2);
        calendar.take(2, &mut Vec::new());
        assert_eq!(calendar.next(), None);
    }
}
