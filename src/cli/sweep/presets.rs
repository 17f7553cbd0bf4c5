//! Sweeps that people know: the exercise's, and rates that others publish.

use std::path::Path;

use crate::edge::log::{ManifestError, parse_conditions};
use crate::model::experiment::Named;

/// A sweep by its name: its conditions, as a file of conditions has them.
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// What it is for, in a sentence.
    pub(super) says: &'static str,
    conditions: &'static str,
}

pub(super) const PRESETS: [Preset; 5] = [
    Preset {
        name: "exercise",
        says: "The three conditions of the exercise \"Scale models and logical clocks\": rates of 1 to 6 with a die of ten \
               sides, then a smaller variation of the rates, then fewer internal events.",
        conditions: "\
[exercise]
rates = \"1-6\"
draw = 10
[\"similar rates\"]
rates = \"3-4\"
draw = 10
[\"few internal events\"]
rates = \"1-6\"
draw = 4
",
    },
    Preset {
        name: "6,2,1",
        says: "One fast machine and two slow ones, which drift apart: the slowest is sent more than it can receive.",
        conditions: "[\"rates 6,2,1\"]\nrates = \"6,2,1\"\n",
    },
    Preset {
        name: "1,8,8",
        says: "Two fast machines that send to one slow one: its queue only grows, and its clock falls behind.",
        conditions: "[\"rates 1,8,8\"]\nrates = \"1,8,8\"\n",
    },
    Preset {
        name: "alike",
        says: "All machines tick three times a second: what is left of jumps and queues comes from messages alone.",
        conditions: "[\"all alike\"]\nrates = \"3\"\n",
    },
    Preset {
        name: "one-slow",
        says: "Two machines of six ticks a second and one of a single tick: how a straggler is carried along.",
        conditions: "[\"one slow\"]\nrates = \"6,6,1\"\n",
    },
];

impl Preset {
    /// The preset of that name.
    ///
    /// # Errors
    ///
    /// Which there are.
    pub(super) fn named(name: &str) -> Result<&'static Self, String> {
        PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            format!(
                "invalid value '{name}' for '--preset': must be one of: {} (commas are part of the names; --preset alone tells \
                 what each is)",
                names.join("; ")
            )
        })
    }

    /// Its conditions.
    ///
    /// # Errors
    ///
    /// Where they are wrong, which a test sees to that they are not.
    pub(super) fn conditions(&self) -> Result<Vec<Named>, ManifestError> {
        parse_conditions(Path::new(self.name), self.conditions).map(|(_, conditions)| conditions)
    }
}

/// What there are, a line and a sentence each.
pub(super) fn list() -> String {
    let line = |preset: &Preset| format!("{}\n    {}\n", preset.name, preset.says);
    PRESETS.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::experiment::Experiment;
    use crate::model::registry::Registry;
    use crate::model::scenario::Settings;
    use crate::model::seed::Seed;

    #[test]
    fn all_of_them_make_one_sweep_together() {
        let all: Vec<Named> = PRESETS.iter().flat_map(|preset| preset.conditions().unwrap()).collect();
        let none = Settings::default();
        let sweep = Experiment::new(&[], all, (&none, &none), Seed(1), &Registry::default()).unwrap();
        assert_eq!(sweep.conditions().len(), 7);
        assert_eq!(sweep.factors().iter().map(|facts| facts.name).collect::<Vec<_>>(), ["rates", "draw"]);
        assert!(
            Preset::named("exercises").is_err_and(|words| words.contains("exercise; 6,2,1; 1,8,8; alike"))
        );
    }
}
