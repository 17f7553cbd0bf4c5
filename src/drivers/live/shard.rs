//! A shard: the actor that makes and leads one arbiter's share of the machines.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext, Addr, Context, Handler, Message, Recipient};
use tokio::sync::mpsc::UnboundedSender;

use super::counters::Counters;
use super::directory::Deliver;
use super::shared::{Logged, Report, Shared};
use super::stage::Theatre;
use super::vm_actor::{self, HandIn, VmActor};
use crate::clock::ClockList;
use crate::edge::driver::Failure;
use crate::edge::log::{Layout, LogFile, Passed, Recovered, combined_log_name, vm_log_name};
use crate::edge::panics;
use crate::edge::watch::Scene;
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::tally::Account;
use crate::model::time::Nanos;
use crate::workload::Workload;

/// Makes each machine's workload.
pub(super) type MakeWorkload<W> = Arc<dyn Fn(VmId) -> W + Send + Sync>;

/// What one shard is to do.
pub(super) struct Orders<W> {
    pub(super) shard: usize,
    /// The node of the process; 0 where it is alone.
    pub(super) node: u32,
    /// Its machines, by number.
    pub(super) machines: Range<u32>,
    pub(super) scenario: Scenario,
    pub(super) layout: Layout,
    pub(super) folder: PathBuf,
    pub(super) workload: MakeWorkload<W>,
    pub(super) theatre: Arc<Theatre>,
    pub(super) counters: Arc<Counters>,
    pub(super) scene: Option<Arc<Scene>>,
    pub(super) reports: UnboundedSender<Report>,
    /// Whether the machines go on where their logs end.
    pub(super) resume: bool,
}

/// The actor that runs a shard.
pub(super) struct Shard<W: Workload> {
    orders: Orders<W>,
    machines: Vec<Addr<VmActor<W>>>,
    /// The accounts and logs of machines that were not made, since the run was halted before.
    unmade: Vec<(Account, Option<LogFile>)>,
    shared: Rc<Shared>,
    finished: bool,
}

/// The run starts: the stage is set.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Begin;

/// The run ends early, and the theatre is halted.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Halt;

/// All ticks and messages are made: have the accounts handed in, and close.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Close {
    /// When the last machine stopped ticking.
    pub(super) ended: Nanos,
}

impl<W: Workload> Shard<W> {
    pub(super) fn new(orders: Orders<W>) -> Self {
        let Orders { scenario, shard, node, theatre, counters, scene, reports, .. } = &orders;
        let (theatre, counters) = (Arc::clone(theatre), Arc::clone(counters));
        let clocks = scenario.clocks().clone();
        let shared = Shared::new((*shard, *node), theatre, clocks, counters, scene.clone(), reports.clone());
        let shared = Rc::new(shared);
        Self { orders, machines: Vec::new(), unmade: Vec::new(), shared, finished: false }
    }

    /// Makes the machines with their logs, as long as the run is not halted, and tells how far the logs go, and
    /// what they say.
    fn prepare(&mut self) -> Result<(Vec<Recipient<Deliver>>, Logged), Failure> {
        let Orders { scenario, machines, layout, folder, workload, scene, resume, .. } = &self.orders;
        let mut past = Past::default();
        let mut log = |name: String| open_log(folder.join(name), scenario.clocks(), *resume, &mut past);
        if *layout == Layout::Combined {
            let name = combined_log_name(VmId(machines.start), VmId(machines.end - 1));
            self.shared.share(log(name)?);
        }
        let logs = match layout {
            Layout::PerVm => {
                let name = |vm| vm_log_name(VmId(vm), scenario.schedule(VmId(vm)).rate());
                machines.clone().map(|vm| log(name(vm)).map(Some)).collect::<Result<Vec<_>, _>>()?
            }
            Layout::Combined | Layout::Nowhere => machines.clone().map(|_| None).collect(),
        };
        let mut recipients = Vec::with_capacity(machines.len());
        for (vm, log) in machines.clone().map(VmId).zip(logs) {
            if self.shared.has_halted() {
                let past = past.machines.get(&vm);
                let past = past.map(|past| past.account(vm, scenario.schedule(vm).rate(), scenario.clocks()));
                self.unmade.push((past.unwrap_or_else(|| scenario.untouched(vm)), log));
                continue;
            }
            let machine = match past.machines.get(&vm) {
                Some(past) => {
                    let account = past.account(vm, scenario.schedule(vm).rate(), scenario.clocks());
                    if let Some(scene) = scene {
                        scene.resume(&account);
                    }
                    scenario.machine_after(&account, workload(vm))
                }
                None => scenario.machine(vm, workload(vm)),
            };
            let machine = (machine, scenario.outages(vm, || workload(vm)));
            let actor =
                VmActor::new(machine, scenario.pace(vm), scenario.duration(), log, Rc::clone(&self.shared));
            let address = actor.start();
            self.shared.one_is_made();
            recipients.push(address.clone().recipient());
            self.machines.push(address);
        }
        let elapsed = past.machines.values().map(|past| past.elapsed).max().unwrap_or_default();
        let has_all = |vm| past.machines.get(&vm).is_some_and(|past| has_ended(scenario, vm, past.elapsed));
        let is_whole = machines.clone().map(VmId).all(has_all);
        Ok((recipients, Logged { elapsed, is_whole, passed: past.passed }))
    }
}

