//! Files and names that can't be moved are refused, at either end, in words and by an error's name: what is missing, is no file, may not be read, leaves the drive, does not fit or is there already.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use transship_tests::machine::{bound_by_modes, skipped, small_disk};
use transship_tests::refusal::{arrivals, check, entries, refused, something, trusted};
use transship_tests::{Home, differ, introduce, random_file};

const DRIVE: &str = "file-transfer:transship/files";

#[test]
fn a_missing_file_is_an_error_at_once_and_leaves_nothing() {
    let ((alice, _alice), (bob, _bob)) = trusted();
    let arrivals = arrivals(&alice);
    let arrivals_text = arrivals.to_str().unwrap();
    std::fs::create_dir(bob.file("folder")).unwrap();
    for name in ["bob:missing", "bob:folder/missing", "bob:no/folder/missing"] {
        let said = refused(&alice, &["get", name, arrivals_text], 3, "not-found", &["missing"]);
        assert!(said["hint"].as_str().unwrap().contains("transship list bob"), "{said}");
        refused(&alice, &["get", name, arrivals_text, "--digest-first"], 3, "not-found", &["missing"]);
    }
    // No object can go to standard output, which is the content's.
    alice.run(["get", "bob:missing", "-"]).code(3).says("error: ").says("missing").says("hint: ");
    assert!(entries(&arrivals).is_empty());
    let nobody = "0".repeat(64);
    refused(&alice, &["get", "--id", &format!("bob:{nobody}"), arrivals_text], 3, "not-found", &[&nobody]);
    assert!(entries(&arrivals).is_empty());
    assert!(!alice.scratch().join("missing").exists());
    alice.settled();
    bob.settled();
}

#[test]
fn a_directory_in_place_of_a_file_is_told_apart() {
    let ((alice, _alice), (bob, _bob)) = trusted();
    let arrivals = arrivals(&alice);
    std::fs::create_dir_all(bob.file("folder/inner")).unwrap();
    std::fs::write(bob.file("plain"), "content").unwrap();
    refused(&alice, &["get", "bob:folder", arrivals.to_str().unwrap()], 1, "not-a-file", &["folder"]);
    refused(&alice, &["get", "bob:folder/inner", arrivals.to_str().unwrap()], 1, "not-a-file", &["folder/inner"]);
    assert!(entries(&arrivals).is_empty());
    // The other way round: a directory here, a directory there, and a file where the name needs a folder.
    refused(&alice, &["put", arrivals.to_str().unwrap(), "bob:"], 1, "not-a-file", &["arrivals"]);
    let file = something(&alice);
    refused(&alice, &["put", &file, "bob:folder"], 1, "not-a-file", &["folder"]);
    refused(&alice, &["put", &file, "bob:folder", "--on-conflict", "overwrite"], 1, "not-a-file", &["folder"]);
    refused(&alice, &["put", &file, "bob:plain/below"], 1, "not-a-file", &["plain"]);
    assert_eq!(bob.names(), ["folder", "plain"]);
    assert_eq!(std::fs::read_to_string(bob.file("plain")).unwrap(), "content");
    // And a folder that stands where the file would go here.
    std::fs::create_dir(arrivals.join("plain")).unwrap();
    refused(&alice, &["get", "bob:plain", arrivals.to_str().unwrap()], 1, "not-a-file", &["plain"]);
    assert!(entries(&arrivals.join("plain")).is_empty());
    assert_eq!(entries(&arrivals), ["plain"]);
}

