//! Tests that want more than cargo: what each wants, and a harness that shows those for which it is missing as
//! ignored, with the reason, and names them once more at the end. A new one is a [`Want`] here, and a line
//! `wanting!(WANT: its, tests);` in a module of `tests/tools/`.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a list is read after a test that panicked too")]
#![allow(clippy::print_stderr, reason = "what was skipped is told at the end")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;

use libtest_mimic::{Arguments, Completion, Trial};

/// Something of the machine that a test cannot do without.
pub struct Want {
    /// What is missing where it is, and how it is had.
    pub missing: &'static str,
    pub is_here: fn() -> bool,
}

pub const SCRIPT: Want = Want {
    missing: "no `script` to lend a terminal (Debian: bsdutils)",
    is_here: || answers("script", "--version"),
};
pub const DOT: Want =
    Want { missing: "no `dot` of Graphviz (Debian: graphviz)", is_here: || answers("dot", "-V") };
pub const MPIRUN: Want =
    Want { missing: "no `mpirun` (Debian: openmpi-bin)", is_here: || answers("mpirun", "--version") };
pub const CHROMIUM: Want =
    Want { missing: "no chromium (Debian: chromium)", is_here: || chromium().is_some() };

pub const SOFFICE: Want = Want {
    missing: "no `soffice` of LibreOffice (Debian: libreoffice-calc)",
    is_here: || answers("soffice", "--version"),
};
pub const PANDAS: Want = Want {
    missing: "no pandas where CLOCKLAB_PYTHON or `python3` looks (pip install pandas)",
    is_here: || can_import("pandas"),
};
pub const POLARS: Want = Want {
    missing: "no polars where CLOCKLAB_PYTHON or `python3` looks (pip install polars)",
    is_here: || can_import("polars"),
};
pub const DUCKDB: Want = Want {
    missing: "no duckdb where CLOCKLAB_PYTHON or `python3` looks (pip install duckdb)",
    is_here: || can_import("duckdb"),
};

/// The Python that has data frames, by `CLOCKLAB_PYTHON` or as the system has it.
pub fn python() -> OsString {
    env::var_os("CLOCKLAB_PYTHON").unwrap_or_else(|| "python3".into())
}

fn can_import(package: &str) -> bool {
    let mut command = Command::new(python());
    command.args(["-c", &format!("import {package}")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether a program is there and content with that argument.
pub fn answers(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where a browser is installed, if one is.
pub fn chromium() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file())
}

/// What a module's tests want: `wanting!(SCRIPT: a_test, another; DOT: a_third);` makes its function `tests`.
/// `a_measurement = ignored` is run with `--ignored` alone.
macro_rules! wanting {
    ($($want:path: $($test:ident $(= $flag:ident)?),+ $(,)?);+ $(;)?) => {
        pub(crate) fn tests() -> Vec<libtest_mimic::Trial> {
            vec![$($(
                crate::wants::test(module_path!(), stringify!($test), &$want, $test)
                    .with_ignored_flag([$(stringify!($flag))?].contains(&"ignored"))
            ),+),+]
        }
    };
}
pub(crate) use wanting;

/// The tests that were skipped, by what is missing.
static SKIPPED: Mutex<BTreeMap<&str, Vec<String>>> = Mutex::new(BTreeMap::new());

/// A test that is run where what it wants is here.
pub fn test(module: &str, name: &str, want: &'static Want, run: fn()) -> Trial {
    let module = module.split_once("::").map_or("", |(_, module)| module);
    let name = format!("{module}::{name}");
    Trial::ignorable_test(name.clone(), move || {
        if (want.is_here)() {
            run();
            return Ok(Completion::Completed);
        }
        SKIPPED.lock().unwrap().entry(want.missing).or_default().push(name);
        Ok(Completion::ignored_with(want.missing))
    })
}

/// Runs tests as `cargo test` does, with its arguments, and tells at the end what was skipped and why.
pub fn run(tests: Vec<Trial>) -> ExitCode {
    let conclusion = libtest_mimic::run(&Arguments::from_args(), tests);
    for (missing, tests) in SKIPPED.lock().unwrap().iter() {
        eprintln!("skipped {}, since there is {missing}: {}", tests.len(), tests.join(", "));
    }
    conclusion.exit_code()
}
