//! What a seal promises: the same bytes at the other end, or an error, and nothing else.

use proptest::prelude::*;

use super::*;
use crate::edge::link::frame::{FrameError, Frames};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef\n";

fn key() -> Key {
    Key::new(SECRET).unwrap()
}

fn other_key() -> Key {
    Key::new(b"another secret of some length").unwrap()
}

/// The two ends of a connection whose handshake came in pieces of that size.
fn pair(piece: usize) -> (Seal, Seal) {
    let (mut dials, mut accepts) = (Seal::dialling(&key()), Seal::accepting(&key()));
    for _ in 0..2 {
        pass_handshake(&mut dials, &mut accepts, piece);
        pass_handshake(&mut accepts, &mut dials, piece);
    }
    assert!(dials.is_ready() && accepts.is_ready());
    (dials, accepts)
}

fn pass_handshake(from: &mut Seal, to: &mut Seal, piece: usize) {
    let (mut wire, mut plain) = (Vec::new(), Vec::new());
    from.handshake(&mut wire).unwrap();
    for piece in wire.chunks(piece) {
        to.push(piece, &mut plain).unwrap();
    }
    assert_eq!(plain, b"");
}

fn sealed(seal: &mut Seal, plain: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    seal.put(plain, &mut wire).unwrap();
    wire
}

/// What comes out of some bytes until they end or something is wrong.
fn opened(seal: &mut Seal, wire: &[u8], piece: usize) -> (Vec<u8>, Result<(), SealError>) {
    let mut plain = Vec::new();
    let result = wire.chunks(piece).try_for_each(|piece| {
        let result = seal.push(piece, &mut plain);
        assert!(seal.pending.len() <= HEAD + usize::from(u16::MAX), "{}", seal.pending.len());
        result
    });
    (plain, result)
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..200, 65_000usize..66_000, 131_000usize..132_000, 1_048_000usize..1_300_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_arrive_in_both_directions_from_any_pieces(
        puts in proptest::collection::vec((sizes(), any::<bool>()), 0..5),
        (greeting_piece, piece) in (1usize..80, prop_oneof![1usize..100, 1_000usize..200_000]),
    ) {
        let (mut dials, mut accepts) = pair(greeting_piece);
        for (size, forth) in puts {
            let (from, to) = if forth { (&mut dials, &mut accepts) } else { (&mut accepts, &mut dials) };
            let plain = noise(size);
            let wire = sealed(from, &plain);
            prop_assert_eq!(wire.len(), size + size.div_ceil(LONGEST_CONTENT) * (HEAD + TAG));
            let (found, result) = opened(to, &wire, piece);
            prop_assert_eq!(result, Ok(()));
            prop_assert!(found == plain);
        }
    }

    #[test]
    fn puts_of_any_sizes_are_one_stream(
        puts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..30), piece in 1usize..200,
    ) {
        let (mut dials, mut accepts) = pair(56);
        let wire: Vec<u8> = puts.iter().flat_map(|put| sealed(&mut dials, put)).collect();
        prop_assert_eq!(opened(&mut accepts, &wire, piece), (puts.concat(), Ok(())));
    }

    #[test]
    fn a_flipped_bit_is_an_error_and_never_other_bytes(at: prop::sample::Index, bit in 0u8..8, piece in 1usize..5_000) {
        let (mut dials, mut accepts) = pair(56);
        let plain = noise(4_000);
        let mut wire: Vec<u8> = plain.chunks(1_000).flat_map(|put| sealed(&mut dials, put)).collect();
        let at = at.index(wire.len());
        wire[at] ^= 1 << bit;
        // A length that has grown shows when as many bytes have come.
        wire.extend(sealed(&mut dials, &noise(70_000)));
        let (found, result) = opened(&mut accepts, &wire, piece);
        prop_assert_eq!(result, Err(SealError::Record));
        prop_assert!(plain.starts_with(&found) && found.len() < plain.len());
        prop_assert_eq!(accepts.push(&wire, &mut Vec::new()), Err(SealError::Record), "and it stays one");
        prop_assert_eq!(accepts.put(b"x", &mut Vec::new()), Err(SealError::Record));
    }

    #[test]
    fn a_flipped_bit_of_the_handshake_is_an_error(of_the_second: bool, at in 0..HANDSHAKE, bit in 0u8..8) {
        let (mut dials, mut accepts) = (Seal::dialling(&key()), Seal::accepting(&key()));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        dials.handshake(&mut first).unwrap();
        if !of_the_second {
            first[at] ^= 1 << bit;
        }
        let accepted = accepts.push(&first, &mut Vec::new());
        if !of_the_second {
            prop_assert_eq!(accepted, Err(if at < MAGIC.len() { SealError::Unsealed } else { SealError::Key }));
            prop_assert!(accepts.handshake(&mut second).is_err() && second.is_empty());
            return Ok(());
        }
        accepts.handshake(&mut second).unwrap();
        second[at] ^= 1 << bit;
        let result = dials.push(&second, &mut Vec::new());
        prop_assert_eq!(result, Err(if at < MAGIC.len() { SealError::Unsealed } else { SealError::Key }));
    }

    #[test]
    fn records_that_are_repeated_swapped_or_left_out_are_errors(
        records in proptest::collection::vec(1usize..60, 3..10), at: prop::sample::Index, how in 0..3,
    ) {
        let (mut dials, mut accepts) = pair(56);
        let mut wires: Vec<_> = records.iter().map(|size| sealed(&mut dials, &noise(*size))).collect();
        let at = at.index(wires.len() - 1);
        match how {
            0 => wires.insert(at + 1, wires[at].clone()),
            1 => wires.swap(at, at + 1),
            _ => drop(wires.remove(at)),
        }
        let (found, result) = opened(&mut accepts, &wires.concat(), 17);
        prop_assert_eq!(result, Err(SealError::Record));
        let intact = records[..at + usize::from(how == 0)].iter().flat_map(|size| noise(*size));
        prop_assert_eq!(found, intact.collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_refused_or_waited_for(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), with_magic: bool, piece in 1usize..100,
    ) {
        let bytes = if with_magic { [&MAGIC, bytes.as_slice()].concat() } else { bytes };
        for mut seal in [Seal::dialling(&key()), Seal::accepting(&key()), pair(56).0, pair(56).1] {
            prop_assert_eq!(opened(&mut seal, &bytes, piece).0, b"");
        }
        let (found, _) = opened(&mut Seal::open(), &bytes, piece);
        prop_assert!(bytes.starts_with(&found));
    }

    #[test]
    fn without_a_key_bytes_pass_as_they_are(
        first in 0u8..b'c', rest in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..100,
    ) {
        let bytes = [&[first], rest.as_slice()].concat();
        let mut seal = Seal::open();
        prop_assert!(seal.is_ready());
        prop_assert_eq!(sealed(&mut seal, &bytes), bytes.clone());
        prop_assert_eq!(opened(&mut seal, &bytes, piece), (bytes, Ok(())));
    }
}

