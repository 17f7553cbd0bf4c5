//! JavaScript's regular expressions, in which ShiViz reads logs, put into the words of an engine that does not hang.
//!
//! An expression comes with the log, from whoever wrote it. A backtracking engine, as browsers have it, takes longer
//! than anybody lives for `(x+x+)+y` on a line of sixty x. So what it says is translated: without look-around and back
//! references it is then matched in linear time, and with them under a limit of steps.
//!
//! Two things differ from a browser on purpose: a line ends at `\n` alone, and `\b` knows letters beyond ASCII.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use fancy_regex::{CompileError, Regex, RegexBuilder, RuntimeError};

/// The most bytes of an expression: those that people write have some hundred.
const LONGEST: usize = 10_000;
/// What a compiled expression may take, in bytes. Matching can cost as much time a byte as it has parts.
const MOST_BYTES: usize = 4 << 20;
/// Steps back that a search may make, and how many more for each byte of the text.
const STEPS: usize = 5_000_000;
const STEPS_A_BYTE: usize = 20;
/// What JavaScript calls a space.
const SPACES: &str =
    r"\t\n\x0B\x0C\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";

/// What an expression has found, and its groups.
pub(super) type Captures<'a> = fancy_regex::Captures<'a, str>;

#[derive(Debug)]
pub(super) struct Expression(Regex);

/// Matching an expression took more steps than a sensible one needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManySteps;

impl Expression {
    /// Compiles an expression that takes whole lines, but for spaces at their end, of so long a text.
    pub(super) fn of_lines(expression: &str, length: usize) -> Result<Self, String> {
        if expression.len() > LONGEST {
            return Err(format!("it has {} bytes, and an expression may have {LONGEST}", expression.len()));
        }
        let translated = translate(expression)?;
        // Only what JavaScript takes for an expression by itself is one: `a)(b` is none, though it is in brackets.
        build(&translated, 0)?;
        let steps = length.saturating_mul(STEPS_A_BYTE).saturating_add(STEPS);
        build(&format!("^(?:{translated})[{}]*$", SPACES.replace(r"\n", "")), steps).map(Self)
    }

    /// What it finds, one after the other.
    pub(super) fn find_in<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = Result<Captures<'a>, TooManySteps>> + 'a {
        self.0.captures_iter(text).map(|found| found.map_err(|_limit| TooManySteps))
    }
}

fn build(pattern: &str, steps: usize) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern)
        .multi_line(true)
        .backtrack_limit(steps)
        .delegate_size_limit(MOST_BYTES)
        .build();
    built.map_err(|error| match error {
        fancy_regex::Error::CompileError(error) => match *error {
            // The engine has only its size to complain of: what is no expression was told before.
            CompileError::InnerError(_) => "it is too large: repeat less often".to_owned(),
            error => error.to_string(),
        },
        fancy_regex::Error::RuntimeError(RuntimeError::StackOverflow) => "it is too deep".to_owned(),
        error => error.to_string(),
    })
}

/// An expression in the engine's words.
fn translate(expression: &str) -> Result<String, String> {
    let groups = groups(expression);
    let mut translation = Translation {
        rest: expression.chars().peekable(),
        out: String::with_capacity(2 * expression.len()),
        groups,
    };
    translation.all()?;
    Ok(translation.out)
}

/// How many groups capture something.
fn groups(expression: &str) -> usize {
    let (mut groups, mut is_class) = (0, false);
    let mut rest = expression.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\\' => drop(rest.next()),
            '[' => is_class = true,
            ']' => is_class = false,
            '(' if !is_class => {
                let mut ahead = rest.clone();
                let is_plain = ahead.next() != Some('?');
                let is_named = ahead.next() == Some('<') && !matches!(ahead.next(), Some('=' | '!'));
                groups += usize::from(is_plain || is_named);
            }
            _ => {}
        }
    }
    groups
}

struct Translation<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    groups: usize,
}

