//! The timer of one machine: it sleeps until the next tick is due and lets the actor make it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix::fut::ActorFuture;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::vm_actor::VmActor;
use crate::workload::Workload;

/// How many late ticks are made before others get their turn.
const BURST: u32 = 32;

pin_project! {
    /// Makes a machine's ticks, each at its own due time: late ticks run late, in bursts that leave
    /// room for the mailbox, and none is skipped or doubled. Deadlines come from the schedule alone,
    /// so a late tick does not delay the next one.
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

impl<W: Workload + Unpin + 'static> ActorFuture<VmActor<W>> for Ticker {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut VmActor<W>,
        _context: &mut actix::Context<VmActor<W>>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        actor.mailbox_is_empty();
        for _ in 0..BURST {
            let Some(due) = actor.next_due() else {
                return Poll::Ready(());
            };
            let mut now = actor.now();
            if now < due {
                let mut sleep = self.as_mut().project().sleep;
                let deadline = actor.instant(due);
                if sleep.deadline() != deadline {
                    sleep.as_mut().reset(deadline);
                }
                ready!(sleep.poll(task));
                now = actor.now();
            }
            actor.tick(due, now);
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}
