//! The rules for the log of another program, which has vectors and nothing else.
//!
//! A vector is the entry-wise maximum of those of the event's direct causes, plus 1 in its own entry (Mattern 1989,
//! Fidge 1988). Each event is held against the causes as the log shows them, so a fault is told where it begins.

mod times;

use super::fault::{Fault, FaultKind, Faults};
use super::{Counts, Report};
use crate::after::history::Missing;
use crate::edge::trace::{Again, Trace, TraceEvent, Why};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::text::count;

/// Checks a run of another program.
pub fn check_trace(trace: &Trace) -> Report {
    let order = trace.causal_order();
    let mut checker = Checker { trace, faults: Faults::default(), shown: 0 };
    for unreadable in &trace.unreadable {
        let (found, expected) = (unreadable.found.clone(), unreadable.expected.clone());
        checker.add(unreadable.file, unreadable.line, FaultKind::Unreadable, found, expected);
    }
    trace.again.iter().for_each(|again| checker.again(again));
    // Where the log has two runs, one event may seem to know of another that it never heard of.
    let circles = if trace.second_run().is_some() { &[][..] } else { &order.circles };
    let mut circles = circles.iter().peekable();
    let before = trace.befores();
    for &index in &order.events {
        checker.shown += 1;
        if let Some(circle) = circles.next_if(|circle| circle[0] == index) {
            checker.circle(circle);
        }
        checker.event(index, before[index].map(|before| &trace.events[before]));
    }
    times::check(&mut checker, &before);
    let messages = (0..trace.events.len()).map(|index| trace.causes(index).len() as u64).sum();
    let counts = Counts {
        machines: trace.by_host().count() as u64,
        events: trace.events.len() as u64,
        sent: messages,
        received: messages,
        ..Counts::default()
    };
    let missing = Missing::of_trace(trace).told().into_iter().map(|line| format!("a part: {line}"));
    let notes = missing.chain(trace.copies_told()).collect();
    let (faults, unchecked) = (checker.faults, unchecked(trace));
    let (missing, torn) = (Vec::new(), Vec::new());
    Report {
        counts,
        has_messages: false,
        faults,
        missing,
        is_within_logs: false,
        is_whole: false,
        torn,
        unchecked,
        notes,
    }
}

/// What could not be checked of a run, and why.
fn unchecked(trace: &Trace) -> Vec<String> {
    let mut notes = Vec::new();
    let twofold: Vec<&str> = (0..)
        .map(VmId)
        .zip(&*trace.hosts)
        .filter(|(host, _)| trace.is_twofold(*host))
        .map(|(_, name)| name.as_str())
        .collect();
    if !twofold.is_empty() {
        let aside: u64 = trace.again.iter().map(|again| again.events).sum();
        let hosts = twofold.join(", ");
        notes.push(format!(
            "{} of a second run of {hosts}, and what other hosts have heard of {hosts}: give each run a folder of its own",
            count(aside, "events")
        ));
    }
    let empty = trace.without_events().map(|file| format!("{} has no event", file.path.display()));
    notes.extend(empty);
    let skipped = trace.skipped.iter();
    notes.extend(skipped.map(|path| format!("{} is no regular file, and was not opened", path.display())));
    if trace.unread_times > 0 {
        let events = count(trace.unread_times, "events");
        notes.push(format!("the times of {events}, which cannot be read"));
    }
    if trace.other_lines > 0 {
        notes.push(format!("{} outside of any event", count(trace.other_lines, "lines")));
    }
    notes
}

struct Checker<'a> {
    trace: &'a Trace,
    faults: Faults,
    shown: u64,
}

