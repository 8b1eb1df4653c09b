//! A segmented store: takes a file of unknown length in numbered segments, verifies it and publishes it.
//!
//! Segments come from the client, or from the client through this worker's parent. Until the last there is only a hidden file at the drive's root, and after any error
//! but a wrong number there is nothing.

use file_transfer_types::errors::{Side, from_blob, from_vfs};
use file_transfer_types::manager::{Request, Response as Answer, StoreInfo, StoreResult, StoreSegment, StoreState, StoreStatus};
use file_transfer_types::names::{self, HIDDEN, shown};
use file_transfer_types::types::{ConflictPolicy, DigestMismatch, NoSpace, TransferError};
use file_transfer_types::worker::{self, StoreRequest};
use transship_guest::address::Address;
use transship_guest::bindings::transship::host::digests::{Algorithm, Hasher};
use transship_guest::bindings::transship::host::timer;
use transship_guest::drive::{Directory, File, FileKind, OpenFlags, VfsError, open_drive};
use transship_guest::message::{Blob, Message, ReceivedRequest, receive, respond_json};
use transship_guest::{hex, info, warn};

use crate::receive::publish::{Published, name_it};

/// A store without a segment for so long expires, in milliseconds, unless its client wants it sooner.
const PATIENCE: u64 = 60_000;
/// The shortest time that a client may want.
const LEAST_PATIENCE: u64 = 100;
/// The most bytes in a segment.
const MAX_SEGMENT: u64 = 16 << 20;

/// How far a store is, apart from its bytes.
#[derive(Debug, Default)]
struct Count {
    segments: u64,
    bytes: u64,
    /// What the first segment said about when to expire.
    expires_after: Option<u64>,
}

impl Count {
    /// Whether this segment is the next, and of a size that it may have.
    fn check(&self, segment: &StoreSegment, length: u64) -> Result<(), TransferError> {
        let awaited = self.segments + 1;
        // Whoever gives up may not know how many of its segments have come.
        if matches!(segment.result, Some(StoreResult::Cancel)) && segment.file_id.is_some() {
            return Ok(());
        }
        if segment.number != awaited {
            return Err(TransferError::InvalidRequest(format!("segment {} came where {awaited} was awaited", segment.number)));
        }
        if length > MAX_SEGMENT || (length == 0 && segment.result.is_none()) {
            return Err(TransferError::InvalidRequest(format!("segment {awaited} has {length} bytes: 1 to {MAX_SEGMENT} are possible")));
        }
        if awaited != 1 && (segment.name.is_some() || segment.conflict.is_some()) {
            return Err(TransferError::InvalidRequest(format!(
                "segment {awaited} has a name or a conflict policy: they come with segment 1, or with the result"
            )));
        }
        match segment.expires_after {
            Some(time) if awaited != 1 || !(LEAST_PATIENCE..=PATIENCE).contains(&time) => Err(TransferError::InvalidRequest(format!(
                "expires-after is {time} in segment {awaited}: it must be {LEAST_PATIENCE} to {PATIENCE}, in segment 1"
            ))),
            _ => Ok(()),
        }
    }

    /// How long the next segment is waited for.
    fn patience(&self) -> u64 {
        self.expires_after.unwrap_or(PATIENCE)
    }

    fn add(&mut self, length: u64) {
        self.segments += 1;
        self.bytes = self.bytes.saturating_add(length);
    }

    /// Whether this is what the client says it should be.
    fn verify(&self, info: &StoreInfo, digest: &str) -> Result<(), TransferError> {
        let mismatch = |expected: String, found: String| Err(TransferError::DigestMismatch(DigestMismatch { name: shown(&info.name), expected, found }));
        if info.size != self.bytes {
            return mismatch(info.size.to_string(), self.bytes.to_string());
        }
        if !info.digest.eq_ignore_ascii_case(digest) {
            return mismatch(info.digest.clone(), digest.into());
        }
        Ok(())
    }
}

struct Store {
    id: String,
    root: Directory,
    path: String,
    file: File,
    hasher: Hasher,
    count: Count,
}

/// What is to be done about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Write,
    /// It is taken, and is left alone.
    Skip,
}

