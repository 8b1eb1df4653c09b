//! Many files with one call: what would cost a hop to a thread that may block for each of thousands of small files costs one for all of them.
//!
//! The same rules hold as for one: each path goes through [`RelativePath`], rights are checked first, links are not followed. Each file succeeds or fails by itself, with its result at its place.

use bytes::Bytes;

use super::directory::{Directory, LIST, READ, WRITE};
use super::{Metadata, PERMISSIONS, RelativePath, VfsError, link};
use crate::blob::Blob;

/// The most files in one call.
pub const MAX_MANY: usize = 10_000;
/// The most bytes that [`Directory::read_files`] reads.
pub const MAX_PACK: u64 = 16 << 20;

/// Several files that were read together.
#[derive(Debug)]
pub struct FilePack {
    /// Those that were read, in the order asked for: what each was, and where its bytes begin in `contents`.
    pub files: Vec<Result<(Metadata, u64), VfsError>>,
    /// Their bytes.
    pub contents: Bytes,
}

/// One of several files that are written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where: nothing is there.
    pub path: String,
    /// Where its bytes begin in the blob.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
    /// Its modification time, in nanoseconds since 1970.
    pub modified: i64,
    /// The nine lower bits of a POSIX file mode, of which those stay unset that the umask forbids.
    pub permissions: u16,
}

/// One of several changes of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewName {
    /// What has the name now.
    pub old: String,
    /// What it is to be called.
    pub new: String,
    /// Whether what has the new name may be replaced.
    pub replace: bool,
}

/// What one of several files is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// The file.
    pub path: String,
    /// Its modification time, in nanoseconds since 1970. None: as it is.
    pub modified: Option<i64>,
    /// The nine lower bits of a POSIX file mode, of which those stay unset that the umask forbids. None: as they are.
    pub permissions: Option<u16>,
}

/// A checked path, the time and the permissions of [`FileSettings`].
pub(super) type Setting = (RelativePath, Option<i64>, Option<u16>);

/// A checked [`NewFile`] with its bytes.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) path: RelativePath,
    pub(super) bytes: Bytes,
    pub(super) modified: i64,
    pub(super) permissions: u16,
}

/// Two checked paths, and whether the second may be replaced.
pub(super) type Renaming = (RelativePath, RelativePath, bool);

impl Directory {
    /// [`Directory::metadata`] of several, at most [`MAX_MANY`].
    pub fn metadata_of(&self, paths: &[String]) -> Vec<Result<Metadata, VfsError>> {
        each(paths, |paths| {
            let able = if self.rights().list || self.rights().read { Ok(()) } else { Err(self.lacks(LIST, "looking at files", "the right list or read")) };
            let mut places = paths.iter().map(|path| able.clone().and_then(|()| self.place(path)));
            self.backend().metadata_of(&mut places)
        })
    }

    /// Reads several files, at most [`MAX_MANY`], one after the other, as many as have no more than `limit` bytes (at most [`MAX_PACK`]) together. One that has more by itself is [`VfsError::Limit`].
    ///
    /// # Errors
    /// [`VfsError::NoRight`] without `read`, [`VfsError::Limit`]; those of each file stand in its place.
    pub fn read_files(&self, paths: &[String], limit: u64) -> Result<FilePack, VfsError> {
        self.need(READ, "reading")?;
        if limit > MAX_PACK || paths.len() > MAX_MANY {
            return Err(VfsError::Limit(format!("at most {MAX_MANY} files and {MAX_PACK} bytes are read at once, and not {} and {limit}", paths.len())));
        }
        let mut places = paths.iter().map(|path| self.place(path));
        Ok(self.backend().read_files(&mut places, limit))
    }

    /// Makes several new files, at most [`MAX_MANY`], with ranges of `contents`. The folders that they are in are there. What fails is not left half-done.
    pub fn write_files(&self, files: &[NewFile], contents: &Blob) -> Vec<Result<(), VfsError>> {
        each(files, |files| {
            let able = self.need(WRITE, "writing");
            let mut checked = files.iter().map(|file| {
                able.clone()?;
                if file.permissions > PERMISSIONS {
                    return Err(VfsError::Limit(format!("permissions are at most {PERMISSIONS:#o}, and not {:#o}", file.permissions)));
                }
                let bytes = contents.read_blocking(file.offset, file.length)?;
                Ok(Writing { path: self.place(&file.path)?, bytes, modified: file.modified, permissions: file.permissions })
            });
            self.backend().write_files(&mut checked)
        })
    }

