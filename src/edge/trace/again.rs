//! Event numbers that occur twice: copies, as in a merged log beside its parts, and hosts that begin again, as where
//! one log has two runs.
//!
//! Of copies each is taken once. What a host did after it began again is of another run, and no vector tells of
//! which one another host has heard: so it is set aside, and told.

use std::collections::{BTreeMap, HashMap};

use super::TraceEvent;
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Why events of a host were set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It begins again there, with a number that it had before in the same file.
    BeginsAgain,
    /// Another file has other events of the same numbers.
    OtherFile,
    /// One line stands there twice, one after the other.
    SameLine,
}

/// Events that were set aside.
#[derive(Clone, Debug)]
pub struct Again {
    /// How the numbers came to stand there again, as far as the log shows it.
    pub why: Why,
    /// The first of them whose number is one that another event has.
    pub event: MessageId,
    /// Which of the files it stands in, and at which line.
    pub place: (usize, u64),
    /// Where the other one stands.
    pub other: (usize, u64),
    /// How many they are.
    pub events: u64,
}

/// Events of which each has a number of its own.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) events: Vec<TraceEvent>,
    /// Of files how many of their events stand in others as well.
    pub(super) copies: BTreeMap<usize, u64>,
    pub(super) again: Vec<Again>,
}

/// Sorts events out, which come in the order of their files.
pub(super) fn sort_out(events: Vec<TraceEvent>) -> Sorted {
    let mut sorted = Sorted::default();
    let mut known = HashMap::new();
    let mut rest = events.into_iter().peekable();
    while let Some(first) = rest.next() {
        let file = first.file;
        let mut own = vec![first];
        while let Some(event) = rest.next_if(|event| event.file == file) {
            own.push(event);
        }
        sorted.file(own, &mut known);
    }
    sorted
}

/// What becomes of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineFate {
    Taken,
    Copy,
    Aside,
}

impl Sorted {
    fn file(&mut self, events: Vec<TraceEvent>, known: &mut HashMap<MessageId, usize>) {
        // By host: events of one that begins again stand apart from those of others that go on between them.
        let mut hosts: BTreeMap<VmId, Vec<usize>> = BTreeMap::new();
        for (at, event) in events.iter().enumerate() {
            hosts.entry(event.id.sender).or_default().push(at);
        }
        let mut fates = vec![LineFate::Taken; events.len()];
        for own in hosts.values() {
            self.repeated(&events, own, &mut fates);
            self.elsewhere(&events, own, known, &mut fates);
        }
        for (event, fate) in events.into_iter().zip(fates) {
            match fate {
                LineFate::Taken => {
                    debug_assert!(!known.contains_key(&event.id), "an event is taken twice");
                    known.insert(event.id, self.events.len());
                    self.events.push(event);
                }
                LineFate::Copy => *self.copies.entry(event.file).or_default() += 1,
                LineFate::Aside => {}
            }
        }
    }

    /// Sets aside what a host has twice in one file.
    fn repeated(&mut self, events: &[TraceEvent], own: &[usize], fates: &mut [LineFate]) {
        let mut seen: HashMap<u64, usize> = HashMap::new();
        for (nth, &at) in own.iter().enumerate() {
            let event = &events[at];
            let Some(&before) = seen.get(&event.id.event) else {
                seen.insert(event.id.event, at);
                continue;
            };
            let other = &events[before];
            let mut again = Again {
                why: Why::SameLine,
                event: event.id,
                place: place(event),
                other: place(other),
                events: 1,
            };
            if nth > 0 && own[nth - 1] == before && event.is_copy_of(other) {
                fates[at] = LineFate::Aside;
                self.again.push(again);
                continue;
            }
            // Where it went on with smaller numbers before, those are of the second run too.
            let number = |nth: usize| events[own[nth]].id.event;
            let mut first = nth;
            while first > 0 && number(first - 1) + 1 == number(first) {
                first -= 1;
            }
            own[first..].iter().for_each(|at| fates[*at] = LineFate::Aside);
            (again.why, again.events) = (Why::BeginsAgain, (own.len() - first) as u64);
            self.again.push(again);
            return;
        }
    }

