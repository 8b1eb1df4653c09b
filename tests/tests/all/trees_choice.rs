//! What of a folder takes part: patterns, comparison by digest, and a dry run.

use std::fs;

use transship_tests::pair;
use transship_tests::transfer::names_in;
use transship_tests::tree::{all_in, files_in, plant, set_time};

/// A folder with a bit of everything.
const FILES: [&str; 9] = ["a.jpg", "a.txt", "b/c.jpg", "b/c.txt", "b/drafts/d.jpg", "drafts/e.jpg", "drafts.jpg", "b/raw/f.CR2", "!odd.jpg"];

#[test]
fn patterns_choose_what_takes_part() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for name in FILES {
        plant(&bob.file("photos").join(name), name.len() as u64, 0o644);
        plant(&alice.scratch().join("out").join(name), name.len() as u64, 0o644);
    }
    let patterns = alice.scratch().join("patterns");
    fs::write(&patterns, "# pictures\n\n*.jpg\n!a.jpg\ndrafts/\n").unwrap();
    for (number, (patterns, expected)) in [
        (&["--include", "*.jpg"][..], &["!odd.jpg", "a.jpg", "b/c.jpg", "b/drafts/d.jpg", "drafts.jpg", "drafts/e.jpg"][..]),
        (&["--include", "*.jpg", "--exclude", "drafts/"], &["!odd.jpg", "a.jpg", "b/c.jpg", "drafts.jpg"]),
        (&["--exclude", "drafts/", "--include", "*.jpg"], &["!odd.jpg", "a.jpg", "b/c.jpg", "drafts.jpg"]),
        (&["--exclude", "/drafts", "--exclude", "*.txt"], &["!odd.jpg", "a.jpg", "b/c.jpg", "b/drafts/d.jpg", "b/raw/f.CR2", "drafts.jpg"]),
        (&["--exclude", "b"], &["!odd.jpg", "a.jpg", "a.txt", "drafts.jpg", "drafts/e.jpg"]),
        (&["--include", "*.{txt,CR2}"], &["a.txt", "b/c.txt", "b/raw/f.CR2"]),
        (&["--include", "!odd.jpg"], &["!odd.jpg"]),
        (&["--include", "b/*.jpg"], &["b/c.jpg"]),
        (&["--include", "/b/**/*.jpg"], &["b/c.jpg", "b/drafts/d.jpg"]),
        (&["--include", "*.jpg", "--exclude", "!odd*"], &["a.jpg", "b/c.jpg", "b/drafts/d.jpg", "drafts.jpg", "drafts/e.jpg"]),
        (&["--include", "nothing"], &[]),
        // The last that matches counts.
        (&["--include", "*", "--exclude", "*.jpg", "--exclude", "b", "--include", "a.jpg"], &["a.jpg", "a.txt"]),
        (&["--exclude-from", patterns.to_str().unwrap()], &["a.jpg", "a.txt", "b/c.txt", "b/raw/f.CR2"]),
        (&["--exclude-from", patterns.to_str().unwrap(), "--exclude", "a.*"], &["b/c.txt", "b/raw/f.CR2"]),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("t{number}");
        alice.run([&["get", "-r", "bob:photos", &target], patterns].concat()).ok();
        alice.run([&["put", "-r", "out", &format!("bob:{target}")], patterns].concat()).ok();
        for folder in [alice.scratch().join(&target), bob.file(&target)] {
            let mut found: Vec<String> = files_in(&folder).into_keys().map(|path| path.display().to_string()).collect();
            found.sort();
            assert_eq!(found, expected, "{patterns:?} in {}", folder.display());
        }
    }
}

#[test]
fn a_folder_that_is_left_out_is_not_made() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read");
    for name in FILES {
        plant(&bob.file("photos").join(name), 5, 0o644);
    }
    alice.run(["get", "-r", "bob:photos", "--exclude", "drafts/", "--exclude", "raw"]).ok();
    let target = alice.scratch().join("photos");
    assert_eq!((names_in(&target.join("b")), target.join("drafts").exists()), (vec!["c.jpg".to_owned(), "c.txt".to_owned()], false));
}

#[test]
fn a_pattern_that_is_none_is_refused_with_the_reason() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    plant(&bob.file("photos/a"), 1, 0o644);
    plant(&alice.scratch().join("out/a"), 1, 0o644);
    for command in [&["get", "-r", "bob:photos"][..], &["put", "-r", "out", "bob:"]] {
        let outcome = alice.run_json([command, &["--include", "a[b"]].concat()).fails("invalid-request", 2);
        assert!(outcome.stderr.contains("a[b"), "{}", outcome.stderr);
    }
    assert!(!alice.scratch().join("photos").exists() && !bob.file("out").exists());
}

