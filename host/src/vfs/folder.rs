//! A drive that is a folder of this machine.
//!
//! A path is walked part by part: each directory is opened relative to the one above, by cap-std, and refused if it is a link, so that exchanging a directory
//! for a link meanwhile gains nothing. The last part is opened by cap-std too; what only looks at, renames or removes it calls the system with the open
//! directory and that one part, which [`RelativePath`] has made sure is one, and never follows it. Where the system only says "no", the part is looked
//! at again to say why.

use std::fs;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, fstatvfs, fsync, openat, statat, unlinkat};
use rustix::io::Errno;

use super::backend::{Checked, DirectoryBackend, FileBackend, Opening};
use super::many::{FilePack, Renaming, Writing};
use super::{DirectoryPage, FileKind, Metadata, PERMISSIONS, RelativePath, VfsError, WORKING, name};

mod ahead;
mod at_once;
mod direct;
mod holes;
mod listing;
mod many;
mod names;
mod open_file;
mod rename;
mod tree;

use ahead::ReadAhead;
use open_file::OpenFile;

/// The mode of a file that only its owner may open.
const PRIVATE: u32 = 0o600;

/// A directory of the machine.
#[derive(Debug)]
pub(super) struct Folder {
    handle: Dir,
    /// Of the whole drive.
    ahead: Arc<ReadAhead>,
}

impl Folder {
    /// Opens a folder by its owner's path, following links.
    pub(super) fn open_ambient(path: &Path) -> Result<Self, VfsError> {
        let handle = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| VfsError::from_system(&error, &path.display().to_string()))?;
        Ok(Self { handle, ahead: Arc::new(ReadAhead::new(ahead::BYTES)) })
    }

    /// The same folder, with so many bytes for names that are read ahead, and who tells what is kept.
    #[cfg(test)]
    fn reading_ahead(self, bytes: usize) -> (Self, Arc<ReadAhead>) {
        let ahead = Arc::new(ReadAhead::new(bytes));
        (Self { ahead: ahead.clone(), ..self }, ahead)
    }

    /// Opens the directory that the last part of `path` is in, and returns how the last part is spelled there.
    fn parent(&self, path: &RelativePath, create: bool) -> Result<(At<'_>, String), VfsError> {
        let mut parts = path.parts().peekable();
        let mut at = At::Here(&self.handle);
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                let last = spelling(&at, part);
                return Ok((at, last));
            }
            at = At::Below(step(&at, part, path, create)?);
        }
        Err(VfsError::InvalidName("a path can't be empty".into()))
    }

    /// Opens a regular file, and nothing else; never waits for a pipe's other end.
    fn open_regular(&self, path: &RelativePath, how: Opening) -> Result<fs::File, VfsError> {
        let (at, last) = self.parent(path, how.create)?;
        open_regular(&at, &last, path, how)
    }
}

/// Opens the regular file `last` of the directory `at`. `path` is what was asked for.
fn open_regular(at: &Dir, last: &str, path: &RelativePath, how: Opening) -> Result<fs::File, VfsError> {
    // Looking first keeps devices from being opened at all. What is opened is looked at again, because the name may have changed hands.
    if let Ok(stat) = look(at, last) {
        if how.exclusive {
            return Err(VfsError::Exists(path.as_str().into()));
        }
        check_regular(&stat, path)?;
    }
    let mut options = OpenOptions::new();
    options.read(how.read).write(how.write).create(how.create).create_new(how.exclusive).follow(FollowSymlinks::No);
    if how.private {
        options.mode(PRIVATE);
    }
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    let file = at.open_with(last, &options).map_err(|error| why(&error, at, last, path))?.into_std();
    check_regular(&fstat(&file).map_err(|error| system(error, path))?, path)?;
    Ok(file)
}

impl DirectoryBackend for Folder {
    fn open_file(&self, path: &RelativePath, how: Opening) -> Result<Arc<dyn FileBackend>, VfsError> {
        Ok(Arc::new(OpenFile::new(self.open_regular(path, how)?, path, how.sparse)))
    }

    fn open_directory(&self, path: &RelativePath, create: bool) -> Result<Arc<dyn DirectoryBackend>, VfsError> {
        let (at, last) = self.parent(path, create)?;
        Ok(Arc::new(Self { handle: step(&at, &last, path, create)?, ahead: self.ahead.clone() }))
    }

    fn entries(&self, after: Option<&str>, limit: usize, shown: &dyn Fn(&str) -> bool) -> Result<DirectoryPage, VfsError> {
        listing::page(&self.handle, &self.ahead, after, limit, shown)
    }

    fn metadata(&self, path: &RelativePath) -> Result<Metadata, VfsError> {
        let (at, last) = self.parent(path, false)?;
        look(&at, &last).map(|stat| describe(&stat)).map_err(|error| system(error, path))
    }

