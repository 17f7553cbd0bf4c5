//! The view of a live run: what a terminal shows of it, and what its keys do.
//!
//! It is pure: [snapshots](Snapshot) and [keys](KeyPress) come in, a buffer of cells is drawn and
//! [actions](KeyAction) go out. Which terminal that is, and how it is set up and left, is the shell's business.

mod courses;
mod diagram;
mod feed;
mod head;
mod help;
mod keys;
mod layout;
mod look;
mod past;
mod shown;
mod table;

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(crate) use self::keys::{KeyAction, KeyPress};
use self::layout::{Panes, ScreenPlan};
use self::look::Look;
use self::shown::Shown;
use crate::edge::watch::{Scene, Snapshot};

/// What is seen of a run, and how.
#[derive(Debug)]
pub(crate) struct View {
    /// The latest that is known; none before the run's beginning.
    latest: Option<Shown>,
    /// The snapshot at which the view was halted; none while it follows the run.
    frozen: Option<Box<Shown>>,
    /// It is to stand still from the next snapshot on, which is of all machines.
    freezes: bool,
    /// How many machines are above the first one that is shown.
    above: u32,
    /// How many machines the last drawing had room for.
    rows: u32,
    /// Steps by which more time is shown than by itself, or less.
    zoom: i32,
    panes: Panes,
    shows_help: bool,
    is_ending: bool,
    notice: Option<String>,
    /// How many runs there will be, where they are several.
    runs: Option<u32>,
    look: Look,
}

impl View {
    /// A view of one run or of several, with colours or without.
    pub(crate) fn new(runs: Option<u32>, has_colours: bool) -> Self {
        Self {
            latest: None,
            frozen: None,
            freezes: false,
            above: 0,
            rows: 1,
            zoom: 0,
            panes: Panes::All,
            shows_help: false,
            is_ending: false,
            notice: None,
            runs,
            look: Look { has_colours },
        }
    }

    /// Looks at the machines that it shows; where it is about to stand still, at all of them.
    pub(crate) fn look_at(&mut self, scene: &Scene) {
        let snapshot = if self.freezes {
            scene.survey()
        } else {
            scene.look(window(&scene.machines(), self.above, self.rows))
        };
        self.take(snapshot);
    }

    fn take(&mut self, snapshot: Snapshot) {
        let shown = match &mut self.latest {
            Some(shown) if shown.is_of(&snapshot) => {
                shown.take(snapshot);
                shown
            }
            latest => latest.insert(Shown::new(snapshot)),
        };
        if std::mem::take(&mut self.freezes) {
            self.frozen = Some(Box::new(shown.clone()));
        }
    }

    /// Shows something that people should know.
    pub(crate) fn tell(&mut self, notice: String) {
        self.notice = Some(notice);
    }

    /// The run has been asked to end.
    pub(crate) const fn end(&mut self) {
        self.is_ending = true;
    }

    /// What a key asks for beyond the view.
    pub(crate) fn press(&mut self, key: KeyPress) -> Option<KeyAction> {
        let was_helping = std::mem::take(&mut self.shows_help);
        self.notice = None;
        match key {
            KeyPress::Char(' ') => self.pause(),
            KeyPress::Up => self.above = self.above.saturating_sub(1),
            KeyPress::Down => self.above = self.above.saturating_add(1),
            KeyPress::PageUp => self.above = self.above.saturating_sub(self.rows),
            KeyPress::PageDown => self.above = self.above.saturating_add(self.rows),
            KeyPress::Home => self.above = 0,
            KeyPress::End => self.above = u32::MAX,
            KeyPress::Char('+') => self.zoom = (self.zoom - 1).max(-diagram::ZOOMS),
            KeyPress::Char('-') => self.zoom = (self.zoom + 1).min(diagram::ZOOMS),
            KeyPress::Tab => self.panes = self.panes.next(),
            KeyPress::Char('?' | 'h') => self.shows_help = !was_helping,
            KeyPress::Char('q') => return (!self.is_ending).then_some(KeyAction::End),
            KeyPress::Char('d') => return Some(KeyAction::Leave),
            KeyPress::Ctrl('c') => return Some(KeyAction::Interrupt),
            KeyPress::Ctrl('z') => return Some(KeyAction::Suspend),
            KeyPress::Ctrl('l') => return Some(KeyAction::Redraw),
            KeyPress::Char(_) | KeyPress::Ctrl(_) | KeyPress::Escape => {}
        }
        self.clamp();
        None
    }

    /// Draws all of it.
    pub(crate) fn draw(&mut self, area: Rect, buffer: &mut Buffer) {
        let shown = self.frozen.as_deref().or(self.latest.as_ref());
        let Some(plan) = ScreenPlan::new(area, self.panes, shown.map_or(0, Shown::machines)) else {
            return help::draw_too_small(area, buffer, &self.look);
        };
        self.rows = plan.rows.max(1);
        self.clamp();
        let Some(shown) = self.frozen.as_deref().or(self.latest.as_ref()) else {
            head::draw_waiting(&plan, buffer, &self.look, self.notice.as_deref());
            return head::draw_keys(plan.keys, buffer, &self.look, false);
        };
        let badge = self.badge();
        head::draw(&plan, buffer, shown, &self.look, self.runs, badge);
        let machines = window(&shown.snapshot.machines, self.above, self.rows);
        let glances = shown.glances(&machines);
        if let Some(area) = plan.table {
            table::draw(area, buffer, shown, glances, &self.look);
        }
        if let Some(area) = plan.diagram {
            diagram::draw(area, buffer, shown, glances, self.zoom, &self.look);
        }
        if let Some(area) = plan.feed {
            feed::draw(area, buffer, shown, &self.look);
        }
        match &self.notice {
            Some(notice) => head::draw_notice(plan.keys, buffer, notice, &self.look),
            None => head::draw_keys(plan.keys, buffer, &self.look, self.frozen.is_some()),
        }
        if self.shows_help {
            help::draw(area, buffer, &self.look);
        }
    }

    const fn badge(&self) -> Option<&'static str> {
        match (self.is_ending, &self.frozen) {
            (true, _) => Some("ENDING"),
            (false, Some(_)) => Some("PAUSED"),
            (false, None) => None,
        }
    }

    fn pause(&mut self) {
        if self.frozen.take().is_none() {
            self.freezes = !self.freezes && self.latest.is_some();
        }
    }

    fn clamp(&mut self) {
        let machines = self.latest.as_ref().map_or(0, Shown::machines);
        self.above = self.above.min(machines.saturating_sub(self.rows));
    }
}

/// So many of the machines, from one on; as many as there are.
fn window(machines: &Range<u32>, above: u32, rows: u32) -> Range<u32> {
    let first = machines.start.saturating_add(above).min(machines.end);
    first..first.saturating_add(rows).min(machines.end)
}

#[cfg(test)]
mod tests;
