//! What is kept of transfers into this node's drive that were stopped: shown to the owner, and thrown away at the owner's wish.
//!
//! The hidden files beside the targets are all there is of such a transfer, so the drive is looked through for them. A journal says what its partial file is part of. A partial file without one (its transfer was cut off before some of
//! it was worth noting, or the note could not be written), and the folder in which files of a tree waited for their names, say where they are and how many bytes they have, and nothing else.
//!
//! What a running transfer uses is never shown or removed: its hidden names say whose they are (see [`hidden`]), and a transfer is in [`transfers`](crate::transfers) from before its worker makes the first of them until after it has
//! touched the last. The drive is this package's alone, so nobody else's transfers receive into it, unless the owner lends its folder to them as if it were another: of those nothing is known here.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::hidden::{self, JOURNAL, PARTIAL, TREE};
use file_transfer_types::journal::{self, Journal};
use file_transfer_types::manager::{Response as Answer, TransferStatus};
use file_transfer_types::names::{self, HIDDEN};
use file_transfer_types::types::{TransferError, TransferState};
use transship_guest::drive::{Directory, FileKind, OpenFlags, VfsError};
use transship_guest::message::ReceivedRequest;
use transship_guest::{info, warn};

use crate::manager::{Handled, Manager};
use crate::rights;
use crate::walk::{Entry, Found, Kind, Tree, Walk};

/// So many are shown; there are more only if somebody makes them.
const MANY: usize = 1_000;

/// A drive as far as it consists of what transfers keep.
struct Kept<'a>(&'a Directory);

impl Tree for Kept<'_> {
    type Error = VfsError;

    fn entries(&self, folder: &str, after: Option<&str>) -> Result<(Vec<Entry>, bool), VfsError> {
        let (entries, more) = crate::listing::entries(self.0, folder, after)?;
        let entries = entries.into_iter().map(|entry| {
            let kind = kind(&entry.name, crate::listing::kind(&entry), entry.metadata.modified);
            (entry.name, kind)
        });
        Ok((entries.collect(), more))
    }

    fn is_folder(&self, path: &str) -> Result<bool, VfsError> {
        self.0.is_folder(path)
    }
}

/// What an entry is to the walk: what is kept counts as a file, also the folder of a tree, which is shown and not looked into.
fn kind(name: &str, kind: Kind, modified: i64) -> Kind {
    match kind {
        Kind::Folder if names::is_hidden(name) && name.ends_with(TREE) => Kind::File(0, modified),
        Kind::File(..) if names::is_hidden(name) && (name.ends_with(JOURNAL) || name.ends_with(PARTIAL)) => kind,
        Kind::Folder => Kind::Folder,
        Kind::File(..) | Kind::Other => Kind::Other,
    }
}

/// One that was stopped.
#[derive(Debug)]
struct Stopped {
    /// The path of its partial file, or of its folder.
    kept: String,
    /// How many bytes that has.
    bytes: u64,
    /// What it is part of. None: it is not known.
    journal: Option<Journal>,
}

impl Stopped {
    /// What was found. None: it is told with its journal, or is not there any more.
    fn new(files: &Directory, found: Found) -> Result<Option<Self>, VfsError> {
        let Found { name: path, size, .. } = found;
        if let Some(stem) = path.strip_suffix(JOURNAL) {
            let kept = format!("{stem}{PARTIAL}");
            let bytes = files.find(&kept)?.map_or(0, |found| found.size);
            return Ok(Some(Self { bytes, journal: read_journal(files, &path), kept }));
        }
        match path.strip_suffix(PARTIAL) {
            Some(stem) if files.find(&format!("{stem}{JOURNAL}"))?.is_some() => Ok(None),
            Some(_) => Ok(Some(Self { bytes: size, journal: None, kept: path })),
            // Beside a large file of a tree that is kept: that is shown, and this goes with it.
            None if crate::listing::entries(files, &path, None)?.0.is_empty() => Ok(None),
            None => Ok(Some(Self { bytes: bytes_staged(files, &path)?, journal: None, kept: path })),
        }
    }

