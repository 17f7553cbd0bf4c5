//! Logical clocks behind one trait, and the set of them that a machine keeps.

mod hybrid;
mod lamport;
mod vector;

pub use hybrid::{Hybrid, HybridStamp};
pub use lamport::Lamport;
pub use vector::{Vector, VectorStamp};

use crate::model::time::Nanos;

/// A logical clock: what an event does to it, and what a message takes along of it.
///
/// `elapsed` is when the event happens, counted from the run's start: only the hybrid clock looks at it,
/// and through its machine's physical clock.
pub trait Clock {
    /// What a message carries: the clock's value just after the send.
    type Stamp;

    /// An internal event or a send happens.
    fn advance(&mut self, elapsed: Nanos);

    /// A message with that stamp is received.
    fn receive(&mut self, stamp: &Self::Stamp, elapsed: Nanos);

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
    /// A Lamport clock at its start, and beside it those of the others that there are.
    pub fn new(vector: Option<Vector>, hybrid: Option<Hybrid>) -> Self {
        let any = vector.is_some() || hybrid.is_some();
        Self { lamport: Lamport::default(), others: any.then(|| Box::new(Others { vector, hybrid })) }
    }

    /// The same with the Lamport clock at that value.
    #[must_use]
    pub fn with_lamport(self, value: u64) -> Self {
        Self { lamport: Lamport::at(value), ..self }
    }

    /// The value of the Lamport clock.
    pub const fn lamport(&self) -> u64 {
        self.lamport.value()
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

    fn advance(&mut self, elapsed: Nanos) {
        self.lamport.advance(elapsed);
        let Some(others) = &mut self.others else { return };
        if let Some(vector) = &mut others.vector {
            vector.advance(elapsed);
        }
        if let Some(hybrid) = &mut others.hybrid {
            hybrid.advance(elapsed);
        }
    }

    /// A clock that the stamp has no value for takes the receive as an event of its own.
    fn receive(&mut self, stamp: &Stamp, elapsed: Nanos) {
        self.lamport.receive(&stamp.lamport, elapsed);
        let Some(others) = &mut self.others else { return };
        if let Some(vector) = &mut others.vector {
            receive_or_advance(vector, stamp.vector(), elapsed);
        }
        if let Some(hybrid) = &mut others.hybrid {
            receive_or_advance(hybrid, stamp.hybrid().as_ref(), elapsed);
        }
    }

    fn stamp(&self) -> Stamp {
        let others = self.others.as_ref();
        let others = OtherStamps {
            vector: others.and_then(|others| others.vector.as_ref()).map(Vector::stamp),
            hybrid: others.and_then(|others| others.hybrid.as_ref()).map_or(NOT_KEPT, Hybrid::stamp),
        };
        Stamp { lamport: self.lamport.stamp(), others }
    }
}

fn receive_or_advance<C: Clock>(clock: &mut C, stamp: Option<&C::Stamp>, elapsed: Nanos) {
    match stamp {
        Some(stamp) => clock.receive(stamp, elapsed),
        None => clock.advance(elapsed),
    }
}

/// What a message carries of its sender's clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub(crate) lamport: u64,
    pub(crate) others: OtherStamps,
}

/// What a message carries of the clocks beside Lamport's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherStamps {
    vector: Option<VectorStamp>,
    /// [`NOT_KEPT`] where there is none: an `Option` would make every message eight bytes longer.
    hybrid: HybridStamp,
}

/// Stands for no hybrid clock. No clock comes to it in five hundred years.
const NOT_KEPT: HybridStamp = HybridStamp { l: Nanos::new(u64::MAX), c: u64::MAX };

impl Stamp {
    /// The stamp of a machine that keeps a Lamport clock alone.
    pub const fn lamport_only(lamport: u64) -> Self {
        Self { lamport, others: OtherStamps::NONE }
    }

    /// The same with a vector clock's value.
    #[must_use]
    pub fn with_vector(self, vector: VectorStamp) -> Self {
        Self { others: OtherStamps { vector: Some(vector), ..self.others }, ..self }
    }

    /// The same with a hybrid clock's value.
    #[must_use]
    pub fn with_hybrid(self, hybrid: HybridStamp) -> Self {
        Self { others: OtherStamps { hybrid, ..self.others }, ..self }
    }

    /// The sender's Lamport clock just after the send.
    pub const fn lamport(&self) -> u64 {
        self.lamport
    }

    /// The vector clock, where it is kept.
    pub const fn vector(&self) -> Option<&VectorStamp> {
        self.others.vector.as_ref()
    }

    /// The hybrid clock, where it is kept.
    pub fn hybrid(&self) -> Option<HybridStamp> {
        let hybrid = self.others.hybrid;
        (hybrid != NOT_KEPT).then_some(hybrid)
    }
}

impl OtherStamps {
    /// What a message carries where a Lamport clock alone is kept.
    pub(crate) const NONE: Self = Self { vector: None, hybrid: NOT_KEPT };

    /// Whether there is anything.
    pub(crate) fn is_none(&self) -> bool {
        self.vector.is_none() && self.hybrid == NOT_KEPT
    }
}

/// The values of a machine's clocks after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The Lamport clock, which every machine keeps.
    pub lamport: u64,
    /// The vector clock's entries; none where it is not kept.
    pub vector: &'a [u64],
    /// The hybrid clock, where it is kept.
    pub hybrid: Option<HybridStamp>,
}
