//! How fast bytes may move: token buckets for the node and for each peer, and the stream that keeps to them.
//!
//! There are two of each, one for either direction, and what moves pays in both: the node's limit holds for all peers together, a peer's for all its connections together. What always holds: over any
//! time longer than a few [`BURST`]s no more moves than the limit says; whoever waits is served in order of asking; a connection takes at most [`SHARE`] of a second at a time, so that many share evenly; a limit that is
//! changed holds for what is asked from then on, in streams that exist too. Where there is no limit, nothing is counted.
//!
//! Reading is limited by not reading: the sender finds the socket full. Lanes wait here before they move anything. The link itself, with its small messages and signs of life, moves first and pays later
//! ([`Way::charge`]), and only then holds back messages ([`Way::paid`]).

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The least that a node or a peer may be limited to, in bytes a second: below it, what keeps a link alive would wait for too long.
pub const LEAST: u64 = 16 << 10;
/// What may move at once after a pause, as a time at the limit. Long enough to make up for a timer that is late.
const BURST: Duration = Duration::from_millis(50);
/// What one connection takes at a time, as a part of a second at the limit.
const SHARE: u64 = 50;
/// The least that it takes: about a packet.
const LEAST_SHARE: u64 = 1400;
/// The most.
const MOST_SHARE: u64 = 256 << 10;

/// A token bucket, kept as the time at which it is paid for what was taken out of it.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// Bytes a second; 0: no limit.
    rate: AtomicU64,
    paid: Mutex<Option<Instant>>,
}

impl Bucket {
    /// Changes the limit.
    fn set(&self, limit: Option<u64>) {
        let rate = limit.map_or(0, |limit| limit.max(LEAST));
        if self.rate.swap(rate, Ordering::Relaxed) != rate {
            *self.paid.lock() = None;
        }
    }

    fn rate(&self) -> Option<u64> {
        Some(self.rate.load(Ordering::Relaxed)).filter(|&rate| rate > 0)
    }

    /// Takes `bytes` out; returns when they may move.
    fn take(&self, bytes: usize) -> Option<Instant> {
        let rate = self.rate()?;
        let now = Instant::now();
        let mut paid = self.paid.lock();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let begin = paid.map_or(earliest, |paid| paid.max(earliest));
        *paid = Some(begin + Duration::from_secs_f64(bytes as f64 / rate as f64));
        Some(begin)
    }

    /// When all that was taken out is paid, if that is to come.
    fn debt(&self) -> Option<Instant> {
        self.paid.lock().filter(|paid| *paid > Instant::now())
    }
}

/// Both directions.
#[derive(Debug, Default)]
struct Both {
    sent: Arc<Bucket>,
    received: Arc<Bucket>,
}

/// The limits of a node and of its peers.
#[derive(Debug, Default)]
pub(super) struct Limits {
    node: Both,
    peers: Mutex<HashMap<String, Arc<Both>>>,
}

impl Limits {
    /// Changes the node's own limit.
    pub(super) fn set_node(&self, limit: Option<u64>) {
        self.node.sent.set(limit);
        self.node.received.set(limit);
    }

    fn peer(&self, peer: &str) -> Arc<Both> {
        self.peers.lock().entry(peer.into()).or_default().clone()
    }

    /// Changes a peer's limit.
    pub(super) fn set_peer(&self, peer: &str, limit: Option<u64>) {
        let both = self.peer(peer);
        both.sent.set(limit);
        both.received.set(limit);
    }

    /// What the connections to a peer have to keep to.
    pub(super) fn of(&self, peer: &str) -> Ways {
        let both = self.peer(peer);
        let way = |node: &Arc<Bucket>, peer: &Arc<Bucket>| Way { node: node.clone(), peer: peer.clone(), link: Arc::default() };
        Ways { sent: way(&self.node.sent, &both.sent), received: way(&self.node.received, &both.received) }
    }
}

/// The limits of the connections to one peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Ways {
    pub(super) sent: Way,
    pub(super) received: Way,
}

