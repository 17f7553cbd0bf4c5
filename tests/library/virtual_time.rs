//! Virtual time: the same bytes for every number of threads, the same rows as the live actors make,
//! and nothing in them but what the model says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use actix::{Arbiter, System};
use clocklab::after::check::{FaultKind, check};
use clocklab::drivers::live;
use clocklab::drivers::sim;
use clocklab::edge::control::{Stop, Unwatched};
use clocklab::edge::driver::{Ending, Failure, Outcome, Plan};
use clocklab::edge::log::{Drawn, Found, Layout, Manifest, RunSection, SUMMARY, Status, find, write_summary};
use clocklab::model::event::Call;
use clocklab::model::id::VmId;
use clocklab::model::registry::Registry;
use clocklab::model::scenario::{Scenario, Settings};
use clocklab::model::seed::{Seed, Stream};
use clocklab::model::time::Nanos;
use clocklab::workload::{Action, Choice, ScaleModel, Tick, Workload, Workloads};
use proptest::prelude::*;

use crate::common::{self, Run, StopAt};

fn scenario(settings: &str, seed: u64) -> Scenario {
    let settings: Settings = toml::from_str(settings).unwrap();
    Scenario::new(&settings, Seed(seed)).unwrap()
}

fn scale_model(scenario: &Scenario) -> impl Fn(VmId) -> ScaleModel + Send + Sync + 'static {
    let (vms, sides) = (scenario.vms(), scenario.sides());
    move |vm| ScaleModel::new(vm, vms, sides)
}

fn plan(threads: usize, layout: Layout, folder: &Path) -> Plan {
    Plan { threads, layout, folder: folder.to_owned() }
}

/// Runs a scenario in virtual time and leaves all that a run does.
fn run(scenario: &Scenario, threads: usize, layout: Layout, folder: &Path) -> Outcome {
    let (_stopper, stop) = Stop::new();
    let plan = plan(threads, layout, folder);
    let outcome = sim::run(scenario, &plan, scenario.workload().machines(), &stop, &mut Unwatched);
    assert!(matches!(outcome.ending, Ending::Complete), "{:?}", outcome.ending);
    finish(scenario, &outcome, folder);
    outcome
}

fn finish(scenario: &Scenario, outcome: &Outcome, folder: &Path) {
    let summary =
        write_summary(folder.join(SUMMARY), &outcome.accounts, scenario.clocks(), outcome.lamport).unwrap();
    let manifest = Manifest {
        status: Status::Complete,
        settings: scenario.settings(),
        run: RunSection::default(),
        drawn: Drawn::of(scenario),
        sweep: None,
        files: outcome.files.iter().cloned().chain([summary]).collect(),
    };
    manifest.write(folder).unwrap();
}

/// Runs a scenario with the live actors under a paused clock and leaves all that a run does.
fn run_live(scenario: &Scenario, folder: &Path) -> Outcome {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let outcome = System::with_tokio_rt(runtime).block_on(async {
        let (_stopper, stop) = Stop::new();
        let (plan, here) = (plan(1, Layout::PerVm, folder), vec![Arbiter::current()]);
        let workload = scenario.workload().machines();
        live::conduct(here, scenario, &plan, None, workload, stop, &mut Unwatched).await
    });
    finish(scenario, &outcome, folder);
    outcome
}

/// Every CSV file's content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = common::names(folder).into_iter().filter(|name| name.ends_with(".csv"));
    names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

fn workload() -> impl Strategy<Value = Choice> {
    let names: Vec<&str> = Workloads::default().all().map(|workload| workload.name).collect();
    proptest::sample::select(names).prop_map(Choice::named)
}

/// The fewest machines with which a workload can be asked for.
fn least_vms(workload: &Choice) -> u32 {
    let workloads = Workloads::default();
    workloads.get(workload.name()).map_or(1, |algorithm| algorithm.least_vms)
}

