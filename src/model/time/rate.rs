//! Rates, and the schedule of ticks that follows from one.
//!
//! A rate is a whole number of thousandths, so the time of a tick is a fraction of whole numbers and is found
//! without any rounding but the last one, to whole nanoseconds.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Nanos, SECOND};

/// The parts of a tick a second that a rate is counted in.
const PARTS: u32 = 1_000;
/// The nanoseconds in a second, in the same parts.
const SECOND_IN_PARTS: u64 = SECOND * PARTS as u64;

/// How many times a second a machine ticks: from 0.001 to [`Rate::FASTEST`], in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// The highest rate, a million ticks a second.
    pub const FASTEST: u32 = 1_000_000;
    /// The digits that a rate may have after its point.
    pub const DECIMALS: u8 = 3;

    /// The rate of that many ticks a second, where it is one.
    pub const fn new(ticks_a_second: u32) -> Option<Self> {
        match ticks_a_second.checked_mul(PARTS) {
            Some(thousandths) => Self::of_thousandths(thousandths),
            None => None,
        }
    }

    /// The rate of that many ticks in a thousand seconds, where it is one.
    pub const fn of_thousandths(thousandths: u32) -> Option<Self> {
        match NonZeroU32::new(thousandths) {
            Some(rate) if rate.get() <= Self::FASTEST * PARTS => Some(Self(rate)),
            _ => None,
        }
    }

    /// Ticks in a thousand seconds.
    pub const fn thousandths(self) -> u32 {
        self.0.get()
    }

    /// Ticks a second, where they are a whole number.
    pub const fn whole(self) -> Option<u32> {
        if self.thousandths().is_multiple_of(PARTS) { Some(self.thousandths() / PARTS) } else { None }
    }

    /// Ticks a second, for display and averages.
    pub fn as_f64(self) -> f64 {
        f64::from(self.thousandths()) / f64::from(PARTS)
    }

    /// The time between two ticks, 1/r, rounded down to whole nanoseconds.
    pub const fn period(self) -> Nanos {
        Nanos(SECOND_IN_PARTS / self.thousandths() as u64)
    }

    /// The rate as a text with at least so many decimals.
    pub(crate) fn with_decimals(self, least: u8) -> String {
        let (whole, part) = (self.thousandths() / PARTS, self.thousandths() % PARTS);
        let digits = format!("{part:03}");
        let kept = digits.trim_end_matches('0').len().max(least.min(Self::DECIMALS).into());
        if kept == 0 { whole.to_string() } else { format!("{whole}.{}", &digits[..kept]) }
    }
}

/// With as many decimals as it needs: `6`, `0.5`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.with_decimals(0))
    }
}

