//! Rows that are written are read, and what is malformed is told.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::careful::{MACHINE, MACHINES, NUMBER};
use super::*;
use crate::clock::{Reading, Values};
use crate::edge::log::RowFormat;
use crate::model::event::{Kind, MessageId, Received, Record, Sent};
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// Gives a few bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(into.len()).min(self.0.len());
        into[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

fn reader(text: &[u8]) -> RowReader<Drops<'_>> {
    RowReader::new(Drops(text, 7), Path::new("vm_0_1.csv")).unwrap()
}

fn rows(text: &[u8]) -> (Vec<Row>, u64) {
    let mut reader = reader(text);
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().unwrap() {
        rows.push(row.clone());
    }
    (rows, reader.torn())
}

fn log(lines: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    RowFormat::header(&ClockList::standard(), &mut text);
    for line in lines {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text
}

const SEND: &str =
    "2,17,send,0.5,2026-03-01T23:59:59.500000Z,21,\"[9,4,17]\",5,3,\"[0,1]\",vm2-17,,4,[0],[1],123456,";

/// A log of the first schema, with few columns.
const FIRST: &str = "vm,event,kind,elapsed_s,lamport,peers,message\n2,17,send,0.5,21,0;1,2-17\n";

#[test]
fn the_first_schema_is_read_for_ever() {
    let text = "vm,event,kind,elapsed_s,system_time,lamport,vector,hlc,peers,message,sender_lamport,queue,lost,duplicated,\
                payload\n2,17,send,0.500000000,2026-03-01T23:59:59.500000Z,21,9;4;17,5.3,0;1,2-17,,4,0,1,'123456\n";
    let mut reader = reader(text.as_bytes());
    assert_eq!(reader.schema(), Schema::First);
    let first = reader.next_row().unwrap().unwrap().clone();
    let (rows, _) = rows(&log(&[&SEND.replace("123456", "''123456")]));
    assert_eq!(first, Row { may_lack_zeros: true, ..rows[0].clone() });
    assert_eq!((first.payload.as_str(), first.past()), ("'123456", &[9, 4, 17][..]));
}

fn records() -> impl Strategy<Value = (bool, u64, u64, Vec<u64>, u32, String, String)> {
    let numbers = prop_oneof![0..20u64, any::<u64>()];
    (
        any::<bool>(),
        numbers.clone(),
        0..9_000_000_000_000_000u64,
        prop::collection::vec(numbers, 0..4),
        any::<u32>(),
        any::<String>(),
        any::<String>(),
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(records in prop::collection::vec(records(), 0..6)) {
        let start = "2026-03-01T23:59:59.5Z".parse::<Timestamp>().unwrap();
        let mut format = RowFormat::new(start, &ClockList::standard());
        let mut text = log(&[]);
        let mut expected = Vec::new();
        for (is_send, number, nanos, entries, narrow, payload, mark) in records {
            let elapsed = Nanos::new(nanos);
            let hybrid = if number > 3 { vec![nanos, number] } else { vec![] };
            let values = Values::new(ClockList::standard(), vec![entries.clone(), hybrid]);
            let clocks = Reading::written(number, &values);
            let to: Vec<VmId> = entries.iter().map(|_| VmId(narrow)).collect();
            let carried = Arc::new(payload);
            let payload = Some(Arc::clone(&carried));
            let message = MessageId { sender: VmId(narrow), event: number };
            let sent =
                Sent { to: to.clone(), lost: to.clone(), duplicated: to.clone(), payload: payload.clone() };
            let received = Received { message, lamport: number, payload: payload.clone() };
            let kind = if is_send { Kind::Send(&sent) } else { Kind::Receive(&received) };
            let vm = VmId(narrow);
            format.row(&Record { vm, event: number, elapsed, clocks, queue: narrow, kind, mark: &mark }, &mut text);
            let time = start + jiff::SignedDuration::from_micros((nanos / 1000).cast_signed());
            let newlines = |row: &Row| (row.payload.clone() + &row.mark).matches('\n').count() as u64;
            let line = expected.last().map_or(2, |row: &Row| row.line + 1 + newlines(row));
            expected.push(Row {
                line,
                vm: VmId(narrow),
                event: number,
                kind: if is_send { EventKind::Send } else { EventKind::Receive },
                elapsed,
                system_time: Some(time),
                lamport: number,
                clocks: values,
                may_lack_zeros: false,
                peers: if is_send { to.clone() } else { vec![VmId(narrow)] },
                message: Some(message),
                sender_lamport: (!is_send).then_some(number),
                queue: Some(narrow),
                lost: if is_send { to.clone() } else { vec![] },
                duplicated: if is_send { to } else { vec![] },
                payload: carried.to_string(),
                mark,
            });
        }
        let (read, torn) = rows(&text);
        prop_assert_eq!(torn, 0);
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(prop_oneof![
        Just(b','), Just(b'"'), Just(b'\n'), Just(b';'), Just(b'['), Just(b']'), Just(b'.'), Just(b'-'), b'0'..=b'9', any::<u8>()], 0..200)) {
        let mut text = log(&[SEND]);
        text.extend_from_slice(&bytes);
        let mut reader = reader(&text);
        let mut results = 0;
        while !matches!(reader.next_row(), Ok(None)) {
            results += 1;
            prop_assert!(results < 300);
        }
        let _ = RowReader::new(Drops(&bytes, 3), Path::new("x"));
    }

    #[test]
    fn a_row_cut_anywhere_is_torn_and_those_before_are_read(cut in 1..SEND.len()) {
        let text = log(&["0,1,internal,0.1,,1,,,,,,,0,,,,", SEND]);
        let (rows, torn) = rows(&text[..text.len() - cut]);
        prop_assert_eq!((rows.len(), torn), (1, (SEND.len() + 1 - cut) as u64));
    }
}

#[test]
fn other_programs_may_order_columns_as_they_like_and_leave_some_out() {
    let text = b"\xef\xbb\xbfmessage,lamport,mood,peers,kind,event,vm,elapsed_s\r\n0-1,1,\"good, really\",1,send,1,0,2\r\n";
    let (rows, _) = rows(text);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].vm, rows[0].event, rows[0].kind), (VmId(0), 1, EventKind::Send));
    assert_eq!((rows[0].elapsed, &rows[0].peers[..]), (Nanos::from_secs(2), &[VmId(1)][..]));
    assert_eq!((rows[0].queue, rows[0].system_time), (None, None));
}

