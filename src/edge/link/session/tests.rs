//! Both ends of a link, and between them a network that loses everything at any byte.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::edge::link::frame::Frames;
use crate::edge::link::greeting;
use crate::model::id::VmId;
use crate::model::seed::{Purpose, Seed, Stream};

/// One process with its end of the connection.
struct End {
    session: Session,
    frames: Frames,
    /// The lanes of this connection: what it writes, and what it reads.
    lane: Lane,
    own: Option<Hello>,
    has_dialled: bool,
    /// Whether the hello of this connection has come.
    greeted: bool,
    /// Bytes on their way to it.
    inbound: Vec<u8>,
    /// Messages that arrived, over all incarnations.
    got: Vec<u64>,
    /// The number of the next message that it sends.
    next: u64,
}

struct Pair {
    ends: [End; 2],
    now: Nanos,
    incarnations: u64,
    turns: u64,
}

const ROOM: usize = 1 << 16;

fn session(node: u32, incarnation: u64) -> Session {
    let own = Identity { run: "r".into(), scenario: "".into(), nodes: 2, node, incarnation };
    Session::new(own, 1 - node, ROOM)
}

impl Pair {
    fn new() -> Self {
        let end = |node| End {
            session: session(node, u64::from(node) + 1),
            frames: Frames::default(),
            lane: Lane::both(0)[0],
            own: None,
            has_dialled: false,
            greeted: false,
            inbound: Vec::new(),
            got: Vec::new(),
            next: 0,
        };
        Self { ends: [end(0), end(1)], now: Nanos::ZERO, incarnations: 2, turns: 0 }
    }

    /// Sends the next messages as one parcel, where there is room.
    fn send(&mut self, from: usize, messages: u32) {
        let end = &mut self.ends[from];
        if end.session.send(messages, &end.next.to_le_bytes()).is_ok() {
            end.next += u64::from(messages);
        }
    }

    /// All that was on its way is gone, and both ends notice.
    fn cut(&mut self) {
        for end in &mut self.ends {
            end.session.detach();
            (end.frames, end.greeted) = (Frames::default(), false);
            end.inbound.clear();
        }
    }

    fn dial(&mut self, from: usize) {
        self.cut();
        self.ends[from].has_dialled = true;
        self.ends[1 - from].has_dialled = false;
        self.turns += 1;
        let hello = self.ends[from].session.hello(self.turns);
        frame::put(&mut self.ends[1 - from].inbound, |body| greeting::put_hello(&hello, body));
        self.ends[from].own = Some(hello);
    }

    fn restart(&mut self, node: usize) {
        self.cut();
        self.incarnations += 1;
        self.ends[node].session = session(u32::try_from(node).unwrap(), self.incarnations);
    }

    /// Lets so many bytes arrive at an end, which answers with all that it has. False where the connection broke.
    fn deliver(&mut self, to: usize, bytes: usize) -> bool {
        let (now, [a, b]) = (self.now, &mut self.ends);
        let (end, other) = if to == 0 { (a, b) } else { (b, a) };
        let arrived: Vec<u8> = end.inbound.drain(..bytes.min(end.inbound.len())).collect();
        end.frames.push(&arrived);
        while let Some(body) = end.frames.pop().unwrap() {
            if end.greeted {
                if let Arrival::Parcel(parcel) = end.session.read(body, now).unwrap() {
                    let first = u64::from_le_bytes(parcel.payload.try_into().unwrap());
                    end.got.extend((first..).take(parcel.messages as usize));
                    end.session.accept(parcel, now);
                }
                continue;
            }
            let hello = greeting::read(body).unwrap();
            end.session.attach(&hello, now).unwrap();
            end.greeted = true;
            let lanes = if end.has_dialled {
                greeting::lanes(end.own.as_ref().unwrap(), &hello)
            } else {
                let answer = end.session.hello(1);
                frame::put(&mut other.inbound, |body| greeting::put_hello(&answer, body));
                let [theirs, ours] = greeting::lanes(&hello, &answer);
                [ours, theirs]
            };
            end.lane = lanes[0];
            end.frames.follow(lanes[1]);
        }
        end.session.write(now, 1 << 14, &mut end.lane, &mut other.inbound);
        true
    }

