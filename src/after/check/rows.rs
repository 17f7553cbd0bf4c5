//! The rules for one row, given its direct causes.

mod clocks;
mod crashes;
mod promises;
mod queues;
mod times;

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use self::promises::Sampled;
use super::Counts;
use super::clocks::{Shown, ShownClock};
use super::fault::{Fault, FaultKind, Faults};
use super::form::wrong_cells;
use super::judging::{self, Judging};

use crate::after::history::{
    Delivery, Known, Missing, Model, Place, Queue, Replay, Sample, Step, Visitor, Witness,
};
use crate::clock::{ClockList, ClockSpec, OtherStamps, StampLayout};
use crate::edge::log::{Column, EventKind, LogFolder, LogPath, ReadError, Row};
use crate::model::crash::Uptime;
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::scenario::Scenario;
use crate::model::time::Nanos;
use crate::workload::{Past, Violation};

/// Goes through the rows and collects what is wrong.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    model: &'a Model,
    paths: Vec<PathBuf>,
    /// When the run of each log started, by its manifest.
    starts: Vec<Option<Timestamp>>,
    machines: Vec<CheckedMachine>,
    /// The lists of clocks that logs have: most often one.
    lists: Vec<Listed>,
    /// Some of the events, to hold clocks' promises to.
    sample: Sample<Sampled>,
    counts: Counts,
    faults: Faults,
    witness: Witness,
    /// What is known not to be here before any row is read: of such messages there may be very many.
    absent: Missing,
    /// Receives of other messages that were not on their way. At the end it is known whether their sends should be here.
    unknown: Vec<Unknown>,
    /// Circles, each with the rows that were shown before. The same holds for their messages.
    circles: Vec<(u64, Fault)>,
    /// Holds the run to what its workload promises.
    judging: Option<Judging>,
    /// The row that is shown next was told as part of a circle.
    in_circle: Option<Place>,
}

/// A receive of a message that was not on its way.
#[derive(Debug)]
struct Unknown {
    /// The rows that were shown before.
    rows: u64,
    place: Place,
    message: MessageId,
}

/// A machine up to a row.
#[derive(Debug)]
struct CheckedMachine {
    log: usize,
    vm: VmId,
    /// Which ticks it makes, and when it is down, as far as that is known.
    uptime: Option<Uptime>,
    /// What that says of when events happen.
    times: Times,
    /// How many ticks it makes within the run's duration.
    ticks: Option<u64>,
    /// Rows of events while it was down.
    while_down: u64,
    skew: Option<i64>,
    event: u64,
    line: u64,
    elapsed: Nanos,
    /// When the run started, in microseconds: by its manifest, or by this machine's row before.
    start: Option<Shown<i64>>,
    /// Whether its row before has a time of day.
    has_time_of_day: bool,
    lamport: Shown<u64>,
    /// The clocks beside it, those of the log's columns first.
    clocks: Vec<ShownClock>,
    /// Which of the lists of clocks these are.
    list: usize,
    /// The Lamport clock before the latest row.
    lamport_before: u64,
    /// What it knows of the sample.
    known: Known,
    queue: Queue,
    unreadable: u64,
}

/// When the event of a tick happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    /// When it is due.
    Exact,
    /// Then or later.
    Late,
    /// Nothing is known of that.
    Unknown,
}

/// What is kept of a send.
#[derive(Debug)]
pub(in crate::after::check) struct Stamp {
    place: Place,
    elapsed: Nanos,
    lamport: Shown<u64>,
    /// The clocks beside it, as the log shows them.
    clocks: OtherStamps,
    /// The right values, where one of them is another.
    right: Option<OtherStamps>,
    /// Which of the lists of clocks these are.
    list: usize,
    /// What the sender knew of the sample.
    known: Known,
    payload: Box<str>,
    /// What had happened before it, where a judge asks for that.
    pub(super) past: Option<Arc<Past>>,
}

