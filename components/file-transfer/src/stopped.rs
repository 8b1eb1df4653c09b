//! What is kept of transfers into this node's drive that were stopped: shown to the owner, and thrown away at the owner's wish.
//!
//! The journals beside the partial files are all that is known of such a transfer, so the drive is looked through for them. One that a running transfer uses is left out.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::journal::{self, Journal};
use file_transfer_types::manager::{Response as Answer, TransferStatus};
use file_transfer_types::names::{self, HIDDEN};
use file_transfer_types::types::{TransferError, TransferState};
use transship_guest::drive::{Directory, OpenFlags, VfsError};
use transship_guest::message::ReceivedRequest;
use transship_guest::{info, warn};

use crate::manager::{Handled, Manager};
use crate::rights;
use crate::walk::{Entry, Kind, Tree, Walk};

/// What a journal's name ends with.
const JOURNAL: &str = ".journal";
/// What its partial file's name ends with.
const PARTIAL: &str = ".partial";
/// So many are shown; there are more only if somebody makes them.
const MANY: usize = 1_000;

/// A drive as far as it consists of journals.
struct Journals<'a>(&'a Directory);

impl Tree for Journals<'_> {
    type Error = VfsError;

    fn entries(&self, folder: &str, after: Option<&str>) -> Result<(Vec<Entry>, bool), VfsError> {
        let (entries, more) = crate::listing::entries(self.0, folder, after)?;
        let entries = entries.into_iter().map(|entry| {
            let kind = match crate::listing::kind(&entry) {
                Kind::Folder => Kind::Folder,
                _ if names::is_hidden(&entry.name) && entry.name.ends_with(JOURNAL) => Kind::File(entry.metadata.size, entry.metadata.modified),
                _ => Kind::Other,
            };
            (entry.name, kind)
        });
        Ok((entries.collect(), more))
    }

    fn is_folder(&self, path: &str) -> Result<bool, VfsError> {
        self.0.is_folder(path)
    }
}

/// One that was stopped.
struct Stopped {
    /// The path of its journal.
    path: String,
    journal: Journal,
}

impl Stopped {
    fn read(files: &Directory, path: String) -> Option<Self> {
        let file = files.open_file(&path, OpenFlags::READ).ok()?;
        let length = file.length().ok().filter(|length| (1..=journal::MAX_BYTES).contains(length))?;
        let journal = Journal::parse(&file.read(0, length).ok()?)?;
        Some(Self { path, journal })
    }

    /// 16 hexadecimal digits: a transfer under way has 8.
    fn id(&self) -> String {
        format!("{:016x}", journal::checksum(self.path.as_bytes()))
    }

    fn status(&self) -> TransferStatus {
        let header = &self.journal.header;
        TransferStatus {
            id: self.id(),
            node: header.node.clone(),
            name: header.source.clone(),
            receiving: true,
            bytes_done: self.journal.ranges.total(),
            bytes_total: Some(header.size),
            state: TransferState::Failed(TransferError::Interrupted("what has arrived is kept".into())),
        }
    }

    fn remove(&self, files: &Directory) {
        let partial = partial_of(&self.path);
        for path in [&partial, &self.path] {
            match files.remove_file(path) {
                Ok(()) | Err(VfsError::NotFound(_)) => {}
                Err(error) => warn!("{path} can't be removed: {error:?}"),
            }
        }
        // Folders that were made for it, as far as nothing else is in them.
        self.journal.header.made.iter().rev().take_while(|folder| files.remove_directory(folder, false).is_ok()).count();
    }
}

/// The partial file that a journal is of.
fn partial_of(journal: &str) -> String {
    format!("{}{PARTIAL}", journal.strip_suffix(JOURNAL).unwrap_or(journal))
}

impl Manager {
    /// `stopped`.
    pub(crate) fn list_stopped(&self, received: &ReceivedRequest) -> Result<Handled, TransferError> {
        rights::check_local(&self.our, received)?;
        Ok(Handled::Answer(Answer::Transfers(self.stopped()?.iter().map(Stopped::status).collect())))
    }

    /// Throws away what is kept of a transfer that was stopped, unless it is to be kept. None: there is no such transfer.
    pub(crate) fn discard(&self, id: &str, keep: bool) -> Result<Option<TransferStatus>, TransferError> {
        let Some(stopped) = self.stopped()?.into_iter().find(|stopped| stopped.id() == id) else { return Ok(None) };
        if !keep {
            info!("what was kept of {} from {} is thrown away", stopped.journal.header.source, stopped.journal.header.node);
            stopped.remove(&self.files);
        }
        Ok(Some(stopped.status()))
    }

    fn stopped(&self) -> Result<Vec<Stopped>, TransferError> {
        let fail = |error| from_vfs(error, HIDDEN, Side::Receiver);
        let tree = Journals(&self.files);
        let mut walk = Walk::new(&tree, "", None).map_err(fail)?;
        let mut all = Vec::new();
        while let Some(found) = walk.next(&tree).map_err(fail)? {
            let in_use = |stopped: &Stopped| {
                let header = &stopped.journal.header;
                self.transfers.receives(&header.node, &header.source, header.size)
            };
            all.extend(Stopped::read(&self.files, found.name).filter(|stopped| !in_use(stopped)));
            if all.len() >= MANY {
                break;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_file_stands_beside_its_journal() {
        assert_eq!(partial_of("a/.transship-1.journal"), "a/.transship-1.partial");
    }
}
