//! Under the limits that a system sets: few open files, and signals at any moment of a run in virtual time.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::common::program::{assert_code, clocklab, empty_folder, wait_until};
use crate::common::{Run, is_log, names};

/// Runs the program where a process may open so many files.
fn with_open_files(folder: &TempDir, limit: u32, args: &str) -> Output {
    Command::new("sh")
        .args(["-c", &format!("ulimit -n {limit} && exec \"$0\" {args}"), env!("CARGO_BIN_EXE_clocklab")])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn many_runs_need_no_more_open_files_than_those_under_way() {
    let folder = empty_folder();
    let args = "--virtual-time --runs 200 --duration 1 --threads 3 --clocks lamport --quiet";
    assert_code(&with_open_files(&folder, 64, args), 0);
    assert_eq!(Run::read(&folder.path().join("output/run_200")).status(), "complete");
}

#[test]
fn runs_that_share_the_open_files_are_fewer_at_a_time_and_laid_out_alike() {
    let folder = empty_folder();
    let args = "--virtual-time --runs 12 --threads 8 --vms 60 --duration 1 --clocks lamport --quiet";
    assert_code(&with_open_files(&folder, 128, args), 0);
    for k in 1..=12 {
        let logs = names(&folder.path().join(format!("output/run_{k}")));
        assert_eq!(logs.iter().filter(|name| is_log(name)).count(), 60, "run {k}");
    }
}

#[test]
fn a_file_for_each_machine_is_had_while_there_are_as_many_and_refused_with_the_numbers() {
    let folder = empty_folder();
    for (time, most) in [("--virtual-time", 48), ("--threads 1", 40)] {
        for vms in [3, most] {
            let args = format!("{time} --vms {vms} --log per-vm --duration 100ms --rates 20 --quiet");
            let ran = with_open_files(&folder, 80, &args);
            assert_code(&ran, 0);
        }
        let args = format!("{time} --vms 79 --log per-vm --duration 1 --quiet");
        let (_, err) = assert_code(&with_open_files(&folder, 80, &args), 2);
        let expected = "invalid value 'per-vm' for '--log': 79 machines need as many open files, and this process may open \
                        80 and needs about ";
        assert!(err.contains(expected) && err.contains("ulimit -n"), "{err}");
    }
}

/// Logs, summary, manifest and exit code tell the same, whenever the signal came.
fn assert_agree(folder: &Path, ended: &Output, code: i32) {
    let run = Run::read(folder);
    let exit = ended.status.code();
    match run.status() {
        "interrupted" => assert_eq!(exit, Some(code), "{ended:?}"),
        status => assert_eq!((status, exit), ("complete", Some(0)), "{ended:?}"),
    }
    run.assert_sound();
    run.assert_summary();
    run.assert_manifest(folder);
    let elapsed = run.manifest["run"]["elapsed_s"].as_float().unwrap();
    let last = run.rows().map(|row| row.elapsed_s.parse::<f64>().unwrap()).fold(0.0, f64::max);
    assert!(last <= elapsed, "the last event is at {last} s, and the run ended at {elapsed} s");
    assert!(!names(folder).contains(".frontier"), "all logs are whole");
}

/// Starts a run in virtual time, sends it a signal once something is so, and waits for its end.
fn signalled(folder: &TempDir, args: &str, signal: &str, mut is_so: impl FnMut(&Path) -> bool) -> Output {
    let args: Vec<&str> = args.split_whitespace().collect();
    let mut command = clocklab(folder, &["--virtual-time", "--quiet"]);
    let child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = folder.path().join("output");
    wait_until("the moment for the signal", || is_so(&output));
    let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).output().unwrap();
    // It may have ended by now.
    drop(sent);
    child.wait_with_output().unwrap()
}

#[test]
fn a_signal_before_the_first_tick_leaves_every_machine_in_the_summary() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = empty_folder();
        let args = "--vms 20000 --duration 30 --clocks lamport";
        let ended = signalled(&folder, args, signal, |output| output.join("run.toml").exists());
        assert_agree(&folder.path().join("output"), &ended, code);
        let summary = fs::read_to_string(folder.path().join("output/summary.csv")).unwrap();
        assert_eq!(summary.lines().count(), 20_001);
    }
}

#[test]
fn a_signal_while_rows_are_made_leaves_logs_summary_and_manifest_that_agree() {
    for (k, args) in [
        "--vms 5 --rates 300-900 --duration 4000 --latency 20ms",
        "--vms 700 --rates 1-90 --duration 400 --clocks hlc --threads 3",
        "--vms 9 --rates 1,1,1,1,1,1,1,1,9000 --duration 1500 --threads 2 --clocks lamport",
    ]
    .into_iter()
    .enumerate()
    {
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let folder = empty_folder();
            let ended = signalled(&folder, args, signal, |output| {
                let Ok(entries) = fs::read_dir(output) else { return false };
                let sizes = entries.map_while(|entry| entry.ok()?.metadata().ok());
                sizes.map(|metadata| metadata.len()).sum::<u64>() > 200_000 * (k as u64 + 1)
            });
            assert_agree(&folder.path().join("output"), &ended, code);
            assert_eq!(ended.status.code(), Some(code), "it was far from its end");
        }
    }
}

#[test]
fn a_signal_while_a_run_ends_changes_nothing_of_what_it_leaves() {
    for signal in ["INT", "TERM"] {
        let folder = empty_folder();
        let mut has_begun = false;
        let args = "--vms 12000 --duration 1 --clocks lamport";
        let ended = signalled(&folder, args, signal, |output| {
            let is_marked = output.join(".frontier").exists();
            has_begun |= is_marked;
            has_begun && !is_marked
        });
        let code = if signal == "INT" { 130 } else { 143 };
        assert_agree(&folder.path().join("output"), &ended, code);
    }
}
