//! One run in several processes of this machine, started and watched by one command.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clocklab::clock::kinds;
use tempfile::TempDir;

use crate::common::program::{self, assert_code, empty_folder, news, wait_until};
use crate::common::{self, Run};

cases!(
    three_processes_make_one_run_with_one_result,
    a_process_that_is_killed_does_not_stop_the_others,
    a_process_that_is_killed_is_started_again_and_goes_on_from_its_logs,
    every_clock_goes_on_where_a_killed_process_left_it,
    machines_of_several_processes_are_down_for_a_while,
    an_interrupted_run_ends_in_all_processes,
    no_process_outlives_the_one_that_started_it,
    server_and_clients_live_in_processes_of_their_own,
    several_runs_and_a_repeat_are_shared_as_well,
    what_cannot_be_shared_is_refused_with_the_flag,
    a_process_that_is_started_again_too_late_ends_with_the_run,
    a_run_that_is_interrupted_before_its_first_tick_has_a_row_a_machine,
    processes_that_are_asked_to_stop_themselves_leave_in_order,
);

/// The program in an empty folder of its own, whose words are kept.
fn clocklab(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = program::clocklab(folder, args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The processes that a process has started and that are not dead, oldest first.
fn children(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        // After the name, which stands in parentheses: the state and the parent.
        let stat = stat(*pid)?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        Some(state != "Z" && fields.next()?.parse() == Ok(parent))
    };
    let mut pids: Vec<u32> = pids.filter(|pid| is_child(pid) == Some(true)).collect();
    pids.sort_unstable();
    pids
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
}

/// Starts a run and waits until every machine has made that many events.
fn start(folder: &TempDir, args: &[&str], events: usize) -> Child {
    let child = clocklab(folder, args).spawn().unwrap();
    wait_until("rows in every log", || has_rows(&folder.path().join("output"), args[1], events));
    child
}

fn has_rows(output: &Path, vms: &str, events: usize) -> bool {
    let Ok(entries) = fs::read_dir(output) else { return false };
    let names = entries.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let logs = names.filter(|name| common::is_log(name));
    let long = logs.filter(|name| fs::read_to_string(output.join(name)).unwrap().lines().count() > events);
    long.count() == vms.parse::<usize>().unwrap()
}

/// The counters in the last row of a bridge's log, which are those of all its links.
fn totals(output: &Path, node: u32) -> BTreeMap<String, u64> {
    let mut reader = csv::Reader::from_path(output.join(format!("bridge_{node}.csv"))).unwrap();
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let last = rows.last().unwrap();
    assert_eq!((last["what"].as_str(), last["peer"].as_str()), ("total", ""));
    last.iter().filter_map(|(column, value)| Some((column.clone(), value.parse().ok()?))).collect()
}

/// What happened in a bridge's log.
fn happenings(output: &Path, node: u32) -> Vec<String> {
    let mut reader = csv::Reader::from_path(output.join(format!("bridge_{node}.csv"))).unwrap();
    reader.deserialize::<BTreeMap<String, String>>().map(|row| row.unwrap()["what"].clone()).collect()
}

fn three_processes_make_one_run_with_one_result() {
    let folder = empty_folder();
    let args = ["--vms", "7", "--processes", "3", "--duration", "2", "--rates", "40-60", "--seed", "42"];
    let (out, err) = assert_code(&clocklab(&folder, &args).output().unwrap(), 0);
    let path = folder.path().join("output");
    let run = Run::read(&path);
    assert_eq!(run.status(), "complete");
    assert_eq!(run.manifest["processes"].as_integer(), Some(3));
    run.assert_sound();
    run.assert_summary();
    run.assert_manifest(&path);
    for (vm, rate) in run.drawn("rates").into_iter().enumerate() {
        assert_eq!(run.vms[&u32::try_from(vm).unwrap()].len() as i64, 2 * rate, "machine {vm}");
    }
    let totals: Vec<_> = (0..3).map(|node| totals(&path, node)).collect();
    let sum = |column: &str| totals.iter().map(|totals| totals[column]).sum::<u64>();
    assert_eq!(sum("messages_sent"), sum("messages_received"));
    assert_eq!(sum("frames_sent"), sum("frames_received"));
    assert_eq!(sum("bytes_sent"), sum("bytes_received"));
    assert_eq!(sum("lost") + sum("dropped") + sum("resent") + sum("repeated"), 0);
    let crossing = run.rows().filter(|row| row.kind == "send").flat_map(|row| {
        let node = |vm: u64| (vm * 3 + 2) / 7;
        common::list(&row.peers).into_iter().filter(move |to| node(*to) != node(row.vm.into()))
    });
    assert_eq!(crossing.count() as u64, sum("messages_sent"));
    let (checked, _) = assert_code(&clocklab(&folder, &["check"]).output().unwrap(), 0);
    assert!(checked.starts_with("output: sound: 7 machines, "), "{checked}");
    assert!(out.starts_with("7 machines, 2.0 s, seed 42: complete\n"), "{out}");
    assert!(out.contains("between processes: "), "{out}");
    assert_eq!(news(&err), ["Open output/report.html in a browser to look at it."]);
}

fn a_process_that_is_killed_does_not_stop_the_others() {
    let folder = empty_folder();
    let args = ["--vms", "6", "--processes", "3", "--duration", "3", "--rates", "50"];
    let child = start(&folder, &args, 20);
    signal(children(child.id())[1], "KILL");
    let (out, err) = assert_code(&child.wait_with_output().unwrap(), 0);
    let path = folder.path().join("output");
    let run = Run::read(&path);
    assert_eq!(run.status(), "complete");
    run.assert_sound();
    run.assert_manifest(&path);
    for vm in [0, 1, 4, 5] {
        assert_eq!(run.vms[&vm].len(), 150, "machine {vm}");
    }
    for vm in [2, 3] {
        assert!((20..150).contains(&run.vms[&vm].len()), "machine {vm}");
        assert_eq!(run.summary[vm as usize]["events"], run.vms[&vm].len().to_string());
    }
    assert!(
        err.contains("warning: the process of node 1 (machines 2 to 3) has died: signal 9 ended it\n"),
        "{err}"
    );
    assert!(out.contains("complete"), "{out}");
    assert!(happenings(&path, 0).contains(&"gone".to_owned()));
}

fn a_process_that_is_killed_is_started_again_and_goes_on_from_its_logs() {
    let folder = empty_folder();
    let args = ["--vms", "6", "--processes", "3", "--duration", "4", "--rates", "50", "--resume"];
    let mut child = start(&folder, &args, 20);
    for (node, vm) in [(1, 2), (0, 0)] {
        let before = children(child.id());
        signal(before[node], "KILL");
        wait_until("another process", || {
            let now = children(child.id());
            now.len() == 3 && now != before
        });
        let events = |vm: u32| {
            fs::read_to_string(folder.path().join(format!("output/vm_{vm}_50.csv"))).unwrap().lines().count()
        };
        let so_far = events(vm);
        wait_until("more events", || events(vm) > so_far || child.try_wait().unwrap().is_some());
    }
    let (_, err) = assert_code(&child.wait_with_output().unwrap(), 0);
    let path = folder.path().join("output");
    let run = Run::read(&path);
    assert_eq!(run.status(), "complete");
    run.assert_sound();
    run.assert_manifest(&path);
    assert_code(&clocklab(&folder, &["check"]).output().unwrap(), 0);
    assert_eq!(run.vms[&4].len(), 200);
    assert_eq!(common::resumes(std::slice::from_ref(&path)), [1, 1, 1, 1, 0, 0], "as the bridges' logs tell");
    let last = |vm: u32| run.vms[&vm].last().unwrap().elapsed();
    assert!((0..6).all(|vm| last(vm) > 3_900_000_000), "all tick to the end");
    assert!(err.contains("was started again"), "{err}");
    assert!(happenings(&path, 2).contains(&"restarted".to_owned()));
}

fn every_clock_goes_on_where_a_killed_process_left_it() {
    let folder = empty_folder();
    // What waited in a killed process is lost, which those that need every message do not survive.
    let hardy = kinds().iter().filter(|kind| !kind.needs_order);
    let clocks = hardy.map(|kind| kind.name).collect::<Vec<_>>().join(",");
    let mut args = vec!["--vms", "4", "--processes", "2", "--duration", "2", "--rates", "50", "--resume"];
    args.extend(["--clocks", &clocks]);
    let child = start(&folder, &args, 20);
    let before = children(child.id());
    signal(before[1], "KILL");
    wait_until("another process", || {
        let now = children(child.id());
        now.len() == 2 && now != before
    });
    assert_code(&child.wait_with_output().unwrap(), 0);
    let path = folder.path().join("output");
    let run = Run::read(&path);
    assert_eq!((run.status(), run.vms[&0].len()), ("complete", 100));
    assert_code(&clocklab(&folder, &["check"]).output().unwrap(), 0);
    assert_eq!(common::resumes(std::slice::from_ref(&path)), [0, 0, 1, 1], "as the bridges' logs tell");
}

fn machines_of_several_processes_are_down_for_a_while() {
    let folder = empty_folder();
    let args = ["--vms", "4", "--processes", "2", "--duration", "2", "--rates", "40,20,40,20", "--draw", "4"];
    let crashes = ["--crash", "500ms-1s:1", "--crash", "900ms-1500ms:2", "--crash", "1800ms-9s:3"];
    let (out, err) = assert_code(&clocklab(&folder, &[&args[..], &crashes].concat()).output().unwrap(), 0);
    let path = folder.path().join("output");
    let run = Run::read(&path);
    assert_eq!(run.status(), "complete");
    run.assert_sound();
    run.assert_summary();
    run.assert_manifest(&path);
    run.assert_links_lost_nothing();
    let events = [0, 1, 2, 3].map(|vm| run.vms[&vm].len());
    assert_eq!(events[0], 80);
    // A tick that is due just before the window, and late, finds its machine down.
    assert!((29..=30).contains(&events[1]) && (55..=56).contains(&events[2]), "{events:?}");
    assert!((35..=36).contains(&events[3]), "{events:?}");
    for (vm, from, to) in [(1, 500, 1000), (2, 900, 1500), (3, 1800, 2000)] {
        let down = from * 1_000_000..to * 1_000_000;
        assert!(run.vms[&vm].iter().all(|row| !down.contains(&row.elapsed())), "machine {vm}");
    }
    let crashed = |vm: usize| run.summary[vm]["crashed"].parse::<u64>().unwrap();
    assert!(crashed(0) == 0 && (1..4).all(|vm| crashed(vm) > 0), "{:?}", run.summary);
    assert!(out.contains(&format!(", {} crashed\n", crashed(1) + crashed(2) + crashed(3))), "{out}");
    assert_eq!(news(&err), ["Open output/report.html in a browser to look at it."], "nothing is called lost");
    assert_code(&clocklab(&folder, &["check"]).output().unwrap(), 0);
}

fn an_interrupted_run_ends_in_all_processes() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let folder = empty_folder();
        let child =
            start(&folder, &["--vms", "4", "--processes", "2", "--duration", "600", "--rates", "50"], 10);
        let workers = children(child.id());
        assert_eq!(workers.len(), 2);
        signal(child.id(), name);
        let (out, err) = assert_code(&child.wait_with_output().unwrap(), code);
        let path = folder.path().join("output");
        let run = Run::read(&path);
        assert_eq!(run.status(), "interrupted");
        run.assert_sound();
        run.assert_summary();
        run.assert_manifest(&path);
        assert!(out.contains("interrupted"), "{out}");
        // What a machine sends after the other process has gone is told first.
        assert!(err.contains("Interrupted after "), "{err}");
        assert!(path.join("report.html").exists(), "{err}");
        assert!(workers.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    }
}

