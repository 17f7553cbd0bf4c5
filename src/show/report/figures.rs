//! The numbers of one run or several in tables: what was measured, and beside it what theory expects.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::RunView;
use super::drawing::number;
use super::escape::Html;
use super::gather::as_f64;
use crate::after::stats::{MEASURES, TOTALS};
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::time::Rate;

/// The most machines that have a row each.
const MOST_ROWS: usize = 100;
/// How many of more machines have one.
const FIRST_ROWS: usize = 20;

/// How a number is shown: times what, with how many digits, and what stands behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FigureForm(f64, usize, &'static str);

const COUNT: FigureForm = FigureForm(1.0, 0, "");
const MEAN: FigureForm = FigureForm(1.0, 2, "");
const MILLIS: FigureForm = FigureForm(1.0, 1, " ms");
const PERCENT: FigureForm = FigureForm(100.0, 1, " %");
const BYTES: FigureForm = FigureForm(1.0, 1, "");

/// A column of a table of machines: its heading, what it means, its form, and its values.
pub(super) struct FigureColumn {
    pub(super) heading: &'static str,
    meaning: &'static str,
    form: FigureForm,
    value: fn(&RunView, VmId) -> Option<f64>,
}

macro_rules! measured {
    ($heading:literal, $measure:literal, $form:expr) => {
        FigureColumn {
            heading: $heading,
            meaning: $measure,
            form: $form,
            value: |run, vm| run.stats.of(vm, $measure),
        }
    };
}

/// The machines, as in the summary that a run prints.
pub(super) const MACHINES: &[FigureColumn] = &[
    measured!("rate/s", "rate", COUNT),
    measured!("events", "events", COUNT),
    measured!("internal", "events_internal", COUNT),
    measured!("send", "events_send", COUNT),
    measured!("receive", "events_receive", COUNT),
    measured!("clock", "clock", COUNT),
    measured!("drift", "clock_drift", COUNT),
    measured!("jump\nmean", "jump_mean", MEAN),
    measured!("jump\nmax", "jump_max", COUNT),
    measured!("queue\nmean", "queue_mean", MEAN),
    measured!("queue\nmax", "queue_max", COUNT),
    measured!("queue\nlast", "queue_last", COUNT),
];

/// Theory beside what was measured.
const THEORY: &[FigureColumn] = &[
    measured!("rate/s", "rate", COUNT),
    measured!("arrivals/s\nexpected", "arrivals_expected", MEAN),
    measured!("arrivals/s\nmeasured", "arrivals_per_s", MEAN),
    FigureColumn {
        heading: "final clock\nexpected",
        meaning: "the largest clock, of a saturated machine times r/λ",
        form: COUNT,
        value: |run, vm| run.expected_share(vm).map(|share| share * run.largest()),
    },
    measured!("final clock\nmeasured", "clock", COUNT),
    measured!("queue/min\nexpected", "queue_expected", MEAN),
    measured!("queue/min\nmeasured", "queue_per_minute", MEAN),
];

/// What is told of a whole run: a label, the measure, and its form.
type Figure = (&'static str, &'static str, FigureForm);

/// The figures of a whole run, in groups.
const WHOLE: &[(&str, &[Figure])] = &[
    (
        "Messages",
        &[
            ("sent", "messages_sent", COUNT),
            ("received", "messages_received", COUNT),
            ("lost by the network", "messages_lost", COUNT),
            ("delivered twice", "messages_twice", COUNT),
        ],
    ),
    (
        "Order of events",
        &[
            ("concurrent, of all pairs", "concurrent_share", PERCENT),
            ("falsely ordered, of these", "false_order_share", PERCENT),
            ("median of jumps", "jump_p50", COUNT),
            ("99 of 100 jumps up to", "jump_p99", COUNT),
        ],
    ),
    (
        "From send to receive",
        &[
            ("median", "latency_p50_ms", MILLIS),
            ("99 of 100 up to", "latency_p99_ms", MILLIS),
            ("in the queue, median", "waiting_p50_ms", MILLIS),
            ("99 of 100 up to", "waiting_p99_ms", MILLIS),
        ],
    ),
    ("Bytes a stamp costs", &[("lamport, seven bits a byte", "lamport_stamp_bytes", BYTES)]),
    (
        "Events later than due",
        &[("median", "late_p50_ms", MILLIS), ("99 of 100 up to", "late_p99_ms", MILLIS)],
    ),
];

