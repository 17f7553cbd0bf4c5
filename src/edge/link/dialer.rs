//! When to dial, and which of two connections stays where both ends dialled.

use crate::model::seed::Stream;
use crate::model::time::Nanos;

/// The wait after the first failure, and the longest.
const SHORTEST: Nanos = Nanos::new(50_000_000);
const LONGEST: Nanos = Nanos::from_secs(2);

/// The attempts of one process to reach another: soon at first, then less and less often, and never at
/// the same moment as all others (exponential backoff with jitter).
#[derive(Debug)]
pub struct Dialer {
    failures: u32,
    next: Nanos,
    jitter: Stream,
}

impl Dialer {
    /// A dialer that dials at once, and draws its waits from that stream.
    pub const fn new(jitter: Stream) -> Self {
        Self { failures: 0, next: Nanos::ZERO, jitter }
    }

    /// When to dial, as long as there is no connection.
    pub const fn due(&self) -> Nanos {
        self.next
    }

    /// The attempt failed, or the connection that it made was lost before it was of any use.
    pub fn failed(&mut self, now: Nanos) {
        // Half of the wait is certain and half is drawn: processes that lost each other at the same moment come back
        // at different ones, and none of them at once. The longest wait is reached long before the shift's own bound.
        let longest = SHORTEST.get().saturating_mul(1 << self.failures.min(20)).min(LONGEST.get());
        self.failures = self.failures.saturating_add(1);
        self.next = now.plus(self.jitter.between(Nanos::new(longest / 2), Nanos::new(longest)));
        debug_assert!(
            self.next >= now.plus(Nanos::new(SHORTEST.get() / 2)),
            "a process dials without a pause"
        );
    }

    /// The two ends have greeted each other: when the connection is lost, dial again at once.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
        self.next = Nanos::ZERO;
    }
}

/// Whether a connection stays while there is another one that the other end dialled: of two processes that
/// dial each other at the same time, both come to the same answer.
pub const fn stays(own: u32, peer: u32, dialled_here: bool) -> bool {
    debug_assert!(own != peer, "a process has no link to itself");
    // Either end asks the same question: was this connection dialled by the node of the smaller number?
    (own < peer) == dialled_here
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::VmId;
    use crate::model::seed::{Purpose, Seed};

    #[test]
    fn waits_grow_to_two_seconds_and_start_again_after_a_success() {
        let mut dialer = Dialer::new(Seed(1).stream(VmId(0), Purpose::Network));
        assert_eq!(dialer.due(), Nanos::ZERO);
        let mut now = Nanos::from_secs(100);
        for longest_ms in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000] {
            dialer.failed(now);
            let wait = dialer.due().minus(now).get() / 1_000_000;
            assert!((longest_ms / 2..=longest_ms).contains(&wait), "{wait} of {longest_ms}");
            now = dialer.due();
        }
        dialer.succeeded();
        assert_eq!(dialer.due(), Nanos::ZERO);
    }

    #[test]
    fn both_ends_keep_the_same_one_of_two_connections() {
        for (own, peer) in [(0, 1), (4, 2)] {
            for dialled_here in [true, false] {
                assert_eq!(stays(own, peer, dialled_here), stays(peer, own, !dialled_here));
                assert_ne!(stays(own, peer, dialled_here), stays(own, peer, !dialled_here));
            }
        }
    }
}
