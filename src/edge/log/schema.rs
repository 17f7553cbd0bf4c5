//! The two schemas of a run's CSV files.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::row::{Column, columns};
use crate::clock::ClockList;

/// The schema of a run's CSV files. Lists and names of events tell theirs by themselves, cell by cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Schema {
    /// Names as `1-2`, lists as `5;12;0`, hybrid clocks as `l.c`, texts as they are. It is only read.
    First,
    /// Names as `vm1-2`, JSON lists, hybrid clocks in two columns, texts guarded, and marks.
    #[default]
    Second,
}

/// Why a number names no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "schema {0} is not known: this clocklab reads the schemas 1 and 2, and a later one may have written this"
)]
pub struct UnknownSchemaError(u8);

impl Schema {
    /// The columns of a log of a run with those clocks, in their order. In the first schema a clock had one.
    pub(super) fn columns(self, clocks: &ClockList) -> Vec<Column> {
        let mut all = columns(clocks);
        if self == Self::First {
            all.retain(|column| !Self::is_new(*column));
        }
        all
    }

    /// Whether the first schema had no such column.
    pub(super) fn is_new(column: Column) -> bool {
        match column {
            Column::Mark => true,
            Column::Clock(column) => column.is_further(),
            _ => false,
        }
    }
}

impl From<Schema> for u8 {
    fn from(schema: Schema) -> Self {
        match schema {
            Schema::First => 1,
            Schema::Second => 2,
        }
    }
}

impl TryFrom<u8> for Schema {
    type Error = UnknownSchemaError;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::First),
            2 => Ok(Self::Second),
            number => Err(UnknownSchemaError(number)),
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Second => "second",
        })
    }
}
