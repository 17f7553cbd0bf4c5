//! A trace for Perfetto: a track a machine with its events, arrows for messages, and what its clock and queue do.
//!
//! The messages are those of Perfetto's `trace_packet.proto`, `track_event.proto` and `track_descriptor.proto`, with
//! nothing interned, so that packets stand for themselves. Perfetto's JSON would be simpler and has no arrows
//! between such tracks.

use std::cell::Cell;

use smallvec::SmallVec;

use super::protobuf::ProtoMessage;
use super::{Cause, Event, Form};
use crate::clock::ClockList;
use crate::edge::log::{ClockCell, Column, EventKind, Row, clock_cells};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Fields of a `Trace`.
const PACKET: u32 = 1;

/// Fields of a `TracePacket`.
mod packet {
    pub(super) const TIMESTAMP: u32 = 8;
    pub(super) const SEQUENCE: u32 = 10;
    pub(super) const EVENT: u32 = 11;
    pub(super) const TRACK: u32 = 60;
}

/// Fields of a `TrackDescriptor`.
mod track {
    pub(super) const UUID: u32 = 1;
    pub(super) const NAME: u32 = 2;
    pub(super) const PARENT: u32 = 5;
    pub(super) const COUNTER: u32 = 8;
    pub(super) const ORDER_OF_CHILDREN: u32 = 11;
    pub(super) const RANK: u32 = 12;
    /// The value of `ORDER_OF_CHILDREN` for which their ranks count.
    pub(super) const EXPLICIT: u64 = 3;
}

/// Fields of a `TrackEvent`.
mod event {
    pub(super) const ANNOTATION: u32 = 4;
    pub(super) const TYPE: u32 = 9;
    pub(super) const TRACK: u32 = 11;
    pub(super) const CATEGORY: u32 = 22;
    pub(super) const NAME: u32 = 23;
    pub(super) const COUNTER: u32 = 30;
    pub(super) const FLOW: u32 = 47;
    pub(super) const END_OF_FLOW: u32 = 48;
    /// What [`TYPE`] may be: the values of `TrackEvent.Type` that are written here.
    pub(super) const IS_INSTANT: u64 = 3;
    pub(super) const IS_COUNTER: u64 = 4;
}

/// Fields of a `DebugAnnotation`.
mod annotation {
    pub(super) const NUMBER: u32 = 3;
    pub(super) const TEXT: u32 = 6;
    pub(super) const NAME: u32 = 10;
}

/// The packets are of one writer, which has to have a number.
const SEQUENCE: u64 = 1;

/// The track above the machines', by which they are in their order.
const ROOT: u64 = 1;

#[derive(Debug, Default)]
pub(super) struct Perfetto {
    machines: usize,
    flows: u64,
    /// The flows of the send that was just written.
    latest: Flows,
    text: String,
}

/// Of each copy of a message its recipient and its flow, 0 once it was received.
type Flows = SmallVec<[(VmId, Cell<u64>); 2]>;

/// The tracks of a machine.
#[derive(Clone, Copy, Debug)]
struct Tracks {
    events: u64,
    lamport: u64,
    queue: u64,
}

impl Tracks {
    const fn new(machine: usize) -> Self {
        let first = ROOT + 1 + 3 * machine as u64;
        Self { events: first, lamport: first + 1, queue: first + 2 }
    }
}

impl Form for Perfetto {
    type Stamp = Flows;

    fn begin(&mut self, _clocks: &ClockList, out: &mut Vec<u8>) {
        describe(out, |track| {
            track.number(track::UUID, ROOT);
            track.text(track::NAME, "machines");
            track.number(track::ORDER_OF_CHILDREN, track::EXPLICIT);
        });
    }

    fn event(&mut self, event: &Event<'_>, cause: Cause<'_, Flows>, out: &mut Vec<u8>) {
        let row = event.row;
        let tracks = Tracks::new(event.machine);
        debug_assert!(event.machine <= self.machines, "machines are numbered as they are first shown");
        if event.machine == self.machines {
            self.machines += 1;
            describe_machine(row, tracks, out);
        }
        if row.kind == EventKind::Send {
            self.latest = self.flows(row);
        }
        // A flow ends at the receive that takes it: the second copy of a message has the second flow.
        let received = match cause {
            Cause::Sent(flows) => flows.iter().find(|(vm, flow)| *vm == row.vm && flow.get() > 0),
            Cause::None | Cause::Unknown => None,
        };
        let Self { latest, text, .. } = self;
        happen(row, out, |event| {
            event.number(event::TYPE, event::IS_INSTANT);
            event.number(event::TRACK, tracks.events);
            event.text(event::CATEGORY, row.kind.name());
            event.text(event::NAME, named(text, row));
            if row.kind == EventKind::Send {
                latest.iter().for_each(|(_, flow)| event.fixed(event::FLOW, flow.get()));
            }
            if let Some((_, flow)) = received {
                event.fixed(event::END_OF_FLOW, flow.take());
            }
            annotate(row, text, event);
        });
        count(row, tracks.lamport, row.lamport, out);
        if let Some(queue) = row.queue {
            count(row, tracks.queue, queue.into(), out);
        }
    }

    fn stamp(&mut self, _: &Event<'_>) -> Flows {
        std::mem::take(&mut self.latest)
    }
}

