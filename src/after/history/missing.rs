//! What the logs at hand lack of their run: whole logs, events within them, and ends.
//!
//! It is nobody's fault, and it is told before anything else, since an answer that could depend on it is none. What
//! is known of it comes from the manifests, from machines' and events' numbers, and from messages that were received
//! and whose sends are not here.

use std::collections::{BTreeMap, HashSet};
use std::ops::{Range, RangeInclusive};

use super::numbers::Numbers;
use crate::edge::log::{LogFolder, Status};
use crate::edge::nodes::node_of;
use crate::edge::trace::Trace;
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::text::count;

/// What is not here of a run.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    machines: BTreeMap<VmId, Lack>,
    /// How it is known that logs may go on beyond their last rows, in words.
    ends: Vec<String>,
    /// Logs whose last rows are torn, in words.
    torn: Vec<String>,
    /// Of each log whether it may, since nothing tells that it does not.
    is_open: Vec<bool>,
    /// Of each log the machines that it has by its name; none where it says nothing.
    logs: Vec<RangeInclusive<VmId>>,
    /// Logs that a manifest names.
    named: Vec<String>,
    names: Names,
}

/// What is not here of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lack {
    /// None of its events is here.
    pub is_whole: bool,
    /// The first and the last number of events that are not here. [`u64::MAX`] where the last one is not known.
    pub events: Vec<(u64, u64)>,
    /// How many messages of such events were received here.
    pub messages: u64,
    /// The last of its events of which something here tells.
    pub heard: u64,
    /// The last of its events that is here.
    last: u64,
}

/// What machines are called.
#[derive(Clone, Debug, Default)]
enum Names {
    /// By their numbers alone, where there is one node.
    #[default]
    Numbers,
    /// The same, and by the nodes among which they are shared: how many nodes, and how many machines.
    Nodes(u32, u32),
    /// By the names of their hosts, in another program's log.
    Hosts(Vec<String>),
}

/// What the rows that were read tell of events that may not be among them.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// The machines in the order in which they were shown, each with its log and its events.
    machines: Vec<(VmId, usize, Numbers)>,
    heard: BTreeMap<VmId, Heard>,
    /// Rows of an event that was there already: how many, and the first.
    twice: Option<(u64, MessageId)>,
}

#[derive(Clone, Debug, Default)]
struct Heard {
    /// The sends of messages that were received and were not on their way.
    messages: Vec<u64>,
    /// The last event of which a vector tells.
    last: u64,
}

impl Witness {
    /// What machines have, each with its log and its events.
    pub fn of(machines: impl Iterator<Item = (VmId, usize, Numbers)>) -> Self {
        Self { machines: machines.collect(), ..Self::default() }
    }

    /// A row of the machine of that number, which is 1 more than the largest so far where it is new.
    #[inline]
    pub fn row(&mut self, machine: usize, log: usize, event: MessageId) {
        if machine == self.machines.len() {
            self.machines.push((event.sender, log, Numbers::default()));
        }
        debug_assert!(
            self.machines.get(machine).is_some_and(|(vm, ..)| *vm == event.sender),
            "machines are numbered in the order in which they are first shown"
        );
        if !self.machines[machine].2.add(event.event) {
            self.twice.get_or_insert((0, event)).0 += 1;
        }
    }

    /// A message was received that was not on its way; the receiver's vector tells what it has heard of.
    pub fn unknown(&mut self, message: MessageId, vector: &[u64]) {
        self.heard.entry(message.sender).or_default().messages.push(message.event);
        self.known(vector);
    }

    /// A vector tells of events up to its entries.
    pub fn known(&mut self, vector: &[u64]) {
        for (vm, known) in (0..).map(VmId).zip(vector).filter(|(_, known)| **known > 0) {
            let heard = self.heard.entry(vm).or_default();
            heard.last = heard.last.max(*known);
        }
    }

    /// The events that came more than once, in words.
    pub fn twice(&self) -> Option<String> {
        let (rows, first) = self.twice?;
        let (rows, are) = (count(rows, "rows"), if rows == 1 { "is" } else { "are" });
        Some(format!(
            "{rows} {are} of events that came before, such as {first}: the logs may be of several runs"
        ))
    }
}

/// How far a log was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadLog {
    /// Its whole rows; a torn last one is not among them.
    pub rows: u64,
    /// The bytes of a torn last row.
    pub torn: u64,
}

