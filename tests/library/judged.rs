//! Workloads of one's own, judged from their logs: a mutual exclusion that keeps its promise and one that does not.

use std::path::Path;

use clocklab::after::check::{FaultKind, Report, check};
use clocklab::after::order::{Cut, Events};
use clocklab::drivers::sim;
use clocklab::edge::control::{Stop, Unwatched};
use clocklab::edge::driver::{Ending, Plan};
use clocklab::edge::log::{Drawn, Found, Layout, LogFolder, Manifest, RunSection, Status, find};
use clocklab::model::event::MessageId;
use clocklab::model::id::VmId;
use clocklab::model::registry::Registry;
use clocklab::model::scenario::{Scenario, Settings};
use clocklab::model::seed::Seed;
use clocklab::workload::{
    Algorithm, Exclusion, Heard, Make, Parameter, Protocol, Setup, Speaking, Tick, Turn,
};
use tempfile::TempDir;

/// Runs a workload of one's own in virtual time, and leaves its logs and its manifest.
pub(crate) fn run(own: &'static Algorithm, settings: &str, seed: u64) -> TempDir {
    run_as(own, own.name, settings, seed)
}

/// The same with parameters.
pub(crate) fn run_as(own: &'static Algorithm, workload: &str, settings: &str, seed: u64) -> TempDir {
    let registry = Registry::default().with_workload(own);
    let settings = format!("virtual-time = true\nworkload = \"{workload}\"\n{settings}");
    let settings: Settings = toml::from_str(&settings).unwrap();
    let scenario = Scenario::of(&registry, &settings, Seed(seed)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { threads: 2, layout: Layout::PerVm, folder: folder.path().to_owned() };
    let (_stopper, stop) = Stop::new();
    let outcome = sim::run(&scenario, &plan, scenario.workload().machines(), &stop, &mut Unwatched);
    assert!(matches!(outcome.ending, Ending::Complete), "{:?}", outcome.ending);
    let manifest = Manifest {
        status: Status::Complete,
        settings: scenario.settings(),
        run: RunSection::default(),
        drawn: Drawn::of(&scenario),
        sweep: None,
        files: outcome.files,
    };
    manifest.write(folder.path()).unwrap();
    folder
}

pub(crate) fn folder_at(path: &Path) -> LogFolder {
    let Found::Run(found) = find(path).unwrap() else { panic!("one run") };
    *found
}

pub(crate) fn judge(own: &'static Algorithm, folder: &Path) -> Report {
    check(&[folder_at(folder)], &Registry::default().with_workload(own)).unwrap()
}

/// The rows that have that mark.
pub(crate) fn marked(folder: &Path, mark: &str) -> usize {
    crate::common::Run::read(folder).rows().filter(|row| row.mark == mark).count()
}

clocklab::messages! {
    /// What goes round.
    enum Pass {
        /// Who has it may enter, once.
        Token { passed: u64 } = "token",
    }
}

/// A token goes round, and who has it may enter. It receives at every second tick only, which no rule forbids; a hasty
/// one does not wait for the token.
#[derive(Debug)]
struct Ring {
    next: VmId,
    is_hasty: bool,
    passed: Option<u64>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Outside,
    Asking,
    Inside,
}

/// A ring on one machine: the first has the token.
fn ring(vm: VmId, setup: &Setup, is_hasty: bool) -> Speaking<Ring> {
    let (next, passed) = (VmId((vm.0 + 1) % setup.vms()), (vm.0 == 0).then_some(0));
    Speaking::new(vm, setup, Ring { next, is_hasty, passed, stage: Stage::Outside })
}

static RING: Algorithm = Algorithm {
    name: "ring",
    title: "a token that goes round",
    make: Make::Boxed(|vm, setup| Box::new(ring(vm, setup, setup.parameter("hasty") == 1))),
    judge: Some(|_| Box::new(Exclusion::new())),
    parameters: &[Parameter {
        name: "hasty",
        meaning: "1 where nobody waits",
        default: 0,
        range: (0, 1),
        is_setting: false,
    }],
    least_vms: 2,
    ..Algorithm::PLAIN
};

impl Protocol for Ring {
    type Message = Pass;

    fn idle(&mut self, turn: &mut Turn<'_, Pass>) {
        match (&self.stage, self.passed) {
            (Stage::Inside, _) => {
                self.stage = Stage::Outside;
                turn.mark("leave");
            }
            (Stage::Asking, Some(_)) => self.enter(turn),
            (Stage::Asking, None) if self.is_hasty => self.enter(turn),
            (Stage::Outside, _) if turn.stream.below(3) == 0 => {
                self.stage = Stage::Asking;
                turn.mark("request");
            }
            (Stage::Outside, Some(passed)) => {
                self.passed = None;
                turn.send([self.next], Pass::Token { passed: passed + 1 });
            }
            (Stage::Outside | Stage::Asking, None) => {}
        }
    }

    fn received(&mut self, heard: &Heard<Pass>, _turn: &mut Turn<'_, Pass>) {
        let Pass::Token { passed } = heard.message;
        self.passed = Some(passed);
    }

    fn receives(&mut self, tick: &Tick<'_>) -> bool {
        tick.event.is_multiple_of(2)
    }
}

impl Ring {
    fn enter(&mut self, turn: &mut Turn<'_, Pass>) {
        self.stage = Stage::Inside;
        turn.mark("enter");
    }
}

/// `vms` machines, with and without vectors, that work for as long.
const RINGS: [&str; 3] = [
    "vms = 3\nrates = 20",
    "vms = 4\nrates = \"2-30\"\nclocks = \"lamport\"",
    "vms = 2\nrates = 9\nfifo = false",
];

#[test]
fn a_legal_workload_of_ones_own_that_receives_at_every_second_tick_has_no_fault() {
    for (seed, settings) in (1..).zip(RINGS) {
        let folder = run(&RING, settings, seed);
        let report = judge(&RING, folder.path());
        assert!(report.is_sound() && report.is_whole, "{}", report.with_most(9));
        assert!(marked(folder.path(), "enter") > 20, "{settings}");
    }
}

#[test]
fn one_that_does_not_wait_is_found_with_the_events_and_a_cut_that_shows_it() {
    for (seed, settings) in (1..).zip(RINGS) {
        let folder = run_as(&RING, "ring:hasty=1", settings, seed);
        let report = judge(&RING, folder.path());
        let totals: Vec<_> = report.faults.totals().keys().copied().collect();
        assert_eq!(totals, [FaultKind::Promise], "{}", report.with_most(9));
        assert_cut_has_two_inside(folder.path(), &report.with_most(1).to_string());
    }
}

/// Demands of a fault that the cut it names is consistent, and that the two that it names are inside in it.
pub(crate) fn assert_cut_has_two_inside(folder: &Path, told: &str) {
    let event = |name: &str| name.trim_matches([',', ')', ']']).parse::<MessageId>().unwrap();
    let found = told.split("found ").nth(1).unwrap();
    let words: Vec<&str> = found.split(' ').collect();
    let [entering, "enters", "while", inside, ..] = words.as_slice() else { panic!("{told}") };
    let cut = told.split("it shows in the cut ").nth(1).unwrap().split(" [").next().unwrap();
    let cut: Vec<MessageId> = cut.split(", ").map(event).collect();
    let events = Events::read(&[folder_at(folder)], &cut).unwrap();
    assert_eq!(events.cut(&cut), Cut::Consistent, "{told}");
    let run = crate::common::Run::read(folder);
    for name in [entering, inside] {
        let machine = event(name).sender;
        let last = cut.iter().find(|event| event.sender == machine).unwrap();
        let is_in_cut =
            |row: &&crate::common::Row| u64::from(row.vm) == u64::from(machine.0) && row.event <= last.event;
        let marks: Vec<&str> = run.rows().filter(is_in_cut).map(|row| row.mark.as_str()).collect();
        let latest = marks.iter().rfind(|mark| matches!(**mark, "enter" | "leave"));
        assert_eq!(latest, Some(&"enter"), "{name} is inside in the cut: {told}");
    }
}

#[test]
fn a_part_of_a_run_is_judged_as_a_part() {
    let legal = run(&RING, RINGS[1], 3);
    let hasty = run_as(&RING, "ring:hasty=1", RINGS[0], 3);
    for vm in 0..3 {
        for folder in [&legal, &hasty] {
            let name = crate::common::names(folder.path())
                .into_iter()
                .find(|name| name.starts_with(&format!("vm_{vm}_")));
            let log = folder.path().join(name.unwrap());
            let aside = folder.path().join("aside");
            std::fs::rename(&log, &aside).unwrap();
            let report = judge(&RING, folder.path());
            std::fs::rename(&aside, &log).unwrap();
            // With vectors it is still known what each had heard of.
            let expected = if std::ptr::eq(folder, &legal) { 0 } else { 1 };
            assert!(report.is_part() && report.faults.count().min(1) == expected, "{}", report.with_most(9));
        }
    }
}
