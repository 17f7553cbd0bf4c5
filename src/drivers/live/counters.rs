//! The counters of one shard, as the coordinator reads them while the run goes on.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::model::event::{Kind, Record};

/// Counters that one thread writes and another reads. Aligned, so that two shards share no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    events: AtomicU64,
    messages: AtomicU64,
    longest_queue: AtomicU64,
    lamport: AtomicU64,
}

impl Counters {
    /// Adds an event. Only the shard's own thread does: a load and a store suffice.
    pub(super) fn add(&self, record: &Record<'_>) {
        // Relaxed: nobody concludes from one counter what another one must be.
        self.events.store(self.events.load(Relaxed) + 1, Relaxed);
        if let Kind::Send(sent) = record.kind {
            self.messages.store(self.messages.load(Relaxed) + sent.to.len() as u64, Relaxed);
        }
        raise(&self.longest_queue, u64::from(record.queue));
        raise(&self.lamport, record.clocks.lamport);
    }

    pub(super) fn events(&self) -> u64 {
        self.events.load(Relaxed)
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    pub(super) fn longest_queue(&self) -> u64 {
        self.longest_queue.load(Relaxed)
    }

    /// The largest Lamport clock.
    pub(super) fn lamport(&self) -> u64 {
        self.lamport.load(Relaxed)
    }
}

fn raise(most: &AtomicU64, value: u64) {
    if value > most.load(Relaxed) {
        most.store(value, Relaxed);
    }
}
