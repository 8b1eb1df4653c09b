//! How often the parent hears of progress: at most five times a second, never a second report before the first was taken, and nothing that matters left out.
//!
//! Reports that only say "further" replace each other; one that says that something happened waits its turn.

use std::collections::VecDeque;

/// Milliseconds between two reports.
const INTERVAL: u64 = 200;

/// See the module. `P` is a report.
#[derive(Debug)]
pub(crate) struct Pace<P> {
    /// A report was sent and not taken yet.
    waiting: bool,
    must: VecDeque<P>,
    latest: Option<P>,
    last: Option<u64>,
}

impl<P> Default for Pace<P> {
    fn default() -> Self {
        Self { waiting: false, must: VecDeque::new(), latest: None, last: None }
    }
}

impl<P> Pace<P> {
    /// It got further.
    pub(crate) fn further(&mut self, report: P) {
        self.latest = Some(report);
    }

    /// Something happened that must be told.
    pub(crate) fn tell(&mut self, report: P) {
        self.latest = None;
        self.must.push_back(report);
    }

    /// The report to send now, if it is time for one; it is waiting to be taken from now on.
    pub(crate) fn next(&mut self, now: u64) -> Option<P> {
        if self.waiting {
            return None;
        }
        let early = self.last.is_some_and(|last| now.saturating_sub(last) < INTERVAL);
        let report = match self.must.pop_front() {
            Some(report) => report,
            None if early => return None,
            None => self.latest.take()?,
        };
        self.waiting = true;
        self.last = Some(now);
        Some(report)
    }

    /// The report was taken (or nobody will take it).
    pub(crate) fn taken(&mut self) {
        self.waiting = false;
    }

    /// Whether a report waits to be taken.
    pub(crate) fn waiting(&self) -> bool {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_report_goes_out_when_its_time_has_come() {
        let mut pace = Pace::default();
        pace.further(1);
        assert_eq!(pace.next(0), Some(1));
        pace.taken();
        pace.further(2);
        pace.further(3);
        assert_eq!(pace.next(INTERVAL - 1), None);
        assert_eq!(pace.next(INTERVAL), Some(3));
    }

    #[test]
    fn nothing_is_sent_before_the_last_was_taken() {
        let mut pace = Pace::default();
        pace.further(1);
        pace.next(0);
        pace.further(2);
        pace.tell(3);
        assert_eq!(pace.next(10 * INTERVAL), None);
        pace.taken();
        assert_eq!(pace.next(10 * INTERVAL), Some(3));
    }

    #[test]
    fn what_happened_is_told_at_once_in_order_and_never_replaced() {
        let mut pace = Pace::default();
        pace.tell(1);
        pace.tell(2);
        pace.further(3);
        for expected in [1, 2] {
            assert_eq!(pace.next(0), Some(expected));
            pace.taken();
        }
        assert_eq!(pace.next(0), None);
        assert_eq!(pace.next(INTERVAL), Some(3));
    }
}