    /// Hands over what is on its way until neither end has anything more to write.
    fn settle(&mut self) {
        while self.ends.iter().any(|end| !end.inbound.is_empty() || end.session.has_to_write(self.now)) {
            self.deliver(0, usize::MAX);
            self.deliver(1, usize::MAX);
        }
    }

    fn assert_all_arrived(&self) {
        for (to, from) in [(0, 1), (1, 0)] {
            let expected: Vec<u64> = (0..self.ends[from].next).collect();
            assert!(
                self.ends[to].got == expected,
                "{} of {} messages",
                self.ends[to].got.len(),
                expected.len()
            );
        }
    }
}

#[test]
fn a_cut_at_every_byte_loses_nothing() {
    let run = |cut: Option<(usize, usize)>| {
        let mut pair = Pair::new();
        (0..5).for_each(|_| pair.send(0, 3));
        (0..5).for_each(|_| pair.send(1, 2));
        pair.dial(0);
        let mut passed = [0, 0];
        loop {
            let to = usize::from(!pair.ends[1].inbound.is_empty());
            if pair.ends[to].inbound.is_empty() {
                break;
            }
            if cut == Some((to, passed[to])) {
                pair.dial(1);
            }
            pair.deliver(to, 1);
            passed[to] += 1;
        }
        pair.settle();
        pair.assert_all_arrived();
        passed
    };
    let whole = run(None);
    assert!(whole.iter().all(|bytes| *bytes > 100), "{whole:?}");
    for to in [0, 1] {
        for byte in 0..whole[to] {
            run(Some((to, byte)));
        }
    }
}

/// More than a million messages, and two thousand cuts at random bytes.
#[test]
fn a_million_messages_arrive_once_and_in_order_over_two_thousand_cuts() {
    let mut draws: Stream = Seed(7).stream(VmId(0), Purpose::Network);
    let mut pair = Pair::new();
    let mut draw = |bound: u64| usize::try_from(draws.below(bound)).unwrap();
    for round in 0..20_000 {
        for from in [0, 1] {
            pair.send(from, 50);
        }
        if round % 10 == 0 {
            let from = draw(2);
            pair.dial(from);
        }
        let to = draw(2);
        let bytes = draw(3_000);
        pair.deliver(to, bytes);
        pair.deliver(1 - to, bytes / 2);
    }
    pair.dial(0);
    pair.settle();
    pair.assert_all_arrived();
    let total: u64 = pair.ends.iter().map(|end| end.session.counts().received.messages).sum();
    assert!(total > 1_000_000, "{total}");
    let counts = pair.ends.each_ref().map(|end| end.session.counts());
    assert!(counts.iter().all(|counts| counts.resent.parcels > 100));
    assert_eq!(counts[0].sent, counts[1].received);
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize, u32),
    Deliver(usize, usize),
    Cut,
    Dial(usize),
    Restart(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..2, 1u32..5).prop_map(|(from, messages)| Step::Send(from, messages)),
        8 => (0usize..2, 0usize..200).prop_map(|(to, bytes)| Step::Deliver(to, bytes)),
        1 => Just(Step::Cut),
        2 => (0usize..2).prop_map(Step::Dial),
        1 => (0usize..2).prop_map(Step::Restart),
    ];
    proptest::collection::vec(step, 0..80)
}

fn take(pair: &mut Pair, step: &Step) {
    match *step {
        Step::Send(from, messages) => pair.send(from, messages),
        Step::Deliver(to, bytes) => {
            pair.deliver(to, bytes);
        }
        Step::Cut => pair.cut(),
        Step::Dial(from) => pair.dial(from),
        Step::Restart(node) => pair.restart(node),
    }
}

