//! What a clock says of itself: all that the rest of the laboratory needs to know of it.

use std::fmt;

use super::Promise;

/// A clock's description. From it follow the flag, the columns, the form on the links, the checks and the tables.
///
/// [`PLAIN`](Self::PLAIN) has what most clocks are content with.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// What it is called in `--clocks`, in columns and in the names of measures.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Its rule in a line.
    pub rule: &'static str,
    /// Who has published it, and when.
    pub source: &'static str,
    /// What its order says of happened-before.
    pub promise: Promise,
    /// What stands behind the colon in `--clocks`, parted by `/`.
    pub parameters: &'static [Parameter],
    /// Of how many numbers its value is.
    pub length: Length,
    /// What the values look like in a log.
    pub form: Form,
    /// What follows the name in the names of its columns, one for each: nothing, or `_` and a word.
    pub columns: &'static [&'static str],
    /// How a stamp travels between processes.
    pub wire: Wire,
    /// Whether it is kept where nothing else is asked for. Such clocks have their columns in every log, behind
    /// Lamport's; the others have theirs at the end, where they are kept.
    pub is_standard: bool,
    /// Whether entry i of its value is the number of the last event of machine i that happened before or is the
    /// event itself: then it tells what happened before what by itself.
    pub tells_past: bool,
    /// Whether the machine's physical clock shows in it.
    pub reads_physical: bool,
    /// Whether any two values can be compared.
    pub is_linear: bool,
    /// Whether it goes wrong where messages of one machine to another overtake each other or are lost.
    pub needs_order: bool,
    /// Whether each recipient of a send gets a stamp of its own.
    pub is_for_recipient: bool,
}

impl Description {
    /// What most clocks have in common.
    pub const PLAIN: Self = Self {
        name: "",
        title: "",
        rule: "",
        source: "",
        promise: Promise::Weak,
        parameters: &[],
        length: Length::Words(1),
        form: Form::List,
        columns: &[""],
        wire: Wire::Whole,
        is_standard: false,
        tells_past: false,
        reads_physical: false,
        is_linear: false,
        needs_order: false,
        is_for_recipient: false,
    };
}

/// A number that chooses one of a clock's variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it is called in words and tables.
    pub name: &'static str,
    /// The least that it can be.
    pub least: u64,
    /// The most that it can be.
    pub most: u64,
    /// What it is where it is not given.
    pub default: u64,
}

/// Of how many numbers a clock's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always of so many.
    Words(usize),
    /// Of one for each machine.
    Machines,
    /// Of one for each two machines, row by row.
    Pairs,
    /// Of as many as a parameter says, by its place.
    Parameter(usize),
    /// Now of more and now of fewer.
    Any,
}

/// What a clock's value looks like in the cells of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A whole number in each column.
    Numbers,
    /// A JSON list in one column: `[5,12,0]`.
    List,
    /// A JSON list of as many lists as each has entries: `[[5,2],[1,2]]`.
    Square,
    /// One whole number of any size, 64 bits of it in each of the value's, the lowest first. It stands in a JSON list of
    /// its own, which no spreadsheet takes for a number to round: `[265252859812191058636308480000000]`.
    Large,
}

/// How the numbers of a stamp travel between processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// One after the other.
    Whole,
    /// Only those that have changed since the machine's latest stamp on the same link. Number i of the value
    /// counts events of machine i, or, where there are more, of the machine in whose column it stands.
    Changes,
}

impl Length {
    /// How many numbers that is in a run of so many machines; none where nobody can say.
    pub fn of(self, vms: u32, parameters: &[u64]) -> Option<usize> {
        let vms = vms as usize;
        match self {
            Self::Words(words) => Some(words),
            Self::Machines => Some(vms),
            Self::Pairs => Some(vms.saturating_mul(vms)),
            Self::Parameter(place) => usize::try_from(*parameters.get(place)?).ok(),
            Self::Any => None,
        }
    }

    /// How many machines a run has in which a value is of so many numbers, where that tells.
    pub fn machines(self, words: usize) -> Option<u32> {
        let machines = match self {
            Self::Machines => words,
            Self::Pairs => words.isqrt(),
            Self::Words(_) | Self::Parameter(_) | Self::Any => return None,
        };
        u32::try_from(machines).ok()
    }

    /// Whether it grows with the number of machines.
    pub const fn grows(self) -> bool {
        matches!(self, Self::Machines | Self::Pairs)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {}", self.name, self.least, self.most)
    }
}