    /// 16 hexadecimal digits: a transfer under way has 8.
    fn id(&self) -> String {
        format!("{:016x}", journal::checksum(self.kept.as_bytes()))
    }

    fn status(&self) -> TransferStatus {
        let header = self.journal.as_ref().map(|journal| &journal.header);
        let (bytes_done, what) = match &self.journal {
            Some(journal) if journal.ranges.end() <= self.bytes => (journal.ranges.total(), "what has arrived is kept"),
            Some(_) => (0, "nothing of what had arrived is there any more: the same request begins anew"),
            None => (self.bytes, "what is kept does not say what it is part of: the same request begins anew"),
        };
        TransferStatus {
            id: self.id(),
            node: header.map(|header| header.node.clone()),
            name: header.map(|header| header.source.clone()),
            receiving: true,
            bytes_done,
            bytes_total: header.map(|header| header.size),
            state: TransferState::Failed(TransferError::Interrupted(what.into())),
            kept: Some(self.kept.clone()),
        }
    }

    fn remove(&self, files: &Directory) {
        let told = |path: &str, removed| match removed {
            Ok(()) | Err(VfsError::NotFound(_)) => {}
            Err(error) => warn!("{path} can't be removed: {error:?}"),
        };
        let Some(stem) = self.kept.strip_suffix(PARTIAL) else { return told(&self.kept, files.remove_directory(&self.kept, true)) };
        for path in [&self.kept, &format!("{stem}{JOURNAL}")] {
            told(path, files.remove_file(path));
        }
        self.remove_empty_stages(files);
        // Folders that were made for it, as far as nothing else is in them.
        let made = self.journal.iter().flat_map(|journal| journal.header.made.iter().rev());
        made.take_while(|folder| files.remove_directory(folder, false).is_ok()).count();
    }

    /// A large file of a tree is kept somewhere below the tree's hidden folder, which is there as long as it.
    fn remove_empty_stages(&self, files: &Directory) {
        let Some(whose) = hidden::whose_is(&self.kept) else { return };
        let (folder, _) = names::split(&self.kept);
        for above in [""].into_iter().chain(names::ancestors(folder)) {
            // They stand together, and come next in the order of names.
            let entries = crate::listing::entries(files, above, Some(&format!("{HIDDEN}{whose}"))).map_or_else(|_| Vec::new(), |(entries, _)| entries);
            for name in entries.into_iter().map(|entry| entry.name).take_while(|name| hidden::whose_is(name) == Some(whose)) {
                let path = if above.is_empty() { name } else { format!("{above}/{name}") };
                if path.ends_with(TREE) {
                    // Others of the same transfer may still be kept: then the next attempt is not told of them, and begins anew.
                    let _ = files.remove_directory(&path, false);
                }
            }
        }
    }

    /// What the owner is told of it in the log.
    fn describe(&self) -> String {
        match &self.journal {
            Some(Journal { header, .. }) => format!("{} from {}", header.source, header.node),
            None => format!("an unknown transfer ({})", self.kept),
        }
    }
}

/// None: it can't be read, or says nothing that can be believed.
fn read_journal(files: &Directory, path: &str) -> Option<Journal> {
    let file = files.open_file(path, OpenFlags::READ).ok()?;
    let length = file.length().ok().filter(|length| (1..=journal::MAX_BYTES).contains(length))?;
    Journal::parse(&file.read(0, length).ok()?)
}

/// The bytes of the files of a tree's hidden folder: those in it, and in the folders in it, which have none.
fn bytes_staged(files: &Directory, folder: &str) -> Result<u64, VfsError> {
    let mut below = Vec::new();
    let mut bytes = bytes_in(files, folder, &mut below)?;
    for folder in &below {
        bytes = bytes.saturating_add(bytes_in(files, folder, &mut Vec::new())?);
    }
    Ok(bytes)
}