/// Settings of all kinds, as a scenario file: workloads, machines, clocks, latencies and faults.
fn settings() -> impl Strategy<Value = String> {
    let rates = prop_oneof![
        (1u32..9).prop_map(|rate| format!("{rate}-{}", rate + 6)),
        (1u32..30, 0u32..40).prop_map(|(low, more)| format!(
            "{}.{}-{}.{}",
            low / 10,
            low % 10,
            (low + more) / 10,
            (low + more) % 10
        )),
        Just("0.05-4.00".to_owned()),
        Just("2.125".to_owned()),
    ];
    let machines = (1u32..24, rates, prop_oneof![Just(1u32), Just(3), Just(10)], 1u32..4);
    let latency = prop_oneof![
        Just("1ms".to_owned()),
        (1u32..2000, 0u32..2000).prop_map(|(low, more)| format!("{low}us-{}us", low + more)),
        (1u32..900).prop_map(|mean| format!("exp:{mean}ms")),
        Just("700ms".to_owned()),
    ];
    let clocks = prop_oneof![Just("lamport"), Just("hlc"), Just("vector"), Just("vector,hlc")];
    let faults = (0u32..3, 0u32..3, any::<bool>(), any::<bool>(), crashes());
    (workload(), machines, latency, clocks, faults).prop_map(
        |(workload, (vms, rates, draw, seconds), latency, clocks, (loss, duplicate, fifo, parted, crashes))| {
            let vms = vms.max(least_vms(&workload));
            let mut text = format!(
                "virtual-time = true\nworkload = \"{workload}\"\nvms = {vms}\nrates = \"{rates}\"\ndraw = {draw}\nduration = {seconds}\n\
                 latency = \"{latency}\"\nclocks = \"{clocks}\"\nloss = {}\nduplicate = {}\nfifo = {fifo}\nskew = \"{loss}s\"\n",
                f64::from(loss) / 8.0,
                f64::from(duplicate) / 8.0,
            );
            if parted && vms > 2 {
                text.push_str("partition = [\"200ms-900ms:0/1-2\"]\n");
            }
            text + &crash_line(&crashes, vms)
        },
    )
}

/// Crashes: whose, from when and for how long, in milliseconds. Half of all runs have none.
fn crashes() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    let some = proptest::collection::vec((0u32..24, 0u32..3500, 1u32..1500), 1..5);
    prop_oneof![Just(Vec::new()), some]
}

/// The setting that has these, as far as those of one machine do not overlap.
fn crash_line(crashes: &[(u32, u32, u32)], vms: u32) -> String {
    let mut kept = Vec::<(u32, u32, u32)>::new();
    for (vm, from, length) in crashes {
        let (vm, to) = (vm % vms, from + length);
        if kept.iter().all(|(other, start, end)| *other != vm || to <= *start || *end <= *from) {
            kept.push((vm, *from, to));
        }
    }
    let texts: Vec<String> = kept.iter().map(|(vm, from, to)| format!("\"{from}ms-{to}ms:{vm}\"")).collect();
    format!("crash = [{}]\n", texts.join(", "))
}

/// Layouts, and more than one way to share the machines out.
fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![Just(Layout::PerVm), Just(Layout::Combined)]
}

fn threads() -> impl Strategy<Value = Vec<usize>> {
    proptest::sample::subsequence(vec![2usize, 3, 4, 8, 40], 2)
}

