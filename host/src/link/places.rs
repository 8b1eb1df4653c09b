//! Places for connections whose other side has not shown yet who it is: a bounded number, and who is slow makes room for others.
//!
//! Without the second rule a few strangers who say nothing would keep all peers out for as long as a handshake may take, again and again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// See the module.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// Who has a place, by a number, the oldest first.
    taken: Mutex<Taken>,
    /// How long a place is safe from others.
    grace: Duration,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    queue: VecDeque<(u64, Instant, CancellationToken)>,
}

/// One of them. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    /// Cancelled when the place is needed for somebody else.
    pub(super) wanted: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(count: usize, grace: Duration) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(count)), taken: Mutex::default(), grace })
    }

    /// Waits for a place, at most until the oldest holder of one has had its grace.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Place> {
        let permit = tokio::select! {
            biased;
            permit = self.free.clone().acquire_owned() => permit,
            () = self.oldest_had_its_time() => {
                if let Some((_, _, oldest)) = self.taken.lock().queue.pop_front() {
                    oldest.cancel();
                }
                self.free.clone().acquire_owned().await
            }
        };
        let wanted = CancellationToken::new();
        let mut taken = self.taken.lock();
        taken.last += 1;
        let number = taken.last;
        taken.queue.push_back((number, Instant::now(), wanted.clone()));
        Some(Place { places: self.clone(), number, wanted, _permit: permit.ok()? })
    }

    async fn oldest_had_its_time(&self) {
        let since = self.taken.lock().queue.front().map(|(_, since, _)| *since);
        match since {
            Some(since) => sleep_until(since + self.grace).await,
            // All places are being given back.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().queue.retain(|(number, ..)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_free_place_is_taken_at_once_and_nobody_is_asked_for_it() {
        let places = Places::new(2, GRACE);
        let first = places.take().now_or_never().flatten().unwrap();
        tokio::time::sleep(GRACE * 5).await;
        let second = places.take().now_or_never().flatten().unwrap();
        assert!(!first.wanted.is_cancelled() && !second.wanted.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_when_all_are_taken_waits_for_the_oldest_grace_and_no_longer() {
        let places = Places::new(2, GRACE);
        let (first, second) = (places.take().await.unwrap(), places.take().await.unwrap());
        let begun = Instant::now();
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        first.wanted.cancelled().await;
        assert_eq!(begun.elapsed(), GRACE);
        assert!(!second.wanted.is_cancelled(), "one is enough");
        drop(first);
        assert!(waiting.await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_given_back_goes_to_who_waits_and_nobody_has_to_leave() {
        let places = Places::new(1, GRACE);
        let first = places.take().await.unwrap();
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        tokio::task::yield_now().await;
        drop(first);
        let second = waiting.await.unwrap().unwrap();
        assert!(!second.wanted.is_cancelled());
        assert_eq!(places.taken.lock().queue.len(), 1);
    }
}
