//! The rules for the log of another program, which has vectors and nothing else.
//!
//! A vector is the entry-wise maximum of those of the event's direct causes, plus 1 in its own entry (Mattern 1989,
//! Fidge 1988). Each event is held against the causes as the log shows them, so a fault is told where it begins.

use super::fault::{Fault, FaultKind, Faults};
use super::{Counts, Report};
use crate::event::MessageId;
use crate::text::count;
use crate::trace::{Trace, TraceEvent};

/// Checks a run of another program.
pub fn check_trace(trace: &Trace) -> Report {
    let order = trace.causal_order();
    let mut checker = Checker { trace, faults: Faults::default(), shown: 0 };
    for unreadable in &trace.unreadable {
        let (found, expected) = (unreadable.found.clone(), unreadable.expected.clone());
        checker.add(unreadable.file, unreadable.line, FaultKind::Unreadable, found, expected);
    }
    let mut circles = order.circles.iter().peekable();
    let before = trace.befores();
    for &index in &order.events {
        checker.shown += 1;
        if let Some(circle) = circles.next_if(|circle| circle[0] == index) {
            checker.circle(circle);
        }
        checker.event(index, before[index].map(|before| &trace.events[before]));
    }
    let messages = (0..trace.events.len()).map(|index| trace.causes(index).len() as u64).sum();
    let counts = Counts {
        machines: trace.by_host().count() as u64,
        events: trace.events.len() as u64,
        sent: messages,
        received: messages,
        ..Counts::default()
    };
    let mut unchecked = Vec::new();
    if trace.other_lines > 0 {
        unchecked.push(format!("{} outside of any event", count(trace.other_lines, "lines")));
    }
    Report { counts, has_messages: false, faults: checker.faults, torn: Vec::new(), unchecked }
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
                self.fault(event, FaultKind::Vector, found, expected);
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
            if self.trace.find(heard).is_none() {
                self.no_such_event(event, heard);
            }
        }
        // What the others know, one of these knows as well.
        for &cause in self.trace.causes(index) {
            let cause = &self.trace.events[cause];
            // Whoever knows of the event itself is in a circle with it.
            for (host, entry) in cause.clock.entries().filter(|(host, _)| *host != event.id.sender) {
                let own = event.clock.entry(host);
                if own < entry {
                    let found = self.entry(MessageId { sender: host, event: own });
                    let expected =
                        format!("{entry} or more, as {} knows it, of which it has heard", self.named(cause));
                    self.fault(event, FaultKind::Vector, found, expected);
                }
            }
        }
    }

    fn no_such_event(&mut self, event: &TraceEvent, heard: MessageId) {
        let host = &self.trace.hosts[heard.sender.index()];
        let expected = match self.trace.last(heard.sender) {
            0 => format!("nothing of '{host}', which has no event in the log"),
            last if last < heard.event => format!("at most {last}, the last event of '{host}'"),
            _ => format!("the number of an event of '{host}' that is in the log"),
        };
        self.fault(event, FaultKind::NotSent, self.entry(heard), expected);
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
        format!("{}:{}", self.trace.files[event.file].path.display(), event.line)
    }
}
