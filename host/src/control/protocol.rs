//! What a command and a node say to each other: frames, and their form in bytes.
//!
//! ```text
//! frame  := head-length u32 · body-length u32 · blob-length u32 (0xffff_ffff: none) · head (JSON) · body · blob        (little endian)
//! ```
//!
//! The client begins with [`ToNode::Hello`], the node answers [`FromNode::Hello`]; versions that differ end the connection there. Then the client sends
//! [`ToNode::Call`]s, each with a number of its choice, and each is answered by one [`FromNode::Answer`] with that number, in any order. Requests of one connection
//! are *sent on* in the order in which they came. The node sends [`FromNode::Incoming`] for each request that a process makes of this connection's address; the
//! client answers every one with [`ToNode::Answer`], and the node keeps at most [`MAX_INCOMING`] of them unanswered.
//!
//! Lengths are checked before memory is reserved. A frame that breaks a rule ends the connection.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio_util::codec::{Decoder, Encoder};

use crate::identity::PublicKey;
use crate::message::{Address, MAX_BODY, MAX_METADATA, PackageId, ProcessId, SendErrorKind};
use crate::node::{PackageInfo, ProcessInfo};
use crate::rights::Rights;

/// Changes when a frame changes its meaning.
pub const VERSION: u32 = 3;
/// The most calls of one connection that are under way at a time; the node reads no further until one is answered.
pub const MAX_CALLS: usize = 64;
/// The most requests to one connection that wait for the client's answer.
pub const MAX_INCOMING: usize = 64;
/// The most bytes in a blob on this socket: what one message between nodes may carry.
pub const MAX_BLOB: u64 = crate::message::MAX_REMOTE_BLOB;
/// The longest head: metadata with every character escaped, a list of processes, and room.
const MAX_HEAD: usize = 6 * MAX_METADATA + (16 << 20);
/// How long either side waits for the other's hello.
pub const HELLO_TIME: Duration = Duration::from_secs(10);
const NO_BLOB: u32 = u32::MAX;
const PREFIX: usize = 12;

/// From the command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ToNode {
    /// First.
    Hello {
        /// [`VERSION`].
        protocol: u32,
    },
    /// Do this.
    Call {
        /// For the answer.
        number: u64,
        /// What.
        call: Call,
    },
    /// The answer to [`FromNode::Incoming`]; body and blob are the frame's.
    Answer {
        /// That one's.
        number: u64,
        /// Beside the body.
        metadata: Option<String>,
        /// The blob's.
        mime_type: Option<String>,
    },
}

/// What a node can be asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Call {
    /// Send a request to a process; body and blob are the frame's.
    Message {
        /// To whom.
        target: Address,
        /// Beside the body.
        metadata: Option<String>,
        /// The blob's.
        mime_type: Option<String>,
        /// How long to wait for the response, in milliseconds; none: no response is expected.
        timeout: Option<u64>,
        /// What to lend with it: numbers that [`Reply::Lent`] gave.
        lend: Vec<u64>,
    },
    /// Make a drive out of a folder of the machine, to lend it.
    Lend {
        /// The folder, absolute.
        folder: PathBuf,
        /// What may be done in it.
        rights: Rights,
        /// Show this name only, as if nothing else were there.
        only: Option<String>,
    },
    /// Who are you?
    Info,
    /// What runs?
    Processes,
    /// End a process.
    Kill {
        /// Which.
        process: ProcessId,
    },
    /// Start a process that a package's manifest names.
    Run {
        /// Which.
        process: ProcessId,
    },
    /// Which packages are loaded?
    Packages,
    /// Load a package as it stands in the home now, in place of what is loaded of it.
    StartPackage {
        /// Which.
        package: PackageId,
    },
    /// End the processes of a package.
    StopPackage {
        /// Which.
        package: PackageId,
    },
    /// Run a script of a package; its response is the reply. Meanwhile it may make requests of this connection.
    Script {
        /// Whose.
        package: PackageId,
        /// Which.
        script: String,
        /// What it is told.
        arguments: Vec<String>,
        /// How long to wait for the response, in milliseconds.
        timeout: u64,
    },
    /// Who is known?
    Peers,
    /// Make a node known, or change where it is.
    AddPeer {
        /// Its ticket.
        ticket: String,
        /// What to call it here, if not by its own name.
        name: Option<String>,
        /// What it may do, by drive; none: what it may already.
        allow: Option<Vec<(String, Rights)>>,
    },
    /// Change what a node may do with some drives.
    AllowPeer {
        /// Its name here.
        name: String,
        /// What it may do with them.
        allow: Vec<(String, Rights)>,
    },
    /// Change how many bytes a second go to a node and come from it at most.
    LimitPeer {
        /// Its name here.
        name: String,
        /// None: as many as the line takes.
        limit: Option<u64>,
    },
    /// Which drives are there?
    Drives,
    /// Know a node no longer.
    RemovePeer {
        /// Its name here.
        name: String,
    },
}

/// From the node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum FromNode {
    /// First.
    Hello {
        /// [`VERSION`].
        protocol: u32,
        /// The node's own version.
        version: String,
    },
    /// To a call. If it is a response, body and blob are the frame's.
    Answer {
        /// The call's.
        number: u64,
        /// What came of it.
        result: Result<Reply, Refusal>,
    },
    /// A process asks something of this connection; body and blob are the frame's.
    Incoming {
        /// For the answer.
        number: u64,
        /// Who asks.
        source: Address,
        /// Beside the body.
        metadata: Option<String>,
        /// The blob's.
        mime_type: Option<String>,
        /// Whether the answer goes anywhere. One is due in any case.
        expects_response: bool,
    },
}