proptest! {
    #[test]
    fn while_both_live_everything_arrives_once_and_in_order(steps in steps()) {
        let mut pair = Pair::new();
        for step in steps.iter().filter(|step| !matches!(step, Step::Restart(_))) {
            take(&mut pair, step);
        }
        pair.ends.iter_mut().for_each(|end| end.session.end());
        pair.dial(0);
        pair.settle();
        pair.assert_all_arrived();
        prop_assert!(pair.ends.iter().all(|end| end.session.is_over() && end.session.is_closed()));
    }

    /// The last acknowledgement may be lost with its connection: who goes leaves nobody behind that misses it.
    #[test]
    fn whoever_goes_leaves_an_end_that_knows_that_all_has_arrived(before in steps(), after in steps()) {
        let mut pair = Pair::new();
        before.iter().filter(|step| !matches!(step, Step::Restart(_))).for_each(|step| take(&mut pair, step));
        pair.ends.iter_mut().for_each(|end| end.session.end());
        for step in after.iter().filter(|step| !matches!(step, Step::Restart(_) | Step::Send(..))) {
            take(&mut pair, step);
            for at in 0..2 {
                let [one, other] = [at, 1 - at].map(|at| &pair.ends[at].session);
                prop_assert!(!one.is_closed() || other.is_over(), "node {at} would go");
                prop_assert!(!one.is_closed() || other.unacknowledged() == Amount::default());
            }
        }
    }

    /// Node 1 dies and comes back; node 0 lives all the time.
    #[test]
    fn after_a_death_nothing_happens_twice_and_what_is_missing_is_counted(steps in steps()) {
        let mut pair = Pair::new();
        for step in steps.iter().filter(|step| !matches!(step, Step::Restart(0))) {
            take(&mut pair, step);
        }
        pair.dial(1);
        pair.settle();
        let got = &pair.ends[1].got;
        prop_assert!(got.is_sorted_by(|a, b| a < b), "in order, none twice: {:?}", got);
        let got: BTreeSet<u64> = got.iter().copied().collect();
        let missing = (0..pair.ends[0].next).filter(|message| !got.contains(message)).count() as u64;
        let lost = pair.ends[0].session.counts().lost.messages;
        prop_assert!(missing <= lost, "{} missing, {} counted", missing, lost);
        prop_assert!(pair.ends[0].got.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 1..40), sent in 0u32..3) {
        let mut session = session(0, 1);
        (0..sent).for_each(|_| session.send(1, b"x").unwrap());
        let hello = Hello { from: Identity { node: 1, incarnation: 2, ..session.own.clone() }, to: 0, knows: 0, received: 0, turn: 1 };
        session.attach(&hello, Nanos::ZERO).unwrap();
        let _ = session.read(&body, Nanos::ZERO);
    }
}

fn attached() -> (Session, Hello) {
    let mut session = session(0, 1);
    let from = Identity { node: 1, incarnation: 2, ..session.own.clone() };
    let hello = Hello { from, to: 0, knows: 1, received: 0, turn: 1 };
    session.attach(&hello, Nanos::ZERO).unwrap();
    (session, hello)
}

#[test]
fn an_end_speaks_every_second_and_is_dead_after_five_of_silence() {
    let (mut session, _) = attached();
    assert_eq!(session.timeout(), Some(HEARTBEAT));
    let (mut out, mut lane) = (Vec::new(), Lane::both(0)[0]);
    session.write(Nanos::new(999_999_999), 1000, &mut lane, &mut out);
    assert!(out.is_empty());
    for second in 1..5 {
        assert_eq!(session.check(Nanos::from_secs(second)), Ok(()));
        session.write(Nanos::from_secs(second), 1000, &mut lane, &mut out);
        assert_eq!(out.len(), 10, "an acknowledgement of nothing");
        out.clear();
    }
    assert_eq!(session.timeout(), Some(SILENCE));
    assert_eq!(session.check(SILENCE), Err(SessionError::Silent));
}

#[test]
fn no_more_is_kept_than_may_be() {
    let (mut session, _) = attached();
    let mut taken = 0;
    while session.send(1, &[0; 1000]).is_ok() {
        taken += 1;
    }
    assert!((60..=65).contains(&taken) && session.kept_bytes() <= ROOM + 1000, "{taken}");
    assert_eq!(session.counts().sent, Amount { parcels: taken, messages: taken });
}

