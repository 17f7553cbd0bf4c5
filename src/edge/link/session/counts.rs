//! What passes over a link, in numbers.

/// What has passed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames written to connections, of every kind.
    pub frames_written: u64,
    /// Frames that connections brought, of every kind.
    pub frames_read: u64,
    /// Parcels given to the session, and messages in them.
    pub sent: Amount,
    /// Parcels that arrived, each counted once, and messages in them.
    pub received: Amount,
    /// Parcels that were written again after a reconnect.
    pub resent: Amount,
    /// Parcels that arrived again, and were left out.
    pub repeated: Amount,
    /// Parcels of which nobody knows whether they arrived, since the other process died.
    pub lost: Amount,
}

/// A number of parcels, and of the messages in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many parcels: what the session numbers, sends again and acknowledges.
    pub parcels: u64,
    /// How many messages are in them: what the run's accounts are kept in.
    pub messages: u64,
}

impl Amount {
    pub(super) const fn add(&mut self, messages: u32) {
        self.parcels += 1;
        self.messages += messages as u64;
    }
}
