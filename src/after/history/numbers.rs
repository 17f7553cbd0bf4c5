//! Which of a machine's events are here, by their numbers.

/// Numbers from 1 on, as the few unbroken runs of them that logs have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    /// Adds one; false where it is there already.
    #[inline]
    pub fn add(&mut self, number: u64) -> bool {
        match self.0.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => {
                *last = number;
                true
            }
            None => {
                self.0.push((number, number));
                true
            }
            Some(_) => self.insert(number),
        }
    }

    /// The same for one that does not follow the last.
    fn insert(&mut self, number: u64) -> bool {
        // The last run that begins at or before the number is the only one that can have it or be continued by it.
        let after = self.0.partition_point(|(first, _)| *first <= number);
        let joins_next = self.0.get(after).is_some_and(|(first, _)| number.checked_add(1) == Some(*first));
        match after.checked_sub(1).and_then(|at| self.0.get_mut(at)) {
            Some((_, last)) if number <= *last => return false,
            Some((_, last)) if last.checked_add(1) == Some(number) => {
                *last = number;
                if joins_next {
                    let (_, end) = self.0.remove(after);
                    self.0[after - 1].1 = end;
                }
            }
            _ if joins_next => self.0[after].0 = number,
            _ => self.0.insert(after, (number, number)),
        }
        debug_assert!(
            self.0.windows(2).all(|pair| pair[0].1.checked_add(1).is_some_and(|next| next < pair[1].0)),
            "runs are apart, in order, and joined where they meet"
        );
        true
    }

    /// Whether it is there.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).is_some_and(|at| number <= self.0[at].1)
    }

    /// The largest; 0 where there is none.
    pub fn last(&self) -> u64 {
        self.0.last().map_or(0, |(_, last)| *last)
    }

    /// How many there are from one to another, both included.
    pub fn count(&self, from: u64, to: u64) -> u64 {
        let overlap =
            |(first, last): &(u64, u64)| last.min(&to).saturating_add(1).saturating_sub(*first.max(&from));
        self.0.iter().map(overlap).sum()
    }

    /// The first from that one on that is not there.
    pub fn first_missing(&self, from: u64) -> u64 {
        let after = self.0.partition_point(|(first, _)| *first <= from);
        match after.checked_sub(1).map(|at| self.0[at].1) {
            Some(last) if from <= last => last.saturating_add(1),
            _ => from,
        }
    }

    /// The gaps before the largest: the first and the last number of each.
    pub fn holes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let before = std::iter::once(0).chain(self.0.iter().map(|(_, last)| *last));
        before
            .zip(&self.0)
            .map(|(before, (first, _))| (before.saturating_add(1), first.saturating_sub(1)))
            .filter(|(first, last)| first <= last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(added in prop::collection::vec(1u64..40, 0..60), from in 1u64..45, to in 1u64..45) {
            let (mut numbers, mut set) = (Numbers::default(), BTreeSet::new());
            for number in added {
                prop_assert_eq!(numbers.add(number), set.insert(number));
            }
            prop_assert!((0..50).all(|number| numbers.contains(number) == set.contains(&number)));
            prop_assert_eq!(numbers.last(), set.last().copied().unwrap_or(0));
            let count = (from..=to).filter(|number| set.contains(number)).count() as u64;
            prop_assert_eq!(numbers.count(from, to), count);
            prop_assert_eq!(Some(numbers.first_missing(from)), (from..100).find(|number| !set.contains(number)));
            let holes: Vec<u64> = numbers.holes().flat_map(|(first, last)| first..=last).collect();
            let expected: Vec<u64> = (1..numbers.last()).filter(|number| !set.contains(number)).collect();
            prop_assert_eq!(holes, expected);
        }
    }
}
