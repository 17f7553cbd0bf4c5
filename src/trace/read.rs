//! Reads the files of another program's run: cuts them into runs and events, and gives their hosts numbers.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regress::Match;

use super::pattern::Pattern;
use super::{SourceFile, Trace, TraceEvent, Unreadable, clock, when};
use crate::event::MessageId;
use crate::id::VmId;

/// Why a log of another program cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A folder has no logs.
    #[error("{} holds no ShiViz logs: expected files whose names end in .log, .txt or .shiviz, or a log itself", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
    /// Its regular expression is none.
    #[error("{file}:{line}: found the expression '{expression}': {reason}")]
    Expression {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// What stands there.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing in it is an event.
    #[error(
        "{file}: found no event, expected some that match {expression}, as the first line of the file may say otherwise"
    )]
    NoEvents {
        /// The files.
        file: String,
        /// The expression.
        expression: String,
    },
    /// Two runs have one name.
    #[error("{file}:{line}: found a second run '{label}', expected names that differ")]
    SameLabel {
        /// The file.
        file: String,
        /// The line where it begins.
        line: u64,
        /// The name.
        label: String,
    },
}

/// Reads the logs at these paths, a folder's being its files `*.log`, `*.txt` and `*.shiviz`. All are parts of one
/// run, or of several where a delimiter parts them.
///
/// # Errors
///
/// Where a file cannot be read, or holds no events.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Trace>, TraceError> {
    let mut files = Vec::new();
    for path in paths {
        let read = |source| TraceError::Read { path: path.clone(), source };
        if !fs::metadata(path).map_err(read)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries: io::Result<Vec<_>> = fs::read_dir(path).and_then(Iterator::collect);
        let mut logs: Vec<PathBuf> = entries.map_err(read)?.into_iter().map(|entry| entry.path()).collect();
        logs.retain(|path| is_log(path) && path.is_file());
        if logs.is_empty() {
            return Err(TraceError::Nothing { path: path.clone() });
        }
        logs.sort();
        files.extend(logs);
    }
    let mut contents = Vec::with_capacity(files.len());
    for path in files {
        let bytes = fs::read(&path).map_err(|source| TraceError::Read { path: path.clone(), source })?;
        contents.push((path, String::from_utf8_lossy(&bytes).replace("\r\n", "\n")));
    }
    texts(&contents)
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|end| ["log", "txt", "shiviz"].iter().any(|known| end == *known))
}

/// Reads the texts of files.
pub(super) fn texts(files: &[(PathBuf, String)]) -> Result<Vec<Trace>, TraceError> {
    let mut reading = Reading::default();
    for (path, text) in files {
        reading.file(path, text)?;
    }
    let Reading { hosts, sources, runs, .. } = reading;
    let (hosts, sources) = (Arc::new(hosts), Arc::new(sources));
    if runs.iter().all(|run| run.events.is_empty() && run.unreadable.is_empty()) {
        let file =
            sources.iter().map(|source| source.path.display().to_string()).collect::<Vec<_>>().join(", ");
        let expression = sources.first().map(|source| source.expression.clone()).unwrap_or_default();
        return Err(TraceError::NoEvents { file, expression });
    }
    let trace = |run: Run| {
        let trace = Trace::new(run.label, Arc::clone(&hosts), Arc::clone(&sources), run.events);
        Trace { unreadable: run.unreadable, other_lines: run.other_lines, ..trace }
    };
    Ok(runs.into_iter().map(trace).collect())
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    hosts: Vec<String>,
    numbers: HashMap<String, VmId>,
    sources: Vec<SourceFile>,
    runs: Vec<Run>,
}

/// One run, as far as it was read.
#[derive(Debug, Default)]
struct Run {
    label: String,
    events: Vec<TraceEvent>,
    unreadable: Vec<Unreadable>,
    other_lines: u64,
}

/// A part of a file's text.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    /// The line at which it begins.
    line: u64,
}

