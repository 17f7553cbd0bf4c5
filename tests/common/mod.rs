//! What the integration tests share: the logs of a run as another program would read them, and the
//! model's rules once more, written from the design and not from the code.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails where a log cannot be read")]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "counts of a small log")]

pub mod cluster;
pub mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clocklab::after::history::Model;
use clocklab::edge::control::{Observer, Progress, Stopper};
use clocklab::edge::log::{Found, LogFolder, find};
use clocklab::model::registry::Registry;
use clocklab::model::time::Nanos;
use serde::Deserialize;

/// Asks the run to stop once it has come that far.
pub struct StopAt(pub Nanos, pub Stopper);

impl Observer for StopAt {
    fn progress(&mut self, progress: &Progress) {
        if progress.elapsed >= self.0 {
            self.1.stop();
        }
    }
}

/// A row of a log, column by column.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    pub vm: u32,
    pub event: u64,
    pub kind: String,
    pub elapsed_s: String,
    pub system_time: String,
    pub lamport: u64,
    pub vector: String,
    pub hlc: Option<u64>,
    pub hlc_count: Option<u64>,
    pub peers: String,
    pub message: String,
    pub sender_lamport: Option<u64>,
    pub queue: u64,
    pub lost: String,
    pub duplicated: String,
    pub payload: String,
    pub mark: String,
}

impl Row {
    /// Nanoseconds since the run's start.
    pub fn elapsed(&self) -> u64 {
        let (seconds, nanos) = self.elapsed_s.split_once('.').unwrap();
        assert_eq!(nanos.len(), 9, "{}", self.elapsed_s);
        seconds.parse::<u64>().unwrap() * 1_000_000_000 + nanos.parse::<u64>().unwrap()
    }

    /// The machine whose message this receive took.
    pub fn sender(&self) -> u32 {
        list(&self.peers)[0].try_into().unwrap()
    }

    fn hlc(&self) -> (u64, u64) {
        self.hlc.zip(self.hlc_count).unwrap()
    }
}

/// The numbers of a column that holds a list.
pub fn list(text: &str) -> Vec<u64> {
    if text.is_empty() { Vec::new() } else { serde_json::from_str(text).unwrap() }
}

/// A row of a bridge's log, as far as a test looks at it.
#[derive(Clone, Debug, Deserialize)]
pub struct BridgeRow {
    pub what: String,
    pub peer: Option<u32>,
    pub address: String,
    pub reason: String,
    pub messages_sent: Option<u64>,
    pub messages_received: Option<u64>,
    pub resent: Option<u64>,
    pub lost: Option<u64>,
    pub dropped: Option<u64>,
}

/// Reads the whole rows of a bridge's log; none where there is no log yet.
pub fn bridge_rows(folder: &Path, node: u32) -> Vec<BridgeRow> {
    let content = fs::read_to_string(folder.join(format!("bridge_{node}.csv"))).unwrap_or_default();
    let whole = content.rfind('\n').map_or(0, |last| last + 1);
    csv::Reader::from_reader(&content.as_bytes()[..whole]).deserialize().map(Result::unwrap).collect()
}

/// A run's folder as another program reads it, or those of all processes of a distributed run.
pub struct Run {
    /// Each machine's rows.
    pub vms: BTreeMap<u32, Vec<Row>>,
    /// Which process each machine with a row lived in, each with a start of time of its own.
    pub homes: BTreeMap<u32, usize>,
    /// What the links did, by process: that of a node, or all of those whose logs are in one folder.
    pub bridges: Vec<Vec<BridgeRow>>,
    pub manifest: toml::Table,
    /// The rows of `summary.csv`, by column.
    pub summary: Vec<BTreeMap<String, String>>,
}

pub fn is_log(name: &str) -> bool {
    (name.starts_with("vm_") || name.starts_with("vms_")) && name.ends_with(".csv")
}

fn is_beside_logs(name: &str) -> bool {
    name == "summary.csv" || name.starts_with("bridge_")
}

/// The names of the files in a folder.
pub fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

