//! The page of a run in a real browser: with a mouse, with keys, and held against what `clocklab order` says.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]
#![allow(clippy::print_stderr, reason = "a measurement is told")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::browser::Browser;
use crate::wants::{self, CHROMIUM};

wants::wanting!(CHROMIUM:
    a_click_colours_the_causal_past_and_a_second_one_asks_for_the_order,
    the_page_and_the_vectors_agree_on_every_pair_of_random_runs,
    the_slider_moves_a_consistent_cut,
    all_of_it_goes_by_keyboard_and_by_the_address,
    text_from_logs_is_text_in_the_browser_too,
    a_part_of_a_run_is_not_called_concurrent_where_that_is_not_known,
    a_narrow_window_scrolls_tables_and_not_the_page,
    pictures_tell_their_values_and_the_page_prints,
    how_long_a_frame_takes_with_ten_thousand_events_in_view = ignored,
);

/// Does what must succeed, and gives what was printed.
fn done(folder: &Path, line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
    let done = command.current_dir(folder).args(line.split_whitespace()).output().unwrap();
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The page that a run leaves.
fn page(folder: &Path, line: &str) -> PathBuf {
    done(folder, &format!("--quiet --virtual-time --report on {line}"));
    folder.join("output/report.html")
}

/// Where an event's dot is on the screen, after the diagram was scrolled to it.
fn place_of(browser: &mut Browser, event: &str) -> (f64, f64) {
    browser.eval(&format!("{DIAGRAM}.canvas.scrollIntoView({{ block: 'center' }}), {DIAGRAM}.reveal({DIAGRAM}.h.find('{event}'))"));
    browser.settle();
    browser.place(&format!(
        "(() => {{ const d = {DIAGRAM}, i = d.h.find('{event}'), box = d.canvas.getBoundingClientRect();
        return [box.left + d.port.x(d.h.time[i]), box.top + d.port.y(d.h.line[i])]; }})()"
    ))
}

const DIAGRAM: &str = "document.querySelector('section.run:not([hidden]) .space').diagram";

/// Something of the diagram's answer.
fn answer(browser: &mut Browser, name: &str) -> String {
    browser.text(&format!("document.querySelector('section.run:not([hidden]) .answer').dataset.{name} || ''"))
}

/// The middle of an element, or of a share of it.
fn middle_of(browser: &mut Browser, selector: &str, share: f64) -> (f64, f64) {
    browser.eval(&format!("document.querySelector('{selector}').scrollIntoView({{ block: 'center' }})"));
    browser.settle();
    browser.place(&format!(
        "(() => {{ const e = document.querySelector('{selector}');
        const box = e.getBoundingClientRect(); return [box.left + box.width * {share}, box.top + box.height / 2]; }})()"
    ))
}

/// The events in CSV rows that `clocklab order` prints.
fn events(csv: &str) -> BTreeSet<String> {
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    rows.records().map(Result::unwrap).map(|row| format!("vm{}-{}", &row[0], &row[1])).collect()
}

