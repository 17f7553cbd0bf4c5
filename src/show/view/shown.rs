//! What is shown of one run: the latest snapshot, and what is remembered of those before.

use std::ops::Range;

use super::courses::Courses;
use super::past::ShownPast;
use crate::edge::watch::{Glance, Snapshot};
use crate::model::network::Probability;
use crate::model::time::Nanos;

/// All that a drawing needs to know of a run.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) snapshot: Snapshot,
    pub(super) past: ShownPast,
    pub(super) courses: Courses,
}

impl Shown {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        let mut shown =
            Self { snapshot: snapshot.clone(), past: ShownPast::default(), courses: Courses::default() };
        shown.take(snapshot);
        shown
    }

    /// Whether a snapshot is of the same run.
    pub(super) fn is_of(&self, snapshot: &Snapshot) -> bool {
        self.snapshot.run == snapshot.run
    }

    pub(super) fn take(&mut self, mut snapshot: Snapshot) {
        let sightings = std::mem::take(&mut snapshot.sightings);
        self.snapshot = snapshot;
        let now = self.now();
        self.past.add(sightings, now);
        let largest = self.largest();
        self.courses.add(&self.snapshot.glances, largest, now);
    }

    /// Time since the run's start.
    pub(super) fn now(&self) -> Nanos {
        self.snapshot.elapsed.unwrap_or_default()
    }

    /// The largest Lamport clock. A machine may have been read a little earlier than the sums or later.
    pub(super) fn largest(&self) -> u64 {
        let glances = self.snapshot.glances.iter().map(|glance| glance.lamport);
        glances.max().unwrap_or(0).max(self.snapshot.sums.lamport)
    }

    /// Whether the network may lose messages.
    pub(super) fn may_lose(&self) -> bool {
        let settings = self.snapshot.scenario.settings();
        settings.loss.unwrap_or_default() != Probability::default() || !settings.partition.is_empty()
    }

    /// How many machines there are to show.
    pub(super) fn machines(&self) -> u32 {
        self.snapshot.machines.end - self.snapshot.machines.start
    }

    /// Those of these machines that are known. Right after scrolling some are not yet.
    pub(super) fn glances(&self, machines: &Range<u32>) -> &[Glance] {
        let glances = &self.snapshot.glances;
        let first = glances.partition_point(|glance| glance.vm.0 < machines.start);
        let end = glances.partition_point(|glance| glance.vm.0 < machines.end);
        &glances[first..end.max(first)]
    }
}
