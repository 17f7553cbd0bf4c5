//! `export`: its flags, and where what it writes goes.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::folders::Folders;
use super::{FAILED, Fatal, complain, data, failed, unreadable, usage};
use crate::edge::log;
use crate::model::registry::Registry;
use crate::show::export::{Decimal, ExportError, Exported, Format, Separator, Style, Window, export};

const EXPORTED: &str = "\
Formats:
  shiviz    the space-time diagram of ShiViz, in a browser: open the file there
  dot       a picture by Graphviz: dot -Tsvg run.dot > run.svg
  perfetto  a trace for the Perfetto UI, https://ui.perfetto.dev, with messages as arrows
  csv       one table of all machines, with a log's columns
  jsonl     one JSON object an event, with a log's columns
  xlsx      a workbook: a sheet a machine, what stats measures, and charts of clocks, drift and queues

A spreadsheet in many languages of Europe wants --format csv --decimal comma --separator semicolon; a workbook is read
the same in all of them.

Events come in causal order: each after the one before it in its machine, and a receive after its send.

A window is a part of the run, by time (10s-20s, 10s-, -20s) or by place in that order (events:1-500). It is
closed under causality: an event that needs a later one waits for it, and is left out with it.

Where logs of the run are not here, that is told, and the part that is here is exported: with receives whose sends
are elsewhere. A torn last row is told and left out. Exit code: 0, 1 where rows could not be read and were left out or the
result could not be written, 2 where there is nothing to export.";

/// Events that Graphviz lays out in about a second; for two or three times as many it takes minutes.
const MOST_FOR_DOT: u64 = 2000;

/// The flags of `export`.
#[derive(Debug, Args)]
#[command(after_long_help = EXPORTED)]
pub(super) struct ExportFlags {
    #[command(flatten)]
    folders: Folders,
    /// What to write: shiviz, dot, perfetto, csv, jsonl, xlsx
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Format,
    /// Only a part: 10s-20s by time, events:1-500 by place in the causal order
    #[arg(long, value_name = "WINDOW", allow_hyphen_values = true)]
    window: Option<Window>,
    /// With --format csv, what stands before decimals: dot, comma [default: dot]
    #[arg(long, value_name = "MARK")]
    decimal: Option<Decimal>,
    /// With --format csv, what stands between cells: comma, semicolon, tab [default: comma]
    #[arg(long, value_name = "MARK")]
    separator: Option<Separator>,
    /// Where it goes; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

pub(super) fn run(flags: &ExportFlags, registry: &Registry) -> Result<ExitCode, Fatal> {
    let style = flags.style()?;
    let is_stdout = flags.out.as_os_str() == "-";
    if is_stdout && flags.format == Format::Xlsx && io::stdout().is_terminal() {
        return Err(usage("a workbook is nothing for a terminal: name a file, such as --out run.xlsx"));
    }
    let run = flags.folders.one_run()?;
    let exported = if is_stdout {
        match export(&run.folders, registry, flags.format, flags.window, style, &mut *data()) {
            // Where nobody reads it any more, that is no failure.
            Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(ExitCode::SUCCESS);
            }
            Err(ExportError::Write(error)) => return Err(failed("cannot print the events", &error)),
            exported => exported.map_err(unreadable)?,
        }
    } else {
        let logs = run.folders.iter().flat_map(|folder| &folder.logs);
        if logs.into_iter().any(|log| is_same_file(&log.path, &flags.out)) {
            return Err(wrong_target(&flags.out, "it is a log that is to be read"));
        }
        let target = Target::open(&flags.out)?;
        let mut out = BufWriter::new(&target.file);
        match export(&run.folders, registry, flags.format, flags.window, style, &mut out) {
            Ok(exported) => {
                drop(out);
                target.keep()?;
                complain(&format_args!("{} events written to {}", exported.events, flags.out.display()));
                exported
            }
            Err(error) => {
                drop(out);
                target.remove();
                return Err(match error {
                    ExportError::Write(error) => cannot_write(&flags.out, &error),
                    error => unreadable(error),
                });
            }
        }
    };
    if flags.format == Format::Dot && exported.events > MOST_FOR_DOT {
        let events = exported.events;
        complain(&format_args!(
            "note: dot takes long for {events} events; --window events:1-500 takes a part"
        ));
    }
    Ok(conclude(&exported))
}

