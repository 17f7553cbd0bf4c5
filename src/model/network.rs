//! The network between the machines: what becomes of a message on its way to one recipient.
//!
//! Every (message, recipient) gets a fate: lost, or delivered after a delay, once or twice. The
//! draws come from the sender's own stream, so they depend on nothing but the sender's history.

mod latency;
mod partition;
mod probability;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use latency::{Latency, ParseLatencyError};
pub use partition::{ParsePartitionError, Partition};
pub use probability::{ParseProbabilityError, Probability};

use crate::model::id::VmId;
use crate::model::seed::{Share, Stream};
use crate::model::time::Nanos;

/// The rules of the network, the same for every message.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    latency: Latency,
    loss: Share,
    duplicate: Share,
    fifo: bool,
    partitions: Vec<Partition>,
}

impl Network {
    /// A network that delivers every message once after that time, in order.
    pub const fn new(latency: Latency) -> Self {
        Self { latency, loss: Share::NEVER, duplicate: Share::NEVER, fifo: true, partitions: Vec::new() }
    }

    /// Loses each message with that probability.
    #[must_use]
    pub fn losing(self, loss: Probability) -> Self {
        Self { loss: loss.share(), ..self }
    }

    /// Delivers each message twice with that probability.
    #[must_use]
    pub fn duplicating(self, duplicate: Probability) -> Self {
        Self { duplicate: duplicate.share(), ..self }
    }

    /// Lets messages from one machine to another overtake each other, or not.
    #[must_use]
    pub fn fifo(self, fifo: bool) -> Self {
        Self { fifo, ..self }
    }

    /// Loses every message that crosses one of these partitions.
    #[must_use]
    pub fn partitioned(self, partitions: Vec<Partition>) -> Self {
        Self { partitions, ..self }
    }

    /// Whether a later message could be drawn an earlier arrival.
    fn can_reorder(&self) -> bool {
        !matches!(self.latency, Latency::Fixed(_))
    }

    /// The latency, where every message arrives once and after a time that is not drawn.
    fn plain_latency(&self) -> Option<Nanos> {
        let faultless = self.loss.is_never() && self.duplicate.is_never() && self.partitions.is_empty();
        match self.latency {
            Latency::Fixed(latency) if faultless => Some(latency),
            _ => None,
        }
    }

    fn separates(&self, from: VmId, to: VmId, at: Nanos) -> bool {
        self.partitions.iter().any(|partition| partition.separates(from, to, at))
    }
}

/// What becomes of a message on its way to one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Loss or a partition takes it, and the sender does not learn of it.
    Lost,
    /// The recipient gets it, once or twice.
    Delivered {
        /// When it reaches the recipient's inbox.
        arrives: Nanos,
        /// When it arrives a second time, where the network duplicates it.
        again: Option<Nanos>,
    },
}

/// One machine's way into the network.
#[derive(Clone, Debug)]
pub struct Uplink(Way);

/// Most networks are plain, and then a machine needs nothing but the latency.
#[derive(Clone, Debug)]
enum Way {
    Plain(Nanos),
    Drawn(Box<Queue>),
}

/// A way into a network that draws fates: the machine's stream of them, what keeps its messages in
/// order, and what became of them.
#[derive(Clone, Debug)]
struct Queue {
    network: Arc<Network>,
    stream: Stream,
    /// The latest arrival at each recipient so far, where the network could reorder and must not.
    latest: BTreeMap<VmId, Nanos>,
    lost: u64,
    duplicated: u64,
}

impl Uplink {
    /// The way into that network of one machine, drawing from its stream.
    pub fn new(network: &Arc<Network>, stream: Stream) -> Self {
        let line = || Queue {
            network: Arc::clone(network),
            stream,
            latest: BTreeMap::new(),
            lost: 0,
            duplicated: 0,
        };
        Self(network.plain_latency().map_or_else(|| Way::Drawn(Box::new(line())), Way::Plain))
    }

    /// Decides the fate of a message sent at `now` to one recipient.
    #[inline]
    pub fn fate(&mut self, from: VmId, to: VmId, now: Nanos) -> Fate {
        match &mut self.0 {
            Way::Plain(latency) => Fate::Delivered { arrives: now.plus(*latency), again: None },
            Way::Drawn(line) => line.fate(from, to, now),
        }
    }

