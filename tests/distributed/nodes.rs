//! Runs over several processes, as people start them and as networks, keyboards and the kernel treat them: in any
//! order, with nodes that are missing, wrong, stopped, killed and started again, and with strangers at the ports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::iter::Peekable;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use clocklab::clock::{ClockList, Stamp};
use clocklab::edge::link::codec::Encoder;
use clocklab::edge::link::frame::{self, Frames, Lane};
use clocklab::edge::link::greeting::{self, Hello, Identity};
use clocklab::edge::link::session::{Arrival, Session};
use clocklab::edge::link::word::Word;
use clocklab::model::event::{Message, MessageId};
use clocklab::model::id::VmId;
use clocklab::model::time::Nanos;

use crate::common::cluster::{self, Cluster, Node, append, replaced};
use crate::common::program::{news, wait_until};
use crate::common::{self, Run, bridge_rows, is_log, names};
use crate::proxy::{Cut, Direction, Proxy};

cases!(
    nodes_start_in_any_order,
    three_nodes_over_a_bad_network_account_for_every_message,
    many_machines_share_logs,
    a_missing_node_is_named,
    an_interrupt_ends_the_waiting,
    a_port_in_use_is_named_and_nothing_is_overwritten,
    wrong_nodes_are_refused_and_the_right_one_is_not_disturbed,
    a_run_of_another_node_or_with_other_settings_is_not_resumed,
    two_that_are_node_0_are_told,
    an_own_name_that_is_not_known_is_waited_for,
    a_name_that_only_this_machine_reaches_is_told,
    nodes_do_not_share_a_folder,
    the_others_go_on_without_a_killed_node,
    a_killed_node_goes_on_where_its_logs_end,
    a_killed_node_0_goes_on_as_well,
    a_node_whose_log_lost_its_end_does_not_go_on,
    where_all_nodes_died_one_whose_log_lost_its_end_does_not_go_on_either,
    a_log_that_lost_its_end_is_missed_by_another_of_its_node_as_well,
    a_node_killed_before_the_start_may_come_again,
    node_0_killed_before_the_start_may_come_again,
    a_resumed_node_counts_what_it_has_for_one_that_it_never_meets,
    all_nodes_killed_all_go_on,
    a_node_started_anew_cannot_join_a_run_under_way,
    a_process_that_has_a_successor_is_refused,
    one_that_leaves_is_waited_for_no_more,
    one_that_leaves_and_loses_its_connection_says_farewell_over_another,
    one_that_left_may_come_back,
    all_may_leave_at_once,
    clients_go_on_while_the_server_is_away,
    a_resume_after_the_last_tick_ends_when_nobody_is_there,
    a_resume_after_the_end_ends_with_a_word,
    a_stopped_process_is_lost_and_comes_back,
    cuts_at_many_moments_lose_nothing,
    cuts_after_any_number_of_bytes_lose_nothing,
    a_silent_network_loses_nothing,
    a_refusing_network_loses_nothing_and_a_slow_one_neither,
    bytes_that_nobody_sent_break_a_connection_and_not_the_link,
    recorded_frames_that_come_again_lose_nothing,
    strangers_at_the_port_are_logged_and_disturb_nothing,
    who_connects_and_says_nothing_is_closed,
    slow_strangers_keep_nobody_from_joining,
    a_flood_of_bytes_costs_no_memory,
    what_no_machine_can_have_sent_is_refused_and_never_counted,
    ever_new_processes_leave_few_rows,
    nodes_with_one_key_say_nothing_that_others_could_read,
    a_wrong_key_or_none_gets_a_closed_connection_and_a_row,
    other_addresses_ask_for_a_key,
);

// ---- starting ----

fn nodes_start_in_any_order() {
    let cluster = Cluster::new(2, "--vms 4 --duration 2 --rates 60");
    let late = cluster.start(1);
    late.wait_for("waiting for node 0");
    let first = cluster.start(0);
    let said = late.end(0);
    assert_eq!(said.matches("Connection refused").count(), 1, "one notice of one thing: {said}");
    assert_eq!(news(&said), [""; 0]);
    // The late one asks now and then: the first may have to wait for it in turn.
    let said = first.end(0);
    assert!(said.matches("waiting for node 1 (").count() == said.matches("waiting for ").count(), "{said}");
    assert_eq!(news(&said), [""; 0]);
    let run = cluster.assert_whole();
    assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [120; 4]);
    assert!(
        run.rows().any(|row| row.kind == "receive" && run.homes[&row.vm] == 0 && row.peers.as_str() > "[1]")
    );
    // Each bridge tells of the whole life of its link, and of nothing else.
    let whats: Vec<_> = run.bridges[0].iter().map(|row| row.what.as_str()).collect();
    assert!(
        matches!(whats[..], ["listen", "connect" | "accept", "start", "end", "total", "total"]),
        "{whats:?}"
    );
}

fn three_nodes_over_a_bad_network_account_for_every_message() {
    let cluster = Cluster::new(
        3,
        "--vms 7 --duration 2 --rates 40-90 --draw 4 --loss 0.1 --duplicate 0.1 --latency 1ms-300ms --skew 50ms --seed 5",
    );
    let nodes = [2, 0, 1].map(|node| cluster.start(node));
    nodes.into_iter().for_each(|node| assert_eq!(news(&node.end(0)), [""; 0]));
    let run = cluster.assert_whole();
    assert_eq!(run.vms.len(), 7);
    let sum = |column: &str| run.summary.iter().map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>();
    assert!(sum("in_flight") > 0 && sum("messages_lost") > 0 && sum("messages_duplicated") > 0);
}

fn many_machines_share_logs() {
    let cluster =
        Cluster::new(3, "--vms 500 --duration 2 --rates 5-10 --clocks lamport --log combined --threads 2");
    cluster.start_all().into_iter().for_each(|node| assert_eq!(news(&node.end(0)), [""; 0]));
    assert_eq!(cluster.assert_whole().vms.len(), 500);
}

