//! Runs in virtual time that are killed: their logs are written many rows at a time, and still nobody reads a receive
//! without its send.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use proptest::prelude::*;
use tempfile::TempDir;

use crate::common::program::{assert_code, clocklab, empty_folder, wait_until};
use crate::common::{is_log, names};

/// The bytes of all logs in a folder.
fn logged(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let logs = entries.map_while(Result::ok).filter(|entry| is_log(&entry.file_name().to_string_lossy()));
    logs.map_while(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// A run that does not outlive its test.
struct Doomed(Child);

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kills a run once its logs are that long.
fn kill_at(folder: &TempDir, args: &str, bytes: u64) {
    // The run is long, and its logs fit the disk, or it would be refused.
    let mut command = clocklab(folder, &["--virtual-time", "--quiet"]);
    let mut run = Doomed(command.args(args.split_whitespace()).spawn().unwrap());
    let output = folder.path().join("output");
    wait_until("logs of that length", || {
        assert!(run.0.try_wait().unwrap().is_none(), "the run is far from its end");
        logged(&output) >= bytes
    });
}

/// The events that `check` has replayed, where it finds nothing wrong; 0 where the logs do not go together at all yet.
fn assert_sound(folder: &TempDir) -> u64 {
    let checked = clocklab(folder, &["check"]).output().unwrap();
    if String::from_utf8_lossy(&checked.stdout).contains("\nnothing to judge: 0 machines, 0 events") {
        return 0;
    }
    let (out, _) = assert_code(&checked, 0);
    let verdict = out.lines().find_map(|line| line.strip_prefix("this part is sound: "));
    let events = verdict
        .unwrap_or_else(|| panic!("{out}"))
        .split(", ")
        .find_map(|part| part.strip_suffix(" events").or_else(|| part.strip_suffix(" event")));
    events.and_then(|count| count.replace(',', "").parse().ok()).unwrap_or_else(|| panic!("{out}"))
}

fn layout() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        // Logs that fill at the same pace, and some that hardly ever do.
        Just("--log per-vm --duration 1000 --vms 9 --rates 1000-2000"),
        Just("--log per-vm --duration 2000 --vms 4 --rates 3000,1,40,3000"),
        Just("--log per-vm --duration 200h --vms 3 --rates 1-6 --latency 9s"),
        Just("--log per-vm --duration 150 --vms 200 --rates 1-900 --clocks lamport"),
        Just("--log combined --duration 800 --vms 300 --rates 10-100 --clocks hlc"),
        Just("--duration 3000 --vms 1300 --rates 1-6 --clocks lamport"),
        Just(
            "--log combined --duration 2000 --vms 1300 --phase aligned --rates 5 --clocks lamport --latency exp:30ms"
        ),
        Just("--log combined --duration 4000 --vms 900 --workload client-server --clocks lamport"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_killed_run_in_virtual_time_leaves_no_receive_without_its_send(
        layout in layout(), threads in 1u32..5, kilobytes in 500u64..2_000,
    ) {
        let folder = empty_folder();
        kill_at(&folder, &format!("{layout} --threads {threads}"), kilobytes * 1024);
        let events = assert_sound(&folder);
        for command in ["stats", "report"].into_iter().filter(|_| events > 0) {
            assert_code(&clocklab(&folder, &[command]).output().unwrap(), 0);
        }
    }
}

#[test]
fn what_is_left_out_of_a_killed_run_is_told_by_every_command_and_is_little() {
    let folder = empty_folder();
    kill_at(&folder, "--duration 2000 --vms 4 --rates 3000,1,40,3000 --threads 2", 6 << 20);
    let rows = |path: &Path| fs::read(path).unwrap().iter().filter(|byte| **byte == b'\n').count() as u64 - 1;
    let output = folder.path().join("output");
    let written: u64 =
        names(&output).iter().filter(|name| is_log(name)).map(|name| rows(&output.join(name))).sum();
    let events = assert_sound(&folder);
    assert!(events > written / 2, "{events} of {written}: a log that is seldom full holds no other back");
    for args in [&["check"][..], &["stats"], &["order", "0-1", "1-1"], &["export", "--format", "jsonl"]] {
        let (out, err) = assert_code(&clocklab(&folder, args).output().unwrap(), 0);
        let told = "its run was cut off or still goes on, and not all of its logs go further than ";
        assert!(out.contains(told) || err.contains(told), "{args:?}: {err}");
    }
    let page = fs::read_to_string(output.join("report.html"));
    assert!(page.is_err(), "a killed run makes no page");

    // The next run moves it aside whole, and has nothing of it.
    let ran = clocklab(&folder, &["--virtual-time", "--duration", "1", "--quiet"]).output().unwrap();
    assert_code(&ran, 0);
    assert!(!names(&output).contains(".frontier"));
    let previous: Vec<String> = names(&output.join("previous")).into_iter().collect();
    assert!(names(&output.join("previous").join(&previous[0])).contains(".frontier"));
}

/// A full disk leaves what a kill does.
#[test]
fn a_run_that_cannot_write_any_more_leaves_no_receive_without_its_send() {
    for (args, kilobytes) in
        [("--vms 3 --rates 900,1000,1100", 300), ("--vms 300 --rates 90 --threads 2", 700)]
    {
        let folder = empty_folder();
        let mut command = std::process::Command::new("sh");
        let run = format!(
            "ulimit -f {kilobytes}; trap '' XFSZ; exec \"$0\" --virtual-time --duration 1000 --quiet --clocks lamport {args}"
        );
        let ran = command
            .args(["-c", &run, env!("CARGO_BIN_EXE_clocklab")])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let (_, err) = assert_code(&ran, 1);
        assert!(err.contains("cannot write "), "{err}");
        assert!(assert_sound(&folder) > 100);
    }
}
