//! The queue from the machines of all threads to the bridge.
//!
//! A machine's tick does not wait: it hands its message over here and goes on. The bridge is woken by the
//! first message and takes all that are there at once, so a burst costs one wake-up. The queue has a bound:
//! beyond it messages are dropped and counted, since ticks that waited for a slow process would be late ones.

use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use actix::{Message as ActixMessage, Recipient};

use crate::model::event::Envelope;

/// The most messages that wait for the bridge.
const MOST: usize = 1 << 20;

/// Messages wait for the bridge.
#[derive(Clone, Copy, Debug, ActixMessage)]
#[rtype(result = "()")]
pub(super) struct Wake;

/// Messages on their way to machines of other processes.
#[derive(Default)]
pub struct Outbound {
    waiting: Mutex<Waiting>,
    bridge: OnceLock<Recipient<Wake>>,
}

#[derive(Default)]
struct Waiting {
    messages: Vec<Envelope>,
    /// Whether the bridge has been woken and has not come yet, or is going to look in any case.
    is_told: bool,
    dropped: u64,
}

impl Outbound {
    /// Hands a message over; where too many wait already, it is dropped and counted.
    pub fn push(&self, message: impl Into<Envelope>) {
        let message = message.into();
        let mut waiting = self.lock();
        if waiting.messages.len() >= MOST {
            waiting.dropped += u64::from(message.is_message());
            return;
        }
        waiting.messages.push(message);
        // Woken outside the lock, and once for all that come until it looks.
        if !std::mem::replace(&mut waiting.is_told, true) {
            drop(waiting);
            self.wake();
        }
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.lock().messages.len()
    }

    /// The bridge that is woken from now on.
    pub(super) fn wakes(&self, bridge: Recipient<Wake>) {
        if self.bridge.set(bridge).is_ok() && self.waiting() > 0 {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(bridge) = self.bridge.get() {
            bridge.do_send(Wake);
        }
    }

    /// The bridge is awake, and is going to take what there is: no message wakes it until then.
    pub(super) fn attend(&self) {
        self.lock().is_told = true;
    }

    /// Swaps the messages that wait for an empty batch, and tells how many were dropped.
    pub(super) fn take(&self, batch: &mut Vec<Envelope>) -> u64 {
        let mut waiting = self.lock();
        debug_assert!(batch.is_empty(), "messages of an earlier batch would wait for their turn again");
        std::mem::swap(&mut waiting.messages, batch);
        waiting.is_told = false;
        std::mem::take(&mut waiting.dropped)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // What is in there is whole at any time.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;
    use crate::model::event::{Call, Message, MessageId};
    use crate::model::id::VmId;
    use crate::model::time::Nanos;

    #[test]
    fn beyond_the_bound_messages_are_dropped_and_counted_and_calls_just_dropped() {
        let message = || Message {
            id: MessageId { sender: VmId(0), event: 1 },
            to: VmId(1),
            arrives: Nanos::ZERO,
            stamp: Stamp::lamport_only(1),
            payload: None,
        };
        let call = Call { arrives: Nanos::ZERO, caller: VmId(0), event: 1 };
        let outbound = Outbound::default();
        (0..MOST + 5).for_each(|_| outbound.push(message()));
        outbound.push(Envelope::Call { to: VmId(1), call });
        let mut batch = Vec::new();
        assert_eq!((outbound.take(&mut batch), batch.len()), (5, MOST));
        batch.clear();
        assert_eq!((outbound.take(&mut batch), batch.len()), (0, 0));
    }
}
