//! The measures of logs, held against the run's own summary, plain searches and theory.

#![allow(clippy::cast_precision_loss, reason = "counts of a small log")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clocklab::after::stats::{MEASURES, Stats, TOTALS, measure};
use clocklab::edge::log::{Found, find};
use clocklab::model::registry::Registry;

use crate::common::{Run, list};

fn clocklab(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(folder).args(line.split_whitespace()).output().unwrap()
}

fn make(folder: &Path, line: &str) -> Stats {
    assert!(clocklab(folder, &format!("--quiet {line}")).status.success(), "{line}");
    let Found::Run(found) = find(&folder.join("output")).unwrap() else { panic!("one run") };
    measure(&[*found], &Registry::default()).unwrap()
}

fn value(stats: &Stats, vm: usize, name: &str) -> Option<f64> {
    let column = MEASURES.iter().position(|measure| measure.name == name).unwrap();
    stats.machines[vm].1[column]
}

fn total(stats: &Stats, name: &str) -> Option<f64> {
    stats.totals[TOTALS.iter().position(|total| total.name == name).unwrap()]
}

#[track_caller]
fn assert_near(found: Option<f64>, expected: f64, off: f64) {
    assert!(found.is_some_and(|found| (found - expected).abs() <= off), "{found:?} {expected}");
}

#[test]
fn what_the_summary_says_is_measured_again_from_the_logs() {
    for line in [
        "--virtual-time --vms 6 --seed 3 --latency 1ms-2s --loss 0.1 --duplicate 0.1",
        "--virtual-time --rates 6,6,1 --draw 4 --clocks lamport --log combined",
        "--duration 1 --rates 40,30,5",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let stats = make(folder.path(), line);
        let run = Run::read(&folder.path().join("output"));
        for (vm, row) in run.summary.iter().enumerate() {
            for (name, column) in [
                ("rate", "rate"),
                ("events", "events"),
                ("events_internal", "internal"),
                ("events_send", "send"),
                ("events_receive", "receive"),
                ("messages_sent", "messages_sent"),
                ("messages_lost", "messages_lost"),
                ("messages_twice", "messages_duplicated"),
                ("clock", "lamport"),
                ("clock_drift", "drift"),
                ("jump_mean", "jump_mean"),
                ("jump_max", "jump_max"),
                ("queue_mean", "queue_mean"),
                ("queue_max", "queue_max"),
                ("queue_last", "queue_last"),
            ] {
                assert_near(value(&stats, vm, name), row[column].parse().unwrap(), 1e-6);
            }
            if !row["lateness_max_ms"].is_empty() {
                // The same tick, in the digits of the summary.
                assert_near(value(&stats, vm, "late_max_ms"), row["lateness_max_ms"].parse().unwrap(), 0.002);
            }
            let last_drift = stats.drift.last().map(|(_, drift)| drift[vm]);
            assert!(last_drift.is_some(), "drift over time has a time at least");
        }
    }
}

#[test]
fn shares_of_pairs_are_those_of_all_pairs_looked_at_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let stats = make(folder.path(), "--virtual-time --vms 4 --seed 8 --duration 20 --draw 6");
    let run = Run::read(&folder.path().join("output"));
    let rows: Vec<_> =
        run.rows().map(|row| (row.vm as usize, row.event, row.lamport, list(&row.vector))).collect();
    let (mut pairs, mut concurrent, mut different) = (0u32, 0u32, 0u32);
    for (index, a) in rows.iter().enumerate() {
        for b in &rows[..index] {
            pairs += 1;
            let is_ordered = b.3[a.0] >= a.1 || a.3[b.0] >= b.1;
            concurrent += u32::from(!is_ordered);
            different += u32::from(!is_ordered && a.2 != b.2);
        }
    }
    assert_near(total(&stats, "concurrent_share"), f64::from(concurrent) / f64::from(pairs), 1e-12);
    assert_near(total(&stats, "false_order_share"), f64::from(different) / f64::from(concurrent), 1e-12);
}

