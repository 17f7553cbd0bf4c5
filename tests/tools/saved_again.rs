//! Runs whose files a spreadsheet has opened and saved again, under the locales of three countries, or that data frames
//! and databases have read and written: they still check as sound.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::program::assert_code;
use crate::wants::{self, DUCKDB, PANDAS, POLARS, SOFFICE};

wants::wanting!(
    SOFFICE: a_spreadsheet_may_save_a_run_in_english, a_spreadsheet_may_save_a_run_in_german, a_spreadsheet_may_save_a_run_in_dutch;
    PANDAS: pandas_may_save_a_run;
    POLARS: polars_may_save_a_run;
    DUCKDB: duckdb_may_save_a_run;
);

/// Marks and payloads, losses, and clocks that err.
const RUNS: [&str; 2] = [
    "--seed 5 --rates 6,5,3 --draw 5 --duration 20 --loss 0.1 --duplicate 0.1 --skew 2s",
    "--seed 7 --workload client-server --duration 20",
];

fn clocklab(folder: &Path, line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    let output = command.current_dir(folder).args(line.split_whitespace()).output().unwrap();
    assert_code(&output, 0).0
}

/// Has a program save each file of the runs again, and checks them.
fn check_saved(save: impl Fn(&Path, &[String])) {
    for line in RUNS {
        let folder: TempDir = tempfile::tempdir().unwrap();
        clocklab(folder.path(), &format!("--quiet --virtual-time {line}"));
        let output = folder.path().join("output");
        let names: Vec<String> =
            crate::common::names(&output).into_iter().filter(|name| name.ends_with(".csv")).collect();
        let originals = folder.path().join("originals");
        fs::create_dir(&originals).unwrap();
        for name in &names {
            fs::rename(output.join(name), originals.join(name)).unwrap();
        }
        save(folder.path(), &names);
        for name in &names {
            assert!(output.join(name).is_file(), "{name} was not saved");
        }
        let checked = clocklab(folder.path(), "check");
        assert!(checked.starts_with("output: sound: 3 machines"), "{checked}");
        clocklab(folder.path(), "order vm0-3 vm1-9");
    }
}

/// LibreOffice with a profile of its own, told where the person is.
fn save_in_spreadsheet(locale: &str, separator: u8) {
    check_saved(|folder, names| {
        let user = folder.join("profile/user");
        fs::create_dir_all(&user).unwrap();
        let settings = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>{locale}</value></prop></item>
</oor:items>
"#
        );
        fs::write(user.join("registrymodifications.xcu"), settings).unwrap();
        let profile = format!("-env:UserInstallation=file://{}", folder.join("profile").display());
        // Cells parted by commas are opened with numbers detected, and saved as they are shown.
        let saved_as = format!("csv:Text - txt - csv (StarCalc):{separator},34,76,1,,0,false,true,false");
        let mut command = Command::new("soffice");
        command.current_dir(folder).args([&profile, "--headless", "--infilter=CSV:44,34,76,1,,0,false,true"]);
        command.args(["--convert-to", &saved_as, "--outdir", "output"]);
        let output = command.args(names.iter().map(|name| format!("originals/{name}"))).output().unwrap();
        assert_code(&output, 0);
    });
}

fn a_spreadsheet_may_save_a_run_in_english() {
    save_in_spreadsheet("en-US", b',');
}

fn a_spreadsheet_may_save_a_run_in_german() {
    save_in_spreadsheet("de-DE", b';');
}

fn a_spreadsheet_may_save_a_run_in_dutch() {
    save_in_spreadsheet("nl-NL", b';');
}

/// A line of Python that reads `before` and writes `after`, for each file of a run.
fn save_in_python(import: &str, line: &str) {
    check_saved(|folder, names| {
        let script = format!(
            "import sys, {import}\nfor name in sys.argv[1:]:\n    before, after = 'originals/' + name, 'output/' + name\n    {line}\n"
        );
        let mut python = Command::new(wants::python());
        assert_code(&python.current_dir(folder).args(["-c", &script]).args(names).output().unwrap(), 0);
    });
}

fn pandas_may_save_a_run() {
    save_in_python("pandas", "pandas.read_csv(before).to_csv(after, index=False)");
}

fn polars_may_save_a_run() {
    save_in_python("polars", "polars.read_csv(before, try_parse_dates=True).write_csv(after)");
}

fn duckdb_may_save_a_run() {
    save_in_python("duckdb", "duckdb.sql(f\"copy (from read_csv('{before}')) to '{after}' (header)\")");
}
