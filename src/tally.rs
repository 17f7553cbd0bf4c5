//! What a machine's events add up to: the measures that a run keeps as it goes.

use crate::clock::HybridStamp;
use crate::event::{Kind, Record};
use crate::id::VmId;
use crate::time::{Nanos, Rate};

/// Counts and extremes over the events of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Internal events.
    pub internal: u64,
    /// Send events.
    pub sends: u64,
    /// Receive events, each of one message.
    pub receives: u64,
    /// Messages sent, one for each recipient of a send.
    pub sent: u64,
    /// Of these, the ones that the network lost.
    pub lost: u64,
    /// Of these, the ones that the network delivers twice.
    pub duplicated: u64,
    /// The Lamport clock after the latest event.
    pub lamport: u64,
    /// The largest jump of the Lamport clock from one event to the next.
    pub largest_jump: u64,
    /// The sum of the queue's lengths after each event.
    pub queue_sum: u64,
    /// The longest queue after an event.
    pub longest_queue: u64,
    /// The queue after the latest event.
    pub queue: u64,
}

impl Tally {
    /// Adds the machine's next event.
    #[inline]
    pub fn add(&mut self, record: &Record<'_>) {
        match &record.kind {
            Kind::Internal => self.internal += 1,
            Kind::Receive { .. } => self.receives += 1,
            Kind::Send(send) => {
                self.sends += 1;
                self.sent += send.to.len() as u64;
                self.lost += send.lost.len() as u64;
                self.duplicated += send.duplicated.len() as u64;
            }
        }
        let lamport = record.clocks.lamport;
        self.largest_jump = self.largest_jump.max(lamport.saturating_sub(self.lamport));
        self.lamport = lamport;
        self.queue = record.queue as u64;
        self.queue_sum += self.queue;
        self.longest_queue = self.longest_queue.max(self.queue);
    }

    /// All events.
    pub const fn events(&self) -> u64 {
        self.internal + self.sends + self.receives
    }

    /// The mean jump of the Lamport clock; the jumps add up to its value. 0 before the first event.
    pub fn mean_jump(&self) -> f64 {
        mean(self.lamport, self.events())
    }

    /// The mean length of the queue after an event. 0 before the first event.
    pub fn mean_queue(&self) -> f64 {
        mean(self.queue_sum, self.events())
    }
}

/// The final account of one machine: what its summary row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The machine.
    pub vm: VmId,
    /// Its rate.
    pub rate: Rate,
    /// What its events add up to.
    pub tally: Tally,
    /// Its vector clock's entries at the end; none where it is not kept.
    pub vector: Box<[u64]>,
    /// Its hybrid clock at the end, where it is kept.
    pub hybrid: Option<HybridStamp>,
    /// Messages that arrived and were not received.
    pub waiting: u64,
    /// Messages to it that had not arrived at the end.
    pub in_flight: u64,
    /// How late its ticks ran; none in virtual time.
    pub lateness: Option<Lateness>,
}

impl Account {
    /// The machine's final Lamport clock minus the largest of all machines.
    pub const fn drift(&self, largest_lamport: u64) -> i64 {
        -(largest_lamport.saturating_sub(self.tally.lamport).cast_signed())
    }
}

/// The largest final Lamport clock. 0 where there is none.
pub fn largest_lamport(accounts: &[Account]) -> u64 {
    accounts.iter().map(|account| account.tally.lamport).max().unwrap_or(0)
}

/// How long after they were due a machine's ticks ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    sum: Nanos,
    max: Nanos,
}

impl Lateness {
    /// Adds a tick that ran so much later than it was due.
    pub fn add(&mut self, late: Nanos) {
        self.sum = self.sum.plus(late);
        self.max = self.max.max(late);
    }

    /// The mean over that many ticks, in milliseconds.
    pub fn mean_ms(&self, ticks: u64) -> f64 {
        mean(self.sum.get(), ticks) / 1e6
    }

    /// The latest, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.max.as_secs_f64() * 1e3
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
fn mean(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use crate::event::{MessageId, Sent};

    fn add(tally: &mut Tally, lamport: u64, queue: usize, kind: Kind<'_>) {
        let clocks = Reading { lamport, vector: &[], hybrid: None };
        tally.add(&Record {
            vm: VmId(0),
            event: tally.events() + 1,
            elapsed: Nanos::ZERO,
            clocks,
            queue,
            kind,
        });
    }

    #[test]
    fn events_jumps_and_queues_add_up() {
        let mut tally = Tally::default();
        assert_eq!((tally.mean_jump().to_bits(), tally.mean_queue().to_bits()), (0, 0));
        let to = [VmId(1), VmId(2)];
        let sent = Sent { to: &to, lost: &to[..1], duplicated: &to[1..], payload: None };
        let message = MessageId { sender: VmId(1), event: 1 };
        add(&mut tally, 1, 0, Kind::Internal);
        add(&mut tally, 2, 3, Kind::Send(sent));
        add(&mut tally, 9, 2, Kind::Receive { message, lamport: 8, payload: None });
        add(&mut tally, 10, 1, Kind::Internal);
        assert_eq!((tally.internal, tally.sends, tally.receives, tally.events()), (2, 1, 1, 4));
        assert_eq!((tally.sent, tally.lost, tally.duplicated), (2, 1, 1));
        assert_eq!((tally.lamport, tally.largest_jump), (10, 7));
        assert_eq!((tally.queue, tally.longest_queue), (1, 3));
        assert!((tally.mean_jump() - 2.5).abs() < 1e-12 && (tally.mean_queue() - 1.5).abs() < 1e-12);
    }
}
