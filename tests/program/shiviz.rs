//! Logs as other programs write them for ShiViz: checked, measured and ordered from their vectors alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clocklab::after::order::{Events, Relation};
use clocklab::after::stats::{MEASURES, TOTALS, measure, measure_trace};
use clocklab::edge::log::{Found, find};
use clocklab::edge::trace;
use clocklab::model::event::MessageId;
use clocklab::model::id::VmId;
use clocklab::model::registry::Registry;
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
        let (whole, vectors) = (measure(std::slice::from_ref(&run), &Registry::default()).unwrap(), measure_trace(&trace));
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
                Relation::BeforeUnseen | Relation::AfterUnseen | Relation::Unknown => (4, 0),
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
    check(
        "a {\"a\":1}\nask\n",
        "",
        "story.log:11: found \"a\":2, expected 1, as a host's first event has [event number]",
    );
    check(
        "s {\"s\":3,",
        "s {\"s\":2,",
        "story.log:11: found a second s-2, expected numbers that go on: it is at story.log:9 already, so the host 's' begins again",
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
    check(
        "{\"a\":2,\"s\":2}",
        "{\"a\":2,\"s\":9}",
        "story.log:15: found \"s\":4, expected more than 9, which a-2 (story.log:13) has heard of, of which it has heard itself [vector",
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
        "story.log:15: found a-2 a second time, expected it once; it is at story.log:13 already [event number]",
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

/// Files in a folder of their own.
fn files(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_merged_log_beside_its_parts_counts_each_event_once() {
    let (a, b) = ("a {\"a\":1}\ngo\na {\"a\":2}\nsend\n", "b {\"b\":1}\ngo\nb {\"a\":2, \"b\":2}\nreceive\n");
    let header = "(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)\n\n";
    let folder = files(&[("Shiviz.log", &format!("{header}{a}{b}")), ("a-Log.txt", a), ("b-Log.txt", b)]);
    let (code, text, _) = said(folder.path(), "check --from shiviz .");
    assert_eq!(code, 0);
    assert_eq!(
        text,
        ".: sound: 2 hosts, 4 events, 1 message as the vectors tell\n4 events of ./a-Log.txt, ./b-Log.txt stand in \
         other files as well, and each was counted once\n"
    );
    let measured = said(folder.path(), "stats --from shiviz . --format json").1;
    assert!(measured.contains("\"events\": 4.0") && measured.contains("each was counted once"), "{measured}");
}

#[test]
fn a_host_that_begins_again_is_one_fault_and_its_second_run_is_set_aside() {
    let run = "p {\"p\":1}\nInitialization Complete\np {\"p\":2}\nINFO step\np {\"p\":3}\nINFO step\n";
    // q has heard of an event that only the second run has: nobody can tell that this is wrong.
    let q = "q {\"q\":1,\"p\":4}\nget\n";
    let folder = files(&[("p.log", &format!("{run}{run}p {{\"p\":4}}\nINFO step\n")), ("q.log", q)]);
    let (code, text, _) = said(folder.path(), "check --from shiviz p.log q.log");
    assert_eq!(code, 1);
    assert!(text.starts_with("p.log q.log: 1 fault: 2 hosts, 4 events, 0 messages"), "{text}");
    assert!(
        text.contains("p.log:7: found a second p-1, expected numbers that go on: it is at p.log:1 already"),
        "{text}"
    );
    assert!(text.contains("not checked: 4 events of a second run of p, and what other hosts"), "{text}");
    let measured = said(folder.path(), "stats --from shiviz p.log").1;
    assert!(measured.contains("4 events have numbers of others or are of a second run"), "{measured}");
}

#[test]
fn what_a_part_shows_is_judged_and_what_it_lacks_is_told() {
    let part = STORY.replace("a {\"a\":1}\nask\n", "").replace("a {\"a\":2,\"s\":2}\nbe glad\n", "");
    let folder = files(&[("part.log", &part)]);
    let (code, text, _) = said(folder.path(), "check --from shiviz part.log");
    assert_eq!(
        (code, text.as_str()),
        (
            0,
            "part.log: sound: 2 hosts, 6 events, 2 messages as the vectors tell\na part: the log of 'a' is not here\n"
        )
    );
    let cut = STORY.replace("b-1 {\"b-1\":2}\nwait\n", "");
    fs::write(folder.path().join("part.log"), cut).unwrap();
    let (code, text, _) = said(folder.path(), "check --from shiviz part.log");
    assert!(
        code == 0
            && text.contains("a part: the log of 'b-1' ends with event 1, and others heard of its event 2"),
        "{text}"
    );
    // Pairs of events are those that are here: each of s after the one before, and three after b-1-1.
    let trace = trace::read(&[folder.path().join("part.log")]).unwrap().remove(0);
    let whole = trace::read(&[story(STORY).path().join("story.log")]).unwrap().remove(0);
    let pairs = |trace: &trace::Trace| {
        let events = &trace.events;
        let knows = |a: usize, b: usize| events[b].clock.entry(events[a].id.sender) >= events[a].id.event;
        let all = (0..events.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let (mut concurrent, mut pairs) = (0.0, 0.0);
        for (a, b) in all {
            pairs += 1.0;
            concurrent += if knows(a, b) || knows(b, a) { 0.0 } else { 1.0 };
        }
        concurrent / pairs
    };
    for trace in [&trace, &whole] {
        assert!(is_same(measure_trace(trace).total("concurrent_share"), Some(pairs(trace))));
    }
}

/// What `order` says of a log: the exit code, and what was printed on both ways.
fn order(log: &str, question: &str) -> (i32, String, String) {
    said(story(log).path(), &format!("order --from shiviz story.log {question}"))
}

#[test]
fn no_answer_rests_on_a_host_that_is_not_here() {
    let part = STORY.replace("a {\"a\":1}\nask\n", "").replace("a {\"a\":2,\"s\":2}\nbe glad\n", "");
    for (question, code, answer, told) in [
        ("b-1-1 s-4", 0, "before: b-1-1 happened before s-4\n  a shortest chain has 1 message:\n", ""),
        (
            "b-1-1 s-4",
            0,
            "  b-1-1 was received by s-3\n  s-4\n  this does not depend on what is not here\n",
            "",
        ),
        // Of b-1-2 the server hears together with a's second event, which may have known of it.
        ("b-1-2 s-4", 0, "  b-1-2 was received by s-4, at once or by way of events that are not here\n", ""),
        ("b-1-2 s-3", 0, "concurrent: ", ""),
        ("a-2 s-4", 0, "before: a-2 happened before s-4\n", ""),
        ("a-2 s-3", 1, "unknown: it depends on logs of 'a', which are not here\n", ""),
        ("--cut b-1-2,s-4", 0, "inconsistent: ", ""),
        ("--cut b-1-2", 0, "consistent: ", ""),
        ("--cut a-2,b-1-2,s-4", 1, "unknown: it depends on logs of 'a', which are not here\n", ""),
        (
            "--past s-4",
            1,
            "",
            "6 events here are in the past of s-4, itself among them, and 2 more are in logs",
        ),
        ("--past b-1-2", 0, "", "2 events in the past of b-1-2, itself among them"),
        (
            "--future b-1-1",
            1,
            "",
            "unknown: it depends on logs of 'a', which are not here; 4 events here are",
        ),
    ] {
        let (found, text, error) = order(&part, question);
        assert!(error.starts_with("a part: the log of 'a' is not here\n"), "{question}: {error}");
        let is_right = found == code && text.contains(answer) && error.contains(told);
        assert!(is_right, "{question}: {found}\n{text}\n{error}");
    }
}

#[test]
fn a_log_that_ends_early_or_has_a_hole_contradicts_nobody() {
    // carol's log ends before what bob has heard of it.
    let cut = "carol {\"carol\":1}\nsay\nalice {\"alice\":1}\nsay\n\
               bob {\"bob\":1,\"carol\":3,\"alice\":1}\nget\n";
    let (code, text, error) = order(cut, "carol-1 bob-1");
    assert!(error.contains("a part: the log of 'carol' ends with event 1, and others heard of its event 3"));
    assert!(code == 0 && text.starts_with("before: carol-1 happened before bob-1\n"), "{text}\n{error}");
    assert!(text.contains("  carol-3 was received by bob-1\n"), "{text}");
    let (code, text, _) = order(cut, "alice-1 bob-1");
    assert!(code == 0 && text.contains("by their vectors; a chain has 1 message or more:\n"), "{text}");
    let (code, text, _) = order(cut, "alice-1 carol-1");
    assert!(code == 0 && text.starts_with("concurrent: "), "{text}");
    let (code, text, _) = order(cut, "alice-1 carol-2");
    assert!(code == 1 && text.starts_with("unknown: "), "{text}");
    // x's second event is in no log: that is a fault, and what y's message reached first is not known.
    let hole = "x {\"x\":1}\nrest\ny {\"y\":1}\nsay\nx {\"x\":3,\"y\":1}\nrest\n";
    let (code, text, _) = said(story(hole).path(), "check --from shiviz story.log");
    assert!(code == 1 && text.contains("[event number]"), "{text}");
    let (code, text, error) = order(hole, "y-1 x-3");
    assert!(code == 0 && error.contains("a part: event 2 of 'x' is not here"), "{error}");
    assert!(text.contains("  y-1 was received by x-3, at once or by way of events"), "{text}");
    let (code, text, _) = order(hole, "y-1 x-2");
    assert!(
        code == 1 && text.starts_with("unknown: it depends on logs of 'x', which are not all here\n"),
        "{text}"
    );
    let (code, _, error) = order(hole, "--past x-3");
    assert!(
        code == 1 && error.contains("3 events here are in the past of x-3, itself among them, and 1 more"),
        "{error}"
    );
}

#[test]
fn nobody_is_told_of_which_run_others_have_heard() {
    let run = "p {\"p\":1}\nstart\np {\"p\":2}\nstep\n";
    let log = format!(
        "{run}{run}r {{\"r\":1}}\nsay\nq {{\"q\":1,\"r\":1}}\nget\nq {{\"q\":2,\"r\":1,\"p\":2}}\nget\n"
    );
    let (code, _, error) = order(&log, "p-1 q-2");
    assert!(
        code == 2 && error.contains("p-1 is not one event: the log has more than one run of 'p'"),
        "{error}"
    );
    for (question, code) in [
        ("r-1 q-2", 0),
        ("--past q-1", 0),
        ("--past q-2", 1),
        ("--cut r-1,q-1", 0),
        ("--cut r-1,q-2", 1),
        ("--future r-1", 1),
    ] {
        let (found, text, error) = order(&log, question);
        assert!(
            error.contains("a part: the log has more than one run of 'p', as at story.log:5: 2 events of"),
            "{error}"
        );
        assert_eq!(found, code, "{question}: {text}\n{error}");
    }
    assert!(order(&log, "r-1 q-2").1.starts_with("before: r-1 happened before q-2\n"));
    assert!(
        order(&log, "--cut r-1,q-2")
            .1
            .starts_with("unknown: it depends on 'p', of which the log has more than one")
    );
}

#[test]
fn hosts_whose_clocks_cannot_be_right_are_told() {
    let header = "(?<time>\\d+) (?<host>\\w+) (?<clock>{.*}) (?<event>.*)\n\n";
    let line = |time: u64, host: &str, clock: &str| format!("{time} {host} {{{clock}}} step\n");
    let log = [
        line(1_700_000_000_500, "a", "\"a\":1"),
        line(1_700_000_000_200, "b", "\"b\":1,\"a\":1"),
        line(1_700_000_000_900, "a", "\"a\":2"),
        line(1_700_000_000_400, "b", "\"b\":2,\"a\":2"),
        line(1_700_000_000_300, "b", "\"b\":3,\"a\":2"),
    ]
    .concat();
    let folder = files(&[("in.log", &format!("{header}{log}"))]);
    let (code, text, _) = said(folder.path(), "check --from shiviz in.log");
    assert_eq!(code, 1);
    assert!(text.contains("in.log: 2 faults:"), "{text}");
    assert!(
        text.contains(
            "in.log:4: found 2023-11-14T22:13:20.2Z at b-1, expected 2023-11-14T22:13:20.5Z or later, when a-1 (in.log:3) \
             was sent: the clocks of 'a' and 'b' disagree by at least 500 ms, as 2 messages from 'a' to 'b' show, the most \
             at b-2 (in.log:6) [clocks of hosts]"
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "in.log:7: found 2023-11-14T22:13:20.3Z, expected 2023-11-14T22:13:20.4Z or later, as its event before has \
             (in.log:6) [time]"
        ),
        "{text}"
    );
    let stats = measure_trace(&trace::read(&[folder.path().join("in.log")]).unwrap().remove(0));
    assert!(is_same(stats.of(VmId(1), "latency_mean_ms"), Some(-400.0)));
    assert!(is_same(stats.of(VmId(1), "latency_max_ms"), Some(-300.0)));
    assert!(
        stats.warnings.iter().any(|told| told.contains("the most by 500.000 ms")),
        "{:?}",
        stats.warnings
    );
}

#[test]
fn nothing_of_a_file_steers_the_terminal() {
    let wild = "\u{1b}[31m\u{7}\u{9b}\u{202e}";
    let header =
        format!("(?<host>\\S+) (?<clock>{{.*}}) (?<event>.*)\n=== (?<trace>.*) ===\n=== {wild} ===\n");
    let name = "in\u{1b}[2J.log";
    let text =
        format!("{header}a{wild} {{\"a{wild}\":1}} {wild}\nb {{\"b{wild}\":0}} {wild}\n{wild}{{\"a\":1\n");
    let folder = files(&[(name, &text), ("bad.log", &format!("(?<event>{wild}(?<host>)(?<clock>)\n"))]);
    let ask = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_clocklab")).current_dir(folder.path()).args(arguments).output();
        let output = output.unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let host = "a\\u{1b}[31m\\u{7}\\u{9b}\\u{202e}-1";
    for arguments in [
        &["check", "--from", "shiviz", name][..],
        &["check", "--from", "shiviz", "bad.log"],
        &["check", "--from", "shiviz", "\u{1b}[1m"],
        &["stats", "--from", "shiviz", name],
        &["order", "--from", "shiviz", name, host, host],
        &["order", "--from", "shiviz", name, wild, host],
        &["--scenario", "bad.log"],
        &["check", "bad.log"],
    ] {
        let said = ask(arguments);
        assert!(!said.is_empty(), "{arguments:?}");
        let steers = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!said.contains(steers), "{arguments:?}: {said:?}");
    }
}

#[test]
fn no_expression_and_no_file_hangs_the_program() {
    let xs = "x".repeat(60);
    let folder = files(&[
        (
            "plain.log",
            &format!("(?<event>(x+x+)+y)\\n(?<host>\\w+) (?<clock>{{.*}})\n\n{xs}\na {{\"a\":1}}\n"),
        ),
        (
            "back.log",
            &format!("(?<event>(?:(x+)\\1*)+(?!z)y) (?<host>\\w+) (?<clock>{{.*}})\n\n{xs}\na {{\"a\":1}}\n"),
        ),
    ]);
    let (code, text, _) = said(folder.path(), "check --from shiviz plain.log");
    assert!(code == 1 && text.contains("plain.log:4: found 'a {\"a\":1}', expected an event"), "{text}");
    let (code, _, error) = said(folder.path(), "check --from shiviz back.log");
    assert!(code == 2 && error.contains("back.log: the expression '(?<event>(?:(x+)\\1*)+"), "{error}");
    assert!(
        error.contains("takes too long at line 3: repeat nothing that is repeated inside already"),
        "{error}"
    );
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe.log")).status().unwrap().success());
    let (code, _, error) = said(folder.path(), "check --from shiviz pipe.log");
    assert!(code == 2 && error.contains("pipe.log is no regular file, and was not opened"), "{error}");
    let (code, _, error) = said(folder.path(), "stats --from shiviz /dev/zero");
    assert!(code == 2 && error.contains("/dev/zero is no regular file"), "{error}");
    let folder = files(&[("good.log", STORY), ("empty.log", "")]);
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe.log")).status().unwrap().success());
    let (code, text, _) = said(folder.path(), "check --from shiviz .");
    assert!(
        code == 0 && text.contains("not checked: ./pipe.log is no regular file, and was not opened"),
        "{text}"
    );
    assert!(text.contains("not checked: ./empty.log has no event"), "{text}");
    fs::remove_file(folder.path().join("good.log")).unwrap();
    let (code, _, error) = said(folder.path(), "check --from shiviz .");
    assert!(code == 2 && error.contains("./empty.log: found no event"), "{error}");
}

#[test]
fn a_run_without_events_is_not_judged() {
    let log = "(?<host>\\w+) (?<clock>{.*}) (?<event>.*)\n=== (?<trace>.*) ===\n=== one ===\na {\"a\":1} go\n=== two ===\nno\n";
    let folder = files(&[("in.log", log)]);
    let (code, text, _) = said(folder.path(), "check --from shiviz in.log");
    assert!(code == 1 && text.contains("in.log, one: sound: 1 host"), "{text}");
    assert!(text.contains("in.log, two: nothing to judge: 0 hosts"), "{text}");
    let (code, _, error) = said(folder.path(), "stats --from shiviz in.log");
    assert!(code == 2 && error.contains("in.log, two has no event that can be read"), "{error}");
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
