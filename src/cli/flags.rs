//! The flags, as people type them.

use std::path::PathBuf;

use clap::builder::Styles;
use clap::{ArgAction, Parser};

use super::after::Command;
use super::end_report::ReportChoice;
use crate::edge::nodes::{NodeChoice, NodeList};
use crate::model::network::{Latency, Partition, Probability};
use crate::model::pace::Late;
use crate::model::scenario::{
    ClockList, Draw, LogChoice, Phase, Processes, Rates, Runs, SeedNumber, Settings, Switch, Threads, VmCount,
};
use crate::model::time::{Nanos, WithUnit};
use crate::workload::Choice;

/// What the short help ends with.
const MORE: &str = "\
Examples:
  clocklab                                three machines for a minute, as in the exercise
  clocklab -n 5 -d 30s --virtual-time     five machines for half a minute, in no time
  clocklab --tui                          watch the machines while they run
  clocklab check                          is the log in output/ right?

clocklab --help has all flags, with more words and examples, and clocklab help COMMAND those of a command.";

const EXAMPLES: &str = "\
Examples:
  clocklab                                       three machines for a minute, as in the exercise
  clocklab --vms 5 --duration 30s --rates 1-10   five machines, each at 1 to 10 ticks a second
  clocklab --rates 6,2,1 --seed 7                chosen rates; the same draws every time
  clocklab --virtual-time --seed 7               the same in no time, and the same bytes every time
  clocklab --workload client-server              machine 0 answers the others' calls with codes
  clocklab --draw 5                              fewer internal events
  clocklab --latency 5ms-50ms --loss 0.05        a slow network that loses one message in twenty
  clocklab --tui                                 watch the machines while they run
  clocklab --partition 20s-40s:0/1,2             machine 0 is cut off for twenty seconds
  clocklab --scenario output/run.toml            the settings of the run that is in output/
  clocklab --vms 100000 --clocks lamport         many machines
  clocklab --processes 3 --vms 6                 three processes of two machines each
  clocklab --nodes lab1:7000,lab2:7000 --node 0 --cluster-key-file key
                                                 this process is the first of a run over two hosts