#[test]
fn devices_and_pipes_are_not_served() {
    let ((alice, _alice), (bob, _bob)) = trusted();
    let pipe = bob.file("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bob.file("socket")).unwrap();
    for name in ["pipe", "socket"] {
        refused(&alice, &["get", &format!("bob:{name}")], 1, "not-a-file", &[name]);
    }
    assert_eq!(alice.run(["--json", "list", "bob"]).ok().stdout, "");
}

#[test]
fn an_unreadable_file_is_said_to_be_one() {
    let Some(scene) = bound_by_modes() else { return skipped("unreadable files", "the modes of files don't bind this user, and setpriv can't change that") };
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let (alice_serves, bob_serves) = (alice.serve_through(scene, "127.0.0.1:0"), bob.serve_through(scene, "127.0.0.1:0"));
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read,write"));
    let unreadable = |path: &Path| {
        std::fs::write(path, "secret").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
    };
    unreadable(&bob.file("secret"));
    std::fs::write(bob.file("plain"), "content").unwrap();
    refused(&alice, &["get", "bob:secret"], 4, "unreadable", &["secret"]);
    refused(&alice, &["get", "bob:secret", "--digest-first"], 4, "unreadable", &["secret"]);
    // The listing still shows the others, and that there is one, whose content it can't identify.
    let listed = alice.run(["--json", "list", "bob", "--digest", "sha256"]).ok().json();
    let ids: Vec<bool> = listed.iter().map(|file| file["id"].is_string()).collect();
    assert_eq!((listed.len(), ids), (2, vec![true, false]), "{listed:?}");
    // A file of one's own.
    let own = alice.scratch().join("own");
    unreadable(&own);
    let outcome = transship_tests::Outcome::of(&mut alice.command_through(scene, ["put", own.to_str().unwrap(), "bob:"]), b"");
    outcome.code(4).says("own").says("denied");
    assert_eq!(bob.names(), ["plain", "secret"]);
    // A folder that can't be written to, at either end.
    let closed = alice.scratch().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::create_dir(bob.file("closed")).unwrap();
    for folder in [&closed, &bob.file("closed")] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o500)).unwrap();
    }
    refused(&alice, &["get", "bob:plain", closed.to_str().unwrap()], 4, "denied", &[]);
    let file = something(&alice);
    refused(&alice, &["put", &file, "bob:closed/x"], 4, "denied", &[]);
    assert!(entries(&closed).is_empty() && entries(&bob.file("closed")).is_empty());
}

#[test]
fn a_name_that_leaves_the_drive_is_no_name() {
    let ((alice, _alice), (bob, _bob)) = trusted();
    let outside = bob.path().join("vfs/file-transfer:transship/outside");
    std::fs::write(&outside, "not shared").unwrap();
    let arrivals = arrivals(&alice);
    let file = something(&alice);
    let absolute = outside.to_str().unwrap();
    for name in [
        "../outside",
        "../../../identity.key",
        "a/../../outside",
        absolute,
        "/etc/hostname",
        "./outside",
        "a//b",
        "a\\b",
        "a\nb",
        "\u{1b}[2J",
        ".transship-x",
        "a/.transship-x",
    ] {
        for arguments in [
            &["get", &format!("bob:{name}"), arrivals.join("arrived").to_str().unwrap()][..],
            &["put", &file, &format!("bob:{name}")],
            &["put", &file, &format!("bob:{name}"), "--on-conflict", "overwrite"],
        ] {
            let said = refused(&alice, arguments, 2, "invalid-name", &[]);
            assert!(!said["message"].as_str().unwrap().chars().any(char::is_control), "{said}");
        }
        check(alice.run_with_input(["--json", "put", "-", &format!("bob:{name}")], b"content"), 2, "invalid-name", &[]);
    }
    refused(&alice, &["get", "bob:", arrivals.to_str().unwrap()], 2, "invalid-name", &[]);
    refused(&alice, &["get", "bob:..", arrivals.to_str().unwrap()], 2, "invalid-name", &[]);
    assert!(entries(&arrivals).is_empty() && bob.names().is_empty());
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "not shared");
    assert_eq!(entries(outside.parent().unwrap()), ["files", "outside"]);
    alice.run(["list", "bob"]).ok();
}

