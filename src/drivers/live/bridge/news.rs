//! What a bridge has to tell those who lead the run: that it starts, that it cannot, and what is left at its end.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use crate::edge::driver::LinkReport;
use crate::edge::log::{FileEntry, LogError};
use crate::model::event::Envelope;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// Takes a message that has arrived.
pub type Deliver = Box<dyn FnMut(Envelope) + Send>;

/// Takes what the bridge has to tell its run.
pub type Tell = Box<dyn Fn(News) + Send>;

/// What a bridge has to tell.
#[derive(Debug)]
pub enum News {
    /// Something that people should see now.
    Notice(String),
    /// The run starts now, or has come so far.
    Start {
        /// Time since the run's start.
        elapsed: Nanos,
    },
    /// The run does not start.
    NotJoined(JoinError),
    /// All is said to everybody, and the bridge's log is closed.
    Over(Box<Closing>),
    /// The bridge's log cannot be written.
    LogFailed(LogError),
    /// The bridge has panicked.
    Panicked(String),
}

/// What a bridge leaves.
#[derive(Debug, Default)]
pub struct Closing {
    /// What its links have done.
    pub report: LinkReport,
    /// The bridge's log as it was closed, for the manifest.
    pub file: Option<FileEntry>,
    /// The largest Lamport clock of the others' machines, as far as they have told.
    pub lamport: u64,
    /// Messages that have arrived for machines that never ticked, by machine.
    pub undelivered: BTreeMap<VmId, u64>,
}

/// Why a process cannot take part in a run.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Not all came in time.
    #[error("the run did not start within {seconds} s{}", Missing(missing))]
    Missing {
        /// The nodes that are missing, their addresses, and why.
        missing: Vec<(u32, String, String)>,
        /// How long it was waited for them.
        seconds: f64,
    },
    /// The process does not belong to the run.
    #[error("node {node} ({address}) does not let this process join: {reason}")]
    Refused {
        /// The node that refused.
        node: u32,
        /// That node's address, as this process has it.
        address: String,
        /// Why it refused, in its own words.
        reason: String,
    },
    /// Its logs lost their ends.
    #[error(
        "{who} a message of event {heard} of machine {vm}, and the log of that machine ends with event {logged}: its last \
         rows are missing, and to go on would use their numbers again for other events; put the rows back, or start a new run"
    )]
    Behind {
        /// Who has the message.
        who: String,
        /// The machine whose event has no row here.
        vm: VmId,
        /// The last event in its log.
        logged: u64,
        /// The event of the message.
        heard: u64,
    },
    /// The run is over.
    #[error("node {node} ({address}) says that the run has ended")]
    Over {
        /// The node that said so.
        node: u32,
        /// That node's address, as this process has it.
        address: String,
    },
    /// The process's own name is not known.
    #[error(
        "cannot listen at {address}: {source}; is it spelled right? With setting `listen = 0.0.0.0:PORT` it need not be known here"
    )]
    Unknown {
        /// The name that was to be looked up.
        address: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The bridge's sockets cannot be used.
    #[error("cannot listen at {address}: {source}{}", hint(source))]
    Listen {
        /// The address at which it was to listen.
        address: String,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// What to do where an address cannot be listened at.
fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program has that port, or a process that was started with the same setting `node`"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; that is no address of this machine: is setting `node` right? In a container or behind a translated address say \
             with setting `listen = 0.0.0.0:PORT` where to listen"
        }
        _ => "",
    }
}

struct Missing<'a>(&'a [(u32, String, String)]);

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (node, address, reason) in self.0 {
            write!(f, "; node {node} ({address}) is missing: {reason}")?;
        }
        if self.0.is_empty() {
            write!(f, ": all nodes are there, and no start signal came from node 0")?;
        }
        Ok(())
    }
}
