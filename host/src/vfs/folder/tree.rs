//! Removing a directory with all that is in it.
//!
//! Without recursion, and at most [`MAX_DEPTH`] directories open: a guest can make a tree as deep as it likes, and must not end the node with it.

use std::ffi::CString;

use cap_std::fs::Dir;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

use super::why;
use crate::vfs::{RelativePath, VfsError};

/// How deep a tree may be that is removed at once. Each level keeps a descriptor open.
const MAX_DEPTH: usize = 256;
/// How often a directory is read again that is not empty after all in it was removed: somebody is adding to it, or the system's order changed by the removing.
const ROUNDS: u32 = 8;

/// A directory that is being emptied.
struct Level {
    /// Its name in the level above.
    name: CString,
    rest: rustix::fs::Dir,
    round: u32,
}

impl Level {
    fn open(above: BorrowedFd<'_>, name: CString) -> Result<Self, Errno> {
        let handle = openat(above, &name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { name, rest: rustix::fs::Dir::new(handle)?, round: 0 })
    }

    fn handle(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.rest.fd()
    }

    /// The next entry that is a directory; removes what is none on the way.
    fn next_directory(&mut self) -> Result<Option<CString>, Errno> {
        while let Some(entry) = self.rest.read() {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(self.handle()?, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => continue,
                    stat => FileType::from_raw_mode(stat?.st_mode),
                },
                known => known,
            };
            if kind == FileType::Directory {
                return Ok(Some(name.into()));
            }
            match unlinkat(self.handle()?, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Removes the directory `name` of `at`.
pub(super) fn remove(at: &Dir, name: &str, path: &RelativePath) -> Result<(), VfsError> {
    let said = |error: Errno| VfsError::from_system(&error.into(), path.as_str());
    let name = CString::new(name).map_err(|_| VfsError::InvalidName("a name can't have a NUL".into()))?;
    let top = Level::open(at.as_fd(), name.clone()).map_err(|error| why(&error.into(), at, &name.to_string_lossy(), path))?;
    let mut levels = vec![top];
    while let Some(level) = levels.last_mut() {
        if let Some(directory) = level.next_directory().map_err(said)? {
            match level.handle().and_then(|handle| Level::open(handle, directory)) {
                Ok(_) if levels.len() == MAX_DEPTH => {
                    return Err(VfsError::Limit(format!("'{path}' is deeper than {MAX_DEPTH} directories: remove the inner ones first")));
                }
                Ok(below) => levels.push(below),
                // Gone, or no directory any more: then this one is not empty yet, and the next round removes it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(said(error)),
            }
            continue;
        }
        let Some(mut done) = levels.pop() else { break };
        let above = levels.last().map_or(Ok(at.as_fd()), Level::handle).map_err(said)?;
        match unlinkat(above, &done.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if done.round < ROUNDS => {
                done.round += 1;
                done.rest.rewind();
                levels.push(done);
            }
            Err(error) => return Err(said(error)),
        }
    }
    Ok(())
}
