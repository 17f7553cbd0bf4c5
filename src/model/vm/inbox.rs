//! The network queue of one machine: arrived messages in the one order that does not depend on
//! threads or processes, and behind them those still on their way.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::store::{Slab, Store};
use crate::model::event::Message;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// Messages by (arrival time, sender, sender's event number), in a list through a [`Store`].
///
/// Most come in this order and go to the end of the list. One that would have to stand before others
/// waits in a heap until it has arrived, so that no place is searched for it now.
///
/// The times at which an inbox is asked never go back.
#[derive(Debug, Default)]
pub struct Inbox {
    first: Slab,
    last: Slab,
    /// The last one that is known to have arrived.
    last_arrived: Slab,
    length: u32,
    /// How many are known to have arrived.
    arrived: u32,
    /// When the last one arrives, where there is one.
    latest: Nanos,
    #[expect(clippy::box_collection, reason = "most machines have none, and all of them are small")]
    out_of_order: Option<Box<BinaryHeap<Later>>>,
}

impl Inbox {
    /// Takes in a message that has arrived, or will have at its time, out of its place.
    #[inline(always)]
    pub fn insert(&mut self, message: &mut Message, store: &mut Store) {
        if self.length == 0 || self.latest < message.arrives || store.order(self.last) <= order(message) {
            self.append(message, store);
        } else {
            self.out_of_order.get_or_insert_default().push(Later(message.take()));
        }
    }

    /// How many messages have arrived by `now`.
    #[inline(always)]
    pub fn waiting(&mut self, now: Nanos, store: &mut Store) -> u32 {
        if self.out_of_order.is_some() {
            self.put_arrived_in_order(now, store);
        }
        if self.arrived < self.length {
            self.look_for_arrived(now, store);
        }
        debug_assert!(self.arrived <= self.length, "{} of {} have arrived", self.arrived, self.length);
        self.arrived
    }

    /// Takes the first message out, for machine `to`, of those that had arrived when
    /// [`waiting`](Self::waiting) was asked last.
    #[inline(always)]
    pub fn take(&mut self, to: VmId, store: &mut Store) -> Option<Message> {
        if self.arrived == 0 {
            return None;
        }
        let (message, next) = store.take(self.first, to);
        self.first = next;
        self.arrived -= 1;
        self.length -= 1;
        Some(message)
    }

    /// Loses the messages of machine `to` that have arrived before a time; tells how many.
    pub(super) fn lose_before(&mut self, time: Nanos, to: VmId, store: &mut Store) -> u64 {
        let Some(last) = time.get().checked_sub(1) else { return 0 };
        let lost = self.waiting(Nanos::new(last), store);
        while self.take(to, store).is_some() {}
        u64::from(lost)
    }

    /// How many messages have not arrived, of those that it had when [`waiting`](Self::waiting) was
    /// asked last.
    pub fn in_flight(&self) -> usize {
        (self.length - self.arrived) as usize + self.out_of_order.as_ref().map_or(0, |heap| heap.len())
    }

