//! Live runs over several threads, in real time: what a paused clock on one thread cannot show.

use clocklab::drivers::live::run;
use clocklab::edge::control::{Stop, Unwatched};
use clocklab::edge::driver::{Ending, Plan};
use clocklab::edge::log::Layout;
use clocklab::model::event::Message;
use clocklab::model::id::VmId;
use clocklab::model::scenario::{Scenario, Settings};
use clocklab::model::seed::{Seed, Stream};
use clocklab::workload::{Action, ClientServer, ScaleModel, Tick, Workload};

/// Receives what there is, and breaks at its twentieth message.
#[derive(Debug)]
struct Brittle {
    other: VmId,
    left: u32,
}

impl Workload for Brittle {
    fn choose(&mut self, tick: &Tick<'_>, _: &mut Stream, to: &mut Vec<VmId>) -> Action {
        to.push(self.other);
        if tick.waiting > 0 { Action::Receive } else { Action::Send { payload: None } }
    }

    fn received(&mut self, _: &Message, _: &Tick<'_>, _: &mut Stream) {
        self.left -= 1;
        assert!(self.left > 0, "one message too many");
    }
}

#[test]
fn a_panic_on_one_of_several_threads_ends_the_run_on_all() {
    let settings: Settings = toml::from_str("vms = 8\nrates = 500\nduration = \"1h\"").unwrap();
    let scenario = Scenario::new(&settings, Seed(1)).unwrap();
    let plan = Plan { threads: 4, layout: Layout::Nowhere, folder: "unused".into() };
    let (_stopper, stop) = Stop::new();
    let brittle = |vm: VmId| Brittle { other: VmId(7 - vm.0), left: if vm.0 == 5 { 20 } else { u32::MAX } };
    let outcome = run(&scenario, &plan, None, brittle, stop, &mut Unwatched).unwrap();
    let Ending::Failed(failure) = outcome.ending else { panic!("{:?}", outcome.ending) };
    assert!(failure.to_string().starts_with("machine 5 panicked: one message too many"), "{failure}");
    assert_eq!(outcome.accounts.len(), 7);
}

/// Machines that tick at once and often: messages cross threads while other sites are still waking up,
/// and while others are already quiet.
#[test]
fn short_and_busy_runs_on_many_threads_complete_and_account_for_every_message() {
    for seed in 0..30 {
        // Whoever ticks first has no message, and with three sides each draw sends one.
        assert!(short_and_busy(seed, |vm| ScaleModel::new(vm, 40, 3)) > 0, "seed {seed}");
    }
    // A code takes a server that ticks after a client has called, which threads that start late may miss.
    let (mut runs, mut codes) = (0, 0);
    while runs < 30 || codes == 0 {
        assert!(runs < 1000, "no code in {runs} runs");
        codes += short_and_busy(runs, ClientServer::new);
        runs += 1;
    }
}

/// Makes a run of ten milliseconds, demands that it accounts for every message, and tells how many were sent.
fn short_and_busy<W: Workload>(seed: u64, workload: impl Fn(VmId) -> W + Send + Sync + 'static) -> u64 {
    let settings: Settings =
        toml::from_str("vms = 40\nrates = \"2000-9000\"\nduration = \"10ms\"\ndraw = 3").unwrap();
    let scenario = Scenario::new(&settings, Seed(seed)).unwrap();
    let plan = Plan { threads: 8, layout: Layout::Nowhere, folder: "unused".into() };
    let (_stopper, stop) = Stop::new();
    let outcome = run(&scenario, &plan, None, workload, stop, &mut Unwatched).unwrap();
    assert!(matches!(outcome.ending, Ending::Complete), "{:?}", outcome.ending);
    let tallies = || outcome.accounts.iter().map(|account| &account.tally);
    assert_eq!(tallies().map(|tally| tally.events).sum::<u64>(), scenario.events());
    let sent: u64 = tallies().map(|tally| tally.sent).sum();
    let received: u64 = tallies().map(|tally| tally.receives).sum();
    let left: u64 = outcome.accounts.iter().map(|account| account.waiting + account.in_flight).sum();
    assert_eq!(sent, received + left);
    sent
}
