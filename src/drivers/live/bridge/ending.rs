//! The way to the end: how long a process that makes no more ticks waits for each of the others. No sockets.

use super::peer::{Peer, Standing};
use crate::edge::link::session::SILENCE;
use crate::model::time::Nanos;

/// How long the end of a run waits for a process at whose address nobody listens.
pub const REFUSED_TIME: Nanos = SILENCE;
/// How long it waits for one that is away for any other reason.
const AWAY_TIME: Nanos = Nanos::from_secs(30);
/// How long a process that leaves early waits for the others' last words.
const LEAVING_TIME: Nanos = Nanos::from_secs(2);

/// The process makes no more ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// Whether it leaves before the run's end, and does not wait for the others to come to theirs.
    pub(super) early: bool,
    /// When its last machine was quiet, from which the times to wait for others are counted.
    pub(super) since: Nanos,
}

/// What is to become of another process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is left to be said to it.
    Done,
    /// Something is, and it may yet be.
    Wait,
    /// It is not waited for any longer, for this reason.
    GiveUp(String),
}

impl Ending {
    pub(super) fn verdict(self, peer: &Peer, now: Nanos) -> Verdict {
        let is_waited_for = matches!(peer.standing, Standing::Here | Standing::Left);
        if !is_waited_for || peer.session.is_closed() && peer.in_use.is_none() {
            return Verdict::Done;
        }
        // It has said all, has got all, and listens no more: only its last acknowledgement is missing.
        let has_all = peer.session.peer_has_ended() && peer.session.unacknowledged().parcels == 0;
        if has_all && peer.in_use.is_none() && peer.away.is_refused {
            return Verdict::Done;
        }
        let (away, waited) = (now.minus(peer.away.since), now.minus(self.since));
        // All is said and has arrived, and it does not come to hear that: this end has nothing to count as lost.
        let has_lingered =
            if peer.in_use.is_some() { self.early && waited >= LEAVING_TIME } else { away >= LEAVING_TIME };
        if peer.session.is_over() && has_lingered {
            return Verdict::Done;
        }
        let reason = || format!("away for {:.0} s ({})", away.as_secs_f64(), peer.away.reason);
        match peer.in_use {
            Some(_) if self.early && waited >= LEAVING_TIME => {
                Verdict::GiveUp("no answer to the farewell".to_owned())
            }
            None if self.early && (peer.away.is_refused || waited >= LEAVING_TIME) => {
                Verdict::GiveUp(reason())
            }
            None if peer.away.is_refused && away >= REFUSED_TIME => Verdict::GiveUp(reason()),
            None if away >= AWAY_TIME => Verdict::GiveUp(reason()),
            _ => Verdict::Wait,
        }
    }
}
