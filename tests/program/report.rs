//! The report, looked at as a reader does; `page.rs` looks at it in a browser.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clocklab::edge::log::{Found, LogFolder, find};

fn clocklab(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(folder).args(line.split_whitespace()).output().unwrap()
}

/// Does what must succeed, and gives what was printed.
fn done(folder: &Path, line: &str) -> String {
    let done = clocklab(folder, line);
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn page(folder: &Path, line: &str) -> String {
    done(folder, &format!("--quiet --virtual-time {line}"));
    done(folder, "report");
    fs::read_to_string(folder.join("output/report.html")).unwrap()
}

fn found(folder: &Path) -> LogFolder {
    let Found::Run(found) = find(folder).unwrap() else { panic!("one run") };
    *found
}

/// The data of a page's first run.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("class=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn text_from_logs_shows_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "</script><script>document.title='broken'</script><!--";
    let log = format!(
        "vm,event,kind,elapsed_s,lamport,peers,message,payload\n0,1,send,1,1,1,0-1,{evil}\n1,1,receive,2,2,0,0-1,{evil}\n\
         1,2,internal,3,9,,,\n"
    );
    fs::write(folder.path().join("<b>story.csv"), log).unwrap();
    assert_eq!(done(folder.path(), "report <b>story.csv").trim(), "report.html");
    let path = folder.path().join("report.html");
    let page = fs::read_to_string(&path).unwrap();
    assert!(!page.contains("<script>document") && !page.contains("<b>story"));
    assert_eq!(data(&page)["rows"][0]["x"]["0"][2], evil);
    // The fault is told on the page, with the file's name as text.
    assert!(page.contains("The log has 1 fault") && page.contains("&lt;b&gt;story.csv:4"), "{page}");
}

#[test]
fn the_page_needs_nothing_else_and_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let small = page(folder.path(), "--seed 1");
    assert!(small.len() < 1_000_000, "{}", small.len());
    let elsewhere = small.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("http:") && !elsewhere.contains("https:") && !elsewhere.contains(" src="));
    assert!(small.contains("<code>clocklab --seed 1 --virtual-time</code>"));
    assert!(small.contains("The log is sound"));
    let large = page(folder.path(), "--seed 1 --vms 100");
    assert!(large.len() < 5_000_000, "{}", large.len());
    assert_eq!(data(&large)["whole"], true);
}

#[test]
fn the_rows_in_the_page_are_those_of_the_logs() {
    let folder = tempfile::tempdir().unwrap();
    let page =
        page(folder.path(), "--seed 8 --vms 5 --duration 20 --draw 4 --loss 0.1 --duplicate 0.1 --skew 1s");
    let rows = &data(&page)["rows"];
    let sums = |column: &serde_json::Value| -> Vec<i64> {
        let mut sum = 0;
        let add = |value: &serde_json::Value| {
            sum += value.as_i64().unwrap();
            sum
        };
        column.as_array().unwrap().iter().map(add).collect()
    };
    for (vm, log) in found(&folder.path().join("output")).logs.iter().enumerate() {
        let mut reader = csv::Reader::from_path(&log.path).unwrap();
        let logged: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
        let column = |name: &str| -> Vec<String> { logged.iter().map(|row| row[name].clone()).collect() };
        let texts = |values: Vec<i64>| values.iter().map(i64::to_string).collect::<Vec<_>>();
        assert_eq!(texts(sums(&rows[vm]["l"])), column("lamport"));
        assert_eq!(texts(sums(&rows[vm]["e"])), column("event"));
        let nanos = |text: &String| text.replace('.', "").parse::<i64>().unwrap();
        assert_eq!(sums(&rows[vm]["t"]), column("elapsed_s").iter().map(nanos).collect::<Vec<_>>());
        let flat: Vec<i64> = rows[vm]["v"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
        let mut vector = vec![0; usize::try_from(flat[0]).unwrap()];
        let mut at = 1;
        for logged in column("vector") {
            vector[vm] += 1;
            let (count, first) = (usize::try_from(flat[at]).unwrap(), at + 1);
            for change in flat[first..first + 2 * count].chunks(2) {
                vector[usize::try_from(change[0]).unwrap()] += change[1];
            }
            at = first + 2 * count;
            assert_eq!(vector, serde_json::from_str::<Vec<i64>>(&logged).unwrap());
        }
    }
}

#[test]
fn many_events_are_windowed_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path(), "--seed 1 --vms 300 --duration 60 --rates 3 --clocks lamport");
    assert!(page.contains("It has lines for the first 200 machines only"));
    assert!(page.contains("It shows the first") && page.contains("clocklab report --window"));
    let data = data(&page);
    assert_eq!((&data["whole"], &data["causes"]), (&false.into(), &false.into()));
    done(folder.path(), "report --window 20s-21s");
    let page = fs::read_to_string(folder.path().join("output/report.html")).unwrap();
    assert!(page.contains("It shows 600 of 54\u{202f}000 events."));
    for window in ["20s", "21s-20s", "x-y"] {
        assert_eq!(clocklab(folder.path(), &format!("report --window {window}")).status.code(), Some(2));
    }
}

