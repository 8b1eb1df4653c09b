//! Where messages go: from a process to another of this node, to a link, and back.
//!
//! Holds who is alive and applies the rules of who may send to whom. What always holds: a request that expects a response ends as exactly one of response, failure or time-out at its sender; the
//! source of every message is set here, from what the node itself knows; nothing waits without a deadline. A message to another node passes through [`crate::link`], which
//! hands what arrives to [`Router`] (see `inbound`).

mod answers;
mod inbound;
mod soon;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use crate::blob::Blob;
use crate::link::{Head, HeadKind, Inbound, Links, Refusal};
use crate::message::{Address, Content, MAX_BODY, MAX_CONTEXT, MAX_METADATA, MAX_REMOTE_BLOB, NodeName, ProcessId, RequestId, SendErrorKind};
use crate::node::loading::Loading;
use crate::process::mailbox::Item;
use crate::process::pending::{ReplyTo, Request, Then};
use crate::process::{Need, Process};
use answers::{Answers, Waiting};

/// How long a sender waits for room in a mailbox of this node.
const MAILBOX_WAIT: Duration = Duration::from_secs(60);
/// How long the response to a request that was handed on to another node is waited for.
const HANDED_ON_WAIT: Duration = Duration::from_secs(600);

/// A request on its way out.
pub(crate) struct Outgoing {
    pub(crate) target: Address,
    pub(crate) content: Content,
    /// Milliseconds; none: no response is expected.
    pub(crate) expects: Option<u64>,
    pub(crate) then: Then,
    /// Who waits instead, if no response is expected here.
    pub(crate) inherited: Option<ReplyTo>,
}

/// A request that was not sent, and why.
pub(crate) type Unsent = (SendErrorKind, Box<Outgoing>);

/// Why an answer could not be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RespondError {
    Offline,
    TooLarge(String),
    Denied(String),
}

/// See the module.
pub(crate) struct Router {
    our_name: NodeName,
    pending_requests: usize,
    processes: RwLock<HashMap<ProcessId, Arc<Process>>>,
    /// Which process waits for a response from another node.
    abroad: Mutex<HashMap<RequestId, ProcessId>>,
    links: OnceLock<Links>,
    answers: Answers,
    loading: Arc<Loading>,
    this: Weak<Router>,
}

