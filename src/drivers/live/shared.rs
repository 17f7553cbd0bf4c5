//! What the machines of one shard share, all of it on one thread: the log, the timebase, counters, and
//! the line to the coordinator.

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::sync::Arc;

use actix::Recipient;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::counters::Counters;
use super::directory::Deliver;
use super::stage::{Stage, Theatre};
use crate::clock::ClockList;
use crate::edge::driver::{Failure, LatenessCounts};
use crate::edge::log::{FileEntry, LogError, LogFile, Passed, RowFormat};
use crate::edge::panics;
use crate::edge::watch::Scene;
use crate::model::event::{Envelope, Kind, Outbox, Record};
use crate::model::id::VmId;
use crate::model::pace::Made;
use crate::model::tally::Account;
use crate::model::time::Nanos;
use crate::model::vm::Store;

/// What a shard tells the coordinator.
pub(super) enum Report {
    /// Its machines are made; these are their actors, by number, and what their logs say.
    Ready { shard: usize, recipients: Vec<Recipient<Deliver>>, logged: Logged },
    /// None of its machines will tick again.
    Quiet,
    /// All its machines have handed in their accounts, and its logs are closed.
    Closed(Closing),
    /// A log could not be made, gone on with or written.
    Failed(Failure),
    /// An actor panicked; the machine's, or where there is none, the shard's own.
    Panicked { vm: Option<VmId>, message: String },
}

/// What the logs say that a shard's machines go on with; nothing in a new run.
pub(super) struct Logged {
    /// How far they go.
    pub(super) elapsed: Nanos,
    /// Whether all machines have made all their ticks.
    pub(super) is_whole: bool,
    /// What they say of messages.
    pub(super) passed: Passed,
}

/// What a shard leaves.
pub(super) struct Closing {
    /// Which shard, from 0.
    pub(super) shard: usize,
    pub(super) accounts: Vec<Account>,
    pub(super) files: Vec<FileEntry>,
    /// How late ticks ran.
    pub(super) lateness: LatenessCounts,
}

impl Closing {
    fn empty(shard: usize, node: u32) -> Self {
        Self { shard, accounts: Vec::new(), files: Vec::new(), lateness: LatenessCounts::of_node(node) }
    }
}

/// What the machines of a shard share.
pub(super) struct Shared {
    theatre: Arc<Theatre>,
    /// The clocks that they keep beside Lamport's.
    clocks: ClockList,
    /// The form of the rows, from the first row on.
    format: RefCell<Option<RowFormat>>,
    outbox: RefCell<Outbox>,
    /// The memory of the machines' inboxes.
    store: RefCell<Store>,
    /// The log that the machines share, where they do.
    log: RefCell<Option<LogFile>>,
    /// Machines that will still tick.
    ticking: Cell<usize>,
    /// Machines that still owe their account.
    owing: Cell<usize>,
    closing: RefCell<Closing>,
    closed: Cell<bool>,
    counters: Arc<Counters>,
    /// Where the run is watched, if it is.
    scene: Option<Arc<Scene>>,
    /// Which shard of the scene this is.
    shard: usize,
    reports: UnboundedSender<Report>,
}

impl Shared {
    pub(super) fn new(
        (shard, node): (usize, u32),
        theatre: Arc<Theatre>,
        clocks: ClockList,
        counters: Arc<Counters>,
        scene: Option<Arc<Scene>>,
        reports: UnboundedSender<Report>,
    ) -> Self {
        Self {
            theatre,
            clocks,
            format: RefCell::default(),
            outbox: RefCell::default(),
            store: RefCell::default(),
            log: RefCell::default(),
            ticking: Cell::new(0),
            owing: Cell::new(0),
            closing: RefCell::new(Closing::empty(shard, node)),
            closed: Cell::new(false),
            counters,
            scene,
            shard,
            reports,
        }
    }

    /// Whether the machines share a log.
    pub(super) fn has_log(&self) -> bool {
        self.log.borrow().is_some()
    }

    /// From now on the machines write to this log, which they share.
    pub(super) fn share(&self, log: LogFile) {
        self.log.replace(Some(log));
    }

    /// A machine has been made: it will tick, and owes its account.
    pub(super) fn one_is_made(&self) {
        self.ticking.set(self.ticking.get() + 1);
        self.owing.set(self.owing.get() + 1);
    }

    /// No machine of the run is to tick again.
    pub(super) fn halt(&self) {
        self.theatre.halt();
    }

