//! Values that people write as text, in a flag or a scenario file: one way to read them from both.

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};
use std::marker::PhantomData;
use std::str::FromStr;

/// Reads a value from a TOML text, or from what people write instead where a text looks like it: a
/// number, a list, true or false.
///
/// # Errors
///
/// What the type's [`FromStr`] says of the text.
pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    deserializer.deserialize_any(AnyText(PhantomData))
}

/// So many of something, which is given as of several.
pub(crate) fn count(number: u64, several: &str) -> String {
    let what = if number == 1 { several.strip_suffix('s').unwrap_or(several) } else { several };
    format!("{number} {what}")
}

/// A number with commas between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Whether a terminal would obey a character or show what follows it in another order, instead of showing it.
pub(crate) const fn steers_terminals(char: char) -> bool {
    // The controls of ECMA-48, C0 and C1; the marks, embeddings, overrides and isolates of Unicode's bidirectional
    // algorithm (UAX #9), by which a text can be shown as another one (Boucher and Anderson, "Trojan Source", 2021);
    // the separators of lines and paragraphs; and what is not seen at all.
    matches!(char,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text out of a file or the network as one line that can be shown: what steers terminals stands there as `\u{1b}`.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(steers_terminals) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::new(), |mut out, char| {
        push_printable(char, &mut out);
        out
    }))
}

fn push_printable(char: char, out: &mut String) {
    if steers_terminals(char) { out.extend(char.escape_unicode()) } else { out.push(char) }
}

/// A text of several lines as a terminal is to get it: only the ends of lines and tabs steer it.
#[derive(Clone, Copy)]
pub(crate) struct Tame<'a>(pub(crate) &'a dyn Display);

impl Display for Tame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Tamer(f), "{}", self.0)
    }
}

struct Tamer<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Tamer<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let steers = |char: char| steers_terminals(char) && !matches!(char, '\n' | '\t');
        let mut rest = text;
        while let Some(at) = rest.find(steers) {
            let (plain, wild) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut chars = wild.chars();
            if let Some(char) = chars.next() {
                write!(self.0, "{}", char.escape_unicode())?;
            }
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

struct AnyText<T>(PhantomData<T>);

impl<'de, T: FromStr<Err: Display>> serde::de::Visitor<'de> for AnyText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a list")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|error| E::custom(format_args!("`{text}`: {error}")))
    }
    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_bool<E: serde::de::Error>(self, switch: bool) -> Result<T, E> {
        self.visit_str(if switch { "on" } else { "off" })
    }
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let mut texts = Vec::new();
        while let Some(Plain(text)) = items.next_element()? {
            texts.push(text);
        }
        self.visit_str(&texts.join(","))
    }
}

/// The text of an item in a list.
struct Plain(String);

impl FromStr for Plain {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl<'de> serde::Deserialize<'de> for Plain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

/// Makes types with [`Display`] and [`FromStr`] texts for serde.
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::model::text::deserialize(deserializer)
            }
        }
    )+};
}
pub(crate) use as_text;

/// What is written as one of a few words.
pub trait OneOf {
    /// The words that are taken, as help and completions list them.
    fn words() -> Vec<&'static str>;
}

/// Why a word is none of an enumeration's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: {allowed}")]
pub struct UnknownWord {
    pub(crate) allowed: &'static str,
}

/// Makes an enumeration out of the words that people write for its variants.
macro_rules! words {
    ($(#[$doc:meta])* $visible:vis enum $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visible enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            const ALLOWED: &'static str = $crate::model::text::list!($($word),+);
        }
        impl $crate::model::text::OneOf for $name {
            fn words() -> Vec<&'static str> {
                vec![$($word),+]
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::model::text::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err($crate::model::text::UnknownWord { allowed: Self::ALLOWED }) }
            }
        }
        $crate::model::text::as_text!($name);
    };
}
pub(crate) use words;

/// The words with commas between them.
macro_rules! list {
    ($first:literal $(, $rest:literal)*) => { concat!($first $(, ", ", $rest)*) };
}
pub(crate) use list;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// The largest number of the range.
    pub const LARGEST: u32 = MAX;

    /// The number, where it is in the range.
    pub const fn new(number: u32) -> Option<Self> {
        if MIN <= number && number <= MAX { Some(Self(number)) } else { None }
    }

    /// The number, which is in the range.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Why a text is no number of the range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from {min} to {max}")]
pub struct NotInRange {
    min: u32,
    max: u32,
}

impl<const MIN: u32, const MAX: u32> FromStr for Whole<MIN, MAX> {
    type Err = NotInRange;

    fn from_str(text: &str) -> Result<Self, NotInRange> {
        const { assert!(MIN <= MAX, "a range has a number") };
        text.trim().parse().ok().and_then(Self::new).ok_or(NotInRange { min: MIN, max: MAX })
    }
}

impl<const MIN: u32, const MAX: u32> Display for Whole<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MIN: u32, const MAX: u32> serde::Serialize for Whole<MIN, MAX> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de, const MIN: u32, const MAX: u32> serde::Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_steers_a_terminal() {
        let wild = "a\u{1b}[31m\u{7}\u{9b}2J\u{202e}\r\u{2066}é\u{200d}\n\tz";
        assert_eq!(
            printable(wild),
            "a\\u{1b}[31m\\u{7}\\u{9b}2J\\u{202e}\\u{d}\\u{2066}é\u{200d}\\u{a}\\u{9}z"
        );
        let tame = Tame(&wild).to_string();
        assert_eq!(tame, "a\\u{1b}[31m\\u{7}\\u{9b}2J\\u{202e}\\u{d}\\u{2066}é\u{200d}\n\tz");
        assert!(matches!(printable("plain"), Cow::Borrowed("plain")));
    }
}
