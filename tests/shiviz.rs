//! Logs as other programs write them for ShiViz: checked, measured and ordered from their vectors alone.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clocklab::event::MessageId;
use clocklab::id::VmId;
use clocklab::log::{Found, find};
use clocklab::order::{Events, Relation};
use clocklab::stats::{MEASURES, TOTALS, measure, measure_trace};
use clocklab::trace;
use proptest::prelude::*;
use tempfile::TempDir;

fn clocklab(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(folder).args(line.split_whitespace()).output().unwrap()
}

/// The exit code, and what was printed on both ways.
fn said(folder: &Path, line: &str) -> (i32, String, String) {
    let output = clocklab(folder, line);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A run of ours, and the same as a log for ShiViz.
fn exported(line: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert!(clocklab(folder.path(), &format!("--quiet --virtual-time {line}")).status.success());
    let export = clocklab(folder.path(), "export --format shiviz --out run.log");
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    folder
}

fn is_same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (a, b) => a.is_none() == b.is_none(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// A run whose messages all arrive says the same as its vectors alone.
    #[test]
    fn vectors_alone_say_what_the_whole_log_says(
        seed: u32, vms in 2u32..6, picks in prop::collection::vec((0..1_000_000usize, 0..1_000_000usize), 20),
    ) {
        let folder = exported(&format!("--seed {seed} --vms {vms} --duration 5 --rates 2-9 --draw 6"));
        let Found::Run(run) = find(&folder.path().join("output")).unwrap() else { panic!("one run") };
        let trace = trace::read(&[folder.path().join("run.log")]).unwrap().remove(0);
        let (whole, vectors) = (measure(std::slice::from_ref(&run)).unwrap(), measure_trace(&trace));
        for name in ["events", "events_receive", "clock", "jump_mean", "jump_p50", "jump_max", "gap_mean"] {
            let column = MEASURES.iter().position(|measure| measure.name == name).unwrap();
            for (vm, values) in &whole.machines {
                let host = trace.host(&format!("vm{vm}")).unwrap();
                let found = &vectors.machines.iter().find(|(vm, _)| *vm == host).unwrap().1;
                prop_assert!(is_same(values[column], found[column]), "{name} of {vm}");
            }
        }
        for name in ["events", "messages_received", "concurrent_share", "false_order_share"] {
            let column = TOTALS.iter().position(|total| total.name == name).unwrap();
            prop_assert!(is_same(whole.totals[column], vectors.totals[column]), "{name}");
        }
        let ours = |index: usize| {
            let id = trace.events[index % trace.events.len()].id;
            MessageId { sender: VmId(trace.hosts[id.sender.index()][2..].parse().unwrap()), event: id.event }
        };
        for (a, b) in picks {
            let (first, second) = (ours(a), ours(b));
            let theirs = [a, b].map(|index| trace.events[index % trace.events.len()].id);
            let events = Events::of_trace(trace.clone(), &theirs).unwrap();
            let own = Events::read(std::slice::from_ref(&run), &[first, second]).unwrap();
            let relation = |relation: &Relation| match relation {
                Relation::Same => (0, 0),
                Relation::Before(chain) => (1, chain.len()),
                Relation::After(chain) => (2, chain.len()),
                Relation::Concurrent(..) => (3, 0),
            };
            let found = relation(events.order(theirs[0], theirs[1]).unwrap().relation());
            let expected = relation(own.order(first, second).unwrap().relation());
            prop_assert_eq!(found, expected);
            let past: u64 = events.past(theirs[0]).values().sum();
            prop_assert_eq!(past, own.past(first).values().sum::<u64>());
        }
    }
}

#[test]
fn exported_runs_are_sound() {
    for line in
        ["--seed 1", "--seed 2 --vms 9 --loss 0.3 --duplicate 0.1 --latency 5s", "--seed 3 --clocks lamport"]
    {
        let folder = exported(&format!("--duration 20 {line}"));
        let (code, text, _) = said(folder.path(), "check --from shiviz run.log");
        assert!(code == 0 && text.starts_with("run.log: sound: "), "{line}: {text}");
    }
}

/// Two clients and a server, as GoVector would write them. The server's third event hears of both clients at once.
const STORY: &str = "\
a {\"a\":1}
ask
b-1 {\"b-1\":1}
ask
b-1 {\"b-1\":2}
wait
s {\"s\":1,\"a\":1}
get
s {\"s\":2,\"a\":1}
answer
s {\"s\":3,\"a\":1,\"b-1\":1}
get
a {\"a\":2,\"s\":2}
be glad
s {\"s\":4,\"a\":2,\"b-1\":2}
get both
";

fn story(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("story.log"), text).unwrap();
    folder
}

#[test]
fn a_log_of_another_program_is_checked_ordered_and_measured() {
    let folder = story(STORY);
    let ask = |line: &str| said(folder.path(), line);
    assert_eq!(
        ask("check --from shiviz story.log").1,
        "story.log: sound: 3 hosts, 8 events, 5 messages as the vectors tell\n"
    );
    assert_eq!(
        ask("order --from shiviz story.log a-1 s-4").1,
        "before: a-1 happened before s-4\n  a shortest chain has 1 message:\n  a-1\n  a-1 was received by s-1\n  s-4\n\n\
         a-1 (story.log:1):\n  a {\"a\":1}\n  ask\n\ns-4 (story.log:15):\n  s {\"s\":4,\"a\":2,\"b-1\":2}\n  get both\n"
    );
    let answer = ask("order --from shiviz story.log b-1-2 a-2").1;
    assert!(
        answer.starts_with(
            "concurrent: no chain of messages leads from b-1-2 to a-2 or back\n  b-1-2 has heard of no event of a\n  \
             a-2 has heard of no event of b-1\n"
        ),
        "{answer}"
    );
    assert_eq!(
        ask("order --from shiviz story.log --cut a-2,s-1").1,
        "inconsistent: message s-2 is received in the cut, by a-2, and sent after it\n"
    );
    let (_, past, count) = ask("order --from shiviz story.log --past a-2");
    assert_eq!(count, "4 events in the past of a-2, itself among them\n");
    fs::write(folder.path().join("past.log"), past).unwrap();
    assert!(
        ask("check --from shiviz past.log").1.starts_with("past.log: sound: 2 hosts, 4 events, 2 messages")
    );
    let measured = ask("stats --from shiviz story.log --format csv").1;
    let rows: Vec<Vec<&str>> = measured.lines().map(|line| line.split(',').collect()).collect();
    let value = |vm: usize, name: &str| rows[vm][rows[0].iter().position(|head| *head == name).unwrap()];
    assert_eq!((value(3, "vm"), value(3, "events_receive"), value(3, "clock")), ("s", "3", "5"));
    assert_eq!((value(4, "run_messages_received"), value(4, "run_messages_sent")), ("5", "5"));
    assert_eq!(
        (value(1, "queue_max"), value(1, "latency_mean_ms")),
        ("", ""),
        "what is not known is left out"
    );
}

#[test]
fn damages_are_found_under_their_right_names() {
    let check = |from: &str, to: &str, expected: &str| {
        let damaged = STORY.replacen(from, to, 1);
        assert_ne!(damaged, STORY, "{from}");
        let folder = story(&damaged);
        let (code, text, _) = said(folder.path(), "check --from shiviz story.log");
        assert!(code == 1 && text.contains(expected), "{from} as {to}: {text}");
    };
    let sender = "[message that was never sent]";
    check(
        "a {\"a\":1}\nask\n",
        "",
        "story.log:11: found \"a\":2, expected 1, as a host's first event has [event number]",
    );
    check(
        "b-1 {\"b-1\":2}\nwait\n",
        "",
        "story.log:13: found \"b-1\":2, expected at most 1, the last event of 'b-1' [mess",
    );
    check(
        "s {\"s\":3,",
        "s {\"s\":2,",
        "found \"s\":2, expected 3, 1 more than in its event before (story.log:9) [event number]",
    );
    check(
        "s {\"s\":2,\"a\":1}",
        "s {\"s\":2}",
        "story.log:9: found no entry \"a\", expected 1 or more, as its event before has it (story.log:7) [vector clock]",
    );
    check(
        "{\"a\":2,\"s\":2}",
        "{\"a\":2,\"s\":3}",
        "story.log:13: found no entry \"b-1\", expected 1 or more, as s-3 (story.log:11) knows it, of which it has heard [vector clock]",
    );
    check("{\"a\":2,\"s\":2}", "{\"a\":2,\"s\":9}", sender);
    check(
        "{\"a\":2,\"s\":2}",
        "{\"a\":2,\"x\":2}",
        "found \"x\":2, expected nothing of 'x', which has no event in the log [message",
    );
    check(
        "b-1 {\"b-1\":1}",
        "b-1 {\"a\":1}",
        "story.log:3: found '{\"a\":1}', expected an entry of 1 or more for the event's own host 'b-1' [unreadable row]",
    );
    check(
        "{\"b-1\":2}",
        "{\"b-1\":-2}",
        "story.log:5: found '{\"b-1\":-2}', expected a vector clock such as {\"a\":1,\"b\":2} [unreadable row]",
    );
    check(
        "a {\"a\":1}",
        "a {\"a\":1,\"s\":1}",
        "story.log:1: found a-1, expected an event that does not follow itself: a-1 (story.log:1), which follows s-1 (story.log:7), which follows itself [circle of messages]",
    );
    check(
        ",\"a\":2,\"b-1\":2}\nget both\n",
        ",\"a\":2,\"b-1\":",
        "story.log:15: found 's {\"s\":4,\"a\":2,\"b-1\":', expected an event, as the expression has it [unreadable row]",
    );
    check(
        "be glad\n",
        "be glad\na {\"a\":2,\"s\":2}\nbe glad\n",
        "story.log:15: found \"a\":2, expected 3, 1 more than in its event before (story.log:13) [event number]",
    );
}

#[test]
fn expressions_delimiters_and_several_files_are_read_as_shiviz_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "two.log",
        "(?<date>\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d,\\d{3}) \\[(?<host>[^\\]]*)\\] (?<clock>{.*}) (?<event>.*)\r\n\
         === (?<trace>.*) ===\r\n=== good ===\r\n2026-03-01 12:00:00,000 [a, 1] {\"a, 1\":1} go\r\nnoise\r\n\
         2026-03-01 12:00:01,500 [b] {\\\"b\\\":1,\\\"a, 1\\\":1} come  \r\n=== bad ===\r\n\
         2026-03-01 12:00:00,000 [b] {\"b\":2} go\r\n",
    );
    let (code, text, _) = said(folder.path(), "check --from shiviz two.log");
    assert_eq!(code, 1);
    assert!(text.contains("two.log, good: sound: 2 hosts, 2 events, 1 message as the vectors tell\nnot checked: 1 line outside of any event\n"), "{text}");
    assert!(text.contains("two.log, bad: 1 fault") && text.contains("two.log:8: found \"b\":2"), "{text}");
    let (code, _, error) = said(folder.path(), "order --from shiviz two.log b-1 b-2");
    assert!(code == 2 && error.contains("several runs in the log"), "{error}");
    let stats = said(folder.path(), "stats --from shiviz two.log --format json").1;
    assert!(stats.contains("\"latency_mean_ms\": 1500.0"), "{stats}");

    fs::create_dir(folder.path().join("parts")).unwrap();
    write("parts/a-Log.txt", "a {\"a\":1}\ngo\n");
    write("parts/b-Log.txt", "b {\"b\":1,\"a\":1}\ncome\n");
    write("parts/notes.md", "not a log");
    assert!(
        said(folder.path(), "check --from shiviz parts")
            .1
            .starts_with("parts: sound: 2 hosts, 2 events, 1 mess")
    );
    let both = "order --from shiviz parts/a-Log.txt parts/b-Log.txt b-1 a-1";
    assert!(said(folder.path(), both).1.starts_with("after: b-1 happened after a-1\n"));
}

#[test]
fn what_is_no_such_log_is_refused_in_words() {
    let folder = story("nothing of the sort\n");
    let refused = |line: &str, expected: &str| {
        let (code, _, error) = said(folder.path(), line);
        assert!(code == 2 && error.contains(expected), "{line}: {error}");
    };
    refused(
        "check --from shiviz story.log",
        "story.log: found no event, expected some that match (?<event>.*)",
    );
    refused("check --from shiviz none.log", "cannot read none.log: ");
    fs::create_dir(folder.path().join("empty")).unwrap();
    refused(
        "stats --from shiviz empty",
        "empty holds no ShiViz logs: expected files whose names end in .log",
    );
    refused("check --from govector story.log", "must be one of: clocklab, shiviz");
    fs::write(folder.path().join("story.log"), STORY).unwrap();
    refused(
        "order --from shiviz story.log c-1 a-1",
        "'c-1' for an event: an event is <host>-<number of its event>, and the hosts are a, b-1, s",
    );
    refused(
        "order --from shiviz story.log a-3 a-1",
        "there is no event a-3 in the logs: a has events up to 2",
    );
    refused("order --from shiviz story.log --cut a-1,nobody", "invalid value 'nobody' for --cut: ");
    refused("order --from shiviz story.log --cut a-1,a-2", "a-2 is the second event of its machine");
    fs::write(folder.path().join("story.log"), STORY.replacen("a {\"a\":1}", "a {\"a\":1,\"s\":1}", 1))
        .unwrap();
    refused(
        "order --from shiviz story.log a-1 s-1",
        "a-1 is in a circle: by the logs it happened before itself",
    );
}
