//! What people look at: pages and pictures, other tools' formats, the terminal.

pub mod export;
pub mod report;
pub mod view;
