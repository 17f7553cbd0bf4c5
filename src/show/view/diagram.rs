//! The space-time diagram of what happens now: a lane a machine, events as signs that move to the left, messages
//! as lines from their send to their receive.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line};

use super::head::{cells, draw_heading, put, width};
use super::look::Look;
use super::shown::Shown;
use crate::edge::watch::{Glance, Seen, Sighting};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::{Nanos, Rate};

/// Columns for the machines' numbers.
const NAMES: u16 = 7;

/// What a column can stand for, in milliseconds.
const STEPS: [u64; 14] = [5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000];

/// The steps of zoom in each direction.
pub(super) const ZOOMS: i32 = 4;

/// How long a message on its way is shown to move, in milliseconds; one that takes longer waits at the end.
const JOURNEY: u64 = 1000;

/// How long a message is shown that has not been received, in milliseconds.
const PATIENCE: u64 = 2500;

/// Draws the pane: a heading, a lane a machine, and the times below.
pub(super) fn draw(
    area: Rect,
    buffer: &mut Buffer,
    shown: &Shown,
    glances: &[Glance],
    zoom: i32,
    look: &Look,
) {
    let remark = "· internal  ○ send  ● receive  × lost";
    let inner = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if inner.height < 2 || glances.is_empty() {
        return draw_heading(area, buffer, "space-time", remark, look);
    }
    let field = Field::new(inner, shown.now(), glances, zoom);
    let seconds = Nanos::new(field.step.get() * u64::from(field.area.width)).as_secs_f64();
    draw_heading(area, buffer, &format!("the last {seconds:.0} seconds"), remark, look);
    let events: Vec<&Sighting> = shown.past.events().filter(|seen| field.lane(seen.vm).is_some()).collect();
    field.draw_messages(buffer, &events, look);
    field.draw_lanes(buffer, look);
    field.draw_values(buffer, &events, look);
    field.draw_events(buffer, &events, look);
    field.draw_times(buffer, look);
}

/// A straight way on the screen: from a column and a line to others.
struct MessageWay {
    from: (i64, f64),
    to: (i64, f64),
    colour: Color,
}

/// Where a machine and a time are on the screen.
struct Field {
    area: Rect,
    names: Rect,
    times: Rect,
    first: VmId,
    lanes: u16,
    /// The rates of the machines, from the first lane on.
    rates: Vec<Rate>,
    /// What a column stands for.
    step: Nanos,
    /// The column of the present, counted from the run's start.
    present: u64,
}

impl Field {
    fn new(inner: Rect, now: Nanos, glances: &[Glance], zoom: i32) -> Self {
        let lanes = u16::try_from(glances.len()).unwrap_or(u16::MAX).min(inner.height - 1);
        let area = Rect { x: inner.x + NAMES, width: inner.width - NAMES, height: inner.height - 1, ..inner };
        let shortest = glances.iter().map(|glance| glance.rate.period()).min().unwrap_or(Nanos::from_secs(1));
        let step = Nanos::new(step(shortest, zoom) * 1_000_000);
        Self {
            area,
            names: Rect { width: NAMES, height: area.height, ..inner },
            times: Rect { y: area.bottom(), height: 1, ..area },
            first: glances[0].vm,
            lanes,
            rates: glances.iter().map(|glance| glance.rate).collect(),
            step,
            present: now.get() / step.get(),
        }
    }

    /// The line of a machine's lane, from the top.
    fn lane(&self, vm: VmId) -> Option<u16> {
        let lane = u16::try_from(vm.0.checked_sub(self.first.0)?).ok().filter(|lane| *lane < self.lanes)?;
        // A line above the first lane is for its clock's values.
        let top = u16::from(self.area.height >= 3 * self.lanes);
        let room = self.area.height - 1 - top;
        Some(top + if self.lanes > 1 { lane * room / (self.lanes - 1) } else { room / 2 })
    }

    /// The column of a time, from the left; those that have gone are negative.
    fn column(&self, time: Nanos) -> i64 {
        let ago = self.present.saturating_sub(time.get() / self.step.get());
        i64::from(self.area.width) - 1 - i64::try_from(ago).unwrap_or(i64::MAX / 2)
    }

    /// The column of a time, where that is on the screen.
    fn visible_column(&self, time: Nanos) -> Option<u16> {
        u16::try_from(self.column(time)).ok().filter(|column| *column < self.area.width)
    }

    /// The columns that so many milliseconds take.
    fn columns(&self, millis: u64) -> i64 {
        i64::try_from(millis * 1_000_000 / self.step.get()).unwrap_or(i64::MAX)
    }

    /// A point of the canvas, which has two dots a column and four a line, and whose lines count upwards.
    #[expect(clippy::cast_precision_loss, reason = "the width of a screen")]
    fn dot(&self, (column, line): (i64, f64)) -> (f64, f64) {
        (column as f64 * 2.0, f64::from(self.area.height) * 4.0 - 1.0 - (line * 4.0 + 1.0))
    }

