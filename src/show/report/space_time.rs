//! The space-time diagram as a picture for paper: a line a machine, events as dots with their Lamport clocks,
//! messages as arrows, lost ones broken off.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::drawing::{STYLE, number, round_numbers};
use super::escape::Html;
use super::gather::{Gathered, as_f64};
use crate::edge::log::{EventKind, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::Nanos;

const OWN_STYLE: &str = include_str!("page/space_time.css");

const WIDTH: f64 = 900.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 34.0;
/// From one event of the fastest machine to the next: as much as a clock of three digits takes.
const BETWEEN: f64 = 22.0;
const RADIUS: f64 = 4.2;
/// Lines that are farther apart have room for more between them.
const ROOMY: f64 = 34.0;
/// The most machines that have a line on a page of paper.
const MOST_LINES: usize = 24;

/// A part of a run on its way to paper.
struct Sheet<'a> {
    run: &'a Gathered,
    lines: Vec<VmId>,
    from: f64,
    to: f64,
    /// From one line to the next.
    spacing: f64,
    svg: String,
}

/// The beginning of a run, or of the window that was asked for: as much as can be told apart.
pub(super) fn picture(run: &Gathered) -> String {
    let lines: Vec<VmId> = run.machines.iter().map(|machine| machine.vm).take(MOST_LINES).collect();
    let from = run.kept.from.as_secs_f64();
    let end = run.kept.to.min(run.asked_end()).as_secs_f64().max(from + 1e-6);
    let rows = rows_of(run, &lines);
    let densest = rows.iter().map(|rows| rows.len()).max().unwrap_or(1).max(1);
    let room = (WIDTH - LEFT - RIGHT) / BETWEEN;
    let to = if as_f64(densest as u64) <= room {
        end
    } else {
        from + (end - from) * room / as_f64(densest as u64)
    };
    let spacing = (560.0 / as_f64(lines.len().max(1) as u64)).clamp(26.0, 66.0);
    let mut sheet = Sheet { run, lines, from, to, spacing, svg: String::new() };
    sheet.open();
    sheet.axes();
    (0..sheet.lines.len()).for_each(|line| sheet.outages(line));
    sheet.svg.push_str("<g clip-path=\"url(#frame)\">");
    sheet.messages();
    sheet.svg.push_str("</g>");
    sheet.events(&rows);
    sheet.svg.push_str("</svg>\n");
    sheet.svg
}

/// The rows of each line.
fn rows_of<'a>(run: &'a Gathered, lines: &[VmId]) -> Vec<&'a [Row]> {
    let rows = &run.kept.rows;
    let of = |vm: &VmId| {
        let first = rows.partition_point(|row| row.vm < *vm);
        let end = rows.partition_point(|row| row.vm <= *vm);
        &rows[first..end]
    };
    lines.iter().map(of).collect()
}

