//! What stands at the head of a page of several runs: all of them side by side.

use std::fmt::Write;

use super::RunView;
use super::escape::Html;
use super::{figures, head, page};
use crate::model::registry::Registry;
use crate::model::scenario::{Scenario, Settings};

/// The most warnings that are told.
const MOST_NOTES: usize = 10;

/// All runs together; the settings are those that the series was made with, where they are known.
pub(super) fn push_series(html: &mut String, runs: &[RunView], settings: Option<&Settings>) {
    let all: Vec<&RunView> = runs.iter().collect();
    push_head(html, runs, settings);
    figures::push_machines(html, &all);
    figures::push_runs(html, &all);
    page::push_plots(html, &all);
    figures::push_theory(html, &all);
    figures::push_whole(html, &all);
}

fn push_head(html: &mut String, runs: &[RunView], settings: Option<&Settings>) {
    let first = runs.first();
    let scenario = settings.and_then(|settings| Scenario::of_logs(&Registry::default(), settings).ok());
    let machines = head::machines(first.map_or(0, |run| run.gathered.machines.len() as u64));
    let seed = settings.and_then(|settings| settings.seed).map(|seed| format!(", seed {seed}"));
    let _ = write!(
        html,
        "<h2>{} runs of {machines}{}</h2><p class=\"sub\">Mean ± standard deviation over the runs; no deviation where all agree.</p>",
        runs.len(),
        seed.unwrap_or_default()
    );
    push_verdict(html, runs);
    let notes =
        runs.iter().flat_map(|run| run.notes().into_iter().map(|note| format!("{}: {note}", run.name)));
    let mut notes: Vec<String> = notes.collect();
    let count = notes.len();
    notes.truncate(MOST_NOTES);
    if count > MOST_NOTES {
        notes.push(format!("… and {} more, each with its run below.", count - MOST_NOTES));
    }
    head::push_notes(html, &notes);
    if let (Some(scenario), Some(settings), Some(first)) = (scenario, settings, first) {
        let folder = first.name.rsplit_once('/').map_or(".", |(folder, _)| folder);
        head::push_command(html, &head::command(&scenario, settings, folder, first.spelled));
    }
}

fn push_verdict(html: &mut String, runs: &[RunView]) {
    let faulty: Vec<&str> =
        runs.iter().filter(|run| !run.verdict.is_sound()).map(|run| run.name.as_str()).collect();
    let (class, words) = if faulty.is_empty() {
        ("sound", "The logs of all runs are sound".to_owned())
    } else {
        ("faulty", format!("Faults are in {}", faulty.join(", ")))
    };
    let _ = write!(html, "<div class=\"verdict {class}\"><strong>{}</strong></div>", Html(words));
}
