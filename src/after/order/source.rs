//! Where the events stand that are asked about: in a run's logs, or in the log of another program.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::after::history::{Front, Graph, HistoryError, Received};
use crate::edge::log::{LogFolder, LogPath, Row};
use crate::edge::trace::{Trace, TraceEvent};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Where the events stand.
#[derive(Debug)]
pub(super) enum Source {
    /// The logs of a run.
    Logs(Vec<LogFolder>),
    /// The log of another program.
    Trace(Trace),
}

/// What stands there of an event.
#[derive(Clone, Debug)]
pub(super) struct SourceStanding {
    pub(super) path: PathBuf,
    pub(super) line: u64,
    pub(super) vector: Vec<u64>,
    pub(super) lamport: Option<u64>,
    pub(super) text: String,
}

#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) graph: Graph,
    /// The events that are asked about, as far as they are here.
    pub(super) standing: BTreeMap<MessageId, SourceStanding>,
    /// Of each of them the first event of each machine that knows it by its vector.
    pub(super) after: BTreeMap<MessageId, Front>,
    /// Whether all events have vectors.
    pub(super) has_vectors: bool,
}

impl Read {
    /// Notes which of the events that are asked about a row knows.
    fn note(&mut self, asked: &[MessageId], row: &Row) {
        for event in asked {
            match row.past().get(event.sender.index()) {
                Some(known) if *known >= event.event => {
                    let first = self.after.entry(*event).or_default().entry(row.vm).or_insert(row.event);
                    *first = row.event.min(*first);
                }
                Some(_) => {}
                None => self.has_vectors = false,
            }
        }
    }
}

impl Read {
    /// Notes which of the events that are asked about another program's event knows.
    fn note_trace(&mut self, asked: &[MessageId], event: &TraceEvent) {
        for known in asked.iter().filter(|asked| event.clock.entry(asked.sender) >= asked.event) {
            let number = event.id.event;
            let first = self.after.entry(*known).or_default().entry(event.id.sender).or_insert(number);
            *first = number.min(*first);
        }
    }
}

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteRowsError {
    /// The logs cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The rows cannot be written, as where whoever reads them has gone.
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl Source {
    /// The events' relation, and what stands there of those that are asked about.
    pub(super) fn read(&self, asked: &[MessageId]) -> Result<Read, HistoryError> {
        let mut read = Read { has_vectors: true, ..Read::default() };
        match self {
            Self::Logs(folders) => {
                let names: Vec<&LogPath> = folders.iter().flat_map(|folder| &folder.logs).collect();
                read.graph = Graph::read(folders, |log, row, text| {
                    read.note(asked, row);
                    let event = MessageId { sender: row.vm, event: row.event };
                    if asked.contains(&event) {
                        let (path, line) = (names[log].path.clone(), row.line);
                        let text = String::from_utf8_lossy(text).into_owned();
                        let (vector, lamport) = (row.past().to_vec(), Some(row.lamport));
                        read.standing.insert(event, SourceStanding { path, line, vector, lamport, text });
                    }
                })?;
            }
            Self::Trace(trace) => {
                for event in asked.iter().filter_map(|event| trace.find(*event)).map(|at| &trace.events[at]) {
                    let hosts = (0..).map(VmId).take(trace.hosts.len());
                    let vector = hosts.map(|host| event.clock.entry(host)).collect();
                    let (path, line) = (trace.files[event.file].path.clone(), event.line);
                    let text = event.text.replace('\n', "\n  ");
                    read.standing
                        .insert(event.id, SourceStanding { path, line, vector, lamport: None, text });
                }
                read.graph = Graph::of_trace(trace);
                trace.events.iter().for_each(|event| read.note_trace(asked, event));
            }
        }
        Ok(read)
    }

    /// What makes answers unsure beside what is not here, a line each.
    pub(super) fn unsure(&self) -> Vec<String> {
        match self {
            Self::Logs(_) => Vec::new(),
            Self::Trace(trace) => trace.unsure(),
        }
    }

    /// Whether there are several runs of a machine, so that nobody can tell which one others have heard of.
    pub(super) fn is_twofold(&self, vm: VmId) -> bool {
        matches!(self, Self::Trace(trace) if trace.is_twofold(vm))
    }

    /// Whether a message is sure to have gone from one event to the other, and not by way of what is not here.
    pub(super) fn is_at_once(&self, message: &Received) -> bool {
        match self {
            Self::Logs(_) => true,
            Self::Trace(trace) => trace.is_at_once(message.send, message.receive),
        }
    }

    /// Whether it is the log of another program, of which vectors alone tell.
    pub(super) const fn is_foreign(&self) -> bool {
        matches!(self, Self::Trace(_))
    }

    /// An event as people name it.
    pub(super) fn name(&self, event: MessageId) -> String {
        match self {
            Self::Logs(_) => event.to_string(),
            Self::Trace(trace) => trace.name(event),
        }
    }

    /// A machine as people name it.
    pub(super) fn machine(&self, vm: VmId) -> String {
        match self {
            Self::Logs(_) => format!("machine {vm}"),
            Self::Trace(trace) => trace.hosts[vm.index()].clone(),
        }
    }

    /// Writes what stands there of the events in a set, in a form that can be read again: CSV with the header of the
    /// first log, or the other program's form.
    pub(super) fn write(
        &self,
        is_in: impl Fn(MessageId) -> bool,
        out: &mut impl Write,
    ) -> Result<(), WriteRowsError> {
        match self {
            Self::Logs(folders) => write_rows(folders, is_in, out),
            Self::Trace(trace) => {
                if let Some(file) = trace.files.first() {
                    writeln!(out, "{}\n", file.expression)?;
                }
                let mut events = trace.events.iter().filter(|event| is_in(event.id));
                Ok(events.try_for_each(|event| writeln!(out, "{}", event.text))?)
            }
        }
    }
}

fn write_rows(
    folders: &[LogFolder],
    is_in: impl Fn(MessageId) -> bool,
    out: &mut impl Write,
) -> Result<(), WriteRowsError> {
    let mut has_header = false;
    for name in folders.iter().flat_map(|folder| &folder.logs) {
        let mut reader = name.open().map_err(HistoryError::from)?;
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
