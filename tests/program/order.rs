//! What happened before what, held against a search that is as plain as can be.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use clocklab::after::order::{Events, Relation};
use clocklab::edge::log::{Found, LogFolder, find};
use clocklab::model::event::MessageId;
use clocklab::model::id::VmId;
use proptest::prelude::*;

use crate::common::Run;

fn clocklab(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    command.current_dir(folder).args(line.split_whitespace()).output().unwrap()
}

fn make(folder: &Path, line: &str) -> LogFolder {
    assert!(clocklab(folder, &format!("--quiet --virtual-time {line}")).status.success(), "{line}");
    let Found::Run(found) = find(&folder.join("output")).unwrap() else { panic!("one run") };
    *found
}

fn event(vm: u32, event: u64) -> MessageId {
    MessageId { sender: VmId(vm), event }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn relations_pasts_futures_and_cuts_are_those_of_a_plain_search(
        seed: u32, vms in 1u32..6, has_vectors: bool, picks in prop::collection::vec((0..1_000_000usize, 0..1_000_000usize), 30),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let clocks = if has_vectors { "vector" } else { "lamport" };
        let found = make(folder.path(), &format!("--seed {seed} --vms {vms} --duration 5 --rates 1-9 --draw 6 --loss 0.1 --clocks {clocks}"));
        let run = Run::read(&folder.path().join("output"));
        let pasts = run.pasts();
        let all: Vec<(u32, u64)> = pasts.keys().copied().collect();
        let asked: Vec<MessageId> = all.iter().map(|(vm, number)| event(*vm, *number)).collect();
        let events = Events::read(&[found], &asked).unwrap();
        for (a, b) in picks {
            let (a, b) = (all[a % all.len()], all[b % all.len()]);
            let (first, second) = (event(a.0, a.1), event(b.0, b.1));
            let relation = events.order(first, second).unwrap().relation().clone();
            match &relation {
                Relation::Same => prop_assert_eq!(a, b),
                Relation::Before(_) => prop_assert!(pasts[&b].contains(&a)),
                Relation::After(_) => prop_assert!(pasts[&a].contains(&b)),
                Relation::Concurrent(..) => prop_assert!(a != b && !pasts[&b].contains(&a) && !pasts[&a].contains(&b)),
                other => prop_assert!(false, "everything is here, and it says {other:?}"),
            }
            if let Relation::Before(chain) = relation {
                let mut at = a;
                for message in &chain {
                    prop_assert!((message.send.sender.0, message.send.event) >= at && message.send.sender.0 == at.0);
                    at = (message.receive.sender.0, message.receive.event);
                }
                prop_assert!(at.0 == b.0 && at.1 <= b.1);
                prop_assert!(chain.is_empty() == (a.0 == b.0));
            }
            let past: u64 = events.past(first).values().sum();
            prop_assert_eq!(past, pasts[&a].len() as u64 + 1);
            let future = pasts.values().filter(|past| past.contains(&a)).count() as u64 + 1;
            prop_assert_eq!(events.count_from(&events.future(first)), future);
            let cut = if a.0 == b.0 { vec![first] } else { vec![first, second] };
            let is_in = |event: &(u32, u64)| cut.iter().any(|last| last.sender.0 == event.0 && event.1 <= last.event);
            let is_consistent = all.iter().filter(|event| is_in(event)).all(|event| pasts[event].iter().all(is_in));
            prop_assert_eq!(events.crossing(&cut).is_none(), is_consistent);
        }
    }
}

/// Three machines whose story can be told by hand: 0-1 to 1-1, 1-2 to 2-2, and 0-2 to 2-3.
const STORY: &str = "vm,event,kind,elapsed_s,lamport,peers,message\n\
    0,1,send,1,1,1,0-1\n0,2,send,2,2,2,0-2\n0,3,internal,9,3,,\n\
    1,1,receive,3,2,0,0-1\n1,2,send,4,3,2,1-2\n\
    2,1,internal,1,1,,\n2,2,receive,5,4,1,1-2\n2,3,receive,6,5,0,0-2\n";

