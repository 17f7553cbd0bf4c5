//! The times of day that other programs write.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Ways to write a time of day, beside RFC 3339. Where there is no time zone, it is UTC: only differences count.
const FORMATS: [&str; 7] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%m/%d/%Y %H:%M:%S%.f",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%b/%Y:%H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
];

/// The time that a text tells: RFC 3339, one of the formats, or a number of nano-, micro-, milliseconds or seconds
/// since 1970, whichever puts it between 2001 and 2286.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return since_epoch(text.parse().ok()?);
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    // Java parts milliseconds by a comma.
    let text = text.replace(',', ".");
    let time = FORMATS.iter().find_map(|format| DateTime::strptime(format, &text).ok())?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

/// A count of nanoseconds where it is smaller than all those times: some programs count from their start.
fn since_epoch(count: u64) -> Option<Timestamp> {
    let digits = count.checked_ilog10().map_or(1, |log| log + 1);
    let nanos = match digits {
        10 => u128::from(count) * 1_000_000_000,
        13 => u128::from(count) * 1_000_000,
        16 => u128::from(count) * 1_000,
        _ => u128::from(count),
    };
    Timestamp::from_nanosecond(i128::try_from(nanos).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_logs_write_them() {
        for (text, expected) in [
            ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.5Z"),
            ("2013-05-24 23:28:00,637", "2013-05-24T23:28:00.637Z"),
            ("10/13/2014 04:23:20.113", "2014-10-13T04:23:20.113Z"),
            ("5/27/2013 10:53:39 AM", "2013-05-27T10:53:39Z"),
            ("5/27/2013 12:53:39 PM", "2013-05-27T12:53:39Z"),
            ("1456966522870845696", "2016-03-03T00:55:22.870845696Z"),
            ("1456966522", "2016-03-03T00:55:22Z"),
            ("1456966522870", "2016-03-03T00:55:22.87Z"),
            ("1456966522870845", "2016-03-03T00:55:22.870845Z"),
            ("1500000", "1970-01-01T00:00:00.0015Z"),
        ] {
            assert_eq!(parse(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "noon", "1.5", "99999999999999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
