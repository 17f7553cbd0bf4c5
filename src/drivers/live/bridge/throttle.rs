//! Keeps a log in bounds to which somebody else gives the rows: the first are all written, later ones now and then,
//! and the others are counted.

use crate::model::time::Nanos;

/// So many rows are written as they come.
const FREE: u64 = 1000;
/// From then on one is written this often,
const OFTEN: Nanos = Nanos::from_secs(1);
/// and after so many in all none any more.
const MOST: u64 = 10_000;

/// The rows of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Throttle {
    written: u64,
    latest: Nanos,
    /// Those since the latest that have no row.
    left_out: u64,
}

impl Throttle {
    /// Whether there is to be a row now, and then of how many others it has to tell that have none.
    pub(super) fn passes(&mut self, now: Nanos) -> Option<u64> {
        let is_free = self.written < FREE;
        if !is_free && (self.written >= MOST || now.minus(self.latest) < OFTEN) {
            self.left_out += 1;
            return None;
        }
        debug_assert!(self.written < MOST, "a log that others fill has an end");
        (self.written, self.latest) = (self.written + 1, now);
        Some(std::mem::take(&mut self.left_out))
    }

    /// How many have no row, and no row that tells of them.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// The reason of a row that tells of others.
pub(super) fn and_more(reason: &str, more: u64) -> String {
    match (reason, more) {
        (reason, 0) => reason.to_owned(),
        ("", more) => format!("and {more} more like this"),
        (reason, more) => format!("{reason}; and {more} more like this"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_rows_becomes_one_a_second_and_ends_and_all_are_counted() {
        let mut throttle = Throttle::default();
        assert!((0..FREE).all(|_| throttle.passes(Nanos::ZERO) == Some(0)));
        assert_eq!([0, 1, 2].map(|_| throttle.passes(Nanos::ZERO)), [None; 3]);
        assert_eq!(throttle.passes(Nanos::from_secs(1)), Some(3));
        let (mut written, mut told) = (FREE + 1, 3);
        for tenth in 0..1_000_000 {
            if let Some(more) = throttle.passes(Nanos::new((20 + tenth) * 100_000_000)) {
                written += 1;
                told += more;
            }
        }
        assert_eq!(written, MOST);
        assert_eq!(FREE + 3 + 1 + 1_000_000, written + told + throttle.left_out());
        assert_eq!(and_more("reset", 3), "reset; and 3 more like this");
        assert_eq!(and_more("", 3), "and 3 more like this");
    }
}
