//! The replay: reads several logs at once, and holds each receive back until its send has been replayed.
//!
//! The log whose next row is the earliest goes on first, so that rows come about as they happened and few
//! have to wait. A log whose next row waits is *stalled*. Where all are, rows are taken out of them and kept
//! aside: that happens only where a log's own rows are not in the order of causality.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::index::Index;
use super::waits::Waits;
use crate::event::MessageId;
use crate::id::VmId;
use crate::log::{Column, Columns, EventKind, LogPath, ReadError, Row, RowReader};
use crate::time::Nanos;

/// Somebody who is shown the rows in the order of causality.
pub trait Visitor {
    /// What they keep of a send while its message is in flight.
    type Stamp;

    /// A row; of a send they return what to keep.
    fn row(&mut self, step: &Step<'_>, delivery: Delivery<'_, Self::Stamp>) -> Option<Self::Stamp>;

    /// A row that cannot be read, and is left out.
    fn unreadable(&mut self, error: ReadError);

    /// Receives that wait for each other in a circle: of each the row, and the message that it waits for. The
    /// first is shown next, as if its message were unknown.
    fn cycle(&mut self, rows: &[(Place, MessageId)]);

    /// Whether they have seen enough: then not much more is read.
    fn is_done(&self) -> bool {
        false
    }
}

/// A row on its turn.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The row.
    pub row: &'a Row,
    /// Which of the logs it stands in.
    pub log: usize,
    /// The machine's number in the order in which they were first shown, from 0.
    pub machine: usize,
    /// Which of its machine's rows it is, from 1.
    pub position: u64,
    /// How many rows of that log could not be read so far.
    pub unreadable: u64,
    /// The columns that the log has.
    columns: Columns,
}

/// Where a row stands, and which event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the logs.
    pub log: usize,
    /// The line.
    pub line: u64,
    /// The machine.
    pub vm: VmId,
    /// The number of the event.
    pub event: u64,
}

impl<'a> Step<'a> {
    /// A row that stands in no log.
    pub(crate) fn of(row: &'a Row, machine: usize) -> Self {
        Self { row, log: 0, machine, position: row.event, unreadable: 0, columns: Columns::default() }
    }

    /// Where the row stands.
    pub const fn place(&self) -> Place {
        Place { log: self.log, line: self.row.line, vm: self.row.vm, event: self.row.event }
    }

    /// Whether the log has that column.
    pub const fn has(&self, column: Column) -> bool {
        self.columns.has(column)
    }
}

/// What is known of the message that a row receives.
#[derive(Debug)]
pub enum Delivery<'a, S> {
    /// The row receives none.
    None,
    /// It was on its way to this machine.
    Delivered {
        /// What was kept of its send.
        stamp: &'a S,
        /// The event of a later send from the same machine to this one that was received earlier.
        overtaken_by: Option<u64>,
    },
    /// It is on its way, but not to this machine.
    NotHere {
        /// What was kept of its send.
        stamp: &'a S,
    },
    /// It is not on its way to anybody.
    Unknown,
}

/// Why logs cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// One of them cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A machine has rows in two of them.
    #[error(
        "machine {vm} has rows in {} and in {}: expected the logs of one run, each machine in one of them",
        first.display(), second.display()
    )]
    TwoLogs {
        /// The machine.
        vm: VmId,
        /// One log.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
}

/// The logs of one run, on their way through.
#[derive(Debug)]
pub struct Replay<S> {
    logs: Vec<Log>,
    /// The logs whose next row may be looked at, by when it happened.
    ready: BinaryHeap<Reverse<(Nanos, usize)>>,
    state: State<S>,
}

/// One log.
#[derive(Debug)]
struct Log {
    reader: Option<RowReader<File>>,
    name: LogPath,
    columns: Columns,
    summary: LogSummary,
    /// The machine of a row before, and its number: that of the next one in many logs.
    latest: Option<(VmId, usize)>,
    /// The machine that holds it up.
    stalled: Option<usize>,
    has_ended: bool,
}

/// What is known of a log after its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogSummary {
    /// Its whole rows, readable or not.
    pub(crate) rows: u64,
    /// Its bytes up to a torn last row.
    pub(crate) bytes: u64,
    /// Their checksum, as a manifest writes it.
    pub(crate) crc32c: String,
    /// The bytes of a torn last row.
    pub(crate) torn: u64,
    /// Rows that could not be read.
    unreadable: u64,
}

