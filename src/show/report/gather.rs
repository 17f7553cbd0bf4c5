//! What pictures of a run are made of, gathered while its logs are measured: each machine's course, and a window of
//! rows.

use std::collections::BTreeMap;

use super::course::{Course, Point};
use super::excerpt::{Excerpt, KeptRows, MOST_LINES};
use crate::after::history::Model;
use crate::edge::log::{EventKind, Row};
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::time::{Nanos, Rate, Schedule, TimeWindow};

/// Steps of time of all machines together, which bounds the memory they take.
const ALL_STEPS: usize = 100_000;

/// What is known of a run.
#[derive(Debug)]
pub(super) struct Gathered {
    /// In the order of their numbers.
    pub(super) machines: Vec<GatheredMachine>,
    /// The length of a step of the courses.
    pub(super) step: Nanos,
    /// When the last event happened.
    pub(super) end: Nanos,
    /// How long the run was to last, where that is known.
    pub(super) duration: Nanos,
    /// The rows of the diagram.
    pub(super) kept: KeptRows,
}

#[derive(Debug)]
pub(super) struct GatheredMachine {
    pub(super) vm: VmId,
    pub(super) rate: Option<Rate>,
    /// When it is down, the earliest first.
    pub(super) down: Vec<TimeWindow>,
    /// Internal events, sends and receives.
    pub(super) kinds: [u64; 3],
    pub(super) lamport: u64,
    /// How often the clock jumped how far.
    pub(super) jumps: BTreeMap<u64, u64>,
    /// Over time, at the run's steps.
    pub(super) course: Vec<Point>,
    /// Over its events, and how many a step has.
    pub(super) by_event: (u64, Vec<Point>),
}

/// A machine while its rows come in.
#[derive(Debug)]
struct Growing {
    machine: GatheredMachine,
    last: Nanos,
    course: Course,
    by_event: Option<Course>,
}

/// Jumps beyond this are counted in steps, so that a faulty log takes no more memory than a sound one.
const FINE_JUMPS: u64 = 256;

/// A run while its rows come in.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    model: &'a Model,
    /// How many machines there are, as far as that is known.
    count: usize,
    /// How many steps a course has.
    steps: usize,
    duration: Nanos,
    machines: BTreeMap<VmId, Growing>,
    window: Excerpt,
}

impl<'a> Gathering<'a> {
    /// Nothing yet of a run of so many logs. Of its rows those of a window are kept, as many as `most`.
    pub(super) fn new(model: &'a Model, logs: usize, window: TimeWindow, most: usize) -> Self {
        let count = model.vms().map_or(logs, |vms| vms as usize).max(1);
        Self {
            model,
            count,
            steps: (ALL_STEPS / count).clamp(32, 240),
            duration: model.scenario().map_or(Nanos::ZERO, Scenario::duration),
            machines: BTreeMap::new(),
            window: Excerpt::new(window, most),
        }
    }

    /// Adds a row; those of one machine come in their order.
    pub(super) fn add(&mut self, row: &Row) {
        let Self { model, count, steps, duration, .. } = *self;
        let new = || {
            let course = Course::new(duration.get() / steps as u64 + 1, steps);
            Growing::new(row.vm, model, course, count)
        };
        self.machines.entry(row.vm).or_insert_with(new).add(row);
        if row.vm.index() < MOST_LINES {
            self.window.add(row);
        }
    }

    /// What has come in.
    pub(super) fn finish(self) -> Gathered {
        let gathered = Gathered::of(self.machines.into_values().collect(), self.window.finish());
        Gathered { duration: self.duration, ..gathered }
    }
}

impl Gathered {
    fn of(machines: Vec<Growing>, kept: KeptRows) -> Self {
        let end = machines.iter().map(|growing| growing.last).max().unwrap_or_default();
        let step = machines.iter().map(|growing| growing.course.step()).max().unwrap_or(1);
        let count = usize::try_from(end.get() / step).unwrap_or(0) + 1;
        let machines = machines.into_iter().map(|growing| growing.finish(step, count)).collect();
        Self { machines, step: Nanos::new(step), end, duration: end, kept }
    }

    /// Where an axis of time ends: where the run was to end, if it nearly came that far.
    pub(super) fn asked_end(&self) -> Nanos {
        let is_near = self.duration > self.end && self.duration.get() / 10 * 9 < self.end.get();
        if is_near { self.duration } else { self.end }
    }

    pub(super) fn events(&self) -> u64 {
        self.machines.iter().map(GatheredMachine::events).sum()
    }

    /// The largest Lamport clock of all machines at the end of each step.
    pub(super) fn front(&self) -> Vec<u64> {
        let count = self.machines.first().map_or(0, |machine| machine.course.len());
        let at = |index: usize| self.machines.iter().map(|machine| machine.course[index].lamport).max();
        (0..count).map(|index| at(index).unwrap_or(0)).collect()
    }
}

impl GatheredMachine {
    pub(super) fn events(&self) -> u64 {
        self.kinds.iter().sum()
    }
}

impl Growing {
    fn new(vm: VmId, model: &Model, course: Course, count: usize) -> Self {
        let by_event = (count <= MOST_LINES).then(|| Course::new(1, 480));
        let rate = model.schedule(vm).map(Schedule::rate);
        let machine = GatheredMachine {
            vm,
            rate,
            down: model.uptime(vm).map_or_else(Vec::new, |uptime| uptime.down().to_vec()),
            kinds: [0; 3],
            lamport: 0,
            jumps: BTreeMap::new(),
            course: Vec::new(),
            by_event: (1, Vec::new()),
        };
        Self { machine, last: Nanos::ZERO, course, by_event }
    }

    fn add(&mut self, row: &Row) {
        let Self { machine, last, course, by_event } = self;
        let jump = row.lamport.saturating_sub(std::mem::replace(&mut machine.lamport, row.lamport));
        let queue = row.queue.unwrap_or(0);
        if let Some(by_event) = by_event {
            by_event.add(machine.events(), row.lamport, jump, queue);
        }
        machine.kinds[match row.kind {
            EventKind::Internal => 0,
            EventKind::Send => 1,
            EventKind::Receive => 2,
        }] += 1;
        let coarse = |jump: u64| if jump <= FINE_JUMPS { jump } else { jump.next_power_of_two() };
        *machine.jumps.entry(coarse(jump)).or_default() += 1;
        *last = row.elapsed.max(*last);
        course.add(row.elapsed.get(), row.lamport, jump, queue);
    }

    fn finish(self, step: u64, count: usize) -> GatheredMachine {
        let course = self.course.at_steps_of(step, count);
        let by_event = self.by_event.map_or((1, Vec::new()), |course| {
            let (step, count) = (course.step(), course.len());
            (step, course.at_steps_of(step, count))
        });
        GatheredMachine { course, by_event, ..self.machine }
    }
}

/// A count on its way into a picture.
#[expect(clippy::cast_precision_loss, reason = "a number for people to see")]
pub(super) const fn as_f64(count: u64) -> f64 {
    count as f64
}
