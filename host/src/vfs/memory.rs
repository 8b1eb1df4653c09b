//! A drive held in memory, for what need not survive the node.
//!
//! Directories stand in one table by number, so that a tree of any depth is walked, removed and dropped without recursion. All that grows is taken out of
//! the drive's quota first: bytes of files as they are written (a gap takes nothing), and [`ENTRY_COST`] for each entry. What is open after its
//! name was removed goes on working and counts until it is closed. There are no links and no devices.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use super::backend::{DirectoryBackend, FileBackend, Opening};
use super::{DirectoryEntry, DirectoryPage, FileKind, Metadata, RelativePath, VfsError};

mod contents;

use contents::MemoryFile;

/// What an entry takes of the quota: its name, and the tables' part.
pub const ENTRY_COST: u64 = 512;

/// How much of a drive's memory is used.
#[derive(Debug)]
struct Quota {
    limit: u64,
    used: AtomicU64,
}

impl Quota {
    fn take(&self, bytes: u64) -> Result<(), VfsError> {
        let taken = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| used.checked_add(bytes).filter(|sum| *sum <= self.limit));
        taken.map(|_| ()).map_err(|_| VfsError::NoSpace)
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }

    fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used.load(Ordering::Acquire))
    }
}

#[derive(Debug, Clone)]
enum Entry {
    Directory(u64),
    File(Arc<MemoryFile>),
}

/// A directory's contents.
#[derive(Debug)]
struct Listing {
    entries: BTreeMap<String, Entry>,
    modified: i64,
}

impl Default for Listing {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), modified: now() }
    }
}

#[derive(Debug)]
struct Table {
    directories: HashMap<u64, Listing>,
    next: u64,
}

/// What all handles of a drive share.
#[derive(Debug)]
struct Tree {
    table: Mutex<Table>,
    quota: Arc<Quota>,
}

/// A directory of the tree. It may have been removed since.
#[derive(Debug)]
pub(super) struct MemoryDirectory {
    tree: Arc<Tree>,
    number: u64,
}

impl MemoryDirectory {
    /// The root of a new tree.
    pub(super) fn root(limit: u64) -> Self {
        let table = Table { directories: HashMap::from([(0, Listing::default())]), next: 1 };
        Self { tree: Arc::new(Tree { table: Mutex::new(table), quota: Arc::new(Quota { limit, used: AtomicU64::new(0) }) }), number: 0 }
    }

    /// The number of the directory that the last part of `path` is in, and that part.
    fn parent<'a>(&self, table: &mut Table, path: &'a RelativePath, create: bool) -> Result<(u64, &'a str), VfsError> {
        let (above, last) = path.split_last();
        let mut number = self.number;
        for part in above.into_iter().flat_map(|above| above.split('/')) {
            number = self.step(table, number, part, path, create)?;
        }
        Ok((number, last))
    }

    fn step(&self, table: &mut Table, number: u64, part: &str, path: &RelativePath, create: bool) -> Result<u64, VfsError> {
        match table.get(number, path)?.entries.get(part) {
            Some(Entry::Directory(below)) => Ok(*below),
            Some(Entry::File(_)) => Err(VfsError::NotADirectory(path.as_str().into())),
            None if create => {
                self.tree.quota.take(ENTRY_COST)?;
                let below = table.next;
                table.next += 1;
                table.directories.insert(below, Listing::default());
                table.insert(number, part, Entry::Directory(below), path)?;
                Ok(below)
            }
            None => Err(VfsError::NotFound(path.as_str().into())),
        }
    }
}

impl Table {
    fn get(&mut self, number: u64, path: &RelativePath) -> Result<&mut Listing, VfsError> {
        self.directories.get_mut(&number).ok_or_else(|| VfsError::NotFound(path.as_str().into()))
    }

    fn find(&mut self, number: u64, last: &str, path: &RelativePath) -> Result<Entry, VfsError> {
        self.get(number, path)?.entries.get(last).cloned().ok_or_else(|| VfsError::NotFound(path.as_str().into()))
    }

