//! What strangers and dishonest peers can do.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::link::frame::{read_frame, write_frame};
use crate::link::handshake::greet;
use crate::link::protocol::{Code, Frame, Hello, MAX_FRAME, VERSION, WINDOW_MESSAGES, Welcome};
use crate::link::tls::{Tls, server_name};

/// A peer that speaks the protocol by hand.
struct Raw {
    stream: TlsStream<TcpStream>,
    welcome: Welcome,
}

async fn raw_tls(identity: &Identity, to: &Node) -> TlsStream<TcpStream> {
    let tls = Tls::new(identity.certified_key().unwrap());
    let (config, _) = tls.client(to.identity.key()).unwrap();
    let socket = TcpStream::connect(to.address).await.unwrap();
    let name: ServerName<'static> = server_name();
    soon(TlsConnector::from(config).connect(name, socket)).await.unwrap()
}

impl Raw {
    async fn connect(identity: &Identity, to: &Node, instance: u64) -> Self {
        let mut stream = raw_tls(identity, to).await;
        let welcome = soon(greet(&mut stream, Hello { version: VERSION, instance, lane: None })).await.unwrap();
        Self { stream, welcome }
    }

    async fn send(&mut self, frame: &Frame) {
        soon(write_frame(&mut self.stream, frame)).await.unwrap();
    }

    async fn next(&mut self) -> Option<Frame> {
        soon(read_frame(&mut self.stream, MAX_FRAME, || ())).await.ok().flatten()
    }

    /// Reads up to the goodbye.
    async fn goodbye(&mut self) -> (Code, String) {
        loop {
            match self.next().await.expect("it ended without a goodbye") {
                Frame::Goodbye(goodbye) => return (goodbye.code, goodbye.text),
                _ => continue,
            }
        }
    }
}

