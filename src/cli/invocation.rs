//! The table of what people say of one start of the program alone: where it goes, what is shown of it, and which
//! part of a distributed run it is. No file has any of it, and runs know it by other means.

use super::end_report::ReportChoice;
use crate::edge::nodes::{NodeChoice, NodeList};
use crate::model::setting::Takes::{Address, File, Folder, Value};
use crate::model::setting::{Facts, Heading, PathValue, Scope, settings};
use crate::model::text::OneOf;
use crate::model::time::Nanos;

/// What these have in common.
const RARE: Facts = Facts { scope: Scope::Start, ..Facts::RARE };
/// The same of those that everybody needs.
const EVERYDAY: Facts = Facts { scope: Scope::Start, ..Facts::EVERYDAY };
/// The same of those that only a node of a distributed run has.
const NODE: Facts = Facts { heading: Heading::Processes, needs: Some("nodes"), ..RARE };

settings! {
    /// One start of the program.
    pub(super) struct Invocation;

    /// Where the run goes.
    "output" output: Option<PathValue> {
        letter: Some('o'),
        takes: Folder("DIR"),
        usual: "output; with --node auto output/node_K",
        meaning: "Folder of the run; an earlier run there is moved to `previous/`",
        ..EVERYDAY
    }
    /// Where settings are read from.
    "scenario" scenario: Option<PathValue> {
        takes: File("FILE"),
        meaning: "Settings from a TOML file, such as an earlier run's `run.toml`; flags win",
        more: "It may come through a pipe, such as `<(command)`.",
        ..EVERYDAY
    }
    /// Whether the run is watched.
    "tui" tui: Option<bool> {
        meaning: "Watch machines, clocks, queues and messages on the terminal while they run",
        conflicts: Some("quiet"),
        ..EVERYDAY
    }
    /// Whether it leaves a page.
    "report" report: Option<ReportChoice> {
        takes: Value("ON|OFF|AUTO"),
        words: ReportChoice::words,
        usual: "auto",
        meaning: "Whether `report.html`, a page that shows the run, is made at its end: `on`, `off`; `auto`: up to 25,000 \
                  events and 20 MB of logs, a matter of milliseconds",
        more: "A node of a distributed run makes none.",
        ..RARE
    }
    /// Whether nothing is shown of it.
    "quiet" quiet: Option<bool> {
        letter: Some('q'),
        meaning: "No progress bar, no summary",
        ..EVERYDAY
    }
    /// Where all nodes are.
    "nodes" nodes: Option<NodeList> {
        takes: Value("A,B,…"),
        meaning: "This process is one of several: the addresses of all, `host:port,host:port,…` in the order of their \
                  numbers",
        heading: Heading::Processes,
        needs: Some("node"),
        conflicts: Some("runs"),
        ..EVERYDAY
    }
    /// Which of them this process is.
    "node" node: Option<NodeChoice> {
        takes: Value("K"),
        meaning: "Which of them it is, from 0; `auto`: as mpirun, srun or Kubernetes tell",
        ..NODE
    }
    /// Where it listens.
    "listen" listen: Option<String> {
        takes: Address("ADDR"),
        meaning: "Where it listens, if not at its own address: `0.0.0.0:7000`",
        ..NODE
    }
    /// How long it waits for the others.
    "join-timeout" join_timeout: Option<Nanos> {
        takes: Value("D"),
        usual: "60s",
        meaning: "How long the start waits for all of them",
        ..NODE
    }
    /// Where their key is.
    "cluster-key-file" cluster_key_file: Option<PathValue> {
        takes: File("F"),
        meaning: "File with a key that all of them share: the links are then authenticated and encrypted",
        more: "Where only this machine can reach them, none is needed.",
        conflicts: Some("no-cluster-key"),
        ..NODE
    }
    /// Whether they go without one.
    "no-cluster-key" no_cluster_key: Option<bool> {
        meaning: "Go without a key over a network: whoever reaches the ports may read and forge messages",
        ..NODE
    }
    /// Whether it goes on with a run, or has its processes go on.
    "resume" resume: Option<bool> {
        meaning: "With `--node`: go on with the run in the output folder where its logs end. With `--processes`: start a \
                  process that dies again, to do so",
        heading: Heading::Processes,
        ..RARE
    }
}
