//! The progress of a sweep on the terminal: runs, the time that is left, and what takes longest.

use indicatif::{ProgressBar, ProgressStyle};

use crate::model::text::grouped;
use crate::runs::sweep::{SweepObserver, SweepProgress};

/// Of a run one part in so many is a step of the bar.
const STEPS: f64 = 1000.0;
/// A run that has made less than this is worth naming.
const NEARLY_OVER: f64 = 0.99;

/// The bar; it goes when it is dropped.
#[derive(Debug)]
pub(super) struct SweepBar {
    bar: ProgressBar,
    is_live: bool,
}

impl SweepBar {
    pub(super) fn new(is_live: bool) -> Self {
        let style = ProgressStyle::with_template("{bar:24} {wide_msg}").expect("a sound template");
        Self { bar: ProgressBar::new(0).with_style(style.progress_chars("=> ")), is_live }
    }
}

impl SweepObserver for SweepBar {
    fn progress(&mut self, progress: &SweepProgress) {
        let steps = |runs: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative; saturates"
            )]
            let steps = (runs * STEPS) as u64;
            steps
        };
        let before = progress.all - progress.now;
        self.bar.set_length(steps(as_f64(progress.now)));
        self.bar.set_position(steps(as_f64(progress.done - before) + progress.under_way));
        let left = self.bar.eta().as_secs_f64();
        self.bar.set_message(words(progress, left, self.is_live));
    }
}

impl Drop for SweepBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How far it has come, in a line.
fn words(progress: &SweepProgress, left: f64, is_live: bool) -> String {
    let mut line =
        format!("{} of {} runs, {} left", grouped(progress.done), grouped(progress.all), length(left));
    if let Some(run) = progress.slowest.as_ref().filter(|run| run.share < NEARLY_OVER) {
        let what = if is_live { "now" } else { "slowest" };
        line += &format!("; {what}: {}, run {}: {:.0} %", run.condition, run.run, run.share * 100.0);
    }
    line
}

/// A length of time as people say it.
pub(super) fn length(seconds: f64) -> String {
    match seconds {
        few if few < 120.0 => format!("{few:.0} s"),
        more if more < 7200.0 => format!("{:.0} min", more / 60.0),
        many => format!("{:.1} h", many / 3600.0),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of runs")]
const fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::sweep::Unfinished;

    #[test]
    fn runs_the_time_left_and_what_is_slowest_are_told() {
        let slowest = Some(Unfinished { condition: "vms=1000".into(), run: 3, share: 0.43 });
        let progress = SweepProgress { done: 12, all: 1000, now: 1000, slowest, under_way: 0.43 };
        assert_eq!(
            words(&progress, 4.2, false),
            "12 of 1,000 runs, 4 s left; slowest: vms=1000, run 3: 43 %"
        );
        assert_eq!(
            words(&progress, 600.0, true),
            "12 of 1,000 runs, 10 min left; now: vms=1000, run 3: 43 %"
        );
        assert_eq!(length(9000.0), "2.5 h");
    }
}
