//! An experiment: conditions that differ in some settings, each of them made several times.
//!
//! The conditions are all combinations of values that are named, `rates=1-6 rates=3-4 draw=10`, with conditions that
//! have names where there are any. Every run has its place among all, by condition and number, and a seed that follows
//! from the experiment's, its condition and its number: not from its place, nor from which machine makes it.

mod levels;
mod shard;

pub use shard::{ParseShardError, Shard};

use serde::{Deserialize, Serialize};

use self::levels::{Factor, Level};
use crate::clock::ClockList;
use crate::model::registry::Registry;
use crate::model::scenario::{ModelSettings, Runs, Scenario, ScenarioError, Settings};
use crate::model::seed::Seed;
use crate::model::setting::{Facts, Holder};

/// The most runs of an experiment.
const MOST_RUNS: u64 = 10_000_000;
/// The longest name of a condition.
const LONGEST_NAME: usize = 100;

/// A condition that somebody has given a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// The settings in which it differs.
    pub settings: Settings,
}

/// Conditions, and how often each is made.
#[derive(Clone, Debug)]
pub struct Experiment {
    factors: Vec<&'static Facts>,
    conditions: Vec<Condition>,
    runs: Runs,
    seed: Seed,
    /// All clocks that any of its machines keeps.
    clocks: ClockList,
}

/// What an experiment's conditions say, as a file keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// The names of the settings that vary.
    pub columns: Vec<String>,
    /// The conditions, in their order.
    pub conditions: Vec<OutlinedCondition>,
}

/// What one condition says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutlinedCondition {
    /// Its name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its values of the settings that vary, as they were written.
    pub values: Vec<String>,
    /// The settings that it says itself.
    #[serde(flatten)]
    pub settings: Settings,
}

/// One condition of an experiment.
#[derive(Clone, Debug)]
pub struct Condition {
    name: Option<String>,
    /// The values of the settings that vary, in their order.
    cells: Vec<String>,
    /// The settings that it says itself.
    settings: Settings,
    scenario: Scenario,
    seed: Seed,
}

/// Why there is no such experiment.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExperimentError {
    /// An argument names no value of a setting.
    #[error(
        "invalid argument '{argument}': must be NAME=VALUE, such as rates=1-6, draw=4..10 or vms=log:10..1000"
    )]
    Form {
        /// The argument as it was written.
        argument: String,
    },
    /// There is no such setting.
    #[error(
        "there is no setting '{name}': {}these can vary: {all}",
        near.map(|near| format!("did you mean {near}? ")).unwrap_or_default()
    )]
    Unknown {
        /// The name as it was written.
        name: String,
        /// What may have been meant.
        near: Option<&'static str>,
        /// All names that there are.
        all: String,
    },
    /// It is the same in all conditions.
    #[error("'{name}' cannot vary within a sweep: {why}")]
    Fixed {
        /// The setting.
        name: &'static str,
        /// Why, and what to ask for instead.
        why: &'static str,
    },
    /// A value is none that the setting can have.
    #[error("invalid value '{value}' for '{name}': {allowed}")]
    Value {
        /// The setting.
        name: &'static str,
        /// The value as it was written.
        value: String,
        /// What is allowed instead.
        allowed: String,
    },
    /// A setting is given for all conditions, and for some.
    #[error("'{name}' is given for all conditions with setting `{name}`, and varies: leave out one of them")]
    Both {
        /// The setting.
        name: &'static str,
    },
    /// A setting is given in named conditions, and beside them.
    #[error(
        "'{name}' is a setting of the condition '{condition}', and varies beside the conditions: leave out one of them"
    )]
    Crossed {
        /// The setting.
        name: &'static str,
        /// The condition that has it.
        condition: String,
    },
    /// A name is none that a condition can have.
    #[error(
        "'{name}' cannot name a condition: a name has from 1 to {LONGEST_NAME} characters, all of which can be seen"
    )]
    Name {
        /// The name as it was written.
        name: String,
    },
    /// Two conditions are the same, or have the same name.
    #[error("the conditions '{first}' and '{second}' {what}")]
    Twice {
        /// The one that came first.
        first: String,
        /// The other.
        second: String,
        /// What they have in common.
        what: &'static str,
    },
    /// Nothing varies.
    #[error("no condition is named: nothing varies")]
    Nothing,
    /// There would be too many runs.
    #[error(
        "{conditions} conditions with {runs} runs each are too many: a sweep has at most {MOST_RUNS} runs"
    )]
    TooMany {
        /// How many conditions there would be.
        conditions: u64,
        /// The runs of each.
        runs: u32,
    },
    /// The settings of a condition do not fit each other.
    #[error("condition {condition}: {source}")]
    Scenario {
        /// The condition.
        condition: String,
        /// The setting that is wrong.
        source: ScenarioError,
    },
}