    /// [`Directory::rename`] for several, at most [`MAX_MANY`], in this order.
    pub fn rename_files(&self, names: &[NewName]) -> Vec<Result<(), VfsError>> {
        each(names, |names| {
            let able = self.need(WRITE, "renaming");
            let mut checked = names.iter().map(|name| {
                able.clone()?;
                let (old, new) = (self.place(&name.old)?, self.place(&name.new)?);
                if old.is_above(&new) {
                    return Err(VfsError::InvalidName(format!("'{new}' is inside '{old}', and a directory can't be moved into itself")));
                }
                Ok((old, new, name.replace))
            });
            self.backend().rename_files(&mut checked)
        })
    }

    /// Gives several files, at most [`MAX_MANY`], a time and permissions; tells of each whether that changed anything.
    pub fn set_files(&self, files: &[FileSettings]) -> Vec<Result<bool, VfsError>> {
        each(files, |files| {
            let able = self.need(WRITE, "setting times and permissions");
            let mut checked = files.iter().map(|file| {
                able.clone()?;
                if let Some(permissions) = file.permissions.filter(|permissions| *permissions > PERMISSIONS) {
                    return Err(VfsError::Limit(format!("permissions are at most {PERMISSIONS:#o}, and not {permissions:#o}")));
                }
                Ok((self.place(&file.path)?, file.modified, file.permissions))
            });
            self.backend().set_files(&mut checked)
        })
    }

    /// What a symbolic link says. Needs `read`.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::Denied`] if it is no link, [`VfsError::Io`] if what it says is no text.
    pub fn read_link(&self, path: &str) -> Result<String, VfsError> {
        let path = self.place(path)?;
        self.need(READ, "reading a link")?;
        self.backend().read_link(&path)
    }

    /// Makes a symbolic link that can't lead out of this directory; see [`link::check_target`]. Needs `write`.
    ///
    /// # Errors
    /// [`VfsError::Denied`] for such a target, [`VfsError::Exists`], [`VfsError::NoRight`] and others.
    pub fn make_link(&self, path: &str, target: &str) -> Result<(), VfsError> {
        let path = self.place(path)?;
        self.refuse_if_lent(&path)?;
        self.need(WRITE, "making a link")?;
        link::check_target(&path, target)?;
        self.backend().make_link(&path, target)
    }

    /// Sets the modification time (nanoseconds since 1970) and the permissions of a directory below this one. Needs `write`.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::NotADirectory`], [`VfsError::Limit`] and others.
    pub fn set_directory(&self, path: &str, modified: i64, permissions: u16) -> Result<(), VfsError> {
        let path = self.place(path)?;
        self.refuse_if_lent(&path)?;
        self.may_set(permissions)?;
        self.backend().set_directory(&path, modified, permissions)
    }

    /// What is known of this directory itself. Needs `list` or `read`.
    ///
    /// # Errors
    /// [`VfsError::Denied`] if one file of it is lent, [`VfsError::NoRight`] and others.
    pub fn own_metadata(&self) -> Result<Metadata, VfsError> {
        self.refuse_if_one_is_lent()?;
        self.may_look()?;
        self.backend().own_metadata()
    }

    /// Like [`set_directory`](Self::set_directory), of this directory itself. Needs `write`.
    ///
    /// # Errors
    /// [`VfsError::Denied`] if one file of it is lent, [`VfsError::Limit`], [`VfsError::NoRight`] and others.
    pub fn set_own(&self, modified: i64, permissions: u16) -> Result<(), VfsError> {
        self.refuse_if_one_is_lent()?;
        self.may_set(permissions)?;
        self.backend().set_own(modified, permissions)
    }

    fn may_set(&self, permissions: u16) -> Result<(), VfsError> {
        self.need(WRITE, "setting times and permissions")?;
        if permissions > PERMISSIONS {
            return Err(VfsError::Limit(format!("permissions are at most {PERMISSIONS:#o}, and not {permissions:#o}")));
        }
        Ok(())
    }

    /// Waits until all that was written, made, renamed and removed in this drive, by whomever, is on stable storage. Needs `write`: it keeps the disk busy for everybody.
    ///
    /// # Errors
    /// [`VfsError::NoRight`], or what the system says: what was written before may then be lost.
    pub fn sync_all(&self) -> Result<(), VfsError> {
        self.need(WRITE, "syncing")?;
        self.backend().sync_all()
    }
}

/// The results for all of `items`; if they are too many, that is the result for each.
fn each<A, T: Clone>(items: &[A], work: impl FnOnce(&[A]) -> Vec<Result<T, VfsError>>) -> Vec<Result<T, VfsError>> {
    if items.len() > MAX_MANY {
        return vec![Err(VfsError::Limit(format!("at most {MAX_MANY} at once, and not {}", items.len()))); items.len()];
    }
    work(items)
}
