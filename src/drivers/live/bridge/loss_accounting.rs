//! What is lost with processes that died, counted from what both ends know. No sockets.
//!
//! When a process dies, nobody knows at once which of the messages to it had arrived: a session counts those that
//! were not acknowledged, some of which may have been received, and knows nothing of those that waited in inboxes.
//! A process that goes on from its logs knows what they say was received, and what was sent. So at the beginning of
//! each session each end tells the other how many of its messages it knows of, and what is missing is lost.

/// The loss accounting with one other process, and those before it.
#[derive(Debug, Default)]
pub(super) struct LossAccounting {
    /// What the own logs say was sent to it, and received from it, before this process was started.
    logged: Option<(u64, u64)>,
    /// The same of this process's links, and what they counted as lost, when the present session began.
    passed: Option<(u64, u64, u64)>,
    /// Whether the other end has been told what is known here.
    is_said: bool,
    /// How many of the messages to it the other end knows of.
    known: Option<u64>,
    /// Whether the other end has told that in this session.
    is_heard: bool,
    /// What is lost of those that were sent before the session, and what links had counted of it.
    counted: Option<(u64, u64)>,
}

impl LossAccounting {
    /// The own logs are read.
    pub(super) fn logged(&mut self, (sent, received): (u64, u64)) {
        self.logged = Some((sent, received));
    }

    /// A session with another process begins, after so many messages there and back, of which so many are counted
    /// as lost.
    pub(super) fn begin(&mut self, sent: u64, received: u64, lost: u64) {
        self.passed = Some((sent, received, lost));
        (self.is_said, self.known, self.is_heard) = (false, None, false);
    }

    /// The other end knows of so many messages from here; the first time that it says so in a session counts.
    pub(super) fn heard(&mut self, received: u64) {
        if !std::mem::replace(&mut self.is_heard, true) {
            self.known = Some(received);
        }
    }

    /// Whether the other end has told how many it knows of.
    pub(super) const fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// What the other end is to be told, once, as soon as it is known: how many of its messages have arrived.
    pub(super) fn word(&mut self) -> Option<u64> {
        let ((_, logged), (_, received, _)) = (self.logged?, self.passed.filter(|_| !self.is_said)?);
        self.is_said = true;
        Some(logged + received)
    }

    /// Counts what is lost of the messages to the other end, where that can be known now and was not before; `raw`
    /// is what links have counted by now.
    pub(super) fn reckon(&mut self, raw: u64) -> Option<u64> {
        let ((logged, _), (sent, ..), known) = (self.logged?, self.passed?, self.known.take()?);
        // The other end may know of more, as where this process's logs lost their last rows: then nothing is lost.
        let lost = (logged + sent).saturating_sub(known);
        debug_assert!(lost <= logged + sent, "more is lost than was sent");
        self.counted = Some((lost, raw));
        Some(lost)
    }

    /// What is lost, where links have counted so much: what was reckoned takes the place of what they had
    /// counted by then.
    pub(super) fn lost(&self, raw: u64) -> u64 {
        let (lost, counted) = self.counted.unwrap_or_default();
        lost + raw.saturating_sub(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_run_has_nothing_to_reckon() {
        let mut loss_accounting = LossAccounting::default();
        assert_eq!(loss_accounting.word(), None, "nothing is known of its own logs yet");
        loss_accounting.begin(0, 0, 0);
        loss_accounting.logged((0, 0));
        assert_eq!((loss_accounting.word(), loss_accounting.word()), (Some(0), None), "it is said once");
        loss_accounting.heard(0);
        assert_eq!((loss_accounting.reckon(0), loss_accounting.lost(0)), (Some(0), 0));
        assert_eq!(loss_accounting.lost(4), 4, "what links count after that is lost as well");
    }

    #[test]
    fn the_survivor_counts_what_is_in_none_of_the_others_logs() {
        let mut loss_accounting = LossAccounting::default();
        loss_accounting.logged((0, 0));
        // Of a hundred messages to the dead process its links think that seven may not have arrived.
        loss_accounting.begin(100, 40, 7);
        assert_eq!(loss_accounting.lost(7), 7);
        assert_eq!(loss_accounting.word(), Some(40));
        loss_accounting.heard(91);
        assert_eq!(loss_accounting.reckon(7), Some(9));
        assert_eq!((loss_accounting.lost(7), loss_accounting.lost(8)), (9, 10));
        assert_eq!(loss_accounting.reckon(7), None, "once a session");
        loss_accounting.heard(3);
        assert_eq!(
            (loss_accounting.reckon(7), loss_accounting.lost(7)),
            (None, 9),
            "however often it is said"
        );
    }

    #[test]
    fn one_that_goes_on_counts_from_its_own_logs() {
        let mut loss_accounting = LossAccounting::default();
        loss_accounting.begin(0, 0, 0);
        loss_accounting.heard(40);
        assert_eq!(loss_accounting.reckon(0), None, "its logs are not read yet");
        loss_accounting.logged((43, 91));
        assert_eq!(loss_accounting.word(), Some(91));
        assert_eq!((loss_accounting.reckon(0), loss_accounting.lost(0)), (Some(3), 3));
    }
}