impl Experiment {
    /// All combinations of the values that the arguments `NAME=VALUE` name, in each of the named conditions where there
    /// are any. What they leave open is as in `shared`, of which `given` was said for all of them in so many words; the
    /// seed is that of `shared`, or `drawn`.
    ///
    /// # Errors
    ///
    /// Where an argument or a condition is wrong, with its name and what is allowed.
    pub fn new(
        arguments: &[String],
        named: Vec<Named>,
        (given, shared): (&Settings, &Settings),
        drawn: Seed,
        registry: &Registry,
    ) -> Result<Self, ExperimentError> {
        let varying = levels::factors(arguments)?;
        check_names(&named)?;
        check_apart(&varying, &named, given)?;
        if varying.is_empty() && named.is_empty() {
            return Err(ExperimentError::Nothing);
        }
        let counts = varying.iter().map(|factor| factor.levels.len() as u64);
        check_count(counts.chain([named.len().max(1) as u64]).fold(1, u64::saturating_mul), shared)?;
        let factors = all_factors(&varying, &named);
        Self::of(factors, combinations(&varying, named), shared, drawn, registry)
    }

    /// The experiment of which a file keeps the outline.
    ///
    /// # Errors
    ///
    /// Where this version of clocklab would not have written it.
    pub fn of_outline(
        outline: &Outline,
        shared: &Settings,
        drawn: Seed,
        registry: &Registry,
    ) -> Result<Self, ExperimentError> {
        let setting = |name: &String| levels::varying(name).map(|setting| &setting.facts);
        let factors = outline.columns.iter().map(setting).collect::<Result<Vec<_>, _>>()?;
        if outline.conditions.is_empty() {
            return Err(ExperimentError::Nothing);
        }
        check_count(outline.conditions.len() as u64, shared)?;
        let names = || factors.iter().map(|facts| facts.name);
        let raw = |condition: &OutlinedCondition| Raw {
            name: condition.name.clone(),
            texts: names().zip(condition.values.iter().cloned()).collect(),
            settings: condition.settings.clone(),
        };
        let raws = outline.conditions.iter().map(raw).collect();
        Self::of(factors.clone(), raws, shared, drawn, registry)
    }

    fn of(
        factors: Vec<&'static Facts>,
        raws: Vec<Raw>,
        shared: &Settings,
        drawn: Seed,
        registry: &Registry,
    ) -> Result<Self, ExperimentError> {
        let seed = shared.seed.map_or(drawn, |seed| Seed(seed.0));
        let make = |raw: Raw| raw.condition(&factors, shared, seed, registry);
        let conditions = raws.into_iter().map(make).collect::<Result<Vec<_>, _>>()?;
        let all = conditions.iter().flat_map(|condition| condition.scenario.clocks().iter().copied());
        let clocks = ClockList::new(all);
        let experiment = Self { factors, conditions, runs: runs(shared), seed, clocks };
        experiment.check_differences()?;
        Ok(experiment)
    }

    /// What its conditions say.
    pub fn outline(&self) -> Outline {
        let condition = |condition: &Condition| OutlinedCondition {
            name: condition.name.clone(),
            values: condition.cells.clone(),
            settings: condition.settings.clone(),
        };
        Outline {
            columns: self.factors.iter().map(|facts| facts.name.to_owned()).collect(),
            conditions: self.conditions.iter().map(condition).collect(),
        }
    }

    /// The settings that vary, in the order of their columns.
    pub fn factors(&self) -> &[&'static Facts] {
        &self.factors
    }

    /// Whether its conditions have names.
    pub fn has_names(&self) -> bool {
        self.conditions.iter().any(|condition| condition.name.is_some())
    }

