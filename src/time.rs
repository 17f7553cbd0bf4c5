//! Time as the model counts it: whole nanoseconds, rates and the schedule of ticks.
//!
//! Time here is an argument, never a question: nothing in this module reads a clock. The one that
//! does is the timebase of the live driver.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::as_text;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// Whole nanoseconds: a point in a run, counted from its start, or a length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(u64);

impl Nanos {
    /// The run's start, or no time at all.
    pub const ZERO: Self = Self(0);
    /// The longest time that a setting may name, ten years: sums of a few of them cannot overflow.
    pub const LONGEST: Self = Self::from_secs(10 * 365 * 24 * 3600);

    /// That many nanoseconds.
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// That many whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(SECOND))
    }

    /// The number of nanoseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The length in seconds, for display and averages only: a double cannot hold every nanosecond.
    pub fn as_secs_f64(self) -> f64 {
        std::time::Duration::from(self).as_secs_f64()
    }

    /// The whole seconds, and the nanoseconds beyond them.
    pub const fn split(self) -> (u64, u32) {
        (self.0 / SECOND, (self.0 % SECOND) as u32)
    }

    /// The sum, held at the largest value instead of overflowing.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at zero where `other` is the larger.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The point shifted by a signed number of nanoseconds, held at zero from below.
    pub const fn shifted(self, by: i64) -> Self {
        Self(self.0.saturating_add_signed(by))
    }
}

impl From<Nanos> for std::time::Duration {
    fn from(nanos: Nanos) -> Self {
        Self::from_nanos(nanos.0)
    }
}

impl From<std::time::Duration> for Nanos {
    fn from(duration: std::time::Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The units in which people write a length of time, longest first.
const UNITS: [(&str, u64); 6] =
    [("h", 3600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

/// Writes the length in the longest unit, up to seconds, that holds it exactly: `60s`, `500ms`.
impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = UNITS[2..]
            .iter()
            .find(|(_, size)| self.0.is_multiple_of(*size))
            .expect("every number is a multiple of one nanosecond");
        write!(f, "{}{unit}", self.0 / size)
    }
}

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTimeError {
    /// The text has another form.
    #[error(
        "a time is a number with a unit, such as 60, 60s, 2m, 500ms or 1.5h (units: h, m, s, ms, us, ns; none means seconds)"
    )]
    Form,
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

    /// Reads `60`, `60s`, `2m`, `500ms`, `1.5h`; a number without a unit means seconds.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('-') {
            return Err(rest
                .parse::<Self>()
                .err()
                .map_or(ParseTimeError::Negative, |_| ParseTimeError::Form));
        }
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = if unit.is_empty() { "s" } else { unit.trim_start() };
        let size = UNITS.iter().find(|(name, _)| *name == unit).ok_or(ParseTimeError::Form)?.1;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let whole = parse_digits(whole)?.checked_mul(u128::from(size)).ok_or(ParseTimeError::TooLong)?;
        let nanos = whole + parse_fraction(fraction, size)?;
        match u64::try_from(nanos) {
            Ok(nanos) if nanos <= Self::LONGEST.0 => Ok(Self(nanos)),
            _ => Err(ParseTimeError::TooLong),
        }
    }
}

