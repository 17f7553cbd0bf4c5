//! How far each machine of this process has come: by its logs and by what it has sent since, and by what others have
//! heard of it. No sockets.
//!
//! A log that lost its end would let a machine go on with event numbers that it has used already, which other logs
//! know by other contents. Whoever has a message of such an event tells so before the machines go on.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::model::event::MessageId;
use crate::model::id::VmId;

/// The frontier of this process's machines.
#[derive(Debug)]
pub(super) struct Frontier {
    first: u32,
    /// The latest event of each machine that is known of here.
    own: Vec<u64>,
    /// Whether the own logs are read.
    is_logged: bool,
    /// The latest event of each that others have heard of, where that is beyond what was known here, and who has.
    heard: BTreeMap<VmId, (u64, u32)>,
}

/// A machine whose log ends before what others have heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) vm: VmId,
    /// The last event in its log.
    pub(super) logged: u64,
    /// The event that was heard of.
    pub(super) heard: u64,
    /// The node that has a message of it.
    pub(super) node: u32,
}

impl Frontier {
    pub(super) fn new(machines: Range<u32>) -> Self {
        let own = machines.clone().map(|_| 0).collect();
        Self { first: machines.start, own, is_logged: false, heard: BTreeMap::new() }
    }

    /// The own logs are read, and say that each machine has made so many events.
    pub(super) fn logged(&mut self, events: &BTreeMap<VmId, u64>) {
        events.iter().for_each(|(vm, event)| self.sent(MessageId { sender: *vm, event: *event }));
        self.is_logged = true;
    }

    /// A machine of this process has come to that event.
    pub(super) fn sent(&mut self, MessageId { sender, event }: MessageId) {
        // By the largest, since messages of several threads' machines come in any order.
        if let Some(own) = self.own_mut(sender) {
            *own = event.max(*own);
        }
    }

    /// That node has a message of that event.
    pub(super) fn heard(&mut self, node: u32, MessageId { sender, event }: MessageId) {
        let is_logged = self.is_logged;
        if self.own_mut(sender).is_some_and(|own| *own < event || !is_logged) {
            let heard = self.heard.entry(sender).or_default();
            *heard = (*heard).max((event, node));
        }
    }

    /// The first machine whose log does not reach as far as others have heard; none while nobody can say.
    pub(super) fn behind(&self) -> Option<Behind> {
        let own = |vm: VmId| self.own.get(vm.0.checked_sub(self.first)? as usize).copied();
        let mut behind = self.heard.iter().filter_map(|(vm, (heard, node))| {
            let logged = own(*vm).filter(|logged| logged < heard)?;
            Some(Behind { vm: *vm, logged, heard: *heard, node: *node })
        });
        behind.next().filter(|_| self.is_logged)
    }

    fn own_mut(&mut self, vm: VmId) -> Option<&mut u64> {
        self.own.get_mut(vm.0.checked_sub(self.first)? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn event(sender: u32, event: u64) -> MessageId {
        MessageId { sender: VmId(sender), event }
    }

    #[test]
    fn a_log_that_ends_before_what_others_have_heard_is_behind() {
        let mut frontier = Frontier::new(2..4);
        frontier.heard(0, event(3, 45));
        frontier.heard(5, event(3, 40));
        frontier.heard(0, event(2, 7));
        frontier.heard(0, event(9, 7));
        assert_eq!(frontier.behind(), None, "its logs are not read yet");
        frontier.logged(&BTreeMap::from([(VmId(2), 7), (VmId(3), 39)]));
        let behind = Behind { vm: VmId(3), logged: 39, heard: 45, node: 0 };
        assert_eq!(frontier.behind(), Some(behind));
    }

    #[test]
    fn what_was_sent_since_is_known_and_a_machine_without_a_log_has_made_nothing() {
        let mut frontier = Frontier::new(2..4);
        frontier.logged(&BTreeMap::from([(VmId(2), 7)]));
        frontier.sent(event(2, 30));
        frontier.heard(0, event(2, 30));
        assert_eq!(frontier.behind(), None);
        frontier.heard(0, event(3, 1));
        assert_eq!(frontier.behind(), Some(Behind { vm: VmId(3), logged: 0, heard: 1, node: 0 }));
    }
}
