//! The example chat: messages between two nodes, and attachments of any size that the composed API fetches.

use std::path::PathBuf;

use serde_json::{Value, json};
use transship_tests::{Home, Serving, differ, eventually, introduce, random_file, transship};

const CHAT: &str = "main:chat:examples";

/// The packed example, built by `just components`.
fn package() -> String {
    let path = transship().with_file_name("..").join("example-packages/chat.transship");
    assert!(path.exists(), "{} is missing: run `just components` first", path.display());
    path.to_str().unwrap().to_owned()
}

fn chats() -> ((Home, Serving), (Home, Serving)) {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    for home in [&alice, &bob] {
        home.run(["package", "install", &package(), "--grant"]).ok();
    }
    let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
    // Nothing of a drive is allowed to anybody: what is attached is all that moves.
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), ""));
    ((alice, alice_serves), (bob, bob_serves))
}

fn file(home: &Home, name: &str) -> PathBuf {
    let path = home.path().join("vfs/chat:examples/files").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

fn send(home: &Home, to: &str, text: &str, attach: Option<&str>) -> Value {
    home.message(CHAT, &json!({"send": {"to": to, "text": text, "attach": attach}}))
}

fn read(home: &Home, with: &str) -> Vec<Value> {
    home.message(CHAT, &json!({"read": {"with": with}}))["conversation"].as_array().unwrap().clone()
}

#[test]
fn a_file_of_200_mib_goes_with_a_message_and_both_see_every_byte_of_its_progress() {
    const SIZE: u64 = 200 << 20;
    let ((alice, _alice_serves), (bob, _bob_serves)) = chats();
    random_file(&file(&alice, "photos/cat.raw"), SIZE);
    assert_eq!(send(&alice, "bob", "look at this", Some("photos/cat.raw")), json!({"sent": 1}));
    let mut seen = Vec::new();
    let attachment = eventually("bob has the cat", || {
        let attachment = read(&bob, "alice").first()?["attachment"].clone();
        seen.push(attachment["bytes-done"].as_u64().unwrap());
        (attachment["state"] != "under-way").then_some(attachment)
    });
    let whole = json!({"name": "photos/cat.raw", "bytes-done": SIZE, "bytes-total": SIZE, "state": {"done": "alice/cat.raw"}});
    assert_eq!(attachment, whole);
    assert!(seen.is_sorted() && seen.iter().all(|bytes| *bytes <= SIZE), "{seen:?}");
    assert_eq!(differ(&file(&alice, "photos/cat.raw"), &file(&bob, "alice/cat.raw")), None);
    let sent = eventually("alice knows", || read(&alice, "bob").first().filter(|message| message["attachment"] == whole).cloned());
    assert_eq!((&sent["received"], &sent["failed"], &sent["text"]), (&json!(false), &Value::Null, &json!("look at this")));
    // Workers have ended, and nothing is left of how it came.
    eventually("the workers are gone", || (bob.processes().iter().filter(|id| id.ends_with(":chat:examples")).count() == 1).then_some(()));
    assert_eq!(transship_tests::transfer::names_in(file(&bob, "alice/cat.raw").parent().unwrap()), ["cat.raw"]);
}

#[test]
fn a_conversation_survives_a_restart_and_what_was_not_here_is_fetched_then() {
    let ((alice, alice_serves), (bob, bob_serves)) = chats();
    send(&alice, "bob", "one", None);
    send(&bob, "alice", "two", None);
    random_file(&file(&alice, "note"), 10_000);
    random_file(&file(&bob, "alice"), 1);
    send(&alice, "bob", "three", Some("note"));
    // A file stands where the folder of what comes from alice should be.
    eventually("the attachment failed", || read(&bob, "alice").get(2).filter(|message| message["attachment"]["state"]["failed"].is_string()).cloned());
    drop(bob_serves);
    std::fs::remove_file(file(&bob, "alice")).unwrap();
    let bob_serves = bob.serve();
    alice.knows(&bob, bob_serves.address(), "");
    let third = eventually("it is here now", || read(&bob, "alice").get(2).filter(|message| message["attachment"]["state"]["done"].is_string()).cloned());
    assert_eq!(third["attachment"]["state"]["done"], "alice/note");
    drop(alice_serves);
    let _alice_serves = alice.serve();
    for (home, with) in [(&alice, "bob"), (&bob, "alice")] {
        let texts: Vec<_> = read(home, with).iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }
}

#[test]
fn only_what_was_attached_is_given_and_only_to_whom_it_was_sent() {
    let ((alice, alice_serves), (bob, _bob_serves)) = chats();
    let eve = Home::new("eve");
    eve.run(["package", "install", &package(), "--grant"]).ok();
    let eve_serves = eve.serve();
    introduce((&alice, Some(&alice_serves), ""), (&eve, Some(&eve_serves), ""));
    random_file(&file(&alice, "for-bob"), 1_000);
    random_file(&file(&alice, "secret"), 1_000);
    send(&alice, "bob", "yours", Some("for-bob"));
    eventually("bob has it", || file(&bob, "alice/for-bob").exists().then_some(()));
    let asked = json!({"download": {"name": "secret", "is-requestor": false,
        "target": {"node": "eve", "process": {"process-name": "main", "package-name": "chat", "publisher-node": "examples"}}}});
    for (home, name) in [(&eve, "secret"), (&eve, "for-bob"), (&bob, "secret")] {
        let mut asked = asked.clone();
        asked["download"]["name"] = json!(name);
        let refused = home.message(&format!("alice@{CHAT}"), &asked);
        assert!(refused["download"]["err"]["denied"].as_str().unwrap().contains("was not attached to a message"), "{refused}");
    }
    // Nor is a node commanded from elsewhere: to send, to read, to fetch.
    for command in [json!({"send": {"to": "eve", "text": "x", "attach": "secret"}}), json!({"read": {"with": "bob"}}), json!("nonsense")] {
        let refused = eve.message(&format!("alice@{CHAT}"), &command);
        assert!(refused["error"].is_string(), "{command}: {refused}");
    }
    let mut command = asked.clone();
    command["download"]["is-requestor"] = json!(true);
    let refused = eve.message(&format!("alice@{CHAT}"), &command);
    assert!(refused["download"]["err"]["invalid-request"].is_string(), "{refused}");
    assert!(read(&alice, "eve").is_empty(), "{:?}", read(&alice, "eve"));
}

#[test]
fn a_message_that_can_not_be_sent_is_said_to_be_so() {
    let ((alice, _alice_serves), (bob, bob_serves)) = chats();
    for (to, attach, error) in [("carol", None, "not among the peers"), ("bob", Some("nothing"), "nothing is not there"), ("bob", Some("../x"), "..")] {
        let refused = send(&alice, to, "x", attach);
        assert!(refused["error"].as_str().unwrap().contains(error), "{refused}");
    }
    let long = send(&alice, "bob", &"x".repeat(5_000), None);
    assert!(long["error"].as_str().unwrap().contains("5000 bytes: at most 4096"), "{long}");
    drop(bob_serves);
    send(&alice, "bob", "are you there?", None);
    let failed = eventually("alice knows", || read(&alice, "bob").last().filter(|message| message["failed"].is_string()).cloned());
    assert!(failed["failed"].as_str().unwrap().contains("can't be reached"), "{failed}");
    drop(bob);
}
