//! The table that a sweep ends with: its conditions, and what they do to jumps, drift and queues.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use crate::after::effects::{EFFECTS, Effects, Estimate};

/// The most conditions that have a row each.
const MOST_ROWS: usize = 100;
/// How many of more conditions have one.
const FIRST_ROWS: usize = 20;

/// The effects of conditions as they are printed.
pub(in crate::cli) struct EffectsTable<'a>(pub(in crate::cli) &'a Effects);

impl fmt::Display for EffectsTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Effects { columns, conditions } = self.0;
        writeln!(
            f,
            "mean and 95 % interval over the runs; of each run of all its machines: the mean of mean jumps and queues, the"
        )?;
        writeln!(f, "largest jump and queue, and the drift furthest behind\n")?;
        let heads = columns.iter().cloned().chain(["runs".to_owned()]);
        let measures = EFFECTS.iter().map(|measure| measure.name.replace('_', "\n"));
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(heads.chain(measures).collect::<Vec<_>>());
        for (at, column) in table.column_iter_mut().enumerate() {
            let is_text = at < columns.len();
            column.set_cell_alignment(if is_text { CellAlignment::Left } else { CellAlignment::Right });
            column.set_padding((2, 0));
        }
        let shown = if conditions.len() > MOST_ROWS { &conditions[..FIRST_ROWS] } else { conditions };
        for condition in shown {
            let values = condition.whole.iter().map(interval);
            let cells = condition.cells.iter().cloned().chain([condition.runs.to_string()]);
            table.add_row(cells.chain(values).collect::<Vec<_>>());
        }
        writeln!(f, "{table}")?;
        if shown.len() < conditions.len() {
            writeln!(f, "and {} more conditions, all in the table", conditions.len() - shown.len())?;
        }
        if conditions.iter().all(|condition| condition.runs < 2) {
            writeln!(f, "\nintervals need several runs of each condition: --runs 5")?;
        }
        Ok(())
    }
}

/// A mean, with half of its interval where there is one.
fn interval(estimate: &Estimate) -> String {
    if estimate.count == 0 {
        return String::new();
    }
    let decimals = if estimate.mean.abs() < 100.0 { 2 } else { 1 };
    let half = estimate.half.map(|half| format!(" ±{half:.decimals$}")).unwrap_or_default();
    format!("{:.decimals$}{half}", estimate.mean)
}
