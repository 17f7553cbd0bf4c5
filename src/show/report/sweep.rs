//! The page of a sweep: its conditions side by side, what each setting does, and some of its runs to look into.

use std::fmt::Write;

use super::drawing::{Axis, Mark, Plot};
use super::escape::Html;
use super::gather::as_f64;
use super::{RunView, figures, head, page};
use crate::after::effects::{EFFECTS, Effects, Estimate};

/// The most conditions that pictures have a row for.
const MOST_ROWS: usize = 40;

/// What a page tells of a sweep beside its table.
#[derive(Debug)]
pub(crate) struct SweepPage<'a> {
    /// What its conditions do.
    pub(crate) effects: &'a Effects,
    /// The seed of all runs, where it is known.
    pub(crate) seed: Option<u64>,
    /// The command that makes it again.
    pub(crate) command: String,
    /// Some of its runs, to be looked into.
    pub(crate) runs: &'a [RunView],
}

/// The page of a sweep, of which the folder of the run may be read.
pub(crate) fn sweep_page(sweep: &SweepPage<'_>) -> String {
    let title = format!("{} conditions – clocklab", sweep.effects.conditions.len());
    page::framed(&title, &|html| {
        push_head(html, sweep);
        push_conditions(html, sweep.effects);
        push_pictures(html, sweep.effects);
        push_settings(html, sweep.effects);
        push_ranks(html, sweep.effects);
        if !sweep.runs.is_empty() {
            page::push_chooser(html, sweep.runs, all_runs(sweep.effects));
            sweep.runs.iter().for_each(|run| page::push_run(html, run));
        }
    })
}

fn all_runs(effects: &Effects) -> usize {
    let runs = effects.conditions.iter().map(|condition| condition.runs).sum::<u64>();
    usize::try_from(runs).unwrap_or(usize::MAX)
}

fn push_head(html: &mut String, sweep: &SweepPage<'_>) {
    let conditions = sweep.effects.conditions.len();
    let seed = sweep.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let several = if conditions == 1 { "condition" } else { "conditions" };
    let _ = write!(
        html,
        "<h2>{conditions} {several}, {} runs{seed}</h2><p class=\"sub\">Mean and 95 % interval over the runs (Student’s t). Of a run \
         counts what its machines have together: the mean of their mean jumps and queues, the largest jump and queue, the \
         drift furthest behind. All numbers are in experiment.csv.</p>",
        all_runs(sweep.effects)
    );
    head::push_command(html, &sweep.command);
}

/// What the columns of measures are called, and what they mean.
fn heads<'a>(first: impl Iterator<Item = &'a str>) -> Vec<(&'a str, &'a str)> {
    first
        .map(|name| (name, ""))
        .chain(EFFECTS.iter().map(|measure| (measure.name, measure.meaning)))
        .collect()
}

fn push_conditions(html: &mut String, effects: &Effects) {
    html.push_str("<section><h3>Conditions</h3>");
    let columns = effects.columns.iter().map(String::as_str).chain(["runs"]);
    let rows: Vec<Vec<String>> = effects
        .conditions
        .iter()
        .map(|condition| {
            let cells = condition.cells.iter().cloned().chain([condition.runs.to_string()]);
            cells.chain(condition.whole.iter().map(interval)).collect()
        })
        .collect();
    figures::push_rows(html, &heads(columns), &rows);
    html.push_str("</section>");
}

/// A picture for each measure, all with the same conditions from the top.
fn push_pictures(html: &mut String, effects: &Effects) {
    if effects.conditions.len() > MOST_ROWS {
        return;
    }
    html.push_str(
        "<section><h3>Side by side</h3><p class=\"sub\">A line is the mean, pale its 95 % interval.</p><div class=\"plots\">",
    );
    (0..EFFECTS.len()).for_each(|at| html.push_str(&picture(effects, at).part()));
    html.push_str("</div></section>");
}

fn picture(effects: &Effects, at: usize) -> Plot {
    let measure = &EFFECTS[at];
    let count = as_f64(effects.conditions.len() as u64);
    let ends = |estimate: &Estimate| {
        let half = estimate.half.unwrap_or(0.0);
        (estimate.mean - half, estimate.mean + half)
    };
    let each = || effects.conditions.iter().map(|condition| ends(&condition.whole[at]));
    let (least, most) =
        each().fold((0.0_f64, 0.0_f64), |(least, most), (low, high)| (least.min(low), most.max(high)));
    let width = (most - least).max(1e-9) * 0.006;
    let mut marks = Vec::new();
    for (index, condition) in (0_u32..).zip(&effects.conditions) {
        let estimate = &condition.whole[at];
        let place = count - f64::from(index);
        let says = format!("{}: {}", condition.cells.join(", "), interval(estimate));
        let y = (place - 0.8, place - 0.2);
        marks.push(Mark::Bar { class: "f0 pale".into(), x: ends(estimate), y, says: says.clone() });
        marks.push(Mark::Bar {
            class: "f0".into(),
            x: (estimate.mean - width, estimate.mean + width),
            y,
            says,
        });
    }
    let x = Axis { least, is_whole: false, ..Axis::to("", if most > least { most } else { least + 1.0 }) };
    Plot {
        name: measure.name,
        title: measure.name.replace('_', " "),
        says: format!("{}.", measure.meaning),
        height: 82.0 + count * 26.0,
        x,
        y: Axis::to("", count),
        rows: effects.conditions.iter().map(|condition| condition.cells.join(", ")).collect(),
        marks,
        legend: Vec::new(),
        values: None,
    }
}

/// Of each setting with several values what these do, over all runs that have them.
fn push_settings(html: &mut String, effects: &Effects) {
    for (column, name) in effects.columns.iter().enumerate() {
        let levels = effects.of_column(column);
        if levels.len() < 2 || levels.len() == effects.conditions.len() {
            continue;
        }
        let _ = write!(
            html,
            "<section><h3>What {} does</h3><p class=\"sub\">Over the runs of all conditions with that value.</p>",
            Html(name)
        );
        let row = |(level, estimates): (String, Vec<Estimate>)| {
            std::iter::once(level).chain(estimates.iter().map(interval)).collect()
        };
        let rows: Vec<Vec<String>> = levels.into_iter().map(row).collect();
        figures::push_rows(html, &heads(std::iter::once(name.as_str())), &rows);
        html.push_str("</section>");
    }
}

/// The machines of each condition by where their rate stands in their run.
fn push_ranks(html: &mut String, effects: &Effects) {
    html.push_str(
        "<section><h3>Slow and fast machines</h3><p class=\"sub\">The same of the machines whose rate is the smallest of their \
         run, the largest, or between.</p>",
    );
    let columns = effects.columns.iter().map(String::as_str).chain(["rank"]);
    let rows = effects.conditions.iter().flat_map(|condition| {
        condition.ranks.iter().map(|(rank, estimates)| {
            let cells = condition.cells.iter().cloned().chain([(*rank).to_owned()]);
            cells.chain(estimates.iter().map(interval)).collect()
        })
    });
    figures::push_rows(html, &heads(columns), &rows.collect::<Vec<Vec<String>>>());
    html.push_str("</section>");
}

/// A mean, with half of its interval where there is one.
fn interval(estimate: &Estimate) -> String {
    let half = estimate.half.map(|half| format!(" ±{half:.2}")).unwrap_or_default();
    if estimate.count == 0 { "–".to_owned() } else { format!("{:.2}{half}", estimate.mean) }
}
