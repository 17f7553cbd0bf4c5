//! Snapshots: what they promise on random runs, what they cost, and that their judge finds states that are no snapshot.

use clocklab::after::check::FaultKind;
use clocklab::model::id::VmId;
use clocklab::workload::{Algorithm, Heard, Make, Protocol, Snapshots, Speaking, Turn, Workloads};
use proptest::prelude::*;

use super::exclusion::{assert_parts_sound, settings};
use super::judged::{judge, marked, run, run_as};
use crate::common::Run;

fn snapshot() -> &'static Algorithm {
    Workloads::default().get("snapshot").unwrap()
}

/// How many markers were sent.
fn markers(run: &Run, vms: u64) -> u64 {
    let sends = run.rows().filter(|row| row.kind == "send" && row.payload.starts_with("marker "));
    sends.count() as u64 * (vms - 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn snapshots_are_consistent_and_add_up_for_a_marker_a_channel(
        (vms, settings) in settings(true), pay in 2u32..9, money in 0u32..1000, seed: u64,
    ) {
        let workload = format!("snapshot:pay={pay},money={money},pause=5");
        let folder = run_as(snapshot(), &workload, &settings, seed);
        let report = judge(snapshot(), folder.path());
        prop_assert!(report.is_sound() && report.is_whole, "{}", report.with_most(9));
        let (recorded, vms) = (marked(folder.path(), "recorded") as u64, u64::from(vms));
        let sent = markers(&Run::read(folder.path()), vms);
        // Who has recorded sends its markers next, unless the run ends before that.
        prop_assert!(recorded > 0 && sent <= recorded * (vms - 1) && sent + vms * (vms - 1) >= recorded * (vms - 1));
    }
}

#[test]
fn all_machines_record_again_and_again_while_money_is_on_its_way() {
    let settings = "vms = 4\nrates = 20\nduration = 30\nlatency = \"10ms-300ms\"";
    let folder = run_as(snapshot(), "snapshot:pause=10", settings, 1);
    assert!(judge(snapshot(), folder.path()).is_sound());
    let run = Run::read(folder.path());
    let each = |vm: u32| run.rows().filter(|row| row.vm == vm && row.mark == "recorded").count();
    assert!((0..4).all(|vm| each(vm) >= 5));
    let on_their_way = run.rows().filter(|row| row.mark.starts_with("channel ") && !row.mark.ends_with(" 0"));
    assert!(on_their_way.count() >= 3, "channels that were not empty");
}

#[test]
fn the_logs_of_some_machines_show_no_fault_that_the_others_could_explain() {
    for clocks in ["lamport", "vector"] {
        let settings = format!("vms = 3\nrates = 20\nduration = 8\nclocks = \"{clocks}\"");
        let folder = run(snapshot(), &settings, 3);
        assert_parts_sound(snapshot(), &folder);
    }
}

/// The paper's channels deliver in order. Where they do not, payments overtake markers: the states are no consistent cut
/// or do not add up, and the report says why.
#[test]
fn without_order_snapshots_break_and_the_check_says_so() {
    let settings = "vms = 4\nrates = 30\nduration = 20\nfifo = false\nlatency = \"exp:200ms\"";
    let folder = run_as(snapshot(), "snapshot:pay=3", settings, 1);
    let report = judge(snapshot(), folder.path());
    assert_eq!(report.faults.totals().keys().collect::<Vec<_>>(), [&FaultKind::Promise]);
    let told = report.with_most(50).to_string();
    assert!(told.contains("expected the recorded states are a consistent cut (vm"), "{told}");
    let adds_up = "expected the recorded states of machines and channels add up to all that there is (vm";
    assert!(told.contains(adds_up), "{told}");
    let note = "snapshot promises nothing without messages that stay in order";
    assert!(report.notes[0].starts_with(note), "{:?}", report.notes);
}

clocklab::messages! {
    /// What is said.
    enum Word {
        /// So much money.
        Pay { amount: u64 } = "pay",
    }
}

/// Records when it thinks that it is time, without markers.
#[derive(Debug)]
struct Unmarked(u32);

static UNMARKED: Algorithm = Algorithm {
    name: "unmarked",
    make: Make::Boxed(|vm, setup| Box::new(Speaking::new(vm, setup, Unmarked(setup.vms())))),
    judge: Some(|setup| Box::new(Snapshots::new(setup.vms(), 0))),
    least_vms: 2,
    ..Algorithm::PLAIN
};

impl Protocol for Unmarked {
    type Message = Word;

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        if turn.stream.below(20) == 0 {
            turn.mark("recorded");
        } else {
            let to = VmId((turn.vm().0 + 1) % self.0);
            turn.send([to], Word::Pay { amount: 1 });
        }
    }

    fn received(&mut self, _heard: &Heard<Word>, _turn: &mut Turn<'_, Word>) {}
}

#[test]
fn states_recorded_without_markers_are_found() {
    for seed in 1..4 {
        let folder = run(&UNMARKED, "vms = 3\nrates = 20\nduration = 20", seed);
        let report = judge(&UNMARKED, folder.path());
        assert_eq!(report.faults.totals().keys().collect::<Vec<_>>(), [&FaultKind::Promise]);
        let told = report.with_most(1).to_string();
        assert!(told.contains(" records what happened after vm"), "{told}");
        assert!(told.contains("it shows in the cut vm"), "{told}");
    }
}
