//! Messages between processes of one node and of two: responses with context, inheriting, time-outs, batches, what comes back when nobody is there.

use serde_json::json;
use transship_tests::package::{install_puppet, tell};
use transship_tests::{Home, eventually, introduce};

const MAIN: &str = "main";

fn puppet() -> (Home, transship_tests::Serving) {
    let home = Home::new("alice");
    install_puppet(&home);
    let serving = home.serve();
    (home, serving)
}

fn two_puppets() -> ((Home, transship_tests::Serving), (Home, transship_tests::Serving)) {
    let (alice, bob) = (Home::new("alice"), Home::new("bob"));
    install_puppet(&alice);
    install_puppet(&bob);
    let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
    introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), ""));
    ((alice, alice_serves), (bob, bob_serves))
}

#[test]
fn a_message_from_the_command_line_is_answered_and_its_source_is_the_command() {
    let (alice, _serving) = puppet();
    let answer = tell(&alice, MAIN, &json!({"echo": "hello"}));
    assert_eq!(answer["text"], "hello");
    assert!(answer["source"].as_str().unwrap().starts_with("alice@client-"), "{answer}");
}

#[test]
fn a_blob_goes_there_and_comes_back_inherited() {
    let (alice, _serving) = puppet();
    let file = alice.scratch().join("blob");
    let back = alice.scratch().join("back");
    transship_tests::random_file(&file, 3_000_000);
    let arguments = ["message", "alice@main:puppet:test", r#"{"echo":"x"}"#, "--blob", file.to_str().unwrap(), "--output", back.to_str().unwrap()];
    let outcome = alice.run(arguments).ok();
    assert_eq!(outcome.json()[0]["blob"], 3_000_000);
    assert_eq!(transship_tests::differ(&file, &back), None);
}

#[test]
fn a_request_to_another_node_is_answered_and_names_are_local() {
    let ((alice, _a), (_bob, _b)) = two_puppets();
    let answer = tell(&alice, MAIN, &json!({"ask": {"target": "bob@main:puppet:test", "body": {"echo": "over there"}, "timeout": 60000}}));
    assert_eq!(answer["ok"]["text"], "over there");
    assert_eq!(answer["ok"]["source"], "alice@main:puppet:test");
    assert_eq!(answer["source"], "bob@main:puppet:test");
}

#[test]
fn a_response_is_routed_back_with_the_context_of_its_request() {
    let ((alice, _a), (_bob, _b)) = two_puppets();
    for target in ["alice@poor:puppet:test", "bob@main:puppet:test"] {
        tell(&alice, MAIN, &json!({"send": {"target": target, "body": {"echo": "x"}, "timeout": 60000, "context": "remember", "blob": "bytes"}}));
        let event = eventually("the response arrives", || tell(&alice, MAIN, &json!("events")).as_array().unwrap().first().cloned());
        assert_eq!(event["response"]["context"], "remember", "{event}");
        assert_eq!(event["response"]["source"], target);
        assert_eq!(event["response"]["blob"], 5);
    }
}

#[test]
fn a_request_that_is_handed_on_is_answered_to_who_asked_first_on_one_node_and_across_two() {
    let ((alice, _a), (_bob, _b)) = two_puppets();
    for last in ["alice@poor:puppet:test", "bob@main:puppet:test"] {
        let answer = tell(&alice, MAIN, &json!({"hand-on": {"target": last, "body": {"echo": "from the last"}}}));
        assert_eq!(answer["text"], "from the last", "{answer}");
        assert_eq!(answer["source"], "alice@main:puppet:test", "the last one was asked by the one in the middle");
    }
}

#[test]
fn an_answer_can_wait_until_later() {
    let (alice, _serving) = puppet();
    tell(&alice, MAIN, &json!({"send": {"target": "alice@poor:puppet:test", "body": "hold-back", "timeout": 60000, "context": "patient"}}));
    let released = eventually("the request is held", || Some(tell(&alice, "poor", &json!({"release": "now"}))).filter(|count| *count == json!(1)));
    assert_eq!(released, json!(1));
    let event = eventually("the answer arrives", || tell(&alice, MAIN, &json!("events")).as_array().unwrap().first().cloned());
    assert_eq!((&event["response"]["context"], &event["response"]["body"]), (&json!("patient"), &json!(r#"{"released":"now"}"#)));
}

#[test]
fn a_request_without_an_answer_times_out_and_gives_message_blob_and_context_back() {
    let (alice, _serving) = puppet();
    tell(&alice, MAIN, &json!({"send": {"target": "alice@poor:puppet:test", "body": "ignore", "timeout": 50, "context": "kept", "blob": "12345"}}));
    let event = eventually("it times out", || tell(&alice, MAIN, &json!("events")).as_array().unwrap().first().cloned());
    let error = &event["send-error"];
    assert_eq!(
        (&error["kind"], &error["body"], &error["context"], &error["blob"]),
        (&json!("SendErrorKind::Timeout"), &json!("\"ignore\""), &json!("kept"), &json!(5))
    );
    let awaited = tell(&alice, MAIN, &json!({"ask": {"target": "alice@poor:puppet:test", "body": "ignore", "timeout": 50}}));
    assert_eq!((&awaited["err"], &awaited["body"]), (&json!("SendErrorKind::Timeout"), &json!("\"ignore\"")));
}

#[test]
fn a_node_that_is_not_there_is_offline_and_the_request_comes_back() {
    let ((alice, _a), (_bob, bob_serves)) = two_puppets();
    bob_serves.kill9();
    let awaited = tell(&alice, MAIN, &json!({"ask": {"target": "bob@main:puppet:test", "body": {"echo": "x"}, "timeout": 60000}}));
    assert!(awaited["err"].as_str().unwrap().contains("Offline"), "{awaited}");
    assert_eq!(awaited["body"], r#"{"echo":"x"}"#);
}

#[test]
fn a_request_to_a_node_that_is_not_there_comes_back_with_its_blob_and_its_context() {
    let ((alice, _a), (_bob, bob_serves)) = two_puppets();
    bob_serves.kill9();
    let sent = tell(&alice, MAIN, &json!({"send": {"target": "bob@main:puppet:test", "body": "x", "timeout": 60000, "context": "kept", "blob": "12345"}}));
    let error = &sent["err"];
    assert!(error["kind"].as_str().is_some_and(|kind| kind.contains("Offline")), "{sent}");
    assert_eq!(
        (&error["target"], &error["body"], &error["context"], &error["blob"]),
        (&json!("bob@main:puppet:test"), &json!("\"x\""), &json!("kept"), &json!(5))
    );
}

#[test]
fn metadata_and_media_type_go_there_and_come_back_on_one_node_and_across_two() {
    let ((alice, _a), (_bob, _b)) = two_puppets();
    // A small blob travels with its message, a large one over a connection of its own.
    for (target, length) in [("alice@poor:puppet:test", 10), ("bob@main:puppet:test", 10), ("bob@main:puppet:test", 100_000)] {
        let ask =
            json!({"target": target, "body": {"echo": "x"}, "timeout": 60000, "metadata": "a note", "blob": "x".repeat(length), "mime_type": "text/x-note"});
        let answer = tell(&alice, MAIN, &json!({ "ask": ask }));
        assert_eq!((&answer["ok"]["blob"], &answer["ok"]["mime-type"]), (&json!(length), &json!("text/x-note")), "what arrived: {answer}");
        assert_eq!((&answer["metadata"], &answer["blob"], &answer["mime-type"]), (&json!("a note"), &json!(length), &json!("text/x-note")), "{answer}");
    }
}

#[test]
fn a_process_that_is_not_public_is_asked_from_another_node_by_its_own_package_only() {
    let ((alice, _a), (bob, _b)) = two_puppets();
    let held = tell(&bob, MAIN, &json!("held"))["held"].as_array().unwrap().clone();
    let network = held.iter().position(|capability| capability == "network").unwrap();
    for public in [true, false] {
        let name = if public { "open" } else { "private" };
        let spawned =
            tell(&bob, MAIN, &json!({"spawn": {"name": name, "component": "puppet", "restart": false, "notify": null, "grant": [network], "public": public}}));
        assert!(spawned["ok"].is_string(), "{spawned}");
        let target = format!("bob@{name}:puppet:test");
        // The command is of another package.
        let outcome = alice.run(["message", &target, r#"{"echo":"x"}"#]);
        if public {
            drop(outcome.ok())
        } else {
            drop(outcome.code(4).says("is not public"))
        }
        let answer = tell(&alice, MAIN, &json!({"ask": {"target": target, "body": {"echo": "x"}, "timeout": 60000}}));
        assert_eq!(answer["ok"]["text"], "x", "{answer}");
        tell(&bob, MAIN, &json!({"kill": format!("{name}:puppet:test")}));
    }
}

#[test]
fn a_node_that_dies_while_it_is_waited_for_is_offline_at_once() {
    let ((alice, _a), (bob, bob_serves)) = two_puppets();
    tell(&alice, MAIN, &json!({"send": {"target": "bob@main:puppet:test", "body": "hold-back", "timeout": 600_000, "context": "c", "blob": "123"}}));
    eventually("bob has it", || {
        let ps = bob.run(["--json", "ps"]).ok().json();
        ps.iter().find(|line| line["id"] == "main:puppet:test").filter(|line| line["messages_in"].as_u64() > Some(0)).cloned()
    });
    bob_serves.kill9();
    let event = eventually("the failure arrives", || tell(&alice, MAIN, &json!("events")).as_array().unwrap().first().cloned());
    assert!(event["send-error"]["kind"].as_str().unwrap().contains("Offline"), "{event}");
    assert_eq!((&event["send-error"]["context"], &event["send-error"]["blob"]), (&json!("c"), &json!(3)));
}

#[test]
fn an_unknown_node_an_unknown_process_and_an_unnetworked_sender_are_told_apart() {
    let ((alice, _a), (_bob, _b)) = two_puppets();
    let ask = |process: &str, target: &str| {
        tell(&alice, process, &json!({"ask": {"target": target, "body": "x", "timeout": 60000}}))["err"].as_str().unwrap().to_owned()
    };
    assert!(ask(MAIN, "carol@main:puppet:test").contains("UnknownNode"));
    assert!(ask(MAIN, "alice@nobody:puppet:test").contains("NoSuchProcess"));
    assert!(ask(MAIN, "bob@nobody:puppet:test").contains("NoSuchProcess"));
    let denied = ask("poor", "bob@main:puppet:test");
    assert!(denied.contains("Denied") && denied.contains("network"), "{denied}");
    // And the other way: who may not use the network is not reached through it.
    let denied = ask(MAIN, "bob@poor:puppet:test");
    assert!(denied.contains("Denied"), "{denied}");
}

#[test]
fn a_batch_is_sent_in_order_and_one_failure_does_not_stop_the_rest() {
    let (alice, _serving) = puppet();
    let targets = ["alice@poor:puppet:test", "alice@nobody:puppet:test", "carol@main:puppet:test", "alice@poor:puppet:test"];
    let results = tell(&alice, MAIN, &json!({"batch": {"targets": targets, "body": {"echo": "x"}}}));
    let failed: Vec<bool> = results.as_array().unwrap().iter().map(|result| result.get("err").is_some()).collect();
    assert_eq!(failed, [false, true, true, false], "{results}");
    let mut answers = 0;
    eventually("both answers arrive", || {
        answers += tell(&alice, MAIN, &json!("events")).as_array().unwrap().len();
        (answers == 2).then_some(())
    });
}

#[test]
fn timers_and_operations_that_do_not_wait_come_as_messages() {
    let (alice, _serving) = puppet();
    let timer = tell(&alice, MAIN, &json!({"timer": 1}));
    let operation = tell(&alice, MAIN, &json!({"digest": {"text": "abc", "wait": false}}));
    let mut events = Vec::new();
    eventually("both are done", || {
        events.extend(tell(&alice, MAIN, &json!("events")).as_array().unwrap().clone());
        (events.len() == 2).then_some(())
    });
    assert!(events.contains(&json!({ "timer": timer })), "{events:?}");
    // The digest of "abc": FIPS 180-4, appendix B.1 of the former edition.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert!(events.contains(&json!({"completion": {"operation": operation, "outcome": {"ok": digest}}})), "{events:?}");
    assert_eq!(tell(&alice, MAIN, &json!({"digest": {"text": "abc", "wait": true}})), json!({ "ok": digest }));
}

#[test]
fn the_log_has_levels_and_says_which_process_spoke() {
    let (alice, _serving) = puppet();
    tell(&alice, MAIN, &json!({"log": {"level": "warn", "text": "something is odd", "times": 1}}));
    let line = eventually("the line is in the log", || {
        let log = alice.run(["log", "-n", "1000", "--level", "warn"]).ok().stdout;
        log.lines().find(|line| line.contains("something is odd")).map(str::to_owned)
    });
    assert!(line.contains("main:puppet:test") && line.contains("WARN"), "{line}");
    assert!(!alice.run(["log", "-n", "1000", "--level", "error"]).ok().stdout.contains("something is odd"));
}
