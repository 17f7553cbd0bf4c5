//! The time of day of a row.

use jiff::Timestamp;

use super::values::number;

/// Reads times of day. The part up to the minute is the same for many rows, and is kept.
#[derive(Debug, Default)]
pub(super) struct TimeOfDay {
    minute: [u8; 16],
    /// The second at which it begins, where it is one.
    begins: Option<i64>,
}

impl TimeOfDay {
    /// RFC 3339 in UTC, as rows have it; any other form of a time is left to the calendar's library.
    #[inline]
    pub(super) fn parse(&mut self, text: &[u8]) -> Option<Timestamp> {
        let (minute, rest) = text.split_first_chunk::<16>()?;
        let (second, micros) = match rest {
            [b':', tens @ b'0'..=b'5', ones @ b'0'..=b'9', b'.', digits @ .., b'Z'] if digits.len() == 6 => {
                (i64::from(tens - b'0') * 10 + i64::from(ones - b'0'), number(digits)?)
            }
            _ => return otherwise(str::from_utf8(text).ok()?),
        };
        if u128::from_ne_bytes(self.minute) != u128::from_ne_bytes(*minute) {
            let whole = format!("{}:00Z", str::from_utf8(minute).ok()?);
            self.begins = whole.parse::<Timestamp>().ok().map(Timestamp::as_second);
            self.minute = *minute;
        }
        Timestamp::new(self.begins? + second, i32::try_from(micros * 1000).ok()?).ok()
    }
}

/// A time in another form. One without a zone is in UTC: it was, before another program dropped that.
pub(in crate::edge::log) fn otherwise(text: &str) -> Option<Timestamp> {
    let time = text.strip_suffix(" UTC").unwrap_or(text);
    time.parse().ok().or_else(|| format!("{time}Z").parse().ok())
}
