//! A window on a live run: what each of its machines is at now, for whoever watches it.
//!
//! Machines never wait for who looks. A machine's gauges are written by its own thread alone, one relaxed store
//! each; whoever looks reads those of the machines that it shows. The events of machines that are looked at
//! pass through a channel that drops what nobody takes in time. A run that nobody watches has no window at all.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use smallvec::SmallVec;

use crate::model::event::{Kind, MessageId, Record};
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::tally::Account;
use crate::model::time::{Nanos, Rate};

/// The events that wait to be looked at, at most: some seconds of what a screen's machines do.
const SIGHTINGS: usize = 8192;

/// The most recipients that are told of one send.
const RECIPIENTS: usize = 16;

/// Whoever watches gives this to a run, and finds in it the scene of the run that is under way.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    run: Option<u32>,
    scene: Arc<Mutex<Option<Arc<Scene>>>>,
}

impl Watch {
    /// The same for one of several runs, by number.
    #[must_use]
    pub fn of_run(&self, run: u32) -> Self {
        Self { run: Some(run), ..self.clone() }
    }

    /// The run that is under way, once there is one.
    pub fn scene(&self) -> Option<Arc<Scene>> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A run opens its scene: that of these machines, spread over so many sites.
    pub fn open(&self, scenario: &Scenario, machines: Range<u32>, sites: usize) -> Arc<Scene> {
        let scene = Arc::new(Scene::new(self.run, scenario.clone(), machines, sites));
        *self.scene.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&scene));
        scene
    }
}

/// One live run as it is seen from outside.
pub struct Scene {
    run: Option<u32>,
    scenario: Scenario,
    /// The machines of this process.
    machines: Range<u32>,
    clock: OnceLock<Box<dyn Fn() -> Nanos + Send + Sync>>,
    gauges: Box<[Gauges]>,
    sums: Box<[SiteSums]>,
    /// The machines that are looked at: the first, and the one after the last.
    focus: AtomicU64,
    seen: SyncSender<Sighting>,
    sightings: Mutex<Receiver<Sighting>>,
}

/// One machine's present values. One thread writes them; a machine's fill one line of the processor's cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Gauges {
    lamport: AtomicU64,
    internal: AtomicU64,
    sends: AtomicU64,
    receives: AtomicU64,
    lost: AtomicU64,
    queue: AtomicU32,
    longest_queue: AtomicU32,
}

/// What the machines of one site add up to. One thread writes it; two sites share no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct SiteSums {
    internal: AtomicU64,
    sends: AtomicU64,
    receives: AtomicU64,
    messages: AtomicU64,
    lost: AtomicU64,
    waiting: AtomicU64,
    lamport: AtomicU64,
    longest_queue: AtomicU64,
}

/// What all machines of this process add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Internal events of all of them.
    pub internal: u64,
    /// Send events, however many recipients each had.
    pub sends: u64,
    /// Receive events, one for each message that was taken out of an inbox.
    pub receives: u64,
    /// Messages sent, one for each recipient of a send.
    pub messages: u64,
    /// Those of them that the network lost.
    pub lost: u64,
    /// Messages in the queues.
    pub waiting: u64,
    /// The largest Lamport clock.
    pub lamport: u64,
    /// The longest queue after any event.
    pub longest_queue: u64,
}

/// One machine's present values, as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Whose values these are.
    pub vm: VmId,
    /// Its ticks a second, as drawn.
    pub rate: Rate,
    /// Its Lamport clock after its latest event; 0 before its first.
    pub lamport: u64,
    /// Its internal events so far.
    pub internal: u64,
    /// Its send events so far, however many recipients each had.
    pub sends: u64,
    /// Its receive events so far.
    pub receives: u64,
    /// Of the messages that it sent, those that the network lost.
    pub lost: u64,
    /// Its queue after its latest event.
    pub queue: u32,
    /// Its longest queue after any event.
    pub longest_queue: u32,
}

/// An event of a machine that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The machine whose event it is.
    pub vm: VmId,
    /// The event's number in it.
    pub event: u64,
    /// When it happened, counted from the run's start.
    pub elapsed: Nanos,
    /// Its Lamport clock before.
    pub before: u64,
    /// Its Lamport clock after.
    pub lamport: u64,
    /// Which kind of event it is, with the machines that it touches.
    pub kind: Seen,
}

