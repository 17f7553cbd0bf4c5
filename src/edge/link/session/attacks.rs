//! Both ends of a link with all that stands between a message and the wire, and somebody on the way who records
//! frames, puts them in again, swaps, changes and forges them.
//!
//! Whatever is done to a connection, each message arrives once, in order, with the stamp that it was sent with, as
//! long as the two are let through at last.

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::clock::{ClockList, Stamp, StampLayout};
use crate::edge::link::bounds::Bounds;
use crate::edge::link::codec::{Decoder, Encoder};
use crate::edge::link::frame::Frames;
use crate::edge::link::greeting;
use crate::edge::link::seal::{Key, Seal};
use crate::model::event::{Envelope, Message, MessageId};
use crate::model::id::VmId;

/// Machines 0 and 1 at one end, 2 and 3 at the other.
const VMS: u32 = 4;

/// Something is wrong with the connection.
struct Broken;

/// One process, and its end of the connection.
struct End {
    node: u32,
    session: Session,
    encoder: Encoder,
    decoder: Decoder,
    seal: Seal,
    frames: Frames,
    lane: Lane,
    is_dialler: bool,
    /// The own hello of this connection.
    own: Option<Hello>,
    has_greeted: bool,
    turn: u64,
    /// The latest of the other end's hellos.
    latest: u64,
    /// What its clock says; the own machines' entries count its messages.
    vector: [u64; VMS as usize],
    sent: Vec<Envelope>,
    got: Vec<Envelope>,
}

fn vectors() -> ClockList {
    "vector".parse().unwrap()
}

impl End {
    fn new(node: u32) -> Self {
        let own = Identity {
            run: "r".into(),
            scenario: "".into(),
            nodes: 2,
            node,
            incarnation: u64::from(node) + 1,
        };
        let share = |node: u32| 2 * node..2 * node + 2;
        Self {
            node,
            session: Session::new(own, 1 - node, 1 << 20),
            encoder: Encoder::new(&vectors()),
            decoder: Decoder::new(Arc::new(Bounds::open(VMS, vectors())), share(node), share(1 - node)),
            seal: Seal::open(),
            frames: Frames::default(),
            lane: Lane::both(0)[0],
            is_dialler: false,
            own: None,
            has_greeted: false,
            turn: 0,
            latest: 0,
            vector: [0; VMS as usize],
            sent: Vec::new(),
            got: Vec::new(),
        }
    }

    /// Sends so many messages in one parcel.
    fn send(&mut self, messages: u32) {
        let mut parcel = Vec::new();
        for number in 0..messages {
            let sender = VmId(2 * self.node + number % 2);
            self.vector[sender.index()] += 1;
            let id = MessageId { sender, event: self.vector[sender.index()] };
            let to = VmId(2 * (1 - self.node) + number / 2 % 2);
            let stamp = Stamp::new(id.event, StampLayout::of(&vectors()), std::iter::once(&self.vector[..]));
            let message = Envelope::Message(Message { id, to, arrives: Nanos::ZERO, stamp, payload: None });
            self.encoder.put(&message, &mut parcel);
            self.sent.push(message);
        }
        self.session.send(messages, &parcel).unwrap();
    }

    /// What it has to write, frame by frame as it is on the wire.
    fn write(&mut self, out: &mut VecDeque<Vec<u8>>) {
        let mut handshake = Vec::new();
        if self.seal.handshake(&mut handshake).is_ok() && !handshake.is_empty() {
            out.push_back(handshake);
        }
        if !self.seal.is_ready() {
            return;
        }
        let mut plain = Vec::new();
        if self.own.is_none() && (self.is_dialler || self.has_greeted) {
            self.turn += 1;
            let hello = self.session.hello(self.turn);
            frame::put(&mut plain, |body| greeting::put_hello(&hello, body));
            self.own = Some(hello);
        } else if self.has_greeted {
            self.session.write(Nanos::ZERO, 1 << 14, &mut self.lane, &mut plain);
        }
        let mut rest = &plain[..];
        while let Some(length) = rest.first_chunk().map(|length| u32::from_le_bytes(*length) as usize) {
            let (frame, others) = rest.split_at(8 + length);
            let mut wire = Vec::new();
            self.seal.put(frame, &mut wire).unwrap();
            out.push_back(wire);
            rest = others;
        }
    }

