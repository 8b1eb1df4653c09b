//! What is refused is said to be refused by whoever did it, and the advice is for whoever can do something about it. These are the words that the command knows a refusal by.

use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;
use transship_tests::machine::{bound_by_modes, skipped};
use transship_tests::refusal::refused;
use transship_tests::{Home, Outcome, introduce, pair};

#[track_caller]
fn advises(said: &Value, words: &[&str], not: &[&str]) {
    let hint = said["hint"].as_str().unwrap();
    assert!(words.iter().all(|word| hint.contains(word)) && !not.iter().any(|word| hint.contains(word)), "{said}");
}

#[test]
fn another_key_is_a_matter_of_tickets_and_not_of_rights() {
    let (alice, bob, mallory) = (Home::new("alice"), Home::new("bob"), Home::new("mallory"));
    let serving = mallory.serve();
    alice.knows(&bob, serving.address(), "");
    for arguments in [&["list", "bob"][..], &["get", "bob:x"]] {
        let said = refused(&alice, arguments, 4, "denied", &["bob", "key"]);
        advises(&said, &["transship peer remove bob", "new ticket"], &["allow"]);
    }
}

#[test]
fn a_missing_right_is_a_matter_of_the_other_owner() {
    let ((alice, _alice), (bob, _bob)) = pair("", "");
    for arguments in [&["list", "bob"][..], &["get", "bob:x"]] {
        advises(&refused(&alice, arguments, 4, "denied", &["bob does not allow alice"]), &["bob's owner", "transship peer allow"], &[]);
    }
    bob.run(["peer", "remove", "alice"]).ok();
    advises(&refused(&alice, &["list", "bob"], 4, "denied", &["bob does not know this node"]), &["bob's owner", "transship peer add"], &[]);
}

#[test]
fn a_link_is_a_matter_of_the_path() {
    let ((alice, _alice), (bob, _bob)) = pair("", "list,read,write");
    symlink("/etc", bob.file("link")).unwrap();
    advises(&refused(&alice, &["get", "bob:link/hostname"], 4, "denied", &["'link' is a symbolic link"]), &["without links"], &["peer"]);
}

#[test]
fn a_folder_is_a_matter_of_the_machine_that_it_is_on() {
    let Some(scene) = bound_by_modes() else { return skipped("folders that may not be written to", "the modes of files don't bind this user") };
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let (alice_serves, bob_serves) = (alice.serve_through(scene, "127.0.0.1:0"), bob.serve_through(scene, "127.0.0.1:0"));
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read,write"));
    std::fs::write(bob.file("x"), "content").unwrap();
    let closed = alice.scratch().join("closed here");
    for (folder, mode) in [(&closed, 0o500), (&bob.file("closed"), 0o500), (&bob.file("hidden"), 0o000)] {
        std::fs::create_dir(folder).unwrap();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let said = refused(&alice, &["get", "bob:x", closed.to_str().unwrap()], 4, "denied", &[closed.to_str().unwrap(), "permission denied"]);
    advises(&said, &["choose another folder"], &["peer", "bob"]);
    assert!(!said["message"].as_str().unwrap().contains(".transship-"), "{said}");
    std::fs::write(alice.scratch().join("own"), "content").unwrap();
    let said = refused(&alice, &["put", "own", "bob:closed/own"], 4, "denied", &["bob may not write 'closed/own'", "permission denied"]);
    advises(&said, &["bob's owner"], &["peer"]);
    let said = refused(&alice, &["get", "bob:hidden/x"], 4, "denied", &["bob may not read 'hidden/x'", "permission denied"]);
    advises(&said, &["bob's owner"], &["peer"]);
    std::fs::set_permissions(bob.file("hidden"), std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_node_that_can_not_be_reached_is_named_once_and_without_numbers() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    alice.knows(&bob, "127.0.0.1:1".parse().unwrap(), "");
    std::fs::write(alice.scratch().join("own"), "content").unwrap();
    for arguments in [&["list", "bob"][..], &["get", "bob:x"], &["put", "own", "bob:"], &["message", "bob@a:b:c", "{}"]] {
        let said = refused(&alice, arguments, 5, "offline", &[]);
        assert_eq!(said["message"], "bob can't be reached at 127.0.0.1:1: connection refused", "{arguments:?}");
        advises(&said, &["transship serve", "port"], &[]);
    }
}

#[test]
fn a_hint_can_be_pasted_whatever_the_folder_is_called() {
    let alice = Home::new("alice");
    let folder = alice.scratch().join("it's a folder");
    std::fs::create_dir(&folder).unwrap();
    let target = folder.join("new one");
    let said = alice.run(["get", "bob:x", &format!("{}/", target.display())]).code(3).stderr;
    let command = said.lines().find_map(|line| line.split_once("folder first: ")).unwrap().1.to_owned();
    Outcome::of(std::process::Command::new("sh").args(["-c", &command]), b"").ok();
    assert!(target.is_dir(), "{command}");
}

#[test]
fn a_place_that_is_written_wrongly_is_answered_with_the_right_form() {
    let alice = Home::new("alice");
    alice.run(["get", "bob:"]).code(2).says("no file is named").says("bob:NAME");
    alice.run(["get", "bob:sub/"]).code(2).says("bob:NAME");
    alice.run(["list", "bob:sub dir/"]).code(2).says("transship list bob --prefix 'sub dir/'");
    alice.run(["list", "bob:"]).code(2).says("transship list bob");
}