/// Demands the same bytes for one thread and for each of these numbers of them.
fn assert_same_bytes(
    scenario: &Scenario,
    layout: Layout,
    threads: &[usize],
) -> Result<BTreeMap<String, Vec<u8>>, TestCaseError> {
    let made = |threads| {
        let folder = tempfile::tempdir().unwrap();
        run(scenario, threads, layout, folder.path());
        files(folder.path())
    };
    let one = made(1);
    prop_assert!(one.len() > 1);
    for &threads in threads {
        prop_assert!(made(threads) == one, "{} threads", threads);
    }
    Ok(one)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_files_are_the_same_bytes_for_every_number_of_threads(
        settings in settings(), seed: u64, layout in layout(), threads in threads(),
    ) {
        assert_same_bytes(&scenario(&settings, seed), layout, &threads)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Beyond the machines that have a log each by themselves: several combined logs, windows with few machines and
    /// windows with all of them, and rows of any window in the order of the machines.
    #[test]
    fn many_machines_make_the_same_bytes_for_every_number_of_threads(
        vms in 257u32..1100, rates in prop_oneof![Just("1-6"), Just("10-100"), Just("300")],
        latency in prop_oneof![Just("1ms"), Just("1ms-90ms"), Just("250ms")], aligned: bool,
        workload in workload(), seed: u64, layout in prop_oneof![7 => Just(Layout::Combined), 1 => Just(Layout::PerVm)],
        threads in threads(),
    ) {
        let phase = if aligned { "aligned" } else { "random" };
        let scenario = scenario(&format!(
            "virtual-time = true\nworkload = \"{workload}\"\nvms = {vms}\nrates = \"{rates}\"\nphase = \"{phase}\"\n\
             duration = \"200ms\"\nlatency = \"{latency}\"\nclocks = \"hlc\""
        ), seed);
        let files = assert_same_bytes(&scenario, layout, &threads)?;
        let lookahead = scenario.lookahead().get();
        for (name, content) in files.iter().filter(|(name, _)| name.starts_with("vms_")) {
            let places = rows_of(content).map(|(vm, event, elapsed)| (elapsed / lookahead, vm, event));
            prop_assert!(places.collect::<Vec<_>>().is_sorted(), "{}: by window, machine and number", name);
        }
    }
}

/// Machine, number and time of each row of a log.
fn rows_of(content: &[u8]) -> impl Iterator<Item = (u32, u64, u64)> {
    let rows = csv::Reader::from_reader(content).into_deserialize::<common::Row>();
    rows.map(|row| row.unwrap()).map(|row| (row.vm, row.event, row.elapsed()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The logs against the model's rules, which the tests have once more in their own words.
    #[test]
    fn a_log_is_what_the_model_says(settings in settings(), seed: u64) {
        let scenario = scenario(&settings, seed);
        let folder = tempfile::tempdir().unwrap();
        let outcome = run(&scenario, 1, Layout::Combined, folder.path());
        let run = Run::read(folder.path());
        run.assert_sound();
        run.assert_summary();
        let events: u64 = outcome.accounts.iter().map(|account| account.tally.events).sum();
        prop_assert_eq!(events, scenario.events());
        let phases = run.drawn("phases_ns");
        for (vm, rows) in &run.vms {
            let thousandths = u128::from(run.thousandths()[*vm as usize]);
            let crashes = &scenario.model().crash;
            let is_up = |time: &u64| {
                let mut own = crashes.iter().filter(|crash| crash.vm() == VmId(*vm)).map(|crash| crash.window());
                own.all(|window| *time < window.start().get() || window.end().get() <= *time)
            };
            let due = |tick: u128| {
                let offset = (tick - 1) * 1_000_000_000_000 / thousandths;
                phases[*vm as usize].unsigned_abs() + u64::try_from(offset).unwrap()
            };
            let mut dues = (1..).map(due).filter(is_up);
            for row in rows {
                prop_assert_eq!(Some(row.elapsed()), dues.next(), "an event happens when it is due");
            }
            prop_assert!(dues.next() > Some(scenario.duration().get()), "it makes all of its ticks");
        }
        assert_each_inbox(&run, outcome)?;
        assert_checked(folder.path())?;
    }
}

/// Demands that of each machine all copies that left for it are accounted for.
fn assert_each_inbox(run: &Run, outcome: Outcome) -> Result<(), TestCaseError> {
    let mut copies = BTreeMap::<u64, u64>::new();
    for row in run.rows().filter(|row| row.kind == "send") {
        let lost = common::list(&row.lost);
        let left = common::list(&row.peers).into_iter().filter(|peer| !lost.contains(peer));
        left.chain(common::list(&row.duplicated)).for_each(|to| *copies.entry(to).or_default() += 1);
    }
    for account in outcome.accounts {
        let found = account.tally.receives + account.waiting + account.in_flight + account.crashed;
        prop_assert_eq!(found, copies.get(&account.vm.0.into()).copied().unwrap_or(0), "{:?}", account);
    }
    Ok(())
}

/// Demands that the check finds nothing wrong beside what a workload promises that the network does not let it keep.
fn assert_checked(folder: &Path) -> Result<(), TestCaseError> {
    let Found::Run(found) = find(folder).unwrap() else { panic!("one run") };
    let report = check(&[*found], &Registry::default()).unwrap();
    let is_wrong = report.faults.totals().keys().any(|kind| *kind != FaultKind::Promise);
    prop_assert!(!is_wrong, "{}", report.with_most(5));
    Ok(())
}

/// Rates whose periods are whole milliseconds, which is what the live driver's timers count.
fn settings_for_both() -> impl Strategy<Value = String> {
    let rates = proptest::collection::vec(
        prop_oneof![Just(1u32), Just(2), Just(4), Just(5), Just(10), Just(50)],
        1..9,
    );
    let latency = prop_oneof![Just("1ms"), Just("1ms-700ms"), Just("exp:90ms"), Just("250ms")];
    let faults = (0u32..3, 0u32..3, any::<bool>(), crashes());
    (workload(), rates, latency, faults).prop_map(|(workload, rates, latency, (loss, duplicate, fifo, crashes))| {
        let mut rates = rates;
        rates.resize(rates.len().max(least_vms(&workload) as usize), 5);
        let list: Vec<String> = rates.iter().map(u32::to_string).collect();
        format!(
            "workload = \"{workload}\"\nvms = {}\nrates = \"{},\"\nduration = 4\nphase = \"aligned\"\nlatency = \"{latency}\"\ndraw = 4\n\
             loss = {}\nduplicate = {}\nfifo = {fifo}\nskew = \"10ms\"\n{}",
            rates.len(),
            list.join(","),
            f64::from(loss) / 8.0,
            f64::from(duplicate) / 8.0,
            crash_line(&crashes, u32::try_from(rates.len()).unwrap()),
        )
    })
}

/// The rows of all machines without the column of the time of day.
fn rows_without_time_of_day(folder: &Path) -> Vec<String> {
    let mut rows: Vec<common::Row> = Run::read(folder).rows().cloned().collect();
    rows.sort_by_key(|row| (row.vm, row.event));
    rows.into_iter().map(|row| format!("{:?}", common::Row { system_time: String::new(), ..row })).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn live_actors_under_a_paused_clock_make_the_same_rows(settings in settings_for_both(), seed: u64) {
        let scenario_live = scenario(&settings, seed);
        let folder_live = tempfile::tempdir().unwrap();
        let outcome = run_live(&scenario_live, folder_live.path());

        let scenario = scenario(&format!("virtual-time = true\n{settings}"), seed);
        let folder = tempfile::tempdir().unwrap();
        let simulated = run(&scenario, 2, Layout::PerVm, folder.path());
        prop_assert_eq!(rows_without_time_of_day(folder_live.path()), rows_without_time_of_day(folder.path()));
        Run::read(folder_live.path()).assert_sound();
        for (live, simulated) in outcome.accounts.iter().zip(&simulated.accounts) {
            prop_assert_eq!(&live.tally, &simulated.tally);
            prop_assert_eq!((live.waiting, live.in_flight), (simulated.waiting, simulated.in_flight));
            prop_assert_eq!(live.crashed, simulated.crashed);
        }
    }
}

#[test]
fn a_network_that_loses_everything_leaves_clients_and_server_to_themselves() {
    let scenario = scenario("virtual-time = true\nworkload = \"client-server\"\nvms = 9\nloss = 1.0", 5);
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(&scenario, 2, Layout::PerVm, folder.path());
    assert!(Run::read(folder.path()).rows().all(|row| row.kind == "internal"));
    assert!(outcome.accounts.iter().all(|account| account.lost == 0), "calls are no messages");
}

#[test]
fn a_server_that_is_cut_off_hears_nobody_until_it_is_back() {
    let text = "virtual-time = true\nworkload = \"client-server\"\nvms = 9\npartition = [\"20s-40s:0/1-8\"]";
    let folder = tempfile::tempdir().unwrap();
    run(&scenario(text, 5), 1, Layout::PerVm, folder.path());
    let run = Run::read(folder.path());
    let sends = |from: u64, to: u64| {
        let within = move |row: &&common::Row| (from..to).contains(&(row.elapsed() / 1_000_000_000));
        run.rows().filter(|row| row.kind == "send").filter(within).count()
    };
    // A call that has arrived before is still answered, and the answer lost.
    assert!(sends(0, 20) > 5 && sends(20, 40) <= 1 && sends(40, 60) > 5);
}

#[test]
fn virtual_time_starts_in_1970_and_ends_when_it_is_over() {
    let scenario = scenario("virtual-time = true\nrates = \"6,2,1\"", 5);
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(&scenario, 2, Layout::PerVm, folder.path());
    assert_eq!(outcome.elapsed, Nanos::from_secs(60));
    let run = Run::read(folder.path());
    assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [360, 120, 60]);
    for row in run.rows() {
        let (date, rest) = row.system_time.split_once('T').unwrap();
        let seconds = row.elapsed() / 1_000_000_000;
        let expected = format!("{:02}:{:02}:{:02}.", seconds / 3600, seconds / 60, seconds % 60);
        assert!(date == "1970-01-01" && rest.starts_with(&expected), "{row:?}");
    }
}

/// Breaks at the first call.
#[derive(Debug)]
struct Shy(VmId, VmId);

impl Workload for Shy {
    fn choose(&mut self, _: &Tick<'_>, _: &mut Stream, to: &mut Vec<VmId>) -> Action {
        if self.0 == VmId(3) {
            to.push(self.1);
        }
        Action::Call
    }

    fn called(&mut self, _: &Call) {
        panic!("not to be disturbed");
    }
}

/// The call comes from the same thread or from another one.
#[test]
fn a_panic_at_a_call_fails_the_run_and_names_the_called() {
    for threads in [1, 2, 3] {
        let scenario = scenario("virtual-time = true\nvms = 2000\nduration = 5", 1);
        let (_stopper, stop) = Stop::new();
        let plan = plan(threads, Layout::Nowhere, Path::new("unused"));
        let shy = |vm: VmId| Shy(vm, VmId(1999));
        let outcome = sim::run(&scenario, &plan, shy, &stop, &mut Unwatched);
        let Ending::Failed(Failure::MachinePanicked { vm, message }) = outcome.ending else {
            panic!("{:?}", outcome.ending);
        };
        assert!(vm == VmId(1999) && message.contains("not to be disturbed"), "{vm} {message}");
        assert_eq!(outcome.accounts.len(), 2000);
    }
}

/// Does nothing until it breaks, or sends to nobody.
#[derive(Debug)]
struct Fragile {
    breaks_at: u64,
    to: u32,
}

impl Workload for Fragile {
    fn choose(&mut self, tick: &Tick<'_>, _: &mut Stream, to: &mut Vec<VmId>) -> Action {
        assert_ne!(tick.event, self.breaks_at, "broken on purpose");
        to.push(VmId(self.to));
        Action::Send { payload: None }
    }
}

#[test]
fn a_panic_in_a_machine_fails_the_run_on_all_threads_and_names_it() {
    let scenario = scenario("virtual-time = true\nvms = 20", 1);
    let folder = tempfile::tempdir().unwrap();
    for threads in [1, 3] {
        for (breaks_at, to, said) in
            [(9, 0, "broken on purpose"), (0, 99, "sends to machine 99, which this run does not have")]
        {
            let (_stopper, stop) = Stop::new();
            let fragile = |vm: VmId| Fragile {
                breaks_at: if vm.0 == 7 { breaks_at } else { 0 },
                to: if vm.0 == 7 { to } else { 1 },
            };
            let plan = plan(threads, Layout::Nowhere, folder.path());
            let outcome = sim::run(&scenario, &plan, fragile, &stop, &mut Unwatched);
            let Ending::Failed(Failure::MachinePanicked { vm, message }) = outcome.ending else {
                panic!("{:?}", outcome.ending);
            };
            assert!(vm == VmId(7) && message.contains(said), "{vm} {message}");
            assert_eq!(outcome.accounts.len(), 20);
        }
    }
}

#[test]
fn a_run_that_is_asked_to_stop_leaves_whole_logs_up_to_there() {
    let scenario = scenario("virtual-time = true\nvms = 30\nduration = \"1000h\"\nlog = \"combined\"", 1);
    for threads in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let (stopper, stop) = Stop::new();
        let mut observer = StopAt(Nanos::from_secs(30), stopper);
        let plan = plan(threads, Layout::Combined, folder.path());
        let outcome = sim::run(&scenario, &plan, scale_model(&scenario), &stop, &mut observer);
        assert!(matches!(outcome.ending, Ending::Interrupted), "{:?}", outcome.ending);
        assert!(
            outcome.elapsed >= Nanos::from_secs(30) && outcome.elapsed < Nanos::from_secs(60),
            "{}",
            outcome.elapsed
        );
        finish(&scenario, &outcome, folder.path());
        let run = Run::read(folder.path());
        run.assert_sound();
        run.assert_summary();
        run.assert_manifest(folder.path());
    }
}

/// Settings that nobody made for virtual time are refused before anything is made.
#[test]
fn messages_that_arrive_at_once_cannot_be_run_in_virtual_time() {
    let folder = tempfile::tempdir().unwrap();
    for settings in [
        Settings::default(),
        Settings { duration: "100ms".parse().ok(), rates: "50".parse().ok(), ..Settings::default() },
        toml::from_str("latency = \"0s-5s\"").unwrap(),
    ] {
        let scenario = Scenario::new(&settings, Seed(1)).unwrap();
        let (_stopper, stop) = Stop::new();
        let plan = plan(2, Layout::PerVm, folder.path());
        let outcome = sim::run(&scenario, &plan, scale_model(&scenario), &stop, &mut Unwatched);
        assert!(matches!(outcome.ending, Ending::Failed(Failure::NoLookahead)), "{:?}", outcome.ending);
        assert!(outcome.accounts.is_empty() && common::names(folder.path()).is_empty());
    }
}

/// A latency that nobody asks for in virtual time makes very many windows, and little else.
#[test]
fn a_latency_of_a_nanosecond_is_run_like_any_other() {
    let at = |latency: &str, layout| {
        let text = format!("rates = \"6,2,1\"\nduration = 20\nlatency = \"{latency}\"");
        let folder = tempfile::tempdir().unwrap();
        run(&scenario(&text, 7), 2, layout, folder.path());
        let run = Run::read(folder.path());
        run.assert_sound();
        run.rows().count()
    };
    for latency in ["1ns", "999ns", "1us", "9s"] {
        assert_eq!(at(latency, Layout::PerVm), 180, "{latency}");
        assert_eq!(at(latency, Layout::Combined), 180, "{latency}");
    }
}

#[test]
fn a_log_that_cannot_be_made_fails_the_run() {
    let scenario = scenario("virtual-time = true\nrates = \"6,2,1\"", 1);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vm_1_2.csv"), "mine").unwrap();
    let (_stopper, stop) = Stop::new();
    let plan = plan(1, Layout::PerVm, folder.path());
    let outcome = sim::run(&scenario, &plan, scale_model(&scenario), &stop, &mut Unwatched);
    let Ending::Failed(failure) = outcome.ending else { panic!("{:?}", outcome.ending) };
    assert!(failure.to_string().contains("vm_1_2.csv"), "{failure}");
}
