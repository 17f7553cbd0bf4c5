//! What a bridge does at the same time: it dials, converses over each connection, and waits for the start and for
//! the end.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep_until, timeout};

use super::connection::{Connection, Fault};
use super::links::{Links, Place};
use super::peer::{Away, Standing};
use super::{GREETING_TIME, JoinError, News, REFUSED_TIME};
use crate::edge::link::dialer::Dialer;
use crate::edge::link::greeting::{self, GreetingError, Hello};
use crate::edge::link::session::Arrival;
use crate::edge::log::Happening;
use crate::edge::panics;
use crate::model::id::VmId;
use crate::model::seed::{Purpose, Seed};
use crate::model::time::Nanos;

/// How much plain text is made for the wire at once.
const PIECE: usize = 128 * 1024;
/// After so many connections one after the other over which nothing came, the next one waits.
const MANY_USELESS: u32 = 4;
/// How long it waits for one that is away for any other reason.
const AWAY_TIME: Nanos = Nanos::from_secs(30);
/// How long a process that leaves early waits for the others' last words.
const LEAVING_TIME: Nanos = Nanos::from_secs(2);

/// Starts a task on this thread; a panic in it fails the run.
pub(super) fn start(links: &Rc<Links>, task: impl Future<Output = ()> + 'static) {
    struct Watch(Rc<Links>);
    impl Drop for Watch {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.reporter.tell(News::Panicked(panics::latest()));
            }
        }
    }
    let watch = Watch(Rc::clone(links));
    tokio::task::spawn_local(async move {
        let _watch = watch;
        task.await;
    });
}

/// A hello has come over a connection: it is the one in use from now on, and has that number.
pub(super) fn attach(
    links: &Rc<Links>,
    place: &Rc<Place>,
    hello: &Hello,
    address: &str,
    how: Happening,
) -> Result<u64, Fault> {
    let number = links.next_connection();
    let attached = place.peer.borrow_mut().attach(hello, number, links.now())?;
    // A conversation over an earlier connection finds that it is in use no more.
    place.to_write.notify_one();
    links.attached(place, address, attached, how);
    Ok(number)
}

/// The connection of that number is lost, unless another one has taken its place.
pub(super) fn lose(links: &Rc<Links>, place: &Rc<Place>, number: u64, address: &str, fault: &Fault) {
    if place.peer.borrow().in_use == Some(number) {
        links.detached(place, address, fault);
    }
}

/// Dials a process whenever there is no connection to it, for as long as it is to be spoken to.
pub(super) async fn dial(links: Rc<Links>, place: Rc<Place>) {
    let jitter = Seed(links.own.incarnation).stream(VmId(place.node), Purpose::Network);
    let (mut dialer, mut useless) = (Dialer::new(jitter), 0u32);
    loop {
        if !is_to_be_dialled(&links, &place) {
            let freed = place.freed.notified();
            // A standing may change without a word: look again now and then.
            let _ = timeout(Duration::from_secs(1), freed).await;
            continue;
        }
        if links.now() < dialer.due() {
            sleep_until(links.clock.instant(dialer.due())).await;
            // The other end may have dialled in the meantime.
            continue;
        }
        let greeted = match Connection::connect(&place.address).await {
            Ok(stream) => {
                timeout(GREETING_TIME, greet(&links, &place, stream)).await.unwrap_or(Err(Fault::Silent))
            }
            Err(fault) => Err(fault),
        };
        match greeted {
            Ok((connection, number)) => {
                dialer.succeeded();
                let before = place.peer.borrow().session.progress();
                converse_to_the_end(&links, &place, connection, number, &place.address).await;
                // What one end refuses it may refuse again and again; a network that cuts a connection does so by chance.
                let was_useless = place.peer.borrow().session.progress() == before;
                useless = if was_useless { useless.saturating_add(1) } else { 0 };
                if useless >= MANY_USELESS {
                    dialer.failed(links.now());
                }
            }
            Err(fault) => {
                place.peer.borrow_mut().is_asking = false;
                dialer.failed(links.now());
                dialling_failed(&links, &place, &fault);
            }
        }
    }
}

/// Whether there is anything to say to the process, and no connection over which to say it.
fn is_to_be_dialled(links: &Links, place: &Place) -> bool {
    let peer = place.peer.borrow();
    let is_expected = match peer.standing {
        Standing::Expected => true,
        Standing::Here => !peer.session.is_over(),
        Standing::Left => !links.has_started(),
        Standing::Gone => false,
    };
    peer.in_use.is_none() && is_expected
}

