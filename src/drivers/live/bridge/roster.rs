//! All other processes of the run, and how this one stands with them: who is there, when the run starts, where messages
//! go, and when all is said.
//!
//! It decides and does nothing: it has no sockets and no clock. When it is comes in with the [`Effects`] into which it
//! puts what is to be done, so that its tests need neither.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::effects::{Effect, Effects};
use super::ending::{Ending, Verdict};
use super::fault::Fault;
use super::frontier::{Behind, Frontier};
use super::member::Member;
use super::news::{JoinError, News};
use super::peer::{Peer, Standing};
use super::start_barrier::{Others, StartBarrier, Step};
use crate::edge::link::bounds::Bounds;
use crate::edge::link::greeting::{self, GreetingError, Hello, Identity};
use crate::edge::link::session::Attached;
use crate::edge::link::word::Word;
use crate::edge::log::{Happening, Passed, Traffic};
use crate::edge::nodes;
use crate::model::event::{Envelope, MessageId};
use crate::model::id::VmId;
use crate::model::time::Nanos;

pub(super) struct Roster {
    own: Identity,
    vms: u32,
    /// By node; the own one is left out.
    members: Vec<Member>,
    start_barrier: StartBarrier,
    frontier: Frontier,
    /// Whether the own logs are known to lack what others have heard of.
    is_behind: bool,
    /// Counts this process's hellos.
    turn: u64,
    /// Counts the connections that were ever in use.
    connections: u64,
    ending: Option<Ending>,
    /// The largest Lamport clock that others have told of.
    lamport: u64,
    /// Messages dropped before it was looked for whom they were.
    overflow: u64,
    /// Messages within this process that were lost with the one before it.
    inboxes: u64,
    /// A host whose connection was refused for its cluster key, and why: it may be a node that is missing.
    key_refusal: Option<(String, String)>,
}

impl Roster {
    /// The others of a run at their start: who this process is, where all of them are, by node, and what the run's
    /// messages can be.
    pub(super) fn new(identity: &Identity, addresses: &[String], bounds: &Arc<Bounds>) -> Self {
        let vms = u32::try_from(bounds.vms()).unwrap_or(u32::MAX);
        let others = (0..identity.nodes).zip(addresses).filter(|(node, _)| *node != identity.node);
        let member = |(node, address): (u32, &String)| {
            Member::new(node, address.clone(), Peer::new(identity, node, Arc::clone(bounds)))
        };
        Self {
            own: identity.clone(),
            vms,
            members: others.map(member).collect(),
            start_barrier: StartBarrier::default(),
            frontier: Frontier::new(nodes::share(identity.nodes, identity.node, vms)),
            is_behind: false,
            turn: 0,
            connections: 0,
            ending: None,
            lamport: 0,
            overflow: 0,
            inboxes: 0,
            key_refusal: None,
        }
    }

    fn index(&self, node: u32) -> Option<usize> {
        // The own node has no place among the members.
        let index = if node < self.own.node { node } else { node.checked_sub(1)? } as usize;
        self.members.get(index).filter(|member| member.node == node).map(|_| index)
    }

    /// Another process; none of that number in this run, or this process itself.
    pub(super) fn member(&self, node: u32) -> Option<&Member> {
        self.index(node).map(|index| &self.members[index])
    }

    pub(super) fn member_mut(&mut self, node: u32) -> Option<&mut Member> {
        self.index(node).map(|index| &mut self.members[index])
    }

    /// What this process knows of another one, which is in the run.
    ///
    /// # Panics
    ///
    /// Where there is none of that number.
    pub(super) fn peer(&mut self, node: u32) -> &mut Peer {
        &mut self.member_mut(node).expect("each wire leads to a member").peer
    }

    pub(super) const fn has_started(&self) -> bool {
        self.start_barrier.has_started()
    }

    pub(super) const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Time since the run's start, once that is known.
    pub(super) fn elapsed(&self, now: Nanos) -> Option<Nanos> {
        self.start_barrier.elapsed(now)
    }

    // The greeting.

    /// What to say to that process when a connection opens.
    pub(super) fn hello(&mut self, node: u32) -> Hello {
        self.turn += 1;
        let turn = self.turn;
        self.peer(node).session.hello(turn)
    }

    /// Makes sure that a hello comes from a process of this run, which is still to be spoken to, and tells which node
    /// that is.
    pub(super) fn check(&self, hello: &Hello) -> Result<u32, GreetingError> {
        greeting::check(&self.own, hello)?;
        let Some(member) = self.member(hello.from.node) else {
            return Err(GreetingError::NotClocklab);
        };
        let known = member.peer.session.known();
        let is_another = known != 0 && known != hello.from.incarnation;
        if self.is_ending() && is_another {
            return Err(GreetingError::Ended);
        }
        // It would number its events from 1 again.
        if self.has_started() && hello.from.run.is_empty() {
            return Err(GreetingError::UnderWay);
        }
        Ok(member.node)
    }

