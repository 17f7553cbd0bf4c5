//! What two processes owe each other, over all connections between them.
//!
//! It is what TCP does for bytes, once more for parcels, since a connection's own guarantee ends with the connection:
//! what was written to one that broke may have arrived or not.
//!
//! Parcels are numbered 1, 2, 3, … in each direction. The sender keeps a parcel until the number of it or
//! of a later one is acknowledged; after a reconnect each end tells the last number that it has, and the
//! other one goes on behind it. So a parcel arrives exactly once and in order as long as both processes
//! live. A process that was started again is another *incarnation*: it knows nothing of what its
//! predecessor got, and what the predecessor had not acknowledged may or may not have arrived. It is not
//! sent again, since that could make a message happen twice: it is counted as lost.
//!
//! At the end each end waits until the other one knows that all has arrived. The last acknowledgement of all can be lost
//! with its connection, and whoever misses it would count as lost what was received. So an end to which everything is
//! acknowledged says that it is *done*, and an end goes only when the other one is. That word can be lost as well, but
//! then nothing depends on it: who has said it knows all (two generals never agree, but one of them may be content).
//!
//! A parcel counts as received when its content was taken, and not before: one that nobody can read closes the
//! connection and comes again over the next one.

mod counts;

use std::collections::VecDeque;

pub use self::counts::{Amount, Counts};
use super::frame::{self, Lane};
use super::greeting::{Hello, Identity};
use super::wire::{Reader, put_number};
use super::word::Word;
use crate::model::time::Nanos;

/// Kinds of a frame's body in a session; a greeting's kinds are others.
const PARCEL: u8 = 3;
const ACKNOWLEDGEMENT: u8 = 4;
const END: u8 = 5;
const WORD: u8 = 6;
const DONE: u8 = 7;

/// An end that has nothing else to say says so this often.
pub const HEARTBEAT: Nanos = Nanos::from_secs(1);
/// An end that has said nothing for so long is taken for dead, and its connection is closed.
pub const SILENCE: Nanos = Nanos::from_secs(5);
/// An acknowledgement waits so long for something to go with: alone it would wake the other process for itself. TCP
/// delays its own for the same reason, and bounds the delay in time and bytes as well (RFC 1122, section 4.2.3.2).
pub const PATIENCE: Nanos = Nanos::new(5_000_000);
/// It does not wait where so many bytes came since the last one: the other end keeps them until then.
const MANY_BYTES: usize = 64 * 1024;
/// What a parcel's frame has beside its payload, at most.
const OVERHEAD: usize = 32;
/// The longest payload of a parcel.
pub const LONGEST_PAYLOAD: usize = frame::LONGEST - OVERHEAD;

/// One process's end of a link.
#[derive(Debug)]
pub struct Session {
    own: Identity,
    peer: u32,
    /// The other end's incarnation; 0 until it has spoken.
    known: u64,
    /// Bodies of frames that are not acknowledged, in order.
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// How many bytes it may keep.
    most_bytes: usize,
    /// The number of the last parcel that was acknowledged.
    acknowledged: u64,
    /// How many of the kept frames were written to the present connection.
    written: usize,
    /// The number of the last parcel that was received.
    received: u64,
    ends: bool,
    peer_ended: bool,
    /// Whether all that the other end has sent is acknowledged to it, as far as it can be known here.
    peer_is_done: bool,
    line: Option<Line>,
    counts: Counts,
    /// The body that is being made; kept for its memory.
    body: Vec<u8>,
}

/// The body of a numbered frame, until it is acknowledged.
#[derive(Debug)]
struct Kept {
    body: Box<[u8]>,
    messages: u32,
    /// Whether it was written to any connection.
    was_written: bool,
}

/// The connection that carries the link now: it comes and goes, while the session's numbers go on.
#[derive(Clone, Copy, Debug)]
struct Line {
    heard: Nanos,
    spoke: Nanos,
    /// When to acknowledge at the latest; none where all is acknowledged.
    owes_by: Option<Nanos>,
    /// The bytes that came since the last acknowledgement.
    unacknowledged: usize,
    /// Whether this end has said over it that it is done.
    said_done: bool,
}