#[derive(Debug)]
struct State<S> {
    machines: Vec<Machine>,
    /// How many machines were shown.
    shown: usize,
    index: Index,
    flights: FxHashMap<MessageId, Flight<S>>,
    /// Of pairs of machines with messages on their way, where the order between them is to be kept.
    pairs: Option<FxHashMap<(VmId, VmId), Pair>>,
    waits: Waits,
}

/// One machine.
#[derive(Debug)]
struct Machine {
    log: usize,
    position: u64,
    /// Which machine it was to be shown.
    shown: usize,
}

/// A message on its way.
#[derive(Debug)]
struct Flight<S> {
    stamp: S,
    /// Who is still to receive it, and how often.
    to: SmallVec<[(VmId, u8); 2]>,
}

/// Messages from one machine to another.
#[derive(Debug, Default)]
struct Pair {
    in_flight: u32,
    /// The latest send of which one was received.
    latest: u64,
}

impl<S> Replay<S> {
    /// Opens the logs of one run. Where the order between two machines is to be kept, deliveries tell whether it
    /// was.
    ///
    /// # Errors
    ///
    /// Where none of them can be read. One that cannot while others can is shown to the visitor.
    pub fn open(
        names: &[LogPath],
        keeps_order: bool,
        visitor: &mut impl Visitor<Stamp = S>,
    ) -> Result<Self, HistoryError> {
        let mut logs = Vec::with_capacity(names.len());
        let mut errors = Vec::new();
        for name in names {
            let reader = match RowReader::open(&name.path) {
                Ok(reader) => Some(reader),
                Err(error @ ReadError::Read { .. }) => return Err(error.into()),
                Err(error) => {
                    errors.push(error);
                    None
                }
            };
            let (name, summary) = (name.clone(), LogSummary::default());
            let columns = reader.as_ref().map(RowReader::columns).unwrap_or_default();
            logs.push(Log { reader, name, columns, summary, latest: None, stalled: None, has_ended: false });
        }
        if errors.len() == logs.len()
            && let Some(error) = errors.pop()
        {
            return Err(error.into());
        }
        errors.into_iter().for_each(|error| visitor.unreadable(error));
        let state = State {
            machines: Vec::new(),
            shown: 0,
            index: Index::default(),
            flights: FxHashMap::default(),
            pairs: keeps_order.then(FxHashMap::default),
            waits: Waits::default(),
        };
        Ok(Self { logs, ready: BinaryHeap::new(), state })
    }

    /// Shows all rows to the visitor.
    ///
    /// # Errors
    ///
    /// Where a log cannot be read any more, or the logs are not of one run.
    pub fn run<V: Visitor<Stamp = S>>(&mut self, visitor: &mut V) -> Result<(), HistoryError> {
        for log in 0..self.logs.len() {
            self.make_ready(log, visitor)?;
        }
        loop {
            while let Some(Reverse((_, log))) = self.ready.pop() {
                self.advance(log, visitor)?;
                if visitor.is_done() {
                    return Ok(());
                }
            }
            if !self.resolve(visitor)? {
                return Ok(());
            }
        }
    }

    /// What is known of each log, in the order in which they were given.
    pub(crate) fn summaries(&self) -> impl Iterator<Item = (&Path, &LogSummary)> {
        self.logs.iter().map(|log| (log.name.path.as_path(), &log.summary))
    }

