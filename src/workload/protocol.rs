//! Algorithms that send each other words, one event a tick.
//!
//! Textbooks write *when a request comes, reply*. Here a machine makes one event a tick, so the reply is an event of its
//! own: the algorithm puts what it wants to send into its machine's queue, and each word goes at a later tick. A
//! [`Protocol`] is written as in a textbook; [`Speaking`] makes a [`Workload`] of it.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Action, Setup, Tick, Workload};
use crate::model::event::{Message, MessageId};
use crate::model::id::VmId;
use crate::model::seed::Stream;

/// An algorithm that sends each other words of a type of its own.
pub trait Protocol: fmt::Debug + Send + Unpin + 'static {
    /// What its messages say: as a rule an enumeration made by [`messages!`](crate::messages).
    type Message: Clone + fmt::Debug + fmt::Display + FromStr + Send + Unpin;

    /// A tick with nothing to receive and nothing to send.
    fn idle(&mut self, turn: &mut Turn<'_, Self::Message>);

    /// A message was received, at the event of this turn.
    fn received(&mut self, heard: &Heard<Self::Message>, turn: &mut Turn<'_, Self::Message>);

    /// A message is sent, at the event of this turn: the one whose Lamport clock it carries.
    fn sent(&mut self, _message: &Self::Message, _turn: &mut Turn<'_, Self::Message>) {}

    /// Whether it receives at a tick at which a message waits. Otherwise it sends, or does something else.
    fn receives(&mut self, _tick: &Tick<'_>) -> bool {
        true
    }

    /// What it keeps on purpose where its machine goes down, as [`Workload::keeps`] says.
    fn keeps(&self) -> Option<String> {
        None
    }

    /// Its machine was down, as [`Workload::resume`] says.
    fn resume(&mut self, _kept: Option<&str>) {}
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard<M> {
    /// The message's name: the machine and the event that sent it.
    pub id: MessageId,
    /// The sender's Lamport clock just after the send.
    pub lamport: u64,
    /// What it says, as the sender's algorithm meant it.
    pub message: M,
}

impl<M> Heard<M> {
    /// The machine that sent it.
    pub const fn from(&self) -> VmId {
        self.id.sender
    }
}

/// What an algorithm sees at an event, and what it can do there.
#[derive(Debug)]
pub struct Turn<'a, M> {
    /// When it is, and how many messages have arrived.
    pub tick: Tick<'a>,
    /// The Lamport clock that the event has.
    pub lamport: u64,
    /// Random draws of the machine's own.
    pub stream: &'a mut Stream,
    said: &'a mut Said<M>,
}

/// What a machine wants to send, and what it says of its event.
#[derive(Debug)]
struct Said<M> {
    vm: VmId,
    vms: u32,
    sends: VecDeque<(Vec<VmId>, M)>,
    mark: String,
}

impl<M> Turn<'_, M> {
    /// Puts a message to one machine or to several into the queue: one event, at this tick where nothing else is to be
    /// sent and nothing was received, or at a later one.
    pub fn send(&mut self, to: impl IntoIterator<Item = VmId>, message: M) {
        self.said.sends.push_back((to.into_iter().collect(), message));
    }

    /// The same to all other machines.
    pub fn send_to_others(&mut self, message: M) {
        let (own, vms) = (self.said.vm, self.said.vms);
        self.send((0..vms).map(VmId).filter(|vm| *vm != own), message);
    }

    /// Says something of the event: what the log has in the column `mark`, and the judge is shown.
    pub fn mark(&mut self, mark: impl fmt::Display) {
        self.said.mark = mark.to_string();
    }

    /// The machine whose turn it is.
    pub const fn vm(&self) -> VmId {
        self.said.vm
    }

    /// How many messages wait to be sent.
    pub fn unsent(&self) -> usize {
        self.said.sends.len()
    }
}

/// A protocol on one machine, with the queue of what is to be sent.
#[derive(Debug)]
pub struct Speaking<P: Protocol> {
    protocol: P,
    said: Said<P::Message>,
}

impl<P: Protocol> Speaking<P> {
    /// The protocol on that machine, with nothing to send yet.
    pub const fn new(vm: VmId, setup: &Setup, protocol: P) -> Self {
        Self { protocol, said: Said { vm, vms: setup.vms(), sends: VecDeque::new(), mark: String::new() } }
    }
}

impl<P: Protocol> Workload for Speaking<P> {
    fn choose(&mut self, tick: &Tick<'_>, stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
        self.said.mark.clear();
        if tick.waiting > 0 && self.protocol.receives(tick) {
            return Action::Receive;
        }
        let Self { protocol, said } = self;
        // Rule 4 of the model: an event that receives nothing counts one.
        let mut turn = Turn { tick: *tick, lamport: tick.clocks.lamport + 1, stream, said };
        if turn.unsent() == 0 {
            protocol.idle(&mut turn);
        }
        let Some((recipients, message)) = turn.said.sends.pop_front() else { return Action::Internal };
        protocol.sent(&message, &mut turn);
        to.extend(recipients);
        Action::Send { payload: Some(Arc::new(message.to_string())) }
    }

    /// A message of another program that says what no message of this protocol does is received and means nothing.
    fn received(&mut self, message: &Message, after: &Tick<'_>, stream: &mut Stream) {
        let text = message.payload.as_deref().map_or("", String::as_str);
        let Ok(said) = text.parse() else { return };
        let heard = Heard { id: message.id, lamport: message.stamp.lamport(), message: said };
        let Self { protocol, said } = self;
        let mut turn = Turn { tick: *after, lamport: after.clocks.lamport, stream, said };
        protocol.received(&heard, &mut turn);
    }

    fn mark(&self) -> &str {
        &self.said.mark
    }

    fn keeps(&self) -> Option<String> {
        self.protocol.keeps()
    }

    fn resume(&mut self, kept: Option<&str>) {
        self.said.sends.clear();
        self.protocol.resume(kept);
    }
}

/// Why a text says nothing that a protocol knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("says nothing that the protocol knows")]
pub struct UnknownMessage;

/// Makes an enumeration of what a protocol's messages say, each with a word of its own and what belongs to it:
///
/// ```
/// clocklab::messages! {
///     /// What is said.
///     pub enum Say {
///         /// I want to enter.
///         Request = "request",
///         /// Take it, after so many others.
///         Token { passed: u64 } = "token",
///     }
/// }
///
/// assert_eq!(Say::Token { passed: 17 }.to_string(), "token 17");
/// assert_eq!("request".parse(), Ok(Say::Request));
/// assert!("token".parse::<Say>().is_err());
/// ```
///
/// What belongs to a message is written and read as text, so no value may have a space in it. In the log it is the
/// column `payload`.
#[macro_export]
macro_rules! messages {
    ($(#[$doc:meta])* $visible:vis enum $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident $({ $($field:ident: $type:ty),+ $(,)? })? = $word:literal),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $visible enum $name {
            $($(#[$variant_doc])* $variant $({ $(
                #[allow(missing_docs, reason = "its name says it")]
                $field: $type
            ),+ })?),+
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self {
                    $(Self::$variant $({ $($field),+ })? => {
                        f.write_str($word)?;
                        $($(write!(f, " {}", $field)?;)+)?
                        Ok(())
                    })+
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::workload::UnknownMessage;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                let mut words = text.split(' ');
                let unknown = $crate::workload::UnknownMessage;
                let message = match words.next() {
                    $(Some($word) => Self::$variant $({
                        $($field: words.next().ok_or(unknown)?.parse().map_err(|_| unknown)?),+
                    })?,)+
                    _ => return Err(unknown),
                };
                if words.next().is_some() { Err(unknown) } else { Ok(message) }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Reading, Stamp};
    use crate::model::seed::{Purpose, Seed};
    use crate::model::time::Nanos;
    use crate::workload::Algorithm;

    crate::messages! {
        /// What the echo says.
        enum Say {
            /// Tell me.
            Ask = "ask",
            /// What it is told, and by whom.
            Tell { number: u64, by: VmId } = "tell",
        }
    }

    /// Answers each question, and asks everybody when it has nothing to do.
    #[derive(Debug, Default)]
    struct Echo {
        sent: Vec<(String, u64)>,
        told: Vec<u64>,
    }

    impl Protocol for Echo {
        type Message = Say;

        fn idle(&mut self, turn: &mut Turn<'_, Say>) {
            turn.send_to_others(Say::Ask);
        }

        fn received(&mut self, heard: &Heard<Say>, turn: &mut Turn<'_, Say>) {
            match heard.message {
                Say::Ask => turn.send([heard.from()], Say::Tell { number: heard.lamport, by: turn.vm() }),
                Say::Tell { number, .. } => {
                    self.told.push(number);
                    let lamport = turn.lamport;
                    turn.mark(format_args!("told at {lamport}"));
                }
            }
        }

        fn sent(&mut self, message: &Say, turn: &mut Turn<'_, Say>) {
            self.sent.push((message.to_string(), turn.lamport));
        }

        fn receives(&mut self, tick: &Tick<'_>) -> bool {
            tick.event != 9
        }
    }

    fn tick(event: u64, waiting: usize, lamport: u64) -> Tick<'static> {
        Tick { now: Nanos::ZERO, event, waiting, clocks: Reading::lamport_only(lamport) }
    }

    fn message(from: u32, lamport: u64, text: &str) -> Message {
        Message {
            id: MessageId { sender: VmId(from), event: 5 },
            to: VmId(1),
            arrives: Nanos::ZERO,
            stamp: Stamp::lamport_only(lamport),
            payload: Some(Arc::new(text.to_owned())),
        }
    }

    #[test]
    fn what_is_to_be_sent_waits_for_ticks_of_its_own_and_carries_their_clock() {
        let mut stream = Seed(1).stream(VmId(1), Purpose::Workload);
        let mut echo = Speaking::new(VmId(1), &Setup::new(3, &Algorithm::PLAIN), Echo::default());
        let mut choose = |echo: &mut Speaking<Echo>, tick: &Tick<'_>| {
            let mut to = Vec::new();
            let action = echo.choose(tick, &mut stream, &mut to);
            let payload = match action {
                Action::Send { payload } => payload.map(|text| text.to_string()),
                _ => None,
            };
            (payload, to.into_iter().map(|vm| vm.0).collect::<Vec<_>>())
        };
        let mut other = Seed(2).stream(VmId(1), Purpose::Workload);
        assert_eq!(choose(&mut echo, &tick(1, 2, 0)), (None, vec![]), "it receives first");
        echo.received(&message(0, 7, "ask"), &tick(1, 1, 8), &mut other);
        echo.received(&message(2, 9, "ask"), &tick(2, 1, 10), &mut other);
        echo.received(&message(2, 11, "chess"), &tick(3, 1, 12), &mut other);
        // At its ninth event it does not receive.
        assert_eq!(choose(&mut echo, &tick(9, 1, 12)), (Some("tell 7 1".into()), vec![0]));
        assert_eq!(choose(&mut echo, &tick(10, 0, 13)), (Some("tell 9 1".into()), vec![2]));
        assert_eq!(
            choose(&mut echo, &tick(11, 0, 14)),
            (Some("ask".into()), vec![0, 2]),
            "nothing else is to be sent"
        );
        echo.received(&message(0, 20, "tell 15 0"), &tick(12, 0, 21), &mut other);
        assert_eq!((echo.mark(), echo.protocol.told.as_slice()), ("told at 21", &[15][..]));
        choose(&mut echo, &tick(13, 1, 21));
        assert_eq!(echo.mark(), "", "a mark is of one event");
        let sent = [("tell 7 1", 13), ("tell 9 1", 14), ("ask", 15)];
        assert_eq!(echo.protocol.sent, sent.map(|(text, lamport)| (text.to_owned(), lamport)));
    }

    #[test]
    fn messages_are_read_as_they_are_written_and_nothing_else_is() {
        for said in [Say::Ask, Say::Tell { number: u64::MAX, by: VmId(3) }] {
            assert_eq!(said.to_string().parse(), Ok(said));
        }
        for text in ["", "Ask", "ask 1", "tell", "tell 1", "tell 1 2 3", "tell -1 2", "tell 1  2", " ask"] {
            assert_eq!(text.parse::<Say>(), Err(UnknownMessage), "{text}");
        }
    }
}
