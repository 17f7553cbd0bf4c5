//! `clocklab sweep`: every combination in one table, each run repeatable alone, sweeps that are cut short.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::names;
use crate::common::program::{assert_code, clocklab, empty_folder, wait_until};

const SIX: [&str; 5] = ["rates=1-6", "rates=3-4", "rates=6,2,1", "draw=10", "draw=4"];

fn sweep(folder: &TempDir, line: &str) -> (String, String) {
    let line: Vec<&str> = std::iter::once("sweep").chain(line.split_whitespace()).collect();
    assert_code(&clocklab(folder, &line).output().unwrap(), 0)
}

fn refused(folder: &TempDir, line: &str, code: i32, parts: &[&str]) {
    let line: Vec<&str> = std::iter::once("sweep").chain(line.split_whitespace()).collect();
    let (_, err) = assert_code(&clocklab(folder, &line).output().unwrap(), code);
    assert!(parts.iter().all(|part| err.contains(part)), "{err}");
}

fn table(folder: &Path) -> String {
    fs::read_to_string(folder.join("experiment.csv")).unwrap()
}

/// The rows of a table by column.
fn rows(folder: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join("experiment.csv")).unwrap();
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

fn manifest(folder: &Path) -> toml::Table {
    fs::read_to_string(folder.join("run.toml")).unwrap().parse().unwrap()
}

#[test]
fn every_combination_has_its_runs_in_one_tidy_table() {
    let folder = empty_folder();
    let (out, err) = sweep(&folder, &format!("{} --runs 5 --seed 7", SIX.join(" ")));
    assert_eq!(err, "Open output/report.html in a browser to look at it.\n");
    let output = folder.path().join("output");
    let text = table(&output);
    let head = text.lines().next().unwrap();
    assert!(head.starts_with("rates,draw,run,seed,vm,rate,rank,events,internal,send,receive,"), "{head}");
    let summary = fs::read_to_string(output.join("condition_1/run_1/summary.csv")).unwrap();
    let of_summary = summary.lines().next().unwrap().strip_prefix("vm,rate,").unwrap();
    assert!(
        head.ends_with(&format!("rank,{of_summary}")),
        "the measures are named as in the summary: {head}"
    );
    let rows = rows(&output);
    let conditions: Vec<_> =
        rows.chunks(15).map(|rows| (rows[0]["rates"].as_str(), rows[0]["draw"].as_str())).collect();
    let expected = ["'1-6", "'3-4", "'6,2,1"].into_iter().flat_map(|rates| [(rates, "10"), (rates, "4")]);
    assert_eq!(conditions, expected.collect::<Vec<_>>());
    let runs: Vec<_> = rows[..15].iter().map(|row| format!("{}.{}", row["run"], row["vm"])).collect();
    assert_eq!(runs[..4], ["1.0", "1.1", "1.2", "2.0"]);
    let seeds: BTreeSet<_> = rows.iter().map(|row| &row["seed"]).collect();
    assert_eq!((rows.len(), seeds.len()), (90, 30), "every run has a seed of its own");
    let ranks: Vec<_> = rows[60..63].iter().map(|row| row["rank"].as_str()).collect();
    assert_eq!(ranks, ["fastest", "middle", "slowest"]);
    assert!(out.starts_with("6 conditions with 5 runs each, seed 7: complete\n"), "{out}");
    let line = out.lines().find(|line| line.trim_start().starts_with("6,2,1  4 ")).unwrap();
    assert!(line.contains('±') && out.contains("output/condition_1/run_1 and so on, 30 folders"), "{out}");
    assert_eq!(manifest(&output)["status"].as_str(), Some("complete"));
}

#[test]
fn each_run_is_made_again_alone_from_its_own_manifest() {
    let folder = empty_folder();
    sweep(&folder, "rates=1-6 rates=3-4 draw=4 --runs 3 --duration 20 --seed 7 --quiet");
    let run = folder.path().join("output/condition_2/run_3");
    let line = ["--scenario", "output/condition_2/run_3/run.toml", "--output", "again", "--quiet"];
    assert_code(&clocklab(&folder, &line).output().unwrap(), 0);
    let again = folder.path().join("again");
    for name in names(&run).iter().filter(|name| name.ends_with(".csv")) {
        assert_eq!(fs::read(run.join(name)).unwrap(), fs::read(again.join(name)).unwrap(), "{name}");
    }
    let summary = fs::read_to_string(again.join("summary.csv")).unwrap();
    let row = summary.lines().nth(1).unwrap().splitn(3, ',').nth(2).unwrap();
    let in_table = table(&folder.path().join("output")).lines().nth(1 + 3 * 5).unwrap().to_owned();
    assert!(in_table.starts_with("'3-4,4,3,") && in_table.ends_with(row), "{in_table}\n{row}");
}

