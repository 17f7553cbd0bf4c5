//! Laws of every clock of the registry, on random executions: its promise, and going on as if nothing had been.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

/// What a machine does in an execution: the machine, whether it would rather send than receive, how much later than
/// the step before, and to whom it sends.
type Action = (u32, bool, u64, u8);

/// An event of an execution: what the clock says of it, and which events happened before it or are it, by number.
struct Event {
    value: Vec<u64>,
    past: BTreeSet<usize>,
}

/// A message on its way.
struct Sent {
    sender: VmId,
    stamp: Vec<u64>,
    past: BTreeSet<usize>,
}

/// One machine of an execution.
struct Machine {
    clock: AnyClock,
    setup: Setup<'static>,
    events: u64,
    past: BTreeSet<usize>,
    inbox: VecDeque<Sent>,
}

const SKEW: i64 = 30;

/// Runs machines with a clock. Where it `restarts`, every machine loses its clock after each event, and goes on from
/// the value alone.
fn execute(spec: ClockSpec, vms: u32, actions: &[Action], restarts: bool) -> Vec<Event> {
    let machine = |own: u32| {
        let skew = i64::from(own) * SKEW % 50 - 20;
        let setup = Setup { own: VmId(own), vms, skew, parameters: &[] };
        let clock = spec.start(&setup, None);
        Machine { clock, setup, events: 0, past: BTreeSet::new(), inbox: VecDeque::new() }
    };
    let mut machines: Vec<Machine> = (0..vms).map(machine).collect();
    let (mut events, mut elapsed): (Vec<Event>, _) = (Vec::new(), Nanos::ZERO);
    for &(own, prefers_to_send, gap, recipients) in actions {
        let own = (own % vms) as usize;
        elapsed = elapsed.plus(Nanos::new(gap));
        let machine = &mut machines[own];
        machine.events += 1;
        let now = Moment { event: machine.events, elapsed };
        let received = if prefers_to_send { None } else { machine.inbox.pop_front() };
        let others = (0..machine.setup.vms).filter(|vm| recipients >> vm & 1 == 1 && *vm as usize != own);
        let to: Vec<VmId> = if received.is_some() { vec![] } else { others.map(VmId).collect() };
        match &received {
            Some(message) => machine.clock.receive(message.sender, &message.stamp, now),
            None if to.is_empty() => machine.clock.advance(Occurrence::Internal, now),
            None => machine.clock.advance(Occurrence::Send, now),
        }
        machine.past.extend(received.into_iter().flat_map(|message| message.past));
        machine.past.insert(events.len());
        let (value, past) = (machine.clock.value().to_vec(), machine.past.clone());
        let sent: Vec<(VmId, Sent)> = to
            .into_iter()
            .map(|to| {
                let mut stamp = spec_stamp(spec, &value);
                if spec.is_for_recipient && !restarts {
                    stamp.clear();
                    machine.clock.stamp_for(to, &mut stamp);
                }
                (to, Sent { sender: machine.setup.own, stamp, past: past.clone() })
            })
            .collect();
        if restarts {
            machine.clock = spec.start(&machine.setup, Some(&value));
        }
        sent.into_iter().for_each(|(to, message)| machines[to.index()].inbox.push_back(message));
        events.push(Event { value, past });
    }
    events
}

fn spec_stamp(spec: ClockSpec, value: &[u64]) -> Vec<u64> {
    (spec.stamp_of)(value).into_owned()
}

fn specs() -> impl Iterator<Item = ClockSpec> {
    kinds().iter().map(ClockSpec::with_defaults)
}

/// How two events are ordered in truth.
fn truth(events: &[Event], first: usize, second: usize) -> Truth {
    match (events[second].past.contains(&first), events[first].past.contains(&second)) {
        (true, _) => Some(Ordering::Less),
        (_, true) => Some(Ordering::Greater),
        _ => None,
    }
}

fn executions() -> impl Strategy<Value = (u32, Vec<Action>)> {
    let actions = proptest::collection::vec((0u32..5, any::<bool>(), 0u64..25, any::<u8>()), 0..40);
    (1u32..6, actions)
}

