//! Does the run fit this machine? Estimates of what it takes, held against what there is.

use std::path::{Path, PathBuf};

use crate::clock::{ClockList, ClockSpec};
use crate::edge::log::Layout;
use crate::model::scenario::Scenario;
use crate::model::tally::Account;

/// The bytes that a live machine takes beside its vector clock: its actor, mailbox, timer and inbox.
/// The bench `capacity` measures it.
const LIVE_MACHINE_BYTES: u64 = 3 * 1024;
/// The bytes that a machine takes in virtual time beside its vector clock.
const VIRTUAL_MACHINE_BYTES: u64 = 1024;

/// Something that a run needs more of than there is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DoesNotFit {
    /// The machines with their clocks would take more memory than is free.
    #[error(
        "invalid value '{vms}' for setting `vms`: so many machines need about {needed} of memory{why}, and {available} are \
         available; {help}",
        needed = Bytes(*needed), available = Bytes(*available)
    )]
    Memory {
        /// The number of machines.
        vms: u32,
        /// The estimate in bytes.
        needed: u64,
        /// What is available, in bytes.
        available: u64,
        /// What it is needed for.
        why: String,
        /// What to ask for instead.
        help: String,
    },
    /// A clock's values would grow beyond what it is good for.
    #[error(
        "invalid value '{clocks}' for setting `clocks`: {clock}: {why}; leave it out, or ask for fewer events with setting `duration`"
    )]
    Clock {
        /// The clocks that were asked for.
        clocks: ClockList,
        /// The clock as the list has it.
        clock: ClockSpec,
        /// What it would come to, and what is allowed.
        why: String,
    },
    /// The logs would take more of the disk than is free.
    #[error(
        "cannot log to {}: {events} events need about {needed} of disk, and {available} are free there; {help}",
        folder.display(), needed = Bytes(*needed), available = Bytes(*available)
    )]
    Disk {
        /// The folder that the logs were to go to.
        folder: PathBuf,
        /// The events to be logged.
        events: u64,
        /// The estimate in bytes.
        needed: u64,
        /// What is free, in bytes.
        available: u64,
        /// What to ask for instead.
        help: String,
    },
}

/// Refuses so many runs if they need more than the machine has now, where so many of the run's machines are on
/// it and their logs go to that folder, which may be still to be made. What the machine does not tell counts as
/// without limit.
///
/// # Errors
///
/// With the estimate, and the flag that helps.
pub fn check(
    scenario: &Scenario,
    here: u32,
    layout: Layout,
    folder: &Path,
    runs: u32,
) -> Result<(), DoesNotFit> {
    check_clocks(scenario)?;
    check_memory(scenario, here, runs, available_memory().unwrap_or(u64::MAX))?;
    match layout {
        Layout::Nowhere => Ok(()),
        Layout::PerVm | Layout::Combined => {
            check_disk(scenario, here, folder, runs, free_disk(folder).unwrap_or(u64::MAX))
        }
    }
}

/// The same for so many runs of each of several scenarios, one of which is under way at a time.
///
/// # Errors
///
/// With the estimate, and the flag that helps.
pub(crate) fn check_each<'a>(
    scenarios: impl Iterator<Item = (&'a Scenario, Layout)>,
    folder: &Path,
    runs: u32,
) -> Result<(), DoesNotFit> {
    let available = available_memory().unwrap_or(u64::MAX);
    let mut free = free_disk(folder).unwrap_or(u64::MAX);
    for (scenario, layout) in scenarios {
        check_clocks(scenario)?;
        check_memory(scenario, scenario.vms(), 1, available)?;
        if layout != Layout::Nowhere {
            check_disk(scenario, scenario.vms(), folder, runs, free)?;
            free -= disk_of_runs(scenario, scenario.vms(), runs).1.min(free);
        }
    }
    Ok(())
}

/// How many runs of the scenario this machine's memory holds at the same time.
pub(crate) fn most_at_once(scenario: &Scenario) -> u64 {
    available_memory().unwrap_or(u64::MAX) / memory_of_a_run(scenario, scenario.vms()).0.max(1)
}

