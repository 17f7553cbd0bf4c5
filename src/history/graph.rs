//! The happened-before relation of a run: its machines' events, and the messages that were received.
//!
//! Of an event only its number is kept, and only of a receive that: what happened before what follows from the
//! order within machines and from messages. So ten million events take some hundred megabytes.

use std::collections::BTreeMap;

use super::HistoryError;
use crate::event::MessageId;
use crate::id::VmId;
use crate::log::{EventKind, LogPath, Row, RowReader};
use crate::trace::Trace;

/// The events and the received messages of a run. An event is named as its message would be.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    machines: BTreeMap<VmId, Machine>,
}

#[derive(Clone, Debug, Default)]
struct Machine {
    log: usize,
    last: u64,
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
    pub fn read(names: &[LogPath], mut show: impl FnMut(usize, &Row, &[u8])) -> Result<Self, HistoryError> {
        let mut graph = Self::default();
        for (log, name) in names.iter().enumerate() {
            let mut reader = RowReader::open(&name.path)?;
            while reader.advance()? {
                let row = reader.row();
                show(log, row, reader.text());
                let machine =
                    graph.machines.entry(row.vm).or_insert_with(|| Machine { log, ..Machine::default() });
                if machine.log != log {
                    let (first, second) = (names[machine.log].path.clone(), name.path.clone());
                    return Err(HistoryError::TwoLogs { vm: row.vm, first, second });
                }
                machine.last = machine.last.max(row.event);
                if let (EventKind::Receive, Some(send)) = (row.kind, row.message) {
                    let receive = MessageId { sender: row.vm, event: row.event };
                    machine.received.push(Received { send, receive });
                }
            }
        }
        graph.sort();
        Ok(graph)
    }

    /// The events of a run of another program.
    pub fn of_trace(trace: &Trace) -> Self {
        let mut graph = Self::default();
        for (host, own) in trace.by_host() {
            let mut received = Vec::new();
            for &index in own {
                let receive = trace.events[index].id;
                let sends = trace.causes(index).iter().map(|cause| trace.events[*cause].id);
                received.extend(sends.map(|send| Received { send, receive }));
            }
            graph.machines.insert(host, Machine { log: 0, last: trace.last(host), received, sent: vec![] });
        }
        graph.sort();
        graph
    }

    fn sort(&mut self) {
        let all: Vec<Received> =
            self.machines.values().flat_map(|machine| machine.received.iter().copied()).collect();
        for message in all {
            if let Some(sender) = self.machines.get_mut(&message.send.sender) {
                sender.sent.push(message);
            }
        }
        for machine in self.machines.values_mut() {
            machine.received.sort_unstable_by_key(|message| message.receive.event);
            machine.sent.sort_unstable_by_key(|message| message.send.event);
        }
    }

    /// The number of a machine's last event, where it has any.
    pub fn last(&self, vm: VmId) -> Option<u64> {
        self.machines.get(&vm).map(|machine| machine.last)
    }

    /// The last event of each machine in the causal past of an event, which is part of it.
    pub fn past(&self, event: MessageId) -> Front {
        let mut front = Front::new();
        let mut to_do = vec![event];
        while let Some(event) = to_do.pop() {
            let known = front.entry(event.sender).or_default();
            if *known >= event.event {
                continue;
            }
            let before = std::mem::replace(known, event.event);
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
            to_do.extend(
                self.sent(event.sender, event.event, before - 1).iter().map(|message| message.receive),
            );
        }
        front
    }

    /// A chain of the fewest messages from one event to another: the first is sent at the one or after it, and
    /// each following one at or after the receive of the one before. Empty where both are of one machine.
    pub fn chain(&self, from: MessageId, to: MessageId) -> Option<Vec<Received>> {
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
    /// events up to its number, and none of a machine that it does not name. None where it is consistent.
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
    let first = messages.partition_point(|message| event(message) < from);
    let after = messages.partition_point(|message| event(message) <= to);
    &messages[first..after.max(first)]
}
