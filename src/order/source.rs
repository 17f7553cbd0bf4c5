//! Where the events stand that are asked about: in a run's logs, or in the log of another program.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::event::MessageId;
use crate::history::{Graph, HistoryError};
use crate::id::VmId;
use crate::log::{LogPath, RowReader};
use crate::trace::Trace;

/// Where the events stand.
#[derive(Debug)]
pub(super) enum Source {
    /// The logs of a run.
    Logs(Vec<LogPath>),
    /// The log of another program.
    Trace(Trace),
}

/// What stands there of an event.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) path: PathBuf,
    pub(super) line: u64,
    pub(super) vector: Vec<u64>,
    pub(super) text: String,
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

impl Source {
    /// The events' relation, and what stands there of those that are asked about.
    pub(super) fn read(
        &self,
        asked: &[MessageId],
    ) -> Result<(Graph, BTreeMap<MessageId, Standing>), HistoryError> {
        let mut standing = BTreeMap::new();
        let graph = match self {
            Self::Logs(names) => Graph::read(names, |log, row, text| {
                let event = MessageId { sender: row.vm, event: row.event };
                if asked.contains(&event) {
                    let (path, line) = (names[log].path.clone(), row.line);
                    let text = String::from_utf8_lossy(text).into_owned();
                    standing.insert(event, Standing { path, line, vector: row.vector.clone(), text });
                }
            })?,
            Self::Trace(trace) => {
                for event in asked.iter().filter_map(|event| trace.find(*event)).map(|at| &trace.events[at]) {
                    let hosts = (0..).map(VmId).take(trace.hosts.len());
                    let vector = hosts.map(|host| event.clock.entry(host)).collect();
                    let (path, line) = (trace.files[event.file].path.clone(), event.line);
                    let text = event.text.replace('\n', "\n  ");
                    standing.insert(event.id, Standing { path, line, vector, text });
                }
                Graph::of_trace(trace)
            }
        };
        Ok((graph, standing))
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
            Self::Logs(names) => write_rows(names, is_in, out),
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
    names: &[LogPath],
    is_in: impl Fn(MessageId) -> bool,
    out: &mut impl Write,
) -> Result<(), WriteRowsError> {
    let mut has_header = false;
    for name in names {
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
