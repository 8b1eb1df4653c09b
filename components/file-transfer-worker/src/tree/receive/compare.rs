//! Files that may be equal to what is here, compared by their digests: what the sender says, and what is computed here.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::protocol::FileRequest;
use file_transfer_types::types::TransferError;
use transship_guest::bindings::transship::host::digests;
use transship_guest::drive::{Metadata, OpenFlags, VfsError};
use transship_guest::hex;
use transship_guest::message::Completion;

use super::asks::Question;
use super::plan;
use super::{Receiving, Todo};
use crate::tree::algorithm;

/// How many files are compared at a time: each takes a round trip, however small it is.
const COMPARISONS: usize = 64;

/// A file that may be equal: the digests of both sides are on their way.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Its page, and its place in it.
    pub(super) of: FileRequest,
    /// Whether it counts as one of the large ones, of which few are dealt with at a time.
    pub(super) large: bool,
    /// What stands here.
    there: Option<Metadata>,
    /// Which operation computes the digest here.
    operation: u64,
    /// What the sender says.
    expected: Option<String>,
    /// What was computed here.
    found: Option<String>,
}

impl Receiving<'_> {
    /// The next file on the list that is small and to be compared, if one more is to be compared now.
    pub(super) fn next_small_comparison(&mut self) -> Option<(FileRequest, Option<Metadata>)> {
        if self.comparing.len() - self.large_comparisons() >= COMPARISONS {
            return None;
        }
        let place = self.todo.iter().position(|todo| matches!(todo, Todo::Compare(..)) && !self.is_large_comparison(todo))?;
        match self.todo.remove(place) {
            Some(Todo::Compare(of, there)) => Some((of, there)),
            _ => None,
        }
    }

    /// Whether this is to compare a file that takes its time at both sides.
    pub(super) fn is_large_comparison(&self, todo: &Todo) -> bool {
        matches!(todo, Todo::Compare(_, Some(there)) if !self.is_small(there.size))
    }

    /// How many large files are compared.
    pub(super) fn large_comparisons(&self) -> usize {
        self.comparing.iter().filter(|comparison| comparison.large).count()
    }

    /// Begins to compare a file.
    pub(super) fn compare(&mut self, of: FileRequest, there: Option<Metadata>, large: bool) {
        let (Some(entry), Some(root)) = (self.entry(of), &self.root) else { return };
        let begun = root.open_file(&entry.path, OpenFlags::READ).and_then(|file| {
            let all = file.read_blob(0, entry.size)?;
            Ok(digests::start_digest(algorithm(self.session.settings.digest), &all))
        });
        match begun {
            Ok(operation) => {
                self.comparing.push(Comparison { of, large, there, operation, expected: None, found: None });
                self.question(Question::Digest(of), 0, 0);
            }
            // It is not what it was a moment ago, so it is not equal either.
            Err(VfsError::NotFound(_)) => self.differs(&Comparison { of, large, there: None, operation: 0, expected: None, found: None }),
            Err(VfsError::Limit(_)) => self.differs(&Comparison { of, large, there, operation: 0, expected: None, found: None }),
            // Whether it would have to be moved was not known yet.
            Err(error) => self.failed(of, &entry.path, 0, from_vfs(error, &entry.path, Side::Receiver)),
        }
    }

    fn differs(&mut self, comparison: &Comparison) {
        let Some(entry) = self.entry(comparison.of) else { return };
        let verdict = plan::differing(&entry, comparison.there.as_ref(), self.session.settings.conflict);
        match self.settle(&entry, verdict) {
            Some(how) => self.fetch_compared(comparison, entry.size, how),
            None => self.done(comparison.of),
        }
    }

    /// The sender says what the digest of a file is.
    pub(super) fn digest(&mut self, of: FileRequest, outcome: Result<String, TransferError>) -> Result<(), TransferError> {
        if let Some(place) = self.larges.iter().position(|large| large.of == of) {
            let next = match (outcome, self.larges.get_mut(place)) {
                (Ok(digest), Some(large)) => large.told(digest),
                (Err(error), _) => {
                    self.large_failed(place, error);
                    return Ok(());
                }
                (Ok(_), None) => return Ok(()),
            };
            return self.follow_or_fail(place, next);
        }
        let Some(place) = self.comparing.iter().position(|comparison| comparison.of == of) else { return Ok(()) };
        match outcome {
            Ok(digest) => {
                if let Some(comparison) = self.comparing.get_mut(place) {
                    comparison.expected = Some(digest);
                }
                self.settle_comparison(place);
            }
            Err(error) => {
                self.comparing.swap_remove(place);
                let path = self.entry(of).map_or_else(String::new, |entry| entry.path);
                self.failed(of, &path, 0, error);
            }
        }
        Ok(())
    }

    /// A digest was computed here.
    pub(super) fn compared(&mut self, completion: &Completion) {
        let Some(place) = self.comparing.iter().position(|comparison| comparison.operation == completion.operation) else { return };
        if let Some(comparison) = self.comparing.get_mut(place) {
            // What can't be read here is equal to nothing.
            comparison.found = Some(completion.outcome.as_ref().map_or_else(|_| String::new(), |digest| hex::encode(digest)));
        }
        self.settle_comparison(place);
    }

    fn settle_comparison(&mut self, place: usize) {
        let equal = match self.comparing.get(place) {
            Some(Comparison { expected: Some(expected), found: Some(found), .. }) => expected.eq_ignore_ascii_case(found),
            _ => return,
        };
        let comparison = self.comparing.swap_remove(place);
        if equal {
            if let Some(entry) = self.entry(comparison.of) {
                self.equal(&entry, comparison.there.as_ref());
            }
            self.done(comparison.of);
        } else {
            self.differs(&comparison);
        }
    }
}
