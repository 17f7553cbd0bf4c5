//! Waits for the common start, for the deaths of other processes, and for the common end.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep_until, timeout};

use super::links::Links;
use super::news::{JoinError, News};
use crate::model::time::Nanos;

/// Tells people for whom the start waits, and gives up when it has waited for too long.
pub(super) async fn for_the_start(links: Rc<Links>, join_timeout: Duration) {
    let deadline = links.clock.instant(join_timeout.into());
    let mut told = Vec::new();
    let mut next_look = links.clock.instant(Nanos::from_secs(1));
    let has_started = || links.ask(|roster| roster.has_started());
    while !has_started() && !links.ask(|roster| roster.is_ending()) {
        tokio::select! {
            () = links.changed.notified() => {}
            () = sleep_until(next_look.min(deadline)) => {
                next_look += Duration::from_secs(1);
                let missing = links.ask(|roster| roster.missing());
                if missing != told {
                    for (node, address, reason) in &missing {
                        links.reporter.notice(format!("waiting for node {node} ({address}): {reason}"));
                    }
                    told = missing;
                }
            }
        }
        if links.clock.elapsed() >= join_timeout.into() && !has_started() {
            let (missing, seconds) = (links.ask(|roster| roster.missing()), join_timeout.as_secs_f64());
            return links.reporter.tell(News::NotJoined(JoinError::Missing { missing, seconds }));
        }
    }
}

/// Gives up processes of which somebody knows that they are dead.
pub(super) async fn for_deaths(links: Rc<Links>, mut deaths: UnboundedReceiver<u32>) {
    while let Some(node) = deaths.recv().await {
        links.decide(|roster, effects| roster.bury(node, effects));
    }
}

/// Waits until all is said to everybody, or nobody is left to say it to; then closes.
pub(super) async fn for_the_end(links: Rc<Links>) {
    while !links.decide(|roster, effects| roster.is_over(effects)) {
        let _ = timeout(Duration::from_millis(100), links.changed.notified()).await;
    }
    let closing = links.close();
    links.reporter.tell(News::Over(Box::new(closing)));
}
