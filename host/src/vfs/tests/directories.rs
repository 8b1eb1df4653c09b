//! What every kind of drive does with names and directories.

use super::*;

#[test]
fn entries_are_in_byte_order_in_pages_and_nothing_is_twice_or_missing() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let mut expected: Vec<String> =
            (0..3000).map(|number| format!("f{number}")).chain(["Z", "a b;c", "é", "世界", "🦀", ".hidden"].map(String::from)).collect();
        expected.sort();
        for name in &expected {
            root.open_file(name, NEW).unwrap();
        }
        for limit in [1000, 3006, 3007, 99] {
            let (mut seen, mut pages) = (Vec::new(), 0);
            loop {
                let page = root.entries(seen.last().map(String::as_str), limit).unwrap();
                assert!(page.entries.len() <= limit as usize);
                seen.extend(page.entries.into_iter().map(|entry| entry.name));
                pages += 1;
                if !page.more {
                    break;
                }
            }
            assert_eq!(seen, expected, "in pages of {limit}");
            assert_eq!(pages, 3006_u32.div_ceil(limit));
        }
        assert_eq!(root.entries(Some("\u{10ffff}"), 5).unwrap(), DirectoryPage::default());
        assert!(matches!(root.entries(None, 0), Err(VfsError::Limit(_))));
        assert!(matches!(root.entries(None, MAX_PAGE + 1), Err(VfsError::Limit(_))));
    });
}

#[test]
fn a_directory_is_opened_at_once_only_with_the_rights_that_the_usual_way_needs() {
    on_each(|drive| {
        put(&drive.root(Rights::ALL), "d/a", b"x");
        let at_once = |rights, create| drive.root(rights).open_directory_at_once("d", create);
        assert!(at_once(Rights::NONE, false).is_none() && at_once(READ_ONLY, true).is_none());
        // Where a drive can do it at all.
        for opened in [at_once(READ_ONLY, false), at_once(WRITE_ONLY, true)].into_iter().flatten() {
            assert!(!opened.rights().list && opened.open_file("b", OpenFlags { read: false, ..NEW }).is_ok() == opened.rights().write);
        }
        assert!(drive.root(Rights::ALL).open_directory_at_once("../d", false).is_none());
        assert!(drive.root(Rights::NONE).free_space_at_once().is_none_or(|free| free.unwrap() > 0));
    });
}

#[test]
fn metadata_tells_kind_size_time_and_permissions() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let file = put(&root, "d/a", &[0; 1234]);
        for time in [0, 1_700_000_000_123_456_789, -1_500_000_000] {
            file.set_modified(time).unwrap();
            file.sync().unwrap();
            assert_eq!(root.metadata("d/a").unwrap().modified, time);
        }
        assert_eq!(root.metadata("d/a").unwrap().permissions & 0o700, 0o600, "as the system makes files");
        for permissions in [0o400, 0o700, 0o640] {
            file.set_permissions(permissions).unwrap();
            assert_eq!(file.metadata().unwrap(), Metadata { kind: FileKind::Regular, size: 1234, modified: -1_500_000_000, permissions });
        }
        assert!(matches!(file.set_permissions(0o4755), Err(VfsError::Limit(_))));
        let private = root.open_file("d/private", OpenFlags { private: true, ..NEW }).unwrap();
        assert_eq!(private.metadata().unwrap().permissions, 0o600);
        root.remove_file("d/private").unwrap();
        let directory = root.metadata("d").unwrap();
        assert_eq!((directory.kind, directory.size), (FileKind::Directory, 0));
        let listed = root.open_directory("d", false).unwrap().entries(None, 10).unwrap();
        assert_eq!(listed.entries, [DirectoryEntry { name: "a".into(), metadata: file.metadata().unwrap() }]);
        assert_eq!(root.metadata("d/b").unwrap_err(), VfsError::NotFound("d/b".into()));
    });
}

