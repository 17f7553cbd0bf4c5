//! The bridge between two processes over loopback, against what else could carry messages between them.
//!
//! The bench starts itself again as the other process. At both ends a real bridge runs on an arbiter of its own,
//! without machines: the sender puts messages into the bridge's queue as machines do, and the other end counts
//! them and looks at their order. A sender that is no machine can wait, and waits for the other end's reports,
//! so that nothing is dropped. Two kinds of transport are measured in turn, and compared pair by pair.
//!
//! With `--features zeromq` ZeroMQ is among them, with messages of the size that ours have on the wire.
//! `CLOCKLAB_BENCH_ONLY=<word>` measures only what has that word in its name.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(clippy::cast_precision_loss, reason = "figures for people to read")]

mod common;
#[path = "common/crossing.rs"]
mod crossing;
#[path = "common/peer.rs"]
mod peer;
#[path = "references/tcp.rs"]
mod tcp;
#[cfg(feature = "zeromq")]
#[path = "references/zeromq.rs"]
mod zeromq;

use std::time::Duration;

use clocklab::clock::Stamp;
use clocklab::edge::nodes;
use clocklab::model::event::{Envelope, Message, MessageId, Outbox};
use clocklab::model::id::VmId;
use clocklab::model::scenario::{Scenario, Settings};
use clocklab::model::seed::Seed;
use clocklab::model::time::{Nanos, Ticks};
use clocklab::model::vm::{Store, Vm};
use clocklab::workload::ScaleModel;
use common::median;
use crossing::Crossing;
use peer::Peer;

const ROUNDS: usize = 9;
/// Messages a round; a whole number of reports.
const MESSAGES: u64 = 2_000_000;
/// Records a round of bare TCP, which is that much faster.
const RECORDS: u64 = 10_000_000;
const VMS: u32 = 1_000;
const TRIPS: usize = 2_000;
/// Messages with vectors.
const STAMPED: u64 = 20_000;

/// A message of a run whose machines keep Lamport clocks alone.
fn lamport_only(event: u64) -> Message {
    let machine = |number: u64| VmId(u32::try_from(number).unwrap_or(0));
    let half = u64::from(VMS / 2);
    let id = MessageId { sender: machine(event % half), event };
    let (to, arrives) = (machine(half + event * 7 % half), Nanos::new(event * 1000));
    Message { id, to, arrives, stamp: Stamp::lamport_only(event + 7), payload: None }
}

/// Bytes that a message takes on the wire when many leave together.
fn bytes_a_message() -> usize {
    let mut crossing = Crossing::start(VMS, false);
    crossing.stream(MESSAGES, lamport_only);
    let traffic = crossing.end();
    let bytes = traffic.bytes_sent as f64 / traffic.messages_sent as f64;
    println!(
        "a message with a Lamport clock: {bytes:.1} bytes on the wire, {:.0} messages a frame",
        traffic.messages_sent as f64 / traffic.frames_sent as f64
    );
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let bytes = bytes.ceil() as usize;
    bytes
}

fn throughput() {
    let bytes = bytes_a_message();
    let mut plain = Crossing::start(VMS, false);
    #[cfg(feature = "zeromq")]
    for queue in [None, Some(100_000)] {
        let mut zeromq = zeromq::Push::start(bytes, queue);
        let name = format!("messages one way, against ZeroMQ with {bytes} bytes, queue {queue:?}");
        compare(&name, || zeromq.stream(MESSAGES), || plain.stream(MESSAGES, lamport_only));
    }
    if cfg!(not(feature = "zeromq")) {
        println!("ZeroMQ with {bytes} bytes: not measured without --features zeromq");
    }
    let mut bare = tcp::Batched::start();
    let name = "messages one way, against batches of 24 bytes each over bare TCP";
    compare(name, || bare.stream(RECORDS), || plain.stream(MESSAGES, lamport_only));
    plain.end();
}

fn secret() {
    let (mut plain, mut secret) = (Crossing::start(VMS, false), Crossing::start(VMS, true));
    let ours = || secret.stream(MESSAGES, lamport_only);
    compare(
        "messages one way with a cluster key, against none",
        || plain.stream(MESSAGES, lamport_only),
        ours,
    );
    plain.end();
    secret.end();
}

fn compare(name: &str, reference: impl FnMut() -> f64, ours: impl FnMut() -> f64) {
    common::compare(name, ROUNDS, reference, ours);
}

/// Round trips of a lone message, with both processes on one core, and with each on its own. Where the two run
/// is chance otherwise, and makes more of a difference than all that they do: a core that sleeps wakes slowly.
fn round_trips() {
    for (name, cores) in [("one core", ("0", "0")), ("two cores", ("0", "1"))] {
        let mut measuring = Peer::start_on(cores, &["trips"]);
        for _ in 0..2 {
            println!("round trip of a lone message on {name}, {}", measuring.hear());
        }
        measuring.end();
    }
}

