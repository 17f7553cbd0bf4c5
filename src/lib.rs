//! clocklab is a laboratory for logical clocks.
//!
//! It runs virtual machines that tick at different rates, exchange messages and keep Lamport, vector
//! and hybrid clocks, and it logs every event to CSV. This is the library below the program; the
//! README tells how to use that.
//!
//! # A map
//!
//! From bottom to top; a module uses only what stands below it, and a test sees to it.
//!
//! - **The core** is pure: no files, no threads, no clock of the machine, no randomness but from the
//!   seed. [`text`](model::text), [`time`](model::time), [`id`](model::id) and [`seed`](model::seed) are its ground; [`clock`] has the logical clocks;
//!   [`pace`](model::pace) tells when ticks in real time are due;
//!   [`event`](model::event) the messages and calls and what a tick's event is; [`network`](model::network) decides what becomes of messages;
//!   a [`workload`] decides what a tick does; [`tally`](model::tally) adds events up; a [`vm`](model::vm) is one machine; a
//!   [`scenario`](model::scenario) is a whole run's model, and has the one table of [settings](model::scenario::Settings), of which
//!   [`setting`](model::setting) makes all that follows from them.
//! - **The edge**: `input` opens what people name, so that nothing endless keeps the program waiting, [`log`](edge::log) is all that a run leaves in files, [`trace`](edge::trace) what other programs leave, [`link`](edge::link) the protocol between the processes of a
//!   distributed run, without its sockets, [`nodes`](edge::nodes) where these processes are and which machines each of
//!   them holds, [`driver`](edge::driver) what a driver takes and gives, [`control`](edge::control) what passes between a run and those
//!   who watch it, and [`watch`](edge::watch) what they see of its machines.
//! - **The drivers** make the machines tick: [`live`](drivers::live) in real time, each of them an actix actor; [`sim`](drivers::sim)
//!   in virtual time, as fast as the processor allows.
//! - **The run**: [`run`](runs::run) leads one run from an empty folder to its manifest, [`preflight`](runs::preflight) tells before
//!   whether it fits the machine, and [`series`](runs::series) makes several. [`supervisor`](runs::supervisor) has a run's processes on this machine
//!   started and watched, each of which is a [`child`](runs::child); [`join`](runs::join) makes a process a node of a run over several hosts.
//! - **After a run**, from its logs alone: [`history`](after::history) brings their rows into an order in which causes come before
//!   effects, [`check`](after::check) tells whether they are right, [`stats`](after::stats) measures them, and [`order`](after::order) tells what happened
//!   before what.
//! - **What people look at** of a run that is over: [`report`](show::report) draws it, as a page, as pictures, as a notebook, and
//!   [`export`](show::export) writes it in the formats of other tools. One that is under way is a [`view`](show::view) on a terminal.
//! - **The shell**: [`cli`] alone knows flags, prints, and exits.
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
//! # Your own workload
//!
//! ```
//! use clocklab::edge::control::{Stop, Unwatched};
//! use clocklab::edge::driver::Plan;
//! use clocklab::model::id::VmId;
//! use clocklab::drivers::live;
//! use clocklab::edge::log::Layout;
//! use clocklab::model::scenario::{Scenario, Settings};
//! use clocklab::model::seed::{Seed, Stream};
//! use clocklab::workload::{Action, Tick, Workload};
//!
//! /// Passes what it gets, or a first message, to the next machine in the ring.
//! #[derive(Debug)]
//! struct Ring {
//!     next: VmId,
//! }
//!
//! impl Workload for Ring {
//!     fn choose(&mut self, tick: &Tick<'_>, _: &mut Stream, to: &mut Vec<VmId>) -> Action {
//!         if tick.waiting > 0 {
//!             return Action::Receive;
//!         }
//!         to.push(self.next);
//!         Action::Send { payload: None }
//!     }
//! }
//!
//! let settings = Settings { duration: "100ms".parse().ok(), rates: "50".parse().ok(), ..Settings::default() };
//! let scenario = Scenario::new(&settings, Seed(1))?;
//! let plan = Plan { threads: 1, layout: Layout::Nowhere, folder: "output".into() };
//! let (_stopper, stop) = Stop::new();
//! let ring = |vm: VmId| Ring { next: VmId((vm.0 + 1) % 3) };
//! let outcome = live::run(&scenario, &plan, None, ring, stop, &mut Unwatched)?;
//! assert_eq!(outcome.accounts.iter().map(|account| account.tally.events).sum::<u64>(), 15);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod after;
pub mod cli;
pub mod clock;
pub mod drivers;
pub mod edge;
pub mod model;
pub mod runs;
pub mod show;
pub mod workload;