/// The session keeps as much as it may: the parcel was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link keeps {kept} bytes that are not acknowledged, and may keep no more")]
pub struct Full {
    /// The bytes of all parcels that the other end has not acknowledged yet.
    pub kept: usize,
}

/// What came of greeting the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// The first connection to this process.
    New,
    /// The session goes on behind the last parcel that arrived.
    Resumed,
    /// The other process was started again, and so many parcels are lost with the one before it. Whoever
    /// codes parcels starts anew.
    Restarted(Amount),
}

/// What a frame brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival<'a> {
    /// The next parcel, which has not been received before it is [accepted](Session::accept).
    Parcel(Parcel<'a>),
    /// What the other process has to say beside messages.
    Word(Word),
    /// The other end will send no more parcels, or knows that all of them have arrived.
    End,
    /// Nothing for anybody but the session.
    Nothing,
}

/// A parcel that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel<'a> {
    number: u64,
    /// How many messages the payload holds: counters go by these, without decoding it.
    pub messages: u32,
    /// The messages, encoded; the session never looks into them.
    pub payload: &'a [u8],
}

/// Why a connection is of no use any more. The session goes on with the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A frame has no form of this protocol.
    #[error("a frame that is none of clocklab's")]
    Malformed,
    /// A parcel does not follow the one before it.
    #[error("parcel {found} came where {expected} was next")]
    Gap {
        /// The number that was next.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An acknowledgement of what was never sent, or of less than before.
    #[error("parcel {found} was acknowledged, where {acknowledged} to {sent} were possible")]
    Acknowledgement {
        /// The number that came.
        found: u64,
        /// The last one that was acknowledged before.
        acknowledged: u64,
        /// The last one that was sent.
        sent: u64,
    },
    /// Nothing was heard for too long.
    #[error("nothing was heard for {} s", SILENCE.get() / 1_000_000_000)]
    Silent,
}

impl Session {
    /// The end of that process towards node `peer`, which may keep so many bytes of parcels that are not
    /// acknowledged.
    pub fn new(own: Identity, peer: u32, most_bytes: usize) -> Self {
        Self {
            own,
            peer,
            known: 0,
            kept: VecDeque::new(),
            kept_bytes: 0,
            most_bytes,
            acknowledged: 0,
            written: 0,
            received: 0,
            ends: false,
            peer_ended: false,
            peer_is_done: false,
            line: None,
            counts: Counts::default(),
            body: Vec::new(),
        }
    }

    /// What to say to the other end when a connection opens; `turn` grows from hello to hello.
    pub fn hello(&self, turn: u64) -> Hello {
        Hello { from: self.own.clone(), to: self.peer, knows: self.known, received: self.received, turn }
    }

    /// The other end's incarnation; 0 until it has spoken.
    pub const fn known(&self) -> u64 {
        self.known
    }

    /// The other end's hello came over a new connection, which takes the place of any earlier one.
    ///
    /// # Errors
    ///
    /// Where it claims to have received what was never sent; then nothing has changed, and an earlier connection
    /// is still the present one.
    pub fn attach(&mut self, hello: &Hello, now: Nanos) -> Result<Attached, SessionError> {
        let incarnation = hello.from.incarnation;
        let is_another = self.known != 0 && self.known != incarnation;
        debug_assert_eq!(hello.from.node, self.peer, "another node's hello");
        // What it received from an earlier incarnation of this process says nothing of this one.
        let received = if hello.knows == self.own.incarnation { hello.received } else { 0 };
        // Of another incarnation nothing has been acknowledged, and nothing was sent to it.
        let (acknowledged, sent) = if is_another { (0, 0) } else { (self.acknowledged, self.sent()) };
        if !(acknowledged..=sent).contains(&received) {
            return Err(SessionError::Acknowledgement { found: received, acknowledged, sent });
        }
        // All checks are behind: an earlier connection goes only where the new one can take its place.
        self.detach();
        let attached = match self.known {
            0 => Attached::New,
            _ if is_another => Attached::Restarted(self.start_anew()),
            _ => Attached::Resumed,
        };
        self.known = incarnation;
        self.acknowledge(received)?;
        self.line = Some(Line { heard: now, spoke: now, owes_by: None, unacknowledged: 0, said_done: false });
        Ok(attached)
    }

