//! The links between this node and its peers: encrypted, mutually authenticated, with flow control.
//!
//! A link carries messages between processes of two nodes. It knows process names and request numbers and nothing else of processes; the node hands it messages with [`Links::send`]
//! and takes them through [`Inbound`]. Layout, in the order in which a message passes:
//!
//! - this file: what the node calls, and what it must offer
//! - `peer`: the links of one peer, and the one attempt to dial it that all who wait share; `dial` and `listen` (with `places`): how connections come to be; `tls` and `handshake`: how they are secured and greeted
//! - `session`: one link's state, without sockets: what may be sent (`windows`), what was received (`inbox`) and is to be told (`told`), the lanes and who uses them (`lanes`, `lane`, `conversation`)
//! - `driver` and `lane_driver`: the tasks that read and write a link and a lane, over any byte stream; `buffers`: the memory for what lanes bring
//! - `limit`: how fast what the two move may be
//! - `protocol` and `frame`: the wire format, which `protocol` documents in full; `deadlines`: every time limit
//!
//! What always holds:
//! - Messages without a large blob from one process to another arrive in the order sent. A large blob never holds up another conversation's, or small messages.
//! - The reader of a link never waits for a mailbox: a full one slows those who send to it, and nobody else.
//! - A message is delivered whole and at most once. Of a message whose link broke it is not known whether it arrived; then [`Inbound::lost`] or [`Inbound::refused`] follows.
//! - No queue is unbounded, no length is believed before it is checked, and no wait on the other node is without a deadline (`deadlines`).

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::blob::{Blob, BlobError};
use crate::identity::{Identity, IdentityError};
use crate::message::{MAX_BODY, MAX_METADATA, MAX_REMOTE_BLOB, ProcessId, RequestId, SendErrorKind};
use crate::peers::Peers;

mod buffers;
pub mod cipher;
mod conversation;
mod deadlines;
mod dial;
mod driver;
mod frame;
mod handshake;
mod inbox;
mod lane;
mod lane_driver;
mod lanes;
mod limit;
mod listen;
mod peer;
mod places;
mod protocol;
mod resident;
mod session;
#[cfg(test)]
mod tests;
mod tls;
mod told;
mod windows;

pub use deadlines::Deadlines;
pub use limit::LEAST as LEAST_LIMIT;
pub use protocol::MAX_INLINE_BLOB;

use peer::Shared;
use session::SendFailure;

/// A message between nodes, without its blob.
#[derive(Debug, Clone)]
pub struct Head {
    /// Who sends it: a process of the sending node.
    pub source: ProcessId,
    /// To whom: a process of the receiving node.
    pub target: ProcessId,
    /// Request or response.
    pub kind: HeadKind,
    /// At most [`MAX_BODY`] bytes.
    pub body: Bytes,
    /// At most [`MAX_METADATA`] bytes.
    pub metadata: Option<String>,
    /// What is known of the blob. [`Links::send`] fills this in.
    pub blob: Option<BlobHead>,
}

/// What is known of a blob before it has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobHead {
    /// Its length in bytes.
    pub length: u64,
    /// The media type its maker gave it.
    pub mime_type: Option<String>,
}

/// Request or response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeadKind {
    /// A request.
    Request {
        /// The number under which a response is expected.
        reply: Option<RequestId>,
    },
    /// The response to a request.
    Response {
        /// Its number.
        to: RequestId,
    },
}

impl HeadKind {
    /// The number of the request that waits for a response.
    fn awaited(self) -> Option<RequestId> {
        match self {
            HeadKind::Request { reply } => reply,
            HeadKind::Response { .. } => None,
        }
    }
}

/// Why a message was not taken, or why no response to it will come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// The node has no such process.
    #[error("no such process")]
    NoSuchProcess,
    /// The node does not allow it.
    #[error("denied: {0}")]
    Denied(String),
    /// There was no room for it in reasonable time.
    #[error("busy: {0}")]
    Busy(String),
    /// A response that nobody waits for (any more).
    #[error("not expected")]
    NotExpected,
    /// The connection broke, again and again; or the link broke and it is not known whether the message arrived. Raised by the link itself.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The blob, of the request or of its response, could not be read where it came from. Raised by the link itself.
    #[error("its blob could not be read: {0}")]
    Unreadable(String),
}

/// Puts an admitted message into its mailbox, with the blob. It never waits. Dropped uncalled, it gives back the room that was kept.
pub type Deliver = Box<dyn FnOnce(Option<Blob>) + Send>;

/// What the node offers to its links.
pub trait Inbound: Send + Sync + 'static {
    /// Finds the target and waits for room in its mailbox for `head` and a blob of `blob_length` bytes. `peer` is the name of the node that sends, proven by its key. Messages for one
    /// target come one at a time, except those with large blobs. May be dropped before it is done.
    fn admit<'a>(&'a self, peer: &'a str, head: Head, blob_length: u64) -> BoxFuture<'a, Result<Deliver, Refusal>>;
    /// No response will come to a request that was sent with [`Links::send`], and why; without a number, a request that expected none could not be sent. It
    /// can come for a request that was answered or given up already.
    fn refused(&self, peer: &str, request: Option<RequestId>, why: Refusal);
    /// The last link to `peer` is gone: no response will come to what was sent to it. Called before a new link to that peer is used.
    fn lost(&self, peer: &str, why: &str);
}

