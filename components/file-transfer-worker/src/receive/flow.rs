//! Which bytes to ask for next: the window, the retries, and what of the file has arrived.
//!
//! Plain state: the caller sends what [`Flow::next`] returns, tells what came of it, and gives the time, in microseconds. Chunks may arrive in any order. Every chunk asked for is in exactly one of
//! three places: in flight, waiting to be asked for again, or received. How much is in flight the [`Window`] says, and how soon the next may be asked for the [`Rate`], if there is a limit.

use std::collections::BTreeMap;

use file_transfer_types::ranges::RangeSet;

use super::rate::Rate;
use super::window::Window;
use crate::wire::Ask;

/// What to do about a chunk that did not come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It will be asked for again, or was not waited for any more.
    Again,
    /// It was asked for as often as it may be.
    GiveUp,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    length: u64,
    tries: u32,
    asked: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Flow {
    size: u64,
    chunk: u64,
    window: Window,
    rate: Option<Rate>,
    retries: u32,
    attempt: u32,
    /// On this node's disk, or at least handed to it.
    received: RangeSet,
    in_flight: BTreeMap<u64, Flight>,
    /// The bytes of those in flight.
    under_way: u64,
    again: BTreeMap<u64, Flight>,
    /// Below this everything was asked for at least once.
    asked_to: u64,
}

impl Flow {
    /// Of a file of `size` bytes of which `received` are there, in chunks of at most `chunk` bytes (at least 1), at most `limit` bytes a second.
    pub(crate) fn new(size: u64, received: RangeSet, chunk: u32, window: Window, limit: Option<u64>, retries: u32, attempt: u32) -> Self {
        let (chunk, rate) = (u64::from(chunk.max(1)), limit.map(Rate::new));
        Self { size, chunk, window, rate, retries, attempt, received, in_flight: BTreeMap::new(), under_way: 0, again: BTreeMap::new(), asked_to: 0 }
    }

    /// The next chunk to ask for; it counts as in flight from now on. None: the window is full, nothing is left to ask for, or it is to wait (see [`Flow::pause`]).
    pub(crate) fn next(&mut self, now: u64) -> Option<Ask> {
        let (offset, flight) = self.candidate()?;
        if !self.window.has_room(self.in_flight.len(), self.under_way, flight.length) || self.rate.as_ref().is_some_and(|rate| rate.wait(now) > 0) {
            return None;
        }
        if let Some(rate) = &mut self.rate {
            rate.ask(flight.length, now);
        }
        if self.again.remove(&offset).is_none() {
            self.asked_to = offset + flight.length;
        }
        self.in_flight.insert(offset, Flight { asked: now, ..flight });
        self.under_way += flight.length;
        Some(Ask { offset, length: flight.length, attempt: self.attempt })
    }

    /// What is next to be asked for: what did not come first.
    fn candidate(&self) -> Option<(u64, Flight)> {
        if let Some((offset, flight)) = self.again.first_key_value() {
            return Some((*offset, *flight));
        }
        let (start, end) = self.received.gap(self.asked_to, self.size)?;
        let chunk = self.rate.as_ref().map_or(self.chunk, |rate| rate.chunk().min(self.chunk));
        Some((start, Flight { length: (end - start).min(self.window.chunk(chunk)), tries: 0, asked: 0 }))
    }

    /// How long to wait before there is something to ask for again, if that is a matter of time.
    pub(crate) fn pause(&self, now: u64) -> Option<u64> {
        let wait = self.rate.as_ref()?.wait(now);
        let (_, flight) = self.candidate()?;
        (wait > 0 && self.window.has_room(self.in_flight.len(), self.under_way, flight.length)).then_some(wait)
    }

    /// Whether an answer is one that is waited for, with the right number of bytes. A late one to a request that timed out is welcome, a second one is not.
    pub(crate) fn wants(&self, ask: Ask, bytes: u64) -> bool {
        let waited_for = |flights: &BTreeMap<u64, Flight>| flights.get(&ask.offset).is_some_and(|flight| flight.length == ask.length);
        ask.attempt == self.attempt && bytes == ask.length && (waited_for(&self.in_flight) || waited_for(&self.again))
    }

    /// A wanted chunk has been written.
    pub(crate) fn written(&mut self, ask: Ask, now: u64) {
        if let Some(flight) = self.landed(ask.offset) {
            self.window.arrived(flight.length, flight.asked, now);
        }
        self.again.remove(&ask.offset);
        self.received.insert(ask.offset, ask.length);
    }

    /// A chunk did not come in time.
    pub(crate) fn timed_out(&mut self, ask: Ask, now: u64) -> Retry {
        let Some(mut flight) = self.take(ask) else { return Retry::Again };
        self.window.late(now);
        flight.tries += 1;
        let retry = if flight.tries > self.retries { Retry::GiveUp } else { Retry::Again };
        self.again.insert(ask.offset, flight);
        retry
    }

    /// A chunk was lost with the link: it will be asked for again, which does not count against its retries.
    pub(crate) fn dropped(&mut self, ask: Ask) {
        if let Some(flight) = self.take(ask) {
            self.again.insert(ask.offset, flight);
        }
    }

    fn take(&mut self, ask: Ask) -> Option<Flight> {
        if ask.attempt == self.attempt { self.landed(ask.offset) } else { None }
    }

    fn landed(&mut self, offset: u64) -> Option<Flight> {
        let flight = self.in_flight.remove(&offset)?;
        self.under_way -= flight.length;
        Some(flight)
    }

    /// How many streams there are to be from now on, if that has changed.
    pub(crate) fn streams(&mut self) -> Option<u8> {
        self.window.streams()
    }

