//! The judge of broadcasts, by the marks `broadcast` and `deliver vm3-17`.

use std::collections::BTreeMap;

use super::{Judge, Past, Violation, Witnessed};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Holds machines to causal broadcast: what is delivered was broadcast, nobody delivers it twice, and everybody delivers
/// it after all broadcasts that happened before it.
///
/// A broadcast happened before another one where its sender had made or delivered it before it made the other (Birman,
/// Schiper, Stephenson 1991, section 2). That it had received it and held it back is not enough.
///
/// That everybody delivers what was broadcast, no end of a run can refute: it may have been on its way. It shows where
/// somebody delivers what comes after it.
#[derive(Debug)]
pub struct Broadcast {
    vms: u32,
    machines: BTreeMap<VmId, Standing>,
    /// The broadcasts that somebody has not delivered.
    open: BTreeMap<MessageId, Open>,
}

/// Of each machine the number of the last of its broadcasts.
type Latest = BTreeMap<VmId, u64>;

/// How a machine stands.
#[derive(Debug, Default)]
struct Standing {
    /// What it has delivered last, by sender.
    delivered: Latest,
    /// Its own last broadcast.
    broadcast: Option<u64>,
    /// Whether it may have delivered more: events of it are not here.
    is_vague: bool,
}

/// A broadcast that somebody has not delivered.
#[derive(Debug)]
struct Open {
    /// What happened before it.
    before: Latest,
    /// How many machines have delivered it.
    delivered: u32,
    past: Past,
}

const SENT: &str = "what is delivered was broadcast";
const ONCE: &str = "nobody delivers a broadcast twice";
const CAUSAL: &str = "broadcasts are delivered in causal order";

impl Broadcast {
    /// A judge of so many machines.
    pub const fn new(vms: u32) -> Self {
        Self { vms, machines: BTreeMap::new(), open: BTreeMap::new() }
    }

    fn broadcast(&mut self, event: &Witnessed<'_>) {
        let own = self.machines.entry(event.vm()).or_default();
        let mut before = own.delivered.clone();
        if let Some(last) = own.broadcast.replace(event.id.event) {
            before.insert(event.vm(), last);
        }
        self.open.insert(event.id, Open { before, delivered: 0, past: event.past.clone() });
    }

    fn deliver(&mut self, message: MessageId, event: &Witnessed<'_>, broken: &mut Vec<Violation>) {
        let own = self.machines.entry(event.vm()).or_default();
        let last = own.delivered.get(&message.sender).copied().unwrap_or(0);
        let open = self.open.get_mut(&message);
        if event.is_without(message) {
            let says = format!("{} delivers {message}, which did not happen before", event.id);
            broken.push(violation(SENT, says, [event.id], event.past.clone()));
        } else if !own.is_vague && last == message.event {
            let says = format!("{} delivers {message} again", event.id);
            broken.push(violation(ONCE, says, [event.id, message], event.past.clone()));
        } else if !own.is_vague && last > message.event {
            let later = MessageId { event: last, ..message };
            let says = format!("{} delivers {message} again, or after {later}", event.id);
            broken.push(violation(CAUSAL, says, [event.id, message, later], event.past.clone()));
        } else if let Some(open) = open.as_ref().filter(|_| !own.is_vague) {
            broken.extend(passed(message, open, own, event));
        }
        own.delivered.insert(message.sender, last.max(message.event));
        if let Some(open) = open {
            open.delivered += 1;
            if open.delivered >= self.vms {
                self.open.remove(&message);
            }
        }
    }
}

/// The first broadcast that happened before another one, and was not delivered when that was.
fn passed(message: MessageId, open: &Open, own: &Standing, event: &Witnessed<'_>) -> Option<Violation> {
    let is_missing =
        |(sender, number): &(&VmId, &u64)| own.delivered.get(sender).is_none_or(|last| last < number);
    let (&sender, &number) = open.before.iter().find(is_missing)?;
    let earlier = MessageId { sender, event: number };
    let says = format!("{} delivers {message} before {earlier}, which happened before it", event.id);
    Some(violation(CAUSAL, says, [event.id, message, earlier], event.past.with(&open.past)))
}

impl Judge for Broadcast {
    fn event(&mut self, event: &Witnessed<'_>, broken: &mut Vec<Violation>) {
        if event.follows_gap {
            self.machines.entry(event.vm()).or_default().is_vague = true;
        }
        if event.mark == "broadcast" {
            self.broadcast(event);
        } else if let Some(message) = event.mark.strip_prefix("deliver ").and_then(|name| name.parse().ok()) {
            self.deliver(message, event, broken);
        }
    }
}

