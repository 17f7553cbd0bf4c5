//! A machine's sheet: a row an event, with the columns of its log.

use jiff::Timestamp;
use rust_xlsxwriter::{Format, Worksheet, XlsxError};

use crate::clock::ClockList;
use crate::edge::log::{ClockCell, Column, Row, RowFormat, clock_cells, columns, json_list};
use crate::model::id::VmId;
use crate::model::text::count;

/// The most characters that a cell has room for.
const MOST_CHARACTERS: usize = 32_767;
/// The largest number all of whose digits are shown: spreadsheets have fifteen.
const EXACT: u64 = 999_999_999_999_999;
/// The most characters that a column shows at once.
const WIDEST: usize = 48;

pub(super) struct Styles {
    pub(super) head: Format,
    whole: Format,
    seconds: Format,
    time_of_day: Format,
    /// Its left edge stands apart from the right edge of a number beside it.
    text: Format,
}

impl Styles {
    pub(super) fn new() -> Self {
        let numbers = |form: &str| Format::new().set_num_format(form);
        Self {
            head: Format::new().set_bold(),
            whole: numbers("0"),
            seconds: numbers("0.000000000"),
            time_of_day: numbers("yyyy-mm-dd hh:mm:ss.000"),
            text: numbers("@").set_indent(1),
        }
    }
}

/// What did not fit into cells as it was.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Numbers that became text.
    wide: u64,
    /// Texts that were cut.
    cut: u64,
}

impl Told {
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.wide > 0 {
            let numbers = count(self.wide, "numbers");
            notes.push(format!(
                "{numbers} of more than 15 digits became text, since a spreadsheet would round them"
            ));
        }
        if self.cut > 0 {
            let texts = count(self.cut, "texts");
            notes.push(format!(
                "{texts} were cut to the {MOST_CHARACTERS} characters that a cell holds; setting `format = csv` has them whole"
            ));
        }
        notes
    }
}

pub(super) struct Sheet {
    /// Its place among the sheets.
    index: usize,
    rows: u32,
    /// The characters of the widest cell of each column.
    widths: Vec<usize>,
    /// The columns, in their order.
    columns: Vec<Column>,
}

impl Sheet {
    pub(super) fn begin(
        worksheet: &mut Worksheet,
        index: usize,
        vm: VmId,
        clocks: &ClockList,
        styles: &Styles,
    ) -> Result<Self, XlsxError> {
        worksheet.set_name(format!("vm{vm}"))?.set_freeze_panes(1, 0)?;
        let columns = columns(clocks);
        let names: Vec<_> = columns.iter().map(|column| column.name()).collect();
        head(worksheet, names.iter().map(|name| &**name), styles)?;
        let widths = names.iter().map(|name| name.len()).collect();
        Ok(Self { index, rows: 0, widths, columns })
    }

    pub(super) const fn index(&self) -> usize {
        self.index
    }

    pub(super) const fn rows(&self) -> u32 {
        self.rows
    }

    pub(super) fn row(
        &mut self,
        worksheet: &mut Worksheet,
        row: &Row,
        styles: &Styles,
        told: &mut Told,
    ) -> Result<(), XlsxError> {
        self.rows += 1;
        let mut cells = Cells {
            worksheet,
            row: self.rows,
            widths: &mut self.widths,
            columns: &self.columns,
            styles,
            told,
        };
        cells.whole(Column::Vm, Some(row.vm.0.into()))?;
        cells.whole(Column::Event, Some(row.event))?;
        cells.text(Column::Kind, row.kind.name())?;
        cells.seconds(Column::Elapsed, row.elapsed.as_secs_f64())?;
        cells.time_of_day(row.system_time)?;
        cells.whole(Column::Lamport, Some(row.lamport))?;
        cells.clocks(row, true)?;
        cells.text(Column::Peers, &json_list(&row.peers))?;
        cells.text(Column::Message, &row.message.map(|message| message.to_string()).unwrap_or_default())?;
        cells.whole(Column::SenderLamport, row.sender_lamport)?;
        cells.whole(Column::Queue, row.queue.map(u64::from))?;
        cells.text(Column::Lost, &json_list(&row.lost))?;
        cells.text(Column::Duplicated, &json_list(&row.duplicated))?;
        // In a cell that is text by its type, nothing needs a guard.
        cells.text(Column::Payload, &row.payload)?;
        cells.text(Column::Mark, &row.mark)?;
        cells.clocks(row, false)
    }

    /// Makes columns as wide as what stands in them, and pages for a printer.
    pub(super) fn finish(&self, worksheet: &mut Worksheet) -> Result<(), XlsxError> {
        for (column, width) in (0..).zip(self.widths.iter().copied()) {
            set_width(worksheet, column, width)?;
        }
        worksheet.set_landscape().set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
        Ok(())
    }
}

/// The cells of one row.
struct Cells<'a> {
    worksheet: &'a mut Worksheet,
    row: u32,
    widths: &'a mut [usize],
    columns: &'a [Column],
    styles: &'a Styles,
    told: &'a mut Told,
}

