//! Bytes held by the node: in memory, or a range of an open file that has not been read yet.
//!
//! A [`Blob`] is a handle: cloning shares. Its length never changes. One that is a range of a file is read when it is used, and fails with
//! [`BlobError::Changed`] if the file has become shorter; it is never padded.

use std::sync::Arc;

use bytes::Bytes;

/// Bytes that are to go to a disk past the system's cache begin at a multiple of this, in memory and in the file: at least the logical block of any disk.
pub(crate) const BLOCK: usize = 4 << 10;

/// Something that can be read at an offset, behind a blob. Implemented by the drives' open files.
pub trait ReadAt: Send + Sync + std::fmt::Debug {
    /// Fills `buffer` from `offset`. Blocks on the disk: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`BlobError::Changed`] if the end comes before the buffer is full, [`BlobError::Io`] if the system fails.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BlobError>;

    /// Fills `buffer` from `offset` if that can be done without waiting for a disk; false if not, or if it fails, and then the buffer's content is of no meaning.
    fn read_now(&self, _buffer: &mut [u8], _offset: u64) -> bool {
        false
    }

    /// What tells its present content from any other that it had or has. None: nothing does. Blocks on the disk.
    fn stamp(&self) -> Option<Stamp> {
        None
    }
}

/// What tells the content of a file from any other, as far as the system knows. Times are seconds since 1970 and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The file system.
    pub device: u64,
    /// The file in it.
    pub inode: u64,
    /// In bytes.
    pub size: u64,
    /// When the content was last written, or what somebody set that to.
    pub modified: (i64, i64),
    /// When content or metadata last changed. Nobody can set this.
    pub changed: (i64, i64),
}

/// Why bytes could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// The range is not inside the blob.
    #[error("the range is not inside the blob")]
    OutOfRange,
    /// A limit is exceeded.
    #[error("{0}")]
    TooLarge(String),
    /// The file behind the blob is shorter than it was.
    #[error("the file became shorter while it was being read")]
    Changed,
    /// The drive failed.
    #[error("{0}")]
    Io(String),
}

#[derive(Debug, Clone)]
enum Source {
    Memory(Bytes),
    File { file: Arc<dyn ReadAt>, offset: u64, length: u64 },
}

/// A handle to bytes.
#[derive(Debug, Clone)]
pub struct Blob {
    source: Source,
    mime_type: Option<Arc<str>>,
}

