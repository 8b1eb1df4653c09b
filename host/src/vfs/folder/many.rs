//! Many files of a folder with one call. What follows one another is most often in one directory: it is opened once.

use std::os::unix::fs::FileExt;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, Timespec, Timestamps, fstat, futimens, unlinkat};

use super::{Folder, describe, holes, look, open_regular, rename, spelling, system};
use crate::blob::BlobError;
use crate::vfs::backend::{Checked, Opening, Packing};
use crate::vfs::many::{FilePack, Renaming, Writing};
use crate::vfs::{Metadata, RelativePath, VfsError, words};

/// The directory that the last path led to.
struct Parents<'a> {
    folder: &'a Folder,
    last: Option<(String, Dir)>,
}

impl<'a> Parents<'a> {
    fn of(folder: &'a Folder) -> Self {
        Self { folder, last: None }
    }

    /// The directory that the last part of `path` is in, and how that part is spelled there.
    fn open(&mut self, path: &RelativePath) -> Result<(&Dir, String), VfsError> {
        let (above, name) = path.split_last();
        let Some(above) = above else { return Ok((&self.folder.handle, spelling(&self.folder.handle, name))) };
        if self.last.as_ref().is_none_or(|(last, _)| last != above) {
            self.last = None;
            if let (super::At::Below(directory), _) = self.folder.parent(path, false)? {
                self.last = Some((above.to_owned(), directory));
            }
        }
        match &self.last {
            Some((_, directory)) => Ok((directory, spelling(directory, name))),
            None => Err(VfsError::NotFound(path.as_str().into())),
        }
    }
}

pub(super) fn metadata_of(folder: &Folder, paths: &mut dyn Iterator<Item = Checked<RelativePath>>) -> Vec<Result<Metadata, VfsError>> {
    let mut parents = Parents::of(folder);
    // The last directory that is not there: then nothing is in it.
    let mut absent: Option<String> = None;
    paths
        .map(|path| {
            let path = path?;
            let above = path.split_last().0;
            if above.is_some() && above == absent.as_deref() {
                return Err(VfsError::NotFound(path.as_str().into()));
            }
            let (at, last) = match parents.open(&path) {
                Err(VfsError::NotFound(text)) => {
                    absent = above.map(String::from);
                    return Err(VfsError::NotFound(text));
                }
                opened => opened?,
            };
            look(at, &last).map(|stat| describe(&stat)).map_err(|error| system(error, &path))
        })
        .collect()
}

pub(super) fn read_files(folder: &Folder, paths: &mut dyn Iterator<Item = Checked<RelativePath>>, limit: u64) -> FilePack {
    let how = Opening { read: true, write: false, create: false, exclusive: false, private: false, sparse: false };
    let (mut parents, mut pack) = (Parents::of(folder), Packing::new(limit));
    for path in paths {
        let opened = path.and_then(|path| {
            let (at, last) = parents.open(&path)?;
            let file = open_regular(at, &last, &path, how)?;
            let metadata = describe(&fstat(&file).map_err(|error| system(error, &path))?);
            Ok((metadata, (file, path)))
        });
        let added = pack.add(opened, |(file, path), buffer| {
            file.read_exact_at(buffer, 0).map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => BlobError::Changed,
                _ => BlobError::Io(format!("{path}: {}", words(&error))),
            })
        });
        if !added {
            break;
        }
    }
    pack.done()
}

pub(super) fn write_files(folder: &Folder, files: &mut dyn Iterator<Item = Checked<Writing>>) -> Vec<Result<(), VfsError>> {
    let mut parents = Parents::of(folder);
    files
        .map(|file| {
            let file = file?;
            let (at, last) = parents.open(&file.path)?;
            write(at, &last, &file)
        })
        .collect()
}

/// Makes one file. Its permissions are those that it is made with: the system takes the umask away, and whoever makes it may write it whatever they say.
fn write(at: &Dir, last: &str, file: &Writing) -> Result<(), VfsError> {
    let said = |error: &std::io::Error| VfsError::from_system(error, file.path.as_str());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).follow(FollowSymlinks::No).mode(file.permissions.into());
    let new = at.open_with(last, &options).map_err(|error| said(&error))?.into_std();
    let written = holes::write_all_at(&new, &file.bytes, 0, |part, at| new.write_all_at(part, at)).and_then(|()| Ok(futimens(&new, &times(file.modified))?));
    written.map_err(|error| {
        // The error that matters is the first.
        let _ = unlinkat(at, last, AtFlags::empty());
        said(&error)
    })
}

pub(super) fn rename_files(folder: &Folder, names: &mut dyn Iterator<Item = Checked<Renaming>>) -> Vec<Result<(), VfsError>> {
    let (mut from, mut to) = (Parents::of(folder), Parents::of(folder));
    names
        .map(|name| {
            let (old, new, replace) = name?;
            let (old_at, old_last) = from.open(&old)?;
            let (new_at, new_last) = to.open(&new)?;
            rename::rename((old_at, &old_last, &old), (new_at, &new_last, &new), replace)
        })
        .collect()
}

/// A modification time in nanoseconds since 1970; the time of the last access is now.
pub(super) fn times(modified: i64) -> Timestamps {
    let (seconds, nanoseconds) = (modified.div_euclid(1_000_000_000), modified.rem_euclid(1_000_000_000));
    let last_access = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    Timestamps { last_access, last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ } }
}