proptest! {
    #[test]
    fn every_clock_keeps_its_promise((vms, actions) in executions()) {
        for spec in specs() {
            let events = execute(spec, vms, &actions, false);
            for (first, second) in (0..events.len()).flat_map(|a| (0..events.len()).map(move |b| (a, b))) {
                if first == second {
                    continue;
                }
                let by_clock = (spec.compare)(&events[first].value, &events[second].value);
                let truth = truth(&events, first, second);
                prop_assert!(
                    spec.promise.allows(truth, by_clock),
                    "{spec} promises {}: {:?} and {:?} are {truth:?} and it says {by_clock:?}",
                    spec.promise, events[first].value, events[second].value
                );
            }
        }
    }

    #[test]
    fn every_clock_goes_on_from_its_value_as_if_nothing_had_been((vms, actions) in executions()) {
        for spec in specs() {
            let values = |restarts| execute(spec, vms, &actions, restarts).into_iter().map(|event| event.value);
            prop_assert!(values(false).eq(values(true)), "{spec}");
        }
    }

    #[test]
    fn every_value_is_of_the_described_length_and_some_machine_may_send_it((vms, actions) in executions()) {
        for spec in specs() {
            for event in execute(spec, vms, &actions, false) {
                prop_assert!(spec.words(vms).is_none_or(|words| words == event.value.len()), "{spec}");
                prop_assert!(!event.value.is_empty(), "{spec}: nothing would stand in its cells");
                if let Some(vms) = spec.length.machines(event.value.len()) {
                    prop_assert_eq!(spec.words(vms), Some(event.value.len()));
                }
            }
        }
    }

    /// As different clocks see one execution: R entries are a vector where there are as many as machines, and a counter
    /// where there is one; what promises the vector's order has it at every pair; a matrix has the vector in its own row.
    #[test]
    fn clocks_that_are_said_to_be_alike_are((vms, actions) in executions()) {
        let run = |clock: &str| execute(clock.parse().unwrap(), vms, &actions, false);
        let values = |clock: &str| run(clock).into_iter().map(|event| event.value);
        let vectors: Vec<Vec<u64>> = values("vector").collect();
        let as_many_as_machines = format!("rev:{vms}");
        prop_assert!(values(&as_many_as_machines).eq(vectors.iter().cloned()));
        prop_assert!(values("rev:1").eq(values("lamport")));
        prop_assert!(values("differential").eq(vectors.iter().cloned()));
        for (event, matrix) in values("matrix").enumerate() {
            let mut rows = matrix.chunks(vms as usize);
            prop_assert!(rows.any(|row| row == vectors[event]), "{:?} has no row {:?}", matrix, vectors[event]);
        }
        let order = |clock: &str, values: &[Vec<u64>], first: usize, second: usize| {
            (clock.parse::<ClockSpec>().unwrap().compare)(&values[first], &values[second])
        };
        // No execution here lasts as long as the largest E of a hybrid vector.
        for clock in ["matrix", "differential", "tree", "itc", "prime", "hvc:315360000000"] {
            let others: Vec<Vec<u64>> = values(clock).collect();
            for (first, second) in (0..vectors.len()).flat_map(|a| (0..vectors.len()).map(move |b| (a, b))) {
                prop_assert_eq!(
                    order(clock, &others, first, second), order("vector", &vectors, first, second),
                    "{}: {:?} and {:?}", clock, &others[first], &others[second]
                );
            }
        }
    }

    /// A tree is the vector, with what was told by whom, and a prime clock's number is made of it.
    #[test]
    fn trees_and_numbers_are_the_vector((vms, actions) in executions()) {
        let run = |clock: &str| execute(clock.parse().unwrap(), vms, &actions, false);
        for ((vector, tree), number) in run("vector").iter().zip(run("tree")).zip(run("prime")) {
            let mut entries = vec![0; vms as usize];
            tree.value.chunks_exact(4).for_each(|node| entries[usize::try_from(node[0]).unwrap()] = node[1]);
            prop_assert_eq!(&vector.value, &entries);
            let mut product = vec![1];
            for (prime, entry) in [2, 3, 5, 7, 11].iter().zip(&vector.value) {
                (0..*entry).for_each(|_| natural::multiply_add(&mut product, *prime, 0));
            }
            prop_assert_eq!(number.value, product);
        }
    }

    /// The variants of clocks keep their promise as those do that are there without parameters.
    #[test]
    fn every_variant_keeps_its_promise((vms, actions) in executions()) {
        // Up to ten milliseconds between events.
        let slow: Vec<Action> = actions.iter().map(|&(vm, sends, gap, to)| (vm, sends, gap * 400_000, to)).collect();
        for clock in ["rev:1", "rev:2", "rev:3", "bloom:1/1", "bloom:4/2", "bloom:30/2", "hvc:1", "hvc:5"] {
            let spec: ClockSpec = clock.parse().unwrap();
            let events = execute(spec, vms, &slow, false);
            for (first, second) in (0..events.len()).flat_map(|a| (0..events.len()).map(move |b| (a, b))) {
                let by_clock = (spec.compare)(&events[first].value, &events[second].value);
                let truth = if first == second { continue } else { truth(&events, first, second) };
                prop_assert!(
                    spec.promise.allows(truth, by_clock),
                    "{}: {:?} and {:?} are {:?} and it says {:?}", spec, events[first].value, events[second].value, truth, by_clock
                );
            }
            let again = execute(spec, vms, &slow, true);
            prop_assert!(events.iter().zip(&again).all(|(one, other)| one.value == other.value), "{}", spec);
        }
    }

    /// What comes from files and from other processes may be anything.
    #[test]
    fn no_value_and_no_stamp_harms_a_clock(
        last in proptest::collection::vec(any::<u64>(), 0..12), stamp in proptest::collection::vec(any::<u64>(), 0..12),
        (own, sender, vms) in (0u32..6, 0u32..6, 0u32..6),
    ) {
        let (total, event) = (9, 3);
        for spec in specs() {
            let setup = Setup { own: VmId(own), vms, skew: -5, parameters: &[] };
            let mut clock = spec.start(&setup, Some(&last));
            let now = Moment { event: 1, elapsed: Nanos::new(3) };
            clock.receive(VmId(sender), &stamp, now);
            clock.advance(Occurrence::Send, now);
            clock.stamp_for(VmId(sender), &mut Vec::new());
            let _ = (spec.compare)(clock.value(), &stamp);
            let _ = ((spec.physical_by)(&stamp), (spec.stamp_of)(&stamp));
            let _ = (spec.allows)(&stamp, &Claim { sender: VmId(sender), event, total });
        }
    }

    #[test]
    fn a_stamp_says_of_each_clock_what_it_was_given(values in proptest::collection::vec(any::<u32>(), 0..9), vms in 1u32..5) {
        let list = ClockList::new(specs());
        let value = |spec: &ClockSpec| -> Vec<u64> {
            let words = spec.words(vms).unwrap_or(values.len());
            (0..words).map(|word| values.get(word).copied().unwrap_or(7).into()).collect()
        };
        let values: Vec<Vec<u64>> = list.iter().map(value).collect();
        let layout = StampLayout::of(&list);
        let stamp = Stamp::new(1, layout, values.iter().map(Vec::as_slice));
        let parts: Vec<&[u64]> = stamp.parts(layout).map(Option::unwrap_or_default).collect();
        prop_assert_eq!(parts, values);
        prop_assert!(Stamp::lamport_only(1).parts(layout).all(|part| part.is_none()));
    }
}