impl RunView {
    /// The largest final Lamport clock.
    pub(super) fn largest(&self) -> f64 {
        self.gathered.machines.iter().map(|machine| as_f64(machine.lamport)).fold(0.0, f64::max)
    }

    /// Which share of the largest clock the flow model expects of a machine's.
    pub(super) fn expected_share(&self, vm: VmId) -> Option<f64> {
        let flow = self.stats.flow.as_ref()?;
        let is_sent_any = flow.arrivals(vm)? > 0.0;
        flow.saturated_clock(vm, 1.0).or_else(|| is_sent_any.then_some(1.0))
    }

    /// Why the flow model says nothing of the run.
    fn why_no_theory(&self) -> &'static str {
        match self.model.scenario() {
            None => "there is no manifest, so the machines' rates are unknown",
            Some(scenario) if scenario.workload().algorithm().sends_to_each.is_none() => {
                "it is for the scale model alone, where sends go to all others alike"
            }
            Some(scenario) if !scenario.settings().partition.is_empty() => {
                "it is not for a network that was partitioned"
            }
            Some(scenario) if !scenario.settings().crash.is_empty() => {
                "it is not for machines that are down for a while"
            }
            Some(_) => "with such a die and so few machines the flow does not settle",
        }
    }
}

/// All machines of some runs.
fn machines(runs: &[&RunView]) -> Vec<VmId> {
    let all = runs.iter().flat_map(|run| run.gathered.machines.iter().map(|machine| machine.vm));
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A value; of several their mean, and their standard deviation where they differ.
pub(super) fn spread(values: &[f64], form: FigureForm) -> String {
    let FigureForm(factor, digits, unit) = form;
    let count = as_f64(values.len() as u64);
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    match values {
        [] => "–".to_owned(),
        [value, rest @ ..] if rest.iter().all(|other| other.to_bits() == value.to_bits()) => {
            digits_of(factor * value, digits) + unit
        }
        _ => {
            let deviation = (squares / (count - 1.0)).sqrt();
            let text = |value: f64| digits_of(factor * value, digits.max(1));
            format!("{} ±{}{unit}", text(mean), text(deviation))
        }
    }
}

/// A number with so many digits behind the point, zeros among them; a large one has none.
fn digits_of(value: f64, digits: usize) -> String {
    let power = 10_f64.powi(i32::try_from(digits).unwrap_or(0));
    if digits == 0 || value.abs() >= 10_000.0 {
        return number(value.round());
    }
    // Adding nothing turns a zero with a sign into one without.
    format!("{:.digits$}", (value * power).round() / power + 0.0).replace('-', "−")
}

/// The rows of a table of machines, each with its number first: as many as are shown.
pub(super) fn rows(runs: &[&RunView], columns: &[FigureColumn]) -> Vec<Vec<String>> {
    let machines = machines(runs);
    let shown = if machines.len() <= MOST_ROWS { machines.len() } else { FIRST_ROWS };
    let row = |vm: &VmId| {
        let cells = columns.iter().map(|column| {
            let values: Vec<f64> = runs.iter().filter_map(|run| (column.value)(run, *vm)).collect();
            spread(&values, column.form)
        });
        std::iter::once(vm.to_string()).chain(cells).collect()
    };
    machines[..shown].iter().map(row).collect()
}

/// A table of machines as HTML.
fn push_table(html: &mut String, runs: &[&RunView], columns: &[FigureColumn]) {
    let meaning = |name: &'static str| {
        MEASURES.iter().find(|measure| measure.name == name).map_or(name, |measure| measure.meaning)
    };
    let heads: Vec<(&str, &str)> = std::iter::once(("machine", ""))
        .chain(columns.iter().map(|column| (column.heading, meaning(column.meaning))))
        .collect();
    let rows = rows(runs, columns);
    push_rows(html, &heads, &rows);
    let all = machines(runs).len();
    if rows.len() < all {
        let _ = write!(
            html,
            "<p class=\"sub\">The first {} of {} machines; {} has all.</p>",
            rows.len(),
            number(as_f64(all as u64)),
            runs.first()
                .map_or_else(Default::default, |run| (run.spelled)("clocklab stats setting `format = csv`"))
        );
    }
}

