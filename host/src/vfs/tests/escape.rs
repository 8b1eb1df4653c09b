//! Ways out of a folder, each tried with every call that takes a path.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::*;

/// A folder that is lent, with a secret beside it.
struct Ground {
    outside: tempfile::TempDir,
    root: Directory,
}

impl Ground {
    fn new() -> Self {
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir_all(outside.path().join("drive/inside")).unwrap();
        fs::create_dir_all(outside.path().join("beside/deep")).unwrap();
        fs::write(outside.path().join("beside/secret"), "secret").unwrap();
        fs::write(outside.path().join("drive/inside/mine"), "mine").unwrap();
        let root = Drive::folder("p:q/files", &outside.path().join("drive")).unwrap().root(Rights::ALL);
        Self { outside, root }
    }

    fn drive(&self) -> std::path::PathBuf {
        self.outside.path().join("drive")
    }

    /// Every call with a path, none of which may succeed; `other` is a good path.
    fn try_all(&self, path: &str) -> Vec<(&'static str, VfsError)> {
        let root = &self.root;
        let mut errors = Vec::new();
        let mut attempt = |call, result: Result<(), VfsError>| match result {
            Err(error) => errors.push((call, error)),
            Ok(()) => panic!("{call} of {path:?} succeeded"),
        };
        attempt("read", root.open_file(path, READ).map(drop));
        attempt("write", root.open_file(path, WRITE).map(drop));
        attempt("create", root.open_file(path, NEW).map(drop));
        attempt("truncate", root.open_file(path, OpenFlags { truncate: true, ..WRITE }).map(drop));
        attempt("exclusive", root.open_file(path, OpenFlags { exclusive: true, ..NEW }).map(drop));
        attempt("open directory", root.open_directory(path, false).map(drop));
        attempt("create directory", root.open_directory(path, true).map(drop));
        attempt("copy from", root.copy(path, "copied"));
        attempt("copy to", root.copy("inside/mine", path));
        attempt("rename to", root.rename("inside/mine", path, false));
        attempt("remove directory", root.remove_directory(path, false));
        attempt("remove all", root.remove_directory(path, true));
        errors
    }

