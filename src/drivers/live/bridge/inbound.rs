//! How many messages from each other process wait in this one: those that have arrived over its link and that no
//! machine here has received.
//!
//! The model's inboxes have no bound, and machines that are sent more than they receive have longer and longer ones.
//! A process that belongs to somebody else is trusted with so much memory and no more: what comes beyond that is
//! dropped, counted, and told of, as it is on the way out. It is not left in the socket: acknowledgements and the
//! words of the run's start and end come over the same connection, and two processes that wait for each other's
//! machines would wait for ever.

use std::sync::atomic::{AtomicU64, Ordering};

use super::membership::Membership;
use crate::edge::link::bounds::Bounds;
use crate::edge::nodes;
use crate::model::id::VmId;

/// The memory that one other process's messages may take here, about.
const MOST_BYTES: usize = 256 << 20;

/// Messages that wait, by the process that they came from.
#[derive(Debug)]
pub struct Inbound {
    vms: u32,
    waiting: Box<[AtomicU64]>,
    /// How many may wait of each process.
    most: u64,
}

impl Inbound {
    /// None wait yet in that process.
    pub fn new(membership: &Membership) -> Self {
        Self::of(membership.identity.nodes, &membership.bounds)
    }

    fn of(nodes: u32, bounds: &Bounds) -> Self {
        let vms = u32::try_from(bounds.vms()).unwrap_or(u32::MAX);
        let most = bounds.message_bytes().map_or(u64::MAX, |bytes| (MOST_BYTES / bytes) as u64);
        let waiting = (0..nodes).map(|_| AtomicU64::new(0)).collect();
        Self { vms, waiting, most }
    }

    /// How many may wait of each process.
    pub const fn most(&self) -> u64 {
        self.most
    }

    /// So many have arrived from that process; tells how many of them may stay.
    pub(super) fn arrived(&self, node: u32, count: u64) -> u64 {
        let Some(waiting) = self.waiting.get(node as usize) else { return count };
        // Only the bridge adds, so there is at least as much room as this by the time that it has.
        let stay = count.min(self.most.saturating_sub(waiting.load(Ordering::Relaxed)));
        debug_assert!(stay <= count, "more stay than have come");
        waiting.fetch_add(stay, Ordering::Relaxed);
        stay
    }

    /// A machine has received one that this machine of another process sent.
    pub fn received(&self, sender: VmId) {
        let node = nodes::node_of(sender.0, u32::try_from(self.waiting.len()).unwrap_or(u32::MAX), self.vms);
        if let Some(waiting) = self.waiting.get(node as usize) {
            let before = waiting.fetch_sub(1, Ordering::Relaxed);
            debug_assert!(before > 0, "a message of node {node} is received that had not arrived");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scenario::{Scenario, Settings};
    use crate::model::seed::Seed;

    #[test]
    fn one_process_has_its_share_of_the_memory_and_gets_room_as_machines_receive() {
        let settings: Settings = toml::from_str("vms = 4").unwrap();
        let inbound = Inbound::of(2, &Bounds::of(&Scenario::new(&settings, Seed(1)).unwrap()));
        let most = inbound.most();
        assert!((1_000_000..2_000_000).contains(&most), "{most}");
        assert_eq!(inbound.arrived(1, most - 1), most - 1);
        assert_eq!(inbound.arrived(1, 5), 1);
        assert_eq!(inbound.arrived(1, 5), 0);
        assert_eq!(inbound.arrived(0, 5), 5, "another one has its own");
        inbound.received(VmId(3));
        inbound.received(VmId(2));
        assert_eq!(inbound.arrived(1, 5), 2);
    }
}
