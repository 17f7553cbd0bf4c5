//! What makes a connection secret and authentic: it stands between the connection's bytes and its frames.
//!
//! Processes of a run may share a key. Then each connection opens with a handshake of the Noise protocol
//! (`NNpsk0`: fresh keys for every connection, bound to the shared one), one message either way; and
//! everything behind it travels in *records*, each sealed and numbered. Whoever lacks the key can read
//! nothing, and whatever was changed, repeated, left out or put in on the way is an error. Whoever comes to
//! know the key later cannot read what was recorded before.
//!
//! Section numbers are those of "The Noise Protocol Framework", revision 34: `psk0` mixes the shared key in before
//! the first message (section 9), the prologue is what both ends must have seen alike (section 6), and no message is
//! longer than 65535 bytes (section 3).
//!
//! Two things it leaves to others. A connection that is cut between two records looks like one that was
//! closed: the [session](super::session) knows what is missing. And it does not look at a clock: whoever
//! owns the connection limits how long the other end may take.
//!
//! A key is no password. Who records a handshake can try out as many guesses as a computer makes, and
//! only a key that was drawn at random withstands that.

use std::fmt;

use ring::digest;
use snow::{Builder, HandshakeState, StatelessTransportState};

/// AES-GCM since processors have instructions for it: with ring 7 GB/s on one core where ChaCha20-Poly1305
/// makes 2.3, and 1 KiB in a fifth of a microsecond.
const PATTERN: &str = "Noise_NNpsk0_25519_AESGCM_SHA256";
/// Stands in front of each handshake message, so that an end without a key can tell what it meets. As the
/// head of a frame it would be a length beyond the limit. Both ends also mix it into their keys.
const MAGIC: [u8; 8] = *b"clkseal1";
/// A handshake message: a public key and a tag behind the magic.
const HANDSHAKE: usize = MAGIC.len() + 32 + TAG;

/// The bytes of a record's length, the lowest first, which counts what follows it.
const HEAD: usize = 2;
/// What a record has beside its content.
const TAG: usize = 16;
/// The most content of a record; Noise (section 3) sets the limit of 65535 bytes with the tag.
const LONGEST_CONTENT: usize = u16::MAX as usize - TAG;
/// The most records of a connection in one direction. AES-GCM would keep its promise for longer than
/// anyone can wait; a session goes on with a new connection and new keys.
const MOST_RECORDS: u64 = 1 << 40;

/// The key that all processes of a cluster share.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// Why a file's content is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It could be guessed.
    #[error(
        "a key has at least {} bytes, and this one has {bytes}; `openssl rand -hex 32` makes a good one",
        Key::SHORTEST
    )]
    Short {
        /// How many bytes the key that was given has.
        bytes: usize,
    },
    /// It is hardly meant as a key.
    #[error("a key has at most {} bytes; `openssl rand -hex 32` makes a good one", Key::LONGEST)]
    Long,
}

impl Key {
    /// The shortest secret, in bytes.
    pub const SHORTEST: usize = 16;
    /// The longest content of a key file, in bytes: no reader needs to take in more than one byte beyond it.
    pub const LONGEST: usize = 4096;

    /// The key of that secret, the content of a key file. White space around it does not count.
    ///
    /// # Errors
    ///
    /// Where it is too short or too long.
    pub fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() > Self::LONGEST {
            return Err(KeyError::Long);
        }
        let secret = secret.trim_ascii();
        if secret.len() < Self::SHORTEST {
            return Err(KeyError::Short { bytes: secret.len() });
        }
        let mut context = digest::Context::new(&digest::SHA256);
        // The same secret in another program's hands makes another key.
        context.update(b"clocklab cluster key 1\0");
        context.update(secret);
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Ok(Self(key))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Why nothing more can pass through a seal. The connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// What came is no handshake: the other end has no key, or is another program.
    #[error(
        "it does not speak with a cluster key, and this process does: all nodes need the same setting `cluster-key-file`"
    )]
    Unsealed,
    /// A handshake came to an end that has no key.
    #[error(
        "it speaks with a cluster key, and this process has none: all nodes need the same setting `cluster-key-file`"
    )]
    Sealed,
    /// The other end has another key.
    #[error("its cluster key is not this process's: all nodes need the same setting `cluster-key-file`")]
    Key,
    /// A record is not the next one that the other end sealed.
    #[error("something was changed, repeated or left out on the way")]
    Record,
    /// The connection has had its share of records.
    #[error("the connection has carried all the records that its keys are good for")]
    Exhausted,
    /// There was something to seal before the handshake was over.
    #[error("the two ends have not agreed on keys yet")]
    NotReady,
    /// The system gives no random bytes.
    #[error("no keys could be drawn for the connection")]
    NoKeys,
}