    fn metadata_at_once(&self, path: &RelativePath) -> Option<Result<Metadata, VfsError>> {
        at_once::metadata(&self.handle, path)
    }

    fn open_at_once(&self, path: &RelativePath) -> Option<Arc<dyn FileBackend>> {
        Some(Arc::new(OpenFile::local(at_once::open(&self.handle, path)?, path)))
    }

    fn open_directory_at_once(&self, path: &RelativePath) -> Option<Arc<dyn DirectoryBackend>> {
        Some(Arc::new(Self { handle: at_once::open_directory(&self.handle, path)?, ahead: self.ahead.clone() }))
    }

    fn rename(&self, old: &RelativePath, new: &RelativePath, replace: bool) -> Result<(), VfsError> {
        let (from, old_last) = self.parent(old, false)?;
        let (to, new_last) = self.parent(new, false)?;
        rename::rename((&from, &old_last, old), (&to, &new_last, new), replace)
    }

    fn copy(&self, source: &RelativePath, target: &RelativePath) -> Result<(), VfsError> {
        let mut from = self.open_regular(source, Opening { read: true, write: false, create: false, exclusive: false, private: false, sparse: false })?;
        let (at, last) = self.parent(target, false)?;
        if look(&at, &last).is_ok() {
            return Err(VfsError::Exists(target.as_str().into()));
        }
        let working = format!("{WORKING}copy-{:032x}", rand::random::<u128>());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No).mode(PRIVATE);
        let mut to = at.open_with(&working, &options).map_err(|error| VfsError::from_system(&error, target.as_str()))?.into_std();
        let copied = io::copy(&mut from, &mut to)
            .and_then(|_| to.set_permissions(from.metadata()?.permissions()))
            .map_err(|error| VfsError::from_system(&error, target.as_str()))
            .and_then(|()| rename::rename((&at, &working, target), (&at, &last, target), false));
        if copied.is_err() {
            // Whether or not this works, the error that matters is the first.
            let _ = unlinkat(&*at, &working, AtFlags::empty());
        }
        copied
    }

    fn remove_file(&self, path: &RelativePath) -> Result<(), VfsError> {
        let (at, last) = self.parent(path, false)?;
        if look(&at, &last).is_ok_and(|stat| kind(&stat) == FileKind::Directory) {
            return Err(VfsError::IsADirectory(path.as_str().into()));
        }
        unlinkat(&*at, &last, AtFlags::empty()).map_err(|error| system(error, path))
    }

    fn remove_directory(&self, path: &RelativePath, recursive: bool) -> Result<(), VfsError> {
        let (at, last) = self.parent(path, false)?;
        if recursive {
            return tree::remove(&at, &last, path);
        }
        unlinkat(&*at, &last, AtFlags::REMOVEDIR).map_err(|error| why(&error.into(), &at, &last, path))
    }

    fn sync(&self) -> Result<(), VfsError> {
        // The handle is good for walking only; what is synced must be open for reading.
        let said = |error: Errno| VfsError::from_system(&error.into(), "the directory");
        match fsync(open_to_read(&self.handle).map_err(said)?) {
            // What file systems answer that have nothing to sync for a directory.
            Err(Errno::INVAL) => Ok(()),
            result => result.map_err(said),
        }
    }

    fn read_link(&self, path: &RelativePath) -> Result<String, VfsError> {
        let (at, last) = self.parent(path, false)?;
        match rustix::fs::readlinkat(&*at, &last, Vec::new()) {
            Ok(target) => target.into_string().map_err(|_| VfsError::Io(format!("{path}: what the link says is no text"))),
            Err(Errno::INVAL) => Err(VfsError::Denied(format!("'{path}' is no link"))),
            Err(error) => Err(system(error, path)),
        }
    }

    fn make_link(&self, path: &RelativePath, target: &str) -> Result<(), VfsError> {
        let (at, last) = self.parent(path, false)?;
        rustix::fs::symlinkat(target, &*at, &last).map_err(|error| system(error, path))
    }

    fn set_directory(&self, path: &RelativePath, modified: i64, permissions: u16) -> Result<(), VfsError> {
        let (at, last) = self.parent(path, false)?;
        set(&step(&at, &last, path, false)?, modified, permissions).map_err(|error| system(error, path))
    }

    fn own_metadata(&self) -> Result<Metadata, VfsError> {
        fstat(&self.handle).map(|stat| describe(&stat)).map_err(|error| VfsError::from_system(&error.into(), "the directory"))
    }

    fn set_own(&self, modified: i64, permissions: u16) -> Result<(), VfsError> {
        set(&self.handle, modified, permissions).map_err(|error| VfsError::from_system(&error.into(), "the directory"))
    }

    fn sync_all(&self) -> Result<(), VfsError> {
        // Where one file system can't be chosen, it is all of them.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        rustix::fs::sync();
        #[cfg(any(target_os = "linux", target_os = "android"))]
        open_to_read(&self.handle).and_then(rustix::fs::syncfs).map_err(|error| VfsError::from_system(&error.into(), "the drive"))?;
        Ok(())
    }

    fn metadata_of(&self, paths: &mut dyn Iterator<Item = Checked<RelativePath>>) -> Vec<Result<Metadata, VfsError>> {
        many::metadata_of(self, paths)
    }

    fn read_files(&self, paths: &mut dyn Iterator<Item = Checked<RelativePath>>, limit: u64) -> FilePack {
        many::read_files(self, paths, limit)
    }

    fn write_files(&self, files: &mut dyn Iterator<Item = Checked<Writing>>) -> Vec<Result<(), VfsError>> {
        many::write_files(self, files)
    }

    fn rename_files(&self, names: &mut dyn Iterator<Item = Checked<Renaming>>) -> Vec<Result<(), VfsError>> {
        many::rename_files(self, names)
    }

    fn free_space(&self) -> Result<u64, VfsError> {
        let stat = fstatvfs(&self.handle).map_err(|error| VfsError::from_system(&error.into(), "the drive"))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn tells_space_at_once(&self) -> bool {
        at_once::is_local(&self.handle)
    }
}

