//! What happened before what: two events, the past and the future of one, and cuts.

mod part;
mod source;

use std::cmp::Ordering;
use std::fmt;
use std::io::Write;

pub use self::part::{Cut, Part};
pub use self::source::WriteRowsError;
use self::source::{Read, Source, SourceStanding};
use crate::after::history::{Front, HistoryError, Received};
use crate::edge::log::LogFolder;
use crate::edge::trace::Trace;
use crate::model::event::{MessageId, ParseEventError};
use crate::model::text::count;

/// The events of one run, ready to be asked about.
#[derive(Debug)]
pub struct Events {
    source: Source,
    read: Read,
}

/// Why a question about events has no answer.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The logs cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// An event is not in the logs.
    #[error("there is no event {event} in the logs: {known}")]
    NoEvent {
        /// The event that was asked for.
        event: String,
        /// What there is of its machine.
        known: String,
    },
    /// There are several events of that name.
    #[error(
        "{event} is not one event: the log has more than one run of '{machine}', and nobody can tell of which others have \
         heard; give each run a log of its own"
    )]
    Twofold {
        /// The event that was asked for.
        event: String,
        /// The host that stands for more than one run.
        machine: String,
    },
    /// An event happened before itself.
    #[error(
        "{event} is in a circle: by the logs it happened before itself, so they cannot be right; clocklab check tells where"
    )]
    Circle {
        /// The event that comes before itself.
        event: String,
    },
    /// The vectors in the logs say something else than the messages.
    #[error(
        "the logs contradict themselves: by their vectors {first} {relation} {second}, by their messages it is not so; clocklab check tells where"
    )]
    Contradiction {
        /// The event that was named first.
        first: String,
        /// The relation of the two by their vectors.
        relation: &'static str,
        /// The event that was named second.
        second: String,
    },
}

/// How two events are ordered, with the evidence.
#[derive(Debug)]
pub struct Answer<'a> {
    events: &'a Events,
    first: MessageId,
    second: MessageId,
    relation: Relation,
}

/// How two events are ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Both names are of one event.
    Same,
    /// The first happened before the second; a shortest chain of messages between them.
    Before(Vec<Received>),
    /// The second happened before the first; a shortest chain of messages between them.
    After(Vec<Received>),
    /// The first happened before the second, by their vectors: the messages between them are not all here.
    BeforeUnseen,
    /// The second happened before the first, in the same way.
    AfterUnseen,
    /// Neither: the last event of the second's machine that the first knows, and the other way round. 0 is none.
    Concurrent(u64, u64),
    /// It depends on what is not here.
    Unknown,
}

impl Events {
    /// Reads the events of one run. Only those that are named can be asked about.
    ///
    /// # Errors
    ///
    /// Where the logs cannot be read, or one of the events is not in them or is in a circle.
    pub fn read(folders: &[LogFolder], asked: &[MessageId]) -> Result<Self, OrderError> {
        Self::of(Source::Logs(folders.to_vec()), asked)
    }

    /// Takes the events of a run of another program.
    ///
    /// # Errors
    ///
    /// Where one of the events that are asked about is not in it or is in a circle.
    pub fn of_trace(trace: Trace, asked: &[MessageId]) -> Result<Self, OrderError> {
        Self::of(Source::Trace(trace), asked)
    }

    fn of(source: Source, asked: &[MessageId]) -> Result<Self, OrderError> {
        if let Some(event) = asked.iter().find(|event| source.is_twofold(event.sender)) {
            let (event, machine) = (source.name(*event), source.machine(event.sender));
            return Err(OrderError::Twofold { event, machine });
        }
        let read = source.read(asked)?;
        let graph = &read.graph;
        let is_there = |event: &MessageId| graph.is_here(*event) || graph.missing().lacks(*event);
        let Some(&event) = asked.iter().find(|event| !is_there(event)) else {
            // Its own past would otherwise be its future as well.
            let in_circle = asked.iter().find(|event| graph.is_in_circle(**event));
            return match in_circle {
                Some(event) => Err(OrderError::Circle { event: source.name(*event) }),
                None => Ok(Self { source, read }),
            };
        };
        let machine = source.machine(event.sender);
        let known = match graph.last(event.sender) {
            Some(last) => format!("{machine} has events up to {last}"),
            None => format!("{machine} has none"),
        };
        Err(OrderError::NoEvent { event: source.name(event), known })
    }

    /// Whether an event is here.
    pub fn is_here(&self, event: MessageId) -> bool {
        self.read.graph.is_here(event)
    }

    /// What is not here of the run, a line each.
    pub fn missing(&self) -> Vec<String> {
        let mut told = self.read.graph.missing().told_with_torn();
        told.extend(self.source.unsure());
        told
    }

    /// An event as people name it.
    pub fn name(&self, event: MessageId) -> String {
        self.source.name(event)
    }

