//! The judge of mutual exclusion, by the marks `request`, `enter` and `leave`.

use std::collections::BTreeMap;

use super::{Judge, Past, Violation, Witnessed};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Holds machines to mutual exclusion: no two of them are between `enter` and `leave` at once, and who enters has asked
/// by `request`. Where that is promised as well, they enter in the order of their requests.
///
/// *At once* has nothing to do with times, which machines of different hosts do not share. Two are inside at once where
/// neither left before the other entered, in the sense of happened before: then there is a consistent cut in which both
/// are, and some observer sees it. The order of requests is Lamport's total order (1978): by the Lamport clock of the
/// request, and by the machine where that is the same.
///
/// That everyone who asks enters, no end of a run can refute: who waits then may have been the next. It shows in the
/// order: nobody is passed by.
#[derive(Debug)]
pub struct Exclusion {
    is_in_order: bool,
    machines: BTreeMap<VmId, Standing>,
}

/// How a machine stands.
#[derive(Debug, Default)]
struct Standing {
    /// What it asked and was not given yet.
    request: Option<Request>,
    /// Its latest stay inside, which may be over.
    stay: Option<Stay>,
    /// Whether events of it are not here after which it may stand in another way.
    is_vague: bool,
}

#[derive(Clone, Debug)]
struct Request {
    id: MessageId,
    /// Its place among all requests.
    order: (u64, VmId),
    past: Past,
}

#[derive(Debug)]
struct Stay {
    enter: MessageId,
    /// What had happened when it entered.
    past: Past,
    /// What it had asked, where that is here.
    request: Option<Request>,
    leave: Option<MessageId>,
}

const ALONE: &str = "no two machines inside at once";
const ASKED: &str = "who enters has asked, and who leaves was inside";
const IN_ORDER: &str = "machines enter in the order of their requests";

impl Exclusion {
    /// A judge of machines that enter in any order.
    pub const fn new() -> Self {
        Self { is_in_order: false, machines: BTreeMap::new() }
    }

    /// The same of machines that enter in the order of their requests.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self { is_in_order: true, ..self }
    }

    fn request(&mut self, event: &Witnessed<'_>, broken: &mut Vec<Violation>) {
        let request =
            Request { id: event.id, order: (event.clocks.lamport, event.vm()), past: event.past.clone() };
        if self.is_in_order {
            broken
                .extend(self.machines.values().filter_map(|other| passed_by(&request, other.stay.as_ref()?)));
        }
        let own = self.machines.entry(event.vm()).or_default();
        (own.request, own.is_vague) = (Some(request), false);
    }

    fn enter(&mut self, event: &Witnessed<'_>, broken: &mut Vec<Violation>) {
        let own = self.machines.entry(event.vm()).or_default();
        let request = own.request.take();
        let is_inside = own.stay.as_ref().is_some_and(|stay| stay.leave.is_none());
        if (request.is_none() || is_inside) && !own.is_vague {
            let why = if is_inside { "was inside already" } else { "has not asked" };
            broken.push(violation(
                ASKED,
                format!("{} enters and {why}", event.id),
                [event.id],
                event.past.clone(),
            ));
        }
        for (_, other) in self.machines.iter().filter(|(vm, _)| **vm != event.vm()) {
            broken.extend(other.stay.as_ref().and_then(|stay| is_inside_with(stay, event)));
            if let (true, Some(own), Some(earlier)) = (self.is_in_order, &request, &other.request) {
                broken.extend(passes_by(earlier, own, event));
            }
        }
        let stay = Stay { enter: event.id, past: event.past.clone(), request, leave: None };
        let own = self.machines.entry(event.vm()).or_default();
        (own.stay, own.is_vague) = (Some(stay), false);
    }

    fn leave(&mut self, event: &Witnessed<'_>, broken: &mut Vec<Violation>) {
        let own = self.machines.entry(event.vm()).or_default();
        match &mut own.stay {
            Some(stay) if stay.leave.is_none() => stay.leave = Some(event.id),
            _ if own.is_vague => {}
            _ => {
                let says = format!("{} leaves and is not inside", event.id);
                broken.push(violation(ASKED, says, [event.id], event.past.clone()));
            }
        }
        own.is_vague = false;
    }
}

impl Default for Exclusion {
    fn default() -> Self {
        Self::new()
    }
}

impl Judge for Exclusion {
    fn event(&mut self, event: &Witnessed<'_>, broken: &mut Vec<Violation>) {
        if event.follows_gap {
            self.machines.insert(event.vm(), Standing { is_vague: true, ..Standing::default() });
        } else if event.is_resumed
            && let Some(own) = self.machines.get_mut(&event.vm())
        {
            // It went down with what it had asked and where it was: it is inside no more, and others may know of it
            // from now on.
            own.request = None;
            if let Some(stay) = &mut own.stay {
                stay.leave.get_or_insert(event.id);
            }
        }
        match event.mark {
            "request" => self.request(event, broken),
            "enter" => self.enter(event, broken),
            "leave" => self.leave(event, broken),
            _ => {}
        }
    }
}

