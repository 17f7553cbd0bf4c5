//! Live runs under a paused clock: the real actors, mailboxes and timers, without the waiting.

use std::path::Path;

use actix::{Arbiter, System};
use clocklab::drivers::live::conduct;
use clocklab::edge::control::{Observer, Progress, Stop, Unwatched};
use clocklab::edge::driver::{Ending, Failure, Outcome, Plan};
use clocklab::edge::log::{Drawn, Layout, Manifest, RunSection, SUMMARY, Status, write_summary};
use clocklab::edge::watch::Watch;
use clocklab::model::event::Message;
use clocklab::model::id::VmId;
use clocklab::model::scenario::{Scenario, Settings};
use clocklab::model::seed::{Seed, Stream};
use clocklab::model::tally::Account;
use clocklab::model::time::Nanos;
use clocklab::workload::{Action, ScaleModel, Tick, Workload, Workloads};

use crate::common::{self, Run, StopAt};

fn scenario(settings: &str) -> Scenario {
    let settings: Settings = toml::from_str(settings).unwrap();
    Scenario::new(&settings, Seed(1)).unwrap()
}

/// Conducts a run whose clock jumps to the next timer whenever all actors wait.
fn run_paused<W, F>(scenario: &Scenario, layout: Layout, folder: &Path, workload: F, stop: Stop) -> Outcome
where
    W: Workload,
    F: Fn(VmId) -> W + Send + Sync + 'static,
{
    run_observed(scenario, layout, folder, workload, stop, &mut Unwatched)
}

fn run_observed<W, F>(
    scenario: &Scenario,
    layout: Layout,
    folder: &Path,
    workload: F,
    stop: Stop,
    observer: &mut dyn Observer,
) -> Outcome
where
    W: Workload,
    F: Fn(VmId) -> W + Send + Sync + 'static,
{
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    System::with_tokio_rt(runtime).block_on(async {
        let plan = Plan { threads: 1, layout, folder: folder.to_owned() };
        conduct(vec![Arbiter::current()], scenario, &plan, None, workload, stop, observer).await
    })
}

fn scale_model(scenario: &Scenario) -> impl Fn(VmId) -> ScaleModel + Send + Sync + 'static {
    let (vms, sides) = (scenario.vms(), scenario.sides());
    move |vm| ScaleModel::new(vm, vms, sides)
}

/// Runs a scenario to its end and reads what it left.
fn run(settings: &str, layout: Layout) -> (Outcome, Run) {
    let scenario = scenario(settings);
    let folder = tempfile::tempdir().unwrap();
    let (_stopper, stop) = Stop::new();
    let outcome = run_paused(&scenario, layout, folder.path(), scenario.workload().machines(), stop);
    assert!(matches!(outcome.ending, Ending::Complete), "{:?}", outcome.ending);
    write_summary(
        folder.path().join(SUMMARY),
        &outcome.accounts,
        &clocklab::clock::ClockList::standard(),
        outcome.lamport,
    )
    .unwrap();
    let manifest = Manifest {
        status: Status::Complete,
        settings: scenario.settings(),
        run: RunSection::default(),
        drawn: Drawn::of(&scenario),
        sweep: None,
        files: outcome.files.clone(),
    };
    manifest.write(folder.path()).unwrap();
    let run = Run::read(folder.path());
    run.assert_sound();
    run.assert_summary();
    (outcome, run)
}

#[test]
fn a_minute_at_six_ticks_a_second_is_360_events_every_time() {
    for seed in 0..10 {
        let (outcome, run) = run(&format!("rates = \"6,2,1\"\nseed = {seed}"), Layout::PerVm);
        let events: Vec<usize> = run.vms.values().map(Vec::len).collect();
        assert_eq!(events, [360, 120, 60]);
        assert_eq!(outcome.elapsed.to_string(), "60s");
    }
}

#[test]
fn where_no_tick_is_late_it_does_not_matter_what_late_ticks_would_do() {
    for late in ["burst", "skip", "delay"] {
        let (_, run) =
            run(&format!("rates = \"600,20,1\"\nduration = \"10s\"\nlate = \"{late}\""), Layout::PerVm);
        assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [6000, 200, 10], "{late}");
    }
}

