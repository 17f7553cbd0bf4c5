//! How a connection opens: each end says who it is, and the two make sure that they belong together.
//!
//! The end that dialled speaks first; the other one answers with its own hello, or with a refusal that
//! names the difference, and closes.

use super::wire::{Reader, put_number, put_text};

/// The first bytes of a hello.
const MAGIC: &[u8; 8] = b"clocklab";
/// The version of this protocol. Processes of different versions refuse each other.
pub const PROTOCOL: u32 = 1;

/// Kinds of a frame's body while a connection opens; a session's kinds are others.
const HELLO: u8 = 1;
const REFUSAL: u8 = 2;

/// The longest name of a run, and the longest reason, in bytes.
const LONGEST_RUN: usize = 64;
const LONGEST_REASON: usize = 500;

/// Which process of which run this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The run's name, the same in all its processes.
    pub run: String,
    /// A digest of the scenario, the same in all its processes.
    pub digest: u64,
    /// The number of processes of the run.
    pub nodes: u32,
    /// Which of them this is, from 0.
    pub node: u32,
    /// Drawn at random when the process starts: a process that is started again is another one.
    pub incarnation: u64,
}

/// What one end says of itself, and of what it knows of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Who speaks.
    pub from: Identity,
    /// The node that it wants to speak to.
    pub to: u32,
    /// The other end's incarnation, as far as it has ever spoken to it; 0 where it has not.
    pub knows: u64,
    /// The number of the last parcel that it received from that incarnation.
    pub received: u64,
}

/// Why two ends do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GreetingError {
    /// What came is no greeting of clocklab: another program, or a scan of ports.
    #[error("it does not speak clocklab's protocol")]
    NotClocklab,
    /// It speaks another version of the protocol.
    #[error("it speaks version {theirs} of the protocol, and this process version {PROTOCOL}")]
    Protocol {
        /// Its version.
        theirs: u32,
    },
    /// It belongs to another run.
    #[error("it belongs to run {theirs}, and this process to run {ours}")]
    Run {
        /// Its run.
        theirs: String,
        /// Our run.
        ours: String,
    },
    /// It has another scenario.
    #[error(
        "its scenario differs (digest {theirs:016x}; here {ours:016x}): all nodes need the same settings and the same version"
    )]
    Scenario {
        /// Its digest.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// It counts the run's nodes otherwise.
    #[error("it counts {theirs} nodes, and this process {ours}")]
    Nodes {
        /// Its count.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// It is not the node that should be there, or has been given this process's own number.
    #[error("it is node {theirs}, and speaks to node {to}; this process is node {ours}")]
    Node {
        /// Its number.
        theirs: u32,
        /// Whom it speaks to.
        to: u32,
        /// Our number.
        ours: u32,
    },
    /// The other end has refused, and says why.
    #[error("it refused: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
}

/// Appends the body of a hello.
pub fn put_hello(hello: &Hello, out: &mut Vec<u8>) {
    let Hello { from, to, knows, received } = hello;
    out.push(HELLO);
    out.extend_from_slice(MAGIC);
    put_number(u64::from(PROTOCOL), out);
    put_text(&from.run, out);
    put_number(from.digest, out);
    put_number(u64::from(from.nodes), out);
    put_number(u64::from(from.node), out);
    put_number(from.incarnation, out);
    put_number(u64::from(*to), out);
    put_number(*knows, out);
    put_number(*received, out);
}

/// Appends the body of a refusal.
pub fn put_refusal(reason: &GreetingError, out: &mut Vec<u8>) {
    let mut text = reason.to_string();
    text.truncate(text.floor_char_boundary(LONGEST_REASON));
    out.push(REFUSAL);
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
            let reason = reader.text(LONGEST_REASON).ok_or(GreetingError::NotClocklab)?;
            // It goes to a log and a terminal, and comes from whoever listens there.
            let reason = reason.chars().filter(|c| !c.is_control()).collect();
            return Err(GreetingError::Refused { reason });
        }
        _ => return Err(GreetingError::NotClocklab),
    }
    let theirs = reader.small().ok_or(GreetingError::NotClocklab)?;
    if theirs != PROTOCOL {
        return Err(GreetingError::Protocol { theirs });
    }
    read_hello(reader).ok_or(GreetingError::NotClocklab)
}

fn read_hello(mut reader: Reader<'_>) -> Option<Hello> {
    let run = reader.text(LONGEST_RUN)?.to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !run.chars().all(plain) {
        return None;
    }
    let (digest, nodes, node) = (reader.number()?, reader.small()?, reader.small()?);
    let from = Identity { run, digest, nodes, node, incarnation: reader.number()? };
    let hello = Hello { from, to: reader.small()?, knows: reader.number()?, received: reader.number()? };
    reader.is_empty().then_some(hello)
}

/// Makes sure that a hello comes from another process of the same run, and means this one.
///
/// # Errors
///
/// The first difference.
pub fn check(ours: &Identity, hello: &Hello) -> Result<(), GreetingError> {
    let theirs = &hello.from;
    if theirs.run != ours.run {
        return Err(GreetingError::Run { theirs: theirs.run.clone(), ours: ours.run.clone() });
    }
    if theirs.nodes != ours.nodes {
        return Err(GreetingError::Nodes { theirs: theirs.nodes, ours: ours.nodes });
    }
    if theirs.digest != ours.digest {
        return Err(GreetingError::Scenario { theirs: theirs.digest, ours: ours.digest });
    }
    if hello.to != ours.node || theirs.node == ours.node || theirs.node >= ours.nodes {
        return Err(GreetingError::Node { theirs: theirs.node, to: hello.to, ours: ours.node });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(node: u32) -> Identity {
        Identity { run: "20260101T000000Z-1f".into(), digest: 7, nodes: 3, node, incarnation: 99 }
    }

    fn hello() -> Hello {
        Hello { from: identity(1), to: 0, knows: 5, received: 17 }
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
            &|h| h.from.digest = 8,
            "its scenario differs (digest 0000000000000008; here 0000000000000007): all nodes need the same settings and the same version",
        );
        check(&|h| h.to = 2, "it is node 1, and speaks to node 2; this process is node 0");
        check(&|h| h.from.node = 0, "it is node 0, and speaks to node 0; this process is node 0");
        check(&|h| h.from.node = 3, "it is node 3, and speaks to node 0; this process is node 0");
    }

    #[test]
    fn another_version_is_told_from_another_program() {
        let mut other = body(&hello());
        other[9] = 2;
        assert_eq!(read(&other), Err(GreetingError::Protocol { theirs: 2 }));
        other[1] = b'C';
        assert_eq!(read(&other), Err(GreetingError::NotClocklab));
    }

    #[test]
    fn a_refusal_tells_its_reason_and_nothing_that_moves_a_cursor() {
        let mut out = Vec::new();
        put_refusal(&GreetingError::Run { theirs: "\x1b[2Jx".into(), ours: "y".into() }, &mut out);
        let reason = "it belongs to run [2Jx, and this process to run y".to_owned();
        assert_eq!(read(&out), Err(GreetingError::Refused { reason }));
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
