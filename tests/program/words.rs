//! What people write for times, rates and commands, and what is said where it cannot be understood.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::program::{assert_code, clocklab, empty_folder};
use crate::common::{Run, is_log, names};

/// Runs the program with these words, and gives what it printed.
fn run(folder: &TempDir, line: &str, code: i32) -> (String, String) {
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_code(&clocklab(folder, &words).output().unwrap(), code)
}

fn logs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let logs = names(folder).into_iter().filter(|name| is_log(name));
    logs.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn machines_may_tick_once_in_two_seconds() {
    let folder = empty_folder();
    let line = "--virtual-time --rates 0.5,2.5,3 --duration 20 --seed 1";
    let (out, _) = run(&folder, line, 0);
    let path = folder.path().join("output");
    assert_eq!(logs(&path).keys().collect::<Vec<_>>(), ["vm_0_0.5.csv", "vm_1_2.5.csv", "vm_2_3.csv"]);
    let made = Run::read(&path);
    assert_eq!(made.vms.values().map(Vec::len).collect::<Vec<_>>(), [10, 50, 60]);
    made.assert_sound();
    made.assert_summary();
    made.assert_manifest(&path);
    assert_eq!(made.thousandths(), [500, 2500, 3000]);
    assert_eq!(made.manifest["rates"].as_str(), Some("0.5,2.5,3"));
    let rates: Vec<&str> =
        out.lines().skip(4).take(3).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(rates, ["0.5", "2.5", "3"], "{out}");
    let summary = fs::read_to_string(path.join("summary.csv")).unwrap();
    assert!(summary.lines().nth(1).unwrap().starts_with("0,0.5,10,"), "{summary}");

    // All that reads a run knows its rates and the names of its files.
    run(&folder, "check", 0);
    let (stats, _) = run(&folder, "stats --format csv", 0);
    assert!(stats.contains(",0.5") && stats.contains(",2.5"), "{stats}");
    run(&folder, "report", 0);
    assert!(fs::read_to_string(path.join("report.html")).unwrap().contains("\"0\":0.5"));
    run(&folder, "export --format jsonl --out run.jsonl", 0);
    let first = logs(&path);
    run(&folder, "--scenario output/run.toml --threads 3 --output again --quiet", 0);
    assert_eq!(logs(&folder.path().join("again")), first);
    // Processes tell each other their settings as texts, and their machines' rates as they are.
    run(
        &folder,
        "--processes 2 --rates 20.5,40,30.25 --phase aligned --duration 2 --output shared --quiet",
        0,
    );
    let shared = Run::read(&folder.path().join("shared"));
    assert_eq!(shared.vms.values().map(Vec::len).collect::<Vec<_>>(), [41, 80, 60]);
    assert_eq!(shared.thousandths(), [20_500, 40_000, 30_250]);
    shared.assert_sound();
    shared.assert_summary();
    // The run is moved aside whole by the next one.
    run(&folder, "--virtual-time --duration 1 --quiet", 0);
    assert!(!names(&path).contains("vm_0_0.5.csv"), "{:?}", names(&path));
}

#[test]
fn ranges_with_a_point_draw_tenths_and_live_machines_keep_them() {
    let folder = empty_folder();
    run(&folder, "--rates 30-30.5 --vms 6 --duration 1 --seed 4 --quiet", 0);
    let path = folder.path().join("output");
    let made = Run::read(&path);
    made.assert_sound();
    made.assert_summary();
    made.assert_manifest(&path);
    let rates = made.thousandths();
    assert!(rates.iter().all(|rate| (30_000..=30_500).contains(rate) && rate % 100 == 0), "{rates:?}");
    assert!(rates.iter().any(|rate| rate % 1000 != 0), "{rates:?}");
    run(&folder, "check", 0);
    // Very slow machines are no matter of memory or of time.
    run(&folder, "--virtual-time --rates 0.001-0.003 --latency 1us --duration 3h --seed 4 --quiet", 0);
    assert!(Run::read(&path).vms.values().all(|rows| (10..=33).contains(&rows.len())));
}

#[test]
fn durations_are_written_as_people_write_them() {
    let folder = empty_folder();
    for (text, written) in [("1min", "60s"), ("90 seconds", "90s"), ("1h30m", "5400s"), ("60", "60s")] {
        let mut made = clocklab(&folder, &["--virtual-time", "--quiet", "--log", "none", "--duration", text]);
        assert_code(&made.output().unwrap(), 0);
        let manifest = fs::read_to_string(folder.path().join("output/run.toml")).unwrap();
        assert!(manifest.contains(&format!("duration = \"{written}\"")), "{text}: {manifest}");
    }
}

#[test]
fn a_scenario_file_names_the_unit_as_a_flag_does() {
    let folder = empty_folder();
    let with = |text: &str| fs::write(folder.path().join("scenario.toml"), text).unwrap();
    for (text, parts) in [
        ("skew = 50", ["skew", "50 has no unit", "50ms or 50s"]),
        ("latency = 0.5", ["latency", "0.5 has no unit", "0.5ms or 0.5s"]),
        ("partition = [\"1-2s:0/1\"]", ["partition", "1 has no unit", "1ms or 1s"]),
    ] {
        with(text);
        let (_, err) = run(&folder, "--scenario scenario.toml", 2);
        assert!(parts.iter().all(|part| err.contains(part)), "{text}: {err}");
    }
    with("skew = 0\nlatency = 0\nduration = 0.2\nrates = [0.5, 20, 30]\n");
    run(&folder, "--scenario scenario.toml --quiet", 0);
}

