//! Which pictures one run or several have, and what is in each.
//!
//! Few machines have a line or a panel each, of several runs the mean and the extremes; of many there are bands.

mod bars;
mod curves;

use self::curves::Curve;
use super::RunView;
use super::course::Point;
use super::drawing::{Axis, Mark, Plot, Values};
use super::gather::{Gathered, GatheredMachine, as_f64};
use crate::model::id::VmId;
use crate::model::time::Rate;

/// The most machines that have a colour each.
const MOST_COLOURS: usize = 6;

const HEIGHT: f64 = 270.0;

/// The pictures of one run, or of several together.
pub(super) fn of(views: &[&RunView]) -> Vec<Plot> {
    let runs = Runs::new(views);
    if runs.machines.is_empty() {
        return Vec::new();
    }
    let queue = |run: &Gathered| column(run, |point| f64::from(point.queue));
    let drift = |run: &Gathered| {
        let front = run.front();
        let behind = |machine: &GatheredMachine| {
            let points = machine.course.iter().zip(&front);
            points.map(|(point, front)| as_f64(point.lamport) - as_f64(*front)).collect()
        };
        run.machines.iter().map(behind).collect()
    };
    let mut clock = over_time(&runs, &CLOCK, |run| column(run, |point| as_f64(point.lamport)));
    expect(&mut clock, &runs);
    let mut plots = vec![clock];
    // The largest clock may be that of a machine that is not here.
    if !views.iter().any(|view| view.stats.lacks_last_events) {
        plots.push(over_time(&runs, &DRIFT, drift));
    }
    plots.extend([
        over_time(&runs, &QUEUE, queue),
        bars::histogram(&runs),
        if runs.is_few() && views.len() == 1 { jumps(&runs) } else { largest_jumps(&runs) },
        bars::kinds(&runs),
    ]);
    plots
}

/// What a picture of something over time is about.
struct About {
    name: &'static str,
    title: &'static str,
    label: &'static str,
    says: &'static str,
    /// Whether few machines have a panel each, all with the same scale, rather than one frame together.
    is_in_panels: bool,
}

const CLOCK: About = About {
    name: "clock",
    title: "Lamport clock",
    label: "Lamport clock",
    says: "The Lamport clock of each machine over time.",
    is_in_panels: false,
};
const DRIFT: About = About {
    name: "drift",
    title: "Drift: clock behind the largest",
    label: "behind the largest",
    says: "Each Lamport clock minus the largest of all at the same time.",
    is_in_panels: true,
};
const QUEUE: About = About {
    name: "queue",
    title: "Queue: messages that wait",
    label: "messages",
    says: "The longest queue of each machine in each step of time.",
    is_in_panels: true,
};
const JUMPS: About = About {
    name: "jumps",
    title: "Jumps: largest in each step of time",
    label: "largest jump",
    says: "By how much the Lamport clock grew from one event to the next, at most.",
    is_in_panels: true,
};

/// The runs of a picture.
struct Runs<'a> {
    views: &'a [&'a RunView],
    /// All machines, by number: each with its name, and what it did in the runs that have it.
    machines: Vec<Member<'a>>,
    /// The length of a step of time, in seconds: that of the coarsest run.
    step: f64,
    /// Where axes of time end.
    end: f64,
}

/// A machine in all runs.
struct Member<'a> {
    vm: VmId,
    /// Its rate, where all runs have the same.
    rate: Option<Rate>,
    of: Vec<&'a GatheredMachine>,
}

impl<'a> Runs<'a> {
    fn new(views: &'a [&'a RunView]) -> Self {
        let mut machines = std::collections::BTreeMap::<VmId, Vec<&GatheredMachine>>::new();
        for machine in views.iter().flat_map(|view| &view.gathered.machines) {
            machines.entry(machine.vm).or_default().push(machine);
        }
        let member = |(vm, of): (VmId, Vec<&'a GatheredMachine>)| {
            let rate = of[0].rate.filter(|rate| of.iter().all(|machine| machine.rate == Some(*rate)));
            Member { vm, rate, of }
        };
        let step = views.iter().map(|view| view.gathered.step.as_secs_f64()).fold(0.0, f64::max);
        let end = views.iter().map(|view| view.gathered.asked_end().as_secs_f64()).fold(step, f64::max);
        Self { views, machines: machines.into_iter().map(member).collect(), step, end }
    }

    const fn is_few(&self) -> bool {
        self.machines.len() <= MOST_COLOURS
    }

    /// A value of each machine in each run, all at the same steps.
    fn columns(&self, values: impl Fn(&Gathered) -> Vec<Vec<f64>>) -> Vec<(VmId, Vec<f64>)> {
        let mut columns = Vec::new();
        for run in self.views.iter().map(|view| &view.gathered) {
            let every = (self.step / run.step.as_secs_f64()).round();
            let of_run = values(run).into_iter().map(|column| curves::thin(column, every));
            columns.extend(run.machines.iter().map(|machine| machine.vm).zip(of_run));
        }
        let count = columns.iter().map(|(_, column)| column.len()).max().unwrap_or(0);
        for (_, column) in &mut columns {
            let last = column.last().copied().unwrap_or(0.0);
            column.resize(count, last);
        }
        columns
    }
}

impl Member<'_> {
    fn name(&self) -> String {
        match self.rate {
            Some(rate) => format!("VM {} ({rate}/s)", self.vm),
            None => format!("VM {}", self.vm),
        }
    }
}