#[test]
fn directories_are_made_on_the_way_when_asked_for_only() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        assert_eq!(root.open_directory("a/b", false).unwrap_err(), VfsError::NotFound("a/b".into()));
        let below = root.open_directory("a/b", true).unwrap();
        put(&below, "c/d/e", b"x");
        assert_eq!(contents(&root, "a/b/c/d/e"), b"x");
        root.open_directory("a/b", true).unwrap().sync().unwrap();
        assert_eq!((below.drive(), names(&below)), (drive.name(), vec!["c".to_string()]));
        // A file is no directory, on the way or at the end.
        assert!(matches!(root.open_file("a/b/c/d/e/f", NEW), Err(VfsError::NotADirectory(_))));
        assert!(matches!(root.open_directory("a/b/c/d/e", true), Err(VfsError::NotADirectory(_))));
        assert!(matches!(root.metadata("a/b/c/d/e/f"), Err(VfsError::NotADirectory(_))));
        // A directory is no file.
        for how in [READ, WRITE, NEW, OpenFlags { truncate: true, ..WRITE }] {
            assert_eq!(root.open_file("a/b", how).unwrap_err(), VfsError::IsADirectory("a/b".into()));
        }
        assert_eq!(root.remove_file("a/b").unwrap_err(), VfsError::IsADirectory("a/b".into()));
        // A path from below can't come up.
        assert!(matches!(below.open_file("../b/c/d/e", READ), Err(VfsError::InvalidName(_))));
    });
}

#[test]
fn renaming_replaces_or_refuses_as_asked() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        put(&root, "a", b"a");
        put(&root, "b", b"b");
        assert_eq!(root.rename("a", "b", false), Err(VfsError::Exists("b".into())));
        assert_eq!((contents(&root, "a"), contents(&root, "b")), (b"a".to_vec(), b"b".to_vec()));
        let open = root.open_file("b", READ).unwrap();
        root.rename("a", "b", true).unwrap();
        assert_eq!((contents(&root, "b"), names(&root)), (b"a".to_vec(), vec!["b".to_string()]));
        // Who had the old one open goes on reading it.
        assert_eq!(open.read(0, 10).unwrap(), b"b".as_slice());
        root.rename("b", "b", true).unwrap();
        assert_eq!(root.rename("b", "b", false), Err(VfsError::Exists("b".into())));

        root.open_directory("d/e", true).unwrap();
        root.rename("b", "d/e/c", false).unwrap();
        assert_eq!(root.rename("b", "c", false), Err(VfsError::NotFound("b".into())));
        assert_eq!(root.rename("b", "c", true), Err(VfsError::NotFound("b".into())));
        assert_eq!(root.rename("d/e/c", "no/c", false), Err(VfsError::NotFound("no/c".into())));
        put(&root, "f", b"f");
        assert_eq!(root.rename("f", "d", true), Err(VfsError::IsADirectory("d".into())));
        assert_eq!(root.rename("d", "f", true), Err(VfsError::NotADirectory("f".into())));
        assert!(matches!(root.rename("d", "d/e/d", false), Err(VfsError::InvalidName(_))));
        root.open_directory("g", true).unwrap();
        assert_eq!(root.rename("g", "d", true), Err(VfsError::NotEmpty("d".into())));
        assert_eq!(root.rename("d", "g", false), Err(VfsError::Exists("g".into())));
        root.rename("d", "g", true).unwrap();
        assert_eq!(contents(&root, "g/e/c"), b"a");
        root.sync().unwrap();
    });
}

#[test]
fn of_two_that_rename_to_one_free_name_exactly_one_wins() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        for round in 0..200 {
            let start = std::sync::Barrier::new(2);
            let results: Vec<_> = std::thread::scope(|scope| {
                let threads = ["a", "b"].map(|name| {
                    put(&root, name, name.as_bytes());
                    (name, name)
                });
                let threads = threads.map(|(name, text)| {
                    let (root, start) = (&root, &start);
                    scope.spawn(move || {
                        start.wait();
                        (text, root.rename(name, "final", false))
                    })
                });
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let winners: Vec<_> = results.iter().filter(|(_, result)| result.is_ok()).map(|(text, _)| *text).collect();
            assert_eq!(winners.len(), 1, "round {round}: {results:?}");
            assert!(results.iter().all(|(_, result)| matches!(result, Ok(()) | Err(VfsError::Exists(_)))), "{results:?}");
            assert_eq!(contents(&root, "final"), winners[0].as_bytes());
            assert_eq!(names(&root).len(), 2);
            root.remove_file("final").unwrap();
        }
    });
}

