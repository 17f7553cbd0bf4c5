//! Lengths of time as people write them: `500ms`, `1h30m`, `90 seconds`.
//!
//! A number without a unit is so many seconds where a setting is a duration, such as `60`; where it is anything
//! else, such as a latency, people mean milliseconds as often, and it is refused.

use std::fmt;
use std::str::FromStr;

use super::{Nanos, SECOND};
use crate::model::text::as_text;

/// The units, longest first, each with the words that people write for it; the first one is ours.
const UNITS: [(u64, &[&str]); 7] = [
    (24 * 3600 * SECOND, &["d", "day", "days"]),
    (3600 * SECOND, &["h", "hr", "hrs", "hour", "hours"]),
    (60 * SECOND, &["m", "min", "mins", "minute", "minutes"]),
    (SECOND, &["s", "sec", "secs", "second", "seconds"]),
    (1_000_000, &["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"]),
    (1_000, &["us", "µs", "μs", "usec", "usecs", "micros", "microsecond", "microseconds"]),
    (1, &["ns", "nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"]),
];

/// Writes the length in the longest unit, up to seconds, that holds it exactly: `60s`, `500ms`.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, names) = UNITS[3..]
            .iter()
            .find(|(size, _)| self.0.is_multiple_of(*size))
            .expect("every number is a multiple of one nanosecond");
        write!(f, "{}{}", self.0 / size, names[0])
    }
}

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTimeError {
    /// The text has another form, where a unit is needed.
    #[error(
        "a time is a number with its unit, such as 5ms, 1.5s or 1m30s (units: h, m, s, ms, us, ns or their names, and \
         d; only 0 needs none)"
    )]
    Form,
    /// The text has another form, where a unit may be left out.
    #[error(
        "a duration is a number with its unit, such as 60, 60s, 2m, 500ms, 90 seconds or 1h30m (units: h, m, s, ms, \
         us, ns or their names, and d; a number alone means seconds)"
    )]
    Duration,
    /// A number has no unit, and is not understood without one.
    #[error(
        "{number} has no unit, so it could be milliseconds as well as seconds: write {number}ms or {number}s"
    )]
    NoUnit {
        /// The number, as it was written.
        number: String,
    },
    /// A number after another one has no unit.
    #[error("the {number} at its end has no unit: write it with one, such as {before}{number}{unit}")]
    NoLastUnit {
        /// What stands before it.
        before: String,
        /// The number, as it was written.
        number: String,
        /// A unit that may follow.
        unit: &'static str,
    },
    /// The units do not go from long to short.
    #[error("the parts of a time go from the longest unit to the shortest, each once, such as 1h30m")]
    Order,
    /// A part that is not the last has decimals.
    #[error("of a time with several parts only the last may have decimals, such as 1m1.5s")]
    Decimals,
    /// The number is below zero.
    #[error("a time cannot be negative")]
    Negative,
    /// The number is above [`Nanos::LONGEST`].
    #[error("a time is at most ten years")]
    TooLong,
    /// The number has digits beyond the nanosecond.
    #[error("a time is a whole number of nanoseconds")]
    TooFine,
}

impl FromStr for Nanos {
    type Err = ParseTimeError;

    /// Reads a duration: `60`, `60s`, `2m`, `500ms`, `1.5h`, `1h30m`; a number without a unit means seconds.
    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        let parsed = parse(text, |_seconds| Ok(SECOND));
        parsed.map_err(|error| if error == ParseTimeError::Form { ParseTimeError::Duration } else { error })
    }
}

as_text!(Nanos);

/// A length of time that is written with its unit: `5ms`, `1.5s`. Only `0` needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithUnit(pub Nanos);

impl fmt::Display for WithUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for WithUnit {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        parse(text, |number| {
            let is_zero = number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
            if is_zero { Ok(SECOND) } else { Err(ParseTimeError::NoUnit { number: number.to_owned() }) }
        })
        .map(Self)
    }
}

as_text!(WithUnit);

