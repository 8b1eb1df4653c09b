//! How large the segments of a store are, and when the next may go: plain state, time is an argument.
//!
//! A segment has to be answered within a deadline, whatever the line. So the first ones are small, and the next are as long as what the line took of the last ones allows; under a limit, never more than a second of it.

use std::time::{Duration, Instant};

/// The most bytes in a segment: large enough that the wait for each answer costs little on a long way.
pub(super) const MOST: usize = 4 << 20;
/// The first one, before anything is known: 2 KiB a second bring it within the deadline.
const FIRST: usize = 256 << 10;
/// No smaller ones are made: a line that takes so long for these is as good as none.
const LEAST: usize = 16 << 10;
/// How long a segment should take: far less than it may.
const SHOULD_TAKE: Duration = Duration::from_secs(8);
/// How long a limit takes for one segment at most, which goes at the line's own speed.
const LIMITED: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    size: usize,
    /// Bytes a second.
    limit: Option<u64>,
    /// When the limit allows the next segment.
    next: Option<Instant>,
}

impl Pace {
    /// With a limit in bytes a second, if there is one.
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { size: FIRST, limit, next: None }
    }

    /// How many bytes the next segment has at most; at least 1.
    pub(super) fn size(&self) -> usize {
        let allowed = self.limit.map_or(MOST, |limit| usize::try_from(limit.saturating_mul(LIMITED.as_secs())).unwrap_or(MOST));
        self.size.min(allowed).max(1)
    }

    /// As [`Pace::size`], for what begins at this place of the input. None goes beyond a multiple of [`MOST`]: so the steps in which a store advances are the same on every line that is not slow.
    pub(super) fn size_at(&self, place: u64) -> usize {
        let past = usize::try_from(place % MOST as u64).unwrap_or(0);
        self.size().min(MOST - past)
    }

    /// When the next segment, of so many bytes, may go. Asked once for each.
    pub(super) fn may_go(&mut self, now: Instant, bytes: usize) -> Instant {
        let at = self.next.map_or(now, |next| next.max(now));
        let takes = self.limit.map_or(Duration::ZERO, |limit| Duration::from_secs_f64(bytes as f64 / limit.max(1) as f64));
        self.next = Some(at + takes);
        at
    }

    /// A segment was answered.
    pub(super) fn answered(&mut self, bytes: usize, took: Duration) {
        let rate = bytes as f64 / took.as_secs_f64().max(0.001);
        let fitting = (rate * SHOULD_TAKE.as_secs_f64()) as usize;
        // A short one says little of how long ones do.
        self.size = fitting.min(bytes.max(self.size / 2).saturating_mul(2)).clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes of segments over a line of so many bytes a second.
    fn over(rate: f64, pace: &mut Pace) -> Vec<usize> {
        let mut sizes = Vec::new();
        for _ in 0..10 {
            let size = pace.size();
            pace.answered(size, Duration::from_secs_f64(size as f64 / rate));
            sizes.push(size);
        }
        sizes
    }

    #[test]
    fn segments_grow_on_a_fast_line_up_to_the_most() {
        let sizes = over(1e8, &mut Pace::new(None));
        assert_eq!(sizes[..5], [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, MOST]);
        assert_eq!(sizes[9], MOST);
    }

    #[test]
    fn whatever_the_first_sizes_each_multiple_of_the_most_is_a_step() {
        let (mut pace, mut place, mut steps) = (Pace::new(None), 0, Vec::new());
        while place < 4 * MOST as u64 {
            let size = pace.size_at(place);
            pace.answered(size, Duration::from_millis(1));
            place += size as u64;
            steps.push(place);
        }
        assert!((1..=4).all(|number| steps.contains(&(number * MOST as u64))), "{steps:?}");
        assert_eq!(steps[steps.len() - 2..], [3 * MOST as u64, 4 * MOST as u64]);
    }

    #[test]
    fn on_a_line_of_any_speed_each_segment_is_answered_within_the_deadline() {
        for rate in [3e3, 1e4, 3.5e4, 1e5, 1e6] {
            let mut pace = Pace::new(None);
            for size in over(rate, &mut pace) {
                assert!(size as f64 / rate < 100.0, "{size} bytes at {rate}");
            }
            assert!(pace.size() as f64 / rate <= 9.0 || pace.size() == LEAST, "{} at {rate}", pace.size());
        }
        // Also one that becomes slow.
        let mut pace = Pace::new(None);
        over(1e6, &mut pace);
        pace.answered(MOST, Duration::from_secs(100));
        assert!(pace.size() < MOST / 10);
    }

    #[test]
    fn a_limit_is_kept_from_the_first_segment_on() {
        let limit = 1 << 10;
        let (mut pace, begun) = (Pace::new(Some(limit)), Instant::now());
        let (mut now, mut sent) = (begun, 0);
        for _ in 0..100 {
            let size = pace.size();
            now = pace.may_go(now, size);
            let allowed = (now - begun).as_secs_f64() * limit as f64 + 1.0;
            assert!(sent as f64 <= allowed, "{sent} of {allowed}");
            sent += size;
            pace.answered(size, Duration::from_millis(1));
        }
        assert!(now - begun >= Duration::from_secs(98));
    }

    #[test]
    fn what_was_not_used_of_a_limit_is_gone() {
        let (mut pace, begun) = (Pace::new(Some(1000)), Instant::now());
        pace.may_go(begun, 1000);
        let late = begun + Duration::from_secs(60);
        assert_eq!(pace.may_go(late, 1000), late);
        assert_eq!(pace.may_go(late, 1000), late + Duration::from_secs(1));
    }
}
