//! Writes to an open file that its process does not wait for (`vfs.file.queue-blob`).
//!
//! A disk takes long for a piece and several pieces in the same time: a process that waits for each keeps the disk waiting for the next. What always holds: whoever asks the file anything else has waited for all that was queued before;
//! after a write has failed, every call says so, since what the file holds is not known any more; when the process has ended, nothing is begun any more, and who learns of its end does so when what was begun is done ([`crate::process::run`]). How much is held is bounded: [`MOST`] pieces of at most [`LARGEST`] bytes a file, and as many of a process and of the node as there
//! are turns for them ([`crate::turns`]). What would be beyond that is waited for.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::turns::{Abandoned, Turns};
use crate::vfs::VfsError;

/// So many pieces of one file are written at a time.
const MOST: usize = 4;
/// In bytes. A larger one is waited for.
const LARGEST: u64 = 4 << 20;

type Outcome = Result<(), VfsError>;

#[derive(Debug, Default)]
struct Queue {
    writes: JoinSet<Outcome>,
    /// What every call is told from then on.
    failed: Option<VfsError>,
}

/// The queue of one file. Cloning shares it; dropping the last gives up what has not begun.
#[derive(Debug, Clone, Default)]
pub(super) struct Behind(Arc<Mutex<Queue>>);

impl Behind {
    /// Queues a write of so many bytes, or does it now if there is no room.
    pub(super) async fn write(&self, turns: &Turns, length: u64, write: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
        let mut queue = self.0.lock().await;
        while queue.writes.len() >= MOST {
            queue.one().await;
        }
        queue.done();
        if let Some(error) = queue.failed.clone() {
            return Err(error);
        }
        match turns.now().filter(|_| length <= LARGEST) {
            Some(turn) => {
                queue.writes.spawn_blocking(move || {
                    let _turn = turn;
                    write()
                });
                Ok(())
            }
            None => {
                let done = tokio::task::spawn_blocking(write).await.unwrap_or_else(|_| Err(abandoned()));
                if let Err(error) = &done {
                    queue.failed.get_or_insert_with(|| error.clone());
                }
                done
            }
        }
    }

    /// Waits for all that was queued.
    pub(super) async fn settled(&self) -> Outcome {
        let mut queue = self.0.lock().await;
        while !queue.writes.is_empty() {
            queue.one().await;
        }
        queue.failed.clone().map_or(Ok(()), Err)
    }
}

impl Queue {
    async fn one(&mut self) {
        let done = self.writes.join_next().await;
        self.note(done);
    }

    /// Looks at those that are done already.
    fn done(&mut self) {
        while let Some(done) = self.writes.try_join_next() {
            self.note(Some(done));
        }
    }

    /// The first error counts.
    fn note(&mut self, done: Option<Result<Outcome, tokio::task::JoinError>>) {
        let outcome = done.map_or(Ok(()), |done| done.unwrap_or_else(|_| Err(abandoned())));
        if let Err(error) = outcome {
            self.failed.get_or_insert(error);
        }
    }
}

fn abandoned() -> VfsError {
    VfsError::Io(Abandoned.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use parking_lot::Mutex as Lock;
    use tokio::sync::Semaphore;

    use super::*;

    fn turns(of_node: usize) -> Turns {
        Turns::new(8, Arc::new(Semaphore::new(of_node)))
    }

    fn full() -> VfsError {
        VfsError::NoSpace
    }

    #[tokio::test]
    async fn whoever_asks_has_waited_for_all_that_was_queued() {
        let (behind, turns, written) = (Behind::default(), turns(8), Arc::new(Lock::new(Vec::new())));
        let (go, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Lock::new(gate));
        for piece in 0..MOST {
            let (gate, written) = (gate.clone(), written.clone());
            let write = move || {
                gate.lock().recv().unwrap();
                written.lock().push(piece);
                Ok(())
            };
            behind.write(&turns, 1, write).await.unwrap();
        }
        assert!(written.lock().is_empty(), "none was waited for");
        let mut settled = Box::pin(behind.settled());
        assert!(futures::poll!(&mut settled).is_pending());
        for _ in 0..MOST {
            go.send(()).unwrap();
        }
        settled.await.unwrap();
        written.lock().sort_unstable();
        assert_eq!(*written.lock(), (0..MOST).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn no_more_than_so_many_are_queued() {
        let (behind, turns) = (Behind::default(), turns(8));
        let (go, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Lock::new(gate));
        for _ in 0..MOST {
            let gate = gate.clone();
            behind.write(&turns, 1, move || gate.lock().recv().map_err(|_| full())).await.unwrap();
        }
        let mut one_more = Box::pin(behind.write(&turns, 1, || Ok(())));
        assert!(futures::poll!(&mut one_more).is_pending());
        go.send(()).unwrap();
        one_more.await.unwrap();
        drop(go);
        assert_eq!(behind.settled().await, Err(full()));
    }

    #[tokio::test]
    async fn after_an_error_nothing_is_written_any_more_and_every_call_says_why() {
        let (behind, turns, written) = (Behind::default(), turns(8), Arc::new(Lock::new(false)));
        behind.write(&turns, 1, || Err(full())).await.unwrap();
        while !behind.0.lock().await.writes.is_empty() {
            behind.0.lock().await.one().await;
        }
        let note = written.clone();
        let write = move || {
            *note.lock() = true;
            Ok(())
        };
        assert_eq!(behind.write(&turns, 1, write).await, Err(full()));
        assert!(!*written.lock());
        for _ in 0..2 {
            assert_eq!(behind.settled().await, Err(full()));
        }
    }

    #[tokio::test]
    async fn what_there_is_no_turn_for_or_is_large_is_waited_for() {
        let behind = Behind::default();
        assert_eq!(behind.write(&turns(0), 1, || Ok(())).await, Ok(()));
        assert_eq!(behind.write(&turns(8), LARGEST, || Ok(())).await, Ok(()));
        assert_eq!(behind.settled().await, Ok(()));
        assert_eq!(behind.write(&turns(8), LARGEST + 1, || Err(full())).await, Err(full()));
        assert_eq!(behind.settled().await, Err(full()));
        let other = Behind::default();
        assert_eq!(other.write(&turns(0), 1, || Err(full())).await, Err(full()));
    }
}
