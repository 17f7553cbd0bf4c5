//! What theory expects of the scale model: how messages flow between machines of different rates.
//!
//! A machine of rate r that is sent λ messages a second receives at that many of its ticks and rolls the die at
//! the others: a = max(0, r − λ) times a second. A roll sends m messages on the mean, to each of the N − 1 others
//! alike, so λ_i = m / (N − 1) · Σ_{j≠i} a_j. With three machines and K ≥ 3 sides that is the exercise's
//! λ_i = (2/K) Σ a_j. What is lost or duplicated counts as often as it arrives.

use crate::after::history::Model;
use crate::model::id::VmId;
use crate::model::scenario::Scenario;

/// The flow of messages, a second and machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Ticks a second, by machine.
    rates: Vec<f64>,
    /// How often it rolls the die.
    active: Vec<f64>,
    /// How many messages it is sent.
    arrivals: Vec<f64>,
}

impl Flow {
    /// Where and how it holds, for people.
    pub const HOLDS: &'static str = "\
for the scale model over long times: r ticks, of which messages take min(λ, r) and the die has the others,
a = max(0, r − λ), with λ_i = m/(N−1)·Σ_{j≠i} a_j and m messages a roll (for K ≥ 3 sides 4/K, with two machines
3/K; with three machines λ_i = (2/K)·Σ a_j). A queue grows by λ − r where that is more than nothing, and such a
machine's clock ends near C_max·r/λ. Not for partitions and crashes, and not where two machines roll at most three sides or
three machines one";

    /// The flow of a run, where the theory holds for it.
    pub(crate) fn of(model: &Model) -> Option<Self> {
        Self::of_scenario(model.scenario()?)
    }

    fn of_scenario(scenario: &Scenario) -> Option<Self> {
        let settings = scenario.settings();
        let workload = scenario.workload();
        let is_undisturbed = settings.partition.is_empty() && settings.crash.is_empty();
        let sends_to_each = workload.algorithm().sends_to_each.filter(|_| is_undisturbed)?;
        let arrives = (1.0 - settings.loss.unwrap_or_default().get())
            * (1.0 + settings.duplicate.unwrap_or_default().get());
        let rates = scenario.ids().map(|vm| scenario.schedule(vm).rate().as_f64()).collect();
        Self::new(rates, sends_to_each(workload.setup())? * arrives)
    }

    /// The flow where a tick that receives nothing makes so many messages arrive at each other machine.
    fn new(rates: Vec<f64>, each: f64) -> Option<Self> {
        if each >= 1.0 {
            return None;
        }
        // The sum of all a decides each of them: a_i = max(0, (r_i − c·A) / (1 − c)). What they sum up to falls
        // as A grows, so one A alone fits.
        let active = |sum: f64| rates.iter().map(move |rate| ((rate - each * sum) / (1.0 - each)).max(0.0));
        let (mut low, mut high) = (0.0, rates.iter().sum::<f64>());
        // By halves: 200 of them leave less than a double can tell apart.
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if active(middle).sum::<f64>() > middle { low = middle } else { high = middle }
        }
        let active: Vec<f64> = active(low).collect();
        debug_assert!(active.iter().all(|a| *a >= 0.0), "nobody rolls less than never");
        let sum: f64 = active.iter().sum();
        let arrivals = active.iter().map(|a| each * (sum - a)).collect();
        Some(Self { rates, active, arrivals })
    }

    /// How often a second a machine rolls the die.
    pub fn active(&self, vm: VmId) -> Option<f64> {
        self.active.get(vm.index()).copied()
    }

    /// How many messages a second it is sent.
    pub fn arrivals(&self, vm: VmId) -> Option<f64> {
        self.arrivals.get(vm.index()).copied()
    }

    /// By how many messages a minute its queue grows.
    pub fn queue_per_minute(&self, vm: VmId) -> Option<f64> {
        Some((self.arrivals(vm)? - self.rates[vm.index()]).max(0.0) * 60.0)
    }

    /// Where a saturated machine's Lamport clock ends, where the largest ends there.
    pub fn saturated_clock(&self, vm: VmId, largest: f64) -> Option<f64> {
        let (rate, arrivals) = (*self.rates.get(vm.index())?, self.arrivals(vm)?);
        (arrivals > rate).then(|| largest * rate / arrivals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::seed::Seed;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    /// The flow in a run of machines of these rates.
    fn flow_of(rates: &[f64], settings: &str) -> Option<Flow> {
        let each: Vec<String> = rates.iter().map(ToString::to_string).collect();
        let text = format!("vms = {}\nrates = \"{},\"\n{settings}", rates.len(), each.join(","));
        let settings = toml::from_str(&text).unwrap();
        Flow::of_scenario(&Scenario::new(&settings, Seed(1)).unwrap())
    }

    #[test]
    fn three_machines_flow_as_the_exercise_says() {
        let rates = vec![6.0, 3.0, 1.0];
        let flow = flow_of(&rates, "draw = 10").unwrap();
        let sum: f64 = flow.active.iter().sum();
        for (vm, rate) in rates.iter().enumerate() {
            let arrivals = 0.2 * (sum - flow.active[vm]);
            assert!(near(flow.arrivals[vm], arrivals) && near(flow.active[vm], (rate - arrivals).max(0.0)));
        }
        assert!(near(flow.active[2], 0.0) && flow.arrivals[2] > 1.0, "the slow one is saturated: {flow:?}");
    }

    #[test]
    fn equal_machines_share_equally() {
        let flow = flow_of(&[4.0; 50], "draw = 10\nloss = 0.5").unwrap();
        // a = 4 − 0.2 a
        assert!(flow.active.iter().all(|a| near(*a, 4.0 / 1.2)));
        let alone = flow_of(&[4.0], "draw = 10").unwrap();
        assert!(near(alone.active[0], 4.0) && near(alone.arrivals[0], 0.0));
    }

    #[test]
    fn where_nothing_settles_there_is_no_flow() {
        assert_eq!(flow_of(&[4.0, 2.0], "draw = 3"), None);
        assert_eq!(flow_of(&[4.0, 2.0, 1.0], "draw = 1"), None);
        assert_eq!(flow_of(&[4.0, 2.0, 1.0], "partition = [\"0s-1s:0/1\"]"), None);
        assert_eq!(flow_of(&[4.0, 2.0, 1.0], "crash = [\"0s-1s:0\"]"), None);
        assert_eq!(flow_of(&[4.0, 2.0, 1.0], "workload = \"client-server\""), None);
        assert!(flow_of(&[4.0, 2.0, 1.0], "draw = 2").is_some());
    }
}
