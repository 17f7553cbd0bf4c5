//! Capacity live, with logs: machines at 1 to 6 ticks a second with Lamport clocks, 20 s, two threads.
//!
//! It runs the program itself and reads what it leaves: all events made, the lateness of ticks, and
//! from the operating system processor time and memory. `cargo bench --bench capacity -- N …` takes
//! other numbers of machines; the default is 100,000.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(clippy::cast_precision_loss, reason = "figures for people to read")]

use std::path::Path;
use std::process::{Command, Stdio};

const SECONDS: u64 = 20;

/// What a run took.
struct Cost {
    events: i64,
    p50: f64,
    p99: f64,
    max: f64,
    peak_kib: f64,
    cores: f64,
}

fn main() {
    let asked: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![100_000] } else { asked };
    let folder = std::env::temp_dir().join(format!("clocklab-capacity-{}", std::process::id()));
    let base = run(&folder, 1).peak_kib;
    for vms in sizes {
        let cost = run(&folder, vms);
        println!(
            "{vms} machines, {SECONDS} s: {} events ({:.0} a second), all made; lateness p50 {:.1} ms, p99 {:.1} ms, \
             max {:.1} ms; {:.2} KiB a machine; {:.2} cores",
            cost.events,
            cost.events as f64 / SECONDS as f64,
            cost.p50,
            cost.p99,
            cost.max,
            (cost.peak_kib - base) / f64::from(vms),
            cost.cores,
        );
    }
    std::fs::remove_dir_all(&folder).expect("the bench's own folder");
}

/// Runs the program under `/usr/bin/env time`, which tells memory and processor time.
fn run(folder: &Path, vms: u32) -> Cost {
    let args = ["--clocks", "lamport", "--log", "combined", "--threads", "2", "--seed", "1", "--quiet"];
    let told = folder.with_extension("time");
    let status = Command::new("time")
        .args(["-f", "%M %U %S %e", "-o"])
        .arg(&told)
        .arg(env!("CARGO_BIN_EXE_clocklab"))
        .args(args)
        .args(["--vms", &vms.to_string(), "--duration", &SECONDS.to_string(), "--output"])
        .arg(folder)
        .stdin(Stdio::null())
        .status()
        .expect("the program `time` (Debian's package of that name)");
    assert!(status.success(), "{status}");
    let told_text = std::fs::read_to_string(&told).expect("what `time` told");
    let _ = std::fs::remove_file(&told);
    let numbers: Vec<f64> =
        told_text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    let manifest: toml::Table =
        std::fs::read_to_string(folder.join("run.toml")).expect("a manifest").parse().expect("sound TOML");
    let section = manifest["run"].as_table().expect("a table");
    let ms = |key: &str| section[key].as_float().expect("a number");
    let events = section["events"].as_integer().expect("a number");
    let rates = manifest["drawn"]["rates"].as_array().expect("a list");
    let due: i64 = rates.iter().map(|rate| rate.as_integer().expect("a rate") * SECONDS.cast_signed()).sum();
    assert_eq!(events, due, "all events made");
    let _ = std::fs::remove_dir_all(folder.join("previous"));
    Cost {
        events,
        p50: ms("lateness_p50_ms"),
        p99: ms("lateness_p99_ms"),
        max: ms("lateness_max_ms"),
        peak_kib: numbers[0],
        cores: (numbers[1] + numbers[2]) / numbers[3],
    }
}
