//! The roster without a socket: a run starts, goes on and ends in decisions alone.

use super::*;
use crate::clock::{ClockList, Stamp};
use crate::model::event::Message;

/// Node 0 or 1 of a run of two with four machines.
fn roster(node: u32) -> Roster {
    let addresses = ["a:1".to_owned(), "b:2".to_owned()];
    Roster::new(&identity(node, 7), &addresses, &Arc::new(Bounds::open(4, ClockList::LAMPORT)))
}

fn identity(node: u32, incarnation: u64) -> Identity {
    Identity { run: "r".into(), scenario: "".into(), nodes: 2, node, incarnation }
}

fn hello(node: u32, incarnation: u64) -> Hello {
    Hello { from: identity(node, incarnation), to: 1 - node, knows: 0, received: 0, turn: 1 }
}

/// What a roster does when something is decided at a second.
fn at<T>(
    second: u64,
    roster: &mut Roster,
    decide: impl FnOnce(&mut Roster, &mut Effects) -> T,
) -> Vec<Effect> {
    let now = Nanos::from_secs(second);
    let mut effects = Effects::at(now, roster.elapsed(now), Vec::new());
    decide(roster, &mut effects);
    effects.into_list()
}

fn rows(effects: &[Effect]) -> Vec<Happening> {
    let row = |effect: &Effect| if let Effect::Row(row) = effect { Some(row.what) } else { None };
    effects.iter().filter_map(row).collect()
}

fn starts(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::News(News::Start { .. })))
}

/// The other node has greeted, is ready and knows of no message; so does this one.
fn started() -> Roster {
    let mut roster = roster(0);
    let effects =
        at(1, &mut roster, |roster, effects| roster.attach(&hello(1, 8), "b:5", Happening::Accept, effects));
    assert_eq!(rows(&effects), [Happening::Accept]);
    assert!(!starts(&at(2, &mut roster, |roster, effects| {
        roster.prepared(Nanos::ZERO, &Passed::default(), effects);
    })));
    at(2, &mut roster, |roster, effects| roster.heard(1, Word::Known { received: 0 }, effects));
    let effects = at(3, &mut roster, |roster, effects| {
        roster.heard(1, Word::Ready { elapsed: Nanos::ZERO }, effects);
    });
    assert!(starts(&effects) && rows(&effects) == [Happening::Start], "{effects:?}");
    roster
}

#[test]
fn the_run_starts_when_all_are_there_and_ready_and_have_told_what_they_know() {
    let mut roster = started();
    assert!(roster.has_started() && roster.missing().is_empty());
    assert_eq!(roster.elapsed(Nanos::from_secs(10)), Some(Nanos::from_secs(7)));
    // One that comes anew would number its events from 1 again.
    let new = Hello { from: Identity { run: "".into(), ..identity(1, 9) }, ..hello(1, 9) };
    assert!(roster.check(&new).is_err());
    assert!(at(11, &mut roster, |roster, effects| roster.advance(effects)).len() == 1, "it starts once");
}

#[test]
fn whom_the_start_waits_for_is_told_with_the_reason() {
    let mut roster = roster(0);
    roster.key_refused("10.0.0.9", "it has another key");
    let [(node, address, reason)] = &roster.missing()[..] else { panic!("one is missing") };
    assert_eq!((*node, address.as_str()), (1, "b:2"));
    assert_eq!(reason, "it has not answered; a connection from 10.0.0.9 was refused: it has another key");
    at(1, &mut roster, |roster, effects| roster.attach(&hello(1, 8), "b:5", Happening::Accept, effects));
    assert!(roster.missing()[0].2.starts_with("it is not ready"), "{:?}", roster.missing());
}

#[test]
fn a_log_that_others_know_more_of_does_not_go_on() {
    let mut roster = roster(0);
    at(1, &mut roster, |roster, effects| roster.attach(&hello(1, 8), "b:5", Happening::Accept, effects));
    at(1, &mut roster, |roster, effects| roster.heard(1, Word::Heard { machine: 0, event: 5 }, effects));
    let effects = at(2, &mut roster, |roster, effects| {
        let passed = Passed { events: BTreeMap::from([(VmId(0), 3)]), ..Passed::default() };
        roster.prepared(Nanos::ZERO, &passed, effects);
    });
    let is_behind = |effect: &Effect| {
        matches!(
            effect,
            Effect::News(News::NotJoined(JoinError::Behind { vm: VmId(0), logged: 3, heard: 5, .. }))
        )
    };
    assert!(effects.iter().any(is_behind), "{effects:?}");
    at(2, &mut roster, |roster, effects| roster.heard(1, Word::Known { received: 0 }, effects));
    assert!(!starts(&at(3, &mut roster, |roster, effects| {
        roster.heard(1, Word::Ready { elapsed: Nanos::ZERO }, effects);
    })));
}

#[test]
fn the_end_waits_for_what_is_not_said_and_not_for_ever() {
    let mut roster = started();
    let message = Message {
        id: MessageId { sender: VmId(0), event: 1 },
        to: VmId(2),
        arrives: Nanos::ZERO,
        stamp: Stamp::lamport_only(1),
        payload: None,
    };
    at(4, &mut roster, |roster, effects| roster.forward([message.into()].into_iter(), 0, effects));
    at(5, &mut roster, |roster, effects| roster.finish(1, false, effects));
    at(5, &mut roster, |roster, effects| roster.lose(1, 1, "b:5", &Fault::Closed, effects));
    let mut is_over = true;
    let effects = at(20, &mut roster, |roster, effects| is_over = roster.is_over(effects));
    assert!(!is_over && effects.is_empty(), "it may come back");
    let effects = at(36, &mut roster, |roster, effects| is_over = roster.is_over(effects));
    assert_eq!(rows(&effects), [Happening::Gone]);
    assert!(
        is_over
            && effects
                .iter()
                .any(|effect| matches!(effect, Effect::Warn(text) if text.contains("1 messages")))
    );
    at(37, &mut roster, |roster, effects| {
        let total = roster.total("", effects);
        assert_eq!((total.messages_sent, total.lost, total.dropped), (1, 1, 0));
    });
}

#[test]
fn one_that_leaves_early_is_told_of_and_gets_nothing_more() {
    let mut roster = started();
    let farewell = Word::Farewell { lamport: 40, early: true };
    let effects = at(4, &mut roster, |roster, effects| roster.heard(1, farewell, effects));
    assert_eq!((rows(&effects), roster.lamport()), (vec![Happening::Left], 40));
    let effects = at(5, &mut roster, |roster, effects| {
        let message = Message {
            id: MessageId { sender: VmId(0), event: 2 },
            to: VmId(3),
            arrives: Nanos::ZERO,
            stamp: Stamp::lamport_only(2),
            payload: None,
        };
        roster.forward([message.into()].into_iter(), 0, effects);
    });
    assert_eq!(rows(&effects), [Happening::Dropped]);
}
