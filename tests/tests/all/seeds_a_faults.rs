//! Transfers between nodes of which one is hostile, dead, silent or slow: who may command what, whose word counts, and what is left.

use std::fs;

use serde_json::{Value, json};
use transship_tests::machine::{forget_peak, memory, stands_still};
use transship_tests::package::{install_puppet, tell};
use transship_tests::transfer::{LONG, MIDWAY, NOWHERE, Wired, names_in, safe_on_disk};
use transship_tests::{Home, Proxy, Serving, differ, introduce, random_file, sparse_file};

const MANAGER: &str = "manager:file-transfer:transship";

fn write(home: &Home, name: &str, content: &[u8]) {
    let path = home.file(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Two nodes that allow each other everything; alice has a process that says what a test wants.
fn puppeteers() -> ((Home, Serving), (Home, Serving)) {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    install_puppet(&alice);
    install_puppet(&bob);
    let (a, b) = (alice.serve(), bob.serve());
    introduce((&alice, Some(&a), "list,read,write"), (&bob, Some(&b), "list,read,write"));
    ((alice, a), (bob, b))
}

fn ask(home: &Home, target: &str, body: &Value) -> Value {
    tell(home, "main", &json!({"ask": {"target": target, "body": body, "timeout": 60000}}))
}

#[test]
fn a_node_can_not_be_commanded_from_outside() {
    let ((alice, _a), (bob, _b)) = puppeteers();
    write(&alice, "bait", b"bait");
    write(&bob, "secret", b"secret");
    let commands = [
        json!({"get": {"node": "alice", "name": "bait", "to": {}}}),
        json!({"put": {"node": "alice", "name": "secret", "from": {"name": "secret"}}}),
        json!({"cancel": {"id": "00000000", "keep": false}}),
        json!("transfers"),
        json!({"list-page": {"node": "alice"}}),
    ];
    for command in &commands {
        let answer = ask(&alice, &format!("bob@{MANAGER}"), command);
        assert!(answer["ok"]["error"]["denied"].is_string(), "{command}: {answer}");
    }
    assert_eq!((alice.names(), bob.names()), (vec!["bait".to_owned()], vec!["secret".to_owned()]));
    assert_eq!(bob.workers(), Vec::<String>::new());
    // Nor by any package of the node itself that its owner did not grant that; by the owner it can be.
    for command in &commands {
        let answer = ask(&bob, &format!("bob@{MANAGER}"), command);
        assert!(answer["ok"]["error"]["denied"].is_string(), "{command}: {answer}");
    }
    assert_eq!(bob.message(&format!("bob@{MANAGER}"), &commands[3]), json!({"transfers": []}));
}

/// The address of a process as a record.
fn address(node: &str, process: &str) -> Value {
    let parts: Vec<&str> = process.split(':').collect();
    json!({"node": node, "process": {"process-name": parts[0], "package-name": parts[1], "publisher-node": parts[2]}})
}

#[test]
fn names_are_checked_also_when_no_command_of_ours_asks() {
    let ((alice, _a), (bob, _b)) = puppeteers();
    fs::write(bob.path().join("outside"), b"secret").unwrap();
    write(&bob, ".transship-0123456789abcdef.partial", b"half");
    let long = "x".repeat(256);
    let names = [
        ("", "invalid-name"),
        ("../../../outside", "invalid-name"),
        ("a/../../outside", "invalid-name"),
        ("/etc/passwd", "invalid-name"),
        ("a//b", "invalid-name"),
        ("a\nb", "invalid-name"),
        ("a\\b", "invalid-name"),
        (".transship-0123456789abcdef.partial", "invalid-name"),
        (&long, "name-too-long"),
    ];
    for (name, error) in names {
        let target = address("alice", "main:puppet:test");
        for kind in ["download", "upload"] {
            let mut asked = json!({"name": name, "target": target, "is-requestor": false});
            if kind == "upload" {
                asked["size"] = json!(1);
            }
            let answer = ask(&alice, &format!("bob@{MANAGER}"), &json!({ kind: asked }));
            let found = [&answer["ok"][kind]["err"], &answer["ok"]["error"]].into_iter().any(|found| found[error].is_string());
            assert!(found, "{kind} {name:?}: {answer}");
        }
    }
    assert_eq!(bob.workers(), Vec::<String>::new());
    assert_eq!(bob.names(), [".transship-0123456789abcdef.partial"]);
}

#[test]
fn a_stranger_s_messages_to_the_workers_of_a_transfer_are_ignored() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    install_puppet(&alice);
    install_puppet(&bob);
    let (_alice_serves, bob_serves) = (alice.serve(), bob.serve());
    let proxy = Proxy::to(bob_serves.address());
    alice.knows(&bob, proxy.address(), "list,read,write");
    bob.knows(&alice, NOWHERE.parse().unwrap(), "list,read,write");
    let size = 8 << 20;
    random_file(&bob.file("file"), size);
    // Chunks are held on the connections of their own, and what is said passes.
    proxy.hold_each_after(256 << 10);
    let running = alice.start(["get", "bob:file"]);
    proxy.held();
    let workers = [("alice", alice.workers()), ("bob", bob.workers())].map(|(node, workers)| format!("{node}@{}", workers[0]));
    let summary = json!({"name": "file", "size": 1, "algorithm": "sha256", "digest": "00", "resumed": 0, "skipped": false, "elapsed": 1});
    let lies = [
        json!({"size": {"name": "file", "size": 1, "modified": 1, "permissions": 420, "digest": "00", "max-chunk": 1}}),
        json!({"digest": {"algorithm": "sha256", "digest": "00", "size": size, "modified": 1}}),
        json!({"chunk": {"name": "file", "offset": 0, "length": 1000}}),
        json!({"failed": {"not-found": "file"}}),
        json!({"finished": {"err": {"cancelled": "by nobody"}}}),
        json!({"finished": {"ok": summary}}),
        json!({"cancel": false}),
    ];
    for lie in &lies {
        for (liar, target) in [(&alice, &workers[0]), (&alice, &workers[1]), (&bob, &workers[0]), (&bob, &workers[1])] {
            let answer = ask(liar, target, lie);
            assert!(answer["ok"]["error"]["denied"].is_string(), "{lie} to {target}: {answer}");
        }
    }
    assert_eq!((alice.workers().len(), bob.workers().len()), (1, 1), "a lie ended the transfer");
    proxy.release();
    running.end().ok();
    assert_eq!(differ(&bob.file("file"), &alice.scratch().join("file")), None);
}

#[test]
fn the_provider_s_errors_reach_whoever_asked() {
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    fs::create_dir_all(bob.file("folder")).unwrap();
    alice.run_json(["get", "bob:folder"]).fails("not-a-file", 1);
    random_file(&bob.file("file"), LONG);
    alice.run_json(["put", "/etc/passwd", "bob:passwd"]).fails("denied", 4);
    // A file that becomes shorter while it is sent.
    proxy.hold_after(MIDWAY);
    let mut running = alice.start(["get", "bob:file"]);
    running.midway();
    fs::File::options().write(true).open(bob.file("file")).unwrap().set_len(1 << 20).unwrap();
    proxy.release();
    running.end().fails("changed", 6);
    alice.settled();
    bob.settled();
    assert_eq!(names_in(&alice.scratch()), Vec::<String>::new());
}

#[test]
fn a_dead_peer_ends_the_worker_on_either_side() {
    let mut wired = Wired::new("", "list,read");
    let serving = wired.alice.serve();
    random_file(&wired.bob.file("file"), 20 << 20);
    // The provider dies.
    wired.proxy.hold_after(MIDWAY);
    let mut running = wired.alice.start(["get", "bob:file"]);
    running.midway();
    wired.bob_dies();
    running.end().fails("offline", 5);
    wired.alice.settled();
    let names = names_in(&wired.alice.scratch());
    assert!(names.iter().all(|name| name.starts_with(".transship-")), "{names:?}");
    // The receiver dies.
    wired.bob_is_back();
    wired.proxy.hold_after(MIDWAY);
    let mut running = wired.alice.start(["get", "bob:file"]);
    running.midway();
    assert_eq!(wired.bob.workers().len(), 1);
    serving.kill9();
    wired.proxy.release();
    assert_ne!(running.end().code, Some(0));
    wired.bob.settled();
}

#[test]
fn a_peer_that_says_nothing_ends_the_transfer_in_time_and_what_arrived_is_kept() {
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, .. } = &wired;
    let _serving = alice.serve();
    random_file(&bob.file("file"), 20 << 20);
    proxy.hold_after(MIDWAY);
    let mut running = alice.start(["get", "bob:file", "--timeout", "6s", "--retries", "1"]);
    let done = running.midway();
    running.end().fails("timed-out", 5);
    safe_on_disk(&alice.scratch(), done);
    proxy.release();
    alice.run(["get", "bob:file"]).ok();
    assert_eq!(differ(&bob.file("file"), &alice.scratch().join("file")), None);
}

#[test]
fn a_slow_receiver_does_not_fill_the_sender_s_memory() {
    let wired = Wired::new("", "list,read");
    let Wired { proxy, alice, bob, bob_serves } = &wired;
    let (alice_serves, bob_serves) = (alice.serve(), bob_serves.as_ref().unwrap());
    sparse_file(&bob.file("file"), 1 << 30);
    forget_peak(bob_serves.pid());
    let before = memory(bob_serves.pid(), "VmRSS");
    // Midway, and far from the end.
    proxy.hold_after(200 << 20);
    let running = alice.start(["get", "bob:file", "--window", "1024", "--chunk-size", "16M", "--streams", "8"]);
    proxy.held();
    alice_serves.signal("STOP");
    proxy.release();
    // Bob goes on as long as anybody takes what he sends; then he reads nothing more.
    stands_still(bob_serves.pid());
    let grown = memory(bob_serves.pid(), "VmHWM").saturating_sub(before);
    assert!(grown < 300 << 20, "bob held {grown} bytes more than before");
    alice_serves.signal("CONT");
    running.kill9();
}
