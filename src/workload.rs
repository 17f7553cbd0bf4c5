//! Workloads: what a machine does at its ticks.
//!
//! A workload decides; the machine performs. At each tick it picks exactly one action, and it learns of
//! every message that a tick received, and of every call. It keeps state of its own, so that algorithms
//! (mutual exclusion, snapshots, a client and its server) are written as one type each.

mod algorithm;
mod client_server;
mod registry;
mod scale_model;

use std::fmt;

pub use algorithm::{Algorithm, Make, Parameter, Setup};
pub use client_server::ClientServer;
pub use registry::{Choice, Chosen, ParseChoiceError, Workloads};
pub use scale_model::ScaleModel;

use crate::model::event::{Call, Message, Payload};
use crate::model::id::VmId;
use crate::model::seed::Stream;
use crate::model::time::Nanos;

/// The algorithm that one machine runs.
pub trait Workload: fmt::Debug + Unpin + 'static {
    /// Picks what the tick does. Random choices are drawn from the machine's own `stream`; the
    /// recipients of a send, or the machines to call, are added to `to`, which is empty.
    fn choose(&mut self, tick: &Tick, stream: &mut Stream, to: &mut Vec<VmId>) -> Action;

    /// Learns of a message that the machine has just received, at the tick that chose to.
    fn received(&mut self, _message: &Message) {}

    /// Learns of a call to the machine, in any order and at any time before the first tick by which it
    /// has arrived: what has not arrived at a tick is not to be known to it.
    fn called(&mut self, _call: &Call) {}
}

/// What a workload sees when its machine ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The time of the tick, counted from the run's start.
    pub now: Nanos,
    /// The number that the tick's event will have in its machine.
    pub event: u64,
    /// Arrived messages that wait in the inbox.
    pub waiting: usize,
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
    fn choose(&mut self, tick: &Tick, stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
        (**self).choose(tick, stream, to)
    }

    fn received(&mut self, message: &Message) {
        (**self).received(message);
    }

    fn called(&mut self, call: &Call) {
        (**self).called(call);
    }
}
