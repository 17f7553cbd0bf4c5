//! The lab notebook of the exercise as Markdown: settings, tables and pictures under the questions that it asks.

use std::fmt::{self, Write};

use super::figures::{self, MACHINES};
use super::gather::GatheredMachine;
use super::{Picture, RunView, pictures};

/// A question of the exercise, the pictures that answer it, and what the numbers of a run say.
type Question = (&'static str, &'static [&'static str], fn(&RunView) -> String);

const QUESTIONS: [Question; 4] = [
    ("How large are the jumps of the logical clocks?", &["jumps", "jumps_histogram"], jumps),
    ("How far do the clocks drift apart?", &["clock", "drift"], drift),
    ("Which gaps are there in the values of the clocks?", &[], gaps),
    ("How long do the message queues get?", &["queue"], queues),
];

/// How a picture is called from the notebook: that of a run, by its number, or of all runs together; by its name.
type Link<'a> = &'a dyn Fn(Option<usize>, &str) -> String;

/// The notebook, with pictures where they are found.
pub(crate) fn notebook(runs: &[RunView], link: Link<'_>) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = write_notebook(&mut text, runs, link);
    text
}

fn write_notebook(out: &mut String, runs: &[RunView], link: Link<'_>) -> fmt::Result {
    writeln!(out, "# Scale models and logical clocks: lab notebook\n")?;
    writeln!(out, "## What was run\n")?;
    for run in runs {
        let verdict = if run.verdict.is_sound() { "the log is sound" } else { "**the log has faults**" };
        writeln!(out, "- `{}`: {}; {verdict}", run.name, run.headline())?;
        if let Some(command) = run.command() {
            writeln!(out, "  `{command}`")?;
        }
    }
    for run in runs {
        writeln!(out, "\n### {}\n", run.name)?;
        write_table(out, &figures::rows(&[run], MACHINES))?;
    }
    if runs.len() > 1 {
        writeln!(out, "\n### All runs: mean ± standard deviation\n")?;
        write_table(out, &figures::rows(&runs.iter().collect::<Vec<_>>(), MACHINES))?;
    }
    let all: Vec<&RunView> = runs.iter().collect();
    for (question, asked, says) in QUESTIONS {
        writeln!(out, "\n## {question}\n")?;
        if runs.len() > 1 && !asked.is_empty() {
            writeln!(out, "All runs, their mean and their extremes:\n")?;
            write_pictures(out, &all, asked, &|name| link(None, name))?;
        }
        for (index, run) in runs.iter().enumerate() {
            writeln!(out, "`{}`: {}\n", run.name, says(run))?;
            write_pictures(out, &[run], asked, &|name| link(Some(index), name))?;
        }
        writeln!(out, "*Your words:*\n")?;
    }
    for (question, setting) in [
        ("What changes with a smaller variation of the rates?", "setting `rates = 3-4`"),
        ("What changes with a smaller probability of internal events?", "setting `draw = 5`"),
    ] {
        writeln!(out, "\n## {question}\n")?;
        writeln!(
            out,
            "Run it, for example with `{}`, and compare the tables above.\n",
            runs.first().map_or_else(Default::default, |run| {
                (run.spelled)(&format!("clocklab {setting} setting `runs = 5`")).into_owned()
            })
        )?;
        writeln!(out, "*Your words:*\n")?;
    }
    Ok(())
}

/// Those of the pictures that are asked for.
fn write_pictures(
    out: &mut String,
    runs: &[&RunView],
    asked: &[&str],
    link: &dyn Fn(&str) -> String,
) -> fmt::Result {
    for Picture { name, title, .. } in pictures(runs).iter().filter(|picture| asked.contains(&picture.name)) {
        writeln!(out, "![{title}]({})", link(name))?;
    }
    writeln!(out)
}

fn write_table(out: &mut String, rows: &[Vec<String>]) -> fmt::Result {
    let names: Vec<String> = std::iter::once("machine".to_owned())
        .chain(MACHINES.iter().map(|column| column.heading.replace('\n', " ")))
        .collect();
    writeln!(out, "| {} |\n|{}", names.join(" | "), "---:|".repeat(names.len()))?;
    rows.iter().try_for_each(|row| writeln!(out, "| {} |", row.join(" | ")))
}

/// A sentence from the machines of a run.
fn each(run: &RunView, says: impl Fn(&GatheredMachine) -> String) -> String {
    let machines = run.gathered.machines.iter().take(12);
    machines.map(says).collect::<Vec<_>>().join("; ")
}

/// A measure of a machine.
fn of(run: &RunView, machine: &GatheredMachine, measure: &str) -> f64 {
    run.stats.of(machine.vm, measure).unwrap_or(0.0)
}

fn jumps(run: &RunView) -> String {
    each(run, |m| {
        let (mean, most) = (of(run, m, "jump_mean"), of(run, m, "jump_max"));
        format!("machine {} jumps by {mean:.2} on the mean and {most} at most", m.vm)
    })
}

fn drift(run: &RunView) -> String {
    each(run, |m| match run.stats.of(m.vm, "clock_drift") {
        Some(drift) => {
            format!("machine {} ends at {}, {:.0} behind the largest", m.vm, m.lamport, drift.abs())
        }
        None => format!(
            "machine {} ends at {}; the largest clock may be in a log that is not here",
            m.vm, m.lamport
        ),
    })
}

fn gaps(run: &RunView) -> String {
    each(run, |m| {
        let with: u64 = m.jumps.iter().filter(|(jump, _)| **jump > 1).map(|(_, count)| count).sum();
        let gap = (of(run, m, "jump_max") - 1.0).max(0.0);
        format!(
            "machine {} leaves values out before {with} of its {} events, {gap} at most at once",
            m.vm,
            m.events()
        )
    })
}

fn queues(run: &RunView) -> String {
    each(run, |m| {
        let [mean, most, last] = ["queue_mean", "queue_max", "queue_last"].map(|name| of(run, m, name));
        format!(
            "machine {} has {mean:.2} messages waiting on the mean, {most} at most, {last} at the end",
            m.vm
        )
    })
}