#[test]
fn ticks_keep_their_deadlines_without_drift() {
    let (outcome, run) = run("vms = 4\nrates = \"7,13,97,250\"\nduration = \"100s\"", Layout::PerVm);
    let rates = [7u64, 13, 97, 250];
    for (vm, rows) in &run.vms {
        let phase = run.drawn("phases_ns")[*vm as usize].unsigned_abs();
        for row in rows {
            let due = phase + (row.event - 1) * 1_000_000_000 / rates[*vm as usize];
            // The runtime's timers count milliseconds: a tick is up to two late, the thousandth as the first.
            assert!((due..due + 2_000_000).contains(&row.elapsed()), "due {due}: {row:?}");
        }
    }
    assert!(outcome.lateness.as_ref().unwrap().spread().max_ms <= 2.0, "{:?}", outcome.lateness);
}

#[test]
fn combined_logs_hold_every_machines_rows_in_order() {
    let (outcome, run) = run("vms = 40\nduration = \"20s\"\nlatency = \"1ms-300ms\"", Layout::Combined);
    assert_eq!(outcome.files.len(), 1);
    assert_eq!(outcome.files[0].name, "vms_0-39.csv");
    assert_eq!(outcome.files[0].rows, run.rows().count() as u64);
    assert_eq!(run.vms.len(), 40);
}

