//! The sending side of the floor.
//!
//! A client says over each of its connections how many there are; each connection then takes the next chunk that none has taken, until there are none. The digest is computed beside it, from the file.

use std::fs::File;
use std::io::{Read as _, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;

use super::tls::{Stream, Tls};
use super::{CHUNK, END, Hasher, How, Serve};

/// Offers a file until it is ended. Prints where it listens.
pub(crate) fn serve(serve: &Serve) -> anyhow::Result<()> {
    let tls = Tls::new()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    loop {
        let mut streams = Vec::new();
        let mut wanted = 1;
        while streams.len() < wanted {
            let (socket, _) = listener.accept()?;
            socket.set_nodelay(true)?;
            let mut stream = if serve.how.plain { Stream::Plain(socket) } else { tls.server(socket)? };
            let mut count = [0; 4];
            // Whoever looks whether somebody listens says nothing.
            if stream.read_exact(&mut count).is_err() {
                continue;
            }
            wanted = u32::from_le_bytes(count) as usize;
            streams.push(stream);
        }
        if let Err(error) = send(&serve.how, &File::open(&serve.file)?, streams) {
            eprintln!("floor: {error:#}");
        }
    }
}

fn send(how: &How, file: &File, streams: Vec<Stream>) -> anyhow::Result<()> {
    let size = file.metadata()?.len();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let digest = scope.spawn(|| digest(how, file, size));
        let next = &next;
        let sending: Vec<_> = streams.into_iter().map(|stream| scope.spawn(move || chunks(file, size, next, stream))).collect();
        let mut streams = Vec::new();
        for thread in sending {
            streams.push(thread.join().map_err(|_| anyhow::anyhow!("a connection's thread failed"))??);
        }
        let digest = digest.join().map_err(|_| anyhow::anyhow!("the digest's thread failed"))??;
        let first = streams.first_mut().context("a connection")?;
        first.write_all(&digest)?;
        first.flush()?;
        Ok(())
    })
}

fn chunks(file: &File, size: u64, next: &AtomicU64, mut stream: Stream) -> anyhow::Result<Stream> {
    let mut buffer = vec![0; CHUNK as usize];
    loop {
        let offset = next.fetch_add(CHUNK, Ordering::Relaxed);
        if offset >= size {
            stream.write_all(&END.to_le_bytes())?;
            stream.flush()?;
            return Ok(stream);
        }
        let length = CHUNK.min(size - offset);
        let chunk = buffer.get_mut(..length as usize).context("a chunk")?;
        file.read_exact_at(chunk, offset)?;
        stream.write_all(&offset.to_le_bytes())?;
        stream.write_all(&(length as u32).to_le_bytes())?;
        stream.write_all(chunk)?;
    }
}

fn digest(how: &How, file: &File, size: u64) -> anyhow::Result<[u8; 32]> {
    let mut hasher = Hasher::new(how.digest);
    let mut buffer = vec![0; CHUNK as usize];
    let mut offset = 0;
    while offset < size && !matches!(hasher, Hasher::None) {
        let piece = buffer.get_mut(..CHUNK.min(size - offset) as usize).context("a piece")?;
        file.read_exact_at(piece, offset)?;
        hasher.update(piece);
        offset += piece.len() as u64;
    }
    Ok(hasher.finish())
}
