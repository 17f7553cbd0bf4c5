//! Reads the files of another program's run: cuts them into runs and events, and gives their hosts numbers.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::expression::Captures;
use super::files::{LONGEST_LINE, MOST_BYTES, MOST_FILES};
use super::patience::Patience;
use super::pattern::{self, Pattern};
use super::{SourceFile, Trace, TraceEvent, Unreadable, clock, files, when};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::text::printable;

/// Why a log of another program cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder that was named.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A folder has no logs.
    #[error("{} holds no ShiViz logs: expected files whose names end in .log, .txt or .shiviz, or a log itself", path.display())]
    Nothing {
        /// The folder in which no file has a name of that kind.
        path: PathBuf,
    },
    /// It is a pipe, a device or the like.
    #[error(
        "{} is no regular file, and was not opened; - is standard input: … | clocklab check setting `from = shiviz` -",
        path.display()
    )]
    NoFile {
        /// What was named: a device or a pipe would never end.
        path: PathBuf,
    },
    /// There are too many files.
    #[error("there are {found} files, and at most {MOST_FILES} are read at once: name fewer")]
    ManyFiles {
        /// How many files were named or are in the folders.
        found: usize,
    },
    /// A line has no end.
    #[error("{}:{line}: the line is longer than {} MiB; is this a log of text?", path.display(), LONGEST_LINE >> 20)]
    LongLine {
        /// The file with the line.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
    },
    /// There is more than is kept in memory.
    #[error(
        "{}: the logs have more than {} GiB, which is the most that is read at once: take fewer hosts, or a part of the time",
        path.display(), MOST_BYTES >> 30
    )]
    TooMuch {
        /// The file with which they have.
        path: PathBuf,
    },
    /// Its regular expression is none.
    #[error("{file}:{line}: found the expression '{expression}': {reason}")]
    Expression {
        /// The file whose first line has the expression.
        file: String,
        /// The line of the expression, counted from 1.
        line: u64,
        /// The expression, as the file has it.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its regular expression takes too long.
    #[error(
        "{file}: the expression '{expression}' takes too long at line {line}: repeat nothing that is repeated inside \
         already, as in (x+)+, let nothing repeat over the ends of lines, as [^]* does, and leave out look-around and \
         back references"
    )]
    Slow {
        /// The file that was searched with it.
        file: String,
        /// The expression that cannot be searched in bounded time.
        expression: String,
        /// The line up to which it came.
        line: u64,
    },
    /// Nothing in it is an event.
    #[error(
        "{file}: found no event, expected some that match {expression}, as the first line of the file may say otherwise"
    )]
    NoEvents {
        /// The files that were searched, with commas between them.
        file: String,
        /// The expression that matches nowhere in them.
        expression: String,
    },
    /// Two runs have one name.
    #[error("{file}:{line}: found a second run '{label}', expected names that differ")]
    SameLabel {
        /// The file in which both runs are.
        file: String,
        /// The line where it begins.
        line: u64,
        /// The name that both runs have.
        label: String,
    },
}

/// Reads the logs at these paths, a folder's being its files `*.log`, `*.txt` and `*.shiviz`, and `-` standard input.
/// All are parts of one run, or of several where a delimiter parts them.
///
/// # Errors
///
/// Where a file cannot be read, or holds no events.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Trace>, TraceError> {
    let files = files::read(paths)?;
    let mut traces = texts(&files.texts)?;
    traces.iter_mut().for_each(|trace| trace.skipped.clone_from(&files.skipped));
    Ok(traces)
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
    let trace = |run: TraceRun| {
        let TraceRun { label, events, unreadable, other_lines, unread_times } = run;
        let trace = Trace::new(label, Arc::clone(&hosts), Arc::clone(&sources), events);
        Trace { unreadable, other_lines, unread_times, ..trace }
    };
    Ok(runs.into_iter().map(trace).collect())
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    hosts: Vec<String>,
    numbers: HashMap<String, VmId>,
    sources: Vec<SourceFile>,
    runs: Vec<TraceRun>,
}

/// One run, as far as it was read.
#[derive(Debug, Default)]
struct TraceRun {
    label: String,
    events: Vec<TraceEvent>,
    unreadable: Vec<Unreadable>,
    other_lines: u64,
    unread_times: u64,
}

/// A part of a file's text.
#[derive(Clone, Copy)]
struct TextPart<'a> {
    text: &'a str,
    /// The line at which it begins.
    line: u64,
}

impl Reading {
    fn file(&mut self, path: &Path, text: &str) -> Result<(), TraceError> {
        let name = path.display().to_string();
        let pattern = Pattern::of(text, &name)?;
        let (bytes, lines) = pattern.header;
        let body = TextPart { text: &text[bytes..], line: lines + 1 };
        let mut labels = BTreeSet::new();
        let before = self.events();
        let parts = parts(body, &pattern).map_err(|delimiter| TraceError::Slow {
            file: name.clone(),
            expression: delimiter.to_owned(),
            line: body.line,
        })?;
        for (label, part) in parts {
            if part.text.trim().is_empty() {
                continue;
            }
            if !labels.insert(label.clone()) {
                return Err(TraceError::SameLabel { file: name, line: part.line, label });
            }
            let run = match self.runs.iter().position(|run| run.label == label) {
                Some(run) => run,
                None => {
                    self.runs.push(TraceRun { label, ..TraceRun::default() });
                    self.runs.len() - 1
                }
            };
            self.part(run, part, &pattern).map_err(|line| TraceError::Slow {
                file: name.clone(),
                expression: pattern.expression.clone(),
                line,
            })?;
        }
        let events = self.events() - before;
        self.sources.push(SourceFile { path: path.to_owned(), expression: pattern.expression, events });
        Ok(())
    }

