//! The workloads that a program has, by name, and what people ask of them.

use std::fmt;
use std::str::FromStr;

use super::AnyWorkload;
use super::algorithm::{Algorithm, Parameter, Setup};
use super::{
    causal_broadcast, client_server, lamport_mutex, raymond, ricart_agrawala, scale_model, snapshot,
    suzuki_kasami, token_ring,
};
use crate::model::id::VmId;
use crate::model::text::as_text;

/// The workloads that come with clocklab, each with a line of its own. The first is the one of a run that asks for
/// none.
static BUILT_IN: [&Algorithm; 9] = [
    &scale_model::ALGORITHM,
    &client_server::ALGORITHM,
    &lamport_mutex::ALGORITHM,
    &ricart_agrawala::ALGORITHM,
    &token_ring::ALGORITHM,
    &suzuki_kasami::ALGORITHM,
    &raymond::ALGORITHM,
    &causal_broadcast::ALGORITHM,
    &snapshot::ALGORITHM,
];

/// Stands for the workload of another program in logs that it left.
static FOREIGN: Algorithm = Algorithm { name: "foreign", title: "another program's", ..Algorithm::PLAIN };

/// The workloads of a program: those of clocklab, and its own.
#[derive(Clone, Debug)]
pub struct Workloads {
    algorithms: Vec<&'static Algorithm>,
}

/// A workload as people ask for it: its name, and values of its parameters, `NAME:key=value,…`.
///
/// Whether there is such a workload is for a registry to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    name: String,
    values: Vec<(String, u64)>,
}

/// The workload of a run, with all that it needs to know.
#[derive(Clone, Debug)]
pub struct Chosen {
    algorithm: &'static Algorithm,
    choice: Choice,
    setup: Setup,
}

/// Why a text asks for no workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the name of a workload, or NAME:parameter=value,… with whole numbers")]
pub struct ParseChoiceError;

impl Default for Workloads {
    fn default() -> Self {
        Self { algorithms: BUILT_IN.to_vec() }
    }
}

impl Workloads {
    /// The same with one more, in place of one that has its name.
    ///
    /// # Panics
    ///
    /// Where its description is wrong: its name or a parameter's cannot be asked for, or a default is out of range.
    #[must_use]
    pub fn with(mut self, algorithm: &'static Algorithm) -> Self {
        assert_described(algorithm);
        self.algorithms.retain(|other| other.name != algorithm.name);
        self.algorithms.push(algorithm);
        self
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&'static Algorithm> {
        self.algorithms.iter().find(|algorithm| algorithm.name == name).copied()
    }

    /// All of them, in the order in which they are told.
    pub fn all(&self) -> impl Iterator<Item = &'static Algorithm> + '_ {
        self.algorithms.iter().copied()
    }

    /// Their names with commas between them.
    pub fn names(&self) -> String {
        self.all().map(|algorithm| algorithm.name).collect::<Vec<_>>().join(", ")
    }

    /// The workload that people ask for, in a run of so many machines. `settings` are values of parameters that have a
    /// flag of their own.
    ///
    /// # Errors
    ///
    /// In words what is allowed, where that is something else.
    pub fn choose(&self, choice: &Choice, vms: u32, settings: &[(&str, u64)]) -> Result<Chosen, String> {
        let Some(algorithm) = self.get(&choice.name) else {
            return Err(format!("must be one of: {}", self.names()));
        };
        let mut chosen = Chosen { algorithm, choice: choice.clone(), setup: Setup::new(vms, algorithm) };
        for (name, value) in settings {
            chosen.setup.set(name, *value);
        }
        for (name, value) in &choice.values {
            let Some(parameter) = algorithm.parameter(name) else {
                return Err(no_parameter(algorithm, name));
            };
            let (least, most) = parameter.range;
            if !(least..=most).contains(value) {
                return Err(format!("{name} must be a whole number from {least} to {most}"));
            }
            let own = settings.iter().find(|(own, _)| parameter.is_setting && own == name);
            if let Some((_, other)) = own.filter(|(_, other)| other != value) {
                return Err(format!(
                    "{name} is {value} here and {other} as a setting of its own: say it once"
                ));
            }
            chosen.setup.set(name, *value);
        }
        if vms < algorithm.least_vms {
            return Err(format!("needs at least {} machines, and the run has {vms}", algorithm.least_vms));
        }
        Ok(chosen)
    }

    /// The workload that logs tell of. Of one that this program does not have nothing is demanded.
    pub fn recognize(&self, choice: &Choice, vms: u32, settings: &[(&str, u64)]) -> Chosen {
        let foreign =
            |_| Chosen { algorithm: &FOREIGN, choice: choice.clone(), setup: Setup::new(vms, &FOREIGN) };
        self.choose(choice, vms, settings).unwrap_or_else(foreign)
    }
}

