//! Which bytes to ask for next: the window, the retries, and what of the file has arrived.
//!
//! Plain state: the caller sends what [`Flow::next`] returns, tells what came of it, and gives the time, in microseconds. Chunks may arrive in any order. Every byte asked for is in exactly one of
//! three places: in flight, waiting to be asked for again, or received. How much is in flight the [`Window`] says, and how soon the next may be asked for the [`Rate`], if there is a limit.
//!
//! What did not come in time is put back and cut anew by the window of that moment: what was too much for the line would be too much again. It counts against the retries if nothing else came meanwhile; a line that brings something
//! is slow and not dead. So a sender that is gone ends the transfer after as many time-outs as there may be, and one more for what was asked for before the last that
//! came; and one that keeps something back ends it so when all else is there.

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
    /// When something came last.
    came: Option<u64>,
    rate: Option<Rate>,
    retries: u32,
    /// How often all of it was asked for in vain already, in another way.
    spent: u32,
    attempt: u32,
    /// On this node's disk, or at least handed to it.
    received: RangeSet,
    in_flight: BTreeMap<u64, Flight>,
    /// The bytes of those in flight.
    under_way: u64,
    /// What did not come. Of a range, as much is asked for at a time as of all others.
    again: BTreeMap<u64, Flight>,
    /// Below this everything was asked for at least once.
    asked_to: u64,
}

impl Flow {
    /// Of a file of `size` bytes of which `received` are there, in chunks of at most `chunk` bytes (at least 1), at most `limit` bytes a second.
    pub(crate) fn new(size: u64, received: RangeSet, chunk: u32, window: Window, limit: Option<u64>, retries: u32, attempt: u32) -> Self {
        let (chunk, rate) = (u64::from(chunk.max(1)), limit.map(Rate::new));
        let (in_flight, again) = Default::default();
        Self { size, chunk, window, came: None, rate, retries, spent: 0, attempt, received, in_flight, under_way: 0, again, asked_to: 0 }
    }

    /// The same, of which all was asked for so often in vain already.
    pub(crate) fn having_tried(self, tries: u32) -> Self {
        Self { spent: tries, ..self }
    }

    /// From now on no more than so many bytes are asked for at a time (at least 1).
    pub(crate) fn cut_by(&mut self, chunk: u64) {
        self.chunk = chunk.max(1);
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
        match self.again.remove(&offset) {
            Some(all) if all.length > flight.length => drop(self.again.insert(offset + flight.length, Flight { length: all.length - flight.length, ..all })),
            Some(_) => {}
            None => self.asked_to = offset + flight.length,
        }
        self.in_flight.insert(offset, Flight { asked: now, ..flight });
        self.under_way += flight.length;
        Some(Ask { offset, length: flight.length, attempt: self.attempt })
    }

    /// What is next to be asked for: what did not come first.
    fn candidate(&self) -> Option<(u64, Flight)> {
        let chunk = self.window.chunk(self.rate.as_ref().map_or(self.chunk, |rate| rate.chunk().min(self.chunk)));
        if let Some((&offset, flight)) = self.again.first_key_value() {
            return Some((offset, Flight { length: flight.length.min(chunk), ..*flight }));
        }
        let (start, end) = self.received.gap(self.asked_to, self.size)?;
        Some((start, Flight { length: (end - start).min(chunk), tries: self.spent, asked: 0 }))
    }

    /// How long to wait before there is something to ask for again, if that is a matter of time.
    pub(crate) fn pause(&self, now: u64) -> Option<u64> {
        let wait = self.rate.as_ref()?.wait(now);
        let (_, flight) = self.candidate()?;
        (wait > 0 && self.window.has_room(self.in_flight.len(), self.under_way, flight.length)).then_some(wait)
    }

    /// Whether an answer is one that is waited for, with the right number of bytes. None comes to a request that timed out: the node drops what comes too late.
    pub(crate) fn wants(&self, ask: Ask, bytes: u64) -> bool {
        bytes == ask.length && self.is_in_flight(ask)
    }

    fn is_in_flight(&self, ask: Ask) -> bool {
        ask.attempt == self.attempt && self.in_flight.get(&ask.offset).is_some_and(|flight| flight.length == ask.length)
    }

    /// A wanted chunk has been written.
    pub(crate) fn written(&mut self, ask: Ask, now: u64) {
        if let Some(flight) = self.landed(ask.offset) {
            self.window.arrived(flight.length, flight.asked, now);
            self.came = Some(now);
        }
        self.received.insert(ask.offset, ask.length);
    }

    /// A chunk did not come in time.
    pub(crate) fn timed_out(&mut self, ask: Ask, now: u64) -> Retry {
        let Some(asked) = self.in_flight.get(&ask.offset).filter(|_| self.is_in_flight(ask)).map(|flight| flight.asked) else { return Retry::Again };
        let silent = self.came.is_none_or(|came| came <= asked);
        self.window.late(silent, now);
        self.put_back(ask, silent)
    }

