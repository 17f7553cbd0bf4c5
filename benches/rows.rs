//! Log rows: our own formatter against the `csv` crate with serde, at the same row, into memory.
//!
//! Two references. The first makes the row from the same record, text columns included. The second
//! is handed all texts ready made, so that it measures the `csv` crate alone.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(clippy::cast_precision_loss, reason = "times for people to read")]

mod common;

use std::hint::black_box;
use std::time::Instant;

use clocklab::clock::{ClockList, Reading, Values};
use clocklab::edge::log::RowFormat;
use clocklab::model::event::{Kind, MessageId, Received, Record};
use clocklab::model::id::VmId;
use clocklab::model::time::Nanos;
use jiff::Timestamp;
use serde::Serialize;

const ROWS: u64 = 200_000;
const ROUNDS: usize = 15;

/// A row for serde, its columns in the log's order.
#[derive(Serialize)]
struct Row<'a> {
    vm: u32,
    event: u64,
    kind: &'a str,
    elapsed_s: &'a str,
    system_time: &'a str,
    lamport: u64,
    vector: &'a str,
    hlc: Option<u64>,
    hlc_count: Option<u64>,
    peers: &'a str,
    message: &'a str,
    sender_lamport: u64,
    queue: u32,
    lost: &'a str,
    duplicated: &'a str,
    payload: &'a str,
    mark: &'a str,
}

fn received(event: u64) -> Received {
    Received { message: MessageId { sender: VmId(0), event }, lamport: event + 6, payload: None }
}

/// The values of the standard clocks at an event in the middle.
fn values(vector: &[u64]) -> Values {
    Values::new(ClockList::standard(), vec![vector.to_vec(), vec![ROWS / 2 * 166_666_667, 2]])
}

fn record<'a>(event: u64, values: &'a Values, received: &'a Received) -> Record<'a> {
    let elapsed = Nanos::new(event * 166_666_667);
    Record {
        vm: VmId(1),
        event,
        elapsed,
        clocks: Reading::written(event + 7, values),
        queue: 3,
        kind: Kind::Receive(received),
        mark: "",
    }
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// The texts of a row as a program writes them that has no formatter of its own.
struct Texts {
    elapsed: String,
    time: String,
    vector: String,
    message: String,
}

impl Texts {
    fn of(record: &Record<'_>, start: Timestamp) -> Self {
        let (seconds, nanos) = record.elapsed.split();
        let entries: Vec<String> = record.clocks.at(0).iter().map(u64::to_string).collect();
        let Kind::Receive(received) = record.kind else { unreachable!("the bench's row is a receive") };
        Self {
            elapsed: format!("{seconds}.{nanos:09}"),
            time: format!(
                "{:.6}",
                start + jiff::SignedDuration::from_nanos(record.elapsed.get().cast_signed())
            ),
            vector: if entries.is_empty() { String::new() } else { format!("[{}]", entries.join(",")) },
            message: received.message.to_string(),
        }
    }

    fn row<'a>(&'a self, record: &Record<'_>) -> Row<'a> {
        Row {
            vm: record.vm.0,
            event: record.event,
            kind: "receive",
            elapsed_s: &self.elapsed,
            system_time: &self.time,
            lamport: record.clocks.lamport,
            vector: &self.vector,
            hlc: record.clocks.at(1).first().copied(),
            hlc_count: record.clocks.at(1).get(1).copied(),
            peers: "[0]",
            message: &self.message,
            sender_lamport: record.clocks.lamport - 1,
            queue: record.queue,
            lost: "",
            duplicated: "",
            payload: "",
            mark: "",
        }
    }
}

fn time(mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_nanos() as f64 / ROWS as f64
}

fn ours(vector: &[u64], out: &mut Vec<u8>) -> f64 {
    out.clear();
    let mut format = RowFormat::new(start(), &ClockList::standard());
    let values = values(vector);
    time(|| {
        (1..=ROWS).for_each(|event| format.row(black_box(&record(event, &values, &received(event))), out));
    })
}

fn csv_from_records(vector: &[u64], out: &mut Vec<u8>) -> f64 {
    out.clear();
    let values = values(vector);
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    time(|| {
        for event in 1..=ROWS {
            let received = received(event);
            let record = record(event, &values, &received);
            let texts = Texts::of(black_box(&record), start());
            writer.serialize(texts.row(&record)).expect("memory takes it");
        }
    })
}

fn csv_alone(vector: &[u64], out: &mut Vec<u8>) -> f64 {
    out.clear();
    let values = values(vector);
    let texts: Vec<Texts> =
        (1..=ROWS).map(|event| Texts::of(&record(event, &values, &received(event)), start())).collect();
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    time(|| {
        for (event, texts) in (1..=ROWS).zip(&texts) {
            writer
                .serialize(black_box(texts.row(&record(event, &values, &received(event)))))
                .expect("memory takes it");
        }
    })
}

fn main() {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for (name, vector) in [("Lamport and hybrid clocks", &[][..]), ("vector clocks of 3", &[412, 77, 1_034])]
    {
        ours(vector, &mut a);
        csv_from_records(vector, &mut b);
        assert_eq!(a, b, "the same bytes");
        csv_alone(vector, &mut b);
        assert_eq!(a, b, "the same bytes");
        let from_records = || csv_from_records(vector, &mut b);
        common::compare(&format!("a row, {name}, against csv + serde"), ROUNDS, from_records, || {
            ours(vector, &mut a)
        });
        let alone = || csv_alone(vector, &mut b);
        common::compare(&format!("a row, {name}, against csv with texts ready made"), ROUNDS, alone, || {
            ours(vector, &mut a)
        });
    }
}
