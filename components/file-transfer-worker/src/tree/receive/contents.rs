//! The contents of files: asked for, verified, written.

use file_transfer_types::errors::{Side, from_blob, from_vfs};
use file_transfer_types::names::shown;
use file_transfer_types::protocol::{FileRequest, FileSent, FilesRequest, FilesSent, PartRequest, TreeEntry};
use file_transfer_types::types::{DigestMismatch, TransferError};
use transship_guest::bindings::transship::host::digests;
use transship_guest::drive::{Metadata, OpenFlags, VfsError};
use transship_guest::hex;
use transship_guest::message::{Blob, Completion};

use super::asks::Question;
use super::large::{Large, Next, Opening};
use super::plan::{self, How, Verdict};
use super::stage::Small;
use super::{LARGES, Receiving, Todo};
use crate::receive::publish::Published;
use crate::tree::algorithm;

/// A file that may be equal: the digests of both sides are on their way.
#[derive(Debug)]
pub(super) struct Comparison {
    /// Its page, and its place in it.
    pub(super) of: FileRequest,
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
    /// Asks for the next of what is on the list. False: nothing of it can be asked for now.
    pub(super) fn ask_for_contents(&mut self) -> Result<bool, TransferError> {
        // Small files first: there are never more of them than in the pages at hand, so none keeps a large one waiting for long, and a large one would keep them waiting till its end.
        let small = self.todo.iter().position(|todo| matches!(todo, Todo::Files(..)));
        if small.is_none() {
            let part = self.larges.iter_mut().find_map(|large| large.next().map(|part| (part, large.attempt)));
            if let Some((part, attempt)) = part {
                self.question(Question::Part(part, attempt), part.length);
                return Ok(true);
            }
        }
        let room = self.larges.len() + self.comparing.len() < LARGES;
        let Some(place) = small.or_else(|| (room && !self.todo.is_empty()).then_some(0)) else { return Ok(false) };
        match self.todo.remove(place) {
            Some(Todo::Files(files, bytes)) => self.question(Question::Files(files), bytes),
            Some(Todo::Large(of, how)) => self.open(of, how)?,
            Some(Todo::Compare(of, there)) => self.compare(of, there),
            None => return Ok(false),
        }
        Ok(true)
    }

    fn entry(&self, of: FileRequest) -> Option<TreeEntry> {
        self.pages.get(&of.page)?.entries.get(of.file as usize).cloned()
    }

    /// One more file of a page is done.
    fn done(&mut self, of: FileRequest) {
        if let Some(page) = self.pages.get_mut(&of.page) {
            page.left = page.left.saturating_sub(1);
            if page.left == 0 {
                self.pages.remove(&of.page);
            }
        }
    }

    /// A file failed, of which so many bytes were planned to come.
    fn failed(&mut self, of: FileRequest, path: &str, planned: u64, error: TransferError) {
        self.tally.give_up(planned);
        self.tally.failed(path, error);
        self.done(of);
    }

    /// What became of a file that was to get its name.
    pub(super) fn named(&mut self, path: &str, size: u64, how: How, outcome: Result<Published, TransferError>) {
        match outcome {
            Ok(Published::As(_)) => return self.tally.moved(how, size),
            Ok(Published::Skipped) => self.tally.skipped(),
            Err(error) => self.tally.failed(path, error),
        }
        self.tally.give_up(size);
        self.gone(size);
    }

    /// So many bytes that were here are not any more.
    fn gone(&mut self, bytes: u64) {
        let done = &mut self.session.progress.bytes_done;
        *done = done.saturating_sub(bytes);
    }

    fn check(&self, bytes: &Blob, digest: &str, of: &str) -> Result<(), TransferError> {
        let found = digests::digest(algorithm(self.session.settings.digest), bytes).map_err(|error| from_blob(error, of))?;
        let found = hex::encode(&found);
        if found.eq_ignore_ascii_case(digest) {
            return Ok(());
        }
        Err(TransferError::DigestMismatch(DigestMismatch { name: shown(of), expected: digest.to_owned(), found }))
    }