fn a_missing_node_is_named() {
    for (here, missing) in [(0, 1), (1, 0)] {
        let cluster = Cluster::new(2, "--vms 4 --duration 60 --join-timeout 2500ms");
        let said = cluster.start(here).end(1);
        let name = format!("node {missing} ({})", cluster.list[missing]);
        let reason = format!("{name}: Connection refused");
        assert_eq!(said.matches(&format!("waiting for {reason}\n")).count(), 1, "{said}");
        let error =
            format!("error: the run did not start within 2.5 s; {name} is missing: Connection refused\n");
        assert!(said.ends_with(&error), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}

fn an_interrupt_ends_the_waiting() {
    for here in [0, 1] {
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let cluster = Cluster::new(2, "--vms 4 --duration 60");
            let node = cluster.start(here);
            node.wait_for("waiting for node");
            node.signal(signal);
            node.end(code);
        }
    }
}

fn a_port_in_use_is_named_and_nothing_is_overwritten() {
    let cluster = Cluster::new(2, "--vms 4 --duration 1");
    fs::create_dir(cluster.output(1)).unwrap();
    let earlier = cluster.output(1).join("vm_0_1.csv");
    fs::write(&earlier, "an earlier run").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = cluster.start_with(0, "").said();
    assert_eq!(said, "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(cluster.folder.path());
    command.args([
        "--nodes",
        &format!("{},{address}", cluster.list[0]),
        "--node",
        "1",
        "--output",
        "o1",
        "--vms",
        "4",
    ]);
    let said = cluster.spawn(1, command).end(1);
    assert!(
        said.starts_with(&format!("error: cannot listen at {address}: Address already in use")),
        "{said}"
    );
    assert_eq!(fs::read_to_string(earlier).unwrap(), "an earlier run");
    assert_eq!(names(&cluster.output(1)).len(), 1);
}

fn wrong_nodes_are_refused_and_the_right_one_is_not_disturbed() {
    let cluster = Cluster::new(2, "--duration 2 --rates 50");
    // Another run of two, which somebody interrupted.
    let others = cluster.start_all_and_run_with("--vms 4 --seed 7");
    others.iter().for_each(|node| node.signal("INT"));
    others.into_iter().for_each(|node| drop(node.end(130)));
    fs::rename(cluster.output(1), cluster.folder.path().join("another")).unwrap();

    let first = cluster.start_with(0, "--vms 4 --seed 7");
    cluster.wait_for_bridge(0, "listen", None);
    let refused = |node: Node, here: &str, there: &str| {
        let said = node.end(1);
        let name = format!("node 0 ({})", cluster.list[0]);
        assert!(said.contains(&format!("{name} does not let this process join: ")), "{said}");
        assert!(said.contains(here), "{said}");
        first.wait_for(there);
        wait_until("a row of it", || {
            cluster.bridge(0, "refuse", None).iter().any(|row| row.reason.contains(there))
        });
    };
    refused(
        cluster.start_with(1, "--vms 5"),
        "its vms is 4, and here it is 5",
        "its vms is 5, and here it is 4",
    );
    refused(
        cluster.start_with(1, "--vms 4 --draw 5"),
        "its draw is 10, and here it is 5",
        "its draw is 5, and here it is 10",
    );
    refused(
        cluster.start_with(1, "--vms 4 --seed 9"),
        "its seed is 7, and here it is 9",
        "its seed is 9, and here it is 7",
    );
    let mut three = cluster.command(1, "--vms 4");
    let more = format!("{},127.0.0.1:9", cluster.list.join(","));
    three = replaced(&three, &cluster.list.join(","), &more);
    refused(
        cluster.spawn(1, three),
        "it counts 2 nodes, and this process 3",
        "it counts 3 nodes, and this process 2",
    );
    let another = replaced(&cluster.command(1, "--resume"), "o1", "another");
    refused(cluster.spawn(1, another), "it belongs to run", "it belongs to run");
    let said = first.said();
    assert_eq!(said.matches("refused a connection").count(), 5, "each is told of once: {said}");

    let right = cluster.start_with(1, "--vms 4");
    assert_eq!(news(&right.end(0)), [""; 0]);
    first.end(0);
    let run = cluster.assert_whole();
    assert_eq!(run.manifest["seed"].as_integer(), Some(7));
}

fn a_run_of_another_node_or_with_other_settings_is_not_resumed() {
    let cluster = Cluster::new(2, "--duration 60 --rates 50");
    let nodes = cluster.start_all_and_run_with("--vms 4");
    nodes.into_iter().for_each(Node::kill);
    let before = fs::read(cluster.output(1).join("run.toml")).unwrap();
    let said = cluster.start_with(1, "--vms 5 --resume").end(2);
    assert!(said.contains("'--vms'") && said.contains("has 4"), "{said}");
    let said = cluster.spawn(0, replaced(&cluster.command(0, "--resume"), "o0", "o1")).end(2);
    assert!(said.contains("node 1 of 2, and this process is node 0 of 2"), "{said}");
    let said = cluster.spawn(0, replaced(&cluster.command(0, "--resume"), "o0", "nowhere")).end(2);
    assert!(said.contains("nowhere/run.toml"), "{said}");
    assert_eq!(fs::read(cluster.output(1).join("run.toml")).unwrap(), before, "nothing was touched");
}

fn two_that_are_node_0_are_told() {
    let cluster = Cluster::new(2, "--vms 4 --duration 60 --join-timeout 3s");
    let command = replaced(&cluster.command(0, ""), "o0", "o1");
    let ports = [0, 1].map(|node| cluster.ports[node].address.to_string());
    let nodes = [cluster.start(0), cluster.spawn(1, replaced(&command, &ports[0], &ports[1]))];
    for node in nodes {
        let said = node.end(1);
        assert!(
            said.contains("both processes are started as node 0: each needs a number of its own with --node"),
            "{said}"
        );
    }
}

fn an_own_name_that_is_not_known_is_waited_for() {
    let cluster = Cluster::new(2, "--no-cluster-key --vms 4 --duration 60");
    let command = |timeout: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
        command
            .current_dir(cluster.folder.path())
            .args(["--nodes", &format!("nobody.invalid:7000,{}", cluster.list[1])]);
        command.args(["--node", "0", "--no-cluster-key", "--join-timeout", timeout]);
        command
    };
    let waits = "waiting until nobody.invalid:7000, where this node is to listen, has an address: ";
    let said = cluster.spawn(0, command("1s")).end(1);
    assert!(
        said.starts_with(waits) && said.contains("error: cannot listen at nobody.invalid:7000: "),
        "{said}"
    );
    assert!(said.contains("--listen"), "{said}");
    let node = cluster.spawn(0, command("60s"));
    node.wait_for(waits);
    node.signal("INT");
    let said = node.end(130);
    assert!(said.ends_with("Interrupted before the run began. Nothing was written.\n"), "{said}");
}

fn a_name_that_only_this_machine_reaches_is_told() {
    let cluster = Cluster::new(2, "--no-cluster-key --vms 4 --duration 60 --join-timeout 1s");
    let port = cluster.ports[0].address.port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(cluster.folder.path());
    command.args(["--nodes", &format!("localhost:{port},192.0.2.1:9"), "--node", "0", "--output", "o0"]);
    command.args(["--no-cluster-key", "--vms", "4", "--join-timeout", "1s"]);
    let said = cluster.spawn(0, command).end(1);
    assert!(said.contains("where no other host reaches it"), "{said}");
    assert!(said.contains(&format!("--listen 0.0.0.0:{port}")), "{said}");
}

fn nodes_do_not_share_a_folder() {
    let cluster = Cluster::new(2, "--vms 4 --duration 60");
    let first = cluster.start(0);
    cluster.wait_for_bridge(0, "listen", None);
    let said = cluster.spawn(1, replaced(&cluster.command(1, ""), "o1", "o0")).end(1);
    assert!(said.contains("another run is writing to o0; choose another folder with --output"), "{said}");
    assert!(said.contains("each needs a folder of its own: with --node auto"), "{said}");
    first.signal("INT");
    first.end(130);
    let part = Run::read(&cluster.output(0));
    assert_eq!((part.status(), part.summary.len()), ("interrupted", 2), "it waited for the other");
}

// ---- dying ----

fn the_others_go_on_without_a_killed_node() {
    let cluster = Cluster::new(3, "--vms 6 --duration 3 --rates 80");
    let mut nodes = cluster.start_all_and_run();
    nodes.remove(1).kill();
    let name = format!("node 1 ({})", cluster.list[1]);
    for (node, number) in nodes.into_iter().zip([0, 2]) {
        let said = node.end(0);
        assert_eq!(said.matches(&format!("lost the connection to {name}: ")).count(), 1, "{said}");
        let lost = cluster.bridge(number, "total", Some(1))[0].lost.unwrap();
        let warning = format!("warning: {name} is gone: away for ");
        assert!(
            said.contains(&warning)
                && said.contains(&format!("; {lost} messages to it may not have arrived")),
            "{said}"
        );
        assert!(lost > 0);
        assert_eq!(cluster.bridge(number, "lost", Some(1)).len(), 1);
        assert_eq!(cluster.bridge(number, "gone", Some(1)).len(), 1);
        assert!(news(&said).len() <= 4, "few words: {said}");
    }
    let run = cluster.run();
    run.assert_sound();
    assert_eq!([0, 1, 4, 5].map(|vm| run.vms[&vm].len()), [240; 4]);
    assert_eq!(Run::read(&cluster.output(1)).status(), "running");
}

fn a_killed_node_goes_on_where_its_logs_end() {
    let cluster = Cluster::new(3, "--vms 6 --duration 5 --rates 80");
    let mut nodes = cluster.start_all_and_run();
    nodes.remove(1).kill();
    cluster.wait_for_bridge(0, "lost", Some(1));
    cluster.wait_for_events(0, 50);
    let (log, before) = (cluster.a_log(1), cluster.events(1));
    append(&log, b"2,9999,send,0.5");
    let again = cluster.start_with(1, "--resume");
    for node in nodes {
        let said = node.end(0);
        assert!(said.contains("warning: node 1 (") && said.contains("was started again\n"), "{said}");
        let counted = format!("messages to node 1 ({}) were lost with processes that died", cluster.list[1]);
        assert!(said.contains(&counted), "{said}");
        assert!(news(&said).len() <= 5, "few words: {said}");
    }
    let said = again.end(0);
    assert!(news(&said).iter().all(|line| line.contains("were lost with processes that died")), "{said}");
    let torn = log.with_file_name(format!("{}.torn", log.file_name().unwrap().to_str().unwrap()));
    assert_eq!(fs::read_to_string(torn).unwrap(), "2,9999,send,0.5");
    let run = cluster.assert_sound();
    for node in [0, 2] {
        let restarted = cluster.bridge(node, "restarted", Some(1));
        assert_eq!(restarted.len(), 1);
        let lost = cluster.bridge(node, "total", Some(1))[0].lost.unwrap();
        let counted = cluster.bridge(node, "counted", Some(1));
        assert!(lost > 0 && counted.len() == 1, "{counted:?}");
        assert!(counted[0].reason.starts_with(&format!("{lost} messages")), "{counted:?}");
    }
    let after: usize = [2, 3].iter().map(|vm| run.vms[vm].len()).sum();
    assert!(before < after && after < 800, "ticks that nobody made: {before}, {after}");
    assert_eq!(common::resumes(&cluster.outputs()), [0, 0, 1, 1, 0, 0], "as the bridges' logs tell");
    assert_eq!(run.unaccounted(), 0, "logs at both ends tell what was lost");
    let heard = |home: usize, from: usize| {
        let rows = run.rows().filter(|row| row.kind == "receive" && run.homes[&row.vm] == home);
        rows.filter(|row| run.homes[&row.sender()] == from && row.elapsed() > 4_000_000_000).count()
    };
    assert!(heard(0, 1) > 0 && heard(1, 2) > 0, "all speak with each other again");
}

fn a_killed_node_0_goes_on_as_well() {
    let cluster = Cluster::new(2, "--vms 4 --duration 4 --rates 80");
    let mut nodes = cluster.start_all_and_run();
    nodes.remove(0).kill();
    cluster.wait_for_bridge(1, "lost", Some(0));
    let again = cluster.start_with(0, "--resume");
    nodes.remove(0).end(0);
    again.end(0);
    let run = cluster.assert_sound();
    assert_eq!(run.unaccounted(), 0);
    assert_eq!(cluster.bridge(0, "start", None).len(), 2);
}

/// The event of a machine's latest message that a node has received, by its logs, which may still grow.
fn latest_heard(cluster: &Cluster, node: usize, sender: u32) -> u64 {
    let folder = cluster.output(node);
    let mut latest = 0;
    for name in names(&folder).into_iter().filter(|name| is_log(name)) {
        let content = fs::read_to_string(folder.join(name)).unwrap();
        let whole = content.rfind('\n').map_or(0, |last| last + 1);
        let rows = csv::Reader::from_reader(&content.as_bytes()[..whole]).into_deserialize::<common::Row>();
        for row in rows.map(Result::unwrap).filter(|row| row.kind == "receive") {
            let (vm, event) = row.message.strip_prefix("vm").unwrap().split_once('-').unwrap();
            if vm.trim_start_matches("vm") == sender.to_string() {
                latest = latest.max(event.parse().unwrap());
            }
        }
    }
    latest
}

fn a_node_whose_log_lost_its_end_does_not_go_on() {
    lose_the_end_of_a_log(2, 1, false);
}

fn where_all_nodes_died_one_whose_log_lost_its_end_does_not_go_on_either() {
    lose_the_end_of_a_log(2, 1, true);
}

fn a_log_that_lost_its_end_is_missed_by_another_of_its_node_as_well() {
    lose_the_end_of_a_log(4, 2, false);
}

/// As after a power cut: rows of a machine of node 1 that were with the operating system have not come to the disk.
fn lose_the_end_of_a_log(vms: u32, vm: u32, all_die: bool) {
    let cluster = Cluster::new(2, &format!("--vms {vms} --duration 10 --rates 80 --join-timeout 20s"));
    let mut nodes = cluster.start_all_and_run();
    let log = |vm: u32| {
        let folder = cluster.output(1);
        let name = names(&folder).into_iter().find(|name| name.starts_with(&format!("vm_{vm}_")));
        folder.join(name.unwrap())
    };
    wait_until("a message that arrived", || latest_heard(&cluster, 0, vm) > 9);
    nodes.remove(1).kill();
    if all_die {
        nodes.remove(0).kill();
    }
    let (whole, heard) = (fs::read_to_string(log(vm)).unwrap(), latest_heard(&cluster, 0, vm));
    let kept: Vec<&str> = whole.lines().take(usize::try_from(heard - 2).unwrap() + 1).collect();
    fs::write(log(vm), format!("{}\n", kept.join("\n"))).unwrap();
    if all_die {
        nodes.push(cluster.start_with(0, "--resume"));
    }
    let said = cluster.start_with(1, "--resume").end(1);
    let name = format!("node 0 ({})", cluster.list[0]);
    let ends = format!(
        "of machine {vm}, and the log of that machine ends with event {}: its last rows are missing",
        heard - 2
    );
    // Another machine of the same process may have come further than the one whose log is short.
    let who = if vms == 2 { name } else { String::new() };
    let has = said.contains(&format!("{who} has a message of event "));
    assert!(has && said.contains(&ends), "{said}");
    let lines = fs::read_to_string(log(vm)).unwrap().lines().count() as u64;
    assert_eq!(lines, heard - 2 + 1, "no event has been made");
    let check = || {
        let mut check = Command::new(env!("CARGO_BIN_EXE_clocklab"));
        let output = check.arg("check").args(cluster.outputs()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let told = check();
    let ends = format!(
        "a part: the log of machine {vm} ends with event {}, and others heard of its event ",
        heard - 2
    );
    let known = told.lines().find_map(|line| line.split_once(&ends)?.1.parse::<u64>().ok());
    // Node 0 may have received more since, and the other machine of node 1 may have heard of more.
    let made = whole.lines().count() as u64 - 1;
    assert!(known.is_some_and(|known| (heard..=made).contains(&known)), "of {heard} to {made}: {told}");
    // The rows are put back, and it goes on.
    fs::write(log(vm), &whole).unwrap();
    let again = cluster.start_with(1, "--resume");
    nodes.remove(0).end(0);
    again.end(0);
    let run = cluster.assert_sound();
    assert!(run.vms[&vm].len() > whole.lines().count(), "it has gone on");
}

fn a_node_killed_before_the_start_may_come_again() {
    for more in ["--resume", ""] {
        let cluster = Cluster::new(3, "--vms 6 --duration 1 --rates 80");
        let mut nodes = vec![cluster.start(0)];
        let killed = cluster.start(1);
        wait_until("a link", || {
            cluster.output(0).exists()
                && !(cluster.bridge(0, "connect", Some(1)).is_empty()
                    && cluster.bridge(0, "accept", Some(1)).is_empty())
        });
        killed.kill();
        cluster.wait_for_bridge(0, "lost", Some(1));
        nodes.push(cluster.start_with(1, more));
        cluster.wait_for_bridge(0, "restarted", Some(1));
        nodes.push(cluster.start(2));
        nodes.into_iter().for_each(|node| drop(node.end(0)));
        let run = cluster.assert_whole();
        assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [80; 6]);
    }
}

fn node_0_killed_before_the_start_may_come_again() {
    let cluster = Cluster::new(3, "--vms 6 --duration 1 --rates 80");
    let killed = cluster.start(0);
    let mut nodes = vec![cluster.start(1)];
    wait_until("a link", || {
        cluster.output(1).exists()
            && !(cluster.bridge(1, "connect", Some(0)).is_empty()
                && cluster.bridge(1, "accept", Some(0)).is_empty())
    });
    killed.kill();
    cluster.wait_for_bridge(1, "lost", Some(0));
    nodes.push(cluster.start_with(0, "--resume"));
    cluster.wait_for_bridge(1, "restarted", Some(0));
    nodes.push(cluster.start(2));
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    cluster.assert_whole();
}

fn a_resumed_node_counts_what_it_has_for_one_that_it_never_meets() {
    let mut cluster = Cluster::new(3, "--vms 6 --duration 3 --rates 80");
    let proxy = Proxy::to(cluster.ports[1].address);
    let direct = std::mem::replace(&mut cluster.list[1], proxy.address().to_string());
    let mut nodes = vec![cluster.start(0), cluster.start(2)];
    let killed = cluster.start(1);
    (0..3).for_each(|node| cluster.wait_for_events(node, 30));
    killed.kill();
    proxy.refuse();
    let nowhere = cluster::Port::new();
    cluster.list = vec![cluster.list[0].clone(), direct, nowhere.address.to_string()];
    nodes.push(cluster.start_with(1, "--resume"));
    for node in nodes {
        node.end(0);
    }
    let run = cluster.run();
    run.assert_sound();
    for (node, other) in [(1, 2), (2, 1)] {
        assert_eq!(cluster.bridge(node, "gone", Some(other)).len(), 1);
        assert!(cluster.bridge(node, "total", Some(other))[0].lost > Some(0));
    }
    // These two have never told each other what they know: some that count as lost may have arrived.
    assert!(run.unaccounted() >= -20);
}

fn all_nodes_killed_all_go_on() {
    let cluster = Cluster::new(2, "--vms 4 --duration 3 --rates 80");
    cluster.start_all_and_run().into_iter().for_each(Node::kill);
    let before = [0, 1].map(|node| cluster.events(node));
    let nodes = [1, 0].map(|node| cluster.start_with(node, "--resume"));
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    let run = cluster.assert_sound();
    assert_eq!(run.unaccounted(), 0);
    assert!([0, 1].iter().all(|node| cluster.events(*node) > before[*node] + 100));
    // Both go on where the one of them ends that has come further.
    assert!(run.vms.values().all(|rows| rows.len() > 200));
}

fn a_node_started_anew_cannot_join_a_run_under_way() {
    let cluster = Cluster::new(2, "--vms 4 --duration 3 --rates 80");
    let mut nodes = cluster.start_all_and_run();
    nodes.remove(1).kill();
    cluster.wait_for_bridge(0, "lost", Some(1));
    let said = cluster.start(1).end(1);
    assert!(said.contains("--resume"), "{said}");
    assert!(!cluster.output(1).join("previous").exists(), "nothing was touched");
    let again = cluster.start_with(1, "--resume");
    nodes.remove(0).end(0);
    again.end(0);
    cluster.assert_sound();
}

/// Somebody copies a node's folder and starts it once more: only one of the two takes part.
fn a_process_that_has_a_successor_is_refused() {
    let cluster = Cluster::new(2, "--vms 4 --duration 5 --rates 50");
    let mut nodes = cluster.start_all_and_run();
    let (old, first) = (nodes.remove(1), nodes.remove(0));
    // What it does after that the copy would not know, and could not go on with.
    old.signal("STOP");
    let copy = cluster.folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in names(&cluster.output(1)) {
        fs::copy(cluster.output(1).join(&name), copy.join(&name)).unwrap();
    }
    let port = cluster::Port::new();
    let command = replaced(&cluster.command(1, "--resume"), "o1", "copy");
    let command = replaced(&command, &cluster.ports[1].address.to_string(), &port.address.to_string());
    let list = format!("{},{}", cluster.list[0], port.address);
    let new = cluster.spawn(1, replaced(&command, &cluster.list.join(","), &list));
    cluster.wait_for_bridge(0, "restarted", Some(1));
    old.signal("CONT");
    wait_until("a refusal", || {
        bridge_rows(&cluster.output(0), 0)
            .iter()
            .any(|row| row.what == "refuse" && row.reason.contains("after it"))
    });
    old.kill();
    first.end(0);
    new.end(0);
    assert_eq!(cluster.bridge(0, "restarted", Some(1)).len(), 1);
    assert_eq!(Run::read(&copy).status(), "complete");
}

fn one_that_leaves_is_waited_for_no_more() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let cluster = Cluster::new(3, "--vms 6 --duration 2 --rates 80");
        let mut nodes = cluster.start_all_and_run();
        let leaver = nodes.remove(2);
        leaver.signal(signal);
        let said = leaver.end(code);
        assert!(said.starts_with("Interrupted after "), "{said}");
        for (number, node) in nodes.into_iter().enumerate() {
            let said = node.end(0);
            let name = format!("node 2 ({})", cluster.list[2]);
            assert_eq!(said.matches(&format!("warning: {name} has left the run")).count(), 1, "{said}");
            assert!(
                said.contains("messages were not sent, since the process that they were for was away"),
                "{said}"
            );
            assert_eq!(news(&said).len(), 3, "{said}");
            assert!(cluster.bridge(number, "dropped", Some(2)).len() < 12, "few rows");
        }
        let run = cluster.run();
        run.assert_sound();
        assert_eq!(run.unaccounted(), 0, "one that leaves in order leaves nothing unknown");
        assert_eq!(Run::read(&cluster.output(2)).status(), "interrupted");
    }
}

