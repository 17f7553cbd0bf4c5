//! Tests that want other people's programs: a browser, a terminal, Graphviz, a launcher, hosts of a network, a spreadsheet,
//! data frames. Where one is missing they are shown as ignored.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

#[path = "../common/browser.rs"]
mod browser;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/exported.rs"]
mod exported;
#[path = "../common/wants.rs"]
mod wants;

mod graphviz;
mod hosts;
mod mpirun;
mod page;
mod saved_again;
mod tui;

use std::env;
use std::process::{Command, ExitCode};

use libtest_mimic::Trial;

fn main() -> ExitCode {
    let tests = [
        graphviz::tests(),
        hosts::tests(),
        mpirun::tests(),
        page::tests(),
        saved_again::tests(),
        tui::tests(),
    ];
    let itself = Trial::test("what_is_skipped_is_shown", || {
        what_is_skipped_is_shown();
        Ok(())
    });
    wants::run(tests.into_iter().flatten().chain([itself]).collect())
}

/// These tests where no program is to be found.
fn what_is_skipped_is_shown() {
    let mut tests = Command::new(env::current_exe().unwrap());
    let output = tests.args(["mpirun"]).env("PATH", "/nowhere").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    let (shown, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}{told}");
    assert!(shown.contains("ignored (no `mpirun` (Debian: openmpi-bin))\n"), "{shown}");
    assert!(shown.contains("0 passed; 0 failed; 1 ignored"), "{shown}");
    let missing =
        "skipped 1, since there is no `mpirun` (Debian: openmpi-bin): mpirun::mpirun_numbers_the_nodes\n";
    assert_eq!(told, missing);
}
