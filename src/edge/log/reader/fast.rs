//! The way through a row that most rows can take: columns in our own order, no quotes, nothing wrong.
//!
//! It goes through the text once, without looking for the row's end first. Where anything is unusual it gives up,
//! and the row is read again with care.

use memchr::memchr;

use super::{EventKind, Row, TimeOfDay};
use crate::clock::{ClockList, Form};
use crate::edge::log::cell::unguarded;
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// The forms of the cells of a log's clocks.
#[derive(Debug, Default)]
pub(super) struct Forms {
    /// Of those that stand among the other columns.
    standard: Vec<ClockForm>,
    /// Of those that stand behind them.
    others: Vec<ClockForm>,
}

/// A form that a clock's cells can be read in at once.
#[derive(Clone, Copy, Debug)]
enum ClockForm {
    Numbers(usize),
    List,
}

impl Forms {
    /// The forms of clocks in the order of their columns; none where one of them wants care.
    pub(super) fn of(clocks: &ClockList) -> Option<Self> {
        let mut forms = Self::default();
        for spec in clocks.iter() {
            let form = match spec.form {
                Form::Numbers => ClockForm::Numbers(spec.columns.len()),
                Form::List => ClockForm::List,
                Form::Square | Form::Large => return None,
            };
            if spec.is_standard { &mut forms.standard } else { &mut forms.others }.push(form);
        }
        Some(forms)
    }
}

/// Fills the row with the first one of the text, and tells how long that is without its newline; or gives up.
#[inline]
pub(super) fn fill(text: &[u8], forms: &Forms, row: &mut Row, time: &mut TimeOfDay) -> Option<usize> {
    let mut cursor = Cursor { rest: text };
    row.vm = VmId(cursor.narrow()?);
    cursor.comma()?;
    row.event = cursor.number()?;
    cursor.comma()?;
    row.kind = cursor.kind()?;
    row.elapsed = cursor.elapsed()?;
    cursor.comma()?;
    row.system_time = if cursor.is_at_comma() { None } else { Some(time.parse(cursor.take(27)?)?) };
    cursor.comma()?;
    row.lamport = cursor.number()?;
    cursor.comma()?;
    let values = row.clocks.places();
    for (value, form) in values.iter_mut().zip(&forms.standard) {
        cursor.clock(*form, b',', value)?;
    }
    row.may_lack_zeros = false;
    cursor.list(&mut row.peers, |cursor| cursor.narrow().map(VmId))?;
    row.message = cursor.maybe(|cursor| {
        cursor.byte(b'v')?;
        cursor.byte(b'm')?;
        let sender = VmId(cursor.narrow()?);
        cursor.byte(b'-')?;
        Some(MessageId { sender, event: cursor.number()? })
    })?;
    row.sender_lamport = cursor.maybe(Cursor::number)?;
    row.queue = Some(cursor.narrow()?);
    cursor.comma()?;
    cursor.list(&mut row.lost, |cursor| cursor.narrow().map(VmId))?;
    cursor.list(&mut row.duplicated, |cursor| cursor.narrow().map(VmId))?;
    row.payload.clear();
    row.mark.clear();
    if let Some((last, others)) = forms.others.split_last() {
        plain(cursor.cell()?, &mut row.payload)?;
        plain(cursor.cell()?, &mut row.mark)?;
        let mut values = row.clocks.places().iter_mut().skip(forms.standard.len());
        for (value, form) in values.by_ref().zip(others) {
            cursor.clock(*form, b',', value)?;
        }
        cursor.clock(*last, b'\n', values.next()?)?;
        // The newline was taken already.
        return Some(text.len() - cursor.rest.len() - 1);
    }
    if cursor.rest.first_chunk() == Some(b",\n") {
        cursor.comma()?;
    } else {
        let line = cursor.take(memchr(b'\n', cursor.rest)?)?;
        let (payload, mark) = line.split_at(memchr(b',', line)?);
        plain(payload, &mut row.payload)?;
        plain(&mark[1..], &mut row.mark)?;
    }
    Some(text.len() - cursor.rest.len())
}