impl Cells<'_> {
    /// The column's place in the sheet.
    fn at(&self, column: Column) -> usize {
        self.columns.iter().position(|other| *other == column).unwrap_or(0)
    }

    /// The cells of the standard clocks, or of the others.
    fn clocks(&mut self, row: &Row, are_standard: bool) -> Result<(), XlsxError> {
        for (column, cell) in clock_cells(&row.clocks, are_standard) {
            match cell {
                ClockCell::Nothing => {}
                ClockCell::Number(word) => self.whole(Column::Clock(column), Some(word))?,
                ClockCell::List(_) | ClockCell::Square(_) | ClockCell::Large(_) => {
                    self.text(Column::Clock(column), &cell.to_string())?;
                }
            }
        }
        Ok(())
    }

    fn whole(&mut self, column: Column, number: Option<u64>) -> Result<(), XlsxError> {
        let Some(number) = number else { return Ok(()) };
        if number > EXACT {
            self.told.wide += 1;
            return self.text(column, &number.to_string());
        }
        self.widen(column, number.checked_ilog10().unwrap_or(0) as usize + 1);
        self.number(column, exact(number), &self.styles.whole)
    }

    fn seconds(&mut self, column: Column, seconds: f64) -> Result<(), XlsxError> {
        self.widen(column, 16);
        self.number(column, seconds, &self.styles.seconds)
    }

    fn time_of_day(&mut self, time: Option<Timestamp>) -> Result<(), XlsxError> {
        let Some(time) = time else { return Ok(()) };
        if let Some(days) = serial(time) {
            self.widen(Column::SystemTime, 23);
            return self.number(Column::SystemTime, days, &self.styles.time_of_day);
        }
        let mut text = Vec::new();
        RowFormat::new(Timestamp::UNIX_EPOCH, &ClockList::LAMPORT).time_of_day(time, &mut text);
        self.text(Column::SystemTime, &String::from_utf8_lossy(&text))
    }

    fn number(&mut self, column: Column, number: f64, style: &Format) -> Result<(), XlsxError> {
        self.worksheet.write_number_with_format(self.row, place(self.at(column)), number, style)?;
        Ok(())
    }

    fn text(&mut self, column: Column, text: &str) -> Result<(), XlsxError> {
        if text.is_empty() {
            return Ok(());
        }
        let at = place(self.at(column));
        // A character beyond the first 65,536 counts as two there.
        let characters = text.encode_utf16().count();
        self.widen(column, characters);
        self.told.cut += u64::from(characters > MOST_CHARACTERS);
        self.worksheet.write_string_with_format(self.row, at, cut(text), &self.styles.text)?;
        Ok(())
    }

    fn widen(&mut self, column: Column, characters: usize) {
        let at = self.at(column);
        let width = &mut self.widths[at];
        *width = characters.max(*width);
    }
}

/// As much of a text as a cell has room for.
fn cut(text: &str) -> &str {
    let mut room = MOST_CHARACTERS;
    let too_much = text.char_indices().find(|(_, char)| match room.checked_sub(char.len_utf16()) {
        Some(rest) => {
            room = rest;
            false
        }
        None => true,
    });
    too_much.map_or(text, |(end, _)| &text[..end])
}

/// Writes the first row.
pub(super) fn head<'a>(
    worksheet: &mut Worksheet,
    names: impl IntoIterator<Item = &'a str>,
    styles: &Styles,
) -> Result<(), XlsxError> {
    for (column, name) in (0..).zip(names) {
        worksheet.write_string_with_format(0, column, name, &styles.head)?;
    }
    Ok(())
}

/// Makes a column wide enough for so many characters.
pub(super) fn set_width(worksheet: &mut Worksheet, column: u16, characters: usize) -> Result<(), XlsxError> {
    let characters = u32::try_from(characters.clamp(4, WIDEST)).unwrap_or(u32::MAX);
    worksheet.set_column_width(column, f64::from(characters) + 3.0)?;
    Ok(())
}

/// A place among columns.
pub(super) fn place(column: usize) -> u16 {
    u16::try_from(column).unwrap_or(u16::MAX)
}

/// A number of no more than fifteen digits as spreadsheets have it.
#[expect(clippy::cast_precision_loss, reason = "what would be rounded is written as text")]
pub(super) const fn exact(number: u64) -> f64 {
    number as f64
}

/// A time of day as spreadsheets count: days since the end of 1899. They do not agree on the first two months of
/// 1900, and know none before.
fn serial(time: Timestamp) -> Option<f64> {
    const TO_1970: f64 = 25_569.0;
    const MARCH_1900: f64 = 61.0;
    #[expect(clippy::cast_precision_loss, reason = "a microsecond is what rows have")]
    let days = time.as_microsecond() as f64 / 86_400e6 + TO_1970;
    (days >= MARCH_1900).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_where_a_cell_is_full() {
        let fits = "x".repeat(MOST_CHARACTERS);
        assert_eq!(cut(&fits), fits);
        assert_eq!(cut(&format!("{fits}y")), fits);
        let wide = "\u{1f600}".repeat(MOST_CHARACTERS);
        assert_eq!(cut(&wide).encode_utf16().count(), MOST_CHARACTERS - 1);
    }

    #[test]
    fn times_of_day_are_days_that_all_spreadsheets_agree_on() {
        let days = |time: &str| serial(time.parse().unwrap());
        assert_eq!(days("1970-01-01T00:00:00Z"), Some(25_569.0));
        assert_eq!(days("2026-03-01T12:00:00Z"), Some(46_082.5));
        assert_eq!(days("1900-03-01T00:00:00Z"), Some(61.0));
        assert_eq!(days("1900-02-28T00:00:00Z"), None);
        assert_eq!(days("1800-01-01T00:00:00Z"), None);
    }
}
