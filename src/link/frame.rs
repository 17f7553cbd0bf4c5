//! What a connection carries: frames, each with its length, a checksum, and a body.
//!
//! A frame is the length of its body and the CRC-32C of its body, each in four bytes with the lowest
//! first, and the body. The body's first byte is its kind.

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
    /// The body is not what was sent.
    #[error("a frame whose checksum is wrong")]
    Checksum,
}

/// Appends a frame whose body `write` appends. A body is not to be longer than [`LONGEST`].
pub fn put(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    write(out);
    let body = &out[start + HEAD..];
    debug_assert!((1..=LONGEST).contains(&body.len()), "a body of {} bytes", body.len());
    let (length, checksum) = (u32::try_from(body.len()).unwrap_or(u32::MAX), crc32c::crc32c(body));
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + HEAD].copy_from_slice(&checksum.to_le_bytes());
}

/// Finds frames in the bytes of a connection, in whatever pieces they come.
#[derive(Debug)]
pub struct Frames {
    /// The longest body that is taken.
    longest: usize,
    bytes: Vec<u8>,
    /// Bytes at the front that have been handed out.
    used: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { longest: LONGEST, bytes: Vec::new(), used: 0 }
    }
}

impl Frames {
    /// Takes bodies of so many bytes from now on, and none that is longer.
    pub const fn limit(&mut self, longest: usize) {
        self.longest = longest;
    }

    /// Takes in bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.used);
        self.used = 0;
        self.bytes.extend_from_slice(bytes);
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
        let size = length as usize;
        if !(1..=self.longest).contains(&size) {
            return Err(FrameError::Length { length, longest: self.longest });
        }
        let Some(body) = rest.get(..size) else {
            return Ok(None);
        };
        if crc32c::crc32c(body) != checksum {
            return Err(FrameError::Checksum);
        }
        self.used += HEAD + size;
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
