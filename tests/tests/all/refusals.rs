//! What can't be done is refused: with an error that programs know by its name, an exit code, and words that say what happened to what and what to do next. And nothing is left behind by it.
//!
//! Here: nodes, rights, tickets, homes and settings. Files and their names: `refused_files`.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use transship_tests::refusal::{check, entries, refused, something, trusted};
use transship_tests::{Home, differ, introduce, pair, random_file};

#[test]
fn a_node_that_nobody_introduced_is_unknown() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    let file = something(&alice);
    for arguments in [&["list", "carol"][..], &["get", "carol:x"], &["put", &file, "carol:"], &["message", "carol@main:puppet:test", "{}"]] {
        let said = refused(&alice, arguments, 3, "unknown-node", &["carol"]);
        assert!(said["hint"].as_str().unwrap().contains("transship peer"), "{said}");
    }
    alice.run_with_input(["put", "-", "carol:x"], b"content").code(3).says("carol");
    refused(&alice, &["peer", "remove", "carol"], 3, "not-found", &["carol"]);
}

#[test]
fn a_node_that_does_not_run_is_offline() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let _serving = alice.serve();
    introduce((&alice, None, ""), (&bob, None, ""));
    let file = something(&alice);
    for arguments in [&["list", "bob"][..], &["get", "bob:x"], &["put", &file, "bob:"], &["message", "bob@main:puppet:test", "{}"]] {
        refused(&alice, arguments, 5, "offline", &["bob"]);
    }
    alice.run_with_input(["put", "-", "bob:x"], b"content").code(5).says("bob");
    assert_eq!(entries(&alice.scratch()), ["something"]);
}

#[test]
fn another_key_at_a_nodes_address_is_not_believed() {
    let (alice, bob, mallory) = (Home::new("alice"), Home::new("bob"), Home::new("mallory"));
    let (_alice_serves, mallory_serves) = (alice.serve(), mallory.serve());
    introduce((&alice, None, "list,read,write"), (&mallory, Some(&mallory_serves), "list,read,write"));
    alice.run(["peer", "remove", "mallory"]).ok();
    // The name and the key are bob's, and mallory answers there.
    let key = bob.run(["--json", "id"]).ok().json()[0]["key"].as_str().unwrap().to_owned();
    alice.run(["peer", "add", &format!("bob@{}#{key}", mallory_serves.address())]).ok();
    std::fs::write(mallory.file("x"), "bait").unwrap();
    let file = something(&alice);
    for arguments in [&["list", "bob"][..], &["get", "bob:x"], &["put", &file, "bob:"]] {
        refused(&alice, arguments, 4, "denied", &["bob", "key", &key]);
    }
    assert_eq!(entries(&alice.scratch()), ["something"]);
    assert_eq!(mallory.names(), ["x"]);
}

#[test]
fn a_node_that_does_not_know_us_says_so() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let (_alice_serves, bob_serves) = (alice.serve(), bob.serve());
    introduce((&alice, None, ""), (&bob, Some(&bob_serves), "list,read,write"));
    bob.run(["peer", "remove", "alice"]).ok();
    std::fs::write(bob.file("x"), "content").unwrap();
    let file = something(&alice);
    for arguments in [&["list", "bob"][..], &["get", "bob:x"], &["put", &file, "bob:"]] {
        refused(&alice, arguments, 4, "denied", &["bob", "ticket"]);
    }
    assert_eq!((entries(&alice.scratch()), bob.names()), (vec!["something".to_owned()], vec!["x".to_owned()]));
}

