//! Broadcasts that everybody delivers in causal order: Birman, Schiper and Stephenson's.
//!
//! A message carries how many broadcasts of each machine its sender had delivered, and counts itself. Who receives it
//! holds it back until it has delivered as many: the one before of the same sender, and all that the sender had
//! delivered. A broadcast goes to N-1 others, and nobody answers. Messages may overtake each other.
//!
//! A machine delivers at most one broadcast at an event. Its own come first of all, at the event after the send.

use super::word_list::WordList;
use super::{Algorithm, Broadcast, Heard, Make, Parameter, Protocol, Setup, Speaking, Textbook, Tick, Turn};
use crate::model::event::MessageId;
use crate::model::id::VmId;

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "causal-broadcast",
    title: "broadcasts that are held back until all have been delivered that they may be answers to",
    paper: "Birman, Schiper, Stephenson 1991",
    make: Make::Boxed(|vm, setup| Box::new(Speaking::new(vm, setup, Member::new(vm, setup)))),
    judge: Some(|setup| Box::new(Broadcast::new(setup.vms()))),
    parameters: &[Parameter {
        name: "pause",
        meaning: "most ticks from a broadcast to the next, drawn, beside those that deliver",
        default: 20,
        range: (1, 1_000_000),
        is_setting: false,
    }],
    longest_payload: 1 << 16,
    textbook: Some(Textbook { mark: "broadcast", formula: "N-1", messages: |vms| f64::from(vms) - 1.0 }),
    needs_delivery: true,
    ..Algorithm::PLAIN
};

messages! {
    /// What is broadcast.
    enum Word {
        /// It was said when so many broadcasts of each machine had been delivered where it comes from, itself included.
        Say { time: WordList<u64> } = "say",
    }
}

/// A machine that broadcasts again and again.
#[derive(Debug)]
struct Member {
    own: VmId,
    pause: u64,
    /// How many broadcasts of each machine it has delivered: the paper's VT.
    delivered: Vec<u64>,
    /// What it has not delivered yet, in the order in which it came.
    held: Vec<Said>,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    id: MessageId,
    time: Vec<u64>,
}

/// What a machine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has yet to draw when it broadcasts.
    Fresh,
    /// It broadcasts after so many ticks with nothing else to do.
    Pausing(u64),
    /// It was down and does not know what it had delivered: it delivers nothing twice, and so nothing any more.
    Retired,
}

impl Member {
    fn new(own: VmId, setup: &Setup) -> Self {
        let delivered = vec![0; setup.vms() as usize];
        Self { own, pause: setup.parameter("pause"), delivered, held: Vec::new(), phase: Phase::Fresh }
    }

    /// Step 2 of the protocol: whether it is the sender's next, and its sender had delivered nothing that is missing.
    fn is_next(&self, said: &Said) -> bool {
        let sender = said.id.sender.index();
        let fits = |(vm, (time, delivered)): (usize, (&u64, &u64))| {
            if vm == sender { *time == delivered + 1 } else { time <= delivered }
        };
        said.time.len() == self.delivered.len() && said.time.iter().zip(&self.delivered).enumerate().all(fits)
    }

    /// Delivers the first that it may. Whether there was one.
    fn deliver(&mut self, turn: &mut Turn<'_, Word>) -> bool {
        let Some(place) = self.held.iter().position(|said| self.is_next(said)) else { return false };
        let Said { id, .. } = self.held.remove(place);
        self.delivered[id.sender.index()] += 1;
        turn.mark(format_args!("deliver {id}"));
        true
    }

    fn time_of_next(&self) -> Vec<u64> {
        let mut time = self.delivered.clone();
        time[self.own.index()] += 1;
        time
    }

    fn broadcast(&mut self, turn: &mut Turn<'_, Word>) {
        let time = self.time_of_next();
        let id = MessageId { sender: self.own, event: turn.tick.event };
        turn.mark("broadcast");
        turn.send_to_others(Word::Say { time: WordList(time.clone()) });
        self.held.push(Said { id, time });
    }
}

