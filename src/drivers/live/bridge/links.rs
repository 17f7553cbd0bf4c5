//! All links of a bridge: they perform what the [`Roster`] decides, and pass messages on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use super::effects::{Effect, Effects, Row};
use super::inbound::Inbound;
use super::membership::Membership;
use super::news::{Closing, Deliver, News};
use super::outbound::Outbound;
use super::reporter::Reporter;
use super::roster::Roster;
use crate::drivers::live::timebase::Timebase;
use crate::edge::driver::LinkReport;
use crate::edge::link::seal::Key;
use crate::edge::log::{BridgeRow, Happening};
use crate::edge::panics;
use crate::model::event::Envelope;
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// The way to one other process, and those who wait for news of it.
pub(super) struct Wire {
    pub(super) node: u32,
    pub(super) address: String,
    /// There is something to write, or to look at, for the conversation with it.
    pub(super) to_write: Notify,
    /// There is no connection in use any more.
    pub(super) freed: Notify,
}

/// All links of a process.
pub(super) struct Links {
    roster: RefCell<Roster>,
    /// Empty, and kept for its memory.
    effects: RefCell<Vec<Effect>>,
    /// By node; the own one is left out.
    pub(super) wires: Vec<Rc<Wire>>,
    pub(super) key: Option<Arc<Key>>,
    /// Tells this process apart from the one before it; what it draws follows from it.
    pub(super) incarnation: u64,
    pub(super) clock: Timebase,
    pub(super) reporter: Reporter,
    pub(super) outbound: Arc<Outbound>,
    inbound: Arc<Inbound>,
    delivery: RefCell<Delivery>,
    /// Messages on their way out; empty, and kept for its memory.
    leaving: RefCell<Vec<Envelope>>,
    /// The same for messages that have arrived and are to be passed on.
    pub(super) arrived: RefCell<Vec<Envelope>>,
    /// Something has happened that those who wait for the start or the end should look at.
    pub(super) changed: Notify,
}

/// Where arrived messages go.
enum Delivery {
    /// The machines do not tick yet.
    Early(Vec<Envelope>),
    Open(Deliver),
}

impl Links {
    pub(super) fn new(
        membership: &Membership,
        (outbound, inbound): (Arc<Outbound>, Arc<Inbound>),
        clock: Timebase,
        reporter: Reporter,
    ) -> Self {
        let Membership { identity, addresses, bounds, key, .. } = membership;
        let others = (0..identity.nodes).zip(addresses).filter(|(node, _)| *node != identity.node);
        let wire = |(node, address): (u32, &String)| {
            let (to_write, freed) = (Notify::new(), Notify::new());
            Rc::new(Wire { node, address: address.clone(), to_write, freed })
        };
        Self {
            roster: RefCell::new(Roster::new(identity, addresses, bounds)),
            effects: RefCell::default(),
            wires: others.map(wire).collect(),
            key: key.clone(),
            incarnation: identity.incarnation,
            clock,
            reporter,
            outbound,
            inbound,
            delivery: RefCell::new(Delivery::Early(Vec::new())),
            leaving: RefCell::default(),
            arrived: RefCell::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn now(&self) -> Nanos {
        self.clock.elapsed()
    }

    /// The way to a process that is in the run, and is not this one.
    pub(super) fn wire(&self, node: u32) -> Option<&Rc<Wire>> {
        self.wires.iter().find(|wire| wire.node == node)
    }

    /// Asks the roster something that changes nothing, or nothing that anybody has to hear of.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&mut Roster) -> T) -> T {
        question(&mut self.roster.borrow_mut())
    }

    /// Lets the roster decide, and performs what it has decided.
    pub(super) fn decide<T>(&self, decide: impl FnOnce(&mut Roster, &mut Effects) -> T) -> T {
        let (decided, effects) = {
            let (mut roster, now) = (self.roster.borrow_mut(), self.now());
            let mut effects = Effects::at(now, roster.elapsed(now), self.effects.take());
            (decide(&mut roster, &mut effects), effects)
        };
        let mut list = effects.into_list();
        list.drain(..).for_each(|effect| self.perform(effect));
        self.effects.replace(list);
        decided
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::Row(row) => self.write(&row),
            Effect::Notice(text) => self.reporter.notice(text),
            Effect::Warn(text) => self.reporter.warn(text),
            Effect::News(news) => self.reporter.tell(news),
            Effect::Write(node) => self.wire(node).into_iter().for_each(|wire| wire.to_write.notify_one()),
            Effect::Freed(node) => self.wire(node).into_iter().for_each(|wire| wire.freed.notify_waiters()),
            Effect::Changed => self.changed.notify_waiters(),
        }
    }