    /// Small files came.
    pub(super) fn files(&mut self, asked: &FilesRequest, sent: &FilesSent, contents: Option<&Blob>) -> Result<(), TransferError> {
        let node = self.session.node.clone();
        let wrong = |what: &str| TransferError::Failed(format!("{node} {what}"));
        let contents = contents.ok_or_else(|| wrong("sent files without bytes"))?;
        if sent.files.is_empty() || sent.files.len() > asked.files.len() {
            return Err(wrong("sent another number of files than was asked for"));
        }
        let first = asked.files.first().and_then(|&file| self.entry(FileRequest { page: asked.page, file })).map_or_else(String::new, |entry| entry.path);
        self.check(contents, &sent.digest, &format!("{first} and what follows"))?;
        let (mut small, mut of_small, mut offset) = (Vec::new(), Vec::new(), 0_u64);
        for (&file, sent) in asked.files.iter().zip(&sent.files) {
            let of = FileRequest { page: asked.page, file };
            let Some(entry) = self.entry(of) else { continue };
            let how = self.pages.get(&of.page).and_then(|page| page.how.get(&file).copied()).unwrap_or(How::New);
            let (size, modified, permissions) = match sent {
                FileSent::Same => (entry.size, entry.modified, entry.permissions),
                FileSent::Now(now) => {
                    self.tally.give_up(entry.size);
                    self.tally.plan(now.size);
                    (now.size, now.modified, now.permissions)
                }
                FileSent::Failed(error) => {
                    self.failed(of, &entry.path, entry.size, error.clone());
                    continue;
                }
            };
            small.push(Small { path: entry.path, offset, size, modified, permissions, how });
            of_small.push(of);
            offset = offset.saturating_add(size);
        }
        if offset != contents.length() {
            return Err(wrong("sent another number of bytes than the files have"));
        }
        if let Some(root) = &self.root {
            let failed = self.stage.write(root, small, contents)?;
            let mut lost = 0;
            for (file, error) in failed {
                if matches!(error, VfsError::NoSpace) {
                    return Err(from_vfs(error, &file.path, Side::Receiver));
                }
                lost += file.size;
                self.tally.give_up(file.size);
                self.tally.failed(&file.path, from_vfs(error, &file.path, Side::Receiver));
            }
            self.session.progress.bytes_done += offset - lost;
        }
        of_small.into_iter().for_each(|of| self.done(of));
        let rest = asked.files.get(sent.files.len()..).unwrap_or_default().to_vec();
        if !rest.is_empty() {
            let bytes = rest.iter().filter_map(|&file| self.entry(FileRequest { page: asked.page, file })).map(|entry| entry.size).sum();
            self.todo.push_front(Todo::Files(FilesRequest { page: asked.page, files: rest }, bytes));
        }
        Ok(())
    }

    /// Begins with a large file.
    fn open(&mut self, of: FileRequest, how: How) -> Result<(), TransferError> {
        let (Some(entry), Some(root)) = (self.entry(of), &self.root) else { return Ok(()) };
        let (path, size) = (entry.path.clone(), entry.size);
        let what = Opening { of, entry, how, drive: &self.drive, path: &self.path, source: &self.source, slot: self.slot, chunk: self.chunk };
        match Large::open(self.session, root, &mut self.stage, what) {
            Ok(large) => {
                self.session.progress.bytes_done += large.resumed;
                self.larges.push(large);
                // What an earlier attempt left may be all of it.
                self.finish(self.larges.len() - 1)
            }
            Err(error @ TransferError::NoSpace(_)) => Err(error),
            Err(error) => {
                self.failed(of, &path, size, error);
                self.report_progress();
                Ok(())
            }
        }
    }

