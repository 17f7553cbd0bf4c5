//! Settings that are one of a few words.

use std::fmt;
use std::str::FromStr;

use crate::model::text::{as_text, words};

words! {
    /// When a machine's first tick is due.
    pub enum Phase {
        /// Anywhere in its first period, drawn from the seed.
        Random = "random",
        /// At the end of its first period.
        Aligned = "aligned",
    }
}

words! {
    /// Whether a rule holds.
    pub enum Switch {
        /// The rule holds; a scenario file may say `true` as well.
        On = "on",
        /// The rule does not hold; a scenario file may say `false` as well.
        Off = "off",
    }
}

words! {
    /// Where the events are logged.
    pub enum LogChoice {
        /// A file for each machine.
        PerVm = "per-vm",
        /// A few files, each with a range of machines.
        Combined = "combined",
        /// Nowhere: there are a summary and a manifest only.
        None = "none",
    }
}

/// The clocks that machines keep beside Lamport's, which they always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockList {
    /// Whether they keep a vector clock, with an entry for every machine.
    pub vector: bool,
    /// A hybrid logical clock.
    pub hybrid: bool,
}

impl Default for ClockList {
    /// Lamport's, vector and hybrid clocks.
    fn default() -> Self {
        Self { vector: true, hybrid: true }
    }
}

impl fmt::Display for ClockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lamport")?;
        f.write_str(if self.vector { ",vector" } else { "" })?;
        f.write_str(if self.hybrid { ",hlc" } else { "" })
    }
}

/// Why a text is no list of clocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a list of: lamport, vector, hlc")]
pub struct ParseClocksError;

impl FromStr for ClockList {
    type Err = ParseClocksError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut list = Self { vector: false, hybrid: false };
        for clock in text.split(',') {
            match clock.trim() {
                "lamport" => {}
                "vector" => list.vector = true,
                "hlc" => list.hybrid = true,
                _ => return Err(ParseClocksError),
            }
        }
        Ok(list)
    }
}

as_text!(ClockList);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lamport_is_kept_whatever_the_list_says() {
        let check =
            |text: &str, written: &str| assert_eq!(text.parse::<ClockList>().unwrap().to_string(), written);
        check("lamport", "lamport");
        check("hlc", "lamport,hlc");
        check("vector,lamport,hlc", "lamport,vector,hlc");
        assert_eq!("lamport,matrix".parse::<ClockList>(), Err(ParseClocksError));
        assert_eq!("".parse::<ClockList>(), Err(ParseClocksError));
    }

    #[test]
    fn words_are_read_and_refused_with_the_list() {
        assert_eq!("aligned".parse(), Ok(Phase::Aligned));
        assert_eq!(LogChoice::PerVm.to_string(), "per-vm");
        assert_eq!("Random".parse::<Phase>().unwrap_err().to_string(), "must be one of: random, aligned");
    }
}
