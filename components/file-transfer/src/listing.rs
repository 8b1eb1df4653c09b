//! `list-files` and `list-page`: what is there, a bounded page at a time.

use file_transfer_types::errors::{Side, from_vfs};
use file_transfer_types::manager::{FileInfo, FilePage, ListOptions, Request as Ask, Response as Answer};
use file_transfer_types::names;
use file_transfer_types::types::TransferError;
use transship_guest::address::Address;
use transship_guest::drive::{Directory, DirectoryEntry, FileKind, Rights, VfsError};
use transship_guest::message::{ReceivedRequest, Request};
use transship_guest::warn;

use crate::jobs::{Job, Listing};
use crate::manager::{Handled, Manager};
use crate::rights;
use crate::walk::{Entry, Found, Kind, Tree, Walk};

/// Files in a page that does not say.
const DEFAULT_LIMIT: u32 = 1_000;
/// The most files in a page.
const MAX_LIMIT: u32 = 5_000;
/// The most bytes of names in a page: less than a message's body, with room for what goes around them.
const MAX_BYTES: usize = 900 << 10;
/// What an entry needs in JSON beside its name: numbers, the names of the fields and a digest.
const ENTRY_BYTES: usize = 160;
/// Entries that are read from a folder at a time.
const ENTRIES: u32 = 512;

impl Tree for Directory {
    type Error = VfsError;

    fn entries(&self, folder: &str, after: Option<&str>) -> Result<(Vec<Entry>, bool), VfsError> {
        let (entries, more) = entries(self, folder, after)?;
        let shown = |entry: &DirectoryEntry| if names::is_hidden(&entry.name) { Kind::Other } else { kind(entry) };
        Ok((entries.into_iter().map(|entry| (entry.name.clone(), shown(&entry))).collect(), more))
    }

    fn is_folder(&self, path: &str) -> Result<bool, VfsError> {
        match self.metadata(path) {
            Ok(found) => Ok(found.kind == FileKind::Directory),
            // Whatever else is asked for, it is none.
            Err(VfsError::Io(text)) => Err(VfsError::Io(text)),
            Err(_) => Ok(false),
        }
    }
}

/// Some entries of a folder (empty: the root) after a name, in byte order, and whether there are more.
pub(crate) fn entries(root: &Directory, folder: &str, after: Option<&str>) -> Result<(Vec<DirectoryEntry>, bool), VfsError> {
    let page =
        if folder.is_empty() { root.entries(after, ENTRIES) } else { root.open_directory(folder, false).and_then(|folder| folder.entries(after, ENTRIES)) };
    match page {
        Ok(page) => Ok((page.entries, page.more)),
        // It went away meanwhile, or is closed to us: the rest of the drive is still worth listing.
        Err(VfsError::NotFound(_) | VfsError::NotADirectory(_)) => Ok((Vec::new(), false)),
        Err(VfsError::Denied(text)) if !folder.is_empty() => {
            warn!("{folder} is left out of a listing: {text}");
            Ok((Vec::new(), false))
        }
        Err(error) => Err(error),
    }
}

/// What an entry is to a walk.
pub(crate) fn kind(entry: &DirectoryEntry) -> Kind {
    match entry.metadata.kind {
        FileKind::Regular => Kind::File(entry.metadata.size, entry.metadata.modified),
        FileKind::Directory => Kind::Folder,
        FileKind::SymbolicLink | FileKind::Other => Kind::Other,
    }
}

/// The next files of a walk, at most `limit` and what fits into a message; whether there are more.
pub(crate) fn page<T: Tree>(tree: &T, walk: &mut Walk, limit: u32) -> Result<(Vec<Found>, bool), T::Error> {
    let (mut files, mut bytes) = (Vec::new(), 0);
    while let Some(file) = walk.next(tree)? {
        // What nobody can ask for is not shown: a name with a line break, say.
        if names::check(&file.name).is_err() {
            continue;
        }
        bytes += 2 * file.name.len() + ENTRY_BYTES;
        if files.len() >= limit as usize || bytes > MAX_BYTES {
            return Ok((files, true));
        }
        files.push(file);
    }
    Ok((files, false))
}

impl Manager {
    /// `list-files`: all, or an error that says how else.
    pub(crate) fn list_files(&mut self, received: &ReceivedRequest) -> Result<Handled, TransferError> {
        rights::check(&self.our, received, Rights::LIST)?;
        let files = self.list("", None, MAX_LIMIT)?;
        if files.1 {
            return Err(TransferError::InvalidRequest("there are more files than fit into one answer: use list-page".into()));
        }
        Ok(Handled::Answer(Answer::ListFiles(files.0.into_iter().map(|file| info(file, None)).collect())))
    }

