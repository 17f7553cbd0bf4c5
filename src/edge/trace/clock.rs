//! A vector clock of named hosts: the entries that are not 0, as another program has written them.

use std::collections::BTreeMap;

use crate::model::id::VmId;

/// A vector clock without its zeros, by host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock(Vec<(VmId, u64)>);

impl Clock {
    /// A host's entry, 0 where it has none.
    pub fn entry(&self, host: VmId) -> u64 {
        self.0.binary_search_by_key(&host, |(host, _)| *host).map_or(0, |at| self.0[at].1)
    }

    /// The entries that are not 0.
    pub fn entries(&self) -> impl Iterator<Item = (VmId, u64)> + '_ {
        self.0.iter().copied()
    }

    /// The sum of the entries: the number of events in the causal past, itself among them.
    pub fn sum(&self) -> u128 {
        self.0.iter().map(|(_, entry)| u128::from(*entry)).sum()
    }
}

impl FromIterator<(VmId, u64)> for Clock {
    fn from_iter<I: IntoIterator<Item = (VmId, u64)>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().filter(|(_, entry)| *entry > 0).collect();
        // Sorted by host, so that an entry is found by halves and equal clocks are equal lists.
        entries.sort_unstable();
        debug_assert!(entries.windows(2).all(|pair| pair[0].0 < pair[1].0), "a host has one entry");
        Self(entries)
    }
}

/// The entries of a clock as JSON, such as `{"a": 1, "b": 2}`. Quotes may have a backslash each, as TLA+ prints them.
pub(super) fn parse(text: &str) -> Option<BTreeMap<String, u64>> {
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace("\\\"", "\""))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_json_and_their_quotes_may_be_escaped() {
        let expected = BTreeMap::from([("a".to_owned(), 1), ("b c".to_owned(), 20)]);
        assert_eq!(parse(r#"{"a": 1, "b c":20}"#), Some(expected.clone()));
        assert_eq!(parse(r#"{\"a\":1,\"b c\":20}"#), Some(expected));
        for wrong in
            ["", "{", "[1]", r#"{"a":-1}"#, r#"{"a":1.5}"#, r#"{"a":"1"}"#, r#"{"a":99999999999999999999}"#]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_clock_has_an_entry_for_every_host() {
        let clock: Clock = [(VmId(7), 3), (VmId(2), 5), (VmId(4), 0)].into_iter().collect();
        assert_eq!([2, 4, 7, 9].map(|host| clock.entry(VmId(host))), [5, 0, 3, 0]);
        assert_eq!((clock.entries().count(), clock.sum()), (2, 8));
    }
}
