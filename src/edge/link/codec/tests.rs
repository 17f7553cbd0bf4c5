//! What goes into a parcel comes out of it, and nothing else does.

use proptest::prelude::*;

use super::*;

const VMS: u32 = 5;

/// A stamp of the standard clocks.
fn stamp(lamport: u64, values: &[&[u64]]) -> Stamp {
    Stamp::new(lamport, StampLayout::of(&ClockList::standard()), values.iter().copied())
}

prop_compose! {
    fn messages()(
        sender in 0..VMS, to in 0..VMS, event in 1..=u64::MAX, arrives: u64, lamport: u64,
        values in proptest::option::of((
            proptest::collection::vec(0u64..400, VMS as usize), (0..u64::MAX, any::<u64>()),
        )),
        payload in proptest::option::of(".{0,10}"), is_call: bool,
    ) -> Envelope {
        let stamp = match values {
            Some((vector, (l, c))) => stamp(lamport, &[&vector, &[l, c]]),
            None => Stamp::lamport_only(lamport),
        };
        let id = MessageId { sender: VmId(sender), event };
        let (to, arrives) = (VmId(to), Nanos::new(arrives));
        if is_call {
            return Envelope::Call { to, call: Call { arrives, caller: id.sender, event } };
        }
        Envelope::Message(Message { id, to, arrives, stamp, payload: payload.map(Arc::new) })
    }
}

fn decoder() -> Decoder {
    Decoder::new(Arc::new(Bounds::open(VMS, ClockList::standard())), 0..VMS, 0..VMS)
}

/// As a machine sends them.
fn in_order(mut messages: Vec<Envelope>) -> Vec<Envelope> {
    messages.sort_by_key(|message| message.from().event);
    messages
}

fn count(messages: &[Envelope]) -> u32 {
    u32::try_from(messages.iter().filter(|message| message.is_message()).count()).unwrap()
}

proptest! {
    #[test]
    fn messages_come_back_from_parcels_of_any_size(
        messages in proptest::collection::vec(messages(), 0..30), size in 1usize..10,
    ) {
        let (mut encoder, mut decoder) = (Encoder::new(&ClockList::standard()), decoder());
        let (messages, mut found) = (in_order(messages), Vec::new());
        for together in messages.chunks(size) {
            let mut parcel = Vec::new();
            together.iter().for_each(|message| encoder.put(message, &mut parcel));
            decoder.read(&parcel, count(together), &mut found).unwrap();
        }
        prop_assert_eq!(found, messages);
    }

    /// A parcel that is cut off, or has a byte changed, is refused whole or is another one; and after a refusal
    /// the decoder takes the right one as if nothing had been.
    #[test]
    fn what_is_refused_has_changed_nothing(
        messages in proptest::collection::vec(messages(), 1..20),
        (cut, at, byte) in (any::<usize>(), any::<usize>(), any::<u8>()), splits in 1usize..5,
    ) {
        let (mut encoder, mut decoder) = (Encoder::new(&ClockList::standard()), decoder());
        let (messages, mut found) = (in_order(messages), Vec::new());
        for together in messages.chunks(splits) {
            let mut parcel = Vec::new();
            together.iter().for_each(|message| encoder.put(message, &mut parcel));
            let before = (decoder.latest.0.concat(), format!("{:?}", decoder.progress), found.len());
            let mut wrong = parcel[..cut % parcel.len()].to_vec();
            wrong.extend_from_slice(&parcel);
            wrong[at % parcel.len()] ^= byte;
            if decoder.read(&wrong, count(together), &mut found).is_ok() {
                return Ok(());
            }
            let stamps = |latest: &Vec<Vec<u64>>| -> Vec<Vec<u64>> {
                let sent = |stamp: &&Vec<u64>| stamp.iter().any(|entry| *entry > 0);
                latest.iter().filter(sent).cloned().collect()
            };
            prop_assert_eq!(stamps(&decoder.latest.0.concat()), stamps(&before.0));
            prop_assert_eq!((format!("{:?}", decoder.progress), found.len()), (before.1, before.2));
            decoder.read(&parcel, count(together), &mut found).unwrap();
        }
        prop_assert_eq!(found, messages);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = decoder().read(&bytes, 1, &mut Vec::new());
    }
}

fn vectors() -> ClockList {
    "vector".parse().unwrap()
}

#[test]
fn a_stamp_costs_what_has_changed() {
    let message = |event: u64, vector: Vec<u64>| Message {
        id: MessageId { sender: VmId(1), event },
        to: VmId(2),
        arrives: Nanos::ZERO,
        stamp: Stamp::new(9, StampLayout::of(&vectors()), std::iter::once(&vector[..])),
        payload: None,
    };
    let mut encoder = Encoder::new(&vectors());
    let mut size = |message: &Message| {
        let mut parcel = Vec::new();
        encoder.put(&message.clone().into(), &mut parcel);
        parcel.len()
    };
    let mut vector = vec![3; 1000];
    assert_eq!(size(&message(1, vector.clone())), 6 + 2 + 2 * 1000);
    assert_eq!(size(&message(1, vector.clone())), 6 + 1, "the same send to another machine");
    (vector[1], vector[700]) = (5, 9);
    assert_eq!(size(&message(2, vector)), 6 + 1 + 2 + 3);
}

