//! The exercise on nexosim, a general simulator of discrete events. Each machine is a model with a
//! periodic event; a message is a call of its recipient's input, which queues it until it has arrived.
//! Ports are connected one by one, so a machine has a few peers, drawn once, instead of all others.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clocklab::model::scenario::Scenario;
use clocklab::model::seed::Purpose;
use clocklab::model::time::Nanos;
use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::Output;
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

/// Machines that each machine may send to.
const PEERS: u64 = 4;
/// How long a message travels, in nanoseconds.
const LATENCY: u64 = 1_000_000;

#[derive(Serialize, Deserialize)]
struct Machine {
    peers: Vec<Output<(u64, u64)>>,
    phase: u64,
    period: u64,
    due: u64,
    lamport: u64,
    sides: u64,
    draws: u64,
    queue: VecDeque<(u64, u64)>,
}

#[Model]
impl Machine {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        let (phase, period) = (Duration::from_nanos(self.phase), Duration::from_nanos(self.period));
        cx.schedule_periodic_event(phase, period, schedulable!(Self::tick), ())
            .expect("the phase is not zero");
    }

    #[nexosim(schedulable)]
    async fn tick(&mut self) {
        let now = self.due;
        self.due += self.period;
        if self.queue.front().is_some_and(|(arrives, _)| *arrives <= now)
            && let Some((_, stamp)) = self.queue.pop_front()
        {
            self.lamport = self.lamport.max(stamp) + 1;
            return;
        }
        self.lamport += 1;
        let roll = 1 + self.draw(self.sides);
        let sends = if roll == 3 { 2 } else { u64::from(roll < 3) };
        for _ in 0..sends {
            let peer = self.draw(PEERS) as usize;
            self.peers[peer].send((now + LATENCY, self.lamport)).await;
        }
    }

    async fn deliver(&mut self, message: (u64, u64)) {
        self.queue.push_back(message);
    }

    /// A number below `bound`, by xorshift.
    fn draw(&mut self, bound: u64) -> u64 {
        self.draws ^= self.draws << 13;
        self.draws ^= self.draws >> 7;
        self.draws ^= self.draws << 17;
        ((u128::from(self.draws) * u128::from(bound)) >> 64) as u64
    }
}

/// Nanoseconds a tick on one thread, between the scenario's seconds and twice as many.
pub fn tick(scenario: &Scenario) -> f64 {
    let seconds = scenario.duration().get() / 1_000_000_000;
    let mailboxes: Vec<Mailbox<Machine>> = scenario.ids().map(|_| Mailbox::new()).collect();
    let vms = u64::from(scenario.vms());
    let machines: Vec<Machine> = scenario
        .ids()
        .map(|vm| {
            let mut draws = scenario.seed().stream(vm, Purpose::Network);
            let mut peer = || {
                let mut output = Output::default();
                let other = (u64::from(vm.0) + 1 + draws.below(vms - 1)) % vms;
                output.connect(Machine::deliver, &mailboxes[other as usize]);
                output
            };
            let peers = (0..PEERS).map(|_| peer()).collect();
            let schedule = scenario.schedule(vm);
            let phase = schedule.phase().get();
            Machine {
                peers,
                phase,
                period: schedule.rate().period().get(),
                due: phase,
                lamport: 0,
                sides: u64::from(scenario.sides()),
                draws: draws.bits() | 1,
                queue: VecDeque::new(),
            }
        })
        .collect();
    let mut bench = SimInit::with_num_threads(1);
    for (machine, mailbox) in machines.into_iter().zip(mailboxes) {
        bench = bench.add_model(machine, mailbox, "machine");
    }
    let mut simulation = bench.init(MonotonicTime::EPOCH).expect("sound models");
    let at = |seconds: u64| MonotonicTime::EPOCH + Duration::from_secs(seconds);
    simulation.step_until(at(seconds)).expect("a sound simulation");
    let begun = Instant::now();
    simulation.step_until(at(2 * seconds)).expect("a sound simulation");
    let ticks: u64 =
        scenario.ids().map(|vm| scenario.schedule(vm).ticks_until(Nanos::from_secs(seconds))).sum();
    begun.elapsed().as_nanos() as f64 / ticks as f64
}
