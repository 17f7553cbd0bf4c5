//! What this process knows of another one: the session with it, its codec, and how it stands. No sockets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::fault::Fault;
use super::loss_accounting::LossAccounting;
use crate::edge::link::bounds::Bounds;
use crate::edge::link::codec::{self, Decoder, Encoder};
use crate::edge::link::dialer;
use crate::edge::link::greeting::{GreetingError, Hello, Identity};
use crate::edge::link::session::{Amount, Arrival, Attached, Counts, LONGEST_PAYLOAD, Session, SessionError};
use crate::edge::link::word::Word;
use crate::edge::log::Traffic;
use crate::edge::nodes;
use crate::model::event::{Envelope, MessageId};
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// The most bytes that a link keeps until they are acknowledged.
const MOST_KEPT: usize = 32 << 20;
/// The most predecessors of a process that are known.
const MOST_PREDECESSORS: usize = 1000;
/// A parcel of this size is closed, and the next one begun.
const PARCEL: usize = 32 * 1024;

/// How another process stands towards the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not been heard of yet.
    Expected,
    /// It has greeted, and takes part in the run.
    Here,
    /// It has left before the run's end.
    Left,
    /// It is not waited for any longer.
    Gone,
}

/// A link that has no connection.
#[derive(Clone, Debug)]
pub(super) struct Away {
    pub(super) since: Nanos,
    pub(super) reason: String,
    /// Whether nobody listens at its address.
    pub(super) is_refused: bool,
}

/// Another process of the run.
#[derive(Debug)]
pub(super) struct Peer {
    own: Identity,
    node: u32,
    pub(super) session: Session,
    encoder: Encoder,
    decoder: Decoder,
    parcel: Vec<u8>,
    messages: u32,
    pub(super) standing: Standing,
    pub(super) away: Away,
    /// Whether it was dialled in vain since there was a connection last.
    pub(super) was_dialled_in_vain: bool,
    /// The number of the connection in use.
    pub(super) in_use: Option<u64>,
    /// Whether an own hello over a connection dialled here is not answered yet.
    pub(super) is_asking: bool,
    /// The latest of its hellos.
    turn: u64,
    /// The latest incarnations that another one has succeeded: a hello of theirs comes late, or from a process that
    /// was started twice.
    predecessors: VecDeque<u64>,
    /// What passed in sessions that were ended early.
    past: Counts,
    bytes: (u64, u64),
    pub(super) loss_accounting: LossAccounting,
    dropped: u64,
    /// Messages to it that were dropped.
    leaving: Untold,
    /// Messages from it that were dropped.
    arrived: Untold,
}

/// Dropped messages that no row tells of yet, and when the latest row told of some.
#[derive(Debug, Default)]
struct Untold {
    count: u64,
    told: Option<Nanos>,
}

impl Untold {
    const fn add(&mut self, count: u64) {
        self.count += count;
    }

    /// Those since the last time that this told of some; not more often than once a second.
    fn take(&mut self, now: Nanos) -> u64 {
        const OFTEN: Nanos = Nanos::from_secs(1);
        if self.count == 0 || self.told.is_some_and(|told| now.minus(told) < OFTEN) {
            return 0;
        }
        self.told = Some(now);
        std::mem::take(&mut self.count)
    }
}

impl Peer {
    pub(super) fn new(own: &Identity, node: u32, bounds: Arc<Bounds>) -> Self {
        let vms = u32::try_from(bounds.vms()).unwrap_or(u32::MAX);
        let share = |node| nodes::share(own.nodes, node, vms);
        Self {
            session: Session::new(own.clone(), node, MOST_KEPT),
            own: own.clone(),
            node,
            encoder: Encoder::new(bounds.clocks()),
            decoder: Decoder::new(bounds, share(own.node), share(node)),
            parcel: Vec::new(),
            messages: 0,
            standing: Standing::Expected,
            away: Away { since: Nanos::ZERO, reason: "it has not answered".into(), is_refused: false },
            was_dialled_in_vain: false,
            in_use: None,
            is_asking: false,
            turn: 0,
            predecessors: VecDeque::new(),
            past: Counts::default(),
            bytes: (0, 0),
            loss_accounting: LossAccounting::default(),
            dropped: 0,
            leaving: Untold::default(),
            arrived: Untold::default(),
        }
    }

