use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::*;
use crate::blob::ReadAt;
use crate::digest::digest_blocking;

const SOON: Duration = Duration::from_secs(30);

fn known(folder: &tempfile::TempDir) -> Arc<KnownDigests> {
    Arc::new(KnownDigests::new(folder.path().join("digests")))
}

/// Turns for one process, on so many threads of the node.
fn turns(threads: usize) -> Turns {
    Turns::new(100, Arc::new(Semaphore::new(threads)))
}

/// A file of any length whose bytes tell where they stand, which has not changed for an hour.
#[derive(Debug, Default)]
struct Long {
    length: u64,
    read: AtomicU64,
    /// Told when the first byte of it is read, and waited for then.
    first: Option<(mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>)>,
    /// Closed with it.
    _closed: Option<mpsc::Sender<()>>,
}

impl ReadAt for Long {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
        if let (0, Some((told, pass))) = (offset, &self.first) {
            let _ = told.send(());
            let _ = pass.lock().recv();
        }
        self.read.fetch_add(buffer.len() as u64, Ordering::SeqCst);
        for (position, piece) in buffer.chunks_mut(1 << 10).enumerate() {
            piece.fill(((offset >> 10) as usize + position) as u8);
        }
        Ok(())
    }

    fn stamp(&self) -> Option<Stamp> {
        Some(Stamp { device: 1, inode: self.length, size: self.length, modified: (1, 0), changed: (1, 0) })
    }
}

#[tokio::test]
async fn a_digest_in_slices_is_the_digest_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    for length in [0, 1, SLICE - 1, SLICE, SLICE + 1, 2 * SLICE, 3 * SLICE + 17] {
        let file = Arc::new(Long { length, ..Long::default() });
        let blob = Blob::from_file(file.clone(), 0, length);
        let whole = digest_blocking(Algorithm::Blake3, &blob);
        let known = known(&folder);
        assert_eq!(digest(known.clone(), turns(1), Algorithm::Blake3, blob.clone()).await, whole, "{length}");
        let read = file.read.load(Ordering::SeqCst);
        assert_eq!(digest(known, turns(1), Algorithm::Blake3, blob).await, whole, "{length}");
        let again = file.read.load(Ordering::SeqCst) - read;
        assert_eq!(again, if length < 64 << 10 { length } else { 0 }, "a known digest of {length} bytes is not computed");
    }
}

#[tokio::test]
async fn a_digest_that_is_given_up_stops_and_closes_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let ((reading, is_reading), (pass, passes), (closed, is_closed)) = (mpsc::channel(), mpsc::channel(), mpsc::channel());
    // A tebibyte: it would take an hour.
    let length = 1 << 40;
    let file = Arc::new(Long { length, first: Some((reading, Mutex::new(passes))), _closed: Some(closed), ..Long::default() });
    let computing = tokio::spawn(digest(known(&folder), turns(1), Algorithm::Blake3, Blob::from_file(file, 0, length)));
    tokio::task::spawn_blocking(move || is_reading.recv_timeout(SOON)).await.unwrap().unwrap();
    computing.abort();
    pass.send(()).unwrap();
    let closed = tokio::task::spawn_blocking(move || is_closed.recv_timeout(SOON)).await.unwrap();
    assert_eq!(closed, Err(mpsc::RecvTimeoutError::Disconnected));
}

#[tokio::test]
async fn a_short_digest_is_done_between_the_slices_of_long_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (known, node) = (known(&folder), Arc::new(Semaphore::new(1)));
    let long: Vec<_> = (0..3)
        .map(|number| {
            let length = (1 << 40) + number;
            let file = Arc::new(Long { length, ..Long::default() });
            tokio::spawn(digest(known.clone(), Turns::new(1, node.clone()), Algorithm::Blake3, Blob::from_file(file, 0, length)))
        })
        .collect();
    let short = Blob::from_file(Arc::new(Long { length: 100, ..Long::default() }), 0, 100);
    let expected = digest_blocking(Algorithm::Blake3, &short);
    let found = tokio::time::timeout(SOON, digest(known, Turns::new(1, node), Algorithm::Blake3, short)).await.unwrap();
    assert_eq!(found, expected);
    assert!(long.iter().all(|computing| !computing.is_finished()));
    long.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_file_that_can_not_be_read_fails_the_digest_wherever_that_is() {
    #[derive(Debug)]
    struct Torn;
    impl ReadAt for Torn {
        fn read_exact_at(&self, _: &mut [u8], offset: u64) -> Result<(), BlobError> {
            if offset >= SLICE { Err(BlobError::Changed) } else { Ok(()) }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let outcome = digest(known(&folder), turns(1), Algorithm::Blake3, Blob::from_file(Arc::new(Torn), 0, 2 * SLICE)).await;
    assert_eq!(outcome, Err(BlobError::Changed));
}