/// Why a message could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not among the peers.
    #[error("'{0}' is not among this node's peers: add its ticket with `transship peer add TICKET`")]
    UnknownPeer(String),
    /// The node at the peer's address has another key.
    #[error("the node at {address} is not {peer}: its key is {shown}, expected {expected}; if {peer} has a new key, ask its owner for a new ticket")]
    WrongKey {
        /// The peer's name.
        peer: String,
        /// Where.
        address: String,
        /// The key of the node there.
        shown: crate::identity::PublicKey,
        /// The peer's key.
        expected: crate::identity::PublicKey,
    },
    /// This node is not among that node's peers.
    #[error("{0} does not know this node: ask its owner to add our ticket (`transship ticket` prints it)")]
    NotAccepted(String),
    /// The peer can't be reached. The text says what was tried and what to do.
    #[error("{0}")]
    Offline(String),
    /// A limit is exceeded. The text says which.
    #[error("{0}")]
    TooLarge(String),
    /// The blob could not be read.
    #[error("the blob could not be read: {0}")]
    Blob(#[from] BlobError),
}

impl From<LinkError> for SendErrorKind {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::UnknownPeer(_) => SendErrorKind::UnknownNode,
            LinkError::WrongKey { .. } | LinkError::NotAccepted(_) => SendErrorKind::Denied(error.to_string()),
            LinkError::Offline(text) => SendErrorKind::Offline(text),
            LinkError::TooLarge(text) => SendErrorKind::TooLarge(text),
            LinkError::Blob(_) => SendErrorKind::Denied(error.to_string()),
        }
    }
}

/// All links of this node. Cloning gives another handle.
#[derive(Clone)]
pub struct Links(Arc<Shared>);

impl Links {
    /// Links for the node `identity` with `peers`. [`Links::set_inbound`] must be called before messages can be taken.
    ///
    /// # Errors
    /// [`IdentityError::Key`] if TLS can't be set up with the identity's key.
    pub fn new(identity: &Identity, peers: Arc<Peers>, deadlines: Deadlines) -> Result<Self, IdentityError> {
        Ok(Self(Arc::new(Shared::new(identity, peers, deadlines)?)))
    }

    /// Says who takes messages; once. The links don't keep it alive: without it every message is refused.
    pub fn set_inbound(&self, inbound: Weak<dyn Inbound>) {
        self.0.set_inbound(inbound);
    }

    /// Accepts connections at `address` from now on, in tasks of its own. Returns the address with the port that the system chose for port 0.
    ///
    /// # Errors
    /// The system's own.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        listen::listen(self.0.clone(), address).await
    }

    /// Connects if there is no link (dialling the peer's address; all who wait share one attempt), then returns once the message is queued within the flow window of its target. Waits while that
    /// window is used up or, with a large blob, while `lanes` (1 to 255) blobs of this source for this target are under way. Dropped before it is done, the message is not sent.
    ///
    /// # Errors
    /// [`LinkError`]. What goes wrong later is told to [`Inbound::refused`] or [`Inbound::lost`].
    pub async fn send(&self, peer: &str, mut head: Head, blob: Option<Blob>, lanes: u8) -> Result<(), LinkError> {
        check(&head, blob.as_ref())?;
        head.blob = blob.as_ref().map(|blob| BlobHead { length: blob.length(), mime_type: blob.mime_type().map(Into::into) });
        let mut why = String::new();
        // Twice: a link can turn out to be dead just when it is to be used.
        for _ in 0..2 {
            let session = self.0.session(peer).await?;
            match session.send(&head, blob.as_ref(), lanes.max(1)).await {
                Ok(()) => return Ok(()),
                Err(SendFailure::Closed) => why = session.why(),
                Err(SendFailure::NoLane(text)) => return Err(LinkError::Offline(format!("no connection for blobs to {peer}: {text}"))),
                Err(SendFailure::Blob(error)) => return Err(error.into()),
            }
        }
        Err(LinkError::Offline(format!("the link to {peer} broke: {why}")))
    }

    /// Tells `peer` that a request of its will not be answered. Does not wait; without a link it is not told, and need not be: its requests have failed with the link.
    pub fn refuse(&self, peer: &str, request: RequestId, why: Refusal) {
        self.0.refuse(peer, request, why);
    }

    /// Whether there is a link to `peer` now.
    pub fn connected(&self, peer: &str) -> bool {
        self.0.connected(peer)
    }

    /// From now on this node sends at most so many bytes a second, and receives at most so many; at least [`LEAST_LIMIT`]. What is between two nodes' processes counts, not what TLS and TCP add.
    pub fn set_limit(&self, limit: Option<u64>) {
        self.0.limits.set_node(limit);
    }

    /// The limits in the entries of peers may have changed.
    pub fn limits_changed(&self) {
        self.0.limits_changed();
    }

    /// Ends all links to `peer`, for instance when it is no peer any more.
    pub fn disconnect(&self, peer: &str) {
        self.0.disconnect(peer, "its owner ended the link");
    }

    /// Ends everything: accepts and dials no more, waits (with a deadline) until what was sent has been taken over there, says goodbye.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

fn check(head: &Head, blob: Option<&Blob>) -> Result<(), LinkError> {
    if head.body.len() > MAX_BODY {
        return Err(LinkError::TooLarge(format!("a body has at most {MAX_BODY} bytes; this one has {}", head.body.len())));
    }
    if head.metadata.as_ref().is_some_and(|metadata| metadata.len() > MAX_METADATA) {
        return Err(LinkError::TooLarge(format!("metadata have at most {MAX_METADATA} bytes")));
    }
    match blob {
        Some(blob) if blob.length() > MAX_REMOTE_BLOB => {
            Err(LinkError::TooLarge(format!("a blob to another node has at most {MAX_REMOTE_BLOB} bytes; this one has {}: send it in parts", blob.length())))
        }
        Some(blob) if blob.mime_type().is_some_and(|mime| mime.len() > protocol::MAX_MIME) => {
            Err(LinkError::TooLarge(format!("a media type has at most {} bytes", protocol::MAX_MIME)))
        }
        _ => Ok(()),
    }
}
