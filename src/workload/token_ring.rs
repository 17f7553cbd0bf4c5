//! Mutual exclusion by a token that goes round: Le Lann's ring.
//!
//! Machine i passes the token to machine i+1, and the last to the first. Who has it and wants to enter does so, and
//! passes it when it leaves; who does not want to passes it at its next tick. So a hop is one message, whether somebody
//! enters or not, and whoever asks enters after N-1 stays of others at most.

use super::visitor::{Exclusive, PARAMETERS, Visitor};
use super::{Algorithm, Exclusion, Heard, Make, Setup, Speaking, Turn};
use crate::model::id::VmId;

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "token-ring",
    title: "mutual exclusion by a token that goes round, one message a hop",
    paper: "Le Lann 1977",
    make: Make::Boxed(|vm, setup| {
        Box::new(Speaking::new(vm, setup, Visitor::new(setup, Holder::new(vm, setup))))
    }),
    judge: Some(|_| Box::new(Exclusion::new())),
    parameters: &PARAMETERS,
    most_recipients: |_| 1,
    longest_payload: "token ".len() + 20,
    needs_delivery: true,
    ..Algorithm::PLAIN
};

messages! {
    /// What goes round.
    enum Word {
        /// Who has it may enter. It has been passed so many times, this one included.
        Token { hops: u64 } = "token",
    }
}

/// A machine of the ring.
#[derive(Debug)]
struct Holder {
    /// Whom it passes the token to; nobody where it is alone.
    next: Option<VmId>,
    /// How many hops the token has made, where it is here.
    token: Option<u64>,
}

impl Holder {
    /// The first machine has the token at first.
    fn new(own: VmId, setup: &Setup) -> Self {
        let next = (setup.vms() > 1).then(|| VmId((own.0 + 1) % setup.vms()));
        Self { next, token: (own.0 == 0).then_some(0) }
    }

    fn pass(&mut self, turn: &mut Turn<'_, Word>) {
        if let Some(next) = self.next
            && let Some(hops) = self.token.take()
        {
            turn.send([next], Word::Token { hops: hops + 1 });
        }
    }
}

impl Exclusive for Holder {
    type Message = Word;

    fn ask(&mut self, _turn: &mut Turn<'_, Word>) {}

    fn may_enter(&self) -> bool {
        self.token.is_some()
    }

    fn leave(&mut self, turn: &mut Turn<'_, Word>) {
        self.pass(turn);
    }

    fn received(&mut self, heard: &Heard<Word>, _turn: &mut Turn<'_, Word>) {
        let Word::Token { hops } = heard.message;
        self.token = Some(hops);
    }

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        self.pass(turn);
    }

    /// A token that was here is lost, and nobody makes another one: nobody knows whether it was.
    fn resume(&mut self, _kept: Option<&str>) -> bool {
        self.token = None;
        true
    }
}