/// One end of a connection: what is to pass through it, and what came.
pub struct Seal {
    state: SealState,
    /// Handshake bytes that are to be written.
    due: Vec<u8>,
    /// The beginning of a handshake message or a record that is not complete.
    pending: Vec<u8>,
}

enum SealState {
    /// Bytes pass as they are. Counts how many of the first ones were the magic's.
    Open(usize),
    Handshake(Box<HandshakeState>),
    Ready(Box<Records>),
    Broken(SealError),
}

/// A connection's keys, and how many records they have sealed and opened.
struct Records {
    keys: StatelessTransportState,
    sent: u64,
    received: u64,
}

impl Seal {
    /// Without a key: bytes pass as they are.
    pub const fn open() -> Self {
        Self { state: SealState::Open(0), due: Vec::new(), pending: Vec::new() }
    }

    /// The end that dialled, which opens the handshake.
    pub fn dialling(key: &Key) -> Self {
        let mut due = Vec::new();
        let state =
            handshake(key, true).and_then(|mut noise| put_handshake(&mut noise, &mut due).map(|()| noise));
        Self::new(state, due)
    }

    /// The end that was dialled. It says nothing before the other end has shown that it has the key.
    pub fn accepting(key: &Key) -> Self {
        Self::new(handshake(key, false), Vec::new())
    }

    fn new(noise: Result<HandshakeState, snow::Error>, due: Vec<u8>) -> Self {
        let state = match noise {
            Ok(noise) => SealState::Handshake(Box::new(noise)),
            Err(_no_random_bytes) => SealState::Broken(SealError::NoKeys),
        };
        Self { state, due, pending: Vec::new() }
    }

    /// Appends what the handshake has to say now: at once, and again after each [`push`](Self::push) until
    /// the seal is ready.
    ///
    /// # Errors
    ///
    /// Where the handshake has failed.
    pub fn handshake(&mut self, wire: &mut Vec<u8>) -> Result<(), SealError> {
        if let SealState::Broken(error) = self.state {
            return Err(error);
        }
        wire.append(&mut self.due);
        Ok(())
    }

    /// Whether the handshake is over, and all that it had to say is taken.
    ///
    /// To the end that dialled it means that the other one has the key. To the end that was dialled it
    /// means as much as soon as a first record has come: a handshake alone may be a recorded one.
    pub const fn is_ready(&self) -> bool {
        match self.state {
            SealState::Open(_) => true,
            SealState::Ready(_) => self.due.is_empty(),
            SealState::Handshake(_) | SealState::Broken(_) => false,
        }
    }

    /// Whether there is a key, and the other end's handshake was made with it, now or when it was recorded.
    pub const fn has_agreed(&self) -> bool {
        matches!(self.state, SealState::Ready(_))
    }

    /// Takes in bytes of the connection, in whatever pieces they come, and appends what was put in at the
    /// other end. It keeps at most one record that is not complete.
    ///
    /// # Errors
    ///
    /// Where they are not what the other end has sent, now and ever after. What was appended before that
    /// is the other end's.
    pub fn push(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), SealError> {
        self.take(bytes, plain).inspect_err(|error| self.break_off(*error))
    }

