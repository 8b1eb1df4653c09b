//! What became of a tree's entries so far, and what is still to come of them.

use file_transfer_types::errors::describe;
use file_transfer_types::names::shown;
use file_transfer_types::types::{TransferError, TreeFailure, TreeSummary};
use transship_guest::warn;

use super::plan::How;

/// How many failures are told one by one.
const FAILURES: usize = 100;

/// See the module.
#[derive(Debug)]
pub(super) struct Tally {
    /// What is told at the end.
    pub(super) summary: TreeSummary,
    /// Bytes of the files that were moved.
    pub(super) bytes: u64,
    /// Those of them that were there from an earlier attempt.
    pub(super) resumed: u64,
    /// Files of which it is known what became of them.
    pub(super) files: u64,
    /// Files that were listed.
    pub(super) listed: u64,
    /// Bytes of the files that are to be moved, or were: each as long as it is not known to have failed.
    pub(super) planned: u64,
}

impl Tally {
    /// Of nothing yet.
    pub(super) fn new() -> Self {
        let summary = TreeSummary { new: 0, changed: 0, unchanged: 0, skipped: 0, failed: 0, folders: 0, links: 0, failures: Vec::new() };
        Self { summary, bytes: 0, resumed: 0, files: 0, listed: 0, planned: 0 }
    }

    /// A file of so many bytes is to be moved.
    pub(super) fn plan(&mut self, size: u64) {
        self.planned = self.planned.saturating_add(size);
    }

    /// A file of so many bytes that was to be moved will not be.
    pub(super) fn give_up(&mut self, size: u64) {
        self.planned = self.planned.saturating_sub(size);
    }

    /// A file is there, or would be.
    pub(super) fn moved(&mut self, how: How, size: u64) {
        match how {
            How::New | How::Beside => self.summary.new += 1,
            How::Replace => self.summary.changed += 1,
        }
        self.bytes = self.bytes.saturating_add(size);
        self.files += 1;
    }

    /// A file was equal, but for its time or its permissions, which it has now.
    pub(super) fn set(&mut self) {
        self.summary.changed += 1;
        self.files += 1;
    }

    /// A file was equal already.
    pub(super) fn unchanged(&mut self) {
        self.summary.unchanged += 1;
        self.files += 1;
    }

    /// A file was left alone.
    pub(super) fn skipped(&mut self) {
        self.left_out(1);
        self.files += 1;
    }

    /// So many were left out, of whatever kind. The number may be whatever the sender says.
    pub(super) fn left_out(&mut self, count: u64) {
        self.summary.skipped = self.summary.skipped.saturating_add(count);
    }

    /// A file failed.
    pub(super) fn failed(&mut self, name: &str, error: TransferError) {
        self.files += 1;
        self.other_failed(name, error);
    }

    /// Something failed that is no file.
    pub(super) fn other_failed(&mut self, name: &str, error: TransferError) {
        warn!("{}: {}", shown(name), describe(&error));
        self.note(name, error);
    }

    fn note(&mut self, name: &str, error: TransferError) {
        self.summary.failed += 1;
        if self.summary.failures.len() < FAILURES {
            self.summary.failures.push(TreeFailure { name: shown(name), error });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_is_what_comes_in_the_end() {
        let mut tally = Tally::new();
        [100, 20, 3].into_iter().for_each(|size| tally.plan(size));
        tally.moved(How::New, 100);
        tally.give_up(20);
        // It is longer by now.
        tally.give_up(3);
        tally.plan(5);
        tally.moved(How::Replace, 5);
        assert_eq!((tally.planned, tally.bytes), (105, 105));
    }

    #[test]
    fn the_first_failures_are_told_and_all_are_counted() {
        let mut tally = Tally::new();
        for number in 0..150 {
            tally.note(&number.to_string(), TransferError::Changed(String::new()));
        }
        tally.moved(How::New, 5);
        tally.moved(How::Replace, 6);
        tally.moved(How::Beside, 7);
        assert_eq!((tally.summary.new, tally.summary.changed, tally.bytes, tally.files), (2, 1, 18, 3));
        assert_eq!((tally.summary.failed, tally.summary.failures.len()), (150, FAILURES));
    }
}
