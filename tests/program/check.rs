//! Who checks the checker: sound runs of all kinds pass, and every damage is found under its right name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use clocklab::after::check::{Fault, FaultKind, Report, check};
use clocklab::clock::kinds;
use clocklab::edge::log::{Found, LogFolder, find};
use clocklab::model::registry::Registry;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::common;

/// Runs the program in a folder with the words of a command line.
fn clocklab(folder: &Path, line: &str) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(folder).args(line.split_whitespace()).output().unwrap()
}

fn make(folder: &Path, line: &str) {
    let made = clocklab(folder, &format!("--quiet {line}"));
    assert!(made.status.success(), "{line}: {}", String::from_utf8_lossy(&made.stderr));
}

fn folder_at(path: &Path) -> LogFolder {
    match find(path).unwrap() {
        Found::Run(folder) => *folder,
        Found::Series(_) | Found::Nodes(_) => panic!("one run"),
    }
}

fn check_at(path: &Path) -> Report {
    check(&[folder_at(path)], &Registry::default()).unwrap()
}

fn assert_sound(path: &Path) {
    let report = check_at(path);
    assert!(report.is_sound(), "{}", report.with_most(20));
}

#[test]
fn sound_runs_of_all_kinds_pass() {
    let folder = tempfile::tempdir().unwrap();
    for (index, line) in [
        "--virtual-time --seed 1",
        "--virtual-time --vms 1",
        "--virtual-time --vms 2 --draw 3",
        "--virtual-time --clocks lamport --vms 40 --log combined",
        "--virtual-time --clocks hlc --skew 10s --latency 1ms-3s",
        "--virtual-time --clocks vector --latency exp:400ms --fifo off --loss 0.2 --duplicate 0.3",
        "--virtual-time --vms 300 --duration 5 --latency 100ms-900ms --partition 1s-2s:0-99/100-199",
        "--virtual-time --workload client-server --vms 9 --rates 20",
        "--virtual-time --rates 6,3,1 --draw 4 --latency 300ms --crash 20s-30s:1 --crash 15s-70s:2 --seed 4",
        "--virtual-time --rates 5 --latency 1ms-4s --duplicate 0.2 --crash 5s-25s:0 --crash 25s-26s:0 --crash 20s-21s:1",
        "--virtual-time --workload client-server --vms 5 --rates 20 --crash 10s-30s:0 --crash 25s-40s:3 --log combined",
        "--duration 1 --rates 100,30,7 --draw 4 --crash 300ms-500ms:0 --crash 700ms-900ms:0 --crash 400ms-2s:1",
        "--virtual-time --workload lamport-mutex --vms 7 --rates 5-30 --skew 3s",
        "--duration 2 --workload lamport-mutex:think=3,hold=1 --vms 4 --rates 50-200 --clocks hlc",
        "--duration 1 --workload raymond:think=3 --vms 7 --rates 50-200 --fifo off --latency 1ms-30ms",
        "--virtual-time --workload causal-broadcast --vms 9 --rates 10-30 --fifo off --latency exp:300ms",
        "--duration 1 --workload snapshot:pause=5 --vms 5 --rates 50-200 --latency 1ms-30ms",
        "--virtual-time --rates 6,6,1 --draw 4",
        "--duration 1 --rates 100,30,7 --loss 0.1 --duplicate 0.1",
        "--duration 1 --rates 10-30 --vms 260 --fifo off --latency 1ms-90ms --skew 50ms",
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(index.to_string());
        make(folder.path(), &format!("{line} --output {index}"));
        assert_sound(&path);
        // The logs alone are enough, and so is each of them as another program might hand it on.
        fs::remove_file(path.join("run.toml")).unwrap();
        assert_sound(&path);
    }
}

/// A sound run whose rows are to be damaged. Machine 0 is faster than the others, and machine 2 so slow that
/// its queue grows; some messages are lost, and some come twice.
struct Log {
    folder: TempDir,
    rows: Vec<Vec<Vec<String>>>,
}

const COLUMNS: [&str; 17] = [
    "vm",
    "event",
    "kind",
    "elapsed_s",
    "system_time",
    "lamport",
    "vector",
    "hlc",
    "hlc_count",
    "peers",
    "message",
    "sender_lamport",
    "queue",
    "lost",
    "duplicated",
    "payload",
    "mark",
];
const NAMES: [&str; 3] = ["vm_0_6.csv", "vm_1_5.csv", "vm_2_1.csv"];

/// A row by its machine and its number among that machine's rows, from 0.
type At = (usize, usize);

