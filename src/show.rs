//! What people look at: pages and pictures, other tools' formats, the terminal.

pub(crate) mod export;
pub(crate) mod report;
pub(crate) mod view;