impl Run {
    pub fn read(folder: &Path) -> Self {
        let mut vms = BTreeMap::<u32, Vec<Row>>::new();
        for name in names(folder).into_iter().filter(|name| is_log(name)) {
            let content = fs::read_to_string(folder.join(&name)).unwrap();
            assert!(content.ends_with('\n'), "{name} ends within a row");
            for row in csv::Reader::from_reader(content.as_bytes()).deserialize::<Row>() {
                let row = row.unwrap_or_else(|error| panic!("{name}: {error}"));
                vms.entry(row.vm).or_default().push(row);
            }
        }
        let manifest: toml::Table = fs::read_to_string(folder.join("run.toml")).unwrap().parse().unwrap();
        let summary = match csv::Reader::from_path(folder.join("summary.csv")) {
            Ok(mut reader) => reader.deserialize().collect::<Result<_, _>>().unwrap(),
            Err(_) => Vec::new(),
        };
        let homes = vms.keys().map(|vm| (*vm, 0)).collect();
        let nodes = match manifest.get("run").and_then(|run: &toml::Value| run.get("node")?.as_integer()) {
            Some(node) => node..node + 1,
            None => 0..manifest.get("processes").and_then(toml::Value::as_integer).unwrap_or(0),
        };
        let bridges = nodes.map(|node| bridge_rows(folder, u32::try_from(node).unwrap())).collect();
        Self { vms, homes, bridges, manifest, summary }
    }

    /// Reads the folders of a distributed run, in the order of its nodes. All have to be of the same run.
    pub fn read_all(folders: &[impl AsRef<Path>]) -> Self {
        let mut parts = folders.iter().map(|folder| Self::read(folder.as_ref()));
        let mut whole = parts.next().unwrap();
        for (part, home) in parts.zip(1..) {
            for key in ["seed", "rates", "vms", "duration", "drawn"] {
                assert_eq!(part.manifest[key], whole.manifest[key], "{key}");
            }
            assert_eq!(part.manifest["run"]["id"], whole.manifest["run"]["id"]);
            assert_eq!(part.manifest["run"]["node"].as_integer(), Some(home as i64));
            whole.homes.extend(part.vms.keys().map(|vm| (*vm, home)));
            for (vm, rows) in part.vms {
                assert!(whole.vms.insert(vm, rows).is_none(), "machine {vm} lived in two processes");
            }
            whole.bridges.extend(part.bridges);
            whole.summary.extend(part.summary);
        }
        whole
    }

    /// What a column of the bridges' logs adds up to at the end of the run.
    fn bridges_total(&self, column: impl Fn(&BridgeRow) -> Option<u64>) -> i64 {
        let totals = self.bridges.iter().flatten().filter(|row| row.what == "total" && row.peer.is_none());
        totals.map(|row| column(row).unwrap() as i64).sum()
    }

    /// Messages that were sent and of which nothing says what became of them; those that the bridges count as
    /// lost are not among them. Only processes that died leave any.
    pub fn unaccounted(&self) -> i64 {
        let sum =
            |column: &str| self.summary.iter().map(|row| row[column].parse::<i64>().unwrap()).sum::<i64>();
        let known = ["messages_received", "messages_lost", "waiting", "in_flight", "crashed"];
        sum("messages_sent") + sum("messages_duplicated")
            - known.iter().map(|column| sum(column)).sum::<i64>()
            - self.bridges_total(|row| row.lost)
            - self.bridges_total(|row| row.dropped)
    }

    /// Demands that over every link exactly what one end sent arrived at the other.
    pub fn assert_links_lost_nothing(&self) {
        let total = |node: usize, peer: usize| {
            let mut rows = self.bridges[node].iter();
            rows.find(|row| row.what == "total" && row.peer == Some(peer as u32)).unwrap()
        };
        for a in 0..self.bridges.len() {
            for b in (0..self.bridges.len()).filter(|b| *b != a) {
                let (sent, received) = (total(a, b), total(b, a));
                assert_eq!(sent.messages_sent, received.messages_received, "{sent:?} and {received:?}");
                assert_eq!((sent.lost, sent.dropped), (Some(0), Some(0)), "{sent:?}");
            }
        }
    }

