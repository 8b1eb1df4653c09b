//! One control connection, seen from the node: an endpoint among its processes, and the owner's hand.
//!
//! A single task reads, waits for the calls under way, and passes on what processes ask; a second future beside it writes. All that a connection holds (its endpoint,
//! what it lent, the answers it owes) is in a [`Session`] and ends with it.

mod packages;

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite};

use super::protocol::{
    Call, Codec, Frame, FrameError, FromNode, HELLO_TIME, MAX_BLOB, MAX_CALLS, MAX_INCOMING, NodeInfo, PeerInfo, Refusal, Reply, ToNode, VERSION,
};
use crate::blob::Blob;
use crate::capability::Capability;
use crate::message::{Address, Content, ProcessId};
use crate::node::{Client, Node, Received};
use crate::rights::Rights;
use crate::ticket::Ticket;
use crate::vfs::Drive;
use packages::plain;

/// Frames that may wait for a slow command before the session does.
const WRITE_AHEAD: usize = 4;
/// The longest wait that a message may ask for: a day.
const MAX_TIMEOUT: u64 = 86_400_000;
/// How long the answer to what runs here waits for packages that are being loaded: long enough for those whose code is there.
const GRACE: Duration = Duration::from_secs(1);
/// The most folders that one connection lends.
const MAX_LENT: usize = 1024;

type Out = mpsc::Sender<Frame<FromNode>>;
/// What came of a call, with body and blob.
type Answered = Result<(Reply, Bytes, Option<Bytes>), Refusal>;
type Calls<'a> = FuturesUnordered<Pin<Box<dyn Future<Output = Frame<FromNode>> + Send + 'a>>>;

pub(super) async fn run<S: AsyncRead + AsyncWrite>(node: Node, stream: S) -> Result<(), FrameError> {
    let (read, write) = tokio::io::split(stream);
    let mut read = FramedRead::new(read, Codec::<ToNode>::default());
    let mut write = FramedWrite::new(write, Codec::<ToNode>::default());

    let first = tokio::time::timeout(HELLO_TIME, read.next()).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?;
    write.send(Frame::head(FromNode::Hello { protocol: VERSION, version: env!("CARGO_PKG_VERSION").into() })).await?;
    let Some(Frame { head: ToNode::Hello { protocol: VERSION }, .. }) = first.transpose()? else { return Ok(()) };

    let session = Session { client: node.client(), node, lent: Mutex::default() };
    let (out, mut frames) = mpsc::channel(WRITE_AHEAD);
    let writing = async {
        while let Some(frame) = frames.recv().await {
            write.send(frame).await?;
        }
        Ok(())
    };
    tokio::select! {
        result = writing => result,
        result = session.serve(read, out) => result,
    }
}

struct Session {
    node: Node,
    client: Client,
    lent: Mutex<HashMap<u64, Capability>>,
}

impl Session {
    async fn serve<R: AsyncRead + Unpin>(&self, mut read: FramedRead<R, Codec<ToNode>>, out: Out) -> Result<(), FrameError> {
        let mut calls: Calls<'_> = FuturesUnordered::new();
        // Bounded by what is owed. Whoever asked may be slow to take the answer; nobody else waits for that.
        let mut answers = FuturesUnordered::new();
        let mut owed: HashMap<u64, Option<crate::node::Reply>> = HashMap::new();
        let mut incoming = 0u64;
        // Kept from turn to turn, so that a request in the middle of being received is not lost to a frame that comes at the same time.
        let mut receiving = Box::pin(self.client.receive());
        loop {
            tokio::select! {
                frame = read.next() => {
                    let Some(Frame { head, body, blob }) = frame.transpose()? else { return Ok(()) };
                    match head {
                        ToNode::Hello { .. } => return Ok(()),
                        ToNode::Call { number, .. } if calls.len() >= MAX_CALLS => {
                            let refusal = Refusal::TooLarge(format!("at most {MAX_CALLS} calls may be under way on one connection"));
                            send(&out, Frame::head(FromNode::Answer { number, result: Err(refusal) })).await;
                        }
                        ToNode::Call { number, call } => {
                            let mut call: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(self.answer(number, call, body, blob));
                            // Sends the request on now, before any later frame is looked at: that keeps their order.
                            match futures::poll!(&mut call) {
                                std::task::Poll::Ready(frame) => send(&out, frame).await,
                                std::task::Poll::Pending => calls.push(call),
                            }
                        }
                        ToNode::Answer { number, metadata, mime_type } => {
                            if let Some(Some(reply)) = owed.remove(&number) {
                                answers.push(reply.respond(content(body, metadata, blob, mime_type)));
                            }
                        }
                    }
                }
                Some(frame) = calls.next() => send(&out, frame).await,
                Some(()) = answers.next() => {}
                received = &mut receiving, if owed.len() + answers.len() < MAX_INCOMING => {
                    let Some(Received { source, content, reply }) = received else { return Ok(()) };
                    receiving.set(self.client.receive());
                    let Ok(blob) = bytes_of(content.blob.as_ref()).await else {
                        tracing::debug!(%source, "a request to a command carried a blob that could not be read");
                        continue;
                    };
                    incoming += 1;
                    let mime_type = content.blob.as_ref().and_then(Blob::mime_type).map(str::to_owned);
                    let head = FromNode::Incoming { number: incoming, source, metadata: content.metadata, mime_type, expects_response: reply.is_some() };
                    owed.insert(incoming, reply);
                    send(&out, Frame { head, body: content.body, blob }).await;
                }
            }
        }
    }

