//! Virtual time: what a tick costs, with Lamport clocks only and no logs where nothing else is said.
//!
//! - Against the plainest fast loop (`references/plain.rs`) and, with `--features nexosim`, against nexosim
//!   (`references/nexosim.rs`), on one thread; and two threads against one.
//! - With rows, in rows a second, to memory where the system has a file system there.
//! - With vector clocks, for a few numbers of machines: their cost grows with the number.
//!
//! A tick's time is taken between a short and a long run: it has nothing of what it takes to set up and
//! to end. `cargo bench --bench virtual_time -- N …` takes other numbers of machines.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "figures for people to read"
)]

mod common;
mod references;

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use clocklab::drivers::sim;
use clocklab::edge::control::{Stop, Unwatched};
use clocklab::edge::driver::Plan;
use clocklab::edge::log::Layout;
use clocklab::model::id::VmId;
use clocklab::model::scenario::{Scenario, Settings};
use clocklab::model::seed::Seed;
use clocklab::workload::ScaleModel;

const ROUNDS: usize = 7;

fn scenario(vms: u32, seconds: u64, phase: &str, clocks: &str) -> Scenario {
    let text = format!(
        "virtual-time = true\nvms = {vms}\nduration = {seconds}\nclocks = \"{clocks}\"\nphase = \"{phase}\""
    );
    let settings: Settings = toml::from_str(&text).expect("sound settings");
    Scenario::new(&settings, Seed(1)).expect("a sound scenario")
}

/// Seconds that clocklab takes, with logs where there is a folder for them.
fn clocklab(scenario: &Scenario, threads: usize, folder: Option<&Path>) -> f64 {
    let layout = if folder.is_some() { Layout::Combined } else { Layout::Nowhere };
    let plan = Plan { threads, layout, folder: folder.unwrap_or_else(|| Path::new("unused")).to_owned() };
    let (_stopper, stop) = Stop::new();
    let (vms, sides) = (scenario.vms(), scenario.sides());
    let begun = Instant::now();
    let outcome = sim::run(scenario, &plan, |vm| ScaleModel::new(vm, vms, sides), &stop, &mut Unwatched);
    black_box(outcome);
    begun.elapsed().as_secs_f64()
}

/// A short scenario and one twice as long, with some million ticks between them.
struct Pair {
    short: Scenario,
    long: Scenario,
}

impl Pair {
    fn new(vms: u32, ticks: u64, phase: &str, clocks: &str) -> Self {
        let seconds = (ticks / u64::from(vms) * 2 / 7).max(2);
        let (short, long) =
            (scenario(vms, seconds, phase, clocks), scenario(vms, 2 * seconds, phase, clocks));
        assert_eq!(short.schedule(VmId(0)), long.schedule(VmId(0)));
        Self { short, long }
    }

    /// Nanoseconds a tick between the two.
    fn tick(&self, run: impl Fn(&Scenario) -> f64) -> f64 {
        let ticks = self.long.events() - self.short.events();
        (run(&self.long) - run(&self.short)) * 1e9 / ticks as f64
    }
}

fn against_others(vms: u32, phase: &str) {
    let pair = Pair::new(vms, 5_000_000, phase, "lamport");
    let name = format!("a tick, {vms} machines, {phase} phases");
    let one = || pair.tick(|scenario| clocklab(scenario, 1, None));
    let plain = || pair.tick(references::plain::seconds);
    common::compare(&format!("{name}, one thread, against the plain loop"), ROUNDS, plain, one);
    #[cfg(feature = "nexosim")]
    if vms <= 100_000 {
        let pair = Pair::new(vms, 1_000_000, phase, "lamport");
        let nexosim = || references::nexosim::tick(&pair.short);
        common::compare(&format!("{name}, one thread, against nexosim"), 3, nexosim, one);
    }
    if vms >= 100_000 && std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        let two = || pair.tick(|scenario| clocklab(scenario, 2, None));
        common::compare(&format!("{name}, two threads, against one"), ROUNDS, one, two);
    }
}

/// Rows a second on one thread: a tick and its row together.
fn rows(clocks: &str) {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let pair = Pair::new(1_000, 3_000_000, "random", clocks);
    let times = (0..ROUNDS).map(|_| {
        pair.tick(|scenario| {
            let folder = tempfile::tempdir_in(&parent).expect("a folder");
            clocklab(scenario, 1, Some(folder.path()))
        })
    });
    let tick = common::median(times.collect());
    println!("rows, 1000 machines, clocks {clocks}: {tick:.1} ns, {:.1} million rows a second", 1e3 / tick);
}

fn vectors(vms: u32) {
    let tick = |clocks| {
        let pair = Pair::new(vms, if vms < 500 { 3_000_000 } else { 500_000 }, "random", clocks);
        common::median((0..5).map(|_| pair.tick(|scenario| clocklab(scenario, 1, None))).collect())
    };
    let (lamport, hybrid, vector) = (tick("lamport"), tick("lamport,hlc"), tick("lamport,vector"));
    println!(
        "clocks, {vms} machines: a tick takes {lamport:.1} ns with lamport, {hybrid:.1} with hlc beside it, \
         {vector:.1} with vector beside it"
    );
}

fn main() {
    let asked: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![1_000, 100_000, 1_000_000] } else { asked.clone() };
    for vms in sizes {
        for phase in ["random", "aligned"] {
            against_others(vms, phase);
        }
    }
    if asked.is_empty() {
        ["lamport", "lamport,hlc"].into_iter().for_each(rows);
        [3, 100, 1_000].into_iter().for_each(vectors);
    }
}
