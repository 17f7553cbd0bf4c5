//! The clocks that a run keeps beside Lamport's, as people choose them: `lamport,vector,rev:10`.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use super::{AnyClock, Kind, LAMPORT, Setup, kinds};
use crate::model::text::as_text;

/// The most parameters that a clock has.
const MOST_PARAMETERS: usize = 2;

/// A clock with its parameters.
#[derive(Clone, Copy)]
pub struct ClockSpec {
    kind: &'static Kind,
    parameters: [u64; MOST_PARAMETERS],
}

/// The clocks beside Lamport's, which is always kept, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockList(Option<Arc<[ClockSpec]>>);

/// Why a text is no list of clocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseClocksError {
    /// It names one that there is not.
    #[error("must be a list of: {}", names())]
    Unknown,
    /// A clock's parameters are not such.
    #[error("'{found}' is no such clock: {} has {}", kind.name, parameters(kind))]
    Parameters {
        /// What was asked for.
        found: String,
        /// The clock.
        kind: &'static Kind,
    },
}

fn names() -> String {
    let with_defaults = |kind: &'static Kind| ClockSpec::with_defaults(kind).to_string();
    kinds().iter().map(with_defaults).collect::<Vec<_>>().join(", ")
}

fn parameters(kind: &Kind) -> String {
    match kind.parameters {
        [] => "no parameters".to_owned(),
        all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then / and "),
    }
}

impl ClockSpec {
    /// A clock whose parameters have their defaults.
    pub(super) fn with_defaults(kind: &'static Kind) -> Self {
        debug_assert!(kind.parameters.len() <= MOST_PARAMETERS, "{} has more parameters", kind.name);
        let mut parameters = [0; MOST_PARAMETERS];
        parameters.iter_mut().zip(kind.parameters).for_each(|(own, parameter)| *own = parameter.default);
        Self { kind, parameters }
    }

    /// Its parameters.
    pub fn parameters(&self) -> &[u64] {
        &self.parameters[..self.kind.parameters.len()]
    }

    /// Of how many numbers its value is in a run of so many machines; none where that is not always the same.
    pub fn words(&self, vms: u32) -> Option<usize> {
        self.kind.length.of(vms, self.parameters())
    }

    /// Of how many numbers its value is at most in a run of so many machines and events.
    pub fn most_words(&self, vms: u32, events: u64) -> usize {
        self.words(vms).unwrap_or_else(|| (self.kind.most_words)(vms, events))
    }

    /// Whether its value is now of more and now of fewer numbers.
    pub fn has_any_length(&self) -> bool {
        self.words(1).is_none()
    }

    /// Of how many numbers a stamp of it is; none where that is not always the same. What is made for its recipient
    /// has no more than that one lacks.
    pub fn stamp_words(&self, vms: u32) -> Option<usize> {
        self.words(vms).filter(|_| !self.is_for_recipient)
    }

    /// The clock of a machine at its start, or going on after an event with that value.
    pub(crate) fn start(&self, setup: &Setup<'_>, last: Option<&[u64]>) -> AnyClock {
        (self.kind.start)(&Setup { parameters: self.parameters(), ..*setup }, last)
    }

    /// The names of its columns in a log.
    pub fn columns(&self) -> impl Iterator<Item = String> + '_ {
        self.kind.columns.iter().map(move |part| format!("{self}{part}"))
    }

    /// A value as people read it: `(5, 2)`, `[5,12,0]`.
    pub fn shown(&self, value: &[u64]) -> String {
        let all: Vec<String> = value.iter().map(u64::to_string).collect();
        match self.kind.form {
            super::Form::Numbers => format!("({})", all.join(", ")),
            super::Form::Large => format!("[{}]", super::natural::decimal(value)),
            super::Form::List => format!("[{}]", all.join(",")),
            super::Form::Square => {
                let rows = all.chunks(all.len().isqrt().max(1)).map(|row| format!("[{}]", row.join(",")));
                format!("[{}]", rows.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// What the clock says of itself.
impl Deref for ClockSpec {
    type Target = Kind;

    fn deref(&self) -> &Kind {
        self.kind
    }
}

impl PartialEq for ClockSpec {
    fn eq(&self, other: &Self) -> bool {
        self.kind.name == other.kind.name && self.parameters == other.parameters
    }
}

impl Eq for ClockSpec {}

impl fmt::Debug for ClockSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ClockSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name)?;
        for (index, parameter) in self.parameters().iter().enumerate() {
            write!(f, "{}{parameter}", if index == 0 { ':' } else { '/' })?;
        }
        Ok(())
    }
}

impl FromStr for ClockSpec {
    type Err = ParseClocksError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, given) = text.split_once(':').map_or((text, None), |(name, given)| (name, Some(given)));
        let kind = kinds().iter().find(|kind| kind.name == name).ok_or(ParseClocksError::Unknown)?;
        let mut spec = Self::with_defaults(kind);
        let wrong = || ParseClocksError::Parameters { found: text.to_owned(), kind };
        let Some(given) = given else { return Ok(spec) };
        let mut given = given.split('/');
        for (own, parameter) in spec.parameters.iter_mut().zip(kind.parameters) {
            let Some(text) = given.next() else { break };
            let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
            let is_allowed = |number: &u64| (parameter.least..=parameter.most).contains(number);
            *own = number.filter(is_allowed).ok_or_else(wrong)?;
        }
        // What is left was asked for in vain.
        if given.next().is_some() { Err(wrong()) } else { Ok(spec) }
    }
}