#[test]
fn every_clock_is_described_and_has_a_name_of_its_own() {
    for (index, kind) in kinds().iter().enumerate() {
        assert_eq!(kind.place(), index, "{}", kind.name);
        for text in [kind.name, kind.title, kind.rule, kind.source] {
            assert!(!text.is_empty(), "{}", kind.name);
        }
        assert!(kind.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", kind.name);
        assert_eq!(kind.columns.first(), Some(&""), "{}: its first column is called as it is", kind.name);
        let is_one_cell = kind.form != Form::Numbers;
        assert!(!is_one_cell || kind.columns.len() == 1, "{}", kind.name);
        assert!(is_one_cell || kind.length == Length::Words(kind.columns.len()), "{}", kind.name);
        assert!(kind.wire == Wire::Whole || kind.length.grows(), "{}", kind.name);
    }
    let standard: Vec<&str> = kinds().iter().filter(|kind| kind.is_standard).map(|kind| kind.name).collect();
    assert_eq!(standard, ["vector", "hlc"], "what a log has in any case");
}

/// With many machines, what they keep has to fit a processor's cache: two clocks stand beside each other in it.
#[test]
fn a_machines_clocks_are_small() {
    assert!(size_of::<AnyClock>() <= 32, "{}", size_of::<AnyClock>());
    assert_eq!(size_of::<Stamp>(), 32);
    assert_eq!(size_of::<Clocks>(), 16);
}
