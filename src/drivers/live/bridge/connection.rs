//! One TCP connection: bytes in and out, sealed where there is a key, cut into frames.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fault::{Fault, GREETING_TIME};
use super::strangers::Credentials;
use crate::edge::link::frame::{self, FrameError, Frames, Lane};
use crate::edge::link::greeting::{self, Hello};
use crate::edge::link::seal::{Key, Seal};

/// How much is read at once, and about how much is written at once.
const PIECE: usize = 256 * 1024;

pub(super) struct Connection {
    stream: TcpStream,
    seal: Seal,
    frames: Frames,
    /// The lane of what this end writes, once the two have greeted each other.
    lane: Lane,
    buffer: Box<[u8]>,
    /// What came out of the seal, for the frames.
    plain: Vec<u8>,
    /// Bytes for the wire, and how many of them are written.
    out: Vec<u8>,
    written: usize,
    /// Bytes that passed and are not counted yet.
    traffic: (u64, u64),
}

impl Connection {
    /// A connection that this process has dialled.
    pub(super) fn dialled(stream: TcpStream, key: Option<&Key>) -> Self {
        Self::new(stream, key.map_or_else(Seal::open, Seal::dialling))
    }

    /// A connection that the other end has dialled.
    pub(super) fn accepted(stream: TcpStream, key: Option<&Key>) -> Self {
        Self::new(stream, key.map_or_else(Seal::open, Seal::accepting))
    }

    /// Connects to an address, in the time that a greeting has.
    pub(super) async fn connect(address: &str) -> Result<TcpStream, Fault> {
        let connected = tokio::time::timeout(GREETING_TIME, TcpStream::connect(address)).await;
        Ok(connected.map_err(|_elapsed| Fault::NoAnswer)??)
    }

    fn new(stream: TcpStream, seal: Seal) -> Self {
        // Where it cannot be had, small frames just take longer.
        let _ = stream.set_nodelay(true);
        let mut frames = Frames::default();
        frames.limit(greeting::LONGEST);
        // Until the two have greeted each other, little is kept for a connection.
        let buffer = vec![0; 4096].into();
        let (plain, out) = (Vec::new(), Vec::new());
        let [lane, _] = Lane::both(0);
        Self { stream, seal, frames, lane, buffer, plain, out, written: 0, traffic: (0, 0) }
    }

    /// The two have greeted each other: from now on frames go out and come in on these lanes, and long ones may come.
    pub(super) fn open_up(&mut self, [out, back]: [Lane; 2]) {
        self.lane = out;
        self.frames.follow(back);
        self.frames.limit(frame::LONGEST);
        self.buffer = vec![0; PIECE].into();
    }

    /// Writes a frame, all of it.
    pub(super) async fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        let mut frame = Vec::new();
        frame::put(&mut frame, write);
        self.queue(&frame)?;
        self.flush().await
    }

    /// Waits for the hello of the other end, and tells meanwhile what that has shown.
    pub(super) async fn hear(&mut self, show: impl Fn(Credentials)) -> Result<Hello, Fault> {
        self.seal.handshake(&mut self.out)?;
        self.flush().await?;
        loop {
            match self.frames.pop() {
                Ok(Some(body)) => return Ok(greeting::read(body)?),
                Ok(None) => {}
                Err(error) => return Err(Fault::NoGreeting(error)),
            }
            show(Credentials { has_key: self.seal.has_agreed(), bytes: self.frames.pending() });
            match self.read().await {
                Err(Fault::Closed) => return Err(Fault::Unanswered),
                read => read?,
            }
            self.seal.handshake(&mut self.out)?;
            self.flush().await?;
        }
    }

    /// Waits until the two ends have agreed on keys, where there are any.
    pub(super) async fn agree(&mut self) -> Result<(), Fault> {
        loop {
            self.seal.handshake(&mut self.out)?;
            self.flush().await?;
            if self.seal.is_ready() {
                return Ok(());
            }
            match self.read().await {
                Err(Fault::Closed) => return Err(Fault::Unanswered),
                read => read?,
            }
        }
    }

    /// The lane of what this end writes.
    pub(super) const fn lane(&mut self) -> &mut Lane {
        &mut self.lane
    }

    /// Seals a piece of plain text for the wire.
    pub(super) fn queue(&mut self, plain: &[u8]) -> Result<(), Fault> {
        Ok(self.seal.put(plain, &mut self.out)?)
    }

    /// Whether there is little enough to be written that more may be queued.
    pub(super) fn takes_more(&self) -> bool {
        self.out.len() - self.written < PIECE
    }

    /// Writes as much as the operating system takes now.
    pub(super) fn write(&mut self) -> Result<(), Fault> {
        while self.written < self.out.len() {
            match self.stream.try_write(&self.out[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    self.traffic.0 += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        loop {
            self.write()?;
            if self.out.is_empty() {
                return Ok(());
            }
            self.stream.writable().await?;
        }
    }

    /// Waits until something has come, and takes it in, or there is room for what is to be written. Nothing is lost
    /// where it is not waited for to the end.
    pub(super) async fn turn(&mut self) -> Result<(), Fault> {
        if self.out.is_empty() {
            return self.read().await;
        }
        let (mut reads, writes) = self.stream.split();
        let count = tokio::select! {
            biased;
            count = reads.read(&mut self.buffer) => count?,
            writable = writes.writable() => return Ok(writable?),
        };
        self.take(count)
    }

    /// Waits until something has come, and takes it in, up to a piece.
    ///
    /// Not by `try_read`: after that, even if it has read all that there was, the stream stays ready until a
    /// further attempt has found nothing.
    async fn read(&mut self) -> Result<(), Fault> {
        let count = self.stream.read(&mut self.buffer).await?;
        self.take(count)
    }

    fn take(&mut self, count: usize) -> Result<(), Fault> {
        if count == 0 {
            return Err(Fault::Closed);
        }
        self.traffic.1 += count as u64;
        self.plain.clear();
        self.seal.push(&self.buffer[..count], &mut self.plain)?;
        self.frames.push(&self.plain);
        Ok(())
    }

    /// The body of the next frame that is whole.
    pub(super) fn body(&mut self) -> Result<Option<&[u8]>, FrameError> {
        self.frames.pop()
    }

    /// The bytes written and read since the last time.
    pub(super) fn take_traffic(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.traffic)
    }

    /// Closes the own direction and waits a moment for the other end to close its own, so that nothing is
    /// cut off on the way.
    pub(super) async fn close(mut self) {
        const MOMENT: Duration = Duration::from_secs(1);
        let until_closed = async {
            let _ = self.stream.shutdown().await;
            while self.stream.readable().await.is_ok()
                && self.stream.try_read(&mut self.buffer).map_or_else(would_block, |count| count > 0)
            {
            }
        };
        let _ = tokio::time::timeout(MOMENT, until_closed).await;
    }
}

fn would_block(error: io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