    /// How two events are ordered. Where both have vectors, those decide, and messages are the evidence.
    ///
    /// # Errors
    ///
    /// Where vectors and messages say different things.
    pub fn order(&self, first: MessageId, second: MessageId) -> Result<Answer<'_>, OrderError> {
        let graph = &self.read.graph;
        let chains = || (graph.chain(first, second), graph.chain(second, first));
        let by_vectors = self.by_vectors(first, second);
        let relation = match by_vectors {
            _ if first == second => Some(Relation::Same),
            // That vectors order the two and no chain is here is right where a part of the chain is not here, and a
            // contradiction in the logs otherwise.
            Some(Ordering::Less) => {
                let before = graph.chain(first, second).map(Relation::Before);
                before.or_else(|| self.may_precede(first, second).then_some(Relation::BeforeUnseen))
            }
            Some(Ordering::Greater) => {
                let after = graph.chain(second, first).map(Relation::After);
                after.or_else(|| self.may_precede(second, first).then_some(Relation::AfterUnseen))
            }
            Some(Ordering::Equal) => match chains() {
                (None, None) => Some(self.concurrent(first, second)),
                _ => None,
            },
            None => Some(match chains() {
                (Some(chain), _) => Relation::Before(chain),
                (_, Some(chain)) => Relation::After(chain),
                _ if self.may_precede(first, second) || self.may_precede(second, first) => Relation::Unknown,
                _ => self.concurrent(first, second),
            }),
        };
        let by_vectors = match by_vectors {
            Some(Ordering::Less) => "happened before",
            Some(Ordering::Greater) => "happened after",
            _ => "is concurrent with",
        };
        match relation {
            Some(relation) => Ok(Answer { events: self, first, second, relation }),
            None => Err(OrderError::Contradiction {
                first: self.name(first),
                relation: by_vectors,
                second: self.name(second),
            }),
        }
    }

    /// Whether an event can have happened before another through what is not here. Where it has no smaller Lamport
    /// clock, it cannot.
    fn may_precede(&self, first: MessageId, second: MessageId) -> bool {
        let graph = &self.read.graph;
        let lamport = |event| self.read.standing.get(&event).and_then(|standing| standing.lamport);
        let (own, others) = (lamport(first), lamport(second));
        // The clock condition (Lamport 1978): what happened before has the smaller value. The converse does not hold, so
        // a smaller one says nothing.
        if !graph.missing().has_gaps() || own.zip(others).is_some_and(|(own, others)| own >= others) {
            return false;
        }
        let future = graph.possible_future(first, own);
        future.get(&second.sender).is_some_and(|first| *first <= second.event)
    }

    /// Whether the event knows another one, where its vector tells.
    fn knows(&self, of: MessageId, event: MessageId) -> Option<bool> {
        let vector = &self.read.standing.get(&of)?.vector;
        vector.get(event.sender.index()).map(|known| *known >= event.event)
    }

    /// `V(a)[a] ≤ V(b)[a]` where a happened before b. Equal stands for concurrent.
    ///
    /// One entry of each is enough where it is known whose event it is (Mattern 1989): the own entry of an event is its
    /// number, and others have it from that event or a later one of its machine.
    fn by_vectors(&self, first: MessageId, second: MessageId) -> Option<Ordering> {
        match (self.knows(second, first), self.knows(first, second)) {
            (Some(true), _) => Some(Ordering::Less),
            (_, Some(true)) => Some(Ordering::Greater),
            (Some(false), Some(false)) => Some(Ordering::Equal),
            _ => None,
        }
    }

    fn concurrent(&self, first: MessageId, second: MessageId) -> Relation {
        let known = |of, other: MessageId| {
            let by_messages = self.read.graph.past(of).get(&other.sender).copied().unwrap_or(0);
            let vector = self.read.standing.get(&of).map_or(&[][..], |standing| &standing.vector);
            vector.get(other.sender.index()).copied().unwrap_or(0).max(by_messages)
        };
        Relation::Concurrent(known(first, second), known(second, first))
    }

    /// The causal past of an event: the last event of each machine in it.
    pub fn past(&self, event: MessageId) -> Front {
        self.read.graph.past(event)
    }

    /// The causal future of an event: the first event of each machine in it.
    pub fn future(&self, event: MessageId) -> Front {
        self.read.graph.future(event)
    }

    /// How many events are in the future that begins there.
    pub fn count_from(&self, front: &Front) -> u64 {
        front.iter().map(|(vm, first)| self.read.graph.count(*vm, *first, u64::MAX)).sum()
    }

    /// A message that crosses a cut backwards, received within it and sent after it. The cut is given by the last
    /// events in it; of a machine that is not named, it has none.
    pub fn crossing(&self, cut: &[MessageId]) -> Option<Received> {
        self.read.graph.crossing(&cut.iter().map(|event| (event.sender, event.event)).collect())
    }

    /// Writes the rows of the events here that are in a set, with the header of the first log; of another program's run
    /// what it has written of them.
    ///
    /// # Errors
    ///
    /// Where the logs cannot be read again, or the rows cannot be written.
    pub fn write_rows(
        &self,
        is_in: impl Fn(MessageId) -> bool,
        out: &mut impl Write,
    ) -> Result<(), WriteRowsError> {
        // Logs may have grown since.
        self.source.write(|event| is_in(event) && self.read.graph.is_here(event), out)
    }
}

