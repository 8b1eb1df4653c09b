//! What becomes of files that are there already and are not equal, and of those that can't be moved.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use transship_tests::transfer::{hidden_in, names_in};
use transship_tests::tree::{plant, same, set_time};
use transship_tests::{Home, Outcome, Serving, pair, sha256_hex};

/// A folder here and at the other side: one file is equal, one is newer here, one is newer there, one is there only.
fn differing(source: &Path, target: &Path) {
    for (name, ours, theirs) in [("equal", 5, 5), ("older", 3, 8), ("newer", 8, 3)] {
        for (folder, second) in [(source, theirs), (target, ours)] {
            let path = folder.join("a").join(name);
            plant(&path, 1000, 0o644);
            if second != 5 {
                let mut content = fs::read(&path).unwrap();
                content[0] ^= second;
                fs::write(&path, content).unwrap();
            }
            set_time(&path, UNIX_EPOCH + Duration::from_secs(1_500_000_000 + u64::from(second)));
        }
    }
    plant(&source.join("a/only"), 50, 0o644);
}

/// Runs a get and a put of such folders with this policy. Gives what came of it, and the two folders.
fn each_way(policy: &[&str], mut check: impl FnMut(Outcome, &Path, &Path)) {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let (here, there) = (alice.scratch(), bob.files());
    differing(&there.join("photos"), &here.join("photos"));
    check(alice.run_json([&["get", "-r", "bob:photos"], policy].concat()), &there.join("photos"), &here.join("photos"));
    differing(&here.join("out"), &there.join("out"));
    check(alice.run_json([&["put", "-r", "out", "bob:"], policy].concat()), &here.join("out"), &there.join("out"));
    assert_eq!((hidden_in(&here), hidden_in(&there)), (Vec::new(), Vec::new()));
}

fn counts(outcome: &Outcome) -> [u64; 5] {
    let tree = &outcome.event("done")["tree"];
    ["new", "changed", "unchanged", "skipped", "failed"].map(|field| tree[field].as_u64().unwrap_or_else(|| panic!("{field} in {tree}")))
}

fn failed(outcome: &Outcome) -> Vec<(String, String)> {
    let tree = outcome.event("done")["tree"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut failures: Vec<_> = tree["failures"].as_array().unwrap().iter().map(|failure| (text(&failure["name"]), text(&failure["error"]))).collect();
    failures.sort();
    failures
}

#[test]
fn without_a_policy_what_differs_fails_file_by_file_and_the_rest_is_moved() {
    each_way(&[], |outcome, source, target| {
        let before = ["older", "newer"].map(|name| sha256_hex(&target.join("a").join(name)));
        let outcome = outcome.code(23).says("a/older: ").says("a/newer: ").says("2 failed").says("--on-conflict");
        assert_eq!(counts(&outcome), [1, 0, 1, 0, 2]);
        let conflict = |name: &str| (name.to_owned(), "conflict".to_owned());
        assert_eq!(failed(&outcome), [conflict("a/newer"), conflict("a/older")]);
        assert_eq!(["older", "newer"].map(|name| sha256_hex(&target.join("a").join(name))), before);
        assert_eq!(sha256_hex(&target.join("a/only")), sha256_hex(&source.join("a/only")));
    });
}

#[test]
fn overwrite_replaces_what_differs() {
    each_way(&["--on-conflict", "overwrite"], |outcome, source, target| {
        assert_eq!(counts(&outcome.ok()), [1, 2, 1, 0, 0]);
        same(source, target, false);
    });
}

#[test]
fn skip_leaves_what_differs() {
    each_way(&["--on-conflict", "skip"], |outcome, source, target| {
        assert_eq!(counts(&outcome.ok()), [1, 0, 1, 2, 0]);
        assert_eq!(fs::metadata(target.join("a/older")).unwrap().modified().unwrap(), UNIX_EPOCH + Duration::from_secs(1_500_000_003));
        assert!(source.join("a/older").exists());
    });
}

#[test]
fn newer_replaces_what_is_older_and_leaves_what_is_not() {
    each_way(&["--on-conflict", "newer"], |outcome, source, target| {
        let kept = sha256_hex(&target.join("a/newer"));
        assert_eq!(counts(&outcome.ok()), [1, 1, 1, 1, 0]);
        assert_eq!(sha256_hex(&target.join("a/older")), sha256_hex(&source.join("a/older")));
        assert_eq!(sha256_hex(&target.join("a/newer")), kept);
        assert_ne!(kept, sha256_hex(&source.join("a/newer")));
    });
}

#[test]
fn rename_puts_what_differs_beside() {
    each_way(&["--on-conflict", "rename"], |outcome, source, target| {
        let outcome = outcome.ok();
        assert_eq!(counts(&outcome)[4], 0);
        assert_eq!(names_in(&target.join("a")), ["equal", "newer", "newer (1)", "older", "older (1)", "only"]);
        for name in ["older", "newer"] {
            assert_eq!(sha256_hex(&target.join("a").join(format!("{name} (1)"))), sha256_hex(&source.join("a").join(name)));
            assert_ne!(sha256_hex(&target.join("a").join(name)), sha256_hex(&source.join("a").join(name)));
        }
    });
}

#[test]
fn a_single_file_can_be_newer_too() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for (ours, theirs) in [(3, 8), (8, 3)] {
        for (path, second) in [(alice.scratch().join("file"), ours), (bob.file("file"), theirs)] {
            fs::write(&path, format!("from {second}")).unwrap();
            set_time(&path, UNIX_EPOCH + Duration::from_secs(second));
        }
        let done = alice.run_json(["get", "bob:file", "--on-conflict", "newer"]).ok().event("done");
        assert_eq!(done["skipped"], ours > theirs, "{done}");
        assert_eq!(fs::read_to_string(alice.scratch().join("file")).unwrap(), "from 8");
        fs::write(alice.scratch().join("file"), "from 5").unwrap();
        set_time(&alice.scratch().join("file"), UNIX_EPOCH + Duration::from_secs(5));
        let done = alice.run_json(["put", "file", "bob:", "--on-conflict", "newer"]).ok().event("done");
        assert_eq!(done["skipped"], theirs > 5, "{done}");
        assert_eq!(fs::read_to_string(bob.file("file")).unwrap(), if theirs > 5 { "from 8" } else { "from 5" });
    }
    alice.run_with_input(["put", "-", "bob:file", "--on-conflict", "newer"], b"x").code(2).says("no time");
}