impl Missing {
    /// What is not here of one run, of whose folders the logs were read so far, in their order; `read` is empty
    /// where they were not read to their ends.
    pub fn of(folders: &[LogFolder], read: &[ReadLog], witness: &Witness) -> Self {
        let mut missing = Self { names: Names::of(folders), ..Self::default() };
        missing.add_ends(folders, read);
        for folder in folders {
            missing.named.extend(folder.missing_logs().iter().map(|log| log.path.display().to_string()));
        }
        for vm in without_log(folders).into_iter().flatten() {
            missing
                .machines
                .insert(VmId(vm), Lack { is_whole: true, events: vec![(1, u64::MAX)], ..Lack::default() });
        }
        let vms = folders.iter().find_map(|folder| folder.manifest.as_ref()?.settings.vms);
        missing.add_heard(witness, vms.map(|vms| vms.get()));
        missing
    }

    /// What is not here of another program's run. Of hosts with two runs nobody can tell.
    pub fn of_trace(trace: &Trace) -> Self {
        let numbers = |own: &[usize]| {
            let mut numbers = Numbers::default();
            for index in own {
                numbers.add(trace.events[*index].id.event);
            }
            numbers
        };
        let events: Vec<_> = trace.by_host().map(|(host, own)| (host, numbers(own))).collect();
        let heard = trace.heard().into_iter().filter(|heard| !trace.is_twofold(heard.sender));
        Self::of_hosts(trace.hosts.to_vec(), &events, heard)
    }

    /// What is not here of hosts that have these names and events. `heard` are the last events of which others tell.
    fn of_hosts(
        hosts: Vec<String>,
        events: &[(VmId, Numbers)],
        heard: impl Iterator<Item = MessageId>,
    ) -> Self {
        let mut witness = Witness::of(events.iter().map(|(host, numbers)| (*host, 0, numbers.clone())));
        let mut known = vec![0; hosts.len()];
        heard.for_each(|event| known[event.sender.index()] = event.event);
        witness.known(&known);
        let mut missing = Self { names: Names::Hosts(hosts), is_open: vec![true], ..Self::default() };
        missing.add_heard(&witness, None);
        missing
    }

    /// Whether logs may go on beyond their last rows.
    fn add_ends(&mut self, folders: &[LogFolder], read: &[ReadLog]) {
        let mut read = read.iter();
        for folder in folders {
            let status = folder.manifest.as_ref().map(|manifest| manifest.status);
            let place = folder.path.display();
            match status {
                Some(status @ Status::Running) => self.ends.push(format!(
                    "the run in {place} goes on or was killed, as its manifest says {status}: what comes after the last rows is not here"
                )),
                Some(status @ Status::Failed) => self.ends.push(format!(
                    "the run in {place} has {status}, by its manifest: its last events may not be here"
                )),
                Some(Status::Complete | Status::Interrupted) | None => {}
            }
            for (log, by_manifest) in folder.logs.iter().zip(folder.rows_by_manifest()) {
                // One that was not read to its end may be as long as it should be.
                let read = read.next();
                let (torn, path) = (read.map_or(0, |read| read.torn), log.path.display());
                let lost = read.zip(by_manifest).filter(|(read, rows)| read.rows < *rows);
                let is_short = lost.is_some();
                if let Some((read, rows)) = lost {
                    self.ends.push(format!("{path} has {} of its {}", read.rows, count(rows, "rows")));
                } else if torn > 0 {
                    self.torn.push(format!("{path}: its last row is torn and was left out ({torn} bytes)"));
                }
                let is_over = matches!(status, Some(Status::Complete | Status::Interrupted));
                // Nobody can tell whether a log without a manifest is whole; one with it is as long as that says.
                let is_known = by_manifest.is_some() && is_over;
                let is_cut = is_short || torn > 0;
                self.is_open.push(is_cut || !is_known);
                let nobody = VmId(1)..=VmId(0);
                self.logs.push(log.machines.clone().unwrap_or(nobody));
            }
        }
    }

