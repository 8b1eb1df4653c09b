//! The partial file and its journal, beside the target and hidden.
//!
//! Their names are made from what the transfer is (node, source, target, slot), so that the same transfer finds them again and no other does; and they are short, so that a target of 255 bytes has one too. They say whose they are
//! (see [`hidden`]).
//! What is in the journal is on stable storage in the partial file; see [`journal`](file_transfer_types::journal).

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::hidden::{self, JOURNAL, PARTIAL};
use file_transfer_types::journal::{self, Header, Journal, Known};
use file_transfer_types::protocol::SizeRequest;
use file_transfer_types::ranges::RangeSet;
use file_transfer_types::types::{DigestAlgorithm, TransferError};
use transship_guest::bindings::transship::host::digests;
use transship_guest::drive::{Directory, File, OpenFlags, VfsError, open_drive};
use transship_guest::message::Blob;
use transship_guest::{hex, warn};

use super::place::Place;

/// What an earlier attempt left.
#[derive(Debug, Default)]
pub(crate) struct There {
    /// Safe on disk.
    pub(crate) ranges: RangeSet,
    /// The digest that the sender gave then.
    pub(crate) digest: Option<Known>,
}

/// The owner reads and writes: what a later attempt needs to go on with a partial file.
const OWNER: u16 = 0o600;

/// A file of so many bytes has a journal from its begin, so that its owner can find what is left of it whenever it was cut off. A smaller one has a journal when some of it is worth keeping: when it was
/// made safe, after a while or because the transfer was stopped. Most are there long before that, and of thousands of them journals would be a good part of the work.
const JOURNALED: u64 = 16 << 20;

/// How far a partial file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// All is there; it may still be left to a later attempt.
    Sealed,
    /// It gets its final name now.
    Published,
}

/// See the module.
pub(crate) struct Partial {
    folder: Option<Directory>,
    file: File,
    /// The drive's name.
    drive: String,
    /// None: nothing is worth keeping yet.
    journal: Option<File>,
    journal_end: u64,
    /// What comes next into the journal.
    unwritten: Vec<u8>,
    header: Header,
    path: String,
    journal_path: String,
}