    /// What was kept of the sends whose messages were not received by all, with those that have not and how often
    /// they could.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = (MessageId, &S, &[(VmId, u8)])> {
        self.state.flights.iter().map(|(id, flight)| (*id, &flight.stamp, flight.to.as_slice()))
    }

    /// Shows rows of a log until it is stalled, at its end, or no longer the one that is behind.
    fn advance<V: Visitor<Stamp = S>>(&mut self, log: usize, visitor: &mut V) -> Result<(), HistoryError> {
        loop {
            let Self { logs, state, .. } = self;
            let Some(reader) = &logs[log].reader else { return Ok(()) };
            let row = reader.row();
            let vm = row.vm;
            let machine = match logs[log].latest {
                Some((latest, machine)) if latest == vm => machine,
                _ => state.machine(vm, log, logs)?,
            };
            if state.waits.is_waiting(machine) {
                state.waits.put_aside(machine, row.clone());
            } else if let Some(message) = state.missing(row, logs) {
                state.wait(machine, message);
                self.logs[log].stalled = Some(machine);
                return Ok(());
            } else {
                let step = logs[log].step(row, log, machine);
                state.show(step, visitor);
                self.wake(visitor)?;
            }
            self.logs[log].latest = Some((vm, machine));
            if visitor.is_done() {
                return Ok(());
            }
            let Some(next) = self.next_row(log, visitor)? else { return Ok(()) };
            if self.ready.peek().is_some_and(|Reverse(other)| *other < (next, log)) {
                self.ready.push(Reverse((next, log)));
                return Ok(());
            }
        }
    }

    /// Reads a log's next row and puts the log among the ready ones.
    fn make_ready<V: Visitor<Stamp = S>>(&mut self, log: usize, visitor: &mut V) -> Result<(), HistoryError> {
        if let Some(next) = self.next_row(log, visitor)? {
            self.ready.push(Reverse((next, log)));
        }
        Ok(())
    }

    /// Reads a log's next row, and tells when it happened; none at the end.
    #[inline]
    fn next_row<V: Visitor<Stamp = S>>(
        &mut self,
        log: usize,
        visitor: &mut V,
    ) -> Result<Option<Nanos>, HistoryError> {
        let Log { reader, summary, name, .. } = &mut self.logs[log];
        let Some(reader) = reader else {
            self.logs[log].has_ended = true;
            return Ok(None);
        };
        loop {
            match reader.next_row() {
                Ok(Some(row)) => {
                    if name.machines.as_ref().is_some_and(|range| !range.contains(&row.vm)) {
                        summary.unreadable += 1;
                        visitor.unreadable(not_its_machine(name, row));
                        continue;
                    }
                    return Ok(Some(row.elapsed));
                }
                Ok(None) => break,
                Err(error @ ReadError::Read { .. }) => return Err(error.into()),
                Err(error) => {
                    summary.unreadable += 1;
                    visitor.unreadable(error);
                }
            }
        }
        let entry = reader.entry();
        summary.torn = reader.torn();
        (summary.rows, summary.bytes, summary.crc32c) = (entry.rows, entry.bytes, entry.crc32c);
        self.logs[log].reader = None;
        self.logs[log].has_ended = true;
        self.release(visitor)?;
        Ok(None)
    }

    /// Goes on with the machines whose message is there now.
    fn wake<V: Visitor<Stamp = S>>(&mut self, visitor: &mut V) -> Result<(), HistoryError> {
        while let Some(machine) = self.state.waits.woken() {
            self.go_on(machine, None, visitor)?;
        }
        Ok(())
    }

    /// Goes on with the machines whose message will not come any more: its sender's log has ended.
    fn release<V: Visitor<Stamp = S>>(&mut self, visitor: &mut V) -> Result<(), HistoryError> {
        for machine in self.state.waits.waiting() {
            let Some(message) = self.state.waits.waits_for(machine) else { continue };
            if self.state.is_over(message.sender, &self.logs) {
                self.state.waits.wake(machine);
            }
        }
        self.wake(visitor)
    }

    /// Shows the rows of a machine that were put aside, until one waits again. Where its message is given up, its
    /// first row is shown without it.
    fn go_on<V: Visitor<Stamp = S>>(
        &mut self,
        machine: usize,
        mut given_up: Option<MessageId>,
        visitor: &mut V,
    ) -> Result<(), HistoryError> {
        let Self { logs, state, ready } = self;
        let log = state.machines[machine].log;
        while let Some(row) = state.waits.take_aside(machine) {
            let missing = if given_up.take().is_some() { None } else { state.missing(&row, logs) };
            if let Some(message) = missing {
                state.waits.put_back(machine, row);
                state.wait(machine, message);
                return Ok(());
            }
            let step = logs[log].step(&row, log, machine);
            state.show(step, visitor);
        }
        if logs[log].stalled.take_if(|stalled| *stalled == machine).is_none() {
            return Ok(());
        }
        let Some(reader) = &logs[log].reader else { return Ok(()) };
        let row = reader.row();
        if given_up.is_none() {
            ready.push(Reverse((row.elapsed, log)));
            return Ok(());
        }
        state.show(logs[log].step(row, log, machine), visitor);
        self.make_ready(log, visitor)
    }

    /// Nothing can go on by itself: breaks a circle, or takes a row out of a stalled log to look behind it.
    /// False where all is done.
    fn resolve<V: Visitor<Stamp = S>>(&mut self, visitor: &mut V) -> Result<bool, HistoryError> {
        let waiting = self.state.waits.waiting();
        let Some(&machine) = waiting.first() else { return Ok(false) };
        if let Some(circle) = waiting.iter().find_map(|machine| self.circle(*machine)) {
            let rows: Vec<_> = circle.iter().filter_map(|machine| self.first_waiting(*machine)).collect();
            visitor.cycle(&rows);
            self.give_up(circle[0], visitor)?;
            return Ok(true);
        }
        let (last, wanted) = self.end_of_chain(machine);
        let behind = (0..self.logs.len()).find(|log| {
            let log = &self.logs[*log];
            log.stalled.is_some() && wanted.is_none_or(|vm| log.may_hold(vm))
        });
        match behind {
            Some(log) => self.look_behind(log, visitor)?,
            None => self.give_up(last, visitor)?,
        }
        Ok(true)
    }

    fn give_up<V: Visitor<Stamp = S>>(
        &mut self,
        machine: usize,
        visitor: &mut V,
    ) -> Result<(), HistoryError> {
        let message = self.state.waits.stop_waiting(machine);
        self.go_on(machine, message, visitor)?;
        self.wake(visitor)
    }

    /// Keeps the next row of a stalled log aside, and goes on with the log.
    fn look_behind<V: Visitor<Stamp = S>>(
        &mut self,
        log: usize,
        visitor: &mut V,
    ) -> Result<(), HistoryError> {
        if let (Some(machine), Some(reader)) = (self.logs[log].stalled.take(), &self.logs[log].reader) {
            self.state.waits.put_aside(machine, reader.row().clone());
        }
        self.make_ready(log, visitor)
    }

    /// The machines of a circle that this machine's waiting leads into, the one with the earliest row first.
    fn circle(&self, machine: usize) -> Option<Vec<usize>> {
        let mut path = vec![machine];
        loop {
            let sender = self.state.waits.waits_for(*path.last()?)?.sender;
            let next = self.state.index.get(sender)?;
            if let Some(at) = path.iter().position(|other| *other == next) {
                let mut circle = path.split_off(at);
                let earliest = (0..circle.len())
                    .min_by_key(|at| self.waiting_row(circle[*at]).map(|row| row.elapsed))?;
                circle.rotate_left(earliest);
                return Some(circle);
            }
            path.push(next);
        }
    }

    /// The last of those who wait for each other, from this machine on, and the sender for which it waits.
    fn end_of_chain(&self, mut machine: usize) -> (usize, Option<VmId>) {
        loop {
            let sender = self.state.waits.waits_for(machine).map(|message| message.sender);
            match sender.and_then(|sender| self.state.index.get(sender)) {
                Some(next) if self.state.waits.waits_for(next).is_some() => machine = next,
                _ => return (machine, sender),
            }
        }
    }

    /// The row for which a machine waits.
    fn waiting_row(&self, machine: usize) -> Option<&Row> {
        let log = &self.logs[self.state.machines[machine].log];
        let at_head = || log.reader.as_ref().filter(|_| log.stalled == Some(machine)).map(RowReader::row);
        self.state.waits.first_aside(machine).or_else(at_head)
    }

    fn first_waiting(&self, machine: usize) -> Option<(Place, MessageId)> {
        let (row, log) = (self.waiting_row(machine)?, self.state.machines[machine].log);
        let place = Place { log, line: row.line, vm: row.vm, event: row.event };
        Some((place, self.state.waits.waits_for(machine)?))
    }
}

