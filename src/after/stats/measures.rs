//! The measures by name: what each means, and how it comes from what was added up.

use super::Context;
use super::counts::{Counts, as_f64};
use super::meter::MachineMeter;
use crate::model::tally::Lateness;
use crate::model::time::TimeWindow;

/// A measure of one machine.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Its name; what stands before the first `_` tells measures of a group.
    pub name: &'static str,
    /// What it means, in a line with its unit, for help and legends.
    pub meaning: &'static str,
    pub(super) value: fn(&MachineMeter, &Context<'_>) -> Option<f64>,
}

/// A measure of a whole run.
#[derive(Clone, Copy, Debug)]
pub struct Total {
    /// Its name, as tables and JSON have it.
    pub name: &'static str,
    /// What it means, in a line with its unit, for help and legends.
    pub meaning: &'static str,
    pub(super) value: fn(&[MachineMeter], &Context<'_>) -> Option<f64>,
}

macro_rules! measures {
    ($type:ident: $($name:literal, $meaning:literal, $value:expr;)+) => {
        &[$($type { name: $name, meaning: $meaning, value: $value }),+]
    };
}

/// The measures of each machine, in their order.
pub const MEASURES: &[Measure] = measures! { Measure:
    "rate", "ticks a second that were asked for", |m, c| Some(c.model.schedule(m.vm)?.rate().as_f64());
    "rate_kept", "events a second, by the times of the first and the last and without pauses until its process was resumed or it came up", |m, _| {
        let seconds = m.last.minus(m.first).minus(m.pauses.time).as_secs_f64();
        (seconds > 0.0).then(|| as_f64((m.tally.events - 1).saturating_sub(m.pauses.count)) / seconds)
    };
    "down_s", "seconds of the run for which it was down", |m, c| {
        let ended = c.model.scenario()?.duration();
        let of = |window: &TimeWindow| window.end().min(ended).minus(window.start()).as_secs_f64();
        m.uptime.as_ref().map(|uptime| uptime.down().iter().map(of).sum())
    };
    "events", "all events", |m, _| Some(as_f64(m.tally.events));
    "events_internal", "internal events", |m, _| Some(as_f64(m.tally.internal()));
    "events_send", "sends, to one machine or several", |m, _| Some(as_f64(m.tally.sends));
    "events_receive", "receives, each of one message", |m, _| Some(as_f64(m.tally.receives));
    "messages_sent", "messages sent, one for each recipient", |m, _| Some(as_f64(m.tally.sent));
    "messages_lost", "of them those that the network lost", |m, _| Some(as_f64(m.lost));
    "messages_twice", "of them those that it delivered twice", |m, _| Some(as_f64(m.duplicated));
    "messages_crashed", "messages to it that arrived while it was down or waited when it went down: sent before it came up, and never received",
        |m, _| m.uptime.as_ref().map(|_| as_f64(m.crashed));
    "clock", "the Lamport clock at the end", |m, _| Some(as_f64(m.lamport));
    "clock_drift", "that minus the largest of all machines", |m, c| Some(as_f64(m.lamport) - as_f64(c.largest()?));
    "clock_expected", "theory, of a saturated machine: the largest clock times r/λ", |m, c| {
        c.flow?.saturated_clock(m.vm, as_f64(c.largest()?))
    };
    "jump_mean", "jump: the Lamport clock minus that of the machine's event before, of the first minus 0",
        |m, _| mean(m.lamport, m.tally.events);
    "jump_p50", "what half of the jumps do not exceed", |m, _| m.jumps.quantile(0.5);
    "jump_p99", "what 99 of 100 jumps do not exceed", |m, _| m.jumps.quantile(0.99);
    "jump_max", "the largest jump", |m, _| m.jumps.max();
    "gap_mean", "gap: a jump minus 1", |m, _| mean(m.lamport, m.tally.events).map(|jump| jump - 1.0);
    "queue_mean", "queue: messages that wait after an event", |m, _| Some(m.tally.mean_queue());
    "queue_max", "the longest", |m, _| Some(f64::from(m.tally.longest_queue));
    "queue_last", "the one after the last event", |m, _| Some(f64::from(m.tally.queue));
    "queue_per_minute", "by how much it grows a minute: the slope of the straight line nearest to it",
        |m, _| m.queue_line.slope().map(|slope| slope * 60.0);
    "queue_expected", "theory: (λ − r) a minute, where that is more than nothing", |m, c| c.flow?.queue_per_minute(m.vm);
    "arrivals_per_s", "messages that arrived a second, received or waiting", |m, c| {
        let arrived = m.tally.receives + u64::from(m.tally.queue);
        (c.end.get() > 0).then(|| as_f64(arrived) / c.end.as_secs_f64())
    };
    "arrivals_expected", "theory: λ", |m, c| c.flow?.arrivals(m.vm);
    "latency_mean_ms", "from a message's send to its receive here", |m, _| m.latency.ms();
    "latency_max_ms", "the longest", |m, _| m.latency.max_ms();
    "latency_arrival_ms", "of the mean, until the first event here after which it waits or is received", |m, _| m.arrival.ms();
    "latency_waiting_ms", "of the mean, from there on", |m, _| m.waiting.ms();
    "late_mean_ms", "how much later than due its events were, in real time", |m, _| {
        Some(m.lateness.as_ref()?.mean_ms())
    };
    "late_max_ms", "the latest", |m, _| m.lateness.as_ref().map(Lateness::max_ms);
};

/// The measures of a whole run, in their order.
pub const TOTALS: &[Total] = measures! { Total:
    "machines", "machines that have events", |all, _| Some(as_f64(all.len() as u64));
    "seconds", "when the last event happened", |_, c| Some(c.end.as_secs_f64());
    "events", "all events", |_, c| Some(as_f64(c.whole.events));
    "messages_sent", "messages sent, one for each recipient", |all, _| sum(all, |m| m.tally.sent);
    "messages_received", "messages received", |all, _| sum(all, |m| m.tally.receives + m.further);
    "messages_lost", "messages that the network lost", |all, _| sum(all, |m| m.lost);
    "messages_twice", "messages that it delivered twice", |all, _| sum(all, |m| m.duplicated);
    "messages_each", "messages sent for each event for which textbooks count them, such as an entry of mutual exclusion",
        |all, c| mean(all.iter().map(|m| m.tally.sent).sum(), c.whole.counted);
    "messages_each_expected", "how many a textbook counts", |_, c| Some((c.model.textbook()?.messages)(c.model.vms()?));
    "messages_crashed", "messages that machines lost that were down", |all, _| {
        all.iter().any(|m| m.uptime.is_some()).then(|| sum(all, |m| m.crashed)).flatten()
    };
    "jump_p50", "what half of all jumps do not exceed", |all, _| jumps(all).quantile(0.5);
    "jump_p99", "what 99 of 100 do not exceed", |all, _| jumps(all).quantile(0.99);
    "jump_max", "the largest jump", |all, _| jumps(all).max();
    "latency_p50_ms", "from send to receive: what half of all messages do not exceed", |_, c| c.whole.latency.ms(0.5);
    "latency_p99_ms", "what 99 of 100 do not exceed", |_, c| c.whole.latency.ms(0.99);
    "waiting_p50_ms", "of that, waiting in a queue: what half do not exceed", |_, c| ms(&c.whole.waiting, 0.5);
    "waiting_p99_ms", "what 99 of 100 do not exceed", |_, c| ms(&c.whole.waiting, 0.99);
    "late_p50_ms", "events later than due, in real time: what half do not exceed", |_, c| ms(&c.whole.lateness, 0.5);
    "late_p99_ms", "what 99 of 100 do not exceed", |_, c| ms(&c.whole.lateness, 0.99);
    "concurrent_share", "of all pairs of events, those of which neither happened before the other (needs vectors)",
        |_, c| share(concurrent(c)?, pairs(c));
    "false_order_share", "of those, the ones whose Lamport clocks differ: ordered by them, though nothing orders them",
        |_, c| share(concurrent(c)?.saturating_sub(c.whole.ties.pairs), concurrent(c)?);
    "lamport_stamp_bytes", "a stamp's Lamport clock with seven bits a byte, mean over sends (8 as a plain number)",
        |_, c| mean(c.whole.lamport_bytes, c.whole.sends);
};

pub(super) fn mean(sum: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| as_f64(sum) / as_f64(count))
}

fn sum(all: &[MachineMeter], part: fn(&MachineMeter) -> u64) -> Option<f64> {
    Some(as_f64(all.iter().map(part).sum()))
}

fn jumps(all: &[MachineMeter]) -> Counts {
    let mut jumps = Counts::default();
    all.iter().for_each(|machine| jumps.merge(&machine.jumps));
    jumps
}

fn ms(micros: &hdrhistogram::Histogram<u64>, share: f64) -> Option<f64> {
    (!micros.is_empty()).then(|| as_f64(micros.value_at_quantile(share)) / 1e3)
}

fn pairs(context: &Context<'_>) -> u128 {
    let events = u128::from(context.whole.events);
    events * events.saturating_sub(1) / 2
}

/// Pairs of concurrent events. A vector tells how many events happened before its own, here or elsewhere.
pub(super) fn concurrent(context: &Context<'_>) -> Option<u128> {
    let is_known = context.whole.has_vectors && !context.missing.has_gaps();
    is_known.then(|| pairs(context).saturating_sub(context.whole.ordered_pairs))
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
pub(super) fn share(part: u128, whole: u128) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
