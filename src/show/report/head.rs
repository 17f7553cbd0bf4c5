//! What stands above the pictures: what was run, how to run it again, and whether its logs are right.

use std::fmt::Write;

use super::RunView;
use super::drawing::number;
use super::escape::Html;
use super::excerpt::MOST_LINES;
use super::gather::as_f64;
use crate::model::scenario::{Scenario, SeedNumber, Settings};
use crate::model::setting::{Facts, Holder, Scope, Setting, Spelling, Takes};

/// The most faults that are told.
const MOST_FAULTS: usize = 10;

/// The setting that one run of a series has not in common with it.
const SEED: &str = "seed";

/// A command that is longer is not one to read.
const LONGEST_COMMAND: usize = 300;

impl RunView {
    /// What the run is, in a line.
    pub(super) fn headline(&self) -> String {
        let machines = machines(self.gathered.machines.len() as u64);
        match self.model.scenario() {
            Some(scenario) => {
                let Settings { seed, duration, .. } = scenario.settings();
                let seed = seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
                let duration =
                    duration.map(|time| format!(", {} s", number(time.as_secs_f64()))).unwrap_or_default();
                format!("{machines}{duration}{seed}")
            }
            None => format!("{machines}, {:.1} s", self.gathered.end.as_secs_f64()),
        }
    }

    /// The run's seed, where it is known.
    pub(super) fn seed(&self) -> Option<SeedNumber> {
        self.manifest.as_ref()?.settings.seed
    }

    /// The command that makes the run again.
    pub(super) fn command(&self) -> Option<String> {
        let settings = &self.manifest.as_ref()?.settings;
        Some(command(self.model.scenario()?, settings, &self.name, self.spelled))
    }

    /// Everything above the pictures.
    pub(super) fn head(&self) -> String {
        let mut html = String::new();
        let _ = write!(html, "<h2>{}</h2><p class=\"sub\">{}", Html(self.headline()), Html(&self.name));
        if let Some(manifest) = &self.manifest {
            let _ = write!(html, " · {}", manifest.status);
            if let Some(started) = manifest.started {
                let _ = write!(html, " · {}", started.strftime("%Y-%m-%d %H:%M:%S UTC"));
            }
            let is_virtual = self.model.scenario().is_some_and(Scenario::is_virtual);
            html.push_str(if is_virtual { " · virtual time" } else { " · live" });
        }
        html.push_str("</p>");
        self.push_verdict(&mut html);
        if let Some(command) = self.command() {
            push_command(&mut html, &command);
        }
        self.push_settings(&mut html);
        html
    }

    fn push_verdict(&self, html: &mut String) {
        let counts = self.verdict.counts;
        let facts = format!(
            "{} events of {}; {} messages sent, {} received, {} lost, {} duplicated",
            number(as_f64(counts.events)),
            machines(counts.machines),
            number(as_f64(counts.sent)),
            number(as_f64(counts.received)),
            number(as_f64(counts.lost)),
            number(as_f64(counts.duplicated))
        );
        let faults = self.verdict.faults.count();
        let is_part = self.verdict.is_part();
        if is_part {
            push_missing(html, &self.verdict.missing);
        }
        let log = if is_part { "This part of the log" } else { "The log" };
        let (class, words) = match faults {
            0 => ("sound", format!("{log} is sound")),
            1 => ("faulty", format!("{log} has 1 fault")),
            _ => ("faulty", format!("{log} has {} faults", number(as_f64(faults)))),
        };
        let _ = write!(html, "<div class=\"verdict {class}\"><strong>{words}</strong><span>{facts}.</span>");
        if faults > 0 {
            html.push_str("<ol>");
            for fault in self.verdict.faults.first().take(MOST_FAULTS) {
                let _ = write!(html, "<li>{}</li>", Html(fault));
            }
            html.push_str("</ol>");
        }
        html.push_str("</div>");
        push_notes(html, &self.notes());
    }

