//! How much may be under way: as much as the line takes, found out by measuring.
//!
//! It begins small and doubles with every window that has arrived, up to what is worth having: [`USUAL`], more if the line's delay and throughput call for it (twice their product, [`MOST`] at most), less if so much would
//! take longer than [`PATIENCE`] to arrive, because what is asked for long before it can come only runs into time-outs. So a fast line with a long delay is kept full, and a slow one is not asked for more than it gives.
//! What comes late halves it, and where even [`LEAST`] comes late, because many share a slow line, it becomes less, down to [`LEAST_LATE`] in one chunk: at once if nothing came in time.
//! Whoever chose chunks, streams or a window gets what was chosen. Over how many connections it comes, [`Streams`] finds out from the same figures. Times are microseconds.

use super::streams::{LONG, Streams};

/// What is under way on an ordinary line, in bytes.
const USUAL: u64 = 16 << 20;
/// The most: all of it may be in this node's memory.
const MOST: u64 = 48 << 20;
/// At the start: little enough for the slowest line, and five round trips from all.
const FIRST: u64 = 1 << 20;
/// A file of so many bytes is small.
const SMALL: u64 = 2 << 20;
/// The least, as long as that comes in time.
const LEAST: u64 = 256 << 10;
/// The least where it does not: what 600 bytes a second bring in the half minute that is waited for, unless somebody chose otherwise.
const LEAST_LATE: u64 = 16 << 10;
/// How long what is under way may take to arrive.
const PATIENCE: u64 = 2_000_000;
/// A window consists of so many chunks for each stream, unless these would be smaller than [`LEAST_CHUNK`]: while one is asked for and comes, a stream has others.
const CHUNKS: u64 = 4;
/// Each chunk costs a request, an answer and a write, which is more than its bytes cost below this. A line that has proved slow gets [`SLOW_CHUNK`] instead, or what little there is in one.
const LEAST_CHUNK: u64 = 256 << 10;
const SLOW_CHUNK: u64 = 64 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Window {
    bytes: u64,
    /// It does not become less: [`LEAST`], or less where that came late.
    floor: u64,
    /// The file is [`SMALL`] and the line short.
    small: bool,
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
        Self { bytes: FIRST, floor: LEAST, small: false, fixed: None, delay: None, began: now, arrived: 0, streams: Streams::default() }
    }

    /// The same for one file of `size` bytes. `delay` is how long an answer took that had no bytes of it, if that is known: over a short line a small file comes all at once and in as few chunks as may be, since of thousands of them the
    /// chunks are a good part of the work; where the line may be long, several are under way side by side.
    pub(crate) fn of_file(now: u64, size: u64, delay: Option<u64>) -> Self {
        let small = size <= SMALL && delay.is_some_and(|delay| delay < LONG);
        Self { small, bytes: if small { size.max(FIRST) } else { FIRST }, ..Self::adaptive(now) }
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
        if self.fixed.is_some() {
            return most;
        }
        let least = match self.is_slow() {
            true => SLOW_CHUNK.min(self.bytes),
            false if self.small => FIRST,
            false => LEAST_CHUNK,
        };
        (self.bytes / (CHUNKS * u64::from(self.streams.count()))).max(least).min(most)
    }

    /// Whether the line has proved slow: what is large for it should come in parts.
    pub(crate) fn is_slow(&self) -> bool {
        self.fixed.is_none() && self.bytes < FIRST
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
        if took <= PATIENCE {
            self.floor = (self.floor * 2).min(LEAST);
        }
        self.bytes = wanted.min(self.bytes * 2).clamp(self.floor, MOST);
        (self.began, self.arrived) = (now, 0);
    }

    /// How many streams there are to be from now on, if that has changed.
    pub(crate) fn streams(&mut self) -> Option<u8> {
        self.streams.news()
    }

    /// Something did not come in time. `silent`: nor did anything else meanwhile.
    pub(crate) fn late(&mut self, silent: bool, now: u64) {
        self.small = false;
        if silent {
            // All of what was asked for still stands in the queues before the next: that is to be as little as may be.
            self.floor = LEAST_LATE;
            self.bytes = LEAST_LATE;
        } else if self.bytes <= self.floor {
            self.floor = (self.floor / 2).max(LEAST_LATE);
        }
        self.bytes = (self.bytes / 2).max(self.floor);
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
            window.late(false, 0);
        }
        assert_eq!((window.bytes, window.chunk(1 << 20)), (LEAST_LATE, LEAST_LATE));
        let mut now = 0;
        while window.bytes < USUAL {
            now += 1000;
            window.arrived(window.chunk(1 << 20), now - 500, now);
        }
        assert!(now < 1_000_000);
    }

    #[test]
    fn where_even_the_least_comes_late_there_is_less_until_it_comes_soon() {
        let mut window = Window::adaptive(0);
        for _ in 0..10 {
            window.late(false, 0);
        }
        // In time, and not soon: other transfers have their part of the line.
        let mut now = 0;
        for _ in 0..20 {
            now += PATIENCE + 1;
            window.arrived(window.bytes, now - PATIENCE, now);
        }
        assert!(window.bytes < 2 * LEAST_LATE, "{}", window.bytes);
        for _ in 0..20 {
            now += 100_000;
            window.arrived(window.bytes, now - 100_000, now);
        }
        assert!(window.floor == LEAST && window.bytes >= FIRST, "{window:?}");
    }

    #[test]
    fn a_small_file_comes_at_once_and_in_few_chunks_over_a_short_line_until_that_comes_late() {
        let most = 1 << 20;
        for (size, delay, chunk) in [
            (1000, Some(LONG - 1), FIRST),
            (FIRST, Some(0), FIRST),
            (SMALL, Some(0), FIRST),
            (SMALL + 1, Some(0), LEAST_CHUNK),
            (FIRST, Some(LONG), LEAST_CHUNK),
        ] {
            assert_eq!(Window::of_file(0, size, delay).chunk(most), chunk, "{size} {delay:?}");
        }
        let mut unknown = Window::of_file(0, FIRST, None);
        assert_eq!(unknown.chunk(most), LEAST_CHUNK);
        unknown = Window::of_file(0, FIRST, Some(0));
        unknown.late(false, 0);
        assert_eq!(unknown.chunk(most), SLOW_CHUNK);
        unknown.late(true, 0);
        assert_eq!(unknown.chunk(most), LEAST_LATE);
        assert_eq!(Window::of_file(0, FIRST, Some(0)).chunk(1000), 1000, "a limit or the sender may allow less");
        let mut two_chunks = Window::of_file(0, SMALL, Some(0));
        assert!(two_chunks.has_room(1, FIRST, FIRST));
        two_chunks.late(false, 0);
        assert!(!two_chunks.has_room(1, FIRST, FIRST) && two_chunks.chunk(most) == LEAST_CHUNK);
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
