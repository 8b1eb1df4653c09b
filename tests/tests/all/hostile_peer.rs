//! Strangers and peers that break every rule of the wire or of the package harm themselves only: they are answered or cut off, and everybody else is served.

use std::io::Write;
use std::net::Shutdown;

use serde_json::{Value, json};
use transship_tests::package::{install_puppet, tell};
use transship_tests::raw_peer::{Head, HeadKind, NO_SESSION, RawPeer, VIOLATION, kind, tcp, until_closed};
use transship_tests::{Home, Serving, differ, eventually, introduce, meanwhile, random_file, sparse_file};

const MANAGER: &str = "manager:file-transfer:transship";

/// Bob, whom alice may ask for files, and who knows mallory, who may do what is said.
struct Siege {
    alice: Home,
    bob: Home,
    mallory: Home,
    bob_serves: Serving,
    _alice_serves: Serving,
}

impl Siege {
    fn lay(mallory_may: &str) -> Self {
        let (alice, bob, mallory) = (Home::new("alice"), Home::new("bob"), Home::new("mallory"));
        install_puppet(&bob);
        let (alice_serves, bob_serves) = (alice.serve(), bob.serve());
        introduce((&alice, Some(&alice_serves), ""), (&bob, Some(&bob_serves), "list,read,write"));
        let ticket = mallory.run(["ticket", "--host", "127.0.0.1"]).ok().stdout;
        let allow = format!("files={mallory_may}");
        let rights: &[&str] = if mallory_may.is_empty() { &[] } else { &["--allow", &allow] };
        bob.run([&["peer", "add", ticket.trim()], rights].concat()).ok();
        Self { alice, bob, mallory, bob_serves, _alice_serves: alice_serves }
    }

    /// A link of mallory's to bob, greeted.
    fn link(&self) -> RawPeer {
        RawPeer::greet(&self.mallory, self.bob_serves.address()).0
    }

    /// Alice gets a file from bob, over lanes.
    fn alice_is_served(&self) {
        let source = self.bob.file("for-alice");
        if !source.exists() {
            random_file(&source, 5 << 20);
        }
        self.alice.run(["get", "bob:for-alice", "got", "--on-conflict", "overwrite"]).ok();
        assert_eq!(differ(&source, &self.alice.scratch().join("got")), None);
    }

    fn log_says(&self, text: &str) {
        eventually(&format!("the log says {text:?}"), || self.bob.run(["log", "-n", "1000"]).ok().stdout.contains(text).then_some(()));
    }
}

fn bytes_of(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    transship_tests::write_random(&mut bytes, length as u64, 99);
    bytes
}

#[test]
fn what_is_not_tls_is_cut_off() {
    let siege = Siege::lay("");
    let http = b"GET /files/ HTTP/1.1\r\nHost: bob\r\n\r\n".to_vec();
    // The record of a handshake whose length is a lie, and one of TLS 1.2 with nothing in it.
    let records = [vec![22, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff], vec![22, 3, 3, 0, 0], vec![0; 70_000], bytes_of(1 << 20), http];
    for garbage in records {
        let mut socket = tcp(siege.bob_serves.address());
        // It may be cut off before all of it is written.
        drop(socket.write_all(&garbage));
        drop(socket.shutdown(Shutdown::Write));
        let said = until_closed(&mut socket);
        assert!(said.len() < 100, "an alert at most: {said:?}");
    }
    siege.alice_is_served();
}

#[test]
fn a_stranger_with_a_key_of_its_own_gets_no_further_than_tls() {
    let siege = Siege::lay("");
    let stranger = Home::new("stranger");
    let mut peer = RawPeer::connect(&stranger, siege.bob_serves.address()).expect("TLS 1.3 tells the client only later");
    assert!(peer.hello(None).is_none());
    let refusal = RawPeer::connect(&stranger, siege.bob_serves.address()).unwrap().end().unwrap_err().to_string();
    assert!(refusal.contains("AccessDenied"), "{refusal}");
    let key = stranger.run(["--json", "id"]).ok().json()[0]["key"].as_str().unwrap().to_owned();
    siege.log_says(&key);
    siege.alice_is_served();
}

#[test]
fn a_peer_that_was_removed_is_a_stranger() {
    let siege = Siege::lay("list");
    let mut link = siege.link();
    assert!(link.ask_json(MANAGER, 1, &json!("list-files"))["list-files"].is_array());
    siege.bob.run(["peer", "remove", "mallory"]).ok();
    // The link that is there ends, and there is no other.
    drop(link.end());
    assert!(RawPeer::connect(&siege.mallory, siege.bob_serves.address()).unwrap().end().is_err());
}

