//! One other process as the roster has it: where it is, how it stands, what its rows say. No sockets.

use super::effects::{Effect, Effects, Row};
use super::fault::Fault;
use super::news::JoinError;
use super::news::News;
use super::peer::{Away, Peer, Standing};
use super::throttle::{Throttle, and_more};
use crate::edge::link::greeting::GreetingError;
use crate::edge::link::session::Attached;
use crate::edge::link::word::Word;
use crate::edge::log::{Happening, Traffic};

/// Another process of the run.
pub(super) struct Member {
    pub(super) node: u32,
    pub(super) address: String,
    pub(super) peer: Peer,
    /// Whether people were told that it has sent too much.
    was_overwhelming: bool,
    /// Rows about it, by what they tell: whoever can make something happen must not fill the disk by it.
    throttles: Vec<(Happening, Throttle)>,
}

impl Member {
    pub(super) const fn new(node: u32, address: String, peer: Peer) -> Self {
        Self { node, address, peer, was_overwhelming: false, throttles: Vec::new() }
    }

    /// How people call it.
    pub(super) fn name(&self) -> String {
        format!("node {} ({})", self.node, self.address)
    }

    /// Writes a row with the link's counters. Tells whether there is one: of what it can make happen, too many rows are
    /// not written, and people do not hear of it either.
    pub(super) fn note(&mut self, what: Happening, reason: &str, effects: &mut Effects) -> bool {
        self.note_at(what, "", reason, effects)
    }

    /// The same of a connection that has an address of its own.
    pub(super) fn note_at(
        &mut self,
        what: Happening,
        address: &str,
        reason: &str,
        effects: &mut Effects,
    ) -> bool {
        let index =
            self.throttles.iter().position(|(other, _)| *other == what).unwrap_or(self.throttles.len());
        if index == self.throttles.len() {
            self.throttles.push((what, Throttle::default()));
        }
        let Some(more) = self.throttles[index].1.passes(effects.now) else { return false };
        let address = if address.is_empty() { &self.address } else { address }.to_owned();
        let (reason, traffic) = (and_more(reason, more), Some(self.peer.traffic()));
        let row = Row { elapsed: effects.elapsed, what, peer: Some(self.node), address, reason, traffic };
        effects.add(Effect::Row(row));
        true
    }

    /// Says a word behind all messages so far.
    pub(super) fn say(&mut self, word: Word, effects: &mut Effects) {
        self.peer.say(word);
        effects.add(Effect::Write(self.node));
    }

    /// Says what is known here of its messages, and counts what is lost of those to it, as soon as both can be.
    pub(super) fn account(&mut self, effects: &mut Effects) {
        for word in self.peer.words() {
            self.say(word, effects);
        }
        let raw = self.peer.raw_lost();
        if let Some(lost) = self.peer.loss_accounting.reckon(raw).filter(|lost| *lost > 0) {
            let reason = format!("{lost} messages to it that were sent before are in none of its logs");
            if self.note(Happening::Counted, &reason, effects) {
                let name = self.name();
                effects.warn(format!("{lost} messages to {name} were lost with processes that died"));
            }
        }
    }

    /// Why the start waits for it; none where it does not. Node 0 waits until it `is_ready`; the others leave that to
    /// node 0, and tell none.
    pub(super) fn reason_to_wait(&self, is_ready: Option<bool>) -> Option<String> {
        match self.peer.standing {
            Standing::Here if self.peer.in_use.is_none() => Some(self.peer.away.reason.clone()),
            Standing::Here if is_ready == Some(false) => {
                Some("it is not ready: it misses another node, or still prepares".into())
            }
            Standing::Here if !self.peer.has_told() => {
                Some("it has not told what it has heard of the machines here, or still prepares".into())
            }
            Standing::Here => None,
            Standing::Expected | Standing::Left | Standing::Gone => Some(self.peer.away.reason.clone()),
        }
    }

    /// Whether there is anything to say to it, and no connection over which to say it.
    pub(super) fn is_to_be_dialled(&self, has_started: bool) -> bool {
        let is_expected = match self.peer.standing {
            Standing::Expected => true,
            Standing::Here => !self.peer.session.is_closed(),
            Standing::Left => !has_started,
            Standing::Gone => false,
        };
        self.peer.in_use.is_none() && is_expected
    }

    /// A connection to it is in use. Another process than before may be at its other end.
    pub(super) fn attached(
        &mut self,
        address: &str,
        attached: Attached,
        how: Happening,
        has_started: bool,
        effects: &mut Effects,
    ) {
        let resent = self.peer.session.to_resend().messages;
        match attached {
            Attached::New => {
                self.note_at(how, address, "", effects);
            }
            Attached::Resumed => {
                if self.note_at(Happening::Back, address, "", effects) {
                    effects.notice(format!("{} is back", self.name()));
                }
            }
            Attached::Restarted(lost) => {
                let reason =
                    format!("{} messages to the process before it may not have arrived", lost.messages);
                let is_told = self.note_at(Happening::Restarted, address, &reason, effects);
                if is_told && has_started {
                    effects.warn(format!("{} was started again", self.name()));
                }
            }
        }
        if resent > 0 {
            let reason = format!("{resent} messages that may not have arrived");
            self.note_at(Happening::Resent, address, &reason, effects);
        }
    }