impl Translation<'_> {
    fn all(&mut self) -> Result<(), String> {
        // Whether what stands before can be repeated, and whether it is so already.
        let (mut has_atom, mut is_repeated) = (false, false);
        while let Some(char) = self.rest.next() {
            let repeats = match char {
                '*' | '+' | '?' => Some(char.to_string()),
                '{' => self.count(),
                _ => None,
            };
            if let Some(repeats) = repeats {
                if !has_atom || is_repeated {
                    return Err(format!("there is nothing to repeat before '{repeats}'"));
                }
                self.out += &repeats;
                if self.rest.next_if_eq(&'?').is_some() {
                    self.out.push('?');
                }
                is_repeated = true;
                continue;
            }
            is_repeated = false;
            has_atom = !matches!(char, '(' | '|' | '^');
            match char {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '.' | '^' | '$' | '|' | ')' => self.out.push(char),
                char => literal(char, &mut self.out),
            }
        }
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,5}`, of which the brace was taken. Anything else after a brace makes it a letter.
    fn count(&mut self) -> Option<String> {
        let mut ahead = self.rest.clone();
        let mut text = String::from("{");
        let mut digits = |text: &mut String| {
            let before = text.len();
            while let Some(digit) = ahead.next_if(char::is_ascii_digit) {
                text.push(digit);
            }
            text.len() > before
        };
        if !digits(&mut text) {
            return None;
        }
        let mut end = self.rest.clone().skip(text.len() - 1);
        let mut next = end.next();
        if next == Some(',') {
            ahead.next();
            text.push(',');
            let mut digits = String::new();
            while let Some(digit) = ahead.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            text += &digits;
            next = ahead.next();
        }
        if next != Some('}') {
            return None;
        }
        text.push('}');
        for _ in 1..text.len() {
            self.rest.next();
        }
        Some(text)
    }

    fn group(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.out.push('(');
            return Ok(());
        }
        let wrong = |found: &str| {
            Err(format!(
                "(?{found} begins no group: a named group is (?<name>…), others are (?:…), (?=…), (?!…), (?<=…) and (?<!…)"
            ))
        };
        match self.rest.next() {
            Some(char @ (':' | '=' | '!')) => {
                self.out.extend(['(', '?', char]);
                Ok(())
            }
            Some('<') => match self.rest.next_if(|char| matches!(char, '=' | '!')) {
                Some(char) => {
                    self.out.extend(['(', '?', '<', char]);
                    Ok(())
                }
                None => {
                    let name = self.name()?;
                    let _ = write!(self.out, "(?<{name}>");
                    Ok(())
                }
            },
            Some(char) => wrong(&char.to_string()),
            None => wrong(""),
        }
    }

    /// A group's name up to its `>`.
    fn name(&mut self) -> Result<String, String> {
        let mut name = String::new();
        while let Some(char) = self.rest.next_if(|char| *char == '_' || char.is_alphanumeric()) {
            name.push(char);
        }
        let is_name = !name.is_empty() && !name.starts_with(|char: char| char.is_numeric());
        if self.rest.next() == Some('>') && is_name {
            Ok(name)
        } else {
            Err("the name of a group has letters, digits and _, and a > behind it".to_owned())
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(char) = self.rest.next() else { return Err("it ends with a \\".to_owned()) };
        match char {
            'b' | 'B' => self.out.extend(['\\', char]),
            'D' => self.out += "[^0-9]",
            'W' => self.out += "[^0-9A-Za-z_]",
            'S' => self.out += &format!("[^{SPACES}]"),
            'd' | 'w' | 's' => self.out += &format!("[{}]", set(char)),
            'k' => {
                if self.rest.next() != Some('<') {
                    return Err("\\k names a group: \\k<name>".to_owned());
                }
                let name = self.name()?;
                let _ = write!(self.out, "\\k<{name}>");
            }
            '1'..='9' => {
                let mut digits = String::from(char);
                while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                if digits.parse::<usize>().map_or(true, |group| group > self.groups) {
                    return Err(format!("\\{digits} is a group that there is not"));
                }
                let _ = write!(self.out, "(?:\\{digits})");
            }
            char => {
                let char = self.character(char)?;
                literal(char, &mut self.out);
            }
        }
        Ok(())
    }

    /// The character that an escape of one is, whose letter was taken.
    fn character(&mut self, letter: char) -> Result<char, String> {
        Ok(match letter {
            't' => '\t',
            'n' => '\n',
            'v' => '\u{B}',
            'f' => '\u{C}',
            'r' => '\r',
            '0' => '\0',
            'c' => match self.rest.next() {
                Some(char) if char.is_ascii_alphabetic() => char::from(char as u8 & 31),
                _ => return Err("\\c has a letter behind it".to_owned()),
            },
            'x' => self.hex(2).unwrap_or('x'),
            'u' => self.hex(4).unwrap_or('u'),
            char => char,
        })
    }

    /// So many hexadecimal digits. Where there are fewer, the letter before them is one.
    fn hex(&mut self, count: usize) -> Option<char> {
        let digits: String = self.rest.clone().take(count).collect();
        let is_hex = digits.len() == count && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let char = u32::from_str_radix(&digits, 16).ok().filter(|_| is_hex).and_then(char::from_u32)?;
        for _ in 0..count {
            self.rest.next();
        }
        Some(char)
    }

    /// A class, of which the bracket was taken.
    fn class(&mut self) -> Result<(), String> {
        let is_other = self.rest.next_if_eq(&'^').is_some();
        let (mut items, mut from) = (String::new(), None);
        loop {
            let Some(char) = self.rest.next() else { return Err("a [ is never closed".to_owned()) };
            if char == ']' {
                break;
            }
            // A range has a character at either end; a hyphen beside a set, or at an end, is a letter.
            let is_range = char == '-' && from.is_some() && self.rest.peek().is_some_and(|next| *next != ']');
            if is_range && let Some(low) = from.take() {
                let next = self.rest.next().unwrap_or('-');
                match self.item(next)? {
                    Item::Character(high) if low <= high => {
                        let _ = write!(items, "\\x{{{:X}}}-\\x{{{:X}}}", u32::from(low), u32::from(high));
                    }
                    Item::Character(high) => return Err(format!("the range {low}-{high} is upside down")),
                    Item::Set(set) => {
                        let _ = write!(items, "\\x{{{:X}}}\\x{{2D}}{set}", u32::from(low));
                    }
                }
                continue;
            }
            push(from.take(), &mut items);
            match self.item(char)? {
                Item::Character(char) => from = Some(char),
                Item::Set(set) => items += &set,
            }
        }
        push(from, &mut items);
        match (is_other, items.is_empty()) {
            (false, true) => self.out += r"[^\s\S]",
            (true, true) => self.out += r"[\s\S]",
            (false, false) => self.out += &format!("[{items}]"),
            (true, false) => self.out += &format!("[^{items}]"),
        }
        Ok(())
    }

    fn item(&mut self, char: char) -> Result<Item, String> {
        if char != '\\' {
            return Ok(Item::Character(char));
        }
        let Some(char) = self.rest.next() else { return Err("a [ is never closed".to_owned()) };
        Ok(match char {
            'd' | 'w' | 's' => Item::Set(set(char).to_owned()),
            'D' => Item::Set("[^0-9]".to_owned()),
            'W' => Item::Set("[^0-9A-Za-z_]".to_owned()),
            'S' => Item::Set(format!("[^{SPACES}]")),
            'b' => Item::Character('\u{8}'),
            char => Item::Character(self.character(char)?),
        })
    }
}

/// What stands in a class.
enum Item {
    Character(char),
    /// Several, as a class has them.
    Set(String),
}

/// What `\d`, `\w` and `\s` are, as a class has it.
const fn set(letter: char) -> &'static str {
    match letter {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        _ => SPACES,
    }
}

fn push(char: Option<char>, items: &mut String) {
    if let Some(char) = char {
        let _ = write!(items, "\\x{{{:X}}}", u32::from(char));
    }
}

/// A character that stands for itself.
fn literal(char: char, out: &mut String) {
    if char.is_alphanumeric() || matches!(char, ' ' | '_') {
        out.push(char);
    } else {
        push(Some(char), out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where something is found, and what its groups hold.
    type Found = Vec<Vec<Option<(usize, usize)>>>;

    fn found(expression: &str, text: &str) -> Result<Found, String> {
        let compiled = Expression::of_lines(expression, text.len())?;
        let spans = |captures: Captures<'_>| {
            captures.iter().map(|group| group.map(|group| (group.start(), group.end()))).collect()
        };
        let all = compiled.find_in(text).map(Result::unwrap);
        Ok(all.filter(|captures| !captures.get(0).unwrap().range().is_empty()).map(spans).collect())
    }

    /// The same by an engine that was made for JavaScript.
    fn found_by_another(expression: &str, text: &str) -> Result<Found, String> {
        let pattern = format!(r"^(?:{expression})[^\S\n]*$");
        let regex = regress::Regex::with_flags(&pattern, "m").map_err(|error| error.to_string())?;
        let spans = |found: regress::Match| {
            found.groups().map(|group| group.map(|group| (group.start, group.end))).collect()
        };
        // The engines differ in whether nothing at all is found right behind something: no event is nothing.
        Ok(regex.find_iter(text).filter(|found| !found.range().is_empty()).map(spans).collect())
    }

    #[test]
    fn expressions_say_what_they_say_in_javascript() {
        let text =
            "2026-03-01 a_1 {\"a\":1}\n{b}{2} x-y \u{a0}\nab12 [c] tab\there\naa abab $^ a{2}\n\\d é.*\n";
        for expression in [
            r"(?<host>\S*) (?<clock>{.*})",
            r"(?<date>\d{4}-\d\d-\d{2,}) (?<host>\w+) (?<clock>\{.*\})",
            r"{b}{2} (?<x>[a-z-]+)",
            r"[^]*?here",
            r"[]",
            r"(?:a|b)+[\d]+ \[c\] .*",
            r"ab\d{1,2} [[]c] tab\there",
            r"(a)\1 (?<two>ab)\k<two> [$]\^ a{2}?.*",
            r"(?=a)a+ (?!x).*",
            r".*(?<=he)re",
            r"\\d \u00e9\.\*",
            r"\x5cd \x.\.\*|\\d.*",
            r"[\w-.]+ [\w\-]+ [{].*",
            r"a{2} .*|aa.*",
            r"[\s\S]*",
            r"\cI|.*\t.*",
            r"a/*",
        ] {
            assert_eq!(
                found(expression, text).unwrap(),
                found_by_another(expression, text).unwrap(),
                "{expression}"
            );
        }
    }

    #[test]
    fn what_is_no_expression_is_told() {
        for (expression, expected) in [
            ("(", "Opening parenthesis"),
            ("a)(b", ""),
            ("*a", "nothing to repeat before '*'"),
            ("a++", "nothing to repeat before '+'"),
            ("a|{2}", "nothing to repeat before '{2}'"),
            ("(?P<host>a)", "(?P begins no group: a named group is (?<name>…)"),
            ("(?<1>a)", "the name of a group"),
            ("[a", "a [ is never closed"),
            ("[b-a]", "the range b-a is upside down"),
            ("(a)\\2", "\\2 is a group that there is not"),
            ("a\\", "it ends with a \\"),
            ("((a{1000}){1000}){1000}", "it is too large"),
        ] {
            let error = Expression::of_lines(expression, 0).unwrap_err();
            assert!(error.contains(expected), "{expression}: {error}");
        }
        assert!(Expression::of_lines(&"a".repeat(LONGEST + 1), 0).is_err());
    }

    #[test]
    fn what_hangs_elsewhere_ends_here() {
        let text = format!("{}\n", "x".repeat(60));
        assert_eq!(found("(x+x+)+y", &text), Ok(vec![]));
        // With a look ahead it cannot be matched in linear time.
        let compiled = Expression::of_lines("(?=x)((x+)(x+))+(?!z)y", text.len()).unwrap();
        assert!(compiled.find_in(&text).any(|found| found.is_err()));
    }

    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a", "b", "1", " ", ".", r"\d", r"\w", r"\S", r"\s", "[ab]", "[^a]", r"[\d-]", "{", "}", "-",
            r"\n", "é",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                two.clone().prop_map(|(a, b)| format!("{a}{b}")),
                two.prop_map(|(a, b)| format!("(?:{a}|{b})")),
                (inner.clone(), prop::sample::select(vec!["?", "*?", "{2}", "{1,2}", "+"]))
                    .prop_map(|(a, times)| format!("(?:[ab1 ]{a}){times}")),
                inner.prop_map(|a| format!("({a})")),
            ]
        })
    }

    proptest! {
        /// Groups that are repeated keep their last value here and lose it there, and the engines part where nothing at
        /// all is repeated: both are left out.
        #[test]
        fn random_expressions_find_what_another_engine_finds(
            expression in expression(), text in "[ab1 \\n{}é-]{0,24}",
        ) {
            let whole = |found: Found| found.into_iter().map(|groups| groups[0]).collect::<Vec<_>>();
            let (ours, theirs) = (found(&expression, &text), found_by_another(&expression, &text));
            prop_assert_eq!(ours.map(whole), theirs.map(whole));
        }
    }
}
