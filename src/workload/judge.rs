//! Judges: what a run is held to beyond the rules of every run.
//!
//! An algorithm promises something: no two machines inside at once, the same order everywhere, one leader. Its judge is
//! shown the events of a log, each after all that happened before it, with what the workload has said of them, and
//! names what breaks the promise, with the events and a cut that shows it.
//!
//! What is here may be a part of a run. A judge must not take for broken what logs that are not here could explain:
//! [`Witnessed`] tells what is certain.

mod broadcast;
mod exclusion;
mod past;
mod snapshots;

use std::fmt;

pub use broadcast::Broadcast;
pub use exclusion::Exclusion;
pub use past::Past;
pub use snapshots::Snapshots;

use crate::clock::Reading;
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// Holds a run to what its workload promises.
pub trait Judge: fmt::Debug {
    /// An event, after all that happened before it. What it breaks is added to `broken`.
    fn event(&mut self, event: &Witnessed<'_>, broken: &mut Vec<Violation>);

    /// All events were shown. Where the run is here as a whole and ran to its end, `is_whole`.
    fn end(&mut self, _is_whole: bool, _broken: &mut Vec<Violation>) {}
}

/// What a judge is shown of an event.
#[derive(Clone, Copy, Debug)]
pub struct Witnessed<'a> {
    /// The event, named as its message would be.
    pub id: MessageId,
    /// When it happened, on its machine's clock.
    pub elapsed: Nanos,
    /// Which kind of event it is, with what a judge may see of its message.
    pub deed: Deed<'a>,
    /// The machine's clocks after the event, as the log says.
    pub clocks: Reading<'a>,
    /// What the message carries; of several words to several recipients a JSON list.
    pub payload: &'a str,
    /// What the workload says of the event; empty where it says nothing.
    pub mark: &'a str,
    /// What happened before it, and itself, as the messages tell and no clock.
    pub past: &'a Past,
    /// Whether events of this machine that come just before are not here.
    pub follows_gap: bool,
    /// Whether the machine was down just before, and has started again from what its workload keeps on purpose.
    pub is_resumed: bool,
    /// Of each machine the number of its last event that was shown.
    pub(crate) shown: &'a [u64],
}

/// What happens at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed<'a> {
    /// Something inside the machine.
    Internal,
    /// A message left for these machines.
    Send(&'a [VmId]),
    /// A message was received.
    Receive(MessageId),
}

/// A promise that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was promised, in a few words.
    pub promise: &'static str,
    /// What happened instead, with the names of the events.
    pub says: String,
    /// These events, the one that broke it first.
    pub events: Vec<MessageId>,
    /// A cut in which it shows: of each machine the events up to there, and with each all that happened before it.
    pub cut: Option<Past>,
}

impl Witnessed<'_> {
    /// The machine whose event it is.
    pub const fn vm(&self) -> VmId {
        self.id.sender
    }

    /// Whether it is certain that another event did not happen before this one.
    pub fn is_without(&self, other: MessageId) -> bool {
        self.past.is_without(other)
    }

    /// Whether all events of a machine that happened before this one were shown: what is not known of them then did
    /// not happen before.
    pub fn has_seen_all_of(&self, vm: VmId) -> bool {
        self.past.is_exact() && self.past.last(vm) <= self.shown.get(vm.index()).copied().unwrap_or(0)
    }
}
