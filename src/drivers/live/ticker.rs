//! The timer of one machine: it sleeps until the next tick is due and lets the actor make it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix::Actor;
use actix::fut::ActorFuture;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use crate::model::time::Nanos;

/// How many late ticks are made before others get their turn.
const BURST: u32 = 32;

/// An actor that ticks.
pub(super) trait Ticking: Actor {
    /// The actor's mailbox has just been emptied, as it always is before the ticker's turn.
    fn mailbox_is_empty(&mut self);

    /// When the next tick is due; none where there will be no other.
    fn next_due(&mut self) -> Option<Nanos>;

    /// The time now, counted from the run's start.
    fn now(&self) -> Nanos;

    /// The instant of a point in the run.
    fn instant(&self, elapsed: Nanos) -> Instant;

    /// Makes the tick that is due.
    fn tick(&mut self, now: Nanos);
}

pin_project! {
    /// Makes a machine's ticks, each at its own due time, which the machine's pace decides. Late ticks run late, and
    /// where several are due, in bursts that leave room for the mailbox. All ticks of a burst happen at the time at
    /// which it began.
    ///
    /// One timer serves all ticks, so a tick allocates nothing.
    #[derive(Debug)]
    pub(super) struct Ticker {
        #[pin]
        sleep: Sleep,
    }
}

impl Ticker {
    /// A ticker that starts as soon as it is polled.
    pub(super) const fn new(sleep: Sleep) -> Self {
        Self { sleep }
    }
}

impl<A: Ticking> ActorFuture<A> for Ticker {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        _context: &mut A::Context,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        actor.mailbox_is_empty();
        let mut now = actor.now();
        for _ in 0..BURST {
            let Some(due) = actor.next_due() else {
                return Poll::Ready(());
            };
            if now < due {
                now = actor.now();
            }
            if now < due {
                let mut sleep = self.as_mut().project().sleep;
                let deadline = actor.instant(due);
                if sleep.deadline() != deadline {
                    sleep.as_mut().reset(deadline);
                }
                ready!(sleep.poll(task));
                now = actor.now();
            }
            actor.tick(now);
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}
