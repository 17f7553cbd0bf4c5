//! Runs in the formats of other tools, each read by the rules of the tool that it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{self, Row, list};
use crate::exported::{
    EventId, ODD_PAYLOAD, RUNS, WRONG_LOG, assert_closed, by_id, clocklab, event_id, export, export_part,
    export_text, make, read,
};

const WINDOWS: [&str; 7] = ["", "0.5s-", "-0.6s", "300ms-900ms", "events:1-10", "events:17-60", "events:40-"];

fn window_flag(window: &str) -> String {
    if window.is_empty() { String::new() } else { format!("--window {window}") }
}

#[test]
fn the_table_has_every_row_as_it_was_logged_and_causes_before_effects() {
    for line in RUNS {
        let folder = make(line);
        let run = read(&folder);
        let table = export_text(&folder, "--format csv");
        let mut logged = Vec::new();
        for name in common::names(&folder.path().join("output")).iter().filter(|name| common::is_log(name)) {
            let text = fs::read_to_string(folder.path().join("output").join(name)).unwrap();
            let mut lines = text.lines();
            assert_eq!(lines.next(), table.lines().next());
            logged.extend(lines.map(str::to_owned));
        }
        let mut exported: Vec<String> = table.lines().skip(1).map(str::to_owned).collect();
        let mut seen = BTreeSet::new();
        for row in csv::Reader::from_reader(table.as_bytes()).deserialize::<Row>().map(Result::unwrap) {
            assert!(row.event == 1 || seen.contains(&(row.vm, row.event - 1)));
            assert!(row.kind != "receive" || seen.contains(&event_id(&row.message)), "{}", row.message);
            seen.insert((row.vm, row.event));
        }
        assert_eq!(seen.len(), run.rows().count());
        logged.sort_unstable();
        exported.sort_unstable();
        assert!(logged == exported, "{line}");
    }
}

#[test]
fn objects_have_all_columns_typed() {
    for line in RUNS {
        let folder = make(line);
        let run = read(&folder);
        let rows = by_id(&run);
        let text = export_text(&folder, "--format jsonl");
        assert_eq!(text.lines().count(), rows.len());
        for line in text.lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            let row = rows[&(
                u32::try_from(object["vm"].as_u64().unwrap()).unwrap(),
                object["event"].as_u64().unwrap(),
            )];
            let numbers = |text: &str| Value::from(list(text));
            let maybe = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
            assert_eq!(object.as_object().unwrap().len(), 17);
            assert_eq!(object["kind"], row.kind);
            assert!(object["elapsed_s"].is_f64());
            assert!(line.contains(&format!("\"elapsed_s\":{},", row.elapsed_s)));
            assert_eq!(object["system_time"], row.system_time);
            assert_eq!(object["lamport"], row.lamport);
            assert_eq!(
                object["vector"],
                if row.vector.is_empty() { Value::Null } else { numbers(&row.vector) }
            );
            assert_eq!((object["hlc"].as_u64(), object["hlc_count"].as_u64()), (row.hlc, row.hlc_count));
            assert_eq!(object["peers"], numbers(&row.peers));
            assert_eq!(object["message"], maybe(&row.message));
            assert_eq!(object["sender_lamport"], row.sender_lamport.map_or(Value::Null, Value::from));
            assert_eq!(object["queue"], row.queue);
            assert_eq!(object["lost"], numbers(&row.lost));
            assert_eq!(object["duplicated"], numbers(&row.duplicated));
            assert_eq!(object["payload"], maybe(&row.payload));
            assert_eq!(object["mark"], maybe(&row.mark));
        }
    }
}

/// An event as ShiViz reads it.
struct Seen {
    host: String,
    /// Kind and words.
    event: String,
    clock: BTreeMap<String, u64>,
}

