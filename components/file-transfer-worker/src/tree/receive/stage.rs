//! Where files wait until they may have their names: a hidden folder of the tree, in which every file is complete and verified.
//!
//! They get their names in batches: first all that was written is brought to stable storage, with one call for the whole batch, then each file is renamed, both while more arrives. So nothing partial is ever seen under a name, after a crash neither, and
//! thousands of small files cost one sync and not thousands. The folder is gone at the end, and what an attempt before left in it at the beginning. An empty one stays where a large file is left to be resumed: by it the next attempt knows
//! that there is something of this transfer, wherever in the tree.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::hidden::TREE;
use file_transfer_types::types::TransferError;
use transship_guest::bindings::transship::host::vfs::{NewFile, NewName};
use transship_guest::drive::{Directory, File, OpenFlags, VfsError};
use transship_guest::message::Blob;
use transship_guest::warn;

use super::plan::How;
use crate::clock::now;
use crate::receive::publish::{Published, name_it};

/// A batch begins to be synced when it has so many files,
const BATCH_FILES: usize = 4_096;
/// or so many bytes,
const BATCH_BYTES: u64 = 64 << 20;
/// or when its first file has waited for so many milliseconds: what has its name is not lost, whatever happens.
const BATCH_AGE: u64 = 2_000;
/// Names that are given with one call, of the 10,000 that a call takes.
const NAMES: usize = 4_096;

/// So many files in a row are in the same one of the stage's folders. A file system looks through what is in a folder for every name that comes or goes, and lets one thread at a time do so: a pack of
/// small files, written by two threads, is in two of them.
const IN_A_ROW: u64 = 128;
/// How many folders there are: so many that those that wait for their names are few in each.
const FOLDERS: u64 = 64;

/// A file that waits for its name.
#[derive(Debug)]
pub(super) struct Staged {
    /// Its name in the stage.
    number: u64,
    /// The name that it is to have.
    pub(super) path: String,
    /// Bytes.
    pub(super) size: u64,
    /// How it gets its name.
    pub(super) how: How,
}

/// A small file in a blob.
#[derive(Debug)]
pub(super) struct Small {
    /// The name that it is to have.
    pub(super) path: String,
    /// Where its bytes begin in the blob.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Modification time, nanoseconds since 1970.
    pub(super) modified: i64,
    /// The nine lower bits of a POSIX file mode.
    pub(super) permissions: u16,
    /// How it gets its name.
    pub(super) how: How,
}

/// What became of a file that was to have its name.
pub(super) type Named = (Staged, Result<Published, VfsError>);

/// See the module.
#[derive(Debug)]
pub(super) struct Stage {
    path: String,
    made: bool,
    /// An attempt before left one.
    found: bool,
    /// How many of its folders are there.
    folders: u64,
    next: u64,
    batch: Vec<Staged>,
    bytes: u64,
    /// When its first file came.
    begun: u64,
    /// The batch that is being synced, by this operation. The next begins when this one gets its names.
    syncing: Option<(u64, Vec<Staged>)>,
    /// The batch that is synced and gets its names next.
    synced: Option<Vec<Staged>>,
    naming: Option<Naming>,
    /// How many batches have begun to be synced, and how many of these have their names.
    batches: u64,
    named: u64,
}

/// The batch that gets its names.
#[derive(Debug)]
struct Naming {
    operation: u64,
    /// How many are being given by it.
    count: usize,
    /// Those that do not have their names.
    files: Vec<Staged>,
}

impl Stage {
    /// The path of the stage of a transfer whose hidden names begin like this.
    pub(super) fn path(stem: &str) -> String {
        format!("{stem}{TREE}")
    }

    /// What a link of this transfer is called until it has its name: it waits in its own folder, and not here.
    pub(super) fn link_name(&self) -> String {
        format!("{}.link", self.path.strip_suffix(TREE).unwrap_or(&self.path))
    }

    /// One that is made when the first file comes.
    pub(super) fn new(stem: &str) -> Self {
        Self {
            path: Self::path(stem),
            made: false,
            found: false,
            folders: 0,
            next: 0,
            batch: Vec::new(),
            bytes: 0,
            begun: 0,
            syncing: None,
            synced: None,
            naming: None,
            batches: 0,
            named: 0,
        }
    }