#[test]
fn the_end_that_accepts_finds_a_wrong_key_before_it_says_a_word() {
    for (dials_with, accepts_with) in [(key(), other_key()), (other_key(), key())] {
        let (mut dials, mut accepts) = (Seal::dialling(&dials_with), Seal::accepting(&accepts_with));
        let (mut wire, mut answer) = (Vec::new(), Vec::new());
        accepts.handshake(&mut answer).unwrap();
        dials.handshake(&mut wire).unwrap();
        assert_eq!(accepts.push(&wire, &mut Vec::new()), Err(SealError::Key));
        assert_eq!(accepts.handshake(&mut answer), Err(SealError::Key));
        assert_eq!((accepts.is_ready(), answer.as_slice()), (false, &b""[..]));
    }
}

#[test]
fn an_end_with_a_key_and_one_without_find_each_other_out() {
    let mut wire = Vec::new();
    Seal::dialling(&key()).handshake(&mut wire).unwrap();
    for piece in [1, 3, 100] {
        assert_eq!(opened(&mut Seal::open(), &wire, piece).1, Err(SealError::Sealed));
        let frame = [9, 0, 0, 0, 1, 2, 3, 4, 1];
        assert_eq!(opened(&mut Seal::accepting(&key()), &frame, piece).1, Err(SealError::Unsealed));
        assert_eq!(opened(&mut Seal::dialling(&key()), &frame, piece).1, Err(SealError::Unsealed));
    }
    let mut frames = Frames::default();
    frames.push(&MAGIC);
    assert!(matches!(frames.pop(), Err(FrameError::Length { .. })), "no frame begins with the magic");
}

#[test]
fn nothing_is_sealed_before_the_handshake_is_over_and_its_bytes_are_taken() {
    let (mut dials, mut accepts) = (Seal::dialling(&key()), Seal::accepting(&key()));
    let mut wire = Vec::new();
    assert_eq!(dials.put(b"x", &mut wire), Err(SealError::NotReady));
    assert_eq!(wire, b"");
    pass_handshake(&mut dials, &mut accepts, 56);
    assert!(!accepts.is_ready());
    assert_eq!(accepts.put(b"x", &mut wire), Err(SealError::NotReady));
    pass_handshake(&mut accepts, &mut dials, 56);
    assert!(accepts.is_ready() && dials.is_ready());
    let wire = sealed(&mut accepts, b"x");
    assert_eq!(opened(&mut dials, &wire, 1), (b"x".to_vec(), Ok(())));
}

