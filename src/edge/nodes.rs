//! The nodes of a distributed run: where each of them is, which of them this process is, and which
//! machines it holds. What people write for it is read here; sockets and the environment are others'.
//!
//! - A [`NodeList`] has the address of every node, in the order of their numbers.
//! - A [`NodeChoice`] says which of them this process is, or leaves it to what its launcher tells.
//! - [`share`] and [`node_of`] are the rule of which node holds which machine.

mod choice;
mod list;

use std::ops::Range;

pub use choice::{NodeChoice, NodeError, ParseNodeChoiceError, from_launcher};
pub use list::{EntryFault, Host, NodeAddress, NodeList, ParseNodesError};

/// The machines that a node holds. With fewer machines than nodes some hold none.
///
/// # Panics
///
/// Where there are no nodes.
pub fn share(nodes: u32, node: u32, vms: u32) -> Range<u32> {
    let first = |node: u64| u32::try_from(node * u64::from(vms) / u64::from(nodes.max(1))).unwrap_or(vms);
    first(u64::from(node))..first(u64::from(node) + 1)
}

/// The node that holds a machine, one of so many machines on so many nodes.
///
/// # Panics
///
/// Where there are no machines.
pub fn node_of(vm: u32, nodes: u32, vms: u32) -> u32 {
    // The first node k whose share ends behind the machine: (k + 1) * vms >= (vm + 1) * nodes.
    let node = ((u64::from(vm) + 1) * u64::from(nodes) - 1) / u64::from(vms);
    u32::try_from(node).unwrap_or(nodes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_follow_each_other_and_hold_all_machines(nodes in 1u32..60, vms in 1u32..300) {
            let mut next = 0;
            for node in 0..nodes {
                let share = share(nodes, node, vms);
                prop_assert_eq!(share.start, next);
                prop_assert!(share.end - share.start - vms / nodes <= 1);
                prop_assert!(share.clone().all(|vm| node_of(vm, nodes, vms) == node));
                next = share.end;
            }
            prop_assert_eq!(next, vms);
        }

        #[test]
        fn a_node_holds_the_machines_whose_node_it_is(nodes in 1u32.., vms in 1u32.., vm: u32) {
            let vm = vm % vms;
            let node = node_of(vm, nodes, vms);
            prop_assert!(node < nodes);
            prop_assert!(share(nodes, node, vms).contains(&vm));
        }
    }

    #[test]
    fn the_rule_is_that_of_the_design() {
        assert_eq!([0, 1, 2].map(|node| share(3, node, 10)), [0..3, 3..6, 6..10]);
        assert_eq!([0, 1, 2].map(|node| share(3, node, 2)), [0..0, 0..1, 1..2]);
        assert_eq!(share(u32::MAX, u32::MAX - 1, u32::MAX), u32::MAX - 1..u32::MAX);
    }
}
