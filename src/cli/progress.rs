//! The progress bar on the terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::table::grouped;
use crate::control::{Observer, Progress};
use crate::scenario::Scenario;
use crate::time::Nanos;

/// The bar; it goes when it is dropped.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    duration: Nanos,
}

impl Bar {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let duration = scenario.duration();
        let style = ProgressStyle::with_template("{bar:24} {wide_msg}").expect("a sound template");
        let bar = ProgressBar::new(duration.get()).with_style(style.progress_chars("=> "));
        Self { bar, duration }
    }
}

impl Observer for Bar {
    fn progress(&mut self, progress: &Progress) {
        self.bar.set_position(progress.elapsed.min(self.duration).get());
        self.bar.set_message(format!(
            "{:.1} of {:.1} s, {} events, {} messages, longest queue {}",
            progress.elapsed.as_secs_f64(),
            self.duration.as_secs_f64(),
            grouped(progress.events),
            grouped(progress.messages),
            grouped(progress.longest_queue),
        ));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
