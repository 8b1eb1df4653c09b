//! What a transfer leaves: the permissions of what arrived, and what is kept when it could not end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use transship_tests::transfer::{Wired, hidden_in, names_in, partial_in};
use transship_tests::{differ, eventually, pair, random_file};

const PART: u64 = 8 << 20;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_arrives_is_open_to_nobody_to_whom_the_source_was_not() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    for permissions in [0o600, 0o400, 0o640, 0o700, 0o755, 0o444] {
        fs::write(bob.file("file"), "secret").unwrap();
        fs::set_permissions(bob.file("file"), fs::Permissions::from_mode(permissions)).unwrap();
        alice.run(["get", "bob:file", "--on-conflict", "overwrite"]).ok();
        let got = alice.scratch().join("file");
        // What this process may not give to new files, nodes that it starts may not either.
        assert_eq!(mode(&got), permissions & 0o755, "got {permissions:o}");
        alice.run(["put", "file", "bob:back", "--on-conflict", "overwrite"]).ok();
        assert_eq!(mode(&bob.file("back")), permissions & 0o755, "put {permissions:o}");
        for file in [bob.file("file"), got, bob.file("back")] {
            fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn what_has_arrived_in_part_is_its_owners_alone() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    random_file(&bob.file("file"), 40 << 20);
    for (arguments, folder) in [(vec!["get", "bob:file"], alice.scratch()), (vec!["put", "file", "bob:back"], bob.files())] {
        proxy.hold_after(PART);
        let running = alice.start(&arguments);
        proxy.held();
        assert_eq!(mode(&partial_in(&folder)), 0o600);
        proxy.release();
        running.end().ok();
    }
    assert_eq!(mode(&bob.file("back")), mode(&bob.file("file")));
}

#[test]
fn a_name_that_is_taken_meanwhile_costs_nothing_that_has_arrived() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    // One that has a journal from its begin, and one that gets one because it is worth keeping.
    for size in [40 << 20, 12 << 20] {
        random_file(&bob.file("file"), size);
        for (arguments, folder, target) in [
            (vec!["get", "bob:file", "here"], alice.scratch(), alice.scratch().join("here")),
            (vec!["put", "here", "bob:there"], bob.files(), bob.file("there")),
        ] {
            proxy.hold_after(PART);
            let running = alice.start(&arguments);
            proxy.held();
            fs::write(&target, "quicker").unwrap();
            proxy.release();
            running.end().fails("conflict", 7);
            assert_eq!(fs::read_to_string(&target).unwrap(), "quicker");
            let outcome = alice.run_json([&arguments[..], &["--on-conflict", "overwrite"]].concat()).ok();
            assert_eq!(outcome.event("done")["resumed"], size, "all of it was there");
            assert_eq!(differ(&bob.file("file"), &target), None);
            assert_eq!(hidden_in(&folder), Vec::<String>::new());
        }
        for file in [alice.scratch().join("here"), bob.file("there")] {
            fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn a_folder_of_that_name_is_a_taken_name_to_those_who_rename_or_skip() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    fs::write(bob.file("file"), "content").unwrap();
    fs::create_dir(alice.scratch().join("dir")).unwrap();
    fs::create_dir_all(alice.scratch().join("dir/file")).unwrap();
    for policy in ["fail", "overwrite"] {
        alice.run_json(["get", "bob:file", "dir/", "--on-conflict", policy]).fails("not-a-file", 1);
    }
    let skipped = alice.run_json(["get", "bob:file", "dir/", "--on-conflict", "skip"]).ok();
    assert_eq!(skipped.event("done")["skipped"], true);
    alice.run(["get", "bob:file", "dir/", "--on-conflict", "rename"]).ok();
    assert_eq!(names_in(&alice.scratch().join("dir")), ["file", "file (1)"]);
    fs::create_dir(bob.file("taken")).unwrap();
    fs::write(alice.scratch().join("mine"), "content").unwrap();
    for policy in ["fail", "overwrite"] {
        alice.run_json(["put", "mine", "bob:taken", "--on-conflict", policy]).fails("not-a-file", 1);
    }
    alice.run(["put", "mine", "bob:taken", "--on-conflict", "skip"]).ok();
    alice.run(["put", "mine", "bob:taken", "--on-conflict", "rename"]).ok();
    assert_eq!(bob.names(), ["file", "taken", "taken (1)"]);
}

#[test]
fn a_right_that_is_taken_away_stops_what_runs_under_it() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    random_file(&bob.file("file"), 40 << 20);
    proxy.hold_after(PART);
    let mut running = alice.start(["get", "bob:file"]);
    running.midway();
    bob.knows(alice, transship_tests::transfer::NOWHERE.parse().unwrap(), "list");
    bob.settled();
    proxy.release();
    running.end().fails("interrupted", 130);
    alice.run_json(["get", "bob:file"]).fails("denied", 4);
}

#[test]
fn a_segmented_store_is_told_at_once_what_will_not_do() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    fs::write(bob.file("taken"), "old").unwrap();
    fs::write(alice.scratch().join("segment"), "first").unwrap();
    let manager = "bob@manager:file-transfer:transship";
    let store = |segment: serde_json::Value| {
        let answer = alice.run(["--json", "message", manager, &json!({ "store": segment }).to_string(), "--blob", "segment"]).ok();
        answer.json().last().unwrap()["body"].clone()
    };
    assert_eq!(store(json!({"number": 1, "name": "taken"})), json!({"error": {"conflict": "taken"}}));
    assert!(store(json!({"number": 1, "name": "../x"}))["error"]["invalid-name"].is_string());
    let skipped = store(json!({"number": 1, "name": "taken", "conflict": "skip"}));
    assert_eq!((&skipped["stored"]["state"], &skipped["stored"]["name"]), (&json!("stored"), &json!(null)), "{skipped}");
    let open = store(json!({"number": 1, "name": "new"}));
    assert_eq!(open["stored"]["state"], "open", "{open}");
    let cancelled = store(json!({"file-id": open["stored"]["file-id"], "number": 9, "result": "cancel"}));
    assert_eq!(cancelled["stored"]["state"], "cancelled", "whoever gives up needs not count: {cancelled}");
    eventually("nothing is left", || (bob.names() == ["taken"] && hidden_in(&bob.files()).is_empty()).then_some(()));
}