    fn add_heard(&mut self, witness: &Witness, vms: Option<u32>) {
        for (vm, log, numbers) in &witness.machines {
            let heard = witness.heard.get(vm);
            let last = numbers.last();
            let known =
                heard.map_or(0, |heard| heard.messages.iter().copied().max().unwrap_or(0).max(heard.last));
            // Numbers within a log are missing for certain; behind its end only where somebody has heard of them, and
            // where nothing says that the log is whole. Otherwise whoever has heard of them is at fault.
            let mut events: Vec<(u64, u64)> = numbers.holes().collect();
            if known > last && self.is_open(*log) {
                events.push((last + 1, u64::MAX));
            }
            let is_lacking = |event: &&u64| events.iter().any(|(first, last)| (first..=last).contains(event));
            let messages = heard.map_or(0, |heard| heard.messages.iter().filter(is_lacking).count() as u64);
            self.machines.remove(vm);
            if !events.is_empty() {
                let heard = if known > last { known } else { last };
                self.machines.insert(*vm, Lack { is_whole: false, events, messages, heard, last });
            }
        }
        let has_rows: HashSet<VmId> = witness.machines.iter().map(|(vm, ..)| *vm).collect();
        let is_silent = |vm: &VmId| vms.is_none_or(|vms| vm.0 < vms) && !has_rows.contains(vm);
        for (vm, heard) in witness.heard.iter().filter(|(vm, _)| is_silent(vm)) {
            let log = self.logs.iter().position(|range| range.contains(vm));
            if log.is_some_and(|log| !self.is_open(log)) {
                continue;
            }
            let messages = heard.messages.len() as u64;
            let heard = heard.messages.iter().copied().max().unwrap_or(0).max(heard.last);
            let (is_whole, events) = (log.is_none(), vec![(1, u64::MAX)]);
            self.machines.insert(*vm, Lack { is_whole, events, messages, heard, last: 0 });
        }
    }

    /// Whether nothing is known to be missing.
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty() && self.ends.is_empty() && self.named.is_empty() && self.torn.is_empty()
    }

    /// Whether events are missing that the run has: then what is counted over all machines is not the run's.
    pub fn has_gaps(&self) -> bool {
        !self.machines.is_empty()
    }

    /// Whether an event is not here that the run has or may have.
    pub fn lacks(&self, event: MessageId) -> bool {
        let lack = self.machines.get(&event.sender);
        lack.is_some_and(|lack| {
            lack.events.iter().any(|(first, last)| (first..=last).contains(&&event.event))
        })
    }

    /// The machines that are not here whole.
    pub fn machines(&self) -> impl Iterator<Item = (VmId, &Lack)> {
        self.machines.iter().map(|(vm, lack)| (*vm, lack))
    }

    /// Whether a log may go on beyond its last row, or nothing tells that it does not.
    pub fn is_open(&self, log: usize) -> bool {
        self.is_open.get(log).copied().unwrap_or(true)
    }

    /// Whether the last events of machines are missing, or all of them: then nobody knows how far their clocks went.
    pub fn lacks_last_events(&self) -> bool {
        self.machines.values().any(|lack| lack.events.iter().any(|(_, last)| *last == u64::MAX))
    }

    /// Whether nothing but rows within logs is missing.
    pub fn is_within_logs(&self) -> bool {
        self.ends.is_empty() && self.named.is_empty() && !self.lacks_last_events()
    }

    /// Whether it is known that no log goes on beyond its last row, and that none is missing.
    pub fn is_closed(&self) -> bool {
        self.is_empty() && !self.is_open.contains(&true)
    }

    /// The machines that are not here whole, in words.
    pub fn who(&self) -> String {
        self.names.list(self.machines.keys().copied())
    }

    /// All of it, a line each, and the last rows that are torn.
    pub fn told_with_torn(&self) -> Vec<String> {
        let mut told = self.told();
        told.extend(some(self.torn.clone(), "more logs like that"));
        told
    }

    /// All of it, a line each. Torn last rows are told where rows are counted.
    pub fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        let whole: Vec<VmId> = self.machines().filter(|(_, lack)| lack.is_whole).map(|(vm, _)| vm).collect();
        if !whole.is_empty() {
            let logs = if whole.len() == 1 { "the log of" } else { "the logs of" };
            let are = if whole.len() == 1 { "is" } else { "are" };
            told.push(format!("{logs} {} {are} not here", self.names.list_in_full(whole.into_iter())));
        }
        told.extend(self.told_named());
        told.extend(self.told_messages());
        let parts = self.machines().filter(|(_, lack)| !lack.is_whole);
        let parts = parts.flat_map(|(vm, lack)| self.told_part(vm, lack)).collect();
        told.extend(some(parts, "more machines of which events are not here"));
        told.extend(some(self.ends.clone(), "more logs that may go on"));
        told
    }

    fn told_named(&self) -> Vec<String> {
        let names = self.named.iter().map(|path| format!("{path} is not here, though the manifest names it"));
        some(names.collect(), "more that it names")
    }

    /// The messages of machines without a log, by node where that is known.
    fn told_messages(&self) -> Vec<String> {
        let mut senders: Vec<(String, u64)> = Vec::new();
        for (vm, lack) in self.machines().filter(|(_, lack)| lack.is_whole && lack.messages > 0) {
            let name = self.names.node_or_machine(vm);
            match senders.last_mut() {
                Some((last, messages)) if *last == name => *messages += lack.messages,
                _ => senders.push((name, lack.messages)),
            }
        }
        let told = senders.into_iter().map(|(name, messages)| {
            format!("{} came from {name}, whose log is not here", count(messages, "messages"))
        });
        some(told.collect(), "more senders like that")
    }

    fn told_part(&self, vm: VmId, lack: &Lack) -> Vec<String> {
        let name = self.names.one(vm);
        let mut told = Vec::new();
        let holes = lack.events.iter().filter(|(_, last)| *last < u64::MAX);
        let holes: Vec<String> = holes
            .map(|(first, last)| if first == last { first.to_string() } else { format!("{first} to {last}") })
            .collect();
        if !holes.is_empty() {
            let is_one = holes.len() == 1 && lack.events.first().is_some_and(|(first, last)| first == last);
            let (s, are) = if is_one { ("", "is") } else { ("s", "are") };
            told.push(format!("event{s} {} of {name} {are} not here", joined(holes, "more gaps")));
        }
        let has_tail = lack.events.last().is_some_and(|(_, last)| *last == u64::MAX);
        if has_tail && lack.last == 0 {
            told.push(format!(
                "the log of {name} is here without events, and others heard of its event {}",
                lack.heard
            ));
        } else if has_tail {
            let (last, heard) = (lack.last, lack.heard);
            told.push(format!(
                "the log of {name} ends with event {last}, and others heard of its event {heard}"
            ));
        }
        if lack.messages > 0 {
            let messages = count(lack.messages, "messages");
            told.push(format!("{messages} came from events of {name} that are not here"));
        }
        told
    }
}

