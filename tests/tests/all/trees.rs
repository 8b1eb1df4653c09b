//! Folders with all that is in them arrive as they are, by `get -r` and by `put -r`, and what is there already is not moved again.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use transship_tests::machine::quick_folder;
use transship_tests::transfer::{hidden_in, names_in};
use transship_tests::tree::{Thing, all_in, everything, files_in, many, plant, same, set_time};
use transship_tests::{Home, introduce, pair, pair_in, sparse_file};

const DRIVE: &str = "file-transfer:transship/files";

#[test]
fn a_tree_arrives_identical_both_ways_with_times_and_modes_of_its_files() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let source = everything(&bob.files());
    let files = files_in(&source);
    let (count, bytes) = (files.len() as u64, files.values().sum::<u64>());
    let done = alice.run_json(["get", "-r", "bob:photos"]).ok().event("done");
    same(&source, &alice.scratch().join("photos"), false);
    let tree = &done["tree"];
    assert_eq!((&tree["new"], &tree["failed"], &done["size"], &done["place"]), (&count.into(), &0.into(), &bytes.into(), &"photos".into()), "{done}");
    alice.run(["put", "-r", "photos", "bob:back"]).ok();
    same(&source, &bob.file("back"), false);
    assert_eq!((hidden_in(&alice.scratch()), hidden_in(&bob.files())), (Vec::new(), Vec::new()));
    alice.settled();
    bob.settled();
}

#[test]
fn an_archive_has_the_times_and_modes_of_folders_and_the_links_too() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let source = bob.file("photos");
    plant(&source.join("a/b/file"), 3, 0o640);
    fs::create_dir(source.join("a/empty")).unwrap();
    std::os::unix::fs::symlink("b/file", source.join("a/link")).unwrap();
    for (number, folder) in ["a/b", "a/empty", "a"].iter().enumerate() {
        set_time(&source.join(folder), UNIX_EPOCH + Duration::new(1_300_000_000, 5 + number as u32));
        fs::set_permissions(source.join(folder), Permissions::from_mode(if number == 1 { 0o500 } else { 0o711 })).unwrap();
    }
    alice.run(["get", "-a", "bob:photos"]).ok();
    same(&source, &alice.scratch().join("photos"), true);
    alice.run(["put", "-a", "photos", "bob:back"]).ok();
    same(&source, &bob.file("back"), true);
    // Once more, with nothing to do, they stay so.
    alice.run(["put", "-a", "photos", "bob:back"]).ok();
    same(&source, &bob.file("back"), true);
}

/// Asserts that all folders of a tree are like those of another, and so is its own.
#[track_caller]
fn same_to_the_top(from: &Path, to: &Path) {
    same(from, to, true);
    let of = |folder: &Path| {
        let metadata = folder.metadata().unwrap();
        (metadata.modified().unwrap(), metadata.mode())
    };
    assert_eq!(of(from), of(to), "the folder itself");
}

#[test]
fn an_archive_has_the_times_of_all_folders_at_the_end_and_that_of_its_own_too() {
    let ((alice, _a), (bob, _b)) = pair_in(&quick_folder(1 << 30), "", "list,read,write");
    let source = bob.file("photos");
    // Some get their names in a batch, some late, one by itself; and what is in a folder is not in the one that begins like it.
    many(&source.join("a/many"), 4200, 100);
    plant(&source.join("a/large"), 40 << 20, 0o644);
    plant(&source.join("a/b/c/d/staged"), 3 << 20, 0o644);
    fs::create_dir_all(source.join("a b/empty/empty")).unwrap();
    fs::create_dir(source.join("z")).unwrap();
    let mut folders: Vec<_> = all_in(&source).into_iter().filter(|(_, thing)| matches!(thing, Thing::Folder(..))).map(|(path, _)| source.join(path)).collect();
    folders.insert(0, source.clone());
    for (number, folder) in folders.iter().enumerate().rev() {
        fs::set_permissions(folder, Permissions::from_mode(if number % 2 == 0 { 0o750 } else { 0o700 })).unwrap();
        set_time(folder, UNIX_EPOCH + Duration::new(1_200_000_000 + number as u64, 123_456_789));
    }
    let (got, put) = (alice.scratch().join("photos"), bob.file("back"));
    alice.run(["get", "-a", "bob:photos"]).ok();
    same_to_the_top(&source, &got);
    alice.run(["put", "-a", "photos", "bob:back"]).ok();
    same_to_the_top(&source, &put);
    // What is moved later changes times that were right.
    for (target, command) in [(&got, ["get", "-a", "bob:photos"].as_slice()), (&put, &["put", "-a", "photos", "bob:back"])] {
        fs::remove_file(target.join("a/large")).unwrap();
        fs::remove_dir(target.join("z")).unwrap();
        alice.run(command).ok();
        same_to_the_top(&source, target);
    }
    // Without -a, it is a folder like any that is made.
    alice.run(["get", "-r", "bob:photos", "plain"]).ok();
    assert!(alice.scratch().join("plain").metadata().unwrap().modified().unwrap() > UNIX_EPOCH + Duration::from_secs(1_300_000_000));
}

