//! What a kind of drive must be able to do. Rights, names and bounds are checked before ([`super::Directory`], [`super::File`]); a backend meets checked paths only.

use std::fmt;
use std::sync::Arc;

use super::many::{FilePack, Renaming, Setting, Writing};
use super::{DirectoryPage, Metadata, RelativePath, VfsError};
use crate::blob::{BlobError, ReadAt};

/// A path that was checked, or why it is none.
pub(super) type Checked<T> = Result<T, VfsError>;

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
    /// Zeros need not take room.
    pub(super) sparse: bool,
}

/// A directory of some kind of drive. Links are not followed, whatever the path.
pub(super) trait DirectoryBackend: Send + Sync + fmt::Debug {
    fn open_file(&self, path: &RelativePath, how: Opening) -> Result<Arc<dyn FileBackend>, VfsError>;
    fn open_directory(&self, path: &RelativePath, create: bool) -> Result<Arc<dyn DirectoryBackend>, VfsError>;
    /// At most `limit` entries whose names are greater than `after` and pass `shown`, in byte order.
    fn entries(&self, after: Option<&str>, limit: usize, shown: &dyn Fn(&str) -> bool) -> Result<DirectoryPage, VfsError>;
    fn metadata(&self, path: &RelativePath) -> Result<Metadata, VfsError>;
    /// What `metadata` tells, if that is known without waiting for a disk or another machine.
    fn metadata_at_once(&self, _: &RelativePath) -> Option<Result<Metadata, VfsError>> {
        None
    }
    /// The file, opened to read, if that can be done without waiting for a disk or another machine. None: it can't, or fails.
    fn open_at_once(&self, _: &RelativePath) -> Option<Arc<dyn FileBackend>> {
        None
    }
    /// The directory, if it is there and can be opened as the file above.
    fn open_directory_at_once(&self, _: &RelativePath) -> Option<Arc<dyn DirectoryBackend>> {
        None
    }
    /// `new` is not below `old`.
    fn rename(&self, old: &RelativePath, new: &RelativePath, replace: bool) -> Result<(), VfsError>;
    fn copy(&self, source: &RelativePath, target: &RelativePath) -> Result<(), VfsError>;
    fn remove_file(&self, path: &RelativePath) -> Result<(), VfsError>;
    fn remove_directory(&self, path: &RelativePath, recursive: bool) -> Result<(), VfsError>;
    fn sync(&self) -> Result<(), VfsError>;
    fn free_space(&self) -> Result<u64, VfsError>;
    /// Whether `free_space` never waits for a disk or another machine.
    fn tells_space_at_once(&self) -> bool {
        false
    }
    fn read_link(&self, path: &RelativePath) -> Result<String, VfsError>;
    fn make_link(&self, path: &RelativePath, target: &str) -> Result<(), VfsError>;
    fn set_directory(&self, path: &RelativePath, modified: i64, permissions: u16) -> Result<(), VfsError>;
    /// Of this directory itself, as the next.
    fn own_metadata(&self) -> Result<Metadata, VfsError>;
    fn set_own(&self, modified: i64, permissions: u16) -> Result<(), VfsError>;
    /// All of the drive.
    fn sync_all(&self) -> Result<(), VfsError>;

    // Many at once. What follows is right for every backend; one that can do it with less work does.

    fn metadata_of(&self, paths: &mut dyn Iterator<Item = Checked<RelativePath>>) -> Vec<Result<Metadata, VfsError>> {
        paths.map(|path| self.metadata(&path?)).collect()
    }

    /// At most `limit` bytes together.
    fn read_files(&self, paths: &mut dyn Iterator<Item = Checked<RelativePath>>, limit: u64) -> FilePack {
        let how = Opening { read: true, write: false, create: false, exclusive: false, private: false, sparse: false };
        let mut pack = Packing::new(limit);
        for path in paths {
            let opened = path.and_then(|path| {
                let file = self.open_file(&path, how)?;
                Ok((file.metadata()?, file))
            });
            if !pack.add(opened, |file, buffer| file.read_exact_at(buffer, 0)) {
                break;
            }
        }
        pack.done()
    }

