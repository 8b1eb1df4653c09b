//! What a kind of drive must be able to do. Rights, names and bounds are checked before ([`super::Directory`], [`super::File`]); a backend meets checked paths only.

use std::fmt;
use std::sync::Arc;

use super::{DirectoryPage, Metadata, RelativePath, VfsError};
use crate::blob::ReadAt;

/// How a backend opens a file. At least one of `read` and `write` is set, and `write` whenever `create` is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) create: bool,
    /// Only with `create`.
    pub(super) exclusive: bool,
    /// Only with `create`: one that is made is its owner's alone.
    pub(super) private: bool,
}

/// A directory of some kind of drive. Links are not followed, whatever the path.
pub(super) trait DirectoryBackend: Send + Sync + fmt::Debug {
    fn open_file(&self, path: &RelativePath, how: Opening) -> Result<Arc<dyn FileBackend>, VfsError>;
    fn open_directory(&self, path: &RelativePath, create: bool) -> Result<Arc<dyn DirectoryBackend>, VfsError>;
    /// At most `limit` entries whose names are greater than `after` and pass `shown`, in byte order.
    fn entries(&self, after: Option<&str>, limit: usize, shown: &dyn Fn(&str) -> bool) -> Result<DirectoryPage, VfsError>;
    fn metadata(&self, path: &RelativePath) -> Result<Metadata, VfsError>;
    /// `new` is not below `old`.
    fn rename(&self, old: &RelativePath, new: &RelativePath, replace: bool) -> Result<(), VfsError>;
    fn copy(&self, source: &RelativePath, target: &RelativePath) -> Result<(), VfsError>;
    fn remove_file(&self, path: &RelativePath) -> Result<(), VfsError>;
    fn remove_directory(&self, path: &RelativePath, recursive: bool) -> Result<(), VfsError>;
    fn sync(&self) -> Result<(), VfsError>;
    fn free_space(&self) -> Result<u64, VfsError>;
}

/// An open file of some kind of drive. Offsets plus lengths are at most `i64::MAX`.
pub(super) trait FileBackend: ReadAt {
    /// Fills `buffer` from `offset`; returns fewer bytes only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, VfsError>;
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<(), VfsError>;
    fn set_length(&self, length: u64) -> Result<(), VfsError>;
    fn sync(&self) -> Result<(), VfsError>;
    fn metadata(&self) -> Result<Metadata, VfsError>;
    fn set_modified(&self, nanoseconds: i64) -> Result<(), VfsError>;
    /// At most `0o777`.
    fn set_permissions(&self, permissions: u16) -> Result<(), VfsError>;
}
