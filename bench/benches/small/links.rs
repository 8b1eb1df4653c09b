//! What passes between the links of two nodes: framed, encrypted, over a socket of loopback, and read again there. No process and no mailbox is behind them.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use criterion::{Criterion, Throughput};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use transship::blob::Blob;
use transship::identity::Identity;
use transship::link::{Deadlines, Deliver, Head, HeadKind, Inbound, Links, Refusal};
use transship::message::RequestId;
use transship::peers::Peers;
use transship::ticket::Ticket;

use crate::{CHUNK, chunk, folder};

/// The bytes of a small message.
const SMALL: &[u8] = b"0123456789abcdef";
/// Connections that chunks may take: what transfers take.
const LANES: u8 = 4;
/// Chunks under way together.
const WINDOW: u64 = 8;

pub(crate) fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("link");
    let mut made = None;
    group.throughput(Throughput::Elements(1));
    group.bench_function("a message of 16 bytes, there and back", |bencher| bencher.iter(|| made.get_or_insert_with(Wired::new).there_and_back()));
    group.throughput(Throughput::Bytes(CHUNK as u64));
    let blob = Blob::from_bytes(chunk(), None);
    group.bench_function("a chunk of 1 MiB, one after another", |bencher| bencher.iter(|| made.get_or_insert_with(Wired::new).chunks(&blob, 1)));
    group.throughput(Throughput::Bytes(WINDOW * CHUNK as u64));
    group.bench_function("8 chunks of 1 MiB at once", |bencher| bencher.iter(|| made.get_or_insert_with(Wired::new).chunks(&blob, WINDOW)));
    group.finish();
}

/// Takes every message, and tells of it.
struct Taker(UnboundedSender<u64>);

impl Inbound for Taker {
    fn admit<'a>(&'a self, _peer: &'a str, head: Head, blob_length: u64) -> Pin<Box<dyn Future<Output = Result<Deliver, Refusal>> + Send + 'a>> {
        let taken = self.0.clone();
        Box::pin(async move {
            let deliver: Deliver = Box::new(move |blob| {
                // Whole, or it counts for nothing.
                let arrived = blob.map_or(0, |blob| blob.length());
                assert_eq!(arrived, blob_length);
                let _ = taken.send(head.body.len() as u64 + arrived);
            });
            Ok(deliver)
        })
    }

    fn refused(&self, peer: &str, _request: Option<RequestId>, why: Refusal) {
        panic!("{peer} did not take a message: {why}");
    }

    // At the end, when the program lets go of both.
    fn lost(&self, _peer: &str, _why: &str) {}
}

/// The links of a node.
struct Node {
    identity: Identity,
    peers: Arc<Peers>,
    links: Links,
    address: SocketAddr,
    /// The bytes of each message that came.
    taken: UnboundedReceiver<u64>,
    /// The links don't keep it.
    _taker: Arc<Taker>,
    _folder: TempDir,
}

impl Node {
    async fn new(name: &str) -> Self {
        let folder = folder();
        let identity = Identity::generate(name).unwrap();
        let peers = Arc::new(Peers::open(&folder.path().join("peers.toml"), &identity).unwrap());
        let links = Links::new(&identity, peers.clone(), Deadlines::default()).unwrap();
        let (sender, taken) = unbounded_channel();
        let taker = Arc::new(Taker(sender));
        let weak: Weak<Taker> = Arc::downgrade(&taker);
        links.set_inbound(weak);
        let address = links.listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        Self { identity, peers, links, address, taken, _taker: taker, _folder: folder }
    }

    fn meet(&self, other: &Self) {
        let ticket = Ticket::new(other.identity.name(), "127.0.0.1", other.address.port(), other.identity.key()).unwrap();
        self.peers.add(&ticket, None, None).unwrap();
    }
}

/// Two nodes that know each other.
struct Wired {
    runtime: Runtime,
    alice: Node,
    bob: Node,
}

impl Wired {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (alice, bob) = runtime.block_on(async { (Node::new("alice").await, Node::new("bob").await) });
        alice.meet(&bob);
        bob.meet(&alice);
        Self { runtime, alice, bob }
    }

    fn there_and_back(&mut self) {
        let Self { runtime, alice, bob } = self;
        runtime.block_on(async {
            alice.links.send("bob", head(), None, LANES).await.unwrap();
            assert_eq!(bob.taken.recv().await, Some(SMALL.len() as u64));
            bob.links.send("alice", head(), None, LANES).await.unwrap();
            assert_eq!(alice.taken.recv().await, Some(SMALL.len() as u64));
        });
    }

    /// So many at once, over as many connections as there are lanes at most.
    fn chunks(&mut self, blob: &Blob, count: u64) {
        let Self { runtime, alice, bob } = self;
        runtime.block_on(async {
            for _ in 0..count {
                let (links, blob) = (alice.links.clone(), blob.clone());
                tokio::spawn(async move { links.send("bob", head(), Some(blob), LANES).await.unwrap() });
            }
            for _ in 0..count {
                assert_eq!(bob.taken.recv().await, Some(SMALL.len() as u64 + blob.length()));
            }
        });
    }
}

/// Of a small message to which nobody is going to respond.
fn head() -> Head {
    Head {
        source: "sender:bench:test".parse().unwrap(),
        target: "receiver:bench:test".parse().unwrap(),
        kind: HeadKind::Request { reply: None },
        body: SMALL.into(),
        metadata: None,
        blob: None,
    }
}
