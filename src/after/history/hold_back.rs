//! Machines that wait for a message, and their rows that were put aside meanwhile.
//!
//! What is held back here are rows that were made long ago, but the rule is that of causal broadcast (Birman, Schiper and
//! Stephenson 1991): nothing is delivered before what happened before it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use rustc_hash::FxHashMap;

use crate::edge::log::Row;
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Who waits for what. Few machines wait at a time.
#[derive(Debug, Default)]
pub(super) struct HoldBackQueue {
    waiting: BTreeMap<usize, HeldBack>,
    /// Of each sender the events that are waited for, and by whom.
    by_sender: FxHashMap<VmId, BinaryHeap<Reverse<(u64, usize)>>>,
    woken: VecDeque<usize>,
}

#[derive(Debug, Default)]
struct HeldBack {
    /// None once it was woken, and its rows go on.
    message: Option<MessageId>,
    aside: VecDeque<Row>,
}

impl HoldBackQueue {
    /// Whether a machine waits. Its rows are to be put aside then.
    #[inline]
    pub(super) fn is_waiting(&self, machine: usize) -> bool {
        !self.waiting.is_empty() && self.waiting.contains_key(&machine)
    }

    /// The message that a machine waits for.
    pub(super) fn waits_for(&self, machine: usize) -> Option<MessageId> {
        self.waiting.get(&machine)?.message
    }

    pub(super) fn waiting(&self) -> Vec<usize> {
        self.waiting.keys().copied().collect()
    }

    /// A machine waits for a message from now on.
    pub(super) fn wait(&mut self, machine: usize, message: MessageId) {
        self.waiting.entry(machine).or_default().message = Some(message);
        self.by_sender.entry(message.sender).or_default().push(Reverse((message.event, machine)));
    }

    /// A row was replayed: wakes those that wait for it, or for one that should have come before.
    #[inline]
    pub(super) fn replayed(&mut self, vm: VmId, event: u64, position: u64) {
        if !self.by_sender.is_empty() {
            self.wake_those(vm, event, position);
        }
    }

    fn wake_those(&mut self, vm: VmId, event: u64, position: u64) {
        let Some(heap) = self.by_sender.get_mut(&vm) else { return };
        // The earliest first: the rows of a sender come one after the other, so who waits for a later one still waits.
        while let Some(&Reverse((wanted, machine))) = heap.peek()
            && (wanted <= position || wanted == event)
        {
            heap.pop();
            self.woken.push_back(machine);
        }
        // Without it, the look-up at every row would go on for a sender for which nobody waits.
        if heap.is_empty() {
            self.by_sender.remove(&vm);
        }
    }

    /// Wakes a machine in vain.
    pub(super) fn wake(&mut self, machine: usize) {
        if let Some(message) = self.stop_waiting(machine) {
            self.waiting.entry(machine).or_default().message = Some(message);
            self.woken.push_back(machine);
        }
    }

    /// A machine that was woken; its message is there, or will not come.
    pub(super) fn woken(&mut self) -> Option<usize> {
        self.woken.pop_front()
    }

    /// A machine does not wait any more; tells what for it did.
    pub(super) fn stop_waiting(&mut self, machine: usize) -> Option<MessageId> {
        let message = self.waiting.get_mut(&machine)?.message.take()?;
        if let Some(heap) = self.by_sender.get_mut(&message.sender) {
            heap.retain(|Reverse((_, waiter))| *waiter != machine);
            if heap.is_empty() {
                self.by_sender.remove(&message.sender);
            }
        }
        Some(message)
    }

    /// Keeps a row of a waiting machine.
    pub(super) fn put_aside(&mut self, machine: usize, row: Row) {
        self.waiting.entry(machine).or_default().aside.push_back(row);
    }

    /// Puts the row back that was taken last.
    pub(super) fn put_back(&mut self, machine: usize, row: Row) {
        self.waiting.entry(machine).or_default().aside.push_front(row);
    }

    /// The first row of a machine that was put aside. Where there is none, the machine waits no more.
    pub(super) fn take_aside(&mut self, machine: usize) -> Option<Row> {
        let waiting = self.waiting.get_mut(&machine)?;
        let row = waiting.aside.pop_front();
        if row.is_none() {
            self.waiting.remove(&machine);
        }
        row
    }

    /// The same row, left where it is.
    pub(super) fn first_aside(&self, machine: usize) -> Option<&Row> {
        self.waiting.get(&machine)?.aside.front()
    }
}
