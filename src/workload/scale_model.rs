//! The exercise "Scale models and logical clocks": machines that roll a die.

use super::{Action, Algorithm, Make, Parameter, Setup, Tick, Workload};
use crate::model::id::VmId;
use crate::model::seed::Stream;

/// An arrived message is received first. Otherwise a die is rolled: 1 sends to one other machine, 2
/// to another one, 3 to both; everything else is an internal event.
///
/// With three machines the two others are the next two in the ring. With more they are distinct
/// and drawn at random. With two, all three sends go to the one other; alone, a machine sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleModel {
    vm: VmId,
    vms: u32,
    sides: u32,
}

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "scale-model",
    title: "the exercise \"Scale models and logical clocks\": machines that roll a die",
    make: Make::Dice(|vm, setup| ScaleModel::new(vm, setup.vms(), sides(setup))),
    parameters: &[Parameter {
        name: SIDES,
        meaning: "sides of the die: 1, 2 and 3 send, the rest are internal events",
        default: 10,
        range: (1, u32::MAX as u64),
        is_setting: true,
    }],
    most_recipients: |_| 2,
    longest_payload: 0,
    receives_first: true,
    sends_to_each: Some(sends_to_each),
    ..Algorithm::PLAIN
};

/// What the die's sides are called among the parameters.
const SIDES: &str = "draw";

fn sides(setup: &Setup) -> u32 {
    u32::try_from(setup.parameter(SIDES)).unwrap_or(u32::MAX)
}

/// The messages that a roll sends to each of the others on the mean.
fn sends_to_each(setup: &Setup) -> Option<f64> {
    let (vms, sides) = (setup.vms(), sides(setup));
    let (others, k) = (f64::from(vms) - 1.0, f64::from(sides));
    match vms {
        0 | 1 => Some(0.0),
        2 => Some(3.0_f64.min(k) / k),
        // With one side, each machine sends to the next one alone.
        3 if sides == 1 => None,
        _ if sides < 3 => Some(1.0 / others),
        _ => Some(4.0 / k / others),
    }
}

impl ScaleModel {
    /// The workload of one machine of `vms`, with a die of that many sides.
    pub const fn new(vm: VmId, vms: u32, sides: u32) -> Self {
        Self { vm, vms, sides }
    }

    /// Adds the recipients that a roll stands for.
    #[inline(always)]
    fn recipients(&self, roll: u64, stream: &mut Stream, to: &mut Vec<VmId>) {
        if roll > 3 || self.vms < 2 {
            return;
        }
        match (self.vms, roll) {
            (2, _) => to.push(self.ahead(1)),
            (3, 1 | 2) => to.push(self.ahead(roll)),
            (3, _) => to.extend([self.ahead(1), self.ahead(2)]),
            (_, 1 | 2) => to.push(self.ahead(1 + stream.below(self.others()))),
            (_, _) => {
                let first = stream.below(self.others());
                let second = stream.below(self.others() - 1);
                let second = if second < first { second } else { second + 1 };
                to.extend([self.ahead(1 + first), self.ahead(1 + second)]);
            }
        }
    }

    fn others(&self) -> u64 {
        u64::from(self.vms) - 1
    }

    /// The machine that many places further in the ring, fewer than there are machines.
    fn ahead(&self, places: u64) -> VmId {
        let (place, vms) = (u64::from(self.vm.0) + places, u64::from(self.vms));
        #[expect(clippy::cast_possible_truncation, reason = "smaller than the number of machines")]
        VmId(if place < vms { place } else { place - vms } as u32)
    }
}

