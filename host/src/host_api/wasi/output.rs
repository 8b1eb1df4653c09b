//! Standard output and standard error: what a guest writes becomes lines of the log.
//!
//! A line is logged when it ends, or when the process does. What a line has beyond [`MAX_LINE`] is lost, and so are lines beyond what a process may log in a second, as with
//! `transship:host/log`; so a guest can neither fill the log nor the node's memory.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::super::log::{Lines, MAX_LINE};

/// The most bytes that are taken at a time.
const MAX_WRITE: usize = 64 << 10;

/// One of a process's two outputs. Cloning shares the line that is being written.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Line>>);

impl Output {
    pub(super) fn new(lines: Arc<Lines>, level: Level) -> Self {
        Self(Arc::new(Mutex::new(Line { lines, level, begun: Vec::new() })))
    }
}

/// A line that has not ended.
struct Line {
    lines: Arc<Lines>,
    level: Level,
    begun: Vec<u8>,
}

impl Line {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n");
            let kept = text.unwrap_or(piece);
            let room = MAX_LINE.saturating_sub(self.begun.len()).min(kept.len());
            self.begun.extend_from_slice(kept.get(..room).unwrap_or_default());
            if text.is_some() {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        let text = String::from_utf8_lossy(&self.begun);
        let text = text.trim_end_matches('\r');
        // An empty line sets things apart on a screen, and says nothing in a log.
        if !text.is_empty() {
            self.lines.write(self.level, text);
        }
        self.begun.clear();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end();
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
