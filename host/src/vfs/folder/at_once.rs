//! What can be told or opened without waiting: from what the system has in memory already.
//!
//! Handing a call to a thread that may block costs many times the call itself, and most calls of a transfer concern what was looked at a moment before. The system is asked for what it knows
//! (`RESOLVE_CACHED` of openat2(2), Linux 5.12); whatever else it says, or where it can't be asked so, the answer is None, and the usual way is gone. What holds there holds here: no link is
//! followed, nothing above the folder is reached, what is no regular file is not opened.

use std::fs;

#[cfg(target_os = "linux")]
pub(super) use linux::{is_local, is_on, metadata, open, open_directory};
use rustix::fd::AsFd;

#[cfg(target_os = "linux")]
mod linux {
    use cap_std::fs::Dir;
    use rustix::fd::OwnedFd;
    use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, fstatfs, openat2};
    use rustix::io::Errno;

    use super::{AsFd, fs};
    use crate::vfs::folder::describe;
    use crate::vfs::{Metadata, RelativePath, VfsError, name};

    /// The file systems that keep what they know of an open file in memory, by their numbers in linux/magic.h: ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, bcachefs.
    const LOCAL: [u64; 6] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994, 0xCA45_1A4E];

    /// Whether the system knows all of an open file without asking a disk or another machine.
    pub(in crate::vfs::folder) fn is_local(file: impl AsFd) -> bool {
        is_on(file, &LOCAL)
    }

    /// Whether a file is on one of these file systems, by their numbers in linux/magic.h.
    pub(in crate::vfs::folder) fn is_on(file: impl AsFd, kinds: &[u64]) -> bool {
        fstatfs(file).is_ok_and(|stat| u64::try_from(stat.f_type).is_ok_and(|kind| kinds.contains(&(kind & 0xFFFF_FFFF))))
    }

    /// See [`crate::vfs::backend::DirectoryBackend::metadata_at_once`].
    pub(in crate::vfs::folder) fn metadata(at: &Dir, path: &RelativePath) -> Option<Result<Metadata, VfsError>> {
        match look(at, path, OFlags::PATH)? {
            Ok(found) => Some(Ok(describe(&fstat(&found).ok().filter(|_| is_local(&found))?))),
            Err(error) => Some(Err(super::super::system(error, path))),
        }
    }

    /// See [`crate::vfs::backend::DirectoryBackend::open_at_once`].
    pub(in crate::vfs::folder) fn open(at: &Dir, path: &RelativePath) -> Option<fs::File> {
        let regular = |file: &OwnedFd| fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        // What is a device is not opened at all, and nothing that another machine would have to be asked for. What is opened is looked at again, because the name may have changed hands.
        let found = look(at, path, OFlags::PATH)?.ok()?;
        if !regular(&found) || !is_local(&found) {
            return None;
        }
        let file = look(at, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?.ok()?;
        regular(&file).then(|| file.into())
    }

    /// See [`crate::vfs::backend::DirectoryBackend::open_directory_at_once`].
    pub(in crate::vfs::folder) fn open_directory(at: &Dir, path: &RelativePath) -> Option<Dir> {
        // Good for walking, as cap-std opens them.
        let found = look(at, path, OFlags::PATH | OFlags::DIRECTORY)?.ok()?;
        is_local(&found).then(|| Dir::from_std_file(found.into()))
    }

    /// What stands there, or that nothing does. None: the system can't tell at once, or something else is wrong.
    fn look(at: &Dir, path: &RelativePath, how: OFlags) -> Option<Result<OwnedFd, Errno>> {
        // Another spelling might stand there.
        if path.parts().any(|part| name::decomposed(part).is_some()) {
            return None;
        }
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::CACHED;
        match openat2(at, path.as_str(), how | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), within) {
            Ok(found) => Some(Ok(found)),
            Err(Errno::NOENT) => Some(Err(Errno::NOENT)),
            Err(_) => None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_local(_: impl AsFd) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn metadata(_: &cap_std::fs::Dir, _: &crate::vfs::RelativePath) -> Option<Result<crate::vfs::Metadata, crate::vfs::VfsError>> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open_directory(_: &cap_std::fs::Dir, _: &crate::vfs::RelativePath) -> Option<cap_std::fs::Dir> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open(_: &cap_std::fs::Dir, _: &crate::vfs::RelativePath) -> Option<fs::File> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use cap_std::ambient_authority;
    use cap_std::fs::Dir;

    use super::*;
    use crate::vfs::backend::{DirectoryBackend as _, Opening};
    use crate::vfs::folder::Folder;
    use crate::vfs::{FileKind, RelativePath, VfsError};

    fn path(text: &str) -> RelativePath {
        RelativePath::parse(text).unwrap()
    }

    #[test]
    fn what_is_known_is_told_as_the_usual_way_tells_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        fs::write(folder.path().join("d/file"), "12345").unwrap();
        symlink("file", folder.path().join("d/link")).unwrap();
        symlink("d", folder.path().join("way")).unwrap();
        let root = Folder::open_ambient(folder.path()).unwrap();
        for name in ["d", "d/file", "d/link", "d/none", "way", "none"] {
            // Having been looked at, it is in memory.
            let usual = root.metadata(&path(name));
            match root.metadata_at_once(&path(name)) {
                Some(found) => assert_eq!(found, usual, "{name}"),
                None => assert!(!is_local(fs::File::open(folder.path()).unwrap()), "{name}"),
            }
        }
        // By way of a link, the usual way says what is wrong.
        assert_eq!(root.metadata_at_once(&path("way/file")), None);
        assert!(matches!(root.metadata(&path("way/file")), Err(VfsError::Denied(_) | VfsError::NotADirectory(_))));
    }

    #[test]
    fn only_regular_files_are_opened_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let secret = tempfile::tempdir().unwrap();
        fs::write(secret.path().join("file"), "secret").unwrap();
        fs::write(folder.path().join("file"), "12345").unwrap();
        symlink(secret.path().join("file"), folder.path().join("link")).unwrap();
        symlink(secret.path(), folder.path().join("out")).unwrap();
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        let root = Folder::open_ambient(folder.path()).unwrap();
        for name in ["link", "out/file", "socket", "none", "out"] {
            let _ = root.metadata(&path(name));
            assert!(root.open_at_once(&path(name)).is_none(), "{name}");
        }
        let opened = root.open_at_once(&path("file"));
        let usual =
            root.open_file(&path("file"), Opening { read: true, write: false, create: false, exclusive: false, private: false, sparse: false }).unwrap();
        assert_eq!(opened.is_some(), is_local(fs::File::open(folder.path()).unwrap()));
        if let Some(opened) = opened {
            assert_eq!(opened.metadata().unwrap(), usual.metadata().unwrap());
            assert_eq!(opened.metadata().unwrap().kind, FileKind::Regular);
        }
    }

    #[test]
    fn only_directories_are_opened_as_such_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let secret = tempfile::tempdir().unwrap();
        fs::create_dir(secret.path().join("d")).unwrap();
        fs::create_dir_all(folder.path().join("d/e")).unwrap();
        fs::write(folder.path().join("d/e/file"), "12345").unwrap();
        symlink("d", folder.path().join("link")).unwrap();
        symlink(secret.path(), folder.path().join("out")).unwrap();
        let root = Folder::open_ambient(folder.path()).unwrap();
        for name in ["link", "link/e", "out", "out/d", "d/e/file", "none", "d/none"] {
            let _ = root.metadata(&path(name));
            assert!(root.open_directory_at_once(&path(name)).is_none(), "{name}");
        }
        assert!(!folder.path().join("none").exists(), "nothing is made");
        let opened = root.open_directory_at_once(&path("d/e"));
        assert_eq!(opened.is_some(), is_local(fs::File::open(folder.path()).unwrap()));
        if let Some(opened) = opened {
            assert_eq!(opened.metadata(&path("file")).unwrap().size, 5);
            opened.sync().unwrap();
        }
    }

    #[test]
    fn a_name_that_may_be_spelled_otherwise_is_left_to_the_usual_way() {
        let folder = tempfile::tempdir().unwrap();
        let at = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let name = path("gr\u{fc}n");
        at.write("gru\u{308}n", "x").unwrap();
        assert!(metadata(&at, &name).is_none() && open(&at, &name).is_none());
        at.create_dir("u\u{308}ber").unwrap();
        assert!(open_directory(&at, &path("\u{fc}ber")).is_none());
    }
}