#[test]
fn what_cannot_be_true_breaks_the_connection_and_not_the_session() {
    let (mut session, hello) = attached();
    session.send(1, b"x").unwrap();
    let body = |kind, number| {
        let mut body = vec![kind];
        put_number(number, &mut body);
        body
    };
    let now = Nanos::ZERO;
    let error = session.read(&body(ACKNOWLEDGEMENT, 2), now).unwrap_err();
    assert_eq!(error.to_string(), "parcel 2 was acknowledged, where 0 to 1 were possible");
    let error = session.read(&[PARCEL, 3, 1], now).unwrap_err();
    assert_eq!(error.to_string(), "parcel 3 came where 1 was next");
    assert_eq!(session.read(&body(77, 1), now), Err(SessionError::Malformed));
    assert_eq!(session.read(&[], now), Err(SessionError::Malformed));
    assert!(session.attach(&Hello { received: 2, ..hello.clone() }, now).is_err());
    assert!(
        session.is_attached() && session.has_to_write(Nanos::ZERO),
        "the connection in use is still in use"
    );
    assert_eq!(session.attach(&hello, now), Ok(Attached::Resumed));
}

#[test]
fn a_parcel_that_comes_again_is_left_out_and_acknowledged_again() {
    let (mut session, _) = attached();
    let parcel = [PARCEL, 1, 3, b'x'];
    let next = Parcel { number: 1, messages: 3, payload: b"x" };
    for _ in 0..2 {
        assert_eq!(session.read(&parcel, Nanos::ZERO), Ok(Arrival::Parcel(next)));
        assert_eq!(session.counts().received, Amount::default(), "nobody has taken it yet");
        assert!(session.timeout() > Some(PATIENCE), "and it is not acknowledged");
    }
    session.accept(next, Nanos::ZERO);
    assert_eq!(session.read(&parcel, Nanos::ZERO), Ok(Arrival::Nothing));
    assert!(session.has_to_write(Nanos::ZERO), "at once");
    let amount = Amount { parcels: 1, messages: 3 };
    assert_eq!((session.counts().received, session.counts().repeated), (amount, amount));
}

#[test]
fn a_process_given_up_leaves_a_count() {
    let (mut session, _) = attached();
    session.send(3, b"x").unwrap();
    session.send(4, b"y").unwrap();
    assert_eq!(session.give_up(), Amount { parcels: 2, messages: 7 });
    assert_eq!((session.counts().lost.messages, session.kept_bytes()), (7, 0));
}

#[test]
fn an_acknowledgement_goes_with_a_parcel_or_alone_after_a_while_or_at_once_for_many_bytes() {
    let (mut session, _) = attached();
    let written = |session: &mut Session, now| {
        let (mut out, mut lane) = (Vec::new(), Lane::both(0)[0]);
        session.write(now, 1 << 20, &mut lane, &mut out);
        let mut frames = Frames::default();
        frames.follow(Lane::both(0)[0]);
        frames.push(&out);
        let mut kinds = Vec::new();
        while let Some(body) = frames.pop().unwrap() {
            kinds.push(body[0]);
        }
        kinds
    };
    let accept = |session: &mut Session, body: &[u8], now| match session.read(body, now).unwrap() {
        Arrival::Parcel(parcel) => session.accept(parcel, now),
        other => panic!("{other:?}"),
    };
    accept(&mut session, &[PARCEL, 1, 1, b'x'], Nanos::ZERO);
    assert_eq!((session.has_to_write(Nanos::ZERO), session.timeout()), (false, Some(PATIENCE)));
    assert_eq!(written(&mut session, Nanos::ZERO), [0u8; 0]);
    session.send(1, b"answer").unwrap();
    assert_eq!(written(&mut session, Nanos::ZERO), [ACKNOWLEDGEMENT, PARCEL]);
    accept(&mut session, &[PARCEL, 2, 1, b'x'], Nanos::ZERO);
    accept(&mut session, &[PARCEL, 3, 1, b'x'], Nanos::new(4_000_000));
    assert_eq!(session.timeout(), Some(PATIENCE), "the first one waits no longer for the second one");
    assert_eq!(written(&mut session, PATIENCE), [ACKNOWLEDGEMENT]);
    let mut long = vec![PARCEL, 4, 1];
    long.resize(MANY_BYTES, b'x');
    accept(&mut session, &long, PATIENCE);
    assert_eq!(written(&mut session, PATIENCE), [ACKNOWLEDGEMENT]);
    assert_eq!(written(&mut session, PATIENCE), [0u8; 0]);
    session.read(&[END, 5], PATIENCE).unwrap();
    assert_eq!(written(&mut session, PATIENCE), [ACKNOWLEDGEMENT], "its process waits for it");
}
