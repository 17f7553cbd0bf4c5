//! Where each machine lives: the sender of a message cannot tell whose actor takes it.

use std::sync::Arc;

use actix::{Message as ActixMessage, Recipient};

use super::bridge::{Inbound, Outbound};
use crate::model::event::Message;
use crate::model::id::VmId;

/// A message or a call on its way to the actor of the machine that it is for.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(super) struct Deliver(pub(super) Message);

/// The actors of this process's machines, by number, and the way to all others.
pub(super) struct Directory {
    /// The number of the first machine of this process.
    first: usize,
    recipients: Vec<Recipient<Deliver>>,
    /// The machines of the whole run.
    vms: u32,
    elsewhere: Option<(Arc<Outbound>, Arc<Inbound>)>,
}

impl Directory {
    pub(super) const fn new(
        first: u32,
        recipients: Vec<Recipient<Deliver>>,
        vms: u32,
        elsewhere: Option<(Arc<Outbound>, Arc<Inbound>)>,
    ) -> Self {
        Self { first: first as usize, recipients, vms, elsewhere }
    }

    /// A machine of this process has received a message that this one sent.
    pub(super) fn received(&self, sender: VmId) {
        if let Some((_, inbound)) = &self.elsewhere
            && self.recipients.get(sender.index().wrapping_sub(self.first)).is_none()
        {
            inbound.received(sender);
        }
    }

    /// Puts the message into the mailbox of its machine's actor, or into the queue to its process, behind all
    /// that this sender put there before.
    ///
    /// # Panics
    ///
    /// Where the workload has named a machine that the run does not have.
    pub(super) fn send(&self, message: Message) {
        let place = message.to.index().wrapping_sub(self.first);
        match (self.recipients.get(place), &self.elsewhere) {
            (Some(recipient), _) => recipient.do_send(Deliver(message)),
            (None, Some((outbound, _))) if message.to.0 < self.vms => outbound.push(message),
            _ => panic!("the workload sends to machine {}, which this run does not have", message.to),
        }
    }
}
