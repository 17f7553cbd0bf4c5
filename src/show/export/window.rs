//! The part of a run that is exported, and how it stays closed under causality at both of its ends.

use std::fmt;
use std::str::FromStr;

use crate::model::text::as_text;
use crate::model::time::{Nanos, ParseTimeError, WithUnit};

/// A part of a run, by time or by place in the causal order. An end that is not given is the run's.
///
/// Written `10s-20s`, from 10 s up to, not including, 20 s, or `events:100-199`, from the 100th to the 199th event
/// of the order in which all of them are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// From one time up to, not including, another.
    Time(Option<Nanos>, Option<Nanos>),
    /// From one event to another, both included, counted from 1.
    Events(Option<u64>, Option<u64>),
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseWindowError {
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

impl FromStr for Window {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let halves = |text: &str| match text.split_once('-') {
            Some((from, to)) if !(from.trim().is_empty() && to.trim().is_empty()) => {
                Ok((from.trim().to_owned(), to.trim().to_owned()))
            }
            _ => Err(ParseWindowError::Form),
        };
        if let Some(events) = text.trim().strip_prefix("events:") {
            let number = |text: &str| match text.parse() {
                _ if text.is_empty() => Ok(None),
                Ok(number) if number > 0 => Ok(Some(number)),
                _ => Err(ParseWindowError::Number),
            };
            let (from, to) = halves(events)?;
            let (from, to): (Option<u64>, Option<u64>) = (number(&from)?, number(&to)?);
            let is_empty = from.zip(to).is_some_and(|(from, to)| from > to);
            return if is_empty { Err(ParseWindowError::Empty) } else { Ok(Self::Events(from, to)) };
        }
        let time = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(|WithUnit(time)| Some(time)),
        };
        let (from, to) = halves(text)?;
        let (from, to) = (time(&from)?, time(&to)?);
        let is_empty = from.unwrap_or(Nanos::ZERO) >= to.unwrap_or(Nanos::new(u64::MAX));
        if is_empty { Err(ParseWindowError::Empty) } else { Ok(Self::Time(from, to)) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn range<T: fmt::Display>(f: &mut fmt::Formatter<'_>, from: Option<T>, to: Option<T>) -> fmt::Result {
            from.map_or(Ok(()), |from| write!(f, "{from}"))?;
            f.write_str("-")?;
            to.map_or(Ok(()), |to| write!(f, "{to}"))
        }
        match *self {
            Self::Time(from, to) => range(f, from, to),
            Self::Events(from, to) => {
                f.write_str("events:")?;
                range(f, from, to)
            }
        }
    }
}

as_text!(Window);

/// Where an event is: the events before a window are closed under causes, and so are they with those in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
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
    pub(super) fn part(&self, latest_cause: Part, elapsed: Nanos, place: u64) -> Part {
        let (has_begun, has_ended) = match *self {
            Self::Time(from, to) => {
                (from.is_none_or(|from| elapsed >= from), to.is_some_and(|to| elapsed >= to))
            }
            Self::Events(from, to) => {
                (from.is_none_or(|from| place >= from), to.is_some_and(|to| place > to))
            }
        };
        let own = match (has_begun, has_ended) {
            (_, true) => Part::After,
            (true, false) => Part::In,
            (false, false) => Part::Before,
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
        assert_eq!("0-1.5s".parse(), Ok(Window::Time(Some(Nanos::ZERO), Some(Nanos::new(1_500_000_000)))));
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
        assert_eq!([0, 1, 2].map(|secs| part(Part::Before, secs)), [Part::Before, Part::In, Part::After]);
        assert_eq!([0, 1, 2].map(|secs| part(Part::In, secs)), [Part::In, Part::In, Part::After]);
        assert_eq!([0, 1, 2].map(|secs| part(Part::After, secs)), [Part::After; 3]);
    }
}