    /// When a call made at `now` arrives, where it does. It is lost, delayed and kept in order like a
    /// message, and is none: it is not duplicated, and counts among no faults.
    pub fn arrival_of_call(&mut self, from: VmId, to: VmId, now: Nanos) -> Option<Nanos> {
        match &mut self.0 {
            Way::Plain(latency) => Some(now.plus(*latency)),
            Way::Drawn(line) => (!line.loses(from, to, now)).then(|| line.arrival(to, now)),
        }
    }

    /// The same going on after so many messages were lost, and so many delivered twice.
    #[must_use]
    pub fn after(mut self, lost: u64, duplicated: u64) -> Self {
        if let Way::Drawn(line) = &mut self.0 {
            (line.lost, line.duplicated) = (lost, duplicated);
        }
        self
    }

    /// How many messages the network lost, and how many it delivers twice, so far.
    pub const fn faults(&self) -> (u64, u64) {
        match &self.0 {
            Way::Plain(_) => (0, 0),
            Way::Drawn(line) => (line.lost, line.duplicated),
        }
    }
}

impl Queue {
    fn fate(&mut self, from: VmId, to: VmId, now: Nanos) -> Fate {
        if self.loses(from, to, now) {
            self.lost += 1;
            return Fate::Lost;
        }
        // A rule that is off draws nothing: a duplication of 0 leaves all fates as they are without the setting.
        let duplicate = self.network.duplicate;
        let twice = !duplicate.is_never() && self.stream.happens(duplicate);
        self.duplicated += u64::from(twice);
        let arrives = self.arrival(to, now);
        let again = twice.then(|| self.arrival(to, now));
        debug_assert!(
            !self.network.fifo || again.is_none_or(|again| again >= arrives),
            "a copy overtakes the message that it is made of"
        );
        Fate::Delivered { arrives, again }
    }

    fn loses(&mut self, from: VmId, to: VmId, now: Nanos) -> bool {
        let loss = self.network.loss;
        let lost = !loss.is_never() && self.stream.happens(loss);
        lost || self.network.separates(from, to, now)
    }

