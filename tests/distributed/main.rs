//! Runs over several processes, started by hand and by `--processes`. Many files in one binary, since each binary links the
//! whole library; a new file is a line here.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

#[path = "../common/mod.rs"]
mod common;

mod nodes;
mod processes;
mod proxy;