#[test]
fn what_was_not_allowed_is_denied_and_what_was_is_not() {
    let bob = Home::new("bob");
    let bob_serves = bob.serve();
    std::fs::write(bob.file("x"), "content").unwrap();
    for (name, allowed) in [("nothing", ""), ("lister", "list"), ("reader", "read"), ("writer", "write")] {
        let home = Home::new(name);
        introduce((&home, None, ""), (&bob, Some(&bob_serves), ""));
        if !allowed.is_empty() {
            let ticket = home.run(["ticket", "--host", "127.0.0.1"]).ok().stdout;
            bob.run(["peer", "add", ticket.trim(), "--allow", &format!("files={allowed}")]).ok();
        }
        let _serving = home.serve();
        let file = something(&home);
        for (right, arguments) in [("list", &["list", "bob"][..]), ("read", &["get", "bob:x", "arrived"]), ("write", &["put", &file, "bob:new"])] {
            if right == allowed {
                home.run(arguments).ok();
            } else {
                refused(&home, arguments, 4, "denied", &[right]);
            }
        }
        let segments = home.run_with_input(["--json", "put", "-", "bob:segments"], b"content");
        if allowed == "write" {
            drop(segments.ok())
        } else {
            drop(check(segments, 4, "denied", &["write"]))
        }
        let left = if allowed == "read" { &["arrived", "something"][..] } else { &["something"] };
        assert_eq!(entries(&home.scratch()), left);
        if allowed != "write" {
            assert_eq!(bob.names(), ["x"], "{name} left something");
        }
    }
    assert_eq!(bob.names(), ["new", "segments", "x"]);
}

#[test]
fn a_peer_can_not_tell_what_it_may_not_read_from_what_is_not_there() {
    let ((alice, _alice), (bob, _bob)) = pair("", "list");
    std::fs::write(bob.file("x"), "content").unwrap();
    let there = refused(&alice, &["get", "bob:x"], 4, "denied", &["read"]);
    let not_there = refused(&alice, &["get", "bob:y"], 4, "denied", &["read"]);
    assert_eq!(there["message"].as_str().unwrap().replace('x', "y"), not_there["message"].as_str().unwrap().replace('x', "y"));
}

#[test]
<<<<<<< HEAD
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
    check(segments, 8, "no-space", &[DRIVE, "1500000"]);
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

