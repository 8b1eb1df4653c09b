//! Strangers and peers that break every rule of the wire harm themselves only: they are cut off, and everybody else is served. What they may ask for: `hostile_requests`.

use std::io::Write;
use std::net::Shutdown;

use serde_json::json;
use transship_tests::raw_peer::{Head, HeadKind, NO_SESSION, RawPeer, VIOLATION, kind, tcp, until_closed};
use transship_tests::siege::Siege;
use transship_tests::{Home, eventually, meanwhile};

const MANAGER: &str = "manager:file-transfer:transship";

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
