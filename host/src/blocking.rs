//! Where what blocks runs, so that it never blocks a thread of the scheduler.
//!
//! The scheduler has as many threads as there are processors: a process that waited for a disk on one of them would keep others from it. Handing a call to a thread that may block, and waiting for its result, wakes two threads;
//! for most calls that is many times the call. So it is the process that moves: with its first call that may block ([`block`]) it goes to such a thread with all it is, makes the calls that follow there at once, and comes back
//! when it waits for anything else ([`Movable`]). What takes long by itself, and needs nothing of the process, is still handed over (`spawn_blocking`): the process can be ended meanwhile.
//!
//! What always holds: a process runs on one thread at a time; each call runs on the stack of the thread that may block, and not on that of the guest; of a process that is called back ([`Movable::recall`]) no further call begins.
//! A fault (a panic) in a call ends the process that made it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// How long one that is called back may take to come: as long as a call takes on a disk that is slow. One that takes longer, because its disk does not answer at all, is left to it.
const RECALL: Duration = Duration::from_secs(2);

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Of the movable future that is being polled on this thread: what it wants to have done where blocking is allowed. The outer None: there is no such future here.
    static WANTED: RefCell<Option<Option<Job>>> = const { RefCell::new(None) };
}

/// Does what may block, where that is allowed. Inside of a [`Movable`] (directly, and not in a future that decides by itself when it is polled) this moves it; elsewhere another thread is waited for.
///
/// # Errors
/// If `work` panics and this is not inside of a [`Movable`], which would end by it.
pub(crate) async fn block<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    if WANTED.with_borrow(Option::is_none) {
        return spawn_blocking(work).await;
    }
    let result = Arc::new(Mutex::new(None));
    let to = result.clone();
    let mut job: Option<Job> = Some(Box::new(move || *to.lock() = Some(work())));
    let done = poll_fn(|_| {
        if let Some(job) = job.take() {
            WANTED.set(Some(Some(job)));
            return Poll::Pending;
        }
        // Whoever polls the movable future has the job done before it polls again, so that nobody needs to be woken.
        result.lock().take().map_or(Poll::Pending, Poll::Ready)
    });
    Ok(done.await)
}

/// Polls a movable future once. With `Pending` comes what it wants to have done first.
fn poll<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> (Poll<F::Output>, Option<Job>) {
    /// Puts back what stood there, also if the future panics.
    struct Restore(Option<Option<Job>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            WANTED.set(self.0.take());
        }
    }
    let before = Restore(WANTED.replace(Some(None)));
    let polled = future.poll(context);
    let wanted = WANTED.take().flatten();
    drop(before);
    (polled, wanted)
}

enum Place<F: Future> {
    /// On whichever thread polls.
    Here(Pin<Box<F>>),
    /// On a thread that may block. It brings its output, or comes back without.
    Away(JoinHandle<Result<F::Output, Pin<Box<F>>>>),
    /// It has ended.
    Nowhere,
}

/// A future that moves to a thread that may block when it has to: see the module. Its output is an error if what it called panicked. Must be polled inside a tokio runtime.
pub(crate) struct Movable<F: Future> {
    place: Place<F>,
    recalled: Arc<AtomicBool>,
}

impl<F: Future<Output: Send> + Send + 'static> Movable<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { place: Place::Here(Box::pin(future)), recalled: Arc::default() }
    }

    /// Ends it: when this returns it does not run any more, and what it held is gone. What it has begun and what blocks ends first, unless that takes very long.
    pub(crate) async fn recall(mut self) {
        self.recalled.store(true, Ordering::Relaxed);
        if let Place::Away(running) = &mut self.place {
            let _ = tokio::time::timeout(RECALL, running).await;
        }
    }
}

/// On a thread that may block: does what is wanted and goes on with the future until it waits for something else, has ended, or is called back.
fn run<F: Future>(mut future: Pin<Box<F>>, first: Job, waker: &Waker, recalled: &AtomicBool) -> Result<F::Output, Pin<Box<F>>> {
    let mut wanted = Some(first);
    while let Some(job) = wanted.take() {
        if recalled.load(Ordering::Relaxed) {
            break;
        }
        job();
        match poll(future.as_mut(), &mut Context::from_waker(waker)) {
            (Poll::Ready(output), _) => return Ok(output),
            (Poll::Pending, next) => wanted = next,
        }
    }
    Err(future)
}

