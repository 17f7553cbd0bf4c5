//! The lines at the top and at the bottom: which run it is, how far it has come, and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::keys::KEYS;
use super::layout::ScreenPlan;
use super::look::Look;
use super::shown::Shown;
use crate::model::text::{grouped, printable};

/// The two lines at the top.
pub(super) fn draw(
    plan: &ScreenPlan,
    buffer: &mut Buffer,
    shown: &Shown,
    look: &Look,
    runs: Option<u32>,
    badge: Option<&str>,
) {
    let end = put(buffer, plan.title, 0, "clocklab", look.strong());
    let room = usize::from(plan.title.width.saturating_sub(end + 2));
    put(buffer, plan.title, end + 2, &title(shown, runs, room), Style::new());
    if let Some(badge) = badge {
        let text = format!(" {badge} ");
        put(buffer, plan.title, plan.title.width.saturating_sub(width(&text)), &text, look.badge());
    }
    draw_course(plan.course, buffer, shown, look);
}

/// Which run it is: the number of several, the machines, the workload and the seed, as far as there is room.
fn title(shown: &Shown, runs: Option<u32>, room: usize) -> String {
    let snapshot = &shown.snapshot;
    let (all, here) = (snapshot.scenario.vms(), &snapshot.machines);
    let mut parts = Vec::new();
    if let (Some(run), Some(runs)) = (snapshot.run, runs) {
        parts.push(format!("run {run} of {runs}"));
    }
    parts.push(if shown.machines() < all {
        format!("machines {} to {} of {}", here.start, here.end - 1, grouped(all.into()))
    } else {
        format!("{} machine{}", grouped(all.into()), if all == 1 { "" } else { "s" })
    });
    parts.push(snapshot.scenario.workload().to_string());
    parts.push(format!("seed {}", snapshot.scenario.seed().0));
    while parts.len() > 1 && parts.join(" · ").chars().count() > room {
        parts.pop();
    }
    parts.join(" · ")
}

/// How far the run has come, and what its events add up to, in as many words as fit.
fn draw_course(area: Rect, buffer: &mut Buffer, shown: &Shown, look: &Look) {
    let duration = shown.snapshot.scenario.duration();
    let now = shown.now().min(duration);
    let bar = (area.width / 5).clamp(8, 40);
    let part = now.as_secs_f64() / duration.as_secs_f64();
    let full = cells(part * f64::from(bar));
    put(buffer, area, 0, &"━".repeat(full.into()), look.strong());
    put(buffer, area, full, &"─".repeat(usize::from(bar.saturating_sub(full))), look.quiet());
    let time = match shown.snapshot.elapsed {
        Some(_) => format!("{:.1} of {:.1} s", now.as_secs_f64(), duration.as_secs_f64()),
        None => "waiting for the start".to_owned(),
    };
    let end = put(buffer, area, bar + 1, &time, look.strong()) + 2;
    let room = usize::from(area.width.saturating_sub(end));
    let words = sums(shown).into_iter().find(|words| words.chars().count() <= room);
    put(buffer, area, end, &words.unwrap_or_default(), Style::new());
}

/// What the events add up to, from many words to few.
fn sums(shown: &Shown) -> [String; 3] {
    let sums = &shown.snapshot.sums;
    let events = grouped(sums.internal + sums.sends + sums.receives);
    let [internal, sends, receives] = [sums.internal, sums.sends, sums.receives].map(grouped);
    let [messages, waiting] = [sums.messages, sums.waiting].map(grouped);
    let lost = if sums.lost > 0 { format!(", lost {}", grouped(sums.lost)) } else { String::new() };
    [
        format!(
            "events {events}: internal {internal}, send {sends}, receive {receives}   messages {messages}: waiting {waiting}{lost}"
        ),
        format!("events {events}   messages {messages}: waiting {waiting}{lost}"),
        format!("events {events}"),
    ]
}

/// Before the run's machines are there.
pub(super) fn draw_waiting(plan: &ScreenPlan, buffer: &mut Buffer, look: &Look, notice: Option<&str>) {
    put(buffer, plan.title, 0, "clocklab", look.strong());
    put(buffer, plan.course, 0, &printable(notice.unwrap_or("the machines are being made")), look.quiet());
}

/// What people should know, in the place of the keys.
pub(super) fn draw_notice(area: Rect, buffer: &mut Buffer, notice: &str, look: &Look) {
    let line = notice.lines().next().unwrap_or_default();
    put(buffer, area, 0, &printable(line), look.strong());
}

/// As many of the keys as fit.
pub(super) fn draw_keys(area: Rect, buffer: &mut Buffer, look: &Look, is_paused: bool) {
    let mut x = 0;
    for (key, word, _) in KEYS.iter().filter(|(_, word, _)| !word.is_empty()) {
        let word = if is_paused && *key == "space" { "go on" } else { word };
        let end = x + width(key) + 1 + width(word);
        if end > area.width {
            break;
        }
        let after = put(buffer, area, x, key, look.strong());
        put(buffer, area, after + 1, word, look.quiet());
        x = end + 3;
    }
}

/// A heading over the whole width, with a rule.
pub(super) fn draw_heading(area: Rect, buffer: &mut Buffer, title: &str, remark: &str, look: &Look) {
    let line = Rect { height: 1, ..area };
    put(buffer, line, 0, &"─".repeat(area.width.into()), look.quiet());
    let end = put(buffer, line, 2, &format!(" {title} "), look.strong());
    let remark = format!(" {remark} ");
    if let Some(x) = area.width.checked_sub(width(&remark) + 2).filter(|x| *x > end) {
        put(buffer, line, x, &remark, look.quiet());
    }
}

/// Writes a text as far as there is room, and tells where it ends.
pub(super) fn put(buffer: &mut Buffer, area: Rect, x: u16, text: &str, style: Style) -> u16 {
    if x >= area.width || area.height == 0 {
        return x;
    }
    let room = usize::from(area.width - x);
    let (end, _) = buffer.set_stringn(area.x + x, area.y, text, room, style);
    end - area.x
}

/// The cells that a text takes: one a character.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX)
}

/// So many whole cells.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates at the bounds")]
pub(super) fn cells(count: f64) -> u16 {
    count as u16
}
