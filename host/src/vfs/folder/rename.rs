//! Renaming, with and without replacing.

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, RenameFlags, linkat, mkdirat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::{kind, look, system};
use crate::vfs::{FileKind, RelativePath, VfsError};

/// A directory, one part in it, and the path that was asked for.
type Place<'a> = (&'a Dir, &'a str, &'a RelativePath);

pub(super) fn rename(old: Place<'_>, new: Place<'_>, replace: bool) -> Result<(), VfsError> {
    let result = if replace {
        renameat(old.0, old.1, new.0, new.1)
    } else {
        match renameat_with(old.0, old.1, new.0, new.1, RenameFlags::NOREPLACE) {
            // What systems and file systems answer that don't know the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => return without_the_flag(old, new),
            result => result,
        }
    };
    result.map_err(|error| explain(error, old, new))
}

/// Where the system can't rename without replacing: a second link is made, which fails if the name is taken, and the first removed. A directory, which
/// can't have two, takes the place of an empty one that could be made only because the name was free.
fn without_the_flag(old: Place<'_>, new: Place<'_>) -> Result<(), VfsError> {
    let is_directory = look(old.0, old.1).map(|stat| kind(&stat) == FileKind::Directory).map_err(|error| system(error, old.2))?;
    if is_directory {
        mkdirat(new.0, new.1, Mode::RWXU).map_err(|error| system(error, new.2))?;
        return renameat(old.0, old.1, new.0, new.1).map_err(|error| {
            // Fails, as it should, if somebody has put something in.
            let _ = unlinkat(new.0, new.1, AtFlags::REMOVEDIR);
            explain(error, old, new)
        });
    }
    match linkat(old.0, old.1, new.0, new.1, AtFlags::empty()) {
        Ok(()) => unlinkat(old.0, old.1, AtFlags::empty()).map_err(|error| system(error, old.2)),
        Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS | Errno::MLINK) => Err(VfsError::Io(format!(
            "{}: this file system can neither rename without replacing nor link: allow replacing, or use another file system for the drive",
            new.2
        ))),
        Err(error) => Err(explain(error, old, new)),
    }
}

/// Of the errors of a call with two names, these are about the new one.
fn explain(error: Errno, old: Place<'_>, new: Place<'_>) -> VfsError {
    match error {
        Errno::EXIST | Errno::NOTEMPTY | Errno::ISDIR | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::NOSPC | Errno::DQUOT => system(error, new.2),
        Errno::XDEV => VfsError::Io(format!("'{}' and '{}' are on different file systems: copy it instead", old.2, new.2)),
        _ => system(error, old.2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;

    #[test]
    fn without_the_flag_a_taken_name_is_kept_too() {
        let folder = tempfile::tempdir().unwrap();
        let at = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let path = |text| RelativePath::parse(text).unwrap();
        let (a, b, d, e) = (path("a"), path("b"), path("d"), path("e"));
        at.write("a", "1").unwrap();
        without_the_flag((&at, "a", &a), (&at, "b", &b)).unwrap();
        assert!(!at.exists("a") && at.read("b").unwrap() == b"1");

        at.write("a", "2").unwrap();
        assert_eq!(without_the_flag((&at, "a", &a), (&at, "b", &b)), Err(VfsError::Exists("b".into())));
        assert_eq!(without_the_flag((&at, "e", &e), (&at, "b", &b)), Err(VfsError::NotFound("e".into())));
        assert_eq!((at.read("a").unwrap(), at.read("b").unwrap()), (b"2".to_vec(), b"1".to_vec()));

        at.create_dir("d").unwrap();
        at.write("d/x", "3").unwrap();
        assert_eq!(without_the_flag((&at, "d", &d), (&at, "b", &b)), Err(VfsError::Exists("b".into())));
        without_the_flag((&at, "d", &d), (&at, "e", &e)).unwrap();
        assert!(!at.exists("d") && at.read("e/x").unwrap() == b"3");
    }
}
