//! Logs of which a part is missing: what is said of the rest for certain is what the whole run says, what is missing
//! is told first, and nothing that is right is called wrong.

use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};

use clocklab::after::check::check;
use clocklab::after::order::{Cut, Events, Relation};
use clocklab::edge::log::{Found, LogFolder, find};
use clocklab::model::event::MessageId;
use clocklab::model::id::VmId;
use clocklab::model::registry::Registry;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::common::program::{assert_code, clocklab, empty_folder, wait_until};
use crate::common::{self, Run};

fn output(folder: &TempDir, line: &str) -> Output {
    clocklab(folder, &line.split_whitespace().collect::<Vec<_>>()).output().unwrap()
}

/// Runs the program, demands an exit code, and gives what it printed.
#[track_caller]
fn run(folder: &TempDir, line: &str, code: i32) -> (String, String) {
    let output = output(folder, line);
    assert_code(&output, code)
}

fn folder_at(path: &Path) -> LogFolder {
    let Found::Run(found) = find(path).unwrap() else { panic!("one run") };
    *found
}

/// The log of a machine.
fn log_of(path: &Path, vm: u32) -> std::path::PathBuf {
    let start = format!("vm_{vm}_");
    let names = common::names(path);
    path.join(names.iter().find(|name| name.starts_with(&start)).unwrap())
}

type Event = (u32, u64);

fn id((vm, event): Event) -> MessageId {
    MessageId { sender: VmId(vm), event }
}

fn name(event: Event) -> String {
    id(event).to_string()
}

