//! The command's side of the control socket.
//!
//! A [`ControlClient`] is shared by cloning. A task of its own reads and writes; it never waits for the program, because the node keeps at most
//! [`MAX_INCOMING`] requests unanswered. When the connection ends, every wait ends with [`ControlError::Ended`].

mod packages;
mod peers;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{FramedRead, FramedWrite};
use tokio_util::task::AbortOnDropHandle;

use super::protocol::{Call, Codec, Frame, FrameError, FromNode, HELLO_TIME, MAX_BLOB, MAX_INCOMING, NodeInfo, Refusal, Reply, ToNode, VERSION};
use super::socket;
use crate::blob::Blob;
use crate::home::Home;
use crate::message::{Address, Content, MAX_BODY, MAX_METADATA, ProcessId};
use crate::node::ProcessInfo;
use crate::rights::Rights;

/// How long the node may take over a call that waits for no process.
const CALL_TIME: Duration = Duration::from_secs(30);
/// How much longer than a message's own time-out to wait for the node to say that it has run out.
const GRACE: Duration = Duration::from_secs(10);
/// Frames that may wait to be written before a caller does.
const WRITE_AHEAD: usize = 4;

/// Why something could not be had from the node.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No node runs in this home.
    #[error("no node runs in {}", .0.display())]
    NotRunning(PathBuf),
    /// The node and this program are of versions that don't understand each other.
    #[error("the running node is version {theirs}, and this command is version {}", env!("CARGO_PKG_VERSION"))]
    Version {
        /// The node's.
        theirs: String,
    },
    /// The node ended, or ended the connection.
    #[error("the node ended")]
    Ended,
    /// The node is there and does not answer.
    #[error("the node does not answer")]
    Silent,
    /// The node says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What should be sent is larger than it may be.
    #[error("{0}")]
    TooLarge(String),
    /// The answer was to another question.
    #[error("the node gave an answer that makes no sense")]
    Unexpected,
    /// The connection failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The socket could not be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
}

type Answered = (Result<Reply, Refusal>, Bytes, Option<Bytes>);
/// None once the connection has ended.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Answered>>>>>;

/// A connection to a node, as its owner.
#[derive(Debug, Clone)]
pub struct ControlClient {
    out: mpsc::Sender<Frame<ToNode>>,
    waiting: Waiting,
    incoming: Arc<tokio::sync::Mutex<mpsc::Receiver<Incoming>>>,
    next: Arc<AtomicU64>,
    _task: Arc<AbortOnDropHandle<()>>,
}

/// A folder of this machine that a process may be lent. It can be lent as long as the connection lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent {
    number: u64,
    drive: String,
}

impl Lent {
    /// The drive's full name, for the process that it is lent to.
    pub fn drive(&self) -> &str {
        &self.drive
    }
}

/// A request that a process made of this connection. Dropping it without an answer leaves the process to its time-out.
#[derive(Debug)]
pub struct Incoming {
    /// Who asks.
    pub source: Address,
    /// What.
    pub content: Content,
    number: u64,
    out: mpsc::Sender<Frame<ToNode>>,
}

impl Incoming {
    /// Answers. What the process makes of it is not known here.
    pub async fn respond(self, body: impl Into<Bytes>) {
        let head = ToNode::Answer { number: self.number, metadata: None, mime_type: None };
        let _ = self.out.send(Frame { head, body: body.into(), blob: None }).await;
    }
}

/// A message that was sent, and whose response can be waited for.
#[derive(Debug)]
pub struct Pending {
    receiver: oneshot::Receiver<Answered>,
    time: Duration,
}

impl Pending {
    async fn answered(self) -> Result<(Reply, Bytes, Option<Bytes>), ControlError> {
        let (result, body, blob) = tokio::time::timeout(self.time, self.receiver).await.map_err(|_| ControlError::Silent)?.map_err(|_| ControlError::Ended)?;
        Ok((result?, body, blob))
    }

    /// Waits for the response.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if the message could not be delivered or was not answered in time; [`ControlError::Ended`].
    pub async fn response(self) -> Result<(Address, Content), ControlError> {
        match self.answered().await? {
            (Reply::Response { source, metadata, mime_type }, body, blob) => {
                let blob = blob.map(|bytes| Blob::from_bytes(bytes, mime_type));
                Ok((source, Content { body, metadata, blob, capabilities: Vec::new() }))
            }
            _ => Err(ControlError::Unexpected),
        }
    }
}