    fn assert_untouched(&self) {
        let list = |path: &Path| {
            let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(list(self.outside.path()), ["beside", "drive"]);
        assert_eq!(list(&self.outside.path().join("beside")), ["deep", "secret"]);
        assert_eq!(fs::read(self.outside.path().join("beside/secret")).unwrap(), b"secret");
        assert_eq!(fs::read(self.drive().join("inside/mine")).unwrap(), b"mine");
    }
}

#[test]
fn dots_and_absolute_paths_lead_nowhere() {
    let ground = Ground::new();
    let absolute = ground.outside.path().join("beside/secret").display().to_string();
    for path in
        ["../beside/secret", "inside/../../beside/secret", "..", "inside/..", "./../beside/secret", "..\\beside\\secret", "inside//../x", "", "/", &absolute]
    {
        for (call, error) in ground.try_all(path) {
            assert!(matches!(error, VfsError::InvalidName(_)), "{call} of {path:?}: {error:?}");
        }
        assert!(matches!(ground.root.metadata(path), Err(VfsError::InvalidName(_))));
        assert!(matches!(ground.root.remove_file(path), Err(VfsError::InvalidName(_))));
        assert!(matches!(ground.root.rename(path, "x", true), Err(VfsError::InvalidName(_))));
    }
    ground.assert_untouched();
}

#[test]
fn a_link_as_the_last_part_is_denied_whatever_it_points_to() {
    let ground = Ground::new();
    let drive = ground.drive();
    for (name, target) in [
        ("to-secret", "../beside/secret"),
        ("to-outside", "../beside"),
        ("to-root", "/"),
        ("to-mine", "inside/mine"),
        ("to-inside", "inside"),
        ("dangling", "../beside/new"),
        ("to-itself", "to-itself"),
        ("to-here", "."),
    ] {
        symlink(target, drive.join(name)).unwrap();
        for (call, error) in ground.try_all(name) {
            let taken = matches!(call, "exclusive" | "copy to" | "rename to") && error == VfsError::Exists(name.into());
            let denied = matches!(&error, VfsError::Denied(text) if text.contains("is a symbolic link") && text.contains(name));
            assert!(taken || denied, "{call} of {name}: {error:?}");
        }
        // The link itself can be seen, renamed and removed.
        assert_eq!(ground.root.metadata(name).unwrap().kind, FileKind::SymbolicLink);
        assert!(ground.root.entries(None, 10).unwrap().entries.iter().any(|entry| entry.name == name && entry.metadata.kind == FileKind::SymbolicLink));
        ground.root.rename(name, "moved", false).unwrap();
        ground.root.remove_file("moved").unwrap();
        ground.assert_untouched();
    }
}

#[test]
fn a_link_on_the_way_is_denied() {
    let ground = Ground::new();
    symlink("../beside", ground.drive().join("out")).unwrap();
    symlink("/", ground.drive().join("root")).unwrap();
    symlink("inside", ground.drive().join("in")).unwrap();
    symlink("../..", ground.drive().join("inside/up")).unwrap();
    for path in ["out/secret", "out/new", "out/deep", "out/deep/new", "root/etc/passwd", "in/mine", "inside/up/beside/secret"] {
        for (call, error) in ground.try_all(path) {
            assert!(matches!(&error, VfsError::Denied(text) if text.contains("is a symbolic link")), "{call} of {path}: {error:?}");
        }
        let denied = |result: Result<(), VfsError>| assert!(matches!(result, Err(VfsError::Denied(_))), "{path}: {result:?}");
        denied(ground.root.metadata(path).map(drop));
        denied(ground.root.remove_file(path));
        denied(ground.root.rename(path, "x", true));
    }
    ground.assert_untouched();
}

#[test]
fn renaming_onto_a_link_replaces_the_link() {
    let ground = Ground::new();
    symlink("../beside/secret", ground.drive().join("link")).unwrap();
    put(&ground.root, "new", b"new");
    ground.root.rename("new", "link", true).unwrap();
    assert!(ground.drive().join("link").symlink_metadata().unwrap().is_file());
    ground.assert_untouched();
}

#[test]
fn removing_a_tree_removes_the_links_in_it_and_nothing_behind_them() {
    let ground = Ground::new();
    fs::create_dir_all(ground.drive().join("tree/a/b")).unwrap();
    symlink("../../../beside", ground.drive().join("tree/a/out")).unwrap();
    symlink("../../../../beside/secret", ground.drive().join("tree/a/b/secret")).unwrap();
    assert!(rustix::fs::mknodat(rustix::fs::CWD, ground.drive().join("tree/pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).is_ok());
    ground.root.remove_directory("tree", true).unwrap();
    assert!(!ground.drive().join("tree").exists());
    ground.assert_untouched();
}

#[test]
fn a_large_tree_and_a_deep_one_are_removed_with_few_descriptors() {
    let ground = Ground::new();
    for number in 0..500 {
        put(&ground.root, &format!("tree/{}/{number}", number % 7), b"");
    }
    let mut at = ground.root.open_directory("tree/deep", true).unwrap();
    // Ten times as many as are open at once.
    for level in 0..640 {
        at = at.open_directory("d", true).unwrap();
        if level % 100 == 0 {
            put(&at, "file", b"");
        }
    }
    assert_eq!(ground.root.remove_directory("tree", false), Err(VfsError::NotEmpty("tree".into())));
    ground.root.remove_directory("tree", true).unwrap();
    assert_eq!(names(&ground.root), ["inside"]);
    ground.assert_untouched();
}

/// The attack on a check that comes before the use: while `path` is opened again and again, `name` and `link` change places. Both must be met often, so that
/// every order of the two has been.
fn while_exchanging(ground: &Ground, name: &str, link: &str, open: impl Fn() -> Result<(), VfsError>) {
    let (name, link) = (ground.drive().join(name), ground.drive().join(link));
    let stop = AtomicBool::new(false);
    let (mut opened, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        let exchanging = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(rustix::fs::CWD, &name, rustix::fs::CWD, &link, rustix::fs::RenameFlags::EXCHANGE).unwrap();
            }
        });
        let end = Instant::now() + Duration::from_secs(20);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while Instant::now() < end && (opened < 20_000 || refused < 20_000) {
                match open() {
                    Ok(()) => opened += 1,
                    Err(VfsError::Denied(_) | VfsError::NotADirectory(_)) => refused += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
        }));
        stop.store(true, Ordering::Relaxed);
        exchanging.join().unwrap();
        result.unwrap();
    });
    assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused");
    ground.assert_untouched();
}

#[test]
fn a_directory_that_becomes_a_link_meanwhile_does_not_lead_out() {
    let ground = Ground::new();
    fs::create_dir(ground.drive().join("flip")).unwrap();
    fs::write(ground.drive().join("flip/secret"), "harmless").unwrap();
    symlink("../beside", ground.drive().join("link")).unwrap();
    while_exchanging(&ground, "flip", "link", || {
        let file = ground.root.open_file("flip/secret", WRITE)?;
        assert_eq!(file.read(0, 100).unwrap(), b"harmless".as_slice());
        ground.root.open_directory("flip", false)?.open_file("new", NEW).map(drop)
    });
}

