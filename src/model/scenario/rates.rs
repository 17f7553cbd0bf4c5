//! The rates that machines tick at: drawn from a range, or one each.

use std::fmt;
use std::str::FromStr;

use crate::model::id::VmId;
use crate::model::seed::Stream;
use crate::model::text::as_text;
use crate::model::time::{ParseRateError, Rate};

/// How the machines come to their rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rates {
    /// Each machine draws one between two, both included: `1-6` whole rates, `3-3.5` tenths. One number is a range
    /// of one.
    Drawn {
        /// The lowest rate that may be drawn.
        low: Rate,
        /// The highest rate that may be drawn, not below `low`.
        high: Rate,
        /// How many decimals the drawn rates have.
        decimals: u8,
    },
    /// One for each machine, by number: `6,2,0.5`.
    Each(Vec<Rate>),
}

impl Default for Rates {
    /// The exercise's: 1 to 6 ticks a second.
    fn default() -> Self {
        const ONE: Rate = Rate::new(1).expect("in range");
        const SIX: Rate = Rate::new(6).expect("in range");
        Self::Drawn { low: ONE, high: SIX, decimals: 0 }
    }
}

impl Rates {
    /// A machine's rate; its stream is asked for only where the rate is drawn.
    pub(crate) fn rate(&self, vm: VmId, stream: impl FnOnce() -> Stream) -> Rate {
        match self {
            Self::Drawn { low, high, decimals } => {
                let step = 10u32.pow(u32::from(Rate::DECIMALS.saturating_sub(*decimals)));
                let steps = (high.thousandths() - low.thousandths()) / step;
                let above_low = u32::try_from(stream().below(u64::from(steps) + 1)).unwrap_or(0);
                Rate::of_thousandths(low.thousandths() + above_low * step).unwrap_or(*low)
            }
            Self::Each(rates) => rates[vm.index()],
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The decimals of the ends tell those of what is drawn.
            Self::Drawn { low, high, decimals } => {
                write!(f, "{}-{}", low.with_decimals(*decimals), high.with_decimals(*decimals))
            }
            Self::Each(rates) => {
                for (index, rate) in rates.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "," };
                    write!(f, "{separator}{rate}")?;
                }
                // A list of one reads as a range of one; the comma keeps it a list.
                if rates.len() == 1 { f.write_str(",") } else { Ok(()) }
            }
        }
    }
}

/// Why a text names no rates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRatesError {
    /// One of them is none.
    #[error("must be a range such as 1-6 or 3-3.5, or a list with one rate a machine such as 6,2,0.5; {0}")]
    Form(#[from] ParseRateError),
    /// A range's first rate is higher than its second.
    #[error("a range of rates goes from the lower to the higher")]
    Reversed,
}

impl FromStr for Rates {
    type Err = ParseRatesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((low, high)) = text.split_once('-') {
            let (low, high) = (low.trim(), high.trim());
            let decimals = decimals(low).max(decimals(high));
            let (low, high) = (low.parse()?, high.parse()?);
            return if low <= high {
                Ok(Self::Drawn { low, high, decimals })
            } else {
                Err(ParseRatesError::Reversed)
            };
        }
        if text.contains(',') {
            let list = text.strip_suffix(',').unwrap_or(text);
            let rates: Result<_, ParseRateError> = list.split(',').map(|rate| rate.trim().parse()).collect();
            return Ok(Self::Each(rates?));
        }
        let rate: Rate = text.trim().parse()?;
        let decimals = decimals(&rate.to_string());
        Ok(Self::Drawn { low: rate, high: rate, decimals })
    }
}

/// The digits after the point, as many as a rate may have.
fn decimals(text: &str) -> u8 {
    let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    u8::try_from(digits).unwrap_or(u8::MAX).min(Rate::DECIMALS)
}

as_text!(Rates);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::seed::{Purpose, Seed};

    #[test]
    fn reads_and_writes_ranges_and_lists() {
        let check =
            |text: &str, written: &str| assert_eq!(text.parse::<Rates>().unwrap().to_string(), written);
        check("1-6", "1-6");
        check("6,2,1", "6,2,1");
        check("6, 2, 1", "6,2,1");
        check("5", "5-5");
        check("5,", "5,");
        check("0.5", "0.5-0.5");
        check("2.0", "2-2");
        check("3-3.5", "3.0-3.5");
        check("1.0-6", "1.0-6.0");
        check("0.25-1", "0.25-1.00");
        check("0.5,2,3", "0.5,2,3");
        check("0.50,", "0.5,");
    }

    #[test]
    fn refuses_the_rest() {
        let check = |text: &str, error| assert_eq!(text.parse::<Rates>(), Err(error), "{text}");
        for text in [
            "",
            "0",
            "0-6",
            "-1",
            "1-",
            "6,,1",
            "6,0,1",
            "NaN",
            "1-2-3",
            "1000001",
            "99999999999",
            "0,5",
            "0.0-1.0",
            "1/2",
            "1.2345",
            "1..6",
            "6,2,1-3",
            "5,,",
        ] {
            check(text, ParseRatesError::Form(ParseRateError));
        }
        check("6-1", ParseRatesError::Reversed);
        check("0.5-0.4", ParseRatesError::Reversed);
    }

    #[test]
    fn every_rate_of_the_range_is_drawn() {
        let drawn = |text: &str| {
            let rates: Rates = text.parse().unwrap();
            let rate = |vm| rates.rate(vm, || Seed(1).stream(vm, Purpose::Rate));
            let seen: std::collections::BTreeSet<Rate> = (0..200).map(VmId).map(rate).collect();
            seen.iter().map(Rate::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(drawn("1-6"), "1 2 3 4 5 6");
        assert_eq!(drawn("3-3.5"), "3 3.1 3.2 3.3 3.4 3.5");
        assert_eq!(drawn("1.0-1.3"), "1 1.1 1.2 1.3");
        assert_eq!(drawn("0.25-0.27"), "0.25 0.26 0.27");
        assert_eq!(drawn("0.5"), "0.5");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ends: (u32, u32), list in proptest::collection::vec(1..5_000u32, 1..5), decimals in 0..=3u8) {
            let step = 10u32.pow(u32::from(3 - decimals));
            let end = |number: u32| Rate::of_thousandths((number % 5_000 + 1) * step).unwrap();
            let (low, high) = (end(ends.0).min(end(ends.1)), end(ends.0).max(end(ends.1)));
            let drawn = Rates::Drawn { low, high, decimals };
            prop_assert_eq!(drawn.to_string().parse(), Ok(drawn.clone()));
            let rate = drawn.rate(VmId(0), || Seed(ends.0.into()).stream(VmId(0), Purpose::Rate));
            prop_assert!(low <= rate && rate <= high && rate.thousandths().is_multiple_of(step));
            let each = Rates::Each(list.into_iter().filter_map(Rate::of_thousandths).collect());
            prop_assert_eq!(each.to_string().parse(), Ok(each));
        }
    }
}
