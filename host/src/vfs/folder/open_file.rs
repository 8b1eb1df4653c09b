//! An open file of the machine.

use std::fs;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{Mode, fchmod, fstat};
use rustix::io::{ReadWriteFlags, preadv2};
use rustix::process::umask;

use super::direct::Direct;
use super::{at_once, describe, holes, system};
use crate::blob::{BlobError, ReadAt, Stamp};
use crate::vfs::backend::FileBackend;
use crate::vfs::{Metadata, RelativePath, VfsError, words};

/// A regular file, and the path that it was opened by, for messages.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: fs::File,
    path: RelativePath,
    /// Zeros are written as holes.
    sparse: bool,
    direct: Direct,
    /// The system has in memory what it knows of it.
    local: bool,
}

impl OpenFile {
    pub(super) fn new(file: fs::File, path: &RelativePath, sparse: bool) -> Self {
        let local = at_once::is_local(&file);
        Self { file, path: path.clone(), sparse, direct: Direct::default(), local }
    }

    /// One that was opened to read, and is known to be on a local file system.
    pub(super) fn local(file: fs::File, path: &RelativePath) -> Self {
        Self { file, path: path.clone(), sparse: false, direct: Direct::default(), local: true }
    }

    /// Writes all of `bytes`: as much as can be past the cache.
    fn put(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let done = self.direct.write(&self.file, bytes, offset)?;
        match bytes.get(done..) {
            Some(rest) if !rest.is_empty() => self.file.write_all_at(rest, offset + done as u64),
            _ => Ok(()),
        }
    }

    fn said(&self, error: &io::Error) -> VfsError {
        VfsError::from_system(error, self.path.as_str())
    }
}

impl ReadAt for OpenFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
        self.file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BlobError::Changed,
            _ => BlobError::Io(format!("{}: {}", self.path, words(&error))),
        })
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = self.file.metadata().ok()?;
        let (modified, changed) = ((metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec()));
        Some(Stamp { device: metadata.dev(), inode: metadata.ino(), size: metadata.len(), modified, changed })
    }

    fn read_now(&self, buffer: &mut [u8], offset: u64) -> bool {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            // The system says so if it would have to wait, or can't tell.
            match preadv2(&self.file, &mut [IoSliceMut::new(rest)], offset + done as u64, ReadWriteFlags::NOWAIT) {
                Ok(0) | Err(_) => return false,
                Ok(read) => done += read,
            }
        }
        true
    }
}

impl FileBackend for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, VfsError> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.said(&error)),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<(), VfsError> {
        let written = if self.sparse { holes::write_all_at(&self.file, bytes, offset, |part, at| self.put(part, at)) } else { self.put(bytes, offset) };
        written.map_err(|error| self.said(&error))
    }

    fn set_length(&self, length: u64) -> Result<(), VfsError> {
        self.file.set_len(length).map_err(|error| self.said(&error))
    }

    fn sync(&self) -> Result<(), VfsError> {
        self.file.sync_all().map_err(|error| self.said(&error))
    }

    fn metadata(&self) -> Result<Metadata, VfsError> {
        fstat(&self.file).map(|stat| describe(&stat)).map_err(|error| system(error, &self.path))
    }

    fn tells_at_once(&self) -> bool {
        self.local
    }

    fn set_modified(&self, nanoseconds: i64) -> Result<(), VfsError> {
        let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
        let time = if nanoseconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        let time = time.ok_or_else(|| VfsError::Limit(format!("{}: this system has no such time", self.path)))?;
        self.file.set_modified(time).map_err(|error| self.said(&error))
    }

    fn set_permissions(&self, permissions: u16) -> Result<(), VfsError> {
        let allowed = Mode::from_raw_mode(permissions.into()) - forbidden();
        fchmod(&self.file, allowed).map_err(|error| system(error, &self.path))
    }
}

/// The file mode creation mask that the process began with. It can be read only by setting it, so it is read once; a file that another thread makes in that moment is its owner's alone.
pub(super) fn forbidden() -> Mode {
    static MASK: OnceLock<Mode> = OnceLock::new();
    *MASK.get_or_init(|| {
        let mask = umask(Mode::RWXG | Mode::RWXO);
        umask(mask);
        mask
    })
}