/// The events that the diagram has in that colour.
fn coloured(browser: &mut Browser, side: &str) -> BTreeSet<String> {
    let all = browser.eval(&format!(
        "(() => {{ const d = {DIAGRAM}; return [...Array(d.h.count).keys()].filter((i) => d.side(i) === '{side}').map((i) => d.h.name(i)); }})()"
    ));
    all.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn a_click_colours_the_causal_past_and_a_second_one_asks_for_the_order() {
    let mut browser = Browser::start();
    let folder = tempfile::tempdir().unwrap();
    for line in
        ["--seed 42", "--seed 9 --vms 8 --loss 0.1 --latency 1ms-900ms --clocks lamport --duration 20"]
    {
        browser.open(&page(folder.path(), line), "");
        let place = place_of(&mut browser, "vm0-17");
        browser.point(place);
        assert!(browser.text("document.querySelector('#tip').textContent").starts_with("Event vm0-17"));
        browser.click(place);
        assert_eq!(answer(&mut browser, "event"), "vm0-17");
        for (side, flag) in [("past", "--past"), ("future", "--future")] {
            let mut expected = events(&done(folder.path(), &format!("order {flag} vm0-17")));
            assert_eq!(answer(&mut browser, side), expected.len().to_string());
            expected.remove("vm0-17");
            assert!(expected.len() > 5);
            assert_eq!(coloured(&mut browser, side), expected, "{side}");
        }
        // What is painted, not only what is thought.
        let colour = browser.text(&format!(
            "(() => {{ const d = {DIAGRAM}, i = d.h.find('vm0-16'), g = d.canvas.getContext('2d');
            g.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--past');
            const past = g.fillStyle, r = d.port.radius();
            const pixels = g.getImageData(d.port.x(d.h.time[i]) - r - 2, d.port.y(d.h.line[i]) - r - 2, 2 * r + 4, 2 * r + 4).data;
            for (let k = 0; k < pixels.length; k += 4)
              if (past === '#' + [0, 1, 2].map((c) => pixels[k + c].toString(16).padStart(2, '0')).join('')) return 'past';
            return 'none of it'; }})()"
        ));
        assert_eq!(colour, "past");

        let place = place_of(&mut browser, "vm2-19");
        browser.click(place);
        let order = done(folder.path(), "order vm0-17 vm2-19");
        assert_eq!(answer(&mut browser, "order"), order.split(':').next().unwrap());
        let chain: Vec<String> = order
            .lines()
            .filter_map(|line| line.trim().split_once(" was received by "))
            .map(|(send, receive)| format!("{send}>{receive}"))
            .collect();
        assert_eq!(answer(&mut browser, "chain").split_whitespace().count(), chain.len(), "{order}");
        assert_eq!(browser.text("location.hash"), "#order=vm0-17,vm2-19");
    }
    assert_eq!(browser.complaints, [""; 0]);
}

/// The page finds out for itself what happened before what, by going along messages: it has to come to what the vectors
/// say, which no script of the page looks at for that.
fn the_page_and_the_vectors_agree_on_every_pair_of_random_runs() {
    let mut browser = Browser::start();
    let folder = tempfile::tempdir().unwrap();
    for seed in 1..=4 {
        let line =
            format!("--seed {seed} --vms {} --draw 4 --duration 8 --loss 0.1 --duplicate 0.1", seed + 1);
        browser.open(&page(folder.path(), &line), "");
        let told = browser.eval(&format!(
            "(() => {{ const d = {DIAGRAM}, all = [...Array(d.h.count).keys()];
            return all.map((i) => {{ d.chosen = [i]; d.tell(); return [d.h.name(i), all.map((k) => d.side(k)[0]).join('')]; }}); }})()"
        ));
        let told = told.as_array().unwrap();
        let vectors = vectors(&folder.path().join("output"));
        let name = |index: usize| told[index][0].as_str().unwrap();
        assert_eq!(told.len(), vectors.len());
        for (a, row) in told.iter().enumerate() {
            let sides = row[1].as_str().unwrap();
            assert_eq!(sides.len(), told.len());
            for (b, side) in sides.chars().enumerate() {
                let is_before = |a: &str, b: &str| {
                    let (vm, event) = a[2..].split_once('-').unwrap();
                    vectors[b][vm.parse::<usize>().unwrap()] >= event.parse().unwrap()
                };
                let expected = match (is_before(name(b), name(a)), is_before(name(a), name(b))) {
                    (true, true) => 'c',
                    (true, false) => 'p',
                    (false, true) => 'f',
                    (false, false) => 'a',
                };
                assert_eq!(side, expected, "seed {seed}: {} as seen from {}", name(b), name(a));
            }
        }
    }
    assert_eq!(browser.complaints, [""; 0]);
}

/// The vector of each event of a run, by the event's name.
fn vectors(folder: &Path) -> BTreeMap<String, Vec<u64>> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let logs = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("vm_"));
    let mut vectors = BTreeMap::new();
    for log in logs {
        let mut reader = csv::Reader::from_path(log).unwrap();
        for row in reader.deserialize::<BTreeMap<String, String>>().map(Result::unwrap) {
            let vector = serde_json::from_str(&row["vector"]).unwrap();
            vectors.insert(format!("vm{}-{}", row["vm"], row["event"]), vector);
        }
    }
    vectors
}