#[test]
fn a_run_depends_on_no_order_no_thread_and_no_other_condition() {
    let folder = empty_folder();
    let made = |line: &str, output: &str| {
        sweep(&folder, &format!("{line} --runs 2 --duration 10 --seed 7 --quiet --output {output}"));
        rows(&folder.path().join(output))
    };
    let one = made("rates=1-6 rates=3-4 draw=10 draw=4 --threads 1", "one");
    let other = made("draw=4 draw=10 rates=3-4 rates=1-6 --log none", "other");
    let sorted = |mut rows: Vec<BTreeMap<String, String>>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(one.clone()), sorted(other));
    let few = made("rates=3-4 draw=4 draw=5", "few");
    assert!(few[..6].iter().all(|row| one.contains(row)), "{few:?}");
    let all = ["1", "2"].map(|threads| made(&format!("draw=4..6 --log none --threads {threads}"), threads));
    assert_eq!(all[0], all[1]);
    assert_eq!(table(&folder.path().join("1")), table(&folder.path().join("2")));
    let expected = ["experiment.csv", "report.html", "run.toml"].map(str::to_owned);
    assert_eq!(names(&folder.path().join("1")), BTreeSet::from(expected));
}

#[test]
fn a_sweep_that_was_killed_goes_on_with_what_is_missing() {
    let folder = empty_folder();
    let line = "draw=4..6 --runs 3 --duration 10 --seed 7";
    sweep(&folder, line);
    let output = folder.path().join("output");
    let (whole, saved) = (table(&output), fs::read_to_string(output.join("run.toml")).unwrap());
    // As it stands when the process dies: four runs, half of the fifth, and a row that is torn.
    let cut: String = whole.lines().take(1 + 3 * 4 + 1).map(|line| format!("{line}\n")).collect();
    fs::write(output.join("experiment.csv"), cut + "4,2,").unwrap();
    fs::write(output.join("run.toml"), saved.replace("status = \"complete\"", "status = \"running\""))
        .unwrap();
    fs::remove_dir_all(output.join("condition_3")).unwrap();
    let kept = fs::metadata(output.join("condition_1/run_1/run.toml")).unwrap().modified().unwrap();
    let (out, err) = sweep(&folder, &line.replace(" --seed 7", ""));
    assert!(err.contains("Going on with the sweep that was cut short: 4 of 9 runs are there."), "{err}");
    assert!(out.contains("3 conditions with 3 runs each, seed 7: complete"), "{out}");
    assert_eq!(table(&output), whole);
    assert_eq!(fs::metadata(output.join("condition_1/run_1/run.toml")).unwrap().modified().unwrap(), kept);
    assert!(output.join("condition_3/run_3/summary.csv").exists() && !output.join("previous").exists());
    // What is whole, or another sweep, is not gone on with: it is moved, or told where going on was asked for.
    refused(&folder, &format!("{line} --resume"), 1, &["output holds no sweep to go on with", "is complete"]);
    sweep(&folder, line);
    assert_eq!(fs::read_dir(output.join("previous")).unwrap().count(), 1);
    fs::write(output.join("run.toml"), saved.replace("status = \"complete\"", "status = \"interrupted\""))
        .unwrap();
    let other = line.replace("--duration 10", "--duration 11");
    refused(&folder, &format!("{other} --resume"), 1, &["has 10s for 'duration', and asked for is 11s"]);
    refused(&folder, &format!("{} --resume", line.replace("4..6", "4..7")), 1, &["has other conditions"]);
    sweep(&folder, &other);
    assert_eq!(fs::read_dir(output.join("previous")).unwrap().count(), 2);
}