#[test]
fn files_of_a_report_go_where_its_run_goes_and_replace_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    page(path, "--seed 1 --duration 5");
    let written = done(path, "report --svg --notebook");
    assert!(written.lines().any(|line| line == "output/report_clock.svg"), "{written}");
    let notebook = fs::read_to_string(path.join("output/notebook.md")).unwrap();
    assert!(notebook.contains("](report_drift.svg)") && notebook.contains("How large are the jumps"));
    let again = clocklab(path, "report --notebook");
    assert!(String::from_utf8_lossy(&again.stderr).contains("perhaps with words of yours"));
    done(path, "--quiet --virtual-time --seed 2 --duration 5 --report off");
    assert!(!path.join("output/report.html").exists() && !path.join("output/notebook.md").exists());

    fs::write(path.join("mine.html"), "my own").unwrap();
    let refused = clocklab(path, "report --out mine.html");
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(fs::read_to_string(path.join("mine.html")).unwrap(), "my own");
    assert_eq!(done(path, "report --out other.html"), "other.html\n");
    assert_eq!(done(path, "report --out other.html"), "other.html\n");
}

#[test]
fn a_small_run_leaves_its_page_and_a_large_one_only_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let page = path.join("output/report.html");
    let told = |line: &str| {
        let done = clocklab(path, &format!("--virtual-time --seed 3 {line}"));
        assert_eq!(done.status.code(), Some(0), "{line}");
        String::from_utf8(done.stderr).unwrap()
    };
    assert_eq!(told("--duration 5"), "Open output/report.html in a browser to look at it.\n");
    let first = fs::read_to_string(&page).unwrap();
    assert!(first.contains("The log is sound") && data(&first)["whole"] == true);
    done(path, "report");
    assert_eq!(fs::read_to_string(&page).unwrap(), first, "it is the page that clocklab report makes");
    told("--duration 5 --threads 2");
    let timeless = |page: &str| page.split(" · ").filter(|part| !part.ends_with(" UTC")).collect::<String>();
    let again = fs::read_to_string(&page).unwrap();
    assert!(timeless(&again) == timeless(&first), "the same run has the same page");
    for (line, is_made) in [
        ("--duration 5 --quiet", true),
        ("--duration 5 --quiet --report off", false),
        ("--duration 5 --quiet --log none", false),
        ("--rates 60 --duration 150 --clocks lamport --quiet", false),
        ("--rates 60 --duration 150 --clocks lamport --quiet --report on", true),
        ("--duration 5 --runs 2 --quiet", true),
    ] {
        assert_eq!((told(line).as_str(), page.exists()), ("", is_made), "{line}");
    }
    let moved = fs::read_dir(path.join("output/previous")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(moved.filter(|run| run.join("report.html").exists()).count(), 4, "pages go with their runs");
}

#[test]
fn a_page_that_cannot_be_made_costs_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (line, word) in [("--log none", "none"), ("--nodes localhost:1,localhost:2 --node 0", "DIR0 DIR1")] {
        let refused = clocklab(path, &format!("--report on {line}"));
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.contains("invalid value 'on' for '--report'") && told.contains(word), "{told}");
    }
    assert!(!path.join("output").exists());
    fs::create_dir(path.join("output")).unwrap();
    fs::write(path.join("output/report.html"), "my own").unwrap();
    for (line, code) in [("", 0), (" --report on", 1)] {
        let ran = clocklab(path, &format!("--quiet --virtual-time --duration 5{line}"));
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(code), "{told}");
        assert!(told.lines().count() == 1 && told.contains("report.html is no page of clocklab"), "{told}");
        assert_eq!(fs::read_to_string(path.join("output/report.html")).unwrap(), "my own");
        let manifest = fs::read_to_string(path.join("output/run.toml")).unwrap();
        assert!(manifest.starts_with("status = \"complete\""), "{manifest}");
    }
}