fn the_slider_moves_a_consistent_cut() {
    let mut browser = Browser::start();
    let folder = tempfile::tempdir().unwrap();
    browser.open(&page(folder.path(), "--seed 5 --vms 4 --duration 20 --latency 10ms-900ms"), "");
    let switch = middle_of(&mut browser, ".cut-on", 0.5);
    browser.click(switch);
    let mut seen = BTreeSet::new();
    for (by, share) in [("time", 0.3), ("time", 0.8), ("lamport", 0.6)] {
        browser.eval(&format!(
            "(() => {{ const by = document.querySelector('.cut-by'); by.value = '{by}'; by.dispatchEvent(new Event('input')); }})()"
        ));
        let thumb = browser.eval("document.querySelector('.cut-at').value / 1000").as_f64().unwrap();
        let from = middle_of(&mut browser, ".cut-at", 0.02 + 0.96 * thumb);
        let to = middle_of(&mut browser, ".cut-at", share);
        browser.drag(from, to);
        let at = browser.eval("Number(document.querySelector('.cut-at').value)").as_f64().unwrap();
        assert!((at / 1000.0 - share).abs() < 0.05, "{at}");
        let cut = browser.text("document.querySelector('.cut-note').dataset.cut");
        assert_eq!(cut.split(',').count(), 4, "{cut}");
        assert!(done(folder.path(), &format!("order --cut {cut}")).starts_with("consistent"), "{cut}");
        seen.insert(cut);
    }
    assert_eq!(seen.len(), 3);
    assert_eq!(browser.complaints, [""; 0]);
}

fn all_of_it_goes_by_keyboard_and_by_the_address() {
    let mut browser = Browser::start();
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path(), "--seed 42 --runs 2");
    browser.open(&page, "");
    browser.eval(&format!("{DIAGRAM}.canvas.focus()"));
    for key in ["ArrowRight", "ArrowRight", "ArrowRight", "Enter"] {
        browser.key(key);
    }
    assert_eq!(answer(&mut browser, "event"), "vm0-3");
    browser.key("ArrowDown");
    browser.key("Enter");
    assert_ne!(answer(&mut browser, "order"), "");
    let span = format!("{DIAGRAM}.port.view[1] - {DIAGRAM}.port.view[0]");
    let before = browser.eval(&span).as_f64().unwrap();
    browser.key("+");
    assert!(browser.eval(&span).as_f64().unwrap() < before);
    browser.key("Escape");
    assert_eq!(answer(&mut browser, "order"), "");

    browser.open(&page, "#run=2&order=vm0-17,vm2-9");
    let order = done(folder.path(), "order output/run_2 vm0-17 vm2-9");
    assert_eq!(answer(&mut browser, "order"), order.split(':').next().unwrap());
    assert_eq!(browser.text("document.querySelector('.chooser select').value"), "1");
    assert_eq!(browser.complaints, [""; 0]);
}

fn text_from_logs_is_text_in_the_browser_too() {
    let mut browser = Browser::start();
    let folder = tempfile::tempdir().unwrap();
    let evil = "</script><script>document.title='broken'</script><img src=x onerror=alert(1)><!--";
    let log = format!("vm,event,kind,elapsed_s,lamport,peers,message,payload\n0,1,send,1,1,1,vm0-1,{evil}\n");
    fs::write(folder.path().join("<b>story.csv"), log).unwrap();
    done(folder.path(), "report <b>story.csv");
    browser.open(&folder.path().join("report.html"), "#event=vm0-1");
    assert!(browser.text("document.querySelector('.answer').textContent").contains(evil));
    assert!(browser.text("document.title").ends_with("clocklab"));
    assert_eq!(browser.complaints, [""; 0]);
}

fn a_narrow_window_scrolls_tables_and_not_the_page() {
    let mut browser = Browser::start();
    let folder = tempfile::tempdir().unwrap();
    for line in ["--seed 42 --runs 3", "--seed 1 --vms 40 --duration 20"] {
        browser.open(&page(folder.path(), line), "#event=vm0-9");
        for width in [390, 1400] {
            browser.resize(width, 900);
            let wide = browser.eval("document.documentElement.scrollWidth");
            assert_eq!(wide, Value::from(width), "{line}");
        }
    }
    assert_eq!(browser.complaints, [""; 0]);
}

