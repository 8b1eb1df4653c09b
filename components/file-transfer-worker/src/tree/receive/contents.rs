//! The contents of files: asked for, verified, written.

use file_transfer_types::errors::{Side, from_blob, from_vfs};
use file_transfer_types::names::shown;
use file_transfer_types::protocol::{FileRequest, FileSent, FilesRequest, FilesSent, PartRequest, TreeEntry};
use file_transfer_types::types::{DigestMismatch, TransferError};
use transship_guest::bindings::transship::host::digests;
use transship_guest::drive::VfsError;
use transship_guest::hex;
use transship_guest::message::{Blob, Completion};

use super::asks::Question;
use super::large::{Large, Next, Opening};
use super::plan::How;
use super::stage::Small;
use super::{Group, LARGES, Receiving, Todo};
use crate::receive::Retry;
use crate::receive::publish::Published;
use crate::tree::{PACK, algorithm};

impl Receiving<'_> {
    /// Asks for the next of what is on the list. False: nothing of it can be asked for now.
    pub(super) fn ask_for_contents(&mut self) -> Result<bool, TransferError> {
        let chunk = self.asks.chunk(self.chunk);
        // Comparisons cost the line next to nothing.
        if let Some((of, there)) = self.next_small_comparison() {
            self.compare(of, there, false);
            return Ok(true);
        }
        // Small files first: there are never more of them than in the pages at hand, so none keeps a large one waiting for long, and a large one would keep them waiting till its end.
        let small = self.todo.iter().position(|todo| matches!(todo, Todo::Files(..)));
        if small.is_none() {
            let part = self.larges.iter_mut().find_map(|large| large.next(chunk).map(|part| (part, large.attempt)));
            if let Some((part, attempt)) = part {
                self.question(Question::Part(part, attempt), part.length, 0);
                return Ok(true);
            }
        }
        let room = self.larges.len() + self.large_comparisons() < LARGES;
        let large = || self.todo.iter().position(|todo| matches!(todo, Todo::Large(..)) || self.is_large_comparison(todo));
        let Some(place) = small.or_else(|| large().filter(|_| room)) else { return Ok(false) };
        match self.todo.remove(place) {
            Some(Todo::Files(group)) => self.ask_for_files(group, chunk.min(PACK)),
            Some(Todo::Large(of, how, tries)) => self.open(of, how, tries)?,
            Some(Todo::Compare(of, there)) => self.compare(of, there, true),
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Asks for as many files of a group as come to so many bytes, one at least; the others have the next turn.
    fn ask_for_files(&mut self, mut group: Group, chunk: u64) {
        let sizes = group.files.iter().map(|&file| self.size(FileRequest { page: group.page, file }));
        let (mut count, mut bytes) = (0, 0_u64);
        for size in sizes {
            if count > 0 && bytes.saturating_add(size) > chunk {
                break;
            }
            (count, bytes) = (count + 1, bytes.saturating_add(size));
        }
        let rest = group.files.split_off(count);
        if !rest.is_empty() {
            self.todo.push_front(Todo::Files(Group { files: rest, ..group }));
        }
        let Group { page, files, tries, doubted } = group;
        match files[..] {
            // More than a slow line brings at a time.
            [file] if bytes > chunk && self.asks.is_slow() => {
                let how = self.how(page, file);
                self.todo.push_back(Todo::Large(FileRequest { page, file }, how, tries));
            }
            _ => self.question(Question::Files(FilesRequest { page, files }, doubted), bytes, tries),
        }
    }

    fn how(&self, page: u32, file: u32) -> How {
        self.pages.get(&page).and_then(|page| page.how.get(&file).copied()).unwrap_or(How::New)
    }

    fn size(&self, of: FileRequest) -> u64 {
        self.pages.get(&of.page).and_then(|page| page.entries.get(of.file as usize)).map_or(0, |entry| entry.size)
    }

    pub(super) fn entry(&self, of: FileRequest) -> Option<TreeEntry> {
        self.pages.get(&of.page)?.entries.get(of.file as usize).cloned()
    }

    /// One more file of a page is done.
    pub(super) fn done(&mut self, of: FileRequest) {
        if let Some(page) = self.pages.get_mut(&of.page) {
            page.left = page.left.saturating_sub(1);
            if page.left == 0 {
                self.pages.remove(&of.page);
            }
        }
    }

    /// A file failed, of which so many bytes were planned to come.
    pub(super) fn failed(&mut self, of: FileRequest, path: &str, planned: u64, error: TransferError) {
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
    pub(super) fn files(&mut self, asked: &FilesRequest, doubted: bool, sent: &FilesSent, contents: Option<&Blob>) -> Result<(), TransferError> {
        let node = self.session.node.clone();
        let wrong = |what: &str| TransferError::Failed(format!("{node} {what}"));
        let contents = contents.ok_or_else(|| wrong("sent files without bytes"))?;
        if sent.files.is_empty() || sent.files.len() > asked.files.len() {
            return Err(wrong("sent another number of files than was asked for"));
        }
        let first = asked.files.first().and_then(|&file| self.entry(FileRequest { page: asked.page, file })).map_or_else(String::new, |entry| entry.path);
        match self.check(contents, &sent.digest, &if asked.files.len() > 1 { format!("{first} and what follows") } else { first }) {
            // One after the other, and once more: so one that does not fit fails by itself.
            Err(TransferError::DigestMismatch(_)) if !doubted => {
                self.todo.extend(asked.files.iter().map(|&file| Todo::Files(Group { doubted: true, ..Group::new(asked.page, vec![file]) })));
                return Ok(());
            }
            Err(error @ TransferError::DigestMismatch(_)) => {
                for &file in &asked.files {
                    let of = FileRequest { page: asked.page, file };
                    let (path, size) = self.entry(of).map_or_else(Default::default, |entry| (entry.path, entry.size));
                    self.failed(of, &path, size, error.clone());
                }
                return Ok(());
            }
            checked => checked?,
        }
        let (mut small, mut of_small, mut offset) = (Vec::new(), Vec::new(), 0_u64);
        for (&file, sent) in asked.files.iter().zip(&sent.files) {
            let of = FileRequest { page: asked.page, file };
            let Some(entry) = self.entry(of) else { continue };
            let how = self.how(of.page, file);
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
            self.todo.push_front(Todo::Files(Group { doubted, ..Group::new(asked.page, rest) }));
        }
        Ok(())
    }

    /// Begins with a large file.
    fn open(&mut self, of: FileRequest, how: How, tries: u32) -> Result<(), TransferError> {
        let (Some(entry), Some(root)) = (self.entry(of), &self.root) else { return Ok(()) };
        let (path, size) = (entry.path.clone(), entry.size);
        let what = Opening { of, entry, how, drive: &self.drive, path: &self.path, source: &self.source, slot: self.slot, tries };
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
        match self.check(bytes, &digest, &path) {
            Err(error @ TransferError::DigestMismatch(_)) => {
                match self.larges.get_mut(place).map(Large::doubt).transpose()?.flatten() {
                    Some(lost) => self.gone(lost),
                    None => self.large_failed(place, error),
                }
                return Ok(());
            }
            checked => checked?,
        }
        if let Some(large) = self.larges.get_mut(place) {
            self.session.progress.bytes_done += large.part(asked, attempt, bytes)?;
        }
        self.finish(place)
    }

    /// A part of a large file did not come.
    pub(super) fn part_lost(&mut self, asked: &PartRequest, attempt: u32, counts: bool) -> Retry {
        let of = FileRequest { page: asked.page, file: asked.file };
        self.larges.iter_mut().find(|large| large.of == of).map_or(Retry::Again, |large| large.put_back(asked, attempt, counts))
    }

    /// The sender can't give a large file: nothing of it is kept.
    pub(super) fn large_failed(&mut self, place: usize, error: TransferError) {
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

    /// A file that is not what its sender says fails by itself, like one that the sender can't give.
    pub(super) fn follow_or_fail(&mut self, place: usize, next: Result<Next, TransferError>) -> Result<(), TransferError> {
        match next {
            Err(error @ TransferError::DigestMismatch(_)) => self.large_failed(place, error),
            next => self.follow(place, next?),
        }
        Ok(())
    }

    pub(super) fn follow(&mut self, place: usize, next: Next) {
        match next {
            Next::Wait => {}
            Next::Anew(lost) => self.gone(lost),
            Next::AskDigest => {
                if let Some(of) = self.larges.get(place).map(|large| large.of) {
                    self.question(Question::Digest(of), 0, 0);
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
                self.follow_or_fail(place, next)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
