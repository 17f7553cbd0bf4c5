//! `summary.csv`: one row a machine.

use std::path::PathBuf;

use super::cell::guarded;
use super::clock_cells::{self, clock_cells};
use super::file::NewFile;
use super::{FileEntry, LogError};
use crate::clock::{ClockList, ClockSpec};
use crate::model::seed::Seed;
use crate::model::tally::{Account, Lateness, largest_lamport};

/// The columns of a summary before those of the clocks beside Lamport's.
const BEFORE_CLOCKS: [&str; 13] = [
    "vm",
    "rate",
    "events",
    "internal",
    "send",
    "receive",
    "messages_sent",
    "messages_received",
    "messages_lost",
    "messages_duplicated",
    "waiting",
    "in_flight",
    "lamport",
];

/// The columns behind those of the standard clocks; the other clocks' stand behind these.
const AFTER_CLOCKS: [&str; 9] = [
    "drift",
    "jump_mean",
    "jump_max",
    "queue_mean",
    "queue_max",
    "queue_last",
    "lateness_mean_ms",
    "lateness_max_ms",
    CRASHED,
];

/// Messages that machines lost that were down. Summaries of earlier versions do not have the column.
pub(super) const CRASHED: &str = "crashed";

/// The columns of the summary of a run that keeps those clocks.
pub(super) fn columns(clocks: &ClockList) -> Vec<String> {
    let of_clocks = |are_standard: bool| {
        let all: Vec<ClockSpec> = clocks.in_a_log().to_vec();
        let chosen = all.into_iter().filter(move |spec| spec.is_standard == are_standard);
        chosen.flat_map(|spec| spec.columns().collect::<Vec<_>>())
    };
    let before = BEFORE_CLOCKS.map(str::to_owned).into_iter();
    before.chain(of_clocks(true)).chain(AFTER_CLOCKS.map(str::to_owned)).chain(of_clocks(false)).collect()
}

/// The clocks whose columns a summary with such a header has.
pub(super) fn clocks_of(header: &csv::ByteRecord) -> ClockList {
    clock_cells::clocks_of(&header.iter().collect::<Vec<_>>())
}

/// Writes the summary of a run's machines, or of those of one process. `lamport` is the largest final Lamport
/// clock of all, from which drift is measured.
///
/// # Errors
///
/// Where the file is there already or cannot be written.
pub fn write_summary(
    path: PathBuf,
    accounts: &[Account],
    clocks: &ClockList,
    lamport: u64,
) -> Result<FileEntry, LogError> {
    write(path, clocks, &[], accounts.iter().map(|account| row(account, clocks, lamport)))
}

/// Writes the summaries of several runs as one table, each row with its run and the run's seed in front.
///
/// # Errors
///
/// Where the file is there already or cannot be written.
pub fn write_runs<'a>(
    path: PathBuf,
    clocks: &ClockList,
    runs: impl IntoIterator<Item = (u32, Seed, &'a [Account])>,
) -> Result<FileEntry, LogError> {
    let rows = runs.into_iter().flat_map(|(run, Seed(seed), accounts)| {
        let largest = largest_lamport(accounts);
        // Spreadsheets keep fifteen digits of a number.
        let seed = guarded(&seed.to_string()).into_owned();
        accounts.iter().map(move |account| {
            let front = [run.to_string(), seed.clone()];
            front.into_iter().chain(row(account, clocks, largest)).collect()
        })
    });
    write(path, clocks, &["run", "seed"], rows)
}