/// Whether a machine enters that does not know that another one has left, in a stay that was shown before.
fn is_inside_with(stay: &Stay, event: &Witnessed<'_>) -> Option<Violation> {
    let is_certain = match stay.leave {
        Some(leave) => event.is_without(leave),
        None => event.has_seen_all_of(stay.enter.sender),
    };
    let left = match stay.leave {
        Some(leave) => format!("left at {leave}, which did not happen before"),
        None => "had not left".to_owned(),
    };
    is_certain.then(|| {
        let says = format!("{} enters while {} is inside, which {left}", event.id, stay.enter);
        violation(ALONE, says, [event.id, stay.enter], event.past.with(&stay.past))
    })
}

/// Whether a machine enters for a request that comes after another one of those that wait.
fn passes_by(earlier: &Request, own: &Request, event: &Witnessed<'_>) -> Option<Violation> {
    let is_certain = event.has_seen_all_of(earlier.id.sender);
    (earlier.order < own.order && is_certain).then(|| {
        let says = format!(
            "{} enters for {} (Lamport {}) while {} (Lamport {}) waits, which comes before",
            event.id, own.id, own.order.0, earlier.id, earlier.order.0
        );
        violation(IN_ORDER, says, [event.id, own.id, earlier.id], event.past.with(&earlier.past))
    })
}

/// Whether a machine has entered, before it could know of a request, for one that comes after it.
fn passed_by(request: &Request, stay: &Stay) -> Option<Violation> {
    let own = stay.request.as_ref()?;
    (request.order < own.order && stay.past.is_without(request.id)).then(|| {
        let says = format!(
            "{} entered for {} (Lamport {}) and did not wait to hear of {} (Lamport {}), which comes before",
            stay.enter, own.id, own.order.0, request.id, request.order.0
        );
        violation(IN_ORDER, says, [request.id, stay.enter, own.id], request.past.with(&stay.past))
    })
}

fn violation(
    promise: &'static str,
    says: String,
    events: impl IntoIterator<Item = MessageId>,
    cut: Past,
) -> Violation {
    Violation { promise, says, events: events.into_iter().collect(), cut: Some(cut) }
}

#[cfg(test)]
mod tests {
    use super::super::Deed;
    use super::*;
    use crate::clock::Reading;
    use crate::model::time::Nanos;

    /// Three machines whose events a judge is shown as they are told.
    struct Bench {
        judge: Exclusion,
        pasts: [Past; 3],
        lamport: [u64; 3],
        shown: [u64; 3],
        broken: Vec<Violation>,
    }

    impl Bench {
        fn new(judge: Exclusion) -> Self {
            Self { judge, pasts: Default::default(), lamport: [0; 3], shown: [0; 3], broken: Vec::new() }
        }

        /// A machine makes an event after it has heard of all that these machines have done so far.
        fn event(&mut self, vm: u32, mark: &str, heard: &[usize]) {
            self.full_event(vm, mark, heard, false, false);
        }

        fn full_event(&mut self, vm: u32, mark: &str, heard: &[usize], follows_gap: bool, is_resumed: bool) {
            let own = VmId(vm).index();
            for &other in heard {
                let past = self.pasts[other].clone();
                self.pasts[own].add(&past);
                self.lamport[own] = self.lamport[own].max(self.lamport[other]);
            }
            self.lamport[own] += 1;
            self.shown[own] += 1;
            let id = MessageId { sender: VmId(vm), event: self.shown[own] };
            self.pasts[own].add_event(id);
            let event = Witnessed {
                id,
                elapsed: Nanos::ZERO,
                deed: Deed::Internal,
                clocks: Reading::lamport_only(self.lamport[own]),
                payload: "",
                mark,
                past: &self.pasts[own],
                follows_gap,
                is_resumed,
                shown: &self.shown,
            };
            self.judge.event(&event, &mut self.broken);
        }

        fn broken(&self) -> Vec<(&str, Vec<String>, String)> {
            let names = |one: &Violation| one.events.iter().map(ToString::to_string).collect();
            let cut = |one: &Violation| one.cut.as_ref().unwrap().to_string();
            self.broken.iter().map(|one| (one.promise, names(one), cut(one))).collect()
        }
    }

    /// A stay of a machine that asks without telling anybody.
    const STAY: [&str; 3] = ["request", "enter", "leave"];