#[test]
fn another_protocol_over_tls_is_refused() {
    let siege = Siege::lay("");
    let refused = RawPeer::connect_with(&siege.mallory, siege.bob_serves.address(), &[b"h2", b"http/1.1"]).and_then(RawPeer::end);
    assert!(refused.unwrap_err().to_string().contains("NoApplicationProtocol"));
    siege.alice_is_served();
}

#[test]
fn a_greeting_that_is_none_ends_the_connection() {
    let siege = Siege::lay("");
    let frames: [&[u8]; 7] = [
        // Lengths: none, more than a greeting's, more than anything's.
        &[0, 0, 0, 0],
        &[1, 4, 0, 0, kind::HELLO],
        &[0xff, 0xff, 0xff, 0xff, kind::HELLO],
        // Something else, an unknown kind, a hello that does not decode, a hello with something behind it.
        &[2, 0, 0, 0, kind::PING, 1],
        &[1, 0, 0, 0, 0x77],
        &[2, 0, 0, 0, kind::HELLO, 0xff],
        &[5, 0, 0, 0, kind::HELLO, 1, 7, 0, 9],
    ];
    for frame in frames {
        let mut peer = RawPeer::connect(&siege.mallory, siege.bob_serves.address()).unwrap();
        peer.send_bytes(frame);
        drop(peer.end());
    }
    // A version that nobody speaks is told so.
    let mut peer = RawPeer::connect(&siege.mallory, siege.bob_serves.address()).unwrap();
    peer.send(kind::HELLO, &[99, 7, 0]);
    let (_, text) = peer.goodbye();
    assert!(text.contains("99"), "{text}");
    // A lane of a link that is not there, or is another's.
    let mut peer = RawPeer::connect(&siege.mallory, siege.bob_serves.address()).unwrap();
    let mut hello = vec![1, 7, 1];
    hello.extend([3; 16]);
    hello.push(0);
    peer.send(kind::HELLO, &hello);
    assert_eq!(peer.goodbye().0, NO_SESSION);
    siege.alice_is_served();
}

#[test]
fn a_frame_that_breaks_a_rule_ends_the_link_with_the_reason() {
    let siege = Siege::lay("list,read,write");
    let head = |blob: u64| Head { blob: Some((blob, None)), ..Head::request(MANAGER, 1) };
    let message = |payload: &[u8]| {
        let length = u32::try_from(payload.len() + 1).unwrap();
        [&length.to_le_bytes(), [kind::MESSAGE].as_slice(), payload].concat()
    };
    let frame = |kind: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len() + 1).unwrap();
        [&length.to_le_bytes(), [kind].as_slice(), payload].concat()
    };
    let not_a_name = Head { target: "../../manager".into(), ..Head::request("x", 1) };
    for (bytes, rule) in [
        // Lengths that would cost memory if they were believed.
        (vec![0xff, 0xff, 0xff, 0xff, kind::MESSAGE], "4294967295 bytes"),
        (vec![0, 0, 0, 0x40, kind::MESSAGE], "1073741824 bytes"),
        (vec![0, 0, 0, 0], "0 bytes"),
        (message(&[0xff, 0xff, 0xff, 0xff]), "head"),
        (message(&head(1 << 63).with(b"{}")), "9223372036854775808 bytes"),
        (message(&head(u64::MAX).with(b"{}")), "18446744073709551615 bytes"),
        (message(&head(3).with(b"{}")), "longer than its frame"),
        // What is no frame.
        (frame(0x77, b""), "unknown kind 0x77"),
        (message(&[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), "does not decode"),
        (message(&not_a_name.with(b"{}")), "does not decode"),
        (message(&Head { metadata: Some("x".repeat(70_000)), ..Head::request(MANAGER, 1) }.with(b"")), "metadata"),
        (message(&Head::request(MANAGER, 1).with(&vec![b'x'; (1 << 20) + 1])), "body"),
        (frame(kind::PING, &[0xff]), "does not decode"),
        (frame(kind::PONG, &[1, 2, 3]), "too many"),
        // What has no place on a link, or in this direction.
        (frame(kind::HELLO, &[1, 7, 0]), "hello"),
        (frame(kind::LANE_MESSAGE, &head(9).with(b"{}")), "lane-message"),
        (frame(kind::WANT_LANES, &[9]), "9 lanes"),
        // Deliveries of what was never sent.
        (frame(kind::DELIVERED, b"\x05a:b:c\x09"), "deliver"),
    ] {
        let mut link = siege.link();
        link.send_bytes(&bytes);
        let (code, text) = link.goodbye();
        assert_eq!(code, VIOLATION, "{text}");
        assert!(text.contains(rule), "nothing about {rule:?} in: {text}");
    }
    // A frame that never comes to its end is no harm.
    let mut halfway = siege.link();
    halfway.send_bytes(&[100, 0, 0, 0, kind::MESSAGE, 1, 2, 3]);
    siege.alice_is_served();
}

