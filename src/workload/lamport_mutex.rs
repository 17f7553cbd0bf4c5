//! Lamport's mutual exclusion, the example of the paper that made the clock.

use std::collections::BTreeSet;

use super::{Algorithm, Exclusion, Heard, Make, Parameter, Protocol, Setup, Speaking, Textbook, Turn};
use crate::model::id::VmId;

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "lamport-mutex",
    title: "mutual exclusion in the order of requests, with a queue of them at every machine",
    paper: "Lamport 1978",
    make: Make::Boxed(|vm, setup| Box::new(Speaking::new(vm, setup, Claimant::new(vm, setup)))),
    judge: Some(|_| Box::new(Exclusion::new().in_order())),
    parameters: &[
        Parameter {
            name: "think",
            meaning: "most ticks from leaving to the next request, drawn",
            default: 10,
            range: (1, 1_000_000),
            is_setting: false,
        },
        Parameter {
            name: "hold",
            meaning: "ticks inside",
            default: 2,
            range: (0, 1_000_000),
            is_setting: false,
        },
    ],
    longest_payload: "release".len(),
    textbook: Some(Textbook {
        mark: "enter",
        formula: "3(N-1)",
        messages: |vms| 3.0 * (f64::from(vms) - 1.0),
    }),
    needs_order: true,
    needs_delivery: true,
    ..Algorithm::PLAIN
};

messages! {
    /// What machines say to each other; each word has the sender's clock with it, which is its timestamp.
    enum Word {
        /// It wants to enter. The time of the message is that of the request.
        Request = "request",
        /// It has heard of a request.
        Reply = "reply",
        /// It has left.
        Release = "release",
    }
}

/// The order of requests, total: by Lamport clock, and by machine where that is the same.
type Time = (u64, VmId);

/// A machine that wants to enter again and again.
#[derive(Debug)]
struct Claimant {
    own: VmId,
    think: u64,
    hold: u64,
    /// The request queue: what was asked for and not released.
    requests: BTreeSet<Time>,
    /// Of each machine the time of the last message that came from it.
    heard: Vec<u64>,
    phase: Phase,
}

/// What a machine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has not begun.
    New,
    /// It asks at that event of its or later.
    Thinking(u64),
    /// It has asked, or will as soon as its request is sent.
    Waiting(Option<Time>),
    /// It leaves at that event or later.
    Inside(u64),
    /// It was down, and lets go of what it held or wanted.
    Returning,
    /// It has forgotten what others asked while it was down or before: it answers them, and asks no more.
    Retired,
}

impl Claimant {
    fn new(own: VmId, setup: &Setup) -> Self {
        Self {
            own,
            think: setup.parameter("think"),
            hold: setup.parameter("hold"),
            requests: BTreeSet::new(),
            heard: vec![0; setup.vms() as usize],
            phase: Phase::New,
        }
    }

    /// Rule 5 of the paper: its own request is before all others, and something later has come from every machine.
    /// Messages stay in order, so nothing earlier can come any more.
    fn may_enter(&self, own: Time) -> bool {
        let is_later = |(vm, heard): (VmId, &u64)| vm == self.own || (*heard, vm) > own;
        self.requests.first() == Some(&own) && (0..).map(VmId).zip(&self.heard).all(is_later)
    }

    fn enter_when_possible(&mut self, turn: &mut Turn<'_, Word>) {
        if let Phase::Waiting(Some(own)) = self.phase
            && self.may_enter(own)
        {
            turn.mark("enter");
            self.phase = Phase::Inside(turn.tick.event + self.hold);
        }
    }

    fn draw_pause(&self, turn: &mut Turn<'_, Word>) -> Phase {
        Phase::Thinking(turn.tick.event + 1 + turn.stream.below(self.think))
    }
}

