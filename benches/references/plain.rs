//! The plainest fast loop: an array of machines, a calendar of millisecond slots and a queue each; the
//! same workload, rates and phases as clocklab's, and nothing of its model beside.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use clocklab::model::scenario::Scenario;
use clocklab::model::seed::{Purpose, Stream};

/// A machine of the plain loop.
struct Machine {
    lamport: u64,
    due_ns: u64,
    period_ns: u64,
    draws: Stream,
    queue: VecDeque<(u64, u64)>,
}

/// Seconds that the plain loop takes.
pub fn seconds(scenario: &Scenario) -> f64 {
    let sides = u64::from(scenario.sides());
    let vms = scenario.vms();
    let begun = Instant::now();
    let mut machines: Vec<Machine> = scenario
        .ids()
        .map(|vm| Machine {
            lamport: 0,
            due_ns: scenario.schedule(vm).phase().get(),
            period_ns: scenario.schedule(vm).rate().period().get(),
            draws: scenario.seed().stream(vm, Purpose::Workload),
            queue: VecDeque::new(),
        })
        .collect();
    let mut slots: Vec<Vec<u32>> = vec![Vec::new(); 1024];
    for (index, machine) in machines.iter().enumerate() {
        slots[(machine.due_ns / 1_000_000) as usize % 1024].push(index as u32);
    }
    let mut due = Vec::new();
    for now in 0..scenario.duration().get() / 1_000_000 {
        due.clear();
        std::mem::swap(&mut due, &mut slots[now as usize % 1024]);
        for &index in &due {
            let machine = &mut machines[index as usize];
            machine.due_ns += machine.period_ns;
            slots[(machine.due_ns / 1_000_000) as usize % 1024].push(index);
            if machine.queue.front().is_some_and(|(arrives, _)| *arrives <= now)
                && let Some((_, stamp)) = machine.queue.pop_front()
            {
                machine.lamport = machine.lamport.max(stamp) + 1;
                continue;
            }
            machine.lamport += 1;
            let (roll, stamp) = (1 + machine.draws.below(sides), machine.lamport);
            if roll > 3 || vms < 2 {
                continue;
            }
            let others = u64::from(vms) - 1;
            for _ in 0..if roll == 3 { 2 } else { 1 } {
                let ahead = 1 + machines[index as usize].draws.below(others);
                let to = (u64::from(index) + ahead) % u64::from(vms);
                machines[to as usize].queue.push_back((now + 1, stamp));
            }
        }
    }
    black_box(machines.iter().map(|machine| machine.lamport).sum::<u64>());
    begun.elapsed().as_secs_f64()
}
