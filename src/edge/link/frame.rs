//! What a connection carries: frames, each with its length, a checksum, and a body.
//!
//! A frame is the length of its body and a CRC-32C, each in four bytes with the lowest first, and the body. The
//! body's first byte is its kind. The checksum is that of iSCSI (RFC 3720): it finds every burst of errors of up to
//! 32 bits, and processors have an instruction for it.
//!
//! While a connection opens the checksum is that of the body alone, so that every version can read a greeting.
//! Behind the greeting it covers the frame's [`Lane`] and its place there as well: bytes that were recorded, from
//! this connection or another, fit nowhere else. That keeps out what was mixed up; whoever makes checksums of their
//! own is kept out by a [`seal`](super::seal).

/// The longest body of a frame, 1 MiB. A longer length is refused before anything is kept for it.
pub const LONGEST: usize = 1 << 20;

/// The bytes in front of a body.
const HEAD: usize = 8;

/// Why what came over a connection is no frame. Nothing that follows on the connection can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is beyond the limit, or zero.
    #[error("a frame of {length} bytes, where 1 to {longest} were possible")]
    Length {
        /// The length that was announced.
        length: u32,
        /// The longest that is taken at that point.
        longest: usize,
    },
    /// The body is not what was sent, or was not sent here: on another connection, in the other direction, or in
    /// another place.
    #[error("a frame whose checksum is wrong, or that belongs elsewhere")]
    Checksum,
}

/// One direction of one connection, and how many frames have passed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// What the two hellos of the connection come to.
    connection: u32,
    /// Counts by two from 0, and the other direction's from 1: no place is one of both.
    place: u64,
}

impl Lane {
    /// The lanes of the end that dialled and of the other one, on the connection of that fingerprint.
    pub const fn both(connection: u32) -> [Self; 2] {
        [Self { connection, place: 0 }, Self { connection, place: 1 }]
    }

    /// The checksum of a body in the next place.
    ///
    /// A checksum of 32 bits that begins with different places differs for certain where no more than the lowest
    /// 32 bits of them do, so within four thousand million frames.
    fn checksum(self, body: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.connection, &self.place.to_le_bytes()), body)
    }

    /// Goes on to the next place.
    const fn pass(&mut self) {
        // By two, so that it stays even in one direction and odd in the other, round the end of the numbers as well.
        self.place = self.place.wrapping_add(2);
    }
}

/// Appends a frame of a greeting, whose body `write` appends. A body is not to be longer than [`LONGEST`].
pub fn put(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    write(&mut body);
    put_with(crc32c::crc32c(&body), &body, out);
}

/// Appends a frame in the next place of a lane. A body is not to be longer than [`LONGEST`].
pub fn put_on(lane: &mut Lane, body: &[u8], out: &mut Vec<u8>) {
    put_with(lane.checksum(body), body, out);
    lane.pass();
}

fn put_with(checksum: u32, body: &[u8], out: &mut Vec<u8>) {
    debug_assert!((1..=LONGEST).contains(&body.len()), "a body of {} bytes", body.len());
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(body);
}

/// Finds frames in the bytes of a connection, in whatever pieces they come.
#[derive(Debug)]
pub struct Frames {
    /// The longest body that is taken.
    longest: usize,
    /// The lane that they come on; none while the connection opens.
    lane: Option<Lane>,
    bytes: Vec<u8>,
    /// Bytes at the front that have been handed out.
    used: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { longest: LONGEST, lane: None, bytes: Vec::new(), used: 0 }
    }
}

impl Frames {
    /// Takes bodies of so many bytes from now on, and none that is longer.
    pub const fn limit(&mut self, longest: usize) {
        self.longest = longest;
    }

    /// The greeting is over: what follows comes on that lane.
    pub const fn follow(&mut self, lane: Lane) {
        self.lane = Some(lane);
    }

