//! Messages in parcels, vector stamps as differences.
//!
//! A vector stamp differs in few entries from the one that the same machine sent before over the same
//! link, since little happens between two sends; as links keep the order, the differences are enough
//! (Singhal and Kshemkalyani, "An Efficient Implementation of Vector Clocks", Information Processing
//! Letters 43, 1992). Both ends remember each machine's latest stamp; both forget it when one of the
//! processes is started again.
//!
//! A parcel is taken whole or not at all: where something in it is wrong, nothing of it has happened, and the stamps
//! that are remembered are what they were.

use std::ops::Range;
use std::sync::Arc;

use super::bounds::{Bounds, LONGEST_PAYLOAD};
use super::session;
use super::wire::{Reader, put_number, put_text};
use crate::clock::{HybridStamp, Stamp, VectorStamp};
use crate::model::event::{Message, MessageId};
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// What a message has beside a Lamport stamp.
const HYBRID: u8 = 1;
const VECTOR: u8 = 2;
const PAYLOAD: u8 = 4;
/// It is a call.
const CALL: u8 = 8;

/// Puts messages into parcels.
#[derive(Debug, Default)]
pub struct Encoder {
    latest: Latest,
}

/// Takes messages out of parcels.
#[derive(Debug)]
pub struct Decoder {
    latest: Latest,
    bounds: Arc<Bounds>,
    /// The machines of this process.
    here: Range<u32>,
    /// The machines of the other one.
    there: Range<u32>,
    /// How far each of those has come, as far as its messages tell.
    progress: Vec<Progress>,
    /// What the parcel under way has changed.
    changes: Vec<Change>,
}

/// The latest event of a machine at which it sent something here, and how many messages came of it.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    event: u64,
    copies: u32,
}

/// What a message has changed.
#[derive(Debug)]
struct Change {
    sender: usize,
    before: Progress,
    /// Where in the parcel the differences begin that were added to the sender's latest stamp.
    differences: Option<usize>,
}

/// The latest vector stamp of each machine, by number; empty where it has sent none.
#[derive(Debug, Default)]
struct Latest(Vec<Vec<u64>>);

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
pub fn fits(message: &Message) -> bool {
    payload_bytes(message) <= LONGEST_PAYLOAD && most_bytes(message) <= session::LONGEST_PAYLOAD
}

/// The most bytes that a message can take.
pub fn most_bytes(message: &Message) -> usize {
    // Flags and ten numbers of at most ten bytes; and for each entry of a vector its difference and, as a
    // rule, one byte of the gap before it.
    const NUMBERS: usize = 120;
    const ENTRY: usize = 11;
    let entries = message.stamp.vector().map_or(0, |vector| vector.entries().len());
    NUMBERS + payload_bytes(message) + ENTRY * entries
}

fn payload_bytes(message: &Message) -> usize {
    message.payload.as_ref().map_or(0, |payload| payload.len())
}

impl Encoder {
    /// Appends a message, which is one that [`fits`].
    pub fn put(&mut self, message: &Message, out: &mut Vec<u8>) {
        let Message { id, to, is_call, arrives, stamp, payload } = message;
        let flag = |is_there: bool, flag| if is_there { flag } else { 0 };
        let (hybrid, vector) = (stamp.hybrid(), stamp.vector());
        out.push(
            flag(hybrid.is_some(), HYBRID)
                | flag(vector.is_some(), VECTOR)
                | flag(payload.is_some(), PAYLOAD)
                | flag(*is_call, CALL),
        );
        for number in [u64::from(id.sender.0), id.event, u64::from(to.0), arrives.get(), stamp.lamport()] {
            put_number(number, out);
        }
        if let Some(HybridStamp { l, c }) = hybrid {
            put_number(l.get(), out);
            put_number(c, out);
        }
        if let Some(vector) = vector {
            put_differences(self.latest.of(id.sender, vector.entries().len()), vector.entries(), out);
        }
        if let Some(payload) = payload {
            put_text(payload, out);
        }
    }
}

