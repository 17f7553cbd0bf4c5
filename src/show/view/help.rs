//! What the keys and signs mean, and what is said where there is no room for the view.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::widgets::{Block, Clear, Widget};

use super::head::put;
use super::keys::KEYS;
use super::layout::LEAST;
use super::look::Look;

const SIGNS: [(&str, &str); 6] = [
    ("·", "an internal event: the clock goes up by 1"),
    ("○", "a send: up by 1, and the message takes the value along"),
    ("●", "a receive: the larger of own clock and stamp, and 1 more"),
    ("×", "a message that the network lost"),
    ("drift", "how far a clock is behind the largest of all"),
    ("queue", "messages that have arrived and still wait"),
];

/// The help, over everything else.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, look: &Look) {
    let lines = KEYS.len() + 1 + SIGNS.len();
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(area.height);
    let size = Rect { width: area.width.min(74), height, ..area };
    let place = Rect {
        x: area.x + (area.width - size.width) / 2,
        y: area.y + (area.height - size.height) / 2,
        ..size
    };
    Clear.render(place, buffer);
    Block::bordered().title(" keys and signs ").border_style(look.quiet()).render(place, buffer);
    let inner = place.inner(Margin::new(2, 1));
    let keys = KEYS.iter().map(|(key, _, meaning)| (*key, *meaning));
    let signs = SIGNS.iter().copied();
    for (row, (sign, meaning)) in inner.rows().zip(keys.chain([("", "")]).chain(signs)) {
        put(buffer, row, 0, sign, look.strong());
        put(buffer, row, 11, meaning, Style::new());
    }
}

/// What is needed, where there is not enough of it.
pub(super) fn draw_too_small(area: Rect, buffer: &mut Buffer, look: &Look) {
    let (columns, lines) = LEAST;
    let texts = [
        format!("needs {columns}x{lines}"),
        format!("has {}x{}", area.width, area.height),
        "q ends the run".to_owned(),
        "d leaves the view".to_owned(),
    ];
    for (row, text) in area.rows().zip(&texts) {
        put(buffer, row, 0, text, look.strong());
    }
}
