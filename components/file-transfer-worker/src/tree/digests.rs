//! Who waits for the digest of which file: plain state. A few are computed at a time, however many are asked for; those who ask for the same get the same one.

use std::collections::{BTreeMap, VecDeque};

use file_transfer_types::protocol::FileRequest;

/// So many are computed at a time, each with an open file. A receiver of ours asks for four.
const AT_ONCE: usize = 16;
/// So many questions wait for their answer.
pub(super) const QUESTIONS: usize = 256;

/// The digest of a file, and who waits for it.
#[derive(Debug)]
pub(super) struct Wanted<R> {
    /// Of which file.
    pub(super) of: FileRequest,
    /// Who is to be answered.
    pub(super) by: Vec<R>,
}

/// See the module. `R` is the right to answer one question.
#[derive(Debug)]
pub(super) struct Digests<R> {
    /// By the operation's number.
    under_way: BTreeMap<u64, Wanted<R>>,
    waiting: VecDeque<Wanted<R>>,
    questions: usize,
}

impl<R> Default for Digests<R> {
    fn default() -> Self {
        Self { under_way: BTreeMap::new(), waiting: VecDeque::new(), questions: 0 }
    }
}

impl<R> Digests<R> {
    /// Somebody wants the digest of a file. It is given back if there is no room.
    pub(super) fn ask(&mut self, of: FileRequest, by: R) -> Result<(), R> {
        if self.questions >= QUESTIONS {
            return Err(by);
        }
        self.questions += 1;
        match self.under_way.values_mut().chain(&mut self.waiting).find(|wanted| (wanted.of.page, wanted.of.file) == (of.page, of.file)) {
            Some(wanted) => wanted.by.push(by),
            None => self.waiting.push_back(Wanted { of, by: vec![by] }),
        }
        Ok(())
    }

    /// The next one to be begun, if another one may be: [`Digests::begun`] or [`Digests::over`] follows.
    pub(super) fn next(&mut self) -> Option<Wanted<R>> {
        if self.under_way.len() < AT_ONCE { self.waiting.pop_front() } else { None }
    }

    /// It is being computed.
    pub(super) fn begun(&mut self, operation: u64, wanted: Wanted<R>) {
        self.under_way.insert(operation, wanted);
    }

    /// An operation is done. None: it was for nobody here.
    pub(super) fn done(&mut self, operation: u64) -> Option<Vec<R>> {
        let wanted = self.under_way.remove(&operation)?;
        Some(self.over(wanted))
    }

    /// It is known how this ends: who is to be answered.
    pub(super) fn over(&mut self, wanted: Wanted<R>) -> Vec<R> {
        self.questions = self.questions.saturating_sub(wanted.by.len());
        wanted.by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: u32) -> FileRequest {
        FileRequest { page: 0, file }
    }

    #[test]
    fn a_few_are_computed_at_a_time_and_the_others_in_the_order_of_asking() {
        let mut digests = Digests::default();
        for file in 0..100 {
            digests.ask(of(file), file).unwrap();
        }
        let mut begun = Vec::new();
        while let Some(wanted) = digests.next() {
            begun.push(wanted.of.file);
            digests.begun(u64::from(wanted.of.file), wanted);
        }
        assert_eq!(begun, (0..16).collect::<Vec<_>>());
        assert_eq!(digests.done(3), Some(vec![3]));
        assert_eq!(digests.done(3), None);
        let next = digests.next().unwrap();
        assert_eq!(next.of.file, 16);
        assert_eq!(digests.over(next), [16], "it could not be begun");
        assert_eq!(digests.next().unwrap().of.file, 17);
    }

    #[test]
    fn who_asks_for_the_same_gets_the_same() {
        let mut digests = Digests::default();
        digests.ask(of(1), 'a').unwrap();
        let wanted = digests.next().unwrap();
        digests.begun(7, wanted);
        digests.ask(of(1), 'b').unwrap();
        digests.ask(of(2), 'c').unwrap();
        digests.ask(of(2), 'd').unwrap();
        assert_eq!(digests.done(7), Some(vec!['a', 'b']));
        assert_eq!(digests.next().unwrap().by, ['c', 'd']);
        assert!(digests.next().is_none());
    }

    #[test]
    fn there_is_room_for_so_many_questions_and_each_answer_makes_some() {
        let mut digests = Digests::default();
        for number in 0..QUESTIONS {
            digests.ask(of(number as u32 % 20), number).unwrap();
        }
        assert_eq!(digests.ask(of(0), 999), Err(999));
        let first = digests.next().unwrap();
        let answered = digests.over(first).len();
        for number in 0..answered {
            digests.ask(of(50), number).unwrap();
        }
        assert_eq!(digests.ask(of(50), 999), Err(999));
    }
}
