//! How many large blobs from one process to another are under way at a time.
//!
//! A slot is taken before a blob gets a lane, and given back when the blob has been written. Who waits gets slots in the order of asking. The limit can change
//! with every call; a lower one takes effect as slots are given back.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::message::ProcessId;

type Pair = (ProcessId, ProcessId);

#[derive(Debug, Default)]
struct Conversation {
    limit: usize,
    taken: usize,
    waiting: VecDeque<oneshot::Sender<Slot>>,
}

/// The conversations of one link. Cloning shares.
#[derive(Debug, Clone, Default)]
pub(super) struct Conversations(Arc<Mutex<HashMap<Pair, Conversation>>>);

/// The right to have one blob under way.
#[derive(Debug)]
pub(super) struct Slot {
    conversations: Conversations,
    pair: Pair,
}

impl Conversations {
    /// Waits for a slot of the conversation from `source` to `target`, of `limit`.
    pub(super) async fn slot(&self, source: &ProcessId, target: &ProcessId, limit: u8) -> Slot {
        let pair = (source.clone(), target.clone());
        loop {
            let waiting = {
                let mut map = self.0.lock();
                let conversation = map.entry(pair.clone()).or_default();
                conversation.limit = usize::from(limit).max(1);
                if conversation.taken < conversation.limit && conversation.waiting.iter().all(oneshot::Sender::is_closed) {
                    conversation.taken += 1;
                    return Slot { conversations: self.clone(), pair };
                }
                let (sender, receiver) = oneshot::channel();
                conversation.waiting.push_back(sender);
                receiver
            };
            // A higher limit may have made room for those who wait.
            self.hand_out(&pair);
            if let Ok(slot) = waiting.await {
                return slot;
            }
        }
    }

    /// Gives free slots to those who wait.
    fn hand_out(&self, pair: &Pair) {
        loop {
            let next = {
                let mut map = self.0.lock();
                let Some(conversation) = map.get_mut(pair) else { return };
                if conversation.taken >= conversation.limit {
                    return;
                }
                let Some(next) = conversation.waiting.pop_front() else {
                    if conversation.taken == 0 {
                        map.remove(pair);
                    }
                    return;
                };
                conversation.taken += 1;
                next
            };
            // Outside of the lock: a slot that nobody takes any more comes back through its drop.
            let _ = next.send(Slot { conversations: self.clone(), pair: pair.clone() });
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(conversation) = self.conversations.0.lock().get_mut(&self.pair) {
            conversation.taken -= 1;
        }
        self.conversations.hand_out(&self.pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn process(name: &str) -> ProcessId {
        format!("{name}:p:q").parse().unwrap()
    }

    #[tokio::test]
    async fn a_conversation_has_its_limit_and_others_have_theirs() {
        let conversations = Conversations::default();
        let (a, b) = (process("a"), process("b"));
        let first = conversations.slot(&a, &b, 2).await;
        let _second = conversations.slot(&a, &b, 2).await;
        let mut third = Box::pin(conversations.slot(&a, &b, 2));
        assert!(third.as_mut().now_or_never().is_none());
        let _other = conversations.slot(&b, &a, 1).now_or_never().unwrap();
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn slots_go_to_those_who_wait_in_order_and_past_those_who_gave_up() {
        let conversations = Conversations::default();
        let (a, b) = (process("a"), process("b"));
        let held = conversations.slot(&a, &b, 1).await;
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(conversations.slot(&a, &b, 1))).collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none());
        }
        drop(waiting.remove(0));
        drop(held);
        let (mut second, mut first) = (waiting.pop().unwrap(), waiting.pop().unwrap());
        assert!(second.as_mut().now_or_never().is_none());
        drop(first.as_mut().now_or_never().unwrap());
        drop(second.now_or_never().unwrap());
        drop(first);
        assert!(conversations.0.lock().is_empty());
    }

    #[tokio::test]
    async fn a_raised_limit_lets_those_who_wait_go_on() {
        let conversations = Conversations::default();
        let (a, b) = (process("a"), process("b"));
        let _held = conversations.slot(&a, &b, 1).await;
        let mut waiting = Box::pin(conversations.slot(&a, &b, 1));
        assert!(waiting.as_mut().now_or_never().is_none());
        let mut raises = Box::pin(conversations.slot(&a, &b, 3));
        let raised = raises.as_mut().now_or_never();
        assert!(waiting.now_or_never().is_some());
        assert!(raised.is_some() || raises.now_or_never().is_some());
    }
}
