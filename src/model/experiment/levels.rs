//! The values of a setting that an experiment tries: `draw=10`, `draw=4..10`, `vms=log:10..1000`.

use std::ffi::OsStr;

use super::ExperimentError;
use crate::model::scenario::Settings;
use crate::model::setting::{Holder, Scope, Setting, Takes, near};

/// The most values of one range.
const MOST_LEVELS: u64 = 10_000;
/// What a range on a logarithmic scale begins with.
const LOG: &str = "log:";
/// What stands between the ends of a range.
const TO: &str = "..";

/// A setting's value: as it was written, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Level {
    pub(super) text: String,
    pub(super) settings: Settings,
}

/// A setting that varies, with its values.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    pub(super) setting: &'static Setting<Settings>,
    pub(super) levels: Vec<Level>,
}

impl Factor {
    /// Adds a value; one that is here already counts once.
    fn add(&mut self, text: String) -> Result<(), String> {
        let level = level(self.setting, text)?;
        if !self.levels.iter().any(|other| other.settings == level.settings) {
            self.levels.push(level);
        }
        Ok(())
    }
}

/// What a value of a setting says.
fn level(setting: &'static Setting<Settings>, text: String) -> Result<Level, String> {
    let mut settings = Settings::default();
    // One that can be given again may as well not be given.
    if !(text.is_empty() && matches!(setting.facts.takes, Takes::Item(_))) {
        setting.put(&mut settings, OsStr::new(&text))?;
    }
    Ok(Level { text, settings })
}

/// Reads the arguments `NAME=VALUE`, those of a name together, in the order in which the names come first.
pub(super) fn factors(arguments: &[String]) -> Result<Vec<Factor>, ExperimentError> {
    let mut factors: Vec<Factor> = Vec::new();
    for argument in arguments {
        let (name, value) =
            argument.split_once('=').ok_or_else(|| ExperimentError::Form { argument: argument.clone() })?;
        let setting = varying(name.trim())?;
        let known = factors.iter().position(|factor| factor.setting.facts.name == setting.facts.name);
        let at = known.unwrap_or(factors.len());
        if known.is_none() {
            factors.push(Factor { setting, levels: Vec::new() });
        }
        let wrong = |allowed| ExperimentError::Value {
            name: setting.facts.name,
            value: value.trim().to_owned(),
            allowed,
        };
        for text in texts(setting, value.trim()).map_err(wrong)? {
            factors[at].add(text).map_err(wrong)?;
        }
    }
    Ok(factors)
}

/// The setting of that name, which an experiment can vary.
pub(super) fn varying(name: &str) -> Result<&'static Setting<Settings>, ExperimentError> {
    let known = Settings::table().iter().find(|setting| setting.facts.name == name);
    match known {
        Some(setting) => match why_fixed(name) {
            None => Ok(setting),
            Some(why) => Err(ExperimentError::Fixed { name: setting.facts.name, why }),
        },
        None => Err(ExperimentError::Unknown {
            name: name.to_owned(),
            near: near(name, varying_names()),
            all: varying_names().collect::<Vec<_>>().join(", "),
        }),
    }
}

/// The names of what can vary.
fn varying_names() -> impl Iterator<Item = &'static str> {
    let table = Settings::table().iter().filter(|setting| setting.facts.scope >= Scope::Run);
    table.map(|setting| setting.facts.name).filter(|name| why_fixed(name).is_none())
}

/// Why a setting is the same in all conditions, where it has to be.
fn why_fixed(name: &str) -> Option<&'static str> {
    match name {
        "seed" => Some(
            "every run has a seed of its own, which follows from setting `seed`, its condition and its number; for \
             more of them ask for more with setting `runs`",
        ),
        "virtual-time" => Some("time is virtual in all runs of a sweep, or passes in all of them"),
        "runs" => Some("every condition has as many runs as setting `runs` says"),
        "log" => Some("where events go is the same for all runs, as setting `log` says"),
        _ => None,
    }
}