#[test]
fn a_symbolic_link_is_never_followed_out_of_the_drive() {
    let ((alice, _alice), (bob, _bob)) = trusted();
    let outside = bob.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "not shared").unwrap();
    symlink(outside.join("secret"), bob.file("absolute-link")).unwrap();
    symlink("../../../outside/secret", bob.file("relative-link")).unwrap();
    symlink(&outside, bob.file("folder-link")).unwrap();
    symlink("nowhere", bob.file("dangling")).unwrap();
    std::fs::write(bob.file("plain"), "shared").unwrap();
    let links = ["absolute-link", "dangling", "folder-link", "plain", "relative-link"];

    let listed: Vec<String> = alice.run(["--json", "list", "bob"]).ok().json().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, ["plain"]);
    let arrivals = arrivals(&alice);
    let file = something(&alice);
    for name in ["absolute-link", "relative-link", "folder-link", "dangling"] {
        refused(&alice, &["get", &format!("bob:{name}"), arrivals.to_str().unwrap()], 1, "not-a-file", &[name]);
        for policy in ["fail", "overwrite"] {
            let outcome = alice.run(["--json", "put", &file, &format!("bob:{name}"), "--on-conflict", policy]);
            check(outcome, 1, "not-a-file", &[name]);
        }
        // Beside the link, and not through it.
        alice.run(["put", &file, &format!("bob:{name}"), "--on-conflict", "rename"]).ok();
        std::fs::remove_file(bob.file(&format!("{name} (1)"))).unwrap();
    }
    for name in ["folder-link/secret", "folder-link/new"] {
        for arguments in
            [&["get", &format!("bob:{name}"), arrivals.to_str().unwrap()][..], &["put", &file, &format!("bob:{name}"), "--on-conflict", "overwrite"]]
        {
            refused(&alice, arguments, 4, "denied", &["folder-link", "symbolic link"]);
        }
    }
    assert!(entries(&arrivals).is_empty());
    assert_eq!(bob.names(), links);
    assert_eq!(entries(&outside), ["secret"]);
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "not shared");
}

#[test]
fn a_name_longer_than_the_receivers_system_allows_is_refused_and_the_longest_is_not() {
    let ((alice, _alice), (bob, _bob)) = trusted();
    let file = something(&alice);
    let (longest, too_long) = ("n".repeat(255), "n".repeat(256));
    // 256 bytes, in 128 characters.
    let too_long_in_bytes = "é".repeat(128);
    for name in [&too_long, &too_long_in_bytes, &format!("folder/{too_long}"), &format!("{too_long}/file"), &"deep/".repeat(1000)] {
        let name = format!("{}x", name.trim_end_matches('x'));
        refused(&alice, &["put", &file, &format!("bob:{name}")], 2, "name-too-long", &[]);
        refused(&alice, &["get", &format!("bob:{name}"), "arrived"], 2, "name-too-long", &[]);
    }
    alice.run(["put", &file, &format!("bob:{longest}")]).ok();
    alice.run(["get", &format!("bob:{longest}"), "arrived"]).ok();
    // A name that is fine there and too long here.
    refused(&alice, &["get", &format!("bob:{longest}"), &too_long], 2, "name-too-long", &[]);
    assert_eq!(differ(Path::new(&file), &alice.scratch().join("arrived")), None);
    assert_eq!(bob.names(), [longest]);
}

#[test]
fn a_full_drive_takes_nothing_and_what_fits_later_is_taken() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let settings = bob.path().join("node.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{text}\n[drives.\"{DRIVE}\"]\nmemory = 2000000\n")).unwrap();
    let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read,write"));
    let (small, large) = (alice.scratch().join("small"), alice.scratch().join("large"));
    random_file(&small, 1_500_000);
    random_file(&large, 3_000_000);
    refused(&alice, &["put", large.to_str().unwrap(), "bob:"], 8, "no-space", &[DRIVE, "3000000"]);
    alice.run(["put", small.to_str().unwrap(), "bob:first"]).ok();
    refused(&alice, &["put", small.to_str().unwrap(), "bob:second"], 8, "no-space", &[DRIVE]);
    let segments = alice.run_with_input(["--json", "put", "-", "bob:third"], &std::fs::read(&small).unwrap());
    // How much will come nobody knows: it is a segment that has no room.
    check(segments, 8, "no-space", &[DRIVE, "needed"]);
    let names = || -> Vec<String> { alice.run(["--json", "list", "bob"]).ok().json().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect() };
    assert_eq!(names(), ["first"]);
    // What is refused holds no room.
    for number in 0..3 {
        refused(&alice, &["put", small.to_str().unwrap(), &format!("bob:again-{number}")], 8, "no-space", &[DRIVE]);
    }
    let rest = alice.scratch().join("rest");
    random_file(&rest, 400_000);
    alice.run(["put", rest.to_str().unwrap(), "bob:rest"]).ok();
    alice.run(["get", "bob:first", "back"]).ok();
    assert_eq!(differ(&small, &alice.scratch().join("back")), None);
    assert_eq!(names(), ["first", "rest"]);
    assert!(bob.names().is_empty(), "it is in memory");
}