/// A table as HTML: headings with their meanings, and rows.
pub(super) fn push_rows(html: &mut String, heads: &[(&str, &str)], rows: &[Vec<String>]) {
    html.push_str("<div class=\"table\" tabindex=\"0\"><table><thead><tr>");
    for (heading, meaning) in heads {
        let heading = Html(heading).to_string().replace('\n', "<br>");
        let _ = write!(html, "<th scope=\"col\" title=\"{}\">{heading}</th>", Html(meaning));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        row.iter().for_each(|cell| html.push_str(&format!("<td>{}</td>", Html(cell))));
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
}

pub(super) fn push_machines(html: &mut String, runs: &[&RunView]) {
    html.push_str("<section><h3>Machines</h3>");
    push_table(html, runs, MACHINES);
    html.push_str("</section>");
}

/// The rates of a run's machines, as people write them; of many, how far they reach.
fn rates(run: &RunView) -> String {
    /// The most that are told one by one.
    const FEW: usize = 8;
    let rates: Vec<Rate> = run.gathered.machines.iter().filter_map(|machine| machine.rate).collect();
    if rates.len() <= FEW {
        return rates.iter().map(Rate::to_string).collect::<Vec<_>>().join(", ");
    }
    let ends = rates.iter().min().zip(rates.iter().max());
    ends.map_or_else(String::new, |(least, most)| format!("{least} to {most}"))
}

/// The runs side by side, a row each.
pub(super) fn push_runs(html: &mut String, runs: &[&RunView]) {
    type Cell = fn(&RunView) -> String;
    fn total(run: &RunView, name: &str, form: FigureForm) -> String {
        spread(run.stats.total(name).as_slice(), form)
    }
    fn worst(run: &RunView, name: &str, pick: fn(f64, f64) -> f64) -> String {
        let values = run.stats.machines.iter().filter_map(|(vm, _)| run.stats.of(*vm, name));
        spread(values.reduce(pick).as_slice(), COUNT)
    }
    let columns: [(&str, &str, Cell); 12] = [
        ("run", "", |run| run.name.clone()),
        ("seed", "", |run| run.seed().map_or_else(|| "–".to_owned(), |seed| seed.to_string())),
        ("rates/s", "ticks a second of its machines, by their numbers", rates),
        ("log", "what clocklab check says", |run| {
            let part = if run.verdict.is_part() { "a part: " } else { "" };
            match run.verdict.faults.count() {
                0 => format!("{part}sound"),
                count => format!("{part}{count} faults"),
            }
        }),
        ("events", "", |run| total(run, "events", COUNT)),
        ("messages\nsent", "", |run| total(run, "messages_sent", COUNT)),
        ("messages\nreceived", "", |run| total(run, "messages_received", COUNT)),
        ("largest\nclock", "", |run| worst(run, "clock", f64::max)),
        ("largest\ndrift", "", |run| worst(run, "clock_drift", f64::min)),
        ("largest\njump", "", |run| total(run, "jump_max", COUNT)),
        ("longest\nqueue", "", |run| worst(run, "queue_max", f64::max)),
        ("concurrent\npairs", "", |run| total(run, "concurrent_share", PERCENT)),
    ];
    let heads = columns.map(|(heading, meaning, _)| (heading, meaning));
    let row = |run: &&RunView| columns.iter().map(|(.., cell)| cell(run)).collect();
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    html.push_str("<section><h3>Runs side by side</h3>");
    push_rows(html, &heads, &rows);
    html.push_str("</section>");
}

/// What is told of whole runs.
pub(super) fn push_whole(html: &mut String, runs: &[&RunView]) {
    html.push_str("<section><h3>In numbers</h3><div class=\"numbers\">");
    for (title, figures) in WHOLE {
        let all = figures.iter().map(|(label, name, form)| {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.stats.total(name)).collect();
            (label, name, values, *form)
        });
        let known: Vec<_> = all.filter(|(.., values, _)| !values.is_empty()).collect();
        if known.is_empty() {
            continue;
        }
        let _ = write!(html, "<div><h4>{title}</h4><dl>");
        for (label, name, values, form) in known {
            let meaning = TOTALS.iter().find(|total| total.name == *name).map_or("", |total| total.meaning);
            let value = spread(&values, form);
            let _ = write!(
                html,
                "<div title=\"{}\"><dt>{}</dt><dd>{value}</dd></div>",
                Html(meaning),
                Html(label)
            );
        }
        html.push_str("</dl></div>");
    }
    push_clocks(html, runs);
    html.push_str("</div></section>");
}