    /// Its conditions, in their order.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// All clocks that its machines keep beside Lamport's, in whatever condition.
    pub const fn clocks(&self) -> &ClockList {
        &self.clocks
    }

    /// How often each condition is made.
    pub const fn runs(&self) -> Runs {
        self.runs
    }

    /// The seed from which those of all runs follow.
    pub const fn seed(&self) -> Seed {
        self.seed
    }

    /// How many runs there are in all.
    pub fn len(&self) -> u64 {
        self.conditions.len() as u64 * u64::from(self.runs.get())
    }

    /// Whether there are none; there are always some.
    pub const fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// The condition, by its index, and the number, from 1, of the run at that place among all.
    pub fn at(&self, place: u64) -> (usize, u32) {
        let runs = u64::from(self.runs.get());
        let condition = usize::try_from(place / runs).unwrap_or(usize::MAX);
        (condition, u32::try_from(place % runs).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// The place among all of a condition's run.
    pub fn place(&self, condition: usize, run: u32) -> u64 {
        condition as u64 * u64::from(self.runs.get()) + u64::from(run) - 1
    }

    /// A condition in words: its name, or `rates=1-6 draw=10`.
    pub fn label(&self, condition: &Condition) -> String {
        match &condition.name {
            Some(name)
                if self.conditions.iter().filter(|other| other.name.as_ref() == Some(name)).count() == 1 =>
            {
                name.clone()
            }
            _ => label(condition.name.as_deref(), &self.factors, &condition.cells),
        }
    }

    /// Conditions that say the same would have the same runs, which would look like a result.
    fn check_differences(&self) -> Result<(), ExperimentError> {
        let mut seen = std::collections::BTreeMap::new();
        for condition in &self.conditions {
            let settings = condition.scenario.settings();
            let own = Settings { seed: None, ..settings };
            let texts: Vec<_> = Settings::table().iter().map(|setting| setting.texts(&own)).collect();
            let processes = condition.settings.processes.map(|processes| processes.get());
            let threads = condition.settings.threads.map(|threads| threads.get());
            if let Some(first) = seen.insert((texts, processes, threads), condition) {
                return Err(ExperimentError::Twice {
                    first: label(first.name.as_deref(), &self.factors, &first.cells),
                    second: label(condition.name.as_deref(), &self.factors, &condition.cells),
                    what: "are the same: their settings do not differ",
                });
            }
        }
        Ok(())
    }
}

impl Condition {
    /// Its name, where it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its values of the settings that vary, in their order.
    pub fn cells(&self) -> &[String] {
        &self.cells
    }

    /// The settings that it says itself, beside those of all.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What its machines do, whatever its seed.
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The seed of one of its runs, by number.
    pub fn seed(&self, run: u32) -> Seed {
        self.seed.of_run(run)
    }
}

/// A condition before it is known whether its settings fit each other.
struct Raw {
    name: Option<String>,
    /// Its values of the settings that vary, as they were written.
    texts: Vec<(&'static str, String)>,
    settings: Settings,
}

impl Raw {
    fn condition(
        self,
        factors: &[&'static Facts],
        shared: &Settings,
        seed: Seed,
        registry: &Registry,
    ) -> Result<Condition, ExperimentError> {
        let Self { name, texts, settings } = self;
        let all = settings.clone().or(shared);
        let full = ModelSettings::of(&all, seed).settings().or(&all);
        let cell = |facts: &&'static Facts| {
            let written = texts.iter().find(|(name, _)| *name == facts.name);
            let of_all = || texts_of(facts.name, &full).join(" ");
            written.map_or_else(of_all, |(_, text)| text.clone())
        };
        let cells: Vec<String> = factors.iter().map(cell).collect();
        let scenario = Scenario::of(registry, &all, seed).map_err(|source| ExperimentError::Scenario {
            condition: label(name.as_deref(), factors, &cells),
            source,
        })?;
        let seed = seed.of_condition(&key(&settings));
        Ok(Condition { name, cells, settings, scenario, seed })
    }
}

/// How often each condition is made.
fn runs(shared: &Settings) -> Runs {
    shared.runs.unwrap_or(Runs::new(1).expect("in range"))
}

fn check_count(conditions: u64, shared: &Settings) -> Result<(), ExperimentError> {
    let runs = runs(shared).get();
    let is_too_many = conditions.saturating_mul(runs.into()) > MOST_RUNS;
    if is_too_many { Err(ExperimentError::TooMany { conditions, runs }) } else { Ok(()) }
}

/// What a condition says, in words that stay the same for ever: its seed follows from them.
fn key(settings: &Settings) -> String {
    let each = Settings::table().iter().flat_map(|setting| {
        setting.texts(settings).into_iter().map(|text| format!("{}={text}\n", setting.facts.name))
    });
    let mut lines: Vec<String> = each.collect();
    // By name, whatever the order of the table and of the arguments.
    lines.sort();
    lines.concat()
}

fn label(name: Option<&str>, factors: &[&'static Facts], cells: &[String]) -> String {
    let values = factors.iter().zip(cells).map(|(facts, cell)| format!("{}={cell}", facts.name));
    name.map(str::to_owned).into_iter().chain(values).collect::<Vec<_>>().join(" ")
}

fn texts_of(name: &str, settings: &Settings) -> Vec<String> {
    let setting = Settings::table().iter().find(|setting| setting.facts.name == name);
    setting.map(|setting| setting.texts(settings)).unwrap_or_default()
}

/// The settings that vary beside the named conditions, and those in which these differ, in the order of the table.
fn all_factors(varying: &[Factor], named: &[Named]) -> Vec<&'static Facts> {
    let is_in_names = |name: &str| named.iter().any(|named| !texts_of(name, &named.settings).is_empty());
    let in_names = Settings::table().iter().map(|setting| &setting.facts);
    let in_names = in_names.filter(|facts| is_in_names(facts.name));
    in_names.chain(varying.iter().map(|factor| &factor.setting.facts)).collect()
}

/// Every named condition with every value of each setting; the first of them varies slowest.
fn combinations(varying: &[Factor], named: Vec<Named>) -> Vec<Raw> {
    let first = |Named { name, settings }| Raw { name: Some(name), texts: Vec::new(), settings };
    let mut all: Vec<Raw> = named.into_iter().map(first).collect();
    if all.is_empty() {
        all.push(Raw { name: None, texts: Vec::new(), settings: Settings::default() });
    }
    for Factor { setting, levels } in varying {
        let with = |raw: &Raw, Level { text, settings }: &Level| {
            let mut texts = raw.texts.clone();
            texts.push((setting.facts.name, text.clone()));
            Raw { name: raw.name.clone(), texts, settings: settings.clone().or(&raw.settings) }
        };
        all = all.iter().flat_map(|raw| levels.iter().map(move |level| with(raw, level))).collect();
    }
    all
}

fn check_names(named: &[Named]) -> Result<(), ExperimentError> {
    for (at, Named { name, settings }) in named.iter().enumerate() {
        let is_seen = !name.trim().is_empty() && !name.chars().any(char::is_control);
        if !is_seen || name.chars().count() > LONGEST_NAME {
            return Err(ExperimentError::Name { name: name.escape_debug().to_string() });
        }
        if named[..at].iter().any(|other| other.name == *name) {
            let (first, second) = (name.clone(), name.clone());
            return Err(ExperimentError::Twice { first, second, what: "have the same name" });
        }
        for setting in Settings::table().iter().filter(|setting| !setting.texts(settings).is_empty()) {
            levels::varying(setting.facts.name)?;
        }
    }
    Ok(())
}

/// A setting varies in one place alone.
fn check_apart(varying: &[Factor], named: &[Named], given: &Settings) -> Result<(), ExperimentError> {
    for Factor { setting, .. } in varying {
        if let Some(other) = named.iter().find(|named| !setting.texts(&named.settings).is_empty()) {
            let (name, condition) = (setting.facts.name, other.name.clone());
            return Err(ExperimentError::Crossed { name, condition });
        }
    }
    let in_names = |name: &str| named.iter().any(|named| !texts_of(name, &named.settings).is_empty());
    let is_varying = |name: &str| varying.iter().any(|factor| factor.setting.facts.name == name);
    let both = Settings::table().iter().find(|setting| {
        let name = setting.facts.name;
        !setting.texts(given).is_empty() && (is_varying(name) || in_names(name))
    });
    both.map_or(Ok(()), |setting| Err(ExperimentError::Both { name: setting.facts.name }))
}

#[cfg(test)]
mod tests;