/// The event of another program's run that a name means: `<host>-<number of its event>`.
///
/// # Errors
///
/// Where it names none of its hosts.
pub fn event_of_trace(trace: &Trace, name: &str) -> Result<MessageId, NoHostError> {
    let parse = || {
        let (host, event) = name.rsplit_once('-').ok_or(ParseEventError)?;
        // Numbers are as they are in the names of our own events.
        let event = format!("0-{event}").parse::<MessageId>()?.event;
        Ok::<_, ParseEventError>(MessageId { sender: trace.host(host).ok_or(ParseEventError)?, event })
    };
    parse().map_err(|_no_event| {
        const MOST: usize = 10;
        let mut hosts = trace.hosts[..trace.hosts.len().min(MOST)].join(", ");
        if trace.hosts.len() > MOST {
            hosts += ", …";
        }
        NoHostError { hosts }
    })
}

/// A text names no event of another program's run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is <host>-<number of its event>, and the hosts are {hosts}")]
pub struct NoHostError {
    /// The hosts that there are.
    pub hosts: String,
}

impl Answer<'_> {
    /// How the events are ordered.
    pub const fn relation(&self) -> &Relation {
        &self.relation
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, first, second, relation } = self;
        let (one, other) = (events.name(*first), events.name(*second));
        match relation {
            Relation::Same => writeln!(f, "same: both are one event")?,
            Relation::Before(_) | Relation::BeforeUnseen => {
                writeln!(f, "before: {one} happened before {other}")?;
            }
            Relation::After(_) | Relation::AfterUnseen => writeln!(f, "after: {one} happened after {other}")?,
            Relation::Concurrent(..) => {
                writeln!(f, "concurrent: no chain of messages leads from {one} to {other} or back")?;
            }
            Relation::Unknown => {
                writeln!(f, "unknown: {}", events.depends())?;
                writeln!(f, "  no chain of the messages here leads from {one} to {other} or back")?;
            }
        }
        match relation {
            Relation::Before(chain) => events.write_chain(f, *first, *second, chain)?,
            Relation::After(chain) => events.write_chain(f, *second, *first, chain)?,
            Relation::BeforeUnseen | Relation::AfterUnseen => {
                let who = events.read.graph.missing().who();
                writeln!(
                    f,
                    "  by their vectors; each chain of messages passes logs that are not here, of {who}"
                )?;
            }
            Relation::Concurrent(known_to_first, known_to_second) => {
                events.write_known(f, *first, *known_to_first, *second)?;
                events.write_known(f, *second, *known_to_second, *first)?;
            }
            Relation::Same | Relation::Unknown => {}
        }
        if !events.read.graph.missing().is_empty() && *relation != Relation::Unknown {
            writeln!(f, "  this does not depend on what is not here")?;
        }
        for event in [first, second] {
            let name = events.name(*event);
            match events.read.standing.get(event) {
                Some(SourceStanding { path, line, text, .. }) => {
                    writeln!(f, "\n{name} ({}:{line}):\n  {text}", path.display())?;
                }
                None => writeln!(f, "\n{name} is of {}", events.elsewhere(*event))?,
            }
        }
        Ok(())
    }
}

impl Events {
    fn write_chain(
        &self,
        f: &mut fmt::Formatter<'_>,
        from: MessageId,
        to: MessageId,
        chain: &[Received],
    ) -> fmt::Result {
        if chain.is_empty() {
            let machine = self.source.machine(from.sender);
            return writeln!(f, "  both are of {machine}, which has them in this order");
        }
        let messages = count(chain.len() as u64, "messages");
        if chain.iter().all(|message| self.source.is_at_once(message)) {
            writeln!(f, "  a shortest chain has {messages}:")?;
        } else {
            writeln!(f, "  by their vectors; a chain has {messages} or more:")?;
        }
        writeln!(f, "  {}", self.name(from))?;
        for message in chain {
            let (send, receive) = (self.name(message.send), self.name(message.receive));
            let is_at_once = self.source.is_at_once(message);
            let way = if is_at_once { "" } else { ", at once or by way of events that are not here" };
            writeln!(f, "  {send} was received by {receive}{way}")?;
        }
        writeln!(f, "  {}", self.name(to))
    }

    /// Whose log is not here.
    fn elsewhere(&self, event: MessageId) -> String {
        let machine = self.source.machine(event.sender);
        match self.read.graph.last(event.sender) {
            None => format!("{machine}, whose log is not here"),
            Some(_) => format!("{machine}, whose log is here without this event"),
        }
    }

    fn write_known(
        &self,
        f: &mut fmt::Formatter<'_>,
        of: MessageId,
        known: u64,
        other: MessageId,
    ) -> fmt::Result {
        let machine = self.source.machine(other.sender);
        let of = self.name(of);
        if known == 0 {
            return writeln!(f, "  {of} has heard of no event of {machine}");
        }
        let latest = self.name(MessageId { sender: other.sender, event: known });
        let other = self.name(other);
        writeln!(f, "  the last event of {machine} that {of} has heard of is {latest}, before {other}")
    }
}