    #[test]
    fn who_enters_after_it_has_heard_of_the_leave_breaks_nothing() {
        let mut bench = Bench::new(Exclusion::new());
        STAY.iter().for_each(|mark| bench.event(0, mark, &[]));
        bench.event(1, "request", &[]);
        bench.event(1, "enter", &[0]);
        bench.event(1, "leave", &[]);
        bench.event(2, "request", &[1]);
        bench.event(2, "enter", &[]);
        assert_eq!(bench.broken(), []);
    }

    #[test]
    fn two_inside_at_once_are_found_with_the_cut_that_has_both() {
        let mut bench = Bench::new(Exclusion::new());
        bench.event(0, "request", &[]);
        bench.event(0, "enter", &[]);
        bench.event(1, "request", &[0]);
        bench.event(1, "enter", &[]);
        let events = vec!["vm1-2".to_owned(), "vm0-2".to_owned()];
        assert_eq!(bench.broken(), [(ALONE, events, "vm0-2, vm1-2".to_owned())]);
    }

    /// The times may agree with it, and no message tells: another observer sees both inside.
    #[test]
    fn one_after_the_other_by_chance_is_at_once() {
        let mut bench = Bench::new(Exclusion::new());
        STAY.iter().for_each(|mark| bench.event(0, mark, &[]));
        bench.event(1, "request", &[]);
        bench.event(1, "enter", &[]);
        let [one] = bench.broken.as_slice() else { panic!("{:?}", bench.broken) };
        assert_eq!(
            one.says,
            "vm1-2 enters while vm0-2 is inside, which left at vm0-3, which did not happen before"
        );
    }

    #[test]
    fn where_the_order_is_promised_nobody_passes_an_earlier_request() {
        for (judge, expected) in [(Exclusion::new(), vec![]), (Exclusion::new().in_order(), vec![IN_ORDER])] {
            let mut bench = Bench::new(judge);
            bench.event(0, "request", &[]);
            bench.event(1, "request", &[0]);
            bench.event(1, "enter", &[]);
            assert_eq!(bench.broken().iter().map(|(promise, ..)| *promise).collect::<Vec<_>>(), expected);
        }
    }

    /// The Lamport clocks of the requests are 1 and 2; who enters for the later one has not heard of the other.
    #[test]
    fn who_does_not_wait_to_hear_of_earlier_requests_is_found_when_they_show() {
        let mut bench = Bench::new(Exclusion::new().in_order());
        bench.event(1, "", &[]);
        bench.event(1, "request", &[]);
        bench.event(1, "enter", &[]);
        bench.event(0, "request", &[]);
        let events = ["vm0-1", "vm1-3", "vm1-2"].map(str::to_owned).to_vec();
        assert_eq!(bench.broken(), [(IN_ORDER, events, "vm0-1, vm1-3".to_owned())]);
    }

    #[test]
    fn who_enters_unasked_or_twice_or_leaves_from_outside_is_found() {
        let mut bench = Bench::new(Exclusion::new());
        ["enter", "request", "enter", "leave", "leave"].iter().for_each(|mark| bench.event(0, mark, &[]));
        let says: Vec<&str> = bench.broken.iter().map(|one| one.says.as_str()).collect();
        let expected = [
            "vm0-1 enters and has not asked",
            "vm0-3 enters and was inside already",
            "vm0-5 leaves and is not inside",
        ];
        assert_eq!(says, expected);
    }

    #[test]
    fn what_is_not_here_is_nobodys_fault() {
        let mut bench = Bench::new(Exclusion::new().in_order());
        STAY.iter().for_each(|mark| bench.event(0, mark, &[]));
        // A message of which nothing is known may have told it of the leave.
        bench.pasts[1].blur();
        bench.event(1, "request", &[]);
        bench.event(1, "enter", &[]);
        // It heard of events of machine 1 that are not here: of a leave, perhaps.
        bench.pasts[2].add_event(MessageId { sender: VmId(1), event: 9 });
        bench.event(2, "request", &[0]);
        bench.event(2, "enter", &[]);
        // Events of its own are not here.
        bench.full_event(2, "enter", &[1], true, false);
        bench.full_event(0, "leave", &[], true, false);
        assert_eq!(bench.broken(), []);
    }

    #[test]
    fn a_machine_that_was_down_is_inside_no_more() {
        let mut bench = Bench::new(Exclusion::new());
        bench.event(0, "request", &[]);
        bench.event(0, "enter", &[]);
        bench.full_event(0, "", &[], false, true);
        bench.event(1, "request", &[0]);
        bench.event(1, "enter", &[]);
        assert_eq!(bench.broken(), []);
        bench.event(0, "enter", &[1]);
        assert_eq!(bench.broken()[0].1, ["vm0-4"], "it has not asked since");
    }
}
