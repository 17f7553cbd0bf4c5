//! Clocks' promises, held against happened-before as the messages alone give it.
//!
//! Whether a value follows by its clock's rule is judged by that rule itself: a clock whose rule is wrong would pass. So
//! what it promises is held against the order of events that no clock's code has touched: of every event and its direct
//! causes, and of all pairs in a sample of the run's events.

use std::cmp::Ordering;

use super::{Before, Checker, ShownClock, Stamp, part, stamps};
use crate::after::check::fault::FaultKind;
use crate::after::history::{Delivery, Earlier, Place, Step};
use crate::clock::{ClockSpec, Kind, LAMPORT, OtherStamps, Promise, Truth, kinds};
use crate::edge::log::{ClockColumn, Column, EventKind};
use crate::model::event::MessageId;

/// An event of the sample, with what its clocks say.
#[derive(Debug)]
pub(super) struct Sampled {
    place: Place,
    lamport: u64,
    clocks: OtherStamps,
    /// Which of the lists of clocks these are.
    list: usize,
}

/// A promise that is not kept.
#[derive(Debug)]
struct Broken {
    column: Column,
    found: String,
    expected: String,
}

impl Checker<'_> {
    /// Follows what the machine knows of, and holds the row's clocks to their promises. Where anything is wrong with the
    /// logs, happened-before may be as well: then nothing is said of promises any more.
    pub(super) fn check_promises(
        &mut self,
        step: &Step<'_>,
        before: Before,
        delivery: &Delivery<'_, Stamp>,
        is_clean: bool,
    ) {
        let known = &mut self.machines[step.machine].known;
        match delivery {
            Delivery::Delivered { stamp, .. } => self.sample.hear(known, &stamp.known),
            Delivery::None if step.row.kind != EventKind::Receive => {}
            _ => known.lacks_something(),
        }
        if before == Before::Unknown {
            known.lacks_something();
        }
        let is_next = self.sample.is_next();
        if !is_clean || !self.faults.is_empty() {
            return;
        }
        if let Delivery::Delivered { stamp, .. } = delivery {
            self.hold_to_cause(step, stamp);
        }
        if before == Before::Known {
            self.hold_to_before(step);
        }
        if is_next {
            self.hold_to_sample(step);
            self.keep_in_sample(step);
        }
    }

    fn hold_to_cause(&mut self, step: &Step<'_>, stamp: &Stamp) {
        let row = step.row;
        let Some(message) = row.message else { return };
        let place = stamp.place;
        let of_lamport =
            broken(lamport(), None, Some(Ordering::Less), &[stamp.lamport.logged], &[row.lamport], message);
        let of_clocks = self.machines[step.machine].clocks.iter().filter_map(|shown| {
            let (cause, _) = stamp.value(shown.spec, &self.lists)?;
            let found = shown.right()?;
            broken(&shown.spec, Some(shown.spec), Some(Ordering::Less), cause, found, message)
        });
        let all: Vec<Broken> = of_lamport.into_iter().chain(of_clocks).collect();
        self.tell(step, all, place);
    }

    fn hold_to_before(&mut self, step: &Step<'_>) {
        let (row, machine) = (step.row, &self.machines[step.machine]);
        if row.event < 2 {
            return;
        }
        let event = MessageId { sender: row.vm, event: row.event - 1 };
        let less = Some(Ordering::Less);
        let of_lamport = broken(lamport(), None, less, &[machine.lamport_before], &[row.lamport], event);
        let of_clocks = machine.clocks.iter().filter_map(|shown| {
            let before = Some(shown.before()).filter(|before| !before.is_empty())?;
            broken(&shown.spec, Some(shown.spec), less, before, shown.right()?, event)
        });
        let all: Vec<Broken> = of_lamport.into_iter().chain(of_clocks).collect();
        let place = Place { line: machine.line, event: event.event, ..step.place() };
        self.tell(step, all, place);
    }

    fn hold_to_sample(&mut self, step: &Step<'_>) {
        let (row, machine) = (step.row, &self.machines[step.machine]);
        let mut found: Option<(Place, Vec<Broken>)> = None;
        for (sampled, earlier) in self.sample.against(machine.known) {
            let truth: Truth = match earlier {
                Earlier::Before => Some(Ordering::Less),
                Earlier::Concurrent => None,
                Earlier::Unknown => continue,
            };
            let event = MessageId { sender: sampled.place.vm, event: sampled.place.event };
            let of_lamport = broken(lamport(), None, truth, &[sampled.lamport], &[row.lamport], event);
            let (list, layout) = &self.lists[sampled.list];
            let of_clocks = machine.clocks.iter().filter_map(|shown| {
                let index = list.iter().position(|other| *other == shown.spec)?;
                let other = part(&sampled.clocks, *layout, index)?;
                broken(&shown.spec, Some(shown.spec), truth, other, shown.right()?, event)
            });
            let all: Vec<Broken> = of_lamport.into_iter().chain(of_clocks).collect();
            if !all.is_empty() {
                found = Some((sampled.place, all));
                break;
            }
        }
        if let Some((place, all)) = found {
            self.tell(step, all, place);
        }
    }

    fn keep_in_sample(&mut self, step: &Step<'_>) {
        let machine = &mut self.machines[step.machine];
        let layout = self.lists[machine.list].1;
        let clocks = stamps(layout, &machine.clocks, ShownClock::right);
        let (place, lamport, list) = (step.place(), step.row.lamport, machine.list);
        self.sample.keep(&mut machine.known, Sampled { place, lamport, clocks, list });
    }

    fn tell(&mut self, step: &Step<'_>, all: Vec<Broken>, place: Place) {
        for Broken { column, found, expected } in all {
            let expected = format!("{expected} ({})", self.place(place));
            self.add(step, FaultKind::ClockPromise, column, found, expected);
        }
    }
}

