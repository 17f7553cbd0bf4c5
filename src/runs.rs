//! A run as a whole, from an empty folder to its manifest; several of them; and those of several processes.

pub mod child;
pub mod join;
pub mod preflight;
pub mod run;
pub mod series;
pub mod supervisor;
pub mod sweep;
