//! The cells of clocks: which columns they have, and how their values stand there.
//!
//! No clock is called by its name here. Its description says of which form its value is; the first schema wrote the
//! numbers of a clock into one cell, with a dot between them.

use std::borrow::Cow;
use std::fmt;

use itoa::Buffer;

use super::Schema;
use super::cell::{json_list, list};
use super::reader::{items, number, pair, whole};
use crate::clock::{ClockList, ClockSpec, Form, Values, natural};

/// One of a clock's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockColumn {
    spec: ClockSpec,
    part: usize,
}

/// What stands in a cell of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockCell<'a> {
    /// The clock is not kept.
    Nothing,
    /// A number.
    Number(u64),
    /// A list of numbers.
    List(&'a [u64]),
    /// A list of lists that are as long as there are lists.
    Square(&'a [u64]),
    /// A list of one number of any size.
    Large(&'a [u64]),
}

/// A cell of a clock that holds what it cannot hold.
pub(super) struct WrongCell {
    /// Which of the clock's.
    pub(super) part: usize,
    /// What it may hold.
    pub(super) expected: Cow<'static, str>,
}

/// As it stands in a field, before any quotes.
impl fmt::Display for ClockCell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Number(number) => number.fmt(f),
            Self::List(list) => f.write_str(&json_list(list)),
            Self::Square(entries) => f.write_str(&square(entries)),
            Self::Large(number) => f.write_str(&large(number)),
        }
    }
}

impl ClockColumn {
    /// The column's name in the header.
    pub fn name(self) -> String {
        self.spec.columns().nth(self.part).unwrap_or_default()
    }

    /// Whether the clock has a column before it.
    pub(super) const fn is_further(self) -> bool {
        self.part > 0
    }

    /// The columns of a clock.
    pub fn of(spec: ClockSpec) -> impl Iterator<Item = Self> {
        (0..spec.columns.len()).map(move |part| Self { spec, part })
    }

    /// The column in which the first of the numbers stands that differ.
    pub fn of_difference(spec: ClockSpec, one: &[u64], other: &[u64]) -> Self {
        let first = one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(0);
        Self { spec, part: first.min(spec.columns.len() - 1) }
    }

    /// What stands there in a row with such a value.
    pub fn cell(self, value: &[u64]) -> ClockCell<'_> {
        match self.spec.form {
            _ if value.is_empty() => ClockCell::Nothing,
            Form::Numbers => value.get(self.part).map_or(ClockCell::Nothing, |word| ClockCell::Number(*word)),
            Form::List => ClockCell::List(value),
            Form::Square => ClockCell::Square(value),
            Form::Large => ClockCell::Large(value),
        }
    }
}

/// The columns of a row's clocks with what stands in them: of the standard ones, which stand among the others, or of
/// those that stand behind them.
pub fn clock_cells(
    values: &Values,
    are_standard: bool,
) -> impl Iterator<Item = (ClockColumn, ClockCell<'_>)> {
    let chosen = values.list().iter().enumerate().filter(move |(_, spec)| spec.is_standard == are_standard);
    chosen.flat_map(move |(index, spec)| {
        ClockColumn::of(*spec).map(move |column| (column, column.cell(values.at(index))))
    })
}

/// Appends a clock's cells, with commas between them; empty ones where it is not kept.
#[inline]
pub(super) fn put(spec: ClockSpec, value: &[u64], out: &mut Vec<u8>) {
    match spec.form {
        Form::List => list(value, out, |&entry| entry),
        Form::Numbers => {
            let mut digits = Buffer::new();
            for part in 0..spec.columns.len() {
                if part > 0 {
                    out.push(b',');
                }
                if let Some(number) = value.get(part) {
                    out.extend_from_slice(digits.format(*number).as_bytes());
                }
            }
        }
        Form::Square => put_square(value, out),
        Form::Large if value.is_empty() => {}
        Form::Large => out.extend_from_slice(large(value).as_bytes()),
    }
}

