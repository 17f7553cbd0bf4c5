//! Logs that another program has saved again: what it made of the cells is read where that is certain.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::common;
use crate::common::program::assert_code;

fn clocklab(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_clocklab"))
        .current_dir(folder)
        .args(line.split_whitespace())
        .output()
        .unwrap()
}

fn make(folder: &Path, line: &str) {
    let made = clocklab(folder, &format!("--quiet --virtual-time {line}"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// How a program saves rows.
type Save = Box<dyn Fn(Vec<Vec<String>>) -> String>;

/// Saves each log of a run again.
fn rewrite(folder: &Path, save: impl Fn(Vec<Vec<String>>) -> String) {
    for log in fs::read_dir(folder.join("output")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = log.file_name().unwrap().to_str().unwrap();
        if common::is_log(name) {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(&log).unwrap();
            let rows = reader.deserialize().map(Result::unwrap).collect();
            fs::write(&log, save(rows)).unwrap();
        }
    }
}

fn written(rows: &[Vec<String>], separator: u8, end: csv::Terminator) -> String {
    let mut writer = csv::WriterBuilder::new().delimiter(separator).terminator(end).from_writer(Vec::new());
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

const LINE: &str = "--seed 5 --rates 6,5,3 --draw 5 --duration 20 --loss 0.1 --duplicate 0.1 --skew 2s";

fn assert_sound(folder: &Path, asked: &str, what: &str) -> String {
    let checked = clocklab(folder, asked);
    let (out, _) = assert_code(&checked, 0);
    assert!(out.contains("sound: 3 machines"), "{what}: {out}");
    out
}

#[test]
fn a_log_that_was_saved_again_still_checks_as_sound_and_it_is_told() {
    let cell = |row: &mut Vec<String>, at: usize, save: &dyn Fn(&str) -> String| row[at] = save(&row[at]);
    let float = |cell: &str| if cell.is_empty() { String::new() } else { format!("{cell}.0") };
    let changes: [(&str, Save); 7] = [
        ("Excel's line ends", Box::new(|rows| written(&rows, b',', csv::Terminator::CRLF))),
        (
            "a mark in front",
            Box::new(|rows| format!("\u{feff}{}", written(&rows, b',', csv::Terminator::Any(b'\n')))),
        ),
        ("tabs", Box::new(|rows| written(&rows, b'\t', csv::Terminator::Any(b'\n')))),
        (
            "semicolons and decimal commas",
            Box::new(move |mut rows| {
                rows.iter_mut().skip(1).for_each(|row| cell(row, 3, &|text| text.replace('.', ",")));
                written(&rows, b';', csv::Terminator::CRLF)
            }),
        ),
        (
            "numbers as pandas has them",
            Box::new(move |mut rows| {
                for row in rows.iter_mut().skip(1) {
                    cell(row, 3, &|text| text.trim_end_matches('0').to_owned());
                    [1, 5, 7, 8, 11, 12].into_iter().for_each(|at| cell(row, at, &float));
                    cell(row, 4, &|text| text.replace('T', " ").replace('Z', "+00:00"));
                }
                written(&rows, b',', csv::Terminator::Any(b'\n'))
            }),
        ),
        (
            "lists and times as DuckDB has them",
            Box::new(move |mut rows| {
                for row in rows.iter_mut().skip(1) {
                    cell(row, 3, &|text| text.trim_end_matches('0').to_owned());
                    cell(row, 4, &|text| text.replace('T', " ").replace('Z', ""));
                    [6, 9, 13, 14].into_iter().for_each(|at| cell(row, at, &|text| text.replace(',', ", ")));
                }
                written(&rows, b',', csv::Terminator::Any(b'\n'))
            }),
        ),
        (
            "columns in another order, and one more",
            Box::new(|mut rows| {
                for (index, row) in rows.iter_mut().enumerate() {
                    row.reverse();
                    row.push(index.to_string());
                }
                written(&rows, b',', csv::Terminator::CRLF)
            }),
        ),
    ];
    for (what, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), LINE);
        rewrite(folder.path(), change);
        let out = assert_sound(folder.path(), "check", what);
        assert_eq!(out.matches("saved again by another program").count(), 1, "{what}: {out}");
        assert_eq!(out.matches(".csv").count(), 3, "{what}: {out}");
        for asked in ["stats", "order vm0-3 vm1-9", "export --format shiviz", "report"] {
            assert_code(&clocklab(folder.path(), asked), 0);
        }
    }
}

#[test]
fn what_a_saved_log_says_otherwise_is_still_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), LINE);
    rewrite(folder.path(), |mut rows| {
        rows[20][5] = "9999.0".to_owned();
        written(&rows, b';', csv::Terminator::CRLF)
    });
    let (out, _) = assert_code(&clocklab(folder.path(), "check"), 1);
    assert!(out.contains("column lamport: found 9999"), "{out}");
}

