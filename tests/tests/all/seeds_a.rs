//! Listing and moving files between nodes: what is shown, what arrives, and what is told meanwhile. What goes wrong: `seeds_a_faults`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use transship_tests::transfer::{Wired, hidden_in, names_in};
use transship_tests::{Home, Outcome, Running, Serving, differ, introduce, pair, random_bytes, random_file};

const MANAGER: &str = "manager:file-transfer:transship";

/// What `list` shows: names and sizes.
fn listed(home: &Home, arguments: &[&str]) -> Vec<(String, u64)> {
    let lines = home.run_json([&["list"], arguments].concat()).ok().json();
    lines.iter().map(|line| (line["name"].as_str().unwrap().to_owned(), line["size"].as_u64().unwrap())).collect()
}

fn write(home: &Home, name: &str, content: &[u8]) {
    let path = home.file(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_list_has_names_as_one_would_ask_for_them_and_sizes_on_this_node_and_another() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read");
    write(&bob, "report.pdf", b"12345");
    write(&bob, "photos/2024/sea side.jpg", b"1234567");
    write(&bob, "empty", b"");
    // What is no regular file, and what is on its way, is not shown.
    fs::create_dir_all(bob.file("nothing in it")).unwrap();
    std::os::unix::fs::symlink("report.pdf", bob.file("link")).unwrap();
    write(&bob, ".transship-0123456789abcdef.partial", b"half");
    let expected = [("empty", 0), ("photos/2024/sea side.jpg", 7), ("report.pdf", 5)].map(|(name, size)| (name.to_owned(), size));
    assert_eq!(listed(&bob, &[]), expected);
    assert_eq!(listed(&alice, &["bob"]), expected);
    assert_eq!(listed(&alice, &["bob", "--prefix", "photos/"]), expected[1..2]);
    for (name, size) in &expected {
        let outcome = alice.run(["get", &format!("bob:{name}"), "-"]).ok();
        assert_eq!(outcome.bytes.len() as u64, *size, "{name}");
    }
    let all = alice.message(&format!("bob@{MANAGER}"), &json!("list-files"));
    let names: Vec<&str> = all["list-files"].as_array().unwrap_or_else(|| panic!("{all}")).iter().filter_map(|file| file["name"].as_str()).collect();
    assert_eq!(names, expected.each_ref().map(|(name, _)| name.as_str()));
}

#[test]
fn a_long_list_comes_complete_and_in_order() {
    let ((alice, _a), (bob, _b)) = pair("", "list");
    let expected: Vec<(String, u64)> = (0..2345).map(|number| (format!("d{}/file {number:05}", number / 1000), number % 7)).collect();
    for (name, size) in &expected {
        write(&bob, name, &vec![b'x'; usize::try_from(*size).unwrap()]);
    }
    assert_eq!(listed(&alice, &["bob"]), expected);
}

#[test]
fn a_file_goes_there_and_comes_back_the_same_and_its_workers_end() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let (file, back) = (alice.scratch().join("there"), alice.scratch().join("back"));
    random_file(&file, 3_333_333);
    let put = alice.run_json(["put", text(&file), "bob:in/a folder/"]).ok().event("done");
    assert_eq!((&put["place"], &put["size"], &put["resumed"]), (&json!("bob:in/a folder/there"), &json!(3_333_333), &json!(0)));
    assert_eq!(put["digest"], transship_tests::sha256_hex(&file));
    assert_eq!(differ(&file, &bob.file("in/a folder/there")), None);
    alice.run(["get", "bob:in/a folder/there", text(&back)]).ok();
    assert_eq!(differ(&file, &back), None);
    alice.settled();
    bob.settled();
    assert_eq!((hidden_in(&alice.scratch()), hidden_in(&bob.files())), (vec![], vec![]));
}

