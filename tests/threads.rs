//! Live runs over several threads, in real time: what a paused clock on one thread cannot show.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use clocklab::control::{Stop, Unwatched};
use clocklab::live::{Ending, Plan, run};
use clocklab::log::Layout;
use clocklab::scenario::{Scenario, Settings};
use clocklab::seed::Seed;
use clocklab::workload::ScaleModel;

/// Machines that tick at once and often: messages cross threads while other sites are still waking up,
/// and while others are already quiet.
#[test]
fn short_and_busy_runs_on_many_threads_complete_and_account_for_every_message() {
    for seed in 0..60 {
        let settings: Settings =
            toml::from_str("vms = 40\nrates = \"2000-9000\"\nduration = \"10ms\"\ndraw = 3").unwrap();
        let scenario = Scenario::new(&settings, Seed(seed)).unwrap();
        let plan = Plan { threads: 8, layout: Layout::Nowhere, folder: "unused".into() };
        let (_stopper, stop) = Stop::new();
        let workload = |vm| ScaleModel::new(vm, 40, 3);
        let outcome = run(&scenario, &plan, workload, stop, &mut Unwatched).unwrap();
        assert!(matches!(outcome.ending, Ending::Complete), "{:?}", outcome.ending);
        let tallies = || outcome.accounts.iter().map(|account| &account.tally);
        assert_eq!(tallies().map(|tally| tally.events()).sum::<u64>(), scenario.events());
        let sent: u64 = tallies().map(|tally| tally.sent).sum();
        let received: u64 = tallies().map(|tally| tally.receives).sum();
        let left: u64 = outcome.accounts.iter().map(|account| account.waiting + account.in_flight).sum();
        assert_eq!(sent, received + left);
        assert!(sent > 0);
    }
}
