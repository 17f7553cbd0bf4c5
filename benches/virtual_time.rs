//! Virtual time: nanoseconds a tick without logs, Lamport clocks only, against the plainest fast loop.
//!
//! The loop has an array of machines, a calendar of millisecond slots and a queue each; the same
//! workload, rates and phases, and nothing of clocklab's model beside: no order among messages that
//! arrive in one millisecond, no network, no measures. Both are timed for a short and for a long run;
//! the difference is what the ticks between cost, without what it takes to set up and to end.
//!
//! `cargo bench --bench virtual_time -- N …` takes other numbers of machines.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "figures for people to read"
)]

mod common;

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use clocklab::control::{Stop, Unwatched};
use clocklab::driver::Plan;
use clocklab::id::VmId;
use clocklab::log::Layout;
use clocklab::scenario::{Scenario, Settings};
use clocklab::seed::{Purpose, Seed, Stream};
use clocklab::sim;
use clocklab::workload::ScaleModel;

const ROUNDS: usize = 7;
const SIDES: u64 = 10;

fn scenario(vms: u32, seconds: u64, phase: &str) -> Scenario {
    let text = format!(
        "virtual-time = true\nvms = {vms}\nduration = {seconds}\nclocks = \"lamport\"\nphase = \"{phase}\"\ndraw = {SIDES}"
    );
    let settings: Settings = toml::from_str(&text).expect("sound settings");
    Scenario::new(&settings, Seed(1)).expect("a sound scenario")
}

/// Seconds that clocklab takes.
fn clocklab(scenario: &Scenario, threads: usize) -> f64 {
    let plan = Plan { threads, layout: Layout::Nowhere, folder: "unused".into() };
    let (_stopper, stop) = Stop::new();
    let (vms, sides) = (scenario.vms(), scenario.sides());
    let begun = Instant::now();
    let outcome = sim::run(scenario, &plan, |vm| ScaleModel::new(vm, vms, sides), &stop, &mut Unwatched);
    black_box(outcome);
    begun.elapsed().as_secs_f64()
}

/// A machine of the plain loop.
struct Machine {
    lamport: u64,
    due_ns: u64,
    period_ns: u64,
    draws: Stream,
    queue: VecDeque<(u64, u64)>,
}

/// Seconds that the plain loop takes.
fn plain_loop(scenario: &Scenario) -> f64 {
    let vms = scenario.vms();
    let begun = Instant::now();
    let mut machines: Vec<Machine> = scenario
        .ids()
        .map(|vm| Machine {
            lamport: 0,
            due_ns: scenario.schedule(vm).phase().get(),
            period_ns: scenario.schedule(vm).rate().period().get(),
            draws: scenario.seed().stream(vm, Purpose::Workload),
            queue: VecDeque::new(),
        })
        .collect();
    let mut slots: Vec<Vec<u32>> = vec![Vec::new(); 1024];
    for (index, machine) in machines.iter().enumerate() {
        slots[(machine.due_ns / 1_000_000) as usize % 1024].push(index as u32);
    }
    let mut due = Vec::new();
    for now in 0..scenario.duration().get() / 1_000_000 {
        due.clear();
        std::mem::swap(&mut due, &mut slots[now as usize % 1024]);
        for &index in &due {
            let machine = &mut machines[index as usize];
            machine.due_ns += machine.period_ns;
            slots[(machine.due_ns / 1_000_000) as usize % 1024].push(index);
            if machine.queue.front().is_some_and(|(arrives, _)| *arrives <= now)
                && let Some((_, stamp)) = machine.queue.pop_front()
            {
                machine.lamport = machine.lamport.max(stamp) + 1;
                continue;
            }
            machine.lamport += 1;
            let (roll, stamp) = (1 + machine.draws.below(SIDES), machine.lamport);
            if roll > 3 || vms < 2 {
                continue;
            }
            let others = u64::from(vms) - 1;
            for _ in 0..if roll == 3 { 2 } else { 1 } {
                let ahead = 1 + machines[index as usize].draws.below(others);
                let to = (u64::from(index) + ahead) % u64::from(vms);
                machines[to as usize].queue.push_back((now + 1, stamp));
            }
        }
    }
    black_box(machines.iter().map(|machine| machine.lamport).sum::<u64>());
    begun.elapsed().as_secs_f64()
}

/// Nanoseconds a tick between a short run and a long one.
fn a_tick(short: &Scenario, long: &Scenario, run: impl Fn(&Scenario) -> f64) -> f64 {
    let ticks = long.events() - short.events();
    (run(long) - run(short)) * 1e9 / ticks as f64
}

fn main() {
    let asked: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![1_000, 100_000, 1_000_000] } else { asked };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(2);
    for vms in sizes {
        // Some five million ticks between the short run and the long one, in at least two seconds.
        let seconds = (1_500_000 / u64::from(vms)).max(2);
        for phase in ["random", "aligned"] {
            let (short, long) = (scenario(vms, seconds, phase), scenario(vms, 2 * seconds, phase));
            assert_eq!(short.schedule(VmId(0)), long.schedule(VmId(0)));
            let name = format!("a tick, {vms} machines, {phase} phases");
            let plain = || a_tick(&short, &long, plain_loop);
            common::compare(&format!("{name}, one thread, against the plain loop"), ROUNDS, plain, || {
                a_tick(&short, &long, |scenario| clocklab(scenario, 1))
            });
            if threads > 1 && vms >= 100_000 {
                let one = || a_tick(&short, &long, |scenario| clocklab(scenario, 1));
                common::compare(&format!("{name}, two threads, against one"), ROUNDS, one, || {
                    a_tick(&short, &long, |scenario| clocklab(scenario, 2))
                });
            }
        }
    }
}
