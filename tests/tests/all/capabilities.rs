//! What a process may do: asked for in the manifest, passed on, restricted, dropped, revoked, and gone with its holder.

use serde_json::{Value, json};
use transship_tests::package::{install_puppet, tell};
use transship_tests::{Home, Serving, eventually, introduce};

const MAIN: &str = "main";

fn puppet() -> (Home, Serving) {
    let home = Home::new("alice");
    install_puppet(&home);
    let serving = home.serve();
    (home, serving)
}

fn held(home: &Home, process: &str) -> Vec<String> {
    tell(home, process, &json!("held"))["held"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The place of a capability among those that a process holds.
fn place(home: &Home, process: &str, kind: &str) -> usize {
    held(home, process).iter().position(|text| text.starts_with(kind)).unwrap_or_else(|| panic!("{process} holds no {kind}"))
}

fn spawn_with(home: &Home, name: &str, grant: &[usize]) -> Value {
    tell(home, MAIN, &json!({"spawn": {"name": name, "component": "puppet", "restart": false, "notify": null, "grant": grant, "public": true}}))
}

#[test]
fn a_process_holds_what_its_manifest_asked_for_and_nothing_else() {
    let (alice, _serving) = puppet();
    let kinds: Vec<String> = held(&alice, MAIN).iter().map(|text| text.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(kinds, ["network", "spawning", "drive puppet:test/files", "drive puppet:test/small"]);
    assert!(held(&alice, "poor").is_empty());
    let denied = tell(&alice, "poor", &json!({"write": {"drive": "files", "path": "x", "text": "x"}}));
    assert!(denied["err"].as_str().unwrap().contains("puppet:test/files"), "{denied}");
    let denied = tell(&alice, MAIN, &json!({"read": {"drive": "file-transfer:transship/files", "path": "x"}}));
    assert!(denied["err"].as_str().unwrap().contains("Denied"), "the drive of another package: {denied}");
}

#[test]
fn a_child_holds_what_its_parent_granted() {
    let (alice, _serving) = puppet();
    tell(&alice, MAIN, &json!({"write": {"drive": "files", "path": "a/b.txt", "text": "hello"}}));
    spawn_with(&alice, "none", &[]);
    spawn_with(&alice, "some", &[place(&alice, MAIN, "drive puppet:test/files")]);
    assert!(held(&alice, "none").is_empty());
    assert_eq!(tell(&alice, "some", &json!({"read": {"drive": "files", "path": "a/b.txt"}})), json!({"ok": "hello"}));
    assert!(tell(&alice, "none", &json!({"read": {"drive": "files", "path": "a/b.txt"}}))["err"].is_string());
}

#[test]
fn a_capability_attached_to_a_message_can_be_used_and_kept_within_its_restriction() {
    let (alice, _serving) = puppet();
    tell(&alice, MAIN, &json!({"write": {"drive": "files", "path": "note", "text": "lent"}}));
    let files = place(&alice, MAIN, "drive puppet:test/files");
    let answer = tell(&alice, MAIN, &json!({"lend": {"target": "alice@poor:puppet:test", "held": files, "read_only": true, "body": {"echo": "thanks"}}}));
    assert_eq!(answer["ok"]["text"], "thanks", "{answer}");
    assert_eq!(tell(&alice, "poor", &json!({"read-lent": {"place": 0, "path": "note"}})), json!({"ok": "lent"}));
    assert_eq!(tell(&alice, "poor", &json!("keep")), json!([{"ok": null}]));
    assert_eq!(tell(&alice, "poor", &json!({"read": {"drive": "puppet:test/files", "path": "note"}})), json!({"ok": "lent"}));
    let denied = tell(&alice, "poor", &json!({"write": {"drive": "puppet:test/files", "path": "note", "text": "changed"}}));
    assert!(denied["err"].as_str().unwrap().contains("write"), "{denied}");
}

#[test]
fn a_capability_does_not_travel_to_another_node_and_what_it_came_with_is_refused() {
    let (alice, alice_serves) = puppet();
    let bob = Home::new("bob");
    install_puppet(&bob);
    let bob_serves = bob.serve();
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), ""));
    let files = place(&alice, MAIN, "drive puppet:test/files");
    // The one exists, is public and may use the network; the other is not public; the third is not there: it makes no difference.
    let private =
        tell(&bob, MAIN, &json!({"spawn": {"name": "private", "component": "puppet", "restart": false, "notify": null, "grant": [], "public": false}}));
    assert!(private["ok"].is_string(), "{private}");
    for process in ["main", "private", "nobody"] {
        let lend = json!({"lend": {"target": format!("bob@{process}:puppet:test"), "held": files, "read_only": true, "body": {"echo": "x"}}});
        let answer = tell(&alice, MAIN, &lend);
        assert!(answer["err"].as_str().unwrap().contains("Denied"), "{process}: {answer}");
    }
    let held = tell(&bob, MAIN, &json!("held"));
    assert_eq!(held["at-hand"], json!([]), "nothing was lent");
}