    /// Appends the bytes for the connection that carry these.
    ///
    /// # Errors
    ///
    /// Before the seal is ready, and after it has failed.
    pub fn put(&mut self, plain: &[u8], wire: &mut Vec<u8>) -> Result<(), SealError> {
        match &mut self.state {
            SealState::Open(_) => wire.extend_from_slice(plain),
            SealState::Ready(records) if self.due.is_empty() => {
                for content in plain.chunks(LONGEST_CONTENT) {
                    if let Err(error) = records.seal(content, wire) {
                        self.break_off(error);
                        return Err(error);
                    }
                }
            }
            SealState::Ready(_) | SealState::Handshake(_) => return Err(SealError::NotReady),
            SealState::Broken(error) => return Err(*error),
        }
        Ok(())
    }

    fn break_off(&mut self, error: SealError) {
        // The keys go as well: nothing is to pass in either direction after the first record that is wrong.
        *self = Self { state: SealState::Broken(error), due: Vec::new(), pending: Vec::new() };
    }

    fn take(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), SealError> {
        if let SealState::Handshake(_) = self.state {
            bytes = self.shake_hands(bytes)?;
        }
        match &mut self.state {
            SealState::Open(seen) => {
                look_for_magic(seen, bytes)?;
                plain.extend_from_slice(bytes);
                Ok(())
            }
            SealState::Handshake(_) => Ok(()),
            SealState::Ready(records) => take_records(records, &mut self.pending, bytes, plain),
            SealState::Broken(error) => Err(*error),
        }
    }

    /// Takes the other end's handshake message off the front, and leaves the rest.
    fn shake_hands<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], SealError> {
        let rest = top_up(&mut self.pending, HANDSHAKE, bytes);
        debug_assert!(self.pending.len() <= HANDSHAKE, "what follows a handshake is a record");
        // Another program is told from a peer by its first bytes: it may never send as many as a handshake has.
        let known = self.pending.len().min(MAGIC.len());
        if self.pending[..known] != MAGIC[..known] {
            return Err(SealError::Unsealed);
        }
        if self.pending.len() < HANDSHAKE {
            return Ok(rest);
        }
        let SealState::Handshake(mut noise) =
            std::mem::replace(&mut self.state, SealState::Broken(SealError::NoKeys))
        else {
            return Ok(rest);
        };
        let message = &self.pending[MAGIC.len()..];
        noise.read_message(message, &mut []).map_err(|_not_authentic| SealError::Key)?;
        if !noise.is_handshake_finished() {
            put_handshake(&mut noise, &mut self.due).map_err(|_no_random_bytes| SealError::NoKeys)?;
        }
        let keys = noise.into_stateless_transport_mode().map_err(|_not_finished| SealError::NoKeys)?;
        self.state = SealState::Ready(Box::new(Records { keys, sent: 0, received: 0 }));
        self.pending.clear();
        Ok(rest)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            SealState::Open(_) => "open",
            SealState::Handshake(_) => "handshake",
            SealState::Ready(_) => "ready",
            SealState::Broken(_) => "broken",
        };
        f.debug_struct("Seal").field("state", &state).finish_non_exhaustive()
    }
}

impl Records {
    fn seal(&mut self, content: &[u8], wire: &mut Vec<u8>) -> Result<(), SealError> {
        debug_assert!((1..=LONGEST_CONTENT).contains(&content.len()), "a record of {} bytes", content.len());
        // The record's number is the cipher's nonce. AES-GCM keeps its promise only as long as no nonce comes twice under
        // a key (NIST SP 800-38D, section 8): so a number is spent before it is used, and not given back on failure.
        let number = next(&mut self.sent)?;
        let (start, length) = (wire.len(), content.len() + TAG);
        wire.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        wire.resize(start + HEAD + length, 0);
        let sealed = self.keys.write_message(number, content, &mut wire[start + HEAD..]);
        sealed.map(drop).map_err(|_too_long| {
            wire.truncate(start);
            SealError::Exhausted
        })
    }

