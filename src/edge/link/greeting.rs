//! How a connection opens: each end says who it is, and the two make sure that they belong together.
//!
//! The end that dialled speaks first; the other one answers with its own hello, or with a refusal that
//! names the difference, and closes. A process that does not know yet which run it belongs to asks: it leaves
//! the run's name out, is told it, and closes.

use std::sync::Arc;

use ring::digest;

use super::frame::Lane;
use super::wire::{Reader, put_number, put_text};
use crate::model::text::printable;

/// The first bytes of a hello.
const MAGIC: &[u8; 8] = b"clocklab";
/// The version of this protocol. Processes of different versions refuse each other; a hello has the same beginning
/// in all of them, so that both can say which versions met.
///
/// Version 2 binds frames to their connection, direction and place. In version 4 a call has no clock.
pub const PROTOCOL: u32 = 4;

/// Kinds of a frame's body while a connection opens; a session's kinds are others.
const HELLO: u8 = 1;
const REFUSAL: u8 = 2;

/// The longest name of a run, scenario, and reason, in bytes.
const LONGEST_RUN: usize = 64;
const LONGEST_SCENARIO: usize = 1 << 14;
const LONGEST_REASON: usize = 500;
/// The longest body of a greeting, in bytes. Kind, magic and ten numbers of up to ten bytes are the rest of it.
pub const LONGEST: usize = LONGEST_RUN + LONGEST_SCENARIO + 200;

/// Which process of which run this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The run's name, the same in all its processes; empty where it is not known yet.
    pub run: Arc<str>,
    /// The scenario, the same in all its processes: lines of `key = value`, made by [`scenario_lines`].
    pub scenario: Arc<str>,
    /// The number of processes of the run.
    pub nodes: u32,
    /// Which of them this is, from 0.
    pub node: u32,
    /// Drawn at random when the process starts: a process that is started again is another one.
    pub incarnation: u64,
}

/// The key of the one line of a scenario that a process may leave out while it asks.
const SEED: &str = "seed";

/// Makes the lines of a scenario short enough for a greeting. Of a line that is too long for people, such as
/// the rates of a thousand machines, a checksum stands for the value.
pub fn scenario_lines(text: &str) -> Arc<str> {
    const LONG: usize = 200;
    let short = |line: &str| match line.split_once(" = ") {
        Some((key, value)) if value.len() > LONG => {
            format!("{key} = (checksum {:08x})\n", crc32c::crc32c(value.as_bytes()))
        }
        _ => format!("{line}\n"),
    };
    let mut lines: String = text.lines().map(short).collect();
    lines.truncate(lines.floor_char_boundary(LONGEST_SCENARIO));
    lines.into()
}

/// The value of a key in the lines of a scenario.
pub fn scenario_value<'a>(lines: &'a str, key: &str) -> Option<&'a str> {
    lines.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))
}

/// What one end says of itself, and of what it knows of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The run and node for which this end speaks: the other refuses where they do not fit its own.
    pub from: Identity,
    /// The node that it wants to speak to.
    pub to: u32,
    /// The other end's incarnation, as far as it has ever spoken to it; 0 where it has not.
    pub knows: u64,
    /// The number of the last parcel that it received from that incarnation.
    pub received: u64,
    /// Which of this process's hellos it is: of two connections, the one of the later hello is in use.
    pub turn: u64,
}