/// Medians over the rounds, and ours divided by the reference's pair by pair.
fn make_trips() {
    let (mut bare, mut ours) = (tcp::PingPong::start(), Crossing::start(VMS, false));
    let mut found = [const { Vec::new() }; 6];
    for round in 0..=ROUNDS {
        let (mut theirs, mut mine) = (bare.rounds(TRIPS), ours.rounds(TRIPS));
        // The first round warms up.
        if round > 0 {
            let [a, b, c, d] = [
                percentile(&mut theirs, 50),
                percentile(&mut mine, 50),
                percentile(&mut theirs, 99),
                percentile(&mut mine, 99),
            ];
            found.iter_mut().zip([a, b, b / a, c, d, d / c]).for_each(|(values, value)| values.push(value));
        }
    }
    for (name, values) in ["p50", "p99"].iter().zip(found.chunks_exact(3)) {
        let (low, high) =
            values[2].iter().fold((f64::MAX, f64::MIN), |(low, high), &r| (low.min(r), high.max(r)));
        let [bare, ours, ratio] = [0, 1, 2].map(|which| median(values[which].clone()));
        peer::say(format_args!(
            "{name}: bare TCP {bare:.1} us, clocklab {ours:.1} us, {ratio:.2} times ({low:.2} to {high:.2})"
        ));
    }
    ours.end();
}

fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times[times.len() * percent / 100].as_nanos() as f64 / 1000.0
}

/// All machines of a run in this process, and those of their messages that go from one half to the other.
struct Machines {
    machines: Vec<(Vm<ScaleModel>, Ticks)>,
    store: Store,
    outbox: Outbox,
    crossing: std::collections::VecDeque<Envelope>,
}

impl Machines {
    fn new(vms: u32) -> Self {
        // Of the same rate: a machine that is much slower than others only receives before long.
        let text = format!("vms = {vms}\nrates = 6\nclocks = \"lamport,vector\"");
        let settings: Settings = toml::from_str(&text).expect("sound settings");
        let scenario = Scenario::new(&settings, Seed(1)).expect("a sound scenario");
        let machine = |vm| scenario.machine(vm, ScaleModel::new(vm, vms, 10));
        let machines = scenario.ids().map(|vm| (machine(vm), scenario.schedule(vm).ticks()));
        Self {
            machines: machines.collect(),
            store: Store::default(),
            outbox: Outbox::default(),
            crossing: std::collections::VecDeque::new(),
        }
    }

    /// The next message from a machine of the first process to one of the second.
    fn next(&mut self) -> Envelope {
        loop {
            if let Some(message) = self.crossing.pop_front() {
                return message;
            }
            let due = self.machines.iter().map(|(_, ticks)| ticks.due());
            let (next, now) = due.enumerate().min_by_key(|(_, due)| *due).expect("there are machines");
            let (machine, ticks) = &mut self.machines[next];
            ticks.advance();
            machine.tick(now, &mut self.store, &mut self.outbox);
            let vms = u32::try_from(self.machines.len()).unwrap_or(u32::MAX);
            let node = |vm: VmId| nodes::node_of(vm.0, 2, vms);
            for mut message in self.outbox.drain() {
                if (node(message.from().sender), node(message.to())) == (0, 1) {
                    self.crossing.push_back(message.clone());
                }
                self.machines[message.to().index()].0.deliver(&mut message, &mut self.store);
            }
        }
    }
}

fn vectors() {
    for vms in [3, 100, 1_000] {
        let (mut machines, mut crossing) = (Machines::new(vms), Crossing::start(vms, false));
        crossing.stream(STAMPED, |_| machines.next());
        let traffic = crossing.end();
        let (bytes, dense) = (traffic.bytes_sent as f64 / STAMPED as f64, f64::from(vms * 8));
        println!(
            "a message of {vms} machines with vector clocks: {bytes:.1} bytes on the wire; the vector alone would have {dense}, {:.1} times as many",
            dense / bytes
        );
    }
}

fn play(part: &[String]) {
    match part[0].as_str() {
        "trips" => make_trips(),
        "bridge" => crossing::count(&part[1..]),
        "tcp-count" => tcp::count(),
        "tcp-echo" => tcp::echo(),
        #[cfg(feature = "zeromq")]
        "zeromq-count" => zeromq::count(&part[1..]),
        other => panic!("no part is called {other}"),
    }
}

fn main() {
    if let Some(part) = peer::part() {
        return play(&part);
    }
    let only = std::env::var("CLOCKLAB_BENCH_ONLY").unwrap_or_default();
    let parts: [(&str, fn()); 4] =
        [("throughput", throughput), ("secret", secret), ("trips", round_trips), ("vectors", vectors)];
    parts.iter().filter(|(name, _)| name.contains(&only)).for_each(|(_, measure)| measure());
}
