//! An event allocates nothing where nothing is needed: allocations are counted in a short run and in a
//! longer one, so that what it takes to set up and to end is not.

use clocklab::drivers::sim;
use clocklab::edge::control::{Stop, Unwatched};
use clocklab::edge::driver::Plan;
use clocklab::edge::log::Layout;
use clocklab::model::scenario::{Scenario, Settings};
use clocklab::model::seed::Seed;
use clocklab::workload::ScaleModel;

fn scenario(vms: u32, seconds: u32, clocks: &str) -> Scenario {
    let text = format!("virtual-time = true\nvms = {vms}\nduration = {seconds}\nclocks = \"{clocks}\"");
    let settings: Settings = toml::from_str(&text).expect("sound settings");
    Scenario::new(&settings, Seed(3)).expect("a sound scenario")
}

/// Allocations of a run on one thread, with its events and messages.
fn allocations(scenario: &Scenario, layout: Layout) -> (u64, u64, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan { threads: 1, layout, folder: folder.path().to_owned() };
    let (_stopper, stop) = Stop::new();
    let (vms, sides) = (scenario.vms(), scenario.sides());
    let (mut events, mut sends) = (0, 0);
    let info = allocation_counter::measure(|| {
        let outcome = sim::run(scenario, &plan, |vm| ScaleModel::new(vm, vms, sides), &stop, &mut Unwatched);
        events = outcome.accounts.iter().map(|account| account.tally.events).sum();
        sends = outcome.accounts.iter().map(|account| account.tally.sends).sum();
    });
    (info.count_total, events, sends)
}

/// Allocations, events and sends between a run of a minute and one of three.
fn between(clocks: &str, layout: Layout) -> (u64, u64, u64) {
    let (short, long) = (scenario(300, 60, clocks), scenario(300, 180, clocks));
    let (short, long) = (allocations(&short, layout), allocations(&long, layout));
    (long.0.saturating_sub(short.0), long.1 - short.1, long.2 - short.2)
}

#[test]
fn an_event_without_a_vector_allocates_nothing() {
    for (clocks, layout) in
        [("lamport", Layout::Nowhere), ("lamport,hlc", Layout::Nowhere), ("lamport,hlc", Layout::Combined)]
    {
        let (allocations, events, _) = between(clocks, layout);
        assert!(events > 100_000);
        // Queues that grow longer than ever before, slots of the calendar that were never as full.
        assert!(allocations * 100 < events, "{allocations} allocations at {events} events with {clocks}");
    }
}

#[test]
fn a_send_with_a_vector_allocates_its_stamp_and_nothing_else() {
    let (allocations, events, sends) = between("lamport,vector,hlc", Layout::Nowhere);
    assert!(sends > 20_000);
    assert!(allocations >= sends && allocations - sends < events / 100, "{allocations} at {sends} sends");
}
