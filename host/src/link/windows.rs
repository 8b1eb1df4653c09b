//! Flow control, the sender's side: for each target process on the other node, what has been sent over the link and not yet been delivered there.
//!
//! A sender reserves its message's place in the target's window, waiting (in order of arrival) while the window is used up, and commits once the message goes
//! into the link's queue. What always holds: no more than the window's messages and bytes are committed and unacknowledged, and a reservation that is dropped gives its place back.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::protocol::{MAX_TARGETS, Violation, WINDOW_BYTES, WINDOW_MESSAGES};
use crate::message::{ProcessId, RequestId};

/// The link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

#[derive(Debug)]
struct Sent {
    bytes: usize,
    request: Option<RequestId>,
}

#[derive(Debug)]
struct Window {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// In the order sent.
    unacknowledged: VecDeque<Sent>,
    /// Reservations that exist or are waited for.
    users: usize,
    _slot: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
struct State {
    windows: HashMap<ProcessId, Window>,
    closed: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Windows {
    state: Mutex<State>,
    slots: Arc<Semaphore>,
}

impl Windows {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), slots: Arc::new(Semaphore::new(MAX_TARGETS)) }
    }

    /// Waits for a place for a message of `bytes` to `target`.
    pub(super) async fn reserve(&self, target: &ProcessId, bytes: usize) -> Result<Reservation<'_>, Closed> {
        let (user, messages, room) = self.window(target).await?;
        let message = messages.acquire_owned().await.map_err(|_| Closed)?;
        let count = u32::try_from(bytes.min(WINDOW_BYTES)).map_err(|_| Closed)?;
        let room = room.acquire_many_owned(count).await.map_err(|_| Closed)?;
        Ok(Reservation { user, bytes, permits: Some((message, room)) })
    }

    async fn window(&self, target: &ProcessId) -> Result<(User<'_>, Arc<Semaphore>, Arc<Semaphore>), Closed> {
        let mut slot = None;
        loop {
            {
                let mut state = self.state.lock();
                if state.closed {
                    return Err(Closed);
                }
                if !state.windows.contains_key(target)
                    && let Some(slot) = slot.take().or_else(|| self.slots.clone().try_acquire_owned().ok())
                {
                    let window = Window {
                        messages: Arc::new(Semaphore::new(WINDOW_MESSAGES)),
                        bytes: Arc::new(Semaphore::new(WINDOW_BYTES)),
                        unacknowledged: VecDeque::new(),
                        users: 0,
                        _slot: slot,
                    };
                    state.windows.insert(target.clone(), window);
                }
                if let Some(window) = state.windows.get_mut(target) {
                    window.users += 1;
                    return Ok((User { windows: self, target: target.clone() }, window.messages.clone(), window.bytes.clone()));
                }
            }
            slot = Some(self.slots.clone().acquire_owned().await.map_err(|_| Closed)?);
        }
    }

    /// The other side has taken the `count` oldest messages to `target`.
    pub(super) fn acknowledge(&self, target: &ProcessId, count: u32) -> Result<(), Violation> {
        let mut state = self.state.lock();
        let window = state.windows.get_mut(target).ok_or_else(|| Violation(format!("delivered for {target}, to which nothing is under way")))?;
        for _ in 0..count {
            let sent = window.unacknowledged.pop_front().ok_or_else(|| Violation(format!("more delivered for {target} than was sent")))?;
            window.messages.add_permits(1);
            window.bytes.add_permits(sent.bytes);
        }
        if window.users == 0 && window.unacknowledged.is_empty() {
            state.windows.remove(target);
        }
        Ok(())
    }

    /// Whether nothing is under way.
    pub(super) fn quiet(&self) -> bool {
        self.state.lock().windows.is_empty()
    }

    /// Ends all waiting, and returns the requests of which nobody knows whether they arrived.
    pub(super) fn close(&self) -> Vec<RequestId> {
        let mut state = self.state.lock();
        state.closed = true;
        self.slots.close();
        let mut requests = Vec::new();
        for window in state.windows.values_mut() {
            window.messages.close();
            window.bytes.close();
            requests.extend(window.unacknowledged.drain(..).filter_map(|sent| sent.request));
        }
        state.windows.retain(|_, window| window.users > 0);
        requests
    }
}

/// Counts among a window's users while it lives.
#[derive(Debug)]
struct User<'a> {
    windows: &'a Windows,
    target: ProcessId,
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let mut state = self.windows.state.lock();
        if let Some(window) = state.windows.get_mut(&self.target) {
            window.users -= 1;
            if window.users == 0 && window.unacknowledged.is_empty() {
                state.windows.remove(&self.target);
            }
        }
    }
}