impl Router {
    pub(crate) fn new(our_name: NodeName, pending_requests: u32, loading: Arc<Loading>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            our_name,
            pending_requests: pending_requests as usize,
            processes: RwLock::default(),
            abroad: Mutex::default(),
            links: OnceLock::new(),
            answers: Answers::default(),
            loading,
        })
    }

    /// Gives it the links, once.
    pub(crate) fn connect(&self, links: Links) {
        let inbound: Weak<dyn Inbound> = self.this.clone();
        links.set_inbound(inbound);
        if self.links.set(links).is_err() {
            tracing::error!("the links were set twice");
        }
    }

    /// The address of a process of this node.
    pub(crate) fn address_of(&self, process: &ProcessId) -> Address {
        self.our_name.address(process)
    }

    pub(crate) fn find(&self, process: &ProcessId) -> Option<Arc<Process>> {
        self.processes.read().get(process).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Process>> {
        self.processes.read().values().cloned().collect()
    }

    /// Enters a process. False: its name is taken.
    pub(crate) fn enter(&self, process: &Arc<Process>) -> bool {
        let mut processes = self.processes.write();
        if processes.contains_key(&process.id) {
            return false;
        }
        processes.insert(process.id.clone(), process.clone());
        true
    }

    /// Removes a process that has ended, tells those who wait for it, and ends what it held.
    pub(crate) fn remove(&self, process: &Process) {
        self.processes.write().remove(&process.id);
        process.mailbox.close();
        self.settle(process, &SendErrorKind::NoSuchProcess);
        for capability in process.held.lock().drain(..) {
            capability.end();
        }
    }

    /// Tells those who wait for a process's answers that none will come, and forgets what it waits for itself.
    pub(crate) fn settle(&self, process: &Process, why: &SendErrorKind) {
        let owed: Vec<ReplyTo> = process.owed.lock().drain().collect();
        for reply in owed {
            self.fail(&reply, why.clone());
        }
        let forgotten = process.pending.lock().forget();
        for (id, handed_on) in forgotten {
            self.abroad.lock().remove(&id);
            if let Some(reply) = handed_on {
                self.fail(&reply, why.clone());
            }
        }
    }

    /// Sends a request. Waits for room, not for the response.
    ///
    /// A guest that calls this waits on a stack of its own, which keeps the memory that it has once used, for each of thousands of processes: so what is large, or rare, is elsewhere.
    pub(crate) async fn send_request(&self, from: &Process, outgoing: Box<Outgoing>) -> Result<(), Unsent> {
        if let Err(kind) = self.check(from, &outgoing) {
            return Err((kind, outgoing));
        }
        from.messages_out.fetch_add(1, Ordering::Relaxed);
        if outgoing.target.node() == self.our_name.as_str() { self.request_here(from, outgoing).await } else { self.begin_abroad(from, outgoing).await }
    }

    fn check(&self, from: &Process, outgoing: &Outgoing) -> Result<(), SendErrorKind> {
        check_content(&outgoing.content).map_err(SendErrorKind::TooLarge)?;
        if let Then::Receive { context: Some(context) } = &outgoing.then
            && context.len() > MAX_CONTEXT
        {
            return Err(SendErrorKind::TooLarge(format!("a context has at most {MAX_CONTEXT} bytes")));
        }
        if outgoing.expects.is_some_and(|wait| wait == 0 || wait > 86_400_000) {
            return Err(SendErrorKind::TooLarge("expects-response is 1 to 86,400,000 milliseconds".into()));
        }
        if outgoing.expects.is_some() && from.pending.lock().requests() >= self.pending_requests {
            return Err(SendErrorKind::TooLarge(format!("a process waits for at most {} responses at a time", self.pending_requests)));
        }
        Ok(())
    }

    async fn request_here(&self, from: &Process, mut outgoing: Box<Outgoing>) -> Result<(), Unsent> {
        let wait = outgoing.expects.map_or(MAILBOX_WAIT, |wait| Duration::from_millis(wait).min(MAILBOX_WAIT));
        let started = Instant::now();
        let target = match self.find(outgoing.target.process()) {
            Some(target) => target,
            None => match Box::pin(self.find_soon(outgoing.target.process(), wait)).await {
                Ok(target) => target,
                Err(kind) => return Err((kind, outgoing)),
            },
        };
        if !from.may_message(&target) {
            let why = from.lacks(Need::Messaging(&target.id));
            return Err((SendErrorKind::Denied(format!("{} is not public, and {why}", target.id)), outgoing));
        }
        let source = self.address_of(&from.id);
        let size = size_of(&outgoing.content);
        let room = match target.mailbox.reserve_request(size).now_or_never() {
            Some(room) => Ok(room),
            // Nobody would take a message out while it waits for itself.
            None if target.id == from.id => Err(SendErrorKind::Timeout),
            None => {
                let left = wait.saturating_sub(started.elapsed());
                Box::pin(tokio::time::timeout(left, target.mailbox.reserve_request(size))).await.map_err(|_| SendErrorKind::Timeout)
            }
        };
        let room = match room {
            Ok(Ok(room)) => room,
            Ok(Err(_closed)) => return Err((SendErrorKind::NoSuchProcess, outgoing)),
            Err(kind) => return Err((kind, outgoing)),
        };
        let mut content = outgoing.content.clone();
        content.capabilities = outgoing.content.capabilities.drain(..).map(|capability| capability.passed_on(&from.id)).collect();
        let reply = match outgoing.expects {
            Some(expects) => {
                let id = RequestId::random();
                let deadline = started + Duration::from_millis(expects);
                from.pending.lock().enter(id, Request { target: outgoing.target, content: outgoing.content, expects, deadline, then: outgoing.then });
                Some(ReplyTo { node: None, process: from.id.clone(), request: id })
            }
            None => outgoing.inherited,
        };
        if let Some(reply) = &reply {
            from.owed.lock().remove(reply);
            target.owed.lock().insert(reply.clone());
        }
        target.mailbox.deliver(Item::Request { source, content, reply: reply.clone() }, room);
        // The target may have ended between the two: then nobody else settles what it owes.
        if self.find(&target.id).is_none_or(|now| !Arc::ptr_eq(&now, &target))
            && let Some(reply) = reply
            && target.owed.lock().remove(&reply)
        {
            self.fail(&reply, SendErrorKind::NoSuchProcess);
        }
        Ok(())
    }

    /// The future is made on the stack before it is boxed: not on that of a caller who sends to this node only.
    #[inline(never)]
    fn begin_abroad<'a>(&'a self, from: &'a Process, outgoing: Box<Outgoing>) -> BoxFuture<'a, Result<(), Unsent>> {
        Box::pin(self.request_abroad(from, outgoing))
    }

    async fn request_abroad(&self, from: &Process, outgoing: Box<Outgoing>) -> Result<(), Unsent> {
        if !from.may_network() {
            return Err((SendErrorKind::Denied(from.lacks(Need::Network)), outgoing));
        }
        if let Err(kind) = check_abroad(&outgoing.content) {
            return Err((kind, outgoing));
        }
        let Some(links) = self.links.get() else { return Err((SendErrorKind::Offline("this node has no links".into()), outgoing)) };
        let Outgoing { target, content, expects, then, inherited } = *outgoing;
        let (entry, handed_on) = match (expects, inherited) {
            (Some(expects), inherited) => (Some((expects, then)), inherited),
            (None, Some(reply)) => (Some((HANDED_ON_WAIT.as_millis() as u64, Then::HandOn(reply.clone()))), Some(reply)),
            (None, None) => (None, None),
        };
        let head = Head {
            source: from.id.clone(),
            target: target.process().clone(),
            kind: HeadKind::Request { reply: None },
            body: content.body.clone(),
            metadata: content.metadata.clone(),
            blob: None,
        };
        let lanes = from.lanes_to(&target);
        let (blob, node) = (content.blob.clone(), target.node().to_owned());
        let (id, head) = match entry {
            Some((expects, then)) => {
                let id = RequestId::random();
                let deadline = Instant::now() + Duration::from_millis(expects);
                self.abroad.lock().insert(id, from.id.clone());
                if let Then::HandOn(reply) = &then {
                    from.owed.lock().remove(reply);
                }
                from.pending.lock().enter(id, Request { target: target.clone(), content: content.clone(), expects, deadline, then });
                (Some(id), Head { kind: HeadKind::Request { reply: Some(id) }, ..head })
            }
            None => (None, head),
        };
        // Until the other side has taken what was sent before: no longer than the response would be waited for.
        let wait = expects.map_or(MAILBOX_WAIT, Duration::from_millis);
        let sent = tokio::time::timeout(wait, links.send(&node, head, blob, lanes)).await;
        if let Some(kind) = sent.map_or(Some(SendErrorKind::Timeout), |sent| sent.err().map(SendErrorKind::from)) {
            let Some(id) = id else {
                return Err((kind, Box::new(Outgoing { target, content, expects, then: Then::Receive { context: None }, inherited: handed_on })));
            };
            self.abroad.lock().remove(&id);
            // If it is gone, it has been failed already (the node was lost, or time ran out).
            let Some(request) = from.pending.lock().take(id) else { return Ok(()) };
            let (then, inherited) = match request.then {
                Then::HandOn(reply) => (Then::Receive { context: None }, Some(reply)),
                then => (then, None),
            };
            return Err((kind, Box::new(Outgoing { target, content: request.content, expects, then, inherited })));
        }
        Ok(())
    }

    /// Answers a request that `from` received.
    pub(crate) async fn send_response(&self, from: &Process, reply: &ReplyTo, content: Content) -> Result<(), RespondError> {
        check_content(&content).map_err(RespondError::TooLarge)?;
        if reply.node.is_some() {
            check_abroad(&content).map_err(|kind| match kind {
                SendErrorKind::Denied(why) => RespondError::Denied(why),
                other => RespondError::TooLarge(other.to_string()),
            })?;
        }
        from.owed.lock().remove(reply);
        from.messages_out.fetch_add(1, Ordering::Relaxed);
        let source = self.address_of(&from.id);
        self.deliver_response(from, source, reply.clone(), content).await
    }

    async fn deliver_response(&self, from: &Process, source: Address, mut reply: ReplyTo, mut content: Content) -> Result<(), RespondError> {
        // Each turn follows one hand-over on this node; a chain of them is as long as the requests that were sent.
        loop {
            if let Some(node) = &reply.node {
                content.capabilities.clear();
                let Some(links) = self.links.get() else { return Err(RespondError::Offline) };
                let head = Head {
                    source: from.id.clone(),
                    target: reply.process.clone(),
                    kind: HeadKind::Response { to: reply.request },
                    body: content.body,
                    metadata: content.metadata,
                    blob: None,
                };
                let lanes = Address::new(node, reply.process.clone()).map_or(1, |address| from.lanes_to(&address));
                return match content.blob {
                    // Its sender is slowed down with it: that is what bounds the blobs under way.
                    Some(blob) => Box::pin(links.send(node, head, Some(blob), lanes)).await.map_err(|_| RespondError::Offline),
                    None => self.answer_abroad(links, node, head, reply.request),
                };
            }
            let Some(requester) = self.find(&reply.process) else { return Ok(()) };
            // Whoever no longer waits does not want the answer.
            let Some(request) = requester.pending.lock().take(reply.request) else { return Ok(()) };
            content.capabilities = content.capabilities.drain(..).map(|capability| capability.passed_on(&from.id)).collect();
            match request.then {
                Then::Await(awaited) => {
                    drop(awaited.send(Ok((source, content))));
                    return Ok(());
                }
                Then::HandOn(next) => reply = next,
                Then::Receive { context } => {
                    let size = size_of(&content);
                    let room = match requester.mailbox.reserve_response(size).now_or_never() {
                        Some(room) => room.ok(),
                        None => Box::pin(tokio::time::timeout(MAILBOX_WAIT, requester.mailbox.reserve_response(size))).await.ok().and_then(Result::ok),
                    };
                    if let Some(room) = room {
                        requester.mailbox.deliver(Item::Response { source, content, context }, room);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Answers a process of another node without waiting for it: one that takes no answers must not hold up whoever answers others too. What finds no room at once is
    /// sent later by a task of its own (so responses can overtake each other), within bounds for each node.
    fn answer_abroad(&self, links: &Links, node: &str, head: Head, request: RequestId) -> Result<(), RespondError> {
        let bytes = head.body.len() + head.metadata.as_ref().map_or(0, String::len);
        let (owned_links, owned_node) = (links.clone(), node.to_owned());
        let mut sending = Box::pin(async move { owned_links.send(&owned_node, head, None, 1).await });
        if let Some(sent) = (&mut sending).now_or_never() {
            return sent.map_err(|_| RespondError::Offline);
        }
        let refuse = {
            let (links, node) = (links.clone(), node.to_owned());
            move |why: &str| links.refuse(&node, request, Refusal::Busy(why.into()))
        };
        let Some(place) = Waiting::enter(&self.answers, node, bytes) else {
            refuse("too many responses wait to be taken");
            return Err(RespondError::Offline);
        };
        tokio::spawn(async move {
            match tokio::time::timeout(MAILBOX_WAIT, sending).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a response could not be sent"),
                Err(_) => refuse("the response was not taken in time"),
            }
            drop(place);
        });
        Ok(())
    }

    /// Tells whoever waits that no response will come.
    pub(crate) fn fail(&self, reply: &ReplyTo, kind: SendErrorKind) {
        let mut next = Some((reply.clone(), kind));
        while let Some((reply, kind)) = next.take() {
            match &reply.node {
                Some(node) => {
                    if let Some(links) = self.links.get() {
                        links.refuse(node, reply.request, inbound::refusal_of(kind));
                    }
                }
                None => {
                    let Some(requester) = self.find(&reply.process) else { return };
                    next = requester.pending.lock().fail(reply.request, kind);
                    requester.mailbox.wake();
                }
            }
        }
    }
}

fn check_content(content: &Content) -> Result<(), String> {
    if content.body.len() > MAX_BODY {
        return Err(format!("a body has at most {MAX_BODY} bytes: send more as a blob"));
    }
    if content.metadata.as_ref().is_some_and(|text| text.len() > MAX_METADATA) {
        return Err(format!("metadata has at most {MAX_METADATA} bytes"));
    }
    Ok(())
}

fn check_abroad(content: &Content) -> Result<(), SendErrorKind> {
    if !content.capabilities.is_empty() {
        return Err(SendErrorKind::Denied("capabilities do not travel between nodes".into()));
    }
    if content.blob.as_ref().is_some_and(|blob| blob.length() > MAX_REMOTE_BLOB) {
        return Err(SendErrorKind::TooLarge(format!("a blob between nodes has at most {MAX_REMOTE_BLOB} bytes: send slices")));
    }
    Ok(())
}

fn size_of(content: &Content) -> u64 {
    content.body.len() as u64 + content.metadata.as_ref().map_or(0, |text| text.len() as u64) + content.blob.as_ref().map_or(0, Blob::resident)
}
