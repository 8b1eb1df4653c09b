//! The double does what the worker does: with another double, with an ordinary node, and when it is ended in the middle.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use transship_tests::{Home, Serving, differ, eventually, introduce, random_file};

/// A node whose workers are native.
fn double(folder: &Path, name: &str) -> (Home, Serving) {
    let home = Home::new_in(folder, name);
    let serving = home.serve_through(&[env!("CARGO_BIN_EXE_transship-bench"), "node", "--worker", "native"], "127.0.0.1:0");
    (home, serving)
}

/// Fetches `file` from bob, and compares.
fn get(alice: &Home, bob: &Home, more: &[&str]) {
    let target = alice.scratch().join("fetched");
    let mut arguments = vec!["get", "bob:file", target.to_str().unwrap(), "--digest", "blake3"];
    arguments.extend(more);
    alice.run(arguments).ok();
    assert_eq!(differ(&bob.file("file"), &target), None);
    std::fs::remove_file(target).unwrap();
}

/// A double whose workers never were native fails at its end.
fn stop(double: Serving) {
    let (status, said) = double.stop("TERM");
    assert!(status.success(), "{said}");
}

#[test]
fn a_double_receives_and_sends_as_any_node() {
    let folder = tempfile::tempdir().unwrap();
    let ((alice, alice_serves), (bob, bob_serves)) = (double(folder.path(), "alice"), double(folder.path(), "bob"));
    let carol = Home::new_in(folder.path(), "carol");
    let carol_serves = carol.serve();
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read"));
    introduce((&carol, Some(&carol_serves), "list,read"), (&bob, Some(&bob_serves), "list,read"));
    introduce((&carol, Some(&carol_serves), "list,read"), (&alice, Some(&alice_serves), ""));
    random_file(&bob.file("file"), 40_000_001);
    get(&alice, &bob, &[]);
    get(&carol, &bob, &[]);
    std::fs::create_dir(carol.file("folder")).unwrap();
    random_file(&carol.file("folder/one"), 100_000);
    alice.run(["get", "-r", "carol:folder", alice.scratch().to_str().unwrap()]).ok();
    assert_eq!(differ(&carol.file("folder/one"), &alice.scratch().join("folder/one")), None);
    stop(alice_serves);
    stop(bob_serves);
}

#[test]
fn a_double_that_is_ended_in_the_middle_leaves_what_a_resume_needs_and_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let ((alice, alice_serves), (bob, bob_serves)) = (double(folder.path(), "alice"), double(folder.path(), "bob"));
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read"));
    random_file(&bob.file("file"), 40_000_000);
    let target = alice.scratch().join("fetched");
    let mut slow = alice.start(["get", "bob:file", target.to_str().unwrap(), "--digest", "blake3", "--limit", "1M"]);
    slow.until("some of it is there", |said| said["bytes_done"].as_u64().is_some_and(|bytes| bytes > 0));
    let worker = eventually("the worker runs", || alice.workers().into_iter().next());
    alice.run(["kill", &worker]).ok();
    while slow.next_line().is_some() {}
    assert!(!target.exists(), "nothing has its name before it is verified");
    alice.settled();
    bob.settled();
    get(&alice, &bob, &[]);
    stop(alice_serves);
    stop(bob_serves);
}
