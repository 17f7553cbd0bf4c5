//! Clocks and queues at equal times, few enough for a chart: where there are too many, every second one stays.

use crate::edge::log::Row;
use crate::model::id::VmId;
use crate::model::time::Nanos;

const MOST: usize = 500;
/// The first step between them.
const STEP: u64 = 100_000_000;

/// The courses of all machines.
#[derive(Debug, Default)]
pub(super) struct Courses(Vec<Course>);

/// A Lamport clock, and how many messages wait.
type Point = (u64, u32);

#[derive(Debug)]
struct Course {
    vm: VmId,
    step: u64,
    /// At 1, 2, 3, … steps.
    points: Vec<Point>,
    /// After the latest event, and when that was.
    now: Point,
    at: Nanos,
}

/// A row a time, a column a machine.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) machines: Vec<VmId>,
    /// Each with its time in seconds. A machine whose last event is over has nothing any more.
    pub(super) rows: Vec<(f64, Vec<Option<ShownCurve>>)>,
}

/// A machine at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShownCurve {
    pub(super) clock: u64,
    /// How far it is behind the largest clock of all machines, those that are over included.
    pub(super) behind: u64,
    pub(super) queue: u32,
}

impl Courses {
    /// Takes an event of a machine in, by its place.
    pub(super) fn add(&mut self, machine: usize, row: &Row) {
        if machine == self.0.len() {
            self.0.push(Course { vm: row.vm, step: STEP, points: Vec::new(), now: (0, 0), at: row.elapsed });
        }
        let course = &mut self.0[machine];
        course.until(row.elapsed);
        course.now = (row.lamport, row.queue.unwrap_or(0));
        course.at = row.elapsed;
    }

    /// All of them at the same times, machines by their numbers.
    pub(super) fn table(&mut self) -> Table {
        let step = self.0.iter().map(|course| course.step).max().unwrap_or(STEP);
        self.0.sort_by_key(|course| course.vm);
        for course in &mut self.0 {
            while course.step < step {
                course.thin();
            }
            // The end of a machine is within its last step.
            course.points.push(course.now);
        }
        let count = self.0.iter().map(|course| course.points.len()).max().unwrap_or(0);
        let at = |index: usize| Nanos::new(step.saturating_mul(index as u64 + 1)).as_secs_f64();
        let mut largest = 0;
        let mut row = |index: usize| {
            let points = || self.0.iter().map(|course| course.points.get(index).copied());
            largest = points().flatten().map(|(clock, _)| clock).fold(largest, u64::max);
            let shown = |(clock, queue)| ShownCurve { clock, behind: largest - clock, queue };
            (at(index), points().map(|point| point.map(shown)).collect())
        };
        Table {
            rows: (0..count).map(&mut row).collect(),
            machines: self.0.iter().map(|course| course.vm).collect(),
        }
    }
}

impl Course {
    /// Nothing happened up to then.
    fn until(&mut self, now: Nanos) {
        while self.step.saturating_mul(self.points.len() as u64 + 1) < now.get() {
            self.points.push(self.now);
            if self.points.len() > MOST {
                self.thin();
            }
        }
    }

    fn thin(&mut self) {
        self.step = self.step.saturating_mul(2);
        self.points = self.points.iter().skip(1).step_by(2).copied().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_same_for_all_and_few() {
        let mut courses = Courses::default();
        let row = |vm: u32, second: u64| Row {
            vm: VmId(vm),
            elapsed: Nanos::from_secs(second),
            lamport: second * 10,
            queue: Some(vm),
            ..Row::default()
        };
        (1..=1000).for_each(|second| courses.add(0, &row(1, second)));
        (1..=10).for_each(|second| courses.add(1, &row(0, second)));
        let table = courses.table();
        assert_eq!(table.machines, [VmId(0), VmId(1)]);
        assert!(table.rows.len() <= MOST + 1 && table.rows.len() > MOST / 2, "{}", table.rows.len());
        for (at, points) in &table.rows[..table.rows.len() - 1] {
            let ShownCurve { clock, behind, queue } = points[1].unwrap();
            assert!(
                (*at - clock as f64 / 10.0) > -1e-9 && *at - clock as f64 / 10.0 <= 1.0 + 1e-9,
                "{at} {clock}"
            );
            assert_eq!((behind, queue), (0, 1));
        }
        assert_eq!(
            table.rows.last().unwrap().1,
            [None, Some(ShownCurve { clock: 10_000, behind: 0, queue: 1 })]
        );
    }

    #[test]
    fn drift_is_measured_from_a_machine_that_is_over_as_well() {
        let mut courses = Courses::default();
        let row = |vm: u32, second: u64, lamport: u64| Row {
            vm: VmId(vm),
            elapsed: Nanos::from_secs(second),
            lamport,
            ..Row::default()
        };
        courses.add(0, &row(0, 1, 50));
        courses.add(1, &row(1, 1, 1));
        courses.add(1, &row(1, 3, 2));
        let last = courses.table().rows.pop().unwrap();
        assert_eq!(last.1, [None, Some(ShownCurve { clock: 2, behind: 48, queue: 0 })]);
    }
}
