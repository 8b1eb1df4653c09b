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
