//! The judge of snapshots, by the marks `recorded` and `channel vm2 7` and the markers that take the states along.

use std::collections::BTreeMap;

use super::{Deed, Judge, Past, Violation, Witnessed};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Holds machines that pay each other to their snapshots: what they record is a consistent cut, and the states of all
/// machines and channels add up to what there is.
///
/// The k-th `recorded` of a machine belongs to the k-th snapshot, and its state is the one before that event. What it
/// was stands in its marker, `marker <snapshot> <amount>`. Where a marker comes to one that has recorded, the mark says
/// what was on its channel; the channel of a machine's first marker was empty.
#[derive(Debug)]
pub struct Snapshots {
    vms: u64,
    total: u64,
    machines: BTreeMap<VmId, Standing>,
    /// The snapshots that are not complete, by their number.
    open: BTreeMap<u64, Snapshot>,
}

/// How a machine stands.
#[derive(Debug, Default)]
struct Standing {
    /// What had happened at its latest event.
    past: Past,
    /// How many snapshots it has recorded.
    recorded: u64,
    /// Whether it may have recorded more, or was down: it can be held to nothing any more.
    is_vague: bool,
}

/// What was recorded.
#[derive(Debug, Default)]
struct Snapshot {
    states: BTreeMap<VmId, Recorded>,
    /// How many machines have told what they had, and how many channels are told.
    told: (u64, u64),
    amount: u64,
}

#[derive(Debug)]
struct Recorded {
    event: MessageId,
    /// What had happened before it.
    before: Past,
}

const CONSISTENT: &str = "the recorded states are a consistent cut";
const WHOLE: &str = "the recorded states of machines and channels add up to all that there is";

impl Snapshots {
    /// A judge of so many machines that have so much in all.
    pub const fn new(vms: u32, total: u64) -> Self {
        Self { vms: vms as u64, total, machines: BTreeMap::new(), open: BTreeMap::new() }
    }

    fn record(&mut self, event: &Witnessed<'_>, broken: &mut Vec<Violation>) {
        let own = self.machines.entry(event.vm()).or_default();
        own.recorded += 1;
        let recorded = Recorded { event: event.id, before: own.past.clone() };
        let snapshot = self.open.entry(own.recorded).or_default();
        broken.extend(snapshot.states.values().filter_map(|other| inconsistent(&recorded, other)));
        snapshot.states.insert(event.vm(), recorded);
    }

    /// A machine tells what it or a channel had.
    fn tell(&mut self, event: &Witnessed<'_>) -> Option<u64> {
        let mut words = event.payload.strip_prefix("marker ")?.split(' ');
        let number: u64 = words.next()?.parse().ok()?;
        let snapshot = self.open.get_mut(&number)?;
        let amount: u64 = match event.deed {
            Deed::Send(_) => {
                snapshot.told.0 += 1;
                words.next()?.parse().ok()?
            }
            Deed::Receive(_) => {
                let amount = event.mark.strip_prefix("channel ")?.split_once(' ')?.1.parse().ok()?;
                snapshot.told.1 += 1;
                amount
            }
            Deed::Internal => return None,
        };
        snapshot.amount = snapshot.amount.saturating_add(amount);
        Some(number)
    }

    /// Where all is told of a snapshot, it has to add up.
    fn add_up(&mut self, number: u64, broken: &mut Vec<Violation>) {
        let others = self.vms - 1;
        let is_complete = |snapshot: &Snapshot| snapshot.told == (self.vms, others * others);
        if !self.open.get(&number).is_some_and(is_complete) {
            return;
        }
        let Some(Snapshot { states, amount, .. }) = self.open.remove(&number) else { return };
        if amount != self.total {
            let mut cut = Past::default();
            states.values().for_each(|state| cut.add(&state.before));
            broken.push(Violation {
                promise: WHOLE,
                says: format!("snapshot {number} has {amount} in all, and there are {}", self.total),
                events: states.values().map(|state| state.event).collect(),
                cut: Some(cut),
            });
        }
    }
}

/// Whether one of two states comes after the other.
fn inconsistent(one: &Recorded, other: &Recorded) -> Option<Violation> {
    let (later, earlier) = if one.before.has(other.event) {
        (one, other)
    } else if other.before.has(one.event) {
        (other, one)
    } else {
        return None;
    };
    Some(Violation {
        promise: CONSISTENT,
        says: format!("{} records what happened after {}", later.event, earlier.event),
        events: vec![later.event, earlier.event],
        cut: Some(later.before.with(&earlier.before)),
    })
}