fn no_process_outlives_the_one_that_started_it() {
    let folder = empty_folder();
    let mut child =
        start(&folder, &["--vms", "4", "--processes", "2", "--duration", "600", "--rates", "50"], 10);
    let workers = children(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the workers' end", || {
        workers.iter().all(|pid| {
            !fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("--worker"))
        })
    });
    let run = Run::read(&folder.path().join("output"));
    assert_eq!(run.status(), "running");
    run.assert_sound();
}

fn server_and_clients_live_in_processes_of_their_own() {
    let folder = empty_folder();
    let args =
        ["--vms", "3", "--processes", "3", "--duration", "2", "--rates", "50", "--workload", "client-server"];
    assert_code(&clocklab(&folder, &args).output().unwrap(), 0);
    let path = folder.path().join("output");
    let run = Run::read(&path);
    run.assert_sound();
    run.assert_summary();
    for client in [1, 2] {
        let codes = run.vms[&client].iter().filter(|row| row.kind == "receive" && row.payload.len() == 6);
        assert!(codes.count() > 5, "client {client}");
    }
    assert_eq!(totals(&path, 1)["messages_sent"], 0, "an attempt is no message");
}

fn several_runs_and_a_repeat_are_shared_as_well() {
    let folder = empty_folder();
    let args = [
        "--vms",
        "4",
        "--processes",
        "2",
        "--duration",
        "300ms",
        "--rates",
        "50",
        "--runs",
        "2",
        "--seed",
        "5",
    ];
    let (out, _) = assert_code(&clocklab(&folder, &args).output().unwrap(), 0);
    assert!(out.starts_with("2 runs of 4 machines"), "{out}");
    assert_code(
        &clocklab(&folder, &["--scenario", "output/run_1/run.toml", "--output", "again"]).output().unwrap(),
        0,
    );
    for path in ["output/run_1", "output/run_2", "again"].map(|name| folder.path().join(name)) {
        let run = Run::read(&path);
        run.assert_sound();
        assert!(path.join("bridge_1.csv").exists());
        assert_eq!(run.vms.values().map(Vec::len).sum::<usize>(), 60);
    }
}

