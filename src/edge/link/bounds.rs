//! What the messages of a run can be, as both ends of a link know it from the scenario.
//!
//! A machine makes one event a tick, so its rate and the run's duration say how many it makes; each of them sends to
//! so many machines at most; and no clock counts more events than there are. Whatever is beyond that was not sent by
//! a machine of the run. So a process that floods another one, whatever it wants, can make it keep no more messages
//! than a whole run has.

use crate::clock::{Claim, ClockList, Stamp, StampLayout};
use crate::model::id::VmId;
use crate::model::network::Probability;
use crate::model::scenario::Scenario;

/// What messages of a run can be at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many events each machine makes, by number.
    events: Box<[u64]>,
    /// How many all of them make.
    total: u64,
    /// The clocks that every message carries.
    clocks: ClockList,
    layout: StampLayout,
    /// Whether stamps may say whatever they like.
    is_open: bool,
    /// The longest payload, in bytes.
    payload: usize,
    /// How many messages leave a machine at one event.
    copies: u32,
}

/// The longest payload that the link carries, in bytes.
pub const LONGEST_PAYLOAD: usize = 1 << 16;

impl Bounds {
    /// The bounds of a scenario.
    pub fn of(scenario: &Scenario) -> Self {
        let events = scenario.ids().map(|vm| scenario.schedule(vm).ticks_until(scenario.duration()));
        let duplicates = scenario.settings().duplicate.unwrap_or_default() != Probability::default();
        let workload = scenario.workload();
        Self {
            events: events.collect(),
            total: scenario.events(),
            payload: workload.algorithm().longest_payload.min(LONGEST_PAYLOAD),
            copies: workload.most_recipients().saturating_mul(1 + u32::from(duplicates)),
            clocks: scenario.clocks().clone(),
            layout: StampLayout::of(scenario.clocks()),
            is_open: false,
        }
    }

    /// What any run of so many machines with those clocks may have.
    pub fn open(vms: u32, clocks: ClockList) -> Self {
        let events = vec![u64::MAX; vms as usize].into();
        let layout = StampLayout::of(&clocks);
        let (total, payload, copies) = (u64::MAX, LONGEST_PAYLOAD, u32::MAX);
        Self { events, total, clocks, layout, is_open: true, payload, copies }
    }

    /// The number of machines.
    pub const fn vms(&self) -> usize {
        self.events.len()
    }

    /// How many events each machine makes, by number.
    pub const fn events(&self) -> &[u64] {
        &self.events
    }

    /// The clocks that every message carries.
    pub const fn clocks(&self) -> &ClockList {
        &self.clocks
    }

    /// Of how many numbers a stamp of one of them is, by its place; none where that is not always the same.
    pub fn words(&self, clock: usize) -> Option<usize> {
        self.clocks[clock].stamp_words(u32::try_from(self.vms()).unwrap_or(u32::MAX))
    }

    /// The longest payload of a message, in bytes.
    pub const fn longest_payload(&self) -> usize {
        self.payload
    }

    /// How many messages leave a machine at one event.
    pub const fn most_copies(&self) -> u32 {
        self.copies
    }

    /// About how much memory a message takes that waits, in bytes; none where nobody can say.
    pub fn message_bytes(&self) -> Option<usize> {
        // The message with its place in an inbox, the heads of what it points to, and what is there.
        const ALONE: usize = 160;
        let words = self.clocks.words(u32::try_from(self.vms()).unwrap_or(u32::MAX));
        (!self.is_open).then(|| ALONE + self.payload + 8 * words)
    }

    /// Whether a machine of the run can have put that stamp on a message at that event.
    pub fn allow(&self, sender: VmId, event: u64, stamp: &Stamp) -> bool {
        // A Lamport clock is the length of a path of events (rules IR1 and IR2 add one at each), so it is no more than
        // there are. What the other clocks may say, they know themselves.
        let claim = Claim { sender, event, total: self.total };
        let mut parts = self.clocks.iter().zip(stamp.parts(self.layout));
        self.is_open
            || stamp.lamport() <= self.total
                && parts.all(|(spec, part)| part.is_some_and(|part| (spec.allows)(part, &claim)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scenario::Settings;
    use crate::model::seed::Seed;

    fn bounds(settings: &str) -> Bounds {
        let settings: Settings = toml::from_str(settings).unwrap();
        Bounds::of(&Scenario::new(&settings, Seed(1)).unwrap())
    }

    #[test]
    fn rates_and_duration_say_how_many_messages_there_can_be() {
        let bounds = bounds("rates = \"6,2,1\"\nduration = 10");
        assert_eq!((bounds.events(), bounds.total), (&[60, 20, 10][..], 90));
        assert_eq!((bounds.most_copies(), bounds.longest_payload()), (2, 0));
        let bounds = self::bounds("workload = \"client-server\"\nvms = 5\nduplicate = 0.1");
        assert_eq!((bounds.most_copies(), bounds.longest_payload()), (8, 6));
    }

    #[test]
    fn a_stamp_has_the_runs_clocks_and_counts_no_more_than_happens() {
        let bounds = bounds("rates = \"6,2,1\"\nduration = 10");
        let stamp = |lamport, c, own| {
            let values: [&[u64]; 2] = [&[0, own, 0], &[0, c]];
            Stamp::new(lamport, StampLayout::of(&ClockList::standard()), values.into_iter())
        };
        let allows = |stamp: &Stamp| bounds.allow(VmId(1), 7, stamp);
        assert!(allows(&stamp(90, 90, 7)));
        assert!(!allows(&stamp(91, 90, 7)) && !allows(&stamp(90, 91, 7)) && !allows(&stamp(90, 90, 8)));
        assert!(!allows(&Stamp::lamport_only(7)), "a clock is missing");
        assert!(Bounds::open(3, ClockList::standard()).allow(VmId(1), 7, &stamp(u64::MAX, 5, 9)));
    }
}
