//! Inputs that have no end, are no files, or are longer than they can be: each is told, none keeps the program
//! waiting, and none takes more memory than there is.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::common::names;
use crate::common::program::{assert_code, clocklab, empty_folder, wait_until};

/// The address space that the program may take here, in KiB: less than the longest line.
const MEMORY: u64 = 700_000;

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a line of shell in the folder, in which `clocklab` is the program with little memory, until it ends by
/// itself. Gives its exit code and what it said.
fn limited(folder: &TempDir, line: &str) -> (i32, String) {
    let script = format!("clocklab() {{ ( ulimit -v {MEMORY}; exec \"$PROGRAM\" \"$@\" ); }}; {line}");
    let mut child = Command::new("bash")
        .args(["-c", &script])
        .env("PROGRAM", env!("CARGO_BIN_EXE_clocklab"))
        .env("RUST_BACKTRACE", "0")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = [read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap())];
    let mut child = Ended(child);
    let mut code = None;
    wait_until(line, || {
        code = child.0.try_wait().unwrap();
        code.is_some()
    });
    let said: String = said.map(|reader| reader.join().unwrap()).concat();
    (code.unwrap().code().unwrap_or(-1), said)
}

fn read(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut said = Vec::new();
        pipe.read_to_end(&mut said).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    })
}

