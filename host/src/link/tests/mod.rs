//! Two nodes over real sockets, with a stand-in for the node behind each.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

use super::*;
use crate::identity::PublicKey;
use crate::ticket::Ticket;

mod connecting;
mod hostile;
mod lanes;
mod messages;

/// No test waits longer for anything.
const LONG: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it did not happen in time")
}

/// What happened at a node.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
enum Event {
    Message { head: Head, blob: Option<Blob> },
    Refused { request: Option<RequestId>, why: Refusal },
    Lost { why: String },
}

/// Stands in for a node: every message is admitted at once, except where a gate or a refusal says otherwise.
struct Fake {
    events: mpsc::UnboundedSender<Event>,
    gates: Mutex<HashMap<ProcessId, Arc<Semaphore>>>,
    refusals: Mutex<HashMap<ProcessId, Refusal>>,
    /// Messages that wait at a gate.
    waiting: watch::Sender<usize>,
}

/// Somebody who does not wait at a gate any more.
struct Leaves<'a>(&'a watch::Sender<usize>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Inbound for Fake {
    fn admit<'a>(&'a self, peer: &'a str, head: Head, blob_length: u64) -> BoxFuture<'a, Result<Deliver, Refusal>> {
        async move {
            assert_eq!(blob_length, head.blob.as_ref().map_or(0, |blob| blob.length));
            if let Some(refusal) = self.refusals.lock().get(&head.target) {
                return Err(refusal.clone());
            }
            let gate = self.gates.lock().get(&head.target).cloned();
            let mut place = None;
            if let Some(gate) = gate {
                self.waiting.send_modify(|count| *count += 1);
                let _leaves = Leaves(&self.waiting);
                place = Some(gate.acquire_owned().await.unwrap());
            }
            assert!(matches!(peer, "alice" | "bob" | "mallory"), "{peer}");
            let events = self.events.clone();
            // As in a mailbox: the place is used up by a message, and given back if none comes.
            let deliver: Deliver = Box::new(move |blob| {
                if let Some(place) = place {
                    place.forget();
                }
                let _ = events.send(Event::Message { head, blob });
            });
            Ok(deliver)
        }
        .boxed()
    }

    fn refused(&self, _peer: &str, request: Option<RequestId>, why: Refusal) {
        let _ = self.events.send(Event::Refused { request, why });
    }

    fn lost(&self, _peer: &str, why: &str) {
        let _ = self.events.send(Event::Lost { why: why.into() });
    }
}

struct Node {
    identity: Identity,
    peers: Arc<Peers>,
    links: Links,
    fake: Arc<Fake>,
    events: mpsc::UnboundedReceiver<Event>,
    address: SocketAddr,
    _home: tempfile::TempDir,
}

fn quick() -> Deadlines {
    Deadlines { lane_retry: Duration::from_millis(5), linger: Duration::from_millis(200), ..Deadlines::default() }
}

impl Node {
    async fn start(name: &str, deadlines: Deadlines) -> Self {
        let home = tempfile::tempdir().unwrap();
        let identity = Identity::generate(name).unwrap();
        let peers = Arc::new(Peers::open(&home.path().join("peers.toml"), &identity).unwrap());
        let links = Links::new(&identity, peers.clone(), deadlines).unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let fake = Arc::new(Fake { events: sender, gates: Mutex::default(), refusals: Mutex::default(), waiting: watch::Sender::new(0) });
        let weak: std::sync::Weak<Fake> = Arc::downgrade(&fake);
        links.set_inbound(weak);
        let address = links.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { identity, peers, links, fake, events, address, _home: home }
    }

    /// Makes `other` a peer, to be reached at `address`.
    fn meet_at(&self, other: &Node, address: SocketAddr) {
        self.meet_key(other.identity.name(), other.identity.key(), address);
    }

    fn meet_key(&self, name: &str, key: PublicKey, address: SocketAddr) {
        let ticket = Ticket::new(name, &address.ip().to_string(), address.port(), key).unwrap();
        self.peers.add(&ticket, None, None).unwrap();
    }

