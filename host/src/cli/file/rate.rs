//! How fast bytes move, out of what was said of how many there are. Plain state; time is an argument.
//!
//! Only what moves counts: what was there from an earlier attempt does not. And a rate is of the last seconds, so that one that changes, or ends, is seen.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::cli::units::{show_rate, show_time};

/// The rate is that of so many seconds.
const WINDOW: Duration = Duration::from_secs(5);
/// Without a byte for so long, it stalls.
const PATIENCE: Duration = Duration::from_secs(3);
/// No rate is told of less.
const SHORTEST: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// When there were how many: one from before the window, and those in it.
    samples: VecDeque<(Instant, u64)>,
    /// When it was last heard that there are more.
    moved: Option<Instant>,
}

impl Rate {
    /// There are so many bytes now. The first ones that are told of are those that count begins with: the sender hears of what is there already together with the first that moved.
    pub(super) fn note(&mut self, now: Instant, bytes: u64) {
        match self.samples.back() {
            Some((_, before)) if bytes == *before => return,
            // It starts over.
            Some((_, before)) if bytes < *before => self.restart(),
            _ => {}
        }
        self.moved.get_or_insert(now);
        if bytes == 0 {
            return;
        }
        self.moved = Some(now);
        self.samples.push_back((now, bytes));
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Something else is done than moving bytes, so that it is no standstill.
    pub(super) fn alive(&mut self, now: Instant) {
        self.moved = Some(now);
    }

    /// What there is from now on is counted anew.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Bytes, and the time that they took. None: too few are known.
    fn latest(&self, now: Instant, steps: bool) -> Option<(u64, Duration)> {
        // Of those before the window, the last one; but a step may be longer than the window.
        let before = self.samples.iter().rev().find(|(at, _)| !steps && now.duration_since(*at) >= WINDOW);
        let first = before.or(self.samples.front())?;
        let last = self.samples.back()?;
        let time = now.duration_since(first.0);
        (time >= SHORTEST).then(|| (last.1.saturating_sub(first.1), time))
    }

    /// For how long nothing has moved, if that is long.
    pub(super) fn stalled(&self, now: Instant) -> Option<Duration> {
        self.moved.map(|moved| now.duration_since(moved)).filter(|time| *time >= PATIENCE)
    }

    /// The rate, and the time that is left for so many more bytes; or that it stalls (which is not said of what moves in `steps` far apart). Empty: nothing is known yet.
    pub(super) fn show(&self, now: Instant, left: Option<u64>, steps: bool) -> String {
        if let Some(time) = self.stalled(now).filter(|_| !steps) {
            return match time.as_secs() {
                seconds @ 0..10 => format!("stalled for {seconds} s"),
                _ => format!("stalled for {}", show_time(time)),
            };
        }
        let Some((bytes, time)) = self.latest(now, steps) else { return String::new() };
        let rate = show_rate(bytes, time);
        match left {
            Some(left) if bytes > 0 => format!("{rate}, {} left", show_time(time.mul_f64(left as f64 / bytes as f64))),
            _ => rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn what_was_there_already_has_not_moved() {
        let start = Instant::now();
        // A fetch is told at once, a sender together with what follows, and a fresh one has nothing.
        for notes in [&[(0, 900), (2000, 902)][..], &[(0, 0), (0, 900), (2000, 902)], &[(0, 0), (0, 3), (2000, 5)]] {
            let mut rate = Rate::default();
            for (time, mebibytes) in notes {
                rate.note(at(start, *time), mebibytes * MIB);
            }
            assert_eq!(rate.show(at(start, 2000), Some(4 * MIB), false), "1.0 MiB/s, 4.0 s left", "{notes:?}");
        }
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut rate = Rate::default();
        for second in 0..60 {
            rate.note(at(start, second * 1000), (1 + second.min(30) * 100 + second.saturating_sub(30)) * MIB);
        }
        assert_eq!(rate.show(at(start, 59_000), None, false), "1.0 MiB/s");
        assert!(rate.samples.len() <= 7);
    }

    #[test]
    fn what_does_not_move_any_more_is_said_to_stall_and_then_to_move_again() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.show(start, None, false), "");
        rate.note(start, 0);
        assert_eq!(rate.show(at(start, 3000), Some(5), false), "stalled for 3 s");
        rate.note(at(start, 4000), MIB);
        rate.note(at(start, 5000), 2 * MIB);
        assert_eq!(rate.show(at(start, 5000), Some(2 * MIB), false), "1.0 MiB/s, 2.0 s left");
        assert_eq!(rate.show(at(start, 6000), Some(2 * MIB), false), "512.0 KiB/s, 4.0 s left");
        // Heard again, and nothing new.
        rate.note(at(start, 16_000), 2 * MIB);
        assert_eq!(rate.show(at(start, 17_900), Some(2 * MIB), false), "stalled for 12 s");
        // Segments of a store are far apart: from 4 s to 20 s, one.
        assert_eq!(rate.show(at(start, 20_000), Some(2 * MIB), true), "64.0 KiB/s, 32 s left");
        rate.note(at(start, 18_000), 3 * MIB);
        assert!(!rate.show(at(start, 18_000), Some(MIB), false).contains("stalled"));
    }

    #[test]
    fn it_starts_over_when_there_is_less_than_before() {
        let start = Instant::now();
        let mut rate = Rate::default();
        rate.note(start, 100 * MIB);
        rate.note(at(start, 1000), 101 * MIB);
        rate.note(at(start, 1500), MIB);
        assert_eq!(rate.show(at(start, 1600), None, false), "");
        rate.note(at(start, 2500), 2 * MIB);
        assert_eq!(rate.show(at(start, 2500), None, false), "1.0 MiB/s");
    }
}
