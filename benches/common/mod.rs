//! How the benches measure: two things in turn, several times, and the ratio pair by pair. These
//! ratios hold where the machine's speed drifts; single times do not.

#![allow(unreachable_pub, reason = "each bench has its own copy")]

/// The median of some measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures a reference and ours in turn, each in nanoseconds an operation, after one round to warm
/// up; prints the medians and the median of `reference / ours`, which is ours in units of the
/// reference's speed.
pub fn compare(name: &str, rounds: usize, mut reference: impl FnMut() -> f64, mut ours: impl FnMut() -> f64) {
    reference();
    ours();
    let (mut references, mut times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (theirs, mine) = (reference(), ours());
        references.push(theirs);
        times.push(mine);
        ratios.push(theirs / mine);
    }
    let (low, high) = ratios.iter().fold((f64::MAX, f64::MIN), |(low, high), &r| (low.min(r), high.max(r)));
    println!(
        "{name}: reference {:.1} ns, clocklab {:.1} ns, {:.2} of the reference's speed ({low:.2} to {high:.2})",
        median(references),
        median(times),
        median(ratios),
    );
}
