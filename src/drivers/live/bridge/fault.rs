//! Why a connection is of no use, or of no use any more: for the log and for people.

use std::io;
use std::time::Duration;

use crate::edge::link::codec::CodecError;
use crate::edge::link::frame::FrameError;
use crate::edge::link::greeting::GreetingError;
use crate::edge::link::seal::SealError;
use crate::edge::link::session::SessionError;

/// How long a connection may take to greet.
pub(super) const GREETING_TIME: Duration = Duration::from_secs(5);

/// Why a connection is of no use, or of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The operating system's reason.
    #[error("{}", io_reason(.0))]
    Io(#[from] io::Error),
    #[error("the other end closed the connection")]
    Closed,
    #[error("the other end closed the connection without a word; does it have another cluster key, or none?")]
    Unanswered,
    #[error("it closed the connection and had not greeted")]
    Mute,
    #[error("too many connections had not greeted, and this one had shown least")]
    Crowded,
    #[error("no greeting came within {} s", GREETING_TIME.as_secs())]
    Slow,
    #[error(
        "no answer to the attempt to connect within {} s: the host may be down, or a firewall may drop what is sent to it",
        GREETING_TIME.as_secs()
    )]
    NoAnswer,
    #[error(
        "it took the connection and did not greet within {} s: it may still wait for another node, or be something else",
        GREETING_TIME.as_secs()
    )]
    Silent,
    #[error("it does not speak clocklab's protocol: {0}")]
    NoGreeting(FrameError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("another connection took its place")]
    Replaced,
    /// Both ends have said all; no fault at all.
    #[error("all is said")]
    Over,
}

impl Fault {
    /// Whether nobody listens at that address.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }
}

/// The reason without the number that goes with it.
fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
