//! What a clock's order says of happened-before.

use std::cmp::Ordering;

use crate::model::text::words;

words! {
    /// A clock's promise, for any two events e and f with values C(e) and C(f).
    pub enum Promise {
        /// Where e happened before f, C(e) is smaller than C(f). Lamport's clock condition.
        Weak = "weak",
        /// C(e) is smaller than C(f) exactly where e happened before f.
        Strong = "strong",
        /// Weak, and of any two events one has the smaller value.
        Total = "total",
        /// Weak, and values that cannot be compared are those of concurrent events.
        Plausible = "plausible",
    }
}

/// How two events are ordered in truth: the first happened before the second, after it, or neither.
pub type Truth = Option<Ordering>;

impl Promise {
    /// Whether values that compare so may be those of different events that are so ordered in truth.
    pub const fn allows(self, truth: Truth, by_clock: Option<Ordering>) -> bool {
        match (truth, by_clock) {
            (Some(Ordering::Less), Some(Ordering::Less))
            | (Some(Ordering::Greater), Some(Ordering::Greater)) => true,
            (Some(_), _) => false,
            (None, Some(Ordering::Less | Ordering::Greater)) => !matches!(self, Self::Strong),
            (None, Some(Ordering::Equal) | None) => !matches!(self, Self::Total),
        }
    }
}

#[cfg(test)]
mod tests {
    use Ordering::{Equal, Greater, Less};

    use super::*;

    #[test]
    fn a_promise_is_what_its_definition_says() {
        for promise in [Promise::Weak, Promise::Strong, Promise::Total, Promise::Plausible] {
            assert!(promise.allows(Some(Less), Some(Less)) && promise.allows(Some(Greater), Some(Greater)));
            for by_clock in [None, Some(Equal), Some(Greater)] {
                assert!(!promise.allows(Some(Less), by_clock), "{promise}");
            }
        }
        let of_concurrent = |promise: Promise| {
            [None, Some(Equal), Some(Less), Some(Greater)].map(|by_clock| promise.allows(None, by_clock))
        };
        assert_eq!(of_concurrent(Promise::Weak), [true, true, true, true]);
        assert_eq!(of_concurrent(Promise::Strong), [true, true, false, false]);
        assert_eq!(of_concurrent(Promise::Total), [false, false, true, true]);
        assert_eq!(of_concurrent(Promise::Plausible), [true, true, true, true]);
    }
}