    /// Removes what there is of it.
    pub(super) fn remove(&self, root: &Directory) {
        match root.remove_directory(&self.path, true) {
            Ok(()) | Err(VfsError::NotFound(_)) => {}
            Err(error) => warn!("{} can't be removed: {error:?}", self.path),
        }
    }

    /// Removes what an attempt before left in it. That there was one stays known.
    pub(super) fn clear(&mut self, root: &Directory) -> Result<(), TransferError> {
        if !matches!(root.find(&self.path), Ok(Some(_))) {
            return Ok(());
        }
        self.remove(root);
        self.found = true;
        self.make(root)
    }

    /// The attempt ends early: nothing that waits for its name is left. `keep`: what an attempt before left elsewhere is; `kept`: this one leaves something.
    pub(super) fn leave(&mut self, root: &Directory, keep: bool, kept: bool) {
        self.remove(root);
        if kept || (keep && self.found) {
            (self.made, self.folders) = (false, 0);
            if let Err(error) = self.make(root) {
                warn!("{}: large files may have to be fetched again: {error:?}", self.path);
            }
        }
    }

    /// Makes it, if it is not there.
    pub(super) fn make(&mut self, root: &Directory) -> Result<(), TransferError> {
        if !self.made {
            root.open_directory(&self.path, true).map_err(|error| from_vfs(error, &self.path, Side::Receiver))?;
            self.made = true;
        }
        Ok(())
    }

    /// The number of the next file; the folder that it goes to is there.
    fn take_number(&mut self, root: &Directory) -> Result<u64, TransferError> {
        let folder = folder_of(self.next + 1);
        if folder >= self.folders {
            let path = format!("{}/{folder}", self.path);
            root.open_directory(&path, true).map_err(|error| from_vfs(error, &self.path, Side::Receiver))?;
            (self.made, self.folders) = (true, folder + 1);
        }
        self.next += 1;
        Ok(self.next)
    }

    fn name(&self, number: u64) -> String {
        format!("{}/{}/{number}", self.path, folder_of(number))
    }

    /// Writes small files, all with one call. Returns what could not be written, and why.
    pub(super) fn write(&mut self, root: &Directory, files: Vec<Small>, contents: &Blob) -> Result<Vec<(Small, VfsError)>, TransferError> {
        let first = self.next + 1;
        let mut new = Vec::with_capacity(files.len());
        for file in &files {
            let path = self.take_number(root).map(|number| self.name(number))?;
            new.push(NewFile { path, offset: file.offset, length: file.size, modified: file.modified, permissions: file.permissions & 0o777 });
        }
        let mut failed = Vec::new();
        for ((number, file), result) in (first..).zip(files).zip(root.write_files(&new, contents)) {
            match result {
                Ok(()) => self.add(number, file.path, file.size, file.how),
                Err(error) => failed.push((file, error)),
            }
        }
        Ok(failed)
    }

    /// Opens a file that is to be written in parts, and gives its number.
    pub(super) fn open(&mut self, root: &Directory) -> Result<(File, u64), TransferError> {
        let number = self.take_number(root)?;
        let how = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::PRIVATE | OpenFlags::SPARSE;
        let file = root.open_file(&self.name(number), how).map_err(|error| from_vfs(error, &self.path, Side::Receiver))?;
        Ok((file, number))
    }

    /// Throws a file away that was opened.
    pub(super) fn discard(&self, root: &Directory, number: u64) {
        let _ = root.remove_file(&self.name(number));
    }

    /// A file is complete.
    pub(super) fn add(&mut self, number: u64, path: String, size: u64, how: How) {
        if self.batch.is_empty() {
            self.begun = now();
        }
        self.batch.push(Staged { number, path, size, how });
        self.bytes += size;
    }

    /// Begins to sync the batch if it is large enough, or whatever there is if it is the `last`.
    pub(super) fn sync(&mut self, root: &Directory, last: bool) {
        let old = now().saturating_sub(self.begun) >= BATCH_AGE;
        let due = self.batch.len() >= BATCH_FILES || self.bytes >= BATCH_BYTES || last || old;
        if due && !self.batch.is_empty() && self.syncing.is_none() && self.synced.is_none() {
            self.syncing = Some((root.start_sync_all(), std::mem::take(&mut self.batch)));
            self.bytes = 0;
            self.batches += 1;
        }
    }

