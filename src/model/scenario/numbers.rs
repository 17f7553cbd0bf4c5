//! Settings that are numbers within bounds.

use std::fmt;
use std::str::FromStr;

use crate::model::text::{self, Whole};

/// A number of machines.
pub type VmCount = Whole<1, 10_000_000>;
/// The sides of a die.
pub type Draw = Whole<1, { u32::MAX }>;
/// A number of runs.
pub type Runs = Whole<1, 100_000>;
/// A number of processes that share a run.
pub type Processes = Whole<1, 1024>;
/// A number of worker threads.
pub type Threads = Whole<1, 1024>;

/// A seed as people write it: any `u64`. In TOML, whose integers are signed, a large one is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedNumber(pub u64);

impl fmt::Display for SeedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 0 to {}", u64::MAX)]
pub struct ParseSeedError;

impl FromStr for SeedNumber {
    type Err = ParseSeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse().map(Self).map_err(|_parse_int_error| ParseSeedError)
    }
}

impl serde::Serialize for SeedNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(number) => serializer.serialize_i64(number),
            Err(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> serde::Deserialize<'de> for SeedNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}
