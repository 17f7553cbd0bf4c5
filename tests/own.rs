//! A program of one's own with all of clocklab's command line: started with `AS_PROGRAM` in its environment this file is
//! that program, and otherwise the tests of it.

#![allow(clippy::unwrap_used, reason = "a test fails where something is missing")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use clocklab::{Algorithm, Exclusion, Heard, Make, Protocol, Registry, Speaking, Turn, VmId};
use libtest_mimic::{Arguments, Trial};

/// Says that the file is to be the program.
const AS_PROGRAM: &str = "CLOCKLAB_TEST_AS_PROGRAM";

clocklab::messages! {
    enum Word { Token = "token" }
}

/// A token goes round; who has it is inside for a tick. A careless one does not wait for it.
#[derive(Debug)]
struct Ring {
    next: VmId,
    is_careless: bool,
    has_asked: bool,
    has_token: bool,
    is_inside: bool,
}

impl Protocol for Ring {
    type Message = Word;

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        if !self.has_asked {
            turn.mark("request");
            self.has_asked = true;
        } else if self.is_inside && self.has_token {
            turn.send([self.next], Word::Token);
        } else if !self.is_inside && (self.has_token || self.is_careless) {
            turn.mark("enter");
            self.is_inside = true;
        }
    }

    fn sent(&mut self, _: &Word, turn: &mut Turn<'_, Word>) {
        turn.mark("leave");
        (self.has_asked, self.has_token, self.is_inside) = (false, false, false);
    }

    fn received(&mut self, _: &Heard<Word>, _: &mut Turn<'_, Word>) {
        self.has_token = true;
    }
}

static RING: Algorithm = Algorithm {
    name: "own-ring",
    title: "a token goes round",
    make: Make::Boxed(|vm, setup| Box::new(Speaking::new(vm, setup, ring(vm, setup.vms(), false)))),
    judge: Some(|_| Box::new(Exclusion::new())),
    least_vms: 2,
    ..Algorithm::PLAIN
};

static CARELESS: Algorithm = Algorithm {
    name: "own-careless",
    make: Make::Boxed(|vm, setup| Box::new(Speaking::new(vm, setup, ring(vm, setup.vms(), true)))),
    ..RING
};

fn ring(vm: VmId, vms: u32, is_careless: bool) -> Ring {
    let next = VmId((vm.0 + 1) % vms);
    Ring { next, is_careless, has_asked: false, has_token: vm.0 == 0, is_inside: false }
}

fn main() -> ExitCode {
    if env::var_os(AS_PROGRAM).is_some() {
        return clocklab::main_with(Registry::default().with_workload(&RING).with_workload(&CARELESS));
    }
    let test = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let tests = vec![
        test("an_own_workload_is_told_run_checked_and_drawn", an_own_workload_is_told_run_checked_and_drawn),
        test("it_runs_in_several_processes_too", it_runs_in_several_processes_too),
        test("its_judge_finds_what_breaks_its_promise", its_judge_finds_what_breaks_its_promise),
        test("another_program_judges_what_it_knows", another_program_judges_what_it_knows),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn started(program: &Path, folder: &Path, line: &str) -> Output {
    let mut command = Command::new(program);
    command.current_dir(folder).args(line.split(' ')).env(AS_PROGRAM, "1").output().unwrap()
}

/// What the own program prints where it ends with that code.
#[track_caller]
fn own(folder: &Path, line: &str, code: i32) -> String {
    let done = started(&env::current_exe().unwrap(), folder, line);
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(code), "{line}: {out}{err}");
    format!("{out}{err}")
}

fn an_own_workload_is_told_run_checked_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    assert!(own(folder.path(), "--help", 0).contains("own-ring: a token goes round"));
    let refused = own(folder.path(), "--workload own-rong", 2);
    assert!(refused.contains("own-ring") && refused.contains("scale-model"), "{refused}");
    own(folder.path(), "--quiet --virtual-time --seed 1 --workload own-ring", 0);
    let manifest = fs::read_to_string(folder.path().join("output/run.toml")).unwrap();
    assert!(manifest.contains("workload = \"own-ring\""), "{manifest}");
    assert!(own(folder.path(), "check", 0).starts_with("output: sound: 3 machines"));
    own(folder.path(), "report", 0);
    assert!(fs::read_to_string(folder.path().join("output/report.html")).unwrap().contains("own-ring"));
    // The built-in ones are beside it.
    own(folder.path(), "--quiet --virtual-time --seed 1 --duration 5 --workload client-server", 0);
}

fn it_runs_in_several_processes_too() {
    let folder = tempfile::tempdir().unwrap();
    let line = "--quiet --processes 2 --vms 4 --rates 200 --duration 1 --workload own-ring";
    own(folder.path(), line, 0);
    assert!(own(folder.path(), "check", 0).starts_with("output: sound: 4 machines"));
}

fn its_judge_finds_what_breaks_its_promise() {
    let folder = tempfile::tempdir().unwrap();
    own(folder.path(), "--quiet --virtual-time --seed 1 --duration 5 --workload own-careless", 0);
    let said = own(folder.path(), "check", 1);
    assert!(said.contains("no two machines inside at once") && said.contains("vm"), "{said}");
}

/// clocklab itself has no such workload: it demands what it demands of every log, and says what it cannot judge.
fn another_program_judges_what_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    own(folder.path(), "--quiet --virtual-time --seed 1 --duration 5 --workload own-careless", 0);
    let done = started(Path::new(env!("CARGO_BIN_EXE_clocklab")), folder.path(), "check");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("own-careless"), "it says what it does not know: {said}");
}