#[test]
fn fifty_transfers_at_once_end_correctly_and_their_workers_are_gone_afterwards() {
    let ((alice, _a), (bob, bob_serves)) = pair("", "list,read,write");
    let folder = alice.scratch().join("got");
    fs::create_dir_all(&folder).unwrap();
    for number in 0..25 {
        random_file(&bob.file(&format!("get {number}")), 100_000 + number * 10_007);
        random_file(&alice.scratch().join(format!("put {number}")), 100_000 + number * 20_011);
    }
    // Bob stands still until all fifty have begun, so that they really are at once.
    bob_serves.signal("STOP");
    let mut all: Vec<Running> = (0..25).map(|number| alice.start(["get", &format!("bob:get {number}"), text(&folder)])).collect();
    all.extend((0..25).map(|number| alice.start(["put", &format!("put {number}"), "bob:"])));
    for running in &mut all {
        running.started();
    }
    assert_eq!(alice.workers().len(), 50);
    bob_serves.signal("CONT");
    for running in all {
        running.end().ok();
    }
    for number in 0..25 {
        let (get, put) = (format!("get {number}"), format!("put {number}"));
        assert_eq!(differ(&bob.file(&get), &folder.join(&get)), None);
        assert_eq!(differ(&alice.scratch().join(&put), &bob.file(&put)), None);
    }
    alice.settled();
    bob.settled();
    assert_eq!((hidden_in(&folder), hidden_in(&bob.files())), (vec![], vec![]));
}

/// Checks what was said of a transfer from its start to its end.
fn check_progress(events: &[Value], size: u64, at_least: usize) {
    assert_eq!(events[0]["event"], "started");
    let id = &events[0]["id"];
    let progress: Vec<&Value> = events.iter().filter(|event| event["event"] == "progress").collect();
    let done: Vec<u64> = progress.iter().map(|event| event["bytes_done"].as_u64().unwrap()).collect();
    assert!(done.is_sorted(), "it went backwards: {done:?}");
    assert_eq!(done.first(), Some(&0), "it starts at nothing: {done:?}");
    let midway = done.iter().filter(|&&done| done > 0 && done < size).count();
    assert!(midway >= at_least, "little was said on the way: {done:?}");
    for event in &progress {
        assert_eq!(&event["id"], id);
        let (done, total) = (event["bytes_done"].as_u64().unwrap(), event["bytes_total"].as_u64());
        assert!(total.is_none_or(|total| total == size), "{event}");
        assert_eq!(event["percent"].as_u64(), total.map(|total| done * 100 / total), "{event}");
    }
    let (last, end) = (progress.last().unwrap(), events.last().unwrap());
    assert_eq!((&last["state"], &last["bytes_done"], &last["percent"]), (&json!("done"), &json!(size), &json!(100)));
    assert_eq!((&end["event"], &end["size"], &end["id"]), (&json!("done"), &json!(size), id));
}

#[test]
fn progress_is_exact_from_nothing_to_all_for_the_one_who_gets_and_the_one_who_puts() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let size = 16_345_678;
    random_file(&bob.file("file"), size);
    // Small chunks one by one take their time; whoever sends hears of it a few times a second.
    for (arguments, midway) in [(["get", "bob:file", "back"], 2), (["put", "back", "bob:there"], 1)] {
        let mut running = alice.start([&arguments[..], &["--chunk-size", "1k", "--window", "1", "--streams", "1"]].concat());
        let events: Vec<Value> = std::iter::from_fn(|| running.next_line()).collect();
        running.end().ok();
        check_progress(&events, size, midway);
    }
    assert_eq!(differ(&bob.file("file"), &bob.file("there")), None);
}

