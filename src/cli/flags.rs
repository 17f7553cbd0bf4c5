//! The flags, as people type them: the tables of settings as clap is told of them, and what it found.

use std::ffi::{OsStr, OsString};

use clap::builder::{Styles, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, FromArgMatches, Subcommand, ValueHint};

use super::after::Command;
use super::invocation::Invocation;
use crate::clock::{ClockList, kinds};
use crate::model::registry::Registry;
use crate::model::scenario::Settings;
use crate::model::setting::{Holder, Setting, Takes};
use crate::workload::{Choice, Workloads};

/// What the short help ends with.
const MORE: &str = "\
Examples:
  clocklab                                three machines for a minute, as in the exercise
  clocklab -n 5 -d 30s --virtual-time     five machines for half a minute, in no time
  clocklab sweep rates=1-6 rates=3-4      two conditions side by side, and as many more as you name

clocklab --help has all flags, in more words, and clocklab help COMMAND those of a command.";

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

const ABOUT: &str = "A laboratory for logical clocks: virtual machines tick at different rates, exchange messages, keep \
                     Lamport, vector and hybrid clocks, and log every event to CSV";

/// What a process of a run in several is started with.
const WORKER: &str = "worker";
/// The same as it is typed.
pub(super) const WORKER_FLAG: &str = "--worker";

/// What the command line says.
#[derive(Debug)]
pub(super) struct Flags {
    /// What to do instead of a run.
    pub(super) command: Option<Command>,
    /// The run that is asked for.
    pub(super) settings: Settings,
    /// What is said of this start alone.
    pub(super) start: Invocation,
    /// Whether this process is one of a run's, and is told by another what to do.
    pub(super) worker: bool,
}

impl Flags {
    /// What clap knows of the command line.
    pub(super) fn command(registry: &Registry) -> clap::Command {
        let command = clap::Command::new("clocklab")
            .version(env!("CARGO_PKG_VERSION"))
            .after_help(MORE)
            .after_long_help(EXAMPLES)
            .max_term_width(110)
            .styles(Styles::plain())
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args_conflicts_with_subcommands(true);
        let help = Arg::new("help")
            .short('h')
            .long("help")
            .global(true)
            .action(ArgAction::Help)
            .help_heading("Help")
            .help("Print help: -h in short, --help in full");
        let version = Arg::new("version")
            .short('V')
            .long("version")
            .action(ArgAction::Version)
            .help_heading("Help")
            .help("Print the version");
        let worker = Arg::new(WORKER).long(WORKER).action(ArgAction::SetTrue).hide(true);
        Command::augment_subcommands(command)
            .about(ABOUT)
            .args(Settings::table().iter().map(|setting| argument(setting, |_| true)))
            .args(Invocation::table().iter().map(|setting| argument(setting, |_| true)))
            .args([worker, help, version])
            .mut_arg("workload", |arg| tell_workloads(arg, &registry.workloads))
            .mut_arg("clocks", tell_clocks)
            .mut_subcommand("sweep", |sweep| {
                let sweep = sweep.mut_arg("workload", |arg| tell_workloads(arg, &registry.workloads));
                sweep.mut_arg("clocks", tell_clocks)
            })
    }

    /// Reads a command line, the program's name first.
    pub(super) fn parse(
        line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
        registry: &Registry,
    ) -> Result<Self, clap::Error> {
        let matches = Self::command(registry).try_get_matches_from(line)?;
        let command = if matches.subcommand_name().is_some() {
            Some(Command::from_arg_matches(&matches)?)
        } else {
            None
        };
        Ok(Self {
            command,
            settings: found(&matches),
            start: found(&matches),
            worker: matches.get_flag(WORKER),
        })
    }
}

/// Tells in full what workloads there are, and what can be set of each.
fn tell_workloads(arg: Arg, workloads: &Workloads) -> Arg {
    let all: Vec<String> = workloads.all().map(|workload| format!("- {workload}")).collect();
    let short = format!("What a tick does; --help lists all of it [default: {}]", Choice::default());
    let full = format!("What a tick does [default: {}]", Choice::default());
    let parameters = "Parameters follow a colon: NAME:parameter=value,…";
    arg.help(short).long_help(format!("{full}\n\n{}\n\n{parameters}", all.join("\n")))
}

/// Tells what clocks there are, and in full the rule of each.
fn tell_clocks(arg: Arg) -> Arg {
    let standard = ClockList::standard();
    let short = format!("Clocks to keep beside Lamport's; --help lists all of them [default: {standard}]");
    let full = format!("Clocks to keep; Lamport's is always kept [default: {standard}]");
    let all: Vec<String> = kinds().iter().map(|kind| format!("- {kind}")).collect();
    let in_full = format!("{full}\n\n{}\n\nParameters: NAME:number, or NAME:number/number", all.join("\n"));
    arg.help(short).long_help(in_full)
}

