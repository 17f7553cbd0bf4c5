//! Laws of the machine and its clocks on random executions, against their definitions: causal
//! histories as sets, longest paths, largest physical clocks.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::clock::{ClockList, Setup, kinds};
use crate::model::network::{Latency, Network, Probability};
use crate::model::seed::{Purpose, Seed};
use crate::workload::ScaleModel;

type EventId = MessageId;

/// An event of an execution: what the machine says of it, and what is true of it by definition.
struct Judged {
    id: EventId,
    lamport: u64,
    vector: Vec<u64>,
    /// l and c.
    hybrid: [u64; 2],
    /// All events that happened before it, and itself.
    history: BTreeSet<EventId>,
    /// Events on the longest causal path that ends in it.
    longest_path: u64,
    /// The largest reading of a physical clock in its history.
    largest_physical: Nanos,
}

const LARGEST_SKEW: i64 = 40;

/// Runs machines through ticks in the order given; `steps` are (machine, time since the last step).
fn execute(seed: u64, vms: u32, faults: (f64, f64), steps: &[(u32, u64)]) -> Vec<Judged> {
    let network = Network::new(Latency::Uniform { low: Nanos::new(1), high: Nanos::new(30) })
        .losing(Probability::new(faults.0).unwrap())
        .duplicating(Probability::new(faults.1).unwrap());
    let network = Arc::new(network);
    let skews: Vec<i64> = (0..vms)
        .map(|vm| {
            let drawn = Seed(seed).stream(VmId(vm), Purpose::Skew).below(LARGEST_SKEW.unsigned_abs() * 2 + 1);
            drawn.cast_signed() - LARGEST_SKEW
        })
        .collect();
    let mut machines: Vec<_> =
        (0..vms).map(|vm| machine(Seed(seed), VmId(vm), vms, skews[vm as usize], &network)).collect();
    let mut events: BTreeMap<EventId, Judged> = BTreeMap::new();
    let mut order = Vec::new();
    let (mut store, mut outbox) = (Store::default(), Outbox::default());
    let mut now = Nanos::ZERO;
    for &(vm, gap) in steps {
        let vm = VmId(vm % vms);
        now = now.plus(Nanos::new(gap));
        let event = machines[vm.index()].tick(now, &mut store, &mut outbox);
        let record = machines[vm.index()].record(event);
        let event = judge(&record, now.shifted(skews[vm.index()]), &events);
        order.push(event.id);
        events.insert(event.id, event);
        for mut message in outbox.drain() {
            machines[message.to().index()].deliver(&mut message, &mut store);
        }
    }
    order.into_iter().map(|id| events.remove(&id).unwrap()).collect()
}

/// A vector and a hybrid clock.
fn clocks(own: VmId, vms: u32, skew: i64) -> Clocks {
    Clocks::new(&ClockList::standard(), &Setup { own, vms, skew, parameters: &[] })
}

fn machine(seed: Seed, vm: VmId, vms: u32, skew: i64, network: &Arc<Network>) -> Vm<ScaleModel> {
    let clocks = clocks(vm, vms, skew);
    let uplink = Uplink::new(network, seed.stream(vm, Purpose::Network));
    Vm::new(vm, ScaleModel::new(vm, vms, 4), seed.stream(vm, Purpose::Workload), clocks, uplink)
}

/// Sets the definitions' values beside the machine's.
fn judge(record: &Record<'_>, physical: Nanos, events: &BTreeMap<EventId, Judged>) -> Judged {
    let id = EventId { sender: record.vm, event: record.event };
    let previous = EventId { event: record.event - 1, ..id };
    let cause = match &record.kind {
        Kind::Receive(received) => Some(received.message),
        _ => None,
    };
    let causes: Vec<&Judged> =
        [Some(previous), cause].into_iter().flatten().filter_map(|id| events.get(&id)).collect();
    let mut history: BTreeSet<EventId> = causes.iter().flat_map(|event| &event.history).copied().collect();
    history.insert(id);
    Judged {
        id,
        lamport: record.clocks.lamport,
        vector: record.clocks.at(0).to_vec(),
        hybrid: record.clocks.at(1).try_into().unwrap(),
        history,
        longest_path: 1 + causes.iter().map(|event| event.longest_path).max().unwrap_or(0),
        largest_physical: causes.iter().map(|event| event.largest_physical).fold(physical, Ord::max),
    }
}

prop_compose! {
    fn executions()(
        seed: u64, vms in 1u32..6, loss in 0.0..0.5f64, duplicate in 0.0..0.5f64,
        steps in proptest::collection::vec((0u32..6, 0u64..20), 0..80),
    ) -> Vec<Judged> {
        execute(seed, vms, (loss, duplicate), &steps)
    }
}

impl std::fmt::Debug for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} L{} {:?} {:?}", self.id, self.lamport, self.vector, self.hybrid)
    }
}