impl Log {
    /// A copy of the one that is made once.
    fn new() -> Self {
        static MADE: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
            let folder = tempfile::tempdir().unwrap();
            let line =
                "--virtual-time --rates 6,5,1 --draw 5 --duration 20 --loss 0.1 --duplicate 0.1 --seed 12";
            make(folder.path(), line);
            let output = folder.path().join("output");
            let names = common::names(&output).into_iter();
            names.map(|name| (name.clone(), fs::read(output.join(&name)).unwrap())).collect()
        });
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        fs::create_dir(&output).unwrap();
        MADE.iter().for_each(|(name, content)| fs::write(output.join(name), content).unwrap());
        let rows = NAMES.map(|name| {
            let mut log = csv::Reader::from_path(folder.path().join("output").join(name)).unwrap();
            log.deserialize().map(Result::unwrap).collect::<Vec<Vec<String>>>()
        });
        Self { folder, rows: rows.into() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    fn write(&self) {
        for (name, rows) in NAMES.iter().zip(&self.rows) {
            let mut text = COLUMNS.join(",") + "\n";
            let quoted = |cell: &String| {
                if cell.starts_with('[') && cell.contains(',') { format!("\"{cell}\"") } else { cell.clone() }
            };
            rows.iter()
                .for_each(|row| text += &(row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"));
            fs::write(self.path().join(name), text).unwrap();
        }
    }

    fn cell(&mut self, (vm, row): At, name: &str) -> &mut String {
        let column = COLUMNS.iter().position(|column| *column == name).unwrap();
        &mut self.rows[vm][row][column]
    }

    fn add(&mut self, at: At, name: &str, more: u64) {
        let cell = self.cell(at, name);
        *cell = (cell.parse::<u64>().unwrap() + more).to_string();
    }

    /// Rows that meet a condition, those in the middle of the run first.
    fn find(&mut self, fits: impl Fn(&mut Self, At) -> bool) -> At {
        let mut all: Vec<At> =
            (0..3).flat_map(|vm| (0..self.rows[vm].len()).map(move |row| (vm, row))).collect();
        all.sort_by_key(|(vm, row)| (*vm, row.abs_diff(self.rows[*vm].len() / 2)));
        all.into_iter().find(|at| fits(self, *at)).expect("the run has such a row")
    }

    fn is(&mut self, at: At, kind: &str) -> bool {
        self.cell(at, "kind") == kind
    }

    fn first(&mut self, kind: &str) -> At {
        self.find(|log, at| log.is(at, kind))
    }

    fn line((_, row): At) -> u64 {
        row as u64 + 2
    }
}

/// What is expected of a check: the kind of the first fault, its file, line and column.
type Expected = (FaultKind, At, &'static str);

/// A fault of that clock.
fn of_clock(name: &str) -> FaultKind {
    FaultKind::Clock(kinds().iter().position(|kind| kind.name == name).unwrap())
}

/// Damages a log, and says what a check is to call it.
struct Damage {
    name: &'static str,
    damage: fn(&mut Log) -> Expected,
}

macro_rules! damages {
    ($($name:literal => $damage:expr),+ $(,)?) => { [$(Damage { name: $name, damage: $damage }),+] };
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn damages() -> Vec<Damage> {
    use FaultKind::{
        Circle, Early, Form, Lamport, NotHere, NotSent, Number, Payload, Queue, Stamp, Time, TimeOfDay,
        TooOften, Unreadable,
    };
    damages! {
        "a machine's number that is another's" => |log| {
            let at = log.first("internal");
            *log.cell(at, "vm") = "1".into();
            (Unreadable, at, "vm")
        },
        "an event number raised by 1" => |log| {
            let at = log.first("internal");
            log.add(at, "event", 1);
            (Number, at, "event")
        },
        "a row dropped" => |log| {
            let at = log.first("internal");
            log.rows[at.0].remove(at.1);
            (Number, at, "event")
        },
        "a row doubled" => |log| {
            let (vm, row) = log.first("internal");
            let again = log.rows[vm][row].clone();
            log.rows[vm].insert(row + 1, again);
            (Number, (vm, row + 1), "event")
        },
        "two rows swapped" => |log| {
            let (vm, row) = log.first("internal");
            log.rows[vm].swap(row, row + 1);
            (Number, (vm, row), "event")
        },
        "a kind that is none" => |log| {
            let at = log.first("internal");
            *log.cell(at, "kind") = "sent".into();
            (Unreadable, at, "kind")
        },
        "an internal event called a send" => |log| {
            let at = log.first("internal");
            *log.cell(at, "kind") = "send".into();
            (Form, at, "peers")
        },
        "a send called internal" => |log| {
            let at = log.first("send");
            *log.cell(at, "kind") = "internal".into();
            (Form, at, "peers")
        },
        "a receive called internal" => |log| {
            let at = log.first("receive");
            *log.cell(at, "kind") = "internal".into();
            (Form, at, "peers")
        },
        "a receive called a send" => |log| {
            let at = log.first("receive");
            *log.cell(at, "kind") = "send".into();
            (Form, at, "message")
        },
        "time a nanosecond late" => |log| {
            let at = log.find(|log, at| log.is(at, "internal") && !log.cell(at, "elapsed_s").ends_with('9'));
            let cell = log.cell(at, "elapsed_s");
            let last = cell.pop().unwrap();
            cell.push((last as u8 + 1) as char);
            (Time, at, "elapsed_s")
        },
        "time that runs back" => |log| {
            let at = log.first("internal");
            *log.cell(at, "elapsed_s") = "0.000000001".into();
            (Time, at, "elapsed_s")
        },
        "time in another form" => |log| {
            let at = log.first("internal");
            *log.cell(at, "elapsed_s") = "1:30".into();
            (Unreadable, at, "elapsed_s")
        },
        "a time of day that is another" => |log| {
            let at = log.first("internal");
            *log.cell(at, "system_time") = "1970-01-02T00:00:00.000000Z".into();
            (TimeOfDay, at, "system_time")
        },
        "no time of day" => |log| {
            let at = log.first("internal");
            log.cell(at, "system_time").clear();
            (TimeOfDay, at, "system_time")
        },
        "a Lamport clock raised by 1" => |log| {
            let at = log.first("internal");
            log.add(at, "lamport", 1);
            (Lamport, at, "lamport")
        },
        "a Lamport clock that stands still" => |log| {
            let at = log.first("send");
            let before = log.cell((at.0, at.1 - 1), "lamport").clone();
            *log.cell(at, "lamport") = before;
            (Lamport, at, "lamport")
        },
        "a Lamport clock that ignores a stamp" => |log| {
            let at = log.find(|log, at| {
                let before = |log: &mut Log| log.cell((at.0, at.1 - 1), "lamport").parse::<u64>().unwrap();
                at.1 > 0 && log.is(at, "receive") && log.cell(at, "lamport").parse::<u64>().unwrap() > before(log) + 1
            });
            let before: u64 = log.cell((at.0, at.1 - 1), "lamport").parse().unwrap();
            *log.cell(at, "lamport") = (before + 1).to_string();
            (Lamport, at, "lamport")
        },
        "a Lamport clock that runs ahead from there on" => |log| {
            let (vm, row) = log.first("internal");
            for row in row..log.rows[vm].len() {
                log.add((vm, row), "lamport", 5);
            }
            (Lamport, (vm, row), "lamport")
        },
        "a vector's own entry" => |log| {
            let at = log.first("internal");
            let own = log.cell(at, "event").clone();
            let vector = log.cell(at, "vector");
            *vector = vector.replacen(&own, "9999", 1);
            (of_clock("vector"), at, "vector")
        },
        "a vector's other entry" => |log| {
            let at = log.first("receive");
            let vector = log.cell(at, "vector");
            vector.insert(vector.len() - 1, '1');
            (of_clock("vector"), at, "vector")
        },
        "a vector with an entry less" => |log| {
            let at = log.first("internal");
            let vector = log.cell(at, "vector");
            *vector = vector.rsplit_once(',').unwrap().0.to_owned() + "]";
            (of_clock("vector"), at, "vector")
        },
        "no vector" => |log| {
            let at = log.first("internal");
            log.cell(at, "vector").clear();
            (of_clock("vector"), at, "vector")
        },
        "a hybrid clock's l" => |log| {
            let at = log.first("internal");
            let hlc = log.cell(at, "hlc");
            *hlc = format!("9{hlc}");
            (of_clock("hlc"), at, "hlc")
        },
        "a hybrid clock's c" => |log| {
            let at = log.first("receive");
            *log.cell(at, "hlc_count") += "7";
            (of_clock("hlc"), at, "hlc_count")
        },
        "no hybrid clock" => |log| {
            let at = log.first("internal");
            log.cell(at, "hlc").clear();
            log.cell(at, "hlc_count").clear();
            (of_clock("hlc"), at, "hlc")
        },
        "half a hybrid clock" => |log| {
            let at = log.first("internal");
            log.cell(at, "hlc_count").clear();
            (Unreadable, at, "hlc_count")
        },
        "a send's recipient left out" => |log| {
            let at = log.find(|log, at| log.is(at, "send") && log.cell(at, "peers").contains(',')
                && log.cell(at, "lost").is_empty() && log.cell(at, "duplicated").is_empty()
                && was_received(log, at, 1));
            let name = log.cell(at, "message").clone();
            let peers = log.cell(at, "peers").clone();
            let (first, second) = peers.split_once(',').unwrap();
            let (kept, left) = if second == "1]" { (format!("{first}]"), 1) } else { (format!("[{second}"), 1) };
            *log.cell(at, "peers") = kept;
            (NotHere, receive_of(log, left, &name), "message")
        },
        "a send to itself" => |log| {
            let at = log.first("send");
            *log.cell(at, "peers") = format!("[{}]", at.0);
            (Form, at, "peers")
        },
        "a send to a machine that is not there" => |log| {
            let at = log.first("send");
            let peers = log.cell(at, "peers");
            *peers = peers.replace(']', ",3]");
            (Form, at, "peers")
        },
        "a receive from another sender" => |log| {
            let at = log.first("receive");
            let peer = if log.cell(at, "peers") == "[1]" { "[2]" } else { "[1]" };
            *log.cell(at, "peers") = peer.into();
            (Form, at, "peers")
        },
        "a send under another name" => |log| {
            let at = log.first("send");
            *log.cell(at, "message") += "0";
            (Form, at, "message")
        },
        "a receive without a message" => |log| {
            let at = log.first("receive");
            log.cell(at, "message").clear();
            (Form, at, "message")
        },
        "a message that nobody sent" => |log| {
            let at = log.first("receive");
            let internal = log.find(|log, other| other.0 == 1 && log.is(other, "internal"));
            let event = log.cell(internal, "event").clone();
            *log.cell(at, "message") = format!("vm1-{event}");
            *log.cell(at, "peers") = "[1]".into();
            (NotSent, at, "message")
        },
        "a message of an event that is not there" => |log| {
            let at = log.first("receive");
            *log.cell(at, "message") = "vm1-99999".into();
            *log.cell(at, "peers") = "[1]".into();
            (NotSent, at, "message")
        },
        "a message of a machine that is not there" => |log| {
            let at = log.first("receive");
            *log.cell(at, "message") = "vm7-1".into();
            *log.cell(at, "peers") = "[7]".into();
            (NotSent, at, "message")
        },
        "a message to another machine" => |log| {
            let at = log.find(|log, at| at.0 == 0 && log.is(at, "receive") && log.cell(at, "peers") == "[1]");
            let other = log.find(|log, other| other.0 == 1 && other.1 < at.1 / 2
                && log.is(other, "send") && log.cell(other, "peers") == "[2]");
            let name = log.cell(other, "message").clone();
            *log.cell(at, "message") = name;
            (NotHere, at, "message")
        },
        "a message that was lost" => |log| {
            let (at, send) = a_receive_and_its_send(log);
            *log.cell(send, "lost") = format!("[{}]", at.0);
            (FaultKind::Lost, at, "message")
        },
        "a message received twice" => |log| {
            let (vm, row) = log.find(|log, at| log.is(at, "receive")
                && at.1 > 0 && log.is((at.0, at.1 - 1), "receive")
                && is_plain(log, (at.0, at.1 - 1))
                && log.cell(at, "peers").clone() == *log.cell((at.0, at.1 - 1), "peers"));
            for column in ["message", "sender_lamport"] {
                let before = log.cell((vm, row - 1), column).clone();
                *log.cell((vm, row), column) = before;
            }
            (TooOften, (vm, row), "message")
        },
        "a second copy that the network did not make" => |log| {
            let send = log.find(|log, at| {
                let to = log.cell(at, "duplicated").clone();
                let name = log.cell(at, "message").clone();
                !to.is_empty() && !to.contains(',') && receives_of(log, number(&to), &name).len() == 2
            });
            let (to, name) = (number(log.cell(send, "duplicated")), log.cell(send, "message").clone());
            log.cell(send, "duplicated").clear();
            (TooOften, receives_of(log, to, &name)[1], "message")
        },
        "a stamp raised by 1" => |log| {
            let at = log.first("receive");
            log.add(at, "sender_lamport", 1);
            (Stamp, at, "sender_lamport")
        },
        "no stamp" => |log| {
            let at = log.first("receive");
            log.cell(at, "sender_lamport").clear();
            (Form, at, "sender_lamport")
        },
        "a stamp at a send" => |log| {
            let at = log.first("send");
            *log.cell(at, "sender_lamport") = "3".into();
            (Form, at, "sender_lamport")
        },
        "a payload that was not sent" => |log| {
            let at = log.first("receive");
            *log.cell(at, "payload") = "123456".into();
            (Payload, at, "payload")
        },
        "a payload that did not come" => |log| {
            let (at, send) = a_receive_and_its_send(log);
            *log.cell(send, "payload") = "123456".into();
            (Payload, at, "payload")
        },
        "a payload of an internal event" => |log| {
            let at = log.first("internal");
            *log.cell(at, "payload") = "123456".into();
            (Form, at, "payload")
        },
        "a queue before something else" => |log| {
            let at = log.first("internal");
            log.add(at, "queue", 1);
            (Queue, at, "queue")
        },
        "a queue too long" => |log| {
            let at = log.find(|log, at| at.0 == 2 && log.is(at, "receive"));
            log.add(at, "queue", 9);
            (Queue, at, "queue")
        },
        "a queue too short" => |log| {
            let at = log.find(|log, at| at.0 == 2 && log.cell(at, "queue").parse::<u64>().unwrap() > 9);
            *log.cell(at, "queue") = "0".into();
            (Queue, at, "queue")
        },
        "a last queue longer than what was sent" => |log| {
            let at = (2, log.rows[2].len() - 1);
            log.add(at, "queue", 500);
            (Queue, at, "queue")
        },
        "a loss for a machine that is no recipient" => |log| {
            let at = log.find(|log, at| log.is(at, "send") && log.cell(at, "peers") == "[1]");
            *log.cell(at, "lost") = "[2]".into();
            (Form, at, "lost")
        },
        "lost and delivered twice" => |log| {
            let at = log.find(|log, at| !log.cell(at, "lost").is_empty());
            let lost = log.cell(at, "lost").clone();
            *log.cell(at, "duplicated") = lost;
            (Form, at, "duplicated")
        },
        "a loss at a receive" => |log| {
            let at = log.first("receive");
            *log.cell(at, "lost") = "[1]".into();
            (Form, at, "lost")
        },
        "two received messages that changed places" => |log| {
            let (first, second) = two_from_one_sender(log);
            for column in ["message", "sender_lamport"] {
                let (a, b) = (log.cell(first, column).clone(), log.cell(second, column).clone());
                (*log.cell(first, column), *log.cell(second, column)) = (b, a);
            }
            (Lamport, first, "lamport")
        },
        "receives that wait for each other" => |log| {
            let (a, b) = (log.find(|log, at| at.0 == 0 && at.1 > 50 && log.is(at, "receive")),
                log.find(|log, at| at.0 == 1 && at.1 > 50 && log.is(at, "receive")));
            let (later_a, later_b) = (send_after(log, a, "[1]"), send_after(log, b, "[0]"));
            *log.cell(a, "message") = format!("vm1-{}", later_b.1 + 1);
            *log.cell(a, "peers") = "[1]".into();
            *log.cell(b, "message") = format!("vm0-{}", later_a.1 + 1);
            *log.cell(b, "peers") = "[0]".into();
            (Circle, a, "message")
        },
        "a receive from the future" => |log| {
            let at = log.find(|log, at| at.0 == 2 && log.is(at, "receive") && log.cell(at, "peers") == "[0]");
            let later = log.find(|log, other| other.0 == 0 && other.1 > 100 && log.is(other, "send") && log.cell(other, "peers") == "[2]");
            let name = log.cell(later, "message").clone();
            *log.cell(at, "message") = name;
            (Early, at, "elapsed_s")
        },
        "a cell too many" => |log| {
            let at = log.first("internal");
            *log.cell(at, "payload") = ",".into();
            (Unreadable, at, "")
        },
        "an empty line" => |log| {
            let (vm, row) = log.first("internal");
            log.rows[vm].insert(row, vec![String::new()]);
            (Unreadable, (vm, row), "")
        },
        "a quote that is never closed" => |log| {
            let at = log.first("internal");
            *log.cell(at, "payload") = "\"oh".into();
            (Unreadable, at, "")
        },
    }
    .into()
}

/// The machine of a list of one.
fn number(list: &str) -> usize {
    list.trim_matches(['[', ']']).parse().unwrap()
}

fn receives_of(log: &mut Log, vm: usize, name: &str) -> Vec<At> {
    let rows: Vec<At> = (0..log.rows[vm].len()).map(|row| (vm, row)).collect();
    rows.into_iter().filter(|at| log.is(*at, "receive") && log.cell(*at, "message") == name).collect()
}

fn receive_of(log: &mut Log, vm: usize, name: &str) -> At {
    receives_of(log, vm, name)[0]
}

fn was_received(log: &mut Log, send: At, by: usize) -> bool {
    let name = log.cell(send, "message").clone();
    send.0 != by && !receives_of(log, by, &name).is_empty()
}

fn send_of(log: &mut Log, receive: At) -> At {
    let name = log.cell(receive, "message").clone();
    let (vm, event) = name.strip_prefix("vm").unwrap().split_once('-').unwrap();
    (vm.parse().unwrap(), event.parse::<usize>().unwrap() - 1)
}

/// Whether a receive's message went to its machine alone, and once.
fn is_plain(log: &mut Log, receive: At) -> bool {
    if !log.is(receive, "receive") {
        return false;
    }
    let send = send_of(log, receive);
    log.cell(send, "lost").is_empty()
        && log.cell(send, "duplicated").is_empty()
        && !log.cell(send, "peers").contains(',')
}

fn a_receive_and_its_send(log: &mut Log) -> (At, At) {
    let at = log.find(is_plain);
    let send = send_of(log, at);
    (at, send)
}

/// Two receives of a machine, one after the other, of different messages of one sender.
fn two_from_one_sender(log: &mut Log) -> (At, At) {
    let first = log.find(|log, at| {
        let next = (at.0, at.1 + 1);
        at.0 == 2
            && next.1 < log.rows[2].len()
            && is_plain(log, at)
            && is_plain(log, next)
            && log.cell(at, "peers").clone() == *log.cell(next, "peers")
            && log.cell(at, "message").clone() != *log.cell(next, "message")
    });
    (first, (first.0, first.1 + 1))
}

/// A send to that machine after a row of the same machine.
fn send_after(log: &mut Log, (vm, row): At, to: &str) -> At {
    log.find(|log, at| at.0 == vm && at.1 > row && log.is(at, "send") && log.cell(at, "peers") == to)
}

fn column_of(fault: &Fault) -> String {
    fault.column.map_or(String::new(), |column| column.name().into_owned())
}

#[test]
fn every_damage_is_found_under_its_right_name() {
    let damages = damages();
    let names: BTreeSet<&str> = damages.iter().map(|damage| damage.name).collect();
    assert!(names.len() == damages.len() && names.len() >= 30);
    let mut wrong = Vec::new();
    for Damage { name, damage } in &damages {
        let mut log = Log::new();
        let (kind, at, column) = damage(&mut log);
        log.write();
        let report = check_at(&log.path());
        let Some(first) = report.faults.first().next() else {
            wrong.push(format!("{name}: not found"));
            continue;
        };
        println!("{name}\n    {}", first.to_string().replace(&format!("{}/", log.path().display()), ""));
        let is_there = first.path.ends_with(NAMES[at.0]) && first.line == Some(Log::line(at));
        if first.kind != kind || !is_there || column_of(first) != column {
            wrong.push(format!("{name}: expected {kind} at {at:?} {column}\n{}", report.with_most(5)));
        }
        assert!(
            report.faults.totals().contains_key(&FaultKind::File),
            "{name}: the checksum shows it as well"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A run in which messages overtake each other is right, unless it was not to let them.
#[test]
fn messages_that_overtake_each_other_are_found_where_they_must_not() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "--virtual-time --latency 1ms-5s --fifo off --seed 4");
    let path = folder.path().join("output");
    assert_sound(&path);
    let manifest = fs::read_to_string(path.join("run.toml")).unwrap();
    fs::write(path.join("run.toml"), manifest.replace("fifo = \"off\"", "fifo = \"on\"")).unwrap();
    let report = check_at(&path);
    assert_eq!(report.faults.totals().keys().collect::<Vec<_>>(), [&FaultKind::Overtaken]);
}

#[test]
fn damaged_files_are_found() {
    let check_file = |damage: &dyn Fn(&Path), name: &str, found: &str| {
        let log = Log::new();
        damage(&log.path());
        let report = check_at(&log.path());
        let first = report.faults.first().next().expect("it is found");
        println!("{name}: {first}");
        assert!(first.kind == FaultKind::File || first.kind == FaultKind::Unreadable, "{first}");
        assert!(first.path.ends_with(name) && first.found.contains(found), "{first}");
    };
    let cut = |path: &Path, name: &str, keep: &dyn Fn(&str) -> String| {
        let text = fs::read_to_string(path.join(name)).unwrap();
        fs::write(path.join(name), keep(&text)).unwrap();
    };
    // Machine 2 sends nothing that others received, so that its end can go and nobody misses it.
    let without_last_row = |text: &str| text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    check_file(&|path| cut(path, "vm_2_1.csv", &without_last_row), "vm_2_1.csv", "19 rows");
    check_file(&|path| cut(path, "vm_2_1.csv", &|text| text.trim_end().to_owned()), "vm_2_1.csv", "19 rows");
    check_file(
        &|path| cut(path, "summary.csv", &|text| text.replace("0,6", "0,7")),
        "summary.csv",
        "checksum",
    );
    check_file(
        &|path| cut(path, "vm_2_1.csv", &|text| text.replacen("vm,", "machine,", 1)),
        "vm_2_1.csv",
        "machine,event",
    );
    check_file(&|path| fs::remove_file(path.join("summary.csv")).unwrap(), "summary.csv", "no such file");
    check_file(
        &|path| fs::write(path.join("vm_3_1.csv"), COLUMNS.join(",") + "\n").unwrap(),
        "vm_3_1.csv",
        "a log",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any cell replaced by a number: it is found, unless it was the same, or one that any program may write so.
    #[test]
    fn any_cell_that_says_something_else_is_found(vm in 0..3usize, row in 0..20usize, column in 0..15usize, number in 0..300u64) {
        let mut log = Log::new();
        let before = log.cell((vm, row), COLUMNS[column]).clone();
        *log.cell((vm, row), COLUMNS[column]) = number.to_string();
        log.write();
        let report = check_at(&log.path());
        let is_same = before.parse() == Ok(number);
        prop_assert_eq!(report.is_sound(), is_same, "{} {} {}", vm, row, COLUMNS[column]);
    }
}

fn logs_in(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> =
        entries.filter(|path| common::is_log(path.file_name().unwrap().to_str().unwrap())).collect();
    logs.sort();
    logs
}

/// The nodes of a distributed run have folders of their own, and each its own start of time. A process that
/// died leaves a torn row, and messages that nobody lost and nobody received.
#[test]
fn the_folders_of_several_nodes_are_one_run() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "--vms 4 --duration 2 --rates 60,50,40,30 --clocks lamport,vector --seed 3");
    let whole = folder.path().join("output");
    let nodes = ["a", "b"].map(|name| folder.path().join(name));
    for (node, path) in nodes.iter().enumerate() {
        fs::create_dir(path).unwrap();
        let manifest = fs::read_to_string(whole.join("run.toml")).unwrap();
        let (head, _) = manifest.split_once("[[files]]").unwrap();
        fs::write(path.join("run.toml"), head.replace("\"complete\"", "\"running\"")).unwrap();
        fs::write(path.join(format!("bridge_{node}.csv")), "").unwrap();
        for log in &logs_in(&whole)[2 * node..2 * node + 2] {
            let text = fs::read_to_string(log).unwrap();
            // The second node has started half a second later.
            let shifted = |line: &str| {
                let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
                let seconds: f64 = cells[3].parse().unwrap_or(0.0);
                if node == 1 && cells[3] != "elapsed_s" {
                    cells[3] = format!("{:.9}", (seconds - 0.5).max(0.0));
                }
                cells.join(",") + "\n"
            };
            let text: String = text.lines().map(shifted).collect();
            fs::write(path.join(log.file_name().unwrap()), text).unwrap();
        }
    }
    let torn = logs_in(&nodes[1])[1].clone();
    let text = fs::read_to_string(&torn).unwrap();
    fs::write(&torn, text + "3,61,inter").unwrap();
    let report = check(&nodes.clone().map(|path| folder_at(&path)), &Registry::default()).unwrap();
    assert!(report.is_sound() && report.torn.len() == 1, "{}", report.with_most(10));
    assert_eq!(report.counts.machines, 4);
    let alone = check(&[folder_at(&nodes[0])], &Registry::default()).unwrap();
    assert!(alone.is_sound() && !alone.missing.is_empty(), "{}", alone.with_most(10));
    let told = clocklab(folder.path(), "check a b");
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success() && text.contains("\nthis part is sound: 4 machines, "), "{text}");
    assert!(clocklab(folder.path(), "stats a b").status.success());
    assert!(clocklab(folder.path(), "order a b 0-1 3-9").status.success());
}

/// Late ticks are right; early ones are not, nor more than are due.
#[test]
fn no_live_event_comes_before_its_tick_or_beyond_the_last() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "--vms 2 --rates 10,5 --duration 1 --clocks lamport --phase aligned --seed 3");
    let output = folder.path().join("output");
    let log = &logs_in(&output)[0];
    let text = fs::read_to_string(log).unwrap();
    let cell = text.lines().nth(3).unwrap().split(',').nth(3).unwrap();
    fs::write(log, text.replace(cell, "0.299999999")).unwrap();
    let faults = check(&[folder_at(&output)], &Registry::default()).unwrap().faults;
    let fault = faults.first().next().unwrap();
    assert_eq!((fault.kind, fault.line), (FaultKind::Time, Some(4)));
    assert_eq!(fault.expected, "0.300000000 or later, when the tick of that number is due");

    fs::write(log, &text).unwrap();
    let manifest = fs::read_to_string(output.join("run.toml")).unwrap();
    fs::write(output.join("run.toml"), manifest.replace("duration = \"1s\"", "duration = \"900ms\""))
        .unwrap();
    let report = check(&[folder_at(&output)], &Registry::default()).unwrap();
    // The last ticks of both machines are due at once, and either may have come first.
    let fault = report.faults.first().find(|fault| fault.found == "10").unwrap();
    assert_eq!(fault.kind, FaultKind::Number);
    assert!(fault.expected.starts_with("at most 9, "), "{}", fault.expected);
}

/// Another program may write all its rows into one file, in an order of its own, as long as that of each
/// machine is kept.
#[test]
fn rows_in_any_order_of_the_machines_are_replayed() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "--virtual-time --vms 7 --seed 11 --latency 1ms-900ms");
    for is_reversed in [false, true] {
        let mut logs = logs_in(&folder.path().join("output"));
        if is_reversed {
            logs.reverse();
        }
        let texts: Vec<String> = logs.iter().map(|log| fs::read_to_string(log).unwrap()).collect();
        let rows = texts.iter().flat_map(|text| text.lines().skip(1));
        let one: String =
            std::iter::once(COLUMNS.join(",").as_str()).chain(rows).map(|line| format!("{line}\n")).collect();
        let path = folder.path().join("one.csv");
        fs::write(&path, one).unwrap();
        assert_sound(&path);
    }
}

