//! The library from outside: its drivers as others may call them, and the layers of its sources. Many files in one binary,
//! since each binary links the whole library; a new file is a line here.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

#[path = "../common/mod.rs"]
mod common;

mod broadcast;
mod exclusion;
mod judged;
mod lamport_mutex;
mod layers;
mod paused;
mod snapshot;
mod threads;
mod virtual_time;
