use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::unconstrained;

use super::*;
use crate::blob::ReadAt;

const ALL: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Blake3, Algorithm::Md5];

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn memory(bytes: impl Into<bytes::Bytes>) -> Blob {
    Blob::from_bytes(bytes, None)
}

/// A file of any length that says at each offset which it is, and how much was asked for at once.
#[derive(Debug, Default)]
struct Counting {
    largest: AtomicUsize,
}

impl ReadAt for Counting {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BlobError> {
        self.largest.fetch_max(buffer.len(), Ordering::Relaxed);
        for (position, byte) in buffer.iter_mut().enumerate() {
            *byte = ((offset + position as u64) % 251) as u8;
        }
        Ok(())
    }
}

/// A file whose reads wait until they are let through, and that says when it is closed.
#[derive(Debug)]
struct Gate {
    reading: mpsc::Sender<()>,
    pass: Mutex<mpsc::Receiver<()>>,
    closed: mpsc::Sender<()>,
}

struct GateKeeper {
    reading: mpsc::Receiver<()>,
    pass: mpsc::Sender<()>,
    closed: mpsc::Receiver<()>,
}

fn gate() -> (Arc<Gate>, GateKeeper) {
    let (reading, is_reading) = mpsc::channel();
    let (let_pass, pass) = mpsc::channel();
    let (closed, is_closed) = mpsc::channel();
    (Arc::new(Gate { reading, pass: Mutex::new(pass), closed }), GateKeeper { reading: is_reading, pass: let_pass, closed: is_closed })
}

impl ReadAt for Gate {
    fn read_exact_at(&self, buffer: &mut [u8], _: u64) -> Result<(), BlobError> {
        let _ = self.reading.send(());
        let _ = self.pass.lock().recv();
        buffer.fill(1);
        Ok(())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.closed.send(());
    }
}

/// A file that became shorter.
#[derive(Debug)]
struct Shrunk;
impl ReadAt for Shrunk {
    fn read_exact_at(&self, _: &mut [u8], _: u64) -> Result<(), BlobError> {
        Err(BlobError::Changed)
    }
}

/// A file behind a fault of ours.
#[derive(Debug)]
struct Faulty;
impl ReadAt for Faulty {
    fn read_exact_at(&self, _: &mut [u8], _: u64) -> Result<(), BlobError> {
        panic!("on purpose")
    }
}

/// What a future answers without waiting. Unconstrained, because the runtime makes a task that does much at a stretch wait too.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    unconstrained(future).now_or_never()
}

const SOON: Duration = Duration::from_secs(30);

