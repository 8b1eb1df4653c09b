//! Files and folders of a drive, in the manner of `std::fs`: with [`Read`], [`Write`] and [`Seek`], and errors that are [`io::Error`]s.
//!
//! ```no_run
//! use std::io::{BufRead, BufReader, Write};
//! use transship_guest::prelude::*;
//!
//! let files = open_drive("files")?;
//! files.create_dir_all("notes/2026")?;
//! let mut note = files.create("notes/2026/monday.txt")?;
//! writeln!(note, "all is well")?;
//!
//! for entry in files.read_dir("notes/2026")? {
//!     let entry = entry?;
//!     info!("{}: {} bytes", entry.name, entry.metadata.size);
//! }
//! for line in BufReader::new(files.open("notes/2026/monday.txt")?).lines() {
//!     info!("{}", line?);
//! }
//! files.rename("notes/2026/monday.txt", "monday.txt", false)?;
//! files.remove_dir_all("notes")?;
//! # Ok::<(), std::io::Error>(())
//! ```
//! A [`Directory`] is the root of a drive or a folder in it; every path is relative to it and can't leave it. Bytes that only pass through (from a file into a message, from a message
//! into a file) are better moved as blobs: see [`File::as_drive_file`].

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::bindings::transship::host::vfs;
use crate::drive::{Directory, DirectoryEntry, FileKind, Metadata, OpenFlags, VfsError};
use crate::position;

/// So many entries of a folder are asked for at a time.
const PAGE: u32 = 1_000;

/// An open file with a place in it where the next read or write happens. Each of them is a call to the node: put a [`BufReader`](std::io::BufReader) or
/// [`BufWriter`](std::io::BufWriter) around it for small pieces.
#[derive(Debug)]
pub struct File {
    file: vfs::File,
    position: u64,
}

impl File {
    /// The node's own file, with reads and writes at an offset, blobs and digests.
    #[must_use]
    pub fn as_drive_file(&self) -> &vfs::File {
        &self.file
    }

    /// What is known of it.
    ///
    /// # Errors
    /// What the drive says.
    pub fn metadata(&self) -> io::Result<Metadata> {
        Ok(self.file.metadata()?)
    }

    /// Cuts or lengthens it.
    ///
    /// # Errors
    /// What the drive says.
    pub fn set_len(&self, length: u64) -> io::Result<()> {
        Ok(self.file.set_length(length)?)
    }

    /// Waits until all that was written is on stable storage.
    ///
    /// # Errors
    /// What the drive says.
    pub fn sync_all(&self) -> io::Result<()> {
        Ok(self.file.sync()?)
    }
}

impl From<vfs::File> for File {
    fn from(file: vfs::File) -> Self {
        Self { file, position: 0 }
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.file.read(self.position, position::part(buffer.len()))?;
        bytes.truncate(buffer.len());
        buffer.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = bytes.get(..usize::try_from(position::part(bytes.len())).unwrap_or(bytes.len())).unwrap_or(bytes);
        self.file.write(self.position, part)?;
        self.position += part.len() as u64;
        Ok(part.len())
    }

    /// Does nothing: what was written is in the file. See [`sync_all`](Self::sync_all) for what is on stable storage.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = position::seek(self.position, to, || Ok(self.file.length()?))?;
        Ok(self.position)
    }
}

/// What the names of `std::fs` and `cap-std` stand for. `remove_file`, `rename`, `copy` and `metadata` are the node's own.
impl Directory {
    /// Opens a file to read it.
    ///
    /// # Errors
    /// What the drive says.
    pub fn open(&self, path: &str) -> io::Result<File> {
        self.open_with(path, OpenFlags::READ)
    }

    /// Makes a file, with the folders above it, or empties the one that is there; to write it.
    ///
    /// # Errors
    /// What the drive says.
    pub fn create(&self, path: &str) -> io::Result<File> {
        self.open_with(path, OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE)
    }

    /// Makes a file that is not there yet, to write it.
    ///
    /// # Errors
    /// `AlreadyExists`, and what the drive says.
    pub fn create_new(&self, path: &str) -> io::Result<File> {
        self.open_with(path, OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUSIVE)
    }

