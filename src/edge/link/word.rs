//! What processes tell each other beside messages: when the run starts, and who leaves it.
//!
//! A word is numbered like a parcel, so it arrives once and in its place among the messages.

use super::wire::{Reader, put_number};
use crate::model::time::Nanos;

/// What one process tells another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// To node 0: the process is ready to start, or to go on from there if it was started again.
    Ready {
        /// How far its logs go; zero in a new run.
        elapsed: Nanos,
    },
    /// The run has come so far, or starts now.
    Start {
        /// Time since the run's start.
        elapsed: Nanos,
    },
    /// What the logs and links of this process tell of the messages that the other one, and those before it, had
    /// sent here until the present session began.
    Known {
        /// How many have arrived, or were received before this process was started again.
        received: u64,
    },
    /// The latest event of a machine of the other process at which it sent a message that has come here, over links
    /// or by the logs of this process. These come before [`Known`](Self::Known).
    Heard {
        /// Which machine of the other process, by its number.
        machine: u32,
        /// The number of that event in the machine.
        event: u64,
    },
    /// The process makes no more ticks. Its end of the session follows.
    Farewell {
        /// The largest Lamport clock of its machines.
        lamport: u64,
        /// Whether it leaves before the run's end, and does not wait for the others.
        early: bool,
    },
}

const READY: u8 = 1;
const START: u8 = 2;
const FAREWELL: u8 = 3;
const KNOWN: u8 = 4;
const HEARD: u8 = 5;

impl Word {
    /// The word as bytes.
    pub(super) fn payload(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(12);
        let (kind, number) = match self {
            Self::Ready { elapsed } => (READY, elapsed.get()),
            Self::Start { elapsed } => (START, elapsed.get()),
            Self::Farewell { lamport, .. } => (FAREWELL, lamport),
            Self::Known { received } => (KNOWN, received),
            Self::Heard { event, .. } => (HEARD, event),
        };
        // Kind and number stand first in every word, and are read before it is known which one it is; what only some have follows.
        out.push(kind);
        put_number(number, &mut out);
        match self {
            Self::Farewell { early, .. } => out.push(u8::from(early)),
            Self::Heard { machine, .. } => put_number(u64::from(machine), &mut out),
            Self::Ready { .. } | Self::Start { .. } | Self::Known { .. } => {}
        }
        out
    }

    /// The word that these bytes are; none where they are none.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        let (kind, number) = (reader.byte()?, reader.number()?);
        let word = match kind {
            READY => Self::Ready { elapsed: Nanos::new(number) },
            START => Self::Start { elapsed: Nanos::new(number) },
            KNOWN => Self::Known { received: number },
            HEARD => Self::Heard { machine: reader.small()?, event: number },
            FAREWELL => Self::Farewell { lamport: number, early: reader.byte()? != 0 },
            _ => return None,
        };
        reader.is_empty().then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_is_read_back(number: u64, machine: u32, early: bool) {
            let elapsed = Nanos::new(number);
            let farewell = Word::Farewell { lamport: number, early };
            let known = Word::Known { received: number };
            let heard = Word::Heard { machine, event: number };
            for word in [Word::Ready { elapsed }, Word::Start { elapsed }, farewell, known, heard] {
                prop_assert_eq!(Word::read(&word.payload()), Some(word));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = Word::read(&bytes);
        }
    }
}