    /// `list-page`, of this node or (for its owner) of another.
    pub(crate) fn list_page(&mut self, received: &ReceivedRequest, options: ListOptions) -> Result<Handled, TransferError> {
        if let Some(node) = options.node.clone().filter(|node| *node != self.our.node) {
            rights::check_local(&self.our, received)?;
            return self.list_elsewhere(&node, options);
        }
        let limit = options.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(TransferError::InvalidRequest(format!("limit is {limit}: it must be 1 to {MAX_LIMIT}")));
        }
        // A digest tells what is in a file, so it takes the right to read.
        let needs = if options.id.is_some() { Rights::LIST | Rights::READ } else { Rights::LIST };
        rights::check(&self.our, received, needs)?;
        let (files, more) = self.list(options.prefix.as_deref().unwrap_or(""), options.after.as_deref(), limit)?;
        let Some(algorithm) = options.id else {
            return Ok(Handled::Answer(Answer::ListPage(FilePage { files: files.into_iter().map(|file| info(file, None)).collect(), more })));
        };
        self.begin(received, |responder| Job::List(Listing { responder, algorithm, todo: files.into(), done: Vec::new(), more }))
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<(Vec<Found>, bool), TransferError> {
        let listed = Walk::new(&self.files, prefix, after).and_then(|mut walk| page(&self.files, &mut walk, limit));
        listed.map_err(|error| from_vfs(error, prefix, Side::Provider))
    }

    /// Hands the question on to another node's manager, whose answer goes straight to the asker.
    fn list_elsewhere(&self, node: &str, options: ListOptions) -> Result<Handled, TransferError> {
        rights::check_known(&self.our, node)?;
        let target = Address::new(node, self.our.process.clone());
        let ask = Ask::ListPage(ListOptions { node: None, ..options });
        let request = Request::to(&target).json(&ask).map_err(|error| TransferError::Failed(error.to_string()))?;
        match request.inherit().send() {
            Ok(()) => Ok(Handled::Later),
            Err(error) => Err(file_transfer_types::errors::from_send(&error.kind, node, "its files were asked for")),
        }
    }
}

/// A file as it is listed.
pub(crate) fn info(file: Found, id: Option<String>) -> FileInfo {
    FileInfo { name: file.name, size: file.size, modified: file.modified, id }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of so many files with names of so many bytes.
    struct Many(usize, usize);

    impl Tree for Many {
        type Error = ();

        fn entries(&self, _: &str, after: Option<&str>) -> Result<(Vec<Entry>, bool), ()> {
            let from = after.map_or(0, |after| after.trim_start_matches('x').parse::<usize>().unwrap() + 1);
            let to = (from + 100).min(self.0);
            let names = (from..to).map(|number| (format!("{}{number:08}", "x".repeat(self.1 - 8)), Kind::File(1, 1)));
            Ok((names.collect(), to < self.0))
        }

        fn is_folder(&self, _: &str) -> Result<bool, ()> {
            Ok(false)
        }
    }

    fn listed(tree: &Many, limit: u32) -> (usize, bool) {
        let mut walk = Walk::new(tree, "", None).unwrap();
        let (files, more) = page(tree, &mut walk, limit).unwrap();
        (files.len(), more)
    }

    #[test]
    fn a_page_says_whether_there_are_more() {
        assert_eq!(listed(&Many(250, 10), 1_000), (250, false));
        assert_eq!(listed(&Many(250, 10), 250), (250, false));
        assert_eq!(listed(&Many(250, 10), 249), (249, true));
        assert_eq!(listed(&Many(0, 10), 1), (0, false));
    }

    #[test]
    fn a_page_fits_into_a_message_however_long_the_names_are() {
        let (files, more) = listed(&Many(5_000, 255), 5_000);
        assert!(more && files > 1_000);
        let mut walk = Walk::new(&Many(5_000, 255), "", None).unwrap();
        let (page, _) = page(&Many(5_000, 255), &mut walk, 5_000).unwrap();
        let infos: Vec<FileInfo> = page.into_iter().map(|file| info(file, Some("0".repeat(64)))).collect();
        assert!(serde_json::to_vec(&Answer::ListFiles(infos)).unwrap().len() < 1 << 20);
    }
}
