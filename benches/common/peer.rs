//! The other process of a bench that needs two: the bench starts itself again.

#![allow(unreachable_pub, reason = "a module of a bench")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Says which part the process that was started again plays.
const PART: &str = "CLOCKLAB_BENCH_PART";
/// The core on which the processes run that this one starts; any where there is none.
const CORE: &str = "CLOCKLAB_BENCH_CORE";

/// A process that plays a part of the bench, and talks in lines.
pub struct Peer {
    child: Child,
    /// It ends when it hears no more.
    talk: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts one; the words say which part it plays.
    pub fn start(words: &[&str]) -> Self {
        Self::launch(words, env::var(CORE).ok().as_deref(), None)
    }

    /// Starts one that runs on the first of these cores, and the processes that it starts on the second one.
    pub fn start_on(cores: (&str, &str), words: &[&str]) -> Self {
        Self::launch(words, Some(cores.0), Some(cores.1))
    }

    fn launch(words: &[&str], core: Option<&str>, next: Option<&str>) -> Self {
        let bench = env::current_exe().expect("a bench has a file");
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", core]).arg(bench);
                command
            }
            None => Command::new(bench),
        };
        if let Some(next) = next {
            command.env(CORE, next);
        }
        command.env(PART, words.join(" ")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process can be started");
        let (talk, hear) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        Self { child, talk, hear: BufReader::new(hear) }
    }

    /// The next line that it says.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.hear.read_line(&mut line).expect("the peer lives");
        assert!(line.ends_with('\n'), "the peer has ended");
        line.trim_end().to_owned()
    }

    /// Tells it that all is over.
    pub fn release(&mut self) {
        self.talk = None;
    }

    /// Waits until it has ended well.
    pub fn end(&mut self) {
        self.release();
        let status = self.child.wait().expect("the peer is a child");
        assert!(status.success(), "the peer has failed");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The words of this process's part; none in the one that measures.
pub fn part() -> Option<Vec<String>> {
    Some(env::var(PART).ok()?.split(' ').map(str::to_owned).collect())
}

/// Says a line to the process that measures.
pub fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody hears it");
}

/// Waits until the process that measures needs this one no more.
pub fn wait_for_release() {
    let _ = std::io::stdin().lines().count();
}