#[test]
fn a_lane_that_breaks_a_rule_is_cut_off() {
    let siege = Siege::lay("list,read,write");
    let head = |blob: Option<u64>| Head { blob: blob.map(|length| (length, None)), ..Head::request(MANAGER, 1) }.with(br#""list-files""#);
    let lane_message = |blob: Option<u64>| {
        let payload = head(blob);
        let length = u32::try_from(payload.len() + 1).unwrap();
        [&length.to_le_bytes(), [kind::LANE_MESSAGE].as_slice(), &payload].concat()
    };
    let oversized_piece = [lane_message(Some(1 << 22)), (2_u32 << 20).to_le_bytes().to_vec()].concat();
    let too_much = [lane_message(Some(20_000)), 30_000_u32.to_le_bytes().to_vec(), vec![0; 30_000]].concat();
    let empty_piece = [lane_message(Some(20_000)), 0_u32.to_le_bytes().to_vec()].concat();
    let not_for_lanes = vec![2, 0, 0, 0, kind::PING, 1];
    for bytes in [
        lane_message(Some(1 << 63)),
        lane_message(Some((16 << 20) + 1)),
        lane_message(None),
        oversized_piece,
        too_much,
        empty_piece,
        not_for_lanes,
        vec![0xff; 64],
    ] {
        let (mut link, token) = RawPeer::greet(&siege.mallory, siege.bob_serves.address());
        let mut lane = RawPeer::connect(&siege.mallory, siege.bob_serves.address()).unwrap();
        assert!(lane.hello(Some((token, 0))).is_some());
        lane.send_bytes(&bytes);
        drop(lane.end());
        // The link says so, or ends with the reason.
        while let Some((kind, _)) = link.frame() {
            if kind == kind::LANE_ENDED || kind == kind::GOODBYE {
                break;
            }
        }
    }
    siege.alice_is_served();
}

#[test]
fn a_peer_that_sends_more_than_its_window_is_cut_off() {
    let siege = Siege::lay("");
    let mut stalled = siege
        .bob
        .command(["message", "main:puppet:test", r#"{"stall":60000}"#])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the puppet stalls", || {
        let ps = siege.bob.run(["--json", "ps"]).ok().json();
        ps.iter()
            .find(|line| line["id"] == "main:puppet:test")
            .filter(|line| line["mailbox_messages"].as_u64() > Some(0) || line["messages_in"].as_u64() > Some(0))
            .cloned()
    });
    let mut link = siege.link();
    let payload = Head { kind: HeadKind::Request(None), ..Head::request("main:puppet:test", 0) }.with(&vec![b'x'; 100_000]);
    for _ in 0..1000 {
        link.send(kind::MESSAGE, &payload);
    }
    // The reason may be lost together with what was still on its way.
    drop(link.end());
    siege.log_says("than its window allows");
    siege.bob.run(["kill", "main:puppet:test"]).ok();
    stalled.wait().unwrap();
    siege.alice_is_served();
}

#[test]
fn who_never_finishes_a_handshake_is_cut_off_and_keeps_nobody_from_being_served() {
    let siege = Siege::lay("");
    // The link that is there already is not enough for alice: her transfer opens lanes.
    let mut silent: Vec<_> = (0..200).map(|_| tcp(siege.bob_serves.address())).collect();
    // Some have said how long a record they will send, and then nothing.
    for socket in silent.iter_mut().take(50) {
        socket.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    }
    siege.alice_is_served();
    for socket in &mut silent {
        until_closed(socket);
    }
    // One that proves its key and then never greets.
    let silent = RawPeer::connect(&siege.mallory, siege.bob_serves.address()).unwrap();
    drop(silent.end());
}

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
fn who_takes_no_answers_does_not_keep_them_from_others() {
    // More requests than there is room for answers on their way, and not one answer is acknowledged.
    let siege = Siege::lay("");
    let mut link = siege.link();
    for number in 0..2000 {
        link.send(kind::MESSAGE, &Head::request(MANAGER, number).with(br#""list-files""#));
        // The node takes them as fast as it says, so as not to be cut off for another reason.
        if number % 128 == 127 {
            let mut taken = 0;
            while taken < 128 {
                match link.frame().expect("the node keeps the link") {
                    (kind::DELIVERED, payload) => {
                        let (_, count): (String, u32) = postcard::from_bytes(&payload).unwrap();
                        taken += count;
                    }
                    (kind::GOODBYE, payload) => panic!("{:?}", postcard::from_bytes::<(u32, String)>(&payload)),
                    _ => {}
                }
            }
        }
    }
    // Mallory stays, shows that she lives, and still acknowledges nothing.
    meanwhile(|| link.ping(), || siege.alice_is_served());
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