impl Judge for Snapshots {
    fn event(&mut self, event: &Witnessed<'_>, broken: &mut Vec<Violation>) {
        let own = self.machines.entry(event.vm()).or_default();
        own.is_vague |= event.follows_gap || event.is_resumed;
        if !own.is_vague {
            if event.mark == "recorded" {
                self.record(event, broken);
            }
            if let Some(number) = self.tell(event) {
                self.add_up(number, broken);
            }
        }
        self.machines.entry(event.vm()).or_default().past.clone_from(event.past);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use crate::model::time::Nanos;

    /// Two machines that have 10 each, shown event by event.
    struct Bench {
        judge: Snapshots,
        pasts: [Past; 2],
        shown: [u64; 2],
        broken: Vec<Violation>,
    }

    impl Bench {
        fn new() -> Self {
            let judge = Snapshots::new(2, 20);
            Self { judge, pasts: Default::default(), shown: [0; 2], broken: Vec::new() }
        }

        fn show(&mut self, own: usize, payload: &str, mark: &str, deed: Deed<'_>, follows_gap: bool) {
            self.shown[own] += 1;
            let id = MessageId { sender: VmId([0, 1][own]), event: self.shown[own] };
            self.pasts[own].add_event(id);
            let event = Witnessed {
                id,
                elapsed: Nanos::ZERO,
                deed,
                clocks: Reading::lamport_only(1),
                payload,
                mark,
                past: &self.pasts[own],
                follows_gap,
                is_resumed: false,
                shown: &self.shown,
            };
            self.judge.event(&event, &mut self.broken);
        }

        fn send(&mut self, own: usize, payload: &str, mark: &str) {
            self.show(own, payload, mark, Deed::Send(&[]), false);
        }

        /// A machine receives what the other one has sent last.
        fn receive(&mut self, own: usize, payload: &str, mark: &str) {
            let other = self.pasts[1 - own].clone();
            self.pasts[own].add(&other);
            let id = MessageId { sender: VmId([1, 0][own]), event: self.shown[1 - own] };
            self.show(own, payload, mark, Deed::Receive(id), false);
        }

        fn says(&self) -> Vec<&str> {
            self.broken.iter().map(|one| one.says.as_str()).collect()
        }
    }

    /// Machine 0 takes a snapshot while 3 of machine 1 are on their way, and hears of so much of them.
    fn snapshot(channel: &str) -> Bench {
        let mut bench = Bench::new();
        bench.send(1, "pay 3", "");
        bench.send(0, "marker 1 10", "recorded");
        bench.receive(1, "marker 1 10", "recorded");
        bench.send(1, "marker 1 7", "");
        bench.receive(0, "marker 1 7", channel);
        bench
    }

    #[test]
    fn states_and_channels_that_add_up_break_nothing() {
        let bench = snapshot("channel vm1 3");
        assert!(bench.broken.is_empty() && bench.judge.open.is_empty(), "{:?}", bench.says());
    }

    #[test]
    fn money_that_is_missing_or_counted_twice_is_found_with_the_cut() {
        for (channel, says) in [
            ("channel vm1 0", "snapshot 1 has 17 in all, and there are 20"),
            ("channel vm1 9", "snapshot 1 has 26 in all, and there are 20"),
        ] {
            let bench = snapshot(channel);
            assert_eq!(bench.says(), [says]);
            assert_eq!(bench.broken[0].cut.as_ref().map(ToString::to_string), Some("vm1-1".to_owned()));
        }
    }

    #[test]
    fn a_state_that_knows_of_what_the_other_did_later_is_found() {
        let mut bench = Bench::new();
        bench.send(0, "", "recorded");
        bench.send(0, "pay 3", "");
        bench.receive(1, "pay 3", "");
        bench.send(1, "", "recorded");
        assert_eq!(bench.says(), ["vm1-2 records what happened after vm0-1"]);
    }

    #[test]
    fn who_may_have_recorded_more_is_held_to_nothing() {
        let mut bench = Bench::new();
        bench.send(0, "", "recorded");
        bench.receive(1, "", "");
        bench.show(1, "", "recorded", Deed::Internal, true);
        assert!(bench.broken.is_empty());
    }
}
