//! What a process has the node do beside it: it gets a number at once, and the outcome as a completion.
//!
//! It belongs to one run of a process. When that ends, by whatever cause, so does what was begun: what waits for its turn is never begun, a digest stops after the slice at hand ([`crate::digest::slices`]), a sync that is under
//! way ends as the disk does. What always holds: every number gets one completion, unless the run has ended, and then none, also if the process was started again meanwhile.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Process;

/// So much may be under way for one process. Each may hold an open file that does not count among the process's own any more.
pub(crate) const MAX_UNDER_WAY: usize = 1024;

/// See the module. Dropping it ends what is under way.
pub(crate) struct Background {
    process: Arc<Process>,
    places: Arc<Semaphore>,
    ended: CancellationToken,
    _end: DropGuard,
}

impl Background {
    /// Nothing yet, for a run of `process` that begins.
    pub(crate) fn new(process: Arc<Process>) -> Self {
        let ended = CancellationToken::new();
        Self { process, places: Arc::new(Semaphore::new(MAX_UNDER_WAY)), _end: ended.clone().drop_guard(), ended }
    }

    /// Begins `work` and returns its number. Beyond [`MAX_UNDER_WAY`] its completion says that it was not begun. `work` holds no thread by itself: it takes turns for what blocks.
    pub(crate) fn start(&self, work: impl Future<Output = Result<Vec<u8>, String>> + Send + 'static) -> u64 {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return self.done(Err(format!("{MAX_UNDER_WAY} operations of this process are under way: wait for completions before starting more")));
        };
        let operation = self.process.pending.lock().next_number();
        let (process, ended) = (self.process.clone(), self.ended.clone());
        tokio::spawn(async move {
            let outcome = tokio::select! {
                biased;
                () = ended.cancelled() => return,
                outcome = work => outcome,
            };
            drop(place);
            let mut pending = process.pending.lock();
            // The run ends before what it waits for is forgotten: looked at under the lock, nothing gets into the next one.
            if !ended.is_cancelled() {
                pending.complete(operation, outcome);
                drop(pending);
                process.mailbox.wake();
            }
        });
        operation
    }

    /// The number of something whose outcome is there already.
    pub(crate) fn done(&self, outcome: Result<Vec<u8>, String>) -> u64 {
        let mut pending = self.process.pending.lock();
        let operation = pending.next_number();
        pending.complete(operation, outcome);
        operation
    }
}

#[cfg(test)]
mod tests;