/// What clap is told of a setting, where there are flags of those names beside it.
pub(super) fn argument<H: Holder>(setting: &'static Setting<H>, is_there: impl Fn(&str) -> bool) -> Arg {
    let facts = &setting.facts;
    let short = help(setting);
    let mut arg = Arg::new(facts.name)
        .long(facts.name)
        .short(facts.letter)
        .help_heading(facts.heading.words())
        .hide_short_help(!facts.is_everyday)
        .conflicts_with_all(facts.conflicts.filter(|name| is_there(name)));
    if let Some(needs) = facts.needs {
        arg = arg.requires(needs);
    }
    if !facts.more.is_empty() {
        arg = arg.long_help(format!("{short}\n\n{}", plain(facts.more)));
    }
    let (name, hint) = match facts.takes {
        Takes::Nothing => return arg.help(short).action(ArgAction::SetTrue),
        Takes::Value(name) | Takes::Item(name) => (name, ValueHint::Other),
        Takes::File(name) => (name, ValueHint::FilePath),
        Takes::Folder(name) => (name, ValueHint::DirPath),
        Takes::Address(name) => (name, ValueHint::Hostname),
    };
    let action = if matches!(facts.takes, Takes::Item(_)) { ArgAction::Append } else { ArgAction::Set };
    arg.help(short)
        .action(action)
        .value_name(name)
        .value_hint(hint)
        .value_parser(ValueParser::new(SettingReader(setting)))
        .hide_possible_values(true)
        // What begins with a minus is told as a wrong value.
        .allow_hyphen_values(hint == ValueHint::Other)
}

/// A setting's meaning, the words that can be written for it, and its default.
fn help<H: Holder>(setting: &Setting<H>) -> String {
    let meaning = plain(&setting.facts.sentence());
    let default = setting.default().map(|default| format!(" [default: {default}]")).unwrap_or_default();
    match setting.facts.takes {
        Takes::Nothing => meaning,
        Takes::Item(_) => format!("{meaning} (repeatable)"),
        _ => meaning + &default,
    }
}

/// A text for where what is typed needs no marks.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// What the command line says of a table's settings, as far as it has their flags. Each value has been read once before,
/// by clap.
pub(super) fn found<H: Holder>(matches: &ArgMatches) -> H {
    let mut holder = H::default();
    for setting in H::table() {
        let name = setting.facts.name;
        if setting.facts.takes == Takes::Nothing {
            if matches.try_get_one(name).ok().flatten() == Some(&true) {
                let _ = setting.put(&mut holder, OsStr::new("true"));
            }
        } else {
            for text in matches.try_get_raw(name).ok().flatten().into_iter().flatten() {
                let _ = setting.put(&mut holder, text);
            }
        }
    }
    holder
}

/// Makes sure that a setting has a value that it can have.
#[derive(Debug)]
struct SettingReader<H: 'static>(&'static Setting<H>);

