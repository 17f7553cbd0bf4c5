//! A graph for Graphviz: a row of events a machine, in Lamport's tradition, and messages as arrows between them.
//!
//! Lost messages end at a cross, those still on their way at a dotted stub, and what was sent before a window comes
//! out of one. Statements about a machine's row are spread over the file, as its events come; Graphviz puts them
//! together.

use std::collections::BTreeMap;

use super::text::seconds;
use super::{Cause, Event, Form};
use crate::clock::ClockList;
use crate::edge::log::{EventKind, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;

#[derive(Debug, Default)]
pub(super) struct Dot {
    /// Of each machine its latest event.
    latest: BTreeMap<VmId, u64>,
    stubs: u64,
}

const BEGIN: &str = r##"digraph run {
  rankdir=LR; newrank=true; nodesep=0.2; ranksep=0.25; fontname="sans-serif";
  node [fontname="sans-serif", fontsize=10, shape=circle, style=filled, fixedsize=true, width=0.42];
  edge [fontname="sans-serif", fontsize=9, color="#1a56a0", arrowsize=0.7];
"##;

/// Letters of a payload that are shown at its arrow.
const LONGEST_LABEL: usize = 20;

impl Form for Dot {
    /// What the message carries, as its arrows are labelled.
    type Stamp = Option<Box<str>>;

    fn begin(&mut self, _clocks: &ClockList, out: &mut Vec<u8>) {
        out.extend_from_slice(BEGIN.as_bytes());
    }

    fn event(&mut self, event: &Event<'_>, cause: Cause<'_, Self::Stamp>, out: &mut Vec<u8>) {
        let row = event.row;
        let own = MessageId { sender: row.vm, event: row.event };
        let before = self.latest.insert(row.vm, row.event);
        if before.is_none() {
            begin_machine(row.vm, out);
        }
        event_node(row, out);
        let before = match before {
            Some(event) => format!("\"{}\"", MessageId { event, ..own }),
            None => head(row.vm),
        };
        out.extend_from_slice(format!("  {before} -> \"{own}\" [{ROW}];\n").as_bytes());
        for peer in &row.lost {
            self.leaves(own, format_args!("lost to {peer}"), LOST, out);
        }
        match (cause, row.message) {
            (Cause::Sent(label), Some(message)) => message_edge(message, own, label.as_deref(), out),
            (Cause::Unknown, Some(message)) => self.arrives(message, own, out),
            _ => {}
        }
    }

    fn stamp(&mut self, event: &Event<'_>) -> Option<Box<str>> {
        let payload = &event.row.payload;
        (!payload.is_empty()).then(|| label(payload).into())
    }

    fn end(&mut self, in_flight: &[(MessageId, VmId)], out: &mut Vec<u8>) {
        for (message, to) in in_flight {
            self.leaves(*message, format_args!("to {to}"), ON_ITS_WAY, out);
        }
        // Machines from top to bottom in the order of their numbers.
        out.extend_from_slice(b"  { rank=same; edge [style=invis];");
        for (index, vm) in self.latest.keys().enumerate() {
            let separator = if index > 0 { " ->" } else { "" };
            out.extend_from_slice(format!("{separator} {}", head(*vm)).as_bytes());
        }
        out.extend_from_slice(b"; }\n}\n");
    }
}

impl Dot {
    /// A text where the other end of a message is not to be seen, and its name in the graph.
    fn stub(&mut self, label: std::fmt::Arguments<'_>, out: &mut Vec<u8>) -> String {
        self.stubs += 1;
        let name = format!("stub {}", self.stubs);
        out.extend_from_slice(
            format!("  \"{name}\" [shape=plaintext, style=\"\", fixedsize=false, margin=0.03, label=\"{label}\"];\n").as_bytes(),
        );
        name
    }

    fn leaves(&mut self, message: MessageId, label: std::fmt::Arguments<'_>, look: &str, out: &mut Vec<u8>) {
        let stub = self.stub(label, out);
        out.extend_from_slice(format!("  \"{message}\" -> \"{stub}\" [{look}];\n").as_bytes());
    }

    fn arrives(&mut self, message: MessageId, at: MessageId, out: &mut Vec<u8>) {
        let stub = self.stub(format_args!("{message}"), out);
        out.extend_from_slice(format!("  \"{stub}\" -> \"{at}\" [{ON_ITS_WAY}];\n").as_bytes());
    }
}

/// The looks of arrows that have one end.
const LOST: &str = "color=\"#c0392b\", style=dashed, arrowhead=tee";
const ON_ITS_WAY: &str = "color=\"#888888\", style=dotted";

/// A machine's row is straight, and has no arrows of its own.
const ROW: &str = "color=\"#888888\", arrowhead=none, weight=100";

/// A machine's row, and where it begins.
fn begin_machine(vm: VmId, out: &mut Vec<u8>) {
    out.extend_from_slice(
        format!(
            "  subgraph cluster_{vm} {{ label=\"\"; color=\"#dddddd\"; {} [shape=plaintext, style=\"\", fixedsize=false, margin=0.03, label=\"vm {vm}\"]; }}\n",
            head(vm)
        )
        .as_bytes(),
    );
}

/// The name of a row's beginning. No event is called so.
fn head(vm: VmId) -> String {
    format!("\"vm {vm}\"")
}

/// An event: its Lamport clock in a circle, its kind as a colour, and the rest where the pointer rests on it.
fn event_node(row: &Row, out: &mut Vec<u8>) {
    let colour = match row.kind {
        EventKind::Internal => "#eeeeee",
        EventKind::Send => "#cfe2f8",
        EventKind::Receive => "#d3efd2",
    };
    let own = MessageId { sender: row.vm, event: row.event };
    let mut time = Vec::new();
    seconds(row.elapsed, &mut time);
    let time = String::from_utf8_lossy(&time);
    let message = row.message.filter(|_| row.kind == EventKind::Receive);
    let message = message.map(|message| format!(" {message}")).unwrap_or_default();
    out.extend_from_slice(
        format!(
            "  subgraph cluster_{} {{ \"{own}\" [label=\"{}\", fillcolor=\"{colour}\", tooltip=\"{own}: {}{message} at {time} s\"]; }}\n",
            row.vm, row.lamport, row.kind
        )
        .as_bytes(),
    );
}

fn message_edge(message: MessageId, at: MessageId, label: Option<&str>, out: &mut Vec<u8>) {
    let label = label.map(|label| format!(" [label=\"{label}\"]")).unwrap_or_default();
    out.extend_from_slice(format!("  \"{message}\" -> \"{at}\"{label};\n").as_bytes());
}

/// The beginning of what a message carries, within the quotes of a label. Control characters show as spaces.
fn label(payload: &str) -> String {
    let mut label = String::new();
    for char in payload.chars().take(LONGEST_LABEL) {
        match char {
            '"' | '\\' => label.extend(['\\', char]),
            char if char.is_control() => label.push(' '),
            char => label.push(char),
        }
    }
    if payload.chars().nth(LONGEST_LABEL).is_some() {
        label.push('…');
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_carries_cannot_leave_its_label() {
        assert_eq!(label("a\"b\\n\n"), "a\\\"b\\\\n ");
        assert_eq!(label(&"é".repeat(30)), "é".repeat(20) + "…");
    }
}
