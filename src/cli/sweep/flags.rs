//! The flags of `clocklab sweep`: what varies, what all runs share, and which of them are made here.

use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, ValueHint};

use super::super::flags::{argument, found};
use super::super::invocation::Invocation;
use super::shard::ShardChoice;
use crate::model::scenario::Settings;
use crate::model::setting::{Holder, Setting};

/// What of a start of the program a sweep has as well.
const OF_A_START: [&str; 4] = ["output", "scenario", "report", "quiet"];

const SWEPT: &str = "\
Examples:
  clocklab sweep --preset exercise --runs 5               the three conditions of the exercise, five runs each
  clocklab sweep rates=1-6 rates=3-4 rates=6,2,1 draw=10 draw=4 --runs 5
                                                          six conditions: every value of one with each of the other
  clocklab sweep draw=4..10 --runs 20 --seed 7            seven values; the same table every time
  clocklab sweep vms=log:10..1000 --clocks lamport        10, 100 and 1000 machines
  clocklab sweep loss=0..0.3:4 --duration 10m             four values: 0, 0.1, 0.2 and 0.3
  clocklab sweep --conditions plan.toml --runs 5          conditions with names: each table of the file is one
  clocklab sweep draw=4..10 --seed 7 --shard 2/3 --output part2
                                                          the second of three shares; clocklab merge puts them together

Any setting of a run can vary, by the name of its flag: a value an argument, since values have commas of their own. Flags
are what all conditions share. A value that is given twice counts once.

In the folder are experiment.csv, with a row a run and machine, the conditions in its first columns and the measures of
summary.csv in its last; the sweep's manifest run.toml; and a folder for each run, condition_1/run_1 and so on, unless
--log none leaves them out. A run's seed follows from the sweep's, its condition and its number, so that a value more or a
run more changes no other run. The same command goes on with a sweep that was cut short.

Of a file of conditions:
  duration = \"30s\"          at the top: for all of them
  [wide]                    each table is a condition
  rates = \"1-6\"
  [narrow]
  rates = \"3-4\"";

/// What is asked for of a sweep.
#[derive(Clone, Debug)]
pub(in crate::cli) struct SweepFlags {
    /// The arguments `NAME=VALUE`.
    pub(super) varying: Vec<String>,
    pub(super) conditions: Option<PathBuf>,
    /// Names of presets; an empty one asks which there are.
    pub(super) presets: Vec<String>,
    pub(super) live: bool,
    pub(super) shard: Option<ShardChoice>,
    pub(super) resume: bool,
    pub(super) settings: Settings,
    pub(super) start: Invocation,
}

impl Args for SweepFlags {
    fn augment_args(command: Command) -> Command {
        let start = Invocation::table().iter().filter(|setting| is_of_a_start(setting));
        command
            .after_long_help(SWEPT)
            .args(own_flags())
            .args(Settings::table().iter().map(|setting| argument(setting, is_there)))
            .args(start.map(|setting| argument(setting, is_there)))
            .mut_arg("virtual-time", |arg| {
                arg.help("As it is without: time is virtual in a sweep, unless --live").hide_short_help(true)
            })
            .mut_arg("runs", |arg| {
                arg.help("Number of runs of each condition [default: 1]").hide_short_help(false)
            })
            .mut_arg("log", |arg| {
                arg.help("Where events go: per-vm, combined, none [default: a folder for each run up to 10,000 runs, then none]")
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SweepFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let texts = |name: &str| matches.get_many::<String>(name).unwrap_or_default().cloned().collect();
        Ok(Self {
            varying: texts("varying"),
            conditions: matches.get_one::<PathBuf>("conditions").cloned(),
            presets: texts("preset"),
            live: matches.get_flag("live"),
            shard: matches.get_one::<ShardChoice>("shard").copied(),
            resume: matches.get_flag("resume"),
            settings: found(matches),
            start: found(matches),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn is_of_a_start(setting: &Setting<Invocation>) -> bool {
    OF_A_START.contains(&setting.facts.name)
}

/// Whether a sweep has a flag of that name.
fn is_there(name: &str) -> bool {
    OF_A_START.contains(&name) || Settings::table().iter().any(|setting| setting.facts.name == name)
}

/// What only a sweep has.
fn own_flags() -> [Arg; 6] {
    const HEADING: &str = "The sweep";
    let flag =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).help_heading(HEADING);
    [
        Arg::new("varying")
            .value_name("NAME=VALUE")
            .num_args(0..)
            .value_parser(ValueParser::string())
            .help("What varies, a value an argument: rates=1-6 rates=3-4; or a range: draw=4..10, loss=0..0.3:4, vms=log:10..1000"),
        flag("conditions", "Conditions with names: each table of the TOML file is one")
            .value_name("FILE")
            .value_hint(ValueHint::FilePath)
            .value_parser(ValueParser::path_buf()),
        flag("preset", "Conditions that people know (repeatable); without a name it lists them")
            .value_name("NAME")
            .action(ArgAction::Append)
            .num_args(0..=1)
            .default_missing_value("")
            .value_parser(ValueParser::string()),
        flag("live", "In real time, one run after the other, instead of virtual time")
            .action(ArgAction::SetTrue)
            .conflicts_with("virtual-time"),
        flag("shard", "Only the k-th of n shares of the runs: k/n; auto: as Slurm tells; auto/n: as Kubernetes or GNU parallel tell")
            .value_name("K/N")
            .value_parser(clap::value_parser!(ShardChoice)),
        flag("resume", "Go on with the sweep in the folder, or say why not; without it, go on where it is the same")
            .action(ArgAction::SetTrue),
    ]
}