    /// Takes in bytes as they came from the connection, wherever they are cut; frames that are whole come out of
    /// [`pop`](Self::pop).
    pub fn push(&mut self, bytes: &[u8]) {
        debug_assert!(self.used <= self.bytes.len(), "more was handed out than came");
        // Moved once for all frames of a read, instead of at each that is handed out.
        self.bytes.drain(..self.used);
        self.used = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes have come that are not handed out.
    pub const fn pending(&self) -> usize {
        self.bytes.len() - self.used
    }

    /// The body of the next frame; none where it is not complete yet.
    ///
    /// # Errors
    ///
    /// Where the bytes are no frame.
    pub fn pop(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let Some((head, rest)) = self.bytes[self.used..].split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [l0, l1, l2, l3, c0, c1, c2, c3] = *head;
        let (length, checksum) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([c0, c1, c2, c3]));
        // Before its body has come: a length costs the other end four bytes, and is not to cost this one a mebibyte.
        let size = length as usize;
        if !(1..=self.longest).contains(&size) {
            return Err(FrameError::Length { length, longest: self.longest });
        }
        let Some(body) = rest.get(..size) else {
            return Ok(None);
        };
        if self.lane.map_or_else(|| crc32c::crc32c(body), |lane| lane.checksum(body)) != checksum {
            return Err(FrameError::Checksum);
        }
        if let Some(lane) = &mut self.lane {
            lane.pass();
        }
        self.used += HEAD + size;
        debug_assert!(self.used <= self.bytes.len(), "a frame ends behind the bytes that came");
        Ok(Some(body))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_come_back_from_any_pieces(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..10),
            piece in 1usize..40,
        ) {
            let mut bytes = Vec::new();
            bodies.iter().for_each(|body| put(&mut bytes, |out| out.extend_from_slice(body)));
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(piece) {
                frames.push(piece);
                while let Some(body) = frames.pop().unwrap() {
                    found.push(body.to_vec());
                }
            }
            prop_assert_eq!(found, bodies);
        }

        #[test]
        fn a_flipped_bit_never_gives_another_body(body in proptest::collection::vec(any::<u8>(), 1..50), bit: usize) {
            let mut bytes = Vec::new();
            put(&mut bytes, |out| out.extend_from_slice(&body));
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut frames = Frames::default();
            frames.push(&bytes);
            prop_assert!(!matches!(frames.pop(), Ok(Some(_))));
        }

        /// Any frame of two connections, in any place of a lane but its own, is refused.
        #[test]
        fn a_frame_fits_its_own_place_alone(
            body in proptest::collection::vec(any::<u8>(), 1..20),
            (connections, ours, theirs) in ((any::<u32>(), any::<u32>()), (0usize..2, 0u64..50), (0usize..2, 0u64..50)),
            other: bool,
        ) {
            let lane = |connection, (direction, place): (usize, u64)| {
                let mut lane = Lane::both(connection)[direction];
                (0..place).for_each(|_| lane.pass());
                lane
            };
            let there = if other { connections.1 } else { connections.0 };
            let is_its_own = (connections.0, ours) == (there, theirs);
            let mut bytes = Vec::new();
            put_on(&mut lane(connections.0, ours), &body, &mut bytes);
            let mut frames = Frames::default();
            frames.follow(lane(there, theirs));
            frames.push(&bytes);
            prop_assert_eq!(frames.pop().is_ok(), is_its_own);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut frames = Frames::default();
            frames.push(&bytes);
            while let Ok(Some(_)) = frames.pop() {}
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_at_once() {
        let mut frames = Frames::default();
        frames.push(b"GET / HTTP/1.1\r\n");
        assert_eq!(
            frames.pop(),
            Err(FrameError::Length { length: u32::from_le_bytes(*b"GET "), longest: LONGEST })
        );
        let mut frames = Frames::default();
        frames.push(&[0; 8]);
        assert_eq!(frames.pop(), Err(FrameError::Length { length: 0, longest: LONGEST }));
        let mut frames = Frames::default();
        frames.limit(4);
        put(&mut frames.bytes, |body| body.extend_from_slice(b"12345"));
        assert_eq!(frames.pop(), Err(FrameError::Length { length: 5, longest: 4 }));
        frames.limit(5);
        assert!(matches!(frames.pop(), Ok(Some(b"12345"))));
    }
}
