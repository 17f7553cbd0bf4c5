//! clocklab: a laboratory for logical clocks.
#![doc = ""]
pub mod cli;
pub mod clock;
pub mod control;
pub mod event;
pub mod fit;
pub mod live;
pub mod log;
pub mod network;
pub mod run;
pub mod scenario;
pub mod seed;
pub mod tally;
pub mod text;
pub mod time;
pub mod vm;
pub mod workload;
