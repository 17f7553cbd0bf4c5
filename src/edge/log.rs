//! What a run leaves behind: the CSV schema, its writer and its reader, the summary, the manifest, the folder.
//!
//! Only this module knows the names of columns and files.

mod bridge;
mod cell;
mod clock_cells;
mod conditions;
mod experiment;
mod file;
mod folder;
mod found;
mod frontier;
mod layout;
mod manifest;
mod reader;
mod recover;
mod row;
mod saved_again;
mod schema;
mod summary;

pub use bridge::{BridgeLog, BridgeRow, Happening, Traffic};
pub use cell::json_list;
pub use clock_cells::{ClockCell, ClockColumn, clock_cells, large, square};
pub use conditions::{parse_conditions, read_conditions};
pub use experiment::{
    ExperimentRow, ExperimentRows, ExperimentTable, Rank, RunsByPlace, SavedExperiment, TableError,
    read_experiment, read_runs,
};
pub use file::{FileEntry, LogError, LogFile};
pub use folder::{FolderError, RunFolder};
pub use found::{Bridge, FindError, Found, LogFolder, LogPath, find, find_among, find_beside, one_run};
pub use frontier::Frontier;
pub use layout::{Layout, LayoutError, OpenFiles};
pub use manifest::{
    Drawn, Manifest, ManifestError, Room, RunSection, SavedManifest, Status, SweepSection, Unfinished,
    read_manifest, read_settings, read_unfinished,
};
pub use reader::{Columns, EventKind, ReadError, Row, RowReader};
pub use recover::{Passed, Recovered, RecoveredLog, ResumeError, recover};
pub use row::{Column, RowFormat, columns};
pub(crate) use saved_again::as_written;
pub use schema::{Schema, UnknownSchemaError};
pub use summary::{write_runs, write_summary};

use std::fs;
use std::io::{self, Read};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use crate::edge::input;
use crate::model::id::VmId;
use crate::model::time::Rate;

/// The name of the summary, one row a machine.
pub const SUMMARY: &str = "summary.csv";
/// The name of the manifest.
pub const MANIFEST: &str = "run.toml";
/// The name of the table of several runs, one row a run and machine.
pub const RUNS: &str = "runs.csv";
/// The name of the table of a sweep, one row a run and machine.
pub const EXPERIMENT: &str = "experiment.csv";
/// The folder to which earlier runs are moved.
pub const PREVIOUS: &str = "previous";

/// The name of the page about a run, where one was made.
pub const REPORT: &str = "report.html";
/// What such a page has near its beginning, by which it is told from other people's files of that name.
pub const REPORT_MARK: &str = "<meta name=\"generator\" content=\"clocklab report\">";
/// The name of the notebook about a run, where one was made.
pub const NOTEBOOK: &str = "notebook.md";

/// What the name of a log's torn last rows has after the log's own.
const TORN: &str = ".torn";

/// The name of one machine's own log.
pub fn vm_log_name(vm: VmId, rate: Rate) -> String {
    format!("vm_{vm}_{rate}.csv")
}

/// The name of a log shared by the machines from `first` to `last`.
pub fn combined_log_name(first: VmId, last: VmId) -> String {
    format!("vms_{first}-{last}.csv")
}

/// The logs in a folder of those machines, by their first.
pub fn logs_of(folder: &Path, machines: Range<u32>) -> Vec<PathBuf> {
    let first = |name: &str| machines_of(name).map(|machines| machines.start().0);
    let names = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let logs = names.filter_map(|name| Some((first(&name)?, name)));
    let mut logs: Vec<_> = logs.filter(|(first, _)| machines.contains(first)).collect();
    logs.sort_unstable();
    logs.into_iter().map(|(_, name)| folder.join(name)).collect()
}

/// The name of one of the pictures of a run, where they were made.
pub fn picture_name(picture: &str) -> String {
    format!("report_{picture}.svg")
}

/// The name of the log of the bridge of one process of a distributed run.
pub fn bridge_log_name(node: u32) -> String {
    format!("bridge_{node}.csv")
}

/// Where the torn last rows of a log go when a run goes on with it: a file beside it.
fn torn_name(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(TORN);
    name.into()
}

/// The name of the folder of one of several runs.
pub fn run_folder_name(run: u32) -> String {
    format!("run_{run}")
}

/// The name of the folder of one node where all of them share a place.
pub fn node_folder_name(node: u32) -> String {
    format!("node_{node}")
}