#[test]
fn a_dry_run_of_an_archive_leaves_the_folder_as_it_is_and_so_does_a_put_the_root_of_the_others_drive() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let mine = alice.scratch().join("out");
    plant(&mine.join("file"), 3, 0o644);
    fs::set_permissions(&mine, Permissions::from_mode(0o700)).unwrap();
    for folder in [bob.file("out"), bob.files()] {
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    }
    let mode = |folder: &Path| folder.metadata().unwrap().mode() & 0o777;
    alice.run(["put", "-a", "--dry-run", "out", "bob:"]).ok();
    assert_eq!(mode(&bob.file("out")), 0o755);
    alice.run(["put", "-a", "out/", "bob:/"]).ok();
    assert!(bob.file("file").exists());
    assert_eq!(mode(&bob.files()), 0o755, "what another node may write into is not another node's");
    alice.run(["put", "-a", "out", "bob:"]).ok();
    assert_eq!(mode(&bob.file("out")), 0o700);
}

#[test]
fn sparse_files_of_a_tree_stay_sparse() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let source = bob.file("disks");
    fs::create_dir(&source).unwrap();
    let sizes = [("small", 1 << 20), ("large", 40 << 20)];
    for (name, size) in sizes {
        sparse_file(&source.join(name), size);
    }
    let put = bob.file("back");
    alice.run(["get", "-r", "bob:disks"]).ok();
    alice.run(["put", "-r", "disks", "bob:back"]).ok();
    for folder in [alice.scratch().join("disks"), put] {
        same(&source, &folder, false);
        for (name, size) in sizes {
            let taken = folder.join(name).metadata().unwrap().blocks() * 512;
            assert!(taken < size / 4, "{name} takes {taken} bytes of the disk");
        }
    }
}

#[test]
fn a_second_run_moves_nothing_and_says_so() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let source = everything(&bob.files());
    let count = files_in(&source).len() as u64;
    for command in [&["get", "-r", "bob:photos"][..], &["put", "-r", "photos", "bob:back"]] {
        alice.run(command).ok();
        let before = all_in(&alice.scratch());
        let done = alice.run_json(command).ok().event("done");
        let tree = &done["tree"];
        assert_eq!((&tree["unchanged"], &tree["new"], &tree["changed"], &done["size"]), (&count.into(), &0.into(), &0.into(), &0.into()), "{done}");
        let said = alice.run(command).ok().stdout;
        assert!(said.contains(&format!("{count} files in ")) && said.trim_end().ends_with(&format!(": {count} unchanged")), "{said}");
        assert!(all_in(&alice.scratch()) == before);
    }
}

#[test]
fn what_is_at_the_receiver_and_not_at_the_source_is_left_alone() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    plant(&bob.file("photos/a/new"), 10, 0o644);
    plant(&alice.scratch().join("photos/a/own"), 11, 0o644);
    plant(&alice.scratch().join("photos/b/own"), 12, 0o644);
    alice.run(["get", "-r", "bob:photos"]).ok();
    let there: Vec<String> = files_in(&alice.scratch().join("photos")).into_keys().map(|path| path.display().to_string()).collect();
    assert_eq!(there, ["a/new", "a/own", "b/own"]);
}

#[test]
fn a_tree_of_nothing_but_folders_and_one_of_nothing_at_all_arrive() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    fs::create_dir_all(bob.file("photos/a/b")).unwrap();
    fs::create_dir_all(bob.file("nothing")).unwrap();
    let done = alice.run_json(["get", "-r", "bob:photos"]).ok().event("done");
    assert_eq!((&done["tree"]["new"], &done["tree"]["folders"]), (&0.into(), &2.into()), "{done}");
    same(&bob.file("photos"), &alice.scratch().join("photos"), false);
    alice.run(["get", "-r", "bob:nothing"]).ok();
    assert!(alice.scratch().join("nothing").is_dir());
    alice.run(["put", "-r", "nothing", "bob:back"]).ok();
    assert!(bob.file("back").is_dir());
}

#[test]
fn a_drive_in_memory_takes_a_tree_and_gives_it_back() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    bob.configure(&format!("[drives.\"{DRIVE}\"]\nmemory = 200000000"));
    let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read,write"));
    let source = everything(&alice.scratch());
    many(&source.join("many"), 300, 100);
    alice.run(["put", "-r", "photos", "bob:"]).ok();
    assert_eq!(names_in(&bob.files()), Vec::<String>::new(), "it is in memory");
    alice.run(["get", "-r", "bob:photos", "back"]).ok();
    same(&source, &alice.scratch().join("back"), false);
    let done = alice.run_json(["put", "-r", "photos", "bob:"]).ok().event("done");
    assert_eq!((&done["tree"]["new"], &done["tree"]["changed"]), (&0.into(), &0.into()), "{done}");
}

#[test]
fn a_command_that_runs_the_node_itself_moves_trees_too() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let bob_serves = bob.serve();
    introduce((&alice, None, ""), (&bob, Some(&bob_serves), "list,read,write"));
    plant(&bob.file("photos/a/file"), 100_000, 0o644);
    alice.run(["get", "-r", "bob:photos"]).ok();
    alice.run(["put", "-r", "photos", "bob:back"]).ok();
    same(&bob.file("photos"), &bob.file("back"), false);
}
