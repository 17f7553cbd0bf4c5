//! Runs over several processes, started by hand and by `--processes`. Many files in one binary, since each binary links the
//! whole library; a new file is a line here.
//!
//! Most of such a run is waiting, so more of them run side by side than there are processors.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// The tests of a module, each of which is run by its name; `tests` gives them.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        pub(crate) fn tests() -> Vec<libtest_mimic::Trial> {
            vec![$(crate::case(module_path!(), stringify!($case), $case)),+]
        }
    };
}

#[path = "../common/mod.rs"]
mod common;

mod nodes;
mod processes;
mod proxy;

/// So many run at once, unless somebody asks for another number.
const SIDE_BY_SIDE: usize = 12;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let tests = [nodes::tests(), processes::tests(), proxy::tests::tests()];
    libtest_mimic::run(&arguments, tests.into_iter().flatten().collect()).exit_code()
}

fn case(module: &str, name: &str, run: fn()) -> Trial {
    let module = module.split_once("::").map_or("", |(_, module)| module);
    Trial::test(format!("{module}::{name}"), move || {
        run();
        Ok(())
    })
}
