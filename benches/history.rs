//! Reading logs: the rows as values, the whole check, and the measures, against only reading the same
//! files with the `csv` crate, record by record and without looking into them. And questions about the order of
//! ten million events: how long the reading takes, and how long an answer after that.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(clippy::cast_precision_loss, reason = "times for people to read")]

mod common;

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use clocklab::after::check::check;
use clocklab::after::order::Events;
use clocklab::after::stats::measure;
use clocklab::drivers::sim;
use clocklab::edge::control::{Stop, Unwatched};
use clocklab::edge::driver::Plan;
use clocklab::edge::log::{Drawn, Found, Layout, LogFolder, Manifest, RowReader, RunSection, Status, find};
use clocklab::model::event::MessageId;
use clocklab::model::id::VmId;
use clocklab::model::registry::Registry;
use clocklab::model::scenario::{Scenario, Settings, VmCount};
use clocklab::model::seed::Seed;
use clocklab::workload::ScaleModel;

const ROUNDS: usize = 5;

fn make(settings: &str, folder: &Path) -> (LogFolder, u64) {
    let settings: Settings = toml::from_str(settings).expect("settings");
    let scenario = Scenario::new(&settings, Seed(1)).expect("a scenario");
    let (vms, sides) = (scenario.vms(), scenario.sides());
    let layout = if vms > Layout::MOST_FILES { Layout::Combined } else { Layout::PerVm };
    let plan = Plan { threads: 1, layout, folder: folder.to_owned() };
    let (_stopper, stop) = Stop::new();
    let outcome = sim::run(&scenario, &plan, |vm| ScaleModel::new(vm, vms, sides), &stop, &mut Unwatched);
    let manifest = Manifest {
        status: Status::Complete,
        settings: scenario.settings(),
        run: RunSection::default(),
        drawn: Drawn::default(),
        sweep: None,
        files: outcome.files,
    };
    manifest.write(folder).expect("a manifest");
    let Found::Run(found) = find(folder).expect("a run") else { unreachable!("one run") };
    (*found, scenario.events())
}

fn time(rows: u64, work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_nanos() as f64 / rows as f64
}

fn with_csv(run: &LogFolder) {
    let mut record = csv::ByteRecord::new();
    for log in &run.logs {
        let mut reader = csv::Reader::from_path(&log.path).expect("a log");
        while reader.read_byte_record(&mut record).expect("a row") {
            black_box(&record);
        }
    }
}

fn with_rows(run: &LogFolder) {
    for log in &run.logs {
        let mut reader = RowReader::open(&log.path).expect("a log");
        while let Some(row) = reader.next_row().expect("a row") {
            black_box(row);
        }
    }
}

fn with_check(run: &LogFolder) {
    let report = check(std::slice::from_ref(run), &Registry::default()).expect("logs");
    assert!(report.is_sound());
}

fn with_stats(run: &LogFolder) {
    black_box(measure(std::slice::from_ref(run), &Registry::default()).expect("logs"));
}

/// The longest of some answers, in milliseconds.
fn longest<T>(asked: &[MessageId], mut answer: impl FnMut(&[MessageId]) -> T) -> f64 {
    let times = asked.windows(2).map(|pair| time(1_000_000, || drop(black_box(answer(pair)))));
    times.fold(0.0, f64::max)
}

fn ask(name: &str, settings: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let (run, rows) = make(&format!("virtual-time = true\n{settings}"), folder.path());
    let vms = u64::from(toml::from_str::<Settings>(settings).expect("settings").vms.map_or(3, VmCount::get));
    // From one end of the run to the other, and close to each other; each machine has some hundred events at least.
    let last = rows / vms / 2;
    let event = |k: u64| {
        let sender = VmId(u32::try_from(k * 7 % vms).expect("few"));
        MessageId { sender, event: if k.is_multiple_of(3) { 1 + k } else { last / 20 * (k % 20 + 1) } }
    };
    let asked: Vec<MessageId> = (0..20).map(event).collect();
    let begun = Instant::now();
    let events = Events::read(std::slice::from_ref(&run), &asked).expect("events");
    let reading = begun.elapsed().as_secs_f64();
    let order = longest(&asked, |pair| events.order(pair[0], pair[1]).expect("an answer").to_string());
    let past = longest(&asked, |pair| events.past(pair[0]));
    let future = longest(&asked, |pair| events.future(pair[0]));
    let cut = longest(&asked, |pair| {
        events.crossing(
            &events
                .past(pair[0])
                .into_iter()
                .map(|(sender, event)| MessageId { sender, event })
                .collect::<Vec<_>>(),
        )
    });
    println!(
        "{rows} events, {name}: read in {reading:.2} s; the longest of 19 answers: order {order:.1} ms, past \
         {past:.1} ms, future {future:.1} ms, cut {cut:.1} ms"
    );
}

fn main() {
    ask("1,000 machines, no vectors", "vms = 1000\nclocks = \"lamport\"\nduration = \"2900s\"");
    ask("3 machines, vectors", "duration = \"840000s\"\nrates = \"5,4,3\"\nclocks = \"vector\"");
    let runs = [
        ("1,000 machines, Lamport clocks", "vms = 1000\nclocks = \"lamport\"\nduration = \"300s\""),
        (
            "1,000 machines with faults, hybrid clocks",
            "vms = 1000\nclocks = \"hlc\"\nduration = \"300s\"\nlatency = \"1ms-900ms\"\nloss = 0.05\nduplicate = 0.05",
        ),
        ("3 machines, all clocks", "duration = \"100000s\"\nrates = \"5,4,3\""),
        ("100 machines, all clocks", "vms = 100\nduration = \"300s\""),
    ];
    for (name, settings) in runs {
        let folder = tempfile::tempdir().expect("a folder");
        let (run, rows) = make(&format!("virtual-time = true\n{settings}"), folder.path());
        let csv = || time(rows, || with_csv(&run));
        common::compare(&format!("a row as values, {name}"), ROUNDS, csv, || time(rows, || with_rows(&run)));
        common::compare(&format!("a row checked, {name}"), ROUNDS, csv, || time(rows, || with_check(&run)));
        common::compare(&format!("a row measured, {name}"), ROUNDS, csv, || time(rows, || with_stats(&run)));
    }
}
