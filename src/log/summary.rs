//! `summary.csv`: one row a machine.

use std::path::PathBuf;

use serde::Serialize;

use super::file::write_whole;
use super::{FileEntry, LogError};
use crate::seed::Seed;
use crate::tally::{Account, largest_lamport};

/// A machine's row. Its fields are the columns.
#[derive(Serialize)]
struct Row {
    vm: u32,
    rate: u32,
    events: u64,
    internal: u64,
    send: u64,
    receive: u64,
    messages_sent: u64,
    messages_received: u64,
    messages_lost: u64,
    messages_duplicated: u64,
    waiting: u64,
    in_flight: u64,
    lamport: u64,
    vector: String,
    hlc: String,
    drift: i64,
    jump_mean: String,
    jump_max: u64,
    queue_mean: String,
    queue_max: u64,
    queue_last: u64,
    lateness_mean_ms: String,
    lateness_max_ms: String,
}

/// Writes the summary of a run's machines.
///
/// # Errors
///
/// Where the file is there already or cannot be written.
pub fn write_summary(path: PathBuf, accounts: &[Account]) -> Result<FileEntry, LogError> {
    match rows(accounts) {
        Ok(content) => write_whole(path, &content, accounts.len() as u64),
        Err(error) => Err(LogError::Write { path, rows: 0, source: error.into() }),
    }
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
    let mut content = Vec::new();
    let mut count = 0;
    for (run, Seed(seed), accounts) in runs {
        let rows = match rows(accounts) {
            Ok(rows) => rows,
            Err(error) => return Err(LogError::Write { path, rows: 0, source: error.into() }),
        };
        // No field of a summary has a line break in it.
        for (index, line) in rows.split_inclusive(|byte| *byte == b'\n').enumerate() {
            match index {
                0 if content.is_empty() => content.extend_from_slice(b"run,seed,"),
                0 => continue,
                _ => content.extend_from_slice(format!("{run},{seed},").as_bytes()),
            }
            content.extend_from_slice(line);
        }
        count += accounts.len() as u64;
    }
    write_whole(path, &content, count)
}

fn rows(accounts: &[Account]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let largest = largest_lamport(accounts);
    for account in accounts {
        writer.serialize(row(account, largest))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn row(account: &Account, largest_lamport: u64) -> Row {
    let tally = &account.tally;
    let entries: Vec<String> = account.vector.iter().map(u64::to_string).collect();
    let lateness = account.lateness.as_ref();
    Row {
        vm: account.vm.0,
        rate: account.rate.get(),
        events: tally.events(),
        internal: tally.internal,
        send: tally.sends,
        receive: tally.receives,
        messages_sent: tally.sent,
        messages_received: tally.receives,
        messages_lost: tally.lost,
        messages_duplicated: tally.duplicated,
        waiting: account.waiting,
        in_flight: account.in_flight,
        lamport: tally.lamport,
        vector: entries.join(";"),
        hlc: account.hybrid.map(|hybrid| hybrid.to_string()).unwrap_or_default(),
        drift: account.drift(largest_lamport),
        jump_mean: format!("{:.6}", tally.mean_jump()),
        jump_max: tally.largest_jump,
        queue_mean: format!("{:.6}", tally.mean_queue()),
        queue_max: tally.longest_queue,
        queue_last: tally.queue,
        lateness_mean_ms: lateness
            .map(|late| format!("{:.6}", late.mean_ms(tally.events())))
            .unwrap_or_default(),
        lateness_max_ms: lateness.map(|late| format!("{:.6}", late.max_ms())).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HybridStamp;
    use crate::id::VmId;
    use crate::tally::{Lateness, Tally};
    use crate::time::{Nanos, Rate};

    #[test]
    fn a_row_a_machine_with_drift_against_the_largest_clock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.csv");
        let account = |vm, lamport| Account {
            vm: VmId(vm),
            rate: Rate::new(6).unwrap(),
            tally: Tally {
                internal: 3,
                receives: 1,
                lamport,
                largest_jump: 2,
                queue_sum: 2,
                ..Tally::default()
            },
            vector: Box::new([4, 0]),
            hybrid: Some(HybridStamp { l: Nanos::new(7), c: 1 }),
            waiting: 1,
            in_flight: 0,
            lateness: (vm == 0).then(|| {
                let mut lateness = Lateness::default();
                lateness.add(Nanos::new(2_000_000));
                lateness
            }),
        };
        let entry = write_summary(path.clone(), &[account(0, 8), account(1, 6)]).unwrap();
        assert_eq!((entry.name.as_str(), entry.rows), ("summary.csv", 2));
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "vm,rate,events,internal,send,receive,messages_sent,messages_received,messages_lost,messages_duplicated,\
             waiting,in_flight,lamport,vector,hlc,drift,jump_mean,jump_max,queue_mean,queue_max,queue_last,\
             lateness_mean_ms,lateness_max_ms\n\
             0,6,4,3,0,1,0,1,0,0,1,0,8,4;0,7.1,0,2.000000,2,0.500000,0,0,0.500000,2.000000\n\
             1,6,4,3,0,1,0,1,0,0,1,0,6,4;0,7.1,-2,1.500000,2,0.500000,0,0,,\n"
        );
    }
}
