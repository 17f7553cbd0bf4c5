//! What is known at a moment of a replay: how far each machine is, and which messages are on their way.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::HistoryError;
use super::logs::Log;
use crate::after::history::hold_back::HoldBackQueue;
use crate::after::history::index::Index;
use crate::after::history::{Delivery, Step, Visitor};
use crate::edge::log::{EventKind, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;

#[derive(Debug)]
pub(super) struct State<S> {
    pub(super) machines: Vec<ReplayedMachine>,
    /// How many machines were shown.
    pub(super) shown: usize,
    pub(super) index: Index,
    /// What was sent and not received by all: it is what the memory of a replay grows with. Nothing depends on its order.
    pub(super) flights: FxHashMap<MessageId, Flight<S>>,
    /// Of pairs of machines with messages on their way, where the order between them is to be kept.
    pairs: Option<FxHashMap<(VmId, VmId), Pair>>,
    pub(super) waits: HoldBackQueue,
}

#[derive(Debug)]
pub(super) struct ReplayedMachine {
    pub(super) log: usize,
    pub(super) position: u64,
    /// Which machine it was to be shown.
    pub(super) shown: usize,
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Flight<S> {
    pub(super) stamp: S,
    /// Who is still to receive it, and how often.
    pub(super) to: SmallVec<[(VmId, u8); 2]>,
}

/// Messages from one machine to another.
#[derive(Debug, Default)]
struct Pair {
    in_flight: u32,
    /// The latest send of which one was received.
    latest: u64,
}

impl<S> State<S> {
    /// Nothing is replayed yet.
    pub(super) fn new(keeps_order: bool) -> Self {
        Self {
            machines: Vec::new(),
            shown: 0,
            index: Index::default(),
            flights: FxHashMap::default(),
            pairs: keeps_order.then(FxHashMap::default),
            waits: HoldBackQueue::default(),
        }
    }

    /// The number of a machine, that of a new one where it was not seen yet.
    #[inline]
    pub(super) fn machine(&mut self, vm: VmId, log: usize, logs: &[Log]) -> Result<usize, HistoryError> {
        let Some(machine) = self.index.get(vm) else {
            let machine = self.machines.len();
            self.index.insert(vm, machine);
            self.machines.push(ReplayedMachine { log, position: 0, shown: 0 });
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
    pub(super) fn missing(&self, row: &Row, logs: &[Log]) -> Option<MessageId> {
        let message = row.message.filter(|_| row.kind == EventKind::Receive)?;
        let sender = self.index.get(message.sender);
        let was_replayed = sender.is_some_and(|sender| self.machines[sender].position >= message.event);
        // A machine that receives its own message in another row than its send's cannot wait for itself: if the send were
        // still to come, it would stand behind this row.
        if was_replayed || message.sender == row.vm || self.flights.contains_key(&message) {
            return None;
        }
        if self.is_over(message.sender, logs) { None } else { Some(message) }
    }

    pub(super) fn wait(&mut self, machine: usize, message: MessageId) {
        self.waits.wait(machine, message);
    }

    /// Whether no row of that machine can come any more.
    pub(super) fn is_over(&self, vm: VmId, logs: &[Log]) -> bool {
        if let Some(machine) = self.index.get(vm)
            && self.waits.is_waiting(machine)
        {
            return false;
        }
        logs.iter().all(|log| log.has_ended || !log.may_hold(vm))
    }

    /// Shows a row, and does what it does to the messages on their way.
    #[inline]
    pub(super) fn show<V: Visitor<Stamp = S>>(&mut self, mut step: Step<'_>, visitor: &mut V) {
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
            debug_assert!(*in_flight > 0, "a pair without messages on their way is forgotten");
            *in_flight -= 1;
            if *in_flight == 0 {
                pair.remove();
            }
            overtaken_by
        });
        visitor.row(step, Delivery::Delivered { stamp, overtaken_by });
        debug_assert!(to[at].1 > 0, "who has received all copies is taken off the list");
        to[at].1 -= 1;
        if to[at].1 == 0 {
            to.swap_remove(at);
        }
        if to.is_empty() {
            flight.remove();
        }
    }
}
