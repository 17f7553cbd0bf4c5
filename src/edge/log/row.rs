//! One event as one row of CSV, in the second schema.
//!
//! What a cell holds is the same to everybody: no spreadsheet takes it for a date, a fraction or a formula, and none
//! rounds it. So lists are JSON, events' names begin with letters, and each number has a column of its own. The first
//! schema (`1-2`, `5;12;0`, `l.c`) is only read.
//!
//! Rows are formatted by hand, into a buffer that is kept: a row is written at every event, and this
//! costs less than a general serializer (the bench `rows` tells how much).

use std::borrow::Cow;

use itoa::Buffer;
use jiff::{Timestamp, tz::TimeZone};

use super::Row;
use super::cell::{list, text};
use super::clock_cells::{self, ClockColumn};
use crate::clock::{ClockList, ClockSpec};
use crate::model::event::{Kind, MessageId, Received, Record};
use crate::model::time::Nanos;

/// A column of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is called as its column")]
pub enum Column {
    Vm,
    Event,
    Kind,
    Elapsed,
    SystemTime,
    Lamport,
    Peers,
    Message,
    SenderLamport,
    Queue,
    Lost,
    Duplicated,
    Payload,
    Mark,
    Clock(ClockColumn),
}

/// The columns that every log of today has, beside those of clocks. The standard clocks' stand before the peers.
pub(super) const FIXED: [(Column, &str); 14] = [
    (Column::Vm, "vm"),
    (Column::Event, "event"),
    (Column::Kind, "kind"),
    (Column::Elapsed, "elapsed_s"),
    (Column::SystemTime, "system_time"),
    (Column::Lamport, "lamport"),
    (Column::Peers, "peers"),
    (Column::Message, "message"),
    (Column::SenderLamport, "sender_lamport"),
    (Column::Queue, "queue"),
    (Column::Lost, "lost"),
    (Column::Duplicated, "duplicated"),
    (Column::Payload, "payload"),
    (Column::Mark, "mark"),
];

/// How many of them stand before the clocks'.
const BEFORE_CLOCKS: usize = 6;

impl Column {
    /// The column's name in the header.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Clock(column) => column.name().into(),
            _ => FIXED[self.place().unwrap_or(0)].1.into(),
        }
    }

    /// Its place among the columns that are no clock's.
    pub(super) const fn place(self) -> Option<usize> {
        Some(match self {
            Self::Vm => 0,
            Self::Event => 1,
            Self::Kind => 2,
            Self::Elapsed => 3,
            Self::SystemTime => 4,
            Self::Lamport => 5,
            Self::Peers => 6,
            Self::Message => 7,
            Self::SenderLamport => 8,
            Self::Queue => 9,
            Self::Lost => 10,
            Self::Duplicated => 11,
            Self::Payload => 12,
            Self::Mark => 13,
            Self::Clock(_) => return None,
        })
    }
}

/// The columns of a log of a run with those clocks, in their order.
pub fn columns(clocks: &ClockList) -> Vec<Column> {
    let fixed = FIXED.map(|(column, _)| column);
    let of_clocks = |are_standard: bool| {
        let all: Vec<ClockSpec> = clocks.in_a_log().to_vec();
        let chosen = all.into_iter().filter(move |spec| spec.is_standard == are_standard);
        chosen.flat_map(|spec| ClockColumn::of(spec).map(Column::Clock))
    };
    let (before, after) = fixed.split_at(BEFORE_CLOCKS);
    before
        .iter()
        .copied()
        .chain(of_clocks(true))
        .chain(after.iter().copied())
        .chain(of_clocks(false))
        .collect()
}

/// The form of a log's rows: the schema, and the time of day at which the run started.
#[derive(Clone, Debug)]
pub struct RowFormat {
    /// The run's start, in seconds since 1970 and the nanoseconds beyond.
    start: (i64, u32),
    /// The second in which the latest row was written, and the text of its time up to the dot.
    second: (i64, String),
    /// The clocks in the order of their columns, each with its place among those that the run keeps.
    clocks: Vec<(ClockSpec, Option<usize>)>,
}