fn column(run: &Gathered, value: impl Fn(&Point) -> f64) -> Vec<Vec<f64>> {
    run.machines.iter().map(|machine| machine.course.iter().map(&value).collect()).collect()
}

/// A value of each machine over time.
fn over_time(runs: &Runs<'_>, about: &About, values: impl Fn(&Gathered) -> Vec<Vec<f64>>) -> Plot {
    let columns = runs.columns(values);
    let all = || columns.iter().flat_map(|(_, column)| column).copied();
    let (least, most) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let room = if least < 0.0 { most.max(least.abs() * 1e-6) } else { most * 1.04 };
    let mut plot = empty(about.name, about.title, about.says);
    plot.x = Axis::to("seconds since the start", runs.end);
    plot.y = Axis { least, ..Axis::to(about.label, room) };
    let step = runs.step;
    let series = if runs.is_few() {
        let curves: Vec<Curve> =
            runs.machines.iter().map(|member| Curve::of(member, &columns, step)).collect();
        if about.is_in_panels {
            curves::panels(&mut plot, &curves);
        } else {
            curves::lines(&mut plot, &curves);
        }
        curves.into_iter().map(|curve| (curve.name, curve.mean)).collect()
    } else {
        let columns: Vec<Vec<f64>> = columns.into_iter().map(|(_, column)| column).collect();
        curves::bands(&mut plot, &columns, step)
    };
    if runs.views.len() > 1 {
        plot.says += if runs.is_few() {
            " The mean of the runs; pale, up to their extremes."
        } else {
            " The machines of all runs together."
        };
    }
    plot.values = Some(Values { first: step, step, unit: "s", series });
    plot
}

fn largest_jumps(runs: &Runs<'_>) -> Plot {
    over_time(runs, &JUMPS, |run| column(run, |point| as_f64(point.jump)))
}

/// What the flow model expects of few machines' clocks, as dashed lines to their ends.
fn expect(plot: &mut Plot, runs: &Runs<'_>) {
    if !runs.is_few() || runs.views.iter().any(|view| view.stats.flow.is_none()) {
        return;
    }
    let mut keeps_up = None;
    for (colour, member) in runs.machines.iter().enumerate() {
        let of_runs = runs.views.iter().filter_map(|view| {
            Some((view.expected_share(member.vm)?, view.largest(), view.gathered.end.as_secs_f64()))
        });
        let of_runs: Vec<_> = of_runs.collect();
        let count = as_f64(of_runs.len() as u64).max(1.0);
        let clock = of_runs.iter().map(|(share, largest, _)| share * largest).sum::<f64>() / count;
        let end = of_runs.iter().map(|(.., end)| *end).fold(0.0, f64::max);
        let points = vec![(0.0, 0.0), (end, clock)];
        if of_runs.iter().any(|(share, ..)| *share < 1.0) {
            plot.marks.push(Mark::Dashed { class: format!("s{colour}"), points });
        } else if !of_runs.is_empty() {
            keeps_up = Some(points);
        }
    }
    if let Some(points) = keeps_up {
        plot.marks.push(Mark::Dashed { class: "s6".to_owned(), points });
    }
    if !plot.marks.iter().any(|mark| matches!(mark, Mark::Dashed { .. })) {
        return;
    }
    plot.legend.push(("flow model".to_owned(), "dashed s6".to_owned()));
    plot.says += " Dashed, what the flow model expects: that machines keep up with the largest clock, and one that is sent \
                  more than it ticks has r/λ of it.";
}

/// The jumps of few machines in one run, event by event.
fn jumps(runs: &Runs<'_>) -> Plot {
    let about = "By how much the Lamport clock of each machine grew from one event to the next.";
    let mut plot = empty("jumps", "Jumps, event by event", about);
    let machines = || runs.machines.iter().flat_map(|member| member.of.iter().map(move |m| (member, *m)));
    let events = machines().map(|(_, machine)| machine.events()).max().unwrap_or(1);
    let curve = |(member, machine): (&Member<'_>, &GatheredMachine)| {
        let (step, points) = &machine.by_event;
        let jumps: Vec<f64> = points.iter().map(|point| as_f64(point.jump)).collect();
        Curve { vm: member.vm, name: member.name(), step: as_f64(*step), extremes: None, mean: jumps }
    };
    let curves: Vec<Curve> = machines().map(curve).collect();
    let most = curves.iter().flat_map(|curve| &curve.mean).copied().fold(1.0, f64::max);
    plot.x = Axis::to("number of the event", as_f64(events));
    plot.y = Axis::to("", most);
    curves::panels(&mut plot, &curves);
    let step = curves.first().map_or(1.0, |curve| curve.step);
    if curves.iter().all(|curve| curve.step.to_bits() == step.to_bits()) {
        let series = curves.into_iter().map(|curve| (curve.name, curve.mean)).collect();
        plot.values = Some(Values { first: step, step, unit: "", series });
    }
    plot
}

/// A picture with nothing in it.
fn empty(name: &'static str, title: &str, says: &str) -> Plot {
    Plot {
        name,
        title: title.to_owned(),
        says: says.to_owned(),
        height: HEIGHT,
        x: Axis::to("", 1.0),
        y: Axis::to("", 1.0),
        rows: Vec::new(),
        marks: Vec::new(),
        legend: Vec::new(),
        values: None,
    }
}
