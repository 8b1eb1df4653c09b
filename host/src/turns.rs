//! Turns on the threads that may block: who waits for one has none.
//!
//! Work that blocks for long (digests of large files, writing a file to the disk) gets a few of these threads, and its share among itself in the order of asking: a process's own turns first, then the node's. So the rest
//! of the threads is there for everybody else, however much of it somebody asks for. What always holds: a turn is taken as long as its thread runs, also if nobody waits for the outcome any more.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many threads of a node compute digests. More than the processors, since some of them wait for a disk; and of the runtime's 512 few, with [`SYNCS`] as well.
const DIGESTS: usize = 32;
/// So many threads of a node write files to the disk. A file system does many at once with one effort, and a disk that hangs holds no more than these.
const SYNCS: usize = 64;
/// So many threads of a node write what its processes do not wait for.
const WRITES: usize = 64;
/// So many of each kind one process has at a time.
const OWN: usize = 8;

/// Nobody waits for the outcome any more, or there is none after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was abandoned after a fault, or because the node ends")]
pub(crate) struct Abandoned;

/// A turn that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held")] (OwnedSemaphorePermit, OwnedSemaphorePermit));

/// Turns of one kind. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    own: Arc<Semaphore>,
    /// Of its own.
    count: u32,
    node: Arc<Semaphore>,
}

impl Turns {
    /// Those of a process, of `node`'s.
    pub(crate) fn new(own: usize, node: Arc<Semaphore>) -> Self {
        Self { own: Arc::new(Semaphore::new(own)), count: u32::try_from(own).unwrap_or(u32::MAX), node }
    }

    /// Does `work` on a thread that may block, when its turn has come. Giving this up before then means that it is never begun.
    ///
    /// # Errors
    /// [`Abandoned`].
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Abandoned> {
        let own = self.own.clone().acquire_owned().await.map_err(|_| Abandoned)?;
        let turn = Turn((own, self.node.clone().acquire_owned().await.map_err(|_| Abandoned)?));
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| Abandoned)
    }

    /// A turn, if nobody has to be waited for.
    pub(crate) fn now(&self) -> Option<Turn> {
        let own = self.own.clone().try_acquire_owned().ok()?;
        Some(Turn((own, self.node.clone().try_acquire_owned().ok()?)))
    }

    /// Waits until none of the process's own is taken.
    pub(crate) async fn idle(&self) {
        // It is never closed.
        drop(self.own.acquire_many(self.count).await);
    }
}

/// The turns of a node.
#[derive(Debug)]
pub(crate) struct NodeTurns {
    digests: Arc<Semaphore>,
    syncs: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

impl Default for NodeTurns {
    fn default() -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self { digests: turns(DIGESTS), syncs: turns(SYNCS), writes: turns(WRITES) }
    }
}

impl NodeTurns {
    /// A process's turns to compute digests.
    pub(crate) fn digests(&self) -> Turns {
        Turns::new(OWN, self.digests.clone())
    }

    /// A process's turns to write what it does not wait for.
    pub(crate) fn writes(&self) -> Turns {
        Turns::new(OWN, self.writes.clone())
    }

    /// A process's turns to write to the disk.
    pub(crate) fn syncs(&self) -> Turns {
        Turns::new(OWN, self.syncs.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_process_to_be_idle_waits_for_what_runs() {
        let turns = Turns::new(2, Arc::new(Semaphore::new(5)));
        turns.idle().await;
        let (one, two) = (turns.now().unwrap(), turns.now().unwrap());
        assert!(turns.now().is_none(), "a process has no more of its own");
        let mut idle = Box::pin(turns.idle());
        assert!(futures::poll!(&mut idle).is_pending());
        drop(one);
        assert!(futures::poll!(&mut idle).is_pending());
        drop(two);
        idle.await;
        assert!(turns.now().is_some(), "and nothing is taken by that");
    }
}