    pub fn status(&self) -> &str {
        self.manifest["status"].as_str().unwrap()
    }

    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.vms.values().flatten()
    }

    /// The events that happened before each event, by following every edge.
    pub fn pasts(&self) -> BTreeMap<(u32, u64), BTreeSet<(u32, u64)>> {
        let mut direct = BTreeMap::<(u32, u64), Vec<(u32, u64)>>::new();
        for row in self.rows() {
            let causes = direct.entry((row.vm, row.event)).or_default();
            if row.event > 1 {
                causes.push((row.vm, row.event - 1));
            }
            if row.kind == "receive" {
                let (vm, event) = row.message.strip_prefix("vm").unwrap().split_once('-').unwrap();
                causes.push((vm.parse().unwrap(), event.parse().unwrap()));
            }
        }
        let mut pasts = BTreeMap::new();
        for start in direct.keys() {
            let (mut past, mut to_do) = (BTreeSet::new(), vec![*start]);
            while let Some(event) = to_do.pop() {
                to_do.extend(direct[&event].iter().filter(|cause| past.insert(**cause)));
            }
            pasts.insert(*start, past);
        }
        pasts
    }

    /// The numbers that were drawn for each machine.
    pub fn drawn(&self, what: &str) -> Vec<i64> {
        self.manifest["drawn"][what]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_integer().unwrap())
            .collect()
    }

    /// Each machine's rate, in thousandths of a tick a second.
    pub fn thousandths(&self) -> Vec<u64> {
        let rate = |value: &toml::Value| match value.as_integer() {
            Some(whole) => whole.unsigned_abs() * 1000,
            None => format!("{:.0}", value.as_float().unwrap() * 1000.0).parse().unwrap(),
        };
        self.manifest["drawn"]["rates"].as_array().unwrap().iter().map(rate).collect()
    }

    /// Demands all that the model says of a log: numbers, clocks, messages, order, queues.
    pub fn assert_sound(&self) {
        let sends: BTreeMap<&str, &Row> =
            self.rows().filter(|row| row.kind == "send").map(|row| (row.message.as_str(), row)).collect();
        for rows in self.vms.values() {
            for (index, row) in rows.iter().enumerate() {
                assert_eq!(row.event, index as u64 + 1, "{row:?}");
                assert!(index == 0 || rows[index - 1].elapsed() <= row.elapsed(), "time runs back: {row:?}");
                assert_columns_fit_the_kind(row);
            }
        }
        self.assert_clocks(&sends);
        self.assert_deliveries(&sends);
        match self.manifest["workload"].as_str() {
            Some("client-server") => self.assert_client_server(),
            Some("scale-model") => {
                assert!(self.rows().all(|row| row.payload.is_empty()), "the scale model sends no codes");
            }
            _ => {}
        }
    }

    /// Machine 0 only answers, each client at most once for an event in which it may have called, and
    /// with a code of six digits; all others receive or do something internal.
    fn assert_client_server(&self) {
        for row in self.rows() {
            let may = if row.vm == 0 { "send" } else { "receive" };
            assert!(row.kind == "internal" || row.kind == may, "{row:?}");
            let has_code = row.payload.len() == 6 && row.payload.bytes().all(|digit| digit.is_ascii_digit());
            assert!(if row.kind == "internal" { row.payload.is_empty() } else { has_code }, "{row:?}");
        }
        let server = self.vms.get(&0).map_or(&[][..], Vec::as_slice);
        let mut answers = BTreeMap::<u64, usize>::new();
        for (index, row) in server.iter().enumerate() {
            let callers = list(&row.peers);
            assert_eq!(callers.iter().collect::<BTreeSet<_>>().len(), callers.len(), "asked twice: {row:?}");
            let before = index.checked_sub(1).map(|before| server[before].elapsed());
            for caller in callers {
                let answers = answers.entry(caller).or_default();
                *answers += 1;
                self.assert_may_have_called(caller as u32, before, row, *answers);
            }
        }
    }

    /// Demands that a client, answered for so many times by now, had as many events in which to call,
    /// and where the way's length is known one whose call came after the server's event before.
    fn assert_may_have_called(&self, client: u32, before: Option<u64>, answer: &Row, answers: usize) {
        let client_vm = client;
        let client = self.vms[&client].iter().filter(|row| row.kind == "internal").map(Row::elapsed);
        let latency = self.virtual_latency();
        let mut arrivals: Vec<u64> = client.map(|call| call + latency.unwrap_or(0)).collect();
        // Processes start their time a little apart.
        arrivals.retain(|arrival| {
            *arrival <= answer.elapsed() || self.homes[&client_vm] != self.homes[&answer.vm]
        });
        assert!(answers <= arrivals.len(), "more answers than calls: {answer:?}");
        let in_time = arrivals.last().copied() > before;
        assert!(latency.is_none() || in_time, "a call that was answered or dropped before: {answer:?}");
    }

    /// How long everything travels in virtual time, where that is always as long.
    fn virtual_latency(&self) -> Option<u64> {
        let is_virtual = self.manifest["virtual-time"].as_bool() == Some(true);
        let latency = self.manifest["latency"].as_str().unwrap().parse::<Nanos>().ok();
        latency.filter(|_| is_virtual).map(Nanos::get)
    }

    /// Lamport clocks are one more than the largest of the direct predecessors', vectors the maximum
    /// with the own entry counted, hybrid clocks as in the paper.
    fn assert_clocks(&self, sends: &BTreeMap<&str, &Row>) {
        let skews = self.manifest.get("drawn").map(|_| self.drawn("skews_ns"));
        for (&vm, rows) in &self.vms {
            let vms = rows.first().map_or(0, |row| list(&row.vector).len());
            let mut lamport = 0;
            let mut vector = vec![0; vms];
            let mut hlc = (0, 0);
            for row in rows {
                let skew = skews.as_ref().map_or(0, |skews| skews[vm as usize]);
                let physical = row.elapsed().saturating_add_signed(skew);
                let cause = (row.kind == "receive").then(|| sends[row.message.as_str()]);
                if let Some(send) = cause {
                    assert_eq!(row.sender_lamport, Some(send.lamport), "{row:?}");
                    lamport = lamport.max(send.lamport);
                    vector
                        .iter_mut()
                        .zip(list(&send.vector))
                        .for_each(|(entry, stamp)| *entry = stamp.max(*entry));
                    if row.hlc.is_some() {
                        hlc = hlc.max(send.hlc());
                    }
                }
                lamport += 1;
                assert_eq!(row.lamport, lamport, "{row:?}");
                if vms > 0 {
                    vector[vm as usize] += 1;
                    assert_eq!(list(&row.vector), vector, "{row:?}");
                    assert_eq!(vector[vm as usize], row.event, "{row:?}");
                }
                if row.hlc.is_some() {
                    hlc = if physical > hlc.0 { (physical, 0) } else { (hlc.0, hlc.1 + 1) };
                    assert_eq!(row.hlc(), hlc, "{row:?}");
                }
            }
        }
    }

    /// Every receive has its one send, to this machine, not lost, and earlier; twice only where it was
    /// duplicated; and in order between two machines where the run was to keep it.
    fn assert_deliveries(&self, sends: &BTreeMap<&str, &Row>) {
        let fifo = self.manifest["fifo"].as_str() == Some("on");
        let mut received = BTreeMap::<(&str, u32), u64>::new();
        let mut latest = BTreeMap::<(u32, u32), u64>::new();
        for row in self.rows().filter(|row| row.kind == "receive") {
            let send = sends[row.message.as_str()];
            let me = u64::from(row.vm);
            assert_eq!(row.peers, format!("[{}]", send.vm), "{row:?}");
            assert!(
                list(&send.peers).contains(&me) && !list(&send.lost).contains(&me),
                "{row:?} of {send:?}"
            );
            let is_one_time = self.homes[&send.vm] == self.homes[&row.vm];
            assert!(!is_one_time || send.elapsed() <= row.elapsed(), "received before it was sent: {row:?}");
            assert_eq!(row.payload, send.payload);
            let times = received.entry((&row.message, row.vm)).or_default();
            *times += 1;
            let most = if list(&send.duplicated).contains(&me) { 2 } else { 1 };
            assert!(*times <= most, "received too often: {row:?}");
            let latest = latest.entry((send.vm, row.vm)).or_default();
            assert!(!fifo || *latest <= send.event, "overtaken: {row:?}");
            *latest = send.event;
        }
    }

    /// Demands that the summary says what the logs say, and that no message is unaccounted for.
    pub fn assert_summary(&self) {
        assert_eq!(self.unaccounted(), 0);
        self.assert_summary_rows();
    }

    /// Demands that the summary says what the logs say.
    pub fn assert_summary_rows(&self) {
        let number = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<i64>().unwrap();
        let largest = self.summary.iter().map(|row| number(row, "lamport")).max().unwrap();
        for row in &self.summary {
            let empty = Vec::new();
            let rows = self.vms.get(&row["vm"].parse().unwrap()).unwrap_or(&empty);
            let count = |kind: &str| rows.iter().filter(|row| row.kind == kind).count() as i64;
            assert_eq!(number(row, "events"), rows.len() as i64);
            for (column, kind) in [("internal", "internal"), ("send", "send"), ("receive", "receive")] {
                assert_eq!(number(row, column), count(kind), "{column}");
            }
            assert_eq!(number(row, "drift"), number(row, "lamport") - largest);
            let recipients: usize =
                rows.iter().filter(|row| row.kind == "send").map(|row| list(&row.peers).len()).sum();
            assert_eq!(number(row, "messages_sent"), recipients as i64);
            let Some(last) = rows.last() else { continue };
            let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
            assert_eq!(
                [&row["lamport"], &row["vector"], &row["hlc"], &row["hlc_count"]],
                [&last.lamport.to_string(), &last.vector, &text(last.hlc), &text(last.hlc_count)]
            );
            assert_eq!(number(row, "queue_last"), last.queue as i64);
            assert_eq!(number(row, "queue_max"), rows.iter().map(|row| row.queue as i64).max().unwrap());
            let lamports: Vec<i64> =
                std::iter::once(0).chain(rows.iter().map(|row| row.lamport as i64)).collect();
            assert_eq!(
                number(row, "jump_max"),
                lamports.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
            );
        }
    }

    /// Demands that the manifest's counts and checksums are those of the files.
    pub fn assert_manifest(&self, folder: &Path) {
        let files = self.manifest["files"].as_array().unwrap();
        let named: BTreeSet<String> =
            files.iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect();
        let found = names(folder).into_iter().filter(|name| is_log(name) || is_beside_logs(name)).collect();
        assert_eq!(named, found);
        for file in files {
            let content = fs::read(folder.join(file["name"].as_str().unwrap())).unwrap();
            assert_eq!(file["bytes"].as_integer().unwrap(), content.len() as i64);
            assert_eq!(file["crc32c"].as_str().unwrap(), format!("{:08x}", crc32c::crc32c(&content)));
            let rows = csv::Reader::from_reader(content.as_slice()).records().count();
            assert_eq!(file["rows"].as_integer().unwrap(), rows as i64);
        }
    }
}

