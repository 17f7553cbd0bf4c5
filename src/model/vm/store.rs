//! The memory of inboxes: messages that wait, in lists that share their places.
//!
//! Machines that run on one thread share a store. Most of them have no message most of the time, so
//! a place each, ready for the next one, would take more memory than all that they really have; and a
//! place that was left a moment ago is still in the processor's cache.

use crate::clock::{OtherStamps, Stamp};
use crate::model::event::{Message, MessageId, Payload};
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// The memory of the inboxes of machines that run on one thread.
#[derive(Debug, Default)]
pub struct Store {
    slots: Vec<Slot>,
    /// What the messages in the slots carry beside a Lamport clock; shorter than those where the rest
    /// carries nothing else.
    cargo: Vec<Cargo>,
    /// The first of the places that are free, each linked to the next one.
    free: Slab,
}

/// A place in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slab(u32);

/// A message without its recipient, whom the list knows, and with the place of the next one.
#[derive(Debug)]
struct Slot {
    arrives: Nanos,
    event: u64,
    lamport: u64,
    sender: VmId,
    next: Slab,
}

/// What many runs have no use for.
#[derive(Debug)]
struct Cargo {
    stamps: OtherStamps,
    payload: Payload,
}

impl Cargo {
    const NONE: Self = Self { stamps: OtherStamps::NONE, payload: None };
}

impl Slab {
    /// No place: the end of a list.
    pub(super) const NONE: Self = Self(u32::MAX);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Default for Slab {
    fn default() -> Self {
        Self::NONE
    }
}

impl Store {
    /// Puts a message into a free place, linked to none. What it carries is taken out of it.
    ///
    /// # Panics
    ///
    /// Where four billion messages wait.
    #[inline(always)]
    pub(super) fn put(&mut self, message: &mut Message) -> Slab {
        let MessageId { sender, event } = message.id;
        let (arrives, lamport) = (message.arrives, message.stamp.lamport);
        let place = self.place(Slot { arrives, event, lamport, sender, next: Slab::NONE });
        if message.payload.is_some() || !message.stamp.others.is_none() {
            self.load(place, message);
        }
        place
    }

    #[inline(always)]
    fn place(&mut self, slot: Slot) -> Slab {
        let place = self.free;
        if place == Slab::NONE {
            let end = u32::try_from(self.slots.len()).ok().filter(|end| *end != u32::MAX);
            self.slots.push(slot);
            return Slab(end.expect("fewer than four billion messages wait"));
        }
        let free = &mut self.slots[place.index()];
        self.free = free.next;
        *free = slot;
        place
    }

    fn load(&mut self, place: Slab, message: &mut Message) {
        if self.cargo.len() <= place.index() {
            self.cargo.resize_with(place.index() + 1, || Cargo::NONE);
        }
        let Message { stamp, payload, .. } = message.take();
        self.cargo[place.index()] = Cargo { stamps: stamp.others, payload };
    }

    /// Takes the message to that machine out of its place, and tells the place of the next one.
    #[inline]
    pub(super) fn take(&mut self, place: Slab, to: VmId) -> (Message, Slab) {
        let cargo = self.cargo.get_mut(place.index());
        let cargo = cargo.map_or(Cargo::NONE, |cargo| std::mem::replace(cargo, Cargo::NONE));
        let slot = &mut self.slots[place.index()];
        let id = MessageId { sender: slot.sender, event: slot.event };
        let stamp = Stamp { lamport: slot.lamport, others: cargo.stamps };
        let (arrives, payload) = (slot.arrives, cargo.payload);
        let message = Message { id, to, arrives, stamp, payload };
        let next = std::mem::replace(&mut slot.next, self.free);
        self.free = place;
        (message, next)
    }

    /// Links a place to the one that comes next.
    pub(super) fn link(&mut self, place: Slab, next: Slab) {
        self.slots[place.index()].next = next;
    }

    /// The place that comes next.
    pub(super) fn next(&self, place: Slab) -> Slab {
        self.slots[place.index()].next
    }

    /// When the message in a place arrives.
    pub(super) fn arrives(&self, place: Slab) -> Nanos {
        self.slots[place.index()].arrives
    }

    /// The order of the message in a place among others: arrival, sender, the sender's event.
    pub(super) fn order(&self, place: Slab) -> (Nanos, VmId, u64) {
        let slot = &self.slots[place.index()];
        (slot.arrives, slot.sender, slot.event)
    }
}
