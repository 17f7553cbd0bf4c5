//! The table: a row a machine, in as many columns as there is room for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::courses::{STEP, Sample};
use super::head::{cells, put, width};
use super::look::Look;
use super::shown::Shown;
use crate::edge::watch::Glance;
use crate::model::text::grouped;

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TableColumn {
    Vm,
    Rate,
    Clock,
    Drift,
    DriftCourse,
    Queue,
    QueueBar,
    QueueCourse,
    Internal,
    Send,
    Receive,
    Lost,
}

use TableColumn::{
    Clock, Drift, DriftCourse, Internal, Lost, Queue, QueueBar, QueueCourse, Rate, Receive, Send, Vm,
};

/// From left to right: a column, its least width, and the most that it is good for.
const COLUMNS: [(TableColumn, u16, u16); 12] = [
    (Vm, 5, 8),
    (Rate, 6, 8),
    (Clock, 7, 12),
    (Drift, 7, 12),
    (DriftCourse, 11, 40),
    (Queue, 6, 8),
    (QueueBar, 6, 24),
    (QueueCourse, 11, 40),
    (Internal, 8, 10),
    (Send, 5, 9),
    (Receive, 7, 9),
    (Lost, 5, 8),
];

/// Which columns go first where there is no room for all.
const BY_IMPORTANCE: [TableColumn; 12] =
    [Vm, Clock, Drift, Queue, QueueBar, Rate, Receive, Send, Internal, DriftCourse, QueueCourse, Lost];

/// Draws the headings and a row a machine.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, shown: &Shown, glances: &[Glance], look: &Look) {
    let columns = choose(area.width, shown.may_lose());
    let mut rows = area.rows();
    let scale = Scale::new(shown, glances, &columns);
    if let Some(row) = rows.next() {
        each_column(row, &columns, |place, column| {
            let title = title(column, place.width);
            draw_text(buffer, place, column, &title, look.quiet());
        });
    }
    for (row, glance) in rows.zip(glances) {
        each_column(row, &columns, |place, column| {
            draw_value(buffer, place, column, shown, glance, &scale, look);
        });
    }
}

/// The columns that fit, each with its width: the spare room goes to those that can use it.
fn choose(room: u16, loses: bool) -> Vec<(TableColumn, u16)> {
    let least = |column: TableColumn| {
        COLUMNS.iter().find(|(other, ..)| *other == column).map_or(0, |(_, least, _)| least + 1)
    };
    let mut left = room;
    let mut chosen = Vec::new();
    for column in BY_IMPORTANCE.into_iter().filter(|column| loses || *column != Lost) {
        let Some(rest) = left.checked_sub(least(column)) else { break };
        left = rest;
        chosen.push(column);
    }
    let mut columns: Vec<(TableColumn, u16, u16)> =
        COLUMNS.into_iter().filter(|(column, ..)| chosen.contains(column)).collect();
    while left > 0 {
        let before = left;
        for (_, width, most) in columns.iter_mut().filter(|(_, width, most)| width < most) {
            if left > 0 && *width < *most {
                (*width, left) = (*width + 1, left - 1);
            }
        }
        if left == before {
            break;
        }
    }
    columns.into_iter().map(|(column, width, _)| (column, width)).collect()
}

fn each_column(row: Rect, columns: &[(TableColumn, u16)], mut draw: impl FnMut(Rect, TableColumn)) {
    let mut x = row.x;
    for &(column, width) in columns {
        draw(Rect { x, width, ..row }, column);
        x += width + 1;
    }
}

fn title(column: TableColumn, width: u16) -> String {
    let seconds = STEP.as_secs_f64() * f64::from(width);
    match column {
        Vm => "vm".into(),
        Rate => "rate/s".into(),
        Clock => "clock".into(),
        Drift => "drift".into(),
        DriftCourse | QueueCourse => format!("last {seconds:.0} s"),
        Queue => "queue".into(),
        QueueBar => String::new(),
        Internal => "internal".into(),
        Send => "send".into(),
        Receive => "receive".into(),
        Lost => "lost".into(),
    }
}

/// What full bars and the highest points of courses stand for.
struct Scale {
    queue: u64,
    queues: u64,
    behind: u64,
}

