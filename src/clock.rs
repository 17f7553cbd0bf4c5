//! Logical clocks: a file each, a line each in the registry, and the set of them that a machine keeps.
//!
//! A clock is a type that implements [`Clock`] in a file of its own. All that others need of it follows from its
//! [`Description`] and a few functions: nobody else asks which clock it is. Whatever a clock is, its value is a list of
//! whole numbers, and so is what a message takes along of it: so logs, links and checks can handle all of them alike,
//! and copy them as fast as memory goes.
//!
//! To add one: write its file, name it among the modules below and give it its line in the registry.

mod description;
mod kept;
mod list;
mod promise;
mod registry;
mod stamp;
#[cfg(test)]
mod tests;
mod values;

mod bloom;
mod differential;
mod hvc;
mod hybrid;
mod itc;
mod lamport;
mod lamport_total;
mod matrix;
pub(crate) mod natural;
mod prime;
mod rev;
mod tree;
mod vector;

// The registry: the order is that of tables and help; the standard ones have their columns in it.
registry! {
    Lamport: Lamport,
    Vector: vector::Vector,
    Hybrid: hybrid::Hybrid,
    LamportTotal: lamport_total::LamportTotal,
    Matrix: matrix::Matrix,
    Rev: Box<rev::Rev>,
    Bloom: Box<bloom::Bloom>,
    Prime: Box<prime::Prime>,
    Tree: Box<tree::Tree>,
    Differential: Box<differential::Differential>,
    HybridVector: Box<hvc::HybridVector>,
    IntervalTree: Box<itc::IntervalTree>,
}

use std::borrow::Cow;
use std::cmp::Ordering;

pub use description::{Description, Form, Length, Parameter, Wire};
pub use kept::Clocks;
pub(crate) use lamport::Lamport;
pub use list::{ClockList, ClockSpec, ParseClocksError};
pub use promise::{Promise, Truth};
pub use registry::Kind;
use registry::registry;
pub(crate) use stamp::OtherStamps;
pub use stamp::{Stamp, StampLayout};
pub use values::{Reading, Values};

use crate::model::id::VmId;
use crate::model::time::Nanos;

/// The clock that every machine keeps, and every row and message has.
pub const LAMPORT: &str = Lamport::DESCRIPTION.name;

/// All clocks that there are, in the order of the registry.
pub fn kinds() -> &'static [Kind] {
    KINDS
}

/// What every clock is told of its machine before its first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup<'a> {
    /// The machine.
    pub own: VmId,
    /// How many machines the run has.
    pub vms: u32,
    /// How many nanoseconds the machine's physical clock is ahead of the run's time.
    pub skew: i64,
    /// The clock's parameters, as many as it describes.
    pub parameters: &'a [u64],
}

/// When an event happens to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its number among the machine's events, from 1.
    pub event: u64,
    /// When it happens, counted from the run's start.
    pub elapsed: Nanos,
}

/// What happens to a machine by itself. Variants of clocks differ in what they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// Something inside it.
    Internal,
    /// It sends a message, to one machine or to several.
    Send,
}

/// What another process says of a message, beside the stamp that is to be held against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who is said to have sent it.
    pub sender: VmId,
    /// At which of the sender's events.
    pub event: u64,
    /// How many events the whole run makes.
    pub total: u64,
}

/// A logical clock: what an event does to it, and what a message takes along of it.
pub trait Clock: Sized {
    /// What the clock says of itself.
    const DESCRIPTION: Description;

    /// The clock of a machine before its first event, or after one at which it had that value. Whatever the value, the
    /// clock goes on from it without a panic: it may come from a file.
    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self;

    /// An internal event or a send happens.
    fn advance(&mut self, occurrence: Occurrence, now: Moment);

    /// A message with that stamp is received from that machine. Whatever the stamp, it does no more harm than to be
    /// wrong: it may come from another process.
    fn receive(&mut self, sender: VmId, stamp: &[u64], now: Moment);

    /// Its value after its latest event.
    fn value(&self) -> &[u64];

    /// Appends what a message to that machine takes along that was sent at the latest event. Only where the
    /// description says that recipients differ is it asked; otherwise it is the value.
    fn stamp_for(&mut self, _to: VmId, out: &mut Vec<u64>) {
        out.extend_from_slice(self.value());
    }

    /// What a message carries to somebody who has heard nothing of the sender yet, where the sender's value is that.
    fn stamp_of(value: &[u64]) -> Cow<'_, [u64]> {
        Cow::Borrowed(value)
    }

    /// How two values are ordered; none where they cannot be compared.
    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering>;

    /// What the machine's physical clock showed at an event of which only the value is known, as far as it shows.
    fn physical_by(_value: &[u64]) -> Nanos {
        Nanos::ZERO
    }

    /// Of how many numbers a value is at most in a run of so many machines and events, where the description does not say.
    fn most_words(vms: u32, _events: u64) -> usize {
        vms as usize
    }

    /// Why the clock is beyond sense in a run of so many machines and events; none where it is not.
    fn refuses(_vms: u32, _events: u64) -> Option<String> {
        None
    }

    /// Whether a machine of the run can have put such a stamp on a message. It has the right length.
    fn allows(_stamp: &[u64], _claim: &Claim) -> bool {
        true
    }
}

/// A clock that is too large to stand beside the others in a machine's cache lines stands elsewhere.
impl<C: Clock> Clock for Box<C> {
    const DESCRIPTION: Description = C::DESCRIPTION;

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        Self::new(C::start(setup, last))
    }

    fn advance(&mut self, occurrence: Occurrence, now: Moment) {
        (**self).advance(occurrence, now);
    }

    fn receive(&mut self, sender: VmId, stamp: &[u64], now: Moment) {
        (**self).receive(sender, stamp, now);
    }

    fn value(&self) -> &[u64] {
        (**self).value()
    }

    fn stamp_for(&mut self, to: VmId, out: &mut Vec<u64>) {
        (**self).stamp_for(to, out);
    }

    fn stamp_of(value: &[u64]) -> Cow<'_, [u64]> {
        C::stamp_of(value)
    }

    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        C::compare(first, second)
    }

    fn physical_by(value: &[u64]) -> Nanos {
        C::physical_by(value)
    }

    fn most_words(vms: u32, events: u64) -> usize {
        C::most_words(vms, events)
    }

    fn refuses(vms: u32, events: u64) -> Option<String> {
        C::refuses(vms, events)
    }

    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        C::allows(stamp, claim)
    }
}
