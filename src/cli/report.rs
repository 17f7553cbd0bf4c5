//! `clocklab report`: makes the page, the pictures and the notebook of runs, and writes them beside the logs.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::folders::{Folders, NamedRun};
use super::spelling::with_flags;
use super::sweep::effects;
use super::{Fatal, failed, say, unreadable, usage};
use crate::after::effects::Effects;
use crate::edge::input;
use crate::edge::log::{
    self, MANIFEST, NOTEBOOK, REPORT, condition_folder_name, picture_name, run_folder_name,
};
use crate::model::experiment::{Outline, OutlinedCondition};
use crate::model::registry::Registry;
use crate::model::scenario::Settings;
use crate::model::time::TimeWindow;
use crate::show::report::{self, MOST_EVENTS, RunView, SweepPage};

const REPORTED: &str = "\
The page report.html holds everything it needs and opens from disk: what was run and the verdict of check, the
machines in a table, the space-time diagram, plots of clocks, drift, queues, jumps and kinds of events, and what
stats measures beside what theory expects. It is written into the folder (the first, where several are named); a
page that is there already is replaced. A run of up to 25,000 events has made its own: see --report.

  clocklab report                        the run in output/, or all runs of a series side by side
  clocklab report --window 20s-30s       the diagram of these ten seconds, of a run with very many events
  clocklab report --svg                  the plots and the beginning of the diagram as SVG files too
  clocklab report --notebook             a lab notebook for the exercise too, with the plots in it

In the page's address, #event=vm0-17 chooses an event, #order=vm0-17,vm2-9 asks for the order of two, and
#run=2&event=vm0-17 does so in the second run of a series.";

/// The flags of `report`.
#[derive(Debug, Args)]
#[command(after_long_help = REPORTED)]
pub(super) struct ReportFlags {
    #[command(flatten)]
    folders: Folders,
    /// Where the page goes [default: report.html in the folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The part of the run that the space-time diagram shows, such as 20s-30s [default: all, or its beginning]
    #[arg(long, value_name = "FROM-TO", allow_hyphen_values = true)]
    window: Option<TimeWindow>,
    /// Write the plots as SVG files beside the logs too
    #[arg(long)]
    svg: bool,
    /// Write a lab notebook in Markdown too, with the plots as SVG files; one that is there is left alone
    #[arg(long)]
    notebook: bool,
}