    /// Takes in what has come, and writes what there is to say then.
    fn read(&mut self, bytes: &[u8], out: &mut VecDeque<Vec<u8>>) -> Result<(), Broken> {
        let mut plain = Vec::new();
        self.seal.push(bytes, &mut plain).map_err(|_wrong| Broken)?;
        self.frames.push(&plain);
        while let Some(body) = self.frames.pop().map_err(|_wrong| Broken)? {
            if !self.has_greeted {
                let body = body.to_vec();
                self.greet(&greeting::read(&body).map_err(|_wrong| Broken)?, out)?;
                continue;
            }
            if let Arrival::Parcel(parcel) = self.session.read(body, Nanos::ZERO).map_err(|_wrong| Broken)? {
                self.decoder.read(parcel.payload, parcel.messages, &mut self.got).map_err(|_wrong| Broken)?;
                self.session.accept(parcel, Nanos::ZERO);
                for message in self.got.iter().filter_map(Envelope::message) {
                    let entries = message.stamp.parts(StampLayout::of(&vectors())).next().unwrap().unwrap();
                    self.vector.iter_mut().zip(entries).for_each(|(own, entry)| *own = (*own).max(*entry));
                }
            }
        }
        Ok(())
    }

    /// The other end's hello, if it is a later one than before.
    fn greet(&mut self, hello: &Hello, out: &mut VecDeque<Vec<u8>>) -> Result<(), Broken> {
        if hello.turn <= self.latest || greeting::check(&self.session.hello(0).from, hello).is_err() {
            return Err(Broken);
        }
        self.latest = hello.turn;
        let attached = self.session.attach(hello, Nanos::ZERO).map_err(|_wrong| Broken)?;
        assert!(!matches!(attached, Attached::Restarted(_)), "both live all the time");
        self.has_greeted = true;
        if self.own.is_none() {
            self.write(out);
        }
        let own = self.own.as_ref().ok_or(Broken)?;
        let [ours, theirs] = if self.is_dialler {
            greeting::lanes(own, hello)
        } else {
            let [theirs, ours] = greeting::lanes(hello, own);
            [ours, theirs]
        };
        self.lane = ours;
        self.frames.follow(theirs);
        Ok(())
    }
}

/// The two ends, the wires to them, and all that ever was on these.
struct Wiretapped {
    ends: [End; 2],
    /// Frames on their way to each end.
    wires: [VecDeque<Vec<u8>>; 2],
    recorded: Vec<Vec<u8>>,
    key: Option<Key>,
    /// How often a connection broke.
    broken: u32,
}

impl Wiretapped {
    fn new(is_keyed: bool) -> Self {
        let key = is_keyed.then(|| Key::new(b"a secret of some length").unwrap());
        let (ends, wires) = ([End::new(0), End::new(1)], [VecDeque::new(), VecDeque::new()]);
        Self { ends, wires, recorded: Vec::new(), key, broken: 0 }
    }

    fn dial(&mut self, from: usize) {
        self.cut();
        for (node, end) in self.ends.iter_mut().enumerate() {
            end.is_dialler = node == from;
            let seal = if end.is_dialler { Seal::dialling } else { Seal::accepting };
            end.seal = self.key.as_ref().map_or_else(Seal::open, seal);
        }
        self.write(from);
    }

    /// Both ends notice that the connection is gone, and all that was on its way.
    fn cut(&mut self) {
        for end in &mut self.ends {
            end.session.detach();
            (end.frames, end.own, end.has_greeted) = (Frames::default(), None, false);
            end.seal = self.key.as_ref().map_or_else(Seal::open, Seal::accepting);
        }
        self.wires.iter_mut().for_each(VecDeque::clear);
    }

