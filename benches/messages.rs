//! Messages through VM actors on one arbiter, against bare actix `do_send` of the same payload.
//!
//! One machine sends to nineteen others at every tick; each of them receives at every tick. All ticks
//! are overdue, so the machines work as fast as they can. A message's way is: `do_send`, the
//! mailbox, `deliver` into the inbox, and the tick that receives it with its clocks; its share of
//! the send's tick is a nineteenth. The reference has as many actors, one of which sends the same
//! messages in the same bursts, and the others count them. Nothing is logged.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(clippy::cast_precision_loss, reason = "times for people to read")]

mod common;

use std::time::Instant;

use actix::{Actor, Addr, Arbiter, AsyncContext, Context, Handler, System};
use clocklab::drivers::live::conduct;
use clocklab::edge::control::{Stop, Unwatched};
use clocklab::edge::driver::Plan;
use clocklab::edge::log::Layout;
use clocklab::model::event::Envelope;
use clocklab::model::id::VmId;
use clocklab::model::scenario::{Scenario, Settings};
use clocklab::model::seed::{Seed, Stream};
use clocklab::workload::{Action, Tick, Workload};
use tokio::sync::mpsc;

const RECEIVERS: u32 = 19;
const SENDS: u64 = 60_000;
const ROUNDS: usize = 9;
/// Sends that the reference makes before others get their turn, as the machines' tickers do.
const BURST: u64 = 32;

/// Machine 0 sends to all others at every tick; the others receive what there is.
#[derive(Debug)]
struct Broadcast(VmId);

impl Workload for Broadcast {
    fn choose(&mut self, tick: &Tick<'_>, _: &mut Stream, to: &mut Vec<VmId>) -> Action {
        match self.0 {
            VmId(0) => {
                to.extend((1..=RECEIVERS).map(VmId));
                Action::Send { payload: None }
            }
            _ if tick.waiting > 0 => Action::Receive,
            _ => Action::Internal,
        }
    }
}

fn scenario(clocks: &str) -> Scenario {
    let text =
        format!("vms = {}\nrates = 1000000\nduration = \"{SENDS}us\"\nclocks = \"{clocks}\"", RECEIVERS + 1);
    let settings: Settings = toml::from_str(&text).expect("sound settings");
    Scenario::new(&settings, Seed(1)).expect("a sound scenario")
}

/// Nanoseconds a message through VM actors.
fn machines(scenario: &Scenario) -> f64 {
    let plan = Plan { threads: 1, layout: Layout::Nowhere, folder: "unused".into() };
    let (_stopper, stop) = Stop::new();
    let outcome = System::new().block_on(conduct(
        vec![Arbiter::current()],
        scenario,
        &plan,
        None,
        Broadcast,
        stop,
        &mut Unwatched,
    ));
    let received: u64 = outcome.accounts.iter().map(|account| account.tally.receives).sum();
    assert!(received > SENDS * u64::from(RECEIVERS) * 9 / 10, "most ticks receive: {received}");
    outcome.elapsed.get() as f64 / received as f64
}

#[derive(actix::Message)]
#[rtype(result = "()")]
struct Payload(Envelope);

struct Counter {
    left: u64,
    done: mpsc::UnboundedSender<()>,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Payload> for Counter {
    type Result = ();

    fn handle(&mut self, Payload(message): Payload, _: &mut Self::Context) {
        std::hint::black_box(&message);
        self.left -= 1;
        if self.left == 0 {
            let _ = self.done.send(());
        }
    }
}

struct Sender {
    counters: Vec<Addr<Counter>>,
    message: Envelope,
    left: u64,
}

impl Actor for Sender {
    type Context = Context<Self>;
}

#[derive(actix::Message)]
#[rtype(result = "()")]
struct Go;

impl Handler<Go> for Sender {
    type Result = ();

    fn handle(&mut self, _: Go, context: &mut Self::Context) {
        for _ in 0..BURST.min(self.left) {
            self.left -= 1;
            for counter in &self.counters {
                counter.do_send(Payload(self.message.clone()));
            }
        }
        if self.left > 0 {
            context.address().do_send(Go);
        }
    }
}

/// A message such as the machines of the scenario send.
fn message(scenario: &Scenario) -> Envelope {
    let mut outbox = clocklab::model::event::Outbox::default();
    let mut machine = scenario.machine(VmId(0), Broadcast(VmId(0)));
    machine.tick(clocklab::model::time::Nanos::ZERO, &mut clocklab::model::vm::Store::default(), &mut outbox);
    outbox.drain().next().expect("machine 0 sends at every tick")
}

/// Nanoseconds a message through bare actors.
fn bare(message: &Envelope) -> f64 {
    System::new().block_on(async {
        let (done, mut finished) = mpsc::unbounded_channel();
        let counters = (0..RECEIVERS).map(|_| Counter { left: SENDS, done: done.clone() }.start()).collect();
        let sender = Sender { counters, message: message.clone(), left: SENDS }.start();
        let begun = Instant::now();
        sender.do_send(Go);
        for _ in 0..RECEIVERS {
            finished.recv().await;
        }
        begun.elapsed().as_nanos() as f64 / (SENDS * u64::from(RECEIVERS)) as f64
    })
}

fn main() {
    for clocks in ["lamport", "lamport,hlc", "lamport,vector,hlc"] {
        let scenario = scenario(clocks);
        let message = message(&scenario);
        let name = format!("a message received, clocks {clocks}, against bare do_send");
        common::compare(&name, ROUNDS, || bare(&message), || machines(&scenario));
    }
}
