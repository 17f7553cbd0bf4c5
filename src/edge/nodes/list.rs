//! Where the nodes are: `lab1:7000,lab2:7000,…`.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::model::text::as_text;

/// The most nodes of a run. Each has a connection to each other one.
const MOST: usize = 1024;
/// The longest name of a host and of one of its parts, as the DNS has it.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// The addresses of all nodes of a run, in the order of their numbers; no two are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeList(Vec<NodeAddress>);

/// Where a node listens, as the others dial it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeAddress {
    /// The machine that it runs on.
    pub host: Host,
    /// Its port, which is not 0.
    pub port: u16,
}

/// A machine of a network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A numeric address, IPv4 or IPv6: nothing is looked up for it.
    Address(IpAddr),
    /// A name in lower case, yet to be looked up.
    Name(String),
}

impl NodeList {
    /// The number of nodes, which is at least one.
    pub fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Whether there are none: never.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a node is; none where the number is not one of the run's.
    pub fn get(&self, node: u32) -> Option<&NodeAddress> {
        self.0.get(usize::try_from(node).ok()?)
    }

    /// All addresses, in the order of the nodes' numbers.
    pub fn iter(&self) -> std::slice::Iter<'_, NodeAddress> {
        self.0.iter()
    }

    /// Whether no byte between the nodes leaves this machine.
    pub fn is_loopback_only(&self) -> bool {
        self.0.iter().all(|node| node.host.is_loopback())
    }
}

impl<'a> IntoIterator for &'a NodeList {
    type Item = &'a NodeAddress;
    type IntoIter = std::slice::Iter<'a, NodeAddress>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Host {
    /// Whether it is the machine that asks, and can be no other.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for NodeList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{node}")?;
        }
        Ok(())
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Why a text is no list of nodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNodesError {
    /// An entry is no address.
    #[error(
        "`{entry}` {fault}; a node is written as host:port, such as lab1:7000, 10.0.0.5:7000 or [::1]:7000"
    )]
    Entry {
        /// The entry, as it stands between its commas.
        entry: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
    /// Two nodes have one address.
    #[error("`{entry}` stands there twice: each node needs an address of its own")]
    Twice {
        /// The address that stands there a second time.
        entry: String,
    },
    /// There are too many.
    #[error("must be a list of 1 to {MOST} nodes, and has {found}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

/// What is wrong with the address of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// There is nothing between two commas.
    #[error("is empty")]
    Empty,
    /// A host stands alone.
    #[error("has no port")]
    NoPort,
    /// What stands behind the colon is no port.
    #[error("has no port from 1 to 65535")]
    Port,
    /// There are several colons, and no brackets.
    #[error("has several colons: an IPv6 address stands in brackets")]
    Brackets,
    /// What stands in brackets is no IPv6 address.
    #[error("has no IPv6 address in its brackets")]
    Ipv6,
    /// It is neither an address nor a name.
    #[error("names no host")]
    Host,
    /// It is an address to listen on and not to dial.
    #[error("is every address of a machine: the other nodes need one that they can dial")]
    Unspecified,
}

impl FromStr for NodeList {
    type Err = ParseNodesError;

    fn from_str(text: &str) -> Result<Self, ParseNodesError> {
        // A list that a script has put together may end with a comma.
        let entries = text.trim().strip_suffix(',').unwrap_or(text).split(',');
        let found = entries.clone().count();
        if found > MOST {
            return Err(ParseNodesError::TooMany { found });
        }
        let (mut nodes, mut seen) = (Vec::with_capacity(found), BTreeSet::new());
        for entry in entries {
            let node: NodeAddress = entry.parse()?;
            if !seen.insert(node.clone()) {
                return Err(ParseNodesError::Twice { entry: node.to_string() });
            }
            nodes.push(node);
        }
        Ok(Self(nodes))
    }
}

impl FromStr for NodeAddress {
    type Err = ParseNodesError;