fn own(id: MessageId) -> Event {
    (id.sender.0, id.event)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Logs of any machines are taken away, with or without vectors, with or without the manifest.
    #[test]
    fn what_is_certain_of_a_part_is_so_of_the_whole(
        seed: u32, vms in 2u32..6, has_vectors: bool, has_manifest: bool, gone in 1u32..31, cut in 0usize..40,
        picks in prop::collection::vec((0..1_000_000usize, 0..1_000_000usize), 40),
    ) {
        let folder = empty_folder();
        let clocks = if has_vectors { "vector" } else { "lamport" };
        run(&folder, &format!(
            "--quiet --virtual-time --seed {seed} --vms {vms} --duration 4 --rates 1-9 --draw 5 --loss 0.1 --duplicate 0.1 --clocks {clocks}"
        ), 0);
        let path = folder.path().join("output");
        let whole = Run::read(&path);
        let pasts = whole.pasts();
        let all: Vec<Event> = pasts.keys().copied().collect();
        let gone: Vec<u32> = (0..vms).filter(|vm| gone >> vm & 1 == 1).collect();
        prop_assume!(!gone.is_empty() && gone.len() < vms as usize && !all.is_empty());
        for vm in &gone {
            fs::remove_file(log_of(&path, *vm)).unwrap();
        }
        let is_here = |event: &Event| !gone.contains(&event.0);
        if !has_manifest {
            fs::remove_file(path.join("run.toml")).unwrap();
            // The end of another log is away as well.
            let log = log_of(&path, (0..vms).find(|vm| !gone.contains(vm)).unwrap());
            let text = fs::read_to_string(&log).unwrap();
            let kept = text.lines().count().saturating_sub(cut).max(1);
            fs::write(&log, text.lines().take(kept).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        }
        let found = folder_at(&path);
        let report = check(std::slice::from_ref(&found), &Registry::default()).unwrap();
        prop_assert!(report.is_sound() || report.is_empty(), "{}", report.with_most(5));
        prop_assert!(!has_manifest || !report.missing.is_empty());
        let is_read = |event: Event| Events::read(std::slice::from_ref(&found), &[id(event)]).is_ok();
        for (a, b) in picks {
            let (a, b) = (all[a % all.len()], all[b % all.len()]);
            // What nothing here tells of cannot be asked about.
            if !is_read(a) || !is_read(b) {
                continue;
            }
            let events = Events::read(std::slice::from_ref(&found), &[id(a), id(b)]).unwrap();
            match events.order(id(a), id(b)).unwrap().relation() {
                Relation::Same => prop_assert_eq!(a, b),
                Relation::Before(_) | Relation::BeforeUnseen => prop_assert!(pasts[&b].contains(&a), "{a:?} {b:?}"),
                Relation::After(_) | Relation::AfterUnseen => prop_assert!(pasts[&a].contains(&b), "{a:?} {b:?}"),
                Relation::Concurrent(..) => {
                    prop_assert!(a != b && !pasts[&a].contains(&b) && !pasts[&b].contains(&a), "{a:?} {b:?}");
                }
                Relation::Unknown => {
                    let both_are_here = events.is_here(id(a)) && events.is_here(id(b));
                    prop_assert!(!(has_vectors && both_are_here), "{a:?} {b:?}: their vectors tell");
                }
            }
            let past = events.known_past(id(a));
            let is_in = |event: &Event| past.front.get(&VmId(event.0)).is_some_and(|last| event.1 <= *last);
            let mut truth = pasts[&a].clone();
            truth.insert(a);
            prop_assert!(all.iter().filter(|event| is_in(event)).all(|event| truth.contains(event)));
            let here = all.iter().filter(|event| is_in(event) && events.is_here(id(**event))).count() as u64;
            prop_assert_eq!(past.here, here);
            if past.depends.is_none() {
                prop_assert!(truth.iter().all(is_in));
                prop_assert_eq!(past.here + past.elsewhere, truth.len() as u64);
            }
            let future = events.known_future(id(a));
            let is_in = |event: &Event| future.front.get(&VmId(event.0)).is_some_and(|first| event.1 >= *first);
            let follows = |event: &Event| *event == a || pasts[event].contains(&a);
            prop_assert!(all.iter().filter(|event| is_in(event) && is_here(event)).all(follows));
            if future.depends.is_none() {
                // An end that nothing here tells of is not known to be missing.
                let is_told = |event: &&Event| has_manifest || events.is_here(id(**event));
                prop_assert!(all.iter().filter(|event| follows(event)).filter(is_told).all(is_in));
            }
            let cut: Vec<Event> = if a.0 == b.0 { vec![a] } else { vec![a, b] };
            let is_in = |event: &Event| cut.iter().any(|last| last.0 == event.0 && event.1 <= last.1);
            let is_consistent = all.iter().filter(|event| is_in(event)).all(|event| pasts[event].iter().all(is_in));
            match events.cut(&cut.iter().map(|event| id(*event)).collect::<Vec<_>>()) {
                Cut::Consistent => prop_assert!(is_consistent),
                Cut::Crossed(_) | Cut::Knows(..) => prop_assert!(!is_consistent),
                Cut::Unknown(_) => {}
            }
        }
    }
}

/// Machines 0 and 2 are here, and 1 is not: 0-1 went to it, and 1-2 came from it.
const STORY: [(&str, &str); 3] = [
    ("vm_0_1.csv", "0,1,send,1,1,1,0-1,\n0,2,internal,2,2,,,\n"),
    ("vm_1_1.csv", "1,1,receive,3,2,0,0-1,1\n1,2,send,4,3,2,1-2,\n"),
    ("vm_2_1.csv", "2,1,internal,1,1,,,\n2,2,receive,5,4,1,1-2,3\n2,3,internal,6,5,,,\n"),
];

fn story(folder: &TempDir, leave_out: usize) {
    for (_, (name, rows)) in STORY.iter().enumerate().filter(|(vm, _)| *vm != leave_out) {
        let text = format!("vm,event,kind,elapsed_s,lamport,peers,message,sender_lamport\n{rows}");
        fs::write(folder.path().join(name), text).unwrap();
    }
}

#[test]
fn an_order_that_depends_on_a_log_that_is_not_here_is_unknown() {
    let folder = empty_folder();
    story(&folder, 1);
    let (out, err) = run(&folder, &format!("order . {} {}", name((0, 1)), name((2, 3))), 1);
    assert!(out.starts_with("unknown: it depends on logs of machine 1, which are not here\n"), "{out}");
    assert_eq!(
        err,
        "a part: the log of machine 1 is not here\na part: 1 message came from machine 1, whose log is not here\n"
    );
    // Its Lamport clock is too large to be known there, and nothing left 0-2.
    let (out, _) = run(&folder, &format!("order . {} {}", name((2, 2)), name((0, 2))), 0);
    assert!(
        out.starts_with("concurrent: ") && out.contains("\n  this does not depend on what is not here\n"),
        "{out}"
    );
    let (out, _) = run(&folder, &format!("order . {} {}", name((1, 1)), name((2, 3))), 0);
    assert!(out.starts_with("before: ") && out.contains("is of machine 1, whose log is not here"), "{out}");
    let (out, _) = run(&folder, &format!("order . {} {}", name((0, 1)), name((1, 2))), 1);
    assert!(out.starts_with("unknown: it depends on logs of machine 1"), "{out}");
    let (rows, told) = run(&folder, &format!("order . --past {}", name((2, 3))), 1);
    assert_eq!(rows.lines().count(), 1 + 3);
    assert!(told.contains("unknown: it depends on logs of machine 1, which are not here; 3 events here are certainly in the past"), "{told}");
    let (rows, told) = run(&folder, &format!("order . --future {}", name((0, 1))), 1);
    assert_eq!(rows.lines().count(), 1 + 2);
    assert!(told.contains("; 2 events here are certainly in the future of "), "{told}");
    let (out, _) = run(&folder, &format!("order . --cut {},{}", name((0, 1)), name((1, 2))), 1);
    assert!(out.starts_with("unknown: it depends on logs of machine 1, which are not here\n"), "{out}");
    let (out, _) = run(&folder, &format!("order . --cut {},{}", name((0, 1)), name((2, 2))), 0);
    assert!(out.starts_with("inconsistent: message "), "{out}");
}

#[test]
fn a_part_is_judged_as_a_part() {
    let folder = empty_folder();
    story(&folder, 1);
    let (out, _) = run(&folder, "check .", 0);
    assert!(
        out.starts_with(".: a part: the log of machine 1 is not here\na part: 1 message came from machine 1, whose log is not here\nthis part is sound: 2 machines, "),
        "{out}"
    );
    let whole = empty_folder();
    story(&whole, 9);
    let (out, _) = run(&whole, "check .", 0);
    assert!(out.starts_with(".: sound: 3 machines, "), "{out}");
    // The end of a log is a part as well, if the log may go on.
    let log = whole.path().join("vm_1_1.csv");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace("1,2,send,4,3,2,1-2,\n", "")).unwrap();
    let (out, _) = run(&whole, "check .", 0);
    assert!(
        out.starts_with(
            ".: a part: the log of machine 1 ends with event 1, and others heard of its event 2\n"
        ),
        "{out}"
    );
    assert!(run(&whole, &format!("order . {} {}", name((0, 1)), name((2, 3))), 0).0.starts_with("before: "));
}

