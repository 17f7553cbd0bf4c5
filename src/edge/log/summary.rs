//! `summary.csv`: one row a machine.

use std::path::PathBuf;

use serde::Serialize;

use super::cell::{guarded, json_list};
use super::file::NewFile;
use super::{FileEntry, LogError};
use crate::model::seed::Seed;
use crate::model::tally::{Account, Lateness, largest_lamport};

/// The columns of a summary.
pub(super) const COLUMNS: [&str; 24] = [
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
    "vector",
    "hlc",
    "hlc_count",
    "drift",
    "jump_mean",
    "jump_max",
    "queue_mean",
    "queue_max",
    "queue_last",
    "lateness_mean_ms",
    "lateness_max_ms",
];

/// Writes the summary of a run's machines, or of those of one process. `lamport` is the largest final Lamport
/// clock of all, from which drift is measured.
///
/// # Errors
///
/// Where the file is there already or cannot be written.
pub fn write_summary(path: PathBuf, accounts: &[Account], lamport: u64) -> Result<FileEntry, LogError> {
    write(path, &[], accounts.iter().map(|account| row(account, lamport)))
}

/// Writes the summaries of several runs as one table, each row with its run and the run's seed in front.
///
/// # Errors
///
/// Where the file is there already or cannot be written.
pub fn write_runs<'a>(
    path: PathBuf,
    runs: impl IntoIterator<Item = (u32, Seed, &'a [Account])>,
) -> Result<FileEntry, LogError> {
    let rows = runs.into_iter().flat_map(|(run, Seed(seed), accounts)| {
        let largest = largest_lamport(accounts);
        // Spreadsheets keep fifteen digits of a number.
        let seed = guarded(&seed.to_string()).into_owned();
        accounts.iter().map(move |account| (run, seed.clone(), row(account, largest)))
    });
    write(path, &["run", "seed"], rows)
}

/// Writes rows under the columns of a summary, with others in front of them.
fn write(
    path: PathBuf,
    front: &[&str],
    rows: impl Iterator<Item = impl Serialize>,
) -> Result<FileEntry, LogError> {
    let file = NewFile::create(path.clone())?;
    let mut writer =
        csv::WriterBuilder::new().has_headers(false).buffer_capacity(64 * 1024).from_writer(file);
    let mut count = 0;
    let write_rows = || {
        writer.write_record(front.iter().chain(&COLUMNS))?;
        for row in rows {
            writer.serialize(row)?;
            count += 1;
        }
        writer.flush()?;
        Ok(writer.get_ref().entry(count))
    };
    write_rows().map_err(|error: csv::Error| LogError::Write { path, rows: 0, source: error.into() })
}

/// A machine's row, in the order of the columns.
fn row(account: &Account, largest_lamport: u64) -> impl Serialize + use<> {
    let tally = &account.tally;
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let late = |ms: &dyn Fn(&Lateness) -> f64| {
        account.lateness.as_ref().map(|lateness| format!("{:.6}", ms(lateness))).unwrap_or_default()
    };
    (
        (account.vm.0, account.rate.to_string()),
        (tally.events, tally.internal(), tally.sends, tally.receives),
        (tally.sent, tally.receives, account.lost, account.duplicated),
        (account.waiting, account.in_flight),
        (account.lamport, json_list(&account.vector)),
        (number(account.hybrid.map(|hybrid| hybrid.l.get())), number(account.hybrid.map(|hybrid| hybrid.c))),
        account.drift(largest_lamport),
        (format!("{:.6}", account.mean_jump()), tally.largest_jump),
        (format!("{:.6}", tally.mean_queue()), tally.longest_queue, tally.queue),
        (late(&Lateness::mean_ms), late(&Lateness::max_ms)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HybridStamp;
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
            vector: Box::new([4, 0]),
            hybrid: Some(HybridStamp { l: Nanos::new(7), c: 1 }),
            waiting: 1,
            in_flight: 0,
            lateness: (vm == 0).then(|| {
                let mut lateness = Lateness::default();
                lateness.add(Nanos::new(2_000_000));
                (1..4).for_each(|_| lateness.add(Nanos::ZERO));
                lateness
            }),
        };
        let entry = write_summary(path.clone(), &[account(0, 8), account(1, 6)], 8).unwrap();
        assert_eq!((entry.name.as_str(), entry.rows), ("summary.csv", 2));
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "vm,rate,events,internal,send,receive,messages_sent,messages_received,messages_lost,messages_duplicated,\
             waiting,in_flight,lamport,vector,hlc,hlc_count,drift,jump_mean,jump_max,queue_mean,queue_max,queue_last,\
             lateness_mean_ms,lateness_max_ms\n\
             0,6,4,3,0,1,0,1,0,0,1,0,8,\"[4,0]\",7,1,0,2.000000,2,0.500000,0,0,0.500000,2.000000\n\
             1,6,4,3,0,1,0,1,0,0,1,0,6,\"[4,0]\",7,1,-2,1.500000,2,0.500000,0,0,,\n"
        );
    }
}
