//! `--tui` through the real program: a terminal is taken, given back whatever happens, and the run is what it is
//! without it. `script` lends the terminal.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use crate::common::Run;
use crate::wants::{self, SCRIPT};

wants::wanting!(SCRIPT:
    the_view_is_left_at_the_end_of_the_run_and_the_summary_stands_alone,
    q_and_ctrl_c_end_the_run_in_order,
    signals_end_the_run_in_order_and_give_the_terminal_back,
    d_leaves_the_view_and_the_run_goes_on_with_its_bar,
    whoever_stops_the_process_has_the_terminal_meanwhile,
    a_run_that_fails_gives_the_terminal_back_and_tells_why,
    several_runs_are_watched_one_after_the_other,
    on_a_terminal_there_is_a_progress_bar,
);

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// A program on a terminal of its own.
struct OnTerminal {
    folder: Arc<TempDir>,
    script: Child,
    keys: ChildStdin,
    /// All that the terminal was sent.
    sent: Arc<Mutex<Vec<u8>>>,
    /// Ends when no more will be sent.
    reader: Option<JoinHandle<()>>,
}

impl OnTerminal {
    /// Runs the program with its summary in a file, between two looks at the terminal's modes.
    fn start(before: &str, args: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_clocklab");
        let command = format!(
            "stty -g >before; {before} sh -c 'echo $$ >pid; exec {program} --tui {args}' >summary.txt; \
             code=$?; stty -g >after; exit $code"
        );
        let mut script = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(folder.path())
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let sent = Arc::<Mutex<Vec<u8>>>::default();
        let (mut output, kept) = (script.stdout.take().unwrap(), Arc::clone(&sent));
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                kept.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        let keys = script.stdin.take().unwrap();
        Self { folder: Arc::new(folder), script, keys, sent, reader: Some(reader) }
    }

    /// The same with a long run, once its machines are seen.
    fn start_long(args: &str) -> Self {
        let terminal = Self::start("", &format!("--duration 600s --rates 20 {args}"));
        terminal.wait_until("machines", |sent| sent.contains("rate/s") && sent.contains("●"));
        terminal
    }

    fn sent(&self) -> String {
        String::from_utf8_lossy(&self.sent.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn wait_until(&self, what: &str, mut happened: impl FnMut(&str) -> bool) {
        for _ in 0..12_000 {
            if happened(&self.sent()) {
                return;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        panic!("waited for a minute: {what}: {}", self.sent());
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.folder.path().join("pid")).unwrap().trim().to_owned()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid()]).status().unwrap().success());
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// Waits for the end, and looks whether the terminal is as it was.
    #[track_caller]
    fn wait(&mut self) -> (String, Option<i32>) {
        let ended = self.script.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let sent = self.sent();
        let count = |part: &str| sent.matches(part).count();
        assert!(count(ENTER) > 0, "{sent}");
        assert_eq!(count(ENTER), count(LEAVE), "{sent}");
        assert!(sent.rfind(SHOW_CURSOR) > sent.rfind(HIDE_CURSOR), "{sent}");
        assert!(sent.rfind(LEAVE) > sent.rfind(ENTER), "{sent}");
        let modes = |name| fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert_eq!(modes("before"), modes("after"));
        (sent, ended.code())
    }

    /// The same, and what the run has come to.
    #[track_caller]
    fn assert_ends(mut self, code: i32, status: &str) -> (String, Arc<TempDir>) {
        let (sent, ended) = self.wait();
        assert_eq!(ended, Some(code), "{sent}");
        let run = Run::read(&self.output());
        assert_eq!(run.status(), status);
        run.assert_sound();
        (sent, Arc::clone(&self.folder))
    }
}

/// A test that fails leaves no run behind.
impl Drop for OnTerminal {
    fn drop(&mut self) {
        if let Ok(None) = self.script.try_wait() {
            // It may have failed before there was a process to kill.
            let pid = fs::read_to_string(self.folder.path().join("pid")).unwrap_or_default();
            let _ = Command::new("kill").args(["-s", "KILL", pid.trim()]).status();
            let _ = self.script.kill();
            let _ = self.script.wait();
        }
    }
}

fn summary(folder: &Path) -> String {
    fs::read_to_string(folder.join("summary.txt")).unwrap()
}

fn the_view_is_left_at_the_end_of_the_run_and_the_summary_stands_alone() {
    let terminal = OnTerminal::start("", "--duration 900ms --rates 20 --seed 7");
    let (sent, folder) = terminal.assert_ends(0, "complete");
    assert!(sent.contains("clocklab") && sent.contains("rate/s"), "{sent}");
    let summary = summary(folder.path());
    assert!(summary.starts_with("3 machines, 0.9 s, seed 7: complete\n"), "{summary}");
    assert!(!summary.contains('\x1b'), "{summary}");
}

fn q_and_ctrl_c_end_the_run_in_order() {
    for key in ["q", "\x03"] {
        let mut terminal = OnTerminal::start_long("");
        terminal.press(key);
        let (sent, folder) = terminal.assert_ends(130, "interrupted");
        let left = sent.rfind(LEAVE).unwrap();
        assert!(sent[left..].contains("Interrupted after"), "{sent}");
        assert!(summary(folder.path()).contains("interrupted"));
    }
}

fn signals_end_the_run_in_order_and_give_the_terminal_back() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let terminal = OnTerminal::start_long("");
        terminal.signal(name);
        terminal.assert_ends(code, "interrupted");
    }
}