/// What is seen of an event of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Something inside the machine.
    Internal,
    /// A message left for one machine or for several.
    Send {
        /// Its recipients, the first of them where they are many.
        to: SmallVec<[VmId; 4]>,
        /// How many there are in all.
        recipients: usize,
        /// Those of `to` for which the network lost it.
        lost: SmallVec<[VmId; 4]>,
    },
    /// A message was received.
    Receive {
        /// The message's name, which is that of its send.
        message: MessageId,
        /// The Lamport clock that came with it.
        stamp: u64,
    },
}

/// A run at one moment: what there is to show of it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Which of several runs it is, from 1.
    pub run: Option<u32>,
    /// What the run goes by: the settings and all that was drawn from its seed.
    pub scenario: Scenario,
    /// The machines of this process.
    pub machines: Range<u32>,
    /// Time since the run's start; none before.
    pub elapsed: Option<Nanos>,
    /// What the machines of this process add up to.
    pub sums: Sums,
    /// The machines that were asked for, by number.
    pub glances: Vec<Glance>,
    /// What was seen since the snapshot before, of the machines that it was of.
    pub sightings: Vec<Sighting>,
}

impl Scene {
    fn new(run: Option<u32>, scenario: Scenario, machines: Range<u32>, sites: usize) -> Self {
        let (seen, sightings) = mpsc::sync_channel(SIGHTINGS);
        Self {
            run,
            scenario,
            clock: OnceLock::new(),
            gauges: machines.clone().map(|_| Gauges::default()).collect(),
            machines,
            sums: (0..sites).map(|_| SiteSums::default()).collect(),
            focus: AtomicU64::new(0),
            seen,
            sightings: Mutex::new(sightings),
        }
    }

    /// The run starts; the clock tells how long ago that was.
    pub fn begin(&self, clock: impl Fn() -> Nanos + Send + Sync + 'static) {
        // A run starts once.
        let _ = self.clock.set(Box::new(clock));
    }

    /// A machine goes on where its account ends.
    pub fn resume(&self, past: &Account) {
        let Some(gauges) = self.gauges(past.vm) else { return };
        gauges.lamport.store(past.lamport, Relaxed);
        gauges.internal.store(past.tally.internal(), Relaxed);
        gauges.sends.store(past.tally.sends, Relaxed);
        gauges.receives.store(past.tally.receives, Relaxed);
        gauges.lost.store(past.lost, Relaxed);
    }

    /// An event has happened on that site. Only the site's own thread says so.
    ///
    /// # Panics
    ///
    /// Where there is no such site.
    pub fn see(&self, site: usize, record: &Record<'_>) {
        let Some(gauges) = self.gauges(record.vm) else { return };
        let sums = &self.sums[site];
        let before = gauges.lamport.load(Relaxed);
        gauges.lamport.store(record.clocks.lamport, Relaxed);
        raise(&sums.lamport, record.clocks.lamport);
        match record.kind {
            Kind::Internal => add(&[&gauges.internal, &sums.internal], 1),
            Kind::Receive(_) => add(&[&gauges.receives, &sums.receives], 1),
            Kind::Send(sent) => {
                add(&[&gauges.sends, &sums.sends], 1);
                add(&[&sums.messages], sent.to.len() as u64);
                add(&[&gauges.lost, &sums.lost], sent.lost.len() as u64);
            }
        }
        let waited = gauges.queue.load(Relaxed);
        // The sum has the machine's queue as it was before: the difference is added, in an order that stays positive.
        debug_assert!(
            sums.waiting.load(Relaxed) >= u64::from(waited),
            "a machine's queue is part of what waits on its site"
        );
        let waiting = sums.waiting.load(Relaxed) + u64::from(record.queue) - u64::from(waited);
        sums.waiting.store(waiting, Relaxed);
        gauges.queue.store(record.queue, Relaxed);
        if record.queue > gauges.longest_queue.load(Relaxed) {
            gauges.longest_queue.store(record.queue, Relaxed);
            raise(&sums.longest_queue, record.queue.into());
        }
        if self.looked_at().contains(&record.vm.0) {
            // What nobody takes in time is dropped: a machine does not wait.
            let _ = self.seen.try_send(Sighting::new(record, before));
        }
    }