    /// A line for every message whose send is known: to its receive, or as far as it has come.
    fn draw_messages(&self, buffer: &mut Buffer, events: &[&Sighting], look: &Look) {
        let sends: BTreeMap<MessageId, &Sighting> =
            events.iter().map(|seen| (MessageId { sender: seen.vm, event: seen.event }, *seen)).collect();
        let mut received = BTreeSet::new();
        let mut ways = Vec::new();
        for seen in events {
            let Seen::Receive { message, .. } = &seen.kind else { continue };
            received.insert((*message, seen.vm));
            let Some(send) = sends.get(message) else { continue };
            let (Some(from), Some(to)) = (self.lane(send.vm), self.lane(seen.vm)) else { continue };
            let from = (self.column(send.elapsed), f64::from(from));
            let to = (self.column(seen.elapsed), f64::from(to));
            ways.push(MessageWay { from, to, colour: look.colour(send.vm) });
        }
        for seen in events {
            let Seen::Send { to, lost, .. } = &seen.kind else { continue };
            let message = MessageId { sender: seen.vm, event: seen.event };
            for vm in to.iter().filter(|vm| !received.contains(&(message, **vm))) {
                ways.extend(self.journey(seen, *vm, lost.contains(vm), look));
            }
        }
        self.draw_canvas(buffer, &ways);
        self.draw_losses(buffer, events, look);
    }

    fn draw_canvas(&self, buffer: &mut Buffer, ways: &[MessageWay]) {
        let (width, height) =
            (f64::from(self.area.width) * 2.0 - 1.0, f64::from(self.area.height) * 4.0 - 1.0);
        let canvas = Canvas::default().marker(Marker::Braille).x_bounds([0.0, width]).y_bounds([0.0, height]);
        let canvas = canvas.paint(|context| {
            for way in ways {
                let ((x1, y1), (x2, y2)) = (self.dot(way.from), self.dot(way.to));
                context.draw(&Line { x1, y1, x2, y2, color: way.colour });
            }
        });
        canvas.render(self.area, buffer);
    }

    /// The way of a message that has not been received: it nears its machine; a lost one stops on the way.
    fn journey(&self, send: &Sighting, to: VmId, is_lost: bool, look: &Look) -> Option<MessageWay> {
        let (from, to) = (f64::from(self.lane(send.vm)?), f64::from(self.lane(to)?));
        let start = self.column(send.elapsed);
        let columns = i64::from(self.area.width) - 1 - start;
        let whole = self.columns(JOURNEY).max(1);
        if !is_lost && columns > self.columns(PATIENCE) {
            return None;
        }
        let gone = columns.min(if is_lost { whole / 3 } else { columns });
        #[expect(clippy::cast_precision_loss, reason = "the width of a screen")]
        let part = (gone as f64 / whole as f64).min(0.85);
        let to = (start + gone, from + (to - from) * part);
        Some(MessageWay { from: (start, from), to, colour: look.colour(send.vm) })
    }

    /// A cross where a lost message stopped.
    fn draw_losses(&self, buffer: &mut Buffer, events: &[&Sighting], look: &Look) {
        for seen in events {
            let Seen::Send { lost, .. } = &seen.kind else { continue };
            for way in lost.iter().filter_map(|vm| self.journey(seen, *vm, true, look)) {
                let (column, line) = (way.to.0, cells(way.to.1.round()));
                if let Ok(column) = u16::try_from(column) {
                    self.put(buffer, column, line, "×", look.lost());
                }
            }
        }
    }

    /// The lanes and their names.
    fn draw_lanes(&self, buffer: &mut Buffer, look: &Look) {
        for lane in 0..self.lanes {
            let vm = VmId(self.first.0 + u32::from(lane));
            let Some(line) = self.lane(vm) else { continue };
            let name = vm.to_string();
            let place = Rect { y: self.names.y + line, height: 1, ..self.names };
            let x = (NAMES - 1).saturating_sub(width(&name));
            put(buffer, place, x, &name, look.machine(vm).patch(look.strong()));
            self.put(buffer, 0, line, &"─".repeat(self.area.width.into()), look.quiet());
        }
    }

    fn draw_events(&self, buffer: &mut Buffer, events: &[&Sighting], look: &Look) {
        for order in 0..3 {
            for seen in events {
                let (rank, sign) = match seen.kind {
                    Seen::Internal => (0, "·"),
                    Seen::Send { .. } => (1, "○"),
                    Seen::Receive { .. } => (2, "●"),
                };
                if rank == order
                    && let (Some(line), Some(column)) =
                        (self.lane(seen.vm), self.visible_column(seen.elapsed))
                {
                    self.put(buffer, column, line, sign, look.machine(seen.vm).patch(look.strong()));
                }
            }
        }
    }

