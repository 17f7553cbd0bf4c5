//! The page: one HTML file that needs nothing else, with the rows of a window in it.

mod script;

use std::fmt::Write;

use super::escape::{Html, json_text};
use super::{RunView, figures, plots, series};
use crate::edge::log::REPORT_MARK;
use crate::model::scenario::Settings;
use crate::model::time::{Nanos, TimeWindow};

const FRAME: &str = include_str!("page/frame.html");
const DIAGRAM: &str = include_str!("page/diagram.html");
const PLOT_STYLE: &str = include_str!("page/plot.css");
const STYLE: &str = include_str!("page/style.css");

/// The most runs of a series that have pictures; the table has all.
pub(crate) const MOST_RUNS: usize = 20;

/// The page of one run, or of several side by side; of a series with the settings that it was made with.
pub(crate) fn page(runs: &[RunView], settings: Option<&Settings>) -> String {
    let title = match runs {
        [run] => format!("{} – clocklab", run.headline()),
        runs => format!("{} runs – clocklab", runs.len()),
    };
    let shown = &runs[..runs.len().min(MOST_RUNS)];
    framed(&title, &|html| {
        if runs.len() > 1 {
            series::push_series(html, runs, settings);
            push_chooser(html, shown, runs.len());
        }
        shown.iter().for_each(|run| push_run(html, run));
    })
}

/// A page with that body.
pub(super) fn framed(title: &str, push_body: &dyn Fn(&mut String)) -> String {
    let mut html = String::new();
    // Each piece is put in once and not looked at again: text from logs cannot stand for a piece.
    for piece in FRAME.split("{{") {
        let Some((name, rest)) = piece.split_once("}}") else {
            html.push_str(piece);
            continue;
        };
        match name {
            "title" => html.push_str(&Html(title).to_string()),
            "style" => html.extend([PLOT_STYLE, STYLE]),
            "mark" => html.push_str(REPORT_MARK),
            "version" => html.push_str(env!("CARGO_PKG_VERSION")),
            "script" => script::push(&mut html),
            _ => push_body(&mut html),
        }
        html.push_str(rest);
    }
    html
}

pub(super) fn push_chooser(html: &mut String, shown: &[RunView], all: usize) {
    html.push_str("<div class=\"pick\"><h2>One run</h2><label class=\"chooser\">Which one <select>");
    for (index, run) in shown.iter().enumerate() {
        let _ = write!(html, "<option value=\"{index}\">{}</option>", Html(&run.name));
    }
    html.push_str("</select></label></div>");
    if shown.len() < all {
        let _ =
            write!(html, "<p class=\"sub\">The page has the events of the first {} runs.</p>", shown.len());
    }
}

pub(super) fn push_run(html: &mut String, run: &RunView) {
    let _ = write!(html, "<section class=\"run\">{}", run.head());
    figures::push_machines(html, &[run]);
    let (before, after) = DIAGRAM.split_once("{{left-out}}").unwrap_or((DIAGRAM, ""));
    html.push_str(before);
    for words in run.left_out() {
        let _ = write!(html, "<p class=\"sub left-out\">{}</p>", Html(words));
    }
    if run.gathered.machines.iter().any(|machine| !machine.down.is_empty()) {
        html.push_str("<p class=\"sub\">Where there is a bar on its line, the machine is down.</p>");
    }
    html.push_str(after);
    push_plots(html, &[run]);
    figures::push_theory(html, &[run]);
    figures::push_whole(html, &[run]);
    html.push_str("<script type=\"application/json\" class=\"data\">");
    push_data(html, run);
    html.push_str("</script></section>\n");
}

pub(super) fn push_plots(html: &mut String, runs: &[&RunView]) {
    html.push_str("<section><h3>Over time</h3><p class=\"sub\">Point at a picture for its values.</p><div class=\"plots\">");
    plots::of(runs).iter().for_each(|plot| html.push_str(&plot.part()));
    html.push_str("</div></section>");
}

fn push_data(html: &mut String, run: &RunView) {
    let gathered = &run.gathered;
    let (rows, lacks_vectors) = gathered.kept.json();
    let from = gathered.kept.from.as_secs_f64();
    let to = gathered.kept.to.min(gathered.end).as_secs_f64();
    let is_whole = gathered.kept.rows.len() as u64 == gathered.events();
    // What leads through events that are not here is not counted, whatever the page has of the others.
    let is_part = run.stats.is_part;
    // A beginning of the run on all machines holds all causes of its events.
    let has_all_lines =
        gathered.machines.iter().all(|machine| machine.vm.index() < super::excerpt::MOST_LINES);
    let has_causes = gathered.kept.from.get() == 0 && has_all_lines && run.model.is_one_clock();
    let rates = gathered.machines.iter().filter_map(|machine| Some((machine.vm, machine.rate?)));
    let rates: Vec<String> =
        rates.take(super::excerpt::MOST_LINES).map(|(vm, rate)| format!("\"{vm}\":{rate}")).collect();
    let outages =
        gathered.machines.iter().take(super::excerpt::MOST_LINES).filter(|own| !own.down.is_empty());
    let windows = |windows: &[TimeWindow]| {
        let seconds = |time: Nanos| time.as_secs_f64();
        let window = |one: &TimeWindow| format!("[{},{}]", seconds(one.start()), seconds(one.end()));
        windows.iter().map(window).collect::<Vec<_>>().join(",")
    };
    let down: Vec<String> =
        outages.map(|machine| format!("\"{}\":[{}]", machine.vm, windows(&machine.down))).collect();
    let _ = write!(
        html,
        "{{\"folder\":{},\"from\":{from},\"to\":{to},\"whole\":{},\"part\":{},\"causes\":{},\"no_vectors\":{lacks_vectors},\"rates\":{{{}}},\"down\":{{{}}},\"rows\":{rows}}}",
        json_text(&run.name),
        is_whole && !is_part,
        is_part,
        (is_whole || has_causes) && !is_part,
        rates.join(","),
        down.join(",")
    );
}