/// Reads a log as ShiViz does (its js/model/parser.js and modelGraph.js), and throws where it would.
fn read_as_shiviz(text: &str) -> Vec<Seen> {
    let (expression, rest) = text.split_once('\n').unwrap();
    let (delimiter, log) = rest.split_once('\n').unwrap();
    assert_eq!(
        expression,
        r"(?<time>\S+) (?<event>(?<kind>INTERNAL|SEND|RECEIVE) .*)\n(?<host>\S+) (?<clock>\{.*\})"
    );
    assert_eq!(delimiter, "");
    assert!(!text.contains(['\r', '\u{2028}', '\u{2029}']), "JavaScript would end a line there");
    let lines: Vec<&str> = log.strip_suffix('\n').unwrap().split('\n').collect();
    let events: Vec<Seen> = lines
        .chunks(2)
        .map(|pair| {
            let (time, event) = pair[0].split_once(' ').unwrap();
            assert!(time.parse::<f64>().is_ok());
            assert!(["INTERNAL ", "SEND ", "RECEIVE "].iter().any(|kind| event.starts_with(kind)), "{event}");
            let (host, clock) = pair[1].split_once(' ').unwrap();
            let clock = serde_json::from_str(clock).unwrap();
            Seen { host: host.to_owned(), event: event.to_owned(), clock }
        })
        .collect();
    let mut hosts = BTreeMap::<&str, Vec<&Seen>>::new();
    for event in &events {
        hosts.entry(&event.host).or_default().push(event);
    }
    for events in hosts.values_mut() {
        events.sort_by_key(|event| event.clock[&event.host]);
        let own: Vec<u64> = events.iter().map(|event| event.clock[&event.host]).collect();
        assert!(own.iter().copied().eq(1..=own.len() as u64), "Clock values must increase by 1: {own:?}");
    }
    for event in &events {
        for (host, entry) in &event.clock {
            let others = hosts.get(host.as_str()).expect("an unrecognized host");
            assert!((1..=others.len() as u64).contains(entry), "an invalid clock value {entry} for {host}");
            // What it never checks, and draws wrong: a clock knows all that the events know which it knows.
            let known = &others[usize::try_from(*entry).unwrap() - 1].clock;
            assert!(known.iter().all(|(host, entry)| event.clock[host] >= *entry));
        }
    }
    events
}

#[test]
fn shiviz_reads_whole_runs_and_windows_and_its_clocks_are_those_of_the_log() {
    for line in RUNS {
        let folder = make(line);
        let run = read(&folder);
        let rows = by_id(&run);
        for window in WINDOWS {
            let text = export_text(&folder, &format!("--format shiviz {}", window_flag(window)));
            let events = read_as_shiviz(&text);
            let ids: Vec<EventId> =
                events.iter().map(|seen| event_id(seen.event.split([' ', ',']).nth(1).unwrap())).collect();
            let first = assert_closed(&run, &ids);
            assert!(!window.is_empty() || ids.len() == rows.len());
            for (seen, id) in events.iter().zip(&ids) {
                assert_eq!(seen.host, format!("vm{}", id.0));
                // The log's own vector, counted from where the window begins.
                let vector = list(&rows[id].vector);
                let counted = vector.iter().zip(0u32..).filter_map(|(entry, vm)| {
                    let before = first.get(&vm)? - 1;
                    (*entry > before).then(|| (format!("vm{vm}"), entry - before))
                });
                assert_eq!(seen.clock, counted.collect(), "{line} {window}: {id:?}");
            }
        }
    }
}

#[test]
fn runs_without_vectors_get_them_from_their_messages() {
    let line = "--virtual-time --seed 5 --vms 4 --duration 20 --loss 0.1 --latency 1ms-2s";
    let (with, without) = (make(line), make(&format!("{line} --clocks lamport")));
    assert_eq!(export_text(&with, "--format shiviz"), export_text(&without, "--format shiviz"));
}

