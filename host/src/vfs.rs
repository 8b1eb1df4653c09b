//! Drives: folders of this machine that its owner lets packages use, or trees held in memory.
//!
//! - [`name`]: from a text to a path that can't leave a directory, the one choke point;
//! - [`Drive`], [`Directory`], [`File`]: what `transship:host/vfs` offers, with rights and bounds checked here, the same for every kind of drive;
//! - `many`: the same for many files with one call; `link`: which symbolic links may be made;
//! - `folder` and `memory`: the two kinds, behind the traits of `backend`; `lent`: which names a drive shows that lends one file.
//!
//! What always holds: nothing outside the drive's folder is reached, by whatever name or link (a link is seen, renamed and removed, never followed);
//! what a handle's rights do not allow is [`VfsError::NoRight`]; only regular files are opened. All calls block on the disk, unless they say that they don't: make them where blocking is
//! allowed. Handles are cheap to clone and go on working after the name is gone. What was created, renamed or removed is on stable storage after the
//! file's and the directory's `sync`, not before.

mod backend;
mod directory;
mod error;
mod file;
mod folder;
mod lent;
mod link;
mod many;
mod memory;
pub mod name;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use directory::{Directory, MAX_PAGE};
pub use error::VfsError;
pub(crate) use error::words;
pub use file::{File, MAX_READ};
pub use lent::WORKING;
pub use many::{FilePack, FileSettings, MAX_MANY, MAX_PACK, NewFile, NewName};
pub use memory::ENTRY_COST;
pub use name::RelativePath;

use crate::rights::Rights;
use backend::DirectoryBackend;
use lent::Lent;

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file with contents.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link; it is never followed.
    SymbolicLink,
    /// A device, a socket or a pipe.
    Other,
}

/// What is known of a file or directory without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// The length in bytes; 0 for what is no file.
    pub size: u64,
    /// The modification time in nanoseconds since 1970-01-01T00:00:00Z.
    pub modified: i64,
    /// Who may do what with it: the nine lower bits of a POSIX file mode.
    pub permissions: u16,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name, one part of a path.
    pub name: String,
    /// What is known of it.
    pub metadata: Metadata,
}

/// One page of a directory's entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryPage {
    /// In the byte order of their names.
    pub entries: Vec<DirectoryEntry>,
    /// Whether there are more: ask again with the last name as `after`.
    pub more: bool,
    /// What is there too and no path can name, as it is best shown: at most [`MAX_UNNAMED`], in the first page only.
    pub unnamed: Vec<String>,
}

/// The most names in [`DirectoryPage::unnamed`].
pub const MAX_UNNAMED: usize = 100;

/// The bits of a POSIX file mode that are permissions.
pub const PERMISSIONS: u16 = 0o777;

/// How to open a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenFlags {
    /// To read.
    pub read: bool,
    /// To write.
    pub write: bool,
    /// Create it if it is not there, with the directories above it.
    pub create: bool,
    /// With `create`: fail if it is there.
    pub exclusive: bool,
    /// Make it empty.
    pub truncate: bool,
    /// With `create`: one that is made is its owner's alone, until its permissions are set.
    pub private: bool,
    /// Whole blocks of zeros that are written take no room, where the drive can do that.
    pub sparse: bool,
}

/// A drive. Cloning gives another handle to it.
#[derive(Debug, Clone)]
pub struct Drive(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    root: Arc<dyn DirectoryBackend>,
    lent: Option<Arc<Lent>>,
    /// Of one in memory.
    quota: Option<u64>,
}

impl Drive {
    fn new(name: &str, root: impl DirectoryBackend + 'static, lent: Option<Lent>, quota: Option<u64>) -> Self {
        Self(Arc::new(Inner { name: name.into(), root: Arc::new(root), lent: lent.map(Arc::new), quota }))
    }

    /// The folder at `path`, which is there. `path` is the owner's, not a guest's: links in it are followed, once, now.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::NotADirectory`], or what the system says.
    pub fn folder(name: &str, path: &Path) -> Result<Self, VfsError> {
        Ok(Self::new(name, folder::Folder::open_ambient(path)?, None, None))
    }

    /// Like [`Drive::folder`], making the folder and those above it if they are not there.
    ///
    /// # Errors
    /// Like [`Drive::folder`].
    pub fn folder_created(name: &str, path: &Path) -> Result<Self, VfsError> {
        std::fs::create_dir_all(path).map_err(|error| VfsError::from_system(&error, &path.display().to_string()))?;
        Self::folder(name, path)
    }

    /// Lends one name of the folder at `path`: its root shows that name only, and to who may write also working files (see [`WORKING`]) and
    /// numbered names of it (`name (1).ext`). Any other path is [`VfsError::Denied`].
    ///
    /// # Errors
    /// Like [`Drive::folder`]; [`VfsError::InvalidName`] or [`VfsError::NameTooLong`] if `only` is no single name.
    pub fn folder_showing(name: &str, path: &Path, only: &str) -> Result<Self, VfsError> {
        Ok(Self::new(name, folder::Folder::open_ambient(path)?, Some(Lent::new(only)?), None))
    }

    /// A drive in memory that holds at most `quota` bytes: the bytes of its files, and [`ENTRY_COST`] for each entry.
    pub fn memory(name: &str, quota: u64) -> Self {
        Self::new(name, memory::MemoryDirectory::root(quota), None, Some(quota))
    }

    /// The most bytes that it holds, if it is in memory.
    pub fn memory_quota(&self) -> Option<u64> {
        self.0.quota
    }

    /// Its full name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether both are handles to one drive.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Its root, for a holder of `rights`.
    pub fn root(&self, rights: Rights) -> Directory {
        Directory::new(self.clone(), self.0.root.clone(), rights, self.0.lent.clone())
    }
}
