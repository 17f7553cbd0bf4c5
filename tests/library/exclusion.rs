//! The algorithms of mutual exclusion: what they promise on random runs, what they cost, and that the judge finds
//! versions of them that leave a rule out.

use clocklab::after::check::{FaultKind, Report};
use clocklab::model::id::VmId;
use clocklab::workload::{Algorithm, Exclusion, Heard, Make, Protocol, Setup, Speaking, Turn, Workloads};
use proptest::prelude::*;
use tempfile::TempDir;

use super::judged::{assert_cut_has_two_inside, judge, marked, run, run_as};
use crate::common::{self, Run};

fn named(name: &str) -> &'static Algorithm {
    Workloads::default().get(name).unwrap()
}

/// Runs of 2 to 12 machines, with their numbers.
pub(super) fn settings(is_in_order: bool) -> impl Strategy<Value = (u32, String)> {
    let latency = prop_oneof![Just("1ms"), Just("1ms-400ms"), Just("exp:80ms")];
    let clocks = prop_oneof![Just("lamport"), Just("vector"), Just("vector,hlc")];
    let options = (latency, clocks, any::<bool>(), any::<bool>());
    (2u32..=12, 9u32..30, options).prop_map(move |(vms, rate, (latency, clocks, aligned, fifo))| {
        let (phase, fifo) = (if aligned { "aligned" } else { "random" }, fifo || is_in_order);
        let text = format!(
            "vms = {vms}\nrates = \"{rate}-{}\"\nduration = 8\nlatency = \"{latency}\"\nclocks = \"{clocks}\"\nphase = \"{phase}\"\nfifo = {fifo}",
            rate + 9
        );
        (vms, text)
    })
}

/// A run of so many entries, with nothing wrong.
struct Stays {
    folder: TempDir,
    asked: u64,
    entered: u64,
    sent: u64,
}

fn sound(name: &str, parameters: &str, settings: &str, seed: u64) -> Stays {
    let folder = run_as(named(name), &format!("{name}:{parameters}"), settings, seed);
    let report = judge(named(name), folder.path());
    assert!(report.is_sound() && report.is_whole, "{}", report.with_most(9));
    let [asked, entered, left] = ["request", "enter", "leave"].map(|mark| marked(folder.path(), mark) as u64);
    assert!(asked >= entered && (left..=left + 1).contains(&entered), "{asked} {entered} {left}");
    Stays { asked, entered, sent: report.counts.sent, folder }
}

/// What each row says that has that word in its payload.
fn said(run: &Run, word: &str) -> Vec<String> {
    let rows = run.rows().filter(|row| row.kind == "send" && row.payload.starts_with(word));
    rows.map(|row| row.payload.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn ricart_and_agrawala_enter_one_at_a_time_in_order_for_a_request_and_a_reply_with_each_other(
        (vms, settings) in settings(false), think in 1u32..20, seed: u64,
    ) {
        let stays = sound("ricart-agrawala", &format!("think={think},hold=1"), &settings, seed);
        prop_assert!(stays.entered > 0);
        // What the run's end has cut short costs less.
        let others = u64::from(vms) - 1;
        let bounds = 2 * others * stays.entered..=2 * others * stays.asked;
        prop_assert!(bounds.contains(&stays.sent), "{} for {} to {} stays", stays.sent, stays.entered, stays.asked);
    }

    #[test]
    fn a_ring_passes_its_token_with_a_message_a_hop(
        (_, settings) in settings(false), think in 1u32..20, seed: u64,
    ) {
        let stays = sound("token-ring", &format!("think={think},hold=1"), &settings, seed);
        let run = Run::read(stays.folder.path());
        let mut hops: Vec<u64> = said(&run, "token").iter().map(|text| text[6..].parse().unwrap()).collect();
        hops.sort_unstable();
        prop_assert!(stays.sent > 0 && hops.iter().copied().eq(1..=stays.sent), "{hops:?}");
    }

    #[test]
    fn a_stay_by_suzuki_and_kasami_costs_nothing_or_a_message_with_each_machine(
        (vms, settings) in settings(false), think in 1u32..20, seed: u64,
    ) {
        let stays = sound("suzuki-kasami", &format!("think={think},hold=1"), &settings, seed);
        let run = Run::read(stays.folder.path());
        let (requests, tokens) = (said(&run, "request").len() as u64, said(&run, "token").len() as u64);
        prop_assert_eq!(stays.sent, requests * (u64::from(vms) - 1) + tokens);
        prop_assert!(stays.entered > 0 && requests <= stays.asked && tokens <= requests);
        // Each request has its token, but those that the run's end leaves without.
        prop_assert!(requests - tokens <= u64::from(vms), "{requests} {tokens}");
    }

    #[test]
    fn a_stay_by_raymond_costs_at_most_twice_the_way_to_the_token(
        (vms, settings) in settings(false), think in 1u32..20, seed: u64,
    ) {
        let stays = sound("raymond", &format!("think={think},hold=1"), &settings, seed);
        let longest_way = 2 * u64::from(vms.ilog2());
        prop_assert!(stays.entered > 0 && stays.sent <= 2 * longest_way * stays.asked, "{}", stays.sent);
        let run = Run::read(stays.folder.path());
        let (requests, tokens) = (said(&run, "request").len() as u64, said(&run, "privilege").len() as u64);
        // A machine has asked at most once for a token that has not come.
        prop_assert!(tokens <= requests && requests - tokens < u64::from(vms), "{requests} {tokens}");
    }
}

/// Five machines that all want to enter at once: as many messages as another implementation counts.
#[test]
fn contended_runs_cost_what_the_textbooks_say() {
    let settings = "vms = 5\nrates = 20\nduration = 20\nlatency = \"20ms\"";
    let each = |name: &str| {
        let stays = sound(name, "think=1,hold=1", settings, 5);
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let each = stays.sent as f64 / stays.entered as f64;
        (stays.entered > 30).then_some(each).unwrap()
    };
    let is_near = |found: f64, expected: f64| (found - expected).abs() < expected / 20.0;
    assert!(is_near(each("lamport-mutex"), 12.0));
    assert!(is_near(each("ricart-agrawala"), 8.0));
    assert!(is_near(each("suzuki-kasami"), 5.0));
}

#[test]
fn the_logs_of_some_machines_show_no_fault_that_the_others_could_explain() {
    for name in ["ricart-agrawala", "token-ring", "suzuki-kasami", "raymond"] {
        for clocks in ["lamport", "vector"] {
            let settings = format!("vms = 3\nrates = 20\nduration = 8\nclocks = \"{clocks}\"");
            let folder = run(named(name), &settings, 3);
            assert_parts_sound(named(name), &folder);
        }
    }
}

/// Takes each log away in turn.
pub(super) fn assert_parts_sound(algorithm: &'static Algorithm, folder: &TempDir) {
    let logs: Vec<String> =
        common::names(folder.path()).into_iter().filter(|name| name.starts_with("vm_")).collect();
    assert!(logs.len() > 1);
    for name in logs {
        let (log, aside) = (folder.path().join(&name), folder.path().join("aside"));
        std::fs::rename(&log, &aside).unwrap();
        let report = judge(algorithm, folder.path());
        std::fs::rename(&aside, &log).unwrap();
        assert!(report.is_part() && report.is_sound(), "without {name}: {}", report.with_most(9));
    }
}

clocklab::messages! {
    /// What is said.
    enum Word {
        /// I want to enter.
        Request = "request",
        /// Enter before me.
        Reply = "reply",
        /// Who has it may enter.
        Token = "token",
    }
}

/// Which rule is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// Ricart and Agrawala's: replies at once, whatever it wants itself.
    RepliesAtOnce,
    /// Of a ring: machine 1 makes a token as well.
    TwoTokens,
    /// Suzuki and Kasami's, and Raymond's: passes the token on while it is inside.
    KeepsAToken,
}

