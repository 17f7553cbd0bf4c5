//! The texts of cells as values.

use super::EventKind;
use crate::clock::HybridStamp;
use crate::event::MessageId;
use crate::id::VmId;
use crate::time::Nanos;

#[inline]
pub(super) fn number(text: &[u8]) -> Option<u64> {
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

#[inline]
pub(super) fn narrow(text: &[u8]) -> Option<u32> {
    u32::try_from(number(text)?).ok()
}

#[inline]
pub(super) fn machine(text: &[u8]) -> Option<VmId> {
    narrow(text).map(VmId)
}

pub(super) fn kind(text: &[u8]) -> Option<EventKind> {
    EventKind::NAMES.into_iter().find(|(_, name)| name.as_bytes() == text).map(|(kind, _)| kind)
}

#[inline]
pub(super) fn pair(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

/// The items of a list that is not empty in either schema: `[5,12,0]` or `5;12;0`.
pub(super) fn items(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let (items, separator) = match text.strip_prefix(b"[") {
        Some(rest) => (rest.strip_suffix(b"]")?, b','),
        None => (text, b';'),
    };
    // Programs that write a list anew put a blank behind each comma.
    Some(items.split(move |byte| *byte == separator).map(<[u8]>::trim_ascii))
}

pub(super) fn hybrid(text: &[u8]) -> Option<HybridStamp> {
    let (l, c) = pair(text, b'.')?;
    Some(HybridStamp { l: Nanos::new(number(l)?), c: number(c)? })
}

/// An event's name in either schema: `vm1-2` or `1-2`.
pub(super) fn message(text: &[u8]) -> Option<MessageId> {
    let (sender, event) = pair(text.strip_prefix(b"vm").unwrap_or(text), b'-')?;
    Some(MessageId { sender: machine(sender)?, event: number(event)? })
}

pub(in crate::log) fn seconds(text: &[u8]) -> Option<Nanos> {
    let (whole, decimals) = pair(text, b'.').unwrap_or((text, b"0"));
    let missing = u32::try_from(9usize.checked_sub(decimals.len())?).ok()?;
    let nanos = number(whole)?.checked_mul(1_000_000_000)?;
    nanos.checked_add(number(decimals)? * 10u64.pow(missing)).map(Nanos::new)
}