#[test]
fn what_is_malformed_is_told_with_file_line_column_and_what_is_allowed() {
    let check = |row: &str, message: &str| {
        let text = log(&["0,1,internal,0.1,,1,,,,,,,0,,,,", row, "0,3,internal,0.3,,3,,,,,,,0,,,,"]);
        let mut reader = reader(&text);
        reader.next_row().unwrap();
        assert_eq!(reader.next_row().unwrap_err().to_string(), message);
        assert_eq!(reader.next_row().unwrap().map(|row| (row.line, row.event)), Some((4, 3)), "it goes on");
    };
    check("0,2,internal", "vm_0_1.csv:3: found 3 columns, expected 17 as in the header");
    check("", "vm_0_1.csv:3: found 1 columns, expected 17 as in the header");
    let wrong = |column: &str, found: &str, expected: &str| {
        let at = columns(&ClockList::standard()).iter().position(|other| other.name() == column).unwrap();
        let mut cells: Vec<&str> = "0|2|send|0.2||2|\"[1,2]\"|5|0|[1]|vm0-2||0||||".split('|').collect();
        let cell = format!("\"{found}\"");
        cells[at] = &cell;
        check(
            &cells.join(","),
            &format!("vm_0_1.csv:3: column {column}: found '{found}', expected {expected}"),
        );
    };
    wrong("vm", "-1", MACHINE);
    wrong("vm", "4294967296", MACHINE);
    wrong("event", "", NUMBER);
    wrong("event", "+1", NUMBER);
    wrong("event", "99999999999999999999", NUMBER);
    wrong("kind", "Send", "internal, send or receive");
    wrong("elapsed_s", "0.1234567890", "seconds with up to 9 decimals, such as 1.500000000");
    wrong("elapsed_s", "20000000000", "seconds with up to 9 decimals, such as 1.500000000");
    wrong("system_time", "noon", "a time of day in UTC, such as 2026-03-01T12:00:00.000000Z");
    wrong(
        "system_time",
        "2026-02-30T12:00:00.000000Z",
        "a time of day in UTC, such as 2026-03-01T12:00:00.000000Z",
    );
    wrong("lamport", "1e3", NUMBER);
    let lists = "whole numbers as a JSON list such as [5,12,0], or nothing";
    for list in ["1;;2", "[1,,2]", "[1,2", "1,2", "[]]", "[[1]]"] {
        wrong("vector", list, lists);
    }
    wrong("hlc", "5.0.1", "a whole number, or nothing");
    wrong("hlc", "", "a whole number, as hlc_count has one");
    wrong("hlc_count", "", "a whole number, as hlc has one");
    wrong("peers", "[1,x]", MACHINES);
    wrong("message", "vm0_2", "a message as vm<sender>-<event of the send>, or nothing");
    wrong("sender_lamport", "?", "a whole number, or nothing");
    wrong("queue", "", "a whole number up to 4294967295");
    wrong("lost", ";", MACHINES);
    wrong("duplicated", "[-1]", MACHINES);
}

