//! How long a log may take to be read: far longer than any sensible expression needs, and not for ever.
//!
//! One search takes a time in proportion to the text. But one that runs to the end of it and comes back with little
//! makes each event as long as the whole log.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The time in which everything may be slow.
const FREE: Duration = Duration::from_secs(4);
/// The bytes a second that even a slow expression makes beyond that; ordinary ones make a thousand times as many.
const SLOWEST: u64 = 50_000;
/// After so many events somebody looks at the clock.
const APART: u32 = 64;

/// Looks at how much of the processor was spent on how many bytes.
#[derive(Debug)]
pub(super) struct Patience {
    begun: Duration,
    looked: u32,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { begun: spent(), looked: 0 }
    }

    /// Whether so many bytes should have taken less time.
    pub(super) fn is_over(&mut self, bytes: usize) -> bool {
        // A look at the clock is a call of the system, and would take longer than most searches.
        self.looked += 1;
        self.looked.is_multiple_of(APART) && is_too_long(spent().saturating_sub(self.begun), bytes as u64)
    }
}

fn is_too_long(time: Duration, bytes: u64) -> bool {
    time > FREE && bytes < (time - FREE).as_secs().saturating_mul(SLOWEST)
}

/// The time of the processor that this thread has had. A machine that is busy or asleep does not count.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_crawls_is_too_long() {
        let second = Duration::from_secs(1);
        assert!(!is_too_long(4 * second, 0) && is_too_long(6 * second, 90_000));
        assert!(!is_too_long(6 * second, 110_000) && !is_too_long(100 * second, 10_000_000));
    }
}
