//! Many files with one call are what one call for each would make, on every kind of drive.

use super::*;

fn strings(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|&path| path.into()).collect()
}

fn new_file(path: &str, offset: u64, length: u64) -> NewFile {
    NewFile { path: path.into(), offset, length, modified: 1_700_000_000_123_456_789, permissions: 0o640 }
}

#[test]
fn files_are_written_from_ranges_of_a_blob_and_read_back_into_one() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        root.open_directory("d/e", true).unwrap();
        let bytes = Blob::from_bytes(b"0123456789".to_vec(), None);
        let files = [new_file("a", 0, 4), new_file("d/b", 4, 0), new_file("d/e/c", 4, 6), new_file("d/c", 2, 3)];
        assert_eq!(root.write_files(&files, &bytes), [Ok(()), Ok(()), Ok(()), Ok(())]);
        let metadata = |size| Metadata { kind: FileKind::Regular, size, modified: 1_700_000_000_123_456_789, permissions: 0o640 };
        assert_eq!(root.metadata("d/e/c").unwrap(), metadata(6));

        let pack = root.read_files(&strings(&["d/e/c", "missing", "d/b", "a", "d", "d/c"]), 100).unwrap();
        assert_eq!(pack.contents, "4567890123234");
        let not_found = Err(VfsError::NotFound("missing".into()));
        let is_a_directory = Err(VfsError::IsADirectory("d".into()));
        assert_eq!(pack.files, [Ok((metadata(6), 0)), not_found.clone(), Ok((metadata(0), 6)), Ok((metadata(4), 6)), is_a_directory, Ok((metadata(3), 10))]);

        let found = root.metadata_of(&strings(&["a", "missing", "d/e/c", "../a"]));
        assert_eq!(found[0], Ok(metadata(4)));
        assert_eq!(found[1].as_ref().unwrap_err(), not_found.as_ref().unwrap_err());
        assert!(found[2].is_ok() && matches!(found[3], Err(VfsError::InvalidName(_))));
        // One by one, each is what it is without the others.
        let paths = strings(&["no/a", "no/b", "no/c/d", "d/b", "no/a", "d", "a/x", "nothing"]);
        let alone: Vec<_> = paths.iter().map(|path| root.metadata(path)).collect();
        assert_eq!(root.metadata_of(&paths), alone);
        assert_eq!(alone[1], Err(VfsError::NotFound("no/b".into())));
    });
}

#[test]
fn a_pack_ends_before_the_file_that_does_not_fit_and_one_that_never_would_is_an_error() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        for (name, size) in [("a", 6), ("b", 11), ("c", 4), ("d", 1), ("e", 0)] {
            put(&root, name, &vec![7; size]);
        }
        let read = |paths: &[&str]| root.read_files(&strings(paths), 10).unwrap().files;
        let files = read(&["a", "b", "c", "e", "d"]);
        assert_eq!(files.len(), 4);
        assert!(files[0].is_ok() && matches!(files[1], Err(VfsError::Limit(_))) && files[2].is_ok() && files[3].is_ok());
        assert!(matches!(root.read_files(&[], MAX_PACK + 1), Err(VfsError::Limit(_))));
        assert!(matches!(root.read_files(&vec!["a".into(); MAX_MANY + 1], 1), Err(VfsError::Limit(_))));
    });
}

#[test]
fn what_can_not_be_written_leaves_nothing_and_does_not_harm_the_others() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        put(&root, "taken", b"old");
        let bytes = Blob::from_bytes(b"0123456789".to_vec(), None);
        let files = [new_file("taken", 0, 1), new_file("x/y", 0, 1), new_file("../x", 0, 1), new_file("beyond", 5, 6), new_file("good", 9, 1)];
        let results = root.write_files(&files, &bytes);
        assert_eq!(results[0], Err(VfsError::Exists("taken".into())));
        assert!(matches!(results[1], Err(VfsError::NotFound(_))));
        assert!(matches!(results[2], Err(VfsError::InvalidName(_))));
        assert_eq!(results[3], Err(VfsError::Blob(BlobError::OutOfRange)));
        assert_eq!(results[4], Ok(()));
        assert_eq!(contents(&root, "taken"), b"old");
        let names: Vec<String> = root.entries(None, 10).unwrap().entries.into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["good", "taken"]);
    });
}

