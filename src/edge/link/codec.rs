//! Messages in parcels, long stamps as differences.
//!
//! A vector, and whatever stamp counts the events of machines, differs in few entries from the one that the same
//! machine sent before over the same link, since little happens between two sends; as links keep the order, the
//! differences are enough
//! (Singhal and Kshemkalyani, "An Efficient Implementation of Vector Clocks", Information Processing
//! Letters 43, 1992). Both ends remember each machine's latest stamp; both forget it when one of the
//! processes is started again.
//!
//! A parcel is taken whole or not at all: where something in it is wrong, nothing of it has happened, and the stamps
//! that are remembered are what they were.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::bounds::{Bounds, LONGEST_PAYLOAD};
use super::session;
use super::wire::{Reader, put_number, put_text};
use crate::clock::{ClockList, ClockSpec, Stamp, StampLayout, Wire};
use crate::model::event::{Call, Envelope, Message, MessageId};
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// What a message has beside a Lamport stamp.
const STAMPS: u8 = 1;
const PAYLOAD: u8 = 2;
/// It is a call.
const CALL: u8 = 4;

/// Puts messages into parcels.
#[derive(Debug)]
pub struct Encoder {
    latest: Latest,
    clocks: ClockList,
    layout: StampLayout,
}

/// Takes messages out of parcels.
#[derive(Debug)]
pub struct Decoder {
    latest: Latest,
    layout: StampLayout,
    bounds: Arc<Bounds>,
    /// The machines of this process.
    here: Range<u32>,
    /// The machines of the other one.
    there: Range<u32>,
    /// How far each of those has come, as far as its messages tell.
    progress: Vec<EventProgress>,
    /// What the parcel under way has changed.
    changes: Vec<Change>,
}

/// The latest event of a machine at which it sent something here, and how many messages came of it.
#[derive(Clone, Copy, Debug, Default)]
struct EventProgress {
    event: u64,
    copies: u32,
}

/// What a message has changed.
#[derive(Debug)]
struct Change {
    sender: usize,
    before: EventProgress,
    /// Where in the parcel the differences begin that were added to the sender's latest stamps, each with its clock.
    differences: SmallVec<[(usize, usize); 1]>,
}

/// The latest stamps of each machine, by clock and then by number; empty where it has sent none.
#[derive(Debug, Default)]
struct Latest(Vec<Vec<Vec<u64>>>);

/// A parcel is not what an encoder makes of messages of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Something in it is no message, or not as many messages as it says.
    #[error("a parcel whose messages make no sense")]
    Malformed,
    /// It goes from or to a machine that is not at this link's ends.
    #[error("a message that is none of this link's")]
    Astray,
    /// It was sent at an event that never happens.
    #[error("a message of event {event} of machine {sender}, which makes {most} events in this run")]
    Beyond {
        /// Who is said to have sent it.
        sender: VmId,
        /// The sender's event, as the message has it.
        event: u64,
        /// How many there are.
        most: u64,
    },
    /// It was sent at an event before one that is known already, or more often than a send goes out.
    #[error("a message of event {event} of machine {sender} came again, or after one of event {latest}")]
    Again {
        /// Who is said to have sent it.
        sender: VmId,
        /// The sender's event, as the message has it.
        event: u64,
        /// The event of that machine's latest message.
        latest: u64,
    },
    /// Its clocks are not those of the run, or say what cannot be.
    #[error("a message of event {event} of machine {sender} whose clocks say what cannot be in this run")]
    Clocks {
        /// Who is said to have sent it.
        sender: VmId,
        /// The sender's event, as the message has it.
        event: u64,
    },
}

/// Whether a message can travel: neither what it carries nor its stamp is too long for a parcel.
pub fn fits(message: &Envelope) -> bool {
    payload_bytes(message) <= LONGEST_PAYLOAD && most_bytes(message) <= session::LONGEST_PAYLOAD
}

/// The most bytes that a message can take.
pub fn most_bytes(message: &Envelope) -> usize {
    // Flags and ten numbers of at most ten bytes; and for each number of a stamp its difference and, as a
    // rule, one byte of the gap before it.
    const NUMBERS: usize = 120;
    const ENTRY: usize = 11;
    let Envelope::Message(Message { stamp, .. }) = message else { return NUMBERS };
    NUMBERS + payload_bytes(message) + ENTRY * stamp.words()
}

