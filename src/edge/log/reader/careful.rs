//! The careful way through a row: columns in any order, quotes, and words for what is wrong.

use super::Row;
use super::cells::Cells;
use super::time_of_day::TimeOfDay;
use super::values::{hybrid, items, kind, machine, message, narrow, seconds, whole};
use crate::clock::HybridStamp;
use crate::edge::log::Schema;
use crate::edge::log::cell::unguarded;
use crate::edge::log::row::{COLUMNS, Column};
use crate::model::time::Nanos;

/// A cell that holds what it cannot hold.
pub(super) struct Wrong {
    pub(super) column: Column,
    pub(super) expected: &'static str,
}

pub(super) const NUMBER: &str = "a whole number";
pub(super) const MACHINE: &str = "the number of a machine, from 0 to 4294967295";
pub(super) const MACHINES: &str = "numbers of machines as a JSON list such as [1,2], or nothing";

/// One line's cells on their way into a row.
pub(super) struct Parser<'a> {
    pub(super) cells: &'a Cells,
    pub(super) places: &'a [Option<usize>; COLUMNS.len()],
    pub(super) schema: Schema,
    pub(super) text: &'a [u8],
}

impl Parser<'_> {
    #[inline]
    pub(super) fn cell(&self, column: Column) -> &[u8] {
        self.places[column as usize].map_or(&[], |place| self.cells.cell(place, self.text))
    }

    /// Whether its hybrid clock lost the end that `l.0` has.
    pub(super) fn has_hlc_as_number(&self) -> bool {
        let cell = self.cell(Column::Hlc);
        self.schema == Schema::First && !cell.is_empty() && cell.iter().all(u8::is_ascii_digit)
    }

    /// Whether a cell is in a form that no log is written in, but one that another program saved again.
    pub(super) fn is_saved_again(&self) -> bool {
        const NUMBERS: [Column; 6] = [
            Column::Vm,
            Column::Event,
            Column::Lamport,
            Column::HlcCount,
            Column::SenderLamport,
            Column::Queue,
        ];
        const LISTS: [Column; 4] = [Column::Vector, Column::Peers, Column::Lost, Column::Duplicated];
        let (elapsed, time) = (self.cell(Column::Elapsed), self.cell(Column::SystemTime));
        let is_time = matches!(time, [.., b'.', _, _, _, _, _, _, b'Z'] if time.get(10) == Some(&b'T'));
        let has = |columns: &[Column], is_odd: fn(&u8) -> bool| {
            columns.iter().any(|column| self.cell(*column).iter().any(is_odd))
        };
        elapsed.len() < 11
            || elapsed[elapsed.len() - 10] != b'.'
            || !(time.is_empty() || is_time)
            || has(&NUMBERS, |byte| !byte.is_ascii_digit())
            || has(&LISTS, |byte| matches!(byte, b' ' | b'.'))
            || (self.schema == Schema::Second && has(&[Column::Hlc], |byte| !byte.is_ascii_digit()))
            || self.has_hlc_as_number()
    }

    pub(super) fn fill(&self, row: &mut Row, time: &mut TimeOfDay) -> Result<(), Wrong> {
        row.vm = self.one(Column::Vm, MACHINE, machine)?;
        row.event = self.one(Column::Event, NUMBER, whole)?;
        row.kind = self.one(Column::Kind, "internal, send or receive", kind)?;
        row.elapsed =
            self.one(Column::Elapsed, "seconds with up to 9 decimals, such as 1.500000000", seconds)?;
        row.system_time = self.maybe(
            Column::SystemTime,
            "a time of day in UTC, such as 2026-03-01T12:00:00.000000Z",
            |cell| time.parse(cell),
        )?;
        row.lamport = self.one(Column::Lamport, NUMBER, whole)?;
        self.list(
            Column::Vector,
            "whole numbers as a JSON list such as [5,12,0], or nothing",
            whole,
            &mut row.vector,
        )?;
        row.hybrid = self.hybrid()?;
        row.hlc_is_number = self.schema == Schema::First;
        self.list(Column::Peers, MACHINES, machine, &mut row.peers)?;
        row.message =
            self.maybe(Column::Message, "a message as vm<sender>-<event of the send>, or nothing", message)?;
        row.sender_lamport = self.maybe(Column::SenderLamport, "a whole number, or nothing", whole)?;
        row.queue = match self.places[Column::Queue as usize] {
            Some(_) => Some(self.one(Column::Queue, "a whole number up to 4294967295", narrow)?),
            None => None,
        };
        self.list(Column::Lost, MACHINES, machine, &mut row.lost)?;
        self.list(Column::Duplicated, MACHINES, machine, &mut row.duplicated)?;
        self.text(Column::Payload, &mut row.payload)?;
        self.text(Column::Mark, &mut row.mark)
    }

    /// In the first schema both parts stand in one cell.
    fn hybrid(&self) -> Result<Option<HybridStamp>, Wrong> {
        if self.schema == Schema::First {
            return self.maybe(Column::Hlc, "two whole numbers as l.c, or nothing", hybrid);
        }
        let l = self.maybe(Column::Hlc, "a whole number, or nothing", whole)?;
        let c = self.maybe(Column::HlcCount, "a whole number, or nothing", whole)?;
        let wrong = |column, expected| Err(Wrong { column, expected });
        match (l, c) {
            (None, None) => Ok(None),
            (Some(l), Some(c)) => Ok(Some(HybridStamp { l: Nanos::new(l), c })),
            (Some(_), None) => wrong(Column::HlcCount, "a whole number, as hlc has one"),
            (None, Some(_)) => wrong(Column::Hlc, "a whole number, as hlc_count has one"),
        }
    }

    fn text(&self, column: Column, into: &mut String) -> Result<(), Wrong> {
        into.clear();
        let cell = self.cell(column);
        if !cell.is_empty() {
            let cell = if self.schema == Schema::First { cell } else { unguarded(as_written(cell)) };
            let wrong = |_utf8_error| Wrong { column, expected: "a text in UTF-8" };
            into.push_str(str::from_utf8(cell).map_err(wrong)?);
        }
        Ok(())
    }

    #[inline]
    fn one<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, Wrong> {
        parse(self.cell(column)).ok_or(Wrong { column, expected })
    }

    #[inline]
    fn maybe<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        let cell = self.cell(column);
        if cell.is_empty() { Ok(None) } else { parse(cell).map(Some).ok_or(Wrong { column, expected }) }
    }

    #[inline]
    fn list<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl Fn(&[u8]) -> Option<T>,
        into: &mut Vec<T>,
    ) -> Result<(), Wrong> {
        into.clear();
        let cell = self.cell(column);
        if cell.is_empty() {
            return Ok(());
        }
        for item in items(cell).ok_or(Wrong { column, expected })? {
            into.push(parse(item).ok_or(Wrong { column, expected })?);
        }
        Ok(())
    }
}

/// A text as it was written: a whole number that another program took for a number has got a `.0`. A text that ends so
/// of its own is guarded.
fn as_written(cell: &[u8]) -> &[u8] {
    match cell.strip_suffix(b".0") {
        Some(digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => digits,
        _ => cell,
    }
}
