//! What a run's logs show, gathered in one pass over them: each machine's counts and course, and a window of rows.

use std::collections::BTreeMap;

use super::course::{Course, Point};
use super::window::{Kept, MOST_LINES, TimeWindow, Window};
use crate::history::{HistoryError, Model};
use crate::id::VmId;
use crate::log::{EventKind, LogFolder, LogPath, ReadError, Row, RowReader};
use crate::tally::Tally;
use crate::time::{Nanos, Rate};

/// Steps of time of all machines together, which bounds the memory they take.
const ALL_STEPS: usize = 100_000;

/// What is known of a run.
#[derive(Debug)]
pub(super) struct Gathered {
    /// By number.
    pub(super) machines: Vec<Machine>,
    /// The length of a step of the courses.
    pub(super) step: Nanos,
    /// When the last event happened.
    pub(super) end: Nanos,
    /// How long the run was to last, where that is known.
    pub(super) duration: Nanos,
    /// The rows of the diagram.
    pub(super) kept: Kept,
    /// Rows that cannot be read, and were left out.
    pub(super) unreadable: u64,
}

/// One machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) vm: VmId,
    pub(super) rate: Option<Rate>,
    pub(super) tally: Tally,
    pub(super) lost: u64,
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
    machine: Machine,
    last: Nanos,
    course: Course,
    by_event: Option<Course>,
}

/// Jumps beyond this are counted in steps, so that a faulty log takes no more memory than a sound one.
const FINE_JUMPS: u64 = 256;

impl Gathered {
    /// Reads the logs of one run.
    pub(super) fn read(
        folders: &[LogFolder],
        model: &Model,
        window: TimeWindow,
        most: usize,
    ) -> Result<Self, HistoryError> {
        let names: Vec<&LogPath> = folders.iter().flat_map(|folder| &folder.logs).collect();
        let count = model.vms().map_or(names.len(), |vms| vms as usize).max(1);
        let steps = (ALL_STEPS / count).clamp(32, 240);
        let duration = model.scenario().map_or(0, |scenario| scenario.duration().get());
        let new = |vm| Growing::new(vm, model, Course::new(duration / steps as u64 + 1, steps), count);
        let mut machines: BTreeMap<VmId, Growing> = BTreeMap::new();
        let mut window = Window::new(window, most);
        let mut unreadable = 0;
        for name in names {
            let mut reader = RowReader::open(&name.path)?;
            loop {
                match reader.next_row() {
                    Ok(Some(row)) => {
                        machines.entry(row.vm).or_insert_with(|| new(row.vm)).add(row);
                        if row.vm.index() < MOST_LINES {
                            window.add(row);
                        }
                    }
                    Ok(None) => break,
                    Err(error @ ReadError::Read { .. }) => return Err(error.into()),
                    Err(_) => unreadable += 1,
                }
            }
        }
        let duration = Nanos::new(duration);
        Ok(Self { duration, ..Self::of(machines.into_values().collect(), window.finish(), unreadable) })
    }

    fn of(machines: Vec<Growing>, kept: Kept, unreadable: u64) -> Self {
        let end = machines.iter().map(|growing| growing.last).max().unwrap_or_default();
        let step = machines.iter().map(|growing| growing.course.step()).max().unwrap_or(1);
        let count = usize::try_from(end.get() / step).unwrap_or(0) + 1;
        let machines = machines.into_iter().map(|growing| growing.finish(step, count)).collect();
        Self { machines, step: Nanos::new(step), end, duration: end, kept, unreadable }
    }

    /// Where an axis of time ends: where the run was to end, if it nearly came that far.
    pub(super) fn asked_end(&self) -> Nanos {
        let is_near = self.duration > self.end && self.duration.get() / 10 * 9 < self.end.get();
        if is_near { self.duration } else { self.end }
    }

    /// All events.
    pub(super) fn events(&self) -> u64 {
        self.machines.iter().map(|machine| machine.tally.events).sum()
    }

    /// The largest final Lamport clock.
    pub(super) fn largest(&self) -> u64 {
        self.machines.iter().map(|machine| machine.lamport).max().unwrap_or(0)
    }

    /// The largest Lamport clock of all machines at the end of each step.
    pub(super) fn front(&self) -> Vec<u64> {
        let count = self.machines.first().map_or(0, |machine| machine.course.len());
        let at = |index: usize| self.machines.iter().map(|machine| machine.course[index].lamport).max();
        (0..count).map(|index| at(index).unwrap_or(0)).collect()
    }
}

impl Machine {
    /// The mean jump: they add up to the clock.
    pub(super) fn mean_jump(&self) -> f64 {
        if self.tally.events == 0 { 0.0 } else { as_f64(self.lamport) / as_f64(self.tally.events) }
    }
}

impl Growing {
    fn new(vm: VmId, model: &Model, course: Course, count: usize) -> Self {
        let by_event = (count <= MOST_LINES).then(|| Course::new(1, 480));
        let rate = model.schedule(vm).map(crate::time::Schedule::rate);
        let machine = Machine {
            vm,
            rate,
            tally: Tally::default(),
            lost: 0,
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
            by_event.add(machine.tally.events, row.lamport, jump, queue);
        }
        machine.tally.add(jump, queue);
        match row.kind {
            EventKind::Internal => {}
            EventKind::Send => {
                machine.tally.sends += 1;
                machine.tally.sent += row.peers.len() as u64;
                machine.lost += row.lost.len() as u64;
            }
            EventKind::Receive => machine.tally.receives += 1,
        }
        let coarse = |jump: u64| if jump <= FINE_JUMPS { jump } else { jump.next_power_of_two() };
        *machine.jumps.entry(coarse(jump)).or_default() += 1;
        *last = row.elapsed.max(*last);
        course.add(row.elapsed.get(), row.lamport, jump, queue);
    }

    fn finish(self, step: u64, count: usize) -> Machine {
        let course = self.course.at_steps_of(step, count);
        let by_event = self.by_event.map_or((1, Vec::new()), |course| {
            let (step, count) = (course.step(), course.len());
            (step, course.at_steps_of(step, count))
        });
        Machine { course, by_event, ..self.machine }
    }
}

/// A count on its way into a picture.
#[expect(clippy::cast_precision_loss, reason = "a number for people to see")]
pub(super) const fn as_f64(count: u64) -> f64 {
    count as f64
}