/// A list of clocks that the machines of a log have, and where each is in a stamp of them.
type Listed = (ClockList, StampLayout);

impl Stamp {
    /// What it says of a clock: the value in the log, and the right one where that is another.
    fn value(&self, spec: ClockSpec, lists: &[Listed]) -> Option<(&[u64], Option<&[u64]>)> {
        let (list, layout) = &lists[self.list];
        let index = list.iter().position(|other| *other == spec)?;
        let right = self.right.as_ref().and_then(|right| part(right, *layout, index));
        Some((part(&self.clocks, *layout, index)?, right))
    }
}

/// What clocks say, as a message takes it along.
fn stamps(
    layout: StampLayout,
    clocks: &[ShownClock],
    value: impl Fn(&ShownClock) -> Option<&[u64]>,
) -> OtherStamps {
    OtherStamps::new(layout, clocks.iter().map(|shown| value(shown).unwrap_or_default()))
}

/// What stamps say of a clock.
fn part(stamps: &OtherStamps, layout: StampLayout, index: usize) -> Option<&[u64]> {
    stamps.parts(layout).nth(index).flatten().filter(|value| !value.is_empty())
}

/// What a row follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// The machine's start, or the row before.
    Known,
    /// A row that is missing.
    Unknown,
}

impl<'a> Checker<'a> {
    pub(super) fn new(model: &'a Model, folders: &[LogFolder], names: &[LogPath]) -> Self {
        let start = |folder: &LogFolder| folder.manifest.as_ref().and_then(|manifest| manifest.started);
        let is_virtual = model.scenario().is_some_and(Scenario::is_virtual);
        let start_of = |folder| if is_virtual { Some(Timestamp::UNIX_EPOCH) } else { start(folder) };
        let starts = folders.iter().flat_map(|folder| folder.logs.iter().map(move |_| start_of(folder)));
        Self {
            model,
            paths: names.iter().map(|name| name.path.clone()).collect(),
            starts: starts.collect(),
            machines: Vec::new(),
            lists: Vec::new(),
            sample: Sample::default(),
            counts: Counts::default(),
            faults: Faults::default(),
            witness: Witness::default(),
            absent: Missing::of(folders, &[], &Witness::default()),
            unknown: Vec::new(),
            circles: Vec::new(),
            judging: Judging::of(model),
            in_circle: None,
        }
    }

    /// What was counted, what is wrong and what is not here, now that all rows were shown.
    pub(super) fn finish(
        mut self,
        folders: &[LogFolder],
        replay: &Replay<Stamp>,
    ) -> (Counts, Faults, Missing) {
        let missing = Missing::of(folders, &replay.read_logs(), &self.witness);
        self.add_unknown(&missing);
        self.end_judging(missing.is_closed());
        let mut in_doubt = Vec::new();
        for machine in &mut self.machines {
            in_doubt.extend(machine.queue.finish().map(|wrong| (machine.log, wrong)));
        }
        in_doubt.into_iter().for_each(|(log, wrong)| self.wrong_queue(log, wrong));
        // What waits may have been sent where it is not here.
        if missing.is_empty() {
            self.check_waiting(replay);
        }
        self.counts.machines = self.machines.len() as u64;
        (self.counts, self.faults, missing)
    }

    fn fault(
        &self,
        log: usize,
        line: u64,
        kind: FaultKind,
        column: Column,
        found: impl Display,
        expected: impl Into<String>,
    ) -> Fault {
        let found = found.to_string();
        let found = if found.is_empty() { "nothing".to_owned() } else { found };
        let (path, expected) = (self.paths[log].clone(), expected.into());
        Fault {
            kind,
            path,
            line: Some(line),
            column: Some(column),
            found,
            expected,
            unknown: None,
            circle: vec![],
        }
    }

