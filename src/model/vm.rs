//! The virtual machine: at every tick exactly one event, from an inbox, a workload and clocks.
//!
//! It is pure: time comes in as an argument, messages leave through an outbox. The drivers own the
//! timers, the mailboxes and the log.

mod inbox;
mod outages;
mod store;

pub use inbox::Inbox;
pub use outages::Outages;
pub use store::Store;

use crate::clock::{Clocks, Moment, Occurrence, Reading, Stamp};
use crate::model::event::{
    Call, Envelope, Event, Kind, Leaving, Message, MessageId, Outbox, Payload, Received, Record, Sent,
};
use crate::model::id::VmId;
use crate::model::network::{Fate, Uplink};
use crate::model::seed::Stream;
use crate::model::tally::{Account, Lateness, Tally};
use crate::model::time::{Nanos, Rate};
use crate::workload::{Action, Tick, Workload};

/// One machine of a run.
///
/// With many machines, how much of them fits into a processor's cache decides how fast they run: a
/// machine is as small as can be, and what not all of them need stands elsewhere.
#[derive(Debug)]
pub struct Vm<W> {
    id: VmId,
    workload: W,
    draws: Stream,
    clocks: Clocks,
    tally: Tally,
    inbox: Inbox,
    uplink: Uplink,
}

impl<W: Workload> Vm<W> {
    /// A machine before its first tick: its number, its workload with the stream that it draws from,
    /// its clocks at their start, and its way into the network.
    pub fn new(id: VmId, workload: W, draws: Stream, clocks: Clocks, uplink: Uplink) -> Self {
        Self { id, workload, draws, clocks, tally: Tally::default(), inbox: Inbox::default(), uplink }
    }

    /// The same machine, to go on after events that add up to that.
    #[must_use]
    pub fn after(self, tally: Tally) -> Self {
        Self { tally, ..self }
    }

