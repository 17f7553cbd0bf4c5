//! Runs of other programs: the events of named hosts, each with its vector clock, and nothing else.
//!
//! Such a log names no messages. What they were follows from the vectors: an event that knows more of another
//! host than the event before it in its own host has heard of it, directly from the events of which no other
//! one among them knows. One event may so follow several, as where a host logs only some of what it does.

mod again;
mod clock;
mod expression;
mod files;
mod patience;
mod pattern;
mod read;
mod when;

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use self::again::Sorted;
pub use self::again::{Again, Why};
pub use self::clock::Clock;
pub use self::read::{TraceError, read};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::text::count;

/// The events of one run of another program.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What the log calls the run, where it has several.
    pub label: String,
    /// The names of the hosts; a host is a machine whose number is its place here. Several runs of one log have
    /// the same ones.
    pub hosts: Arc<Vec<String>>,
    /// The files that were read, in the order in which they were named; events point into them.
    pub files: Arc<Vec<SourceFile>>,
    /// The events, in the order of the files.
    pub events: Vec<TraceEvent>,
    /// What looks like an event and cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Lines that belong to no event.
    pub other_lines: u64,
    /// Events that have a time which cannot be read.
    pub unread_times: u64,
    /// Of files, by their places here, how many of their events stand in others as well. Each was taken once.
    pub copies: BTreeMap<usize, u64>,
    /// Events with numbers that others have, and those that came with them. They are not among the events.
    pub again: Vec<Again>,
    /// What lies among the files and was not opened, since it is no regular file.
    pub skipped: Vec<PathBuf>,
    /// Each host's events by their numbers.
    by_host: Vec<Vec<usize>>,
    /// The events of other hosts that each event directly follows.
    causes: Vec<Causes>,
}

/// The events of other hosts that an event directly follows.
pub type Causes = SmallVec<[usize; 2]>;

/// A file of a log.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Where the file is, as it was named; `-` is standard input.
    pub path: PathBuf,
    /// The regular expression by which its events were found.
    pub expression: String,
    /// How many were, and what looks like one.
    pub events: u64,
}

/// An event of another program.
#[derive(Clone, Debug)]
pub struct TraceEvent {
    /// Its host, and its number there: the host's own entry in the vector.
    pub id: MessageId,
    /// The vector clock after the event, by the log.
    pub clock: Clock,
    /// Which of the files it stands in.
    pub file: usize,
    /// The line at which it begins.
    pub line: u64,
    /// The lines of the log in which it stands, as they are there.
    pub text: String,
    /// What the log says of it, without its host and its clock.
    pub said: String,
    /// When it happened, where the log tells.
    pub time: Option<Timestamp>,
}

impl TraceEvent {
    /// Whether both are one event, written twice.
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        self.id == other.id && self.clock == other.clock && self.said == other.said
    }
}

/// Something that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which of the files it stands in.
    pub file: usize,
    /// The line at which it begins, counted from 1.
    pub line: u64,
    /// What stands there instead.
    pub found: String,
    /// What the format has at this place, in words for people.
    pub expected: String,
}

/// The events in an order in which causes come before effects.
#[derive(Clone, Debug, Default)]
pub struct CausalOrder {
    /// Every event once, by its place in [`Trace::events`].
    pub events: Vec<usize>,
    /// Events that follow each other in a circle: each follows the next one, and the last the first, which was put
    /// into the order all the same.
    pub circles: Vec<Vec<usize>>,
}

impl Trace {
    fn new(
        label: String,
        hosts: Arc<Vec<String>>,
        files: Arc<Vec<SourceFile>>,
        events: Vec<TraceEvent>,
    ) -> Self {
        let Sorted { events, copies, again } = again::sort_out(events);
        let mut by_host = vec![Vec::new(); hosts.len()];
        for (index, event) in events.iter().enumerate() {
            by_host[event.id.sender.index()].push(index);
        }
        for own in &mut by_host {
            own.sort_by_key(|index| events[*index].id.event);
            debug_assert!(
                own.windows(2).all(|pair| events[pair[0]].id.event < events[pair[1]].id.event),
                "events of one number were sorted out"
            );
        }
        let mut trace = Self {
            label,
            hosts,
            files,
            events,
            unreadable: Vec::new(),
            other_lines: 0,
            unread_times: 0,
            copies,
            again,
            skipped: Vec::new(),
            by_host,
            causes: vec![],
        };
        trace.causes = trace.all_causes();
        trace
    }

