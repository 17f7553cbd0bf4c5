//! The replay: reads several logs at once, and holds each receive back until its send has been replayed.
//!
//! The log whose next row is the earliest goes on first, so that rows come about as they happened and few
//! have to wait. A log whose next row waits is *stalled*. Where all are, rows are taken out of them and kept
//! aside: that happens only where a log's own rows are not in the order of causality.

mod logs;
mod state;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

pub(crate) use self::logs::LogSummary;
use self::logs::{Log, not_its_machine};
use self::state::State;
use super::missing::ReadLog;
use super::visitor::{Place, Visitor};
use crate::clock::ClockList;
use crate::edge::log::{LogPath, ReadError, Row, RowReader};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::Nanos;

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
        /// The machine that is in both.
        vm: VmId,
        /// The log in which it was found first.
        first: PathBuf,
        /// The log in which it was found again.
        second: PathBuf,
    },
    /// An event has two rows.
    #[error("{}:{line}: event {event} was there before: expected the log of one run, with each event once", path.display())]
    Twice {
        /// The event that is there a second time.
        event: MessageId,
        /// The log with the second row.
        path: PathBuf,
        /// The line of the second one.
        line: u64,
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
            let reader = match name.open() {
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
        let state = State::new(keeps_order);
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

    /// The clocks that the logs have columns for.
    pub(crate) fn clocks(&self) -> ClockList {
        let readers = self.logs.iter().filter_map(|log| log.reader.as_ref());
        ClockList::new(readers.flat_map(|reader| reader.clocks().to_vec()))
    }

    /// What is known of each log, in the order in which they were given.
    pub(crate) fn summaries(&self) -> impl Iterator<Item = (&Path, &LogSummary)> {
        self.logs.iter().map(|log| (log.name.path.as_path(), &log.summary))
    }

    /// How far each log was read, in the order in which they were given.
    pub fn read_logs(&self) -> Vec<ReadLog> {
        let logs = self.logs.iter().map(|log| &log.summary);
        logs.map(|summary| ReadLog { rows: summary.rows, torn: summary.torn }).collect()
    }

    /// What was kept of the sends whose messages were not received by all, with those that have not and how often
    /// they could.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = (MessageId, &S, &[(VmId, u8)])> {
        self.state.flights.iter().map(|(id, flight)| (*id, &flight.stamp, flight.to.as_slice()))
    }

    /// Shows rows of a log until it is stalled, at its end, or no longer the one that is behind.
    ///
    /// Times only choose which log goes on, since clocks of several hosts may contradict causality: whether a row may be
    /// shown follows from messages alone.
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
            // Into the heap only where another log is behind: a log alone, or one that is, goes on without it.
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
        (summary.is_saved_again, summary.clock_is_number) =
            (reader.is_saved_again(), reader.clock_is_number());
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
        // Rows in a circle each wait for a row that is behind another one: none of them can have happened first, so the
        // logs are wrong (Lamport 1978: happened-before is irreflexive). It is told, and one of them goes on in vain.
        if let Some(circle) = waiting.iter().find_map(|machine| self.circle(*machine)) {
            debug_assert!(!circle.is_empty(), "a circle has a machine");
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
        // Who waits, waits for one sender: the way is without branches, and comes to an end or to itself.
        let mut path = vec![machine];
        loop {
            debug_assert!(path.len() <= self.state.machines.len(), "a machine is twice on the way");
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
