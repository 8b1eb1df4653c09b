//! What the sender was asked and has not answered: plain state. A question that is not answered in time, or is lost with the link, is asked again, under another number.

use std::collections::{BTreeMap, VecDeque};

use file_transfer_types::protocol::{FileRequest, FilesRequest, InternalRequest, PartRequest};

use crate::receive::Retry;

/// A question, and what its answer is for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question {
    /// A page of entries.
    Page(u32),
    /// Small files.
    Files(FilesRequest),
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
            Self::Files(asked) => InternalRequest::Files(asked.clone()),
            Self::Part(asked, _) => InternalRequest::Part(*asked),
            Self::Digest(asked) => InternalRequest::DigestOf(*asked),
        }
    }
}

#[derive(Debug)]
struct Flight {
    question: Question,
    /// How many bytes are expected.
    bytes: u64,
    tries: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Asks {
    retries: u32,
    next: u32,
    in_flight: BTreeMap<u32, Flight>,
    again: VecDeque<Flight>,
}

impl Asks {
    /// Each question is asked again at most so often.
    pub(super) fn new(retries: u32) -> Self {
        Self { retries, next: 0, in_flight: BTreeMap::new(), again: VecDeque::new() }
    }

    /// A new question, whose answer has so many bytes: its number. It counts as asked.
    pub(super) fn ask(&mut self, question: Question, bytes: u64) -> u32 {
        self.fly(Flight { question, bytes, tries: 0 })
    }

    fn fly(&mut self, flight: Flight) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.in_flight.insert(number, flight);
        number
    }

    /// The next question that is to be asked again, and its new number.
    pub(super) fn again(&mut self) -> Option<(u32, InternalRequest)> {
        let flight = self.again.pop_front()?;
        let request = flight.question.request();
        Some((self.fly(flight), request))
    }

    /// The question of this number is answered. None: nobody waits for the answer.
    pub(super) fn answered(&mut self, number: u32) -> Option<Question> {
        self.in_flight.remove(&number).map(|flight| flight.question)
    }

    /// It was not answered in time.
    pub(super) fn timed_out(&mut self, number: u32) -> Retry {
        let Some(mut flight) = self.in_flight.remove(&number) else { return Retry::Again };
        flight.tries += 1;
        let retry = if flight.tries > self.retries { Retry::GiveUp } else { Retry::Again };
        self.again.push_back(flight);
        retry
    }

    /// It was lost with the link, which does not count against its retries.
    pub(super) fn dropped(&mut self, number: u32) {
        self.again.extend(self.in_flight.remove(&number));
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

    #[test]
    fn every_question_is_open_until_it_is_answered() {
        let mut asks = Asks::new(2);
        let (first, second) = (asks.ask(Question::Page(0), 10), asks.ask(Question::Page(1), 20));
        assert_eq!((asks.bytes(), asks.open()), (30, 2));
        assert_eq!(asks.answered(first), Some(Question::Page(0)));
        assert_eq!(asks.answered(first), None, "a second answer is for nobody");
        asks.dropped(second);
        assert_eq!((asks.bytes(), asks.open(), asks.waiting()), (20, 1, false));
        let (third, request) = asks.again().unwrap();
        assert_eq!(request, InternalRequest::Page(1));
        assert_eq!(asks.answered(second), None, "too late, since it was asked again");
        assert!(asks.answered(third).is_some() && asks.open() == 0);
    }

    #[test]
    fn a_question_is_asked_again_as_often_as_allowed_and_a_lost_link_does_not_count() {
        let mut asks = Asks::new(2);
        let mut number = asks.ask(Question::Page(0), 0);
        for _ in 0..10 {
            asks.dropped(number);
            number = asks.again().unwrap().0;
        }
        for _ in 0..2 {
            assert_eq!(asks.timed_out(number), Retry::Again);
            number = asks.again().unwrap().0;
        }
        assert_eq!(asks.timed_out(number), Retry::GiveUp);
    }
}
