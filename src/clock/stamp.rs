//! What a message takes along of its sender's clocks, in the 32 bytes that every message has for it.

use smallvec::SmallVec;
use triomphe::ThinArc;

use super::{ClockList, Length};

/// What a message carries of its sender's clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub(crate) lamport: u64,
    pub(crate) others: OtherStamps,
}

/// How many numbers a stamp has a place of its own for.
const SMALL: usize = 2;

/// Stands for no small stamp. No clock comes to it in five hundred years.
const NOT_KEPT: [u64; SMALL] = [u64::MAX; SMALL];

/// What a message carries of the clocks beside Lamport's.
///
/// Numbers of one small clock stand here; those of all others are shared by the recipients of a send. Where they are
/// of several clocks, the count of each one's stands before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherStamps {
    shared: Option<ThinArc<(), u64>>,
    /// [`NOT_KEPT`] where there is none: an `Option` would make every message eight bytes longer.
    small: [u64; SMALL],
}

/// Where in a stamp the numbers of each clock of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StampLayout {
    clocks: u16,
    /// The clock that has the small place, and of how many numbers it is.
    small: Option<(u16, u16)>,
}

impl StampLayout {
    /// The layout for the clocks of a run: the first that fits has the small place.
    pub fn of(list: &ClockList) -> Self {
        let words = |length| match length {
            Length::Words(words) if words <= SMALL => Some(words),
            _ => None,
        };
        // A run has a few clocks.
        let narrow = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let small = list
            .iter()
            .enumerate()
            .find_map(|(index, spec)| Some((narrow(index), narrow(words(spec.length)?))));
        Self { clocks: narrow(list.len()), small }
    }

    /// How many clocks share the numbers that stand elsewhere.
    const fn shared(self) -> usize {
        self.clocks as usize - self.small.is_some() as usize
    }

    /// Of how many numbers a clock is that has the small place.
    const fn small(self, index: usize) -> Option<usize> {
        match self.small {
            Some((small, words)) if small as usize == index => Some(words as usize),
            _ => None,
        }
    }
}

impl Stamp {
    /// The stamp of a machine that keeps a Lamport clock alone.
    pub const fn lamport_only(lamport: u64) -> Self {
        Self { lamport, others: OtherStamps::NONE }
    }

    /// The stamp of a machine that keeps those clocks as well, with their values in the order of the list.
    pub fn new<'a>(
        lamport: u64,
        layout: StampLayout,
        values: impl Iterator<Item = &'a [u64]> + Clone,
    ) -> Self {
        Self { lamport, others: OtherStamps::new(layout, values) }
    }

    /// The Lamport clock.
    pub const fn lamport(&self) -> u64 {
        self.lamport
    }

    /// What it says of each of the clocks; none where it says nothing.
    pub fn parts(&self, layout: StampLayout) -> impl Iterator<Item = Option<&[u64]>> {
        self.others.parts(layout)
    }

    /// How many numbers it has beside the Lamport clock.
    pub fn words(&self) -> usize {
        SMALL + self.others.shared.as_ref().map_or(0, |shared| shared.slice.len())
    }
}

impl OtherStamps {
    /// What a message carries where a Lamport clock alone is kept.
    pub(crate) const NONE: Self = Self { shared: None, small: NOT_KEPT };

    /// Whether there is nothing.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.shared.is_none() && self.small == NOT_KEPT
    }

    #[inline]
    pub(crate) fn new<'a>(layout: StampLayout, values: impl Iterator<Item = &'a [u64]> + Clone) -> Self {
        if layout.shared() > 1 {
            return Self::together(layout, values);
        }
        let mut stamps = Self::NONE;
        for (index, value) in values.enumerate() {
            match layout.small(index) {
                Some(words) => stamps.keep_small(words, value),
                None if value.is_empty() => {}
                None => stamps.shared = Some(ThinArc::from_header_and_slice((), value)),
            }
        }
        stamps
    }

    /// The same where several clocks share the numbers that stand elsewhere: kept out of the way of those that do not.
    #[inline(never)]
    fn together<'a>(layout: StampLayout, values: impl Iterator<Item = &'a [u64]>) -> Self {
        let mut stamps = Self::NONE;
        let mut together = SmallVec::<[u64; 32]>::new();
        for (index, value) in values.enumerate() {
            if let Some(words) = layout.small(index) {
                stamps.keep_small(words, value);
            } else {
                together.push(value.len() as u64);
                together.extend_from_slice(value);
            }
        }
        stamps.shared = Some(ThinArc::from_header_and_slice((), &together));
        stamps
    }

    /// Keeps a value of so many numbers in the small place. A log may lack it, or have one that is too short.
    #[inline]
    fn keep_small(&mut self, words: usize, value: &[u64]) {
        match (words, value) {
            (SMALL, &[first, second]) => self.small = [first, second],
            _ => {
                if let Some(value) = value.get(..words) {
                    self.small = [0; SMALL];
                    self.small[..words].copy_from_slice(value);
                }
            }
        }
    }

    #[inline]
    pub(crate) fn parts(&self, layout: StampLayout) -> impl Iterator<Item = Option<&[u64]>> {
        let mut rest = self.shared.as_ref().map(|shared| &shared.slice);
        (0..layout.clocks as usize).map(move |index| match layout.small(index) {
            Some(words) => {
                if self.small == NOT_KEPT {
                    None
                } else {
                    Some(&self.small[..words])
                }
            }
            _ if layout.shared() == 1 => rest,
            _ => {
                let (count, others) = rest?.split_first()?;
                let (part, others) = others.split_at_checked(usize::try_from(*count).ok()?)?;
                rest = Some(others);
                Some(part)
            }
        })
    }
}