Then open output/*.csv in a spreadsheet: a row an event, and summary.csv with a row a machine.

  clocklab check                                 is the log right?
  clocklab stats                                 jumps, drift, queues, and what theory expects
  clocklab order vm0-17 vm2-9                    did event 17 of machine 0 happen before event 9 of machine 2?";

/// A laboratory for logical clocks: virtual machines tick at different rates, exchange messages, keep Lamport,
/// vector and hybrid clocks, and log every event to CSV.
#[derive(Debug, Parser)]
#[command(version, after_help = MORE, after_long_help = EXAMPLES, max_term_width = 110, styles = Styles::plain())]
#[command(disable_help_flag = true, disable_version_flag = true)]
#[command(args_conflicts_with_subcommands = true, subcommand_help_heading = "After a run")]
pub(super) struct Flags {
    /// What to do instead of a run
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    /// No waiting: the run takes as long as its computing does, and repeats byte for byte
    #[arg(long, help_heading = "The machines")]
    virtual_time: bool,
    /// Number of machines [default: 3]
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true, help_heading = "The machines")]
    vms: Option<VmCount>,
    /// How long they tick: 60, 60s, 2m, 500ms, 1h30m [default: 60s]
    ///
    /// A number alone means seconds. Units are h, m (or min), s, ms, us, ns and d, or their names: 90 seconds.
    #[arg(short = 'd', long, value_name = "D", allow_hyphen_values = true, help_heading = "The machines")]
    duration: Option<Nanos>,
    /// Ticks a second: 1-6 draws each machine's, 6,2,1 gives one each [default: 1-6]
    ///
    /// Fractions too: 0.5 is a tick in two seconds, 0.5,2,3 gives one each, and of 3-3.5 a machine draws tenths, as
    /// many digits after the point as the range has, up to three.
    #[arg(long, value_name = "R", allow_hyphen_values = true, help_heading = "The machines")]
    rates: Option<Rates>,
    /// When the first tick is due: random, aligned [default: random]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "P",
        allow_hyphen_values = true,
        help_heading = "The machines"
    )]
    phase: Option<Phase>,
    /// What ticks do whose time has passed: burst makes them all, skip leaves them out, delay moves those to come
    /// [default: burst]
    #[arg(long, value_name = "L", allow_hyphen_values = true, help_heading = "The machines")]
    late: Option<Late>,
    /// What a tick does: scale-model, client-server [default: scale-model]
    #[arg(long, value_name = "W", allow_hyphen_values = true, help_heading = "The machines")]
    workload: Option<Choice>,
    /// Sides of the scale model's die: 1, 2 and 3 send, the rest are internal events [default: 10]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "K",
        allow_hyphen_values = true,
        help_heading = "The machines"
    )]
    draw: Option<Draw>,
    /// Seed of all random draws [default: drawn, printed and recorded]
    #[arg(short = 's', long, value_name = "S", allow_hyphen_values = true, help_heading = "The machines")]
    seed: Option<SeedNumber>,

    /// Clocks to keep, of lamport,vector,hlc; Lamport's is always kept [default: all]
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, help_heading = "Clocks")]
    clocks: Option<ClockList>,
    /// Largest error of a machine's physical clock, either way: 50ms [default: 0]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "S",
        allow_hyphen_values = true,
        help_heading = "Clocks"
    )]
    skew: Option<WithUnit>,

    /// How long messages travel: 5ms, 1ms-9ms (uniform), exp:5ms [default: the real network; virtual 1ms]
    ///
    /// Times have their unit, since 5 could be milliseconds as well as seconds; only 0 needs none.
    #[arg(long, value_name = "L", allow_hyphen_values = true, help_heading = "The network")]
    latency: Option<Latency>,
    /// Probability that a message is lost [default: 0]
    #[arg(long, value_name = "P", allow_hyphen_values = true, help_heading = "The network")]
    loss: Option<Probability>,
    /// Probability that a message is delivered twice [default: 0]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "P",
        allow_hyphen_values = true,
        help_heading = "The network"
    )]
    duplicate: Option<Probability>,
    /// Whether messages from one machine to another stay in order: on, off [default: on]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "ON|OFF",
        allow_hyphen_values = true,
        help_heading = "The network"
    )]
    fifo: Option<Switch>,
    /// Lose what groups send each other in a window of time: 10s-20s:0,1/2-4 (repeatable)
    #[arg(
        long,
        hide_short_help = true,
        value_name = "P",
        allow_hyphen_values = true,
        help_heading = "The network"
    )]
    partition: Vec<Partition>,

    /// Folder of the run; an earlier run there is moved to previous/ [default: output; with --node auto
    /// output/node_K]
    #[arg(short = 'o', long, value_name = "DIR", help_heading = "The run")]
    pub(super) output: Option<PathBuf>,
    /// Where events go: per-vm, combined, none [default: per-vm up to 256 machines]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "WHERE",
        allow_hyphen_values = true,
        help_heading = "The run"
    )]
    log: Option<LogChoice>,
    /// Settings from a TOML file, such as an earlier run's run.toml; flags win
    #[arg(long, value_name = "FILE", help_heading = "The run")]
    pub(super) scenario: Option<PathBuf>,
    /// Number of runs with seeds derived from the seed, each in a folder run_1, run_2, …
    #[arg(
        long,
        hide_short_help = true,
        value_name = "R",
        allow_hyphen_values = true,
        help_heading = "The run"
    )]
    runs: Option<Runs>,
    /// Worker threads [default: the cores; in virtual time fewer where there is little to share]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "T",
        allow_hyphen_values = true,
        help_heading = "The run"
    )]
    threads: Option<Threads>,
    /// Processes of this machine that share the machines, bridged over TCP [default: one process]
    #[arg(long, value_name = "P", allow_hyphen_values = true, conflicts_with = "nodes")]
    #[arg(help_heading = "Several processes and hosts")]
    processes: Option<Processes>,
    /// Watch the machines, their clocks, queues and messages on the terminal while they run
    #[arg(long, conflicts_with = "quiet", help_heading = "The run")]
    pub(super) tui: bool,
    /// Whether report.html, a page that shows the run, is made at its end: on, off; auto: up to 25,000 events and
    /// 20 MB of logs, a matter of milliseconds [default: auto]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "ON|OFF|AUTO",
        allow_hyphen_values = true,
        help_heading = "The run"
    )]
    pub(super) report: Option<ReportChoice>,
    /// No progress bar, no summary
    #[arg(short = 'q', long, help_heading = "The run")]
    pub(super) quiet: bool,

    /// This process is one of several: the addresses of all, host:port,host:port,… in the order of their numbers
    #[arg(
        long,
        value_name = "A,B,…",
        allow_hyphen_values = true,
        requires = "node",
        conflicts_with = "runs"
    )]
    #[arg(help_heading = "Several processes and hosts")]
    pub(super) nodes: Option<NodeList>,
    /// Which of them it is, from 0; auto: as mpirun, srun or Kubernetes tell
    #[arg(
        long,
        hide_short_help = true,
        value_name = "K",
        allow_hyphen_values = true,
        requires = "nodes",
        help_heading = "Several processes and hosts"
    )]
    pub(super) node: Option<NodeChoice>,
    /// Where it listens, if not at its own address: 0.0.0.0:7000
    #[arg(
        long,
        hide_short_help = true,
        value_name = "ADDR",
        requires = "nodes",
        help_heading = "Several processes and hosts"
    )]
    pub(super) listen: Option<String>,
    /// How long the start waits for all of them [default: 60s]
    #[arg(
        long,
        hide_short_help = true,
        value_name = "D",
        allow_hyphen_values = true,
        requires = "nodes",
        help_heading = "Several processes and hosts"
    )]
    pub(super) join_timeout: Option<Nanos>,
    /// File with a key that all of them share: the links are then authenticated and encrypted
    #[arg(
        long,
        hide_short_help = true,
        value_name = "F",
        requires = "nodes",
        conflicts_with = "no_cluster_key"
    )]
    #[arg(help_heading = "Several processes and hosts")]
    pub(super) cluster_key_file: Option<PathBuf>,
    /// Go without a key over a network: whoever reaches the ports may read and forge messages
    #[arg(long, hide_short_help = true, requires = "nodes", help_heading = "Several processes and hosts")]
    pub(super) no_cluster_key: bool,
    /// With --node: go on with the run in the output folder where its logs end. With --processes: start a process
    /// that dies again, to do so
    #[arg(long, hide_short_help = true, help_heading = "Several processes and hosts")]
    pub(super) resume: bool,

    /// What a process of a run in several is started with
    #[arg(long, hide = true)]
    pub(super) worker: bool,

    /// Print help: -h in short, --help in full
    #[arg(short, long, global = true, action = ArgAction::Help, help_heading = "Help")]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Help")]
    version: Option<bool>,
}

impl Flags {
    /// The settings that the flags ask for.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            virtual_time: self.virtual_time.then_some(true),
            vms: self.vms,
            duration: self.duration,
            rates: self.rates.clone(),
            seed: self.seed,
            workload: self.workload,
            draw: self.draw,
            phase: self.phase,
            late: self.late,
            clocks: self.clocks,
            skew: self.skew.map(|WithUnit(skew)| skew),
            latency: self.latency,
            loss: self.loss,
            duplicate: self.duplicate,
            fifo: self.fifo,
            partition: self.partition.clone(),
            runs: self.runs,
            threads: self.threads,
            processes: self.processes,
            log: self.log,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn help_tells_the_defaults_that_hold() {
        let help = Flags::command().term_width(0).render_long_help().to_string();
        for default in [
            format!("[default: {}]", Settings::VMS),
            format!("[default: {}]", Settings::DURATION),
            format!("[default: {}]", Settings::DRAW),
            format!("[default: {}]", Rates::default()),
        ] {
            assert!(help.contains(&default), "{default}");
        }
    }

    #[test]
    fn the_short_help_fits_a_screen_and_the_long_one_has_every_flag() {
        let (short, long) = (Flags::command().render_help(), Flags::command().render_long_help());
        let (short, long) = (short.to_string(), long.to_string());
        assert!(short.lines().count() <= 60, "{}", short.lines().count());
        for flag in Flags::command().get_arguments().filter(|flag| !flag.is_hide_set()) {
            let name = format!("--{}", flag.get_long().unwrap());
            let is_in = |help: &str| {
                help.lines().any(|line| line.split_whitespace().take(2).any(|word| word == name))
            };
            assert!(is_in(&long), "{name}");
            assert_eq!(is_in(&short), !flag.is_hide_short_help_set(), "{name}");
        }
    }

    #[test]
    fn the_flags_of_every_day_have_a_letter() {
        let flags =
            Flags::parse_from(["clocklab", "-n", "5", "-d", "90 seconds", "-s", "7", "-o", "here", "-q"]);
        let words = "clocklab --vms 5 --duration 90s --seed 7 --output here --quiet";
        let others = Flags::parse_from(words.split(' '));
        assert_eq!(flags.settings(), others.settings());
        assert_eq!((&flags.output, flags.quiet), (&Some(PathBuf::from("here")), others.quiet));
    }

    #[test]
    fn every_flag_sets_its_own_setting() {
        let line = "clocklab --virtual-time --vms 4 --duration 5s --rates 2-3 --seed 9 --workload scale-model --draw 7 --phase aligned --late skip \
                    --clocks hlc --skew 1ms --latency 2ms --loss 0.25 --duplicate 0.75 --fifo off --partition 1s-2s:0/1 \
                    --runs 5 --threads 3 --processes 2 --log none";
        let expected = "virtual-time = true\nvms = 4\nduration = \"5s\"\nrates = \"2-3\"\nseed = 9\nworkload = \"scale-model\"\ndraw = 7\n\
                        phase = \"aligned\"\nlate = \"skip\"\nclocks = \"lamport,hlc\"\nskew = \"1ms\"\nlatency = \"2ms\"\nloss = 0.25\n\
                        duplicate = 0.75\nfifo = \"off\"\npartition = [\"1s-2s:0/1\"]\nruns = 5\nthreads = 3\nprocesses = 2\nlog = \"none\"\n";
        let settings = Flags::parse_from(line.split_whitespace()).settings();
        assert_eq!(toml::to_string(&settings).unwrap(), expected);
        assert_eq!(settings.clone().or(Settings::default()), settings);
        assert_eq!(Settings::default().or(settings.clone()), settings);
    }

    #[test]
    fn every_setting_has_its_flag() {
        let settings = toml::Table::try_from(Settings {
            partition: vec!["0s-1s:0".parse().unwrap()],
            ..crate::model::scenario::Scenario::new(&Settings::default(), crate::model::seed::Seed(1))
                .unwrap()
                .settings()
        });
        let command = Flags::command();
        for key in settings.unwrap().keys() {
            assert!(command.get_arguments().any(|flag| flag.get_long() == Some(key)), "--{key}");
        }
    }
}