fn put_square(value: &[u64], out: &mut Vec<u8>) {
    let text = square(value);
    let quote: &[u8] = if text.contains(',') { b"\"" } else { b"" };
    [quote, text.as_bytes(), quote].iter().for_each(|part| out.extend_from_slice(part));
}

/// A list of lists as JSON; nothing where there is none.
pub fn square(value: &[u64]) -> String {
    let rows = value.chunks(value.len().isqrt().max(1));
    let rows: Vec<String> = rows.map(json_list).collect();
    json_list(&rows)
}

/// A list of one number of any size.
pub fn large(value: &[u64]) -> String {
    format!("[{}]", natural::decimal(value))
}

/// The headers of logs name clocks by what stands in `--clocks`. Which of the names are those of clocks, each once and in
/// the order of its first column, behind the standard ones, which every log may have.
pub(super) fn clocks_of(names: &[&[u8]]) -> ClockList {
    let named = names.iter().filter_map(|name| str::from_utf8(name).ok()?.parse::<ClockSpec>().ok());
    ClockList::new(ClockList::standard().iter().copied().chain(named))
}

/// Fills in a value from its cells.
pub(super) fn parse<'a>(
    spec: ClockSpec,
    schema: Schema,
    cell: impl Fn(usize) -> &'a [u8],
    into: &mut Vec<u64>,
) -> Result<(), WrongCell> {
    into.clear();
    let wrong = |part, expected: Cow<'static, str>| Err(WrongCell { part, expected });
    match spec.form {
        Form::Numbers if schema == Schema::First => match dotted(cell(0), spec.columns.len(), into) {
            Some(()) => Ok(()),
            None => wrong(0, "two whole numbers as l.c, or nothing".into()),
        },
        Form::Numbers => {
            for part in 0..spec.columns.len() {
                match cell(part) {
                    b"" => {}
                    text => match whole(text) {
                        Some(number) if into.len() == part => into.push(number),
                        Some(_) => return wrong(part - 1, missing(spec, part)),
                        None => return wrong(part, "a whole number, or nothing".into()),
                    },
                }
            }
            let (has, parts) = (into.len(), spec.columns.len());
            if has == 0 || has == parts { Ok(()) } else { wrong(has, missing(spec, 0)) }
        }
        Form::List => match numbers(cell(0), into) {
            Some(()) => Ok(()),
            None => wrong(0, "whole numbers as a JSON list such as [5,12,0], or nothing".into()),
        },
        Form::Large => match one_number(cell(0), into) {
            Some(()) => Ok(()),
            None => wrong(0, "a whole number as a JSON list of its own such as [360], or nothing".into()),
        },
        Form::Square => match lists(cell(0), into) {
            Some(()) => Ok(()),
            None => wrong(
                0,
                "as many JSON lists as each has whole numbers, such as [[5,2],[1,2]], or nothing".into(),
            ),
        },
    }
}

/// What a cell of a clock is to hold of which another one has something.
fn missing(spec: ClockSpec, there: usize) -> Cow<'static, str> {
    let name = spec.columns().nth(there).unwrap_or_default();
    format!("a whole number, as {name} has one").into()
}

/// Numbers with dots between them. Where another program took two of them for a number, `l.0` has lost its end.
fn dotted(text: &[u8], count: usize, into: &mut Vec<u64>) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    let mut rest = text;
    for _ in 1..count {
        let (first, others) = pair(rest, b'.').or_else(|| pair(rest, b',')).unwrap_or((rest, b"0"));
        into.push(number(first)?);
        rest = others;
    }
    into.push(number(rest)?);
    Some(())
}

fn numbers(text: &[u8], into: &mut Vec<u64>) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    for item in items(text)? {
        into.push(whole(item)?);
    }
    Some(())
}

fn one_number(text: &[u8], into: &mut Vec<u64>) -> Option<()> {
    let text = text.trim_ascii();
    if !text.is_empty() {
        let digits = text.strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
        *into = natural::from_decimal(digits)?;
    }
    Some(())
}

