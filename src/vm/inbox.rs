//! The network queue of one machine: arrived messages in the one order that does not depend on
//! threads or processes, and behind them those still on their way.

use std::collections::VecDeque;

use crate::event::{Message, MessageId};
use crate::time::Nanos;

/// Messages by (arrival time, sender, sender's event number).
///
/// Arrivals come nearly in order, so a message usually goes to the end; the rest is found by binary
/// search, as is the number that have arrived.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    messages: VecDeque<Message>,
}

impl Inbox {
    /// Puts a message in its place; behind its twin where the network duplicated it.
    pub fn insert(&mut self, message: Message) {
        if self.messages.back().is_none_or(|last| place(last) <= place(&message)) {
            self.messages.push_back(message);
        } else {
            let index = self.messages.partition_point(|other| place(other) <= place(&message));
            self.messages.insert(index, message);
        }
    }

    /// Takes the first message that has arrived by `now`.
    pub fn take(&mut self, now: Nanos) -> Option<Message> {
        self.messages.pop_front_if(|message| message.arrives <= now)
    }

    /// How many messages have arrived by `now`.
    pub fn waiting(&self, now: Nanos) -> usize {
        match self.messages.back() {
            Some(last) if last.arrives > now => {
                self.messages.partition_point(|message| message.arrives <= now)
            }
            _ => self.messages.len(),
        }
    }

    /// How many messages will arrive only after `now`.
    pub fn in_flight(&self, now: Nanos) -> usize {
        self.messages.len() - self.waiting(now)
    }
}

fn place(message: &Message) -> (Nanos, MessageId) {
    (message.arrives, message.id)
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
