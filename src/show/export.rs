//! A run in the formats of other tools, written while its logs are read.
//!
//! All formats get the same events in the same order, causes before effects, from the run's history; a window
//! takes a part out of it. Memory grows with the machines and the messages in flight, not with the events, but for a
//! workbook, which is packed before it goes out.

mod csv;
mod dot;
mod jsonl;
mod perfetto;
mod protobuf;
mod shiviz;
mod text;
mod window;
mod xlsx;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(crate) use self::csv::{Decimal, Separator, Style};
pub(crate) use self::window::Window;

use self::window::WindowPart;
use crate::after::history::{Delivery, HistoryError, Missing, Place, Replay, Step, Visitor, Witness};
use crate::after::stats::measure;
use crate::clock::ClockList;
use crate::edge::log::{EventKind, LogFolder, LogPath, ReadError, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::registry::Registry;
use crate::model::text::words;
use crate::model::time::Nanos;

words! {
    /// What a run is exported as.
    pub(crate) enum Format {
        /// The log of a space-time diagram in the browser.
        Shiviz = "shiviz",
        /// A picture by Graphviz.
        Dot = "dot",
        /// A trace for the Perfetto UI.
        Perfetto = "perfetto",
        /// One table of all machines.
        Csv = "csv",
        /// One JSON object a line.
        Jsonl = "jsonl",
        /// A workbook for spreadsheets.
        Xlsx = "xlsx",
    }
}

/// What there is to tell of an export: the file itself has been written.
#[derive(Debug)]
pub(crate) struct Exported {
    /// Events that were written.
    pub events: u64,
    /// Torn last rows, which were left out: the file, and how many bytes.
    pub torn: Vec<(PathBuf, u64)>,
    /// Rows that could not be read, and were left out: how many.
    pub unreadable: u64,
    /// The first of them, in words.
    pub first_unreadable: Vec<String>,
    /// What a person should know of what was written.
    pub notes: Vec<String>,
    /// What is not here of the run, a line each: then the part that is here was exported, with receives whose sends
    /// are not here.
    pub missing: Vec<String>,
    /// What else a person should know.
    pub warnings: Vec<String>,
}

/// Why a run cannot be exported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// Its logs cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// There is nothing to export.
    #[error("{}", nothing(window.as_ref(), *events, *end))]
    Nothing {
        /// The window that was asked for.
        window: Option<Window>,
        /// The events of the run.
        events: u64,
        /// When the last of them happened.
        end: Nanos,
    },
    /// A workbook has no room for it.
    #[error("there is no workbook: {0}")]
    Workbook(String),
    /// The bytes cannot be written, as where whoever reads them has gone.
    #[error("{0}")]
    Write(#[from] io::Error),
}

fn nothing(window: Option<&Window>, events: u64, end: Nanos) -> String {
    match window {
        Some(window) => {
            let end = end.as_secs_f64();
            format!("no event is in the window {window}: the run has {events} events, up to {end:.3} s")
        }
        None => "the logs have no events".to_owned(),
    }
}

/// Writes one run, of which the folders are the nodes' where there are several, or a window of it. The style is that
/// of a table in CSV.
///
/// # Errors
///
/// Where the logs cannot be read at all or are not of one run, where there is no event to write, and where the
/// writer takes no more.
pub(crate) fn export(
    folders: &[LogFolder],
    registry: &Registry,
    format: Format,
    window: Option<Window>,
    style: Style,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    match format {
        Format::Shiviz => write(folders, shiviz::Shiviz::default(), window, out),
        Format::Dot => write(folders, dot::Dot::default(), window, out),
        Format::Perfetto => write(folders, perfetto::Perfetto::default(), window, out),
        Format::Csv => write(folders, csv::Csv::new(style), window, out),
        Format::Jsonl => write(folders, jsonl::Jsonl::new(), window, out),
        Format::Xlsx => {
            let workbook = xlsx::Xlsx::new(measure(folders, registry)?, window.is_some());
            write(folders, workbook, window, out)
        }
    }
}

/// An event on its way out.
#[derive(Clone, Copy, Debug)]
struct Event<'a> {
    row: &'a Row,
    /// The machine's number in the order in which they are exported, from 0.
    machine: usize,
    /// Which of the machine's exported events it is, from 1.
    number: u64,
}