fn assert_columns_fit_the_kind(row: &Row) {
    let own_message = format!("vm{}-{}", row.vm, row.event);
    match row.kind.as_str() {
        "internal" => {
            assert_eq!((row.peers.as_str(), row.message.as_str(), row.sender_lamport), ("", "", None));
        }
        "send" => {
            assert!(
                row.message == own_message && row.sender_lamport.is_none() && !row.peers.is_empty(),
                "{row:?}"
            );
            assert!(!list(&row.peers).contains(&u64::from(row.vm)), "sent to itself: {row:?}");
        }
        "receive" => {
            assert!(row.sender_lamport.is_some() && row.lost.is_empty() && row.duplicated.is_empty());
        }
        other => panic!("{other} is no kind of event"),
    }
}

/// How often each machine went on after its process had died, as what reads the logs knows it.
pub fn resumes(outputs: &[PathBuf]) -> Vec<usize> {
    let folders: Vec<LogFolder> = outputs
        .iter()
        .map(|output| match find(output).unwrap() {
            Found::Run(folder) => *folder,
            found => panic!("one run: {found:?}"),
        })
        .collect();
    let model = Model::of(&folders, &Registry::default());
    let logs = folders.iter().flat_map(|folder| &folder.logs);
    let machines = logs.map(|log| *log.machines.as_ref().unwrap().start());
    machines.enumerate().map(|(log, vm)| model.resumes(log, vm).len()).collect()
}