impl Reading {
    fn file(&mut self, path: &Path, text: &str) -> Result<(), TraceError> {
        let name = path.display().to_string();
        let pattern = Pattern::of(text, &name)?;
        let (bytes, lines) = pattern.header;
        let body = Part { text: &text[bytes..], line: lines + 1 };
        let mut labels = BTreeSet::new();
        for (label, part) in parts(body, &pattern) {
            if part.text.trim().is_empty() {
                continue;
            }
            if !labels.insert(label.clone()) {
                return Err(TraceError::SameLabel { file: name, line: part.line, label });
            }
            let run = match self.runs.iter().position(|run| run.label == label) {
                Some(run) => run,
                None => {
                    self.runs.push(Run { label, ..Run::default() });
                    self.runs.len() - 1
                }
            };
            self.part(run, part, &pattern);
        }
        self.sources.push(SourceFile { path: path.to_owned(), expression: pattern.expression });
        Ok(())
    }

    fn part(&mut self, run: usize, part: Part<'_>, pattern: &Pattern) {
        let mut line = part.line;
        let mut at = 0;
        for found in pattern.event.find_iter(part.text) {
            let between = &part.text[at..found.start()];
            self.others(run, Part { text: between, line });
            line += newlines(between);
            match self.event(&found, part.text, line) {
                Ok(event) => self.runs[run].events.push(event),
                Err(unreadable) => self.runs[run].unreadable.push(unreadable),
            }
            line += newlines(&part.text[found.range()]);
            at = found.end();
        }
        self.others(run, Part { text: &part.text[at..], line });
    }

    /// Takes lines in that belong to no event. One that has a clock should.
    fn others(&mut self, run: usize, part: Part<'_>) {
        let file = self.sources.len();
        let lines = (part.line..).zip(part.text.lines()).filter(|(_, text)| !text.trim().is_empty());
        for (line, text) in lines {
            if has_clock(text) {
                let found = format!("'{}'", text.trim().chars().take(80).collect::<String>());
                let expected = "an event, as the expression has it".to_owned();
                self.runs[run].unreadable.push(Unreadable { file, line, found, expected });
            } else {
                self.runs[run].other_lines += 1;
            }
        }
    }

    fn event(&mut self, found: &Match, text: &str, line: u64) -> Result<TraceEvent, Unreadable> {
        let file = self.sources.len();
        let group = |name| found.named_group(name).map_or("", |range| &text[range]);
        let wrong = |found: &str, expected: &str| Unreadable {
            file,
            line,
            found: format!("'{found}'"),
            expected: expected.to_owned(),
        };
        let (host, clock) = (group("host"), group("clock"));
        let Some(entries) = clock::parse(clock) else {
            return Err(wrong(clock, "a vector clock such as {\"a\":1,\"b\":2}"));
        };
        let Some(&number) = entries.get(host).filter(|number| **number > 0) else {
            return Err(wrong(clock, &format!("an entry of 1 or more for the event's own host '{host}'")));
        };
        let sender = self.number(host);
        let clock = entries.iter().map(|(host, entry)| (self.number(host), *entry)).collect();
        let time = ["date", "timestamp", "time"].iter().find_map(|name| when::parse(group(name)));
        let text = text[found.range()].to_owned();
        Ok(TraceEvent { id: MessageId { sender, event: number }, clock, file, line, text, time })
    }