    /// The sender could not give a chunk, or not this time: that counts, whatever else comes.
    pub(crate) fn refused(&mut self, ask: Ask) -> Retry {
        self.put_back(ask, true)
    }

    /// A chunk is to be asked for again, which counts against its retries or not.
    pub(crate) fn put_back(&mut self, ask: Ask, counts: bool) -> Retry {
        let Some(mut flight) = self.take(ask) else { return Retry::Again };
        flight.tries += u32::from(counts);
        self.again.insert(ask.offset, flight);
        if flight.tries > self.retries { Retry::GiveUp } else { Retry::Again }
    }

    /// A chunk was lost with the link: it will be asked for again, which does not count against its retries.
    pub(crate) fn dropped(&mut self, ask: Ask) {
        self.put_back(ask, false);
    }

    fn take(&mut self, ask: Ask) -> Option<Flight> {
        if self.is_in_flight(ask) { self.landed(ask.offset) } else { None }
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
    fn what_timed_out_is_not_waited_for_until_it_is_asked_for_again() {
        let mut flow = flow(20, 10, 2);
        asks(&mut flow);
        flow.timed_out(ask(0, 10), 0);
        assert!(!flow.wants(ask(0, 10), 10));
        assert_eq!(asks(&mut flow), [(0, 10)]);
        assert!(flow.wants(ask(0, 10), 10));
        flow.written(ask(0, 10), 0);
        assert!(!flow.wants(ask(0, 10), 10), "a second one is of no use");
        flow.written(ask(10, 10), 0);
        assert!(flow.complete());
    }

    #[test]
    fn what_timed_out_is_cut_anew_by_the_window_of_that_moment_and_none_of_it_is_lost() {
        let size = (1 << 20) + 5;
        let mut flow = Flow::new(size, RangeSet::default(), 1 << 20, Window::adaptive(0), None, 9, 0);
        let first = asks(&mut flow);
        assert!(first.iter().all(|&(_, length)| length == 256 << 10), "{first:?}");
        for (offset, length) in first {
            flow.timed_out(ask(offset, length), 30_000_000);
        }
        let (mut now, mut lengths) = (30_000_000, Vec::new());
        while !flow.complete() {
            let next = flow.next(now).unwrap();
            lengths.push(next.length);
            now += 1000;
            flow.written(next, now);
        }
        assert_eq!((lengths[0], lengths.iter().sum()), (16 << 10, size));
        assert!(flow.under_way == 0 && flow.again.is_empty());
    }

    #[test]
    fn a_time_out_counts_only_if_nothing_came_meanwhile() {
        let mut flow = flow(1000, 10, 2);
        assert_eq!(asks(&mut flow), [(0, 10), (10, 10)]);
        for round in 1..10 {
            flow.written(ask(round * 10, 10), round * 2);
            assert_eq!(flow.timed_out(ask(0, 10), round * 2 + 1), Retry::Again);
            let again: Vec<_> = std::iter::from_fn(|| flow.next(round * 2 + 1)).map(|ask| ask.offset).collect();
            assert_eq!(again, [0, round * 10 + 10]);
        }
        // Now there is silence.
        assert_eq!(flow.timed_out(ask(0, 10), 100), Retry::Again);
        assert_eq!(flow.next(100).map(|ask| ask.offset), Some(0));
        assert_eq!(flow.timed_out(ask(0, 10), 200), Retry::Again);
        assert_eq!(flow.next(200).map(|ask| ask.offset), Some(0));
        assert_eq!(flow.timed_out(ask(0, 10), 300), Retry::GiveUp);
    }

    #[test]
    fn a_sender_that_says_no_more_is_given_up_after_as_many_time_outs_as_there_may_be() {
        let mut flow = Flow::new(10 << 20, RangeSet::default(), 1 << 20, Window::adaptive(0), None, 3, 0);
        let (mut now, mut rounds) = (0, 0);
        'alive: loop {
            let in_flight: Vec<Ask> = std::iter::from_fn(|| flow.next(now)).collect();
            now += 30_000_000;
            rounds += 1;
            for ask in in_flight {
                if flow.timed_out(ask, now) == Retry::GiveUp {
                    break 'alive;
                }
            }
        }
        assert_eq!(rounds, 4, "once, and three times again");
    }

    #[test]
    fn what_the_sender_can_not_give_counts_whatever_else_comes() {
        let mut flow = flow(1000, 10, 2);
        asks(&mut flow);
        for round in 1..=3 {
            flow.written(ask(round * 10, 10), round);
            assert_eq!(flow.refused(ask(0, 10)) == Retry::GiveUp, round == 3);
            asks(&mut flow);
        }
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
        let mut first = flow.next(0).unwrap();
        for _ in 0..5 {
            flow.timed_out(first, 0);
            first = flow.next(0).unwrap();
            assert_eq!((first.offset, flow.under_way), (0, first.length));
        }
        flow.written(first, 10);
        while let Some(ask) = flow.next(20) {
            flow.written(ask, 30);
        }
        assert!(flow.complete() && flow.under_way == 0);
    }
}
