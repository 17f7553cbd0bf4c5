//! As much of protobuf's wire format as a trace needs: fields of four kinds.
//!
//! See <https://protobuf.dev/programming-guides/encoding/>.

/// A message that is being written at the end of a buffer.
#[derive(Debug)]
pub(super) struct ProtoMessage<'a>(pub(super) &'a mut Vec<u8>);

/// How a field's value is written.
enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
}

impl ProtoMessage<'_> {
    /// A number in as few bytes as it needs.
    pub(super) fn number(&mut self, field: u32, value: u64) {
        self.key(field, WireType::Varint);
        self.varint(value);
    }

    /// A number in eight bytes.
    pub(super) fn fixed(&mut self, field: u32, value: u64) {
        self.key(field, WireType::Fixed64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn text(&mut self, field: u32, value: &str) {
        self.key(field, WireType::Length);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    /// A message within this one.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut ProtoMessage<'_>)) {
        self.key(field, WireType::Length);
        let start = self.0.len();
        write(&mut ProtoMessage(self.0));
        let end = self.0.len();
        // The length stands before it and is known now. To turn the few bytes of a packet costs less than to write it
        // twice, or to count it first.
        debug_assert!(end >= start, "a message is only appended to");
        self.varint((end - start) as u64);
        let length = self.0.len() - end;
        self.0[start..].rotate_right(length);
    }

    fn key(&mut self, field: u32, wire_type: WireType) {
        debug_assert!((1..1 << 29).contains(&field), "field {field} has no key");
        self.varint(u64::from(field) << 3 | wire_type as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the format's own documentation, and lengths of more than one byte.
    #[test]
    fn fields_are_written_as_the_format_says() {
        let written = |write: fn(&mut ProtoMessage<'_>)| {
            let mut out = Vec::new();
            write(&mut ProtoMessage(&mut out));
            out
        };
        assert_eq!(written(|message| message.number(1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(written(|message| message.text(2, "testing")), *b"\x12\x07testing");
        assert_eq!(
            written(|message| message.message(3, |inner| inner.number(1, 150))),
            [0x1a, 0x03, 0x08, 0x96, 0x01]
        );
        assert_eq!(written(|message| message.fixed(16, 1)), [0x81, 0x01, 1, 0, 0, 0, 0, 0, 0, 0]);
        let long = written(|message| message.message(1, |inner| inner.text(1, &"x".repeat(300))));
        assert_eq!(long[..6], [0x0a, 0xaf, 0x02, 0x0a, 0xac, 0x02]);
        assert_eq!(long.len(), 306);
        let largest = written(|message| message.number(1, u64::MAX));
        assert_eq!(largest.len(), 11);
    }
}