/// What a segment led to.
enum Step {
    More(StoreStatus),
    End(StoreStatus),
}

/// Takes the segments of a file until it is stored, cancelled, wrong or given up.
pub(crate) fn run(our: &Address, parent: &Address, request: StoreRequest) -> Result<(), TransferError> {
    let mut opened = Store::open(&request);
    let mut patience = timer::set(PATIENCE);
    loop {
        match receive() {
            Message::Timer(number) if number == patience => {
                if let Ok(store) = &opened {
                    info!("the store {our} expired after {} segments", store.count.segments);
                    store.purge();
                }
                return Ok(());
            }
            Message::Request(received) if received.source == *parent || received.source == request.client => {
                let store = match &mut opened {
                    Ok(store) => store,
                    Err(error) => {
                        answer(&received, &Answer::Error(error.clone()));
                        return Ok(());
                    }
                };
                if matches!(received.json(), Ok(worker::Request::Cancel(_))) && received.source == *parent {
                    store.purge();
                    return Ok(());
                }
                let segment = match segment_of(&received, store) {
                    Ok(segment) => segment,
                    Err(error) if store.count.segments == 0 => {
                        // Its client does not know its id, so nobody could go on.
                        store.purge();
                        answer(&received, &Answer::Error(error));
                        return Ok(());
                    }
                    Err(error) => {
                        answer(&received, &Answer::Error(error));
                        continue;
                    }
                };
                // Only now: what is turned away does not keep a store alive.
                timer::cancel(patience);
                store.count.expires_after = store.count.expires_after.or(segment.expires_after);
                patience = timer::set(store.count.patience());
                match store.take(segment, received.request.blob.as_ref()) {
                    Ok(Step::More(status)) => answer(&received, &Answer::Stored(status)),
                    Ok(Step::End(status)) => {
                        answer(&received, &Answer::Stored(status));
                        return Ok(());
                    }
                    Err(error) => {
                        // First, so that what the store held counts as free: the next attempt will find it so.
                        store.purge();
                        answer(&received, &Answer::Error(name_drive(error, &store.root, store.count.bytes)));
                        return Ok(());
                    }
                }
            }
            Message::Request(received) => {
                answer(&received, &Answer::Error(TransferError::Denied("the segments of a file come from its client only".into())));
            }
            _ => {}
        }
    }
}

fn segment_of(received: &ReceivedRequest, store: &Store) -> Result<StoreSegment, TransferError> {
    let Ok(Request::Store(segment)) = received.json() else {
        return Err(TransferError::InvalidRequest("a segment is awaited".into()));
    };
    match &segment.file_id {
        Some(id) if *id != store.id => return Err(TransferError::UnknownTransfer(shown(id))),
        None if segment.number != 1 => return Err(TransferError::InvalidRequest("the file-id is missing".into())),
        _ => {}
    }
    store.count.check(&segment, received.request.blob.as_ref().map_or(0, Blob::length))?;
    Ok(segment)
}

fn answer(received: &ReceivedRequest, body: &Answer) {
    if received.expects_response()
        && let Err(error) = respond_json(body)
    {
        warn!("{} was not answered: {error}", received.source);
    }
}

impl Store {
    fn open(request: &StoreRequest) -> Result<Self, TransferError> {
        let root = open_drive(&request.drive).map_err(|error| from_vfs(error, "the store", Side::Receiver))?;
        let fail = |error| name_drive(from_vfs(error, "the store", Side::Receiver), &root, 0);
        // The manager knows this form too: it removes what a store left that was killed.
        let path = format!("{HIDDEN}store-{}", request.id);
        let file = root.open_file(&path, OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::PRIVATE).map_err(fail)?;
        Ok(Self { id: request.id.clone(), root, path, file, hasher: Hasher::new(Algorithm::Sha256), count: Count::default() })
    }

