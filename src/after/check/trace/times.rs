//! The hosts' own clocks, where the log tells of them: none runs back, and no message is received before it was sent.
//!
//! The second is no fault of a logical clock, but it shows that two hosts' clocks disagree, and by how much at least:
//! latencies between them are wrong by that. It is told once for two hosts, at its first message, with the largest.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Checker;
use crate::after::check::fault::FaultKind;
use crate::edge::trace::TraceEvent;
use crate::model::id::VmId;
use crate::model::text::count;

/// The messages between two hosts that were received before they were sent.
struct Early {
    /// The first of them, and the one by the most: of each the send and the receive.
    first: (usize, usize),
    most: (usize, usize),
    by: SignedDuration,
    count: u64,
}

/// Checks all times. `before` is the event before each in its own host.
pub(super) fn check(checker: &mut Checker<'_>, before: &[Option<usize>]) {
    let trace = checker.trace;
    let mut early: BTreeMap<(VmId, VmId), Early> = BTreeMap::new();
    for (at, event) in trace.events.iter().enumerate() {
        let Some(time) = event.time else { continue };
        if let Some(before) = before[at].map(|before| &trace.events[before])
            && let Some(earlier) = before.time.filter(|earlier| *earlier > time)
        {
            let expected = format!("{earlier} or later, as its event before has ({})", checker.place(before));
            checker.fault(event, FaultKind::Time, time.to_string(), expected);
        }
        for &cause in
            trace.causes(at).iter().filter(|cause| !trace.is_twofold(trace.events[**cause].id.sender))
        {
            let by = trace.events[cause].time.map_or(SignedDuration::ZERO, |sent| sent.duration_since(time));
            if by <= SignedDuration::ZERO {
                continue;
            }
            let hosts = (trace.events[cause].id.sender, event.id.sender);
            let new = Early { first: (cause, at), most: (cause, at), by, count: 0 };
            let known = early.entry(hosts).or_insert(new);
            known.count += 1;
            if by > known.by {
                (known.by, known.most) = (by, (cause, at));
            }
        }
    }
    let mut early: Vec<Early> = early.into_values().collect();
    early.sort_by_key(|early| early.first.1);
    early.iter().for_each(|early| checker.early(early));
}

impl Checker<'_> {
    fn early(&mut self, early: &Early) {
        let event = |at: usize| &self.trace.events[at];
        let (send, receive) = (event(early.first.0), event(early.first.1));
        let host = |event: &TraceEvent| &self.trace.hosts[event.id.sender.index()];
        let (one, other) = (host(send), host(receive));
        let time = |event: &TraceEvent| event.time.as_ref().map(Timestamp::to_string).unwrap_or_default();
        let mut expected = format!(
            "{} or later, when {} was sent: the clocks of '{one}' and '{other}' disagree by at least {}",
            time(send),
            self.named(send),
            seconds(early.by)
        );
        if early.count > 1 {
            let most = self.named(event(early.most.1));
            expected += &format!(
                ", as {} from '{one}' to '{other}' show, the most at {most}",
                count(early.count, "messages")
            );
        }
        let found = format!("{} at {}", time(receive), self.trace.name(receive.id));
        self.fault(receive, FaultKind::HostClocks, found, expected);
    }
}

/// A time as people read it.
fn seconds(time: SignedDuration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.3} s"),
        seconds => format!("{:.6} ms", seconds * 1e3).replace(".000000", ""),
    }
}