    fn from_str(text: &str) -> Result<Self, ParseNodesError> {
        let entry = text.trim();
        parse_address(entry).map_err(|fault| ParseNodesError::Entry { entry: entry.to_owned(), fault })
    }
}

fn parse_address(entry: &str) -> Result<NodeAddress, EntryFault> {
    if entry.is_empty() {
        return Err(EntryFault::Empty);
    }
    let (host, port) = if let Some(bracketed) = entry.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']').ok_or(EntryFault::Ipv6)?;
        let address: Ipv6Addr = address.parse().map_err(|_parse_error| EntryFault::Ipv6)?;
        (address_of(address.into())?, port.strip_prefix(':').ok_or(EntryFault::NoPort)?)
    } else {
        let (host, port) = entry.rsplit_once(':').ok_or(EntryFault::NoPort)?;
        if host.contains(':') {
            return Err(EntryFault::Brackets);
        }
        (parse_host(host)?, port)
    };
    Ok(NodeAddress { host, port: parse_port(port)? })
}

fn parse_port(text: &str) -> Result<u16, EntryFault> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| *port != 0 && is_number);
    port.ok_or(EntryFault::Port)
}

fn parse_host(text: &str) -> Result<Host, EntryFault> {
    if let Ok(address) = text.parse() {
        return address_of(address);
    }
    let name = text.to_ascii_lowercase();
    let labels = || name.strip_suffix('.').unwrap_or(&name).split('.');
    // Systems take a number in the last place for a short form of an IPv4 address.
    let is_number = labels().next_back().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    let is_name = name.len() <= LONGEST_NAME && labels().all(is_label) && !is_number;
    if is_name { Ok(Host::Name(name)) } else { Err(EntryFault::Host) }
}

fn is_label(label: &str) -> bool {
    // The underscore is no host's in the DNS; containers' names have it.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_LABEL).contains(&label.len()) && !label.starts_with('-') && label.bytes().all(is_plain)
}

fn address_of(address: IpAddr) -> Result<Host, EntryFault> {
    // An IPv4 address in IPv6's clothes is the same address.
    let address = address.to_canonical();
    if address.is_unspecified() { Err(EntryFault::Unspecified) } else { Ok(Host::Address(address)) }
}