#[test]
fn records_may_come_together_with_the_end_of_the_handshake() {
    let (mut dials, mut accepts) = (Seal::dialling(&key()), Seal::accepting(&key()));
    pass_handshake(&mut dials, &mut accepts, 56);
    let mut wire = Vec::new();
    accepts.handshake(&mut wire).unwrap();
    accepts.put(b"welcome", &mut wire).unwrap();
    assert_eq!(opened(&mut dials, &wire, wire.len()), (b"welcome".to_vec(), Ok(())));
}

#[test]
fn a_recorded_handshake_gives_no_way_in() {
    let (mut dials, mut accepts) = (Seal::dialling(&key()), Seal::accepting(&key()));
    let mut recorded = Vec::new();
    dials.handshake(&mut recorded).unwrap();
    accepts.push(&recorded, &mut Vec::new()).unwrap();
    let mut answer = Vec::new();
    accepts.handshake(&mut answer).unwrap();
    dials.push(&answer, &mut Vec::new()).unwrap();
    recorded.extend(sealed(&mut dials, b"hello"));
    assert_eq!(opened(&mut accepts, &recorded[HANDSHAKE..], 9), (b"hello".to_vec(), Ok(())));
    let mut again = Seal::accepting(&key());
    assert_eq!(opened(&mut again, &recorded, 9), (Vec::new(), Err(SealError::Record)));
}

#[test]
fn the_same_bytes_are_never_sealed_alike() {
    let ((mut one, mut back), (mut two, _)) = (pair(56), pair(56));
    let wires = [
        sealed(&mut one, b"same"),
        sealed(&mut one, b"same"),
        sealed(&mut back, b"same"),
        sealed(&mut two, b"same"),
    ];
    for (index, wire) in wires.iter().enumerate() {
        assert!(!wires[..index].contains(wire));
    }
    let returned = opened(&mut one, &wires[0], 100).1;
    assert_eq!(returned, Err(SealError::Record), "what an end sent does not pass for the other's");
}

#[test]
fn a_connection_ends_before_its_numbers_do() {
    let (mut dials, mut accepts) = pair(56);
    for seal in [&mut dials, &mut accepts] {
        let SealState::Ready(records) = &mut seal.state else { panic!("ready") };
        (records.sent, records.received) = (MOST_RECORDS - 1, MOST_RECORDS - 1);
    }
    let mut wire = sealed(&mut dials, b"last");
    assert_eq!(dials.put(b"more", &mut wire), Err(SealError::Exhausted));
    assert!(!dials.is_ready());
    wire.extend_from_slice(&wire.clone());
    assert_eq!(opened(&mut accepts, &wire, 7), (b"last".to_vec(), Err(SealError::Exhausted)));
}

#[test]
fn a_key_is_the_content_of_a_file() {
    let check = |secret: &[u8], same: bool| assert_eq!(Key::new(secret).unwrap().0 == key().0, same);
    check(SECRET, true);
    check(SECRET.trim_ascii(), true);
    check(b"  0123456789abcdef0123456789abcdef\r\n\n", true);
    check(b"0123456789abcdef0123456789abcdeg", false);
    check(b"0123456789abcdef", false);
    check(&[0; Key::LONGEST], false);
    let refused = |secret: &[u8], said: &str| assert_eq!(Key::new(secret).unwrap_err().to_string(), said);
    refused(
        b"123456789012345\n\n\n",
        "a key has at least 16 bytes, and this one has 15; `openssl rand -hex 32` makes a good one",
    );
    refused(&[7; Key::LONGEST + 1], "a key has at most 4096 bytes; `openssl rand -hex 32` makes a good one");
}

#[test]
fn a_key_is_not_its_secret_and_stays_the_same_key() {
    assert_eq!(
        key().0[..8],
        [141, 71, 30, 27, 231, 6, 16, 210],
        "processes of one version must agree on it, so that it may only change with the magic"
    );
}

#[test]
fn debug_shows_no_key() {
    let key = Key([0xab; 32]);
    assert_eq!(format!("{key:?}"), "Key(..)");
    let (mut dials, accepts) = pair(56);
    let _ = dials.put(b"secret", &mut Vec::new());
    let shown = format!("{:?} {:?} {:?} {:?}", dials, accepts, Seal::open(), Seal::accepting(&key));
    assert_eq!(
        shown,
        "Seal { state: \"ready\", .. } Seal { state: \"ready\", .. } Seal { state: \"open\", .. } Seal { state: \"handshake\", .. }"
    );
}

#[test]
fn a_seal_may_move_between_threads() {
    fn check<T: Send + 'static>() {}
    check::<Seal>();
}