    /// How many events there are, and what looks like one.
    fn events(&self) -> u64 {
        self.runs.iter().map(|run| (run.events.len() + run.unreadable.len()) as u64).sum()
    }

    /// Takes a part's events in; the line up to which it came where that takes too long.
    fn part(&mut self, run: usize, part: TextPart<'_>, pattern: &Pattern) -> Result<(), u64> {
        let mut line = part.line;
        let mut at = 0;
        let mut patience = Patience::new();
        for found in pattern.event.find_in(part.text) {
            let Ok(found) = found else { return Err(line) };
            let Some(whole) = found.get(0).map(|whole| whole.range()) else { continue };
            let between = &part.text[at..whole.start];
            self.others(run, TextPart { text: between, line });
            line += newlines(between);
            match self.event(run, &found, &part.text[whole.clone()], line) {
                Ok(event) => self.runs[run].events.push(event),
                Err(unreadable) => self.runs[run].unreadable.push(unreadable),
            }
            line += newlines(&part.text[whole.clone()]);
            at = whole.end;
            if patience.is_over(at) {
                return Err(line);
            }
        }
        self.others(run, TextPart { text: &part.text[at..], line });
        Ok(())
    }

    /// Takes lines in that belong to no event. One that has a clock should.
    fn others(&mut self, run: usize, part: TextPart<'_>) {
        let file = self.sources.len();
        let lines = (part.line..).zip(part.text.lines()).filter(|(_, text)| !text.trim().is_empty());
        for (line, text) in lines {
            if has_clock(text) {
                let found = text.trim().chars().take(80).collect::<String>();
                let found = format!("'{}'", printable(&found));
                let expected = "an event, as the expression has it".to_owned();
                self.runs[run].unreadable.push(Unreadable { file, line, found, expected });
            } else {
                self.runs[run].other_lines += 1;
            }
        }
    }

    fn event(
        &mut self,
        run: usize,
        found: &Captures<'_>,
        text: &str,
        line: u64,
    ) -> Result<TraceEvent, Unreadable> {
        let file = self.sources.len();
        let group = |name| found.name(name).map_or("", |group| group.as_str());
        let wrong = |found: &str, expected: &str| Unreadable {
            file,
            line,
            found: format!("'{}'", printable(found)),
            expected: expected.to_owned(),
        };
        let (host, clock) = (group("host"), group("clock"));
        let Some(entries) = clock::parse(clock) else {
            return Err(wrong(clock, "a vector clock such as {\"a\":1,\"b\":2}"));
        };
        let Some(&number) = entries.get(host).filter(|number| **number > 0) else {
            let host = printable(host);
            return Err(wrong(clock, &format!("an entry of 1 or more for the event's own host '{host}'")));
        };
        let sender = self.number(host);
        let clock = entries.iter().map(|(host, entry)| (self.number(host), *entry)).collect();
        let times = ["date", "timestamp", "time"].map(group);
        let time = times.iter().find_map(|time| when::parse(time));
        self.runs[run].unread_times +=
            u64::from(time.is_none() && times.iter().any(|time| !time.trim().is_empty()));
        let said = group(pattern::said()).trim().to_owned();
        let id = MessageId { sender, event: number };
        Ok(TraceEvent { id, clock, file, line, text: text.to_owned(), said, time })
    }

    /// The number of a host, that of a new one where it was not seen yet.
    fn number(&mut self, host: &str) -> VmId {
        if let Some(number) = self.numbers.get(host) {
            return *number;
        }
        let number = VmId(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        // What is printed is not to steer a terminal.
        self.hosts.push(printable(host).into_owned());
        self.numbers.insert(host.to_owned(), number);
        number
    }
}

/// The runs in a text, each with its name: those that the delimiter gives, or their numbers. Where the delimiter takes
/// too long, the delimiter.
fn parts<'a>(body: TextPart<'a>, pattern: &Pattern) -> Result<Vec<(String, TextPart<'a>)>, String> {
    let Some((written, delimiter)) = &pattern.delimiter else { return Ok(vec![(String::new(), body)]) };
    let mut parts = Vec::new();
    let (mut at, mut line, mut label) = (0, body.line, "0".to_owned());
    let mut patience = Patience::new();
    for (index, found) in delimiter.find_in(body.text).enumerate() {
        let slow = || written.clone();
        let found = found.map_err(|_steps| slow())?;
        let Some(whole) = found.get(0).map(|whole| whole.range()) else { continue };
        parts.push((label, TextPart { text: &body.text[at..whole.start], line }));
        line += newlines(&body.text[at..whole.end]);
        at = whole.end;
        label = match found.name("trace") {
            Some(trace) => printable(trace.as_str()).into_owned(),
            None => (index + 1).to_string(),
        };
        if patience.is_over(at) {
            return Err(slow());
        }
    }
    parts.push((label, TextPart { text: &body.text[at..], line }));
    Ok(parts)
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
