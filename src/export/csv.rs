//! One table of all machines' events, with the columns of a log.

use jiff::Timestamp;

use super::{Cause, Event, Form};
use crate::log::RowFormat;

/// Writes the table.
#[derive(Debug)]
pub(super) struct Csv {
    format: RowFormat,
}

impl Csv {
    pub(super) fn new() -> Self {
        // Rows have their time of day; the start is needed for those that a run makes.
        Self { format: RowFormat::new(Timestamp::UNIX_EPOCH) }
    }
}

impl Form for Csv {
    type Stamp = ();

    fn begin(&mut self, out: &mut Vec<u8>) {
        RowFormat::header(out);
    }

    fn event(&mut self, event: &Event<'_>, _: Cause<'_, ()>, out: &mut Vec<u8>) {
        self.format.again(event.row, out);
    }

    fn stamp(&mut self, _: &Event<'_>) {}
}
