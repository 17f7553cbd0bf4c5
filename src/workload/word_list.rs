//! Lists within messages.

use std::fmt;
use std::str::FromStr;

/// A list as a word of a message: `3,1,2`, and `-` where it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WordList<T>(pub(super) Vec<T>);

impl<T: fmt::Display> fmt::Display for WordList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        for (place, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl<T: FromStr> FromStr for WordList<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "-" {
            return Ok(Self(Vec::new()));
        }
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_are_written_and_nothing_else_is() {
        for (list, text) in [(vec![], "-"), (vec![7], "7"), (vec![3, u64::MAX], "3,18446744073709551615")] {
            assert_eq!(WordList(list.clone()).to_string(), text);
            assert_eq!(text.parse(), Ok(WordList(list)));
        }
        for text in ["", ",", "1,", "1,,2", "-1", "--", "1, 2"] {
            assert!(text.parse::<WordList<u64>>().is_err(), "{text}");
        }
    }
}
