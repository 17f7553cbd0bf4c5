//! The events whose rows a page has: those of a window of time, as many as fit, in a compact form.

use std::fmt::Write;

use super::escape::json_text;
use crate::edge::log::{EventKind, Row};
use crate::model::id::VmId;
use crate::model::time::{Nanos, TimeWindow};

/// The most machines that have a line in the space-time diagram.
pub(super) const MOST_LINES: usize = 200;

/// The most characters of vectors in a page. Beyond that, it has none.
const MOST_VECTOR_TEXT: usize = 2_500_000;
/// The most characters of another clock of one machine.
const MOST_CLOCK_TEXT: usize = 500_000;

/// Rows of a window: the earliest of it, as many as there is room for.
#[derive(Debug)]
pub(super) struct Excerpt {
    asked: TimeWindow,
    /// What is later is left out.
    end: Nanos,
    most: usize,
    rows: Vec<Row>,
    is_cut: bool,
    /// Vectors were too long to be kept.
    pub(super) has_long_vectors: bool,
}

impl Excerpt {
    pub(super) fn new(asked: TimeWindow, most: usize) -> Self {
        Self {
            asked,
            end: asked.end().minus(Nanos::new(1)),
            most: most.max(1),
            rows: Vec::new(),
            is_cut: false,
            has_long_vectors: false,
        }
    }

    /// Keeps a row if it belongs to the window.
    pub(super) fn add(&mut self, row: &Row) {
        if row.elapsed < self.asked.start() || row.elapsed > self.end {
            return;
        }
        let mut row = row.clone();
        if row.past().len() > MOST_LINES {
            self.has_long_vectors = true;
            row.clocks.past_mut().into_iter().for_each(Vec::clear);
        }
        self.rows.push(row);
        if self.rows.len() >= 2 * self.most {
            self.shrink();
        }
    }

    /// Leaves the latest rows out where there are too many. All events at one time stay or go together.
    fn shrink(&mut self) {
        if self.rows.len() <= self.most {
            return;
        }
        let (_, first_left_out, _) = self.rows.select_nth_unstable_by_key(self.most, |row| row.elapsed);
        let first = first_left_out.elapsed;
        self.end = first.minus(Nanos::new(1)).max(self.asked.start());
        let end = self.end;
        self.rows.retain(|row| row.elapsed <= end);
        self.is_cut = true;
    }

    /// The rows by machine, each machine's in the order of its events.
    pub(super) fn finish(mut self) -> KeptRows {
        self.shrink();
        self.rows.sort_by_key(|row| (row.vm, row.event));
        let (from, to) = (self.asked.start(), self.end);
        KeptRows { rows: self.rows, from, to, is_cut: self.is_cut, has_long_vectors: self.has_long_vectors }
    }
}

/// The rows of a window.
#[derive(Debug)]
pub(super) struct KeptRows {
    /// By machine and event.
    pub(super) rows: Vec<Row>,
    pub(super) from: Nanos,
    pub(super) to: Nanos,
    /// There were too many.
    pub(super) is_cut: bool,
    pub(super) has_long_vectors: bool,
}

impl KeptRows {
    /// The rows as JSON: of each machine its columns, numbers as differences from the row before. Beside it
    /// whether vectors had to be left out.
    pub(super) fn json(&self) -> (String, bool) {
        let machines: Vec<&[Row]> = self.rows.chunk_by(|a, b| a.vm == b.vm).collect();
        let vectors: Vec<String> = machines.iter().map(|rows| vector_column(rows)).collect();
        let is_too_much = vectors.iter().map(String::len).sum::<usize>() > MOST_VECTOR_TEXT;
        let mut json = String::from("[");
        for (rows, vectors) in machines.iter().zip(&vectors) {
            if json.len() > 1 {
                json.push(',');
            }
            push_machine(&mut json, rows, if is_too_much { "" } else { vectors });
        }
        json.push(']');
        (json, self.has_long_vectors || is_too_much)
    }
}

fn push_machine(json: &mut String, rows: &[Row], vectors: &str) {
    let Some(first) = rows.first() else { return };
    let _ = write!(json, "{{\"vm\":{},\"k\":\"", first.vm);
    json.extend(rows.iter().map(|row| match row.kind {
        EventKind::Internal => 'i',
        EventKind::Send => 's',
        EventKind::Receive => 'r',
    }));
    json.push('"');
    column(json, "e", &differences(rows.iter().map(|row| row.event.into())));
    column(json, "t", &differences(rows.iter().map(|row| row.elapsed.get().into())));
    column(json, "l", &differences(rows.iter().map(|row| row.lamport.into())));
    if rows.iter().all(|row| row.system_time.is_some()) {
        let start = |row: &Row| {
            let micros = row.system_time.map_or(0, |time| time.as_microsecond());
            i128::from(micros) - i128::from(row.elapsed.get() / 1000)
        };
        column(json, "s", &differences(rows.iter().map(start)));
    }
    if rows.iter().all(|row| row.queue.is_some()) {
        column(json, "q", &rows.iter().map(|row| row.queue.unwrap_or(0).into()).collect::<Vec<_>>());
    }
    push_clocks(json, rows);
    column(json, "p", &messages(rows));
    if !vectors.is_empty() {
        let _ = write!(json, ",\"v\":[{vectors}]");
    }
    push_rare(json, rows);
    json.push('}');
}