#[test]
fn a_missing_file_is_an_error_at_once_and_leaves_nothing() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    let folder = alice.scratch().join("folder");
    fs::create_dir_all(&folder).unwrap();
    // Whoever waited for something to come after all would wait longer than a command of a test may run.
    let get = |name: &str| alice.run_json(["get", name, text(&folder), "--timeout", "1h"]).fails("not-found", 3);
    let outcome = get("bob:not there");
    assert!(outcome.stderr.contains("bob has no file 'not there'"), "{}", outcome.stderr);
    get("bob:no/such/folder");
    alice.run_json(["put", "not there", "bob:", "--timeout", "1h"]).fails("not-found", 3);
    assert_eq!((names_in(&folder), bob.names()), (vec![], vec![]));
    alice.settled();
    bob.settled();
}

#[test]
fn an_empty_file_completes() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    write(&bob, "nothing", b"");
    for arguments in [["get", "bob:nothing", "nothing"], ["put", "nothing", "bob:again"]] {
        let done = alice.run_json(arguments).ok().event("done");
        // FIPS 180-4 of the empty message.
        assert_eq!((&done["size"], &done["digest"]), (&json!(0), &json!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    }
    assert_eq!(fs::metadata(alice.scratch().join("nothing")).unwrap().len(), 0);
    assert_eq!(fs::metadata(bob.file("again")).unwrap().len(), 0);
}

#[test]
fn every_byte_comes_to_its_place_whatever_the_size_of_the_chunks() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for (size, chunk) in [(300, "1"), (1_001, "3"), (4_096, "4096"), (1_000_001, "4k"), (5_000_017, "1000003"), (1_000_003, "1000003"), (20_000_000, "16M")] {
        let file = bob.file("file");
        random_file(&file, size);
        for digest in ["sha256", "blake3"] {
            let options = ["--chunk-size", chunk, "--digest", digest, "--on-conflict", "overwrite"];
            alice.run([&["get", "bob:file", "file"], &options[..]].concat()).ok();
            assert_eq!(differ(&file, &alice.scratch().join("file")), None, "{size} bytes in chunks of {chunk}");
            alice.run([&["put", "file", "bob:back"], &options[..]].concat()).ok();
            assert_eq!(differ(&file, &bob.file("back")), None, "{size} bytes in chunks of {chunk}");
        }
    }
}

#[test]
fn a_shorter_new_file_leaves_no_tail_of_the_old_one() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    write(&bob, "file", b"short");
    let here = alice.scratch().join("file");
    random_file(&here, 3_000_000);
    alice.run(["get", "bob:file", "file", "--on-conflict", "overwrite"]).ok();
    assert_eq!(fs::read(&here).unwrap(), b"short");
    random_file(&bob.file("file"), 3_000_000);
    alice.run(["put", "file", "bob:file", "--on-conflict", "overwrite"]).ok();
    assert_eq!(fs::read(bob.file("file")).unwrap(), b"short");
}

/// Starts five transfers of one file at once.
fn five(alice: &Home, bob_serves: &Serving, arguments: impl Fn(usize) -> Vec<String>) -> Vec<Outcome> {
    bob_serves.signal("STOP");
    let mut all: Vec<Running> = (0..5).map(|number| alice.start(arguments(number))).collect();
    all.iter_mut().for_each(|running| drop(running.started()));
    bob_serves.signal("CONT");
    all.into_iter().map(Running::end).collect()
}