fn one_that_leaves_and_loses_its_connection_says_farewell_over_another() {
    let (cluster, proxies) = behind_proxies("--vms 4 --duration 3 --rates 80");
    let mut nodes = cluster.start_all_and_run();
    let leaver = nodes.remove(1);
    // The farewell has arrived, and the answer to it is on its way, when the connection is cut.
    let answers = proxies.iter().zip([Direction::Back, Direction::There]);
    answers.clone().for_each(|(proxy, direction)| proxy.hold(direction));
    leaver.signal("INT");
    cluster.wait_for_bridge(0, "left", Some(1));
    let cuts: usize = proxies.iter().map(|proxy| proxy.cut(Cut::Rst)).sum();
    assert!(cuts > 0);
    answers.for_each(|(proxy, direction)| proxy.release(direction));
    leaver.end(130);
    let said = nodes.remove(0).end(0);
    assert!(said.contains("has left the run") && !said.contains("is gone"), "{said}");
    let run = cluster.run();
    run.assert_sound();
    assert_eq!(run.unaccounted(), 0);
}

fn one_that_left_may_come_back() {
    let cluster = Cluster::new(2, "--vms 4 --duration 4 --rates 80");
    let mut nodes = cluster.start_all_and_run();
    let leaver = nodes.remove(1);
    leaver.signal("INT");
    leaver.end(130);
    cluster.wait_for_bridge(0, "left", Some(1));
    cluster.wait_for_events(0, 20);
    let again = cluster.start_with(1, "--resume");
    nodes.remove(0).end(0);
    again.end(0);
    let run = cluster.assert_sound();
    let late = |row: &&common::Row| row.kind == "receive" && row.elapsed() > 3_000_000_000;
    let is_from_there = |row: &&common::Row| run.homes[&row.sender()] != run.homes[&row.vm];
    assert!(run.rows().filter(late).filter(is_from_there).count() > 0, "they speak with each other again");
    assert!(run.unaccounted() >= 0);
}