    fn gate(&self, target: &str, open: usize) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(open));
        self.fake.gates.lock().insert(target.parse().unwrap(), gate.clone());
        gate
    }

    async fn event(&mut self) -> Event {
        soon(self.events.recv()).await.unwrap()
    }

    async fn message(&mut self) -> (Head, Option<Blob>) {
        match self.event().await {
            Event::Message { head, blob, .. } => (head, blob),
            other => panic!("{other:?}"),
        }
    }

    async fn refusal(&mut self) -> (Option<RequestId>, Refusal) {
        match self.event().await {
            Event::Refused { request, why } => (request, why),
            other => panic!("{other:?}"),
        }
    }

    async fn lost(&mut self) -> String {
        match self.event().await {
            Event::Lost { why, .. } => why,
            other => panic!("{other:?}"),
        }
    }

    /// As [`Self::lost`], where messages of which nobody knows whether they arrived may be told of before.
    async fn lost_after_doubts(&mut self) -> String {
        loop {
            match self.event().await {
                Event::Refused { why: Refusal::Broken(_), .. } => {}
                Event::Lost { why, .. } => return why,
                other => panic!("{other:?}"),
            }
        }
    }

    fn quiet(&mut self) -> bool {
        self.events.try_recv().is_err()
    }

    async fn send(&self, peer: &str, head: Head, blob: Option<Blob>) -> Result<(), LinkError> {
        soon(self.links.send(peer, head, blob, 4)).await
    }

    /// How many lanes its link has.
    async fn lanes(&self, peer: &str) -> usize {
        self.links.0.session(peer).await.unwrap().lanes.count()
    }
}

/// Two nodes; both know each other, and only alice can dial, through a proxy.
async fn alice_and_bob() -> (Node, Node, Proxy) {
    pair(quick()).await
}

async fn pair(deadlines: Deadlines) -> (Node, Node, Proxy) {
    let alice = Node::start("alice", deadlines.clone()).await;
    let bob = Node::start("bob", deadlines).await;
    let proxy = Proxy::start(bob.address).await;
    alice.meet_at(&bob, proxy.address);
    bob.meet_at(&alice, nowhere().await);
    (alice, bob, proxy)
}

/// An address at which nobody listens.
async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn request(target: &str, body: &str) -> Head {
    head(target, body, HeadKind::Request { reply: Some(RequestId::random()) })
}

fn head(target: &str, body: &str, kind: HeadKind) -> Head {
    Head {
        source: "sender:p:q".parse().unwrap(),
        target: target.parse().unwrap(),
        kind,
        body: body.as_bytes().to_vec().into(),
        metadata: Some("note".into()),
        blob: None,
    }
}

fn id(head: &Head) -> Option<RequestId> {
    head.kind.awaited()
}

/// Bytes that differ from place to place and from blob to blob.
fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| ((i >> 9) ^ i ^ (seed * 31)) as u8).collect()
}

fn blob(seed: usize, length: usize) -> Option<Blob> {
    Some(Blob::from_bytes(bytes(seed, length), Some("text/plain".into())))
}

/// Stands between two nodes, and can do to their connections what networks do.
struct Proxy {
    address: SocketAddr,
    /// What is done to each connection, in order of opening.
    connections: Arc<Mutex<Vec<watch::Sender<Fate>>>>,
    /// New connections are closed at once.
    closed: Arc<std::sync::atomic::AtomicBool>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Pass,
    /// Passes so many more bytes (both directions together), then ends both sides.
    EndAfter(usize),
    /// Nothing passes any more, and nobody is told.
    Silence,
}

impl Proxy {
    async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (list, is_closed) = (connections.clone(), closed.clone());
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                if is_closed.load(std::sync::atomic::Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(target).await else { continue };
                let sender = watch::Sender::new(Fate::Pass);
                let fate = sender.subscribe();
                list.lock().push(sender);
                tokio::spawn(forward(near, far, fate));
            }
        });
        Self { address, connections, closed }
    }

    fn doom(&self, connection: usize, fate: Fate) {
        self.connections.lock()[connection].send_replace(fate);
    }

    fn doom_all(&self, fate: Fate) {
        for connection in self.connections.lock().iter() {
            connection.send_replace(fate);
        }
    }

    fn count(&self) -> usize {
        self.connections.lock().len()
    }

    fn close(&self, closed: bool) {
        self.closed.store(closed, std::sync::atomic::Ordering::SeqCst);
    }
}

async fn forward(near: TcpStream, far: TcpStream, mut fate: watch::Receiver<Fate>) {
    let mut passed = 0;
    let (mut upward, mut downward) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        let (from, to, buffer) = tokio::select! {
            biased;
            changed = fate.changed() => {
                if changed.is_err() {
                    return;
                }
                passed = 0;
                if matches!(*fate.borrow(), Fate::EndAfter(0)) {
                    return;
                }
                continue;
            }
            _ = near.readable() => (&near, &far, &mut upward),
            _ = far.readable() => (&far, &near, &mut downward),
        };
        if *fate.borrow() == Fate::Silence {
            // Until it changes, which it may never.
            let _ = fate.wait_for(|fate| *fate != Fate::Silence).await;
            continue;
        }
        let count = match from.try_read(buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        passed += count;
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            tokio::select! {
                biased;
                changed = fate.changed() => {
                    if changed.is_err() || matches!(*fate.borrow(), Fate::EndAfter(_)) {
                        return;
                    }
                }
                _ = to.writable() => match to.try_write(rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        }
        if matches!(*fate.borrow(), Fate::EndAfter(limit) if passed >= limit) {
            return;
        }
    }
}