/// A machine of a broken version.
#[derive(Debug)]
struct Careless {
    broken: Broken,
    vms: u32,
    replies: u32,
    has_token: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Outside,
    Waiting,
    Inside,
}

fn careless(vm: VmId, setup: &Setup, broken: Broken) -> Speaking<Careless> {
    let has_token = vm.0 == 0 || (broken == Broken::TwoTokens && vm.0 == 1);
    let own = Careless { broken, vms: setup.vms(), replies: 0, has_token, stage: Stage::Outside };
    Speaking::new(vm, setup, own)
}

macro_rules! broken {
    ($name:ident, $text:literal, $broken:expr) => {
        static $name: Algorithm = Algorithm {
            name: $text,
            make: Make::Boxed(|vm, setup| Box::new(careless(vm, setup, $broken))),
            judge: Some(|_| Box::new(Exclusion::new())),
            least_vms: 3,
            ..Algorithm::PLAIN
        };
    };
}

broken!(REPLIES_AT_ONCE, "replies-at-once", Broken::RepliesAtOnce);
broken!(TWO_TOKENS, "two-tokens", Broken::TwoTokens);
broken!(KEEPS_A_TOKEN, "keeps-a-token", Broken::KeepsAToken);

impl Protocol for Careless {
    type Message = Word;

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        let asks_others = self.broken == Broken::RepliesAtOnce;
        let may_enter = if asks_others { self.replies == self.vms - 1 } else { self.has_token };
        match self.stage {
            Stage::Outside if turn.stream.below(4) == 0 => {
                turn.mark("request");
                (self.stage, self.replies) = (Stage::Waiting, 0);
                if asks_others {
                    turn.send_to_others(Word::Request);
                }
            }
            Stage::Waiting if may_enter => {
                turn.mark("enter");
                self.stage = Stage::Inside;
                if self.broken == Broken::KeepsAToken {
                    self.pass(turn);
                }
            }
            Stage::Inside => {
                turn.mark("leave");
                self.stage = Stage::Outside;
            }
            Stage::Outside if self.has_token && !asks_others => self.pass(turn),
            Stage::Outside | Stage::Waiting => {}
        }
    }

    fn received(&mut self, heard: &Heard<Word>, turn: &mut Turn<'_, Word>) {
        match heard.message {
            Word::Request => turn.send([heard.from()], Word::Reply),
            Word::Reply => self.replies += 1,
            Word::Token => self.has_token = true,
        }
    }
}

impl Careless {
    fn pass(&mut self, turn: &mut Turn<'_, Word>) {
        self.has_token = false;
        let next = VmId((turn.vm().0 + 1) % self.vms);
        turn.send([next], Word::Token);
    }
}

#[test]
fn versions_that_leave_a_rule_out_are_found_with_the_events_and_a_cut_that_shows_two_inside() {
    for broken in [&REPLIES_AT_ONCE, &TWO_TOKENS, &KEEPS_A_TOKEN] {
        let reports = (1..4).map(|seed| {
            let folder = run(broken, "vms = 4\nrates = 20\nduration = 10", seed);
            (judge(broken, folder.path()), folder)
        });
        let found: Vec<(Report, TempDir)> = reports.filter(|(report, _)| !report.is_sound()).collect();
        assert!(!found.is_empty(), "{}", broken.name);
        for (report, folder) in found {
            assert_eq!(report.faults.totals().keys().collect::<Vec<_>>(), [&FaultKind::Promise]);
            assert_cut_has_two_inside(folder.path(), &report.with_most(1).to_string());
        }
    }
}