#[test]
fn a_full_disk_takes_nothing_and_says_how_much_is_missing() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let Some(scene) = small_disk(&bob.files(), 8 << 20) else { return skipped("a full disk", "no file system may be mounted") };
    let scene: Vec<&str> = scene.iter().map(String::as_str).collect();
    let (alice_serves, bob_serves) = (alice.serve(), bob.serve_through(&scene, "127.0.0.1:0"));
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read,write"));
    let (small, large) = (alice.scratch().join("small"), alice.scratch().join("large"));
    random_file(&small, 5 << 20);
    random_file(&large, 20 << 20);
    let said = refused(&alice, &["put", large.to_str().unwrap(), "bob:"], 8, "no-space", &[DRIVE, &(20 << 20).to_string()]);
    assert!(said["hint"].as_str().unwrap().contains("room"), "{said}");
    // Of what comes in segments nobody knows the size before the disk is full.
    check(alice.run_with_input(["--json", "put", "-", "bob:stream"], &std::fs::read(&large).unwrap()), 8, "no-space", &[DRIVE]);
    alice.run(["put", small.to_str().unwrap(), "bob:first"]).ok();
    refused(&alice, &["put", small.to_str().unwrap(), "bob:second"], 8, "no-space", &[DRIVE]);
    let names: Vec<String> = alice.run(["--json", "list", "bob"]).ok().json().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["first"]);
    alice.run(["get", "bob:first", "back"]).ok();
    assert_eq!(differ(&small, &alice.scratch().join("back")), None);
}

#[test]
fn what_is_there_already_is_kept_unless_the_person_chose_otherwise() {
    let ((alice, _alice), (bob, _bob)) = trusted();
    let arrivals = arrivals(&alice);
    let source = alice.scratch().join("name.tar.gz");
    std::fs::write(&source, "new").unwrap();
    std::fs::write(bob.file("name.tar.gz"), "new").unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();

    for receiver in ["here", "there", "there, in segments"] {
        let (folder, run): (_, Box<dyn Fn(&[&str]) -> transship_tests::Outcome>) = match receiver {
            "here" => (arrivals.clone(), Box::new(|options| alice.run([&["--json", "get", "bob:name.tar.gz", arrivals.to_str().unwrap()], options].concat()))),
            "there" => (bob.file("in"), Box::new(|options| alice.run([&["--json", "put", source.to_str().unwrap(), "bob:in/"], options].concat()))),
            _ => (bob.file("in"), Box::new(|options| alice.run_with_input([&["--json", "put", "-", "bob:in/name.tar.gz"], options].concat(), b"new"))),
        };
        std::fs::create_dir_all(&folder).unwrap();
        for name in entries(&folder) {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
        let target = folder.join("name.tar.gz");
        std::fs::write(&target, "old and longer").unwrap();

        for options in [&[][..], &["--on-conflict", "fail"]] {
            let said = check(run(options), 7, "conflict", &["name.tar.gz"]);
            assert!(said["hint"].as_str().unwrap().contains("--on-conflict"), "{said}");
        }
        assert_eq!((read(&target).as_str(), entries(&folder)), ("old and longer", vec!["name.tar.gz".to_owned()]), "{receiver}");

        let done = run(&["--on-conflict", "skip"]).ok().json().pop().unwrap();
        assert_eq!((&done["event"], read(&target).as_str()), (&"done".into(), "old and longer"), "{receiver}");
        assert_eq!(done["skipped"], true, "{done}");

        for number in 1..=2 {
            let done = run(&["--on-conflict", "rename"]).ok().json().pop().unwrap();
            let name = format!("name.tar ({number}).gz");
            assert!(done["place"].as_str().unwrap().ends_with(&name), "{done}");
            assert_eq!(read(&folder.join(&name)), "new");
        }
        assert_eq!(read(&target), "old and longer");

        run(&["--on-conflict", "overwrite"]).ok();
        assert_eq!(read(&target), "new", "{receiver}: nothing of the longer one is left");
        assert_eq!(entries(&folder), ["name.tar (1).gz", "name.tar (2).gz", "name.tar.gz"], "{receiver}");
    }
}
