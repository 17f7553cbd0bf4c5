//! What machines have in common that exclude each other: each wants to enter again and again, and stays for a while.

use std::fmt;

use super::{Heard, Parameter, Protocol, Setup, Turn};

/// What can be set of those who enter and leave.
pub(super) const PARAMETERS: [Parameter; 2] = [
    Parameter {
        name: "think",
        meaning: "most ticks from leaving to the next request, drawn",
        default: 10,
        range: (1, 1_000_000),
        is_setting: false,
    },
    Parameter { name: "hold", meaning: "ticks inside", default: 2, range: (0, 1_000_000), is_setting: false },
];

/// The rules of an algorithm of mutual exclusion, for a machine that is made to want, enter and leave by [`Visitor`].
pub(super) trait Exclusive: fmt::Debug + Send + Unpin + 'static {
    /// What its messages say.
    type Message: Clone + fmt::Debug + fmt::Display + std::str::FromStr + Send + Unpin;

    /// The machine wants to enter. The first message that is put into the queue leaves with this event.
    fn ask(&mut self, turn: &mut Turn<'_, Self::Message>);

    /// Whether the machine, which has asked, may be inside from now on.
    fn may_enter(&self) -> bool;

    /// The machine enters at this event.
    fn enter(&mut self) {}

    /// The machine leaves. The first message that is put into the queue leaves with this event.
    fn leave(&mut self, turn: &mut Turn<'_, Self::Message>);

    /// A message was received. It is not asked whether it may be inside before that.
    fn received(&mut self, heard: &Heard<Self::Message>, turn: &mut Turn<'_, Self::Message>);

    /// A tick outside with nothing to receive, to send or to ask for.
    fn idle(&mut self, _turn: &mut Turn<'_, Self::Message>) {}

    /// What it keeps on purpose where its machine goes down.
    fn keeps(&self) -> Option<String> {
        None
    }

    /// Its machine was down, and is outside. Whether it can take part again: otherwise it asks no more.
    fn resume(&mut self, kept: Option<&str>) -> bool;

    /// The first tick after the machine was down, where that has nothing to receive.
    fn returned(&mut self, _turn: &mut Turn<'_, Self::Message>) {}
}

/// A machine that wants to enter again and again.
#[derive(Debug)]
pub(super) struct Visitor<E> {
    think: u64,
    hold: u64,
    rules: E,
    phase: Phase,
}

/// What a machine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has not begun.
    New,
    /// It asks at that event of its or later.
    Thinking(u64),
    /// It has asked.
    Waiting,
    /// It leaves at an event after that one.
    Inside(u64),
    /// It was down. Whether it asks again is known.
    Returning(bool),
    /// It was down, and asks no more.
    Retired,
}

impl<E: Exclusive> Visitor<E> {
    pub(super) fn new(setup: &Setup, rules: E) -> Self {
        Self { think: setup.parameter("think"), hold: setup.parameter("hold"), rules, phase: Phase::New }
    }

    fn enter_when_possible(&mut self, turn: &mut Turn<'_, E::Message>) {
        if self.phase == Phase::Waiting && self.rules.may_enter() {
            turn.mark("enter");
            self.rules.enter();
            self.phase = Phase::Inside(turn.tick.event + self.hold);
        }
    }

    fn draw_pause(&self, turn: &mut Turn<'_, E::Message>) -> Phase {
        Phase::Thinking(turn.tick.event + 1 + turn.stream.below(self.think))
    }
}

impl<E: Exclusive> Protocol for Visitor<E> {
    type Message = E::Message;

    fn idle(&mut self, turn: &mut Turn<'_, E::Message>) {
        debug_assert_eq!(turn.unsent(), 0, "what is asked or left with leaves at this very event");
        match self.phase {
            Phase::Thinking(until) if turn.tick.event >= until => {
                turn.mark("request");
                self.phase = Phase::Waiting;
                self.rules.ask(turn);
            }
            Phase::Inside(until) if turn.tick.event > until => {
                turn.mark("leave");
                self.phase = self.draw_pause(turn);
                self.rules.leave(turn);
            }
            Phase::Waiting => self.enter_when_possible(turn),
            Phase::Inside(_) => {}
            Phase::New => {
                self.phase = self.draw_pause(turn);
                self.rules.idle(turn);
            }
            Phase::Returning(asks) => {
                self.phase = if asks { self.draw_pause(turn) } else { Phase::Retired };
                self.rules.returned(turn);
            }
            Phase::Thinking(_) | Phase::Retired => self.rules.idle(turn),
        }
    }

    fn received(&mut self, heard: &Heard<E::Message>, turn: &mut Turn<'_, E::Message>) {
        self.rules.received(heard, turn);
        self.enter_when_possible(turn);
    }

    fn keeps(&self) -> Option<String> {
        self.rules.keeps()
    }

    fn resume(&mut self, kept: Option<&str>) {
        self.phase = Phase::Returning(self.rules.resume(kept));
    }
}
