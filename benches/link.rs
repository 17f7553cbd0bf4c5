//! The link protocol in memory: what a message costs from the sender's outbox to the recipient's
//! directory without the sockets, and how many bytes it takes on the wire.
//!
//! The reference is the plainest wire that could be written: 24 bytes of numbers a message, copied into
//! one buffer and out of it again, with no frames, checksums, numbers or acknowledgements.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "figures for people to read"
)]

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use clocklab::clock::{ClockList, Stamp, StampLayout};
use clocklab::edge::link::bounds::Bounds;
use clocklab::edge::link::codec::{Decoder, Encoder};
use clocklab::edge::link::frame::{Frames, Lane};
use clocklab::edge::link::greeting::Identity;
use clocklab::edge::link::session::{Arrival, Session};
use clocklab::model::event::{Message, MessageId};
use clocklab::model::id::VmId;
use clocklab::model::time::Nanos;

const MESSAGES: u64 = 2_000_000;
/// Messages that leave together.
const TOGETHER: u64 = 256;
const ROUNDS: usize = 9;

fn message(event: u64, vms: u32, vector: &[u64]) -> Message {
    let stamp = match vector {
        [] => Stamp::lamport_only(event + 7),
        _ => Stamp::new(event + 7, StampLayout::of(&clocks(true)), std::iter::once(vector)),
    };
    let sender = VmId(u32::try_from(event % u64::from(vms / 2)).unwrap_or(0));
    let id = MessageId { sender, event: event + 1 };
    let (to, arrives) = (VmId(vms - 1), Nanos::new(event * 1000));
    Message { id, to, arrives, stamp, payload: None }
}

fn clocks(have_vectors: bool) -> ClockList {
    if have_vectors { "vector".parse().expect("a clock") } else { ClockList::LAMPORT }
}

fn session(node: u32) -> Session {
    let own = Identity {
        run: "bench".into(),
        scenario: "".into(),
        nodes: 2,
        node,
        incarnation: u64::from(node) + 1,
    };
    Session::new(own, 1 - node, 1 << 20)
}

/// Nanoseconds and bytes a message over a link, with acknowledgements, exactly once.
fn link(messages: u64, vms: u32, clocks: ClockList, mut next: impl FnMut(u64) -> Message) -> (f64, f64) {
    let (mut here, mut there) = (session(0), session(1));
    let now = Nanos::ZERO;
    let hello = there.hello(1);
    here.attach(&hello, now).expect("a sound hello");
    there.attach(&here.hello(1), now).expect("a sound hello");
    let (mut encoder, mut decoder) =
        (Encoder::new(&clocks), Decoder::new(Arc::new(Bounds::open(vms, clocks)), 0..vms, 0..vms));
    let (mut parcel, mut wire, mut back) = (Vec::new(), Vec::new(), Vec::new());
    let (mut frames, mut answers) = (Frames::default(), Frames::default());
    let [mut forth, mut home] = Lane::both(7);
    frames.follow(forth);
    answers.follow(home);
    let mut found = Vec::new();
    let (mut bytes, mut received) = (0, 0);
    let begun = Instant::now();
    for first in (0..messages).step_by(TOGETHER as usize) {
        parcel.clear();
        let last = messages.min(first + TOGETHER);
        (first..last).for_each(|event| encoder.put(&next(event).into(), &mut parcel));
        here.send((last - first) as u32, &parcel).expect("there is room");
        wire.clear();
        here.write(now, usize::MAX, &mut forth, &mut wire);
        bytes += wire.len();
        frames.push(&wire);
        while let Some(body) = frames.pop().expect("sound frames") {
            if let Arrival::Parcel(parcel) = there.read(body, now).expect("sound frames") {
                decoder.read(parcel.payload, parcel.messages, &mut found).expect("sound");
                there.accept(parcel, now);
                found.drain(..).for_each(|message| received += black_box(message).from().event.min(1));
            }
        }
        back.clear();
        there.write(now, usize::MAX, &mut home, &mut back);
        answers.push(&back);
        while let Some(body) = answers.pop().expect("sound frames") {
            here.read(body, now).expect("sound frames");
        }
    }
    let nanos = begun.elapsed().as_nanos() as f64 / messages as f64;
    assert_eq!(received, messages);
    (nanos, bytes as f64 / messages as f64)
}

/// Nanoseconds a message over the plainest wire.
fn plain() -> f64 {
    let mut wire: Vec<u8> = Vec::new();
    let begun = Instant::now();
    for first in (0..MESSAGES).step_by(TOGETHER as usize) {
        wire.clear();
        for event in first..first + TOGETHER {
            let message = message(event, 100, &[]);
            for number in [u64::from(message.id.sender.0), message.id.event, message.stamp.lamport()] {
                wire.extend_from_slice(&number.to_le_bytes());
            }
        }
        for record in wire.chunks_exact(24) {
            black_box(record.iter().map(|byte| u64::from(*byte)).sum::<u64>());
        }
    }
    begun.elapsed().as_nanos() as f64 / MESSAGES as f64
}

fn main() {
    common::compare("a message over a link in memory, Lamport clocks", ROUNDS, plain, || {
        link(MESSAGES, 100, clocks(false), |event| message(event, 100, &[])).0
    });
    for vms in [3u32, 100, 1_000] {
        // Between two sends of a machine, it and two others have moved on.
        let mut vectors = vec![vec![1_000u64; vms as usize]; vms as usize / 2 + 1];
        let next = |event: u64| {
            let sender = (event % u64::from((vms / 2).max(1))) as usize;
            for other in
                [sender, (event * 7 % u64::from(vms)) as usize, (event * 13 % u64::from(vms)) as usize]
            {
                vectors[sender][other] += 1;
            }
            message(event, vms.max(2), &vectors[sender])
        };
        let (nanos, bytes) = link(200_000, vms, clocks(true), next);
        println!(
            "a message with a vector of {vms}: {nanos:.0} ns, {bytes:.1} bytes; with the whole vector {} bytes more",
            vms * 8
        );
    }
}
