//! The logs of one shard: many rows to a write, since nothing is lost that could not be made again.
//!
//! So the logs do not grow together. Which of them has held its rows for the longest tells how far all of them go.

use std::collections::VecDeque;
use std::ops::Range;

use jiff::Timestamp;

use crate::clock::ClockList;
use crate::edge::driver::Plan;
use crate::edge::log::{FileEntry, Layout, LogError, LogFile, RowFormat, combined_log_name, vm_log_name};
use crate::model::event::Record;
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::time::Nanos;

/// Bytes that a log holds before they are written.
const HOLD: usize = 64 * 1024;

/// Where a shard's machines are logged.
#[derive(Debug)]
pub(super) struct Logs {
    format: RowFormat,
    clocks: ClockList,
    files: Vec<LogFile>,
    /// The first machine of the shard.
    first: VmId,
    /// Where machines share files, the file of each: a row that searched for it would do so among few files whose
    /// order no processor can guess.
    places: Box<[u8]>,
    are_shared: bool,
    /// When the window starts whose rows are being made.
    now: Nanos,
    /// By file: the start of the window of the first row that it holds, where it holds any.
    held_since: Vec<Option<Nanos>>,
    /// The files in the order in which they began to hold rows. One that has been written since is no longer due.
    oldest: VecDeque<(Nanos, usize)>,
    /// Whether a file has been full since somebody asked.
    was_full: bool,
}

impl Logs {
    /// Makes the logs of the machines of these parts.
    pub(super) fn create(scenario: &Scenario, parts: &[Range<u32>], plan: &Plan) -> Result<Self, LogError> {
        let mut logs = Self {
            format: RowFormat::new(Timestamp::UNIX_EPOCH, scenario.clocks()),
            clocks: scenario.clocks().clone(),
            files: Vec::new(),
            first: VmId(parts.first().map_or(0, |part| part.start)),
            places: Box::default(),
            are_shared: plan.layout == Layout::Combined,
            now: Nanos::ZERO,
            held_since: Vec::new(),
            oldest: VecDeque::new(),
            was_full: false,
        };
        let mut places = Vec::new();
        for (place, part) in (0u8..).zip(parts) {
            match plan.layout {
                Layout::Nowhere => {}
                Layout::Combined => {
                    logs.add(plan, &combined_log_name(VmId(part.start), VmId(part.end - 1)))?;
                    places.extend(part.clone().map(|_| place));
                }
                Layout::PerVm => {
                    for vm in part.clone().map(VmId) {
                        logs.add(plan, &vm_log_name(vm, scenario.schedule(vm).rate()))?;
                    }
                }
            }
        }
        logs.places = places.into();
        Ok(logs)
    }

    fn add(&mut self, plan: &Plan, name: &str) -> Result<(), LogError> {
        self.files.push(LogFile::create(plan.folder.join(name), &self.clocks)?);
        self.held_since.push(None);
        Ok(())
    }

    /// Whether the rows go nowhere.
    pub(super) const fn is_nowhere(&self) -> bool {
        self.files.is_empty()
    }

    /// The rows from now on are of a window that starts then.
    pub(super) const fn begin(&mut self, window: Nanos) {
        self.now = window;
    }

    /// Whether machines share a log, in which the order of their rows is seen.
    pub(super) const fn are_shared(&self) -> bool {
        self.are_shared
    }

    #[inline(always)]
    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), LogError> {
        let machine = (record.vm.0 - self.first.0) as usize;
        let index = if self.are_shared { usize::from(self.places[machine]) } else { machine };
        if self.files[index].held() == 0 {
            self.hold_from_now(index);
        }
        let file = &mut self.files[index];
        file.append(record, &mut self.format);
        if file.held() < HOLD { Ok(()) } else { self.write_full(index) }
    }

    #[cold]
    fn hold_from_now(&mut self, index: usize) {
        self.held_since[index] = Some(self.now);
        self.oldest.push_back((self.now, index));
    }

    #[cold]
    fn write_full(&mut self, index: usize) -> Result<(), LogError> {
        self.was_full = true;
        self.write(index)
    }

    /// Whether a file was full and has been written since this was asked last.
    pub(super) const fn take_was_full(&mut self) -> bool {
        std::mem::replace(&mut self.was_full, false)
    }

    /// The start of the earliest window of which a row is still held; none where no row is.
    pub(super) fn frontier(&mut self) -> Option<Nanos> {
        self.find_oldest().map(|(since, _)| since)
    }

    /// Writes the file that holds the earliest rows: one that is seldom full holds all others back.
    pub(super) fn write_oldest(&mut self) -> Result<(), LogError> {
        self.find_oldest().map_or(Ok(()), |(_, index)| self.write(index))
    }

    fn find_oldest(&mut self) -> Option<(Nanos, usize)> {
        while let Some((since, index)) = self.oldest.front().copied() {
            if self.held_since[index] == Some(since) {
                return Some((since, index));
            }
            self.oldest.pop_front();
        }
        None
    }

    fn write(&mut self, index: usize) -> Result<(), LogError> {
        // Rows that cannot be written hold the others back for ever.
        self.files[index].flush()?;
        self.held_since[index] = None;
        Ok(())
    }

    pub(super) fn close(self) -> impl Iterator<Item = Result<FileEntry, LogError>> {
        self.files.into_iter().map(LogFile::finish)
    }
}
