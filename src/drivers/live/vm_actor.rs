//! One machine as an actor: a mailbox that feeds its inbox, and a ticker that makes its ticks.

use std::rc::Rc;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};
use tokio::time::Instant;

use super::directory::Deliver;
use super::shared::Shared;
use super::ticker::{Ticker, Ticking};
use crate::edge::log::LogFile;
use crate::model::event::Envelope;
use crate::model::pace::Pace;
use crate::model::tally::Lateness;
use crate::model::time::Nanos;
use crate::model::vm::{Outages, Vm};
use crate::workload::Workload;

/// The actor of one machine.
#[derive(Debug)]
pub(super) struct VmActor<W: Workload> {
    vm: Vm<W>,
    /// Its crashes, where it has any.
    outages: Option<Box<Outages<W>>>,
    pace: Pace,
    /// Ticks that are due later are not made.
    end: Nanos,
    phase: LifePhase,
    lateness: Lateness,
    /// When the messages in the mailbox arrived, as far as they are known to have arrived together.
    arrival: Option<Nanos>,
    /// The machine's own log, where it has one.
    log: Option<Box<LogFile>>,
    shard: Rc<Shared>,
}

/// What the shard may still expect of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LifePhase {
    /// It has ticks to make, and is to be waited for.
    Ticking,
    /// It will tick no more, and owes its account.
    Quiet,
    /// It has handed in its account.
    Done,
}

/// The run has begun: an actor may wait for its first tick.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Begin;

/// The run ends early: wake up and see that the shard has halted.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Halt;

/// The run is over and every message is in its mailbox: hand in the account.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct HandIn {
    /// When the last machine stopped ticking.
    pub(super) ended: Nanos,
}

impl<W: Workload> VmActor<W> {
    /// The actor of a machine that makes its ticks up to `end`.
    pub(super) fn new(
        (vm, outages): (Vm<W>, Option<Box<Outages<W>>>),
        pace: Pace,
        end: Nanos,
        log: Option<LogFile>,
        shard: Rc<Shared>,
    ) -> Self {
        Self {
            vm,
            outages,
            pace,
            end,
            phase: LifePhase::Ticking,
            lateness: Lateness::default(),
            arrival: None,
            log: log.map(Box::new),
            shard,
        }
    }
}

impl<W: Workload> Actor for VmActor<W> {
    type Context = Context<Self>;
}

impl<W: Workload> Ticking for VmActor<W> {
    fn next_due(&mut self) -> Option<Nanos> {
        let due = self.pace.due();
        if due > self.end || self.shard.has_halted() {
            if self.phase == LifePhase::Ticking {
                self.phase = LifePhase::Quiet;
                self.shard.one_is_quiet();
            }
            return None;
        }
        Some(due)
    }

    fn now(&self) -> Nanos {
        self.shard.elapsed()
    }

    fn instant(&self, elapsed: Nanos) -> Instant {
        self.shard.instant(elapsed)
    }

    /// Later messages arrive later than those that were in the mailbox until now.
    fn mailbox_is_empty(&mut self) {
        self.arrival = None;
    }

    /// One event, its row, and only then its messages. Writing takes time: an event that is logged reads
    /// the clock for itself.
    fn tick(&mut self, now: Nanos) {
        let now = if self.log.is_some() || self.shard.has_log() { self.shard.elapsed() } else { now };
        if let Some(outages) = &mut self.outages
            && let Some(up) = outages.before_tick(self.pace.due(), now, &mut self.vm, &mut self.shard.store())
        {
            self.pace.pass(up);
            return;
        }
        let made = self.pace.made(now);
        let mut outbox = self.shard.outbox();
        let event = self.vm.tick(now, &mut self.shard.store(), &mut outbox);
        let record = self.vm.record(event);
        if let Err(error) = self.shard.record(&record, self.log.as_deref_mut()) {
            self.shard.log_failed(error);
            return;
        }
        self.lateness.add(made.late());
        self.shard.count(&record, &made);
        for envelope in outbox.drain() {
            self.shard.send(envelope);
        }
    }
}

impl<W: Workload> Handler<Begin> for VmActor<W> {
    type Result = ();

    fn handle(&mut self, _: Begin, context: &mut Context<Self>) {
        self.pace.begin(self.shard.from());
        if let Some(outages) = &mut self.outages {
            outages.begin(self.shard.from());
        }
        let first = self.instant(self.pace.due());
        context.spawn(Ticker::new(tokio::time::sleep_until(first)));
    }
}

/// Puts the message into the inbox, or tells the workload of the call; it arrives when the modelled
/// network says so, and not before it is really here. No clock changes and nothing is logged: that is
/// for a tick to do.
impl<W: Workload> Handler<Deliver> for VmActor<W> {
    type Result = ();

    fn handle(&mut self, Deliver(mut envelope): Deliver, _: &mut Context<Self>) {
        let arrival = match self.phase {
            LifePhase::Ticking => *self.arrival.get_or_insert_with(|| self.shard.elapsed()),
            // The ticker is gone, so nobody tells that the mailbox was empty in between.
            LifePhase::Quiet | LifePhase::Done => self.shard.elapsed(),
        };
        envelope.delay_until(arrival);
        if let (Some(outages), Envelope::Call { call, .. }) = (&mut self.outages, &envelope) {
            outages.take_call(*call, &mut self.vm);
            return;
        }
        self.vm.deliver(&mut envelope, &mut self.shard.store());
    }
}

impl<W: Workload> Handler<Halt> for VmActor<W> {
    type Result = ();

    /// Handling any message polls the ticker, which ends when the shard has halted.
    fn handle(&mut self, _: Halt, _: &mut Context<Self>) {}
}

impl<W: Workload> Handler<HandIn> for VmActor<W> {
    type Result = ();

    fn handle(&mut self, HandIn { ended }: HandIn, context: &mut Context<Self>) {
        self.lateness.settle(&self.pace);
        let (rate, lateness) = (self.pace.schedule().rate(), Some(self.lateness.clone()));
        let mut store = self.shard.store();
        let account = match &mut self.outages {
            Some(outages) => outages.account(&mut self.vm, ended, &mut store, rate, lateness),
            None => self.vm.account(ended, &mut store, rate, lateness),
        };
        drop(store);
        if self.phase == LifePhase::Ticking {
            self.shard.one_is_quiet();
        }
        self.phase = LifePhase::Done;
        self.shard.handed_in(account, self.log.take().map(|log| *log));
        context.stop();
    }
}

/// An actor that goes before it has handed in its account has panicked.
impl<W: Workload> Drop for VmActor<W> {
    fn drop(&mut self) {
        if self.phase != LifePhase::Done {
            self.shard.one_died(
                self.vm.id(),
                self.phase == LifePhase::Ticking,
                self.log.take().map(|log| *log),
            );
        }
    }
}
