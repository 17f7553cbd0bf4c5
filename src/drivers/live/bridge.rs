//! The bridge: the actor through which the machines of one process reach those of the others.
//!
//! It has an arbiter of its own. Machines hand their messages over in the [`Outbound`] queue; the bridge
//! gives each to the [link](crate::edge::link) to its recipient's process, which puts those that leave together
//! into one frame. What arrives goes to the recipient's actor, which cannot tell where it came from.
//!
//! The bridge leads its process to the common start and to the common end as well. It tells what happens in
//! [`News`], and writes all that its links do to `bridge_<node>.csv`.
//!
//! # When a process is slow, or away
//!
//! A machine's ticks are due when they are due, so a machine does not wait: its messages are kept for a process
//! that is away, up to 32 MiB a link, and up to a million while the bridge itself is behind. What is beyond that
//! is dropped, counted, and logged. A connection can wait, so there the operating system's own back-pressure
//! holds. What has arrived waits in inboxes, which have no bound in the model; of one process's messages they keep
//! 256 MiB ([`Inbound`]), and of messages that no machine of the run can send ([`Bounds`]) none. A call to a process that is away meets nobody, and is
//! dropped: that is what the model says of it.

mod connection;
mod frontier;
mod inbound;
mod join;
mod links;
mod loss_accounting;
mod outbound;
mod peer;
mod reception;
mod reporter;
mod rows;
mod start_barrier;
mod strangers;
mod tasks;
mod throttle;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, ArbiterHandle, Context, Handler, Message as ActixMessage};
use tokio::sync::mpsc::UnboundedReceiver;

pub use self::inbound::Inbound;
pub use self::join::{Asked, ask, listen, listen_when_known};
use self::links::Links;
pub use self::outbound::Outbound;
use self::outbound::Wake;
use self::reporter::Reporter;
use super::Timebase;
use crate::edge::driver::LinkReport;
use crate::edge::link::bounds::Bounds;
use crate::edge::link::greeting::Identity;
use crate::edge::link::seal::Key;
use crate::edge::link::session::SILENCE;
use crate::edge::log::{BridgeLog, FileEntry, Happening, LogError, Passed};
use crate::edge::nodes;
use crate::edge::panics;
use crate::model::event::Message;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// How long the end of a run waits for a process at whose address nobody listens.
pub const REFUSED_TIME: Nanos = SILENCE;
/// How long a connection may take to greet.
const GREETING_TIME: Duration = Duration::from_secs(5);

/// A process's place in a distributed run.
#[derive(Debug)]
pub struct Membership {
    /// Which process of which run it is.
    pub identity: Identity,
    /// The addresses of all processes, by node.
    pub addresses: Vec<String>,
    /// Where the others reach this one.
    pub listener: TcpListener,
    /// What the messages of the run can be.
    pub bounds: Arc<Bounds>,
    /// The key that all processes share, where the links are to be secret.
    pub key: Option<Arc<Key>>,
    /// How long the start waits for all processes.
    pub join_timeout: Duration,
    /// Where the bridge's log is to be written.
    pub log: PathBuf,
    /// Whether the process goes on where its logs end.
    pub resume: bool,
    /// Nodes of which somebody knows that they are dead and will not come back.
    pub deaths: Option<UnboundedReceiver<u32>>,
}

impl Membership {
    /// The machines of this process, by number.
    pub fn share(&self) -> Range<u32> {
        nodes::share(self.identity.nodes, self.identity.node, self.vms())
    }

    /// The number of machines of the whole run.
    pub fn vms(&self) -> u32 {
        u32::try_from(self.bounds.vms()).unwrap_or(u32::MAX)
    }

    /// How many they are.
    pub fn machines(&self) -> u32 {
        let share = self.share();
        share.end - share.start
    }
}

/// Takes a message that has arrived.
pub type Deliver = Box<dyn FnMut(Message) + Send>;

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
        "cannot listen at {address}: {source}; is it spelled right? With --listen 0.0.0.0:PORT it need not be known here"
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
            "; another program has that port, or a process that was started with the same --node"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; that is no address of this machine: is --node right? In a container or behind a translated address say \
             with --listen 0.0.0.0:PORT where to listen"
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

