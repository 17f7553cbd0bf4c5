//! Placeholder.
use std::ops::Range;
use crate::id::VmId;
/// x
pub fn share(nodes: u32, node: u32, vms: u32) -> Range<u32> {
    let bound = |k: u32| u32::try_from(u64::from(k) * u64::from(vms) / u64::from(nodes)).unwrap_or(u32::MAX);
    bound(node)..bound(node + 1)
}
/// x
pub fn node_of(vm: VmId, nodes: u32, vms: u32) -> u32 {
    u32::try_from(((u64::from(vm.0) + 1) * u64::from(nodes) - 1) / u64::from(vms)).unwrap_or(u32::MAX)
}