/// What came of a call that went well.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Reply {
    /// The response to a message.
    Response {
        /// Who answered.
        source: Address,
        /// Beside the body.
        metadata: Option<String>,
        /// The blob's.
        mime_type: Option<String>,
    },
    /// Done, and nothing to say.
    Done,
    /// The drive that can be lent.
    Lent {
        /// To name it in [`Call::Message`].
        number: u64,
        /// The drive's full name, for the process that it is lent to.
        drive: String,
    },
    /// The node.
    Info(NodeInfo),
    /// What runs.
    Processes(Vec<ProcessInfo>),
    /// What is loaded, and what is not although it should be.
    Packages(Vec<PackageInfo>),
    /// Who is known.
    Peers(Vec<PeerInfo>),
    /// A peer as it is after it was added or changed.
    Peer {
        /// It.
        peer: PeerInfo,
        /// It was a peer before.
        known: bool,
    },
    /// The full names of the drives.
    Drives(Vec<String>),
}

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeInfo {
    /// Its own name.
    pub name: String,
    /// Its key.
    pub key: PublicKey,
    /// Where it listens.
    pub listening: Vec<SocketAddr>,
    /// The address of this connection.
    pub address: Address,
}

/// A node that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PeerInfo {
    /// What it is called here.
    pub name: String,
    /// Its key.
    pub key: PublicKey,
    /// Where to reach it; none: it has to call.
    pub address: Option<String>,
    /// What it may do, by drive.
    pub allow: Vec<(String, Rights)>,
    /// Bytes a second at most, in either direction.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The message could not be delivered, or was not answered.
    #[error("{0}")]
    Send(SendErrorKind),
    /// There is no such process, peer, or thing lent.
    #[error("{0}")]
    NotFound(String),
    /// The call makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Taken already.
    #[error("{0}")]
    Conflict(String),
    /// A limit is exceeded.
    #[error("{0}")]
    TooLarge(String),
    /// The node could not.
    #[error("{0}")]
    Failed(String),
}

/// A frame, its head as yet in JSON or in the type `H`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<H> {
    /// What it is.
    pub head: H,
    /// The content of a message, else empty.
    pub body: Bytes,
    /// The bytes that come with a message.
    pub blob: Option<Bytes>,
}

impl<H> Frame<H> {
    /// A frame without body or blob.
    pub fn head(head: H) -> Self {
        Self { head, body: Bytes::new(), blob: None }
    }
}

/// Why bytes are no frame, or a frame can't become bytes.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A part is longer than it may be.
    #[error("a control frame's {part} of {length} bytes is longer than {limit}")]
    TooLong {
        /// Which.
        part: &'static str,
        /// So many bytes.
        length: u64,
        /// The most.
        limit: u64,
    },
    /// The head is not what it should be.
    #[error("a control frame's head makes no sense: {0}")]
    Head(#[from] serde_json::Error),
    /// The stream failed, or ended inside a frame.
    #[error("the control connection failed: {0}")]
    Io(#[from] std::io::Error),
}

fn checked(part: &'static str, length: u64, limit: u64) -> Result<usize, FrameError> {
    match usize::try_from(length) {
        Ok(fits) if length <= limit => Ok(fits),
        _ => Err(FrameError::TooLong { part, length, limit }),
    }
}

/// Frames to bytes and back: heads of type `I` are read.
#[derive(Debug)]
pub struct Codec<I>(std::marker::PhantomData<fn() -> I>);

impl<I> Default for Codec<I> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<I: for<'de> Deserialize<'de>> Decoder for Codec<I> {
    type Item = Frame<I>;
    type Error = FrameError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, FrameError> {
        let Some(mut prefix) = bytes.get(..PREFIX) else { return Ok(None) };
        let (head, body, blob) = (prefix.get_u32_le(), prefix.get_u32_le(), prefix.get_u32_le());
        let head = checked("head", head.into(), MAX_HEAD as u64)?;
        let body = checked("body", body.into(), MAX_BODY as u64)?;
        let blob = if blob == NO_BLOB { None } else { Some(checked("blob", blob.into(), MAX_BLOB)?) };
        let length = PREFIX + head + body + blob.unwrap_or(0);
        if bytes.len() < length {
            bytes.reserve(length - bytes.len());
            return Ok(None);
        }
        let mut frame = bytes.split_to(length).freeze();
        frame.advance(PREFIX);
        let head = serde_json::from_slice(&frame.split_to(head))?;
        let body = frame.split_to(body);
        Ok(Some(Frame { head, body, blob: blob.map(|_| frame) }))
    }
}

impl<I, O: Serialize> Encoder<Frame<O>> for Codec<I> {
    type Error = FrameError;

    fn encode(&mut self, frame: Frame<O>, bytes: &mut BytesMut) -> Result<(), FrameError> {
        let head = serde_json::to_vec(&frame.head)?;
        let blob = frame.blob.as_deref().unwrap_or_default();
        checked("head", head.len() as u64, MAX_HEAD as u64)?;
        checked("body", frame.body.len() as u64, MAX_BODY as u64)?;
        checked("blob", blob.len() as u64, MAX_BLOB)?;
        bytes.reserve(PREFIX + head.len() + frame.body.len() + blob.len());
        bytes.put_u32_le(head.len() as u32);
        bytes.put_u32_le(frame.body.len() as u32);
        bytes.put_u32_le(if frame.blob.is_some() { blob.len() as u32 } else { NO_BLOB });
        bytes.put_slice(&head);
        bytes.put_slice(&frame.body);
        bytes.put_slice(blob);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
