//! The virtual machine: at every tick exactly one event, from an inbox, a workload and clocks.
//!
//! It is pure: time comes in as an argument, messages leave through an outbox. The drivers own the
//! timers, the mailboxes and the log.

mod inbox;

use std::hint::black_box;
use std::sync::Arc;

pub use inbox::Inbox;

use crate::clock::{Clock, Clocks, Reading, Stamp};
use crate::event::{Kind, Message, MessageId, Outbox, Record};
use crate::id::VmId;
use crate::network::{Fate, Network, Uplink};
use crate::seed::Stream;
use crate::tally::{Account, Lateness, Tally};
use crate::time::{Nanos, Rate};
use crate::workload::{Action, Recipients, Tick, Workload};

/// One machine of a run.
#[derive(Debug)]
pub struct Vm<W> {
    id: VmId,
    events: u64,
    clocks: Clocks,
    inbox: Inbox,
    workload: W,
    draws: Stream,
    uplink: Uplink,
    network: Arc<Network>,
    skew: i64,
}

/// What a machine is made of, beside its workload.
#[derive(Debug)]
pub struct Parts {
    /// Its clocks, at their start.
    pub clocks: Clocks,
    /// The stream that its workload draws from.
    pub draws: Stream,
    /// Its way into the network.
    pub uplink: Uplink,
    /// The network's rules.
    pub network: Arc<Network>,
    /// How far its physical clock is ahead of the run's time, in nanoseconds.
    pub skew: i64,
}

impl<W: Workload> Vm<W> {
    /// A machine before its first tick.
    pub fn new(id: VmId, workload: W, parts: Parts) -> Self {
        let Parts { clocks, draws, uplink, network, skew } = parts;
        Self { id, events: 0, clocks, inbox: Inbox::default(), workload, draws, uplink, network, skew }
    }

    /// Makes the tick's one event, and leaves the messages that it sends in the outbox.
    ///
    /// # Panics
    ///
    /// Where the workload does.
    #[inline]
    pub fn tick<'a>(&'a mut self, now: Nanos, outbox: &'a mut Outbox) -> Record<'a> {
        outbox.clear();
        self.events += 1;
        let physical = now.shifted(self.skew);
        let waiting = self.inbox.waiting(now);
        let tick = Tick { now, event: self.events, waiting };
        match self.workload.choose(&tick, &mut self.draws) {
            Action::Receive => {
                if let Some(message) = self.inbox.take(now) {
                    return self.receive(now, physical, message, waiting - 1);
                }
                self.clocks.advance(physical);
                self.record(now, waiting, Kind::Internal)
            }
            Action::Send { to, payload } if !to.is_empty() => {
                self.clocks.advance(physical);
                outbox.payload = payload;
                self.send(now, &to, outbox);
                self.record(now, waiting, Kind::Send(outbox.sent()))
            }
            Action::Send { .. } | Action::Internal => {
                self.clocks.advance(physical);
                self.record(now, waiting, Kind::Internal)
            }
        }
    }

    /// Puts an arrived message, or one that will have arrived at its time, into the inbox. No clock changes.
    pub fn deliver(&mut self, message: Message) {
        self.inbox.insert(message);
    }

    /// Reads a little of what a tick needs, so that it is in the processor's cache soon.
    pub fn fetch(&self) {
        black_box((self.id, self.events, self.skew, self.clocks.reading().lamport));
        self.fetch_inbox();
    }

    /// Reads a little of what a delivery needs, so that it is in the processor's cache soon.
    pub fn fetch_inbox(&self) {
        black_box(self.inbox.last_arrival());
    }

    /// The machine's number.
    pub const fn id(&self) -> VmId {
        self.id
    }

    /// The values of its clocks.
    pub fn clocks(&self) -> Reading<'_> {
        self.clocks.reading()
    }

    /// How many messages have arrived by `now` and wait for a tick.
    pub fn waiting(&mut self, now: Nanos) -> usize {
        self.inbox.waiting(now)
    }

    /// How many messages to it will arrive only after `now`.
    pub fn in_flight(&mut self, now: Nanos) -> usize {
        self.inbox.in_flight(now)
    }

    /// Its final account in a run that ended then.
    pub fn account(&mut self, ended: Nanos, rate: Rate, tally: Tally, lateness: Option<Lateness>) -> Account {
        let (waiting, in_flight) = (self.waiting(ended) as u64, self.in_flight(ended) as u64);
        let Reading { vector, hybrid, .. } = self.clocks.reading();
        Account { vm: self.id, rate, tally, vector: vector.into(), hybrid, waiting, in_flight, lateness }
    }

    fn receive(&mut self, now: Nanos, physical: Nanos, message: Message, queue: usize) -> Record<'_> {
        self.clocks.receive(&message.stamp, physical);
        self.workload.received(&message);
        let Message { id, stamp, payload, .. } = message;
        self.record(now, queue, Kind::Receive { message: id, lamport: stamp.lamport(), payload })
    }

    /// Stamps one message for all recipients and asks the network what becomes of each copy.
    fn send(&mut self, now: Nanos, recipients: &Recipients, outbox: &mut Outbox) {
        let id = MessageId { sender: self.id, event: self.events };
        let stamp = self.clocks.stamp();
        for &to in recipients {
            outbox.to.push(to);
            match self.uplink.fate(&self.network, self.id, to, now) {
                Fate::Lost => outbox.lost.push(to),
                Fate::Delivered { arrives, again } => {
                    if again.is_some() {
                        outbox.duplicated.push(to);
                    }
                    for arrives in [Some(arrives), again].into_iter().flatten() {
                        outbox.messages.push(copy(id, to, arrives, &stamp, outbox.payload.as_ref()));
                    }
                }
            }
        }
    }

    fn record<'a>(&'a self, now: Nanos, queue: usize, kind: Kind<'a>) -> Record<'a> {
        Record { vm: self.id, event: self.events, elapsed: now, clocks: self.clocks.reading(), queue, kind }
    }
}

fn copy(id: MessageId, to: VmId, arrives: Nanos, stamp: &Stamp, payload: Option<&Arc<str>>) -> Message {
    Message { id, to, arrives, stamp: stamp.clone(), payload: payload.cloned() }
}

#[cfg(test)]
mod tests;