impl Partial {
    /// Opens or makes the partial file of a transfer, whose name begins with `stem`. Returns what of it can be trusted, and, if something was there that can't, why not.
    pub(crate) fn open(
        place: &Place,
        stem: &str,
        node: &str,
        offer: &SizeRequest,
        algorithm: DigestAlgorithm,
    ) -> Result<(Self, There, Option<String>), TransferError> {
        let fail = |error| from_vfs(error, &place.path(), Side::Receiver);
        let [path, journal_path] = [PARTIAL, JOURNAL].map(|ending| place.beside(&format!("{stem}{ending}")));
        let (folder, made) = place.make_folder()?;
        let opened = (|| {
            let how = OpenFlags::READ | OpenFlags::WRITE;
            // Most often there is none, which was found out a moment ago and so costs less to ask again than to open it in vain.
            let journal = match place.root().find(&journal_path) {
                Ok(None) => None,
                _ => match place.root().open_file(&journal_path, how) {
                    Ok(journal) => Some(journal),
                    Err(VfsError::NotFound(_)) => None,
                    Err(error) => return Err(error),
                },
            };
            // Without a journal nothing of it can be trusted. A sparse file stays one.
            let begin = if journal.is_some() { OpenFlags::empty() } else { OpenFlags::TRUNCATE };
            let how = how | begin | OpenFlags::CREATE | OpenFlags::PRIVATE | OpenFlags::SPARSE;
            let file = match place.root().open_file(&path, how) {
                // Something that is no file has no business there; opening a link is refused by the node.
                Err(VfsError::IsADirectory(_)) => {
                    place.root().remove_directory(&path, true)?;
                    place.root().open_file(&path, how)?
                }
                file => file?,
            };
            Ok((file, journal))
        })();
        let (file, journal) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let _ = place.root().remove_file(&path);
                place.remove_folders(&made);
                return Err(fail(error));
            }
        };
        let found = journal.as_ref().and_then(|journal| read_journal(journal, &file));
        let made = found.as_ref().map(|journal| journal.header.made.clone()).filter(|earlier| !earlier.is_empty()).unwrap_or(made);
        let header = Header::new(node, offer, made);
        let (drive, fresh) = (place.drive().to_owned(), journal.is_none());
        let mut partial = Self { folder, file, drive, journal, journal_end: 0, unwritten: Vec::new(), header, path, journal_path };
        let (there, restarted) = match found {
            None if fresh => (partial.begin(), None),
            None => (partial.start_over(), None),
            Some(journal) => match journal.agrees(node, offer, algorithm) {
                Ok(()) => {
                    partial.journal_end = journal.length;
                    let digest = journal.digest.filter(|known| known.algorithm == algorithm);
                    (partial.cut_journal(journal.length).map(|()| There { ranges: journal.ranges, digest }), None)
                }
                Err(why) => (partial.start_over(), Some(why)),
            },
        };
        match there {
            Ok(there) => Ok((partial, there, restarted)),
            Err(error) => {
                partial.remove(place);
                Err(error)
            }
        }
    }

    /// The first of several transfers of which something is there. They are looked for all at once: one by one, each would cost as much.
    pub(crate) fn first_there(place: &Place, stems: &[String]) -> Option<usize> {
        let journals: Vec<String> = stems.iter().map(|stem| place.beside(&format!("{stem}{JOURNAL}"))).collect();
        place.root().metadata_of(&journals).iter().position(|found| found.as_ref().is_ok_and(|found| found.size > 0))
    }

    /// Whether it has a journal.
    pub(crate) fn is_journaled(&self) -> bool {
        self.journal.is_some()
    }

    /// Whether nothing has been written into it.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.length().is_ok_and(|length| length == 0)
    }

    /// Begins with an empty file that has no journal.
    fn begin(&mut self) -> Result<There, TransferError> {
        self.unwritten = journal::header_line(&self.header);
        if self.header.size >= JOURNALED {
            self.write_journal()?;
        }
        Ok(There::default())
    }

    /// Empties both files: nothing is there.
    pub(crate) fn start_over(&mut self) -> Result<There, TransferError> {
        self.file.set_length(0).map_err(|error| from_vfs(error, &self.path, Side::Receiver))?;
        self.cut_journal(0)?;
        self.unwritten = journal::header_line(&self.header);
        if self.journal.is_some() {
            self.write_journal()?;
        }
        Ok(There::default())
    }

    fn cut_journal(&mut self, length: u64) -> Result<(), TransferError> {
        self.journal_end = length;
        let cut = self.journal.as_ref().map_or(Ok(()), |journal| journal.set_length(length));
        cut.map_err(|error| from_vfs(error, &self.journal_path, Side::Receiver))
    }

    /// Writes a chunk, without waiting for the disk: if it can't, a later call says so.
    pub(crate) fn write(&self, offset: u64, chunk: &Blob) -> Result<(), TransferError> {
        self.file.queue_blob(offset, chunk).map_err(|error| from_vfs(error, &self.header.source, Side::Receiver))
    }

    /// A range of what was written.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Blob, TransferError> {
        self.file.read_blob(offset, length).map_err(|error| from_vfs(error, &self.header.source, Side::Receiver))
    }

    /// Begins to make what was written safe; a completion of this number follows.
    pub(crate) fn start_sync(&self) -> u64 {
        self.file.start_sync()
    }

    /// Why a sync failed whose completion says `text`: a chunk that could not be written has a reason of its own.
    pub(crate) fn why_not_safe(&self, text: &str) -> TransferError {
        match self.file.length() {
            Ok(_) => TransferError::Failed(text.into()),
            Err(error) => from_vfs(error, &self.header.source, Side::Receiver),
        }
    }

    /// Notes ranges that are safe.
    pub(crate) fn note(&mut self, ranges: &RangeSet) -> Result<(), TransferError> {
        self.unwritten.extend(journal::range_lines(ranges));
        self.write_journal()
    }

    /// Notes the digest.
    pub(crate) fn note_digest(&mut self, known: &Known) -> Result<(), TransferError> {
        self.unwritten.extend(journal::digest_line(known));
        // Alone it is not worth a journal.
        if self.journal.is_some() { self.write_journal() } else { Ok(()) }
    }

    fn write_journal(&mut self) -> Result<(), TransferError> {
        let fail = |error| from_vfs(error, &self.header.source, Side::Receiver);
        let journal = match self.journal.take() {
            Some(journal) => journal,
            None => {
                let how = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::PRIVATE;
                open_drive(&self.drive).and_then(|drive| drive.open_file(&self.journal_path, how)).map_err(fail)?
            }
        };
        let journal = self.journal.insert(journal);
        journal.write(self.journal_end, &self.unwritten).map_err(fail)?;
        self.journal_end += self.unwritten.len() as u64;
        self.unwritten.clear();
        Ok(())
    }

    /// Gives the file the time and the permissions of the source, and checks its length. What the drive can't keep is not worth failing for.
    pub(crate) fn seal(&self, offer: &SizeRequest) -> Result<u64, TransferError> {
        if let Err(error) = self.file.set_modified(offer.modified) {
            warn!("{}: the time of the source can't be set: {error:?}", offer.name);
        }
        self.permit(offer, Stage::Sealed);
        self.file.length().map_err(|error| from_vfs(error, &offer.name, Side::Receiver))
    }

    /// Gives the file the permissions that it may have at this stage.
    pub(crate) fn permit(&self, offer: &SizeRequest, stage: Stage) {
        let allowed = offer.permissions & 0o777;
        let permissions = match stage {
            // The same as before, most often: then nothing has to be set.
            Stage::Published if allowed & OWNER == OWNER => return,
            Stage::Published => allowed,
            Stage::Sealed => allowed | OWNER,
        };
        if let Err(error) = self.file.set_permissions(permissions) {
            warn!("{}: the permissions of the source can't be set: {error:?}", offer.name);
        }
    }

    /// Gives the file its final name, if it is free or `replace` says that it may be taken from another, and makes that safe.
    pub(crate) fn rename(&self, place: &Place, name: &str, replace: bool) -> Result<(), VfsError> {
        place.root().rename(&self.path, &place.beside(name), replace)?;
        self.folder.as_ref().unwrap_or(place.root()).sync()?;
        if !self.header.made.is_empty() {
            // The folders that were made are names in others.
            place.root().sync()?;
        }
        // A journal without its partial file is harmless, so its removal needs not be waited for.
        if self.journal.is_some() {
            let _ = place.root().remove_file(&self.journal_path);
        }
        Ok(())
    }

    /// Waits until what was written is safe.
    pub(crate) fn sync(&self) -> Result<(), TransferError> {
        self.file.sync().map_err(|error| from_vfs(error, &self.header.source, Side::Receiver))
    }

    /// Leaves nothing.
    pub(crate) fn remove(&self, place: &Place) {
        for path in [&self.path, &self.journal_path] {
            match place.root().remove_file(path) {
                Ok(()) | Err(VfsError::NotFound(_)) => {}
                Err(error) => warn!("{path} can't be removed: {error:?}"),
            }
        }
        place.remove_folders(&self.header.made);
    }
}

/// The journal, if there is one and the partial file is as long as it says.
fn read_journal(journal: &File, file: &File) -> Option<Journal> {
    let length = journal.length().ok().filter(|length| (1..=journal::MAX_BYTES).contains(length))?;
    let journal = Journal::parse(&journal.read(0, length).ok()?)?;
    (file.length().ok()? >= journal.ranges.end()).then_some(journal)
}

/// What the hidden names begin with of a transfer of `name` from a node; `which` tells what it keeps apart from what others of that name keep.
pub(crate) fn stem(node: &str, name: &str, which: &[&str]) -> Result<String, TransferError> {
    let failed = |error| TransferError::Failed(format!("the name of the partial file can't be made: {error:?}"));
    let all = [&[node, name][..], which].concat().join("\n");
    let blob = Blob::from_bytes(all.as_bytes(), None).map_err(failed)?;
    let digest = digests::digest(digests::Algorithm::Sha256, &blob).map_err(failed)?;
    Ok(hidden::stem(&hidden::whose(node, name), &hex::encode(digest.get(..8).unwrap_or_default())))
}