impl Sheet<'_> {
    fn x(&self, time: Nanos) -> f64 {
        self.x_at(time.as_secs_f64())
    }

    fn x_at(&self, seconds: f64) -> f64 {
        let share = (seconds - self.from) / (self.to - self.from);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, line: usize) -> f64 {
        TOP + self.spacing * (as_f64(line as u64) + 0.5)
    }

    fn bottom(&self) -> f64 {
        self.y(self.lines.len())
    }

    fn is_in(&self, row: &Row) -> bool {
        (self.from..=self.to).contains(&row.elapsed.as_secs_f64())
    }

    fn open(&mut self) {
        let height = self.bottom() - self.spacing / 2.0 + BOTTOM;
        let all = self.run.machines.len();
        let machines = super::head::machines(all as u64);
        let machines = if all > self.lines.len() {
            format!("the first {} of {machines}", self.lines.len())
        } else {
            machines
        };
        let title = format!(
            "Space-time diagram: {machines}, {} s to {} s",
            hundredths(self.from),
            hundredths(self.to)
        );
        let is_down = self.run.machines.iter().take(self.lines.len()).any(|machine| !machine.down.is_empty());
        let outages = if is_down { " Where there is a bar on a line, the machine is down." } else { "" };
        let _ = write!(
            self.svg,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" \
             viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" role=\"img\">\
             <title>{0}</title><desc>A line is a machine, time goes to the right. Dots are events with their Lamport clocks, \
             arrows are messages, a cross is a lost one.{outages}</desc><style>{STYLE}{OWN_STYLE} .plot {{ background: var(--paper); }}\
             </style><text class=\"name\" x=\"6\" y=\"15\">{0}</text>",
            Html(title)
        );
        let mut x = 12.0;
        for (class, name) in [("i", "internal"), ("s", "send"), ("r", "receive")] {
            let _ = write!(
                self.svg,
                "<circle class=\"dot {class}\" cx=\"{x:.0}\" cy=\"30\" r=\"{RADIUS}\"/><text class=\"key\" x=\"{:.0}\" y=\"34\">{name}</text>",
                x + 9.0
            );
            x += 34.0 + 6.8 * as_f64(name.len() as u64);
        }
        let _ = write!(
            self.svg,
            "<clipPath id=\"frame\"><rect x=\"{:.0}\" y=\"0\" width=\"{:.0}\" height=\"{height:.0}\"/></clipPath>",
            LEFT - 4.0,
            WIDTH - LEFT - RIGHT + 14.0
        );
    }

    fn axes(&mut self) {
        let (top, bottom) = (TOP, self.bottom() - self.spacing / 2.0 + 4.0);
        for tick in round_numbers(self.from, self.to, 9.0, 1e-6) {
            let x = self.x_at(tick);
            let _ = write!(
                self.svg,
                "<path class=\"rule\" d=\"M{x:.1} {top}V{bottom:.1}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} s</text>",
                bottom + 16.0,
                number(tick)
            );
        }
        for (line, vm) in self.lines.iter().enumerate() {
            let y = self.y(line);
            let rate = self.run.machines.get(line).and_then(|machine| machine.rate);
            let is_roomy = self.spacing > ROOMY && rate.is_some();
            let _ = write!(
                self.svg,
                "<path class=\"wire\" d=\"M{:.0} {y:.1}H{:.0}\"/><text class=\"key\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">VM {vm}</text>",
                LEFT - 4.0,
                WIDTH - RIGHT + 8.0,
                LEFT - 12.0,
                if is_roomy { y - 2.0 } else { y + 4.0 }
            );
            if let Some(rate) = rate.filter(|_| is_roomy) {
                let (x, y) = (LEFT - 12.0, y + 12.0);
                let _ =
                    write!(self.svg, "<text x=\"{x:.0}\" y=\"{y:.1}\" text-anchor=\"end\">{rate}/s</text>");
            }
        }
    }

    /// A bar on a machine's line where it is down.
    fn outages(&mut self, line: usize) {
        const HALF: f64 = 7.0;
        let Some(machine) = self.run.machines.get(line) else { return };
        let y = self.y(line) - HALF;
        for window in &machine.down {
            let (start, end) = (window.start().as_secs_f64(), window.end().as_secs_f64());
            let (from, to) = (start.max(self.from), end.min(self.to));
            if from < to {
                let (x, width) = (self.x_at(from), self.x_at(to) - self.x_at(from));
                let _ = write!(
                    self.svg,
                    "<rect class=\"down\" fill=\"currentColor\" opacity=\".3\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{}\"><title>VM {} is down, {} s to {} s</title></rect>",
                    2.0 * HALF,
                    machine.vm,
                    number(start),
                    number(end)
                );
            }
        }
    }

    /// Arrows of all messages of which a part is in the picture, and of lost ones the beginnings.
    fn messages(&mut self) {
        let line_of: BTreeMap<VmId, usize> = self.lines.iter().copied().zip(0..).collect();
        let rows = &self.run.kept.rows;
        let sends: BTreeMap<MessageId, &Row> = rows
            .iter()
            .filter(|row| row.kind == EventKind::Send && line_of.contains_key(&row.vm))
            .map(|row| (MessageId { sender: row.vm, event: row.event }, row))
            .collect();
        let (mut shafts, mut heads, mut crosses) = (String::new(), String::new(), String::new());
        for row in rows.iter().filter(|row| line_of.contains_key(&row.vm)) {
            if let Some(send) =
                row.message.filter(|_| row.kind == EventKind::Receive).and_then(|id| sends.get(&id))
                && (self.is_in(row) || self.is_in(send) || self.spans(send, row))
            {
                let from = (self.x(send.elapsed), self.y(line_of[&send.vm]));
                let to = (self.x(row.elapsed), self.y(line_of[&row.vm]));
                push_arrow(&mut shafts, &mut heads, from, to);
            } else if row.message.is_some_and(|message| self.is_elsewhere(message)) && self.is_in(row) {
                // A message whose sender is not here comes out of nowhere.
                let (x, y) = (self.x(row.elapsed), self.y(line_of[&row.vm]));
                let far = self.spacing * 0.4;
                push_arrow(&mut shafts, &mut heads, (x - far * 0.5, y - far), (x, y));
            }
            for peer in row.lost.iter().filter(|_| self.is_in(row)) {
                let (x, y) = (self.x(row.elapsed), self.y(line_of[&row.vm]));
                let is_down = line_of.get(peer).is_none_or(|line| *line > line_of[&row.vm]);
                let far = self.spacing * if is_down { 0.4 } else { -0.4 };
                let (x1, y1) = (x + far.abs() * 0.5, y + far);
                let _ = write!(shafts, "M{x:.1} {y:.1}L{x1:.1} {y1:.1}");
                let _ = write!(crosses, "M{:.1} {:.1}l6 6m-6 0l6-6", x1 - 3.0, y1 - 3.0);
            }
        }
        for (class, d) in [("arrow", shafts), ("head", heads), ("cross", crosses)] {
            if !d.is_empty() {
                let _ = write!(self.svg, "<path class=\"{class}\" d=\"{d}\"/>");
            }
        }
    }

    /// Whether nothing of a message's sender is here.
    fn is_elsewhere(&self, message: MessageId) -> bool {
        self.run.machines.binary_search_by_key(&message.sender, |machine| machine.vm).is_err()
    }

    fn spans(&self, send: &Row, receive: &Row) -> bool {
        send.elapsed.as_secs_f64() < self.from && receive.elapsed.as_secs_f64() > self.to
    }

    /// Dots, and above them clocks as far as there is room: those of messages first.
    fn events(&mut self, rows: &[&[Row]]) {
        for (line, rows) in rows.iter().enumerate() {
            let y = self.y(line);
            let shown = || rows.iter().filter(|row| self.is_in(row));
            let (mut dots, mut clocks) = (String::new(), String::new());
            for row in shown() {
                let class = match row.kind {
                    EventKind::Internal => "i",
                    EventKind::Send => "s",
                    EventKind::Receive => "r",
                };
                let x = self.x(row.elapsed);
                let _ = write!(
                    dots,
                    "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RADIUS}\"/>"
                );
            }
            // Beside the dot on the right, since arrows come in from the left.
            let mut taken: Vec<(f64, f64)> = Vec::new();
            let messages_first = shown()
                .filter(|row| row.kind != EventKind::Internal)
                .chain(shown().filter(|row| row.kind == EventKind::Internal))
                .filter(|_| self.spacing > ROOMY);
            for row in messages_first {
                let text = row.lamport.to_string();
                let (x, y) = (self.x(row.elapsed) + 1.0, y - 7.0);
                let end = x + 6.8 * as_f64(text.len() as u64) + 1.0;
                if taken.iter().all(|(left, right)| end < *left || *right < x) {
                    taken.push((x, end));
                    let _ = write!(clocks, "<text class=\"lamport\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
                }
            }
            self.svg += &dots;
            self.svg += &clocks;
        }
    }
}