impl Checker<'_> {
    fn add(&mut self, file: usize, line: u64, kind: FaultKind, found: String, expected: String) {
        let path = self.trace.files[file].path.clone();
        let (line, unknown, circle) = (Some(line), None, Vec::new());
        self.faults
            .add(self.shown, Fault { kind, path, line, column: None, found, expected, unknown, circle });
    }

    fn fault(&mut self, event: &TraceEvent, kind: FaultKind, found: String, expected: String) {
        self.add(event.file, event.line, kind, found, expected);
    }

    fn event(&mut self, index: usize, before: Option<&TraceEvent>) {
        let event = &self.trace.events[index];
        let number = before.map_or(0, |before| before.id.event) + 1;
        if event.id.event != number {
            let found = self.entry(event.id);
            let expected = match before {
                None => format!("{number}, as a host's first event has"),
                Some(before) => format!("{number}, 1 more than in its event before ({})", self.place(before)),
            };
            self.fault(event, FaultKind::Number, found, expected);
        }
        self.nothing_is_forgotten(event, before);
        self.news_are_whole(index, before);
    }

    /// What the event before knew, it knows as well.
    fn nothing_is_forgotten(&mut self, event: &TraceEvent, before: Option<&TraceEvent>) {
        let Some(before) = before else { return };
        for (host, known) in before.clock.entries().filter(|(host, _)| *host != event.id.sender) {
            let entry = event.clock.entry(host);
            if entry < known {
                let found = self.entry(MessageId { sender: host, event: entry });
                let expected =
                    format!("{known} or more, as its event before has it ({})", self.place(before));
                self.fault(event, FaultKind::past(), found, expected);
            }
        }
    }

    /// What it has heard of happened, and it knows all that was known there.
    fn news_are_whole(&mut self, index: usize, before: Option<&TraceEvent>) {
        let event = &self.trace.events[index];
        let known = |host| before.map_or(0, |before| before.clock.entry(host));
        let news: Vec<MessageId> = event
            .clock
            .entries()
            .filter(|(host, entry)| *host != event.id.sender && *entry > known(*host))
            .map(|(sender, event)| MessageId { sender, event })
            .collect();
        for heard in news {
            self.own_events_come_first(event, heard);
        }
        // What the others know, one of these knows as well.
        for &cause in self.trace.causes(index) {
            let cause = &self.trace.events[cause];
            // Nobody can tell from which of its runs it has heard.
            if self.trace.is_twofold(cause.id.sender) {
                continue;
            }
            // Whoever knows of the event itself is in a circle with it.
            for (host, entry) in cause.clock.entries().filter(|(host, _)| *host != event.id.sender) {
                let own = event.clock.entry(host);
                if own < entry {
                    let found = self.entry(MessageId { sender: host, event: own });
                    let expected =
                        format!("{entry} or more, as {} knows it, of which it has heard", self.named(cause));
                    self.fault(event, FaultKind::past(), found, expected);
                }
            }
        }
    }

    /// What it has heard of knew none of its own events that were still to come. Where such an event is in the log,
    /// both are in a circle.
    fn own_events_come_first(&mut self, event: &TraceEvent, heard: MessageId) {
        let Some(heard) = self.trace.find(heard).map(|heard| &self.trace.events[heard]) else { return };
        let known = MessageId { event: heard.clock.entry(event.id.sender), ..event.id };
        if known.event < event.id.event || self.trace.find(known).is_some() {
            return;
        }
        let (found, by) = (self.entry(event.id), self.named(heard));
        let expected =
            format!("more than {}, which {by} has heard of, of which it has heard itself", known.event);
        self.fault(event, FaultKind::past(), found, expected);
    }

    /// Events with numbers that others have.
    fn again(&mut self, again: &Again) {
        let (file, line) = again.place;
        let other = self.at(again.other);
        let name = self.trace.name(again.event);
        let host = &self.trace.hosts[again.event.sender.index()];
        let (kind, found, expected) = match again.why {
            Why::SameLine => (
                FaultKind::Number,
                format!("{name} a second time"),
                format!("it once; it is at {other} already"),
            ),
            Why::BeginsAgain => (
                FaultKind::SecondRun,
                format!("a second {name}"),
                format!(
                    "numbers that go on: it is at {other} already, so the host '{host}' begins again, as where one log \
                     has two runs"
                ),
            ),
            Why::OtherFile => (
                FaultKind::SecondRun,
                format!("another {name}"),
                format!("the one of {other}: the files have two runs of the host '{host}'"),
            ),
        };
        self.add(file, line, kind, found, expected);
    }

    fn circle(&mut self, circle: &[usize]) {
        const MOST: usize = 8;
        let event = &self.trace.events[circle[0]];
        let mut steps: Vec<String> =
            circle.iter().take(MOST).map(|index| self.named(&self.trace.events[*index])).collect();
        if circle.len() > MOST {
            steps.push(format!("{} more", circle.len() - MOST));
        }
        steps.push("itself".to_owned());
        let expected = format!("an event that does not follow itself: {}", steps.join(", which follows "));
        self.fault(event, FaultKind::Circle, self.trace.name(event.id), expected);
    }

    /// An entry as it stands in a clock.
    fn entry(&self, id: MessageId) -> String {
        let host = &self.trace.hosts[id.sender.index()];
        match id.event {
            0 => format!("no entry \"{host}\""),
            number => format!("\"{host}\":{number}"),
        }
    }

    fn named(&self, event: &TraceEvent) -> String {
        format!("{} ({})", self.trace.name(event.id), self.place(event))
    }

    fn place(&self, event: &TraceEvent) -> String {
        self.at((event.file, event.line))
    }

    fn at(&self, (file, line): (usize, u64)) -> String {
        format!("{}:{line}", self.trace.files[file].path.display())
    }
}