/// Why two ends do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GreetingError {
    /// What came is no greeting of clocklab: another program, or a scan of ports.
    #[error("it does not speak clocklab's protocol")]
    NotClocklab,
    /// It speaks another version of the protocol.
    #[error("it speaks version {theirs} of the protocol, and this process version {ours}")]
    Protocol {
        /// The version in the other's first frame.
        theirs: u32,
        /// The version that this program speaks.
        ours: u32,
    },
    /// It belongs to another run.
    #[error("it belongs to run {theirs}, and this process to run {ours}")]
    Run {
        /// The run for which the other end speaks.
        theirs: String,
        /// The run of this process.
        ours: String,
    },
    /// It has another scenario.
    #[error(
        "its {key} is {theirs}, and here it is {ours}: all nodes need the same settings and the same version"
    )]
    Scenario {
        /// The first setting that differs.
        key: String,
        /// The setting's value at the other end.
        theirs: String,
        /// The setting's value in this process.
        ours: String,
    },
    /// It counts the run's nodes otherwise.
    #[error("it counts {theirs} nodes, and this process {ours}")]
    Nodes {
        /// How many nodes its list has.
        theirs: u32,
        /// How many nodes the list of this process has.
        ours: u32,
    },
    /// It is not the node that should be there, or has been given this process's own number.
    #[error(
        "node {theirs} wanted to speak to node {to}, and met node {ours}: all nodes need the same setting `nodes` in the same order, and each its own setting `node`"
    )]
    Node {
        /// The number that the other end gives itself.
        theirs: u32,
        /// Whom it speaks to.
        to: u32,
        /// The number of this process.
        ours: u32,
    },
    /// Both have the same number.
    #[error("both processes are started as node {node}: each needs a number of its own with setting `node`")]
    SameNode {
        /// The number that both were given.
        node: u32,
    },
    /// The run is over where it wants to join it.
    #[error("the run has ended")]
    Ended,
    /// It asks for the run's name, as only a process does that has no part in it yet.
    #[error(
        "the run is under way: a node that was stopped goes on with setting `resume` and its output folder"
    )]
    UnderWay,
    /// Another process has been started in its place.
    #[error("another process was started as node {node} after it")]
    Succeeded {
        /// Which node they are.
        node: u32,
    },
    /// There is another connection between the two, or will be.
    #[error("another connection between the two is in use")]
    Superfluous,
    /// The other end has refused, and says why.
    #[error("it refused: {reason}")]
    Refused {
        /// The other end's own words for it, as they may be shown on a terminal.
        reason: String,
        /// Whether it will refuse again.
        is_final: bool,
    },
}

impl GreetingError {
    /// Whether the two will never belong together, as they are.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::NotClocklab | Self::Superfluous | Self::Refused { is_final: false, .. })
    }

    /// Whether the other end has refused since its run is over.
    pub fn says_ended(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if *reason == Self::Ended.to_string())
    }

    /// The same as the other end sees it.
    fn mirrored(&self) -> Self {
        match self.clone() {
            Self::Protocol { theirs, ours } => Self::Protocol { theirs: ours, ours: theirs },
            Self::Run { theirs, ours } => Self::Run { theirs: ours, ours: theirs },
            Self::Scenario { key, theirs, ours } => Self::Scenario { key, theirs: ours, ours: theirs },
            Self::Nodes { theirs, ours } => Self::Nodes { theirs: ours, ours: theirs },
            same => same,
        }
    }
}

/// Appends the body of a hello.
pub fn put_hello(hello: &Hello, out: &mut Vec<u8>) {
    let Hello { from, to, knows, received, turn } = hello;
    let start = out.len();
    out.push(HELLO);
    out.extend_from_slice(MAGIC);
    put_number(u64::from(PROTOCOL), out);
    put_text(&from.run, out);
    put_text(&from.scenario, out);
    put_number(u64::from(from.nodes), out);
    put_number(u64::from(from.node), out);
    put_number(from.incarnation, out);
    put_number(u64::from(*to), out);
    put_number(*knows, out);
    put_number(*received, out);
    put_number(*turn, out);
    debug_assert!(out.len() - start <= LONGEST, "a hello of {} bytes would be refused", out.len() - start);
}

/// The lanes of the end that dialled and of the end that answered, on the connection that these two hellos opened.
/// No other connection has both: an incarnation says each turn once.
pub fn lanes(dialled: &Hello, answered: &Hello) -> [Lane; 2] {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut body = Vec::new();
    for hello in [dialled, answered] {
        body.clear();
        put_hello(hello, &mut body);
        // With its length in front: otherwise two other hellos could make up the same bytes.
        context.update(&(body.len() as u64).to_le_bytes());
        context.update(&body);
    }
    let digest = context.finish();
    let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
    Lane::both(u32::from_le_bytes(first))
}

/// Appends the body of a refusal.
pub fn put_refusal(reason: &GreetingError, out: &mut Vec<u8>) {
    let mut text = reason.mirrored().to_string();
    text.truncate(text.floor_char_boundary(LONGEST_REASON));
    out.push(REFUSAL);
    out.push(u8::from(reason.is_final()));
    put_text(&text, out);
}

/// Reads the first body of a connection.
///
/// # Errors
///
/// Where it is no hello of this version of clocklab, or a refusal.
pub fn read(body: &[u8]) -> Result<Hello, GreetingError> {
    let mut reader = Reader(body);
    match reader.byte() {
        Some(HELLO) if reader.bytes(MAGIC.len()) == Some(MAGIC) => {}
        Some(REFUSAL) => {
            return Err(read_refusal(reader).unwrap_or(GreetingError::NotClocklab));
        }
        _ => return Err(GreetingError::NotClocklab),
    }
    // What follows may have another form in another version: it is not looked at before the versions are equal.
    let theirs = reader.small().ok_or(GreetingError::NotClocklab)?;
    if theirs != PROTOCOL {
        return Err(GreetingError::Protocol { theirs, ours: PROTOCOL });
    }
    read_hello(reader).ok_or(GreetingError::NotClocklab)
}