/// What a run needs with so many machines here, and how much of that are clocks that grow with their number.
fn memory_of_a_run(scenario: &Scenario, here: u32) -> (u64, u64) {
    let vectors = part(scenario.clock_bytes(), here, scenario.vms());
    let each = if scenario.is_virtual() { VIRTUAL_MACHINE_BYTES } else { LIVE_MACHINE_BYTES };
    // Twice the vectors: the machines' own, and about as many in messages under way.
    ((u64::from(here) * each).saturating_add(vectors.saturating_mul(2)), vectors)
}

fn check_clocks(scenario: &Scenario) -> Result<(), DoesNotFit> {
    let (vms, events, clocks) = (scenario.vms(), scenario.events(), scenario.clocks());
    let refused = clocks.iter().find_map(|spec| Some((*spec, (spec.refuses)(vms, events)?)));
    refused.map_or(Ok(()), |(clock, why)| Err(DoesNotFit::Clock { clocks: clocks.clone(), clock, why }))
}

fn check_memory(scenario: &Scenario, here: u32, runs: u32, available: u64) -> Result<(), DoesNotFit> {
    let vms = scenario.vms();
    let (machines, vectors) = memory_of_a_run(scenario, here);
    // Of every run the accounts are kept for the table of all.
    let account = size_of::<Account>() as u64;
    let accounts = u64::from(here).saturating_mul(account).saturating_add(vectors);
    let needed = machines.saturating_add(accounts.saturating_mul(u64::from(runs.saturating_sub(1))));
    if needed <= available {
        return Ok(());
    }
    let (why, help) = if vectors > needed / 4 {
        let (title, each) = match scenario.clocks().largest(vms) {
            Some((largest, words)) => (largest.title, 8 * words as u64 / u64::from(vms)),
            None => ("", 0),
        };
        (
            format!(" (dense {title}s: {each} bytes for each pair, and as much in messages)"),
            format!("leave {title}s out with setting `clocks = {}`", ClockList::small()),
        )
    } else if runs > 1 && machines <= available {
        (" for so many runs".to_owned(), "ask for fewer of them with setting `runs`".to_owned())
    } else {
        (String::new(), "ask for fewer".to_owned())
    };
    Err(DoesNotFit::Memory { vms, needed, available, why, help })
}

fn check_disk(
    scenario: &Scenario,
    here: u32,
    folder: &Path,
    runs: u32,
    available: u64,
) -> Result<(), DoesNotFit> {
    let (events, needed) = disk_of_runs(scenario, here, runs);
    if needed <= available {
        return Ok(());
    }
    let largest = scenario.clocks().largest(scenario.vms()).filter(|(_, words)| *words > 10);
    let help = match largest {
        Some((largest, _)) => {
            let (title, small) = (largest.title, ClockList::small());
            format!("leave {title}s out with setting `clocks = {small}`, or the logs with setting `log = none`")
        }
        None => "ask for less with setting `duration`, choose another folder with setting `output`, or leave the logs out with setting `log = none`"
            .to_owned(),
    };
    Err(DoesNotFit::Disk { folder: folder.to_owned(), events, needed, available, help })
}

/// The events of so many runs, and the bytes of their logs.
fn disk_of_runs(scenario: &Scenario, here: u32, runs: u32) -> (u64, u64) {
    let all = scenario.events();
    let events = part(all, here, scenario.vms()).saturating_mul(runs.into());
    (events, events.saturating_mul(row_bytes(scenario, all)))
}

/// What the system and the process's own group of processes leave; caches count as available.
fn available_memory() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    let group = system.cgroup_limits().map(|limits| limits.total_memory.saturating_sub(limits.rss));
    let available = system.available_memory().min(group.unwrap_or(u64::MAX));
    (available > 0).then_some(available)
}

