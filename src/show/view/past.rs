//! What happened lately: the events of the machines that are shown, and those of them that are told in words.

use std::collections::VecDeque;

use crate::edge::watch::{Seen, Sighting};
use crate::model::time::Nanos;

/// The most events that are remembered.
const EVENTS: usize = 8192;

/// How long they are remembered, at most.
const MEMORY: Nanos = Nanos::from_secs(120);

/// The most sends and receives that are told in words.
const TOLD: usize = 100;

/// Sends and receives that are told in words in a second, at most: nobody reads more.
const TOLD_A_SECOND: u64 = 8;

/// The events of the last minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct ShownPast {
    events: VecDeque<Sighting>,
    told: VecDeque<Sighting>,
    /// When the next one may be told.
    tells_from: Nanos,
}

impl ShownPast {
    /// Adds what was seen up to now.
    pub(super) fn add(&mut self, sightings: Vec<Sighting>, now: Nanos) {
        for sighting in sightings {
            self.tell(&sighting);
            self.events.push_back(sighting);
        }
        let forgotten = now.minus(MEMORY);
        while self.events.len() > EVENTS
            || self.events.front().is_some_and(|oldest| oldest.elapsed < forgotten)
        {
            self.events.pop_front();
        }
    }

    /// All that is remembered, the oldest first.
    pub(super) fn events(&self) -> impl DoubleEndedIterator<Item = &Sighting> {
        self.events.iter()
    }

    /// Sends and receives to tell in words, the latest first.
    pub(super) fn told(&self) -> impl Iterator<Item = &Sighting> {
        self.told.iter().rev()
    }

    /// Tells a send or a receive, unless there are too many. After a quiet second a few may come at once.
    fn tell(&mut self, sighting: &Sighting) {
        if sighting.kind == Seen::Internal || sighting.elapsed < self.tells_from {
            return;
        }
        let allowance = Nanos::from_secs(1);
        let step = Nanos::new(allowance.get() / TOLD_A_SECOND);
        self.tells_from = self.tells_from.max(sighting.elapsed.minus(allowance)).plus(step);
        self.told.push_back(sighting.clone());
        if self.told.len() > TOLD {
            self.told.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::VmId;

    fn receive(millis: u64) -> Sighting {
        let message = crate::model::event::MessageId { sender: VmId(1), event: 1 };
        let elapsed = Nanos::new(millis * 1_000_000);
        let kind = Seen::Receive { message, stamp: 1 };
        Sighting { vm: VmId(0), event: 1, elapsed, before: 0, lamport: 2, kind }
    }

    #[test]
    fn no_more_is_told_than_can_be_read() {
        let mut past = ShownPast::default();
        past.add((0..10_000).map(receive).collect(), Nanos::from_secs(10));
        let told = past.told().count();
        assert!((80..=90).contains(&told), "{told}");
        assert_eq!(past.events().count(), EVENTS);
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let mut past = ShownPast::default();
        past.add(vec![receive(1), receive(5_000)], Nanos::from_secs(5));
        assert_eq!(past.events().count(), 2);
        past.add(Vec::new(), Nanos::from_secs(124));
        assert_eq!(past.events().count(), 1);
    }
}
