//! Lamport's mutual exclusion: what it promises on random runs, and that its judge finds a version that does not wait.

use clocklab::after::check::FaultKind;
use clocklab::model::event::{Call, Message};
use clocklab::model::id::VmId;
use clocklab::model::seed::Stream;
use clocklab::workload::{
    Action, Algorithm, AnyWorkload, Exclusion, Heard, Make, Protocol, Speaking, Tick, Turn, Workload,
    Workloads,
};
use proptest::prelude::*;

use super::judged::{assert_cut_has_two_inside, judge, marked, run};
use crate::common::{self, Run};

fn lamport_mutex() -> &'static Algorithm {
    Workloads::default().get("lamport-mutex").unwrap()
}

fn settings() -> impl Strategy<Value = (u32, String)> {
    let latency = prop_oneof![Just("1ms"), Just("1ms-400ms"), Just("exp:80ms")];
    let clocks = prop_oneof![Just("lamport"), Just("vector"), Just("vector,hlc")];
    (1u32..7, 1u32..30, latency, clocks, any::<bool>()).prop_map(|(vms, rate, latency, clocks, aligned)| {
        let phase = if aligned { "aligned" } else { "random" };
        let text = format!(
            "vms = {vms}\nrates = \"{rate}-{}\"\nduration = 30\nlatency = \"{latency}\"\nclocks = \"{clocks}\"\nphase = \"{phase}\"",
            rate + 9
        );
        (vms, text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn machines_enter_one_at_a_time_in_the_order_of_their_requests_at_the_textbooks_cost(
        (vms, settings) in settings(), seed: u64,
    ) {
        let folder = run(lamport_mutex(), &settings, seed);
        let report = judge(lamport_mutex(), folder.path());
        prop_assert!(report.is_sound() && report.is_whole, "{}", report.with_most(9));
        let [asked, entered, left] = ["request", "enter", "leave"].map(|mark| marked(folder.path(), mark) as u64);
        let others = u64::from(vms) - 1;
        prop_assert!(asked >= entered && entered >= left && entered > 0, "{asked} {entered} {left}");
        // What the run's end has cut short costs less.
        let sent = report.counts.sent;
        prop_assert!((3 * others * left..=3 * others * asked).contains(&sent), "{sent} for {left} to {asked} stays");
        Run::read(folder.path()).assert_sound();
    }
}

#[test]
fn the_logs_of_some_machines_show_no_fault_that_the_others_could_explain() {
    for (seed, clocks) in [(1, "lamport"), (2, "vector")] {
        let settings = format!("vms = 4\nrates = 20\nduration = 20\nclocks = \"{clocks}\"");
        let folder = run(lamport_mutex(), &settings, seed);
        for vm in 0..4 {
            let start = format!("vm_{vm}_");
            let name =
                common::names(folder.path()).into_iter().find(|name| name.starts_with(&start)).unwrap();
            let (log, aside) = (folder.path().join(&name), folder.path().join("aside"));
            std::fs::rename(&log, &aside).unwrap();
            let report = judge(lamport_mutex(), folder.path());
            std::fs::rename(&aside, &log).unwrap();
            assert!(report.is_part() && report.is_sound(), "{}", report.with_most(9));
        }
    }
}

/// The same algorithm on a machine that looks at its messages at every second tick alone, and is as legal.
#[derive(Debug)]
struct EverySecond(AnyWorkload);

static EVERY_SECOND: Algorithm = Algorithm {
    name: "every-second",
    make: Make::Boxed(|vm, setup| {
        let lamport_mutex = Workloads::default().get("lamport-mutex").unwrap();
        let setup = clocklab::workload::Setup::new(setup.vms(), lamport_mutex);
        Box::new(EverySecond(lamport_mutex.make.boxed(vm, &setup)))
    }),
    judge: Some(|_| Box::new(Exclusion::new().in_order())),
    ..Algorithm::PLAIN
};

impl Workload for EverySecond {
    fn choose(&mut self, tick: &Tick<'_>, stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
        let waiting = if tick.event.is_multiple_of(2) { tick.waiting } else { 0 };
        self.0.choose(&Tick { waiting, ..*tick }, stream, to)
    }

    fn received(&mut self, message: &Message, after: &Tick<'_>, stream: &mut Stream) {
        self.0.received(message, after, stream);
    }

    fn called(&mut self, call: &Call) {
        self.0.called(call);
    }

    fn mark(&self) -> &str {
        self.0.mark()
    }
}

#[test]
fn a_legal_one_that_receives_at_every_second_tick_has_no_fault() {
    for seed in 1..6 {
        let folder = run(&EVERY_SECOND, "vms = 3\nrates = \"5-20\"\nduration = 60", seed);
        let report = judge(&EVERY_SECOND, folder.path());
        assert!(report.is_sound(), "{}", report.with_most(9));
        assert!(marked(folder.path(), "leave") > 20);
        let waits = |row: &&common::Row| row.kind != "receive" && row.queue > 0;
        assert!(
            Run::read(folder.path()).rows().filter(waits).count() > 20,
            "messages wait while it does other things"
        );
    }
}

clocklab::messages! {
    /// What the hasty say.
    enum Word {
        /// I enter.
        Request = "request",
        /// I have left.
        Release = "release",
    }
}

/// Asks, and does not wait for an answer.
#[derive(Debug)]
struct Hasty {
    is_inside: bool,
    has_asked: bool,
}

static HASTY: Algorithm = Algorithm {
    name: "hasty",
    make: Make::Boxed(|vm, setup| {
        Box::new(Speaking::new(vm, setup, Hasty { is_inside: false, has_asked: false }))
    }),
    judge: Some(|_| Box::new(Exclusion::new().in_order())),
    ..Algorithm::PLAIN
};

impl Protocol for Hasty {
    type Message = Word;

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        if self.is_inside {
            turn.send_to_others(Word::Release);
        } else if self.has_asked {
            self.is_inside = true;
            turn.mark("enter");
        } else if turn.stream.below(8) == 0 {
            turn.send_to_others(Word::Request);
        }
    }

    fn sent(&mut self, word: &Word, turn: &mut Turn<'_, Word>) {
        let is_request = *word == Word::Request;
        turn.mark(if is_request { "request" } else { "leave" });
        (self.has_asked, self.is_inside) = (is_request, false);
    }

    fn received(&mut self, _heard: &Heard<Word>, _turn: &mut Turn<'_, Word>) {}
}

#[test]
fn a_version_that_does_not_wait_is_found_by_its_judge_with_the_events_and_the_cut() {
    for (seed, clocks) in [(1, "lamport"), (2, "vector,hlc"), (3, "hlc")] {
        let settings = format!("vms = 3\nrates = 6\nclocks = \"{clocks}\"");
        let folder = run(&HASTY, &settings, seed);
        let report = judge(&HASTY, folder.path());
        assert_eq!(report.faults.totals().keys().collect::<Vec<_>>(), [&FaultKind::Promise]);
        let told =
            report.faults.first().map(ToString::to_string).find(|told| told.contains("is inside")).unwrap();
        for said in [
            "column mark: found vm",
            "expected no two machines inside at once (vm",
            " at ",
            ".csv:",
            "what the workload promises",
        ] {
            assert!(told.contains(said), "{told}");
        }
        assert_cut_has_two_inside(folder.path(), &told);
    }
}

/// The paper assumes that messages from one process to another are received in the order in which they were sent;
/// without that the promise does not hold, and the report says why.
#[test]
fn without_order_between_two_machines_the_promise_may_break_and_the_check_says_so() {
    let settings = "vms = 4\nrates = 50\nduration = 60\nfifo = false\nlatency = \"exp:200ms\"";
    let reports = (1..9).map(|seed| {
        let folder = run(lamport_mutex(), settings, seed);
        judge(lamport_mutex(), folder.path())
    });
    let broken: Vec<_> = reports.filter(|report| !report.is_sound()).collect();
    assert!(!broken.is_empty());
    for report in broken {
        assert_eq!(report.faults.totals().keys().collect::<Vec<_>>(), [&FaultKind::Promise]);
        let note = "lamport-mutex promises nothing without messages that stay in order";
        assert!(report.notes[0].starts_with(note), "{:?}", report.notes);
    }
}