/// What is free on the file system of the folder, or of the nearest one above it that is there.
fn free_disk(folder: &Path) -> Option<u64> {
    let folders =
        folder.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let space = folders.into_iter().find_map(|path| fs4::statvfs(path).ok())?;
    // A file system of no size at all, such as /proc, tells nothing.
    (space.total_space() > 0).then(|| space.available_space())
}

/// About the bytes of a row: the columns with a fixed width, and a number with its separator for each that the clocks
/// have. Those that count events have, on average, seen half of the run.
fn row_bytes(scenario: &Scenario, events: u64) -> u64 {
    /// Of two numbers that are times, and small counters.
    const SMALL: u64 = 13;
    let vms = scenario.vms();
    let entry = 2 + u64::from((events / u64::from(vms) / 2).checked_ilog10().unwrap_or(0));
    let clocks = scenario.clocks().iter().map(|spec| match spec.words(vms) {
        Some(words) if spec.length.grows() => (words as u64).saturating_mul(entry),
        // Those that grow on the way are half as long on average.
        None => (SMALL * spec.most_words(vms, events) as u64).div_ceil(4),
        Some(words) => SMALL * (words as u64).div_ceil(2),
    });
    clocks.fold(70, u64::saturating_add)
}

/// What falls to so many of the machines.
fn part(all: u64, here: u32, vms: u32) -> u64 {
    u64::try_from(u128::from(all) * u128::from(here) / u128::from(vms)).unwrap_or(u64::MAX)
}

/// A number of bytes as people read it.
struct Bytes(u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people to read")]
        let gigabytes = self.0 as f64 / 1e9;
        if gigabytes < 0.1 { write!(f, "{:.1} MB", gigabytes * 1e3) } else { write!(f, "{gigabytes:.1} GB") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scenario::{Settings, VmCount};
    use crate::model::seed::Seed;

    fn scenario(vms: u32, clocks: &str) -> Scenario {
        let settings =
            Settings { vms: VmCount::new(vms), clocks: clocks.parse().ok(), ..Settings::default() };
        Scenario::new(&settings, Seed(1)).unwrap()
    }

    #[test]
    fn a_million_dense_vectors_are_refused_with_the_estimate_and_the_flag() {
        let check = |clocks| check_memory(&scenario(1_000_000, clocks), 1_000_000, 1, 64_000_000_000);
        assert_eq!(
            check("vector").unwrap_err().to_string(),
            "invalid value '1000000' for setting `vms`: so many machines need about 16003.1 GB of memory (dense vector clocks: \
             8 bytes for each pair, and as much in messages), and 64.0 GB are available; leave vector clocks out with setting `clocks = lamport,hlc`"
        );
        assert_eq!(check("lamport"), Ok(()));
    }

    #[test]
    fn logs_beyond_the_free_disk_are_refused() {
        let check =
            |clocks| check_disk(&scenario(3_000, clocks), 3_000, Path::new("there"), 1, 5_000_000_000);
        let error = check("vector").unwrap_err().to_string();
        assert!(error.starts_with("cannot log to there: "), "{error}");
        assert!(error.contains("of disk, and 5.0 GB are free there; leave vector clocks out"), "{error}");
        assert_eq!(check("lamport"), Ok(()));
    }

    #[test]
    fn the_exercise_fits_in_very_little() {
        let exercise = scenario(3, "vector,hlc");
        assert_eq!(check_memory(&exercise, 3, 1, 100_000), Ok(()));
        let error = check_memory(&exercise, 3, 100_000, 10_000_000).unwrap_err().to_string();
        assert!(
            error.contains("for so many runs")
                && error.ends_with("ask for fewer of them with setting `runs`"),
            "{error}"
        );
        assert_eq!(check_disk(&exercise, 3, Path::new("."), 1, 100_000), Ok(()));
        assert!(
            check_disk(&exercise, 3, Path::new("."), 100, 100_000).is_err(),
            "a hundred runs of it do not"
        );
    }

    #[test]
    fn the_machine_tells_what_it_has() {
        assert!(available_memory().is_some_and(|bytes| bytes > 1_000_000));
        assert!(free_disk(Path::new("not/yet/there")).is_some());
    }
}
