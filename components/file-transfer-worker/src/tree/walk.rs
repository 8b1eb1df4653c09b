//! Walking a tree at the sender: each folder before what is in it, in the byte order of the names in a folder, a page at a time.
//!
//! In memory are the entries of one page and, for each folder on the way down, those that were read from it and not yet come to. Links are never followed, and the node's own hidden files are not seen.

use std::collections::VecDeque;

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::names;
use file_transfer_types::protocol::{EntryKind, TreeEntry, TreePage};
use file_transfer_types::types::{LinkPolicy, TransferError, TreeFailure};
use transship_guest::drive::{Directory, DirectoryEntry, DirectoryPage, FileKind, Metadata, VfsError};

use super::filter::Filter;
use super::{PAGE, PAGE_BYTES};

/// Entries that are read from a folder at a time.
const ENTRIES: u32 = 2_048;
/// How deep a tree may be: far more than a path has room for.
const DEPTH: usize = 2_048;
/// What an entry takes in a page beside its path.
const ENTRY_BYTES: usize = 150;

/// What is walked through.
pub(crate) trait Folders {
    /// Some entries of a folder (empty: the top) after a name.
    fn entries(&self, folder: &str, after: Option<&str>) -> Result<DirectoryPage, VfsError>;
    /// What a link says.
    fn link(&self, path: &str) -> Result<String, VfsError>;
    /// What is known of the top itself.
    fn top(&self) -> Result<Metadata, VfsError>;
}

impl Folders for Directory {
    fn entries(&self, folder: &str, after: Option<&str>) -> Result<DirectoryPage, VfsError> {
        if folder.is_empty() { self.entries(after, ENTRIES) } else { self.open_directory(folder, false)?.entries(after, ENTRIES) }
    }

    fn link(&self, path: &str) -> Result<String, VfsError> {
        self.read_link(path)
    }

    fn top(&self) -> Result<Metadata, VfsError> {
        self.own_metadata()
    }
}

/// A folder on the way down.
#[derive(Debug)]
struct Level {
    path: String,
    entries: VecDeque<DirectoryEntry>,
    /// Up to here it was read. None: not at all.
    after: Option<String>,
    more: bool,
}

