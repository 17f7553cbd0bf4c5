//! Keys as terminals send them: bytes to keys.

use crate::show::view::KeyPress;

const ESCAPE: u8 = 0x1b;

/// The keys that these bytes stand for. Those that mean nothing here are left out.
pub(super) fn keys(mut bytes: &[u8]) -> Vec<KeyPress> {
    let mut keys = Vec::new();
    while let Some((key, rest)) = next(bytes) {
        keys.extend(key);
        bytes = rest;
    }
    keys
}

fn next(bytes: &[u8]) -> Option<(Option<KeyPress>, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    Some(match first {
        &ESCAPE => match rest.split_first() {
            Some((b'[' | b'O', rest)) => sequence(rest),
            _ => (Some(KeyPress::Escape), rest),
        },
        b'\t' => (Some(KeyPress::Tab), rest),
        code @ 1..=26 => (Some(KeyPress::Ctrl(char::from(code + b'a' - 1))), rest),
        b' '..=b'~' => (Some(KeyPress::Char(char::from(*first))), rest),
        _ => (None, rest),
    })
}

/// What follows an escape and a bracket: parameters, and a last byte that says what it is.
fn sequence(bytes: &[u8]) -> (Option<KeyPress>, &[u8]) {
    let length = bytes.iter().take_while(|byte| (0x20..0x40).contains(*byte)).count();
    let (parameters, rest) = bytes.split_at(length);
    let Some((last, rest)) = rest.split_first() else { return (None, rest) };
    let key = match (parameters, last) {
        (_, b'A') => Some(KeyPress::Up),
        (_, b'B') => Some(KeyPress::Down),
        (_, b'H') | (b"1" | b"7", b'~') => Some(KeyPress::Home),
        (_, b'F') | (b"4" | b"8", b'~') => Some(KeyPress::End),
        (b"5", b'~') => Some(KeyPress::PageUp),
        (b"6", b'~') => Some(KeyPress::PageDown),
        _ => None,
    };
    (key, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_read_as_terminals_send_them() {
        let check = |bytes: &[u8], expected: &[KeyPress]| assert_eq!(keys(bytes), expected, "{bytes:?}");
        check(b"", &[]);
        check(b"q ?", &[KeyPress::Char('q'), KeyPress::Char(' '), KeyPress::Char('?')]);
        check(
            b"\x03\x1a\x0c\t",
            &[KeyPress::Ctrl('c'), KeyPress::Ctrl('z'), KeyPress::Ctrl('l'), KeyPress::Tab],
        );
        check(b"\x1b[A\x1bOB", &[KeyPress::Up, KeyPress::Down]);
        check(b"\x1b[5~\x1b[6~", &[KeyPress::PageUp, KeyPress::PageDown]);
        check(b"\x1b[H\x1bOF\x1b[1~\x1b[8~", &[KeyPress::Home, KeyPress::End, KeyPress::Home, KeyPress::End]);
        check(b"\x1b", &[KeyPress::Escape]);
        check(b"\x1b[1;5A\x1b[3~d", &[KeyPress::Up, KeyPress::Char('d')]);
        check(b"\x1b[", &[]);
        check("ä".as_bytes(), &[]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            prop_assert!(keys(&bytes).len() <= bytes.len());
        }
    }
}