fn d_leaves_the_view_and_the_run_goes_on_with_its_bar() {
    let mut terminal = OnTerminal::start_long("");
    terminal.press("d");
    terminal.wait_until("the bar", |sent| {
        sent.rfind(LEAVE).is_some_and(|left| sent[left..].contains("longest queue"))
    });
    terminal.signal("TERM");
    terminal.assert_ends(143, "interrupted");
}

fn whoever_stops_the_process_has_the_terminal_meanwhile() {
    let mut terminal = OnTerminal::start_long("");
    let is_stopped = |pid: &str| {
        let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T')
    };
    if !Path::new("/proc/self/stat").exists() {
        return;
    }
    for round in 1..=2 {
        // Ctrl+Z, and the signal itself.
        match round {
            1 => terminal.press("\x1a"),
            _ => terminal.signal("TSTP"),
        }
        let pid = terminal.pid();
        // What it wrote before it stopped may still be on its way.
        terminal.wait_until("it to stop and the terminal to be back", |sent| {
            is_stopped(&pid) && sent.matches(LEAVE).count() == round
        });
        terminal.signal("CONT");
        terminal.wait_until("it to go on", |sent| sent.matches(ENTER).count() == round + 1);
    }
    terminal.press("q");
    terminal.assert_ends(130, "interrupted");
}

/// A limit on the size of files stands in for a full disk.
fn a_run_that_fails_gives_the_terminal_back_and_tells_why() {
    let limited = "trap \"\" XFSZ; ulimit -f 8;";
    let terminal = OnTerminal::start(limited, "--rates 200,5,5 --duration 600s");
    let (sent, _folder) = terminal.assert_ends(1, "failed");
    let left = sent.rfind(LEAVE).unwrap();
    assert!(sent[left..].contains("error: cannot write output/vm_0_200.csv"), "{sent}");
}

fn several_runs_are_watched_one_after_the_other() {
    let mut terminal = OnTerminal::start("", "--runs 2 --duration 400ms --rates 20");
    let folder = Arc::clone(&terminal.folder);
    let (_, code) = terminal.wait();
    assert_eq!(code, Some(0));
    assert!(summary(folder.path()).starts_with("2 runs of 3 machines"));
}

/// On a terminal the bar is drawn on stderr, and stdout has the summary alone. `script` lends a terminal.
fn on_a_terminal_there_is_a_progress_bar() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("{} --duration 700ms >summary.txt", env!("CARGO_BIN_EXE_clocklab"));
    let mut script = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder.path())
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut terminal = Vec::new();
    script.stdout.take().unwrap().read_to_end(&mut terminal).unwrap();
    assert!(script.wait().unwrap().success());
    let terminal = String::from_utf8_lossy(&terminal);
    assert!(terminal.contains("events") && terminal.contains("longest queue"), "{terminal}");
    let summary = fs::read_to_string(folder.path().join("summary.txt")).unwrap();
    assert!(summary.starts_with("3 machines, 0.7 s") && !summary.contains("longest queue"), "{summary}");
}
