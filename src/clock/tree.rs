//! The tree clock: a vector clock that remembers from whom it has what it knows, and joins only what is new.
//!
//! Mathur, Pavlogiannis, Tunç and Viswanathan, "A Tree Clock Data Structure for Causal Orderings in Concurrent
//! Executions", ASPLOS 2022, section 3 and algorithm 2. There threads hand clocks over by locks, and here machines by
//! messages: a message carries the whole tree, and the receive joins it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Claim, Clock, Description, Length, Moment, Occurrence, Promise, Setup};
use crate::model::id::VmId;

/// How many numbers a node of the tree is in a value.
const NODE: usize = 4;

/// A vector as a tree. The root is the machine's own entry; below a node stands what its machine had heard of, the latest
/// first. Two facts make the join short: who knows an event of a machine knows all that this one knew at it ("direct
/// monotonicity"), and so it does of what hangs below ("indirect monotonicity").
///
/// As numbers it is its nodes, parents before children, each as its machine, its entry, its parent's entry when it was
/// hung there, and of how many nodes its subtree is: so a reader can step over what it knows.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<u64, Node>,
    own: u64,
    numbers: Vec<u64>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    entry: u64,
    /// The parent's entry when this was hung below it.
    hung_at: u64,
    parent: Option<u64>,
    /// The one that was hung here last stands last.
    children: Vec<u64>,
}

/// A node as it stands in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    machine: u64,
    entry: u64,
    hung_at: u64,
    /// How many numbers it and all below it are.
    length: usize,
}

fn node(numbers: &[u64], at: usize) -> Option<Shown> {
    let &[machine, entry, hung_at, nodes] = numbers.get(at..at + NODE)?.first_chunk()?;
    let length = usize::try_from(nodes).ok()?.checked_mul(NODE)?;
    (length >= NODE && length <= numbers.len() - at).then_some(Shown { machine, entry, hung_at, length })
}

/// The entry of a machine in a value; 0 where it has not heard of it.
fn entry(numbers: &[u64], machine: u64) -> u64 {
    let mut nodes = numbers.chunks_exact(NODE);
    nodes.find(|node| node[0] == machine).map_or(0, |node| node[1])
}

impl Tree {
    fn entry(&self, machine: u64) -> u64 {
        self.nodes.get(&machine).map_or(0, |node| node.entry)
    }

    /// Counts an event at the root, which comes first among the numbers.
    fn count(&mut self) {
        let root = self.nodes.entry(self.own).or_default();
        root.entry = root.entry.saturating_add(1);
        if let Some(number) = self.numbers.get_mut(1) {
            *number = root.entry;
        }
    }

    /// What of a value is new, parents before children, each with its parent there; the procedure getUpdatedNodesJoin.
    fn news(&self, numbers: &[u64]) -> Vec<(Shown, Option<u64>)> {
        let is_new = |node: Shown| node.machine != self.own && self.entry(node.machine) < node.entry;
        let Some(root) = node(numbers, 0).filter(|root| is_new(*root)) else { return Vec::new() };
        let mut news = vec![(root, None)];
        // Each node whose children are looked at, with where its subtree ends.
        let mut parents = vec![(root.machine, root.length)];
        let mut at = NODE;
        while let Some(&(parent, end)) = parents.last() {
            let Some(child) = node(numbers, at).filter(|child| at < end && at + child.length <= end) else {
                parents.pop();
                at = end;
                continue;
            };
            if is_new(child) {
                news.push((child, Some(parent)));
                parents.push((child.machine, at + child.length));
                at += NODE;
            } else if child.hung_at <= self.entry(parent) {
                // This one was known when the parent's entry was that, and so were all that were hung there before.
                at = end;
            } else {
                at += child.length;
            }
        }
        news
    }