fn what_cannot_be_shared_is_refused_with_the_flag() {
    let folder = empty_folder();
    let refuses = |args: &[&str], part: &str| {
        let (_, err) = assert_code(&clocklab(&folder, args).output().unwrap(), 2);
        assert!(err.contains(part), "{err}");
    };
    refuses(
        &["--processes", "4"],
        "invalid value '4' for '--processes': must be at most the number of machines, 3",
    );
    refuses(&["--processes", "0"], "invalid value '0' for '--processes <P>'");
    refuses(
        &["--processes", "2", "--virtual-time"],
        "invalid value '2' for '--processes': cannot go with --virtual-time",
    );
    refuses(&["--processes", "2", "--nodes", "localhost:7000", "--node", "0"], "cannot be used with");
    refuses(&["--resume"], "--resume goes with --nodes and --node, or with --processes");
    refuses(
        &["--processes", "2", "--vms", "70000"],
        "invalid value '70000' for '--vms': must be at most 65536 with vector clocks",
    );
    assert!(!folder.path().join("output").exists());
}

/// One that dies is started again when all others have ended: the first process stands still in between.
fn a_process_that_is_started_again_too_late_ends_with_the_run() {
    let folder = empty_folder();
    let args = ["--vms", "4", "--processes", "2", "--duration", "1500ms", "--rates", "50", "--resume"];
    let child = start(&folder, &args, 5);
    let workers = children(child.id());
    signal(child.id(), "STOP");
    signal(workers[1], "KILL");
    wait_until("the other's end", || !children(child.id()).contains(&workers[0]));
    signal(child.id(), "CONT");
    let (out, err) = assert_code(&child.wait_with_output().unwrap(), 0);
    let path = folder.path().join("output");
    let run = Run::read(&path);
    assert_eq!(run.status(), "complete", "{out}");
    run.assert_sound();
    run.assert_manifest(&path);
    assert_eq!(run.summary.len(), 4);
    assert_eq!([0, 1].map(|vm| run.vms[&vm].len()), [75; 2]);
    for vm in [2, 3] {
        assert_eq!(run.summary[vm as usize]["events"], run.vms[&vm].len().to_string());
    }
    assert!(err.contains("the process of node 1 (machines 2 to 3) has died: signal 9 ended it"), "{err}");
    assert!(!err.contains("did not start") && !err.contains("error: "), "{err}");
}

