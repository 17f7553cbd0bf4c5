//! Whole screens, drawn from what a run's machines say, and the keys that change them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use proptest::prelude::*;
use ratatui::style::Color;

use super::*;
use crate::clock::Reading;
use crate::edge::watch::{Scene, Watch};
use crate::model::event::{Kind, MessageId, Received, Record, Sent};
use crate::model::id::VmId;
use crate::model::scenario::{Scenario, Settings};
use crate::model::seed::Seed;
use crate::model::time::Nanos;

/// A run whose time and events a test makes.
struct Run {
    scene: Arc<Scene>,
    millis: Arc<AtomicU64>,
}

impl Run {
    fn new(settings: &str) -> Self {
        Self::of_several(settings, &Watch::default())
    }

    fn of_several(settings: &str, watch: &Watch) -> Self {
        let settings: Settings = toml::from_str(settings).unwrap();
        let scenario = Scenario::new(&settings, Seed(7)).unwrap();
        let scene = watch.open(&scenario, 0..scenario.vms(), 1);
        let millis = Arc::<AtomicU64>::default();
        let now = Arc::clone(&millis);
        scene.begin(move || Nanos::new(now.load(Relaxed) * 1_000_000));
        Self { scene, millis }
    }

    fn event(&self, (vm, event): (u32, u64), lamport: u64, queue: u32, kind: Kind<'_>) {
        let elapsed = Nanos::new(self.millis.load(Relaxed) * 1_000_000);
        let clocks = Reading::lamport_only(lamport);
        self.scene.see(0, &Record { vm: VmId(vm), event, elapsed, clocks, queue, kind, mark: "" });
    }

    fn internal(&self, name: (u32, u64), lamport: u64) {
        self.event(name, lamport, 0, Kind::Internal);
    }

    fn send(&self, name: (u32, u64), lamport: u64, to: &[u32], lost: &[u32]) {
        let vms = |vms: &[u32]| vms.iter().copied().map(VmId).collect();
        let sent = Sent { to: vms(to), lost: vms(lost), ..Sent::default() };
        self.event(name, lamport, 0, Kind::Send(&sent));
    }

    fn receive(&self, name: (u32, u64), lamport: u64, (sender, event): (u32, u64), stamp: u64, queue: u32) {
        let message = MessageId { sender: VmId(sender), event };
        let received = Received { message, lamport: stamp, payload: None };
        self.event(name, lamport, queue, Kind::Receive(&received));
    }

    fn pass(&self, view: &mut View, millis: u64) {
        self.millis.fetch_add(millis, Relaxed);
        view.look_at(&self.scene);
    }
}

fn draw(view: &mut View, width: u16, height: u16) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    view.draw(buffer.area, &mut buffer);
    buffer
}

fn screen(view: &mut View, width: u16, height: u16) -> String {
    let buffer = draw(view, width, height);
    let rows = buffer.content().chunks(width.into());
    let texts = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    texts.map(|text| text.trim_end().to_owned() + "\n").collect()
}

#[track_caller]
fn assert_screen(view: &mut View, width: u16, height: u16, expected: &str) {
    let drawn = screen(view, width, height);
    assert!(drawn == expected.trim_start_matches('\n'), "{drawn}");
}

/// The values above a machine's lane.
fn values(screen: &str, lane: &str) -> Vec<u64> {
    let lines: Vec<&str> = screen.lines().collect();
    let is_lane = |line: &&str| line.starts_with(lane) && line.contains('─');
    let line = lines.iter().rposition(is_lane).unwrap() - 1;
    lines[line].split_whitespace().map(|value| value.parse().unwrap()).collect()
}

#[test]
fn every_so_many_events_have_their_value_where_not_all_have_room_and_the_latest_always() {
    for rates in ["6,3,1", "60,3,1", "1,3,0.5"] {
        let rate: f64 = rates.split(',').next().unwrap().parse().unwrap();
        let mut view = View::new(None, true);
        let run = Run::new(&format!("rates = \"{rates}\"\nduration = \"100s\""));
        run.pass(&mut view, 0);
        draw(&mut view, 120, 30);
        let mut seen = std::collections::BTreeSet::new();
        for event in 1..=60u64 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a time between two ticks"
            )]
            run.pass(&mut view, (1000.0 / rate) as u64);
            run.internal((0, event), 100 + event);
            run.pass(&mut view, 0);
            let shown = values(&screen(&mut view, 120, 30), "     0 ");
            assert_eq!(shown.last(), Some(&(100 + event)), "the latest has its value: {rates} {shown:?}");
            // Digits of two values that ran together would be a larger number.
            assert!(shown.is_sorted(), "{rates} {shown:?}");
            seen = shown.into_iter().collect();
        }
        // Four columns a value, of some hundred that the lane has.
        let fitting = if rate > 50.0 { 2 } else { 15 };
        assert!(seen.len() >= fitting, "{rates} {seen:?}");
    }
}

