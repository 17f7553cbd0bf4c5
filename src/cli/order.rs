//! `clocklab order`: which events are asked about, and the answer.

use std::fmt::Display;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::folders::{Folders, OUTPUT};
use super::source::Format;
use super::{FAILED, Fatal, complain, data, failed, say, unreadable, usage};
use crate::after::history::Received;
use crate::after::order::{Cut, Events, Part, Relation, WriteRowsError, event_of_trace};
use crate::model::event::{MessageId, ParseEventError};

const ORDERED: &str = "\
Events are named vm<machine>-<number of its event>, such as vm0-17; in the logs of other programs <host>-<number>.

  clocklab order vm0-17 vm2-9              the run in output/
  clocklab order node0 node1 vm0-17 vm2-9  the nodes of a distributed run
  clocklab order --past vm2-9              all that vm2-9 can depend on, as CSV; how many it is goes to stderr
  clocklab order --cut vm0-17,vm1-20,vm2-9 is this a state that the run may have been in?
  clocklab order --from shiviz chord.log alice-3 bob-7

The first word of the answer is before, after or concurrent (or same); of a cut consistent or inconsistent.
Where vectors were logged, they decide; the chain of messages is the evidence. A row that cannot be read is an
error, since an answer without it could be wrong; a torn last row is left out.

Where logs of the run are not here, that is told first. An answer that they cannot change is given; otherwise it is
unknown, what is certain of it is told, and the exit code is 1. So it is of a past or a future of which not all is
here.";

/// The flags of `order`.
#[derive(Debug, Args)]
#[command(after_long_help = ORDERED, override_usage = "clocklab order [DIR]... EVENT EVENT\n       clocklab order [DIR]... <--past EVENT|--future EVENT|--cut EVENT,EVENT,...>")]
pub(super) struct OrderFlags {
    /// Folders of a run as for check [default: output], and two events
    #[arg(value_name = "DIR|EVENT")]
    words: Vec<String>,
    /// The causal past of an event
    #[arg(long, value_name = "EVENT", group = "question")]
    past: Option<String>,
    /// The causal future of an event
    #[arg(long, value_name = "EVENT", group = "question")]
    future: Option<String>,
    /// Whether a cut, given by the last events in it, is consistent
    #[arg(long, value_name = "EVENTS", group = "question")]
    cut: Option<String>,
    /// Who wrote the logs: clocklab, shiviz (ShiViz, GoVector and others that write vector clocks as JSON)
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Clocklab)]
    from: Format,
}

enum OrderQuestion {
    Past(MessageId),
    Future(MessageId),
    Cut(Vec<MessageId>),
    Order(MessageId, MessageId),
}

/// Reads the name of an event.
type Named<'a> = &'a dyn Fn(&str) -> Result<MessageId, String>;

impl OrderQuestion {
    /// The events that it is about.
    fn events(&self) -> Vec<MessageId> {
        match self {
            Self::Past(event) | Self::Future(event) => vec![*event],
            Self::Order(first, second) => vec![*first, *second],
            Self::Cut(cut) => cut.clone(),
        }
    }
}

/// Answers what is asked.
pub(super) fn run(flags: &OrderFlags) -> Result<ExitCode, Fatal> {
    let (folders, words) = flags.folders_and_events()?;
    let (events, question) = match flags.from {
        Format::Clocklab => {
            let own = |word: &str| word.parse().map_err(|error: ParseEventError| error.to_string());
            let question = flags.question(words, &own)?;
            (Events::read(&folders.one_run()?.folders, &question.events()), question)
        }
        Format::Shiviz => {
            let trace = folders.one_trace()?;
            let of_trace = |word: &str| event_of_trace(&trace, word).map_err(|error| error.to_string());
            let question = flags.question(words, &of_trace)?;
            (Events::of_trace(trace, &question.events()), question)
        }
    };
    answer(&events.map_err(unreadable)?, &question)
}

/// Tells what is not here, and then the answer. The exit code tells whether it is one.
fn answer(events: &Events, question: &OrderQuestion) -> Result<ExitCode, Fatal> {
    events.missing().iter().for_each(|line| complain(&format_args!("a part: {line}")));
    match question {
        OrderQuestion::Past(event) => {
            let past = events.known_past(*event);
            tell_part(events, *event, "past", &past);
            write_rows(events, |event| {
                past.front.get(&event.sender).is_some_and(|last| event.event <= *last)
            })?;
            Ok(code(past.elsewhere == 0 && past.depends.is_none()))
        }
        OrderQuestion::Future(event) => {
            let future = events.known_future(*event);
            tell_part(events, *event, "future", &future);
            write_rows(events, |event| {
                future.front.get(&event.sender).is_some_and(|first| event.event >= *first)
            })?;
            Ok(code(future.depends.is_none()))
        }
        OrderQuestion::Order(first, second) => {
            let answer = events.order(*first, *second).map_err(unreadable)?;
            print(&answer)?;
            Ok(code(*answer.relation() != Relation::Unknown))
        }
        OrderQuestion::Cut(cut) => {
            let answer = events.cut(cut);
            print_cut(events, &answer)?;
            Ok(code(!matches!(answer, Cut::Unknown(_))))
        }
    }
}

