//! What peers may do: kept, changed, taken away, and in force at once.

use transship_tests::{Home, introduce};

fn ticket(home: &Home) -> String {
    home.run(["ticket", "--host", "192.0.2.7"]).ok().stdout.trim().to_owned()
}

fn allowed(home: &Home) -> serde_json::Value {
    home.run(["--json", "peer", "list"]).ok().json()[0]["allow"].clone()
}

#[test]
fn a_peer_that_is_added_again_keeps_what_it_may_do_unless_it_is_said_anew() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let bobs = ticket(&bob);
    for serves in [false, true] {
        let _serving = serves.then(|| alice.serve());
        let first = alice.run(["peer", "add", &bobs, "--allow", "files=list,read"]).ok().stdout;
        assert!(first.contains("bob is known, and may here: files=list,read") || serves, "{first}");
        let moved = bobs.replace("192.0.2.7", "192.0.2.8");
        let again = alice.run(["peer", "add", &moved]).ok().stdout;
        assert!(again.contains("known already") && again.contains("192.0.2.8:7447") && again.contains("as before it may here: files=list,read"), "{again}");
        assert_eq!(allowed(&alice), serde_json::json!({"files": ["list", "read"]}));
        let anew = alice.run(["peer", "add", &bobs, "--allow", "files=write"]).ok().stdout;
        assert!(anew.contains("known already") && anew.contains("192.0.2.7:7447") && anew.contains("it may here: files=write"), "{anew}");
    }
}

#[test]
fn rights_are_changed_without_a_ticket_and_hold_at_once() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let serving = bob.serve();
    introduce((&alice, None, ""), (&bob, Some(&serving), ""));
    std::fs::write(bob.file("x"), "content").unwrap();
    let _alice = alice.serve();
    alice.run(["list", "bob"]).code(4);
    let said = bob.run(["peer", "allow", "alice", "files=list,read"]).ok().stdout;
    assert_eq!(said, "alice may here: files=list,read\n");
    alice.run(["list", "bob"]).ok();
    bob.run(["peer", "allow", "alice", "files=list"]).ok();
    alice.run(["list", "bob"]).ok();
    alice.run(["get", "bob:x"]).code(4);
    for nothing in ["files=", "files=none"] {
        bob.run(["peer", "allow", "alice", "files=list"]).ok();
        let said = bob.run(["peer", "allow", "alice", nothing]).ok().stdout;
        assert!(said.starts_with("alice may do nothing here"), "{said}");
        alice.run(["list", "bob"]).code(4);
        assert_eq!(allowed(&bob), serde_json::json!({}));
    }
    bob.run(["peer", "allow", "carol", "files=list"]).code(3).says("carol");
    bob.run(["peer", "allow", "alice"]).code(2);
    // Without a node that runs, it is written down all the same.
    drop(serving);
    bob.run(["peer", "allow", "alice", "files=write"]).ok();
    assert_eq!(allowed(&bob), serde_json::json!({"files": ["write"]}));
}

#[test]
fn rights_to_a_drive_that_is_not_there_are_refused_with_those_that_are() {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    let bobs = ticket(&bob);
    for serves in [false, true] {
        let _serving = serves.then(|| alice.serve());
        for drive in ["fiels", "file-transfer:transship/fiels"] {
            alice.run(["peer", "add", &bobs, "--allow", &format!("{drive}=read")]).code(3).says(drive).says("its drives: files");
        }
        assert_eq!(alice.run(["--json", "peer", "list"]).ok().stdout, "", "nothing is written");
        alice.run(["peer", "add", &bobs, "--allow", "file-transfer:transship/files=read"]).ok();
        alice.run(["peer", "allow", "bob", "fiels=read"]).code(3).says("its drives: files");
        // It may come with a package.
        alice.run(["peer", "allow", "bob", "another:package/drive=read"]).ok().says("has no drive 'another:package/drive' yet");
        // What is taken away need not be there.
        alice.run(["peer", "allow", "bob", "fiels=none"]).ok();
        alice.run(["peer", "remove", "bob"]).ok();
    }
}
