//! What all shards know of the run: its stage, set when it starts, and whether it has been halted.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::directory::Directory;
use super::timebase::Timebase;
use crate::model::time::Nanos;

/// Who lives where, and when it is.
pub(super) struct Stage {
    pub(super) directory: Directory,
    pub(super) timebase: Timebase,
    /// How far the run had come when this process took part in it.
    pub(super) from: Nanos,
}

/// The coordinator sets the stage, once, before it tells any shard to begin: a machine may send to another
/// whose shard has not heard of the beginning yet. And it halts the run here, since under load a
/// message that tells so would wait behind all others.
#[derive(Default)]
pub(super) struct Theatre {
    stage: OnceLock<Stage>,
    halted: AtomicBool,
}

impl Theatre {
    pub(super) fn open(&self, stage: Stage) {
        assert!(self.stage.set(stage).is_ok(), "a run begins once");
    }

    /// The stage, once the run has begun.
    pub(super) fn stage(&self) -> Option<&Stage> {
        self.stage.get()
    }

    /// No machine is to tick again. Tells whether that is news.
    pub(super) fn halt(&self) -> bool {
        !self.halted.swap(true, Ordering::Relaxed)
    }

    /// Whether no machine is to tick again.
    pub(super) fn has_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }
}