proptest! {
    #[test]
    fn vector_order_is_happened_before(events in executions()) {
        let vector = kinds().iter().find(|kind| kind.name == "vector").unwrap();
        for a in &events {
            for b in &events {
                let order = (vector.compare)(&a.vector, &b.vector);
                prop_assert_eq!(order.is_some_and(Ordering::is_le), b.history.contains(&a.id), "{:?} {:?}", a, b);
            }
        }
    }

    #[test]
    fn a_vector_counts_the_events_of_each_machine_in_the_causal_past(events in executions()) {
        for event in &events {
            for (vm, &entry) in event.vector.iter().enumerate() {
                let known = event.history.iter().filter(|id| id.sender.index() == vm).count();
                prop_assert_eq!(entry, known as u64);
            }
            prop_assert_eq!(event.vector[event.id.sender.index()], event.id.event);
        }
    }

    #[test]
    fn a_lamport_clock_is_the_longest_causal_path(events in executions()) {
        for event in &events {
            prop_assert_eq!(event.lamport, event.longest_path);
        }
    }

    /// Kulkarni et al. 2014: theorems 1 (order), 2 and 3 (l is the largest pt in the causal past),
    /// corollary 1 (so it stays within the clocks' difference of pt) and theorem 4 (c is bounded).
    #[test]
    fn a_hybrid_clock_keeps_its_bounds(events in executions()) {
        for event in &events {
            prop_assert_eq!(Nanos::new(event.hybrid[0]), event.largest_physical);
            let same_l = |id: &&EventId| events.iter().any(|other| other.id == **id && other.hybrid[0] == event.hybrid[0]);
            // One more than in the paper where l is still 0: both start there, before any event.
            let started = u64::from(event.hybrid[0] == 0);
            prop_assert!(event.hybrid[1] < event.history.iter().filter(same_l).count() as u64 + started);
            for before in events.iter().filter(|other| other.id != event.id && event.history.contains(&other.id)) {
                prop_assert!(before.hybrid < event.hybrid);
            }
        }
    }
}

/// A workload that follows a script, for what the dice would rarely show, and notes who calls.
#[derive(Debug)]
struct Script(Vec<(Action, Vec<VmId>)>, Vec<Call>);

impl Workload for Script {
    fn choose(&mut self, _tick: &Tick<'_>, _stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
        let (action, recipients) = self.0.remove(0);
        to.extend(recipients);
        action
    }

    fn called(&mut self, call: &Call) {
        self.1.push(*call);
    }
}

const INTERNAL: (Action, Vec<VmId>) = (Action::Internal, Vec::new());
const RECEIVE: (Action, Vec<VmId>) = (Action::Receive, Vec::new());

fn call(to: &[u32]) -> (Action, Vec<VmId>) {
    (Action::Call, to.iter().map(|&vm| VmId(vm)).collect())
}

fn send(to: &[u32]) -> (Action, Vec<VmId>) {
    (Action::Send { payload: Some(Arc::new("123456".into())) }, to.iter().map(|&vm| VmId(vm)).collect())
}

fn scripted(vm: u32, script: Vec<(Action, Vec<VmId>)>, network: Network) -> Vm<Script> {
    let (vm, seed) = (VmId(vm), Seed(5));
    let clocks = clocks(vm, 3, 0);
    let uplink = Uplink::new(&Arc::new(network), seed.stream(vm, Purpose::Network));
    Vm::new(vm, Script(script, Vec::new()), seed.stream(vm, Purpose::Workload), clocks, uplink)
}

fn message(envelope: Envelope) -> Message {
    let Envelope::Message(message) = envelope else { panic!("{envelope:?}") };
    message
}

fn instant() -> Network {
    Network::new(Latency::Fixed(Nanos::ZERO))
}

#[test]
fn a_send_to_several_is_one_event_with_one_stamp() {
    let mut vm = scripted(0, vec![INTERNAL, send(&[1, 2])], instant());
    let (mut store, mut outbox) = (Store::default(), Outbox::default());
    vm.tick(Nanos::new(1), &mut store, &mut outbox);
    let event = vm.tick(Nanos::new(2), &mut store, &mut outbox);
    let record = vm.record(event);
    assert_eq!((record.event, record.clocks.lamport, record.clocks.at(0)), (2, 2, &[2, 0, 0][..]));
    let messages: Vec<Message> = outbox.drain().map(message).collect();
    assert_eq!(messages.iter().map(|message| message.to).collect::<Vec<_>>(), [VmId(1), VmId(2)]);
    assert!(
        messages.iter().all(|message| message.id == messages[0].id && message.stamp == messages[0].stamp)
    );
    assert_eq!((messages[0].id.to_string().as_str(), messages[0].stamp.lamport()), ("vm0-2", 2));
}