/// What a received message is known to come from.
#[derive(Clone, Copy, Debug)]
enum Cause<'a, S> {
    /// The event is no receive.
    None,
    /// A send that was exported: what was kept of it.
    Sent(&'a S),
    /// A send before the window, or none that is known.
    Unknown,
}

/// One of the formats.
trait Form {
    /// What it keeps of a send while its message is in flight.
    type Stamp;

    /// What stands before all events of a run with those clocks.
    fn begin(&mut self, clocks: &ClockList, out: &mut Vec<u8>);

    /// Appends one event: each comes once, after all its causes.
    fn event(&mut self, event: &Event<'_>, cause: Cause<'_, Self::Stamp>, out: &mut Vec<u8>);

    /// What to keep of an event that was just written and is a send.
    fn stamp(&mut self, event: &Event<'_>) -> Self::Stamp;

    /// What stands after all events, given the messages that were sent and not received.
    fn end(&mut self, _in_flight: &[(MessageId, VmId)], _out: &mut Vec<u8>) {}

    /// What a person should know of what was written.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether it cannot go on.
    fn has_failed(&self) -> bool {
        false
    }

    /// Why it cannot go on.
    fn failure(&mut self) -> Option<ExportError> {
        None
    }
}

/// Bytes after which they are handed on.
const CHUNK: usize = 64 * 1024;

/// Unreadable rows that are told in words.
const MOST: usize = 10;

fn write<F: Form>(
    folders: &[LogFolder],
    form: F,
    window: Option<Window>,
    out: &mut dyn Write,
) -> Result<Exported, ExportError> {
    let mut exporter = Exporter::new(form, window, out);
    let names: Vec<LogPath> = folders.iter().flat_map(|folder| folder.logs.iter().cloned()).collect();
    let mut replay = Replay::open(&names, false, &mut exporter)?;
    exporter.begin(&replay.clocks());
    replay.run(&mut exporter)?;
    // A window may end before the logs do.
    let read = if exporter.is_done() { Vec::new() } else { replay.read_logs() };
    let missing = Missing::of(folders, &read, &exporter.witness);
    // Rows that were left out are told as such.
    let is_told = exporter.unreadable > 0 && missing.is_within_logs();
    let missing = if is_told { Vec::new() } else { missing.told() };
    let torn = replay.summaries().filter(|(_, log)| log.torn > 0);
    let torn = torn.map(|(path, log): (&Path, _)| (path.to_owned(), log.torn)).collect();
    for (message, _, to) in replay.in_flight().filter(|(_, kept, _)| kept.part == WindowPart::In) {
        exporter
            .in_flight
            .extend(to.iter().flat_map(|(vm, copies)| (0..*copies).map(move |_| (message, *vm))));
    }
    exporter.finish(torn, missing)
}

/// What is kept of a send.
#[derive(Debug)]
struct KeptCause<S> {
    part: WindowPart,
    stamp: Option<S>,
}

/// Takes the events out of a replay.
struct Exporter<'a, F> {
    form: F,
    window: Option<Window>,
    machines: Vec<ExportedMachine>,
    exported_machines: usize,
    places: u64,
    events: u64,
    /// When the last event so far happened, whether it is in the window or not.
    end: Nanos,
    /// Messages that left the window: sent in it, and received after it or never.
    in_flight: Vec<(MessageId, VmId)>,
    unreadable: u64,
    first_unreadable: Vec<String>,
    witness: Witness,
    buffer: Vec<u8>,
    out: &'a mut dyn Write,
    error: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ExportedMachine {
    part: WindowPart,
    /// Which machine it was to be exported.
    number: usize,
    /// How many of its events were.
    events: u64,
}

impl<'a, F: Form> Exporter<'a, F> {
    fn new(form: F, window: Option<Window>, out: &'a mut dyn Write) -> Self {
        Self {
            form,
            window,
            machines: Vec::new(),
            exported_machines: 0,
            places: 0,
            events: 0,
            end: Nanos::ZERO,
            in_flight: Vec::new(),
            unreadable: 0,
            first_unreadable: Vec::new(),
            witness: Witness::default(),
            buffer: Vec::with_capacity(2 * CHUNK),
            out,
            error: None,
        }
    }

