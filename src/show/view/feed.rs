//! The latest sends and receives in words, with what each does to its machine's Lamport clock.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::head::{draw_heading, put, width};
use super::look::Look;
use super::shown::Shown;
use crate::edge::watch::{Seen, Sighting};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// Where the clocks' sums stand.
const SUM_AT: u16 = 46;

/// Draws the pane: a heading, and the latest below it.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, shown: &Shown, look: &Look) {
    let remark = "how the Lamport clocks go on";
    draw_heading(area, buffer, "messages", remark, look);
    for (row, sighting) in area.rows().skip(1).zip(shown.past.told()) {
        draw_one(row, buffer, sighting, look);
    }
}

fn draw_one(row: Rect, buffer: &mut Buffer, sighting: &Sighting, look: &Look) {
    let Sighting { vm, event, elapsed, before, lamport, kind } = sighting;
    let (sign, words, sum) = match kind {
        Seen::Internal => return,
        Seen::Send { to, recipients, lost } => {
            let more = recipients.saturating_sub(to.len());
            let own = MessageId { sender: *vm, event: *event };
            let words = format!(" sends {own} to {}", names(to, more));
            let words = if lost.is_empty() { words } else { format!("{words}, lost to {}", names(lost, 0)) };
            ("○", words, format!("{before} + 1"))
        }
        Seen::Receive { message, stamp } => {
            let words = format!(" receives {message} with stamp {stamp}");
            ("●", words, format!("max({before}, {stamp}) + 1"))
        }
    };
    let style = look.machine(*vm);
    put(buffer, row, 0, &format!("{:>7.2} s", elapsed.as_secs_f64()), look.quiet());
    put(buffer, row, 11, sign, style);
    let end = put(buffer, row, 13, &vm.to_string(), style.patch(look.strong()));
    let end = put(buffer, row, end, &words, Style::new()) + 1;
    let jump = lamport.saturating_sub(*before);
    let jump = if jump > 1 { format!("   +{jump}") } else { String::new() };
    let value = format!(" = {lamport}");
    let at = end.max(SUM_AT);
    if at + width(&sum) + width(&value) <= row.width {
        let end = put(buffer, row, at, &sum, look.quiet());
        let end = put(buffer, row, end, &value, look.strong());
        put(buffer, row, end, &jump, style);
    }
}

/// Some machines and so many more.
fn names(vms: &[VmId], more: usize) -> String {
    let shown = vms.len().min(4);
    let names: Vec<String> = vms[..shown].iter().map(VmId::to_string).collect();
    match more + vms.len() - shown {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
