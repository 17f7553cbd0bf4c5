//! Windows of time, as every setting and command writes them.

use std::fmt;
use std::str::FromStr;

use super::{Nanos, ParseTimeError, WithUnit};
use crate::model::text::as_text;

/// From one time up to, not including, another, both counted from the run's start. An end that is left out is the run's.
///
/// Written `10s-20s`, `10s-` or `-20s`: each end has its unit, since `10-20s` could mean two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    from: Option<Nanos>,
    to: Option<Nanos>,
}

impl TimeWindow {
    /// All of a run.
    pub const WHOLE: Self = Self { from: None, to: None };

    /// The first time in it; the run's start where it names none.
    pub fn start(self) -> Nanos {
        self.from.unwrap_or(Nanos::ZERO)
    }

    /// Where it ends, itself not in it; beyond all times where that is left out.
    pub fn end(self) -> Nanos {
        self.to.unwrap_or(Nanos::new(u64::MAX))
    }

    /// Whether both of its ends were given.
    pub const fn is_closed(self) -> bool {
        self.from.is_some() && self.to.is_some()
    }

    /// Whether a time is in it. Its end is not: of two windows that meet, each time is in one.
    pub fn has(self, time: Nanos) -> bool {
        debug_assert!(self.start() < self.end(), "an empty window is refused where it is read");
        self.start() <= time && time < self.end()
    }
}

/// Why a text is no window of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTimeWindowError {
    /// There is no `-`, or nothing on both of its sides.
    #[error("a window of time is START-END, such as 10s-20s, 10s- or -20s")]
    Form,
    /// One of its ends is no time.
    #[error(transparent)]
    Time(#[from] ParseTimeError),
    /// Nothing is in it.
    #[error("a window ends after it begins")]
    Empty,
}

impl FromStr for TimeWindow {
    type Err = ParseTimeWindowError;

    fn from_str(text: &str) -> Result<Self, ParseTimeWindowError> {
        let (from, to) = text.split_once('-').ok_or(ParseTimeWindowError::Form)?;
        let time = |text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(|WithUnit(time)| Some(time)),
        };
        let window = Self { from: time(from)?, to: time(to)? };
        if window == Self::WHOLE {
            return Err(ParseTimeWindowError::Form);
        }
        if window.start() < window.end() { Ok(window) } else { Err(ParseTimeWindowError::Empty) }
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.from.map_or(Ok(()), |from| write!(f, "{from}"))?;
        f.write_str("-")?;
        self.to.map_or(Ok(()), |to| write!(f, "{to}"))
    }
}

as_text!(TimeWindow);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_written_as_it_is_read() {
        for text in ["10s-20s", "500ms-", "-20s"] {
            assert_eq!(text.parse::<TimeWindow>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn its_start_is_in_it_and_its_end_is_not() {
        let window: TimeWindow = "1s-2s".parse().unwrap();
        let has = |nanos| window.has(Nanos::new(nanos));
        assert!(has(1_000_000_000) && has(1_999_999_999) && !has(999_999_999) && !has(2_000_000_000));
        assert!(TimeWindow::WHOLE.has(Nanos::ZERO) && !TimeWindow::WHOLE.is_closed());
    }

    #[test]
    fn what_is_no_window_is_told_why() {
        use ParseTimeWindowError::{Empty, Form, Time};
        for (text, error) in [
            ("", Form),
            ("-", Form),
            ("10s", Form),
            ("2s-1s", Empty),
            ("2s-2s", Empty),
            ("-0s", Empty),
            ("1s-2x", Time(ParseTimeError::Form)),
            ("10-20", Time(ParseTimeError::NoUnit { number: "10".into() })),
        ] {
            assert_eq!(text.parse::<TimeWindow>(), Err(error), "{text}");
        }
    }
}
