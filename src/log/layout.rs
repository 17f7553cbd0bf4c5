//! How the machines' rows are laid out in files.

use crate::scenario::LogChoice;

/// Which files the rows go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A file for each machine.
    PerVm,
    /// A few files, each with a range of machines.
    Combined,
    /// None.
    Nowhere,
}

/// Why a file for each machine cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid value 'per-vm' for '--log': {vms} machines need as many open files, and this process may open {available}; \
     use --log combined, or allow more with ulimit -n"
)]
pub struct LayoutError {
    vms: u32,
    available: u64,
}

impl Layout {
    /// The most machines that have a file each without being asked to.
    pub const MOST_FILES: u32 = 256;
    /// Open files that the process needs for other things: its threads, its terminal, its libraries.
    const RESERVED: u64 = 64;

    /// The layout that is asked for, or the one that suits so many machines.
    ///
    /// # Errors
    ///
    /// Where a file each is asked for and the process may not open that many.
    pub fn choose(asked: Option<LogChoice>, vms: u32, open_files: u64) -> Result<Self, LayoutError> {
        let available = open_files.saturating_sub(Self::RESERVED);
        let fits = u64::from(vms) <= available;
        match asked {
            Some(LogChoice::None) => Ok(Self::Nowhere),
            Some(LogChoice::PerVm) if !fits => Err(LayoutError { vms, available }),
            Some(LogChoice::PerVm) => Ok(Self::PerVm),
            None if fits && vms <= Self::MOST_FILES => Ok(Self::PerVm),
            Some(LogChoice::Combined) | None => Ok(Self::Combined),
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
        let check = |asked, vms, open_files, layout| {
            assert_eq!(Layout::choose(asked, vms, open_files), Ok(layout), "{asked:?} {vms} {open_files}");
        };
        check(None, 3, 1024, Layout::PerVm);
        check(None, 256, 1024, Layout::PerVm);
        check(None, 257, 1024, Layout::Combined);
        check(None, 200, 256, Layout::Combined);
        check(Some(LogChoice::PerVm), 900, 1024, Layout::PerVm);
        check(Some(LogChoice::Combined), 3, 1024, Layout::Combined);
        check(Some(LogChoice::None), 3, 1024, Layout::Nowhere);
        let error = Layout::choose(Some(LogChoice::PerVm), 1000, 1024).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("1000 machines need as many open files, and this process may open 960")
        );
    }
}