    /// The connection in use is lost.
    pub(super) fn detached(&mut self, address: &str, fault: &Fault, is_ending: bool, effects: &mut Effects) {
        let away = Away { since: effects.now, reason: fault.to_string(), is_refused: fault.is_refusal() };
        self.peer.detach(away);
        effects.add(Effect::Freed(self.node));
        if !matches!(fault, Fault::Over) {
            let is_told = self.note_at(Happening::Lost, address, &fault.to_string(), effects);
            if is_told && self.peer.standing == Standing::Here && !is_ending {
                effects.notice(format!("lost the connection to {}: {fault}", self.name()));
            }
        }
        effects.add(Effect::Changed);
    }

    /// It could not be reached. Tells whether that changes how the start stands; the same reason again is no news, and
    /// that another connection is better is no fault.
    pub(super) fn dialled_in_vain(
        &mut self,
        fault: &Fault,
        has_started: bool,
        effects: &mut Effects,
    ) -> bool {
        let is_superfluous = matches!(
            fault,
            Fault::Replaced
                | Fault::Greeting(
                    GreetingError::Superfluous | GreetingError::Refused { is_final: false, .. }
                )
        );
        self.peer.is_asking = false;
        if self.peer.in_use.is_some() || is_superfluous {
            return false;
        }
        // It has gone, and could do so since it missed nothing.
        if self.peer.session.is_over() && fault.is_refusal() {
            self.peer.session.close();
            effects.add(Effect::Changed);
            return false;
        }
        let reason = fault.to_string();
        self.peer.was_dialled_in_vain = true;
        let is_news = self.peer.away.reason != reason;
        self.peer.away =
            Away { reason: reason.clone(), is_refused: fault.is_refusal(), ..self.peer.away.clone() };
        if is_news {
            self.note(Happening::Fail, &reason, effects);
        }
        let is_final = matches!(fault, Fault::Greeting(error) if error.is_final());
        let has_ended = matches!(fault, Fault::Greeting(error) if error.says_ended());
        let (node, address) = (self.node, self.address.clone());
        if has_ended && !has_started {
            effects.news(News::NotJoined(JoinError::Over { node, address }));
        } else if is_final && node == 0 && !has_started {
            effects.news(News::NotJoined(JoinError::Refused { node, address, reason }));
        } else {
            return true;
        }
        false
    }

    /// It leaves before the end: it is told that nothing follows from here.
    pub(super) fn left(&mut self, effects: &mut Effects) {
        self.peer.flush();
        self.peer.session.end();
        self.peer.standing = Standing::Left;
        self.peer.away = Away { since: effects.now, reason: "it has left".into(), is_refused: false };
        effects.add(Effect::Write(self.node));
        self.note(Happening::Left, "", effects);
        effects.warn(format!("{} has left the run", self.name()));
    }

    /// It has sent more than is kept of it, which is `most`: so many messages are dropped.
    pub(super) fn overwhelmed(&mut self, dropped: u64, most: u64, effects: &mut Effects) {
        let untold = self.peer.drop_arrived(dropped, effects.now);
        if untold > 0 {
            let reason = format!("{untold} messages from it: {most} of its messages wait here already");
            self.note(Happening::Dropped, &reason, effects);
        }
        if !std::mem::replace(&mut self.was_overwhelming, true) {
            let name = self.name();
            effects
                .warn(format!("{name} has sent more than this process keeps, and what is beyond is dropped"));
        }
    }

    /// What was put for it leaves now; tells of what was dropped.
    pub(super) fn flush(&mut self, effects: &mut Effects) {
        self.peer.flush();
        if self.peer.session.has_to_write(effects.now) {
            effects.add(Effect::Write(self.node));
        }
        let untold = self.peer.take_untold(effects.now);
        if untold > 0 {
            let why = match self.peer.standing {
                Standing::Left => "the process has left",
                Standing::Gone => "the process is gone",
                Standing::Expected | Standing::Here => "too many wait for the process",
            };
            self.note(Happening::Dropped, &format!("{untold} messages: {why}"), effects);
        }
    }

    /// No machine here ticks again: it is told so behind all messages, where it is there.
    pub(super) fn finish(&mut self, lamport: u64, early: bool, has_started: bool, effects: &mut Effects) {
        // Who goes on with a run sends to processes that it has not met yet.
        if self.peer.standing == Standing::Expected {
            self.peer.standing = if has_started { Standing::Here } else { Standing::Gone };
        }
        if self.peer.standing == Standing::Here {
            self.peer.say(Word::Farewell { lamport, early });
            self.peer.session.end();
        }
        effects.add(Effect::Write(self.node));
    }

    /// It does not come back, or is not waited for: what it has not acknowledged is lost. Tells what there is to say of it.
    pub(super) fn bury(&mut self, why: &str, effects: &mut Effects) -> String {
        let lost = self.peer.give_up(Standing::Gone).messages;
        effects.add(Effect::Write(self.node));
        let reason = format!("{why}; {lost} messages to it may not have arrived");
        self.note(Happening::Gone, &reason, effects);
        reason
    }

    /// Its last row, and what has passed over its link.
    pub(super) fn total(&mut self, effects: &mut Effects) -> Traffic {
        let left_out: u64 = self.throttles.iter().map(|(_, throttle)| throttle.left_out()).sum();
        let reason = if left_out > 0 { format!("{left_out} happenings have no row") } else { String::new() };
        self.note(Happening::Total, &reason, effects);
        self.peer.traffic()
    }
}
