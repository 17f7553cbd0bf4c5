//! What a person would want to be warned of.

use super::Context;
use super::meter::MachineMeter;
use crate::model::pace::{self, Late};
use crate::model::scenario::Scenario;

/// The most machines that are named of one sort of warning.
const MOST: usize = 5;

/// The warnings of a run.
pub(super) fn of(machines: &[MachineMeter], context: &Context<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let whole = context.whole;
    if whole.unreadable > 0 {
        warnings.push(format!(
            "{} rows cannot be read and were left out; clocklab check names them",
            whole.unreadable
        ));
    }
    let from_elsewhere: u64 = context.missing.machines().map(|(_, lack)| lack.messages).sum();
    let unknown = whole.unknown.saturating_sub(from_elsewhere);
    if unknown > 0 {
        warnings.push(format!(
            "{unknown} receives are of messages that were not on their way; clocklab check names them"
        ));
    }
    let (early, least) = whole.latency.negative();
    if early > 0 {
        let before = match early {
            1 => "1 message was received before it was sent,".to_owned(),
            early => format!("{early} messages were received before they were sent, the most"),
        };
        warnings.push(format!(
            "{before} by {:.3} ms: the clocks of their machines disagree by that at least, and latencies are wrong by as much",
            -least
        ));
    }
    if context.missing.has_gaps() {
        warnings.push(
            "sums and means are of the events that are here, and latencies of messages whose sends are; what depends \
             on the others, such as the shares of pairs, is left out"
                .into(),
        );
    }
    add(&mut warnings, machines, |machine| never_received(machine, machines.len(), context));
    add(&mut warnings, machines, |machine| grows(machine, context));
    let timed = machines.iter().filter_map(|machine| {
        let rate = context.model.schedule(machine.vm)?.rate();
        Some((context.name(machine.vm), rate, machine.lateness.as_ref()?))
    });
    let late = context.model.scenario().map_or(Late::Burst, Scenario::late);
    warnings.extend(pace::warnings(late, &whole.punctuality, timed));
    warnings
}

fn add(
    warnings: &mut Vec<String>,
    machines: &[MachineMeter],
    warn: impl Fn(&MachineMeter) -> Option<String>,
) {
    let mut all = machines.iter().filter_map(warn);
    warnings.extend(all.by_ref().take(MOST));
    let more = all.count();
    if more > 0 {
        warnings.push(format!("… and {more} more machines like that"));
    }
}

fn never_received(machine: &MachineMeter, machines: usize, context: &Context<'_>) -> Option<String> {
    let is_sent_nothing = |scenario: &Scenario| (scenario.workload().algorithm().is_sent_nothing)(machine.vm);
    let is_expected = context.model.scenario().is_some_and(is_sent_nothing);
    let warns = machine.tally.receives == 0 && machines > 1 && !is_expected;
    warns.then(|| {
        format!("{} never received anything in {} events", context.name(machine.vm), machine.tally.events)
    })
}

/// A queue that ends near its longest, after it has grown all the way.
fn grows(machine: &MachineMeter, context: &Context<'_>) -> Option<String> {
    const SHORTEST: u32 = 10;
    let (last, longest) = (machine.tally.queue, machine.tally.longest_queue);
    let slope = machine.queue_line.slope()?;
    let grown = slope * machine.last.minus(machine.first).as_secs_f64();
    let warns =
        last >= SHORTEST && f64::from(last) >= 0.5 * f64::from(longest) && grown >= 0.5 * f64::from(last);
    let sent = match context
        .flow
        .and_then(|flow| Some((flow.arrivals(machine.vm)?, context.model.schedule(machine.vm)?)))
    {
        Some((arrivals, schedule)) => {
            format!(": it is sent about {arrivals:.1} messages a second and ticks {}", schedule.rate())
        }
        None => String::new(),
    };
    warns.then(|| {
        format!(
            "{}'s queue grows without bound, by about {:.1} a minute{sent}",
            context.name(machine.vm),
            slope * 60.0
        )
    })
}
