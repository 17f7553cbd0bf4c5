//! The page that a run leaves at its end, where it is small enough to be drawn in no time.

use std::path::Path;

use super::report::write_page;
use super::{FAILED, Fatal, complain, usage};
use crate::edge::driver::Ending;
use crate::model::registry::Registry;
use crate::model::scenario::LogChoice;
use crate::model::text::words;
use crate::runs::run::{Finished, Request};
use crate::show::report::MOST_EVENTS;

words! {
    /// Whether a run leaves a page.
    pub(super) enum ReportChoice {
        On = "on",
        Off = "off",
        /// Where it is small.
        Auto = "auto",
    }
}

/// The most bytes of logs that are read unasked.
const MOST_BYTES: u64 = 20_000_000;

/// Whether and how a run leaves its page.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndReport {
    pub(super) choice: ReportChoice,
    pub(super) is_quiet: bool,
}

impl EndReport {
    /// What the flags ask for.
    ///
    /// # Errors
    ///
    /// Where a page is asked for of a run that leaves no logs, or not all of them here.
    pub(super) fn new(
        choice: ReportChoice,
        request: &Request,
        is_node: bool,
        is_quiet: bool,
    ) -> Result<Self, Fatal> {
        let is_logged = request.settings.log != Some(LogChoice::None);
        let refusal = match (is_logged, is_node) {
            (false, _) => Some("a run with --log none leaves no events to draw"),
            (true, true) => Some(
                "with --nodes this process has the logs of its own machines only; when the run is over, bring the folders of \
                 all nodes together and use: clocklab report DIR0 DIR1 …",
            ),
            (true, false) => None,
        };
        let choice = match (refusal, choice) {
            (Some(why), ReportChoice::On) => {
                return Err(usage(format_args!("invalid value 'on' for '--report': {why}")));
            }
            (Some(_), _) => ReportChoice::Off,
            (None, choice) => choice,
        };
        Ok(Self { choice, is_quiet })
    }

    /// Writes the page of the runs in a folder if that is wanted, and tells of it. The run itself is over and kept whatever
    /// happens here; an exit code is given where the run is complete and the page that was asked for is not there.
    pub(super) fn make(
        &self,
        folder: &Path,
        registry: &Registry,
        ending: &Ending,
        runs: &[&Finished],
    ) -> Option<u8> {
        let is_wanted = match self.choice {
            ReportChoice::On => true,
            ReportChoice::Off => false,
            ReportChoice::Auto => !matches!(ending, Ending::Failed(_)) && is_small(runs),
        };
        if !is_wanted {
            return None;
        }
        match write_page(folder, registry) {
            Ok(page) => {
                self.tell(&page);
                None
            }
            Err(Fatal { message, .. }) if self.choice == ReportChoice::On => {
                complain(&format_args!("error: the run is kept, and its report was not made: {message}"));
                matches!(ending, Ending::Complete).then_some(FAILED)
            }
            Err(Fatal { message, .. }) => {
                complain(&format_args!("warning: no report was made: {message}"));
                None
            }
        }
    }

    fn tell(&self, page: &Path) {
        if !self.is_quiet {
            complain(&format_args!("Open {} in a browser to look at it.", page.display()));
        }
    }
}

/// Whether runs are small enough for a page with all of their events, in well under a second.
fn is_small(runs: &[&Finished]) -> bool {
    let events: u64 = runs.iter().flat_map(|run| &run.accounts).map(|account| account.tally.events).sum();
    let files = runs.iter().flat_map(|run| &run.files);
    let bytes: u64 = files.map(|file| file.metadata().map_or(0, |file| file.len())).sum();
    0 < events && events <= MOST_EVENTS as u64 && bytes <= MOST_BYTES
}