#[test]
fn a_window_of_time_takes_those_in_it_and_their_causes_decide() {
    let folder = tempfile::tempdir().unwrap();
    // Machine 1's clock is behind: by it, 1-1 receives before 0-2 sends.
    let log = "vm,event,kind,elapsed_s,lamport,peers,message\n0,1,internal,1,1,,\n0,2,send,5,2,1,0-2\n0,3,internal,6,3,,\n\
               1,1,receive,2,3,0,0-2\n1,2,internal,3,4,,\n1,3,internal,7,5,,\n";
    fs::write(folder.path().join("log.csv"), log).unwrap();
    let events = |window: &str| {
        let table = export_text(&folder, &format!("log.csv --format csv --window {window}"));
        table
            .lines()
            .skip(1)
            .map(|line| line.split(',').take(2).collect::<Vec<_>>().join("-"))
            .collect::<Vec<_>>()
    };
    assert_eq!(events("0s-4s"), ["0-1"]);
    assert_eq!(events("0s-6s"), ["0-1", "0-2", "1-1", "1-2"]);
    assert_eq!(events("4s-"), ["0-2", "0-3", "1-1", "1-2", "1-3"]);
    assert_eq!(events("events:2-4"), ["0-2", "0-3", "1-1"]);
}

/// A payload may be anything, and so may the name of a message in somebody else's log.
#[test]
fn no_text_leaves_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log.csv"), ODD_PAYLOAD).unwrap();
    assert_eq!(read_as_shiviz(&export_text(&folder, "log.csv --format shiviz")).len(), 2);
    let table = export_text(&folder, "log.csv --format csv");
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let payloads = rows.records().map(|row| row.unwrap()[15].to_owned());
    let payload = "a \"b\"\n0,9 {c}\r\u{2028}\u{85}\\";
    assert_eq!(payloads.collect::<Vec<_>>(), [payload, payload]);
    let objects = export_text(&folder, "log.csv --format jsonl");
    let object: Value = serde_json::from_str(objects.lines().next().unwrap()).unwrap();
    assert_eq!(object["payload"], payload);
    assert_eq!((&object["queue"], &object["vector"]), (&Value::Null, &Value::Null));
    let trace = read_trace(&export(&folder, "log.csv --format perfetto"));
    assert_eq!(trace.events[0].texts["payload"], payload);
}

/// A trace as Perfetto's descriptions of its messages say, read without any code of the writer.
#[derive(Default)]
struct Trace {
    tracks: BTreeMap<u64, Track>,
    events: Vec<TraceEvent>,
    counters: BTreeMap<u64, Vec<(u64, u64)>>,
}

#[derive(Default)]
struct Track {
    name: String,
    parent: u64,
    is_counter: bool,
}

#[derive(Default)]
struct TraceEvent {
    time: u64,
    track: u64,
    name: String,
    flows: Vec<u64>,
    ends: Vec<u64>,
    numbers: BTreeMap<String, u64>,
    texts: BTreeMap<String, String>,
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Field<'_> {
    fn number(&self) -> u64 {
        match self {
            Field::Number(number) => *number,
            Field::Bytes(_) => panic!("expected a number"),
        }
    }