    fn arrival(&mut self, to: VmId, now: Nanos) -> Nanos {
        let drawn = now.plus(self.network.latency.draw(&mut self.stream));
        // The lookahead of virtual time rests on this (Chandy and Misra 1979): a shard is run up to where the earliest
        // message that another one may send now could arrive.
        debug_assert!(
            drawn >= now.plus(self.network.latency.least()),
            "a message is faster than the least latency"
        );
        if !(self.network.fifo && self.network.can_reorder()) {
            return drawn;
        }
        // One that would overtake arrives together with the message before it. An inbox has messages of one time and
        // sender by the number of their send, so even then the two keep their order.
        let latest = self.latest.entry(to).or_default();
        *latest = drawn.max(*latest);
        *latest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::seed::{Purpose, Seed};

    fn uplink(network: Network, seed: u64) -> Uplink {
        Uplink::new(&Arc::new(network), Seed(seed).stream(VmId(0), Purpose::Network))
    }

    fn uniform(low: u64, high: u64) -> Latency {
        Latency::Uniform { low: Nanos::new(low), high: Nanos::new(high) }
    }

    fn probability(p: f64) -> Probability {
        Probability::new(p).unwrap()
    }

    #[test]
    fn without_faults_a_message_takes_exactly_the_latency_and_draws_nothing() {
        let mut uplink = uplink(Network::new(Latency::Fixed(Nanos::new(5))), 1);
        let fate = uplink.fate(VmId(0), VmId(1), Nanos::new(100));
        assert_eq!(fate, Fate::Delivered { arrives: Nanos::new(105), again: None });
        assert!(matches!(uplink.0, Way::Plain(_)), "it has nothing to draw from");
    }

    #[test]
    fn certain_loss_loses_and_certain_duplication_duplicates() {
        let mut lossy = uplink(Network::new(uniform(1, 9)).losing(probability(1.0)), 1);
        assert_eq!(lossy.fate(VmId(0), VmId(1), Nanos::ZERO), Fate::Lost);
        let mut doubling = uplink(Network::new(uniform(1, 9)).duplicating(probability(1.0)), 1);
        let fate = doubling.fate(VmId(0), VmId(1), Nanos::ZERO);
        assert!(matches!(fate, Fate::Delivered { again: Some(_), .. }));
        assert_eq!((lossy.faults(), doubling.faults()), ((1, 0), (0, 1)));
    }

    #[test]
    fn a_call_is_lost_delayed_and_kept_in_order_like_a_message_and_counts_as_none() {
        let mut plain = uplink(Network::new(Latency::Fixed(Nanos::new(5))), 1);
        assert_eq!(plain.arrival_of_call(VmId(0), VmId(1), Nanos::new(100)), Some(Nanos::new(105)));
        let mut lossy = uplink(Network::new(uniform(1, 9)).losing(probability(1.0)), 1);
        assert_eq!(lossy.arrival_of_call(VmId(0), VmId(1), Nanos::ZERO), None);
        let parted = Network::new(uniform(1, 9)).partitioned(vec!["1s-2s:0/1".parse().unwrap()]);
        let mut parted = uplink(parted, 1);
        assert_eq!(parted.arrival_of_call(VmId(0), VmId(1), Nanos::from_secs(1)), None);
        assert!(parted.arrival_of_call(VmId(0), VmId(1), Nanos::from_secs(2)).is_some());
        let mut doubling = uplink(Network::new(uniform(0, 50)).duplicating(probability(1.0)), 1);
        let arrivals: Vec<_> = (0..100)
            .map(|now| doubling.arrival_of_call(VmId(0), VmId(1), Nanos::new(now)).unwrap())
            .collect();
        assert!(arrivals.is_sorted() && (0..).zip(&arrivals).all(|(now, arrives)| arrives.get() >= now));
        for uplink in [lossy, parted, doubling] {
            assert_eq!(uplink.faults(), (0, 0));
        }
    }

    #[test]
    fn loss_is_as_frequent_as_asked() {
        let network = Network::new(Latency::Fixed(Nanos::ZERO)).losing(probability(0.2));
        let mut uplink = uplink(network, 3);
        let lost = (0..100_000).filter(|_| uplink.fate(VmId(0), VmId(1), Nanos::ZERO) == Fate::Lost).count();
        assert!((19_240..=20_760).contains(&lost), "six standard deviations around 20,000: {lost}");
    }

    #[test]
    fn a_partition_loses_what_crosses_it_while_it_lasts() {
        let network =
            Network::new(Latency::Fixed(Nanos::ZERO)).partitioned(vec!["1s-2s:0/1".parse().unwrap()]);
        let mut uplink = uplink(network, 1);
        let mut lost = |to, secs| uplink.fate(VmId(0), VmId(to), Nanos::from_secs(secs)) == Fate::Lost;
        assert!(lost(1, 1));
        assert!(lost(2, 1), "machines that no group names are a group of their own");
        assert!(!lost(1, 0) && !lost(1, 2), "the window begins at its start and ends before its end");
    }

    proptest! {
        #[test]
        fn messages_to_one_machine_never_overtake_unless_allowed(
            seed: u64, gaps in proptest::collection::vec((0u64..10, 0u32..3), 1..60), twice in 0.0..1.0f64,
        ) {
            let network = Network::new(uniform(0, 50)).duplicating(probability(twice));
            let mut uplink = uplink(network, seed);
            let mut now = Nanos::ZERO;
            let mut latest = BTreeMap::<u32, Nanos>::new();
            for (gap, to) in gaps {
                now = now.plus(Nanos::new(gap));
                let Fate::Delivered { arrives, again } = uplink.fate(VmId(0), VmId(to), now) else {
                    panic!("nothing is lost here");
                };
                let last = latest.entry(to).or_default();
                prop_assert!(arrives >= *last && arrives >= now);
                prop_assert!(again.is_none_or(|again| again >= arrives));
                *last = again.unwrap_or(arrives);
            }
        }

        #[test]
        fn delays_stay_within_their_bounds_where_order_is_free(seed: u64, low in 0u64..99, length in 0u64..99) {
            let network = Network::new(uniform(low, low + length)).fifo(false);
            let fate = uplink(network, seed).fate(VmId(0), VmId(1), Nanos::new(7));
            let Fate::Delivered { arrives, .. } = fate else { panic!("nothing is lost here") };
            prop_assert!((7 + low..=7 + low + length).contains(&arrives.get()));
        }
    }
}