/// The text of a cell that has nothing unusual.
#[inline]
fn plain(cell: &[u8], into: &mut String) -> Option<()> {
    let is_plain = |byte: &u8| !matches!(byte, b',' | b'"' | b'\r');
    into.push_str(str::from_utf8(unguarded(cell)).ok().filter(|_| cell.iter().all(is_plain))?);
    Some(())
}

/// What is left of a text.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Digits, at most as many as always fit.
    #[inline(always)]
    fn number(&mut self) -> Option<u64> {
        let (mut value, mut length) = (0u64, 0);
        while let Some(byte) = self.rest.get(length) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            // Wrong where there are more than 19; then the result is not used.
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            length += 1;
        }
        self.rest = &self.rest[length..];
        (1..=19).contains(&length).then_some(value)
    }

    #[inline(always)]
    fn narrow(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    #[inline(always)]
    fn byte(&mut self, expected: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        (*first == expected).then_some(())
    }

    #[inline(always)]
    fn comma(&mut self) -> Option<()> {
        self.byte(b',')
    }

    #[inline(always)]
    fn is_at_comma(&self) -> bool {
        self.rest.first() == Some(&b',')
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// The kind with its comma.
    #[inline(always)]
    fn kind(&mut self) -> Option<EventKind> {
        let (kind, length) = match self.rest.first()? {
            b'i' if self.rest.first_chunk()? == b"internal," => (EventKind::Internal, 9),
            b's' if self.rest.first_chunk()? == b"send," => (EventKind::Send, 5),
            b'r' if self.rest.first_chunk()? == b"receive," => (EventKind::Receive, 8),
            _ => return None,
        };
        self.rest = &self.rest[length..];
        Some(kind)
    }

    /// Seconds with nine decimals.
    #[inline(always)]
    fn elapsed(&mut self) -> Option<Nanos> {
        let seconds = self.number()?;
        self.byte(b'.')?;
        let before = self.rest.len();
        let nanos = self.number()?;
        let decimals = before - self.rest.len();
        if decimals != 9 {
            return None;
        }
        seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Nanos::new)
    }

    /// A cell that may be empty, with the comma after it.
    #[inline(always)]
    fn maybe<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        let value = if self.is_at_comma() { None } else { Some(parse(self)?) };
        self.comma()?;
        Some(value)
    }

    /// A cell up to its comma, which is taken as well.
    #[inline]
    fn cell(&mut self) -> Option<&'a [u8]> {
        let cell = self.take(memchr(b',', self.rest)?)?;
        self.comma()?;
        Some(cell)
    }

    /// The columns of a clock, all filled or all empty, with a comma after each but the last and `end` after that.
    #[inline(always)]
    fn clock(&mut self, form: ClockForm, end: u8, into: &mut Vec<u64>) -> Option<()> {
        match form {
            ClockForm::List => self.list_to(end, into, Self::number),
            ClockForm::Numbers(columns) => {
                into.clear();
                for column in 1..=columns {
                    let separator = if column == columns { end } else { b',' };
                    if self.rest.first() != Some(&separator) {
                        into.push(self.number()?);
                    }
                    self.byte(separator)?;
                }
                (into.is_empty() || into.len() == columns).then_some(())
            }
        }
    }

    /// A list that may be empty, with the comma after it: one number in brackets, or several in brackets and quotes.
    #[inline(always)]
    fn list<T>(&mut self, into: &mut Vec<T>, parse: impl Fn(&mut Self) -> Option<T>) -> Option<()> {
        self.list_to(b',', into, parse)
    }

    /// The same with what stands behind it.
    #[inline(always)]
    fn list_to<T>(
        &mut self,
        end: u8,
        into: &mut Vec<T>,
        parse: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<()> {
        into.clear();
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        match first {
            first if *first == end => return Some(()),
            b'[' => {
                into.push(parse(self)?);
                return if *self.take(2)? == [b']', end] { Some(()) } else { None };
            }
            b'"' => self.byte(b'[')?,
            _ => return None,
        }
        loop {
            into.push(parse(self)?);
            let (separator, rest) = self.rest.split_first()?;
            self.rest = rest;
            match separator {
                b',' => {}
                b']' => return if *self.take(2)? == [b'"', end] { Some(()) } else { None },
                _ => return None,
            }
        }
    }
}
