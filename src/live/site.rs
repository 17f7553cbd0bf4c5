//! A site: one arbiter's share of a run, with what its machines have in common.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext, Addr, Context, Handler, Message as ActixMessage, Recipient};
use hdrhistogram::Histogram;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::directory::{Deliver, Directory};
use super::panics;
use super::pulse::Pulse;
use super::timebase::Timebase;
use super::vm_actor::{self, HandIn, Phase, VmActor};
use crate::event::{Message, Outbox, Record, VmId};
use crate::log::{FileEntry, Layout, LogError, LogFile, RowFormat, combined_log_name, vm_log_name};
use crate::scenario::Scenario;
use crate::tally::Account;
use crate::time::Nanos;
use crate::workload::Workload;

/// What a site tells the lab.
pub(super) enum Report {
    /// Its machines are made; these are their actors, by number.
    Ready { site: usize, recipients: Vec<Recipient<Deliver>> },
    /// None of its machines will tick again.
    Quiet,
    /// All its machines have handed in their accounts, and its logs are closed.
    Closed(Closing),
    /// A log could not be made or written.
    LogFailed(LogError),
    /// An actor panicked; the machine's, or where there is none, the site's own.
    Panicked { vm: Option<VmId>, message: String },
}

/// What a site leaves.
pub(super) struct Closing {
    /// Which site, from 0.
    pub(super) site: usize,
    pub(super) accounts: Vec<Account>,
    pub(super) files: Vec<FileEntry>,
    /// How late ticks ran, in microseconds.
    pub(super) lateness: Histogram<u64>,
}

/// Makes each machine's workload.
pub(super) type MakeWorkload<W> = Arc<dyn Fn(VmId) -> W + Send + Sync>;

impl Closing {
    fn empty(site: usize) -> Self {
        Self { site, accounts: Vec::new(), files: Vec::new(), lateness: lateness_histogram() }
    }
}

/// Counts of lateness in microseconds, from one to an hour, with three digits.
pub(super) fn lateness_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("sound bounds")
}

/// The orders for one site.
pub(super) struct Orders<W> {
    pub(super) site: usize,
    /// Its machines, by number.
    pub(super) machines: Range<u32>,
    pub(super) scenario: Scenario,
    pub(super) layout: Layout,
    pub(super) folder: PathBuf,
    pub(super) workload: MakeWorkload<W>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) reports: UnboundedSender<Report>,
}

/// The actor that runs a site.
pub(super) struct Site<W: Workload + Unpin + 'static> {
    orders: Orders<W>,
    machines: Vec<Addr<VmActor<W>>>,
    shared: Rc<Shared>,
    finished: bool,
}

/// The run starts: who lives where, and when it is.
#[derive(ActixMessage)]
#[rtype(result = "()")]
pub(super) struct Begin {
    pub(super) directory: Arc<Directory>,
    pub(super) timebase: Timebase,
}

/// The run ends early: no more ticks.
#[derive(Clone, Copy, ActixMessage)]
#[rtype(result = "()")]
pub(super) struct Halt;

/// All ticks and messages are made: have the accounts handed in, and close.
#[derive(Clone, Copy, ActixMessage)]
#[rtype(result = "()")]
pub(super) struct Close {
    /// When the last machine stopped ticking.
    pub(super) ended: Nanos,
}

impl<W: Workload + Unpin + 'static> Site<W> {
    pub(super) fn new(orders: Orders<W>) -> Self {
        let shared = Rc::new(Shared::new(&orders));
        Self { orders, machines: Vec::new(), shared, finished: false }
    }

    /// Makes the machines with their logs.
    fn prepare(&mut self) -> Result<Vec<Recipient<Deliver>>, LogError> {
        let Orders { scenario, machines, layout, folder, workload, .. } = &self.orders;
        if *layout == Layout::Combined {
            let name = combined_log_name(VmId(machines.start), VmId(machines.end - 1));
            self.shared.log.replace(Some(LogFile::create(folder.join(name))?));
        }
        let mut recipients = Vec::with_capacity(machines.len());
        for vm in machines.clone().map(VmId) {
            let schedule = scenario.schedule(vm);
            let log = match layout {
                Layout::PerVm => Some(LogFile::create(folder.join(vm_log_name(vm, schedule.rate())))?),
                Layout::Combined | Layout::Nowhere => None,
            };
            let machine = scenario.machine(vm, workload(vm));
            let actor = VmActor::new(machine, schedule, scenario.duration(), log, Rc::clone(&self.shared));
            let address = actor.start();
            recipients.push(address.clone().recipient());
            self.machines.push(address);
        }
        Ok(recipients)
    }
}

impl<W: Workload + Unpin + 'static> Actor for Site<W> {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        let report = match self.prepare() {
            Ok(recipients) => Report::Ready { site: self.orders.site, recipients },
            Err(error) => Report::LogFailed(error),
        };
        self.shared.report(report);
    }
}

impl<W: Workload + Unpin + 'static> Handler<Begin> for Site<W> {
    type Result = ();

    fn handle(&mut self, Begin { directory, timebase }: Begin, _: &mut Context<Self>) {
        self.shared.begin(directory, timebase);
        for machine in &self.machines {
            machine.do_send(vm_actor::Begin);
        }
    }
}

