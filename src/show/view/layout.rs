//! Where everything stands on the screen.

use ratatui::layout::Rect;

/// What needs less is not shown.
pub(super) const LEAST: (u16, u16) = (36, 7);

/// Lines of a lane in the diagram, at most: longer arrows tell no more.
const TALLEST_LANE: u16 = 7;

/// Which panes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panes {
    All,
    Table,
    Diagram,
}

impl Panes {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::All => Self::Table,
            Self::Table => Self::Diagram,
            Self::Diagram => Self::All,
        }
    }
}

/// The places of the panes, and how many machines they have room for: table and diagram show the same ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScreenPlan {
    pub(super) title: Rect,
    pub(super) course: Rect,
    pub(super) table: Option<Rect>,
    pub(super) diagram: Option<Rect>,
    pub(super) feed: Option<Rect>,
    pub(super) keys: Rect,
    pub(super) rows: u32,
}

impl ScreenPlan {
    /// The places on a screen of that size; none where it is too small.
    pub(super) fn new(area: Rect, panes: Panes, machines: u32) -> Option<Self> {
        if area.width < LEAST.0 || area.height < LEAST.1 {
            return None;
        }
        let heights = Heights::new(area.height - 3, panes, u16::try_from(machines).unwrap_or(u16::MAX));
        let mut y = area.y;
        let mut next = |height: u16| {
            let rect = Rect { y, height, ..area };
            y += height;
            rect
        };
        let (title, course) = (next(1), next(1));
        let mut pane = |height: u16| (height > 0).then(|| next(height));
        let (table, diagram, feed) = (pane(heights.table), pane(heights.diagram), pane(heights.feed));
        let keys = Rect { y: area.bottom() - 1, height: 1, ..area };
        Some(Self { title, course, table, diagram, feed, keys, rows: heights.rows.into() })
    }
}

/// The lines of the panes, with their headings.
#[derive(Clone, Copy, Debug, Default)]
struct Heights {
    table: u16,
    diagram: u16,
    feed: u16,
    rows: u16,
}

impl Heights {
    fn new(height: u16, panes: Panes, machines: u16) -> Self {
        let table_alone = || {
            let rows = machines.min(height - 1);
            Self { table: 1 + rows, rows, ..Self::default() }
        };
        match panes {
            Panes::Table => table_alone(),
            Panes::Diagram => Self { diagram: height, rows: machines.min(height - 2), ..Self::default() },
            Panes::All => Self::all(height, machines).unwrap_or_else(table_alone),
        }
    }

    /// All panes; none where there is no room for more than the table. What the diagram does not need goes to
    /// the messages.
    fn all(height: u16, machines: u16) -> Option<Self> {
        let feed = match height {
            0..15 => 0,
            15..20 => 4,
            20..30 => 6,
            30..45 => 8,
            45.. => 11,
        };
        // A heading each, and a line for the times.
        let lines = height.saturating_sub(feed + 3);
        // Where there are many machines, a small screen shows more of them instead.
        let (feed, lines) = match machines > lines / 2 && height < 30 {
            true => (0, height.saturating_sub(3)),
            false => (feed, lines),
        };
        // Lanes touch each other only where that brings all machines onto the screen.
        let rows = if machines <= lines / 2 { machines } else { lines / 3 };
        if rows < machines.min(3) {
            return None;
        }
        let table = 1 + rows;
        let diagram = (height - feed - table).min(2 + TALLEST_LANE.saturating_mul(rows));
        let left = height - table - diagram;
        Some(Self { table, diagram, feed: if left < 3 { 0 } else { left }, rows })
    }
}
