//! Removing a directory with all that is in it.
//!
//! Without recursion, and with at most [`MAX_OPEN`] directories open: a guest can make a tree as deep as it likes, and must not end the node with it. What is
//! deeper is moved up, to be removed from there.

use std::ffi::CString;

use cap_std::fs::Dir;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::why;
use crate::vfs::{RelativePath, VfsError, WORKING};

/// How many directories are open at once.
const MAX_OPEN: usize = 64;
/// How many directories are moved up at most: enough for 600,000 levels, and an end if somebody goes on making them.
const MAX_MOVES: u32 = 10_000;
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

    /// Reads it from its beginning.
    fn again(mut self) -> Self {
        self.round += 1;
        self.rest.rewind();
        self
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
    let mut moves = 0;
    while let Some(level) = levels.last_mut() {
        let Some(directory) = level.next_directory().map_err(said)? else {
            let Some(emptied) = levels.pop() else { break };
            let above = levels.last().map_or(Ok(at.as_fd()), Level::handle).map_err(said)?;
            match unlinkat(above, &emptied.name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) if emptied.round < ROUNDS => levels.push(emptied.again()),
                Err(error) => return Err(said(error)),
            }
            continue;
        };
        let step = if levels.len() < MAX_OPEN { descend(&mut levels, directory) } else { move_up(&mut levels, &directory, &mut moves) };
        match step {
            // Gone, or no directory any more: then the one above is not empty yet, and its next round removes it.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => return Err(said(error)),
        }
        if moves > MAX_MOVES {
            return Err(VfsError::Limit(format!("'{path}' has too many levels, or somebody goes on adding to it")));
        }
    }
    Ok(())
}

/// Goes on in `directory`, which is in the last of `levels`.
fn descend(levels: &mut Vec<Level>, directory: CString) -> Result<(), Errno> {
    if let Some(level) = levels.last() {
        let below = Level::open(level.handle()?, directory)?;
        levels.push(below);
    }
    Ok(())
}

/// Moves `directory`, which is in the last of `levels`, into the first, which is not empty then and is read again.
fn move_up(levels: &mut [Level], directory: &CString, moves: &mut u32) -> Result<(), Errno> {
    if let [first, .., last] = levels {
        let name = format!("{WORKING}{:032x}", rand::random::<u128>());
        renameat(last.handle()?, directory, first.handle()?, &name)?;
        *moves += 1;
        first.round = 0;
    }
    Ok(())
}
