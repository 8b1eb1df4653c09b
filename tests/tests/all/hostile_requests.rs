//! Peers that ask for what is not theirs, or for nonsense, harm themselves only: they are refused, and everybody else is served.

use serde_json::{Value, json};
use transship_tests::package::{install_puppet, tell};
use transship_tests::raw_peer::{Head, HeadKind, VIOLATION, kind};
use transship_tests::siege::Siege;
use transship_tests::{eventually, introduce, meanwhile, random_file, sparse_file};

const MANAGER: &str = "manager:file-transfer:transship";

#[test]
fn a_process_is_asked_by_those_only_that_it_takes_requests_from() {
    let siege = Siege::lay("list,read,write");
    let mut link = siege.link();
    let (no_such_process, denied) = (0, 1);
    assert_eq!(link.ask("nobody:puppet:test", 1, b"{}"), Err(no_such_process));
    assert_eq!(link.ask("worker:file-transfer:transship", 2, b"{}"), Err(no_such_process));
    // It may not use the network, so nobody reaches it through that.
    assert_eq!(link.ask("poor:puppet:test", 3, br#"{"echo":"x"}"#), Err(denied));
    // Responses to what was never asked, and to what somebody else was asked.
    let response = Head { kind: HeadKind::Response(12345), ..Head::request("main:puppet:test", 0) };
    link.send(kind::MESSAGE, &response.with(b"{}"));
    assert_eq!(link.ask_json("main:puppet:test", 4, &json!({"echo": "still here"}))["text"], "still here");
    assert_eq!(link.ask_json("main:puppet:test", 5, &json!("events")), json!([]));
    siege.alice_is_served();
}

#[test]
fn a_source_is_the_node_whose_key_was_proven_whatever_it_says() {
    let siege = Siege::lay("");
    let mut link = siege.link();
    let answer = link.ask_json("main:puppet:test", 1, &json!({"echo": "x"}));
    assert_eq!(answer["source"], "mallory@main:mallory:test");
    // A source that names another node is no name of a process.
    let forged = Head { source: "alice@main:puppet:test".into(), ..Head::request("main:puppet:test", 2) };
    link.send(kind::MESSAGE, &forged.with(br#"{"echo":"x"}"#));
    assert_eq!(link.goodbye().0, VIOLATION);
}

#[test]
fn what_is_no_request_is_answered_as_such_and_the_manager_goes_on() {
    let siege = Siege::lay("list,read,write");
    let mut link = siege.link();
    let deep = [vec![b'['; 500_000], vec![b']'; 500_000]].concat();
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"list-files".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"42".to_vec(),
        br#""nothing""#.to_vec(),
        br#""list-page""#.to_vec(),
        br#"{"list-page":5}"#.to_vec(),
        br#"{"list-page":{"limit":"many"}}"#.to_vec(),
        br#"{"list-page":{"limit":-1}}"#.to_vec(),
        br#"{"list-page":{"limit":0}}"#.to_vec(),
        br#"{"list-page":{"limit":4294967296}}"#.to_vec(),
        br#"{"list-page":{"id":"crc32"}}"#.to_vec(),
        br#"{"list-files":null,"transfers":null}"#.to_vec(),
        br#"{"store":{}}"#.to_vec(),
        br#"{"store":{"number":"one"}}"#.to_vec(),
        br#"{"store":{"number":0}}"#.to_vec(),
        br#"{"store":{"number":2}}"#.to_vec(),
        br#"{"download":{}}"#.to_vec(),
        br#"{"download":{"name":7}}"#.to_vec(),
        br#"{"upload":[]}"#.to_vec(),
        br#"{"get":{"node":"bob","name":"x","to":{"drive":null,"name":null},"options":{"streams":300}}}"#.to_vec(),
        deep,
        vec![b' '; 1 << 20],
        [br#"{"list-page":{"prefix":""#.to_vec(), vec![b'x'; 1_000_000], br#""}"#.to_vec()].concat(),
    ];
    for (number, body) in bodies.iter().enumerate() {
        let answer = link
            .ask(MANAGER, number as u128 + 1, body)
            .unwrap_or_else(|why| panic!("no answer to {:?}: {why}", String::from_utf8_lossy(&body[..body.len().min(80)])));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(answer["error"]["invalid-request"].is_string(), "{:?}: {answer}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        assert!(answer.to_string().len() < 2000, "what was sent is not sent back at length: {} bytes", answer.to_string().len());
    }
    let ps = siege.bob.run(["--json", "ps"]).ok().json();
    let manager = ps.iter().find(|line| line["id"] == MANAGER).unwrap();
    assert_eq!(manager["restarts"], 0, "{manager}");
    siege.alice_is_served();
}

#[test]
fn a_peer_does_not_command_this_node() {
    let siege = Siege::lay("list,read,write");
    let mut link = siege.link();
    let place = json!({"drive": null, "name": "fetched"});
    for (number, body) in [
        json!({"get": {"node": "alice", "name": "x", "to": place, "options": null}}),
        json!({"get": {"node": "mallory", "name": "x", "to": place, "options": null}}),
        json!({"put": {"node": "mallory", "name": "x", "from": {"drive": null, "name": "for-alice"}, "options": null}}),
        json!({"cancel": {"id": "x", "keep": false}}),
        json!("transfers"),
        // Asking it to ask another on this node's behalf.
        json!({"list-page": {"node": "alice"}}),
    ]
    .iter()
    .enumerate()
    {
        let answer = link.ask_json(MANAGER, number as u128 + 1, body);
        assert!(answer["error"]["denied"].is_string(), "{body}: {answer}");
    }
    siege.bob.settled();
    assert!(!siege.bob.names().contains(&"fetched".to_owned()));
    siege.alice_is_served();
}

/// A request to send `name` to a worker of mallory's, or to fetch it from there.
fn asked(verb: &str, name: &str) -> Value {
    let target = json!({"node": "mallory", "process": {"process-name": "transfer-1", "package-name": "file-transfer", "publisher-node": "transship"}});
    json!({ verb: {"name": name, "target": target, "is-requestor": false, "local": null, "slot": null, "size": 3, "options": null} })
}

#[test]
fn a_peer_without_the_right_gets_no_worker() {
    let siege = Siege::lay("");
    std::fs::write(siege.bob.file("x"), "not for mallory").unwrap();
    let mut link = siege.link();
    let answer = link.ask_json(MANAGER, 1, &asked("download", "x"));
    assert!(answer["download"]["err"]["denied"].as_str().unwrap().contains("read"), "{answer}");
    let answer = link.ask_json(MANAGER, 2, &asked("upload", "y"));
    assert!(answer["upload"]["err"]["denied"].as_str().unwrap().contains("write"), "{answer}");
    for body in [json!("list-files"), json!({"list-page": {}})] {
        let answer = link.ask_json(MANAGER, 3, &body);
        assert!(answer["error"]["denied"].as_str().unwrap().contains("list"), "{answer}");
    }
    let answer = link.ask_json(MANAGER, 4, &json!({"store": {"number": 1}}));
    assert!(answer["error"]["denied"].as_str().unwrap().contains("write"), "{answer}");
    assert!(siege.bob.processes().iter().all(|id| !id.starts_with("transfer-")), "{:?}", siege.bob.processes());
    assert_eq!(siege.bob.names(), ["x"]);
}

#[test]
fn a_peer_can_not_name_a_place_outside_the_drive_or_one_of_the_nodes_own() {
    let siege = Siege::lay("list,read,write");
    std::fs::write(siege.bob.path().join("vfs/file-transfer:transship/outside"), "not shared").unwrap();
    std::fs::write(siege.bob.file(".transship-secret"), "a partial file").unwrap();
    let mut link = siege.link();
    let mut number = 0;
    for name in ["", "../outside", "..", "a/../../outside", "/etc/hostname", ".transship-secret", "a/.transship-secret", "a//b", "a\u{0}b", "a\\..\\b"] {
        for verb in ["download", "upload"] {
            number += 1;
            let answer = link.ask_json(MANAGER, number, &asked(verb, name));
            assert!(answer[verb]["err"]["invalid-name"].is_string(), "{verb} {name:?}: {answer}");
        }
    }
    let answer = link.ask_json(MANAGER, 100, &asked("download", &"n".repeat(256)));
    assert!(answer["download"]["err"]["name-too-long"].is_string(), "{answer}");
    // Where a file is, or is put, is for this node to say: what a peer says of places here is not listened to.
    random_file(&siege.bob.file("for-alice"), 5 << 20);
    for verb in ["download", "upload"] {
        let mut request = asked(verb, if verb == "upload" { "taken" } else { "for-alice" });
        request[verb]["local"] = json!({"drive": "puppet:test/files", "name": "x"});
        number += 1;
        let answer = link.ask_json(MANAGER, number, &request);
        assert!(answer[verb]["ok"].is_object(), "{answer}");
    }
    assert_eq!(std::fs::read_dir(siege.bob.path().join("vfs/puppet:test/files")).unwrap().count(), 0);
    // One that pretends to have been asked by this node's owner.
    let mut request = asked("download", "for-alice");
    request["download"]["is-requestor"] = json!(true);
    let answer = link.ask_json(MANAGER, 102, &request);
    assert!(answer["download"]["err"].is_object() || answer["error"].is_object(), "{answer}");
    // Nothing was offered, so nothing is there.
    assert_eq!(siege.bob.names(), [".transship-secret", "for-alice"]);
    siege.alice_is_served();
}

#[test]
fn a_worker_listens_to_its_counterpart_only() {
    // Alice fetches from bob, which will take her minutes; mallory, who may do the same, talks to bob's worker for alice.
    let siege = Siege::lay("list,read,write");
    sparse_file(&siege.bob.file("large"), 8 << 30);
    let mut getting = siege
        .alice
        .command(["get", "bob:large", "large", "--streams", "1", "--window", "1", "--chunk-size", "4k"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let worker = eventually("bob has a worker", || siege.bob.processes().into_iter().find(|id| id.starts_with("transfer-")));
    let mut link = siege.link();
    for (number, body) in [
        json!({"chunk": {"name": "large", "offset": 0, "length": 4096}}),
        json!({"finished": {"err": {"cancelled": "by mallory"}}}),
        json!({"failed": {"cancelled": "by mallory"}}),
        json!({"cancel": false}),
        json!("ping"),
    ]
    .iter()
    .enumerate()
    {
        let head = Head { kind: HeadKind::Request(None), ..Head::request(&worker, 0) };
        link.send(kind::MESSAGE, &head.with(body.to_string().as_bytes()));
        let alive = link.ask_json(MANAGER, number as u128 + 1, &json!({"list-page": {"limit": 1}}));
        assert!(alive["list-page"].is_object(), "{alive}");
    }
    assert!(siege.bob.processes().contains(&worker), "mallory ended it");
    // It is slow on purpose; its end is not waited for.
    siege.alice.run(["transfers"]).ok();
    let id = siege.alice.run(["--json", "transfers"]).ok().json()[0]["id"].as_str().unwrap().to_owned();
    siege.alice.run(["cancel", &id]).ok();
    getting.wait().unwrap();
    eventually("the worker is gone", || (!siege.bob.processes().contains(&worker)).then_some(()));
}

#[test]
fn a_counterpart_that_asks_for_what_is_not_there_gets_an_error_or_nothing() {
    let siege = Siege::lay("list,read,write");
    std::fs::write(siege.bob.file("x"), "0123456789").unwrap();
    let mut link = siege.link();
    let answer = link.ask_json(MANAGER, 1, &asked("download", "x"));
    let process = &answer["download"]["ok"];
    assert!(process.is_object(), "{answer}");
    let worker =
        format!("{}:{}:{}", process["process-name"].as_str().unwrap(), process["package-name"].as_str().unwrap(), process["publisher-node"].as_str().unwrap());
    let mut number = 1;
    for (offset, length) in [(0_u64, 0_u64), (0, 11), (10, 1), (u64::MAX, 1), (1, u64::MAX), (u64::MAX, u64::MAX), (0, 1 << 40)] {
        number += 1;
        let body = json!({"chunk": {"name": "x", "offset": offset, "length": length}});
        let request = Head { source: "transfer-1:file-transfer:transship".into(), ..Head::request(&worker, number) };
        link.send(kind::MESSAGE, &request.with(body.to_string().as_bytes()));
        loop {
            match link.frame().expect("the link stays") {
                (kind::MESSAGE, payload) => {
                    let text = String::from_utf8_lossy(&payload).into_owned();
                    // Not a byte of content, and no trap.
                    assert!(!text.contains("0123456789"), "{text}");
                    if text.contains("err") {
                        break;
                    }
                }
                (kind::REFUSED, _) => break,
                _ => {}
            }
        }
    }
    // It goes with its link.
    drop(link);
    siege.bob.run(["list"]).ok();
    siege.alice_is_served();
}

#[test]
fn who_floods_the_manager_does_not_stop_anothers_transfer() {
    let siege = Siege::lay("list,read,write");
    install_puppet(&siege.mallory);
    let mallory_serves = siege.mallory.serve();
    introduce((&siege.mallory, Some(&mallory_serves), ""), (&siege.bob, Some(&siege.bob_serves), "list,read,write"));
    let flood = json!({"flood": {"target": format!("bob@{MANAGER}"), "count": 5000, "size": 1000}});
    // Each ends when all is sent, or when it is slowed down so much that one of them finds no room in time; then comes the next.
    meanwhile(
        || drop(tell(&siege.mallory, "main", &flood)),
        || {
            eventually("the flood arrives", || {
                let ps = siege.bob.run(["--json", "ps"]).ok().json();
                ps.iter().find(|line| line["id"] == MANAGER).filter(|line| line["messages_in"].as_u64() > Some(100)).cloned()
            });
            siege.alice_is_served();
        },
    );
    let ps = siege.bob.run(["--json", "ps"]).ok().json();
    assert_eq!(ps.iter().find(|line| line["id"] == MANAGER).unwrap()["restarts"], 0);
}
