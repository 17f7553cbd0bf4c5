//! clocklab: a laboratory for logical clocks.
#![doc = ""]
pub mod clock;
pub mod event;
pub mod network;
pub mod scenario;
pub mod seed;
pub mod tally;
pub mod text;
pub mod time;
pub mod vm;
pub mod workload;