    /// Leaves out what another file has of the host as well, or all of it where that has something else.
    fn elsewhere(
        &mut self,
        events: &[TraceEvent],
        own: &[usize],
        known: &HashMap<MessageId, usize>,
        fates: &mut [LineFate],
    ) {
        let taken: Vec<usize> = own.iter().copied().filter(|at| fates[*at] == LineFate::Taken).collect();
        let other = |at: usize| known.get(&events[at].id).map(|other| &self.events[*other]);
        let differs = |at: &&usize| other(**at).is_some_and(|other| !events[**at].is_copy_of(other));
        let Some((&first, another)) = taken.iter().find(differs).and_then(|at| Some((at, other(*at)?)))
        else {
            let copies: Vec<usize> = taken.into_iter().filter(|at| other(*at).is_some()).collect();
            copies.into_iter().for_each(|at| fates[at] = LineFate::Copy);
            return;
        };
        self.again.push(Again {
            why: Why::OtherFile,
            event: events[first].id,
            place: place(&events[first]),
            other: place(another),
            events: taken.len() as u64,
        });
        taken.into_iter().for_each(|at| fates[at] = LineFate::Aside);
    }
}

const fn place(event: &TraceEvent) -> (usize, u64) {
    (event.file, event.line)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{Trace, read};
    use super::*;

    fn trace(files: &[&str]) -> Trace {
        let file = |(at, text): (usize, &&str)| (PathBuf::from(format!("{at}.log")), (*text).to_owned());
        read::texts(&files.iter().enumerate().map(file).collect::<Vec<_>>()).unwrap().remove(0)
    }

    /// Why events were set aside, from which one and which line on, and how many.
    type Aside = (Why, String, u64, u64);

    /// The names of the events, and what was set aside.
    fn sorted(files: &[&str]) -> (Vec<String>, Vec<Aside>) {
        let trace = trace(files);
        let names = trace.events.iter().map(|event| trace.name(event.id)).collect();
        let again = trace.again.iter();
        (
            names,
            again.map(|again| (again.why, trace.name(again.event), again.place.1, again.events)).collect(),
        )
    }

    fn log(host: &str, numbers: &[u64]) -> String {
        numbers.iter().map(|number| format!("{host} {{\"{host}\":{number}}}\nstep\n")).collect()
    }

    #[test]
    fn a_merged_log_beside_its_parts_has_each_event_once() {
        let (a, b) = (log("a", &[1, 2]), log("b", &[1]));
        let merged = format!(
            "(?<event>.*)\\n(?<host>\\S*) (?<clock>{{.*}})\n\n{}",
            "step\nb {\"b\":1}\nstep\na {\"a\":1}\n"
        );
        let trace = trace(&[&a, &b, &merged]);
        assert_eq!((trace.events.len(), trace.again.len()), (3, 0));
        assert_eq!(trace.copies, BTreeMap::from([(2, 2)]));
    }

    #[test]
    fn a_host_that_begins_again_is_told_once() {
        let (names, again) = sorted(&[&log("p", &[1, 2, 3, 1, 2, 3, 4])]);
        assert_eq!(names, ["p-1", "p-2", "p-3"]);
        assert_eq!(again, [(Why::BeginsAgain, "p-1".to_owned(), 7, 4)]);
        // The first run's log was cut at its beginning.
        let (names, again) = sorted(&[&log("p", &[3, 4, 1, 2, 3])]);
        assert_eq!((names.len(), again), (2, vec![(Why::BeginsAgain, "p-3".to_owned(), 9, 3)]));
    }

    #[test]
    fn files_of_two_runs_are_not_mixed() {
        let other = "p {\"p\":1}\nanother\np {\"p\":2}\nstep\nq {\"q\":1}\nstep\n";
        let (names, again) = sorted(&[&log("p", &[1]), other]);
        assert_eq!(names, ["p-1", "q-1"]);
        assert_eq!(again, [(Why::OtherFile, "p-1".to_owned(), 1, 2)]);
        let (names, again) = sorted(&[&log("p", &[1, 2]), &log("p", &[3, 4])]);
        assert_eq!((names.len(), again), (4, vec![]), "a log in two files");
    }

    #[test]
    fn a_line_that_stands_there_twice_is_taken_once() {
        let (names, again) = sorted(&[&log("p", &[1, 2, 2, 3])]);
        assert_eq!((names.len(), again), (3, vec![(Why::SameLine, "p-2".to_owned(), 5, 1)]));
    }
}
