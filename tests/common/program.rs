//! The program itself, started as a person starts it, and what a test waits for and demands of it.

use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// The program in a folder.
pub fn clocklab(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(folder.path()).args(args).stdin(Stdio::null());
    command
}

pub fn empty_folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Demands an exit code, and gives what was printed as results and as messages.
#[track_caller]
pub fn assert_code(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    (out, err)
}

/// The lines of what a run has said, without those that tell how fast this machine is: for whom the start had to wait,
/// and how late ticks were.
pub fn news(said: &str) -> Vec<&str> {
    let words = ["no machine", "did not keep its rate of ", "more machines like that"];
    let is_of_speed =
        |line: &str| line.starts_with("waiting for node ") || words.iter().any(|words| line.contains(words));
    said.lines().filter(|line| !is_of_speed(line)).collect()
}

/// Waits for something that another process is about to do.
#[track_caller]
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if happened() {
            return;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    panic!("waited for a minute: {what}");
}