impl ExportFlags {
    /// How a table is written.
    fn style(&self) -> Result<Style, Fatal> {
        let given = [(self.decimal.is_some(), "--decimal"), (self.separator.is_some(), "--separator")];
        if let Some((_, flag)) = given.iter().find(|(is_given, _)| *is_given && self.format != Format::Csv) {
            return Err(usage(format_args!(
                "{flag} goes with --format csv, and this is --format {}",
                self.format
            )));
        }
        let usual = Style::default();
        let style = Style {
            decimal: self.decimal.unwrap_or(usual.decimal),
            separator: self.separator.unwrap_or(usual.separator),
        };
        if style.decimal == Decimal::Comma && style.separator == Separator::Comma {
            return Err(usage(
                "--decimal comma needs another mark between cells: --separator semicolon, or --separator tab",
            ));
        }
        Ok(style)
    }
}

/// Tells what is not there, and what was left out.
fn conclude(exported: &Exported) -> ExitCode {
    exported.missing.iter().for_each(|line| complain(&format_args!("a part: {line}")));
    exported.warnings.iter().for_each(|line| complain(&format_args!("warning: {line}")));
    for (path, bytes) in &exported.torn {
        let path = path.display();
        complain(&format_args!("{path}: its last row is torn and was left out ({bytes} bytes)"));
    }
    exported.notes.iter().for_each(|note| complain(&format_args!("note: {note}")));
    for row in &exported.first_unreadable {
        complain(&format_args!("left out: {row}"));
    }
    if exported.unreadable == 0 {
        return ExitCode::SUCCESS;
    }
    let rows = if exported.unreadable == 1 {
        "row could not be read and was"
    } else {
        "rows could not be read and were"
    };
    complain(&format_args!("error: {} {rows} left out", exported.unreadable));
    ExitCode::from(FAILED)
}

/// A file that takes its name once it is whole.
struct Target {
    file: File,
    path: PathBuf,
    /// Its name until then; none where it is no regular file, such as a pipe.
    draft: Option<PathBuf>,
}

impl Target {
    fn open(path: &Path) -> Result<Self, Fatal> {
        let wrong = |reason: &str| wrong_target(path, reason);
        let name = path.file_name().ok_or_else(|| wrong("it names no file"))?.to_string_lossy().into_owned();
        if log::is_run_file(&name) {
            return Err(wrong("a file of that name belongs to a run; choose another one"));
        }
        let found = fs::metadata(path);
        if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(wrong("it is a folder; name a file in it"));
        }
        let cannot = |error| cannot_write(path, &error);
        if found.is_ok_and(|found| !found.is_file()) {
            let file = File::options().write(true).open(path).map_err(cannot)?;
            return Ok(Self { file, path: path.to_owned(), draft: None });
        }
        let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let file = File::create(&draft).map_err(cannot)?;
        Ok(Self { file, path: path.to_owned(), draft: Some(draft) })
    }

    fn keep(self) -> Result<(), Fatal> {
        match &self.draft {
            Some(draft) => fs::rename(draft, &self.path).map_err(|error| cannot_write(&self.path, &error)),
            None => Ok(()),
        }
    }

    fn remove(self) {
        if let Some(draft) = &self.draft {
            // What is to be told is why it is not whole.
            let _ = fs::remove_file(draft);
        }
    }
}

fn wrong_target(path: &Path, reason: &str) -> Fatal {
    usage(format_args!("invalid value '{}' for '--out': {reason}", path.display()))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

fn cannot_write(path: &Path, error: &io::Error) -> Fatal {
    failed(&format!("cannot write {}", path.display()), error)
}