    fn add(
        &mut self,
        step: &Step<'_>,
        kind: FaultKind,
        column: Column,
        found: impl Display,
        expected: impl Into<String>,
    ) {
        let fault = self.fault(step.log, step.row.line, kind, column, found, expected);
        self.faults.add(self.counts.events, fault);
    }

    /// The machine of a row, a new one where it is its first.
    fn machine(&mut self, step: &Step<'_>) -> &mut CheckedMachine {
        if step.machine == self.machines.len() {
            let vm = step.row.vm;
            let uptime = self.model.uptime(vm);
            let times = match (self.model.is_exact(), self.model.is_one_clock()) {
                (true, _) => Times::Exact,
                (false, true) => Times::Late,
                (false, false) => Times::Unknown,
            };
            let duration = self.model.scenario().map(Scenario::duration);
            let clocks = self.clocks_of(step);
            let list = self.list(ClockList::new(clocks.iter().map(|shown| shown.spec)));
            let ticks = uptime.as_ref().zip(duration).map(|(uptime, duration)| uptime.ticks_until(duration));
            self.machines.push(CheckedMachine {
                log: step.log,
                vm,
                uptime,
                times,
                ticks,
                while_down: 0,
                skew: self.model.skew(vm),
                event: 0,
                line: 1,
                elapsed: Nanos::ZERO,
                start: self.starts[step.log].map(|start| Shown::right(start.as_microsecond())),
                has_time_of_day: false,
                lamport: Shown::right(0),
                clocks,
                list,
                lamport_before: 0,
                known: Known::default(),
                queue: Queue::default(),
                unreadable: 0,
            });
        }
        &mut self.machines[step.machine]
    }

    /// Which of the lists of clocks that is, a new one where it was not there yet.
    fn list(&mut self, list: ClockList) -> usize {
        self.lists.iter().position(|(other, _)| *other == list).unwrap_or_else(|| {
            let layout = StampLayout::of(&list);
            self.lists.push((list, layout));
            self.lists.len() - 1
        })
    }

    /// The event's number. Where it is not that of the machine's next event, what came before is not known.
    fn check_number(&mut self, step: &Step<'_>) -> Before {
        let machine = self.machine(step);
        let (before, row) = (machine.event, step.row);
        self.check_allowed(step);
        let machine = &mut self.machines[step.machine];
        let was_unreadable = std::mem::replace(&mut machine.unreadable, step.unreadable) < step.unreadable;
        if row.event == before + 1 {
            return Before::Known;
        }
        if row.event != step.position && !(was_unreadable && row.event > before) {
            let expected = format!("{}, one more than in its machine's row before", before + 1);
            self.add(step, FaultKind::Number, Column::Event, row.event, expected);
        }
        Before::Unknown
    }

    /// No machine makes more ticks than are due within the run's duration.
    fn check_allowed(&mut self, step: &Step<'_>) {
        let Some(ticks) = self.machines[step.machine].ticks.filter(|ticks| step.row.event > *ticks) else {
            return;
        };
        let expected = format!("at most {ticks}, as many ticks as it makes within the run's duration");
        self.add(step, FaultKind::Number, Column::Event, step.row.event, expected);
    }

    fn check_form(&mut self, step: &Step<'_>) {
        let wrong = wrong_cells(step.row, step.has(Column::SenderLamport), self.model.vms());
        for (column, found, expected) in wrong {
            self.add(step, FaultKind::Form, column, found, expected);
        }
    }

