//! Which pictures a run has, and what is in each: lines for few machines, bands for many.

use super::drawing::{Axis, Mark, Plot, Values, number};
use super::gather::{Gathered, Machine, as_f64};

/// The most machines that have a line each.
const MOST_COLOURS: usize = 6;

/// The most machines that have a row each among the kinds of events.
const MOST_ROWS: usize = 12;

const HEIGHT: f64 = 270.0;

/// The pictures of a run.
pub(super) fn of(run: &Gathered) -> Vec<Plot> {
    if run.machines.is_empty() {
        return Vec::new();
    }
    let front = run.front();
    let clock = |machine: &Machine| machine.course.iter().map(|point| as_f64(point.lamport)).collect();
    let drift = |machine: &Machine| {
        let behind = |(point, front): (&super::course::Point, &u64)| as_f64(point.lamport) - as_f64(*front);
        machine.course.iter().zip(&front).map(behind).collect()
    };
    let queue = |machine: &Machine| machine.course.iter().map(|point| f64::from(point.queue)).collect();
    let words = [
        ("Lamport clock", "Lamport clock", "The Lamport clock of each machine over time."),
        (
            "Drift: clock behind the largest",
            "behind the largest",
            "Each Lamport clock minus the largest of all at the same time.",
        ),
        ("Queue: messages that wait", "messages", "The longest queue of each machine in each step of time."),
        (
            "Jumps: largest in each step of time",
            "largest jump",
            "By how much the Lamport clock grew from one event to the next, at most.",
        ),
    ];
    let mut plots = vec![
        over_time(run, "clock", words[0], Few::Together, clock),
        over_time(run, "drift", words[1], Few::Panels, drift),
        over_time(run, "queue", words[2], Few::Panels, queue),
    ];
    plots.push(histogram(run));
    if run.machines.len() <= MOST_COLOURS {
        plots.push(jumps(run));
    } else {
        let jump = |machine: &Machine| machine.course.iter().map(|point| as_f64(point.jump)).collect();
        plots.push(over_time(run, "jumps", words[3], Few::Together, jump));
    }
    plots.push(kinds(run));
    plots
}

fn name(machine: &Machine) -> String {
    match machine.rate {
        Some(rate) => format!("VM {} ({rate}/s)", machine.vm),
        None => format!("VM {}", machine.vm),
    }
}

/// How a value of few machines is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Few {
    /// All in one frame.
    Together,
    /// Each in a panel of its own, all with the same scale.
    Panels,
}