impl Blob {
    /// A blob of bytes in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>, mime_type: Option<String>) -> Self {
        Self { source: Source::Memory(bytes.into()), mime_type: mime_type.map(Into::into) }
    }

    /// A blob that is `length` bytes of `file` from `offset`. Nothing is read.
    pub fn from_file(file: Arc<dyn ReadAt>, offset: u64, length: u64) -> Self {
        Self { source: Source::File { file, offset, length }, mime_type: None }
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        match &self.source {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File { length, .. } => *length,
        }
    }

    /// How many bytes of this node's memory it holds (shared with its duplicates).
    pub fn resident(&self) -> u64 {
        match &self.source {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File { .. } => 0,
        }
    }

    /// The media type its maker gave it.
    pub fn mime_type(&self) -> Option<&str> {
        self.mime_type.as_deref()
    }

    /// What tells its content from any other, if it is the whole of a file. Blocks on the disk.
    pub fn stamp(&self) -> Option<Stamp> {
        match &self.source {
            Source::File { file, offset: 0, length } => file.stamp().filter(|stamp| stamp.size == *length),
            Source::File { .. } | Source::Memory(_) => None,
        }
    }

    /// The bytes, if they are in memory.
    pub fn in_memory(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Memory(bytes) => Some(bytes),
            Source::File { .. } => None,
        }
    }

    fn check(&self, offset: u64, length: u64) -> Result<(), BlobError> {
        match offset.checked_add(length) {
            Some(end) if end <= self.length() => Ok(()),
            _ => Err(BlobError::OutOfRange),
        }
    }

    /// A part of it, sharing the bytes.
    ///
    /// # Errors
    /// [`BlobError::OutOfRange`].
    pub fn slice(&self, offset: u64, length: u64) -> Result<Self, BlobError> {
        self.check(offset, length)?;
        let source = match &self.source {
            Source::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(|_| BlobError::OutOfRange)?;
                let length = usize::try_from(length).map_err(|_| BlobError::OutOfRange)?;
                Source::Memory(bytes.slice(start..start + length))
            }
            Source::File { file, offset: base, .. } => Source::File { file: file.clone(), offset: base + offset, length },
        };
        Ok(Self { source, mime_type: self.mime_type.clone() })
    }

    /// Reads a range, blocking on the disk if it is a range of a file. No copy is made of bytes in memory.
    ///
    /// # Errors
    /// All of [`BlobError`].
    pub fn read_blocking(&self, offset: u64, length: u64) -> Result<Bytes, BlobError> {
        self.check(offset, length)?;
        match &self.source {
            Source::Memory(_) => match self.slice(offset, length)?.source {
                Source::Memory(bytes) => Ok(bytes),
                Source::File { .. } => Err(BlobError::OutOfRange),
            },
            Source::File { file, offset: base, .. } => {
                let length = usize::try_from(length).map_err(|_| BlobError::TooLarge("the range does not fit into memory".into()))?;
                let mut buffer = vec![0; length];
                file.read_exact_at(&mut buffer, base + offset)?;
                Ok(buffer.into())
            }
        }
    }

    /// Fills `buffer` from `offset`, blocking like [`Blob::read_blocking`]: for callers that use one buffer for many reads.
    ///
    /// # Errors
    /// All of [`BlobError`].
    pub fn read_into_blocking(&self, offset: u64, buffer: &mut [u8]) -> Result<(), BlobError> {
        self.check(offset, buffer.len() as u64)?;
        match &self.source {
            Source::Memory(_) => {
                buffer.copy_from_slice(&self.read_blocking(offset, buffer.len() as u64)?);
                Ok(())
            }
            Source::File { file, offset: base, .. } => file.read_exact_at(buffer, base + offset),
        }
    }

    /// Fills `buffer` from `offset` if the bytes are at hand, in memory or in the system's cache, and says whether they were. It never waits.
    pub fn read_into_now(&self, offset: u64, buffer: &mut [u8]) -> bool {
        match (&self.source, self.check(offset, buffer.len() as u64)) {
            (_, Err(_)) => false,
            (Source::Memory(_), Ok(())) => self.read_into_blocking(offset, buffer).is_ok(),
            (Source::File { file, offset: base, .. }, Ok(())) => file.read_now(buffer, base + offset),
        }
    }

    /// Reads a range without blocking the caller's thread.
    ///
    /// # Errors
    /// All of [`BlobError`].
    pub async fn read(&self, offset: u64, length: u64) -> Result<Bytes, BlobError> {
        if matches!(self.source, Source::Memory(_)) {
            return self.read_blocking(offset, length);
        }
        let blob = self.clone();
        tokio::task::spawn_blocking(move || blob.read_blocking(offset, length))
            .await
            .map_err(|error| BlobError::Io(format!("the read was abandoned: {error}")))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Short(Vec<u8>);
    impl ReadAt for Short {
        fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
            let start = offset as usize;
            buffer.copy_from_slice(self.0.get(start..start + buffer.len()).ok_or(BlobError::Changed)?);
            Ok(())
        }
    }

    #[test]
    fn a_slice_of_a_slice_is_the_right_bytes_in_memory_and_in_a_file() {
        let bytes: Vec<u8> = (0..100).collect();
        for blob in [Blob::from_bytes(bytes.clone(), None), Blob::from_file(Arc::new(Short(bytes)), 0, 100)] {
            let part = blob.slice(10, 50).unwrap().slice(5, 10).unwrap();
            assert_eq!(part.read_blocking(0, 10).unwrap(), (15..25).collect::<Vec<u8>>());
            assert_eq!(part.slice(5, 6).unwrap_err(), BlobError::OutOfRange);
            assert_eq!(part.slice(u64::MAX, 2).unwrap_err(), BlobError::OutOfRange);
            assert_eq!(part.read_blocking(10, 0).unwrap().len(), 0);
            let mut buffer = [0; 4];
            part.read_into_blocking(6, &mut buffer).unwrap();
            assert_eq!(buffer, [21, 22, 23, 24]);
            assert_eq!(part.read_into_blocking(7, &mut buffer).unwrap_err(), BlobError::OutOfRange);
            let at_hand = part.in_memory().is_some();
            assert_eq!(part.read_into_now(2, &mut buffer), at_hand, "a file that can't tell is not at hand");
            assert!(!at_hand || buffer == [17, 18, 19, 20]);
            assert!(!part.read_into_now(7, &mut buffer));
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error_and_never_padding() {
        let blob = Blob::from_file(Arc::new(Short(vec![1; 10])), 0, 20);
        assert_eq!(blob.read_blocking(0, 20).unwrap_err(), BlobError::Changed);
        assert_eq!(blob.read_blocking(0, 10).unwrap().len(), 10);
    }
}