fn all_may_leave_at_once() {
    let cluster = Cluster::new(3, "--vms 6 --duration 60 --rates 80");
    let nodes = cluster.start_all_and_run();
    nodes.iter().for_each(|node| node.signal("INT"));
    nodes.into_iter().for_each(|node| drop(node.end(130)));
    let run = cluster.run();
    run.assert_sound();
    assert_eq!(run.unaccounted(), 0);
}

fn clients_go_on_while_the_server_is_away() {
    let cluster = Cluster::new(3, "--workload client-server --vms 6 --duration 5 --rates 80");
    let mut nodes = [2, 1, 0].map(|node| cluster.start(node)).into_iter().collect::<Vec<_>>();
    let codes = |node: usize| {
        let logs = names(&cluster.output(node)).into_iter().filter(|name| is_log(name));
        let codes =
            |name| fs::read_to_string(cluster.output(node).join(name)).unwrap().matches(",receive,").count();
        logs.map(codes).sum::<usize>()
    };
    wait_until("codes at all clients", || {
        [1, 2].iter().all(|node| cluster.events(*node) > 0 && codes(*node) > 5)
    });
    nodes.pop().unwrap().kill();
    cluster.wait_for_bridge(1, "lost", Some(0));
    let before = codes(1);
    cluster.wait_for_events(1, 60);
    let between = codes(1);
    assert!(between <= before + 40, "nobody answers while the server is away");
    nodes.push(cluster.start_with(0, "--resume"));
    wait_until("more codes", || codes(1) > between + 5);
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    let run = cluster.assert_sound();
    assert_eq!(run.unaccounted(), 0);
    assert!(
        [1, 2, 3, 4, 5].iter().all(|vm| run.vms[vm].iter().any(|row| row.kind == "receive")),
        "more clients than one"
    );
}