fn lists(text: &[u8], into: &mut Vec<u64>) -> Option<()> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Some(());
    }
    let mut rest = text.strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
    let mut rows = 0;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b']')? + 1;
        let (row, others) = rest.split_at(end);
        numbers(row.strip_prefix(b"[").map(|_| row)?, into)?;
        rows += 1;
        rest = others.trim_ascii();
        if !rest.is_empty() {
            rest = rest.strip_prefix(b",")?.trim_ascii();
            // Behind a comma something has to stand.
            rest.first()?;
        }
    }
    (rows > 0 && rows * rows == into.len()).then_some(())
}

/// Whether one of a clock's cells is in a form that no log is written in, but one that another program saved again.
pub(super) fn is_odd<'a>(spec: ClockSpec, schema: Schema, cell: impl Fn(usize) -> &'a [u8]) -> bool {
    let has = |part, is_odd: fn(&u8) -> bool| cell(part).iter().any(is_odd);
    match spec.form {
        Form::List | Form::Square | Form::Large => has(0, |byte| matches!(byte, b' ' | b'.')),
        Form::Numbers if schema == Schema::First => lost_its_dot(spec, schema, cell),
        Form::Numbers => (0..spec.columns.len()).any(|part| has(part, |byte| !byte.is_ascii_digit())),
    }
}

/// Whether another program took several numbers with dots between them for one, and the last of them was a 0.
pub(super) fn lost_its_dot<'a>(spec: ClockSpec, schema: Schema, cell: impl Fn(usize) -> &'a [u8]) -> bool {
    schema == Schema::First
        && spec.form == Form::Numbers
        && spec.columns.len() > 1
        && !cell(0).is_empty()
        && cell(0).iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::kinds;

    fn specs() -> impl Iterator<Item = ClockSpec> {
        ClockList::new(kinds().iter().filter_map(|kind| kind.name.parse().ok())).to_vec().into_iter()
    }

    /// The cells of a value as a reader of CSV has them.
    fn cells(spec: ClockSpec, value: &[u64]) -> Vec<String> {
        let mut out = Vec::new();
        put(spec, value, &mut out);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&out[..]);
        let row = reader.records().next().map(Result::unwrap).unwrap_or_default();
        (0..spec.columns.len()).map(|part| row.get(part).unwrap_or_default().to_owned()).collect()
    }

    fn read(spec: ClockSpec, cells: &[String]) -> Option<Vec<u64>> {
        let mut value = vec![7];
        let cell = |part: usize| cells.get(part).map_or(&b""[..], |cell| cell.as_bytes());
        parse(spec, Schema::Second, cell, &mut value).ok().map(|()| value)
    }

    proptest! {
        #[test]
        fn every_clocks_cells_are_read_as_they_were_written(
            numbers in proptest::collection::vec(any::<u64>(), 1..40), vms in 1u32..6,
        ) {
            for spec in specs() {
                let words = spec.words(vms).unwrap_or(numbers.len());
                let mut value: Vec<u64> = numbers.iter().copied().cycle().take(words).collect();
                if spec.form == Form::Large {
                    natural::trim(&mut value);
                }
                let written = cells(spec, &value);
                prop_assert_eq!(read(spec, &written), Some(value.clone()), "{}", spec);
                let shown: Vec<String> = ClockColumn::of(spec).map(|column| column.cell(&value).to_string()).collect();
                prop_assert_eq!(&shown, &written);
                let loose: Vec<String> = written.iter().map(|cell| cell.replace(',', ", ")).collect();
                prop_assert_eq!(read(spec, &loose), Some(value), "{}: as other programs write lists", spec);
                prop_assert_eq!(read(spec, &vec![String::new(); written.len()]), Some(vec![]), "{}", spec);
            }
        }

        #[test]
        fn any_cell_is_read_or_refused(cell in "[\\[\\]0-9,. ;-]{0,12}") {
            for spec in specs() {
                if let Some(value) = read(spec, &vec![cell.clone(); spec.columns.len()]) {
                    let is_square = value.len().isqrt().pow(2) == value.len();
                    prop_assert!(spec.form != Form::Square || is_square, "{}", spec);
                }
            }
        }
    }
}
