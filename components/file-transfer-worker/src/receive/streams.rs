//! Over how many connections: more of them where a line is long and each gets little, found out by trying.
//!
//! It begins with [`USUAL_STREAMS`]. On a line whose delay is at least [`LONG`], the throughput of a round is measured, then that with twice as many; they stay if they bring a fifth more, and it goes on so up to
//! [`MAX_ADAPTIVE_STREAMS`]. Otherwise it goes back, and tries again after a pause that becomes longer each time, because a line can change. On a short line one connection fills it, and more of them only serve
//! several processors: nothing is tried. What always holds: the number is the one that was told last. Times are microseconds.

use file_transfer_types::options::{MAX_ADAPTIVE_STREAMS, USUAL_STREAMS};

/// A line with less delay from asking to having is short.
pub(super) const LONG: u64 = 10_000;
/// A round takes at least so long, and at least so many delays.
const ROUND: u64 = 1_000_000;
const ROUND_DELAYS: u64 = 4;
/// So long, and so many delays, it takes until a change shows: connections are opened, and find their speed. And what was under way before has to arrive, which may stand in the queues of the old ones.
const SETTLE: u64 = 500_000;
const SETTLE_DELAYS: u64 = 12;
/// The pause after a try in vain: at first, and at most.
const PAUSE: u64 = 30_000_000;
const LONGEST_PAUSE: u64 = 600_000_000;

/// It is being found out what more streams bring.
#[derive(Debug)]
struct Trial {
    fewer: u8,
    /// What these brought, in bytes a second.
    rate: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Streams {
    count: u8,
    /// When the present round began, or may begin. None: nothing has arrived.
    began: Option<u64>,
    /// It begins when so many bytes have arrived.
    stale: u64,
    /// What has arrived in it.
    arrived: u64,
    trial: Option<Trial>,
    /// Nothing is tried before.
    next_trial: u64,
    pause: u64,
    /// The number has changed.
    news: bool,
}

impl Default for Streams {
    fn default() -> Self {
        Self { count: USUAL_STREAMS, began: None, stale: 0, arrived: 0, trial: None, next_trial: 0, pause: PAUSE, news: false }
    }
}

impl Streams {
    /// How many there are.
    pub(crate) fn count(&self) -> u8 {
        self.count
    }

    /// How many there are to be from now on, if that has changed: it is to be told to whoever sends.
    pub(crate) fn news(&mut self) -> Option<u8> {
        std::mem::take(&mut self.news).then_some(self.count)
    }

    /// So many bytes came, over a line whose delay is known to be no longer than this. `under_way` is how many may be asked for and not there.
    pub(crate) fn arrived(&mut self, bytes: u64, delay: u64, under_way: u64, now: u64) {
        if delay < LONG {
            return;
        }
        let began = *self.began.get_or_insert(now + settling(delay));
        if now < began || self.stale > 0 {
            self.stale = self.stale.saturating_sub(bytes);
            self.began = Some(began.max(now));
            return;
        }
        self.arrived += bytes;
        let took = now - began;
        if took < ROUND.max(delay.saturating_mul(ROUND_DELAYS)) {
            return;
        }
        let rate = u64::try_from(u128::from(self.arrived) * 1_000_000 / u128::from(took)).unwrap_or(u64::MAX);
        match self.trial.take() {
            Some(trial) if rate < trial.rate.saturating_add(trial.rate / 5) => {
                self.next_trial = now.saturating_add(self.pause);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                return self.change(trial.fewer, delay, under_way, now);
            }
            Some(_) => self.pause = PAUSE,
            None => {}
        }
        if self.count < MAX_ADAPTIVE_STREAMS && now >= self.next_trial {
            self.trial = Some(Trial { fewer: self.count, rate });
            return self.change(self.count.saturating_mul(2).min(MAX_ADAPTIVE_STREAMS), delay, under_way, now);
        }
        (self.began, self.arrived) = (Some(now), 0);
    }

    fn change(&mut self, count: u8, delay: u64, under_way: u64, now: u64) {
        (self.count, self.news) = (count, true);
        (self.began, self.stale, self.arrived) = (Some(now + settling(delay)), under_way, 0);
    }
}

fn settling(delay: u64) -> u64 {
    SETTLE.max(delay.saturating_mul(SETTLE_DELAYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that are told in so many seconds, when each stream brings `each` bytes a second and the line has room for `line`.
    fn told(seconds: u64, each: u64, line: u64, delay: u64) -> Vec<u8> {
        let mut streams = Streams::default();
        let mut told = Vec::new();
        for now in (0..seconds * 100).map(|tick| tick * 10_000) {
            streams.arrived((each * u64::from(streams.count())).min(line) / 100, delay, 4 << 20, now);
            told.extend(streams.news());
        }
        assert!(told.last().is_none_or(|&last| last == streams.count()));
        told
    }

    #[test]
    fn a_long_line_on_which_each_stream_gets_little_has_more_of_them() {
        assert_eq!(told(20, 1 << 20, 1 << 30, 100_000), [8, 16]);
    }

    #[test]
    fn more_that_bring_nothing_are_given_up_and_tried_again_now_and_then() {
        assert_eq!(told(20, 1 << 20, 4 << 20, 100_000), [8, 4]);
        assert_eq!(told(20, 1 << 20, 8 << 20, 100_000), [8, 16, 8]);
        let tries = told(3600, 1 << 20, 4 << 20, 100_000).chunks(2).map(|pair| assert_eq!(pair, [8, 4])).count();
        assert!((6..=12).contains(&tries), "{tries} in an hour");
    }

    #[test]
    fn a_short_line_has_the_usual_number() {
        assert!(told(60, 1 << 20, 1 << 30, LONG - 1).is_empty());
    }

    #[test]
    fn nothing_is_concluded_before_a_change_can_have_shown() {
        let mut streams = Streams::default();
        for now in (0..SETTLE + ROUND).step_by(10_000) {
            streams.arrived(1 << 20, LONG, 0, now);
            assert_eq!(streams.news(), None, "after {now} us");
        }
        streams.arrived(1 << 20, LONG, 5, SETTLE + ROUND);
        assert_eq!(streams.news(), Some(8));
        // The new connections take their time: what comes meanwhile says nothing about them.
        let changed = SETTLE + ROUND;
        streams.arrived(2, LONG, 5, changed + SETTLE - 1);
        assert!(streams.stale == 3 && streams.arrived == 0);
        // And what was under way before says nothing either.
        streams.arrived(3, LONG, 5, changed + SETTLE + ROUND);
        assert!(streams.stale == 0 && streams.arrived == 0 && streams.news().is_none());
        streams.arrived(1 << 30, LONG, 5, changed + SETTLE + 2 * ROUND);
        assert_eq!(streams.news(), Some(16));
    }
}
