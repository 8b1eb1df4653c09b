//! An open file of a drive: checks how it was opened and the bounds, and moves bytes between it and blobs in pieces.

use std::sync::Arc;

use bytes::Bytes;

use super::backend::FileBackend;
use super::{Metadata, PERMISSIONS, VfsError};
use crate::blob::Blob;
use crate::digest::{Algorithm, digest_blocking};

/// The most bytes that one [`File::read`] copies.
pub const MAX_READ: u64 = 16 << 20;
/// How much of a file's range is in memory while it is written to another file.
const PIECE: u64 = 1 << 20;
/// The system's offsets are signed.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// An open file. Reads and writes are at an offset and independent of each other, from any number of threads.
#[derive(Debug, Clone)]
pub struct File {
    backend: Arc<dyn FileBackend>,
    readable: bool,
    writable: bool,
}

impl File {
    pub(super) fn new(backend: Arc<dyn FileBackend>, readable: bool, writable: bool) -> Self {
        Self { backend, readable, writable }
    }

    /// Copies at most `length` bytes (at most [`MAX_READ`]) from `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// [`VfsError::Limit`], [`VfsError::Denied`] and others.
    pub fn read(&self, offset: u64, length: u64) -> Result<Bytes, VfsError> {
        self.need_readable()?;
        if length > MAX_READ {
            return Err(VfsError::Limit(format!("one read has at most {MAX_READ} bytes, and {length} were asked for")));
        }
        check_range(offset, length)?;
        // What is not there takes no memory.
        let there = self.length()?.saturating_sub(offset).min(length);
        let mut buffer = vec![0; usize::try_from(there).map_err(|_| VfsError::Limit("the range does not fit into memory".into()))?];
        let read = self.backend.read_at(&mut buffer, offset)?;
        buffer.truncate(read);
        Ok(buffer.into())
    }

    /// A blob that is this range of the file. Nothing is read now.
    ///
    /// # Errors
    /// [`VfsError::Limit`] if the range passes the end, [`VfsError::Denied`] and others.
    pub fn read_blob(&self, offset: u64, length: u64) -> Result<Blob, VfsError> {
        self.need_readable()?;
        let present = self.length()?;
        if offset.checked_add(length).is_none_or(|end| end > present) {
            return Err(VfsError::Limit(format!("{length} bytes from {offset} pass the end of the file, which has {present}")));
        }
        Ok(self.range(offset, length))
    }

    /// Writes bytes at `offset`, lengthening the file if needed; a gap reads as zeros.
    ///
    /// # Errors
    /// [`VfsError::NoSpace`], [`VfsError::Limit`], [`VfsError::Denied`] and others. A part may have been written.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), VfsError> {
        self.need_writable()?;
        check_range(offset, bytes.len() as u64)?;
        self.backend.write_all_at(bytes, offset)
    }

    /// Writes a blob at `offset`. Of a blob that is a range of a file, 1 MiB at a time is in memory.
    ///
    /// # Errors
    /// Like [`File::write`]; [`VfsError::Blob`] if the blob can't be read.
    pub fn write_blob(&self, offset: u64, blob: &Blob) -> Result<(), VfsError> {
        self.need_writable()?;
        check_range(offset, blob.length())?;
        if let Some(bytes) = blob.in_memory() {
            return self.backend.write_all_at(bytes, offset);
        }
        let mut done = 0;
        while done < blob.length() {
            let piece = blob.read_blocking(done, PIECE.min(blob.length() - done))?;
            self.backend.write_all_at(&piece, offset + done)?;
            done += piece.len() as u64;
        }
        Ok(())
    }

    /// The present length.
    ///
    /// # Errors
    /// What the system says.
    pub fn length(&self) -> Result<u64, VfsError> {
        Ok(self.backend.metadata()?.size)
    }

    /// Cuts or lengthens the file; what is added reads as zeros.
    ///
    /// # Errors
    /// [`VfsError::NoSpace`], [`VfsError::Limit`], [`VfsError::Denied`] and others.
    pub fn set_length(&self, length: u64) -> Result<(), VfsError> {
        self.need_writable()?;
        check_range(length, 0)?;
        self.backend.set_length(length)
    }

    /// Waits until all that was written is on stable storage.
    ///
    /// # Errors
    /// What the system says. What was written before may then be lost.
    pub fn sync(&self) -> Result<(), VfsError> {
        self.backend.sync()
    }

    /// What is known of the file.
    ///
    /// # Errors
    /// What the system says.
    pub fn metadata(&self) -> Result<Metadata, VfsError> {
        self.backend.metadata()
    }

    /// Whether [`File::metadata`], [`File::length`] and [`File::read_blob`] never wait for a disk or another machine, and so may be called anywhere.
    pub fn tells_at_once(&self) -> bool {
        self.backend.tells_at_once()
    }

    /// Sets the modification time, in nanoseconds since 1970.
    ///
    /// # Errors
    /// [`VfsError::Denied`] and others.
    pub fn set_modified(&self, nanoseconds: i64) -> Result<(), VfsError> {
        self.need_writable()?;
        self.backend.set_modified(nanoseconds)
    }

    /// Sets who may do what with it: the nine lower bits of a POSIX file mode, of which those stay unset that the node's file mode creation mask (umask) forbids.
    ///
    /// # Errors
    /// [`VfsError::Limit`] beyond [`PERMISSIONS`], [`VfsError::Denied`] and others.
    pub fn set_permissions(&self, permissions: u16) -> Result<(), VfsError> {
        self.need_writable()?;
        if permissions > PERMISSIONS {
            return Err(VfsError::Limit(format!("permissions are at most {PERMISSIONS:#o}, and not {permissions:#o}")));
        }
        self.backend.set_permissions(permissions)
    }

    /// Reads the whole file and returns its digest.
    ///
    /// # Errors
    /// [`VfsError::Blob`] if the file becomes shorter meanwhile or can't be read, [`VfsError::Denied`].
    pub fn digest(&self, algorithm: Algorithm) -> Result<Vec<u8>, VfsError> {
        self.need_readable()?;
        Ok(digest_blocking(algorithm, &self.range(0, self.length()?))?)
    }

    fn range(&self, offset: u64, length: u64) -> Blob {
        Blob::from_file(self.backend.clone(), offset, length)
    }

    fn need_readable(&self) -> Result<(), VfsError> {
        if self.readable { Ok(()) } else { Err(VfsError::Denied("the file was not opened to read".into())) }
    }

    fn need_writable(&self) -> Result<(), VfsError> {
        if self.writable { Ok(()) } else { Err(VfsError::Denied("the file was not opened to write".into())) }
    }
}

fn check_range(offset: u64, length: u64) -> Result<(), VfsError> {
    match offset.checked_add(length) {
        Some(end) if end <= MAX_OFFSET => Ok(()),
        _ => Err(VfsError::Limit(format!("no file has {length} bytes from {offset}"))),
    }
}