    /// Whether the connection over which this hello came is the one to use.
    ///
    /// The later hello counts: who dials has lost the connection before. Where both dial at once, both find
    /// the same connection to be the one that stays.
    pub(super) fn admit(&mut self, hello: &Hello, dialled_here: bool) -> Result<(), GreetingError> {
        if self.predecessors.contains(&hello.from.incarnation) {
            return Err(GreetingError::Succeeded { node: self.node });
        }
        let is_known = hello.from.incarnation == self.session.known();
        let is_late = is_known && hello.turn <= self.turn;
        let yields = !dialled_here && self.is_asking && dialler_wins(self.own.node, self.node);
        if is_late || yields {
            return Err(GreetingError::Superfluous);
        }
        self.turn = hello.turn;
        Ok(())
    }

    /// The connection of that number is in use from now on.
    pub(super) fn attach(
        &mut self,
        hello: &Hello,
        connection: u64,
        now: Nanos,
    ) -> Result<Attached, SessionError> {
        let known = self.session.known();
        let is_another = known != hello.from.incarnation;
        if self.standing == Standing::Left && is_another {
            self.renew();
        }
        let attached = self.session.attach(hello, now)?;
        if is_another && known != 0 {
            self.predecessors.push_back(known);
            if self.predecessors.len() > MOST_PREDECESSORS {
                self.predecessors.pop_front();
            }
        }
        if attached != Attached::Resumed {
            let counts = plus(self.past, self.session.counts());
            let (sent, received) = (counts.sent.messages, counts.received.messages);
            self.loss_accounting.begin(sent, received, counts.lost.messages);
            self.encoder = self.encoder.anew();
            self.decoder.begin(is_another && known != 0);
        }
        // One that left, and only has to hear the rest, is still one that left.
        if self.standing != Standing::Left || attached != Attached::Resumed {
            self.standing = Standing::Here;
        }
        (self.in_use, self.was_dialled_in_vain) = (Some(connection), false);
        Ok(attached)
    }

    /// Messages of these events of its machines have come to this process before, by its logs.
    pub(super) fn logged(&mut self, heard: &BTreeMap<VmId, u64>) {
        heard.iter().for_each(|(sender, event)| {
            self.decoder.heard(MessageId { sender: *sender, event: *event });
        });
    }

    /// What to tell it, once a session, as soon as it is known: what was heard of its machines, and how many of its
    /// messages have arrived.
    pub(super) fn words(&mut self) -> Vec<Word> {
        let Some(received) = self.loss_accounting.word() else { return Vec::new() };
        let known = self.decoder.known();
        let mut words: Vec<Word> =
            known.map(|id| Word::Heard { machine: id.sender.0, event: id.event }).collect();
        words.push(Word::Known { received });
        words
    }

    /// Whether it has told what it has heard of the machines here, or cannot be reached.
    pub(super) fn has_told(&self) -> bool {
        self.loss_accounting.is_heard()
            || matches!(self.standing, Standing::Left | Standing::Gone)
            || self.in_use.is_none() && self.was_dialled_in_vain
    }

    /// Starts another session, since the one so far has been ended.
    fn renew(&mut self) {
        self.session.give_up();
        self.past = plus(self.past, self.session.counts());
        self.session = Session::new(self.own.clone(), self.node, MOST_KEPT);
    }

    /// The connection in use is lost.
    pub(super) fn detach(&mut self, away: Away) {
        self.session.detach();
        self.in_use = None;
        self.away = away;
    }

    /// Adds a message to the parcel that is being filled. A call to a process that is not there meets nobody;
    /// a message is kept for it, as long as there is room.
    pub(super) fn put(&mut self, message: &Envelope) {
        let is_there = self.standing == Standing::Here && self.session.is_attached();
        if !message.is_message() && !is_there {
            return;
        }
        let most = codec::most_bytes(message);
        let is_expected =
            matches!(self.standing, Standing::Expected | Standing::Here) && !self.session.has_ended();
        if !is_expected || !codec::fits(message) || !self.session.has_room(self.parcel.len() + most) {
            self.drop_messages(u64::from(message.is_message()));
            return;
        }
        if self.parcel.len() + most > LONGEST_PAYLOAD {
            self.flush();
        }
        self.encoder.put(message, &mut self.parcel);
        self.messages += u32::from(message.is_message());
        if self.parcel.len() >= PARCEL {
            self.flush();
        }
    }