/// Demands of a description that people can ask for what is in it.
fn assert_described(algorithm: &Algorithm) {
    let Algorithm { name, parameters, .. } = algorithm;
    assert!(is_name(name), "'{name}' is no name for a workload: small letters, digits and hyphens");
    for Parameter { name: parameter, default, range: (least, most), .. } in *parameters {
        assert!(is_name(parameter), "'{parameter}' is no name for a parameter of {name}");
        assert!((least..=most).contains(&default), "the default of {name}:{parameter} is out of its range");
    }
}

fn no_parameter(algorithm: &Algorithm, name: &str) -> String {
    let known: Vec<&str> = algorithm.parameters.iter().map(|parameter| parameter.name).collect();
    match known.as_slice() {
        [] => format!("{} has no parameters; '{name}' is none", algorithm.name),
        known => format!("{} has no parameter '{name}': it has {}", algorithm.name, known.join(", ")),
    }
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(is_plain)
}

impl Chosen {
    /// What the algorithm is: its name, paper, parameters, and what may be expected of it.
    pub const fn algorithm(&self) -> &'static Algorithm {
        self.algorithm
    }

    /// What it is to know of the run.
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Makes the workload of each machine, behind a pointer.
    pub fn machines(&self) -> impl Fn(VmId) -> AnyWorkload + Send + Sync + use<> {
        let (make, setup) = (self.algorithm.make, self.setup.clone());
        move |vm| make.boxed(vm, &setup)
    }

    /// The value of a parameter that is a setting of the run as well, where this workload has it.
    pub fn setting(&self, name: &str) -> Option<u64> {
        self.algorithm
            .parameter(name)
            .filter(|parameter| parameter.is_setting)
            .map(|_| self.setup.parameter(name))
    }

    /// Whether this program does not have it.
    pub fn is_foreign(&self) -> bool {
        std::ptr::eq(self.algorithm, &FOREIGN)
    }

    /// The most machines that one of its sends or calls goes to.
    pub fn most_recipients(&self) -> u32 {
        (self.algorithm.most_recipients)(self.setup.vms()).max(1)
    }

    /// What asks for it again, with all parameters but those that stand among the settings.
    pub fn choice(&self) -> Choice {
        if self.is_foreign() {
            return self.choice.clone();
        }
        let own = self.setup.parameters().filter(|(parameter, _)| !parameter.is_setting);
        let values = own.map(|(parameter, value)| (parameter.name.to_owned(), value)).collect();
        Choice { name: self.choice.name.clone(), values }
    }
}

impl Choice {
    /// The workload of that name, with the parameters at their defaults.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), values: Vec::new() }
    }

    /// The names of those that come with clocklab.
    pub fn words() -> Vec<&'static str> {
        BUILT_IN.iter().map(|algorithm| algorithm.name).collect()
    }

    /// The name by which the registry knows it, without parameters.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self::named(BUILT_IN[0].name)
    }
}

impl FromStr for Choice {
    type Err = ParseChoiceError;

    fn from_str(text: &str) -> Result<Self, ParseChoiceError> {
        let (name, values) = text.split_once(':').map_or((text, None), |(name, values)| (name, Some(values)));
        let value = |text: &str| {
            let (name, value) = text.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            let is_whole = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            (is_name(name) && is_whole).then(|| Some((name.to_owned(), value.parse().ok()?)))?
        };
        let name = name.trim();
        let values: Option<Vec<(String, u64)>> =
            values.map_or(Some(Vec::new()), |values| values.split(',').map(value).collect());
        let values = values.filter(|values| {
            values
                .iter()
                .enumerate()
                .all(|(at, (name, _))| values[..at].iter().all(|(other, _)| other != name))
        });
        values
            .filter(|_| is_name(name))
            .map(|values| Self { name: name.to_owned(), values })
            .ok_or(ParseChoiceError)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let separator = if values.is_empty() { "" } else { ":" };
        f.pad(&format!("{}{separator}{}", self.name, values.join(",")))
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.choice().fmt(f)
    }
}

as_text!(Choice);

#[cfg(test)]
mod tests {
    use super::super::{Make, ScaleModel};
    use super::*;

    static DICE: Algorithm = Algorithm {
        name: "dice",
        title: "two dice",
        make: Make::Dice(|vm, setup| ScaleModel::new(vm, setup.vms(), 3)),
        parameters: &[
            Parameter { name: "think", meaning: "ticks", default: 4, range: (1, 9), is_setting: false },
            Parameter { name: "hold", meaning: "ticks", default: 0, range: (0, 5), is_setting: false },
        ],
        least_vms: 2,
        ..Algorithm::PLAIN
    };

