use super::*;

fn call(number: u64) -> ToNode {
    let target = "alice@a:b:c".parse().unwrap();
    ToNode::Call { number, call: Call::Message { target, metadata: Some("m".into()), mime_type: None, timeout: Some(1), lend: vec![3] } }
}

fn encoded(frame: Frame<ToNode>) -> BytesMut {
    let mut bytes = BytesMut::new();
    Codec::<FromNode>::default().encode(frame, &mut bytes).unwrap();
    bytes
}

#[test]
fn frames_arrive_as_they_were_sent_whatever_pieces_they_come_in() {
    let frames = [
        Frame { head: call(1), body: "body".into(), blob: Some("blob".into()) },
        Frame { head: call(2), body: Bytes::new(), blob: Some(Bytes::new()) },
        Frame::head(call(3)),
    ];
    let all: Vec<u8> = frames.iter().flat_map(|frame| encoded(frame.clone())).collect();
    let (mut codec, mut bytes, mut found) = (Codec::<ToNode>::default(), BytesMut::new(), Vec::new());
    for byte in all {
        bytes.put_u8(byte);
        found.extend(codec.decode(&mut bytes).unwrap());
    }
    assert_eq!(found, frames);
    assert!(bytes.is_empty());
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_anything_is_reserved() {
    for lengths in [[u32::MAX, 0, NO_BLOB], [2, MAX_BODY as u32 + 1, NO_BLOB], [2, 0, MAX_BLOB as u32 + 1]] {
        let mut bytes = BytesMut::new();
        lengths.iter().for_each(|length| bytes.put_u32_le(*length));
        let error = Codec::<ToNode>::default().decode(&mut bytes).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { .. }), "{error}");
        assert!(bytes.capacity() < 1024);
    }
}

#[test]
fn a_head_that_makes_no_sense_is_refused() {
    let mut bytes = encoded(Frame::head(call(1)));
    let end = bytes.len() - 1;
    bytes[end] = b'x';
    assert!(matches!(Codec::<ToNode>::default().decode(&mut bytes), Err(FrameError::Head(_))));
}

#[test]
fn what_is_too_long_is_not_sent() {
    let frame = Frame { head: call(1), body: Bytes::new(), blob: Some(vec![0; MAX_BLOB as usize + 1].into()) };
    let mut bytes = BytesMut::new();
    let error = Codec::<FromNode>::default().encode(frame, &mut bytes).unwrap_err();
    assert!(matches!(error, FrameError::TooLong { part: "blob", .. }));
    assert!(bytes.is_empty());
}
