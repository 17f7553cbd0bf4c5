//! The scenario: what a run's machines do and meet, all of it drawn from one seed.
//!
//! [`Settings`] are what people ask for, each of them optional; a [`Scenario`] is made from them
//! once, and is right from then on. It draws each machine's rate, phase and skew when asked, from
//! the machine's own streams, so it holds no table of machines.

mod choices;
mod numbers;
mod rates;
mod settings;

use std::sync::Arc;

pub use choices::{LogChoice, Phase, Switch};
pub use numbers::{Draw, ParseSeedError, Processes, Runs, SeedNumber, Threads, VmCount};
pub use rates::{ParseRatesError, Rates};
pub use settings::{ModelSettings, Settings};

use crate::clock::{ClockList, Clocks, Length, Setup};
use crate::model::crash::{Crash, Uptime};
use crate::model::id::VmId;
use crate::model::network::{Network, Partition, Probability, Uplink};
use crate::model::pace::{Late, Pace};
use crate::model::registry::Registry;
use crate::model::seed::{Purpose, Seed};
use crate::model::setting::{Facts, Holder, Scope};
use crate::model::tally::{Account, Tally};
use crate::model::time::{Nanos, Schedule};
use crate::model::vm::{Outages, Vm};
use crate::workload::{Chosen, Workload};

/// A run's model, complete and consistent.
#[derive(Clone, Debug)]
pub struct Scenario {
    model: ModelSettings,
    workload: Chosen,
    seed: Seed,
    network: Arc<Network>,
}

/// A setting that is wrong by itself, or does not fit another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value '{value}' for setting `{setting}`: {allowed}")]
pub struct ScenarioError {
    /// The setting, by the name of its flag.
    pub setting: &'static str,
    /// What was asked for.
    pub value: String,
    /// What is allowed instead, in words that follow "must be" or stand for themselves.
    pub allowed: String,
}

impl Scenario {
    /// Makes the scenario that the settings ask for, of what comes with clocklab; what they leave open takes its
    /// default, the seed `drawn`.
    ///
    /// # Errors
    ///
    /// The first setting that is wrong or does not fit the others.
    pub fn new(settings: &Settings, drawn: Seed) -> Result<Self, ScenarioError> {
        Self::of(&Registry::default(), settings, drawn)
    }

    /// The same of what that registry has to choose from.
    ///
    /// # Errors
    ///
    /// The first setting that is wrong or does not fit the others.
    pub fn of(registry: &Registry, settings: &Settings, drawn: Seed) -> Result<Self, ScenarioError> {
        let model = ModelSettings::of(settings, drawn);
        let (choice, vms) = (&model.workload, model.vms.get());
        let wrong = |allowed| ScenarioError { setting: "workload", value: choice.to_string(), allowed };
        let workload = registry.workloads.choose(choice, vms, &own_settings(settings)).map_err(wrong)?;
        Self::with(workload, model).check()
    }

    /// The scenario of a run that is over, by its manifest: its workload may be one of another program, of which
    /// nothing is known.
    ///
    /// # Errors
    ///
    /// The first setting that is wrong or does not fit the others.
    pub fn of_logs(registry: &Registry, settings: &Settings) -> Result<Self, ScenarioError> {
        // A manifest has its seed: no other one is drawn.
        let model = ModelSettings::of(settings, Seed(0));
        let workload =
            registry.workloads.recognize(&model.workload, model.vms.get(), &own_settings(settings));
        Self::with(workload, model).check()
    }

    fn with(workload: Chosen, mut model: ModelSettings) -> Self {
        let own_sides = workload.setting("draw").and_then(|sides| Draw::new(u32::try_from(sides).ok()?));
        model.draw = own_sides.unwrap_or(model.draw);
        model.workload = workload.choice();
        let network = Network::new(model.latency)
            .losing(model.loss)
            .duplicating(model.duplicate)
            .fifo(model.fifo == Switch::On)
            .partitioned(model.partition.clone());
        Self { seed: Seed(model.seed.0), workload, model, network: Arc::new(network) }
    }

    /// The same scenario with another seed.
    #[must_use]
    pub fn with_seed(&self, seed: Seed) -> Self {
        let model = ModelSettings { seed: SeedNumber(seed.0), ..self.model.clone() };
        let (workload, network) = (self.workload.clone(), Arc::clone(&self.network));
        Self { model, workload, seed, network }
    }

