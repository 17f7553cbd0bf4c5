//! What the messages of a run can be, as both ends of a link know it from the scenario.
//!
//! A machine makes one event a tick, so its rate and the run's duration say how many it makes; each of them sends to
//! so many machines at most; and no clock counts more events than there are. Whatever is beyond that was not sent by
//! a machine of the run. So a process that floods another one, whatever it wants, can make it keep no more messages
//! than a whole run has.

use crate::clock::Stamp;
use crate::model::id::VmId;
use crate::model::network::Probability;
use crate::model::scenario::{ClockList, Scenario};

/// What messages of a run can be at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many events each machine makes, by number.
    events: Box<[u64]>,
    /// How many all of them make.
    total: u64,
    /// The clocks that every message carries; none where any may.
    clocks: Option<ClockList>,
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
            clocks: Some(scenario.clocks()),
            payload: workload.algorithm().longest_payload.min(LONGEST_PAYLOAD),
            copies: workload.most_recipients().saturating_mul(1 + u32::from(duplicates)),
        }
    }

    /// What any run of so many machines may have.
    pub fn open(vms: u32) -> Self {
        let events = vec![u64::MAX; vms as usize].into();
        Self { events, total: u64::MAX, clocks: None, payload: LONGEST_PAYLOAD, copies: u32::MAX }
    }

    /// The number of machines.
    pub const fn vms(&self) -> usize {
        self.events.len()
    }

    /// How many events each machine makes, by number.
    pub const fn events(&self) -> &[u64] {
        &self.events
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
        let entries = if self.clocks?.vector { self.vms() } else { 0 };
        Some(ALONE + self.payload + 8 * entries)
    }

    /// Whether a machine of the run can have put that stamp on a message at that event.
    pub fn allow(&self, sender: VmId, event: u64, stamp: &Stamp) -> bool {
        let Some(clocks) = self.clocks else { return true };
        // A Lamport clock is the length of a path of events (rules IR1 and IR2 add one at each), and c counts events of
        // the causal past with the same l (Kulkarni et al. 2014, corollary 2): neither is more than there are. The own
        // entry of a vector is the number of the event itself (Fidge 1988, Mattern 1989).
        let hybrid = stamp.hybrid();
        let counts_itself =
            stamp.vector().is_none_or(|vector| vector.entries().get(sender.index()) == Some(&event));
        stamp.lamport() <= self.total
            && hybrid.is_some() == clocks.hybrid
            && hybrid.is_none_or(|hybrid| hybrid.c <= self.total)
            && stamp.vector().is_some() == clocks.vector
            && counts_itself
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{HybridStamp, VectorStamp};
    use crate::model::scenario::Settings;
    use crate::model::seed::Seed;
    use crate::model::time::Nanos;

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
            Stamp::lamport_only(lamport)
                .with_hybrid(HybridStamp { l: Nanos::ZERO, c })
                .with_vector(VectorStamp::new([0, own, 0]))
        };
        let allows = |stamp: &Stamp| bounds.allow(VmId(1), 7, stamp);
        assert!(allows(&stamp(90, 90, 7)));
        assert!(!allows(&stamp(91, 90, 7)) && !allows(&stamp(90, 91, 7)) && !allows(&stamp(90, 90, 8)));
        assert!(!allows(&Stamp::lamport_only(7)), "a clock is missing");
        assert!(Bounds::open(3).allow(VmId(1), 7, &stamp(u64::MAX, 5, 9)));
    }
}