/// What a distributed run's manifest says of its nodes names them.
#[test]
fn the_folder_of_a_node_says_whose_logs_are_elsewhere() {
    let folder = empty_folder();
    run(&folder, "--quiet --virtual-time --vms 4 --duration 10 --rates 4-9 --draw 5 --seed 3", 0);
    let path = folder.path().join("output");
    let manifest = fs::read_to_string(path.join("run.toml")).unwrap();
    let (head, files) = manifest.split_once("[drawn]").unwrap();
    let entries = files.split("[[files]]").enumerate();
    let kept: Vec<&str> = entries
        .filter(|(at, entry)| {
            *at == 0 || !(entry.contains("vm_0_") || entry.contains("vm_1_") || entry.contains("summary"))
        })
        .map(|(_, entry)| entry)
        .collect();
    fs::write(
        path.join("run.toml"),
        format!("{head}node = 1\nnodes = 2\n\n[drawn]{}", kept.join("[[files]]")),
    )
    .unwrap();
    for vm in [0, 1] {
        fs::remove_file(log_of(&path, vm)).unwrap();
    }
    let rows = Run::read(&path);
    let elsewhere = |text: &str| own(text.parse().unwrap()).0 < 2;
    let messages = rows.rows().filter(|row| row.kind == "receive" && elsewhere(&row.message)).count();
    let (out, _) = run(&folder, "check", 0);
    assert!(out.starts_with("output: a part: the logs of machines 0 and 1 (node 0) are not here\n"), "{out}");
    assert!(out.contains(&format!("{messages} messages came from node 0, whose log is not here\n")), "{out}");
    assert!(out.contains("\nthis part is sound: 2 machines, "), "{out}");
}