#[test]
fn the_page_has_what_stats_measures_and_what_theory_expects() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path(), "--seed 42 --rates 6,3,1");
    let stats: serde_json::Value = serde_json::from_str(&done(folder.path(), "stats --format json")).unwrap();
    let (machine, whole) = (&stats[0]["machines"][2], &stats[0]["whole"]);
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let (clock, expected) = (number(&machine["clock"]), number(&machine["clock_expected"]));
    assert!(page.contains(&format!("<td>{expected:.0}</td><td>{clock:.0}</td>")), "{expected} {clock}");
    let (queue, grows) = (number(&machine["queue_expected"]), number(&machine["queue_per_minute"]));
    assert!(page.contains(&format!("<td>{queue:.2}</td><td>{grows:.2}</td>")), "{queue} {grows}");
    let share = 100.0 * number(&whole["concurrent_share"]);
    assert!(page.contains(&format!("<dd>{share:.1} %</dd>")), "{share}");
    let warning = stats[0]["warnings"][0].as_str().unwrap().replacen("machine", "Machine", 1);
    assert!(page.contains(&warning.replace('\'', "&#39;")), "{warning}");
    assert!(page.contains("class=\"dashed s2\""), "the saturated machine's expected clock");

    let (line, why) = ("--workload client-server --duration 5", "it is for the scale model alone");
    assert!(self::page(folder.path(), line).contains(why));
}

#[test]
fn the_readmes_pictures_are_what_its_command_makes() {
    let folder = tempfile::tempdir().unwrap();
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let line = "--virtual-time --rates 6,3,1 --seed 42";
    assert!(readme.contains(&format!("`clocklab {line}` and then `clocklab report --svg`")));
    done(folder.path(), &format!("--quiet {line}"));
    done(folder.path(), "report --svg");
    let kept = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".readme")).unwrap();
    let kept = kept.map(|entry| entry.unwrap().path());
    for picture in kept.filter(|file| file.extension().is_some_and(|it| it == "svg")) {
        let name = picture.file_name().unwrap();
        assert!(readme.contains(&format!(".readme/{}", name.display())), "{}", name.display());
        let made = fs::read_to_string(folder.path().join("output").join(name)).unwrap();
        assert!(made == fs::read_to_string(&picture).unwrap(), "{} is not what is made", picture.display());
        assert!(made.len() < 30_000, "{}", name.display());
    }
}

#[test]
fn several_runs_stand_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path(), "--seed 1 --duration 10 --runs 3 --rates 6,3,1");
    assert!(page.contains("3 runs of 3 machines, seed 1") && page.contains("Runs side by side"));
    assert!(
        page.contains("<code>clocklab --duration 10s --rates 6,3,1 --seed 1 --virtual-time --runs 3</code>")
    );
    assert!(page.contains("The logs of all runs are sound"));
    let stats = done(folder.path(), "stats --format csv");
    let clocks: Vec<f64> = csv::Reader::from_reader(stats.as_bytes())
        .deserialize::<BTreeMap<String, String>>()
        .map(Result::unwrap)
        .filter(|row| row["vm"] == "2")
        .map(|row| row["clock"].parse().unwrap())
        .collect();
    let mean = clocks.iter().sum::<f64>() / 3.0;
    let deviation = (clocks.iter().map(|clock| (clock - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert!(page.contains(&format!("<td>{mean:.1} ±{deviation:.1}</td>")), "{mean} ±{deviation}");
    assert_eq!(page.matches("<section class=\"run\">").count(), 3);
    done(folder.path(), "report --notebook");
    let notebook = fs::read_to_string(folder.path().join("output/notebook.md")).unwrap();
    assert!(notebook.contains("](run_2/report_queue.svg)"), "{notebook}");
    assert!(notebook.contains("](report_queue.svg)"), "{notebook}");
    for name in ["report_queue.svg", "run_2/report_space_time.svg"] {
        assert!(folder.path().join("output").join(name).exists(), "{name}");
    }
}

#[test]
fn a_machine_that_is_down_has_a_bar_on_its_line_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let line = "--seed 4 --rates 3 --duration 12 --crash 2s-4s:1 --crash 5500ms-7s:1 --crash 9s-30s:2";
    let page = page(folder.path(), line);
    assert_eq!(data(&page)["down"], serde_json::json!({"1": [[2, 4], [5.5, 7]], "2": [[9, 30]]}));
    assert!(page.contains("Where there is a bar on its line, the machine is down."));
    assert!(page.contains("it is not for machines that are down for a while"));
    assert!(page.contains("The log is sound"));
    done(folder.path(), "report --svg");
    let picture = fs::read_to_string(folder.path().join("output/report_space_time.svg")).unwrap();
    assert!(
        picture.contains("<title>VM 1 is down, 5.5 s to 7 s</title>")
            && picture.contains("the machine is down.")
    );
    assert_eq!(picture.matches("class=\"down\"").count(), 3);
    assert!(!picture.contains("class=\"cross\""), "nothing is drawn as lost");
}