/// A place in a window.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    user: User<'a>,
    bytes: usize,
    permits: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Reservation<'_> {
    /// Counts the message as sent, and calls `send`, under one lock: messages of one window are sent in the order in which they will be acknowledged.
    pub(super) fn commit(mut self, request: Option<RequestId>, send: impl FnOnce() -> Result<(), Closed>) -> Result<(), Closed> {
        let mut state = self.user.windows.state.lock();
        if state.closed {
            return Err(Closed);
        }
        let window = state.windows.get_mut(&self.user.target).ok_or(Closed)?;
        send()?;
        window.unacknowledged.push_back(Sent { bytes: self.bytes.min(WINDOW_BYTES), request });
        if let Some((message, bytes)) = self.permits.take() {
            message.forget();
            bytes.forget();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn target(name: &str) -> ProcessId {
        format!("{name}:p:q").parse().unwrap()
    }

    async fn send(windows: &Windows, to: &ProcessId, bytes: usize, request: Option<RequestId>) {
        windows.reserve(to, bytes).await.unwrap().commit(request, || Ok(())).unwrap();
    }

    #[tokio::test]
    async fn a_used_up_window_makes_its_senders_wait_in_order_and_nobody_else() {
        let windows = Windows::new();
        let (a, b) = (target("a"), target("b"));
        for _ in 0..WINDOW_MESSAGES {
            send(&windows, &a, 1, None).await;
        }
        let mut first = Box::pin(windows.reserve(&a, 1));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(windows.reserve(&a, 1));
        assert!(second.as_mut().now_or_never().is_none());
        send(&windows, &b, 1, None).await;
        windows.acknowledge(&a, 1).unwrap();
        assert!(second.as_mut().now_or_never().is_none());
        first.now_or_never().unwrap().unwrap().commit(None, || Ok(())).unwrap();
        assert!(second.as_mut().now_or_never().is_none());
        windows.acknowledge(&a, 1).unwrap();
        assert!(second.now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn bytes_count_as_messages_do_and_a_big_message_is_not_overtaken() {
        let windows = Windows::new();
        let a = target("a");
        send(&windows, &a, WINDOW_BYTES - 10, None).await;
        let mut big = Box::pin(windows.reserve(&a, 1 << 20));
        assert!(big.as_mut().now_or_never().is_none());
        let mut small = Box::pin(windows.reserve(&a, 1));
        assert!(small.as_mut().now_or_never().is_none());
        let room = windows.state.lock().windows.get(&a).unwrap().bytes.clone();
        room.add_permits(1);
        assert!(small.as_mut().now_or_never().is_none(), "a message that would fit went before one that was there first");
        windows.acknowledge(&a, 1).unwrap();
        let big = big.now_or_never().unwrap().unwrap();
        assert!(small.now_or_never().is_some());
        drop(big);
    }

    #[tokio::test]
    async fn a_dropped_reservation_gives_its_place_back_and_an_idle_window_is_forgotten() {
        let windows = Windows::new();
        let a = target("a");
        for _ in 0..WINDOW_MESSAGES * 2 {
            drop(windows.reserve(&a, 1).await.unwrap());
        }
        assert!(windows.quiet());
        send(&windows, &a, 5, None).await;
        assert!(!windows.quiet());
        windows.acknowledge(&a, 1).unwrap();
        assert!(windows.quiet());
        assert_eq!(windows.slots.available_permits(), MAX_TARGETS);
    }

    #[tokio::test]
    async fn acknowledging_what_was_not_sent_is_a_violation() {
        let windows = Windows::new();
        let a = target("a");
        assert!(windows.acknowledge(&a, 1).is_err());
        send(&windows, &a, 5, None).await;
        assert!(windows.acknowledge(&a, 2).is_err());
    }

    #[tokio::test]
    async fn closing_wakes_who_waits_and_tells_which_requests_are_in_doubt() {
        let windows = Windows::new();
        let a = target("a");
        let ids: Vec<RequestId> = (0..WINDOW_MESSAGES).map(|_| RequestId::random()).collect();
        for id in &ids {
            send(&windows, &a, 1, Some(*id)).await;
        }
        windows.acknowledge(&a, 2).unwrap();
        let held = windows.reserve(&a, 1).await.unwrap();
        let _other = windows.reserve(&a, 1).await.unwrap();
        let mut waiting = Box::pin(windows.reserve(&a, 1));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(windows.close(), ids[2..]);
        assert_eq!(waiting.await.unwrap_err(), Closed);
        assert_eq!(held.commit(None, || Ok(())), Err(Closed));
        assert_eq!(windows.reserve(&a, 1).await.unwrap_err(), Closed);
    }

    #[tokio::test]
    async fn more_targets_than_may_be_wait_for_one_to_become_quiet() {
        let windows = Windows::new();
        for number in 0..MAX_TARGETS {
            send(&windows, &target(&format!("t{number}")), 1, None).await;
        }
        let last = target("last");
        let mut waiting = Box::pin(windows.reserve(&last, 1));
        assert!(waiting.as_mut().now_or_never().is_none());
        send(&windows, &target("t7"), 1, None).await;
        windows.acknowledge(&target("t9"), 1).unwrap();
        assert!(waiting.now_or_never().unwrap().is_ok());
    }
}
