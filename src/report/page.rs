//! The page: one HTML file that needs nothing else, with the rows of a window in it.

use std::fmt::Write;

use super::escape::{Html, json_text};
use super::head::COLUMNS;
use super::{RunView, plots};
use crate::log::REPORT_MARK;

const FRAME: &str = include_str!("page.html");
const DIAGRAM: &str = include_str!("diagram.html");
const PLOT_STYLE: &str = include_str!("plot.css");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The most runs of a series that have pictures; the table has all.
const MOST_RUNS: usize = 20;

/// The page of one run, or of several side by side.
pub fn page(runs: &[RunView]) -> String {
    let title = match runs {
        [run] => format!("{} – clocklab", run.headline()),
        runs => format!("{} runs – clocklab", runs.len()),
    };
    let shown = &runs[..runs.len().min(MOST_RUNS)];
    let mut html = String::new();
    // Each piece is put in once and not looked at again: text from logs cannot stand for a piece.
    for piece in FRAME.split("{{") {
        let Some((name, rest)) = piece.split_once("}}") else {
            html.push_str(piece);
            continue;
        };
        match name {
            "title" => html.push_str(&Html(&title).to_string()),
            "style" => html.extend([PLOT_STYLE, STYLE]),
            "mark" => html.push_str(REPORT_MARK),
            "version" => html.push_str(env!("CARGO_PKG_VERSION")),
            "script" => html.push_str(SCRIPT),
            "chooser" => push_chooser(&mut html, shown),
            _ => {
                if runs.len() > 1 {
                    push_comparison(&mut html, runs);
                }
                shown.iter().for_each(|run| push_run(&mut html, run));
            }
        }
        html.push_str(rest);
    }
    html
}

fn push_chooser(html: &mut String, runs: &[RunView]) {
    if runs.len() < 2 {
        return;
    }
    html.push_str("<label class=\"chooser\">Run <select>");
    for (index, run) in runs.iter().enumerate() {
        let _ = write!(html, "<option value=\"{index}\">{}</option>", Html(&run.name));
    }
    html.push_str("</select></label>");
}

fn push_run(html: &mut String, run: &RunView) {
    let _ = write!(html, "<section class=\"run\">{}", run.head());
    let _ = write!(html, "<section><h3>Machines</h3>{}</section>", run.table());
    let (before, after) = DIAGRAM.split_once("{{left-out}}").unwrap_or((DIAGRAM, ""));
    html.push_str(before);
    for words in run.left_out() {
        let _ = write!(html, "<p class=\"sub left-out\">{}</p>", Html(words));
    }
    html.push_str(after);
    html.push_str("<section><h3>Over time</h3><p class=\"sub\">Point at a picture for its values.</p><div class=\"plots\">");
    plots::of(&run.gathered).iter().for_each(|plot| html.push_str(&plot.part()));
    html.push_str("</div></section><script type=\"application/json\" class=\"data\">");
    push_data(html, run);
    html.push_str("</script></section>\n");
}

fn push_data(html: &mut String, run: &RunView) {
    let gathered = &run.gathered;
    let (rows, lacks_vectors) = gathered.kept.json();
    let from = gathered.kept.from.as_secs_f64();
    let to = gathered.kept.to.min(gathered.end).as_secs_f64();
    let is_whole = gathered.kept.rows.len() as u64 == gathered.events();
    // A beginning of the run on all machines holds all causes of its events.
    let has_all_lines =
        gathered.machines.iter().all(|machine| machine.vm.index() < super::window::MOST_LINES);
    let has_causes = gathered.kept.from.get() == 0 && has_all_lines && run.model.is_one_clock();
    let rates = gathered.machines.iter().filter_map(|machine| Some((machine.vm, machine.rate?)));
    let rates: Vec<String> =
        rates.take(super::window::MOST_LINES).map(|(vm, rate)| format!("\"{vm}\":{rate}")).collect();
    let _ = write!(
        html,
        "{{\"folder\":{},\"from\":{from},\"to\":{to},\"whole\":{is_whole},\"causes\":{},\"no_vectors\":{lacks_vectors},\"rates\":{{{}}},\"rows\":{rows}}}",
        json_text(&run.name),
        is_whole || has_causes,
        rates.join(",")
    );
}

/// Several runs side by side: of each machine the mean and the spread of every column.
fn push_comparison(html: &mut String, runs: &[RunView]) {
    let _ = write!(html, "<section class=\"comparison\"><h3>{} runs side by side</h3>", runs.len());
    html.push_str("<p class=\"sub\">Mean and standard deviation over the runs.</p><div class=\"table\"><table><thead><tr>");
    for (name, _) in COLUMNS {
        let _ = write!(html, "<th scope=\"col\">{name}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    for row in comparison(runs) {
        html.push_str("<tr>");
        for cell in row {
            let _ = write!(html, "<td>{}</td>", Html(cell));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    let faulty: Vec<&str> =
        runs.iter().filter(|run| !run.verdict.is_sound()).map(|run| run.name.as_str()).collect();
    if faulty.is_empty() {
        html.push_str("<p class=\"sub\">The logs of all runs are sound.</p>");
    } else {
        let _ = write!(html, "<p class=\"sub\">Faults were found in {}.</p>", Html(faulty.join(", ")));
    }
    if runs.len() > MOST_RUNS {
        let _ = write!(html, "<p class=\"sub\">The first {MOST_RUNS} runs have pictures below.</p>");
    }
    html.push_str("</section>");
}

/// The rows of the comparison: the machine, and of each column the mean and the standard deviation.
pub(super) fn comparison(runs: &[RunView]) -> Vec<Vec<String>> {
    let most = runs.iter().map(|run| run.gathered.machines.len()).max().unwrap_or(0).min(100);
    let mut rows = Vec::with_capacity(most);
    for index in 0..most {
        let machines: Vec<_> = runs
            .iter()
            .filter_map(|run| Some((run.gathered.machines.get(index)?, run.gathered.largest())))
            .collect();
        let mut row = Vec::with_capacity(COLUMNS.len());
        for (column, (_, value)) in COLUMNS.iter().enumerate() {
            let texts: Vec<String> =
                machines.iter().map(|(machine, largest)| value(machine, *largest)).collect();
            row.push(if column == 0 { texts.first().cloned().unwrap_or_default() } else { spread(&texts) });
        }
        rows.push(row);
    }
    rows
}

/// `mean ±deviation` of numbers as they are shown.
fn spread(texts: &[String]) -> String {
    let parse = |text: &String| text.replace('−', "-").replace('\u{202f}', "").parse::<f64>().ok();
    let values: Vec<f64> = texts.iter().filter_map(parse).collect();
    if values.is_empty() {
        return "–".to_owned();
    }
    let count = super::gather::as_f64(values.len() as u64);
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = if values.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
    let digits = if mean.abs() < 10.0 { 2 } else { 1 };
    format!("{mean:.digits$} ±{deviation:.digits$}").replace('-', "−")
}