#[test]
fn what_was_passed_on_ends_when_its_giver_drops_it() {
    let (alice, _serving) = puppet();
    let files = place(&alice, MAIN, "drive puppet:test/files");
    spawn_with(&alice, "child", &[files]);
    assert!(tell(&alice, "child", &json!({"list": {"drive": "files"}}))["ok"].is_array());
    tell(&alice, MAIN, &json!({"drop": files}));
    assert!(tell(&alice, "child", &json!({"list": {"drive": "files"}}))["err"].is_string());
    assert!(held(&alice, "child").is_empty());
    assert!(!held(&alice, MAIN).iter().any(|text| text.contains("puppet:test/files")));
}

#[test]
fn what_was_lent_ends_when_its_holder_dies() {
    let (alice, _serving) = puppet();
    tell(&alice, MAIN, &json!({"write": {"drive": "files", "path": "note", "text": "lent"}}));
    spawn_with(&alice, "lender", &[place(&alice, MAIN, "drive puppet:test/files")]);
    tell(&alice, "lender", &json!({"lend": {"target": "alice@poor:puppet:test", "held": 0, "read_only": false, "body": {"echo": "x"}}}));
    assert_eq!(tell(&alice, "poor", &json!({"read-lent": {"place": 0, "path": "note"}})), json!({"ok": "lent"}));
    alice.run(["kill", "lender:puppet:test"]).ok();
    eventually("what it lent ends", || tell(&alice, "poor", &json!({"read-lent": {"place": 0, "path": "note"}}))["err"].is_string().then_some(()));
}

#[test]
fn a_capability_of_ones_own_is_recognised_when_it_comes_back_and_can_be_revoked_by_its_issuer_only() {
    let (alice, _serving) = puppet();
    tell(&alice, MAIN, &json!({"issue": "{\"may\":\"enter\"}"}));
    tell(&alice, MAIN, &json!({"lend-at-hand": {"target": "alice@poor:puppet:test", "place": 0, "body": {"echo": "x"}}}));
    let at_hand = |process: &str| tell(&alice, process, &json!("held"))["at-hand"].clone();
    assert_eq!(at_hand("poor"), json!(["custom alice@main:puppet:test {\"may\":\"enter\"}"]));
    assert!(tell(&alice, "poor", &json!({"revoke": 0}))["err"].as_str().unwrap().contains("NotIssuer"));
    // It comes back to its issuer, who knows it by the name that only the node can set.
    tell(&alice, "poor", &json!({"lend-at-hand": {"target": "alice@main:puppet:test", "place": 0, "body": {"echo": "x"}}}));
    assert_eq!(at_hand(MAIN)[1], "custom alice@main:puppet:test {\"may\":\"enter\"}");
    assert_eq!(tell(&alice, MAIN, &json!({"revoke": 0})), json!({"ok": null}));
    assert_eq!(at_hand("poor"), json!(["ended: custom alice@main:puppet:test {\"may\":\"enter\"}"]));
}