    /// The clock after an event, above it, where there is room; where events stand closer than their clocks are
    /// wide, every so many have it. Which ones depends on their neighbours alone, so that none appears or goes as
    /// time passes, but for the latest, which always has it, and those that it covers. Jumps have it first.
    fn draw_values(&self, buffer: &mut Buffer, events: &[&Sighting], look: &Look) {
        if self.area.height < 3 * self.lanes {
            return;
        }
        for vm in (0..self.lanes).map(|lane| VmId(self.first.0 + u32::from(lane))) {
            let own: Vec<&&Sighting> = events.iter().filter(|seen| seen.vm == vm).collect();
            let Some(line) = self.lane(vm).and_then(|line| line.checked_sub(1)) else { continue };
            let every = own.last().map_or(1, |latest| self.every(vm, latest));
            for (index, seen) in own.iter().enumerate() {
                let Some(column) = self.visible_column(seen.elapsed) else { continue };
                let text = seen.lamport.to_string();
                let is_covered = own.last().is_some_and(|latest| self.gap(seen, latest) < needs(latest));
                let is_latest = index + 1 == own.len();
                if !is_latest
                    && (is_covered || !(self.has_room(&own, index) || self.is_turn(&own, index, every)))
                {
                    continue;
                }
                let style = if jumps(seen) { look.machine(vm).patch(look.strong()) } else { look.quiet() };
                if let Some(start) = (column + 1).checked_sub(width(&text)) {
                    self.put(buffer, start, line, &text, style);
                }
            }
        }
    }

    /// Whether an event's value has room between its neighbours'.
    fn has_room(&self, own: &[&&Sighting], index: usize) -> bool {
        let (seen, before) = (own[index], index.checked_sub(1).map(|before| own[before]));
        let is_free_behind =
            own.get(index + 1).is_none_or(|after| !jumps(after) || self.gap(seen, after) >= needs(after));
        let is_free_before =
            jumps(seen) || before.is_some_and(|before| self.gap(before, seen) >= needs(seen));
        is_free_behind && is_free_before
    }

    /// Whether an event's value is one of every so many that are shown where not all have room, and none that has it
    /// by itself is in the way.
    fn is_turn(&self, own: &[&&Sighting], index: usize, every: u64) -> bool {
        let seen = own[index];
        let is_near = |first: usize, second: usize| self.gap(own[first], own[second]) < needs(own[second]);
        let mut before = (0..index).rev().take_while(|other| is_near(*other, index));
        let mut after = (index + 1..own.len()).take_while(|other| is_near(index, *other));
        seen.event.is_multiple_of(every)
            && before.all(|other| !self.has_room(own, other) && !own[other].event.is_multiple_of(every))
            && after.all(|other| !self.has_room(own, other))
    }

    /// Of how many events of a machine one has room for its value, where they come as its rate says.
    fn every(&self, vm: VmId, latest: &Sighting) -> u64 {
        let rate = self.rates.get((vm.0 - self.first.0) as usize);
        let period = rate.map_or(1, |rate| rate.period().get().max(1));
        u64::try_from(needs(latest)).unwrap_or(1).saturating_mul(self.step.get()).div_ceil(period).max(1)
    }

    /// The columns between two events.
    fn gap(&self, from: &Sighting, to: &Sighting) -> i64 {
        self.column(to.elapsed) - self.column(from.elapsed)
    }

    /// Whole seconds below the lanes, which move along with the events.
    fn draw_times(&self, buffer: &mut Buffer, look: &Look) {
        let second = 1_000_000_000;
        let apart = [1, 2, 5, 10, 20, 60].into_iter().find(|apart| self.columns(apart * 1000) >= 10);
        let apart = apart.unwrap_or(60);
        let first = self.present.saturating_sub(self.area.width.into()) * self.step.get() / second / apart;
        let last = self.present * self.step.get() / second / apart;
        for seconds in (first..=last).map(|count| count * apart) {
            if let Some(column) = self.visible_column(Nanos::from_secs(seconds)) {
                put(buffer, self.times, column, &format!("╵{seconds} s"), look.quiet());
            }
        }
    }

    fn put(&self, buffer: &mut Buffer, column: u16, line: u16, text: &str, style: Style) {
        if line < self.area.height {
            // What a line of messages left of its style goes.
            let style = Style::new().fg(Color::Reset).remove_modifier(Modifier::all()).patch(style);
            put(buffer, Rect { y: self.area.y + line, height: 1, ..self.area }, column, text, style);
        }
    }
}

/// The columns that an event's value needs up to the one before it.
fn needs(seen: &Sighting) -> i64 {
    i64::from(width(&seen.lamport.to_string())) + 1
}

const fn jumps(seen: &Sighting) -> bool {
    seen.lamport > seen.before + 1
}

/// What a column stands for, so that the events of the fastest machine stand a column apart.
fn step(shortest_period: Nanos, zoom: i32) -> u64 {
    let wanted = (shortest_period.get() / 2_000_000).clamp(50, 200);
    let own = STEPS.iter().rposition(|step| *step <= wanted).unwrap_or(0);
    let index = own.saturating_add_signed(zoom as isize).min(STEPS.len() - 1);
    STEPS[index]
}
