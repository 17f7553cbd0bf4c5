//! The texts of cells as values.

use super::EventKind;
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::Nanos;

#[inline]
pub(in crate::edge::log) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    if text.len() > 19 {
        return str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?.parse().ok();
    }
    // Nineteen digits fit into 64 bits.
    text.iter().try_fold(0, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { Some(sum * 10 + u64::from(digit)) } else { None }
    })
}

/// A whole number as other programs write it as well: `1.0`, `1,0`, and `1.25E+2` where all its digits are there.
#[inline]
pub(in crate::edge::log) fn whole(text: &[u8]) -> Option<u64> {
    number(text).or_else(|| rewritten(text))
}

#[cold]
fn rewritten(text: &[u8]) -> Option<u64> {
    let (digits, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => {
            let exponent = &text[at + 1..];
            (&text[..at], number(exponent.strip_prefix(b"+").unwrap_or(exponent))?)
        }
        None => (text, 0),
    };
    let at = digits.iter().position(|byte| matches!(byte, b'.' | b','))?;
    let (before, after) = (&digits[..at], &digits[at + 1..]);
    let exponent = usize::try_from(exponent).ok()?;
    // Fewer digits than the exponent asks for are those of a number that was rounded.
    let (more, zeros) = after.split_at_checked(exponent)?;
    let is_whole = zeros.iter().all(|digit| *digit == b'0') && !after.is_empty();
    if is_whole { number(&[before, more].concat()) } else { None }
}

#[inline]
pub(super) fn narrow(text: &[u8]) -> Option<u32> {
    u32::try_from(whole(text)?).ok()
}

#[inline]
pub(super) fn machine(text: &[u8]) -> Option<VmId> {
    narrow(text).map(VmId)
}

pub(super) fn kind(text: &[u8]) -> Option<EventKind> {
    EventKind::NAMES.into_iter().find(|(_, name)| name.as_bytes() == text).map(|(kind, _)| kind)
}

#[inline]
pub(in crate::edge::log) fn pair(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

/// The items of a list that is not empty in either schema: `[5,12,0]` or `5;12;0`.
pub(in crate::edge::log) fn items(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let (items, separator) = match text.strip_prefix(b"[") {
        Some(rest) => (rest.strip_suffix(b"]")?, b','),
        None => (text, b';'),
    };
    let is_empty = separator == b',' && items.trim_ascii().is_empty();
    // Programs that write a list anew put a blank behind each comma.
    let items = items.split(move |byte| *byte == separator).map(<[u8]>::trim_ascii);
    Some(items.skip(usize::from(is_empty)))
}

/// An event's name in either schema: `vm1-2` or `1-2`.
pub(super) fn message(text: &[u8]) -> Option<MessageId> {
    let (sender, event) = pair(text.strip_prefix(b"vm").unwrap_or(text), b'-')?;
    Some(MessageId { sender: machine(sender)?, event: number(event)? })
}

pub(in crate::edge::log) fn seconds(text: &[u8]) -> Option<Nanos> {
    let Some((whole, decimals)) = pair(text, b'.').or_else(|| pair(text, b',')) else {
        return number(text)?.checked_mul(1_000_000_000).map(Nanos::new);
    };
    if decimals.contains(&b'e') {
        return tiny(whole, decimals);
    }
    let missing = u32::try_from(9usize.checked_sub(decimals.len())?).ok()?;
    let nanos = number(whole)?.checked_mul(1_000_000_000)?;
    nanos.checked_add(number(decimals)? * 10u64.pow(missing)).map(Nanos::new)
}

/// Seconds below a ten-thousandth, as programs write them that have read them as a number: `1.9e-05`.
fn tiny(whole: &[u8], decimals: &[u8]) -> Option<Nanos> {
    let (decimals, exponent) = pair(decimals, b'e')?;
    let exponent = usize::try_from(number(exponent.strip_prefix(b"-")?)?).ok()?;
    let places = 9usize.checked_sub(decimals.len() + exponent)?;
    let digits = number(&[whole, decimals].concat())?;
    digits.checked_mul(10u64.pow(u32::try_from(places).ok()?)).map(Nanos::new)
}