    /// A part of a large file came.
    pub(super) fn part(
        &mut self,
        asked: &PartRequest,
        attempt: u32,
        outcome: Result<String, TransferError>,
        bytes: Option<&Blob>,
    ) -> Result<(), TransferError> {
        let of = FileRequest { page: asked.page, file: asked.file };
        let Some(place) = self.larges.iter().position(|large| large.of == of && large.attempt == attempt) else { return Ok(()) };
        let digest = match outcome {
            Ok(digest) => digest,
            Err(error) => {
                self.large_failed(place, error);
                return Ok(());
            }
        };
        let Some(bytes) = bytes.filter(|bytes| bytes.length() == asked.length) else {
            return Err(TransferError::Failed(format!("{} sent another number of bytes than was asked for", self.session.node)));
        };
        let path = self.larges.get(place).map_or_else(String::new, |large| large.entry.path.clone());
        self.check(bytes, &digest, &path)?;
        if let Some(large) = self.larges.get_mut(place) {
            self.session.progress.bytes_done += large.part(asked, attempt, bytes)?;
        }
        self.finish(place)
    }

    /// The sender can't give a large file: nothing of it is kept.
    fn large_failed(&mut self, place: usize, error: TransferError) {
        let large = self.larges.swap_remove(place);
        let (of, path, size) = (large.of, large.entry.path.clone(), large.entry.size);
        self.gone(large.received());
        if let Some(root) = &self.root {
            large.give_up(root, &self.stage, false);
        }
        self.failed(of, &path, size, error);
    }

    /// Goes on with a large file, if all of it is there.
    fn finish(&mut self, place: usize) -> Result<(), TransferError> {
        match self.larges.get_mut(place) {
            Some(large) if large.complete() => {
                let next = large.finish()?;
                self.follow(place, next);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn follow(&mut self, place: usize, next: Next) {
        match next {
            Next::Wait => {}
            Next::Anew(lost) => self.gone(lost),
            Next::AskDigest => {
                if let Some(of) = self.larges.get(place).map(|large| large.of) {
                    self.question(Question::Digest(of), 0);
                }
            }
            Next::Staged(number) => {
                let large = self.larges.swap_remove(place);
                let of = large.of;
                self.stage.add(number, large.entry.path.clone(), large.entry.size, large.how);
                self.done(of);
            }
            Next::Named(outcome) => {
                let large = self.larges.swap_remove(place);
                let left_alone = !matches!(outcome, Ok(Published::As(_)));
                if !left_alone {
                    self.tally.resumed = self.tally.resumed.saturating_add(large.resumed);
                }
                self.named(&large.entry.path, large.entry.size, large.how, outcome);
                let of = large.of;
                if let Some(root) = self.root.as_ref().filter(|_| left_alone) {
                    large.give_up(root, &self.stage, false);
                }
                self.done(of);
            }
        }
    }

    /// An operation is done. False: it was of no large file.
    pub(super) fn large_completed(&mut self, completion: &Completion) -> Result<bool, TransferError> {
        for place in 0..self.larges.len() {
            let Some(large) = self.larges.get_mut(place) else { break };
            if let Some(next) = large.completed(completion) {
                let next = next?;
                self.follow(place, next);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn compare(&mut self, of: FileRequest, there: Option<Metadata>) {
        let (Some(entry), Some(root)) = (self.entry(of), &self.root) else { return };
        let begun = root.open_file(&entry.path, OpenFlags::READ).and_then(|file| {
            let all = file.read_blob(0, entry.size)?;
            Ok(digests::start_digest(algorithm(self.session.settings.digest), &all))
        });
        match begun {
            Ok(operation) => {
                self.comparing.push(Comparison { of, there, operation, expected: None, found: None });
                self.question(Question::Digest(of), 0);
            }
            // It is not what it was a moment ago, so it is not equal either.
            Err(VfsError::NotFound(_)) => self.differs(&Comparison { of, there: None, operation: 0, expected: None, found: None }),
            Err(VfsError::Limit(_)) => self.differs(&Comparison { of, there, operation: 0, expected: None, found: None }),
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
                (Ok(digest), Some(large)) => large.told(digest)?,
                (Err(error), _) => {
                    self.large_failed(place, error);
                    return Ok(());
                }
                (Ok(_), None) => return Ok(()),
            };
            self.follow(place, next);
            return Ok(());
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
                self.settle(&entry, Verdict::Unchanged);
            }
            self.done(comparison.of);
        } else {
            self.differs(&comparison);
        }
    }
}