    /// The machines of this process.
    pub fn machines(&self) -> Range<u32> {
        self.machines.clone()
    }

    /// Looks at these machines: reads their values, and from now on has their events shown.
    pub fn look(&self, at: Range<u32>) -> Snapshot {
        // Both ends in one number, so that no thread sees the first of one range and the end of another.
        debug_assert!(at.start <= at.end, "{at:?} is no range of machines");
        self.focus.store(u64::from(at.start) << 32 | u64::from(at.end), Relaxed);
        self.snapshot(at)
    }

    /// Reads the values of all machines. The events that are shown remain those of the ones that were looked at.
    pub fn survey(&self) -> Snapshot {
        self.snapshot(self.machines())
    }

    fn snapshot(&self, of: Range<u32>) -> Snapshot {
        let glances = of.filter_map(|vm| self.glance(VmId(vm))).collect();
        let sightings = self.sightings.lock().unwrap_or_else(PoisonError::into_inner).try_iter().collect();
        Snapshot {
            run: self.run,
            scenario: self.scenario.clone(),
            machines: self.machines(),
            elapsed: self.clock.get().map(|clock| clock()),
            sums: self.sums(),
            glances,
            sightings,
        }
    }

    /// Looks away: no event is shown any more.
    pub fn look_away(&self) {
        self.focus.store(0, Relaxed);
    }

    fn looked_at(&self) -> Range<u32> {
        let focus = self.focus.load(Relaxed);
        #[expect(clippy::cast_possible_truncation, reason = "two halves")]
        let (first, end) = ((focus >> 32) as u32, focus as u32);
        first..end
    }

    fn gauges(&self, vm: VmId) -> Option<&Gauges> {
        self.gauges.get(vm.0.wrapping_sub(self.machines.start) as usize)
    }

    fn glance(&self, vm: VmId) -> Option<Glance> {
        let gauges = self.gauges(vm)?;
        Some(Glance {
            vm,
            rate: self.scenario.schedule(vm).rate(),
            lamport: gauges.lamport.load(Relaxed),
            internal: gauges.internal.load(Relaxed),
            sends: gauges.sends.load(Relaxed),
            receives: gauges.receives.load(Relaxed),
            lost: gauges.lost.load(Relaxed),
            queue: gauges.queue.load(Relaxed),
            longest_queue: gauges.longest_queue.load(Relaxed),
        })
    }

    fn sums(&self) -> Sums {
        let sum =
            |part: fn(&SiteSums) -> &AtomicU64| self.sums.iter().map(|site| part(site).load(Relaxed)).sum();
        let most = |part: fn(&SiteSums) -> &AtomicU64| {
            self.sums.iter().map(|site| part(site).load(Relaxed)).max().unwrap_or(0)
        };
        Sums {
            internal: sum(|site| &site.internal),
            sends: sum(|site| &site.sends),
            receives: sum(|site| &site.receives),
            messages: sum(|site| &site.messages),
            lost: sum(|site| &site.lost),
            waiting: sum(|site| &site.waiting),
            lamport: most(|site| &site.lamport),
            longest_queue: most(|site| &site.longest_queue),
        }
    }
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene")
            .field("run", &self.run)
            .field("machines", &self.machines)
            .finish_non_exhaustive()
    }
}

impl Sighting {
    fn new(record: &Record<'_>, before: u64) -> Self {
        let kind = match record.kind {
            Kind::Internal => Seen::Internal,
            Kind::Send(sent) => Seen::Send {
                to: sent.to.iter().copied().take(RECIPIENTS).collect(),
                recipients: sent.to.len(),
                lost: sent.lost.iter().copied().take(RECIPIENTS).collect(),
            },
            Kind::Receive(received) => Seen::Receive { message: received.message, stamp: received.lamport },
        };
        let (vm, event, elapsed, lamport) = (record.vm, record.event, record.elapsed, record.clocks.lamport);
        Self { vm, event, elapsed, before, lamport, kind }
    }
}

/// Only one thread writes them: a load and a store suffice.
fn add(counts: &[&AtomicU64], more: u64) {
    for count in counts {
        count.store(count.load(Relaxed) + more, Relaxed);
    }
}