    /// Opens a file, or makes it, to write behind what is in it.
    ///
    /// # Errors
    /// What the drive says.
    pub fn append(&self, path: &str) -> io::Result<File> {
        let mut file = self.open_with(path, OpenFlags::WRITE | OpenFlags::CREATE)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    /// Opens a file in any other way.
    ///
    /// # Errors
    /// What the drive says.
    pub fn open_with(&self, path: &str, how: OpenFlags) -> io::Result<File> {
        Ok(self.open_file(path, how)?.into())
    }

    /// All bytes of a file.
    ///
    /// # Errors
    /// What the drive says.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// All of a file as text.
    ///
    /// # Errors
    /// What the drive says; `InvalidData` if it is not UTF-8.
    pub fn read_to_string(&self, path: &str) -> io::Result<String> {
        String::from_utf8(self.read(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{path} is not UTF-8")))
    }

    /// Makes a file that holds these bytes and nothing else, with the folders above it.
    ///
    /// # Errors
    /// What the drive says.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.create(path)?.write_all(bytes.as_ref())
    }

    /// The entries of a folder, in the byte order of their names; an empty path is this folder. They are fetched page by page while one goes through them.
    ///
    /// # Errors
    /// What the drive says; once for the folder, and with each entry.
    pub fn read_dir(&self, path: &str) -> io::Result<ReadDir<'_>> {
        let folder = if path.is_empty() { Folder::This(self) } else { Folder::Below(self.open_directory(path, false)?) };
        let first = folder.get().entries(None, PAGE)?;
        Ok(ReadDir { folder, entries: first.entries.into(), more: first.more, last: None })
    }

    /// Makes a folder and those above it, as far as they are not there.
    ///
    /// # Errors
    /// What the drive says.
    pub fn create_dir_all(&self, path: &str) -> io::Result<()> {
        self.open_directory(path, true)?;
        Ok(())
    }

    /// Removes a folder and all that is in it.
    ///
    /// # Errors
    /// What the drive says.
    pub fn remove_dir_all(&self, path: &str) -> io::Result<()> {
        Ok(self.remove_directory(path, true)?)
    }

    /// Whether something of that name is there.
    ///
    /// # Errors
    /// What the drive says.
    pub fn exists(&self, path: &str) -> io::Result<bool> {
        Ok(self.find(path)?.is_some())
    }
}

/// The entries of a folder: see [`Directory::read_dir`].
#[derive(Debug)]
pub struct ReadDir<'a> {
    folder: Folder<'a>,
    /// Of the page at hand.
    entries: VecDeque<DirectoryEntry>,
    /// Whether another page follows.
    more: bool,
    /// The last name of the page before.
    last: Option<String>,
}

#[derive(Debug)]
enum Folder<'a> {
    This(&'a Directory),
    Below(Directory),
}

impl Folder<'_> {
    fn get(&self) -> &Directory {
        match self {
            Self::This(folder) => folder,
            Self::Below(folder) => folder,
        }
    }
}

impl Iterator for ReadDir<'_> {
    type Item = io::Result<DirectoryEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.entries.is_empty() && self.more {
            match self.folder.get().entries(self.last.as_deref(), PAGE) {
                Ok(page) => (self.entries, self.more) = (page.entries.into(), page.more),
                // Told once: whoever goes on has nothing left.
                Err(error) => {
                    self.more = false;
                    return Some(Err(error.into()));
                }
            }
        }
        let entry = self.entries.pop_front()?;
        if self.entries.is_empty() && self.more {
            self.last = Some(entry.name.clone());
        }
        Some(Ok(entry))
    }
}

/// What `std::fs` says of entries and files.
impl Metadata {
    /// Whether it is a file with contents.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::Regular
    }

    /// Whether it is a folder.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }
}

impl From<VfsError> for io::Error {
    fn from(error: VfsError) -> Self {
        use io::ErrorKind as Kind;
        let (kind, text) = match error {
            VfsError::NotFound(name) => (Kind::NotFound, format!("{name} is not there")),
            VfsError::Denied(text) => (Kind::PermissionDenied, text),
            VfsError::InvalidName(text) => (Kind::InvalidFilename, text),
            VfsError::NameTooLong(text) => (Kind::InvalidFilename, format!("the name is too long: {text}")),
            VfsError::Exists(name) => (Kind::AlreadyExists, format!("{name} is there already")),
            VfsError::IsADirectory(name) => (Kind::IsADirectory, format!("{name} is a folder")),
            VfsError::NotADirectory(name) => (Kind::NotADirectory, format!("{name} is no folder")),
            VfsError::NotEmpty(name) => (Kind::DirectoryNotEmpty, format!("{name} is not empty")),
            VfsError::NoSpace => (Kind::StorageFull, "the drive is full".into()),
            VfsError::Limit(text) => (Kind::QuotaExceeded, text),
            VfsError::Blob(error) => return error.into(),
            VfsError::Io(text) => (Kind::Other, text),
        };
        Self::new(kind, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_drive_is_one_of_the_standard_library_and_says_what_it_is_about() {
        for (error, kind, text) in [
            (VfsError::NotFound("a/b".into()), io::ErrorKind::NotFound, "a/b is not there"),
            (VfsError::Denied("files: read is not granted".into()), io::ErrorKind::PermissionDenied, "files: read is not granted"),
            (VfsError::NoSpace, io::ErrorKind::StorageFull, "the drive is full"),
            (VfsError::Blob(crate::blob::BlobError::Changed), io::ErrorKind::UnexpectedEof, "the file behind the blob has become shorter"),
        ] {
            let error = io::Error::from(error);
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        }
    }
}
