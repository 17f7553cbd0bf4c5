//! Numbers, times and texts as several formats write them.

use itoa::Buffer;

use crate::model::event::MessageId;
use crate::model::id::VmId;
use crate::model::time::Nanos;

pub(super) fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(Buffer::new().format(number).as_bytes());
}

/// An event's name, which is that of its message where it is a send.
pub(super) fn event_name(event: MessageId, out: &mut Vec<u8>) {
    out.extend_from_slice(b"vm");
    number(u64::from(event.sender.0), out);
    out.push(b'-');
    number(event.event, out);
}

/// Seconds with 9 decimals: an exact number for whoever reads it as one.
pub(super) fn seconds(time: Nanos, out: &mut Vec<u8>) {
    let (seconds, nanos) = time.split();
    number(seconds, out);
    out.push(b'.');
    let mut digits = Buffer::new();
    let digits = digits.format(nanos).as_bytes();
    out.extend(std::iter::repeat_n(b'0', 9usize.saturating_sub(digits.len())));
    out.extend_from_slice(digits);
}

/// Machines with a comma between them.
pub(super) fn machines<'a>(machines: impl IntoIterator<Item = &'a VmId>, out: &mut Vec<u8>) {
    for (index, vm) in machines.into_iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        number(u64::from(vm.0), out);
    }
}

/// A text in quotes as JSON has it, and on one line for everybody: JavaScript has more ends of lines than JSON.
pub(super) fn json_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for char in text.chars() {
        match char {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(char)).as_bytes());
            }
            char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