/// Its last row is written, and the farewell of the other one does not come before both are killed.
fn a_resume_after_the_last_tick_ends_when_nobody_is_there() {
    let (cluster, proxies) = behind_proxies("--vms 4 --duration 2 --rates 50");
    let nodes = cluster.start_all();
    cluster.wait_for_events(1, 30);
    proxies.iter().for_each(Proxy::black_hole);
    wait_until("all events", || cluster.events(1) == 200);
    nodes.into_iter().for_each(Node::kill);
    drop(proxies);
    let said = cluster.start_with(1, "--resume").end(0);
    let word = "there is nothing to go on with: no other node is there any more";
    assert!(said.contains(word), "{said}");
    let part = Run::read(&cluster.output(1));
    assert_eq!((part.status(), part.summary.len(), part.rows().count()), ("complete", 2, 200));
    part.assert_manifest(&cluster.output(1));
}

fn a_resume_after_the_end_ends_with_a_word() {
    let cluster = Cluster::new(3, "--vms 6 --duration 3 --rates 50");
    let mut nodes = cluster.start_all_and_run();
    // The others wait for this one for half a minute.
    nodes[2].signal("STOP");
    nodes.remove(1).kill();
    wait_until("all events", || cluster.events(0) == 300);
    let before = cluster.events(1);
    let said = cluster.start_with(1, "--resume --join-timeout 30s").end(0);
    let word =
        format!("there is nothing to go on with: node 0 ({}) says that the run has ended", cluster.list[0]);
    assert!(said.contains(&word), "{said}");
    let part = Run::read(&cluster.output(1));
    assert_eq!((part.status(), part.rows().count()), ("interrupted", before));
    let events = part.summary.iter().map(|row| row["events"].parse::<usize>().unwrap()).sum::<usize>();
    assert_eq!((part.summary.len(), events), (2, before));
    part.assert_manifest(&cluster.output(1));
}

// ---- networks ----

/// Two nodes that reach each other through a proxy each; the proxies are those in front of nodes 0 and 1.
fn behind_proxies(args: &str) -> (Cluster, [Proxy; 2]) {
    let mut cluster = Cluster::new(2, args);
    let proxies = [0, 1].map(|node| Proxy::to(cluster.ports[node].address));
    cluster.list = proxies.iter().map(|proxy| proxy.address().to_string()).collect();
    (cluster, proxies)
}

fn open(proxies: &[Proxy; 2]) -> u64 {
    proxies.iter().map(|proxy| proxy.counts().open).sum()
}

fn passed(proxies: &[Proxy; 2]) -> u64 {
    let each = proxies.iter().map(|proxy| proxy.counts().passed);
    each.map(|passed| passed[Direction::There] + passed[Direction::Back]).sum()
}

fn a_stopped_process_is_lost_and_comes_back() {
    let cluster = Cluster::new(3, "--vms 6 --duration 7 --rates 50");
    let nodes = cluster.start_all_and_run();
    nodes[1].signal("STOP");
    cluster.wait_for_bridge(0, "lost", Some(1));
    cluster.wait_for_bridge(2, "lost", Some(1));
    assert_eq!(cluster.bridge(0, "lost", Some(1))[0].reason, "nothing was heard for 5 s");
    nodes[1].signal("CONT");
    cluster.wait_for_bridge(0, "back", Some(1));
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    let run = cluster.assert_whole();
    assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [350; 6]);
}

/// Makes runs until enough has happened in them: how much that is in one run, the machine decides.
#[track_caller]
fn until_enough(what: &str, enough: usize, mut run: impl FnMut() -> usize) {
    const MOST_RUNS: usize = 10;
    let mut sum = 0;
    for _ in 0..MOST_RUNS {
        sum += run();
        if sum >= enough {
            return;
        }
    }
    panic!("{sum} {what} in {MOST_RUNS} runs, and not {enough}");
}

/// Whether a run comes to its end: then there is not much left to be broken.
fn is_ending(cluster: &Cluster, events: usize) -> bool {
    cluster.events(0).max(cluster.events(1)) * 10 > events * 9
}

fn resent(run: &Run) -> usize {
    run.bridges.iter().flatten().filter(|row| row.what == "resent").count()
}

fn cuts_at_many_moments_lose_nothing() {
    let (mut again, mut cuts, mut hows) = (0, 0, [Cut::Fin, Cut::Rst].into_iter().cycle());
    until_enough("cuts", 20, || {
        let (cluster, proxies) = behind_proxies("--vms 6 --duration 4 --rates 150 --draw 4");
        let mut nodes = cluster.start_all();
        let before = cuts;
        // Later cuts come after more has passed.
        while nodes.iter_mut().all(Node::is_running) {
            let (before, more) = (passed(&proxies), 13 * cuts % 2000);
            // The very last acknowledgement is cut as well.
            wait_until("bytes, or the end", || {
                passed(&proxies) > before + more || !nodes.iter_mut().all(Node::is_running)
            });
            let how = hows.next().unwrap();
            cuts += proxies.iter().map(|proxy| proxy.cut(how) as u64).sum::<u64>();
        }
        nodes.into_iter().for_each(|node| drop(node.end(0)));
        let run = cluster.assert_whole();
        assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [600; 6]);
        again += resent(&run);
        usize::try_from(cuts - before).unwrap()
    });
    assert!(again > 0, "of {cuts} cuts none came before something was acknowledged");
}

fn cuts_after_any_number_of_bytes_lose_nothing() {
    let mut bytes = 0..;
    until_enough("connections cut", 12, || {
        let (cluster, proxies) = behind_proxies("--vms 4 --duration 4 --rates 200 --draw 4");
        let mut nodes = cluster.start_all();
        loop {
            let bytes = bytes.next().unwrap();
            for (proxy, direction) in proxies.iter().zip([Direction::There, Direction::Back]) {
                let bytes = if bytes < 60 { bytes * 7 } else { bytes * 31 % 3000 };
                proxy.cut_after(direction, bytes, if bytes % 2 == 0 { Cut::Fin } else { Cut::Rst });
            }
            let before = passed(&proxies);
            let mut is_over = || !nodes.iter_mut().all(Node::is_running);
            wait_until("bytes, or the end", || passed(&proxies) > before + 500 || is_over());
            if is_over() {
                break;
            }
        }
        for (proxy, direction) in proxies.iter().zip([Direction::There, Direction::Back]) {
            proxy.cut_after(direction, u64::MAX, Cut::Fin);
        }
        nodes.into_iter().for_each(|node| drop(node.end(0)));
        let run = cluster.assert_whole();
        assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [800; 4]);
        cluster.bridge(0, "lost", Some(1)).len()
    });
}

fn a_silent_network_loses_nothing() {
    let (cluster, proxies) = behind_proxies("--vms 4 --duration 8 --rates 50");
    let nodes = cluster.start_all_and_run();
    proxies.iter().for_each(Proxy::black_hole);
    for (node, peer) in [(0, 1), (1, 0)] {
        assert_eq!(cluster.wait_for_bridge(node, "lost", Some(peer)), "nothing was heard for 5 s");
    }
    proxies.iter().for_each(Proxy::heal);
    cluster.wait_for_bridge(0, "back", Some(1));
    for node in nodes {
        let said = node.end(0);
        assert!(said.contains("lost the connection to node") && said.contains("is back"), "{said}");
    }
    cluster.assert_whole();
}

