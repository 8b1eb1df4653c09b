//! Why a call on a drive failed, and what the system's errors are in those terms.

use std::io;

use rustix::io::Errno;

use crate::blob::BlobError;
use crate::rights::Rights;

/// Why a call on a drive failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VfsError {
    /// Nothing of that name. Holds the name.
    #[error("'{0}' does not exist")]
    NotFound(String),
    /// The system refuses it, the name leads through a symbolic link, or is not what was lent. Says which.
    #[error("denied: {0}")]
    Denied(String),
    /// A right is missing: this one. The text says for what.
    #[error("denied: {1}")]
    NoRight(Rights, String),
    /// The name is no path. Says why.
    #[error("not a name: {0}")]
    InvalidName(String),
    /// The name is longer than the system allows. Holds its beginning.
    #[error("the name '{0}' is too long")]
    NameTooLong(String),
    /// Something of that name is there.
    #[error("'{0}' exists already")]
    Exists(String),
    /// A directory where a file is needed.
    #[error("'{0}' is a directory")]
    IsADirectory(String),
    /// A file where a directory is needed.
    #[error("'{0}' is not a directory")]
    NotADirectory(String),
    /// The directory is not empty.
    #[error("the directory '{0}' is not empty")]
    NotEmpty(String),
    /// The drive is full, or its quota is used up.
    #[error("no space is left on the drive")]
    NoSpace,
    /// A bound is exceeded. Says which.
    #[error("{0}")]
    Limit(String),
    /// The blob to be written or digested could not be read.
    #[error("{0}")]
    Blob(#[from] BlobError),
    /// The system's own words for anything else.
    #[error("{0}")]
    Io(String),
}

impl VfsError {
    /// What the system's error means, said of `name`.
    pub(super) fn from_system(error: &io::Error, name: &str) -> Self {
        let said = || format!("{name}: {}", words(error));
        let Some(number) = error.raw_os_error().map(Errno::from_raw_os_error) else {
            // cap-std's refusal of a name that would leave the directory has no number.
            return if error.kind() == io::ErrorKind::PermissionDenied { Self::Denied(said()) } else { Self::Io(said()) };
        };
        match number {
            Errno::NOENT => Self::NotFound(name.into()),
            Errno::EXIST => Self::Exists(name.into()),
            Errno::ISDIR => Self::IsADirectory(name.into()),
            Errno::NOTDIR => Self::NotADirectory(name.into()),
            Errno::NOTEMPTY => Self::NotEmpty(name.into()),
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace,
            Errno::NAMETOOLONG => Self::NameTooLong(name.into()),
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied(said()),
            Errno::LOOP => Self::symbolic_link(name),
            // What a socket, or a pipe that nobody reads, answers to being opened.
            Errno::NXIO | Errno::NODEV => Self::not_a_file(name),
            Errno::FBIG | Errno::MFILE | Errno::NFILE => Self::Limit(said()),
            _ => Self::Io(said()),
        }
    }

    /// The refusal to follow a link.
    pub(super) fn symbolic_link(name: &str) -> Self {
        Self::Denied(format!("'{name}' is a symbolic link, and links are not followed"))
    }

    /// The refusal to open a device, a socket or a pipe.
    pub(super) fn not_a_file(name: &str) -> Self {
        Self::Denied(format!("'{name}' is a device, a socket or a pipe, and only regular files are opened"))
    }
}

/// The system's words, without the number.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words);
    let mut characters = words.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_used_up_quota_are_no_space_and_a_refusal_has_the_systems_words() {
        let of = |number: Errno| VfsError::from_system(&number.into(), "a");
        assert_eq!(of(Errno::NOSPC), VfsError::NoSpace);
        assert_eq!(of(Errno::DQUOT), VfsError::NoSpace);
        assert_eq!(of(Errno::NAMETOOLONG), VfsError::NameTooLong("a".into()));
        assert_eq!(of(Errno::ACCESS), VfsError::Denied("a: permission denied".into()));
        assert_eq!(of(Errno::ROFS), VfsError::Denied("a: read-only file system".into()));
        assert_eq!(of(Errno::IO), VfsError::Io("a: input/output error".into()));
        assert!(matches!(of(Errno::LOOP), VfsError::Denied(text) if text.contains("symbolic link")));
    }
}