#[track_caller]
fn refused(folder: &TempDir, line: &str, code: i32, parts: &[&str]) {
    let (found, said) = limited(folder, line);
    assert!(found == code && parts.iter().all(|part| said.contains(part)), "{line}: {found} {said}");
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A run in virtual time in a folder of that name.
fn made(clocks: &str) -> TempDir {
    let folder = empty_folder();
    let line = format!("--virtual-time --seed 1 -d 5 -q --rates 6,2,1 --clocks {clocks}");
    let words: Vec<&str> = line.split(' ').collect();
    assert_code(&clocklab(&folder, &words).output().unwrap(), 0);
    folder
}

#[test]
fn a_scenario_is_a_file_or_a_pipe_with_an_end() {
    let folder = empty_folder();
    refused(&folder, "clocklab --scenario /dev/zero", 2, &["/dev/zero", "it is a device, not a file"]);
    refused(&folder, "clocklab --scenario .", 2, &["cannot read .", "it is a folder, not a file"]);
    let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
    refused(&folder, "clocklab --scenario socket", 2, &["cannot read socket", "it is a socket, not a file"]);
    refused(
        &folder,
        "yes 'vms = 3 #' | clocklab --scenario /dev/stdin",
        2,
        &["/dev/stdin", "it is longer than 64 MB, the most that it can be"],
    );
    // Zeros without an end, and more of them than there is memory for.
    File::create(folder.path().join("zeros")).unwrap().set_len(1 << 30).unwrap();
    refused(
        &folder,
        "clocklab --scenario zeros",
        2,
        &["cannot read zeros", "it has a zero byte, so it is no text"],
    );
    refused(&folder, "clocklab --scenario <(head -c 100000 /dev/zero)", 2, &["it has a zero byte"]);
    fs::write(folder.path().join("long"), vec![b'x'; 5 << 20]).unwrap();
    let (code, said) = limited(&folder, "clocklab --scenario long");
    assert!(code == 2 && said.starts_with("error: long: ") && said.len() < 5_000, "{code} {}", said.len());
    assert_eq!(names(folder.path()).len(), 3, "a refused run leaves nothing");
    let (code, said) = limited(&folder, "clocklab -q --scenario <(echo 'duration = 0.1')");
    assert_eq!((code, said.as_str()), (0, ""));
}

#[test]
fn a_key_is_a_file_or_a_pipe_with_an_end() {
    let folder = empty_folder();
    let line =
        |key: &str| format!("clocklab --nodes 127.0.0.1:1,127.0.0.1:2 --node 0 --cluster-key-file {key}");
    refused(&folder, &line("/dev/zero"), 2, &["/dev/zero", "it is a device, not a file"]);
    refused(&folder, &line("."), 2, &["it is a folder, not a file"]);
    refused(&folder, &line("<(yes)"), 2, &["it is longer than"]);
}

/// Everything that reads logs says which of them is none.
#[test]
fn among_logs_only_files_are_read() {
    for (name, what) in
        [("vm_1_2.csv", "pipe"), ("vm_1_2.csv", "device"), ("vm_1_2.csv", "folder"), ("vm_1_2.csv", "socket")]
    {
        let folder = made("vector,hlc");
        let path = folder.path().join("output").join(name);
        fs::remove_file(&path).unwrap();
        let mut _socket = None;
        match what {
            "pipe" => make_pipe(&path),
            "device" => symlink("/dev/zero", &path).unwrap(),
            "folder" => fs::create_dir(&path).unwrap(),
            _ => _socket = Some(UnixListener::bind(&path).unwrap()),
        }
        let said = format!("it is a {what}, not a file");
        for command in ["check", "stats", "report", "export --format csv", "order 0-1 2-1"] {
            refused(&folder, &format!("clocklab {command}"), 2, &[name, &said]);
        }
        if what != "folder" {
            refused(&folder, &format!("clocklab check output/{name}"), 2, &[name, &said]);
        }
    }
}

#[test]
fn what_else_lies_in_a_folder_of_a_run_is_not_waited_for() {
    // A manifest, a page and the log of a bridge that are pipes.
    let folder = made("vector,hlc");
    let output = folder.path().join("output");
    fs::remove_file(output.join("run.toml")).unwrap();
    make_pipe(&output.join("run.toml"));
    refused(&folder, "clocklab check", 2, &["run.toml", "it is a pipe, not a file"]);
    make_pipe(&output.join("bridge_0.csv"));
    fs::remove_file(output.join("report.html")).unwrap();
    make_pipe(&output.join("report.html"));
    // The next run moves all of them aside but the page, which is nobody's.
    let (code, said) = limited(&folder, "clocklab --virtual-time -d 1 --quiet");
    assert_eq!(code, 0, "{said}");
    let previous = fs::read_dir(output.join("previous")).unwrap().next().unwrap().unwrap();
    assert!(names(&previous.path()).is_superset(&["bridge_0.csv".to_owned(), "run.toml".to_owned()].into()));
    assert!(names(&output).contains("report.html"));
    refused(&folder, "clocklab report", 2, &["report.html", "it is a pipe, not a file"]);
    refused(&folder, "clocklab report --out /dev/null", 2, &["/dev/null", "it is a device, not a file"]);
    // A manifest that names files elsewhere.
    let manifest = fs::read_to_string(output.join("run.toml")).unwrap();
    fs::write(output.join("run.toml"), manifest.replace("\"summary.csv\"", "\"/dev/zero\"")).unwrap();
    refused(&folder, "clocklab check", 1, &["/dev/zero", "it is a device, not a file"]);
}

#[test]
fn a_line_without_an_end_is_no_row() {
    let folder = made("vector,hlc");
    let output = folder.path().join("output");
    let path = output.join("vm_1_2.csv");
    let log = fs::read(&path).unwrap();
    let make = |start: &[u8]| {
        fs::write(&path, start).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
    };
    make(b"");
    refused(&folder, "clocklab check", 1, &["vm_1_2.csv:1", "a line without an end"]);
    refused(&folder, "clocklab order 0-1 2-1", 2, &["vm_1_2.csv:1", "no header of a log has"]);
    make(&log);
    for command in ["check", "export --format jsonl", "order 0-1 2-1"] {
        let (code, said) = limited(&folder, &format!("clocklab {command}"));
        let words = ["no row of a log has", "a line without an end"];
        let is_told = words.iter().any(|told| said.contains(told)) && said.contains("vm_1_2.csv:12");
        assert!((code == 1 || code == 2) && is_told, "{command}: {code} {said}");
    }
    refused(&folder, "clocklab stats", 0, &["rows cannot be read"]);
    refused(&folder, "clocklab report", 0, &["output/report.html"]);
    assert!(fs::read_to_string(output.join("report.html")).unwrap().contains("a line without an end"));
}

/// Each row after a forgotten quote is looked at once, not once for each other row.
#[test]
fn a_quote_that_is_never_closed_is_found_in_one_pass() {
    let folder = made("lamport");
    let path = folder.path().join("output/vm_1_2.csv");
    let mut log = fs::read_to_string(&path).unwrap();
    let row = log.lines().rfind(|row| row.contains(",internal,")).unwrap().to_owned() + "\n";
    // Lists are in quotes, so that a quote before one of them would be closed there.
    assert!(!row.contains('"'), "{row}");
    let line = log.lines().count() + 1;
    log += &row.replacen(",internal", ",\"internal", 1);
    log.push_str(&row.repeat((48 << 20) / row.len()));
    fs::write(&path, log).unwrap();
    let place = format!("vm_1_2.csv:{line}");
    refused(&folder, "clocklab check", 1, &[&place, "a quote that is opened and never closed"]);
}
