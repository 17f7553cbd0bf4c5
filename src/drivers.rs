//! What makes machines tick: in real time, each of them an actor, or in virtual time, as fast as the processor allows.

pub mod live;
pub mod sim;
