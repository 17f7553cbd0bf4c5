//! One table of all machines' events, with the columns of a log, and the separators that a spreadsheet's language asks
//! for.

use jiff::Timestamp;

use super::{Cause, Event, Form};
use crate::clock::ClockList;
use crate::edge::log::{Column, RowFormat, columns};
use crate::model::text::words;

words! {
    /// What stands before the decimals of a number.
    pub(crate) enum Decimal {
        /// As programs write numbers: 0.5.
        Dot = "dot",
        /// As spreadsheets in much of Europe read numbers: 0,5.
        Comma = "comma",
    }
}

words! {
    /// What stands between cells.
    pub(crate) enum Separator {
        /// As RFC 4180 has it; then decimals take a dot.
        Comma = "comma",
        /// What spreadsheets expect where decimals take a comma.
        Semicolon = "semicolon",
        /// For what splits at tabs, such as `cut`.
        Tab = "tab",
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// What stands before decimals.
    pub decimal: Decimal,
    /// What stands between cells.
    pub separator: Separator,
}

impl Default for Style {
    /// As clocklab's own logs are written: dots, and commas between cells.
    fn default() -> Self {
        Self { decimal: Decimal::Dot, separator: Separator::Comma }
    }
}

impl Separator {
    const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }
}

#[derive(Debug)]
pub(super) struct Csv {
    format: RowFormat,
    style: Style,
    /// The place of the column with decimals.
    elapsed: Option<usize>,
    /// A line in a log's own style, and its cells.
    line: Vec<u8>,
    record: csv::ByteRecord,
}

impl Csv {
    pub(super) fn new(style: Style) -> Self {
        // Rows have their time of day; the start is needed for those that a run makes.
        let format = RowFormat::new(Timestamp::UNIX_EPOCH, &ClockList::LAMPORT);
        Self { format, style, elapsed: None, line: Vec::new(), record: csv::ByteRecord::new() }
    }

    /// Writes the line again in the style that is asked for.
    fn restyle(&mut self, out: &mut Vec<u8>) {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&self.line[..]);
        // A line that was just written can be read.
        let _ = reader.read_byte_record(&mut self.record);
        let separator = self.style.separator.byte();
        for (column, cell) in self.record.iter().enumerate() {
            if column > 0 {
                out.push(separator);
            }
            let has_decimals = Some(column) == self.elapsed && self.style.decimal == Decimal::Comma;
            let needs_quotes = |byte: &u8| *byte == separator || matches!(byte, b'"' | b'\n' | b'\r');
            if has_decimals {
                out.extend(cell.iter().map(|byte| if *byte == b'.' { b',' } else { *byte }));
            } else if cell.iter().any(needs_quotes) {
                // RFC 4180, section 2, rules 6 and 7: such a cell stands in quotes, and its own are doubled.
                out.push(b'"');
                for byte in cell {
                    out.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
                }
                out.push(b'"');
            } else {
                out.extend_from_slice(cell);
            }
        }
        out.push(b'\n');
    }
}

impl Form for Csv {
    type Stamp = ();

    fn begin(&mut self, clocks: &ClockList, out: &mut Vec<u8>) {
        self.format = RowFormat::new(Timestamp::UNIX_EPOCH, clocks);
        self.elapsed = columns(clocks).iter().position(|column| *column == Column::Elapsed);
        self.line.clear();
        RowFormat::header(clocks, &mut self.line);
        self.restyle(out);
    }

    fn event(&mut self, event: &Event<'_>, _: Cause<'_, ()>, out: &mut Vec<u8>) {
        if self.style == Style::default() {
            self.format.again(event.row, out);
            return;
        }
        self.line.clear();
        self.format.again(event.row, &mut self.line);
        self.restyle(out);
    }

    fn stamp(&mut self, _: &Event<'_>) {}
}
