//! An open directory of a drive: checks names, rights and bounds, and lets the drive's kind do the rest.

use std::sync::Arc;

use super::backend::{DirectoryBackend, Opening};
use super::lent::Lent;
use super::{DirectoryPage, Drive, File, Metadata, OpenFlags, RelativePath, VfsError};
use crate::rights::Rights;

/// The most entries in a page.
pub const MAX_PAGE: u32 = 10_000;

pub(super) const LIST: Rights = Rights { list: true, ..Rights::NONE };
pub(super) const READ: Rights = Rights { read: true, ..Rights::NONE };
pub(super) const WRITE: Rights = Rights { write: true, ..Rights::NONE };

/// The root of a drive, or a directory below it. Every path is relative to it and can't leave it.
#[derive(Debug, Clone)]
pub struct Directory {
    drive: Drive,
    backend: Arc<dyn DirectoryBackend>,
    rights: Rights,
    lent: Option<Arc<Lent>>,
}

impl Directory {
    pub(super) fn new(drive: Drive, backend: Arc<dyn DirectoryBackend>, rights: Rights, lent: Option<Arc<Lent>>) -> Self {
        Self { drive, backend, rights, lent }
    }

    pub(super) fn backend(&self) -> &dyn DirectoryBackend {
        &*self.backend
    }

    /// The full name of the drive.
    pub fn drive(&self) -> &str {
        self.drive.name()
    }

    /// What may be done here.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// Opens a file. To read needs `read`; to write, create or truncate needs `write`. `exclusive` counts with `create` only.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::Exists`] if `exclusive`, [`VfsError::IsADirectory`], [`VfsError::Denied`], [`VfsError::NoRight`] also for what is no regular file, and others.
    pub fn open_file(&self, path: &str, how: OpenFlags) -> Result<File, VfsError> {
        let path = self.place(path)?;
        let changes = how.write || how.create || how.truncate;
        if how.read || !changes {
            self.need(READ, "reading")?;
        }
        if changes {
            self.need(WRITE, "writing")?;
        }
        if !how.read && !how.write {
            return Err(VfsError::Denied(format!("'{path}': a file is opened to read, to write or both, and neither was asked for")));
        }
        let (exclusive, private) = (how.create && how.exclusive, how.create && how.private);
        let opening = Opening { read: how.read, write: changes, create: how.create, exclusive, private, sparse: how.sparse };
        let backend = self.backend.open_file(&path, opening)?;
        // After the backend has seen that it is a regular file, and not by the opening itself: what is none must not be touched.
        if how.truncate {
            backend.set_length(0)?;
        }
        Ok(File::new(backend, how.read, how.write))
    }

    /// A file opened to read, if what the system has in memory is enough for that: this does not block. None: it is not, or opening fails, and [`Directory::open_file`] says why.
    pub fn open_at_once(&self, path: &str, how: OpenFlags) -> Option<File> {
        let only_reads = how.read && !how.write && !how.create && !how.truncate;
        let path = self.place(path).ok().filter(|_| only_reads && self.rights.contains(READ))?;
        Some(File::new(self.backend.open_at_once(&path)?, true, false))
    }

    /// Opens a directory below this one; with `create`, makes it and those above it if they are not there, which needs `write`.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::NotADirectory`], [`VfsError::Denied`], [`VfsError::NoRight`] and others.
    pub fn open_directory(&self, path: &str, create: bool) -> Result<Self, VfsError> {
        let path = self.place(path)?;
        self.refuse_if_lent(&path)?;
        if create {
            self.need(WRITE, "creating directories")?;
        }
        if self.rights == Rights::NONE {
            return Err(self.lacks(Rights { list: true, ..Rights::NONE }, "opening directories", "one of the rights list, read and write"));
        }
        Ok(Self { drive: self.drive.clone(), backend: self.backend.open_directory(&path, create)?, rights: self.rights, lent: None })
    }

    /// A directory below this one that is there, if what the system has in memory is enough to open it: this does not block. None: it is not, or opening fails, and
    /// [`Directory::open_directory`] says why.
    pub fn open_directory_at_once(&self, path: &str, create: bool) -> Option<Self> {
        let path = self.place(path).ok()?;
        self.refuse_if_lent(&path).ok()?;
        let may = self.rights != Rights::NONE && (!create || self.rights.contains(WRITE));
        let backend = may.then(|| self.backend.open_directory_at_once(&path)).flatten()?;
        Some(Self { drive: self.drive.clone(), backend, rights: self.rights, lent: None })
    }

    /// One page of the entries of this directory whose names are greater than `after` in byte order: at most `limit`, 1 to [`MAX_PAGE`]. Needs `list`.
    ///
    /// What no path can name (see [`RelativePath`]) is left out. However many there are, the memory that this takes is bounded: names that follow are
    /// kept for the next pages, some megabytes of a drive at most, as long as the directory is as it was.
    ///
    /// # Errors
    /// [`VfsError::Limit`], [`VfsError::Denied`], [`VfsError::NoRight`] and others.
    pub fn entries(&self, after: Option<&str>, limit: u32) -> Result<DirectoryPage, VfsError> {
        self.need(LIST, "listing")?;
        if limit == 0 || limit > MAX_PAGE {
            return Err(VfsError::Limit(format!("a page of entries has 1 to {MAX_PAGE} of them, and {limit} were asked for")));
        }
        let shown = |name: &str| self.lent.as_ref().is_none_or(|lent| lent.shows(name, self.rights.write));
        self.backend.entries(after, limit as usize, &shown)
    }

