//! Every clock that there is, through the program: a test here names none of them, and a further one is tested with the rest.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clocklab::clock::{ClockList, kinds};
use clocklab::edge::log::columns;

fn clocklab(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(folder).args(line.split_whitespace()).output().unwrap()
}

#[track_caller]
fn succeeds(folder: &Path, line: &str) -> String {
    let output = clocklab(folder, line);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {told}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

/// All clocks in the order of the registry, as a flag has them.
fn all() -> String {
    kinds().iter().map(|kind| kind.name).collect::<Vec<_>>().join(",")
}

/// Those that are right in any network.
fn hardy() -> String {
    kinds().iter().filter(|kind| !kind.needs_order).map(|kind| kind.name).collect::<Vec<_>>().join(",")
}

fn list() -> ClockList {
    all().parse().unwrap()
}

fn header() -> String {
    let names: Vec<String> = columns(&list()).into_iter().map(|column| column.name().into_owned()).collect();
    names.join(",")
}

/// The logs of the machines, by name.
fn logs(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder.join("output")).unwrap().map(|entry| entry.unwrap());
    let logs = entries.filter(|entry| crate::common::is_log(entry.file_name().to_str().unwrap()));
    let mut logs: Vec<_> = logs
        .map(|log| (log.file_name().into_string().unwrap(), fs::read_to_string(log.path()).unwrap()))
        .collect();
    logs.sort();
    logs
}

#[test]
fn every_clock_is_kept_in_virtual_time_and_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "--virtual-time --vms 5 --duration 20 --seed 7 --skew 50ms --latency 1ms-900ms --duplicate 0.1 --clocks {} --quiet",
        all()
    );
    succeeds(folder.path(), &format!("{line} --threads 1"));
    let first = logs(folder.path());
    assert!(first.iter().all(|(_, text)| text.lines().next() == Some(header().as_str())), "{}", header());
    succeeds(folder.path(), "check");
    let stats = succeeds(folder.path(), "stats");
    assert!(stats.contains("lamport_stamp_bytes"), "{stats}");
    succeeds(folder.path(), &format!("{line} --threads 3"));
    assert_eq!(logs(folder.path()), first, "the same bytes on any number of threads");
    succeeds(folder.path(), "--quiet --scenario output/run.toml");
    assert_eq!(logs(folder.path()), first, "and by the manifest");
}

#[test]
fn clocks_are_sound_in_a_network_that_errs() {
    let folder = tempfile::tempdir().unwrap();
    let faults = "--latency 1ms-900ms --fifo off --loss 0.1 --duplicate 0.1 --partition 3s-6s:0,1/2,3,4";
    let line = format!("--virtual-time --vms 5 --duration 20 --seed 7 --skew 2s {faults} --quiet");
    succeeds(folder.path(), &format!("{line} --clocks {}", hardy()));
    succeeds(folder.path(), "check");
}

#[test]
fn what_needs_every_message_in_order_is_refused_where_it_may_not_get_them() {
    let folder = tempfile::tempdir().unwrap();
    for kind in kinds().iter().filter(|kind| kind.needs_order) {
        for (flags, setting) in [
            ("--fifo off", "fifo"),
            ("--loss 0.1", "loss"),
            ("--partition 1s-2s:0/1", "partition"),
            ("--processes 2 --resume", "resume"),
        ] {
            let output = clocklab(folder.path(), &format!("--duration 1 --clocks {} {flags}", kind.name));
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{flags}: {told}");
            assert!(told.contains(kind.name) && told.contains(setting), "{flags}: {told}");
        }
    }
    assert!(!folder.path().join("output").exists(), "nothing was started");
}

/// Two machines of two processes tell each other in each clock's own form.
#[test]
fn every_clock_travels_between_processes() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("--vms 4 --processes 2 --duration 1 --rates 30 --clocks {} --quiet", all());
    succeeds(folder.path(), &line);
    succeeds(folder.path(), "check");
}

#[test]
fn a_number_that_outgrows_a_cell_is_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = clocklab(folder.path(), "--virtual-time --vms 100 --rates 6 --duration 60 --clocks prime");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("digits") && told.contains("--clocks"), "{told}");
    assert!(!folder.path().join("output").exists(), "nothing was started");
}

/// Without a manifest nobody knows how many machines there were.
#[test]
fn every_clock_is_sound_without_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("--virtual-time --vms 3 --duration 20 --seed 5 --clocks {} --quiet", all());
    succeeds(folder.path(), &line);
    fs::remove_file(folder.path().join("output/run.toml")).unwrap();
    succeeds(folder.path(), "check");
}