    fn choose(text: &str, vms: u32, settings: &[(&str, u64)]) -> Result<Chosen, String> {
        Workloads::default().with(&DICE).choose(&text.parse().unwrap(), vms, settings)
    }

    fn refuses(text: &str, vms: u32, settings: &[(&str, u64)], why: &str) {
        assert_eq!(choose(text, vms, settings).unwrap_err(), why);
    }

    #[test]
    fn parameters_have_defaults_and_are_written_with_all_their_values() {
        let chosen = choose("dice:hold=2", 3, &[]).unwrap();
        assert_eq!((chosen.setup().parameter("think"), chosen.setup().parameter("hold")), (4, 2));
        assert_eq!(chosen.to_string(), "dice:think=4,hold=2");
        let again = choose(&chosen.to_string(), 3, &[]).unwrap();
        assert_eq!(again.choice(), chosen.choice());
    }

    #[test]
    fn a_parameter_that_is_a_setting_stands_there() {
        let chosen = choose("scale-model:draw=5", 3, &[]).unwrap();
        assert_eq!((chosen.to_string().as_str(), chosen.setting("draw")), ("scale-model", Some(5)));
        assert_eq!(choose("scale-model", 3, &[("draw", 7)]).unwrap().setting("draw"), Some(7));
        assert_eq!(choose("client-server", 3, &[("draw", 7)]).unwrap().setting("draw"), None);
        refuses(
            "scale-model:draw=5",
            3,
            &[("draw", 7)],
            "draw is 5 here and 7 as a setting of its own: say it once",
        );
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused_with_what_can() {
        refuses("chess", 3, &[], &format!("must be one of: {}, dice", Workloads::default().names()));
        refuses("dice:pause=1", 3, &[], "dice has no parameter 'pause': it has think, hold");
        refuses("client-server:hold=1", 3, &[], "client-server has no parameters; 'hold' is none");
        refuses("dice:think=10", 3, &[], "think must be a whole number from 1 to 9");
        refuses("scale-model:draw=0", 3, &[], "draw must be a whole number from 1 to 4294967295");
        refuses("dice", 1, &[], "needs at least 2 machines, and the run has 1");
        for text in
            ["", "Chess", "dice:", "dice:hold", "dice:hold=", "dice:hold=-1", "dice:hold=1,hold=2", "a b"]
        {
            assert_eq!(text.parse::<Choice>(), Err(ParseChoiceError), "{text}");
        }
    }

    #[test]
    fn of_another_programs_workload_nothing_is_demanded() {
        let choice: Choice = "chess:clock=5".parse().unwrap();
        let chosen = Workloads::default().recognize(&choice, 3, &[("draw", 4)]);
        assert!(chosen.is_foreign() && !chosen.algorithm().receives_first);
        assert_eq!((chosen.most_recipients(), chosen.to_string().as_str()), (2, "chess:clock=5"));
    }

    #[test]
    fn every_workload_of_clocklab_is_described() {
        for algorithm in Workloads::default().all() {
            assert_described(algorithm);
            assert!(!algorithm.title.is_empty(), "{}", algorithm.name);
        }
    }

    /// The table of workloads in the reference is what their descriptions say, row by row.
    #[test]
    fn the_reference_has_the_table_of_workloads() {
        let row = |algorithm: &Algorithm| {
            let parameters = algorithm.parameters.iter().map(|parameter| {
                let Parameter { name, meaning, default, range: (least, most), .. } = parameter;
                format!("`{name}={default}`: {meaning} ({least} to {most})")
            });
            let parameters: Vec<String> = parameters.collect();
            let textbook =
                algorithm.textbook.map(|book| format!("{} for each `{}`", book.formula, book.mark));
            let cells = [
                format!("`{}`", algorithm.name),
                algorithm.title.to_owned(),
                algorithm.paper.to_owned(),
                parameters.join("; "),
                textbook.unwrap_or_default(),
            ];
            format!("| {} |", cells.join(" | ")).replace("|  |", "| |").replace("|  |", "| |")
        };
        let expected: Vec<String> = Workloads::default().all().map(row).collect();
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.readme/runs.md")).unwrap();
        let lines = page.lines().skip_while(|line| !line.starts_with("| workload |")).skip(2);
        let found: Vec<&str> = lines.take_while(|line| line.starts_with('|')).collect();
        assert!(found == expected, ".readme/runs.md should have:\n{}", expected.join("\n"));
    }
}