impl<H> Clone for SettingReader<H> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<H: Holder> TypedValueParser for SettingReader<H> {
    type Value = OsString;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OsString, clap::Error> {
        match self.0.put(&mut H::default(), value) {
            Ok(()) => Ok(value.to_owned()),
            Err(allowed) => {
                let refuse = move |_: &str| Err::<OsString, _>(allowed.clone());
                refuse.parse_ref(command, arg, OsStr::new(&*value.to_string_lossy()))
            }
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = clap::builder::PossibleValue> + '_>> {
        let words = (self.0.facts.words)();
        let values = words.into_iter().map(clap::builder::PossibleValue::new);
        (values.len() > 0).then(|| Box::new(values) as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scenario::Scenario;
    use crate::model::seed::Seed;
    use crate::model::setting::PathValue;
    use crate::runs::join::Invitation;

    #[test]
    fn the_flags_are_consistent() {
        Flags::command(&Registry::default()).debug_assert();
    }

    #[test]
    fn help_tells_the_defaults_that_hold() {
        let help = Flags::command(&Registry::default()).term_width(0).render_long_help().to_string();
        let scenario = Scenario::new(&Settings::default(), Seed(1)).unwrap().settings();
        for name in
            ["vms", "duration", "rates", "phase", "late", "workload", "draw", "loss", "duplicate", "fifo"]
        {
            let setting = Settings::table().iter().find(|setting| setting.facts.name == name).unwrap();
            let line = help.lines().skip_while(|line| !line.contains(&format!("--{name} "))).nth(1).unwrap();
            let default = setting.texts(&scenario).pop().unwrap();
            assert!(line.ends_with(&format!("[default: {default}]")), "{line}");
        }
        let join_timeout = format!("[default: {}]", Invitation::JOIN_TIMEOUT);
        assert!(help.contains(&format!("How long the start waits for all of them {join_timeout}")), "{help}");
    }

    #[test]
    fn the_short_help_fits_a_screen_and_the_long_one_has_every_flag() {
        let (short, long) = (
            Flags::command(&Registry::default()).render_help(),
            Flags::command(&Registry::default()).render_long_help(),
        );
        let (short, long) = (short.to_string(), long.to_string());
        assert!(short.lines().count() <= 60, "{}", short.lines().count());
        for flag in Flags::command(&Registry::default()).get_arguments().filter(|flag| !flag.is_hide_set()) {
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
        let flags = Flags::parse(
            ["clocklab", "-n", "5", "-d", "90 seconds", "-s", "7", "-o", "here", "-q"],
            &Registry::default(),
        )
        .unwrap();
        let words = "clocklab --vms 5 --duration 90s --seed 7 --output here --quiet";
        let others = Flags::parse(words.split(' '), &Registry::default()).unwrap();
        assert_eq!(flags.settings, others.settings);
        assert_eq!(flags.start, others.start);
        assert_eq!((flags.start.output, flags.start.quiet), (Some(PathValue("here".into())), Some(true)));
    }

    #[test]
    fn every_flag_sets_its_own_setting() {
        let line = "clocklab --virtual-time --vms 4 --duration 5s --rates 2-3 --phase aligned --late skip --workload scale-model --draw 7 \
                    --crash 1s-2s:1 --crash 2s-3s:1 --seed 9 --clocks hlc --skew 1ms --latency 2ms --loss 0.25 --duplicate 0.75 --fifo off --partition 1s-2s:0/1 \
                    --partition 3s-4s:0/1 --runs 5 --threads 3 --processes 2 --log none";
        let expected = "virtual-time = true\nvms = 4\nduration = \"5s\"\nrates = \"2-3\"\nphase = \"aligned\"\nlate = \"skip\"\n\
                        workload = \"scale-model\"\ndraw = 7\ncrash = [\"1s-2s:1\", \"2s-3s:1\"]\nseed = 9\nclocks = \"lamport,hlc\"\nskew = \"1ms\"\nlatency = \"2ms\"\n\
                        loss = 0.25\nduplicate = 0.75\nfifo = \"off\"\npartition = [\"1s-2s:0/1\", \"3s-4s:0/1\"]\nruns = 5\nthreads = 3\n\
                        processes = 2\nlog = \"none\"\n";
        let settings = Flags::parse(line.split_whitespace(), &Registry::default()).unwrap().settings;
        assert_eq!(toml::to_string(&settings).unwrap(), expected);
        assert_eq!(settings.clone().or(&Settings::default()), settings);
        assert_eq!(Settings::default().or(&settings), settings);
    }

    /// The table of options in the reference is what the tables of settings say, row by row.
    #[test]
    fn the_reference_has_the_tables_of_settings() {
        let rows = Settings::table().iter().map(row).chain(Invocation::table().iter().map(row));
        let expected: Vec<String> = rows.collect();
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/.readme/options.md");
        let page = std::fs::read_to_string(page).unwrap();
        let found: Vec<&str> = page
            .lines()
            .skip_while(|line| !line.starts_with("|---"))
            .skip(1)
            .take_while(|line| !line.is_empty())
            .collect();
        assert!(found == expected, ".readme/options.md should have:\n{}", expected.join("\n"));
    }

    fn row<H: Holder>(setting: &Setting<H>) -> String {
        let facts = &setting.facts;
        let value = match facts.takes {
            Takes::Nothing => String::new(),
            Takes::Value(name)
            | Takes::Item(name)
            | Takes::File(name)
            | Takes::Folder(name)
            | Takes::Address(name) => {
                format!(" {name}")
            }
        };
        let letter = facts.letter.map(|letter| format!(", `-{letter}`")).unwrap_or_default();
        let again = if matches!(facts.takes, Takes::Item(_)) { " (repeatable)" } else { "" };
        let more = if facts.more.is_empty() { String::new() } else { format!(". {}", facts.more) };
        let cells = [
            format!("`--{}{value}`{letter}", facts.name),
            format!("{}{again}{more}", facts.sentence()),
            setting.default().unwrap_or_default(),
        ];
        format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).replace("|  |", "| |")
    }
}