/// Whether there is an answer.
fn code(is_known: bool) -> ExitCode {
    if is_known { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// How many events a past or a future has, and how many of them are listed.
fn tell_part(events: &Events, event: MessageId, what: &str, part: &Part) {
    let Part { here, elsewhere, depends, .. } = part;
    let itself = if events.is_here(event) { ", itself among them" } else { "" };
    let name = events.name(event);
    match depends {
        Some(depends) => complain(&format_args!(
            "unknown: {depends}; {here} events here are certainly in the {what} of {name}{itself}"
        )),
        None if *elsewhere > 0 => complain(&format_args!(
            "{here} events here are in the {what} of {name}{itself}, and {elsewhere} more are in logs that are not here"
        )),
        None => complain(&format_args!("{here} events in the {what} of {name}{itself}")),
    }
}

fn print_cut(events: &Events, answer: &Cut) -> Result<(), Fatal> {
    match answer {
        Cut::Consistent => print(&"consistent: no message is received in the cut and sent after it\n"),
        Cut::Crossed(Received { send, receive }) => print(&format_args!(
            "inconsistent: message {} is received in the cut, by {}, and sent after it\n",
            events.name(*send),
            events.name(*receive)
        )),
        Cut::Knows(event, after) => print(&format_args!(
            "inconsistent: by its vector, {} has heard of {}, which is after the cut\n",
            events.name(*event),
            events.name(*after)
        )),
        Cut::Unknown(depends) => print(&format_args!(
            "unknown: {depends}\n  no message that is here is received in the cut and sent after it\n"
        )),
    }
}

fn print(text: &dyn Display) -> Result<(), Fatal> {
    say(text).map_err(|error| failed("cannot print the answer", &error))
}

fn write_rows(events: &Events, is_in: impl Fn(MessageId) -> bool) -> Result<(), Fatal> {
    match events.write_rows(is_in, &mut BufWriter::new(data())) {
        Err(WriteRowsError::History(error)) => Err(unreadable(error)),
        Err(WriteRowsError::Write(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(failed("cannot print the rows", &error))
        }
        _ => Ok(()),
    }
}

impl OrderFlags {
    /// The folders, and the words for two events where no flag asks for anything else.
    fn folders_and_events(&self) -> Result<(Folders, &[String]), Fatal> {
        let has_flag = self.past.is_some() || self.future.is_some() || self.cut.is_some();
        let count = if has_flag { 0 } else { 2 };
        self.refuse_more_events(count)?;
        let (folders, words) = self.words.split_at(self.words.len().saturating_sub(count));
        if words.len() < count {
            return Err(usage("two events are asked for, such as: clocklab order vm0-17 vm2-9"));
        }
        let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
        let folders = if folders.is_empty() { vec![PathBuf::from(OUTPUT)] } else { folders };
        Ok((Folders { folders }, words))
    }

    /// Makes sure that no event stands among the folders, before so many events.
    fn refuse_more_events(&self, count: usize) -> Result<(), Fatal> {
        let folders = &self.words[..self.words.len().saturating_sub(count)];
        let Some(word) = folders.iter().find(|word| self.is_event(word)) else { return Ok(()) };
        Err(usage(if count == 0 {
            format!("'{word}' is no folder, and --past, --future and --cut ask about their own events alone")
        } else {
            format!(
                "'{word}' is no folder, and the order is one of two events: ask for each two of them, or with --cut and \
                 commas between them whether all can be the last of one state"
            )
        }))
    }

    /// Whether a word looks like an event's name, and is none of a file or a folder.
    fn is_event(&self, word: &str) -> bool {
        let number = word.rsplit_once('-').map_or("", |(_, number)| number);
        let is_name = match self.from {
            Format::Clocklab => word.parse::<MessageId>().is_ok(),
            Format::Shiviz => !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()),
        };
        is_name && !Path::new(word).exists()
    }

    fn question(&self, words: &[String], named: Named<'_>) -> Result<OrderQuestion, Fatal> {
        let event = |word: &str, of: &str| {
            named(word).map_err(|error| usage(format_args!("invalid value '{word}' for {of}: {error}")))
        };
        if let Some(past) = &self.past {
            return Ok(OrderQuestion::Past(event(past, "--past")?));
        }
        if let Some(future) = &self.future {
            return Ok(OrderQuestion::Future(event(future, "--future")?));
        }
        if let Some(cut) = &self.cut {
            return events(cut, named).map(OrderQuestion::Cut);
        }
        match words {
            [first, second] => {
                Ok(OrderQuestion::Order(event(first, "an event")?, event(second, "an event")?))
            }
            _ => Err(usage("two events are asked for, such as: clocklab order vm0-17 vm2-9")),
        }
    }
}

/// The events of a list. A host's name may have commas of its own: then a part by itself names no event.
fn events(list: &str, named: Named<'_>) -> Result<Vec<MessageId>, Fatal> {
    let mut events = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let commas = rest.match_indices(',').map(|(at, _)| at).chain([rest.len()]);
        let mut parts = commas.map(|end| (named(&rest[..end]), end));
        let Some((found, end)) = parts.find_map(|(found, end)| Some((found.ok()?, end))) else {
            let word = rest.split(',').next().unwrap_or(rest);
            let error = named(word).err().unwrap_or_default();
            return Err(usage(format_args!("invalid value '{word}' for --cut: {error}")));
        };
        let name = &rest[..end];
        if events.iter().any(|event: &MessageId| event.sender == found.sender) {
            return Err(usage(format_args!(
                "invalid value '{list}' for --cut: {name} is the second event of its machine, and a cut has one last event of each"
            )));
        }
        events.push(found);
        rest = rest[end..].trim_start_matches(',');
    }
    if events.is_empty() {
        return Err(usage(
            "invalid value '' for --cut: it has the last event of each machine, such as vm0-17,vm1-20",
        ));
    }
    Ok(events)
}
