//! The interval tree clock: events counted over parts of an interval, which machines share by halves.
//!
//! Almeida, Baquero and Fonte, "Interval Tree Clocks: A Logical Clock for Dynamic Systems", OPODIS 2008, section 5: a stamp
//! is an id, which says what part of the interval is one's own, and an event tree, which counts over the interval. The
//! machines of a run are there from the start: the seed is forked into halves until each has a part of its own, the lower
//! numbers to the left. A message carries the event tree alone (the paper's `peek`), and a receive joins it and is an
//! event.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::{Claim, Clock, Description, Length, Moment, Occurrence, Promise, Setup};
use crate::model::id::VmId;

/// The deepest tree that is read. Those of a run are no deeper than its machines were forked, at most 32 times.
const DEEPEST: usize = 64;

/// What part of the interval is one's own: none of it, all of it, or parts of its halves.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Id {
    None,
    All,
    Halves(Box<(Self, Self)>),
}

/// A count over the interval: the same everywhere, or that and more in the halves.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Leaf(u64),
    Node(u64, Box<(Self, Self)>),
}

use Event::{Leaf, Node};

impl Id {
    /// The part of a machine of so many after all forks.
    fn of(own: u32, vms: Range<u32>) -> Self {
        if vms.len() <= 1 {
            return Self::All;
        }
        let middle = vms.start + (vms.end - vms.start).div_ceil(2);
        Self::Halves(Box::new(if own < middle {
            (Self::of(own, vms.start..middle), Self::None)
        } else {
            (Self::None, Self::of(own, middle..vms.end))
        }))
    }

    fn halves(left: Self, right: Self) -> Self {
        Self::Halves(Box::new((left, right)))
    }

    /// 0, 1, or 2 and both halves.
    fn write(&self, out: &mut Vec<u64>) {
        match self {
            Self::None => out.push(0),
            Self::All => out.push(1),
            Self::Halves(halves) => {
                out.push(2);
                halves.0.write(out);
                halves.1.write(out);
            }
        }
    }

    fn read(numbers: &mut &[u64], depth: usize) -> Option<Self> {
        let (first, rest) = numbers.split_first()?;
        *numbers = rest;
        match first {
            0 => Some(Self::None),
            1 => Some(Self::All),
            2 if depth < DEEPEST => {
                let left = Self::read(numbers, depth + 1)?;
                Some(Self::halves(left, Self::read(numbers, depth + 1)?))
            }
            _ => None,
        }
    }
}

/// The paper's norm: halves that are both so much more are that much less, and the whole is more.
fn node(base: u64, left: Event, right: Event) -> Event {
    match (&left, &right) {
        (Leaf(a), Leaf(b)) if a == b => Leaf(base.saturating_add(*a)),
        _ => {
            let least = left.least().min(right.least());
            Node(base.saturating_add(least), Box::new((left.sunk(least), right.sunk(least))))
        }
    }
}

impl Event {
    const fn base(&self) -> u64 {
        match self {
            Leaf(base) | Node(base, _) => *base,
        }
    }

    /// Of a normal tree the least count is at its root.
    const fn least(&self) -> u64 {
        self.base()
    }

    fn largest(&self) -> u64 {
        match self {
            Leaf(base) => *base,
            Node(base, halves) => base.saturating_add(halves.0.largest().max(halves.1.largest())),
        }
    }

    fn with_base(self, base: u64) -> Self {
        match self {
            Leaf(_) => Leaf(base),
            Node(_, halves) => Node(base, halves),
        }
    }

    fn lifted(self, by: u64) -> Self {
        let base = self.base().saturating_add(by);
        self.with_base(base)
    }

    fn sunk(self, by: u64) -> Self {
        let base = self.base().saturating_sub(by);
        self.with_base(base)
    }

    /// Its halves, which are alike where it is a leaf.
    fn split(self) -> (u64, Self, Self) {
        match self {
            Leaf(base) => (base, Leaf(0), Leaf(0)),
            Node(base, halves) => (base, halves.0, halves.1),
        }
    }

