//! How the machines' rows are laid out in files.

use crate::model::scenario::LogChoice;

/// Which files the rows go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A file for each machine.
    PerVm,
    /// A few files, each with a range of machines.
    Combined,
    /// No file at all: events are counted and forgotten, as `--log none` wants it.
    Nowhere,
}

/// Open files: how many a process may have, and how many of them it needs for other things than logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// What it may have.
    pub limit: u64,
    /// What it has by now, and what its threads, its terminal and its connections will need.
    pub others: u64,
}

impl OpenFiles {
    /// What is left for logs.
    pub const fn left(self) -> u64 {
        self.limit.saturating_sub(self.others)
    }
}

/// Why a file for each machine cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid value 'per-vm' for setting `log`: {vms} machines need as many open files, and this process may open {limit} and \
     needs about {others} of them for other things; use setting `log = combined`, or allow more with ulimit -n",
    limit = files.limit, others = files.others
)]
pub struct LayoutError {
    vms: u32,
    files: OpenFiles,
}

impl Layout {
    /// The most machines that have a file each without being asked to.
    pub const MOST_FILES: u32 = 256;
    /// Machines that share a log, where there are few of them.
    const MACHINES_A_LOG: u32 = 200;
    /// The most combined logs: they are a few, however many machines there are.
    pub const MOST_COMBINED: u32 = 16;

    /// The layout that is asked for, or the one that suits so many machines of one process.
    ///
    /// # Errors
    ///
    /// Where a file each is asked for and the process may not open that many.
    pub fn choose(asked: Option<LogChoice>, vms: u32, files: OpenFiles) -> Result<Self, LayoutError> {
        let fits = u64::from(vms) <= files.left();
        match asked {
            Some(LogChoice::None) => Ok(Self::Nowhere),
            Some(LogChoice::PerVm) if !fits => Err(LayoutError { vms, files }),
            Some(LogChoice::PerVm) => Ok(Self::PerVm),
            None if fits && vms <= Self::MOST_FILES => Ok(Self::PerVm),
            Some(LogChoice::Combined) | None => Ok(Self::Combined),
        }
    }

    /// How many logs so many machines of one process have.
    ///
    /// It does not depend on threads, so neither does which logs there are and what is in them.
    pub fn logs(self, vms: u32) -> u32 {
        match self {
            Self::PerVm => vms,
            Self::Combined => (vms / Self::MACHINES_A_LOG).clamp(1, Self::MOST_COMBINED),
            Self::Nowhere => 0,
        }
    }

    /// The layout that a choice asks for.
    pub const fn of(choice: LogChoice) -> Self {
        match choice {
            LogChoice::PerVm => Self::PerVm,
            LogChoice::Combined => Self::Combined,
            LogChoice::None => Self::Nowhere,
        }
    }

    /// The choice that asks for this layout.
    pub const fn choice(self) -> LogChoice {
        match self {
            Self::PerVm => LogChoice::PerVm,
            Self::Combined => LogChoice::Combined,
            Self::Nowhere => LogChoice::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_each_while_files_allow() {
        let files = |limit| OpenFiles { limit, others: 24 };
        let check = |asked, vms, limit, layout| {
            assert_eq!(Layout::choose(asked, vms, files(limit)), Ok(layout), "{asked:?} {vms} {limit}");
        };
        check(None, 3, 1024, Layout::PerVm);
        check(None, 3, 64, Layout::PerVm);
        check(None, 3, 20, Layout::Combined);
        check(None, 256, 1024, Layout::PerVm);
        check(None, 257, 1024, Layout::Combined);
        check(None, 250, 256, Layout::Combined);
        check(Some(LogChoice::PerVm), 900, 1024, Layout::PerVm);
        check(Some(LogChoice::PerVm), 1000, 1024, Layout::PerVm);
        check(Some(LogChoice::Combined), 3, 1024, Layout::Combined);
        check(Some(LogChoice::None), 3, 1024, Layout::Nowhere);
        let error = Layout::choose(Some(LogChoice::PerVm), 1001, files(1024)).unwrap_err();
        let expected = "1001 machines need as many open files, and this process may open 1024 and needs about 24 of them";
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn combined_logs_are_a_few() {
        assert_eq!([3, 400, 10_000_000].map(|vms| Layout::Combined.logs(vms)), [1, 2, 16]);
        assert_eq!((Layout::PerVm.logs(7), Layout::Nowhere.logs(7)), (7, 0));
    }
}
