//! The look: few styles, in the terminal's own colours, that can be read on light and on dark.

use ratatui::style::{Color, Modifier, Style};

use crate::model::id::VmId;

/// The styles, with colours or without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) has_colours: bool,
}

/// The colours of machines: those of the terminal's own that are legible on white and on black.
const MACHINES: [Color; 5] = [Color::Cyan, Color::Magenta, Color::Green, Color::Yellow, Color::Blue];

impl Look {
    /// Text that matters most.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Text that steps back.
    pub(super) fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn lost(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A state that people should notice.
    pub(super) fn badge(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// What belongs to a machine.
    pub(super) fn machine(self, vm: VmId) -> Style {
        self.coloured(self.colour(vm))
    }

    pub(super) fn colour(self, vm: VmId) -> Color {
        if self.has_colours { MACHINES[vm.index() % MACHINES.len()] } else { Color::Reset }
    }

    fn coloured(self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }
}