/// The values that an argument names: itself, or those of a range.
fn texts(setting: &Setting<Settings>, value: &str) -> Result<Vec<String>, String> {
    match value.strip_prefix(LOG) {
        Some(range) => Range::read(range).ok_or_else(|| FORM.to_owned())?.on_a_log_scale(setting),
        None => match Range::read(value) {
            Some(range) => range.evenly(setting),
            None => Ok(vec![value.to_owned()]),
        },
    }
}

const FORM: &str = "a range is FROM..TO for all whole numbers, FROM..TO:N for so many values, or log:FROM..TO for powers of \
                    ten, and its ends have the same unit: 4..10, 0..0.3:4, 1ms..9ms:3, log:10..1000";

/// A range of numbers with one unit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range<'a> {
    low: f64,
    high: f64,
    are_whole: bool,
    unit: &'a str,
    count: Option<u64>,
}

impl<'a> Range<'a> {
    /// Reads `4..10`, `0..0.3:4`, `1ms..9ms:3`; nothing where it is no range.
    fn read(text: &'a str) -> Option<Self> {
        let (low, rest) = text.split_once(TO)?;
        let (high, count) = match rest.split_once(':') {
            Some((high, count)) => (high, Some(count.trim().parse().ok()?)),
            None => (rest, None),
        };
        let (low, low_unit) = number(low.trim())?;
        let (high, unit) = number(high.trim())?;
        let is_whole = |end: f64| end.fract() == 0.0;
        let are_units_right = low_unit == unit || low_unit.is_empty();
        are_units_right.then_some(Self { low, high, are_whole: is_whole(low) && is_whole(high), unit, count })
    }

    fn evenly(self, setting: &Setting<Settings>) -> Result<Vec<String>, String> {
        let span = self.high - self.low;
        let count = match self.count {
            Some(count) => count,
            None if self.are_whole => whole(span.abs()) + 1,
            None => return Err(format!("say how many values, as in {}..{}:5; {FORM}", self.low, self.high)),
        };
        self.check(count)?;
        let last = as_f64(count.saturating_sub(1)).max(1.0);
        self.values(setting, (0..count).map(|k| self.low + span * as_f64(k) / last))
    }

    fn on_a_log_scale(self, setting: &Setting<Settings>) -> Result<Vec<String>, String> {
        if self.low <= 0.0 {
            return Err("a logarithmic range begins above 0".into());
        }
        let ratio = self.high / self.low;
        let Some(count) = self.count else {
            self.check(1)?;
            let powers = (0..32).map(|power| self.low * 10_f64.powi(power));
            let below = powers.take_while(|value| *value < self.high * (1.0 - 1e-9));
            return self.values(setting, below.chain([self.high]));
        };
        self.check(count)?;
        let last = as_f64(count.saturating_sub(1)).max(1.0);
        self.values(setting, (0..count).map(|k| self.low * ratio.powf(as_f64(k) / last)))
    }

    fn check(&self, count: u64) -> Result<(), String> {
        if self.low > self.high {
            return Err("a range goes from the lower to the higher".into());
        }
        if count == 0 || count > MOST_LEVELS {
            return Err(format!(
                "a range has from 1 to {MOST_LEVELS} values; say how many, as in 0..1000000:5"
            ));
        }
        Ok(())
    }

    /// The values as the setting takes them: whole ones where it takes no others.
    fn values(
        self,
        setting: &Setting<Settings>,
        values: impl Iterator<Item = f64>,
    ) -> Result<Vec<String>, String> {
        let mut texts: Vec<String> = Vec::new();
        for value in values {
            let exact = format!("{}{}", written(value), self.unit);
            let text = match setting.put(&mut Settings::default(), OsStr::new(&exact)) {
                Ok(()) => exact,
                Err(_) => format!("{:.0}{}", value.round(), self.unit),
            };
            if texts.last() != Some(&text) {
                texts.push(text);
            }
        }
        Ok(texts)
    }
}

/// A number and the unit behind it.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let is_unit = unit.trim().chars().all(char::is_alphabetic);
    let number: f64 = digits.parse().ok()?;
    (is_unit && number.is_finite()).then(|| (number, unit.trim()))
}

