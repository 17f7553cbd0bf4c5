//! The happened-before relation of a run: its machines' events, and the messages that were received.
//!
//! It is the smallest relation that has the order of events within a machine and each send before its receives, and is
//! transitive (Lamport 1978). It is an order, since nothing happened before itself; where logs show a circle, they are
//! wrong.
//!
//! Of an event only its number is kept, and only of a receive that: what happened before what follows from the
//! order within machines and from messages. So ten million events take some hundred megabytes.

use std::collections::BTreeMap;

use super::missing::{Missing, ReadLog, Witness};
use super::numbers::Numbers;
use super::{HistoryError, Outside};
use crate::edge::log::{EventKind, LogFolder, LogPath, Row};
use crate::edge::trace::Trace;
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// The events and the received messages of a run. An event is named as its message would be.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    machines: BTreeMap<VmId, GraphMachine>,
    /// What is not here.
    missing: Missing,
    outside: Outside,
}

/// A machine that has events, or of which a message was received.
#[derive(Clone, Debug, Default)]
struct GraphMachine {
    /// Its log, where it has one here.
    log: Option<usize>,
    events: Numbers,
    /// Messages that it received, by its event.
    received: Vec<Received>,
    /// Messages of it that others received, by its event.
    sent: Vec<Received>,
}

/// A message that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Received {
    /// The event that sent it.
    pub send: MessageId,
    /// The event that received it.
    pub receive: MessageId,
}

/// For each machine in it the number of one of its events: how far a set of events reaches, or where it begins.
pub type Front = BTreeMap<VmId, u64>;

impl Graph {
    /// Reads the logs of one run. Every row is shown, with its text and the number of its log.
    ///
    /// # Errors
    ///
    /// Where a log cannot be read or a row in it is malformed, and where the logs are not of one run.
    pub fn read(
        folders: &[LogFolder],
        mut show: impl FnMut(usize, &Row, &[u8]),
    ) -> Result<Self, HistoryError> {
        let names: Vec<&LogPath> = folders.iter().flat_map(|folder| &folder.logs).collect();
        let (mut graph, mut read, mut known) = (Self::default(), Vec::new(), Vec::new());
        for (log, name) in names.iter().enumerate() {
            let mut reader = name.open()?;
            while reader.advance()? {
                show(log, reader.row(), reader.text());
                graph.add(log, reader.row(), &names)?;
                if reader.row().kind == EventKind::Receive {
                    take_max(&mut known, reader.row().past());
                }
            }
            read.push(ReadLog { rows: reader.entry().rows, torn: reader.torn() });
        }
        let witness = graph.witness(&known);
        graph.missing = Missing::of(folders, &read, &witness);
        graph.sort();
        if !graph.missing.is_empty() {
            graph.outside = Outside::read(&names, &graph)?;
        }
        Ok(graph)
    }

    fn add(&mut self, log: usize, row: &Row, names: &[&LogPath]) -> Result<(), HistoryError> {
        let new = || GraphMachine { log: Some(log), ..GraphMachine::default() };
        let machine = self.machines.entry(row.vm).or_insert_with(new);
        if let Some(first) = machine.log.filter(|first| *first != log) {
            let (first, second) = (names[first].path.clone(), names[log].path.clone());
            return Err(HistoryError::TwoLogs { vm: row.vm, first, second });
        }
        let event = MessageId { sender: row.vm, event: row.event };
        if !machine.events.add(row.event) {
            return Err(HistoryError::Twice { event, path: names[log].path.clone(), line: row.line });
        }
        if let (EventKind::Receive, Some(send)) = (row.kind, row.message) {
            machine.received.push(Received { send, receive: event });
        }
        Ok(())
    }

    /// What the rows tell of events that may not be here; `known` are the last ones of which vectors tell.
    fn witness(&self, known: &[u64]) -> Witness {
        let machines =
            self.machines.iter().map(|(vm, machine)| (*vm, machine.log.unwrap_or(0), machine.events.clone()));
        let mut witness = Witness::of(machines);
        let received = self.machines.values().flat_map(|machine| &machine.received);
        for Received { send, .. } in received.filter(|message| !self.is_here(message.send)) {
            witness.unknown(*send, &[]);
        }
        witness.known(known);
        witness
    }

    /// The events of a run of another program.
    pub fn of_trace(trace: &Trace) -> Self {
        let mut graph = Self::default();
        for (host, own) in trace.by_host() {
            let mut machine = GraphMachine { log: Some(0), ..GraphMachine::default() };
            let mut before = None;
            for &index in own {
                let receive = trace.events[index].id;
                machine.events.add(receive.event);
                let sends = trace.causes(index).iter().map(|cause| trace.events[*cause].id);
                let sends = sends.chain(trace.causes_elsewhere(index, before));
                machine.received.extend(sends.map(|send| Received { send, receive }));
                before = Some(index);
            }
            graph.machines.insert(host, machine);
        }
        graph.sort();
        graph.missing = Missing::of_trace(trace);
        if !graph.missing.is_empty() {
            graph.outside = Outside::everywhere();
        }
        graph
    }