    fn check(self) -> Result<Self, ScenarioError> {
        let vms = self.vms();
        let ModelSettings { duration, rates, latency, partition, .. } = &self.model;
        let wrong = |setting, value: &dyn ToString, allowed| {
            Err(ScenarioError { setting, value: value.to_string(), allowed })
        };
        if *duration == Nanos::ZERO {
            return wrong("duration", duration, "must be longer than zero".into());
        }
        let ordered = self.model.clocks.iter().find(|clock| clock.needs_order);
        if let Some((clock, (setting, what))) = ordered.zip(self.overtakes_or_loses()) {
            let allowed =
                format!("cannot go with setting `{setting}`: {clock} goes wrong where messages {what}");
            return wrong("clocks", &self.model.clocks, allowed);
        }
        let times = [("duration", *duration), ("skew", self.model.skew.0), ("latency", latency.longest())];
        if let Some((setting, time)) = times.into_iter().find(|(_, time)| *time > Nanos::LONGEST) {
            return wrong(setting, &time, "must be at most ten years".into());
        }
        if self.is_virtual() && latency.least() < Settings::LEAST_VIRTUAL_LATENCY {
            let allowed =
                "must be at least 1us in virtual time: machines are run ahead of each other by as much";
            return wrong("latency", latency, allowed.into());
        }
        if let Rates::Drawn { low, high, .. } = rates
            && low > high
        {
            return wrong("rates", rates, "must go from the lower to the higher".into());
        }
        if let Rates::Each(each) = rates
            && each.len() != vms as usize
        {
            let allowed =
                format!("must name one rate for each of the {vms} machines, or a range such as 1-6");
            return wrong("rates", rates, format!("{allowed}; it names {}", each.len()));
        }
        let unknown = |partition: &&Partition| partition.last_named().is_some_and(|last| last.0 >= vms);
        if let Some(partition) = partition.iter().find(unknown) {
            return wrong("partition", partition, format!("must name machines from 0 to {}", vms - 1));
        }
        if let Some((crash, allowed)) = self.wrong_crash() {
            return wrong("crash", &crash, allowed);
        }
        Ok(self)
    }

    /// A crash of a machine that there is not, or of one that is down then anyway, and what is allowed.
    fn wrong_crash(&self) -> Option<(Crash, String)> {
        let (vms, crashes) = (self.vms(), &self.model.crash);
        if let Some(crash) = crashes.iter().find(|crash| crash.vm().0 >= vms) {
            return Some((*crash, format!("must name a machine from 0 to {}", vms - 1)));
        }
        crashes.iter().enumerate().find_map(|(index, crash)| {
            let other = crashes[..index].iter().find(|other| crash.overlaps(**other))?;
            let allowed = format!("must not overlap {other}, as machine {} is down then", crash.vm());
            Some((*crash, allowed))
        })
    }

    /// The setting by which a message of one machine to another may not arrive, or not in order, and what messages do
    /// then. A copy that comes after its message does no harm.
    fn overtakes_or_loses(&self) -> Option<(&'static str, &'static str)> {
        let ModelSettings { fifo, loss, partition, crash, .. } = &self.model;
        match (fifo, partition.is_empty()) {
            (Switch::Off, _) => Some(("fifo = off", "overtake others")),
            _ if *loss != Probability::default() => Some(("loss", "are lost")),
            (Switch::On, false) => Some(("partition", "are lost")),
            (Switch::On, true) if !crash.is_empty() => Some(("crash", "are lost")),
            (Switch::On, true) => None,
        }
    }

    /// The settings of the model, none of them left open.
    pub const fn model(&self) -> &ModelSettings {
        &self.model
    }

    /// The settings that make this scenario again: all of the model and none else.
    pub fn settings(&self) -> Settings {
        self.model.settings()
    }

    /// What is not as it would be if nothing were said of it: the settings by name, with their values as they are
    /// written.
    pub fn chosen(&self) -> Vec<(&'static Facts, String)> {
        let settings = self.settings();
        let model = Settings::table().iter().filter(|setting| setting.facts.scope == Scope::Model);
        let chosen = model.flat_map(|setting| {
            let others = settings.only(|facts| facts.name != setting.facts.name);
            let usual = setting.texts(&ModelSettings::of(&others, Seed(0)).settings());
            let texts = setting.texts(&settings).into_iter();
            texts.filter(move |text| !usual.contains(text)).map(|text| (&setting.facts, text))
        });
        let mut chosen: Vec<_> = chosen.collect();
        chosen.sort_by_key(|(facts, _)| facts.name);
        chosen
    }

