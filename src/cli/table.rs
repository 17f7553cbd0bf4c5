//! The summary of a run, as it is printed: a table with a row a machine, and what was written.

use std::fmt;
use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};

use crate::edge::driver::Ending;
use crate::edge::log::Traffic;
use crate::model::scenario::Scenario;
use crate::model::tally::Account;
use crate::model::text::grouped;
use crate::runs::run::Finished;
use crate::runs::series::FinishedSeries;

/// The most machines that have a row each.
const MOST_ROWS: usize = 100;
/// How many of more machines have one.
const FIRST_ROWS: usize = 20;
/// The most files that are named one by one.
const MOST_FILES: usize = 12;

const HEADER: [&str; 13] = [
    "vm",
    "rate/s",
    "events",
    "internal",
    "send",
    "receive",
    "clock",
    "drift",
    "jump\nmean",
    "jump\nmax",
    "queue\nmean",
    "queue\nmax",
    "queue\nlast",
];

/// What is printed of a run that is over.
#[derive(Debug)]
pub(super) struct Summary<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) finished: &'a Finished,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, finished } = self;
        let ended = ended(&finished.ending);
        let (here, all) = (finished.accounts.len() as u64, u64::from(scenario.vms()));
        let vms = match all {
            1 => "1 machine".to_owned(),
            _ if 0 < here && here < all => format!("{} of {} machines", grouped(here), grouped(all)),
            _ => format!("{} machines", grouped(all)),
        };
        if let Some((node, nodes)) = finished.node {
            write!(f, "node {node} of {nodes}: ")?;
        }
        writeln!(f, "{vms}, {:.1} s, seed {}: {ended}\n", finished.elapsed.as_secs_f64(), scenario.seed().0)?;
        writeln!(f, "{}", machines(&finished.accounts, finished.lamport))?;
        let hidden = finished.accounts.len() - shown(&finished.accounts).len();
        if hidden > 0 {
            writeln!(f, "and {} more machines, all in the summary", grouped(hidden as u64))?;
        }
        writeln!(f, "\n{}", messages(&finished.accounts))?;
        if let Some(late) = &finished.lateness {
            let (p50, p99, max) = (late.p50_ms, late.p99_ms, late.max_ms);
            writeln!(f, "lateness of ticks: median {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")?;
        }
        if let Some(links) = &finished.links {
            writeln!(f, "{}", between_processes(&links.traffic))?;
        }
        write_paths(f, &finished.files)
    }
}

const fn ended(ending: &Ending) -> &'static str {
    match ending {
        Ending::Complete => "complete",
        Ending::Interrupted => "interrupted",
        Ending::Failed(_) => "failed",
    }
}

fn shown(accounts: &[Account]) -> &[Account] {
    if accounts.len() > MOST_ROWS { &accounts[..FIRST_ROWS] } else { accounts }
}

fn empty_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(HEADER);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_padding((2, 0));
    }
    table
}

fn machines(accounts: &[Account], lamport: u64) -> Table {
    let mut table = empty_table();
    for account in shown(accounts) {
        let tally = &account.tally;
        table.add_row([
            account.vm.to_string(),
            account.rate.to_string(),
            tally.events.to_string(),
            tally.internal().to_string(),
            tally.sends.to_string(),
            tally.receives.to_string(),
            account.lamport.to_string(),
            account.drift(lamport).to_string(),
            format!("{:.2}", account.mean_jump()),
            tally.largest_jump.to_string(),
            format!("{:.2}", tally.mean_queue()),
            tally.longest_queue.to_string(),
            tally.queue.to_string(),
        ]);
    }
    table
}

/// What is printed of a series that is over.
#[derive(Debug)]
pub(super) struct SeriesSummary<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) series: &'a FinishedSeries,
}

impl fmt::Display for SeriesSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, series } = self;
        let (runs, vms) = (series.runs.len(), scenario.vms() as usize);
        let (seed, ended) = (scenario.seed().0, ended(&series.ending));
        writeln!(
            f,
            "{} runs of {} machines, seed {seed}: {ended}\n",
            grouped(runs as u64),
            grouped(vms as u64)
        )?;
        writeln!(f, "mean and standard deviation over the runs\n")?;
        let mut table = empty_table();
        let shown = if vms > MOST_ROWS { FIRST_ROWS } else { vms };
        for vm in 0..shown {
            let accounts =
                series.runs.iter().filter_map(|(.., run)| Some((run.accounts.get(vm)?, run.lamport)));
            let measures: Vec<[f64; 12]> =
                accounts.map(|(account, largest)| measures(account, largest)).collect();
            let cells = (0..12).map(|column| spread(measures.iter().map(|row| row[column])));
            table.add_row(std::iter::once(vm.to_string()).chain(cells));
        }
        writeln!(f, "{table}")?;
        if shown < vms {
            writeln!(f, "and {} more machines, all in the table of runs", grouped((vms - shown) as u64))?;
        }
        writeln!(f)?;
        let folders = series.runs.iter().filter_map(|(.., run)| run.files.last().cloned());
        write_paths(f, &folders.chain(series.files.iter().cloned()).collect::<Vec<_>>())
    }
}

