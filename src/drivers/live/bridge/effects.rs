//! What a decision about the links has performed: rows for the log, news for people, and whom to wake. No sockets.

use super::news::News;
use crate::edge::log::{Happening, Traffic};
use crate::model::time::Nanos;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Effect {
    /// Write this into the bridge's log.
    Row(Row),
    /// Tell people now and not again: by the run's end it has passed.
    Notice(String),
    /// Tell people now, and again at the run's end.
    Warn(String),
    /// Tell whoever leads the run.
    News(News),
    /// There is something to write, or to look at, for the conversation with that node.
    Write(u32),
    /// There is no connection to that node in use any more.
    Freed(u32),
    /// Those who wait for the start or for the end should look again.
    Changed,
}

/// A row of the bridge's log, but for the time of day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Time since the run's start; none before that.
    pub(super) elapsed: Option<Nanos>,
    pub(super) what: Happening,
    pub(super) peer: Option<u32>,
    pub(super) address: String,
    pub(super) reason: String,
    pub(super) traffic: Option<Traffic>,
}

/// What there is to do, in the order in which it was decided.
#[derive(Debug)]
pub(super) struct Effects {
    /// When the decision is made, by the bridge's own clock.
    pub(super) now: Nanos,
    /// The same since the run's start, once that is known.
    pub(super) elapsed: Option<Nanos>,
    list: Vec<Effect>,
}

impl Effects {
    /// Nothing to do so far; the list is empty, and kept for its memory.
    pub(super) fn at(now: Nanos, elapsed: Option<Nanos>, list: Vec<Effect>) -> Self {
        debug_assert!(list.is_empty(), "what was decided before has been performed");
        Self { now, elapsed, list }
    }

    pub(super) fn add(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// A row that is about no other node.
    pub(super) fn row(&mut self, what: Happening, address: &str, reason: &str) {
        self.row_with(what, address, reason, None);
    }

    /// The same with counters.
    pub(super) fn row_with(
        &mut self,
        what: Happening,
        address: &str,
        reason: &str,
        traffic: Option<Traffic>,
    ) {
        let (address, reason) = (address.to_owned(), reason.to_owned());
        self.add(Effect::Row(Row { elapsed: self.elapsed, what, peer: None, address, reason, traffic }));
    }

    pub(super) fn notice(&mut self, text: String) {
        self.add(Effect::Notice(text));
    }

    pub(super) fn warn(&mut self, text: String) {
        self.add(Effect::Warn(text));
    }

    pub(super) fn news(&mut self, news: News) {
        self.add(Effect::News(news));
    }

    /// What there is to do.
    pub(super) fn into_list(self) -> Vec<Effect> {
        self.list
    }
}
