//! Where each machine lives: the sender of a message cannot tell whose actor takes it.

use std::sync::Arc;

use actix::{Message as ActixMessage, Recipient};

use super::bridge::{Inbound, Outbound};
use crate::model::event::Envelope;
use crate::model::id::VmId;

/// A message or a call on its way to the actor of the machine that it is for.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(super) struct Deliver(pub(super) Envelope);

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

    /// Puts the message or the call into the mailbox of its machine's actor, or into the queue to its process, behind all
    /// that this sender put there before.
    ///
    /// # Panics
    ///
    /// Where the workload has named a machine that the run does not have.
    pub(super) fn send(&self, envelope: Envelope) {
        let VmId(to) = envelope.to();
        let place = (to as usize).wrapping_sub(self.first);
        match (self.recipients.get(place), &self.elsewhere) {
            (Some(recipient), _) => recipient.do_send(Deliver(envelope)),
            (None, Some((outbound, _))) if to < self.vms => outbound.push(envelope),
            _ => panic!("the workload sends to machine {to}, which this run does not have"),
        }
    }
}
