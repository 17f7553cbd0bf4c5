//! Does the run fit this machine? Estimates of what it takes, held against what there is.

use std::path::Path;

use crate::log::Layout;
use crate::scenario::Scenario;

/// The bytes that a live machine takes beside its vector clock: its actor, mailbox, timer and inbox.
/// The bench `capacity` measures it.
const MACHINE_BYTES: u64 = 3 * 1024;

/// Something that a run needs more of than there is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DoesNotFit {
    /// Memory.
    #[error(
        "invalid value '{vms}' for '--vms': so many machines need about {needed} of memory{why}, and {available} are \
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
        why: &'static str,
        /// What to ask for instead.
        help: &'static str,
    },
    /// Disk.
    #[error(
        "invalid value '{vms}' for '--vms': the logs of {events} events need about {needed} of disk, and {available} are \
         free; {help}",
        needed = Bytes(*needed), available = Bytes(*available)
    )]
    Disk {
        /// The number of machines.
        vms: u32,
        /// The events to be logged.
        events: u64,
        /// The estimate in bytes.
        needed: u64,
        /// What is free, in bytes.
        available: u64,
        /// What to ask for instead.
        help: &'static str,
    },
}

/// What the machine has for a run.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Memory, in bytes.
    pub memory: u64,
    /// Free disk where the logs go, in bytes.
    pub disk: u64,
}

impl Resources {
    /// What there is now, for a run that writes to that folder or one to be made there. What cannot
    /// be told counts as without limit.
    pub fn available(folder: &Path) -> Self {
        let existing =
            folder.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
        let disk = existing.into_iter().find_map(|path| fs4::available_space(path).ok());
        Self { memory: available_memory().unwrap_or(u64::MAX), disk: disk.unwrap_or(u64::MAX) }
    }

    /// Refuses a run that needs more.
    ///
    /// # Errors
    ///
    /// With the estimate, and the flag that helps.
    pub fn check(self, scenario: &Scenario, layout: Layout) -> Result<(), DoesNotFit> {
        let vms = scenario.vms();
        let vectors = scenario.vector_bytes();
        let machines = u64::from(vms) * MACHINE_BYTES;
        let needed = machines.saturating_add(vectors);
        if needed > self.memory {
            let (why, help) = if vectors > machines {
                (
                    " (dense vector clocks: 8 bytes for each pair)",
                    "leave vector clocks out with --clocks lamport,hlc",
                )
            } else {
                ("", "ask for fewer")
            };
            return Err(DoesNotFit::Memory { vms, needed, available: self.memory, why, help });
        }
        let events = scenario.events();
        let needed =
            if layout == Layout::Nowhere { 0 } else { events.saturating_mul(row_bytes(scenario, events)) };
        if needed > self.disk {
            let help = if vectors > 0 {
                "leave vector clocks out with --clocks lamport,hlc, or the logs with --log none"
            } else {
                "choose another folder with --output, or leave the logs out with --log none"
            };
            return Err(DoesNotFit::Disk { vms, events, needed, available: self.disk, help });
        }
        Ok(())
    }
}

/// What the system and the process's own group of processes leave; caches count as available.
fn available_memory() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    let group = system.cgroup_limits().map(|limits| limits.total_memory.saturating_sub(limits.rss));
    let available = system.available_memory().min(group.unwrap_or(u64::MAX));
    (available > 0).then_some(available)
}

/// About the bytes of a row: the columns with a fixed width, and an entry with its separator for
/// each machine where vector clocks are kept. Entries have, on average, seen half of the run.
fn row_bytes(scenario: &Scenario, events: u64) -> u64 {
    let vms = u64::from(scenario.vms());
    let clocks = scenario.clocks();
    let entry = 2 + u64::from((events / vms / 2).checked_ilog10().unwrap_or(0));
    let vector = if clocks.vector { vms.saturating_mul(entry) } else { 0 };
    let hybrid = if clocks.hybrid { 13 } else { 0 };
    70 + hybrid + vector
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
    use crate::scenario::{Settings, VmCount};
    use crate::seed::Seed;

    fn check(vms: u32, clocks: &str, layout: Layout, resources: Resources) -> Result<(), String> {
        let settings =
            Settings { vms: VmCount::new(vms), clocks: clocks.parse().ok(), ..Settings::default() };
        let scenario = Scenario::new(&settings, Seed(1)).unwrap();
        resources.check(&scenario, layout).map_err(|error| error.to_string())
    }

    const LARGE: Resources = Resources { memory: 64_000_000_000, disk: 1_000_000_000_000 };

    #[test]
    fn a_million_dense_vectors_are_refused_with_the_estimate_and_the_flag() {
        let error = check(1_000_000, "vector", Layout::Nowhere, LARGE).unwrap_err();
        assert_eq!(
            error,
            "invalid value '1000000' for '--vms': so many machines need about 8003.1 GB of memory (dense vector clocks: \
             8 bytes for each pair), and 64.0 GB are available; leave vector clocks out with --clocks lamport,hlc"
        );
        assert_eq!(check(1_000_000, "lamport", Layout::Nowhere, LARGE), Ok(()));
    }

    #[test]
    fn logs_beyond_the_free_disk_are_refused() {
        let small = Resources { disk: 5_000_000_000, ..LARGE };
        let error = check(3_000, "vector", Layout::Combined, small).unwrap_err();
        assert!(error.contains("of disk, and 5.0 GB are free; leave vector clocks out"), "{error}");
        assert_eq!(check(3_000, "vector", Layout::Nowhere, small), Ok(()));
        assert_eq!(check(3_000, "lamport", Layout::Combined, small), Ok(()));
    }

    #[test]
    fn the_exercise_fits_in_very_little() {
        assert_eq!(
            check(3, "vector,hlc", Layout::PerVm, Resources { memory: 100_000, disk: 100_000 }),
            Ok(())
        );
    }
}