    fn write(&mut self, from: usize) {
        let mut out = VecDeque::new();
        self.ends[from].write(&mut out);
        self.recorded.extend(out.iter().cloned());
        self.wires[1 - from].append(&mut out);
    }

    /// Lets the next frames come to an end, which closes the connection where one is wrong.
    fn deliver(&mut self, to: usize, frames: usize) {
        for _ in 0..frames {
            let Some(frame) = self.wires[to].pop_front() else { return };
            let mut out = VecDeque::new();
            let read = self.ends[to].read(&frame, &mut out);
            self.recorded.extend(out.iter().cloned());
            self.wires[1 - to].append(&mut out);
            if read.is_err() {
                self.broken += 1;
                return self.cut();
            }
            self.write(to);
        }
    }

    /// Connects the two, and lets all arrive that is sent.
    fn settle(&mut self) {
        self.dial(0);
        while self.wires.iter().any(|wire| !wire.is_empty())
            || self.ends.iter().any(|end| end.session.has_to_write(Nanos::ZERO))
        {
            for to in [0, 1] {
                self.write(1 - to);
                self.deliver(to, usize::MAX);
            }
        }
    }

    fn attack(&mut self, to: usize, attack: &Attack) {
        let wire = &mut self.wires[to];
        let place = |at: usize| at % (wire.len() + 1);
        match attack {
            Attack::Replay { which, at } => {
                if let Some(frame) = self.recorded.get(which % self.recorded.len().max(1)) {
                    wire.insert(place(*at), frame.clone());
                }
            }
            Attack::Swap { at } if wire.len() > 1 => {
                let at = at % (wire.len() - 1);
                wire.swap(at, at + 1);
            }
            Attack::LeaveOut { at } if !wire.is_empty() => drop(wire.remove(at % wire.len())),
            Attack::Change { at, byte, bits } if !wire.is_empty() => {
                let at = at % wire.len();
                let frame = &mut wire[at];
                let byte = byte % frame.len();
                frame[byte] ^= bits;
            }
            Attack::Swap { .. } | Attack::LeaveOut { .. } | Attack::Change { .. } => {}
            Attack::Put { at, bytes } => wire.insert(place(*at), bytes.clone()),
            Attack::Record { at, body } => {
                let mut frame = Vec::new();
                frame::put(&mut frame, |out| out.extend_from_slice(body));
                wire.insert(place(*at), frame);
            }
            Attack::Forge { content } => self.forge(to, content),
        }
    }

    /// Somebody who can make checksums puts in what would be the next parcel, and is none.
    fn forge(&mut self, to: usize, content: &[u8]) {
        let end = &self.ends[to];
        if self.key.is_some() || !end.has_greeted || !self.ends[1 - to].has_greeted {
            return;
        }
        let mut lane = self.ends[1 - to].lane;
        // A byte that no message begins with comes behind some that one may begin with.
        let mut body = vec![PARCEL];
        put_number(end.session.received + 1, &mut body);
        put_number(2, &mut body);
        body.extend_from_slice(content);
        body.push(0xff);
        let mut frame = Vec::new();
        frame::put_on(&mut lane, &body, &mut frame);
        // It comes where nothing is on its way, so that its place is the right one.
        if self.wires[to].is_empty() {
            self.wires[to].push_back(frame);
        }
    }
}