impl RowFormat {
    /// The form of rows in a run that started then and keeps those clocks.
    pub fn new(start: Timestamp, clocks: &ClockList) -> Self {
        const SECOND: i128 = 1_000_000_000;
        let nanos = start.as_nanosecond();
        let second = i64::try_from(nanos.div_euclid(SECOND)).unwrap_or(i64::MAX);
        let beyond = u32::try_from(nanos.rem_euclid(SECOND)).unwrap_or(0);
        let place = |spec| clocks.iter().position(|kept| *kept == spec);
        let clocks = clocks.in_a_log().iter().map(|spec| (*spec, place(*spec))).collect();
        Self { start: (second, beyond), second: (i64::MIN, String::new()), clocks }
    }

    /// Appends the row with the columns' names.
    pub fn header(clocks: &ClockList, out: &mut Vec<u8>) {
        let names: Vec<_> = columns(clocks).into_iter().map(Column::name).collect();
        out.extend_from_slice(names.join(",").as_bytes());
        out.push(b'\n');
    }

    /// Appends the cells of the standard clocks, each with a comma behind it, or those of the others, with commas before.
    fn clocks<'a>(
        &self,
        are_standard: bool,
        value: impl Fn(ClockSpec, Option<usize>) -> &'a [u64],
        out: &mut Vec<u8>,
    ) {
        for (spec, place) in self.clocks.iter().filter(|(spec, _)| spec.is_standard == are_standard) {
            if !are_standard {
                out.push(b',');
            }
            clock_cells::put(*spec, value(*spec, *place), out);
            if are_standard {
                out.push(b',');
            }
        }
    }

    /// Appends the row of one event.
    pub fn row(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let mut digits = Buffer::new();
        let mut number =
            |out: &mut Vec<u8>, number: u64| out.extend_from_slice(digits.format(number).as_bytes());
        number(out, u64::from(record.vm.0));
        out.push(b',');
        number(out, record.event);
        out.extend_from_slice(match record.kind {
            Kind::Internal => b",internal,",
            Kind::Send(_) => b",send,",
            Kind::Receive(_) => b",receive,",
        });
        elapsed(record.elapsed, out);
        out.push(b',');
        self.system_time(record.elapsed, out);
        out.push(b',');
        number(out, record.clocks.lamport);
        out.push(b',');
        let value = |_, place: Option<usize>| place.map_or(&[][..], |place| record.clocks.at(place));
        self.clocks(true, value, out);
        message_columns(record, out);
        out.push(b',');
        text(record.mark, out);
        self.clocks(false, value, out);
        out.push(b'\n');
    }

    /// Appends a row that was read, in the same form. What its log had no column for stays empty.
    pub fn again(&mut self, row: &Row, out: &mut Vec<u8>) {
        let mut digits = Buffer::new();
        out.extend_from_slice(digits.format(row.vm.0).as_bytes());
        out.push(b',');
        out.extend_from_slice(digits.format(row.event).as_bytes());
        out.push(b',');
        out.extend_from_slice(row.kind.name().as_bytes());
        out.push(b',');
        elapsed(row.elapsed, out);
        out.push(b',');
        if let Some(time) = row.system_time {
            self.time_of_day(time, out);
        }
        out.push(b',');
        out.extend_from_slice(digits.format(row.lamport).as_bytes());
        out.push(b',');
        let value = |spec, _| row.clocks.of(spec).unwrap_or_default();
        self.clocks(true, value, out);
        list(&row.peers, out, |vm| u64::from(vm.0));
        out.push(b',');
        if let Some(message) = row.message {
            message_name(message, out);
        }
        out.push(b',');
        if let Some(lamport) = row.sender_lamport {
            out.extend_from_slice(digits.format(lamport).as_bytes());
        }
        out.push(b',');
        if let Some(queue) = row.queue {
            out.extend_from_slice(digits.format(queue).as_bytes());
        }
        out.push(b',');
        list(&row.lost, out, |vm| u64::from(vm.0));
        out.push(b',');
        list(&row.duplicated, out, |vm| u64::from(vm.0));
        out.push(b',');
        text(&row.payload, out);
        out.push(b',');
        text(&row.mark, out);
        self.clocks(false, value, out);
        out.push(b'\n');
    }

    fn system_time(&mut self, elapsed: Nanos, out: &mut Vec<u8>) {
        let (seconds, nanos) = elapsed.split();
        let nanos = self.start.1 + nanos;
        let carry = i64::from(nanos / 1_000_000_000);
        let second = self.start.0.saturating_add_unsigned(seconds).saturating_add(carry);
        self.instant(second, nanos % 1_000_000_000, out);
    }

    /// Appends a time of day, as rows have it.
    pub fn time_of_day(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        // Before 1970 both parts are negative.
        let (second, nanos) = (time.as_second(), time.subsec_nanosecond());
        match u32::try_from(nanos) {
            Ok(nanos) => self.instant(second, nanos, out),
            Err(_) => self.instant(second - 1, (1_000_000_000 + nanos).unsigned_abs(), out),
        }
    }

    /// RFC 3339 in UTC with 6 decimals. The part before the dot changes once a second and is kept.
    fn instant(&mut self, second: i64, nanos: u32, out: &mut Vec<u8>) {
        if self.second.0 != second {
            self.second = (second, until_the_dot(second));
        }
        out.extend_from_slice(self.second.1.as_bytes());
        out.push(b'.');
        padded::<6>(nanos / 1000, out);
        out.push(b'Z');
    }
}