fn payload_bytes(message: &Envelope) -> usize {
    match message {
        Envelope::Message(Message { payload: Some(payload), .. }) => payload.len(),
        _ => 0,
    }
}

impl Encoder {
    /// An encoder for the messages of machines that keep those clocks.
    pub fn new(clocks: &ClockList) -> Self {
        let layout = StampLayout::of(clocks);
        Self { latest: Latest::default(), clocks: clocks.clone(), layout }
    }

    /// One for the same clocks that has sent nothing yet.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(&self.clocks)
    }

    /// Appends a message, which is one that [`fits`], or a call.
    pub fn put(&mut self, envelope: &Envelope, out: &mut Vec<u8>) {
        match envelope {
            Envelope::Message(message) => self.put_message(message, out),
            Envelope::Call { to, call: Call { arrives, caller, event } } => {
                out.push(CALL);
                for number in [u64::from(caller.0), *event, u64::from(to.0), arrives.get()] {
                    put_number(number, out);
                }
            }
        }
    }

    fn put_message(&mut self, message: &Message, out: &mut Vec<u8>) {
        let Message { id, to, arrives, stamp, payload } = message;
        let flag = |is_there: bool, flag| if is_there { flag } else { 0 };
        let has_stamps = !self.clocks.is_empty() && stamp.parts(self.layout).all(|part| part.is_some());
        out.push(flag(has_stamps, STAMPS) | flag(payload.is_some(), PAYLOAD));
        for number in [u64::from(id.sender.0), id.event, u64::from(to.0), arrives.get(), stamp.lamport()] {
            put_number(number, out);
        }
        if has_stamps {
            for (clock, part) in stamp.parts(self.layout).flatten().enumerate() {
                put_stamp(&self.clocks[clock], part, || self.latest.of(clock, id.sender, part.len()), out);
            }
        }
        if let Some(payload) = payload {
            put_text(payload, out);
        }
    }
}

impl Decoder {
    /// A decoder for parcels from the process of the machines `there` to that of the machines `here`.
    pub fn new(bounds: Arc<Bounds>, here: Range<u32>, there: Range<u32>) -> Self {
        let progress = there.clone().map(|_| EventProgress::default()).collect();
        let layout = StampLayout::of(bounds.clocks());
        Self { latest: Latest::default(), layout, bounds, here, there, progress, changes: Vec::new() }
    }

    /// A session begins. Its parcels tell stamps from the beginning on; and where the other process is another one
    /// than before, it sends nothing at events at which that one has.
    pub fn begin(&mut self, is_another: bool) {
        self.latest = Latest::default();
        if is_another {
            self.progress.iter_mut().for_each(|progress| progress.copies = u32::MAX);
        }
    }

    /// A message of that event has come to this process before, as its logs tell.
    pub fn heard(&mut self, MessageId { sender, event }: MessageId) {
        if let Some(progress) =
            sender.0.checked_sub(self.there.start).and_then(|at| self.progress.get_mut(at as usize))
            && progress.event < event
        {
            *progress = EventProgress { event, copies: 0 };
        }
    }

