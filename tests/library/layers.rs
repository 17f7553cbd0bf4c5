//! Taste that fails loudly: the layers of the code, kept by a scan of its sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers from top to bottom, each a room of `src`, and in each its modules: each uses only modules that stand
/// behind it. The room of the core is `model`, but for the clocks and the workloads, which have rooms of their own.
const LAYERS: [(&str, &[&str]); 9] = [
    ("the shell", &["main", "cli"]),
    ("programs of one's own", &["laboratory"]),
    ("what people look at", &["report", "export", "view"]),
    ("after a run", &["effects", "check", "stats", "order", "history"]),
    ("one run", &["sweep", "series", "child", "join", "run", "supervisor", "preflight"]),
    ("the drivers", &["live", "sim"]),
    ("the edge", &["driver", "panics", "log", "trace", "link", "nodes", "control", "watch", "input"]),
    (
        "the core",
        &[
            "experiment",
            "scenario",
            "registry",
            "setting",
            "vm",
            "tally",
            "pace",
            "workload",
            "network",
            "crash",
            "event",
            "clock",
            "seed",
            "id",
            "time",
            "text",
        ],
    ),
    ("the map", &["lib"]),
];

/// Folders that hold modules and nothing else.
const ROOMS: [&str; 6] = ["show", "after", "runs", "drivers", "edge", "model"];

struct Source {
    path: PathBuf,
    /// The module of a room, or the one beside the rooms, that it belongs to.
    module: String,
    /// Its code without comments and without its tests.
    code: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&root).unwrap();
                let mut names = relative.iter().map(|name| name.to_str().unwrap().trim_end_matches(".rs"));
                let module = names.find(|name| !ROOMS.contains(name)).unwrap_or("lib").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
                let code = if is_test { String::new() } else { code(&text) };
                sources.push(Source { path, module, code, text });
            }
        }
    }
    sources
}

fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]").next().unwrap();
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules, of rooms and beside them, that a piece of code names.
fn used(code: &str) -> BTreeSet<&str> {
    let paths = code.split("crate::").skip(1).chain(code.split("clocklab::").skip(1));
    let module = |path| {
        let mut names = str::split(path, |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        let mut names = names.next().unwrap().split("::");
        names.find(|name| !ROOMS.contains(name)).unwrap()
    };
    let modules: BTreeSet<&str> = paths.map(module).collect();
    assert!(!modules.contains(""), "a path ends at a room, where it is not seen what is used of it");
    modules
}

fn rank(module: &str) -> usize {
    let mut modules = LAYERS.iter().flat_map(|(_, modules)| *modules);
    let rank = modules.position(|name| *name == module);
    rank.unwrap_or_else(|| panic!("{module} has no layer in this test"))
}

fn is_core(module: &str) -> bool {
    is_of("the core", module)
}

fn is_of(layer: &str, module: &str) -> bool {
    LAYERS.iter().any(|(name, modules)| *name == layer && modules.contains(&module))
}

/// Demands that no code of these modules contains any of the words.
fn forbid(words: &[&str], is_bound: impl Fn(&str) -> bool) {
    for source in sources().iter().filter(|source| is_bound(&source.module)) {
        for word in words {
            assert!(!source.code.contains(word), "{} has `{word}`", source.path.display());
        }
    }
}

#[test]
fn a_module_uses_only_what_stands_below_it() {
    for source in sources().iter().filter(|source| source.module != "lib") {
        for module in used(&source.code).into_iter().filter(|module| *module != source.module) {
            assert!(rank(&source.module) < rank(module), "{} uses {module}", source.path.display());
        }
    }
}

/// What reads logs does not care how they were made, and could read those of another program.
#[test]
fn what_works_after_a_run_knows_no_driver() {
    let makers = ["sweep", "series", "run", "preflight", "live", "sim", "driver", "link", "control"];
    let works_after =
        |module: &str| ["what people look at", "after a run"].iter().any(|layer| is_of(layer, module));
    for source in sources().iter().filter(|source| works_after(&source.module)) {
        let used = used(&source.code);
        assert!(makers.iter().all(|maker| !used.contains(maker)), "{} uses {used:?}", source.path.display());
    }
}

#[test]
fn the_core_is_pure() {
    let impure = [
        "tokio",
        "actix",
        "clap",
        "csv::",
        "jiff",
        "std::fs",
        "std::io",
        "std::net",
        "std::thread",
        "std::env",
        "Instant",
        "SystemTime",
        "rand::rng",
        "rand::random",
        "HashMap",
        "HashSet",
        "Mutex",
        "Atomic",
    ];
    forbid(&impure, is_core);
}

#[test]
fn only_the_shell_prints_and_exits() {
    let words = ["println!", "eprintln!", "print!(", "stdout()", "stderr()", "process::exit"];
    forbid(&words, |module| module != "cli");
}

/// What is said of a setting passes through files and other processes; how it is typed only the shell knows, which
/// makes flags of "setting `loss`".
#[test]
fn only_the_shell_names_flags() {
    for source in sources().iter().filter(|source| source.module != "cli") {
        // The pictures' colours have such names as well.
        let code = source.code.replace("var(--", "");
        let is_flag = |at: usize| code[at + 2..].starts_with(|c: char| c.is_ascii_lowercase());
        let flag = code.match_indices("--").find(|(at, _)| is_flag(*at));
        let flag = flag.map(|(at, _)| code[at..].chars().take(30).collect::<String>());
        assert_eq!(flag, None, "{}", source.path.display());
    }
}

#[test]
fn only_the_live_driver_opens_sockets_and_reads_the_clock() {
    forbid(&["TcpListener", "TcpStream", "UdpSocket", "Instant::now"], |module| module != "live");
}

#[test]
fn only_the_log_knows_the_names_of_columns() {
    let columns: Vec<String> = clocklab::edge::log::columns(&clocklab::clock::ClockList::standard())
        .iter()
        .map(|column| format!("\"{}\"", column.name()))
        .collect();
    let words: Vec<&str> =
        columns.iter().map(String::as_str).filter(|word| !AMBIGUOUS.contains(word)).collect();
    assert!(words.len() > 8, "{words:?}");
    forbid(&words, |module| module != "log");
}

/// Names of columns that are words of other things as well, such as flags' values and table headings.
const AMBIGUOUS: [&str; 7] =
    ["\"vm\"", "\"lost\"", "\"vector\"", "\"lamport\"", "\"hlc\"", "\"queue\"", "\"mark\""];

#[test]
fn every_file_opens_by_saying_what_it_owns() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{}", source.path.display());
        assert_ne!(source.path.file_name().unwrap(), "mod.rs", "{}", source.path.display());
    }
}

/// What a view draws is a buffer of cells; whose terminal that is, and how it is had, is the shell's business.
#[test]
fn only_the_view_draws_on_terminals_and_only_the_shell_has_one() {
    forbid(&["ratatui"], |module| !["view", "cli"].contains(&module));
    forbid(&["crossterm", "termios", "tcgetattr", "TERM\""], |module| module != "cli");
}

#[test]
fn the_readme_leads_to_all_its_pages_and_they_to_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = root.join("README.md");
    let pages: Vec<PathBuf> =
        fs::read_dir(root.join(".readme")).unwrap().map(|file| file.unwrap().path()).collect();
    let leads_to: Vec<PathBuf> = links(&readme).iter().map(|link| root.join(link)).collect();
    for page in &pages {
        assert!(leads_to.contains(page), "README does not lead to {}", page.display());
    }
    let texts = pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    for page in texts.chain([&readme]) {
        for link in links(page).iter().filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name("").join(file) };
            assert!(target.exists(), "{}: nothing is at {link}", page.display());
            let is_headed = || headings(&target).iter().any(|known| known == heading);
            assert!(heading.is_empty() || is_headed(), "{}: nothing is headed {link}", page.display());
        }
    }
}

/// Where a page's links and pictures lead.
fn links(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let between = |start: &str, end: char| {
        let rests = text.split(start).skip(1);
        rests.filter_map(|rest| Some(rest.split_once(end)?.0.to_owned())).collect::<Vec<_>>()
    };
    [between("](", ')'), between("src=\"", '"')].concat()
}

/// What a page's headings are called in links to them.
fn headings(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let name = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    text.lines().filter(|line| line.starts_with('#')).map(name).collect()
}