    fn insert(&mut self, number: u64, last: &str, entry: Entry, path: &RelativePath) -> Result<Option<Entry>, VfsError> {
        let listing = self.get(number, path)?;
        listing.modified = now();
        Ok(listing.entries.insert(last.into(), entry))
    }

    fn remove(&mut self, number: u64, last: &str, path: &RelativePath) -> Result<Option<Entry>, VfsError> {
        let listing = self.get(number, path)?;
        listing.modified = now();
        Ok(listing.entries.remove(last))
    }

    fn is_empty(&self, number: u64) -> bool {
        self.directories.get(&number).is_none_or(|listing| listing.entries.is_empty())
    }

    fn metadata(&self, entry: &Entry) -> Metadata {
        match entry {
            Entry::File(file) => file.describe(),
            Entry::Directory(number) => {
                let modified = self.directories.get(number).map_or(0, |listing| listing.modified);
                Metadata { kind: FileKind::Directory, size: 0, modified, permissions: 0o755 }
            }
        }
    }
}

impl DirectoryBackend for MemoryDirectory {
    fn open_file(&self, path: &RelativePath, how: Opening) -> Result<Arc<dyn FileBackend>, VfsError> {
        let table = &mut *self.tree.table.lock();
        let (number, last) = self.parent(table, path, how.create)?;
        match table.get(number, path)?.entries.get(last) {
            Some(_) if how.exclusive => Err(VfsError::Exists(path.as_str().into())),
            Some(Entry::File(file)) => Ok(file.clone()),
            Some(Entry::Directory(_)) => Err(VfsError::IsADirectory(path.as_str().into())),
            None if how.create => {
                self.tree.quota.take(ENTRY_COST)?;
                let file = Arc::new(MemoryFile::new(self.tree.quota.clone(), if how.private { 0o600 } else { 0o644 }));
                table.insert(number, last, Entry::File(file.clone()), path)?;
                Ok(file)
            }
            None => Err(VfsError::NotFound(path.as_str().into())),
        }
    }

    fn open_directory(&self, path: &RelativePath, create: bool) -> Result<Arc<dyn DirectoryBackend>, VfsError> {
        let table = &mut *self.tree.table.lock();
        let (number, last) = self.parent(table, path, create)?;
        let number = self.step(table, number, last, path, create)?;
        Ok(Arc::new(Self { tree: self.tree.clone(), number }))
    }

    fn entries(&self, after: Option<&str>, limit: usize, shown: &dyn Fn(&str) -> bool) -> Result<DirectoryPage, VfsError> {
        let table = self.tree.table.lock();
        let listing = table.directories.get(&self.number).ok_or_else(|| VfsError::NotFound("the directory".into()))?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = listing.entries.range::<str, _>((from, Bound::Unbounded)).filter(|(name, _)| shown(name));
        let entries = rest.by_ref().take(limit).map(|(name, entry)| DirectoryEntry { name: name.clone(), metadata: table.metadata(entry) }).collect();
        Ok(DirectoryPage { entries, more: rest.next().is_some(), unnamed: Vec::new() })
    }

    fn metadata(&self, path: &RelativePath) -> Result<Metadata, VfsError> {
        let table = &mut *self.tree.table.lock();
        let (number, last) = self.parent(table, path, false)?;
        let entry = table.find(number, last, path)?;
        Ok(table.metadata(&entry))
    }

    fn metadata_at_once(&self, path: &RelativePath) -> Option<Result<Metadata, VfsError>> {
        Some(self.metadata(path))
    }

