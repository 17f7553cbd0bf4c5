//! The link between two processes of a distributed run, as state machines without sockets.
//!
//! A link carries *parcels*, of one message or of many, over any number of connections one after the
//! other. **Its promise: every parcel arrives exactly once and in order while both processes live; when
//! one of them died, the parcels of which nobody knows whether they arrived are counted, and reported.**
//! Common remoting of actors promises at most once over a reconnect.
//!
//! - A [`frame`] is what a connection carries: a length with a limit, a checksum, and a body.
//! - A [`greeting`] opens a connection: it makes sure that both ends are processes of the same run, and
//!   tells each what the other has received so far.
//! - A [`session`] outlives its connections: it numbers parcels, keeps them until they are
//!   acknowledged, sends them again after a reconnect, notices silence, and ends in order.
//! - A [`dialer`] decides when to dial again, and which of two connections stays where both dialled.
//! - A [`seal`] makes a connection secret and authentic where the processes share a key.
//! - A [`codec`] puts messages into parcels, vector stamps as differences.
//! - [`bounds`] are what both ends know that messages of the run can be; what is beyond them is refused.
//! - A [`word`] is what processes tell each other beside messages.
//!
//! Time comes in as an argument, bytes come in and go out as slices. Whoever owns the sockets and the
//! timers (the bridge of the live driver) feeds these machines and does what they ask for.

pub mod bounds;
pub mod codec;
pub mod dialer;
pub mod frame;
pub mod greeting;
pub mod seal;
pub mod session;
mod wire;
pub mod word;
