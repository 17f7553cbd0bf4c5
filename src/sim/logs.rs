//! The logs of one shard: many rows to a write, since nothing is lost that could not be made again.

use std::ops::Range;

use jiff::Timestamp;

use crate::driver::Plan;
use crate::event::Record;
use crate::id::VmId;
use crate::log::{FileEntry, Layout, LogError, LogFile, RowFormat, combined_log_name, vm_log_name};
use crate::scenario::Scenario;

/// Bytes that a log holds before they are written.
const HOLD: usize = 64 * 1024;

/// Where a shard's machines are logged.
#[derive(Debug)]
pub(super) struct Logs {
    format: RowFormat,
    files: Vec<LogFile>,
    /// The first machine of each file.
    firsts: Vec<VmId>,
}

impl Logs {
    /// Makes the logs of the machines of these parts.
    pub(super) fn create(scenario: &Scenario, parts: &[Range<u32>], plan: &Plan) -> Result<Self, LogError> {
        let mut logs =
            Self { format: RowFormat::new(Timestamp::UNIX_EPOCH), files: Vec::new(), firsts: Vec::new() };
        for part in parts {
            match plan.layout {
                Layout::Nowhere => {}
                Layout::Combined => {
                    logs.add(
                        plan,
                        VmId(part.start),
                        &combined_log_name(VmId(part.start), VmId(part.end - 1)),
                    )?;
                }
                Layout::PerVm => {
                    for vm in part.clone().map(VmId) {
                        logs.add(plan, vm, &vm_log_name(vm, scenario.schedule(vm).rate()))?;
                    }
                }
            }
        }
        Ok(logs)
    }

    fn add(&mut self, plan: &Plan, first: VmId, name: &str) -> Result<(), LogError> {
        self.files.push(LogFile::create(plan.folder.join(name))?);
        self.firsts.push(first);
        Ok(())
    }

    /// Whether the rows go nowhere.
    pub(super) const fn is_nowhere(&self) -> bool {
        self.files.is_empty()
    }

    /// Logs an event.
    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), LogError> {
        let after = self.firsts.partition_point(|first| *first <= record.vm);
        match after.checked_sub(1).and_then(|file| self.files.get_mut(file)) {
            Some(file) => {
                file.append(record, &mut self.format);
                if file.held() < HOLD { Ok(()) } else { file.flush() }
            }
            None => Ok(()),
        }
    }

    /// Closes them all.
    pub(super) fn close(self) -> impl Iterator<Item = Result<FileEntry, LogError>> {
        self.files.into_iter().map(LogFile::finish)
    }
}