#[test]
fn a_live_sweep_says_how_long_it_takes_and_ends_in_order_at_ctrl_c() {
    let folder = empty_folder();
    let line =
        ["sweep", "rates=50", "rates=100", "--runs", "2", "--duration", "300ms", "--live", "--seed", "7"];
    let output = folder.path().join("output");
    let child = clocklab(&folder, &line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the first run is in the table", || {
        fs::read_to_string(output.join("experiment.csv")).is_ok_and(|text| text.lines().count() > 3)
    });
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let (out, err) = assert_code(&child.wait_with_output().unwrap(), 130);
    assert!(err.contains("4 runs in real time, one after the other: 1 s."), "{err}");
    assert!(err.contains("Interrupted. The runs that were over are in the table"), "{err}");
    assert!(out.contains(": interrupted"), "{out}");
    assert_eq!(manifest(&output)["status"].as_str(), Some("interrupted"));
    let first = table(&output);
    sweep(&folder, &format!("{} --resume", line[1..].join(" ")));
    let whole = table(&output);
    assert!(whole.starts_with(&first), "what was there stays as it is");
    assert_eq!((whole.lines().count(), manifest(&output)["status"].as_str()), (1 + 4 * 3, Some("complete")));
    let rows = rows(&output);
    assert!(rows.iter().all(|row| !row["lateness_mean_ms"].is_empty()), "it was in real time");
}

#[test]
fn files_and_presets_have_conditions_with_names() {
    let folder = empty_folder();
    let plan = "duration = \"10s\"\n\n[wide]\nrates = \"1-6\"\n\n[narrow]\nrates = \"3-4\"\n\n[cut]\npartition = [\"2s-4s:0/1,2\"]\n";
    fs::write(folder.path().join("plan.toml"), plan).unwrap();
    sweep(&folder, "--conditions plan.toml draw=4..5 --runs 2 --quiet");
    let all = rows(&folder.path().join("output"));
    let names: Vec<_> =
        all.chunks(6).map(|rows| format!("{} {}", rows[0]["condition"], rows[0]["draw"])).collect();
    assert_eq!(names, ["wide 4", "wide 5", "narrow 4", "narrow 5", "cut 4", "cut 5"]);
    assert_eq!((all[30]["partition"].as_str(), all[30]["rates"].as_str()), ("'2s-4s:0/1,2", "'1-6"));
    let (list, _) = sweep(&folder, "--preset");
    assert!(
        ["exercise\n", "6,2,1\n", "1,8,8\n", "alike\n", "one-slow\n"].iter().all(|name| list.contains(name))
    );
    let (out, _) = sweep(&folder, "--preset exercise --preset 1,8,8 --runs 2 --duration 10 --output known");
    assert!(out.contains("few internal events") && out.contains("rates 1,8,8"), "{out}");
    assert_eq!(rows(&folder.path().join("known")).len(), 4 * 2 * 3);
    // A sweep's own manifest makes it again.
    sweep(&folder, "--scenario known/run.toml --output again --quiet");
    assert_eq!(table(&folder.path().join("again")), table(&folder.path().join("known")));
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    let folder = empty_folder();
    let check = |line: &str, parts: &[&str]| refused(&folder, line, 2, parts);
    check("", &["no condition is named", "rates=1-6"]);
    check("drew=4", &["there is no setting 'drew'", "did you mean draw?"]);
    check("draw=0", &["invalid value '0' for 'draw'", "from 1"]);
    check("rates", &["invalid argument 'rates'", "NAME=VALUE"]);
    check("rates=1-6 rates=6,2", &["condition rates=6,2", "'6,2' for '--rates'", "each of the 3 machines"]);
    check("draw=4 --draw 5", &["'draw' is given for all conditions with --draw, and varies"]);
    check("seed=1..3", &["'seed' cannot vary"]);
    check("vms=log:10..10000000 --duration 1", &["need about", "of memory"]);
    check("draw=4 --preset none", &["'none' for '--preset'", "exercise"]);
    check("draw=4 --shard 4/3 --seed 1", &["'4/3' for '--shard", "k from 1 to n"]);
    check("draw=4 --shard 1/3", &["--shard needs --seed"]);
    check("processes=1..2", &["processes", "--virtual-time"]);
    check("draw=4 --conditions none.toml", &["cannot read none.toml"]);
    assert!(!folder.path().join("output").exists());
}