    /// The name of an event: its host's and its number.
    pub fn name(&self, id: MessageId) -> String {
        format!("{}-{}", self.hosts[id.sender.index()], id.event)
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Option<VmId> {
        let index = self.hosts.iter().position(|host| host == name)?;
        u32::try_from(index).ok().map(VmId)
    }

    /// The event of that name, the first where there are several.
    pub fn find(&self, id: MessageId) -> Option<usize> {
        let own = self.by_host.get(id.sender.index())?;
        let at = own.partition_point(|index| self.events[*index].id.event < id.event);
        own.get(at).copied().filter(|index| self.events[*index].id == id)
    }

    /// The hosts that have events, each with them by their numbers.
    pub fn by_host(&self) -> impl Iterator<Item = (VmId, &[usize])> {
        (0..)
            .map(VmId)
            .zip(&self.by_host)
            .filter(|(_, own)| !own.is_empty())
            .map(|(host, own)| (host, &own[..]))
    }

    /// The number of a host's last event; 0 where it has none.
    pub fn last(&self, host: VmId) -> u64 {
        let last = self.by_host.get(host.index()).and_then(|own| own.last());
        last.map_or(0, |index| self.events[*index].id.event)
    }

    /// Whether events of a host were set aside, so that nobody can tell of which one others have heard.
    pub fn is_twofold(&self, host: VmId) -> bool {
        self.again.iter().any(|again| again.event.sender == host && again.why != Why::SameLine)
    }

    /// Where the log has events of more than one run, the first sign of it.
    pub fn second_run(&self) -> Option<&Again> {
        self.again.iter().find(|again| again.why != Why::SameLine)
    }

    /// Of each host the last event of which any event knows.
    pub fn heard(&self) -> Vec<MessageId> {
        let mut last = vec![0; self.hosts.len()];
        for (host, entry) in self.events.iter().flat_map(|event| event.clock.entries()) {
            last[host.index()] = last[host.index()].max(entry);
        }
        let all = (0..).map(VmId).zip(last);
        all.filter(|(_, last)| *last > 0).map(|(sender, event)| MessageId { sender, event }).collect()
    }

    /// How many events of a host are here, up to a number.
    pub fn count(&self, host: VmId, number: u64) -> usize {
        self.by_host[host.index()].partition_point(|index| self.events[*index].id.event <= number)
    }

    /// Whether all events are here of which any knows.
    pub fn is_whole(&self) -> bool {
        self.heard().into_iter().all(|heard| self.count(heard.sender, heard.event) as u64 == heard.event)
    }

    /// What makes answers about it unsure beside what is not here, a line each.
    pub fn unsure(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(again) = self.second_run() {
            let aside =
                self.again.iter().filter(|again| again.why != Why::SameLine).map(|again| again.events).sum();
            let (file, line) = again.place;
            lines.push(format!(
                "the log has more than one run of {}, as at {}:{line}: {} of later runs are left out",
                self.twofold(),
                self.files[file].path.display(),
                count(aside, "events")
            ));
        }
        if !self.unreadable.is_empty() {
            let events = count(self.unreadable.len() as u64, "events");
            lines.push(format!("{events} cannot be read and are left out; clocklab check tells where"));
        }
        lines
    }

    /// The names of the hosts of which events were set aside.
    pub fn twofold(&self) -> String {
        let hosts = (0..).map(VmId).zip(&*self.hosts).filter(|(host, _)| self.is_twofold(*host));
        hosts.map(|(_, name)| format!("'{name}'")).collect::<Vec<_>>().join(", ")
    }

    /// The copies in words, where there are any.
    pub fn copies_told(&self) -> Option<String> {
        let copies: u64 = self.copies.values().sum();
        let files = self.copies.keys().map(|file| self.files[*file].path.display().to_string());
        let files: Vec<String> = files.collect();
        let stands = if copies == 1 { "event of {} stands" } else { "events of {} stand" };
        let what = stands.replace("{}", &files.join(", "));
        (copies > 0).then(|| format!("{copies} {what} in other files as well, and each was counted once"))
    }

    /// The files without any event.
    pub fn without_events(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.events == 0)
    }

    /// The events of other hosts that an event directly follows, those that are in the log.
    pub fn causes(&self, event: usize) -> &[usize] {
        &self.causes[event]
    }

