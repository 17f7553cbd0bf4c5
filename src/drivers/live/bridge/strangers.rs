//! Who has connected and not greeted yet: how many may, and who goes where there is no room. No sockets.
//!
//! A newcomer always gets a place: the one goes that has shown least. A process of the run greets as soon as it is
//! connected, or proves its key first, so it has shown more than whoever waits, or trickles, for the others' places.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::model::time::Nanos;

/// The most connections at once that have not greeted.
const MOST: usize = 64;
/// Nobody goes earlier than this who has not been measured against the others: what it has said may be on its way.
const MOMENT: Nanos = Nanos::new(500_000_000);

/// What a stranger has shown so far; more of it is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Credentials {
    /// Whether it seems to have the key, where there is one.
    pub(super) has_key: bool,
    /// The bytes that it has sent of what could be a greeting.
    pub(super) bytes: usize,
}

/// All strangers of a bridge.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// The oldest first, since that one has to go where there are too many.
    all: RefCell<Vec<Rc<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    since: Nanos,
    shown: Cell<Credentials>,
    dismissed: Notify,
}

/// One stranger, until it is dropped.
pub(super) struct Stranger {
    entry: Rc<Entry>,
    strangers: Rc<Strangers>,
}

impl Strangers {
    /// Whether a newcomer takes somebody's place.
    pub(super) fn is_full(&self) -> bool {
        self.all.borrow().len() >= MOST
    }

    /// A newcomer gets a place; where there is none, somebody is dismissed.
    pub(super) fn admit(self: &Rc<Self>, now: Nanos) -> Stranger {
        let mut all = self.all.borrow_mut();
        if all.len() >= MOST {
            let leaves = least(&all, now);
            all.remove(leaves).dismissed.notify_one();
        }
        let entry = Rc::new(Entry { since: now, shown: Cell::default(), dismissed: Notify::new() });
        all.push(Rc::clone(&entry));
        Stranger { entry, strangers: Rc::clone(self) }
    }
}

/// Who has shown least of those who have had a moment to show something; where none has, the oldest without a key.
fn least(all: &[Rc<Entry>], now: Nanos) -> usize {
    let leaves = (0..all.len()).min_by_key(|&index| {
        let Credentials { has_key, bytes } = all[index].shown.get();
        let is_new = now.minus(all[index].since) < MOMENT;
        (has_key, is_new, if is_new { 0 } else { bytes })
    });
    // Of equal ones it is the first, and so the oldest.
    leaves.unwrap_or(0)
}

impl Stranger {
    /// It has shown so much by now.
    pub(super) fn show(&self, shown: Credentials) {
        self.entry.shown.set(shown);
    }

    /// Waits until it has to go, for others' sake.
    pub(super) async fn dismissed(&self) {
        self.entry.dismissed.notified().await;
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.strangers.all.borrow_mut().retain(|entry| !Rc::ptr_eq(entry, &self.entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Nanos = Nanos::from_secs(2);

    /// As many as there is room for, each of whom has shown something.
    fn crowd(shown: impl Fn(usize) -> Credentials) -> (Rc<Strangers>, Vec<Stranger>) {
        let strangers = Rc::<Strangers>::default();
        let crowd = (0..MOST).map(|number| {
            let stranger = strangers.admit(Nanos::new(number as u64));
            stranger.show(shown(number));
            stranger
        });
        let crowd = crowd.collect();
        (strangers, crowd)
    }

    /// Which of the crowd has lost its place.
    fn gone(strangers: &Strangers, crowd: &[Stranger]) -> Vec<usize> {
        let has_place = |stranger: &Stranger| {
            strangers.all.borrow().iter().any(|entry| Rc::ptr_eq(entry, &stranger.entry))
        };
        (0..crowd.len()).filter(|index| !has_place(&crowd[*index])).collect()
    }

    fn bytes(bytes: usize) -> Credentials {
        Credentials { has_key: false, bytes }
    }

    #[test]
    fn who_has_shown_least_goes_for_a_newcomer_and_the_oldest_of_equals() {
        let (strangers, crowd) = crowd(|number| bytes(if number % 2 == 0 { 9 } else { 5 }));
        assert!(strangers.is_full());
        let newcomers = [strangers.admit(LATER), strangers.admit(LATER)];
        assert_eq!(gone(&strangers, &crowd), [1, 3]);
        drop(newcomers);
        assert!(!strangers.is_full());
        let _newcomers = [strangers.admit(LATER), strangers.admit(LATER)];
        assert_eq!(gone(&strangers, &crowd), [1, 3], "there was room");
    }

    #[test]
    fn a_newcomer_has_a_moment_to_show_something() {
        let (strangers, crowd) = crowd(bytes);
        let newcomers: Vec<_> = (0..MOST).map(|_| strangers.admit(LATER)).collect();
        assert_eq!(gone(&strangers, &crowd).len(), MOST, "all who had theirs go first");
        let _more = strangers.admit(LATER);
        assert_eq!(gone(&strangers, &newcomers), [0], "and then the oldest");
    }

    #[test]
    fn who_has_the_key_stays_for_whoever_has_not() {
        let (strangers, crowd) = crowd(|number| Credentials { has_key: number == 0, bytes: number * 100 });
        let _newcomers: Vec<_> = (0..3 * MOST).map(|_| strangers.admit(LATER)).collect();
        assert!(!gone(&strangers, &crowd).contains(&0));
    }
}