#[test]
fn an_earlier_run_moves_aside_and_commands_know_a_sweep() {
    let folder = empty_folder();
    let line = ["--virtual-time", "--duration", "5", "--quiet"];
    assert_code(&clocklab(&folder, &line).output().unwrap(), 0);
    let (_, err) = sweep(&folder, "draw=4..5 --runs 2 --duration 5 --seed 7");
    assert!(err.contains("The earlier run is now in output/previous/"), "{err}");
    let said = |line: &[&str], code| assert_code(&clocklab(&folder, line).output().unwrap(), code);
    let (checked, _) = said(&["check"], 0);
    assert_eq!(checked.lines().filter(|line| line.contains("sound")).count(), 4, "{checked}");
    let (measured, _) = said(&["stats"], 0);
    assert!(measured.contains("95 % interval") && measured.contains("draw"), "{measured}");
    let (_, err) = said(&["order", "0-1", "1-1"], 2);
    assert!(err.contains("name one of them, such as output/condition_1/run_1"), "{err}");
    said(&["check", "output/condition_2"], 0);
    let (_, err) = said(&line, 0);
    assert!(err.is_empty() && folder.path().join("output/summary.csv").exists());
    assert!(!folder.path().join("output/condition_1").exists(), "a run moves a sweep aside");
}

#[test]
fn shards_make_the_same_table_together() {
    let folder = empty_folder();
    let line = "draw=4..6 rates=1-6 rates=3-4 --runs 3 --duration 10 --seed 7 --quiet";
    sweep(&folder, &format!("{line} --output whole"));
    for (shard, log) in [("2/3", "--log none"), ("3/3", ""), ("1/3", "")] {
        sweep(&folder, &format!("{line} {log} --shard {shard} --output part{}", &shard[..1]));
        assert_eq!(rows(&folder.path().join(format!("part{}", &shard[..1]))).len(), 6 * 3);
    }
    let merge = |parts: &str, code: i32| {
        let line: Vec<&str> = std::iter::once("merge").chain(parts.split(' ')).collect();
        assert_code(&clocklab(&folder, &line).output().unwrap(), code)
    };
    let (out, err) = merge("part3 part1 part2 --output together", 0);
    assert!(
        out.starts_with("6 conditions with 3 runs each, seed 7: complete\n") && err.is_empty(),
        "{out}{err}"
    );
    let (whole, together) = (folder.path().join("whole"), folder.path().join("together"));
    assert_eq!(
        fs::read(together.join("experiment.csv")).unwrap(),
        fs::read(whole.join("experiment.csv")).unwrap()
    );
    let files = |folder: &Path| manifest(folder)["files"].clone();
    assert_eq!(
        (files(&together), &manifest(&together)["sweep"]),
        (files(&whole), &manifest(&whole)["sweep"])
    );
    // Runs that were logged are there as they were, and can be looked at.
    let log = "condition_1/run_1/summary.csv";
    assert_eq!(
        fs::read(together.join(log)).unwrap(),
        fs::read(folder.path().join("part1").join(log)).unwrap()
    );
    assert!(out.contains("and so on, 12 folders"), "{out}");
    assert_code(&clocklab(&folder, &["check", "together/condition_1"]).output().unwrap(), 0);

    let (_, err) = merge("part1 part3 --output gap", 1);
    assert!(err.contains("6 runs of 18 are in none of the folders: run 2 of draw=4 rates=1-6,"), "{err}");
    assert!(err.contains("; not here: shard 2/3"), "{err}");
    let (_, err) = merge("part1 part2 part3 part2 --output twice", 0);
    assert!(err.contains("note: 6 runs were in several folders, the same in all of them"), "{err}");
    let (_, err) = merge("part1 part2 part3 --output part3", 1);
    assert!(err.contains("part3 is one of the folders that are merged"), "{err}");
    sweep(&folder, &line.replace("--seed 7", "--seed 8 --shard 2/3 --output other"));
    let (_, err) = merge("part1 other part3 --output mixed", 1);
    assert!(err.contains("part1 and other are shares of different sweeps"), "{err}");
    assert!(err.contains("the first has 7 for --seed, the second 8"), "{err}");
    let (_, err) = merge("part1 nowhere --output mixed", 1);
    assert!(err.contains("nowhere holds no sweep: there is no run.toml"), "{err}");
    // Somebody has changed a number.
    let table = fs::read_to_string(folder.path().join("part2/experiment.csv")).unwrap();
    fs::create_dir(folder.path().join("changed")).unwrap();
    fs::copy(folder.path().join("part2/run.toml"), folder.path().join("changed/run.toml")).unwrap();
    let row = table.lines().nth(1).unwrap();
    fs::write(folder.path().join("changed/experiment.csv"), table.replace(row, &(row.to_owned() + "9")))
        .unwrap();
    let (_, err) = merge("part1 part2 part3 changed --output mixed", 1);
    assert!(
        err.contains("run 2 of draw=4 rates=1-6 is in part2 and in changed, and not the same in both"),
        "{err}"
    );
    assert!(["gap", "mixed"].iter().all(|name| !folder.path().join(name).exists()), "nothing was written");
}