/// Bob, and mallory's identity, which is a peer of his.
async fn bob_and_mallory() -> (Node, Identity) {
    let bob = Node::start("bob", quick()).await;
    let mallory = Identity::generate("mallory").unwrap();
    bob.meet_key("mallory", mallory.key(), nowhere().await);
    (bob, mallory)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_breach_of_the_protocol_ends_the_link_with_the_reason() {
    let (mut bob, mallory) = bob_and_mallory().await;
    let oversize = (MAX_FRAME as u32 + 1).to_le_bytes().to_vec();
    let lane_message = head("target:p:q", "", HeadKind::Request { reply: None });
    let breaches: [(Vec<u8>, &str); 8] = [
        (oversize, "1 to 1228800 are allowed"),
        (u32::MAX.to_le_bytes().to_vec(), "are allowed"),
        (0_u32.to_le_bytes().to_vec(), "are allowed"),
        (vec![1, 0, 0, 0, 0x99], "unknown kind"),
        (encoded(&Frame::Delivered("target:p:q".parse().unwrap(), 1)), "nothing is under way"),
        (encoded(&Frame::LaneDelivered(1, 1)), "lane 1"),
        (encoded(&Frame::LaneMessage(Head { blob: Some(BlobHead { length: 1, mime_type: None }), ..lane_message })), "lane-message on a link"),
        (encoded(&Frame::WantLanes(1)), "lanes wanted"),
    ];
    for (bytes, reason) in breaches {
        let mut raw = Raw::connect(&mallory, &bob, 1).await;
        soon(raw.stream.write_all(&bytes)).await.unwrap();
        soon(raw.stream.flush()).await.unwrap();
        let (code, text) = raw.goodbye().await;
        assert!(code == Code::Violation && text.contains(reason), "{reason}: {text}");
        bob.lost().await;
        assert!(!bob.links.connected("mallory"));
    }
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    frame.encode(&mut out).unwrap();
    out.to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_more_than_a_window_is_cut_off_and_others_are_not() {
    let (mut bob, mallory) = bob_and_mallory().await;
    let alice = Node::start("alice", quick()).await;
    alice.meet_at(&bob, bob.address);
    bob.meet_at(&alice, alice.address);
    bob.gate("full:p:q", 0);
    let mut raw = Raw::connect(&mallory, &bob, 1).await;
    for number in 0..=WINDOW_MESSAGES {
        raw.send(&Frame::Message(request("full:p:q", &number.to_string()), None)).await;
    }
    let (code, text) = raw.goodbye().await;
    assert!(code == Code::Violation && text.contains("window"), "{text}");
    bob.lost().await;
    alice.send("bob", request("other:p:q", "fine"), None).await.unwrap();
    assert_eq!(bob.message().await.0.body, "fine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_garbage_get_nothing_and_harm_nobody() {
    let (mut bob, _mallory) = bob_and_mallory().await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 70_000], &[0x16, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff], b""] {
        let mut socket = TcpStream::connect(bob.address).await.unwrap();
        let _ = socket.write_all(garbage).await;
        socket.shutdown().await.ok();
        let mut answer = Vec::new();
        let _ = soon(socket.read_to_end(&mut answer)).await;
        assert!(answer.len() < 100, "{answer:?}");
    }
    let stranger = Identity::generate("stranger").unwrap();
    let mut stream = raw_tls(&stranger, &bob).await;
    let error = soon(greet(&mut stream, Hello { version: VERSION, instance: 1, lane: None })).await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    assert!(bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_needs_the_token_of_a_link_of_the_same_node() {
    let (bob, mallory) = bob_and_mallory().await;
    let carol = Identity::generate("carol").unwrap();
    bob.meet_key("carol", carol.key(), nowhere().await);
    let raw = Raw::connect(&mallory, &bob, 7).await;
    for (identity, instance, token) in [(&mallory, 7, [0; 16]), (&carol, 7, raw.welcome.token), (&mallory, 8, raw.welcome.token)] {
        let mut stream = raw_tls(identity, &bob).await;
        let error = soon(greet(&mut stream, Hello { version: VERSION, instance, lane: Some((token, 1)) })).await.unwrap_err();
        assert!(error.to_string().contains("not there"), "{error}");
    }
    let mut stream = raw_tls(&mallory, &bob).await;
    soon(greet(&mut stream, Hello { version: VERSION, instance: 7, lane: Some((raw.welcome.token, 1)) })).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lie_about_a_blobs_pieces_ends_the_link() {
    let (mut bob, mallory) = bob_and_mallory().await;
    for piece in [0_u32, 101, (1 << 20) + 1, u32::MAX - 1] {
        let mut raw = Raw::connect(&mallory, &bob, 1).await;
        let mut lane = raw_tls(&mallory, &bob).await;
        soon(greet(&mut lane, Hello { version: VERSION, instance: 1, lane: Some((raw.welcome.token, 1)) })).await.unwrap();
        let head = Head { blob: Some(BlobHead { length: 100, mime_type: None }), ..request("target:p:q", "") };
        soon(write_frame(&mut lane, &Frame::LaneMessage(head))).await.unwrap();
        soon(lane.write_all(&piece.to_le_bytes())).await.unwrap();
        soon(lane.flush()).await.unwrap();
        let (code, text) = raw.goodbye().await;
        assert!(code == Code::Violation && text.contains("a piece of"), "{text}");
        bob.lost().await;
    }
    assert!(bob.quiet());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_strangers_do_not_keep_a_peer_out_for_longer_than_a_deadline() {
    let deadlines = Deadlines { handshake: Duration::from_millis(300), ..quick() };
    let (alice, mut bob, _proxy) = pair(deadlines).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(bob.address).await.unwrap());
    }
    let mut sent = alice.send("bob", request("target:p:q", "in"), None).await;
    for _ in 0..5 {
        if sent.is_ok() {
            break;
        }
        sent = alice.send("bob", request("target:p:q", "in"), None).await;
    }
    sent.unwrap();
    assert_eq!(bob.message().await.0.body, "in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_do_not_pile_up() {
    let (mut bob, mallory) = bob_and_mallory().await;
    let mut raw = Raw::connect(&mallory, &bob, 1).await;
    // Pings without reading a pong: until the sockets are full, and the queue, and then it is over.
    let many: Vec<u8> = (0..1000).flat_map(|number| encoded(&Frame::Ping(u64::MAX - number))).collect();
    let flood = async { while raw.stream.write_all(&many).await.is_ok() && raw.stream.flush().await.is_ok() {} };
    soon(flood).await;
    assert!(bob.lost().await.contains("does not read"));
}

/// Bytes of which it can be seen from outside whether somebody keeps them.
struct Kept(Arc<Vec<u8>>);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Takes all that comes over a lane and says nothing. Counts the messages.
async fn swallow(mut lane: TlsStream<TcpStream>, count: Arc<AtomicUsize>) {
    let mut piece = vec![0; 1 << 20];
    while let Ok(Some(Frame::LaneMessage(head))) = read_frame(&mut lane, MAX_FRAME, || ()).await {
        count.fetch_add(1, Ordering::SeqCst);
        let mut rest = head.blob.unwrap().length;
        while rest > 0 {
            let Ok(length) = lane.read_u32_le().await else { return };
            if lane.read_exact(&mut piece[..length as usize]).await.is_err() {
                return;
            }
            rest -= u64::from(length);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_blobs_and_never_says_so_holds_little_of_our_memory_and_then_nothing() {
    let deadlines = Deadlines { stall: Duration::from_millis(500), lane_end: Duration::from_millis(500), ..quick() };
    let mut bob = Node::start("bob", deadlines).await;
    let mallory = Identity::generate("mallory").unwrap();
    bob.meet_key("mallory", mallory.key(), nowhere().await);
    let mut raw = Raw::connect(&mallory, &bob, 1).await;
    let (count, memory) = (Arc::new(AtomicUsize::new(0)), Arc::new(bytes(1, 4 << 20)));
    // Half a gigabyte, over as many lanes as mallory likes.
    let sending: Vec<_> = (0..128)
        .map(|number| {
            let (links, content) = (bob.links.clone(), Blob::from_bytes(bytes::Bytes::from_owner(Kept(memory.clone())), None));
            tokio::spawn(async move { links.send("mallory", request("target:p:q", &number.to_string()), Some(content), 255).await })
        })
        .collect();
    let mut lanes = 0;
    let text = loop {
        match raw.next().await.expect("a goodbye") {
            Frame::WantLanes(wanted) => {
                for _ in 0..wanted {
                    lanes += 1;
                    let mut lane = raw_tls(&mallory, &bob).await;
                    soon(greet(&mut lane, Hello { version: VERSION, instance: 1, lane: Some((raw.welcome.token, lanes)) })).await.unwrap();
                    tokio::spawn(swallow(lane, count.clone()));
                }
            }
            Frame::Goodbye(goodbye) => break goodbye.text,
            _ => {}
        }
    };
    assert!(text.contains("has not said that it is done with lane"), "{text}");
    // What a link may have under way, and the first of the conversation.
    let taken = count.load(Ordering::SeqCst);
    assert!((1..=9).contains(&taken), "{taken} blobs were given");
    bob.lost_after_doubts().await;
    for sending in sending {
        let _ = soon(sending).await.unwrap();
    }
    soon(async {
        while Arc::strong_count(&memory) > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
