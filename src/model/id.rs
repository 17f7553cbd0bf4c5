//! The numbers of machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A machine's number, 0 to N-1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VmId(pub u32);

impl VmId {
    /// The number as an index into a table of machines.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why a text is no machine's number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a machine is a whole number from 0 to {}", u32::MAX)]
pub struct ParseVmIdError;

impl FromStr for VmId {
    type Err = ParseVmIdError;

    fn from_str(text: &str) -> Result<Self, ParseVmIdError> {
        text.parse().map(Self).map_err(|_parse_int_error| ParseVmIdError)
    }
}

impl fmt::Display for VmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
