//! The sending side of a tree: it answers what the receiver asks until that says how it ended.
//!
//! It gives only what it has listed: a receiver can name entries of pages that it got, and nothing else. Each blob comes with the digest of its bytes.

use std::collections::VecDeque;

use file_transfer_types::errors::{Side, from_blob, from_vfs};
use file_transfer_types::names::{self, shown};
use file_transfer_types::options::{MAX_CHUNK, Tree};
use file_transfer_types::protocol::{
    EntryKind, FileRequest, FileSent, FilesRequest, FilesSent, InternalRequest, InternalResponse, PartRequest, TreeEntry, TreePage,
};
use file_transfer_types::types::{LinkPolicy, TransferError, TransferState, TransferSummary};
use transship_guest::bindings::transship::host::digests;
use transship_guest::drive::{Directory, File, FileKind, Metadata, OpenFlags, open_drive};
use transship_guest::hex;
use transship_guest::message::{Blob, Completion, Responder, Response, respond_json, set_lanes};

use super::digests::{Digests, QUESTIONS};
use super::filter::Filter;
use super::walk::Walk;
use super::{PACK, PAGES_AHEAD, PAGES_KEPT, algorithm};
use crate::send::{Job, ask, use_streams};
use crate::session::{Event, Session};
use crate::wire::log_failure;

/// Sends a tree; returns what the receiver says of the end.
pub(crate) fn run(session: &mut Session, job: &Job, tree: &Tree) -> Result<TransferSummary, TransferError> {
    // First, since whoever receives must hear of an end that comes before the first page too.
    if let Some(to) = job.to.clone() {
        session.set_counterpart(to);
    }
    let root = open(job)?;
    let filter = || Filter::new(&tree.filter);
    if tree.links == LinkPolicy::Refuse {
        // All of it is looked at before anything of it is offered.
        let mut walk = Walk::new(filter()?, tree.links);
        while walk.page(&root)?.more {}
    }
    let walk = Walk::new(filter()?, tree.links);
    if let Some((target, request)) = &job.ask {
        ask(session, target, request.clone())?;
    }
    if let Some(counterpart) = session.counterpart() {
        set_lanes(counterpart, session.settings.streams);
    }
    session.enter(TransferState::Transferring);
    let mut sending = Sending { session, root, walk, pages: VecDeque::new(), next: 0, ended: false, open: None, digests: Digests::default() };
    loop {
        if let Some(outcome) = sending.step()? {
            sending.session.told_by_counterpart = true;
            return outcome;
        }
    }
}

/// The folder that is sent.
fn open(job: &Job) -> Result<Directory, TransferError> {
    let path = names::check_folder(&job.local.name)?;
    let fail = |error| from_vfs(error, &job.name, Side::Provider);
    let root = open_drive(&job.local.drive).map_err(fail)?;
    if path.is_empty() { Ok(root) } else { root.open_directory(path, false).map_err(fail) }
}

struct Sending<'a> {
    session: &'a mut Session,
    root: Directory,
    walk: Walk,
    /// Those that may be asked about, the last is number `next` - 1.
    pages: VecDeque<TreePage>,
    next: u32,
    /// There are no more pages.
    ended: bool,
    /// The file of which a part was given last.
    open: Option<(u32, u32, File)>,
    /// Who waits for which digest.
    digests: Digests<Responder>,
}

/// How a transfer ended.
type Outcome = Result<TransferSummary, TransferError>;
/// What is answered, and the bytes that go with it.
type Answer = (InternalResponse, Option<Blob>);