/// Why a text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a rate is a number of ticks a second from 0.001 to {}, with up to {} decimals after a point, such as 6 or 0.5",
    Rate::FASTEST,
    Rate::DECIMALS
)]
pub struct ParseRateError;

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(part) {
            return Err(ParseRateError);
        }
        let part = part.trim_end_matches('0');
        if part.len() > usize::from(Self::DECIMALS) {
            return Err(ParseRateError);
        }
        let whole: Option<u32> = whole.parse().ok();
        let part: Option<u32> = format!("{part:0<3}").parse().ok();
        let thousandths = whole.and_then(|whole| whole.checked_mul(PARTS)?.checked_add(part?));
        thousandths.and_then(Self::of_thousandths).ok_or(ParseRateError)
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

    /// The ticks a second by which the schedule goes.
    pub const fn rate(self) -> Rate {
        self.rate
    }

    /// When the first tick is due.
    pub const fn phase(self) -> Nanos {
        self.phase
    }

    /// When the k-th tick is due, k counted from 1.
    pub fn due(self, k: u64) -> Nanos {
        // (k-1)·10^12 / thousandths is below 2^64 · 2^40.
        let offset = u128::from(k.saturating_sub(1)) * u128::from(SECOND_IN_PARTS);
        let offset = offset / u128::from(self.rate.thousandths());
        self.phase.plus(Nanos(u64::try_from(offset).unwrap_or(u64::MAX)))
    }

    /// The ticks one after the other.
    pub const fn ticks(self) -> Ticks {
        Ticks { due: self.phase, period: self.rate.period().0, rate: self.rate, beyond: 0 }
    }

    /// The ticks one after the other, from the first that is due at or after a time.
    pub fn ticks_from(self, start: Nanos) -> Ticks {
        let before = self.ticks_before(start);
        let parts = u128::from(before) * u128::from(SECOND_IN_PARTS);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the rest of a division by the rate's thousandths"
        )]
        let beyond = (parts % u128::from(self.rate.thousandths())) as u32;
        Ticks { due: self.due(before.saturating_add(1)), beyond, ..self.ticks() }
    }

    /// How many ticks are due before `end`.
    pub fn ticks_before(self, end: Nanos) -> u64 {
        if end == Nanos::ZERO { 0 } else { self.ticks_until(end.minus(Nanos(1))) }
    }

    /// How many ticks are due at or before `end`.
    pub fn ticks_until(self, end: Nanos) -> u64 {
        if end < self.phase {
            return 0;
        }
        // due(k) <= end  ⟺  floor((k-1)·10^12 / t) <= end - phase  ⟺  (k-1)·10^12 < (end - phase + 1)·t
        let span = u128::from(end.0 - self.phase.0) + 1;
        let steps = (span * u128::from(self.rate.thousandths()) - 1) / u128::from(SECOND_IN_PARTS);
        let ticks = u64::try_from(steps + 1).unwrap_or(u64::MAX);
        debug_assert!(self.due(ticks) <= end, "tick {ticks} is due after {}", end.0);
        ticks
    }
}

/// The ticks of a schedule, one after the other: the same due times as [`Schedule::due`] gives, and as
/// exact, without a division at each. What a period has beyond whole nanoseconds is added up as so
/// many parts of the rate's thousandths, and makes a nanosecond when they are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    due: Nanos,
    /// The whole nanoseconds of a period.
    period: u64,
    rate: Rate,
    /// How many parts of a nanosecond the exact time is later than `due`, of as many as the rate has thousandths.
    beyond: u32,
}

impl Ticks {
    /// The ticks a second by which they go.
    pub const fn rate(self) -> Rate {
        self.rate
    }

    /// When the next tick is due.
    pub const fn due(self) -> Nanos {
        self.due
    }