/// Whether no tick is due after a machine's last event that it makes.
fn has_ended(scenario: &Scenario, vm: VmId, last: Nanos) -> bool {
    let uptime = scenario.uptime(vm);
    uptime.ticks_until(last) >= uptime.ticks_until(scenario.duration())
}

/// What logs say of the machines that go on with them.
#[derive(Default)]
struct Past {
    machines: BTreeMap<VmId, Recovered>,
    passed: Passed,
}

/// Makes a log, or goes on with one that is there and adds what it says of its machines.
fn open_log(path: PathBuf, clocks: &ClockList, resume: bool, past: &mut Past) -> Result<LogFile, Failure> {
    if !(resume && path.exists()) {
        return Ok(LogFile::create(path, clocks)?);
    }
    let (log, recovered) = LogFile::resume(path, clocks)?;
    past.machines.extend(recovered.machines);
    past.passed.add(recovered.passed);
    Ok(log)
}

impl<W: Workload> Actor for Shard<W> {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        let report = match self.prepare() {
            Ok((recipients, logged)) => Report::Ready { shard: self.orders.shard, recipients, logged },
            Err(failure) => {
                // What logs that are gone on with say of their machines is not known.
                if !self.orders.resume && self.machines.is_empty() {
                    let Orders { machines, scenario, .. } = &self.orders;
                    let untouched = |vm| (scenario.untouched(VmId(vm)), None);
                    self.unmade = machines.clone().map(untouched).collect();
                }
                Report::Failed(failure)
            }
        };
        self.shared.report(report);
    }
}

impl<W: Workload> Handler<Begin> for Shard<W> {
    type Result = ();

    fn handle(&mut self, _: Begin, _: &mut Context<Self>) {
        for machine in &self.machines {
            machine.do_send(vm_actor::Begin);
        }
    }
}

impl<W: Workload> Handler<Halt> for Shard<W> {
    type Result = ();

    /// The run is halted; this wakes machines that sleep.
    fn handle(&mut self, _: Halt, _: &mut Context<Self>) {
        for machine in &self.machines {
            machine.do_send(vm_actor::Halt);
        }
    }
}

impl<W: Workload> Handler<Close> for Shard<W> {
    type Result = ();

    fn handle(&mut self, Close { ended }: Close, context: &mut Context<Self>) {
        for machine in self.machines.drain(..) {
            machine.do_send(HandIn { ended });
        }
        self.unmade.drain(..).for_each(|(account, log)| self.shared.add(account, log));
        self.shared.close_when_none_owes();
        self.finished = true;
        context.stop();
    }
}

/// A shard that goes before it was told to close has panicked. Its machines are not to go on without it.
impl<W: Workload> Drop for Shard<W> {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.report(Report::Panicked { vm: None, message: panics::latest() });
            self.shared.halt();
            let ended = if self.shared.has_begun() { self.shared.elapsed() } else { Nanos::ZERO };
            for machine in self.machines.drain(..) {
                machine.do_send(vm_actor::Halt);
                machine.do_send(HandIn { ended });
            }
            self.shared.close_when_none_owes();
        }
    }
}