fn until_the_dot(second: i64) -> String {
    let timestamp = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    timestamp.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The columns from `peers` to `payload`.
fn message_columns(record: &Record<'_>, out: &mut Vec<u8>) {
    let mut digits = Buffer::new();
    let queue = digits.format(record.queue).as_bytes();
    match record.kind {
        Kind::Internal => {
            out.extend_from_slice(b",,,");
            out.extend_from_slice(queue);
            out.extend_from_slice(b",,,");
        }
        Kind::Send(sent) => {
            list(&sent.to, out, |vm| u64::from(vm.0));
            out.push(b',');
            message_name(MessageId { sender: record.vm, event: record.event }, out);
            out.extend_from_slice(b",,");
            out.extend_from_slice(queue);
            out.push(b',');
            list(&sent.lost, out, |vm| u64::from(vm.0));
            out.push(b',');
            list(&sent.duplicated, out, |vm| u64::from(vm.0));
            out.push(b',');
            text(sent.payload.as_deref().map_or("", String::as_str), out);
        }
        Kind::Receive(Received { message, lamport, payload }) => {
            list(&[message.sender], out, |vm| u64::from(vm.0));
            out.push(b',');
            message_name(*message, out);
            out.push(b',');
            out.extend_from_slice(Buffer::new().format(*lamport).as_bytes());
            out.push(b',');
            out.extend_from_slice(queue);
            out.extend_from_slice(b",,,");
            text(payload.as_deref().map_or("", String::as_str), out);
        }
    }
}

fn message_name(message: MessageId, out: &mut Vec<u8>) {
    let mut digits = Buffer::new();
    out.extend_from_slice(b"vm");
    out.extend_from_slice(digits.format(message.sender.0).as_bytes());
    out.push(b'-');
    out.extend_from_slice(digits.format(message.event).as_bytes());
}

/// Seconds with 9 decimals.
fn elapsed(elapsed: Nanos, out: &mut Vec<u8>) {
    let (seconds, nanos) = elapsed.split();
    out.extend_from_slice(Buffer::new().format(seconds).as_bytes());
    out.push(b'.');
    padded::<9>(nanos, out);
}

/// The number with zeros in front, `WIDTH` digits in all.
fn padded<const WIDTH: usize>(mut number: u32, out: &mut Vec<u8>) {
    let mut digits = [b'0'; WIDTH];
    for pair in digits.rchunks_exact_mut(2) {
        pair.copy_from_slice(&TWO_DIGITS[(number % 100) as usize]);
        number /= 100;
    }
    if WIDTH % 2 == 1 {
        digits[0] += u8::try_from(number % 10).unwrap_or_default();
    }
    out.extend_from_slice(&digits);
}

/// The numbers below a hundred as two digits: half as many divisions as one by one.
static TWO_DIGITS: [[u8; 2]; 100] = {
    let mut digits = [[b'0'; 2]; 100];
    let mut number = 0u8;
    while number < 100 {
        digits[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::{Reading, Values};
    use crate::edge::log::RowReader;
    use crate::edge::log::cell::unguarded;
    use crate::model::event::Sent;
    use crate::model::id::VmId;

    fn row(record: &Record<'_>, start: &str) -> String {
        let mut out = Vec::new();
        RowFormat::new(start.parse().unwrap(), &ClockList::standard()).row(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn record<'a>(elapsed: u64, clocks: Reading<'a>, kind: Kind<'a>) -> Record<'a> {
        Record { vm: VmId(2), event: 17, elapsed: Nanos::new(elapsed), clocks, queue: 4, kind, mark: "" }
    }

    const LAMPORT: Reading<'_> = Reading::lamport_only(21);
    fn values() -> Values {
        Values::new(ClockList::standard(), vec![vec![9, 4, 17], vec![1_250_000_000, 3]])
    }

    const MESSAGE: MessageId = MessageId { sender: VmId(1), event: 8 };

    #[test]
    fn each_kind_of_event_fills_its_columns() {
        let start = "2026-03-01T23:59:59.5Z";
        assert_eq!(
            row(&record(1_250_000_001, Reading::written(21, &values()), Kind::Internal), start),
            "2,17,internal,1.250000001,2026-03-02T00:00:00.750000Z,21,\"[9,4,17]\",1250000000,3,,,,4,,,,\n"
        );
        let sent = Sent {
            to: vec![VmId(0), VmId(1)],
            lost: vec![VmId(0)],
            duplicated: vec![VmId(1)],
            payload: Some(Arc::new("123456".into())),
        };
        assert_eq!(
            row(&record(0, LAMPORT, Kind::Send(&sent)), start),
            "2,17,send,0.000000000,2026-03-01T23:59:59.500000Z,21,,,,\"[0,1]\",vm2-17,,4,[0],[1],123456,\n"
        );
        let payload = Some(Arc::new("a,\"b\"".into()));
        let received = Received { message: MESSAGE, lamport: 20, payload };
        assert_eq!(
            row(&record(999_999_999, LAMPORT, Kind::Receive(&received)), start),
            "2,17,receive,0.999999999,2026-03-02T00:00:00.499999Z,21,,,,[1],vm1-8,20,4,,,\"a,\"\"b\"\"\",\n"
        );
    }

    #[test]
    fn virtual_time_starts_in_1970() {
        let text = row(&record(61_000_000_000, LAMPORT, Kind::Internal), "1970-01-01T00:00:00Z");
        assert_eq!(text.split(',').nth(4), Some("1970-01-01T00:01:01.000000Z"));
    }

    #[test]
    fn the_kept_second_never_shows_in_a_later_one() {
        let mut format = RowFormat::new("2026-01-01T00:00:00Z".parse().unwrap(), &ClockList::standard());
        let mut out = Vec::new();
        for secs in [0, 1, 59, 60, 0] {
            format.row(&record(secs * 1_000_000_000, LAMPORT, Kind::Internal), &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        let times: Vec<&str> = text.lines().map(|line| &line.split(',').nth(4).unwrap()[14..19]).collect();
        assert_eq!(times, ["00:00", "00:01", "00:59", "01:00", "00:00"]);
    }

    #[test]
    fn a_row_that_was_read_is_written_as_it_stood_there() {
        let text = "2,17,internal,1.250000001,1969-12-31T23:59:59.750000Z,21,\"[9,4,17]\",1250000000,3,,,,4,,,,enter\n\
            0,1,send,0.000000001,2026-03-01T23:59:59.500000Z,21,[9],,,\"[0,1]\",vm0-1,,4,[0],[1],123456,\n\
            1,18446744073709551615,receive,9.999999999,,21,,,,[1],vm1-8,20,4,,,\"a,\"\"b\"\"\",deliver vm1-8\n";
        let mut log = Vec::new();
        RowFormat::header(&ClockList::standard(), &mut log);
        log.extend_from_slice(text.as_bytes());
        let mut reader = RowReader::new(&log[..], "log".as_ref()).unwrap();
        let (mut format, mut out) =
            (RowFormat::new(Timestamp::UNIX_EPOCH, &ClockList::standard()), Vec::new());
        while let Some(row) = reader.next_row().unwrap() {
            format.again(row, &mut out);
        }
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    proptest! {
        #[test]
        fn any_payload_survives_a_reader_of_csv(payload in any::<String>()) {
            let sent = Sent { payload: Some(Arc::new(payload.clone())), ..Sent::default() };
            let mut out = Vec::new();
            RowFormat::header(&ClockList::standard(), &mut out);
            RowFormat::new(Timestamp::UNIX_EPOCH, &ClockList::standard()).row(&record(5, Reading::written(21, &values()), Kind::Send(&sent)), &mut out);
            let mut reader = csv::Reader::from_reader(out.as_slice());
            let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(rows[0].len(), columns(&ClockList::standard()).len());
            prop_assert_eq!(unguarded(rows[0][15].as_bytes()), payload.as_bytes());
        }
    }
}