fn raise(most: &AtomicU64, value: u64) {
    if value > most.load(Relaxed) {
        most.store(value, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Reading;
    use crate::model::event::{Received, Sent};
    use crate::model::scenario::Settings;
    use crate::model::seed::Seed;

    fn scene() -> Arc<Scene> {
        let settings: Settings = toml::from_str("vms = 5\nrates = \"5,4,3,2,1\"").unwrap();
        Watch::default().open(&Scenario::new(&settings, Seed(1)).unwrap(), 1..4, 2)
    }

    fn record(vm: u32, lamport: u64, queue: u32, kind: Kind<'_>) -> Record<'_> {
        let clocks = Reading::lamport_only(lamport);
        Record { vm: VmId(vm), event: 1, elapsed: Nanos::from_secs(1), clocks, queue, kind, mark: "" }
    }

    fn sent(to: Range<u32>, lost: &[u32]) -> Sent {
        let lost = lost.iter().copied().map(VmId).collect();
        Sent { to: to.map(VmId).collect(), lost, ..Sent::default() }
    }

    #[test]
    fn what_happens_is_seen_and_adds_up() {
        let scene = scene();
        assert_eq!(scene.look(1..4).elapsed, None);
        scene.begin(|| Nanos::from_secs(3));
        let received =
            Received { message: MessageId { sender: VmId(1), event: 1 }, lamport: 7, payload: None };
        scene.see(0, &record(1, 7, 2, Kind::Send(&sent(2..4, &[3]))));
        scene.see(1, &record(3, 1, 3, Kind::Internal));
        scene.see(1, &record(3, 8, 1, Kind::Receive(&received)));
        let seen = scene.look(2..9);
        assert_eq!(seen.elapsed, Some(Nanos::from_secs(3)));
        assert_eq!(
            seen.sums,
            Sums {
                internal: 1,
                sends: 1,
                receives: 1,
                messages: 2,
                lost: 1,
                waiting: 3,
                lamport: 8,
                longest_queue: 3
            }
        );
        assert_eq!(seen.glances.iter().map(|glance| glance.vm.0).collect::<Vec<_>>(), [2, 3]);
        let three = &seen.glances[1];
        assert_eq!((three.lamport, three.queue, three.longest_queue, three.rate.whole()), (8, 1, 3, Some(2)));
        assert_eq!((three.internal, three.sends, three.receives), (1, 0, 1));
        let steps: Vec<_> =
            seen.sightings.iter().map(|seen| (seen.vm.0, seen.before, seen.lamport)).collect();
        assert_eq!(steps, [(1, 0, 7), (3, 0, 1), (3, 1, 8)]);
    }

    #[test]
    fn only_machines_that_are_looked_at_are_sighted() {
        let scene = scene();
        let happen = || (1..4).for_each(|vm| scene.see(0, &record(vm, 1, 0, Kind::Internal)));
        happen();
        assert_eq!(scene.look(2..3).sightings, []);
        happen();
        assert_eq!(scene.look(2..3).sightings.len(), 1);
        scene.look_away();
        happen();
        assert_eq!(scene.look(0..0).sightings, []);
    }

    #[test]
    fn nobody_waits_for_who_does_not_look() {
        let scene = scene();
        scene.look(1..4);
        for lamport in 1..=2 * SIGHTINGS as u64 {
            scene.see(0, &record(2, lamport, 0, Kind::Internal));
        }
        assert_eq!(scene.look(1..4).sightings.len(), SIGHTINGS);
        scene.see(0, &record(2, 1, 0, Kind::Send(&sent(0..1000, &[]))));
        let sightings = scene.look(1..4).sightings;
        assert!(
            matches!(&sightings[..], [Sighting { kind: Seen::Send { to, recipients: 1000, .. }, .. }] if to.len() == RECIPIENTS)
        );
    }

    #[test]
    fn whoever_watches_finds_the_latest_run() {
        let watch = Watch::default();
        assert!(watch.scene().is_none());
        let scenario = Scenario::new(&Settings::default(), Seed(1)).unwrap();
        for run in 1..=2 {
            watch.of_run(run).open(&scenario, 0..3, 1);
        }
        assert_eq!(watch.scene().unwrap().look(0..3).run, Some(2));
    }
}