#[test]
fn every_command_tells_first_that_a_named_log_is_not_here() {
    let folder = empty_folder();
    run(&folder, "--quiet --virtual-time --vms 3 --duration 20 --rates 5,5,1 --draw 4 --seed 8", 0);
    let path = folder.path().join("output");
    let gone = log_of(&path, 1);
    fs::remove_file(&gone).unwrap();
    let told = "the log of machine 1 is not here";
    let named = "output/vm_1_5.csv is not here, though the manifest names it";
    let (out, _) = run(&folder, "check", 0);
    assert!(out.starts_with(&format!("output: a part: {told}\na part: {named}\n")), "{out}");
    assert!(out.contains("\nthis part is sound: 2 machines"), "{out}");
    let (out, _) = run(&folder, "stats", 0);
    assert!(out.starts_with(&format!("output\na part: {told}\n")), "{out}");
    assert!(!out.contains("false_order_share") && !out.contains("\ndrift over time"), "{out}");
    let (out, err) = run(&folder, "stats --format csv", 0);
    assert!(err.starts_with(&format!("a part: {told}\n")) && !out.contains("a part"), "{err}");
    let (out, _) = run(&folder, "stats --format json", 0);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json[0]["missing"][0], told);
    assert!(
        json[0]["machines"][0]["clock_drift"].is_null() && json[0]["whole"]["concurrent_share"].is_null()
    );
    for format in ["shiviz", "dot", "perfetto", "csv", "jsonl"] {
        let exported = output(&folder, &format!("export --format {format}"));
        assert!(exported.status.success() && !exported.stdout.is_empty());
        assert!(
            String::from_utf8_lossy(&exported.stderr).starts_with(&format!("a part: {told}\n")),
            "{format}"
        );
    }
    run(&folder, "report", 0);
    let page = fs::read_to_string(path.join("report.html")).unwrap();
    let banner = page.find("This is a part of the run").unwrap();
    assert!(banner < page.find("This part of the log is sound").unwrap() && page.contains(named));
    assert!(page.contains("\"whole\":false,\"part\":true,\"causes\":false"));
    let (_, err) = run(&folder, &format!("order {} {}", name((0, 1)), name((0, 2))), 0);
    assert!(err.starts_with(&format!("a part: {told}\n")), "{err}");
    // Nothing of it is left.
    for vm in [0, 2] {
        fs::remove_file(log_of(&path, vm)).unwrap();
    }
    let (_, err) = run(&folder, "check", 2);
    assert!(err.contains("it names 3 logs, which were moved or removed"), "{err}");
}