    /// Events that are not here and that an event has heard of since the one before it in its host, without those of
    /// which its causes here know. What a host with two runs is said to have done counts for none.
    pub fn causes_elsewhere(&self, event: usize, before: Option<usize>) -> Vec<MessageId> {
        let causes = &self.causes[event];
        let is_known = |id: &MessageId| {
            causes.iter().any(|cause| self.events[*cause].clock.entry(id.sender) >= id.event)
        };
        let elsewhere = self.news(event, before).filter(|id| self.find(*id).is_none());
        elsewhere.filter(|id| !self.is_twofold(id.sender) && !is_known(id)).collect()
    }

    /// Whether an event is sure to have followed another one directly: it has heard at the same time of nothing that
    /// is not here and could stand in between.
    pub fn is_at_once(&self, send: MessageId, receive: MessageId) -> bool {
        let Some(event) = self.find(receive) else { return false };
        let own = &self.by_host[receive.sender.index()];
        let at = own.partition_point(|index| self.events[*index].id.event < receive.event);
        let before = at.checked_sub(1).map(|at| own[at]);
        let number = before.map_or(0, |before| self.events[before].id.event);
        let is_open = |id: MessageId| id != send && (self.find(id).is_none() || self.is_twofold(id.sender));
        number + 1 == receive.event && !self.is_twofold(send.sender) && !self.news(event, before).any(is_open)
    }

