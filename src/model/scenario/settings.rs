//! What people ask for, in flags or in a scenario file: every setting, each of them optional.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ClockList, LogChoice, Phase, Rates, Switch};
use crate::model::network::{Latency, Partition, Probability};
use crate::model::pace::Late;
use crate::model::text::{self, Whole};
use crate::model::time::{Nanos, WithUnit};
use crate::workload::Choice;

/// A number of machines.
pub type VmCount = Whole<1, 10_000_000>;
/// The sides of a die.
pub type Draw = Whole<1, { u32::MAX }>;
/// A number of runs.
pub type Runs = Whole<1, 100_000>;
/// A number of processes that share a run.
pub type Processes = Whole<1, 1024>;
/// A number of worker threads.
pub type Threads = Whole<1, 1024>;

/// The settings of a run. The names of the fields are those of the flags and of a scenario file's keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether time is virtual: the run takes as long as its computing does.
    #[serde(rename = "virtual-time")]
    pub virtual_time: Option<bool>,
    /// The number of machines.
    pub vms: Option<VmCount>,
    /// How long they tick.
    pub duration: Option<Nanos>,
    /// How many ticks a second each machine makes, or from what range it draws that.
    pub rates: Option<Rates>,
    /// The seed of all draws.
    pub seed: Option<SeedNumber>,
    /// What the machines do at their ticks.
    pub workload: Option<Choice>,
    /// The sides of the die that the scale model rolls.
    pub draw: Option<Draw>,
    /// When each machine's first tick is due.
    pub phase: Option<Phase>,
    /// What ticks do that are late, in real time.
    pub late: Option<Late>,
    /// The clocks that they keep.
    pub clocks: Option<ClockList>,
    /// The largest error of a machine's physical clock, either way.
    #[serde(deserialize_with = "with_unit")]
    pub skew: Option<Nanos>,
    /// How long messages travel.
    pub latency: Option<Latency>,
    /// The probability that a message is lost.
    pub loss: Option<Probability>,
    /// The probability that it is delivered twice.
    pub duplicate: Option<Probability>,
    /// Whether messages from one machine to another stay in order.
    pub fifo: Option<Switch>,
    /// When groups of machines cannot reach each other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partition: Vec<Partition>,
    /// How many runs, with seeds derived from the one seed.
    pub runs: Option<Runs>,
    /// Worker threads among which the machines are shared.
    pub threads: Option<Threads>,
    /// Processes of this machine that share the run.
    pub processes: Option<Processes>,
    /// Where the events are logged.
    pub log: Option<LogChoice>,
}

impl Settings {
    /// The number of machines where nothing else is asked for.
    pub const VMS: VmCount = VmCount::new(3).expect("in range");
    /// The duration where nothing else is asked for.
    pub const DURATION: Nanos = Nanos::from_secs(60);
    /// The latency in virtual time where nothing else is asked for.
    pub const VIRTUAL_LATENCY: Nanos = Nanos::new(1_000_000);
    /// The shortest latency in virtual time.
    pub const LEAST_VIRTUAL_LATENCY: Nanos = Nanos::new(1_000);
    /// The sides of the die where nothing else is asked for.
    pub const DRAW: Draw = Draw::new(10).expect("in range");

    /// These settings; what they leave open is taken from `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            virtual_time: self.virtual_time.or(others.virtual_time),
            vms: self.vms.or(others.vms),
            duration: self.duration.or(others.duration),
            rates: self.rates.or(others.rates),
            seed: self.seed.or(others.seed),
            workload: self.workload.or(others.workload),
            draw: self.draw.or(others.draw),
            phase: self.phase.or(others.phase),
            late: self.late.or(others.late),
            clocks: self.clocks.or(others.clocks),
            skew: self.skew.or(others.skew),
            latency: self.latency.or(others.latency),
            loss: self.loss.or(others.loss),
            duplicate: self.duplicate.or(others.duplicate),
            fifo: self.fifo.or(others.fifo),
            partition: if self.partition.is_empty() { others.partition } else { self.partition },
            runs: self.runs.or(others.runs),
            threads: self.threads.or(others.threads),
            processes: self.processes.or(others.processes),
            log: self.log.or(others.log),
        }
    }
}

/// Reads a time that is written with its unit.
fn with_unit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Nanos>, D::Error> {
    WithUnit::deserialize(deserializer).map(|WithUnit(time)| Some(time))
}

/// A seed as people write it: any `u64`. In TOML, whose integers are signed, a large one is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedNumber(pub u64);

impl fmt::Display for SeedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 0 to {}", u64::MAX)]
pub struct ParseSeedError;

impl FromStr for SeedNumber {
    type Err = ParseSeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse().map(Self).map_err(|_parse_int_error| ParseSeedError)
    }
}

impl Serialize for SeedNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(number) => serializer.serialize_i64(number),
            Err(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for SeedNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}
