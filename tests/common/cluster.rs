//! A distributed run of real processes on this machine: where they listen and by which addresses they know each
//! other, and how a test starts them, kills them and waits for what they do.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]
#![allow(clippy::print_stderr, reason = "a test that fails tells what the processes said")]

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::program::wait_until;
use super::{BridgeRow, Run, bridge_rows, is_log, names};

/// A port of this machine that is nobody else's as long as this lives: it is bound and does not listen, and a
/// process that is given it may listen there, die, and listen again.
pub struct Port {
    _place: TcpSocket,
    pub address: SocketAddr,
}

impl Port {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Sockets that do not listen share a port if all of them say so.
        socket.set_reuseaddr(true).unwrap();
        // At all addresses: a process that listens at all of them would otherwise answer for another's port.
        socket.bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self { _place: socket, address: (Ipv4Addr::LOCALHOST, port).into() }
    }
}

/// The processes of a run, by number, each with a folder of its own.
pub struct Cluster {
    pub folder: TempDir,
    pub ports: Vec<Port>,
    /// The addresses of all nodes, as the others know them.
    pub list: Vec<String>,
    args: Vec<String>,
}

/// A process, which is killed when it is dropped.
pub struct Node {
    child: Child,
    number: usize,
    errors: PathBuf,
}

impl Cluster {
    /// So many nodes with these settings.
    pub fn new(nodes: usize, args: &str) -> Self {
        let ports: Vec<Port> = (0..nodes).map(|_| Port::new()).collect();
        let list = ports.iter().map(|port| port.address.to_string()).collect();
        let args = args.split_whitespace().map(str::to_owned).collect();
        Self { folder: tempfile::tempdir().unwrap(), ports, list, args }
    }

    /// The folder of a node's logs.
    pub fn output(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("o{node}"))
    }

    pub fn outputs(&self) -> Vec<PathBuf> {
        (0..self.ports.len()).map(|node| self.output(node)).collect()
    }

    /// The command of a node, with further flags.
    pub fn command(&self, node: usize, more: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.args(["--nodes", &self.list.join(","), "--node", &node.to_string()]);
        command.args(["--listen", &self.ports[node].address.to_string(), "--output", &format!("o{node}")]);
        command.args(&self.args).args(more.split_whitespace());
        command
    }

    pub fn start(&self, node: usize) -> Node {
        self.start_with(node, "")
    }

    pub fn start_with(&self, node: usize, more: &str) -> Node {
        self.spawn(node, self.command(node, more))
    }

    /// Starts a command as a node. What it says goes to files.
    pub fn spawn(&self, node: usize, mut command: Command) -> Node {
        let mut number = 0;
        let errors = loop {
            let path = self.folder.path().join(format!("errors_{node}_{number}"));
            if !path.exists() {
                break path;
            }
            number += 1;
        };
        let file = File::create(&errors).unwrap();
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Node { child, number: node, errors }
    }

    pub fn start_all(&self) -> Vec<Node> {
        (0..self.ports.len()).map(|node| self.start(node)).collect()
    }

    /// Starts all nodes, and waits until each of them has made some events.
    pub fn start_all_and_run(&self) -> Vec<Node> {
        self.start_all_and_run_with("")
    }

    pub fn start_all_and_run_with(&self, more: &str) -> Vec<Node> {
        let nodes: Vec<Node> = (0..self.ports.len()).map(|node| self.start_with(node, more)).collect();
        (0..nodes.len()).for_each(|node| self.wait_for_events(node, 30));
        nodes
    }

    /// How many events a node has logged.
    pub fn events(&self, node: usize) -> usize {
        let folder = self.output(node);
        if !folder.exists() {
            return 0;
        }
        let logs = names(&folder).into_iter().filter(|name| is_log(name));
        let lines = |name| fs::read(folder.join(name)).unwrap().iter().filter(|byte| **byte == b'\n').count();
        logs.map(|name| lines(name).saturating_sub(1)).sum()
    }

    /// Waits until a node has logged so many more events.
    #[track_caller]
    pub fn wait_for_events(&self, node: usize, more: usize) {
        let before = self.events(node);
        wait_until("more events", || self.events(node) >= before + more);
    }

    /// The rows of a node's bridge of one kind and about one other node.
    pub fn bridge(&self, node: usize, what: &str, peer: Option<usize>) -> Vec<BridgeRow> {
        let mut rows = bridge_rows(&self.output(node), u32::try_from(node).unwrap());
        rows.retain(|row| row.what == what && row.peer.map(|peer| peer as usize) == peer);
        rows
    }

    /// Waits until a node's bridge has logged something about another one, and gives the latest reason.
    #[track_caller]
    pub fn wait_for_bridge(&self, node: usize, what: &str, peer: Option<usize>) -> String {
        wait_until(what, || !self.bridge(node, what, peer).is_empty());
        self.bridge(node, what, peer).pop().unwrap().reason
    }

    /// The logs of all nodes as those of one run.
    pub fn run(&self) -> Run {
        Run::read_all(&self.outputs())
    }

    /// Demands that all nodes were complete and that the logs are sound together, with a summary and a manifest
    /// that fit them.
    pub fn assert_sound(&self) -> Run {
        for output in self.outputs() {
            let part = Run::read(&output);
            assert_eq!(part.status(), "complete", "{}", output.display());
            part.assert_manifest(&output);
        }
        let run = self.run();
        run.assert_sound();
        run.assert_summary_rows();
        let check = Command::new(env!("CARGO_BIN_EXE_clocklab")).arg("check").args(self.outputs()).output();
        let check = check.unwrap();
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
        run
    }

    /// Demands that nothing was lost either, between any two nodes.
    pub fn assert_whole(&self) -> Run {
        let run = self.assert_sound();
        run.assert_summary();
        run.assert_links_lost_nothing();
        run
    }

    /// A log of a machine of a node.
    pub fn a_log(&self, node: usize) -> PathBuf {
        let folder = self.output(node);
        let name = names(&folder).into_iter().find(|name| is_log(name)).unwrap();
        folder.join(name)
    }

    /// All that anybody can read of the run: the files of all nodes, and what they printed.
    pub fn everything(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    all.extend(fs::read(entry.path()).unwrap());
                }
            }
        }
        all
    }
}

impl Node {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said to people so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// Waits until it has said that.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        for _ in 0..12_000 {
            if self.said().contains(text) {
                return;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        panic!("waited for a minute for '{text}': {}", self.said());
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap().success());
    }

    /// Kills it, as nothing can prevent.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, demands that exit code, and gives what it has said.
    #[track_caller]
    pub fn end(mut self, code: i32) -> String {
        let mut status: Option<ExitStatus> = None;
        for _ in 0..12_000 {
            status = self.child.try_wait().unwrap();
            if status.is_some() {
                break;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        let said = self.said();
        let ended = status.map(|status| status.code());
        assert_eq!(ended, Some(Some(code)), "node {} ended so and said:\n{said}", self.number);
        said
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let mut text = String::new();
            let _ = write!(text, "node {} said:\n{}", self.number, self.said());
            eprintln!("{text}");
        }
    }
}

/// Adds bytes to a file's end.
pub fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// The same command with another argument.
pub fn replaced(command: &Command, from: &str, to: &str) -> Command {
    let mut other = Command::new(command.get_program());
    other.current_dir(command.get_current_dir().unwrap());
    other.args(command.get_args().map(|arg| if arg == from { to.as_ref() } else { arg }));
    other
}