/// A value of each machine over time.
fn over_time(
    run: &Gathered,
    file: &'static str,
    (title, label, says): (&str, &'static str, &str),
    few: Few,
    values: impl Fn(&Machine) -> Vec<f64>,
) -> Plot {
    let step = run.step.as_secs_f64();
    let columns: Vec<Vec<f64>> = run.machines.iter().map(values).collect();
    let all = || columns.iter().flatten().copied();
    let (least, most) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let room = if least < 0.0 { most.max(least.abs() * 1e-6) } else { most * 1.04 };
    let mut plot = Plot {
        name: file,
        title: title.to_owned(),
        says: says.to_owned(),
        height: HEIGHT,
        x: Axis::to("seconds since the start", run.asked_end().as_secs_f64().max(step)),
        y: Axis { least, ..Axis::to(label, room) },
        rows: Vec::new(),
        marks: Vec::new(),
        legend: Vec::new(),
        values: None,
    };
    let series = if columns.len() > MOST_COLOURS {
        bands(&mut plot, &columns, step)
    } else {
        match few {
            Few::Together => lines(&mut plot, run, &columns, step),
            Few::Panels => panels(&mut plot, run, &columns, &vec![step; columns.len()]),
        }
        run.machines.iter().map(name).zip(columns).collect()
    };
    plot.values = Some(Values { first: step, step, unit: "s", series });
    plot
}

/// Values at the ends of the steps.
fn at_steps(column: &[f64], step: f64) -> Vec<(f64, f64)> {
    (1_u32..).zip(column).map(|(k, value)| (f64::from(k) * step, *value)).collect()
}

fn lines(plot: &mut Plot, run: &Gathered, columns: &[Vec<f64>], step: f64) {
    for (colour, (machine, column)) in run.machines.iter().zip(columns).enumerate() {
        plot.marks.push(Mark::Steps { colour, points: at_steps(column, step) });
        plot.legend.push((name(machine), format!("f{colour}")));
    }
}

/// Few machines, each in a strip from 0 to the largest value of all, or down to the smallest.
fn panels(plot: &mut Plot, run: &Gathered, columns: &[Vec<f64>], steps: &[f64]) {
    let (count, scale) = (as_f64(columns.len() as u64), plot.y.most.max(-plot.y.least));
    let is_downwards = plot.y.least < 0.0;
    for (colour, ((machine, column), step)) in run.machines.iter().zip(columns).zip(steps).enumerate() {
        let bottom = count - as_f64(colour as u64) - 1.0;
        let base = if is_downwards { bottom + 0.92 } else { bottom + 0.08 };
        let height = |value: f64| base + 0.82 * value / scale;
        let mut curve = Vec::with_capacity(2 * column.len());
        let mut from = 0.0;
        for (to, value) in at_steps(column, *step) {
            curve.extend([(from, height(value)), (to, height(value))]);
            from = to;
        }
        let flat = vec![(0.0, base), (from, base)];
        plot.marks.push(Mark::Band {
            class: "strip".to_owned() + &format!(" f{colour}"),
            low: flat.clone(),
            high: curve,
        });
        plot.marks.push(Mark::Line { colour: 6, points: flat });
        let extreme = column.iter().copied().fold(0.0, if is_downwards { f64::min } else { f64::max });
        let word = if is_downwards { "down to" } else { "up to" };
        plot.rows.push(format!("VM {}\n{word} {}", machine.vm, number(extreme)));
        plot.legend.push((name(machine), format!("f{colour}")));
    }
    plot.y = Axis::to("", count);
}

/// Many machines: where half of them, most of them and all of them are.
fn bands(plot: &mut Plot, columns: &[Vec<f64>], step: f64) -> Vec<(String, Vec<f64>)> {
    let [low, tenth, middle, ninetieth, high] = quantiles(columns);
    let at = |column: &[f64]| at_steps(column, step);
    plot.marks.push(Mark::Band { class: "wide".to_owned(), low: at(&low), high: at(&high) });
    plot.marks.push(Mark::Band { class: "narrow".to_owned(), low: at(&tenth), high: at(&ninetieth) });
    plot.marks.push(Mark::Line { colour: 0, points: at(&middle) });
    let legend = [("median of machines", "f0"), ("8 of 10", "narrow"), ("all", "wide")];
    plot.legend = legend.map(|(name, class)| (name.to_owned(), class.to_owned())).into();
    let names = ["largest", "9 of 10 below", "median", "1 of 10 below", "smallest"].map(str::to_owned);
    names.into_iter().zip([high, ninetieth, middle, tenth, low]).collect()
}

/// Of each step the least, the tenth, the middle, the ninetieth of a hundred and the most.
fn quantiles(columns: &[Vec<f64>]) -> [Vec<f64>; 5] {
    let count = columns.first().map_or(0, Vec::len);
    let mut out: [Vec<f64>; 5] = Default::default();
    let mut sorted = Vec::with_capacity(columns.len());
    for index in 0..count {
        sorted.clear();
        sorted.extend(columns.iter().map(|column| column[index]));
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len() - 1;
        for (values, at) in out.iter_mut().zip([0, last / 10, last / 2, last - last / 10, last]) {
            values.push(sorted[at]);
        }
    }
    out
}

/// How often clocks jumped how far.
fn histogram(run: &Gathered) -> Plot {
    let few = run.machines.len() <= MOST_COLOURS;
    let largest = run.machines.iter().filter_map(|machine| machine.jumps.keys().next_back()).max().copied();
    let largest = largest.unwrap_or(1).max(1);
    let width = largest.div_ceil(40).max(1);
    let groups = if few { run.machines.len() } else { 1 };
    let mut counts = vec![std::collections::BTreeMap::<u64, u64>::new(); groups];
    for (index, machine) in run.machines.iter().enumerate() {
        for (jump, count) in &machine.jumps {
            *counts[if few { index } else { 0 }].entry(jump / width).or_default() += count;
        }
    }
    let most = counts.iter().flat_map(|group| group.values()).max().copied().unwrap_or(1);
    let share = 0.86 / as_f64(groups as u64);
    let mut marks = Vec::new();
    for (index, group) in counts.iter().enumerate() {
        for (slot, count) in group {
            let left = as_f64(*slot) - 0.43 + share * as_f64(index as u64);
            let who = if few { name(&run.machines[index]) } else { "all machines".to_owned() };
            let (from, to) = (slot * width, slot * width + width - 1);
            let jump = if width == 1 { from.to_string() } else { format!("{from} to {to}") };
            let says = format!("{who}: {} jumps of {jump}", number(as_f64(*count)));
            let half = as_f64(width);
            let x = (left * half, (left + share) * half);
            marks.push(Mark::Bar { class: format!("f{index}"), x, y: (0.7, as_f64(*count)), says });
        }
    }
    let legend = if few {
        run.machines.iter().enumerate().map(|(index, machine)| (name(machine), format!("f{index}"))).collect()
    } else {
        vec![("all machines".to_owned(), "f0".to_owned())]
    };
    let end = as_f64(largest / width * width) + 0.6 * as_f64(width);
    Plot {
        name: "jumps_histogram",
        title: "Jumps: how often how far".to_owned(),
        says: "How often the Lamport clock grew by how much from one event to the next.".to_owned(),
        height: HEIGHT,
        x: Axis { least: 0.0, ..Axis::to("jump of the Lamport clock", end) },
        y: Axis {
            label: "events (logarithmic)",
            least: 0.7,
            most: as_f64(most) * 1.3,
            is_logarithmic: true,
            is_whole: true,
        },
        rows: Vec::new(),
        marks,
        legend,
        values: None,
    }
}

/// Shares of the kinds of events: of each machine, or of those of each rate.
fn kinds(run: &Gathered) -> Plot {
    let mut rows: Vec<(String, [u64; 3])> = Vec::new();
    if run.machines.len() <= MOST_ROWS {
        rows.extend(run.machines.iter().map(|machine| (name(machine), kinds_of(machine))));
    } else {
        let mut by_rate = std::collections::BTreeMap::<_, (u64, [u64; 3])>::new();
        for machine in &run.machines {
            let (machines, sums) = by_rate.entry(machine.rate).or_default();
            *machines += 1;
            sums.iter_mut().zip(kinds_of(machine)).for_each(|(sum, count)| *sum += count);
        }
        let groups: Vec<_> = by_rate.into_iter().collect();
        for group in groups.chunks(groups.len().div_ceil(MOST_ROWS)) {
            let machines: u64 = group.iter().map(|(_, (machines, _))| machines).sum();
            let rates =
                group.first().and_then(|(rate, _)| *rate).zip(group.last().and_then(|(rate, _)| *rate));
            let label = match rates {
                Some((first, last)) if first == last => format!("{machines} at {first}/s"),
                Some((first, last)) => format!("{machines} at {first}-{last}/s"),
                None => format!("{machines} machines"),
            };
            let sums = [0, 1, 2].map(|kind| group.iter().map(|(_, (_, sums))| sums[kind]).sum());
            rows.push((label, sums));
        }
    }
    let count = as_f64(rows.len() as u64);
    let mut marks = Vec::new();
    for (index, (label, sums)) in (0_u32..).zip(&rows) {
        let all: u64 = sums.iter().sum();
        let mut from = 0;
        for ((class, kind), part) in KINDS.into_iter().zip(sums) {
            let share = |part: u64| 100.0 * as_f64(part) / as_f64(all.max(1));
            let top = count - f64::from(index);
            let says = format!("{label}: {} {kind} ({:.1} %)", number(as_f64(*part)), share(*part));
            let x = (share(from), share(from + part));
            marks.push(Mark::Bar { class: class.to_owned(), x, y: (top - 0.82, top - 0.18), says });
            from += part;
        }
    }
    let legend = KINDS.map(|(class, kind)| (kind.to_owned(), class.to_owned())).into();
    Plot {
        name: "kinds",
        title: "Kinds of events".to_owned(),
        says: "Which share of the events was internal, sends and receives.".to_owned(),
        height: (82.0 + count * 26.0).max(HEIGHT),
        x: Axis::to("% of events", 100.0),
        y: Axis::to("", count),
        rows: rows.into_iter().map(|(label, _)| label).collect(),
        marks,
        legend,
        values: None,
    }
}

const KINDS: [(&str, &str); 3] = [("internal", "internal"), ("f0", "send"), ("f1", "receive")];

const fn kinds_of(machine: &Machine) -> [u64; 3] {
    [machine.tally.internal(), machine.tally.sends, machine.tally.receives]
}

/// The jumps of few machines, event by event.
fn jumps(run: &Gathered) -> Plot {
    let jumps = |machine: &Machine| machine.by_event.1.iter().map(|point| as_f64(point.jump)).collect();
    let columns: Vec<Vec<f64>> = run.machines.iter().map(jumps).collect();
    let steps: Vec<f64> = run.machines.iter().map(|machine| as_f64(machine.by_event.0)).collect();
    let events = run.machines.iter().map(|machine| machine.tally.events).max().unwrap_or(1);
    let most = columns.iter().flatten().copied().fold(1.0, f64::max);
    let mut plot = Plot {
        name: "jumps",
        title: "Jumps, event by event".to_owned(),
        says: "By how much the Lamport clock of each machine grew from one event to the next.".to_owned(),
        height: HEIGHT,
        x: Axis::to("number of the event", as_f64(events)),
        y: Axis::to("", most),
        rows: Vec::new(),
        marks: Vec::new(),
        legend: Vec::new(),
        values: None,
    };
    panels(&mut plot, run, &columns, &steps);
    let step = steps.first().copied().unwrap_or(1.0);
    if steps.iter().all(|other| other.to_bits() == step.to_bits()) {
        let series = run.machines.iter().map(name).zip(columns).collect();
        plot.values = Some(Values { first: step, step, unit: "", series });
    }
    plot
}