/// Makes what is asked for, and prints the names of the files.
pub(super) fn run(flags: &ReportFlags, registry: &Registry) -> Result<ExitCode, Fatal> {
    if let Some(folder) = flags.folders.sweep() {
        return sweep(flags, folder, registry);
    }
    let runs = flags.folders.runs()?;
    let folder = home(flags.folders.first());
    let page = flags.out.clone().unwrap_or_else(|| folder.join(REPORT));
    if let Some(out) = &flags.out {
        refuse_names_of_a_run(out)?;
    }
    refuse_others(&page)?;
    let notebook = folder.join(NOTEBOOK);
    if flags.notebook && notebook.exists() {
        return Err(unreadable(format_args!(
            "{} is there already, perhaps with words of yours in it: move it away first",
            notebook.display()
        )));
    }
    let views = views(&runs, registry, flags.window.unwrap_or(TimeWindow::WHOLE))?;
    refuse_nothing(&views, flags.window)?;
    let mut written = vec![page.clone()];
    write(&page, &report::page(&views, series(folder, &runs).as_ref()))?;
    if flags.svg || flags.notebook {
        write_pictures(folder, &runs, &views, &mut written)?;
    }
    if flags.notebook {
        let link = |run: Option<usize>, picture: &str| {
            run.map_or_else(|| picture_name(picture), |run| link(folder, runs.get(run), picture))
        };
        write(&notebook, &report::notebook(&views, &link))?;
        written.push(notebook);
    }
    let names: String = written.iter().map(|path| format!("{}\n", path.display())).collect();
    say(&names).map_err(|error| failed("cannot print the names of the files", &error))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the page of a sweep.
fn sweep(flags: &ReportFlags, folder: &Path, registry: &Registry) -> Result<ExitCode, Fatal> {
    let asked = [("window", flags.window.is_some()), ("svg", flags.svg), ("notebook", flags.notebook)];
    if let Some((flag, _)) = asked.into_iter().find(|(_, is_asked)| *is_asked) {
        return Err(usage(format_args!(
            "--{flag} goes with a run or a series, and {folder} holds a sweep: name one of its conditions, such as \
             {folder}/condition_1",
            folder = folder.display()
        )));
    }
    let page = flags.out.clone().unwrap_or_else(|| folder.join(REPORT));
    if let Some(out) = &flags.out {
        refuse_names_of_a_run(out)?;
    }
    write_sweep_page(folder, &page, registry)?;
    say(&format_args!("{}\n", page.display()))
        .map_err(|error| failed("cannot print the names of the files", &error))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of the sweep in a folder, with the first runs of its conditions where they are logged.
pub(super) fn write_sweep_page(folder: &Path, page: &Path, registry: &Registry) -> Result<(), Fatal> {
    refuse_others(page)?;
    let effects = effects(folder)?;
    let saved = log::read_manifest(&folder.join(MANIFEST)).map_err(unreadable)?;
    let outline = saved.sweep.map(|section| section.outline).unwrap_or_default();
    let runs = sweep_runs(folder, &effects, &outline)?;
    let views = views(&runs, registry, TimeWindow::WHOLE)?;
    let command = format!("clocklab sweep --scenario {}", folder.join(MANIFEST).display());
    let seed = saved.settings.seed.map(|seed| seed.0);
    let sweep = SweepPage { effects: &effects, seed, command, runs: &views };
    write(page, &report::sweep_page(&sweep))
}

/// As many runs as a page has room for: the first of every condition, then the second of every one, and so on.
fn sweep_runs(folder: &Path, effects: &Effects, outline: &Outline) -> Result<Vec<NamedRun>, Fatal> {
    let cells = |condition: &OutlinedCondition| {
        condition.name.iter().chain(&condition.values).cloned().collect::<Vec<String>>()
    };
    let numbers: HashMap<Vec<String>, usize> = outline.conditions.iter().map(cells).zip(1..).collect();
    let most = effects.conditions.iter().map(|condition| condition.numbers.len()).max().unwrap_or(0);
    let each = |nth: usize| {
        let numbers = &numbers;
        let conditions = effects.conditions.iter();
        conditions.filter_map(move |condition| {
            Some((*numbers.get(&condition.cells)?, *condition.numbers.get(nth)?))
        })
    };
    let home = |(condition, run): (usize, u32)| {
        folder.join(condition_folder_name(condition)).join(run_folder_name(run))
    };
    let homes = (0..most).flat_map(each).map(home).filter(|home| home.is_dir()).take(report::MOST_RUNS);
    let mut homes: Vec<PathBuf> = homes.collect();
    homes.sort_by_key(|home| natural(home));
    homes.into_iter().map(|home| Folders { folders: vec![home] }.runs()).try_fold(
        Vec::new(),
        |mut all, runs| {
            all.extend(runs?);
            Ok(all)
        },
    )
}

/// A path by the numbers in it.
fn natural(path: &Path) -> Vec<u64> {
    let text = path.to_string_lossy();
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// A page of no event at all would look as if nothing had happened.
fn refuse_nothing(views: &[RunView], window: Option<TimeWindow>) -> Result<(), Fatal> {
    if views.iter().all(RunView::is_empty) {
        return Err(unreadable("the logs have no events: there is nothing to draw"));
    }
    let shown = || views.iter().map(RunView::shown);
    match window {
        Some(window) if shown().all(|(events, _)| events == 0) => {
            let end = shown().map(|(_, end)| end).max().unwrap_or_default();
            Err(unreadable(format_args!(
                "no event is in the window {window}: the run has events up to {:.3} s",
                end.as_secs_f64()
            )))
        }
        _ => Ok(()),
    }
}

/// A page under the name of a log or a manifest would be taken for one.
fn refuse_names_of_a_run(out: &Path) -> Result<(), Fatal> {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name != REPORT && log::is_run_file(&name) {
        return Err(usage(format_args!(
            "invalid value '{}' for '--out': a file of that name belongs to a run; choose another one",
            out.display()
        )));
    }
    Ok(())
}

/// Writes the pictures of each run beside its logs, and those of all of a series beside its table.
fn write_pictures(
    folder: &Path,
    runs: &[NamedRun],
    views: &[RunView],
    written: &mut Vec<PathBuf>,
) -> Result<(), Fatal> {
    let home_of = |run: &NamedRun| run.folders.first().map_or(folder, |folder| home(&folder.path)).to_owned();
    let each = runs.iter().zip(views).map(|(run, view)| (home_of(run), vec![view]));
    let all = (views.len() > 1).then(|| (folder.to_owned(), views.iter().collect()));
    for (beside, views) in each.chain(all) {
        for picture in report::pictures(&views) {
            let path = beside.join(picture_name(picture.name));
            write(&path, &picture.svg)?;
            written.push(path);
        }
    }
    Ok(())
}

/// Writes the page of the run or the series in a folder beside its logs.
pub(super) fn write_page(folder: &Path, registry: &Registry) -> Result<PathBuf, Fatal> {
    let page = folder.join(REPORT);
    refuse_others(&page)?;
    let runs = Folders { folders: vec![folder.to_owned()] }.runs()?;
    let views = views(&runs, registry, TimeWindow::WHOLE)?;
    write(&page, &report::page(&views, series(folder, &runs).as_ref()))?;
    Ok(page)
}

/// The settings of a series, whose runs are in a folder.
fn series(folder: &Path, runs: &[NamedRun]) -> Option<Settings> {
    log::read_settings(&folder.join(MANIFEST)).ok().filter(|_| runs.len() > 1)
}

/// The runs, ready to be drawn; together they show no more events than a page has room for.
fn views(runs: &[NamedRun], registry: &Registry, window: TimeWindow) -> Result<Vec<RunView>, Fatal> {
    let most = (MOST_EVENTS / runs.len().max(1)).max(1);
    let view = |run: &NamedRun| {
        RunView::read(&run.folders, registry, run.name.clone(), window, most, with_flags).map_err(unreadable)
    };
    runs.iter().map(view).collect()
}

/// The folder of a run that is named by its folder or by one log.
fn home(path: &Path) -> &Path {
    if path.is_file() { path.parent().unwrap_or(path) } else { path }
}

/// How a notebook in a folder calls a picture that is beside a run's logs.
fn link(folder: &Path, run: Option<&NamedRun>, picture: &str) -> String {
    let name = picture_name(picture);
    let beside = run.and_then(|run| run.folders.first()).map(|run| home(&run.path));
    match beside.and_then(|beside| beside.strip_prefix(folder).ok()) {
        Some(within) => within.join(name).display().to_string(),
        None => name,
    }
}

/// A file that is no page of ours is not replaced.
fn refuse_others(path: &Path) -> Result<(), Fatal> {
    let is_empty = |path: &Path| {
        let file = fs::metadata(path)?;
        input::refuse_others(&file).map(|()| file.len() == 0)
    };
    match is_empty(path).and_then(|is_empty| Ok(is_empty || log::is_report(path)?)) {
        Ok(true) => Ok(()),
        Ok(false) => Err(unreadable(format_args!(
            "{} is no page of clocklab report and is not replaced: name another file with --out",
            path.display()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unreadable(format_args!("cannot write {}: {error}", path.display()))),
    }
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Fatal> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new"));
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    });
    written.map_err(|error| failed(&format!("cannot write {}", path.display()), &error))
}
