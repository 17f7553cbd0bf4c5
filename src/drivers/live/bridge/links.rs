//! All links of a bridge: who is there, when the run starts, where messages go, and when all is said.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use super::connection::Fault;
use super::frontier::{Behind, Frontier};
use super::peer::{Away, Peer, Standing};
use super::reporter::Reporter;
use super::start_barrier::{Others, StartBarrier, Step};
use super::throttle::Throttle;
use super::{Closing, Deliver, Inbound, JoinError, Membership, News, Outbound, Prepared};
use crate::drivers::live::Timebase;
use crate::edge::driver::LinkReport;
use crate::edge::link::greeting::{self, GreetingError, Hello, Identity};
use crate::edge::link::seal::Key;
use crate::edge::link::session::Attached;
use crate::edge::link::word::Word;
use crate::edge::log::{Happening, Traffic};
use crate::edge::nodes;
use crate::model::event::{Message, MessageId};
use crate::model::id::VmId;
use crate::model::time::Nanos;

/// One other process, and those who wait for news of it.
pub(super) struct Place {
    pub(super) node: u32,
    pub(super) address: String,
    pub(super) peer: RefCell<Peer>,
    /// There is something to write, or to look at, for the conversation with it.
    pub(super) to_write: Notify,
    /// There is no connection in use any more.
    pub(super) freed: Notify,
    /// Whether people were told that it has sent too much.
    was_overwhelming: Cell<bool>,
    /// Rows about it, by what they tell.
    pub(super) throttles: RefCell<Vec<(Happening, Throttle)>>,
}

/// All links of a process.
pub(super) struct Links {
    pub(super) own: Identity,
    vms: u32,
    pub(super) key: Option<Arc<Key>>,
    pub(super) clock: Timebase,
    pub(super) places: Vec<Rc<Place>>,
    pub(super) outbound: Arc<Outbound>,
    inbound: Arc<Inbound>,
    /// Empty, and kept for its memory.
    batch: RefCell<Vec<Message>>,
    /// The same for messages that have arrived and are to be passed on.
    pub(super) arrived: RefCell<Vec<Message>>,
    pub(super) reporter: Reporter,
    pub(super) start_barrier: RefCell<StartBarrier>,
    frontier: RefCell<Frontier>,
    /// Whether the own logs are known to lack what others have heard of.
    is_behind: Cell<bool>,
    delivery: RefCell<Delivery>,
    turn: Cell<u64>,
    connections: Cell<u64>,
    ending: Cell<Option<Ending>>,
    /// The largest Lamport clock that others have told of.
    lamport: Cell<u64>,
    /// Messages dropped before it was looked for whom they were.
    overflow: Cell<u64>,
    /// Messages within this process that were lost with the one before it.
    inboxes: Cell<u64>,
    /// A host whose connection was refused for its cluster key, and why: it may be a node that is missing.
    pub(super) key_refusal: RefCell<Option<(String, String)>>,
    /// Something has happened that those who wait for the start or the end should look at.
    pub(super) changed: Notify,
}

/// The process makes no more ticks.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    /// Whether it does not wait for the others.
    pub(super) early: bool,
    pub(super) since: Nanos,
}