/// The machines of a run of clocklab that have no log in the folders, by the logs' names.
fn without_log(folders: &[LogFolder]) -> Vec<Range<u32>> {
    let logs = || folders.iter().flat_map(|folder| &folder.logs);
    let Some(mut ranges) =
        logs().map(|log| log.machines.clone()).collect::<Option<Vec<RangeInclusive<VmId>>>>()
    else {
        return Vec::new();
    };
    let vms = folders.iter().filter_map(|folder| folder.manifest.as_ref()?.settings.vms);
    let last_named = ranges.iter().map(|range| range.end().0.saturating_add(1)).max().unwrap_or(0);
    let end = vms.map(|vms| vms.get()).max().unwrap_or(last_named);
    ranges.sort_by_key(|range| *range.start());
    let (mut next, mut gaps) = (0, Vec::new());
    for range in ranges {
        if range.start().0 > next {
            gaps.push(next..range.start().0.min(end));
        }
        // Ranges may overlap, as where a folder is named twice: what was passed stays passed.
        next = next.max(range.end().0.saturating_add(1));
    }
    gaps.push(next..end);
    gaps.retain(|gap| !gap.is_empty());
    gaps
}

impl Names {
    fn of(folders: &[LogFolder]) -> Self {
        let manifests = || folders.iter().filter_map(|folder| folder.manifest.as_ref());
        let nodes = manifests().find_map(|manifest| Some(manifest.place?.1));
        let vms = manifests().find_map(|manifest| manifest.settings.vms);
        match nodes.zip(vms) {
            Some((nodes, vms)) if nodes > 0 => Self::Nodes(nodes, vms.get()),
            _ => Self::Numbers,
        }
    }

    fn one(&self, vm: VmId) -> String {
        match self {
            Self::Hosts(hosts) => {
                hosts.get(vm.index()).map_or_else(|| format!("host {vm}"), |host| format!("'{host}'"))
            }
            Self::Numbers | Self::Nodes(..) => format!("machine {vm}"),
        }
    }

    fn node_or_machine(&self, vm: VmId) -> String {
        match self {
            Self::Nodes(nodes, vms) if vm.0 < *vms => format!("node {}", node_of(vm.0, *nodes, *vms)),
            _ => self.one(vm),
        }
    }