    /// The same of the answer to an own hello, which was for that node.
    pub(super) fn check_answer(&self, hello: &Hello, node: u32) -> Result<(), GreetingError> {
        match self.check(hello)? {
            from if from == node => Ok(()),
            from => Err(GreetingError::Node { theirs: from, to: hello.to, ours: self.own.node }),
        }
    }

    /// A hello has come over a connection: it is the one in use from now on, and has the number that this tells.
    pub(super) fn attach(
        &mut self,
        hello: &Hello,
        address: &str,
        how: Happening,
        effects: &mut Effects,
    ) -> Result<u64, Fault> {
        let node = hello.from.node;
        self.connections += 1;
        let number = self.connections;
        let attached = self.peer(node).attach(hello, number, effects.now)?;
        // A conversation over an earlier connection finds that it is in use no more.
        effects.add(Effect::Write(node));
        let (has_started, is_ending) = (self.has_started(), self.is_ending());
        let elapsed = self.elapsed(effects.now);
        let Some(index) = self.index(node) else { return Ok(number) };
        let member = &mut self.members[index];
        member.attached(address, attached, how, has_started, effects);
        if matches!(attached, Attached::Restarted(_)) {
            self.start_barrier.succeeded(node);
        }
        if !is_ending {
            let is_another = attached != Attached::Resumed;
            if let Some(elapsed) = elapsed.filter(|_| is_another) {
                member.say(Word::Start { elapsed }, effects);
            }
            member.account(effects);
        }
        self.advance(effects);
        Ok(number)
    }

    /// The connection of that number is lost, unless another one has taken its place.
    pub(super) fn lose(
        &mut self,
        node: u32,
        number: u64,
        address: &str,
        fault: &Fault,
        effects: &mut Effects,
    ) {
        let is_ending = self.is_ending();
        if let Some(member) = self.member_mut(node).filter(|member| member.peer.in_use == Some(number)) {
            member.detached(address, fault, is_ending, effects);
        }
    }

    /// A connection was refused for its cluster key.
    pub(super) fn key_refused(&mut self, host: &str, reason: &str) {
        self.key_refusal = Some((host.to_owned(), reason.to_owned()));
    }

    // The way to the start.

    /// The own machines are ready to start, or to go on from there; their logs say that of messages.
    pub(super) fn prepared(&mut self, elapsed: Nanos, passed: &Passed, effects: &mut Effects) {
        let (nodes, vms, own) = (self.own.nodes, self.vms, self.own.node);
        let with = |node: u32, counts: &BTreeMap<VmId, u64>| -> u64 {
            let of_node = counts.iter().filter(|(vm, _)| nodes::node_of(vm.0, nodes, vms) == node);
            of_node.map(|(_, count)| count).sum()
        };
        for member in &mut self.members {
            let logged = (with(member.node, &passed.sent), with(member.node, &passed.received));
            member.peer.loss_accounting.logged(logged);
            member.peer.logged(&passed.heard);
            member.account(effects);
        }
        for (sender, event) in &passed.heard {
            self.frontier.heard(own, MessageId { sender: *sender, event: *event });
        }
        self.frontier.logged(&passed.events);
        self.look_behind(effects);
        // What waited in inboxes here when the process died.
        self.inboxes = with(own, &passed.sent).saturating_sub(with(own, &passed.received));
        self.start_barrier.prepared(elapsed);
        self.advance(effects);
    }

    /// Looks whether others have heard of events that the own logs lack: then the process is not to go on.
    fn look_behind(&mut self, effects: &mut Effects) {
        let Some(Behind { vm, logged, heard, node }) = self.frontier.behind() else { return };
        if !std::mem::replace(&mut self.is_behind, true) {
            let who = self.member(node).map_or_else(
                || "a log of this process has".to_owned(),
                |member| format!("{} has", member.name()),
            );
            effects.news(News::NotJoined(JoinError::Behind { who, vm, logged, heard }));
        }
    }

    /// Does what is possible now on the way to the start.
    pub(super) fn advance(&mut self, effects: &mut Effects) {
        effects.add(Effect::Changed);
        if self.is_behind {
            return;
        }
        let others = Others {
            count: self.members.len(),
            are_here: self.members.iter().all(|member| member.peer.standing == Standing::Here),
            have_told: self.members.iter().all(|member| member.peer.has_told()),
            first: self.member(0).map(|first| first.peer.session.known()),
        };
        let step = self.start_barrier.advance(others, effects.now);
        let elapsed = match step {
            None => return,
            Some(Step::SayReady(elapsed)) => {
                if let Some(first) = self.member_mut(0) {
                    first.say(Word::Ready { elapsed }, effects);
                }
                return;
            }
            Some(Step::Signal(elapsed)) => {
                self.members.iter_mut().for_each(|member| member.say(Word::Start { elapsed }, effects));
                elapsed
            }
            Some(Step::Start(elapsed)) => elapsed,
        };
        effects.elapsed = self.elapsed(effects.now);
        effects.row(Happening::Start, "", "");
        effects.news(News::Start { elapsed });
    }