#[test]
fn digests_are_those_of_the_standards() {
    let of = |algorithm, text: &str| hex(&digest_blocking(algorithm, &memory(text.to_string())).unwrap());
    assert_eq!(of(Algorithm::Sha256, ""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(of(Algorithm::Sha256, "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(of(Algorithm::Blake3, ""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    assert_eq!(of(Algorithm::Blake3, "abc"), "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
    assert_eq!(of(Algorithm::Md5, ""), "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(of(Algorithm::Md5, "abc"), "900150983cd24fb0d6963f7d28e17f72");
}

#[test]
fn an_algorithm_prints_as_it_parses() {
    for algorithm in ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    assert!("SHA1".parse::<Algorithm>().is_err());
}

#[tokio::test]
async fn blobs_in_sequence_have_the_digest_of_the_whole_and_more_may_be_added_after_a_digest() {
    for algorithm in ALL {
        let hasher = Hasher::new(algorithm);
        assert_eq!(hasher.digest().await, digest_blocking(algorithm, &memory("")));
        let mut whole = Vec::new();
        for number in 0..500_u32 {
            let part = format!("part {number}, ").into_bytes();
            whole.extend_from_slice(&part);
            hasher.update(memory(part)).await.unwrap();
            if number % 100 == 0 {
                assert_eq!(hasher.digest().await, digest_blocking(algorithm, &memory(whole.clone())), "{algorithm} after {number}");
            }
        }
        assert_eq!(hasher.digest().await, digest_blocking(algorithm, &memory(whole)));
    }
}

#[tokio::test]
async fn a_file_of_any_length_passes_through_a_mebibyte_of_memory() {
    let file = Arc::new(Counting::default());
    let blob = Blob::from_file(file.clone(), 0, (200 << 20) + 17);
    let whole = digest_blocking(Algorithm::Blake3, &blob).unwrap();
    let hasher = Hasher::new(Algorithm::Blake3);
    let middle = 77_777_777;
    hasher.update(blob.slice(0, middle).unwrap()).await.unwrap();
    hasher.update(blob.slice(middle, blob.length() - middle).unwrap()).await.unwrap();
    assert_eq!(hasher.digest().await, Ok(whole));
    assert!(file.largest.load(Ordering::Relaxed) <= 1 << 20);
}

#[tokio::test]
async fn a_full_queue_holds_up_who_adds_until_something_is_digested() {
    // By number: one is being digested, 255 wait.
    let (file, keeper) = gate();
    let hasher = Hasher::new(Algorithm::Md5);
    for _ in 0..256 {
        at_once(hasher.update(Blob::from_file(file.clone(), 0, 1))).unwrap().unwrap();
    }
    let mut next = Box::pin(unconstrained(hasher.update(memory("x"))));
    assert!(next.as_mut().now_or_never().is_none());
    keeper.pass.send(()).unwrap();
    tokio::time::timeout(SOON, next).await.unwrap().unwrap();
    drop(keeper);
    let mut all = vec![1; 256];
    all.push(b'x');
    assert_eq!(hasher.digest().await, digest_blocking(Algorithm::Md5, &memory(all)));

    // By bytes in memory.
    let (file, keeper) = gate();
    let hasher = Hasher::new(Algorithm::Md5);
    hasher.update(Blob::from_file(file, 0, 1)).await.unwrap();
    for _ in 0..MAX_QUEUED_BYTES >> 20 {
        at_once(hasher.update(memory(vec![0; 1 << 20]))).unwrap().unwrap();
    }
    let mut next = Box::pin(unconstrained(hasher.update(memory("x"))));
    assert!(next.as_mut().now_or_never().is_none());
    drop(keeper);
    tokio::time::timeout(SOON, next).await.unwrap().unwrap();
    // One that is larger than the queue passes too.
    tokio::time::timeout(SOON, hasher.update(memory(vec![0; 40 << 20]))).await.unwrap().unwrap();
    tokio::time::timeout(SOON, hasher.digest()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_file_that_became_shorter_fails_this_and_every_later_call_and_lets_nobody_wait() {
    let hasher = Hasher::new(Algorithm::Sha256);
    let (file, keeper) = gate();
    hasher.update(Blob::from_file(file, 0, 1)).await.unwrap();
    hasher.update(Blob::from_file(Arc::new(Shrunk), 0, 10)).await.unwrap();
    for _ in 0..254 {
        hasher.update(memory("x")).await.unwrap();
    }
    let mut waiting_to_add = Box::pin(unconstrained(hasher.update(memory("x"))));
    assert!(waiting_to_add.as_mut().now_or_never().is_none());
    let mut waiting_for_the_digest = Box::pin(unconstrained(hasher.digest()));
    assert!(waiting_for_the_digest.as_mut().now_or_never().is_none());
    drop(keeper);
    assert_eq!(tokio::time::timeout(SOON, waiting_for_the_digest).await.unwrap(), Err(BlobError::Changed));
    // It may have found a place just before the error.
    let _ = tokio::time::timeout(SOON, waiting_to_add).await.unwrap();
    assert_eq!(hasher.digest().await, Err(BlobError::Changed));
    assert_eq!(hasher.update(memory("x")).await, Err(BlobError::Changed));
}

#[tokio::test]
async fn a_fault_while_digesting_is_an_error_and_not_a_hang() {
    let hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(Blob::from_file(Arc::new(Faulty), 0, 10)).await.unwrap();
    assert!(matches!(tokio::time::timeout(SOON, hasher.digest()).await.unwrap(), Err(BlobError::Io(_))));
}

#[tokio::test]
async fn dropping_a_hasher_stops_its_thread_and_closes_its_files() {
    let (file, keeper) = gate();
    let (other, other_keeper) = gate();
    let hasher = Hasher::new(Algorithm::Sha256);
    // A tebibyte: it would take an hour.
    hasher.update(Blob::from_file(file, 0, 1 << 40)).await.unwrap();
    hasher.update(Blob::from_file(other, 0, 1 << 40)).await.unwrap();
    keeper.reading.recv_timeout(SOON).unwrap();
    drop(hasher);
    other_keeper.closed.recv_timeout(SOON).unwrap();
    keeper.pass.send(()).unwrap();
    keeper.closed.recv_timeout(SOON).unwrap();
}