#[test]
fn what_no_machine_of_the_run_can_have_sent_is_refused_and_named() {
    let settings: crate::model::scenario::Settings =
        toml::from_str("vms = 4\nrates = 10\nduration = 1\nclocks = \"lamport\"").unwrap();
    let scenario = crate::model::scenario::Scenario::new(&settings, crate::model::seed::Seed(1)).unwrap();
    let mut decoder = Decoder::new(Arc::new(Bounds::of(&scenario)), 0..2, 2..4);
    let parcel = |sender, event, to, lamport| {
        let id = MessageId { sender: VmId(sender), event };
        let stamp = Stamp::lamport_only(lamport);
        let message = Message { id, to: VmId(to), arrives: Nanos::ZERO, stamp, payload: None };
        let mut parcel = Vec::new();
        Encoder::new(&ClockList::LAMPORT).put(&message.into(), &mut parcel);
        parcel
    };
    let mut read = |(sender, event, to, lamport), messages| {
        let mut found = Vec::new();
        let read = decoder.read(&parcel(sender, event, to, lamport), messages, &mut found);
        assert_eq!(found.len(), usize::from(read.is_ok()));
        read.map_err(|error| error.to_string())
    };
    let refused = |said: &str| Err(said.to_owned());
    assert_eq!(read((2, 5, 0, 9), 1), Ok(()));
    assert_eq!(read((2, 5, 1, 9), 1), Ok(()), "the second recipient");
    assert_eq!(
        read((2, 5, 1, 9), 1),
        refused("a message of event 5 of machine 2 came again, or after one of event 5")
    );
    assert_eq!(
        read((2, 4, 1, 9), 1),
        refused("a message of event 4 of machine 2 came again, or after one of event 5")
    );
    let beyond = "a message of event 11 of machine 3, which makes 10 events in this run";
    assert_eq!(read((3, 11, 1, 9), 1), refused(beyond));
    assert!(read((3, 0, 1, 9), 1).is_err());
    let clocks = "a message of event 6 of machine 3 whose clocks say what cannot be in this run";
    assert_eq!(read((3, 6, 1, 41), 1), refused(clocks));
    assert_eq!(read((3, 6, 2, 9), 1), refused("a message that is none of this link's"));
    assert_eq!(read((1, 6, 0, 9), 1), refused("a message that is none of this link's"));
    assert_eq!(read((3, 6, 1, 9), 2), refused("a parcel whose messages make no sense"));
    assert_eq!(read((3, 6, 1, 9), 1), Ok(()), "what was refused has left no trace");
    let known: Vec<_> = decoder.known().map(|id| (id.sender.0, id.event)).collect();
    assert_eq!(known, [(2, 5), (3, 6)]);
    decoder.begin(true);
    let mut found = Vec::new();
    assert!(decoder.read(&parcel(3, 6, 0, 9), 1, &mut found).is_err(), "another process's event");
    assert!(decoder.read(&parcel(3, 7, 0, 9), 1, &mut found).is_ok());
}

proptest! {
    /// Stamps of all clocks at once, which grow as those of machines do.
    #[test]
    fn every_clocks_stamps_come_back(steps in proptest::collection::vec((0..3u64, any::<usize>()), 1..20)) {
        let clocks = ClockList::new(crate::clock::kinds().iter().filter_map(|kind| kind.name.parse().ok()));
        let layout = StampLayout::of(&clocks);
        let words = |spec: &ClockSpec| spec.words(VMS).unwrap_or(3);
        let mut values: Vec<Vec<u64>> = clocks.iter().map(|spec| vec![0; words(spec)]).collect();
        let mut encoder = Encoder::new(&clocks);
        let mut decoder = Decoder::new(Arc::new(Bounds::open(VMS, clocks.clone())), 0..VMS, 0..VMS);
        for (event, (more, place)) in (1..).zip(steps) {
            values.iter_mut().for_each(|value| {
                let place = place % value.len();
                value[place] += more;
            });
            let stamp = Stamp::new(event, layout, values.iter().map(Vec::as_slice));
            let id = MessageId { sender: VmId(1), event };
            let message: Envelope = Message { id, to: VmId(0), arrives: Nanos::ZERO, stamp, payload: None }.into();
            let mut parcel = Vec::new();
            encoder.put(&message, &mut parcel);
            prop_assert!(parcel.len() <= most_bytes(&message));
            let mut found = Vec::new();
            decoder.read(&parcel, 1, &mut found).unwrap();
            prop_assert_eq!(found, [message]);
        }
    }
}
