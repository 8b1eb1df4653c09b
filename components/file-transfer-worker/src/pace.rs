//! How often the parent hears of progress: at most five times a second, never a second report before the first was taken, and nothing that matters left out.
//!
//! Reports that only say "further", or which of the usual states has come, replace each other; one that says that something happened waits its turn. In the [`BEGINNING`] there are none of the former: a small file is over by then, and a
//! report costs as much as its bytes.

use std::collections::VecDeque;

/// Milliseconds between two reports.
const INTERVAL: u64 = 200;

/// So many milliseconds it goes without being told that it goes well.
pub(crate) const BEGINNING: u64 = 100;

/// See the module. `P` is a report.
#[derive(Debug)]
pub(crate) struct Pace<P> {
    started: u64,
    /// A report was sent and not taken yet.
    waiting: bool,
    must: VecDeque<P>,
    latest: Option<P>,
    /// The latest is the first that tells of its state.
    changed: bool,
    last: Option<u64>,
}

impl<P> Pace<P> {
    /// Of what begins now.
    pub(crate) fn new(started: u64) -> Self {
        Self { started, waiting: false, must: VecDeque::new(), latest: None, changed: false, last: None }
    }

    /// It got further.
    pub(crate) fn further(&mut self, report: P) {
        self.latest = Some(report);
    }

    /// It has come to one of the states that it was to come to: told without delay, unless it is the beginning or the next comes first.
    pub(crate) fn state(&mut self, report: P) {
        self.latest = Some(report);
        self.changed = true;
    }

    /// Something happened that must be told.
    pub(crate) fn tell(&mut self, report: P) {
        self.latest = None;
        self.changed = false;
        self.must.push_back(report);
    }

    /// The report to send now, if it is time for one; it is waiting to be taken from now on.
    pub(crate) fn next(&mut self, now: u64) -> Option<P> {
        if self.waiting {
            return None;
        }
        let since = |then: u64| now.saturating_sub(then);
        let early = since(self.started) < BEGINNING || (!self.changed && self.last.is_some_and(|last| since(last) < INTERVAL));
        let report = match self.must.pop_front() {
            Some(report) => report,
            None if early => return None,
            None => {
                self.changed = false;
                self.latest.take()?
            }
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
        let mut pace = Pace::new(0);
        pace.further(1);
        assert_eq!(pace.next(BEGINNING), Some(1));
        pace.taken();
        pace.further(2);
        pace.further(3);
        assert_eq!(pace.next(BEGINNING + INTERVAL - 1), None);
        assert_eq!(pace.next(BEGINNING + INTERVAL), Some(3));
    }

    #[test]
    fn nothing_is_sent_before_the_last_was_taken() {
        let mut pace = Pace::new(0);
        pace.tell(1);
        pace.next(0);
        pace.further(2);
        pace.tell(3);
        assert_eq!(pace.next(10 * INTERVAL), None);
        pace.taken();
        assert_eq!(pace.next(10 * INTERVAL), Some(3));
    }

    #[test]
    fn what_happened_is_told_at_once_in_order_and_never_replaced() {
        let mut pace = Pace::new(0);
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

    #[test]
    fn a_state_is_told_without_delay_after_the_beginning_and_passed_over_if_another_follows() {
        let mut pace = Pace::new(1_000);
        pace.state(1);
        pace.further(2);
        assert_eq!(pace.next(1_000 + BEGINNING - 1), None);
        pace.state(3);
        assert_eq!(pace.next(1_000 + BEGINNING), Some(3));
        pace.taken();
        pace.state(4);
        assert_eq!(pace.next(1_000 + BEGINNING), Some(4));
        pace.taken();
        pace.state(5);
        pace.tell(6);
        assert_eq!((pace.next(1_000 + BEGINNING), pace.latest), (Some(6), None));
    }

    #[test]
    fn what_is_over_in_the_beginning_has_one_report() {
        let mut pace = Pace::new(0);
        pace.state(1);
        pace.further(2);
        pace.state(3);
        assert_eq!(pace.next(BEGINNING - 1), None);
        pace.tell(4);
        assert_eq!(pace.next(BEGINNING - 1), Some(4));
        pace.taken();
        assert_eq!(pace.next(BEGINNING), None);
    }
}