fn hundredths(seconds: f64) -> String {
    number((seconds * 100.0).round() / 100.0)
}

/// An arrow that ends at the rim of a dot.
fn push_arrow(shafts: &mut String, heads: &mut String, from: (f64, f64), to: (f64, f64)) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(1e-9);
    let (ux, uy) = (dx / length, dy / length);
    let (x, y) = (to.0 - ux * (RADIUS + 1.0), to.1 - uy * (RADIUS + 1.0));
    let (bx, by) = (x - ux * 6.0, y - uy * 6.0);
    let _ = write!(shafts, "M{:.1} {:.1}L{bx:.1} {by:.1}", from.0, from.1);
    let (wx, wy) = (-uy * 2.7, ux * 2.7);
    let _ = write!(heads, "M{x:.1} {y:.1}L{:.1} {:.1}L{:.1} {:.1}Z", bx + wx, by + wy, bx - wx, by - wy);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::after::history::Model;
    use crate::model::time::TimeWindow;
    use crate::show::report::gather::Gathering;

    fn row(vm: u32, event: u64, kind: EventKind, millis: u64) -> Row {
        Row {
            vm: VmId(vm),
            event,
            kind,
            lamport: event,
            elapsed: Nanos::new(millis * 1_000_000),
            ..Row::default()
        }
    }

    #[test]
    fn messages_are_arrows_and_lost_ones_end_in_a_cross() {
        let model = Model::default();
        let mut gathering = Gathering::new(&model, 2, TimeWindow::WHOLE, 100);
        let send = Row { lost: vec![VmId(1)], ..row(0, 1, EventKind::Send, 100) };
        let message = Some(MessageId { sender: VmId(0), event: 2 });
        for row in [
            send,
            row(0, 2, EventKind::Send, 200),
            row(0, 3, EventKind::Internal, 300),
            Row { message, ..row(1, 1, EventKind::Receive, 900) },
            // Of a machine that is not here.
            Row {
                message: Some(MessageId { sender: VmId(7), event: 1 }),
                ..row(1, 2, EventKind::Receive, 950)
            },
        ] {
            gathering.add(&row);
        }
        let svg = picture(&gathering.finish());
        assert_eq!(svg.matches("<circle class=\"dot s\"").count(), 2 + 1, "two sends and the legend's");
        assert_eq!(svg.matches("class=\"lamport\"").count(), 5);
        assert_eq!(svg.matches("class=\"cross\"").count(), 1);
        let heads = svg.split_once("class=\"head\" d=\"").unwrap().1.split_once('"').unwrap().0;
        assert_eq!(heads.matches('Z').count(), 2);
    }
}