    /// The larger count everywhere.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Leaf(a), Leaf(b)) => Leaf(a.max(b)),
            (a, b) => {
                let (low, high) = if a.base() <= b.base() { (a, b) } else { (b, a) };
                let ((base, left, right), (above, high_left, high_right)) = (low.split(), high.split());
                let more = above - base;
                node(base, left.join(high_left.lifted(more)), right.join(high_right.lifted(more)))
            }
        }
    }

    /// Whether it is nowhere larger; both count from those bases on.
    fn is_at_most(&self, from: u64, other: &Self, other_from: u64) -> bool {
        let (own, others) = (from.saturating_add(self.base()), other_from.saturating_add(other.base()));
        own <= others
            && match (self, other) {
                (Leaf(_), _) => true,
                (Node(_, halves), Leaf(_)) => {
                    halves.0.is_at_most(own, &Leaf(0), others) && halves.1.is_at_most(own, &Leaf(0), others)
                }
                (Node(_, halves), Node(_, other)) => {
                    halves.0.is_at_most(own, &other.0, others) && halves.1.is_at_most(own, &other.1, others)
                }
            }
    }

    /// What can be simplified by counting more in the own part alone.
    fn fill(self, id: &Id) -> Self {
        match (id, self) {
            (Id::All, event) => Leaf(event.largest()),
            (Id::Halves(ids), Node(base, halves)) => {
                let (left, right) = *halves;
                match &**ids {
                    (Id::All, id) => {
                        let right = right.fill(id);
                        node(base, Leaf(left.largest().max(right.least())), right)
                    }
                    (id, Id::All) => {
                        let left = left.fill(id);
                        let least = left.least();
                        node(base, left, Leaf(right.largest().max(least)))
                    }
                    (left_id, right_id) => node(base, left.fill(left_id), right.fill(right_id)),
                }
            }
            (_, event) => event,
        }
    }

    /// One more in the own part, where that takes the fewest nodes and stands the highest; with what it costs, the nodes
    /// first and then the depth. None where no part is one's own.
    fn grown(self, id: &Id) -> Option<(Self, (u32, u32))> {
        match (id, self) {
            (Id::None, _) => None,
            (Id::All, Leaf(base)) => Some((Leaf(base.saturating_add(1)), (0, 0))),
            // fill has made a leaf of it.
            (Id::All, event) => Some((event.lifted(1), (0, 0))),
            (Id::Halves(_), Leaf(base)) => {
                let (event, (nodes, depth)) = Node(base, Box::new((Leaf(0), Leaf(0)))).grown(id)?;
                Some((event, (nodes + 1, depth)))
            }
            (Id::Halves(ids), Node(base, halves)) => {
                let (left, right) = *halves;
                let (by_left, by_right) = (left.clone().grown(&ids.0), right.clone().grown(&ids.1));
                // The paper takes the left half only where that costs less.
                let is_left = match (&by_left, &by_right) {
                    (Some((_, a)), Some((_, b))) => a < b,
                    (by_left, _) => by_left.is_some(),
                };
                let (grown, (nodes, depth)) = if is_left { by_left } else { by_right }?;
                let (left, right) = if is_left { (grown, right) } else { (left, grown) };
                Some((Node(base, Box::new((left, right))), (nodes, depth + 1)))
            }
        }
    }

    /// An event of who has that part: as little as makes it larger there, simplified where that is enough.
    fn inflated(self, id: &Id) -> Self {
        let filled = self.clone().fill(id);
        if filled != self {
            return filled;
        }
        filled.grown(id).map_or(self, |(grown, _)| grown)
    }

    /// A leaf is twice its count; a node that and 1, and both halves.
    fn write(&self, out: &mut Vec<u64>) {
        match self {
            Leaf(base) => out.push(base.saturating_mul(2) & !1),
            Node(base, halves) => {
                out.push(base.saturating_mul(2) | 1);
                halves.0.write(out);
                halves.1.write(out);
            }
        }
    }

    fn read(numbers: &mut &[u64], depth: usize) -> Option<Self> {
        let (first, rest) = numbers.split_first()?;
        *numbers = rest;
        if first % 2 == 0 {
            return Some(Leaf(first / 2));
        }
        if depth == DEEPEST {
            return None;
        }
        let left = Self::read(numbers, depth + 1)?;
        Some(node(first / 2, left, Self::read(numbers, depth + 1)?))
    }
}

