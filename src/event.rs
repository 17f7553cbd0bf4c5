//! Messages and events: what machines send each other, and what a tick makes.

use std::fmt;
use std::sync::Arc;

use crate::clock::{Reading, Stamp};
use crate::id::VmId;
use crate::time::Nanos;

/// The name of a message, and of the event that sent it: `<sender>-<event number of the send>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The machine that sent it.
    pub sender: VmId,
    /// The number of the send among the sender's events.
    pub event: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.sender, self.event)
    }
}

/// A text that a message carries beside its stamp: a code, or a word of an algorithm's protocol.
pub type Payload = Option<Arc<str>>;

/// A message on its way to one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub id: MessageId,
    /// The machine that it goes to.
    pub to: VmId,
    /// When it reaches that machine's inbox.
    pub arrives: Nanos,
    /// The sender's clocks just after the send.
    pub stamp: Stamp,
    /// What it carries.
    pub payload: Payload,
}

/// What a machine has done at one tick, as its driver logs it.
///
/// It borrows from the machine and the outbox, so that making one copies nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// The machine.
    pub vm: VmId,
    /// The event's number in this machine: 1, 2, 3, …
    pub event: u64,
    /// When it happened.
    pub elapsed: Nanos,
    /// The machine's clocks after the event.
    pub clocks: Reading<'a>,
    /// Arrived messages still waiting after the event.
    pub queue: usize,
    /// What kind of event it is.
    pub kind: Kind<'a>,
}

/// The three kinds of event of Lamport (1978), with what belongs to each.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind<'a> {
    /// Something inside the machine.
    Internal,
    /// A message left, for one machine or for several.
    Send(Sent<'a>),
    /// A message was taken out of the inbox.
    Receive {
        /// The message's name.
        message: MessageId,
        /// The Lamport clock that came with it.
        lamport: u64,
        /// What it carried.
        payload: Payload,
    },
}

/// A send, and what the network made of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent<'a> {
    /// Its recipients.
    pub to: &'a [VmId],
    /// Those of them for which the network lost it.
    pub lost: &'a [VmId],
    /// Those of them to which it is delivered twice.
    pub duplicated: &'a [VmId],
    /// What it carries.
    pub payload: Option<&'a str>,
}

/// What a tick sends: the messages that leave, and the lists that its record shows.
///
/// A driver keeps one and hands it to every tick, so that sending allocates nothing of its own.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    pub(crate) to: Vec<VmId>,
    pub(crate) lost: Vec<VmId>,
    pub(crate) duplicated: Vec<VmId>,
    pub(crate) payload: Payload,
    pub(crate) messages: Vec<Message>,
}

impl Outbox {
    /// Hands over the messages that are to leave, in the order in which they were sent.
    pub fn drain(&mut self) -> impl Iterator<Item = Message> + '_ {
        self.messages.drain(..)
    }

    /// Makes it empty for the next tick. Most ticks send nothing, and find it empty.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if !self.to.is_empty() {
            self.empty();
        }
    }

    fn empty(&mut self) {
        self.to.clear();
        self.lost.clear();
        self.duplicated.clear();
        self.payload = None;
        self.messages.clear();
    }

    /// The send that it holds.
    pub(crate) fn sent(&self) -> Sent<'_> {
        Sent {
            to: &self.to,
            lost: &self.lost,
            duplicated: &self.duplicated,
            payload: self.payload.as_deref(),
        }
    }
}
