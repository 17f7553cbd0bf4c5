//! A workbook for spreadsheets: a sheet a machine with its events, and before them what stats measures, and clocks,
//! drift and queues over time with their charts.
//!
//! Cells have types, so nothing depends on anybody's language: numbers are numbers, times of day are times, and all else
//! is text, whatever it begins with. A number that a spreadsheet would round is text too, and so said.
//! Sheets go to temporary files as they grow; memory does not grow with the events.

mod course;

use jiff::Timestamp;
use rust_xlsxwriter::{Chart, ChartLine, ChartMarker, Format, Workbook, Worksheet, XlsxError};

use self::course::Courses;
use super::{Cause, Event, ExportError, Form};
use crate::log::{COLUMNS, Column, RowFormat};
use crate::stats::{MEASURES, Stats, TOTALS};
use crate::text::count;

/// The most events that a sheet has room for, beside its header.
const MOST_ROWS: u32 = 1_048_575;
/// The most machines that have a sheet each.
const MOST_SHEETS: usize = 200;
/// The most machines that have a line in a chart.
const MOST_LINES: usize = 24;
/// The most characters that a cell has room for.
const MOST_CHARACTERS: usize = 32_767;
/// The largest number up to which all are exact.
const EXACT: u64 = 1 << 53;
/// The columns that are text, whatever stands in them. What comes after them is text as well.
const TEXTS: [Column; 7] = [
    Column::Kind,
    Column::Vector,
    Column::Peers,
    Column::Message,
    Column::Lost,
    Column::Duplicated,
    Column::Payload,
];

/// Writes the workbook.
pub(super) struct Xlsx {
    stats: Stats,
    /// Whether only a part of the run is written, while the measures are of all of it.
    is_part: bool,
    workbook: Workbook,
    machines: Vec<Machine>,
    format: RowFormat,
    line: Vec<u8>,
    record: csv::ByteRecord,
    courses: Courses,
    time_of_day: Format,
    wide: u64,
    cut: u64,
    failure: Option<Failure>,
}

/// A machine's sheet.
struct Machine {
    /// Its place among the sheets.
    sheet: usize,
    rows: u32,
}

/// Why there is no workbook.
enum Failure {
    Xlsx(XlsxError),
    Rows(String),
    Sheets,
}

impl From<XlsxError> for Failure {
    fn from(error: XlsxError) -> Self {
        Self::Xlsx(error)
    }
}

/// The sheets before those of the machines.
const SUMMARY: usize = 0;
const COURSE: usize = 1;

impl Xlsx {
    pub(super) fn new(stats: Stats, is_part: bool) -> Self {
        let mut workbook = Workbook::new();
        workbook.add_worksheet();
        workbook.add_worksheet();
        Self {
            stats,
            is_part,
            workbook,
            machines: Vec::new(),
            format: RowFormat::new(Timestamp::UNIX_EPOCH),
            line: Vec::new(),
            record: csv::ByteRecord::new(),
            courses: Courses::default(),
            time_of_day: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
            wide: 0,
            cut: 0,
            failure: None,
        }
    }

