//! Keys, and what they ask for beyond the view itself.

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyPress {
    /// One that makes a character.
    Char(char),
    /// The same with the control key.
    Ctrl(char),
    /// The arrow up, for the machine above.
    Up,
    /// The arrow down, for the machine below.
    Down,
    /// A screen of machines up.
    PageUp,
    /// A screen of machines down.
    PageDown,
    /// To the first machines.
    Home,
    /// To the last machines.
    End,
    /// On to the next choice of panes.
    Tab,
    /// Closes the help, as any key does, and does nothing else.
    Escape,
}

/// What is to be done with the run or the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAction {
    /// End the run in order.
    End,
    /// Do as at Ctrl+C elsewhere.
    Interrupt,
    /// Leave the view; the run goes on.
    Leave,
    /// Do as at Ctrl+Z elsewhere.
    Suspend,
    /// Draw the whole screen again: something else may have written to it.
    Redraw,
}

/// What the keys do, the most important ones first: the key, in a word, in a sentence.
pub(super) const KEYS: [(&str, &str, &str); 9] = [
    ("space", "pause", "the display stands still, the run goes on; again to go on"),
    ("q", "end the run", "end the run in order, with whole logs, as Ctrl+C does"),
    ("d", "leave the view", "leave the view; the run goes on to its end"),
    ("?", "help", "this help"),
    ("↑↓", "scroll", "other machines, where there are more than rows"),
    ("tab", "panes", "all panes, the table alone, the diagram alone"),
    ("+ -", "zoom", "less time in the diagram, or more"),
    ("PgUp PgDn", "", "a screen of machines up or down"),
    ("Home End", "", "the first machines, the last ones"),
];
