//! Digests of blobs, computed beside whoever wants them.
//!
//! A [`Hasher`] owns a bounded queue; a blocking thread works it off while there is something in it and is given back when there is not. Blobs are
//! digested in the order in which they were added. A blob that is a range of a file is read here, piece by piece, when its turn comes. After the first
//! blob that can't be read, every later call fails with its error. Dropping the hasher stops the work after the piece at hand.

pub mod known;
pub(crate) mod slices;

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use md5::Digest as _;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use crate::blob::{Blob, BlobError};

/// The most bytes in memory that wait in a hasher's queue.
const MAX_QUEUED_BYTES: u32 = 8 << 20;
/// The most blobs that wait in a hasher's queue.
const MAX_QUEUED_BLOBS: usize = 256;
/// So many bytes in memory are digested where they are: handing them to another thread takes longer.
pub(crate) const AT_ONCE: u64 = 16 << 10;
/// How much of a file's range is in memory at once, and how often a dropped hasher is noticed. What was just read is still in the processor's own cache when it is digested.
const PIECE: usize = 256 << 10;

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4), 32 bytes.
    Sha256,
    /// BLAKE3, 32 bytes.
    Blake3,
    /// MD5 (RFC 1321), 16 bytes: to compare with what older systems list, never to verify.
    Md5,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
            Self::Md5 => "md5",
        })
    }
}

/// Why a text is no algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a digest: use sha256, blake3 or md5")]
pub struct AlgorithmError(String);

impl FromStr for Algorithm {
    type Err = AlgorithmError;

    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        [Self::Sha256, Self::Blake3, Self::Md5].into_iter().find(|algorithm| algorithm.to_string() == text).ok_or_else(|| AlgorithmError(text.into()))
    }
}

/// The state of a digest that has not ended.
#[derive(Clone)]
enum State {
    Sha256(aws_lc_rs::digest::Context),
    Blake3(Box<blake3::Hasher>),
    Md5(md5::Md5),
}

impl State {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256)),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
            Algorithm::Md5 => Self::Md5(md5::Md5::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(bytes),
            Self::Blake3(state) => {
                state.update(bytes);
            }
            Self::Md5(state) => state.update(bytes),
        }
    }

    /// Adds a blob, unless `stopped` between two pieces.
    fn update_blob(&mut self, blob: &Blob, stopped: &dyn Fn() -> bool) -> Result<(), BlobError> {
        if let Some(bytes) = blob.in_memory() {
            bytes.chunks(PIECE).take_while(|_| !stopped()).for_each(|piece| self.update(piece));
            return Ok(());
        }
        let mut buffer = vec![0; usize::try_from(blob.length()).unwrap_or(PIECE).min(PIECE)];
        let mut done = 0;
        while done < blob.length() && !stopped() {
            let length = usize::try_from(blob.length() - done).unwrap_or(PIECE).min(PIECE);
            let Some(piece) = buffer.get_mut(..length) else { return Err(BlobError::OutOfRange) };
            blob.read_into_blocking(done, piece)?;
            self.update(piece);
            done += length as u64;
        }
        Ok(())
    }

    /// The digest of all so far.
    fn digest(&self) -> Vec<u8> {
        match self.clone() {
            Self::Sha256(state) => state.finish().as_ref().to_vec(),
            Self::Blake3(state) => state.finalize().as_bytes().to_vec(),
            Self::Md5(state) => state.finalize().to_vec(),
        }
    }
}

/// The digest of one blob. Blocks on the disk and the processor: call it where blocking is allowed.
///
/// # Errors
/// [`BlobError::Changed`], [`BlobError::Io`].
pub fn digest_blocking(algorithm: Algorithm, blob: &Blob) -> Result<Vec<u8>, BlobError> {
    let mut state = State::new(algorithm);
    state.update_blob(blob, &|| false)?;
    Ok(state.digest())
}

enum Work {
    Blob(Blob),
    Digest(oneshot::Sender<Result<Vec<u8>, BlobError>>),
}

struct Queue {
    waiting: VecDeque<Work>,
    /// None while a thread works with it.
    state: Option<State>,
    failed: Option<BlobError>,
    /// No hasher is there any more.
    dropped: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    /// What may still be queued. Waiting for them keeps the order of arrival.
    bytes: Semaphore,
    blobs: Semaphore,
}

/// A digest of blobs in sequence. Must be used inside a tokio runtime.
pub struct Hasher {
    shared: Arc<Shared>,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("waiting", &self.shared.queue.lock().waiting.len()).finish_non_exhaustive()
    }
}