    fn text(&self) -> String {
        match self {
            Field::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Field::Number(_) => panic!("expected a text"),
        }
    }
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
        }
        panic!("a number without an end");
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (eight, rest) = bytes.split_at(8);
                bytes = rest;
                Field::Number(u64::from_le_bytes(eight.try_into().unwrap()))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (inner, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(inner)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn read_trace(bytes: &[u8]) -> Trace {
    let mut trace = Trace::default();
    for (field, packet) in fields(bytes) {
        let (1, Field::Bytes(packet)) = (field, packet) else { panic!("a trace has packets only") };
        let packet = fields(packet);
        let time = packet.iter().find(|(field, _)| *field == 8).map(|(_, time)| time.number());
        assert!(packet.iter().any(|(field, value)| *field == 10 && value.number() == 1));
        for (field, value) in &packet {
            match (field, value) {
                (60, Field::Bytes(track)) => {
                    let (mut uuid, mut found) = (0, Track::default());
                    for (field, value) in fields(track) {
                        match field {
                            1 => uuid = value.number(),
                            2 => found.name = value.text(),
                            5 => found.parent = value.number(),
                            8 => found.is_counter = true,
                            _ => {}
                        }
                    }
                    assert!(trace.tracks.insert(uuid, found).is_none());
                }
                (11, Field::Bytes(event)) => read_event(event, time.unwrap(), &mut trace),
                _ => {}
            }
        }
    }
    trace
}

fn read_event(bytes: &[u8], time: u64, trace: &mut Trace) {
    let mut event = TraceEvent { time, ..TraceEvent::default() };
    let (mut kind, mut count) = (0, None);
    for (field, value) in fields(bytes) {
        match (field, value) {
            (4, Field::Bytes(annotation)) => {
                let (mut name, mut number, mut text) = (String::new(), None, None);
                for (field, value) in fields(annotation) {
                    match field {
                        10 => name = value.text(),
                        3 => number = Some(value.number()),
                        6 => text = Some(value.text()),
                        other => panic!("{other}"),
                    }
                }
                event.numbers.extend(number.map(|number| (name.clone(), number)));
                event.texts.extend(text.map(|text| (name, text)));
            }
            (9, value) => kind = value.number(),
            (11, value) => event.track = value.number(),
            (23, value) => event.name = value.text(),
            (30, value) => count = Some(value.number()),
            (47, value) => event.flows.push(value.number()),
            (48, value) => event.ends.push(value.number()),
            _ => {}
        }
    }
    let track = &trace.tracks[&event.track];
    assert_eq!(track.is_counter, kind == 4);
    match kind {
        3 => trace.events.push(event),
        4 => trace.counters.entry(event.track).or_default().push((time, count.unwrap())),
        other => panic!("type {other}"),
    }
}

#[test]
fn a_trace_has_a_track_a_machine_and_a_flow_a_message() {
    for line in RUNS {
        let folder = make(line);
        let run = read(&folder);
        for window in ["", "0.3s-0.9s"] {
            let trace = read_trace(&export(&folder, &format!("--format perfetto {}", window_flag(window))));
            let mut begun = BTreeMap::new();
            let mut ended = BTreeSet::new();
            let mut per_track = BTreeMap::<u64, Vec<&Row>>::new();
            let rows = by_id(&run);
            let mut ids = Vec::new();
            for event in &trace.events {
                let vm: u32 = trace.tracks[&event.track].name.strip_prefix("vm ").unwrap().parse().unwrap();
                let row = rows[&(vm, event.numbers["event"])];
                ids.push((vm, row.event));
                per_track.entry(event.track).or_default().push(row);
                assert_eq!((event.time, event.numbers["lamport"]), (row.elapsed(), row.lamport));
                assert_eq!(event.texts.get("vector").map_or("", String::as_str), row.vector);
                assert_eq!(event.texts.get("payload").map_or("", String::as_str), row.payload);
                let copies = list(&row.peers).len() + list(&row.duplicated).len() - list(&row.lost).len();
                assert_eq!(event.flows.len(), if row.kind == "send" { copies } else { 0 });
                for flow in &event.flows {
                    assert!(*flow > 0 && begun.insert(*flow, (vm, row.event)).is_none());
                }
                for flow in &event.ends {
                    assert!(ended.insert(*flow));
                    assert_eq!(begun[flow], event_id(&row.message));
                }
                assert!(event.name.starts_with(&row.kind), "{}", event.name);
            }
            assert_closed(&run, &ids);
            let is_in = |row: &&Row| row.kind == "receive" && ids.contains(&event_id(&row.message));
            assert_eq!(ended.len(), ids.iter().map(|id| rows[id]).filter(is_in).count());
            for (uuid, track) in trace.tracks.iter().filter(|(_, track)| track.is_counter) {
                let rows = &per_track[&track.parent];
                let expected = rows
                    .iter()
                    .map(|row| (row.elapsed(), if track.name == "queue" { row.queue } else { row.lamport }));
                assert!(expected.eq(trace.counters[uuid].iter().copied()), "{}", track.name);
            }
            assert_eq!(trace.counters.len(), 2 * per_track.len());
        }
    }
}

#[test]
fn several_folders_are_the_nodes_of_one_run() {
    let folder = make("--duration 1 --rates 20-60 --vms 4 --processes 2");
    let all = export_text(&folder, "--format csv");
    let nodes = [folder.path().join("node0"), folder.path().join("node1")];
    for (node, path) in nodes.iter().enumerate() {
        fs::create_dir(path).unwrap();
        for name in common::names(&folder.path().join("output")).iter().filter(|name| common::is_log(name)) {
            let vm: usize = name.split('_').nth(1).unwrap().parse().unwrap();
            if vm / 2 == node {
                fs::rename(folder.path().join("output").join(name), path.join(name)).unwrap();
            }
        }
    }
    let parts = export_text(&folder, "node0 node1 --format csv");
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(sorted(&parts), sorted(&all));
    // One node alone knows nothing of the others' sends, and says what it has.
    read_as_shiviz(&String::from_utf8(export_part(&folder, "node1 --format shiviz")).unwrap());
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = make("--virtual-time --seed 1 --duration 10");
    let written = clocklab(folder.path(), "export --format jsonl --out events.jsonl");
    assert!(written.status.success() && written.stdout.is_empty());
    let text = fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
    assert_eq!(text, export_text(&folder, "--format jsonl --out -"));
    assert_eq!(
        String::from_utf8(written.stderr).unwrap(),
        format!("{} events written to events.jsonl\n", text.lines().count())
    );
    let failed = clocklab(folder.path(), "export --format csv --window 90s- --out events.jsonl");
    assert_eq!(failed.status.code(), Some(2));
    assert_eq!(fs::read_to_string(folder.path().join("events.jsonl")).unwrap(), text);
    assert_eq!(common::names(folder.path()), ["events.jsonl", "output"].map(str::to_owned).into());
    assert!(clocklab(folder.path(), "export --format csv --out /dev/null").status.success());
    let full = clocklab(folder.path(), "export --format csv --out /dev/full");
    assert_eq!(full.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&full.stderr).starts_with("error: cannot write /dev/full: "), "{full:?}");
}