#[test]
fn a_delivery_changes_no_clock_until_a_tick_receives_it() {
    let mut sender = scripted(0, vec![INTERNAL, send(&[1])], instant());
    let mut receiver = scripted(1, vec![INTERNAL, RECEIVE, RECEIVE], instant());
    let (mut store, mut outbox) = (Store::default(), Outbox::default());
    sender.tick(Nanos::new(1), &mut store, &mut outbox);
    sender.tick(Nanos::new(2), &mut store, &mut outbox);
    outbox.drain().for_each(|mut message| receiver.deliver(&mut message, &mut store));
    assert_eq!(receiver.clocks().lamport, 0);
    let mut outbox = Outbox::default();
    let event = receiver.tick(Nanos::new(3), &mut store, &mut outbox);
    let record = receiver.record(event);
    assert_eq!((record.clocks.lamport, record.queue), (1, 1));
    let event = receiver.tick(Nanos::new(4), &mut store, &mut outbox);
    let record = receiver.record(event);
    assert_eq!((record.clocks.lamport, record.clocks.at(0), record.queue), (3, &[2, 2, 0][..], 0));
    let Kind::Receive(received) = record.kind else { panic!("{record:?}") };
    assert_eq!((received.message.to_string().as_str(), received.lamport), ("vm0-2", 2));
    assert_eq!(received.payload.as_deref().map(String::as_str), Some("123456"));
    let event = receiver.tick(Nanos::new(5), &mut store, &mut outbox);
    let record = receiver.record(event);
    assert_eq!(record.kind, Kind::Internal, "a receive with nothing to receive");
}

#[test]
fn a_call_is_an_internal_event_of_the_caller_and_none_of_the_called() {
    let mut caller = scripted(0, vec![INTERNAL, call(&[1, 2])], Network::new(Latency::Fixed(Nanos::new(5))));
    let mut called = scripted(1, vec![RECEIVE], instant());
    let (mut store, mut outbox) = (Store::default(), Outbox::default());
    caller.tick(Nanos::new(1), &mut store, &mut outbox);
    let event = caller.tick(Nanos::new(2), &mut store, &mut outbox);
    let record = caller.record(event);
    assert_eq!((record.kind, record.event, record.clocks.lamport), (Kind::Internal, 2, 2));
    let calls: Vec<Envelope> = outbox.drain().collect();
    assert_eq!(calls.iter().map(Envelope::to).collect::<Vec<_>>(), [VmId(1), VmId(2)]);
    let account = caller.account(Nanos::new(9), &mut store, Rate::new(1).unwrap(), None);
    assert_eq!((account.tally.internal(), account.tally.sends, account.tally.sent), (2, 0, 0));

    called.deliver(&mut calls.into_iter().next().unwrap(), &mut store);
    assert_eq!(called.workload.1, [Call { arrives: Nanos::new(7), caller: VmId(0), event: 2 }]);
    let event = called.tick(Nanos::new(8), &mut store, &mut outbox);
    let record = called.record(event);
    assert_eq!((record.kind, record.queue, record.clocks.lamport), (Kind::Internal, 0, 1));
    let account = called.account(Nanos::new(9), &mut store, Rate::new(1).unwrap(), None);
    assert_eq!((account.waiting, account.in_flight), (0, 0));
}

#[test]
fn faults_of_calls_are_told_nowhere() {
    for (network, arriving) in [
        (instant().losing(Probability::new(1.0).unwrap()), 0),
        (instant().duplicating(Probability::new(1.0).unwrap()), 2),
    ] {
        let mut vm = scripted(0, vec![call(&[1, 2])], network);
        let (mut store, mut outbox) = (Store::default(), Outbox::default());
        vm.tick(Nanos::new(1), &mut store, &mut outbox);
        assert_eq!(outbox.drain().count(), arriving);
        let account = vm.account(Nanos::new(1), &mut store, Rate::new(1).unwrap(), None);
        assert_eq!((account.lost, account.duplicated), (0, 0));
    }
}

/// A million machines are to fit into little memory, and many messages into the cache.
#[test]
fn calls_make_neither_messages_nor_machines_larger() {
    assert_eq!((size_of::<Message>(), size_of::<Envelope>()), (72, 80));
    assert!(size_of::<Vm<ScaleModel>>() <= 160);
}

#[test]
fn lost_and_duplicated_recipients_are_told() {
    let lossy = instant().losing(Probability::new(1.0).unwrap());
    let mut vm = scripted(0, vec![send(&[1, 2])], lossy);
    let (mut store, mut outbox) = (Store::default(), Outbox::default());
    let event = vm.tick(Nanos::new(1), &mut store, &mut outbox);
    let record = vm.record(event);
    let Kind::Send(sent) = record.kind else { panic!("{record:?}") };
    assert_eq!(
        (sent.to.as_slice(), sent.lost.as_slice()),
        (&[VmId(1), VmId(2)][..], &[VmId(1), VmId(2)][..])
    );
    assert_eq!(outbox.drain().count(), 0);

    let doubling = instant().duplicating(Probability::new(1.0).unwrap());
    let mut vm = scripted(0, vec![send(&[2])], doubling);
    let event = vm.tick(Nanos::new(1), &mut store, &mut outbox);
    let record = vm.record(event);
    let Kind::Send(sent) = record.kind else { panic!("{record:?}") };
    assert_eq!((sent.lost.as_slice(), sent.duplicated.as_slice()), (&[][..], &[VmId(2)][..]));
    assert_eq!(outbox.drain().count(), 2);
}