as_text!(NodeList);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_writes_names_and_addresses() {
        let check =
            |text: &str, written: &str| assert_eq!(text.parse::<NodeList>().unwrap().to_string(), written);
        check("localhost:7000", "localhost:7000");
        check("lab1:7000,lab2:7000", "lab1:7000,lab2:7000");
        check(" Lab1:7000, 10.0.0.5:7001 ,", "lab1:7000,10.0.0.5:7001");
        check("[::1]:7000,[FE80::0:1]:65535", "[::1]:7000,[fe80::1]:65535");
        check("[::ffff:10.0.0.5]:7000", "10.0.0.5:7000");
        check(
            "node-0.clock_lab.default.svc.cluster.local.:1",
            "node-0.clock_lab.default.svc.cluster.local.:1",
        );
        check("a:1,a:2,b:1", "a:1,a:2,b:1");
    }

    #[test]
    fn nodes_are_numbered_from_0() {
        let list: NodeList = "a:1,[::1]:2".parse().unwrap();
        assert_eq!((list.len(), list.is_empty()), (2, false));
        assert_eq!(list.get(0).unwrap().to_string(), "a:1");
        assert_eq!(
            *list.get(1).unwrap(),
            NodeAddress { host: Host::Address(Ipv6Addr::LOCALHOST.into()), port: 2 }
        );
        assert_eq!(list.get(2), None);
        assert_eq!(list.iter().map(|node| node.port).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn an_entry_that_is_none_is_named() {
        let check = |text: &str, entry: &str, fault: EntryFault| {
            let error = ParseNodesError::Entry { entry: entry.to_owned(), fault };
            assert_eq!(text.parse::<NodeList>(), Err(error), "{text}");
        };
        for (text, entry) in [("", ""), (",", ""), ("a:1,,b:1", ""), ("a:1,b:1,,", "")] {
            check(text, entry, EntryFault::Empty);
        }
        check("a:1,lab2", "lab2", EntryFault::NoPort);
        check("[::1]", "[::1]", EntryFault::NoPort);
        check("[::1]7000", "[::1]7000", EntryFault::NoPort);
        for text in ["a:", "a:0", "a:65536", "a:x", "a:-1", "a:+1", "a: 1", "[::1]:"] {
            check(text, text, EntryFault::Port);
        }
        for text in ["::1:7000", "a:b:7000", "fe80::1"] {
            check(text, text, EntryFault::Brackets);
        }
        for text in ["[::1:7000", "[]:7000", "[a]:7000", "[1.2.3.4]:7000"] {
            check(text, text, EntryFault::Ipv6);
        }
        for text in
            [":7000", "a b:1", "300.1.1.1:1", "1.2.3:1", "7:1", "a..b:1", ".:1", "-a:1", "ä:1", "x/y:1"]
        {
            check(text, text, EntryFault::Host);
        }
        check(&format!("{}:1", "a".repeat(64)), &format!("{}:1", "a".repeat(64)), EntryFault::Host);
        for text in ["0.0.0.0:7000", "[::]:7000", "[::ffff:0.0.0.0]:1"] {
            check(text, text, EntryFault::Unspecified);
        }
        let error = "lab1:7000,lab2".parse::<NodeList>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`lab2` has no port; a node is written as host:port, such as lab1:7000, 10.0.0.5:7000 or [::1]:7000"
        );
    }

    #[test]
    fn no_two_are_alike() {
        let check = |text: &str, said: &str| {
            assert_eq!(text.parse::<NodeList>().unwrap_err().to_string(), said, "{text}");
        };
        check("a:1,b:1,A:1", "`a:1` stands there twice: each node needs an address of its own");
        check("[::1]:1,[0:0::1]:1", "`[::1]:1` stands there twice: each node needs an address of its own");
    }

    #[test]
    fn there_are_at_most_1024() {
        let list = |count: u32| (1..=count).map(|port| format!("a:{port}")).collect::<Vec<_>>().join(",");
        assert_eq!(list(1024).parse::<NodeList>().unwrap().len(), 1024);
        assert_eq!(list(1025).parse::<NodeList>(), Err(ParseNodesError::TooMany { found: 1025 }));
    }

    #[test]
    fn loopback_is_told_from_the_network() {
        let check = |text: &str, loopback| {
            assert_eq!(text.parse::<NodeList>().unwrap().is_loopback_only(), loopback, "{text}");
        };
        check(
            "localhost:1,LOCALHOST:2,a.localhost:1,127.0.0.1:1,127.9.9.9:1,[::1]:1,[::ffff:127.0.0.1]:3",
            true,
        );
        for text in ["localhost:1,lab1:1", "10.0.0.1:1", "[::2]:1", "localhost.lab:1", "mylocalhost:1"] {
            check(text, false);
        }
    }

    #[test]
    fn a_scenario_file_may_have_a_text_or_a_list() {
        #[derive(serde::Deserialize)]
        struct File {
            nodes: NodeList,
        }
        for toml in ["nodes = \"a:1,b:2\"", "nodes = [\"a:1\", \"b:2\"]"] {
            assert_eq!(toml::from_str::<File>(toml).unwrap().nodes.to_string(), "a:1,b:2");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_and_read_again(text in "(\\PC{0,12}|[a-c0-9:.\\[\\],]{0,20})") {
            if let Ok(list) = text.parse::<NodeList>() {
                prop_assert_eq!(list.to_string().parse::<NodeList>(), Ok(list));
            }
        }
    }
}