/// The limits in one direction.
#[derive(Debug, Clone, Default)]
pub(super) struct Way {
    node: Arc<Bucket>,
    peer: Arc<Bucket>,
    /// What the link itself has moved: it goes before the lanes, and waits for its own bytes only.
    link: Arc<Bucket>,
}

impl Way {
    fn rate(&self) -> Option<u64> {
        self.node.rate().into_iter().chain(self.peer.rate()).min()
    }

    /// Whether there is a limit.
    pub(super) fn limited(&self) -> bool {
        self.rate().is_some()
    }

    /// What may move at a time, of `most` bytes.
    pub(super) fn share(&self, most: usize) -> usize {
        let share = self.rate().map(|rate| (rate / SHARE).clamp(LEAST_SHARE, MOST_SHARE));
        share.and_then(|share| usize::try_from(share).ok()).map_or(most, |share| share.min(most))
    }

    /// Takes `bytes`; returns when they may move. None: at once.
    fn take(&self, bytes: usize) -> Option<Instant> {
        let (node, peer) = (self.node.take(bytes), self.peer.take(bytes));
        node.max(peer).filter(|begin| *begin > Instant::now())
    }

    /// The link has moved so many bytes.
    pub(super) fn charge(&self, bytes: usize) {
        self.link.set(self.rate());
        let _ = (self.take(bytes), self.link.take(bytes));
    }

    /// Whether all that the link has moved is paid.
    pub(super) fn is_paid(&self) -> bool {
        self.link.debt().is_none()
    }

    /// Waits until all that the link has moved is paid, `longest` at most.
    pub(super) async fn paid(&self, longest: Duration) {
        if let Some(paid) = self.link.debt() {
            tokio::time::sleep_until(paid.min(Instant::now() + longest)).await;
        }
    }
}

/// One direction of one connection.
#[derive(Debug, Default)]
struct Gate {
    way: Way,
    /// Until when it waits for what it took.
    waiting: Option<Pin<Box<Sleep>>>,
    /// What it took and has not used.
    left: usize,
}

impl Gate {
    fn new(way: Way) -> Self {
        Self { way, ..Self::default() }
    }

    /// How many of `wanted` bytes may move now.
    fn poll(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<usize> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        if !self.way.limited() {
            self.left = 0;
            return Poll::Ready(wanted);
        }
        if self.left == 0 && wanted > 0 {
            self.left = self.way.share(wanted);
            if let Some(begin) = self.way.take(self.left) {
                let waiting = self.waiting.insert(Box::pin(tokio::time::sleep_until(begin)));
                ready!(waiting.as_mut().poll(context));
                self.waiting = None;
            }
        }
        Poll::Ready(wanted.min(self.left))
    }

    fn moved(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

/// A stream that keeps to limits.
#[derive(Debug)]
pub(super) struct Limited<S> {
    stream: S,
    sent: Gate,
    received: Gate,
}

impl<S> Limited<S> {
    pub(super) fn new(stream: S, ways: &Ways) -> Self {
        Self { stream, sent: Gate::new(ways.sent.clone()), received: Gate::new(ways.received.clone()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wanted = buffer.remaining();
        let may = ready!(self.received.poll(context, wanted));
        let before = buffer.filled().len();
        if may == wanted {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        } else {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(may));
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
            let read = part.filled().len();
            buffer.advance(read);
        }
        let read = buffer.filled().len() - before;
        self.received.moved(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let may = ready!(self.sent.poll(context, bytes.len()));
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes.get(..may).unwrap_or(bytes)))?;
        self.sent.moved(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let wanted = slices.iter().map(|slice| slice.len()).sum();
        let may = ready!(self.sent.poll(context, wanted));
        let written = if may == wanted {
            ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?
        } else {
            let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            ready!(Pin::new(&mut self.stream).poll_write(context, first.get(..may).unwrap_or(first)))?
        };
        self.sent.moved(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