/// Writes rows under the columns of a summary, with others in front of them.
fn write(
    path: PathBuf,
    clocks: &ClockList,
    front: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<FileEntry, LogError> {
    let file = NewFile::create(path.clone())?;
    let mut writer =
        csv::WriterBuilder::new().has_headers(false).buffer_capacity(64 * 1024).from_writer(file);
    let mut count = 0;
    let write_rows = || {
        let columns = columns(clocks);
        writer.write_record(front.iter().copied().chain(columns.iter().map(String::as_str)))?;
        for row in rows {
            writer.write_record(row)?;
            count += 1;
        }
        writer.flush()?;
        Ok(writer.get_ref().entry(count))
    };
    write_rows().map_err(|error: csv::Error| LogError::Write { path, rows: 0, source: error.into() })
}

/// A machine's row, in the order of the columns.
pub(super) fn row(account: &Account, clocks: &ClockList, largest_lamport: u64) -> Vec<String> {
    let tally = &account.tally;
    let late = |ms: &dyn Fn(&Lateness) -> f64| {
        account.lateness.as_ref().map(|lateness| format!("{:.6}", ms(lateness))).unwrap_or_default()
    };
    let values = account.clocks.ordered_as(&clocks.in_a_log());
    let of_clocks = |are_standard| {
        let cells = clock_cells(&values, are_standard);
        cells.map(|(_, cell)| cell.to_string()).collect::<Vec<_>>()
    };
    let mut cells = vec![account.vm.to_string(), account.rate.to_string()];
    let counts = [tally.events, tally.internal(), tally.sends, tally.receives];
    cells.extend(counts.map(|count| count.to_string()));
    let messages = [tally.sent, tally.receives, account.lost, account.duplicated];
    cells.extend(messages.map(|count| count.to_string()));
    cells.extend([account.waiting, account.in_flight, account.lamport].map(|count| count.to_string()));
    cells.extend(of_clocks(true));
    cells.push(account.drift(largest_lamport).to_string());
    cells.extend([format!("{:.6}", account.mean_jump()), tally.largest_jump.to_string()]);
    cells.extend([
        format!("{:.6}", tally.mean_queue()),
        tally.longest_queue.to_string(),
        tally.queue.to_string(),
    ]);
    cells.extend([late(&Lateness::mean_ms), late(&Lateness::max_ms), account.crashed.to_string()]);
    cells.extend(of_clocks(false));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Values;
    use crate::model::id::VmId;
    use crate::model::tally::Tally;
    use crate::model::time::{Nanos, Rate};

    #[test]
    fn a_row_a_machine_with_drift_against_the_largest_clock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.csv");
        let account = |vm, lamport| Account {
            vm: VmId(vm),
            rate: Rate::new(6).unwrap(),
            tally: Tally { events: 4, receives: 1, largest_jump: 2, queue_sum: 2, ..Tally::default() },
            lost: 0,
            duplicated: 0,
            lamport,
            clocks: Values::new(ClockList::standard(), vec![vec![4, 0], vec![7, 1]]),
            waiting: 1,
            in_flight: 0,
            crashed: 3 - u64::from(vm),
            lateness: (vm == 0).then(|| {
                let mut lateness = Lateness::default();
                lateness.add(Nanos::new(2_000_000));
                (1..4).for_each(|_| lateness.add(Nanos::ZERO));
                lateness
            }),
        };
        let entry =
            write_summary(path.clone(), &[account(0, 8), account(1, 6)], &ClockList::standard(), 8).unwrap();
        assert_eq!((entry.name.as_str(), entry.rows), ("summary.csv", 2));
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "vm,rate,events,internal,send,receive,messages_sent,messages_received,messages_lost,messages_duplicated,\
             waiting,in_flight,lamport,vector,hlc,hlc_count,drift,jump_mean,jump_max,queue_mean,queue_max,queue_last,\
             lateness_mean_ms,lateness_max_ms,crashed\n\
             0,6,4,3,0,1,0,1,0,0,1,0,8,\"[4,0]\",7,1,0,2.000000,2,0.500000,0,0,0.500000,2.000000,3\n\
             1,6,4,3,0,1,0,1,0,0,1,0,6,\"[4,0]\",7,1,-2,1.500000,2,0.500000,0,0,,,2\n"
        );
    }
}