    /// Takes the nodes from where they hang, and hangs them as they hang there, the whole below the own root.
    fn join(&mut self, numbers: &[u64]) {
        let news = self.news(numbers);
        if news.is_empty() {
            return;
        }
        for (shown, _) in &news {
            self.take_down(shown.machine);
            self.nodes.entry(shown.machine).or_default().entry = shown.entry;
        }
        let now = self.entry(self.own);
        // Backwards, so that children stand as they do there.
        for (shown, parent) in news.iter().rev() {
            let (parent, hung_at) = parent.map_or((self.own, now), |parent| (parent, shown.hung_at));
            self.hang(shown.machine, parent, hung_at);
        }
        self.write();
    }

    fn take_down(&mut self, machine: u64) {
        let parent = self.nodes.get_mut(&machine).and_then(|node| node.parent.take());
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            parent.children.retain(|child| *child != machine);
        }
    }

    fn hang(&mut self, machine: u64, below: u64, hung_at: u64) {
        // A stamp that no machine makes may have a node twice.
        self.take_down(machine);
        if let Some(node) = self.nodes.get_mut(&machine) {
            (node.parent, node.hung_at) = (Some(below), hung_at);
            self.nodes.entry(below).or_default().children.push(machine);
        }
    }

    /// Writes the numbers anew, from the root.
    fn write(&mut self) {
        self.numbers.clear();
        // Each node with its place once it has one: then all below it are written.
        let mut open = vec![(self.own, None)];
        while let Some((machine, place)) = open.pop() {
            if let Some(place) = place {
                let nodes: usize = (self.numbers.len() - place) / NODE;
                self.numbers[place + 3] = nodes as u64;
            } else if let Some(node) = self.nodes.get(&machine) {
                open.push((machine, Some(self.numbers.len())));
                self.numbers.extend([machine, node.entry, node.hung_at, 1]);
                open.extend(node.children.iter().map(|child| (*child, None)));
            }
        }
    }

    /// The tree that such numbers are; none where they are none of this machine.
    fn read(own: u64, numbers: &[u64]) -> Option<Self> {
        let root = node(numbers, 0).filter(|root| root.machine == own && root.length == numbers.len())?;
        let mut tree = Self { nodes: BTreeMap::new(), own, numbers: numbers.to_vec() };
        let mut parents: Vec<(u64, usize)> = Vec::new();
        for at in (0..root.length).step_by(NODE) {
            let shown = node(numbers, at)?;
            while parents.last().is_some_and(|(_, end)| *end <= at) {
                parents.pop();
            }
            let parent = parents.last().copied();
            if parent.is_some_and(|(_, end)| at + shown.length > end) || at > 0 && parent.is_none() {
                return None;
            }
            let parent = parent.map(|(parent, _)| parent);
            let new = Node { entry: shown.entry, hung_at: shown.hung_at, parent, children: Vec::new() };
            if tree.nodes.insert(shown.machine, new).is_some() {
                return None;
            }
            if let Some(parent) = parent.and_then(|parent| tree.nodes.get_mut(&parent)) {
                parent.children.push(shown.machine);
            }
            parents.push((shown.machine, at + shown.length));
        }
        // They were met with the latest first.
        tree.nodes.values_mut().for_each(|node| node.children.reverse());
        Some(tree)
    }
}

