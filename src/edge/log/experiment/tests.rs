//! The table of a sweep: whatever order runs end in, gone on with, read back, and refused where it is another's.

use super::*;
use crate::model::registry::Registry;
use crate::model::scenario::Settings;

fn experiment() -> Experiment {
    let arguments = ["rates=1-6", "rates=6,6,1", "draw=4"].map(str::to_owned);
    let shared: Settings = toml::from_str("runs = 3\nvirtual-time = true").unwrap();
    Experiment::new(&arguments, Vec::new(), (&shared, &shared), Seed(5), &Registry::default()).unwrap()
}

/// The rows of a run in which each machine has made as many events as the place says.
fn rows(experiment: &Experiment, place: u64) -> ExperimentRows {
    let (index, run) = experiment.at(place);
    let condition = &experiment.conditions()[index];
    let scenario = condition.scenario().with_seed(condition.seed(run));
    let mut accounts: Vec<Account> = scenario.ids().map(|vm| scenario.untouched(vm)).collect();
    accounts.iter_mut().for_each(|account| account.tally.events = place);
    ExperimentRows::of(experiment, index, run, condition.seed(run), &accounts).unwrap()
}

fn write(folder: &Path, order: &[u64], known: &RunsByPlace) -> FileEntry {
    let experiment = experiment();
    let expected = (0..6).filter(|place| !known.contains_key(place)).collect();
    let mut table = ExperimentTable::create(folder, &experiment, expected, known).unwrap();
    for place in order {
        table.put(*place, rows(&experiment, *place)).unwrap();
    }
    table.finish(&experiment).unwrap()
}

#[test]
fn the_table_is_the_same_in_whatever_order_runs_end() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let none = RunsByPlace::new();
    let entries =
        [write(one.path(), &[0, 1, 2, 3, 4, 5], &none), write(other.path(), &[5, 3, 1, 0, 2, 4], &none)];
    assert_eq!(entries[0], entries[1]);
    let text = |folder: &tempfile::TempDir| fs::read_to_string(folder.path().join(EXPERIMENT)).unwrap();
    assert_eq!(text(&one), text(&other));
    assert!(text(&one).starts_with("rates,draw,run,seed,vm,rate,rank,events,"), "{}", text(&one));
    assert_eq!((entries[0].rows, entries[0].bytes), (18, text(&one).len() as u64));
}

#[test]
fn what_was_there_is_gone_on_with() {
    let experiment = experiment();
    let whole = tempfile::tempdir().unwrap();
    let expected = write(whole.path(), &[0, 1, 2, 3, 4, 5], &RunsByPlace::new());
    // What was written before the end came: a run before its turn, and a torn row.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(EXPERIMENT);
    let mut table =
        ExperimentTable::create(folder.path(), &experiment, (0..6).collect(), &RunsByPlace::new()).unwrap();
    [0, 4].into_iter().for_each(|place| table.put(place, rows(&experiment, place)).unwrap());
    drop(table.finish(&experiment).unwrap());
    let cut = rows(&experiment, 1).text;
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&cut[..cut.len() - 5]).unwrap();
    let known = read_runs(&path, &experiment).unwrap();
    assert_eq!(known.keys().copied().collect::<Vec<_>>(), [0, 4]);
    assert_eq!(write(folder.path(), &[5, 2, 1, 3], &known), expected);
    assert_eq!(fs::read(&path).unwrap(), fs::read(whole.path().join(EXPERIMENT)).unwrap());
}

#[test]
fn its_numbers_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[0, 1, 2, 3, 4, 5], &RunsByPlace::new());
    let saved = read_experiment(&folder.path().join(EXPERIMENT)).unwrap();
    assert_eq!(
        (saved.columns.join(" "), saved.rows.len(), saved.has_names()),
        ("rates draw".into(), 18, false)
    );
    let last = &saved.rows[15];
    assert_eq!((last.cells.join(" "), last.run, last.vm.0), ("6,6,1 4".into(), 3, 0));
    assert_eq!((last.rank, saved.rows[17].rank), (Rank::Fastest, Rank::Slowest));
    assert_eq!(last.values[0], Some(5.0));
}

#[test]
fn tables_of_other_sweeps_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(EXPERIMENT);
    write(folder.path(), &[0], &RunsByPlace::new());
    let text = fs::read_to_string(&path).unwrap();
    let check = |text: &str, why: &str| {
        fs::write(&path, text).unwrap();
        let error = read_runs(&path, &experiment()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    check(&text.replace("rates,draw", "draw,rates"), "its columns are not rates,draw,run,");
    check(&text.replace("'1-6,4,1,", "'1-6,4,9,"), "line 2 is of no run of it");
    check(&text.replace("'1-6,4,1,", "'1-6,4,2,"), "line 2 is of no run of it, by its condition, run, seed");
    check(
        &(text.clone() + &text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()),
        "more rows than machines of run 1",
    );
    fs::write(&path, "a,b\n1,2\n").unwrap();
    assert!(
        read_experiment(&path).unwrap_err().to_string().contains("it has no columns run,seed,vm,rate,rank")
    );
}
