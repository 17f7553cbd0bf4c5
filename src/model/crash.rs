//! Crashes: windows of time in which a machine is down.
//!
//! A machine that is down makes no event, and whatever waits for it or arrives is lost with its memory. Its clocks and
//! the numbers of its events are as on a disk: it goes on with them when the window ends (the crash-recovery model, as
//! in Cachin, Guerraoui and Rodrigues 2011, section 2.2.4).

mod uptime;

use std::fmt;
use std::str::FromStr;

pub use uptime::Uptime;

use crate::model::id::{ParseVmIdError, VmId};
use crate::model::text::as_text;
use crate::model::time::{ParseTimeError, ParseTimeWindowError, TimeWindow};

/// A machine is down in a window: ticks due at its start are not made, those due at its end are.
///
/// Written `20s-30s:1`: the window, then the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    window: TimeWindow,
    vm: VmId,
}

impl Crash {
    /// When the machine is down.
    pub const fn window(self) -> TimeWindow {
        self.window
    }

    /// The machine that is.
    pub const fn vm(self) -> VmId {
        self.vm
    }

    /// Whether another crash of the same machine begins before this one has ended, or the other way round.
    pub fn overlaps(self, other: Self) -> bool {
        let (own, others) = (self.window, other.window);
        self.vm == other.vm && own.start() < others.end() && others.start() < own.end()
    }

    /// The windows of one machine, the earliest first.
    pub fn windows_of(crashes: &[Self], vm: VmId) -> Vec<TimeWindow> {
        let own = crashes.iter().filter(|crash| crash.vm == vm);
        let mut windows: Vec<TimeWindow> = own.map(|crash| crash.window).collect();
        windows.sort_unstable_by_key(|window| window.start());
        windows
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.window, self.vm)
    }
}

/// Why a text is no crash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCrashError {
    /// It has another form.
    #[error("a crash is START-END:MACHINE, such as 20s-30s:1")]
    Form,
    /// A time of its window is none.
    #[error("a crash is START-END:MACHINE, such as 20s-30s:1; {0}")]
    Time(#[from] ParseTimeError),
    /// Its window ends before it starts.
    #[error("a crash ends after it starts")]
    Window,
    /// Its machine is none.
    #[error("a crash is START-END:MACHINE, such as 20s-30s:1, with one machine; {0}")]
    Machine(#[from] ParseVmIdError),
}

impl From<ParseTimeWindowError> for ParseCrashError {
    fn from(error: ParseTimeWindowError) -> Self {
        match error {
            ParseTimeWindowError::Form => Self::Form,
            ParseTimeWindowError::Time(error) => Self::Time(error),
            ParseTimeWindowError::Empty => Self::Window,
        }
    }
}

impl FromStr for Crash {
    type Err = ParseCrashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (window, vm) = text.split_once(':').ok_or(ParseCrashError::Form)?;
        let window: TimeWindow = window.parse()?;
        // A machine that never comes back, or was never there, is another thing than one that crashes.
        if !window.is_closed() {
            return Err(ParseCrashError::Form);
        }
        Ok(Self { window, vm: vm.trim().parse()? })
    }
}

as_text!(Crash);

#[cfg(test)]
mod tests {
    use super::*;

    fn crash(text: &str) -> Crash {
        text.parse().unwrap()
    }

    #[test]
    fn is_written_as_it_is_read() {
        for text in ["20s-30s:1", "0s-500ms:7"] {
            assert_eq!(crash(text).to_string(), text);
        }
    }

    #[test]
    fn windows_of_one_machine_may_meet_and_not_overlap() {
        let check = |one: &str, other: &str, overlaps| {
            assert_eq!(crash(one).overlaps(crash(other)), overlaps, "{one} and {other}");
            assert_eq!(crash(other).overlaps(crash(one)), overlaps, "{other} and {one}");
        };
        check("1s-3s:0", "2s-4s:0", true);
        check("1s-9s:0", "2s-4s:0", true);
        check("1s-2s:0", "1s-2s:0", true);
        check("1s-2s:0", "2s-4s:0", false);
        check("1s-3s:0", "2s-4s:1", false);
        let all = ["5s-6s:1", "1s-2s:1", "3s-9s:0"].map(crash);
        let starts: Vec<u64> =
            Crash::windows_of(&all, VmId(1)).iter().map(|window| window.start().split().0).collect();
        assert_eq!(starts, [1, 5]);
    }

    #[test]
    fn refuses_the_rest() {
        let check = |text: &str, error| assert_eq!(text.parse::<Crash>(), Err(error), "{text}");
        check("", ParseCrashError::Form);
        check("20s-30s", ParseCrashError::Form);
        check("20s:1", ParseCrashError::Form);
        check("20s-:1", ParseCrashError::Form);
        check("-30s:1", ParseCrashError::Form);
        check("30s-20s:1", ParseCrashError::Window);
        check("2s-2s:1", ParseCrashError::Window);
        check("x-2s:1", ParseTimeError::Form.into());
        check("20-30:1", ParseTimeError::NoUnit { number: "20".into() }.into());
        for text in ["1s-2s:", "1s-2s:a", "1s-2s:-1", "1s-2s:0,1", "1s-2s:0/1", "1s-2s:4294967296"] {
            check(text, ParseVmIdError.into());
        }
    }
}
