//! Partitions: windows of time in which groups of machines cannot reach each other.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use crate::model::id::VmId;
use crate::model::text::as_text;
use crate::model::time::{Nanos, ParseTimeError, ParseTimeWindowError, TimeWindow};

/// In its window, a message sent from one group to another is lost.
/// Machines that no group names are together one more group.
///
/// Written `10s-20s:0,1/2-4`: the window, then the groups, each a list of ids and ranges of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    window: TimeWindow,
    /// The ranges of ids that groups name, sorted and disjoint.
    ranges: Vec<IdRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct IdRange {
    first: VmId,
    last: VmId,
    group: usize,
}

impl Partition {
    /// Whether a message sent then from one machine to another is lost to this partition.
    pub fn separates(&self, from: VmId, to: VmId, at: Nanos) -> bool {
        self.window.has(at) && self.group(from) != self.group(to)
    }

    /// The machine with the highest id that a group names.
    pub fn last_named(&self) -> Option<VmId> {
        self.ranges.last().map(|range| range.last)
    }

    fn group(&self, vm: VmId) -> Option<usize> {
        // Ranges do not overlap: the last one that begins at or before a machine is the only one that can have it.
        let after = self.ranges.partition_point(|range| range.first <= vm);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        (vm <= range.last).then_some(range.group)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.window)?;
        let groups = self.ranges.iter().map(|range| range.group + 1).max().unwrap_or(0);
        for group in 0..groups {
            let mut separator = if group == 0 { "" } else { "/" };
            for range in self.ranges.iter().filter(|range| range.group == group) {
                write!(f, "{separator}{}", range.first)?;
                if range.first < range.last {
                    write!(f, "-{}", range.last)?;
                }
                separator = ",";
            }
        }
        Ok(())
    }
}

/// Why a text is no partition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePartitionError {
    /// It has another form.
    #[error("a partition is START-END:GROUP/GROUP, such as 10s-20s:0,1/2-4")]
    Form,
    /// A time of its window is none.
    #[error("a partition is START-END:GROUP/GROUP, such as 10s-20s:0,1/2-4; {0}")]
    Time(#[from] ParseTimeError),
    /// Its window ends before it starts.
    #[error("a partition's window ends after it starts")]
    Window,
    /// A machine's id is no number.
    #[error("a partition's groups are lists of machine ids and ranges of ids, such as 0,1/2-4")]
    Id(#[from] ParseIntError),
    /// A machine is named twice.
    #[error("a partition names machine {0} twice")]
    Twice(VmId),
}

impl From<ParseTimeWindowError> for ParsePartitionError {
    fn from(error: ParseTimeWindowError) -> Self {
        match error {
            ParseTimeWindowError::Form => Self::Form,
            ParseTimeWindowError::Time(error) => Self::Time(error),
            ParseTimeWindowError::Empty => Self::Window,
        }
    }
}

impl FromStr for Partition {
    type Err = ParsePartitionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (window, groups) = text.split_once(':').ok_or(ParsePartitionError::Form)?;
        let window: TimeWindow = window.parse()?;
        if !window.is_closed() {
            return Err(ParsePartitionError::Form);
        }
        let mut ranges = Vec::new();
        for (group, members) in groups.split('/').enumerate() {
            for member in members.split(',') {
                ranges.push(parse_range(member, group)?);
            }
        }
        // Sorted by their first machines, ranges that share one are neighbours.
        ranges.sort_unstable();
        match ranges.windows(2).find(|pair| pair[1].first <= pair[0].last) {
            Some(pair) => Err(ParsePartitionError::Twice(pair[1].first)),
            None => Ok(Self { window, ranges }),
        }
    }
}

fn parse_range(text: &str, group: usize) -> Result<IdRange, ParsePartitionError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (VmId(first.trim().parse()?), VmId(last.trim().parse()?));
    if first <= last { Ok(IdRange { first, last, group }) } else { Err(ParsePartitionError::Form) }
}

as_text!(Partition);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_groups_of_lists_and_ranges() {
        for text in ["10s-20s:0,1/2-4", "0s-500ms:7", "1s-2s:0,5-9/1/3"] {
            assert_eq!(text.parse::<Partition>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn separates_groups_and_nothing_else() {
        let partition: Partition = "0s-1s:0-2,9/3".parse().unwrap();
        let separates = |from, to| partition.separates(VmId(from), VmId(to), Nanos::ZERO);
        assert!(separates(0, 3) && separates(3, 9) && separates(2, 4) && separates(3, 10));
        assert!(!separates(0, 9) && !separates(3, 3) && !separates(5, 10));
    }

    #[test]
    fn refuses_the_rest() {
        let check = |text: &str, error| assert_eq!(text.parse::<Partition>(), Err(error), "{text}");
        check("10s-20s", ParsePartitionError::Form);
        check("20s:0/1", ParsePartitionError::Form);
        check("20s-:0/1", ParsePartitionError::Form);
        check("20s-10s:0/1", ParsePartitionError::Window);
        check("1s-1s:0/1", ParsePartitionError::Window);
        check("x-2s:0/1", ParseTimeError::Form.into());
        check("1-2s:0/1", ParseTimeError::NoUnit { number: "1".into() }.into());
        check("0-20:0/1", ParseTimeError::NoUnit { number: "20".into() }.into());
        check("1s-2s:0,1/1", ParsePartitionError::Twice(VmId(1)));
        check("1s-2s:4-2", ParsePartitionError::Form);
        assert!(matches!("1s-2s:0/a".parse::<Partition>(), Err(ParsePartitionError::Id(_))));
        assert!(matches!("1s-2s:".parse::<Partition>(), Err(ParsePartitionError::Id(_))));
    }
}