/// What the clocks beside Lamport's cost, and which concurrent events they order.
fn push_clocks(html: &mut String, runs: &[&RunView]) {
    let Some(first) = runs.first() else { return };
    let known: Vec<_> = first.stats.clocks.iter().filter(|clock| clock.value.is_some()).collect();
    if known.is_empty() {
        return;
    }
    html.push_str("<div><h4>Other clocks</h4><dl>");
    for clock in known {
        let values: Vec<f64> = runs.iter().filter_map(|run| run.stats.total(&clock.name)).collect();
        let form = if clock.name.ends_with("share") { PERCENT } else { BYTES };
        let _ = write!(
            html,
            "<div title=\"{}\"><dt>{}</dt><dd>{}</dd></div>",
            Html(clock.meaning),
            Html(&clock.name.replace('_', " ")),
            spread(&values, form)
        );
    }
    html.push_str("</dl></div>");
}

/// What the flow model expects beside what was measured, or why it expects nothing.
pub(super) fn push_theory(html: &mut String, runs: &[&RunView]) {
    html.push_str("<section><h3>Theory and measurement</h3>");
    let known: Vec<&RunView> = runs.iter().copied().filter(|run| run.stats.flow.is_some()).collect();
    if known.is_empty() {
        let why = runs.first().map_or("", |run| run.why_no_theory());
        let _ = write!(html, "<p class=\"sub\">The flow model says nothing here: {why}.</p></section>");
        return;
    }
    let _ = write!(
        html,
        "<p class=\"sub\">The flow model: of r ticks a second messages take min(λ, r), and the die, which sends \
         messages on, has the others. A machine that is sent more than it ticks (λ &gt; r) has a queue that grows by \
         λ − r, and a clock that falls behind as r/λ of the largest; all others keep up with it. It holds over long \
         times.{}</p>",
        if known.iter().any(|run| run.model.scenario().is_some_and(is_short)) {
            " This run is short: expect a rough likeness."
        } else {
            ""
        }
    );
    push_table(html, &known, THEORY);
    html.push_str("</section>");
}

/// Whether chance weighs more than what holds in the long run.
fn is_short(scenario: &Scenario) -> bool {
    scenario.duration().as_secs_f64() < 30.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_digits_and_several_their_spread() {
        assert_eq!(spread(&[], COUNT), "–");
        assert_eq!(spread(&[-12.0], COUNT), "−12");
        assert_eq!(spread(&[0.5], MEAN), "0.50");
        assert_eq!(spread(&[0.137], PERCENT), "13.7 %");
        assert_eq!(spread(&[1.0, 3.0], COUNT), "2.0 ±1.4");
        assert_eq!((spread(&[6.0, 6.0], COUNT), spread(&[-0.001], MEAN)), ("6".into(), "0.00".into()));
        assert_eq!(spread(&[12_345.6], MEAN), "12\u{202f}346");
    }

    #[test]
    fn every_figure_is_a_measure_that_there_is() {
        let totals = WHOLE.iter().flat_map(|(_, figures)| figures.iter().map(|(_, name, _)| *name));
        assert!(totals.into_iter().all(|name| TOTALS.iter().any(|total| total.name == name)));
        for column in MACHINES.iter().chain(THEORY).filter(|column| !column.meaning.contains(' ')) {
            assert!(MEASURES.iter().any(|measure| measure.name == column.meaning), "{}", column.heading);
        }
    }
}
