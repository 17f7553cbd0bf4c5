//! What happened before an event, counted from the graph of messages.

use std::fmt;

use crate::model::event::MessageId;
use crate::model::id::VmId;

/// The events before an event and itself: of each machine how many, as far as that is known.
///
/// A judge may not trust the clocks that it judges, nor need them: whoever reads the logs follows the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    last: Vec<u64>,
    /// Whether messages of which nothing is known may have told of more.
    is_vague: bool,
}

impl Past {
    /// The number of the last event of a machine in it; 0 where it has none.
    pub fn last(&self, vm: VmId) -> u64 {
        self.last.get(vm.index()).copied().unwrap_or(0)
    }

    /// Whether an event is in it.
    pub fn has(&self, event: MessageId) -> bool {
        event.event <= self.last(event.sender)
    }

    /// Whether it is certain that an event is not in it.
    pub fn is_without(&self, event: MessageId) -> bool {
        !self.is_vague && !self.has(event)
    }

    /// Whether it is known that there is no more in it.
    pub const fn is_exact(&self) -> bool {
        !self.is_vague
    }

    /// Both together: the smallest cut with both events.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.add(other);
        both
    }

    /// Adds what happened before another event.
    pub(crate) fn add(&mut self, other: &Self) {
        self.add_entries(&other.last);
        self.is_vague |= other.is_vague;
    }

    /// Adds so many events of each machine.
    pub(crate) fn add_entries(&mut self, entries: &[u64]) {
        if self.last.len() < entries.len() {
            self.last.resize(entries.len(), 0);
        }
        self.last.iter_mut().zip(entries).for_each(|(own, other)| *own = (*own).max(*other));
    }

    /// Adds an event alone.
    pub(crate) fn add_event(&mut self, event: MessageId) {
        let index = event.sender.index();
        if self.last.len() <= index {
            self.last.resize(index + 1, 0);
        }
        self.last[index] = self.last[index].max(event.event);
    }

    /// There may be more in it than is known.
    pub(crate) fn blur(&mut self) {
        self.is_vague = true;
    }
}

/// The last event of each machine that has any: `vm0-17, vm2-9`.
impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 12;
        let all = || (0..).map(VmId).zip(&self.last).filter(|(_, event)| **event > 0);
        for (place, (sender, &event)) in all().take(MOST).enumerate() {
            write!(f, "{}{}", if place == 0 { "" } else { ", " }, MessageId { sender, event })?;
        }
        let more = all().count().saturating_sub(MOST);
        if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(vm: u32, event: u64) -> MessageId {
        MessageId { sender: VmId(vm), event }
    }

    #[test]
    fn a_past_grows_by_events_and_by_other_pasts() {
        let (mut first, mut second) = (Past::default(), Past::default());
        first.add_event(event(0, 3));
        second.add_event(event(2, 5));
        let both = first.with(&second);
        assert!(both.has(event(0, 3)) && both.has(event(2, 1)) && !both.has(event(1, 1)));
        assert_eq!(both.to_string(), "vm0-3, vm2-5");
        assert!(first.is_without(event(2, 5)) && !first.is_without(event(0, 2)));
    }

    #[test]
    fn of_a_vague_past_nothing_is_known_not_to_be_in_it() {
        let mut past = Past::default();
        past.add_event(event(0, 3));
        past.blur();
        assert!(past.has(event(0, 1)) && !past.is_without(event(1, 1)) && !past.is_exact());
        assert!(!Past::default().with(&past).is_exact());
    }
}
