//! Exported graphs as Graphviz itself reads them.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::{Row, list};
use crate::exported::{
    EventId, ODD_PAYLOAD, RUNS, WRONG_LOG, assert_closed, by_id, event_id, export, export_part, export_text,
    make, read,
};
use crate::wants::{self, DOT};

wants::wanting!(DOT: graphviz_draws_every_event_and_every_message, no_text_leaves_its_place_in_a_graph, wrong_logs_are_graphs_too);

/// A graph as Graphviz lays it out, in its plain format.
fn dot(graph: &[u8]) -> Vec<String> {
    let mut command = Command::new("dot");
    command.arg("-Tplain").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(graph).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn graphviz_draws_every_event_and_every_message() {
    for line in RUNS {
        let folder = make(line);
        let run = read(&folder);
        let rows = by_id(&run);
        for window in ["events:1-60", "events:31-80"] {
            let table = export_text(&folder, &format!("--format csv --window {window}"));
            let ids: Vec<EventId> = csv::Reader::from_reader(table.as_bytes())
                .deserialize::<Row>()
                .map(|row| row.map(|row| (row.vm, row.event)).unwrap())
                .collect();
            let machines = assert_closed(&run, &ids).len();
            let receives: Vec<&Row> =
                ids.iter().map(|id| rows[id]).filter(|row| row.kind == "receive").collect();
            let sends = ids.iter().map(|id| rows[id]).filter(|row| row.kind == "send");
            let copies: usize = sends.map(|row| list(&row.peers).len() + list(&row.duplicated).len()).sum();
            let within = receives.iter().filter(|row| ids.contains(&event_id(&row.message))).count();
            let picture = dot(&export(&folder, &format!("--format dot --window {window}")));
            let (mut nodes, mut edges, mut messages) = (BTreeSet::new(), 0, 0);
            for words in picture.iter().map(|line| line.replace(['"'], "")) {
                let words: Vec<&str> = words.split_whitespace().collect();
                match words[0] {
                    "node" => drop(nodes.insert(words[1].to_owned() + words[2])),
                    "edge" => {
                        edges += 1;
                        let is_event = |name: &str| name.contains('-');
                        messages += usize::from(
                            is_event(words[1])
                                && is_event(words[2])
                                && event_id(words[1]).0 != event_id(words[2]).0,
                        );
                    }
                    _ => {}
                }
            }
            assert_eq!(messages, within, "{line} {window}");
            let from_before = receives.len() - within;
            let broken_off = copies - within;
            let stubs = nodes.iter().filter(|name| name.starts_with("stub")).count();
            assert_eq!(stubs, from_before + broken_off, "{line} {window}");
            // Each event has an edge from the one before; machines stand one below the other.
            assert_eq!(edges, ids.len() + messages + stubs + (machines - 1), "{line} {window}");
            let event_nodes =
                picture.iter().filter(|line| line.starts_with("node \"")).filter(|line| line.contains('-'));
            assert!(event_nodes.count() >= ids.len());
        }
    }
}

/// A payload may be anything.
fn no_text_leaves_its_place_in_a_graph() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log.csv"), ODD_PAYLOAD).unwrap();
    let picture = dot(&export(&folder, "log.csv --format dot"));
    assert_eq!(picture.iter().filter(|line| line.starts_with("edge ")).count(), 4, "{picture:?}");
}

/// Messages of which nobody knows, that come too often, go to others, or wait for each other.
fn wrong_logs_are_graphs_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log.csv"), WRONG_LOG).unwrap();
    dot(&export_part(&folder, "log.csv --format dot"));
}
