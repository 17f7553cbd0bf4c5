//! What works after a run, from its logs alone.

pub mod check;
pub mod effects;
pub mod history;
pub mod order;
pub mod stats;
