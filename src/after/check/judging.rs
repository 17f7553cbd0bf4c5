//! The workload's judge among the rules for rows: what happened before each event, and what is broken, as faults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::after::history::{Delivery, Model, Place, Step};
use crate::clock::Reading;
use crate::edge::log::{EventKind, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::Nanos;
use crate::workload::{Deed, Judge, Past, Violation, Witnessed};

/// A judge, and what it needs beside the rows.
#[derive(Debug)]
pub(super) struct Judging {
    judge: Box<dyn Judge>,
    /// Of each machine, in the order in which they were first shown, what happened before its latest event.
    pasts: Vec<Past>,
    /// When each of them was shown last.
    elapsed: Vec<Nanos>,
    /// Of each machine, by number, its last event that was shown.
    shown: Vec<u64>,
    /// Where the events are of which the workload says something.
    places: BTreeMap<MessageId, Place>,
    broken: Vec<Violation>,
}

impl Judging {
    /// The judge of the run's workload, where it has one.
    pub(super) fn of(model: &Model) -> Option<Self> {
        let workload = model.scenario()?.workload();
        let judge = workload.algorithm().judge?(workload.setup());
        Some(Self {
            judge,
            pasts: Vec::new(),
            elapsed: Vec::new(),
            shown: vec![0; workload.setup().vms() as usize],
            places: BTreeMap::new(),
            broken: Vec::new(),
        })
    }

    /// Shows a row to the judge; `cause` is what had happened when the message was sent that it receives. What had
    /// happened before it is returned, for those who receive its message.
    pub(super) fn row(
        &mut self,
        step: &Step<'_>,
        delivery: &Delivery<'_, super::Stamp>,
        model: &Model,
    ) -> Option<Arc<Past>> {
        let (row, machine) = (step.row, step.machine);
        if machine == self.pasts.len() {
            self.pasts.push(Past::default());
            self.elapsed.push(Nanos::ZERO);
        }
        let id = MessageId { sender: row.vm, event: row.event };
        let before = self.pasts[machine].last(row.vm);
        let follows_gap = row.event != before + 1;
        self.remember(step, delivery, follows_gap);
        let since = std::mem::replace(&mut self.elapsed[machine], row.elapsed);
        let resumes = model.resumes(step.log, row.vm);
        let is_resumed = resumes.iter().any(|resume| since < *resume && *resume <= row.elapsed);
        let is_resumed = before > 0 && (is_resumed || came_up(model, row.vm, since, row.elapsed));
        if let Some(shown) = self.shown.get_mut(row.vm.index()) {
            *shown = row.event;
        }
        if !row.mark.is_empty() {
            self.places.insert(id, step.place());
        }
        let witnessed = Witnessed {
            id,
            elapsed: row.elapsed,
            deed: deed(row),
            clocks: Reading::written(row.lamport, &row.clocks),
            payload: &row.payload,
            mark: &row.mark,
            past: &self.pasts[machine],
            follows_gap,
            is_resumed,
            shown: &self.shown,
        };
        self.judge.event(&witnessed, &mut self.broken);
        (row.kind == EventKind::Send).then(|| Arc::new(self.pasts[machine].clone()))
    }

    /// What is broken that was not asked for yet.
    pub(super) fn broken(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.broken)
    }

    /// All rows were shown.
    pub(super) fn end(&mut self, is_whole: bool) {
        self.judge.end(is_whole, &mut self.broken);
    }

    /// Where an event is, where the workload says something of it.
    pub(super) fn place(&self, event: MessageId) -> Option<Place> {
        self.places.get(&event).copied()
    }

    /// Adds to what happened before the machine's event. Where its cause is not here, the vector tells what was known
    /// of it, if one is kept; otherwise there may be more.
    fn remember(&mut self, step: &Step<'_>, delivery: &Delivery<'_, super::Stamp>, follows_gap: bool) {
        let (row, past) = (step.row, &mut self.pasts[step.machine]);
        let cause = match delivery {
            Delivery::Delivered { stamp, .. } | Delivery::NotHere { stamp } => stamp.past.as_deref(),
            Delivery::None | Delivery::Unknown => None,
        };
        if let Some(cause) = cause {
            past.add(cause);
        }
        let is_unknown = matches!(delivery, Delivery::Unknown) || follows_gap;
        if is_unknown && row.past().len() == self.shown.len() {
            past.add_entries(row.past());
        } else if is_unknown {
            past.blur();
        }
        past.add_event(MessageId { sender: row.vm, event: row.event });
    }
}

/// Whether a machine came up after a crash, later than at one time and not later than at another.
fn came_up(model: &Model, vm: VmId, since: Nanos, by: Nanos) -> bool {
    let has_crashes = model.scenario().is_some_and(|scenario| !scenario.model().crash.is_empty());
    has_crashes && model.uptime(vm).is_some_and(|uptime| uptime.came_up_between(since, by))
}

fn deed(row: &Row) -> Deed<'_> {
    match (row.kind, row.message) {
        (EventKind::Send, _) => Deed::Send(&row.peers),
        (EventKind::Receive, Some(message)) => Deed::Receive(message),
        (EventKind::Receive | EventKind::Internal, _) => Deed::Internal,
    }
}

/// What a violation breaks, where its events are, and the cut that shows it.
pub(super) fn in_words(
    Violation { promise, events, cut, .. }: &Violation,
    place: impl Fn(MessageId) -> Option<(PathBuf, u64)>,
) -> String {
    let places = events.iter().filter_map(|event| {
        let (path, line) = place(*event)?;
        Some(format!("{event} at {}:{line}", path.display()))
    });
    let places: Vec<String> = places.collect();
    let cut = cut.as_ref().map(|cut| format!("; it shows in the cut {cut}")).unwrap_or_default();
    let places = if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
    format!("{promise}{places}{cut}")
}