    /// What a person should know before they trust what they see.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.stats.warnings.iter().map(|warning| sentence(warning)).collect();
        if !self.verdict.is_part() {
            notes.extend(self.verdict.missing.iter().map(|line| format!("Not here: {line}.")));
        }
        notes.extend(self.verdict.unchecked.iter().map(|note| format!("Not checked: {note}.")));
        notes
    }

    fn push_settings(&self, html: &mut String) {
        let Some(scenario) = self.model.scenario() else { return };
        html.push_str("<details class=\"settings\"><summary>All settings</summary><dl>");
        let settings = scenario.settings();
        let each = |setting: &'static Setting<Settings>| {
            setting.texts(&settings).into_iter().map(|text| (setting.facts.name, text))
        };
        for (key, value) in Settings::table().iter().flat_map(each) {
            let value = if value.len() > LONGEST_COMMAND { "see run.toml".to_owned() } else { value };
            let _ = write!(html, "<div><dt>{}</dt><dd>{}</dd></div>", Html(key), Html(value));
        }
        html.push_str("</dl></details>");
    }

    /// What the diagram leaves out, in words; nothing where it leaves nothing out.
    pub(super) fn left_out(&self) -> Vec<String> {
        let (run, kept) = (&self.gathered, &self.gathered.kept);
        let mut words = Vec::new();
        let shown = kept.rows.len() as u64;
        if kept.is_cut {
            words.push(format!(
                "It shows the first {} of {} events, up to {:.3} s: more would make the page slow. For another part use \
                 {}; the other pictures and the table are of all events.",
                number(as_f64(shown)),
                number(as_f64(run.events())),
                kept.to.as_secs_f64(),
                (self.spelled)("clocklab report setting `window = 10s-20s`")
            ));
        } else if shown < run.events() {
            words.push(format!(
                "It shows {} of {} events.",
                number(as_f64(shown)),
                number(as_f64(run.events()))
            ));
        }
        if run.machines.last().is_some_and(|machine| machine.vm.index() >= MOST_LINES) {
            words.push(format!(
                "It has lines for the first {MOST_LINES} machines only, and no messages from or to others."
            ));
        }
        words
    }
}

pub(super) fn machines(count: u64) -> String {
    if count == 1 { "1 machine".to_owned() } else { format!("{} machines", number(as_f64(count))) }
}

/// A warning as a sentence.
fn sentence(warning: &str) -> String {
    match warning.strip_prefix("machine ") {
        Some(rest) => format!("Machine {rest}."),
        None => format!("{warning}."),
    }
}

/// The command that makes a run or a series again, which is in that folder.
pub(super) fn command(scenario: &Scenario, settings: &Settings, folder: &str, spelled: Spelling) -> String {
    let mut chosen = scenario.chosen();
    // A run of a series has a seed of its own: what makes the series again is the series' seed.
    let is_there = chosen.iter().any(|(facts, _)| facts.name == SEED);
    let is_open = |facts: &Facts| match facts.scope {
        Scope::Model => facts.name == SEED && !is_there,
        Scope::Run | Scope::Series => true,
        Scope::Process | Scope::Start => false,
    };
    for setting in Settings::table().iter().filter(|setting| is_open(&setting.facts)) {
        chosen.extend(setting.texts(settings).into_iter().map(|text| (&setting.facts, text)));
    }
    let words = chosen.iter().map(|(facts, value)| match facts.takes {
        Takes::Nothing => format!("setting `{}`", facts.name),
        _ => format!("setting `{} = {value}`", facts.name),
    });
    let command = format!("clocklab {}", words.collect::<Vec<_>>().join(" "));
    let command = spelled(&command);
    if command.len() <= LONGEST_COMMAND {
        command.into_owned()
    } else {
        spelled(&format!("clocklab setting `scenario = {folder}/run.toml`")).into_owned()
    }
}

/// A command to be copied.
pub(super) fn push_command(html: &mut String, command: &str) {
    let _ = write!(
        html,
        "<div class=\"command\"><span>Run it again</span><code>{}</code><button type=\"button\" class=\"copy\">Copy</button></div>",
        Html(command)
    );
}

/// What is not here of a run, above everything else that is said of it.
fn push_missing(html: &mut String, missing: &[String]) {
    html.push_str("<div class=\"verdict part\"><strong>This is a part of the run</strong><ol>");
    missing.iter().for_each(|line| html.push_str(&format!("<li>{}</li>", Html(line))));
    html.push_str("</ol></div>");
}

/// Notes in a list, where there are any.
pub(super) fn push_notes(html: &mut String, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    html.push_str("<ul class=\"notes\">");
    notes.iter().for_each(|note| html.push_str(&format!("<li>{}</li>", Html(note))));
    html.push_str("</ul>");
}
