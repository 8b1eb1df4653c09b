//! What the sender was asked and has not answered: plain state. A question that is not answered in time, or is lost with the link, is asked again, under another number.
//!
//! One [`Window`] is measured for the whole tree. What brings bytes is cut by it at the moment of asking, so what did not come is given back ([`Lost`]), to be cut anew. A time-out counts against the retries if nothing else came meanwhile:
//! a line that brings something is slow, and not dead.

use std::collections::{BTreeMap, VecDeque};

use file_transfer_types::protocol::{FileRequest, FilesRequest, InternalRequest, PartRequest};

use crate::receive::rate::Rate;
use crate::receive::window::Window;

/// How many questions are open at a time: far more than are needed to fill any line.
const QUESTIONS: usize = 256;

/// A question, and what its answer is for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question {
    /// A page of entries.
    Page(u32),
    /// Small files, and whether their digest did not fit before.
    Files(FilesRequest, bool),
    /// A range of a large one, of its attempt of this number.
    Part(PartRequest, u32),
    /// The digest of a file.
    Digest(FileRequest),
}

impl Question {
    /// As it is asked.
    pub(super) fn request(&self) -> InternalRequest {
        match self {
            Self::Page(number) => InternalRequest::Page(*number),
            Self::Files(asked, _) => InternalRequest::Files(asked.clone()),
            Self::Part(asked, _) => InternalRequest::Part(*asked),
            Self::Digest(asked) => InternalRequest::DigestOf(*asked),
        }
    }
}

/// What becomes of a question that was not answered.
#[derive(Debug, PartialEq)]
pub(super) enum Lost {
    /// It will be asked again, or was not waited for any more.
    Again,
    /// These files are to be asked for again. So often they were asked for in vain, and whether their digest did not fit before.
    Files(FilesRequest, u32, bool),
    /// This range of a large file, of its attempt of this number, is to be asked for again, and whether that counts.
    Part(PartRequest, u32, bool),
    /// It was asked as often as it may be.
    GiveUp,
}

#[derive(Debug)]
struct Flight {
    question: Question,
    /// How many bytes are expected.
    bytes: u64,
    tries: u32,
    /// When it was asked, in microseconds.
    asked: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Asks {
    retries: u32,
    window: Window,
    rate: Option<Rate>,
    /// When an answer came last.
    came: Option<u64>,
    next: u32,
    in_flight: BTreeMap<u32, Flight>,
    again: VecDeque<Flight>,
}

impl Asks {
    /// Each question is asked again at most so often. `window` says how much may be under way, and `limit` how many bytes a second.
    pub(super) fn new(retries: u32, window: Window, limit: Option<u64>) -> Self {
        Self { retries, window, rate: limit.map(Rate::new), came: None, next: 0, in_flight: BTreeMap::new(), again: VecDeque::new() }
    }

    /// A new question, whose answer has so many bytes, and which was asked in vain so often: its number. It counts as asked.
    pub(super) fn ask(&mut self, question: Question, bytes: u64, tries: u32, now: u64) -> u32 {
        self.fly(Flight { question, bytes, tries, asked: now }, now)
    }

    fn fly(&mut self, flight: Flight, now: u64) -> u32 {
        if let Some(rate) = &mut self.rate {
            rate.ask(flight.bytes, now);
        }
        let flight = Flight { asked: now, ..flight };
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.in_flight.insert(number, flight);
        number
    }

    /// The next question that is to be asked again, and its new number.
    pub(super) fn again(&mut self, now: u64) -> Option<(u32, InternalRequest)> {
        let place = self.again.iter().position(|flight| !matches!(flight.question, Question::Page(_)) || self.may_ask_for_page(self.in_flight.values()))?;
        let flight = self.again.remove(place)?;
        let request = flight.question.request();
        Some((self.fly(flight, now), request))
    }

    /// Whether another page may be asked for. Over a slow line they come one after the other: each may have hundreds of kilobytes.
    pub(super) fn has_room_for_page(&self) -> bool {
        self.may_ask_for_page(self.in_flight.values().chain(&self.again))
    }

    fn may_ask_for_page<'a>(&self, mut open: impl Iterator<Item = &'a Flight>) -> bool {
        !self.is_slow() || !open.any(|flight| matches!(flight.question, Question::Page(_)))
    }

    /// Whether the line has proved slow: then also what is small otherwise comes in parts.
    pub(super) fn is_slow(&self) -> bool {
        self.window.is_slow()
    }

