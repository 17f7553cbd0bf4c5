//! How a log is cut into events: by a regular expression in its first line, or by one of two defaults.
//!
//! The expressions are JavaScript's, in which ShiViz reads them.

use super::TraceError;
use super::expression::Expression;

/// What ShiViz reads a log with that says nothing else: the text first.
const TEXT_FIRST: &str = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})";
/// As GoVector writes its logs: the clock first.
const CLOCK_FIRST: &str = r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)";
/// The groups that an expression must have.
const GROUPS: [&str; 3] = ["(?<event>", "(?<host>", "(?<clock>"];

/// The name of the group that has what the log says of an event.
pub(super) fn said() -> &'static str {
    GROUPS[0].trim_start_matches("(?<").trim_end_matches('>')
}

/// How a file is cut, and where its events begin.
#[derive(Debug)]
pub(super) struct Pattern {
    /// As it is written.
    pub(super) expression: String,
    pub(super) event: Expression,
    /// What parts several runs.
    pub(super) delimiter: Option<(String, Expression)>,
    /// How many bytes and lines the expressions take at the file's beginning.
    pub(super) header: (usize, u64),
}

impl Pattern {
    /// The expression in the first line, with what parts several runs in the second; the default otherwise.
    pub(super) fn of(text: &str, file: &str) -> Result<Self, TraceError> {
        let mut lines = text.split_inclusive('\n');
        let (first, second) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        if !GROUPS.iter().any(|group| first.contains(group)) {
            let expression = if is_clock(first) { CLOCK_FIRST } else { TEXT_FIRST };
            let event = compile(expression, text, file, 1)?;
            return Ok(Self { expression: expression.to_owned(), event, delimiter: None, header: (0, 0) });
        }
        let expression = first.trim();
        if let Some(missing) = GROUPS.iter().find(|group| !expression.contains(**group)) {
            return Err(TraceError::Expression {
                file: file.to_owned(),
                line: 1,
                expression: expression.to_owned(),
                reason: format!(
                    "expected groups (?<event>…), (?<host>…) and (?<clock>…), and {missing}…) is missing"
                ),
            });
        }
        let delimiter = match second.trim() {
            "" => None,
            second => Some((second.to_owned(), compile(second, text, file, 2)?)),
        };
        let event = compile(expression, text, file, 1)?;
        Ok(Self {
            expression: expression.to_owned(),
            event,
            delimiter,
            header: (first.len() + second.len(), 2),
        })
    }
}

/// Whether a line is a host and its clock.
fn is_clock(line: &str) -> bool {
    let clock = line.trim().split_once(' ').map(|(_, clock)| clock);
    clock.is_some_and(|clock| clock.starts_with("{\"") || clock.starts_with("{\\\""))
}

fn compile(expression: &str, text: &str, file: &str, line: u64) -> Result<Expression, TraceError> {
    Expression::of_lines(expression, text.len()).map_err(|reason| TraceError::Expression {
        file: file.to_owned(),
        line,
        expression: expression.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_expression_the_order_of_text_and_clock_is_seen_from_the_first_line() {
        assert_eq!(Pattern::of("a {\"a\":1}\nstart\n", "x").unwrap().expression, CLOCK_FIRST);
        assert_eq!(Pattern::of("start\na {\"a\":1}\n", "x").unwrap().expression, TEXT_FIRST);
        assert_eq!(Pattern::of("", "x").unwrap().header, (0, 0));
    }

    #[test]
    fn the_first_two_lines_may_be_expressions() {
        let pattern =
            Pattern::of("(?<host>\\w+) (?<clock>{.*}) (?<event>.*)\n=== (?<trace>.*) ===\nrest", "x");
        let pattern = pattern.unwrap();
        assert_eq!(pattern.header, (62, 2));
        assert!(pattern.delimiter.is_some());
    }

    #[test]
    fn expressions_that_cannot_be_are_told() {
        let error = |text: &str| Pattern::of(text, "x.log").unwrap_err().to_string();
        assert_eq!(
            error("(?<host>a) (?<event>b)\n\n"),
            "x.log:1: found the expression '(?<host>a) (?<event>b)': expected groups (?<event>…), (?<host>…) and \
             (?<clock>…), and (?<clock>…) is missing"
        );
        assert!(error("(?<host>a) (?<event>b) (?<clock>c\n\n").starts_with("x.log:1: found the expression"));
        assert!(
            error("(?<host>a) (?<event>b) (?<clock>c)\n(\n").starts_with("x.log:2: found the expression '('")
        );
    }
}