impl Protocol for Claimant {
    type Message = Word;

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        match self.phase {
            Phase::New => self.phase = self.draw_pause(turn),
            Phase::Thinking(until) if turn.tick.event >= until => {
                self.phase = Phase::Waiting(None);
                turn.send_to_others(Word::Request);
            }
            Phase::Inside(until) if turn.tick.event > until => turn.send_to_others(Word::Release),
            Phase::Waiting(_) => self.enter_when_possible(turn),
            Phase::Returning => turn.send_to_others(Word::Release),
            Phase::Thinking(_) | Phase::Inside(_) | Phase::Retired => {}
        }
    }

    /// Rules 1 and 3: a request stands in the own queue from when it is sent, and goes when the release is.
    fn sent(&mut self, message: &Word, turn: &mut Turn<'_, Word>) {
        match message {
            Word::Request => {
                let own = (turn.lamport, self.own);
                self.requests.insert(own);
                self.phase = Phase::Waiting(Some(own));
                turn.mark("request");
            }
            Word::Release if self.phase == Phase::Returning => self.phase = Phase::Retired,
            Word::Release => {
                self.requests.retain(|(_, vm)| *vm != self.own);
                self.phase = self.draw_pause(turn);
                turn.mark("leave");
            }
            Word::Reply => {}
        }
    }

    /// Rules 2 and 4.
    fn received(&mut self, heard: &Heard<Word>, turn: &mut Turn<'_, Word>) {
        let from = heard.from();
        if let Some(latest) = self.heard.get_mut(from.index()) {
            *latest = heard.lamport.max(*latest);
        }
        match heard.message {
            Word::Request => {
                self.requests.insert((heard.lamport, from));
                turn.send([from], Word::Reply);
            }
            Word::Release => self.requests.retain(|(_, vm)| *vm != from),
            Word::Reply => {}
        }
        self.enter_when_possible(turn);
    }

    /// The paper knows no machines that go down. What others have asked it cannot know any more, and so not when it may
    /// enter: it does what keeps the others going, and nothing that could break the promise.
    fn resume(&mut self, _kept: Option<&str>) {
        self.requests.clear();
        self.phase = Phase::Returning;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Action, Tick, Workload};
    use super::*;
    use crate::clock::{Reading, Stamp};
    use crate::model::event::{Message, MessageId};
    use crate::model::seed::{Purpose, Seed, Stream};
    use crate::model::time::Nanos;

    /// Machine 1 of three, ticked by hand.
    struct Bench {
        machine: Speaking<Claimant>,
        stream: Stream,
        event: u64,
        lamport: u64,
    }

    impl Bench {
        fn new() -> Self {
            let mut setup = Setup::new(3, &ALGORITHM);
            setup.set("think", 1);
            let machine = Speaking::new(VmId(1), &setup, Claimant::new(VmId(1), &setup));
            Self { machine, stream: Seed(1).stream(VmId(1), Purpose::Workload), event: 0, lamport: 0 }
        }

        /// A tick without a message: what is sent and to whom, and the mark.
        fn tick(&mut self) -> (String, Vec<u32>, &str) {
            self.event += 1;
            let clocks = Reading::lamport_only(self.lamport);
            let tick = Tick { now: Nanos::ZERO, event: self.event, waiting: 0, clocks };
            let mut to = Vec::new();
            let action = self.machine.choose(&tick, &mut self.stream, &mut to);
            self.lamport += 1;
            let word = match action {
                Action::Send { payload } => payload.unwrap().to_string(),
                _ => String::new(),
            };
            (word, to.into_iter().map(|vm| vm.0).collect(), self.machine.mark())
        }

        /// A tick that receives a word: the mark.
        fn hear(&mut self, from: u32, lamport: u64, word: &str) -> &str {
            self.event += 1;
            let before = Reading::lamport_only(self.lamport);
            let tick = Tick { now: Nanos::ZERO, event: self.event, waiting: 1, clocks: before };
            assert_eq!(self.machine.choose(&tick, &mut self.stream, &mut Vec::new()), Action::Receive);
            self.lamport = self.lamport.max(lamport) + 1;
            let message = Message {
                id: MessageId { sender: VmId(from), event: 1 },
                to: VmId(1),
                arrives: Nanos::ZERO,
                stamp: Stamp::lamport_only(lamport),
                payload: Some(Arc::new(word.to_owned())),
            };
            let clocks = Reading::lamport_only(self.lamport);
            self.machine.received(&message, &Tick { waiting: 0, clocks, ..tick }, &mut self.stream);
            self.machine.mark()
        }
    }

    fn nothing() -> (String, Vec<u32>, &'static str) {
        (String::new(), vec![], "")
    }

    #[test]
    fn it_enters_at_the_last_reply_and_leaves_after_it_has_held() {
        let mut bench = Bench::new();
        assert_eq!(bench.tick(), nothing(), "it draws when it will ask");
        assert_eq!(bench.tick(), ("request".into(), vec![0, 2], "request"));
        assert_eq!(bench.hear(0, 9, "reply"), "");
        assert_eq!(bench.tick(), nothing(), "it waits");
        assert_eq!(bench.hear(2, 4, "reply"), "enter");
        assert_eq!(bench.tick(), nothing(), "it holds for two ticks");
        assert_eq!(bench.tick(), nothing());
        assert_eq!(bench.tick(), ("release".into(), vec![0, 2], "leave"));
    }

    /// Requests at the same Lamport time are in the order of their machines.
    #[test]
    fn an_earlier_request_goes_first_whenever_it_is_heard_of() {
        let mut bench = Bench::new();
        bench.tick();
        bench.tick();
        assert_eq!(bench.lamport, 2, "its request has that time");
        assert_eq!(bench.hear(2, 9, "reply"), "");
        assert_eq!(bench.hear(0, 2, "request"), "", "the same time, and a lower machine");
        assert_eq!(bench.tick(), ("reply".into(), vec![0], ""));
        assert_eq!(bench.hear(0, 12, "release"), "enter");
        // Nothing that is earlier can come any more.
        let mut bench = Bench::new();
        bench.tick();
        bench.tick();
        bench.hear(0, 9, "reply");
        let mark = bench.hear(2, 2, "request");
        assert_eq!(mark, "enter", "the same time, and a higher machine: it comes later");
    }

    #[test]
    fn a_machine_that_was_down_lets_go_and_asks_no_more() {
        let mut bench = Bench::new();
        bench.machine.resume(None);
        assert_eq!(bench.tick(), ("release".into(), vec![0, 2], ""));
        assert_eq!(bench.hear(0, 9, "request"), "");
        assert_eq!(bench.tick(), ("reply".into(), vec![0], ""));
        assert!((0..99).all(|_| bench.tick() == nothing()));
    }
}