impl Protocol for Member {
    type Message = Word;

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        if self.phase == Phase::Retired || self.deliver(turn) {
            return;
        }
        self.phase = match self.phase {
            Phase::Pausing(0) => {
                self.broadcast(turn);
                Phase::Fresh
            }
            Phase::Pausing(left) => Phase::Pausing(left - 1),
            Phase::Fresh | Phase::Retired => Phase::Pausing(turn.stream.below(self.pause)),
        };
    }

    fn received(&mut self, heard: &Heard<Word>, turn: &mut Turn<'_, Word>) {
        let Word::Say { time } = &heard.message;
        if self.phase != Phase::Retired && heard.from().index() < self.delivered.len() {
            self.held.push(Said { id: heard.id, time: time.0.clone() });
            self.deliver(turn);
        }
    }

    /// What may be delivered is, before anything else comes.
    fn receives(&mut self, _tick: &Tick<'_>) -> bool {
        self.phase == Phase::Retired || !self.held.iter().any(|said| self.is_next(said))
    }

    /// How far it has delivered, and its own broadcast where it has not delivered that. What it held back of others
    /// goes with what was on the way to it.
    fn keeps(&self) -> Option<String> {
        if self.phase == Phase::Retired {
            return None;
        }
        let own = self.held.iter().find(|said| said.id.sender == self.own);
        let own = own.map(|said| format!(" {}", said.id)).unwrap_or_default();
        Some(format!("{}{own}", WordList(self.delivered.clone())))
    }

    fn resume(&mut self, kept: Option<&str>) {
        self.held.clear();
        self.phase = Phase::Retired;
        let mut words = kept.unwrap_or_default().split(' ');
        let delivered = words.next().and_then(|word| word.parse().ok()).map(|WordList(delivered)| delivered);
        if let Some(delivered) = delivered.filter(|delivered| delivered.len() == self.delivered.len()) {
            (self.delivered, self.phase) = (delivered, Phase::Fresh);
            let own = words.next().and_then(|word| word.parse().ok());
            self.held.extend(own.map(|id| Said { id, time: self.time_of_next() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sender: u32, event: u64, time: [u64; 3]) -> Said {
        Said { id: MessageId { sender: VmId(sender), event }, time: time.to_vec() }
    }

    fn member() -> Member {
        Member::new(VmId(1), &Setup::new(3, &ALGORITHM))
    }

    #[test]
    fn a_broadcast_waits_for_the_one_before_and_for_what_it_may_answer() {
        let mut member = member();
        assert!(member.is_next(&said(0, 4, [1, 0, 0])));
        assert!(!member.is_next(&said(0, 9, [2, 0, 0])), "one of the same sender is missing");
        assert!(!member.is_next(&said(2, 5, [1, 0, 1])), "its sender had delivered what is not here");
        member.delivered = vec![1, 0, 0];
        assert!(member.is_next(&said(2, 5, [1, 0, 1])));
        assert!(!member.is_next(&said(0, 4, [1, 0, 0])), "it was delivered");
        let longer = Said { time: vec![1, 0, 1, 0], ..said(2, 5, [0; 3]) };
        assert!(!member.is_next(&longer), "another program's");
    }

    #[test]
    fn a_machine_that_was_down_goes_on_from_what_it_kept_or_delivers_no_more() {
        let mut before = member();
        before.delivered = vec![3, 1, 4];
        before.held = vec![said(0, 30, [5, 0, 0]), said(1, 17, [3, 2, 4])];
        let kept = before.keeps().unwrap();
        assert_eq!(kept, "3,1,4 vm1-17");
        let mut after = member();
        after.resume(Some(&kept));
        assert_eq!((after.delivered, after.held), (vec![3, 1, 4], vec![said(1, 17, [3, 2, 4])]));
        let mut killed = member();
        killed.resume(None);
        assert_eq!((killed.phase, killed.keeps()), (Phase::Retired, None));
    }
}