    fn write(&self, row: &Row) {
        let Row { elapsed, what, peer, ref address, ref reason, traffic } = *row;
        let time = Timebase::time_of_day_now();
        self.reporter.write(&BridgeRow { elapsed, time, what, peer, address, reason, traffic });
    }

    /// A connection was refused here.
    pub(super) fn refused(&self, address: &str, reason: &str) {
        if self.reporter.refuses() {
            self.decide(|_, effects| effects.row(Happening::Refuse, address, reason));
        }
    }

    /// The same for a reason that people should know.
    pub(super) fn refused_visibly(&self, address: &str, reason: &str) {
        self.refused(address, reason);
        self.reporter.notice_refusal(address, reason);
    }

    /// A connection was refused for its cluster key: it may be of a node that the start waits for.
    pub(super) fn key_refused(&self, address: &str, reason: &str) {
        let host = address.rsplit_once(':').map_or(address, |(host, _port)| host);
        self.ask(|roster| roster.key_refused(host, reason));
        self.refused_visibly(address, reason);
    }

    /// Passes what has arrived from a process on to machines of this one, as far as there is room for so many
    /// messages.
    pub(super) fn deliver(&self, node: u32, messages: u32, arrived: &mut Vec<Envelope>) {
        let messages = u64::from(messages);
        let stay = self.inbound.arrived(node, messages);
        if stay < messages {
            let mut rest = stay;
            arrived.retain(|message| {
                let stays = !message.is_message() || rest > 0;
                rest -= u64::from(stays && message.is_message());
                stays
            });
            let most = self.inbound.most();
            self.decide(|roster, effects| {
                if let Some(member) = roster.member_mut(node) {
                    member.overwhelmed(messages - stay, most, effects);
                }
            });
        }
        match &mut *self.delivery.borrow_mut() {
            Delivery::Early(early) => early.append(arrived),
            Delivery::Open(deliver) => arrived.drain(..).for_each(deliver),
        }
    }

    /// The machines tick: messages go to them from now on.
    pub(super) fn open(&self, mut deliver: Deliver) {
        let mut delivery = self.delivery.borrow_mut();
        if let Delivery::Early(messages) = &mut *delivery {
            messages.drain(..).for_each(&mut deliver);
        }
        *delivery = Delivery::Open(deliver);
        drop(delivery);
        self.wires.iter().for_each(|wire| wire.to_write.notify_one());
    }

    /// Takes the messages that wait for machines elsewhere, and sees to it that they leave.
    pub(super) fn forward(&self) {
        let mut leaving = self.leaving.borrow_mut();
        let dropped = self.outbound.take(&mut leaving);
        self.decide(|roster, effects| roster.forward(leaving.drain(..), dropped, effects));
    }

    /// All is said: closes the log.
    pub(super) fn close(&self) -> Closing {
        let refusals = self.reporter.unlogged_refusals();
        let traffic = self.decide(|roster, effects| roster.total(&refusals, effects));
        let (file, warnings) = self.reporter.close();
        let report = LinkReport { traffic, warnings };
        Closing {
            report,
            file,
            lamport: self.ask(|roster| roster.lamport()),
            undelivered: self.undelivered(),
        }
    }

    /// What has come from processes that had begun, where this one was to end before it did.
    fn undelivered(&self) -> BTreeMap<VmId, u64> {
        let mut undelivered = BTreeMap::new();
        if let Delivery::Early(messages) = &*self.delivery.borrow() {
            for message in messages.iter().filter(|message| message.is_message()) {
                *undelivered.entry(message.to()).or_default() += 1;
            }
        }
        undelivered
    }
}

/// Starts a task on this thread; a panic in it fails the run.
pub(super) fn start(links: &Rc<Links>, task: impl Future<Output = ()> + 'static) {
    struct Watch(Rc<Links>);
    impl Drop for Watch {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.reporter.tell(News::Panicked(panics::latest()));
            }
        }
    }
    let watch = Watch(Rc::clone(links));
    tokio::task::spawn_local(async move {
        let _watch = watch;
        task.await;
    });
}