#[test]
fn help_comes_in_short_in_full_and_for_commands() {
    let folder = empty_folder();
    let text = |line: &str| run(&folder, line, 0).0;
    let (short, full) = (text("-h"), text("--help"));
    assert!(2 * short.len() < full.len() && !short.contains("--partition") && full.contains("--partition"));
    assert_eq!(text("help"), full);
    assert_eq!(text("help check"), text("check --help"));
    for command in ["check", "stats", "order", "report", "export"] {
        let (short, full) = (text(&format!("{command} -h")), text(&format!("help {command}")));
        assert!(
            short.len() < full.len() && full.contains(&format!("Usage: clocklab {command}")),
            "{command}"
        );
    }
    let (_, err) = run(&folder, "help chek", 2);
    assert!(err.contains("chek"), "{err}");
}

#[test]
fn shells_and_man_get_what_they_can_read() {
    let folder = empty_folder();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, err) = run(&folder, &format!("completions {shell}"), 0);
        assert!(script.contains("cluster-key-file") && err.is_empty(), "{shell}: {err}");
        fs::write(folder.path().join(shell), script).unwrap();
    }
    let script = folder.path().join("bash");
    let completed = "source \"$0\"; COMP_WORDS=(clocklab --workload cli); COMP_CWORD=2; _clocklab clocklab cli --workload; \
                     echo \"${COMPREPLY[@]}\"";
    let said = Command::new("bash").arg("-c").arg(completed).arg(&script).output().unwrap();
    assert_eq!(said.stdout, b"client-server\n", "{said:?}");
    let (_, err) = run(&folder, "completions csh", 2);
    assert!(err.contains("csh") && err.contains("fish"), "{err}");
    let (page, _) = run(&folder, "man", 0);
    assert!(page.contains(".TH clocklab 1") && page.contains("clocklab\\-check(1)"), "{page}");
    let (page, _) = run(&folder, "man check", 0);
    assert!(page.contains(".TH clocklab-check 1") && page.contains("most"), "{page}");
    let (_, err) = run(&folder, "man chess", 2);
    assert!(err.contains("'chess'") && err.contains("check, stats"), "{err}");
}

#[test]
fn the_letters_of_everyday_flags_make_a_run() {
    let folder = empty_folder();
    let (out, err) = run(&folder, "-n 2 -d 300ms -s 5 -o here -q --rates 20", 0);
    assert_eq!((out.as_str(), err.as_str()), ("", ""));
    let made = Run::read(&folder.path().join("here"));
    assert_eq!((made.manifest["seed"].as_integer(), made.manifest["vms"].as_integer()), (Some(5), Some(2)));
}

#[test]
fn what_is_no_command_or_no_number_is_told_in_words() {
    let folder = empty_folder();
    run(&folder, "--virtual-time -d 5 -s 1 -q", 0);
    for (line, parts) in [
        ("run --vms 5 --tui", &["'run' is no command", "a run needs no command: clocklab --vms 5 --tui"][..]),
        ("verify", &["'verify' is no command", "clocklab check"]),
        ("output", &["'output' is no command", "clocklab check output"]),
        ("chek", &["'chek'", "'check'"]),
        ("check --most 5000", &["'5000'", "--most", "must be a whole number from 0 to 1000"]),
        ("check --most -1", &["'-1'", "--most", "must be a whole number from 0 to 1000"]),
        ("check --most many", &["'many'", "--most", "must be a whole number from 0 to 1000"]),
        ("report --window 1-2s", &["'1-2s'", "--window", "1 has no unit", "1ms or 1s"]),
        ("export --format csv --window 10-20", &["'10-20'", "--window", "10 has no unit"]),
        (
            "--nodes 127.0.0.1:1,127.0.0.1:2 --node 0 --join-timeout 1:30",
            &["'1:30'", "--join-timeout", "1h30m"],
        ),
        ("--vms 3 check", &["check", "--vms"]),
        ("--tui --quiet", &["--tui", "--quiet"]),
        ("order 0-1", &["two events are asked for"]),
        ("order 0-1 1-1 2-1", &["'0-1' is no folder", "one of two events", "--cut"]),
        ("order none 0-1 1-1", &["cannot read none"]),
        ("order --past 0-1 1-1", &["'1-1' is no folder", "--past"]),
        ("order --past 0-1 --future 1-1", &["--past", "--future"]),
    ] {
        let (out, err) = run(&folder, line, 2);
        assert!(out.is_empty() && err.starts_with("error: "), "{line}: {out}{err}");
        assert!(parts.iter().all(|part| err.contains(part)), "{line}: {err}");
    }
}

#[test]
fn flags_that_do_nothing_are_told() {
    let folder = empty_folder();
    for (line, told) in [
        ("--draw 5 --workload client-server", "--draw does nothing"),
        ("--skew 5ms --clocks lamport,vector", "--skew does nothing"),
    ] {
        let line = format!("--virtual-time -d 1 {line}");
        let (_, err) = run(&folder, &line, 0);
        assert!(err.contains(told), "{line}: {err}");
        // What a manifest says of all settings is no wish.
        let (_, err) = run(&folder, "--scenario output/run.toml -o again", 0);
        assert!(!err.contains("does nothing"), "{err}");
        assert_eq!(run(&folder, &format!("{line} -q"), 0).1, "");
    }
}