impl Perfetto {
    /// A flow for each copy that is delivered: one that several receives end would end at the first.
    fn flows(&mut self, row: &Row) -> Flows {
        let mut flows = Flows::new();
        for peer in row.peers.iter().filter(|peer| !row.lost.contains(peer)) {
            for _ in 0..if row.duplicated.contains(peer) { 2 } else { 1 } {
                self.flows += 1;
                flows.push((*peer, Cell::new(self.flows)));
            }
        }
        flows
    }
}

/// What the event is called on its track.
fn named<'a>(text: &'a mut String, row: &Row) -> &'a str {
    let own = MessageId { sender: row.vm, event: row.event };
    match (row.kind, row.message) {
        (EventKind::Receive, Some(message)) => write_over(text, format_args!("receive {message}")),
        (EventKind::Send, _) => write_over(text, format_args!("send {own}")),
        _ => write_over(text, format_args!("{} {own}", row.kind)),
    }
}

fn write_over<'a>(text: &'a mut String, words: std::fmt::Arguments<'_>) -> &'a str {
    use std::fmt::Write;
    text.clear();
    // Writing to a text does not fail.
    let _ = text.write_fmt(words);
    text
}

fn describe_machine(row: &Row, tracks: Tracks, out: &mut Vec<u8>) {
    describe(out, |track| {
        track.number(track::UUID, tracks.events);
        track.text(track::NAME, &format!("vm {}", row.vm));
        track.number(track::PARENT, ROOT);
        // A rank is an i32: the machines beyond it, if there ever are any, come last.
        track.number(track::RANK, u64::from(row.vm.0.min(i32::MAX.unsigned_abs())));
    });
    for (uuid, column) in [(tracks.lamport, Column::Lamport), (tracks.queue, Column::Queue)] {
        if column == Column::Lamport || row.queue.is_some() {
            describe(out, |track| {
                track.number(track::UUID, uuid);
                track.text(track::NAME, &column.name());
                track.number(track::PARENT, tracks.events);
                track.message(track::COUNTER, |_| {});
            });
        }
    }
}

fn describe(out: &mut Vec<u8>, write: impl FnOnce(&mut ProtoMessage<'_>)) {
    ProtoMessage(out).message(PACKET, |packet| {
        packet.number(packet::SEQUENCE, SEQUENCE);
        packet.message(packet::TRACK, write);
    });
}

fn happen(row: &Row, out: &mut Vec<u8>, write: impl FnOnce(&mut ProtoMessage<'_>)) {
    ProtoMessage(out).message(PACKET, |packet| {
        packet.number(packet::TIMESTAMP, row.elapsed.get());
        packet.number(packet::SEQUENCE, SEQUENCE);
        packet.message(packet::EVENT, write);
    });
}

fn count(row: &Row, track: u64, value: u64, out: &mut Vec<u8>) {
    happen(row, out, |event| {
        event.number(event::TYPE, event::IS_COUNTER);
        event.number(event::TRACK, track);
        // It is read as an i64.
        event.number(event::COUNTER, value.min(i64::MAX.unsigned_abs()));
    });
}

/// The row's columns, as they are shown beside an event that is chosen.
fn annotate(row: &Row, text: &mut String, event: &mut ProtoMessage<'_>) {
    let mut number = |column: Column, value: Option<u64>| {
        if let Some(value) = value {
            event.message(event::ANNOTATION, |annotation| {
                annotation.text(annotation::NAME, &column.name());
                annotation.number(annotation::NUMBER, value);
            });
        }
    };
    number(Column::Event, Some(row.event));
    number(Column::Lamport, Some(row.lamport));
    number(Column::SenderLamport, row.sender_lamport);
    number(Column::Queue, row.queue.map(u64::from));
    let cells = || [true, false].into_iter().flat_map(|standard| clock_cells(&row.clocks, standard));
    for (column, cell) in cells() {
        if let ClockCell::Number(word) = cell {
            number(Column::Clock(column), Some(word));
        }
    }
    let mut words = |column: Column, value: &str| {
        if !value.is_empty() {
            event.message(event::ANNOTATION, |annotation| {
                annotation.text(annotation::NAME, &column.name());
                annotation.text(annotation::TEXT, value);
            });
        }
    };
    for (column, cell) in cells() {
        if let ClockCell::List(_) | ClockCell::Square(_) | ClockCell::Large(_) = cell {
            words(Column::Clock(column), write_over(text, format_args!("{cell}")));
        }
    }
    words(Column::Peers, joined(text, &row.peers));
    if let Some(message) = row.message {
        words(Column::Message, write_over(text, format_args!("{message}")));
    }
    words(Column::Lost, joined(text, &row.lost));
    words(Column::Duplicated, joined(text, &row.duplicated));
    words(Column::Payload, &row.payload);
    words(Column::Mark, &row.mark);
}

/// A list as a log has it.
fn joined<'a, T: std::fmt::Display>(text: &'a mut String, items: &[T]) -> &'a str {
    use std::fmt::Write;
    text.clear();
    for (index, item) in items.iter().enumerate() {
        let separator = if index > 0 { "," } else { "[" };
        // Writing to a text does not fail.
        let _ = write!(text, "{separator}{item}");
    }
    if !items.is_empty() {
        text.push(']');
    }
    text
}