    /// Whether a question whose answer has so many bytes may be asked now.
    pub(super) fn has_room(&self, bytes: u64, now: u64) -> bool {
        let large = self.in_flight.values().filter(|flight| flight.bytes > 0).count() + self.again.len();
        self.open() < QUESTIONS && self.window.has_room(large, self.bytes(), bytes) && self.pause(now).is_none()
    }

    /// How long to wait before more may be asked for, in microseconds, if there is a limit.
    pub(super) fn pause(&self, now: u64) -> Option<u64> {
        self.rate.as_ref().map(|rate| rate.wait(now)).filter(|wait| *wait > 0)
    }

    /// How many bytes to ask for at a time now.
    pub(super) fn chunk(&self, most: u32) -> u64 {
        self.window.chunk(self.limited(most).into())
    }

    /// The most bytes to ask for at a time, as far as the limit decides.
    pub(super) fn limited(&self, most: u32) -> u32 {
        self.rate.as_ref().map_or(most, |rate| u32::try_from(rate.chunk()).map_or(most, |chunk| chunk.min(most)))
    }

    /// The question of this number is answered. None: nobody waits for the answer.
    pub(super) fn answered(&mut self, number: u32, now: u64) -> Option<Question> {
        let flight = self.in_flight.remove(&number)?;
        self.came = Some(now);
        if flight.bytes > 0 {
            self.window.arrived(flight.bytes, flight.asked, now);
        }
        Some(flight.question)
    }

    /// How many streams there are to be from now on, if that has changed.
    pub(super) fn streams(&mut self) -> Option<u8> {
        self.window.streams()
    }

    /// It was not answered in time.
    pub(super) fn timed_out(&mut self, number: u32, now: u64) -> Lost {
        let silent = |asked, came: Option<u64>| came.is_none_or(|came| came <= asked);
        if let Some(flight) = self.in_flight.get(&number) {
            self.window.late(silent(flight.asked, self.came), now);
        }
        self.lost(number, silent)
    }

    /// The sender could not answer, or not this time: that counts, whatever else comes.
    pub(super) fn refused(&mut self, number: u32) -> Lost {
        self.lost(number, |_, _| true)
    }

    /// It was lost with the link, which does not count against its retries.
    pub(super) fn dropped(&mut self, number: u32) -> Lost {
        self.lost(number, |_, _| false)
    }

    fn lost(&mut self, number: u32, counts: impl Fn(u64, Option<u64>) -> bool) -> Lost {
        let Some(mut flight) = self.in_flight.remove(&number) else { return Lost::Again };
        let counts = counts(flight.asked, self.came);
        flight.tries += u32::from(counts);
        match flight.question {
            // Its file counts: what is asked for next may be cut in another way.
            Question::Part(asked, attempt) => Lost::Part(asked, attempt, counts),
            _ if flight.tries > self.retries => Lost::GiveUp,
            Question::Files(asked, doubted) => Lost::Files(asked, flight.tries, doubted),
            Question::Page(_) | Question::Digest(_) => {
                self.again.push_back(flight);
                Lost::Again
            }
        }
    }

    /// How many bytes are asked for and not there.
    pub(super) fn bytes(&self) -> u64 {
        self.in_flight.values().chain(&self.again).map(|flight| flight.bytes).sum()
    }

    /// How many questions are asked and not answered.
    pub(super) fn open(&self) -> usize {
        self.in_flight.len() + self.again.len()
    }