#[test]
fn the_answer_comes_with_its_evidence() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("story.csv"), STORY).unwrap();
    let ask = |line: &str| {
        let asked = clocklab(folder.path(), &format!("order {line}"));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (asked.status.code().unwrap(), text(asked.stdout), text(asked.stderr))
    };
    assert_eq!(
        ask("story.csv vm0-1 vm2-2").1,
        "before: vm0-1 happened before vm2-2\n  a shortest chain has 2 messages:\n  vm0-1\n  vm0-1 was received by vm1-1\n  \
         vm1-2 was received by vm2-2\n  vm2-2\n\nvm0-1 (story.csv:2):\n  0,1,send,1,1,1,0-1\n\nvm2-2 (story.csv:8):\n  2,2,receive,5,4,1,1-2\n"
    );
    assert!(ask("story.csv vm2-3 vm0-1").1.starts_with(
        "after: vm2-3 happened after vm0-1\n  a shortest chain has 1 message:\n  vm0-1\n  vm0-2 was"
    ));
    assert!(ask("story.csv vm0-2 vm1-2").1.starts_with(
        "concurrent: no chain of messages leads from vm0-2 to vm1-2 or back\n  vm0-2 has heard of no event of machine 1\n  \
         the last event of machine 0 that vm1-2 has heard of is vm0-1, before vm0-2\n"
    ));
    assert!(
        ask("story.csv vm2-1 vm2-3")
            .1
            .starts_with("before: vm2-1 happened before vm2-3\n  both are of machine 2,")
    );
    assert!(ask("story.csv vm2-1 vm2-1").1.starts_with("same: "));
    let (_, rows, count) = ask("story.csv --past vm1-2");
    assert_eq!(
        rows,
        "vm,event,kind,elapsed_s,lamport,peers,message\n0,1,send,1,1,1,0-1\n1,1,receive,3,2,0,0-1\n1,2,send,4,3,2,1-2\n"
    );
    assert_eq!(count, "3 events in the past of vm1-2, itself among them\n");
    let (_, rows, count) = ask("story.csv --future vm0-2");
    assert_eq!(
        (rows.lines().count(), count.as_str()),
        (4, "3 events in the future of vm0-2, itself among them\n")
    );
    assert!(ask("story.csv --cut vm0-1,vm1-2,vm2-2").1.starts_with("consistent: "));
    assert_eq!(
        ask("story.csv --cut vm0-1,vm1-2,vm2-3").1,
        "inconsistent: message vm0-2 is received in the cut, by vm2-3, and sent after it\n"
    );
    assert!(ask("story.csv --cut vm1-1").1.starts_with("inconsistent: message vm0-1 "));
    for (line, part) in [
        ("story.csv vm0-1 vm0-9", "there is no event vm0-9 in the logs: machine 0 has events up to 3"),
        ("story.csv vm7-1 vm0-1", "machine 7 has none"),
        (
            "story.csv vm0-1",
            "invalid value 'story.csv' for an event: an event is vm<machine>-<number of its event>, such as vm0-17",
        ),
        ("vm0-1", "two events are asked for"),
        ("story.csv vm0-1 vm0-0", "invalid value 'vm0-0'"),
        ("story.csv --past x", "such as vm0-17"),
        ("story.csv --past vm0-1 --future vm0-1", "cannot be used with"),
        ("none vm0-1 vm0-2", "cannot read none: "),
    ] {
        let (code, _, error) = ask(line);
        assert!(code == 2 && error.contains(part), "{line}: {code} {error}");
    }
}

#[test]
fn logs_whose_vectors_contradict_their_messages_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let with_vectors = STORY
        .replacen("message\n", "message,vector\n", 1)
        .replace("2,1,internal,1,1,,\n", "2,1,internal,1,1,,,3;0;1\n")
        .replace("0,3,internal,9,3,,\n", "0,3,internal,9,3,,,3;0;0\n");
    let text: String = with_vectors
        .lines()
        .map(|line| if line.matches(',').count() == 6 { format!("{line},\n") } else { format!("{line}\n") })
        .collect();
    fs::write(folder.path().join("story.csv"), text).unwrap();
    let asked = clocklab(folder.path(), "order story.csv vm0-3 vm2-1");
    assert_eq!(asked.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&asked.stderr).contains("by their vectors vm0-3 happened before vm2-1"),
        "{asked:?}"
    );
}