impl Decoder {
    /// A decoder for parcels from the process of the machines `there` to that of the machines `here`.
    pub fn new(bounds: Arc<Bounds>, here: Range<u32>, there: Range<u32>) -> Self {
        let progress = there.clone().map(|_| Progress::default()).collect();
        Self { latest: Latest::default(), bounds, here, there, progress, changes: Vec::new() }
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
            *progress = Progress { event, copies: 0 };
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
    pub fn read(&mut self, parcel: &[u8], messages: u32, into: &mut Vec<Message>) -> Result<(), CodecError> {
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

    fn take(&mut self, parcel: &[u8], messages: u32, into: &mut Vec<Message>) -> Result<(), CodecError> {
        let (mut reader, mut count) = (Reader(parcel), 0);
        while !reader.is_empty() {
            let message = self.message(&mut reader, parcel.len())?;
            count += u32::from(!message.is_call);
            into.push(message);
        }
        if count == messages { Ok(()) } else { Err(CodecError::Malformed) }
    }

    /// Leaves everything as it was before the parcel.
    fn take_back(&mut self, parcel: &[u8]) {
        // Backwards: of two changes of one machine the first has what was there before the parcel.
        for change in self.changes.drain(..).rev() {
            self.progress[change.sender] = change.before;
            if let Some(start) = change.differences {
                let sender = VmId(self.there.start + u32::try_from(change.sender).unwrap_or(u32::MAX));
                let latest = self.latest.of(sender, self.bounds.vms());
                take_back_differences(latest, Reader(&parcel[start..]), u64::MAX);
            }
        }
    }

    fn message(&mut self, reader: &mut Reader<'_>, length: usize) -> Result<Message, CodecError> {
        let malformed = CodecError::Malformed;
        let has =
            reader.byte().filter(|flags| *flags <= HYBRID | VECTOR | PAYLOAD | CALL).ok_or(malformed)?;
        let head = (reader.small(), reader.number(), reader.small(), reader.number(), reader.number());
        let (Some(sender), Some(event), Some(to), Some(arrives), Some(lamport)) = head else {
            return Err(malformed);
        };
        if !self.there.contains(&sender) || !self.here.contains(&to) {
            return Err(CodecError::Astray);
        }
        let id = MessageId { sender: VmId(sender), event };
        self.follow(id)?;
        let mut stamp = Stamp::lamport_only(lamport);
        if has & HYBRID != 0 {
            let (l, c) = reader.number().zip(reader.number()).ok_or(malformed)?;
            stamp = stamp.with_hybrid(HybridStamp { l: Nanos::new(l), c });
        }
        if has & VECTOR != 0 {
            let start = length - reader.0.len();
            let latest = self.latest.of(id.sender, self.bounds.vms());
            take_differences(latest, self.bounds.events(), reader).ok_or(malformed)?;
            stamp = stamp.with_vector(VectorStamp::new(&*latest));
            if let Some(change) = self.changes.last_mut() {
                change.differences = Some(start);
            }
        }
        let is_call = has & CALL != 0;
        if !is_call && !self.bounds.allow(id.sender, event, &stamp) {
            return Err(CodecError::Clocks { sender: id.sender, event });
        }
        let payload = match has & PAYLOAD {
            0 => None,
            _ => {
                let text = reader.text(self.bounds.longest_payload()).ok_or(malformed)?;
                Some(Arc::new(text.to_owned()))
            }
        };
        let (to, arrives) = (VmId(to), Nanos::new(arrives));
        Ok(Message { id, to, is_call, arrives, stamp, payload })
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
        self.changes.push(Change { sender: index, before, differences: None });
        self.progress[index] = Progress { event, copies };
        Ok(())
    }
}

impl Latest {
    /// The latest stamp of a machine; all zeros where it has sent none.
    fn of(&mut self, vm: VmId, entries: usize) -> &mut Vec<u64> {
        if self.0.len() <= vm.index() {
            self.0.resize_with(vm.index() + 1, Vec::new);
        }
        let latest = &mut self.0[vm.index()];
        latest.resize(entries, 0);
        latest
    }
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

/// Adds differences to a stamp, none of whose entries may come to more than `most`. Where they are none, nothing has
/// changed.
fn take_differences(latest: &mut [u64], most: &[u64], reader: &mut Reader<'_>) -> Option<()> {
    let start = *reader;
    let changed = reader.number()?;
    let mut rest = latest.iter_mut().zip(most);
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
