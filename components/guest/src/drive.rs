//! Drives: the folders that this process may use.
//!
//! ```no_run
//! use transship_guest::prelude::*;
//!
//! let files = open_drive("files")?;
//! files.write_text("notes/today.txt", "all is well")?;
//! assert_eq!(files.read_text("notes/today.txt")?, "all is well");
//! # Ok::<(), transship_guest::drive::VfsError>(())
//! ```
//! [`Directory`] and [`File`] are the node's own; this module adds what is used often.

pub use crate::bindings::transship::host::standard::Rights;
pub use crate::bindings::transship::host::vfs::{
    Directory, DirectoryEntry, DirectoryPage, File, FileKind, Metadata, OpenFlags, VfsError, open_capability, open_drive,
};

impl Directory {
    /// What is known of what stands there, or none if nothing does.
    ///
    /// # Errors
    /// As `metadata`, `not-found` apart.
    pub fn find(&self, path: &str) -> Result<Option<Metadata>, VfsError> {
        match self.metadata(path) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(VfsError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The whole of a text file of at most 16 MiB.
    ///
    /// # Errors
    /// As `open-file` and `read`; `io` if it is not UTF-8.
    pub fn read_text(&self, path: &str) -> Result<String, VfsError> {
        let bytes = self.open_file(path, OpenFlags::READ)?.read(0, 16 << 20)?;
        String::from_utf8(bytes).map_err(|_| VfsError::Io(format!("{path} is not UTF-8")))
    }

    /// Makes a file that holds this text and nothing else, with the folders above it.
    ///
    /// # Errors
    /// As `open-file` and `write`.
    pub fn write_text(&self, path: &str, text: &str) -> Result<(), VfsError> {
        self.open_file(path, OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE)?.write(0, text.as_bytes())
    }
}
