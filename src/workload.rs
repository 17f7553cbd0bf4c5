//! Workloads: what a machine does at its ticks.
//!
//! A workload decides; the machine performs. At each tick it picks exactly one action, and it learns of
//! every message that a tick received, and of every call. It keeps state of its own, so that algorithms
//! (mutual exclusion, snapshots, a client and its server) are written as one type each. Its description, an
//! [`Algorithm`], tells all that others need to know of it; a [`Judge`] holds runs to what it promises.

#[macro_use]
mod protocol;

mod algorithm;
mod causal_broadcast;
mod client_server;
mod judge;
mod lamport_mutex;
mod raymond;
mod registry;
mod ricart_agrawala;
mod scale_model;
mod snapshot;
mod suzuki_kasami;
mod token_ring;
mod visitor;
mod word_list;

use std::fmt;

pub use algorithm::{Algorithm, Make, MakeJudge, Parameter, Setup, Textbook};
pub use client_server::ClientServer;
pub use judge::{Broadcast, Deed, Exclusion, Judge, Past, Snapshots, Violation, Witnessed};
pub use protocol::{Heard, Protocol, Speaking, Turn, UnknownMessage};
pub use registry::{Choice, Chosen, ParseChoiceError, Workloads};
pub use scale_model::ScaleModel;

use crate::clock::Reading;
use crate::model::event::{Call, Message, Payload};
use crate::model::id::VmId;
use crate::model::seed::Stream;
use crate::model::time::Nanos;

/// The algorithm that one machine runs.
pub trait Workload: fmt::Debug + Unpin + 'static {
    /// Picks what the tick does. Random choices are drawn from the machine's own `stream`; the
    /// recipients of a send, or the machines to call, are added to `to`, which is empty.
    fn choose(&mut self, tick: &Tick<'_>, stream: &mut Stream, to: &mut Vec<VmId>) -> Action;

    /// Learns of a message that the machine has just received, at the tick that chose to. The clocks and what waits are
    /// those after the event.
    fn received(&mut self, _message: &Message, _after: &Tick<'_>, _stream: &mut Stream) {}

    /// Learns of a call to the machine, in any order and at any time before the first tick by which it
    /// has arrived: what has not arrived at a tick is not to be known to it.
    fn called(&mut self, _call: &Call) {}

    /// What it says of the tick's event, once that was made: a word such as `enter` for the column `mark`. Nothing
    /// where it has nothing to say.
    #[inline]
    fn mark(&self) -> &str {
        ""
    }

    /// What it keeps on purpose where its machine goes down, as on a disk; everything else is forgotten.
    fn keeps(&self) -> Option<String> {
        None
    }

    /// Starts again after its machine was down, as a workload that was made anew: before its first tick, with what it
    /// [kept](Self::keeps). That is nothing where its process was killed.
    fn resume(&mut self, _kept: Option<&str>) {}
}

/// What a workload sees when its machine ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick<'a> {
    /// The time of the tick, counted from the run's start.
    pub now: Nanos,
    /// The number that the tick's event will have in its machine.
    pub event: u64,
    /// Arrived messages that wait in the inbox.
    pub waiting: usize,
    /// The machine's clocks before the event.
    pub clocks: Reading<'a>,
}

/// What a tick does: exactly one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Takes the first arrived message out of the inbox. Where none waits, the event is internal.
    Receive,
    /// Sends one message to one machine or to several. Where no recipient was named, the event is
    /// internal.
    Send {
        /// A text for the recipients beside the stamp; none where the stamp says it all.
        payload: Payload,
    },
    /// Something inside the machine.
    Internal,
    /// Something inside the machine as well, with which it makes a [`Call`] to each machine named.
    Call,
}

/// Any workload, behind a pointer.
pub type AnyWorkload = Box<dyn Workload + Send>;

impl Workload for AnyWorkload {
    fn choose(&mut self, tick: &Tick<'_>, stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
        (**self).choose(tick, stream, to)
    }

    fn received(&mut self, message: &Message, after: &Tick<'_>, stream: &mut Stream) {
        (**self).received(message, after, stream);
    }

    fn mark(&self) -> &str {
        (**self).mark()
    }

    fn keeps(&self) -> Option<String> {
        (**self).keeps()
    }

    fn resume(&mut self, kept: Option<&str>) {
        (**self).resume(kept);
    }

    fn called(&mut self, call: &Call) {
        (**self).called(call);
    }
}