#[test]
fn a_file_that_becomes_a_link_meanwhile_is_not_followed_not_even_inside() {
    let ground = Ground::new();
    fs::write(ground.drive().join("flip"), "harmless").unwrap();
    for target in ["../beside/secret", "inside/mine"] {
        symlink(target, ground.drive().join("link")).unwrap();
        while_exchanging(&ground, "flip", "link", || {
            let file = ground.root.open_file("flip", NEW)?;
            assert_eq!(file.read(0, 100).unwrap(), b"harmless".as_slice());
            Ok(())
        });
        let (flip, link) = (ground.drive().join("flip"), ground.drive().join("link"));
        if flip.is_symlink() {
            fs::remove_file(&flip).unwrap();
            fs::rename(&link, &flip).unwrap();
        } else {
            fs::remove_file(&link).unwrap();
        }
    }
}

#[test]
fn pipes_sockets_and_devices_are_refused_at_once() {
    let ground = Ground::new();
    let make = |name: &str, kind| rustix::fs::mknodat(rustix::fs::CWD, ground.drive().join(name), kind, rustix::fs::Mode::RWXU, 0).unwrap();
    make("pipe", rustix::fs::FileType::Fifo);
    let _socket = std::os::unix::net::UnixListener::bind(ground.drive().join("socket")).unwrap();
    let mut names = vec!["pipe", "socket"];
    // Only an administrator can make a device.
    let null = rustix::fs::makedev(1, 3);
    if rustix::fs::mknodat(rustix::fs::CWD, ground.drive().join("null"), rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::RWXU, null).is_ok() {
        assert!(fs::metadata(ground.drive().join("null")).unwrap().file_type().is_char_device());
        names.push("null");
    }
    for name in names {
        for how in [READ, WRITE, NEW, OpenFlags { truncate: true, ..WRITE }, OpenFlags { read: false, ..WRITE }] {
            let error = ground.root.open_file(name, how).unwrap_err();
            assert!(matches!(&error, VfsError::Denied(text) if text.contains(name) && text.contains("regular")), "{name}: {error:?}");
        }
        assert_eq!(ground.root.metadata(name).unwrap().kind, FileKind::Other);
        assert!(matches!(ground.root.copy(name, "copy"), Err(VfsError::Denied(_))));
        assert!(matches!(ground.root.open_directory(name, false), Err(VfsError::NotADirectory(_))));
        ground.root.remove_file(name).unwrap();
    }
}

#[test]
fn a_name_that_macos_decomposed_or_that_no_path_can_name_is_found_or_left_out() {
    use std::os::unix::ffi::OsStrExt;
    let ground = Ground::new();
    let inside = ground.root.open_directory("inside", false).unwrap();
    fs::write(ground.drive().join("inside/e\u{301}"), "decomposed").unwrap();
    fs::write(ground.drive().join("inside").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    fs::write(ground.drive().join("inside/a\nb"), "").unwrap();
    fs::write(ground.drive().join("inside/a\\b"), "").unwrap();
    assert_eq!(names(&inside), ["mine", "é"]);
    assert_eq!(contents(&inside, "é"), b"decomposed");
    // There is one file of that name afterwards too.
    put(&inside, "é", b"new");
    assert_eq!((names(&inside), contents(&inside, "é")), (vec!["mine".to_string(), "é".into()], b"new".to_vec()));
    inside.remove_file("é").unwrap();
    assert_eq!(names(&inside), ["mine"]);
}

#[test]
fn an_ambient_path_that_is_no_folder_is_refused_and_a_missing_one_made_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    assert!(matches!(Drive::folder("d", &path), Err(VfsError::NotFound(_))));
    put(&Drive::folder_created("d", &path).unwrap().root(Rights::ALL), "x", b"x");
    assert_eq!(contents(&Drive::folder_created("d", &path).unwrap().root(Rights::ALL), "x"), b"x");
    assert!(matches!(Drive::folder("d", &path.join("x")), Err(VfsError::NotADirectory(_))));
    assert!(Drive::folder_created("d", &path.join("x")).is_err());
}

#[test]
fn a_blob_of_a_file_that_another_program_cut_fails() {
    let ground = Ground::new();
    let blob = put(&ground.root, "a", &[1; 100]).read_blob(0, 100).unwrap();
    fs::OpenOptions::new().write(true).open(ground.drive().join("a")).unwrap().set_len(50).unwrap();
    assert_eq!(blob.read_blocking(0, 100).unwrap_err(), BlobError::Changed);
    assert_eq!(blob.read_blocking(0, 50).unwrap().len(), 50);
}
