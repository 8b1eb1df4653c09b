//! A page of entries: folders and links are made at once, files are compared with what is there, and those that are lacking put on the list.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::names;
use file_transfer_types::protocol::{EntryKind, FileRequest, TreeEntry, TreePage};
use file_transfer_types::types::{ConflictPolicy, LinkPolicy, TransferError};
use transship_guest::drive::{Directory, FileKind, Metadata, VfsError};

use super::compare::Comparison;
use super::folders::Folder;
use super::plan::{self, How, Verdict};
use super::{Group, Page, Receiving, Todo};
use crate::receive::publish::{Published, name_it};
use crate::tree::{FILES, PACK};

impl Receiving<'_> {
    /// Deals with a page, in its turn.
    pub(super) fn entries(&mut self, number: u32, page: TreePage) -> Result<(), TransferError> {
        self.last_page |= !page.more;
        self.tally.left_out(page.skipped);
        for failure in page.failures {
            self.tally.other_failed(&failure.name, failure.error);
        }
        if let Some(top) = page.top.filter(|_| self.sets_top && number == 0) {
            self.top = Some(top);
        }
        let found = self.look(&page.entries);
        let mut planned = Page { entries: page.entries, how: Default::default(), left: 0 };
        for (place, found) in (0_u32..).zip(found) {
            let Some(entry) = planned.entries.get(place as usize).cloned() else { break };
            // Whatever the sender says: no name leads out of the folder, and none is one of the node's own.
            let found = match names::check(&entry.path).and_then(|()| found.map_err(|error| from_vfs(error, &entry.path, Side::Receiver))) {
                Ok(found) => found,
                Err(error) => {
                    self.count(entry.kind);
                    self.tally.other_failed(&entry.path, error);
                    continue;
                }
            };
            self.folders.pass(&entry.path, number);
            match entry.kind {
                EntryKind::Folder => self.folder(entry, found)?,
                EntryKind::Link => self.link(&entry, found)?,
                EntryKind::File => {
                    self.tally.listed += 1;
                    self.file(FileRequest { page: number, file: place }, &entry, found, &mut planned);
                }
            }
        }
        if self.last_page {
            self.folders.end(number);
        }
        if planned.left > 0 {
            self.pages.insert(number, planned);
            self.group(number);
        }
        Ok(())
    }

    fn count(&mut self, kind: EntryKind) {
        if kind == EntryKind::File {
            self.tally.listed += 1;
            self.tally.files += 1;
        }
    }

    /// What stands where the entries are to go.
    fn look(&self, entries: &[TreeEntry]) -> Vec<Result<Option<Metadata>, VfsError>> {
        let Some(root) = &self.root else { return vec![Ok(None); entries.len()] };
        let paths: Vec<String> = entries.iter().map(|entry| entry.path.clone()).collect();
        let found = root.metadata_of(&paths).into_iter().map(|found| match found {
            Ok(found) => Ok(Some(found)),
            // Of a folder that will be made, there is nothing yet.
            Err(VfsError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        });
        found.collect()
    }

    fn folder(&mut self, entry: TreeEntry, found: Option<Metadata>) -> Result<(), TransferError> {
        match (found, &self.root) {
            (Some(found), _) if found.kind == FileKind::Directory => {}
            (Some(_), _) => {
                self.tally.other_failed(&entry.path, TransferError::Conflict(names::shown(&entry.path)));
                return Ok(());
            }
            (None, Some(root)) if !self.tree.dry_run => match root.open_directory(&entry.path, true) {
                Ok(_) => self.tally.summary.folders += 1,
                Err(VfsError::NoSpace) => return Err(from_vfs(VfsError::NoSpace, &entry.path, Side::Receiver)),
                Err(error) => {
                    self.tally.other_failed(&entry.path, from_vfs(error, &entry.path, Side::Receiver));
                    return Ok(());
                }
            },
            (None, _) => self.tally.summary.folders += 1,
        }
        if self.tree.folders && !self.tree.dry_run {
            self.folders.enter(Folder { path: entry.path, modified: entry.modified, permissions: entry.permissions });
        }
        Ok(())
    }

    fn link(&mut self, entry: &TreeEntry, found: Option<Metadata>) -> Result<(), TransferError> {
        let Some(target) = entry.target.as_deref().filter(|_| self.tree.links == LinkPolicy::Keep) else {
            self.tally.left_out(1);
            return Ok(());
        };
        let Some(root) = self.root.as_ref().filter(|_| !self.tree.dry_run) else {
            self.tally.summary.links += u64::from(found.is_none());
            return Ok(());
        };
        let policy = self.session.settings.conflict;
        let is_link = found.is_some_and(|found| found.kind == FileKind::SymbolicLink);
        if is_link && root.read_link(&entry.path).is_ok_and(|there| there == target) {
            return Ok(());
        }
        let replace =
            is_link && (policy == ConflictPolicy::Overwrite || (policy == ConflictPolicy::Newer && found.is_some_and(|found| found.modified < entry.modified)));
        let made = match (found, policy) {
            (Some(_), _) if replace => replace_link(root, &entry.path, target, &self.stage.link_name()).map(Published::As),
            (Some(_), ConflictPolicy::Skip) => Ok(Published::Skipped),
            (Some(_), ConflictPolicy::Newer) if is_link => Ok(Published::Skipped),
            (_, policy) => make_link(root, &entry.path, target, if policy == ConflictPolicy::Rename { policy } else { ConflictPolicy::Fail }),
        };
        match made {
            Ok(Published::As(_)) => self.tally.summary.links += 1,
            Ok(Published::Skipped) => self.tally.left_out(1),
            Err(VfsError::NoSpace) => return Err(from_vfs(VfsError::NoSpace, &entry.path, Side::Receiver)),
            Err(error) => self.tally.other_failed(&entry.path, from_vfs(error, &entry.path, Side::Receiver)),
        }
        Ok(())
    }

    fn file(&mut self, of: FileRequest, entry: &TreeEntry, found: Option<Metadata>, page: &mut Page) {
        match plan::file(entry, found.as_ref(), self.session.settings.conflict, self.tree.checksum) {
            Verdict::Compare => {
                page.left += 1;
                self.todo.push_back(Todo::Compare(of, found));
            }
            Verdict::Unchanged => self.equal(entry, found.as_ref()),
            verdict => {
                if let Some(how) = self.settle(entry, verdict) {
                    page.left += 1;
                    page.how.insert(of.file, how);
                }
            }
        }
    }

    /// What is decided about a file; how it gets its name if it is to be fetched.
    pub(super) fn settle(&mut self, entry: &TreeEntry, verdict: Verdict) -> Option<How> {
        match verdict {
            Verdict::Fetch(how) if self.tree.dry_run => self.tally.moved(how, entry.size),
            Verdict::Fetch(how) => {
                self.tally.plan(entry.size);
                return Some(how);
            }
            Verdict::Unchanged | Verdict::Compare => self.tally.unchanged(),
            Verdict::Skip => self.tally.skipped(),
            Verdict::Fail(error) => self.tally.failed(&entry.path, error),
        }
        None
    }

    /// Whether a file is asked for with others.
    pub(super) fn is_small(&self, size: u64) -> bool {
        size <= u64::from(self.chunk).min(PACK)
    }

    /// Puts the files of a page that are to be fetched on the list: small ones in groups, the others one by one. What of a group is asked for at a time is decided then.
    fn group(&mut self, number: u32) {
        let Some(page) = self.pages.get(&number) else { return };
        let (mut files, mut bytes) = (Vec::new(), 0);
        for (&file, &how) in &page.how {
            let Some(entry) = page.entries.get(file as usize) else { continue };
            if !self.is_small(entry.size) {
                self.todo.push_back(Todo::Large(FileRequest { page: number, file }, how, 0));
                continue;
            }
            if files.len() >= FILES || (!files.is_empty() && bytes + entry.size > u64::from(self.chunk).min(PACK)) {
                self.todo.push_back(Todo::Files(Group::new(number, std::mem::take(&mut files))));
                bytes = 0;
            }
            files.push(file);
            bytes += entry.size;
        }
        if !files.is_empty() {
            self.todo.push_back(Todo::Files(Group::new(number, files)));
        }
    }

    /// A file that was compared is to be fetched.
    pub(super) fn fetch_compared(&mut self, comparison: &Comparison, size: u64, how: How) {
        let of = comparison.of;
        if let Some(page) = self.pages.get_mut(&of.page) {
            page.how.insert(of.file, how);
        }
        let todo = if self.is_small(size) { Todo::Files(Group::new(of.page, vec![of.file])) } else { Todo::Large(of, how, 0) };
        self.todo.push_back(todo);
    }
}

/// Makes a link, under a name that `policy` allows.
fn make_link(root: &Directory, path: &str, target: &str, policy: ConflictPolicy) -> Result<Published, VfsError> {
    let (folder, name) = names::split(path);
    name_it(name, policy, |name, _| root.make_link(&beside(folder, name), target))
}

/// Replaces a link by another, at once. Until then it has the name `hidden`, which is this transfer's alone.
fn replace_link(root: &Directory, path: &str, target: &str, hidden: &str) -> Result<String, VfsError> {
    let (folder, _) = names::split(path);
    // In the same folder: what a link says is relative to it.
    let waiting = beside(folder, hidden);
    match root.remove_file(&waiting) {
        Ok(()) | Err(VfsError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    root.make_link(&waiting, target)?;
    root.rename(&waiting, path, true).inspect_err(|_| drop(root.remove_file(&waiting)))?;
    Ok(path.to_owned())
}

fn beside(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.into() } else { format!("{folder}/{name}") }
}
