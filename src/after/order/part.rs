//! Pasts, futures and cuts of a run of which not all may be here.

use super::Events;
use crate::after::history::{Front, Received};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// A past or a future, as far as it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Of a past the last, of a future the first event of each machine.
    pub front: Front,
    /// How many of its events are here.
    pub here: u64,
    /// How many it has beside them, for certain.
    pub elsewhere: u64,
    /// What it depends on, where it may have still others.
    pub depends: Option<String>,
}

/// Whether a cut is consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Whatever is received in it was sent in it.
    Consistent,
    /// A message was received in it and sent after it.
    Crossed(Received),
    /// By its vector, one of its last events knows another one, which is after it.
    Knows(MessageId, MessageId),
    /// It depends on what is not here.
    Unknown(String),
}

impl Events {
    /// On what an answer depends, in words.
    pub(super) fn depends(&self) -> String {
        let missing = self.read.graph.missing();
        if !missing.has_gaps() {
            return "it depends on what comes after the last rows that are here".to_owned();
        }
        let are = if missing.machines().all(|(_, lack)| lack.is_whole) { "are not" } else { "are not all" };
        format!("it depends on logs of {}, which {are} here", missing.who())
    }

    /// The same where there are several runs of machines of which it is certain that some are asked about, or may be.
    fn depends_on_runs(&self, mut machines: impl Iterator<Item = VmId>) -> Option<String> {
        let machine = machines.find(|vm| self.source.is_twofold(*vm))?;
        let machine = self.source.machine(machine);
        Some(format!(
            "it depends on '{machine}', of which the log has more than one run; nobody can tell of which others have heard"
        ))
    }

    /// The machines of which an event has heard, by its vector.
    fn heard(&self, event: MessageId) -> impl Iterator<Item = VmId> + '_ {
        let vector = self.read.standing.get(&event).map_or(&[][..], |standing| &standing.vector);
        (0..).map(VmId).zip(vector).filter(|(_, known)| **known > 0).map(|(vm, _)| vm)
    }

    /// The causal past of an event, as far as it is known: by its vector, or by the messages here.
    pub fn known_past(&self, event: MessageId) -> Part {
        let graph = &self.read.graph;
        let mut front = graph.past(event);
        let vector = self.read.standing.get(&event).map_or(&[][..], |standing| &standing.vector);
        if graph.missing().has_gaps() {
            for (vm, known) in (0..).map(VmId).zip(vector).filter(|(_, known)| **known > 0) {
                let last = front.entry(vm).or_default();
                *last = (*last).max(*known);
            }
        }
        let here = front.iter().map(|(vm, last)| graph.count(*vm, 1, *last)).sum();
        // An entry is the number of a machine's last event in the past, and all before it are in the past too: so the
        // entries add up to the number of events.
        let all: u64 = front.values().sum();
        let elsewhere = all.saturating_sub(here);
        let depends = (elsewhere > 0 && vector.is_empty()).then(|| self.depends());
        let depends = self.depends_on_runs(self.heard(event)).or(depends);
        Part { front, here, elsewhere, depends }
    }

    /// The causal future of an event, as far as it is known: by the vectors here, or by the messages.
    pub fn known_future(&self, event: MessageId) -> Part {
        let graph = &self.read.graph;
        let mut front = graph.future(event);
        if graph.missing().has_gaps() && self.read.has_vectors {
            for (vm, first) in self.read.after.get(&event).into_iter().flatten() {
                let known = front.entry(*vm).or_insert(*first);
                *known = (*known).min(*first);
            }
        }
        let here = self.count_from(&front);
        let lamport = self.read.standing.get(&event).and_then(|standing| standing.lamport);
        let is_open =
            !graph.missing().is_empty() && graph.reaches_missing(&graph.possible_future(event, lamport));
        let depends = is_open.then(|| self.depends()).or_else(|| self.source.unsure().pop());
        Part { front, here, elsewhere: 0, depends }
    }

    /// Whether a cut is consistent, which is given by the last events in it; of a machine that is not named, it has
    /// none.
    pub fn cut(&self, cut: &[MessageId]) -> Cut {
        let graph = &self.read.graph;
        if let Some(depends) = self.depends_on_runs(cut.iter().flat_map(|event| self.heard(*event))) {
            return Cut::Unknown(depends);
        }
        if let Some(message) = self.crossing(cut).filter(|message| self.source.is_at_once(message)) {
            return Cut::Crossed(message);
        }
        let front: Front = cut.iter().map(|event| (event.sender, event.event)).collect();
        let is_missing = |event: &&MessageId| {
            let first = graph.first_missing(event.sender, 1);
            first.is_some_and(|first| first <= event.event)
        };
        if !self.source.is_foreign() && !cut.iter().any(|event| is_missing(&event)) {
            return Cut::Consistent;
        }
        let mut is_known = true;
        for event in cut {
            let vector = self.read.standing.get(event).map_or(&[][..], |standing| &standing.vector);
            is_known &= !vector.is_empty();
            let known =
                (0..).map(VmId).zip(vector).map(|(sender, event)| MessageId { sender, event: *event });
            let is_after = |known: &MessageId| known.event > front.get(&known.sender).copied().unwrap_or(0);
            if let Some(after) = known.into_iter().find(is_after) {
                return Cut::Knows(*event, after);
            }
        }
        if is_known { Cut::Consistent } else { Cut::Unknown(self.depends()) }
    }
}
