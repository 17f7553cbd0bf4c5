//! What a log says of its machines up to its last whole row, so that a run can go on from there.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::reader::{EventKind, ReadError, Row, RowReader};
use super::row::Column;
use super::{FileEntry, LogError, LogFile, RowFormat, Schema, torn_name};
use crate::clock::{ClockList, Values};
use crate::model::id::VmId;
use crate::model::tally::{Account, Tally};
use crate::model::time::{Nanos, Rate};

/// What a log says of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// What its events add up to.
    pub tally: Tally,
    /// Of the messages that it sent, those that the network lost.
    pub lost: u64,
    /// Of the messages that it sent, those that the network delivers twice.
    pub duplicated: u64,
    /// When its last event happened.
    pub elapsed: Nanos,
    /// Its Lamport clock after its last whole row, from which the machine goes on.
    pub lamport: u64,
    /// The clocks beside it.
    pub clocks: Values,
}

/// What a log says of its machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredLog {
    /// Each machine that has a row.
    pub machines: BTreeMap<VmId, Recovered>,
    /// What passed between them and others.
    pub passed: Passed,
    /// What the manifest would say of the header and the whole rows.
    pub entry: FileEntry,
    /// The bytes of a torn last row.
    pub torn: u64,
}

/// What logs know of machines and of copies of messages: those that left for each machine, and those that were
/// received from each. A copy that the network lost is none, and one that it delivers twice is two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Copies that left for each recipient.
    pub sent: BTreeMap<VmId, u64>,
    /// Copies that were received from each sender.
    pub received: BTreeMap<VmId, u64>,
    /// The latest event of each machine at which it sent a message that was received.
    pub heard: BTreeMap<VmId, u64>,
    /// The last event of each machine that has a log here.
    pub events: BTreeMap<VmId, u64>,
}

impl Passed {
    /// Adds what other logs know.
    pub fn add(&mut self, others: Self) {
        let both = [(&mut self.sent, others.sent), (&mut self.received, others.received)];
        for (counts, others) in both {
            others.into_iter().for_each(|(vm, count)| *counts.entry(vm).or_default() += count);
        }
        for (latest, others) in [(&mut self.heard, others.heard), (&mut self.events, others.events)] {
            others.into_iter().for_each(|(vm, event)| raise(latest, vm, event));
        }
    }

    fn count(&mut self, row: &Row) {
        match row.kind {
            EventKind::Internal => {}
            EventKind::Send => {
                let left = row.peers.iter().filter(|vm| !row.lost.contains(vm));
                left.chain(&row.duplicated).for_each(|vm| *self.sent.entry(*vm).or_default() += 1);
            }
            EventKind::Receive => {
                row.peers.iter().for_each(|vm| *self.received.entry(*vm).or_default() += 1);
                if let Some(message) = row.message {
                    raise(&mut self.heard, message.sender, message.event);
                }
            }
        }
    }
}

/// The latest event of a machine is that one at least.
fn raise(latest: &mut BTreeMap<VmId, u64>, vm: VmId, event: u64) {
    let known = latest.entry(vm).or_default();
    *known = event.max(*known);
}

