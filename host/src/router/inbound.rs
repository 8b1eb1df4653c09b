//! What links hand to the router: messages from other nodes, refusals, and the news that a node is gone.
//!
//! A request gets in if its target may use the network, and is public or of the same package as its source says it is (which its node answers for). A response gets in if a process waits for it, from that node.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{MAILBOX_WAIT, Router};
use crate::link::{Deliver, Head, HeadKind, Inbound, Refusal};
use crate::message::{Address, Content, RequestId, SendErrorKind};
use crate::process::Process;
use crate::process::mailbox::{Item, Room};
use crate::process::pending::{ReplyTo, Then};

impl Router {
    /// A response from another node is here. Does not wait: what has to be handed on is done by a task of its own, which holds on to the room.
    fn response_arrived(self: Arc<Self>, target: Arc<Process>, source: Address, id: RequestId, content: Content, room: Room) {
        self.abroad.lock().remove(&id);
        let Some(request) = target.pending.lock().take(id) else { return };
        match request.then {
            Then::Receive { context } => target.mailbox.deliver(Item::Response { source, content, context }, room),
            Then::Await(awaited) => drop(awaited.send(Ok((source, content)))),
            Then::HandOn(reply) => {
                tokio::spawn(async move {
                    if self.deliver_response(&target, source, reply, content).await.is_err() {
                        tracing::debug!("a response through {} could not be handed on", target.id);
                    }
                    drop(room);
                });
            }
        }
    }
}

impl Inbound for Router {
    fn admit<'a>(&'a self, peer: &'a str, head: Head, blob_length: u64) -> BoxFuture<'a, Result<Deliver, Refusal>> {
        Box::pin(async move {
            let source = Address::new(peer, head.source.clone()).map_err(|error| Refusal::Denied(error.to_string()))?;
            let target = match head.kind {
                HeadKind::Request { .. } => self.find_soon(&head.target, MAILBOX_WAIT).await.map_err(refusal_of)?,
                HeadKind::Response { .. } => self.find(&head.target).ok_or(Refusal::NoSuchProcess)?,
            };
            let size = head.body.len() as u64 + head.metadata.as_ref().map_or(0, |text| text.len() as u64) + blob_length;
            let content = move |blob| Content { body: head.body, metadata: head.metadata, blob, capabilities: Vec::new() };
            match head.kind {
                HeadKind::Request { reply } => {
                    if !target.may_network() {
                        return Err(Refusal::Denied(format!("{} does not take messages from other nodes", target.id)));
                    }
                    if !target.public && target.id.package() != head.source.package() {
                        return Err(Refusal::Denied(format!("{} is not public", target.id)));
                    }
                    let room = target.mailbox.reserve_request(size).await.map_err(|_| Refusal::NoSuchProcess)?;
                    let reply = reply.map(|request| ReplyTo { node: Some(peer.into()), process: head.source, request });
                    Ok(Box::new(move |blob| {
                        if let Some(reply) = &reply {
                            target.owed.lock().insert(reply.clone());
                        }
                        target.mailbox.deliver(Item::Request { source, content: content(blob), reply }, room);
                    }) as Deliver)
                }
                HeadKind::Response { to } => {
                    if target.pending.lock().waits_for(to) != Some(peer) {
                        return Err(Refusal::NotExpected);
                    }
                    let room = target.mailbox.reserve_response(size).await.map_err(|_| Refusal::NoSuchProcess)?;
                    let router = self.this.clone();
                    // The request goes on waiting until the response is here in full: the link may break before.
                    Ok(Box::new(move |blob| {
                        if let Some(router) = router.upgrade() {
                            router.response_arrived(target, source, to, content(blob), room);
                        }
                    }) as Deliver)
                }
            }
        })
    }

    fn refused(&self, _peer: &str, request: Option<RequestId>, why: Refusal) {
        let Some(id) = request else { return };
        let kind = match why {
            Refusal::NoSuchProcess | Refusal::NotExpected => SendErrorKind::NoSuchProcess,
            Refusal::Denied(why) => SendErrorKind::Denied(why),
            Refusal::Busy(why) | Refusal::Broken(why) => SendErrorKind::Offline(why),
            Refusal::Unreadable(why) => SendErrorKind::Denied(format!("the blob of the response could not be read: {why}")),
        };
        let Some(process) = self.abroad.lock().remove(&id) else { return };
        self.fail(&ReplyTo { node: None, process, request: id }, kind);
    }

    fn lost(&self, peer: &str, why: &str) {
        let kind = SendErrorKind::Offline(format!("the link to {peer} is gone: {why}"));
        for process in self.all() {
            process.owed.lock().retain(|reply| reply.node.as_deref() != Some(peer));
            let handed_on = process.pending.lock().fail_node(peer, &kind);
            process.mailbox.wake();
            for (reply, kind) in handed_on {
                self.fail(&reply, kind);
            }
        }
    }
}

pub(super) fn refusal_of(kind: SendErrorKind) -> Refusal {
    match kind {
        SendErrorKind::NoSuchProcess | SendErrorKind::UnknownNode => Refusal::NoSuchProcess,
        SendErrorKind::Denied(why) => Refusal::Denied(why),
        SendErrorKind::Offline(why) | SendErrorKind::TooLarge(why) => Refusal::Busy(why),
        SendErrorKind::Timeout => Refusal::Busy("no response in time".into()),
    }
}