fn read_refusal(mut reader: Reader<'_>) -> Option<GreetingError> {
    let is_final = reader.byte()? != 0;
    Some(GreetingError::Refused { reason: printable(reader.text(LONGEST_REASON)?).into_owned(), is_final })
}

fn read_hello(mut reader: Reader<'_>) -> Option<Hello> {
    // A run's name becomes part of names of files and stands in logs: nothing else than what names are made of.
    let run = reader.text(LONGEST_RUN)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !run.chars().all(plain) {
        return None;
    }
    let scenario = reader.text(LONGEST_SCENARIO)?;
    let (nodes, node, incarnation) = (reader.small()?, reader.small()?, reader.number()?);
    let from = Identity { run: run.into(), scenario: scenario.into(), nodes, node, incarnation };
    let (to, knows, received) = (reader.small()?, reader.number()?, reader.number()?);
    let hello = Hello { from, to, knows, received, turn: reader.number()? };
    reader.is_empty().then_some(hello)
}

/// Makes sure that a hello comes from another process of the same run, and means this one. One that asks
/// for the run's name belongs to it as well.
///
/// # Errors
///
/// The first difference.
pub fn check(ours: &Identity, hello: &Hello) -> Result<(), GreetingError> {
    let theirs = &hello.from;
    // Two that are node 0 have both named a run, and that is not what is wrong with them.
    if theirs.node == ours.node {
        return Err(GreetingError::SameNode { node: ours.node });
    }
    let asks = theirs.run.is_empty() || ours.run.is_empty();
    if theirs.run != ours.run && !asks {
        let (theirs, ours) = (theirs.run.to_string(), ours.run.to_string());
        return Err(GreetingError::Run { theirs, ours });
    }
    if theirs.nodes != ours.nodes {
        return Err(GreetingError::Nodes { theirs: theirs.nodes, ours: ours.nodes });
    }
    compare(&theirs.scenario, &ours.scenario, asks)?;
    if hello.to != ours.node || theirs.node >= ours.nodes {
        return Err(GreetingError::Node { theirs: theirs.node, to: hello.to, ours: ours.node });
    }
    Ok(())
}

