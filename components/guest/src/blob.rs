//! Blobs: bytes that the node holds for this process. A blob is a handle: sending, writing and digesting it copies nothing into the process's memory.
//!
//! ```no_run
//! use std::io::Read;
//! use transship_guest::prelude::*;
//!
//! let page = Blob::text("<h1>hello</h1>", "text/html")?;
//! assert_eq!(page.mime_type().as_deref(), Some("text/html"));
//! assert_eq!(page.read_text()?, "<h1>hello</h1>");
//!
//! // A blob of any length, piece by piece.
//! let mut sum = 0;
//! for byte in std::io::BufReader::new(page.reader()).bytes() {
//!     sum += u64::from(byte?);
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//! A range of a file is a blob too (`File::read_blob`); it is read when it is used.

use std::io::{self, Read, Seek, SeekFrom};

use crate::bindings::transship::host::digests;
use crate::position;

pub use crate::bindings::transship::host::blobs::{Blob, BlobError};
pub use crate::bindings::transship::host::digests::{Algorithm, Hasher};

impl Blob {
    /// Bytes of this media type, such as `image/png`; at most 16 MiB.
    ///
    /// # Errors
    /// See [`BlobError`].
    pub fn of(bytes: &[u8], mime_type: &str) -> Result<Self, BlobError> {
        Self::from_bytes(bytes, Some(mime_type))
    }

    /// Text of this media type, such as `text/plain`.
    ///
    /// # Errors
    /// See [`BlobError`].
    pub fn text(text: &str, mime_type: &str) -> Result<Self, BlobError> {
        Self::of(text.as_bytes(), mime_type)
    }

    /// All of it. What is longer than 16 MiB is better read through a [`reader`](Self::reader), since all of it must fit into the process's memory.
    ///
    /// # Errors
    /// See [`BlobError`].
    pub fn read_all(&self) -> Result<Vec<u8>, BlobError> {
        let length = self.length();
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            let at = bytes.len() as u64;
            bytes.append(&mut self.read(at, position::part(usize::try_from(length - at).unwrap_or(usize::MAX)))?);
        }
        Ok(bytes)
    }

    /// All of it as text.
    ///
    /// # Errors
    /// As `read_all`; [`BlobError::Io`] if it is not UTF-8.
    pub fn read_text(&self) -> Result<String, BlobError> {
        String::from_utf8(self.read_all()?).map_err(|_| BlobError::Io("the blob is not UTF-8".into()))
    }

    /// Reads it from its first byte on, in the manner of the standard library.
    #[must_use]
    pub fn reader(&self) -> BlobReader<'_> {
        BlobReader { blob: self, position: 0 }
    }

    /// Its digest. Waits.
    ///
    /// # Errors
    /// See [`BlobError`].
    pub fn digest(&self, algorithm: Algorithm) -> Result<Vec<u8>, BlobError> {
        digests::digest(algorithm, self)
    }
}

/// Reads a blob. Each read copies from the node: put a [`BufReader`](std::io::BufReader) around it to read in small pieces.
#[derive(Debug)]
pub struct BlobReader<'a> {
    blob: &'a Blob,
    position: u64,
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.blob.length().saturating_sub(self.position);
        let mut bytes = self.blob.read(self.position.min(self.blob.length()), position::part(buffer.len()).min(left))?;
        bytes.truncate(buffer.len());
        buffer.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for BlobReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = position::seek(self.position, to, || Ok(self.blob.length()))?;
        Ok(self.position)
    }
}

impl From<BlobError> for io::Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::OutOfRange => Self::new(io::ErrorKind::InvalidInput, "the range is not inside the blob"),
            BlobError::TooLarge(text) => Self::new(io::ErrorKind::InvalidInput, text),
            BlobError::Changed => Self::new(io::ErrorKind::UnexpectedEof, "the file behind the blob has become shorter"),
            BlobError::Io(text) => Self::other(text),
        }
    }
}