/// The event tree that a stamp is.
fn event_tree(stamp: &[u64]) -> Option<Event> {
    let mut rest = stamp;
    Event::read(&mut rest, 0).filter(|_| rest.is_empty())
}

/// The id and the event tree that a value is.
fn read(value: &[u64]) -> Option<(Id, Event)> {
    let mut rest = value;
    let id = Id::read(&mut rest, 0)?;
    Some((id, event_tree(rest)?))
}

/// A machine's interval tree clock. As numbers it is the id and then the event tree.
#[derive(Clone, Debug)]
pub(crate) struct IntervalTree {
    id: Id,
    event: Event,
    numbers: Vec<u64>,
}

impl IntervalTree {
    fn count_from(&mut self, heard: Option<Event>) {
        let mut event = std::mem::replace(&mut self.event, Leaf(0));
        if let Some(heard) = heard {
            event = event.join(heard);
        }
        self.event = event.inflated(&self.id);
        self.write();
    }

    fn write(&mut self) {
        self.numbers.clear();
        self.id.write(&mut self.numbers);
        self.event.write(&mut self.numbers);
    }
}

impl Clock for IntervalTree {
    const DESCRIPTION: Description = Description {
        name: "itc",
        title: "interval tree clock",
        rule: "a part of an interval for each machine, counts over all of it, and the larger count everywhere",
        source: "Almeida et al. 2008",
        promise: Promise::Strong,
        length: Length::Any,
        is_for_recipient: true,
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let new = || (Id::of(setup.own.0, 0..setup.vms), Leaf(0));
        let (id, event) = last.and_then(read).unwrap_or_else(new);
        let mut clock = Self { id, event, numbers: Vec::new() };
        clock.write();
        clock
    }

    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count_from(None);
    }

    fn receive(&mut self, _sender: VmId, stamp: &[u64], _now: Moment) {
        self.count_from(event_tree(stamp));
    }

    fn value(&self) -> &[u64] {
        &self.numbers
    }

    /// The paper's peek: whoever it goes to has an id of its own.
    fn stamp_for(&mut self, _to: VmId, out: &mut Vec<u64>) {
        self.event.write(out);
    }

    fn stamp_of(value: &[u64]) -> Cow<'_, [u64]> {
        let mut rest = value;
        Id::read(&mut rest, 0).map_or(Cow::Borrowed(&[]), |_| Cow::Borrowed(rest))
    }

    /// Smaller where its event tree is nowhere larger (section 5.2, leq).
    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        let ((_, first), (_, second)) = (read(first)?, read(second)?);
        match (first.is_at_most(0, &second, 0), second.is_at_most(0, &first, 0)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        }
    }

    /// A node for each fork, and a leaf for each part, of the id on the way to the own one.
    fn most_words(vms: u32, _events: u64) -> usize {
        (vms as usize).saturating_mul(2).saturating_add(64)
    }

    /// An event makes a count larger by one, or fills a part up to another: none is larger than there were events.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        event_tree(stamp).is_some_and(|event| (1..=claim.total).contains(&event.largest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Nanos;

    const NOW: Moment = Moment { event: 1, elapsed: Nanos::ZERO };

    fn start(own: u32, vms: u32) -> IntervalTree {
        IntervalTree::start(&Setup { own: VmId(own), vms, skew: 0, parameters: &[] }, None)
    }

    fn tree(base: u64, left: Event, right: Event) -> Event {
        Node(base, Box::new((left, right)))
    }

    #[test]
    fn the_seed_is_forked_into_halves() {
        let numbers = |own, vms| start(own, vms).value().to_vec();
        assert_eq!(numbers(0, 1), [1, 0], "the seed, (1, 0)");
        assert_eq!((numbers(0, 2), numbers(1, 2)), (vec![2, 1, 0, 0], vec![2, 0, 1, 0]));
        assert_eq!(
            [0, 1, 2].map(|own| numbers(own, 3)),
            [vec![2, 2, 1, 0, 0, 0], vec![2, 2, 0, 1, 0, 0], vec![2, 0, 1, 0]]
        );
    }

    /// As in the paper's figure of a run: counts are higher where those were that made them.
    #[test]
    fn events_count_in_the_own_part() {
        let (mut a, mut b, mut c) = (start(0, 3), start(1, 3), start(2, 3));
        a.advance(Occurrence::Send, NOW);
        assert_eq!(a.event, tree(0, tree(0, Leaf(1), Leaf(0)), Leaf(0)));
        c.advance(Occurrence::Internal, NOW);
        assert_eq!(c.event, tree(0, Leaf(0), Leaf(1)));
        assert_eq!(IntervalTree::compare(a.value(), c.value()), None);
        let mut stamp = Vec::new();
        a.stamp_for(VmId(1), &mut stamp);
        assert_eq!(stamp, [1, 1, 2, 0, 0]);
        assert_eq!(IntervalTree::stamp_of(a.value())[..], stamp);
        b.receive(VmId(0), &stamp, NOW);
        assert_eq!(b.event, tree(0, Leaf(1), Leaf(0)), "both quarters are at 1: fill makes one of them");
        assert_eq!(IntervalTree::compare(a.value(), b.value()), Some(Ordering::Less));
        stamp.clear();
        b.stamp_for(VmId(2), &mut stamp);
        c.receive(VmId(1), &stamp, NOW);
        assert_eq!(c.event, tree(1, Leaf(0), Leaf(1)), "1 everywhere, joined, and an event more");
    }

    /// Values of the paper's section 5.2 and 5.3: norm, join and fill.
    #[test]
    fn trees_are_kept_normal() {
        assert_eq!(node(2, Leaf(1), Leaf(1)), Leaf(3));
        assert_eq!(
            node(2, node(2, Leaf(1), Leaf(0)), Leaf(3)),
            tree(4, tree(0, Leaf(1), Leaf(0)), Leaf(1)),
            "norm((2, (2, 1, 0), 3)) = (4, (0, 1, 0), 1)"
        );
        let joined = tree(1, Leaf(2), tree(0, Leaf(1), Leaf(0))).join(tree(2, Leaf(0), Leaf(3)));
        assert_eq!(joined, tree(3, Leaf(0), Leaf(2)));
        let id = Id::halves(Id::All, Id::halves(Id::All, Id::None));
        let event = tree(1, tree(0, Leaf(1), Leaf(0)), tree(0, Leaf(1), Leaf(0)));
        assert_eq!(event.fill(&id), tree(1, Leaf(1), tree(0, Leaf(1), Leaf(0))));
    }

    #[test]
    fn growth_takes_few_nodes_before_a_low_place() {
        let id = Id::halves(Id::halves(Id::All, Id::None), Id::halves(Id::None, Id::All));
        let event = tree(0, tree(0, Leaf(3), Leaf(0)), Leaf(1));
        let (grown, cost) = event.grown(&id).unwrap();
        assert_eq!((grown, cost), (tree(0, tree(0, Leaf(4), Leaf(0)), Leaf(1)), (0, 2)));
    }

    #[test]
    fn deep_trees_are_not_read() {
        let deep: Vec<u64> = [1].repeat(100_000);
        assert!(event_tree(&deep).is_none() && Id::read(&mut &[2].repeat(100_000)[..], 0).is_none());
        assert!(event_tree(&[2, 0]).is_none(), "what stands behind it is none of it");
    }
}
