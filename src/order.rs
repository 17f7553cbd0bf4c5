//! What happened before what: two events, the past and the future of one, and cuts.

mod source;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

pub use self::source::WriteRowsError;
use self::source::{Source, Standing};
use crate::event::{MessageId, ParseEventError};
use crate::history::{Front, Graph, HistoryError, Received};
use crate::log::{LogFolder, LogPath};
use crate::trace::Trace;

/// The events of one run, ready to be asked about.
#[derive(Debug)]
pub struct Events {
    source: Source,
    graph: Graph,
    standing: BTreeMap<MessageId, Standing>,
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
        /// The event.
        event: String,
        /// What there is of its machine.
        known: String,
    },
    /// An event happened before itself.
    #[error(
        "{event} is in a circle: by the logs it happened before itself, so they cannot be right; clocklab check tells where"
    )]
    Circle {
        /// The event.
        event: String,
    },
    /// The vectors in the logs say something else than the messages.
    #[error(
        "the logs contradict themselves: by their vectors {first} {relation} {second}, by their messages it is not so; clocklab check tells where"
    )]
    Contradiction {
        /// One event.
        first: String,
        /// The relation of the two by their vectors.
        relation: &'static str,
        /// The other one.
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
    /// They are one.
    Same,
    /// The first happened before the second; a shortest chain of messages between them.
    Before(Vec<Received>),
    /// The second happened before the first; a shortest chain of messages between them.
    After(Vec<Received>),
    /// Neither: the last event of the second's machine that the first knows, and the other way round. 0 is none.
    Concurrent(u64, u64),
}

impl Events {
    /// Reads the events of one run. Only those that are named can be asked about.
    ///
    /// # Errors
    ///
    /// Where the logs cannot be read, or one of the events is not in them or is in a circle.
    pub fn read(folders: &[LogFolder], asked: &[MessageId]) -> Result<Self, OrderError> {
        let names: Vec<LogPath> = folders.iter().flat_map(|folder| folder.logs.iter().cloned()).collect();
        Self::of(Source::Logs(names), asked)
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
        let (graph, standing) = source.read(asked)?;
        let Some(&event) = asked.iter().find(|event| !standing.contains_key(event)) else {
            // Its own past would otherwise be its future as well.
            let in_circle = asked.iter().find(|event| graph.is_in_circle(**event));
            return match in_circle {
                Some(event) => Err(OrderError::Circle { event: source.name(*event) }),
                None => Ok(Self { source, graph, standing }),
            };
        };
        let machine = source.machine(event.sender);
        let known = match graph.last(event.sender) {
            Some(last) => format!("{machine} has events up to {last}"),
            None => format!("{machine} has none"),
        };
        Err(OrderError::NoEvent { event: source.name(event), known })
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
        let relation = match self.by_vectors(first, second) {
            Some(Ordering::Less) => self.graph.chain(first, second).map(Relation::Before),
            Some(Ordering::Greater) => self.graph.chain(second, first).map(Relation::After),
            Some(Ordering::Equal) => Some(self.concurrent(first, second)),
            None if first == second => Some(Relation::Same),
            None => {
                let before = self.graph.chain(first, second).map(Relation::Before);
                let after = || self.graph.chain(second, first).map(Relation::After);
                before.or_else(after).or_else(|| Some(self.concurrent(first, second)))
            }
        };
        let is_less = self.by_vectors(first, second) == Some(Ordering::Less);
        let by_vectors = if is_less { "happened before" } else { "happened after" };
        match relation {
            Some(relation) => Ok(Answer { events: self, first, second, relation }),
            None => Err(OrderError::Contradiction {
                first: self.name(first),
                relation: by_vectors,
                second: self.name(second),
            }),
        }
    }

    /// `V(a)[a] ≤ V(b)[a]` where a happened before b. Equal stands for concurrent.
    fn by_vectors(&self, first: MessageId, second: MessageId) -> Option<Ordering> {
        let knows = |of: &MessageId, event: &MessageId| {
            self.standing[of].vector.get(event.sender.index()).map(|known| *known >= event.event)
        };
        if first == second {
            return None;
        }
        match (knows(&second, &first)?, knows(&first, &second)?) {
            (true, _) => Some(Ordering::Less),
            (_, true) => Some(Ordering::Greater),
            (false, false) => Some(Ordering::Equal),
        }
    }

    fn concurrent(&self, first: MessageId, second: MessageId) -> Relation {
        let known = |of, other: MessageId| self.graph.past(of).get(&other.sender).copied().unwrap_or(0);
        Relation::Concurrent(known(first, second), known(second, first))
    }

    /// The causal past of an event: the last event of each machine in it.
    pub fn past(&self, event: MessageId) -> Front {
        self.graph.past(event)
    }

    /// The causal future of an event: the first event of each machine in it.
    pub fn future(&self, event: MessageId) -> Front {
        self.graph.future(event)
    }

    /// How many events are in the future that begins there.
    pub fn count_from(&self, front: &Front) -> u64 {
        front.iter().map(|(vm, first)| self.graph.last(*vm).map_or(0, |last| last + 1 - first)).sum()
    }

    /// A message that crosses a cut backwards, received within it and sent after it. The cut is given by the last
    /// events in it; of a machine that is not named, it has none.
    pub fn crossing(&self, cut: &[MessageId]) -> Option<Received> {
        self.graph.crossing(&cut.iter().map(|event| (event.sender, event.event)).collect())
    }

    /// Writes the rows of the events that are in a set, with the header of the first log; of another program's run
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
        self.source.write(is_in, out)
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
            Relation::Before(chain) => {
                writeln!(f, "before: {one} happened before {other}")?;
                events.write_chain(f, *first, *second, chain)?;
            }
            Relation::After(chain) => {
                writeln!(f, "after: {one} happened after {other}")?;
                events.write_chain(f, *second, *first, chain)?;
            }
            Relation::Concurrent(known_to_first, known_to_second) => {
                writeln!(f, "concurrent: no chain of messages leads from {one} to {other} or back")?;
                events.write_known(f, *first, *known_to_first, *second)?;
                events.write_known(f, *second, *known_to_second, *first)?;
            }
        }
        for event in [first, second] {
            let Standing { path, line, text, .. } = &events.standing[event];
            writeln!(f, "\n{} ({}:{line}):\n  {text}", events.name(*event), path.display())?;
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
        let plural = if chain.len() == 1 { "" } else { "s" };
        writeln!(f, "  a shortest chain has {} message{plural}:", chain.len())?;
        writeln!(f, "  {}", self.name(from))?;
        for Received { send, receive } in chain {
            writeln!(f, "  {} was received by {}", self.name(*send), self.name(*receive))?;
        }
        writeln!(f, "  {}", self.name(to))
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