fn a_run_that_is_interrupted_before_its_first_tick_has_a_row_a_machine() {
    type HasCome = fn(u32, &Path) -> bool;
    let moments: [(&str, HasCome); 4] = [
        ("a manifest", |_, output| output.join("run.toml").exists()),
        ("one process", |pid, _| !children(pid).is_empty()),
        ("two processes", |pid, _| children(pid).len() == 2),
        ("a bridge", |_, output| output.join("bridge_1.csv").exists()),
    ];
    for (moment, has_come) in moments {
        for more in ["", "--resume", "--log=none"] {
            let folder = empty_folder();
            let args =
                ["--vms", "4", "--processes", "2", "--duration", "600", "--rates", "1", "--phase", "aligned"];
            let mut command = clocklab(&folder, &args);
            let child = command.args(more.split_whitespace()).spawn().unwrap();
            let path = folder.path().join("output");
            wait_until(moment, || has_come(child.id(), &path));
            signal(child.id(), "INT");
            let (out, err) = assert_code(&child.wait_with_output().unwrap(), 130);
            let run = Run::read(&path);
            assert_eq!(run.status(), "interrupted", "{moment} {out} {err}");
            assert_eq!(run.summary.len(), 4, "{moment} {out} {err}");
            assert_eq!(run.unaccounted(), 0, "{moment} {out} {err}");
            assert!(run.summary.iter().zip(0..).all(|(row, vm)| row["vm"] == vm.to_string()));
            run.assert_manifest(&path);
            assert!(!err.contains("error"), "{err}");
        }
    }
}