    /// Messages of machines that are not here are kept with those as well: their own order is known.
    fn sort(&mut self) {
        let all: Vec<Received> =
            self.machines.values().flat_map(|machine| machine.received.iter().copied()).collect();
        for message in all {
            self.machines.entry(message.send.sender).or_default().sent.push(message);
        }
        // Sorted, the messages between two events of a machine are a slice, which is all that the ways through the graph
        // ask for.
        for machine in self.machines.values_mut() {
            machine.received.sort_unstable_by_key(|message| message.receive.event);
            machine.sent.sort_unstable_by_key(|message| message.send.event);
        }
    }

    /// The number of a machine's last event that is here, where it has any.
    pub fn last(&self, vm: VmId) -> Option<u64> {
        self.machines.get(&vm).map(|machine| machine.events.last()).filter(|last| *last > 0)
    }

    /// What is not here of the run.
    pub const fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Whether an event is here.
    pub fn is_here(&self, event: MessageId) -> bool {
        self.machines.get(&event.sender).is_some_and(|machine| machine.events.contains(event.event))
    }

    /// How many events of a machine are here, from one number to another.
    pub fn count(&self, vm: VmId, from: u64, to: u64) -> u64 {
        self.machines.get(&vm).map_or(0, |machine| machine.events.count(from, to))
    }

    /// How many copies of a message that one machine sent were received by another, as far as that is here.
    pub(super) fn receives(&self, send: MessageId, by: VmId) -> usize {
        let sent = self.sent(send.sender, send.event, send.event);
        sent.iter().filter(|message| message.receive.sender == by).count()
    }

    /// The first event of a machine from that number on that is not here, where the run has or may have one.
    pub fn first_missing(&self, vm: VmId, from: u64) -> Option<u64> {
        let machine = self.machines.get(&vm);
        let next = machine.map_or(from, |machine| machine.events.first_missing(from));
        let is_open = machine.is_some_and(|machine| {
            let log = machine.log.filter(|log| self.missing.is_open(*log));
            log.is_some() && next > machine.events.last()
        });
        (is_open || self.missing.lacks(MessageId { sender: vm, event: next })).then_some(next)
    }

    /// The first event of each machine that may follow an event, itself among them, by what is here and through
    /// what is not. `lamport` is the event's Lamport clock: what has not a larger one does not follow it.
    pub fn possible_future(&self, start: MessageId, lamport: Option<u64>) -> Front {
        let mut front = Front::new();
        let mut to_do = vec![start];
        let mut is_outside = false;
        while let Some(event) = to_do.pop() {
            let known = front.entry(event.sender).or_insert(u64::MAX);
            if *known <= event.event {
                continue;
            }
            let before = std::mem::replace(known, event.event);
            // On the way out and back, clocks count the receive outside and the send there.
            let can_follow = |message: &&Received| match self.outside.stamp(message.receive).zip(lamport) {
                Some((stamp, own)) => message.send.sender == start.sender || stamp >= own.saturating_add(2),
                None => true,
            };
            let sent = self.sent(event.sender, event.event, before - 1).iter().filter(can_follow);
            to_do.extend(sent.map(|message| message.receive));
            // Whoever gets out of what is here may come to all that is not.
            if !is_outside && self.gets_outside(event, before) {
                is_outside = true;
                let missing = self.missing.machines().map(|(vm, _)| vm);
                to_do.extend(missing.filter_map(|sender| {
                    self.first_missing(sender, 1).map(|event| MessageId { sender, event })
                }));
            }
        }
        front
    }

    /// Whether a machine has events from one on, before another, that are not here, or sent a message to where it
    /// may have been received by one that is not.
    fn gets_outside(&self, from: MessageId, before: u64) -> bool {
        let first = self.first_missing(from.sender, from.event);
        first.is_some_and(|first| first < before)
            || self.outside.has_exit(from.sender, from.event, before - 1)
    }

    /// Whether an event of a set, given by its first ones, is not here.
    pub fn reaches_missing(&self, front: &Front) -> bool {
        front.iter().any(|(vm, first)| self.first_missing(*vm, *first).is_some())
    }

    /// The last event of each machine in the causal past of an event, which is part of it.
    pub fn past(&self, event: MessageId) -> Front {
        // The numbers that are found are the entries of the event's vector clock (Fidge 1988, Mattern 1989), without any
        // clock's code or cell. A machine is gone through once, downwards: what is below a number is known with it.
        let mut front = Front::new();
        let mut to_do = vec![event];
        while let Some(event) = to_do.pop() {
            let known = front.entry(event.sender).or_default();
            if *known >= event.event {
                continue;
            }
            let before = std::mem::replace(known, event.event);
            debug_assert!(before < event.event, "the front of machine {} goes back", event.sender);
            let received = self.received(event.sender, before + 1, event.event);
            to_do.extend(received.iter().map(|message| message.send));
        }
        front
    }

