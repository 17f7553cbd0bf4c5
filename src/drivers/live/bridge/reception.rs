//! Receives those who dial this process: they have a short time and little room to say who they are.

use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::conversation::Conversation;
use super::fault::{Fault, GREETING_TIME};
use super::links::{Links, start};
use super::strangers::{Stranger, Strangers};
use crate::edge::link::greeting::{self, GreetingError, Hello};
use crate::edge::log::Happening;

/// Accepts connections, each of which has a short time to greet.
pub(super) async fn listen(links: Rc<Links>, listener: TcpListener) {
    let strangers = Rc::<Strangers>::default();
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                if strangers.is_full() {
                    // What those who are there have said by now counts for them.
                    yield_now().await;
                }
                let stranger = strangers.admit(links.now());
                start(&links, receive(Rc::clone(&links), stream, from.to_string(), stranger));
            }
            Err(error) => {
                // Out of files, or a connection that was gone before it was taken.
                links.refused("", &format!("cannot accept a connection: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Greets who has dialled, and converses with it.
async fn receive(links: Rc<Links>, stream: TcpStream, from: String, stranger: Stranger) {
    let mut connection = Connection::accepted(stream, links.key.as_deref());
    let heard = tokio::select! {
        biased;
        heard = timeout(GREETING_TIME, connection.hear(|shown| stranger.show(shown))) => heard.unwrap_or(Err(Fault::Slow)),
        () = stranger.dismissed() => Err(Fault::Crowded),
    };
    let answered = match heard {
        Ok(hello) => answer(&links, &mut connection, &hello, &from).await,
        Err(Fault::Unanswered) => Err(Fault::Mute),
        Err(fault) => Err(fault),
    };
    match answered {
        Ok(Some((node, number))) => {
            drop(stranger);
            let Some(wire) = links.wire(node).map(Rc::clone) else { return };
            Conversation { links, wire, connection, number, address: from }.converse_to_the_end().await;
        }
        // It only asked.
        Ok(None) => until_dismissed(&stranger, connection.close()).await,
        Err(fault) => until_dismissed(&stranger, turn_away(&links, connection, &from, fault)).await,
    }
}

/// Does something for a stranger for as long as it has a place.
async fn until_dismissed(stranger: &Stranger, task: impl Future<Output = ()>) {
    tokio::select! {
        () = task => {}
        () = stranger.dismissed() => {}
    }
}

/// Answers a hello; tells which connection to which node is in use now, and none where the other end only asked.
async fn answer(
    links: &Rc<Links>,
    connection: &mut Connection,
    hello: &Hello,
    from: &str,
) -> Result<Option<(u32, u64)>, Fault> {
    let node = links.ask(|roster| roster.check(hello))?;
    if hello.from.run.is_empty() {
        let own = links.ask(|roster| roster.hello(node));
        say_hello(connection, &own).await?;
        return Ok(None);
    }
    let (number, own) = links.decide(|roster, effects| {
        roster.peer(node).admit(hello, false)?;
        let number = roster.attach(hello, from, Happening::Accept, effects)?;
        Ok::<_, Fault>((number, roster.hello(node)))
    })?;
    if let Err(fault) = say_hello(connection, &own).await {
        links.decide(|roster, effects| roster.lose(node, number, from, &fault, effects));
        return Err(fault);
    }
    let [theirs, ours] = greeting::lanes(hello, &own);
    connection.open_up([ours, theirs]);
    Ok(Some((node, number)))
}

async fn say_hello(connection: &mut Connection, own: &Hello) -> Result<(), Fault> {
    let said = timeout(GREETING_TIME, connection.say(|out| greeting::put_hello(own, out)));
    said.await.unwrap_or(Err(Fault::Slow))
}

/// Tells a stranger why it does not belong here, where it would understand that, and the log in any case.
async fn turn_away(links: &Rc<Links>, mut connection: Connection, from: &str, fault: Fault) {
    match fault {
        Fault::Greeting(reason) => {
            if !matches!(reason, GreetingError::Superfluous) {
                links.refused_visibly(from, &reason.to_string());
            }
            let _ = timeout(GREETING_TIME, connection.say(|out| greeting::put_refusal(&reason, out))).await;
            connection.close().await;
        }
        // It may be a node that the start waits for.
        Fault::Seal(_) if !links.ask(|roster| roster.has_started()) => {
            links.key_refused(from, &fault.to_string());
        }
        fault => links.refused(from, &fault.to_string()),
    }
}