impl Level {
    fn new(path: String) -> Self {
        Self { path, entries: VecDeque::new(), after: None, more: true }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Walk {
    levels: Vec<Level>,
    filter: Filter,
    links: LinkPolicy,
    /// No page has been made yet.
    first: bool,
}

impl Walk {
    /// From the top.
    pub(crate) fn new(filter: Filter, links: LinkPolicy) -> Self {
        Self { levels: vec![Level::new(String::new())], filter, links, first: true }
    }

    /// The next page.
    ///
    /// # Errors
    /// If the top can't be read, or for a link that is refused.
    pub(crate) fn page<F: Folders>(&mut self, folders: &F) -> Result<TreePage, TransferError> {
        let mut page = TreePage { entries: Vec::new(), failures: Vec::new(), skipped: 0, more: true, top: None };
        if std::mem::take(&mut self.first) {
            let Metadata { modified, permissions, .. } = folders.top().map_err(|error| from_vfs(error, "the folder", Side::Provider))?;
            page.top = Some(TreeEntry { path: String::new(), kind: EntryKind::Folder, size: 0, modified, permissions, target: None });
        }
        let mut bytes = 0;
        while page.entries.len() < PAGE && page.failures.len() < PAGE && bytes < PAGE_BYTES {
            let Some((path, entry)) = self.next(folders, &mut page)? else {
                page.more = false;
                break;
            };
            let (entries, failures) = (page.entries.len(), page.failures.len());
            self.take(folders, path, &entry, &mut page)?;
            let added = page.entries.get(entries..).unwrap_or_default().iter().map(|entry| entry.path.len() + entry.target.as_ref().map_or(0, String::len));
            let failed = page.failures.get(failures..).unwrap_or_default().iter().map(|failure| 2 * failure.name.len());
            bytes += added.chain(failed).map(|bytes| bytes + ENTRY_BYTES).sum::<usize>();
        }
        Ok(page)
    }

    /// The next entry of any folder, with its path.
    fn next<F: Folders>(&mut self, folders: &F, page: &mut TreePage) -> Result<Option<(String, DirectoryEntry)>, TransferError> {
        while let Some(level) = self.levels.last_mut() {
            if let Some(entry) = level.entries.pop_front() {
                let path = if level.path.is_empty() { entry.name.clone() } else { format!("{}/{}", level.path, entry.name) };
                return Ok(Some((path, entry)));
            }
            if !level.more {
                self.levels.pop();
                continue;
            }
            match folders.entries(&level.path, level.after.as_deref()) {
                Ok(DirectoryPage { entries, more, unnamed }) => {
                    for name in unnamed {
                        let path = if level.path.is_empty() { name } else { format!("{}/{name}", level.path) };
                        let error =
                            TransferError::InvalidName("the name has a line break, a '\\' or what is no Unicode text, and can't be a name elsewhere".into());
                        page.failures.push(TreeFailure { name: names::shown(&path), error });
                    }
                    level.after = entries.last().map(|entry| entry.name.clone()).or(level.after.take());
                    level.more = more && !entries.is_empty();
                    level.entries = entries.into();
                }
                Err(error) if level.path.is_empty() => return Err(from_vfs(error, "the folder", Side::Provider)),
                Err(error) => {
                    let name = level.path.clone();
                    page.failures.push(TreeFailure { error: from_vfs(error, &name, Side::Provider), name });
                    self.levels.pop();
                }
            }
        }
        Ok(None)
    }

    /// Puts an entry into the page, if it takes part.
    fn take<F: Folders>(&mut self, folders: &F, path: String, entry: &DirectoryEntry, page: &mut TreePage) -> Result<(), TransferError> {
        let found = &entry.metadata;
        if names::is_hidden(&entry.name) || !self.filter.takes(&path, found.kind == FileKind::Directory) {
            return Ok(());
        }
        // A name with a line break, for one, or a path that has become too long.
        if let Err(error) = names::check(&path) {
            page.failures.push(TreeFailure { name: names::shown(&path), error });
            return Ok(());
        }
        let (kind, target) = match (found.kind, self.links) {
            (FileKind::Regular, _) => (EntryKind::File, None),
            (FileKind::Directory, _) => (EntryKind::Folder, None),
            (FileKind::Other, _) | (FileKind::SymbolicLink, LinkPolicy::Skip) => {
                page.skipped += 1;
                return Ok(());
            }
            (FileKind::SymbolicLink, LinkPolicy::Refuse) => return Err(TransferError::NotAFile(format!("{path} (a symbolic link)"))),
            (FileKind::SymbolicLink, LinkPolicy::Keep) => match folders.link(&path) {
                Ok(target) => (EntryKind::Link, Some(target)),
                Err(error) => {
                    page.failures.push(TreeFailure { error: from_vfs(error, &path, Side::Provider), name: path });
                    return Ok(());
                }
            },
        };
        if kind == EntryKind::Folder {
            if self.levels.len() >= DEPTH {
                let error = TransferError::NameTooLong(format!("more than {DEPTH} folders in each other"));
                page.failures.push(TreeFailure { name: names::shown(&path), error });
                return Ok(());
            }
            self.levels.push(Level::new(path.clone()));
        }
        page.entries.push(TreeEntry { path, kind, size: found.size, modified: found.modified, permissions: found.permissions, target });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A drive with these paths: what ends in `/` is a folder, what has `->` is a link, what begins with `?` can't be read.
    struct Fake(Vec<&'static str>);

    impl Folders for Fake {
        fn entries(&self, folder: &str, after: Option<&str>) -> Result<DirectoryPage, VfsError> {
            if folder.rsplit('/').next().is_some_and(|name| name.starts_with('?')) {
                return Err(VfsError::Denied("closed".into()));
            }
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let mut names: Vec<(String, FileKind)> =
                self.0.iter().filter_map(|path| path.strip_prefix(&prefix)).filter(|rest| !rest.is_empty()).map(child).collect();
            names.sort_by(|a, b| a.0.cmp(&b.0));
            names.dedup_by(|a, b| a.0 == b.0);
            let mut rest: Vec<_> = names.into_iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after)).collect();
            let more = rest.len() > 2;
            rest.truncate(2);
            let metadata = |kind| Metadata { kind, size: 3, modified: 4, permissions: 0o644 };
            let entries = rest.into_iter().map(|(name, kind)| DirectoryEntry { name, metadata: metadata(kind) }).collect();
            let unnamed = if folder == "odd" && after.is_none() { vec!["a\\nb".into()] } else { Vec::new() };
            Ok(DirectoryPage { entries, more, unnamed })
        }

        fn link(&self, path: &str) -> Result<String, VfsError> {
            let found = self.0.iter().find_map(|entry| entry.strip_prefix(path)?.strip_prefix("->"));
            found.map(str::to_owned).ok_or_else(|| VfsError::NotFound(path.into()))
        }

        fn top(&self) -> Result<Metadata, VfsError> {
            Ok(Metadata { kind: FileKind::Directory, size: 0, modified: 77, permissions: 0o711 })
        }
    }

    fn child(rest: &str) -> (String, FileKind) {
        match (rest.split_once('/'), rest.split_once("->")) {
            (Some((first, _)), _) => (first.into(), FileKind::Directory),
            (None, Some((name, _))) => (name.into(), FileKind::SymbolicLink),
            (None, None) => (rest.into(), FileKind::Regular),
        }
    }

    fn walk(links: LinkPolicy, globs: &[&str]) -> Walk {
        Walk::new(Filter::new(&globs.iter().map(|&glob| glob.into()).collect::<Vec<_>>()).unwrap(), links)
    }

    fn paths(page: &TreePage) -> Vec<&str> {
        page.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    const ALL: [&str; 9] = ["a", "b/c", "b/d/e", "b/f", "empty/", "g->b", ".transship-x/y", "z/1", "z/2"];

    #[test]
    fn each_folder_comes_before_what_is_in_it_and_hidden_files_do_not_come() {
        let page = walk(LinkPolicy::Skip, &[]).page(&Fake(ALL.into())).unwrap();
        assert_eq!(paths(&page), ["a", "b", "b/c", "b/d", "b/d/e", "b/f", "empty", "z", "z/1", "z/2"]);
        assert_eq!((page.skipped, page.failures.len(), page.more), (1, 0, false));
    }

    #[test]
    fn links_are_left_out_kept_or_refused() {
        let page = walk(LinkPolicy::Keep, &[]).page(&Fake(ALL.into())).unwrap();
        let link = page.entries.iter().find(|entry| entry.path == "g").unwrap();
        assert_eq!((link.kind, link.target.as_deref(), page.skipped), (EntryKind::Link, Some("b"), 0));
        assert!(matches!(walk(LinkPolicy::Refuse, &[]).page(&Fake(ALL.into())), Err(TransferError::NotAFile(name)) if name.starts_with("g ")));
    }

    #[test]
    fn a_folder_that_takes_no_part_is_not_even_read() {
        let fake = Fake(vec!["a", "?closed/b", "c/d"]);
        let page = walk(LinkPolicy::Skip, &["!?closed"]).page(&fake).unwrap();
        assert_eq!((paths(&page), page.failures.len()), (vec!["a", "c", "c/d"], 0));
    }

    #[test]
    fn what_can_not_be_read_or_named_is_a_failure_and_the_rest_goes_on() {
        let page = walk(LinkPolicy::Skip, &[]).page(&Fake(vec!["?closed/b", "a\nb", "c", "odd/d"])).unwrap();
        assert_eq!(paths(&page), ["?closed", "c", "odd", "odd/d"]);
        let failures: Vec<&str> = page.failures.iter().map(|failure| failure.name.as_str()).collect();
        assert_eq!(failures, ["?closed", "a\u{fffd}b", "odd/a\\nb"]);
    }

    /// So many files of names of so many bytes.
    struct Many(usize, usize);

    impl Folders for Many {
        fn entries(&self, _: &str, after: Option<&str>) -> Result<DirectoryPage, VfsError> {
            let from = after.map_or(0, |after| after.trim_start_matches('x').parse::<usize>().unwrap() + 1);
            let to = (from + 700).min(self.0);
            let metadata = Metadata { kind: FileKind::Regular, size: 3, modified: 4, permissions: 0o644 };
            let names = (from..to).map(|number| format!("{}{number:08}", "x".repeat(self.1 - 8)));
            Ok(DirectoryPage { entries: names.map(|name| DirectoryEntry { name, metadata }).collect(), more: to < self.0, unnamed: Vec::new() })
        }

        fn link(&self, path: &str) -> Result<String, VfsError> {
            Err(VfsError::NotFound(path.into()))
        }

        fn top(&self) -> Result<Metadata, VfsError> {
            Fake(Vec::new()).top()
        }
    }

    #[test]
    fn pages_have_all_entries_once_and_fit_into_a_message() {
        for (count, length) in [(2_500, 10), (2_500, 255), (1_000, 10), (0, 10)] {
            let (mut walk, mut seen, mut first) = (walk(LinkPolicy::Skip, &[]), 0, true);
            loop {
                let page = walk.page(&Many(count, length)).unwrap();
                assert_eq!(page.top.as_ref().map(|top| (top.path.as_str(), top.modified, top.permissions)), first.then_some(("", 77, 0o711)));
                first = false;
                assert!(page.entries.len() <= PAGE && serde_json::to_vec(&page).unwrap().len() < 1 << 20);
                seen += page.entries.len();
                if !page.more {
                    break;
                }
            }
            assert_eq!(seen, count);
        }
    }
}