    /// Those that are missing for the start: node, address, and the reason.
    pub(super) fn missing(&self) -> Vec<(u32, String, String)> {
        let is_ready = |node| (self.own.node == 0).then(|| self.start_barrier.is_ready(node));
        let missing = self.members.iter().filter_map(|member| {
            let reason = member.reason_to_wait(is_ready(member.node))?;
            // Who is refused for its key is not told why, and cannot tell who it is.
            let reason = match &self.key_refusal {
                Some((host, why)) if member.peer.standing == Standing::Expected => {
                    format!("{reason}; a connection from {host} was refused: {why}")
                }
                _ => reason,
            };
            Some((member.node, member.address.clone(), reason))
        });
        missing.collect()
    }

    // What connections bring, and what machines send.

    /// A word of another process.
    pub(super) fn heard(&mut self, node: u32, word: Word, effects: &mut Effects) {
        match word {
            Word::Ready { elapsed } => self.start_barrier.ready(node, elapsed),
            Word::Start { elapsed } => {
                self.start_barrier.signal(elapsed, effects.now);
                effects.elapsed = self.elapsed(effects.now);
            }
            Word::Known { received } => {
                if let Some(member) = self.member_mut(node) {
                    member.peer.loss_accounting.heard(received);
                    member.account(effects);
                }
            }
            Word::Heard { machine, event } => {
                self.frontier.heard(node, MessageId { sender: VmId(machine), event });
                return self.look_behind(effects);
            }
            Word::Farewell { lamport, early } => {
                self.lamport = self.lamport.max(lamport);
                let is_ending = self.is_ending();
                let Some(member) = self.member_mut(node) else { return };
                if !early || is_ending || member.peer.standing != Standing::Here {
                    return;
                }
                member.left(effects);
                self.start_barrier.succeeded(node);
            }
        }
        self.advance(effects);
    }

    /// A process could not be reached.
    pub(super) fn dialled_in_vain(&mut self, node: u32, fault: &Fault, effects: &mut Effects) {
        let has_started = self.has_started();
        if self.member_mut(node).is_some_and(|member| member.dialled_in_vain(fault, has_started, effects)) {
            self.advance(effects);
        }
    }

    /// Takes the messages that wait for machines elsewhere, and sees to it that they leave; so many were dropped before.
    pub(super) fn forward(
        &mut self,
        messages: impl Iterator<Item = Envelope>,
        dropped: u64,
        effects: &mut Effects,
    ) {
        self.overflow += dropped;
        if dropped > 0 {
            let reason = format!("{dropped} messages: the machines sent more than the bridge could take");
            effects.row(Happening::Dropped, "", &reason);
        }
        for message in messages {
            self.frontier.sent(message.from());
            let node = nodes::node_of(message.to().0, self.own.nodes, self.vms);
            debug_assert_ne!(node, self.own.node, "the directory knows the machines of this process");
            if let Some(member) = self.member_mut(node) {
                member.peer.put(&message);
            }
        }
        self.members.iter_mut().for_each(|member| member.flush(effects));
    }

    // The way to the end.

    /// No machine of this process ticks again. Whoever is there is told so behind all messages.
    pub(super) fn finish(&mut self, lamport: u64, early: bool, effects: &mut Effects) {
        let has_started = self.has_started();
        let was = self.ending.replace(Ending { early, since: effects.now });
        effects.add(Effect::Changed);
        if was.is_none() {
            self.members.iter_mut().for_each(|member| member.finish(lamport, early, has_started, effects));
        }
    }

    /// Somebody knows that a process has died, and tells people of it.
    pub(super) fn bury(&mut self, node: u32, effects: &mut Effects) {
        if let Some(member) = self.member_mut(node) {
            member.bury("its process has died", effects);
            self.advance(effects);
        }
    }

    /// Whether nothing is left to be said to anybody. Looks of each process whether to wait for it any longer.
    pub(super) fn is_over(&mut self, effects: &mut Effects) -> bool {
        let Some(ending) = self.ending else { return false };
        let (mut is_over, mut has_buried) = (true, false);
        for member in &mut self.members {
            match ending.verdict(&member.peer, effects.now) {
                Verdict::Done => {}
                Verdict::Wait => is_over = false,
                Verdict::GiveUp(why) => {
                    let reason = member.bury(&why, effects);
                    effects.warn(format!("{} is gone: {reason}", member.name()));
                    has_buried = true;
                }
            }
        }
        if has_buried {
            self.advance(effects);
        }
        is_over
    }

    /// All is said: the last rows, and what has passed over all links. Of refused connections there is that to say.
    pub(super) fn total(&mut self, refusals: &str, effects: &mut Effects) -> Traffic {
        let mut total = Traffic { dropped: self.overflow, lost: self.inboxes, ..Traffic::default() };
        for member in &mut self.members {
            total = total.plus(member.total(effects));
        }
        effects.row_with(Happening::Total, "", refusals, Some(total));
        total
    }

    /// The largest Lamport clock that others have told of.
    pub(super) const fn lamport(&self) -> u64 {
        self.lamport
    }
}

#[cfg(test)]
mod tests;
