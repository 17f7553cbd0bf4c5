//! The progress bar on the terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::spelling::with_flags;
use crate::edge::control::{Observer, Progress};
use crate::model::text::{Tame, grouped};
use crate::model::time::Nanos;

/// The bar; it goes when it is dropped.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    duration: Nanos,
    is_virtual: bool,
}

impl Bar {
    /// A bar for that much time, which passes by itself or, if it is virtual, as it is computed.
    pub(super) fn new(duration: Nanos, is_virtual: bool) -> Self {
        let style = ProgressStyle::with_template("{bar:24} {wide_msg}").expect("a sound template");
        let bar = ProgressBar::new(duration.get()).with_style(style.progress_chars("=> "));
        Self { bar, duration, is_virtual }
    }
}

impl Observer for Bar {
    fn progress(&mut self, progress: &Progress) {
        self.bar.set_position(progress.elapsed.min(self.duration).get());
        let (elapsed, duration) = (progress.elapsed.as_secs_f64(), self.duration.as_secs_f64());
        let (events, messages) = (grouped(progress.events), grouped(progress.messages));
        let queue = grouped(progress.longest_queue);
        let so_far = format!(
            "{elapsed:.1} of {duration:.1} s, {events} events, {messages} messages, longest queue {queue}"
        );
        self.bar.set_message(if self.is_virtual {
            format!("{so_far}{}", self.speed(progress.events))
        } else {
            so_far
        });
    }

    fn notice(&mut self, text: &str) {
        self.bar.println(Tame(&with_flags(text)).to_string());
    }
}

impl Bar {
    /// How fast virtual time is computed, and how long it will take.
    fn speed(&self, events: u64) -> String {
        let seconds = self.bar.elapsed().as_secs_f64().max(1e-9);
        #[expect(clippy::cast_precision_loss, reason = "a speed for people to read")]
        let millions = events as f64 / seconds / 1e6;
        format!(", {millions:.2} million events/s, {:.0} s left", self.bar.eta().as_secs_f64())
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