impl Log {
    /// Whether it may have rows of that machine.
    fn may_hold(&self, vm: VmId) -> bool {
        self.name.machines.as_ref().is_none_or(|range| range.contains(&vm))
    }

    const fn step<'a>(&self, row: &'a Row, log: usize, machine: usize) -> Step<'a> {
        Step { row, log, machine, position: 0, unreadable: self.summary.unreadable, columns: self.columns }
    }
}

/// A row of a machine that its log, by its name, does not have.
fn not_its_machine(name: &LogPath, row: &Row) -> ReadError {
    let expected = match &name.machines {
        Some(range) if range.start() == range.end() => format!("{}, as the file's name says", range.start()),
        Some(range) => {
            format!("a machine from {} to {}, as the file's name says", range.start(), range.end())
        }
        None => "a machine".to_owned(),
    };
    let (path, line, found) = (name.path.clone(), row.line, row.vm.to_string());
    ReadError::Cell { path, line, column: Column::Vm, found, expected }
}

impl<S> State<S> {
    /// The number of a machine, that of a new one where it was not seen yet.
    #[inline]
    fn machine(&mut self, vm: VmId, log: usize, logs: &[Log]) -> Result<usize, HistoryError> {
        let Some(machine) = self.index.get(vm) else {
            let machine = self.machines.len();
            self.index.insert(vm, machine);
            self.machines.push(Machine { log, position: 0, shown: 0 });
            return Ok(machine);
        };
        let known = self.machines[machine].log;
        if known == log {
            return Ok(machine);
        }
        let path = |log: usize| logs[log].name.path.clone();
        Err(HistoryError::TwoLogs { vm, first: path(known), second: path(log) })
    }