/// A number with up to six significant digits, and no more than it needs.
fn written(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    #[expect(clippy::cast_possible_truncation, reason = "the decade of a finite number")]
    let decade = value.abs().log10().floor() as i32;
    let decimals = usize::try_from(5 - decade).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[expect(clippy::cast_precision_loss, reason = "a count of few values")]
const fn as_f64(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
const fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts_of(argument: &str) -> Result<String, String> {
        let factors = factors(&[argument.to_owned()]).map_err(|error| error.to_string())?;
        Ok(factors[0].levels.iter().map(|level| level.text.as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn ranges_are_values_that_the_setting_takes() {
        let check = |argument, expected: &str| assert_eq!(texts_of(argument).as_deref(), Ok(expected));
        check("draw=4..10", "4 5 6 7 8 9 10");
        check("draw=4..10:3", "4 7 10");
        check("draw=4..10:4", "4 6 8 10");
        check("draw=1..4:3", "1 3 4");
        check("vms=log:10..1000", "10 100 1000");
        check("vms=log:10..500", "10 100 500");
        check("vms=log:10..1000:4", "10 46 215 1000");
        check("loss=0..0.3:4", "0 0.1 0.2 0.3");
        check("latency=1ms..9ms:3", "1ms 5ms 9ms");
        check("latency=1..9ms:2", "1ms 9ms");
        check("latency=log:1us..1000us", "1us 10us 100us 1000us");
        check("rates=1..3", "1 2 3");
        check("rates=1..2:3", "1 1.5 2");
        check("draw=7..7", "7");
        check("draw=7..9:1", "7");
    }

    #[test]
    fn other_values_are_taken_as_they_are_written() {
        let check = |argument, expected: &str| assert_eq!(texts_of(argument).as_deref(), Ok(expected));
        check("rates=1-6", "1-6");
        check("rates=6,2,1", "6,2,1");
        check("partition=10s-20s:0/1,2", "10s-20s:0/1,2");
        check("partition=", "");
        check("workload=scale-model:draw=7", "scale-model:draw=7");
        check("fifo=off", "off");
    }

    #[test]
    fn what_is_wrong_is_told_with_the_name_the_value_and_what_is_allowed() {
        let check = |argument, parts: &[&str]| {
            let error = texts_of(argument).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        check("rates", &["'rates'", "NAME=VALUE"]);
        check("drew=4", &["'drew'", "did you mean draw?", "rates"]);
        check("draw=0", &["invalid value '0' for 'draw': must be a whole number from 1"]);
        check("draw=10..4", &["'10..4' for 'draw'", "from the lower to the higher"]);
        check("loss=0..0.3", &["'0..0.3' for 'loss'", "say how many"]);
        check("loss=0..2:3", &["'0..2:3' for 'loss'"]);
        check("vms=log:0..10", &["above 0"]);
        check("vms=1..1000000", &["from 1 to 10000 values"]);
        check("latency=1ms..1s:3", &["'1ms..1s:3' for 'latency'"]);
        check("seed=1..3", &["'seed'", "setting `runs`"]);
        check("runs=1..3", &["'runs'", "setting `runs`"]);
        check("virtual-time=true", &["in all of them"]);
        check("log=none", &["setting `log`"]);
    }

    #[test]
    fn values_of_a_name_come_together_and_each_once() {
        let arguments = ["rates=1-6", "draw=10", "rates=3-4", "draw=9..11", "rates=1-6"].map(str::to_owned);
        let factors = factors(&arguments).unwrap();
        let names: Vec<_> = factors.iter().map(|factor| factor.setting.facts.name).collect();
        assert_eq!(names, ["rates", "draw"]);
        let texts =
            |at: usize| factors[at].levels.iter().map(|level| level.text.as_str()).collect::<Vec<_>>();
        assert_eq!((texts(0), texts(1)), (vec!["1-6", "3-4"], vec!["10", "9", "11"]));
    }
}
