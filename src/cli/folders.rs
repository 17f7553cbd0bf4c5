//! Where runs are found: the folders that people name, and the one that they mean where they name none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Fatal, complain, unreadable};
use crate::edge::log::{self, Found, LogFolder, MANIFEST};

/// The folder of a run where nothing else is asked for.
pub(super) const OUTPUT: &str = "output";

/// The folders of a run.
#[derive(Debug, Args)]
pub(super) struct Folders {
    /// Folders of a run, or logs; several are the nodes of one distributed run
    #[arg(value_name = "DIR", default_value = OUTPUT)]
    pub(super) folders: Vec<PathBuf>,
}

/// One run, and what it is called here.
pub(super) struct NamedRun {
    pub(super) name: String,
    pub(super) folders: Vec<LogFolder>,
}

impl Folders {
    /// The first of them.
    pub(super) fn first(&self) -> &Path {
        self.folders.first().map_or_else(|| Path::new(OUTPUT), PathBuf::as_path)
    }

    /// The folder of a sweep, where that is what they name.
    pub(super) fn sweep(&self) -> Option<&Path> {
        let [path] = self.folders.as_slice() else { return None };
        let saved = log::read_manifest(&path.join(MANIFEST)).ok()?;
        saved.sweep.is_some().then_some(path)
    }

    /// The run in the folders, where only one is meant.
    pub(super) fn one_run(&self) -> Result<NamedRun, Fatal> {
        let mut runs = self.runs()?;
        match runs.pop() {
            Some(run) if runs.is_empty() => {
                run.folders.iter().filter_map(LogFolder::cut).for_each(|words| complain(&words));
                Ok(run)
            }
            Some(run) => {
                let one = runs.first().map_or(&run.name, |first| &first.name);
                Err(unreadable(format_args!(
                    "there are several runs in the folder: name one of them, such as {one}"
                )))
            }
            None => Err(unreadable("there is no run in the folder")),
        }
    }

    /// The runs in the folders: one, or those of a series.
    pub(super) fn runs(&self) -> Result<Vec<NamedRun>, Fatal> {
        let one =
            |folder: LogFolder| NamedRun { name: folder.path.display().to_string(), folders: vec![folder] };
        if let [path] = self.folders.as_slice() {
            return match log::find(path).map_err(unreadable)? {
                Found::Run(folder) => Ok(vec![one(*folder)]),
                Found::Series(folders) => Ok(folders.into_iter().map(one).collect()),
                Found::Nodes(folders) => Ok(vec![NamedRun { name: path.display().to_string(), folders }]),
            };
        }
        let mut nodes = Vec::with_capacity(self.folders.len());
        let paths = log::find_among(&self.folders).map_err(unreadable)?;
        let (files, folders): (Vec<PathBuf>, Vec<PathBuf>) =
            paths.into_iter().partition(|path| path.is_file());
        let mut beside = BTreeMap::<&Path, Vec<PathBuf>>::new();
        for file in &files {
            beside.entry(file.parent().unwrap_or_else(|| Path::new(""))).or_default().push(file.clone());
        }
        for (folder, logs) in beside {
            nodes.push(log::find_beside(folder, &logs).map_err(unreadable)?);
        }
        for path in &folders {
            match log::find(path).map_err(unreadable)? {
                Found::Run(folder) => nodes.push(*folder),
                Found::Nodes(folders) => nodes.extend(folders),
                Found::Series(_) => {
                    let path = path.display();
                    return Err(unreadable(format_args!(
                        "{path} holds several runs; several folders are the nodes of one run: name one run of each"
                    )));
                }
            }
        }
        log::one_run(&nodes).map_err(unreadable)?;
        let names: Vec<String> = nodes.iter().map(|node| node.path.display().to_string()).collect();
        Ok(vec![NamedRun { name: names.join(" "), folders: nodes }])
    }
}