impl<W: Workload + Unpin + 'static> Handler<Halt> for Site<W> {
    type Result = ();

    fn handle(&mut self, _: Halt, _: &mut Context<Self>) {
        self.shared.halted.set(true);
        for machine in &self.machines {
            machine.do_send(vm_actor::Halt);
        }
    }
}

impl<W: Workload + Unpin + 'static> Handler<Close> for Site<W> {
    type Result = ();

    fn handle(&mut self, Close { ended }: Close, context: &mut Context<Self>) {
        for machine in self.machines.drain(..) {
            machine.do_send(HandIn { ended });
        }
        self.finished = true;
        context.stop();
    }
}

/// A site that goes before it was told to close has panicked.
impl<W: Workload + Unpin + 'static> Drop for Site<W> {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.report(Report::Panicked { vm: None, message: panics::latest() });
        }
    }
}

/// What the machines of a site share: all of it on one thread.
pub(super) struct Shared {
    stage: OnceCell<Stage>,
    outbox: RefCell<Outbox>,
    /// The log that the machines share, where they do.
    log: RefCell<Option<LogFile>>,
    halted: Cell<bool>,
    /// Machines that will still tick.
    ticking: Cell<usize>,
    /// Machines that still owe their account.
    owing: Cell<usize>,
    closing: RefCell<Closing>,
    pulse: Arc<Pulse>,
    reports: UnboundedSender<Report>,
}

/// What is known only when the run starts.
struct Stage {
    directory: Arc<Directory>,
    timebase: Timebase,
    format: RefCell<RowFormat>,
}

impl Shared {
    fn new<W>(orders: &Orders<W>) -> Self {
        let machines = orders.machines.len();
        Self {
            stage: OnceCell::new(),
            outbox: RefCell::default(),
            log: RefCell::default(),
            halted: Cell::new(false),
            ticking: Cell::new(machines),
            owing: Cell::new(machines),
            closing: RefCell::new(Closing::empty(orders.site)),
            pulse: Arc::clone(&orders.pulse),
            reports: orders.reports.clone(),
        }
    }

    fn begin(&self, directory: Arc<Directory>, timebase: Timebase) {
        let format = RefCell::new(RowFormat::new(timebase.time_of_day()));
        let stage = Stage { directory, timebase, format };
        assert!(self.stage.set(stage).is_ok(), "a run begins once");
    }

    fn stage(&self) -> &Stage {
        self.stage.get().expect("machines tick and receive only after the run's beginning")
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

    pub(super) const fn has_halted(&self) -> bool {
        self.halted.get()
    }

    /// Writes the event's row to the machine's own log or the shared one, where there is one.
    pub(super) fn record(&self, record: &Record<'_>, own: Option<&mut LogFile>) -> Result<(), LogError> {
        let mut shared = self.log.borrow_mut();
        let Some(log) = own.or(shared.as_mut()) else {
            return Ok(());
        };
        log.append(record, &mut self.stage().format.borrow_mut());
        log.flush()
    }

    pub(super) fn send(&self, message: Message) {
        self.stage().directory.send(message);
    }

    pub(super) fn count(&self, record: &Record<'_>, late: Nanos) {
        self.pulse.add(record);
        self.closing.borrow_mut().lateness.saturating_record(late.get() / 1000);
    }

    /// Nothing more is to happen at this site: an event could not be logged.
    pub(super) fn log_failed(&self, error: LogError) {
        if !self.halted.replace(true) {
            self.report(Report::LogFailed(error));
        }
    }

    pub(super) fn one_is_quiet(&self) {
        self.ticking.set(self.ticking.get() - 1);
        if self.ticking.get() == 0 {
            self.report(Report::Quiet);
        }
    }

    pub(super) fn handed_in(&self, account: Account, log: Option<LogFile>) {
        self.closing.borrow_mut().accounts.push(account);
        self.close(log);
        self.one_owes_less();
    }

    /// A machine's actor is gone, and with it what it owed.
    pub(super) fn one_died(&self, vm: VmId, phase: Phase, log: Option<LogFile>) {
        self.report(Report::Panicked { vm: Some(vm), message: panics::latest() });
        self.close(log);
        if phase == Phase::Ticking {
            self.one_is_quiet();
        }
        self.one_owes_less();
    }

    fn one_owes_less(&self) {
        self.owing.set(self.owing.get() - 1);
        if self.owing.get() == 0 {
            self.close(self.log.take());
            let site = self.closing.borrow().site;
            self.report(Report::Closed(self.closing.replace(Closing::empty(site))));
        }
    }

    fn close(&self, log: Option<LogFile>) {
        match log.map(LogFile::finish) {
            Some(Ok(entry)) => self.closing.borrow_mut().files.push(entry),
            Some(Err(error)) => self.report(Report::LogFailed(error)),
            None => {}
        }
    }

    /// Where the lab has gone, there is nobody to tell.
    fn report(&self, report: Report) {
        let _ = self.reports.send(report);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ticking, owing) = (self.ticking.get(), self.owing.get());
        f.debug_struct("Shared").field("ticking", &ticking).field("owing", &owing).finish_non_exhaustive()
    }
}