#[test]
fn a_torn_last_row_is_told_and_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "--virtual-time --seed 5");
    let path = folder.path().join("output");
    fs::remove_file(path.join("run.toml")).unwrap();
    let log = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
    let log = log.into_iter().find(|path| path.to_string_lossy().contains("vm_0_")).unwrap();
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text + "0,9999,inter").unwrap();
    let report = check_at(&path);
    assert!(report.is_sound(), "{}", report.with_most(5));
    assert_eq!(report.torn, [(log, 12)]);
    let checked = clocklab(folder.path(), "check");
    assert_eq!(checked.status.code(), Some(0));
    assert!(
        String::from_utf8_lossy(&checked.stdout).contains("its last row is torn and was left out (12 bytes)")
    );
}

#[test]
fn the_exit_code_tells_sound_from_damaged_from_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let code = |line: &str| {
        let checked = clocklab(folder.path(), line);
        (
            checked.status.code().unwrap(),
            String::from_utf8(checked.stdout).unwrap(),
            String::from_utf8(checked.stderr).unwrap(),
        )
    };
    let (exit, _, error) = code("check");
    assert!(exit == 2 && error.starts_with("error: cannot read output: "), "{error}");
    make(folder.path(), "--virtual-time --seed 5 --runs 2");
    let (exit, told, _) = code("check");
    assert!(
        exit == 0
            && told.starts_with("output/run_1: sound: 3 machines, ")
            && told.contains("\noutput/run_2: sound: "),
        "{told}"
    );
    let (exit, _, error) = code("check output output/run_1");
    assert!(exit == 2 && error.contains("output holds several runs"), "{error}");
    let (exit, _, error) = code("check output/run_1 output/run_2");
    assert!(
        exit == 2 && error.contains("output/run_1 is of run ") && error.contains("output/run_2 of run "),
        "{error}"
    );
    fs::write(folder.path().join("output/run_2/vm_0_1.csv"), "x").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let (exit, _, error) = code("check empty");
    assert!(exit == 2 && error.contains("empty holds no run"), "{error}");
    fs::write(folder.path().join("empty/other.csv"), "time,value\n1,2\n").unwrap();
    let (exit, _, error) = code("check empty");
    assert!(exit == 2 && error.contains("expected a header with a column 'vm'"), "{error}");
    make(folder.path(), "--virtual-time --seed 5 --log none --output unlogged");
    let (exit, _, error) = code("check unlogged");
    assert!(exit == 2 && error.contains("--log none"), "{error}");
    let (exit, _, error) = code("check --most 1001");
    assert!(exit == 2 && error.contains("--most"), "{error}");
    let log = folder.path().join("output/run_1");
    let log = fs::read_dir(log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("vm_1_"))
        .unwrap();
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen(",internal,", ",nothing,", 3)).unwrap();
    let (exit, told, _) = code("check output/run_1 --most 2");
    assert!(
        exit == 1 && told.starts_with("output/run_1: 4 faults: ") && told.contains("\n  … and 2 more\n"),
        "{told}"
    );
    assert!(told.contains("      3  unreadable row\n"), "{told}");
}