/// A second and a half of the exercise: a message that makes a clock jump, one that is lost, one under way.
fn exercise(view: &mut View) -> Run {
    let run = Run::new("rates = \"6,3,1\"\nloss = 0.1\nduration = \"10s\"");
    run.pass(view, 0);
    draw(view, 80, 24);
    for event in 1..=4 {
        run.pass(view, 160);
        run.internal((0, event), event);
    }
    run.pass(view, 160);
    run.send((0, 5), 5, &[1, 2], &[2]);
    run.pass(view, 160);
    run.receive((1, 1), 6, (0, 5), 5, 2);
    run.event((2, 1), 1, 3, Kind::Internal);
    run.pass(view, 400);
    run.send((1, 2), 7, &[2], &[]);
    run.pass(view, 300);
    run
}

#[test]
fn a_screen_shows_machines_messages_and_what_they_do_to_the_clocks() {
    let mut view = View::new(None, true);
    let _run = exercise(&mut view);
    assert_screen(&mut view, 80, 24, EXERCISE);
}

const EXERCISE: &str = "
clocklab  3 machines · scale-model · seed 7
━━────────────── 1.7 of 10.0 s  events 8   messages 3: waiting 3, lost 1
    vm  rate/s   clock   drift    last 6 s  queue        internal  send receive
     0       6       5      -2         ▁▂▃      0               4     1       0
     1       3       7       0         ▄▁▁      0               0     1       1
     2       1       1      -6         ▄▅▆      3 █▊            1     0       0
── the last 5 seconds ───────────────── · internal  ○ send  ● receive  × lost ──
                                                           1 2 3 4 5
     0 ────────────────────────────────────────────────────·─·─·─·─○────────────
                                                                   ⠘⡌⢆
                                                                    ⢱6⠑×   7
     1 ──────────────────────────────────────────────────────────────●─────○────
                                                                             ⠈⠒⠄

                                                                     1
     2 ──────────────────────────────────────────────────────────────·──────────
                                                         ╵0 s         ╵1 s
── messages ──────────────────────────────────── how the Lamport clocks go on ──
   1.36 s  ○ 1 sends vm1-2 to 2               6 + 1 = 7
   0.96 s  ● 1 receives vm0-5 with stamp 5    max(0, 5) + 1 = 6   +6
   0.80 s  ○ 0 sends vm0-5 to 1, 2, lost to 2 4 + 1 = 5


space pause   q end the run   d leave the view   ? help   ↑↓ scroll   tab panes
";

#[test]
fn a_small_screen_shows_the_table_and_a_tiny_one_says_what_it_needs() {
    let mut view = View::new(None, true);
    let _run = exercise(&mut view);
    assert_screen(&mut view, 40, 10, SMALL);
    assert_screen(&mut view, 20, 5, "\nneeds 36x7\nhas 20x5\nq ends the run\nd leaves the view\n\n");
}

const SMALL: &str = "
clocklab  3 machines · scale-model
━─────── 1.7 of 10.0 s  events 8
    vm    clock    drift   queue
     0        5       -2       0
     1        7        0       0
     2        1       -6       3 █▊



space pause   q end the run
";

#[test]
fn no_screen_is_too_small_or_too_large() {
    for settings in ["vms = 1", "vms = 3", "vms = 30", "vms = 100000\nclocks = \"lamport\""] {
        let run = Run::new(settings);
        let mut view = View::new(Some(3), false);
        for (width, height) in
            (0..60).flat_map(|height| [(90, height), ([0, 36, 300][usize::from(height) % 3], height)])
        {
            draw(&mut view, width, height);
            run.pass(&mut view, 100);
            run.send((0, 1), 5, &[1, 2, 3], &[2]);
            run.receive((2, 1), u64::MAX / 2, (0, 1), 5, u32::MAX);
            draw(&mut view, width, height);
            for key in
                [KeyPress::Tab, KeyPress::Char('?'), KeyPress::End, KeyPress::Char('-'), KeyPress::Char('?')]
            {
                view.press(key);
                draw(&mut view, width, height);
            }
        }
    }
}