#[test]
fn a_copy_is_whole_keeps_the_permissions_and_never_replaces() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let bytes = pattern(1_500_000);
        put(&root, "a", &bytes).set_permissions(0o750).unwrap();
        root.open_directory("d", true).unwrap();
        root.copy("a", "d/b").unwrap();
        put(&root, "a", b"changed");
        assert_eq!(contents(&root, "d/b"), bytes);
        assert_eq!(root.metadata("d/b").unwrap().permissions, 0o750);
        assert_eq!(root.copy("a", "d/b"), Err(VfsError::Exists("d/b".into())));
        assert_eq!(root.copy("a", "a"), Err(VfsError::Exists("a".into())));
        assert_eq!(root.copy("d", "e"), Err(VfsError::IsADirectory("d".into())));
        assert_eq!(root.copy("x", "e"), Err(VfsError::NotFound("x".into())));
        assert_eq!(root.copy("a", "x/e"), Err(VfsError::NotFound("x/e".into())));
        assert_eq!((names(&root).len(), names(&root.open_directory("d", false).unwrap()).len()), (2, 1));
    });
}

#[test]
fn removing_removes_what_was_named_and_open_files_go_on() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let file = put(&root, "d/e/a", b"x");
        for path in ["d/b", "d/e/f/g/c"] {
            put(&root, path, b"y");
        }
        assert_eq!(root.remove_directory("d", false), Err(VfsError::NotEmpty("d".into())));
        assert_eq!(root.remove_directory("d/b", false), Err(VfsError::NotADirectory("d/b".into())));
        assert_eq!(root.remove_directory("d/b", true), Err(VfsError::NotADirectory("d/b".into())));
        assert_eq!(root.remove_directory("x", true), Err(VfsError::NotFound("x".into())));
        assert_eq!(root.remove_file("x"), Err(VfsError::NotFound("x".into())));
        root.remove_directory("d/e", true).unwrap();
        assert_eq!(names(&root.open_directory("d", false).unwrap()), ["b"]);
        file.write(1, b"z").unwrap();
        assert_eq!(file.read(0, 10).unwrap(), b"xz".as_slice());
        root.remove_file("d/b").unwrap();
        let removed = root.open_directory("d", false).unwrap();
        root.remove_directory("d", false).unwrap();
        assert!(names(&root).is_empty());
        assert!(matches!(removed.open_file("a", NEW), Err(VfsError::NotFound(_))));
    });
}

#[test]
fn names_of_255_bytes_and_unusual_ones_are_kept_as_they_are_and_longer_ones_refused() {
    on_each(|drive| {
        let root = drive.root(Rights::ALL);
        let longest = format!("{}.txt", "ü".repeat(125) + "x");
        assert_eq!(longest.len(), 255);
        let mut expected = vec![longest.as_str(), " leading;and trailing ", "-rf", "...", "~", "a:b*?\"<>|", "世界 🦀", "'$(touch x)'"];
        for name in &expected {
            put(&root, name, name.as_bytes());
            assert_eq!(contents(&root, name), name.as_bytes());
        }
        expected.sort_unstable();
        assert_eq!(names(&root), expected);
        let longer = format!("x{longest}");
        assert!(matches!(root.open_file(&longer, NEW), Err(VfsError::NameTooLong(_))));
        assert!(matches!(root.rename("-rf", &longer, false), Err(VfsError::NameTooLong(_))));
        assert!(matches!(root.open_file(&format!("{longer}/a"), NEW), Err(VfsError::NameTooLong(_))));
        // The two spellings of one name are one file.
        put(&root, "e\u{301}", b"one");
        assert_eq!(contents(&root, "\u{e9}"), b"one");
        assert!(names(&root).contains(&"\u{e9}".to_string()));
        assert_eq!(root.rename("-rf", "e\u{301}", false), Err(VfsError::Exists("\u{e9}".into())));
    });
}