#[test]
fn standard_input_is_not_read_to_its_end_for_a_name_that_is_taken() {
    let ((alice, _a), (bob, _b)) = pair("", "list,read,write");
    fs::write(bob.file("taken"), "old").unwrap();
    // More than would be of use to anybody: only a command that gives up early comes to an end.
    let endless = |policy: &str| {
        let mut running = alice.command(["--json", "put", "-", "bob:taken", "--on-conflict", policy]);
        let zeros = fs::File::open("/dev/zero").unwrap();
        let output = running.stdin(zeros).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = endless("fail");
    assert_eq!(code, Some(7), "{said}");
    let (code, said) = endless("skip");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(r#""skipped":true"#), "{said}");
    assert_eq!(fs::read_to_string(bob.file("taken")).unwrap(), "old");
    eventually("nothing is left", || hidden_in(&bob.files()).is_empty().then_some(()));
}

#[test]
fn what_is_kept_of_a_transfer_that_was_stopped_is_shown_and_can_be_thrown_away() {
    let wired = Wired::new("", "list,read,write");
    let Wired { proxy, alice, bob, .. } = &wired;
    let serving = alice.serve();
    random_file(&alice.scratch().join("file"), 40 << 20);
    proxy.hold_after(PART);
    let running = alice.start(["put", "file", "bob:new/folder/file"]);
    proxy.held();
    serving.kill9();
    proxy.release();
    assert_ne!(running.end().code, Some(0));
    bob.settled();
    let shown = || bob.run(["--json", "transfers", "--stopped"]).ok().json();
    let stopped = shown();
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    let [node, name, state, done, total] = ["node", "name", "state", "bytes_done", "bytes_total"].map(|field| &stopped[0][field]);
    assert_eq!((node, name, state, total), (&json!("alice"), &json!("new/folder/file"), &json!("stopped"), &json!(40 << 20)));
    assert!(done.as_u64() > Some(0) && done.as_u64() < Some(40 << 20), "{done}");
    let id = stopped[0]["id"].as_str().unwrap();
    bob.run(["cancel", id, "--keep"]).ok();
    assert_eq!(shown(), stopped);
    bob.run(["cancel", &id[..6]]).ok();
    assert_eq!((shown(), bob.names()), (vec![], vec![]), "nor is a folder left that was made for it");
    bob.run_json(["cancel", id]).fails("unknown-transfer", 3);
}