/// The columns of the table after the machine's number.
#[expect(clippy::cast_precision_loss, reason = "means for people to read")]
fn measures(account: &Account, largest_lamport: u64) -> [f64; 12] {
    let tally = &account.tally;
    [
        account.rate.as_f64(),
        tally.events as f64,
        tally.internal() as f64,
        tally.sends as f64,
        tally.receives as f64,
        account.lamport as f64,
        account.drift(largest_lamport) as f64,
        account.mean_jump(),
        tally.largest_jump as f64,
        tally.mean_queue(),
        tally.longest_queue as f64,
        tally.queue as f64,
    ]
}

/// The mean and the standard deviation of a sample, as `mean ±deviation`.
#[expect(clippy::cast_precision_loss, reason = "a number of runs")]
fn spread(values: impl Iterator<Item = f64> + Clone) -> String {
    let count = values.clone().count() as f64;
    if count < 1.0 {
        return String::new();
    }
    let mean = values.clone().sum::<f64>() / count;
    let squares = values.map(|value| (value - mean).powi(2)).sum::<f64>();
    let deviation = if count > 1.0 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
    // Rates of less than one a second would be nothing.
    let decimals = if 0.0 < mean && mean < 1.0 { 3 } else { 1 };
    format!("{mean:.decimals$} ±{deviation:.decimals$}")
}

fn messages(accounts: &[Account]) -> String {
    let sum = |part: fn(&Account) -> u64| grouped(accounts.iter().map(part).sum());
    let crashed = match accounts.iter().map(|account| account.crashed).sum() {
        0 => String::new(),
        crashed => format!(", {} crashed", grouped(crashed)),
    };
    format!(
        "messages: {} sent, {} received, {} waiting, {} in flight, {} lost, {} duplicated{crashed}",
        sum(|account| account.tally.sent),
        sum(|account| account.tally.receives),
        sum(|account| account.waiting),
        sum(|account| account.in_flight),
        sum(|account| account.lost),
        sum(|account| account.duplicated),
    )
}

/// What went wrong without ending the run.
pub(super) fn warnings(finished: &Finished) -> Vec<String> {
    let mut warnings = finished.warnings.clone();
    let Some(links) = &finished.links else { return warnings };
    let sum = |part: fn(&Account) -> u64| finished.accounts.iter().map(part).sum::<u64>();
    if links.traffic.dropped > 0 {
        let dropped = grouped(links.traffic.dropped);
        warnings.push(format!(
            "{dropped} messages were not sent, since the process that they were for was away or kept too many"
        ));
    }
    // A message of its own or of others that a machine had not received when its process died is nowhere.
    let left = sum(|account| account.tally.sent + account.duplicated);
    let found = sum(|account| {
        account.tally.receives + account.waiting + account.in_flight + account.lost + account.crashed
    });
    let missing = left.saturating_sub(found + links.traffic.dropped + links.traffic.lost);
    if finished.is_whole && missing > 0 {
        warnings
            .push(format!("{} messages were lost with the inboxes of processes that died", grouped(missing)));
    }
    warnings
}

/// What left for other processes. What arrived from them is what they sent.
fn between_processes(traffic: &Traffic) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
    let each = traffic.bytes_sent as f64 / traffic.messages_sent.max(1) as f64;
    format!(
        "between processes: {} messages sent in {} frames and {} bytes ({each:.1} a message); {} sent again, {} lost, {} dropped",
        grouped(traffic.messages_sent),
        grouped(traffic.frames_sent),
        grouped(traffic.bytes_sent),
        grouped(traffic.resent),
        grouped(traffic.lost),
        grouped(traffic.dropped),
    )
}

fn write_paths(f: &mut fmt::Formatter<'_>, paths: &[PathBuf]) -> fmt::Result {
    let hidden = if paths.len() > MOST_FILES { paths.len() - MOST_FILES } else { 0 };
    let (first, last) = paths.split_at(if hidden > 0 { 2 } else { paths.len() });
    writeln!(f, "written:")?;
    first.iter().try_for_each(|path| writeln!(f, "  {}", path.display()))?;
    if hidden > 0 {
        let named = last.len() - 3;
        writeln!(f, "  … and {} more like them", grouped(named as u64))?;
        last[named..].iter().try_for_each(|path| writeln!(f, "  {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        let check = |number, text| assert_eq!(grouped(number), text);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(21_000_000, "21,000,000");
    }
}