fn lamport() -> &'static Kind {
    kinds().iter().find(|kind| kind.name == LAMPORT).unwrap_or_else(|| &kinds()[0])
}

/// Whether two events' values are such as the clock promises, where the first is shown earlier.
fn broken(
    kind: &Kind,
    spec: Option<ClockSpec>,
    truth: Truth,
    first: &[u64],
    second: &[u64],
    event: MessageId,
) -> Option<Broken> {
    let by_clock = (kind.compare)(first, second);
    if kind.promise.allows(truth, by_clock) {
        return None;
    }
    let shown = |value: &[u64]| match &spec {
        Some(spec) => spec.shown(value),
        None => value.iter().map(u64::to_string).collect(),
    };
    let column = spec.and_then(|spec| ClockColumn::of(spec).next()).map_or(Column::Lamport, Column::Clock);
    let expected = match truth {
        Some(_) => format!(
            "a larger value than {} of event {event}, which happened before: a {} promises that",
            shown(first),
            kind.title
        ),
        None => format!(
            "{} {} of event {event}, since neither happened before the other: a {} promises that",
            if kind.promise == Promise::Total {
                "one that is smaller or larger than"
            } else {
                "one that cannot be compared with"
            },
            shown(first),
            kind.title
        ),
    };
    Some(Broken { column, found: shown(second), expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::VmId;

    #[test]
    fn values_that_do_not_keep_the_promise_are_told() {
        let spec: ClockSpec = "vector".parse().unwrap();
        let event = MessageId { sender: VmId(1), event: 4 };
        let told = |truth, first: &[u64], second: &[u64]| {
            broken(&spec, Some(spec), truth, first, second, event).map(|broken| broken.expected)
        };
        assert_eq!(told(Some(Ordering::Less), &[1, 0], &[1, 1]), None);
        assert_eq!(told(None, &[1, 0], &[0, 1]), None);
        assert_eq!(
            told(Some(Ordering::Less), &[1, 0], &[0, 1]).unwrap(),
            "a larger value than [1,0] of event vm1-4, which happened before: a vector clock promises that"
        );
        assert_eq!(
            told(None, &[1, 0], &[1, 1]).unwrap(),
            "one that cannot be compared with [1,0] of event vm1-4, since neither happened before the other: a vector \
             clock promises that"
        );
        assert!(broken(lamport(), None, None, &[5], &[5], event).is_none());
        assert_eq!(broken(lamport(), None, Some(Ordering::Less), &[5], &[5], event).unwrap().found, "5");
    }
}
