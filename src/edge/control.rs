//! What passes between a driver and whoever watches it: progress one way, the wish to stop the other.

use tokio::sync::watch;

use crate::edge::watch::Watch;
use crate::model::time::Nanos;

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Time since the run's start.
    pub elapsed: Nanos,
    /// Events that all machines of the run have made so far, those of other processes as far as they have told.
    pub events: u64,
    /// Messages sent, one for each recipient of a send.
    pub messages: u64,
    /// The longest queue after any event so far.
    pub longest_queue: u64,
}

/// Somebody who is told several times a second how far the run has come.
pub trait Observer {
    /// Looks at the progress.
    fn progress(&mut self, progress: &Progress);

    /// Hears of something that people should know now.
    fn notice(&mut self, _text: &str) {}

    /// Where it wants to see the machines of a live run, if it does.
    fn watch(&self) -> Option<Watch> {
        None
    }
}

/// Nobody: for runs that are not watched.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Observer for Unwatched {
    fn progress(&mut self, _progress: &Progress) {}
}

/// Asks a run to stop early, in order.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// Asks the run to stop; whoever waits for that wakes, and to ask again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// A run's side of a [`Stopper`].
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A pair of someone who asks and a run that listens.
    pub fn new() -> (Stopper, Self) {
        let (asks, listens) = watch::channel(false);
        (Stopper(asks), Self(listens))
    }

    /// Whether the run was asked to stop.
    pub fn asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the run is asked to stop; for ever where nobody can ask any more.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
