//! The table of settings: what people ask for of a run, in flags or in a scenario file, each of it optional.
//!
//! A further setting is an entry here, and a type that can be read and written. Its flag, its help, its key in
//! files and manifests, merging, what a join compares and what a series and a child are told follow from the entry.

use super::numbers::{Draw, Processes, Runs, SeedNumber, Threads, VmCount};
use super::{LogChoice, Phase, Rates, Switch};
use crate::clock::ClockList;
use crate::model::crash::Crash;
use crate::model::network::{Latency, Partition, Probability};
use crate::model::pace::Late;
use crate::model::setting::Takes::{Item, Value};
use crate::model::setting::{Heading, Scope, settings};
use crate::model::text::OneOf;
use crate::model::time::{Nanos, WithUnit};
use crate::workload::Choice;

settings! {
    /// The settings of a run. Their names are those of the flags and of a scenario file's keys.
    pub struct Settings;

    /// The settings of the model, none of them left open.
    struct ModelSettings {
        /// Whether time is virtual: the run takes as long as its computing does.
        "virtual-time" virtual_time: Option<bool> {
            default: |_, _| false,
            usual: "live",
            meaning: "No waiting: it takes as long as its computing does, and repeats byte for byte",
            heading: Heading::Machines,
            ..Facts::EVERYDAY
        }
        /// The number of machines.
        "vms" vms: Option<VmCount> {
            default: |_, _| Settings::VMS,
            letter: Some('n'),
            takes: Value("N"),
            meaning: "Number of machines",
            heading: Heading::Machines,
            ..Facts::EVERYDAY
        }
        /// How long they tick.
        "duration" duration: Option<Nanos> {
            default: |_, _| Settings::DURATION,
            letter: Some('d'),
            takes: Value("D"),
            meaning: "How long they tick: `60`, `60s`, `2m`, `500ms`, `1h30m`",
            more: "A number alone means seconds. Units are h, m (or min), s, ms, us, ns and d, or their names: \
                   `90 seconds`.",
            heading: Heading::Machines,
            ..Facts::EVERYDAY
        }
        /// How many ticks a second each machine makes, or from what range it draws that.
        "rates" rates: Option<Rates> {
            default: |_, _| Rates::default(),
            takes: Value("R"),
            meaning: "Ticks a second: `1-6` draws each machine's, `6,2,1` gives one each",
            more: "`5` gives all the same. Fractions too: `0.5` is a tick in two seconds, `0.5,2,3` gives one each, and of `3-3.5` a machine draws \
                   tenths, as many digits after the point as the range has, up to three.",
            heading: Heading::Machines,
            ..Facts::EVERYDAY
        }
        /// When each machine's first tick is due.
        "phase" phase: Option<Phase> {
            default: |_, _| Phase::Random,
            takes: Value("P"),
            words: Phase::words,
            meaning: "When the first tick is due",
            more: "With `random` it is anywhere in the machine's first period, with `aligned` at its end.",
            heading: Heading::Machines,
            ..Facts::RARE
        }
        /// What ticks do that are late, in real time.
        "late" late: Option<Late> {
            default: |_, _| Late::Burst,
            takes: Value("L"),
            words: Late::words,
            meaning: "What ticks do whose time has passed: `burst` makes them all, `skip` leaves them out, `delay` moves those \
                      to come",
            heading: Heading::Machines,
            ..Facts::EVERYDAY
        }
        /// What the machines do at their ticks.
        "workload" workload: Option<Choice> {
            default: |_, _| Choice::default(),
            takes: Value("W"),
            words: Choice::words,
            meaning: "What a tick does",
            more: "A workload's parameters follow a colon: `NAME:parameter=value,…`.",
            heading: Heading::Machines,
            ..Facts::EVERYDAY
        }
        /// The sides of the die that the scale model rolls.
        "draw" draw: Option<Draw> {
            default: |_, _| Settings::DRAW,
            takes: Value("K"),
            meaning: "Sides of the scale model's die: 1, 2 and 3 send, the rest are internal events",
            heading: Heading::Machines,
            ..Facts::RARE
        }
        /// When a machine is down.
        "crash" crash: Vec<Crash> {
            default: |_, _| Vec::new(),
            takes: Item("W:VM"),
            meaning: "Have a machine down for a while: `20s-30s:1`",
            more: "It makes no event in that window, and what waits for it or arrives is lost. Then it goes on with its clocks and \
                   numbers, and its workload starts anew from what it keeps on purpose. Windows of one machine do not overlap.",
            heading: Heading::Machines,
            ..Facts::RARE
        }
        /// The seed of all draws.
        "seed" seed: Option<SeedNumber> {
            default: |_, drawn| SeedNumber(drawn.0),
            letter: Some('s'),
            takes: Value("S"),
            usual: "drawn, printed and recorded",
            meaning: "Seed of all random draws",
            more: "It is a whole number of up to 64 bits.",
            heading: Heading::Machines,
            ..Facts::EVERYDAY
        }
        /// The clocks that they keep.
        "clocks" clocks: Option<ClockList> {
            default: |_, _| ClockList::default(),
            takes: Value("LIST"),
            usual: "lamport,vector,hlc",
            meaning: "Clocks to keep, of those that clocklab has; Lamport's is always kept",
            heading: Heading::Clocks,
            ..Facts::EVERYDAY
        }
        /// The largest error of a machine's physical clock, either way.
        "skew" skew: Option<WithUnit> {
            default: |_, _| WithUnit(Nanos::ZERO),
            takes: Value("S"),
            usual: "0",
            meaning: "Largest error of a machine's physical clock, either way: `50ms`",
            heading: Heading::Clocks,
            ..Facts::RARE
        }
        /// How long messages travel.
        "latency" latency: Option<Latency> {
            default: |settings, _| Latency::Fixed(match settings.virtual_time {
                Some(true) => Settings::VIRTUAL_LATENCY,
                _ => Nanos::ZERO,
            }),
            takes: Value("L"),
            usual: "the real network; virtual 1ms",
            meaning: "How long messages travel: `5ms`, `1ms-9ms` (uniform), `exp:5ms`",
            more: "Times have their unit, since 5 could be milliseconds as well as seconds; only `0` needs none.",
            heading: Heading::Network,
            ..Facts::EVERYDAY
        }
        /// The probability that a message is lost.
        "loss" loss: Option<Probability> {
            default: |_, _| Probability::default(),
            takes: Value("P"),
            meaning: "Probability that a message is lost",
            heading: Heading::Network,
            ..Facts::EVERYDAY
        }
        /// The probability that it is delivered twice.
        "duplicate" duplicate: Option<Probability> {
            default: |_, _| Probability::default(),
            takes: Value("P"),
            meaning: "Probability that a message is delivered twice",
            heading: Heading::Network,
            ..Facts::RARE
        }
        /// Whether messages from one machine to another stay in order.
        "fifo" fifo: Option<Switch> {
            default: |_, _| Switch::On,
            takes: Value("ON|OFF"),
            words: Switch::words,
            meaning: "Whether messages from one machine to another stay in order",
            heading: Heading::Network,
            ..Facts::RARE
        }
        /// When groups of machines cannot reach each other.
        "partition" partition: Vec<Partition> {
            default: |_, _| Vec::new(),
            takes: Item("P"),
            meaning: "Lose what groups send each other in a window of time: `10s-20s:0,1/2-4`",
            heading: Heading::Network,
            ..Facts::RARE
        }
    }

    /// How many runs, with seeds derived from the one seed.
    "runs" runs: Option<Runs> {
        takes: Value("R"),
        usual: "one, in the folder itself",
        meaning: "Number of runs with seeds derived from the seed, each in a folder `run_1`, `run_2`, …",
        heading: Heading::Run,
        scope: Scope::Series,
        ..Facts::RARE
    }
    /// Worker threads among which the machines are shared.
    "threads" threads: Option<Threads> {
        takes: Value("T"),
        usual: "the cores; in virtual time fewer where there is little to share",
        meaning: "Worker threads",
        heading: Heading::Run,
        scope: Scope::Process,
        ..Facts::RARE
    }
    /// Processes of this machine that share the run.
    "processes" processes: Option<Processes> {
        takes: Value("P"),
        usual: "one process",
        meaning: "Processes of this machine that share the machines, bridged over TCP",
        heading: Heading::Processes,
        scope: Scope::Run,
        conflicts: Some("nodes"),
        ..Facts::EVERYDAY
    }
    /// Where the events are logged.
    "log" log: Option<LogChoice> {
        takes: Value("WHERE"),
        words: LogChoice::words,
        usual: "per-vm up to 256 machines",
        meaning: "Where events go",
        heading: Heading::Run,
        scope: Scope::Process,
        ..Facts::RARE
    }
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
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::scenario::Scenario;
    use crate::model::seed::Seed;
    use crate::model::setting::Holder;

    fn full() -> Settings {
        let own = "runs = 5\nthreads = 3\nprocesses = 2\nlog = \"none\"\npartition = [\"1s-2s:0/1\"]\n\
                   crash = [\"1s-2s:0\"]";
        toml::from_str::<Settings>(own)
            .unwrap()
            .or(&Scenario::new(&Settings::default(), Seed(7)).unwrap().settings())
    }

    fn names(settings: &Settings) -> BTreeSet<&'static str> {
        let said = Settings::table().iter().filter(|setting| !setting.texts(settings).is_empty());
        said.map(|setting| setting.facts.name).collect()
    }

    #[test]
    fn a_setting_goes_as_far_as_what_it_is_a_part_of() {
        let all = names(&full());
        assert_eq!(all.len(), Settings::table().len(), "a setting is left open, or two have one name");
        let left_out = |scope| all.difference(&names(&full().passed_to(scope))).copied().collect::<Vec<_>>();
        assert!(left_out(Scope::Series).is_empty());
        assert_eq!(left_out(Scope::Run), ["runs"]);
        assert_eq!(left_out(Scope::Process), ["processes", "runs"]);
        assert_eq!(left_out(Scope::Model), ["log", "processes", "runs", "threads"]);
        // What nodes compare is the model, all of it.
        let scenario = Scenario::new(&full(), Seed(1)).unwrap();
        assert_eq!(scenario.settings(), full().passed_to(Scope::Model));
    }

    #[test]
    fn what_is_left_open_is_taken_from_others_and_nothing_else() {
        for setting in Settings::table() {
            let alone = full().only(|facts| facts.name == setting.facts.name);
            assert_eq!(names(&alone), BTreeSet::from([setting.facts.name]));
            assert_eq!(Settings::default().or(&alone), alone);
            assert_eq!(alone.clone().or(&full()), full());
            assert_eq!(full().or(&alone), full());
            let differs = full().differs_from(&full().only(|facts| facts.name != setting.facts.name));
            assert_eq!(differs.map(|found| found.facts.name), Some(setting.facts.name));
            let text = toml::to_string(&alone).unwrap();
            assert!(text.starts_with(&format!("{} = ", setting.facts.name)), "{text}");
            assert_eq!(toml::from_str::<Settings>(&text).unwrap(), alone);
        }
    }
}