/// The bytes of the files in a folder; adds the folders in it to `below`.
fn bytes_in(files: &Directory, folder: &str, below: &mut Vec<String>) -> Result<u64, VfsError> {
    let (mut bytes, mut last) = (0_u64, None::<String>);
    loop {
        let (entries, more) = crate::listing::entries(files, folder, last.as_deref())?;
        bytes = entries.iter().fold(bytes, |bytes, entry| bytes.saturating_add(entry.metadata.size));
        below.extend(entries.iter().filter(|entry| entry.metadata.kind == FileKind::Directory).map(|entry| format!("{folder}/{}", entry.name)));
        match entries.into_iter().next_back() {
            Some(entry) if more => last = Some(entry.name),
            _ => return Ok(bytes),
        }
    }
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
            info!("what was kept of {} is thrown away", stopped.describe());
            stopped.remove(&self.files);
        }
        Ok(Some(stopped.status()))
    }

    fn stopped(&self) -> Result<Vec<Stopped>, TransferError> {
        let fail = |error| from_vfs(error, HIDDEN, Side::Receiver);
        let tree = Kept(&self.files);
        let receiving = self.transfers.receiving();
        let mut walk = Walk::new(&tree, "", None).map_err(fail)?;
        let mut all = Vec::new();
        while let Some(found) = walk.next(&tree).map_err(fail)? {
            if hidden::whose_is(&found.name).is_some_and(|whose| receiving.contains(whose)) {
                continue;
            }
            let path = found.name.clone();
            match Stopped::new(&self.files, found) {
                Ok(stopped) => all.extend(stopped),
                // The others are still worth telling.
                Err(error) => warn!("{path} can't be looked at: {error:?}"),
            }
            if all.len() >= MANY {
                break;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use file_transfer_types::journal::Header;
    use file_transfer_types::protocol::SizeRequest;
    use file_transfer_types::ranges::RangeSet;

    use super::*;

    fn journal(safe: u64) -> Journal {
        let offer = SizeRequest { name: "a".into(), size: 100, modified: 5, permissions: 0o644, digest: None, max_chunk: 10 };
        let mut ranges = RangeSet::default();
        ranges.insert(0, safe);
        Journal { header: Header::new("bob", &offer, Vec::new()), ranges, digest: None, length: 0 }
    }

    fn status(bytes: u64, journal: Option<Journal>) -> TransferStatus {
        Stopped { kept: "in/.transship-1-2.partial".into(), bytes, journal }.status()
    }

    #[test]
    fn only_what_transfers_keep_is_looked_at_and_a_trees_folder_is_not_looked_into() {
        let file = Kind::File(7, 1);
        for name in [".transship-1-2.journal", ".transship-1-2.partial"] {
            assert_eq!(kind(name, file, 1), file);
            assert_eq!(kind(name, Kind::Folder, 1), Kind::Folder);
        }
        assert_eq!(kind(".transship-1-2.tree", Kind::Folder, 1), Kind::File(0, 1));
        assert_eq!([kind(".transship-1-2.tree", file, 1), kind(".transship-store-1", file, 1), kind("a.partial", file, 1)], [Kind::Other; 3]);
        assert_eq!(kind("photos", Kind::Folder, 1), Kind::Folder);
    }

    #[test]
    fn what_a_journal_says_is_told_and_nothing_else_is_made_up() {
        let told = status(60, Some(journal(60)));
        assert_eq!((told.node, told.name, told.bytes_done, told.bytes_total), (Some("bob".into()), Some("a".into()), 60, Some(100)));
        let unknown = status(60, None);
        assert_eq!((unknown.node, unknown.name, unknown.bytes_done, unknown.bytes_total), (None, None, 60, None));
        assert_eq!(unknown.kept.as_deref(), Some("in/.transship-1-2.partial"));
        assert_eq!(unknown.id, told.id, "it stays the same one when it has a journal");
    }

    #[test]
    fn bytes_that_are_in_the_journal_and_not_in_the_file_are_not_kept() {
        assert_eq!(status(59, Some(journal(60))).bytes_done, 0);
    }
}
