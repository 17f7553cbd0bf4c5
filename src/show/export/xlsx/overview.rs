//! The sheets before those of the machines: what stats measures, and clocks, drift and queues over time with their charts.

use rust_xlsxwriter::{
    Chart, ChartAxisLabelPosition, ChartLegendPosition, ChartLine, ChartMarker, Worksheet, XlsxError,
};

use super::course::Table;
use super::sheet::{Styles, exact, head, place, set_width};
use crate::after::stats::{MEASURES, Stats, TOTALS};
use crate::edge::log::Column;

/// The names of these sheets, in their order.
pub(super) const SHEETS: [&str; 3] = ["summary", "charts", OVER_TIME];
const OVER_TIME: &str = "over time";

/// The most machines that have a line in a chart.
pub(super) const MOST_LINES: usize = 24;

/// The measures: a row a machine, and below them those of the whole run with what they mean.
pub(super) fn summary(
    sheet: &mut Worksheet,
    stats: &Stats,
    notes: &[String],
    is_part: bool,
    styles: &Styles,
) -> Result<(), XlsxError> {
    let [name, ..] = SHEETS;
    sheet.set_name(name)?.set_freeze_panes(1, 1)?;
    let names = || std::iter::once("vm").chain(MEASURES.iter().map(|measure| measure.name));
    head(sheet, names(), styles)?;
    for (column, name) in (0..).zip(names()) {
        set_width(sheet, column, name.len().max(if column == 0 { 24 } else { 10 }))?;
    }
    let mut row = 1;
    for (vm, values) in &stats.machines {
        sheet.write_number(row, 0, vm.0)?;
        for (column, value) in (1..).zip(values) {
            value.map(|value| sheet.write_number(row, column, value)).transpose()?;
        }
        row += 1;
    }
    row += 1;
    let whole = if is_part { "the whole run, of which this is a part" } else { "the whole run" };
    sheet.write_string_with_format(row, 0, whole, &styles.head)?;
    for (total, value) in TOTALS.iter().zip(&stats.totals) {
        let Some(value) = value else { continue };
        row += 1;
        sheet.write_string(row, 0, total.name)?.write_number(row, 1, *value)?;
        sheet.write_string(row, 2, total.meaning)?;
    }
    for clock in &stats.clocks {
        let Some(value) = clock.value else { continue };
        row += 1;
        sheet.write_string(row, 0, &clock.name)?.write_number(row, 1, value)?;
        sheet.write_string(row, 2, clock.meaning)?;
    }
    row += 1;
    for note in notes.iter().chain(&stats.warnings) {
        row += 1;
        sheet.write_string(row, 0, note)?;
    }
    row += 2;
    sheet.write_string_with_format(row, 0, "what the columns mean", &styles.head)?;
    for measure in MEASURES {
        row += 1;
        sheet.write_string(row, 0, measure.name)?.write_string(row, 2, measure.meaning)?;
    }
    sheet.set_landscape();
    Ok(())
}

/// Clocks, drift and queues at equal times, a column a machine, and a chart of each.
pub(super) fn courses(
    sheet: &mut Worksheet,
    charts: &mut Worksheet,
    table: &Table,
    styles: &Styles,
) -> Result<(), XlsxError> {
    let [_, name, over_time] = SHEETS;
    charts.set_name(name)?.set_print_fit_to_pages(1, 0);
    sheet.set_name(over_time)?.set_freeze_panes(1, 1)?;
    let lines = table.machines.len().min(MOST_LINES);
    let machines = &table.machines[..lines];
    let of_kind = |kind| machines.iter().map(move |vm| format!("{kind} vm{vm}"));
    let names: Vec<String> = ["clock", "drift", "queue"].into_iter().flat_map(of_kind).collect();
    let elapsed = Column::Elapsed.name();
    let names = || std::iter::once(&*elapsed).chain(names.iter().map(String::as_str));
    head(sheet, names(), styles)?;
    for (column, name) in (0..).zip(names()) {
        set_width(sheet, column, name.len().max(10))?;
    }
    for (row, (at, points)) in (1..).zip(&table.rows) {
        sheet.write_number(row, 0, *at)?;
        for (line, point) in points[..lines].iter().enumerate() {
            let Some(point) = point else { continue };
            let drift = -exact(point.behind);
            for (kind, value) in [exact(point.clock), drift, f64::from(point.queue)].into_iter().enumerate() {
                sheet.write_number(row, place(1 + kind * lines + line), value)?;
            }
        }
    }
    sheet.set_landscape().set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
    let last = u32::try_from(table.rows.len()).unwrap_or(u32::MAX);
    let end = table.rows.last().map_or(1.0, |(at, _)| *at);
    let titles = [
        ("Lamport clocks", "Lamport clock"),
        ("Drift from the largest Lamport clock", "drift"),
        ("Queues: messages that wait", "messages"),
    ];
    for (kind, (title, unit)) in titles.into_iter().enumerate() {
        let first = 1 + kind * lines;
        let names = machines.iter().map(|vm| format!("vm{vm}"));
        let chart = chart((title, unit), names.zip(first..first + lines), (last, end));
        charts.insert_chart(u32::from(place(kind)) * 21, 0, &chart)?;
    }
    Ok(())
}

/// A line a machine, over time.
fn chart(
    (title, unit): (&str, &str),
    lines: impl Iterator<Item = (String, usize)>,
    (last, end): (u32, f64),
) -> Chart {
    let mut chart = Chart::new_scatter();
    for (name, column) in lines {
        let column = place(column);
        let series = chart.add_series();
        series.set_name(name.as_str());
        series.set_categories((OVER_TIME, 1, 0, last, 0));
        series.set_values((OVER_TIME, 1, column, last, column));
        series.set_marker(ChartMarker::new().set_none());
        series.set_format(ChartLine::new().set_width(1.5));
    }
    chart.title().set_name(title);
    chart.x_axis().set_name("seconds").set_min(0).set_max(end);
    // Below the picture where drift is below 0.
    chart.x_axis().set_label_position(ChartAxisLabelPosition::Low);
    chart.y_axis().set_name(unit).set_major_gridlines_line(ChartLine::new().set_color("#D9D9D9"));
    chart.legend().set_position(ChartLegendPosition::Right);
    chart.set_width(820).set_height(400);
    chart
}
