//! A server that gives out codes, and clients that call it: an answer takes two who are ready at once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Range;
use std::sync::Arc;

use super::{Action, Algorithm, Make, Tick, Workload};
use crate::model::event::{Call, Payload};
use crate::model::id::VmId;
use crate::model::seed::Stream;
use crate::model::time::Nanos;

/// Machine 0 is the server, all others are its clients. An arrived message is received first.
/// Otherwise a coin decides: a client has a local event, or calls the server; the server has a local
/// event, or emits.
///
/// An emission meets the calls that have arrived since the server's tick before, and answers them: one
/// send to all their callers, with a random code of six digits, as an authenticator shows it. An
/// emission that meets no call is a local event. A call that meets no emission is dropped; it was a
/// local event of its client.
#[derive(Debug)]
pub struct ClientServer(Role);

/// Most machines are clients: what the server alone has stands elsewhere.
#[derive(Debug)]
enum Role {
    Server(Box<Server>),
    Client,
}

/// The machine that is the server.
const SERVER: VmId = VmId(0);

/// The codes: all numbers of six digits. None begins with a zero, which spreadsheets would drop.
const CODES: Range<u64> = 100_000..1_000_000;

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "client-server",
    title: "a server that answers those who call at the right moment with a code",
    make: Make::Boxed(|vm, _| Box::new(ClientServer::new(vm))),
    // The server answers all who have called; a client calls the server alone.
    most_recipients: |vms| vms.saturating_sub(1),
    longest_payload: 6,
    // Codes go to the clients, and nobody sends the server a message: calls are none.
    is_sent_nothing: |vm| vm.0 == SERVER.0,
    ..Algorithm::PLAIN
};

impl ClientServer {
    /// The workload of one machine.
    pub fn new(vm: VmId) -> Self {
        Self(if vm == SERVER { Role::Server(Box::default()) } else { Role::Client })
    }
}

impl Workload for ClientServer {
    fn choose(&mut self, tick: &Tick<'_>, stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
        match &mut self.0 {
            Role::Server(server) => server.choose(tick, stream, to),
            Role::Client => choose_as_client(tick, stream, to),
        }
    }

    fn called(&mut self, call: &Call) {
        if let Role::Server(server) = &mut self.0 {
            server.calls.push(Reverse(*call));
        }
    }
}

fn choose_as_client(tick: &Tick<'_>, stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
    if tick.waiting > 0 {
        return Action::Receive;
    }
    if is_heads(stream) {
        to.push(SERVER);
        Action::Call
    } else {
        Action::Internal
    }
}

/// The calls since its latest tick, and those that are still on their way.
#[derive(Debug, Default)]
struct Server {
    calls: BinaryHeap<Reverse<Call>>,
}

impl Server {
    fn choose(&mut self, tick: &Tick<'_>, stream: &mut Stream, to: &mut Vec<VmId>) -> Action {
        let emits = tick.waiting == 0 && is_heads(stream);
        self.take_callers(tick.now, emits, to);
        if tick.waiting > 0 {
            Action::Receive
        } else if to.is_empty() {
            Action::Internal
        } else {
            Action::Send { payload: code(stream) }
        }
    }

    /// Takes all calls that have arrived; where they are answered, each caller once, the first one first.
    fn take_callers(&mut self, now: Nanos, answered: bool, callers: &mut Vec<VmId>) {
        let mut known = BTreeSet::new();
        while let Some(Reverse(Call { caller, .. })) = self.next_arrived(now) {
            if answered && known.insert(caller) {
                callers.push(caller);
            }
        }
    }

    fn next_arrived(&mut self, now: Nanos) -> Option<Reverse<Call>> {
        let Reverse(first) = self.calls.peek()?;
        if first.arrives <= now { self.calls.pop() } else { None }
    }
}

/// Tosses a fair coin.
fn is_heads(stream: &mut Stream) -> bool {
    stream.below(2) == 1
}