#[test]
fn without_logs_there_are_accounts_all_the_same() {
    let scenario = scenario("vms = 5\nduration = \"10s\"");
    let folder = tempfile::tempdir().unwrap();
    let (_stopper, stop) = Stop::new();
    let outcome = run_paused(&scenario, Layout::Nowhere, folder.path(), scale_model(&scenario), stop);
    assert_eq!(outcome.accounts.iter().map(|account| account.tally.events).sum::<u64>(), scenario.events());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_setting_of_the_network_and_the_clocks_leaves_a_sound_log() {
    for settings in [
        "vms = 1",
        "vms = 2\ndraw = 3",
        "vms = 5\nlatency = \"exp:200ms\"\nfifo = \"off\"",
        "vms = 5\nlatency = \"1ms-900ms\"\nduplicate = 0.3\nloss = 0.2",
        "vms = 4\nskew = \"2s\"\nlatency = \"50ms\"",
        "clocks = \"lamport\"",
        "clocks = \"hlc\"\nphase = \"aligned\"",
        "vms = 6\ndraw = 3\npartition = [\"5s-10s:0,1/2\", \"12s-13s:5\"]",
        "vms = 4\ndraw = 4\nrates = \"9,3,3,3\"\ncrash = [\"3s-5s:1\", \"5s-6s:1\", \"4s-9s:0\", \"14s-20s:2\"]",
        "rates = \"1000,1,500\"\nduration = \"2s\"",
    ] {
        let settings = if settings.contains("duration") {
            settings.to_owned()
        } else {
            format!("{settings}\nduration = \"15s\"")
        };
        let vms = settings.strip_prefix("vms = ").map_or(3, |vms| vms[..1].parse().unwrap());
        for workload in Workloads::default().all().filter(|workload| workload.least_vms <= vms) {
            run(&format!("workload = \"{}\"\n{settings}", workload.name), Layout::PerVm);
        }
    }
}

#[test]
fn a_modelled_latency_passes_before_a_message_is_received() {
    let (_, run) = run("latency = \"700ms\"\nrates = \"6\"\ndraw = 3", Layout::PerVm);
    let mut received = 0;
    for row in run.rows().filter(|row| row.kind == "receive") {
        let send = run.rows().find(|send| send.kind == "send" && send.message == row.message).unwrap();
        assert!(row.elapsed() >= send.elapsed() + 700_000_000, "{row:?}");
        received += 1;
    }
    assert!(received > 100, "{received}");
}

#[test]
fn the_networks_faults_are_in_the_log() {
    let (_, lossy) = run("loss = 1.0", Layout::PerVm);
    assert!(lossy.rows().all(|row| row.kind != "receive" && row.peers == row.lost));
    let (_, doubling) = run("duplicate = 1.0", Layout::PerVm);
    assert!(doubling.rows().filter(|row| row.kind == "send").all(|row| row.peers == row.duplicated));
    let (_, parted) = run("draw = 3\npartition = [\"20s-40s:0/1,2\"]", Layout::PerVm);
    let crosses = |row: &common::Row| row.vm == 0 || common::list(&row.peers).contains(&0);
    for row in parted.rows().filter(|row| row.kind == "send" && crosses(row)) {
        let within = (20_000_000_000..40_000_000_000).contains(&row.elapsed());
        assert_eq!(!row.lost.is_empty(), within, "{row:?}");
    }
}

#[test]
fn clients_that_the_server_hears_get_its_code_and_catch_up_with_its_clock() {
    let (_, run) = run("workload = \"client-server\"\nrates = \"6,5,1\"", Layout::PerVm);
    let received = |vm: u32| run.vms[&vm].iter().filter(|row| row.kind == "receive");
    assert!(received(1).count() > 10 && received(2).count() > 2);
    assert!(received(2).all(|row| row.sender_lamport.is_some_and(|stamp| stamp + 1 == row.lamport)));
    assert_eq!(run.vms[&0].last().unwrap().lamport, 360, "calls carry no clock");
}

/// Sends at every tick to the next machine, and panics where it is told to.
#[derive(Debug)]
struct Fragile {
    next: VmId,
    breaks_at: Option<u64>,
}

impl Workload for Fragile {
    fn choose(&mut self, tick: &Tick<'_>, _: &mut Stream, to: &mut Vec<VmId>) -> Action {
        assert_ne!(Some(tick.event), self.breaks_at, "broken on purpose");
        to.push(self.next);
        if tick.waiting > 0 { Action::Receive } else { Action::Send { payload: None } }
    }

    fn received(&mut self, message: &Message, _: &Tick<'_>, _: &mut Stream) {
        assert_eq!(message.to, VmId((self.next.0 + 2) % 3), "a message for somebody else");
    }
}

#[test]
fn a_panic_in_one_actor_fails_the_run_and_names_the_machine() {
    let scenario = scenario("rates = \"6\"");
    let folder = tempfile::tempdir().unwrap();
    let fragile = |vm: VmId| Fragile { next: VmId((vm.0 + 1) % 3), breaks_at: (vm.0 == 1).then_some(20) };
    let (_stopper, stop) = Stop::new();
    let outcome = run_paused(&scenario, Layout::PerVm, folder.path(), fragile, stop);
    let Ending::Failed(failure @ Failure::MachinePanicked { vm: VmId(1), .. }) = outcome.ending else {
        panic!("{:?}", outcome.ending);
    };
    let text = failure.to_string();
    assert!(text.starts_with("machine 1 panicked: ") && text.contains("broken on purpose"), "{text}");
    assert!(text.contains("tests/library/paused.rs:"), "{text}");
    // The others were stopped and asked as usual, and the log of the one that broke is whole.
    assert_eq!(outcome.accounts.iter().map(|account| account.vm.0).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(outcome.files.iter().filter(|file| file.rows >= 18).count(), 3, "{:?}", outcome.files);
}

#[test]
fn a_panic_while_the_machines_are_made_fails_the_run() {
    let scenario = scenario("rates = \"6\"");
    let folder = tempfile::tempdir().unwrap();
    let (_stopper, stop) = Stop::new();
    let unmakeable = |vm: VmId| -> Fragile { panic!("machine {vm} cannot be made") };
    let outcome = run_paused(&scenario, Layout::PerVm, folder.path(), unmakeable, stop);
    let Ending::Failed(failure) = outcome.ending else { panic!("{:?}", outcome.ending) };
    assert!(failure.to_string().contains("machine 0 cannot be made"), "{failure}");
}

#[test]
fn a_message_to_nobody_is_the_workloads_fault() {
    let scenario = scenario("rates = \"6\"");
    let folder = tempfile::tempdir().unwrap();
    let (_stopper, stop) = Stop::new();
    let lost = |_: VmId| Fragile { next: VmId(7), breaks_at: None };
    let outcome = run_paused(&scenario, Layout::Nowhere, folder.path(), lost, stop);
    let Ending::Failed(failure) = outcome.ending else { panic!("{:?}", outcome.ending) };
    assert!(
        failure.to_string().contains("the workload sends to machine 7, which this run does not have"),
        "{failure}"
    );
}

#[test]
fn a_run_that_is_asked_to_stop_hands_in_what_it_has() {
    let scenario = scenario("duration = \"100h\"\nrates = \"6,2,1\"");
    let folder = tempfile::tempdir().unwrap();
    let (stopper, stop) = Stop::new();
    let mut observer = StopAt(Nanos::from_secs(10), stopper);
    let workload = scale_model(&scenario);
    let outcome = run_observed(&scenario, Layout::PerVm, folder.path(), workload, stop, &mut observer);
    assert!(matches!(outcome.ending, Ending::Interrupted), "{:?}", outcome.ending);
    let events: Vec<u64> = outcome.accounts.iter().map(|account| account.tally.events).collect();
    assert!(events[0] >= 59 && events[0] <= 62 && events[1] >= 19 && events[2] >= 9, "{events:?}");
    assert_eq!(outcome.files.iter().map(|file| file.rows).collect::<Vec<_>>(), events);
}

#[test]
fn a_run_that_is_asked_to_stop_before_it_starts_makes_no_event() {
    let scenario = scenario("duration = \"100h\"");
    let folder = tempfile::tempdir().unwrap();
    let (stopper, stop) = Stop::new();
    stopper.stop();
    let outcome = run_paused(&scenario, Layout::PerVm, folder.path(), scale_model(&scenario), stop);
    assert!(matches!(outcome.ending, Ending::Interrupted), "{:?}", outcome.ending);
    assert!(outcome.accounts.iter().all(|account| account.tally.events == 0));
}

#[test]
fn a_log_that_cannot_be_made_fails_the_run_before_its_first_tick() {
    let scenario = scenario("rates = \"6,2,1\"");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vm_1_2.csv"), "mine").unwrap();
    let (_stopper, stop) = Stop::new();
    let outcome = run_paused(&scenario, Layout::PerVm, folder.path(), scale_model(&scenario), stop);
    let Ending::Failed(failure) = outcome.ending else { panic!("{:?}", outcome.ending) };
    assert!(failure.to_string().contains("vm_1_2.csv"), "{failure}");
    assert_eq!(std::fs::read_to_string(folder.path().join("vm_1_2.csv")).unwrap(), "mine");
}

/// Somebody who watches the machines.
struct Watcher(Watch);

impl Observer for Watcher {
    fn progress(&mut self, _progress: &Progress) {}

    fn watch(&self) -> Option<Watch> {
        Some(self.0.clone())
    }
}

#[test]
fn whoever_watches_a_run_sees_what_its_accounts_say() {
    let scenario = scenario("vms = 4\nduration = \"20s\"\nrates = \"6,3,1,1\"\nloss = 0.2");
    let folder = tempfile::tempdir().unwrap();
    let (_stopper, stop) = Stop::new();
    let watch = Watch::default();
    let mut watcher = Watcher(watch.clone());
    let workload = scale_model(&scenario);
    let outcome = run_observed(&scenario, Layout::PerVm, folder.path(), workload, stop, &mut watcher);
    let seen = watch.scene().unwrap().look(0..4);
    assert!(outcome.accounts.iter().any(|account| account.lost > 0));
    assert!(outcome.accounts.iter().any(|account| account.tally.queue > 0));
    for (glance, account) in seen.glances.iter().zip(&outcome.accounts) {
        let tally = &account.tally;
        assert_eq!((glance.vm, glance.rate, glance.lamport), (account.vm, account.rate, account.lamport));
        assert_eq!((glance.internal, glance.sends), (tally.internal(), tally.sends));
        assert_eq!((glance.receives, glance.lost), (tally.receives, account.lost));
        assert_eq!((glance.queue, glance.longest_queue), (tally.queue, tally.longest_queue));
    }
    let sum = |part: fn(&Account) -> u64| outcome.accounts.iter().map(part).sum::<u64>();
    assert_eq!(seen.sums.messages, sum(|account| account.tally.sent));
    assert_eq!(seen.sums.waiting, sum(|account| account.tally.queue.into()));
    assert_eq!(seen.sums.lamport, outcome.lamport);
}