    /// Some of them: `machines 0 to 3 and 7`.
    fn list(&self, machines: impl Iterator<Item = VmId>) -> String {
        if let Self::Hosts(_) = self {
            let names: Vec<String> = machines.map(|vm| self.one(vm)).collect();
            return joined(names, "more hosts");
        }
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for VmId(vm) in machines {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(vm) => *last = vm,
                _ => ranges.push((vm, vm)),
            }
        }
        let is_one = matches!(ranges.as_slice(), [(first, last)] if first == last);
        let words = ranges.iter().map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first} and {last}"),
            _ => format!("{first} to {last}"),
        });
        let words = joined(words.collect(), "more");
        if is_one { format!("machine {words}") } else { format!("machines {words}") }
    }

    /// The same, with their nodes.
    fn list_in_full(&self, machines: impl Iterator<Item = VmId> + Clone) -> String {
        let list = self.list(machines.clone());
        let Self::Nodes(nodes, vms) = self else { return list };
        let mut of: Vec<u32> =
            machines.filter(|vm| vm.0 < *vms).map(|vm| node_of(vm.0, *nodes, *vms)).collect();
        of.dedup();
        let numbers: Vec<String> = of.iter().map(u32::to_string).collect();
        match numbers.as_slice() {
            [] => list,
            [node] => format!("{list} (node {node})"),
            _ => format!("{list} (nodes {})", joined(numbers, "more")),
        }
    }
}

/// The first few lines, and how many more there are.
fn some(mut lines: Vec<String>, more: &str) -> Vec<String> {
    let left_out = leave_out(&mut lines);
    lines.extend((left_out > 0).then(|| format!("… and {left_out} {more}")));
    lines
}

/// `a`, `a and b`, `a, b and c`; of many the first few.
fn joined(mut words: Vec<String>, more: &str) -> String {
    let left_out = leave_out(&mut words);
    words.extend((left_out > 0).then(|| format!("{left_out} {more}")));
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Leaves out what is beyond the first few, and tells how many that is.
fn leave_out(lines: &mut Vec<String>) -> usize {
    const MOST: usize = 5;
    let left_out = if lines.len() > MOST + 1 { lines.len() - MOST } else { 0 };
    lines.truncate(lines.len() - left_out);
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(events: impl IntoIterator<Item = u64>) -> Numbers {
        let mut numbers = Numbers::default();
        events.into_iter().for_each(|event| assert!(numbers.add(event)));
        numbers
    }

    #[test]
    fn hosts_that_are_missing_are_called_by_their_names() {
        let hosts = ["alice", "bob", "carol"].map(str::to_owned).to_vec();
        let here = [(VmId(0), numbers([1, 2, 5])), (VmId(1), numbers(1..=4))];
        let heard = [(0, 5), (1, 9), (2, 7)].map(|(vm, event)| MessageId { sender: VmId(vm), event });
        let missing = Missing::of_hosts(hosts, &here, heard.into_iter());
        assert_eq!(
            missing.told(),
            [
                "the log of 'carol' is not here",
                "events 3 to 4 of 'alice' are not here",
                "the log of 'bob' ends with event 4, and others heard of its event 9",
            ]
        );
        let lacks = |vm, event| missing.lacks(MessageId { sender: VmId(vm), event });
        assert!(lacks(0, 3) && lacks(0, 4) && lacks(1, 5) && lacks(2, 1));
        assert!(!lacks(0, 2) && !lacks(0, 6) && !lacks(1, 4));
        assert_eq!(missing.who(), "'alice', 'bob' and 'carol'");
    }

    #[test]
    fn machines_come_as_ranges_and_with_their_nodes() {
        let list = |names: &Names, vms: &[u32]| names.list_in_full(vms.iter().copied().map(VmId));
        assert_eq!(list(&Names::Numbers, &[3]), "machine 3");
        assert_eq!(list(&Names::Numbers, &[0, 1, 5, 7, 8, 9]), "machines 0 and 1, 5 and 7 to 9");
        assert_eq!(list(&Names::Nodes(2, 4), &[0, 1]), "machines 0 and 1 (node 0)");
        assert_eq!(list(&Names::Nodes(2, 4), &[1, 2]), "machines 1 and 2 (nodes 0 and 1)");
        assert_eq!(
            list(&Names::Numbers, &(0..40).step_by(2).collect::<Vec<_>>()),
            "machines 0, 2, 4, 6, 8 and 15 more"
        );
    }
}
