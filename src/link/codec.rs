//! Messages in parcels, vector stamps as differences.
//!
//! A vector stamp differs in few entries from the one that the same machine sent before over the same
//! link, since little happens between two sends; as links keep the order, the differences are enough
//! (Singhal and Kshemkalyani, "An Efficient Implementation of Vector Clocks", Information Processing
//! Letters 43, 1992). Both ends remember each machine's latest stamp; both forget it when one of the
//! processes is started again.

use std::sync::Arc;

use super::session;
use super::wire::{Reader, put_number, put_text};
use crate::clock::{HybridStamp, Stamp, VectorStamp};
use crate::event::{Message, MessageId};
use crate::id::VmId;
use crate::time::Nanos;

/// What a message has beside a Lamport stamp.
const HYBRID: u8 = 1;
const VECTOR: u8 = 2;
const PAYLOAD: u8 = 4;
/// It is a call.
const CALL: u8 = 8;

/// The longest payload of a message, in bytes.
const LONGEST_PAYLOAD: usize = 1 << 16;

/// Puts messages into parcels.
#[derive(Debug, Default)]
pub struct Encoder {
    latest: Latest,
}

/// Takes messages out of parcels.
#[derive(Debug)]
pub struct Decoder {
    latest: Latest,
    /// The number of machines in the run.
    vms: u32,
}

/// The latest vector stamp of each machine, by number; empty where it has sent none.
#[derive(Debug, Default)]
struct Latest(Vec<Vec<u64>>);

/// A parcel is not what an encoder makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a parcel whose messages make no sense")]
pub struct CodecError;

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
    /// A decoder for parcels of a run of so many machines.
    pub fn new(vms: u32) -> Self {
        Self { latest: Latest::default(), vms }
    }

    /// Takes the messages out of a parcel.
    ///
    /// # Errors
    ///
    /// Where there is something else in it; messages before that were handed over.
    pub fn read(&mut self, parcel: &[u8], mut each: impl FnMut(Message)) -> Result<(), CodecError> {
        let mut reader = Reader(parcel);
        while !reader.is_empty() {
            each(self.message(&mut reader).ok_or(CodecError)?);
        }
        Ok(())
    }

    fn message(&mut self, reader: &mut Reader<'_>) -> Option<Message> {
        let has = reader.byte().filter(|flags| *flags <= HYBRID | VECTOR | PAYLOAD | CALL)?;
        let id = MessageId { sender: self.machine(reader)?, event: reader.number()? };
        let (to, arrives, lamport) = (self.machine(reader)?, Nanos::new(reader.number()?), reader.number()?);
        let mut stamp = Stamp::lamport_only(lamport);
        if has & HYBRID != 0 {
            stamp = stamp.with_hybrid(HybridStamp { l: Nanos::new(reader.number()?), c: reader.number()? });
        }
        if has & VECTOR != 0 {
            let latest = self.latest.of(id.sender, self.vms as usize);
            take_differences(latest, reader)?;
            stamp = stamp.with_vector(VectorStamp::new(&*latest));
        }
        let payload = match has & PAYLOAD {
            0 => None,
            _ => Some(Arc::new(reader.text(LONGEST_PAYLOAD)?.to_owned())),
        };
        Some(Message { id, to, is_call: has & CALL != 0, arrives, stamp, payload })
    }

    fn machine(&self, reader: &mut Reader<'_>) -> Option<VmId> {
        reader.small().filter(|vm| *vm < self.vms).map(VmId)
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
        put_number(equal, out);
        put_number(entry.wrapping_sub(*latest), out);
        (*latest, equal) = (*entry, 0);
    }
}

fn take_differences(latest: &mut [u64], reader: &mut Reader<'_>) -> Option<()> {
    let changed = reader.number()?;
    let mut rest = latest.iter_mut();
    for _ in 0..changed {
        let entry = rest.nth(usize::try_from(reader.number()?).ok()?)?;
        *entry = entry.wrapping_add(reader.number()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VMS: u32 = 5;

    prop_compose! {
        fn messages()(
            sender in 0..VMS, to in 0..VMS, event: u64, arrives: u64, lamport: u64,
            hybrid in proptest::option::of((0..u64::MAX, any::<u64>())),
            vector in proptest::option::of(proptest::collection::vec(0u64..400, VMS as usize)),
            payload in proptest::option::of(".{0,10}"), is_call: bool,
        ) -> Message {
            let mut stamp = Stamp::lamport_only(lamport);
            if let Some((l, c)) = hybrid {
                stamp = stamp.with_hybrid(HybridStamp { l: Nanos::new(l), c });
            }
            if let Some(vector) = vector {
                stamp = stamp.with_vector(VectorStamp::new(vector));
            }
            let id = MessageId { sender: VmId(sender), event };
            let (to, arrives) = (VmId(to), Nanos::new(arrives));
            Message { id, to, is_call, arrives, stamp, payload: payload.map(Arc::new) }
        }
    }

    proptest! {
        #[test]
        fn messages_come_back_from_parcels_of_any_size(
            messages in proptest::collection::vec(messages(), 0..30), size in 1usize..10,
        ) {
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::new(VMS));
            let mut found = Vec::new();
            for together in messages.chunks(size) {
                let mut parcel = Vec::new();
                together.iter().for_each(|message| encoder.put(message, &mut parcel));
                decoder.read(&parcel, |message| found.push(message)).unwrap();
            }
            prop_assert_eq!(found, messages);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Decoder::new(VMS).read(&bytes, drop);
        }
    }

    #[test]
    fn a_stamp_costs_what_has_changed() {
        let message = |event: u64, vector: Vec<u64>| Message {
            id: MessageId { sender: VmId(1), event },
            to: VmId(2),
            is_call: false,
            arrives: Nanos::ZERO,
            stamp: Stamp::lamport_only(9).with_vector(VectorStamp::new(vector)),
            payload: None,
        };
        let mut encoder = Encoder::default();
        let mut size = |message: &Message| {
            let mut parcel = Vec::new();
            encoder.put(message, &mut parcel);
            parcel.len()
        };
        let mut vector = vec![3; 1000];
        assert_eq!(size(&message(1, vector.clone())), 6 + 2 + 2 * 1000);
        assert_eq!(size(&message(1, vector.clone())), 6 + 1, "the same send to another machine");
        (vector[1], vector[700]) = (5, 9);
        assert_eq!(size(&message(2, vector)), 6 + 1 + 2 + 3);
    }
}