#[test]
fn names_change_one_by_one() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        root.open_directory("stage", true).unwrap();
        root.open_directory("d", true).unwrap();
        for name in ["stage/0", "stage/1", "stage/2", "d/taken", "d/old"] {
            put(&root, name, name.as_bytes());
        }
        let name = |old: &str, new: &str, replace| NewName { old: old.into(), new: new.into(), replace };
        let names = [name("stage/0", "d/taken", false), name("stage/1", "d/old", true), name("stage/2", "new", false), name("stage/3", "newer", false)];
        let results = root.rename_files(&names);
        assert!(matches!(results[0], Err(VfsError::Exists(_))) && results[1].is_ok() && results[2].is_ok());
        assert!(matches!(results[3], Err(VfsError::NotFound(_))));
        assert_eq!(contents(&root, "d/taken"), b"d/taken");
        assert_eq!(contents(&root, "d/old"), b"stage/1");
        assert_eq!(contents(&root, "new"), b"stage/2");
    });
}

fn settings(path: &str, modified: Option<i64>, permissions: Option<u16>) -> FileSettings {
    FileSettings { path: path.into(), modified, permissions }
}

#[test]
fn files_are_given_times_and_permissions_one_by_one_and_it_is_told_what_that_changed() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        root.open_directory("d", true).unwrap();
        for name in ["a", "d/b", "d/c"] {
            put(&root, name, b"1").set_modified(5).unwrap();
        }
        let results = root.set_files(&[settings("a", Some(-7), None), settings("d/b", None, None), settings("d/c", Some(5), None)]);
        assert_eq!(results, [Ok(true), Ok(false), Ok(false)]);
        assert_eq!(["a", "d/b"].map(|name| root.metadata(name).unwrap().modified), [-7, 5]);
        let results =
            root.set_files(&[settings("d", Some(1), None), settings("no", Some(1), None), settings("../a", None, None), settings("a", None, Some(0o4755))]);
        assert!(
            matches!(&results[..], [Err(VfsError::IsADirectory(_)), Err(VfsError::NotFound(_)), Err(VfsError::InvalidName(_)), Err(VfsError::Limit(_))]),
            "{results:?}"
        );
    });
}

#[test]
fn permissions_are_set_whatever_they_were_and_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = Drive::folder("d", folder.path()).unwrap().root(Rights::ALL);
    put(&root, "a", b"1").set_permissions(0o444).unwrap();
    root.make_link("link", "a").unwrap();
    let set = |path, permissions| root.set_files(&[settings(path, None, Some(permissions))]).remove(0);
    for permissions in [0o700, 0o400, 0o200, 0o755] {
        assert_eq!(set("a", permissions), Ok(true));
        assert_eq!(root.metadata("a").unwrap().permissions, permissions);
        assert_eq!(set("a", permissions), Ok(false));
    }
    assert!(matches!(set("link", 0o600), Err(VfsError::Denied(_))));
    assert_eq!(root.metadata("a").unwrap().permissions, 0o755);
}

#[test]
fn without_the_right_every_result_says_so() {
    on_each(|drive| {
        put(&drive.root(Rights::ALL), "a", b"1");
        let reader = drive.root(Rights { list: false, read: true, write: false });
        let blob = Blob::from_bytes(b"1".to_vec(), None);
        assert!(matches!(reader.write_files(&[new_file("b", 0, 1)], &blob)[..], [Err(VfsError::NoRight(..))]));
        assert!(matches!(reader.rename_files(&[NewName { old: "a".into(), new: "b".into(), replace: false }])[..], [Err(VfsError::NoRight(..))]));
        assert!(matches!(reader.set_files(&[settings("a", Some(1), None)])[..], [Err(VfsError::NoRight(..))]));
        assert!(matches!(reader.make_link("b", "a"), Err(VfsError::NoRight(..))));
        assert!(matches!(reader.set_directory("b", 0, 0o700), Err(VfsError::NoRight(..))));
        assert!(matches!(reader.sync_all(), Err(VfsError::NoRight(..))));
        let writer = drive.root(Rights { list: false, read: false, write: true });
        assert!(matches!(writer.read_files(&strings(&["a"]), 1), Err(VfsError::NoRight(..))));
        assert!(matches!(writer.metadata_of(&strings(&["a"]))[..], [Err(VfsError::NoRight(..))]));
        assert!(matches!(writer.read_link("a"), Err(VfsError::NoRight(..))));
    });
}

