//! The rates that machines tick at: drawn from a range, or one each.

use std::fmt;
use std::str::FromStr;

use crate::id::VmId;
use crate::seed::Stream;
use crate::text::as_text;
use crate::time::Rate;

/// How the machines come to their rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rates {
    /// Each machine draws a whole rate between two, both included: `1-6`. One number is a range of one.
    Drawn {
        /// The lowest.
        low: Rate,
        /// The highest.
        high: Rate,
    },
    /// One for each machine, by number: `6,2,1`.
    Each(Vec<Rate>),
}

impl Default for Rates {
    /// The exercise's: 1 to 6 ticks a second.
    fn default() -> Self {
        const ONE: Rate = Rate::new(1).expect("in range");
        const SIX: Rate = Rate::new(6).expect("in range");
        Self::Drawn { low: ONE, high: SIX }
    }
}

impl Rates {
    /// A machine's rate; its stream is asked for only where the rate is drawn.
    pub(crate) fn rate(&self, vm: VmId, stream: impl FnOnce() -> Stream) -> Rate {
        match self {
            Self::Drawn { low, high } => {
                let span = u64::from(high.get() - low.get()) + 1;
                let above_low = u32::try_from(stream().below(span)).unwrap_or(0);
                Rate::new(low.get() + above_low).unwrap_or(*low)
            }
            Self::Each(rates) => rates[vm.index()],
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drawn { low, high } => write!(f, "{low}-{high}"),
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
    /// A rate is no whole number of the range.
    #[error(
        "must be a range such as 1-6 or a list with one rate a machine such as 6,2,1; a rate is a whole number of ticks a second from 1 to {fastest}",
        fastest = Rate::FASTEST
    )]
    Form,
    /// A range's first rate is higher than its second.
    #[error("a range of rates goes from the lower to the higher")]
    Reversed,
}

impl FromStr for Rates {
    type Err = ParseRatesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((low, high)) = text.split_once('-') {
            let (low, high) = (parse_rate(low)?, parse_rate(high)?);
            return if low <= high { Ok(Self::Drawn { low, high }) } else { Err(ParseRatesError::Reversed) };
        }
        if text.contains(',') {
            let list = text.strip_suffix(',').unwrap_or(text);
            return list.split(',').map(parse_rate).collect::<Result<_, _>>().map(Self::Each);
        }
        let rate = parse_rate(text)?;
        Ok(Self::Drawn { low: rate, high: rate })
    }
}

fn parse_rate(text: &str) -> Result<Rate, ParseRatesError> {
    text.trim().parse().ok().and_then(Rate::new).ok_or(ParseRatesError::Form)
}

as_text!(Rates);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, Seed};

    #[test]
    fn reads_and_writes_ranges_and_lists() {
        let check =
            |text: &str, written: &str| assert_eq!(text.parse::<Rates>().unwrap().to_string(), written);
        check("1-6", "1-6");
        check("6,2,1", "6,2,1");
        check("6, 2, 1", "6,2,1");
        check("5", "5-5");
        check("5,", "5,");
    }

    #[test]
    fn refuses_the_rest() {
        let check = |text: &str, error| assert_eq!(text.parse::<Rates>(), Err(error), "{text}");
        for text in
            ["", "0", "0-6", "-1", "1-", "1.5", "6,,1", "6,0,1", "NaN", "1-2-3", "1000001", "99999999999"]
        {
            check(text, ParseRatesError::Form);
        }
        check("6-1", ParseRatesError::Reversed);
    }

    #[test]
    fn every_rate_of_the_range_is_drawn() {
        let rates: Rates = "1-6".parse().unwrap();
        let mut seen: Vec<u32> =
            (0..200).map(VmId).map(|vm| rates.rate(vm, || Seed(1).stream(vm, Purpose::Rate)).get()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    }
}