#[test]
fn nobody_has_to_read_to_the_end() {
    let folder = make("--virtual-time --seed 1 --duration 600 --rates 100");
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    let command = command.current_dir(folder.path()).args(["export", "--format", "csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn rows_that_cannot_be_read_are_told_and_left_out() {
    let folder = make("--virtual-time --seed 1 --duration 10");
    let name =
        common::names(&folder.path().join("output")).into_iter().find(|name| common::is_log(name)).unwrap();
    let log = folder.path().join("output").join(&name);
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("{text}0,99,inter")).unwrap();
    let torn = clocklab(folder.path(), "export --format csv");
    assert!(torn.status.success());
    assert_eq!(
        String::from_utf8_lossy(&torn.stderr),
        format!("output/{name}: its last row is torn and was left out (10 bytes)\n")
    );
    fs::write(&log, text.replacen("internal", "idle", 1)).unwrap();
    let left_out = clocklab(folder.path(), "export --format shiviz");
    assert_eq!(left_out.status.code(), Some(1));
    let errors = String::from_utf8(left_out.stderr).unwrap();
    assert!(errors.starts_with(&format!("left out: output/{name}:")), "{errors}");
    assert!(errors.ends_with("error: 1 row could not be read and was left out\n"), "{errors}");
    // ShiViz demands numbers without a gap, and gets them.
    read_as_shiviz(&String::from_utf8(left_out.stdout).unwrap());
}

/// Messages of which nobody knows, that come too often, go to others, or wait for each other.
#[test]
fn wrong_logs_are_exported_as_far_as_they_go() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log.csv"), WRONG_LOG).unwrap();
    let text = |format: &str| {
        String::from_utf8(export_part(&folder, &format!("log.csv --format {format}"))).unwrap()
    };
    assert_eq!(read_as_shiviz(&text("shiviz")).len(), 9);
    for format in ["csv", "jsonl"] {
        let lines = text(format).lines().count();
        assert_eq!(lines, if format == "csv" { 10 } else { 9 });
    }
    assert_eq!(read_trace(&export_part(&folder, "log.csv --format perfetto")).events.len(), 9);
}

