//! Curves of machines: each in the same frame, each in a panel of its own, or bands of many.

use super::super::drawing::{Axis, Mark, Plot, number};
use super::super::gather::as_f64;
use super::Member;
use crate::model::id::VmId;

/// Extremes of several runs, the smaller ones first.
type Extremes = (Vec<f64>, Vec<f64>);

/// A machine's values at equal steps; of several runs their mean and their extremes.
pub(super) struct Curve {
    pub(super) vm: VmId,
    pub(super) name: String,
    pub(super) step: f64,
    pub(super) mean: Vec<f64>,
    pub(super) extremes: Option<Extremes>,
}

impl Curve {
    /// A machine's curve from the columns of all machines in all runs.
    pub(super) fn of(member: &Member<'_>, columns: &[(VmId, Vec<f64>)], step: f64) -> Self {
        let own = columns.iter().filter(|(vm, _)| *vm == member.vm);
        let own: Vec<&[f64]> = own.map(|(_, column)| column.as_slice()).collect();
        let count = as_f64(own.len() as u64);
        let at = |fold: fn(f64, f64) -> f64| {
            let steps = 0..own.first().map_or(0, |column| column.len());
            steps.map(|k| own.iter().map(|column| column[k]).reduce(fold).unwrap_or(0.0)).collect()
        };
        let (low, high, sum): (_, _, Vec<f64>) = (at(f64::min), at(f64::max), at(|a, b| a + b));
        Self {
            vm: member.vm,
            name: member.name(),
            step,
            mean: sum.into_iter().map(|sum| sum / count).collect(),
            extremes: (own.len() > 1).then_some((low, high)),
        }
    }
}

/// Every so-many-th value: those at the ends of longer steps.
pub(super) fn thin(column: Vec<f64>, every: f64) -> Vec<f64> {
    if every <= 1.0 {
        return column;
    }
    let is_end = |k: usize| (as_f64(k as u64 + 1) / every).fract() < 1e-9;
    let last = column.len();
    let kept = column.into_iter().enumerate().filter(|(k, _)| is_end(*k) || k + 1 == last);
    kept.map(|(_, value)| value).collect()
}

/// Values at the ends of the steps.
fn at_steps(column: &[f64], step: f64) -> Vec<(f64, f64)> {
    (1_u32..).zip(column).map(|(k, value)| (f64::from(k) * step, *value)).collect()
}

/// Few machines in one frame.
pub(super) fn lines(plot: &mut Plot, curves: &[Curve]) {
    for (colour, curve) in curves.iter().enumerate() {
        if let Some((low, high)) = &curve.extremes {
            let (low, high) = (at_steps(low, curve.step), at_steps(high, curve.step));
            plot.marks.push(Mark::Band { class: format!("pale f{colour}"), low, high });
        }
    }
    for (colour, curve) in curves.iter().enumerate() {
        plot.marks.push(Mark::Steps { colour, points: at_steps(&curve.mean, curve.step) });
        plot.legend.push((curve.name.clone(), format!("f{colour}")));
    }
}

/// Few machines, each in a strip from 0 to the largest value of all, or down to the smallest.
pub(super) fn panels(plot: &mut Plot, curves: &[Curve]) {
    let (count, scale) = (as_f64(curves.len() as u64), plot.y.most.max(-plot.y.least));
    let is_downwards = plot.y.least < 0.0;
    for (colour, curve) in curves.iter().enumerate() {
        let bottom = count - as_f64(colour as u64) - 1.0;
        let base = if is_downwards { bottom + 0.92 } else { bottom + 0.08 };
        let outline = |values: &[f64]| {
            let mut outline = Vec::with_capacity(2 * values.len());
            let mut from = 0.0;
            for (to, value) in at_steps(values, curve.step) {
                let height = base + 0.82 * value / scale;
                outline.extend([(from, height), (to, height)]);
                from = to;
            }
            outline
        };
        let flat = vec![(0.0, base), (as_f64(curve.mean.len() as u64) * curve.step, base)];
        let outermost = curve.extremes.as_ref().map(|(low, high)| if is_downwards { low } else { high });
        if let Some(outermost) = outermost {
            let class = format!("pale f{colour}");
            plot.marks.push(Mark::Band { class, low: flat.clone(), high: outline(outermost) });
        }
        let class = format!("strip f{colour}");
        plot.marks.push(Mark::Band { class, low: flat.clone(), high: outline(&curve.mean) });
        plot.marks.push(Mark::Line { colour: 6, points: flat });
        let all = outermost.unwrap_or(&curve.mean).iter().copied();
        let extreme = all.fold(0.0, if is_downwards { f64::min } else { f64::max });
        let word = if is_downwards { "down to" } else { "up to" };
        plot.rows.push(format!("VM {}\n{word} {}", curve.vm, number(extreme)));
        plot.legend.push((curve.name.clone(), format!("f{colour}")));
    }
    plot.y = Axis::to("", count);
}

/// Many machines: where half of them, most of them and all of them are.
pub(super) fn bands(plot: &mut Plot, columns: &[Vec<f64>], step: f64) -> Vec<(String, Vec<f64>)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_of_several_runs_has_their_mean_and_extremes() {
        let member = Member { vm: VmId(1), rate: None, of: Vec::new() };
        let columns = [(VmId(1), vec![1.0, 2.0]), (VmId(0), vec![9.0, 9.0]), (VmId(1), vec![3.0, 8.0])];
        let curve = Curve::of(&member, &columns, 1.0);
        assert_eq!(curve.mean, [2.0, 5.0]);
        assert_eq!(curve.extremes, Some((vec![1.0, 2.0], vec![3.0, 8.0])));
        assert_eq!(Curve::of(&member, &columns[..2], 1.0).extremes, None);
    }

    #[test]
    fn longer_steps_keep_what_stands_at_their_ends() {
        assert_eq!(thin(vec![1.0, 2.0, 3.0, 4.0, 5.0], 2.0), [2.0, 4.0, 5.0]);
        assert_eq!(thin(vec![1.0, 2.0], 1.0), [1.0, 2.0]);
    }
}
