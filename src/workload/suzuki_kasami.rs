//! Mutual exclusion by a token that is asked for: Suzuki and Kasami's broadcast algorithm.
//!
//! Who wants to enter and has not the token asks all others, with the number of its request. The token knows of each
//! machine which of its requests was last fulfilled, and has a queue of machines that wait for it. Who leaves puts into
//! the queue all that have asked since, and passes the token to the first of them. So a stay costs nothing where the
//! token is at hand, and N-1 requests and one token otherwise. Messages may overtake each other.

use std::collections::BTreeMap;

use super::visitor::{Exclusive, PARAMETERS, Visitor};
use super::word_list::WordList;
use super::{Algorithm, Exclusion, Heard, Make, Setup, Speaking, Textbook, Turn};
use crate::model::id::VmId;

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "suzuki-kasami",
    title: "mutual exclusion by a token that who wants it asks all others for",
    paper: "Suzuki, Kasami 1985",
    make: Make::Boxed(|vm, setup| {
        Box::new(Speaking::new(vm, setup, Visitor::new(setup, Seeker::new(vm, setup))))
    }),
    judge: Some(|_| Box::new(Exclusion::new())),
    parameters: &PARAMETERS,
    longest_payload: 1 << 16,
    textbook: Some(Textbook {
        mark: "enter",
        formula: "0 or N",
        messages: |vms| if vms > 1 { f64::from(vms) } else { 0.0 },
    }),
    needs_delivery: true,
    ..Algorithm::PLAIN
};

messages! {
    /// What machines say to each other.
    enum Word {
        /// It wants to enter for the time of that number.
        Request { number: u64 } = "request",
        /// Who has it may enter. Of each machine the number of its request that was fulfilled last, and who waits.
        Token { fulfilled: WordList<u64>, queue: WordList<VmId> } = "token",
    }
}

/// The token: the paper's LN and Q.
#[derive(Debug)]
struct Token {
    fulfilled: Vec<u64>,
    queue: Vec<VmId>,
}

/// A machine, and what it knows of requests.
#[derive(Debug)]
struct Seeker {
    own: VmId,
    /// The highest number of a request that it has heard of, by machine: the paper's RN.
    requests: BTreeMap<VmId, u64>,
    token: Option<Token>,
    is_busy: bool,
}

impl Seeker {
    /// The first machine has the token at first.
    fn new(own: VmId, setup: &Setup) -> Self {
        let token = || Token { fulfilled: vec![0; setup.vms() as usize], queue: Vec::new() };
        Self { own, requests: BTreeMap::new(), token: (own.0 == 0).then(token), is_busy: false }
    }

    /// Passes the token to the first that waits for it, where it is here and not needed.
    fn pass(&mut self, turn: &mut Turn<'_, Word>) {
        let Some(token) = self.token.as_mut().filter(|_| !self.is_busy) else { return };
        let waits =
            |vm: VmId, number: u64| token.fulfilled.get(vm.index()).is_some_and(|last| *last < number);
        let new = self.requests.iter().filter(|(vm, number)| waits(**vm, **number)).map(|(vm, _)| *vm);
        let new: Vec<VmId> = new.filter(|vm| *vm != self.own && !token.queue.contains(vm)).collect();
        token.queue.extend(new);
        if token.queue.is_empty() {
            return;
        }
        let next = token.queue.remove(0);
        if let Some(Token { fulfilled, queue }) = self.token.take() {
            turn.send([next], Word::Token { fulfilled: WordList(fulfilled), queue: WordList(queue) });
        }
    }
}

impl Exclusive for Seeker {
    type Message = Word;

    fn ask(&mut self, turn: &mut Turn<'_, Word>) {
        self.is_busy = true;
        let number = self.requests.entry(self.own).or_default();
        *number += 1;
        if self.token.is_none() {
            turn.send_to_others(Word::Request { number: *number });
        }
    }

    fn may_enter(&self) -> bool {
        self.token.is_some()
    }

    fn leave(&mut self, turn: &mut Turn<'_, Word>) {
        let own = self.requests.get(&self.own).copied().unwrap_or(0);
        if let Some(last) = self.token.as_mut().and_then(|token| token.fulfilled.get_mut(self.own.index())) {
            *last = own;
        }
        self.is_busy = false;
        self.pass(turn);
    }

    /// A request that the token was passed for already comes late, and asks for nothing any more.
    fn received(&mut self, heard: &Heard<Word>, turn: &mut Turn<'_, Word>) {
        match &heard.message {
            Word::Request { number } => {
                let known = self.requests.entry(heard.from()).or_default();
                *known = (*known).max(*number);
            }
            Word::Token { fulfilled, queue } => {
                self.token = Some(Token { fulfilled: fulfilled.0.clone(), queue: queue.0.clone() });
            }
        }
        self.pass(turn);
    }

    /// Its own count of requests, as others take one for outdated whose number they know.
    fn keeps(&self) -> Option<String> {
        self.requests.get(&self.own).map(u64::to_string)
    }

    /// A token that was here is lost, and nobody makes another one: nobody knows whether it was.
    fn resume(&mut self, kept: Option<&str>) -> bool {
        self.requests.clear();
        if let Some(number) = kept.and_then(|kept| kept.parse().ok()) {
            self.requests.insert(self.own, number);
        }
        (self.token, self.is_busy) = (None, false);
        true
    }
}