fn pictures_tell_their_values_and_the_page_prints() {
    let mut browser = Browser::start();
    let folder = tempfile::tempdir().unwrap();
    browser.open(&page(folder.path(), "--seed 42"), "#event=vm0-17");
    let place = middle_of(&mut browser, "svg[data-values]", 0.6);
    browser.point(place);
    let told = browser.text("document.querySelector('#tip:not([hidden])').textContent");
    assert!(["VM 0", "VM 1", "VM 2"].iter().all(|name| told.contains(name)), "{told}");
    let shape = "(() => { const c = document.querySelector('.space'); return c.width / c.height / (c.clientWidth / c.clientHeight); })()";
    assert!((browser.eval(shape).as_f64().unwrap() - 1.0).abs() < 0.02, "the diagram keeps its shape");
    let printed = browser.call("Page.printToPDF", serde_json::json!({}));
    assert!(printed["data"].as_str().unwrap().len() > 10_000);
    browser.settle();
    assert!((browser.eval(shape).as_f64().unwrap() - 1.0).abs() < 0.02, "after printing too");
    assert_eq!(browser.complaints, [""; 0]);
}

/// A measurement: `cargo test --release --test tools frame -- --ignored`.
fn how_long_a_frame_takes_with_ten_thousand_events_in_view() {
    let mut browser = Browser::start();
    let folder = tempfile::tempdir().unwrap();
    browser.open(&page(folder.path(), "--seed 1 --vms 100 --duration 29"), "");
    let told = browser.text(&format!(
        "(async () => {{
        const d = {DIAGRAM}, frame = () => new Promise((done) => requestAnimationFrame(done)), paint = d.paint.bind(d), times = [], gaps = [];
        d.paint = () => {{ const start = performance.now(); paint(); times.push(performance.now() - start); }};
        d.port.show(d.port.least, (d.port.most - d.port.least) * 0.98);
        let last = performance.now();
        for (let k = 0; k < 120; k++) {{
          d.port.pan(k % 2 ? 0.02 : -0.01); await frame();
          const now = performance.now(); gaps.push(now - last); last = now;
        }}
        const of = (list) => {{ list.sort((a, b) => a - b); return list[list.length >> 1].toFixed(1) + ' ms median, ' + list[Math.floor(list.length * 0.99)].toFixed(1) + ' ms p99'; }};
        return d.h.count + ' events: painting ' + of(times) + '; from frame to frame ' + of(gaps); }})()"
    ));
    eprintln!("{told}");
}

/// A machine's log is taken away, through which the others heard of each other.
fn a_part_of_a_run_is_not_called_concurrent_where_that_is_not_known() {
    for (clocks, may_be_unknown) in [("lamport", true), ("vector", false)] {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("--seed 5 --rates 5,4,3 --draw 4 --duration 6 --clocks {clocks}");
        let page = page(folder.path(), &line);
        fs::remove_file(folder.path().join("output/vm_1_4.csv")).unwrap();
        done(folder.path(), "report");
        let mut browser = Browser::start();
        let mut words = BTreeSet::new();
        for (a, b) in [
            ("vm0-2", "vm2-17"),
            ("vm2-3", "vm0-25"),
            ("vm0-28", "vm2-17"),
            ("vm0-5", "vm0-9"),
            ("vm0-3", "vm2-12"),
        ] {
            browser.open(&page, &format!("#order={a},{b}"));
            let said = answer(&mut browser, "order");
            let mut command = Command::new(env!("CARGO_BIN_EXE_clocklab"));
            let order = command.current_dir(folder.path()).args(["order", a, b]).output().unwrap();
            let order = String::from_utf8(order.stdout).unwrap();
            // The page does not go the ways through what is missing: it may know less, and nothing else.
            assert!(order.starts_with(&said) || said == "unknown", "{clocks} {a} {b}: {said}, and {order}");
            words.insert(said);
        }
        assert_eq!(words.contains("unknown"), may_be_unknown, "{clocks}: {words:?}");
    }
}
