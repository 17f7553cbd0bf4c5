//! What a machine's events add up to: the measures that a run keeps as it goes.

use serde::{Deserialize, Serialize};

use crate::clock::Values;
use crate::model::id::VmId;
pub use crate::model::pace::Lateness;
use crate::model::time::Rate;

/// Counts and extremes over the events of one machine.
///
/// Every machine carries one through its run: it holds nothing that follows from the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All events so far, which is the number of the latest one.
    pub events: u64,
    /// Send events, each one event for however many recipients.
    pub sends: u64,
    /// Receive events, each of one message.
    pub receives: u64,
    /// Messages sent, one for each recipient of a send.
    pub sent: u64,
    /// The largest jump of the Lamport clock from one event to the next.
    pub largest_jump: u64,
    /// The sum of the queue's lengths after each event.
    pub queue_sum: u64,
    /// The queue after the latest event.
    pub queue: u32,
    /// The longest queue after an event.
    pub longest_queue: u32,
}

impl Tally {
    /// Internal events: those that are neither a send nor a receive.
    pub const fn internal(&self) -> u64 {
        debug_assert!(self.sends + self.receives <= self.events, "an event is of one kind");
        self.events - self.sends - self.receives
    }

    /// The mean length of the queue after an event. 0 before the first event.
    pub fn mean_queue(&self) -> f64 {
        mean(self.queue_sum, self.events)
    }

    /// Adds an event: how far the Lamport clock jumped, and how many messages still wait after it.
    #[inline]
    pub(crate) fn add(&mut self, jump: u64, queue: u32) {
        // A mean needs the sum alone. Of lengths below 2^32 a sum of 64 bits holds those of four thousand million events.
        self.events += 1;
        self.largest_jump = self.largest_jump.max(jump);
        self.queue = queue;
        self.queue_sum += u64::from(queue);
        self.longest_queue = self.longest_queue.max(queue);
        debug_assert!(
            self.queue_sum <= u64::from(self.longest_queue).saturating_mul(self.events),
            "the queues of {} events add up to {}, and none is longer than {}",
            self.events,
            self.queue_sum,
            self.longest_queue
        );
    }
}

/// The final account of one machine: what its summary row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The machine whose row it is.
    pub vm: VmId,
    /// Its ticks a second, as drawn.
    pub rate: Rate,
    /// What its events add up to.
    pub tally: Tally,
    /// Of the messages that it sent, those that the network lost.
    pub lost: u64,
    /// Of the messages that it sent, those that the network delivers twice.
    pub duplicated: u64,
    /// Its Lamport clock at the end.
    pub lamport: u64,
    /// The clocks beside it at the end.
    pub clocks: Values,
    /// Messages that arrived and were not received.
    pub waiting: u64,
    /// Messages to it that had not arrived at the end.
    pub in_flight: u64,
    /// Messages to it that were lost while it was down, or waited when it went down.
    pub crashed: u64,
    /// How late its ticks ran; none in virtual time.
    pub lateness: Option<Lateness>,
}

impl Account {
    /// The machine's final Lamport clock minus the largest of all machines.
    pub const fn drift(&self, largest_lamport: u64) -> i64 {
        -(largest_lamport.saturating_sub(self.lamport).cast_signed())
    }

    /// The mean jump of the Lamport clock; the jumps add up to its value. 0 before the first event.
    pub fn mean_jump(&self) -> f64 {
        mean(self.lamport, self.tally.events)
    }
}

/// The largest final Lamport clock. 0 where there is none.
pub fn largest_lamport(accounts: &[Account]) -> u64 {
    accounts.iter().map(|account| account.lamport).max().unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
fn mean(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_and_queues_add_up() {
        let mut tally = Tally::default();
        assert_eq!(tally.mean_queue().to_bits(), 0);
        for (jump, queue) in [(1, 0), (1, 3), (7, 2), (1, 1)] {
            tally.add(jump, queue);
        }
        (tally.sends, tally.receives) = (1, 1);
        assert_eq!((tally.events, tally.internal(), tally.largest_jump), (4, 2, 7));
        assert_eq!((tally.queue, tally.longest_queue), (1, 3));
        assert!((tally.mean_queue() - 1.5).abs() < 1e-12);
    }
}
