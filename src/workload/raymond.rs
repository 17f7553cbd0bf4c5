//! Mutual exclusion by a token in a tree: Raymond's.
//!
//! The machines are a binary tree, machine i below machine (i-1)/2. Each knows which of its neighbours leads to the token,
//! and has a queue of those that want it: neighbours, and itself. It asks for the token once for all of them, in that
//! direction, and when the token comes it goes to the first of the queue. So a stay costs at most twice the way to the
//! token, O(log N), and less where many ask. Messages may overtake each other.

use std::collections::VecDeque;

use super::visitor::{Exclusive, PARAMETERS, Visitor};
use super::{Algorithm, Exclusion, Heard, Make, Speaking, Turn};
use crate::model::id::VmId;

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "raymond",
    title: "mutual exclusion by a token in a tree, O(log N) messages a stay",
    paper: "Raymond 1989",
    make: Make::Boxed(|vm, setup| Box::new(Speaking::new(vm, setup, Visitor::new(setup, Node::new(vm))))),
    judge: Some(|_| Box::new(Exclusion::new())),
    parameters: &PARAMETERS,
    most_recipients: |_| 1,
    longest_payload: "privilege".len(),
    needs_delivery: true,
    ..Algorithm::PLAIN
};

messages! {
    /// What neighbours say to each other.
    enum Word {
        /// It, or somebody behind it, wants the token.
        Request = "request",
        /// The token.
        Privilege = "privilege",
    }
}

/// A machine of the tree, with the paper's variables.
#[derive(Debug)]
struct Node {
    own: VmId,
    /// HOLDER: the neighbour that leads to the token, or itself. Not known to one that has lost it.
    holder: Option<VmId>,
    /// `USING`
    is_using: bool,
    /// `REQUEST_Q`
    queue: VecDeque<VmId>,
    /// ASKED: whether it has sent a request that was not fulfilled.
    has_asked: bool,
}

impl Node {
    /// The first machine, the tree's root, has the token at first.
    const fn new(own: VmId) -> Self {
        let holder = Some(VmId(own.0.saturating_sub(1) / 2));
        Self { own, holder, is_using: false, queue: VecDeque::new(), has_asked: false }
    }

    /// `ASSIGN_PRIVILEGE` and then `MAKE_REQUEST`, as after each event of the paper.
    fn go_on(&mut self, turn: &mut Turn<'_, Word>) {
        if self.holder == Some(self.own)
            && !self.is_using
            && let Some(first) = self.queue.pop_front()
        {
            (self.holder, self.has_asked) = (Some(first), false);
            if first == self.own {
                self.is_using = true;
            } else {
                turn.send([first], Word::Privilege);
            }
        }
        if let Some(holder) = self.holder.filter(|holder| *holder != self.own)
            && !self.queue.is_empty()
            && !self.has_asked
        {
            self.has_asked = true;
            turn.send([holder], Word::Request);
        }
    }
}

impl Exclusive for Node {
    type Message = Word;

    fn ask(&mut self, turn: &mut Turn<'_, Word>) {
        self.queue.push_back(self.own);
        self.go_on(turn);
    }

    fn may_enter(&self) -> bool {
        self.is_using
    }

    fn leave(&mut self, turn: &mut Turn<'_, Word>) {
        self.is_using = false;
        self.go_on(turn);
    }

    fn received(&mut self, heard: &Heard<Word>, turn: &mut Turn<'_, Word>) {
        match heard.message {
            Word::Request => self.queue.push_back(heard.from()),
            Word::Privilege => self.holder = Some(self.own),
        }
        self.go_on(turn);
    }

    /// Where the token is. Whose requests were in the queue is forgotten, and they wait for ever.
    fn keeps(&self) -> Option<String> {
        self.holder.map(|holder| holder.to_string())
    }

    /// One that does not know where the token is does not say that it has it: that could make two of one.
    fn resume(&mut self, kept: Option<&str>) -> bool {
        self.holder = kept.and_then(|kept| kept.parse().ok());
        (self.is_using, self.has_asked) = (false, false);
        self.queue.clear();
        self.holder.is_some()
    }
}