    /// What is about to be there is not "not there".
    async fn wait_for_packages(&self, call: &Call) {
        match call {
            Call::Packages | Call::Processes => drop(tokio::time::timeout(GRACE, self.node.loaded()).await),
            Call::Kill { process } => self.node.package_loaded(process.package()).await,
            _ => {}
        }
    }

    async fn answer(&self, number: u64, call: Call, body: Bytes, blob: Option<Bytes>) -> Frame<FromNode> {
        self.wait_for_packages(&call).await;
        let answered = match call {
            Call::Message { target, metadata, mime_type, timeout, lend } => match self.lent_capabilities(&lend) {
                Err(refusal) => Err(refusal),
                Ok(capabilities) => {
                    let content = Content { capabilities, ..content(body, metadata, blob, mime_type) };
                    self.message(&target, content, timeout).await
                }
            },
            Call::Run { process } => self.run(&process).await.map(plain),
            Call::StartPackage { package } => self.start_package(&package).await.map(plain),
            Call::StopPackage { package } => self.stop_package(&package).await.map(plain),
            Call::Script { package, script, arguments, timeout } => self.script(&package, &script, &arguments, timeout).await,
            other => self.manage(other).map(plain),
        };
        match answered {
            Ok((reply, body, blob)) => Frame { head: FromNode::Answer { number, result: Ok(reply) }, body, blob },
            Err(refusal) => Frame::head(FromNode::Answer { number, result: Err(refusal) }),
        }
    }

    async fn message(&self, target: &Address, content: Content, timeout: Option<u64>) -> Answered {
        let Some(timeout) = timeout else {
            self.client.send(target, content).await.map_err(Refusal::Send)?;
            return Ok((Reply::Done, Bytes::new(), None));
        };
        let timeout = Duration::from_millis(timeout.clamp(1, MAX_TIMEOUT));
        let (source, content) = self.client.request(target, content, timeout).await.map_err(Refusal::Send)?;
        response(source, content).await
    }

    fn manage(&self, call: Call) -> Result<Reply, Refusal> {
        match call {
            Call::Message { .. } | Call::Run { .. } | Call::StartPackage { .. } | Call::StopPackage { .. } | Call::Script { .. } => {
                Err(Refusal::Invalid("it is answered elsewhere".into()))
            }
            Call::Packages => Ok(Reply::Packages(self.node.packages())),
            Call::Lend { folder, rights, only } => self.lend(&folder, rights, only.as_deref()),
            Call::Info => Ok(Reply::Info(NodeInfo {
                name: self.node.name().into(),
                key: self.node.public_key(),
                listening: self.node.listening(),
                address: self.client.address().clone(),
            })),
            Call::Processes => Ok(Reply::Processes(self.node.processes())),
            Call::Kill { process } => self.kill(&process),
            Call::Peers => Ok(Reply::Peers(self.node.peers().list().into_iter().map(PeerInfo::from).collect())),
            Call::AddPeer { ticket, name, allow } => {
                let ticket: Ticket = ticket.parse().map_err(|error| Refusal::Invalid(format!("{error}")))?;
                let added = self.node.peers().add(&ticket, name.as_deref(), allow.map(|allow| allow.into_iter().collect()))?;
                Ok(Reply::Peer { peer: added.peer.into(), known: added.known })
            }
            Call::LimitPeer { name, limit } => {
                let peer = self.node.limit_peer(&name, limit)?;
                Ok(Reply::Peer { peer: peer.into(), known: true })
            }
            Call::AllowPeer { name, allow } => {
                let peer = self.node.peers().allow(&name, &allow.into_iter().collect())?;
                Ok(Reply::Peer { peer: peer.into(), known: true })
            }
            Call::Drives => Ok(Reply::Drives(self.node.drives())),
            Call::RemovePeer { name } => {
                self.node.peers().remove(&name)?;
                self.node.disconnect(&name);
                Ok(Reply::Done)
            }
        }
    }