impl ClockList {
    /// Lamport's clock alone.
    pub const LAMPORT: Self = Self(None);

    /// These clocks, each once, and Lamport's.
    pub fn new(specs: impl IntoIterator<Item = ClockSpec>) -> Self {
        let mut list: Vec<ClockSpec> = Vec::new();
        for spec in specs {
            if spec.name != LAMPORT && !list.contains(&spec) {
                list.push(spec);
            }
        }
        Self((!list.is_empty()).then(|| list.into()))
    }

    /// Those that are kept where nothing else is asked for.
    pub fn standard() -> Self {
        Self::new(kinds().iter().filter(|kind| kind.is_standard).map(ClockSpec::with_defaults))
    }

    /// Its clocks and those of the standard that it lacks, in the order of a log's columns: the standard ones first.
    pub fn in_a_log(&self) -> Self {
        Self::new(Self::standard().iter().copied().chain(self.iter().copied()))
    }

    /// Those that fit a run of any size: what to ask for where the others do not.
    pub fn small() -> Self {
        Self::new(Self::standard().iter().copied().filter(|spec| !spec.length.grows()))
    }

    /// The clock that takes most in a run of so many machines, if there is any, and of how many numbers its value is.
    pub fn largest(&self, vms: u32) -> Option<(ClockSpec, usize)> {
        let sized = self.iter().map(|spec| (*spec, spec.words(vms).unwrap_or(vms as usize)));
        sized.max_by_key(|(_, words)| *words)
    }

    /// Of how many numbers all values of a machine are in a run of so many, where none grows beyond one a machine
    /// on the way.
    pub fn words(&self, vms: u32) -> usize {
        let words = self.iter().map(|spec| spec.words(vms).unwrap_or(vms as usize));
        words.fold(0, usize::saturating_add)
    }
}

impl Default for ClockList {
    fn default() -> Self {
        Self::standard()
    }
}

impl Deref for ClockList {
    type Target = [ClockSpec];

    fn deref(&self) -> &[ClockSpec] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for ClockList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LAMPORT)?;
        self.iter().try_for_each(|spec| write!(f, ",{spec}"))
    }
}

impl FromStr for ClockList {
    type Err = ParseClocksError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let specs = text.split(',').map(|clock| clock.trim().parse::<ClockSpec>());
        Ok(Self::new(specs.collect::<Result<Vec<_>, _>>()?))
    }
}

as_text!(ClockList);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lamport_is_kept_whatever_the_list_says_and_the_order_stays() {
        let check =
            |text: &str, written: &str| assert_eq!(text.parse::<ClockList>().unwrap().to_string(), written);
        check("lamport", "lamport");
        check("hlc", "lamport,hlc");
        check("vector,lamport,hlc", "lamport,vector,hlc");
        check("hlc, vector,hlc", "lamport,hlc,vector");
        assert_eq!(ClockList::default().to_string(), "lamport,vector,hlc");
        assert_eq!(ClockList::small().to_string(), "lamport,hlc");
    }

    #[test]
    fn an_unknown_clock_is_refused_with_all_that_there_are() {
        for text in ["", "lamport,sundial", "Vector", "vector,,hlc"] {
            let error = text.parse::<ClockList>().unwrap_err();
            assert_eq!(error, ParseClocksError::Unknown, "{text}");
            assert!(error.to_string().starts_with("must be a list of: lamport, vector, hlc"), "{error}");
        }
        let error = "vector:3".parse::<ClockList>().unwrap_err().to_string();
        assert_eq!(error, "'vector:3' is no such clock: vector has no parameters");
    }

    #[test]
    fn a_clock_is_written_as_it_is_read() {
        for spec in kinds().iter().map(ClockSpec::with_defaults) {
            assert_eq!(spec.to_string().parse(), Ok(spec));
        }
    }
}