/// The machine of the first row.
fn first(view: &mut View) -> String {
    let screen = screen(view, 80, 24);
    screen.lines().nth(3).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn keys_scroll_as_far_as_there_are_machines() {
    let run = Run::new("vms = 30");
    let mut view = View::new(None, true);
    run.pass(&mut view, 0);
    draw(&mut view, 80, 24);
    let mut check = |key, expected: &str| {
        view.press(key);
        run.pass(&mut view, 10);
        assert_eq!(first(&mut view), expected, "{key:?}");
    };
    check(KeyPress::Up, "0");
    check(KeyPress::Down, "1");
    check(KeyPress::PageDown, "7");
    check(KeyPress::PageUp, "1");
    check(KeyPress::End, "24");
    check(KeyPress::Down, "24");
    check(KeyPress::Up, "23");
    check(KeyPress::Home, "0");
}

#[test]
fn a_pause_stands_still_and_shows_all_machines_of_its_moment() {
    let run = Run::new("vms = 30");
    let mut view = View::new(None, true);
    (0..30).for_each(|vm| run.internal((vm, 1), 1));
    run.pass(&mut view, 1000);
    draw(&mut view, 80, 24);
    view.press(KeyPress::Char(' '));
    run.pass(&mut view, 0);
    let before = screen(&mut view, 80, 24);
    assert!(before.contains("PAUSED") && before.contains("space go on"), "{before}");
    (0..30).for_each(|vm| run.internal((vm, 2), 2));
    run.pass(&mut view, 1000);
    assert_eq!(screen(&mut view, 80, 24), before);
    view.press(KeyPress::End);
    let end = screen(&mut view, 80, 24);
    assert!(
        end.lines().any(|line| line.starts_with("    29  ") && line.contains("      1       0")),
        "{end}"
    );
    view.press(KeyPress::Char(' '));
    run.pass(&mut view, 0);
    let after = screen(&mut view, 80, 24);
    assert!(after.contains("events 60") && !after.contains("PAUSED"), "{after}");
}

#[test]
fn keys_ask_for_what_is_beyond_the_view() {
    let mut view = View::new(None, true);
    let mut check = |key, action| assert_eq!(view.press(key), action, "{key:?}");
    check(KeyPress::Char('q'), Some(KeyAction::End));
    check(KeyPress::Char('d'), Some(KeyAction::Leave));
    check(KeyPress::Ctrl('c'), Some(KeyAction::Interrupt));
    check(KeyPress::Ctrl('z'), Some(KeyAction::Suspend));
    check(KeyPress::Ctrl('l'), Some(KeyAction::Redraw));
    check(KeyPress::Char('x'), None);
    view.end();
    assert_eq!(view.press(KeyPress::Char('q')), None, "the run is ended once");
    assert_eq!(view.press(KeyPress::Ctrl('c')), Some(KeyAction::Interrupt), "and may be left at once");
}

#[test]
fn help_comes_and_goes() {
    let mut view = View::new(None, true);
    let run = Run::new("vms = 3");
    run.pass(&mut view, 0);
    view.press(KeyPress::Char('?'));
    let help = screen(&mut view, 80, 24);
    assert!(help.contains("keys and signs") && help.contains("the larger of own clock and stamp"), "{help}");
    view.press(KeyPress::Escape);
    assert!(!screen(&mut view, 80, 24).contains("keys and signs"));
}

#[test]
fn what_people_should_know_stands_in_the_place_of_the_keys_until_one_is_pressed() {
    let mut view = View::new(None, true);
    view.tell("waiting for node 1".into());
    assert!(screen(&mut view, 80, 24).contains("waiting for node 1"));
    let run = Run::new("vms = 3");
    run.pass(&mut view, 0);
    assert!(screen(&mut view, 80, 24).ends_with("waiting for node 1\n"));
    view.press(KeyPress::Escape);
    assert!(screen(&mut view, 80, 24).contains("space pause"));
}

#[test]
fn each_of_several_runs_starts_anew() {
    let watch = Watch::default();
    let mut view = View::new(Some(5), true);
    for number in 1..=2 {
        let run = Run::of_several("vms = 3", &watch.of_run(number));
        run.pass(&mut view, 0);
        draw(&mut view, 80, 24);
        run.send((0, 1), 1, &[1], &[]);
        run.pass(&mut view, 100);
        let drawn = screen(&mut view, 80, 24);
        assert!(drawn.contains(&format!("run {number} of 5 · 3 machines")), "{drawn}");
        assert_eq!(drawn.matches("0 sends vm0-1 to 1").count(), 1, "{drawn}");
    }
}

#[test]
fn without_colours_there_are_none() {
    for (has_colours, expected) in [(true, false), (false, true)] {
        let mut view = View::new(None, has_colours);
        let _run = exercise(&mut view);
        let buffer = draw(&mut view, 120, 40);
        let is_plain = |cell: &ratatui::buffer::Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
        assert_eq!(buffer.content().iter().all(is_plain), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_keys_at_any_size_draw_something(keys in proptest::collection::vec(0..18usize, 0..40), width in 0..200u16, height in 0..70u16) {
        let all = [
            KeyPress::Up, KeyPress::Down, KeyPress::PageUp, KeyPress::PageDown, KeyPress::Home, KeyPress::End, KeyPress::Tab, KeyPress::Escape,
            KeyPress::Char(' '), KeyPress::Char('+'), KeyPress::Char('-'), KeyPress::Char('?'), KeyPress::Char('h'), KeyPress::Char('q'),
            KeyPress::Char('d'), KeyPress::Char('x'), KeyPress::Ctrl('c'), KeyPress::Ctrl('l'),
        ];
        let run = Run::new("vms = 40");
        let mut view = View::new(None, true);
        for key in keys {
            view.press(all[key]);
            run.internal((1, 1), 3);
            run.pass(&mut view, 40);
            draw(&mut view, width, height);
        }
    }
}
