//! What is done with runs that are over: `check`, and what else reads logs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{FAILED, Fatal, failed, say, unreadable};
use crate::check;
use crate::log::{self, Found, LogFolder};

/// What to do with runs that are over.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Is the log right? Exit code 1 and the first faults where it is not
    Check(CheckFlags),
}

/// The folders of a run.
#[derive(Debug, Args)]
pub(super) struct Folders {
    /// Folders of a run, or logs; several are the nodes of one distributed run
    #[arg(value_name = "DIR", default_value = "output")]
    folders: Vec<PathBuf>,
}

const CHECKED: &str = "\
Replays the events in causal order and holds every column against the event before it in its machine and
the send of the message that it receives: event numbers, Lamport, vector and hybrid clocks; that every
received message was sent once, to this machine, and came as it was sent; the order between two machines
where the run kept it; queues; times; and the manifest's counts and checksums.

The first fault is the cause: faults come in the order of causality. A torn last row is told and left out.
Exit code: 0 where nothing is wrong, 1 where something is, 2 where there is no run to read.";

/// The flags of `check`.
#[derive(Debug, Args)]
#[command(after_help = CHECKED)]
pub(super) struct CheckFlags {
    #[command(flatten)]
    folders: Folders,
    /// How many faults are told in words, at most 1000
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    most: u16,
}

/// Does what is asked for.
pub(super) fn run(command: Command) -> Result<ExitCode, Fatal> {
    match command {
        Command::Check(flags) => check(&flags),
    }
}

fn check(flags: &CheckFlags) -> Result<ExitCode, Fatal> {
    let mut is_sound = true;
    for run in flags.folders.runs()? {
        let report = check::check(&run.folders).map_err(unreadable)?;
        is_sound &= report.is_sound();
        let words = report.with_most(flags.most.into());
        say(&format_args!("{}: {words}", run.name))
            .map_err(|error| failed("cannot print the report", &error))?;
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// One run, and what it is called here.
struct Run {
    name: String,
    folders: Vec<LogFolder>,
}

impl Folders {
    /// The runs in the folders: one, or those of a series.
    fn runs(&self) -> Result<Vec<Run>, Fatal> {
        let one = |folder: LogFolder| Run { name: folder.path.display().to_string(), folders: vec![folder] };
        if let [path] = self.folders.as_slice() {
            return match log::find(path).map_err(unreadable)? {
                Found::Run(folder) => Ok(vec![one(*folder)]),
                Found::Series(folders) => Ok(folders.into_iter().map(one).collect()),
            };
        }
        let mut nodes = Vec::with_capacity(self.folders.len());
        for path in &self.folders {
            match log::find(path).map_err(unreadable)? {
                Found::Run(folder) => nodes.push(*folder),
                Found::Series(_) => {
                    let path = path.display();
                    return Err(unreadable(format_args!(
                        "{path} holds several runs; several folders are the nodes of one run: name one run of each"
                    )));
                }
            }
        }
        let names: Vec<String> = nodes.iter().map(|node| node.path.display().to_string()).collect();
        Ok(vec![Run { name: names.join(" "), folders: nodes }])
    }
}