    fn take(&mut self, segment: StoreSegment, blob: Option<&Blob>) -> Result<Step, TransferError> {
        if matches!(segment.result, Some(StoreResult::Cancel)) {
            self.purge();
            return Ok(Step::End(self.status(StoreState::Cancelled, None)));
        }
        if let Some(name) = &segment.name
            && self.settle(name, segment.conflict.unwrap_or(ConflictPolicy::Fail))? == Settled::Skip
        {
            self.purge();
            self.count.add(blob.map_or(0, Blob::length));
            return Ok(Step::End(self.status(StoreState::Stored, None)));
        }
        if let Some(blob) = blob {
            let needed = self.count.bytes.saturating_add(blob.length());
            self.file.write_blob(self.count.bytes, blob).map_err(|error| match from_vfs(error, "the store", Side::Receiver) {
                TransferError::NoSpace(space) => TransferError::NoSpace(NoSpace { needed, ..space }),
                other => other,
            })?;
            self.hasher.update(blob).map_err(|error| from_blob(error, "the store"))?;
        }
        self.count.add(blob.map_or(0, Blob::length));
        match segment.result {
            Some(StoreResult::Store(info)) => {
                let name = self.publish(&info)?;
                Ok(Step::End(self.status(StoreState::Stored, name)))
            }
            _ => Ok(Step::More(self.status(StoreState::Open, None))),
        }
    }

    /// Verifies and publishes. None: left alone, as the policy `skip` says.
    fn publish(&mut self, info: &StoreInfo) -> Result<Option<String>, TransferError> {
        names::check(&info.name)?;
        let digest = hex::encode(&self.hasher.digest().map_err(|error| from_blob(error, &info.name))?);
        self.count.verify(info, &digest)?;
        let fail = |error| from_vfs(error, &info.name, Side::Receiver);
        let policy = info.conflict.unwrap_or(ConflictPolicy::Fail);
        if self.settle(&info.name, policy)? == Settled::Skip {
            self.purge();
            return Ok(None);
        }
        let (folder, name) = names::split(&info.name);
        // There is no source whose permissions it could have: it gets those of a new file.
        self.file.set_permissions(0o666).and_then(|()| self.file.sync()).map_err(fail)?;
        let mut made = Vec::new();
        let mut folder_handle = None;
        if !folder.is_empty() {
            made = missing_folders(&self.root, folder).map_err(fail)?;
            folder_handle = Some(self.root.open_directory(folder, true).map_err(fail)?);
        }
        let full = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let published = name_it(name, policy, |name, replace| self.root.rename(&self.path, &full(name), replace));
        let published = match published {
            Ok(Published::As(name)) => Some(full(&name)),
            Ok(Published::Skipped) => {
                self.purge();
                None
            }
            Err(error) => {
                made.iter().rev().take_while(|path| self.root.remove_directory(path, false).is_ok()).count();
                return Err(fail(error));
            }
        };
        folder_handle.as_ref().unwrap_or(&self.root).sync().and_then(|()| self.root.sync()).map_err(fail)?;
        Ok(published)
    }

    /// What the policy says about what stands there.
    fn settle(&self, name: &str, policy: ConflictPolicy) -> Result<Settled, TransferError> {
        names::check(name)?;
        let found = self.root.find(name).map_err(|error| from_vfs(error, name, Side::Receiver))?;
        match (found.map(|found| found.kind), policy) {
            // What comes in segments was made just now: it is newer than all that is there.
            (None, _) | (Some(_), ConflictPolicy::Rename) | (Some(FileKind::Regular), ConflictPolicy::Overwrite | ConflictPolicy::Newer) => Ok(Settled::Write),
            (Some(_), ConflictPolicy::Skip) => Ok(Settled::Skip),
            (Some(FileKind::Regular), ConflictPolicy::Fail) => Err(TransferError::Conflict(shown(name))),
            (Some(_), ConflictPolicy::Fail | ConflictPolicy::Overwrite | ConflictPolicy::Newer) => Err(TransferError::NotAFile(shown(name))),
        }
    }

    fn status(&self, state: StoreState, name: Option<String>) -> StoreStatus {
        StoreStatus { file_id: self.id.clone(), segments: self.count.segments, bytes: self.count.bytes, state, name }
    }

    fn purge(&self) {
        match self.root.remove_file(&self.path) {
            Ok(()) | Err(VfsError::NotFound(_)) => {}
            Err(error) => warn!("{} can't be removed: {error:?}", self.path),
        }
    }
}