fn violation<const K: usize>(
    promise: &'static str,
    says: String,
    events: [MessageId; K],
    cut: Past,
) -> Violation {
    Violation { promise, says, events: events.into(), cut: Some(cut) }
}

#[cfg(test)]
mod tests {
    use super::super::Deed;
    use super::*;
    use crate::clock::Reading;
    use crate::model::time::Nanos;

    /// Three machines whose events a judge is shown as they are told: who, the mark, whose events it has heard of, and
    /// whether events of it before that are not here.
    fn broken(events: &[(u32, &str, &[usize], bool)]) -> Vec<String> {
        let mut judge = Broadcast::new(3);
        let (mut pasts, mut shown): ([Past; 3], _) = (Default::default(), [0; 3]);
        let mut broken = Vec::new();
        for (vm, mark, heard, follows_gap) in events {
            let own = *vm as usize;
            for other in *heard {
                let past = pasts[*other].clone();
                pasts[own].add(&past);
            }
            shown[own] += 1;
            let id = MessageId { sender: VmId(*vm), event: shown[own] };
            pasts[own].add_event(id);
            let event = Witnessed {
                id,
                elapsed: Nanos::ZERO,
                deed: Deed::Internal,
                clocks: Reading::lamport_only(1),
                payload: "",
                mark,
                past: &pasts[own],
                follows_gap: *follows_gap,
                is_resumed: false,
                shown: &shown,
            };
            judge.event(&event, &mut broken);
        }
        broken.into_iter().map(|one| one.says).collect()
    }

    /// Machine 0 broadcasts, and machine 1 does once it has delivered that.
    const ANSWER: [(u32, &str, &[usize], bool); 5] = [
        (0, "broadcast", &[], false),
        (0, "deliver vm0-1", &[], false),
        (1, "deliver vm0-1", &[0], false),
        (1, "broadcast", &[], false),
        (1, "deliver vm1-2", &[], false),
    ];

    fn after(more: &[(u32, &str, &[usize], bool)]) -> Vec<String> {
        broken(&[&ANSWER, more].concat())
    }

    #[test]
    fn an_answer_after_its_question_breaks_nothing() {
        let more: [(u32, &str, &[usize], bool); 3] =
            [(2, "", &[1], false), (2, "deliver vm0-1", &[0], false), (2, "deliver vm1-2", &[], false)];
        assert_eq!(after(&more), [""; 0]);
    }

    #[test]
    fn an_answer_before_its_question_is_found() {
        let said = ["vm2-1 delivers vm1-2 before vm0-1, which happened before it"];
        assert_eq!(after(&[(2, "deliver vm1-2", &[1], false)]), said);
    }

    #[test]
    fn what_was_received_and_not_delivered_did_not_happen_before() {
        let events: [(u32, &str, &[usize], bool); 4] = [
            (0, "broadcast", &[], false),
            (1, "", &[0], false),
            (1, "broadcast", &[], false),
            (2, "deliver vm1-2", &[1], false),
        ];
        assert_eq!(broken(&events), [""; 0]);
    }

    #[test]
    fn what_is_delivered_twice_or_unsent_or_out_of_order_is_found() {
        assert_eq!(after(&[(1, "deliver vm0-1", &[], false)]), ["vm1-4 delivers vm0-1 again"]);
        let unsent = ["vm2-1 delivers vm0-9, which did not happen before"];
        assert_eq!(after(&[(2, "deliver vm0-9", &[0], false)]), unsent);
        let events: [(u32, &str, &[usize], bool); 4] = [
            (0, "broadcast", &[], false),
            (0, "broadcast", &[], false),
            (1, "deliver vm0-2", &[0], false),
            (1, "deliver vm0-1", &[], false),
        ];
        let said = [
            "vm1-1 delivers vm0-2 before vm0-1, which happened before it",
            "vm1-2 delivers vm0-1 again, or after vm0-2",
        ];
        assert_eq!(broken(&events), said);
    }

    #[test]
    fn what_a_machine_may_have_delivered_before_its_log_begins_is_not_missed() {
        let more: [(u32, &str, &[usize], bool); 2] =
            [(2, "deliver vm1-2", &[1], true), (2, "deliver vm0-1", &[], false)];
        assert_eq!(after(&more), [""; 0]);
    }
}
