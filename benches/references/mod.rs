//! What clocklab's virtual time is measured against.

#![allow(unreachable_pub, reason = "modules of a bench")]

pub mod nexosim;
pub mod plain;