/// Alice has a file where bob has a folder, and a folder where he has a file; and the other way round for what she sends.
fn crossed(policy: &[&str]) {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for (source, target) in [(bob.file("photos"), alice.scratch().join("photos")), (alice.scratch().join("out"), bob.file("out"))] {
        plant(&source.join("folder/inside"), 5, 0o644);
        plant(&target.join("folder"), 6, 0o644);
        plant(&source.join("file"), 7, 0o644);
        plant(&target.join("file/inside"), 8, 0o644);
        plant(&source.join("z"), 9, 0o644);
    }
    for command in [&["get", "-r", "bob:photos"][..], &["put", "-r", "out", "bob:"]] {
        let outcome = alice.run_json([command, policy].concat()).code(23);
        let names: Vec<String> = failed(&outcome).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"file".to_owned()) && names.iter().any(|name| name.starts_with("folder")), "{names:?}");
    }
    for target in [alice.scratch().join("photos"), bob.file("out")] {
        let length = |name: &str| fs::metadata(target.join(name)).unwrap().len();
        assert_eq!((length("folder"), length("file/inside"), length("z")), (6, 8, 9));
        assert_eq!((names_in(&target), names_in(&target.join("file"))), (["file", "folder", "z"].map(str::to_owned).to_vec(), vec!["inside".to_owned()]));
    }
}

#[test]
fn a_file_in_place_of_a_folder_fails_by_itself_and_is_left() {
    crossed(&[]);
    crossed(&["--on-conflict", "overwrite"]);
}

#[test]
fn a_name_that_the_receiver_refuses_fails_by_itself() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    // Names that the system takes and a drive does not.
    for name in ["a\\b", "a\nb", "folder/c\\d"] {
        plant(&bob.file("photos").join(name), 5, 0o644);
    }
    plant(&bob.file("photos/folder/good"), 6, 0o644);
    let outcome = alice.run_json(["get", "-r", "bob:photos"]).code(23);
    assert_eq!(counts(&outcome), [1, 0, 0, 0, 3]);
    // Nothing of what is said steers a terminal.
    assert!(!outcome.stderr.chars().any(|c| c.is_control() && c != '\n'), "{}", outcome.stderr);
    assert_eq!(names_in(&alice.scratch().join("photos")), ["folder"]);
    assert_eq!(names_in(&alice.scratch().join("photos/folder")), ["good"]);
}

#[test]
fn a_drive_that_is_full_ends_it_and_holds_nothing_of_what_did_not_fit() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    bob.configure("[drives.\"file-transfer:transship/files\"]\nmemory = 3000000");
    let (alice_serves, bob_serves): (Serving, Serving) = (alice.serve(), bob.serve());
    transship_tests::introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read,write"));
    for number in 0..20 {
        plant(&alice.scratch().join(format!("out/a/{number:02}")), 10_000 + number, 0o644);
    }
    plant(&alice.scratch().join("out/z"), 10_000_000, 0o644);
    let outcome = alice.run_json(["put", "-r", "out", "bob:"]);
    outcome.fails("no-space", 8);
    // What holds no room any more can be used by what fits.
    alice.run(["put", "-r", "out", "bob:", "--exclude", "z"]).ok();
    alice.run(["get", "-r", "bob:out", "back"]).ok();
    for number in 0..20 {
        let name = format!("a/{number:02}");
        assert_eq!(transship_tests::differ(&alice.scratch().join("out").join(&name), &alice.scratch().join("back").join(&name)), None);
    }
    assert!(!alice.scratch().join("back/z").exists());
}

#[test]
fn a_hundred_failures_are_told_and_the_others_counted() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for number in 0..130 {
        plant(&bob.file(&format!("photos/{number}")), number, 0o644);
        plant(&alice.scratch().join(format!("photos/{number}")), number + 1, 0o644);
    }
    let outcome = alice.run(["get", "-r", "bob:photos"]).code(23).says("and 30 more: `transship log`").says("130 failed");
    assert_eq!(outcome.stderr.lines().filter(|line| line.contains(": there is something named ")).count(), 100);
    let log = alice.run(["log", "-n", "2000"]).ok().stdout;
    let logged = (0..130).filter(|number| log.contains(&format!("'{number}'")) || log.contains(&format!("{number}:"))).count();
    assert_eq!(logged, 130, "the log has all of them");
}