    /// The events of other hosts of which an event knows and the one before it in its host does not.
    fn news(&self, event: usize, before: Option<usize>) -> impl Iterator<Item = MessageId> + '_ {
        let known = move |host| before.map_or(0, |before| self.events[before].clock.entry(host));
        let TraceEvent { id, clock, .. } = &self.events[event];
        let news = clock.entries().filter(move |(host, entry)| *host != id.sender && *entry > known(*host));
        news.map(|(sender, event)| MessageId { sender, event })
    }

    /// The event before each in its own host.
    pub fn befores(&self) -> Vec<Option<usize>> {
        self.neighbours().0
    }

    /// The events of other hosts that directly follow each event.
    pub fn effects(&self) -> Vec<Causes> {
        let mut effects = vec![Causes::new(); self.events.len()];
        for (event, causes) in self.causes.iter().enumerate() {
            causes.iter().for_each(|cause| effects[*cause].push(event));
        }
        effects
    }

    fn all_causes(&self) -> Vec<Causes> {
        let mut all = vec![Causes::new(); self.events.len()];
        let none = Clock::default();
        for own in &self.by_host {
            let mut before = &none;
            for &index in own {
                all[index] = self.direct_causes(index, before);
                before = &self.events[index].clock;
            }
        }
        all
    }

    /// Of the events of which an event has news, those of which none of the others knows.
    fn direct_causes(&self, index: usize, before: &Clock) -> Causes {
        let event = &self.events[index];
        let news = event.clock.entries().filter(|(host, entry)| *entry > before.entry(*host));
        let news = news.filter(|(host, _)| *host != event.id.sender);
        let mut news: Vec<usize> =
            news.filter_map(|(sender, event)| self.find(MessageId { sender, event })).collect();
        // Whoever knows of another has the larger sum. So an event is looked at after all that could know of it, and one
        // pass finds those of which none does: the direct causes are the transitive reduction of what the vectors say.
        news.sort_by_cached_key(|cause| Reverse(self.events[*cause].clock.sum()));
        let mut causes = Causes::new();
        for cause in news {
            let id = self.events[cause].id;
            let is_known = |other: &usize| self.events[*other].clock.entry(id.sender) >= id.event;
            if !causes.iter().any(is_known) {
                causes.push(cause);
            }
        }
        causes
    }

    /// The events in an order in which causes come before effects, and otherwise as they stand in the files, or as
    /// they happened where all of them have a time.
    pub fn causal_order(&self) -> CausalOrder {
        let has_times = self.events.iter().all(|event| event.time.is_some());
        let key = |index: usize| Reverse((self.events[index].time.filter(|_| has_times), index));
        // Kahn's topological sort (1962), which takes of those that are ready the one that comes first in the files.
        let effects = self.effects();
        let (before, after) = self.neighbours();
        let mut missing: Vec<usize> = self.causes.iter().map(SmallVec::len).collect();
        before
            .iter()
            .zip(&mut missing)
            .for_each(|(before, missing)| *missing += usize::from(before.is_some()));
        let mut ready: BinaryHeap<_> =
            (0..missing.len()).filter(|index| missing[*index] == 0).map(key).collect();
        let mut order = CausalOrder::default();
        let mut is_done = vec![false; missing.len()];
        let mut unsure = 0;
        loop {
            while let Some(Reverse((_, index))) = ready.pop() {
                if std::mem::replace(&mut is_done[index], true) {
                    continue;
                }
                order.events.push(index);
                for &effect in effects[index].iter().chain(&after[index]) {
                    missing[effect] = missing[effect].saturating_sub(1);
                    if missing[effect] == 0 {
                        ready.push(key(effect));
                    }
                }
            }
            unsure += is_done[unsure..].iter().take_while(|is_done| **is_done).count();
            if unsure == is_done.len() {
                debug_assert_eq!(order.events.len(), self.events.len(), "each event comes once");
                return order;
            }
            // What is left is in circles or behind one. One event of a circle goes on as if it had no cause, so that what
            // follows can be judged as well.
            let circle = self.circle(unsure, &before, &is_done);
            ready.push(key(circle[0]));
            order.circles.push(circle);
        }
    }

    /// The event before and the event after each in its own host.
    fn neighbours(&self) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
        let (mut before, mut after) = (vec![None; self.events.len()], vec![None; self.events.len()]);
        for own in &self.by_host {
            for pair in own.windows(2) {
                (before[pair[1]], after[pair[0]]) = (Some(pair[0]), Some(pair[1]));
            }
        }
        (before, after)
    }

    /// The circle into which the way back from an event leads, from its first event in the log on.
    fn circle(&self, event: usize, before: &[Option<usize>], is_done: &[bool]) -> Vec<usize> {
        let mut place = HashMap::new();
        let mut path = Vec::new();
        let mut at = event;
        while let Entry::Vacant(entry) = place.entry(at) {
            entry.insert(path.len());
            path.push(at);
            let mut back = self.causes[at].iter().copied().chain(before[at]);
            match back.find(|cause| !is_done[*cause]) {
                Some(cause) => at = cause,
                None => return vec![at],
            }
        }
        let mut circle = path.split_off(place[&at]);
        debug_assert!(
            circle.iter().all(|event| !is_done[*event]),
            "an event in a circle was put into the order"
        );
        let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
        circle.rotate_left(first);
        circle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(text: &str) -> Trace {
        read::texts(&[(PathBuf::from("x.log"), text.to_owned())]).unwrap().remove(0)
    }

    fn names(trace: &Trace, events: &[usize]) -> Vec<String> {
        events.iter().map(|index| trace.name(trace.events[*index].id)).collect()
    }

    #[test]
    fn an_event_follows_those_that_it_has_directly_heard_of() {
        // c hears of a by way of b, and of d at once.
        let trace = trace(
            "a {\"a\":1}\nstart\nb {\"b\":1,\"a\":1}\nget\nd {\"d\":1}\nsend\n\
             c {\"c\":1,\"a\":1,\"b\":1,\"d\":1}\nget both\nc {\"c\":2,\"a\":1,\"b\":1,\"d\":1}\nrest\n",
        );
        assert_eq!(*trace.hosts, ["a", "b", "d", "c"]);
        let causes = |name: usize| names(&trace, trace.causes(name));
        assert_eq!(causes(1), ["a-1"]);
        assert_eq!(causes(3), ["b-1", "d-1"]);
        assert!(causes(0).is_empty() && causes(4).is_empty());
    }

    #[test]
    fn causes_come_before_effects_however_they_stand_in_the_file() {
        let trace = trace("a {\"a\":2,\"b\":1}\nthen\nb {\"b\":1,\"a\":1}\nget\na {\"a\":1}\nfirst\n");
        let order = trace.causal_order();
        assert_eq!(names(&trace, &order.events), ["a-1", "b-1", "a-2"]);
        assert!(order.circles.is_empty());
    }

    #[test]
    fn a_circle_is_broken_and_told() {
        let trace = trace("a {\"a\":1,\"b\":1}\nx\nb {\"a\":1,\"b\":1}\ny\n");
        let order = trace.causal_order();
        assert_eq!(order.events.len(), 2);
        assert_eq!(
            order.circles.iter().map(|circle| names(&trace, circle)).collect::<Vec<_>>(),
            [["a-1", "b-1"]]
        );
    }
}