    /// Takes in the body of a frame, and the messages of a parcel: all of them or, where it does not belong here,
    /// none, and then it has not been received.
    pub(super) fn read<'a>(
        &mut self,
        body: &'a [u8],
        now: Nanos,
        messages: &mut Vec<Envelope>,
    ) -> Result<Arrival<'a>, Fault> {
        let arrival = self.session.read(body, now)?;
        if let Arrival::Parcel(parcel) = arrival {
            self.decoder.read(parcel.payload, parcel.messages, messages)?;
            self.session.accept(parcel, now);
        }
        Ok(arrival)
    }

    /// So many messages that have arrived are dropped. Tells of how many there is to be a row.
    pub(super) fn drop_arrived(&mut self, count: u64, now: Nanos) -> u64 {
        self.dropped += count;
        self.arrived.add(count);
        self.arrived.take(now)
    }

    fn drop_messages(&mut self, count: u64) {
        self.dropped += count;
        self.leaving.add(count);
    }

    /// Gives the parcel to the session.
    pub(super) fn flush(&mut self) {
        if !self.parcel.is_empty() {
            // Room was made sure of, message by message.
            let sent = self.session.send(self.messages, &self.parcel);
            debug_assert!(sent.is_ok(), "there was room");
            self.parcel.clear();
            self.messages = 0;
        }
    }

    /// Says a word behind all messages so far.
    pub(super) fn say(&mut self, word: Word) {
        self.flush();
        // One that has left, or that is left, hears nothing more.
        if !self.session.has_ended() {
            self.session.say(word);
        }
    }

    /// The process does not come back, or is not waited for: what it has not acknowledged is lost.
    pub(super) fn give_up(&mut self, standing: Standing) -> Amount {
        self.flush();
        self.standing = standing;
        self.in_use = None;
        self.session.give_up()
    }

    /// Messages to it dropped since the last time that this told of some; not more often than once a second.
    pub(super) fn take_untold(&mut self, now: Nanos) -> u64 {
        self.leaving.take(now)
    }

    /// Counts bytes that passed.
    pub(super) fn count_bytes(&mut self, (written, read): (u64, u64)) {
        self.bytes.0 += written;
        self.bytes.1 += read;
    }

    /// What sessions count as lost.
    pub(super) fn raw_lost(&self) -> u64 {
        plus(self.past, self.session.counts()).lost.messages
    }

    /// What has passed so far.
    pub(super) fn traffic(&self) -> Traffic {
        let counts = plus(self.past, self.session.counts());
        Traffic {
            messages_sent: counts.sent.messages,
            frames_sent: counts.frames_written,
            bytes_sent: self.bytes.0,
            messages_received: counts.received.messages,
            frames_received: counts.frames_read,
            bytes_received: self.bytes.1,
            resent: counts.resent.messages,
            repeated: counts.repeated.messages,
            lost: self.loss_accounting.lost(counts.lost.messages),
            dropped: self.dropped,
        }
    }
}

const fn dialler_wins(own: u32, peer: u32) -> bool {
    dialer::stays(own, peer, true)
}