#[test]
fn what_is_no_log_is_refused_by_its_header() {
    let refused = |text: &[u8]| RowReader::new(text, Path::new("x.csv")).unwrap_err().to_string();
    assert_eq!(
        refused(b"time,value\n1,2\n"),
        "x.csv:1: found 'time,value', expected a header with a column 'vm'"
    );
    assert!(
        RowReader::open(Path::new("none.csv")).unwrap_err().to_string().starts_with("cannot read none.csv: ")
    );
}

#[test]
fn a_forgotten_quote_does_not_swallow_the_rows_after_it() {
    let text = log(&[&SEND.replace("123456", "\"123456"), SEND, SEND]);
    let mut quoted = reader(&text);
    let error = quoted.next_row().unwrap_err().to_string();
    assert_eq!(error, "vm_0_1.csv:2: found 28 columns, expected 17 as in the header");
    assert_eq!(quoted.next_row().unwrap().map(|row| row.line), Some(4), "the next quote ends it");
    let text = FIRST.replace("2-17", "\"2-17") + "0,2,internal,2,2,,\n0,3,internal,3,3,,\n";
    let mut quoted = reader(text.as_bytes());
    let error = quoted.next_row().unwrap_err().to_string();
    assert_eq!(error, "vm_0_1.csv:2: found a quote that is opened and never closed");
    assert!(matches!(quoted.next_row(), Ok(None)));
    let torn = log(&[&SEND.replace("123456", "\"12\n34")]);
    let (rows, torn) = rows(&torn);
    assert!(rows.is_empty() && torn > 0, "a text that was being written is torn");
}

#[test]
fn the_entry_is_that_of_the_whole_rows() {
    let whole = log(&[SEND, SEND]);
    let text = [&whole[..], b"0,1,inter"].concat();
    let mut reader = reader(&text);
    while reader.next_row().unwrap().is_some() {}
    let entry = reader.entry();
    assert_eq!((entry.rows, entry.bytes, reader.torn()), (2, whole.len() as u64, 9));
    assert_eq!(entry.crc32c, format!("{:08x}", crc32c::crc32c(&whole)));
}
