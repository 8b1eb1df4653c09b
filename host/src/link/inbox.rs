//! Flow control, the receiver's side: messages that came over the link and are not in their mailboxes yet.
//!
//! A message whose mailbox has room goes there at once. Otherwise its target has a queue and a task that moves its messages into the mailbox one at a time, until the queue is empty. The other side's
//! windows bound each queue, so a queue that outgrows them is a violation. A message leaves the queue's count before the other side hears that it was delivered.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use parking_lot::Mutex;

use super::protocol::{Frame, MAX_TARGETS, Violation, WINDOW_BYTES, WINDOW_MESSAGES, cost};
use super::session::Session;
use super::{Deliver, Head, HeadKind, Refusal};
use crate::blob::Blob;
use crate::message::ProcessId;

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Head, Option<Bytes>)>,
    /// Of those waiting, and the one that is being delivered.
    messages: usize,
    bytes: usize,
}

/// A message that the node was asked to take.
struct Arriving {
    admission: BoxFuture<'static, Result<Deliver, Refusal>>,
    kind: HeadKind,
    bytes: usize,
    blob: Option<Blob>,
}

impl Arriving {
    fn new(session: &Arc<Session>, head: Head, blob: Option<Bytes>) -> Self {
        let (bytes, kind) = (cost(&head), head.kind);
        let mime_type = head.blob.as_ref().and_then(|blob| blob.mime_type.clone());
        let length = head.blob.as_ref().map_or(0, |blob| blob.length);
        let blob = blob.map(|blob| Blob::from_bytes(blob, mime_type));
        Self { admission: session.admit(head, length), kind, bytes, blob }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inboxes(Mutex<HashMap<ProcessId, Queue>>);

impl Inboxes {
    /// Takes a message from the link's reader.
    pub(super) fn push(&self, session: &Arc<Session>, head: Head, blob: Option<Bytes>) -> Result<(), Violation> {
        let mut queues = self.0.lock();
        let is_new = !queues.contains_key(&head.target);
        if is_new && queues.len() >= MAX_TARGETS {
            return Err(Violation(format!("messages to more than {MAX_TARGETS} processes under way")));
        }
        let target = head.target.clone();
        let queue = queues.entry(target.clone()).or_default();
        queue.messages += 1;
        queue.bytes = queue.bytes.saturating_add(cost(&head));
        if queue.messages > WINDOW_MESSAGES || queue.bytes > WINDOW_BYTES {
            return Err(Violation(format!("more messages to {target} under way than its window allows")));
        }
        if !is_new {
            queue.waiting.push_back((head, blob));
            return Ok(());
        }
        drop(queues);
        let mut arriving = Arriving::new(session, head, blob);
        let admission = match (&mut arriving.admission).now_or_never() {
            Some(Ok(deliver)) => {
                deliver(arriving.blob);
                // Nothing can have joined it: this is the link's reader.
                self.0.lock().remove(&target);
                session.delivered(&target, arriving.bytes);
                return Ok(());
            }
            Some(refused) => ready(refused).boxed(),
            None => arriving.admission,
        };
        let (session, arriving) = (session.clone(), Arriving { admission, ..arriving });
        session.shared.clone().spawn_inbox(async move { session.inboxes.serve(&session, &target, arriving).await });
        Ok(())
    }

    /// Delivers a message, and then those that came meanwhile.
    async fn serve(&self, session: &Arc<Session>, target: &ProcessId, first: Arriving) {
        let mut next = Some(first);
        while let Some(Arriving { admission, kind, bytes, blob }) = next {
            match (admission.await, kind) {
                (Ok(deliver), _) => {
                    deliver(blob);
                    self.leave(target, bytes);
                    session.delivered(target, bytes);
                }
                (Err(why), kind) => {
                    if let HeadKind::Request { reply: Some(reply) } = kind {
                        session.control(Frame::Refused(reply, why)).await;
                    } else {
                        tracing::debug!(peer = %session.peer, %target, %why, "dropped a message that expects no answer");
                    }
                    // Such a target may be none of this node, and there are any number of them: nobody notes it.
                    let permit = session.control_permit().await;
                    self.leave(target, bytes);
                    if let Some(permit) = permit {
                        permit.send(Frame::Delivered(target.clone(), 1));
                    }
                }
            }
            next = self.next(target).map(|(head, blob)| Arriving::new(session, head, blob));
        }
    }

    fn leave(&self, target: &ProcessId, bytes: usize) {
        if let Some(queue) = self.0.lock().get_mut(target) {
            queue.messages = queue.messages.saturating_sub(1);
            queue.bytes = queue.bytes.saturating_sub(bytes);
        }
    }

    /// The next message; none, and the queue is forgotten, when all is done.
    fn next(&self, target: &ProcessId) -> Option<(Head, Option<Bytes>)> {
        let mut queues = self.0.lock();
        let next = queues.get_mut(target)?.waiting.pop_front();
        if next.is_none() {
            queues.remove(target);
        }
        next
    }
}