fn a_refusing_network_loses_nothing_and_a_slow_one_neither() {
    let (cluster, proxies) = behind_proxies("--vms 4 --duration 4 --rates 100");
    let nodes = cluster.start_all_and_run();
    proxies.iter().for_each(|proxy| proxy.delay(Duration::from_millis(30)));
    cluster.wait_for_events(0, 60);
    proxies.iter().for_each(Proxy::refuse);
    for proxy in &proxies {
        proxy.cut(Cut::Rst);
    }
    wait_until("both find out", || {
        [(0, 1), (1, 0)].into_iter().all(|(node, peer)| {
            cluster.bridge(node, "fail", Some(peer)).iter().any(|row| row.reason == "Connection refused")
        })
    });
    cluster.wait_for_events(0, 60);
    proxies.iter().for_each(Proxy::accept);
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    let run = cluster.assert_whole();
    assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [400; 4]);
}

/// Somebody on the way keeps what passes, and puts it in again: in either direction, into this connection and later
/// ones.
fn recorded_frames_that_come_again_lose_nothing() {
    for more in ["", " --cluster-key-file key"] {
        let mut replays = 0;
        until_enough("connections broken by replays", 6, || replay_in_a_run(more, &mut replays));
    }
}

/// Replays in a run up to forty pieces of what passed, and tells how many connections that broke.
fn replay_in_a_run(more: &str, replays: &mut usize) -> usize {
    let mut cluster = Cluster::new(2, &format!("--vms 4 --duration 5 --rates 100{more}"));
    fs::write(cluster.folder.path().join("key"), "0123456789abcdef").unwrap();
    let taps = [0, 1].map(|node| wiretap(cluster.ports[node].address));
    let proxies = taps.each_ref().map(|(address, _)| Proxy::to(*address));
    cluster.list = proxies.iter().map(|proxy| proxy.address().to_string()).collect();
    let nodes = cluster.start_all_and_run();
    let lost = || cluster.bridge(0, "lost", Some(1)).len() + cluster.bridge(1, "lost", Some(0)).len();
    let is_over = || is_ending(&cluster, 1000);
    let most = *replays + 40;
    while *replays < most && !is_over() {
        let recorded: Vec<Vec<u8>> = taps.iter().flat_map(|(_, tape)| tape.lock().unwrap().clone()).collect();
        let (before, mut looks) = (lost(), 0);
        wait_until("a broken connection, or the end", || {
            // In between the two can greet each other again.
            if looks % 40 == 0 {
                let direction = if (*replays).is_multiple_of(2) { Direction::There } else { Direction::Back };
                let piece = &recorded[*replays * 37 % recorded.len()];
                for proxy in &proxies {
                    proxy.inject(direction, piece);
                }
                *replays += 1;
            }
            looks += 1;
            lost() > before || is_over()
        });
    }
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    let run = cluster.assert_whole();
    assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [500; 4]);
    lost()
}

fn bytes_that_nobody_sent_break_a_connection_and_not_the_link() {
    for (more, expected) in [
        ("", "a frame "),
        (" --cluster-key-file key", "something was changed, repeated or left out on the way"),
    ] {
        let garbage: [&[u8]; 4] =
            [&[0; 40], b"GET / HTTP/1.1\r\n\r\n", &[0xff; 3000], &[1, 0, 0, 0, 9, 9, 9, 9, 9]];
        let (mut pieces, mut reasons) = (garbage.into_iter().enumerate().peekable(), Vec::new());
        until_enough("connections broken", garbage.len(), || {
            let before = pieces.len();
            reasons.extend(break_with(&mut pieces, more));
            before - pieces.len()
        });
        assert!(reasons.iter().any(|reason| reason.contains(expected)), "{reasons:?}");
    }
}

/// Puts piece after piece into the links of a run until each has broken one, or the run is over; tells the reasons.
fn break_with<'a>(pieces: &mut Peekable<impl Iterator<Item = (usize, &'a [u8])>>, more: &str) -> Vec<String> {
    let (cluster, proxies) = behind_proxies(&format!("--vms 4 --duration 3 --rates 100{more}"));
    fs::write(cluster.folder.path().join("key"), "0123456789abcdef").unwrap();
    let nodes = cluster.start_all_and_run();
    let lost = || cluster.bridge(0, "lost", Some(1)).len() + cluster.bridge(1, "lost", Some(0)).len();
    let is_over = || is_ending(&cluster, 600);
    while let Some((count, bytes)) = pieces.peek() {
        let direction = if count % 2 == 0 { Direction::There } else { Direction::Back };
        wait_until("an open link, or the end", || open(&proxies) > 0 || is_over());
        let before = lost();
        wait_until("a broken connection, or the end", || {
            for proxy in &proxies {
                // Under a key, any two bytes are the length of a record that could come.
                proxy.inject(direction, &bytes.repeat(100));
            }
            lost() > before || is_over()
        });
        if lost() == before {
            break;
        }
        pieces.next();
    }
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    let run = cluster.assert_whole();
    run.bridges.into_iter().flatten().filter(|row| row.what == "lost").map(|row| row.reason).collect()
}