impl Clock for Tree {
    const DESCRIPTION: Description = Description {
        name: "tree",
        title: "tree clock",
        rule: "a vector as a tree of who told what, joined in the part that is new: machine, entry, parent's entry then, size of the subtree",
        source: "Mathur et al. 2022",
        promise: Promise::Strong,
        length: Length::Any,
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let own = u64::from(setup.own.0);
        last.and_then(|last| Self::read(own, last)).unwrap_or_else(|| {
            let nodes = BTreeMap::from([(own, Node::default())]);
            Self { nodes, own, numbers: vec![own, 0, 0, 1] }
        })
    }

    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count();
    }

    /// The receive is counted first, so that what is hung at its entry is known to nobody who knows the entry before.
    fn receive(&mut self, _sender: VmId, stamp: &[u64], _now: Moment) {
        self.count();
        self.join(stamp);
    }

    fn value(&self) -> &[u64] {
        &self.numbers
    }

    /// An event happened before another where that one's tree has come to its entry of its own machine (remark 1).
    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        let (Some(a), Some(b)) = (node(first, 0), node(second, 0)) else { return None };
        match (entry(second, a.machine) >= a.entry, entry(first, b.machine) >= b.entry) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        }
    }

    fn most_words(vms: u32, _events: u64) -> usize {
        NODE.saturating_mul(vms as usize)
    }

    /// The root is the sender at its event, and nothing else stands beside it.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        node(stamp, 0).is_some_and(|root| {
            root.machine == u64::from(claim.sender.0)
                && root.entry == claim.event
                && root.length == stamp.len()
        }) && stamp.chunks_exact(NODE).all(|node| node[1] <= claim.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Nanos;

    const NOW: Moment = Moment { event: 1, elapsed: Nanos::ZERO };

    fn start(own: u32) -> Tree {
        Tree::start(&Setup { own: VmId(own), vms: 4, skew: 0, parameters: &[] }, None)
    }

    #[test]
    fn a_tree_tells_from_whom_it_has_what() {
        let (mut a, mut b, mut c) = (start(0), start(1), start(2));
        a.advance(Occurrence::Send, NOW);
        assert_eq!(a.value(), [0, 1, 0, 1]);
        b.receive(VmId(0), a.value(), NOW);
        assert_eq!(b.value(), [1, 1, 0, 2, 0, 1, 1, 1], "a at 1 below b, since b was at 1");
        b.advance(Occurrence::Send, NOW);
        c.receive(VmId(1), b.value(), NOW);
        assert_eq!(c.value(), [2, 1, 0, 3, 1, 2, 1, 2, 0, 1, 1, 1]);
        assert_eq!(Tree::compare(a.value(), c.value()), Some(Ordering::Less));
        a.advance(Occurrence::Internal, NOW);
        assert_eq!(Tree::compare(a.value(), c.value()), None);
        c.receive(VmId(0), a.value(), NOW);
        assert_eq!(c.value(), [2, 2, 0, 3, 0, 2, 2, 1, 1, 2, 1, 1], "a hangs below c itself now, and first");
    }

    /// What the receiver knows is stepped over, with all that was hung there before.
    #[test]
    fn a_join_looks_at_what_is_new_alone() {
        let (mut a, mut b, mut c) = (start(0), start(1), start(2));
        c.advance(Occurrence::Send, NOW);
        b.receive(VmId(2), c.value(), NOW);
        a.receive(VmId(1), b.value(), NOW);
        assert_eq!(a.news(b.value()), []);
        b.advance(Occurrence::Send, NOW);
        let news: Vec<u64> = a.news(b.value()).iter().map(|(shown, _)| shown.machine).collect();
        assert_eq!(news, [1], "b's own entry, and not c's below it");
    }

    #[test]
    fn numbers_that_are_no_tree_of_the_machine_start_a_new_one() {
        let setup = Setup { own: VmId(0), vms: 4, skew: 0, parameters: &[] };
        let broken: [&[u64]; 6] = [
            &[],
            &[1, 1, 0, 1],
            &[0, 1, 0],
            &[0, 1, 0, 2],
            &[0, 1, 0, 2, 0, 1, 1, 1],
            &[0, 1, 0, 3, 1, 1, 1, 9, 2, 1, 1, 1],
        ];
        for numbers in broken {
            assert_eq!(Tree::start(&setup, Some(numbers)).value(), [0, 0, 0, 1], "{numbers:?}");
        }
        let whole = [0, 7, 0, 3, 1, 2, 6, 2, 2, 1, 1, 1];
        let mut tree = Tree::start(&setup, Some(&whole));
        tree.write();
        assert_eq!(tree.value(), whole);
    }
}
