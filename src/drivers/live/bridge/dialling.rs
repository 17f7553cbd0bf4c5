//! Dials another process whenever there is no connection to it, for as long as it is to be spoken to.

use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};

use super::connection::Connection;
use super::conversation::Conversation;
use super::fault::{Fault, GREETING_TIME};
use super::links::{Links, Wire};
use crate::edge::link::dialer::Dialer;
use crate::edge::link::greeting;
use crate::edge::log::Happening;
use crate::model::id::VmId;
use crate::model::seed::{Purpose, Seed};

/// After so many connections one after the other over which nothing came, the next one waits.
const MANY_USELESS: u32 = 4;

pub(super) async fn dial(links: Rc<Links>, wire: Rc<Wire>) {
    let jitter = Seed(links.incarnation).stream(VmId(wire.node), Purpose::Network);
    let (mut dialer, mut useless) = (Dialer::new(jitter), 0u32);
    loop {
        if !is_to_be_dialled(&links, &wire) {
            let freed = wire.freed.notified();
            // A standing may change without a word: look again now and then.
            let _ = timeout(Duration::from_secs(1), freed).await;
            continue;
        }
        if links.now() < dialer.due() {
            sleep_until(links.clock.instant(dialer.due())).await;
            // The other end may have dialled in the meantime.
            continue;
        }
        let greeted = match Connection::connect(&wire.address).await {
            Ok(stream) => {
                timeout(GREETING_TIME, greet(&links, &wire, stream)).await.unwrap_or(Err(Fault::Silent))
            }
            Err(fault) => Err(fault),
        };
        match greeted {
            Ok(conversation) => {
                dialer.succeeded();
                let progress = || links.ask(|roster| roster.peer(wire.node).session.progress());
                let before = progress();
                conversation.converse_to_the_end().await;
                // What one end refuses it may refuse again and again; a network that cuts a connection does so by chance.
                useless = if progress() == before { useless.saturating_add(1) } else { 0 };
                if useless >= MANY_USELESS {
                    dialer.failed(links.now());
                }
            }
            Err(fault) => {
                dialer.failed(links.now());
                links.decide(|roster, effects| roster.dialled_in_vain(wire.node, &fault, effects));
            }
        }
    }
}

fn is_to_be_dialled(links: &Links, wire: &Wire) -> bool {
    links.ask(|roster| {
        let has_started = roster.has_started();
        roster.member(wire.node).is_some_and(|member| member.is_to_be_dialled(has_started))
    })
}

/// Greets who was dialled.
async fn greet(links: &Rc<Links>, wire: &Rc<Wire>, stream: TcpStream) -> Result<Conversation, Fault> {
    let mut connection = Connection::dialled(stream, links.key.as_deref());
    connection.agree().await?;
    let own = links.ask(|roster| {
        if roster.peer(wire.node).in_use.is_some() {
            return Err(Fault::Replaced);
        }
        let own = roster.hello(wire.node);
        roster.peer(wire.node).is_asking = true;
        Ok(own)
    })?;
    connection.say(|out| greeting::put_hello(&own, out)).await?;
    let hello = connection.hear(drop).await?;
    let number = links.decide(|roster, effects| {
        roster.peer(wire.node).is_asking = false;
        roster.check_answer(&hello, wire.node)?;
        roster.peer(wire.node).admit(&hello, true)?;
        roster.attach(&hello, &wire.address, Happening::Connect, effects)
    })?;
    connection.open_up(greeting::lanes(&own, &hello));
    let (links, wire, address) = (Rc::clone(links), Rc::clone(wire), wire.address.clone());
    Ok(Conversation { links, wire, connection, number, address })
}
