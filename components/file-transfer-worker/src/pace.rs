//! How often the parent hears of progress: at most five times a second, never a second report before the first was taken, and nothing that matters left out.
//!
//! Reports that only say "further" replace each other; one that says that something happened waits its turn. In the [`BEGINNING`] those that say that all goes well are held back, and passed over if it ends: a small file is over by then,
//! and a report costs as much as its bytes.

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
    /// States that were come to in the beginning.
    held: VecDeque<P>,
    latest: Option<P>,
    last: Option<u64>,
}

impl<P> Pace<P> {
    /// Of what begins now.
    pub(crate) fn new(started: u64) -> Self {
        Self { started, waiting: false, must: VecDeque::new(), held: VecDeque::new(), latest: None, last: None }
    }

    /// It got further.
    pub(crate) fn further(&mut self, report: P) {
        self.latest = Some(report);
    }

    /// It has come to one of the states that it was to come to: told like what must be, unless it ends in the beginning.
    pub(crate) fn state(&mut self, report: P) {
        self.latest = None;
        self.held.push_back(report);
    }

    /// Something happened that must be told.
    pub(crate) fn tell(&mut self, report: P, now: u64) {
        self.latest = None;
        if self.is_beginning(now) {
            self.held.clear();
        }
        self.must.append(&mut self.held);
        self.must.push_back(report);
    }

    fn is_beginning(&self, now: u64) -> bool {
        now.saturating_sub(self.started) < BEGINNING
    }

    /// The report to send now, if it is time for one; it is waiting to be taken from now on.
    pub(crate) fn next(&mut self, now: u64) -> Option<P> {
        if self.waiting {
            return None;
        }
        let beginning = self.is_beginning(now);
        if !beginning {
            self.must.append(&mut self.held);
        }
        let early = beginning || self.last.is_some_and(|last| now.saturating_sub(last) < INTERVAL);
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
        pace.tell(1, 0);
        pace.next(0);
        pace.further(2);
        pace.tell(3, 0);
        assert_eq!(pace.next(10 * INTERVAL), None);
        pace.taken();
        assert_eq!(pace.next(10 * INTERVAL), Some(3));
    }

    #[test]
    fn what_happened_is_told_at_once_in_order_and_never_replaced() {
        let mut pace = Pace::new(0);
        pace.tell(1, 0);
        pace.tell(2, 0);
        pace.further(3);
        for expected in [1, 2] {
            assert_eq!(pace.next(0), Some(expected));
            pace.taken();
        }
        assert_eq!(pace.next(0), None);
        assert_eq!(pace.next(INTERVAL), Some(3));
    }

    #[test]
    fn states_of_the_beginning_are_told_after_it_in_order_and_later_ones_at_once() {
        let mut pace = Pace::new(1_000);
        pace.state(1);
        pace.further(2);
        assert_eq!(pace.next(1_000 + BEGINNING - 1), None);
        pace.state(3);
        for expected in [1, 3] {
            assert_eq!(pace.next(1_000 + BEGINNING), Some(expected));
            pace.taken();
        }
        pace.state(4);
        pace.tell(5, 1_000 + BEGINNING);
        for expected in [4, 5] {
            assert_eq!(pace.next(1_000 + BEGINNING), Some(expected));
            pace.taken();
        }
    }

    #[test]
    fn what_is_over_in_the_beginning_has_one_report() {
        let mut pace = Pace::new(0);
        pace.state(1);
        pace.further(2);
        pace.state(3);
        assert_eq!(pace.next(BEGINNING - 1), None);
        pace.tell(4, BEGINNING - 1);
        assert_eq!(pace.next(BEGINNING - 1), Some(4));
        pace.taken();
        assert_eq!(pace.next(BEGINNING), None);
    }
}