/// A summary is known by its checksum alone: it is put back as it was written.
#[test]
fn a_summary_that_was_saved_again_is_told_from_one_that_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), LINE);
    let path = folder.path().join("output/summary.csv");
    let summary = fs::read_to_string(&path).unwrap();
    let rows: Vec<Vec<String>> = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(summary.as_bytes())
        .deserialize()
        .map(Result::unwrap)
        .collect();
    let shortened = |cell: &String| match cell.trim_end_matches('0').strip_suffix('.') {
        Some(whole) => whole.to_owned(),
        None if cell.contains('.') => cell.trim_end_matches('0').replace('.', ","),
        None => cell.clone(),
    };
    let saved: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(shortened).collect()).collect();
    fs::write(&path, "\u{feff}".to_owned() + &written(&saved, b';', csv::Terminator::CRLF)).unwrap();
    let out = assert_sound(folder.path(), "check", "a summary");
    assert!(out.contains("the bytes of output/summary.csv: saved again by another program"), "{out}");
    let mut other = saved;
    other[1][12].push('1');
    fs::write(&path, written(&other, b';', csv::Terminator::CRLF)).unwrap();
    let (out, _) = assert_code(&clocklab(folder.path(), "check"), 1);
    assert!(out.contains("output/summary.csv: found") && out.contains("file unlike its manifest"), "{out}");
}

/// A run of the first schema: three CSVs as they were saved by LibreOffice, by a European Excel, and as they were.
#[test]
fn logs_of_the_first_schema_are_read_however_they_were_saved() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), LINE);
    let first = |mut rows: Vec<Vec<String>>| {
        for (index, row) in rows.iter_mut().enumerate() {
            let count = row.remove(8);
            row.pop();
            if index > 0 {
                row[7] = format!("{}.{count}", row[7]);
                [6, 8, 12, 13]
                    .into_iter()
                    .for_each(|at| row[at] = row[at].replace(['[', ']'], "").replace(',', ";"));
                row[9] = row[9].replace("vm", "");
            }
        }
        rows
    };
    rewrite(folder.path(), |rows| written(&first(rows), b',', csv::Terminator::Any(b'\n')));
    fs::remove_file(folder.path().join("output/run.toml")).unwrap();
    assert_sound(folder.path(), "check", "the first schema");
    rewrite(folder.path(), |mut rows| {
        rows.iter_mut()
            .skip(1)
            .for_each(|row| row[7] = row[7].trim_end_matches('0').trim_end_matches('.').to_owned());
        written(&rows, b';', csv::Terminator::Any(b'\n'))
    });
    let out = assert_sound(folder.path(), "check", "hlc as numbers");
    assert!(out.contains("hlc lost its '.0'"), "{out}");
}

#[test]
fn all_files_of_a_run_as_a_shell_names_them_are_its_logs() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), LINE);
    let names = common::names(&folder.path().join("output"));
    let files: Vec<String> = names
        .into_iter()
        .filter(|name| name.ends_with(".csv"))
        .map(|name| format!("output/{name}"))
        .collect();
    let all = files.join(" ");
    assert!(all.contains("summary.csv"));
    let out = assert_sound(folder.path(), &format!("check {all}"), "a shell's glob");
    assert!(out.starts_with("output: sound") && !out.contains("not checked"), "{out}");
    for asked in ["stats", "export --format csv"] {
        assert_code(&clocklab(folder.path(), &format!("{asked} {all}")), 0);
    }
    let (out, _) = assert_code(&clocklab(folder.path(), &format!("order {all} vm0-3 vm0-9")), 0);
    assert!(out.starts_with("before"), "{out}");
    let (_, error) = assert_code(&clocklab(folder.path(), "check output/summary.csv output/summary.csv"), 2);
    assert!(error.contains("another of a run's files"), "{error}");
}
