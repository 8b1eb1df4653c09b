//! Flow control, the receiver's side: messages that came over the link and are not in their mailboxes yet.
//!
//! Each target has a queue and, while it is not empty, a task that moves its messages into the mailbox one at a time. The reader of the link only puts messages into queues. The other side's
//! windows bound each queue, so a queue that outgrows them is a violation. A message leaves the queue's count before the other side hears that it was delivered.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use parking_lot::Mutex;

use super::protocol::{Frame, MAX_TARGETS, Violation, WINDOW_BYTES, WINDOW_MESSAGES, cost};
use super::session::Session;
use super::{Head, HeadKind};
use crate::blob::Blob;
use crate::message::ProcessId;

/// Deliveries that are told together, at most: a small part of a window.
const TOLD_AT_ONCE: u32 = 32;

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Head, Option<Bytes>)>,
    /// Of those waiting, and those delivered but not told yet.
    messages: usize,
    bytes: usize,
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
        queue.waiting.push_back((head, blob));
        if is_new {
            let session = session.clone();
            session.shared.clone().spawn_inbox(async move { session.inboxes.serve(&session, &target).await });
        }
        Ok(())
    }

    async fn serve(&self, session: &Arc<Session>, target: &ProcessId) {
        let (mut told, mut told_bytes) = (0, 0);
        while let Some((head, blob)) = self.next(target, told) {
            let bytes = cost(&head);
            let request = head.kind;
            let mime_type = head.blob.as_ref().and_then(|blob| blob.mime_type.clone());
            let length = head.blob.as_ref().map_or(0, |blob| blob.length);
            let mut admission = session.admit(head, length);
            let admitted = match (&mut admission).now_or_never() {
                Some(admitted) => admitted,
                None => {
                    // It may take long: what was delivered must not wait with it.
                    self.tell(session, target, &mut told, &mut told_bytes).await;
                    admission.await
                }
            };
            match (admitted, request) {
                (Ok(deliver), _) => deliver(blob.map(|blob| Blob::from_bytes(blob, mime_type))),
                (Err(why), HeadKind::Request { reply: Some(reply) }) => session.control(Frame::Refused(reply, why)).await,
                (Err(why), _) => tracing::debug!(peer = %session.peer, %target, %why, "dropped a message that expects no answer"),
            }
            (told, told_bytes) = (told + 1, told_bytes + bytes);
            if told >= TOLD_AT_ONCE || told_bytes >= WINDOW_BYTES / 4 {
                self.tell(session, target, &mut told, &mut told_bytes).await;
            }
            if told > 0 && self.waits_for_telling(target) {
                self.tell(session, target, &mut told, &mut told_bytes).await;
            }
        }
    }

    /// The next message; none, and the queue is forgotten, when all is done. `untold`: deliveries still to be told.
    fn next(&self, target: &ProcessId, untold: u32) -> Option<(Head, Option<Bytes>)> {
        let mut queues = self.0.lock();
        let next = queues.get_mut(target)?.waiting.pop_front();
        if next.is_none() && untold == 0 {
            queues.remove(target);
        }
        next
    }

    /// Whether nothing is left to do but to tell.
    fn waits_for_telling(&self, target: &ProcessId) -> bool {
        self.0.lock().get(target).is_none_or(|queue| queue.waiting.is_empty())
    }

    async fn tell(&self, session: &Arc<Session>, target: &ProcessId, count: &mut u32, bytes: &mut usize) {
        if *count == 0 {
            return;
        }
        let permit = session.control_permit().await;
        if let Some(queue) = self.0.lock().get_mut(target) {
            queue.messages = queue.messages.saturating_sub(*count as usize);
            queue.bytes = queue.bytes.saturating_sub(*bytes);
        }
        if let Some(permit) = permit {
            permit.send(Frame::Delivered(target.clone(), *count));
        }
        (*count, *bytes) = (0, 0);
    }
}
