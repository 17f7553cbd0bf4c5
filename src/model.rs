//! The model of a run, pure: what a message, an event, a machine, a network and a whole scenario are.
//!
//! With [`crate::clock`] and [`crate::workload`] it is the core: no files, no threads, no clock of the machine, no
//! randomness but from the seed.

pub mod crash;
pub mod event;
pub mod experiment;
pub mod id;
pub mod network;
pub mod pace;
pub mod registry;
pub mod scenario;
pub mod seed;
pub mod setting;
pub mod tally;
pub mod text;
pub mod time;
pub mod vm;