#[test]
=======
>>>>>>> tests
fn a_malformed_ticket_is_told_which_part_is_wrong() {
    let alice = Home::new("alice");
    let key = alice.run(["--json", "id"]).ok().json()[0]["key"].as_str().unwrap().to_owned();
    for (ticket, wrong) in [
        (String::new(), "no name"),
        ("bob".into(), "no name"),
        (format!("bob@#{key}"), "port"),
        ("bob@192.0.2.7:7000".into(), "no key"),
        (format!("bob@192.0.2.7#{key}"), "no port"),
        (format!("bob@192.0.2.7:0#{key}"), "port"),
        (format!("bob@192.0.2.7:65536#{key}"), "port"),
        (format!("bob@2001:db8::1:7000#{key}"), "host"),
        (format!("BOB@192.0.2.7:7000#{key}"), "name"),
        (format!("bob@192.0.2.7:7000#{}", &key[1..]), "too short"),
        (format!("bob@192.0.2.7:7000#{key}a"), "too long"),
        (format!("bob@192.0.2.7:7000#{}!", &key[1..]), "key"),
        (format!("bob\u{1b}[2J@192.0.2.7:7000#{key}"), "name"),
    ] {
        let said = alice.run(["peer", "add", &ticket]).code(2).says(wrong).says("name@host:port#key").stderr;
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
    assert!(alice.run(["--json", "peer", "list"]).ok().stdout.is_empty());
}

#[test]
fn a_peer_entry_that_would_mislead_is_refused() {
    let (alice, bob, carol) = (Home::new("alice"), Home::new("bob"), Home::new("carol"));
    let ticket = |home: &Home| home.run(["ticket", "--host", "192.0.2.7"]).ok().stdout.trim().to_owned();
    let (own, bobs, carols) = (ticket(&alice), ticket(&bob), ticket(&carol));
    for serves in [false, true] {
        let _serving = serves.then(|| alice.serve());
        alice.run(["peer", "add", &own]).says("this node itself").says("error: ");
        alice.run(["peer", "add", &bobs, "--name", "alice"]).says("alice").says("another name");
        alice.run(["peer", "add", &bobs]).ok();
        // The name of one with the key of another, and one key under two names.
        alice.run(["peer", "add", &carols, "--name", "bob"]).code(7).says("bob");
        alice.run(["peer", "add", &bobs, "--name", "robert"]).code(7).says("bob");
        alice.run(["peer", "add", &carols, "--allow", "files"]).code(2).says("DRIVE=");
        alice.run(["peer", "add", &carols, "--allow", "files=everything"]).code(2).says("everything");
        alice.run(["peer", "add", &carols, "--allow", "../files=read"]).code(2).says("../files");
        let names: Vec<String> = alice.run(["--json", "peer", "list"]).ok().json().iter().map(|peer| peer["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["bob"]);
        alice.run(["peer", "remove", "bob"]).ok();
        alice.run(["peer", "remove", "bob"]).code(3).says("bob");
    }
}

#[test]
fn a_folder_without_a_node_is_named_by_every_command() {
    let alice = Home::new("alice");
    let empty = alice.scratch();
    let file = something(&alice);
    let ticket = alice.run(["ticket", "--host", "192.0.2.7"]).ok().stdout.trim().to_owned();
    for arguments in [
        &["id"][..],
        &["serve", "--listen", "127.0.0.1:0"],
        &["ticket"],
        &["peer", "add", &ticket],
        &["peer", "list"],
        &["peer", "remove", "bob"],
        &["list"],
        &["list", "bob"],
        &["get", "bob:x"],
        &["put", &file, "bob:"],
        &["transfers"],
        &["cancel", "x"],
        &["ps"],
        &["kill", "a:b:c"],
        &["message", "a:b:c", "{}"],
        &["log"],
    ] {
        let arguments = [arguments, &["--home", empty.to_str().unwrap()]].concat();
        let said = refused(&alice, &arguments, 3, "not-found", &[empty.to_str().unwrap()]);
        assert!(said["hint"].as_str().unwrap().contains("transship init"), "{said}");
    }
    assert_eq!(entries(&empty), ["something"], "nothing is made there");
}

#[test]
fn commands_that_need_a_running_node_say_how_to_start_it() {
    let alice = Home::new("alice");
    for arguments in [&["ps"][..], &["kill", "a:b:c"], &["transfers"], &["cancel", "x"]] {
        let said = refused(&alice, arguments, 3, "not-found", &[]);
        assert!(said["hint"].as_str().unwrap().contains("transship serve"), "{said}");
    }
}

#[test]
fn what_does_not_run_can_not_be_ended() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    refused(&alice, &["cancel", "no-such-transfer"], 3, "unknown-transfer", &["no-such-transfer"]);
    refused(&alice, &["kill", "nobody:puppet:test"], 3, "not-found", &["nobody:puppet:test"]);
    refused(&alice, &["message", "nobody:puppet:test", "{}"], 3, "no-such-process", &["nobody:puppet:test"]);
}

#[test]
fn a_home_is_made_once() {
    let alice = Home::new("alice");
    let before = alice.run(["id"]).ok().stdout;
    let said = refused(&alice, &["init", "--name", "other"], 7, "conflict", &["alice", alice.path().to_str().unwrap()]);
    assert!(said["hint"].as_str().unwrap().contains("--home"), "{said}");
    assert_eq!(alice.run(["id"]).ok().stdout, before);
    for name in ["", "Alice", "a b", "../x", "-x", &"x".repeat(65)] {
        let folder = alice.scratch().join("new");
        alice.run(["init", &format!("--name={name}"), "--home", folder.to_str().unwrap()]).code(2).says("is not a name");
        assert!(!folder.exists(), "{name:?}");
    }
}

#[test]
fn a_home_is_served_once() {
    let alice = Home::new("alice");
    let serving = alice.serve();
    refused(&alice, &["serve", "--listen", "127.0.0.1:0"], 7, "conflict", &[alice.path().to_str().unwrap()]);
    // The first is not harmed, and after it another may.
    alice.run(["list"]).ok();
    serving.kill9();
    let _again = alice.serve();
    alice.run(["list"]).ok();
}

#[test]
fn two_nodes_can_not_listen_on_one_port() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let serving = alice.serve();
    let address = serving.address().to_string();
    let said = refused(&bob, &["serve", "--listen", &address], 7, "conflict", &[&address]);
    assert!(said["hint"].as_str().unwrap().contains("--listen"), "{said}");
    alice.run(["list"]).ok();
}

#[test]
fn settings_that_make_no_sense_stop_the_node_and_are_named_with_their_place() {
    let alice = Home::new("alice");
    let path = alice.path().join("node.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    for (text, words) in [
        ("nonsense", "node.toml"),
        ("lisen = \"127.0.0.1:0\"", "lisen"),
        ("listen = \"somewhere\"", "listen"),
        ("[limits]\nbusy = \"often\"", "limits"),
        ("[limits]\nbuzy = 3", "buzy"),
        ("[drives.\"a:b/c\"]\nquota = 5", "quota"),
    ] {
        std::fs::write(&path, text).unwrap();
        let outcome = alice.run(["serve", "--listen", "127.0.0.1:0"]).says(words).says("error: ");
        assert_ne!(outcome.code, Some(0), "{text}");
    }
    std::fs::write(&path, good).unwrap();
    let peers = alice.path().join("peers.toml");
    std::fs::write(&peers, "[peer.bob]\nkey = \"x\"\n").unwrap();
    let outcome = alice.run(["peer", "list"]).says("peers.toml");
    assert_ne!(outcome.code, Some(0));
    std::fs::remove_file(&peers).unwrap();
    std::fs::set_permissions(alice.path().join("identity.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    refused_identity(&alice);
}

fn refused_identity(alice: &Home) {
    let outcome = alice.run(["serve", "--listen", "127.0.0.1:0"]).code(4).says("identity.key").says("chmod 600");
    assert!(!outcome.stderr.contains("PRIVATE"), "{}", outcome.stderr);
}

#[test]
fn what_is_wrong_on_this_machine_is_found_before_another_is_troubled() {
    // Bob is offline: whoever asked him would say so.
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    introduce((&alice, None, ""), (&bob, None, ""));
    let missing = alice.scratch().join("missing");
    let said = refused(&alice, &["get", "bob:x", &format!("{}/", missing.display())], 3, "not-found", &["missing"]);
    assert!(said["hint"].as_str().unwrap().contains("mkdir"), "{said}");
    refused(&alice, &["get", "bob:x", missing.join("file").to_str().unwrap()], 3, "not-found", &["missing"]);
    alice.run(["put", missing.to_str().unwrap(), "bob:"]).code(3).says("missing");
    alice.run_with_input(["put", "-", "bob:"], b"").code(2).says("name");
    assert!(!missing.exists());
}

#[test]
fn a_node_fetches_from_itself_as_from_another() {
    let alice = Home::new("alice");
    let _serving = alice.serve();
    random_file(&alice.file("x"), 3 << 20);
    let target = alice.scratch().join("arrived");
    alice.run(["get", "alice:x", "arrived"]).ok();
    assert_eq!(differ(&alice.file("x"), &target), None);
    alice.run(["put", "arrived", "alice:in/y"]).ok();
    assert_eq!(differ(&alice.file("in/y"), &target), None);
    refused(&alice, &["get", "alice:missing", "other"], 3, "not-found", &["missing"]);
    refused(&alice, &["put", "arrived", "alice:x"], 7, "conflict", &["x"]);
    assert_eq!((entries(&alice.scratch()), alice.names()), (vec!["arrived".to_owned()], vec!["in".to_owned(), "x".to_owned()]));
    alice.settled();
}

#[test]
fn who_reads_no_further_is_no_failure() {
    let ((alice, _alice), (bob, _bob)) = trusted();
    random_file(&bob.file("large"), 20 << 20);
    let mut child = alice.command(["get", "bob:large", "-"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One byte of it is enough, as for `head -c 1`.
    let mut stdout = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut stdout, &mut [0]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("error"), "{}", String::from_utf8_lossy(&output.stderr));
    let left: Vec<String> = entries(&alice.path().join("cache")).into_iter().filter(|name| name.starts_with("get-")).collect();
    assert!(left.is_empty(), "{left:?}");
}