/// The machines of this process are ready to start.
#[derive(Clone, Debug, Default, ActixMessage)]
#[rtype(result = "()")]
pub struct Prepared {
    /// How far their logs go; zero in a new run.
    pub elapsed: Nanos,
    /// What the logs say of messages; nothing in a new run.
    pub passed: Passed,
}

/// The machines tick from now on.
#[derive(ActixMessage)]
#[rtype(result = "()")]
pub struct Open(pub Deliver);

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

/// The machines of this process make no more ticks, and all their messages are handed over.
#[derive(Clone, Copy, Debug, ActixMessage)]
#[rtype(result = "()")]
pub struct Finish {
    /// Their largest Lamport clock.
    pub lamport: u64,
    /// Whether the process leaves before the run's end.
    pub early: bool,
}

/// The bridge of a process.
pub struct Bridge {
    links: Rc<Links>,
    has_ended: bool,
}

impl Bridge {
    /// Starts the bridge of a process on that arbiter: it listens and dials at once.
    ///
    /// # Errors
    ///
    /// Where its log cannot be made.
    pub fn start_in(
        arbiter: &ArbiterHandle,
        membership: Membership,
        (outbound, inbound): (Arc<Outbound>, Arc<Inbound>),
        tell: Tell,
    ) -> Result<Addr<Self>, LogError> {
        let path = membership.log.clone();
        let log = if membership.resume { BridgeLog::resume(path) } else { BridgeLog::create(path) }?;
        Ok(Self::start_in_arbiter(arbiter, move |context| {
            let clock = Timebase::starting_in(Duration::ZERO);
            outbound.wakes(actix::AsyncContext::address(context).recipient());
            let links =
                Rc::new(Links::new(&membership, (outbound, inbound), clock, Reporter::new(log, tell)));
            let bridge = Self { links, has_ended: false };
            bridge.open_links(membership);
            bridge
        }))
    }

    fn open_links(&self, mut membership: Membership) {
        let links = &self.links;
        let address = membership.listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let listener = membership.listener.set_nonblocking(true);
        match listener.and_then(|()| tokio::net::TcpListener::from_std(membership.listener)) {
            Ok(listener) => {
                links.note(Happening::Listen, None, &address, "");
                tasks::start(links, reception::listen(Rc::clone(links), listener));
            }
            Err(source) => links.reporter.tell(News::NotJoined(JoinError::Listen { address, source })),
        }
        if let Some(deaths) = membership.deaths.take() {
            tasks::start(links, tasks::bury(Rc::clone(links), deaths));
        }
        for place in &links.places {
            tasks::start(links, tasks::dial(Rc::clone(links), Rc::clone(place)));
        }
        tasks::start(links, tasks::start_barrier(Rc::clone(links), membership.join_timeout));
    }
}

impl Actor for Bridge {
    type Context = Context<Self>;
}

impl Handler<Wake> for Bridge {
    type Result = ();

    fn handle(&mut self, _: Wake, _: &mut Context<Self>) {
        self.links.forward();
    }
}

impl Handler<Prepared> for Bridge {
    type Result = ();

    fn handle(&mut self, prepared: Prepared, _: &mut Context<Self>) {
        self.links.prepared(&prepared);
    }
}

impl Handler<Open> for Bridge {
    type Result = ();

    fn handle(&mut self, Open(deliver): Open, _: &mut Context<Self>) {
        self.links.open(deliver);
    }
}

impl Handler<Finish> for Bridge {
    type Result = ();

    fn handle(&mut self, Finish { lamport, early }: Finish, _: &mut Context<Self>) {
        self.links.forward();
        self.links.finish(lamport, early);
        if !std::mem::replace(&mut self.has_ended, true) {
            tasks::start(&self.links, tasks::end(Rc::clone(&self.links)));
        }
    }
}

/// The run is over for this process, and its last word is said.
#[derive(Clone, Copy, Debug, ActixMessage)]
#[rtype(result = "()")]
pub struct Stop;

impl Handler<Stop> for Bridge {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Context<Self>) {
        context.stop();
    }
}

/// A bridge that goes before it was told that the run is over has panicked.
impl Drop for Bridge {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.links.reporter.tell(News::Panicked(panics::latest()));
        }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("node", &self.links.own.node).finish_non_exhaustive()
    }
}
