//! A workbook for spreadsheets: a sheet a machine with its events, and before them what stats measures, and clocks,
//! drift and queues over time with their charts.
//!
//! Cells have types, so nothing depends on anybody's language: numbers are numbers, times of day are times, and all else
//! is text, whatever it begins with. A number that a spreadsheet would round is text too, and so said.
//! Sheets go to temporary files as they grow; of a run with many events only the packed workbook is in memory.

mod course;
mod overview;
mod sheet;

use rust_xlsxwriter::{Workbook, XlsxError};

use self::course::Courses;
use self::sheet::{Sheet, Styles, Told};
use super::{Cause, Event, ExportError, Form};
use crate::after::stats::Stats;
use crate::clock::ClockList;
use crate::edge::panics;
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// The most events that a sheet has room for, beside its header.
const MOST_ROWS: u32 = 1_048_575;
/// The most machines that have a sheet each.
const MOST_SHEETS: usize = 200;

pub(super) struct Xlsx {
    stats: Stats,
    /// Whether only a part of the run is written, while the measures are of all of it.
    is_part: bool,
    workbook: Workbook,
    machines: Vec<Sheet>,
    courses: Courses,
    styles: Styles,
    told: Told,
    failure: Option<SheetFailure>,
}

/// Why there is no workbook.
enum SheetFailure {
    Xlsx(XlsxError),
    /// A machine has more events than a sheet has room for.
    Rows(VmId),
    /// There are more machines than sheets.
    Sheets,
    /// A temporary file takes no more.
    Temporary,
}

impl From<XlsxError> for SheetFailure {
    fn from(error: XlsxError) -> Self {
        Self::Xlsx(error)
    }
}

impl Xlsx {
    pub(super) fn new(stats: Stats, is_part: bool) -> Self {
        let mut workbook = Workbook::new();
        for _ in overview::SHEETS {
            workbook.add_worksheet();
        }
        Self {
            stats,
            is_part,
            workbook,
            machines: Vec::new(),
            courses: Courses::default(),
            styles: Styles::new(),
            told: Told::default(),
            failure: None,
        }
    }

    /// Does something with the workbook unless it has failed before.
    fn try_to(&mut self, act: impl FnOnce(&mut Self) -> Result<(), SheetFailure>) {
        if self.failure.is_some() {
            return;
        }
        // Where a temporary file takes no more, the crate that writes the workbook knows nothing but to panic.
        let outcome = panics::quietly(|| act(self));
        self.failure = outcome.unwrap_or(Err(SheetFailure::Temporary)).err();
    }

    fn write(&mut self, event: &Event<'_>) -> Result<(), SheetFailure> {
        if event.machine == self.machines.len() {
            if self.machines.len() == MOST_SHEETS {
                return Err(SheetFailure::Sheets);
            }
            let index = self.workbook.worksheets().len();
            let worksheet = self.workbook.add_worksheet_with_constant_memory()?;
            self.machines.push(Sheet::begin(
                worksheet,
                index,
                event.row.vm,
                event.row.clocks.list(),
                &self.styles,
            )?);
        }
        self.courses.add(event.machine, event.row);
        let sheet = &mut self.machines[event.machine];
        if sheet.rows() == MOST_ROWS {
            return Err(SheetFailure::Rows(event.row.vm));
        }
        let Some(worksheet) = self.workbook.worksheets_mut().get_mut(sheet.index()) else { return Ok(()) };
        Ok(sheet.row(worksheet, event.row, &self.styles, &mut self.told)?)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), SheetFailure> {
        let notes = self.notes();
        let Self { stats, is_part, workbook, machines, courses, styles, .. } = self;
        let sheets = workbook.worksheets_mut();
        for sheet in machines {
            if let Some(worksheet) = sheets.get_mut(sheet.index()) {
                sheet.finish(worksheet)?;
            }
        }
        let [summary, charts, over_time, ..] = sheets.as_mut_slice() else { return Ok(()) };
        overview::summary(summary, stats, &notes, *is_part, styles)?;
        overview::courses(over_time, charts, &courses.table(), styles)?;
        out.extend_from_slice(&workbook.save_to_buffer()?);
        Ok(())
    }
}

impl Form for Xlsx {
    type Stamp = ();

    fn begin(&mut self, _: &ClockList, _: &mut Vec<u8>) {}

    fn event(&mut self, event: &Event<'_>, _: Cause<'_, ()>, _: &mut Vec<u8>) {
        self.try_to(|workbook| workbook.write(event));
    }

    fn stamp(&mut self, _: &Event<'_>) {}

    fn end(&mut self, _: &[(MessageId, VmId)], out: &mut Vec<u8>) {
        self.try_to(|workbook| workbook.finish(out));
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.told.notes();
        let (machines, most) = (self.machines.len(), overview::MOST_LINES);
        if machines > most {
            notes.push(format!("the charts show the first {most} of {machines} machines"));
        }
        notes
    }

    fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn failure(&mut self) -> Option<ExportError> {
        let why = match self.failure.take()? {
            SheetFailure::Xlsx(error) => error.to_string(),
            SheetFailure::Rows(vm) => format!(
                "machine {vm} has more than {MOST_ROWS} events, which is what a sheet has room for: take a part with \
                 setting `window`, or setting `format = csv` or jsonl, which have no end"
            ),
            SheetFailure::Sheets => format!(
                "the run has more than {MOST_SHEETS} machines, each of which would have a sheet: setting `format = csv` and jsonl \
                 have one table for all"
            ),
            SheetFailure::Temporary => format!(
                "its temporary files in {} take no more, perhaps since the disk is full: let TMPDIR name another folder, or \
                 take setting `format = csv` or jsonl",
                std::env::temp_dir().display()
            ),
        };
        Some(ExportError::Workbook(why))
    }
}