    fn stage(&self) -> &Stage {
        self.theatre.stage().expect("machines tick and receive only after the run's beginning")
    }

    pub(super) fn has_begun(&self) -> bool {
        self.theatre.stage().is_some()
    }

    /// How far the run had come when this process took part in it.
    pub(super) fn from(&self) -> Nanos {
        self.stage().from
    }

    pub(super) fn elapsed(&self) -> Nanos {
        self.stage().timebase.elapsed()
    }

    pub(super) fn instant(&self, elapsed: Nanos) -> Instant {
        self.stage().timebase.instant(elapsed)
    }

    pub(super) fn outbox(&self) -> RefMut<'_, Outbox> {
        self.outbox.borrow_mut()
    }

    pub(super) fn store(&self) -> RefMut<'_, Store> {
        self.store.borrow_mut()
    }

    pub(super) fn has_halted(&self) -> bool {
        self.theatre.has_halted()
    }

    /// Writes the event's row to the machine's own log or the shared one, where there is one.
    pub(super) fn record(&self, record: &Record<'_>, own: Option<&mut LogFile>) -> Result<(), LogError> {
        let mut shared = self.log.borrow_mut();
        let Some(log) = own.or(shared.as_mut()) else {
            return Ok(());
        };
        let mut format = self.format.borrow_mut();
        let format =
            format.get_or_insert_with(|| RowFormat::new(self.stage().timebase.time_of_day(), &self.clocks));
        log.append(record, format);
        log.flush()
    }

    pub(super) fn send(&self, envelope: Envelope) {
        self.stage().directory.send(envelope);
    }

    pub(super) fn count(&self, record: &Record<'_>, made: &Made) {
        if let Kind::Receive(received) = record.kind {
            self.stage().directory.received(received.message.sender);
        }
        self.counters.add(record);
        if let Some(scene) = &self.scene {
            scene.see(self.shard, record);
        }
        self.closing.borrow_mut().lateness.add(made);
    }

    /// Nothing more is to happen: an event could not be logged. It happened all the same, so the
    /// clocks in its machine's account may be one event ahead of the log.
    pub(super) fn log_failed(&self, error: LogError) {
        if self.theatre.halt() {
            self.report(Report::Failed(error.into()));
        }
    }

    pub(super) fn one_is_quiet(&self) {
        debug_assert!(self.ticking.get() > 0, "a machine becomes quiet once");
        self.ticking.set(self.ticking.get() - 1);
        if self.ticking.get() == 0 {
            self.report(Report::Quiet);
        }
    }

    pub(super) fn handed_in(&self, account: Account, log: Option<LogFile>) {
        self.add(account, log);
        self.one_owes_less();
    }

    /// Adds what a machine leaves, which may never have had an actor.
    pub(super) fn add(&self, account: Account, log: Option<LogFile>) {
        self.closing.borrow_mut().accounts.push(account);
        self.close(log);
    }

    /// A machine's actor is gone, and with it what it owed.
    pub(super) fn one_died(&self, vm: VmId, was_ticking: bool, log: Option<LogFile>) {
        self.report(Report::Panicked { vm: Some(vm), message: panics::latest() });
        self.close(log);
        if was_ticking {
            self.one_is_quiet();
        }
        self.one_owes_less();
    }

    fn one_owes_less(&self) {
        debug_assert!(self.owing.get() > 0, "a machine hands in one account");
        self.owing.set(self.owing.get() - 1);
        self.close_when_none_owes();
    }

    /// Closes the shard where no machine owes its account, as when none was made.
    pub(super) fn close_when_none_owes(&self) {
        if self.owing.get() == 0 && !self.closed.replace(true) {
            self.close(self.log.take());
            let shard = self.closing.borrow().shard;
            self.report(Report::Closed(self.closing.replace(Closing::empty(shard, 0))));
        }
    }

    fn close(&self, log: Option<LogFile>) {
        match log.map(LogFile::finish) {
            Some(Ok(entry)) => self.closing.borrow_mut().files.push(entry),
            Some(Err(error)) => self.report(Report::Failed(error.into())),
            None => {}
        }
    }

    /// Where the coordinator has gone, there is nobody to tell.
    pub(super) fn report(&self, report: Report) {
        let _ = self.reports.send(report);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ticking, owing) = (self.ticking.get(), self.owing.get());
        f.debug_struct("Shared").field("ticking", &ticking).field("owing", &owing).finish_non_exhaustive()
    }
}