/// A directory on the way: the one where the path begins, or one below it.
#[derive(Debug)]
enum At<'a> {
    Here(&'a Dir),
    Below(Dir),
}

impl Deref for At<'_> {
    type Target = Dir;

    fn deref(&self) -> &Dir {
        match self {
            At::Here(handle) => handle,
            At::Below(handle) => handle,
        }
    }
}

/// Opens the directory `part` in `at`. `path` is what was asked for.
fn step(at: &Dir, part: &str, path: &RelativePath, create: bool) -> Result<Dir, VfsError> {
    let part = spelling(at, part);
    match at.open_dir_nofollow(&part) {
        Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
            match at.create_dir(&part) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(VfsError::from_system(&error, path.as_str())),
                // Somebody else may have made it in between.
                _ => at.open_dir_nofollow(&part),
            }
        }
        result => result,
    }
    .map_err(|error| why(&error, at, &part, path))
}

/// How `part` is spelled in `at`: as it is, unless there is nothing of that spelling and something of the decomposed one.
fn spelling(at: &Dir, part: &str) -> String {
    match name::decomposed(part) {
        Some(other) if look(at, part).is_err_and(|error| error == Errno::NOENT) && look(at, &other).is_ok() => other,
        _ => part.into(),
    }
}

/// What stands there, without following it.
fn look(at: &Dir, part: &str) -> Result<Stat, Errno> {
    statat(at, part, AtFlags::SYMLINK_NOFOLLOW)
}

/// Opens a directory again, for what needs more than walking.
fn open_to_read(directory: &Dir) -> Result<rustix::fd::OwnedFd, Errno> {
    openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Gives a directory a time and permissions. What else its mode says (whose group new files get, who may remove them) stays its owner's matter.
fn set(directory: &Dir, modified: i64, permissions: u16) -> Result<(), Errno> {
    let directory = open_to_read(directory)?;
    let others = Mode::from_raw_mode(fstat(&directory)?.st_mode) & (Mode::SUID | Mode::SGID | Mode::SVTX);
    rustix::fs::fchmod(&directory, others | (Mode::from_raw_mode(permissions.into()) - open_file::forbidden()))?;
    rustix::fs::futimens(&directory, &many::times(modified))
}

/// What an error in opening or removing `part` means. The system answers differently to links, so they are looked for.
fn why(error: &io::Error, at: &Dir, part: &str, path: &RelativePath) -> VfsError {
    match look(at, part).map(|stat| kind(&stat)) {
        Ok(FileKind::SymbolicLink) => VfsError::symbolic_link(part),
        _ => VfsError::from_system(error, path.as_str()),
    }
}

fn system(error: Errno, path: &RelativePath) -> VfsError {
    VfsError::from_system(&error.into(), path.as_str())
}

fn check_regular(stat: &Stat, path: &RelativePath) -> Result<(), VfsError> {
    match kind(stat) {
        FileKind::Regular => Ok(()),
        FileKind::Directory => Err(VfsError::IsADirectory(path.as_str().into())),
        FileKind::SymbolicLink => Err(VfsError::symbolic_link(path.as_str())),
        FileKind::Other => Err(VfsError::not_a_file(path.as_str())),
    }
}

fn kind(stat: &Stat) -> FileKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::SymbolicLink,
        _ => FileKind::Other,
    }
}

fn describe(stat: &Stat) -> Metadata {
    let kind = kind(stat);
    let size = if kind == FileKind::Regular { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 };
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let modified = stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
    let permissions = u16::try_from(stat.st_mode & u32::from(PERMISSIONS)).unwrap_or(0);
    Metadata { kind, size, modified, permissions }
}
