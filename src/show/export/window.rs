//! The part of a run that is exported, and how it stays closed under causality at both of its ends.

use std::fmt;
use std::str::FromStr;

use crate::model::text::as_text;
use crate::model::time::{Nanos, ParseTimeError, ParseTimeWindowError, TimeWindow};

/// A part of a run, by time or by place in the causal order. An end that is not given is the run's.
///
/// Written as a [`TimeWindow`], or `events:100-199`, from the 100th to the 199th event
/// of the order in which all of them are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// What happened in a window of time.
    Time(TimeWindow),
    /// From one event to another, both included, counted from 1.
    Events(Option<u64>, Option<u64>),
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseWindowError {
    /// It has another form.
    #[error(
        "a window is START-END in time, such as 10s-20s or 10s-, or events:FIRST-LAST, such as events:1-500"
    )]
    Form,
    /// A time in it is none.
    #[error(transparent)]
    Time(#[from] ParseTimeError),
    /// A number in it is none.
    #[error("events are counted 1, 2, 3, …")]
    Number,
    /// Nothing is in it.
    #[error("a window ends after it begins")]
    Empty,
}

impl From<ParseTimeWindowError> for ParseWindowError {
    fn from(error: ParseTimeWindowError) -> Self {
        match error {
            ParseTimeWindowError::Form => Self::Form,
            ParseTimeWindowError::Time(error) => Self::Time(error),
            ParseTimeWindowError::Empty => Self::Empty,
        }
    }
}

impl FromStr for Window {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(events) = text.trim().strip_prefix("events:") else {
            return Ok(Self::Time(text.parse()?));
        };
        let (from, to) = events.split_once('-').ok_or(ParseWindowError::Form)?;
        let number = |text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse().ok().filter(|number| *number > 0).map(Some).ok_or(ParseWindowError::Number),
        };
        match (number(from)?, number(to)?) {
            (None, None) => Err(ParseWindowError::Form),
            (Some(from), Some(to)) if from > to => Err(ParseWindowError::Empty),
            (from, to) => Ok(Self::Events(from, to)),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Time(window) => window.fmt(f),
            Self::Events(from, to) => {
                f.write_str("events:")?;
                from.map_or(Ok(()), |from| write!(f, "{from}"))?;
                f.write_str("-")?;
                to.map_or(Ok(()), |to| write!(f, "{to}"))
            }
        }
    }
}

as_text!(Window);

/// Where an event is: the events before a window are closed under causes, and so are they with those in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WindowPart {
    #[default]
    Before,
    In,
    After,
}

impl Window {
    /// The part of an event, given that of its latest cause, its time, and its place in the causal order.
    ///
    /// Machines' times may be of several clocks, so that a message seems to be received before it was sent: what
    /// depends on an event is never in an earlier part than that. Places are in an order that has this already.
    pub(super) fn part(&self, latest_cause: WindowPart, elapsed: Nanos, place: u64) -> WindowPart {
        let (has_begun, has_ended) = match *self {
            Self::Time(window) => (elapsed >= window.start(), elapsed >= window.end()),
            Self::Events(from, to) => {
                (from.is_none_or(|from| place >= from), to.is_some_and(|to| place > to))
            }
        };
        let own = match (has_begun, has_ended) {
            (_, true) => WindowPart::After,
            (true, false) => WindowPart::In,
            (false, false) => WindowPart::Before,
        };
        own.max(latest_cause)
    }

    /// Whether nothing that comes after so many events can be in it.
    pub(super) fn is_over(&self, places: u64) -> bool {
        matches!(*self, Self::Events(_, Some(to)) if places >= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_written_as_it_is_read() {
        for text in ["10s-20s", "500ms-", "-20s", "events:1-500", "events:7-7", "events:-9", "events:9-"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        assert!(
            matches!("0-1.5s".parse(), Ok(Window::Time(window)) if window.end() == Nanos::new(1_500_000_000))
        );
    }

    #[test]
    fn what_is_no_window_is_told_why() {
        use ParseWindowError::{Empty, Form, Number, Time};
        for (text, error) in [
            ("", Form),
            ("-", Form),
            ("10s", Form),
            ("events:", Form),
            ("events:-", Form),
            ("events:0-4", Number),
            ("events:a-4", Number),
            ("events:5-4", Empty),
            ("2s-1s", Empty),
            ("2s-2s", Empty),
            ("-0s", Empty),
            ("1s-2x", Time(ParseTimeError::Form)),
            ("10-20", Time(ParseTimeError::NoUnit { number: "10".into() })),
        ] {
            assert_eq!(text.parse::<Window>(), Err(error), "{text}");
        }
    }

    #[test]
    fn an_effect_is_never_in_an_earlier_part_than_its_cause() {
        let window: Window = "1s-2s".parse().unwrap();
        let part = |cause, secs| window.part(cause, Nanos::from_secs(secs), 1);
        assert_eq!(
            [0, 1, 2].map(|secs| part(WindowPart::Before, secs)),
            [WindowPart::Before, WindowPart::In, WindowPart::After]
        );
        assert_eq!(
            [0, 1, 2].map(|secs| part(WindowPart::In, secs)),
            [WindowPart::In, WindowPart::In, WindowPart::After]
        );
        assert_eq!([0, 1, 2].map(|secs| part(WindowPart::After, secs)), [WindowPart::After; 3]);
    }
}