impl Workload for ScaleModel {
    #[inline(always)]
    fn choose(&mut self, tick: &Tick<'_>, stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
        if tick.waiting > 0 {
            return Action::Receive;
        }
        let roll = 1 + stream.below(u64::from(self.sides));
        self.recipients(roll, stream, to);
        if to.is_empty() { Action::Internal } else { Action::Send { payload: None } }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::Reading;
    use crate::model::seed::{Purpose, Seed};
    use crate::model::time::Nanos;

    const IDLE: Tick<'_> = Tick { now: Nanos::ZERO, event: 1, waiting: 0, clocks: Reading::lamport_only(0) };

    fn stream(seed: u64) -> Stream {
        Seed(seed).stream(VmId(0), Purpose::Workload)
    }

    /// How often each list of recipients comes in that many rolls of one machine.
    fn frequencies(vm: u32, vms: u32, sides: u32, rolls: u32) -> BTreeMap<Vec<u32>, u32> {
        let mut workload = ScaleModel::new(VmId(vm), vms, sides);
        let mut stream = stream(11);
        let mut counts = BTreeMap::new();
        for _ in 0..rolls {
            let mut to = Vec::new();
            let action = workload.choose(&IDLE, &mut stream, &mut to);
            assert!(action == if to.is_empty() { Action::Internal } else { Action::Send { payload: None } });
            *counts.entry(to.iter().map(|vm| vm.0).collect()).or_default() += 1;
        }
        counts
    }

    /// Six standard deviations of a binomial count around its mean.
    fn near(count: u32, rolls: u32, probability: f64) -> bool {
        let rolls = f64::from(rolls);
        let deviation = (rolls * probability * (1.0 - probability)).sqrt();
        (f64::from(count) - rolls * probability).abs() <= 6.0 * deviation
    }

    #[test]
    fn three_machines_send_to_the_next_the_one_after_or_both() {
        let counts = frequencies(1, 3, 10, 100_000);
        assert_eq!(counts.keys().collect::<Vec<_>>(), [&vec![], &vec![0], &vec![2], &vec![2, 0]]);
        assert!(near(counts[&vec![]], 100_000, 0.7));
        assert!([vec![0], vec![2], vec![2, 0]].iter().all(|to| near(counts[to], 100_000, 0.1)), "{counts:?}");
    }

    #[test]
    fn two_machines_send_to_the_one_other_at_1_2_and_3() {
        let counts = frequencies(1, 2, 10, 100_000);
        assert_eq!(counts.keys().collect::<Vec<_>>(), [&vec![], &vec![0]]);
        assert!(near(counts[&vec![0]], 100_000, 0.3));
    }

    #[test]
    fn a_machine_alone_does_nothing_but_internal_events() {
        assert_eq!(frequencies(0, 1, 1, 100).keys().collect::<Vec<_>>(), [&Vec::<u32>::new()]);
    }

    #[test]
    fn many_machines_draw_each_other_one_alike() {
        let counts = frequencies(2, 5, 3, 120_000);
        let ones: Vec<u32> = counts.iter().filter(|(to, _)| to.len() == 1).map(|(_, &count)| count).collect();
        let pairs: Vec<u32> =
            counts.iter().filter(|(to, _)| to.len() == 2).map(|(_, &count)| count).collect();
        assert!(
            ones.len() == 4 && ones.iter().all(|&count| near(count, 120_000, 2.0 / 3.0 / 4.0)),
            "{counts:?}"
        );
        assert!(
            pairs.len() == 12 && pairs.iter().all(|&count| near(count, 120_000, 1.0 / 3.0 / 12.0)),
            "{counts:?}"
        );
    }

    proptest! {
        #[test]
        fn recipients_are_distinct_others(seed: u64, vms in 1u32..40, vm in 0u32..40, sides in 1u32..20) {
            let vm = vm % vms;
            let mut to = Vec::new();
            ScaleModel::new(VmId(vm), vms, sides).choose(&IDLE, &mut stream(seed), &mut to);
            prop_assert!(to.len() < 2 || to.len() == 2 && to[0] != to[1]);
            prop_assert!(to.iter().all(|other| other.0 < vms && other.0 != vm));
        }

        #[test]
        fn what_waits_is_received_first(seed: u64, waiting in 1usize..9) {
            let tick = Tick { waiting, ..IDLE };
            let action = ScaleModel::new(VmId(0), 3, 1).choose(&tick, &mut stream(seed), &mut Vec::new());
            prop_assert_eq!(action, Action::Receive);
        }
    }
}