    fn write(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        if event.machine == self.machines.len() {
            self.add_machine(event)?;
        }
        self.courses.add(event.machine, event.row);
        self.line.clear();
        self.format.again(event.row, &mut self.line);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&self.line[..]);
        let mut record = std::mem::take(&mut self.record);
        // A line that was just written can be read.
        let _ = reader.read_byte_record(&mut record);
        let machine = &mut self.machines[event.machine];
        if machine.rows == MOST_ROWS {
            return Err(Failure::Rows(event.row.vm.to_string()));
        }
        machine.rows += 1;
        let (row, sheet) = (machine.rows, machine.sheet);
        for (column, cell) in record.iter().enumerate() {
            self.cell(sheet, row, column, &String::from_utf8_lossy(cell), event)?;
        }
        self.record = record;
        Ok(())
    }

    fn add_machine(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        if self.machines.len() == MOST_SHEETS {
            return Err(Failure::Sheets);
        }
        let sheet = self.workbook.worksheets().len();
        let worksheet = self.workbook.add_worksheet_with_constant_memory()?;
        worksheet.set_name(format!("vm{}", event.row.vm))?.set_freeze_panes(1, 0)?;
        head(worksheet, &COLUMNS)?;
        let time_of_day = Column::SystemTime as usize;
        worksheet.set_column_width(narrow(time_of_day), 24)?;
        self.machines.push(Machine { sheet, rows: 0 });
        Ok(())
    }

    fn cell(
        &mut self,
        sheet: usize,
        row: u32,
        column: usize,
        cell: &str,
        event: &Event<'_>,
    ) -> Result<(), Failure> {
        let Some(worksheet) = self.workbook.worksheets_mut().get_mut(sheet) else { return Ok(()) };
        let at = narrow(column);
        if cell.is_empty() {
            return Ok(());
        }
        let is_text = column > Column::Payload as usize || TEXTS.iter().any(|text| *text as usize == column);
        if column == Column::Elapsed as usize {
            worksheet.write_number(row, at, event.row.elapsed.as_secs_f64())?;
        } else if column == Column::SystemTime as usize {
            match event.row.system_time.and_then(serial) {
                Some(days) => worksheet.write_number_with_format(row, at, days, &self.time_of_day)?,
                None => worksheet.write_string(row, at, cell)?,
            };
        } else if let Some(number) = cell.parse().ok().filter(|_| !is_text) {
            write_number(worksheet, row, at, number, &mut self.wide)?;
        } else {
            let text = if column == Column::Payload as usize { &event.row.payload } else { cell };
            // In a cell of its own type, a text needs no guard against being read as something else.
            let text = if column > Column::Payload as usize { text.trim_start_matches('\'') } else { text };
            write_text(worksheet, row, at, text, &mut self.cut)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.summary()?;
        self.course()?;
        out.extend_from_slice(&self.workbook.save_to_buffer()?);
        Ok(())
    }

    /// The measures: a row a machine, and below them those of the whole run with what they mean.
    fn summary(&mut self) -> Result<(), Failure> {
        let notes = self.told();
        let Self { stats, workbook, is_part, .. } = self;
        let Some(sheet) = workbook.worksheets_mut().get_mut(SUMMARY) else { return Ok(()) };
        sheet.set_name("summary")?.set_freeze_panes(1, 1)?.set_column_width(0, 24)?;
        let names: Vec<&str> =
            std::iter::once("vm").chain(MEASURES.iter().map(|measure| measure.name)).collect();
        head(sheet, &names)?;
        let mut row = 1;
        for (vm, values) in &stats.machines {
            sheet.write_number(row, 0, vm.0)?;
            for (column, value) in values.iter().enumerate() {
                value.map(|value| sheet.write_number(row, narrow(column + 1), value)).transpose()?;
            }
            row += 1;
        }
        row += 1;
        let whole = if *is_part { "the whole run, of which this is a part" } else { "the whole run" };
        sheet.write_string_with_format(row, 0, whole, &Format::new().set_bold())?;
        for (total, value) in TOTALS.iter().zip(&stats.totals) {
            let Some(value) = value else { continue };
            row += 1;
            sheet.write_string(row, 0, total.name)?.write_number(row, 1, *value)?;
            sheet.write_string(row, 2, total.meaning)?;
        }
        row += 1;
        for note in notes.iter().chain(&stats.warnings) {
            row += 1;
            sheet.write_string(row, 0, note)?;
        }
        row += 1;
        for measure in MEASURES {
            row += 1;
            sheet.write_string(row, 0, measure.name)?.write_string(row, 2, measure.meaning)?;
        }
        Ok(())
    }

    /// Clocks, drift and queues at equal times, a column a machine, and their charts beside them.
    fn course(&mut self) -> Result<(), Failure> {
        let table = self.courses.table();
        let Some(sheet) = self.workbook.worksheets_mut().get_mut(COURSE) else { return Ok(()) };
        sheet.set_name("over time")?.set_freeze_panes(1, 1)?;
        let lines = table.machines.len().min(MOST_LINES);
        let kinds = ["clock", "drift", "queue"];
        let mut names = vec![Column::Elapsed.name().to_owned()];
        for kind in kinds {
            names.extend(table.machines[..lines].iter().map(|vm| format!("{kind} vm{vm}")));
        }
        head(sheet, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
        for (row, (at, points)) in (1..).zip(&table.rows) {
            sheet.write_number(row, 0, *at)?;
            let largest = points.iter().flatten().map(|(clock, _)| *clock).max().unwrap_or(0);
            for (line, point) in points[..lines].iter().enumerate() {
                let Some((clock, queue)) = point else { continue };
                let drift = -exact(largest - clock);
                for (kind, value) in [exact(*clock), drift, f64::from(*queue)].into_iter().enumerate() {
                    sheet.write_number(row, narrow(1 + kind * lines + line), value)?;
                }
            }
        }
        let last = u32::try_from(table.rows.len()).unwrap_or(u32::MAX);
        let titles = ["Lamport clocks", "drift from the largest clock", "waiting messages"];
        for (kind, title) in titles.iter().enumerate() {
            let first = 1 + kind * lines;
            let chart = chart(title, first..first + lines, last);
            sheet.insert_chart(narrow(1 + kind * 20).into(), narrow(names.len() + 1), &chart)?;
        }
        Ok(())
    }

    /// What a person should know of the workbook.
    fn told(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.wide > 0 {
            notes.push(format!(
                "{} beyond 2^53 are text, since a spreadsheet would round them",
                count(self.wide, "numbers")
            ));
        }
        if self.cut > 0 {
            let texts = count(self.cut, "texts");
            notes.push(format!("{texts} were cut to the {MOST_CHARACTERS} characters that a cell holds; --format csv has them whole"));
        }
        if self.machines.len() > MOST_LINES {
            notes.push(format!("the charts show the first {MOST_LINES} of {} machines", self.machines.len()));
        }
        notes
    }
}

impl Form for Xlsx {
    type Stamp = ();

    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn event(&mut self, event: &Event<'_>, _: Cause<'_, ()>, _: &mut Vec<u8>) {
        if self.failure.is_none() {
            self.failure = self.write(event).err();
        }
    }

    fn stamp(&mut self, _: &Event<'_>) {}

    fn end(&mut self, _: &[(crate::event::MessageId, crate::id::VmId)], out: &mut Vec<u8>) {
        if self.failure.is_none() {
            self.failure = self.finish(out).err();
        }
    }

    fn notes(&self) -> Vec<String> {
        self.told()
    }

    fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn failure(&mut self) -> Option<ExportError> {
        let why = match self.failure.take()? {
            Failure::Xlsx(error) => error.to_string(),
            Failure::Rows(vm) => format!(
                "machine {vm} has more than {MOST_ROWS} events, which is what a sheet has room for: take a part with --window, \
                 or --format csv or jsonl, which have no end"
            ),
            Failure::Sheets => format!(
                "the run has more than {MOST_SHEETS} machines, each of which would have a sheet: --format csv and jsonl have one \
                 table for all"
            ),
        };
        Some(ExportError::Workbook(why))
    }
}

/// A place among columns.
fn narrow(column: usize) -> u16 {
    u16::try_from(column).unwrap_or(u16::MAX)
}

fn head(sheet: &mut Worksheet, names: &[&str]) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    for (column, name) in names.iter().enumerate() {
        sheet.write_string_with_format(0, narrow(column), *name, &bold)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "what is rounded is written as text where it counts")]
const fn exact(number: u64) -> f64 {
    number as f64
}

fn write_number(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    number: u64,
    wide: &mut u64,
) -> Result<(), XlsxError> {
    if number <= EXACT {
        sheet.write_number(row, column, exact(number))?;
    } else {
        *wide += 1;
        sheet.write_string(row, column, number.to_string())?;
    }
    Ok(())
}

fn write_text(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    text: &str,
    cut: &mut u64,
) -> Result<(), XlsxError> {
    if text.chars().count() <= MOST_CHARACTERS {
        sheet.write_string(row, column, text)?;
    } else {
        *cut += 1;
        sheet.write_string(row, column, text.chars().take(MOST_CHARACTERS).collect::<String>())?;
    }
    Ok(())
}

/// A time of day as spreadsheets count: days since the end of 1899. They know none before 1900.
fn serial(time: Timestamp) -> Option<f64> {
    const TO_1970: f64 = 25_569.0;
    #[expect(clippy::cast_precision_loss, reason = "a microsecond is what rows have")]
    let days = time.as_microsecond() as f64 / 86_400e6 + TO_1970;
    (days >= 1.0).then_some(days)
}

/// A line a machine, over time.
fn chart(title: &str, columns: std::ops::Range<usize>, last: u32) -> Chart {
    let mut chart = Chart::new_scatter();
    for column in columns.map(narrow) {
        let series = chart.add_series();
        series.set_name(("over time", 0, column));
        series.set_categories(("over time", 1, 0, last, 0));
        series.set_values(("over time", 1, column, last, column));
        series.set_marker(ChartMarker::new().set_none());
        series.set_format(ChartLine::new().set_width(1.5));
    }
    chart.title().set_name(title);
    chart.x_axis().set_name("seconds").set_min(0);
    chart.set_width(760).set_height(380);
    chart
}