    /// The latest event of each machine of the other process that is known here, where there is any.
    pub fn known(&self) -> impl Iterator<Item = MessageId> + '_ {
        let all = self.there.clone().map(VmId).zip(&self.progress);
        all.filter(|(_, progress)| progress.event > 0)
            .map(|(sender, progress)| MessageId { sender, event: progress.event })
    }

    /// Takes the messages out of a parcel of so many, behind those that are there already.
    ///
    /// # Errors
    ///
    /// Where there is something else in it; then no message is taken, and nothing has changed.
    pub fn read(&mut self, parcel: &[u8], messages: u32, into: &mut Vec<Envelope>) -> Result<(), CodecError> {
        let before = into.len();
        self.changes.clear();
        let taken = self.take(parcel, messages, into);
        if taken.is_err() {
            into.truncate(before);
            self.take_back(parcel);
        }
        debug_assert!(into.len() >= before, "messages of earlier parcels stay");
        taken
    }

    fn take(&mut self, parcel: &[u8], messages: u32, into: &mut Vec<Envelope>) -> Result<(), CodecError> {
        let (mut reader, mut count) = (Reader(parcel), 0);
        while !reader.is_empty() {
            let message = self.envelope(&mut reader, parcel.len())?;
            count += u32::from(message.is_message());
            into.push(message);
        }
        if count == messages { Ok(()) } else { Err(CodecError::Malformed) }
    }

    /// Leaves everything as it was before the parcel.
    fn take_back(&mut self, parcel: &[u8]) {
        // Backwards: of two changes of one machine the first has what was there before the parcel.
        for change in self.changes.drain(..).rev() {
            self.progress[change.sender] = change.before;
            let sender = VmId(self.there.start + u32::try_from(change.sender).unwrap_or(u32::MAX));
            for (clock, start) in change.differences.into_iter().rev() {
                let latest = self.latest.of(clock, sender, self.bounds.words(clock).unwrap_or(0));
                take_back_differences(latest, Reader(&parcel[start..]), u64::MAX);
            }
        }
    }

    fn envelope(&mut self, reader: &mut Reader<'_>, length: usize) -> Result<Envelope, CodecError> {
        let malformed = CodecError::Malformed;
        let is_known = |flags: &u8| *flags <= STAMPS | PAYLOAD || *flags == CALL;
        let has = reader.byte().filter(is_known).ok_or(malformed)?;
        let head = (reader.small(), reader.number(), reader.small(), reader.number());
        let (Some(sender), Some(event), Some(to), Some(arrives)) = head else {
            return Err(malformed);
        };
        if !self.there.contains(&sender) || !self.here.contains(&to) {
            return Err(CodecError::Astray);
        }
        let id = MessageId { sender: VmId(sender), event };
        self.follow(id)?;
        let (to, arrives) = (VmId(to), Nanos::new(arrives));
        if has == CALL {
            return Ok(Envelope::Call { to, call: Call { arrives, caller: id.sender, event } });
        }
        let lamport = reader.number().ok_or(malformed)?;
        let stamp = match has & STAMPS {
            0 => Stamp::lamport_only(lamport),
            _ => self.stamp(id.sender, lamport, reader, length).ok_or(malformed)?,
        };
        if !self.bounds.allow(id.sender, event, &stamp) {
            return Err(CodecError::Clocks { sender: id.sender, event });
        }
        let payload = match has & PAYLOAD {
            0 => None,
            _ => {
                let text = reader.text(self.bounds.longest_payload()).ok_or(malformed)?;
                Some(Arc::new(text.to_owned()))
            }
        };
        Ok(Envelope::Message(Message { id, to, arrives, stamp, payload }))
    }

    /// A stamp that has a part for each of the run's clocks. Where one of them is malformed, those before it that were
    /// added to latest stamps are noted among the changes.
    fn stamp(&mut self, sender: VmId, lamport: u64, reader: &mut Reader<'_>, length: usize) -> Option<Stamp> {
        let bounds = Arc::clone(&self.bounds);
        let mut whole: SmallVec<[Vec<u64>; 2]> = SmallVec::new();
        for (clock, spec) in bounds.clocks().iter().enumerate() {
            let words = bounds.words(clock);
            if spec.wire == Wire::Whole {
                whole.push(take_whole(words, reader)?);
                continue;
            }
            let start = length - reader.0.len();
            take_differences(self.latest.of(clock, sender, words?), bounds.events(), reader)?;
            whole.push(Vec::new());
            self.changes.last_mut()?.differences.push((clock, start));
        }
        let latest = &self.latest;
        let parts = bounds.clocks().iter().enumerate().map(|(clock, spec)| match spec.wire {
            Wire::Whole => &whole[clock][..],
            Wire::Changes => latest.get(clock, sender),
        });
        Some(Stamp::new(lamport, self.layout, parts))
    }

    /// Goes on to that event of a machine, at which it may send so many messages and no more.
    fn follow(&mut self, MessageId { sender, event }: MessageId) -> Result<(), CodecError> {
        let most = self.bounds.events()[sender.index()];
        if !(1..=most).contains(&event) {
            return Err(CodecError::Beyond { sender, event, most });
        }
        let index = (sender.0 - self.there.start) as usize;
        let before = self.progress[index];
        let copies = if event == before.event { before.copies.saturating_add(1) } else { 1 };
        if event < before.event
            || copies > self.bounds.most_copies()
            || before.copies == u32::MAX && event == before.event
        {
            return Err(CodecError::Again { sender, event, latest: before.event });
        }
        self.changes.push(Change { sender: index, before, differences: SmallVec::new() });
        self.progress[index] = EventProgress { event, copies };
        Ok(())
    }
}

