//! The course of one machine over time or over its events, in a bounded number of equal steps.

/// What happened in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) events: u64,
    /// The Lamport clock at its end; of an empty step that of the one before.
    pub(super) lamport: u64,
    /// The longest queue in it.
    pub(super) queue: u32,
    /// The queue at its end.
    pub(super) last_queue: u32,
    /// The largest jump in it.
    pub(super) jump: u64,
}

/// Points at equal steps. Where they do not suffice, steps get twice as long.
#[derive(Clone, Debug)]
pub(super) struct Course {
    step: u64,
    most: usize,
    points: Vec<Point>,
}

impl Course {
    /// A course of at most so many steps, of that length at first.
    pub(super) fn new(step: u64, most: usize) -> Self {
        Self { step: step.max(1), most: most.max(2), points: Vec::new() }
    }

    /// The length of a step.
    pub(super) const fn step(&self) -> u64 {
        self.step
    }

    pub(super) fn add(&mut self, at: u64, lamport: u64, jump: u64, queue: u32) {
        let mut index = at / self.step;
        while index >= self.most as u64 {
            self.double();
            index = at / self.step;
        }
        let index = usize::try_from(index).unwrap_or(self.most);
        if self.points.len() <= index {
            self.points.resize(index + 1, Point::default());
        }
        let point = &mut self.points[index];
        point.events += 1;
        point.lamport = lamport;
        point.queue = point.queue.max(queue);
        point.last_queue = queue;
        point.jump = point.jump.max(jump);
    }

    /// The points at steps of that length, which is this one's times a power of two. Empty steps are filled.
    pub(super) fn at_steps_of(mut self, step: u64, count: usize) -> Vec<Point> {
        while self.step < step {
            self.double();
        }
        self.points.resize(count.max(self.points.len()), Point::default());
        let mut before = Point::default();
        for point in &mut self.points {
            if point.events == 0 {
                let (lamport, queue) = (before.lamport, before.last_queue);
                *point = Point { lamport, queue, last_queue: queue, ..Point::default() };
            }
            before = *point;
        }
        self.points
    }

    /// The number of steps up to the last event.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    fn double(&mut self) {
        self.step = self.step.saturating_mul(2);
        let merge = |pair: &[Point]| match pair {
            [first, second] if second.events > 0 => Point {
                events: first.events + second.events,
                queue: first.queue.max(second.queue),
                jump: first.jump.max(second.jump),
                ..*second
            },
            [first, ..] => *first,
            [] => Point::default(),
        };
        self.points = self.points.chunks(2).map(merge).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_double_and_lose_no_extreme() {
        let mut course = Course::new(10, 4);
        for (at, lamport, jump, queue) in
            [(0, 1, 1, 0), (5, 2, 1, 7), (39, 9, 7, 1), (75, 10, 1, 0), (150, 30, 20, 2)]
        {
            course.add(at, lamport, jump, queue);
        }
        assert_eq!(course.step(), 40);
        let points = course.at_steps_of(40, 5);
        assert_eq!(points.iter().map(|point| point.lamport).collect::<Vec<_>>(), [9, 10, 10, 30, 30]);
        assert_eq!(points.iter().map(|point| point.queue).collect::<Vec<_>>(), [7, 0, 0, 2, 2]);
        assert_eq!(points.iter().map(|point| point.jump).collect::<Vec<_>>(), [7, 1, 0, 20, 0]);
        assert_eq!(points.iter().map(|point| point.events).sum::<u64>(), 5);
    }
}