    /// The number of a host, that of a new one where it was not seen yet.
    fn number(&mut self, host: &str) -> VmId {
        if let Some(number) = self.numbers.get(host) {
            return *number;
        }
        let number = VmId(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        // What is printed is not to steer a terminal.
        let is_plain = !host.chars().any(char::is_control);
        self.hosts.push(if is_plain { host.to_owned() } else { host.escape_debug().to_string() });
        self.numbers.insert(host.to_owned(), number);
        number
    }
}

/// The runs in a text, each with its name: those that the delimiter gives, or their numbers.
fn parts<'a>(body: Part<'a>, pattern: &Pattern) -> Vec<(String, Part<'a>)> {
    let Some(delimiter) = &pattern.delimiter else { return vec![(String::new(), body)] };
    let mut parts = Vec::new();
    let (mut at, mut line, mut label) = (0, body.line, "0".to_owned());
    for (index, found) in delimiter.find_iter(body.text).enumerate() {
        parts.push((label, Part { text: &body.text[at..found.start()], line }));
        line += newlines(&body.text[at..found.end()]);
        at = found.end();
        label = match found.named_group("trace") {
            Some(range) => body.text[range].to_owned(),
            None => (index + 1).to_string(),
        };
    }
    parts.push((label, Part { text: &body.text[at..], line }));
    parts
}

fn newlines(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}

/// Whether a line has what looks like the beginning of a clock.
fn has_clock(line: &str) -> bool {
    let Some((_, clock)) = line.split_once("{\"") else { return false };
    let entry = clock.split_once("\":").map(|(_, entry)| entry.trim_start());
    entry.is_some_and(|entry| entry.is_empty() || entry.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(text: &str) -> Vec<Trace> {
        texts(&[(PathBuf::from("x.log"), text.to_owned())]).unwrap()
    }

    #[test]
    fn events_are_found_with_their_lines() {
        let trace = traces("noise\nstart\na {\"a\":1}\n\nmore noise\nend\na {\"a\":2}").remove(0);
        let found: Vec<_> =
            trace.events.iter().map(|event| (event.line, event.id.event, event.text.as_str())).collect();
        assert_eq!(found, [(2, 1, "start\na {\"a\":1}"), (6, 2, "end\na {\"a\":2}")]);
        assert_eq!(trace.other_lines, 2);
    }

    #[test]
    fn a_delimiter_parts_runs_and_names_them() {
        let text = "(?<host>\\w) (?<clock>{.*})\\n(?<event>.*)\n=== (?<trace>.*) ===\n\
                    === one ===\na {\"a\":1}\nx\n=== two ===\nb {\"b\":1}\ny\na {\"a\":1}\nz\n";
        let traces = traces(text);
        let found: Vec<_> = traces.iter().map(|trace| (trace.label.as_str(), trace.events.len())).collect();
        assert_eq!(found, [("one", 1), ("two", 2)]);
        assert_eq!(*traces[0].hosts, ["a", "b"]);
        assert_eq!(traces[1].events[0].line, 7);
        let twice = text.replace("two", "one");
        let error = texts(&[(PathBuf::from("x.log"), twice)]).unwrap_err().to_string();
        assert_eq!(error, "x.log:6: found a second run 'one', expected names that differ");
    }

    #[test]
    fn several_files_are_one_run() {
        let files = ["a", "b"].map(|host| (PathBuf::from(host), format!("{host} {{\"{host}\":1}}\nstart\n")));
        let traces = texts(&files).unwrap();
        assert_eq!((traces.len(), traces[0].events.len(), traces[0].events[1].file), (1, 2, 1));
    }

    #[test]
    fn what_looks_like_an_event_and_is_none_is_kept_to_be_told() {
        let trace = traces("a {\"a\":1}\nx\nb {\"a\":1}\ny\nb {b:1}\nz\n").remove(0);
        assert_eq!(trace.events.len(), 1);
        let told: Vec<_> = trace.unreadable.iter().map(|wrong| (wrong.line, wrong.found.as_str())).collect();
        assert_eq!(told, [(3, "'{\"a\":1}'"), (5, "'{b:1}'")]);
    }

    #[test]
    fn a_file_without_events_is_no_log() {
        let error = texts(&[(PathBuf::from("x.log"), "nothing here\n".to_owned())]).unwrap_err().to_string();
        assert!(error.starts_with("x.log: found no event, expected some that match (?<event>.*)"), "{error}");
    }
}
