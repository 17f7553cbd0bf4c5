//! Bare TCP: what the machine can do at all. Nothing is acknowledged, sent again or checked but the order.

#![allow(unreachable_pub, reason = "a module of a bench")]

use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peer::{self, Peer};

/// Three numbers.
const RECORD: usize = 24;
const BATCH: usize = 64 * 1024;

fn connected(part: &str) -> (Peer, TcpStream) {
    let mut peer = Peer::start(&[part]);
    let stream = TcpStream::connect(peer.hear()).expect("the peer listens");
    stream.set_nodelay(true).expect("a socket");
    (peer, stream)
}

fn accept() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    peer::say(listener.local_addr().expect("a socket"));
    let (stream, _) = listener.accept().expect("the bench connects");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Records one way, in large pieces.
pub struct Batched {
    _peer: Peer,
    stream: TcpStream,
    next: u64,
}

impl Batched {
    pub fn start() -> Self {
        let (peer, stream) = connected("tcp-count");
        Self { _peer: peer, stream, next: 0 }
    }

    /// Nanoseconds a record until the peer tells that it has all of them.
    pub fn stream(&mut self, records: u64) -> f64 {
        let begun = Instant::now();
        let mut out = BufWriter::with_capacity(BATCH, &self.stream);
        for left in (0..records).rev() {
            self.next += 1;
            let mut record = [0; RECORD];
            record[..8].copy_from_slice(&self.next.to_le_bytes());
            record[8..16].copy_from_slice(&(self.next * 1000).to_le_bytes());
            record[16..].copy_from_slice(&left.to_le_bytes());
            out.write_all(&record).expect("the peer reads");
        }
        out.flush().expect("the peer reads");
        drop(out);
        (&self.stream).read_exact(&mut [0]).expect("the peer answers");
        begun.elapsed().as_nanos() as f64 / records as f64
    }
}

/// The other end of [`Batched`].
pub fn count() {
    let mut stream = accept();
    let (mut buffer, mut filled, mut next) = (vec![0; BATCH], 0, 0u64);
    while let Ok(count @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += count;
        let whole = filled / RECORD * RECORD;
        for record in buffer[..whole].chunks_exact(RECORD) {
            let number = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().expect("eight bytes"));
            next += 1;
            assert_eq!(number(0), next, "a record out of its place");
            if number(16) == 0 {
                stream.write_all(&[1]).expect("the bench reads");
            }
        }
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

/// A lone record forth and back, both ends in tokio.
pub struct PingPong {
    _peer: Peer,
    stream: tokio::net::TcpStream,
    runtime: tokio::runtime::Runtime,
}

impl PingPong {
    pub fn start() -> Self {
        let (peer, stream) = connected("tcp-echo");
        let runtime = runtime();
        let stream = asynchronous(&runtime, stream);
        Self { _peer: peer, stream, runtime }
    }

    /// The times of so many round trips.
    pub fn rounds(&mut self, count: usize) -> Vec<Duration> {
        let (runtime, stream) = (&self.runtime, &mut self.stream);
        runtime.block_on(async {
            let (mut record, mut times) = ([7; RECORD], Vec::with_capacity(count));
            for _ in 0..count {
                let begun = Instant::now();
                stream.write_all(&record).await.expect("the peer reads");
                stream.read_exact(&mut record).await.expect("the peer answers");
                times.push(begun.elapsed());
            }
            times
        })
    }
}

/// The other end of [`PingPong`].
pub fn echo() {
    let runtime = runtime();
    let mut stream = asynchronous(&runtime, accept());
    runtime.block_on(async {
        let mut record = [0; RECORD];
        while stream.read_exact(&mut record).await.is_ok() && stream.write_all(&record).await.is_ok() {}
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn asynchronous(runtime: &tokio::runtime::Runtime, stream: TcpStream) -> tokio::net::TcpStream {
    stream.set_nonblocking(true).expect("a socket");
    runtime.block_on(async { tokio::net::TcpStream::from_std(stream) }).expect("a socket")
}