/// Finds the first line that one scenario has and the other has not.
fn compare(theirs: &str, ours: &str, asks: bool) -> Result<(), GreetingError> {
    let keys = |lines| str::lines(lines).filter_map(|line| Some(line.split_once(" = ")?.0));
    let value = |lines, key| scenario_value(lines, key).map(|value| printable(value).into_owned());
    // The other's keys as well: a setting that this process lacks differs too.
    for key in keys(ours).chain(keys(theirs)) {
        let (theirs, ours) = (value(theirs, key), value(ours, key));
        // Who asks has not drawn a seed: it takes the run's.
        let is_open = asks && key == SEED && (theirs.is_none() || ours.is_none());
        if theirs != ours && !is_open {
            let said = |value: Option<String>| value.unwrap_or_else(|| "not set".to_owned());
            let (theirs, ours) = (said(theirs), said(ours));
            return Err(GreetingError::Scenario { key: printable(key).into_owned(), theirs, ours });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(node: u32) -> Identity {
        let scenario = "vms = 3\nseed = 7\n".into();
        Identity { run: "20260101T000000Z-1f".into(), scenario, nodes: 3, node, incarnation: 99 }
    }

    fn hello() -> Hello {
        Hello { from: identity(1), to: 0, knows: 5, received: 17, turn: 2 }
    }

    fn body(hello: &Hello) -> Vec<u8> {
        let mut out = Vec::new();
        put_hello(hello, &mut out);
        out
    }

    #[test]
    fn a_hello_is_read_back_and_checks() {
        assert_eq!(read(&body(&hello())), Ok(hello()));
        assert_eq!(check(&identity(0), &hello()), Ok(()));
    }

    #[test]
    fn every_difference_is_named() {
        let check = |change: &dyn Fn(&mut Hello), said: &str| {
            let mut hello = hello();
            change(&mut hello);
            assert_eq!(check(&identity(0), &hello).unwrap_err().to_string(), said);
        };
        check(
            &|h| h.from.run = "x".into(),
            "it belongs to run x, and this process to run 20260101T000000Z-1f",
        );
        check(&|h| h.from.nodes = 4, "it counts 4 nodes, and this process 3");
        check(
            &|h| h.from.scenario = "vms = 4\nseed = 7\n".into(),
            "its vms is 4, and here it is 3: all nodes need the same settings and the same version",
        );
        check(
            &|h| h.from.scenario = "vms = 3\nseed = 7\ndraw = 5\n".into(),
            "its draw is 5, and here it is not set: all nodes need the same settings and the same version",
        );
        check(
            &|h| h.from.scenario = "vms = 3\n".into(),
            "its seed is not set, and here it is 7: all nodes need the same settings and the same version",
        );
        check(
            &|h| h.to = 2,
            "node 1 wanted to speak to node 2, and met node 0: all nodes need the same setting `nodes` in the same order, and each its own setting `node`",
        );
        check(
            &|h| (h.from.node, h.from.run) = (0, "x".into()),
            "both processes are started as node 0: each needs a number of its own with setting `node`",
        );
        check(
            &|h| h.from.node = 3,
            "node 3 wanted to speak to node 0, and met node 0: all nodes need the same setting `nodes` in the same order, and each its own setting `node`",
        );
    }

    #[test]
    fn who_asks_for_the_run_may_leave_the_seed_open_and_nothing_else() {
        let asks = |scenario: &str| {
            let mut hello = hello();
            (hello.from.run, hello.from.scenario) = ("".into(), scenario.into());
            (
                check(&identity(0), &hello),
                check(&Identity { node: 1, ..hello.from.clone() }, &{
                    Hello { from: identity(0), to: 1, ..self::hello() }
                }),
            )
        };
        assert_eq!(asks("vms = 3\n"), (Ok(()), Ok(())));
        assert_eq!(asks("vms = 3\nseed = 7\n"), (Ok(()), Ok(())));
        let (there, here) = asks("vms = 3\nseed = 8\n");
        assert!(there.is_err_and(|error| error.is_final()) && here.is_err());
        assert!(asks("vms = 4\n").0.is_err());
    }

    #[test]
    fn long_values_are_compared_by_a_checksum() {
        let long = |value: &str| scenario_lines(&format!("vms = 3\nrates = \"{}\"\n", value.repeat(500)));
        assert_eq!(long("1,"), long("1,"));
        assert_ne!(long("1,"), long("2,"));
        assert!(long("1,").len() < 60 && scenario_value(&long("1,"), "vms") == Some("3"));
    }

    #[test]
    fn another_version_is_told_from_another_program() {
        let mut other = body(&hello());
        other[9] = 1;
        let error = read(&other).unwrap_err();
        assert_eq!(error.to_string(), "it speaks version 1 of the protocol, and this process version 4");
        let mut refusal = Vec::new();
        put_refusal(&error, &mut refusal);
        let told = read(&refusal).unwrap_err();
        assert_eq!(
            told.to_string(),
            "it refused: it speaks version 4 of the protocol, and this process version 1"
        );
        assert!(error.is_final() && told.is_final());
        other[1] = b'C';
        assert_eq!(read(&other), Err(GreetingError::NotClocklab));
    }

    #[test]
    fn no_two_connections_have_the_same_lanes() {
        let (dialled, answered) = (hello(), Hello { from: identity(0), to: 1, ..hello() });
        let lanes = lanes(&dialled, &answered);
        assert_eq!(super::lanes(&dialled, &answered), lanes);
        assert_ne!(super::lanes(&answered, &dialled), lanes);
        assert_ne!(super::lanes(&Hello { turn: 3, ..dialled.clone() }, &answered), lanes);
        let mut again = answered.clone();
        again.from.incarnation += 1;
        assert_ne!(super::lanes(&dialled, &again), lanes);
    }

    #[test]
    fn a_refusal_tells_its_reason_and_nothing_that_moves_a_cursor() {
        let mut out = Vec::new();
        put_refusal(&GreetingError::Run { theirs: "\x1b[2J\u{202e}x".into(), ours: "y".into() }, &mut out);
        let reason = "it belongs to run y, and this process to run \\u{1b}[2J\\u{202e}x".to_owned();
        assert_eq!(read(&out), Err(GreetingError::Refused { reason, is_final: true }));
        out.clear();
        put_refusal(&GreetingError::Ended, &mut out);
        assert!(read(&out).is_err_and(|error| error.says_ended()));
        out.clear();
        put_refusal(&GreetingError::Superfluous, &mut out);
        assert!(matches!(read(&out), Err(GreetingError::Refused { is_final: false, .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100), cut: usize) {
            let _ = read(&bytes);
            let whole = body(&hello());
            prop_assert!(read(&whole[..cut % whole.len()]).is_err());
        }
    }
}