/// The name of the folder of the runs of one condition of a sweep, by its number from 1.
pub fn condition_folder_name(condition: usize) -> String {
    format!("condition_{condition}")
}

/// Whether a folder of that name is that of one condition.
fn is_condition_folder(name: &str) -> bool {
    name.strip_prefix("condition_").is_some_and(is_digits)
}

/// Whether a folder of that name is that of one node.
fn is_node_folder(name: &str) -> bool {
    name.strip_prefix("node_").is_some_and(is_digits)
}

/// Whether a folder of that name is one of several runs.
fn is_run_folder(name: &str) -> bool {
    name.strip_prefix("run_").is_some_and(is_digits)
}

/// Whether a file of that name is a log.
fn is_log(name: &str) -> bool {
    machines_of(name).is_some()
}

/// The node of whose bridge a file of that name is the log.
fn node_of_bridge_log(name: &str) -> Option<u32> {
    let number = name.strip_prefix("bridge_")?.strip_suffix(".csv")?;
    if is_digits(number) { number.parse().ok() } else { None }
}

/// Whether a file is a page about a run, by how it begins.
///
/// # Errors
///
/// Where it cannot be read.
pub fn is_report(path: &Path) -> io::Result<bool> {
    const BEGINNING: u64 = 1024;
    let mut beginning = Vec::new();
    input::open(path)?.take(BEGINNING).read_to_end(&mut beginning)?;
    Ok(memchr::memmem::find(&beginning, REPORT_MARK.as_bytes()).is_some())
}

/// The machines that a log has by its name, where clocklab named it.
fn machines_of(name: &str) -> Option<RangeInclusive<VmId>> {
    let name = name.strip_suffix(".csv")?;
    let number = |text: &str| if is_digits(text) { text.parse().ok().map(VmId) } else { None };
    if let Some((vm, rate)) = name.strip_prefix("vm_").and_then(|rest| rest.split_once('_')) {
        let vm = number(vm)?;
        let (whole, decimals) = rate.split_once('.').unwrap_or((rate, "0"));
        return (is_digits(whole) && is_digits(decimals)).then_some(vm..=vm);
    }
    let (first, last) = name.strip_prefix("vms_")?.split_once('-')?;
    Some(number(first)?..=number(last)?)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a file of that name belongs to a run, rather than to the person whose folder it is.
pub fn is_run_file(name: &str) -> bool {
    let is_log =
        is_log(name) || name.strip_suffix(TORN).is_some_and(is_log) || node_of_bridge_log(name).is_some();
    // A manifest or a page that was being written when its run was killed.
    let is_draft = name.strip_prefix('.').is_some_and(|rest| {
        rest.starts_with("run.toml.") || rest == "report.html.new" || rest == "experiment.csv.new"
    });
    let is_picture = name.starts_with("report_") && name.ends_with(".svg");
    [SUMMARY, MANIFEST, RUNS, EXPERIMENT, REPORT, NOTEBOOK, frontier::FRONTIER].contains(&name)
        || is_log
        || is_draft
        || is_picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_files_are_told_from_other_peoples() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        let (whole, half) = (vm_log_name(VmId(12), rate("6")), vm_log_name(VmId(0), rate("0.5")));
        assert_eq!((whole.as_str(), half.as_str()), ("vm_12_6.csv", "vm_0_0.5.csv"));
        for name in [SUMMARY, MANIFEST, &whole, &half, &combined_log_name(VmId(0), VmId(499))] {
            assert!(is_run_file(name), "{name}");
        }
        assert_eq!(machines_of(&half), Some(VmId(0)..=VmId(0)));
        assert!(is_run_file("bridge_0.csv") && is_run_file(".run.toml.20260101T000000Z-1f"));
        assert!(is_run_file(".report.html.new") && is_run_file(".frontier"));
        assert!(is_run_file(REPORT) && is_run_file(NOTEBOOK) && is_run_file(&picture_name("clock")));
        assert!(is_run_file("vm_0_6.csv.torn") && is_run_file("vms_0-9.csv.torn"));
        for name in [
            "notes.txt",
            "run.toml.new",
            "bridge_x.csv",
            "vm_notes.csv",
            "vm_1_.csv",
            "vm_1_0..csv",
            "vm_1_.5.csv",
            "vm_1_0.5.csv.csv",
            "vm_1_1.2.3.csv",
            "vm_1_2.csv.bak",
            "summary.csv.torn",
            ".torn",
            "vms_1_2.csv",
            "my summary.csv",
        ] {
            assert!(!is_run_file(name), "{name}");
        }
    }
}
