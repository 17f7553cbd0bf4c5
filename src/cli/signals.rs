//! SIGINT, SIGTERM and SIGHUP: the first ends the run in order, the second at once.

use std::fs;
use std::io;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::screen;
use crate::edge::control::Stopper;

/// A shell tells by 128 + its number that a signal ended a program.
const BASE: u8 = 128;

/// The signals that have come.
#[derive(Debug)]
pub(super) struct Signals {
    /// The exit code of the first; 0 while none has come.
    first: Arc<AtomicU8>,
}

impl Signals {
    /// From now on the first signal asks the run to stop and the second ends the process. A terminal that is hung
    /// up is one of them, unless who started the process wants it to be ignored, as `nohup` does; where somebody
    /// watches on that terminal there is nobody left to run for.
    pub(super) fn listen(stopper: Stopper, watches: bool) -> io::Result<Self> {
        let first = Arc::new(AtomicU8::new(0));
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        if watches || !is_ignored(SIGHUP) {
            signals.add_signal(SIGHUP)?;
        }
        let told = Arc::clone(&first);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in &mut signals {
                let code = BASE + u8::try_from(signal).unwrap_or(0);
                if told.swap(code, Ordering::SeqCst) != 0 {
                    screen::give_back();
                    process::exit(code.into());
                }
                stopper.stop();
            }
        })?;
        Ok(Self { first })
    }

    /// The exit code of a run that was ended early: by a signal, on its terminal, or since there was nothing to go
    /// on with.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.first.load(Ordering::SeqCst))
    }

    /// The same where all processes of a run were asked to stop: this one may hear of it a moment later, or never.
    pub(super) fn exit_code_of_processes(&self) -> ExitCode {
        match self.first.load(Ordering::SeqCst) {
            0 => ExitCode::from(BASE + u8::try_from(SIGTERM).unwrap_or(0)),
            first => ExitCode::from(first),
        }
    }
}

/// Whether the process was started with a signal ignored. Only Linux tells without further ado.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