    /// What has arrived.
    pub(crate) fn received(&self) -> &RangeSet {
        &self.received
    }

    /// Whether all has arrived.
    pub(crate) fn complete(&self) -> bool {
        self.received.total() == self.size
    }

    /// Whether chunks are waited for: then their time-outs tell whether the sender lives.
    pub(crate) fn waiting(&self) -> bool {
        !self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(size: u64, chunk: u32, window: u32) -> Flow {
        Flow::new(size, RangeSet::default(), chunk, Window::fixed(window), None, 2, 0)
    }

    fn asks(flow: &mut Flow) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| flow.next(0)).map(|ask| (ask.offset, ask.length)).collect()
    }

    fn ask(offset: u64, length: u64) -> Ask {
        Ask { offset, length, attempt: 0 }
    }

    #[test]
    fn never_more_than_the_window_is_in_flight() {
        let mut flow = flow(100, 10, 3);
        assert_eq!(asks(&mut flow), [(0, 10), (10, 10), (20, 10)]);
        flow.written(ask(10, 10), 0);
        assert_eq!(asks(&mut flow), [(30, 10)]);
    }

    #[test]
    fn every_size_is_asked_for_exactly_once_whatever_the_chunk() {
        for size in [0, 1, 9, 10, 11, 99, 100, 101] {
            for chunk in [1, 7, 10, 100, 1000] {
                let mut flow = flow(size, chunk, 1000);
                let asked = asks(&mut flow);
                assert_eq!(asked.iter().map(|&(_, length)| length).sum::<u64>(), size);
                for (offset, length) in asked.into_iter().rev() {
                    assert!(flow.wants(ask(offset, length), length));
                    flow.written(ask(offset, length), 0);
                }
                assert!(flow.complete());
            }
        }
    }

    #[test]
    fn an_empty_file_is_complete_before_anything_is_asked() {
        let mut flow = flow(0, 10, 3);
        assert!(flow.complete() && flow.next(0).is_none());
    }

    #[test]
    fn a_resume_asks_only_for_what_is_missing() {
        let mut there = RangeSet::default();
        there.insert(0, 15);
        there.insert(40, 5);
        let mut flow = Flow::new(50, there, 10, Window::fixed(100), None, 2, 0);
        assert_eq!(asks(&mut flow), [(15, 10), (25, 10), (35, 5), (45, 5)]);
    }

    #[test]
    fn a_chunk_that_does_not_come_is_asked_for_again_as_often_as_allowed() {
        let mut flow = flow(20, 10, 2);
        asks(&mut flow);
        assert_eq!(flow.timed_out(ask(0, 10), 0), Retry::Again);
        assert_eq!(asks(&mut flow), [(0, 10)]);
        assert_eq!(flow.timed_out(ask(0, 10), 0), Retry::Again);
        assert_eq!(asks(&mut flow), [(0, 10)]);
        assert_eq!(flow.timed_out(ask(0, 10), 0), Retry::GiveUp);
    }

    #[test]
    fn a_dropped_link_does_not_count_against_the_retries() {
        let mut flow = flow(10, 10, 2);
        for _ in 0..10 {
            assert_eq!(asks(&mut flow), [(0, 10)]);
            flow.dropped(ask(0, 10));
        }
    }

    #[test]
    fn a_late_answer_is_welcome_and_a_second_one_is_not() {
        let mut flow = flow(20, 10, 2);
        asks(&mut flow);
        flow.timed_out(ask(0, 10), 0);
        assert!(flow.wants(ask(0, 10), 10));
        flow.written(ask(0, 10), 0);
        assert_eq!(asks(&mut flow), [], "what came late is not asked for again");
        assert!(!flow.wants(ask(0, 10), 10));
        flow.written(ask(10, 10), 0);
        assert!(flow.complete());
    }

    #[test]
    fn what_was_not_asked_for_is_not_wanted() {
        let mut flow = flow(20, 10, 1);
        asks(&mut flow);
        assert!(!flow.wants(ask(10, 10), 10), "not asked for yet");
        assert!(!flow.wants(ask(0, 5), 5), "another length");
        assert!(!flow.wants(ask(0, 10), 9), "too few bytes");
        assert!(!flow.wants(Ask { attempt: 1, ..ask(0, 10) }, 10), "of another attempt");
    }

    #[test]
    fn a_limit_makes_it_wait_and_says_how_long() {
        let mut flow = Flow::new(1_000_000, RangeSet::default(), 1 << 20, Window::adaptive(0), Some(100_000), 2, 0);
        let (mut now, mut asked) = (0, 0);
        loop {
            while let Some(ask) = flow.next(now) {
                asked += ask.length;
                flow.written(ask, now);
            }
            let Some(pause) = flow.pause(now) else { break };
            assert!(asked <= now / 10 + 10_000, "{asked} bytes after {now} us");
            now += pause;
        }
        assert!(flow.complete() && (9_800_000..=10_000_000).contains(&now), "{now} us");
    }

    #[test]
    fn chunks_that_are_asked_for_again_count_once_in_the_window() {
        let mut flow = Flow::new(10 << 20, RangeSet::default(), 1 << 20, Window::adaptive(0), None, 9, 0);
        let first = flow.next(0).unwrap();
        for _ in 0..5 {
            flow.timed_out(first, 0);
            assert_eq!(flow.next(0), Some(first));
        }
        flow.written(first, 10);
        while let Some(ask) = flow.next(20) {
            flow.written(ask, 30);
        }
        assert!(flow.complete() && flow.under_way == 0);
    }
}