#[test]
fn a_checksum_finds_what_size_and_time_do_not_tell() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for (source, target, command) in [
        (bob.file("photos"), alice.scratch().join("photos"), &["get", "-r", "bob:photos"][..]),
        (alice.scratch().join("out"), bob.file("out"), &["put", "-r", "out", "bob:"]),
    ] {
        for name in ["a/equal", "a/other", "a/touched"] {
            plant(&source.join(name), 2 << 20, 0o644);
        }
        alice.run(command).ok();
        let time = |name: &str| fs::metadata(target.join(name)).unwrap().modified().unwrap();
        // Another content, and nothing that tells; and another time, with nothing behind it.
        let (old, mut content) = (time("a/other"), fs::read(target.join("a/other")).unwrap());
        content[1_500_000] ^= 1;
        fs::write(target.join("a/other"), content).unwrap();
        set_time(&target.join("a/other"), old);
        set_time(&target.join("a/touched"), std::time::UNIX_EPOCH);
        let run = |options: &[&str]| alice.run_json([command, options].concat()).ok().event("done")["tree"].clone();
        let tree = run(&["--on-conflict", "skip"]);
        assert_eq!((&tree["unchanged"], &tree["skipped"]), (&2.into(), &1.into()), "{tree}");
        let tree = run(&["--on-conflict", "overwrite", "--checksum"]);
        assert_eq!((&tree["unchanged"], &tree["changed"]), (&1.into(), &2.into()), "{tree}");
        // What was equal has the time of the source from then on, so times tell that now.
        assert_eq!(run(&[])["unchanged"], 3);
        assert_eq!(transship_tests::differ(&source.join("a/other"), &target.join("a/other")), None);
    }
}

#[test]
fn permissions_of_equal_files_are_brought_with_a_and_only_then() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for (source, target, command) in [
        (bob.file("photos"), alice.scratch().join("photos"), &["get", "-r", "bob:photos"][..]),
        (alice.scratch().join("out"), bob.file("out"), &["put", "-r", "out", "bob:"]),
    ] {
        for name in ["a/script", "a/same", "open", "secret"] {
            plant(&source.join(name), 1000, 0o644);
        }
        alice.run(command).ok();
        let set = |path: &std::path::Path, mode| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        set(&source.join("a/script"), 0o755);
        // What the umask forbids here can't be had, and is no change each time anew.
        set(&source.join("open"), 0o646);
        // One that can't be opened to be written can be set all the same.
        set(&target.join("secret"), 0o400);
        let before = all_in(&target);
        let counts = |options: &[&str]| {
            let tree = alice.run_json([command, options].concat()).ok().event("done")["tree"].clone();
            ["new", "changed", "unchanged"].map(|field| tree[field].as_u64().unwrap())
        };
        assert_eq!(counts(&[]), [0, 0, 4]);
        assert_eq!(counts(&["-a", "--dry-run"]), [0, 2, 2]);
        assert!(all_in(&target) == before);
        assert_eq!(counts(&["-a"]), [0, 2, 2]);
        let mode = |name: &str| std::os::unix::fs::PermissionsExt::mode(&fs::metadata(target.join(name)).unwrap().permissions()) & 0o777;
        assert_eq!(["a/script", "a/same", "open", "secret"].map(mode), [0o755, 0o644, 0o644, 0o644]);
        assert_eq!(counts(&["-a"]), [0, 0, 4]);
    }
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for (source, target, command) in [
        (bob.file("photos"), alice.scratch().join("photos"), &["get", "-r", "bob:photos"][..]),
        (alice.scratch().join("out"), bob.file("out"), &["put", "-r", "out", "bob:"]),
    ] {
        for (name, length) in [("equal", 1000), ("changed", 1001), ("folder/new", 5 << 20)] {
            plant(&source.join(name), length, 0o644);
        }
        fs::create_dir(source.join("empty")).unwrap();
        let dry = |options: &[&str]| alice.run_json([command, &["--dry-run"], options].concat());
        // Nothing is there yet, and nothing is afterwards.
        let done = dry(&[]).ok().event("done");
        assert_eq!((&done["tree"]["new"], &done["tree"]["dry_run"], &done["size"]), (&3.into(), &true.into(), &(2001 + (5 << 20)).into()), "{done}");
        assert!(!target.exists());
        plant(&target.join("equal"), 1000, 0o644);
        plant(&target.join("changed"), 1002, 0o644);
        let before = all_in(&target);
        let tree = dry(&["--on-conflict", "overwrite"]).ok().event("done")["tree"].clone();
        let counts = ["new", "changed", "unchanged", "failed"].map(|field| tree[field].as_u64().unwrap());
        assert_eq!(counts, [1, 1, 1, 0], "{tree}");
        assert_eq!(dry(&[]).code(23).event("done")["tree"]["failed"], 1);
        assert!(all_in(&target) == before);
        let said = alice.run([command, &["--dry-run", "--on-conflict", "overwrite"]].concat()).ok().stdout;
        assert!(said.contains("would be 1 new, 1 changed, 1 unchanged"), "{said}");
    }
}
