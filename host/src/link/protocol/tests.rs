use super::*;

fn head(body: &'static [u8], blob: Option<u64>) -> Head {
    Head {
        source: "a:p:q".parse().unwrap(),
        target: "b:p:q".parse().unwrap(),
        kind: HeadKind::Request { reply: Some(RequestId::random()) },
        body: Bytes::from_static(body),
        metadata: Some("note".into()),
        blob: blob.map(|length| BlobHead { length, mime_type: Some("text/plain".into()) }),
    }
}

fn through(frame: &Frame) -> Result<Frame, Violation> {
    let mut out = BytesMut::new();
    frame.encode(&mut out)?;
    let length = out.get_u32_le() as usize;
    assert_eq!(length, out.len());
    Frame::decode(out.freeze())
}

#[test]
fn every_frame_decodes_as_it_was_encoded() {
    let process: ProcessId = "a:p:q".parse().unwrap();
    for frame in [
        Frame::Hello(Hello { version: 1, instance: 7, lane: Some(([3; 16], 9)) }),
        Frame::Welcome(Welcome { version: 1, instance: 7, token: [4; 16] }),
        Frame::Goodbye(Goodbye { code: Code::Violation, text: "why".into() }),
        Frame::Message(head(b"body", None), None),
        Frame::Message(head(b"body", Some(4)), Some(Bytes::from_static(b"blob"))),
        Frame::Message(head(b"", Some(0)), Some(Bytes::new())),
        Frame::Delivered(process, 3),
        Frame::Refused(RequestId::random(), Refusal::Denied("no".into())),
        Frame::WantLanes(3),
        Frame::NoLanes(2, "why".into()),
        Frame::LaneMessage(head(b"body", Some(1 << 20))),
        Frame::LaneDelivered(4, 1),
        Frame::LaneHeld(4),
        Frame::LaneEnded(4),
        Frame::Ping(8),
        Frame::Pong(8),
    ] {
        assert_eq!(format!("{:?}", through(&frame).unwrap()), format!("{frame:?}"));
    }
}

#[test]
fn what_breaks_a_rule_is_a_violation_that_says_which() {
    for (frame, rule) in [
        (Frame::Message(head(b"", Some(MAX_INLINE_BLOB + 1)), Some(vec![0; 16385].into())), "on the link"),
        (Frame::Message(head(b"", Some(5)), Some(Bytes::from_static(b"blob"))), "longer than its frame"),
        (Frame::LaneMessage(head(b"", None)), "without a blob"),
        (Frame::LaneMessage(head(b"", Some(MAX_REMOTE_BLOB + 1))), "are allowed"),
        (Frame::Message(Head { metadata: Some("x".repeat(MAX_METADATA + 1)), ..head(b"", None) }, None), "metadata"),
        (Frame::Message(Head { body: vec![0; MAX_BODY + 1].into(), ..head(b"", None) }, None), "body"),
    ] {
        let error = through(&frame).unwrap_err();
        assert!(error.0.contains(rule), "{frame:?}: {error}");
    }
    for (bytes, rule) in [
        (vec![], "without a kind"),
        (vec![0x77], "unknown kind 0x77"),
        (vec![0x24], "does not decode"),
        (vec![0x24, 1, 2], "1 bytes too many"),
        (vec![0x10, 255, 255, 255, 255], "head longer"),
        (vec![0x10, 1], "head longer"),
        (vec![0x11, 3, b'.', b'.', b'/', 1], "does not decode"),
        (vec![0x03, 99, 0], "does not decode"),
    ] {
        let error = Frame::decode(bytes.clone().into()).unwrap_err();
        assert!(error.0.contains(rule), "{bytes:?}: {error}");
    }
}

#[test]
fn an_oversize_frame_is_not_sent() {
    let head = Head { body: vec![0; MAX_FRAME].into(), ..head(b"", None) };
    let mut out = BytesMut::from(&b"before"[..]);
    assert!(Frame::Message(head, None).encode(&mut out).is_err());
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_text_of_the_other_side_can_not_harm_a_terminal() {
    let frame = Frame::Goodbye(Goodbye { code: Code::Closing, text: format!("\u{1b}[2J{}\n", "x".repeat(1000)) });
    let Frame::Goodbye(goodbye) = through(&frame).unwrap() else { panic!("not a goodbye") };
    assert!(goodbye.text.starts_with("[2Jxxx") && goodbye.text.len() == MAX_TEXT);
}

#[test]
fn random_bytes_never_panic() {
    for seed in 0..20_000_u64 {
        let kinds = [0x01, 0x02, 0x03, 0x10, 0x11, 0x12, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x30, 0x31, 0xff];
        let mut bytes = vec![kinds[(seed % 15) as usize]];
        bytes.extend((0..seed % 97).map(|_| rand::random::<u8>()));
        let _ = Frame::decode(bytes.into());
    }
}
