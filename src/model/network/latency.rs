//! How long messages travel.

use std::fmt;
use std::str::FromStr;

use crate::model::seed::Stream;
use crate::model::text::as_text;
use crate::model::time::{Nanos, ParseTimeError, WithUnit};

/// The distribution of the time that a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always the same: `5ms`.
    Fixed(Nanos),
    /// Any time between two, both included: `1ms-9ms`.
    Uniform {
        /// The shortest time, which bounds the lookahead of virtual time.
        low: Nanos,
        /// The longest time, not shorter than `low`.
        high: Nanos,
    },
    /// Exponentially distributed, and at least a microsecond: `exp:5ms`.
    Exponential {
        /// The mean of all draws, before the shortest are lengthened to a microsecond.
        mean: Nanos,
    },
}

impl Latency {
    /// Draws a message's latency. A fixed one draws nothing from the stream.
    pub fn draw(self, stream: &mut Stream) -> Nanos {
        match self {
            Self::Fixed(latency) => latency,
            Self::Uniform { low, high } => stream.between(low, high),
            Self::Exponential { mean } => stream.exponential(mean).max(Self::LEAST_EXPONENTIAL),
        }
    }

    /// An exponential latency is at least a microsecond: nothing travels in no time, and windows of virtual time are
    /// as long as the least latency, so that without a least one there would be none.
    const LEAST_EXPONENTIAL: Nanos = Nanos::new(1_000);

    /// The longest time that is named.
    pub(crate) const fn longest(self) -> Nanos {
        match self {
            Self::Fixed(longest)
            | Self::Uniform { high: longest, .. }
            | Self::Exponential { mean: longest } => longest,
        }
    }

    /// The longest latency that can be drawn, where there is one.
    pub const fn most(self) -> Option<Nanos> {
        match self {
            Self::Fixed(most) | Self::Uniform { high: most, .. } => Some(most),
            Self::Exponential { .. } => None,
        }
    }

    /// The shortest latency that can be drawn.
    pub const fn least(self) -> Nanos {
        match self {
            Self::Fixed(least) | Self::Uniform { low: least, .. } => least,
            Self::Exponential { .. } => Self::LEAST_EXPONENTIAL,
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(latency) => latency.fmt(f),
            Self::Uniform { low, high } => write!(f, "{low}-{high}"),
            Self::Exponential { mean } => write!(f, "exp:{mean}"),
        }
    }
}

/// Why a text is no latency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseLatencyError {
    /// One of its times is none.
    #[error("a latency is 5ms, 1ms-9ms (uniform) or exp:5ms (exponential with that mean); {0}")]
    Time(#[from] ParseTimeError),
    /// A range's first time is longer than its second.
    #[error("a range of latencies goes from the shorter to the longer")]
    Reversed,
}

impl FromStr for Latency {
    type Err = ParseLatencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(mean) = text.strip_prefix("exp:") {
            let WithUnit(mean) = mean.parse()?;
            return Ok(Self::Exponential { mean });
        }
        match text.split_once('-') {
            Some((low, high)) if !low.is_empty() => {
                let (WithUnit(low), WithUnit(high)) = (low.parse()?, high.parse()?);
                if low <= high { Ok(Self::Uniform { low, high }) } else { Err(ParseLatencyError::Reversed) }
            }
            _ => text.parse().map(|WithUnit(latency)| Self::Fixed(latency)).map_err(Into::into),
        }
    }
}

as_text!(Latency);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_three_forms() {
        for text in ["5ms", "1ms-9ms", "exp:5ms", "0s"] {
            assert_eq!(text.parse::<Latency>().unwrap().to_string(), text);
        }
        assert_eq!("0".parse(), Ok(Latency::Fixed(Nanos::ZERO)));
        assert_eq!("0-9 ms".parse(), "0s-9ms".parse::<Latency>());
    }

    #[test]
    fn refuses_the_rest() {
        let check = |text: &str, error| assert_eq!(text.parse::<Latency>(), Err(error), "{text}");
        check("9ms-1ms", ParseLatencyError::Reversed);
        check("-5ms", ParseTimeError::Negative.into());
        check("exp:", ParseTimeError::Form.into());
        check("exp:-1ms", ParseTimeError::Negative.into());
        check("1ms-", ParseTimeError::Form.into());
        check("NaN", ParseTimeError::Form.into());
        let no_unit = |number: &str| ParseTimeError::NoUnit { number: number.into() }.into();
        check("5", no_unit("5"));
        check("1-9ms", no_unit("1"));
        check("1ms-9", no_unit("9"));
        check("exp:0.5", no_unit("0.5"));
    }
}
