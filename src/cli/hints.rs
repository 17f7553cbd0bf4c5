//! What is said where the first word is no command: what was likely meant, and how that is written.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::model::registry::Registry;
use crate::model::scenario::Settings;
use crate::model::time::{Nanos, WithUnit};
use crate::workload::Algorithm;

/// What people call a run that is to be made.
const RUN: &[&str] = &[
    "begin",
    "create",
    "demo",
    "exec",
    "execute",
    "go",
    "launch",
    "live",
    "make",
    "new",
    "run",
    "sim",
    "simulate",
    "simulation",
    "start",
];

/// What they call other things, and how these are asked for.
const OTHERS: &[(&[&str], &str)] = &[
    (&["watch", "tui", "top", "monitor"], "clocklab --tui makes a run and shows it while it goes on"),
    (&["validate", "verify", "audit", "lint", "test", "fsck"], "clocklab check tells whether a log is right"),
    (
        &["analyse", "analyze", "measure", "measures", "metrics", "statistics", "summary"],
        "clocklab stats measures a run",
    ),
    (
        &["before", "causality", "cause", "happened-before", "past", "path", "future"],
        "clocklab order tells what happened before what",
    ),
    (
        &["chart", "diagram", "draw", "graph", "html", "open", "page", "plot", "show", "view"],
        "clocklab report draws a run as a page for the browser",
    ),
    (
        &["convert", "csv", "dot", "dump", "jsonl", "perfetto", "save", "shiviz"],
        "clocklab export writes a run in another tool's format",
    ),
    (&["resume", "continue"], "clocklab --resume, with --node or --processes, goes on with a run"),
    (
        &["client", "cluster", "join", "node", "nodes", "server"],
        "clocklab --nodes A,B,… --node K makes this process one of several; clocklab --processes P starts them all here",
    ),
    (&["version"], "clocklab --version tells it"),
];

/// The message in place of clap's own, where more can be said than that.
pub(super) fn instead_of(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidSubcommand))
    else {
        return None;
    };
    let is_first = arguments.first().is_some_and(|first| first == OsStr::new(word));
    let tip = meant(word, arguments).filter(|_| is_first)?;
    Some(format!("'{word}' is no command of clocklab\n\n  tip: {tip}"))
}

/// What is said of flags that change nothing in a run with these settings. A file's settings are no wishes: a
/// manifest names all of them.
pub(super) fn without_effect(
    asked: &Settings,
    settings: &Settings,
    registry: &Registry,
) -> impl Iterator<Item = String> {
    let choice = settings.workload.clone().unwrap_or_default();
    let rolls = |workload: &&Algorithm| workload.parameter("draw").is_some();
    let is_in_vain =
        asked.draw.is_some() && registry.workloads.get(choice.name()).is_some_and(|own| !rolls(&own));
    let draw = is_in_vain.then(|| {
        let rolling: Vec<&str> =
            registry.workloads.all().filter(rolls).map(|workload| workload.name).collect();
        format!("--draw does nothing here: only the workload {} rolls a die", rolling.join(", "))
    });
    let clocks = settings.clocks.clone().unwrap_or_default();
    let has_physical = clocks.iter().any(|clock| clock.reads_physical);
    let skew = (asked.skew.is_some_and(|WithUnit(skew)| skew > Nanos::ZERO) && !has_physical).then(|| {
        "--skew does nothing here: a machine's physical clock shows in its hybrid one alone, which --clocks leaves out".to_owned()
    });
    draw.into_iter().chain(skew)
}

fn meant(word: &str, arguments: &[OsString]) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    if RUN.contains(&lower.as_str()) {
        let rest: Vec<String> = arguments.iter().skip(1).map(|argument| quoted(argument)).collect();
        let line = std::iter::once("clocklab".to_owned()).chain(rest).collect::<Vec<_>>().join(" ");
        return Some(format!("a run needs no command: {line}"));
    }
    let other = OTHERS.iter().find(|(words, _)| words.contains(&lower.as_str()));
    if let Some((_, tip)) = other {
        return Some((*tip).to_owned());
    }
    let is_path = Path::new(word).exists();
    is_path.then(|| {
        format!(
            "to read what is in {word}, say what for: clocklab check {word}, or stats, order, report, export"
        )
    })
}

/// An argument as it can be typed in a shell.
fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,.:/@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags::Flags;

    fn said(line: &[&str]) -> Option<String> {
        let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        let error = Flags::command(&Registry::default())
            .try_get_matches_from(["clocklab"].iter().chain(line))
            .unwrap_err();
        instead_of(&error, &arguments)
    }

    #[test]
    fn a_word_for_a_run_is_answered_with_the_line_that_makes_it() {
        let expected = "'run' is no command of clocklab\n\n  tip: a run needs no command: clocklab --vms 5 --duration '90 seconds'";
        assert_eq!(said(&["run", "--vms", "5", "--duration", "90 seconds"]).as_deref(), Some(expected));
        assert!(said(&["Simulate"]).unwrap().ends_with("a run needs no command: clocklab"));
        assert!(
            said(&["start", "--partition", "it's"]).unwrap().ends_with("clocklab --partition 'it'\\''s'")
        );
    }

    #[test]
    fn words_for_commands_lead_to_them() {
        assert!(said(&["verify", "output"]).unwrap().contains("clocklab check"));
        assert!(said(&["plot"]).unwrap().contains("clocklab report"));
        assert!(said(&["Cargo.toml"]).unwrap().contains("clocklab check Cargo.toml"));
        // What is misspelt, clap knows better.
        assert_eq!(said(&["chek"]), None);
        assert_eq!(said(&["help", "run"]), None);
    }

    /// A word that becomes a command must go from here.
    #[test]
    fn no_word_is_a_command() {
        let command = Flags::command(&Registry::default());
        let words = RUN.iter().chain(OTHERS.iter().flat_map(|(words, _)| *words));
        for word in words {
            assert!(command.find_subcommand(word).is_none(), "{word}");
        }
    }
}