    /// Reads a little of its own memory.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        u64::from(self.length) ^ self.latest.get() ^ u64::from(self.out_of_order.is_some())
    }

    /// Reads a little of the first message's memory.
    #[inline]
    pub(super) fn touch_first(&self, store: &Store) -> u64 {
        if self.length == 0 { 0 } else { store.arrives(self.first).get() }
    }

    #[inline(always)]
    fn append(&mut self, message: &mut Message, store: &mut Store) {
        debug_assert!(
            self.length == 0 || store.order(self.last) <= order(message),
            "the list is in the inbox's order: arrival, sender, the sender's event"
        );
        self.latest = message.arrives;
        let place = store.put(message);
        if self.length == 0 {
            self.first = place;
        } else {
            store.link(self.last, place);
        }
        self.last = place;
        self.length += 1;
    }

    /// Goes on from the last one that is known to have arrived.
    fn look_for_arrived(&mut self, now: Nanos, store: &Store) {
        if self.latest <= now {
            (self.last_arrived, self.arrived) = (self.last, self.length);
            return;
        }
        let mut next = self.after(self.last_known(), store);
        // Not all of them have arrived, so the list does not end here.
        while store.arrives(next) <= now {
            self.last_arrived = next;
            self.arrived += 1;
            next = store.next(next);
        }
    }

    /// Moves what has arrived by `now` from the heap to its place in the list.
    #[cold]
    fn put_arrived_in_order(&mut self, now: Nanos, store: &mut Store) {
        while let Some(heap) = &mut self.out_of_order
            && heap.peek().is_some_and(|Later(message)| message.arrives <= now)
            && let Some(Later(mut message)) = heap.pop()
        {
            self.put_in_order(&mut message, store);
        }
    }

    /// Puts a message that has arrived behind all that stand before it. They have arrived as well.
    fn put_in_order(&mut self, message: &mut Message, store: &mut Store) {
        let own = order(message);
        let known = self.last_known();
        let late = known != Slab::NONE && store.order(known) > own;
        let (mut before, mut passed) = (if late { Slab::NONE } else { known }, 0);
        let mut next = self.after(before, store);
        while next != Slab::NONE && store.order(next) <= own {
            (before, next, passed) = (next, store.next(next), passed + 1);
        }
        if next == Slab::NONE {
            self.append(message, store);
        } else {
            self.put_between(before, message, next, store);
        }
        if late {
            self.arrived += 1;
        } else {
            self.arrived += passed + 1;
            self.last_arrived = self.after(before, store);
        }
    }

    fn put_between(&mut self, before: Slab, message: &mut Message, next: Slab, store: &mut Store) {
        debug_assert!(order(message) < store.order(next), "a message is put behind one that comes after it");
        let place = store.put(message);
        store.link(place, next);
        if before == Slab::NONE {
            self.first = place;
        } else {
            store.link(before, place);
        }
        self.length += 1;
    }

    /// The last one that is known to have arrived, where it is still there.
    fn last_known(&self) -> Slab {
        if self.arrived == 0 { Slab::NONE } else { self.last_arrived }
    }

    /// The place after that one, and after none the first.
    fn after(&self, place: Slab, store: &Store) -> Slab {
        if place == Slab::NONE { self.first } else { store.next(place) }
    }
}

fn order(message: &Message) -> (Nanos, VmId, u64) {
    (message.arrives, message.id.sender, message.id.event)
}

/// A message in a heap that gives the earliest first.
#[derive(Debug)]
struct Later(Message);

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&other.0).cmp(&order(&self.0))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        order(&self.0) == order(&other.0)
    }
}

impl Eq for Later {}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Stamp;
    use crate::model::event::MessageId;

    const OWN: VmId = VmId(9);

    fn message(arrives: u64, sender: u32, event: u64) -> Message {
        Message {
            id: MessageId { sender: VmId(sender), event },
            to: OWN,
            arrives: Nanos::new(arrives),
            stamp: Stamp::lamport_only(event),
            payload: None,
        }
    }

    #[test]
    fn what_has_not_arrived_is_neither_counted_nor_taken() {
        let (mut inbox, mut store) = (Inbox::default(), Store::default());
        inbox.insert(&mut message(5, 0, 1), &mut store);
        assert_eq!((inbox.waiting(Nanos::new(4), &mut store), inbox.in_flight()), (0, 1));
        assert_eq!(inbox.take(OWN, &mut store), None);
        assert_eq!((inbox.waiting(Nanos::new(5), &mut store), inbox.in_flight()), (1, 0));
        assert_eq!(inbox.take(OWN, &mut store), Some(message(5, 0, 1)));
        assert_eq!(inbox.take(OWN, &mut store), None);
    }

    proptest! {
        /// Two inboxes in one store against sorted lists, with messages that come early, late, twice
        /// and in any order.
        #[test]
        fn messages_leave_in_the_order_of_arrival_sender_and_event_whatever_way_they_came(
            steps in proptest::collection::vec((
                0usize..2,
                (proptest::collection::vec((0u64..9, 0u32..4, 1u64..5), 0..6), 0u64..4, 0usize..4),
            ), 0..30),
        ) {
            let mut store = Store::default();
            let mut inboxes = [Inbox::default(), Inbox::default()];
            let mut expected = [Vec::new(), Vec::new()];
            let mut now = 0;
            for (which, (keys, gap, takes)) in steps {
                let (inbox, expected) = (&mut inboxes[which], &mut expected[which]);
                for (ahead, sender, event) in keys {
                    let arrives = (now + ahead).saturating_sub(2);
                    inbox.insert(&mut message(arrives, sender, event), &mut store);
                    expected.push((arrives, sender, event));
                }
                expected.sort_unstable();
                now += gap;
                let arrived = expected.iter().filter(|key| key.0 <= now).count();
                prop_assert_eq!(inbox.waiting(Nanos::new(now), &mut store) as usize, arrived);
                prop_assert_eq!(inbox.in_flight(), expected.len() - arrived);
                for key in expected.drain(..takes.min(arrived)) {
                    prop_assert_eq!(inbox.take(OWN, &mut store), Some(message(key.0, key.1, key.2)));
                }
            }
        }
    }
}