fn parse_digits(digits: &str) -> Result<u128, ParseTimeError> {
    if digits.is_empty() {
        return Err(ParseTimeError::Form);
    }
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

as_text!(Nanos);

/// How many times a second a machine ticks: a whole number from 1 to [`Rate::FASTEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// The highest rate, a million ticks a second.
    pub const FASTEST: u32 = 1_000_000;

    /// The rate of that many ticks a second, where it is one.
    pub const fn new(ticks_a_second: u32) -> Option<Self> {
        match NonZeroU32::new(ticks_a_second) {
            Some(rate) if rate.get() <= Self::FASTEST => Some(Self(rate)),
            _ => None,
        }
    }

    /// Ticks a second.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The time between two ticks, 1/r, rounded down to whole nanoseconds.
    pub fn period(self) -> Nanos {
        Nanos(SECOND / u64::from(self.get()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When a machine's ticks are due: the k-th (k = 1, 2, …) at `phase + (k-1)/r`.
///
/// Each due time is computed from k alone, so rounding never accumulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    rate: Rate,
    phase: Nanos,
}

impl Schedule {
    /// The schedule of a machine of that rate whose first tick is due at `phase`.
    pub const fn new(rate: Rate, phase: Nanos) -> Self {
        Self { rate, phase }
    }

    /// The machine's rate.
    pub const fn rate(self) -> Rate {
        self.rate
    }

    /// When the first tick is due.
    pub const fn phase(self) -> Nanos {
        self.phase
    }

    /// When the k-th tick is due, k counted from 1.
    pub fn due(self, k: u64) -> Nanos {
        let rate = u64::from(self.rate.get());
        let steps = k.saturating_sub(1);
        let offset = Nanos::from_secs(steps / rate).plus(Nanos(steps % rate * SECOND / rate));
        self.phase.plus(offset)
    }

    /// The ticks one after the other.
    pub fn ticks(self) -> Ticks {
        let (period, rate) = (self.rate.period().get(), u64::from(self.rate.get()));
        #[expect(clippy::cast_possible_truncation, reason = "at most a second, and less than the rate")]
        let (period, left) = (period as u32, (SECOND - period * rate) as u32);
        Ticks { due: self.phase, rate: self.rate, period, left, beyond: 0 }
    }

    /// How many ticks are due at or before `end`.
    pub fn ticks_until(self, end: Nanos) -> u64 {
        if end < self.phase {
            return 0;
        }
        // due(k) <= end  ⟺  floor((k-1)·10^9 / r) <= end - phase  ⟺  (k-1)·10^9 < (end - phase + 1)·r
        let span = u128::from(end.0 - self.phase.0) + 1;
        let steps = (span * u128::from(self.rate.get()) - 1) / u128::from(SECOND);
        u64::try_from(steps + 1).unwrap_or(u64::MAX)
    }
}

/// The ticks of a schedule, one after the other: the same due times as [`Schedule::due`] gives, and as
/// exact, without a division at each. What a period has beyond whole nanoseconds is added up as so
/// many parts of the rate, and makes a nanosecond when they are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    due: Nanos,
    rate: Rate,
    /// The whole nanoseconds of a period.
    period: u32,
    /// How many `rate`ths of a nanosecond a period has beyond them.
    left: u32,
    /// How many `rate`ths of a nanosecond the exact time is later than `due`.
    beyond: u32,
}

impl Ticks {
    /// The ticks' rate.
    pub const fn rate(self) -> Rate {
        self.rate
    }

    /// When the next tick is due.
    pub const fn due(self) -> Nanos {
        self.due
    }

    /// Goes on to the tick after that.
    pub fn advance(&mut self) {
        let rate = self.rate.get();
        // Both are smaller than the rate.
        let beyond = self.beyond + self.left;
        let carry = beyond >= rate;
        self.beyond = if carry { beyond - rate } else { beyond };
        self.due = self.due.plus(Nanos(u64::from(self.period) + u64::from(carry)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(rate: u32, phase: u64) -> Schedule {
        Schedule::new(Rate::new(rate).unwrap(), Nanos(phase))
    }

    #[test]
    fn reads_lengths_of_time() {
        let check = |text: &str, nanos: u64| assert_eq!(text.parse(), Ok(Nanos(nanos)), "{text}");
        check("60", 60 * SECOND);
        check("60s", 60 * SECOND);
        check("2m", 120 * SECOND);
        check("500ms", 500_000_000);
        check("1.5h", 5400 * SECOND);
        check("0.000000001", 1);
        check("7us", 7_000);
        check("3 ns", 3);
        check("0", 0);
        check("1.500", 1_500_000_000);
    }

    #[test]
    fn refuses_what_is_no_length_of_time() {
        use ParseTimeError::{Form, Negative, TooFine, TooLong};
        let check = |text: &str, error| assert_eq!(text.parse::<Nanos>(), Err(error), "{text}");
        check("", Form);
        check("s", Form);
        check("NaN", Form);
        check("inf", Form);
        check("1e9", Form);
        check("1..5s", Form);
        check("5 parsecs", Form);
        check("-5s", Negative);
        check("--5s", Form);
        check("0.5ns", TooFine);
        check("11000000h", TooLong);
        check("99999999999999999999", TooLong);
        check("9999999999999999999999999999999999999999999", TooLong);
    }

    #[test]
    fn writes_lengths_exactly() {
        let check = |nanos: u64, text: &str| assert_eq!(Nanos(nanos).to_string(), text);
        check(60 * SECOND, "60s");
        check(1_500_000_000, "1500ms");
        check(1_001, "1001ns");
        check(0, "0s");
    }

    #[test]
    fn a_minute_at_six_ticks_a_second_has_360_ticks_at_any_phase() {
        let period = Rate::new(6).unwrap().period().get();
        for phase in [1, 2, 1_000, period / 2, period - 1, period] {
            assert_eq!(schedule(6, phase).ticks_until(Nanos::from_secs(60)), 360, "phase {phase}");
        }
    }

    #[test]
    fn ticks_come_at_whole_nanoseconds_without_accumulating_error() {
        let thirds = schedule(3, 333_333_333);
        assert_eq!(thirds.due(1), Nanos(333_333_333));
        assert_eq!(thirds.due(2), Nanos(666_666_666));
        assert_eq!(thirds.due(3), Nanos(999_999_999));
        assert_eq!(thirds.due(3_000_001), Nanos(333_333_333 + 1_000_000 * SECOND));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos in 0..=Nanos::LONGEST.0) {
            prop_assert_eq!(Nanos(nanos).to_string().parse(), Ok(Nanos(nanos)));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[-0-9.a-zµ ]{0,40}") {
            let _ = text.parse::<Nanos>();
        }

        #[test]
        fn ticks_one_after_the_other_are_due_as_the_schedule_says(rate in 1..=9_999u32, phase in 1..SECOND) {
            let schedule = schedule(rate, phase);
            let mut ticks = schedule.ticks();
            for k in 1..=u64::from(rate) * 2 + 3 {
                prop_assert_eq!(ticks.due(), schedule.due(k));
                ticks.advance();
            }
        }

        #[test]
        fn exactly_the_ticks_due_by_the_end_are_counted(
            rate in 1..=Rate::FASTEST, phase in 1..SECOND, end in 0..100 * SECOND,
        ) {
            let schedule = schedule(rate, phase);
            let ticks = schedule.ticks_until(Nanos(end));
            prop_assert!(ticks == 0 || schedule.due(ticks) <= Nanos(end));
            prop_assert!(schedule.due(ticks + 1) > Nanos(end));
        }

        #[test]
        fn a_whole_number_of_seconds_has_rate_ticks_each(
            rate in 1..=Rate::FASTEST, secs in 0u64..10_000, part in 0.0..1.0f64,
        ) {
            let rate = Rate::new(rate).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                reason = "a share of the period")]
            let phase = (rate.period().get() as f64 * part) as u64 + 1;
            let phase = Nanos(phase.min(rate.period().get()));
            let ticks = Schedule::new(rate, phase).ticks_until(Nanos::from_secs(secs));
            prop_assert_eq!(ticks, secs * u64::from(rate.get()));
        }
    }
}