    /// Whether this operation is one of those under way.
    pub(super) fn is(&self, operation: u64) -> bool {
        self.is_sync(operation) || self.naming.as_ref().is_some_and(|naming| naming.operation == operation)
    }

    fn is_sync(&self, operation: u64) -> bool {
        self.syncing.as_ref().is_some_and(|(syncing, _)| *syncing == operation)
    }

    /// Whether files are just getting their names, or next.
    pub(super) fn is_naming(&self) -> bool {
        self.naming.is_some() || self.synced.is_some()
    }

    /// This operation is done: if it was a sync, the files get their names, when those before have theirs; if it gave names, `outcome` says which have not theirs, and the next of the batch follow.
    pub(super) fn go_on(&mut self, root: &Directory, operation: u64, outcome: &[u8]) -> Vec<Named> {
        let mut named = Vec::new();
        let mut rest = Vec::new();
        if self.is_sync(operation) {
            self.synced = self.syncing.take().map(|(_, files)| files);
        } else if let Some(mut naming) = self.naming.take() {
            rest = naming.files.split_off(naming.count);
            named = naming.files.into_iter().enumerate().map(|(place, file)| self.see(root, file, outcome.get(place) == Some(&0))).collect();
            self.named += u64::from(rest.is_empty());
        }
        if self.naming.is_none() {
            let next = if rest.is_empty() { self.synced.take() } else { Some(rest) };
            self.naming = next.map(|files| {
                let names: Vec<NewName> = files.iter().take(NAMES).map(|file| self.wish(file)).collect();
                Naming { operation: root.start_rename_files(&names), count: names.len(), files }
            });
        }
        named
    }

    fn wish(&self, file: &Staged) -> NewName {
        NewName { old: self.name(file.number), new: file.path.clone(), replace: file.how == How::Replace }
    }

    /// What became of a file that was to get its name: why it has not, if so, is found by asking again.
    fn see(&self, root: &Directory, file: Staged, has_it: bool) -> Named {
        let again = || root.rename(&self.name(file.number), &file.path, file.how == How::Replace);
        let outcome = match if has_it { Ok(()) } else { again() } {
            Ok(()) => Ok(Published::As(file.path.clone())),
            Err(VfsError::Exists(_)) if file.how == How::Beside => self.name_beside(root, &file),
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.discard(root, file.number);
        }
        (file, outcome)
    }

    fn name_beside(&self, root: &Directory, file: &Staged) -> Result<Published, VfsError> {
        let (folder, name) = file_transfer_types::names::split(&file.path);
        let beside = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        name_it(name, file.how.policy(), |name, replace| root.rename(&self.name(file.number), &beside(name), replace))
    }

    /// With which batch all that is here by now gets its name, counted from 1.
    pub(super) fn filling(&self) -> u64 {
        self.batches + u64::from(!self.batch.is_empty())
    }

    /// Up to which batch all files have their names, or have failed.
    pub(super) fn named(&self) -> u64 {
        self.named
    }

    /// How many files wait for their names.
    pub(super) fn waiting(&self) -> u64 {
        let syncing = self.syncing.as_ref().map_or(0, |(_, files)| files.len());
        let synced = self.synced.as_ref().map_or(0, Vec::len);
        let naming = self.naming.as_ref().map_or(0, |naming| naming.files.len());
        (self.batch.len() + syncing + synced + naming) as u64
    }

    /// Whether nothing waits for its name.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting() == 0
    }
}

/// Which of the stage's folders a file is in, by its number from 1 on. They are used in turn, so that one is used again when the files before have their names.
fn folder_of(number: u64) -> u64 {
    number.saturating_sub(1) / IN_A_ROW % FOLDERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_a_row_share_a_folder_and_folders_are_used_again() {
        assert_eq!((folder_of(1), folder_of(IN_A_ROW), folder_of(IN_A_ROW + 1)), (0, 0, 1));
        assert_eq!((folder_of(IN_A_ROW * FOLDERS), folder_of(IN_A_ROW * FOLDERS + 1)), (FOLDERS - 1, 0));
    }
}