    fn rename(&self, old: &RelativePath, new: &RelativePath, replace: bool) -> Result<(), VfsError> {
        let table = &mut *self.tree.table.lock();
        let (from, old_last) = self.parent(table, old, false)?;
        let entry = table.find(from, old_last, old)?;
        let (to, new_last) = self.parent(table, new, false)?;
        match (&entry, table.get(to, new)?.entries.get(new_last)) {
            (_, None) => {}
            (_, Some(_)) if !replace => return Err(VfsError::Exists(new.as_str().into())),
            (Entry::File(file), Some(Entry::File(other))) if Arc::ptr_eq(file, other) => return Ok(()),
            (Entry::Directory(number), Some(Entry::Directory(other))) if number == other => return Ok(()),
            (Entry::File(_), Some(Entry::File(_))) => {}
            (Entry::File(_), Some(Entry::Directory(_))) => return Err(VfsError::IsADirectory(new.as_str().into())),
            (Entry::Directory(_), Some(Entry::File(_))) => return Err(VfsError::NotADirectory(new.as_str().into())),
            (Entry::Directory(_), Some(&Entry::Directory(other))) => {
                if !table.is_empty(other) {
                    return Err(VfsError::NotEmpty(new.as_str().into()));
                }
                table.directories.remove(&other);
            }
        }
        table.remove(from, old_last, old)?;
        if table.insert(to, new_last, entry, new)?.is_some() {
            self.tree.quota.give_back(ENTRY_COST);
        }
        Ok(())
    }

    fn copy(&self, source: &RelativePath, target: &RelativePath) -> Result<(), VfsError> {
        let (file, to) = {
            let table = &mut *self.tree.table.lock();
            let (number, last) = self.parent(table, source, false)?;
            let Entry::File(file) = table.find(number, last, source)? else { return Err(VfsError::IsADirectory(source.as_str().into())) };
            let (to, _) = self.parent(table, target, false)?;
            (file, to)
        };
        // Without the table's lock: others go on meanwhile.
        let copy = file.copy()?;
        let (_, last) = target.split_last();
        let table = &mut *self.tree.table.lock();
        if table.get(to, target)?.entries.contains_key(last) {
            return Err(VfsError::Exists(target.as_str().into()));
        }
        self.tree.quota.take(ENTRY_COST)?;
        table.insert(to, last, Entry::File(Arc::new(copy)), target)?;
        Ok(())
    }

    fn remove_file(&self, path: &RelativePath) -> Result<(), VfsError> {
        let table = &mut *self.tree.table.lock();
        let (number, last) = self.parent(table, path, false)?;
        match table.find(number, last, path)? {
            Entry::Directory(_) => Err(VfsError::IsADirectory(path.as_str().into())),
            Entry::File(_) => {
                table.remove(number, last, path)?;
                self.tree.quota.give_back(ENTRY_COST);
                Ok(())
            }
        }
    }