#[test]
fn wrong_words_are_answered_as_elsewhere() {
    let folder = make("--virtual-time --seed 1 --duration 5");
    assert!(
        clocklab(folder.path(), "--quiet --virtual-time --runs 2 --duration 5 --output series")
            .status
            .success()
    );
    fs::copy(folder.path().join("output/run.toml"), folder.path().join("mine.csv")).unwrap();
    for (line, part) in [
        ("", "--format"),
        (
            "--format svg",
            "invalid value 'svg' for '--format <FORMAT>': must be one of: shiviz, dot, perfetto, csv, jsonl",
        ),
        ("--format csv --window 5s", "a window is START-END in time, such as 10s-20s"),
        ("--format csv --window 5s-3s", "a window ends after it begins"),
        ("--format csv --window events:0-3", "events are counted 1, 2, 3"),
        ("--format csv --window 90s-", "no event is in the window 90s-: the run has "),
        ("series --format csv", "name one of them, such as series/run_1"),
        ("output series --format csv", "name one run of each"),
        ("none --format csv", "cannot read none: "),
        ("mine.csv --format csv", "expected a header with a column 'vm'"),
        ("--format csv --out output", "it is a folder"),
        ("--format csv --out output/vm_0_5.csv", "a file of that name belongs to a run"),
        ("mine.csv --format csv --out ./mine.csv", "it is a log that is to be read"),
    ] {
        let output = clocklab(folder.path(), &format!("export {line}"));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(part), "{line}: {error}");
        assert!(output.stdout.is_empty(), "{line}");
    }
    assert!(clocklab(folder.path(), "export series/run_2 --format csv").status.success());
}

#[test]
fn every_format_is_in_the_help() {
    let folder = tempfile::tempdir().unwrap();
    let help = |line: &str| String::from_utf8(clocklab(folder.path(), line).stdout).unwrap();
    let (short, long) = (help("export -h"), help("export --help"));
    for format in ["shiviz", "dot", "perfetto", "csv", "jsonl", "xlsx"] {
        assert!(long.contains(&format!("\n  {format} ")), "{format}: {long}");
        let mut lists = short.lines().filter(|line| line.contains("--format <FORMAT>"));
        assert!(lists.any(|line| line.contains(format)), "{format}: {short}");
    }
}

#[test]
fn a_table_is_written_as_spreadsheets_of_other_languages_read_it() {
    let folder = make("--virtual-time --seed 4 --vms 3 --rates 5-9 --duration 2 --workload client-server");
    let usual = export_text(&folder, "--format csv");
    for (flags, separator, decimal) in [
        ("--decimal comma --separator semicolon", b';', ','),
        ("--decimal comma --separator tab", b'\t', ','),
        ("--separator semicolon", b';', '.'),
    ] {
        let text = export_text(&folder, &format!("--format csv {flags}"));
        let records = |text: &str, separator: u8| -> Vec<Vec<String>> {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .delimiter(separator)
                .from_reader(text.as_bytes());
            reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
        };
        let (expected, found) = (records(&usual, b','), records(&text, separator));
        assert_eq!(expected.len(), found.len());
        let elapsed = expected[0].iter().position(|name| name == "elapsed_s").unwrap();
        for (mut expected, found) in expected.into_iter().zip(found) {
            expected[elapsed] = expected[elapsed].replace('.', &decimal.to_string());
            assert_eq!(expected, found, "{flags}");
        }
    }
    for (flags, expected) in [
        ("--format csv --decimal comma", "--decimal comma needs another mark between cells"),
        (
            "--format csv --decimal comma --separator comma",
            "--decimal comma needs another mark between cells",
        ),
        ("--format jsonl --decimal comma", "--decimal goes with --format csv, and this is --format jsonl"),
        ("--format xlsx --separator tab", "--separator goes with --format csv, and this is --format xlsx"),
        ("--format csv --separator bar", "must be one of: comma, semicolon, tab"),
    ] {
        let output = clocklab(folder.path(), &format!("export {flags}"));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && error.contains(expected), "{flags}: {error}");
    }
}

