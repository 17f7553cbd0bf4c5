//! The program as people and scripts meet it: real processes, signals, files and wrong arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::common::program::{assert_code, clocklab, empty_folder, news, wait_until};
use crate::common::{Run, is_log, names};

const HEADER: &str = "vm,event,kind,elapsed_s,system_time,lamport,vector,hlc,hlc_count,peers,message,sender_lamport,\
                      queue,lost,duplicated,payload,mark";

fn output(folder: &TempDir, args: &[&str]) -> Output {
    clocklab(folder, args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Starts a long run and waits until each of its logs has rows.
fn start_long_run(folder: &TempDir, args: &[&str]) -> Child {
    let child = clocklab(folder, args)
        .args(["--duration", "600s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("rows in every log", || has_rows_in_every_log(&folder.path().join("output")));
    child
}

fn has_rows_in_every_log(output: &Path) -> bool {
    let Ok(entries) = fs::read_dir(output) else { return false };
    let mut logs =
        entries.map(|entry| entry.unwrap()).filter(|entry| is_log(entry.file_name().to_str().unwrap()));
    let mut count = 0;
    let all = logs.all(|entry| {
        count += 1;
        entry.metadata().unwrap().len() > 2 * HEADER.len() as u64
    });
    all && count > 0
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_run_leaves_its_logs_a_summary_and_a_manifest() {
    let folder = empty_folder();
    let ran = output(&folder, &["--vms", "3", "--duration", "2", "--rates", "60,20,10", "--seed", "7"]);
    assert_code(&ran, 0);
    let path = folder.path().join("output");
    let expected = ["report.html", "run.toml", "summary.csv", "vm_0_60.csv", "vm_1_20.csv", "vm_2_10.csv"];
    assert_eq!(names(&path).into_iter().collect::<Vec<_>>(), expected);
    let log = fs::read_to_string(path.join("vm_0_60.csv")).unwrap();
    assert_eq!(log.lines().next(), Some(HEADER));
    let run = Run::read(&path);
    assert_eq!(run.status(), "complete");
    assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [120, 40, 20]);
    run.assert_sound();
    run.assert_summary();
    run.assert_manifest(&path);
    let printed = text(&ran.stdout);
    assert!(printed.starts_with("3 machines, 2.0 s, seed 7: complete\n"), "{printed}");
    assert!(expected[1..].iter().all(|name| printed.contains(&format!("output/{name}"))), "{printed}");
    let told = "Open output/report.html in a browser to look at it.\n";
    assert_eq!(text(&ran.stderr), told, "no progress bar where there is no terminal");
}

#[test]
fn client_server_runs_live_and_is_repeated_from_its_manifest() {
    let folder = empty_folder();
    let args = ["--workload", "client-server", "--vms", "4", "--duration", "1", "--rates", "50", "--quiet"];
    assert_code(&output(&folder, &args), 0);
    assert_code(&output(&folder, &["--scenario", "output/run.toml", "--output", "again", "--quiet"]), 0);
    for path in ["output", "again"].map(|name| folder.path().join(name)) {
        let run = Run::read(&path);
        assert_eq!(run.manifest["workload"].as_str(), Some("client-server"));
        assert!((1..4).all(|vm| run.vms[&vm].iter().any(|row| row.kind == "receive")), "all are answered");
        run.assert_sound();
        run.assert_summary();
        run.assert_manifest(&path);
    }
}

#[test]
fn the_manifest_repeats_the_run_and_flags_win() {
    let folder = empty_folder();
    let args = ["--vms", "4", "--duration", "200ms", "--rates", "50-99", "--latency", "1ms-5ms", "--quiet"];
    assert_code(&output(&folder, &args), 0);
    let path = folder.path().join("output");
    let first = Run::read(&path);
    assert_code(
        &output(&folder, &["--scenario", "output/run.toml", "--output", "again", "--draw", "3", "--quiet"]),
        0,
    );
    let again = Run::read(&folder.path().join("again"));
    for same in ["vms", "seed", "rates", "latency", "drawn", "duration"] {
        assert_eq!(first.manifest[same], again.manifest[same], "{same}");
    }
    assert_eq!(again.manifest["draw"].as_integer(), Some(3));
}

#[test]
fn an_earlier_run_is_moved_whole_and_other_files_stay() {
    let folder = empty_folder();
    let run = || output(&folder, &["--duration", "300ms", "--rates", "20"]);
    assert_code(&run(), 0);
    let path = folder.path().join("output");
    fs::write(path.join("notes.txt"), "mine").unwrap();
    let before: Vec<_> = names(&path).into_iter().filter(|name| name != "notes.txt").collect();
    let contents: Vec<_> = before.iter().map(|name| fs::read(path.join(name)).unwrap()).collect();
    let id = Run::read(&path).manifest["run"]["id"].as_str().unwrap().to_owned();

    let second = run();
    assert_code(&second, 0);
    assert!(text(&second.stderr).contains(&format!("output/previous/{id}")), "{}", text(&second.stderr));
    let moved = path.join("previous").join(&id);
    assert_eq!(names(&moved).into_iter().collect::<Vec<_>>(), before);
    for (name, content) in before.iter().zip(contents) {
        assert_eq!(fs::read(moved.join(name)).unwrap(), content, "{name}");
    }
    assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "mine");
    assert_ne!(Run::read(&path).manifest["run"]["id"].as_str(), Some(id.as_str()));
}

#[test]
fn many_machines_share_a_few_files() {
    for threads in ["1", "2", "3"] {
        let folder = empty_folder();
        assert_code(
            &output(&folder, &["--vms", "400", "--duration", "1s", "--threads", threads, "--quiet"]),
            0,
        );
        let path = folder.path().join("output");
        let expected = ["report.html", "run.toml", "summary.csv", "vms_0-199.csv", "vms_200-399.csv"];
        assert_eq!(names(&path).into_iter().collect::<Vec<_>>(), expected, "{threads} threads");
        let run = Run::read(&path);
        run.assert_sound();
        run.assert_summary();
        run.assert_manifest(&path);
    }
}

#[test]
fn log_chooses_the_files() {
    let folder = empty_folder();
    let run = |log: &str, output_folder: &str| {
        let args = [
            "--duration",
            "200ms",
            "--rates",
            "20",
            "--threads",
            "1",
            "--log",
            log,
            "--output",
            output_folder,
        ];
        assert_code(&output(&folder, &args), 0);
        names(&folder.path().join(output_folder)).into_iter().filter(|name| is_log(name)).collect::<Vec<_>>()
    };
    assert_eq!(run("none", "a"), [""; 0]);
    assert_eq!(run("combined", "b"), ["vms_0-2.csv"]);
    assert_eq!(run("per-vm", "c"), ["vm_0_20.csv", "vm_1_20.csv", "vm_2_20.csv"]);
}

/// Every CSV file below a folder, by path.
fn csv_files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in names(folder).into_iter().filter(|name| name != "previous") {
        let path = folder.join(&name);
        if path.is_dir() {
            files.extend(
                csv_files(&path).into_iter().map(|(below, content)| (format!("{name}/{below}"), content)),
            );
        } else if name.ends_with(".csv") {
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

#[test]
fn virtual_time_repeats_the_same_bytes_from_the_manifest_and_for_every_number_of_threads() {
    let folder = empty_folder();
    let args = ["--virtual-time", "--vms", "5", "--latency", "1ms-90ms", "--loss", "0.1"];
    let first = output(&folder, &args);
    assert_code(&first, 0);
    let path = folder.path().join("output");
    let files = csv_files(&path);
    assert_eq!(files.len(), 6);
    let run = Run::read(&path);
    assert_eq!((run.status(), run.manifest["run"]["time"].as_str()), ("complete", Some("virtual")));
    run.assert_sound();
    run.assert_summary();
    run.assert_manifest(&path);
    for threads in ["1", "2", "3", "8"] {
        let again = ["--scenario", "output/run.toml", "--threads", threads];
        assert_code(&output(&folder, &again), 0);
        assert!(csv_files(&path) == files, "{threads} threads");
    }
}

/// The layout that so many machines have by themselves.
#[test]
fn combined_logs_are_the_same_bytes_for_every_number_of_threads() {
    let folder = empty_folder();
    let path = folder.path().join("output");
    let made = ["1", "2", "3", "8"].map(|threads| {
        let args = ["--vms", "600", "--rates", "10-100", "--duration", "1", "--seed", "1", "--clocks", "hlc"];
        let mut command = clocklab(&folder, &["--virtual-time", "--quiet", "--threads", threads]);
        assert_code(&command.args(args).output().unwrap(), 0);
        csv_files(&path)
    });
    assert_eq!(
        made[0].keys().collect::<Vec<_>>(),
        ["summary.csv", "vms_0-199.csv", "vms_200-399.csv", "vms_400-599.csv"]
    );
    assert!(made.iter().all(|files| *files == made[0]));
}

#[test]
fn several_runs_have_a_folder_each_and_one_table() {
    let folder = empty_folder();
    let path = folder.path().join("output");
    let args = ["--virtual-time", "--runs", "4", "--duration", "20", "--seed", "11"];
    let ran = output(&folder, &args);
    assert_code(&ran, 0);
    let expected = ["report.html", "run.toml", "run_1", "run_2", "run_3", "run_4", "runs.csv"];
    assert_eq!(names(&path).into_iter().collect::<Vec<_>>(), expected);
    let printed = text(&ran.stdout);
    assert!(
        printed.starts_with("4 runs of 3 machines, seed 11: complete\n") && printed.contains('±'),
        "{printed}"
    );
    let mut seeds = BTreeSet::new();
    let table = fs::read_to_string(path.join("runs.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 4 * 3);
    for k in 1..=4 {
        let below = path.join(format!("run_{k}"));
        let run = Run::read(&below);
        assert_eq!(run.status(), "complete");
        run.assert_sound();
        run.assert_manifest(&below);
        let seed = run.manifest["seed"].as_integer().unwrap();
        seeds.insert(seed);
        let rows = fs::read_to_string(below.join("summary.csv")).unwrap();
        let in_table = rows.lines().skip(1).all(|row| table.contains(&format!("\n{k},{seed},{row}\n")));
        assert!(in_table, "run {k}");
    }
    assert_eq!(seeds.len(), 4, "the runs differ");

    let files = csv_files(&path);
    assert_code(&output(&folder, &["--scenario", "output/run.toml", "--threads", "1"]), 0);
    assert!(csv_files(&path) == files, "the whole series again");
    let moved: Vec<String> = names(&path.join("previous")).into_iter().collect();
    assert_eq!(names(&path.join("previous").join(&moved[0])).into_iter().collect::<Vec<_>>(), expected);
    // A single run into the same folder moves the series aside.
    assert_code(&output(&folder, &["--virtual-time", "--duration", "1", "--quiet"]), 0);
    assert!(!names(&path).contains("run_1"));
}

#[test]
fn several_live_runs_go_one_after_the_other_and_stop_together() {
    let folder = empty_folder();
    assert_code(&output(&folder, &["--runs", "2", "--duration", "300ms", "--rates", "20"]), 0);
    let path = folder.path().join("output");
    for k in 1..=2 {
        assert_eq!(Run::read(&path.join(format!("run_{k}"))).rows().count(), 18);
    }
    let folder = empty_folder();
    let path = folder.path().join("output");
    let child = clocklab(&folder, &["--runs", "3", "--duration", "600s", "--rates", "50", "--quiet"])
        .spawn()
        .unwrap();
    wait_until("rows of the first run", || has_rows_in_every_log(&path.join("run_1")));
    signal(&child, "INT");
    assert_code(&child.wait_with_output().unwrap(), 130);
    let first = Run::read(&path.join("run_1"));
    assert_eq!(first.status(), "interrupted");
    first.assert_sound();
    assert!(!path.join("run_2").exists());
    assert!(fs::read_to_string(path.join("run.toml")).unwrap().starts_with("status = \"interrupted\""));
}

#[test]
fn virtual_time_is_interrupted_in_order() {
    let folder = empty_folder();
    let path = folder.path().join("output");
    let args =
        ["--virtual-time", "--vms", "50", "--duration", "1000h", "--log", "none", "--clocks", "lamport"];
    let child = clocklab(&folder, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("a manifest", || path.join("run.toml").exists());
    signal(&child, "TERM");
    let ended = child.wait_with_output().unwrap();
    assert_code(&ended, 143);
    assert_eq!(Run::read(&path).status(), "interrupted");
}

#[test]
fn quiet_says_nothing() {
    let folder = empty_folder();
    for _ in 0..2 {
        let ran = output(&folder, &["--duration", "100ms", "--quiet"]);
        assert_code(&ran, 0);
        assert_eq!((text(&ran.stdout), news(text(&ran.stderr))), ("", vec![]));
    }
}

#[test]
fn a_reader_that_goes_away_does_not_fail_the_run() {
    let folder = empty_folder();
    let mut child = clocklab(&folder, &["--duration", "300ms"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(Run::read(&folder.path().join("output")).status(), "complete");
}

#[test]
fn sigint_and_sigterm_end_a_run_in_order() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let folder = empty_folder();
        let child = start_long_run(&folder, &["--vms", "5", "--rates", "50-200"]);
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        assert_code(&ended, code);
        let path = folder.path().join("output");
        let run = Run::read(&path);
        assert_eq!(run.status(), "interrupted");
        run.assert_sound();
        run.assert_summary();
        run.assert_manifest(&path);
        assert!(text(&ended.stdout).contains("interrupted"), "{}", text(&ended.stdout));
        assert!(text(&ended.stderr).contains("Interrupted after"), "{}", text(&ended.stderr));
    }
}

#[test]
fn a_run_that_is_interrupted_before_its_first_tick_has_a_row_a_machine() {
    for (more, run_in) in [
        ("", "output"),
        ("--log combined", "output"),
        ("--workload client-server --clocks lamport", "output"),
        ("--runs 3", "output/run_1"),
    ] {
        let folder = empty_folder();
        let mut command =
            clocklab(&folder, &["--vms", "5", "--rates", "1", "--phase", "aligned", "--duration", "600"]);
        command.args(more.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let path = folder.path().join(run_in);
        wait_until("a manifest", || path.join("run.toml").exists());
        signal(&child, "INT");
        let ended = child.wait_with_output().unwrap();
        assert_code(&ended, 130);
        let run = Run::read(&path);
        assert_eq!((run.status(), run.summary.len()), ("interrupted", 5), "{more}");
        run.assert_manifest(&path);
        if more.contains("--runs") {
            let series = folder.path().join("output");
            let text = fs::read_to_string(series.join("run.toml")).unwrap();
            assert!(text.starts_with("status = \"interrupted\"\n"), "{text}");
            assert_eq!(fs::read_to_string(series.join("runs.csv")).unwrap().lines().count(), 6);
        }
    }
}

/// A terminal that is closed ends a run as other signals do, unless it was started to outlive it.
#[test]
fn sighup_ends_a_run_in_order_and_not_under_nohup() {
    // Whoever started the tests may want it to be ignored, and so it is by all that they start.
    if is_hangup_ignored() {
        println!("not tried that it ends a run: the tests themselves ignore it");
    } else {
        let folder = empty_folder();
        let child = start_long_run(&folder, &["--rates", "50-200"]);
        signal(&child, "HUP");
        let ended = child.wait_with_output().unwrap();
        assert_code(&ended, 129);
        let run = Run::read(&folder.path().join("output"));
        assert_eq!(run.status(), "interrupted");
        run.assert_sound();
        run.assert_summary();
    }

    let folder = empty_folder();
    let ignoring = "trap '' HUP; exec \"$0\" --rates 50-200 --duration 600s";
    let mut command = Command::new("sh");
    command.args(["-c", ignoring, env!("CARGO_BIN_EXE_clocklab")]).current_dir(folder.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = folder.path().join("output");
    wait_until("rows in every log", || has_rows_in_every_log(&output));
    signal(&child, "HUP");
    // A log that grows may be read in the midst of a row.
    let events = || -> usize {
        let logs = names(&output).into_iter().filter(|name| is_log(name));
        logs.map(|name| fs::read(output.join(name)).unwrap().iter().filter(|byte| **byte == b'\n').count())
            .sum()
    };
    let before = events();
    wait_until("more rows", || events() > before + 20);
    signal(&child, "TERM");
    assert_code(&child.wait_with_output().unwrap(), 143);
}

/// Whether this process was started with SIGHUP ignored, as under `nohup`.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 != 0))
}

/// What a run says of its ticks at its end, and what its logs say.
fn warnings_of_ticks(printed: &[u8]) -> Vec<String> {
    let is_of_ticks =
        |line: &&str| line.contains("no machine ticked") || line.contains("did not keep its rate");
    text(printed)
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .filter(is_of_ticks)
        .map(str::to_owned)
        .collect()
}

/// The seconds of the longest time that a run stood still, which is as long as another run took here.
fn stood(warning: &str) -> f64 {
    let (_, times) = warning.split_once(" from ").unwrap();
    let mut times = times.split(" s").map(|time| time.trim_start_matches(" to ").parse::<f64>());
    let (from, to) = (times.next().unwrap().unwrap(), times.next().unwrap().unwrap());
    to - from
}

#[test]
fn a_run_that_stood_still_says_so_and_late_ticks_do_what_was_asked() {
    let each = |late: &str| {
        let folder = empty_folder();
        let args = ["--rates", "50,20,5", "--duration", "4s", "--seed", "7", "--late", late];
        let child = clocklab(&folder, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let path = folder.path().join("output");
        wait_until("rows in every log", || has_rows_in_every_log(&path));
        signal(&child, "STOP");
        // Another run is the clock. It ends with its last tick, which slow machines have long before the duration.
        assert_code(&output(&empty_folder(), &["--rates", "50", "--duration", "1500ms", "--quiet"]), 0);
        signal(&child, "CONT");
        let ended = child.wait_with_output().unwrap();
        assert_code(&ended, 0);
        let run = Run::read(&path);
        assert_eq!((run.status(), run.manifest["late"].as_str()), ("complete", Some(late)));
        run.assert_sound();
        run.assert_summary();
        assert_code(&output(&folder, &["check"]), 0);
        let said = warnings_of_ticks(&ended.stderr);
        assert_eq!(said, warnings_of_ticks(&output(&folder, &["stats"]).stdout), "{late}");
        assert!(said[0].contains("no machine ticked") && stood(&said[0]) > 1.0, "{said:?}");
        let kept = run.manifest["run"]["warnings"].as_array().unwrap();
        assert!(kept.iter().any(|kept| said[0].ends_with(kept.as_str().unwrap())), "{kept:?}");
        let events = [0, 1, 2].map(|vm| run.vms[&vm].len());
        (events, said[0].clone())
    };
    thread::scope(|scope| {
        let [burst, skip, delay] = ["burst", "skip", "delay"].map(|late| scope.spawn(move || each(late)));
        let (events, said) = burst.join().unwrap();
        assert_eq!(events, [200, 80, 20]);
        assert!(said.ends_with(" and made in a burst"), "{said}");
        let (events, said) = skip.join().unwrap();
        assert!(events[0] < 140 && events[1] < 60, "{events:?}");
        assert!(said.ends_with(" whose time had passed were left out"), "{said}");
        let (events, said) = delay.join().unwrap();
        assert!(events[0] < 140 && events[1] < 60, "{events:?}");
        assert!(said.contains("those after them were due later by as much"), "{said}");
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // As a rule the first one has it: a busy machine may obey the first signal before it looks at the second.
    let is_cut_short = |_| {
        let folder = empty_folder();
        let child = start_long_run(&folder, &["--vms", "5", "--rates", "50-200"]);
        // Both are pending when the process goes on, so the second comes while the first is being obeyed.
        for name in ["STOP", "INT", "TERM", "CONT"] {
            signal(&child, name);
        }
        let ended = child.wait_with_output().unwrap();
        assert!([Some(130), Some(143)].contains(&ended.status.code()), "{:?}", ended.status);
        Run::read(&folder.path().join("output")).assert_sound();
        ended.stdout.is_empty()
    };
    assert!((0..10).any(is_cut_short), "it always got as far as a summary");
}

#[test]
fn kill_loses_no_row_and_leaves_no_receive_without_its_send() {
    let folder = empty_folder();
    let path = folder.path().join("output");
    let mut child = start_long_run(&folder, &["--vms", "20", "--rates", "100-400", "--draw", "4"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = Run::read(&path);
    assert_eq!(run.status(), "running");
    run.assert_sound();
    // The folder is free again, and the killed run's logs are kept.
    assert_code(&output(&folder, &["--duration", "100ms", "--quiet"]), 0);
    let id = run.manifest["run"]["id"].as_str().unwrap();
    let moved = Run::read(&path.join("previous").join(id));
    assert_eq!(moved.rows().count(), run.rows().count());
}

#[test]
fn two_runs_do_not_share_a_folder() {
    let folder = empty_folder();
    let mut child = start_long_run(&folder, &[]);
    let second = output(&folder, &["--duration", "100ms"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_code(&second, 1);
    assert!(
        text(&second.stderr)
            .contains("another run is writing to output; choose another folder with --output")
    );
}

#[test]
fn logs_that_vanish_fail_the_run_and_a_folder_that_is_replaced_is_not_written_to() {
    let folder = empty_folder();
    let path = folder.path().join("output");
    let child = start_long_run(&folder, &["--rates", "50,40,30"]);
    fs::remove_file(path.join("vm_1_40.csv")).unwrap();
    signal(&child, "INT");
    let ended = child.wait_with_output().unwrap();
    assert_code(&ended, 1);
    assert!(
        text(&ended.stderr).contains("output/vm_1_40.csv was removed or replaced"),
        "{}",
        text(&ended.stderr)
    );
    assert_eq!(Run::read(&path).status(), "failed");

    let folder = empty_folder();
    let path = folder.path().join("output");
    let child = start_long_run(&folder, &["--rates", "50,40,30"]);
    fs::rename(&path, folder.path().join("old")).unwrap();
    fs::create_dir(&path).unwrap();
    signal(&child, "INT");
    let ended = child.wait_with_output().unwrap();
    assert_code(&ended, 1);
    assert!(text(&ended.stderr).contains("output was moved, removed or replaced"), "{}", text(&ended.stderr));
    assert_eq!(names(&path).len(), 0);
}

#[test]
fn a_file_in_the_way_of_the_manifest_is_left_alone() {
    let folder = empty_folder();
    let path = folder.path().join("output");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("run.toml.new"), "mine").unwrap();
    assert_code(&output(&folder, &["--duration", "100ms", "--quiet"]), 0);
    assert_eq!(fs::read_to_string(path.join("run.toml.new")).unwrap(), "mine");
}

#[test]
fn a_summary_that_cannot_be_printed_is_told() {
    let folder = empty_folder();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = clocklab(&folder, &["--duration", "100ms"]).stdout(full).output().unwrap();
    assert_code(&ran, 1);
    assert!(text(&ran.stderr).starts_with("error: cannot print the summary: "), "{}", text(&ran.stderr));
    assert_eq!(Run::read(&folder.path().join("output")).status(), "complete");
}

/// A limit on the size of files stands in for a full disk: both fail a write after part of it.
#[test]
fn a_disk_that_is_full_fails_the_run_and_keeps_whole_rows() {
    let folder = empty_folder();
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" --vms 3 --rates 200,5,5 --duration 600s";
    let ended = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_clocklab")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_code(&ended, 1);
    let error = text(&ended.stderr);
    assert!(
        error.contains("error: cannot write output/vm_0_200.csv: ") && error.contains("rows are whole"),
        "{error}"
    );
    let run = Run::read(&folder.path().join("output"));
    assert_eq!(run.status(), "failed");
    assert!(run.vms[&0].len() > 10, "{}", run.vms[&0].len());
    run.assert_sound();
    let told = format!("its first {} rows are whole", run.vms[&0].len());
    assert!(error.contains(&told), "{error} {told}");
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = empty_folder();
    fs::write(folder.path().join("taken"), "mine").unwrap();
    for path in ["taken", "taken/below", "/proc/none/such"] {
        let ran = output(&folder, &["--duration", "100ms", "--output", path]);
        assert_code(&ran, 1);
        let error = text(&ran.stderr);
        assert!(error.starts_with(&format!("error: cannot use {path} as the output folder: ")), "{error}");
        assert_eq!(error.matches("os error").count(), 1, "the cause is told once: {error}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("taken")).unwrap(), "mine");
}

#[test]
fn a_file_each_is_refused_where_files_are_too_few() {
    let folder = empty_folder();
    let limited = "ulimit -n 128; exec \"$0\" --vms 200 --duration 100ms \"$@\"";
    let run = |more: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", limited, env!("CARGO_BIN_EXE_clocklab")]).args(more);
        command.current_dir(folder.path()).output().unwrap()
    };
    let refused = run(&["--log", "per-vm"]);
    assert_code(&refused, 2);
    assert!(
        text(&refused.stderr).contains("200 machines need as many open files"),
        "{}",
        text(&refused.stderr)
    );
    assert!(!folder.path().join("output").exists());
    assert_code(&run(&[]), 0);
    assert!(names(&folder.path().join("output")).iter().any(|name| name.starts_with("vms_")));
}

/// Demands that the program refuses these arguments, and says all of that.
fn assert_refused(folder: &TempDir, args: &[&str], parts: &[&str]) {
    let ran = output(folder, args);
    let error = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{args:?} {error}");
    assert!(
        error.starts_with("error: ") && parts.iter().all(|part| error.contains(part)),
        "{args:?} {error}"
    );
    assert_eq!(text(&ran.stdout), "");
}

#[test]
fn crashes_that_cannot_be_are_refused() {
    let folder = empty_folder();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--crash", "20s:1"], &["'20s:1'", "--crash", "START-END:MACHINE, such as 20s-30s:1"]),
        (&["--crash", "20-30:1"], &["'20-30:1'", "--crash", "20 has no unit"]),
        (&["--crash", "30s-20s:1"], &["'30s-20s:1'", "--crash", "ends after it starts"]),
        (&["--crash", "1s-2s:x"], &["'1s-2s:x'", "--crash", "a machine is a whole number"]),
        (&["--crash", "1s-2s:3"], &["'1s-2s:3'", "--crash", "from 0 to 2"]),
        (
            &["--crash", "1s-3s:1", "--crash", "2s-4s:1"],
            &["'2s-4s:1'", "--crash", "must not overlap 1s-3s:1, as machine 1 is down then"],
        ),
    ];
    cases.iter().for_each(|(args, parts)| assert_refused(&folder, args, parts));
    assert_eq!(names(folder.path()).len(), 0, "a refused run leaves nothing");
}

#[test]
fn wrong_arguments_are_refused_with_flag_value_and_what_is_allowed() {
    let folder = empty_folder();
    for (args, parts) in [
        (&["--vms", "0"][..], &["'0'", "--vms", "from 1 to 10000000"][..]),
        (&["--vms", "-3"], &["'-3'", "--vms", "from 1 to"]),
        (&["--vms", "99999999999999999999"], &["--vms", "from 1 to 10000000"]),
        (&["--vms", "three"], &["'three'", "--vms"]),
        (&["--vms", "2.5"], &["'2.5'", "--vms"]),
        (&["--vms"], &["--vms", "value is required"]),
        (&["--duration", "0"], &["--duration", "longer than zero"]),
        (&["--duration", "-5"], &["'-5'", "--duration", "negative"]),
        (&["--duration", "NaN"], &["'NaN'", "--duration", "such as 60, 60s, 2m"]),
        (&["--duration", "inf"], &["'inf'", "--duration"]),
        (&["--duration", "99999999999h"], &["--duration", "ten years"]),
        (&["--duration", "5 fortnights"], &["--duration", "units: h, m, s"]),
        (&["--duration", "1:30"], &["'1:30'", "--duration", "1h30m"]),
        (&["--duration", "1h30"], &["'1h30'", "--duration", "such as 1h30m"]),
        (&["--rates", "0"], &["'0'", "--rates", "from 0.001 to 1000000"]),
        (&["--rates", "0.0001"], &["'0.0001'", "--rates", "up to 3 decimals"]),
        (&["--rates", "0,5"], &["'0,5'", "--rates", "after a point"]),
        (&["--rates", "6-1"], &["'6-1'", "--rates", "from the lower to the higher"]),
        (&["--rates", "6,2"], &["'6,2'", "--rates", "one rate for each of the 3 machines", "it names 2"]),
        (&["--rates", "6,2,1,1"], &["--rates", "it names 4"]),
        (&["--rates", "6,x,1"], &["'6,x,1'", "--rates", "1-6"]),
        (&["--rates", "-1"], &["'-1'", "--rates"]),
        (&["--seed", "-1"], &["'-1'", "--seed", "18446744073709551615"]),
        (&["--seed", "18446744073709551616"], &["--seed", "18446744073709551615"]),
        (&["--workload", "chess"], &["'chess'", "--workload", "scale-model, client-server"]),
        (&["--draw", "0"], &["'0'", "--draw", "from 1 to"]),
        (&["--phase", "late"], &["'late'", "--phase", "random, aligned"]),
        (&["--late", "never"], &["'never'", "--late", "burst, skip, delay"]),
        (&["--clocks", "sundial"], &["'sundial'", "--clocks", "lamport, vector, hlc"]),
        (&["--skew", "-1ms"], &["'-1ms'", "--skew", "negative"]),
        (&["--skew", "50"], &["'50'", "--skew", "50 has no unit", "write 50ms or 50s"]),
        (&["--latency", "5"], &["'5'", "--latency", "5 has no unit", "write 5ms or 5s"]),
        (&["--latency", "1-9ms"], &["'1-9ms'", "--latency", "1 has no unit", "write 1ms or 1s"]),
        (&["--latency", "exp:5"], &["'exp:5'", "--latency", "5 has no unit"]),
        (&["--partition", "20-40:0/1"], &["'20-40:0/1'", "--partition", "20 has no unit"]),
        (&["--latency", "9ms-1ms"], &["'9ms-1ms'", "--latency", "from the shorter to the longer"]),
        (&["--latency", "exp:x"], &["'exp:x'", "--latency", "exp:5ms"]),
        (&["--virtual-time", "--latency", "0"], &["'0s'", "--latency", "at least 1us in virtual time"]),
        (&["--runs", "0"], &["'0'", "--runs", "from 1 to 100000"]),
        (&["--loss", "1.5"], &["'1.5'", "--loss", "from 0 to 1"]),
        (&["--loss", "NaN"], &["'NaN'", "--loss", "from 0 to 1"]),
        (&["--duplicate", "-0.1"], &["'-0.1'", "--duplicate", "from 0 to 1"]),
        (&["--fifo", "maybe"], &["'maybe'", "--fifo", "on, off"]),
        (&["--partition", "20s-10s:0/1"], &["'20s-10s:0/1'", "--partition", "ends after it starts"]),
        (&["--partition", "1s-2s:0/9"], &["--partition", "from 0 to 2"]),
        (&["--log", "paper"], &["'paper'", "--log", "per-vm, combined, none"]),
        (&["--threads", "0"], &["'0'", "--threads", "from 1 to 1024"]),
        (&["--scenario", "none.toml"], &["none.toml"]),
        (&["--colour"], &["--colour"]),
        (&["--vms", "1000000"], &["'1000000'", "--vms", "GB of memory", "--clocks lamport,hlc"]),
    ] {
        assert_refused(&folder, args, parts);
    }
    assert_eq!(names(folder.path()).len(), 0, "a refused run leaves nothing");
}

#[test]
fn help_and_version_are_results() {
    let folder = empty_folder();
    let help = output(&folder, &["--help"]);
    assert_code(&help, 0);
    for part in
        ["Usage: clocklab", "The machines:", "The network:", "Examples:", "[default: 3]", "--partition"]
    {
        assert!(text(&help.stdout).contains(part), "{part}");
    }
    let version = output(&folder, &["--version"]);
    assert_eq!(text(&version.stdout), concat!("clocklab ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn where_there_is_nothing_to_watch_or_nowhere_to_show_it_tui_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (args, part) in [
        (&[][..], "it draws on the standard error, which is no terminal here"),
        (&["--virtual-time"], "clocklab report"),
        (&["--processes", "2"], "--nodes"),
        (&["--quiet"], "--quiet"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
        command.current_dir(folder.path()).arg("--tui").args(args).stdin(Stdio::null());
        let refused = command.output().unwrap();
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.starts_with("error: ") && error.contains("--tui") && error.contains(part), "{error}");
    }
    assert!(names(folder.path()).is_empty(), "a refused run leaves nothing");
}