// ---- strangers ----

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Demands that the other end closes the connection and says nothing.
fn assert_closed(mut stream: TcpStream) {
    match stream.read(&mut [0; 100]) {
        Ok(0) => {}
        Ok(count) => panic!("{count} bytes of an answer"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// A hello as a process of that run would say it.
fn hello(cluster: &Cluster, from: u32, to: u32) -> Hello {
    let manifest = fs::read_to_string(cluster.output(0).join("run.toml")).unwrap();
    let settings = manifest.lines().skip(1).take_while(|line| !line.starts_with("threads"));
    let settings = settings.collect::<Vec<_>>().join("\n");
    let scenario = greeting::scenario_lines(&format!("version = {}\n{settings}", env!("CARGO_PKG_VERSION")));
    let run = manifest.parse::<toml::Table>().unwrap()["run"]["id"].as_str().unwrap().into();
    let from = Identity { run, scenario, nodes: 2, node: from, incarnation: 77 };
    Hello { from, to, knows: 0, received: 0, turn: 1 }
}

fn strangers_at_the_port_are_logged_and_disturb_nothing() {
    let cluster = Cluster::new(2, "--vms 4 --duration 4 --rates 80");
    let nodes = cluster.start_all_and_run();
    let address = cluster.ports[0].address;
    (0..20).for_each(|_| drop(dial(address)));
    let says = |bytes: &[u8]| {
        let mut stream = dial(address);
        stream.write_all(bytes).unwrap();
        stream
    };
    assert_closed(says(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"));
    assert_closed(says(&[0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]));
    assert_closed(says(&[0; 100]));
    assert_closed(says(&[
        20, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    ]));
    assert_closed(says(b"clkseal1 and what follows it in a handshake of Noise, of sixty-four bytes"));
    let answer = |hello: &Hello| {
        let mut bytes = Vec::new();
        frame::put(&mut bytes, |body| greeting::put_hello(hello, body));
        let mut answer = Vec::new();
        says(&bytes).read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let wrong_node = answer(&hello(&cluster, 1, 1));
    assert!(wrong_node.contains("node 1 wanted to speak to node 1, and met node 0"), "{wrong_node}");
    let own_node = answer(&hello(&cluster, 0, 0));
    assert!(own_node.contains("both processes are started as node 0"), "{own_node}");
    let mut other_run = hello(&cluster, 1, 0);
    other_run.from.run = "another".into();
    assert!(answer(&other_run).contains("it belongs to run"));
    let reasons = || -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for row in bridge_rows(&cluster.output(0), 0).into_iter().filter(|row| row.what == "refuse") {
            assert!(row.address.starts_with("127.0.0.1:"), "{row:?}");
            *reasons.entry(row.reason).or_default() += 1;
        }
        reasons
    };
    wait_until("a row for each", || reasons().values().sum::<usize>() == 28);
    let reasons = reasons();
    assert_eq!(reasons["it closed the connection and had not greeted"], 20);
    let has =
        |text: &str| assert!(reasons.keys().any(|reason| reason.contains(text)), "{text} in {reasons:?}");
    has("it does not speak clocklab's protocol: a frame of 542393671 bytes");
    has("a frame of 2147483647 bytes");
    has("a frame of 0 bytes");
    has("it does not speak clocklab's protocol: a frame whose checksum is wrong");
    has("it speaks with a cluster key, and this process has none");
    nodes.into_iter().for_each(|node| drop(node.end(0)));
    let run = cluster.assert_whole();
    assert!(!run.bridges.iter().flatten().any(|row| row.what == "lost"), "no link was disturbed");
}

fn who_connects_and_says_nothing_is_closed() {
    let cluster = Cluster::new(2, "--vms 4 --duration 600 --rates 50");
    let nodes = cluster.start_all_and_run();
    let idle: Vec<TcpStream> = (0..100).map(|_| dial(cluster.ports[0].address)).collect();
    idle.into_iter().for_each(assert_closed);
    let refused = || cluster.bridge(0, "refuse", None);
    wait_until("a row for each", || refused().len() == 100);
    let count = |reason: &str| refused().iter().filter(|row| row.reason == reason).count();
    assert_eq!(count("no greeting came within 5 s"), 64);
    assert_eq!(count("too many connections had not greeted, and this one had shown least"), 36);
    assert_undisturbed(&cluster, nodes);
}

/// Ends a run that strangers have had as much time for as they took, and demands that its link never noticed them.
fn assert_undisturbed(cluster: &Cluster, nodes: Vec<Node>) {
    nodes.iter().for_each(|node| node.signal("INT"));
    nodes.into_iter().for_each(|node| drop(node.end(130)));
    let run = cluster.run();
    run.assert_sound();
    // Who leaves early does not know the others' last clocks.
    assert_eq!(run.unaccounted(), 0);
    assert!(!run.bridges.iter().flatten().any(|row| row.what == "lost"), "no link was disturbed");
}

/// Two hundred who trickle what could be the beginning of a greeting, a byte each tenth of a second, and come again
/// when they are sent away, at every port there is.
fn trickle(addresses: &[SocketAddr], greeting: &[u8], is_over: &AtomicBool) {
    let dial = |number: usize| {
        let stream = TcpStream::connect(addresses[number % addresses.len()]).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((stream, greeting.iter()))
    };
    let mut strangers: Vec<_> = (0..200).map(dial).collect();
    while !is_over.load(Ordering::Relaxed) {
        for (number, stranger) in strangers.iter_mut().enumerate() {
            let goes_on = stranger.as_mut().is_some_and(|(stream, rest)| {
                let was_closed = matches!(stream.read(&mut [0; 100]), Ok(0));
                !was_closed && rest.next().is_some_and(|byte| stream.write_all(&[*byte]).is_ok())
            });
            if !goes_on {
                *stranger = dial(number);
            }
        }
        thread::park_timeout(Duration::from_millis(100));
    }
}

/// Ends what goes on beside a test, however that ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn slow_strangers_keep_nobody_from_joining() {
    let mut plain = Vec::new();
    frame::put(&mut plain, |body| {
        body.extend_from_slice(b"\x01clocklab\x02");
        body.resize(1000, b'a');
    });
    let sealed = [&b"clkseal1"[..], &[7; 47]].concat();
    for (key, greeting) in [("", plain), (" --cluster-key-file key", sealed)] {
        let cluster = Cluster::new(2, &format!("--vms 4 --duration 2 --rates 50 --join-timeout 20s{key}"));
        fs::write(cluster.folder.path().join("key"), SECRET).unwrap();
        let addresses: Vec<SocketAddr> = cluster.ports.iter().map(|port| port.address).collect();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _over = Over(&is_over);
            let first = cluster.start(0);
            cluster.wait_for_bridge(0, "listen", None);
            scope.spawn(|| trickle(&addresses, &greeting, &is_over));
            let crowded = "too many connections had not greeted, and this one had shown least";
            wait_until("a crowd", || {
                cluster.bridge(0, "refuse", None).iter().any(|row| row.reason == crowded)
            });
            let second = cluster.start(1);
            second.end(0);
            first.end(0);
        });
        let run = cluster.assert_whole();
        assert_eq!(run.vms.values().map(Vec::len).collect::<Vec<_>>(), [100; 4]);
    }
}

/// The memory of a process, in KiB.
fn memory(node: &Node) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}

fn a_flood_of_bytes_costs_no_memory() {
    let cluster = Cluster::new(2, "--vms 4 --duration 600 --rates 50");
    let nodes = cluster.start_all_and_run();
    let before = memory(&nodes[0]);
    // The head of a frame that would just be taken, and then a megabyte of what is none.
    let mut bytes = vec![7; 1 << 20];
    bytes[..8].copy_from_slice(&[0, 64, 0, 0, 0, 0, 0, 0]);
    for _ in 0..1000 {
        // It is closed while it sends.
        let _ = dial(cluster.ports[0].address).write_all(&bytes);
    }
    let after = memory(&nodes[0]);
    assert!(after < before + (8 << 10), "{before} KiB before, {after} KiB after");
    assert_undisturbed(&cluster, nodes);
    let refused = bridge_rows(&cluster.output(0), 0).into_iter().filter(|row| row.what == "refuse").count();
    assert!(refused <= 1000, "rows are bounded");
}

/// A process of somebody else's that takes a node's part.
struct Impostor {
    stream: TcpStream,
    session: Session,
    lane: Lane,
    frames: Frames,
    encoder: Encoder,
}

impl Impostor {
    /// Greets node 0 as node 1.
    fn greet(cluster: &Cluster, incarnation: u64, turn: u64) -> Self {
        let from = Identity { incarnation, ..hello(cluster, 1, 0).from };
        let session = Session::new(from, 0, 1 << 24);
        let mut impostor = Self {
            stream: dial(cluster.ports[0].address),
            session,
            lane: Lane::both(0)[0],
            frames: Frames::default(),
            encoder: Encoder::new(&ClockList::LAMPORT),
        };
        impostor.greet_again(turn);
        impostor
    }

    /// Over the connection that it has.
    fn greet_again(&mut self, turn: u64) {
        let own = self.session.hello(turn);
        let mut bytes = Vec::new();
        frame::put(&mut bytes, |body| greeting::put_hello(&own, body));
        self.stream.write_all(&bytes).unwrap();
        let body = self.next_body().unwrap();
        let theirs = greeting::read(&body).unwrap();
        self.session.attach(&theirs, Nanos::ZERO).unwrap();
        let [ours, back] = greeting::lanes(&own, &theirs);
        self.lane = ours;
        self.frames.follow(back);
    }

    fn dial_again(&mut self, address: SocketAddr, turn: u64) {
        (self.stream, self.frames) = (dial(address), Frames::default());
        self.session.detach();
        self.greet_again(turn);
    }

    /// The next frame that comes; none where the connection was closed.
    fn next_body(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(body) = self.frames.pop().unwrap() {
                return Some(body.to_vec());
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.frames.push(&bytes[..count]),
            }
        }
    }

    /// Waits for words until there is that one.
    fn hear(&mut self, is_it: impl Fn(Word) -> bool) {
        while let Some(body) = self.next_body() {
            if let Arrival::Word(word) = self.session.read(&body, Nanos::ZERO).unwrap()
                && is_it(word)
            {
                return;
            }
        }
        panic!("the connection was closed");
    }

    fn write(&mut self) {
        let mut bytes = Vec::new();
        self.session.write(Nanos::ZERO, usize::MAX, &mut self.lane, &mut bytes);
        let _ = self.stream.write_all(&bytes);
    }

    /// Sends a message of machine 2 to machine 0, as long as somebody takes it.
    fn send(&mut self, event: u64) {
        let message = Message {
            id: MessageId { sender: VmId(2), event },
            to: VmId(0),
            arrives: Nanos::ZERO,
            stamp: Stamp::lamport_only(event),
            payload: None,
        };
        let mut parcel = Vec::new();
        self.encoder.put(&message.into(), &mut parcel);
        self.session.send(1, &parcel).unwrap();
        self.write();
    }

    /// Waits until the connection is closed.
    fn wait_for_the_end(&mut self) {
        while self.next_body().is_some() {}
    }
}

