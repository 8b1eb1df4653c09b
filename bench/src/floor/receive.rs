//! The receiving side of the floor: each connection writes what comes over it, and hands it on to the digest, which takes the chunks in order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::fs::OFlags;

use super::tls::{Stream, Tls};
use super::{CHUNK, Digest, END, Get, Hasher};

/// Chunks that wait for their turn with the digest, beside those that connections are filling.
const AHEAD: usize = 16;

/// After so many new bytes they are brought to the disk.
const SYNC: u64 = 64 << 20;
/// How often it is looked how many there are.
const PAUSE: Duration = Duration::from_millis(2);

/// Places in the file and in memory that a disk can take past the system's cache are multiples of this.
const BLOCK: usize = 4 << 10;

type Chunk = (u64, Buffer);

/// Memory for a chunk, at such a place.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn resize(&mut self, length: usize) {
        self.bytes.resize(length + BLOCK, 0);
        self.start = self.bytes.as_ptr().align_offset(BLOCK).min(BLOCK);
        self.bytes.truncate(self.start + length);
    }

    fn chunk(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }
}

/// A file, and a way to it past the cache where it has one, as a node writes what arrives; a plain copy is as plain as others are.
struct Target {
    file: File,
    direct: Option<File>,
}

impl Target {
    fn create(path: &Path, plain: bool) -> std::io::Result<Self> {
        let file = File::create_new(path)?;
        let past = || File::options().write(true).custom_flags(OFlags::DIRECT.bits().cast_signed()).open(path).ok();
        Ok(Self { file, direct: if plain { None } else { past() } })
    }

    fn write(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        let whole = bytes.len() / BLOCK * BLOCK;
        let (first, rest) = bytes.split_at(whole);
        self.direct.as_ref().unwrap_or(&self.file).write_all_at(first, offset)?;
        self.file.write_all_at(rest, offset + whole as u64)
    }
}

/// Fetches the file and compares the digests.
pub(crate) fn get(get: &Get) -> anyhow::Result<()> {
    let tls = Tls::new()?;
    let mut streams = Vec::new();
    for _ in 0..get.streams {
        let socket = TcpStream::connect(get.from)?;
        socket.set_nodelay(true)?;
        let mut stream = if get.how.plain { Stream::Plain(socket) } else { tls.client(socket)? };
        stream.write_all(&get.streams.to_le_bytes())?;
        stream.flush()?;
        streams.push(stream);
    }
    let target = Target::create(&get.to, get.how.plain)?;
    let (written, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let (found, told) = std::thread::scope(|scope| {
        let (full, chunks) = sync_channel::<Chunk>(AHEAD);
        let (empty, buffers) = sync_channel::<Buffer>(AHEAD + get.streams as usize);
        let buffers = Arc::new(Mutex::new(buffers));
        let hashing = scope.spawn(move || digest(get.how.digest, &chunks, &empty));
        let (target, written, done) = (&target, &written, &done);
        let syncing = (!get.no_sync).then(|| scope.spawn(move || sync_along(&target.file, written, done)));
        let receiving: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                let (full, buffers) = (full.clone(), buffers.clone());
                scope.spawn(move || receive(stream, target, written, &full, &buffers))
            })
            .collect();
        drop(full);
        let mut streams = Vec::new();
        for thread in receiving {
            streams.push(thread.join().map_err(|_| anyhow::anyhow!("a connection's thread failed"))??);
        }
        done.store(true, Ordering::Relaxed);
        let mut told = [0; 32];
        streams.first_mut().context("a connection")?.read_exact(&mut told)?;
        if let Some(syncing) = syncing {
            syncing.join().map_err(|_| anyhow::anyhow!("the sync's thread failed"))??;
        }
        let found = hashing.join().map_err(|_| anyhow::anyhow!("the digest's thread failed"))?;
        Ok::<_, anyhow::Error>((found, told))
    })?;
    if found != told {
        bail!("the digests differ");
    }
    if !get.no_sync {
        target.file.sync_all()?;
    }
    Ok(())
}

/// Begins to bring what is written to the disk while more comes: the last sync is a short one then. One at a time, as a node does.
fn sync_along(file: &File, written: &AtomicU64, done: &AtomicBool) -> anyhow::Result<()> {
    let mut synced = 0;
    while !done.load(Ordering::Relaxed) {
        let now = written.load(Ordering::Relaxed);
        if now - synced < SYNC {
            std::thread::sleep(PAUSE);
            continue;
        }
        file.sync_data()?;
        synced = now;
    }
    Ok(())
}

fn receive(mut stream: Stream, target: &Target, written: &AtomicU64, full: &SyncSender<Chunk>, buffers: &Mutex<Receiver<Buffer>>) -> anyhow::Result<Stream> {
    loop {
        let mut offset = [0; 8];
        stream.read_exact(&mut offset)?;
        let offset = u64::from_le_bytes(offset);
        if offset == END {
            return Ok(stream);
        }
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length as u64 > CHUNK {
            bail!("a chunk of {length} bytes");
        }
        let mut buffer = buffers.lock().ok().and_then(|buffers| buffers.try_recv().ok()).unwrap_or_default();
        buffer.resize(length);
        stream.read_exact(buffer.chunk())?;
        target.write(buffer.chunk(), offset)?;
        written.fetch_add(length as u64, Ordering::Relaxed);
        full.send((offset, buffer)).context("the digest ended")?;
    }
}

fn digest(digest: Digest, chunks: &Receiver<Chunk>, empty: &SyncSender<Buffer>) -> [u8; 32] {
    let mut hasher = Hasher::new(digest);
    let (mut waiting, mut at) = (BTreeMap::new(), 0);
    for (offset, chunk) in chunks {
        waiting.insert(offset, chunk);
        while let Some(mut chunk) = waiting.remove(&at) {
            hasher.update(chunk.chunk());
            at += chunk.chunk().len() as u64;
            // As many as may wait are kept for the connections.
            drop(empty.try_send(chunk));
        }
    }
    hasher.finish()
}