/// Why a log cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be opened for writing.
    #[error("cannot open {} for writing: {source}", path.display())]
    Open {
        /// The log to which rows were to be added.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Its header is not that of the logs that are written.
    #[error(
        "{} is of the {schema} schema, or other columns were saved with it: rows written now would not fit its header; \
         nothing was changed",
        path.display()
    )]
    Header {
        /// The log whose header does not fit.
        path: PathBuf,
        /// The schema of its columns.
        schema: Schema,
    },
    /// Its header cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Its torn last row cannot be moved aside.
    #[error("cannot move the torn last row of {} to {}: {source}; nothing was removed", log.display(), to.display())]
    MoveTorn {
        /// The log that ends with the torn row; it is as it was.
        log: PathBuf,
        /// Where the row was to go.
        to: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Reads what a log says of its machines, up to its last whole row.
///
/// # Errors
///
/// Where it cannot be read, a whole row of it is malformed, or a machine's events are not numbered one after
/// the other.
pub fn recover(path: &Path) -> Result<RecoveredLog, ReadError> {
    recover_from(&mut RowReader::open(path)?)
}

fn recover_from<R: Read>(reader: &mut RowReader<R>) -> Result<RecoveredLog, ReadError> {
    let mut machines = BTreeMap::<VmId, Recovered>::new();
    let mut passed = Passed::default();
    while let Some(row) = reader.next_row()? {
        let machine = machines.entry(row.vm).or_default();
        let expected = machine.tally.events + 1;
        if row.event != expected {
            let (line, found) = (row.line, row.event.to_string());
            let expected = format!("{expected}, the number of machine {}'s next event", row.vm);
            let path = reader.path().to_owned();
            return Err(ReadError::Cell { path, line, column: Column::Event, found, expected });
        }
        machine.add(row);
        passed.count(row);
    }
    machines.iter().for_each(|(vm, machine)| raise(&mut passed.events, *vm, machine.tally.events));
    Ok(RecoveredLog { machines, passed, entry: reader.entry(), torn: reader.torn() })
}

impl Recovered {
    /// The account of that machine of a run with those clocks, as its log gives it: nothing is known of messages that
    /// waited, nor of lateness.
    pub fn account(&self, vm: VmId, rate: Rate, clocks: &ClockList) -> Account {
        Account {
            vm,
            rate,
            tally: self.tally.clone(),
            lost: self.lost,
            duplicated: self.duplicated,
            lamport: self.lamport,
            clocks: self.clocks.ordered_as(clocks),
            waiting: 0,
            in_flight: 0,
            crashed: 0,
            lateness: None,
        }
    }

    fn add(&mut self, row: &Row) {
        self.tally.add(row.lamport.saturating_sub(self.lamport), row.queue.unwrap_or_default());
        match row.kind {
            EventKind::Internal => {}
            EventKind::Send => {
                self.tally.sends += 1;
                self.tally.sent += row.peers.len() as u64;
            }
            EventKind::Receive => self.tally.receives += 1,
        }
        debug_assert!(
            self.tally.sends + self.tally.receives <= self.tally.events,
            "a row counts as one event of one kind"
        );
        self.lost += row.lost.len() as u64;
        self.duplicated += row.duplicated.len() as u64;
        self.elapsed = row.elapsed;
        self.lamport = row.lamport;
        self.clocks.copy(&row.clocks);
    }
}

impl LogFile {
    /// Goes on with a log that is there, of a run with those clocks, and tells what it says. A torn last row is moved to a file of its own
    /// beside it, at the end of what that has already. An empty log, or one whose header is torn, gets its header.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read or written; then nothing of it has been removed.
    pub fn resume(path: PathBuf, clocks: &ClockList) -> Result<(Self, RecoveredLog), ResumeError> {
        let mut reader = RowReader::open(&path)?;
        if !reader.can_go_on(clocks) {
            return Err(ResumeError::Header { schema: reader.schema(), path });
        }
        let recovered = recover_from(&mut reader)?;
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(source) => return Err(ResumeError::Open { path, source }),
        };
        let bytes = recovered.entry.bytes;
        if recovered.torn > 0 {
            let to = torn_name(&path);
            if let Err(source) = move_torn(&mut file, bytes, &to) {
                return Err(ResumeError::MoveTorn { log: path, to, source });
            }
        }
        if let Err(source) = file.seek(SeekFrom::Start(bytes)) {
            return Err(ResumeError::Open { path, source });
        }
        let header = |out: &mut Vec<u8>| RowFormat::header(clocks, out);
        Ok((Self::reopened(path, file, header, recovered.entry.rows, reader.consumed())?, recovered))
    }
}

