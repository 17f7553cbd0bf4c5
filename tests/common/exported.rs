//! Runs to be exported, and what a window of one has to be.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::common::{Row, Run};

/// A run of each sort: with vectors and without, lossy, with duplicates, partitioned, in one log, of clients and a
/// server, live, and of two processes.
pub const RUNS: [&str; 6] = [
    "--virtual-time --seed 42 --duration 20",
    "--virtual-time --seed 7 --vms 5 --duration 20 --latency exp:300ms --fifo off --loss 0.1 --duplicate 0.2 --partition 5s-8s:0,1/2",
    "--virtual-time --seed 3 --vms 12 --duration 9 --log combined --draw 4 --rates 1-20",
    "--virtual-time --seed 7 --workload client-server --duration 30",
    "--duration 1 --rates 20-60 --loss 0.1 --duplicate 0.1",
    "--duration 1 --rates 20-60 --vms 4 --processes 2",
];

/// A payload that ends and begins what it can.
pub const ODD_PAYLOAD: &str = "vm,event,kind,elapsed_s,lamport,peers,message,payload\n\
    0,1,send,1,1,1,0-1,\"a \"\"b\"\"\n0,9 {c}\r\u{2028}\u{85}\\\"\n\
    1,1,receive,2,2,0,0-1,\"a \"\"b\"\"\n0,9 {c}\r\u{2028}\u{85}\\\"\n";

/// Messages of which nobody knows, that come too often, go to others, or wait for each other.
pub const WRONG_LOG: &str = "vm,event,kind,elapsed_s,lamport,peers,message,lost,duplicated\n\
    0,1,receive,1,1,1,1-2,,\n0,2,send,2,2,1,0-2,,\n1,1,receive,1,1,0,0-2,,\n1,2,send,2,2,0,1-2,,\n\
    2,1,receive,1,1,0,0-2,,\n2,2,receive,1,1,7,7-1,,\n2,7,receive,1,1,,,,\n2,7,internal,1,1,5,5-1,5,5\n2,2,send,1,1,2,2-2,2,2\n";

pub fn clocklab(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(folder).args(line.split_whitespace()).stdin(Stdio::null()).output().unwrap()
}

pub fn make(line: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = clocklab(folder.path(), &format!("--quiet {line}"));
    assert!(made.status.success(), "{line}: {}", String::from_utf8_lossy(&made.stderr));
    folder
}

pub fn read(folder: &TempDir) -> Run {
    Run::read(&folder.path().join("output"))
}

#[track_caller]
pub fn export(folder: &TempDir, line: &str) -> Vec<u8> {
    let output = clocklab(folder.path(), &format!("export {line}"));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The same of logs of which something is missing, or comes twice: that is told, and nothing else.
#[track_caller]
pub fn export_part(folder: &TempDir, line: &str) -> Vec<u8> {
    let output = clocklab(folder.path(), &format!("export {line}"));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !told.is_empty(), "{line}: {told}");
    assert!(told.lines().all(|line| line.starts_with("a part: ") || line.starts_with("warning: ")), "{told}");
    output.stdout
}

#[track_caller]
pub fn export_text(folder: &TempDir, line: &str) -> String {
    String::from_utf8(export(folder, line)).unwrap()
}

pub type EventId = (u32, u64);

pub fn event_id(text: &str) -> EventId {
    let (vm, event) = text.strip_prefix("vm").unwrap().split_once('-').unwrap();
    (vm.parse().unwrap(), event.parse().unwrap())
}

pub fn by_id(run: &Run) -> BTreeMap<EventId, &Row> {
    run.rows().map(|row| ((row.vm, row.event), row)).collect()
}

/// Demands that events are those of each machine from one to another, and closed under causes but for those that
/// are before the first of their machine; gives the first of each machine.
pub fn assert_closed(run: &Run, events: &[EventId]) -> BTreeMap<u32, u64> {
    let rows = by_id(run);
    let mut last = BTreeMap::<u32, u64>::new();
    let mut first = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for &(vm, event) in events {
        first.entry(vm).or_insert(event);
        if let Some(before) = last.insert(vm, event) {
            assert_eq!(event, before + 1);
        }
        seen.insert((vm, event));
    }
    for &(vm, event) in events {
        let row = rows[&(vm, event)];
        if row.kind == "receive" {
            let send = event_id(&row.message);
            // A cause is in the window, or is part of a beginning that has all its own causes.
            let is_before = first.get(&send.0).is_none_or(|first| send.1 < *first);
            assert!(seen.contains(&send) || is_before, "{send:?} is missing for {vm}-{event}");
        }
    }
    first
}