fn code(stream: &mut Stream) -> Payload {
    Some(Arc::new((CODES.start + stream.below(CODES.end - CODES.start)).to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Reading;
    use crate::model::seed::{Purpose, Seed};

    const TOSSES: u32 = 10_000;

    fn stream(seed: u64) -> Stream {
        Seed(seed).stream(VmId(0), Purpose::Workload)
    }

    fn tick(now: u64, waiting: usize) -> Tick<'static> {
        let clocks = Reading::lamport_only(0);
        Tick { now: Nanos::new(now), event: 1, waiting, clocks }
    }

    fn call(arrives: u64, caller: u32, event: u64) -> Call {
        Call { arrives: Nanos::new(arrives), caller: VmId(caller), event }
    }

    fn choose(workload: &mut ClientServer, tick: &Tick<'_>, stream: &mut Stream) -> (Action, Vec<u32>) {
        let mut to = Vec::new();
        let action = workload.choose(tick, stream, &mut to);
        (action, to.into_iter().map(|vm| vm.0).collect())
    }

    /// A server that these calls have reached, with a stream whose next toss is as wanted.
    fn called_server(calls: &[(u64, u32, u64)], heads: bool) -> (ClientServer, Stream) {
        let mut server = ClientServer::new(VmId(0));
        calls.iter().for_each(|&(arrives, caller, event)| server.called(&call(arrives, caller, event)));
        let tossed = (0..).map(stream).find(|stream| is_heads(&mut stream.clone()) == heads);
        (server, tossed.unwrap())
    }

    /// Whether a count of fair tosses is within six standard deviations of its mean.
    fn is_fair(heads: u32) -> bool {
        let half = TOSSES / 2;
        heads.abs_diff(half) <= 6 * 50
    }

    #[test]
    fn a_client_has_a_local_event_or_calls_the_server_as_often() {
        let (mut client, mut stream) = (ClientServer::new(VmId(2)), stream(1));
        let mut calls = 0;
        for _ in 0..TOSSES {
            match choose(&mut client, &tick(5, 0), &mut stream) {
                (Action::Call, to) if to == [0] => calls += 1,
                (Action::Internal, to) if to.is_empty() => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(is_fair(calls), "{calls}");
    }

    #[test]
    fn a_client_does_not_hear_calls() {
        let (mut client, mut stream) = (ClientServer::new(VmId(2)), stream(1));
        client.called(&call(0, 1, 1));
        assert!(
            (0..100).all(|_| !matches!(choose(&mut client, &tick(5, 0), &mut stream).0, Action::Send { .. }))
        );
    }

    #[test]
    fn a_server_answers_half_of_its_callers_with_different_codes_of_six_digits() {
        let (mut server, mut stream) = (ClientServer::new(VmId(0)), stream(1));
        let mut codes = BTreeSet::new();
        let mut answers = 0;
        for now in 0..TOSSES {
            server.called(&call(now.into(), 1, now.into()));
            match choose(&mut server, &tick(now.into(), 0), &mut stream) {
                (Action::Send { payload: Some(code) }, to) if to == [1] => {
                    assert!(code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
                    codes.insert(code);
                    answers += 1;
                }
                (Action::Internal, to) if to.is_empty() => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(is_fair(answers), "{answers}");
        assert!(codes.len() > 4_900, "of some 5000 a dozen come twice: {}", codes.len());
        assert!(codes.first().unwrap().starts_with("100") && codes.last().unwrap().starts_with("999"));
    }

    #[test]
    fn a_server_that_nobody_calls_has_only_local_events() {
        let (mut server, mut stream) = (ClientServer::new(VmId(0)), stream(1));
        assert!(
            (0..100).all(|now| choose(&mut server, &tick(now, 0), &mut stream) == (Action::Internal, vec![]))
        );
    }

    #[test]
    fn callers_are_answered_once_each_in_the_order_of_arrival_caller_and_event() {
        let calls = [(7, 3, 1), (5, 9, 4), (7, 1, 8), (6, 3, 2), (5, 2, 4), (7, 1, 7), (9, 4, 1)];
        let (mut server, mut stream) = called_server(&calls, true);
        let (action, to) = choose(&mut server, &tick(8, 0), &mut stream);
        assert!(matches!(action, Action::Send { .. }), "{action:?}");
        assert_eq!(to, [2, 9, 3, 1], "4 has not arrived");
    }

    #[test]
    fn a_call_that_arrives_later_is_kept_for_later() {
        let (mut server, mut stream) = called_server(&[(9, 4, 1)], true);
        assert_eq!(choose(&mut server, &tick(8, 0), &mut stream), (Action::Internal, vec![]));
        while !is_heads(&mut stream.clone()) {
            stream.bits();
        }
        assert_eq!(choose(&mut server, &tick(9, 0), &mut stream).1, [4]);
    }

    #[test]
    fn a_call_that_meets_a_local_event_is_dropped() {
        let (mut server, mut stream) = called_server(&[(5, 1, 1), (6, 2, 1)], false);
        assert_eq!(choose(&mut server, &tick(8, 0), &mut stream), (Action::Internal, vec![]));
        assert!((9..99).all(|now| choose(&mut server, &tick(now, 0), &mut stream).0 == Action::Internal));
    }

    #[test]
    fn a_call_that_meets_a_receive_is_dropped() {
        let (mut server, mut stream) = called_server(&[(5, 1, 1)], true);
        assert_eq!(choose(&mut server, &tick(8, 1), &mut stream), (Action::Receive, vec![]));
        assert!((9..99).all(|now| choose(&mut server, &tick(now, 0), &mut stream).0 == Action::Internal));
    }

    proptest! {
        #[test]
        fn what_waits_is_received_first(seed: u64, vm in 0u32..3, waiting in 1usize..9) {
            let mut drawn = stream(seed);
            let (action, to) = choose(&mut ClientServer::new(VmId(vm)), &tick(1, waiting), &mut drawn);
            prop_assert_eq!((action, to), (Action::Receive, vec![]));
            prop_assert_eq!(drawn, stream(seed), "no coin is tossed for it");
        }

        #[test]
        fn the_order_in_which_calls_become_known_does_not_matter(
            calls in proptest::collection::vec((0u64..20, 1u32..6, 1u64..9), 0..30),
            ticks in proptest::collection::vec(0u64..9, 0..6),
            seed: u64,
        ) {
            let answers = |calls: &[(u64, u32, u64)]| {
                let (mut server, _) = called_server(calls, true);
                let (mut stream, mut now) = (stream(seed), 0);
                let mut after = |gap: &u64| {
                    now += gap;
                    choose(&mut server, &tick(now, 0), &mut stream)
                };
                ticks.iter().map(&mut after).collect::<Vec<_>>()
            };
            let (mut sorted, mut reversed) = (calls.clone(), calls.clone());
            sorted.sort_unstable();
            reversed.reverse();
            prop_assert_eq!(answers(&calls), answers(&sorted));
            prop_assert_eq!(answers(&calls), answers(&reversed));
        }
    }
}
