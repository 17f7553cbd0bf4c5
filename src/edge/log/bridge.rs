//! `bridge_<node>.csv`: what the links of one process of a distributed run did, one row a happening.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use memchr::{memchr_iter, memrchr};
use serde::{Deserialize, Serialize};

use super::cell::guarded;
use super::reader::{Cells, Chunks, RawLine, seconds};
use super::{FileEntry, LogError, LogFile};
use crate::edge::input;
use crate::model::text::words;
use crate::model::time::Nanos;

/// The columns of a bridge's log.
pub(super) const COLUMNS: [&str; 16] = [
    "elapsed_s",
    "system_time",
    "what",
    "peer",
    "address",
    "reason",
    "messages_sent",
    "frames_sent",
    "bytes_sent",
    "messages_received",
    "frames_received",
    "bytes_received",
    "resent",
    "repeated",
    "lost",
    "dropped",
];

words! {
    /// What happened to a bridge or to one of its links.
    pub enum Happening {
        /// It listens at that address.
        Listen = "listen",
        /// A connection that this process dialled is in use.
        Connect = "connect",
        /// A connection that the peer dialled is in use.
        Accept = "accept",
        /// A connection was closed, since who dialled it does not belong here.
        Refuse = "refuse",
        /// The peer has closed a connection that this process dialled, or none could be made.
        Fail = "fail",
        /// The connection in use is lost.
        Lost = "lost",
        /// A connection is in use again, and the link goes on where it was.
        Back = "back",
        /// Messages are sent again, since nobody knows whether they arrived.
        Resent = "resent",
        /// The peer was started again; what its predecessor had not acknowledged is lost.
        Restarted = "restarted",
        /// What is lost with processes that died has been counted from logs at both ends.
        Counted = "counted",
        /// Messages were dropped before they were given to the link.
        Dropped = "dropped",
        /// The run starts, or goes on, in this process.
        Start = "start",
        /// The peer has left before the run's end.
        Left = "left",
        /// The peer is not waited for any longer; what it had not acknowledged is lost.
        Gone = "gone",
        /// Both ends have sent and received all that they ever will.
        End = "end",
        /// The link's counters at the end of the run.
        Total = "total",
    }
}

/// What has passed over a link so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Messages given to the link.
    pub messages_sent: u64,
    /// Frames written to its connections.
    pub frames_sent: u64,
    /// Bytes written to them.
    pub bytes_sent: u64,
    /// Messages that arrived, each counted once.
    pub messages_received: u64,
    /// Frames read from its connections.
    pub frames_received: u64,
    /// Bytes read from them.
    pub bytes_received: u64,
    /// Messages sent again after a reconnect.
    pub resent: u64,
    /// Messages that arrived again, and were left out.
    pub repeated: u64,
    /// Messages that were given to the link and of which nobody knows whether they arrived, since the other
    /// process died or left.
    pub lost: u64,
    /// Messages that the link did not take: the other process had left, or too much was waiting for it.
    pub dropped: u64,
}

impl Traffic {
    /// The sum of what two connections, or two links, have carried.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            messages_sent: self.messages_sent + other.messages_sent,
            frames_sent: self.frames_sent + other.frames_sent,
            bytes_sent: self.bytes_sent + other.bytes_sent,
            messages_received: self.messages_received + other.messages_received,
            frames_received: self.frames_received + other.frames_received,
            bytes_received: self.bytes_received + other.bytes_received,
            resent: self.resent + other.resent,
            repeated: self.repeated + other.repeated,
            lost: self.lost + other.lost,
            dropped: self.dropped + other.dropped,
        }
    }
}

/// One row of a bridge's log.
#[derive(Clone, Copy, Debug)]
pub struct BridgeRow<'a> {
    /// Time since the run's start; none before it.
    pub elapsed: Option<Nanos>,
    /// The time of day.
    pub time: Timestamp,
    /// Which of the things that happen to links this row tells of.
    pub what: Happening,
    /// The node at the other end, where it is known.
    pub peer: Option<u32>,
    /// The other end's address, or for `listen` the own one.
    pub address: &'a str,
    /// Why it was refused or lost, in words for people; empty where nothing went wrong.
    pub reason: &'a str,
    /// The link's counters; none where there is no link.
    pub traffic: Option<Traffic>,
}

/// A bridge's log while it grows; each row is with the operating system when it was written.
#[derive(Debug)]
pub struct BridgeLog(LogFile);

impl BridgeLog {
    /// Makes a new log, with its header.
    ///
    /// # Errors
    ///
    /// Where the file is there already or cannot be made.
    pub fn create(path: PathBuf) -> Result<Self, LogError> {
        LogFile::create_with(path, |out| put(&COLUMNS, out)).map(Self)
    }

    /// Goes on with a log that is there, or makes a new one. A torn last row is cut off.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or written.
    pub fn resume(path: PathBuf) -> Result<Self, LogError> {
        let Lines { count: lines, bytes: whole, crc32c } = match input::open(&path).and_then(whole_lines) {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::create(path),
            Err(source) => return Err(LogError::Create { path, source }),
        };
        let opened = OpenOptions::new().write(true).open(&path).and_then(|mut file| {
            file.set_len(whole)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        });
        match opened {
            Ok(file) => LogFile::reopened(
                path,
                file,
                |out| put(&COLUMNS, out),
                lines.saturating_sub(1),
                (whole, crc32c),
            )
            .map(Self),
            Err(source) => Err(LogError::Create { path, source }),
        }
    }