#[test]
fn what_a_workload_does_not_promise_where_machines_are_down_is_told() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "--virtual-time --workload lamport-mutex --rates 10 --seed 3 --crash 20s-30s:1");
    let checked = clocklab(folder.path(), "check");
    let told = String::from_utf8(checked.stdout).unwrap();
    let note = "promises nothing without a network that loses and duplicates nothing, and what waits for a machine that goes \
                down is lost";
    assert!(told.contains(note), "{told}");
}

/// A run in which machine 1 was not down, held against a manifest that says that it was.
#[test]
fn what_a_machine_does_while_it_is_down_and_what_it_remembers_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let line = "--virtual-time --rates 9,3,3 --draw 4 --latency 300ms --seed 4";
    make(folder.path(), &format!("{line} --output never"));
    let path = folder.path().join("never");
    let manifest = fs::read_to_string(path.join("run.toml")).unwrap();
    let crashed = manifest.replacen("\nseed = ", "\ncrash = [\"20s-30s:1\"]\nseed = ", 1);
    assert_ne!(manifest, crashed);
    fs::write(path.join("run.toml"), crashed).unwrap();
    let report = check_at(&path);
    let rows = fs::read_to_string(path.join("vm_1_3.csv")).unwrap();
    let elapsed = |line: &str| line.split(',').nth(3).unwrap().parse::<f64>().unwrap();
    let while_down = rows.lines().skip(1).filter(|line| (20.0..30.0).contains(&elapsed(line))).count();
    assert_eq!(while_down, 30);
    let crashes = || report.faults.first().filter(|fault| fault.kind == FaultKind::Crash);
    let events = crashes().filter(|fault| column_of(fault) == "elapsed_s");
    assert_eq!(events.count(), while_down);
    let event = crashes().next().unwrap();
    assert!(event.path.ends_with("vm_1_3.csv") && event.found.starts_with("20."), "{event}");
    assert_eq!(event.expected, "no event from 20.000000000 up to 30.000000000, as machine 1 is down then");
    // Its queue grows: what it receives for a while after 30 s had been sent long before.
    let message = crashes().find(|fault| column_of(fault) == "message").unwrap();
    assert!(message.expected.starts_with("a message that arrived at 30.000000000 or later"), "{message}");
    assert!(
        report.faults.first().all(|fault| fault.path.ends_with("vm_1_3.csv")),
        "{}",
        report.with_most(50)
    );
    assert!(!report.faults.totals().contains_key(&FaultKind::Time), "{}", report.with_most(50));
}

#[test]
fn one_row_while_a_machine_is_down_is_found_live_as_well() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["--duration 1 --rates 20 --seed 3", "--processes 2 --duration 1 --rates 20 --seed 3"] {
        make(folder.path(), &format!("{line} --crash 300ms-600ms:1"));
        let output = folder.path().join("output");
        assert_sound(&output);
        let log = output.join("vm_1_20.csv");
        let text = fs::read_to_string(&log).unwrap();
        let is_after = |line: &&str| line.split(',').nth(3).unwrap() >= "0.6";
        let (at, after) = text.lines().enumerate().skip(1).find(|(_, line)| is_after(line)).unwrap();
        let elapsed = after.split(',').nth(3).unwrap();
        fs::write(&log, text.replace(elapsed, "0.500000000")).unwrap();
        let report = check_at(&output);
        let fault = report.faults.first().find(|fault| fault.kind == FaultKind::Crash).unwrap();
        assert_eq!(fault.line, Some(at as u64 + 1), "{line}");
        assert_eq!(fault.expected, "no event from 0.300000000 up to 0.600000000, as machine 1 is down then");
    }
}
