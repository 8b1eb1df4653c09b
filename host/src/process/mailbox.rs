//! A process's mailbox: what has been sent to it and not yet received.
//!
//! Bounded in messages and in bytes. Senders reserve room first and deliver later, so bytes can be counted before they are read from a link; when there is no room they wait in the order in which they
//! came. Room is given back when the process takes the message out. Responses have room of their own, because a process whose mailbox is full of requests must still get the answers that it waits for;
//! their number is bounded by the requests it sent. When the process ends the mailbox is closed: waiting senders fail, and what was in it is dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::message::{Address, Content};
use crate::process::pending::ReplyTo;

/// Bytes are counted in units of this, so that their number fits a semaphore.
const UNIT: u64 = 1 << 10;

/// What waits in a mailbox.
#[derive(Debug)]
pub(crate) enum Item {
    /// A request, and who waits for its response.
    Request { source: Address, content: Content, reply: Option<ReplyTo> },
    /// The response to a request of this process.
    Response { source: Address, content: Content, context: Option<Vec<u8>> },
}

/// Why room could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// Room for one message. Dropping it gives the room back.
#[derive(Debug)]
pub(crate) struct Room {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    size: u64,
}

struct Budget {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    most_units: u32,
}

impl Budget {
    fn new(messages: u32, bytes: u64) -> Self {
        let most_units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Self { messages: Arc::new(Semaphore::new(messages.max(1) as usize)), bytes: Arc::new(Semaphore::new(most_units as usize)), most_units }
    }

    async fn reserve(&self, size: u64) -> Result<Room, Closed> {
        // A message larger than the whole budget gets through alone.
        let units = u32::try_from(size.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.most_units);
        let message = self.messages.clone().acquire_owned().await.map_err(|_| Closed)?;
        let bytes = self.bytes.clone().acquire_many_owned(units).await.map_err(|_| Closed)?;
        Ok(Room { _message: message, _bytes: bytes, size })
    }

    fn close(&self) {
        self.messages.close();
        self.bytes.close();
    }
}

struct Queue {
    items: VecDeque<(Item, Room)>,
    bytes: u64,
    closed: bool,
}

/// A mailbox.
pub(crate) struct Mailbox {
    requests: Budget,
    responses: Budget,
    queue: Mutex<Queue>,
    arrived: Notify,
}

impl Mailbox {
    /// An empty one with room for so many requests and bytes, and as much again for responses.
    pub(crate) fn new(messages: u32, bytes: u64, responses: u32) -> Self {
        Self {
            requests: Budget::new(messages, bytes),
            responses: Budget::new(responses, bytes),
            queue: Mutex::new(Queue { items: VecDeque::new(), bytes: 0, closed: false }),
            arrived: Notify::new(),
        }
    }

    /// Waits for room for a request of `size` bytes.
    pub(crate) async fn reserve_request(&self, size: u64) -> Result<Room, Closed> {
        self.requests.reserve(size).await
    }

    /// Waits for room for a response of `size` bytes.
    pub(crate) async fn reserve_response(&self, size: u64) -> Result<Room, Closed> {
        self.responses.reserve(size).await
    }

    /// Puts a message in. After the mailbox was closed the message is dropped.
    pub(crate) fn deliver(&self, item: Item, room: Room) {
        let mut queue = self.queue.lock();
        if queue.closed {
            return;
        }
        queue.bytes += room.size;
        queue.items.push_back((item, room));
        drop(queue);
        self.arrived.notify_one();
    }

    /// Takes the oldest message out, if there is one.
    pub(crate) fn take(&self) -> Option<Item> {
        let mut queue = self.queue.lock();
        let (item, room) = queue.items.pop_front()?;
        queue.bytes -= room.size;
        Some(item)
    }

    /// Waits until something was put in (or [`Mailbox::wake`] was called) since the last wait ended.
    pub(crate) async fn wait(&self) {
        self.arrived.notified().await;
    }

    /// Ends the present or the next [`Mailbox::wait`].
    pub(crate) fn wake(&self) {
        self.arrived.notify_one();
    }

    /// How many messages and bytes wait.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let queue = self.queue.lock();
        (queue.items.len() as u64, queue.bytes)
    }

    /// Refuses everything from now on and drops what is inside.
    pub(crate) fn close(&self) {
        self.requests.close();
        self.responses.close();
        let mut queue = self.queue.lock();
        queue.closed = true;
        let dropped = std::mem::take(&mut queue.items);
        queue.bytes = 0;
        drop(queue);
        drop(dropped);
        self.arrived.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn request(text: &str) -> Item {
        let content = Content { body: text.to_owned().into(), ..Content::default() };
        Item::Request { source: "alice@a:p:q".parse().unwrap(), content, reply: None }
    }

    fn body(item: Option<Item>) -> String {
        match item {
            Some(Item::Request { content, .. } | Item::Response { content, .. }) => String::from_utf8(content.body.to_vec()).unwrap(),
            None => String::new(),
        }
    }

    #[tokio::test]
    async fn messages_come_out_in_the_order_in_which_they_went_in() {
        let mailbox = Mailbox::new(10, 1 << 20, 10);
        for text in ["one", "two", "three"] {
            let room = mailbox.reserve_request(3).await.unwrap();
            mailbox.deliver(request(text), room);
        }
        assert_eq!(mailbox.waiting(), (3, 9));
        assert_eq!([body(mailbox.take()), body(mailbox.take()), body(mailbox.take())], ["one", "two", "three"]);
        assert!(mailbox.take().is_none());
        assert_eq!(mailbox.waiting(), (0, 0));
    }

    #[tokio::test]
    async fn a_sender_waits_while_the_mailbox_is_full_and_goes_on_when_a_message_is_taken() {
        let mailbox = Mailbox::new(1, 1 << 20, 1);
        let room = mailbox.reserve_request(1).await.unwrap();
        mailbox.deliver(request("first"), room);
        let mut second = Box::pin(mailbox.reserve_request(1));
        assert!(second.as_mut().now_or_never().is_none());
        mailbox.take();
        assert!(second.now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn bytes_fill_a_mailbox_too_and_a_message_larger_than_all_of_it_gets_through_alone() {
        let mailbox = Mailbox::new(100, 64 << 10, 100);
        let large = mailbox.reserve_request(1 << 30).await.unwrap();
        assert!(mailbox.reserve_request(1).now_or_never().is_none());
        drop(large);
        assert!(mailbox.reserve_request(1).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn responses_get_in_while_the_mailbox_is_full_of_requests() {
        let mailbox = Mailbox::new(1, 1024, 1);
        let _room = mailbox.reserve_request(1024).await.unwrap();
        assert!(mailbox.reserve_response(1024).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn closing_fails_those_who_wait_and_drops_what_is_inside() {
        let mailbox = Mailbox::new(1, 1024, 1);
        let room = mailbox.reserve_request(1).await.unwrap();
        mailbox.deliver(request("lost"), room);
        let waiting = mailbox.reserve_request(1);
        mailbox.close();
        assert_eq!(waiting.await.unwrap_err(), Closed);
        assert!(mailbox.take().is_none());
    }
}