    /// Goes on to the tick after that.
    pub fn advance(&mut self) {
        let parts = self.rate.thousandths();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the rest of a division by the rate's thousandths"
        )]
        let left = (SECOND_IN_PARTS - self.period * u64::from(parts)) as u32;
        // Both are smaller than the thousandths, of which there are at most 10^9.
        let beyond = self.beyond + left;
        let carry = beyond >= parts;
        debug_assert!(beyond < 2 * parts, "a period has less than a nanosecond beyond its whole ones");
        self.beyond = if carry { beyond - parts } else { beyond };
        self.due = self.due.plus(Nanos(self.period + u64::from(carry)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(rate: &str, phase: u64) -> Schedule {
        Schedule::new(rate.parse().unwrap(), Nanos(phase))
    }

    #[test]
    fn reads_and_writes_whole_rates_and_fractions() {
        let check = |text: &str, thousandths, written: &str| {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.thousandths(), rate.to_string().as_str()), (thousandths, written), "{text}");
        };
        check("6", 6_000, "6");
        check("0.5", 500, "0.5");
        check("2.50", 2_500, "2.5");
        check("3.0", 3_000, "3");
        check("0.001", 1, "0.001");
        check("0.3330", 333, "0.333");
        check("1000000", 1_000_000_000, "1000000");
        assert_eq!(Rate::new(3).unwrap().with_decimals(1), "3.0");
        assert_eq!(Rate::new(3).unwrap().whole(), Some(3));
        assert_eq!("0.5".parse::<Rate>().unwrap().whole(), None);
    }

    #[test]
    fn refuses_what_is_no_rate() {
        for text in [
            "",
            ".",
            "0",
            "0.0",
            "0.0001",
            "1.0001",
            ".5",
            "5.",
            "-1",
            "+1",
            "1e3",
            "NaN",
            "inf",
            "1/3",
            "1.2.3",
            "1000000.001",
            "1000001",
            "4294968",
            "99999999999",
            " 1",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(ParseRateError), "{text}");
        }
    }

    #[test]
    fn a_minute_at_six_ticks_a_second_has_360_ticks_at_any_phase() {
        let period = Rate::new(6).unwrap().period().get();
        for phase in [1, 2, 1_000, period / 2, period - 1, period] {
            assert_eq!(schedule("6", phase).ticks_until(Nanos::from_secs(60)), 360, "phase {phase}");
        }
    }

    #[test]
    fn ticks_come_at_whole_nanoseconds_without_accumulating_error() {
        let thirds = schedule("3", 333_333_333);
        assert_eq!(thirds.due(1), Nanos(333_333_333));
        assert_eq!(thirds.due(2), Nanos(666_666_666));
        assert_eq!(thirds.due(3), Nanos(999_999_999));
        assert_eq!(thirds.due(3_000_001), Nanos(333_333_333 + 1_000_000 * SECOND));
    }

    #[test]
    fn a_tick_every_two_seconds_and_one_in_a_thousand() {
        let half = schedule("0.5", 2 * SECOND);
        assert_eq!(
            (half.due(1), half.due(2), half.due(31)),
            (Nanos(2 * SECOND), Nanos(4 * SECOND), Nanos(62 * SECOND))
        );
        assert_eq!(half.ticks_until(Nanos::from_secs(60)), 30);
        let slowest = schedule("0.001", 1);
        assert_eq!(
            (slowest.due(3), slowest.ticks_until(Nanos::from_secs(3600))),
            (Nanos(2_000 * SECOND + 1), 4)
        );
        // 0.7 a second: seven ticks in ten seconds to the nanosecond, a year from the start as well.
        let seven = schedule("0.7", 0);
        assert_eq!(seven.due(2), Nanos(1_428_571_428));
        assert_eq!(seven.due(7 * 3_153_600 + 1), Nanos::from_secs(31_536_000));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(thousandths in 1..=1_000_000_000u32, least in 0..=3u8) {
            let rate = Rate::of_thousandths(thousandths).unwrap();
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            prop_assert_eq!(rate.with_decimals(least).parse(), Ok(rate));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "(\\PC{0,20}|[-0-9.]{0,30})") {
            let _ = text.parse::<Rate>();
        }

        /// What runs of whole rates were made with, before there were fractions.
        #[test]
        fn a_whole_rate_is_due_as_it_always_was(rate in 1..=Rate::FASTEST, phase in 1..SECOND, steps in 0..1_000_000_000u64) {
            let (whole, wide) = (Rate::new(rate).unwrap(), u64::from(rate));
            let before = phase + steps / wide * SECOND + steps % wide * SECOND / wide;
            prop_assert_eq!(Schedule::new(whole, Nanos(phase)).due(steps + 1), Nanos(before));
            prop_assert_eq!(whole.period(), Nanos(SECOND / wide));
        }

        #[test]
        fn ticks_one_after_the_other_are_due_as_the_schedule_says(thousandths in 1..=9_999_999u32, phase in 1..SECOND) {
            let schedule = Schedule::new(Rate::of_thousandths(thousandths).unwrap(), Nanos(phase));
            let mut ticks = schedule.ticks();
            for k in 1..=u64::from(thousandths / 500) + 3 {
                prop_assert_eq!(ticks.due(), schedule.due(k));
                ticks.advance();
            }
        }

        #[test]
        fn exactly_the_ticks_due_by_the_end_are_counted(
            thousandths in 1..=Rate::FASTEST * PARTS, phase in 1..SECOND, end in 0..10_000 * SECOND,
        ) {
            let schedule = Schedule::new(Rate::of_thousandths(thousandths).unwrap(), Nanos(phase));
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
            prop_assert_eq!(ticks, secs * u64::from(rate.whole().unwrap()));
        }
    }
}