/// Copies what follows the first `whole` bytes to another file's end, and only then cuts it off.
fn move_torn(log: &mut File, whole: u64, to: &Path) -> io::Result<()> {
    log.seek(SeekFrom::Start(whole))?;
    let mut aside = OpenOptions::new().append(true).create(true).open(to)?;
    io::copy(log, &mut aside)?;
    // On the disk before it is cut off here: at a loss of power in between it is in both rather than in neither.
    aside.sync_all()?;
    log.set_len(whole)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Timestamp;

    use super::*;
    use crate::drivers::sim;
    use crate::edge::control::{Stop, Unwatched};
    use crate::edge::driver;
    use crate::edge::log::Layout;
    use crate::model::event::Record;
    use crate::model::scenario::{Scenario, Settings};
    use crate::model::seed::Seed;
    use crate::workload;

    /// Makes a run with all clocks and all faults, and tells its accounts.
    fn run(folder: &Path, layout: Layout, seed: u64) -> Vec<Account> {
        let settings: Settings = toml::from_str(
            "virtual-time = true\nvms = 7\nduration = 9\nlatency = \"1ms-900ms\"\nloss = 0.2\nduplicate = 0.2\nskew = \"1s\"",
        )
        .unwrap();
        let scenario = Scenario::new(&settings, Seed(seed)).unwrap();
        let plan = driver::Plan { threads: 1, layout, folder: folder.to_owned() };
        let (_stopper, stop) = Stop::new();
        let workload = |vm| workload::ScaleModel::new(vm, 7, 5);
        let outcome = sim::run(&scenario, &plan, workload, &stop, &mut Unwatched);
        for entry in &outcome.files {
            let recovered = recover(&folder.join(&entry.name)).unwrap();
            assert_eq!((&recovered.entry, recovered.torn), (entry, 0));
        }
        outcome.accounts
    }

    fn logs(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_log_says_what_the_run_knew_of_its_machines() {
        for (layout, seed) in [(Layout::PerVm, 1), (Layout::Combined, 2), (Layout::Combined, 3)] {
            let folder = tempfile::tempdir().unwrap();
            let accounts = run(folder.path(), layout, seed);
            let mut machines = BTreeMap::new();
            logs(folder.path()).iter().for_each(|log| machines.extend(recover(log).unwrap().machines));
            assert_eq!(machines.len(), 7);
            for account in accounts {
                let Recovered { tally, lost, duplicated, elapsed, lamport, clocks } =
                    machines[&account.vm].clone();
                assert_eq!(tally, account.tally);
                assert_eq!((lost, duplicated), (account.lost, account.duplicated));
                assert_eq!((lamport, clocks), (account.lamport, account.clocks));
                assert!(Nanos::from_secs(7) < elapsed && elapsed <= Nanos::from_secs(9));
            }
        }
    }

    fn append(log: &mut LogFile, events: std::ops::RangeInclusive<u64>) {
        let mut format = RowFormat::new(Timestamp::UNIX_EPOCH, &ClockList::LAMPORT);
        events.for_each(|event| log.append(&Record::internal(event), &mut format));
    }

    #[test]
    fn a_log_cut_at_any_byte_goes_on_as_if_nothing_had_been() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm_0_1.csv");
        let mut log = LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap();
        append(&mut log, 1..=3);
        log.finish().unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let torn_path = torn_name(&path);
            let _ = fs::remove_file(&torn_path);
            let (mut log, recovered) = LogFile::resume(path.clone(), &ClockList::LAMPORT).unwrap();
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count() as u64;
            let events = recovered.machines.get(&VmId(0)).map_or(0, |machine| machine.tally.events);
            assert_eq!((events, recovered.entry.rows), (lines.saturating_sub(1), lines.saturating_sub(1)));
            let kept = usize::try_from(recovered.entry.bytes).unwrap();
            assert_eq!(kept as u64 + recovered.torn, cut as u64);
            assert_eq!(fs::read(&torn_path).unwrap_or_default(), &whole[kept..cut], "what is torn is kept");
            append(&mut log, events + 1..=3);
            let entry = log.finish().unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
            assert_eq!(recover(&path).unwrap().entry, entry, "rows, bytes and checksum go on");
        }
    }

    #[test]
    fn a_log_with_another_header_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm_0_1.csv");
        let check = |header: &str, schema: &str| {
            fs::write(&path, header).unwrap();
            let error = LogFile::resume(path.clone(), &ClockList::LAMPORT).unwrap_err().to_string();
            assert!(error.contains(schema) && error.contains("nothing was changed"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), header);
        };
        let mut ours = Vec::new();
        RowFormat::header(&ClockList::LAMPORT, &mut ours);
        let ours = String::from_utf8(ours).unwrap();
        check("vm,event,kind,elapsed_s,lamport,hlc,peers,message\n", "first schema");
        check(&ours.replace(",mark", ",mood,mark"), "second schema");
        fs::write(&path, ours).unwrap();
        assert!(LogFile::resume(path.clone(), &ClockList::LAMPORT).is_ok());
    }

    #[test]
    fn torn_rows_of_several_times_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm_0_1.csv");
        LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap().finish().unwrap();
        for torn in ["0,1,in", "0,1,internal,", "0"] {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text + torn).unwrap();
            assert_eq!(LogFile::resume(path.clone(), &ClockList::LAMPORT).unwrap().1.torn, torn.len() as u64);
        }
        assert_eq!(fs::read_to_string(torn_name(&path)).unwrap(), "0,1,in0,1,internal,0");
    }

    #[test]
    fn a_log_with_a_gap_is_not_gone_on_with_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm_0_1.csv");
        let mut log = LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap();
        append(&mut log, 1..=2);
        append(&mut log, 4..=4);
        log.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap() + "0,5,";
        fs::write(&path, &text).unwrap();
        let error = LogFile::resume(path.clone(), &ClockList::LAMPORT).unwrap_err().to_string();
        assert!(
            error.ends_with(":4: column event: found '4', expected 3, the number of machine 0's next event"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_log_that_cannot_be_read_or_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            LogFile::resume(folder.path().join("vm_0_1.csv"), &ClockList::LAMPORT).unwrap_err().to_string();
        assert!(error.starts_with("cannot read ") && error.contains("vm_0_1.csv"), "{error}");
        let path = folder.path().join("vm_1_1.csv");
        LogFile::create(path.clone(), &ClockList::LAMPORT).unwrap().finish().unwrap();
        fs::create_dir(torn_name(&path)).unwrap();
        let text = fs::read_to_string(&path).unwrap() + "torn";
        fs::write(&path, &text).unwrap();
        let error = LogFile::resume(path.clone(), &ClockList::LAMPORT).unwrap_err().to_string();
        assert!(
            error.contains("cannot move the torn last row") && error.contains("nothing was removed"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