/// A file of a workbook.
fn part(workbook: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(workbook)).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap_or_else(|_| panic!("{name}")).read_to_string(&mut text).unwrap();
    text
}

/// Cells by their names, each with its type and value: `n` for a number, `s` for a text.
type Cells = BTreeMap<String, (char, String)>;

fn cells(workbook: &[u8], sheet: &str) -> Cells {
    let shared = part(workbook, "xl/sharedStrings.xml");
    let plain = |text: &str| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        text.replace("&amp;", "&")
    };
    // A text is `<t>…</t>` or `<t xml:space="preserve">…</t>`.
    let text = |xml: &str| {
        let (_, inner) = xml.split_once("<t").unwrap();
        plain(inner.split_once('>').unwrap().1.split("</t>").next().unwrap())
    };
    let shared: Vec<String> = shared.split("<si>").skip(1).map(text).collect();
    let xml = part(workbook, sheet);
    let cells = xml.split("<c r=\"").skip(1).map(|cell| {
        let (name, rest) = cell.split_once('"').unwrap();
        let kind = rest.split_once('>').unwrap().0.to_owned();
        let value = || rest.split_once("<v>").unwrap().1.split("</v>").next().unwrap().to_owned();
        let value = if kind.contains("t=\"inlineStr\"") {
            ('s', text(rest))
        } else if kind.contains("t=\"s\"") {
            ('s', shared[value().parse::<usize>().unwrap()].clone())
        } else {
            assert!(!rest.split("</c>").next().unwrap().contains("<f"), "a formula: {rest}");
            ('n', value())
        };
        (name.to_owned(), value)
    });
    cells.collect()
}