    /// Appends the content of a record, which comes without its length.
    fn unseal(&mut self, record: &[u8], plain: &mut Vec<u8>) -> Result<(), SealError> {
        // The number is not in the record: whatever is repeated, left out or moved is opened with another nonce than
        // it was sealed with, and fails.
        let number = next(&mut self.received)?;
        let start = plain.len();
        // With room for the tag it is opened in place.
        plain.resize(start + record.len(), 0);
        let opened = self.keys.read_message(number, record, &mut plain[start..]);
        plain.truncate(start + *opened.as_ref().unwrap_or(&0));
        opened.map(drop).map_err(|_not_authentic| SealError::Record)
    }
}

/// The number of the next record in a direction.
const fn next(count: &mut u64) -> Result<u64, SealError> {
    if *count >= MOST_RECORDS {
        return Err(SealError::Exhausted);
    }
    *count += 1;
    Ok(*count - 1)
}

fn handshake(key: &Key, dials: bool) -> Result<HandshakeState, snow::Error> {
    let builder = Builder::new(PATTERN.parse()?).psk(0, &key.0)?.prologue(&MAGIC)?;
    if dials { builder.build_initiator() } else { builder.build_responder() }
}

fn put_handshake(noise: &mut HandshakeState, out: &mut Vec<u8>) -> Result<(), snow::Error> {
    let mut message = [0; HANDSHAKE - MAGIC.len()];
    noise.write_message(&[], &mut message)?;
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&message);
    Ok(())
}

/// Looks whether a connection without a key begins as one with a key.
fn look_for_magic(seen: &mut usize, bytes: &[u8]) -> Result<(), SealError> {
    let expected = &MAGIC[*seen..];
    if expected.is_empty() || bytes.is_empty() {
        return Ok(());
    }
    let count = expected.len().min(bytes.len());
    if bytes[..count] != expected[..count] {
        // Some other beginning: there is nothing more to look for.
        *seen = MAGIC.len();
        return Ok(());
    }
    *seen += count;
    if *seen == MAGIC.len() { Err(SealError::Sealed) } else { Ok(()) }
}

/// Opens all records that are complete, and keeps the beginning of the next.
fn take_records(
    records: &mut Records,
    pending: &mut Vec<u8>,
    mut bytes: &[u8],
    plain: &mut Vec<u8>,
) -> Result<(), SealError> {
    while !bytes.is_empty() {
        // Opened where it lies, as most records come whole; only the beginning of the last one of a read is copied.
        if pending.is_empty()
            && let Some(record) = first_record(bytes)?
        {
            records.unseal(record, plain)?;
            bytes = &bytes[HEAD + record.len()..];
            continue;
        }
        bytes = top_up(pending, HEAD, bytes);
        if let Some(length) = record_length(pending)? {
            bytes = top_up(pending, HEAD + length, bytes);
        }
        if let Some(record) = first_record(pending)? {
            records.unseal(record, plain)?;
            pending.clear();
        }
        debug_assert!(pending.len() < HEAD + usize::from(u16::MAX), "a whole record was kept");
    }
    Ok(())
}

/// The record at the front, without its length; none where it is not complete.
fn first_record(bytes: &[u8]) -> Result<Option<&[u8]>, SealError> {
    let length = record_length(bytes)?;
    Ok(length.and_then(|length| bytes[HEAD..].get(..length)))
}

fn record_length(bytes: &[u8]) -> Result<Option<usize>, SealError> {
    let Some(head) = bytes.first_chunk::<HEAD>() else { return Ok(None) };
    let length = usize::from(u16::from_le_bytes(*head));
    // No end seals nothing.
    if length > TAG { Ok(Some(length)) } else { Err(SealError::Record) }
}

/// Moves bytes until there are so many, and leaves the rest.
fn top_up<'a>(pending: &mut Vec<u8>, wanted: usize, bytes: &'a [u8]) -> &'a [u8] {
    let missing = wanted.saturating_sub(pending.len());
    let (now, rest) = bytes.split_at(missing.min(bytes.len()));
    pending.extend_from_slice(now);
    rest
}

#[cfg(test)]
mod tests;