    /// Whether time is virtual.
    pub const fn is_virtual(&self) -> bool {
        self.model.virtual_time
    }

    /// How far machines can be run ahead of each other: no message arrives earlier than this after it
    /// was sent.
    pub const fn lookahead(&self) -> Nanos {
        self.model.latency.least()
    }

    /// The number of machines, at least one.
    pub const fn vms(&self) -> u32 {
        self.model.vms.get()
    }

    /// All machines, by number.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = VmId> + use<> {
        (0..self.vms()).map(VmId)
    }

    /// How long the machines tick.
    pub const fn duration(&self) -> Nanos {
        self.model.duration
    }

    /// The seed of all draws.
    pub const fn seed(&self) -> Seed {
        self.seed
    }

    /// What the machines do at their ticks.
    pub const fn workload(&self) -> &Chosen {
        &self.workload
    }

    /// The sides of the scale model's die.
    pub const fn sides(&self) -> u32 {
        self.model.draw.get()
    }

    /// Which clocks the machines keep beside Lamport's.
    pub const fn clocks(&self) -> &ClockList {
        &self.model.clocks
    }

    /// When a machine's ticks are due: its rate and its phase.
    pub fn schedule(&self, vm: VmId) -> Schedule {
        let rate = self.model.rates.rate(vm, || self.seed.stream(vm, Purpose::Rate));
        let phase = match self.model.phase {
            Phase::Aligned => rate.period(),
            Phase::Random => self.seed.stream(vm, Purpose::Phase).between(Nanos::new(1), rate.period()),
        };
        Schedule::new(rate, phase)
    }

    /// Which of its ticks a machine makes: not those that are due while it is down.
    pub fn uptime(&self, vm: VmId) -> Uptime {
        Uptime::new(self.schedule(vm), Crash::windows_of(&self.model.crash, vm))
    }

    /// The crashes of a machine, where it has any; each takes a workload that is made anew.
    pub fn outages<W: Workload>(&self, vm: VmId, workload: impl FnMut() -> W) -> Option<Box<Outages<W>>> {
        if self.model.crash.is_empty() {
            return None;
        }
        Outages::new(self.schedule(vm), Crash::windows_of(&self.model.crash, vm), workload)
    }

    /// A live machine's ticks, from the first: when each is due, given when those before it were made.
    pub fn pace(&self, vm: VmId) -> Pace {
        Pace::new(self.schedule(vm), self.model.late)
    }

    /// What late ticks do.
    pub const fn late(&self) -> Late {
        self.model.late
    }

    /// How far a machine's physical clock is ahead of the run's time, in nanoseconds.
    pub fn skew(&self, vm: VmId) -> i64 {
        let most = self.model.skew.0.get();
        let drawn = self.seed.stream(vm, Purpose::Skew).below(2 * most + 1);
        drawn.cast_signed() - most.cast_signed()
    }

    /// A machine before its first tick, running that workload.
    pub fn machine<W: Workload>(&self, vm: VmId, workload: W) -> Vm<W> {
        let clocks = Clocks::new(&self.model.clocks, &self.setup(vm));
        let uplink = Uplink::new(&self.network, self.seed.stream(vm, Purpose::Network));
        Vm::new(vm, workload, self.seed.stream(vm, Purpose::Workload), clocks, uplink)
    }

    /// The account of a machine that has made no event.
    pub fn untouched(&self, vm: VmId) -> Account {
        Account {
            vm,
            rate: self.schedule(vm).rate(),
            tally: Tally::default(),
            lost: 0,
            duplicated: 0,
            lamport: 0,
            clocks: Clocks::new(&self.model.clocks, &self.setup(vm)).values(),
            waiting: 0,
            in_flight: 0,
            crashed: 0,
            lateness: None,
        }
    }

    /// A machine that goes on where its account ends. What waited in its inbox is lost, what it draws from now on is
    /// not what it would have drawn, and its workload starts again from nothing: all of that died with its process.
    pub fn machine_after<W: Workload>(&self, past: &Account, mut workload: W) -> Vm<W> {
        workload.resume(None);
        let Account { vm, tally, lost, duplicated, lamport, .. } = past;
        let seed = self.seed.after(tally.events);
        let uplink = Uplink::new(&self.network, seed.stream(*vm, Purpose::Network)).after(*lost, *duplicated);
        let clocks = Clocks::after(&self.model.clocks, &self.setup(*vm), *lamport, &past.clocks);
        Vm::new(*vm, workload, seed.stream(*vm, Purpose::Workload), clocks, uplink).after(tally.clone())
    }

    /// How many events the run makes in all, one at each tick that a machine makes; at most the largest `u64`.
    pub fn events(&self) -> u64 {
        self.ids().map(|vm| self.uptime(vm).ticks_until(self.model.duration)).fold(0, u64::saturating_add)
    }

    /// What a machine's clocks are told of it. Parameters are each clock's own.
    pub fn setup(&self, vm: VmId) -> Setup<'static> {
        Setup { own: vm, vms: self.vms(), skew: self.skew(vm), parameters: &[] }
    }

    /// The bytes that the values of all machines' clocks take at most, but for those that are small in any run.
    pub fn clock_bytes(&self) -> u64 {
        let (vms, events) = (self.vms(), self.events());
        let large = self.model.clocks.iter().filter(|spec| !matches!(spec.length, Length::Words(_)));
        let words = large.map(|spec| spec.most_words(vms, events) as u64);
        words.fold(0, u64::saturating_add).saturating_mul(8 * u64::from(self.vms()))
    }
}

