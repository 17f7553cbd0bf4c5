//! A conversation with another process over one connection, from the greeting's end to its own.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;

use tokio::time::{Sleep, sleep_until};

use super::connection::Connection;
use super::fault::Fault;
use super::links::{Links, Wire};
use crate::edge::link::session::Arrival;
use crate::edge::log::Happening;
use crate::model::time::Nanos;

/// How much plain text is made for the wire at once.
const PIECE: usize = 128 * 1024;

/// A connection over which two processes that have greeted each other converse.
pub(super) struct Conversation {
    pub(super) links: Rc<Links>,
    pub(super) wire: Rc<Wire>,
    pub(super) connection: Connection,
    /// The connection's number. Once another one is in use, this one is over.
    pub(super) number: u64,
    /// The address at the connection's other end.
    pub(super) address: String,
}

/// What there is to do once something was written.
enum Next {
    /// There is more to write, and room for it.
    Write,
    /// Nothing, until something comes or the time is there.
    Wait(Nanos),
}

impl Conversation {
    /// Converses until the connection is lost or all is said.
    pub(super) async fn converse_to_the_end(mut self) {
        let Err(fault) = self.converse().await;
        let Self { links, wire, mut connection, number, address } = self;
        links.ask(|roster| roster.peer(wire.node).count_bytes(connection.take_traffic()));
        if matches!(fault, Fault::Over) {
            connection.close().await;
            links.decide(|roster, effects| {
                let member = roster.member_mut(wire.node);
                member.map(|member| member.note_at(Happening::End, &address, "", effects))
            });
        }
        links.decide(|roster, effects| roster.lose(wire.node, number, &address, &fault, effects));
    }

    /// Passes on what comes over the connection and writes what is to leave, for ever.
    async fn converse(&mut self) -> Result<Infallible, Fault> {
        let mut plain = Vec::new();
        let mut alarm = pin!(sleep_until(self.links.clock.instant(self.links.now())));
        // The first bytes may have come with the hello.
        self.take_in()?;
        loop {
            if let Next::Wait(deadline) = self.write(&mut plain)? {
                self.set(alarm.as_mut(), deadline);
                tokio::select! {
                    biased;
                    turned = self.connection.turn() => {
                        turned?;
                        // What arrives may be answered at once: the answers leave now, with the acknowledgement.
                        self.links.outbound.attend();
                        let taken = self.take_in();
                        self.links.forward();
                        taken?;
                    }
                    () = self.wire.to_write.notified() => {}
                    () = alarm.as_mut() => {}
                }
            }
        }
    }

    /// Sets an alarm to a time, unless it will ring before that: then it is set again by then.
    fn set(&self, alarm: Pin<&mut Sleep>, deadline: Nanos) {
        let deadline = self.links.clock.instant(deadline);
        if alarm.is_elapsed() || alarm.deadline() > deadline {
            alarm.reset(deadline);
        }
    }

    /// Writes a piece of what is to leave, as far as the operating system takes it now.
    fn write(&mut self, plain: &mut Vec<u8>) -> Result<Next, Fault> {
        let Self { links, wire, connection, number, .. } = self;
        let now = links.now();
        let deadline = links.ask(|roster| {
            let peer = roster.peer(wire.node);
            if peer.in_use != Some(*number) {
                return Err(Fault::Replaced);
            }
            peer.session.check(now)?;
            plain.clear();
            if connection.takes_more() {
                peer.session.write(now, PIECE, connection.lane(), plain);
            }
            Ok(peer.session.timeout().unwrap_or(now))
        })?;
        if !plain.is_empty() {
            connection.queue(plain)?;
        }
        connection.write()?;
        links.ask(|roster| {
            let peer = roster.peer(wire.node);
            peer.count_bytes(connection.take_traffic());
            let has_more = peer.session.has_to_write(now);
            match (has_more, connection.takes_more()) {
                (true, true) => Ok(Next::Write),
                (false, _) if peer.session.is_closed() => Err(Fault::Over),
                (true, false) | (false, _) => Ok(Next::Wait(deadline)),
            }
        })
    }

    /// Passes on the frames that are whole, as long as the connection is in use: what came over an earlier one may be of
    /// a process that is no more, whose numbers say nothing.
    fn take_in(&mut self) -> Result<(), Fault> {
        let Self { links, wire, connection, number, .. } = self;
        let now = links.now();
        while let Some(body) = connection.body()? {
            let mut arrived = links.arrived.borrow_mut();
            let arrival = links.ask(|roster| {
                let peer = roster.peer(wire.node);
                if peer.in_use == Some(*number) {
                    peer.read(body, now, &mut arrived)
                } else {
                    Err(Fault::Replaced)
                }
            })?;
            match arrival {
                Arrival::Parcel(parcel) => links.deliver(wire.node, parcel.messages, &mut arrived),
                Arrival::Word(word) => links.decide(|roster, effects| roster.heard(wire.node, word, effects)),
                Arrival::End => links.changed.notify_waiters(),
                Arrival::Nothing => {}
            }
        }
        Ok(())
    }
}
