//! `clocklab merge`: the shards of a sweep to one.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::super::{Fatal, complain, failed, say};
use super::{EffectsTable, effects, write_paths};
use crate::after::effects::Effects;
use crate::model::registry::Registry;
use crate::model::text::count;
use crate::runs::sweep::{self, MergeError, Merged};

const MERGED: &str = "\
The folders are those of clocklab sweep … --shard k/n, in any order. Their table together is the one of the sweep without
shards, byte for byte; the folders of their runs come along, linked where that can be and else copied. What is missing, what is
there twice and differs, and what is of another sweep is told, and then nothing is written.

  clocklab sweep draw=4..10 --runs 100 --seed 7 --shard 1/2 --output part1      on one host
  clocklab sweep draw=4..10 --runs 100 --seed 7 --shard 2/2 --output part2      on another
  clocklab merge part1 part2 --output whole";

/// The flags of `merge`.
#[derive(Debug, Args)]
#[command(after_long_help = MERGED)]
pub(in crate::cli) struct MergeFlags {
    /// Folders with shards of one sweep
    #[arg(value_name = "DIR", required = true, value_hint = ValueHint::DirPath)]
    folders: Vec<PathBuf>,
    /// Folder of the whole; an earlier run there is moved to previous/
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: PathBuf,
    /// No summary
    #[arg(short, long)]
    quiet: bool,
}

impl From<MergeError> for Fatal {
    fn from(error: MergeError) -> Self {
        Self::new(&error, false)
    }
}

/// Puts the shards together, and prints the table of the whole.
pub(in crate::cli) fn run(flags: &MergeFlags, registry: &Registry) -> Result<ExitCode, Fatal> {
    let merged = sweep::merge(&flags.folders, &flags.output, registry)?;
    if flags.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(moved) = merged.claim.moved() {
        complain(&format_args!("The earlier run is now in {}.", moved.display()));
    }
    if merged.twice > 0 {
        complain(&format_args!(
            "note: {} in several folders, the same in all of them, and counted once",
            if merged.twice == 1 {
                "1 run was".to_owned()
            } else {
                format!("{} were", count(merged.twice, "runs"))
            }
        ));
    }
    let effects = effects(merged.claim.path())?;
    let summary = MergeSummary { merged: &merged, effects: &effects };
    say(&summary).map_err(|error| failed("cannot print the summary", &error))?;
    Ok(ExitCode::SUCCESS)
}

/// What is printed of a sweep that was put together.
struct MergeSummary<'a> {
    merged: &'a Merged,
    effects: &'a Effects,
}

impl fmt::Display for MergeSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { merged, effects } = self;
        let conditions = count(merged.experiment.conditions().len() as u64, "conditions");
        let runs = count(u64::from(merged.experiment.runs().get()), "runs");
        writeln!(f, "{conditions} with {runs} each, seed {}: complete\n", merged.experiment.seed().0)?;
        writeln!(f, "{}", EffectsTable(effects))?;
        write_paths(f, merged.claim.path(), merged.folders, &merged.files)
    }
}