/// Reads numbers with their units. `without` tells what a text that is one number alone is counted in.
fn parse(text: &str, without: impl Fn(&str) -> Result<u64, ParseTimeError>) -> Result<Nanos, ParseTimeError> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('-') {
        let is_time = rest.parse::<Nanos>().is_ok();
        return Err(if is_time { ParseTimeError::Negative } else { ParseTimeError::Form });
    }
    // Added up in 128 bits, with room to spare for all units: what is too long is told once, at the end.
    let (mut sum, mut last, mut rest) = (0, None, text);
    loop {
        let (number, after) = split_at(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_at(after.trim_start(), char::is_alphabetic);
        let size = match (unit, last) {
            ("", None) if after.is_empty() && is_number(number)? => without(number)?,
            ("", Some(last)) if after.is_empty() && is_number(number)? => {
                return Err(no_last_unit(&text[..text.len() - rest.len()], number, last));
            }
            _ => size_of(unit).ok_or(ParseTimeError::Form)?,
        };
        sum += in_unit(number, size)?;
        if last.is_some_and(|last| size >= last) {
            return Err(ParseTimeError::Order);
        }
        rest = after.trim_start();
        if rest.is_empty() {
            break;
        }
        if number.contains('.') && rest.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(ParseTimeError::Decimals);
        }
        last = Some(size);
    }
    match u64::try_from(sum) {
        Ok(nanos) if nanos <= Nanos::LONGEST.0 => Ok(Nanos(nanos)),
        _ => Err(ParseTimeError::TooLong),
    }
}

/// What is wrong with a number at the end that has no unit, after one in a unit of that size.
fn no_last_unit(before: &str, number: &str, size: u64) -> ParseTimeError {
    match UNITS.iter().find(|(shorter, _)| *shorter < size) {
        Some((_, names)) => ParseTimeError::NoLastUnit {
            before: before.to_owned(),
            number: number.to_owned(),
            unit: names[0],
        },
        None => ParseTimeError::Form,
    }
}

fn split_at(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// The nanoseconds of a unit. Words may begin with a capital; of shorter names the case may be a meaning.
fn size_of(unit: &str) -> Option<u64> {
    let is_it = |name: &&str| *name == unit || (name.len() > 2 && name.eq_ignore_ascii_case(unit));
    UNITS.iter().find(|(_, names)| names.iter().any(is_it)).map(|(size, _)| *size)
}

/// Whether it is a number at all; an error where it is one of no use.
fn is_number(text: &str) -> Result<bool, ParseTimeError> {
    in_unit(text, SECOND).map(|_nanos| true)
}

/// The nanoseconds of a number in that unit.
fn in_unit(number: &str, size: u64) -> Result<u128, ParseTimeError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = parse_digits(whole)?.checked_mul(u128::from(size)).ok_or(ParseTimeError::TooLong)?;
    Ok(whole + parse_fraction(fraction, size)?)
}

fn parse_digits(digits: &str) -> Result<u128, ParseTimeError> {
    if digits.is_empty() {
        return Err(ParseTimeError::Form);
    }
    // 24 digits of days in nanoseconds fit 128 bits: 10^24 · 8.64·10^13 is below 2^127.
    if digits.len() > 24 {
        return Err(ParseTimeError::TooLong);
    }
    digits.parse().map_err(|_parse_int_error| ParseTimeError::Form)
}

