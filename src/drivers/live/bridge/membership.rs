//! The place of a process in a distributed run: what its bridge is given.

use std::net::TcpListener;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::edge::link::bounds::Bounds;
use crate::edge::link::greeting::Identity;
use crate::edge::link::seal::Key;
use crate::edge::nodes;
use crate::model::setting::Spelling;

/// A process's place in a distributed run.
#[derive(Debug)]
pub struct Membership {
    /// Which process of which run it is.
    pub identity: Identity,
    /// The addresses of all processes, by node.
    pub addresses: Vec<String>,
    /// Where the others reach this one.
    pub listener: TcpListener,
    /// What the messages of the run can be.
    pub bounds: Arc<Bounds>,
    /// The key that all processes share, where the links are to be secret.
    pub key: Option<Arc<Key>>,
    /// How long the start waits for all processes.
    pub join_timeout: Duration,
    /// Where the bridge's log is to be written.
    pub log: PathBuf,
    /// Whether the process goes on where its logs end.
    pub resume: bool,
    /// Nodes of which somebody knows that they are dead and will not come back.
    pub deaths: Option<UnboundedReceiver<u32>>,
    /// How settings are spelled in what it tells and logs.
    pub spelled: Spelling,
}

impl Membership {
    /// The machines of this process, by number.
    pub fn share(&self) -> Range<u32> {
        nodes::share(self.identity.nodes, self.identity.node, self.vms())
    }

    /// The number of machines of the whole run.
    pub fn vms(&self) -> u32 {
        u32::try_from(self.bounds.vms()).unwrap_or(u32::MAX)
    }

    /// How many they are.
    pub fn machines(&self) -> u32 {
        let share = self.share();
        share.end - share.start
    }
}
