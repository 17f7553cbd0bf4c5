//! Messages, calls and events: what machines send each other, and what a tick makes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::clock::{Reading, Stamp};
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// The name of a message, and of the event that sent it: `vm<sender>-<event number of the send>`.
///
/// Without the letters in front, spreadsheets would take it for a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The machine that sent it.
    pub sender: VmId,
    /// The number of the send among the sender's events.
    pub event: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vm{}-{}", self.sender, self.event)
    }
}

/// Why a text names no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is vm<machine>-<number of its event>, such as vm0-17")]
pub struct ParseEventError;

/// Reads `vm0-17`, and `0-17` as well.
impl FromStr for MessageId {
    type Err = ParseEventError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("vm").unwrap_or(text);
        let (sender, event) = name.split_once('-').ok_or(ParseEventError)?;
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok());
        let sender = number(sender).flatten().and_then(|sender| u32::try_from(sender).ok());
        let event = number(event).flatten().filter(|event| *event > 0);
        let (sender, event) = sender.zip(event).ok_or(ParseEventError)?;
        Ok(Self { sender: VmId(sender), event })
    }
}

/// A text that a message carries beside its stamp: a code, or a word of an algorithm's protocol.
///
/// It is one pointer wide, since every message has room for one and few have one.
pub type Payload = Option<Arc<String>>;

/// A message on its way to one machine, or a call that travels like one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name; of a call the caller and the event with which it called.
    pub id: MessageId,
    /// The machine that it goes to.
    pub to: VmId,
    /// Whether it is a [`Call`]: then it is none of the model's messages, and its stamp and payload
    /// mean nothing.
    pub is_call: bool,
    /// When it reaches that machine's inbox.
    pub arrives: Nanos,
    /// The sender's clocks just after the send.
    pub stamp: Stamp,
    /// A text that the workload gave it; none for most messages.
    pub payload: Payload,
}

/// An attempt of one machine to reach another, without a clock.
///
/// It is no message: it waits in no inbox, nobody receives it, and no row tells of it. The called
/// machine's workload alone learns of it. Calls are in the order of their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// When it reaches the machine.
    pub arrives: Nanos,
    /// The machine that calls.
    pub caller: VmId,
    /// The number of the caller's event with which it called.
    pub event: u64,
}

/// What a machine has done at one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// The time of the tick that made it, counted from the run's start.
    pub elapsed: Nanos,
    /// Arrived messages still waiting after the event.
    pub queue: u32,
    /// What kind of event it is.
    pub kind: Kind<'a>,
}

/// An event with what its machine says of it, as it is logged.
///
/// It borrows from the machine and the outbox, so that making one copies nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// The machine whose event it is.
    pub vm: VmId,
    /// The event's number in this machine: 1, 2, 3, …
    pub event: u64,
    /// The time of the tick that made it, counted from the run's start.
    pub elapsed: Nanos,
    /// The machine's clocks after the event.
    pub clocks: Reading<'a>,
    /// Arrived messages still waiting after the event.
    pub queue: u32,
    /// What kind of event it is.
    pub kind: Kind<'a>,
    /// What the workload says of it; empty where it says nothing.
    pub mark: &'a str,
}

/// The three kinds of event of Lamport (1978), with what belongs to each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind<'a> {
    /// Something inside the machine.
    Internal,
    /// A message left, for one machine or for several.
    Send(&'a Sent),
    /// A message was taken out of the inbox.
    Receive(&'a Received),
}

/// A send, and what the network made of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sent {
    /// Its recipients, in the order in which the workload named them.
    pub to: Vec<VmId>,
    /// Those of them for which the network lost it.
    pub lost: Vec<VmId>,
    /// Those of them to which it is delivered twice.
    pub duplicated: Vec<VmId>,
    /// What the workload gave every recipient's copy to carry.
    pub payload: Payload,
}

/// What came with a message that was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The message's name: the machine and the event that sent it.
    pub message: MessageId,
    /// The sender's Lamport clock just after the send.
    pub lamport: u64,
    /// What the sender's workload gave it to carry.
    pub payload: Payload,
}

/// What ticks send: the messages and calls that leave, and what the latest tick's record shows.
///
/// A driver keeps one and hands it to every tick, so that sending allocates nothing of its own. It takes
/// the messages out after a tick, or after several.
#[derive(Clone, Debug)]
pub struct Outbox {
    pub(crate) sent: Sent,
    pub(crate) received: Received,
    pub(crate) leaving: Leaving,
}

/// Messages that are to leave. Their places are kept and written where they stand: a message is long,
/// and moving it would cost more than making it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaving {
    places: Vec<Message>,
    count: usize,
}

impl Leaving {
    /// A place for one more message, with nothing in it.
    #[inline(always)]
    pub(crate) fn place(&mut self) -> &mut Message {
        if self.count == self.places.len() {
            self.places.push(Message::NOTHING);
        }
        self.count += 1;
        &mut self.places[self.count - 1]
    }
}

impl Message {
    /// What stands in a place that has no message yet, or from which one was taken.
    const NOTHING: Self = Self {
        id: MessageId { sender: VmId(0), event: 0 },
        to: VmId(0),
        is_call: false,
        arrives: Nanos::ZERO,
        stamp: Stamp::lamport_only(0),
        payload: None,
    };

    /// Takes the message out of its place.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::NOTHING)
    }
}

impl Outbox {
    /// Hands over the messages and calls that are to leave, in the order in which they were sent.
    pub fn drain(&mut self) -> impl Iterator<Item = Message> + '_ {
        let count = std::mem::take(&mut self.leaving.count);
        self.leaving.places[..count].iter_mut().map(Message::take)
    }

    /// The messages and calls that are to leave, in the order in which they were sent.
    pub fn messages(&self) -> &[Message] {
        &self.leaving.places[..self.leaving.count]
    }

    /// The same, each to be taken out of its place.
    pub(crate) fn messages_mut(&mut self) -> &mut [Message] {
        &mut self.leaving.places[..self.leaving.count]
    }

    /// No message is to leave any more: all were taken.
    pub(crate) fn clear(&mut self) {
        self.leaving.count = 0;
    }
}

impl Default for Outbox {
    fn default() -> Self {
        let nothing = MessageId { sender: VmId(0), event: 0 };
        let received = Received { message: nothing, lamport: 0, payload: None };
        Self { sent: Sent::default(), received, leaving: Leaving::default() }
    }
}

impl Sent {
    /// Makes it ready for the next tick. Most ticks send nothing, and find it empty.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if !self.to.is_empty() {
            self.to.clear();
            self.lost.clear();
            self.duplicated.clear();
            self.payload = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_by_its_machine_and_its_number() {
        let event = MessageId { sender: VmId(0), event: 17 };
        assert_eq!(event.to_string(), "vm0-17");
        assert_eq!("vm0-17".parse(), Ok(event));
        assert_eq!("0-17".parse(), Ok(event));
        for text in [
            "",
            "vm",
            "vm-1",
            "0-",
            "vm0-0",
            "vmvm0-1",
            "VM0-1",
            "0-17-1",
            "vm0 -1",
            "vm4294967296-1",
            "vm0-+1",
        ] {
            assert_eq!(text.parse::<MessageId>(), Err(ParseEventError), "{text}");
        }
    }
}