#[test]
fn latencies_are_those_between_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let stats = make(folder.path(), "--virtual-time --rates 6,5,1 --draw 4 --latency 250ms --seed 2");
    let run = Run::read(&folder.path().join("output"));
    let sent: BTreeMap<String, u64> =
        run.rows().filter(|row| row.kind == "send").map(|row| (row.message.clone(), row.elapsed())).collect();
    for (vm, rows) in &run.vms {
        let receives: Vec<f64> = rows
            .iter()
            .filter(|row| row.kind == "receive")
            .map(|row| (row.elapsed() - sent[&row.message]) as f64 / 1e6)
            .collect();
        let mean = receives.iter().sum::<f64>() / receives.len() as f64;
        let vm = *vm as usize;
        assert_near(value(&stats, vm, "latency_mean_ms"), mean, 1e-6);
        assert_near(value(&stats, vm, "latency_max_ms"), receives.iter().copied().fold(0.0, f64::max), 1e-6);
        let (arrival, waiting) = (
            value(&stats, vm, "latency_arrival_ms").unwrap(),
            value(&stats, vm, "latency_waiting_ms").unwrap(),
        );
        assert_near(Some(arrival + waiting), mean, 1e-6);
        assert!(arrival >= 250.0, "a message is seen at the first tick after it arrived: {arrival}");
    }
}

/// Long runs come near to what the flow of messages says.
#[test]
fn theory_and_measures_meet() {
    for line in [
        "--rates 6,3,1",
        "--rates 5,5,4",
        "--vms 12 --rates 1-9 --seed 5 --draw 3 --loss 0.2",
        "--vms 2 --rates 6,2",
        "--vms 5 --rates 7,6,3,2,1 --draw 2",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let stats = make(folder.path(), &format!("--virtual-time --duration 5000s --clocks lamport {line}"));
        for vm in 0..stats.machines.len() {
            let expected = value(&stats, vm, "arrivals_expected").unwrap();
            assert_near(value(&stats, vm, "arrivals_per_s"), expected, 0.05 + expected * 0.05);
            let expected = value(&stats, vm, "queue_expected").unwrap();
            assert_near(value(&stats, vm, "queue_per_minute"), expected, 3.0 + expected * 0.1);
            if let Some(expected) = value(&stats, vm, "clock_expected").filter(|_| expected > 10.0) {
                assert_near(value(&stats, vm, "clock"), expected, expected * 0.1);
            }
        }
    }
}

#[test]
fn what_goes_wrong_in_a_run_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let warns = |stats: &Stats, part: &str| stats.warnings.iter().any(|warning| warning.contains(part));
    let saturated = make(folder.path(), "--virtual-time --rates 6,6,1 --draw 4 --seed 1");
    assert!(warns(&saturated, "machine 2's queue grows without bound, by about"), "{:?}", saturated.warnings);
    assert_eq!(saturated.warnings.len(), 1);
    let alone = make(folder.path(), "--virtual-time --partition 0s-60s:0/1,2 --seed 1");
    assert!(warns(&alone, "machine 0 never received anything in "), "{:?}", alone.warnings);
    assert_eq!(make(folder.path(), "--virtual-time --rates 5").warnings, Vec::<String>::new());
    assert_eq!(make(folder.path(), "--virtual-time --workload client-server").warnings, Vec::<String>::new());
    let late = folder.path().join("output/vm_0_5.csv");
    make(folder.path(), "--duration 1 --rates 5");
    let text = fs::read_to_string(&late).unwrap().replace(",0.", ",7.");
    fs::write(&late, text).unwrap();
    let Found::Run(found) = find(&folder.path().join("output")).unwrap() else { panic!("one run") };
    let stats = measure(&[*found], &Registry::default()).unwrap();
    assert!(warns(&stats, "machine 0 did not keep its rate of 5 a second"), "{:?}", stats.warnings);
}