#[derive(Clone, Debug)]
enum Attack {
    /// A recorded frame comes again.
    Replay { which: usize, at: usize },
    /// Two frames change places.
    Swap { at: usize },
    /// A frame does not come.
    LeaveOut { at: usize },
    /// Bits of a frame are flipped.
    Change { at: usize, byte: usize, bits: u8 },
    /// Bytes that nobody wrote are put between two frames.
    Put { at: usize, bytes: Vec<u8> },
    /// A frame comes whose checksum is right, for another place.
    Record { at: usize, body: Vec<u8> },
    /// A frame comes whose checksum is right, and whose content is none.
    Forge { content: Vec<u8> },
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize, u32),
    Deliver(usize, usize),
    Dial(usize),
    Attack(usize, Attack),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..40);
    // As the body of a parcel, a word, an acknowledgement, or an end would begin.
    let bodies = (3u8..7, 0u8..9, 0u8..3, bytes()).prop_map(|(kind, number, messages, mut bytes)| {
        bytes.splice(0..0, [kind, number, messages]);
        bytes
    });
    let attacks = prop_oneof![
        4 => any::<(usize, usize)>().prop_map(|(which, at)| Attack::Replay { which, at }),
        2 => any::<usize>().prop_map(|at| Attack::Swap { at }),
        1 => any::<usize>().prop_map(|at| Attack::LeaveOut { at }),
        1 => any::<(usize, usize, u8)>().prop_map(|(at, byte, bits)| Attack::Change { at, byte, bits }),
        1 => (any::<usize>(), bytes()).prop_map(|(at, bytes)| Attack::Put { at, bytes }),
        2 => (any::<usize>(), bodies).prop_map(|(at, body)| Attack::Record { at, body }),
        2 => proptest::collection::vec(0u8..4, 0..30).prop_map(|content| Attack::Forge { content }),
    ];
    let step = prop_oneof![
        4 => (0usize..2, 1u32..5).prop_map(|(from, messages)| Step::Send(from, messages)),
        6 => (0usize..2, 1usize..6).prop_map(|(to, frames)| Step::Deliver(to, frames)),
        2 => (0usize..2).prop_map(Step::Dial),
        3 => (0usize..2, attacks).prop_map(|(to, attack)| Step::Attack(to, attack)),
    ];
    proptest::collection::vec(step, 0..100)
}

fn take(pair: &mut Wiretapped, step: &Step) {
    match step {
        Step::Send(from, messages) => {
            pair.ends[*from].send(*messages);
            pair.write(*from);
        }
        Step::Deliver(to, frames) => pair.deliver(*to, *frames),
        Step::Dial(from) => pair.dial(*from),
        Step::Attack(to, attack) => pair.attack(*to, attack),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_put_in_every_message_arrives_once_with_its_stamp(steps in steps(), is_keyed: bool) {
        let mut pair = Wiretapped::new(is_keyed);
        steps.iter().for_each(|step| take(&mut pair, step));
        pair.settle();
        let [one, two] = &pair.ends;
        prop_assert!(one.got == two.sent && two.got == one.sent);
        for (from, to) in [(one, two), (two, one)] {
            prop_assert_eq!(from.session.counts().sent, to.session.counts().received);
        }
    }
}

/// Every frame that three connections carried is put in again into a fourth, in both directions.
#[test]
fn no_recorded_frame_fits_anywhere_and_each_that_is_tried_costs_a_connection_alone() {
    for is_keyed in [false, true] {
        let mut pair = Wiretapped::new(is_keyed);
        for _ in 0..3 {
            (0..3).for_each(|_| pair.ends[0].send(4));
            (0..3).for_each(|_| pair.ends[1].send(3));
            pair.settle();
        }
        let frames = pair.recorded.len();
        assert!(frames >= 20, "{frames}");
        for which in 0..frames {
            for to in [0, 1] {
                let broken = pair.broken;
                pair.settle();
                pair.attack(to, &Attack::Replay { which, at: 0 });
                pair.deliver(to, 1);
                // Under a key it may be the beginning of a long record: then what follows is no rest of it.
                assert!(is_keyed || pair.broken == broken + 1, "frame {which} of {frames} fits");
                pair.ends[1 - to].send(1);
                pair.write(1 - to);
                pair.deliver(to, 9);
                pair.settle();
            }
        }
        let [one, two] = &pair.ends;
        assert!(one.got == two.sent && two.got == one.sent);
        assert!(one.session.counts().lost == Amount::default());
    }
}