/// A drive that is full says which it is, and how much would have been needed at least.
fn name_drive(error: TransferError, root: &Directory, least: u64) -> TransferError {
    match error {
        TransferError::NoSpace(space) if space.drive.is_empty() => {
            TransferError::NoSpace(NoSpace { drive: root.drive(), needed: space.needed.max(least), available: root.free_space().unwrap_or(0) })
        }
        other => other,
    }
}

/// Those of a folder and the folders above it that are not there, the outermost first.
fn missing_folders(root: &Directory, folder: &str) -> Result<Vec<String>, VfsError> {
    let mut missing = Vec::new();
    for path in names::ancestors(folder) {
        if root.find(path)?.is_none() {
            missing.push(path.to_owned());
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u64, last: bool) -> StoreSegment {
        StoreSegment { file_id: None, number, result: last.then_some(StoreResult::Cancel), expires_after: None, name: None, conflict: None }
    }

    #[test]
    fn segments_come_one_after_the_other_and_a_wrong_number_changes_nothing() {
        let mut count = Count::default();
        for number in [0, 2, u64::MAX] {
            assert!(matches!(count.check(&segment(number, false), 1), Err(TransferError::InvalidRequest(_))), "{number}");
        }
        assert_eq!(count.check(&segment(1, false), 1), Ok(()));
        count.add(1);
        assert!(count.check(&segment(1, false), 1).is_err());
        assert_eq!(count.check(&segment(2, false), MAX_SEGMENT), Ok(()));
    }

    #[test]
    fn the_first_segment_may_shorten_the_life_of_the_store_and_no_other_may() {
        let expires = |number, time| StoreSegment { expires_after: Some(time), ..segment(number, false) };
        let mut count = Count::default();
        for time in [0, LEAST_PATIENCE - 1, PATIENCE + 1] {
            assert!(count.check(&expires(1, time), 1).is_err(), "{time}");
        }
        assert_eq!(count.check(&expires(1, LEAST_PATIENCE), 1), Ok(()));
        assert_eq!(count.patience(), PATIENCE);
        count.add(1);
        assert!(count.check(&expires(2, LEAST_PATIENCE), 1).is_err());
    }

    #[test]
    fn a_store_may_be_cancelled_under_any_number_once_it_has_an_id() {
        let count = Count { segments: 3, bytes: 3, expires_after: None };
        let cancel = |file_id: Option<&str>, number| StoreSegment { file_id: file_id.map(Into::into), ..segment(number, true) };
        for number in [0, 1, 4, 9] {
            assert_eq!(count.check(&cancel(Some("id"), number), 0), Ok(()));
        }
        assert!(count.check(&cancel(None, 1), 0).is_err());
    }

    #[test]
    fn the_name_comes_with_the_first_segment_or_the_result() {
        let named = |number| StoreSegment { name: Some("x".into()), ..segment(number, false) };
        let mut count = Count::default();
        assert_eq!(count.check(&named(1), 1), Ok(()));
        count.add(1);
        assert!(count.check(&named(2), 1).is_err());
    }

    #[test]
    fn only_the_last_segment_may_be_empty() {
        let count = Count::default();
        assert!(count.check(&segment(1, false), 0).is_err());
        assert_eq!(count.check(&segment(1, true), 0), Ok(()));
        assert!(count.check(&segment(1, false), MAX_SEGMENT + 1).is_err());
    }

    #[test]
    fn size_and_digest_must_both_be_right() {
        let mut count = Count::default();
        count.add(3);
        let info = |size, digest: &str| StoreInfo { name: "x".into(), size, digest: digest.into(), conflict: None };
        assert_eq!(count.verify(&info(3, "AB"), "ab"), Ok(()));
        let Err(TransferError::DigestMismatch(mismatch)) = count.verify(&info(4, "ab"), "ab") else { panic!() };
        assert_eq!((mismatch.expected.as_str(), mismatch.found.as_str()), ("4", "3"));
        assert!(count.verify(&info(3, "cd"), "ab").is_err());
        assert!(Count::default().verify(&info(0, "cd"), "ab").is_err(), "the digest of an empty file is checked as well");
    }
}