/// Greets who was dialled, and tells the connection that is in use now.
async fn greet(links: &Rc<Links>, place: &Rc<Place>, stream: TcpStream) -> Result<(Connection, u64), Fault> {
    let mut connection = Connection::dialled(stream, links.key.as_deref());
    connection.agree().await?;
    if place.peer.borrow().in_use.is_some() {
        return Err(Fault::Replaced);
    }
    let own = links.hello(place);
    place.peer.borrow_mut().is_asking = true;
    connection.say(|out| greeting::put_hello(&own, out)).await?;
    let hello = connection.hear(drop).await?;
    place.peer.borrow_mut().is_asking = false;
    let from = links.check(&hello)?;
    if from.node != place.node {
        return Err(GreetingError::Node { theirs: from.node, to: hello.to, ours: links.own.node }.into());
    }
    place.peer.borrow_mut().admit(&hello, true)?;
    let number = attach(links, place, &hello, &place.address, Happening::Connect)?;
    connection.open_up(greeting::lanes(&own, &hello));
    Ok((connection, number))
}

/// A row and a thought for why a process could not be reached; the same reason again is no news.
fn dialling_failed(links: &Rc<Links>, place: &Rc<Place>, fault: &Fault) {
    let is_superfluous = matches!(
        fault,
        Fault::Replaced
            | Fault::Greeting(GreetingError::Superfluous | GreetingError::Refused { is_final: false, .. })
    );
    let reason = fault.to_string();
    let is_news = {
        let mut peer = place.peer.borrow_mut();
        if peer.in_use.is_some() || is_superfluous {
            return;
        }
        peer.was_dialled_in_vain = true;
        let is_news = peer.away.reason != reason;
        peer.away = Away { reason: reason.clone(), is_refused: fault.is_refusal(), ..peer.away.clone() };
        is_news
    };
    if is_news {
        links.note(Happening::Fail, Some(place), "", &reason);
    }
    let is_final = matches!(fault, Fault::Greeting(error) if error.is_final());
    let has_ended = matches!(fault, Fault::Greeting(error) if error.says_ended());
    let (node, address) = (place.node, place.address.clone());
    if has_ended && !links.has_started() {
        links.reporter.tell(News::NotJoined(JoinError::Over { node, address }));
    } else if is_final && place.node == 0 && !links.has_started() {
        links.reporter.tell(News::NotJoined(JoinError::Refused { node, address, reason }));
    } else {
        links.advance();
    }
}

/// Converses over a connection until it is lost or all is said.
pub(super) async fn converse_to_the_end(
    links: &Rc<Links>,
    place: &Rc<Place>,
    mut connection: Connection,
    number: u64,
    address: &str,
) {
    let fault = match converse(links, place, &mut connection, number).await {
        Ok(never) => match never {},
        Err(fault) => fault,
    };
    place.peer.borrow_mut().count_bytes(connection.take_traffic());
    let is_over = matches!(fault, Fault::Over);
    if is_over {
        connection.close().await;
        links.note(Happening::End, Some(place), address, "");
    }
    lose(links, place, number, address, &fault);
}

/// Passes on what comes over a connection and writes what is to leave, for ever.
async fn converse(
    links: &Rc<Links>,
    place: &Rc<Place>,
    connection: &mut Connection,
    number: u64,
) -> Result<std::convert::Infallible, Fault> {
    let mut plain = Vec::new();
    let mut alarm = pin!(sleep_until(links.clock.instant(links.now())));
    // The first bytes may have come with the hello.
    take_in(links, place, connection, number)?;
    loop {
        let now = links.now();
        let deadline = {
            let mut peer = place.peer.borrow_mut();
            if peer.in_use != Some(number) {
                return Err(Fault::Replaced);
            }
            peer.session.check(now)?;
            plain.clear();
            if connection.takes_more() {
                peer.session.write(now, PIECE, connection.lane(), &mut plain);
            }
            peer.session.timeout().unwrap_or(now)
        };
        if !plain.is_empty() {
            connection.queue(&plain)?;
        }
        connection.write()?;
        {
            let mut peer = place.peer.borrow_mut();
            peer.count_bytes(connection.take_traffic());
            let has_more = peer.session.has_to_write(now);
            if has_more && connection.takes_more() {
                continue;
            }
            if peer.session.is_over() && !has_more {
                return Err(Fault::Over);
            }
        }
        let deadline = links.clock.instant(deadline);
        if alarm.is_elapsed() || alarm.deadline() > deadline {
            alarm.as_mut().reset(deadline);
        }
        tokio::select! {
            biased;
            turned = connection.turn() => {
                turned?;
                // What arrives may be answered at once: the answers leave now, with the acknowledgement.
                links.outbound.attend();
                let taken = take_in(links, place, connection, number);
                links.forward();
                taken?;
            }
            () = place.to_write.notified() => {}
            () = alarm.as_mut() => {}
        }
    }
}