    /// A received message is one that was sent, to this machine, and came as it was sent.
    fn check_delivery(&mut self, step: &Step<'_>, delivery: &Delivery<'_, Stamp>) {
        let row = step.row;
        let Some(message) = row.message.filter(|_| row.kind == EventKind::Receive) else { return };
        let stamp = match delivery {
            Delivery::None => return,
            Delivery::Unknown => {
                self.witness.unknown(message, row.past());
                let is_told = self.in_circle.take() == Some(step.place()) || self.absent.lacks(message);
                if !is_told {
                    self.unknown.push(Unknown { rows: self.counts.events, place: step.place(), message });
                }
                return;
            }
            Delivery::NotHere { stamp } => {
                let (rows, place) = (self.counts.events, step.place());
                let fault = self.not_sent(&Unknown { rows, place, message });
                self.faults.add(rows, fault);
                stamp
            }
            Delivery::Delivered { stamp, overtaken_by } => {
                if let Some(later) = overtaken_by {
                    let sender = message.sender;
                    let expected = format!(
                        "a message after vm{sender}-{later}, which was received before, as messages of a machine to another stay in order"
                    );
                    self.add(step, FaultKind::Overtaken, Column::Message, message, expected);
                }
                stamp
            }
        };
        if self.model.is_one_clock() && row.elapsed < stamp.elapsed {
            let expected = format!(
                "{} or later, when message {message} was sent ({})",
                Seconds(stamp.elapsed),
                self.place(stamp.place)
            );
            self.add(step, FaultKind::Early, Column::Elapsed, Seconds(row.elapsed), expected);
        }
        if let Some(lamport) = row.sender_lamport
            && !stamp.lamport.is_either(lamport)
        {
            let expected = format!("{}, as it was sent ({})", stamp.lamport.logged, self.place(stamp.place));
            self.add(step, FaultKind::Stamp, Column::SenderLamport, lamport, expected);
        }
        // Most carry nothing.
        let carries = !row.payload.is_empty() || !stamp.payload.is_empty();
        if carries && row.payload != *stamp.payload {
            let expected = if stamp.payload.is_empty() { "nothing" } else { &stamp.payload };
            let expected = format!("{expected}, as it was sent ({})", self.place(stamp.place));
            self.add(step, FaultKind::Payload, Column::Payload, &row.payload, expected);
        }
    }

    /// Shows the row to the judge of the workload. What had happened before it is returned, where it is a send.
    fn judge(&mut self, step: &Step<'_>, delivery: &Delivery<'_, Stamp>) -> Option<Arc<Past>> {
        let judging = self.judging.as_mut()?;
        let past = judging.row(step, delivery, self.model);
        for violation in judging.broken() {
            self.add_broken(&violation, Some(step.place()));
        }
        past
    }

    fn end_judging(&mut self, is_whole: bool) {
        let Some(judging) = &mut self.judging else { return };
        judging.end(is_whole);
        for violation in judging.broken() {
            self.add_broken(&violation, None);
        }
    }

    /// A promise of the workload that is broken, as a fault of the row at which it shows.
    fn add_broken(&mut self, violation: &Violation, place: Option<Place>) {
        let Some(judging) = &self.judging else { return };
        let at = |event| judging.place(event).map(|place| (self.paths[place.log].clone(), place.line));
        let first = violation.events.first().copied();
        let place = place.or_else(|| judging.place(first?));
        let kind = FaultKind::Promise;
        let fault = Fault {
            kind,
            path: place.map_or_else(|| self.paths[0].clone(), |place| self.paths[place.log].clone()),
            line: place.map(|place| place.line),
            column: Some(Column::Mark),
            found: violation.says.clone(),
            expected: judging::in_words(violation, at),
            unknown: None,
            circle: vec![],
        };
        self.faults.add(self.counts.events, fault);
    }

    /// Received messages whose sends should be here, and are not; and circles of such.
    fn add_unknown(&mut self, missing: &Missing) {
        for unknown in std::mem::take(&mut self.unknown) {
            if !missing.lacks(unknown.message) {
                let fault = self.not_sent(&unknown);
                self.faults.add(unknown.rows, fault);
            }
        }
        for (rows, fault) in std::mem::take(&mut self.circles) {
            if !fault.circle.iter().any(|(message, _)| missing.lacks(*message)) {
                self.faults.add(rows, fault);
            }
        }
    }