impl<F: Future<Output: Send> + Send + 'static> Future for Movable<F> {
    type Output = Result<F::Output, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.place {
                Place::Here(future) => match poll(future.as_mut(), context) {
                    (Poll::Ready(output), _) => {
                        self.place = Place::Nowhere;
                        return Poll::Ready(Ok(output));
                    }
                    (Poll::Pending, None) => return Poll::Pending,
                    (Poll::Pending, Some(job)) => {
                        let Place::Here(future) = std::mem::replace(&mut self.place, Place::Nowhere) else { return Poll::Pending };
                        let (waker, recalled) = (context.waker().clone(), self.recalled.clone());
                        self.place = Place::Away(spawn_blocking(move || run(future, job, &waker, &recalled)));
                    }
                },
                Place::Away(running) => {
                    let back = ready!(Pin::new(running).poll(context));
                    self.place = Place::Nowhere;
                    match back {
                        Ok(Ok(output)) => return Poll::Ready(Ok(output)),
                        // What it waits for wakes this task already; what came meanwhile is seen now.
                        Ok(Err(future)) => self.place = Place::Here(future),
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                Place::Nowhere => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread::{self, ThreadId};

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    async fn here() -> ThreadId {
        thread::current().id()
    }

    async fn blocking() -> ThreadId {
        block(|| thread::current().id()).await.unwrap()
    }

    #[tokio::test]
    async fn what_blocks_runs_elsewhere_and_all_that_follows_too_until_it_waits() {
        let scheduler = here().await;
        let moves = Movable::new(async move {
            assert_eq!(here().await, scheduler);
            let first = blocking().await;
            assert_ne!(first, scheduler);
            assert_eq!((here().await, blocking().await, blocking().await), (first, first, first), "a thread for each call");
            tokio::task::yield_now().await;
            let back = here().await;
            blocking().await;
            back
        });
        assert_eq!(moves.await.unwrap(), scheduler);
    }

    #[tokio::test]
    async fn what_comes_while_it_is_away_is_not_lost() {
        for _ in 0..1_000 {
            let (sender, receiver) = oneshot::channel();
            let moves = Movable::new(async move {
                // The answer may be there before, while or after it comes back.
                block(move || sender.send(7)).await.unwrap().unwrap();
                receiver.await.unwrap()
            });
            assert_eq!(moves.await.unwrap(), 7);
        }
    }

    #[tokio::test]
    async fn one_that_is_called_back_begins_nothing_more_and_is_gone_then() {
        let (count, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
        let (began, mut begins) = mpsc::channel(1);
        let (go, goes) = std::sync::mpsc::channel::<()>();
        let (counting, held) = (count.clone(), dropped.clone());
        let mut moves = Movable::new(async move {
            let _held = held;
            block(move || {
                began.blocking_send(()).unwrap();
                goes.recv().unwrap();
            })
            .await
            .unwrap();
            loop {
                let counting = counting.clone();
                block(move || counting.fetch_add(1, Ordering::Relaxed)).await.unwrap();
            }
        });
        tokio::select! {
            _ = &mut moves => unreachable!("it has no end"),
            _ = begins.recv() => {}
        }
        moves.recalled.store(true, Ordering::Relaxed);
        go.send(()).unwrap();
        moves.recall().await;
        assert_eq!((count.load(Ordering::Relaxed), Arc::strong_count(&dropped)), (0, 1));
    }

    #[tokio::test]
    async fn a_fault_in_a_call_is_its_error_and_nobody_elses() {
        let fault = Movable::new(async { block(|| panic!("a fault")).await.unwrap() });
        assert!(fault.await.unwrap_err().is_panic());
        // The same thread serves the next.
        assert!(Movable::new(blocking()).await.is_ok());
        assert!(block(|| panic!("a fault")).await.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn outside_of_a_movable_future_another_thread_is_waited_for() {
        assert_ne!(blocking().await, here().await);
        let inner = Movable::new(async { Movable::new(blocking()).await.unwrap() });
        assert_ne!(inner.await.unwrap(), here().await);
    }
}