    fn lend(&self, folder: &Path, rights: Rights, only: Option<&str>) -> Result<Reply, Refusal> {
        if !folder.is_absolute() {
            return Err(Refusal::Invalid(format!("{} is not an absolute path", folder.display())));
        }
        let mut lent = self.lent.lock();
        if lent.len() >= MAX_LENT {
            return Err(Refusal::TooLarge(format!("one connection lends at most {MAX_LENT} folders")));
        }
        let name = lent_name(folder, only).map_err(|error| Refusal::Failed(format!("{}: {error}", folder.display())))?;
        // None is ever taken back, so that no number is used twice.
        let number = lent.len() as u64;
        let drive = match only {
            Some(only) => Drive::folder_showing(&name, folder, only),
            None => Drive::folder(&name, folder),
        };
        let drive = drive.map_err(|error| Refusal::Failed(format!("{}: {error}", folder.display())))?;
        lent.insert(number, self.client.lend(drive, rights));
        Ok(Reply::Lent { number, drive: name })
    }

    fn lent_capabilities(&self, numbers: &[u64]) -> Result<Vec<Capability>, Refusal> {
        let lent = self.lent.lock();
        let find = |number| lent.get(number).cloned().ok_or_else(|| Refusal::NotFound(format!("nothing was lent under the number {number}")));
        numbers.iter().map(find).collect()
    }

    async fn run(&self, process: &ProcessId) -> Result<Reply, Refusal> {
        match self.node.run(process).await {
            Ok(true) => Ok(Reply::Done),
            Ok(false) => Err(Refusal::NotFound(format!("no package of this node has a process {process}"))),
            Err(_) if self.node.processes().iter().any(|running| running.id == *process) => Err(Refusal::Conflict(format!("{process} runs already"))),
            Err(error) => Err(Refusal::Failed(error.to_string())),
        }
    }

    fn kill(&self, process: &ProcessId) -> Result<Reply, Refusal> {
        if self.node.kill(process) { Ok(Reply::Done) } else { Err(Refusal::NotFound(format!("no process {process} runs here"))) }
    }
}

/// What a drive is called that lends this folder, or this name in it. The same in every session, so that whoever keeps something about a drive finds it again, and two
/// who use one place at the same time see that it is one. Knowing the name gives no access: capabilities do.
fn lent_name(folder: &Path, only: Option<&str>) -> std::io::Result<String> {
    let folder = std::fs::canonicalize(folder)?;
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    digest.update(folder.as_os_str().as_encoded_bytes());
    // No path and no name has a NUL.
    digest.update(b"\0");
    digest.update(only.unwrap_or_default().as_bytes());
    let digest = digest.finish();
    Ok(format!("command:transship/lent-{}", data_encoding::HEXLOWER.encode(digest.as_ref().get(..8).unwrap_or_default())))
}

/// Only fails when the writer has ended, and then the session is about to end too.
async fn send(out: &Out, frame: Frame<FromNode>) {
    let _ = out.send(frame).await;
}

fn content(body: Bytes, metadata: Option<String>, blob: Option<Bytes>, mime_type: Option<String>) -> Content {
    Content { body, metadata, blob: blob.map(|bytes| Blob::from_bytes(bytes, mime_type)), capabilities: Vec::new() }
}

/// What a process answered, as the answer to a call.
async fn response(source: Address, content: Content) -> Answered {
    let mime_type = content.blob.as_ref().and_then(Blob::mime_type).map(str::to_owned);
    let blob = bytes_of(content.blob.as_ref()).await?;
    Ok((Reply::Response { source, metadata: content.metadata, mime_type }, content.body, blob))
}

async fn bytes_of(blob: Option<&Blob>) -> Result<Option<Bytes>, Refusal> {
    let Some(blob) = blob else { return Ok(None) };
    let length = blob.length();
    if length > MAX_BLOB {
        return Err(Refusal::TooLarge(format!("a blob of {length} bytes came, and a command takes at most {MAX_BLOB}")));
    }
    blob.read(0, length).await.map(Some).map_err(|error| Refusal::Failed(format!("the blob that came could not be read: {error}")))
}
