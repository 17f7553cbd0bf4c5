//! Forms of cells that all CSV files of a run share: lists, and texts that nobody takes for anything else.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use itoa::Buffer;

/// What a text begins with that would not be read as it stands. Whoever reads takes it away.
const GUARD: u8 = b'\'';

/// Numbers as a JSON list, in the quotes that CSV asks for where there is a comma in it. Nothing where there are none.
pub(super) fn list<T>(items: &[T], out: &mut Vec<u8>, number: impl Fn(&T) -> u64) {
    let mut digits = Buffer::new();
    let [first, rest @ ..] = items else { return };
    out.extend_from_slice(if rest.is_empty() { b"[" } else { b"\"[" });
    out.extend_from_slice(digits.format(number(first)).as_bytes());
    for item in rest {
        out.push(b',');
        out.extend_from_slice(digits.format(number(item)).as_bytes());
    }
    out.extend_from_slice(if rest.is_empty() { b"]" } else { b"]\"" });
}

/// The same as it stands in a field, before any quotes.
pub fn json_list<T: fmt::Display>(items: &[T]) -> String {
    let [first, rest @ ..] = items else { return String::new() };
    rest.iter().fold(format!("[{first}"), |list, item| list + "," + &item.to_string()) + "]"
}

/// A text as a CSV field: guarded where it would be taken for something else, and in quotes where RFC 4180 asks for
/// them.
pub(super) fn text(text: &str, out: &mut Vec<u8>) {
    let is_guarded = !is_plain(text);
    if text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.push(b'"');
        if is_guarded {
            out.push(GUARD);
        }
        for byte in text.bytes() {
            if byte == b'"' {
                out.push(b'"');
            }
            out.push(byte);
        }
        out.push(b'"');
    } else {
        if is_guarded {
            out.push(GUARD);
        }
        out.extend_from_slice(text.as_bytes());
    }
}

/// The text with its guard where it needs one, before any quotes.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if is_plain(text) { Cow::Borrowed(text) } else { Cow::Owned(format!("{}{text}", char::from(GUARD))) }
}

/// A cell's text without its guard.
pub(super) fn unguarded(cell: &[u8]) -> &[u8] {
    cell.strip_prefix(&[GUARD]).unwrap_or(cell)
}

/// Whether every program reads the text as it stands: it is no formula, no date, no fraction, no number that is
/// rounded or loses its zeros, and no word for nothing. Where that is not sure, it is said not to be.
fn is_plain(text: &str) -> bool {
    let Some(&first) = text.as_bytes().first() else { return true };
    match first {
        b'0'..=b'9' => is_exact_everywhere(text) || text.parse::<SocketAddr>().is_ok() || is_a_count(text),
        b'a'..=b'z' | b'A'..=b'Z' => !is_taken_for_a_date(text) && !is_a_value_elsewhere(text),
        b'[' | b'{' | b'"' | b'_' => true,
        // What other signs begin, some program or other looks at. Letters of all alphabets begin names of months.
        _ => text.starts_with(char::is_alphabetic) && !has_digits(text),
    }
}

/// Whether it is a whole number that all programs keep as it stands: spreadsheets have fifteen digits, and drop zeros
/// in front.
fn is_exact_everywhere(text: &str) -> bool {
    const DIGITS: usize = 15;
    let is_number = text.len() <= DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number && (text == "0" || !text.starts_with('0'))
}

/// Whether it is a number and several words of which none makes it a date or a time: `4 messages to it`.
fn is_a_count(text: &str) -> bool {
    let mut words = text.split(' ');
    let is_number = words.next().is_some_and(is_exact_everywhere);
    let is_noun = |word: &str| {
        word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase()) && !is_a_month(word)
    };
    is_number && words.next().is_some_and(is_noun) && words.next().is_some_and(|word| !has_digits(word))
}

/// Words that programs read as values of their own, in any case: what is missing, what is true, what is no number.
fn is_a_value_elsewhere(text: &str) -> bool {
    const WORDS: [&str; 13] =
        ["na", "n/a", "nan", "nat", "null", "nil", "none", "true", "false", "inf", "infinity", "yes", "no"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether it begins with the name of a month, and has a number: `May 4`, `dec-99`.
fn is_taken_for_a_date(text: &str) -> bool {
    let word = text.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
    has_digits(text) && is_a_month(word)
}

/// Whether a word is a month's name, whole or short.
fn is_a_month(word: &str) -> bool {
    /// In English, German and Dutch.
    const MONTHS: [&str; 27] = [
        "january",
        "februari",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "januar",
        "februar",
        "märz",
        "mai",
        "juni",
        "juli",
        "oktober",
        "dezember",
        "januari",
        "maart",
        "mrt",
        "mei",
        "augustus",
        "jänner",
    ];
    let word = word.to_lowercase();
    word.chars().count() >= 3 && MONTHS.iter().any(|month| month.starts_with(&word))
}

fn has_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(content: &str) -> String {
        let mut out = Vec::new();
        text(content, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lists_are_json_and_quoted_where_csv_asks_for_it() {
        let of = |items: &[u64]| {
            let mut out = Vec::new();
            list(items, &mut out, |item| *item);
            (String::from_utf8(out).unwrap(), json_list(items))
        };
        assert_eq!(of(&[]), (String::new(), String::new()));
        assert_eq!(of(&[2]), ("[2]".into(), "[2]".into()));
        assert_eq!(of(&[5, 12, 0]), ("\"[5,12,0]\"".into(), "[5,12,0]".into()));
    }

    #[test]
    fn what_would_be_taken_for_something_else_is_guarded() {
        for dangerous in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            "\rx",
            " x",
            "'",
            "'x",
            "1-2",
            "1/2",
            "12:30",
            "007",
            "1e5",
            "0x1f",
            "1.5",
            "1,5",
            "1234567890123456",
            "true",
            "NULL",
            "NaN",
            "n/a",
            "#N/A",
            "<NA>",
            "(5)",
            "5 %",
            "\u{20ac}5",
            "May 4",
            "4 may in",
            "5 pm in",
            "dec-99",
            "M\u{e4}rz 5",
            "\u{ff1d}1+1",
            "\u{2212}5",
            "127.0.0.1",
        ] {
            let quoted = field(dangerous);
            assert!(quoted.starts_with('\'') || quoted.starts_with("\"'"), "{dangerous}: {quoted}");
        }
        for plain in [
            "",
            "0",
            "123456",
            "enter",
            "leader 4",
            "deliver vm3-17",
            "request 12",
            "decide 4",
            "4 messages to it that were sent before",
            "[5,12,0]",
            "reset, as they say",
            "127.0.0.1:7000",
            "[::1]:7000",
            "\u{e9}t\u{e9}",
        ] {
            assert!(!field(plain).contains('\''), "{plain}");
        }
        assert_eq!(field("=a,\"b\""), "\"'=a,\"\"b\"\"\"");
    }

    proptest! {
        #[test]
        fn a_guard_is_taken_away_again(content in "['=+@a0-]{0,3}.{0,6}") {
            let guarded = guarded(&content);
            prop_assert_eq!(unguarded(guarded.as_bytes()), content.as_bytes());
            let starts = guarded.chars().next();
            prop_assert!(starts.is_none_or(|first| !"=+-@\t\r".contains(first)), "{}", guarded);
        }
    }
}