    /// The connection is lost.
    pub fn detach(&mut self) {
        self.line = None;
        self.written = 0;
    }

    /// Whether there is a connection.
    pub const fn is_attached(&self) -> bool {
        self.line.is_some()
    }

    /// Takes a parcel of so many messages, to be written to this connection or a later one.
    ///
    /// # Errors
    ///
    /// Where too much is kept already; the parcel was not taken.
    ///
    /// # Panics
    ///
    /// Where the payload is longer than [`LONGEST_PAYLOAD`], or the session was told to end.
    pub fn send(&mut self, messages: u32, payload: &[u8]) -> Result<(), Full> {
        assert!(payload.len() <= LONGEST_PAYLOAD, "a parcel of {} bytes", payload.len());
        assert!(!self.ends, "a parcel after the end");
        if !self.has_room(payload.len()) {
            return Err(Full { kept: self.kept_bytes });
        }
        self.counts.sent.add(messages);
        self.keep(PARCEL, messages, payload);
        Ok(())
    }

    /// Takes a word, which has a place among the parcels and is short: there is always room for one.
    ///
    /// # Panics
    ///
    /// Where the session was told to end.
    pub fn say(&mut self, word: Word) {
        assert!(!self.ends, "a word after the end");
        let payload = word.payload();
        debug_assert!(payload.len() <= OVERHEAD, "a word is short, and kept without asking for room");
        self.keep(WORD, 0, &payload);
    }

    /// No parcel follows: the other end is told so behind all parcels.
    pub fn end(&mut self) {
        if !self.ends {
            self.ends = true;
            self.keep(END, 0, &[]);
        }
    }

    /// Whether a parcel of so many bytes would be taken.
    pub const fn has_room(&self, bytes: usize) -> bool {
        self.kept_bytes + bytes <= self.most_bytes
    }

    /// Whether this end was told to [`end`](Self::end).
    pub const fn has_ended(&self) -> bool {
        self.ends
    }

    /// Whether the other end has said that it sends no more parcels.
    pub const fn peer_has_ended(&self) -> bool {
        self.peer_ended
    }

    /// Whether both ends have sent and received all that they ever will.
    pub fn is_over(&self) -> bool {
        self.ends && self.kept.is_empty() && self.peer_ended
    }

    /// Whether this end may go: [all is over](Self::is_over), and the other end does not need it to know that.
    pub fn is_closed(&self) -> bool {
        self.is_over() && self.peer_is_done && self.line.is_none_or(|line| line.said_done)
    }

    /// Nobody is left at the other end who could want to know that all has arrived.
    pub const fn close(&mut self) {
        self.peer_is_done = true;
    }

    /// The other process will not come back: what it has not acknowledged is lost.
    pub fn give_up(&mut self) -> Amount {
        self.detach();
        self.start_anew()
    }

    /// What has passed so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What would be lost if the other end never came back.
    pub fn unacknowledged(&self) -> Amount {
        let mut amount = Amount::default();
        self.kept.iter().filter(|kept| kept.messages > 0).for_each(|kept| amount.add(kept.messages));
        amount
    }

    /// Grows whenever something has come or was acknowledged.
    pub const fn progress(&self) -> u64 {
        self.received + self.acknowledged
    }