impl Scale {
    fn new(shown: &Shown, glances: &[Glance], columns: &[(TableColumn, u16)]) -> Self {
        let width =
            |wanted| columns.iter().find(|(column, _)| *column == wanted).map_or(0, |(_, width)| *width);
        let most = |wanted, part: fn(Sample) -> u64| {
            let samples =
                glances.iter().flat_map(|glance| shown.courses.latest(glance.vm, width(wanted).into()));
            samples.map(part).max().unwrap_or(0).max(8)
        };
        let longest = glances.iter().map(|glance| glance.longest_queue).max().unwrap_or(0);
        Self {
            queue: u64::from(longest).max(10),
            queues: most(QueueCourse, |sample| sample.queue),
            behind: most(DriftCourse, |sample| sample.behind),
        }
    }
}

fn draw_value(
    buffer: &mut Buffer,
    place: Rect,
    column: TableColumn,
    shown: &Shown,
    glance: &Glance,
    scale: &Scale,
    look: &Look,
) {
    let style = look.machine(glance.vm);
    let course = |part: fn(Sample) -> u64, most| {
        spark(shown.courses.latest(glance.vm, place.width.into()).map(part), most)
    };
    let behind = shown.largest().saturating_sub(glance.lamport);
    let (text, style) = match column {
        Vm => (glance.vm.to_string(), style.patch(look.strong())),
        Rate => (rate(glance.rate, place.width), Style::new()),
        Clock => (grouped(glance.lamport), look.strong()),
        Drift => (if behind == 0 { "0".into() } else { format!("-{}", grouped(behind)) }, Style::new()),
        DriftCourse => (course(|sample| sample.behind, scale.behind), style),
        Queue => (grouped(glance.queue.into()), Style::new()),
        QueueBar => (bar(glance.queue.into(), scale.queue, place.width), style),
        QueueCourse => (course(|sample| sample.queue, scale.queues), style),
        Internal => (grouped(glance.internal), Style::new()),
        Send => (grouped(glance.sends), Style::new()),
        Receive => (grouped(glance.receives), Style::new()),
        Lost => (grouped(glance.lost), Style::new()),
    };
    draw_text(buffer, place, column, &text, style);
}

/// Numbers stand on the right, bars on the left; a course ends now, on the right.
fn draw_text(buffer: &mut Buffer, place: Rect, column: TableColumn, text: &str, style: Style) {
    let x = if column == QueueBar { 0 } else { place.width.saturating_sub(width(text)) };
    put(buffer, place, x, text, style);
}

/// A rate, rounded where there is no room for its decimals.
fn rate(rate: crate::model::time::Rate, room: u16) -> String {
    let exact = rate.to_string();
    if width(&exact) <= room { exact } else { format!("{:.0}", rate.as_f64()) }
}

/// A bar in eighths of cells; nothing is nothing, and a little is seen.
fn bar(value: u64, most: u64, width: u16) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = share(value, most, u64::from(width) * 8).max(u16::from(value > 0));
    "█".repeat(usize::from(eighths / 8)) + EIGHTHS[usize::from(eighths % 8)]
}

/// A line of small columns.
fn spark(values: impl Iterator<Item = u64>, most: u64) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    values.map(|value| LEVELS[usize::from(share(value, most, 7).max(u16::from(value > 0))).min(7)]).collect()
}

/// How many of so many parts a value is of the most there is.
#[expect(clippy::cast_precision_loss, reason = "a length on a screen")]
fn share(value: u64, most: u64, parts: u64) -> u16 {
    cells((value.min(most) as f64 / most.max(1) as f64 * parts as f64).round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_fill_the_room_and_the_most_important_stay() {
        for room in 36..=300 {
            let columns = choose(room, true);
            let taken: u16 = columns.iter().map(|(_, width)| width + 1).sum();
            assert!(taken <= room, "{room}: {columns:?}");
            assert!(columns.iter().any(|(column, _)| *column == QueueBar), "{room}: {columns:?}");
        }
        assert_eq!(choose(80, true).len(), 10);
        assert_eq!(choose(120, true).len(), COLUMNS.len());
    }

    #[test]
    fn bars_and_courses_are_in_eighths() {
        assert_eq!(
            (bar(0, 10, 4), bar(10, 10, 4), bar(99, 10, 4)),
            ("".into(), "████".into(), "████".into())
        );
        assert_eq!((bar(1, 1000, 4), bar(5, 10, 3)), ("▏".into(), "█▌".into()));
        assert_eq!(spark([0, 1, 50, 100, 1000].into_iter(), 100), "▁▂▅██");
    }
}