#[test]
fn one_file_moves_in_several_transfers_at_once_into_different_places_and_into_one() {
    let ((alice, _a), (bob, bob_serves)) = pair("", "list,read,write");
    random_file(&bob.file("file"), 2_500_000);
    let identical = |path: &Path| assert_eq!(differ(&bob.file("file"), path), None);
    let get = |place: String, policy: &str| ["get", "bob:file", &place, "--on-conflict", policy].map(str::to_owned).to_vec();

    for (number, outcome) in five(&alice, &bob_serves, |number| get(format!("own {number}"), "fail")).into_iter().enumerate() {
        outcome.ok();
        identical(&alice.scratch().join(format!("own {number}")));
    }

    let policies = [("rename", 5), ("overwrite", 1), ("skip", 1), ("fail", 1)];
    for (policy, files) in policies {
        let folder = alice.scratch().join(policy);
        fs::create_dir_all(&folder).unwrap();
        let codes: Vec<Option<i32>> = five(&alice, &bob_serves, |_| get(format!("{policy}/file"), policy)).iter().map(|outcome| outcome.code).collect();
        let well = codes.iter().filter(|code| **code == Some(0)).count();
        let conflicts = codes.iter().filter(|code| **code == Some(7)).count();
        assert_eq!((well, conflicts), if policy == "fail" { (1, 4) } else { (5, 0) }, "{policy}: {codes:?}");
        let names = names_in(&folder);
        assert_eq!(names.len(), files, "{policy}: {names:?}");
        names.iter().for_each(|name| identical(&folder.join(name)));
    }

    // And the other way: into one place on bob.
    for (number, outcome) in
        five(&alice, &bob_serves, |_| ["put", "own 0", "bob:in/file", "--on-conflict", "rename"].map(str::to_owned).to_vec()).into_iter().enumerate()
    {
        let place = outcome.ok().event("done")["name"].as_str().unwrap().to_owned();
        assert!(place.starts_with("in/file"), "{number}: {place}");
    }
    let names = names_in(&bob.file("in"));
    assert_eq!(names, ["file", "file (1)", "file (2)", "file (3)", "file (4)"]);
    names.iter().for_each(|name| identical(&bob.file("in").join(name)));
}

#[test]
fn the_conflict_policy_is_obeyed_before_a_byte_moves() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    let (new, old) = (random_bytes(1 << 20, 1), random_bytes(1 << 20, 2));
    write(bob, "file.txt", &new);
    fs::write(alice.scratch().join("file.txt"), &old).unwrap();
    alice.run(["list", "bob"]).ok();
    // What is said about it is far less than this, and the file far more.
    let nothing_moves = |arguments: &[&str]| {
        let before = proxy.forwarded();
        let outcome = alice.run_json(arguments);
        let moved = proxy.forwarded() - before;
        assert!(moved < 100_000, "{moved} bytes passed for {arguments:?}");
        outcome
    };
    for command in [["get", "bob:file.txt"], ["put", "file.txt"]] {
        let command = [&command[..], if command[0] == "put" { &["bob:"] } else { &[] }].concat();
        nothing_moves(&command).fails("conflict", 7).says("--on-conflict");
        let skipped = nothing_moves(&[&command[..], &["--on-conflict", "skip"]].concat()).ok().event("done");
        assert_eq!(skipped["skipped"], true);
        assert_eq!((fs::read(alice.scratch().join("file.txt")).unwrap() == old, fs::read(bob.file("file.txt")).unwrap() == new), (true, true));
        let renamed = alice.run_json([&command[..], &["--on-conflict", "rename"]].concat()).ok().event("done");
        assert_eq!(renamed["place"], if command[0] == "put" { "bob:file (1).txt" } else { "file (1).txt" });
    }
    assert_eq!((fs::read(alice.scratch().join("file (1).txt")).unwrap() == new, fs::read(bob.file("file (1).txt")).unwrap() == old), (true, true));
}

#[test]
fn three_nodes_on_one_machine_pass_a_file_on() {
    let ((alice, a), (bob, b)) = pair("list,read", "list,read,write");
    let carol = Home::new("carol");
    let c = carol.serve();
    introduce((&carol, Some(&c), ""), (&bob, Some(&b), "list,read"));
    introduce((&carol, Some(&c), ""), (&alice, Some(&a), ""));
    let content = random_bytes(700_000, 1);
    fs::write(alice.scratch().join("letter"), &content).unwrap();
    alice.run(["put", "letter", "bob:"]).ok();
    assert_eq!(carol.run(["get", "bob:letter", "-"]).ok().bytes, content);
    carol.run_json(["get", "alice:letter", "-"]).code(2);
    carol.run(["get", "alice:letter", "-"]).code(4);
}