#[test]
fn links_are_made_and_read_and_never_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = Drive::folder("d", folder.path()).unwrap().root(Rights::ALL);
    put(&root, "d/a", b"1");
    root.make_link("d/link", "../d/a").unwrap();
    assert_eq!(root.read_link("d/link").unwrap(), "../d/a");
    assert_eq!(std::fs::read(folder.path().join("d/link")).unwrap(), b"1");
    assert_eq!(root.make_link("d/link", "a"), Err(VfsError::Exists("d/link".into())));
    assert!(matches!(root.make_link("d/out", "../../x"), Err(VfsError::Denied(_))));
    assert!(matches!(root.read_link("d/a"), Err(VfsError::Denied(_))));
    assert!(matches!(root.read_link("d/b"), Err(VfsError::NotFound(_))));

    // What stands behind a link is not read, written or renamed into.
    root.make_link("way", "d").unwrap();
    assert!(matches!(root.read_files(&strings(&["d/link", "way/a"]), 10).unwrap().files[..], [Err(VfsError::Denied(_)), Err(VfsError::Denied(_))]));
    let blob = Blob::from_bytes(b"1".to_vec(), None);
    assert!(matches!(root.write_files(&[new_file("way/b", 0, 1)], &blob)[..], [Err(VfsError::Denied(_))]));
    assert!(matches!(root.rename_files(&[NewName { old: "d/a".into(), new: "way/b".into(), replace: true }])[..], [Err(VfsError::Denied(_))]));
    assert!(!folder.path().join("d/b").exists());
}

#[test]
fn a_directory_has_the_time_and_the_permissions_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let root = Drive::folder("d", folder.path()).unwrap().root(Rights::ALL);
    root.open_directory("a/b", true).unwrap();
    root.set_directory("a/b", -1_500_000_000, 0o750).unwrap();
    let found = root.metadata("a/b").unwrap();
    assert_eq!((found.modified, found.permissions), (-1_500_000_000, 0o750));
    put(&root, "c", b"1");
    assert_eq!(root.set_directory("c", 0, 0o700), Err(VfsError::NotADirectory("c".into())));
    root.sync_all().unwrap();
}

#[test]
fn a_directory_knows_itself_and_can_be_set_itself() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let below = root.open_directory("a/b", true).unwrap();
        for (directory, time) in [(&below, 1_500_000_000), (&root, 7)] {
            directory.set_own(time, 0o755).unwrap();
            let found = directory.own_metadata().unwrap();
            assert_eq!((found.kind, found.modified, found.permissions), (FileKind::Directory, time, 0o755));
        }
        assert_eq!(root.metadata("a/b").unwrap().modified, 1_500_000_000);
        assert!(matches!(root.set_own(0, 0o1000), Err(VfsError::Limit(_))));
        let reader = drive.root(Rights { list: false, read: true, write: false });
        assert!(reader.own_metadata().is_ok() && matches!(reader.set_own(0, 0o755), Err(VfsError::NoRight(..))));
        assert!(matches!(drive.root(Rights { list: false, read: false, write: true }).own_metadata(), Err(VfsError::NoRight(..))));
        root.remove_directory("a/b", false).unwrap();
    });
}

#[test]
fn what_a_mode_says_beyond_permissions_stays() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o3777)).unwrap();
    let root = Drive::folder("d", folder.path()).unwrap().root(Rights::ALL);
    root.set_own(0, 0o700).unwrap();
    assert_eq!(folder.path().metadata().unwrap().permissions().mode() & 0o7777, 0o3700);
}