/// Passes on the frames that are whole, as long as the connection of that number is in use: what came over an
/// earlier one may be of a process that is no more, whose numbers say nothing.
fn take_in(
    links: &Rc<Links>,
    place: &Rc<Place>,
    connection: &mut Connection,
    number: u64,
) -> Result<(), Fault> {
    let now = links.now();
    while let Some(body) = connection.body()? {
        let mut peer = place.peer.borrow_mut();
        if peer.in_use != Some(number) {
            return Err(Fault::Replaced);
        }
        let mut arrived = links.arrived.borrow_mut();
        let arrival = peer.read(body, now, &mut arrived)?;
        drop(peer);
        match arrival {
            Arrival::Parcel(parcel) => links.deliver(place, parcel.messages, &mut arrived),
            Arrival::Word(word) => links.heard(place, word),
            Arrival::End => links.changed.notify_waiters(),
            Arrival::Nothing => {}
        }
    }
    Ok(())
}

/// Tells people for whom the start waits, and gives up when it has waited for too long.
pub(super) async fn start_barrier(links: Rc<Links>, join_timeout: Duration) {
    let deadline = links.clock.instant(join_timeout.into());
    let mut told = Vec::new();
    let mut next_look = links.clock.instant(Nanos::from_secs(1));
    while !links.has_started() && links.ending().is_none() {
        tokio::select! {
            () = links.changed.notified() => {}
            () = sleep_until(next_look.min(deadline)) => {
                next_look += Duration::from_secs(1);
                let missing = links.missing();
                if missing != told {
                    for (node, address, reason) in &missing {
                        links.reporter.notice(format!("waiting for node {node} ({address}): {reason}"));
                    }
                    told = missing;
                }
            }
        }
        if links.clock.elapsed() >= join_timeout.into() && !links.has_started() {
            let missing = links.missing();
            links
                .reporter
                .tell(News::NotJoined(JoinError::Missing { missing, seconds: join_timeout.as_secs_f64() }));
            return;
        }
    }
}

/// Gives up processes of which somebody knows that they are dead.
pub(super) async fn bury(links: Rc<Links>, mut deaths: UnboundedReceiver<u32>) {
    while let Some(node) = deaths.recv().await {
        if let Some(place) = links.place(node) {
            links.bury(place, "its process has died");
        }
    }
}

/// Waits until all is said to everybody, or nobody is left to say it to; then closes.
pub(super) async fn end(links: Rc<Links>) {
    loop {
        let mut is_over = true;
        for place in &links.places {
            is_over &= is_done(&links, place);
        }
        if is_over {
            break;
        }
        let _ = timeout(Duration::from_millis(100), links.changed.notified()).await;
    }
    let closing = links.close();
    links.reporter.tell(News::Over(Box::new(closing)));
}

/// Whether nothing is left to be said to that process; looks whether to wait for it any longer.
fn is_done(links: &Rc<Links>, place: &Rc<Place>) -> bool {
    let Some(ending) = links.ending() else { return false };
    let now = links.now();
    let why = {
        let peer = place.peer.borrow();
        let is_waited_for = matches!(peer.standing, Standing::Here | Standing::Left);
        if !is_waited_for || peer.session.is_over() && peer.in_use.is_none() {
            return true;
        }
        // It has said all, has got all, and listens no more: only its last acknowledgement is missing.
        let has_all = peer.session.peer_has_ended() && peer.session.unacknowledged().parcels == 0;
        if has_all && peer.in_use.is_none() && peer.away.is_refused {
            return true;
        }
        let (away, waited) = (now.minus(peer.away.since), now.minus(ending.since));
        let reason = || format!("away for {:.0} s ({})", away.as_secs_f64(), peer.away.reason);
        match peer.in_use {
            Some(_) if ending.early && waited >= LEAVING_TIME => "no answer to the farewell".to_owned(),
            None if ending.early && (peer.away.is_refused || waited >= LEAVING_TIME) => reason(),
            None if peer.away.is_refused && away >= REFUSED_TIME => reason(),
            None if away >= AWAY_TIME => reason(),
            _ => return false,
        }
    };
    links.give_up(place, &why);
    true
}
