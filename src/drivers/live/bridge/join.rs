//! Asking node 0 for what only it decides: the run's name and its seed.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use actix::System;
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};

use super::connection::Connection;
use super::fault::{Fault, GREETING_TIME};
use super::news::JoinError;
use crate::drivers::live::timebase::Timebase;
use crate::edge::control::{Observer, Stop};
use crate::edge::link::dialer::Dialer;
use crate::edge::link::greeting::{self, Hello, Identity};
use crate::edge::link::seal::Key;
use crate::model::id::VmId;
use crate::model::seed::{Purpose, Seed};
use crate::model::time::Nanos;

/// What node 0 has told.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The id that node 0 gives the run.
    pub run: Arc<str>,
    /// The lines of its scenario, with its seed.
    pub scenario: Arc<str>,
}

/// Takes a port.
///
/// # Errors
///
/// Where it cannot be had.
pub fn listen(address: &str) -> Result<TcpListener, JoinError> {
    TcpListener::bind(address).map_err(|source| JoinError::Listen { address: address.to_owned(), source })
}

/// Takes a port at an own address, which may be a name that is looked up in vain for a while, as in a pod that has just
/// started; none where the process is asked to stop before. Of a name's addresses one that others reach comes
/// first.
///
/// # Errors
///
/// Where the port cannot be had, or the name is not known in time.
pub fn listen_when_known(
    address: &str,
    join_timeout: Duration,
    mut stop: Stop,
    observer: &mut dyn Observer,
) -> Result<Option<TcpListener>, JoinError> {
    const PAUSE: Duration = Duration::from_millis(500);
    let clock = Timebase::starting_in(Duration::ZERO);
    let mut has_told = false;
    loop {
        let error = match address.to_socket_addrs() {
            Ok(found) => {
                let mut found: Vec<SocketAddr> = found.collect();
                found.sort_by_key(|address| address.ip().is_loopback());
                let bound = TcpListener::bind(found.as_slice());
                let source = |source| JoinError::Listen { address: address.to_owned(), source };
                return bound.map(Some).map_err(source);
            }
            Err(error) => error,
        };
        if clock.elapsed() >= join_timeout.into() {
            return Err(JoinError::Unknown { address: address.to_owned(), source: error });
        }
        if !std::mem::replace(&mut has_told, true) {
            observer.notice(&format!(
                "waiting until {address}, where this node is to listen, has an address: {error}"
            ));
        }
        let stopped = async { timeout(PAUSE, stop.wait()).await.is_ok() };
        if System::new().block_on(stopped) {
            return Ok(None);
        }
    }
}

/// Asks node 0 until it answers; none where the process is asked to stop before. `own` has no name of a run,
/// and may have no seed in its scenario.
///
/// # Errors
///
/// Where node 0 refuses, or does not answer in time.
pub fn ask(
    own: &Identity,
    address: &str,
    key: Option<&Key>,
    join_timeout: Duration,
    mut stop: Stop,
    observer: &mut dyn Observer,
) -> Result<Option<Asked>, JoinError> {
    System::new().block_on(async {
        tokio::select! {
            asked = ask_until_answered(own, address, key, join_timeout, observer) => asked.map(Some),
            () = stop.wait() => Ok(None),
        }
    })
}

async fn ask_until_answered(
    own: &Identity,
    address: &str,
    key: Option<&Key>,
    join_timeout: Duration,
    observer: &mut dyn Observer,
) -> Result<Asked, JoinError> {
    let clock = Timebase::starting_in(Duration::ZERO);
    let deadline = Nanos::from(join_timeout);
    let mut dialer = Dialer::new(Seed(own.incarnation).stream(VmId(0), Purpose::Network));
    let mut told = String::new();
    loop {
        sleep_until(clock.instant(dialer.due().min(deadline))).await;
        let answered = match Connection::connect(address).await {
            Ok(stream) => {
                timeout(GREETING_TIME, ask_once(own, stream, key)).await.unwrap_or(Err(Fault::Silent))
            }
            Err(fault) => Err(fault),
        };
        let fault = match answered {
            Ok(asked) => return Ok(asked),
            Err(fault) => fault,
        };
        let reason = fault.to_string();
        if matches!(&fault, Fault::Greeting(error) if error.is_final()) {
            return Err(JoinError::Refused { node: 0, address: address.to_owned(), reason });
        }
        if clock.elapsed() >= deadline {
            let missing = vec![(0, address.to_owned(), reason)];
            return Err(JoinError::Missing { missing, seconds: join_timeout.as_secs_f64() });
        }
        if clock.elapsed() >= Nanos::from_secs(1) && told != reason {
            observer.notice(&format!("waiting for node 0 ({address}): {reason}"));
            told = reason;
        }
        dialer.failed(clock.elapsed());
    }
}

async fn ask_once(own: &Identity, stream: TcpStream, key: Option<&Key>) -> Result<Asked, Fault> {
    let mut connection = Connection::dialled(stream, key);
    connection.agree().await?;
    let hello = Hello { from: own.clone(), to: 0, knows: 0, received: 0, turn: 1 };
    connection.say(|out| greeting::put_hello(&hello, out)).await?;
    let answer = connection.hear(drop).await?;
    greeting::check(own, &answer)?;
    connection.close().await;
    Ok(Asked { run: answer.from.run, scenario: answer.from.scenario })
}
