//! A log for ShiViz, which draws space-time diagrams in a browser.
//!
//! Its first line is the regular expression by which the rest is read, its second, empty here, would part several
//! runs. ShiViz demands that each host's own entries are 1, 2, 3, … and that no clock has an entry beyond the
//! events of its host. So vectors are made anew, from the messages among the events that are exported: for a whole
//! sound run they are those of its log, they are there where a run kept none, and a window's begin with it.

use std::sync::Arc;

use super::text::{event_name, json_text, machines, number, seconds};
use super::{Cause, Event, Form};
use crate::clock::ClockList;
use crate::edge::log::{EventKind, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// How ShiViz is to read the two lines of an event. It puts `^` before it and `$` behind.
const EXPRESSION: &str =
    r"(?<time>\S+) (?<event>(?<kind>INTERNAL|SEND|RECEIVE) .*)\n(?<host>\S+) (?<clock>\{.*\})";

#[derive(Debug, Default)]
pub(super) struct Shiviz {
    clocks: Vec<Arc<Clock>>,
}

/// A vector clock without its zeros, by the machines' ids: few of many machines know of each other in a window.
type Clock = Vec<(VmId, u64)>;

impl Shiviz {
    /// The machine's clock after an event.
    fn advance(&mut self, event: &Event<'_>, cause: Cause<'_, Arc<Clock>>) -> &Clock {
        if event.machine == self.clocks.len() {
            self.clocks.push(Arc::default());
        }
        let clock = Arc::make_mut(&mut self.clocks[event.machine]);
        if let Cause::Sent(stamp) = cause {
            merge(clock, stamp);
        }
        // The own entry is counted, not added to (rules of Fidge 1988 and Mattern 1989 give the same): a window's first
        // event is number 1 of its host, as ShiViz demands.
        let own = event.row.vm;
        match clock.binary_search_by_key(&own, |(vm, _)| *vm) {
            Ok(at) => clock[at].1 = event.number,
            Err(at) => clock.insert(at, (own, event.number)),
        }
        clock
    }
}

/// Takes the entry-wise maximum.
fn merge(clock: &mut Clock, stamp: &Clock) {
    let mut at = 0;
    for &(vm, entry) in stamp {
        at += clock[at..].partition_point(|(known, _)| *known < vm);
        match clock.get_mut(at) {
            Some((known, own)) if *known == vm => *own = entry.max(*own),
            _ => clock.insert(at, (vm, entry)),
        }
    }
    debug_assert!(
        clock.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "entries are in the order of their machines"
    );
}

impl Form for Shiviz {
    type Stamp = Arc<Clock>;

    fn begin(&mut self, _clocks: &ClockList, out: &mut Vec<u8>) {
        out.extend_from_slice(EXPRESSION.as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn event(&mut self, event: &Event<'_>, cause: Cause<'_, Self::Stamp>, out: &mut Vec<u8>) {
        words(event.row, out);
        out.push(b'\n');
        host(event.row.vm, out);
        out.extend_from_slice(b" {");
        let mut separator: &[u8] = b"";
        for (vm, entry) in self.advance(event, cause) {
            out.extend_from_slice(separator);
            out.push(b'"');
            host(*vm, out);
            out.extend_from_slice(b"\":");
            number(*entry, out);
            separator = b",";
        }
        out.extend_from_slice(b"}\n");
    }

    fn stamp(&mut self, event: &Event<'_>) -> Arc<Clock> {
        Arc::clone(&self.clocks[event.machine])
    }
}

fn host(vm: VmId, out: &mut Vec<u8>) {
    out.extend_from_slice(b"vm");
    number(u64::from(vm.0), out);
}

/// Time, kind, and what a person wants to know of the event, on one line.
fn words(row: &Row, out: &mut Vec<u8>) {
    seconds(row.elapsed, out);
    out.extend_from_slice(match row.kind {
        EventKind::Internal => b" INTERNAL ",
        EventKind::Send => b" SEND ",
        EventKind::Receive => b" RECEIVE ",
    });
    event_name(MessageId { sender: row.vm, event: row.event }, out);
    match row.kind {
        EventKind::Internal => {}
        EventKind::Send => {
            out.extend_from_slice(b" to ");
            machines(&row.peers, out);
            for (words, peers) in [(&b", lost for "[..], &row.lost), (b", twice for ", &row.duplicated)] {
                if !peers.is_empty() {
                    out.extend_from_slice(words);
                    machines(peers, out);
                }
            }
        }
        EventKind::Receive => {
            out.extend_from_slice(b" of ");
            row.message.iter().for_each(|message| event_name(*message, out));
        }
    }
    out.extend_from_slice(b", Lamport ");
    number(row.lamport, out);
    if let Some(queue) = row.queue.filter(|queue| *queue > 0) {
        out.extend_from_slice(b", queue ");
        number(u64::from(queue), out);
    }
    if !row.payload.is_empty() {
        out.extend_from_slice(b", carries ");
        json_text(&row.payload, out);
    }
    if !row.mark.is_empty() {
        out.extend_from_slice(b", marked ");
        json_text(&row.mark, out);
    }
}
