//! clocklab is a laboratory for logical clocks.
//!
//! It runs virtual machines that tick at different rates, exchange messages and keep logical clocks, and it logs every
//! event to CSV. This is the library below the program; the README tells how to use that.
//!
//! # A map
//!
//! The folders of `src` are the rooms of a house, from bottom to top; a module uses only what stands below it, and a
//! test sees to it.
//!
//! - **The core** is pure: no files, no threads, no clock of the machine, no randomness but from the seed. A [`clock`] is
//!   a file, with a line in a registry, and so is a [`workload`], the algorithm that machines follow, with the judge of
//!   what it promises. [`model`] is what a run is made of: [`text`](model::text), [`time`](model::time), [`id`](model::id)
//!   and [`seed`](model::seed) are its ground; [`pace`](model::pace) tells when ticks in real time are due;
//!   [`event`](model::event) what travels and what a tick's event is; [`network`](model::network) decides what becomes of
//!   messages; [`tally`](model::tally) adds events up; a [`vm`](model::vm) is one machine; a
//!   [`scenario`](model::scenario) is a whole run's model, and has the one table of
//!   [settings](model::scenario::Settings), of which [`setting`](model::setting) makes all that follows from them; an
//!   [`experiment`](model::experiment) is a scenario under several conditions; and a
//!   [`registry`](model::registry) has what a program can choose from.
//! - **The [`edge`]**: `input` opens what people name, so that nothing endless keeps the program waiting,
//!   [`log`](edge::log) is all that a run leaves in files, [`trace`](edge::trace) what other programs leave,
//!   [`link`](edge::link) the protocol between the processes of a distributed run, without its sockets,
//!   [`nodes`](edge::nodes) where these processes are and which machines each of them holds, [`driver`](edge::driver) what
//!   a driver takes and gives, [`control`](edge::control) what passes between a run and those who watch it, and
//!   [`watch`](edge::watch) what they see of its machines.
//! - **The [`drivers`]** make the machines tick: [`live`](drivers::live) in real time, each of them an actix actor;
//!   [`sim`](drivers::sim) in virtual time, as fast as the processor allows.
//! - **[`runs`]**: [`run`](runs::run) leads one run from an empty folder to its manifest, [`preflight`](runs::preflight)
//!   tells before whether it fits the machine, [`series`](runs::series) makes several and [`sweep`](runs::sweep) those of
//!   an experiment. [`supervisor`](runs::supervisor) has a run's processes on this machine started and watched, each of
//!   which is a [`child`](runs::child); [`join`](runs::join) makes a process a node of a run over several hosts.
//! - **[`after`] a run**, from its logs alone: [`history`](after::history) brings their rows into an order in which causes
//!   come before effects, [`check`](after::check) tells whether they are right, [`stats`](after::stats) measures them,
//!   [`order`](after::order) tells what happened before what, and [`effects`](after::effects) what the settings of an
//!   experiment did.
//! - **What people look at** is [`show`]n: [`report`](show::report) draws a run that is over, as a page, as pictures, as a
//!   notebook, and [`export`](show::export) writes it in the formats of other tools. One that is under way is a
//!   [`view`](show::view) on a terminal.
//! - **At the top** a program of one's own has a [`Run`] in three lines, and the shell is [`cli`]: it alone knows flags,
//!   prints, and exits.
//!
//! # The way of a message
//!
//! A machine's ticker wakes its actor, which calls [`Vm::tick`](model::vm::Vm::tick) with the time and an
//! outbox. The machine takes a message from its inbox or asks its workload, advances its clocks, and
//! returns one [`Event`](model::event::Event). The actor has its [`Record`](model::event::Record) written as a row
//! and only then hands each message of the outbox to the directory, which puts it into the mailbox of
//! the recipient's actor. That one only calls [`Vm::deliver`](model::vm::Vm::deliver); its own next tick makes the receive
//! event and its row. A [`Call`](model::event::Call) goes the same way up to there, and then to the workload.
//!
//! Where the recipient lives in another process, the directory hands the message to the
//! [bridge](drivers::live::bridge) instead, whose link takes it to that process's bridge and so to *its* directory.
//!
//! # A laboratory of one's own
//!
//! A program adds an algorithm by describing it. From the description follow its place on the command line, in help,
//! manifests and logs, how it runs live and in virtual time, over processes, and how `check` judges it. This one is
//! complete: mutual exclusion by a token that goes round, and a judge that holds the log to it.
//!
//! ```
//! use clocklab::{Algorithm, Exclusion, Heard, Make, Protocol, Registry, Run, Settings, Speaking, Turn, VmId};
//!
//! clocklab::messages! {
//!     /// What machines say to each other: a word in the column `payload`.
//!     enum Word { Token = "token" }
//! }
//!
//! /// One machine. It asks; with the token it is inside for a tick, and passes it on.
//! #[derive(Debug)]
//! struct Ring { next: VmId, has_asked: bool, has_token: bool, is_inside: bool }
//!
//! impl Protocol for Ring {
//!     type Message = Word;
//!
//!     /// A tick with nothing to receive and nothing to send.
//!     fn idle(&mut self, turn: &mut Turn<'_, Word>) {
//!         if !self.has_asked {
//!             turn.mark("request");
//!             self.has_asked = true;
//!         } else if self.is_inside {
//!             turn.send([self.next], Word::Token);
//!         } else if self.has_token {
//!             turn.mark("enter");
//!             self.is_inside = true;
//!         }
//!     }
//!
//!     fn sent(&mut self, _: &Word, turn: &mut Turn<'_, Word>) {
//!         turn.mark("leave");
//!         (self.has_asked, self.has_token, self.is_inside) = (false, false, false);
//!     }
//!
//!     fn received(&mut self, _: &Heard<Word>, _: &mut Turn<'_, Word>) {
//!         self.has_token = true;
//!     }
//! }
//!
//! static RING: Algorithm = Algorithm {
//!     name: "ring",
//!     title: "mutual exclusion by a token that goes round",
//!     make: Make::Boxed(|vm, setup| {
//!         let next = VmId((vm.0 + 1) % setup.vms());
//!         let ring = Ring { next, has_asked: false, has_token: vm.0 == 0, is_inside: false };
//!         Box::new(Speaking::new(vm, setup, ring))
//!     }),
//!     judge: Some(|_| Box::new(Exclusion::new())),
//!     least_vms: 2,
//!     ..Algorithm::PLAIN
//! };
//!
//! # let folder = tempfile::tempdir()?;
//! let registry = Registry::default().with_workload(&RING);
//! // The whole command line would be: `fn main() -> ExitCode { clocklab::main_with(registry) }`
//! let settings = Settings { workload: Some("ring".parse()?), virtual_time: Some(true), ..Settings::default() };
//! let made = Run::new(settings).with(registry).into_folder(folder.path().join("ring")).make()?;
//! assert!(made.check()?.is_sound());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(feature = "program"), allow(dead_code, reason = "the command line is who uses it"))]
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the map shows the whole house, and some rooms are nobody else's"
)]

pub mod after;
#[cfg(feature = "program")]
pub(crate) mod cli;
pub mod clock;
pub mod drivers;
pub mod edge;
mod laboratory;
pub mod model;
pub mod runs;
#[cfg(feature = "program")]
pub(crate) mod show;
pub mod workload;

pub use self::after::check::{Fault, FaultKind, Report};
pub use self::after::stats::Stats;
#[cfg(feature = "program")]
pub use self::cli::{main, main_with};
pub use self::edge::control::{Observer, Progress, Stop, Stopper};
pub use self::laboratory::{LookError, Made, Run};
pub use self::model::id::VmId;
pub use self::model::registry::Registry;
pub use self::model::scenario::Settings;
pub use self::model::seed::Stream;
pub use self::model::time::Nanos;
pub use self::runs::run::{Finished, RunError, WriteError};
pub use self::workload::{
    Action, Algorithm, Deed, Exclusion, Heard, Judge, Make, Parameter, Protocol, Setup, Speaking, Textbook,
    Tick, Turn, Violation, Witnessed, Workload,
};