    /// The message that a row has to wait for.
    #[inline]
    fn missing(&self, row: &Row, logs: &[Log]) -> Option<MessageId> {
        let message = row.message.filter(|_| row.kind == EventKind::Receive)?;
        let sender = self.index.get(message.sender);
        let was_replayed = sender.is_some_and(|sender| self.machines[sender].position >= message.event);
        if was_replayed || message.sender == row.vm || self.flights.contains_key(&message) {
            return None;
        }
        if self.is_over(message.sender, logs) { None } else { Some(message) }
    }

    fn wait(&mut self, machine: usize, message: MessageId) {
        self.waits.wait(machine, message);
    }

    /// Whether no row of that machine can come any more.
    fn is_over(&self, vm: VmId, logs: &[Log]) -> bool {
        if let Some(machine) = self.index.get(vm)
            && self.waits.is_waiting(machine)
        {
            return false;
        }
        logs.iter().all(|log| log.has_ended || !log.may_hold(vm))
    }

    /// Shows a row, and does what it does to the messages on their way.
    #[inline]
    fn show<V: Visitor<Stamp = S>>(&mut self, mut step: Step<'_>, visitor: &mut V) {
        let row = step.row;
        let machine = &mut self.machines[step.machine];
        if machine.position == 0 {
            machine.shown = self.shown;
            self.shown += 1;
        }
        machine.position += 1;
        (step.position, step.machine) = (machine.position, machine.shown);
        match (row.kind, row.message) {
            (EventKind::Receive, Some(message)) => self.deliver(&step, message, visitor),
            _ => {
                let stamp = visitor.row(&step, Delivery::None);
                if let Some(stamp) = stamp {
                    self.send(row, stamp);
                }
            }
        }
        self.waits.replayed(row.vm, row.event, step.position);
    }

    fn send(&mut self, row: &Row, stamp: S) {
        let mut to = SmallVec::new();
        for &peer in row.peers.iter().filter(|peer| !row.lost.contains(peer)) {
            let copies = if row.duplicated.contains(&peer) { 2 } else { 1 };
            to.push((peer, copies));
            if let Some(pairs) = &mut self.pairs {
                pairs.entry((row.vm, peer)).or_default().in_flight += u32::from(copies);
            }
        }
        if !to.is_empty() {
            self.flights.insert(MessageId { sender: row.vm, event: row.event }, Flight { stamp, to });
        }
    }

    fn deliver<V: Visitor<Stamp = S>>(&mut self, step: &Step<'_>, message: MessageId, visitor: &mut V) {
        let me = step.row.vm;
        let Entry::Occupied(mut flight) = self.flights.entry(message) else {
            visitor.row(step, Delivery::Unknown);
            return;
        };
        let Flight { stamp, to } = flight.get_mut();
        let Some(at) = to.iter().position(|(vm, _)| *vm == me) else {
            visitor.row(step, Delivery::NotHere { stamp });
            return;
        };
        let overtaken_by = self.pairs.as_mut().and_then(|pairs| {
            let Entry::Occupied(mut pair) = pairs.entry((message.sender, me)) else { return None };
            let Pair { in_flight, latest } = pair.get_mut();
            let overtaken_by = (*latest > message.event).then_some(*latest);
            *latest = message.event.max(*latest);
            *in_flight -= 1;
            if *in_flight == 0 {
                pair.remove();
            }
            overtaken_by
        });
        visitor.row(step, Delivery::Delivered { stamp, overtaken_by });
        to[at].1 -= 1;
        if to[at].1 == 0 {
            to.swap_remove(at);
        }
        if to.is_empty() {
            flight.remove();
        }
    }
}