    /// What is known of what stands there; of a link, not of what it points to. Needs `list` or `read`.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::Denied`], [`VfsError::NoRight`] and others.
    pub fn metadata(&self, path: &str) -> Result<Metadata, VfsError> {
        self.backend.metadata(&self.place_to_look_at(path)?)
    }

    /// What [`Directory::metadata`] returns, if it is known without waiting: this does not block. None: it is not.
    pub fn metadata_at_once(&self, path: &str) -> Option<Result<Metadata, VfsError>> {
        self.backend.metadata_at_once(&self.place_to_look_at(path).ok()?)
    }

    fn place_to_look_at(&self, path: &str) -> Result<RelativePath, VfsError> {
        let path = self.place(path)?;
        self.may_look()?;
        Ok(path)
    }

    /// Gives something another name, at once and completely. Without `replace`, fails if the new name is taken, and there is no moment at which what
    /// is there could be lost. Needs `write`.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::Exists`], and with `replace` [`VfsError::IsADirectory`], [`VfsError::NotADirectory`] or [`VfsError::NotEmpty`] if the
    /// new name is taken by something that the old can't replace.
    pub fn rename(&self, old: &str, new: &str, replace: bool) -> Result<(), VfsError> {
        let (old, new) = (self.place(old)?, self.place(new)?);
        self.need(WRITE, "renaming")?;
        if old.is_above(&new) {
            return Err(VfsError::InvalidName(format!("'{new}' is inside '{old}', and a directory can't be moved into itself")));
        }
        self.backend.rename(&old, &new, replace)
    }

    /// Copies a file, which appears under the new name when it is complete. Needs `read` and `write`.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::Exists`], [`VfsError::NoSpace`] and others; then nothing of the copy is left.
    pub fn copy(&self, source: &str, target: &str) -> Result<(), VfsError> {
        let (source, target) = (self.place(source)?, self.place(target)?);
        self.need(READ, "copying")?;
        self.need(WRITE, "copying")?;
        self.backend.copy(&source, &target)
    }

    /// Removes a file or a link. Needs `write`.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::IsADirectory`], [`VfsError::Denied`], [`VfsError::NoRight`] and others.
    pub fn remove_file(&self, path: &str) -> Result<(), VfsError> {
        let path = self.place(path)?;
        self.need(WRITE, "removing")?;
        self.backend.remove_file(&path)
    }

    /// Removes a directory; with `recursive`, all below it too, where links are removed and not followed. Needs `write`.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::NotADirectory`], [`VfsError::NotEmpty`], [`VfsError::Denied`], [`VfsError::NoRight`] and others.
    pub fn remove_directory(&self, path: &str, recursive: bool) -> Result<(), VfsError> {
        let path = self.place(path)?;
        self.refuse_if_lent(&path)?;
        self.need(WRITE, "removing")?;
        self.backend.remove_directory(&path, recursive)
    }

    /// Waits until what was created, renamed and removed in this directory (not in those below) is on stable storage.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> Result<(), VfsError> {
        self.backend.sync()
    }

    /// How many bytes can be written here before it is full.
    ///
    /// # Errors
    /// What the system says.
    pub fn free_space(&self) -> Result<u64, VfsError> {
        self.backend.free_space()
    }

    /// [`Directory::free_space`], if it is known without waiting: this does not block. None: it is not.
    pub fn free_space_at_once(&self) -> Option<Result<u64, VfsError>> {
        self.backend.tells_space_at_once().then(|| self.free_space())
    }

    /// Where every path from outside becomes a place in this directory.
    pub(super) fn place(&self, text: &str) -> Result<RelativePath, VfsError> {
        let path = RelativePath::parse(text)?;
        match &self.lent {
            Some(lent) if !lent.permits(&path, self.rights.write) => {
                Err(VfsError::Denied(format!("'{path}' is not the file that was lent with '{}'", self.drive.name())))
            }
            _ => Ok(path),
        }
    }

    pub(super) fn refuse_if_lent(&self, path: &RelativePath) -> Result<(), VfsError> {
        self.refuse_if_one_is_lent().map_err(|error| match error {
            VfsError::Denied(text) => VfsError::Denied(format!("'{path}': {text}")),
            other => other,
        })
    }

    pub(super) fn refuse_if_one_is_lent(&self) -> Result<(), VfsError> {
        if self.lent.is_some() { Err(VfsError::Denied(format!("'{}' lends a file, not a directory", self.drive.name()))) } else { Ok(()) }
    }

    pub(super) fn may_look(&self) -> Result<(), VfsError> {
        if self.rights.list || self.rights.read {
            return Ok(());
        }
        Err(self.lacks(Rights { list: true, ..Rights::NONE }, "looking at a file", "the right list or read"))
    }

    pub(super) fn need(&self, right: Rights, doing: &str) -> Result<(), VfsError> {
        if self.rights.contains(right) { Ok(()) } else { Err(self.lacks(right, doing, &format!("the right {right}"))) }
    }

    pub(super) fn lacks(&self, right: Rights, doing: &str, what: &str) -> VfsError {
        VfsError::NoRight(right, format!("{doing} in '{}' needs {what}, and the rights here are: {}", self.drive.name(), self.rights))
    }
}
