//! Where each machine lives: the sender of a message cannot tell whose actor takes it.

use actix::{Message as ActixMessage, Recipient};

use crate::event::Message;

/// A message or a call on its way to the actor of the machine that it is for.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(super) struct Deliver(pub(super) Message);

/// The actors of all machines, by number.
pub(super) struct Directory {
    recipients: Vec<Recipient<Deliver>>,
}

impl Directory {
    pub(super) const fn new(recipients: Vec<Recipient<Deliver>>) -> Self {
        Self { recipients }
    }

    /// Puts the message into the mailbox of its machine's actor, behind all that this sender put there
    /// before.
    ///
    /// # Panics
    ///
    /// Where the workload has named a machine that the run does not have.
    pub(super) fn send(&self, message: Message) {
        let Some(recipient) = self.recipients.get(message.to.index()) else {
            panic!("the workload sends to machine {}, which this run does not have", message.to);
        };
        recipient.do_send(Deliver(message));
    }
}
