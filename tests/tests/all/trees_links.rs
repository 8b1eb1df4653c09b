//! Symbolic links in a folder: left out, made anew or refused, never followed, and never made if they lead out.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use transship_tests::refusal::refused;
use transship_tests::transfer::names_in;
use transship_tests::tree::{Thing, all_in, plant};
use transship_tests::{Home, Serving, pair};

/// Links that stay inside, by where they are, and those that do not.
const INSIDE: [(&str, &str); 4] = [("a/link", "file"), ("up", "a/b"), ("a/b/far", "../../top"), ("dangling", "no/where")];
const OUTSIDE: [(&str, &str); 6] =
    [("out", "../x"), ("a/out", "../../x"), ("absolute", "/etc/hostname"), ("sly", "a/../../x"), ("a/sly", "b/../../../x"), ("a/self", "../../photos/top")];

/// A folder with links at both sides.
fn scene(outside: bool) -> ((Home, Serving), (Home, Serving)) {
    let (alice, bob) = pair("", "list,read,write");
    for folder in [bob.0.file("photos"), alice.0.scratch().join("out")] {
        plant(&folder.join("a/b/deep"), 4, 0o644);
        plant(&folder.join("a/file"), 5, 0o644);
        plant(&folder.join("top"), 6, 0o644);
        for (at, says) in INSIDE.into_iter().chain(OUTSIDE.into_iter().filter(|_| outside)) {
            symlink(says, folder.join(at)).unwrap();
        }
    }
    (alice, bob)
}

const GET: &[&str] = &["get", "-r", "bob:photos"];
const PUT: &[&str] = &["put", "-r", "out", "bob:"];

fn targets(alice: &Home, bob: &Home) -> [(&'static [&'static str], PathBuf); 2] {
    [(GET, alice.scratch().join("photos")), (PUT, bob.file("out"))]
}

fn links_in(folder: &Path) -> Vec<(String, String)> {
    let links = all_in(folder).into_iter().filter_map(|(path, thing)| match thing {
        Thing::Link(says) => Some((path.display().to_string(), says.display().to_string())),
        _ => None,
    });
    links.collect()
}

#[test]
fn links_are_left_out_unless_they_are_wanted() {
    let ((alice, _a), (bob, _b)) = scene(true);
    for (command, target) in targets(&alice, &bob) {
        let tree = alice.run_json(command).ok().event("done")["tree"].clone();
        assert_eq!((&tree["new"], &tree["skipped"], &tree["links"]), (&3.into(), &(INSIDE.len() + OUTSIDE.len()).into(), &0.into()), "{tree}");
        assert_eq!(links_in(&target), []);
        assert_eq!(names_in(&target), ["a", "top"]);
    }
}

#[test]
fn links_that_stay_inside_are_made_anew_and_others_fail_each_by_itself() {
    let ((alice, _a), (bob, _b)) = scene(true);
    let mut inside = INSIDE.map(|(at, says)| (at.to_owned(), says.to_owned())).to_vec();
    inside.sort();
    for (command, target) in targets(&alice, &bob) {
        let outcome = alice.run_json([command, &["--links", "keep"]].concat()).code(23);
        let tree = outcome.event("done")["tree"].clone();
        assert_eq!((&tree["new"], &tree["links"], &tree["failed"]), (&3.into(), &INSIDE.len().into(), &OUTSIDE.len().into()), "{tree}");
        for (at, _) in OUTSIDE {
            assert!(outcome.stderr.contains(&format!("{at}: ")), "{}", outcome.stderr);
        }
        assert_eq!(links_in(&target), inside);
        // Links that are there and say the same are no conflict.
        let tree = alice.run_json([command, &["--links", "keep"]].concat()).code(23).event("done")["tree"].clone();
        assert_eq!((&tree["unchanged"], &tree["links"], &tree["failed"]), (&3.into(), &0.into(), &OUTSIDE.len().into()), "{tree}");
    }
}

