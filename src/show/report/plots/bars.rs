//! Bars: how often clocks jumped how far, and of which kinds the events were.

use std::collections::BTreeMap;

use super::super::drawing::{Axis, Mark, Plot, number};
use super::super::gather::as_f64;
use super::{HEIGHT, Member, Runs, empty};
use crate::model::time::Rate;

/// The most machines that have a row each among the kinds of events.
const MOST_ROWS: usize = 12;
/// The most machines that have a thin row each there.
const MOST_THIN_ROWS: usize = 120;

const KINDS: [(&str, &str); 3] = [("internal", "internal"), ("f0", "send"), ("f1", "receive")];

/// How often clocks jumped how far.
pub(super) fn histogram(runs: &Runs<'_>) -> Plot {
    let is_few = runs.is_few();
    let jumps = || runs.machines.iter().flat_map(|member| &member.of).map(|machine| &machine.jumps);
    let largest = jumps().filter_map(|jumps| jumps.keys().next_back()).max().copied();
    let largest = largest.unwrap_or(1).max(1);
    let width = largest.div_ceil(40).max(1);
    let groups = if is_few { runs.machines.len() } else { 1 };
    let mut counts = vec![BTreeMap::<u64, u64>::new(); groups];
    for (index, member) in runs.machines.iter().enumerate() {
        for (jump, count) in member.of.iter().flat_map(|machine| &machine.jumps) {
            *counts[if is_few { index } else { 0 }].entry(jump / width).or_default() += count;
        }
    }
    let most = counts.iter().flat_map(|group| group.values()).max().copied().unwrap_or(1);
    let names: Vec<String> = if is_few {
        runs.machines.iter().map(Member::name).collect()
    } else {
        vec!["all machines".to_owned()]
    };
    let says = "How often the Lamport clock grew by how much from one event to the next.";
    let mut plot = empty("jumps_histogram", "Jumps: how often how far", says);
    let share = 0.86 / as_f64(groups as u64);
    for (index, (group, who)) in counts.iter().zip(&names).enumerate() {
        for (slot, count) in group {
            let left = as_f64(*slot) - 0.43 + share * as_f64(index as u64);
            let (from, to) = (slot * width, slot * width + width - 1);
            let jump = if width == 1 { from.to_string() } else { format!("{from} to {to}") };
            let says = format!("{who}: {} jumps of {jump}", number(as_f64(*count)));
            let x = (left * as_f64(width), (left + share) * as_f64(width));
            plot.marks.push(Mark::Bar { class: format!("f{index}"), x, y: (0.7, as_f64(*count)), says });
        }
    }
    plot.legend = names.into_iter().enumerate().map(|(index, name)| (name, format!("f{index}"))).collect();
    let end = as_f64(largest / width * width) + 0.6 * as_f64(width);
    let reaches_left = counts.iter().any(|group| group.contains_key(&0));
    let least = if reaches_left { -0.6 * as_f64(width) } else { 0.0 };
    plot.x = Axis { least, ..Axis::to("jump of the Lamport clock", end) };
    plot.y = Axis {
        label: "events (logarithmic)",
        least: 0.7,
        most: as_f64(most) * 1.3,
        is_logarithmic: true,
        is_whole: true,
    };
    if runs.views.len() > 1 {
        plot.says += " The events of all runs.";
    }
    plot
}

/// A row of shares: whose they are, how they are called on the axis, and how many events of each kind.
struct BarRow {
    who: String,
    label: String,
    kinds: [u64; 3],
}