    /// Whether answers are waited for: then their time-outs tell whether the sender lives.
    pub(super) fn waiting(&self) -> bool {
        !self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(window: Window, limit: Option<u64>) -> Asks {
        Asks::new(2, window, limit)
    }

    #[test]
    fn every_question_is_open_until_it_is_answered() {
        let mut asks = asks(Window::fixed(9), None);
        let (first, second) = (asks.ask(Question::Page(0), 10, 0, 0), asks.ask(Question::Page(1), 20, 0, 0));
        assert_eq!((asks.bytes(), asks.open()), (30, 2));
        assert_eq!(asks.answered(first, 1), Some(Question::Page(0)));
        assert_eq!(asks.answered(first, 1), None, "a second answer is for nobody");
        asks.dropped(second);
        assert_eq!((asks.bytes(), asks.open(), asks.waiting()), (20, 1, false));
        let (third, request) = asks.again(2).unwrap();
        assert_eq!(request, InternalRequest::Page(1));
        assert_eq!(asks.answered(second, 3), None, "too late, since it was asked again");
        assert!(asks.answered(third, 3).is_some() && asks.open() == 0);
    }

    #[test]
    fn a_question_is_asked_again_as_often_as_allowed_and_a_lost_link_does_not_count() {
        let mut asks = asks(Window::fixed(9), None);
        let mut number = asks.ask(Question::Page(0), 0, 0, 0);
        for _ in 0..10 {
            asks.dropped(number);
            number = asks.again(0).unwrap().0;
        }
        for _ in 0..2 {
            assert_eq!(asks.timed_out(number, 0), Lost::Again);
            number = asks.again(0).unwrap().0;
        }
        assert_eq!(asks.timed_out(number, 0), Lost::GiveUp);
    }

    fn files(count: u32) -> FilesRequest {
        FilesRequest { page: 0, files: (0..count).collect() }
    }

    #[test]
    fn what_brings_bytes_is_given_back_to_be_cut_anew_and_counts_if_nothing_else_came() {
        let mut asks = asks(Window::adaptive(0), None);
        assert_eq!((asks.chunk(1 << 20), asks.is_slow()), (256 << 10, false));
        let part = PartRequest { page: 0, file: 7, offset: 0, length: 1 << 18 };
        let first = asks.ask(Question::Files(files(3), false), 1 << 18, 0, 0);
        let second = asks.ask(Question::Part(part, 1), 1 << 18, 0, 0);
        assert_eq!(asks.timed_out(first, 30), Lost::Files(files(3), 1, false));
        assert_eq!(asks.timed_out(second, 30), Lost::Part(part, 1, true));
        assert_eq!((asks.chunk(1 << 20), asks.is_slow(), asks.open()), (16 << 10, true, 0));
        let (third, fourth) = (asks.ask(Question::Files(files(1), false), 10, 1, 30), asks.ask(Question::Files(files(2), true), 10, 2, 30));
        assert!(asks.answered(third, 40).is_some());
        assert_eq!(asks.timed_out(fourth, 60), Lost::Files(files(2), 2, true), "a line that brings something is not dead");
        let fifth = asks.ask(Question::Files(files(2), false), 10, 2, 60);
        assert_eq!(asks.timed_out(fifth, 90), Lost::GiveUp);
        let sixth = asks.ask(Question::Files(files(2), false), 10, 2, 100);
        let seventh = asks.ask(Question::Page(0), 0, 0, 100);
        asks.answered(seventh, 110);
        assert_eq!(asks.refused(sixth), Lost::GiveUp, "what the sender can't give counts all the same");
    }

    #[test]
    fn over_a_slow_line_pages_come_one_after_the_other() {
        let mut asks = asks(Window::adaptive(0), None);
        let numbers: Vec<u32> = (0..3).map(|page| asks.ask(Question::Page(page), 0, 0, 0)).collect();
        assert!(asks.has_room_for_page());
        for number in numbers {
            assert_eq!(asks.timed_out(number, 30), Lost::Again);
        }
        for page in 0..3 {
            assert!(!asks.has_room_for_page());
            let (number, request) = asks.again(30).unwrap();
            assert_eq!((request, asks.again(30)), (InternalRequest::Page(page), None));
            assert!(asks.answered(number, 31).is_some());
        }
        assert!(asks.has_room_for_page());
    }

    #[test]
    fn no_more_is_asked_for_than_the_window_and_the_limit_allow() {
        let mut fixed = asks(Window::fixed(2), None);
        fixed.ask(Question::Page(0), 0, 0, 0);
        assert!(fixed.has_room(10, 0));
        fixed.ask(Question::Page(1), 10, 0, 0);
        fixed.ask(Question::Page(2), 10, 0, 0);
        assert!(!fixed.has_room(10, 0));

        let mut limited = asks(Window::adaptive(0), Some(1_000_000));
        assert_eq!(limited.chunk(1 << 20), 50_000);
        let mut now = 0;
        for _ in 0..4 {
            limited.ask(Question::Page(0), 50_000, 0, now);
            let pause = limited.pause(now).unwrap_or_default();
            assert_eq!(limited.has_room(1, now), pause == 0);
            now += pause;
        }
        assert!((100_000..=200_000).contains(&now), "200,000 bytes at 1,000,000 a second, of which some at once: {now}");
    }
}
