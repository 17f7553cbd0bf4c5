//! The values of a machine's clocks after an event: as the machine has them, and as a log keeps them.

use serde::{Deserialize, Serialize};

use super::{AnyClock, ClockList, ClockSpec};

/// The values of clocks that were written down, in the order of a list; empty where one is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Values {
    list: ClockList,
    values: Vec<Vec<u64>>,
}

impl Values {
    /// No values of those clocks.
    pub fn none(list: ClockList) -> Self {
        let values = vec![Vec::new(); list.len()];
        Self { list, values }
    }

    /// Values of those clocks, in their order.
    pub fn new(list: ClockList, values: Vec<Vec<u64>>) -> Self {
        debug_assert_eq!(list.len(), values.len(), "a value for each clock");
        Self { list, values }
    }

    /// The clocks.
    pub const fn list(&self) -> &ClockList {
        &self.list
    }

    /// The value of a clock by its place in the list; empty where it is not kept.
    pub fn at(&self, index: usize) -> &[u64] {
        self.values.get(index).map_or(&[], Vec::as_slice)
    }

    /// The value of a clock; none where it is not kept.
    pub fn of(&self, spec: ClockSpec) -> Option<&[u64]> {
        let index = self.list.iter().position(|other| *other == spec)?;
        Some(self.at(index)).filter(|value| !value.is_empty())
    }

    /// Each clock that is kept, with its value.
    pub fn kept(&self) -> impl Iterator<Item = (ClockSpec, &[u64])> {
        let all = self.list.iter().zip(&self.values);
        all.filter(|(_, value)| !value.is_empty()).map(|(spec, value)| (*spec, value.as_slice()))
    }

    /// Of each machine the number of its last event that happened before or is the event itself, as a clock tells
    /// that is made to; empty where no such clock is kept.
    pub fn past(&self) -> &[u64] {
        let past = self.list.iter().position(|spec| spec.tells_past);
        past.map_or(&[], |index| self.at(index))
    }

    /// The place for what [`past`](Self::past) tells, where there is one.
    pub fn past_mut(&mut self) -> Option<&mut Vec<u64>> {
        let past = self.list.iter().position(|spec| spec.tells_past)?;
        self.values.get_mut(past)
    }

    /// The places of the values, to be written anew.
    pub(crate) fn places(&mut self) -> &mut [Vec<u64>] {
        &mut self.values
    }

    /// Takes over others' values, of the same clocks.
    pub(crate) fn copy(&mut self, others: &Self) {
        if self.list == others.list {
            self.values.iter_mut().zip(&others.values).for_each(|(own, other)| own.clone_from(other));
        } else {
            self.clone_from(others);
        }
    }

    /// The same values in the order of another list; empty for clocks that there are none of.
    #[must_use]
    pub fn ordered_as(&self, list: &ClockList) -> Self {
        let value = |spec: &ClockSpec| self.of(*spec).map(<[u64]>::to_vec).unwrap_or_default();
        Self { list: list.clone(), values: list.iter().map(value).collect() }
    }
}

/// No values of the standard clocks.
impl Default for Values {
    fn default() -> Self {
        Self::none(ClockList::standard())
    }
}

/// The values of a machine's clocks after an event.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The Lamport clock.
    pub lamport: u64,
    others: Others<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Others<'a> {
    OfMachine(&'a [AnyClock], &'a [ClockSpec]),
    Written(&'a Values),
}

impl<'a> Reading<'a> {
    /// A Lamport clock alone.
    pub const fn lamport_only(lamport: u64) -> Self {
        Self::of_machine(lamport, &[], &[])
    }

    /// What was written down.
    pub const fn written(lamport: u64, values: &'a Values) -> Self {
        Self { lamport, others: Others::Written(values) }
    }

    pub(super) const fn of_machine(lamport: u64, clocks: &'a [AnyClock], list: &'a [ClockSpec]) -> Self {
        Self { lamport, others: Others::OfMachine(clocks, list) }
    }

    /// The value of a clock by its place in the run's list; empty where it is not kept.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u64] {
        match self.others {
            Others::OfMachine(clocks, _) => clocks.get(index).map_or(&[], AnyClock::value),
            Others::Written(values) => values.at(index),
        }
    }

    fn len(&self) -> usize {
        match self.others {
            Others::OfMachine(clocks, _) => clocks.len(),
            Others::Written(values) => values.list.len(),
        }
    }

    fn list(&self) -> &'a [ClockSpec] {
        match self.others {
            Others::OfMachine(_, list) => list,
            Others::Written(values) => &values.list,
        }
    }

    /// The value of the clock of that name, as `--clocks` has it; empty where it is not kept.
    pub fn of(&self, name: &str) -> &'a [u64] {
        let index = self.list().iter().position(|spec| spec.name == name);
        index.map_or(&[], |index| self.at(index))
    }

    /// Of each machine the number of its last event that happened before or is the event itself, as a clock tells that
    /// is made to; empty where no such clock is kept.
    pub fn past(&self) -> &'a [u64] {
        let index = self.list().iter().position(|spec| spec.tells_past);
        index.map_or(&[], |index| self.at(index))
    }
}

impl Eq for Reading<'_> {}

impl PartialEq for Reading<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.lamport == other.lamport
            && (0..self.len().max(other.len())).all(|index| self.at(index) == other.at(index))
    }
}