impl Sending<'_> {
    /// Deals with one event. Some: the receiver says that this is the end.
    fn step(&mut self) -> Result<Option<Outcome>, TransferError> {
        match self.session.next()? {
            Event::Asked(InternalRequest::Page(number), responder) => {
                let page = self.page(number);
                // What ends the walk is told to the receiver, which ends the transfer with it.
                answer(&responder, (InternalResponse::Page(page), None));
            }
            Event::Asked(InternalRequest::Files(asked), responder) => {
                let given = match self.files(&asked) {
                    Ok((sent, contents)) => (InternalResponse::Files(Ok(sent)), Some(contents)),
                    Err(error) => (InternalResponse::Files(Err(error)), None),
                };
                answer(&responder, given);
            }
            Event::Asked(InternalRequest::Part(asked), responder) => {
                let given = match self.part(&asked) {
                    Ok((digest, range)) => (InternalResponse::Part(Ok(digest)), Some(range)),
                    Err(error) => (InternalResponse::Part(Err(error)), None),
                };
                answer(&responder, given);
            }
            Event::Asked(InternalRequest::DigestOf(asked), responder) => self.digest_of(asked, responder),
            Event::Told(InternalRequest::Chunk(_)) => {
                let error = TransferError::InvalidRequest("this is a tree: its files are asked for with 'files' and 'part'".into());
                log_failure("a refusal", respond_json(&InternalResponse::Chunk(Err(error))));
            }
            Event::Completion(completion) => self.digested(completion),
            Event::Told(InternalRequest::Streams(count)) => use_streams(self.session, count),
            Event::Told(InternalRequest::Report(report)) => {
                let progress = &mut self.session.progress;
                (progress.bytes_done, progress.bytes_total) = (report.bytes_done, report.bytes_total);
                (progress.files_done, progress.files_total) = (report.files_done, report.files_total);
                if std::mem::discriminant(&progress.state) == std::mem::discriminant(&report.state) {
                    self.session.further();
                } else if !matches!(report.state, TransferState::Done(_) | TransferState::Failed(_)) {
                    self.session.enter(report.state);
                }
            }
            Event::Told(InternalRequest::Finished(outcome)) => return Ok(Some(outcome)),
            Event::Told(InternalRequest::Failed(error)) => return Ok(Some(Err(error))),
            _ => {}
        }
        Ok(None)
    }

    fn page(&mut self, number: u32) -> Result<TreePage, TransferError> {
        if let Some(page) = self.kept(number) {
            return Ok(page.clone());
        }
        // Questions may be asked again in another order.
        if !(self.next..self.next.saturating_add(PAGES_AHEAD)).contains(&number) {
            return Err(TransferError::InvalidRequest(format!("page {number} is neither one of the last {PAGES_KEPT} nor one of the next {PAGES_AHEAD}")));
        }
        while self.next <= number && !self.ended {
            let page = self.walk.page(&self.root)?;
            self.ended = !page.more;
            self.next += 1;
            self.pages.push_back(page);
            if self.pages.len() > PAGES_KEPT as usize {
                self.pages.pop_front();
            }
        }
        // The receiver asks ahead, and does not know yet that there was a last one.
        Ok(self.kept(number).cloned().unwrap_or(TreePage { entries: Vec::new(), failures: Vec::new(), skipped: 0, more: false, top: None }))
    }

    fn kept(&self, number: u32) -> Option<&TreePage> {
        let first = self.next.checked_sub(u32::try_from(self.pages.len()).ok()?)?;
        self.pages.get(number.checked_sub(first)? as usize)
    }

    /// A file that was listed.
    fn listed(&self, page: u32, file: u32) -> Result<&TreeEntry, TransferError> {
        let entry = self.kept(page).and_then(|page| page.entries.get(file as usize)).filter(|entry| entry.kind == EntryKind::File);
        entry.ok_or_else(|| TransferError::InvalidRequest(format!("file {file} of page {page} was not listed")))
    }

    fn files(&self, asked: &FilesRequest) -> Result<(FilesSent, Blob), TransferError> {
        let entries = asked.files.iter().map(|file| self.listed(asked.page, *file)).collect::<Result<Vec<_>, _>>()?;
        let paths: Vec<String> = entries.iter().map(|entry| entry.path.clone()).collect();
        let pack = self.root.read_files(&paths, PACK).map_err(|error| from_vfs(error, "the files", Side::Provider))?;
        let sent = pack.files.into_iter().zip(entries).map(|(read, entry)| match read {
            Ok(read) if same(&read.metadata, entry) => FileSent::Same,
            Ok(read) => {
                let Metadata { size, modified, permissions, .. } = read.metadata;
                FileSent::Now(TreeEntry { size, modified, permissions, ..entry.clone() })
            }
            Err(error) => FileSent::Failed(from_vfs(error, &entry.path, Side::Provider)),
        });
        let files = sent.collect();
        Ok((FilesSent { files, digest: self.digest(&pack.contents, "the files")? }, pack.contents))
    }

    fn part(&mut self, asked: &PartRequest) -> Result<(String, Blob), TransferError> {
        let entry = self.listed(asked.page, asked.file)?.clone();
        let inside = asked.offset.checked_add(asked.length).is_some_and(|end| end <= entry.size);
        if !inside || !(1..=u64::from(MAX_CHUNK)).contains(&asked.length) {
            return Err(TransferError::InvalidRequest(format!("{} bytes from {} of {} were not offered", asked.length, asked.offset, shown(&entry.path))));
        }
        let file = match self.open.take() {
            Some((page, number, file)) if (page, number) == (asked.page, asked.file) => file,
            _ => self.open_listed(&entry)?,
        };
        let fail = |error| from_vfs(error, &entry.path, Side::Provider);
        // A range that is not there any more is one of a file that has changed.
        let unchanged = || Ok(same(&file.metadata().map_err(fail)?, &entry));
        if !unchanged()? {
            return Err(TransferError::Changed(shown(&entry.path)));
        }
        let range = file.read_blob(asked.offset, asked.length).map_err(fail)?;
        let digest = self.digest(&range, &entry.path)?;
        self.open = Some((asked.page, asked.file, file));
        Ok((digest, range))
    }

    fn open_listed(&self, entry: &TreeEntry) -> Result<File, TransferError> {
        self.root.open_file(&entry.path, OpenFlags::READ).map_err(|error| from_vfs(error, &entry.path, Side::Provider))
    }

    fn digest(&self, bytes: &Blob, of: &str) -> Result<String, TransferError> {
        let digest = digests::digest(algorithm(self.session.settings.digest), bytes).map_err(|error| from_blob(error, of))?;
        Ok(hex::encode(&digest))
    }

    fn digest_of(&mut self, asked: FileRequest, responder: Responder) {
        match self.digests.ask(asked, responder) {
            Ok(()) => self.begin_digests(),
            Err(responder) => {
                let busy = TransferError::Busy(format!("{} computes the digests of files for {QUESTIONS} questions of this transfer", self.session.our.node));
                answer(&responder, (InternalResponse::DigestOf(Err(busy)), None));
            }
        }
    }

    /// Begins as many digests as may be computed at a time.
    fn begin_digests(&mut self) {
        while let Some(wanted) = self.digests.next() {
            match self.start_digest(wanted.of) {
                Ok(operation) => self.digests.begun(operation, wanted),
                Err(error) => answer_all(&self.digests.over(wanted), &Err(error)),
            }
        }
    }

    fn start_digest(&self, asked: FileRequest) -> Result<u64, TransferError> {
        let entry = self.listed(asked.page, asked.file)?;
        let file = self.open_listed(entry)?;
        let fail = |error| from_vfs(error, &entry.path, Side::Provider);
        if !same(&file.metadata().map_err(fail)?, entry) {
            return Err(TransferError::Changed(shown(&entry.path)));
        }
        let all = file.read_blob(0, entry.size).map_err(fail)?;
        Ok(digests::start_digest(algorithm(self.session.settings.digest), &all))
    }

    fn digested(&mut self, completion: Completion) {
        if let Some(responders) = self.digests.done(completion.operation) {
            answer_all(&responders, &completion.outcome.map(|digest| hex::encode(&digest)).map_err(TransferError::Unreadable));
            self.begin_digests();
        }
    }
}

/// The same to all who asked for a digest.
fn answer_all(responders: &[Responder], digest: &Result<String, TransferError>) {
    for responder in responders {
        answer(responder, (InternalResponse::DigestOf(digest.clone()), None));
    }
}

fn answer(responder: &Responder, (body, blob): Answer) {
    // A receiver that is cut off asks again, or is found to be gone.
    let sent = Response::json(&body).map(|response| blob.into_iter().fold(response, Response::blob).send_to(responder));
    log_failure("an answer", sent);
}

/// Whether a file is what was listed.
fn same(found: &Metadata, listed: &TreeEntry) -> bool {
    found.kind == FileKind::Regular && (found.size, found.modified) == (listed.size, listed.modified)
}
