//! One JSON object a line, one line an event, with all columns of a log under their names and typed.
//!
//! What an event of its kind does not have is null, and so is what the log has no column for; lists are lists, and
//! empty where they have no entries.

use itoa::Buffer;
use jiff::Timestamp;

use super::text::{event_name, json_text, number, seconds};
use super::{Cause, Event, Form};
use crate::clock::ClockList;
use crate::edge::log::{ClockCell, Column, EventKind, Row, RowFormat, clock_cells, large, square};
use crate::model::id::VmId;

#[derive(Debug)]
pub(super) struct Jsonl {
    format: RowFormat,
}

impl Jsonl {
    pub(super) fn new() -> Self {
        Self { format: RowFormat::new(Timestamp::UNIX_EPOCH, &ClockList::LAMPORT) }
    }
}

impl Form for Jsonl {
    type Stamp = ();

    fn begin(&mut self, _: &ClockList, _: &mut Vec<u8>) {}

    fn event(&mut self, event: &Event<'_>, _: Cause<'_, ()>, out: &mut Vec<u8>) {
        let row = event.row;
        out.push(b'{');
        key(Column::Vm, out);
        number(u64::from(row.vm.0), out);
        next(Column::Event, out);
        number(row.event, out);
        next(Column::Kind, out);
        text(row.kind.name(), out);
        next(Column::Elapsed, out);
        seconds(row.elapsed, out);
        next(Column::SystemTime, out);
        maybe(row.system_time, out, |time, out| {
            out.push(b'"');
            self.format.time_of_day(time, out);
            out.push(b'"');
        });
        next(Column::Lamport, out);
        number(row.lamport, out);
        clocks(row, true, out);
        message_columns(event, out);
        clocks(row, false, out);
        out.extend_from_slice(b"}\n");
    }

    fn stamp(&mut self, _: &Event<'_>) {}
}

/// The columns of the standard clocks, or of the others.
fn clocks(row: &Row, are_standard: bool, out: &mut Vec<u8>) {
    for (column, cell) in clock_cells(&row.clocks, are_standard) {
        next(Column::Clock(column), out);
        match cell {
            ClockCell::Nothing => out.extend_from_slice(b"null"),
            ClockCell::Number(word) => number(word, out),
            ClockCell::List(words) => list(words, out, |word| *word),
            ClockCell::Large(words) => out.extend_from_slice(large(words).as_bytes()),
            ClockCell::Square(words) => out.extend_from_slice(square(words).as_bytes()),
        }
    }
}

/// The columns from the peers on.
fn message_columns(event: &Event<'_>, out: &mut Vec<u8>) {
    let row = event.row;
    let machines = |column, machines: &[VmId], out: &mut Vec<u8>| {
        next(column, out);
        list(machines, out, |vm| u64::from(vm.0));
    };
    machines(Column::Peers, &row.peers, out);
    next(Column::Message, out);
    maybe(row.message, out, |message, out| {
        out.push(b'"');
        event_name(message, out);
        out.push(b'"');
    });
    next(Column::SenderLamport, out);
    maybe(row.sender_lamport, out, number);
    next(Column::Queue, out);
    maybe(row.queue, out, |queue, out| number(u64::from(queue), out));
    machines(Column::Lost, &row.lost, out);
    machines(Column::Duplicated, &row.duplicated, out);
    next(Column::Payload, out);
    // A message that carries an empty text looks like one that carries nothing.
    let payload =
        (row.kind != EventKind::Internal && !row.payload.is_empty()).then_some(row.payload.as_str());
    maybe(payload, out, text);
    next(Column::Mark, out);
    maybe(Some(row.mark.as_str()).filter(|mark| !mark.is_empty()), out, text);
}

fn text(text: &str, out: &mut Vec<u8>) {
    json_text(text, out);
}

fn key(column: Column, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(column.name().as_bytes());
    out.extend_from_slice(b"\":");
}

fn next(column: Column, out: &mut Vec<u8>) {
    out.push(b',');
    key(column, out);
}

fn maybe<T>(value: Option<T>, out: &mut Vec<u8>, write: impl FnOnce(T, &mut Vec<u8>)) {
    match value {
        Some(value) => write(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn list<T>(items: &[T], out: &mut Vec<u8>, value: impl Fn(&T) -> u64) {
    let mut digits = Buffer::new();
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(digits.format(value(item)).as_bytes());
    }
    out.push(b']');
}