    /// Writes a row.
    ///
    /// # Errors
    ///
    /// Where it cannot be written whole.
    pub fn write(&mut self, row: &BridgeRow<'_>) -> Result<(), LogError> {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let elapsed = row.elapsed.map(Nanos::split);
        let traffic = |of: fn(Traffic) -> u64| number(row.traffic.map(of));
        let fields = [
            elapsed.map(|(seconds, nanos)| format!("{seconds}.{nanos:09}")).unwrap_or_default(),
            format!("{:.6}", row.time),
            row.what.to_string(),
            number(row.peer.map(u64::from)),
            guarded(row.address).into_owned(),
            guarded(row.reason).into_owned(),
            traffic(|traffic| traffic.messages_sent),
            traffic(|traffic| traffic.frames_sent),
            traffic(|traffic| traffic.bytes_sent),
            traffic(|traffic| traffic.messages_received),
            traffic(|traffic| traffic.frames_received),
            traffic(|traffic| traffic.bytes_received),
            traffic(|traffic| traffic.resent),
            traffic(|traffic| traffic.repeated),
            traffic(|traffic| traffic.lost),
            traffic(|traffic| traffic.dropped),
        ];
        self.0.append_with(|out| put(&fields, out));
        self.0.flush()
    }

    /// Checks that the file holds what was written, and closes it.
    ///
    /// # Errors
    ///
    /// Where it does not.
    pub fn finish(self) -> Result<FileEntry, LogError> {
        self.0.finish()
    }
}

/// The whole lines of a file.
struct Lines {
    count: u64,
    bytes: u64,
    crc32c: u32,
}

/// Goes through a file without keeping it.
fn whole_lines(mut file: impl Read) -> io::Result<Lines> {
    let mut whole = Lines { count: 0, bytes: 0, crc32c: 0 };
    let (mut read, mut checksum, mut buffer) = (0, 0, vec![0; 64 * 1024]);
    loop {
        let piece = match file.read(&mut buffer) {
            Ok(0) => return Ok(whole),
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = memrchr(b'\n', piece).map_or(0, |last| last + 1);
        checksum = crc32c::crc32c_append(checksum, &piece[..end]);
        if end > 0 {
            let count = whole.count + memchr_iter(b'\n', piece).count() as u64;
            whole = Lines { count, bytes: read + end as u64, crc32c: checksum };
        }
        checksum = crc32c::crc32c_append(checksum, &piece[end..]);
        read += piece.len() as u64;
    }
}

/// When the run went on in a process that had died, by the log of its bridge: its later starts. What cannot be read
/// of it is left out.
pub(super) fn resumes(path: &Path) -> Vec<Nanos> {
    let Ok(file) = input::open(path) else { return Vec::new() };
    let place = |name| COLUMNS.iter().position(|column| *column == name).unwrap_or(COLUMNS.len());
    let (elapsed, what) = (place("elapsed_s"), place("what"));
    let (mut lines, mut cells, mut starts) = (Chunks::new(file), Cells::default(), Vec::new());
    while let Ok(RawLine::Whole(range)) = lines.next_line() {
        let line = &lines.buffer[range];
        if cells.split(line).is_err() {
            break;
        }
        let text = cells.text(line);
        let cell = |place| (place < cells.count()).then(|| cells.cell(place, text));
        if cell(what).and_then(|what| str::from_utf8(what).ok()?.parse().ok()) == Some(Happening::Start) {
            starts.push(cell(elapsed).and_then(seconds));
        }
    }
    starts.into_iter().skip(1).flatten().collect()
}

/// Appends a row of CSV.
fn put<T: AsRef<[u8]>>(fields: &[T], out: &mut Vec<u8>) {
    let mut writer = csv::WriterBuilder::new().from_writer(&mut *out);
    writer.write_record(fields).and_then(|()| Ok(writer.flush()?)).expect("memory takes all that is written");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_row_a_happening_with_time_peer_reason_and_counters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bridge_1.csv");
        let mut log = BridgeLog::create(path.clone()).unwrap();
        let time = Timestamp::UNIX_EPOCH;
        let listen = BridgeRow {
            elapsed: None,
            time,
            what: Happening::Listen,
            peer: None,
            address: "127.0.0.1:7000",
            reason: "",
            traffic: None,
        };
        log.write(&listen).unwrap();
        let traffic = Traffic { messages_sent: 7, lost: 2, ..Traffic::default() };
        let lost = BridgeRow {
            elapsed: Some(Nanos::new(1_500_000_000)),
            what: Happening::Lost,
            peer: Some(2),
            reason: "reset, as \"they\" say",
            traffic: Some(traffic),
            ..listen
        };
        log.write(&lost).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "elapsed_s,system_time,what,peer,address,reason,messages_sent,frames_sent,bytes_sent,messages_received,\
             frames_received,bytes_received,resent,repeated,lost,dropped\n\
             ,1970-01-01T00:00:00.000000Z,listen,,127.0.0.1:7000,,,,,,,,,,,\n\
             1.500000000,1970-01-01T00:00:00.000000Z,lost,2,127.0.0.1:7000,\"reset, as \"\"they\"\" say\",\
             7,0,0,0,0,0,0,0,2,0\n"
        );
        drop(log);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"torn").unwrap();
        let mut log = BridgeLog::resume(path.clone()).unwrap();
        log.write(&listen).unwrap();
        let content = fs::read(&path).unwrap();
        let entry = log.finish().unwrap();
        assert_eq!((entry.rows, entry.bytes), (3, content.len() as u64));
        assert_eq!(entry.crc32c, format!("{:08x}", crc32c::crc32c(&content)));
    }
}
