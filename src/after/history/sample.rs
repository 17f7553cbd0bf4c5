//! Happened-before between some events of a run, as the messages alone give it: no clock is asked.
//!
//! Which of all events happened before which others is too much to know of a long run. So a sample of them is kept,
//! spread evenly over the run, and of every machine and every message on its way which of these it knows of: a bit each.
//! That is Lamport's definition (1978): an event knows what its machine knew before, and what the sender of its message did.

/// The most events in a sample.
const MOST: usize = 128;

/// A sample of the events that were shown so far, each with what is kept of it.
#[derive(Debug)]
pub(crate) struct Sample<T> {
    kept: Vec<T>,
    /// Events of which one is kept.
    stride: u64,
    shown: u64,
    /// How often every second one was dropped.
    thinned: u32,
}

/// Which events of a sample happened before a moment of a machine, or before a message was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    bits: [u64; 2],
    thinned: u32,
    /// Whether something happened before it that is not here.
    is_part: bool,
}

/// How an event of a sample and one that is shown later are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// The sampled one happened before.
    Before,
    /// Neither happened before the other.
    Concurrent,
    /// It depends on events that are not here.
    Unknown,
}

impl<T> Default for Sample<T> {
    fn default() -> Self {
        Self { kept: Vec::with_capacity(MOST), stride: 1, shown: 0, thinned: 0 }
    }
}

impl<T> Sample<T> {
    /// An event is shown; whether it is one to be kept.
    pub(crate) fn is_next(&mut self) -> bool {
        self.shown += 1;
        self.shown.is_multiple_of(self.stride)
    }

    /// A machine hears of what somebody else knew.
    pub(crate) fn hear(&self, own: &mut Known, other: &Known) {
        let (mut other, thinned) = (*other, self.thinned);
        own.thin_to(thinned);
        other.thin_to(thinned);
        own.bits.iter_mut().zip(other.bits).for_each(|(own, other)| *own |= other);
        own.is_part |= other.is_part;
    }

    /// The events of the sample, each with how it and an event are ordered that is shown now and knows of those.
    pub(crate) fn against(&self, mut known: Known) -> impl Iterator<Item = (&T, Earlier)> {
        known.thin_to(self.thinned);
        self.kept.iter().enumerate().map(move |(place, kept)| {
            let earlier = match (known.has(place), known.is_part) {
                (true, _) => Earlier::Before,
                (false, true) => Earlier::Unknown,
                (false, false) => Earlier::Concurrent,
            };
            (kept, earlier)
        })
    }

    /// How many pairs of events each pair of a sampled one and the next one to be sampled stands for. While a run is
    /// young its events are sampled more densely: without that, pairs that are near each other would count too much.
    #[expect(clippy::cast_precision_loss, reason = "a weight among others")]
    pub(crate) fn weight(&self) -> f64 {
        (self.stride as f64).powi(2)
    }

    /// Keeps the event that is shown now, of a machine that knows of those.
    pub(crate) fn keep(&mut self, known: &mut Known, event: T) {
        if self.kept.len() == MOST {
            let mut place = 0;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.thinned += 1;
            self.stride = self.stride.saturating_mul(2);
        }
        known.thin_to(self.thinned);
        let place = self.kept.len();
        debug_assert!(!known.has(place), "nobody knows of an event before it happens");
        known.bits[place / 64] |= 1 << (place % 64);
        self.kept.push(event);
    }
}

impl Known {
    /// Something happened before that is not here: what else did is not known.
    pub(crate) const fn lacks_something(&mut self) {
        self.is_part = true;
    }

    const fn has(&self, place: usize) -> bool {
        self.bits[place / 64] >> (place % 64) & 1 == 1
    }

    /// Follows a sample of which every second event was dropped since.
    fn thin_to(&mut self, thinned: u32) {
        while self.thinned < thinned {
            let [low, high] = self.bits.map(every_second);
            self.bits = [low | high << 32, 0];
            self.thinned += 1;
        }
    }
}

/// Every second bit, the lowest first, without gaps.
const fn every_second(bits: u64) -> u64 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) & 0x0000_0000_ffff_ffff
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Three machines, of which each event may hear of the latest event of another one.
        #[test]
        fn a_sample_knows_what_happened_before_as_sets_of_events_do(
            events in proptest::collection::vec((0usize..3, proptest::option::of(0usize..3)), 0..700),
        ) {
            let mut sample = Sample::default();
            let mut known = [Known::default(); 3];
            let mut pasts = [const { BTreeSet::new() }; 3];
            for (event, (own, heard)) in events.into_iter().enumerate() {
                if let Some(other) = heard.filter(|other| *other != own) {
                    let (of_other, past) = (known[other], pasts[other].clone());
                    sample.hear(&mut known[own], &of_other);
                    pasts[own].extend(past);
                }
                for (earlier, order) in sample.against(known[own]) {
                    let expected = if pasts[own].contains(earlier) { Earlier::Before } else { Earlier::Concurrent };
                    prop_assert_eq!(order, expected);
                }
                if sample.is_next() {
                    sample.keep(&mut known[own], event);
                }
                pasts[own].insert(event);
            }
            prop_assert!(sample.kept.len() <= MOST);
        }
    }

    #[test]
    fn what_depends_on_missing_events_is_unknown() {
        let mut sample = Sample::default();
        let (mut whole, mut part) = (Known::default(), Known::default());
        sample.keep(&mut whole, 'a');
        part.lacks_something();
        assert!(sample.against(part).all(|(_, earlier)| earlier == Earlier::Unknown));
        sample.hear(&mut part, &whole);
        assert!(sample.against(part).all(|(_, earlier)| earlier == Earlier::Before));
        sample.hear(&mut whole, &part);
        sample.keep(&mut Known::default(), 'b');
        let orders: Vec<_> = sample.against(whole).map(|(_, earlier)| earlier).collect();
        assert_eq!(orders, [Earlier::Before, Earlier::Unknown]);
    }
}
