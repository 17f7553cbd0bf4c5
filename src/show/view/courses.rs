//! How drift and queue of the shown machines went, twice a second.

use std::collections::{BTreeMap, VecDeque};

use crate::edge::watch::Glance;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// Time from one sample to the next.
pub(super) const STEP: Nanos = Nanos::new(500_000_000);

/// The samples that are kept of a machine.
const SAMPLES: usize = 120;

/// How far a machine was behind the largest Lamport clock, and how many messages waited there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) behind: u64,
    pub(super) queue: u64,
}

/// The courses of the machines that are shown; others are forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Courses {
    /// Steps of time up to the latest sample.
    steps: u64,
    machines: BTreeMap<VmId, VecDeque<Sample>>,
}

impl Courses {
    /// Adds a sample of each machine where one is due.
    pub(super) fn add(&mut self, glances: &[Glance], largest: u64, now: Nanos) {
        let steps = now.get() / STEP.get();
        if steps == self.steps {
            return;
        }
        let missed = usize::try_from(steps.saturating_sub(self.steps)).unwrap_or(SAMPLES).min(SAMPLES);
        self.steps = steps;
        self.machines.retain(|vm, _| glances.iter().any(|glance| glance.vm == *vm));
        for glance in glances {
            let sample =
                Sample { behind: largest.saturating_sub(glance.lamport), queue: glance.queue.into() };
            let course = self.machines.entry(glance.vm).or_default();
            // Where nobody looked for a while, nothing is known of it but where it led.
            let count = if course.is_empty() { 1 } else { missed };
            course.extend(std::iter::repeat_n(sample, count));
            course.drain(..course.len().saturating_sub(SAMPLES));
        }
    }

    /// The latest samples of a machine, the oldest of them first.
    pub(super) fn latest(&self, vm: VmId, most: usize) -> impl Iterator<Item = Sample> + '_ {
        let course = self.machines.get(&vm);
        let skipped = course.map_or(0, |course| course.len().saturating_sub(most));
        course.into_iter().flatten().skip(skipped).copied()
    }
}
