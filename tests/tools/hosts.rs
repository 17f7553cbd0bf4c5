//! Runs over what is more than loopback: hosts with a cable between them, and this machine's own address.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{self, Command};

use crate::common::cluster::{Cluster, replaced};
use crate::wants::{self, Want};

const NAMESPACES: Want = Want {
    missing: "no right to make network namespaces, or no `ip` (root, and Debian: iproute2)",
    is_here: || Hosts::new("w").is_some(),
};
const OWN_ADDRESS: Want =
    Want { missing: "no address of this machine but loopback", is_here: || own_address().is_some() };

wants::wanting!(
    NAMESPACES: hosts_in_namespaces_come_through_a_link_that_is_down;
    OWN_ADDRESS: without_a_key_other_addresses_are_joined_where_one_says_so;
);

/// Two hosts with a cable between them, each a network namespace of this machine. They go with it.
struct Hosts(String);

impl Hosts {
    /// None where this machine, or who runs the test, may not make them.
    fn new(purpose: &str) -> Option<Self> {
        let hosts = Self(format!("clk{}{purpose}", process::id()));
        let Self(name) = &hosts;
        let made = ip(&format!("netns add {name}a"))
            && ip(&format!("netns add {name}b"))
            && ip(&format!("link add {name}x netns {name}a type veth peer name {name}y netns {name}b"))
            && ip(&format!("-n {name}a addr add 10.213.7.1/24 dev {name}x"))
            && ip(&format!("-n {name}b addr add 10.213.7.2/24 dev {name}y"))
            && hosts.set("up")
            && ip(&format!("-n {name}b link set {name}y up"));
        made.then_some(hosts)
    }

    /// Plugs the cable in, or out.
    fn set(&self, state: &str) -> bool {
        ip(&format!("-n {}a link set {}x {state}", self.0, self.0))
    }

    /// The same command on one of the hosts.
    fn on(&self, host: &str, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &format!("{}{host}", self.0)]).arg(command.get_program());
        there.args(command.get_args()).current_dir(command.get_current_dir().unwrap());
        there
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in ["a", "b"] {
            ip(&format!("netns del {}{host}", self.0));
        }
    }
}

fn ip(args: &str) -> bool {
    let output = Command::new("ip").args(args.split_whitespace()).output();
    output.is_ok_and(|output| output.status.success())
}

fn hosts_in_namespaces_come_through_a_link_that_is_down() {
    let hosts = Hosts::new("t").unwrap();
    let mut cluster = Cluster::new(2, "--vms 4 --duration 9 --rates 50 --cluster-key-file key");
    fs::write(cluster.folder.path().join("key"), "a key for two hosts, drawn at random").unwrap();
    let before: Vec<String> = cluster.ports.iter().map(|port| port.address.to_string()).collect();
    cluster.list = vec!["10.213.7.1:7000".into(), "10.213.7.2:7000".into()];
    let nodes = [(0, "a"), (1, "b")].map(|(node, host)| {
        let command = replaced(&cluster.command(node, ""), &before[node], &cluster.list[node]);
        cluster.spawn(node, hosts.on(host, &command))
    });
    (0..2).for_each(|node| cluster.wait_for_events(node, 20));
    assert!(hosts.set("down"));
    cluster.wait_for_bridge(0, "lost", Some(1));
    cluster.wait_for_bridge(1, "lost", Some(0));
    assert!(hosts.set("up"));
    cluster.wait_for_bridge(0, "back", Some(1));
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    cluster.assert_whole();
}

/// The address by which others reach this machine. No packet is sent for it.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

fn without_a_key_other_addresses_are_joined_where_one_says_so() {
    let own = own_address().unwrap();
    let mut cluster = Cluster::new(2, "--vms 2 --duration 1 --rates 20 --no-cluster-key");
    let before: Vec<String> = cluster.ports.iter().map(|port| port.address.to_string()).collect();
    cluster.list =
        cluster.ports.iter().map(|port| SocketAddr::new(own, port.address.port()).to_string()).collect();
    let nodes = [0, 1].map(|node| {
        let to = if node == 0 { &cluster.list[0] } else { "0.0.0.0:PORT" };
        let port = cluster.list[node].rsplit_once(':').unwrap().1;
        cluster.spawn(node, replaced(&cluster.command(node, ""), &before[node], &to.replace("PORT", port)))
    });
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    cluster.assert_whole();
}