/// A live run, started in the background.
struct Live(Child);

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &TempDir, line: &str) -> Live {
    let mut command = clocklab(folder, &line.split_whitespace().collect::<Vec<_>>());
    Live(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// The whole rows in each log that is there.
fn rows(path: &Path) -> Vec<usize> {
    let names = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let logs = names.filter(|path| common::is_log(&path.file_name().unwrap().to_string_lossy()));
    let ends = |log| fs::read(log).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    logs.map(|log| ends(log).saturating_sub(1)).collect()
}

/// Waits until so many machines have made so many events each.
fn wait_for_rows(path: &Path, vms: usize, events: usize) {
    wait_until("rows in every log", || {
        let rows = rows(path);
        rows.len() == vms && rows.iter().all(|rows| *rows >= events)
    });
}

/// Nothing in a run under way, or in one that was killed, is called wrong.
#[test]
fn a_run_that_goes_on_or_was_killed_is_not_accused() {
    let folder = empty_folder();
    let path = folder.path().join("output");
    let mut live = start(&folder, "--quiet --vms 4 --rates 300,300,200,20 --draw 3 --duration 600");
    wait_for_rows(&path, 4, 9);
    let look = |from: usize| {
        wait_until("more rows", || rows(&path).into_iter().sum::<usize>() >= from);
        let (out, _) = run(&folder, "check", 0);
        // A log that is read while it grows may end before an event that another has heard of by then.
        assert!(out.starts_with("output: a part: "), "{out}");
        assert!(out.contains("a part: the run in output goes on or was killed"), "{out}");
        assert!(out.contains("\nthis part is sound: 4 machines"), "{out}");
        let (out, _) = run(&folder, "stats", 0);
        assert!(!out.contains("not on their way"), "{out}");
        run(&folder, "report --out page.html", 0);
        run(&folder, "export --format jsonl --out run.jsonl", 0);
        let (out, _) = run(&folder, &format!("order {} {}", name((0, 1)), name((0, 9))), 0);
        assert!(out.starts_with("before: "), "{out}");
        let (_, told) = run(&folder, &format!("order --future {}", name((0, 1))), 1);
        let depends = ["what comes after the last rows that are here", "logs of machine"];
        assert!(depends.iter().any(|on| told.contains(&format!("unknown: it depends on {on}"))), "{told}");
    };
    for more in 1..4 {
        look(200 + 200 * more);
    }
    live.0.kill().unwrap();
    live.0.wait().unwrap();
    look(0);
    let manifest = fs::read_to_string(path.join("run.toml")).unwrap();
    assert!(manifest.contains("prepared = ") && !manifest.contains("started = "), "{manifest}");
}

#[test]
fn processes_of_a_run_under_way_are_not_accused() {
    let folder = empty_folder();
    let path = folder.path().join("output");
    let _live = start(&folder, "--quiet --processes 2 --vms 4 --rates 100 --draw 3 --duration 600");
    wait_for_rows(&path, 4, 20);
    for _ in 0..3 {
        let (out, _) = run(&folder, "check", 0);
        assert!(out.contains("\nthis part is sound: 4 machines"), "{out}");
    }
}

#[test]
fn where_there_is_no_event_there_is_nothing_to_judge() {
    let folder = empty_folder();
    fs::write(folder.path().join("empty.csv"), "").unwrap();
    fs::write(folder.path().join("header.csv"), "vm,event,kind,elapsed_s,lamport,peers,message\n").unwrap();
    for file in ["empty.csv", "header.csv"] {
        let (out, _) = run(&folder, &format!("check {file}"), 1);
        assert!(out.starts_with(&format!("{file}: nothing to judge: 0 machines, 0 events")), "{out}");
        for line in ["stats", "report --out page.html", "export --format csv"] {
            let words: Vec<&str> = line.split(' ').collect();
            let (_, err) = run(&folder, &format!("{} {file} {}", words[0], words[1..].join(" ")), 2);
            assert!(err.contains("no events"), "{line}: {err}");
        }
    }
    // A run of no tick says so itself.
    run(&folder, "--quiet --virtual-time --rates 1 --phase aligned --duration 500ms", 0);
    assert!(run(&folder, "check", 0).0.starts_with("output: sound: 0 machines, 0 events"));
}

#[test]
fn an_event_has_one_row() {
    let folder = empty_folder();
    run(&folder, "--quiet --virtual-time --seed 1 --duration 10", 0);
    let path = folder.path().join("output");
    let log = log_of(&path, 0);
    let text = fs::read_to_string(&log).unwrap();
    let rows: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("twice.csv"), text.clone() + &rows).unwrap();
    let event = name((0, 1));
    let (_, err) = run(&folder, &format!("order twice.csv {event} {}", name((0, 2))), 2);
    assert!(err.contains(&format!("event {event} was there before: expected the log of one run")), "{err}");
    assert!(run(&folder, "check twice.csv", 1).0.contains("event number"));
    assert!(
        run(&folder, "stats twice.csv", 0)
            .0
            .contains(&format!("are of events that came before, such as {event}"))
    );
    let (_, err) = run(&folder, "export twice.csv --format csv", 0);
    assert!(err.contains("are of events that came before"), "{err}");
    // The same log under another name is no log of a run more.
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["a.csv", "b.csv"] {
        fs::copy(&log, copy.join(name)).unwrap();
    }
    for command in ["check copy", "stats copy", "export copy --format csv", "report copy"] {
        let (_, err) = run(&folder, command, 2);
        assert!(err.contains("machine 0 has rows in copy/a.csv and in copy/b.csv"), "{command}: {err}");
    }
}

#[test]
fn folders_of_different_runs_are_not_taken_for_nodes_of_one() {
    let folder = empty_folder();
    for node in [0, 1] {
        run(&folder, &format!("--quiet --virtual-time --duration 5 --output node_{node}"), 0);
    }
    for line in ["check node_0 node_1", "stats node_0 node_1", "check .", "export . --format csv"] {
        let (_, err) = run(&folder, line, 2);
        assert!(err.contains("node_0 is of run ") && err.contains("node_1 of run "), "{line}: {err}");
    }
}

#[test]
fn a_window_in_which_nothing_is_names_what_the_run_has() {
    let folder = empty_folder();
    run(&folder, "--quiet --virtual-time --seed 1 --duration 10", 0);
    let (_, err) = run(&folder, "report --window 70s-80s", 2);
    assert!(
        err.contains("no event is in the window 70s-80s: the run has events up to ") && err.contains(" s"),
        "{err}"
    );
    let (_, err) = run(&folder, "export --format csv --window 70s-80s", 2);
    assert!(
        err.contains("no event is in the window 70s-80s: the run has ") && err.contains(", up to "),
        "{err}"
    );
    run(&folder, "report --window 2s-3s", 0);
}

#[test]
fn a_time_of_day_that_jumps_is_a_fault_where_it_jumps() {
    let folder = empty_folder();
    let check = |times: [&str; 5], code: i32| {
        let row = |(event, time): (usize, &str)| {
            format!("0,{event},internal,0.{event},2026-01-01T{time}Z,{event},,\n")
        };
        let rows: String = times.into_iter().enumerate().map(|(at, time)| row((at + 1, time))).collect();
        let text = format!("vm,event,kind,elapsed_s,system_time,lamport,peers,message\n{rows}");
        fs::write(folder.path().join("a.csv"), text).unwrap();
        run(&folder, "check a.csv", code).0
    };
    let [first, second, ahead] = ["00:00:00.100000", "00:00:00.200000", "07:00:00.300000"];
    let there_and_back = check([first, second, ahead, "00:00:00.400000", "00:00:00.500000"], 1);
    assert!(there_and_back.starts_with("a.csv: 1 fault: "), "{there_and_back}");
    assert!(there_and_back.contains("a.csv:4: column system_time: found 2026-01-01T07:00:00.300000Z, expected about 2026-01-01T00:00:00.300000Z"), "{there_and_back}");
    assert!(there_and_back.contains("[time of day]"), "{there_and_back}");
    let and_on = check([first, second, ahead, "07:00:00.400000", "07:00:00.500000"], 1);
    assert!(and_on.starts_with("a.csv: 1 fault: ") && and_on.contains("a.csv:4: "), "{and_on}");
    let back = check([first, second, "00:00:00.150000", "00:00:00.400000", "00:00:00.500000"], 1);
    assert!(
        back.contains("a.csv:4: ") && back.contains("expected 2026-01-01T00:00:00.200000Z or later"),
        "{back}"
    );
    // Clocks are set right by a little.
    check([first, second, "00:00:00.290000", "00:00:01.400000", "00:00:01.500000"], 0);
}
