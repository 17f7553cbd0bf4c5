//! A share of an experiment's runs: the k-th of n, as many machines have one each.

use std::fmt;
use std::str::FromStr;

use crate::model::text::as_text;

/// The most shards.
const MOST: u32 = 1_000_000;

/// The k-th of n shares, `k/n` with k from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    count: u32,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// The share of that number, from 1, of so many.
    pub const fn new(number: u32, count: u32) -> Option<Self> {
        if 1 <= number && number <= count && count <= MOST { Some(Self { number, count }) } else { None }
    }

    /// Whether the run of that place among all is in this share: every n-th is, so that each share has some of every
    /// condition and all take about as long.
    pub fn has(self, place: u64) -> bool {
        place % u64::from(self.count) == u64::from(self.number - 1)
    }

    /// How many shares there are.
    pub const fn count(self) -> u32 {
        self.count
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

/// Why a text is no share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be k/n with k from 1 to n, and n at most {MOST}: 1/3, 2/3 and 3/3 are the shares of three")]
pub struct ParseShardError;

impl FromStr for Shard {
    type Err = ParseShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, count) = text.split_once('/').ok_or(ParseShardError)?;
        let read = |text: &str| text.trim().parse().map_err(|_parse_int_error| ParseShardError);
        Self::new(read(number)?, read(count)?).ok_or(ParseShardError)
    }
}

as_text!(Shard);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_in_one_share() {
        for count in 1..=5 {
            let shards: Vec<Shard> = (1..=count).filter_map(|number| Shard::new(number, count)).collect();
            for place in 0..23 {
                assert_eq!(shards.iter().filter(|shard| shard.has(place)).count(), 1, "{place} of {count}");
            }
        }
        assert!((0..9).all(|place| Shard::WHOLE.has(place)));
    }

    #[test]
    fn shares_are_counted_from_one() {
        assert_eq!("2/3".parse::<Shard>().map(|shard| shard.to_string()).as_deref(), Ok("2/3"));
        for text in ["0/3", "4/3", "1", "/", "a/b", "-1/3", "1/0", "1/1000001", ""] {
            assert_eq!(text.parse::<Shard>(), Err(ParseShardError), "{text}");
        }
    }
}