    /// The bytes that are kept until they are acknowledged.
    pub const fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// Takes in the body of a frame. A parcel is still to be [accepted](Self::accept).
    ///
    /// # Errors
    ///
    /// Where it does not belong here; the connection is to be closed.
    pub fn read<'a>(&mut self, body: &'a [u8], now: Nanos) -> Result<Arrival<'a>, SessionError> {
        if let Some(line) = &mut self.line {
            line.heard = now;
            line.unacknowledged += body.len();
        }
        self.counts.frames_read += 1;
        let mut reader = Reader(body);
        let (kind, number) =
            (reader.byte().ok_or(SessionError::Malformed)?, reader.number().ok_or(SessionError::Malformed)?);
        match kind {
            PARCEL => {
                let messages = reader.small().ok_or(SessionError::Malformed)?;
                if self.is_next(number, now)? {
                    return Ok(Arrival::Parcel(Parcel { number, messages, payload: reader.0 }));
                }
                self.counts.repeated.add(messages);
                Ok(Arrival::Nothing)
            }
            WORD => {
                let word = Word::read(reader.0).ok_or(SessionError::Malformed)?;
                if !self.is_next(number, now)? {
                    return Ok(Arrival::Nothing);
                }
                self.receive(number, now);
                Ok(Arrival::Word(word))
            }
            END if reader.is_empty() => {
                if !self.is_next(number, now)? {
                    return Ok(Arrival::Nothing);
                }
                self.receive(number, now);
                // Its process waits for nothing else.
                self.owe(now);
                self.peer_ended = true;
                Ok(Arrival::End)
            }
            // It follows on what it says is over, and acknowledges the last of what was sent to it.
            DONE if reader.is_empty() && self.peer_ended && self.ends && number == self.sent() => {
                self.acknowledge(number)?;
                self.peer_is_done = true;
                Ok(Arrival::End)
            }
            ACKNOWLEDGEMENT if reader.is_empty() => self.acknowledge(number).map(|()| Arrival::Nothing),
            _ => Err(SessionError::Malformed),
        }
    }

    /// The content of a parcel was taken, all of it: now it is received, and is acknowledged.
    ///
    /// # Panics
    ///
    /// Where it is not the one that came last.
    pub fn accept(&mut self, parcel: Parcel<'_>, now: Nanos) {
        assert_eq!(parcel.number, self.received + 1, "a parcel is accepted once");
        self.receive(parcel.number, now);
        self.counts.received.add(parcel.messages);
    }

    /// Appends what is to be written to the connection now, until `out` has about `most` bytes; `lane` is this end's
    /// on that connection.
    pub fn write(&mut self, now: Nanos, most: usize, lane: &mut Lane, out: &mut Vec<u8>) {
        debug_assert!(self.written <= self.kept.len(), "{} of {} frames", self.written, self.kept.len());
        let Some(line) = &mut self.line else { return };
        let start = out.len();
        // The acknowledgement goes first: the other end can forget what it keeps before it takes in more.
        let goes_along = line.owes_by.is_some() && self.written < self.kept.len();
        if goes_along || line.owes(now) || now.minus(line.spoke) >= HEARTBEAT {
            let received = self.received;
            (line.owes_by, line.unacknowledged) = (None, 0);
            self.counts.frames_written += 1;
            self.body.clear();
            self.body.push(ACKNOWLEDGEMENT);
            put_number(received, &mut self.body);
            frame::put_on(lane, &self.body, out);
        }
        for kept in self.kept.range_mut(self.written..) {
            if out.len() >= most {
                break;
            }
            frame::put_on(lane, &kept.body, out);
            if kept.was_written {
                self.counts.resent.add(kept.messages);
            }
            kept.was_written = true;
            self.written += 1;
            self.counts.frames_written += 1;
        }
        let is_over = self.ends && self.kept.is_empty() && self.peer_ended;
        if is_over && !std::mem::replace(&mut line.said_done, true) {
            (line.owes_by, line.unacknowledged) = (None, 0);
            self.counts.frames_written += 1;
            self.body.clear();
            self.body.push(DONE);
            put_number(self.received, &mut self.body);
            frame::put_on(lane, &self.body, out);
        }
        if out.len() > start {
            line.spoke = now;
        }
    }

    /// The parcels that were written to a connection before and are to be written to this one again.
    pub fn to_resend(&self) -> Amount {
        let mut amount = Amount::default();
        let again = self.kept.range(self.written..).filter(|kept| kept.was_written && kept.messages > 0);
        again.for_each(|kept| amount.add(kept.messages));
        amount
    }

    /// Whether [`write`](Self::write) has something for the connection now, heartbeats aside.
    pub fn has_to_write(&self, now: Nanos) -> bool {
        let is_over = self.is_over();
        let owes =
            |line: Line| line.owes(now) || self.written < self.kept.len() || is_over && !line.said_done;
        self.line.is_some_and(owes)
    }

    /// When to write an acknowledgement or a heartbeat, or to look for silence, at the latest.
    pub fn timeout(&self) -> Option<Nanos> {
        let line = self.line?;
        let alive = line.spoke.plus(HEARTBEAT).min(line.heard.plus(SILENCE));
        Some(line.owes_by.map_or(alive, |by| by.min(alive)))
    }

    /// Looks whether the other end has been silent for too long.
    ///
    /// # Errors
    ///
    /// Where it has; the connection is to be closed.
    pub fn check(&self, now: Nanos) -> Result<(), SessionError> {
        match self.line {
            Some(line) if now.minus(line.heard) >= SILENCE => Err(SessionError::Silent),
            _ => Ok(()),
        }
    }

    /// The number of the last parcel that was sent.
    fn sent(&self) -> u64 {
        self.acknowledged + self.kept.len() as u64
    }

    fn keep(&mut self, kind: u8, messages: u32, payload: &[u8]) {
        debug_assert!(kind == PARCEL || messages == 0, "only parcels have messages");
        self.body.clear();
        self.body.push(kind);
        put_number(self.sent() + 1, &mut self.body);
        if kind == PARCEL {
            put_number(u64::from(messages), &mut self.body);
        }
        self.body.extend_from_slice(payload);
        debug_assert!(self.body.len() <= frame::LONGEST, "a body of {} bytes fits no frame", self.body.len());
        self.kept_bytes += self.body.len();
        self.kept.push_back(Kept { body: self.body.as_slice().into(), messages, was_written: false });
    }

    /// Whether that number is the next one. Of one that came before, another acknowledgement is owed at once: who
    /// sends something again does not know that it has arrived.
    fn is_next(&mut self, number: u64, now: Nanos) -> Result<bool, SessionError> {
        let expected = self.received + 1;
        if number > expected || number == 0 {
            return Err(SessionError::Gap { expected, found: number });
        }
        if number < expected {
            self.owe(now);
        }
        Ok(number == expected)
    }

    /// Counts the next number, and owes an acknowledgement.
    fn receive(&mut self, number: u64, now: Nanos) {
        debug_assert_eq!(number, self.received + 1, "numbers come without a gap, each once");
        let is_much = self.line.is_some_and(|line| line.unacknowledged >= MANY_BYTES);
        self.owe(if is_much { now } else { now.plus(PATIENCE) });
        self.received = number;
    }

    /// Acknowledges what came by then at the latest.
    fn owe(&mut self, by: Nanos) {
        if let Some(line) = &mut self.line {
            line.owes_by = Some(line.owes_by.map_or(by, |owed| owed.min(by)));
        }
    }

    fn acknowledge(&mut self, number: u64) -> Result<(), SessionError> {
        let (acknowledged, sent) = (self.acknowledged, self.sent());
        if !(acknowledged..=sent).contains(&number) {
            return Err(SessionError::Acknowledgement { found: number, acknowledged, sent });
        }
        // Cumulative: one number acknowledges all before it, so an acknowledgement that is lost with its connection needs
        // no repetition of its own.
        for _ in acknowledged..number {
            if let Some(kept) = self.kept.pop_front() {
                self.kept_bytes -= kept.body.len();
            }
            self.written = self.written.saturating_sub(1);
        }
        self.acknowledged = number;
        debug_assert!(self.written <= self.kept.len(), "{} of {} frames", self.written, self.kept.len());
        debug_assert_eq!(self.kept_bytes == 0, self.kept.is_empty(), "{} bytes are kept", self.kept_bytes);
        debug_assert_eq!(self.sent(), sent, "an acknowledgement changes no number");
        Ok(())
    }

    /// Forgets what was between this process and an incarnation of the other that is no more.
    fn start_anew(&mut self) -> Amount {
        let lost = self.unacknowledged();
        self.counts.lost.parcels += lost.parcels;
        self.counts.lost.messages += lost.messages;
        debug_assert!(self.counts.lost.messages <= self.counts.sent.messages, "more is lost than was sent");
        self.kept.clear();
        (self.kept_bytes, self.acknowledged, self.written, self.received) = (0, 0, 0, 0);
        (self.peer_ended, self.peer_is_done) = (false, false);
        // The new process has not heard that this one has nothing more to say.
        if self.ends {
            self.keep(END, 0, &[]);
        }
        lost
    }
}

impl Line {
    /// Whether to acknowledge now.
    fn owes(&self, now: Nanos) -> bool {
        self.owes_by.is_some_and(|by| by <= now)
    }
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;
