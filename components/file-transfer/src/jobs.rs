//! Work that reads whole files: a listing with ids, and the search for the file that has one. The node digests; the manager goes on with other requests meanwhile.
//!
//! Each job has one digest under way, so that many jobs share the node evenly, and holds one page of names.

use std::collections::VecDeque;

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::manager::{FileInfo, FilePage, IdAlgorithm, Response as Answer};
use file_transfer_types::types::TransferError;
use file_transfer_types::worker::{self, DownloadRequest};
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::digests::{Algorithm, start_digest};
use transship_guest::drive::{OpenFlags, VfsError};
use transship_guest::hex;
use transship_guest::message::{Completion, ReceivedRequest, Responder, respond_later};

use crate::listing::{info, page};
use crate::manager::{Handled, Manager, respond_to};
use crate::walk::{Found, Walk};

/// So many at a time; more are turned away.
const MANY: usize = 64;
/// Names held by a search.
const PAGE: u32 = 500;

/// A page of a listing whose ids are being computed.
pub(crate) struct Listing {
    pub(crate) responder: Responder,
    pub(crate) algorithm: IdAlgorithm,
    pub(crate) todo: VecDeque<Found>,
    pub(crate) done: Vec<FileInfo>,
    pub(crate) more: bool,
}

/// The search for a file by its digest, for a worker that wants to be sent it.
pub(crate) struct Search {
    pub(crate) responder: Responder,
    pub(crate) source: Address,
    pub(crate) request: DownloadRequest,
    pub(crate) algorithm: IdAlgorithm,
    /// The last name looked at.
    pub(crate) after: Option<String>,
    pub(crate) todo: VecDeque<Found>,
    pub(crate) more: bool,
}

/// See the module.
#[allow(clippy::large_enum_variant, reason = "there are few jobs at a time")]
pub(crate) enum Job {
    /// `list-page` with ids.
    List(Listing),
    /// `download` by id.
    Search(Search),
}

impl Job {
    fn algorithm(&self) -> IdAlgorithm {
        match self {
            Self::List(listing) => listing.algorithm,
            Self::Search(search) => search.algorithm,
        }
    }
}

/// The kind of digest that a text is, by its length.
pub(crate) fn algorithm_of(id: &str) -> Result<IdAlgorithm, TransferError> {
    match (id.len(), hex::decode(id)) {
        (64, Some(_)) => Ok(IdAlgorithm::Sha256),
        (32, Some(_)) => Ok(IdAlgorithm::Md5),
        _ => Err(TransferError::InvalidRequest("an id has 64 (SHA-256) or 32 (MD5) hexadecimal digits".into())),
    }
}

impl Manager {
    /// Begins a job for whoever waits for the answer.
    pub(crate) fn begin(&mut self, received: &ReceivedRequest, job: impl FnOnce(Responder) -> Job) -> Result<Handled, TransferError> {
        if self.jobs.len() >= MANY {
            return Err(TransferError::Busy(format!("{} digests files for {MANY} others", self.our.node)));
        }
        // Nobody waits: nothing to do.
        if let Some(responder) = received.expects_response().then(respond_later).flatten() {
            self.advance(job(responder));
        }
        Ok(Handled::Later)
    }

    /// A digest is done.
    pub(crate) fn digested(&mut self, completion: Completion) {
        let Some((job, file)) = self.jobs.remove(&completion.operation) else { return };
        let digest = completion.outcome.ok().map(|digest| hex::encode(&digest));
        if let Some(digest) = &digest {
            self.digests.put(&file, job.algorithm(), digest.clone());
        }
        if let Some(job) = self.take(job, file, digest) {
            self.advance(job);
        }
    }

    /// Takes a job as far as the next digest that must be computed.
    fn advance(&mut self, mut job: Job) {
        loop {
            let (next, found) = match self.next_file(job) {
                Some(next) => next,
                None => return,
            };
            let algorithm = next.algorithm();
            if let Some(digest) = self.digests.get(&found, algorithm).map(str::to_owned) {
                match self.take(next, found, Some(digest)) {
                    Some(next) => job = next,
                    None => return,
                }
                continue;
            }
            match self.start(&found, algorithm) {
                Ok(operation) => {
                    self.jobs.insert(operation, (next, found));
                    return;
                }
                // It is gone: it is not listed, and it is not the one.
                Err(VfsError::NotFound(_)) => job = next,
                Err(_) => match self.take(next, found, None) {
                    Some(next) => job = next,
                    None => return,
                },
            }
        }
    }

    fn start(&self, file: &Found, algorithm: IdAlgorithm) -> Result<u64, VfsError> {
        let open = self.files.open_file(&file.name, OpenFlags::READ)?;
        let all = open.read_blob(0, open.length()?)?;
        let algorithm = match algorithm {
            IdAlgorithm::Sha256 => Algorithm::Sha256,
            IdAlgorithm::Md5 => Algorithm::Md5,
        };
        Ok(start_digest(algorithm, &all))
    }

    /// The next file of a job. None: there is none, and the job has been answered.
    fn next_file(&mut self, mut job: Job) -> Option<(Job, Found)> {
        match &mut job {
            Job::List(listing) => {
                let Some(file) = listing.todo.pop_front() else {
                    let files = std::mem::take(&mut listing.done);
                    respond_to(&listing.responder, &Answer::ListPage(FilePage { files, more: listing.more }));
                    return None;
                };
                Some((job, file))
            }
            Job::Search(search) => {
                if search.todo.is_empty() && search.more {
                    let listed = Walk::new(&self.files, "", search.after.as_deref()).and_then(|mut walk| page(&self.files, &mut walk, PAGE));
                    match listed {
                        Ok((files, more)) => {
                            search.after = files.last().map(|file| file.name.clone());
                            (search.todo, search.more) = (files.into(), more);
                        }
                        Err(error) => {
                            respond_to(&search.responder, &worker::Response::Download(Err(from_vfs(error, &search.request.name, Side::Provider))));
                            return None;
                        }
                    }
                }
                let Some(file) = search.todo.pop_front() else {
                    respond_to(&search.responder, &worker::Response::Download(Err(TransferError::NotFound(search.request.name.clone()))));
                    return None;
                };
                Some((job, file))
            }
        }
    }

    /// Gives a job the digest of a file (none: it can't be read). None: the job has been answered.
    fn take(&mut self, mut job: Job, file: Found, digest: Option<String>) -> Option<Job> {
        match &mut job {
            Job::List(listing) => listing.done.push(info(file, digest)),
            Job::Search(search) if digest.is_some_and(|digest| digest.eq_ignore_ascii_case(&search.request.name)) => {
                let outcome = self.send_found(&search.source, &search.request, &file.name);
                respond_to(&search.responder, &worker::Response::Download(outcome));
                return None;
            }
            Job::Search(_) => {}
        }
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_by_its_length() {
        assert_eq!(algorithm_of(&"a".repeat(64)), Ok(IdAlgorithm::Sha256));
        assert_eq!(algorithm_of(&"0".repeat(32)), Ok(IdAlgorithm::Md5));
        for id in ["", "report.pdf", &"g".repeat(64), &"0".repeat(63)] {
            assert!(algorithm_of(id).is_err(), "{id}");
        }
    }
}
