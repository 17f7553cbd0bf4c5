//! Probabilities, as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::seed::Share;
use crate::model::text;

/// A probability: a number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Probability(f64);

impl Probability {
    /// The probability, where the number is one.
    pub fn new(probability: f64) -> Option<Self> {
        (0.0..=1.0).contains(&probability).then_some(Self(probability))
    }

    /// The probability as a number from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The probability as a share of all draws.
    pub fn share(self) -> Share {
        debug_assert!((0.0..=1.0).contains(&self.0), "{} is no probability", self.0);
        Share::of(self.0)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no probability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a probability, a number from 0 to 1 such as 0.05")]
pub struct ParseProbabilityError;

impl FromStr for Probability {
    type Err = ParseProbabilityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().and_then(Self::new).ok_or(ParseProbabilityError)
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_numbers_from_0_to_1_only() {
        for text in ["0", "1", "0.05", "1e-3"] {
            assert!(text.parse::<Probability>().is_ok(), "{text}");
        }
        for text in ["-0.1", "1.01", "NaN", "inf", "5%", ""] {
            assert_eq!(text.parse::<Probability>(), Err(ParseProbabilityError), "{text}");
        }
    }
}