#[test]
fn every_clock_is_kept_live_and_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("--vms 4 --duration 1 --rates 30 --clocks {} --log combined --quiet", all());
    succeeds(folder.path(), &line);
    succeeds(folder.path(), "check");
    let summary = fs::read_to_string(folder.path().join("output/summary.csv")).unwrap();
    let mut lines = csv::Reader::from_reader(summary.as_bytes());
    let names = lines.headers().unwrap().clone();
    for row in lines.records().map(Result::unwrap) {
        for column in list().iter().flat_map(|spec| spec.columns().collect::<Vec<_>>()) {
            let place = names.iter().position(|name| name == column);
            let cell = place.and_then(|place| row.get(place)).unwrap_or_default();
            assert!(!cell.is_empty(), "{column}: {summary}");
        }
    }
    for format in ["csv", "jsonl", "xlsx", "perfetto"] {
        succeeds(folder.path(), &format!("export --format {format} --out out.{format}"));
    }
    let again = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(again.lines().next(), Some(header().as_str()));
}

#[test]
fn the_order_is_that_of_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let backwards: Vec<&str> = kinds().iter().rev().map(|kind| kind.name).collect();
    let line = format!("--virtual-time --duration 5 --clocks {} --quiet", backwards.join(","));
    succeeds(folder.path(), &line);
    succeeds(folder.path(), "check");
    let list: ClockList = backwards.join(",").parse().unwrap();
    let others = list.iter().filter(|spec| !spec.is_standard).map(ToString::to_string);
    let expected = std::iter::once("mark".to_owned()).chain(others).collect::<Vec<_>>().join(",");
    for (_, text) in logs(folder.path()) {
        let header = text.lines().next().unwrap();
        assert!(header.ends_with(&expected), "{header}");
    }
}

#[test]
fn a_value_that_does_not_follow_is_a_fault_of_its_clock() {
    let folder = tempfile::tempdir().unwrap();
    let line =
        format!("--virtual-time --vms 3 --duration 20 --seed 3 --clocks {} --quiet --report off", all());
    succeeds(folder.path(), &line);
    let path = folder.path().join("output").join(&logs(folder.path())[1].0);
    let text = fs::read_to_string(&path).unwrap();
    for spec in list().iter() {
        let column = spec.columns().next().unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let place = header.iter().position(|name| name == column).unwrap();
        let mut rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let middle = rows.len() / 2;
        let raised = |cell: &str| {
            let at = cell.find(|char: char| char.is_ascii_digit()).unwrap();
            format!("{}9{}", &cell[..at], &cell[at..])
        };
        let cells = rows[middle].iter().enumerate();
        rows[middle] =
            cells.map(|(at, cell)| if at == place { raised(cell) } else { cell.to_owned() }).collect();
        let mut writer = csv::Writer::from_path(&path).unwrap();
        writer.write_record(&header).unwrap();
        rows.iter().for_each(|row| writer.write_record(row).unwrap());
        writer.flush().unwrap();
        let output = clocklab(folder.path(), "check");
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{spec}: {told}");
        let is_told = |line: &str| {
            line.contains(&format!("column {column}")) && line.ends_with(&format!("[{}]", spec.title))
        };
        assert!(told.lines().any(is_told), "{spec}: {told}");
        fs::write(&path, &text).unwrap();
    }
    succeeds(folder.path(), "check");
}

#[test]
fn an_unknown_clock_is_refused_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let output = clocklab(folder.path(), "--clocks lamport,sundial");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(kinds().iter().all(|kind| told.contains(kind.name)) && told.contains("sundial"), "{told}");
    let help = succeeds(folder.path(), "--help");
    assert!(kinds().iter().all(|kind| help.contains(&format!("- {}", kind.name))), "{help}");
}

/// The table of clocks that users read.
#[test]
fn the_reference_has_every_clock() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".readme/options.md");
    let reference = fs::read_to_string(path).unwrap();
    let rows: String = kinds()
        .iter()
        .map(|kind| {
            let parameters = kind.parameters.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            format!(
                "| `{}` | {} | {} | {} | {} |\n",
                kind.name, kind.rule, kind.promise, parameters, kind.source
            )
        })
        .collect();
    let table = format!("| clock | rule | promise | parameters | source |\n|---|---|---|---|---|\n{rows}");
    assert!(reference.contains(&table), ".readme/options.md should have:\n{table}");
    let usual = format!("| {} |", ClockList::standard());
    let row = reference.lines().find(|line| line.starts_with("| `--clocks LIST`")).unwrap();
    assert!(row.ends_with(&usual), "{row}");
}