impl ControlClient {
    /// Connects to the node that runs in `home`.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`] if none does, [`ControlError::Version`] if it is too different.
    pub async fn connect(home: &Home) -> Result<Self, ControlError> {
        let stream = socket::connect(home).await.map_err(|error| ControlError::Io { path: home.control_path(), error })?;
        let not_running = || ControlError::NotRunning(home.folder().into());
        match Self::over(stream.ok_or_else(not_running)?).await {
            // One that was killed just now: its socket takes connections for a moment, and nobody answers.
            Err(ControlError::Ended | ControlError::Frame(FrameError::Io(_))) => Err(not_running()),
            other => other,
        }
    }

    /// Speaks to a node at the other end of `stream`.
    ///
    /// # Errors
    /// [`ControlError::Version`] if it is too different.
    pub async fn over<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S) -> Result<Self, ControlError> {
        let (read, write) = tokio::io::split(stream);
        let mut read = FramedRead::new(read, Codec::<FromNode>::default());
        let mut write = FramedWrite::new(write, Codec::<FromNode>::default());
        write.send(Frame::head(ToNode::Hello { protocol: VERSION })).await?;
        let hello = tokio::time::timeout(HELLO_TIME, read.next()).await.map_err(|_| ControlError::Silent)?;
        match hello.transpose()?.map(|frame| frame.head) {
            Some(FromNode::Hello { protocol: VERSION, .. }) => {}
            Some(FromNode::Hello { version, .. }) => return Err(ControlError::Version { theirs: version }),
            _ => return Err(ControlError::Ended),
        }

        let (out, mut frames) = mpsc::channel::<Frame<ToNode>>(WRITE_AHEAD);
        let (deliver, incoming) = mpsc::channel(MAX_INCOMING);
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let (task_waiting, weak_out) = (waiting.clone(), out.downgrade());
        let task = tokio::spawn(async move {
            let writing = async {
                while let Some(frame) = frames.recv().await {
                    write.send(frame).await?;
                }
                Ok::<_, FrameError>(())
            };
            let reading = read_all(read, &task_waiting, deliver, weak_out);
            let ended = tokio::select! { result = writing => result, result = reading => result };
            if let Err(error) = ended {
                tracing::debug!(%error, "the connection to the node broke");
            }
            // From here on nobody waits: the senders are dropped.
            *task_waiting.lock() = None;
        });
        let incoming = Arc::new(tokio::sync::Mutex::new(incoming));
        Ok(Self { out, waiting, incoming, next: Arc::default(), _task: Arc::new(AbortOnDropHandle::new(task)) })
    }

    async fn start(&self, call: Call, body: Bytes, blob: Option<Bytes>, time: Duration) -> Result<Pending, ControlError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().as_mut().ok_or(ControlError::Ended)?.insert(number, sender);
        self.out.send(Frame { head: ToNode::Call { number, call }, body, blob }).await.map_err(|_| ControlError::Ended)?;
        Ok(Pending { receiver, time })
    }

    async fn call(&self, call: Call) -> Result<Reply, ControlError> {
        let (reply, _, _) = self.start(call, Bytes::new(), None, CALL_TIME).await?.answered().await?;
        Ok(reply)
    }

    /// Sends a request and returns when it is on its way to the node: requests go on in the order in which this was called. Body, metadata and blob of `content` are sent; what
    /// is `lent` goes with it.
    ///
    /// # Errors
    /// [`ControlError::TooLarge`], [`ControlError::Ended`].
    pub async fn begin(&self, target: &Address, content: Content, timeout: Duration, lent: &[&Lent]) -> Result<Pending, ControlError> {
        let blob = content.blob.as_ref();
        let sizes = [
            ("the body", content.body.len() as u64, MAX_BODY as u64),
            ("the metadata", content.metadata.as_ref().map_or(0, String::len) as u64, MAX_METADATA as u64),
            ("the blob", blob.map_or(0, Blob::length), MAX_BLOB),
        ];
        for (part, length, limit) in sizes {
            if length > limit {
                return Err(ControlError::TooLarge(format!("{part} of the message has {length} bytes, and {limit} at most can be sent")));
            }
        }
        let bytes = match blob {
            None => None,
            Some(blob) => Some(blob.read(0, blob.length()).await.map_err(|error| Refusal::Failed(error.to_string()))?),
        };
        let call = Call::Message {
            target: target.clone(),
            metadata: content.metadata,
            mime_type: blob.and_then(Blob::mime_type).map(str::to_owned),
            timeout: Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
            lend: lent.iter().map(|lent| lent.number).collect(),
        };
        self.start(call, content.body, bytes, timeout.saturating_add(GRACE)).await
    }

    /// Sends a request and waits for its response.
    ///
    /// # Errors
    /// As [`ControlClient::begin`] and [`Pending::response`].
    pub async fn request(&self, target: &Address, content: Content, timeout: Duration, lent: &[&Lent]) -> Result<(Address, Content), ControlError> {
        self.begin(target, content, timeout, lent).await?.response().await
    }

    /// The next request that a process makes of this connection; none when it has ended. Each must be answered, or in the end no more come.
    pub async fn incoming(&self) -> Option<Incoming> {
        self.incoming.lock().await.recv().await
    }

    /// Makes a folder something that can be lent: with `only`, as if nothing but that name were in it.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if it can't be used.
    pub async fn lend(&self, folder: &Path, rights: Rights, only: Option<&str>) -> Result<Lent, ControlError> {
        match self.call(Call::Lend { folder: folder.into(), rights, only: only.map(str::to_owned) }).await? {
            Reply::Lent { number, drive } => Ok(Lent { number, drive }),
            _ => Err(ControlError::Unexpected),
        }
    }

    /// Who the node is.
    ///
    /// # Errors
    /// [`ControlError::Ended`], [`ControlError::Silent`].
    pub async fn info(&self) -> Result<NodeInfo, ControlError> {
        match self.call(Call::Info).await? {
            Reply::Info(info) => Ok(info),
            _ => Err(ControlError::Unexpected),
        }
    }

    /// Waits until the node has read everything that was sent before: a program that ends without it may take its last answer with it.
    ///
    /// # Errors
    /// [`ControlError::Ended`], [`ControlError::Silent`].
    pub async fn flush(&self) -> Result<(), ControlError> {
        self.call(Call::Info).await.map(drop)
    }

    /// What runs.
    ///
    /// # Errors
    /// [`ControlError::Ended`], [`ControlError::Silent`].
    pub async fn processes(&self) -> Result<Vec<ProcessInfo>, ControlError> {
        match self.call(Call::Processes).await? {
            Reply::Processes(processes) => Ok(processes),
            _ => Err(ControlError::Unexpected),
        }
    }

    /// Ends a process.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is none of that name.
    pub async fn kill(&self, process: &ProcessId) -> Result<(), ControlError> {
        self.call(Call::Kill { process: process.clone() }).await.map(drop)
    }

    /// Starts a process that a package's manifest names.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if no package names it, [`Refusal::Conflict`] if it runs, [`Refusal::Failed`] if it can't be started.
    pub async fn run(&self, process: &ProcessId) -> Result<(), ControlError> {
        self.call(Call::Run { process: process.clone() }).await.map(drop)
    }

    /// The full names of the node's drives.
    ///
    /// # Errors
    /// [`ControlError::Ended`], [`ControlError::Silent`].
    pub async fn drives(&self) -> Result<Vec<String>, ControlError> {
        match self.call(Call::Drives).await? {
            Reply::Drives(drives) => Ok(drives),
            _ => Err(ControlError::Unexpected),
        }
    }
}

async fn read_all<R: AsyncRead + Unpin>(
    mut read: FramedRead<R, Codec<FromNode>>,
    waiting: &Waiting,
    deliver: mpsc::Sender<Incoming>,
    out: mpsc::WeakSender<Frame<ToNode>>,
) -> Result<(), FrameError> {
    while let Some(Frame { head, body, blob }) = read.next().await.transpose()? {
        match head {
            FromNode::Hello { .. } => return Ok(()),
            FromNode::Answer { number, result } => {
                let waiter = waiting.lock().as_mut().and_then(|waiting| waiting.remove(&number));
                if let Some(waiter) = waiter {
                    // Nobody may be waiting any more: that is no fault.
                    let _ = waiter.send((result, body, blob));
                }
            }
            FromNode::Incoming { number, source, metadata, mime_type, .. } => {
                let Some(out) = out.upgrade() else { return Ok(()) };
                let blob = blob.map(|bytes| Blob::from_bytes(bytes, mime_type));
                let content = Content { body, metadata, blob, capabilities: Vec::new() };
                // Full only if the node breaks its word about `MAX_INCOMING`.
                if deliver.try_send(Incoming { source, content, number, out }).is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