    fn write_files(&self, files: &mut dyn Iterator<Item = Checked<Writing>>) -> Vec<Result<(), VfsError>> {
        let how = Opening { read: false, write: true, create: true, exclusive: true, private: true, sparse: false };
        let write = |file: Writing| {
            if let (Some(above), _) = file.path.split_last() {
                // To open a file would make it.
                self.open_directory(&RelativePath::parse(above)?, false)?;
            }
            let new = self.open_file(&file.path, how)?;
            let written = new.write_all_at(&file.bytes, 0).and_then(|()| new.set_modified(file.modified)).and_then(|()| new.set_permissions(file.permissions));
            written.inspect_err(|_| drop(self.remove_file(&file.path)))
        };
        files.map(|file| write(file?)).collect()
    }

    /// Of each, whether anything is different from then on.
    fn set_files(&self, files: &mut dyn Iterator<Item = Checked<Setting>>) -> Vec<Result<bool, VfsError>> {
        let set = |(path, modified, permissions): Setting| {
            let open = |read| self.open_file(&path, Opening { read, write: !read, create: false, exclusive: false, private: false, sparse: false });
            // Whose file it is may set both, whatever they say; but it has to be opened for that.
            let file = open(true).or_else(|error| if matches!(error, VfsError::Denied(_)) { open(false) } else { Err(error) })?;
            let before = file.metadata()?;
            // Unchanged ones are not touched.
            if let Some(permissions) = permissions.filter(|permissions| *permissions != before.permissions) {
                file.set_permissions(permissions)?;
            }
            if let Some(modified) = modified.filter(|modified| *modified != before.modified) {
                file.set_modified(modified)?;
            }
            Ok(file.metadata()? != before)
        };
        files.map(|file| set(file?)).collect()
    }

    fn rename_files(&self, names: &mut dyn Iterator<Item = Checked<Renaming>>) -> Vec<Result<(), VfsError>> {
        names
            .map(|name| {
                let (old, new, replace) = name?;
                self.rename(&old, &new, replace)
            })
            .collect()
    }
}

/// A pack that is being filled.
pub(super) struct Packing {
    limit: u64,
    files: Vec<Result<(Metadata, u64), VfsError>>,
    contents: Vec<u8>,
}

impl Packing {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, files: Vec::new(), contents: Vec::new() }
    }

    /// Adds a file, which `read` fills a buffer from. False: it does not fit any more.
    pub(super) fn add<F>(&mut self, opened: Result<(Metadata, F), VfsError>, read: impl FnOnce(&F, &mut [u8]) -> Result<(), BlobError>) -> bool {
        let start = self.contents.len();
        let added = opened.and_then(|(metadata, file)| {
            if metadata.size > self.limit {
                return Err(VfsError::Limit(format!("{} bytes are more than the {} that are read at once", metadata.size, self.limit)));
            }
            let size = usize::try_from(metadata.size).map_err(|_| VfsError::Limit("the file does not fit into memory".into()))?;
            if start as u64 + metadata.size > self.limit {
                return Ok(None);
            }
            self.contents.resize(start + size, 0);
            match self.contents.get_mut(start..) {
                Some(buffer) if size > 0 => read(&file, buffer)?,
                _ => {}
            }
            Ok(Some((metadata, start as u64)))
        });
        match added {
            Ok(None) => return false,
            Ok(Some(read)) => self.files.push(Ok(read)),
            Err(error) => {
                self.contents.truncate(start);
                self.files.push(Err(error));
            }
        }
        true
    }

    pub(super) fn done(self) -> FilePack {
        FilePack { files: self.files, contents: self.contents.into() }
    }
}

/// An open file of some kind of drive. Offsets plus lengths are at most `i64::MAX`.
pub(super) trait FileBackend: ReadAt {
    /// Fills `buffer` from `offset`; returns fewer bytes only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, VfsError>;
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<(), VfsError>;
    fn set_length(&self, length: u64) -> Result<(), VfsError>;
    fn sync(&self) -> Result<(), VfsError>;
    fn metadata(&self) -> Result<Metadata, VfsError>;
    /// Whether `metadata` never waits for a disk or another machine.
    fn tells_at_once(&self) -> bool;
    fn set_modified(&self, nanoseconds: i64) -> Result<(), VfsError>;
    /// At most `0o777`.
    fn set_permissions(&self, permissions: u16) -> Result<(), VfsError>;
}
