//! Which folder a `get -r` or `put -r` means, and what is said if it can't be.

use std::fs;

use transship_tests::pair;
use transship_tests::refusal::refused;
use transship_tests::transfer::names_in;
use transship_tests::tree::plant;

#[test]
fn a_get_goes_into_the_folder_that_is_there_or_becomes_the_one_that_is_not() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    plant(&bob.file("in/photos/file"), 1, 0o644);
    let here = alice.scratch();
    fs::create_dir(here.join("there")).unwrap();
    for (command, expected) in [
        (&["bob:in/photos"][..], "photos/file"),
        (&["bob:in/photos", "there"], "there/photos/file"),
        (&["bob:in/photos", "new"], "new/file"),
        (&["bob:in/photos/", "there"], "there/file"),
        (&["bob:in/photos/", "other"], "other/file"),
        (&["bob:", "all"], "all/in/photos/file"),
        (&["bob:/", "all-too"], "all-too/in/photos/file"),
    ] {
        assert!(!here.join(expected).exists());
        alice.run([&["get", "-r"], command].concat()).ok();
        assert!(here.join(expected).is_file(), "{command:?}");
    }
    assert_eq!(names_in(&here), ["all", "all-too", "new", "other", "photos", "there"]);
    // A folder that was made for it is meant by the same command again.
    let done = alice.run_json(["get", "-r", "bob:in/photos", "new"]).ok().event("done");
    assert_eq!((&done["tree"]["unchanged"], &done["place"]), (&1.into(), &"new".into()), "{done}");
    assert_eq!(names_in(&here.join("new")), ["file"]);
}

#[test]
fn a_put_has_the_name_that_is_said_or_its_own() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    plant(&alice.scratch().join("photos/file"), 1, 0o644);
    for (from, to, expected) in [
        ("photos", "bob:", "photos/file"),
        ("photos", "bob:x/", "x/photos/file"),
        ("photos", "bob:y", "y/file"),
        ("photos/", "bob:z", "z/file"),
        ("photos/", "bob:deep/in/it", "deep/in/it/file"),
        ("photos/", "bob:", "file"),
    ] {
        assert!(!bob.file(expected).exists());
        alice.run(["put", "-r", from, to]).ok();
        assert!(bob.file(expected).is_file(), "{from} {to}");
    }
    assert_eq!(bob.names(), ["deep", "file", "photos", "x", "y", "z"]);
}

#[test]
fn a_folder_without_r_and_a_file_with_r_are_told_apart_with_advice() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    plant(&bob.file("folder/file"), 1, 0o644);
    plant(&alice.scratch().join("own/file"), 1, 0o644);
    for command in [&["get", "bob:folder"][..], &["put", "own", "bob:"]] {
        let said = refused(&alice, command, 1, "not-a-file", &[]);
        assert!(said["hint"].as_str().unwrap().contains("-r"), "{said}");
    }
    for command in [&["get", "-r", "bob:folder/file"][..], &["put", "-r", "own/file", "bob:"]] {
        let said = refused(&alice, command, 1, "not-a-folder", &["file"]);
        assert!(said["hint"].as_str().unwrap().contains("-r"), "{said}");
    }
    // A file stands where the folder would go, here or there.
    plant(&alice.scratch().join("folder"), 1, 0o644);
    refused(&alice, &["get", "-r", "bob:folder"], 1, "not-a-folder", &["folder"]);
    refused(&alice, &["put", "-r", "own", "bob:folder/file"], 1, "not-a-folder", &["folder/file"]);
    assert_eq!(fs::metadata(alice.scratch().join("folder")).unwrap().len(), 1);
    assert_eq!(names_in(&alice.scratch()), ["folder", "own"]);
    assert_eq!(names_in(&bob.files()), ["folder"]);
}

#[test]
fn what_makes_no_sense_with_a_folder_is_a_usage_error() {
    let ((alice, _a), (_bob, _b)) = pair("", "list,read,write");
    fs::create_dir(alice.scratch().join("own")).unwrap();
    for command in [
        &["get", "-r", "bob:photos", "-"][..],
        &["put", "-r", "-", "bob:photos"],
        &["get", "-r", "--id", "bob:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        &["put", "-r", "own", "bob:", "--size", "5"],
        &["get", "bob:photos", "--include", "*.jpg"],
        &["get", "bob:photos", "--exclude", "*.jpg"],
        &["get", "bob:photos", "--links", "keep"],
        &["put", "own", "bob:", "--checksum"],
        &["put", "own", "bob:", "--dry-run"],
        &["get", "-r", "bob:.."],
        &["get", "-r", "bob:a/.."],
    ] {
        alice.run(command).code(2);
    }
    alice.run(["get", "bob:photos", "--dry-run"]).code(2).says("--recursive");
    assert_eq!(names_in(&alice.scratch()), ["own"]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_leaves_none_here() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    refused(&alice, &["get", "-r", "bob:missing"], 3, "not-found", &["missing"]);
    refused(&alice, &["get", "-r", "bob:missing/", "new"], 3, "not-found", &["missing"]);
    alice.run_json(["put", "-r", "missing", "bob:"]).fails("not-found", 3);
    let said = refused(&alice, &["get", "-r", "bob:missing", "no/new"], 3, "not-found", &["no"]);
    assert!(said["hint"].as_str().unwrap().contains("mkdir -p"), "{said}");
    assert_eq!((names_in(&alice.scratch()), bob.names()), (Vec::new(), Vec::new()));
}

#[test]
fn a_name_that_leaves_the_drive_is_no_name_for_a_folder() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    plant(&alice.scratch().join("own/file"), 1, 0o644);
    let outside = bob.path().join("vfs/file-transfer:transship/outside");
    plant(&outside.join("secret"), 1, 0o644);
    for name in ["../outside", "a/../../outside", outside.to_str().unwrap(), "a//b", "./outside", ".transship-x", "a\\b"] {
        refused(&alice, &["get", "-r", &format!("bob:{name}"), "arrived"], 2, "invalid-name", &[]);
        refused(&alice, &["put", "-r", "own", &format!("bob:{name}")], 2, "invalid-name", &[]);
    }
    assert_eq!((names_in(&alice.scratch()), bob.names()), (vec!["own".to_owned()], Vec::new()));
    assert_eq!(names_in(outside.parent().unwrap()), ["files", "outside"]);
}

#[test]
fn trees_need_the_rights_that_their_parts_need() {
    for (allowed, get, put) in
        [("list", Some("read"), Some("write")), ("read", Some("list"), Some("write")), ("list,read", None, Some("write")), ("", Some("read"), Some("write"))]
    {
        let ((alice, _a), (bob, _b)) = pair("", allowed);
        plant(&bob.file("photos/file"), 1, 0o644);
        plant(&alice.scratch().join("own/file"), 1, 0o644);
        for (command, lacking) in [(&["get", "-r", "bob:photos"], get), (&["put", "-r", "own"], put)] {
            let command = if command[0] == "put" { [&command[..], &["bob:"]].concat() } else { command.to_vec() };
            match lacking {
                Some(right) => drop(refused(&alice, &command, 4, "denied", &[right])),
                None => drop(alice.run(&command).ok()),
            }
        }
        assert_eq!(bob.names(), ["photos"], "with {allowed:?}");
        assert_eq!(alice.scratch().join("photos").exists(), get.is_none(), "with {allowed:?}");
    }
}