fn workbook(folder: &tempfile::TempDir, flags: &str) -> Vec<u8> {
    let output = clocklab(folder.path(), &format!("export {flags} --format xlsx --out run.xlsx"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(folder.path().join("run.xlsx")).unwrap()
}

#[test]
fn a_workbook_has_the_values_of_the_logs_with_their_types() {
    let folder = make("--virtual-time --seed 4 --vms 3 --rates 5-9 --duration 3 --skew 1s");
    let workbook = workbook(&folder, "");
    let names = part(&workbook, "xl/workbook.xml");
    for name in ["summary", "charts", "over time", "vm0", "vm1", "vm2"] {
        assert!(names.contains(&format!("\"{name}\"")), "{names}");
    }
    let table = export_text(&folder, "--format csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let sheet = |vm: &str| {
        names.split("<sheet ").skip(1).position(|sheet| sheet.contains(&format!("\"vm{vm}\""))).unwrap() + 1
    };
    let mut of_vm: BTreeMap<String, (Cells, usize)> = BTreeMap::new();
    let mut checked = 0;
    for record in reader.records().map(Result::unwrap) {
        let (cells, row) = of_vm.entry(record[0].to_owned()).or_insert_with(|| {
            (cells(&workbook, &format!("xl/worksheets/sheet{}.xml", sheet(&record[0]))), 1)
        });
        *row += 1;
        for (column, (head, expected)) in heads.iter().zip(&record).enumerate() {
            let name = format!("{}{row}", char::from(b'A' + u8::try_from(column).unwrap()));
            let found = cells.get(&name);
            let Some((kind, value)) = found else {
                assert_eq!(expected, "", "{name}");
                continue;
            };
            match head.as_str() {
                "vm" | "event" | "lamport" | "queue" | "sender_lamport" | "hlc" | "hlc_count" => {
                    assert_eq!((*kind, value.as_str()), ('n', expected));
                }
                "elapsed_s" => {
                    let both = [value, expected].map(|text| text.parse::<f64>().unwrap());
                    assert!(*kind == 'n' && (both[0] - both[1]).abs() < 1e-9, "{both:?}");
                }
                "system_time" => {
                    let days: f64 = value.parse().unwrap();
                    let elapsed: f64 = record[3].parse().unwrap();
                    assert!(*kind == 'n' && ((days - 25_569.0) * 86_400.0 - elapsed).abs() < 2e-6, "{value}");
                }
                _ => assert_eq!((*kind, value.as_str()), ('s', expected), "{head}"),
            }
            checked += 1;
        }
    }
    assert!(checked > 300, "{checked}");
    for chart in 1..=3 {
        let xml = part(&workbook, &format!("xl/charts/chart{chart}.xml"));
        assert_eq!(xml.matches("<c:ser>").count(), 3, "a line a machine");
        assert!(xml.contains("'over time'!$A$2:$A$"), "{xml}");
    }
    let summary = cells(&workbook, "xl/worksheets/sheet1.xml");
    assert!(summary.values().any(|(_, text)| text == "concurrent_share"));
}

#[test]
fn nothing_in_a_workbook_is_a_formula_or_rounded() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("output")).unwrap();
    let rows = "vm,event,kind,elapsed_s,system_time,lamport,vector,peers,message,sender_lamport,queue,payload,mark\n\
                0,1,send,0.5,1800-01-01T00:00:00.000000Z,9007199254740993,,[1],vm0-1,,0,'=1+1,''007\n\
                1,1,receive,0.6,1970-01-01T00:00:00.600000Z,9007199254740994,,[0],vm0-1,9007199254740993,0,'=1+1,\n";
    fs::write(
        folder.path().join("output/vm_0_1.csv"),
        rows.lines().take(2).collect::<Vec<_>>().join("\n") + "\n",
    )
    .unwrap();
    let second: Vec<&str> =
        rows.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| line).collect();
    fs::write(folder.path().join("output/vm_1_1.csv"), second.join("\n") + "\n").unwrap();
    let output = clocklab(folder.path(), "export --format xlsx --out run.xlsx");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && told.contains("note: 3 numbers of more than 15 digits became text"),
        "{told}"
    );
    let cells = cells(&fs::read(folder.path().join("run.xlsx")).unwrap(), "xl/worksheets/sheet4.xml");
    let texts: Vec<&str> =
        cells.values().filter(|(kind, _)| *kind == 's').map(|(_, text)| text.as_str()).collect();
    for text in ["=1+1", "'007", "9007199254740993", "1800-01-01T00:00:00.000000Z"] {
        assert!(texts.contains(&text), "{texts:?}");
    }
}

#[test]
fn a_workbook_without_a_place_for_its_sheets_leaves_nothing() {
    let folder = make("--virtual-time --seed 4 --vms 2 --rates 1 --duration 2");
    let output = Command::new(env!("CARGO_BIN_EXE_clocklab"))
        .current_dir(folder.path())
        .env("TMPDIR", folder.path().join("not there"))
        .args(["export", "--format", "xlsx", "--out", "run.xlsx"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(output.status.code(), Some(0));
    assert!(error.contains("there is no workbook") && error.contains("not there"), "{error}");
    assert!(!error.contains("panicked") && !folder.path().join("run.xlsx").exists(), "{error}");
}

#[test]
fn a_run_of_too_many_machines_for_sheets_is_told_what_helps() {
    let folder = make("--virtual-time --seed 4 --vms 201 --rates 1 --duration 2");
    let output = clocklab(folder.path(), "export --format xlsx --out run.xlsx");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2)
            && error.contains("the run has more than 200 machines")
            && error.contains("--format csv"),
        "{error}"
    );
    assert!(!folder.path().join("run.xlsx").exists());
}