    /// Makes the tick's one event, and adds the messages that it sends and the calls that it makes to
    /// the outbox.
    ///
    /// The store is the one to which its messages were delivered.
    ///
    /// # Panics
    ///
    /// Where the workload does.
    #[inline(always)]
    pub fn tick<'a>(&mut self, now: Nanos, store: &mut Store, outbox: &'a mut Outbox) -> Event<'a> {
        outbox.sent.clear();
        let before = self.clocks.lamport();
        let waiting = self.inbox.waiting(now, store);
        let (event, clocks) = (self.tally.events + 1, self.clocks.reading());
        let tick = Tick { now, event, waiting: waiting as usize, clocks };
        let (queue, kind) = match self.workload.choose(&tick, &mut self.draws, &mut outbox.sent.to) {
            Action::Receive if let Some(message) = self.inbox.take(self.id, store) => {
                self.receive(now, waiting - 1, message, &mut outbox.received);
                (waiting - 1, Kind::Receive(&outbox.received))
            }
            Action::Send { payload } if !outbox.sent.to.is_empty() => {
                outbox.sent.payload = payload;
                self.send(now, &mut outbox.sent, &mut outbox.leaving);
                (waiting, Kind::Send(&outbox.sent))
            }
            Action::Call => {
                self.clocks.advance(Occurrence::Internal, self.moment(now));
                self.call(now, &outbox.sent.to, &mut outbox.leaving);
                (waiting, Kind::Internal)
            }
            _ => {
                self.clocks.advance(Occurrence::Internal, self.moment(now));
                (waiting, Kind::Internal)
            }
        };
        let after = self.clocks.lamport();
        // A log may tell any value to go on from, and a clock at its end stays there.
        debug_assert!(
            after > before || after == u64::MAX,
            "IR1: a clock grows between two events, {before} to {after}"
        );
        self.tally.add(after - before, queue);
        debug_assert!(
            self.tally.sends + self.tally.receives <= self.tally.events,
            "rule 2: a tick makes one event"
        );
        Event { elapsed: now, queue, kind }
    }

    /// What there is to log of its latest event.
    pub fn record<'a>(&'a self, Event { elapsed, queue, kind }: Event<'a>) -> Record<'a> {
        let (vm, event, clocks) = (self.id, self.tally.events, self.clocks.reading());
        Record { vm, event, elapsed, clocks, queue, kind, mark: self.workload.mark() }
    }

    /// Puts an arrived message, or one that will have arrived at its time, into the inbox; a call goes to
    /// the workload. No clock changes. What the message carries is taken out of it.
    ///
    /// # Panics
    ///
    /// Where the workload does.
    #[inline(always)]
    pub fn deliver(&mut self, envelope: &mut Envelope, store: &mut Store) {
        match envelope {
            Envelope::Message(message) => self.inbox.insert(message, store),
            Envelope::Call { call, .. } => self.workload.called(call),
        }
    }

    /// Comes up after a crash, with its clocks and the numbers of its events, and with that workload, which was made anew
    /// and gets what the one before keeps on purpose. Messages that had arrived before are lost; tells how many.
    fn restart(&mut self, mut workload: W, up: Nanos, store: &mut Store) -> u64 {
        workload.resume(self.workload.keeps().as_deref());
        self.workload = workload;
        self.inbox.lose_before(up, self.id, store)
    }

    /// Reads a little of each part of the machine, so that all of it is in the processor's cache soon.
    /// What it returns means nothing, and is not to be thrown away before the compiler has seen it used.
    #[inline]
    pub fn touch(&self) -> u64 {
        u64::from(self.id.0) ^ self.tally.events ^ self.clocks.lamport() ^ self.inbox.touch()
    }

    /// The same for what a delivery needs.
    #[inline]
    pub fn touch_inbox(&self) -> u64 {
        self.inbox.touch()
    }

    /// The same for the message that is first in the inbox.
    #[inline]
    pub fn touch_message(&self, store: &Store) -> u64 {
        self.inbox.touch_first(store)
    }

    /// Its place among all machines of the run, whichever process holds it.
    pub const fn id(&self) -> VmId {
        self.id
    }

    /// The values of its clocks.
    pub fn clocks(&self) -> Reading<'_> {
        self.clocks.reading()
    }

    /// Its final account in a run that ended then, not earlier than its last tick.
    pub fn account(
        &mut self,
        ended: Nanos,
        store: &mut Store,
        rate: Rate,
        lateness: Option<Lateness>,
    ) -> Account {
        let (waiting, in_flight) = (self.inbox.waiting(ended, store), self.inbox.in_flight());
        let (lost, duplicated) = self.uplink.faults();
        Account {
            vm: self.id,
            rate,
            tally: self.tally.clone(),
            lost,
            duplicated,
            lamport: self.clocks.lamport(),
            clocks: self.clocks.values(),
            waiting: u64::from(waiting),
            in_flight: in_flight as u64,
            crashed: 0,
            lateness,
        }
    }

    /// The event that the tick makes.
    const fn moment(&self, now: Nanos) -> Moment {
        Moment { event: self.tally.events + 1, elapsed: now }
    }

    /// `waiting` are the messages that still wait.
    fn receive(&mut self, now: Nanos, waiting: u32, message: Message, received: &mut Received) {
        self.clocks.receive(message.id.sender, &message.stamp, self.moment(now));
        let (event, clocks) = (self.tally.events + 1, self.clocks.reading());
        let after = Tick { now, event, waiting: waiting as usize, clocks };
        self.workload.received(&message, &after, &mut self.draws);
        self.tally.receives += 1;
        let Message { id, stamp, payload, .. } = message;
        *received = Received { message: id, lamport: stamp.lamport(), payload };
    }

    /// Stamps one message for all recipients and asks the network what becomes of each copy.
    fn send(&mut self, now: Nanos, sent: &mut Sent, leaving: &mut Leaving) {
        self.clocks.advance(Occurrence::Send, self.moment(now));
        self.tally.sends += 1;
        self.tally.sent += sent.to.len() as u64;
        let id = MessageId { sender: self.id, event: self.tally.events + 1 };
        let mut stamp = self.clocks.stamp();
        let are_told_apart = self.clocks.tell_recipients_apart();
        for &to in &sent.to {
            if are_told_apart {
                stamp = self.clocks.stamp_for(to);
            }
            match self.uplink.fate(self.id, to, now) {
                Fate::Lost => sent.lost.push(to),
                Fate::Delivered { arrives, again } => {
                    copy(id, to, arrives, &stamp, &sent.payload, leaving.message());
                    if let Some(again) = again {
                        sent.duplicated.push(to);
                        copy(id, to, again, &stamp, &sent.payload, leaving.message());
                    }
                }
            }
        }
    }

    /// Asks the network when each call arrives, if it does. Nothing of it counts as a message.
    fn call(&mut self, now: Nanos, to: &[VmId], leaving: &mut Leaving) {
        let (caller, event) = (self.id, self.tally.events + 1);
        for &to in to {
            if let Some(arrives) = self.uplink.arrival_of_call(self.id, to, now) {
                leaving.call(to, Call { arrives, caller, event });
            }
        }
    }
}

/// Writes a copy of a message into a place that has nothing in it.
#[inline(always)]
fn copy(id: MessageId, to: VmId, arrives: Nanos, stamp: &Stamp, payload: &Payload, place: &mut Message) {
    debug_assert!(
        place.payload.is_none() && place.stamp.others.is_none(),
        "what an earlier message carried would leave with this one"
    );
    (place.id, place.to, place.arrives) = (id, to, arrives);
    place.stamp.lamport = stamp.lamport;
    if !stamp.others.is_none() {
        place.stamp.others = stamp.others.clone();
    }
    if payload.is_some() {
        place.payload.clone_from(payload);
    }
}

#[cfg(test)]
mod tests;
