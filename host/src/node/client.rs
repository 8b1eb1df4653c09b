//! A program's own endpoint on a node: sends to processes, receives from them, and lends them folders.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Node, NodeInner};
use crate::capability::{Capability, Kind};
use crate::host_api::await_response;
use crate::message::{Address, Content, ProcessId, SendErrorKind};
use crate::process::mailbox::Item;
use crate::process::pending::{ReplyTo, Then};
use crate::process::{Birth, Process};
use crate::rights::Rights;
use crate::router::Outgoing;
use crate::vfs::Drive;

/// An endpoint that speaks for the node's owner: it may send to every process of the node and of its peers. What it lends ends when it is dropped.
pub struct Client {
    node: Arc<NodeInner>,
    process: Arc<Process>,
    address: Address,
}

/// A request that a process sent to a client.
pub struct Received {
    /// Who sent it.
    pub source: Address,
    /// What.
    pub content: Content,
    /// The right to answer it, if an answer is expected.
    pub reply: Option<Reply>,
}

/// The right to answer one request.
pub struct Reply {
    node: Arc<NodeInner>,
    process: Arc<Process>,
    to: ReplyTo,
}

impl Reply {
    /// Answers. Whether the answer still matters to anybody is not known here.
    pub async fn respond(self, content: Content) {
        if let Err(error) = self.node.router.send_response(&self.process, &self.to, content).await {
            tracing::debug!("a client's answer was not sent: {error:?}");
        }
    }
}

impl Client {
    pub(super) fn new(node: &Node) -> Self {
        let node = node.inner.clone();
        let id = ProcessId::of_client(rand::random());
        let address = node.router.address_of(&id);
        let birth = Birth { id, parent: None, component: "client".into(), public: false, owner: true, held: Vec::new(), memory_limit: 0, asked: None };
        let process = Arc::new(Process::new(birth, &node.limits));
        node.router.enter(&process);
        Self { node, process, address }
    }

    /// Its address, for processes to send to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request and waits for the response.
    ///
    /// # Errors
    /// [`SendErrorKind::Timeout`] after `timeout` (1 ms to a day), and all others of that type.
    pub async fn request(&self, target: &Address, content: Content, timeout: Duration) -> Result<(Address, Content), SendErrorKind> {
        let (sender, receiver) = oneshot::channel();
        let expects = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).clamp(1, 86_400_000);
        let deadline = Instant::now() + Duration::from_millis(expects);
        let outgoing = Outgoing { target: target.clone(), content, expects: Some(expects), then: Then::Await(sender), inherited: None };
        self.node.router.send_request(&self.process, Box::new(outgoing)).await.map_err(|(kind, _)| kind)?;
        match await_response(&self.node.router, &self.process, receiver, deadline).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(failure)) => Err(failure.kind),
            None => Err(SendErrorKind::Offline("the node is ending".into())),
        }
    }

    /// Sends a request that expects no response.
    ///
    /// # Errors
    /// [`SendErrorKind`], as far as known at once.
    pub async fn send(&self, target: &Address, content: Content) -> Result<(), SendErrorKind> {
        let outgoing = Outgoing { target: target.clone(), content, expects: None, then: Then::Receive { context: None }, inherited: None };
        self.node.router.send_request(&self.process, Box::new(outgoing)).await.map_err(|(kind, _)| kind)
    }

    /// Whether requests wait to be received.
    pub(crate) fn unread(&self) -> bool {
        self.process.mailbox.waiting().0 > 0
    }

    /// Waits for the next request of a process. None: the node has ended.
    pub async fn receive(&self) -> Option<Received> {
        loop {
            if let Some(item) = self.process.mailbox.take() {
                // Responses go to those who await them in `request`.
                if let Item::Request { source, content, reply } = item {
                    self.process.messages_in.fetch_add(1, Ordering::Relaxed);
                    let reply = reply.map(|to| Reply { node: self.node.clone(), process: self.process.clone(), to });
                    return Some(Received { source, content, reply });
                }
                continue;
            }
            tokio::select! {
                () = self.process.mailbox.wait() => {}
                () = self.node.ending.cancelled() => return None,
            }
        }
    }

    /// Makes a drive available to whoever gets the capability in a message, for as long as this client lives.
    pub fn lend(&self, drive: Drive, rights: Rights) -> Capability {
        let root = Capability::granted(Kind::Drive { drive, rights });
        let lent = root.passed_on(&self.process.id);
        self.process.held.lock().push(lent.clone());
        lent
    }

    /// Lets blobs to a process of another node take so many connections at once.
    pub fn set_lanes(&self, target: &Address, count: u8) {
        self.process.lanes.lock().insert(target.clone(), count.max(1));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.node.router.remove(&self.process);
    }
}
