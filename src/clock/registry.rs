//! The machinery behind the registry: from one line a clock to a closed set of them.
//!
//! A machine's clocks are one enumeration and no trait objects, so that a small clock stands where the machine's others
//! do and its rule is compiled into theirs; only [`Kind`] is a table of functions, for what happens seldom.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use super::{AnyClock, Claim, Description, Setup};
use crate::model::time::Nanos;

/// A clock of the registry: its description and what can be done without a clock of a machine.
pub struct Kind {
    pub(super) description: Description,
    pub(super) start: fn(&Setup<'_>, Option<&[u64]>) -> AnyClock,
    /// What a message carries to somebody who has heard nothing of the sender yet, where the sender's value is that.
    pub stamp_of: fn(&[u64]) -> Cow<'_, [u64]>,
    /// How two values are ordered.
    pub compare: fn(&[u64], &[u64]) -> Option<Ordering>,
    /// What the physical clock showed at an event of which nothing but the value is known.
    pub physical_by: fn(&[u64]) -> Nanos,
    /// Of how many numbers a value is at most in a run of so many machines and events, where the description does not say.
    pub(super) most_words: fn(u32, u64) -> usize,
    /// Why the clock is beyond sense in a run of so many machines and events.
    pub refuses: fn(u32, u64) -> Option<String>,
    /// Whether a machine of the run can have put such a stamp on a message.
    pub allows: fn(&[u64], &Claim) -> bool,
}

impl Kind {
    /// Its place in the registry.
    pub fn place(&self) -> usize {
        super::kinds().iter().position(|kind| kind == self).unwrap_or(usize::MAX)
    }
}

/// Its name, what its value is and what it promises, in a line.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        for (index, parameter) in self.parameters.iter().enumerate() {
            write!(f, "{}{parameter}", if index == 0 { ", with " } else { " and " })?;
        }
        write!(f, ": {} ({}; {})", self.rule, self.promise, self.source)
    }
}

impl Deref for Kind {
    type Target = Description;

    fn deref(&self) -> &Description {
        &self.description
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description.name)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.description.name == other.description.name
    }
}

impl Eq for Kind {}

/// Makes the set of clocks out of a line each: its name here and its type.
macro_rules! registry {
    ($($name:ident: $clock:ty,)+) => {
        static KINDS: &[Kind] = &[$(Kind {
            description: <$clock as Clock>::DESCRIPTION,
            start: |setup, last| AnyClock::$name(<$clock as Clock>::start(setup, last)),
            stamp_of: <$clock as Clock>::stamp_of,
            compare: <$clock as Clock>::compare,
            physical_by: <$clock as Clock>::physical_by,
            most_words: <$clock as Clock>::most_words,
            refuses: <$clock as Clock>::refuses,
            allows: <$clock as Clock>::allows,
        }),+];

        /// Any clock of the registry, as one machine keeps it.
        #[derive(Clone, Debug)]
        pub(crate) enum AnyClock { $($name($clock)),+ }

        impl AnyClock {
            /// An internal event or a send happens.
            #[inline]
            pub(crate) fn advance(&mut self, occurrence: Occurrence, now: Moment) {
                match self { $(Self::$name(clock) => Clock::advance(clock, occurrence, now)),+ }
            }

            /// A message with that stamp is received.
            #[inline]
            pub(crate) fn receive(&mut self, sender: VmId, stamp: &[u64], now: Moment) {
                match self { $(Self::$name(clock) => Clock::receive(clock, sender, stamp, now)),+ }
            }

            /// Its value.
            #[inline]
            pub(crate) fn value(&self) -> &[u64] {
                match self { $(Self::$name(clock) => Clock::value(clock)),+ }
            }

            /// Appends the stamp for one recipient of the send that has just happened.
            pub(crate) fn stamp_for(&mut self, to: VmId, out: &mut Vec<u64>) {
                match self { $(Self::$name(clock) => Clock::stamp_for(clock, to, out)),+ }
            }
        }
    };
}
pub(super) use registry;
