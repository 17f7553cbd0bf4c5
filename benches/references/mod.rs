//! What clocklab's virtual time is measured against.

#![allow(unreachable_pub, reason = "modules of a bench")]

#[cfg(feature = "nexosim")]
pub mod nexosim;
pub mod plain;
