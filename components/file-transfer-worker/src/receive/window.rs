//! How much may be under way: as much as the line takes, found out by measuring.
//!
//! It begins small and doubles with every window that has arrived, up to what is worth having: [`USUAL`], more if the line's delay and throughput call for it (twice their product, [`MOST`] at most), less if so much would
//! take longer than [`PATIENCE`] to arrive, because what is asked for long before it can come only runs into time-outs. So a fast line with a long delay is kept full, and a slow one is not asked for more than it gives.
//! Whoever chose chunks, streams or a window gets what was chosen. Over how many connections it comes, [`Streams`] finds out from the same figures. Times are microseconds.

use super::streams::Streams;

/// What is under way on an ordinary line, in bytes.
const USUAL: u64 = 16 << 20;
/// The most: all of it may be in this node's memory.
const MOST: u64 = 48 << 20;
/// At the start: little enough for the slowest line, and five round trips from all.
const FIRST: u64 = 1 << 20;
/// The least.
const LEAST: u64 = 256 << 10;
/// How long what is under way may take to arrive.
const PATIENCE: u64 = 2_000_000;
/// A window consists of so many chunks for each stream, unless these would be smaller than [`LEAST_CHUNK`]: while one is asked for and comes, a stream has others.
const CHUNKS: u64 = 4;
/// Each chunk costs a request, an answer and a write, which is more than its bytes cost below this. A line that has proved slow gets [`SLOW_CHUNK`] instead.
const LEAST_CHUNK: u64 = 256 << 10;
const SLOW_CHUNK: u64 = 64 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Window {
    bytes: u64,
    /// So many chunks, and nothing is measured.
    fixed: Option<usize>,
    /// The shortest time from asking to having, as far as known: the line's delay.
    delay: Option<u64>,
    /// When the present round began.
    began: u64,
    /// What has arrived in it.
    arrived: u64,
    streams: Streams,
}

impl Window {
    /// One that adapts itself, from `now` on.
    pub(crate) fn adaptive(now: u64) -> Self {
        Self { bytes: FIRST, fixed: None, delay: None, began: now, arrived: 0, streams: Streams::default() }
    }

    /// One of so many chunks (at least 1).
    pub(crate) fn fixed(chunks: u32) -> Self {
        Self { fixed: Some(chunks.max(1) as usize), ..Self::adaptive(0) }
    }

    /// Whether so many more bytes may be asked for. Something is always under way.
    pub(crate) fn has_room(&self, chunks: usize, bytes: u64, more: u64) -> bool {
        match self.fixed {
            Some(most) => chunks < most,
            None => chunks == 0 || bytes + more <= self.bytes,
        }
    }

    /// How much to ask for at a time.
    pub(crate) fn chunk(&self, most: u64) -> u64 {
        let least = if self.bytes < FIRST { SLOW_CHUNK } else { LEAST_CHUNK };
        if self.fixed.is_some() { most } else { (self.bytes / (CHUNKS * u64::from(self.streams.count()))).max(least).min(most) }
    }

    /// So many bytes came which were asked for at `asked`.
    pub(crate) fn arrived(&mut self, bytes: u64, asked: u64, now: u64) {
        let delay = now.saturating_sub(asked).max(1);
        let least = self.delay.map_or(delay, |least| least.min(delay));
        self.delay = Some(least);
        if self.fixed.is_none() {
            self.streams.arrived(bytes, least, self.bytes, now);
        }
        self.arrived += bytes;
        if self.arrived < self.bytes {
            return;
        }
        let took = now.saturating_sub(self.began).max(1);
        let within = |time: u64| u64::try_from(u128::from(self.arrived) * u128::from(time) / u128::from(took)).unwrap_or(u64::MAX);
        let wanted = within(least.saturating_mul(2).min(PATIENCE)).max(within(PATIENCE).min(USUAL));
        self.bytes = wanted.min(self.bytes * 2).clamp(LEAST, MOST);
        (self.began, self.arrived) = (now, 0);
    }

    /// How many streams there are to be from now on, if that has changed.
    pub(crate) fn streams(&mut self) -> Option<u8> {
        self.streams.news()
    }

    /// Something did not come in time.
    pub(crate) fn late(&mut self, now: u64) {
        self.bytes = (self.bytes / 2).max(LEAST);
        (self.began, self.arrived) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// The window after so many milliseconds of a transfer over a line of `rate` bytes a second and `delay` milliseconds from asking to having, where what is asked for queues up.
    fn after(milliseconds: u64, rate: u64, delay: u64) -> u64 {
        let mut window = Window::adaptive(0);
        let (mut now, mut line, mut under_way, mut coming) = (0, 0, 0, VecDeque::new());
        while now < milliseconds * 1000 {
            loop {
                let chunk = window.chunk(1 << 20);
                if !window.has_room(coming.len(), under_way, chunk) {
                    break;
                }
                line = line.max(now + delay * 1000) + chunk * 1_000_000 / rate;
                coming.push_back((chunk, now, line));
                under_way += chunk;
            }
            let (chunk, asked, at) = coming.pop_front().unwrap();
            now = at;
            under_way -= chunk;
            window.arrived(chunk, asked, now);
        }
        window.bytes
    }

    #[test]
    fn an_ordinary_line_gets_the_usual_soon() {
        assert_eq!(after(0, 1_000_000_000, 0), FIRST);
        assert_eq!(after(50, 1_000_000_000, 0), USUAL);
        for (rate, delay) in [(1_000_000_000, 0), (125_000_000, 20), (12_500_000, 100)] {
            assert_eq!(after(10_000, rate, delay), USUAL, "{rate} {delay}");
        }
    }

    #[test]
    fn a_long_fast_line_gets_more_within_bounds() {
        let window = after(10_000, 125_000_000, 150);
        assert!((32_000_000..=40_000_000).contains(&window), "{window}");
        assert_eq!(after(10_000, 1_250_000_000, 300), MOST);
    }

    #[test]
    fn a_slow_line_is_not_asked_for_more_than_it_gives_soon() {
        for rate in [200_000, 500_000, 1_000_000] {
            let window = after(60_000, rate, 50);
            assert!((LEAST..=(rate * 5 / 2).max(LEAST)).contains(&window), "{window} at {rate}");
        }
        assert_eq!(after(10_000_000, 1000, 50), LEAST);
    }

    #[test]
    fn what_comes_late_halves_it_and_it_recovers() {
        let mut window = Window::adaptive(0);
        for _ in 0..10 {
            window.late(0);
        }
        assert_eq!(window.bytes, LEAST);
        let mut now = 0;
        while window.bytes < USUAL {
            now += 1000;
            window.arrived(window.chunk(1 << 20), now - 500, now);
        }
        assert!(now < 1_000_000);
    }

    #[test]
    fn something_may_always_be_asked_for_and_never_more_than_the_window() {
        let window = Window::adaptive(0);
        assert!(window.has_room(0, 0, MOST) && window.has_room(3, FIRST - 10, 10) && !window.has_room(3, FIRST - 10, 11));
        assert_eq!((window.chunk(1 << 20), window.chunk(1000)), (256 << 10, 1000));
        let fixed = Window::fixed(3);
        assert!(fixed.has_room(2, MOST, MOST) && !fixed.has_room(3, 0, 1));
        assert_eq!(fixed.chunk(1 << 20), 1 << 20);
    }
}
