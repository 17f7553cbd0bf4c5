//! The ways between the events that are here and those that are not: a second look at the logs where some are
//! missing.

use std::collections::{BTreeMap, HashMap};

use super::{Graph, HistoryError};
use crate::edge::log::{EventKind, LogPath};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// How causality may leave what is here, and come back.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    /// Of each machine its sends of which a copy may have been received where it is not here, in their order.
    exits: BTreeMap<VmId, Vec<u64>>,
    /// Whether any event may be such a send.
    is_everywhere: bool,
    /// The stamps of messages that came back, by their receives.
    stamps: HashMap<MessageId, u64>,
}

impl Outside {
    /// Of a run whose events do not tell what they sent.
    pub(super) fn everywhere() -> Self {
        Self { is_everywhere: true, ..Self::default() }
    }

    /// Reads the logs again, of which the graph is known.
    pub(super) fn read(names: &[&LogPath], graph: &Graph) -> Result<Self, HistoryError> {
        let mut outside = Self::default();
        for name in names {
            let mut reader = name.open()?;
            while reader.advance()? {
                let row = reader.row();
                let event = MessageId { sender: row.vm, event: row.event };
                match (row.kind, row.message) {
                    (EventKind::Send, _) => {
                        let is_left = |peer: &VmId| {
                            // A copy that was sent, not lost, and received by nobody here may have been received by an
                            // event that is not here.
                            let copies = if row.duplicated.contains(peer) { 2 } else { 1 };
                            let arrives = !row.lost.contains(peer);
                            arrives && graph.receives(event, *peer) < copies
                        };
                        let mut left = row.peers.iter().filter(|peer| is_left(peer));
                        if left.any(|peer| graph.first_missing(*peer, 1).is_some()) {
                            outside.exits.entry(row.vm).or_default().push(row.event);
                        }
                    }
                    (EventKind::Receive, Some(message)) if !graph.is_here(message) => {
                        outside.stamps.extend(row.sender_lamport.map(|stamp| (event, stamp)));
                    }
                    _ => {}
                }
            }
        }
        outside.exits.values_mut().for_each(|exits| exits.sort_unstable());
        Ok(outside)
    }

    /// The stamp of a message from outside that an event received.
    pub(super) fn stamp(&self, receive: MessageId) -> Option<u64> {
        self.stamps.get(&receive).copied()
    }

    /// Whether one of a machine's events from one to another, both included, sent something outside.
    pub(super) fn has_exit(&self, vm: VmId, from: u64, to: u64) -> bool {
        if self.is_everywhere {
            return true;
        }
        let exits = self.exits.get(&vm).map_or(&[][..], Vec::as_slice);
        exits.get(exits.partition_point(|exit| *exit < from)).is_some_and(|exit| *exit <= to)
    }
}
