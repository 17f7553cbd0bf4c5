//! Where the core meets the world: files, other programs' logs, the link protocol without its sockets, and what passes
//! between a driver and those who watch it.

pub mod control;
pub mod driver;
pub(crate) mod input;
pub mod link;
pub mod log;
pub mod nodes;
pub(crate) mod panics;
pub mod trace;
pub mod watch;
