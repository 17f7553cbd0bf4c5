//! The network queue of one machine: arrived messages in the one order that does not depend on
//! threads or processes, and behind them those still on their way.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use crate::event::{Message, MessageId};
use crate::time::Nanos;

/// Messages by (arrival time, sender, sender's event number).
///
/// Most come in this order and go to the end of a queue. One that would have to stand before others
/// waits in a heap until it has arrived, so that nothing is shifted for it now.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    queue: VecDeque<Message>,
    #[expect(clippy::box_collection, reason = "most machines have none, and all of them are small")]
    out_of_order: Option<Box<BinaryHeap<Later>>>,
}

impl Inbox {
    /// Takes in a message that has arrived, or will have at its time.
    #[inline]
    pub fn insert(&mut self, message: Message) {
        if self.queue.back().is_none_or(|last| place(last) <= place(&message)) {
            self.queue.push_back(message);
        } else {
            self.out_of_order.get_or_insert_default().push(Later(message));
        }
    }

    /// Takes the first message that has arrived by `now`.
    #[inline]
    pub fn take(&mut self, now: Nanos) -> Option<Message> {
        self.put_arrived_in_order(now);
        self.queue.pop_front_if(|message| message.arrives <= now)
    }

    /// When the last message in the queue arrives.
    pub fn last_arrival(&self) -> Option<Nanos> {
        self.queue.back().map(|message| message.arrives)
    }

    /// How many messages have arrived by `now`.
    #[inline]
    pub fn waiting(&mut self, now: Nanos) -> usize {
        self.put_arrived_in_order(now);
        match self.queue.back() {
            Some(last) if last.arrives > now => self.queue.partition_point(|message| message.arrives <= now),
            _ => self.queue.len(),
        }
    }

    /// How many messages will arrive only after `now`.
    pub fn in_flight(&mut self, now: Nanos) -> usize {
        let waiting = self.waiting(now);
        self.queue.len() + self.out_of_order.as_ref().map_or(0, |heap| heap.len()) - waiting
    }

    /// Moves what has arrived by `now` from the heap to its place in the queue.
    #[inline]
    fn put_arrived_in_order(&mut self, now: Nanos) {
        if let Some(heap) = &mut self.out_of_order {
            put_in_order(heap, &mut self.queue, now);
        }
    }
}

fn put_in_order(heap: &mut BinaryHeap<Later>, queue: &mut VecDeque<Message>, now: Nanos) {
    while heap.peek().is_some_and(|Later(message)| message.arrives <= now)
        && let Some(Later(message)) = heap.pop()
    {
        let index = queue.partition_point(|other| place(other) <= place(&message));
        queue.insert(index, message);
    }
}

fn place(message: &Message) -> (Nanos, MessageId) {
    (message.arrives, message.id)
}

/// A message in a heap that gives the earliest first.
#[derive(Clone, Debug)]
struct Later(Message);

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        place(&other.0).cmp(&place(&self.0))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        place(&self.0) == place(&other.0)
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
    use crate::id::VmId;

    fn message(arrives: u64, sender: u32, event: u64) -> Message {
        Message {
            id: MessageId { sender: VmId(sender), event },
            to: VmId(9),
            arrives: Nanos::new(arrives),
            stamp: Stamp::lamport_only(0),
            payload: None,
        }
    }

    #[test]
    fn what_has_not_arrived_is_neither_counted_nor_taken() {
        let mut inbox = Inbox::default();
        inbox.insert(message(5, 0, 1));
        assert_eq!((inbox.waiting(Nanos::new(4)), inbox.in_flight(Nanos::new(4))), (0, 1));
        assert_eq!(inbox.take(Nanos::new(4)), None);
        assert_eq!((inbox.waiting(Nanos::new(5)), inbox.in_flight(Nanos::new(5))), (1, 0));
        assert_eq!(inbox.take(Nanos::new(5)), Some(message(5, 0, 1)));
    }

    proptest! {
        #[test]
        fn messages_leave_in_the_order_of_arrival_sender_and_event_whatever_way_they_came(
            keys in proptest::collection::vec((0u64..9, 0u32..4, 1u64..5), 0..40), now in 0u64..10,
        ) {
            let mut inbox = Inbox::default();
            for &(arrives, sender, event) in &keys {
                inbox.insert(message(arrives, sender, event));
            }
            let now = Nanos::new(now);
            let mut expected: Vec<_> = keys.into_iter().filter(|key| Nanos::new(key.0) <= now).collect();
            expected.sort_unstable();
            prop_assert_eq!(inbox.waiting(now), expected.len());
            let taken: Vec<_> = std::iter::from_fn(|| inbox.take(now))
                .map(|message| (message.arrives.get(), message.id.sender.0, message.id.event)).collect();
            prop_assert_eq!(taken, expected);
        }
    }
}
