//! Whose logs are read: clocklab's own, or those of other programs.

use clap::Args;

use super::folders::Folders;
use super::{Fatal, unreadable};
use crate::edge::log::LogFolder;
use crate::edge::trace::{self, Trace};
use crate::model::text::words;

/// Logs, and who wrote them.
#[derive(Debug, Args)]
pub(super) struct Source {
    #[command(flatten)]
    pub(super) folders: Folders,
    /// Who wrote the logs: clocklab, shiviz (ShiViz, GoVector and others that write vector clocks as JSON)
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Clocklab)]
    pub(super) from: Format,
}

words! {
    /// Whose format the logs that are named have.
    pub(super) enum Format {
        Clocklab = "clocklab",
        /// Programs that write for ShiViz.
        Shiviz = "shiviz",
    }
}

/// The logs of one run.
pub(super) enum Logs {
    /// Of clocklab, of which the folders are the nodes' where there are several.
    NamedRun(Vec<LogFolder>),
    /// Of another program: all runs of its files, in memory.
    Trace(Box<Trace>),
}

impl Source {
    /// The runs in the folders or files, each with its name.
    pub(super) fn runs(&self) -> Result<Vec<(String, Logs)>, Fatal> {
        match self.from {
            Format::Clocklab => {
                let runs = self.folders.runs()?;
                Ok(runs.into_iter().map(|run| (run.name, Logs::NamedRun(run.folders))).collect())
            }
            Format::Shiviz => {
                let paths: Vec<String> =
                    self.folders.folders.iter().map(|path| path.display().to_string()).collect();
                let name = |trace: &Trace| match trace.label.as_str() {
                    "" => paths.join(" "),
                    label => format!("{}, {label}", paths.join(" ")),
                };
                let traces = trace::read(&self.folders.folders).map_err(unreadable)?;
                Ok(traces.into_iter().map(|trace| (name(&trace), Logs::Trace(Box::new(trace)))).collect())
            }
        }
    }
}

impl Folders {
    /// The run of another program in the files, where there is only one.
    pub(super) fn one_trace(&self) -> Result<Trace, Fatal> {
        let mut traces = trace::read(&self.folders).map_err(unreadable)?;
        match traces.pop() {
            Some(trace) if traces.is_empty() => Ok(trace),
            _ => {
                Err(unreadable("there are several runs in the log, and events are of one: give each a file"))
            }
        }
    }
}
