//! Which machine of a replay has which id.

use rustc_hash::FxHashMap;

use crate::model::id::VmId;

/// Ids up to here are looked up in a table: those of all but strange logs.
const DENSE: u32 = 1 << 22;

/// The numbers of the machines by their ids.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By id, 1 more than the number; 0 where there is none.
    dense: Vec<u32>,
    sparse: FxHashMap<VmId, u32>,
}

impl Index {
    /// The number of the machine of that id.
    #[inline]
    pub(super) fn get(&self, vm: VmId) -> Option<usize> {
        let number = match self.dense.get(vm.index()) {
            Some(number) => *number,
            None => self.sparse.get(&vm).copied().unwrap_or(0),
        };
        (number as usize).checked_sub(1)
    }

    /// A new machine has that id and that number.
    pub(super) fn insert(&mut self, vm: VmId, number: usize) {
        debug_assert!(self.get(vm).is_none(), "machine {vm} has a number already");
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        if vm.0 >= DENSE {
            self.sparse.insert(vm, number);
            return;
        }
        // A faulty log may name any id: the table is bounded, and what is beyond it takes as much as there is of it.
        if self.dense.len() <= vm.index() {
            self.dense.resize(vm.index() + 1, 0);
        }
        self.dense[vm.index()] = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_size_have_their_numbers() {
        let mut index = Index::default();
        let ids = [7, 0, u32::MAX, DENSE, DENSE - 1, 3].map(VmId);
        for (number, id) in ids.into_iter().enumerate() {
            assert_eq!(index.get(id), None);
            index.insert(id, number);
        }
        assert_eq!(ids.map(|id| index.get(id)), [0, 1, 2, 3, 4, 5].map(Some));
        assert_eq!((index.get(VmId(1)), index.get(VmId(DENSE + 1))), (None, None));
    }
}