    fn begin(&mut self, clocks: &ClockList) {
        self.form.begin(clocks, &mut self.buffer);
    }

    fn finish(mut self, torn: Vec<(PathBuf, u64)>, missing: Vec<String>) -> Result<Exported, ExportError> {
        if let Some(failure) = self.form.failure() {
            return Err(failure);
        }
        if self.events == 0 {
            return Err(ExportError::Nothing { window: self.window, events: self.places, end: self.end });
        }
        self.in_flight.sort_unstable();
        self.form.end(&self.in_flight, &mut self.buffer);
        if let Some(failure) = self.form.failure() {
            return Err(failure);
        }
        let notes = self.form.notes();
        self.hand_on();
        match self.error {
            Some(error) => Err(error.into()),
            None => {
                self.out.flush()?;
                let Self { events, unreadable, first_unreadable, witness, .. } = self;
                let warnings = witness.twice().into_iter().collect();
                Ok(Exported { events, torn, unreadable, first_unreadable, notes, missing, warnings })
            }
        }
    }

    fn hand_on(&mut self) {
        if self.error.is_none() {
            self.error = self.out.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }

    /// The part of an event whose message came from that one.
    fn part(&mut self, step: &Step<'_>, cause: Option<WindowPart>) -> WindowPart {
        if step.machine == self.machines.len() {
            self.machines.push(ExportedMachine::default());
        }
        let machine = &mut self.machines[step.machine];
        machine.part = match &self.window {
            Some(window) => {
                let latest_cause = machine.part.max(cause.unwrap_or_default());
                window.part(latest_cause, step.row.elapsed, self.places)
            }
            None => WindowPart::In,
        };
        machine.part
    }
}

impl<F: Form> Visitor for Exporter<'_, F> {
    type Stamp = KeptCause<F::Stamp>;

    fn row(&mut self, step: &Step<'_>, delivery: Delivery<'_, Self::Stamp>) -> Option<Self::Stamp> {
        self.places += 1;
        self.end = self.end.max(step.row.elapsed);
        self.witness.row(step.machine, step.log, MessageId { sender: step.row.vm, event: step.row.event });
        if let (Delivery::Unknown, Some(message)) = (&delivery, step.row.message) {
            self.witness.unknown(message, step.row.past());
        }
        let (sent, cause) = match delivery {
            Delivery::Delivered { stamp: KeptCause { part, stamp: Some(stamp) }, .. } => {
                (Some(*part), Cause::Sent(stamp))
            }
            Delivery::Delivered { stamp: KeptCause { part, stamp: None }, .. } => {
                (Some(*part), Cause::Unknown)
            }
            Delivery::NotHere { .. } | Delivery::Unknown => (None, Cause::Unknown),
            Delivery::None => (None, Cause::None),
        };
        let part = self.part(step, sent);
        let is_send = step.row.kind == EventKind::Send;
        if part == WindowPart::In {
            self.events += 1;
            let machine = &mut self.machines[step.machine];
            if machine.events == 0 {
                machine.number = self.exported_machines;
                self.exported_machines += 1;
            }
            machine.events += 1;
            let event = Event { row: step.row, machine: machine.number, number: machine.events };
            self.form.event(&event, cause, &mut self.buffer);
            let stamp = is_send.then(|| self.form.stamp(&event));
            if self.buffer.len() >= CHUNK {
                self.hand_on();
            }
            return is_send.then_some(KeptCause { part, stamp });
        }
        if let (WindowPart::After, Some(WindowPart::In), Some(message)) = (part, sent, step.row.message) {
            self.in_flight.push((message, step.row.vm));
        }
        is_send.then_some(KeptCause { part, stamp: None })
    }

    fn unreadable(&mut self, error: ReadError) {
        self.unreadable += 1;
        if self.first_unreadable.len() < MOST {
            self.first_unreadable.push(error.to_string());
        }
    }

    /// The first of them is shown as if its message were unknown, and so it is exported.
    fn cycle(&mut self, _rows: &[(Place, MessageId)]) {}

    fn is_done(&self) -> bool {
        self.error.is_some()
            || self.form.has_failed()
            || self.window.as_ref().is_some_and(|window| window.is_over(self.places))
    }
}

impl<F> fmt::Debug for Exporter<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("events", &self.events).finish_non_exhaustive()
    }
}