/// The settings that are parameters of workloads as well.
fn own_settings(settings: &Settings) -> Vec<(&'static str, u64)> {
    settings.draw.map(|sides| ("draw", u64::from(sides.get()))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::network::Latency;
    use crate::model::time::WithUnit;

    fn scenario(settings: &Settings) -> Result<Scenario, ScenarioError> {
        Scenario::new(settings, Seed(9))
    }

    fn refuses(settings: &Settings, message: &str) {
        assert_eq!(scenario(settings).unwrap_err().to_string(), message);
    }

    #[test]
    fn the_defaults_are_the_exercise() {
        let exercise = scenario(&Settings::default()).unwrap();
        assert_eq!((exercise.vms(), exercise.duration(), exercise.sides()), (3, Nanos::from_secs(60), 10));
        assert!(exercise.ids().all(|vm| (1..=6).contains(&exercise.schedule(vm).rate().whole().unwrap())));
        assert!(exercise.ids().all(|vm| exercise.skew(vm) == 0));
        assert_eq!(exercise.seed(), Seed(9));
    }

    #[test]
    fn settings_that_do_not_fit_each_other_are_refused_with_the_flag() {
        refuses(
            &Settings { rates: Some("6,2".parse().unwrap()), ..Settings::default() },
            "invalid value '6,2' for setting `rates`: must name one rate for each of the 3 machines, or a range such as 1-6; it names 2",
        );
        refuses(
            &Settings { duration: Some(Nanos::ZERO), ..Settings::default() },
            "invalid value '0s' for setting `duration`: must be longer than zero",
        );
        refuses(
            &Settings { skew: Some(WithUnit(Nanos::new(u64::MAX))), ..Settings::default() },
            "invalid value '18446744073709551615ns' for setting `skew`: must be at most ten years",
        );
        let latency = Some(Latency::Exponential { mean: Nanos::LONGEST.plus(Nanos::new(1)) });
        assert_eq!(scenario(&Settings { latency, ..Settings::default() }).unwrap_err().setting, "latency");
        refuses(
            &Settings { partition: vec!["0s-1s:0/3".parse().unwrap()], ..Settings::default() },
            "invalid value '0s-1s:0/3' for setting `partition`: must name machines from 0 to 2",
        );
        let crashing = |texts: &[&str]| Settings {
            crash: texts.iter().map(|crash| crash.parse().unwrap()).collect(),
            ..Settings::default()
        };
        refuses(
            &crashing(&["0s-1s:2", "0s-1s:3"]),
            "invalid value '0s-1s:3' for setting `crash`: must name a machine from 0 to 2",
        );
        refuses(
            &crashing(&["0s-3s:2", "2s-4s:1", "2s-4s:2"]),
            "invalid value '2s-4s:2' for setting `crash`: must not overlap 0s-3s:2, as machine 2 is down then",
        );
        let differential = Settings { clocks: "differential".parse().ok(), ..crashing(&["0s-3s:2"]) };
        let error = scenario(&differential).unwrap_err();
        assert!(error.allowed.starts_with("cannot go with setting `crash`: "), "{error}");
    }

    #[test]
    fn a_machine_goes_on_where_its_account_ends() {
        use crate::model::event::Outbox;
        use crate::model::vm::Store;
        use crate::workload::ScaleModel;

        let settings: Settings = toml::from_str("skew = \"1ms\"\nloss = 0.5").unwrap();
        let scenario = scenario(&settings).unwrap();
        let workload = || ScaleModel::new(VmId(1), 3, 3);
        let (mut store, mut outbox) = (Store::default(), Outbox::default());
        let mut first = scenario.machine(VmId(1), workload());
        let rate = scenario.schedule(VmId(1)).rate();
        assert_eq!(first.account(Nanos::ZERO, &mut store, rate, None), scenario.untouched(VmId(1)));
        for now in 1..=20 {
            first.tick(Nanos::from_secs(now), &mut store, &mut outbox);
        }
        let account = first.account(Nanos::from_secs(20), &mut store, rate, None);
        assert!(account.lost > 0);
        let mut next = scenario.machine_after(&account, workload());
        assert_eq!(next.clocks(), first.clocks());
        assert_eq!(next.account(Nanos::from_secs(20), &mut store, rate, None), account);
        next.tick(Nanos::from_secs(21), &mut store, &mut outbox);
        assert_eq!((next.clocks().lamport, next.clocks().at(0)), (21, &[0, 21, 0][..]));
    }

    #[test]
    fn a_scenario_gives_back_the_settings_that_make_it_again() {
        let asked = Settings {
            vms: VmCount::new(5),
            latency: Some("1ms-9ms".parse().unwrap()),
            partition: vec!["0s-1s:0/3".parse().unwrap()],
            crash: ["0s-1s:4", "1s-2s:4"].map(|crash| crash.parse().unwrap()).into(),
            skew: Some(WithUnit(Nanos::new(5))),
            ..Settings::default()
        };
        let settings = scenario(&asked).unwrap().settings();
        assert_eq!(Scenario::new(&settings, Seed(1)).unwrap().settings(), settings);
        assert_eq!((settings.vms, settings.skew), (asked.vms, asked.skew));
    }

    #[test]
    fn more_events_than_can_be_counted_are_as_many_as_can() {
        let settings = Settings {
            vms: VmCount::new(100_000),
            rates: "1000000".parse().ok(),
            duration: Some(Nanos::LONGEST),
            ..Settings::default()
        };
        assert_eq!(scenario(&settings).unwrap().events(), u64::MAX);
    }

    #[test]
    fn a_phase_lies_within_the_first_period() {
        let phases = |phase| {
            let settings = Settings { phase: Some(phase), vms: VmCount::new(200), ..Settings::default() };
            let scenario = scenario(&settings).unwrap();
            scenario.ids().map(|vm| scenario.schedule(vm)).collect::<Vec<_>>()
        };
        assert!(phases(Phase::Aligned).iter().all(|tick| tick.phase() == tick.rate().period()));
        let random = phases(Phase::Random);
        assert!(random.iter().all(|tick| Nanos::ZERO < tick.phase() && tick.phase() <= tick.rate().period()));
        assert!(random.iter().any(|tick| tick.phase() < tick.rate().period()));
    }

    /// What a seed means is part of clocklab's promise, in every version.
    #[test]
    fn a_seed_draws_the_same_machines_forever() {
        let settings = Settings {
            skew: Some(WithUnit(Nanos::new(1_000_000))),
            seed: Some(SeedNumber(42)),
            ..Settings::default()
        };
        let scenario = scenario(&settings).unwrap();
        let drawn = |vm| {
            (
                scenario.schedule(vm).rate().whole().unwrap(),
                scenario.schedule(vm).phase().get(),
                scenario.skew(vm),
            )
        };
        assert_eq!(scenario.ids().map(drawn).collect::<Vec<_>>(), GOLDEN_MACHINES);
    }

    const GOLDEN_MACHINES: [(u32, u64, i64); 3] =
        [(5, 19_479_665, -729_686), (6, 80_544_392, 188_131), (3, 38_544_119, -587_382)];

    proptest! {
        #[test]
        fn skews_lie_within_the_setting_on_both_sides(seed: u64, skew in 0u64..1000) {
            let settings = Settings { skew: Some(WithUnit(Nanos::new(skew))), vms: VmCount::new(40), ..Settings::default() };
            let scenario = Scenario::new(&settings, Seed(seed)).unwrap();
            prop_assert!(scenario.ids().all(|vm| scenario.skew(vm).unsigned_abs() <= skew));
        }
    }
}
