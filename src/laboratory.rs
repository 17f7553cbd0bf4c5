//! A run in a program of one's own, without a command line: made, and looked at from its logs.

use std::path::{Path, PathBuf};

use crate::after::check::{self, Report};
use crate::after::history::HistoryError;
use crate::after::stats::{self, Stats};
use crate::edge::control::{Observer, Stop, Unwatched};
use crate::edge::log::{FindError, Found, LogFolder, find};
use crate::model::registry::Registry;
use crate::model::scenario::{Scenario, ScenarioError, Settings};
use crate::model::seed::Seed;
use crate::model::setting::{Holder, Scope};
use crate::runs::run::{Finished, Prepared, Request, RunError};

/// A run that is to be made.
///
/// It does what `clocklab` does with the same settings: it leaves a folder with logs, summary and manifest, and moves
/// an earlier run that it finds there aside. A program that wants the whole command line, and several processes, has
/// [`main_with`](crate::main_with).
#[derive(Clone, Debug)]
pub struct Run {
    settings: Settings,
    registry: Registry,
    folder: PathBuf,
}

/// A run that is over, and what it left.
#[derive(Debug)]
pub struct Made {
    /// How it ended, and what its machines did in sum.
    pub finished: Finished,
    registry: Registry,
    folder: PathBuf,
}

/// Why the logs of a run cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// They are not there, or not those of one run.
    #[error(transparent)]
    Find(#[from] FindError),
    /// They cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The folder has several runs.
    #[error("{} has several runs: look at one of them", .0.display())]
    Several(PathBuf),
}

impl Run {
    /// A run with these settings, of what comes with clocklab, into the folder `output`. What the settings leave open
    /// takes its default, the seed a random number.
    pub fn new(settings: Settings) -> Self {
        Self { settings, registry: Registry::default(), folder: PathBuf::from("output") }
    }

    /// The same with that registry to choose clocks and workloads from.
    #[must_use]
    pub fn with(self, registry: Registry) -> Self {
        Self { registry, ..self }
    }

    /// The same into that folder.
    #[must_use]
    pub fn into_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..self }
    }

    /// Makes the run, and waits for its end.
    ///
    /// # Errors
    ///
    /// Where the settings are wrong or the run cannot start. A failure later on is in what was [`Made`].
    pub fn make(self) -> Result<Made, RunError> {
        let (_stopper, stop) = Stop::new();
        self.make_watched(stop, &mut Unwatched)
    }

    /// The same for who wants to see how far it has come, or may ask it to stop.
    ///
    /// # Errors
    ///
    /// As [`make`](Self::make) says.
    pub fn make_watched(self, stop: Stop, observer: &mut dyn Observer) -> Result<Made, RunError> {
        let Self { settings, registry, folder } = self;
        // It would have to start this program once more, of which it knows nothing.
        for (setting, is_asked) in
            [("processes", settings.processes.is_some()), ("runs", settings.runs.is_some())]
        {
            if is_asked {
                let allowed =
                    "a program's own run is one run in one process; its command line can do more".to_owned();
                return Err(ScenarioError { setting, value: "some".to_owned(), allowed }.into());
            }
        }
        #[expect(clippy::disallowed_methods, reason = "this is where a seed comes from that nobody chose")]
        let drawn = Seed::to_copy(rand::random());
        let scenario = Scenario::of(&registry, &settings, drawn)?;
        let request = Request {
            output: folder.clone(),
            settings: settings.only(|facts| facts.scope >= Scope::Run && facts.scope != Scope::Model),
            restarts: false,
            worker: "",
            spelled: |name| name.into(),
        };
        let finished = Prepared::new(scenario, None, &request)?.run(stop, observer)?;
        Ok(Made { finished, registry, folder })
    }
}

impl Made {
    /// The folder with its logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether its log is right: against the model's rules, what its clocks promise, and the judge of its workload.
    ///
    /// # Errors
    ///
    /// Where the logs cannot be read.
    pub fn check(&self) -> Result<Report, LookError> {
        Ok(check::check(&self.logs()?, &self.registry)?)
    }

    /// Jumps, drift, queues and all else that its log tells.
    ///
    /// # Errors
    ///
    /// Where the logs cannot be read.
    pub fn measure(&self) -> Result<Stats, LookError> {
        Ok(stats::measure(&self.logs()?, &self.registry)?)
    }

    fn logs(&self) -> Result<Vec<LogFolder>, LookError> {
        match find(&self.folder)? {
            Found::Run(folder) => Ok(vec![*folder]),
            Found::Nodes(folders) => Ok(folders),
            Found::Series(_) => Err(LookError::Several(self.folder.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_run_leaves_its_folder_and_can_be_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings("virtual-time = true\nduration = \"5s\"\nseed = 3");
        let made = Run::new(settings).into_folder(folder.path().join("mine")).make().unwrap();
        assert!(made.folder().join("run.toml").exists());
        assert!(made.check().unwrap().is_sound());
        let events: u64 = made.finished.accounts.iter().map(|account| account.tally.events).sum();
        let stats = made.measure().unwrap();
        let measured: f64 = stats.machines.iter().filter_map(|(vm, _)| stats.of(*vm, "events")).sum();
        assert!(events > 0 && (measured - events as f64).abs() < 0.5, "{measured} of {events}");
    }

    #[test]
    fn what_it_cannot_do_is_refused_before_anything_is_there() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["processes = 2", "runs = 3", "workload = \"chess\"", "duration = \"0s\""] {
            let error = Run::new(settings(text)).into_folder(folder.path().join("mine")).make().unwrap_err();
            assert!(error.to_string().starts_with("invalid value"), "{error}");
        }
        assert!(!folder.path().join("mine").exists());
    }
}