    fn remove_directory(&self, path: &RelativePath, recursive: bool) -> Result<(), VfsError> {
        let table = &mut *self.tree.table.lock();
        let (number, last) = self.parent(table, path, false)?;
        let Entry::Directory(top) = table.find(number, last, path)? else { return Err(VfsError::NotADirectory(path.as_str().into())) };
        if !recursive && !table.is_empty(top) {
            return Err(VfsError::NotEmpty(path.as_str().into()));
        }
        table.remove(number, last, path)?;
        self.tree.quota.give_back(ENTRY_COST);
        let mut to_remove = vec![top];
        while let Some(listing) = to_remove.pop().and_then(|number| table.directories.remove(&number)) {
            self.tree.quota.give_back(ENTRY_COST * listing.entries.len() as u64);
            to_remove.extend(listing.entries.values().filter_map(|entry| match entry {
                Entry::Directory(number) => Some(*number),
                Entry::File(_) => None,
            }));
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), VfsError> {
        Ok(())
    }

    fn free_space(&self) -> Result<u64, VfsError> {
        Ok(self.tree.quota.free())
    }

    fn read_link(&self, path: &RelativePath) -> Result<String, VfsError> {
        self.metadata(path)?;
        Err(VfsError::Denied(format!("'{path}' is no link: a drive in memory has none")))
    }

    fn make_link(&self, path: &RelativePath, _: &str) -> Result<(), VfsError> {
        Err(VfsError::Denied(format!("'{path}': a drive in memory has no links")))
    }

    fn set_directory(&self, path: &RelativePath, modified: i64, _: u16) -> Result<(), VfsError> {
        let table = &mut *self.tree.table.lock();
        let (number, last) = self.parent(table, path, false)?;
        let Entry::Directory(number) = table.find(number, last, path)? else { return Err(VfsError::NotADirectory(path.as_str().into())) };
        table.get(number, path)?.modified = modified;
        Ok(())
    }

    fn own_metadata(&self) -> Result<Metadata, VfsError> {
        let table = self.tree.table.lock();
        if table.directories.contains_key(&self.number) {
            Ok(table.metadata(&Entry::Directory(self.number)))
        } else {
            Err(VfsError::NotFound("the directory".into()))
        }
    }

    fn set_own(&self, modified: i64, _: u16) -> Result<(), VfsError> {
        let mut table = self.tree.table.lock();
        table.directories.get_mut(&self.number).ok_or_else(|| VfsError::NotFound("the directory".into()))?.modified = modified;
        Ok(())
    }

    fn sync_all(&self) -> Result<(), VfsError> {
        Ok(())
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::rights::Rights;
    use crate::vfs::{Drive, OpenFlags, VfsError, memory::ENTRY_COST};

    const NEW: OpenFlags = OpenFlags { read: true, write: true, create: true, exclusive: false, truncate: false, private: false, sparse: false };

    #[test]
    fn a_full_quota_is_no_space_and_what_is_removed_and_closed_is_free_again() {
        let root = Drive::memory("m", ENTRY_COST * 2 + 1000).root(Rights::ALL);
        let file = root.open_file("a/b", NEW).unwrap();
        assert_eq!(root.free_space().unwrap(), 1000);
        file.write(0, &[1; 600]).unwrap();
        assert_eq!(file.write(600, &[1; 401]), Err(VfsError::NoSpace));
        file.write(600, &[1; 400]).unwrap();
        assert_eq!(root.free_space().unwrap(), 0);
        assert_eq!(root.open_file("c", NEW).unwrap_err(), VfsError::NoSpace);
        assert_eq!(root.copy("a/b", "a/c").unwrap_err(), VfsError::NoSpace);

        root.remove_directory("a", true).unwrap();
        assert_eq!(root.free_space().unwrap(), ENTRY_COST * 2);
        assert_eq!(file.read(0, 2000).unwrap().len(), 1000);
        drop(file);
        assert_eq!(root.free_space().unwrap(), ENTRY_COST * 2 + 1000);
    }

    #[test]
    fn a_gap_takes_no_space_and_cutting_gives_back() {
        let root = Drive::memory("m", ENTRY_COST + (1 << 20)).root(Rights::ALL);
        let file = root.open_file("a", NEW).unwrap();
        file.set_length(1 << 40).unwrap();
        assert_eq!(root.free_space().unwrap(), 1 << 20);
        file.write((1 << 39) + 5, &[7; 10]).unwrap();
        file.set_length(100).unwrap();
        assert_eq!(root.free_space().unwrap(), 1 << 20);
    }

    #[test]
    fn a_tree_as_deep_as_the_quota_allows_is_removed_and_dropped() {
        let root = Drive::memory("m", ENTRY_COST * 100_000).root(Rights::ALL);
        let mut at = root.open_directory("top", true).unwrap();
        loop {
            match at.open_directory("d", true) {
                Ok(below) => at = below,
                Err(error) => break assert_eq!(error, VfsError::NoSpace),
            }
        }
        root.remove_directory("top", true).unwrap();
        assert_eq!(root.free_space().unwrap(), ENTRY_COST * 100_000);
        assert!(matches!(at.entries(None, 1), Err(VfsError::NotFound(_))));
    }
}
