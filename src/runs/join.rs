//! How a process becomes a node of a distributed run: where it listens, the key it shares, and the run's name
//! and seed, which are node 0's to decide.

use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::drivers::live::bridge::{self, Asked, JoinError, Membership};
use crate::edge::control::{Observer, Stop};
use crate::edge::input;
use crate::edge::link::bounds::Bounds;
use crate::edge::link::greeting::{Identity, scenario_lines, scenario_value};
use crate::edge::link::seal::{Key, KeyError};
use crate::edge::log::{self, bridge_log_name};
use crate::edge::nodes::NodeList;
use crate::model::registry::Registry;
use crate::model::scenario::{Scenario, ScenarioError, SeedNumber, Settings};
use crate::model::seed::Seed;
use crate::model::setting::{Holder, Scope};
use crate::model::time::Nanos;
use crate::runs::run::{self, Request, new_run_id};

/// What a process is asked for beside its run.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Where all nodes are.
    pub nodes: NodeList,
    /// Which of them this process is.
    pub node: u32,
    /// Where it listens, if not at its own address.
    pub listen: Option<String>,
    /// The file with the key that all nodes share.
    pub key_file: Option<PathBuf>,
    /// Whether the links may go without a key where others could listen.
    pub goes_without_key: bool,
    /// How long the start waits for all nodes.
    pub join_timeout: Duration,
    /// Whether the process goes on with the run in its folder.
    pub resume: bool,
}

impl Invitation {
    /// How long the start waits for all nodes where nothing else is asked for.
    pub const JOIN_TIMEOUT: Nanos = Nanos::from_secs(60);
}

/// Why a process cannot become a node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The other nodes do not let it, or are not there.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A setting is wrong, or cannot be had in a distributed run.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Others could read and forge what passes between the nodes.
    #[error(
        "invalid value '{value}' for setting `{flag}`: others than this machine could reach the links, so they need a key that all \
         nodes share: give setting `cluster-key-file = FILE` (openssl rand -hex 32 makes one), or say with setting `no-cluster-key` that \
         whoever reaches these ports may read and forge messages"
    )]
    NoKey {
        /// The flag that says where the links are.
        flag: &'static str,
        /// What the flag was given: an address that others can reach.
        value: String,
    },
    /// The key's file cannot be read.
    #[error("invalid value '{}' for setting `cluster-key-file`: {source}", path.display())]
    KeyFile {
        /// Where the key was to be read from.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The key's file holds no key.
    #[error("invalid value '{}' for setting `cluster-key-file`: {source}", path.display())]
    Key {
        /// The file that has something else than a key.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// There is no run to go on with.
    #[error(transparent)]
    Resume(#[from] log::ManifestError),
    /// The run that is there is another node's.
    #[error(
        "the run in {} is that of {}, and this process is node {node} of {nodes}: its logs are not this node's to go on with",
        folder.display(),
        RunPart(*found)
    )]
    ResumeOther {
        /// Where the run is.
        folder: PathBuf,
        /// The node that it belongs to, and of how many; none where it is no distributed run.
        found: Option<(u32, u32)>,
        /// The number with which this process was started.
        node: u32,
        /// The number of nodes.
        nodes: u32,
    },
    /// A run goes on with the settings that it has.
    #[error("invalid value for setting `{key}`: the run in {} has {found}, and setting `resume` goes on with that", folder.display())]
    ResumeSetting {
        /// The setting that was given anew.
        key: &'static str,
        /// Where the run is.
        folder: PathBuf,
        /// Its value in the run's manifest.
        found: String,
    },
    /// The settings cannot be told to other nodes.
    #[error("the settings cannot be written: {0}")]
    Settings(#[from] toml::ser::Error),
}

struct RunPart(Option<(u32, u32)>);

impl fmt::Display for RunPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((node, nodes)) => write!(f, "node {node} of {nodes}"),
            None => write!(f, "a process of its own"),
        }
    }
}

impl NodeError {
    /// Whether it is the arguments that are wrong, rather than the other nodes or the machine.
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::Join(_) | Self::Settings(_))
    }
}