#[test]
fn measures_come_as_tables_csv_and_json_and_of_several_runs() {
    let folder = tempfile::tempdir().unwrap();
    assert!(clocklab(folder.path(), "--quiet --virtual-time --runs 3 --seed 1").status.success());
    let text = |line: &str| {
        let told = clocklab(folder.path(), line);
        assert!(told.status.success(), "{told:?}");
        String::from_utf8(told.stdout).unwrap()
    };
    let table = text("stats");
    assert!(
        table.starts_with("3 runs, mean and standard deviation: output/run_1 to output/run_3\n"),
        "{table}"
    );
    assert!(table.contains(" ±"), "{table}");
    let table = text("stats output/run_1");
    for part in ["output/run_1\n", "\ndrift over time\n", "\nthe whole run\n", "concurrent_share"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let csv = text("stats --format csv");
    let rows: Vec<BTreeMap<String, String>> =
        csv::Reader::from_reader(csv.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 3 * 4);
    assert!(
        rows[0]["run"] == "output/run_1"
            && rows[3]["vm"] == "all"
            && !rows[3]["run_concurrent_share"].is_empty()
    );
    let json: serde_json::Value = serde_json::from_str(&text("stats --format json")).unwrap();
    assert_eq!(json[1]["run"], "output/run_2");
    assert_eq!(json[1]["machines"][2]["vm"], 2);
    assert!(
        json[1]["whole"]["concurrent_share"].is_number()
            && json[1]["machines"][0]["clock_expected"].is_null()
    );
    let help = text("stats --help");
    for measure in MEASURES {
        assert!(help.contains(measure.name), "{}", measure.name);
    }
    assert!(help.contains("λ_i"));
    let wrong = clocklab(folder.path(), "stats --format xml");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("table, csv, json"));
}

#[test]
fn what_a_crash_costs_is_measured_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let line =
        "--virtual-time --rates 9,3,3 --draw 4 --latency 300ms --seed 4 --crash 20s-30s:1 --crash 55s-70s:1";
    let told = clocklab(folder.path(), line);
    let printed = String::from_utf8(told.stdout).unwrap();
    let mut summary = csv::Reader::from_path(folder.path().join("output/summary.csv")).unwrap();
    let header = summary.headers().unwrap().clone();
    let column = header.iter().position(|name| name == "crashed").unwrap();
    let crashed: Vec<f64> = summary.records().map(|row| row.unwrap()[column].parse().unwrap()).collect();
    assert!(crashed[1] > 20.0 && crashed[0] == 0.0 && crashed[2] == 0.0, "{crashed:?}");
    assert!(printed.contains(&format!(" duplicated, {} crashed\n", crashed[1])), "{printed}");
    let stats = make(folder.path(), line);
    assert_near(value(&stats, 1, "messages_crashed"), crashed[1], 0.0);
    assert_near(value(&stats, 1, "down_s"), 15.0, 1e-9);
    assert_near(value(&stats, 1, "rate_kept"), 3.0, 0.05);
    assert_eq!(stats.total("messages_crashed"), Some(crashed[1]));
    assert_eq!(stats.total("messages_lost"), Some(0.0));
    assert_eq!([0, 2].map(|vm| value(&stats, vm, "down_s")), [None, None]);
    assert!(stats.flow.is_none(), "theory knows no crashes");
    let never = make(folder.path(), "--virtual-time --seed 4");
    assert_eq!((never.total("messages_crashed"), value(&never, 1, "messages_crashed")), (None, None));
}

#[test]
fn a_live_machine_that_was_down_is_not_late() {
    let folder = tempfile::tempdir().unwrap();
    for late in ["burst", "skip", "delay"] {
        let line = format!("--duration 1 --rates 20 --late {late} --crash 200ms-700ms:1");
        let stats = make(folder.path(), &line);
        assert_near(value(&stats, 1, "events"), 10.0, 0.0);
        let late_ms = value(&stats, 1, "late_max_ms").unwrap();
        let others = value(&stats, 0, "late_max_ms").unwrap().max(value(&stats, 2, "late_max_ms").unwrap());
        assert!(late_ms < others + 100.0, "{late}: {late_ms} ms, and the others {others} ms");
        let is_of_rates = |warning: &String| warning.contains("machine 1 did not keep its rate");
        assert!(!stats.warnings.iter().any(is_of_rates), "{:?}", stats.warnings);
    }
}