impl Latest {
    /// The latest stamp of a machine; all zeros where it has sent none.
    fn of(&mut self, clock: usize, vm: VmId, entries: usize) -> &mut Vec<u64> {
        if self.0.len() <= clock {
            self.0.resize_with(clock + 1, Vec::new);
        }
        let machines = &mut self.0[clock];
        if machines.len() <= vm.index() {
            machines.resize_with(vm.index() + 1, Vec::new);
        }
        let latest = &mut machines[vm.index()];
        latest.resize(entries, 0);
        latest
    }

    fn get(&self, clock: usize, vm: VmId) -> &[u64] {
        self.0.get(clock).and_then(|machines| machines.get(vm.index())).map_or(&[], Vec::as_slice)
    }
}

/// Appends one clock's part of a stamp.
fn put_stamp<'a>(
    spec: &ClockSpec,
    part: &[u64],
    latest: impl FnOnce() -> &'a mut Vec<u64>,
    out: &mut Vec<u8>,
) {
    if spec.wire == Wire::Whole && spec.stamp_words(1).is_none() {
        put_number(part.len() as u64, out);
    }
    match spec.wire {
        Wire::Changes => put_differences(latest(), part, out),
        Wire::Whole => part.iter().for_each(|word| put_number(*word, out)),
    }
}

/// Takes that many numbers, or, where it is not known how many, their number first.
fn take_whole(words: Option<usize>, reader: &mut Reader<'_>) -> Option<Vec<u64>> {
    let words = match words {
        Some(words) => words,
        // Each takes a byte at least.
        None => usize::try_from(reader.number()?).ok().filter(|words| *words <= reader.0.len())?,
    };
    (0..words).map(|_| reader.number()).collect()
}

/// Appends the entries that differ, each with how many equal ones stand before it, and keeps them.
fn put_differences(latest: &mut [u64], entries: &[u64], out: &mut Vec<u8>) {
    let changed = latest.iter().zip(entries).filter(|(latest, entry)| latest != entry).count();
    put_number(changed as u64, out);
    let mut equal = 0;
    for (latest, entry) in latest.iter_mut().zip(entries) {
        if latest == entry {
            equal += 1;
            continue;
        }
        // Modulo 2^64: an entry does not fall from send to send, and one that did would arrive as it is all the same.
        put_number(equal, out);
        put_number(entry.wrapping_sub(*latest), out);
        (*latest, equal) = (*entry, 0);
    }
}

/// Adds differences to a stamp, none of whose entries may come to more than `most` says, over and over again. Where
/// they are none, nothing has changed.
fn take_differences(latest: &mut [u64], most: &[u64], reader: &mut Reader<'_>) -> Option<()> {
    let start = *reader;
    let changed = reader.number()?;
    let mut rest = latest.iter_mut().zip(most.iter().cycle());
    let mut take = || {
        let (entry, most) = rest.nth(usize::try_from(reader.number()?).ok()?)?;
        let sum = entry.wrapping_add(reader.number()?);
        *entry = if sum <= *most { sum } else { return None };
        Some(())
    };
    let taken = (0..changed).take_while(|_| take().is_some()).count() as u64;
    if taken == changed {
        return Some(());
    }
    take_back_differences(latest, start, taken);
    None
}

/// Subtracts the first differences that were added, as many as that at most.
fn take_back_differences(latest: &mut [u64], mut reader: Reader<'_>, most: u64) {
    let changed = reader.number().unwrap_or(0).min(most);
    let mut rest = latest.iter_mut();
    for _ in 0..changed {
        let gap = reader.number().and_then(|gap| usize::try_from(gap).ok());
        let (Some(entry), Some(difference)) = (gap.and_then(|gap| rest.nth(gap)), reader.number()) else {
            return;
        };
        *entry = entry.wrapping_sub(difference);
    }
}

#[cfg(test)]
mod tests;
