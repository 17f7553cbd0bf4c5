//! One row of a log as a value.

use std::fmt;

use jiff::Timestamp;

use crate::clock::Values;
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// One row of a log, column by column, as it stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The line at which it begins, the header being line 1.
    pub line: u64,
    /// The machine whose event it is.
    pub vm: VmId,
    /// The number of the event.
    pub event: u64,
    /// The kind of event.
    pub kind: EventKind,
    /// Time since the run's start.
    pub elapsed: Nanos,
    /// The time of day.
    pub system_time: Option<Timestamp>,
    /// The machine's Lamport clock after the event.
    pub lamport: u64,
    /// The clocks beside it that the log has columns for.
    pub clocks: Values,
    /// Whether zeros at the end of a clock of several numbers may be lost, where another program took the `l.c` of the
    /// first schema for one number.
    pub may_lack_zeros: bool,
    /// A send's recipients; a receive's sender.
    pub peers: Vec<VmId>,
    /// The message that a send sent or a receive received, by the name of its send.
    pub message: Option<MessageId>,
    /// The Lamport clock that came with the message.
    pub sender_lamport: Option<u64>,
    /// Arrived messages that still wait; none where the log has no such column.
    pub queue: Option<u32>,
    /// Recipients for which the message was lost.
    pub lost: Vec<VmId>,
    /// Recipients to which the message was delivered twice.
    pub duplicated: Vec<VmId>,
    /// What the message carried.
    pub payload: String,
    /// What the workload says of the event.
    pub mark: String,
}

impl Row {
    /// The last event of each machine that the row's event knows of, where a clock is kept that tells.
    pub fn past(&self) -> &[u64] {
        self.clocks.past()
    }
}

/// The kind of an event, as a log names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventKind {
    /// Something inside the machine.
    #[default]
    Internal,
    /// A message left, for one machine or for several.
    Send,
    /// A message was received.
    Receive,
}

impl EventKind {
    /// The kinds and what a log calls them.
    pub(in crate::edge::log) const NAMES: [(Self, &str); 3] =
        [(Self::Internal, "internal"), (Self::Send, "send"), (Self::Receive, "receive")];

    /// What a log calls it.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
