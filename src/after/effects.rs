//! What the conditions of a sweep do to its measures: of each condition the mean over its runs, and how sure that is.
//!
//! A run counts once, however many machines it has: the machines of a run depend on each other, its runs do not. Of each
//! run a measure is taken of all machines together, or of those whose rate has one rank among them.

use std::collections::BTreeMap;

use crate::edge::log::{ExperimentRow, Rank, SavedExperiment};

/// A measure of a run, from those of its machines.
#[derive(Clone, Copy, Debug)]
pub struct EffectMeasure {
    /// Its name, that of the column it comes from.
    pub name: &'static str,
    /// What it means of a run, in a line.
    pub meaning: &'static str,
    over: Over,
}

/// How the values of a run's machines make one.
#[derive(Clone, Copy, Debug)]
enum Over {
    Mean,
    Largest,
    Smallest,
}

/// The measures whose effects are told: jumps, drift and queues.
pub const EFFECTS: [EffectMeasure; 6] = [
    EffectMeasure {
        name: "jump_mean",
        meaning: "jump of the Lamport clock, mean of the machines",
        over: Over::Mean,
    },
    EffectMeasure { name: "jump_max", meaning: "the largest jump of any machine", over: Over::Largest },
    EffectMeasure {
        name: "drift",
        meaning: "final Lamport clock minus the largest of all, of the machine furthest behind",
        over: Over::Smallest,
    },
    EffectMeasure {
        name: "queue_mean",
        meaning: "messages that wait after an event, mean of the machines",
        over: Over::Mean,
    },
    EffectMeasure { name: "queue_max", meaning: "the longest queue of any machine", over: Over::Largest },
    EffectMeasure { name: "queue_last", meaning: "the longest queue at the end", over: Over::Largest },
];

/// What a sweep's table says of each condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    /// What the columns of a condition are called.
    pub columns: Vec<String>,
    /// The conditions, in the order of the table.
    pub conditions: Vec<ConditionEffects>,
}

/// What it says of one condition.
#[derive(Clone, Debug, PartialEq)]
pub struct ConditionEffects {
    /// What the columns of the condition say.
    pub cells: Vec<String>,
    /// How many of its runs are in the table.
    pub runs: u64,
    /// The numbers of its runs.
    pub numbers: Vec<u32>,
    /// Of each of [`EFFECTS`] what it is of all machines of a run.
    pub whole: Vec<Estimate>,
    /// The same of the machines of one rank.
    pub ranks: BTreeMap<&'static str, Vec<Estimate>>,
    /// Of each run the values of [`EFFECTS`].
    pub each: Vec<Vec<f64>>,
}

/// A mean over runs, and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// How many runs have a value.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Half of the 95 % interval around it, by Student's t; none of a single run.
    pub half: Option<f64>,
}

impl Effects {
    /// What a table says.
    pub fn of(saved: &SavedExperiment) -> Self {
        let find = |measure: &EffectMeasure| saved.measures.iter().position(|name| name == measure.name);
        let places: Vec<Option<usize>> = EFFECTS.iter().map(find).collect();
        let mut runs: Vec<(&[String], u32, Vec<&ExperimentRow>)> = Vec::new();
        for row in &saved.rows {
            match runs.last_mut() {
                Some((cells, run, rows)) if *run == row.run && *cells == row.cells => rows.push(row),
                _ => runs.push((&row.cells, row.run, vec![row])),
            }
        }
        let mut conditions: Vec<(&[String], Vec<Run>)> = Vec::new();
        let mut index = BTreeMap::new();
        for (cells, number, rows) in runs {
            let at = *index.entry(cells).or_insert(conditions.len());
            if at == conditions.len() {
                conditions.push((cells, Vec::new()));
            }
            conditions[at].1.push(Run::of(number, &rows, &places));
        }
        let conditions = conditions.into_iter().map(|(cells, runs)| condition(cells, runs)).collect();
        Self { columns: saved.columns.clone(), conditions }
    }

    /// The values of a column, in the order in which they come, and of each the estimates over the runs of all conditions
    /// that have it.
    pub fn of_column(&self, column: usize) -> Vec<(String, Vec<Estimate>)> {
        let mut levels: Vec<(&str, Vec<&Vec<f64>>)> = Vec::new();
        for condition in &self.conditions {
            let Some(cell) = condition.cells.get(column) else { continue };
            let at = levels.iter().position(|(level, _)| level == cell).unwrap_or(levels.len());
            if at == levels.len() {
                levels.push((cell, Vec::new()));
            }
            levels[at].1.extend(&condition.each);
        }
        let estimates = |runs: &[&Vec<f64>]| {
            (0..EFFECTS.len()).map(|at| Estimate::of(runs.iter().map(|values| values[at]))).collect()
        };
        levels.into_iter().map(|(level, runs)| (level.to_owned(), estimates(&runs))).collect()
    }
}

/// The values of one run.
struct Run {
    number: u32,
    whole: Vec<f64>,
    ranks: BTreeMap<&'static str, Vec<f64>>,
}

impl Run {
    fn of(number: u32, rows: &[&ExperimentRow], places: &[Option<usize>]) -> Self {
        let mut ranks = BTreeMap::new();
        for (name, rank) in RANKS {
            let of_rank: Vec<&ExperimentRow> = rows.iter().copied().filter(|row| row.rank == rank).collect();
            if !of_rank.is_empty() {
                ranks.insert(name, values(&of_rank, places));
            }
        }
        Self { number, whole: values(rows, places), ranks }
    }
}

