//! What a run's first process and those that it has started say to each other, over their standard input and
//! output: a line of JSON each.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::edge::control::Progress;
use crate::edge::driver::{LatenessCounts, LinkReport};
use crate::edge::log::FileEntry;
use crate::model::scenario::{LogChoice, Settings, Threads};
use crate::model::tally::Account;

/// What a process that was started is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ChildCommand {
    /// What to do; it comes first.
    Work(Box<Work>),
    /// Where all processes listen, by node; it comes once all have told.
    Meet(Vec<String>),
    /// That process is dead and will not come back.
    Gone(u32),
    /// The run is to end now, in order.
    Stop,
}

/// The work of one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// The scenario, none of its settings left open, and what was asked for of how a process uses its machine.
    pub settings: Settings,
    /// The id that all processes give the run.
    pub run: String,
    /// Which process it is.
    pub node: u32,
    /// How many there are.
    pub nodes: u32,
    /// Where the process writes its logs, beside those of the others.
    pub folder: PathBuf,
    /// How its logs are laid out.
    pub log: LogChoice,
    /// How many threads tick its machines.
    pub threads: Threads,
    /// Where it listens; port 0 lets the system choose.
    pub listen: String,
    /// Whether it goes on where the logs of its predecessor end.
    pub resume: bool,
}

/// What such a process tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ChildReport {
    /// The address at which it listens, with the port that the system chose: the others are to be told.
    Listening(String),
    /// Its machines have begun to tick, and have come so far: time in nanoseconds, events, messages, and the
    /// longest queue.
    Progress(u64, u64, u64, u64),
    /// Something that people should know now.
    Notice(String),
    /// The account of one of its machines.
    Account(Box<Account>),
    /// It has ended; nothing follows.
    Done(Box<Done>),
    /// It could not start; nothing follows.
    Failed(String),
}

/// How a process has ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// What broke, where something did.
    pub failure: Option<String>,
    /// Whether it was asked to stop before its end.
    pub interrupted: bool,
    /// The time of day at which it began, in RFC 3339, if it did.
    pub began: Option<String>,
    /// When it ended, in nanoseconds since its beginning.
    pub elapsed: u64,
    /// The logs that it wrote, with rows and checksums, for the run's one manifest.
    pub files: Vec<FileEntry>,
    /// The largest Lamport clock that it knows of.
    pub lamport: u64,
    /// How late its ticks were.
    pub lateness: Option<LatenessCounts>,
    /// What its links have done.
    pub links: Option<LinkReport>,
}

impl From<Progress> for ChildReport {
    fn from(progress: Progress) -> Self {
        let Progress { elapsed, events, messages, longest_queue } = progress;
        Self::Progress(elapsed.get(), events, messages, longest_queue)
    }
}

/// Says something.
///
/// # Errors
///
/// Where the other end is gone.
pub fn say(to: &mut dyn Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Hears what is said next; none where the other end says no more, or something else.
pub fn hear<T: DeserializeOwned>(from: &mut dyn BufRead) -> Option<T> {
    let mut line = String::new();
    match from.read_line(&mut line) {
        Ok(count) if count > 0 => serde_json::from_str(&line).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pace::Made;
    use crate::model::time::Nanos;

    #[test]
    fn what_is_said_is_heard_and_anything_else_ends_the_talk() {
        let mut lateness = LatenessCounts::of_node(3);
        let made =
            |micros: u64| Made { due: Nanos::ZERO, at: Nanos::new(micros * 1000), before: Nanos::ZERO };
        (1..2000).for_each(|micros| lateness.add(&made(micros)));
        let done = Done {
            failure: Some("a \"reason\"\nof two lines".into()),
            interrupted: false,
            began: None,
            elapsed: 5,
            files: Vec::new(),
            lamport: u64::MAX,
            lateness: Some(lateness.clone()),
            links: None,
        };
        let mut said = Vec::new();
        say(&mut said, &ChildReport::Progress(1, 2, 3, 4)).unwrap();
        say(&mut said, &ChildReport::Done(Box::new(done))).unwrap();
        said.extend_from_slice(b"{}\n");
        let mut from = said.as_slice();
        assert!(matches!(hear(&mut from), Some(ChildReport::Progress(1, 2, 3, 4))));
        let Some(ChildReport::Done(heard)) = hear(&mut from) else { panic!("it was said") };
        assert_eq!((heard.lamport, heard.failure.unwrap().lines().count()), (u64::MAX, 2));
        assert_eq!(heard.lateness.unwrap(), lateness);
        assert!(hear::<ChildReport>(&mut from).is_none() && hear::<ChildReport>(&mut from).is_none());
    }
}