    fn not_sent(&self, Unknown { place, message, .. }: &Unknown) -> Fault {
        let expected = "a message that is on its way to this machine";
        let (kind, column) = (FaultKind::NotSent, Column::Message);
        let mut fault = self.fault(place.log, place.line, kind, column, message, expected);
        fault.unknown = Some((*message, place.vm));
        fault
    }

    fn place(&self, place: Place) -> String {
        format!("{}:{}", self.paths[place.log].display(), place.line)
    }

    fn count(&mut self, row: &Row) {
        let counts = &mut self.counts;
        match row.kind {
            EventKind::Internal => {}
            EventKind::Send => {
                counts.sent += row.peers.len() as u64;
                counts.lost += row.lost.len() as u64;
                counts.duplicated += row.duplicated.len() as u64;
            }
            EventKind::Receive => counts.received += 1,
        }
    }
}

impl Visitor for Checker<'_> {
    type Stamp = Stamp;

    fn row(&mut self, step: &Step<'_>, delivery: Delivery<'_, Stamp>) -> Option<Stamp> {
        self.counts.events += 1;
        let row = step.row;
        let faults = self.faults.count();
        self.witness.row(step.machine, step.log, MessageId { sender: row.vm, event: row.event });
        let before = self.check_number(step);
        self.check_times(step, before);
        self.check_outage(step, &delivery);
        self.check_form(step);
        self.check_delivery(step, &delivery);
        let stamp = match &delivery {
            Delivery::Delivered { stamp, .. } | Delivery::NotHere { stamp } => Some(*stamp),
            Delivery::None | Delivery::Unknown => None,
        };
        self.check_clocks(step, before, stamp);
        let is_clean = self.faults.count() == faults;
        self.check_queue(step, &delivery, is_clean);
        self.check_promises(step, before, &delivery, is_clean);
        let past = self.judge(step, &delivery);
        self.count(row);
        let machine = &mut self.machines[step.machine];
        (machine.event, machine.line, machine.elapsed) =
            (row.event, row.line, row.elapsed.max(machine.elapsed));
        machine.lamport_before = row.lamport;
        let layout = self.lists[machine.list].1;
        let has_wrong = machine.clocks.iter().any(ShownClock::is_wrong);
        (row.kind == EventKind::Send).then(|| Stamp {
            place: step.place(),
            elapsed: row.elapsed,
            lamport: machine.lamport,
            clocks: stamps(layout, &machine.clocks, ShownClock::logged),
            right: has_wrong.then(|| stamps(layout, &machine.clocks, ShownClock::right)),
            list: machine.list,
            known: machine.known,
            payload: row.payload.as_str().into(),
            past,
        })
    }

    fn unreadable(&mut self, error: ReadError) {
        self.faults.add(self.counts.events, Fault::unreadable(error));
    }

    fn cycle(&mut self, rows: &[(Place, MessageId)]) {
        let Some((first, message)) = rows.first() else { return };
        const MOST: usize = 8;
        let step = |(place, message): &(Place, MessageId)| {
            let own = MessageId { sender: place.vm, event: place.event };
            format!("{own} ({}) receives {message}", self.place(*place))
        };
        let steps: Vec<String> = rows.iter().take(MOST).map(step).collect();
        let more =
            if rows.len() > MOST { format!(", and {} more", rows.len() - MOST) } else { String::new() };
        let expected = format!(
            "a message that does not need this event itself: {}{more}, each sent only after the one before",
            steps.join(", ")
        );
        let mut fault =
            self.fault(first.log, first.line, FaultKind::Circle, Column::Message, message, expected);
        fault.circle = rows.iter().map(|(place, message)| (*message, place.vm)).collect();
        self.circles.push((self.counts.events, fault));
        self.in_circle = Some(*first);
    }
}

/// A time as the log writes it.
struct Seconds(Nanos);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, nanos) = self.0.split();
        write!(f, "{seconds}.{nanos:09}")
    }
}