const RANKS: [(&str, Rank); 4] = [
    ("alike", Rank::Alike),
    ("slowest", Rank::Slowest),
    ("middle", Rank::Middle),
    ("fastest", Rank::Fastest),
];

/// The values of [`EFFECTS`], which stand at these places of a row.
fn values(rows: &[&ExperimentRow], places: &[Option<usize>]) -> Vec<f64> {
    let value = |(measure, place): (&EffectMeasure, &Option<usize>)| {
        let each = || rows.iter().filter_map(|row| row.values.get((*place)?).copied().flatten());
        match measure.over {
            Over::Mean => each().sum::<f64>() / as_f64(each().count() as u64),
            Over::Largest => each().fold(f64::NEG_INFINITY, f64::max),
            Over::Smallest => each().fold(f64::INFINITY, f64::min),
        }
    };
    EFFECTS.iter().zip(places).map(value).collect()
}

fn condition(cells: &[String], runs: Vec<Run>) -> ConditionEffects {
    let estimates = |values: &dyn Fn(&Run) -> Option<&Vec<f64>>| -> Vec<Estimate> {
        (0..EFFECTS.len())
            .map(|at| Estimate::of(runs.iter().filter_map(values).map(|values| values[at])))
            .collect()
    };
    let of_rank = |(name, _): (&'static str, Rank)| {
        let is_there = runs.iter().any(|run| run.ranks.contains_key(name));
        is_there.then(|| (name, estimates(&|run| run.ranks.get(name))))
    };
    ConditionEffects {
        cells: cells.to_vec(),
        runs: runs.len() as u64,
        numbers: runs.iter().map(|run| run.number).collect(),
        whole: estimates(&|run| Some(&run.whole)),
        ranks: RANKS.into_iter().filter_map(of_rank).collect(),
        each: runs.into_iter().map(|run| run.whole).collect(),
    }
}

impl Estimate {
    /// The mean of a sample, and half of its 95 % interval.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        // Welford's sums: what is subtracted is near to what it is subtracted from.
        let (mut count, mut mean, mut squares) = (0_u64, 0.0, 0.0);
        for value in values.filter(|value| value.is_finite()) {
            count += 1;
            let away = value - mean;
            mean += away / as_f64(count);
            squares += away * (value - mean);
        }
        let half = (count > 1).then(|| {
            let deviation = (squares / as_f64(count - 1)).sqrt();
            student(count - 1) * deviation / as_f64(count).sqrt()
        });
        Self { count, mean, half }
    }
}

/// What Student's t with so many degrees of freedom exceeds, either way, in one of twenty cases.
fn student(freedom: u64) -> f64 {
    const FEW: [f64; 30] = [
        12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788,
        2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639,
        2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
    ];
    /// The same of the normal distribution.
    const NORMAL: f64 = 1.959_964;
    let few = usize::try_from(freedom).ok().and_then(|freedom| FEW.get(freedom.checked_sub(1)?));
    few.copied().unwrap_or_else(|| {
        // Fisher's expansion, good to four digits beyond 30 (Abramowitz and Stegun 26.7.5).
        let (z, n) = (NORMAL, as_f64(freedom.max(1)));
        z + (z.powi(3) + z) / (4.0 * n) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n)
    })
}

#[expect(clippy::cast_precision_loss, reason = "a number of runs")]
const fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::VmId;

    fn row(cell: &str, run: u32, vm: u32, rank: Rank, jump: f64, drift: f64) -> ExperimentRow {
        let values = vec![Some(jump), Some(jump), Some(drift), None];
        ExperimentRow { cells: vec![cell.into()], run, vm: VmId(vm), rank, values }
    }

    #[test]
    fn a_run_counts_once_and_its_interval_is_students() {
        let mut rows = Vec::new();
        for (run, jump) in [(1, 1.0), (2, 2.0), (3, 3.0)] {
            rows.push(row("a", run, 0, Rank::Fastest, jump, 0.0));
            rows.push(row("a", run, 1, Rank::Slowest, jump + 2.0, -f64::from(run)));
        }
        rows.push(row("b", 1, 0, Rank::Alike, 9.0, 0.0));
        let effects = Effects::of(&SavedExperiment {
            columns: vec!["rates".into()],
            measures: ["jump_mean", "jump_max", "drift", "vector"].map(str::to_owned).into(),
            rows,
        });
        let [a, b] = effects.conditions.as_slice() else { panic!("two conditions") };
        let [mean, largest, drift, ..] = a.whole.as_slice() else { panic!("measures") };
        assert_eq!((a.runs, mean.count, mean.mean, largest.mean, drift.mean), (3, 3, 3.0, 4.0, -2.0));
        // The deviation is 1; 4.3027 / √3.
        assert!((mean.half.unwrap() - 2.4842).abs() < 1e-3, "{mean:?}");
        assert_eq!((b.whole[0].mean, b.whole[0].half), (9.0, None));
        assert_eq!(a.ranks.keys().copied().collect::<Vec<_>>(), ["fastest", "slowest"]);
        assert_eq!((a.ranks["fastest"][0].mean, a.ranks["slowest"][0].mean), (2.0, 4.0));
        let levels = effects.of_column(0);
        assert_eq!((levels[0].0.as_str(), levels[1].1[0].mean), ("a", 9.0));
    }

    #[test]
    fn the_quantiles_go_on_smoothly() {
        assert!((student(31) - 2.0395).abs() < 1e-3 && (student(1000) - 1.9623).abs() < 1e-3);
        assert!((1..100).all(|freedom| student(freedom) > student(freedom + 1)));
    }
}