impl Hasher {
    /// Of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let queue = Queue { waiting: VecDeque::new(), state: Some(State::new(algorithm)), failed: None, dropped: false };
        let (bytes, blobs) = (Semaphore::new(MAX_QUEUED_BYTES as usize), Semaphore::new(MAX_QUEUED_BLOBS));
        Self { shared: Arc::new(Shared { queue: Mutex::new(queue), bytes, blobs }) }
    }

    /// Adds a blob. Returns once it is queued; waits while 8 MiB or 256 blobs are.
    ///
    /// # Errors
    /// That of an earlier blob: [`BlobError::Changed`], [`BlobError::Io`].
    pub async fn update(&self, blob: Blob) -> Result<(), BlobError> {
        // The permits are kept with the blob in the queue, and given back by the thread that has digested it. A semaphore is never closed here, so
        // there is nothing else to fail with.
        let abandoned = |_| BlobError::Io("the digest was abandoned".into());
        let small = blob.in_memory().is_some() && blob.length() <= AT_ONCE;
        let bytes = self.shared.bytes.acquire_many(permits(&blob)).await.map_err(abandoned)?;
        let place = self.shared.blobs.acquire().await.map_err(abandoned)?;
        let work = {
            let mut queue = self.shared.queue.lock();
            if let Some(error) = &queue.failed {
                return Err(error.clone());
            }
            bytes.forget();
            place.forget();
            queue.waiting.push_back(Work::Blob(blob));
            queue.state.take()
        };
        match work {
            // Nothing else waits: whoever has the state works until nothing does.
            Some(state) if small => Guard(&self.shared).0.work(state),
            work => self.start(work),
        }
        Ok(())
    }

    /// Waits until all that was added is digested, and returns the digest of it; more may be added afterwards.
    ///
    /// # Errors
    /// That of a blob: [`BlobError::Changed`], [`BlobError::Io`].
    pub async fn digest(&self) -> Result<Vec<u8>, BlobError> {
        let (sender, receiver) = oneshot::channel();
        let work = {
            let mut queue = self.shared.queue.lock();
            if let Some(error) = &queue.failed {
                return Err(error.clone());
            }
            queue.waiting.push_back(Work::Digest(sender));
            queue.state.take()
        };
        // If no thread has the state, all that was added is digested already, and what is left is little.
        if let Some(state) = work {
            Guard(&self.shared).0.work(state);
        }
        receiver.await.unwrap_or_else(|_| Err(BlobError::Io("the digest was abandoned".into())))
    }

    /// Starts a thread with the state, if no other has it.
    fn start(&self, state: Option<State>) {
        if let Some(state) = state {
            let shared = self.shared.clone();
            tokio::task::spawn_blocking(move || {
                let guard = Guard(&shared);
                guard.0.work(state);
            });
        }
    }
}

/// Lets nobody wait for a thread that panicked.
struct Guard<'a>(&'a Shared);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&BlobError::Io("the digest was abandoned after a fault".into()));
        }
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.shared.queue.lock();
            queue.dropped = true;
            std::mem::take(&mut queue.waiting)
        };
        // Outside the lock: this may close files.
        drop(waiting);
    }
}

impl Shared {
    /// Works off the queue, and leaves the state for the next thread when it is empty.
    fn work(&self, mut state: State) {
        loop {
            let work = {
                let mut queue = self.queue.lock();
                let Some(work) = queue.waiting.pop_front() else {
                    queue.state = Some(state);
                    return;
                };
                work
            };
            match work {
                Work::Digest(sender) => {
                    // Nobody may be waiting for it any more.
                    let _ = sender.send(Ok(state.digest()));
                }
                Work::Blob(blob) => {
                    let result = state.update_blob(&blob, &|| self.queue.lock().dropped);
                    self.give_back(&blob);
                    if let Err(error) = result {
                        return self.fail(&error);
                    }
                }
            }
        }
    }

    /// Ends all that waits. The state is gone: a digest of some of the blobs is of no use.
    fn fail(&self, error: &BlobError) {
        let waiting = {
            let mut queue = self.queue.lock();
            queue.failed = Some(error.clone());
            std::mem::take(&mut queue.waiting)
        };
        for work in waiting {
            match work {
                Work::Blob(blob) => self.give_back(&blob),
                Work::Digest(sender) => {
                    let _ = sender.send(Err(error.clone()));
                }
            }
        }
    }

    fn give_back(&self, blob: &Blob) {
        self.bytes.add_permits(permits(blob) as usize);
        self.blobs.add_permits(1);
    }
}

/// What a blob takes of the queue's bytes. One that is larger than the queue takes all of it, and so passes alone.
fn permits(blob: &Blob) -> u32 {
    u32::try_from(blob.resident()).unwrap_or(MAX_QUEUED_BYTES).min(MAX_QUEUED_BYTES)
}

#[cfg(test)]
mod tests;
