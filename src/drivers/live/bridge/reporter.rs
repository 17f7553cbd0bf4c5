//! What a bridge tells: rows to its log, notices to people, warnings for the end, each of them in bounds.

use std::cell::{Cell, RefCell};

use super::news::{News, Tell};
use crate::edge::log::{BridgeLog, BridgeRow, FileEntry};
use crate::model::setting::Spelling;

/// Rows of refused connections; further ones are only counted, so that nobody fills the disk from outside.
const MOST_REFUSALS: u64 = 1000;
/// Warnings that are told again at the end; of further ones it is told how many they are.
const MOST_WARNINGS: usize = 100;
/// Refused connections of which people are told.
const MOST_TOLD: usize = 20;

/// The bridge's log, and its line to people.
pub(super) struct Reporter {
    log: RefCell<Option<BridgeLog>>,
    tell: Tell,
    spelled: Spelling,
    warnings: RefCell<Vec<String>>,
    more_warnings: Cell<u64>,
    refusals: Cell<u64>,
    /// The hosts and reasons of those that people were told of.
    told_refusals: RefCell<Vec<(String, String)>>,
}

impl Reporter {
    pub(super) fn new(log: BridgeLog, tell: Tell, spelled: Spelling) -> Self {
        Self {
            log: RefCell::new(Some(log)),
            tell,
            spelled,
            warnings: RefCell::default(),
            more_warnings: Cell::new(0),
            refusals: Cell::new(0),
            told_refusals: RefCell::default(),
        }
    }

    pub(super) fn tell(&self, news: News) {
        (self.tell)(news);
    }

    /// Writes a row. Where that fails there is no log any more: one failure is enough to tell of.
    pub(super) fn write(&self, row: &BridgeRow<'_>) {
        let reason = (self.spelled)(row.reason);
        let row = BridgeRow { reason: &reason, ..*row };
        let written = self.log.borrow_mut().as_mut().map(|log| log.write(&row));
        if let Some(Err(error)) = written {
            self.log.take();
            self.tell(News::LogFailed(error));
        }
    }

    /// Something that people should know now.
    pub(super) fn notice(&self, text: String) {
        self.tell(News::Notice((self.spelled)(&text).into_owned()));
    }

    /// Something that the run's end should tell of again.
    pub(super) fn warn(&self, text: String) {
        let text = (self.spelled)(&text).into_owned();
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MOST_WARNINGS {
            warnings.push(text.clone());
        } else {
            self.more_warnings.update(|count| count + 1);
        }
        self.notice(text);
    }

    /// A connection was refused; tells whether there is to be a row of it.
    pub(super) fn refuses(&self) -> bool {
        self.refusals.update(|count| count + 1);
        self.refusals.get() <= MOST_REFUSALS
    }

    /// Tells people of a connection that was refused. The same reason again is no news to them, and whoever
    /// invents reasons soon has no listeners.
    pub(super) fn notice_refusal(&self, address: &str, reason: &str) {
        let host = address.rsplit_once(':').map_or(address, |(host, _port)| host);
        let news = (host.to_owned(), reason.to_owned());
        let mut told = self.told_refusals.borrow_mut();
        if told.len() < MOST_TOLD && !told.contains(&news) {
            self.notice(format!("refused a connection from {address}: {reason}"));
            told.push(news);
        }
    }

    /// What there is to say of refused connections that have no row.
    pub(super) fn unlogged_refusals(&self) -> String {
        let refused = self.refusals.get();
        match refused.saturating_sub(MOST_REFUSALS) {
            0 => String::new(),
            unlogged => format!("{refused} connections refused, {unlogged} of them without a row"),
        }
    }

    /// Closes the log, and gives the warnings.
    pub(super) fn close(&self) -> (Option<FileEntry>, Vec<String>) {
        let file = match self.log.take().map(BridgeLog::finish) {
            Some(Ok(entry)) => Some(entry),
            Some(Err(error)) => {
                self.tell(News::LogFailed(error));
                None
            }
            None => None,
        };
        let mut warnings = self.warnings.take();
        if self.more_warnings.get() > 0 {
            warnings.push(format!("{} more warnings of the links", self.more_warnings.get()));
        }
        (file, warnings)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::model::setting::as_named;

    #[test]
    fn people_hear_of_a_reason_once_and_of_few_in_all() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, news) = mpsc::channel();
        let tell = Box::new(move |news| drop(sender.send(news)));
        let reporter =
            Reporter::new(BridgeLog::create(folder.path().join("bridge_0.csv")).unwrap(), tell, as_named);
        (0..5).for_each(|port| reporter.notice_refusal(&format!("10.0.0.1:{port}"), "it is another run"));
        assert_eq!(news.try_iter().count(), 1);
        (0..100).for_each(|k| reporter.notice_refusal("10.0.0.1:9", &format!("it is run {k}")));
        assert_eq!(news.try_iter().count(), MOST_TOLD - 1);
        assert_eq!((0..MOST_REFUSALS + 7).filter(|_| reporter.refuses()).count() as u64, MOST_REFUSALS);
        assert_eq!(reporter.unlogged_refusals(), "1007 connections refused, 7 of them without a row");
        reporter.warn("mind".into());
        let (file, warnings) = reporter.close();
        assert_eq!((file.unwrap().rows, warnings), (0, vec!["mind".to_owned()]));
    }
}
