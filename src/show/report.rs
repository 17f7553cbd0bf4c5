//! What people look at after a run: a page that opens from disk, pictures, and a notebook for the exercise.
//!
//! One pass over the logs checks them and a second one measures them and gathers what pictures show; everything else
//! here is drawing. Nothing is printed or written.

mod course;
mod drawing;
mod escape;
mod excerpt;
mod figures;
mod gather;
mod head;
mod notebook;
mod page;
mod plots;
mod series;
mod space_time;
mod sweep;

pub(crate) use notebook::notebook;
pub(crate) use page::{MOST_RUNS, page};
pub(crate) use sweep::{SweepPage, sweep_page};

use self::gather::{Gathered, Gathering};
use crate::after::check::{self, Report};
use crate::after::history::{HistoryError, Model};
use crate::after::stats::{self, Stats};
use crate::edge::log::{LogFolder, SavedManifest};
use crate::model::registry::Registry;
use crate::model::setting::Spelling;
use crate::model::time::{Nanos, TimeWindow};

/// The most events whose rows a page has, over all of its runs.
pub(crate) const MOST_EVENTS: usize = 25_000;

/// One run, ready to be drawn.
#[derive(Debug)]
pub(crate) struct RunView {
    /// What the run is called.
    name: String,
    manifest: Option<SavedManifest>,
    model: Model,
    verdict: Report,
    stats: Stats,
    gathered: Gathered,
    spelled: Spelling,
}

impl RunView {
    /// Reads the logs of one run, of which the folders are the nodes' where there are several. Of its events,
    /// those of a window of time are kept with their rows, as many as `most`.
    ///
    /// # Errors
    ///
    /// Where the logs cannot be read, or are not of one run.
    pub(crate) fn read(
        folders: &[LogFolder],
        registry: &Registry,
        name: String,
        window: TimeWindow,
        most: usize,
        spelled: Spelling,
    ) -> Result<Self, HistoryError> {
        let model = Model::of(folders, registry);
        let logs = folders.iter().map(|folder| folder.logs.len()).sum();
        let mut gathering = Gathering::new(&model, logs, window, most);
        let stats = stats::measure_and_show(folders, registry, &mut |row| gathering.add(row))?;
        let gathered = gathering.finish();
        let verdict = check::check(folders, registry)?;
        let manifest = folders.iter().find_map(|folder| folder.manifest.clone());
        Ok(Self { name, manifest, model, verdict, stats, gathered, spelled })
    }

    /// Whether there is nothing to draw: no event is here, and nothing tells that there was none.
    pub(crate) fn is_empty(&self) -> bool {
        self.stats.is_empty
    }

    /// How many events are in the window, and when the last event of the run happened.
    pub(crate) fn shown(&self) -> (usize, Nanos) {
        (self.gathered.kept.rows.len(), self.gathered.end)
    }
}

/// The pictures of a run as SVG, or of several runs together.
pub(crate) fn pictures(runs: &[&RunView]) -> Vec<Picture> {
    let plots = plots::of(runs);
    let mut pictures: Vec<Picture> = plots
        .into_iter()
        .map(|plot| Picture { name: plot.name, title: plot.title.clone(), svg: plot.file() })
        .collect();
    if let [run] = runs
        && !pictures.is_empty()
    {
        let (title, svg) = ("Space-time diagram".to_owned(), space_time::picture(&run.gathered));
        pictures.push(Picture { name: "space_time", title, svg });
    }
    pictures
}

/// A picture that stands for itself.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// A name for its file.
    pub name: &'static str,
    /// What it shows, as its heading says.
    pub title: String,
    /// The picture as an SVG document of its own.
    pub svg: String,
}