/// Makes the process a node: takes its port, reads its key, and asks node 0 for the run's name and seed; gives
/// the run's scenario. One that goes on takes the settings of the run in its folder. None where it was asked to stop before.
///
/// # Errors
///
/// Where one of these cannot be had.
pub fn join(
    invitation: &Invitation,
    registry: &Registry,
    mut settings: Settings,
    drawn: Seed,
    request: &mut Request,
    stop: Stop,
    observer: &mut dyn Observer,
) -> Result<Option<(Scenario, Membership)>, NodeError> {
    let Invitation { nodes, node, .. } = invitation;
    let key = read_key(invitation)?.map(Arc::new);
    let unfinished =
        if invitation.resume { Some(read_unfinished(invitation, &settings, &request.output)?) } else { None };
    let is_asking = *node != 0 && unfinished.is_none();
    let mut name: Arc<str> = match &unfinished {
        Some(unfinished) => unfinished.id.as_str().into(),
        None if is_asking => "".into(),
        None => new_run_id().into(),
    };
    if let Some(unfinished) = unfinished {
        // The logs are laid out as they were.
        let theirs = unfinished.settings.only(|facts| facts.scope == Scope::Process);
        request.settings = request.settings.clone().or(&theirs);
        settings = settings.or(&unfinished.settings);
    }
    // What is wrong by itself is told before anybody is asked.
    let mut scenario = Scenario::of(registry, &settings, drawn)?;
    run::check_distributed(&scenario, nodes.len(), "nodes", &nodes.to_string())?;
    let addresses: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    let place = invitation.listen.as_ref().unwrap_or(&addresses[*node as usize]);
    let listener = bridge::listen_when_known(place, invitation.join_timeout, stop.clone(), observer)?;
    let Some(listener) = listener else { return Ok(None) };
    if let Ok(address) = listener.local_addr()
        && is_out_of_reach(invitation, address.ip())
    {
        let port = address.port();
        observer.notice(&format!(
            "warning: {place} is {} on this machine, where no other host reaches it (Debian's /etc/hosts says so of a host's own \
             name): give this node setting `listen = 0.0.0.0:{port}`, or put its address into setting `nodes`",
            address.ip()
        ));
    }
    let mut identity = Identity {
        run: Arc::clone(&name),
        scenario: lines(&scenario, !is_asking || settings.seed.is_some())?,
        nodes: nodes.len(),
        node: *node,
        incarnation: draw_incarnation(),
    };
    if is_asking {
        let asked =
            bridge::ask(&identity, &addresses[0], key.as_deref(), invitation.join_timeout, stop, observer)?;
        let Some(Asked { run, scenario: theirs }) = asked else { return Ok(None) };
        name = run;
        let seed = scenario_value(&theirs, "seed").and_then(|seed| seed.trim_matches('"').parse().ok());
        if let Some(SeedNumber(seed)) = seed {
            scenario = scenario.with_seed(Seed(seed));
        }
        identity.scenario = lines(&scenario, true)?;
    }
    identity.run = name;
    let membership = Membership {
        bounds: Arc::new(Bounds::of(&scenario)),
        log: request.output.join(bridge_log_name(*node)),
        join_timeout: invitation.join_timeout,
        resume: invitation.resume,
        deaths: None,
        spelled: request.spelled,
        identity,
        addresses,
        listener,
        key,
    };
    Ok(Some((scenario, membership)))
}

/// A membership's number that no other process has, and none before this one.
pub(crate) fn draw_incarnation() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a name; nothing that happens in a run depends on it")]
    rand::random::<u64>().max(1)
}

/// The lines by which nodes compare their scenarios; how a node's own machine is used is its own affair.
pub(crate) fn lines(scenario: &Scenario, with_seed: bool) -> Result<Arc<str>, toml::ser::Error> {
    let mut settings = scenario.settings();
    if !with_seed {
        settings.seed = None;
    }
    let text = toml::to_string(&settings)?;
    Ok(scenario_lines(&format!("version = {}\n{text}", env!("CARGO_PKG_VERSION"))))
}

/// Reads of the run to go on with, which has to be this node's and to have the settings that are asked for. What is
/// wrong is told before anything in the folder has changed.
fn read_unfinished(
    invitation: &Invitation,
    asked: &Settings,
    folder: &Path,
) -> Result<log::Unfinished, NodeError> {
    let unfinished = log::read_unfinished(folder)?;
    let (node, nodes) = (invitation.node, invitation.nodes.len());
    if unfinished.place != Some((node, nodes)) {
        let (folder, found) = (folder.to_owned(), unfinished.place);
        return Err(NodeError::ResumeOther { folder, found, node, nodes });
    }
    let had = unfinished.settings.passed_to(Scope::Model);
    if let Some(setting) = asked.passed_to(Scope::Model).or(&had).differs_from(&had) {
        let found = setting.texts(&had).join(" ");
        let found = if found.is_empty() { "none".to_owned() } else { found };
        return Err(NodeError::ResumeSetting { key: setting.facts.name, folder: folder.to_owned(), found });
    }
    Ok(unfinished)
}

fn read_key(invitation: &Invitation) -> Result<Option<Key>, NodeError> {
    let Some(path) = &invitation.key_file else {
        let nodes = &invitation.nodes;
        if invitation.goes_without_key {
            return Ok(None);
        }
        if !nodes.is_loopback_only() {
            return Err(NodeError::NoKey { flag: "nodes", value: nodes.to_string() });
        }
        return match &invitation.listen {
            Some(listen) if !is_loopback(listen) => {
                Err(NodeError::NoKey { flag: "listen", value: listen.clone() })
            }
            _ => Ok(None),
        };
    };
    let content = read_start(path).map_err(|source| NodeError::KeyFile { path: path.clone(), source })?;
    Key::new(&content).map(Some).map_err(|source| NodeError::Key { path: path.clone(), source })
}

/// Whether a process listens at an address that only this machine reaches, though some node may be elsewhere.
fn is_out_of_reach(invitation: &Invitation, listens: IpAddr) -> bool {
    let mut hosts = invitation.nodes.iter().map(|node| &node.host);
    let first = hosts.next();
    let are_one_host = hosts.all(|host| Some(host) == first);
    let is_elsewhere = !are_one_host && !invitation.nodes.is_loopback_only();
    listens.is_loopback() && invitation.listen.is_none() && is_elsewhere
}

/// Whether a process that listens there can be reached by this machine alone. 0.0.0.0 stands for all its addresses.
fn is_loopback(listen: &str) -> bool {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _port)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_name| host == "localhost", |address| address.is_loopback())
}

/// Reads no more of a file than a key could have.
fn read_start(path: &Path) -> io::Result<Vec<u8>> {
    /// What a pipe may bring, so that a key that is too long is told to be.
    const LONGEST_PIPE: u64 = 64 * 1024;
    let mut content = Vec::new();
    input::source(path, LONGEST_PIPE)?.take(Key::LONGEST as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}
