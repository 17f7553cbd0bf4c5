//! Logical clocks behind one trait, and the set of them that a machine keeps.

mod hybrid;
mod lamport;
mod vector;

pub use hybrid::{Hybrid, HybridStamp};
pub use lamport::Lamport;
pub use vector::{Vector, VectorStamp};

use crate::id::VmId;
use crate::time::Nanos;

/// A logical clock: what an event does to it, and what a message takes along of it.
///
/// `physical` is the machine's physical clock at the event, counted from the run's start: only the
/// hybrid clock looks at it.
pub trait Clock {
    /// What a message carries: the clock's value just after the send.
    type Stamp;

    /// An internal event or a send happens.
    fn advance(&mut self, physical: Nanos);

    /// A message with that stamp is received.
    fn receive(&mut self, stamp: &Self::Stamp, physical: Nanos);

    /// The value that a message sent now takes along.
    fn stamp(&self) -> Self::Stamp;
}

/// The clocks that one machine keeps: Lamport's always, the others where asked for.
///
/// With many machines, how much of them fits into a processor's cache decides how fast they run: what
/// not all of them have stands elsewhere.
#[derive(Clone, Debug)]
pub struct Clocks {
    lamport: Lamport,
    others: Option<Box<Others>>,
}

/// The clocks beside Lamport's.
#[derive(Clone, Debug)]
struct Others {
    vector: Option<Vector>,
    hybrid: Option<Hybrid>,
}

impl Clocks {
    /// The clocks of one machine of `vms`, at their start.
    pub fn new(vm: VmId, vms: u32, vector: bool, hybrid: bool) -> Self {
        let others =
            || Others { vector: vector.then(|| Vector::new(vm, vms)), hybrid: hybrid.then(Hybrid::default) };
        Self { lamport: Lamport::default(), others: (vector || hybrid).then(|| Box::new(others())) }
    }

    /// The values of all of them.
    pub fn reading(&self) -> Reading<'_> {
        let others = self.others.as_ref();
        Reading {
            lamport: self.lamport.value(),
            vector: others.and_then(|others| others.vector.as_ref()).map_or(&[], Vector::entries),
            hybrid: others.and_then(|others| others.hybrid.as_ref()).map(Hybrid::stamp),
        }
    }
}

impl Clock for Clocks {
    type Stamp = Stamp;

    fn advance(&mut self, physical: Nanos) {
        self.lamport.advance(physical);
        let Some(others) = &mut self.others else { return };
        if let Some(vector) = &mut others.vector {
            vector.advance(physical);
        }
        if let Some(hybrid) = &mut others.hybrid {
            hybrid.advance(physical);
        }
    }

    /// A clock that the stamp has no value for takes the receive as an event of its own.
    fn receive(&mut self, stamp: &Stamp, physical: Nanos) {
        self.lamport.receive(&stamp.lamport, physical);
        let Some(others) = &mut self.others else { return };
        if let Some(vector) = &mut others.vector {
            receive_or_advance(vector, stamp.vector.as_ref(), physical);
        }
        if let Some(hybrid) = &mut others.hybrid {
            receive_or_advance(hybrid, stamp.hybrid.as_ref(), physical);
        }
    }

    fn stamp(&self) -> Stamp {
        let others = self.others.as_ref();
        Stamp {
            lamport: self.lamport.stamp(),
            vector: others.and_then(|others| others.vector.as_ref()).map(Vector::stamp),
            hybrid: others.and_then(|others| others.hybrid.as_ref()).map(Hybrid::stamp),
        }
    }
}

fn receive_or_advance<C: Clock>(clock: &mut C, stamp: Option<&C::Stamp>, physical: Nanos) {
    match stamp {
        Some(stamp) => clock.receive(stamp, physical),
        None => clock.advance(physical),
    }
}

/// What a message carries of its sender's clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    lamport: u64,
    vector: Option<VectorStamp>,
    hybrid: Option<HybridStamp>,
}

impl Stamp {
    /// The stamp of a machine that keeps a Lamport clock alone.
    pub const fn lamport_only(lamport: u64) -> Self {
        Self { lamport, vector: None, hybrid: None }
    }

    /// The Lamport clock.
    pub const fn lamport(&self) -> u64 {
        self.lamport
    }

    /// The vector clock, where it is kept.
    pub const fn vector(&self) -> Option<&VectorStamp> {
        self.vector.as_ref()
    }

    /// The hybrid clock, where it is kept.
    pub const fn hybrid(&self) -> Option<HybridStamp> {
        self.hybrid
    }
}

/// The values of a machine's clocks after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The Lamport clock.
    pub lamport: u64,
    /// The vector clock's entries; none where it is not kept.
    pub vector: &'a [u64],
    /// The hybrid clock, where it is kept.
    pub hybrid: Option<HybridStamp>,
}