#[test]
fn one_link_is_enough_to_refuse_all() {
    let ((alice, _a), (bob, _b)) = scene(false);
    for (command, target) in targets(&alice, &bob) {
        let outcome = alice.run_json([command, &["--links", "refuse"]].concat());
        assert_ne!(outcome.code, Some(0));
        assert!(outcome.stderr.contains("link"), "{}", outcome.stderr);
        assert!(!target.exists() || names_in(&target).is_empty(), "{:?}", names_in(&target));
    }
}

#[test]
fn an_archive_keeps_links() {
    let ((alice, _a), (bob, _b)) = scene(false);
    alice.run(["get", "-a", "bob:photos"]).ok();
    assert_eq!(links_in(&alice.scratch().join("photos")).len(), INSIDE.len());
    alice.run(["put", "-a", "--links", "skip", "out", "bob:"]).ok();
    assert_eq!(links_in(&bob.file("out")), []);
}

#[test]
fn nothing_is_put_through_a_link_that_stands_at_the_receiver() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let outside = bob.path().join("outside");
    fs::create_dir(&outside).unwrap();
    plant(&bob.path().join("secret"), 3, 0o600);
    for (target, source) in [(bob.file("out"), alice.scratch().join("out")), (alice.scratch().join("photos"), bob.file("photos"))] {
        plant(&source.join("folder/file"), 4, 0o644);
        plant(&source.join("name"), 5, 0o644);
        plant(&source.join("good"), 6, 0o644);
        fs::create_dir(&target).unwrap();
        symlink(&outside, target.join("folder")).unwrap();
        symlink(bob.path().join("secret"), target.join("name")).unwrap();
    }
    for (command, target) in targets(&alice, &bob) {
        for policy in ["fail", "overwrite"] {
            let tree = alice.run_json([command, &["--on-conflict", policy]].concat()).code(23).event("done")["tree"].clone();
            assert!(tree["failed"].as_u64() >= Some(1), "{tree}");
            assert_eq!(fs::metadata(target.join("good")).unwrap().len(), 6);
        }
    }
    assert_eq!(names_in(&outside), Vec::<String>::new());
    assert_eq!(fs::metadata(bob.path().join("secret")).unwrap().len(), 3);
}

#[test]
fn a_folder_behind_a_link_is_not_served() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    plant(&bob.path().join("outside/secret"), 3, 0o600);
    symlink("../../../outside", bob.file("link")).unwrap();
    plant(&bob.file("photos/file"), 3, 0o644);
    symlink("../../../../outside", bob.file("photos/link")).unwrap();
    for name in ["bob:link", "bob:photos/link", "bob:link/"] {
        let outcome = alice.run_json(["get", "-r", name, "arrived"]);
        assert_ne!(outcome.code, Some(0), "{name}");
        assert!(!alice.scratch().join("arrived").exists(), "{name}");
    }
    alice.run(["get", "-r", "bob:photos"]).ok();
    assert_eq!(names_in(&alice.scratch().join("photos")), ["file"]);
    plant(&alice.scratch().join("own/file"), 1, 0o644);
    refused(&alice, &["put", "-r", "own", "bob:link/in"], 4, "denied", &["link"]);
    assert_eq!(names_in(&bob.path().join("outside")), ["secret"]);
}

#[test]
fn a_link_that_is_replaced_takes_nothing_from_other_transfers() {
    let ((alice, _a), (bob, _b)) = scene(false);
    for (command, target) in targets(&alice, &bob) {
        fs::create_dir_all(&target).unwrap();
        symlink("another", target.join("up")).unwrap();
        // What another transfer's link is called while it waits for its name.
        symlink("its", target.join(".transship-link")).unwrap();
        alice.run_json([command, &["--links", "keep", "--on-conflict", "overwrite"]].concat()).ok();
        assert_eq!((fs::read_link(target.join("up")).unwrap(), fs::read_link(target.join(".transship-link")).unwrap()), ("a/b".into(), "its".into()));
        assert_eq!(names_in(&target), [".transship-link", "a", "dangling", "top", "up"]);
    }
}