fn plus(a: Counts, b: Counts) -> Counts {
    let add =
        |a: Amount, b: Amount| Amount { parcels: a.parcels + b.parcels, messages: a.messages + b.messages };
    Counts {
        frames_written: a.frames_written + b.frames_written,
        frames_read: a.frames_read + b.frames_read,
        sent: add(a.sent, b.sent),
        received: add(a.received, b.received),
        resent: add(a.resent, b.resent),
        repeated: add(a.repeated, b.repeated),
        lost: add(a.lost, b.lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockList;
    use crate::clock::Stamp;
    use crate::model::event::{Call, Message};

    fn identity(node: u32, incarnation: u64) -> Identity {
        Identity { run: "r".into(), scenario: "".into(), nodes: 2, node, incarnation }
    }

    fn bounds() -> Arc<Bounds> {
        Arc::new(Bounds::open(2, ClockList::LAMPORT))
    }

    fn hello(node: u32, incarnation: u64, turn: u64) -> Hello {
        Hello { from: identity(node, incarnation), to: 1 - node, knows: 0, received: 0, turn }
    }

    fn message(is_call: bool) -> Envelope {
        let (id, to, arrives) = (MessageId { sender: VmId(0), event: 1 }, VmId(1), Nanos::ZERO);
        if is_call {
            return Envelope::Call { to, call: Call { arrives, caller: id.sender, event: id.event } };
        }
        Envelope::Message(Message { id, to, arrives, stamp: Stamp::lamport_only(1), payload: None })
    }

    #[test]
    fn of_two_dials_at_once_both_ends_use_the_lower_nodes() {
        let (mut low, mut high) =
            (Peer::new(&identity(0, 7), 1, bounds()), Peer::new(&identity(1, 8), 0, bounds()));
        (low.is_asking, high.is_asking) = (true, true);
        assert_eq!(low.admit(&hello(1, 8, 1), false), Err(GreetingError::Superfluous));
        assert_eq!(high.admit(&hello(0, 7, 1), false), Ok(()));
        assert_eq!(low.admit(&hello(1, 8, 2), true), Ok(()), "the answer to its own");
    }

    #[test]
    fn the_later_hello_of_a_process_counts() {
        let mut peer = Peer::new(&identity(0, 7), 1, bounds());
        peer.attach(&hello(1, 8, 5), 1, Nanos::ZERO).unwrap();
        assert_eq!(peer.admit(&hello(1, 8, 5), false), Ok(()));
        assert_eq!(
            peer.admit(&hello(1, 8, 4), false),
            Err(GreetingError::Superfluous),
            "it was on its way for long"
        );
        assert_eq!(peer.admit(&hello(1, 8, 6), false), Ok(()), "it has lost the connection, unnoticed here");
        assert_eq!(peer.admit(&hello(1, 9, 1), false), Ok(()), "another process counts anew");
    }

    #[test]
    fn a_call_to_a_process_that_is_away_meets_nobody_and_a_message_waits_for_it() {
        let mut peer = Peer::new(&identity(0, 7), 1, bounds());
        peer.attach(&hello(1, 8, 1), 1, Nanos::ZERO).unwrap();
        peer.detach(Away { since: Nanos::ZERO, reason: String::new(), is_refused: false });
        peer.put(&message(true));
        peer.flush();
        assert_eq!((peer.traffic().messages_sent, peer.session.kept_bytes()), (0, 0));
        peer.put(&message(false));
        peer.flush();
        assert_eq!((peer.traffic().messages_sent, peer.traffic().dropped), (1, 0));
        assert!(peer.session.kept_bytes() > 0);
    }

    #[test]
    fn what_is_for_a_process_that_is_gone_is_dropped_and_counted() {
        let mut peer = Peer::new(&identity(0, 7), 1, bounds());
        peer.attach(&hello(1, 8, 1), 1, Nanos::ZERO).unwrap();
        peer.put(&message(false));
        assert_eq!(peer.give_up(Standing::Gone).messages, 1);
        peer.put(&message(false));
        peer.put(&message(true));
        let traffic = peer.traffic();
        assert_eq!((traffic.messages_sent, traffic.lost, traffic.dropped), (1, 1, 1));
        assert_eq!((peer.take_untold(Nanos::ZERO), peer.take_untold(Nanos::ZERO)), (1, 0));
    }

    #[test]
    fn no_more_is_kept_for_a_process_than_may_be() {
        let mut peer = Peer::new(&identity(0, 7), 1, bounds());
        let long = |bytes: usize| {
            let payload = Some(Arc::new("x".repeat(bytes)));
            let Envelope::Message(short) = message(false) else { panic!("a message") };
            Envelope::Message(Message { payload, ..short })
        };
        (0..1000).for_each(|_| peer.put(&long(60_000)));
        peer.flush();
        assert!(peer.session.kept_bytes() <= MOST_KEPT);
        let traffic = peer.traffic();
        assert!(traffic.dropped > 400 && traffic.messages_sent + traffic.dropped == 1000, "{traffic:?}");
        let mut peer = Peer::new(&identity(0, 7), 1, bounds());
        peer.put(&long(70_000));
        assert_eq!(peer.traffic().dropped, 1, "no reader would take it");
    }
}
