//! What is known only when the run starts, and is the same for all sites.

use std::sync::{Arc, OnceLock};

use super::directory::Directory;
use super::timebase::Timebase;

/// Who lives where, and when it is.
pub(super) struct Stage {
    pub(super) directory: Directory,
    pub(super) timebase: Timebase,
}

/// The place where the lab sets the stage, once, before it tells any site to begin: a machine may
/// send to another whose site has not heard of the beginning yet.
pub(super) type Staging = Arc<OnceLock<Stage>>;