    /// Whether an event happened before itself, as it does in no log that is right: whether what it sent, or what
    /// came after it in its machine, is known in its own past.
    pub fn is_in_circle(&self, event: MessageId) -> bool {
        self.past(event).into_iter().any(|(vm, last)| {
            let is_later =
                |message: &Received| message.send.sender == event.sender && message.send.event >= event.event;
            self.received(vm, 1, last).iter().any(is_later)
        })
    }

    /// The first event of each machine in the causal future of an event, which is part of it.
    pub fn future(&self, event: MessageId) -> Front {
        let mut front = Front::new();
        let mut to_do = vec![event];
        while let Some(event) = to_do.pop() {
            let known = front.entry(event.sender).or_insert(u64::MAX);
            if *known <= event.event {
                continue;
            }
            let before = std::mem::replace(known, event.event);
            debug_assert!(event.event < before, "the front of machine {} goes on", event.sender);
            to_do.extend(
                self.sent(event.sender, event.event, before - 1).iter().map(|message| message.receive),
            );
        }
        front
    }

    /// A chain of the fewest messages from one event to another: the first is sent at the one or after it, and
    /// each following one at or after the receive of the one before. Empty where both are of one machine.
    pub fn chain(&self, from: MessageId, to: MessageId) -> Option<Vec<Received>> {
        // A search in breadth: round k finds the machines that k messages reach, and the earliest event of each. Whoever
        // is reached later in a machine than before finds nothing new there, so each event is gone through once.
        let mut front = Front::from([(from.sender, from.event)]);
        // The messages that reached further than any before, each with the one that led to it.
        let mut found: Vec<(Received, Option<usize>)> = Vec::new();
        let mut latest: Vec<(MessageId, u64, Option<usize>)> = vec![(from, u64::MAX, None)];
        let mut goal = (from.sender == to.sender && from.event <= to.event).then_some(None);
        while goal.is_none() && !latest.is_empty() {
            let mut next = Vec::new();
            for (event, before, by) in latest {
                for &message in self.sent(event.sender, event.event, before - 1) {
                    let receive = message.receive;
                    let known = front.entry(receive.sender).or_insert(u64::MAX);
                    if receive.event < *known {
                        let before = std::mem::replace(known, receive.event);
                        found.push((message, by));
                        next.push((receive, before, Some(found.len() - 1)));
                        if receive.sender == to.sender && receive.event <= to.event {
                            goal.get_or_insert(Some(found.len() - 1));
                        }
                    }
                }
            }
            latest = next;
        }
        let mut chain = Vec::new();
        let mut step = goal?;
        while let Some(index) = step {
            chain.push(found[index].0);
            step = found[index].1;
        }
        chain.reverse();
        Some(chain)
    }

    /// A message that crosses a cut backwards: received within it and sent after it. The cut has each machine's
    /// events up to its number, and none of a machine that it does not name. None where it is consistent (Chandy and
    /// Lamport 1985): no effect is in it without its cause.
    pub fn crossing(&self, cut: &Front) -> Option<Received> {
        cut.iter().find_map(|(vm, last)| {
            let is_sent_after = |message: &&Received| {
                cut.get(&message.send.sender).is_none_or(|last| message.send.event > *last)
            };
            self.received(*vm, 1, *last).iter().find(is_sent_after).copied()
        })
    }

    /// What a machine received from one event to another, both included.
    fn received(&self, vm: VmId, from: u64, to: u64) -> &[Received] {
        let received = self.machines.get(&vm).map_or(&[][..], |machine| &machine.received);
        between(received, from, to, |message| message.receive.event)
    }

    /// What others received of what a machine sent from one event to another, both included.
    fn sent(&self, vm: VmId, from: u64, to: u64) -> &[Received] {
        let sent = self.machines.get(&vm).map_or(&[][..], |machine| &machine.sent);
        between(sent, from, to, |message| message.send.event)
    }
}

fn between(messages: &[Received], from: u64, to: u64, event: impl Fn(&Received) -> u64) -> &[Received] {
    // A search by halves asks few of them: that all are in order is seen where they are sorted.
    debug_assert!(
        messages.first().zip(messages.last()).is_none_or(|(first, last)| event(first) <= event(last)),
        "messages are sorted before they are looked up"
    );
    let first = messages.partition_point(|message| event(message) < from);
    let after = messages.partition_point(|message| event(message) <= to);
    &messages[first..after.max(first)]
}

/// The larger entries of both.
fn take_max(known: &mut Vec<u64>, vector: &[u64]) {
    if known.len() < vector.len() {
        known.resize(vector.len(), 0);
    }
    known.iter_mut().zip(vector).for_each(|(known, entry)| *known = (*known).max(*entry));
}
