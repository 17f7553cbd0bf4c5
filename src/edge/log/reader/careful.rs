//! The careful way through a row: columns in any order, quotes, and words for what is wrong.

use std::borrow::Cow;

use super::Row;
use super::cells::Cells;
use super::time_of_day::TimeOfDay;
use super::values::{items, kind, machine, message, narrow, seconds, whole};
use crate::clock::{ClockList, ClockSpec};
use crate::edge::log::Schema;
use crate::edge::log::cell::unguarded;
use crate::edge::log::clock_cells::{self, ClockColumn, WrongCell};
use crate::edge::log::row::{Column, FIXED};

/// A cell that holds what it cannot hold.
pub(super) struct Wrong {
    pub(super) column: Column,
    pub(super) expected: Cow<'static, str>,
}

pub(super) const NUMBER: &str = "a whole number";
pub(super) const MACHINE: &str = "the number of a machine, from 0 to 4294967295";
pub(super) const MACHINES: &str = "numbers of machines as a JSON list such as [1,2], or nothing";

/// One line's cells on their way into a row.
pub(super) struct Parser<'a> {
    pub(super) cells: &'a Cells,
    pub(super) places: &'a [Option<usize>; FIXED.len()],
    pub(super) clocks: &'a ClockList,
    /// Where the columns of each clock stand, if they do.
    pub(super) clock_places: &'a [Vec<Option<usize>>],
    pub(super) schema: Schema,
    pub(super) text: &'a [u8],
}

impl Parser<'_> {
    #[inline]
    pub(super) fn cell(&self, column: Column) -> &[u8] {
        match column {
            Column::Clock(column) => self.clock_cell(column),
            _ => self.cell_at(column.place().and_then(|place| self.places[place])),
        }
    }

    #[inline]
    fn cell_at(&self, place: Option<usize>) -> &[u8] {
        place.map_or(&[], |place| self.cells.cell(place, self.text))
    }

    fn clock_cell(&self, column: ClockColumn) -> &[u8] {
        let name = column.name();
        let columns = self.clocks.iter().zip(self.clock_places);
        let all = columns.flat_map(|(spec, places)| spec.columns().zip(places));
        let place = all.into_iter().find(|(other, _)| *other == name);
        self.cell_at(place.and_then(|(_, place)| *place))
    }

    /// Each clock with the function that gives its cells.
    fn clocks<'b>(&'b self) -> impl Iterator<Item = (ClockSpec, impl Fn(usize) -> &'b [u8])> {
        let all = self.clocks.iter().zip(self.clock_places);
        all.map(move |(spec, places)| {
            (*spec, move |part: usize| self.cell_at(places.get(part).copied().flatten()))
        })
    }

    /// Whether a clock of the first schema lost the end that `l.0` has.
    pub(super) fn has_clock_as_number(&self) -> bool {
        self.clocks().any(|(spec, cell)| clock_cells::lost_its_dot(spec, self.schema, cell))
    }

    /// Whether a cell is in a form that no log is written in, but one that another program saved again.
    pub(super) fn is_saved_again(&self) -> bool {
        const NUMBERS: [Column; 5] =
            [Column::Vm, Column::Event, Column::Lamport, Column::SenderLamport, Column::Queue];
        const LISTS: [Column; 3] = [Column::Peers, Column::Lost, Column::Duplicated];
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
            || self.clocks().any(|(spec, cell)| clock_cells::is_odd(spec, self.schema, cell))
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
        self.fill_clocks(row)?;
        row.may_lack_zeros = self.schema == Schema::First;
        self.list(Column::Peers, MACHINES, machine, &mut row.peers)?;
        row.message =
            self.maybe(Column::Message, "a message as vm<sender>-<event of the send>, or nothing", message)?;
        row.sender_lamport = self.maybe(Column::SenderLamport, "a whole number, or nothing", whole)?;
        row.queue = match Column::Queue.place().and_then(|place| self.places[place]) {
            Some(_) => Some(self.one(Column::Queue, "a whole number up to 4294967295", narrow)?),
            None => None,
        };
        self.list(Column::Lost, MACHINES, machine, &mut row.lost)?;
        self.list(Column::Duplicated, MACHINES, machine, &mut row.duplicated)?;
        self.text(Column::Payload, &mut row.payload)?;
        self.text(Column::Mark, &mut row.mark)
    }

    fn fill_clocks(&self, row: &mut Row) -> Result<(), Wrong> {
        for ((spec, cell), into) in self.clocks().zip(row.clocks.places()) {
            clock_cells::parse(spec, self.schema, cell, into).map_err(|WrongCell { part, expected }| {
                let column = ClockColumn::of(spec).nth(part).map_or(Column::Lamport, Column::Clock);
                Wrong { column, expected }
            })?;
        }
        Ok(())
    }

    fn text(&self, column: Column, into: &mut String) -> Result<(), Wrong> {
        into.clear();
        let cell = self.cell(column);
        if !cell.is_empty() {
            let cell = if self.schema == Schema::First { cell } else { unguarded(as_written(cell)) };
            let wrong = |_utf8_error| Wrong { column, expected: "a text in UTF-8".into() };
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
        parse(self.cell(column)).ok_or_else(|| Wrong { column, expected: expected.into() })
    }

    #[inline]
    fn maybe<T>(
        &self,
        column: Column,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        let cell = self.cell(column);
        if cell.is_empty() {
            Ok(None)
        } else {
            parse(cell).map(Some).ok_or_else(|| Wrong { column, expected: expected.into() })
        }
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
        for item in items(cell).ok_or_else(|| Wrong { column, expected: expected.into() })? {
            into.push(parse(item).ok_or_else(|| Wrong { column, expected: expected.into() })?);
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