/// The clocks that do not tell the past by themselves, each with its values in words; those that are too long are left
/// out.
fn push_clocks(json: &mut String, rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let mut clocks = Vec::new();
    for (spec, _) in first.clocks.kept().filter(|(spec, _)| !spec.tells_past) {
        let values: Vec<String> =
            rows.iter().filter_map(|row| Some(spec.shown(row.clocks.of(spec)?))).collect();
        if values.len() == rows.len() && values.iter().map(String::len).sum::<usize>() <= MOST_CLOCK_TEXT {
            clocks.push((spec.to_string(), values));
        }
    }
    if !clocks.is_empty() {
        // Texts and lists are always JSON.
        let _ = write!(json, ",\"c\":{}", serde_json::to_string(&clocks).unwrap_or_else(|_| "[]".to_owned()));
    }
}

fn column(json: &mut String, name: &str, values: &[i128]) {
    let _ = write!(json, ",\"{name}\":[");
    for (index, value) in values.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(json, "{comma}{value}");
    }
    json.push(']');
}

fn differences(values: impl Iterator<Item = i128>) -> Vec<i128> {
    let mut before = 0;
    values.map(|value| value - std::mem::replace(&mut before, value)).collect()
}

/// Of a send how many recipients and which; of a receive the sender, its event and the stamp, -1 where there is none.
fn messages(rows: &[Row]) -> Vec<i128> {
    let mut values = Vec::new();
    for row in rows {
        match row.kind {
            EventKind::Internal => {}
            EventKind::Send => {
                values.push(row.peers.len() as i128);
                values.extend(row.peers.iter().map(|peer| i128::from(peer.0)));
            }
            EventKind::Receive => {
                let message = row.message.map_or([-1, -1], |id| [id.sender.0.into(), id.event.into()]);
                values.extend(message);
                values.push(row.sender_lamport.map_or(-1, i128::from));
            }
        }
    }
    values
}

/// Of each row how many entries of its vector are not those of the row before with one more for the machine itself,
/// and of each of these the place and the difference. Empty where a row has none, or another number of entries.
fn vector_column(rows: &[Row]) -> String {
    let mut text = String::new();
    let Some(first) = rows.first().filter(|row| !row.past().is_empty()) else { return text };
    let (vm, length) = (first.vm, first.past().len());
    if rows.iter().any(|row| row.past().len() != length) {
        return text;
    }
    let mut expected = vec![0; length];
    let _ = write!(text, "{length}");
    for row in rows {
        if let Some(own) = expected.get_mut(vm.index()) {
            *own += 1;
        }
        let others = || row.past().iter().zip(&expected).enumerate().filter(|(_, (a, b))| a != b);
        let _ = write!(text, ",{}", others().count());
        for (place, (is, was)) in others() {
            let _ = write!(text, ",{place},{}", i128::from(*is) - i128::from(*was));
        }
        expected.copy_from_slice(row.past());
    }
    text
}

/// What few rows have: lost and duplicated messages, what was carried and what the workload says, by the row's place.
fn push_rare(json: &mut String, rows: &[Row]) {
    json.push_str(",\"x\":{");
    let mut comma = "";
    for (index, row) in rows.iter().enumerate() {
        let has_lists = !row.lost.is_empty() || !row.duplicated.is_empty();
        if !has_lists && row.payload.is_empty() && row.mark.is_empty() {
            continue;
        }
        let list = |vms: &[VmId]| vms.iter().map(VmId::to_string).collect::<Vec<_>>().join(",");
        let (lost, twice, payload) = (list(&row.lost), list(&row.duplicated), json_text(&row.payload));
        let _ = write!(json, "{comma}\"{index}\":[[{lost}],[{twice}],{payload}");
        if !row.mark.is_empty() {
            let _ = write!(json, ",{}", json_text(&row.mark));
        }
        json.push(']');
        comma = ",";
    }
    json.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(vm: u32, event: u64, at: u64) -> Row {
        Row { vm: VmId(vm), event, elapsed: Nanos::new(at), lamport: event, ..Row::default() }
    }

    #[test]
    fn too_many_events_leave_a_closed_window_of_the_earliest() {
        let mut window = Excerpt::new(TimeWindow::WHOLE, 10);
        for vm in 0..3 {
            (1..=100).for_each(|event| window.add(&row(vm, event, event * 10)));
        }
        let kept = window.finish();
        assert!(kept.is_cut && kept.rows.len() <= 10 && kept.rows.len() >= 7, "{}", kept.rows.len());
        assert!(kept.rows.iter().all(|row| row.elapsed <= kept.to));
        assert_eq!(kept.rows.iter().filter(|row| row.vm == VmId(0)).count() * 3, kept.rows.len());
    }

    #[test]
    fn a_window_may_be_asked_for() {
        let mut window = Excerpt::new("20ns-31ns".parse().unwrap(), 10);
        (1..=9).for_each(|event| window.add(&row(0, event, event * 10)));
        let kept = window.finish();
        assert_eq!((kept.rows.len(), kept.is_cut), (2, false));
    }

    #[test]
    fn rows_are_json_with_vectors_as_differences() {
        let mut rows = vec![row(1, 1, 5), row(1, 2, 9)];
        *rows[0].clocks.past_mut().unwrap() = vec![0, 1];
        *rows[1].clocks.past_mut().unwrap() = vec![4, 2];
        rows[1].payload = "</script>".into();
        let kept =
            KeptRows { rows, from: Nanos::ZERO, to: Nanos::ZERO, is_cut: false, has_long_vectors: false };
        let (json, has_no_vectors) = kept.json();
        assert!(!has_no_vectors && !json.contains('<'));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value[0]["v"], serde_json::json!([2, 0, 1, 0, 4]));
        assert_eq!(value[0]["t"], serde_json::json!([5, 4]));
        assert_eq!(value[0]["x"]["1"][2], "</script>");
    }
}
