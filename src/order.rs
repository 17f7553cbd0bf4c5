//! What happened before what: two events, the past and the future of one, and cuts.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::event::MessageId;
use crate::history::{Front, Graph, HistoryError, Received};
use crate::log::{LogFolder, LogPath, RowReader};

/// The events of one run, ready to be asked about.
#[derive(Debug)]
pub struct Events {
    names: Vec<LogPath>,
    graph: Graph,
    rows: BTreeMap<MessageId, EventRow>,
}

/// The row of an event that is asked about.
#[derive(Clone, Debug)]
struct EventRow {
    path: PathBuf,
    line: u64,
    vector: Vec<u64>,
    text: String,
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
        event: MessageId,
        /// What there is of its machine.
        known: String,
    },
    /// The vectors in the logs say something else than the messages.
    #[error(
        "the logs contradict themselves: by their vectors {first} {relation} {second}, by their messages it is not so; clocklab check tells where"
    )]
    Contradiction {
        /// One event.
        first: MessageId,
        /// The relation of the two by their vectors.
        relation: &'static str,
        /// The other one.
        second: MessageId,
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
    /// Where the logs cannot be read, or one of the events is not in them.
    pub fn read(folders: &[LogFolder], asked: &[MessageId]) -> Result<Self, OrderError> {
        let names: Vec<LogPath> = folders.iter().flat_map(|folder| folder.logs.iter().cloned()).collect();
        let mut rows = BTreeMap::new();
        let graph = Graph::read(&names, |log, row, text| {
            let event = MessageId { sender: row.vm, event: row.event };
            if asked.contains(&event) {
                let (path, line) = (names[log].path.clone(), row.line);
                let text = String::from_utf8_lossy(text).into_owned();
                rows.insert(event, EventRow { path, line, vector: row.vector.clone(), text });
            }
        })?;
        let events = Self { names, graph, rows };
        match asked.iter().find(|event| !events.rows.contains_key(event)) {
            Some(&event) => {
                let known = match events.graph.last(event.sender) {
                    Some(last) => format!("machine {} has events up to {last}", event.sender),
                    None => format!("machine {} has none", event.sender),
                };
                Err(OrderError::NoEvent { event, known })
            }
            None => Ok(events),
        }
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
            None => Err(OrderError::Contradiction { first, relation: by_vectors, second }),
        }
    }

    /// `V(a)[a] ≤ V(b)[a]` where a happened before b. Equal stands for concurrent.
    fn by_vectors(&self, first: MessageId, second: MessageId) -> Option<Ordering> {
        let knows = |of: &MessageId, event: &MessageId| {
            self.rows[of].vector.get(event.sender.index()).map(|known| *known >= event.event)
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

    /// Writes the rows of the events that are in a set, with the header of the first log.
    ///
    /// # Errors
    ///
    /// Where the logs cannot be read again, or the rows cannot be written.
    pub fn write_rows(
        &self,
        is_in: impl Fn(MessageId) -> bool,
        out: &mut impl Write,
    ) -> Result<(), WriteRowsError> {
        let mut has_header = false;
        for name in &self.names {
            let mut reader = RowReader::open(&name.path).map_err(HistoryError::from)?;
            if !std::mem::replace(&mut has_header, true) {
                out.write_all(reader.text())?;
                out.write_all(b"\n")?;
            }
            while reader.advance().map_err(HistoryError::from)? {
                let row = reader.row();
                if is_in(MessageId { sender: row.vm, event: row.event }) {
                    out.write_all(reader.text())?;
                    out.write_all(b"\n")?;
                }
            }
        }
        Ok(())
    }
}

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteRowsError {
    /// The logs cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Nobody takes them.
    #[error(transparent)]
    Write(#[from] io::Error),
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
        match relation {
            Relation::Same => writeln!(f, "same: both are one event")?,
            Relation::Before(chain) => {
                writeln!(f, "before: {first} happened before {second}")?;
                write_chain(f, *first, *second, chain)?;
            }
            Relation::After(chain) => {
                writeln!(f, "after: {first} happened after {second}")?;
                write_chain(f, *second, *first, chain)?;
            }
            Relation::Concurrent(known_to_first, known_to_second) => {
                writeln!(f, "concurrent: no chain of messages leads from {first} to {second} or back")?;
                write_known(f, *first, *known_to_first, *second)?;
                write_known(f, *second, *known_to_second, *first)?;
            }
        }
        for event in [first, second] {
            let row = &events.rows[event];
            writeln!(f, "\n{event} ({}:{}):\n  {}", row.path.display(), row.line, row.text)?;
        }
        Ok(())
    }
}

fn write_chain(
    f: &mut fmt::Formatter<'_>,
    from: MessageId,
    to: MessageId,
    chain: &[Received],
) -> fmt::Result {
    if chain.is_empty() {
        return writeln!(f, "  both are of machine {}, which has them in this order", from.sender);
    }
    let plural = if chain.len() == 1 { "" } else { "s" };
    writeln!(f, "  a shortest chain has {} message{plural}:", chain.len())?;
    writeln!(f, "  {from}")?;
    for Received { send, receive } in chain {
        writeln!(f, "  {send} was received by {receive}")?;
    }
    writeln!(f, "  {to}")
}

fn write_known(f: &mut fmt::Formatter<'_>, of: MessageId, known: u64, other: MessageId) -> fmt::Result {
    let vm = other.sender;
    match known {
        0 => writeln!(f, "  {of} has heard of no event of machine {vm}"),
        known => writeln!(
            f,
            "  the last event of machine {vm} that {of} has heard of is {vm}-{known}, before {other}"
        ),
    }
}
