//! How much of this node's memory is in messages with large blobs that are under way over one link, all lanes together.
//!
//! A blob in memory is kept until the other side has said that it took it, and may be sent again; one that is a range of a file takes nothing and waits for nothing. So a share is taken before such a blob gets a lane, and
//! given back when its job ends, however that is. What always holds: no more is under way than [`USUAL`] and [`FIRST`] together, whatever the other side acknowledges and however many lanes it wants. Who waits gets a share in
//! the order of asking. The first blob of a conversation has room of its own: what somebody does not take holds up others only when many do so.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Head;
use super::windows::Closed;
use crate::blob::Blob;
use crate::message::ProcessId;

/// Bytes under way, beside the first blob of each conversation: enough for a gigabit with a quarter of a second of delay.
const USUAL: usize = 32 << 20;
/// Bytes of the first blobs of conversations.
const FIRST: usize = 96 << 20;

type Pair = (ProcessId, ProcessId);

/// See the module. Cloning shares.
#[derive(Debug, Clone)]
pub(super) struct Resident {
    usual: Arc<Semaphore>,
    first: Arc<Semaphore>,
    /// How many blobs each conversation has under way, or waiting to be.
    conversations: Arc<Mutex<HashMap<Pair, usize>>>,
}

/// What one blob takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    _bytes: OwnedSemaphorePermit,
    _counted: Counted,
}

/// Counts a blob of a conversation while it lives.
#[derive(Debug)]
struct Counted {
    resident: Resident,
    pair: Pair,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut conversations = self.resident.conversations.lock();
        if let Some(count) = conversations.get_mut(&self.pair) {
            *count -= 1;
            if *count == 0 {
                conversations.remove(&self.pair);
            }
        }
    }
}

impl Default for Resident {
    fn default() -> Self {
        Self { usual: Arc::new(Semaphore::new(USUAL)), first: Arc::new(Semaphore::new(FIRST)), conversations: Arc::default() }
    }
}

impl Resident {
    /// Waits for a share. None: the blob takes no memory.
    pub(super) async fn share(&self, head: &Head, blob: &Blob) -> Result<Option<Share>, Closed> {
        let bytes = usize::try_from(blob.resident()).unwrap_or(USUAL).min(USUAL);
        if bytes == 0 {
            return Ok(None);
        }
        let pair = (head.source.clone(), head.target.clone());
        let first = {
            let mut conversations = self.conversations.lock();
            let count = conversations.entry(pair.clone()).or_default();
            *count += 1;
            *count == 1
        };
        // From here on, so that it is counted no more if this is given up.
        let counted = Counted { resident: self.clone(), pair };
        let room = if first { &self.first } else { &self.usual };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let bytes = room.clone().acquire_many_owned(bytes).await.map_err(|_| Closed)?;
        Ok(Some(Share { _bytes: bytes, _counted: counted }))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::link::HeadKind;

    fn head(source: usize) -> Head {
        let source = format!("s{source}:p:q").parse().unwrap();
        Head { source, target: "t:p:q".parse().unwrap(), kind: HeadKind::Request { reply: None }, body: "".into(), metadata: None, blob: None }
    }

    fn take(resident: &Resident, source: usize, blob: &Blob) -> Option<Option<Share>> {
        tokio::task::unconstrained(resident.share(&head(source), blob)).now_or_never().map(Result::unwrap)
    }

    #[tokio::test]
    async fn a_conversation_has_its_first_blob_and_the_links_share_under_way_and_more_when_they_end() {
        let (resident, blob) = (Resident::default(), Blob::from_bytes(vec![0; 4 << 20], None));
        let mut shares: Vec<_> = (0..9).map(|_| take(&resident, 0, &blob).expect("there is room").expect("it takes memory")).collect();
        let mut next = Box::pin(tokio::task::unconstrained(async { resident.share(&head(0), &blob).await }));
        assert!(next.as_mut().now_or_never().is_none());
        // Another one has its first all the same.
        let other = take(&resident, 1, &blob).expect("its first");
        assert!(take(&resident, 1, &blob).is_none());
        drop(shares.pop());
        assert!(next.await.unwrap().is_some());
        drop((shares, other));
        assert!(resident.conversations.lock().is_empty());
    }

    #[tokio::test]
    async fn however_many_conversations_there_are_they_share_what_there_is() {
        let (resident, blob) = (Resident::default(), Blob::from_bytes(vec![0; 4 << 20], None));
        let shares: Vec<_> = (0..1000).filter_map(|source| take(&resident, source, &blob)).collect();
        assert_eq!(shares.len(), FIRST / (4 << 20));
    }

    #[tokio::test]
    async fn the_largest_blob_passes() {
        let (resident, blob) = (Resident::default(), Blob::from_bytes(vec![0; 16 << 20], None));
        assert!(take(&resident, 0, &blob).is_some_and(|share| share.is_some()));
    }
}