/// A service manager asks all processes to stop, not only the first one.
fn processes_that_are_asked_to_stop_themselves_leave_in_order() {
    let folder = empty_folder();
    let child = start(&folder, &["--vms", "4", "--processes", "2", "--duration", "600", "--rates", "50"], 10);
    signal(child.id(), "STOP");
    children(child.id()).into_iter().for_each(|pid| signal(pid, "TERM"));
    signal(child.id(), "TERM");
    signal(child.id(), "CONT");
    let (_, err) = assert_code(&child.wait_with_output().unwrap(), 143);
    let run = Run::read(&folder.path().join("output"));
    assert_eq!(run.status(), "interrupted", "{err}");
    run.assert_sound();
    run.assert_summary();

    let folder = empty_folder();
    let child = start(&folder, &["--vms", "4", "--processes", "2", "--duration", "2", "--rates", "50"], 10);
    signal(children(child.id())[1], "TERM");
    let (_, err) = assert_code(&child.wait_with_output().unwrap(), 0);
    let warning = "warning: the process of node 1 (machines 2 to 3) was asked to stop and has left the run\n";
    assert!(err.contains(warning), "{err}");
    let path = folder.path().join("output");
    let run = Run::read(&path);
    assert_eq!(([0, 1].map(|vm| run.vms[&vm].len()), run.summary.len()), ([100; 2], 4));
    run.assert_sound();
    // What the others went on to send to it was dropped, and counted.
    run.assert_summary();
    assert!(totals(&path, 0)["dropped"] > 0);
}