#[test]
fn launchers_give_each_its_shard() {
    let folder = empty_folder();
    let made = |variables: &[(&str, &str)], shard: &str| {
        let line = [
            "sweep",
            "draw=4..6",
            "--runs",
            "2",
            "--duration",
            "5",
            "--seed",
            "7",
            "--quiet",
            "--shard",
            shard,
        ];
        let mut command = clocklab(&folder, &line);
        for name in ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "PARALLEL_SEQ"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let slurm =
        [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_MIN", "0"), ("SLURM_ARRAY_TASK_COUNT", "3")];
    assert_code(&made(&slurm, "auto"), 0);
    assert_eq!(manifest(&folder.path().join("output"))["sweep"]["shard"].as_str(), Some("3/3"));
    assert_code(&made(&[("JOB_COMPLETION_INDEX", "1")], "auto/6"), 0);
    assert_eq!(rows(&folder.path().join("output")).len(), 3);
    let (_, err) = assert_code(&made(&[], "auto"), 2);
    assert!(err.contains("invalid value 'auto' for '--shard': no launcher tells"), "{err}");
}

#[test]
fn a_sweep_has_a_page_with_its_conditions_and_some_of_its_runs() {
    let folder = empty_folder();
    let line = "rates=1-6 rates=6,2,1 draw=10 draw=4 --runs 6 --duration 10 --seed 7";
    let page = folder.path().join("output/report.html");
    let (_, err) = sweep(&folder, &format!("{line} --report off"));
    assert!(err.is_empty() && !page.exists(), "{err}");
    let printed = assert_code(&clocklab(&folder, &["report"]).output().unwrap(), 0).0;
    assert_eq!(printed, "output/report.html\n");
    let html = fs::read_to_string(&page).unwrap();
    let has = |part: &str| assert!(html.contains(part), "{part}");
    let parts =
        ["4 conditions, 24 runs, seed 7", "<h3>What rates does</h3>", "<h3>What draw does</h3>", "slowest"];
    parts.into_iter().for_each(has);
    has("clocklab sweep --scenario output/run.toml");
    assert_eq!(html.matches("<section class=\"run\">").count(), 20, "as many as it has room for");
    (1..=4).for_each(|condition| has(&format!("output/condition_{condition}/run_5</option>")));
    assert!(!html.contains("run_6</option>"));
    let intervals = html.split("<h3>Conditions</h3>").nth(1).unwrap().split("</table>").next().unwrap();
    assert_eq!(intervals.matches('±').count(), 4 * 6);
    // The runs of a condition are a series, whose page tells of each run what its machines' rates are.
    assert_code(&clocklab(&folder, &["report", "output/condition_3"]).output().unwrap(), 0);
    let series = fs::read_to_string(folder.path().join("output/condition_3/report.html")).unwrap();
    assert_eq!(series.matches("<td>6, 2, 1</td>").count(), 6);
    // Of a sweep without logs there is all but the runs, and what was asked for is told where it cannot be had.
    let (_, err) = sweep(&folder, &format!("{line} --log none --report on --output none"));
    assert_eq!(err, "Open none/report.html in a browser to look at it.\n");
    let html = fs::read_to_string(folder.path().join("none/report.html")).unwrap();
    assert!(html.contains("<h3>Conditions</h3>") && !html.contains("<section class=\"run\">"));
    let (_, err) = assert_code(&clocklab(&folder, &["report", "none", "--notebook"]).output().unwrap(), 2);
    assert!(err.contains("--notebook goes with a run or a series, and none holds a sweep"), "{err}");
    fs::write(folder.path().join("none/report.html"), "mine").unwrap();
    let (_, err) = assert_code(&clocklab(&folder, &["report", "none"]).output().unwrap(), 2);
    assert!(err.contains("is no page of clocklab report and is not replaced"), "{err}");
}