/// Shares of the kinds of events: of each machine, or of those of each rate.
pub(super) fn kinds(runs: &Runs<'_>) -> Plot {
    let count = runs.machines.len();
    let rows = if count <= MOST_ROWS {
        let row =
            |member: &Member<'_>| BarRow { who: member.name(), label: member.name(), kinds: sum([member]) };
        runs.machines.iter().map(row).collect()
    } else if count <= MOST_THIN_ROWS {
        thin_rows(runs)
    } else {
        rows_of_rates(runs)
    };
    let says = "Which share of the events was internal, sends and receives.";
    let mut plot = empty("kinds", "Kinds of events", says);
    let (count, is_thin) = (as_f64(rows.len() as u64), rows.len() > MOST_ROWS);
    let (bottom, top) = if is_thin { (1.0, 0.0) } else { (0.82, 0.18) };
    for (index, row) in (0_u32..).zip(&rows) {
        let all: u64 = row.kinds.iter().sum();
        let share = |part: u64| 100.0 * as_f64(part) / as_f64(all.max(1));
        let place = count - f64::from(index);
        let mut from = 0;
        for ((class, kind), part) in KINDS.into_iter().zip(row.kinds) {
            let says = format!("{}: {} {kind} ({:.1} %)", row.who, number(as_f64(part)), share(part));
            let x = (share(from), share(from + part));
            from += part;
            if part > 0 {
                let class = class.to_owned() + if is_thin { " thin" } else { "" };
                plot.marks.push(Mark::Bar { class, x, y: (place - bottom, place - top), says });
            }
        }
    }
    if !is_thin {
        plot.height = (82.0 + count * 26.0).max(HEIGHT);
    }
    plot.x = Axis::to("% of events", 100.0);
    plot.y = Axis::to("", count);
    plot.rows = rows.into_iter().map(|row| row.label).collect();
    plot.legend = KINDS.map(|(class, kind)| (kind.to_owned(), class.to_owned())).into();
    plot
}

fn sum<'a>(members: impl IntoIterator<Item = &'a Member<'a>>) -> [u64; 3] {
    let machines = members.into_iter().flat_map(|member| &member.of);
    machines.fold([0; 3], |sums, machine| std::array::from_fn(|kind| sums[kind] + machine.kinds[kind]))
}

/// The machines by their rates, slow ones first.
fn by_rate<'a>(runs: &'a Runs<'a>) -> BTreeMap<Option<Rate>, Vec<&'a Member<'a>>> {
    let mut groups = BTreeMap::<_, Vec<&Member<'_>>>::new();
    runs.machines.iter().for_each(|member| groups.entry(member.rate).or_default().push(member));
    groups
}

fn label(count: usize, rate: Option<Rate>) -> String {
    rate.map_or_else(|| format!("{count} machines"), |rate| format!("{count} at {rate}/s"))
}

/// A thin row a machine, those of one rate together with a label in their middle.
fn thin_rows(runs: &Runs<'_>) -> Vec<BarRow> {
    let mut rows = Vec::with_capacity(runs.machines.len());
    let groups = by_rate(runs);
    let are_few = groups.len() <= MOST_ROWS;
    for (rate, members) in groups {
        for (index, member) in members.iter().enumerate() {
            let is_middle = are_few && index == members.len() / 2;
            let label = if is_middle { label(members.len(), rate) } else { String::new() };
            rows.push(BarRow { who: member.name(), label, kinds: sum([*member]) });
        }
    }
    rows
}

/// A row a rate; where there are many, some rates together.
fn rows_of_rates(runs: &Runs<'_>) -> Vec<BarRow> {
    let groups: Vec<_> = by_rate(runs).into_iter().collect();
    let row = |group: &[(Option<Rate>, Vec<&Member<'_>>)]| {
        let machines = group.iter().map(|(_, members)| members.len()).sum();
        let ends = group.first().and_then(|(rate, _)| *rate).zip(group.last().and_then(|(rate, _)| *rate));
        let label = match ends {
            Some((first, last)) if first != last => format!("{machines} at {first}-{last}/s"),
            ends => label(machines, ends.map(|(rate, _)| rate)),
        };
        let kinds = sum(group.iter().flat_map(|(_, members)| members.iter().copied()));
        BarRow { who: label.clone(), label, kinds }
    };
    groups.chunks(groups.len().div_ceil(MOST_ROWS)).map(row).collect()
}
