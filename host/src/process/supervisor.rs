//! Whether, and after which pause, a process that ended is started again. Plain state; time is an argument.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);
/// A run of this length sets the pause back.
const GOOD_RUN: Duration = Duration::from_secs(60);

/// The pauses before restarts: none before the first, then doubling.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The process ended after it had run for `ran`: how long to wait before it is started again.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= GOOD_RUN {
            self.failures = 0;
        }
        let pause = match self.failures {
            0 => Duration::ZERO,
            n => FIRST.saturating_mul(1u32.checked_shl(n - 1).unwrap_or(u32::MAX)).min(LONGEST),
        };
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_at_once_and_the_pause_doubles_to_a_minute() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..13).map(|_| backoff.after(Duration::ZERO).as_millis() as u64).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
    }

    #[test]
    fn a_run_of_a_minute_sets_the_pause_back() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.after(Duration::from_secs(1));
        }
        assert_eq!(backoff.after(Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(backoff.after(Duration::from_secs(59)), Duration::from_millis(100));
    }

    #[test]
    fn it_never_overflows() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            assert!(backoff.after(Duration::ZERO) <= LONGEST);
        }
    }
}
