//! Causal broadcast: what it promises on random runs, what it costs, and that its judge finds who does not wait.

use clocklab::after::check::FaultKind;
use clocklab::after::order::{Cut, Events};
use clocklab::model::event::MessageId;
use clocklab::workload::{Algorithm, Broadcast, Heard, Make, Protocol, Setup, Speaking, Turn, Workloads};
use proptest::prelude::*;

use super::exclusion::{assert_parts_sound, settings};
use super::judged::{folder_at, judge, marked, run, run_as};
use crate::common::Run;

fn causal_broadcast() -> &'static Algorithm {
    Workloads::default().get("causal-broadcast").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn broadcasts_are_delivered_in_causal_order_for_a_message_to_each_other(
        (vms, settings) in settings(false), pause in 4u32..60, seed: u64,
    ) {
        let workload = format!("causal-broadcast:pause={pause}");
        let folder = run_as(causal_broadcast(), &workload, &settings, seed);
        let report = judge(causal_broadcast(), folder.path());
        prop_assert!(report.is_sound() && report.is_whole, "{}", report.with_most(9));
        let (broadcasts, vms) = (marked(folder.path(), "broadcast") as u64, u64::from(vms));
        prop_assert!(broadcasts > 0);
        prop_assert_eq!(report.counts.sent, broadcasts * (vms - 1));
        let run = Run::read(folder.path());
        let delivered = run.rows().filter(|row| row.mark.starts_with("deliver vm")).count() as u64;
        prop_assert!((1..=broadcasts * vms).contains(&delivered));
    }
}

/// Broadcasts are so rare here that nearly all have come everywhere when the run ends, and messages overtake each other.
#[test]
fn nearly_all_is_delivered_everywhere_and_some_is_held_back() {
    let settings = "vms = 5\nrates = 40\nduration = 20\nfifo = false\nlatency = \"exp:60ms\"";
    let folder = run_as(causal_broadcast(), "causal-broadcast:pause=400", settings, 4);
    let broadcasts = marked(folder.path(), "broadcast");
    let run = Run::read(folder.path());
    let delivered = run.rows().filter(|row| row.mark.starts_with("deliver ")).count();
    let held = run.rows().filter(|row| row.kind == "receive" && row.mark.is_empty()).count();
    assert!(broadcasts > 10 && delivered + 20 > 5 * broadcasts, "{delivered} of 5 times {broadcasts}");
    let late = run.rows().filter(|row| row.kind == "internal" && row.mark.starts_with("deliver ")).count();
    assert!(late >= broadcasts.saturating_sub(1), "a machine's own at least");
    assert!(late + held > broadcasts, "some are held back: {late} {held}");
}

#[test]
fn the_logs_of_some_machines_show_no_fault_that_the_others_could_explain() {
    for clocks in ["lamport", "vector"] {
        let settings = format!(
            "vms = 3\nrates = 20\nduration = 10\nclocks = \"{clocks}\"\nfifo = false\nlatency = \"exp:90ms\""
        );
        let folder = run(causal_broadcast(), &settings, 3);
        assert_parts_sound(causal_broadcast(), &folder);
    }
}

clocklab::messages! {
    /// What is said.
    enum Word {
        /// Something.
        Say = "say",
    }
}

/// Delivers what comes when it comes.
#[derive(Debug)]
struct Eager {
    own: Option<MessageId>,
}

static EAGER: Algorithm = Algorithm {
    name: "eager",
    make: Make::Boxed(|vm, setup| Box::new(Speaking::new(vm, setup, Eager { own: None }))),
    judge: Some(|setup: &Setup| Box::new(Broadcast::new(setup.vms()))),
    ..Algorithm::PLAIN
};

impl Protocol for Eager {
    type Message = Word;

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        if let Some(own) = self.own.take() {
            turn.mark(format_args!("deliver {own}"));
        } else if turn.stream.below(4) == 0 {
            self.own = Some(MessageId { sender: turn.vm(), event: turn.tick.event });
            turn.mark("broadcast");
            turn.send_to_others(Word::Say);
        }
    }

    fn received(&mut self, heard: &Heard<Word>, turn: &mut Turn<'_, Word>) {
        turn.mark(format_args!("deliver {}", heard.id));
    }
}

#[test]
fn one_that_does_not_hold_back_is_found_with_the_events_and_a_consistent_cut() {
    for (seed, fifo) in [(1, true), (2, false)] {
        let settings = format!("vms = 4\nrates = 30\nduration = 10\nfifo = {fifo}\nlatency = \"exp:150ms\"");
        let folder = run(&EAGER, &settings, seed);
        let report = judge(&EAGER, folder.path());
        assert_eq!(report.faults.totals().keys().collect::<Vec<_>>(), [&FaultKind::Promise]);
        let told = report.with_most(1).to_string();
        assert!(told.contains("expected broadcasts are delivered in causal order (vm"), "{told}");
        let cut = told.split("it shows in the cut ").nth(1).unwrap().split(" [").next().unwrap();
        let cut: Vec<MessageId> = cut.split(", ").map(|name| name.parse().unwrap()).collect();
        let events = Events::read(&[folder_at(folder.path())], &cut).unwrap();
        assert_eq!(events.cut(&cut), Cut::Consistent, "{told}");
    }
}
