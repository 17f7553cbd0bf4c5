//! The live driver: every machine an actix actor with a mailbox and a timer, in real time.
//!
//! The [`coordinator`](conduct) conducts a run over a few shards. A *shard* is one arbiter's share of the run: an actor
//! that owns what its machines share (the log, the timebase, counters) and speaks for them to the
//! coordinator. A *VM actor* holds one machine; its ticker makes the ticks that are due, and the directory
//! takes each message to the actor that it is for.
//!
//! A run goes through four phases, each of which ends when every shard has said so: the shards prepare
//! their machines; the machines tick; when no machine will tick again, what is still in mailboxes is
//! delivered; and every machine hands in its account. Since an actor's mailbox is first in, first
//! out, the request for the account comes after every message sent to the machine.

pub mod bridge;
mod coordinator;
mod counters;
mod directory;
mod shard;
mod shared;
mod stage;
mod ticker;
mod timebase;
mod vm_actor;

pub use coordinator::{Abroad, LiveError, conduct, run};
pub use timebase::Timebase;

#[cfg(test)]
mod tests;