fn parse_fraction(digits: &str, unit: u64) -> Result<u128, ParseTimeError> {
    let digits = if digits.len() > 1 { digits.trim_end_matches('0') } else { digits };
    let digits = if digits.is_empty() { "0" } else { digits };
    if digits.len() > 15 {
        return Err(ParseTimeError::TooFine);
    }
    let scale = 10u128.pow(u32::try_from(digits.len()).unwrap_or(u32::MAX));
    let scaled = parse_digits(digits)? * u128::from(unit);
    if scaled.is_multiple_of(scale) { Ok(scaled / scale) } else { Err(ParseTimeError::TooFine) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_durations() {
        let check = |text: &str, nanos: u64| assert_eq!(text.parse(), Ok(Nanos(nanos)), "{text}");
        check("60", 60 * SECOND);
        check("60s", 60 * SECOND);
        check("2m", 120 * SECOND);
        check("500ms", 500_000_000);
        check("1.5h", 5400 * SECOND);
        check("0.000000001", 1);
        check("7us", 7_000);
        check("7µs", 7_000);
        check("3 ns", 3);
        check("0", 0);
        check("1.500", 1_500_000_000);
        check("1min", 60 * SECOND);
        check("1h", 3600 * SECOND);
        check("90 seconds", 90 * SECOND);
        check("1 Minute", 60 * SECOND);
        check("1h30m", 5400 * SECOND);
        check(" 1 h 30 min ", 5400 * SECOND);
        check("1m1.5s", 61_500_000_000);
        check("1d2h3m4s5ms6us7ns", 93_784_005_006_007);
        check("0h90m", 5400 * SECOND);
    }

    #[test]
    fn refuses_what_is_no_duration() {
        use ParseTimeError::{Decimals, Duration, Negative, Order, TooFine, TooLong};
        let check = |text: &str, error| assert_eq!(text.parse::<Nanos>(), Err(error), "{text}");
        for text in [
            "",
            "s",
            "NaN",
            "inf",
            "1e9",
            "1..5s",
            "5 parsecs",
            "--5s",
            "1:30",
            "1,5s",
            "5M",
            "5S",
            "60 60",
            "1h!",
            "1h30mm",
            "½h",
            "1h-30m",
            "1ns5",
            "+5s",
            "5s.",
        ] {
            check(text, Duration);
        }
        check("-5s", Negative);
        check("-5", Negative);
        check("0.5ns", TooFine);
        check("11000000h", TooLong);
        check("99999999999999999999", TooLong);
        check("9999999999999999999999999999999999999999999", TooLong);
        check("3650d1ns", TooLong);
        check("30m1h", Order);
        check("1h1h", Order);
        check("1.5h30m", Decimals);
        let message = |text: &str| text.parse::<Nanos>().unwrap_err().to_string();
        assert_eq!(message("1h30"), "the 30 at its end has no unit: write it with one, such as 1h30m");
        assert!(message("abc").starts_with("a duration is a number with its unit, such as 60, 60s, 2m"));
    }

    #[test]
    fn a_time_that_is_no_duration_has_its_unit() {
        let check = |text: &str, nanos: u64| assert_eq!(text.parse(), Ok(WithUnit(Nanos(nanos))), "{text}");
        check("5ms", 5_000_000);
        check("5 s", 5 * SECOND);
        check("0", 0);
        check("0.0", 0);
        check("1m30s", 90 * SECOND);
        let message = |text: &str| text.parse::<WithUnit>().unwrap_err().to_string();
        assert_eq!(
            message("5"),
            "5 has no unit, so it could be milliseconds as well as seconds: write 5ms or 5s"
        );
        assert_eq!("0.5".parse::<WithUnit>(), Err(ParseTimeError::NoUnit { number: "0.5".into() }));
        assert_eq!("1m30".parse::<WithUnit>().unwrap_err().to_string().matches("1m30s").count(), 1);
        assert_eq!("-5".parse::<WithUnit>(), Err(ParseTimeError::Negative));
        assert_eq!("5 parsecs".parse::<WithUnit>(), Err(ParseTimeError::Form));
        assert_eq!("".parse::<WithUnit>(), Err(ParseTimeError::Form));
    }

    #[test]
    fn writes_lengths_exactly() {
        let check = |nanos: u64, text: &str| assert_eq!(Nanos(nanos).to_string(), text);
        check(60 * SECOND, "60s");
        check(1_500_000_000, "1500ms");
        check(1_001, "1001ns");
        check(0, "0s");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in 0..=Nanos::LONGEST.0) {
            prop_assert_eq!(Nanos(nanos).to_string().parse(), Ok(Nanos(nanos)));
            prop_assert_eq!(Nanos(nanos).to_string().parse(), Ok(WithUnit(Nanos(nanos))));
        }

        /// Each part of a time is what it is alone, and a space changes nothing.
        #[test]
        fn parts_add_up(parts in proptest::collection::btree_map(0..UNITS.len(), 0..100_000u64, 1..UNITS.len()), names: u8, space in "[ ]{0,2}") {
            let sum = parts.iter().map(|(unit, number)| UNITS[*unit].0 * number).sum::<u64>();
            let name = |unit: usize| UNITS[unit].1[usize::from(names) % UNITS[unit].1.len()];
            let part = |(unit, number): (&usize, &u64)| format!("{number}{space}{}{space}", name(*unit));
            let text: String = parts.iter().map(part).collect();
            let expected = if sum <= Nanos::LONGEST.0 { Ok(Nanos(sum)) } else { Err(ParseTimeError::TooLong) };
            prop_assert_eq!(text.parse::<Nanos>(), expected.clone(), "{}", text);
            prop_assert_eq!(text.parse(), expected.map(WithUnit), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "([-0-9.a-zµ ]{0,40}|\\PC{0,20})") {
            let _ = (text.parse::<Nanos>(), text.parse::<WithUnit>());
        }
    }
}
