//! What a bridge says of its links: rows in its log, and how people call other processes.

use super::links::{Links, Place};
use super::throttle::{Throttle, and_more};
use crate::drivers::live::Timebase;
use crate::edge::log::{BridgeRow, Happening, Traffic};
use crate::model::time::Nanos;

impl Place {
    /// Whether there is to be a row about it that tells this, and then of how many others it has to tell.
    fn passes(&self, what: Happening, now: Nanos) -> Option<u64> {
        let mut throttles = self.throttles.borrow_mut();
        let index = throttles.iter().position(|(other, _)| *other == what).unwrap_or(throttles.len());
        if index == throttles.len() {
            throttles.push((what, Throttle::default()));
        }
        throttles[index].1.passes(now)
    }
}

impl Links {
    /// How people call another process.
    pub(super) fn name(&self, place: &Place) -> String {
        format!("node {} ({})", place.node, place.address)
    }

    /// A connection was refused for its cluster key.
    pub(super) fn key_refused(&self, address: &str, reason: &str) {
        let host = address.rsplit_once(':').map_or(address, |(host, _port)| host);
        self.key_refusal.replace(Some((host.to_owned(), reason.to_owned())));
        self.refused_visibly(address, reason);
    }

    /// A connection was refused for a reason that people should know.
    pub(super) fn refused_visibly(&self, address: &str, reason: &str) {
        self.refused(address, reason);
        self.reporter.notice_refusal(address, reason);
    }

    /// A connection was refused here.
    pub(super) fn refused(&self, address: &str, reason: &str) {
        if self.reporter.refuses() {
            self.note(Happening::Refuse, None, address, reason);
        }
    }

    /// Writes a row, with the link's counters where it is about one. Tells whether there is one: of what another
    /// process can make happen, too many rows are not written, and people do not hear of it either.
    pub(super) fn note(&self, what: Happening, place: Option<&Place>, address: &str, reason: &str) -> bool {
        let Some(place) = place else {
            self.row(what, None, address, reason, None);
            return true;
        };
        let Some(more) = place.passes(what, self.now()) else { return false };
        let address = if address.is_empty() { &place.address } else { address };
        let traffic = place.peer.borrow().traffic();
        self.row(what, Some(place), address, &and_more(reason, more), Some(traffic));
        true
    }

    pub(super) fn row(
        &self,
        what: Happening,
        place: Option<&Place>,
        address: &str,
        reason: &str,
        traffic: Option<Traffic>,
    ) {
        let (elapsed, time) = (self.start_barrier.borrow().elapsed(self.now()), Timebase::time_of_day_now());
        let peer = place.map(|place| place.node);
        self.reporter.write(&BridgeRow { elapsed, time, what, peer, address, reason, traffic });
    }
}
