//! The program through its commands: what it prints, writes and refuses, in one process. Many files in one binary, since each
//! binary links the whole library; a new file is a line here.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/exported.rs"]
mod exported;

mod binary;
mod check;
mod clocks;
mod export;
mod inputs;
mod killed;
mod limits;
mod order;
mod parts;
mod report;
mod resaved;
mod shiviz;
mod stats;
mod sweep;
mod words;
