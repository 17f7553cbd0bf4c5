//! Mutual exclusion by permission of all others: Ricart and Agrawala's "optimal algorithm".
//!
//! Who wants to enter asks all others, with the time of the request, and enters when all have replied. Who is asked
//! replies at once, unless it is inside itself or has asked earlier: then it replies when it leaves. So there is no
//! release, and a stay costs N-1 requests and N-1 replies. Messages may overtake each other.

use std::collections::BTreeSet;

use super::visitor::{Exclusive, PARAMETERS, Visitor};
use super::{Algorithm, Exclusion, Heard, Make, Setup, Speaking, Textbook, Turn};
use crate::model::id::VmId;

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "ricart-agrawala",
    title: "mutual exclusion by permission of all others, who reply when they have no earlier request",
    paper: "Ricart, Agrawala 1981",
    make: Make::Boxed(|vm, setup| {
        Box::new(Speaking::new(vm, setup, Visitor::new(setup, Permissions::new(vm, setup))))
    }),
    judge: Some(|_| Box::new(Exclusion::new().in_order())),
    parameters: &PARAMETERS,
    longest_payload: "request".len(),
    textbook: Some(Textbook {
        mark: "enter",
        formula: "2(N-1)",
        messages: |vms| 2.0 * (f64::from(vms) - 1.0),
    }),
    needs_delivery: true,
    ..Algorithm::PLAIN
};

messages! {
    /// What machines say to each other.
    enum Word {
        /// It wants to enter. The time of the message is that of the request.
        Request = "request",
        /// The one that asked may enter before it.
        Reply = "reply",
    }
}

/// What a machine knows of permissions.
#[derive(Debug)]
struct Permissions {
    own: VmId,
    others: usize,
    /// The time of its own request, from asking to leaving.
    asked: Option<u64>,
    /// Who has replied to it.
    replied: BTreeSet<VmId>,
    /// Whom it will reply to when it leaves.
    deferred: BTreeSet<VmId>,
}

impl Permissions {
    fn new(own: VmId, setup: &Setup) -> Self {
        let others = setup.vms() as usize - 1;
        Self { own, others, asked: None, replied: BTreeSet::new(), deferred: BTreeSet::new() }
    }
}

impl Exclusive for Permissions {
    type Message = Word;

    fn ask(&mut self, turn: &mut Turn<'_, Word>) {
        self.asked = Some(turn.lamport);
        self.replied.clear();
        turn.send_to_others(Word::Request);
    }

    fn may_enter(&self) -> bool {
        self.replied.len() == self.others
    }

    fn leave(&mut self, turn: &mut Turn<'_, Word>) {
        self.asked = None;
        let deferred = std::mem::take(&mut self.deferred);
        if !deferred.is_empty() {
            turn.send(deferred, Word::Reply);
        }
    }

    /// Section 2 of the paper: the reply is deferred where the own request has priority, by its time and then by the
    /// machine's number. Who is inside has a request that had priority over all that it has heard of since.
    fn received(&mut self, heard: &Heard<Word>, turn: &mut Turn<'_, Word>) {
        let from = heard.from();
        match heard.message {
            Word::Request if self.asked.is_some_and(|own| (own, self.own) < (heard.lamport, from)) => {
                self.deferred.insert(from);
            }
            Word::Request => turn.send([from], Word::Reply),
            Word::Reply => {
                self.replied.insert(from);
            }
        }
    }

    /// Whose requests it has deferred it cannot know any more. As it asks no more, all others may enter before it, and
    /// a reply that nobody waits for does no harm.
    fn resume(&mut self, _kept: Option<&str>) -> bool {
        self.asked = None;
        self.replied.clear();
        self.deferred.clear();
        false
    }

    fn returned(&mut self, turn: &mut Turn<'_, Word>) {
        turn.send_to_others(Word::Reply);
    }
}
