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

/// What travels from one machine to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// A message, which waits in the machine's inbox until a tick receives it.
    Message(Message),
    /// A call, of which the machine's workload alone learns.
    Call {
        /// The machine that is called.
        to: VmId,
        /// Who calls, and when it is heard.
        call: Call,
    },
}

/// A message on its way to one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name, by which sender and recipient know it.
    pub id: MessageId,
    /// The machine that it goes to.
    pub to: VmId,
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

/// Messages and calls that are to leave. Their places are kept and written where they stand: a message is long,
/// and moving it would cost more than making it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaving {
    places: Vec<Envelope>,
    count: usize,
}

impl Leaving {
    /// A place for one more message, with nothing in it.
    ///
    /// # Panics
    ///
    /// Never: a place that had a call is made one for a message.
    #[inline(always)]
    pub(crate) fn message(&mut self) -> &mut Message {
        let place = self.place();
        if let Envelope::Call { .. } = place {
            *place = Envelope::NOTHING;
        }
        match place {
            Envelope::Message(message) => message,
            Envelope::Call { .. } => unreachable!("nothing stands there any more"),
        }
    }

    /// Adds a call.
    pub(crate) fn call(&mut self, to: VmId, call: Call) {
        *self.place() = Envelope::Call { to, call };
    }

    #[inline(always)]
    fn place(&mut self) -> &mut Envelope {
        if self.count == self.places.len() {
            self.places.push(Envelope::NOTHING);
        }
        self.count += 1;
        &mut self.places[self.count - 1]
    }
}

impl Envelope {
    /// What stands in a place that has no message yet, or from which one was taken.
    const NOTHING: Self = Self::Message(Message::NOTHING);

    /// The machine that it goes to.
    #[inline]
    pub const fn to(&self) -> VmId {
        match self {
            Self::Message(message) => message.to,
            Self::Call { to, .. } => *to,
        }
    }

    /// The machine that it comes from, and the number of the event at which it left.
    #[inline]
    pub const fn from(&self) -> MessageId {
        match self {
            Self::Message(message) => message.id,
            Self::Call { call, .. } => MessageId { sender: call.caller, event: call.event },
        }
    }

    /// When it reaches that machine.
    #[inline]
    pub const fn arrives(&self) -> Nanos {
        match self {
            Self::Message(message) => message.arrives,
            Self::Call { call, .. } => call.arrives,
        }
    }

    /// It does not reach it before that.
    pub fn delay_until(&mut self, earliest: Nanos) {
        let (Self::Message(Message { arrives, .. }) | Self::Call { call: Call { arrives, .. }, .. }) = self;
        *arrives = earliest.max(*arrives);
    }

    /// Whether it is one of the model's messages, which are counted.
    pub const fn is_message(&self) -> bool {
        matches!(self, Self::Message(_))
    }

    /// The message, where it is one.
    pub const fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            Self::Call { .. } => None,
        }
    }

    /// Takes it out of its place.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::NOTHING)
    }
}

impl From<Message> for Envelope {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl Message {
    /// What stands in a place that has no message yet, or from which one was taken.
    const NOTHING: Self = Self {
        id: MessageId { sender: VmId(0), event: 0 },
        to: VmId(0),
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
    pub fn drain(&mut self) -> impl Iterator<Item = Envelope> + '_ {
        let count = std::mem::take(&mut self.leaving.count);
        self.leaving.places[..count].iter_mut().map(Envelope::take)
    }

    /// The messages and calls that are to leave, in the order in which they were sent.
    pub fn envelopes(&self) -> &[Envelope] {
        &self.leaving.places[..self.leaving.count]
    }

    /// The same, each to be taken out of its place.
    pub(crate) fn envelopes_mut(&mut self) -> &mut [Envelope] {
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
impl Record<'static> {
    /// An event of machine 0 that says nothing but its number, for tests of what rows become.
    pub(crate) fn internal(event: u64) -> Self {
        let (vm, elapsed, clocks) = (VmId(0), Nanos::new(event), Reading::lamport_only(event));
        Self { vm, event, elapsed, clocks, queue: 0, kind: Kind::Internal, mark: "" }
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
