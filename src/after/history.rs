//! A run's history out of its logs: their rows in an order in which every cause comes before its effects.
//!
//! This is what all that works after a run stands on. It needs the logs alone: it neither knows how they were
//! made nor judges them. Its memory grows with the machines and the messages in flight, not with the events.

mod graph;
mod hold_back;
mod index;
mod missing;
mod model;
mod numbers;
mod outside;
mod queue;
mod replay;
mod sample;
mod visitor;

pub use graph::{Front, Graph, Received};
pub use missing::{Lack, Missing, ReadLog, Witness};
pub use model::Model;
pub use numbers::Numbers;
use outside::Outside;
pub(crate) use queue::{Bound, Queue, SeenArrivals, WrongQueue};
pub(crate) use replay::LogSummary;
pub use replay::{HistoryError, Replay};
pub(crate) use sample::{Earlier, Known, Sample};
pub use visitor::{Delivery, Place, Step, Visitor};