/// Where arrived messages go.
enum Delivery {
    /// The machines do not tick yet.
    Early(Vec<Message>),
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
        let vms = membership.vms();
        let others = (0..identity.nodes).zip(addresses).filter(|(node, _)| *node != identity.node);
        let places = others.map(|(node, address)| {
            let peer = RefCell::new(Peer::new(identity, node, Arc::clone(bounds)));
            let (to_write, freed) = (Notify::new(), Notify::new());
            Rc::new(Place {
                node,
                address: address.clone(),
                peer,
                to_write,
                freed,
                was_overwhelming: Cell::new(false),
                throttles: RefCell::default(),
            })
        });
        Self {
            own: identity.clone(),
            vms,
            key: key.clone(),
            clock,
            places: places.collect(),
            outbound,
            inbound,
            batch: RefCell::default(),
            arrived: RefCell::default(),
            reporter,
            start_barrier: RefCell::default(),
            frontier: RefCell::new(Frontier::new(membership.share())),
            is_behind: Cell::new(false),
            delivery: RefCell::new(Delivery::Early(Vec::new())),
            turn: Cell::new(0),
            connections: Cell::new(0),
            ending: Cell::new(None),
            lamport: Cell::new(0),
            overflow: Cell::new(0),
            inboxes: Cell::new(0),
            key_refusal: RefCell::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn now(&self) -> Nanos {
        self.clock.elapsed()
    }

    pub(super) fn place(&self, node: u32) -> Option<&Rc<Place>> {
        // The own place is left out.
        let index = if node < self.own.node { node } else { node.checked_sub(1)? };
        self.places.get(index as usize).filter(|place| place.node == node)
    }

    pub(super) fn next_connection(&self) -> u64 {
        self.connections.update(|count| count + 1);
        self.connections.get()
    }

    /// What to say to that process when a connection opens.
    pub(super) fn hello(&self, place: &Place) -> Hello {
        self.turn.update(|turn| turn + 1);
        place.peer.borrow().session.hello(self.turn.get())
    }

    /// Makes sure that a hello comes from a process of this run, which is still to be spoken to.
    pub(super) fn check(&self, hello: &Hello) -> Result<&Rc<Place>, GreetingError> {
        greeting::check(&self.own, hello)?;
        let Some(place) = self.place(hello.from.node) else {
            return Err(GreetingError::NotClocklab);
        };
        let known = place.peer.borrow().session.known();
        let is_another = known != 0 && known != hello.from.incarnation;
        if self.ending.get().is_some() && is_another {
            return Err(GreetingError::Ended);
        }
        // It would number its events from 1 again.
        if self.has_started() && hello.from.run.is_empty() {
            return Err(GreetingError::UnderWay);
        }
        Ok(place)
    }

    // ---- the way to the start ----

    /// The own machines are ready to start, or to go on from there.
    pub(super) fn prepared(&self, Prepared { elapsed, passed }: &Prepared) {
        let node_of = |vm: &VmId| nodes::node_of(vm.0, self.own.nodes, self.vms);
        let with = |node: u32, counts: &BTreeMap<VmId, u64>| -> u64 {
            counts.iter().filter(|(vm, _)| node_of(vm) == node).map(|(_, count)| count).sum()
        };
        for place in &self.places {
            let logged = (with(place.node, &passed.sent), with(place.node, &passed.received));
            {
                let mut peer = place.peer.borrow_mut();
                peer.loss_accounting.logged(logged);
                peer.logged(&passed.heard);
            }
            self.reckon(place);
        }
        {
            let mut frontier = self.frontier.borrow_mut();
            let own = self.own.node;
            passed.heard.iter().for_each(|(sender, event)| {
                frontier.heard(own, MessageId { sender: *sender, event: *event });
            });
            frontier.logged(&passed.events);
        }
        self.look_behind();
        // What waited in inboxes here when the process died.
        let own = self.own.node;
        self.inboxes.set(with(own, &passed.sent).saturating_sub(with(own, &passed.received)));
        self.start_barrier.borrow_mut().prepared(*elapsed);
        self.advance();
    }

    /// Says what is known here of the other's messages, and counts what is lost of those to it, as soon as both
    /// can be.
    fn reckon(&self, place: &Place) {
        let words = place.peer.borrow_mut().words();
        words.into_iter().for_each(|word| self.say(place, word));
        let lost = {
            let mut peer = place.peer.borrow_mut();
            let raw = peer.raw_lost();
            peer.loss_accounting.reckon(raw)
        };
        if let Some(lost) = lost.filter(|lost| *lost > 0) {
            let reason = format!("{lost} messages to it that were sent before are in none of its logs");
            if self.note(Happening::Counted, Some(place), "", &reason) {
                let name = self.name(place);
                self.reporter.warn(format!("{lost} messages to {name} were lost with processes that died"));
            }
        }
    }

    /// Looks whether others have heard of events that the own logs lack: then the process is not to go on.
    fn look_behind(&self) {
        let Some(Behind { vm, logged, heard, node }) = self.frontier.borrow().behind() else { return };
        if !self.is_behind.replace(true) {
            let who = self.place(node).map_or_else(
                || "a log of this process has".to_owned(),
                |place| format!("{} has", self.name(place)),
            );
            self.reporter.tell(News::NotJoined(JoinError::Behind { who, vm, logged, heard }));
        }
    }

    pub(super) fn has_started(&self) -> bool {
        self.start_barrier.borrow().has_started()
    }

    /// Does what is possible now on the way to the start.
    pub(super) fn advance(&self) {
        self.changed.notify_waiters();
        if self.is_behind.get() {
            return;
        }
        let others = Others {
            count: self.places.len(),
            are_here: self.places.iter().all(|place| place.peer.borrow().standing == Standing::Here),
            have_told: self.places.iter().all(|place| place.peer.borrow().has_told()),
            first: self.place(0).map(|first| first.peer.borrow().session.known()),
        };
        let step = self.start_barrier.borrow_mut().advance(others, self.now());
        let elapsed = match step {
            None => return,
            Some(Step::SayReady(elapsed)) => {
                return self.place(0).into_iter().for_each(|first| self.say(first, Word::Ready { elapsed }));
            }
            Some(Step::Signal(elapsed)) => {
                self.places.iter().for_each(|place| self.say(place, Word::Start { elapsed }));
                elapsed
            }
            Some(Step::Start(elapsed)) => elapsed,
        };
        self.note(Happening::Start, None, "", "");
        self.reporter.tell(News::Start { elapsed });
    }

    /// Those that are missing for the start, each with the reason.
    pub(super) fn missing(&self) -> Vec<(u32, String, String)> {
        let start_barrier = self.start_barrier.borrow();
        let missing = self.places.iter().filter_map(|place| {
            let peer = place.peer.borrow();
            let reason = match peer.standing {
                Standing::Here if peer.in_use.is_none() => peer.away.reason.clone(),
                Standing::Here if self.own.node == 0 && !start_barrier.is_ready(place.node) => {
                    "it is not ready: it misses another node, or still prepares".into()
                }
                Standing::Here if !peer.has_told() => {
                    "it has not told what it has heard of the machines here, or still prepares".into()
                }
                Standing::Here => return None,
                _ => peer.away.reason.clone(),
            };
            // Who is refused for its key is not told why, and cannot tell who it is.
            let reason = match &*self.key_refusal.borrow() {
                Some((host, why)) if peer.standing == Standing::Expected => {
                    format!("{reason}; a connection from {host} was refused: {why}")
                }
                _ => reason,
            };
            Some((place.node, place.address.clone(), reason))
        });
        missing.collect()
    }

    // ---- what connections bring ----

    /// A connection to that process is in use.
    pub(super) fn attached(&self, place: &Place, address: &str, attached: Attached, how: Happening) {
        let resent = place.peer.borrow().session.to_resend().messages;
        match attached {
            Attached::New => {
                self.note(how, Some(place), address, "");
            }
            Attached::Resumed => {
                if self.note(Happening::Back, Some(place), address, "") {
                    self.reporter.notice(format!("{} is back", self.name(place)));
                }
            }
            Attached::Restarted(lost) => {
                let reason =
                    format!("{} messages to the process before it may not have arrived", lost.messages);
                let is_told = self.note(Happening::Restarted, Some(place), address, &reason);
                self.start_barrier.borrow_mut().succeeded(place.node);
                if is_told && self.has_started() {
                    self.reporter.warn(format!("{} was started again", self.name(place)));
                }
            }
        }
        if resent > 0 {
            let reason = format!("{resent} messages that may not have arrived");
            self.note(Happening::Resent, Some(place), address, &reason);
        }
        if attached != Attached::Resumed
            && self.ending.get().is_none()
            && let Some(elapsed) = self.start_barrier.borrow().elapsed(self.now())
        {
            self.say(place, Word::Start { elapsed });
        }
        if self.ending.get().is_none() {
            self.reckon(place);
        }
        self.advance();
    }

    /// The connection in use is lost.
    pub(super) fn detached(&self, place: &Place, address: &str, fault: &Fault) {
        let away = Away { since: self.now(), reason: fault.to_string(), is_refused: fault.is_refusal() };
        place.peer.borrow_mut().detach(away);
        place.freed.notify_waiters();
        if !matches!(fault, Fault::Over) {
            let is_told = self.note(Happening::Lost, Some(place), address, &fault.to_string());
            if is_told && place.peer.borrow().standing == Standing::Here && self.ending.get().is_none() {
                self.reporter.notice(format!("lost the connection to {}: {fault}", self.name(place)));
            }
        }
        self.changed.notify_waiters();
    }

    /// A word of another process.
    pub(super) fn heard(&self, place: &Place, word: Word) {
        match word {
            Word::Ready { elapsed } => {
                self.start_barrier.borrow_mut().ready(place.node, elapsed);
                self.advance();
            }
            Word::Start { elapsed } => {
                self.start_barrier.borrow_mut().signal(elapsed, self.now());
                self.advance();
            }
            Word::Known { received } => {
                place.peer.borrow_mut().loss_accounting.heard(received);
                self.reckon(place);
                self.advance();
            }
            Word::Heard { machine, event } => {
                let id = MessageId { sender: VmId(machine), event };
                self.frontier.borrow_mut().heard(place.node, id);
                self.look_behind();
            }
            Word::Farewell { lamport, early } => {
                self.lamport.set(self.lamport.get().max(lamport));
                let is_here = place.peer.borrow().standing == Standing::Here;
                if early && is_here && self.ending.get().is_none() {
                    self.left(place);
                }
            }
        }
    }

    /// The process leaves before the end: it is told that nothing follows from here.
    fn left(&self, place: &Place) {
        {
            let mut peer = place.peer.borrow_mut();
            peer.flush();
            peer.session.end();
            peer.standing = Standing::Left;
            peer.away = Away { since: self.now(), reason: "it has left".into(), is_refused: false };
        }
        place.to_write.notify_one();
        self.start_barrier.borrow_mut().succeeded(place.node);
        self.note(Happening::Left, Some(place), "", "");
        self.reporter.warn(format!("{} has left the run", self.name(place)));
        self.advance();
    }

    /// Passes what has arrived from a process on to machines of this one, as far as there is room for so many
    /// messages.
    pub(super) fn deliver(&self, place: &Place, messages: u32, arrived: &mut Vec<Message>) {
        let messages = u64::from(messages);
        let stay = self.inbound.arrived(place.node, messages);
        if stay < messages {
            let mut rest = stay;
            arrived.retain(|message| {
                let stays = message.is_call || rest > 0;
                rest -= u64::from(stays && !message.is_call);
                stays
            });
            self.overwhelmed(place, messages - stay);
        }
        match &mut *self.delivery.borrow_mut() {
            Delivery::Early(early) => early.append(arrived),
            Delivery::Open(deliver) => arrived.drain(..).for_each(deliver),
        }
    }

    /// A process has sent more than is kept of it: so many messages are dropped.
    fn overwhelmed(&self, place: &Place, dropped: u64) {
        let untold = place.peer.borrow_mut().drop_arrived(dropped, self.now());
        if untold > 0 {
            let most = self.inbound.most();
            let reason = format!("{untold} messages from it: {most} of its messages wait here already");
            self.note(Happening::Dropped, Some(place), "", &reason);
        }
        if !place.was_overwhelming.replace(true) {
            let name = self.name(place);
            self.reporter
                .warn(format!("{name} has sent more than this process keeps, and what is beyond is dropped"));
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
        self.places.iter().for_each(|place| place.to_write.notify_one());
    }

    // ---- what machines send ----

    /// Takes the messages that wait for machines elsewhere, and sees to it that they leave.
    pub(super) fn forward(&self) {
        let mut batch = self.batch.borrow_mut();
        let dropped = self.outbound.take(&mut batch);
        self.overflow.update(|sum| sum + dropped);
        if dropped > 0 {
            let reason = format!("{dropped} messages: the machines sent more than the bridge could take");
            self.note(Happening::Dropped, None, "", &reason);
        }
        let mut frontier = self.frontier.borrow_mut();
        for message in batch.drain(..) {
            frontier.sent(message.id);
            let node = nodes::node_of(message.to.0, self.own.nodes, self.vms);
            if let Some(place) = self.place(node) {
                place.peer.borrow_mut().put(&message);
            }
        }
        drop(frontier);
        let now = self.now();
        for place in &self.places {
            let (untold, standing) = {
                let mut peer = place.peer.borrow_mut();
                peer.flush();
                if peer.session.has_to_write(now) {
                    place.to_write.notify_one();
                }
                (peer.take_untold(self.now()), peer.standing)
            };
            if untold > 0 {
                let why = match standing {
                    Standing::Left => "the process has left",
                    Standing::Gone => "the process is gone",
                    Standing::Expected | Standing::Here => "too many wait for the process",
                };
                self.note(Happening::Dropped, Some(place), "", &format!("{untold} messages: {why}"));
            }
        }
    }

    fn say(&self, place: &Place, word: Word) {
        place.peer.borrow_mut().say(word);
        place.to_write.notify_one();
    }

    // ---- the way to the end ----

    /// No machine of this process ticks again. Whoever is there is told so behind all messages.
    pub(super) fn finish(&self, lamport: u64, early: bool) {
        let was = self.ending.replace(Some(Ending { early, since: self.now() }));
        self.changed.notify_waiters();
        if was.is_some() {
            return;
        }
        for place in &self.places {
            let mut peer = place.peer.borrow_mut();
            // Who goes on with a run sends to processes that it has not met yet.
            if peer.standing == Standing::Expected {
                peer.standing = if self.has_started() { Standing::Here } else { Standing::Gone };
            }
            if peer.standing == Standing::Here {
                peer.say(Word::Farewell { lamport, early });
                peer.session.end();
            }
            place.to_write.notify_one();
        }
    }

    pub(super) const fn ending(&self) -> Option<Ending> {
        self.ending.get()
    }

    /// The process is not waited for any longer.
    pub(super) fn give_up(&self, place: &Place, why: &str) {
        let reason = self.bury(place, why);
        self.reporter.warn(format!("{} is gone: {reason}", self.name(place)));
        self.changed.notify_waiters();
    }

    /// Does the same where somebody else tells people of it.
    pub(super) fn bury(&self, place: &Place, why: &str) -> String {
        let lost = place.peer.borrow_mut().give_up(Standing::Gone).messages;
        place.to_write.notify_one();
        let reason = format!("{why}; {lost} messages to it may not have arrived");
        self.note(Happening::Gone, Some(place), "", &reason);
        self.advance();
        reason
    }

    /// All is said: closes the log.
    pub(super) fn close(&self) -> Closing {
        let (dropped, lost) = (self.overflow.get(), self.inboxes.get());
        let mut total = Traffic { dropped, lost, ..Traffic::default() };
        for place in &self.places {
            total = total.plus(place.peer.borrow().traffic());
            let left_out: u64 =
                place.throttles.borrow().iter().map(|(_, throttle)| throttle.left_out()).sum();
            let reason =
                if left_out > 0 { format!("{left_out} happenings have no row") } else { String::new() };
            self.note(Happening::Total, Some(place), "", &reason);
        }
        self.row(Happening::Total, None, "", &self.reporter.unlogged_refusals(), Some(total));
        let (file, warnings) = self.reporter.close();
        let report = LinkReport { traffic: total, warnings };
        Closing { report, file, lamport: self.lamport.get(), undelivered: self.undelivered() }
    }

    /// What has come from processes that had begun, where this one was to end before it did.
    fn undelivered(&self) -> BTreeMap<VmId, u64> {
        let mut undelivered = BTreeMap::new();
        if let Delivery::Early(messages) = &*self.delivery.borrow() {
            for message in messages.iter().filter(|message| !message.is_call) {
                *undelivered.entry(message.to).or_default() += 1;
            }
        }
        undelivered
    }
}