fn what_no_machine_can_have_sent_is_refused_and_never_counted() {
    let cluster = Cluster::new(2, "--vms 4 --duration 3 --rates 50 --clocks lamport");
    let first = cluster.start(0);
    cluster.wait_for_bridge(0, "listen", None);
    let mut impostor = Impostor::greet(&cluster, 77, 1);
    impostor.session.say(Word::Known { received: 0 });
    impostor.session.say(Word::Ready { elapsed: Nanos::ZERO });
    impostor.write();
    impostor.hear(|word| matches!(word, Word::Start { .. }));
    (1..=10).for_each(|event| impostor.send(event));
    let wrong = [
        (151, "a message of event 151 of machine 2, which makes 150 events in this run"),
        (9, "a message of event 9 of machine 2 came again, or after one of event 10"),
    ];
    for (turn, (event, reason)) in (2..).zip(wrong) {
        impostor.send(event);
        impostor.wait_for_the_end();
        wait_until(reason, || cluster.bridge(0, "lost", Some(1)).iter().any(|row| row.reason == reason));
        // What was refused comes again, and is refused again: only another process can leave it behind.
        impostor.dial_again(cluster.ports[0].address, 10 * turn);
        impostor.write();
        impostor.wait_for_the_end();
        impostor = Impostor::greet(&cluster, 77 + turn, 1);
        impostor.session.say(Word::Known { received: 10 });
        impostor.write();
        impostor.hear(|word| word == Word::Heard { machine: 2, event: 10 });
    }
    drop(impostor);
    first.end(0);
    let received = &cluster.bridge(0, "total", Some(1))[0];
    assert_eq!(received.messages_received, Some(10), "what was refused is not among them");
    let run = Run::read(&cluster.output(0));
    let events: BTreeSet<_> = run
        .rows()
        .filter(|row| row.message.starts_with("vm2-") || row.message.starts_with("2-"))
        .map(|row| row.message.clone())
        .collect();
    assert_eq!(events.len(), 10, "each was received once: {events:?}");
}

fn ever_new_processes_leave_few_rows() {
    let cluster = Cluster::new(2, "--vms 4 --duration 60 --rates 50 --join-timeout 600s");
    let first = cluster.start(0);
    cluster.wait_for_bridge(0, "listen", None);
    let before = memory(&first);
    (0..3000).for_each(|number| drop(Impostor::greet(&cluster, 100 + number, 1)));
    let rows = bridge_rows(&cluster.output(0), 0).len();
    assert!((1000..3000).contains(&rows), "{rows} rows");
    let after = memory(&first);
    assert!(after < before + (32 << 10), "{before} KiB before, {after} KiB after");
    first.signal("INT");
    let said = first.end(130);
    assert!(said.lines().count() < 3000, "{} lines", said.lines().count());
    let total = cluster.bridge(0, "total", Some(1))[0].reason.clone();
    assert!(total.ends_with("happenings have no row"), "{total}");
}

const SECRET: &str = "4c0ffee5ecretkeythatstandsnowhere";

/// What passed on a wire, piece by piece as it came.
type Tape = Arc<Mutex<Vec<Vec<u8>>>>;

/// Passes bytes on between a dialling node and its target, and keeps a copy of all of them.
fn wiretap(target: SocketAddr) -> (SocketAddr, Tape) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Tape::default();
    let tape = Arc::clone(&heard);
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let Ok(server) = TcpStream::connect(target) else { continue };
            let lanes = [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)];
            for (mut from, mut to) in lanes {
                let tape = Arc::clone(&tape);
                thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        tape.lock().unwrap().push(bytes[..count].to_vec());
                        if to.write_all(&bytes[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    (address, heard)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn nodes_with_one_key_say_nothing_that_others_could_read() {
    for (key, is_readable) in [(" --cluster-key-file the-key", false), ("", true)] {
        let mut cluster = Cluster::new(2, &format!("--vms 4 --duration 1 --rates 50{key}"));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{SECRET}\n")).unwrap();
        std::os::unix::fs::symlink(file.path(), cluster.folder.path().join("the-key")).unwrap();
        let taps = [0, 1].map(|node| wiretap(cluster.ports[node].address));
        cluster.list = taps.iter().map(|(address, _)| address.to_string()).collect();
        cluster.start_all().into_iter().for_each(|node| assert_eq!(news(&node.end(0)), [""; 0]));
        let run = cluster.assert_whole();
        let id = run.manifest["run"]["id"].as_str().unwrap();
        let heard: Vec<u8> = taps.iter().flat_map(|(_, heard)| heard.lock().unwrap().concat()).collect();
        assert!(heard.len() > 2000);
        for text in [id, "clocklab", "duration", "seed"] {
            assert_eq!(contains(&heard, text), is_readable, "{text}");
        }
        drop(fs::remove_file(cluster.folder.path().join("the-key")));
        assert!(!contains(&cluster.everything(), SECRET) && !contains(&heard, SECRET));
    }
}

fn a_wrong_key_or_none_gets_a_closed_connection_and_a_row() {
    let keys = ["", " --cluster-key-file one", " --cluster-key-file other"];
    let cases = [
        (1, 2, "its cluster key is not this process's: all nodes need the same --cluster-key-file"),
        (
            1,
            0,
            "it does not speak with a cluster key, and this process does: all nodes need the same --cluster-key-file",
        ),
        (
            0,
            1,
            "it speaks with a cluster key, and this process has none: all nodes need the same --cluster-key-file",
        ),
    ];
    for (ours, theirs, reason) in cases {
        let cluster = Cluster::new(2, "--vms 4 --duration 1 --rates 50");
        let folder = tempfile::tempdir().unwrap();
        for (name, key) in [("one", SECRET), ("other", "something else altogether")] {
            fs::write(folder.path().join(name), key).unwrap();
            std::os::unix::fs::symlink(folder.path().join(name), cluster.folder.path().join(name)).unwrap();
        }
        let first = cluster.start_with(0, keys[ours]);
        cluster.wait_for_bridge(0, "listen", None);
        let said = cluster.start_with(1, &format!("{} --join-timeout 1s", keys[theirs])).end(1);
        assert!(said.contains("without a word; does it have another cluster key, or none?"), "{said}");
        assert!(
            cluster.bridge(0, "refuse", None).iter().all(|row| row.reason == reason),
            "{:?}",
            cluster.bridge(0, "refuse", None)
        );
        first.wait_for(reason);
        let second = cluster.start_with(1, keys[ours]);
        second.end(0);
        let said = first.end(0);
        let refusals = said.lines().filter(|line| line.starts_with("refused a connection"));
        assert_eq!(refusals.filter(|line| line.contains(reason)).count(), 1, "{said}");
        assert!(said.contains(&format!("; a connection from 127.0.0.1 was refused: {reason}")), "{said}");
        cluster.assert_whole();
        ["one", "other"].iter().for_each(|name| fs::remove_file(cluster.folder.path().join(name)).unwrap());
        assert!(!contains(&cluster.everything(), SECRET));
    }
}

fn other_addresses_ask_for_a_key() {
    let program = |args: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_clocklab"))
            .current_dir(folder.path())
            .args(args)
            .output()
            .unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let asks = |(code, said): (Option<i32>, String), flag: &str| {
        assert_eq!(code, Some(2), "{said}");
        assert!(
            [flag, "--cluster-key-file", "--no-cluster-key"].iter().all(|flag| said.contains(flag)),
            "{said}"
        );
    };
    asks(program(&["--nodes", "10.1.2.3:7000,10.1.2.4:7000", "--node", "0"]), "--nodes");
    asks(program(&["--nodes", "127.0.0.1:7000,lab2:7000", "--node", "0"]), "--nodes");
    for listen in ["0.0.0.0:7000", "[::]:7000", "10.1.2.3:7000"] {
        asks(
            program(&["--nodes", "127.0.0.1:7000,127.0.0.1:7001", "--node", "0", "--listen", listen]),
            "--listen",
        );
    }
}
