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
//! 256 MiB ([`Inbound`]), and of messages that no machine of the run can send ([`Bounds`](crate::edge::link::bounds::Bounds)) none. A call to a process that is away meets nobody, and is
//! dropped: that is what the model says of it.

mod connection;
mod conversation;
mod dialling;
mod effects;
mod ending;
mod fault;
mod frontier;
mod inbound;
mod join;
mod links;
mod loss_accounting;
mod member;
mod membership;
mod news;
mod outbound;
mod peer;
mod reception;
mod reporter;
mod roster;
mod start_barrier;
mod strangers;
mod throttle;
mod waiting;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, ArbiterHandle, Context, Handler, Message as ActixMessage};

pub use self::ending::REFUSED_TIME;
pub use self::inbound::Inbound;
pub use self::join::{Asked, ask, listen, listen_when_known};
use self::links::{Links, start};
pub use self::membership::Membership;
pub use self::news::{Closing, Deliver, JoinError, News, Tell};
pub use self::outbound::Outbound;
use self::outbound::Wake;
use self::reporter::Reporter;
use super::timebase::Timebase;
use crate::edge::log::{BridgeLog, Happening, LogError, Passed};
use crate::edge::panics;
use crate::model::time::Nanos;

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
            let links = Rc::new(Links::new(
                &membership,
                (outbound, inbound),
                clock,
                Reporter::new(log, tell, membership.spelled),
            ));
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
                links.decide(|_, effects| effects.row(Happening::Listen, &address, ""));
                start(links, reception::listen(Rc::clone(links), listener));
            }
            Err(source) => links.reporter.tell(News::NotJoined(JoinError::Listen { address, source })),
        }
        if let Some(deaths) = membership.deaths.take() {
            start(links, waiting::for_deaths(Rc::clone(links), deaths));
        }
        for wire in &links.wires {
            start(links, dialling::dial(Rc::clone(links), Rc::clone(wire)));
        }
        start(links, waiting::for_the_start(Rc::clone(links), membership.join_timeout));
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
        let Prepared { elapsed, passed } = &prepared;
        self.links.decide(|roster, effects| roster.prepared(*elapsed, passed, effects));
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
        self.links.decide(|roster, effects| roster.finish(lamport, early, effects));
        if !std::mem::replace(&mut self.has_ended, true) {
            start(&self.links, waiting::for_the_end(Rc::clone(&self.links)));
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
        f.debug_struct("Bridge").field("has_ended", &self.has_ended).finish_non_exhaustive()
    }
}
